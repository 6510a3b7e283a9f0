"""What the study of no decision says, as cards in a fixed order."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from analytics.estimators.result import Estimate, Finding
from analytics.estimators.sentences import count, percent, sized
from analytics.questions.no_decision.cards import (
    comes_back_card,
    drivers_card,
    pace_card,
    reasons_card,
    stages_card,
    zombies_card,
)
from analytics.questions.no_decision.said import label_of, nothing, rows_of, share_said

Answer = Estimate | Finding | None


@dataclass(frozen=True)
class Answers:
    """What the study's questions returned: Estimates, or the Findings in their place.

    Examples
    --------
    >>> Answers(range=Finding("how_much", "No deal.", "", "not studied")).range.headline
    'No deal.'
    """

    range: Answer = None
    unrecorded: Answer = None
    pushes: Answer = None
    silence: Answer = None
    stages: Answer = None
    drivers: Answer = None
    comes_back: Answer = None
    zombies: Answer = None
    reasons: Answer = None


def findings(answers: Answers) -> tuple[Finding, ...]:
    """What should be said about no decision?

    Parameters
    ----------
    answers : Answers
        What the questions returned.

    Returns
    -------
    tuple of Finding
        In this order, whatever the answers are: how_much, by_rule, unrecorded, pushes, silence, stages, drivers,
        comes_back, zombies, reasons. A question that the records cannot answer is its own card, which says why.

    Examples
    --------
    >>> [card.verdict for card in findings(Answers())][:2]
    ['not studied', 'not studied']
    """
    cards = (
        ("how_much", answers.range, _how_much), ("by_rule", answers.range, _by_rule),
        ("unrecorded", answers.unrecorded, _unrecorded), ("pushes", answers.pushes, pace_card("were pushed", "pushes")),
        ("silence", answers.silence, pace_card("were silent", "silence")), ("stages", answers.stages, stages_card),
        ("drivers", answers.drivers, drivers_card), ("comes_back", answers.comes_back, comes_back_card),
        ("zombies", answers.zombies, zombies_card), ("reasons", answers.reasons, reasons_card),
    )  # fmt: skip
    made = []
    for name, answer, say in cards:
        if isinstance(answer, Finding):
            made.append(replace(answer, name=name))
        elif answer is None or not answer.frame["estimate"].notna().any():
            made.append(Finding(name, f"{name.replace('_', ' ').capitalize()}: nothing to say.", "", "not studied"))
        else:
            made.append(replace(say(answer), name=name))
    return tuple(made)


def _how_much(estimate: Estimate) -> Finding:
    rows = {(row["rule"], row["threshold"]): row for row in rows_of(estimate)}
    floor = rows.get(("declared", 0))
    if floor is None:
        return nothing("The share of no decision")
    n, days = float(floor["n_deals"]), int(floor["horizon_reached"])
    studied = sized(n, floor["n_accounts"])
    if not float(floor["n_event"]):
        why = str(floor.get("note") or "No deal was declared a no decision.")
        return Finding("", "No deal is declared a no decision, so only rules can say how much there is.",
                       f"{why} {studied}.", "cannot tell", "no_decision_range")  # fmt: skip
    stated = [row for row in rows.values() if row.get("stated") is True and row["rule"] != "declared"]
    high = max(stated, key=lambda row: float(row["estimate"]), default=None)
    headline = f"Within {days} days {share_said(floor)} of deals end in a declared no decision."
    if high is not None and float(high["estimate"]) > float(floor["estimate"]):
        headline = (
            f"Between {percent(float(floor['estimate']))} (declared) and {percent(float(high['estimate']))} "
            f"({label_of(high)}) of deals end in no decision within {days} days."
        )
    detail = f"Declared: {share_said(floor)}, {studied}."
    detail += "".join(f" {label_of(row).capitalize()}: {share_said(row)}." for row in stated)
    return Finding("", headline, f"{detail} A rule that ends fewer deals that are won later would narrow the range.",
                   "described", "no_decision_range", (("rule", "declared"),))  # fmt: skip


def _by_rule(estimate: Estimate) -> Finding:
    rows = [row for row in rows_of(estimate) if not math.isnan(float(row.get("won_share", math.nan)))]
    rows = [row for row in rows if row["rule"] != "plateau" and float(row["fired"]) >= 20]
    if not rows:
        return nothing("How often a rule is wrong")
    chosen = [row for row in rows if row.get("stated") is True] or rows[-1:]
    worst = max(chosen, key=lambda row: float(row["won_share"]))
    days, fired = int(worst["won_days"]), float(worst["fired"])
    wrong = share_said({**worst, "n_deals": fired}, "won")
    label = label_of(worst)
    headline = f"Of deals called dead because {_because(label)}, {wrong} were won within {days} days all the same."
    others = [row for row in chosen if row is not worst]
    detail = f"{count(fired, 'deal')} ended by that rule." + "".join(
        f" {label_of(row).capitalize()}: {share_said({**row, 'n_deals': row['fired']}, 'won')} of "
        f"{count(float(row['fired']), 'deal')}."
        for row in others
    )
    return Finding("", headline, detail, "described", "no_decision_range",
                   (("rule", str(worst["rule"])), ("threshold", str(worst["threshold"]))))  # fmt: skip


def _because(label: str) -> str:
    return label.replace("nothing heard", "nothing was heard") if label.startswith("nothing") else f"they were {label}"


def _unrecorded(estimate: Estimate) -> Finding:
    rows = {row["treatment"]: row for row in rows_of(estimate)}
    low, high = rows.get("lost"), rows.get("outcomes", rows.get("no_decision"))
    if low is None or high is None:
        return nothing("What missing reasons could change")
    blank = float(high["n_unrecorded"])
    one, several, lacks = ("closing", "closings", "a reason or an outcome") if "outcomes" in rows else (
        "loss", "losses", "a reason"
    )  # fmt: skip
    if not blank:
        return Finding("", "Every loss has a reason, so missing reasons change nothing.", sized(
            float(low["n_deals"]), low["n_accounts"]) + ".", "described", "unrecorded_bounds")  # fmt: skip
    between = f"between {percent(float(low['estimate']), 1)} and {percent(float(high['estimate']), 1)}"
    headline = f"{count(blank, one, several)} without {lacks} leave the declared share anywhere {between}."
    studied = sized(float(low["n_deals"]), low["n_accounts"])
    detail = f"All counted as lost: {share_said(low)}; all as no decision: {share_said(high)}; {studied}."
    return Finding("", headline, detail, "described", "unrecorded_bounds", (("treatment", str(high["treatment"])),))
