"""From the hazards of all outcomes to cumulative incidences, and how these move when a hazard does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.estimators.hazards.models import HazardModel
from analytics.estimators.hazards.rows import Floats, Ints


@dataclass(frozen=True)
class Grid:
    """The event times of all models together in one stratum, and where each model's own times and rows lie.

    `place[k]` are positions on `time` of model k's event times; `part[k]` the slice of them that is the stratum's.
    """

    time: Floats
    place: tuple[Ints, ...]
    part: tuple[slice, ...]


@dataclass(frozen=True)
class Paths:
    """Hazards `(profiles, models, times)` and what follows from them, product-limit of the summed hazards.

    `before` is the share still open just before each time, `incidence` the cumulative incidences; `crowded` says
    whether the summed hazards exceeded 1 somewhere (they were scaled down to 1 there).
    """

    hazard: Floats
    before: Floats
    incidence: Floats
    crowded: bool

    def slope(self, outcome: int, upto: int) -> Floats:
        """Return how F_outcome at position `upto` moves with every hazard, `(profiles, models, times)`.

        dF_k(t)/dh_j(u) = S(u-) 1{j = k} - {F_k(t) - F_k(u)} / {1 - h(u)} for u <= t.
        """
        profiles, models, times = self.hazard.shape
        slope = np.zeros((profiles, models, times))
        if upto < 0:
            return slope
        f, total = self.incidence[:, outcome, :], self.hazard.sum(axis=1)
        left = np.where(total < 1, 1 - total, 1.0)
        rest = np.where(total < 1, (f[:, [upto]] - f) / left, 0.0)
        slope[:, :, : upto + 1] = -rest[:, None, : upto + 1]
        slope[:, outcome, : upto + 1] += self.before[:, : upto + 1]
        return slope


@dataclass(frozen=True)
class SeparatePaths:
    """What Fine-Gray models say, each of its own outcome: F_k = 1 - exp(-H_k); nothing keeps their sum below 1.

    `hazard` are subdistribution hazards and `incidence` what follows, `(profiles, models, times)`; `crowded` is False,
    since nothing is scaled down.
    """

    hazard: Floats
    incidence: Floats
    crowded: bool = False

    def slope(self, outcome: int, upto: int) -> Floats:
        """Return how F_outcome at position `upto` moves with every hazard: dF_k/dh_k(u) = 1 - F_k(t) for u <= t."""
        slope = np.zeros(self.hazard.shape)
        if upto >= 0:
            slope[:, outcome, : upto + 1] = 1 - self.incidence[:, outcome, [upto]]
        return slope


def grid_of(models: Sequence[HazardModel], stratum: int) -> Grid:
    """Put the event times of the models on one axis."""
    parts = tuple(slice(int(m.rows.block[stratum]), int(m.rows.block[stratum + 1])) for m in models)
    times = [model.rows.time[part] for model, part in zip(models, parts, strict=True)]
    time = np.unique(np.concatenate(times))
    return Grid(time, tuple(np.searchsorted(time, own) for own in times), parts)


def paths_of(models: Sequence[HazardModel], grid: Grid, x: Sequence[Floats]) -> Paths | SeparatePaths:
    """Follow profiles through time; `x[k]` are their covariates in model k, `(profiles, terms)`, centred.

    Cheng, Fine & Wei (1998), Biometrics 54:219, with the product limit in place of the exponential, so that outcomes
    and open add to 1; Fine-Gray models each by themselves, as Fine & Gray (1999), section 4.
    """
    profiles = len(x[0])
    hazard = np.zeros((profiles, len(models), len(grid.time)))
    for k, model in enumerate(models):
        relative = np.exp(x[k] @ model.fit.beta)
        hazard[:, k, grid.place[k]] = relative[:, None] * model.fit.point.hazard[grid.part[k]]
    if models[0].kind == "subdistribution":
        return SeparatePaths(hazard, -np.expm1(-np.cumsum(hazard, axis=2)))
    total = hazard.sum(axis=1)
    crowded = total > 1
    if crowded.any():
        hazard = hazard / np.maximum(total, 1.0)[:, None, :]
        total = np.minimum(total, 1.0)
    after = np.cumprod(1 - total, axis=1)
    before = np.concatenate([np.ones((profiles, 1)), after[:, :-1]], axis=1)
    incidence = np.cumsum(before[:, None, :] * hazard, axis=2)
    return Paths(hazard, before, incidence, bool(crowded.any()))
