"""What a set of hazard models says of deals: incidences of a profile, and standardised incidences (g-computation)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.hazards.accounts import few_units_root
from analytics.estimators.hazards.fitting import robust_covariance
from analytics.estimators.hazards.likelihood import hazard_influence
from analytics.estimators.hazards.limits import contrast_of, shares_of
from analytics.estimators.hazards.models import HazardModel
from analytics.estimators.hazards.paths import Grid, Paths, SeparatePaths, grid_of, paths_of
from analytics.estimators.hazards.rows import Floats, summed
from analytics.estimators.result import Estimate
from analytics.records.errors import InputError, nearest

CHUNK = 2_000
"""Profiles followed at a time: each has a hazard per model and event time."""


def predicted_incidence(
    models: Mapping[str, HazardModel], profiles: pd.DataFrame, *, times: Sequence[float], conf_level: float = 0.95
) -> Estimate:
    """What share of deals like this one is won, lost or undecided by each age?

    Parameters
    ----------
    models : mapping of outcome to HazardModel
        One model per outcome, all cause-specific or all Fine-Gray, fitted to the same deals in the same order; formulas
        may differ.
    profiles : pandas.DataFrame
        One row per profile: the columns of all formulas, and those of the strata where there are any.
    times : sequence of float
        Days after opening.
    conf_level : float

    Returns
    -------
    Estimate
        Kind incidence (probability for Fine-Gray models, see below), keys ("profile", "outcome", "time") with the
        profile's number from 0; log-log limits with t, by as many degrees of freedom as the outcome has events less
        the terms, or as the accounts are worth for the coefficient they know least of. Standard errors by the
        infinitesimal jackknife over accounts where the models have them, corrected for leverage as in
        `cause_specific_cox`.

    Raises
    ------
    InputError
        Models of both kinds, models of different deals, a column that is missing, an unknown category.

    Notes
    -----
    Product limit of the summed hazards, so that outcomes and open add to 1 (never 1 - exp(-H) per outcome); a profile
    for which the summed hazards exceed 1 on some day is said in the note. Only for covariates that are fixed at
    opening. Beyond the last event nothing changes. Influence functions: van der Vaart (1998), ch. 20.

    Fine-Gray models say F_k = 1 - exp(-H_k) each for itself (R: survfit of coxph on finegray data), so that the shares
    of one profile may sum to more than 1. They are left as they are and the note names profile, day and sum (Austin,
    Steyerberg & Putter 2021, Stat Med 40:4200); prefer cause-specific models for prediction then. Their standard errors
    take the weights from censorings and late entries as known. Where deals enter late, curves are conditional on
    being open when the first deal was first watched.

    Examples
    --------
    >>> from analytics.estimators.hazards.models import cause_specific_cox
    >>> deals = pd.DataFrame({"entry": -1, "exit": [2, 3, 5, 7, 8, 9], "x": [1.0, 0.0, 1.0, 0.0, 1.0, 0.0],
    ...                       "outcome": ["won", "lost", "won", "won", "lost", "open"]})
    >>> models = {name: cause_specific_cox(deals, "x", outcome=name) for name in ("won", "lost")}
    >>> shown = predicted_incidence(models, pd.DataFrame({"x": [0.0]}), times=[7]).frame
    >>> shown[["outcome", "estimate"]].round(3).values.tolist()
    [['won', 0.337], ['lost', 0.166]]
    """
    fitted = _checked(models)
    asked = np.asarray(times, dtype=float)
    rows, crowded, excess = [], False, []
    for number in range(len(profiles)):
        one = profiles.iloc[[number]]
        average = _Average(fitted, grid_of(fitted, _stratum(fitted[0], one)), one, asked)
        crowded |= average.crowded
        excess += [f"profile {number} {day_and_sum}" for _, day_and_sum in average.excess]
        influence = average.influence()
        for place, (outcome, time) in enumerate((o, t) for o in models for t in asked):
            error = float(np.sqrt((influence[:, place] ** 2).sum()))
            rows.append((number, outcome, time, float(average.value.ravel()[place]), error))
    frame = pd.DataFrame(rows, columns=["profile", "outcome", "time", "estimate", "std_error"])
    note = "The summed hazards of a profile exceed 1 on some day and were scaled down there." if crowded else ""
    if excess:
        note = f"The shares of all outcomes sum to more than 1: {', '.join(excess)}. Use cause-specific models here."
    words = "share of deals like the profile with each outcome by each age"
    return shares_of(frame, models, conf_level, words, note)


def standardised_incidence(
    models: Mapping[str, HazardModel],
    target: pd.DataFrame,
    *,
    exposure: str,
    levels: Sequence[object] | None = None,
    times: Sequence[float],
    conf_level: float = 0.95,
) -> tuple[Estimate, Estimate]:
    """What would the shares be if every deal of the target had one value of the exposure, all else as it is?

    Parameters
    ----------
    models, times, conf_level
        As for `predicted_incidence`.
    target : pandas.DataFrame
        The deals over which is averaged: the ones that the models were fitted to, row by row in the same order (known
        by their covariates), or others.
    exposure : str
        Column of the formulas that is set.
    levels : sequence, optional
        Values it is set to, the first being the reference; by default those that occur, in order.

    Returns
    -------
    (Estimate, Estimate)
        Incidences, kind incidence, keys (exposure, "outcome", "time"); and differences from the first level, kind
        contrast, same keys, with their own standard errors (levels share deals and models).

    Raises
    ------
    InputError
        As `predicted_incidence`; an exposure that no formula reads.

    Notes
    -----
    g-computation: the average of F(t | x, exposure = level) over the target. It describes what the models say; it is
    the effect of changing the exposure only if the formulas hold everything that drives both exposure and outcome, the
    hazards are proportional, and every kind of deal occurs with every level. Standard errors are for these target deals
    and, where they are the fitted ones, add their sampling. Robins (1986), Math Modelling 7:1393; Ozenne et al. (2020),
    Biom J 62:751, eq. 12-14.

    Examples
    --------
    >>> from analytics.estimators.hazards.models import cause_specific_cox
    >>> deals = pd.DataFrame({"entry": -1, "exit": [2, 3, 5, 7, 8, 9], "x": [1.0, 0.0, 1.0, 0.0, 1.0, 0.0],
    ...                       "outcome": ["won", "lost", "won", "won", "lost", "open"]})
    >>> models = {name: cause_specific_cox(deals, "x", outcome=name) for name in ("won", "lost")}
    >>> shares, differences = standardised_incidence(models, deals, exposure="x", times=[7])
    >>> differences.at(outcome="won")["estimate"].round(3).tolist()
    [0.327]
    """
    fitted = _checked(models)
    if not any(exposure in model.design.columns for model in fitted):
        named = sorted({name for model in fitted for name in model.design.columns})
        raise InputError("no formula reads this column", column=exposure, action=nearest(exposure, named))
    if len(fitted[0].strata) > 1:
        raise InputError("stratified models cannot be standardised", action="Put the stratum into the formula")
    asked = np.asarray(times, dtype=float)
    values: list[Any] = list(levels) if levels is not None else sorted(target[exposure].unique().tolist())
    own = all(_fitted_to(model, target) for model in {model.design.formula: model for model in fitted}.values())
    averages = [_Average(fitted, grid_of(fitted, 0), target.assign(**{exposure: level}), asked) for level in values]
    influences = [average.influence(own_target=own) for average in averages]
    keys = [(outcome, time) for outcome in models for time in asked]
    shares, differences = [], []
    for level, average, influence in zip(values, averages, influences, strict=True):
        gap = influence - influences[0]
        change = average.value - averages[0].value
        for place, (outcome, time) in enumerate(keys):
            value, step = float(average.value.ravel()[place]), float(change.ravel()[place])
            shares.append((level, outcome, time, value, float(np.sqrt((influence[:, place] ** 2).sum()))))
            if average is not averages[0]:
                differences.append((level, outcome, time, step, float(np.sqrt((gap[:, place] ** 2).sum()))))
    names = [exposure, "outcome", "time", "estimate", "std_error"]
    words = (
        f"share with each outcome by each age if every deal had this {exposure}, averaged over {len(target):,} deals"
    )
    excess = sum(len(average.excess) for average in averages)
    note = f"For {excess:,} pairs of deal and level the shares of all outcomes sum to more than 1." if excess else ""
    first = shares_of(pd.DataFrame(shares, columns=names), models, conf_level, words, note)
    return first, contrast_of(pd.DataFrame(differences, columns=names), models, conf_level, values[0])


class _Average:
    """The average incidence of some profiles at some times, and what every hazard and coefficient does to it.

    `value` is `(outcomes, times)`; `each` the profiles' own values, `(profiles, outcomes * times)`.
    """

    def __init__(self, models: Sequence[HazardModel], grid: Grid, profiles: pd.DataFrame, times: Floats) -> None:
        self.models, self.grid = models, grid
        self.upto = np.searchsorted(grid.time, times, side="right") - 1
        count, size = len(models), len(times)
        self.on_hazard = np.zeros((count * size, count, len(grid.time)))
        self.on_beta = [np.zeros((count * size, model.design.x.shape[1])) for model in models]
        self.crowded = False
        self.excess: list[tuple[int, str]] = []
        pieces, by_formula = [], {model.design.formula: model for model in models}
        for begin in range(0, len(profiles), CHUNK):
            part = profiles.iloc[begin : begin + CHUNK]
            # models of the same deals with one formula have one design
            covariates = {formula: model.design.of(part) for formula, model in by_formula.items()}
            x = [covariates[model.design.formula] - model.center for model in models]
            paths = paths_of(models, grid, x)
            self.crowded |= paths.crowded
            self.excess += self._above_one(paths, begin)
            pieces.append(self._add(paths, x))
        self.each = np.concatenate(pieces)
        self.on_hazard /= len(profiles)
        self.on_beta = [slope / len(profiles) for slope in self.on_beta]
        self.value = self.each.mean(axis=0).reshape(count, size)

    def _above_one(self, paths: Paths | SeparatePaths, begin: int) -> list[tuple[int, str]]:
        """Return which profiles' incidences sum to more than 1 by the last time asked for, and from which day."""
        if isinstance(paths, Paths) or not len(self.upto):
            return []
        total = paths.incidence[:, :, : int(self.upto.max()) + 1].sum(axis=1)
        found = []
        for number in np.flatnonzero((total > 1 + 1e-9).any(axis=1)):
            day = self.grid.time[int(np.argmax(total[number] > 1 + 1e-9))]
            found.append((begin + int(number), f"from day {day:g} on (up to {total[number, -1]:.3f})"))
        return found

    def _add(self, paths: Paths | SeparatePaths, x: Sequence[Floats]) -> Floats:
        values = []
        for k in range(len(self.models)):
            for place, upto in enumerate(self.upto):
                values.append(paths.incidence[:, k, upto] if upto >= 0 else np.zeros(len(x[0])))
                slope, row = paths.slope(k, int(upto)), k * len(self.upto) + place
                for j, model in enumerate(self.models):
                    relative = np.exp(x[j] @ model.fit.beta)
                    own = slope[:, j, self.grid.place[j]] * relative[:, None]
                    self.on_hazard[row, j, self.grid.place[j]] += own.sum(axis=0)
                    point, part = model.fit.point, self.grid.part[j]
                    self.on_beta[j][row] += (own @ point.hazard[part]) @ x[j] - own.sum(axis=0) @ point.mean[part]
        return np.column_stack(values)

    def influence(self, own_target: bool = False) -> Floats:
        """Return what each unit (account, or deal) adds to every average, `(units, outcomes * times)`."""
        first = self.models[0]
        units = len(first.rows.order) if first.unit is None else int(first.unit.max()) + 1
        total = np.zeros((units, len(self.on_hazard)))
        for j, model in enumerate(self.models):
            fit, rows = model.fit, model.rows
            units_of = fit.over_units or robust_covariance(rows, fit.point, model.ties, fit.model, model.unit)
            total += units_of.influence @ self.on_beta[j].T
            for column, factor in enumerate(self.on_hazard[:, j, :]):
                along = np.zeros(len(rows.time))
                along[self.grid.part[j]] = factor[self.grid.place[j]]
                moved = hazard_influence(rows, fit.point, model.ties, along)
                total[:, column] += _by_unit(moved, model, units)
        if own_target:
            spread = (self.each - self.each.mean(axis=0)) / len(self.each)
            total += spread if first.unit is None else few_units_root(units) * summed(first.unit, spread, units)
        return total


def _fitted_to(model: HazardModel, target: pd.DataFrame) -> bool:
    """Say whether the target is the deals that the model was fitted to, row by row: as many, with its covariates."""
    if len(target) != len(model.design.x) or (model.rows.n != 1).any():
        return False
    return bool(np.allclose(model.design.of(target) - model.center, model.design.x, rtol=1e-9, atol=1e-12))


def _by_unit(moved: Floats, model: HazardModel, units: int) -> Floats:
    """Weigh what one deal of each row adds: summed by account, else a cell of deals that stand alone as their root."""
    if model.unit is not None:
        return few_units_root(units) * summed(model.unit[model.rows.order], moved * model.rows.w, units)
    back = np.empty(units)
    back[model.rows.order] = moved * np.sqrt(model.rows.w2)
    return back


def _checked(models: Mapping[str, HazardModel]) -> list[HazardModel]:
    fitted = list(models.values())
    if not fitted:
        raise InputError("there is no model", action="Give one cause-specific model per outcome")
    for outcome, model in models.items():
        if model.kind != fitted[0].kind:
            raise InputError("cause-specific and Fine-Gray models cannot be mixed", value=outcome,
                             action="Fit all outcomes with cause_specific_cox, or all with fine_gray")  # fmt: skip
        if len(model.rows.order) != len(fitted[0].rows.order) or not model.strata.equals(fitted[0].strata):
            raise InputError("the models were fitted to different deals or strata", value=outcome)
    return fitted


def _stratum(model: HazardModel, profile: pd.DataFrame) -> int:
    for name in model.strata.columns:
        if name not in profile:
            raise InputError("the models are stratified by this column and the profile lacks it", column=str(name))
    same = np.ones(len(model.strata), dtype=bool)
    for name in model.strata.columns:
        same &= (model.strata[name] == profile[name].iloc[0]).to_numpy()
    if not same.any():
        raise InputError("no deal that the models were fitted to is in this stratum", value=profile.iloc[0].to_dict())
    return int(np.flatnonzero(same)[0])
