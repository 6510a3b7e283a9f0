"""The Aalen-Johansen and Kaplan-Meier arithmetic of one stratum: plain arrays in, plain arrays out.

Notation (at ordered times): n at risk, d_k events of cause k, d = sum of d_k, S- = S(t-), S = S-(1 - d/n),
F_k += S- d_k/n; Aalen & Johansen (1978), Scand J Stat 5:141. Every variance here is a prefix sum over time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """Counted cells as arrays: `cause` -1 where censored, `account` None where deals stand alone.

    Without weights `w` and `w2` are `n` itself.
    """

    entry: npt.NDArray[Any]
    leave: npt.NDArray[Any]
    cause: Ints
    n: npt.NDArray[Any]
    w: npt.NDArray[Any]
    w2: npt.NDArray[Any]
    account: Ints | None = None

    def part(self, begin: int, end: int) -> Rows:
        """Return the rows of one stratum, its accounts numbered from 0 in the order in which they come."""
        cut = slice(begin, end)
        n = self.n[cut]
        w, w2 = (n, n) if self.w is self.n else (self.w[cut], self.w2[cut])
        account = None if self.account is None else pd.factorize(self.account[cut])[0].astype(np.int64)
        return Rows(self.entry[cut], self.leave[cut], self.cause[cut], n, w, w2, account)

    @property
    def accounts(self) -> int:
        """Number of accounts, 0 where deals stand alone."""
        return 0 if self.account is None else int(self.account.max(initial=-1)) + 1

    def alone(self) -> Rows:
        """Return the same rows with every deal standing alone."""
        return Rows(self.entry, self.leave, self.cause, self.n, self.w, self.w2)


@dataclass(frozen=True)
class Curve:
    """One stratum at its ordered exit times: `(T,)` arrays, and `(T, K)` arrays per cause in the order of the outcomes.

    `first` and `last` place each cell on the time axis: it is at risk at `time[first]` to `time[last]`. `cause` is the
    cell's cause, -1 where it is censored. `n` are deals, `w` weights.
    """

    time: npt.NDArray[Any]
    n_risk: Ints
    w_risk: Floats
    w2_risk: Floats
    n_event: Ints
    w_event: Floats
    n_censored: Ints
    before: Floats
    survival: Floats
    incidence: Floats
    first: Ints
    last: Ints
    cause: Ints

    @property
    def hazard(self) -> Floats:
        """Cause-specific hazards d_k / n."""
        return np.asarray(self.w_event / self._risk()[:, None])

    @property
    def hazard_any(self) -> Floats:
        """Hazard of any outcome, exactly 1 where everybody at risk left."""
        total = self.w_event.sum(axis=1) / self._risk()
        return np.where(self.all_left, 1.0, np.minimum(total, 1.0))

    @property
    def all_left(self) -> npt.NDArray[np.bool_]:
        """Where everybody at risk had an outcome, told by whole counts and not by rounded weights."""
        return np.asarray(self.n_event.sum(axis=1) == self.n_risk)

    def _risk(self) -> Floats:
        return np.where(self.w_risk > 0, self.w_risk, 1.0)


def rows_of(cells: pd.DataFrame, outcomes: Sequence[str], cluster: str | None = None) -> Rows:
    """Return the columns of counted cells as arrays (entry, exit, outcome, n, w, w2 and the cluster)."""
    codes, labels = pd.factorize(cells["outcome"])
    place = {name: k for k, name in enumerate(outcomes)}
    cause = np.asarray([place.get(label, -1) for label in labels], dtype=np.int64)[codes]
    account = None if cluster is None else np.asarray(pd.factorize(cells[cluster])[0], dtype=np.int64)
    n, w, w2 = (cells[name].to_numpy() for name in ("n", "w", "w2"))
    if w.dtype.kind in "iu" and (w is n or bool((w == n).all() and (w2 == n).all())):
        w = w2 = n
    return Rows(cells["entry"].to_numpy(), cells["exit"].to_numpy(), cause, n, w, w2, account)


def curve_of(rows: Rows, causes: int) -> Curve:
    """Return the curve of the rows of one stratum."""
    time, last = np.unique(rows.leave, return_inverse=True)
    first = np.searchsorted(time, rows.entry, side="right")
    shape, weighted = (len(time), causes), rows.w is not rows.n
    n_event = _by_cause(rows.cause, last, rows.n, shape)
    n_risk = _at_risk(first, last, rows.n, len(time)).round()
    w_event = _by_cause(rows.cause, last, rows.w, shape) if weighted else n_event
    w_risk = _at_risk(first, last, rows.w, len(time)) if weighted else n_risk
    w2_risk = _at_risk(first, last, rows.w2, len(time)) if weighted else n_risk
    left = np.bincount(last, weights=rows.n, minlength=len(time)).round()
    ended = w_event.sum(axis=1)
    everybody = n_event.sum(axis=1) == n_risk
    w_risk = np.where(everybody, ended, np.maximum(w_risk, ended))
    base = np.where(w_risk > 0, w_risk, 1.0)
    survival = np.cumprod(np.where(everybody, 0.0, np.maximum(1.0 - ended / base, 0.0))).astype(float)
    before = np.concatenate(([1.0], survival[:-1]))
    incidence = np.cumsum(before[:, None] * w_event / base[:, None], axis=0)
    return Curve(
        time, n_risk.astype(np.int64), w_risk, w2_risk, n_event.astype(np.int64), w_event,
        (left - n_event.sum(axis=1)).astype(np.int64), before, survival, incidence, first.astype(np.int64),
        last.astype(np.int64), rows.cause,
    )  # fmt: skip


def _by_cause(cause: Ints, last: Ints, amount: npt.NDArray[Any], shape: tuple[int, int]) -> Floats:
    keep = cause >= 0
    key = last[keep] * shape[1] + cause[keep]
    counted = np.bincount(key, weights=amount[keep], minlength=shape[0] * shape[1])
    return counted.astype(float).reshape(shape)


def _at_risk(first: Ints, last: Ints, amount: npt.NDArray[Any], size: int) -> Floats:
    """Entrants up to each time minus leavers before it."""
    moves = np.bincount(first, weights=amount, minlength=size + 1).astype(float)
    moves[1:] -= np.bincount(last, weights=amount, minlength=size)[:size]
    return np.asarray(np.cumsum(moves)[:size], dtype=float)


def greenwood(curve: Curve) -> Floats:
    """Greenwood-type variance of every cause-specific incidence at every time, `(T, K)`.

    Allignol, Schumacher & Beyersmann (2010), Biom J 52:126, eq. 5, as a quadratic in F_k(t):
    sum over u <= t of (S-^2/n) [l_k (1 - l_k) - 2 y l_k (1 - l) + y^2 l (1 - l)], y = (F_k(t) - F_k(u)) / S(u),
    where l are hazards. A time at which everybody left adds only its first term, since F_k stays constant after it.
    """
    f, lam, lam_any = curve.incidence, curve.hazard, curve.hazard_any[:, None]
    before, n = curve.before[:, None], curve._risk()[:, None]
    alpha = before**2 / n * lam * (1 - lam)
    beta = np.where(lam_any < 1, before / n * lam, 0.0)
    gamma = np.where(lam_any < 1, lam_any / (n * np.where(lam_any < 1, 1 - lam_any, 1.0)), 0.0)
    constant = np.cumsum(alpha + 2 * f * beta + f * f * gamma, axis=0)
    linear, square = np.cumsum(beta + f * gamma, axis=0), np.cumsum(gamma, axis=0)
    return np.asarray(np.maximum(constant - 2 * f * linear + f * f * square, 0.0))


def greenwood_survival(curve: Curve) -> Floats:
    """Greenwood's variance of the share still open, `(T,)`; Greenwood (1926): S^2 sum d / (n (n - d))."""
    lam = curve.hazard_any
    terms = np.where(lam < 1, lam / (curve._risk() * np.where(lam < 1, 1 - lam, 1.0)), 0.0)
    return np.asarray(curve.survival**2 * np.cumsum(terms))
