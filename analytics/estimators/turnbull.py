"""The likelihood of outcomes known only to lie in an interval: where its mass can be, and its maximum.

Each deal says that its outcome lies in a set of (cause, day) pairs: (after, by] for one cause, one day where after =
by, every day after the last look for every cause where the deal is still open. The maximum puts mass only on the places
where such sets begin and end next to each other (Peto 1973, Appl Stat 22:86; Turnbull 1976, JRSSB 38:290; for several
causes Hudgens, Satten & Longini 2001, Biometrics 57:74). It is found by Newton steps under the constraint that masses
are not negative (Wang 2007, JRSSB 69:185), which end where self-consistency crawls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NEVER = -1
"""The cause of the place that only deals which are still open can hold: no outcome within sight."""
TOLERANCE = 1e-11
STEPS = 500


@dataclass(frozen=True)
class Sightings:
    """What is known of each deal: its outcome fell in (after, by]; `by` is infinite where it is still open.

    `cause` is 0, 1, …, or -1 where the deal is still open; `w` its weight.
    """

    after: Floats
    by: Floats
    cause: Ints
    w: Floats


@dataclass(frozen=True)
class Places:
    """Where mass can be: after `low` and up to `high` (that very day where they are equal), by cause."""

    low: Floats
    high: Floats
    cause: Ints

    def held_by(self, seen: Sightings) -> npt.NDArray[np.bool_]:
        """Return which places each sighting allows, `(sightings, places)`."""
        exact = seen.after == seen.by
        day = (self.low == self.high)[None, :]
        begins = np.where(
            exact[:, None], day & (self.high == seen.by[:, None]),
            np.where(day, self.low[None, :] > seen.after[:, None], self.low[None, :] >= seen.after[:, None]),
        )  # fmt: skip
        same = (seen.cause[:, None] == self.cause[None, :]) | (seen.cause[:, None] == NEVER)
        return np.asarray(begins & (self.high[None, :] <= seen.by[:, None]) & same)


@dataclass(frozen=True)
class Maximum:
    """Masses of the places at the maximum, and how it was found.

    Attributes
    ----------
    mass : array (places,)
        They sum to 1.
    gap : float
        Upper bound of how much the log-likelihood per deal could still rise.
    unique : bool
        Whether no other masses have the same likelihood.
    held : array (sightings, places)
        Which places each sighting allows.
    active : array of bool (places,)
        Places that a maximum may use.
    """

    mass: Floats
    gap: float
    unique: bool
    held: npt.NDArray[np.bool_]
    active: npt.NDArray[np.bool_]


def places_of(seen: Sightings, causes: int) -> Places:
    """Return the places at which a maximum can have mass, ordered by cause and day.

    Examples
    --------
    >>> two = Sightings(np.array([0.0, 3.0]), np.array([5.0, 8.0]), np.array([0, 0]), np.ones(2))
    >>> places_of(two, 1)
    Places(low=array([3.]), high=array([5.]), cause=array([0]))
    """
    low, high, cause = [], [], []
    for k in range(causes):
        mine = seen.cause == k
        exact = mine & (seen.after == seen.by)
        opens = np.unique(seen.after[(mine | (seen.cause == NEVER)) & ~exact])
        days = np.unique(seen.by[exact])
        ends = np.unique(seen.by[mine])
        # on one day an exact sighting begins first, then sightings end, then others begin
        point = np.concatenate([days, ends, opens])
        kind = np.repeat([0, 1, 2], [len(days), len(ends), len(opens)])
        order = np.lexsort((kind, point))
        point, kind = point[order], kind[order]
        at = np.flatnonzero((kind[:-1] != 1) & (kind[1:] == 1))
        low.append(point[at])
        high.append(point[at + 1])
        cause.append(np.full(len(at), k))
    if (seen.cause == NEVER).any():
        low, high, cause = [*low, np.array([np.inf])], [*high, np.array([np.inf])], [*cause, np.array([NEVER])]
    return Places(np.concatenate(low), np.concatenate(high), np.concatenate(cause).astype(np.int64))


def maximise(seen: Sightings, places: Places) -> Maximum:
    """Return the masses under which the sightings are most likely.

    Raises
    ------
    ArithmeticError
        The search did not settle.
    """
    held = places.held_by(seen)
    a, w, total = held.astype(float), seen.w, float(seen.w.sum())
    mass = np.full(a.shape[1], 1.0 / a.shape[1])
    value = float(w @ np.log(a @ mass))
    for _ in range(STEPS):
        reach = a / (a @ mass)[:, None]
        pull = w @ reach / total
        gap = float(pull.max() - 1)
        if gap <= TOLERANCE and np.abs(mass * (pull - 1)).max() <= TOLERANCE:
            break
        mass, value = _ascend(a, w, mass, (value, _newton(reach, w)))
        mass = mass * (w @ (a / (a @ mass)[:, None]) / total)  # one step of self-consistency never loses
    else:
        raise ArithmeticError("the interval-censored likelihood has not reached its maximum")
    mass = np.where(mass < 1e-12, 0.0, mass)
    active = (mass > 0) | (pull > 1 - 1e-8)
    rank = int(np.linalg.matrix_rank(a[:, active]))
    return Maximum(mass / mass.sum(), max(gap, 0.0), rank == int(active.sum()), held, active)


def _newton(reach: Floats, w: Floats) -> Floats:
    """Masses at the maximum of the quadratic approximation: non-negative least squares on the simplex (Dax 1990)."""
    from scipy.optimize import nnls

    scaled = np.sqrt(w / w.sum())[:, None] * (reach - 2.0)
    triangle = np.linalg.qr(scaled, mode="r")
    size = reach.shape[1]
    target = np.append(np.zeros(len(triangle)), 1.0)
    solution, _ = nnls(np.vstack([triangle, np.ones(size)]), target, maxiter=50 * size)
    return np.asarray(solution / solution.sum())


def _ascend(a: Floats, w: Floats, mass: Floats, aim: tuple[float, Floats]) -> tuple[Floats, float]:
    """Go from `mass` towards the aim as far as the likelihood rises."""
    value, target = aim
    step = 1.0
    for _ in range(40):
        trial = mass + step * (target - mass)
        chance = a @ trial
        if (chance > 0).all():
            reached = float(w @ np.log(chance))
            if reached >= value:
                return trial, reached
        step /= 2
    return mass, value


def influence_of(seen: Sightings, best: Maximum) -> Floats:
    """Return what each unit of weight of each sighting adds to the error of each mass, `(sightings, places)`.

    H^-1 s_i - p / n on the places with mass, where s_i = a_i / a_i'p and H is the sum of w s s'; it is the influence of
    a multinomial estimate, and that of Aalen-Johansen where every day is exact. It takes the places as given.
    """
    used = best.mass > 0
    p = best.mass[used]
    scores = best.held[:, used] / (best.held[:, used] @ p)[:, None]
    information = (scores * seen.w[:, None]).T @ scores
    out = np.zeros(best.held.shape)
    out[:, used] = scores @ np.linalg.pinv(information, hermitian=True) - p / seen.w.sum()
    return out


def greenwood_like(seen: Sightings, best: Maximum) -> Floats:
    """Return the covariance of the masses from the observed information, H^-1 - p p' / n, `(places, places)`."""
    used = best.mass > 0
    p = best.mass[used]
    scores = best.held[:, used] / (best.held[:, used] @ p)[:, None]
    information = (scores * seen.w[:, None]).T @ scores
    out = np.zeros((len(used), len(used)))
    out[np.ix_(used, used)] = np.linalg.pinv(information, hermitian=True) - np.outer(p, p) / seen.w.sum()
    return out


def range_of(best: Maximum, chosen: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return the least and the greatest sum of the chosen masses over all masses of the same likelihood."""
    from scipy.optimize import linprog

    a = best.held[:, best.active].astype(float)
    chance = best.held @ best.mass
    rows, first = np.unique(a, axis=0, return_index=True)
    equal: dict[str, Any] = {
        "A_eq": np.vstack([rows, np.ones(a.shape[1])]), "b_eq": np.append(chance[first], 1.0), "bounds": (0, 1),
    }  # fmt: skip
    cost = chosen[best.active].astype(float)
    here = float(best.mass[chosen].sum())
    low, high = (linprog(sign * cost, **equal) for sign in (1, -1))
    if not (low.success and high.success):
        return here, here
    return min(float(low.fun), here), max(-float(high.fun), here)
