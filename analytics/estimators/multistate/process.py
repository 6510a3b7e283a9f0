"""From stays to transition matrices, one per day on which somebody moved or was last seen; what a product of them says.

Notation: n_h deals at risk in state h on a day, d_hj of them move to j, dA_hj = d_hj / n_h, dA_hh = -sum of the others;
P(s, t) = product of I + dA over the days in (s, t]; Aalen & Johansen (1978), Scand J Stat 5:141.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from analytics.estimators.multistate.rows import Floats, Ints, Stays

CovarianceKind = Literal["greenwood", "aalen"]


@dataclass(frozen=True)
class Process:
    """Counts of one stratum on its ordered days `time`: `(T, S)` at risk, `(T, S, S)` moves and hazards.

    `n_*` count deals, `w_risk` sums weights. `first` and `last` place each stay: it is
    at risk on `time[first]` to `time[last]`.
    """

    time: npt.NDArray[Any]
    n_risk: Ints
    n_moves: Ints
    w_risk: Floats
    hazard: Floats
    first: Ints
    last: Ints

    @property
    def step(self) -> Floats:
        """The increments dA, `(T, S, S)`; a row is exactly minus one on the diagonal where everybody left."""
        size = self.hazard.shape[1]
        total = self.hazard.sum(axis=2)
        total = np.where(self.n_moves.sum(axis=2) == np.maximum(self.n_risk, 1), 1.0, total)
        return np.asarray(self.hazard - total[:, :, None] * np.eye(size))

    @property
    def left(self) -> npt.NDArray[np.bool_]:
        """Which states somebody was seen in with a chance to leave, `(S,)`."""
        return np.asarray(self.n_risk.sum(axis=0) > 0)


def process_of(stays: Stays, states: int) -> Process:
    """Count stays by day, one pass over them."""
    time, last = np.unique(stays.leave, return_inverse=True)
    first = np.searchsorted(time, stays.entry, side="right")
    size = len(time)
    n_risk = _at_risk((first, last, stays.source), stays.n, (size, states)).round().astype(np.int64)
    moved = stays.target >= 0
    place = (last[moved] * states + stays.source[moved]) * states + stays.target[moved]

    def moves(amount: Floats) -> Floats:
        counted = np.bincount(place, weights=amount[moved], minlength=size * states * states)
        return np.asarray(counted.reshape(size, states, states), dtype=float)

    n_moves = moves(stays.n).round().astype(np.int64)
    w_risk = _at_risk((first, last, stays.source), stays.w, (size, states))
    w_moves = moves(stays.w)
    gone = w_moves.sum(axis=2)
    w_risk = np.where(n_risk > 0, np.maximum(w_risk, gone), 0.0)
    w_risk = np.where((n_risk > 0) & (n_moves.sum(axis=2) == n_risk), gone, w_risk)
    hazard = w_moves / np.where(w_risk > 0, w_risk, 1.0)[:, :, None]
    return Process(time, n_risk, n_moves, w_risk, hazard, first.astype(np.int64), last.astype(np.int64))


def _at_risk(place: tuple[Ints, Ints, Ints], amount: Floats, shape: tuple[int, int]) -> Floats:
    (first, last, source), (size, states) = place, shape
    come = np.bincount(first * states + source, weights=amount, minlength=(size + 1) * states)
    gone = np.bincount((last + 1) * states + source, weights=amount, minlength=(size + 1) * states)
    return np.asarray(np.cumsum((come - gone).reshape(size + 1, states), axis=0)[:size])


def products(process: Process, start: Floats) -> Floats:
    """Return start, then start times the product of I + dA up to each day, `(T + 1, ..., S)`."""
    out = np.empty((len(process.time) + 1, *start.shape))
    out[0] = now = start
    for k, step in enumerate(process.step):
        out[k + 1] = now = now + now @ step
    return np.clip(out, 0.0, 1.0)


def covariances(process: Process, product: Floats, kind: CovarianceKind) -> Floats:
    """Return the covariance within every row of the product of I + dA, `(T + 1, S, S, S)`: (day, from, to, to).

    V(t) = M' V(t-) M + sum over g of P_hg^2 cov(dA_g), M = I + dA. Greenwood: P up to the day before, and dA_g of n_g
    multinomial deals, (diag p - p p') / n_g; Allignol et al. (2010), Biom J 52:126. Aalen: P up to the day, and dA_gj
    independent with variance d_gj / n_g^2; Andersen et al. (1993), eq. 4.4.20 (as the R package mstate has it).
    """
    size = process.hazard.shape[1]
    out = np.zeros((len(process.time) + 1, size, size, size))
    now = out[0]
    matrices = process.step + np.eye(size)
    for k, m in enumerate(matrices):
        spread = _spread(process.hazard[k], m, process.w_risk[k], kind)
        weight = product[k if kind == "greenwood" else k + 1] ** 2
        now = m.T @ now @ m + np.einsum("hg,gab->hab", weight, spread)
        out[k + 1] = now
    return out


def _spread(hazard: Floats, m: Floats, n: Floats, kind: CovarianceKind) -> Floats:
    """Return cov(dA_g) of every row g, `(S, S, S)`."""
    size = len(n)
    base = np.where(n > 0, n, 1.0)
    if kind == "greenwood":
        full = m[:, :, None] * np.eye(size) - m[:, :, None] * m[:, None, :]
        return np.asarray(full / base[:, None, None])
    # row g of dA is sum over j of dA_gj (e_j - e_g)
    away = np.eye(size)[None, :, :] - np.eye(size)[:, None, :]
    return np.asarray(np.einsum("gj,gja,gjb->gab", hazard / base[:, None], away, away))


def backing(stays: Stays, process: Process, product: Floats, times: Floats) -> Floats:
    """Return how many deals back a distribution over states by each time; product is `(T + 1, S)`.

    Between two days on which deals come or go, n_g / P_g is how many deals there would have had to be at the start for
    n_g to be in state g; the least of that over the states that deals leave and the days so far counts, 0 where nobody
    was watched in a state that has a share. Weights enter by Kish's (sum w)^2 / sum w^2.
    """
    point = np.unique(np.concatenate([stays.entry, stays.leave]).astype(float))
    if not len(point):
        return np.zeros(len(times))
    come, gone = np.searchsorted(point, stays.entry), np.searchsorted(point, stays.leave)
    shape = (len(point), product.shape[1])
    n, w, w2 = (_at_risk((come, gone - 1, stays.source), amount, shape)[:-1] for amount in (stays.n, stays.w, stays.w2))
    watched = n.round() > 0
    kish = np.divide(w * w, w2, out=np.zeros(w.shape), where=watched)
    share = product[np.searchsorted(process.time, point[:-1], side="right")]
    inside = (share > 1e-12) & process.left
    scaled = np.divide(kish, share, out=np.full(kish.shape, np.inf), where=inside)
    value = np.minimum.accumulate(scaled.min(axis=1, initial=np.inf))
    place = np.searchsorted(point, times, side="left") - 1
    return np.asarray(value[np.clip(place, 0, len(value) - 1)])
