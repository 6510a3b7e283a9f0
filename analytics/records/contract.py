"""The contracts: what History, Deals and the side tables look like, whoever made them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

Kind = Literal["recorded", "current_only"]

STATUSES = ("open", "closed_won", "closed_lost", "closed_unknown")
OUTCOMES = ("won", "lost", "no_decision", "unknown")
"""Terminal outcomes in the order in which they are stacked; `open` is the absence of all of them."""

HISTORY_COLUMNS: dict[str, str] = {
    "deal_id": "string",
    "account_id": "string",
    "pipeline": "string",
    "recorded_on": "date",
    "sequence": "int64",
    "valid_from": "date",
    "valid_to": "date",
    "opened_on": "date",
    "stage": "string",
    "status": "string",
    "closed_on": "date",
    "expected_close_on": "date",
    "reason": "string",
    "amount": "float64",
    "currency": "string",
    "owner_id": "string",
    "source": "string",
    "closed_after": "date",
    "probability": "float64",
    "forecast_category": "string",
}
"""One row per deal and recorded state (SCD type 2); declared attribute columns (strings) follow.

`closed_after` is set on a closed state whose day is known only to lie later than it (the last extract that still showed
the deal open); `probability` is the CRM's own, from 0 to 1; `forecast_category` is one of `FORECAST_CATEGORIES`.
"""

FORECAST_CATEGORIES = ("omitted", "pipeline", "best_case", "most_likely", "commit", "closed")
"""Forecast categories under one name each, whatever the CRM calls them (Salesforce's `Forecast` is commit)."""

SIDE_TABLES: dict[str, dict[str, str]] = {
    "activities": {
        "deal_id": "string", "occurred_on": "date", "recorded_on": "date", "side": "string", "channel": "string",
        "owner_id": "string", "minutes": "float64", "outcome": "string",
    },
    "owners": {
        "owner_id": "string", "name": "string", "manager": "string", "team": "string", "start_on": "date",
        "end_on": "date", "recorded_on": "date",
    },
    "quotas": {"owner_id": "string", "period": "string", "quota": "float64", "recorded_on": "date"},
    "reviews": {
        "deal_id": "string", "respondent": "string", "held_on": "date", "reason": "string", "sentiment": "string",
        "recorded_on": "date",
    },
    "forecast_submissions": {
        "period": "string", "submitted_on": "date", "owner_id": "string", "category": "string", "amount": "float64",
        "recorded_on": "date",
    },
    "fx_rates": {"currency": "string", "valid_from": "date", "rate": "float64", "recorded_on": "date"},
    "stages": {"stage": "string", "order": "int64", "pipeline": "string"},
}  # fmt: skip
"""Side tables, each optional; `recorded_on` is when the row became known (empty: with the event it describes)."""

DEALS_COLUMNS: dict[str, str] = {
    "deal_id": "string",
    "episode": "int64",
    "account_id": "string",
    "pipeline": "string",
    "opened_on": "date",
    "entry": "int64",
    "exit": "int64",
    "outcome": "string",
    "closed_on": "date",
    "recorded_on": "date",
    "no_decision_kind": "string",
    "status": "string",
    "stage": "string",
    "reason": "string",
    "expected_close_on": "date",
    "n_pushes": "int64",
    "qualified_on": "date",
    "born_closed": "bool",
    "reopened": "bool",
    "amount": "float64",
    "currency": "string",
    "amount_original": "float64",
    "currency_original": "string",
    "owner_id": "string",
    "team": "string",
    "source": "string",
    "typed_close_on": "date",
    "closed_after": "date",
    "probability": "float64",
    "forecast_category": "string",
}
"""One row per deal and episode as known at the end of the as-of day; declared attribute columns follow.

`team` is the team of the deal's owner at the moment that the definitions choose. `typed_close_on` is the closing date
that somebody typed, `recorded_on` the day on which the closing was recorded, and `closed_on` the one of them that the
definitions choose. Where `closed_after` is set, the deal closed on a day after it and not later than `closed_on`, and
nobody knows on which.
"""

REJECT_COLUMNS = ("file", "line", "reason", "values")
"""Rejected input rows: `values` is the original row as JSON text."""


@dataclass(frozen=True)
class SourceFile:
    """One file (or table) that was read: its name, SHA-256 and how many of its rows were kept and rejected."""

    name: str
    sha256: str
    rows_read: int
    rows_kept: int
    rows_rejected: int


@dataclass(frozen=True)
class Noticed:
    """One thing that a source saw in the export and handled by a rule; a study shows it among the traps.

    Attributes
    ----------
    trap : int
        The number of the trap in the README's table (1 to 20); 0 for how a file was read.
    what : str
        What was seen, in words that need no file at hand ("a stage is closed in one row and open in another").
    found, of : int
        How many rows or deals, and among how many; `found = 0` says that it was looked for.
    unit : {"deals", "rows"}
        What is counted.
    rule : str
        What was done about it ("the stage decides").

    Examples
    --------
    >>> Noticed(16, "deleted in the CRM", 3, 120, "deals", "left out").found
    3
    """

    trap: int
    what: str
    found: int
    of: int
    unit: Literal["deals", "rows", "fields"]
    rule: str


@dataclass(frozen=True)
class History:
    """What the CRM recorded, and when.

    Attributes
    ----------
    table : ibis.Table
        `HISTORY_COLUMNS` then `attributes`; one row per deal and recorded state.
    side : mapping of str to ibis.Table
        The side tables that exist, by their contract name (`SIDE_TABLES`).
    kind : {"recorded", "current_only"}
        `current_only` where the source holds only today's state; estimates at earlier dates are then reconstructions.
    attributes : tuple of str
        Declared attribute columns of `table`.
    rejects : pandas.DataFrame
        `REJECT_COLUMNS`; every rejected row of every file.
    files : tuple of SourceFile
        Everything that was read.
    known_to : datetime.date or None
        The last day on which anything was recorded (the extract's own date where the source has one).
    noticed : tuple of Noticed
        What the source saw in the export that only the source can see.
    keep : callable, optional
        Stores what all as-of dates share, by name, and returns the stored table; good for exactly these tables. Without
        it everything stays one expression.
    """

    table: Any
    side: Mapping[str, Any] = field(default_factory=dict)
    kind: Kind = "recorded"
    attributes: tuple[str, ...] = ()
    rejects: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(REJECT_COLUMNS)))
    files: tuple[SourceFile, ...] = ()
    known_to: dt.date | None = None
    noticed: tuple[Noticed, ...] = ()
    keep: Callable[[str, Any], Any] | None = field(default=None, repr=False, compare=False)
