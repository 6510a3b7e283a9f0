"""Maximise the multinomial likelihood: Newton's method with a ridge per term, and covariances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.estimators.discrete_time.likelihood import (
    Counts,
    Floats,
    Point,
    curvature,
    evaluate,
    information,
    stacked,
    unstacked,
)
from analytics.records.errors import InputError, nearest

ITERATIONS = 100
PATIENCE, RUNAWAY, STILL_MOVING = 12, 20.0, 0.3
"""After so many steps, log odds that differ so much between two rows, on account of one term, and that still move so
much in a step, are on their way to infinity: a step of Newton's adds about 1 there, and next to nothing elsewhere."""


@dataclass(frozen=True)
class Names:
    """Terms (the intercept first) and outcomes, for error messages."""

    terms: tuple[str, ...]
    outcomes: tuple[str, ...]


@dataclass(frozen=True)
class Maximum:
    """Coefficients `(terms, outcomes)`, the likelihood there, and the penalised information."""

    coef: Floats
    point: Point
    information: Floats


def maximise(counts: Counts, ridge: Floats, names: Names) -> Maximum:
    """Return the maximum of the log-likelihood minus half the sum of `ridge` times squared coefficients.

    Raises
    ------
    InputError
        An outcome that nobody had, or a coefficient that runs away.
    """
    check_outcomes(counts, names)
    coef = starting_point(counts)
    point = evaluate(counts, counts.x @ coef)
    value = point.loglik - penalty(coef, ridge)
    for iteration in range(ITERATIONS):
        curved = information(counts.x, curvature(counts, point)) + np.diag(np.tile(ridge, coef.shape[1]))
        step = unstacked(solved(curved, stacked(counts.x.T @ point.residual - ridge[:, None] * coef)), len(coef))
        size = float(np.abs(step).max())
        while True:
            trial = evaluate(counts, counts.x @ (coef + step))
            reached = trial.loglik - penalty(coef + step, ridge)
            if np.isfinite(reached) and reached >= value - 1e-10 * (1 + abs(value)):
                break
            step = step / 2
            if np.abs(step).max() < 1e-14:
                break
        coef, point, value = coef + step, trial, reached
        if iteration >= PATIENCE:
            refuse_runaway(counts, coef, step, names)
        if size < 1e-9:
            curved = information(counts.x, curvature(counts, point)) + np.diag(np.tile(ridge, coef.shape[1]))
            return Maximum(coef, point, curved)
    raise _runaway(names, np.abs(step))


def check_outcomes(counts: Counts, names: Names) -> None:
    """Stop where an outcome has no event, or nobody is left open."""
    for k, outcome in enumerate(names.outcomes):
        if not counts.d[:, k].sum() > 0:
            raise InputError("no deal had this outcome, so there is nothing to fit", column="outcome", value=outcome,
                             action="Leave it out of the outcomes")  # fmt: skip
    if not counts.n.sum() > counts.d.sum():
        raise InputError("every deal ended in the first period that it was watched in", column="period",
                         action="Take shorter periods")  # fmt: skip


def starting_point(counts: Counts) -> Floats:
    """Return coefficients of 0 with the intercepts of the overall hazards (covariates are centred)."""
    coef = np.zeros(counts.shape)
    ended = counts.d.sum(axis=0)
    coef[0] = np.log(ended / (counts.n.sum() - ended.sum()))
    return coef


def penalty(coef: Floats, ridge: Floats) -> float:
    """Return half the sum of ridge times squared coefficients."""
    return float((ridge[:, None] * coef**2).sum() / 2)


def solved(matrix: Floats, right: Floats) -> Floats:
    """Solve, naming the reason where nothing can be said."""
    try:
        return np.asarray(np.linalg.solve(matrix, right))
    except np.linalg.LinAlgError:
        raise InputError(
            "the counts cannot tell the covariates' effects apart", action="Leave covariates out, or ask for a ridge"
        ) from None


def refuse_runaway(counts: Counts, coef: Floats, step: Floats, names: Names) -> None:
    """Stop at an effect that is on its way to infinity."""
    width = (counts.x.max(axis=0) - counts.x.min(axis=0))[:, None]
    far = np.where(np.abs(step) * width > STILL_MOVING, np.abs(coef) * width, 0.0)
    if far.max() > RUNAWAY:
        raise _runaway(names, far)


def ridge_of(ridge: float | Mapping[str, float], terms: Sequence[str]) -> Floats:
    """Return the penalty of each term; a name stands for a term, or for all terms of a factor ("C(period)").

    Raises
    ------
    InputError
        A name that is no term, or a penalty that is negative or not finite.
    """
    each = dict.fromkeys(terms, 0.0) if isinstance(ridge, Mapping) else dict.fromkeys(terms, float(ridge))
    for name, value in ridge.items() if isinstance(ridge, Mapping) else ():
        meant = [term for term in terms if term == name or term.startswith(f"{name}[")]
        if not meant:
            factors = {term.split("[")[0] for term in terms}
            raise InputError("there is no such term to penalise", value=name, action=nearest(name, factors))
        each |= dict.fromkeys(meant, float(value))
    values = np.asarray([each[term] for term in terms], dtype=float)
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise InputError("a ridge penalty is negative or not finite", value=ridge)
    return values


def _runaway(names: Names, far: Floats) -> InputError:
    term, outcome = divmod(int(far.argmax()), far.shape[1])
    return InputError(
        f"the effect of this covariate on {names.outcomes[outcome]} is infinite: with some value of it every deal, or "
        "no deal, ended so",
        value=names.terms[term],
        action="Merge rare categories or late periods, leave it out, or give it a ridge",
    )
