"""How long deals take, those still open counted: by when shares of them have ended, days spent open, age at the end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from analytics.estimators.cell_deals import ids_of, with_deals, with_members, with_watched
from analytics.estimators.mean_age import mean_age_at_outcome
from analytics.estimators.mean_time import restricted_mean_time_lost
from analytics.estimators.quantiles import time_to_incidence
from analytics.estimators.result import Estimate, Finding, Meta
from analytics.estimators.watched import counted
from analytics.questions.time_to_outcome.followed import Followed, followed

SHARES = (0.1, 0.25, 0.5)
ANY = "any of them"


def times_to_outcome(
    deals: pd.DataFrame, *, settled_on: dt.date, horizon_days: int, shares: Sequence[float] = SHARES
) -> Estimate | Finding:
    """By which age have a tenth, a quarter, half of all deals been won, lost, ended in no decision, ended at all?

    Parameters
    ----------
    deals, settled_on, horizon_days
        As for `incidence`.
    shares : sequence of float
        Shares of all deals.

    Returns
    -------
    Estimate or Finding
        Kind mean, unit days, keys (outcome, share); outcome "any of them": the age by which so many have ended. Empty
        where the share is not reached by the horizon, with what is reached in `share_reached`; `n_event` ended so
        by that age.

    Notes
    -----
    Of all deals, not of those that ended: half of all deals is never won where fewer than half are.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": range(4), "opened_on": pd.Timestamp("2025-10-01"), "entry": -1,
    ...                       "exit": [3, 5, 9, 12], "outcome": ["won", "lost", "won", "open"]})
    >>> found = times_to_outcome(deals, settled_on=dt.date(2026, 1, 31), horizon_days=12, shares=[0.5])
    >>> found.frame[["outcome", "estimate"]].values.tolist()[-1]
    ['any of them', 5.0]
    """
    given = followed("times_to_outcome", deals, settled_on=settled_on, horizon_days=horizon_days)
    if isinstance(given, Finding):
        return given
    found = time_to_incidence(counted(given.young), shares=shares)
    ended = given.young["outcome"].where(given.young["outcome"] == "open", "won")
    whole = time_to_incidence(counted(given.young.assign(outcome=ended)), shares=shares).at(outcome="won")
    frame = pd.concat([found.frame, whole.assign(outcome=ANY)], ignore_index=True)
    frame = frame[frame["outcome"].isin([*given.outcomes, ANY])]
    note = f"{found.meta.note} {given.note}".strip()
    frame = frame.rename(columns={"reached_share": "share_reached"}).drop(columns=["followed_to"])
    frame = frame.assign(n_event=frame["cum_event"])  # events of one day would be few
    times = Estimate(frame, replace(found.meta, n_accounts=given.n_accounts, note=note))
    return with_members(times, lambda row: _members(given, row))


def _members(given: Followed, row: dict[str, Any]) -> dict[str, list[object]]:
    """Name the deals that had ended so by the age by which a share has, or by the last where it is not reached."""
    age, ended = given.age if pd.isna(row["estimate"]) else row["estimate"], given.young["outcome"]
    so = ended != "open" if row["outcome"] == ANY else ended == row["outcome"]
    by_then = ids_of(given.young[so & (given.young["exit"] <= age)])
    still = (given.young["entry"] < age) & (given.young["exit"] >= age)
    return {"n_event": by_then, "cum_event": by_then, "n_risk": ids_of(given.young[still])}


def days_by_outcome(deals: pd.DataFrame, *, settled_on: dt.date, horizon_days: int) -> Estimate | Finding:
    """Of the first days up to the horizon, how many does a deal spend open, and how many after being won or lost?

    Parameters
    ----------
    deals, settled_on, horizon_days
        As for `incidence`.

    Returns
    -------
    Estimate or Finding
        Kind mean, unit days, keys (outcome,), "open" last; the rows add up to the horizon, or to the age reached.

    Notes
    -----
    Restricted mean time lost to each outcome: many days lost to losing mean that deals are lost often, or early; see
    `restricted_mean_time_lost`.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": range(3), "opened_on": pd.Timestamp("2025-10-01"), "entry": -1,
    ...                       "exit": [3, 9, 12], "outcome": ["won", "lost", "open"]})
    >>> found = days_by_outcome(deals, settled_on=dt.date(2026, 1, 31), horizon_days=12)
    >>> found.frame["estimate"].round(6).tolist()
    [3.0, 1.0, 8.0]
    """
    given = followed("days_by_outcome", deals, settled_on=settled_on, horizon_days=horizon_days)
    if isinstance(given, Finding):
        return given
    found = restricted_mean_time_lost(counted(given.young), horizon_days=given.age)
    frame = found.frame[found.frame["outcome"].isin([*given.outcomes, "open"])]
    return _with_ended(given, frame, found.meta)


def mean_age(deals: pd.DataFrame, *, settled_on: dt.date, horizon_days: int) -> Estimate | Finding:
    """How many days after opening are deals won, lost, given up, on average, if they are by the horizon?

    Parameters
    ----------
    deals, settled_on, horizon_days
        As for `incidence`.

    Returns
    -------
    Estimate or Finding
        Kind mean, unit days, keys (outcome,); see `mean_age_at_outcome`.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": range(4), "opened_on": pd.Timestamp("2025-10-01"), "entry": -1,
    ...                       "exit": [3, 9, 5, 12], "outcome": ["won", "won", "open", "lost"]})
    >>> found = mean_age(deals, settled_on=dt.date(2026, 1, 31), horizon_days=12)
    >>> found.at(outcome="won")["estimate"].round(3).tolist()
    [6.6]
    """
    given = followed("mean_age", deals, settled_on=settled_on, horizon_days=horizon_days)
    if isinstance(given, Finding):
        return given
    found = mean_age_at_outcome(counted(given.young), horizon_days=given.age)
    frame = found.frame[found.frame["outcome"].isin(given.outcomes)]
    return _with_ended(given, frame, found.meta)


def _with_ended(given: Followed, frame: pd.DataFrame, meta: Meta) -> Estimate:
    """Give means over all deals, with those of them that ended so by the last age."""
    note = f"{meta.note} {given.note}".strip()
    found = Estimate(frame, replace(meta, n_accounts=given.n_accounts, note=note))
    found = with_watched(found, given.young, age=given.age, only=("n_event", "cum_event"))
    return with_deals(found, n_risk=[ids_of(given.young)] * len(frame))
