"""The deals behind the counts of a table, so that a person can open a number and see what it is made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import pandas as pd

from analytics.estimators.result import Estimate, Finding, Listing

COLUMNS = ("row", "column", "deal_id")
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
    The same result with `deals`: row (place in the frame), column, deal_id.

    Notes
    -----
    Only a list that holds exactly as many deals as its cell says is kept: a list that tells another number than the
    table would be worse than none. The frame is as it was.

    Examples
    --------
    >>> listing = Listing(pd.DataFrame({"outcome": ["won", "lost"], "deals": [2, 1]}), "What closed")
    >>> with_deals(listing, deals=[["A", "B"], ["C"]]).deals.values.tolist()
    [[0, 'deals', 'A'], [0, 'deals', 'B'], [1, 'deals', 'C']]
    """
    if isinstance(result, Finding):
        return result
    rows: list[tuple[int, str, str]] = []
    for column, lists in columns.items():
        for row, (value, ids) in enumerate(zip(result.frame[column], lists, strict=True)):
            named = [str(deal) for deal in ids if not pd.isna(deal)]  # type: ignore[call-overload]
            if not pd.isna(value) and len(named) == value:
                rows += [(row, column, deal) for deal in named]
    return dataclasses.replace(result, deals=pd.DataFrame(rows, columns=list(COLUMNS)))


def ids_of(frame: pd.DataFrame) -> list[object]:
    """Give the deal ids of a frame of deals; none where the frame does not name its deals.

    Examples
    --------
    >>> ids_of(pd.DataFrame({"deal_id": ["A"]})), ids_of(pd.DataFrame({"n": [1]}))
    (['A'], [])
    """
    return frame["deal_id"].tolist() if "deal_id" in frame else []


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
