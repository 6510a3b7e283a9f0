"""Exact and Bayesian limits of one proportion, funnel limits of many, and the p-values of a declared family."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.estimators.intervals import z_value
from analytics.estimators.rates import Column, wilson
from analytics.estimators.result import Estimate, Meta
from analytics.records.errors import InputError, nearest

Floats = npt.NDArray[np.float64]
ProportionMethod = Literal["wilson", "clopper_pearson", "jeffreys"]
FamilyMethod = Literal["benjamini_hochberg", "benjamini_yekutieli", "holm"]
_FAMILY = {"benjamini_hochberg": "fdr_bh", "benjamini_yekutieli": "fdr_by", "holm": "holm"}


def proportion_interval(
    x: float, n: float, *, method: ProportionMethod = "wilson", conf_level: float = 0.95
) -> Estimate:
    """Estimate a proportion of independent deals with its limits.

    Parameters
    ----------
    x, n : float
        Successes and trials.
    method : {"wilson", "clopper_pearson", "jeffreys"}
        Wilson covers about the level on average; Clopper-Pearson never less, so it is wide; Jeffreys is the posterior
        under Beta(1/2, 1/2).
    conf_level : float

    Returns
    -------
    Estimate
        Kind probability, one row, key `("method",)`; `n_event` successes of `n_trials`.

    Raises
    ------
    InputError
        More successes than trials, no trials, an unknown method.

    References
    ----------
    Clopper & Pearson 1934, Biometrika 26:404; Brown, Cai & DasGupta 2001, Stat Sci 16:101.

    Examples
    --------
    >>> proportion_interval(0, 10, method="clopper_pearson").frame["conf_high"].round(4).tolist()
    [0.3085]
    """
    if not (0 <= x <= n and n > 0):
        raise InputError("a proportion needs trials, and no more successes than trials", value=(x, n))
    if method not in get_args(ProportionMethod):
        raise InputError("there is no such interval", value=method, action=nearest(method, get_args(ProportionMethod)))
    z_value(conf_level)
    p = x / n
    if method == "wilson":
        low, high = wilson(x, n, conf_level=conf_level)
    else:
        from statsmodels.stats.proportion import proportion_confint

        name = {"clopper_pearson": "beta", "jeffreys": "jeffreys"}[method]
        low, high = (float(limit) for limit in proportion_confint(x, n, alpha=1 - conf_level, method=name))
    frame = pd.DataFrame({
        "method": [method], "estimate": p, "std_error": np.sqrt(p * (1 - p) / n), "conf_low": min(low, p),
        "conf_high": max(high, p), "n_event": x, "n_trials": n,
    })  # fmt: skip
    return Estimate(frame, Meta(
        kind="probability", keys=("method",), estimand="share of independent deals with the outcome", n_deals=int(n),
        conf_level=conf_level, interval=method.replace("_", " "), variance="binomial",
    ))  # fmt: skip


def funnel_limits(
    x: Column, n: Column, *, centre: float | None = None, levels: tuple[float, ...] = (0.95, 0.998)
) -> Estimate:
    """Which of many groups lie outside of what chance makes of one common rate?

    Parameters
    ----------
    x, n : sequence of float
        Successes and trials per group.
    centre : float, optional
        The common rate; by default that of all groups together.
    levels : tuple of float
        Levels of the funnels, from narrow to wide.

    Returns
    -------
    Estimate
        Kind probability, key `("group",)` (0, 1, …): rate with Wilson limits, `n_trials`, `centre`, `low_95`,
        `high_95`, `low_99.8`, … (the funnel at the group's size) and `outside` (the widest level that the group is
        outside of, 0 if none).

    Raises
    ------
    InputError
        Fewer than two groups, groups without trials, a centre or a level outside (0, 1).

    Notes
    -----
    Assumes independent deals. Binomial quantiles, interpolated so that the funnel is smooth in n (Spiegelhalter 2005,
    Stat Med 24:1185, App. A.1). With k groups about k (1 - level) lie outside by chance; real spread between groups
    widens the cloud without making any one of them special (`spread_between`).

    Examples
    --------
    >>> result = funnel_limits([5, 30, 12], [20, 60, 50])
    >>> result.frame[["low_95", "high_95", "outside"]].round(3).values.tolist()
    [[0.13, 0.552, 0.0], [0.234, 0.477, 0.95], [0.221, 0.488, 0.0]]
    """
    hits, trials = np.asarray(x, dtype=float), np.asarray(n, dtype=float)
    if len(hits) < 2 or not ((trials > 0) & (hits >= 0) & (hits <= trials)).all():
        raise InputError("a funnel needs at least two groups with trials, and no more successes than trials")
    p = float(hits.sum() / trials.sum()) if centre is None else centre
    if not 0 < p < 1:
        raise InputError("the common rate must lie between 0 and 1", value=p)
    limits = [wilson(a, b) for a, b in zip(hits, trials, strict=True)]
    rate = hits / trials
    frame = pd.DataFrame({
        "group": np.arange(len(hits)), "estimate": rate, "std_error": np.sqrt(rate * (1 - rate) / trials),
        "conf_low": [low for low, _ in limits], "conf_high": [high for _, high in limits], "n_trials": trials,
        "centre": p,
    })  # fmt: skip
    outside = np.zeros(len(hits))
    for level in sorted(levels):
        z_value(level)
        low, high = (_quantile(tail, trials, p) / trials for tail in (0.5 - level / 2, 0.5 + level / 2))
        low, high = np.clip(low, 0, p), np.clip(high, p, 1)
        frame[f"low_{100 * level:g}"], frame[f"high_{100 * level:g}"] = low, high
        outside = np.where((rate < low) | (rate > high), level, outside)
    frame["outside"] = outside
    return Estimate(frame, Meta(
        kind="probability", keys=("group",), estimand="rate of each group, against what chance makes of a common rate",
        n_deals=int(trials.sum()), interval="Wilson", variance="binomial",
    ))  # fmt: skip


def _quantile(tail: float, n: Floats, p: float) -> Floats:
    """Binomial quantiles interpolated between whole numbers: r - (B(r) - tail) / (B(r) - B(r - 1))."""
    from scipy.special import bdtrik, betainc

    def upto(k: Floats) -> Floats:
        whole = betainc(np.maximum(n - k, 1e-300), np.maximum(k + 1, 1e-300), 1 - p)
        return np.asarray(np.where(k < 0, 0.0, np.where(k >= n, 1.0, whole)), dtype=float)

    r = np.ceil(np.maximum(bdtrik(tail, n, p), 0.0))
    at, before = upto(r), upto(r - 1)
    return np.asarray(r - (at - tail) / np.maximum(at - before, 1e-300), dtype=float)


def adjusted_p_values(p_values: Column, *, method: FamilyMethod = "benjamini_hochberg") -> Floats:
    """Adjust the p-values of a family that was fixed before looking.

    Parameters
    ----------
    p_values : sequence of float
        The whole family; NaN (not tested) stays NaN and does not count.
    method : {"benjamini_hochberg", "benjamini_yekutieli", "holm"}
        False discovery rate; the same under any dependence; the chance of any false alarm at all.

    Raises
    ------
    InputError
        An unknown method, or a p-value outside [0, 1].

    References
    ----------
    Benjamini & Hochberg 1995, JRSSB 57:289; Benjamini & Yekutieli 2001, Ann Stat 29:1165; Holm 1979, Scand J Stat 6:65.

    Examples
    --------
    >>> adjusted_p_values([0.01, 0.04, 0.03], method="holm").round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    from statsmodels.stats.multitest import multipletests

    if method not in _FAMILY:
        raise InputError("there is no such adjustment", value=method, action=nearest(method, _FAMILY))
    p = np.asarray(p_values, dtype=float)
    tested = np.isfinite(p)
    if ((p[tested] < 0) | (p[tested] > 1)).any():
        raise InputError("a p-value lies outside [0, 1]", value=p[tested].tolist())
    adjusted = np.full(p.shape, np.nan)
    if tested.any():
        adjusted[tested] = multipletests(p[tested], method=_FAMILY[method])[1]
    return adjusted
