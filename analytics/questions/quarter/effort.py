"""Where open effort lies: past which age open deals were seldom won, and how much of the work is there."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.bootstrap import RESAMPLING, Resampling
from analytics.estimators.incidence import conditional_incidence
from analytics.estimators.rates import account_codes, clustered_proportion, clustered_ratio
from analytics.estimators.result import Estimate, Finding, Meta
from analytics.questions.quarter.incidence import nobody_at_risk
from analytics.questions.quarter.pace import (
    SMALLEST_CELL,
    at_risk_by_age,
    at_risk_in,
    counted,
    has_accounts,
    last_day,
    not_studied,
    reach,
)  # fmt: skip
from analytics.records.calendar import Quarter

LABELS = {
    "won_later": "of deals open at that age were later won, at this quarter's pace",
    "open_days_share": "of the quarter's open deal-days lie past it",
    "wins_share": "of the quarter's wins lie past it",
}


def open_effort(
    deals: pd.DataFrame, quarter: Quarter, *, settled_on: dt.date, horizon_days: int, one_in: int = 10,
    resampling: Resampling = RESAMPLING,
) -> Estimate | Finding:  # fmt: skip
    """Past which age were fewer than 1 in `one_in` open deals later won, and how much open effort lies there?

    Parameters
    ----------
    deals : pandas.DataFrame
        Deals frame, first episodes.
    quarter, settled_on, horizon_days
        As for `period_at_horizon`.
    one_in : int
        The floor, chosen by the reader: 10 means 1 in 10.
    resampling : Resampling
        For the share of open deal-days.

    Returns
    -------
    Estimate or Finding
        Kind probability, keys (measure,): `won_later` (of deals open at the age, won by the horizon at this quarter's
        pace), `open_days_share`, `wins_share`; `age_days`, `label`, `n_deals`, `one_in`, `note`. A Finding where there
        is no such age, which says so.

    Notes
    -----
    It describes; it is no estimate of what stopping would do: deals that survive to an age are not the deals that
    ended, and a deal worked differently may end differently.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": range(20), "opened_on": pd.Timestamp("2025-10-01"), "entry": -1,
    ...     "exit": [5] * 8 + [60] * 6 + [91] * 6, "outcome": ["won"] * 8 + ["lost"] * 6 + ["open"] * 6})
    >>> quarter = Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))
    >>> effort = open_effort(deals, quarter, settled_on=quarter.end, horizon_days=91)
    >>> effort.frame[["measure", "age_days", "n_deals"]].iloc[:1].values.tolist()
    [['won_later', 6, 12]]
    """
    watched = at_risk_in(deals, quarter, last_day(quarter, settled_on))
    if not len(watched):
        return nobody_at_risk("open_effort", quarter, settled_on)
    young = at_risk_in(deals, quarter, last_day(quarter, settled_on), horizon_days=horizon_days)
    if not len(young):
        headline = f"Every deal open in {quarter.name} was older than {horizon_days} days."
        return not_studied("open_effort", headline, "Choose a longer horizon.")
    horizon = reach(young, horizon_days)
    age = floor_age(young, horizon, 1 / one_in)
    if age is None:
        headline = f"At every age at which deals were open, at least 1 in {one_in} was later won."
        return Finding("open_effort", headline, f"At {quarter.name}'s pace, ages up to {horizon} days.", "described")
    frame = pd.DataFrame(_measures(watched, young, (age, horizon), resampling))
    frame = frame.assign(age_days=age, one_in=one_in, horizon_reached=horizon, label=frame["measure"].map(LABELS))
    accounts = account_codes(watched["account_id"])[1] if has_accounts(watched) else None
    meta = Meta(
        kind="probability", estimand="where open deal-days and wins lie by age (described)", keys=("measure",),
        n_deals=len(watched), n_accounts=accounts, interval="log-log; percentile; Wilson",
        variance="by account where known", cluster="account_id" if accounts else None,
    )  # fmt: skip
    return Estimate(frame, meta)


def floor_age(watched: pd.DataFrame, horizon: int, floor: float) -> int | None:
    """Give the age from which on the share later won stays below the floor while five deals were open; else None.

    Examples
    --------
    >>> deals = pd.DataFrame({"entry": -1, "exit": [2] * 6 + [8] * 6, "outcome": ["won"] * 6 + ["lost"] * 6})
    >>> floor_age(deals, 8, 0.1)
    3
    """
    at_risk, ended = at_risk_by_age(watched, horizon)
    won = watched.loc[(watched["outcome"] == "won") & (watched["exit"] <= horizon), "exit"].to_numpy(dtype=np.int64)
    wins = np.bincount(won, minlength=horizon + 1)
    risk = np.where(at_risk > 0, at_risk, 1)
    later = np.zeros(horizon + 2)
    for t in range(horizon, -1, -1):  # share won later of those open just before t, by backward recursion
        later[t] = wins[t] / risk[t] + (1 - ended[t] / risk[t]) * later[t + 1]
    judged = np.flatnonzero(at_risk >= SMALLEST_CELL)
    above = judged[later[judged] >= floor]
    first = 0 if not len(above) else int(above[-1]) + 1
    after = judged[judged >= first]
    return int(after[0]) if len(after) else None


def _measures(
    watched: pd.DataFrame, young: pd.DataFrame, ages: tuple[int, int], resampling: Resampling
) -> list[dict[str, Any]]:
    age, horizon = ages
    curve = conditional_incidence(counted(young), at_age=age, times=[horizon]).at(outcome="won").iloc[0]
    cluster = watched["account_id"] if has_accounts(watched) else None
    days = (watched["exit"] - watched["entry"]).to_numpy(dtype=float)
    past = (watched["exit"] - np.maximum(watched["entry"], age - 1)).clip(lower=0).to_numpy(dtype=float)
    effort = clustered_ratio(
        past, days, cluster=cluster, reps=resampling.reps, seed=resampling.seed, conf_level=resampling.conf_level
    )
    won = watched[watched["outcome"] == "won"]
    names = ("estimate", "std_error", "conf_low", "conf_high")
    still = int((young["exit"] >= age).sum())
    rows: list[dict[str, Any]] = [
        {
            "measure": "won_later", **{name: float(curve[name]) for name in names}, "n_deals": still, "n_risk": still,
            "n_event": int(curve["cum_event"]), "no_interval_reason": curve["no_interval_reason"], "note": "",
        },
        {
            "measure": "open_days_share", **effort._asdict(), "n_deals": len(watched), "n_risk": len(watched),
            "n_event": int((watched["exit"] >= age).sum()), "note": "",
            "no_interval_reason": "every deal lies on one side" if np.isnan(effort.conf_low) else "",
        },
    ]  # fmt: skip
    if len(won):
        late = (won["exit"] >= age).to_numpy()
        share = clustered_proportion(late, cluster=None if cluster is None else cluster[won.index])
        wins = {"measure": "wins_share", **share._asdict(), "n_deals": len(won), "n_risk": len(won)}
        rows.append({**wins, "n_event": int(late.sum()), "no_interval_reason": "", "note": ""})
    return rows
