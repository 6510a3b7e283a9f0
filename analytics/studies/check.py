"""What is in a company's records and what can be studied with them, told before anything is run."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analytics.records.attrition import attrition
from analytics.records.contract import History
from analytics.records.errors import InputError, nearest
from analytics.records.scope import scope_lines
from analytics.records.snapshot import deals_as_of
from analytics.studies.cache import CachedHistory, keep_history
from analytics.studies.check_facts import asked_facts, records_facts
from analytics.studies.choices import as_of_checked, compared_quarters, quarter_checked, scope_checked, segments_checked
from analytics.studies.histories import read_history
from analytics.studies.params import CompanyParams, QuarterParams, load_company, load_quarter
from analytics.studies.redaction import hidden_in, known_secrets
from analytics.studies.strict_yaml import read_yaml

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Report:
    """What `winloss check` says: `facts` for machines (JSON types only), `problems` that keep a study from running."""

    facts: dict[str, Any]
    problems: tuple[str, ...]

    @property
    def can_run(self) -> bool:
        """Whether a study can run."""
        return not self.problems


def check(path: Path | str) -> Report:
    """Can this company's records be studied: what was found, what is missing, and what does that rule out?

    Parameters
    ----------
    path : path
        A company's params file or a quarter's. Without a quarter the day of the last record is the as-of date.

    Returns
    -------
    Report
        Counts, names of columns and values of the columns that a scope can choose from; never a deal.

    Raises
    ------
    InputError
        Where the company's params cannot be used, or its records not be read.
    """
    path = Path(path).absolute()
    problems: list[str] = []
    company, quarter = _params(path, problems)
    with tempfile.TemporaryDirectory(prefix="winloss-check-") as place:
        history = read_history(company)
        try:
            kept = Path(place) / "kept.history"
            keep_history(kept, history)
            records = CachedHistory(kept, json.loads((kept / "facts.json").read_text(encoding="utf-8")))
            as_of = quarter.as_of if quarter is not None else records.known_to
            if as_of is None:
                raise InputError("the records hold no deals that can be used", action="See why rows were rejected")
            _may_run(company, quarter, records, problems)
            facts = {
                "schema_version": SCHEMA_VERSION, "params": path.name, **asked_facts(company, quarter, as_of),
                **records_facts(company, history, as_of), "scope": _scope_facts(company, history, as_of, problems),
                "problems": problems, "can_run": not problems,
            }  # fmt: skip
        finally:
            history.table.get_backend().disconnect()
    secrets = known_secrets(company.raw)
    return Report(hidden_in(facts, secrets), tuple(hidden_in(problems, secrets)))


def _params(path: Path, problems: list[str]) -> tuple[CompanyParams, QuarterParams | None]:
    """Read the company's params, and the quarter's where the file is one, whose mistakes do not stop the check."""
    content = read_yaml(path)
    if "source" in content:
        return load_company(path), None
    quarter = None
    with _noted(problems):
        quarter = load_quarter(path)
    name = str(content.get("company"))
    known = [other.stem for other in path.parent.glob("*.yaml") if "-" not in other.stem]
    if name not in known:
        raise InputError(
            f"the company {name!r} has no params file {name}.yaml beside it", file=path.name,
            action=nearest(name, known),
        )  # fmt: skip
    return load_company(path.parent / f"{name}.yaml"), quarter


def _may_run(
    company: CompanyParams, quarter: QuarterParams | None, records: CachedHistory, problems: list[str]
) -> None:
    """Ask, in the order of a run, everything that would stop it."""
    segments = company.segments
    if quarter is not None:
        segments = company.segments if quarter.segments is None else quarter.segments
        with _noted(problems):
            chosen = quarter_checked(company.calendar.quarter(quarter.quarter), quarter.as_of)
            compared_quarters(company.calendar, chosen, quarter.compare_to)
        with _noted(problems):
            as_of_checked(quarter.as_of, company, records)
    if company.scope is not None and company.scope.says_something:
        with _noted(problems):
            scope_checked(company, records)
    else:
        problems.append("scope is not set, so it is not known which deals are studied. Paste the lines below.")
    with _noted(problems):
        segments_checked(segments, records)


def _scope_facts(company: CompanyParams, history: History, as_of: dt.date, problems: list[str]) -> dict[str, Any]:
    """How many deals are in scope and why the others are not; without a scope the lines to choose from."""
    scope = company.scope
    if scope is None or not scope.says_something:
        return {"set": False, "lines": scope_lines(history)}
    rules = company.rules.declared_only()
    with _noted(problems):
        deals_as_of(history, as_of=as_of, rules=rules, definitions=company.definitions)
        lines = attrition(history, as_of=as_of, rules=rules, definitions=company.definitions)
        deals = lines[(lines["unit"] == "deals") & lines["step"].isin(["known", "left out", "studied"])]
        counted = [{"rule": rule, "deals": int(n)} for rule, n in zip(deals["rule"], deals["deals"], strict=True)]
        studied = int(deals.loc[deals["step"] == "studied", "deals"].sum())
        if not studied:
            raise InputError("no deal is left to study", action="Correct scope: in the params")
        return {"set": True, "deals": studied, "lines": counted}
    return {"set": True, "deals": None, "lines": []}


@contextlib.contextmanager
def _noted(problems: list[str]) -> Iterator[None]:
    """Keep what would stop a run, and go on."""
    try:
        yield
    except InputError as problem:
        problems.append(str(problem))
