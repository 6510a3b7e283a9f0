"""A hazard ratio in each band of ages, fitted apart, and whether they are all the same."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.estimators.hazards.fitting import maximise, robust_covariance
from analytics.estimators.hazards.models import HazardModel
from analytics.estimators.hazards.proportionality import ALL_TERMS, NO_INTERVAL
from analytics.estimators.hazards.rows import Floats, RiskRows
from analytics.estimators.intervals import z_value
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
        `ratio_low`, `ratio_high`, `n_event`. Equality: kind test, keys ("term",) with "all terms" last, `estimate`
        (Wald chi-squared), `df`, `p_value`; where there are too few accounts to
        compare the bands of a term, its row is absent and the note says so.

    Raises
    ------
    InputError
        A Fine-Gray model, cuts that do not increase, a band without an event, a covariate that does not differ, or
        whose effect is infinite, in a band.

    Notes
    -----
    The partial likelihood of covariates times bands falls apart into one factor per band, since every risk set lies in
    one band: each is maximised by itself, which is R's coxph(Surv(tstart, tstop, event) ~ x:strata(band)) on survSplit
    data. Accounts and weights tie the bands together, and the sandwich covariance across bands is used. Choose the cuts
    before looking; a later band describes only deals that are still open then. Therneau & Grambsch (2000), section 6.5.

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
    edges = [-np.inf, *(float(cut) for cut in cuts), np.inf]
    if len(edges) < 3 or not all(a < b for a, b in itertools.pairwise(edges)):
        raise InputError("cuts must be days after opening in increasing order", value=list(cuts),
                         action="Say (30, 90) for up to 30, 31 to 90 and later")  # fmt: skip
    names = [_named(low, high) for low, high in itertools.pairwise(edges)]
    fits = [
        _band(model, (model.rows.time > low) & (model.rows.time <= high), name)
        for (low, high), name in zip(itertools.pairwise(edges), names, strict=True)
    ]
    beta = np.concatenate([fit[0] for fit in fits])
    covariance = _covariance(model, [fit[1] for fit in fits])
    ratios = _ratios(model, names, beta, covariance, conf_level).assign(
        n_event=np.repeat([fit[2] for fit in fits], len(model.design.terms))
    )
    of = model.coefficients.meta
    shown = Meta(
        kind="coefficient", estimand=f"log ratio of the hazard of {model.outcome} among open deals, by age",
        keys=("term", "age"), n_deals=of.n_deals, n_accounts=of.n_accounts, conf_level=conf_level, interval="Wald",
        variance=of.variance, cluster=of.cluster, unit="log hazard ratio",
    )  # fmt: skip
    return Estimate(ratios, shown), _equality(model, len(names), beta, covariance)


def _named(low: float, high: float) -> str:
    if np.isinf(low):
        return f"up to {high:g}"
    return f"over {low:g}" if np.isinf(high) else f"over {low:g} to {high:g}"


def _band(model: HazardModel, inside: npt.NDArray[np.bool_], name: str) -> tuple[Floats, Floats, int]:
    """Return coefficients, their model covariance or each unit's influence, and the events of one band."""
    rows = _within(model.rows, inside)
    try:
        beta, point, _ = maximise(rows, model.ties, model.design.terms)
    except InputError as error:
        raise InputError(f"deals of age {name} days: {error}", action="Merge this band with the next one") from None
    spread = np.asarray(np.linalg.inv(point.information), dtype=float)
    if model.fit.robust is not None:
        _, spread = robust_covariance(rows, point, model.ties, spread, model.unit)
    return beta, spread, round(float(rows.n[rows.hit].sum()))


def _within(rows: RiskRows, inside: npt.NDArray[np.bool_]) -> RiskRows:
    """Keep the event times inside: rows are at risk at those of theirs that are left, at none where none is."""
    before = np.concatenate(([0], np.cumsum(inside)))
    return replace(
        rows, hit=rows.hit[inside[rows.last[rows.hit]]], first=before[rows.first], last=before[rows.last + 1] - 1,
        time=rows.time[inside], block=before[rows.block],
    )  # fmt: skip


def _covariance(model: HazardModel, parts: Sequence[Floats]) -> Floats:
    if model.fit.robust is not None:
        influence = np.concatenate(parts, axis=1)
        return np.asarray(influence.T @ influence)
    terms = len(model.design.terms)
    whole = np.zeros((terms * len(parts), terms * len(parts)))
    for place, part in enumerate(parts):
        own = slice(place * terms, (place + 1) * terms)
        whole[own, own] = part
    return whole


def _ratios(
    model: HazardModel, names: Sequence[str], beta: Floats, covariance: Floats, conf_level: float
) -> pd.DataFrame:
    error = np.sqrt(np.diag(covariance))
    low, high = beta - z_value(conf_level) * error, beta + z_value(conf_level) * error
    terms = list(model.design.terms)
    return pd.DataFrame({
        "term": terms * len(names), "age": np.repeat(list(names), len(terms)), "estimate": beta, "std_error": error,
        "conf_low": low, "conf_high": high,
        "hazard_ratio": np.exp(beta), "ratio_low": np.exp(low), "ratio_high": np.exp(high),
    })  # fmt: skip


def _equality(model: HazardModel, bands: int, beta: Floats, covariance: Floats) -> Estimate:
    """Return Wald tests that the bands of each term, and of all terms together, have one ratio."""
    from scipy.special import chdtrc

    terms = model.design.terms
    steps = np.diff(np.eye(bands), axis=0)  # each band less the one before
    tested, untested = [], []
    for name, chosen in [*((term, [j]) for j, term in enumerate(terms)), (ALL_TERMS, list(range(len(terms))))]:
        contrast = np.kron(steps, np.eye(len(terms))[chosen])
        gap, spread = contrast @ beta, contrast @ covariance @ contrast.T
        if np.linalg.matrix_rank(spread) < len(gap):
            untested.append(name)
            continue
        tested.append((name, float(gap @ np.linalg.solve(spread, gap)), len(gap)))
    note = f"Too few accounts to compare so many bands: {', '.join(untested)}. Use fewer cuts." if untested else ""
    frame = pd.DataFrame(tested, columns=["term", "estimate", "df"])
    frame["p_value"] = chdtrc(frame["df"], frame["estimate"])
    frame = frame.assign(conf_low=np.nan, conf_high=np.nan, no_interval_reason=NO_INTERVAL)
    of = model.coefficients.meta
    return Estimate(frame, Meta(
        kind="test", estimand=f"whether each hazard ratio of {model.outcome} is the same in every band of ages",
        keys=("term",), n_deals=of.n_deals, n_accounts=of.n_accounts, variance=f"Wald test, {of.variance}",
        cluster=of.cluster, unit="chi-squared", note=note,
    ))  # fmt: skip
