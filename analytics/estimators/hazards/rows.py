"""Rows of a hazard regression on the axis of its event times: where each is at risk, and sums over risk sets.

Every sum over a risk set is a sum by the row's last event time, minus one by its first, and a cumulative sum, so that
one pass over the rows serves all times. A row of the Fine-Gray model that ended otherwise stays at risk after its end
with the weight W(t) / W(its own end), which splits into a factor of the time and one of the row: one more sum.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
BLOCK = 16384
"""Rows of a product that is never held whole."""


@dataclass(frozen=True)
class Late:
    """Rows that stay at risk after their own end: which they are, 1 / W(end) of each, and W at every event time."""

    row: Ints
    factor: Floats
    at_time: Floats


@dataclass(frozen=True)
class RiskRows:
    """Rows ordered by stratum and exit, and the event times of every stratum one after the other.

    Attributes
    ----------
    x : array (rows, terms)
        Covariates.
    n, w, w2 : array (rows,)
        Deals, sum of weights, sum of squared weights behind each row.
    hit : array of int
        Rows that ended in the outcome.
    stratum : array of int
        Stratum of each row; the event times of stratum s are `time[block[s]:block[s + 1]]`.
    first, last : array of int
        A row is at risk at the event times `first` to `last` (none where `last < first`).
    time : array (times,)
        Event times.
    block : array (strata + 1,)
        Where the event times of each stratum begin.
    order : array of int
        Position in the caller's rows of each row here.
    entry, leave : array (rows,)
        Days after which and up to which a row is watched.
    late : Late or None
        Only for the Fine-Gray model.
    """

    x: Floats
    n: Floats
    w: Floats
    w2: Floats
    hit: Ints
    stratum: Ints
    first: Ints
    last: Ints
    time: Floats
    block: Ints
    order: Ints
    entry: npt.NDArray[Any]
    leave: npt.NDArray[Any]
    late: Late | None = None

    def by_event_time(self, values: Floats) -> Floats:
        """Sum `values` of the rows with the outcome over each event time, `(times,)` or `(times, columns)`."""
        return self._events.summed(values[self.hit], len(self.time))

    def over_risk_sets(self, values: Floats) -> Floats:
        """Sum `values` of the rows at risk at each event time."""
        parts = self._ends.summed(values[self._watched], len(self.time))
        if len(self._entering):
            parts -= summed(self.first[self._entering] - 1, values[self._entering], len(self.time))
        total = self._within_blocks(parts, backwards=True)
        return total if self.late is None else total + self._after_end(values, self.late)

    def along(self, steps: Floats) -> Floats:
        """Sum `steps` (one per event time) over the times at which each row is at risk."""
        so_far = _so_far(steps)
        total = so_far[self._next]
        if len(self._entering) or len(self.block) > 2:
            total -= so_far[self.first]
        if self.late is not None and len(self.late.row):
            later = _so_far(steps * _like(self.late.at_time, steps))
            begin, end = self._late_span
            total[self.late.row] += _like(self.late.factor, steps) * (later[end] - later[begin])
        return total

    def squares(self, weight: Floats) -> Floats:
        """Return X' diag(weight) X, `(terms, terms)`, block by block: a block fits into the processor's cache."""
        total = np.zeros((self.x.shape[1], self.x.shape[1]))
        for a in range(0, len(self.x), BLOCK):
            part = self.x[a : a + BLOCK]
            total += (part * weight[a : a + BLOCK, None]).T @ part
        return total

    @cached_property
    def events(self) -> Floats:
        """Weight of the events of each time."""
        return self.by_event_time(self.w)

    @cached_property
    def event_total(self) -> Floats:
        """Weighted sum of the covariates of all events."""
        return np.asarray(self.x[self.hit].T @ self.w[self.hit])

    @cached_property
    def _watched(self) -> Ints | slice:
        """Rows that are at risk at some event time or would be but for their entry; a slice where nothing is copied."""
        there = self.last >= self.block[self.stratum]
        if len(self.block) == 2:
            return slice(int(np.searchsorted(there, True)), None)
        return slice(None) if there.all() else np.flatnonzero(there)

    @cached_property
    def _ends(self) -> _Runs:
        return _Runs.of(self.last[self._watched])

    @cached_property
    def _events(self) -> _Runs:
        return _Runs.of(self.last[self.hit])

    @cached_property
    def _entering(self) -> Ints:
        return np.flatnonzero(self.first > self.block[self.stratum])

    @cached_property
    def _next(self) -> Ints:
        return self.last + 1

    @cached_property
    def _late_span(self) -> tuple[Ints, Ints]:
        """The event times between a late row's own end and the end of its stratum."""
        assert self.late is not None
        return self._next[self.late.row], self.block[self.stratum[self.late.row] + 1]

    def _after_end(self, values: Floats, late: Late) -> Floats:
        begin, end = self._late_span
        weighted = (values[late.row] * _like(late.factor, values))[begin < end]
        parts = summed(begin[begin < end], weighted, len(self.time))
        return self._within_blocks(parts, backwards=False) * _like(late.at_time, values)

    def _within_blocks(self, parts: Floats, *, backwards: bool) -> Floats:
        out = np.empty_like(parts)
        for a, b in itertools.pairwise(self.block.tolist()):
            piece = parts[a:b]
            out[a:b] = np.cumsum(piece[::-1], axis=0)[::-1] if backwards else np.cumsum(piece, axis=0)
        return out


def _so_far(steps: Floats) -> Floats:
    return np.concatenate([np.zeros((1, *steps.shape[1:])), np.cumsum(steps, axis=0)])


def _like(factor: Floats, values: Floats) -> Floats:
    return factor if values.ndim == 1 else factor[:, None]


def summed(places: Ints, values: Floats, size: int) -> Floats:
    """Sum values by place, `(size,)` or `(size, columns)`."""
    if values.ndim == 1:
        return np.asarray(np.bincount(places, weights=values, minlength=size), dtype=float)
    return np.column_stack([np.bincount(places, weights=column, minlength=size) for column in values.T])


def summed_in_order(places: Ints, values: Floats, size: int) -> Floats:
    """Sum values by place where places never decrease: one contiguous pass."""
    return _Runs.of(places).summed(values, size)


@dataclass(frozen=True)
class _Runs:
    """Where each place begins among rows in the order of their places, and which place it is."""

    begins: Ints
    place: Ints

    @classmethod
    def of(cls, places: Ints) -> _Runs:
        begins = np.flatnonzero(np.concatenate(([True], places[1:] != places[:-1]))) if len(places) else places
        return cls(begins, places[begins])

    def summed(self, values: Floats, size: int) -> Floats:
        out = np.zeros((size, *values.shape[1:]))
        if len(self.begins):
            out[self.place] = np.add.reduceat(values, self.begins, axis=0)
        return out
