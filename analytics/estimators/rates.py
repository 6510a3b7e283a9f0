"""Proportions and shares of amounts with intervals that know which deals belong to one account."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analytics.estimators.bootstrap import DEFAULT_REPS, DEFAULT_SEED, account_weights

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Column = Sequence[Any] | NDArray[Any] | pd.Series


class Interval(NamedTuple):
    """An estimate with its standard error and confidence limits."""

    estimate: float
    std_error: float
    conf_low: float
    conf_high: float


def quantile(conf_level: float, df: float | None = None) -> float:
    """Give the two-sided critical value: of the normal distribution, or of t with `df` degrees of freedom.

    Parameters
    ----------
    conf_level : float
        Between 0 and 1.
    df : float, optional
        Degrees of freedom; None, or less than 1, means the normal distribution.

    Examples
    --------
    >>> round(quantile(0.95), 4), round(quantile(0.95, df=4), 4)
    (1.96, 2.7764)
    """
    tail = 0.5 + conf_level / 2
    if df is None or df < 1:
        return NormalDist().inv_cdf(tail)
    from scipy.special import stdtrit  # here because most callers never need it, and it costs start-up time

    return float(stdtrit(df, tail))


def account_codes(accounts: Column) -> tuple[Ints, int]:
    """Number the accounts 0, 1, 2, … ; a deal without an account counts as an account of its own.

    Parameters
    ----------
    accounts : sequence
        Account ids, missing where unknown.

    Returns
    -------
    (codes, n_accounts)

    Examples
    --------
    >>> codes, n = account_codes(["a", "b", None, "a", None])
    >>> codes.tolist(), n
    ([0, 1, 2, 0, 3], 4)
    """
    codes, known = pd.factorize(pd.Series(accounts, dtype=object), use_na_sentinel=True)
    codes = codes.astype(np.int64)
    missing = codes < 0
    codes[missing] = len(known) + np.arange(int(missing.sum()))
    return codes, len(known) + int(missing.sum())


def known_accounts(accounts: Column) -> int:
    """Count the accounts that are known; deals without one are not accounts.

    Examples
    --------
    >>> known_accounts(["a", "b", None, "a", None])
    2
    """
    return int(pd.Series(accounts, dtype=object).nunique())


def accounts_worth(size: Column) -> float:
    """Give how many accounts of one size tell as much about how accounts differ: (sum d)^2 / sum d^2 of their sizes.

    References
    ----------
    Carter, Schnepel & Steigerwald 2017, Rev Econ Stat 99:698.

    Examples
    --------
    >>> accounts_worth([2, 1, 1]).__round__(3)
    2.667
    """
    d = np.asarray(size, dtype=float)
    square = float((d**2).sum())
    return float(d.sum()) ** 2 / square if square > 0 else 1.0


def df_of_sizes(size: Column) -> float:
    """Give what accounts of these sizes are worth (`accounts_worth`) less one, at least 1.

    Examples
    --------
    >>> df_of_sizes([2.0, 2.0, 2.0]), df_of_sizes([9.0, 1.0])
    (2.0, 1.0)
    """
    return max(accounts_worth(size) - 1.0, 1.0)


def wilson(x: float, n: float, *, conf_level: float = 0.95, df: float | None = None) -> tuple[float, float]:
    """Give the Wilson score limits of x in n (n may be an effective number, not whole).

    Parameters
    ----------
    x, n : float
        Successes and trials, 0 <= x <= n, n > 0.
    conf_level : float
        Default 0.95.
    df : float, optional
        Use the t quantile with these degrees of freedom instead of the normal one (few clusters).

    Returns
    -------
    (conf_low, conf_high)

    Raises
    ------
    ValueError
        Where n is not positive or x lies outside [0, n].

    References
    ----------
    Wilson 1927, JASA 22:209.

    Examples
    --------
    >>> [round(limit, 4) for limit in wilson(2, 5)]
    [0.1176, 0.7693]
    """
    if not n > 0 or not -1e-9 <= x <= n + 1e-9:
        raise ValueError(f"a proportion needs 0 <= x <= n and n > 0, not x={x} and n={n}")
    z, p = quantile(conf_level, df), min(max(x / n, 0.0), 1.0)
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # at p = 0 and 1 the limit is the estimate itself; rounding must not put it on the wrong side
    return min(max(0.0, float(centre - half)), p), max(min(1.0, float(centre + half)), p)


def clustered_proportion(
    x: Column, n: Column | None = None, *, cluster: Column | None = None, weights: Column | None = None,
    conf_level: float = 0.95,
) -> Interval:  # fmt: skip
    """Estimate which share of the deals had the outcome, with an interval that respects accounts.

    Deals of one account resemble each other, so they hold less information than as many unrelated deals. The variance
    is taken between accounts, and the interval is Wilson's with the number of unrelated deals that would have this
    variance: ``var = C/(C-1) * sum((x_c - p n_c)^2) / n^2``, ``n_eff = p (1-p) / var``, never more than n.

    Parameters
    ----------
    x : sequence of float
        Successes per row (0/1 per deal, or counts).
    n : sequence of float, optional
        Trials per row; 1 by default.
    cluster : sequence, optional
        Account of each row, missing where unknown (then an account of its own). None: plain Wilson.
    weights : sequence of float, optional
        Weight of each row; without clusters the effective number is Kish's.
    conf_level : float
        Default 0.95.

    Returns
    -------
    Interval
        (estimate, std_error, conf_low, conf_high). At 0 or 1 the effective number is the number of accounts. With a
        single account it is 1: nothing then tells how much its deals resemble each other.

    Raises
    ------
    ValueError
        Where there is nothing to count.

    Notes
    -----
    Assumes that accounts are independent of each other; fails where one event (a price change, a competitor) moves many
    accounts at once. Below about ten accounts the t quantile (C - 1 degrees of freedom) keeps the interval honest, but
    wide.

    References
    ----------
    Korn & Graubard 1998, Survey Methodology 24:193 (effective sample size in an exact or score interval);
    Dean & Pagano 2015, J Surv Stat Methodol 3:484 (the Wilson form).

    Examples
    --------
    >>> [round(value, 4) for value in clustered_proportion([1, 0, 0, 1, 0])]
    [0.4, 0.2191, 0.1176, 0.7693]
    """
    hits = np.asarray(x, dtype=float)
    trials = np.ones_like(hits) if n is None else np.asarray(n, dtype=float)
    w = np.ones_like(hits) if weights is None else np.asarray(weights, dtype=float)
    total = float((w * trials).sum())
    if not total > 0:
        raise ValueError("a proportion needs at least one deal")
    p = min(max(float((w * hits).sum()) / total, 0.0), 1.0)
    ceiling = total if weights is None else total**2 / float((w * w * trials).sum())
    if cluster is None:
        effective, df = ceiling, None
    else:
        effective, df = _effective_number(w * (hits - p * trials), trials, account_codes(cluster), (p, total, ceiling))
    low, high = wilson(p * effective, effective, conf_level=conf_level, df=df)
    return Interval(p, float(np.sqrt(p * (1 - p) / effective)), low, high)


def _effective_number(
    residual: Floats, trials: Floats, clusters: tuple[Ints, int], rate: tuple[float, float, float]
) -> tuple[float, float | None]:
    (codes, n_clusters), (p, total, ceiling) = clusters, rate
    in_cluster = np.bincount(codes, weights=trials, minlength=n_clusters)
    occupied = in_cluster > 0
    n_clusters = int(occupied.sum())
    if float(in_cluster.max()) <= 1:
        return ceiling, None  # every deal is its own account: the plain interval
    if n_clusters == 1:
        return 1.0, None
    if p in (0.0, 1.0):
        return min(float(n_clusters), ceiling), n_clusters - 1
    between = np.bincount(codes, weights=residual)[occupied[: codes.max() + 1]]
    variance = n_clusters / (n_clusters - 1) * float((between**2).sum()) / total**2
    if variance <= 0:
        return ceiling, n_clusters - 1
    return min(p * (1 - p) / variance, ceiling), n_clusters - 1


def clustered_ratio(
    numerator: Column, denominator: Column, *, cluster: Column | None = None, conf_level: float = 0.95,
    reps: int = DEFAULT_REPS, seed: int = DEFAULT_SEED,
) -> Interval:  # fmt: skip
    """Estimate a share of amounts (won amount of all amount), with a whole-account bootstrap standard error.

    Parameters
    ----------
    numerator, denominator : sequence of float
        Per deal, in one currency; their sums are divided.
    cluster : sequence, optional
        Account of each deal, missing where unknown. None: deals are resampled.
    conf_level : float
        Default 0.95.
    reps, seed : int
        Number of resamples and the seed they are drawn with.

    Returns
    -------
    Interval
        Wilson's limits of as many unrelated deals as would have this standard error, by t with the accounts' worth
        (`accounts_worth` of their amounts) less one degrees of freedom; percentiles, which hold too little where
        accounts are few, for a ratio that is no share. Both NaN where every resample gives the same ratio (all amounts
        on one side, or a single account), which the caller must put into words.

    Raises
    ------
    ValueError
        Where the denominators do not sum to more than 0.

    Notes
    -----
    A few very large deals make any such interval too short: print the largest deal's share beside it.

    References
    ----------
    Davison & Hinkley 1997, Bootstrap Methods and their Application, sections 2.4 (ratio) and 3.8 (resampling whole
    clusters); Korn & Graubard 1998, Survey Methodology 24:193 (effective sample size in a score interval).

    Examples
    --------
    >>> round(clustered_ratio([100.0, 0.0, 50.0], [100.0, 80.0, 50.0], seed=1).estimate, 4)
    0.6522
    """
    top, bottom = np.asarray(numerator, dtype=float), np.asarray(denominator, dtype=float)
    if not bottom.sum() > 0:
        raise ValueError("a ratio needs a denominator above 0")
    codes, n_clusters = (np.arange(len(top)), len(top)) if cluster is None else account_codes(cluster)
    sums = np.column_stack([np.bincount(codes, weights=values, minlength=n_clusters) for values in (top, bottom)])
    estimate = float(top.sum() / bottom.sum())
    drawn = np.concatenate([block @ sums for block in account_weights(n_clusters, reps=reps, seed=seed)])
    drawn = drawn[drawn[:, 1] > 0]  # a resample without any amount has no ratio
    ratios = drawn[:, 0] / drawn[:, 1]
    spread = float(ratios.std(ddof=1))
    if spread <= 1e-15:
        return Interval(estimate, 0.0, float("nan"), float("nan"))
    # the bootstrap variance is (C-1)/C of the unbiased one
    std_error = spread * float(np.sqrt(n_clusters / (n_clusters - 1)))
    if 0 < estimate < 1 and bool(((top >= 0) & (top <= bottom)).all()):
        effective = estimate * (1 - estimate) / std_error**2
        df = df_of_sizes(sums[:, 1])
        return Interval(estimate, std_error, *wilson(estimate * effective, effective, conf_level=conf_level, df=df))
    low, high = np.quantile(ratios, [0.5 - conf_level / 2, 0.5 + conf_level / 2])
    return Interval(estimate, std_error, min(float(low), estimate), max(float(high), estimate))
