"""What would shares be if two groups were alike in what was known before: weights and their diagnosis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.estimators.columns import account_column, day_column, outcome_column
from analytics.estimators.counts import DEFAULT_OUTCOMES
from analytics.estimators.hazards.design import Design, design
from analytics.estimators.logistic import Logistic, logistic
from analytics.estimators.result import Listing
from analytics.records.errors import InputError, nearest

Floats = npt.NDArray[np.float64]
Scheme = Literal["inverse_probability", "overlap"]
EXACT = 1e-10
RARE = 0.05
"""A chance of the exposure below this, or above one minus this, is too close to certainty to weight by."""


@dataclass(frozen=True, eq=False)
class Weighted:
    """Deals with balancing weights, and what is needed for standard errors that know the weights were estimated.

    Attributes
    ----------
    exposed : array of bool (deals,)
    weight : array (deals,)
    slope : array (deals, terms)
        Derivative of each weight with respect to the coefficients of the weight model.
    model : Logistic
        The weight model; `model.fitted` are the chances of the exposure.
    design : Design
        Its covariates.
    scheme : str
        "inverse_probability" (all deals) or "overlap" (deals that could well have gone either way).
    """

    exposed: npt.NDArray[np.bool_]
    weight: Floats
    slope: Floats
    model: Logistic
    design: Design
    scheme: Scheme


def balancing_weights(
    deals: pd.DataFrame, exposure: str, formula: str, *, scheme: Scheme = "inverse_probability"
) -> Weighted:
    """Weight deals so that exposed and unexposed ones are alike in what the formula names.

    Parameters
    ----------
    deals : pandas.DataFrame
        The exposure and the columns of the formula.
    exposure : str
        Column of 0/1 or booleans, known at the opening of the deal: a demo given later makes a deal exposed only
        because it lived long enough to get one.
    formula : str
        Covariates of the weight model, "x1 + C(segment)".
    scheme : {"inverse_probability", "overlap"}
        Weights to all deals (stabilised: P(A) / P(A | x)), or to those with equipoise (1 - e where exposed, e where
        not), which cannot blow up and balance the means of the covariates exactly.

    Returns
    -------
    Weighted

    Raises
    ------
    InputError
        An exposure that is not 0/1 or the same for all deals, covariates that tell it without fail.

    Notes
    -----
    Assumes that the formula names everything that moves both exposure and outcome. Robins, Hernan & Brumback (2000),
    Epidemiology 11:550; Li, Morgan & Zaslavsky (2018), JASA 113:390.

    Examples
    --------
    >>> deals = pd.DataFrame({"partner": [0, 0, 1, 1, 0, 1], "size": [1.0, 2, 2, 3, 4, 5]})
    >>> weighted = balancing_weights(deals, "partner", "size", scheme="overlap")
    >>> means = [np.average(deals["size"][weighted.exposed == a], weights=weighted.weight[weighted.exposed == a])
    ...          for a in (True, False)]
    >>> bool(abs(means[0] - means[1]) < 1e-9)
    True
    """
    if scheme not in get_args(Scheme):
        raise InputError("there are no such weights", value=scheme, action=nearest(scheme, get_args(Scheme)))
    a = exposure_of(deals, exposure)
    made = design(deals, formula)
    fit = logistic(made.x, a.astype(float), made.terms)
    e, chance = fit.fitted, float(a.mean())
    if scheme == "overlap":
        weight, along = np.where(a, 1 - e, e), np.where(a, -1.0, 1.0) * e * (1 - e)
    else:
        weight = np.where(a, chance / e, (1 - chance) / (1 - e))
        along = np.where(a, -weight * (1 - e), weight * e)
    return Weighted(a, weight, along[:, None] * fit.x, fit, made, scheme)


def exposure_of(deals: pd.DataFrame, exposure: str) -> npt.NDArray[np.bool_]:
    """Return an exposure as booleans.

    Raises
    ------
    InputError
        No such column, or values other than 0 and 1.
    """
    if exposure not in deals.columns:
        raise InputError(f"the deals have no column {exposure!r}", action=nearest(exposure, deals.columns))
    values = deals[exposure]
    if values.isna().any() or not values.isin([0, 1]).all():
        raise InputError("an exposure must be 0 or 1 (or true or false) for every deal", column=exposure)
    return np.asarray(values.to_numpy(dtype=float) == 1)


def balance(weighted: Weighted) -> Listing:
    """Return, per covariate, how far apart exposed and unexposed deals are before and after weighting.

    Columns: `term`, `smd_before`, `smd_after` (standardised mean differences; both by the unweighted spread, so that
    they compare; below 0.1 is taken as balanced, Austin 2009, Stat Med 28:3083). A side of a single deal has no spread
    of its own: the other side's is then taken.
    """
    a, x = weighted.exposed, weighted.design.x
    spread = np.sqrt(np.mean([x[side].var(axis=0, ddof=1) for side in (a, ~a) if side.sum() > 1], axis=0))

    def apart(w: Floats) -> Floats:
        gap = np.average(x[a], axis=0, weights=w[a]) - np.average(x[~a], axis=0, weights=w[~a])
        smd = gap / np.where(spread > 0, spread, np.nan)
        # overlap weights balance exactly; what rounding leaves would put terms in the order of the machine
        return np.asarray(np.where(np.abs(smd) < EXACT, 0.0, smd))

    frame = pd.DataFrame({
        "term": weighted.design.terms, "smd_before": apart(np.ones(len(a))), "smd_after": apart(weighted.weight),
    })  # fmt: skip
    return Listing(frame, "balance of exposed and unexposed deals before and after weighting")


def weight_diagnosis(weighted: Weighted) -> Listing:
    """Return, per arm, what the weights leave of the deals.

    Columns: `exposed`, `n_deals`, `effective_deals` (Kish), `mean_weight`, `least_weight`, `greatest_weight`,
    `greatest_share` (of the arm's weight on one deal), `rare_deals` (chance of their own arm below 5 %).
    """
    rows = []
    for arm in (True, False):
        mine = weighted.exposed == arm
        w, e = weighted.weight[mine], weighted.model.fitted[mine]
        own = e if arm else 1 - e
        rows.append({
            "exposed": arm, "n_deals": int(mine.sum()), "effective_deals": float(w.sum() ** 2 / (w**2).sum()),
            "mean_weight": float(w.mean()), "least_weight": float(w.min()), "greatest_weight": float(w.max()),
            "greatest_share": float(w.max() / w.sum()), "rare_deals": int((own < RARE).sum()),
        })  # fmt: skip
    return Listing(pd.DataFrame(rows), "what the weights leave of the deals")


def positivity(deals: pd.DataFrame, exposure: str, *, by: Sequence[str]) -> Listing:
    """Return the cells of categories in which all deals, or none, are exposed: there nothing can be compared.

    Columns: `by`, `n_deals`, `n_exposed`, `comparable`.
    """
    a = exposure_of(deals, exposure)
    table = deals[list(by)].assign(_exposed=a)
    frame = table.groupby(list(by), dropna=False, observed=True)["_exposed"].agg(["size", "sum"]).reset_index()
    frame = frame.rename(columns={"size": "n_deals", "sum": "n_exposed"})
    frame["n_exposed"] = frame["n_exposed"].astype(int)
    frame["comparable"] = (frame["n_exposed"] > 0) & (frame["n_exposed"] < frame["n_deals"])
    return Listing(frame, "cells in which exposed and unexposed deals can be compared")


@dataclass(frozen=True)
class Ends:
    """How deals ended: `cause` is the place in the outcomes, -1 where open; `unit` the account, or the deal."""

    entry: npt.NDArray[Any]
    leave: npt.NDArray[Any]
    cause: npt.NDArray[np.int64]
    unit: npt.NDArray[np.int64]


def ends_of(deals: pd.DataFrame, cluster: str | None) -> Ends:
    """Read how deals ended.

    Raises
    ------
    InputError
        Missing columns, exits before entries, an unrecorded outcome.
    """
    for name in ("entry", "exit", "outcome", *filter(None, (cluster,))):
        if name not in deals.columns:
            raise InputError(f"the deals have no column {name!r}", action=nearest(name, deals.columns))
    entry, leave = np.asarray(day_column(deals["entry"])), np.asarray(day_column(deals["exit"]))
    if (leave <= entry).any():
        raise InputError(f"{int((leave <= entry).sum())} deals leave before they are watched", column="exit",
                         action="Leave them out by a named rule: exit must exceed entry")  # fmt: skip
    place = {name: k for k, name in enumerate(DEFAULT_OUTCOMES)} | {"open": -1}
    outcome = np.asarray(outcome_column(deals["outcome"]), dtype=object)
    for name in pd.unique(outcome):
        if name not in place:
            raise InputError("this outcome cannot be placed", column="outcome", value=name,
                             action="Leave out, or name, the deals with an unrecorded outcome first")  # fmt: skip
    cause = np.array([place[name] for name in outcome], dtype=np.int64)
    if cluster is None:
        return Ends(entry, leave, cause, np.arange(len(deals)))
    return Ends(entry, leave, cause, pd.factorize(account_column(deals, cluster))[0].astype(np.int64))
