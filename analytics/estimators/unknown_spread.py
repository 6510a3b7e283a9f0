"""Shares of groups when nobody knows how much the groups differ: their posterior over all mean shares and spreads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
COARSE, FINE = 40, 25
STEPS = 60
NEGLIGIBLE = 1e-4
"""A spread with less of the posterior than this is left out."""


@dataclass(frozen=True, eq=False)
class SpreadPosterior:
    """The shares of groups under each of a grid of spreads, and how credible each spread is.

    Attributes
    ----------
    weight : array (spreads,)
        Sums to 1.
    mean, variance : array (spreads, groups, outcomes)
        Of the shares, if the spread were this one.
    """

    weight: Floats
    mean: Floats
    variance: Floats

    def total_variance(self) -> Floats:
        """Return the variance of each share, that of the spread included."""
        centre = np.einsum("j,jik->ik", self.weight, self.mean)
        return np.asarray(np.einsum("j,jik->ik", self.weight, self.variance + (self.mean - centre) ** 2))

    def limits(self, conf_level: float) -> tuple[Floats, Floats]:
        """Return the central limits of each share: quantiles of a mixture of Beta distributions."""
        tails = (0.5 - conf_level / 2, 0.5 + conf_level / 2)
        inside = (self.mean > 0).all(axis=0) & (self.mean < 1).all(axis=0)
        low, high = (np.where(inside, 0.0, self.mean[0]) for _ in tails)
        m, v = self.mean[:, inside], self.variance[:, inside]
        size = np.maximum(m * (1 - m) / v - 1, 1e-3)
        low[inside], high[inside] = (_quantile(tail, self.weight, m * size, (1 - m) * size) for tail in tails)
        return low, high


def spread_posterior(counts: Floats) -> SpreadPosterior:
    """Weigh every spread between groups by how well it goes with their counts.

    Parameters
    ----------
    counts : array (groups, outcomes)
        May be effective numbers, not whole; every group has some.

    Notes
    -----
    Groups' shares are Dirichlet (Beta with two outcomes) with correlation rho of two deals of one group. rho is uniform
    on (0, 1) beforehand, the common shares are flat; they are integrated out given rho as if normal about their
    weighted mean, rho on a grid of log((1 - rho) / rho). Everson & Bradlow (2002), J Comput Graph Stat 11:202, do the
    same integral for two outcomes; Kass & Steffey (1989), JASA 84:717, approximate it about the maximum, which knows
    nothing of a spread whose estimate is 0.

    Examples
    --------
    >>> found = spread_posterior(np.array([[3.0, 7], [6, 14], [9, 21], [12, 28], [15, 35]]))
    >>> low, high = found.limits(0.95)
    >>> low[:, 0].round(3).tolist(), high[:, 0].round(3).tolist()
    ([0.147, 0.17, 0.184, 0.194, 0.201], [0.477, 0.447, 0.429, 0.417, 0.409])
    """
    x = np.asarray(counts, dtype=float)
    wide = np.linspace(-3.0, np.log(x.sum(axis=1).max()) + 6.0, COARSE)
    height = _given(wide, x)[2]
    near, step = wide[height > height.max() - 12.0], wide[1] - wide[0]
    fine = np.linspace(near[0] - step, near[-1] + step, FINE)
    share, precision, height = _given(fine, x)
    weight = np.exp(height - height.max())
    kept = weight > NEGLIGIBLE * weight.sum()
    s, share, precision = np.exp(fine[kept])[:, None, None], share[kept, None, :], precision[kept, None, None]
    size = s + x.sum(axis=1)[None, :, None]
    mean = (s * share + x) / size
    of_share = (s / size) ** 2 * share * (1 - share) / precision
    variance = (mean * (1 - mean) - of_share) / (size + 1) + of_share
    return SpreadPosterior(weight[kept] / weight[kept].sum(), mean, variance)


def _given(log_size: Floats, x: Floats) -> tuple[Floats, Floats, Floats]:
    """Return, per sum of the parameters: common shares, their effective number of deals, log posterior of its log."""
    from scipy.special import gammaln

    s, n = np.exp(log_size)[:, None], x.sum(axis=1)
    worth = n * (s + 1) / (s + n)
    precision = worth.sum(axis=1)
    share = worth @ (x / n[:, None]) / precision[:, None]
    there = x.sum(axis=0) > 0
    a = s[:, :, None] * share[:, None, there]
    height = (gammaln(a + x[:, there]) - gammaln(a)).sum(axis=(1, 2)) + (gammaln(s) - gammaln(s + n)).sum(axis=1)
    # the shares integrated out, and a uniform rho = 1 / (1 + s) on the scale of log s
    height += -0.5 * (there.sum() - 1) * np.log(precision) + log_size - 2 * np.log1p(s[:, 0])
    return share, precision, height


def _quantile(tail: float, weight: Floats, a: Floats, b: Floats) -> Floats:
    """Return where mixtures of Beta distributions `(spreads, cells)` reach a tail (Newton, kept in a bracket)."""
    from scipy.special import betainc, betaincinv, betaln

    low, high = np.zeros(a.shape[1]), np.ones(a.shape[1])
    at, constant = np.clip(betaincinv(weight @ a, weight @ b, tail), 1e-300, 1 - 1e-15), betaln(a, b)
    for _ in range(STEPS):
        over = weight @ betainc(a, b, at) - tail
        low, high = np.where(over > 0, low, at), np.where(over > 0, at, high)
        slope = weight @ np.exp((a - 1) * np.log(at) + (b - 1) * np.log1p(-at) - constant)
        new = at - over / np.maximum(slope, 1e-300)
        new = np.where((new >= low) & (new <= high), new, (low + high) / 2)
        if np.abs(new - at).max(initial=0.0) < 1e-8:
            break
        at = np.clip(new, 1e-300, 1 - 1e-16)
    return np.asarray(at, dtype=float)
