"""Partial likelihood of a hazard regression and its residuals, one linear pass each; Breslow and Efron ties.

With ties at an event time, Efron's method takes the tied deals out of the risk set one after the other, on average:
the l-th of d tied events meets the risk sum S0 - (l/d) D0, where D0 is the sum over the tied deals. Breslow's method is
the same with l/d replaced by 0. Everything below is written for the general step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from analytics.estimators.hazards.rows import Floats, Ints, RiskRows, summed_in_order

Ties = Literal["efron", "breslow"]


@dataclass(frozen=True)
class Steps:
    """The events of all times, one step per event under Efron and one per time under Breslow.

    `place` is the step's event time, `taken` the share l/d of the tied deals that are already out, `weight` what the
    step counts, `risk` the risk sum that it meets.
    """

    place: Ints
    taken: Floats
    weight: Floats
    risk: Floats


@dataclass(frozen=True)
class Point:
    """The partial likelihood at one value of the coefficients.

    `hazard` (times,) are the increments of the baseline hazard for a row at risk, `own` those for a row that has its
    own event at that time (smaller under Efron); `mean` (times, terms) their sums of covariate means, likewise
    `own_mean`. `relative` is exp(x b) per row.
    """

    loglik: float
    score: Floats
    information: Floats
    relative: Floats
    hazard: Floats
    own: Floats
    mean: Floats
    own_mean: Floats


def evaluate(rows: RiskRows, beta: Floats, ties: Ties) -> Point:
    """Return the log partial likelihood, its first two derivatives and the baseline hazard at `beta`.

    Cox (1975), Biometrika 62:269; Efron (1977), JASA 72:557; the information is rewritten as a sum over rows,
    X' diag(r H) X - sum over steps of mean mean', so that no matrix is kept per event time.
    """
    eta = rows.x @ beta
    relative = np.exp(eta)
    r = rows.w * relative
    steps, mean_step = _met(rows, r, ties)
    weighted = steps.weight[:, None] * mean_step
    hazard, own = _of_times(rows, steps, steps.weight / steps.risk)
    mean, own_mean = _of_times(rows, steps, weighted / steps.risk[:, None])
    spent = r * _exposure(rows, hazard, own)
    score = rows.event_total - rows.x.T @ spent
    information = rows.squares(spent) - mean_step.T @ weighted
    loglik = float(rows.event_total @ beta - steps.weight @ np.log(steps.risk))
    return Point(loglik, score, information, relative, hazard, own, mean, own_mean)


@dataclass(frozen=True)
class Watched:
    """Rows over the hazards that they met, for the parts of the information that lie with them.

    `turned` are the covariates times a matrix and `met` their means summed over the hazards, `spent` the hazards' sum.
    """

    rows: RiskRows
    steps: Steps
    weight: Floats
    turned: Floats
    mean: Floats
    spent: Floats
    met: Floats

    def product(self, a: int, b: int) -> Floats:
        """Return each row's integral of (y_a - mean_a)(y_b - mean_b) over its hazard, times its weight."""
        values = self.steps.weight / self.steps.risk * self.mean[:, a] * self.mean[:, b]
        both = _exposure(self.rows, *_of_times(self.rows, self.steps, values))
        y, met = self.turned, self.met
        whole = y[:, a] * y[:, b] * self.spent - y[:, a] * met[:, b] - y[:, b] * met[:, a] + both
        return np.asarray(self.weight * whole)


def watched(rows: RiskRows, point: Point, ties: Ties, turn: Floats) -> Watched:
    """Return what the parts of the information are made of, for covariates times `turn`."""
    weight = rows.w * point.relative
    steps, mean = _met(rows, weight, ties)
    spent, met = _exposure(rows, point.hazard, point.own), _exposure(rows, point.mean, point.own_mean)
    return Watched(rows, steps, weight, rows.x @ turn, mean @ turn, spent, met @ turn)


def martingale_residuals(rows: RiskRows, point: Point) -> Floats:
    """Return events minus expected events of each row (of one deal; a cell counts w of them)."""
    residuals = -point.relative * _exposure(rows, point.hazard, point.own)
    residuals[rows.hit] += 1.0
    return np.asarray(residuals)


def score_residuals(rows: RiskRows, point: Point, means: Floats) -> Floats:
    """Return what one deal of each row adds to the score, `(rows, terms)`; `means` are the `event_means`.

    Lin & Wei (1989), JASA 84:1074, eq. 2.4, per event step.
    """
    spent = _exposure(rows, point.hazard, point.own)
    met = _exposure(rows, point.mean, point.own_mean)
    residuals = -point.relative[:, None] * (rows.x * spent[:, None] - met)
    residuals[rows.hit] += schoenfeld_residuals(rows, means)
    return np.asarray(residuals)


def schoenfeld_residuals(rows: RiskRows, means: Floats) -> Floats:
    """Return covariates minus the mean of the risk set, for the rows with the outcome (`rows.hit`)."""
    return np.asarray(rows.x[rows.hit] - means[rows.last[rows.hit]])


def hazard_influence(rows: RiskRows, point: Point, ties: Ties, factor: Floats) -> Floats:
    """Return what one deal of each row adds to sum over times of factor(t) h(t), the coefficients held fixed.

    It adds to the events of its own end, and to the risk sum of every time at which it is at risk.
    """
    steps, _ = _met(rows, rows.w * point.relative, ties)
    events = rows.by_event_time(rows.n) if ties == "efron" else rows.events
    added = summed_in_order(steps.place, 1.0 / steps.risk, len(rows.time)) * (1.0 if ties == "breslow" else 1 / events)
    taken, own = _of_times(rows, steps, steps.weight / steps.risk**2)
    out = -point.relative * _exposure(rows, factor * taken, factor * own)
    out[rows.hit] += (factor * added)[rows.last[rows.hit]]
    return np.asarray(out)


def event_means(rows: RiskRows, point: Point, ties: Ties) -> Floats:
    """Return the mean covariates of the risk set that the events of each time meet, on average over their steps."""
    steps, mean_step = _met(rows, rows.w * point.relative, ties)
    weight = summed_in_order(steps.place, steps.weight, len(rows.time))
    met = summed_in_order(steps.place, steps.weight[:, None] * mean_step, len(rows.time))
    return np.asarray(met / weight[:, None])


def mean_and_spread(rows: RiskRows, point: Point, ties: Ties) -> tuple[Floats, Floats]:
    """Return, per event time, the sum of covariates minus means `(times, terms)` and of their variances in the risk
    sets `(times, terms, terms)`: the parts of the score and of the information.
    """
    r = rows.w * point.relative
    steps, mean = _met(rows, r, ties)
    size, terms = len(rows.time), rows.x.shape[1]
    events = rows.by_event_time(rows.w[:, None] * rows.x)
    residual = events - summed_in_order(steps.place, steps.weight[:, None] * mean, size)
    spread = np.zeros((size, terms, terms))
    for a in range(terms):
        product = r[:, None] * rows.x[:, [a]] * rows.x[:, a:]
        all_, own = rows.over_risk_sets(product), rows.by_event_time(product)
        second = (all_[steps.place] - steps.taken[:, None] * own[steps.place]) / steps.risk[:, None]
        part = summed_in_order(steps.place, steps.weight[:, None] * (second - mean[:, [a]] * mean[:, a:]), size)
        spread[:, a, a:] = spread[:, a:, a] = part
    return residual, spread


def _met(rows: RiskRows, r: Floats, ties: Ties) -> tuple[Steps, Floats]:
    """Return the steps and the mean covariates of the risk set that each of them meets."""
    rx = r[:, None] * rows.x
    s0, s1 = rows.over_risk_sets(r), rows.over_risk_sets(rx)
    weight = rows.events
    if ties == "breslow":
        place = np.arange(len(rows.time))
        return Steps(place, np.zeros(len(place)), weight, s0), s1 / s0[:, None]
    d = rows.by_event_time(rows.n).round().astype(np.int64)
    place = np.repeat(np.arange(len(d)), d)
    taken = (np.arange(len(place)) - np.repeat(np.cumsum(d) - d, d)) / d[place]
    d0, d1 = rows.by_event_time(r), rows.by_event_time(rx)
    risk = s0[place] - taken * d0[place]
    return Steps(place, taken, (weight / d)[place], risk), (s1[place] - taken[:, None] * d1[place]) / risk[:, None]


def _of_times(rows: RiskRows, steps: Steps, values: Floats) -> tuple[Floats, Floats]:
    """Sum values of steps over each time: for a row at risk, and for one that has its own event there."""
    if len(steps.place) == len(rows.time):
        return values, values
    still = 1 - steps.taken
    left = values * (still if values.ndim == 1 else still[:, None])
    size = len(rows.time)
    return summed_in_order(steps.place, values, size), summed_in_order(steps.place, left, size)


def _exposure(rows: RiskRows, steps: Floats, own: Floats) -> Floats:
    """Sum the steps that each row was at risk for; at its own event a row is out for a part of the ties."""
    total = rows.along(steps)
    if own is not steps:
        at = rows.last[rows.hit]
        total[rows.hit] += own[at] - steps[at]
    return total
