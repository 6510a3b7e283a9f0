"""Whole-account bootstrap of incidences: resample weights by account, and all replicates of a curve at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DEFAULT_REPS = 1000
DEFAULT_SEED = 20250101
BLOCK_CELLS = 4_000_000  # replicates are made in blocks of about this many numbers, which bounds the memory


def account_weights(
    n_clusters: int, *, reps: int = DEFAULT_REPS, seed: int = DEFAULT_SEED, width: int = 1
) -> Iterator[Floats]:
    """Draw how often each account is taken in each resample, in blocks of rows.

    Parameters
    ----------
    n_clusters : int
        Number of accounts; as many are drawn with replacement in every resample.
    reps, seed : int
        Number of resamples and the seed they are drawn with. The draws depend on nothing else.
    width : int
        How many numbers per resample the caller makes of the weights; only sets the size of the blocks.

    Yields
    ------
    numpy.ndarray
        (rows, n_clusters) of non-negative whole numbers that sum to `n_clusters` in each row; `reps` rows in all.

    References
    ----------
    Davison & Hinkley 1997, Bootstrap Methods and their Application, section 3.8.

    Examples
    --------
    >>> blocks = list(account_weights(4, reps=3, seed=1))
    >>> sum(len(block) for block in blocks), blocks[0].sum(axis=1).tolist()
    (3, [4.0, 4.0, 4.0])
    """
    rng = np.random.default_rng(seed)
    block = max(1, min(reps, BLOCK_CELLS // max(n_clusters, width, 1)))
    done = 0
    while done < reps:
        rows = min(block, reps - done)
        drawn = rng.integers(0, n_clusters, size=(rows, n_clusters))
        flat = (drawn + n_clusters * np.arange(rows)[:, None]).ravel()
        yield np.bincount(flat, minlength=rows * n_clusters).reshape(rows, n_clusters).astype(float)
        done += rows


@dataclass(frozen=True)
class Resampling:
    """How often whole accounts are resampled, with which seed, and at which confidence level.

    The same seed and the same accounts give the same resamples, so a total has one interval wherever it is printed.
    """

    reps: int = DEFAULT_REPS
    seed: int = DEFAULT_SEED
    conf_level: float = 0.95


RESAMPLING = Resampling()


@dataclass(frozen=True)
class Paces:
    """Incidences at the horizon, per replicate: of every group, of every pool of groups, and the groups' openings.

    Attributes
    ----------
    group : (replicates, groups, causes)
    pool : (replicates, pools, causes)
    openings : (replicates, groups)
    """

    group: Floats
    pool: Floats
    openings: Floats


@dataclass(frozen=True)
class Movements:
    """Who came under observation, left and ended, by account, group and age: all that a resampled incidence needs.

    Groups belong to pools (segments within a quarter). At an age at which nobody of a group was at risk, the group
    takes the pool's pace; otherwise a small segment's curve would stop wherever its risk set happens to be empty.

    Attributes
    ----------
    matrix : scipy.sparse matrix
        (accounts, cells); cells are (entered, left, each cause) by group by age, then openings by group.
    pool_of : numpy.ndarray
        Pool of each group.
    n_ages, n_causes, n_clusters : int
    """

    matrix: Any
    pool_of: Ints
    n_ages: int
    n_causes: int
    n_clusters: int

    def _counts(self, weights: Floats) -> tuple[Floats, Floats, Floats]:
        """At risk (replicates, groups, ages), events (replicates, causes, groups, ages), openings, weighted."""
        groups, ages = len(self.pool_of), self.n_ages
        cells = np.asarray(self.matrix.T @ weights.T).T
        size = (2 + self.n_causes) * groups * ages
        kinds = cells[:, :size].reshape(len(weights), 2 + self.n_causes, groups, ages)
        return np.cumsum(kinds[:, 0] - kinds[:, 1], axis=2), kinds[:, 2:], cells[:, size:]

    def paces(self, weights: Floats) -> Paces:
        """Compute the incidences at the horizon under account weights of shape (replicates, accounts)."""
        at_risk, events, openings = self._counts(weights)
        member = (self.pool_of[None, :] == np.arange(self.pool_of.max() + 1)[:, None]).astype(float)
        pool_risk = np.einsum("pg,bgt->bpt", member, at_risk)
        pool_events = np.einsum("pg,bkgt->bkpt", member, events)
        pool_hazard = _hazard(pool_events, pool_risk[:, None])
        own = _hazard(events, at_risk[:, None])
        borrowed = np.where(at_risk[:, None] > 1e-9, own, pool_hazard[:, :, self.pool_of])
        return Paces(_incidence(borrowed), _incidence(pool_hazard), openings)

    def resamples(self, *, reps: int = DEFAULT_REPS, seed: int = DEFAULT_SEED) -> Iterator[Floats]:
        """Draw account weights in blocks small enough for the tables made of them."""
        width = 3 * (2 + self.n_causes) * len(self.pool_of) * self.n_ages
        return account_weights(self.n_clusters, reps=reps, seed=seed, width=width)

    def replicates(self, *, reps: int = DEFAULT_REPS, seed: int = DEFAULT_SEED) -> Paces:
        """Compute the incidences of every resample of whole accounts."""
        parts = [self.paces(weights) for weights in self.resamples(reps=reps, seed=seed)]
        stack = (np.concatenate([getattr(part, name) for part in parts]) for name in ("group", "pool", "openings"))
        return Paces(*stack)

    def observed(self) -> Paces:
        """Compute the incidences of the data themselves."""
        return self.paces(np.ones((1, self.n_clusters)))

    def empty_from(self) -> list[int | None]:
        """Give, per group, the first position among the event ages at which nobody of the group was at risk."""
        cells = np.asarray(self.matrix.sum(axis=0)).ravel()
        groups, ages = len(self.pool_of), self.n_ages
        kinds = cells[: 2 * groups * ages].reshape(2, groups, ages)
        at_risk = np.cumsum(kinds[0], axis=1) - np.cumsum(kinds[1], axis=1)
        empty = at_risk <= 1e-9
        return [int(row.argmax()) if row.any() else None for row in empty]


def _hazard(events: Floats, at_risk: Floats) -> Floats:
    safe = np.where(at_risk > 1e-9, at_risk, 1.0)
    return np.where(at_risk > 1e-9, events / safe, 0.0)


def _incidence(hazard: Floats) -> Floats:
    """Aalen–Johansen to the last age, from hazards of shape (replicates, causes, groups, ages)."""
    leaving = np.clip(1 - hazard.sum(axis=1, keepdims=True), 0.0, 1.0)
    before = np.cumprod(leaving, axis=3)
    before = np.concatenate([np.ones_like(before[..., :1]), before[..., :-1]], axis=3)
    return np.moveaxis((before * hazard).sum(axis=3), 1, 2)


def count_movements(
    spells: dict[str, NDArray[Any]], *, pool_of: Sequence[int], causes: Sequence[str], horizon: int
) -> Movements:
    """Count the movements of deals by account, group and age, up to the horizon.

    Parameters
    ----------
    spells : dict of arrays, one value per deal
        `entry`, `exit` (days after opening, at risk on (entry, exit]), `outcome`, `group` (0, 1, …), `cluster`
        (0, 1, …), `opening` (1 where the deal counts among the group's openings, else 0), optionally `weight`.
    pool_of : sequence of int
        Pool of each group.
    causes : sequence of str
        Outcomes that end a deal; every other outcome is censored.
    horizon : int
        Last age in days.

    Returns
    -------
    Movements

    Notes
    -----
    Only ages at which something ended matter to the estimate; entries and exits are moved to the first such age they
    concern, so the table stays small whatever the horizon.
    """
    from scipy.sparse import coo_matrix

    entry, exit_, outcome = spells["entry"], spells["exit"], spells["outcome"]
    group, cluster = spells["group"].astype(np.int64), spells["cluster"].astype(np.int64)
    weight = spells.get("weight", np.ones(len(entry)))
    cause: Ints = np.full(len(entry), -1, dtype=np.int64)
    for k, name in enumerate(causes):
        cause[(outcome == name) & (exit_ <= horizon)] = k
    ended = cause >= 0
    ages = np.unique(exit_[ended])
    n_ages, n_groups = max(len(ages), 1), len(pool_of)
    comes = np.searchsorted(ages, entry, side="right")  # first event age after entry
    goes = np.searchsorted(ages, exit_, side="right")  # first event age after exit
    opened = spells["opening"].astype(bool)
    first_opening = (2 + len(causes)) * n_groups * n_ages
    # who comes at the very place at which it goes was at risk at no event age: the two cells cancel
    moves = [
        (comes < len(ages), group * n_ages + comes, weight),
        (goes < len(ages), (n_groups + group) * n_ages + goes, weight),
        (ended, ((2 + cause) * n_groups + group) * n_ages + np.searchsorted(ages, exit_), weight),
        (opened, first_opening + group, np.ones(len(entry))),
    ]
    rows, columns, values = (
        np.concatenate([part[keep] for part, keep in parts])
        for parts in (
            [(cluster, keep) for keep, _, _ in moves],
            [(place, keep) for keep, place, _ in moves],
            [(value, keep) for keep, _, value in moves],
        )
    )
    n_clusters = int(cluster.max()) + 1
    matrix = coo_matrix((values, (rows, columns)), shape=(n_clusters, first_opening + n_groups)).tocsr()
    return Movements(matrix, np.asarray(pool_of, dtype=np.int64), n_ages, len(causes), n_clusters)
