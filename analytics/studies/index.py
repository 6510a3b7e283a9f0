"""The words at the head and the foot of every page of a run, and the small page that leads to the newest run."""

from __future__ import annotations

from analytics.display.front import leading_page
from analytics.display.wording import day
from analytics.studies.study import Study
from analytics.studies.team_pages import team_words

FRONT = "index.html"
"""The front page within a run's folder."""

DEFINITIONS = (
    ("At this quarter's pace", "the share of deals that would be won, lost or given up within the horizon if they "
     "lived their whole life at the quarter's pace (period incidence, Aalen–Johansen)"),
    ("Won so far", "of the deals opened in a quarter, as far as they were followed (opening cohort)"),
    ("Closed rates", "won of the deals closed in the quarter: who closes is itself an outcome, so they stand beside "
     "the headline and never in its place"),
    ("No decision", "lost with a reason that the rules below call no decision; the rules for silence, pushes and age "
     "make the range beside it"),
    ("As known then", "an earlier quarter as the CRM knew it as long after its end as this one is known now"),
    ("Mix and rate", "which deals were opened, and how deals of one kind fared; with what cannot be attributed they "
     "add up to the change"),
    ("Interval", "95 %, by account where deals share accounts, unless a table says otherwise"),
    ("Large enough to matter", "the whole interval lies beyond the difference that was set before results were seen"),
)  # fmt: skip
"""Words of the front page and what they mean."""


def leading(study: Study, run: str) -> str:
    """Write the page that a bundle replaces last: it leads to the front page of one run.

    Parameters
    ----------
    study : Study
        The opened study.
    run : str
        Name of the run's folder below `runs/`.
    """
    return leading_page(title(study), subtitle(study), f"runs/{run}/{FRONT}")


def title(study: Study) -> str:
    """Whose quarter it is."""
    return f"{study.title}, {study.quarter.name}"


def subtitle(study: Study) -> str:
    """Say the quarter's days, the as-of date and how many deals of how many rows were studied."""
    days = f"{day(study.quarter.start)} to {day(study.quarter.end)}, as known on {day(study.as_of)}"
    team = "" if study.params.team is None else f" Team {team_words(study.params)}."
    return f"{days}. {study.studied}{_scope(study)}.{team}"


def _scope(study: Study) -> str:
    """Say which deals are in scope; a shared report does not name values of the records here."""
    scope = study.params.scope
    if scope is None or study.sharing.safe or not (scope.keep or scope.drop):
        return ""
    parts = [("", scope.keep), ("without ", scope.drop)]
    said = [
        f"{word}{column.replace('_', ' ')} {', '.join(value or '(empty)' for value in values)}"
        for word, columns in parts
        for column, values in columns.items()
    ]
    return f". In scope: {'; '.join(said)}"


def facts(study: Study) -> list[tuple[str, str]]:
    """Say the parameters and rules behind every number, in words."""
    rules = study.rules
    inferred = [
        text for text, days in (
            (f"silent for {rules.silent_days} days", rules.silent_days),
            (f"past due and pushed {rules.pushed_times} times", rules.pushed_times),
            (f"older than {rules.older_than_days} days", rules.older_than_days),
        ) if days is not None
    ]  # fmt: skip
    margins = "; ".join(f"{name.replace('_', ' ')} {100 * margin:g} points" for name, margin in study.margins.items())
    of_team = [] if study.params.team is None else [("Team", team_words(study.params))]
    return [
        *of_team,
        ("Quarter", f"{study.quarter.name}: {day(study.quarter.start)} to {day(study.quarter.end)}"),
        ("As of", f"the end of {day(study.as_of)}"),
        ("Settled up to", day(study.settled_on)),
        ("Compared with", ", ".join(quarter.name for quarter in study.compare_to) or "no other quarter"),
        ("Split by", ", ".join(study.segments) or "nothing"),
        ("Horizon", f"{study.horizon_days} days after opening"),
        ("No decision, declared", ", ".join(rules.no_decision_reasons) or "no reason is declared to mean it"),
        ("No decision, inferred", "; ".join(inferred) or "no rule is set"),
        ("Differences that matter", margins),
    ]
