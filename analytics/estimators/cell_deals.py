"""The deals behind the counts of a table, so that a person can open a number and see what it is made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from analytics.estimators.result import Estimate, Finding, Listing

COLUMNS = ("row", "column", "deal_id")
MOST = 10_000
"""A longer list is not kept: no page shows it, and every table would carry all deals of a large company again."""
ResultT = TypeVar("ResultT", Estimate, Listing, Estimate | Finding, Listing | Finding)


def with_deals(result: ResultT, **columns: Sequence[Iterable[object]]) -> ResultT:
    """Return a result that also knows which deals each of its counts counted.

    Parameters
    ----------
    result : Estimate, Listing or Finding
        A Finding has no counts and comes back as it is.
    **columns : sequence of iterables of deal ids
        By name of a count column of the frame: one collection of ids for each row, in the frame's order. A deal that is
        counted twice (two of its episodes) is there twice.

    Returns
    -------
    The same result with `deals`: row (place in the frame), column, deal_id; those it had for other columns stay.

    Notes
    -----
    Only a list that holds exactly as many deals as its cell says is kept: a list that tells another number than the
    table would be worse than none. One of more than 10,000 deals is not kept either. The frame is as it was.

    Examples
    --------
    >>> listing = Listing(pd.DataFrame({"outcome": ["won", "lost"], "deals": [2, 1]}), "What closed")
    >>> with_deals(listing, deals=[["A", "B"], ["C"]]).deals.values.tolist()
    [[0, 'deals', 'A'], [0, 'deals', 'B'], [1, 'deals', 'C']]
    """
    if isinstance(result, Finding):
        return result
    parts = [] if result.deals is None else [result.deals[~result.deals["column"].isin(list(columns))]]
    for column, lists in columns.items():
        for row, (value, ids) in enumerate(zip(result.frame[column], lists, strict=True)):
            if pd.isna(value) or not 0 < value <= MOST:
                continue
            named = [str(deal) for deal in ids if not pd.isna(deal)]  # type: ignore[call-overload]
            if len(named) == value:
                parts.append(pd.DataFrame({"row": row, "column": column, "deal_id": named}))
    deals = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))
    return dataclasses.replace(result, deals=deals[list(COLUMNS)])


def with_members(
    result: ResultT, of: Callable[[dict[str, Any]], Mapping[str, Iterable[object]]], *, only: Sequence[str] = ()
) -> ResultT:
    """Return a result with the deals behind its counts, asked for row by row.

    Parameters
    ----------
    result : Estimate, Listing or Finding
        Of curves only the rows that a table shows are asked for (`Estimate.read_at`).
    of : callable
        Takes a row as a dictionary, gives the deal ids by count column; columns that the frame lacks are ignored.
    only : sequence of str, optional
        Count columns to name deals for; by default all.

    Examples
    --------
    >>> listing = Listing(pd.DataFrame({"outcome": ["won", "lost"], "deals": [2, 1]}), "What closed")
    >>> deals = {"won": ["A", "B"], "lost": ["C"]}
    >>> with_members(listing, lambda row: {"deals": deals[row["outcome"]]}).deals["deal_id"].tolist()
    ['A', 'B', 'C']
    """
    if isinstance(result, Finding):
        return result
    read = result.read_at() if isinstance(result, Estimate) else result.frame
    records = zip(read.index, read.to_dict("records"), strict=True)
    found = {place: of({str(name): value for name, value in row.items()}) for place, row in records}
    columns = dict.fromkeys(column for lists in found.values() for column in lists if column in result.frame)
    rows = range(len(result.frame))
    lists = {c: [found.get(row, {}).get(c, ()) for row in rows] for c in columns if not only or c in only}
    return with_deals(result, **lists)


def with_watched(
    result: ResultT, deals: pd.DataFrame, *, by: Sequence[str] = (), age: str | float = "horizon_reached",
    only: Sequence[str] = (),
) -> ResultT:  # fmt: skip
    """Return a result with the deals behind its counts, where these are counts of deals watched to an age.

    Parameters
    ----------
    result : Estimate, Listing or Finding
        Rows with `outcome`, where they are about one.
    deals : pandas.DataFrame
        `deal_id`, `entry`, `exit`, `outcome`, and the columns `by`, as they were counted.
    by : sequence of str
        Columns of both: a row counts the deals that have its values.
    age : str or float
        The column with the age at which a row is read, or the age of all rows; of curves it is their time.
    only : sequence of str, optional
        Count columns to name deals for; by default those of Notes.

    Notes
    -----
    `n_deals`: all deals; `n_risk`: those watched on the day of that age; `cum_event`, and `n_event` of a single age:
    those that had ended so by then; `n_event` of a curve: those that did since its time before.

    Examples
    --------
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"outcome": ["won"], "estimate": 0.5, "conf_low": 0.1, "conf_high": 0.9, "n_event": 1,
    ...                       "n_deals": 2, "horizon_reached": 30})
    >>> deals = pd.DataFrame({"deal_id": ["A", "B"], "entry": -1, "exit": [9, 40], "outcome": "won"})
    >>> found = with_watched(Estimate(frame, Meta("probability", "share won", ("outcome",), 2)), deals)
    >>> found.deals[["column", "deal_id"]].values.tolist()
    [['n_deals', 'A'], ['n_deals', 'B'], ['n_event', 'A']]
    """
    if isinstance(result, Finding) or "deal_id" not in deals:
        return result
    curve = isinstance(result, Estimate) and "time" in result.meta.keys
    texts = [deals[name].astype(str) for name in by]
    groups: dict[Any, pd.DataFrame] = dict(iter(deals.groupby(texts, sort=False))) if by else {(): deals}
    before = _times_before(result) if curve else {}

    def of(row: dict[str, Any]) -> dict[str, list[object]]:
        mine = groups.get(tuple(str(row[name]) for name in by), deals.iloc[:0])
        reached = float(row["time"] if curve else row[age] if isinstance(age, str) else age)
        so = mine[(mine["outcome"] == row["outcome"]) & (mine["exit"] <= reached)] if "outcome" in row else mine[:0]
        now = mine[(mine["entry"] < reached) & (mine["exit"] >= reached)]
        since = so[so["exit"] > before[tuple(row[key] for key in _curve_keys(result))]] if curve else so
        lists = {"n_deals": mine, "n_risk": now, "cum_event": so, "n_event": since}
        return {name: ids_of(frame) for name, frame in lists.items()}

    return with_members(result, of, only=only)


def _curve_keys(result: Estimate | Listing) -> tuple[str, ...]:
    return result.meta.keys if isinstance(result, Estimate) else ()


def _times_before(result: Estimate | Listing) -> dict[tuple[object, ...], float]:
    """Give for every row of curves, by its keys, the time before it."""
    keys = list(_curve_keys(result))
    frame = result.frame.sort_values("time", kind="stable")
    others = [key for key in keys if key != "time"]
    before = (frame.groupby(others, sort=False)["time"] if others else frame["time"]).shift(fill_value=-np.inf)
    return dict(zip(frame[keys].itertuples(index=False, name=None), before, strict=True))


def with_deals_of(result: ResultT, parts: Iterable[Estimate]) -> ResultT:
    """Return a result whose rows are those of several Estimates, one after the other, with the deals of all of them.

    Examples
    --------
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"period": ["Q1"], "estimate": 0.5, "conf_low": 0.1, "conf_high": 0.9, "n_event": 1})
    >>> meta = Meta("probability", "share won", ("period",), 2)
    >>> parts = [with_deals(Estimate(frame.assign(period=name), meta), n_event=[[deal]]) for name, deal in ("xA", "yB")]
    >>> both = Estimate(pd.concat([part.frame for part in parts]), meta)
    >>> with_deals_of(both, parts).deals.values.tolist()
    [[0, 'n_event', 'A'], [1, 'n_event', 'B']]
    """
    if isinstance(result, Finding):
        return result
    tables, start = [pd.DataFrame(columns=list(COLUMNS))], 0
    for part in parts:
        if part.deals is not None and len(part.deals):
            tables.append(part.deals.assign(row=part.deals["row"] + start))
        start += len(part.frame)
    return dataclasses.replace(result, deals=pd.concat(tables[1:] or tables, ignore_index=True))


def deals_of(result: Estimate | Listing, column: str, rows: Iterable[int]) -> list[object]:
    """Give the deals behind a count in some rows of a result, as far as they are named.

    Examples
    --------
    >>> listing = Listing(pd.DataFrame({"outcome": ["won", "lost"], "deals": [2, 1]}), "What closed")
    >>> deals_of(with_deals(listing, deals=[["A", "B"], ["C"]]), "deals", [0])
    ['A', 'B']
    """
    if result.deals is None:
        return []
    mine = result.deals["row"].isin(list(rows)) & (result.deals["column"] == column)
    return result.deals.loc[mine, "deal_id"].tolist()


def ids_of(frame: pd.DataFrame) -> list[object]:
    """Give the deal ids of a frame of deals; none where it does not name its deals, or has more than a list may hold.

    Examples
    --------
    >>> ids_of(pd.DataFrame({"deal_id": ["A"]})), ids_of(pd.DataFrame({"n": [1]}))
    (['A'], [])
    """
    return frame["deal_id"].tolist() if "deal_id" in frame and len(frame) <= MOST else []


def members_apart(rows: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, list[list[object]]]]:
    """Take the deals behind a row's counts (`members`: count column -> ids) out of rows that are to become a frame.

    Examples
    --------
    >>> members_apart([{"deals": 1, "members": {"deals": ["A"]}}, {"deals": 0}])
    ([{'deals': 1}, {'deals': 0}], {'deals': [['A'], []]})
    """
    plain = [{name: value for name, value in row.items() if name != "members"} for row in rows]
    columns = dict.fromkeys(column for row in rows for column in row.get("members", ()))
    return plain, {column: [row.get("members", {}).get(column, []) for row in rows] for column in columns}
