"""The cumulative hazard of each outcome (Nelson-Aalen): the pace among deals still open, added up over days."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.estimators.aalen_johansen import Curve, Rows, curve_of
from analytics.estimators.counts import RiskTable
from analytics.estimators.incidence import NO_DIFFERENCE, Times
from analytics.estimators.intervals import t_value, z_value
from analytics.estimators.jackknife import Changes, jackknife_variance
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
    unseen_share,
    unseen_weight,
)
from analytics.records.errors import InputError

Floats = npt.NDArray[np.float64]


def cumulative_hazard(
    risk: RiskTable, *, conf_level: float = 0.95, variance: Variance | None = None, times: Times = None
) -> Estimate:
    """How many times, on average, would a deal that is put back at risk have had each outcome by each age?

    Parameters
    ----------
    risk : RiskTable
        Counted deals.
    conf_level : float
    variance : {"greenwood", "infinitesimal_jackknife"}, optional
        As for `cumulative_incidence`; "greenwood" is the binomial sum of d (n - d) / n^3.
    times : sequence of float, optional
        Days after opening; by default every day on which a deal left. Days beyond follow-up have no row.

    Returns
    -------
    Estimate
        Kind mean; keys `(*risk.by, "outcome", "time")`. It has no bound at 1; limits are on the log scale, with t
        quantiles where accounts are few and one more heavy deal allowed for where weights differ.

    Raises
    ------
    InputError
        As for `cumulative_incidence`.

    Notes
    -----
    Sum of d_k / n (Nelson 1969; Aalen 1978, Ann Stat 6:701). Its slope is the pace of an outcome among deals still
    open, which is what `logrank_test` and `cause_specific_cox` compare; it is no share of deals. It assumes that deals
    are censored, and enter late, for reasons unrelated to how they go on. Jackknife: a deal adds
    1{outcome at x <= t} / n(x) minus the sum of d_k / n^2 over the days it was at risk up to t.

    Examples
    --------
    >>> from analytics.estimators.counts import count_events
    >>> deals = pd.DataFrame({"entry": -1, "exit": [3, 9, 9, 12], "outcome": ["won", "lost", "open", "won"]})
    >>> cumulative_hazard(count_events(deals)).at(outcome="won")["estimate"].tolist()
    [0.25, 0.25, 1.25]
    """
    method = choose_variance(risk, variance)
    z_value(conf_level)
    asked = None if times is None else np.unique(np.asarray(times, dtype=float))
    if asked is not None and len(asked) and not (np.isfinite(asked).all() and asked[0] >= 0):
        raise InputError("times must be zero or more days after opening", value=asked[:3].tolist())
    parts, notes = [], [] if risk.n_deals else ["There are no deals."]
    for values, cells in risk.strata():
        rows = cells if method == "clustered" else cells.alone()
        curve = curve_of(rows, len(risk.outcomes))
        grid = np.asarray(curve.time, dtype=float) if asked is None else asked[asked <= curve.time[-1]]
        if asked is not None and len(grid) < len(asked):
            notes.append(f"{stratum_name(values)}: no deal is followed beyond day {curve.time[-1]:g}.")
        total = np.cumsum(curve.hazard, axis=0)
        spread = _binomial(curve) if method == "greenwood" else _jackknife(curve, rows)
        place = np.searchsorted(curve.time, grid, side="right")
        n_eff = backing_of(rows, curve).at(grid)
        # what one more heavy deal would add
        more = _step(unseen_weight(rows) / np.maximum(curve.w_risk, 1e-300), place)
        for k, outcome in enumerate(risk.outcomes):
            known = {"outcome": outcome, "time": grid, **_counts(curve, k, place, grid)}
            how = known["cum_event"], n_eff, unseen_share(1.0, known["cum_event"]) * more, conf_level
            shown = _limits(_step(total[:, k], place), _step(spread[:, k], place), how, rows)
            parts.append(pd.DataFrame({**values, **known, **shown}))
    keys = (*risk.by, "outcome", "time")
    names = [*keys, "estimate", "std_error", "conf_low", "conf_high", "n_risk", "n_event", "cum_event"]
    meta = Meta(
        kind="mean", estimand="cumulative cause-specific hazard (Nelson-Aalen)", keys=keys, n_deals=risk.n_deals,
        n_accounts=risk.n_accounts, conf_level=conf_level, interval="log", variance=VARIANCE_WORDS[method],
        cluster=risk.cluster if method == "clustered" else None, unit="outcomes per deal at risk", note=" ".join(notes),
    )  # fmt: skip
    names.append("no_interval_reason")
    frame = pd.concat(parts, ignore_index=True)[names] if parts else pd.DataFrame(columns=names, dtype=float)
    return Estimate(frame, meta)


def _step(values: Floats, place: Any) -> Floats:
    return np.asarray(np.concatenate(([0.0], values))[place])


def _counts(curve: Curve, k: int, place: Any, grid: Floats) -> dict[str, Any]:
    at = np.maximum(place - 1, 0)
    on_day = (place > 0) & (curve.time[at] == grid)
    n_risk = curve.n_risk[np.minimum(np.where(on_day, at, place), len(curve.time) - 1)]
    return {
        "n_risk": n_risk, "n_event": np.where(on_day, curve.n_event[at, k], 0),
        "cum_event": np.concatenate(([0], np.cumsum(curve.n_event[:, k])))[place],
    }  # fmt: skip


def _binomial(curve: Curve) -> Floats:
    hazard = curve.hazard
    return np.asarray(np.cumsum(hazard * (1 - hazard) / np.maximum(curve.w_risk, 1e-300)[:, None], axis=0))


def _jackknife(curve: Curve, rows: Rows) -> Floats:
    """Variance from influences of the form P - R g(t), with g the sum of d_k / n^2, as `changes_of` has them."""
    n = np.where(curve.w_risk > 0, curve.w_risk, 1.0)
    hazard = np.column_stack([curve.hazard, curve.hazard.sum(axis=1)])
    g = np.cumsum(hazard / n[:, None], axis=0)
    before = np.vstack([np.zeros(g.shape[1]), g])
    first, last, cause = curve.first, curve.last, curve.cause
    p_in, p_out = before[first], before[first] - before[last + 1]
    ended = np.flatnonzero(cause >= 0)
    p_out[ended, cause[ended]] += 1 / n[last[ended]]
    p_out[ended, -1] += 1 / n[last[ended]]
    if rows.account is None:
        unit, scale, multiplicity = np.arange(len(rows.w)), np.ones(len(rows.w)), rows.w2.astype(float)
    else:
        unit, scale, multiplicity = rows.account, rows.w.astype(float), np.ones(rows.accounts)
    changes = Changes(
        np.concatenate([unit, unit]), np.concatenate([first, last]),
        np.concatenate([p_in * scale[:, None], (p_out - p_in) * scale[:, None]]), np.zeros(2 * len(scale)),
        np.concatenate([scale, -scale]), np.zeros_like(g), g, multiplicity,
    )  # fmt: skip
    return np.asarray(jackknife_variance(changes) * few_units_factor(rows))


def _limits(value: Floats, variance: Floats, how: tuple[Floats, Floats, Floats, float], rows: Rows) -> dict[str, Any]:
    events, n_eff, more, conf_level = how
    z = t_value(conf_level, eased_df(account_df(rows), events))
    error = np.sqrt(np.where(value > 0, variance, 0.0))
    there = (value > 0) & (error > 1e-12 * value)
    reach = np.minimum(z * error / np.where(there, value, 1.0), 50.0)
    low, high = value * np.exp(-reach), value * np.exp(reach)
    widest = np.minimum(z * np.hypot(error, more) / np.maximum(value + more, 1e-300), 50.0)
    high = np.where(more > 0, np.maximum(high, (value + more) * np.exp(widest)), high)
    edge = -np.log((1 - conf_level) / 2) / np.maximum(n_eff, 1e-12)
    alone = rows.accounts == 1
    low = np.where(value <= 0, 0.0, np.where(there, low, np.nan))
    high = np.where(value <= 0, edge, np.where(there, high, np.nan))
    reason = np.where(np.isnan(low), ONE_ACCOUNT if alone else NO_DIFFERENCE, "")
    return {"estimate": value, "std_error": np.where(np.isnan(low), np.nan, error), "conf_low": low, "conf_high": high,
            "no_interval_reason": reason}  # fmt: skip
