"""Bounds, outcomes seen between two looks, recording delays and closed-count rates"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.bounds import incidence_bounds
from analytics.estimators.counts import count_events
from analytics.estimators.interval_incidence import interval_incidence
from analytics.estimators.rates import clustered_proportion
from analytics.estimators.reporting_delay import reporting_delay
from simulations.companies import Company
from simulations.scenario import Found, Scenario, holds, one_by_one

SET = "limits of a set: the truth lies within the bounds, not at one of their ends"


@dataclass(frozen=True)
class Bounds:
    """One closing in ten has no recorded outcome, won ones as often as lost ones."""

    company: Company
    day: int = 40

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        columns = self.company.draw(rng)
        hidden = (rng.random(len(columns["exit"])) < 0.1) & (columns["outcome"] != "open")
        return columns | {"outcome": np.where(hidden, "unknown", columns["outcome"])}

    def __call__(self, deals: pd.DataFrame, count: int) -> list[Found]:
        cluster = "account" if self.company.accounts else None
        risk = count_events(deals, by="replicate", cluster=cluster, unknown="bounds")
        frame = incidence_bounds(risk, times=[self.day]).at(outcome="won")
        won, ended = self.company.incidence("won", self.day), 1 - self.company.survival(self.day)
        low, high = 0.9 * won, 0.9 * won + 0.1 * ended
        both = holds(frame, count, low) * holds(frame, count, high)
        target, events = f"won by day {self.day}", self.company.expected("won", self.day)
        return [Found("incidence_bounds", f"{target}, truth", holds(frame, count, won), events, high=1.0, note=SET),
                Found("incidence_bounds", f"{target}, both ends", both, events, high=1.0, note=SET)]  # fmt: skip


@dataclass(frozen=True)
class Looks:
    """The CRM is looked at every four weeks."""

    company: Company
    day: int = 56

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        columns = self.company.draw(rng)
        before = (columns["exit"] - 1) // 28 * 28
        ended = columns["outcome"] != "open"
        # an outcome is seen at the next look; an open deal was last seen open at the look before
        leave = np.where(ended, before + 28, np.maximum(columns["exit"] // 28 * 28, 28))
        return columns | {"exit": leave, "open_after": np.where(ended, before, np.nan)}

    def __call__(self, deals: pd.DataFrame, count: int) -> list[Found]:
        frame = interval_incidence(
            deals, by="replicate", times=[self.day], cluster="account" if self.company.accounts else None
        ).at(outcome="won")
        held = holds(frame.astype({"replicate": int}), count, self.company.incidence("won", self.day))
        events = self.company.expected("won", self.day)
        note = "several curves fit equally well" if np.isnan(held).any() else ""
        return [Found("interval_incidence", f"won by day {self.day}", held, events, note=note)]


def delays(n: int) -> Any:
    """Delays to recording, geometric with mean 5 days, seen if not longer than the window."""

    def draw(rng: np.random.Generator) -> dict[str, Any]:
        window, delay = rng.integers(1, 60, n), rng.geometric(1 / 6, n) - 1
        return {"delay_days": delay[delay <= window], "window_days": window[delay <= window]}

    return draw


def judge_delays(rows: pd.DataFrame, count: int) -> list[Found]:
    """Each replicate is an outcome of its own; the distribution is among delays of at most the longest window."""
    frame = reporting_delay(rows.rename(columns={"replicate": "outcome"})).frame
    found = []
    for day in (2, 5, 14):
        # the curve is a step function: its value at a day is that of the last delay that occurred
        upto = frame[frame["time"] <= day].groupby("outcome").tail(1)
        held = holds(upto, count, (1 - (5 / 6) ** (day + 1)) / (1 - (5 / 6) ** 60), of="outcome")
        late = float(((rows["delay_days"] > day).sum()) / count)
        note = "nothing was recorded within so few days" if np.isnan(held).any() else ""
        found.append(Found("reporting_delay", f"recorded within {day} days", held, late, note=note))
    return found


@dataclass(frozen=True)
class Rates:
    """Deals of uneven accounts whose shares of wins vary as Beta(0.9, 2.1): intra-account correlation 0.25."""

    accounts: int
    clustered: bool = True
    rate: float = 0.3

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        if not self.clustered:
            return {"won": (rng.random(self.accounts) < self.rate).astype(int), "account": np.arange(self.accounts)}
        account = np.repeat(np.arange(self.accounts), rng.integers(1, 26, self.accounts))
        share = rng.beta(3 * self.rate, 3 * (1 - self.rate), self.accounts)[account]
        return {"won": (rng.random(len(account)) < share).astype(int), "account": account}

    def one(self, deals: pd.DataFrame) -> list[Found]:
        found = clustered_proportion(deals["won"], cluster=deals["account"] if self.clustered else None)
        name = "clustered_proportion" + ("" if self.clustered else ", no accounts (Wilson)")
        return [
            Found(name, f"rate {self.rate:g}", found.conf_low <= self.rate <= found.conf_high, self.rate * len(deals))
        ]


def _curve(name: str, seed: int, judge: Any, again: int = 500) -> Scenario:
    return Scenario(
        name,
        seed,
        getattr(judge, "draw", judge.company.draw),
        judge,
        again=again,
    )


def _rates(name: str, seed: int, rates: Rates) -> Scenario:
    return Scenario(name, seed, rates.draw, one_by_one(rates.one))


SCENARIOS = (
    _curve("one closing in ten unrecorded, 150 deals", 404, Bounds(Company(150))),
    _curve("looks every four weeks, 150 deals", 405, Looks(Company(150))),
    _curve("looks every four weeks, 40 accounts", 406, Looks(Company(250, accounts=40))),
    Scenario("delays, 60 closings", 407, delays(60), judge_delays),
    Scenario("delays, 400 closings", 408, delays(400), judge_delays),
    _rates("100 deals, rate 0.3", 409, Rates(100, clustered=False)),
    _rates("100 deals, rate 0.05", 410, Rates(100, clustered=False, rate=0.05)),
    _rates("20 accounts of 1 to 25 deals", 411, Rates(20)),
    _rates("40 accounts of 1 to 25 deals", 412, Rates(40)),
    _rates("100 accounts of 1 to 25 deals", 413, Rates(100)),
)
