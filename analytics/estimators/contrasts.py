"""Differences between two groups or quarters, what they are worth, and what could have been shown."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.estimators.intervals import mover_reach
from analytics.estimators.rates import Column, Interval, account_codes, clustered_proportion, quantile, wilson
from analytics.estimators.result import Verdict

Floats = NDArray[np.float64]

RELIABLY = 2.8
"""Standard errors beyond the margin at which a change is shown in 4 of 5 repetitions (1.96 + 0.84)."""


def verdict(
    estimate: float, std_error: float, conf_low: float, conf_high: float, margin: float, *, df: float | None = None
) -> Verdict:
    """Say what a difference amounts to, against the smallest one that matters.

    Parameters
    ----------
    estimate, std_error : float
        The difference and its standard error.
    conf_low, conf_high : float
        Its 95 % limits.
    margin : float
        The practical difference, set before looking; same unit, at least 0.
    df : float, optional
        Degrees of freedom of the 90 % interval; normal without.

    Returns
    -------
    str
        "shown and large enough to matter": the interval lies beyond the margin.
        "too small to matter": the 90 % interval lies inside ±margin (two one-sided tests at 5 %); decided before the
        next, so that a real but trifling difference is called trifling.
        "shown, size unclear": the interval excludes 0.
        "cannot tell": everything else, and whenever there is no interval.

    Raises
    ------
    ValueError
        Where the margin is negative or not a number.

    References
    ----------
    Schuirmann 1987, J Pharmacokin Biopharm 15:657 (two one-sided tests).

    Examples
    --------
    >>> verdict(-0.03, 0.036, -0.10, 0.04, margin=0.03)
    'cannot tell'
    >>> verdict(0.10, 0.02, 0.06, 0.14, margin=0.03)
    'shown and large enough to matter'
    >>> verdict(0.002, 0.01, -0.018, 0.022, margin=0.03)
    'too small to matter'
    """
    if not margin >= 0:
        raise ValueError(f"a practical difference is a number of at least 0, not {margin}")
    if not np.isfinite([estimate, std_error, conf_low, conf_high]).all() or std_error <= 0:
        return "cannot tell"
    if conf_low > margin or conf_high < -margin:
        return "shown and large enough to matter"
    reach = quantile(0.90, df) * std_error
    if -margin < estimate - reach and estimate + reach < margin:
        return "too small to matter"
    if conf_low > 0 or conf_high < 0:
        return "shown, size unclear"
    return "cannot tell"


def smallest_reliable_change(std_error: float, margin: float) -> float:
    """Give the smallest change that would reliably have been shown large enough to matter.

    It is the margin plus 2.8 standard errors: with a true change of this size the 95 % interval lies beyond the margin
    in about 4 of 5 quarters.

    Parameters
    ----------
    std_error : float
        Of the difference.
    margin : float
        The practical difference.

    Examples
    --------
    >>> round(smallest_reliable_change(0.039, 0.03), 4)
    0.1392
    """
    return margin + RELIABLY * std_error


def newcombe_difference(
    x_now: float, n_now: float, x_then: float, n_then: float, *, conf_level: float = 0.95
) -> Interval:
    """Estimate the difference of two independent proportions (now − then) from their Wilson limits.

    Parameters
    ----------
    x_now, n_now, x_then, n_then : float
        Successes and trials.
    conf_level : float
        Default 0.95.

    Returns
    -------
    Interval

    Notes
    -----
    Assumes that no account has deals in both groups; otherwise use `clustered_difference`. A group without deals is a
    ValueError.

    References
    ----------
    Newcombe 1998, Stat Med 17:873, method 10.

    Examples
    --------
    >>> [round(value, 4) for value in newcombe_difference(56, 70, 48, 80)][2:]
    [0.0524, 0.3339]
    """
    n, m = n_now, n_then
    low, high = wilson(x_now, n, conf_level=conf_level)
    other_low, other_high = wilson(x_then, m, conf_level=conf_level)
    p, q = x_now / n, x_then / m
    std_error = float(np.sqrt(p * (1 - p) / n + q * (1 - q) / m))
    below = float(np.sqrt((p - low) ** 2 + (other_high - q) ** 2))
    above = float(np.sqrt((high - p) ** 2 + (q - other_low) ** 2))
    return Interval(p - q, std_error, p - q - below, p - q + above)


def mover_difference(now: Interval, then: Interval) -> Interval:
    """Estimate the difference of two independent estimates (now − then) from the limits that were printed of each.

    Parameters
    ----------
    now, then : Interval
        Estimate, standard error and limits, all at one confidence level.

    Returns
    -------
    Interval
        MOVER: each limit of the difference is as far from it as the two near limits are from theirs, added as squares.
        NaN where a side has no limits.

    Notes
    -----
    Assumes that what is known of one side says nothing of the other. Where the same accounts are on both sides and
    their deals go the same way the true interval is narrower; `analytics.estimators.influence.difference` allows for
    it, and needs the deals.

    References
    ----------
    Zou & Donner 2008, Stat Med 27:1693, eq. 9; of two Wilson intervals it is Newcombe's method 10.

    Examples
    --------
    >>> newcombe = mover_difference(Interval(0.8, 0.048, *wilson(56, 70)), Interval(0.6, 0.055, *wilson(48, 80)))
    >>> [round(value, 4) for value in newcombe][2:]
    [0.0524, 0.3339]
    """
    change = now.estimate - then.estimate
    one, other = ((side.estimate, side.conf_low, side.conf_high) for side in (now, then))
    below, above = map(float, mover_reach(one, other))
    return Interval(change, float(np.hypot(now.std_error, then.std_error)), change - below, change + above)


def clustered_difference(
    x_now: Column, accounts_now: Column, x_then: Column, accounts_then: Column, *, conf_level: float = 0.95
) -> Interval:
    """Estimate the difference of two proportions (now − then) whose deals may belong to the same accounts.

    Parameters
    ----------
    x_now, x_then : sequence of 0/1
        One value per deal.
    accounts_now, accounts_then : sequence
        Their accounts, missing where unknown (then an account of its own).
    conf_level : float
        Default 0.95.

    Returns
    -------
    Interval
        Linearised: each account's part of the difference is summed over both groups before it is squared, so an account
        in both groups counts once; accounts are taken as independent. t with C − 1 degrees of freedom. Limits are NaN
        with a single account. Where nobody or everybody of a group had the outcome, its deals show no error: limits are
        then MOVER's, from the Wilson limits of both groups by account.

    Raises
    ------
    ValueError
        A group without deals.

    References
    ----------
    Binder 1983, Int Stat Rev 51:279 (linearisation); Cochran 1977, Sampling Techniques, chapter 9A; Zou & Donner 2008,
    Stat Med 27:1693, eq. 9.

    Examples
    --------
    >>> now, then = [1, 1, 0, 1], [0, 1, 0, 0]
    >>> difference = clustered_difference(now, ["a", "b", "c", "d"], then, ["a", "b", "e", "f"])
    >>> round(difference.estimate, 3), round(difference.std_error, 3)
    (0.5, 0.306)
    """
    now, then = np.asarray(x_now, dtype=float), np.asarray(x_then, dtype=float)
    if not (len(now) and len(then)):
        raise ValueError("a difference needs at least one deal in each group")
    both: list[Any] = [*list(accounts_now), *list(accounts_then)]
    codes, n_clusters = account_codes(both)
    p, q = float(now.mean()), float(then.mean())
    part = np.concatenate([(now - p) / len(now), -(then - q) / len(then)])
    sums = np.bincount(codes, weights=part, minlength=n_clusters)
    if n_clusters < 2:
        return Interval(p - q, float("nan"), float("nan"), float("nan"))
    std_error = float(np.sqrt(n_clusters / (n_clusters - 1) * (sums**2).sum()))
    if {p, q} & {0.0, 1.0}:
        sides = ((now, accounts_now), (then, accounts_then))
        apart = [clustered_proportion(x, cluster=accounts, conf_level=conf_level) for x, accounts in sides]
        return mover_difference(apart[0], apart[1])
    half = quantile(conf_level, n_clusters - 1) * std_error
    return Interval(p - q, std_error, p - q - half, p - q + half)


def two_sided_p(estimate: float, std_error: float, df: float = float("inf")) -> float:
    """Give the two-sided p-value of estimate / std_error against normal or t (`df`); NaN without a standard error.

    Examples
    --------
    >>> round(two_sided_p(1.959964, 1.0), 4)
    0.05
    """
    if not (np.isfinite(std_error) and std_error > 0 and np.isfinite(estimate)):
        return float("nan")
    if np.isfinite(df):
        from scipy.special import stdtr

        return float(2 * stdtr(df, -abs(estimate) / std_error))
    return 2 * NormalDist().cdf(-abs(estimate) / std_error)


def p_from_limits(estimate: float, conf_low: float, conf_high: float, *, conf_level: float = 0.95) -> float:
    """Give the two-sided p-value that agrees with an interval which need not lie evenly around its estimate.

    Parameters
    ----------
    estimate, conf_low, conf_high : float
        A difference and its limits.
    conf_level : float
        Level of the limits.

    Returns
    -------
    float
        The distance from the estimate to the limit on the side of 0 is taken as z standard errors, so p is below
        1 − conf_level exactly where the interval excludes 0. NaN without limits.

    Examples
    --------
    >>> round(p_from_limits(0.2, 0.0, 0.3), 3), round(p_from_limits(-0.2, -0.5, -0.05), 4)
    (0.05, 0.009)
    """
    width = estimate - conf_low if estimate > 0 else conf_high - estimate
    if not (np.isfinite(width) and width > 0):
        return float("nan")
    return two_sided_p(estimate, width / quantile(conf_level))


def unrecorded_outcomes(outcomes: Column) -> str:
    """Say how many closings have no recorded outcome, and that differences cannot be told then; empty with none.

    Unknown is not the same as not won: any difference could lie in what was not recorded.

    Examples
    --------
    >>> unrecorded_outcomes(["won", "lost", "unknown", "open"])
    '1 of 3 closings have no recorded outcome, so differences cannot be told from what was not recorded.'
    """
    values = np.asarray(outcomes, dtype=object)
    unknown, closed = int((values == "unknown").sum()), int((values != "open").sum())
    if not unknown:
        return ""
    return (
        f"{unknown:,} of {closed:,} closings have no recorded outcome, so differences cannot be told from what was "
        "not recorded."
    )


def benjamini_hochberg(p_values: Column) -> Floats:
    """Adjust p-values so that rejecting those at most q keeps the false discovery rate at q.

    Parameters
    ----------
    p_values : sequence of float
        The whole family, fixed before looking; NaN (not tested) stays NaN and does not count.

    References
    ----------
    Benjamini & Hochberg 1995, JRSS B 57:289.

    Examples
    --------
    >>> [round(float(p), 3) for p in benjamini_hochberg([0.01, 0.04, 0.03])]
    [0.03, 0.04, 0.04]
    """
    p = np.asarray(p_values, dtype=float)
    adjusted = np.full(p.shape, np.nan)
    tested = np.flatnonzero(np.isfinite(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    scaled = p[order] * len(order) / np.arange(1, len(order) + 1)
    adjusted[order] = np.minimum.accumulate(np.minimum(scaled, 1.0)[::-1])[::-1]
    return adjusted
