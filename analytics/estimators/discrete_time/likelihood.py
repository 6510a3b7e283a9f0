"""The multinomial logit on counts: log-likelihood, score and information at some linear predictors.

In a period with n at risk, p_k = exp(eta_k) / (1 + sum exp(eta)) end in outcome k and the rest stay open; the
log-likelihood is sum of d_k eta_k - n log(1 + sum exp(eta)). McCullagh & Nelder (1989), section 5.2.4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Counts:
    """What the model is fitted to: covariates with a leading 1 `(rows, terms)`, at risk `(rows,)`, outcomes by row.

    `group` numbers the group of each row from 0, where the model has random intercepts.
    """

    x: Floats
    n: Floats
    d: Floats
    group: Ints | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Terms and outcomes: coefficients are arrays of this shape."""
        return self.x.shape[1], self.d.shape[1]


@dataclass(frozen=True)
class Point:
    """The likelihood at some linear predictors: its value, the hazards of each row and the residuals d - n p."""

    loglik: float
    hazard: Floats
    residual: Floats


def evaluate(counts: Counts, eta: Floats) -> Point:
    """Evaluate the likelihood at linear predictors `(rows, outcomes)`."""
    top = np.maximum(eta.max(axis=1), 0.0)[:, None]
    odds = np.exp(eta - top)
    total = np.exp(-top) + odds.sum(axis=1, keepdims=True)
    loglik = (counts.d * eta).sum() - (counts.n[:, None] * (top + np.log(total))).sum()
    hazard = odds / total
    return Point(float(loglik), hazard, counts.d - counts.n[:, None] * hazard)


def curvature(counts: Counts, point: Point) -> Floats:
    """Return n (p_k 1{k = l} - p_k p_l) of each row, `(rows, outcomes, outcomes)`."""
    p = point.hazard
    each = -p[:, :, None] * p[:, None, :]
    k = np.arange(p.shape[1])
    each[:, k, k] += p
    return np.asarray(each * counts.n[:, None, None])


def information(x: Floats, curved: Floats) -> Floats:
    """Return the information of the coefficients, outcome by outcome, `(outcomes * terms, outcomes * terms)`."""
    terms, outcomes = x.shape[1], curved.shape[1]
    whole = np.empty((outcomes, terms, outcomes, terms))
    for k in range(outcomes):
        for j in range(k, outcomes):
            whole[k, :, j, :] = x.T @ (x * curved[:, k, j, None])
            whole[j, :, k, :] = whole[k, :, j, :].T
    return whole.reshape(outcomes * terms, outcomes * terms)


def stacked(by_term: Floats) -> Floats:
    """Put `(terms, outcomes)` into one vector, outcome by outcome."""
    return np.asarray(by_term.T.reshape(-1))


def unstacked(vector: Floats, terms: int) -> Floats:
    """Undo `stacked`."""
    return np.asarray(vector.reshape(-1, terms).T)
