"""Companies to be simulated: deals on whole days, won, lost, undecided or still open, and the truth about them.

A deal's outcome is drawn first (35 % won, 45 % lost, 20 % no decision), then its duration, exponential with a pace of
its own for each outcome and rounded up to whole days. It is censored on a uniform day that has nothing to do with them.
Late: a third of the deals is watched only from a uniform later day on. Accounts: both the chance of winning and the
pace belong to the account (log-normal). Weights: large deals are over-represented, and win less often.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
OUTCOMES = np.array(["won", "lost", "no_decision", "open"])
SHARES = {"won": 0.35, "lost": 0.45, "no_decision": 0.20}
PACES = {"won": 1 / 60, "lost": 1 / 35, "no_decision": 1 / 90}
LEAVES = (60, 240)
"""First and last day on which a deal may be censored."""
_PACE = np.array(list(PACES.values()))
_NODES, _MASS = np.polynomial.hermite_e.hermegauss(60)
_MASS = _MASS / _MASS.sum()


@dataclass(frozen=True)
class Company:
    """How many deals, and what is difficult about them.

    `late`: share that enters late. `accounts`: number of accounts, 0 for deals that stand alone. `spread`: standard
    deviations of the account's log odds of winning and of its log pace. `weighted`: informative sampling.
    """

    deals: int
    late: float = 0.0
    accounts: int = 0
    spread: tuple[float, float] = (1.0, 0.4)
    weighted: bool = False

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        """The columns entry, exit, outcome (and account, weight) of one company."""
        n, account = self.deals, None
        win, pace = np.full(n, SHARES["won"]), np.ones(n)
        if self.accounts:
            # uneven: a few accounts hold most of the deals
            share = rng.gamma(0.8, size=self.accounts) + 0.1
            account = rng.choice(self.accounts, n, p=share / share.sum())
            odds = np.exp(self.spread[0] * rng.standard_normal(self.accounts))
            win = _win(odds)[account]
            pace = np.exp(self.spread[1] * rng.standard_normal(self.accounts))[account]
        large = None
        if self.weighted:
            large = rng.random(n) < LARGE_SAMPLED
            win = np.where(large, *LARGE_WINS)
        u = rng.random(n)
        rest = SHARES["lost"] / (SHARES["lost"] + SHARES["no_decision"])
        cause = np.where(u < win, 0, np.where(u < win + (1 - win) * rest, 1, 2))
        lasts = np.ceil(rng.exponential(size=n) / (pace * _PACE[cause])).astype(np.int64)
        leaves = rng.integers(LEAVES[0], LEAVES[1] + 1, n)
        entry = np.full(n, -1)
        if self.late:
            entry = np.where(rng.random(n) < self.late, rng.integers(0, 60, n), entry)
        leave = np.minimum(lasts, leaves)
        keep = leave > entry
        columns: dict[str, Any] = {
            "entry": entry, "exit": leave, "outcome": OUTCOMES[np.where(lasts <= leaves, cause, 3)],
        }  # fmt: skip
        if account is not None:
            columns["account"] = account
        if large is not None:
            columns["weight"] = np.where(large, LARGE / LARGE_SAMPLED, (1 - LARGE) / (1 - LARGE_SAMPLED))
        return {name: values[keep] for name, values in columns.items()}

    @property
    def won(self) -> float:
        """The share of deals that are won in the end."""
        if self.weighted:
            return LARGE * LARGE_WINS[0] + (1 - LARGE) * LARGE_WINS[1]
        if not self.accounts:
            return SHARES["won"]
        return float(_MASS @ _win(np.exp(self.spread[0] * _NODES)))

    def incidence(self, outcome: str, day: float) -> float:
        """The true share with this outcome by the end of a day."""
        rest = SHARES["lost"] + SHARES["no_decision"]
        share = self.won if outcome == "won" else (1 - self.won) * SHARES[outcome] / rest
        return share * self.ended(outcome, day)

    def ended(self, outcome: str, day: float) -> float:
        """Of the deals with this outcome, the share that has it by the end of a day."""
        paces = np.exp(self.spread[1] * _NODES) if self.accounts else np.ones(1)
        mass = _MASS if self.accounts else np.ones(1)
        return float(mass @ -np.expm1(-PACES[outcome] * paces * max(np.floor(day), 0.0)))

    def survival(self, day: float) -> float:
        """The true share still open after a day."""
        return 1 - sum(self.incidence(outcome, day) for outcome in SHARES)

    def mean_time(self, outcome: str, horizon: int) -> float:
        """The true mean number of the first `horizon` days spent with this outcome ("open" too)."""
        if outcome == "open":
            return horizon - sum(self.mean_time(name, horizon) for name in SHARES)
        return sum(self.incidence(outcome, day) for day in range(horizon))

    def hazard(self, outcome: str, day: int) -> float:
        """The true cumulative hazard of an outcome up to a day."""
        return sum(
            (self.incidence(outcome, u) - self.incidence(outcome, u - 1)) / self.survival(u - 1)
            for u in range(1, day + 1)
        )

    def day_of_share(self, outcome: str, share: float) -> int:
        """The first day by which this share of all deals has the outcome."""
        return next(day for day in range(1, 2_000) if self.incidence(outcome, day) >= share)

    def day_of_events(self, outcome: str, events: float) -> int:
        """The first day by which so many deals are expected to have been seen with the outcome."""
        return next(day for day in range(1, 2_000) if self.expected(outcome, day) >= events)

    def expected(self, outcome: str, day: int) -> float:
        """Expected number of deals seen with the outcome by a day."""
        days = np.arange(1, day + 1)
        mass = np.diff([self.incidence(outcome, d) for d in range(day + 1)])
        low, high = LEAVES
        uncensored = np.clip((high + 1 - days) / (high + 1 - low), 0, 1)
        watched = 1 - self.late + self.late * np.clip(days / 60, 0, 1)
        return float(self.deals * (mass * uncensored * watched).sum())


LARGE, LARGE_SAMPLED, LARGE_WINS = 0.3, 0.6, (0.2, 0.42)


def _win(odds: Floats) -> Floats:
    base = SHARES["won"] / (1 - SHARES["won"])
    return np.asarray(base * odds / (1 + base * odds))
