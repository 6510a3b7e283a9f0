"""How many more days are lost to an outcome in one stratum than in another: differences and ratios of mean time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.aalen_johansen import curve_of
from analytics.estimators.counts import RiskTable
from analytics.estimators.influence import Influence
from analytics.estimators.intervals import Floats, mover_reach, reach_as_error, t_value
from analytics.estimators.jackknife import changes_of, influence_integrated
from analytics.estimators.mean_time import days_spent, restricted_mean_time_lost
from analytics.estimators.result import Estimate, Meta
from analytics.estimators.strata import account_df, eased_df, few_units_factor
from analytics.records.errors import InputError

NO_RATIO = "a mean time of 0 has no ratio"
NO_SPREAD = "nothing varies on one of the two sides, so the difference has no standard error"


def mean_time_influence(risk: RiskTable, *, horizon_days: float, conf_level: float = 0.95) -> Influence:
    """How much does each account move each mean time lost, over all strata at once?

    Parameters
    ----------
    risk : RiskTable
        Counted with `cluster=` where deals belong to accounts; the same account may be in several strata.
    horizon_days, conf_level
        As for `restricted_mean_time_lost`.

    Returns
    -------
    Influence
        Its estimate equals `restricted_mean_time_lost` with the jackknife variance (outcome "open" last in each
        stratum), and the square root of the diagonal of its covariance equals its standard errors.

    Raises
    ------
    InputError
        As for `restricted_mean_time_lost`.

    Examples
    --------
    >>> from analytics.estimators.counts import count_events
    >>> deals = pd.DataFrame({"entry": -1, "exit": [3, 9, 9, 12], "outcome": ["won", "lost", "open", "won"],
    ...                       "account_id": ["a", "b", "b", "c"]})
    >>> mean_time_influence(count_events(deals, cluster="account_id"), horizon_days=12).values.shape
    (3, 4)
    """
    estimate = restricted_mean_time_lost(
        risk, horizon_days=horizon_days, conf_level=conf_level, variance="infinitesimal_jackknife"
    )
    if risk.cluster:
        codes, units = pd.factorize(risk.cells[risk.cluster])
    else:
        codes, units = np.arange(len(risk.cells)), pd.RangeIndex(len(risk.cells))
    values, df = np.zeros((len(units), len(estimate.frame))), np.full(len(estimate.frame), np.inf)
    start = row = 0
    for _, cells in risk.strata():
        own = codes[start : start + len(cells.n)]
        start += len(cells.n)
        curve = curve_of(cells, len(risk.outcomes))
        if curve.time[-1] < horizon_days and curve.survival[-1] > 0:
            continue  # restricted_mean_time_lost leaves this stratum out
        changes = changes_of(curve, cells)
        lost = influence_integrated(changes, days_spent(curve, float(horizon_days)))
        lost[:, -1] = -lost[:, -1]  # any outcome becomes time open
        scale = np.sqrt(changes.multiplicity)[:, None] * np.sqrt(few_units_factor(cells))
        place, count = pd.unique(own), lost.shape[1]
        values[np.ix_(place, np.arange(row, row + count))] = lost * scale
        df[row : row + count] = account_df(cells)
        row += count
    return Influence(estimate, pd.Index(units), values, df)


def mean_time_contrast(now: Influence, then: Influence) -> Estimate:
    """How many more days, and how many times as many, are lost to each outcome on one side than on the other?

    Parameters
    ----------
    now, then : Influence
        Two sides of one `mean_time_influence`, from `select`; accounts on both sides are respected.

    Returns
    -------
    Estimate
        Kind contrast; the shared keys and `contrast`: "difference" (days, now - then) and "ratio" (now / then, limits
        on the log scale, `std_error` of the log ratio); `estimate_now`, `estimate_then`, `shared_accounts`. Fewer days
        lost to winning means that winning comes later or more rarely.

    Raises
    ------
    InputError
        Sides with different keys or levels, or not of one table.

    Notes
    -----
    Variance: sum over accounts of (U_now - U_then)^2, for the ratio of (U_now / m_now - U_then / m_then)^2, quantiles
    of t by the side with fewer accounts (`account_df`). Conner & Trinquart (2021), Stat Med 40:2177, who take the two
    sides as independent. A side on which nobody (or everybody, at once) had the outcome shows no variance: differences
    from it have MOVER's limits, from those of both sides (Zou & Donner 2008, Stat Med 27:1693, eq. 9), and `std_error`
    is the distance to the limit nearer 0 by the quantile. Assumptions of `restricted_mean_time_lost`.

    Examples
    --------
    >>> from analytics.estimators.counts import count_events
    >>> deals = pd.DataFrame({"entry": -1, "exit": [3, 9, 12, 6, 9, 12], "quarter": ["Q1"] * 3 + ["Q2"] * 3,
    ...                       "outcome": ["won", "lost", "open"] * 2})
    >>> joint = mean_time_influence(count_events(deals, by="quarter"), horizon_days=12)
    >>> contrast = mean_time_contrast(joint.select(quarter="Q2"), joint.select(quarter="Q1")).at(outcome="won")
    >>> contrast["estimate"].round(6).tolist()
    [-1.0, 0.666667]
    """
    meta = now.estimate.meta
    if meta.keys != then.estimate.meta.keys or meta.conf_level != then.estimate.meta.conf_level:
        raise InputError("the two sides have different keys or confidence levels",
                         value=(meta.keys, then.estimate.meta.keys))  # fmt: skip
    if now.units is not then.units:
        raise InputError("the two sides come from two tables, so shared accounts cannot be found",
                         action="Count both sides in one table and select them")  # fmt: skip
    left = now.estimate.frame.assign(_now=np.arange(len(now.estimate.frame)))
    right = then.estimate.frame.assign(_then=np.arange(len(then.estimate.frame)))
    both = left.merge(right, on=list(meta.keys), suffixes=("", "_then"))
    a, b = now.values[:, both["_now"].to_numpy()], then.values[:, both["_then"].to_numpy()]
    z = _quantiles(now, then, both)
    shared = (np.abs(a).sum(axis=1) > 0) & (np.abs(b).sum(axis=1) > 0)
    known = {"shared_accounts": int(shared.sum()) if meta.cluster else 0}
    parts = [_part(both, name, values, known) for name, values in (("difference", _difference(both, a - b, z)),
                                                                  ("ratio", _ratio(both, a, b, z)))]  # fmt: skip
    frame = pd.concat(parts, ignore_index=True)
    lone = len(left) + len(right) - 2 * len(both)
    return Estimate(frame[[*meta.keys, *[name for name in frame if name not in meta.keys]]], Meta(
        kind="contrast", estimand=f"difference and ratio of {meta.estimand}, now against then",
        keys=(*meta.keys, "contrast"), n_deals=meta.n_deals, n_accounts=meta.n_accounts, conf_level=meta.conf_level,
        interval="plain for differences, log for ratios", variance="joint " + meta.variance, cluster=meta.cluster,
        unit="days, or ratio of days", note=f"{lone} mean times have no partner on the other side." if lone else "",
    ))  # fmt: skip


def _quantiles(now: Influence, then: Influence, both: pd.DataFrame) -> Floats:
    """Return quantiles of t for the side that rests on fewer accounts, eased where few deals had the outcome."""
    sides = []
    for side, place, events in ((now, "_now", "n_event"), (then, "_then", "n_event_then")):
        df = np.full(len(both), np.inf) if side.df is None else side.df[both[place].to_numpy()]
        sides.append(eased_df(df, both[events].to_numpy()))
    return t_value(now.estimate.meta.conf_level, np.minimum(*sides))


def _part(both: pd.DataFrame, contrast: str, values: dict[str, Any], known: dict[str, Any]) -> pd.DataFrame:
    names = ["n_risk", "n_risk_then", "n_event", "n_event_then", "estimate_then"]
    keys = [name for name in map(str, both) if not name.endswith("_then") and name not in _VALUES and name[0] != "_"]
    frame = both[[*keys, *names]].assign(contrast=contrast, estimate_now=both["estimate"], **values, **known)
    return frame


_VALUES = ("estimate", "std_error", "conf_low", "conf_high", "n_risk", "n_event", "cum_event", "no_interval_reason")


def _difference(both: pd.DataFrame, moved: Floats, z: Floats) -> dict[str, Any]:
    names = ("estimate", "conf_low", "conf_high", "std_error")
    now, low, high, error_now = (both[name].to_numpy(dtype=float) for name in names)
    then, low_then, high_then, error_then = (both[f"{name}_then"].to_numpy(dtype=float) for name in names)
    estimate, error = now - then, np.sqrt((moved**2).sum(axis=0))
    below, above = mover_reach((now, low, high), (then, low_then, high_then))
    edge = ((error_now == 0) | (error_then == 0)) & np.isfinite(below + above)
    error = np.where(edge, reach_as_error(estimate, below, above, z), error)
    below, above = (np.where(edge, side, z * error) for side in (below, above))
    return _with_reasons(estimate, error, (estimate - below, estimate + above), _reasons(both, error))


def _ratio(both: pd.DataFrame, a: Floats, b: Floats, z: Floats) -> dict[str, Any]:
    now, then = both["estimate"].to_numpy(dtype=float), both["estimate_then"].to_numpy(dtype=float)
    there = (now > 0) & (then > 0)
    safe_now, safe_then = np.where(there, now, 1.0), np.where(there, then, 1.0)
    error = np.sqrt(((a / safe_now - b / safe_then) ** 2).sum(axis=0))
    estimate = np.where(there, safe_now / safe_then, np.nan)
    reason = np.where(there, _reasons(both, error), NO_RATIO)
    limits = estimate * np.exp(-z * error), estimate * np.exp(z * error)
    return _with_reasons(estimate, error, limits, reason)


def _reasons(both: pd.DataFrame, error: Floats) -> Any:
    """Why there is no interval: what either side says, or that nothing varies."""
    known = np.where(both["no_interval_reason"] != "", both["no_interval_reason"], both["no_interval_reason_then"])
    none = np.isnan(error) | (error <= 1e-12)
    return np.where(none, np.where(known != "", known, NO_SPREAD), "")


def _with_reasons(estimate: Floats, error: Floats, limits: tuple[Floats, Floats], reason: Any) -> dict[str, Any]:
    none = reason != ""
    return {
        "estimate": estimate, "std_error": np.where(none, np.nan, error),
        "conf_low": np.where(none, np.nan, limits[0]), "conf_high": np.where(none, np.nan, limits[1]),
        "no_interval_reason": reason.astype(object),
    }  # fmt: skip
