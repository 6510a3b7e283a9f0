"""Incidence of two groups made alike by weights, their difference and ratio, and what could explain it away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.estimators.aalen_johansen import Rows, curve_of
from analytics.estimators.adjustment import Ends, Scheme, Weighted, balancing_weights, ends_of
from analytics.estimators.counts import DEFAULT_OUTCOMES
from analytics.estimators.intervals import mover_reach, probability_interval, reach_as_error, t_value
from analytics.estimators.jackknife import changes_of, influence_at
from analytics.estimators.rates import accounts_worth
from analytics.estimators.result import Estimate, Meta
from analytics.estimators.strata import ONE_ACCOUNT, backing_of
from analytics.records.errors import InputError

Floats = npt.NDArray[np.float64]
POPULATION = {"inverse_probability": "all deals", "overlap": "deals that could well have gone either way"}
NO_RATIO = "a share of 0 has no ratio"
NO_SPREAD = "nothing varies, so there is no standard error"


def adjusted_incidence(
    deals: pd.DataFrame,
    exposure: str,
    formula: str,
    *,
    times: Sequence[float],
    scheme: Scheme = "inverse_probability",
    cluster: str | None = None,
    conf_level: float = 0.95,
) -> tuple[Estimate, Estimate]:
    """What share would have each outcome by each age were all deals exposed, were none, and what is the difference?

    Parameters
    ----------
    deals : pandas.DataFrame
        `entry`, `exit`, `outcome`, the exposure (0/1, known at opening) and the columns of the formula.
    exposure, formula, scheme
        As for `balancing_weights`.
    times : sequence of float
        Days after opening.
    cluster : str, optional
        Column of accounts.
    conf_level : float

    Returns
    -------
    (arms, contrasts)
        `arms`: kind incidence, keys `("exposed", "outcome", "time")`. `contrasts`: kind contrast, keys `("outcome",
        "time", "contrast")` with "difference" (exposed - unexposed) and "ratio" (limits and `std_error` on the log
        scale), `estimate_now` (exposed), `estimate_then` (unexposed), and on the rows of ratios `e_value` and
        `e_value_limit` (`e_value`; missing where the ratio has no limits, and on differences); `df` of the t behind the
        limits, missing where they are normal. A time beyond the follow-up of an arm is left out.

    Raises
    ------
    InputError
        As for `balancing_weights`, and deals that leave before they are watched or have no recorded outcome.

    Notes
    -----
    Aalen-Johansen of each arm under the weights: the total effect, through other outcomes too (Young et al. 2020, Stat
    Med 39:1199; Ozenne et al. 2020, Biom J 62:751). Standard errors include the weight model: a deal adds w u + D' psi,
    where u is the derivative of the incidence with respect to the deal's weight, psi its influence on the coefficients
    of the weight model, and D = sum of u dw/dgamma. With accounts, each arm's variance is multiplied by G/(G-1) and its
    limits use t with G - 1 degrees of freedom, where G is what its accounts are worth (`accounts_worth` of their
    weighted days: large accounts and weights leave fewer than there are; Carter, Schnepel & Steigerwald 2017, Rev Econ
    Stat 99:698); contrasts take the lower of both. An arm whose deals all belong to one account has no limits.
    A share of 0 or 1 has those of `cumulative_incidence`, and a difference from it is MOVER's (Zou & Donner 2008, Stat
    Med 27:1693, eq. 9); its `std_error` is then the distance to the limit nearer 0 by the quantile.
    It assumes that the formula names all common causes, that both arms are possible for every deal, and that censoring
    does not depend on the covariates within an arm.

    Examples
    --------
    >>> deals = pd.DataFrame({"entry": -1, "exit": [3, 5, 9, 4, 7, 8], "partner": [0, 0, 1, 1, 0, 1],
    ...                       "size": [1.0, 2, 2, 3, 4, 5], "outcome": ["won", "lost", "won", "won", "lost", "open"]})
    >>> arms, contrasts = adjusted_incidence(deals, "partner", "size", times=[8], scheme="overlap")
    >>> arms.at(outcome="won")["estimate"].round(3).tolist()
    [0.362, 0.191]
    """
    weighted = balancing_weights(deals, exposure, formula, scheme=scheme)
    ends, grid = ends_of(deals, cluster), np.unique(np.asarray(times, dtype=float))
    if len(grid) and not (np.isfinite(grid).all() and grid[0] >= 0):
        raise InputError("times must be zero or more days after opening", value=grid[:3].tolist())
    arms = [_arm(weighted, ends, arm, grid, cluster is not None) for arm in (True, False)]
    units = int(ends.unit.max()) + 1
    worth = [np.inf if cluster is None else _accounts_worth(weighted, ends, arm) for arm in (True, False)]
    moved = [_by_unit(arm.moved, ends.unit, units) * few_accounts_root(worth[j]) for j, arm in enumerate(arms)]
    shared: dict[str, Any] = {
        "n_deals": len(deals), "n_accounts": units if cluster else None, "conf_level": conf_level, "cluster": cluster,
        "variance": "influence functions with the weight model" + (" by account, times G/(G-1)" if cluster else ""),
        "note": _late(arms, grid),
    }  # fmt: skip
    df = [max(accounts - 1, 1.0) for accounts in worth]
    tables = [
        _incidences(exposed, (arm, moved[j]), grid, (conf_level, df[j]))
        for j, (exposed, arm) in enumerate(zip((True, False), arms, strict=True))
    ]
    frame = pd.concat(tables, ignore_index=True)
    estimand = f"share of {POPULATION[scheme]} with each outcome by each age, had all been or none been {exposure}"
    arms_meta = Meta(kind="incidence", estimand=estimand, keys=("exposed", "outcome", "time"), interval="log-log",
                     **shared)  # fmt: skip
    contrast_meta = Meta(
        kind="contrast", keys=("outcome", "time", "contrast"), interval="plain for differences, log for ratios",
        estimand=f"difference and ratio of the {estimand}", **shared,
    )  # fmt: skip
    known, z = arms[0].known & arms[1].known, float(t_value(conf_level, min(df)))
    contrasts = _contrasts((arms[0].values, arms[1].values), (moved[0], moved[1]), (grid, known), z)
    contrasts = with_e_values(_at_the_ends(contrasts, frame, z)).assign(df=min(df) if np.isfinite(min(df)) else np.nan)
    return Estimate(frame, arms_meta), Estimate(contrasts, contrast_meta)


@dataclass(frozen=True)
class _Arm:
    """Incidences `(times, causes)`, influences `(deals, times, causes)`, times within follow-up, deals behind them."""

    values: Floats
    moved: Floats
    known: npt.NDArray[np.bool_]
    n_eff: Floats


def _arm(weighted: Weighted, ends: Ends, arm: bool, grid: Floats, clustered: bool) -> _Arm:
    mine = np.flatnonzero(weighted.exposed == arm)
    w = weighted.weight[mine]
    rows = Rows(ends.entry[mine], ends.leave[mine], ends.cause[mine], np.ones(len(mine), dtype=np.int64), w, w * w)
    curve = curve_of(rows, len(DEFAULT_OUTCOMES))
    changes = changes_of(curve, rows)
    values = np.zeros((len(grid), len(DEFAULT_OUTCOMES)))
    moved = np.zeros((len(weighted.weight), *values.shape))
    known = (grid <= curve.time[-1]) | (curve.survival[-1] == 0)
    known &= grid > ends.entry[mine].min()
    for t, index in enumerate(np.searchsorted(curve.time, grid, side="right") - 1):
        if index < 0:
            continue
        values[t] = curve.incidence[index]
        u = influence_at(changes, int(index))[:, :-1]
        moved[mine, t] += w[:, None] * u
        moved[:, t] += weighted.model.influence @ (weighted.slope[mine].T @ u)
    account = pd.factorize(ends.unit[mine])[0].astype(np.int64) if clustered else None
    return _Arm(values, moved, known, backing_of(replace(rows, account=account), curve).at(grid))


def _accounts_worth(weighted: Weighted, ends: Ends, arm: bool) -> float:
    """Return how many accounts of one size the accounts of an arm are worth, by the weighted days of their deals."""
    mine = weighted.exposed == arm
    days = weighted.weight[mine] * (ends.leave[mine] - ends.entry[mine])
    return accounts_worth(np.bincount(ends.unit[mine], weights=days))


def few_accounts_root(worth: float) -> float:
    """Return sqrt(G/(G-1)): what a mean takes from the deviations of G accounts; NaN where there is only one.

    Examples
    --------
    >>> few_accounts_root(5.0).__round__(4), few_accounts_root(float("inf"))
    (1.118, 1.0)
    """
    if np.isinf(worth):
        return 1.0
    return float(np.sqrt(worth / (worth - 1))) if worth > 1 + 1e-9 else float("nan")


def _by_unit(moved: Floats, unit: npt.NDArray[np.int64], units: int) -> Floats:
    out = np.zeros((units, *moved.shape[1:]))
    np.add.at(out, unit, moved)
    return out


def _late(arms: list[_Arm], grid: Floats) -> str:
    late = [
        f"{name} deals are not followed to day {grid[~arm.known][0]:g}."
        for name, arm in zip(("Exposed", "Unexposed"), arms, strict=True)
        if (~arm.known).any()
    ]
    return " ".join(late)


def _incidences(label: bool, curve: tuple[_Arm, Floats], grid: Floats, level: tuple[float, float]) -> pd.DataFrame:
    (arm, moved), known = curve, curve[0].known
    # outcome by outcome, each over its times
    f, error = (part[known].T.ravel() for part in (arm.values, np.sqrt((moved**2).sum(axis=0))))
    f = np.where(f > 1 - 1e-12, 1.0, f)
    std_error = np.where((f > 0) & (f < 1), np.nan_to_num(error), 0.0)
    n_eff = np.tile(arm.n_eff[known], len(DEFAULT_OUTCOMES))
    low, high = probability_interval(f, std_error, n_eff, conf_level=level[0], df=level[1])
    reason = np.where(np.isnan(low), np.where(np.isnan(error), ONE_ACCOUNT, NO_SPREAD), "")
    return pd.DataFrame({
        "exposed": label, "outcome": np.repeat(DEFAULT_OUTCOMES, known.sum()),
        "time": np.tile(grid[known], len(DEFAULT_OUTCOMES)), "estimate": f,
        "std_error": np.where(reason == "", std_error, np.nan), "conf_low": low, "conf_high": high,
        "no_interval_reason": reason,
    })  # fmt: skip


def _contrasts(
    values: tuple[Floats, Floats], moved: tuple[Floats, Floats], times: tuple[Floats, npt.NDArray[np.bool_]],
    z: float,
) -> pd.DataFrame:  # fmt: skip
    grid, known = times
    (one, none), (u1, u0) = (side[known].T for side in values), (side[:, known].transpose(0, 2, 1) for side in moved)
    there = (one > 0) & (none > 0)
    safe1, safe0 = np.where(one > 0, one, 1.0), np.where(none > 0, none, 1.0)
    # outcome by outcome: the differences over times, then the ratios
    estimate = np.stack([one - none, safe1 / safe0], axis=1)
    error = np.stack([_norm(u1 - u0), _norm(u1 / safe1 - u0 / safe0)], axis=1)
    usable = np.stack([np.ones_like(there), there], axis=1)
    reach = z * error
    low, high = estimate - reach, estimate + reach
    low[:, 0], high[:, 0] = np.maximum(low[:, 0], -1.0), np.minimum(high[:, 0], 1.0)
    low[:, 1], high[:, 1] = (estimate[:, 1] * np.exp(sign * reach[:, 1]) for sign in (-1, 1))
    good = usable & (error > 1e-12)
    why = np.where(usable, np.where(np.isnan(error), ONE_ACCOUNT, NO_SPREAD), NO_RATIO)
    causes, _, days = estimate.shape
    return pd.DataFrame({
        "outcome": np.repeat(DEFAULT_OUTCOMES, 2 * days), "time": np.tile(grid[known], 2 * causes),
        "contrast": np.tile(np.repeat(["difference", "ratio"], days), causes),
        "estimate": np.where(usable, estimate, np.nan).ravel(), "std_error": np.where(good, error, np.nan).ravel(),
        "conf_low": np.where(good, low, np.nan).ravel(), "conf_high": np.where(good, high, np.nan).ravel(),
        "estimate_now": np.repeat(one, 2, axis=0).ravel(), "estimate_then": np.repeat(none, 2, axis=0).ravel(),
        "no_interval_reason": np.where(good, "", why).ravel(),
    })  # fmt: skip


def _at_the_ends(contrasts: pd.DataFrame, arms: pd.DataFrame, z: float) -> pd.DataFrame:
    """Return contrasts with the limits of differences from a share of 0 or 1, whose influence knows of no error."""
    keys = ["outcome", "time"]
    now, then = (
        contrasts[keys].merge(arms[arms["exposed"] == side], on=keys, how="left").set_index(contrasts.index)
        for side in (True, False)
    )
    edge = (contrasts["contrast"] == "difference") & now["conf_low"].notna() & then["conf_low"].notna()
    edge &= now["estimate"].isin([0.0, 1.0]) | then["estimate"].isin([0.0, 1.0])
    one, other = (
        (side["estimate"].to_numpy(), side["conf_low"].to_numpy(), side["conf_high"].to_numpy()) for side in (now, then)
    )
    gap, (below, above) = one[0] - other[0], mover_reach(one, other)
    limits = {
        "std_error": reach_as_error(gap, below, above, z), "conf_low": np.maximum(gap - below, -1.0),
        "conf_high": np.minimum(gap + above, 1.0),
    }  # fmt: skip
    given = contrasts.assign(**{name: contrasts[name].mask(edge, value) for name, value in limits.items()})
    return given.assign(no_interval_reason=given["no_interval_reason"].mask(edge, ""))


def _norm(moved: Floats) -> Floats:
    return np.asarray(np.sqrt((moved**2).sum(axis=0)))


def with_e_values(contrasts: pd.DataFrame) -> pd.DataFrame:
    """Return contrasts with `e_value` and `e_value_limit` on the rows of ratios that have limits."""
    rows = zip(*(contrasts[name] for name in ("contrast", "estimate", "conf_low", "conf_high")), strict=True)
    values = [
        e_value(*limits) if contrast == "ratio" and limits[1] > 0 and np.isfinite(limits).all() else (np.nan, np.nan)
        for contrast, *limits in rows
    ]
    return contrasts.assign(e_value=[value for value, _ in values], e_value_limit=[limit for _, limit in values])


def e_value(ratio: float, conf_low: float, conf_high: float) -> tuple[float, float]:
    """How strongly would something unmeasured have to move both exposure and outcome to explain a ratio of shares away?

    Parameters
    ----------
    ratio, conf_low, conf_high : float
        A ratio of incidences by one age with its limits; not a hazard ratio.

    Returns
    -------
    (point, limit)
        The least ratio by which it would have to go with both, for the estimate and for the limit nearer to 1 (1 where
        the interval holds 1).

    Raises
    ------
    ValueError
        Limits that do not hold the ratio, or are not positive.

    References
    ----------
    VanderWeele & Ding 2017, Ann Intern Med 167:268.

    Examples
    --------
    >>> [round(value, 3) for value in e_value(3.9, 1.8, 8.7)]
    [7.263, 3.0]
    """
    if not 0 < conf_low <= ratio <= conf_high:
        raise ValueError(f"a ratio lies within its limits and above 0, not {ratio} in {conf_low} to {conf_high}")
    nearer = max(conf_low, 1.0) if ratio >= 1 else min(conf_high, 1.0)

    def of(value: float) -> float:
        value = 1 / value if value < 1 else value
        return value + float(np.sqrt(value * (value - 1)))

    return of(ratio), of(nearer)
