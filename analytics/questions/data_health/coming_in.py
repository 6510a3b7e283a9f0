"""What was read, what was rejected, and how many deals each rule leaves."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analytics.estimators.cell_deals import with_deals
from analytics.estimators.result import Finding, Listing
from analytics.records.contract import REJECT_COLUMNS, SourceFile

EXAMPLE_LENGTH = 160
_TAKES = ("not yet known", "left out", "ended as")
"""Steps whose lines take deals off what remained; the others are totals on the way."""


def what_came_in(files: Sequence[SourceFile]) -> Listing | Finding:
    """Which files were read, and how many of their rows were kept and rejected?

    Parameters
    ----------
    files : sequence of SourceFile
        What the source read.

    Returns
    -------
    Listing or Finding
        file, rows_read, rows_kept, rows_rejected; a last row for all files where there are several.

    Raises
    ------
    ValueError
        Where kept and rejected rows do not add up to those read: a row may not vanish.

    Examples
    --------
    >>> what_came_in([SourceFile("deals.csv", "", 10, 9, 1)]).frame["rows_rejected"].tolist()
    [1]
    """
    if not files:
        return Finding("what_came_in", "No file was read.", "", "not studied")
    rows = [(file.name, file.rows_read, file.rows_kept, file.rows_rejected) for file in files]
    frame = pd.DataFrame(rows, columns=["file", "rows_read", "rows_kept", "rows_rejected"])
    lost = frame[frame["rows_read"] != frame["rows_kept"] + frame["rows_rejected"]]
    if len(lost):
        raise ValueError(f"rows of {lost['file'].tolist()} are neither kept nor rejected")
    if len(frame) > 1:
        total = {"file": "all files", **frame.drop(columns="file").sum().to_dict()}
        frame = pd.concat([frame, pd.DataFrame([total])], ignore_index=True)
    return Listing(frame, "What came in")


def rejected(rejects: pd.DataFrame) -> Listing | Finding:
    """Why were rows rejected, how many, and what does one of them look like?

    Parameters
    ----------
    rejects : pandas.DataFrame
        `REJECT_COLUMNS`.

    Returns
    -------
    Listing or Finding
        reason, file, rows, first_line, example; most frequent first. Private, since the example is an original row.
        A Finding that says so where every row was kept.

    Examples
    --------
    >>> rejects = pd.DataFrame({"file": "deals.csv", "line": [7, 9], "reason": "no opening date", "values": "{}"})
    >>> rejected(rejects).frame[["reason", "rows", "first_line"]].values.tolist()
    [['no opening date', 2, 7]]
    """
    if not len(rejects):
        return Finding("rejected", "No row was rejected.", "Every row that was read is in the records.", "described")
    ordered = rejects.sort_values("line", kind="stable")
    grouped = ordered.groupby(["reason", "file"], sort=True, as_index=False).agg(
        rows=("line", "size"), first_line=("line", "first"), example=("values", "first")
    )
    grouped["example"] = grouped["example"].astype(str).map(_shortened)
    frame = grouped.sort_values(["rows", "reason"], ascending=[False, True], kind="stable").reset_index(drop=True)
    return Listing(frame, "Rejected rows by reason", private=True)


def _shortened(text: str) -> str:
    return text if len(text) <= EXAMPLE_LENGTH else text[:EXAMPLE_LENGTH] + "…"


def rejected_rows(rejects: pd.DataFrame) -> Listing:
    """Which rows were rejected, with file, line, reason and their original values?

    Parameters
    ----------
    rejects : pandas.DataFrame
        `REJECT_COLUMNS`.

    Returns
    -------
    Listing
        Private: its rows are deals.

    Examples
    --------
    >>> len(rejected_rows(pd.DataFrame(columns=list(REJECT_COLUMNS))).frame)
    0
    """
    return Listing(rejects[list(REJECT_COLUMNS)].reset_index(drop=True), "Rejected rows", private=True)


def left_out(attrition: pd.DataFrame, taken: pd.DataFrame | None = None) -> Listing:
    """How many rows and deals remain after each rule?

    Parameters
    ----------
    attrition : pandas.DataFrame
        step, rule, deals, remaining (`analytics.records` makes it).
    taken : pandas.DataFrame, optional
        step, rule, deal_id: which deals each line takes off (`study.attrition_deals`).

    Returns
    -------
    Listing
        The same rows, with the deals behind them where these are given; rows of files are no deals.

    Raises
    ------
    ValueError
        Where a column is missing.

    Examples
    --------
    >>> table = pd.DataFrame({"step": ["read"], "rule": ["rows"], "deals": [10], "remaining": [10]})
    >>> left_out(table).title
    'From what was read to what is studied'
    """
    missing = [name for name in ("step", "rule", "deals", "remaining") if name not in attrition.columns]
    if missing:
        raise ValueError(f"the attrition table lacks {missing}")
    listing = Listing(attrition.reset_index(drop=True), "From what was read to what is studied")
    return listing if taken is None or "unit" not in attrition else _with_taken(listing, taken)


def _with_taken(listing: Listing, taken: pd.DataFrame) -> Listing:
    """Name the deals that each line counts, and those that remain after it."""
    off, remaining = taken.groupby(["step", "rule"])["deal_id"], taken["deal_id"]
    lists: dict[str, list[list[str]]] = {"deals": [], "remaining": []}
    for step, rule, unit in listing.frame[["step", "rule", "unit"]].itertuples(index=False, name=None):
        mine = off.get_group((step, rule)) if (step, rule) in off.groups else taken["deal_id"].iloc[:0]
        if step not in _TAKES:  # a total on the way
            mine = remaining
        elif unit == "deals":
            remaining = remaining[~remaining.isin(mine)]
        lists["deals"].append(mine.tolist() if unit == "deals" else [])
        lists["remaining"].append(remaining.tolist() if unit == "deals" else [])
    return with_deals(listing, **lists)
