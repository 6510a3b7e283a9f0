"""What accounts and weights do to standard errors: whose the information is, and what they are worth together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.estimators.hazards.likelihood import Point, Ties, martingale_residuals, watched
from analytics.estimators.hazards.rows import Floats, Ints, RiskRows, summed
from analytics.records.errors import InputError

NEGLIGIBLE = 1e-3
"""An account with less of the information than this would move its own influence by less than a thousandth."""
MOST = 0.75
"""The largest leverage that is corrected for: Fay & Graubard (2001), section 2.3."""


@dataclass(frozen=True)
class Leverage:
    """The part of the information that lies with each account, for those with more than a negligible one.

    `root @ root.T` is the inverse information; `matrix` (accounts, terms, terms) is each part on the scale on which the
    whole is the identity, `account` says whose.
    """

    account: Ints
    matrix: Floats
    root: Floats

    def corrected(self, score: Floats) -> Floats:
        """Return each account's influence on the coefficients from its `score` (accounts, terms).

        V^(1/2) (1 - H_c)^(-1/2) V^(1/2) U_c, with H_c the leverage of the account: residuals of an account that has
        pulled the estimate towards itself are too small.
        """
        moved = score @ self.root
        size, axis = np.linalg.eigh(self.matrix)
        along = np.einsum("cji,cj->ci", axis, moved[self.account])
        moved[self.account] = np.einsum("cij,cj->ci", axis, along / np.sqrt(1 - np.minimum(size, MOST)))
        return np.asarray(moved @ self.root.T)


def leverage_of(
    rows: RiskRows, point: Point, ties: Ties, model: Floats, unit: Ints, share: Floats | float = 1.0
) -> Leverage:
    """Return the leverage of each account, in time linear in the rows.

    The part of an account is the sum over its deals of the integral of (x - mean)(x - mean)' over their hazards.
    `model` is the inverse information, `unit` the account of each row in the kernel's order, `share` the part of it
    that is one of several equal units' which are counted together.
    """
    root: Floats = np.asarray(np.linalg.cholesky(model), dtype=float)
    times = watched(rows, point, ties, root)
    units = int(unit.max()) + 1
    trace = np.zeros(units)
    for a in range(len(model)):
        trace += summed(unit, times.product(a, a), units)
    account = np.flatnonzero(trace * share > NEGLIGIBLE)
    matrix = np.zeros((len(account), *model.shape))
    for a in range(len(model) if len(account) else 0):
        for b in range(a + 1):
            matrix[:, a, b] = matrix[:, b, a] = summed(unit, times.product(a, b), units)[account]
    return Leverage(account, matrix * np.broadcast_to(share, units)[account, None, None], root)


def leverage_of_deals(rows: RiskRows, point: Point, ties: Ties, model: Floats) -> Leverage:
    """Return the leverage of a deal of each row: the row's, shared out among its deals (w2 / w^2 of it each)."""
    return leverage_of(rows, point, ties, model, np.arange(len(rows.w)), rows.w2 / rows.w**2)


def df_of_deals(rows: RiskRows, point: Point, ties: Ties, model: Floats) -> Floats:
    """Return the degrees of freedom of each coefficient's variance over deals that stand alone with their weights.

    Satterthwaite's, (sum v)^2 / sum v^2, with v the variance of a deal's score: w^2 times its part of the information.
    """
    times = watched(rows, point, ties, model)
    alone = rows.w2 / rows.w
    own = np.column_stack([times.product(j, j) * alone for j in range(len(model))])
    each = (own**2 * (rows.w2 / rows.w**2)[:, None]).sum(axis=0)
    return np.asarray(np.maximum(own.sum(axis=0) ** 2 / each, 1.0))


def effective_df(rows: RiskRows, point: Point, ties: Ties, model: Floats, unit: Ints) -> Floats:
    """Return the degrees of freedom of each coefficient's variance over accounts, at least 1.

    Accounts whose scores have variances v_c are worth (sum v_c)^2 / sum v_c^2 of one size (Satterthwaite). As in
    Imbens & Kolesar (2016), Rev Econ Stat 98:701, v_c is that of a working model, here hazards that deals of one
    account share as a frailty of variance f: the account's part of the information plus f times its squared expected
    sum of (x - mean), which is large for covariates that are alike within accounts. From the latter's share in the
    whole one degree is taken, for the mean of the accounts. f is the moment estimate from martingale residuals.
    `unit` is the account of each row in the kernel's order.
    """
    times = watched(rows, point, ties, model)
    units = int(unit.max()) + 1
    alone = rows.w2 / rows.w  # the scores of deals that stand alone vary with the square of their weights
    own = np.column_stack([summed(unit, times.product(j, j) * alone, units) for j in range(len(model))])
    shared = summed(unit, times.weight[:, None] * (times.turned * times.spent[:, None] - times.met), units) ** 2
    expected = summed(unit, times.weight * times.spent, units)
    chance = summed(unit, times.weight * times.spent * alone, units)
    beyond = summed(unit, rows.w * martingale_residuals(rows, point), units) ** 2 - chance
    frailty = max(float(beyond.sum() / (expected**2).sum()), 0.0)
    return satterthwaite(own, frailty * shared)


def satterthwaite(own: Floats, shared: Floats) -> Floats:
    """Return the degrees of freedom of each coefficient from the variances of its scores by account, at least 1.

    `own` is the part that each deal has for itself, `shared` that which the deals of an account share.
    """
    spread = own + shared
    total = spread.sum(axis=0)
    worth = total**2 / (spread**2).sum(axis=0)
    return np.asarray(np.maximum(worth - shared.sum(axis=0) / total, 1.0))


def few_units_root(units: int) -> float:
    """Return the root of C/(C-1)."""
    if units < 2:
        raise InputError(
            "all deals belong to one account: nothing tells how accounts differ", action="Leave out cluster"
        )
    return float(np.sqrt(units / (units - 1)))
