"""Deals on their way through stages: occupation, transitions, days and visits, what comes next, the past"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtr

from analytics.estimators.multistate.landmark import landmark_occupation, markov_difference
from analytics.estimators.multistate.next_stage import next_stage_shares
from analytics.estimators.multistate.occupation import stage_occupation
from analytics.estimators.multistate.probabilities import transition_probabilities
from analytics.estimators.multistate.rows import Stages, read_stages
from analytics.estimators.multistate.stay import expected_visits, mean_stage_days
from analytics.estimators.multistate.table import count_transitions
from simulations.scenario import Found, Scenario, holds

Floats = npt.NDArray[np.float64]
STATES = ("first", "second", "won", "lost")
DAILY = np.array([[0.0, 0.07, 0.0, 0.035], [0.03, 0.0, 0.06, 0.045]])
"""Chances of one day to go from the two stages to each state; deals open in the first."""
LEAVES = (8, 26)
"""First and last day on which a deal may be censored."""
LATE = 10
"""Last day from which a deal that is watched late is watched."""
EARLY, DAY, MARK, HORIZON = 4, 16, 5, 20
_NODES, _MASS = np.polynomial.hermite_e.hermegauss(30)
_MASS = _MASS / _MASS.sum()


@dataclass(frozen=True)
class Journey:
    """How many deals, and what is difficult about them.

    `late`: share that is watched late. `accounts`: number of accounts, 0 for deals that stand alone; the pace of all
    moves (log-normal, `spread`) belongs to the account, and with it the odds of winning. `weighted`: half the deals,
    which win more often, are four times over-represented. `correlation`: instead of a pace, an account's deals have
    their first moves together, their second moves and so on (a Gaussian copula), which leaves each deal's own way
    through the stages as it is: Markov.
    """

    deals: int
    late: float = 0.0
    accounts: int = 0
    spread: float = 0.5
    weighted: bool = False
    correlation: float = 0.0

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        """The stage rows of one company: deal_id, entry, exit, from, to (and account, weight)."""
        n = self.deals
        more: dict[str, Any] = {}
        kind = np.zeros(n)
        if self.accounts:
            share = rng.gamma(0.8, size=self.accounts) + 0.1
            more["account"] = rng.choice(self.accounts, n, p=share / share.sum())
            kind = np.zeros(n) if self.correlation else rng.standard_normal(self.accounts)[more["account"]]
        if self.weighted:
            large = rng.random(n) < 0.8
            kind = np.where(large, *WEIGHED_KINDS)
            more["weight"] = np.where(large, 0.5 / 0.8, 0.5 / 0.2)
        entry = np.where(rng.random(n) < self.late, rng.integers(0, LATE + 1, n), -1)
        leave = rng.integers(LEAVES[0], LEAVES[1] + 1, n)
        chances = np.cumsum(self.chances(kind), axis=2)
        deal, source, day = np.arange(n), np.zeros(n, dtype=np.int64), np.full(n, -1)
        parts = []
        while len(deal):
            own = chances[deal, source]
            if self.correlation:
                lasts, which = (self._together(rng, more["account"][deal]) for _ in range(2))
                moved = day + np.maximum(np.ceil(np.log(lasts) / np.log1p(-own[:, -1])), 1).astype(np.int64)
            else:
                moved, which = day + rng.geometric(own[:, -1]), rng.random(len(deal))
            target = ((which * own[:, -1])[:, None] > own).sum(axis=1)
            parts.append((deal, day, moved, source, target))
            on = (target < 2) & (moved < leave[deal])
            deal, source, day = deal[on], target[on], moved[on]
        deal, day, moved, source, target = (np.concatenate(part) for part in zip(*parts, strict=True))
        stop = leave[deal]
        begin, end = np.maximum(day, entry[deal]), np.minimum(moved, stop)
        keep = end > begin
        rows = {"deal_id": deal, "entry": begin, "exit": end, "from": source, "to": np.where(moved <= stop, target, -1)}
        rows |= {name: values[deal] for name, values in more.items()}
        return {name: values[keep] for name, values in rows.items()}

    def _together(self, rng: np.random.Generator, account: Any) -> Floats:
        """Uniform numbers, correlated on the normal scale within accounts."""
        shared, own = rng.standard_normal(self.accounts)[account], rng.standard_normal(len(account))
        return np.asarray(ndtr(np.sqrt(self.correlation) * shared + np.sqrt(1 - self.correlation) * own))

    def chances(self, kind: Floats) -> Floats:
        """The chances of one day by kind of deal, `(kinds, 2, 4)`; z = 0 is the average account."""
        out = DAILY * np.exp(self.spread * kind)[:, None, None]
        out[:, 1, 2] *= np.exp(0.6 * kind)
        return np.minimum(out, 0.2)

    def mixture(self) -> tuple[Floats, Floats]:
        """Kinds of deals: their whole matrices of one day `(kinds, 4, 4)` and their shares."""
        kind, mass = np.zeros(1), np.ones(1)
        if self.accounts and not self.correlation:
            kind, mass = _NODES, _MASS
        if self.weighted:
            kind, mass = np.array(WEIGHED_KINDS), np.array([0.5, 0.5])
        matrix = np.tile(np.eye(4), (len(kind), 1, 1))
        chances = self.chances(kind)
        matrix[:, :2] += chances
        matrix[:, [0, 1], [0, 1]] -= chances.sum(axis=2)
        return matrix, mass

    def watched(self, day: Any) -> Floats:
        """The share of deals that would be watched on a day, if they did not end."""
        low, high = LEAVES
        days = np.asarray(day, dtype=float)
        late = np.clip(days / (LATE + 1), 0, 1)
        return np.clip((high + 1 - days) / (high + 1 - low), 0, 1) * (1 - self.late + self.late * late)


WEIGHED_KINDS = (0.6, -0.6)


@dataclass(frozen=True)
class Truth:
    """Sums over days and kinds of deals: `share` `(kinds, days, 4)` in each state at the end of day d - 1."""

    journey: Journey
    last: int = LEAVES[1] + 1

    def __post_init__(self) -> None:
        matrix, mass = self.journey.mixture()
        share = np.zeros((len(mass), self.last + 2, 4))
        share[:, 0, 0] = 1
        for d in range(1, self.last + 2):
            share[:, d] = np.einsum("kh,khj->kj", share[:, d - 1], matrix)
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "mass", mass)
        object.__setattr__(self, "share", share)

    matrix: Any = None
    mass: Any = None
    share: Any = None

    def occupation(self, state: int, day: int) -> float:
        return float(self.mass @ self.share[:, day + 1, state])

    def days(self, state: int) -> float:
        return sum(self.occupation(state, day) for day in range(HORIZON))

    def arrivals(self, state: int) -> Floats:
        """Expected arrivals of one deal in a state on days 0, 1, ...: `(days,)`, by kind weighted by its share."""
        move = self.matrix.copy()
        move[:, np.arange(4), np.arange(4)] = 0
        return np.asarray(np.einsum("k,kdh,kh->d", self.mass, self.share[:, :-1], move[:, :, state]))

    def visits(self, state: int) -> float:
        return float(self.arrivals(state)[: HORIZON + 1].sum())

    def seen(self, state: int, first: int, last: int) -> float:
        """Expected arrivals seen from day `first` to day `last`."""
        days = np.arange(first, last + 1)
        return float(self.journey.deals * (self.arrivals(state)[days] * self.journey.watched(days)).sum())

    def _landmark_mass(self) -> Floats:
        there = self.mass * self.share[:, MARK + 1, 1]
        return np.asarray(there / there.sum())

    def landmark(self) -> float:
        """Of deals in the second stage at the mark, the share won by the day."""
        way = np.linalg.matrix_power(self.matrix, DAY - MARK)
        return float(self._landmark_mass() @ way[:, 1, 2])

    def landmark_events(self) -> float:
        there = self.journey.deals * self.occupation(1, MARK) * float(self.journey.watched(MARK))
        return there * self.landmark() * 0.7

    def markov(self) -> float:
        """What the product of all deals' hazards gives in the landmark's place."""
        out = np.eye(4)[1]
        for d in range(MARK + 1, DAY + 1):
            weight = self.mass[:, None] * self.share[:, d]
            hazard = np.einsum("kh,khj->hj", weight, self.matrix) / np.maximum(weight.sum(axis=0), 1e-300)[:, None]
            out = out @ hazard
        return float(out[2])

    def next_stage(self, days: int) -> float:
        """Of stays in the second stage, the share that leads to won within so many days, stays seen as they come."""
        move = self.share[:, :-1, 0] * self.matrix[:, None, 0, 1]  # arrivals by kind and day
        stays, total = self.matrix[:, 1, 1], 0.0
        left = 1.0
        for u in range(1, days + 1):
            reached = np.arange(self.last + 1) + u
            watched = np.clip((LEAVES[1] + 1 - reached) / (LEAVES[1] + 1 - LEAVES[0]), 0, 1)
            at_risk = self.mass * (move * watched).sum(axis=1) * stays ** (u - 1)
            total += left * float(at_risk @ self.matrix[:, 1, 2] / at_risk.sum())
            left *= 1 - float(at_risk @ (1 - stays) / at_risk.sum())
        return total


BEYOND = "nobody of the replicate is followed that far"


def _found(estimator: str, target: str, held: Any, events: float) -> Found:
    return Found(estimator, target, held, events, note=BEYOND if np.isnan(held).any() else "")


class Judge:
    """Judge every estimator of stages on one company."""

    def __init__(self, journey: Journey) -> None:
        self.journey, self.truth = journey, Truth(journey)

    def __call__(self, rows: pd.DataFrame, count: int) -> list[Found]:
        rows = rows.assign(deal_id=rows["replicate"] * 10_000 + rows["deal_id"])
        for name in ("from", "to"):
            rows[name] = pd.Categorical.from_codes(rows[name].to_numpy(), categories=list(STATES), ordered=True)
        how: dict[str, Any] = {"cluster": "account"} if self.journey.accounts else {}
        how |= {"weights": "weight"} if self.journey.weighted else {}
        stages = read_stages(rows, by="replicate", **how)
        found = self.occupation(stages, count) + self.days_and_visits(stages, count)
        if not self.journey.late:
            found += self.next_stage(stages, count)
        if not (self.journey.accounts or self.journey.weighted):
            found += self.transitions(stages, count)
        return found + self.landmark(stages, count)

    def occupation(self, stages: Stages, count: int) -> list[Found]:
        frame = stage_occupation(stages, times=[EARLY, DAY]).frame
        found = []
        for state, day in ((1, EARLY), (1, DAY), (2, EARLY), (2, DAY), (3, DAY)):
            rows = frame[(frame["state"] == STATES[state]) & (frame["time"] == day)]
            held = holds(rows, count, self.truth.occupation(state, day))
            events = self.truth.seen(state, 0, day)
            found.append(_found("stage_occupation", f"{STATES[state]}, day {day}", held, events))
        return found

    def days_and_visits(self, stages: Stages, count: int) -> list[Found]:
        days = mean_stage_days(stages, horizon_days=HORIZON).frame
        visits = expected_visits(stages, horizon_days=HORIZON).frame
        found = []
        for state in (0, 1, 2):
            target, came = f"{STATES[state]}, {HORIZON} days", self.truth.seen(state, 0, HORIZON)
            held = holds(days[days["state"] == STATES[state]], count, self.truth.days(state))
            # the days in the first stage end with moves out of it, most of them to the second
            found.append(_found("mean_stage_days", target, held, came if state else self.truth.seen(1, 0, HORIZON)))
            held = holds(visits[visits["state"] == STATES[state]], count, self.truth.visits(state))
            found.append(_found("expected_visits", target, held, came))
        return found

    def next_stage(self, stages: Stages, count: int) -> list[Found]:
        frame = next_stage_shares(stages, times=[3, 10]).frame
        found = []
        for days in (3, 10):
            rows = frame[(frame["from"] == "second") & (frame["to"] == "won") & (frame["time"] == days)]
            events = self.truth.seen(1, 0, DAY) * self.truth.next_stage(days)
            held = holds(rows, count, self.truth.next_stage(days))
            found.append(_found("next_stage_shares", f"second to won within {days} days", held, events))
        return found

    def transitions(self, stages: Stages, count: int) -> list[Found]:
        table, found = count_transitions(stages), []
        way = np.linalg.matrix_power(self.truth.matrix[0], DAY - MARK)
        frame = transition_probabilities(table, start=MARK, times=[DAY]).frame
        for h, j in ((0, 2), (1, 2), (1, 3), (1, 1)):
            rows = frame[(frame["from"] == STATES[h]) & (frame["to"] == STATES[j])]
            events = self.truth.seen(j, MARK + 1, DAY)
            target = f"{STATES[h]} on day {MARK} to {STATES[j]} on day {DAY}"
            found.append(_found("transition_probabilities", target, holds(rows, count, way[h, j]), events))
        return found

    def landmark(self, stages: Stages, count: int) -> list[Found]:
        frame = landmark_occupation(stages, state="second", at=MARK, times=[DAY]).at(state="won")
        held = holds(frame, count, self.truth.landmark())
        target = f"second on day {MARK} to won on day {DAY}"
        found = [_found("landmark_occupation", target, held, self.truth.landmark_events())]
        frame = markov_difference(stages, state="second", at=MARK, times=[DAY]).at(state="won")
        held = holds(frame, count, self.truth.landmark() - self.truth.markov())
        return [*found, _found("markov_difference", target, held, self.truth.landmark_events())]


def _scenario(name: str, seed: int, journey: Journey, again: int = 200) -> Scenario:
    return Scenario(name, seed, journey.draw, Judge(journey), again=again)


SCENARIOS = (
    _scenario("right-censored, 100 deals", 801, Journey(100)),
    _scenario("left-truncated, 200 deals", 803, Journey(200, late=0.35)),
    _scenario("25 accounts, 150 deals", 804, Journey(150, accounts=25)),
    _scenario("40 accounts, 250 deals, left-truncated", 805, Journey(250, accounts=40, late=0.35)),
    _scenario("weights, 150 deals", 806, Journey(150, weighted=True)),
    _scenario("weights, 60 deals", 807, Journey(60, weighted=True)),
)
