"""A hazard ratio in each band of ages, fitted apart, and whether they are all the same."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.estimators.hazards.fitting import Fit, fit_rows
from analytics.estimators.hazards.models import HazardModel
from analytics.estimators.hazards.proportionality import ALL_TERMS, NO_INTERVAL
from analytics.estimators.hazards.rows import Floats, RiskRows
from analytics.estimators.intervals import t_value
from analytics.estimators.result import Estimate, Meta
from analytics.records.errors import InputError


def hazard_ratios_by_age(
    model: HazardModel, *, cuts: Sequence[float], conf_level: float = 0.95
) -> tuple[Estimate, Estimate]:
    """How large is each hazard ratio among young, older and old deals, and is it the same?

    Parameters
    ----------
    model : HazardModel
        A cause-specific model; its formula, ties, weights, accounts and strata are kept.
    cuts : sequence of float
        Last day of each band but the last one, in days after opening: (30, 90) makes up to 30, 31 to 90, and later.
    conf_level : float

    Returns
    -------
    (Estimate, Estimate)
        Ratios: kind coefficient, keys ("term", "age"), `estimate` (log hazard ratio), limits, `hazard_ratio`,
        `ratio_low`, `ratio_high`, `n_event`, and `sandwich_std_error` (R's) where errors are robust. Equality: kind
        test, keys ("term",) with "all terms" last, `estimate` (Wald chi-squared), `df`, `p_value`; where there are too
        few accounts to compare the bands of a term, its row is absent and the note says so.

    Raises
    ------
    InputError
        A Fine-Gray model, cuts that do not increase, a band without an event, a covariate that does not differ, or
        whose effect is infinite, in a band.

    Notes
    -----
    Assumes one ratio within each band. The partial likelihood of covariates times bands falls apart into one factor per
    band, since every risk set lies in one band: each is maximised by itself, which is R's coxph(Surv(tstart, tstop,
    event) ~ x:strata(band)) on survSplit data. Accounts and weights tie the bands together, and the covariance over
    accounts across bands is used, corrected as in `cause_specific_cox`; limits take t, and tests Hotelling's T-squared,
    by what accounts are worth. Choose the cuts before looking; a later band describes only deals that are still open
    then. Therneau & Grambsch (2000), section 6.5.

    Examples
    --------
    >>> from analytics.estimators.hazards.models import cause_specific_cox
    >>> deals = pd.DataFrame({"entry": -1, "exit": range(1, 13), "x": [1.0, 0, 0, 1, 0, 1, 1, 0, 0, 1, 1, 0],
    ...                       "outcome": "won"})
    >>> ratios, equal = hazard_ratios_by_age(cause_specific_cox(deals, "x", outcome="won"), cuts=(5,))
    >>> ratios.frame[["age", "hazard_ratio"]].round(2).values.tolist()
    [['up to 5', 0.66], ['over 5', 1.85]]
    """
    if model.kind != "cause-specific":
        raise InputError("hazard ratios by age are for cause-specific models", action="Use cause_specific_cox")
    bands = bands_of(model, cuts)
    ratios = _ratios(model, bands, conf_level)
    of = model.coefficients.meta
    shown = Meta(
        kind="coefficient", estimand=f"log ratio of the hazard of {model.outcome} among open deals, by age",
        keys=("term", "age"), n_deals=of.n_deals, n_accounts=of.n_accounts, conf_level=conf_level, interval="Wald",
        variance=of.variance, cluster=of.cluster, unit="log hazard ratio",
    )  # fmt: skip
    return Estimate(ratios, shown), _equality(model, [band.fit for band in bands])


@dataclass(frozen=True)
class Band:
    """A band of ages in words, the fit to it, and its events."""

    name: str
    fit: Fit
    events: int


def bands_of(model: HazardModel, cuts: Sequence[float]) -> list[Band]:
    """Fit each band by itself."""
    edges = [-np.inf, *(float(cut) for cut in cuts), np.inf]
    if len(edges) < 3 or not all(a < b for a, b in itertools.pairwise(edges)):
        raise InputError("cuts must be days after opening in increasing order", value=list(cuts),
                         action="Say (30, 90) for up to 30, 31 to 90 and later")  # fmt: skip
    time = model.rows.time
    return [
        _band(model, (time > low) & (time <= high), band_name(low, high)) for low, high in itertools.pairwise(edges)
    ]


def band_name(low: float, high: float) -> str:
    """Name a band of ages: above one age, up to another.

    Examples
    --------
    >>> band_name(-np.inf, 30), band_name(30, 90), band_name(90, np.inf)
    ('up to 30', 'over 30 to 90', 'over 90')
    """
    if np.isinf(low):
        return f"up to {high:g}"
    return f"over {low:g}" if np.isinf(high) else f"over {low:g} to {high:g}"


def _band(model: HazardModel, inside: npt.NDArray[np.bool_], name: str) -> Band:
    rows, robust = _within(model.rows, inside), model.fit.over_units is not None
    try:
        fit = fit_rows(rows, model.ties, model.design.terms, robust=robust, unit=model.unit)
    except InputError as error:
        raise InputError(f"deals of age {name} days: {error}", action="Merge this band with the next one") from None
    return Band(name, fit, round(float(rows.n[rows.hit].sum())))


def _within(rows: RiskRows, inside: npt.NDArray[np.bool_]) -> RiskRows:
    """Keep the event times inside: rows are at risk at those of theirs that are left, at none where none is."""
    before = np.concatenate(([0], np.cumsum(inside)))
    return replace(
        rows, hit=rows.hit[inside[rows.last[rows.hit]]], first=before[rows.first], last=before[rows.last + 1] - 1,
        time=rows.time[inside], block=before[rows.block],
    )  # fmt: skip


def covariance_of(fits: Sequence[Fit], *, plain: bool = False) -> Floats:
    """Return the covariance of the coefficients of all bands: over units, which tie them together, where there are any.

    With `plain` without the correction for few accounts, as R has it.
    """
    over = [fit.over_units for fit in fits if fit.over_units is not None]
    if over:
        influence = np.concatenate([one.plain if plain else one.influence for one in over], axis=1)
        return np.asarray(influence.T @ influence)
    terms = len(fits[0].beta)
    whole = np.zeros((terms * len(fits), terms * len(fits)))
    for place, fit in enumerate(fits):
        own = slice(place * terms, (place + 1) * terms)
        whole[own, own] = fit.model
    return whole


def _ratios(model: HazardModel, bands: Sequence[Band], conf_level: float) -> pd.DataFrame:
    fits = [band.fit for band in bands]
    beta = np.concatenate([fit.beta for fit in fits])
    error = np.sqrt(np.concatenate([np.diag(fit.covariance) for fit in fits]))
    reach = t_value(conf_level, np.concatenate([fit.df for fit in fits])) * error
    low, high = beta - reach, beta + reach
    terms = list(model.design.terms)
    frame = pd.DataFrame({
        "term": terms * len(bands), "age": np.repeat([band.name for band in bands], len(terms)), "estimate": beta,
        "std_error": error, "conf_low": low, "conf_high": high, "hazard_ratio": np.exp(beta),
        "ratio_low": np.exp(low), "ratio_high": np.exp(high),
        "n_event": np.repeat([band.events for band in bands], len(terms)),
    })  # fmt: skip
    over = [np.diag(fit.over_units.sandwich) for fit in fits if fit.over_units is not None]
    return frame.assign(sandwich_std_error=np.sqrt(np.concatenate(over))) if over else frame


def wald_tests(
    model: HazardModel, fits: Sequence[Fit], covariance: Floats
) -> tuple[list[tuple[str, float, int, float]], list[str]]:
    """Test that the bands of each term, and of all terms together, have one ratio.

    Returns term, Wald statistic, its degrees of freedom and the p-value of each, and the terms of which nothing can be
    said: as many differences as the accounts are worth leave nothing to judge them by.
    """
    terms = model.design.terms
    beta, worth = np.concatenate([fit.beta for fit in fits]), np.concatenate([fit.df for fit in fits])
    steps = np.diff(np.eye(len(fits)), axis=0)  # each band less the one before
    tested, untested = [], []
    for name, chosen in [*((term, [j]) for j, term in enumerate(terms)), (ALL_TERMS, list(range(len(terms))))]:
        contrast: Floats = np.asarray(np.kron(steps, np.eye(len(terms))[chosen]), dtype=float)
        gap, spread = contrast @ beta, contrast @ covariance @ contrast.T
        if np.linalg.matrix_rank(spread) < len(gap):
            untested.append(name)
            continue
        wald = float(gap @ np.linalg.solve(spread, gap))
        tested.append((name, wald, len(gap), _p_value(wald, len(gap), worth_of(contrast, covariance, worth))))
    return tested, untested + [test[0] for test in tested if np.isnan(test[3])]


def worth_of(contrast: Floats, covariance: Floats, df: Floats) -> float:
    """Return what the accounts are worth for all contrasts together, from their worth for each coefficient.

    A difference of coefficients has Welch's degrees of freedom v, and q differences q (q + 1) / sum of Var(d_st), where
    d_st are the entries of the covariance on its own scale: 2 / v_s for s = t, else at most 1 / sqrt(v_s v_t)
    (Pustejovsky & Tipton 2018, J Bus Econ Stat 36:672, equation 12).

    Examples
    --------
    >>> round(worth_of(np.array([[1.0, -1.0]]), np.diag([1.0, 3.0]), np.array([10.0, 30.0])), 1)
    40.0
    """
    if np.isinf(df).all():
        return float("inf")
    parts = contrast**2 * np.diag(covariance)
    each = parts.sum(axis=1) ** 2 / (parts**2 / df).sum(axis=1)
    count, root = len(each), float((1 / np.sqrt(each)).sum())
    return count * (count + 1) / (float((1 / each).sum()) + root**2)


def _equality(model: HazardModel, fits: Sequence[Fit]) -> Estimate:
    tested, untested = wald_tests(model, fits, covariance_of(fits))
    note = f"Too few accounts to compare so many bands: {', '.join(untested)}. Use fewer cuts." if untested else ""
    frame = pd.DataFrame(
        [test for test in tested if test[0] not in untested], columns=["term", "estimate", "df", "p_value"]
    )
    frame = frame.assign(conf_low=np.nan, conf_high=np.nan, no_interval_reason=NO_INTERVAL)
    of = model.coefficients.meta
    return Estimate(frame, Meta(
        kind="test", estimand=f"whether each hazard ratio of {model.outcome} is the same in every band of ages",
        keys=("term",), n_deals=of.n_deals, n_accounts=of.n_accounts, variance=f"Wald test, {of.variance}",
        cluster=of.cluster, unit="chi-squared", note=note,
    ))  # fmt: skip


def _p_value(wald: float, terms: int, df: float) -> float:
    """Return the chance of so large a Wald statistic: chi-squared, or Hotelling's T-squared where accounts are few."""
    from scipy.special import chdtrc, fdtrc

    if np.isinf(df):
        return float(chdtrc(terms, wald))
    left = df - terms + 1
    return float(fdtrc(terms, left, wald * left / (df * terms))) if left > 0 else float("nan")
