"""Rates of many small groups: is there a real spread, and what is each group's rate once chance is taken out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analytics.estimators.rates import Column, wilson
from analytics.estimators.unknown_spread import spread_posterior

Floats = NDArray[np.float64]
Status = Literal["shrunken", "pooled", "refused"]

FEWEST_GROUPS = 5


@dataclass(frozen=True)
class BetaBinomial:
    """A beta-binomial fit: mean `mu`, intra-group correlation `rho`, Beta(`alpha`, `beta`), and how sure it is.

    `covariance` is that of (logit mu, log(rho / (1 - rho))); `status` "pooled" where the data ask for no spread at all
    (`rho` = 0, `alpha` and `beta` infinite).
    """

    mu: float
    rho: float
    alpha: float
    beta: float
    loglik: float
    covariance: Floats
    status: Status


def _loglik(psi: Floats, x: Floats, n: Floats) -> float:
    from scipy.special import betaln, gammaln

    a, b = _shape(psi)
    choose = gammaln(n + 1) - gammaln(x + 1) - gammaln(n - x + 1)
    return float((choose + betaln(x + a, n - x + b) - betaln(a, b)).sum())


def _shape(psi: Floats) -> tuple[float, float]:
    """Alpha and beta from (logit mu, log theta), theta = rho / (1 - rho) = 1 / (alpha + beta)."""
    mu, total = 1 / (1 + np.exp(-psi[0])), np.exp(-psi[1])
    return float(mu * total), float((1 - mu) * total)


def _derivatives(psi: Floats, x: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Gradient and Hessian of the log-likelihood in (logit mu, log theta), by the chain rule through (alpha, beta)."""
    from scipy.special import polygamma, psi as digamma  # isort: skip

    a, b = _shape(psi)
    mu, s = a / (a + b), a + b

    def tri(value: Floats | float) -> Floats:
        return np.asarray(polygamma(1, value), dtype=float)

    shared = (digamma(s) - digamma(n + s)).sum()
    ga, gb = (digamma(x + a) - digamma(a)).sum() + shared, (digamma(n - x + b) - digamma(b)).sum() + shared
    common = (tri(s) - tri(n + s)).sum()
    haa, hbb = (tri(x + a) - tri(a)).sum() + common, (tri(n - x + b) - tri(b)).sum() + common
    v = mu * (1 - mu)
    jacobian = np.array([[s * v, -a], [-s * v, -b]])  # d(alpha, beta) / d(logit mu, log theta)
    hessian = jacobian.T @ np.array([[haa, common], [common, hbb]]) @ jacobian
    bend = s * v * (1 - 2 * mu)  # second derivatives of alpha and beta
    hessian += ga * np.array([[bend, -s * v], [-s * v, a]]) + gb * np.array([[-bend, s * v], [s * v, b]])
    return jacobian.T @ np.array([ga, gb]), hessian


def _asks_for_spread(x: Floats, n: Floats) -> bool:
    """Say whether the likelihood rises with theta at 0; if not, its maximum is at the boundary (Tarone 1979)."""
    mu = x.sum() / n.sum()
    if mu <= 0 or mu >= 1:
        return False
    y = n - x
    return bool((x * (x - 1) / mu + y * (y - 1) / (1 - mu) - n * (n - 1)).sum() > 1e-9)


def beta_binomial(x: Column, n: Column) -> BetaBinomial:
    """Fit the beta-binomial distribution to x successes in n trials per group, by maximum likelihood.

    Parameters
    ----------
    x, n : sequence of float
        Per group; may be effective numbers (an estimate and its standard error turned into counts), not whole.

    Returns
    -------
    BetaBinomial
        `status` "pooled" where the likelihood is greatest without any spread.

    Raises
    ------
    ValueError
        With fewer than two groups, a group without trials, or a search that does not settle.

    Notes
    -----
    Assumes that group rates are drawn from one Beta distribution: a single outlying group widens it for all.

    References
    ----------
    Griffiths 1973, Biometrics 29:637 (maximum likelihood); Tarone 1979, Biometrika 66:585 (the boundary).

    Examples
    --------
    >>> fit = beta_binomial([1, 9, 3, 12, 5], [10, 20, 15, 20, 25])
    >>> fit.status, round(fit.mu, 3), round(fit.rho, 3)
    ('shrunken', 0.323, 0.09)
    """
    hits, trials = np.asarray(x, dtype=float), np.asarray(n, dtype=float)
    if len(hits) < 2 or (trials <= 0).any():
        raise ValueError("a spread between groups needs at least two groups, each with at least one deal")
    if not _asks_for_spread(hits, trials):
        mu = float(hits.sum() / trials.sum())
        return BetaBinomial(mu, 0.0, float("inf"), float("inf"), float("nan"), np.zeros((2, 2)), "pooled")
    psi = _newton(hits, trials)
    a, b = _shape(psi)
    covariance = np.asarray(np.linalg.inv(-_derivatives(psi, hits, trials)[1]), dtype=float)
    return BetaBinomial(a / (a + b), 1 / (a + b + 1), a, b, _loglik(psi, hits, trials), covariance, "shrunken")


def _newton(x: Floats, n: Floats) -> Floats:
    mu = x.sum() / n.sum()
    starts = np.log([0.3, 0.1, 0.03, 0.01, 0.003, 0.001])
    candidates = [np.array([np.log(mu / (1 - mu)), start]) for start in starts]
    psi = max(candidates, key=lambda start: _loglik(start, x, n))
    for _ in range(200):
        gradient, hessian = _derivatives(psi, x, n)
        if np.abs(gradient).max() < 1e-11 * max(1.0, float(n.sum())):
            return psi
        values, vectors = np.linalg.eigh(hessian)
        # a direction that curves upwards is followed uphill instead
        step = vectors @ ((vectors.T @ gradient) / np.maximum(np.abs(values), 1e-8))
        step *= min(1.0, 3.0 / float(np.abs(step).max()))
        now, best = _loglik(psi, x, n), 1.0
        while best > 1e-10 and _loglik(psi + best * step, x, n) < now - 1e-12 * abs(now):
            best /= 2
        if best * float(np.abs(step).max()) < 1e-13:
            return psi
        psi = psi + best * step
    raise ValueError("the spread between groups could not be fitted: its likelihood has no clear maximum")


def shrink(
    x: Column, n: Column, *, conf_level: float = 0.95, widen: bool = True,
    fewest_groups: int = FEWEST_GROUPS,
) -> tuple[pd.DataFrame, BetaBinomial | None, Status]:  # fmt: skip
    """Shrink the rates of groups towards their common mean, by as much as chance alone could have moved them.

    Parameters
    ----------
    x, n : sequence of float
        Successes and trials per group, effective numbers where deals are clustered.
    conf_level : float
        Default 0.95.
    widen : bool
        Limits and standard errors allow for a mean and a spread that are not known (`spread_posterior`), where no
        spread shows too; False gives the plain posterior Beta(a+x, b+n−x), and the common rate where none shows.
    fewest_groups : int
        With fewer groups than this nothing is shrunk: the spread cannot be learned from them.

    Returns
    -------
    (frame, fit, status)
        frame: estimate, std_error, conf_low, conf_high per group in order. `status` "shrunken"; "pooled" where no
        spread shows (every group gets the common rate); "refused" with too few groups (frame empty, fit None).

    Notes
    -----
    Assumes group rates from one Beta distribution. Limits hold the rate of about 95 in 100 of groups drawn from one
    Beta distribution (Morris 1983, JASA 78:47: empirical Bayes coverage), and of more where the groups hardly differ,
    since nothing can tell that they do not.

    References
    ----------
    Everson & Bradlow 2002, J Comput Graph Stat 11:202 (the integral over mean and spread); Morris 1983.

    Examples
    --------
    >>> frame, fit, status = shrink([1, 9, 3, 12, 5], [10, 20, 15, 20, 25])
    >>> status, frame["estimate"].round(3).tolist()
    ('shrunken', [0.212, 0.407, 0.249, 0.507, 0.235])
    """
    hits, trials = np.asarray(x, dtype=float), np.asarray(n, dtype=float)
    columns = ["estimate", "std_error", "conf_low", "conf_high"]
    if len(hits) < fewest_groups:
        return pd.DataFrame(columns=columns, dtype=float), None, "refused"
    fit = beta_binomial(hits, trials)
    if fit.status == "pooled":
        low, high = wilson(float(hits.sum()), float(trials.sum()), conf_level=conf_level)
        error = float(np.sqrt(fit.mu * (1 - fit.mu) / trials.sum()))
        frame = pd.DataFrame([[fit.mu, error, low, high]] * len(hits), columns=columns)
    else:
        mean, variance = _posterior(fit, hits, trials)
        lows, highs = beta_limits(mean, variance, conf_level)
        frame = pd.DataFrame({"estimate": mean, "std_error": np.sqrt(variance), "conf_low": lows, "conf_high": highs})
    if widen and 0 < fit.mu < 1:
        known = spread_posterior(np.column_stack([hits, trials - hits]))
        lows, highs = (limit[:, 0] for limit in known.limits(conf_level))
        frame["std_error"] = np.sqrt(known.total_variance()[:, 0])
        frame["conf_low"] = np.minimum(lows, frame["estimate"])
        frame["conf_high"] = np.maximum(highs, frame["estimate"])
    return frame, fit, fit.status


def _posterior(fit: BetaBinomial, x: Floats, n: Floats) -> tuple[Floats, Floats]:
    size = fit.alpha + fit.beta + n
    mean = (fit.alpha + x) / size
    return mean, mean * (1 - mean) / (size + 1)


def beta_limits(mean: Floats, variance: Floats, conf_level: float) -> tuple[Floats, Floats]:
    """Return the central limits of Beta distributions with these means and variances."""
    from scipy.special import betaincinv

    size = mean * (1 - mean) / variance - 1
    a, b = mean * size, (1 - mean) * size
    low, high = (betaincinv(a, b, tail) for tail in (0.5 - conf_level / 2, 0.5 + conf_level / 2))
    # with a mean close to 0 or 1 the mean of a Beta lies outside its central interval
    return np.minimum(low, mean), np.maximum(high, mean)
