"""The covariance over accounts of a discrete-time hazard model, corrected for leverage, and what accounts are worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.estimators.discrete_time.likelihood import Counts, Floats, Ints
from analytics.estimators.hazards.accounts import NEGLIGIBLE, Leverage, satterthwaite
from analytics.estimators.hazards.rows import summed
from analytics.records.errors import InputError


@dataclass(frozen=True)
class Robust:
    """The covariance over clusters, the plain sandwich, each cluster's influence, degrees of freedom by coefficient.

    `influence.T @ influence` is `covariance`.
    """

    covariance: Floats
    sandwich: Floats
    influence: Floats
    df: Floats


def robust_covariance(counts: Counts, place: Ints, parts: tuple[Floats, Floats], inverse: Floats) -> Robust:
    """Return the sandwich over clusters, corrected for leverage and few clusters, and the plain one.

    `place` numbers the cluster of each row; `parts` are the weights of the rows in the information (rows, outcomes,
    outcomes) and their residuals on the scale of the linear predictor (rows, outcomes). Liang & Zeger (1986),
    Biometrika 73:13, with independence within; each cluster's score is corrected by the root of what its leverage
    leaves (Kauermann & Carroll 2001, JASA 96:1387; Bell & McCaffrey 2002, Surv Methodol 28:169), and C / (C - 1) allows
    for C clusters. Degrees of freedom as for Cox models (`hazards.accounts.effective_df`): Satterthwaite's, where the
    hazard of each outcome has a part that the deals of one account share.
    """
    clusters = int(place.max()) + 1
    if clusters < 2:
        raise InputError("robust errors need at least two clusters", action="Leave cluster out")
    curved, residual = parts
    score = np.column_stack([
        summed(place, residual[:, k, None] * counts.x, clusters) for k in range(counts.d.shape[1])
    ])  # fmt: skip
    plain = score @ inverse
    influence = np.sqrt(clusters / (clusters - 1)) * _leverage(counts, place, curved, inverse).corrected(score)
    df = _effective_df(counts, place, parts, inverse)
    return Robust(influence.T @ influence, plain.T @ plain, influence, df)


def _leverage(counts: Counts, place: Ints, curved: Floats, inverse: Floats) -> Leverage:
    """Return the leverage of each cluster: its part of the information on the scale of the inverse information."""
    terms, outcomes = counts.shape
    clusters = int(place.max()) + 1
    root: Floats = np.asarray(np.linalg.cholesky((inverse + inverse.T) / 2), dtype=float)
    blocks = inverse.reshape(outcomes, terms, outcomes, terms)
    size = np.zeros(len(place))
    for k in range(outcomes):
        for j in range(outcomes):
            size += curved[:, k, j] * ((counts.x @ blocks[k, :, j]) * counts.x).sum(axis=1)
    account = np.flatnonzero(summed(place, size, clusters) > NEGLIGIBLE)
    part = np.empty((len(account), outcomes, terms, outcomes, terms))
    for k in range(outcomes):
        for j in range(outcomes):
            for a in range(terms):
                moved = counts.x * (counts.x[:, a] * curved[:, k, j])[:, None]
                part[:, k, a, j] = summed(place, moved, clusters)[account]
    whole = part.reshape(len(account), outcomes * terms, outcomes * terms)
    return Leverage(account, np.asarray(root.T @ whole @ root), root)


def _effective_df(counts: Counts, place: Ints, parts: tuple[Floats, Floats], inverse: Floats) -> Floats:
    """Return the degrees of freedom of each coefficient's variance over clusters, at least 1."""
    curved, residual = parts
    terms, outcomes = counts.shape
    clusters = int(place.max()) + 1
    own = np.empty((clusters, outcomes * terms))
    shared = np.zeros_like(own)
    chance = np.stack([summed(place, curved[:, k, k], clusters) for k in range(outcomes)])
    beyond = np.stack([summed(place, residual[:, k], clusters) for k in range(outcomes)]) ** 2 - chance
    spread = np.maximum(beyond.sum(axis=1) / (chance**2).sum(axis=1), 0.0)
    for column in range(outcomes * terms):
        z = counts.x @ inverse[:, column].reshape(outcomes, terms).T  # (rows, outcomes)
        moved = np.einsum("rkl,rk->rl", curved, z)
        own[:, column] = summed(place, (moved * z).sum(axis=1), clusters)
        shared[:, column] = summed(place, moved, clusters) ** 2 @ spread
    return satterthwaite(own, shared)
