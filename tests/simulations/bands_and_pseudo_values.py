"""Bands that hold a whole curve, regression on pseudo-values, and the test of the Markov assumption"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.bands import incidence_band
from analytics.estimators.counts import count_events
from analytics.estimators.multistate.markov import markov_test
from analytics.estimators.multistate.rows import read_stages
from analytics.estimators.scoring.pseudo import pseudo_regression
from simulations.companies import Company
from simulations.scenario import Found, Scenario, one_by_one
from simulations.stages import MARK, STATES, Journey, Truth

TAU, DAILY = 40, 0.03
FEW_ACCOUNTS = "five moves of 18 accounts: it finds less than it should, which its docstring says"
EFFECT = (-0.6, 0.5)
"""Intercept and effect of x on log(-log(1 - F_won(TAU))): x is 0 or 1, so every link has a truth of its own."""


@dataclass(frozen=True)
class Bands:
    """The whole curve of wins from the day by which 10 are expected to be won to one when many deals are left."""

    company: Company
    until: int = 60

    def __call__(self, deals: pd.DataFrame, count: int) -> list[Found]:
        how: dict[str, Any] = {"cluster": "account"} if self.company.accounts else {}
        start = self.company.day_of_events("won", 10)
        deals = deals.assign(outcome=deals["outcome"].replace("no_decision", "lost"))
        risk = count_events(deals, by="replicate", outcomes=["won", "lost"], **how)
        frame = incidence_band(risk, between=(start, self.until), reps=1_000).at(outcome="won")
        days = np.arange(self.until + 1)
        truth = np.array([self.company.incidence("won", day) for day in days])[frame["time"].astype(int)]
        # the band is given on the days on which deals left; between them both the curve and the truth hardly move
        inside = (frame["conf_low"] <= truth + 1e-9) & (truth - 1e-9 <= frame["conf_high"])
        held = inside.groupby(frame["replicate"].astype(int)).all().reindex(range(count)).to_numpy(dtype=float)
        target = f"won, all days from {start} to {self.until}"
        return [Found("incidence_band", target, held, self.company.expected("won", start))]


@dataclass(frozen=True)
class Groups:
    """Deals of two kinds, x = 0 and 1, with an account's share in the odds of winning where there are accounts."""

    deals: int
    late: float = 0.0
    accounts: int = 0

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        n, more = self.deals, {}
        x, odds = rng.integers(0, 2, n), np.zeros(n)
        if self.accounts:
            share = rng.gamma(2.0, size=self.accounts) + 0.1
            account = rng.choice(self.accounts, n, p=share / share.sum())
            # half of what x says is the account's
            x = np.where(rng.random(n) < 0.5, rng.integers(0, 2, self.accounts)[account], x)
            odds, more = 0.7 * rng.standard_normal(self.accounts)[account], {"account": account}
        won = rng.random(n) < _chance(x, odds)
        lasts = rng.geometric(DAILY, n)
        leaves = rng.integers(20, 120, n)
        entry = np.where(rng.random(n) < self.late, rng.integers(0, 15, n), -1)
        leave = np.minimum(lasts, leaves)
        outcome = np.where(lasts <= leaves, np.where(won, "won", "lost"), "open")
        rows = {"entry": entry, "exit": leave, "outcome": outcome, "x": x.astype(float)} | more
        return {name: values[leave > entry] for name, values in rows.items()}

    def truth(self, link: str) -> float:
        """The effect of x on the link of the share won by day TAU."""
        node, mass = np.polynomial.hermite_e.hermegauss(40)
        spread = 0.7 * node if self.accounts else 0 * node
        share = [float(_chance(np.full(40, x), spread) @ mass / mass.sum()) * (1 - (1 - DAILY) ** TAU) for x in (0, 1)]
        link_of = {
            "identity": lambda p: p,
            "logit": lambda p: np.log(p / (1 - p)),
            "cloglog": lambda p: np.log(-np.log1p(-p)),
        }[link]
        return float(link_of(share[1]) - link_of(share[0]))

    def __call__(self, deals: pd.DataFrame) -> list[Found]:
        found, how = [], {"cluster": "account"} if self.accounts else {}
        for link in ("identity", "logit", "cloglog"):
            shown = pseudo_regression(deals, "x", outcome="won", time=TAU, link=link, **how)  # type: ignore[arg-type]
            row = shown.at(term="x").iloc[0]
            held = row["conf_low"] <= self.truth(link) <= row["conf_high"]
            events = float(((deals["outcome"] == "won") & (deals["exit"] <= TAU)).sum())
            found.append(Found(f"pseudo_regression, {link}", f"effect of x, day {TAU}", held, events))
        return found


def _chance(x: Any, odds: Any) -> Any:
    base = 1 - np.exp(-np.exp(EFFECT[0] + EFFECT[1] * x))
    return 1 / (1 + (1 - base) / base * np.exp(-odds))


@dataclass(frozen=True)
class Markov:
    """Deals whose past does not matter; those of one account may go together."""

    journey: Journey
    events: float

    def __call__(self, rows: pd.DataFrame) -> list[Found]:
        for name in ("from", "to"):
            rows[name] = pd.Categorical.from_codes(rows[name].to_numpy(), categories=list(STATES), ordered=True)
        how = {"cluster": "account"} if self.journey.accounts else {}
        p = markov_test(read_stages(rows, **how), state="second", at=MARK).frame["p_value"].iloc[-1]
        few = {"low": 0.0, "note": FEW_ACCOUNTS} if 0 < self.journey.accounts < 40 else {}
        return [Found("markov_test", "refused at 5 %", p < 0.05, self.events, kind="size", **few)]


def _bands(name: str, seed: int, company: Company, again: int = 200) -> Scenario:
    return Scenario(name, seed, company.draw, Bands(company), again=again, block=50)


def _groups(name: str, seed: int, groups: Groups, again: int = 200) -> Scenario:
    return Scenario(name, seed, groups.draw, one_by_one(groups), again=again)


def _markov(name: str, seed: int, journey: Journey, again: int = 200) -> Scenario:
    events = sum(Truth(journey).seen(state, MARK + 1, 24) for state in range(4))
    return Scenario(name, seed, journey.draw, one_by_one(Markov(journey, events)), again=again)


SCENARIOS = (
    _bands("right-censored, 150 deals", 841, Company(150)),
    _bands("left-truncated, 300 deals", 842, Company(300, late=0.35)),
    _bands("40 accounts, 250 deals", 843, Company(250, accounts=40)),
    _groups("two kinds, 100 deals", 844, Groups(100)),
    _groups("two kinds, left-truncated, 200 deals", 845, Groups(200, late=0.35)),
    _groups("two kinds, 30 accounts, 200 deals", 846, Groups(200, accounts=30)),
    _markov("stages, 200 deals", 847, Journey(200)),
    _markov("stages, left-truncated, 200 deals", 848, Journey(200, late=0.35)),
    _markov("stages, 20 accounts, 150 deals", 849, Journey(150, accounts=20, correlation=0.3)),
    _markov("stages, 40 accounts, 250 deals", 850, Journey(250, accounts=40, correlation=0.3)),
    _markov(
        "stages, 100 accounts, left-truncated, 400 deals", 851, Journey(400, accounts=100, late=0.35, correlation=0.3)
    ),
)
