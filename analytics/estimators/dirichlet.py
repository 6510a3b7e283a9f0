"""Shares of several outcomes in many small groups, shrunk together so that they still add to 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.estimators.result import Estimate, Meta
from analytics.estimators.shrinkage import FEWEST_GROUPS, Status, beta_limits
from analytics.estimators.unknown_spread import spread_posterior
from analytics.records.errors import InputError

Floats = npt.NDArray[np.float64]
STEPS = 300
SAYS: dict[Status, str] = {
    "shrunken": "Shares are drawn towards the common ones.",
    "pooled": "The groups differ no more than chance would have it, so every group has the common shares.",
    "refused": "There are too few groups to learn how much they differ, so nothing is shrunk.",
}


@dataclass(frozen=True)
class DirichletMultinomial:
    """A fitted Dirichlet-multinomial distribution.

    Attributes
    ----------
    alpha : array (outcomes,)
        Parameters; infinite where the groups do not differ, 0 for an outcome that nobody had.
    share : array (outcomes,)
        Mean shares.
    rho : float
        Correlation of two deals of one group, 1 / (1 + sum of alpha).
    loglik : float
    covariance : array (outcomes, outcomes)
        Of log alpha.
    status : "shrunken" or "pooled"
    """

    alpha: Floats
    share: Floats
    rho: float
    loglik: float
    covariance: Floats
    status: Status


def dirichlet_multinomial(counts: Floats) -> DirichletMultinomial:
    """Fit the Dirichlet-multinomial distribution to counts of outcomes per group, by maximum likelihood.

    Parameters
    ----------
    counts : array (groups, outcomes)
        May be effective numbers, not whole.

    Raises
    ------
    InputError
        Fewer than two groups, a group without deals, negative counts.
    ArithmeticError
        A search that does not settle.

    Notes
    -----
    Assumes that the groups' shares are drawn from one Dirichlet distribution; one outlying group widens it for all.

    References
    ----------
    Mosimann 1962, Biometrika 49:65; Minka 2000 (Newton's method); Paul, Liang & Self 1989, Biometrics 45:231
    (boundary).

    Examples
    --------
    >>> fit = dirichlet_multinomial(np.array([[1.0, 6, 3], [9, 9, 2], [3, 10, 2], [12, 5, 3], [5, 15, 5]]))
    >>> fit.status, fit.share.round(3).tolist(), round(fit.rho, 3)
    ('shrunken', [0.321, 0.502, 0.177], 0.029)
    """
    x = np.asarray(counts, dtype=float)
    if x.ndim != 2 or len(x) < 2 or (x < 0).any() or (x.sum(axis=1) <= 0).any():
        raise InputError("a spread between groups needs at least two groups, each with at least one deal")
    there = x.sum(axis=0) > 0
    pooled = x.sum(axis=0) / x.sum()
    alpha, covariance = np.zeros(x.shape[1]), np.zeros((x.shape[1], x.shape[1]))
    if there.sum() < 2 or not _asks_for_spread(x[:, there]):
        alpha[there] = np.inf
        return DirichletMultinomial(alpha, pooled, 0.0, float("nan"), covariance, "pooled")
    found = _newton(x[:, there])
    alpha[there] = np.exp(found)
    covariance[np.ix_(there, there)] = np.linalg.inv(-_derivatives(found, x[:, there])[1])
    total = float(alpha.sum())
    value = _loglik(found, x[:, there]) + _constant(x)
    return DirichletMultinomial(alpha, alpha / total, 1 / (1 + total), value, covariance, "shrunken")


def shrink_shares(
    counts: pd.DataFrame, *, conf_level: float = 0.95, widen: bool = True, fewest_groups: int = FEWEST_GROUPS
) -> Estimate:
    """What is each group's share of every outcome once chance is taken out?

    Parameters
    ----------
    counts : pandas.DataFrame
        One row per group (its index names them), one column per outcome.
    conf_level : float
    widen : bool
        Limits and standard errors allow for common shares and a spread that are not known (`spread_posterior`), where
        no spread shows too; False gives the plain posterior, and the common shares where none shows.
    fewest_groups : int
        With fewer groups than this nothing is shrunk.

    Returns
    -------
    Estimate
        Kind probability, keys `("group", "outcome")`; `raw` is the group's own share, `n_deals` its deals, `status`
        "shrunken" or "pooled". No rows where there are too few groups, which the note says.

    Raises
    ------
    InputError
        As for `dirichlet_multinomial`.

    Notes
    -----
    Posterior mean (alpha_k + x_k) / (sum of alpha + n) (Mosimann 1962, Biometrika 49:65); limits as for `shrink`, whose
    empirical Bayes coverage they have. Assumes that the groups' shares are drawn from one Dirichlet distribution, whose
    single rho says that they differ alike in every outcome; one outlying group widens it for all.

    Examples
    --------
    >>> counts = pd.DataFrame({"won": [1, 9, 3, 12, 5], "lost": [6, 9, 10, 5, 15], "no_decision": [3, 2, 2, 3, 5]},
    ...                       index=list("abcde"))
    >>> shrink_shares(counts).at(group="a")["estimate"].round(3).tolist()
    [0.27, 0.524, 0.206]
    """
    meta = Meta(
        kind="probability", estimand="share of each outcome in each group, drawn towards the common shares",
        keys=("group", "outcome"), n_deals=int(counts.to_numpy().sum()), conf_level=conf_level,
        interval="mixture of Beta" if widen else "Beta",
        variance="Dirichlet-multinomial posterior" + (" over all spreads" if widen else ""),
    )  # fmt: skip
    names = ["group", "outcome", "estimate", "std_error", "conf_low", "conf_high", "raw", "n_deals", "status"]
    if len(counts) < fewest_groups:
        return Estimate(pd.DataFrame(columns=names, dtype=float), meta).stamped(note=SAYS["refused"])
    x = counts.to_numpy(dtype=float)
    fit = dirichlet_multinomial(x)
    mean, variance = _posterior(fit, x)
    inside = (mean > 0) & (mean < 1)
    if widen:
        known = spread_posterior(x)
        variance, (low, high) = known.total_variance(), known.limits(conf_level)
        low, high = np.minimum(low, mean), np.maximum(high, mean)
    else:
        low, high = beta_limits(np.where(inside, mean, 0.5), np.where(inside, variance, 0.01), conf_level)
    edge = 1 - ((1 - conf_level) / 2) ** (1 / x.sum())
    low = np.where(inside, low, np.where(mean > 0, 1 - edge, 0.0))
    high = np.where(inside, high, np.where(mean > 0, 1.0, edge))
    n = x.sum(axis=1)
    frame = pd.DataFrame({
        "group": np.repeat(counts.index.to_numpy(), x.shape[1]), "outcome": np.tile(counts.columns.to_numpy(), len(x)),
        "estimate": mean.ravel(), "std_error": np.sqrt(np.where(inside, variance, 0.0)).ravel(),
        "conf_low": low.ravel(), "conf_high": high.ravel(), "raw": (x / n[:, None]).ravel(),
        "n_deals": np.repeat(n, x.shape[1]), "status": fit.status,
    })  # fmt: skip
    return Estimate(frame, meta).stamped(note=SAYS[fit.status])


def _posterior(fit: DirichletMultinomial, x: Floats) -> tuple[Floats, Floats]:
    if fit.status == "pooled":
        mean = np.tile(fit.share, (len(x), 1))
        return mean, mean * (1 - mean) / x.sum()
    size = (fit.alpha.sum() + x.sum(axis=1))[:, None]
    mean = (fit.alpha + x) / size
    return mean, mean * (1 - mean) / (size + 1)


def _asks_for_spread(x: Floats) -> bool:
    """Say whether the likelihood rises as the groups are let differ; if not, its maximum is at the boundary."""
    n, share = x.sum(axis=1), x.sum(axis=0) / x.sum()
    return bool((x * (x - 1) / share).sum() - (n * (n - 1)).sum() > 1e-9)


def _rising(a: float, counts: Floats, order: int) -> float:
    """Sum log Gamma(a + x) - log Gamma(a) over counts x, or its first or second derivative in a.

    As a sum over the steps a, a + 1, … of whole counts: where groups hardly differ a is huge, and the difference of two
    values of log Gamma would be noise.
    """
    from scipy.special import gammaln, polygamma, psi  # isort: skip

    whole = np.floor(counts)
    above = np.bincount(whole.astype(np.int64))[::-1].cumsum()[::-1][1:]  # counts above 0, 1, 2, …
    steps = a + np.arange(len(above))
    if order == 0:
        return float(above @ np.log(steps) + (gammaln(a + counts) - gammaln(a + whole)).sum())
    if order == 1:
        return float(above @ (1 / steps) + (psi(a + counts) - psi(a + whole)).sum())
    return float((polygamma(1, a + counts) - polygamma(1, a + whole)).sum() - above @ (1 / steps**2))


def _loglik(log_alpha: Floats, x: Floats) -> float:
    a = np.exp(log_alpha)
    own = sum(_rising(value, column, 0) for value, column in zip(a, x.T, strict=True))
    return own - _rising(float(a.sum()), x.sum(axis=1), 0)


def _constant(x: Floats) -> float:
    from scipy.special import gammaln

    return float((gammaln(x.sum(axis=1) + 1) - gammaln(x + 1).sum(axis=1)).sum())


def _derivatives(log_alpha: Floats, x: Floats) -> tuple[Floats, Floats]:
    """Gradient and Hessian in log alpha."""
    a = np.exp(log_alpha)
    total, n = float(a.sum()), x.sum(axis=1)
    first, own = (np.array([_rising(v, column, k) for v, column in zip(a, x.T, strict=True)]) for k in (1, 2))
    gradient, shared = first - _rising(total, n, 1), -_rising(total, n, 2)
    hessian = (np.diag(own) + shared) * np.outer(a, a) + np.diag(a * gradient)
    return np.asarray(a * gradient, dtype=float), np.asarray(hessian, dtype=float)


def _newton(x: Floats) -> Floats:
    share = x.sum(axis=0) / x.sum()
    starts = [np.log(share * total) for total in (2.0, 10.0, 30.0, 100.0, 300.0, 1000.0)]
    at = max(starts, key=lambda start: _loglik(start, x))
    for _ in range(STEPS):
        gradient, hessian = _derivatives(at, x)
        if np.abs(gradient).max() < 1e-11 * max(1.0, float(x.sum())):
            return np.asarray(at, dtype=float)
        values, vectors = np.linalg.eigh(hessian)
        # a direction that curves upwards is followed uphill instead
        step = vectors @ ((vectors.T @ gradient) / np.maximum(np.abs(values), 1e-8))
        step *= min(1.0, 3.0 / float(np.abs(step).max()))
        now, part = _loglik(at, x), 1.0
        while part > 1e-10 and _loglik(at + part * step, x) < now - 1e-12 * abs(now):
            part /= 2
        at = at + part * step
    raise ArithmeticError("the spread between groups could not be fitted: its likelihood has no clear maximum")
