"""Past which age open deals were seldom won, and how much of the open effort, and of the wins, lies past it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.bootstrap import Resampling
from analytics.estimators.cell_deals import ids_of
from analytics.estimators.incidence import conditional_incidence
from analytics.estimators.rates import clustered_proportion, clustered_ratio
from analytics.estimators.watched import SMALLEST_CELL, at_risk_by_age, counted, has_accounts


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


def effort_past(
    watched: pd.DataFrame, young: pd.DataFrame, ages: tuple[int, int], resampling: Resampling
) -> list[dict[str, Any]]:
    """Give, past an age, the share of open deals later won, and the shares of open deal-days and of wins.

    Parameters
    ----------
    watched, young : pandas.DataFrame
        Deals as watched, and the same watched no further than the horizon (`within`).
    ages : (int, int)
        The age, and the horizon.
    resampling : Resampling
        For the share of open deal-days, which counts whole accounts where they are known.

    Returns
    -------
    list of dict
        One row each for `won_later`, `open_days_share` and, where a deal was won, `wins_share` (of the wins seen);
        `members` names the deals behind its counts (see `cell_deals.members_apart`).

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": range(12), "entry": -1, "exit": [2] * 6 + [8] * 6,
    ...                       "outcome": ["won"] * 6 + ["lost"] * 6})
    >>> rows = effort_past(deals, deals, (3, 8), Resampling(reps=50))
    >>> {row["measure"]: round(row["estimate"], 3) for row in rows}
    {'won_later': 0.0, 'open_days_share': 0.5, 'wins_share': 0.0}
    """
    age, horizon = ages
    curve = conditional_incidence(counted(young), at_age=age, times=[horizon]).at(outcome="won").iloc[0]
    past = (watched["exit"] - np.maximum(watched["entry"], age - 1)).clip(lower=0)
    names = ("estimate", "std_error", "conf_low", "conf_high")
    past_it = young[young["exit"] >= age]
    won_past = past_it[(past_it["outcome"] == "won") & (past_it["exit"] <= horizon)]
    later = {
        "measure": "won_later", **{name: float(curve[name]) for name in names}, **counts_of(past_it, won_past),
        "no_interval_reason": curve["no_interval_reason"], "note": "",
    }  # fmt: skip
    days = work_past(watched, past, watched["exit"] - watched["entry"], resampling)
    rows: list[dict[str, Any]] = [later, {"measure": "open_days_share", **days}]
    won = watched[watched["outcome"] == "won"]
    if len(won):
        late = (won["exit"] >= age).to_numpy()
        share = clustered_proportion(late, cluster=won["account_id"] if has_accounts(watched) else None)
        wins = {"measure": "wins_share", **share._asdict(), **counts_of(won, won[late])}
        rows.append({**wins, "no_interval_reason": "", "note": ""})
    return rows


def work_past(watched: pd.DataFrame, past: pd.Series, whole: pd.Series, resampling: Resampling) -> dict[str, Any]:
    """Give the share of some work (open days, touches) that lies past an age, with limits by whole accounts.

    Parameters
    ----------
    watched : pandas.DataFrame
        Deals; `account_id` where known.
    past, whole : pandas.Series
        Work on each deal past the age, and all of it.
    resampling : Resampling

    Returns
    -------
    dict
        estimate, std_error, conf_low, conf_high, no_interval_reason, n_deals, n_risk (all deals), n_event (deals with
        work past the age), their `members`, note.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": range(4)})
    >>> work_past(deals, pd.Series([0, 0, 2, 1]), pd.Series([3, 1, 4, 2]), Resampling(reps=50))["estimate"]
    0.3
    """
    cluster = watched["account_id"] if has_accounts(watched) else None
    share = clustered_ratio(
        past.to_numpy(dtype=float), whole.to_numpy(dtype=float), cluster=cluster, reps=resampling.reps,
        seed=resampling.seed, conf_level=resampling.conf_level,
    )  # fmt: skip
    return {
        **share._asdict(), **counts_of(watched, watched[(past > 0).to_numpy()]),
        "note": "", "no_interval_reason": "every deal lies on one side" if np.isnan(share.conf_low) else "",
    }  # fmt: skip


def counts_of(deals: pd.DataFrame, had: pd.DataFrame) -> dict[str, Any]:
    """Count deals, and those of them that are looked for, as columns of a row with the `members` behind them.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": ["A", "B"]})
    >>> counts_of(deals, deals[:1])["members"]
    {'n_deals': ['A', 'B'], 'n_risk': ['A', 'B'], 'n_event': ['A']}
    """
    members = {"n_deals": ids_of(deals), "n_risk": ids_of(deals), "n_event": ids_of(had)}
    return {"n_deals": len(deals), "n_risk": len(deals), "n_event": len(had), "members": members}
