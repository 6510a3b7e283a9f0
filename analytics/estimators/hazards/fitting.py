"""Maximise a partial likelihood: Newton's method on standardised covariates, with the robust covariance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.estimators.hazards.likelihood import Point, Ties, evaluate, event_means, score_residuals
from analytics.estimators.hazards.rows import Floats, Ints, RiskRows, summed
from analytics.records.errors import InputError

ITERATIONS = 60
RUNAWAY = 25.0
"""A log hazard ratio per standard deviation beyond this is infinite."""


@dataclass(frozen=True)
class Fit:
    """Coefficients with both covariances, and what each unit adds to their error.

    Attributes
    ----------
    beta : array (terms,)
        Log hazard ratios.
    model, robust : array (terms, terms)
        Inverse information, and the sandwich over units; `robust` is None where it was not asked for.
    influence : array (units, terms) or None
        What each unit adds to `beta`; `influence.T @ influence` is `robust`.
    point : Point
        The likelihood at `beta`.
    null : Point
        The likelihood where no covariate matters.
    """

    beta: Floats
    model: Floats
    robust: Floats | None
    influence: Floats | None
    point: Point
    null: Point


def fit_rows(rows: RiskRows, ties: Ties, terms: tuple[str, ...], *, robust: bool, unit: Ints | None = None) -> Fit:
    """Return the coefficients with their covariance, and with `robust` the sandwich over `unit` (over rows without)."""
    beta, point, null = maximise(rows, ties, terms)
    model: Floats = np.asarray(np.linalg.inv(point.information), dtype=float)
    if not robust:
        return Fit(beta, model, None, None, point, null)
    return Fit(beta, model, *robust_covariance(rows, point, ties, model, unit), point, null)


def maximise(rows: RiskRows, ties: Ties, terms: tuple[str, ...]) -> tuple[Floats, Point, Point]:
    """Return the coefficients, the likelihood there, and the likelihood at 0.

    Raises
    ------
    InputError
        No event, or a coefficient that runs away (every deal with some value has the outcome, or none has).
    """
    if not len(rows.hit):
        raise InputError("no deal had the outcome, so there is nothing to fit")
    beta = np.zeros(rows.x.shape[1])
    share = rows.w / rows.w.sum()
    scale = np.sqrt(np.diag(rows.squares(share)) - (share @ rows.x) ** 2)
    null = point = evaluate(rows, beta, ties)
    for _ in range(ITERATIONS):
        step = _newton_step(point, terms)
        for _ in range(30):
            trial = evaluate(rows, beta + step, ties)
            if np.isfinite(trial.loglik) and trial.loglik >= point.loglik - 1e-9 * (1 + abs(point.loglik)):
                break
            step = step / 2
        beta, point = beta + step, trial
        far = np.abs(beta * scale)
        if far.max() > RUNAWAY:
            raise _runaway(terms[int(far.argmax())])
        if np.abs(step * scale).max() < 1e-10:
            # the score of an infinite effect underflows before the coefficient is large: nothing is known there
            known = np.diag(point.information) / np.diag(null.information)
            if known.min() < 1e-10:
                raise _runaway(terms[int(known.argmin())])
            return beta, point, null
    raise _runaway(terms[int(np.abs(step * scale).argmax())])


def robust_covariance(
    rows: RiskRows, point: Point, ties: Ties, model: Floats, unit: Ints | None
) -> tuple[Floats, Floats]:
    """Return the sandwich covariance over units (rows stand alone without `unit`) and each unit's influence.

    Lin & Wei (1989), JASA 84:1074; with units as in Lee, Wei & Amato (1992). A row that counts several deals adds the
    sum of their squared weights. With C units both carry the factor C/(C-1) (its root), as everywhere in this library.

    Raises
    ------
    InputError
        A single unit: nothing tells how units differ.
    """
    residuals = score_residuals(rows, point, event_means(rows, point, ties))
    if unit is None:
        influence = (residuals * np.sqrt(rows.w2)[:, None]) @ model
        back = np.empty_like(influence)
        back[rows.order] = influence
        return influence.T @ influence, back
    units = int(unit.max()) + 1
    influence = few_units_root(units) * (summed(unit[rows.order], residuals * rows.w[:, None], units) @ model)
    return influence.T @ influence, influence


def few_units_root(units: int) -> float:
    """Return the root of C/(C-1)."""
    if units < 2:
        raise InputError(
            "all deals belong to one account: nothing tells how accounts differ", action="Leave out cluster"
        )
    return float(np.sqrt(units / (units - 1)))


def _newton_step(point: Point, terms: tuple[str, ...]) -> Floats:
    try:
        return np.asarray(np.linalg.solve(point.information, point.score))
    except np.linalg.LinAlgError:
        flat = int(np.argmin(np.diag(point.information)))
        raise InputError(
            "nothing can be said about this covariate: deals at risk together never differ in it", value=terms[flat],
            action="Leave it out",
        ) from None  # fmt: skip


def _runaway(term: str) -> InputError:
    return InputError(
        "the effect of this covariate is infinite: with some value of it every deal, or no deal, had the outcome",
        value=term,
        action="Merge rare categories, or leave it out",
    )
