"""Bands that hold the whole cumulative incidence curve over a range of ages, not one age at a time."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from analytics.estimators.aalen_johansen import Curve, curve_of
from analytics.estimators.bootstrap import DEFAULT_SEED
from analytics.estimators.counts import RiskTable
from analytics.estimators.incidence import cumulative_incidence
from analytics.estimators.intervals import Floats, symmetric_root, z_value
from analytics.estimators.jackknife import Changes, changes_of
from analytics.estimators.result import Estimate
from analytics.estimators.strata import stratum_name
from analytics.records.errors import InputError, nearest

Scale = Literal["log-log", "logit", "log", "plain"]
BAND_REPS = 10_000
BLOCK = 4_000_000


def incidence_band(
    risk: RiskTable,
    *,
    between: tuple[float, float],
    conf_level: float = 0.95,
    interval: Scale = "log-log",
    reps: int = BAND_REPS,
    seed: int = DEFAULT_SEED,
) -> Estimate:
    """Between which two curves does the whole incidence curve lie over a range of ages?

    Parameters
    ----------
    risk : RiskTable
        Counted deals, with `cluster=` where deals belong to accounts.
    between : (float, float)
        First and last day after opening for which the band is to hold, fixed before looking.
    conf_level : float
        Chance that the band holds the whole curve of one outcome in one stratum.
    interval : {"log-log", "logit", "log", "plain"}
        Scale, as for `cumulative_incidence`.
    reps, seed : int
        Draws of the multipliers, and the seed they are drawn with.

    Returns
    -------
    Estimate
        The rows of `cumulative_incidence` within the range, with the band as `conf_low` and `conf_high`, and
        `critical_value`: how many standard errors wide it is (a pointwise interval has 1.96). A curve that stays at 0
        has its pointwise limits and no critical value.

    Raises
    ------
    InputError
        A range that is empty or not increasing, and as for `cumulative_incidence`.

    Notes
    -----
    Each deal (or account) enters with its influence on the curve times an independent standard normal multiplier; the
    critical value is the quantile of the greatest standardised value over the range (Lin 1997, Stat Med 16:901;
    Beyersmann, Di Termini & Pauly 2013, Scand J Stat 40:387). Multipliers belong to deals and not to jumps, since jumps
    shared by several deals break the latter (Dobler 2017, Scand J Stat 44). Given the data that process is normal with
    the covariance of the influences, and is drawn from it: the result does not depend on the order of the rows. Where
    fewer than about 5 deals have ended by the start of the range, the band is too narrow there.

    Examples
    --------
    >>> from analytics.estimators.counts import count_events
    >>> deals = pd.DataFrame({"entry": -1, "exit": range(1, 41), "outcome": ["won", "lost", "open", "won"] * 10})
    >>> band = incidence_band(count_events(deals), between=(10, 30)).at(outcome="won")
    >>> bool(band["critical_value"].iloc[0] > 2.2), int(band["time"].min()), int(band["time"].max())
    (True, 10, 30)
    """
    start, end = (float(edge) for edge in between)
    if not (np.isfinite([start, end]).all() and 0 <= start <= end):
        raise InputError("between must be two days after opening, the first not later than the second", value=between)
    if interval not in get_args(Scale):
        raise InputError("there is no such interval", value=interval, action=nearest(interval, get_args(Scale)))
    z_value(conf_level)
    how: dict[str, Any] = {"interval": interval, "variance": "infinitesimal_jackknife"}
    base = cumulative_incidence(risk, conf_level=conf_level, **how)
    inside = base.frame["time"].between(start, end)
    parts = []
    for values, cells in risk.strata():
        curve = curve_of(cells, len(risk.outcomes))
        changes = changes_of(curve, cells)
        alone = replace(risk, cells=risk.cells[_is(risk.cells, values)])
        mine = inside.to_numpy() & _is(base.frame, values)
        for k, outcome in enumerate(risk.outcomes):
            rows = base.frame[mine & (base.frame["outcome"] == outcome).to_numpy()]
            critical = _critical(changes, curve, k, (start, end), (conf_level, reps, seed))
            parts.append(_widened(alone, rows, critical, how).assign(critical_value=critical))
    frame = pd.concat(parts, ignore_index=True) if parts else base.frame.assign(critical_value=np.nan)
    notes = [base.meta.note] if base.meta.note else []
    notes += [
        f"{stratum_name(values)}: no deal left between day {start:g} and day {end:g}."
        for values, _ in risk.strata()
        if not _is(frame, values).any()
    ]
    meta = replace(
        base.meta, estimand=f"{base.meta.estimand}, the whole curve from day {start:g} to day {end:g}",
        interval=f"simultaneous band, {interval}, {reps} multiplier draws, seed {seed}", note=" ".join(notes),
    )  # fmt: skip
    return Estimate(frame, meta)


def _is(frame: pd.DataFrame, values: dict[str, Any]) -> Any:
    same = np.ones(len(frame), dtype=bool)
    for name, value in values.items():
        same &= (frame[name] == value).to_numpy(dtype=bool)
    return same


def _widened(risk: RiskTable, rows: pd.DataFrame, critical: float, how: dict[str, Any]) -> pd.DataFrame:
    """Replace the limits of one curve by those with another critical value."""
    if not len(rows) or np.isnan(critical):
        return rows
    level = 2 * NormalDist().cdf(critical) - 1
    keys = [*risk.by, "outcome", "time"]
    wide = cumulative_incidence(risk, conf_level=min(level, 1 - 1e-12), **how).frame
    limits = rows[keys].merge(wide, on=keys, how="left")
    return rows.assign(conf_low=limits["conf_low"].to_numpy(), conf_high=limits["conf_high"].to_numpy())


def _critical(
    changes: Changes, curve: Curve, k: int, between: tuple[float, float], how: tuple[float, int, int]
) -> float:
    """Return the critical value of one curve over a range, NaN where the curve does not move."""
    conf_level, reps, seed = how
    f = curve.incidence[:, k]
    start = max(int(np.searchsorted(curve.time, between[0], side="right")) - 1, 0)
    stop = int(np.searchsorted(curve.time, between[1], side="right"))
    moved = np.arange(start, stop)
    moved = moved[(f[moved] > 0) & (f[moved] < 1 - 1e-12)]
    if not len(moved):
        return float("nan")
    covariance = influence_covariance(changes, moved, k)
    error = np.sqrt(np.diag(covariance))
    known = error > 1e-12
    if not known.any():
        return float("nan")
    correlation = covariance[np.ix_(known, known)] / np.outer(error[known], error[known])
    root = symmetric_root(correlation)
    rng = np.random.default_rng(seed)
    block = max(1, BLOCK // len(root))
    greatest = []
    for done in range(0, reps, block):
        draws = rng.standard_normal((min(block, reps - done), len(root)))
        greatest.append(np.abs(draws @ root.T).max(axis=1))
    return max(float(np.quantile(np.concatenate(greatest), conf_level)), z_value(conf_level))


def influence_covariance(changes: Changes, places: Any, k: int) -> Floats:
    """Return the covariance of one incidence at several places of the time axis, `(places, places)`.

    The sum over units of the products of their influences, in blocks of units so that memory stays bounded.
    """
    order = np.argsort(changes.unit, kind="stable")
    unit = changes.unit[order]
    column = np.searchsorted(places, changes.index[order], side="left")
    p, q, r = changes.p[order, k], changes.q[order], changes.r[order]
    f, g = changes.f[places, k], changes.g[places, k]
    size, total = len(places), np.zeros((len(places), len(places)))
    step = max(1, BLOCK // (size + 1))
    for first in range(0, changes.units, step):
        a, b = np.searchsorted(unit, (first, first + step))
        key = (unit[a:b] - first) * (size + 1) + column[a:b]
        shape = (min(step, changes.units - first), size + 1)

        def so_far(values: Floats, at: Any = key, shape: tuple[int, int] = shape) -> Floats:
            summed = np.bincount(at, weights=values, minlength=shape[0] * shape[1]).reshape(shape)
            return np.asarray(np.cumsum(summed, axis=1)[:, :-1], dtype=float)

        moved = so_far(p[a:b]) + f * so_far(q[a:b]) - g * so_far(r[a:b])
        total += (moved * changes.multiplicity[first : first + shape[0], None]).T @ moved
    return total
