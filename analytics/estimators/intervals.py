"""Pointwise confidence intervals of probabilities, with honest limits where the estimate is 0 or 1."""

from __future__ import annotations

from statistics import NormalDist
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from analytics.records.errors import InputError, nearest

Floats = npt.NDArray[np.float64]
Interval = Literal["log-log", "log", "logit", "plain"]


def z_value(conf_level: float) -> float:
    """Return the two-sided standard normal quantile of a confidence level.

    Examples
    --------
    >>> round(z_value(0.95), 4)
    1.96
    """
    if not 0 < conf_level < 1:
        raise InputError("conf_level must lie between 0 and 1", value=conf_level, action="Say 0.95 for 95 %")
    return NormalDist().inv_cdf(0.5 + conf_level / 2)


def t_value(conf_level: float, df: Floats | float | None) -> Floats:
    """Return two-sided quantiles of Student's t by their degrees of freedom, normal where infinite or None.

    Examples
    --------
    >>> t_value(0.95, np.array([4.0, np.inf])).round(4).tolist()
    [2.7764, 1.96]
    """
    z = z_value(conf_level)
    if df is None or bool(np.isinf(df).all()):
        return np.full(np.shape(df) if df is not None else (), z)
    from scipy.special import stdtrit

    return np.where(np.isinf(df), z, stdtrit(np.where(np.isinf(df), 1.0, df), 0.5 + conf_level / 2))


Limits = tuple[Floats | float, Floats | float, Floats | float]
"""Estimates with their lower and upper limits."""


def mover_reach(now: Limits, then: Limits) -> tuple[Floats, Floats]:
    """Return how far the limits of differences of independent estimates (now - then) lie below and above them.

    Each is as far as the two near limits are from theirs, added as squares: Zou & Donner (2008), Stat Med 27:1693,
    eq. 9.

    Examples
    --------
    >>> one, other = (np.array([value]) for value in (0.5, 0.2))
    >>> below, above = mover_reach((one, one - 0.3, one + 0.3), (other, other - 0.1, other + 0.4))
    >>> below.round(4).tolist(), above.round(4).tolist()
    ([0.5], [0.3162])
    """
    (estimate, low, high), (estimate_then, low_then, high_then) = now, then
    return np.hypot(estimate - low, high_then - estimate_then), np.hypot(high - estimate, estimate_then - low_then)


def reach_as_error(change: Floats, below: Floats, above: Floats, z: Floats | float) -> Floats:
    """Return what stands for a standard error of changes that show none: the reach towards 0 over the quantile.

    Examples
    --------
    >>> reach_as_error(np.array([0.3, -0.3, 0.0]), np.full(3, 0.2), np.full(3, 0.4), 2.0).tolist()
    [0.1, 0.2, 0.2]
    """
    return np.asarray(np.where(change > 0, below, np.where(change < 0, above, np.maximum(below, above))) / z)


def symmetric_root(covariance: Floats) -> Floats:
    """Return R = R' with R R = covariance, to draw normal values with.

    Columns of eigenvectors would do as well, but they turn with the last digit, and so with the number of threads.

    Examples
    --------
    >>> symmetric_root(np.array([[4.0, 0.0], [0.0, 9.0]])).tolist()
    [[2.0, 0.0], [0.0, 3.0]]
    """
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)


def probability_interval(
    estimate: Floats, std_error: Floats, n_eff: Floats, *, conf_level: float = 0.95, interval: Interval = "log-log",
    df: Floats | float | None = None,
) -> tuple[Floats, Floats]:  # fmt: skip
    """What values of the probability are compatible with the data?

    Parameters
    ----------
    estimate, std_error : array
        Probabilities and their standard errors.
    n_eff : array
        Effective number of deals behind each estimate, used where it is 0 or 1 and the standard error says nothing.
    conf_level : float
        Two-sided level.
    interval : {"log-log", "log", "logit", "plain"}
        Scale on which the estimate is taken as normal. log-log is `F ** exp(±z se / (F log F))`.
    df : array or float, optional
        Degrees of freedom behind the standard errors (see `account_df`): quantiles of t instead of normal ones.

    Returns
    -------
    low, high : array
        Limits in [0, 1]; NaN where the standard error is missing, or 0 with an estimate strictly between 0 and 1.

    Notes
    -----
    At 0 the upper limit is `1 - (alpha/2) ** (1/n_eff)` (Clopper & Pearson 1934, Biometrika 26:404), at 1 the lower
    limit is its mirror image. Transformed limits: Kalbfleisch & Prentice (2002), eq. 1.16-1.18.

    Examples
    --------
    >>> low, high = probability_interval(np.array([0.0]), np.array([0.0]), np.array([100.0]))
    >>> [round(float(x), 4) for x in (low[0], high[0])]
    [0.0, 0.0362]
    """
    if interval not in get_args(Interval):
        raise InputError("there is no such interval", value=interval, action=nearest(interval, get_args(Interval)))
    z = t_value(conf_level, df)
    inside = (estimate > 0) & (estimate < 1) & (std_error > 0)
    f = np.where(inside, estimate, 0.5)
    half = z * np.where(inside, std_error, 0.0)
    low, high = _transformed(f, half, interval)
    low, high = (np.where(inside, np.clip(limit, 0.0, 1.0), np.nan) for limit in (low, high))
    edge = ((1 - conf_level) / 2) ** (1 / np.maximum(n_eff, 1e-12))
    zero, one = estimate <= 0, estimate >= 1
    low = np.where(zero, 0.0, np.where(one, edge, low))
    high = np.where(zero, 1 - edge, np.where(one, 1.0, high))
    return low, high


def _transformed(f: Floats, half: Floats, interval: Interval) -> tuple[Floats, Floats]:
    if interval == "plain":
        return f - half, f + half
    if interval == "log":
        return f * np.exp(-half / f), f * np.exp(np.minimum(half / f, 50.0))
    if interval == "logit":
        centre, width = np.log(f / (1 - f)), half / (f * (1 - f))
        return 1 / (1 + np.exp(np.minimum(width - centre, 700.0))), 1 / (1 + np.exp(-centre - width))
    width = np.minimum(half / (f * -np.log(f)), 50.0)
    return f ** np.exp(width), f ** np.exp(-width)
