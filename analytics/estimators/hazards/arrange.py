"""Arrange plain arrays into `RiskRows`, with the weights of the Fine-Gray model where they are asked for."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from analytics.estimators.hazards.rows import Floats, Ints, Late, RiskRows
from analytics.records.errors import InputError


@dataclass(frozen=True)
class Spells:
    """What a hazard regression is fitted to, one entry per row: covariates, `(entry, exit]`, how it ended, its weight.

    `cause` is 0 where the row was still open at `exit`, 1 for the outcome, 2 for any other; `n`, `w` and `w2` are the
    deals behind a row, the sum of their weights and of the squared weights.
    """

    x: Floats
    entry: npt.NDArray[Any]
    leave: npt.NDArray[Any]
    cause: Ints
    n: Floats
    w: Floats
    w2: Floats
    stratum: Ints


def arrange(spells: Spells, *, subdistribution: bool = False) -> RiskRows:
    """Order rows by stratum and exit and find the event times between which each is at risk.

    Parameters
    ----------
    spells : Spells
        Rows in any order.
    subdistribution : bool
        Keep rows with another outcome at risk after their end, with the weights of Geskus (2011), each stratum with
        its own censorings and entries (Zhou et al. 2011, Biometrics 67:661, section 2): strata such as opening quarters
        are followed for different times.

    Returns
    -------
    RiskRows

    Raises
    ------
    InputError
        Late entries leave a gap in which nobody was watched, so that the weights of Geskus (2011) do not exist.
    """
    order = _order(spells.stratum, spells.leave)
    stratum, entry, leave = spells.stratum[order], spells.entry[order], spells.leave[order]
    cause, n = spells.cause[order], spells.n[order]
    w = n if spells.w is spells.n else spells.w[order]
    w2 = w if spells.w2 is spells.w else spells.w2[order]
    hit = np.flatnonzero(cause == 1)
    strata = int(stratum.max(initial=-1)) + 1
    edges = np.searchsorted(stratum, np.arange(strata + 1))
    first, last = np.zeros(len(order), dtype=np.int64), np.zeros(len(order), dtype=np.int64)
    times: list[npt.NDArray[Any]] = []
    block = [0]
    for a, b in itertools.pairwise(edges.tolist()):
        time = _distinct(leave[hit[slice(*np.searchsorted(hit, (a, b)))]])
        first[a:b] = block[-1] + _position(time, entry[a:b])
        last[a:b] = block[-1] + _position(time, leave[a:b]) - 1
        times.append(time)
        block.append(block[-1] + len(time))
    time = np.concatenate(times).astype(float) if times else np.zeros(0)
    rows = RiskRows(
        np.take(spells.x.T, order, axis=1).T, n, w, w2, hit, stratum, first, last, time,
        np.asarray(block, dtype=np.int64), order, entry, leave,
    )  # fmt: skip
    if not subdistribution:
        return rows
    return replace(rows, late=_late(rows, edges, (entry, leave, cause)))


def _late(rows: RiskRows, edges: Ints, ends: tuple[npt.NDArray[Any], npt.NDArray[Any], Ints]) -> Late:
    """Return the rows that stay at risk after their end with their weights, from the rows of their own stratum."""
    entry, leave, cause = ends
    other = np.flatnonzero(cause == 2)
    own, at_time = np.ones(len(other)), np.ones(len(rows.time))
    for (a, b), (c, d) in zip(itertools.pairwise(edges.tolist()), itertools.pairwise(rows.block.tolist()), strict=True):
        weight = censoring_weight(entry[a:b], leave[a:b], cause[a:b], rows.n[a:b])
        mine = slice(*np.searchsorted(other, (a, b)))
        own[mine], at_time[c:d] = weight.at(leave[other[mine]]), weight.at(rows.time[c:d])
    lost = other[own <= 0]
    if len(lost):
        raise InputError(
            f"every deal watched at some time after day {leave[lost].max():g} entered later, so deals that "
            "ended until then stand for nobody later", column="entry",
            action="Study the deals still open when the later ones enter, or use the cause-specific hazards",
        )  # fmt: skip
    return Late(other, 1.0 / own, at_time)


def _distinct(ordered: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return ordered[np.concatenate(([True], ordered[1:] != ordered[:-1]))] if len(ordered) else ordered


def _order(stratum: Ints, leave: npt.NDArray[Any]) -> Ints:
    if stratum.max(initial=0) == 0 and leave.dtype.kind in "iu" and len(leave):
        low, high = int(leave.min()), int(leave.max())
        if high - low < 2**15:  # a short key sorts by counting
            return np.argsort((leave - low).astype(np.int16), kind="stable")
    return np.lexsort((leave, stratum))


def _position(time: npt.NDArray[Any], values: npt.NDArray[Any], *, earlier: bool = False) -> Ints:
    """Return how many of the ordered times are not later than each value (with `earlier`, earlier than it)."""
    side: Literal["left", "right"] = "left" if earlier else "right"
    if values.dtype.kind in "iu" and len(values) and len(time):
        low, high = int(values.min()), int(values.max())
        if high - low < 4 * len(values) + 1000:  # whole days: one search a day
            table = np.searchsorted(time, np.arange(low, high + 1), side=side)
            return np.asarray(table[values - low])
    return np.searchsorted(time, values, side=side)


@dataclass(frozen=True)
class CensoringWeight:
    """W(t) as two step functions: G just after each censoring, and H from each entry on."""

    censored: Floats
    open: Floats
    entered: Floats
    watched: Floats

    def at(self, time: npt.NDArray[Any]) -> Floats:
        """Return W at times."""
        before = np.concatenate(([1.0], self.open))[_position(self.censored, time, earlier=True)]
        # a deal at risk at t entered before t: only the entries at or after t could have kept it out
        return np.asarray(before * np.concatenate((self.watched, [1.0]))[_position(self.entered, time, earlier=True)])


def censoring_weight(entry: npt.NDArray[Any], leave: npt.NDArray[Any], cause: Ints, w: Floats) -> CensoringWeight:
    """How likely is a deal to be watched at each time, from censorings and late entries?

    W(t) = G(t-) H(t-): G is the reverse product limit of censorings (events come before censorings at one time), H that
    of entries, looking back in time. Geskus (2011), Biometrics 67:39, section 3.

    Examples
    --------
    >>> w = censoring_weight(np.array([-1, -1]), np.array([3, 9]), np.array([0, 1]), np.ones(2))
    >>> w.at(np.array([3.0, 9.0])).tolist()
    [1.0, 0.5]
    """
    censored, open_ = _product_limit(leave, cause == 0, entry, w)
    return CensoringWeight(censored, open_, *_entries(entry, leave, w))


def _product_limit(
    leave: npt.NDArray[Any], censored: npt.NDArray[np.bool_], entry: npt.NDArray[Any], w: Floats
) -> tuple[Floats, Floats]:
    """Return the times of censorings and G just after each."""
    time = np.unique(leave[censored]).astype(float)
    if not len(time):
        return time, time
    upto, before = _position(time, leave), _position(time, leave, earlier=True)
    # at risk of censoring at c: entered before c, watched until c or longer, and not ended at c itself
    n = _sums_after(np.where(censored, upto, before), w, len(time)) - _sums_after(_position(time, entry), w, len(time))
    d = np.bincount(before[censored], weights=w[censored], minlength=len(time))
    return time, np.asarray(np.cumprod(np.where(n > 0, 1 - d / np.where(n > 0, n, 1.0), 0.0)), dtype=float)


def _entries(entry: npt.NDArray[Any], leave: npt.NDArray[Any], w: Floats) -> tuple[Floats, Floats]:
    """Return the times of entries and the product of 1 - entries / watched over this and all later ones."""
    time = np.unique(entry).astype(float)
    at = _position(time, entry, earlier=True)
    n = _sums_after(_position(time, leave, earlier=True), w, len(time)) - _sums_after(at, w, len(time))
    d = np.bincount(at, weights=w, minlength=len(time))
    factor = np.where(n > 0, 1 - d / np.where(n > 0, n, 1.0), 0.0)
    factor[0] = 1.0  # before the first entry nobody is watched; the scale cancels in every ratio
    return time, np.asarray(np.cumprod(np.maximum(factor, 0.0)[::-1])[::-1], dtype=float)


def _sums_after(position: Ints, w: Floats, times: int) -> Floats:
    """Return the weight whose position lies beyond each of the times."""
    counted = np.bincount(position, weights=w, minlength=times + 1)
    return np.asarray(np.cumsum(counted[::-1])[::-1][1:], dtype=float)
