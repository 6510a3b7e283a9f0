"""Smooth calibration: the observed share as a function of the forecast, and the mean distance between the two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.estimators.intervals import symmetric_root, t_value
from analytics.estimators.result import Estimate
from analytics.estimators.scoring.cohort import Cohort, Floats, Forecasts, judged
from analytics.estimators.scoring.joint import accounts_df, meta_of
from analytics.estimators.scoring.pseudo import least_squares, link_of, pseudo_values, sandwich
from analytics.estimators.strata import ONE_ACCOUNT
from analytics.records.errors import InputError

DRAWS = 1000
ERRORS = ("ICI", "E50", "E90")
PERFECT = np.array([0.0, 1.0, 0.0, 0.0])
"""The coefficients of a curve that is the forecast itself."""


@dataclass(frozen=True)
class SmoothCalibration:
    """The curve and the distances of `calibration_curve`."""

    curve: Estimate
    errors: Estimate


def calibration_curve(
    deals: pd.DataFrame,
    forecasts: Forecasts,
    *,
    points: int = 50,
    landmark: float = 0.0,
    cluster: str | None = None,
    seed: int = 20250101,
    conf_level: float = 0.95,
) -> SmoothCalibration:
    """Of deals with forecasts around p, what share reached the outcome, and how far is that from p on the whole?

    Parameters
    ----------
    deals, forecasts, landmark, cluster, conf_level
        As for `brier_score`.
    points : int
        Forecasts at which the curve is given: equal steps between the 2nd and the 98th percentile.
    seed : int
        Of the directions in which the limits of the distances are searched.

    Returns
    -------
    SmoothCalibration
        `curve`: kind probability, keys ("model", "outcome", "time", "forecast"), the observed share.
        `errors`: kind score, keys ("model", "outcome", "time", "measure"): ICI (mean over deals of the distance between
        curve and forecast), E50 (median), E90 (90th percentile).

    Raises
    ------
    InputError
        As `brier_score`; fewer than 10 different forecasts; a curve that cannot be fitted.

    Notes
    -----
    Pseudo-values of the outcome regressed on a natural cubic spline (three degrees of freedom, knots at the 10th, 37th,
    63rd and 90th percentile) of cloglog(forecast), by least squares under the cloglog link. Austin et al. (2022), Stat
    Med 41:4383 (ICI with competing outcomes); Gerds, Andersen & Kattan (2014), Stat Med 33:3191. Distances are never
    below 0, so with few deals a perfect forecast has an ICI well above 0. Limits of the distances are their least and
    greatest value over the joint confidence region of the coefficients (projection, as Scheffe 1953, Biometrika 40:87),
    searched on its surface and on the way to the perfect forecast: 0 is a limit where calibration is not refuted, and
    they hold the truth at least as often as they say. Quantiles over draws would not: noise adds to every distance.
    With accounts the limits use t and F with as many degrees of freedom as accounts are worth; a single one gives none.
    """
    cohort, kept = judged(deals, forecasts, landmark=landmark, cluster=cluster, counts=None)
    curves, errors = [], []
    for model, outcome, horizon, p in kept.single():
        y = _observed(cohort, outcome, horizon)
        fit = _fitted(p, y, cohort)
        low, high = np.quantile(p, [0.02, 0.98]).tolist()
        grid = np.linspace(low, high, points)
        curves.append(fit.curve(grid, conf_level).assign(model=model, outcome=outcome, time=horizon))
        errors.append(fit.distances(p, conf_level, seed).assign(model=model, outcome=outcome, time=horizon))
    names = ("model", "outcome", "time")
    words = "share with the outcome among deals with this forecast (smooth)"
    shown = meta_of(cohort, "probability", words, (*names, "forecast"), conf_level)
    far = meta_of(cohort, "score", "distance between forecast and observed share", (*names, "measure"), conf_level)
    tables = [pd.concat(parts, ignore_index=True) for parts in (curves, errors)]
    return SmoothCalibration(
        Estimate(tables[0], shown).stamped(
            unit="probability", variance="sandwich", interval="Wald on the cloglog scale"
        ),
        Estimate(tables[1], far).stamped(
            unit="probability", variance="sandwich", interval="projection of a joint region"
        ),
    )


def _observed(cohort: Cohort, outcome: str, horizon: float) -> Floats:
    if outcome not in cohort.outcomes or not cohort.had(outcome, horizon).any():
        raise InputError(f"no deal had the outcome by day {horizon:g}, so there is no curve", value=outcome)
    return pseudo_values(cohort.deals(), outcome=outcome, times=[horizon]).iloc[:, 0].to_numpy()


@dataclass(frozen=True)
class _Fit:
    knots: Floats
    beta: Floats
    covariance: Floats
    df: float

    def at(self, p: Floats, beta: Floats) -> Floats:
        """Observed share at forecasts `p`; one column per column of `beta`."""
        return _share(spline(cloglog(p), self.knots) @ beta)

    @property
    def reason(self) -> str:
        """Why there are no limits, if there are none."""
        return "" if np.isfinite(self.covariance).all() else ONE_ACCOUNT

    def curve(self, grid: Floats, conf_level: float) -> pd.DataFrame:
        basis = spline(cloglog(grid), self.knots)
        eta = basis @ self.beta
        error = np.sqrt(np.einsum("ij,jk,ik->i", basis, self.covariance, basis))
        reach = t_value(conf_level, self.df) * error
        share, low, high = (_share(e) for e in (eta, eta - reach, eta + reach))
        flat = np.clip(eta, -50, 5)
        slope = np.exp(flat - np.exp(flat))
        return pd.DataFrame({"forecast": grid, "estimate": share, "std_error": slope * error, "conf_low": low,
                             "conf_high": high, "no_interval_reason": self.reason})  # fmt: skip

    def distances(self, p: Floats, conf_level: float, seed: int) -> pd.DataFrame:
        value = _summary(np.abs(self.at(p, self.beta) - p)[:, None])[:, 0]
        found = pd.DataFrame({"measure": ERRORS, "estimate": value, "no_interval_reason": self.reason})
        if self.reason:
            return found.assign(std_error=np.nan, conf_low=np.nan, conf_high=np.nan)
        q = p if len(p) <= 1000 else np.quantile(p, (np.arange(1000) + 0.5) / 1000)

        def moved(shift: Floats) -> Floats:
            return _summary(np.abs(self.at(q, self.beta[:, None] + shift) - q[:, None]))

        draws = np.random.default_rng(seed).standard_normal((len(self.beta), DRAWS))
        root = symmetric_root(self.covariance)
        spread = moved(root @ draws)
        radius = self.radius(conf_level)
        surface = moved(radius * root @ (draws / np.sqrt((draws**2).sum(axis=0))))
        way = PERFECT - self.beta
        far = float(np.sqrt(way @ np.linalg.pinv(self.covariance) @ way))
        near = moved(np.outer(way * min(radius / max(far, 1e-12), 1.0), np.linspace(0, 1, 21)))
        least, most = (np.concatenate([surface, near], axis=1).min(axis=1), surface.max(axis=1))
        return found.assign(std_error=spread.std(axis=1, ddof=1), conf_low=np.minimum(least, value),
                            conf_high=np.maximum(most, value))  # fmt: skip

    def radius(self, conf_level: float) -> float:
        """Return how many standard errors the joint confidence region of the coefficients reaches in any direction."""
        from scipy.special import chdtri, fdtri

        size = len(self.beta)
        if np.isinf(self.df):
            return float(np.sqrt(chdtri(size, 1 - conf_level)))
        return float(np.sqrt(size * fdtri(size, self.df, conf_level)))


def _share(eta: Floats) -> Floats:
    return np.asarray(-np.expm1(-np.exp(np.clip(eta, -50, 5))))


def _summary(distance: Floats) -> Floats:
    return np.stack([distance.mean(axis=0), np.median(distance, axis=0), np.quantile(distance, 0.9, axis=0)])


def _fitted(p: Floats, y: Floats, cohort: Cohort) -> _Fit:
    if len(np.unique(p)) < 10:
        raise InputError(f"there are only {len(np.unique(p))} different forecasts, too few for a curve",
                         action="Use calibration_bins")  # fmt: skip
    z = cloglog(p)
    knots = np.quantile(z, [0.1, 0.3667, 0.6333, 0.9])
    if (np.diff(knots) <= 0).any():
        knots = np.quantile(np.unique(z), [0.1, 0.3667, 0.6333, 0.9])
    x = spline(z, knots)
    beta = least_squares(x, y, "cloglog")
    unit = cohort.unit if cohort.cluster else None
    return _Fit(knots, beta, sandwich(x, y, "cloglog", beta, unit), accounts_df(cohort))


def cloglog(p: Floats) -> Floats:
    """Return log(-log(1 - p)), with forecasts of 0 and 1 moved inside by a millionth."""
    return np.asarray(link_of("cloglog")(np.clip(p, 1e-6, 1 - 1e-6)))


def spline(z: Floats, knots: Floats) -> Floats:
    """Return the natural cubic spline basis (constant, z, and one column per inner knot): linear beyond the knots.

    Hastie, Tibshirani & Friedman (2009), Elements of Statistical Learning, eq. 5.4.
    """
    last = knots[-1]

    def bend(knot: float) -> Floats:
        cube = np.maximum(z - knot, 0.0) ** 3 - np.maximum(z - last, 0.0) ** 3
        return np.asarray(cube / (last - knot))

    final = bend(float(knots[-2]))
    return np.column_stack([np.ones_like(z), z, *((bend(float(knot)) - final) for knot in knots[:-2])])
