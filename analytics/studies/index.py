"""The front page of a run, and the facts at the foot of every page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from analytics.display.page import StudyLink, index_page
from analytics.estimators.result import Finding
from analytics.studies import store
from analytics.studies.notebook_cell import Notebook
from analytics.studies.places import RESULTS
from analytics.studies.study import Study

CARDS = "findings"
"""The name under which a notebook saves the findings that belong on the front page."""


def index_of(study: Study, run: Path, notebooks: Sequence[Notebook]) -> str:
    """Write the front page: whose quarter, as of when, what was found, and a link to every page of one run.

    Parameters
    ----------
    study : Study
        The opened study.
    run : pathlib.Path
        The run's folder, in which the page will stand.
    notebooks : sequence of Notebook
        The notebooks that were executed.

    Returns
    -------
    str
        HTML in which nothing but the links changes from run to run.
    """
    links = [_link(notebook, run) for notebook in notebooks]
    cards = [finding for notebook in notebooks for finding in fixed_findings(run / RESULTS / notebook.name)]
    return index_page(
        title=f"{study.title}, {study.quarter.name}",
        subtitle=subtitle(study),
        studies=[*links, _record(study)],
        findings=cards,
        facts=facts(study),
    )


def _record(study: Study) -> StudyLink:
    """How the run was made and, unless it is shared, the rows that it could not use."""
    run = ("the run (JSON)", "run.json")
    if study.sharing.safe:
        said = "Parameters, hashes, versions. A report for sharing: ids are codes, rows with few deals are not shown."
        return StudyLink("How this was made", "run.json", status="", question=said, downloads=(run,))
    return StudyLink(
        "What was left out, and how this was made", "rejects.csv",
        status=f"{len(study.rejects):,} rejected rows",
        question="Every rejected row with its file, line, reason and values; parameters, hashes, versions.",
        downloads=(("rejected rows (CSV)", "rejects.csv"), run),
    )  # fmt: skip


def subtitle(study: Study) -> str:
    """Say the quarter's days, the as-of date and how many deals of how many rows were studied."""
    days = f"{_day(study.quarter.start)} to {_day(study.quarter.end)}, as of {_day(study.as_of)}"
    return f"{days}. {study.studied}."


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
    return [
        ("Quarter", f"{study.quarter.name}: {_day(study.quarter.start)} to {_day(study.quarter.end)}"),
        ("As of", f"the end of {_day(study.as_of)}"),
        ("Settled up to", _day(study.settled_on)),
        ("Compared with", ", ".join(quarter.name for quarter in study.compare_to) or "no other quarter"),
        ("Split by", ", ".join(study.segments) or "nothing"),
        ("Horizon", f"{study.horizon_days} days after opening"),
        ("No decision, declared", ", ".join(rules.no_decision_reasons) or "no reason is declared to mean it"),
        ("No decision, inferred", "; ".join(inferred) or "no rule is set"),
        ("Differences that matter", margins),
    ]


def _link(notebook: Notebook, run: Path) -> StudyLink:
    name = notebook.name
    downloads = [("notebook", f"{name}.ipynb"), ("provenance", f"{name}.provenance.json")]
    if (run / RESULTS / name).is_dir():
        downloads.insert(1, ("numbers", f"{RESULTS}/{name}/"))
    if (run / f"{name}.xlsx").is_file():
        downloads.insert(2, ("workbook (Excel)", f"{name}.xlsx"))
    return StudyLink(
        notebook.title,
        f"{name}.html",
        findings=single_findings(run / RESULTS / name),
        downloads=tuple(downloads),
    )


def fixed_findings(folder: Path) -> tuple[Finding, ...]:
    """Read the cards of a notebook: what it saved under the name `findings`."""
    found = store.read(folder, CARDS) if CARDS in store.names(folder) else ()
    return found if isinstance(found, tuple) else ()


def single_findings(folder: Path) -> tuple[Finding, ...]:
    """Read the findings that a notebook saved one by one, in the order of their names."""
    results = (store.read(folder, name) for name in store.names(folder))
    return tuple(result for result in results if isinstance(result, Finding))


def _day(day: dt.date) -> str:
    return f"{day:%-d %B %Y}"
