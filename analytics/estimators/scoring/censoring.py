"""Weights of the deals whose state at a horizon is known, and what estimating them adds to every error.

A deal that was open and unwatched before the horizon says nothing of its state then; the others stand in for it with
the inverse probability 1/G of still being watched. G is the reverse Kaplan-Meier estimate in which outcomes precede
censorings of the same day: a deal that ended weighs 1/G just before its end, an open one 1/G at the horizon.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from analytics.estimators.hazards.models import cause_specific_cox
from analytics.estimators.scoring.cohort import Cohort, Floats, Ints

Side = Literal["left", "right"]


@dataclass(frozen=True)
class Steps:
    """The marginal reverse Kaplan-Meier estimate as steps.

    At `time`: `share` still watched after it, and the two factors of its influence, `jump` (of a deal censored there)
    and `drift` (of a deal at risk of it). `last` is the step up to which each deal is at risk of being censored.
    """

    time: Floats
    share: Floats
    jump: Floats
    drift: Floats
    place: Ints
    last: Ints

    def at(self, times: Floats, side: Side) -> Floats:
        """Share still watched just before ("left") or after ("right") each time."""
        place = np.searchsorted(self.time, times, side=side) - 1
        return np.where(place >= 0, self.share[np.maximum(place, 0)], 1.0)


@dataclass(frozen=True)
class CoxShare:
    """exp(-H(t)) per deal, H the cumulative hazard of being censored."""

    time: Floats
    cumulative: Floats
    relative: Floats

    def at(self, times: Floats, side: Side) -> Floats:
        """Share still watched just before ("left") or after ("right") each deal's time."""
        place = np.searchsorted(self.time, times, side=side)
        return np.exp(-np.concatenate(([0.0], self.cumulative))[place] * self.relative)


@dataclass(frozen=True)
class Censoring:
    """1/G of every deal just before it left, and G itself."""

    cohort: Cohort
    before_end: Floats
    share: Steps | CoxShare

    def weights(self, horizon: float) -> Floats:
        """Return the weight of every deal at the horizon: 0 where its state then is unknown."""
        cohort = self.cohort
        ended = (cohort.leave <= horizon) & (cohort.cause >= 0)
        return np.where(ended, self.before_end, np.where(cohort.leave > horizon, 1 / self._watched(horizon), 0.0))

    def _watched(self, horizon: float) -> Floats:
        value = self.share.at(np.full(self.cohort.size, horizon), "right")
        return np.where(value > 0, value, 1.0)  # 0 only where nobody is left to be weighted

    def spread(self, parts: Floats, horizon: float) -> Floats:
        """Return what each deal adds to the mean of `parts` (weighted terms, one per deal) by way of the weights.

        Weights of a regression on covariates are taken as known (zero), which errs on the wide side.
        """
        steps, size = self.share, self.cohort.size
        if not isinstance(steps, Steps):
            return np.zeros(size)
        over = self.cohort.leave > horizon
        ended = np.bincount(steps.place[~over], weights=parts[~over], minlength=len(steps.time))
        # an ended deal's weight rests on the censorings before its end, an open one's on those up to the horizon
        resting = np.cumsum(ended[::-1])[::-1] - ended + np.where(steps.time <= horizon, parts[over].sum(), 0.0)
        gone = np.concatenate(([0.0], np.cumsum(steps.drift * resting)))[steps.last + 1]
        own = np.where(self.cohort.cause < 0, (steps.jump * resting)[steps.place], 0.0)
        return np.asarray((own - gone) / size)


def marginal_censoring(cohort: Cohort, *, tied_ends_at_risk: bool = False) -> Censoring:
    """Return the weights from the reverse Kaplan-Meier estimate, the same for all deals.

    With `tied_ends_at_risk` the influence counts deals that ended on a day as at risk of censoring on it, as
    riskRegression does; the estimate does not, so with heavy ties that misstates the error.
    """
    time, place = np.unique(cohort.leave, return_inverse=True)
    left = np.bincount(place, minlength=len(time))
    ended = np.bincount(place, weights=cohort.cause >= 0, minlength=len(time))
    at_risk = cohort.size - np.concatenate(([0], np.cumsum(left)[:-1]))
    censored, watched = left - ended, at_risk - ended
    hazard = np.divide(censored, watched, out=np.zeros(len(time)), where=watched > 0)
    share = np.cumprod(1 - hazard)
    if tied_ends_at_risk:
        jump = cohort.size / at_risk
        drift, last = jump * censored / at_risk, place
    else:
        alive = (watched > 0) & (hazard < 1)
        base = np.where(alive, watched * (1 - hazard), 1.0)
        jump = np.where(alive, cohort.size / base, 0.0)
        drift, last = jump * hazard, np.where(cohort.cause < 0, place, place - 1)
    steps = Steps(time, share, jump, drift, place.astype(np.int64), last.astype(np.int64))
    return Censoring(cohort, 1 / steps.at(cohort.leave, "left"), steps)


def modelled_censoring(
    cohort: Cohort, deals: pd.DataFrame, formula: str, *, tied_ends_at_risk: bool = False
) -> Censoring:
    """Return weights from a Cox model of being censored (Efron), for watching that ends earlier for some deals.

    `deals` is the caller's frame. `tied_ends_at_risk` as for `marginal_censoring`; here it is in the estimate as well.
    """
    rows = deals.iloc[cohort.row].reset_index(drop=True)
    censored = cohort.cause < 0
    if not censored.any():
        return Censoring(cohort, np.ones(cohort.size), CoxShare(np.zeros(0), np.zeros(0), np.ones(cohort.size)))
    day, place = np.unique(cohort.leave, return_inverse=True)
    turn = 2 * place + (censored & (not tied_ends_at_risk))  # by default who is censored on a day leaves it last
    frame = rows.assign(entry=-1, exit=turn, outcome=np.where(censored, "censored", "open"))
    model = cause_specific_cox(frame, formula, outcome="censored")
    base = model.baseline()
    relative = np.exp(model.design.of(rows) @ model.fit.beta)
    share = CoxShare(day[base["time"].to_numpy(dtype=np.int64) // 2], base["cumulative_hazard"].to_numpy(), relative)
    return Censoring(cohort, 1 / share.at(cohort.leave, "left"), share)
