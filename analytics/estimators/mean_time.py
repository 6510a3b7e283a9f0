"""Restricted mean time lost to each outcome, and mean time open, up to a horizon."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from analytics.estimators.aalen_johansen import Curve, Rows, curve_of
from analytics.estimators.counts import RiskTable
from analytics.estimators.intervals import Floats, probability_interval, z_value
from analytics.estimators.jackknife import changes_of, influence_integrated
from analytics.estimators.result import Estimate, Meta
from analytics.estimators.strata import (
    ONE_ACCOUNT,
    VARIANCE_WORDS,
    Variance,
    account_df,
    backing_of,
    choose_variance,
    eased_df,
    few_units_factor,
    stratum_name,
)
from analytics.records.errors import InputError

SAME = "the deals (or accounts) do not differ, so their variance says nothing"


def restricted_mean_time_lost(
    risk: RiskTable,
    *,
    horizon_days: float,
    conf_level: float = 0.95,
    variance: Variance | None = None,
    beyond_follow_up: Literal["leave_out", "carry"] = "leave_out",
) -> Estimate:
    """Of the first `horizon_days` days after opening, how many does a deal spend won, lost, undecided and still open?

    Parameters
    ----------
    risk : RiskTable
        Counted deals.
    horizon_days : float
        End of the window, in days after opening.
    conf_level : float
        Two-sided level; the share of the horizon is taken as normal on the logit scale (`probability_interval`), with
        quantiles of t where accounts are few (`account_df`).
    variance : {"greenwood", "infinitesimal_jackknife"}, optional
        As for `cumulative_incidence`.
    beyond_follow_up : {"leave_out", "carry"}
        A stratum whose last deal is open before the horizon is left out with a note; "carry" keeps its incidences as
        they are at the end of follow-up, which understates what is lost (R's `rmean` does this).

    Returns
    -------
    Estimate
        Kind mean, unit days; keys `(*risk.by, "outcome")`, where outcome "open" is the mean time in the open state. The
        rows of a stratum add up to `horizon_days`. `n_risk` counts all deals, `n_event` those with the outcome by then.

    Raises
    ------
    InputError
        A horizon that is not positive, and as for `cumulative_incidence`.

    Notes
    -----
    Integral of F_k from 0 to the horizon: Andersen (2013), Stat Med 32:5278; Conner & Trinquart (2021), Stat Med
    40:2177. Under delayed entry the days before anybody is watched count as open. Assumptions of
    `cumulative_incidence`. Where no deal has the outcome, the upper limit is the horizon times the limit of the
    incidence there.

    Examples
    --------
    >>> from analytics.estimators.counts import count_events
    >>> deals = pd.DataFrame({"entry": -1, "exit": [3, 9, 12], "outcome": ["won", "lost", "open"]})
    >>> frame = restricted_mean_time_lost(count_events(deals), horizon_days=12).frame
    >>> frame[["outcome", "estimate"]].round(6).to_dict("list")
    {'outcome': ['won', 'lost', 'no_decision', 'open'], 'estimate': [3.0, 1.0, 0.0, 8.0]}
    """
    if not (np.isfinite(horizon_days) and horizon_days > 0):
        raise InputError("horizon_days must be a positive number of days", value=horizon_days)
    z_value(conf_level)
    method = choose_variance(risk, variance)
    rows: list[dict[str, Any]] = []
    notes = [] if risk.n_deals else ["There are no deals."]
    for values, cells in risk.strata():
        curve = curve_of(cells, len(risk.outcomes))
        last = float(curve.time[-1])
        if last < horizon_days and curve.survival[-1] > 0:
            notes.append(f"{stratum_name(values)}: no deal is followed beyond day {last:g}.")
            if beyond_follow_up == "leave_out":
                continue
        rows += _stratum_rows(risk, values, cells, (curve, method, float(horizon_days), conf_level))
    meta = Meta(
        kind="mean", estimand=f"mean number of the first {horizon_days:g} days after opening spent with each outcome",
        keys=(*risk.by, "outcome"), n_deals=risk.n_deals, n_accounts=risk.n_accounts, conf_level=conf_level,
        interval="logit of the share of the horizon", variance=VARIANCE_WORDS[method], unit="days",
        cluster=risk.cluster if method == "clustered" else None, note=" ".join(notes),
    )  # fmt: skip
    columns = [*meta.keys, "estimate", "std_error", "conf_low", "conf_high", "n_risk", "n_event", "cum_event"]
    return Estimate(pd.DataFrame(rows, columns=[*columns, "no_interval_reason"]), meta)


def _stratum_rows(
    risk: RiskTable, values: dict[str, Any], cells: Rows, how: tuple[Curve, str, float, float]
) -> list[dict[str, Any]]:
    curve, method, horizon, conf_level = how
    cells = cells if method == "clustered" else cells.alone()
    lost = days_spent(curve, horizon) @ curve.incidence
    mean = np.append(lost, horizon - lost.sum())
    var = _greenwood_mean(curve, horizon) if method == "greenwood" else _jackknife_mean(cells, curve, horizon)
    count = curve.n_event[curve.time <= horizon].sum(axis=0)
    df = eased_df(account_df(cells), np.append(count, count.sum()))
    count = np.append(count, cells.n.sum() - count.sum()).astype(np.int64)
    limits = _limits(mean, var, horizon, (conf_level, backing_of(cells, curve).at(np.array([horizon])), df))
    return [
        {**values, "outcome": outcome, **{name: column[k] for name, column in limits.items()},
         "n_risk": int(cells.n.sum()), "n_event": int(count[k]), "cum_event": int(count[k])}
        for k, outcome in enumerate((*risk.outcomes, "open"))
    ]  # fmt: skip


def _limits(mean: Floats, variance: Floats, horizon: float, how: tuple[float, Floats, Floats]) -> dict[str, Any]:
    """Return estimates, standard errors and limits; the share of the horizon is treated as a probability is."""
    conf_level, n_eff, df = how
    mean = np.where(mean < 1e-12 * horizon, 0.0, np.where(mean > horizon * (1 - 1e-12), horizon, mean))
    inside = (mean > 0) & (mean < horizon)
    alone = inside & np.isnan(variance)
    std_error = np.sqrt(np.where(inside & ~(variance < 1e-22 * horizon**2), variance, 0.0))
    low, high = probability_interval(
        mean / horizon, np.where(alone, 0.0, std_error) / horizon, np.broadcast_to(n_eff, mean.shape),
        conf_level=conf_level, interval="logit", df=df,
    )  # fmt: skip
    reason = np.where(alone, ONE_ACCOUNT, np.where(np.isnan(low), SAME, ""))
    # an estimate at either end is its own limit, whatever the rounding of the division
    low, high = np.minimum(low * horizon, mean), np.maximum(high * horizon, mean)
    return {"estimate": mean, "std_error": np.where(alone, np.nan, std_error), "conf_low": low, "conf_high": high,
            "no_interval_reason": reason}  # fmt: skip


def days_spent(curve: Curve, horizon: float) -> Floats:
    """Return how many days, up to the horizon, the curve keeps the value of each of its times."""
    ends = np.minimum(np.append(curve.time[1:], np.inf), horizon)
    return np.asarray(np.maximum(ends - np.minimum(curve.time, horizon), 0.0), dtype=float)


def _jackknife_mean(rows: Rows, curve: Curve, horizon: float) -> Floats:
    changes = changes_of(curve, rows)
    influence = influence_integrated(changes, days_spent(curve, horizon))
    return np.asarray(changes.multiplicity @ influence**2 * few_units_factor(rows))


def _greenwood_mean(curve: Curve, horizon: float) -> Floats:
    """Greenwood-type variance of the integrals: the increments of `greenwood`, integrated before they are squared.

    sum over u of (S-^2/n) [D^2 l_k (1 - l_k) - 2 D Y l_k (1 - l) + Y^2 l (1 - l)], D = horizon - u and
    Y = integral from u to the horizon of (F_k(t) - F_k(u)) dt / S(u); for time open, Y = integral of S(t) / S(u).
    """
    step = days_spent(curve, horizon)
    lam, lam_any, n = curve.hazard, curve.hazard_any, np.maximum(curve.w_risk, 1e-300)
    left = np.cumsum(step[::-1])[::-1]
    going_on = curve.survival > 0  # nothing changes any more once nobody is open
    at_risk = np.where(going_on, curve.survival, 1.0)
    weight = curve.before**2 / n
    variance = []
    for k in range(lam.shape[1]):
        f = curve.incidence[:, k]
        later = np.cumsum((f * step)[::-1])[::-1] - f * left
        y = np.where(going_on, later / at_risk, 0.0)
        terms = left**2 * lam[:, k] * (1 - lam[:, k]) - 2 * left * y * lam[:, k] * (1 - lam_any)
        variance.append(float(weight @ (terms + y * y * lam_any * (1 - lam_any))))
    y = np.where(going_on, np.cumsum((curve.survival * step)[::-1])[::-1] / at_risk, 0.0)
    variance.append(float(weight @ (y * y * lam_any * (1 - lam_any))))
    return np.asarray(np.maximum(variance, 0.0), dtype=float)
