"""Logistic regression by Newton's method, with what each deal adds to its coefficients: the models of adjustment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.records.errors import InputError

Floats = npt.NDArray[np.float64]
ITERATIONS = 60
RUNAWAY = 30.0


@dataclass(frozen=True)
class Logistic:
    """A fitted logistic regression.

    Attributes
    ----------
    terms : tuple of str
        "Intercept" first.
    beta : array (terms,)
    model : array (terms, terms)
        Inverse information.
    fitted : array (rows,)
        Fitted chances.
    influence : array (rows, terms)
        What one deal of each row adds to the coefficients (not times its weight).
    x : array (rows, terms)
        Covariates with the intercept.
    """

    terms: tuple[str, ...]
    beta: Floats
    model: Floats
    fitted: Floats
    influence: Floats
    x: Floats


def logistic(x: Floats, y: Floats, terms: tuple[str, ...], weights: Floats | None = None) -> Logistic:
    """Fit a logistic regression with an intercept.

    Parameters
    ----------
    x : array (rows, terms)
        Covariates without the intercept.
    y : array (rows,)
        0 or 1, or shares.
    terms : tuple of str
        Names of the covariates.
    weights : array (rows,), optional

    Raises
    ------
    InputError
        Only one kind of y, a covariate that tells y without fail, or covariates that are sums of each other.

    Notes
    -----
    Influence of a deal: I^-1 x (y - p), the derivative of the coefficients with respect to its weight.

    Examples
    --------
    >>> fit = logistic(np.array([[0.0], [1.0], [1.0], [0.0], [1.0]]), np.array([0.0, 1.0, 0.0, 1.0, 1.0]), ("x",))
    >>> (fit.beta.round(4) + 0).tolist()
    [0.0, 0.6931]
    """
    w = np.ones(len(y)) if weights is None else weights
    share = float((w @ y) / w.sum()) if len(y) else float("nan")
    if not 0 < share < 1:
        raise InputError("all deals are of one kind, so nothing can tell the kinds apart", value=share)
    center = np.average(x, axis=0, weights=w)
    full = np.column_stack([np.ones(len(x)), x - center])
    names = ("Intercept", *terms)
    spread = np.sqrt(np.append(1.0, np.average((x - center) ** 2, axis=0, weights=w)))
    beta = np.append(np.log(share / (1 - share)), np.zeros(x.shape[1]))
    for _ in range(ITERATIONS):
        p = 1 / (1 + np.exp(-full @ beta))
        score, information = full.T @ (w * (y - p)), (full * (w * p * (1 - p))[:, None]).T @ full
        try:
            step = np.linalg.solve(information, score)
        except np.linalg.LinAlgError:
            raise _runaway(names, beta * spread) from None
        beta = beta + step * min(1.0, 5.0 / float(np.abs(step * spread).max(initial=1e-300)))
        if np.abs(beta * spread).max() > RUNAWAY:
            raise _runaway(names, beta * spread)
        if np.abs(step * spread).max() < 1e-12:
            break
    else:
        raise _runaway(names, beta * spread)
    back = np.eye(len(beta))  # the coefficients of covariates that were not centred
    back[0, 1:] = -center
    p = 1 / (1 + np.exp(-full @ beta))
    model = back @ np.linalg.inv((full * (w * p * (1 - p))[:, None]).T @ full) @ back.T
    plain = np.column_stack([np.ones(len(x)), x])
    return Logistic(names, back @ beta, model, p, (plain * (y - p)[:, None]) @ model, plain)


def _runaway(terms: tuple[str, ...], size: Floats) -> InputError:
    return InputError(
        "the effect of this covariate is infinite: with some value of it all deals, or none, are of one kind",
        value=terms[int(np.abs(size).argmax())],
        action="Merge rare categories, or leave it out",
    )
