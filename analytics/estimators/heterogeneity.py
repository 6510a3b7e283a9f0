"""Does a figure really change from quarter to quarter, by how much, and where will the next quarter's lie?"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.estimators.rates import Column, quantile
from analytics.estimators.result import Estimate, Meta
from analytics.records.errors import InputError, nearest

Floats = npt.NDArray[np.float64]
Method = Literal["reml", "paule_mandel", "dersimonian_laird"]
TWO = "a prediction needs at least three quarters"
SAME = "the figures are all the same, which says nothing of how they would vary"
CLOSE = (
    "The figures lie closer together than chance leaves all but a few of 100 sets of equal ones; that no spread goes "
    "with them is why its limits are both 0."
)
STEPS = 500
SPREADS, MEANS, HALVINGS = 60, 30, 40
"""Steps in which the confidence distributions of tau and of the mean are taken."""


def heterogeneity(
    estimate: Column, std_error: Column, *, method: Method = "reml", conf_level: float = 0.95, unit: str = "probability"
) -> Estimate:
    """How much do the true values of quarters (teams, segments) differ, beyond what chance makes of one value?

    Parameters
    ----------
    estimate, std_error : sequence of float
        One figure per quarter with its standard error, from different deals; on a scale on which they are about normal.
    method : {"reml", "paule_mandel", "dersimonian_laird"}
        How the spread tau is estimated.
    conf_level : float
    unit : str
        Unit of the figures.

    Returns
    -------
    Estimate
        Kind mean, key `("quantity",)`: "mean" (with the Hartung-Knapp interval), "prediction" (the mean again, between
        which limits a new quarter's true value lies), "tau" (standard deviation of true values, Q-profile limits) and
        "i_squared" (share of the variation that is not chance). `statistic`, `df` and `p_value` on each row are
        Cochran's test that all quarters are the same. Figures that are all equal have no limits; where no spread at all
        goes with figures that lie so close together, the limits of tau are both 0 and the note says so.

    Raises
    ------
    InputError
        Fewer than two figures, missing ones, a standard error that is not positive.

    Notes
    -----
    With few quarters tau is known badly: read its limits. The prediction takes that into account: it is the
    distribution of mean + tau Z + t, with t of the mean (Hartung-Knapp, k - 1 degrees of freedom) and tau drawn from
    its confidence distribution, whose quantiles are the Q-profile limits of all levels. I squared grows with the number
    of deals per quarter and says nothing of size. It assumes that quarters have no trend and share no accounts to speak
    of. DerSimonian & Laird (1986), Control Clin Trials 7:177; Paule & Mandel (1982); Viechtbauer (2005), J Educ Behav
    Stat 30:261 (REML), (2007), Stat Med 26:37 (Q-profile); Hartung & Knapp (2001), Stat Med 20:3875; Nagashima, Noma &
    Furukawa (2019), Stat Methods Med Res 28:1689 (prediction; here with the statistic of the Q-profile); Higgins &
    Thompson (2002), Stat Med 21:1539 (I squared).

    Examples
    --------
    >>> result = heterogeneity([0.30, 0.22, 0.35, 0.41], [0.04, 0.04, 0.04, 0.04])
    >>> result.frame["estimate"].round(4).tolist()  # equal errors: tau^2 is the variance between minus 0.04^2
    [0.32, 0.32, 0.0698, 0.7526]
    """
    y, s = np.asarray(estimate, dtype=float), np.asarray(std_error, dtype=float)
    if method not in get_args(Method):
        raise InputError(
            "there is no such estimate of the spread", value=method, action=nearest(method, get_args(Method))
        )
    if len(y) < 2 or len(y) != len(s):
        raise InputError("a spread needs at least two figures, each with its standard error", value=(len(y), len(s)))
    if not (np.isfinite(y).all() and np.isfinite(s).all() and (s > 0).all()):
        raise InputError("a figure is missing, or its standard error is not positive", action="Leave such quarters out")
    v, k = s**2, len(y)
    tau2 = {"reml": _reml, "paule_mandel": _paule_mandel, "dersimonian_laird": _dersimonian_laird}[method](y, v)
    w = 1 / (v + tau2)
    mean = float(w @ y / w.sum())
    error = float(np.sqrt(w @ (y - mean) ** 2 / ((k - 1) * w.sum())))
    reach = quantile(conf_level, k - 1) * error
    ahead = _next_value(y, v, conf_level) if k > 2 else (np.nan, np.nan)
    low, high = _q_profile(y, v, conf_level)
    typical = _typical_variance(v)
    statistic = _cochran(y, v, 0.0)
    rows: list[dict[str, Any]] = [
        {"quantity": "mean", "estimate": mean, "std_error": error, "conf_low": mean - reach, "conf_high": mean + reach},
        {"quantity": "prediction", "estimate": mean, "std_error": np.nan,
         "conf_low": min(ahead[0], mean), "conf_high": max(ahead[1], mean)},
        {"quantity": "tau", "estimate": np.sqrt(tau2), "std_error": np.nan, "conf_low": min(low, tau2) ** 0.5,
         "conf_high": max(high, tau2) ** 0.5},
    ]  # fmt: skip
    share = {
        name: rows[2][name] ** 2 / (rows[2][name] ** 2 + typical) for name in ("estimate", "conf_low", "conf_high")
    }
    rows.append({"quantity": "i_squared", "std_error": np.nan, **share})
    frame = pd.DataFrame(rows).assign(statistic=statistic, df=k - 1, p_value=_upper_tail(statistic, k - 1))
    frame["no_interval_reason"] = np.where(frame["conf_low"].isna(), TWO, "")
    if np.ptp(y) <= 1e-14 * np.abs(y).max():
        blank = ["std_error", "conf_low", "conf_high"]
        frame = frame.assign(**dict.fromkeys(blank, np.nan), no_interval_reason=SAME)
    return Estimate(frame, Meta(
        kind="mean", estimand="mean, spread and next value of figures that differ by more than chance",
        keys=("quantity",), n_deals=0, conf_level=conf_level, unit=unit,
        interval="Hartung-Knapp (mean), confidence distribution (prediction), Q-profile (tau, I squared)",
        variance=method, note=CLOSE if high <= 0 else "",
    ))  # fmt: skip


def _cochran(y: Floats, v: Floats, tau2: float) -> float:
    w = 1 / (v + tau2)
    return float(w @ (y - w @ y / w.sum()) ** 2)


def _typical_variance(v: Floats) -> float:
    w = 1 / v
    return float((len(v) - 1) * w.sum() / (w.sum() ** 2 - (w**2).sum()))


def _upper_tail(statistic: float, df: int) -> float:
    from scipy.special import chdtrc

    return float(chdtrc(df, statistic))


def _dersimonian_laird(y: Floats, v: Floats) -> float:
    w = 1 / v
    return max((_cochran(y, v, 0.0) - (len(y) - 1)) / float(w.sum() - (w**2).sum() / w.sum()), 0.0)


def _paule_mandel(y: Floats, v: Floats) -> float:
    return _root(lambda tau2: _cochran(y, v, tau2) - (len(y) - 1), float(np.var(y, ddof=1)))


def _q_profile(y: Floats, v: Floats, conf_level: float) -> tuple[float, float]:
    """Return the tau^2 at which Cochran's statistic is at its upper and its lower quantile."""
    from scipy.special import chdtri

    tail, df = (1 - conf_level) / 2, len(y) - 1
    spread = float(np.var(y, ddof=1))

    def at(quantile_: float) -> float:
        return _root(lambda tau2: _cochran(y, v, tau2) - quantile_, spread)

    return at(float(chdtri(df, tail))), at(float(chdtri(df, 1 - tail)))


def _next_value(y: Floats, v: Floats, conf_level: float) -> tuple[float, float]:
    """Return the limits of a new quarter's true value: quantiles of a mixture of normals over spreads and means."""
    from scipy.special import ndtr, stdtrit

    (at, weight), (level, of_mean) = _levels(SPREADS), _levels(MEANS)
    tau2 = _confidence_distribution(y, v, at)[:, None]
    w = 1 / (v + tau2)
    mean = w @ y / w.sum(axis=1)
    error = np.sqrt((w * (y - mean[:, None]) ** 2).sum(axis=1) / ((len(y) - 1) * w.sum(axis=1)))
    t = stdtrit(len(y) - 1, level)
    # a spread of 0 is a step, which the steps of the mean then smooth
    spread = np.maximum(np.sqrt(tau2), error[:, None] / MEANS) + 1e-12 * float(np.sqrt(v.min()))
    centre = mean[:, None] + error[:, None] * t
    low, high = float((centre - 9 * spread).min()), float((centre + 9 * spread).max())

    def reached(tail: float) -> float:
        return low + _root(lambda x: tail - float(weight @ ndtr((x + low - centre) / spread) @ of_mean), high - low)

    return reached(0.5 - conf_level / 2), reached(0.5 + conf_level / 2)


@cache
def _levels(count: int) -> tuple[Floats, Floats]:
    """Return probabilities between 0 and 1, closer together at the ends, and their weights (Gauss-Legendre)."""
    at, weight = np.polynomial.legendre.leggauss(count)
    return (1 + at) / 2, weight / 2


def _confidence_distribution(y: Floats, v: Floats, level: Floats) -> Floats:
    """Return the tau^2 at these quantiles of its confidence distribution, by bisection."""
    from scipy.special import chdtri

    target = chdtri(len(y) - 1, level)

    def statistic(tau2: Floats) -> Floats:
        w = 1 / (v + tau2[:, None])
        mean = w @ y / w.sum(axis=1)
        return np.asarray((w * (y - mean[:, None]) ** 2).sum(axis=1))

    low, high = np.zeros(len(level)), np.full(len(level), max(float(np.var(y, ddof=1)), 1e-12))
    while (statistic(high) > target).any():
        high = np.where(statistic(high) > target, 4 * high, high)
    zero = statistic(low) <= target
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        above = statistic(middle) > target
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(zero, 0.0, high)


def _root(falling: Callable[[float], float], scale: float) -> float:
    """Return where a falling function crosses 0, 0 where it begins below."""
    from scipy.optimize import brentq

    if falling(0.0) <= 0:
        return 0.0
    top = max(scale, 1e-12)
    while falling(top) > 0:
        top *= 4
    return float(brentq(falling, 0.0, top, xtol=1e-16 * max(top, 1.0), rtol=1e-14, maxiter=500))


def _reml(y: Floats, v: Floats) -> float:
    """Fisher scoring on the restricted likelihood, kept at or above 0; Viechtbauer (2005), eq. 12."""

    def score(tau2: float) -> float:
        w = 1 / (v + tau2)
        return float(w**2 @ (y - w @ y / w.sum()) ** 2 - w.sum() + (w**2).sum() / w.sum())

    tau2 = _dersimonian_laird(y, v)
    for _ in range(STEPS):
        w = 1 / (v + tau2)
        information = (w**2).sum() - 2 * (w**3).sum() / w.sum() + ((w**2).sum() / w.sum()) ** 2
        new = max(tau2 + score(tau2) / float(information), 0.0)
        if abs(new - tau2) <= 1e-14 * (tau2 + float(v.min())):
            return new
        tau2 = new
    return _root(score, tau2)  # with few pairs the steps can become too small, or go to and fro
