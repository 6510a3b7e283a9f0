"""Leakage: fields that are filled or changed only when a deal closes, and so say how it ended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from analytics.records.contract import History
from analytics.records.errors import InputError
from analytics.records.moments import state_at
from analytics.records.states import known_states

AT_LEAST = 20
"""Closed deals (and open ones, where both are compared) below which nothing is said."""

MOST, HARDLY = 0.5, 0.05
"""A field is filled at the close where at least half of closed deals have it and fewer than 1 in 20 had it before."""

GAP = 0.5
"""Filled shares of closed and open deals this far apart tell the two kinds apart, whatever their level."""

YOUNG_QUANTILE = 0.25
"""Open deals younger than the youngest quarter of closed ones were at their closing are not compared with them."""

LOOKED_AT = ("account_id", "owner_id", "pipeline", "source", "reason", "amount")
"""Columns that are checked beside the declared attributes; stage, status and forecast change at the close by nature."""


def leaky_fields(history: History, *, as_of: dt.date) -> pd.DataFrame:
    """Which fields are filled, or changed, only when a deal closes?

    Parameters
    ----------
    history : History
        What was recorded, and when.
    as_of : datetime.date
        States known at the end of this day.

    Returns
    -------
    pandas.DataFrame
        One row per field that any deal has: `field`, `leaky`, `kind` ("filled", "changed" or ""), `why` (a sentence
        with the shares), `filled_closed` (share of closed deals that have it now), `filled_before` (of those with a
        state before the day of closing, the share that had it then), `filled_open` (of open deals that are at least as
        old as the youngest quarter of closed ones were), `changed` (share of closed deals with one value before and
        another now), `n_closed`, `n_before`, `n_open`. Empty where fewer than 20 deals have closed.

    Notes
    -----
    A field is leaky when one of these holds, each with at least 20 deals: (1) filled in at least 50 % of closed deals
    and, before the day of closing, in less than 5 % of those that were on record then; (2) filled in at
    least 50 % of closed deals and less than 5 % of open ones, or the two shares are at least 50 points apart (then its
    presence tells closed deals from open ones); (3) its value changed on the day of closing or later in at least 50 %
    of the closed deals that had one. An amount of 0 counts as empty. The rule sees that a field goes with closing, not
    why: a field that was introduced or retired lately can be caught, and one that is filled a week before every win
    cannot.

    Examples
    --------
    >>> days = [dt.date(2025, 1, 10), dt.date(2025, 2, 3)]
    >>> rows = {"deal_id": [f"{n:02}" for n in range(20) for _ in days], "recorded_on": days * 20,
    ...         "sequence": [1, 2] * 20, "status": ["open", "closed_lost"] * 20, "opened_on": [days[0]] * 40,
    ...         "source": ["web"] * 40, "rival": [None, "Acme"] * 20}
    >>> found = leaky_fields(History(table=pd.DataFrame(rows), attributes=("rival",)), as_of=dt.date(2025, 3, 1))
    >>> found[["field", "leaky", "kind"]].values.tolist()
    [['rival', True, 'filled'], ['source', False, '']]
    """
    columns = ["field", "leaky", "kind", "why", "filled_closed", "filled_before", "filled_open", "changed"]
    columns += ["n_closed", "n_before", "n_open"]
    fields = (*history.attributes, *LOOKED_AT)
    counts = _counts(history, fields, as_of)
    rows = []
    if (counts["n_closed"] or 0) >= AT_LEAST:
        seen = [field for field in fields if any(counts[f"{field}_{when}"] for when in ("closed", "before", "open"))]
        rows = [_row(field, counts) for field in seen]
    return pd.DataFrame(rows, columns=columns)


def leaky_in_export(history: History, *, as_of: dt.date) -> pd.DataFrame:
    """Which fields does the whole export show to be leaky, whatever the date of the study?

    A field without a history carries today's value at every date. At an earlier one it looks harmless, because the
    deals that were open then have closed since and had it filled: the leak shows only in those that are still open.

    Parameters
    ----------
    history : History
        What was recorded, and when.
    as_of : datetime.date
        The date of the study; judged is by everything up to `history.known_to`, which may be later.

    Returns
    -------
    pandas.DataFrame
        As `leaky_fields`.

    Examples
    --------
    >>> leaky_in_export(History(table=pd.DataFrame({"deal_id": [], "status": []})), as_of=dt.date(2025, 3, 1)).empty
    True
    """
    return leaky_fields(history, as_of=max(as_of, history.known_to or as_of))


def refuse_leaky(columns: Iterable[str], leaky: pd.DataFrame, *, read_at: Mapping[str, str] | None = None) -> None:
    """Refuse to use a leaky field for splitting deals or as a covariate.

    Parameters
    ----------
    columns : iterable of str
        The columns that are to be used.
    leaky : pandas.DataFrame
        From `leaky_in_export` (or `leaky_fields`).
    read_at : mapping of str to str, optional
        When a column's value is read (`Definitions.attributes_at`). A field that changes at the close may be used where
        its value is the one of the opening, because its history is known; one that is filled there has none to use.

    Raises
    ------
    InputError
        Naming the field, the shares, and what can be done.

    Examples
    --------
    >>> leaky = pd.DataFrame({"field": ["rival"], "leaky": [True], "kind": ["filled"], "why": ["filled at the close"]})
    >>> refuse_leaky(["source"], leaky)
    >>> try:
    ...     refuse_leaky(["rival"], leaky)
    ... except InputError as problem:
    ...     "filled at the close" in str(problem)
    True
    """
    marked = leaky[leaky["leaky"].astype(bool)].set_index("field")
    for column in columns:
        if column not in marked.index:
            continue
        why = str(marked.at[column, "why"])
        if marked.at[column, "kind"] == "changed" and read_at is not None:
            if read_at.get(column, "opening") == "opening":
                continue
            action = "Read it at the opening (attributes_at), or leave it out of segments"
        else:
            action = (
                "Leave it out of segments, or map the history that says when it was filled; "
                "it may describe deals that have closed, not split those that may still"
            )
        raise InputError(
            f"says how a deal ended, so it cannot split deals or explain how they end: {why}",
            column=column, action=action,
        )  # fmt: skip


def _counts(history: History, fields: tuple[str, ...], as_of: dt.date) -> dict[str, Any]:
    """Count, in one pass, in how many deals each field is filled before the closing, after it, and while open."""
    states = known_states(history, as_of)
    now = state_at(states, "now", {"status": "status", "opened_on": "opened_on", **{f: f"{f}_now" for f in fields}})
    before = state_at(states, "before", {"recorded_on": "known_on", **{f: f"{f}_then" for f in fields}})
    close = state_at(states, "close", {"recorded_on": "closing_day", "opened_on": "opened_on"})
    deals = now.left_join(before, "deal_id").drop("deal_id_right")
    closed = deals.status != "open"
    told = closed & deals.known_on.notnull()
    old = ~closed & _old_enough(deals, close, as_of)
    sums: dict[str, Any] = {"n_closed": closed.sum(), "n_before": told.sum(), "n_open": old.sum()}
    for field in fields:
        here, then = _filled(deals[f"{field}_now"]), _filled(deals[f"{field}_then"])
        both = told & here & then
        sums |= {
            f"{field}_closed": (closed & here).sum(), f"{field}_before": (told & then).sum(),
            f"{field}_open": (old & here).sum(), f"{field}_both": both.sum(),
            f"{field}_changed": (both & (deals[f"{field}_now"] != deals[f"{field}_then"])).sum(),
        }  # fmt: skip
    found: dict[str, Any] = deals.aggregate(**sums).to_pyarrow().to_pylist()[0]
    return found


def _old_enough(deals: Any, closings: Any, as_of: dt.date) -> Any:
    """Say which deals are at least as old by now as the youngest quarter of closed ones were at their closing."""
    import ibis

    ages = closings.closing_day.delta(closings.opened_on, unit="day")
    youngest = closings.aggregate(age=ages.quantile(YOUNG_QUANTILE)).to_pyarrow()["age"][0].as_py()
    age = ibis.date(as_of).delta(deals.opened_on, unit="day")
    return age >= (0 if youngest is None else youngest)


def _filled(column: Any) -> Any:
    filled = (column != 0) if column.type().is_numeric() else (column.strip() != "")
    return filled.fill_null(False)


def _row(field: str, counts: Mapping[str, Any]) -> tuple[object, ...]:
    n_closed, n_before, n_open = (int(counts[name] or 0) for name in ("n_closed", "n_before", "n_open"))
    both = int(counts[f"{field}_both"] or 0)
    closed = _share(counts[f"{field}_closed"], n_closed)
    before = _share(counts[f"{field}_before"], n_before)
    still_open = _share(counts[f"{field}_open"], n_open)
    changed = _share(counts[f"{field}_changed"], both)
    kind, why = "", ""
    if n_before >= AT_LEAST and closed >= MOST and before < HARDLY:
        kind = "filled"
        why = (
            f"{closed:.0%} of {n_closed:,} closed deals have it; of {n_before:,} on record before the day of closing, "
            f"{before:.0%} had it then"
        )
    elif n_open >= AT_LEAST and ((closed >= MOST and still_open < HARDLY) or abs(closed - still_open) >= GAP):
        kind = "filled"
        why = f"{closed:.0%} of {n_closed:,} closed deals have it, {still_open:.0%} of {n_open:,} open ones as old: "
        why += "closing fills it, or it came into use or went out of use lately"
    elif both >= AT_LEAST and changed >= MOST:
        kind = "changed"
        why = f"its value changed at the close in {changed:.0%} of {both:,} deals"
    return field, bool(kind), kind, why, closed, before, still_open, changed, n_closed, n_before, n_open


def _share(part: Any, whole: int) -> float:
    return float(part or 0) / whole if whole else float("nan")
