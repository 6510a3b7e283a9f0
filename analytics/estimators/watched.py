"""The quarter's deals: who was at risk in it, up to which day its outcomes are settled, how far its pace is known."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import pandas as pd

from analytics.estimators.counts import RiskTable, count_events
from analytics.estimators.decomposition import level_of
from analytics.estimators.rates import known_accounts
from analytics.estimators.result import Finding
from analytics.records.calendar import Quarter
from analytics.records.errors import InputError, nearest
from analytics.records.period import restrict_to_period

SMALLEST_CELL = 5
OUTCOMES = ("won", "lost", "no_decision")


def last_day(quarter: Quarter, settled_on: dt.date) -> dt.date | None:
    """Give the last day of the quarter whose outcomes are settled; None where not even its first day is.

    Examples
    --------
    >>> quarter = Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))
    >>> last_day(quarter, dt.date(2025, 12, 20)), last_day(quarter, dt.date(2025, 9, 1))
    (datetime.date(2025, 12, 20), None)
    """
    return min(quarter.end, settled_on) if settled_on >= quarter.start else None


def last_day_of(other: Quarter, quarter: Quarter, settled_on: dt.date) -> dt.date | None:
    """Give the day that is as long before the end of an earlier quarter as `last_day` is before this one's.

    Examples
    --------
    >>> now = Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))
    >>> last_day_of(Quarter("2025Q3", dt.date(2025, 7, 1), dt.date(2025, 9, 30)), now, dt.date(2025, 12, 20))
    datetime.date(2025, 9, 19)
    """
    end = last_day(quarter, settled_on)
    return None if end is None else max(other.start, other.end - (quarter.end - end))


def at_risk_in(
    deals: pd.DataFrame, quarter: Quarter, end: dt.date | None, *, horizon_days: int | None = None
) -> pd.DataFrame:
    """Give the deals that were open at some time from the quarter's start to `end`, watched only in that time.

    Parameters
    ----------
    deals : pandas.DataFrame
        Deals frame (first episodes).
    quarter : Quarter
        The quarter; deals are left-truncated at its start.
    end : datetime.date or None
        Last day watched; None gives an empty frame.
    horizon_days : int, optional
        Watch no deal beyond this age: deals that were older all the time say nothing about the shares by then.

    Returns
    -------
    pandas.DataFrame
        The same columns, `entry`, `exit` and `outcome` as watched, and `opened_in_period`.

    Examples
    --------
    >>> quarter = Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))
    >>> deals = pd.DataFrame({"opened_on": pd.to_datetime(["2025-09-21", "2025-10-05"]), "entry": [-1, -1],
    ...                       "exit": [30, 5], "outcome": ["won", "lost"]})
    >>> at_risk_in(deals, quarter, quarter.end)[["entry", "exit", "opened_in_period"]].values.tolist()
    [[9, 30, False], [-1, 5, True]]
    """
    if end is None:
        return deals.iloc[:0].assign(opened_in_period=pd.Series(dtype=bool))
    watched = restrict_to_period(deals, start=quarter.start, end=end)
    if horizon_days is not None:
        watched = within(watched, horizon_days)
    return watched.assign(opened_in_period=pd.to_datetime(watched["opened_on"]) >= pd.Timestamp(quarter.start))


def within(watched: pd.DataFrame, age: int) -> pd.DataFrame:
    """Give the deals that were watched at some age up to `age`, watched no further.

    Examples
    --------
    >>> deals = pd.DataFrame({"entry": [-1, 9], "exit": [12, 20], "outcome": ["won", "lost"]})
    >>> within(deals, 5).values.tolist()
    [[-1, 5, 'open']]
    """
    young = watched[watched["entry"] < age].reset_index(drop=True)
    outcome = young["outcome"].astype(object).mask(young["exit"] > age, "open")
    return young.assign(outcome=outcome, exit=young["exit"].clip(upper=age))


def late_start(watched: pd.DataFrame) -> str:
    """Say from which age on the pace is known where nobody was younger; empty where somebody was."""
    first = int(watched["entry"].min()) + 1
    if first <= 0:
        return ""
    return f"No deal was younger than {first} days: shares are of deals that reached that age."


def has_accounts(deals: pd.DataFrame) -> bool:
    """Say whether any account is known, so that intervals can be clustered by account."""
    return "account_id" in deals and bool(deals["account_id"].notna().any())


def accounts_of(deals: pd.DataFrame) -> int | None:
    """Count the accounts that are known; None where none is.

    Examples
    --------
    >>> accounts_of(pd.DataFrame({"account_id": ["a", "a", None]})), accounts_of(pd.DataFrame({"account_id": [None]}))
    (1, None)
    """
    return known_accounts(deals["account_id"]) if has_accounts(deals) else None


def without_account(deals: pd.DataFrame) -> str:
    """Say how many deals have no account where others have one; empty where all have, or none has.

    Examples
    --------
    >>> without_account(pd.DataFrame({"account_id": ["a", "a", None]}))
    '1 deal has no account on record and stands for itself.'
    """
    blank = int(deals["account_id"].isna().sum()) if has_accounts(deals) else 0
    if not blank:
        return ""
    return f"{blank:,} deals have no account on record and stand for themselves." if blank > 1 else (
        "1 deal has no account on record and stands for itself."
    )  # fmt: skip


def counted(deals: pd.DataFrame, by: Sequence[str] = ()) -> RiskTable:
    """Count deals into cells: by account where accounts are known, unknown outcomes as an outcome of their own."""
    for column in by:
        if column not in deals.columns:
            raise InputError(f"the deals have no segment {column!r}", action=nearest(column, deals.columns))
    named = deals.assign(**{column: level_of(deals, column) for column in by})
    cluster = "account_id" if has_accounts(deals) else None
    return count_events(named, by=tuple(by), cluster=cluster, unknown="bounds")


def at_risk_by_age(deals: pd.DataFrame, horizon_days: int) -> tuple[np.ndarray, np.ndarray]:
    """Count the deals at risk, and those that ended, at each age 0, 1, …, horizon_days.

    Examples
    --------
    >>> deals = pd.DataFrame({"entry": [-1, 1], "exit": [2, 3], "outcome": ["won", "open"]})
    >>> [counts.tolist() for counts in at_risk_by_age(deals, 4)]
    [[1, 1, 2, 1, 0], [0, 0, 1, 0, 0]]
    """
    size = horizon_days + 2
    entry = np.clip(deals["entry"].to_numpy(dtype=np.int64) + 1, 0, size - 1)
    exit_ = np.clip(deals["exit"].to_numpy(dtype=np.int64) + 1, 0, size - 1)
    at_risk = np.cumsum(np.bincount(entry, minlength=size) - np.bincount(exit_, minlength=size))
    ended = deals.loc[(deals["outcome"] != "open") & (deals["exit"] <= horizon_days), "exit"].to_numpy(dtype=np.int64)
    return at_risk[: horizon_days + 1], np.bincount(ended, minlength=size)[: horizon_days + 1]


def first_gap(deals: pd.DataFrame, horizon_days: int) -> int | None:
    """Give the first age at which nobody was at risk though somebody was before; None if there is none, or all ended.

    A curve has nothing to say from there on: an age at which nobody was watched is no age at which nothing happens.

    Examples
    --------
    >>> first_gap(pd.DataFrame({"entry": [-1, 9], "exit": [5, 20], "outcome": ["open", "lost"]}), 30)
    6
    """
    at_risk, ended = at_risk_by_age(deals, horizon_days)
    start = int(np.argmax(at_risk > 0))
    empty = start + np.flatnonzero(at_risk[start:] == 0)
    if not len(empty):
        return None
    everybody_ended = bool((ended == at_risk)[start : int(empty[0])].any())
    return None if everybody_ended else int(empty[0])


def reach(deals: pd.DataFrame, horizon_days: int, *, smallest: int = SMALLEST_CELL) -> int:
    """Give the age up to which the pace is known: the horizon where each age had deals, or nobody is left open.

    Otherwise the last age before the first gap at which at least `smallest` deals were at risk (or, in very small
    quarters, any).

    Examples
    --------
    >>> deals = pd.DataFrame({"entry": -1, "exit": [2, 3, 9, 9, 9, 9, 9, 12], "outcome": ["won"] * 7 + ["open"]})
    >>> reach(deals, 12), reach(deals, 30)
    (12, 9)
    """
    gap = first_gap(deals, horizon_days)
    if gap is None:
        return horizon_days
    at_risk = at_risk_by_age(deals, horizon_days)[0][:gap]
    enough = np.flatnonzero(at_risk >= smallest)
    return int((enough if len(enough) else np.flatnonzero(at_risk > 0))[-1])


def thin_start(deals: pd.DataFrame, horizon_days: int, *, smallest: int = SMALLEST_CELL) -> bool:
    """Say whether an outcome counts at an age that too few deals were young enough to be watched at.

    Everything later is multiplied by what happened there, so one deal can decide the whole pace.

    Examples
    --------
    >>> thin_start(pd.DataFrame({"entry": [-1] + [9] * 9, "exit": [3] + [20] * 9, "outcome": "won"}), 30)
    True
    """
    at_risk, ended = at_risk_by_age(deals, horizon_days)
    enough = np.flatnonzero(at_risk >= smallest)
    young = slice(0, int(enough[0]) if len(enough) else None)
    return bool((ended[young] > 0).any())


def thin_ages(deals: pd.DataFrame, horizon_days: int, *, smallest: int = SMALLEST_CELL) -> str:
    """Say which part of the pace rests on very few deals, as a sentence; empty where none does.

    Examples
    --------
    >>> thin_ages(pd.DataFrame({"entry": -1, "exit": [2] * 6 + [9], "outcome": "won"}), 30)
    'The pace at age 9 days rests on fewer than 5 deals.'
    """
    at_risk, ended = at_risk_by_age(deals, horizon_days)
    thin = np.flatnonzero((ended > 0) & (at_risk < smallest))
    if not len(thin):
        return ""
    ages = f"at age {thin[0]} days" if len(thin) == 1 else f"at some ages between {thin[0]} and {thin[-1]} days"
    return f"The pace {ages} rests on fewer than {smallest} deals."


def not_studied(name: str, headline: str, detail: str = "") -> Finding:
    """Say in one sentence that there is nothing to study, and what would make it possible."""
    return Finding(name, headline, detail, "not studied")
