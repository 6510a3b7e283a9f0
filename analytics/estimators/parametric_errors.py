"""Robust errors of parametric models of times: by deal under weights, or by account.

lifelines' own robust errors with weights shrink as the weights are scaled up, and R's survreg(robust = TRUE) sums
squares of dfbetas without their weights. Here every deal's score is taken from its log-likelihood by central
differences, and the squares of weight times score stand between two inverses of the information, so that the scale of
weights does not matter: Huber (1967), Proc 5th Berkeley Symp 1:221. It is the jackknife by weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.estimators.hazards.rows import summed
from analytics.estimators.rates import df_of_sizes

Floats = npt.NDArray[np.float64]
Likelihood = Callable[[Floats], Floats]
STEP = 1e-5


@dataclass(frozen=True)
class Times:
    """What is known of each deal: the outcome fell in (low, high], `exact` on that very time; watched since `entry`."""

    low: Floats
    high: Floats
    entry: Floats

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Times:
        """Read the columns `low`, `high` and, where there is one, `entry`."""
        entry = frame["entry"].to_numpy(dtype=float) if "entry" in frame else np.zeros(len(frame))
        return cls(frame["low"].to_numpy(dtype=float), frame["high"].to_numpy(dtype=float), entry)

    @property
    def exact(self) -> npt.NDArray[np.bool_]:
        """Deals whose outcome has a time, not an interval."""
        return np.asarray(self.low == self.high)

    def likelihood(self, log_open: Likelihood, log_density: Likelihood) -> Floats:
        """Return the log-likelihood of each deal, from log S and log f as functions of times."""
        seen = np.isfinite(self.high)
        start, end = np.exp(log_open(self.low)), np.where(seen, np.exp(log_open(np.where(seen, self.high, 1.0))), 0.0)
        inside = np.log(np.where(self.exact, 1.0, np.maximum(start - end, 1e-300)))
        late = np.where(self.entry > 0, log_open(np.maximum(self.entry, 1e-300)), 0.0)
        return np.asarray(np.where(self.exact, log_density(self.low), inside) - late)


def stretched(times: Times, distribution: str, x: Floats) -> Likelihood:
    """Return each deal's log-likelihood in (coefficients, log scale) of an accelerated failure time model.

    Kalbfleisch & Prentice (2002), section 2.2: z = (log t - x b) / scale with extreme value, normal or logistic errors.
    """
    from scipy.special import expit, log_expit, log_ndtr

    def of(theta: Floats) -> Floats:
        scale, centre = np.exp(theta[-1]), x @ theta[:-1]

        def z(t: Floats) -> Floats:
            with np.errstate(divide="ignore"):
                return np.asarray((np.log(t) - centre) / scale)

        def log_open(t: Floats) -> Floats:
            at = z(t)
            if distribution == "weibull":
                return np.asarray(-np.exp(np.minimum(at, 700.0)))
            return np.asarray(log_ndtr(-at) if distribution == "lognormal" else log_expit(-at))

        def log_density(t: Floats) -> Floats:
            at, jacobian = z(t), theta[-1] + np.log(t)
            if distribution == "weibull":
                return np.asarray(at - np.exp(np.minimum(at, 700.0)) - jacobian)
            if distribution == "lognormal":
                return np.asarray(-(at**2) / 2 - np.log(2 * np.pi) / 2 - jacobian)
            return np.asarray(np.log(np.maximum(expit(at) * expit(-at), 1e-300)) - jacobian)

        return times.likelihood(log_open, log_density)

    return of


def cured(times: Times) -> Likelihood:
    """Return each deal's log-likelihood in (log odds of never, log shape, log scale) of the Weibull cure model."""
    from scipy.special import expit

    def of(theta: Floats) -> Floats:
        never, shape, scale = expit(theta[0]), np.exp(theta[1]), np.exp(theta[2])

        def hazard(t: Floats) -> Floats:
            return np.asarray((t / scale) ** shape)

        def log_open(t: Floats) -> Floats:
            return np.asarray(np.log(never + (1 - never) * np.exp(-np.minimum(hazard(t), 700.0))))

        def log_density(t: Floats) -> Floats:
            return np.asarray(np.log(1 - never) + np.log(shape / t) + np.log(hazard(t)) - hazard(t))

        return times.likelihood(log_open, log_density)

    return of


def robust_covariance(
    of: Likelihood, theta: Floats, inverse: Floats, w: Floats, unit: npt.NDArray[np.int64] | None
) -> Floats:
    """Return the sandwich at `theta`, `inverse` the inverse information under the weights; by unit times C/(C-1)."""
    scores = np.empty((len(w), len(theta)))
    for k in range(len(theta)):
        step = np.zeros(len(theta))
        step[k] = STEP * max(1.0, abs(float(theta[k])))
        scores[:, k] = (of(theta + step) - of(theta - step)) / (2 * step[k])
    moved = (scores * w[:, None]) @ inverse
    if unit is None:
        return np.asarray(moved.T @ moved)
    units = int(unit.max()) + 1
    sums = summed(unit, moved, units)
    return np.asarray(sums.T @ sums * (units / (units - 1) if units > 1 else np.nan))


def account_df(unit: npt.NDArray[np.int64] | None, w: Floats) -> float:
    """Return what accounts of these weights are worth less one; infinite without accounts."""
    return float("inf") if unit is None else df_of_sizes(np.bincount(unit, weights=w))
