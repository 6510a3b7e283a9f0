"""How old deals are when they are won (lost, undecided), open deals counted: mean age at each outcome by a horizon."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.counts import RiskTable
from analytics.estimators.influence import Influence, influence
from analytics.estimators.intervals import Floats, probability_interval
from analytics.estimators.mean_time_contrasts import mean_time_influence
from analytics.estimators.result import Estimate, Meta
from analytics.estimators.strata import few_units_factor

NOBODY = "no deal has this outcome by the horizon"
SINGLE = "a single deal (or account) with this outcome tells nothing of how ages differ"
ALIKE = "the deals (or accounts) do not differ, so their variance says nothing"


def mean_age_at_outcome(risk: RiskTable, *, horizon_days: float, conf_level: float = 0.95) -> Estimate:
    """How many days after opening does a deal reach each outcome, on average, if it does so by the horizon?

    Parameters
    ----------
    risk : RiskTable
        Counted deals, with `cluster=` where they belong to accounts.
    horizon_days : float
        Last day after opening that counts.
    conf_level : float
        Two-sided level; the age as a share of the horizon is taken as normal on the logit scale, with quantiles of t by
        one less than the deals (or accounts) with the outcome, or by what accounts are worth where that is less.

    Returns
    -------
    Estimate
        Kind mean, unit days; keys `(*risk.by, "outcome")`. `estimate` is missing, with its reason, where no deal has
        the outcome by the horizon. `n_risk` counts all deals, `n_event` those with the outcome by then.

    Raises
    ------
    InputError
        A horizon that is not positive, and as for `cumulative_incidence`.

    Notes
    -----
    H - L_k(H) / F_k(H), L_k being the mean time lost to the outcome (Andersen 2013, Stat Med 32:5278): the mean of the
    age at the outcome under the distribution F_k(t) / F_k(H). The mean over the deals that happened to close counts too
    few slow ones, because those are still open. Standard error by the delta method from the joint influence of
    accounts on L_k and F_k, times sqrt(n / (n - 1)) for n deals (or accounts) with the outcome: with complete follow-up
    that of the mean of their ages. An age and its error are low together where slow deals are still open, so that
    limits evenly around it hold too little. Assumptions of `cumulative_incidence`. A stratum not followed to the
    horizon has no rows.

    Examples
    --------
    >>> from analytics.estimators.counts import count_events
    >>> deals = pd.DataFrame({"entry": -1, "exit": [3, 9, 5, 12], "outcome": ["won", "won", "open", "lost"]})
    >>> ages = mean_age_at_outcome(count_events(deals), horizon_days=12)
    >>> ages.at(outcome="won")["estimate"].round(3).tolist()
    [6.6]
    """
    return mean_age_influence(risk, horizon_days=horizon_days, conf_level=conf_level).estimate


def mean_age_influence(risk: RiskTable, *, horizon_days: float, conf_level: float = 0.95) -> Influence:
    """How much does each account move the mean age at each outcome, over all strata at once?

    Parameters
    ----------
    risk, horizon_days, conf_level
        As for `mean_age_at_outcome`.

    Returns
    -------
    Influence
        Its estimate is that of `mean_age_at_outcome`, and values are missing where that is; for `mean_time_contrast` of
        two strata that share accounts.

    Examples
    --------
    >>> from analytics.estimators.counts import count_events
    >>> deals = pd.DataFrame({"entry": -1, "exit": [3, 9, 5, 12], "outcome": ["won", "won", "open", "lost"]})
    >>> mean_age_influence(count_events(deals), horizon_days=12).values.shape
    (4, 3)
    """
    lost = mean_time_influence(risk, horizon_days=horizon_days, conf_level=conf_level)
    share = influence(risk, times=[horizon_days], conf_level=conf_level)
    keys = [*risk.by, "outcome"]
    left = lost.estimate.frame.assign(_lost=np.arange(len(lost.estimate.frame)))
    right = share.estimate.frame[[*keys, "estimate"]].assign(_share=np.arange(len(share.estimate.frame)))
    both = left.merge(right, on=keys, suffixes=("", "_share"))
    f, days = both["estimate_share"].to_numpy(dtype=float), both["estimate"].to_numpy(dtype=float)
    some = f > 0
    base = np.where(some, f, 1.0)
    moved = -lost.values[:, both["_lost"]] / base + share.values[:, both["_share"]] * (days / base**2)
    units, carried = _units(risk, both, horizon_days)
    # the factor of all accounts gives way to that of the deals or accounts whose ages are averaged
    moved = np.where(units == 1, np.nan, moved * np.sqrt(units / np.maximum(units - 1, 0.5) / carried))
    df = np.minimum(np.inf if lost.df is None else lost.df[both["_lost"].to_numpy()], np.maximum(units - 1, 1))
    error = np.sqrt((moved**2).sum(axis=0))
    frame = both[keys].assign(
        **_limits(horizon_days - days / base, error, some, (horizon_days, conf_level, df)),
        n_risk=both["n_risk"], n_event=both["n_event"], cum_event=both["cum_event"],
    )  # fmt: skip
    meta = Meta(
        kind="mean", estimand=f"mean age at each outcome, of deals that reach it within {horizon_days:g} days",
        keys=(*risk.by, "outcome"), n_deals=risk.n_deals, n_accounts=risk.n_accounts, conf_level=conf_level,
        interval="logit of the share of the horizon", variance=f"delta method, {share.estimate.meta.variance}",
        unit="days", cluster=risk.cluster, note=lost.estimate.meta.note,
    )  # fmt: skip
    return Influence(Estimate(frame, meta), lost.units, np.where(some, moved, np.nan), df)


def _units(risk: RiskTable, both: pd.DataFrame, horizon: float) -> tuple[Floats, Floats]:
    """Return how many deals (or accounts) had each row's outcome by the horizon, and the factor C/(C-1) it carries."""
    found = {}
    for values, rows in risk.strata():
        for k, outcome in enumerate(risk.outcomes):
            mine = (rows.cause == k) & (rows.leave <= horizon)
            units = rows.n[mine].sum() if rows.account is None else len(np.unique(rows.account[mine]))
            found[(*values.values(), outcome)] = (float(units), few_units_factor(rows))
    keys = both[[*risk.by, "outcome"]].itertuples(index=False, name=None)
    units, carried = np.array([found[key] for key in keys], dtype=float).reshape(-1, 2).T
    return units, carried


def _limits(age: Floats, error: Floats, some: Any, how: tuple[float, float, Floats]) -> dict[str, Any]:
    horizon, conf_level, df = how
    sure = some & np.isfinite(error) & (error > 1e-9)
    share = np.where(sure, age / horizon, 0.5)
    spread = np.where(sure, error / horizon, 0.1)
    low, high = probability_interval(share, spread, np.ones(len(age)), conf_level=conf_level, interval="logit", df=df)
    why = np.where(some, np.where(np.isnan(error), SINGLE, ALIKE), NOBODY)
    return {
        "estimate": np.where(some, age, np.nan), "std_error": np.where(sure, error, np.nan),
        "conf_low": np.where(sure, low * horizon, np.nan), "conf_high": np.where(sure, high * horizon, np.nan),
        "no_interval_reason": np.where(sure, "", why),
    }  # fmt: skip
