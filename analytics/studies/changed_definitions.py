"""What changed between two runs that could change a figure: definitions, parameters, how late the export was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analytics.records.calendar import FiscalCalendar
from analytics.records.definitions import CurrencyPolicy
from analytics.records.rules import OutcomeRules
from analytics.studies.params import CompanyParams, PracticalDifferences
from analytics.studies.saved_runs import SavedRun

STOPPING = (
    "scope", "horizon_days", "calendar", "close_date", "observed_from", "timezone", "source",
    "rules.no_decision_reasons",
)  # fmt: skip
"""After one of these two figures answer different questions, and their difference means nothing."""

MARKING = (
    "rules.silent_days", "rules.pushed_times", "rules.older_than_days", "settle_days", "currency", "stages",
    "qualification_stage", "attributes_at", "practical_differences",
)  # fmt: skip
"""These do not enter the shares that are compared, or only by how much of a quarter is settled: named beside them."""

PLACES = ("folder", "file", "url", "objects", "side", "extracted_on", "history", "database_schema")
"""Where an export lies and of which day it is changes from quarter to quarter, and defines nothing."""


MODELS = {
    "calendar": FiscalCalendar, "currency": CurrencyPolicy, "rules": OutcomeRules,
    "practical_differences": PracticalDifferences,
}  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One thing that two runs did differently; `stops` where their figures cannot be compared."""

    name: str
    then: str
    now: str
    stops: bool

    @property
    def words(self) -> str:
        """What it was and what it is.

        Examples
        --------
        >>> Change("horizon_days", "365", "180", True).words
        'horizon_days: 365 then, 180 now'
        """
        return f"{self.name}: {self.then} then, {self.now} now" if self.then or self.now else self.name


def changes(then: SavedRun, now: SavedRun) -> tuple[Change, ...]:
    """Name everything that an earlier run did by another definition or parameter than a later one.

    Parameters
    ----------
    then, now : SavedRun
        Two published runs of one company.

    Returns
    -------
    tuple of Change
        Those that stop a comparison first. Days between a quarter's end and the as-of date are one of them: figures
        that were published sooner had more left to be recorded.
    """
    found = [
        Change(name, _words(old), _words(new), name in STOPPING)
        for name in (*STOPPING, *MARKING)
        if (old := _value(then.params, name)) != (new := _value(now.params, name))
    ]
    if not found and then.facts.get("definitions_hash") != now.facts.get("definitions_hash"):
        found.append(Change("scope or another definition (a report for sharing does not show it)", "", "", True))
    lags = [(run.as_of - run.end).days for run in (then, now)]
    if then.quarter != now.quarter and lags[0] != lags[1]:
        found.append(Change("days from the quarter's end to the as-of date", str(lags[0]), str(lags[1]), False))
    return tuple(sorted(found, key=lambda change: not change.stops))


def stopped_by(found: tuple[Change, ...]) -> str:
    """Say which changes stop a comparison; empty where none does.

    Examples
    --------
    >>> stopped_by((Change("horizon_days", "365", "180", True),))
    'counted by other definitions (horizon_days: 365 then, 180 now)'
    """
    words = "; ".join(change.words for change in found if change.stops)
    return f"counted by other definitions ({words})" if words else ""


def _value(params: Mapping[str, Any], name: str) -> Any:
    """A key's value as the run used it: what the file says, else the default."""
    top, _, below = name.partition(".")
    value = params.get(top)
    if top == "source":
        value = {key: item for key, item in (value or {}).items() if key not in PLACES}
    elif top in MODELS:
        value = MODELS[top](**(value or {})).model_dump(mode="json")
    elif value is None:
        value = CompanyParams.model_fields[top].get_default(call_default_factory=True)
    return _plain(value[below] if below else value, ordered=top == "stages")


def _plain(value: Any, *, ordered: bool = False) -> Any:
    """Values that mean the same are equal: an empty list is nothing, and what is kept is named in any order."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()} or None
    if isinstance(value, list | tuple):
        return list(value) or None if ordered else sorted((_plain(item) for item in value), key=str) or None
    return value


def _words(value: Any) -> str:
    if value is None:
        return "not set"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
