"""The period view: what a Deals frame looks like to somebody who watched only between two days."""

from __future__ import annotations

import datetime as dt

import numpy as np
import numpy.typing as npt
import pandas as pd

_NEEDED = ("opened_on", "entry", "exit", "outcome")


def restrict_to_period(
    deals: pd.DataFrame, *, start: dt.date | None = None, end: dt.date | None = None
) -> pd.DataFrame:
    """Which deals were at risk between two days, and what happened to them in that time?

    Deals are left-truncated at `start` and censored at `end` (both days belong to the period), which is what period
    incidence needs; with `end` alone it is the cut at the settled date.

    Parameters
    ----------
    deals : pandas.DataFrame
        Deals frame: `opened_on` (date), `entry`, `exit` (days after opening), `outcome`, and any other columns.
    start, end : datetime.date, optional
        First and last day of the period; None leaves that side as it is.

    Returns
    -------
    pandas.DataFrame
        The deals that were at risk, same columns: `entry` no earlier than `(start - opened_on) - 1`; a deal that
        ended after `end` is open with `exit = end - opened_on` (its `closed_on` and `no_decision_kind` are emptied).
        Deals opened after `end`, or over before `start`, are gone: they are not part of the question.

    Notes
    -----
    Assumes that a deal's risk depends on its age and not on when it was opened, within the period; a price change
    in the middle of a quarter breaks that.

    Raises
    ------
    ValueError
        When a needed column is missing or `end` lies before `start`.

    Examples
    --------
    >>> deals = pd.DataFrame({"opened_on": pd.to_datetime(["2025-09-21", "2025-12-30"]), "entry": [-1, -1],
    ...                       "exit": [30, 5], "outcome": ["won", "lost"]})
    >>> restrict_to_period(deals, start=dt.date(2025, 10, 1), end=dt.date(2025, 12, 31))[["entry", "exit", "outcome"]]
       entry  exit outcome
    0      9    30     won
    1     -1     1    open
    """
    missing = [column for column in _NEEDED if column not in deals]
    if missing:
        raise ValueError(f"restrict_to_period needs the columns {', '.join(missing)}")
    if start is not None and end is not None and end < start:
        raise ValueError(f"the period ends ({end}) before it starts ({start})")
    opened = pd.to_datetime(deals["opened_on"])
    entry = deals["entry"].to_numpy(dtype="int64")
    exit_ = deals["exit"].to_numpy(dtype="int64")
    if start is not None:
        entry = np.maximum(entry, _days_between(opened, start) - 1)
    cut = np.zeros(len(deals), dtype=bool)
    if end is not None:
        last = _days_between(opened, end)
        cut = exit_ > last
        exit_ = np.minimum(exit_, last)
    result = deals.assign(entry=entry, exit=exit_)
    result["outcome"] = deals["outcome"].astype(object).where(~cut, "open")
    if "closed_on" in deals:
        result["closed_on"] = deals["closed_on"].mask(cut)
    if "no_decision_kind" in deals:
        result["no_decision_kind"] = deals["no_decision_kind"].astype(object).where(~cut, None)
    # exit < 0 is a deal opened after the period's end; exit <= entry one that was over before its start.
    return result.loc[(exit_ > entry) & (exit_ >= 0)].reset_index(drop=True)


def _days_between(opened: pd.Series[pd.Timestamp], day: dt.date) -> npt.NDArray[np.int64]:
    return np.asarray((pd.Timestamp(day) - opened).dt.days, dtype=np.int64)
