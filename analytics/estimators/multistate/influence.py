"""What every deal (or account) adds to the error of a state occupation: the infinitesimal jackknife, followed in time.

With p(t) = p(0) times the product of I + dA, unit i adds U_i(t) = U_i(t-) (I + dA) + sum over its deals at risk in h of
w p_h(t-) / n_h (e_j 1{moves to j} - e_h 1{moves} - dA_h). One pass over the days holds U for all units: linear in
stays and in units times days. Same value as R survfit's robust standard error; Therneau & Grambsch (2000) section 7.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from analytics.estimators.hazards.accounts import MOST
from analytics.estimators.multistate.process import Process, process_of
from analytics.estimators.multistate.rows import Floats, Ints, Stays
from analytics.records.errors import InputError, nearest

Initial = str | Mapping[str, float] | None


@dataclass(frozen=True)
class Start:
    """The distribution over states at the start `(S,)`, and what each unit adds to it `(S, units)` (0 if given)."""

    share: Floats
    influence: Floats


@dataclass(frozen=True)
class Moment:
    """One day: `share` and `influence` after its moves; `visits` so far, and what each unit adds to them."""

    index: int
    share: Floats
    influence: Floats
    visits: Floats
    visits_influence: Floats


@dataclass(frozen=True)
class Walk:
    """A stratum from the end of day `start` on."""

    stays: Stays
    process: Process
    start: Start

    def moments(self, *, visits: bool = False, heavy: bool = False) -> Iterator[Moment]:
        """Go through the days; the arrays are the same ones at every moment, changed in place.

        `heavy` puts back what a deal that weighs more than an even share of those at risk took out of its own residual
        by moving: divided by 1 - (w/n - 1/N), the leverage beyond that of equal deals, as if it were left out.
        """
        stays, process = self.stays, self.process
        size, units = self.start.influence.shape
        at_risk = np.zeros((size, units))
        u, count_u = self.start.influence.copy(), np.zeros((size, units if visits else 0))
        share, count = self.start.share.copy(), np.zeros(size)
        come, gone = _by_day(process.first, len(process.time)), _by_day(process.last, len(process.time))
        for k, step in enumerate(process.step):
            entering, leaving = come[k], gone[k]
            np.add.at(at_risk, (stays.source[entering], stays.unit[entering]), stays.w[entering])
            moving = leaving[stays.target[leaving] >= 0]
            if len(moving):
                n = process.w_risk[k]
                rate = np.divide(share, n, out=np.zeros(size), where=n > 0)
                unit, h, j = stays.unit[moving], stays.source[moving], stays.target[moving]
                added = stays.w[moving] * rate[h]
                if heavy:
                    added /= 1 - np.clip(stays.w[moving] / n[h] - 1 / process.n_risk[k][h], 0.0, MOST)
                arrivals = process.hazard[k]
                shift = {g: u[g] - at_risk[g] * rate[g] for g in np.flatnonzero(arrivals.any(axis=1)).tolist()}
                _move(u, shift, step)
                np.add.at(u, (j, unit), added)
                np.add.at(u, (h, unit), -added)
                if visits:
                    _move(count_u, shift, arrivals)
                    np.add.at(count_u, (j, unit), added)
                count += share @ arrivals
                share = np.clip(share + share @ step, 0.0, 1.0)
            np.add.at(at_risk, (stays.source[leaving], stays.unit[leaving]), -stays.w[leaving])
            yield Moment(k, share, u, count, count_u)


def walk_of(stays: Stays, states: tuple[str, ...], start: float, initial: Initial) -> Walk:
    """Make a stratum ready to be followed from the end of day `start`.

    Raises
    ------
    InputError
        No deal is watched just after `start` and no initial distribution was given; an unknown state; shares that do
        not add to 1.
    """
    later = stays.after(start)
    place = {state: k for k, state in enumerate(states)}
    if initial is not None:
        share = given_shares(initial, place)
        return Walk(later, process_of(later, len(states)), Start(share, np.zeros((len(states), stays.units))))
    now = np.flatnonzero(later.entry == start)
    total = later.w[now].sum()
    if not total > 0:
        raise InputError(
            "no deal is watched just after the day at which the curve is to start", value=start,
            action="Start at a day on which deals are watched, or say in which state they start (initial=)",
        )  # fmt: skip
    share = np.bincount(later.source[now], weights=later.w[now], minlength=len(states)) / total
    influence = np.zeros((len(states), stays.units))
    np.add.at(influence, (later.source[now], later.unit[now]), later.w[now] / total)
    weight = np.bincount(later.unit[now], weights=later.w[now] / total, minlength=stays.units)
    influence -= share[:, None] * weight
    return Walk(later, process_of(later, len(states)), Start(np.asarray(share, dtype=float), influence))


def given_shares(initial: str | Mapping[str, float], place: Mapping[str, int]) -> Floats:
    """Return the initial shares by the number of the state."""
    shares = {initial: 1.0} if isinstance(initial, str) else dict(initial)
    out = np.zeros(len(place))
    for state, value in shares.items():
        if state not in place:
            raise InputError("there is no such state", value=state, action=nearest(state, place))
        out[place[state]] = value
    if (out < 0).any() or abs(out.sum() - 1) > 1e-9:
        raise InputError("the initial shares do not add to 1", value=shares)
    return out


def _move(values: Floats, shift: Mapping[int, Floats], step: Floats) -> None:
    """Add shift times step to values, state by state: few moves happen on one day, so this beats a matrix product."""
    for g, moved in shift.items():
        for j in np.flatnonzero(step[g]).tolist():
            values[j] += moved * step[g, j]


def _by_day(day: Ints, days: int) -> list[Ints]:
    """Return the stays that belong to each day."""
    order = np.argsort(day, kind="stable")
    return np.split(order, np.searchsorted(day[order], np.arange(1, days + 1)))
