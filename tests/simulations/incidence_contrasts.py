"""Differences of incidence, differences and ratios of mean time lost"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.counts import count_events
from analytics.estimators.influence import difference, influence
from analytics.estimators.mean_time_contrasts import mean_time_contrast, mean_time_influence
from simulations.companies import Company
from simulations.scenario import Found, Scenario, holds

HORIZON = 90
NO_RATIO = "nobody was won on one side, or nobody is followed that long"


@dataclass(frozen=True)
class Sides:
    """Two quarters of one company, `now` with this share of the deals; accounts have deals in both."""

    company: Company
    now: float = 0.5

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        """The company's columns and the side."""
        columns = self.company.draw(rng)
        return columns | {"side": (rng.random(len(columns["exit"])) < self.now).astype(int)}


@dataclass(frozen=True)
class Judge:
    """Judge a few replicates at once (their matrix grows with the square); differences are 0 and ratios 1 in truth."""

    sides: Sides
    day: int

    def __call__(self, deals: pd.DataFrame, count: int) -> list[Found]:
        company = self.sides.company
        risk = count_events(
            deals, by=["replicate", "side"], cluster="account" if company.accounts else None,
            weights="weight" if company.weighted else None,
        )  # fmt: skip
        joint = influence(risk, times=[self.day])
        found = difference(joint.select(side=1), joint.select(side=0)).at(outcome="won")
        means = mean_time_influence(risk, horizon_days=HORIZON)
        contrast = mean_time_contrast(means.select(side=1), means.select(side=0)).at(outcome="won")
        held = np.column_stack([
            holds(found, count, 0), *(holds(contrast[contrast["contrast"] == name], count, truth)
                                      for name, truth in (("difference", 0), ("ratio", 1))),
        ])  # fmt: skip
        least = min(self.sides.now, 1 - self.sides.now)
        at_day, at_horizon = least * company.expected("won", self.day), least * company.expected("won", HORIZON)
        rows = (
            ("difference", f"won by day {self.day}", at_day),
            ("mean_time_contrast, difference", f"won, {HORIZON} days", at_horizon),
            ("mean_time_contrast, ratio", f"won, {HORIZON} days", at_horizon),
        )
        return [
            Found(name, target, held[:, i], events, note=NO_RATIO if np.isnan(held[:, i]).any() else "")
            for i, (name, target, events) in enumerate(rows)
        ]


def _scenario(name: str, seed: int, company: Company, events: float, now: float = 0.5) -> Scenario:
    sides = Sides(company, now)
    day = company.day_of_events("won", events / min(now, 1 - now))
    return Scenario(name, seed, sides.draw, Judge(sides, day), block=25)


SCENARIOS = (
    _scenario("right-censored, 60 deals, two sides", 301, Company(60), 5),
    _scenario("right-censored, 400 deals, one side 20 %", 302, Company(400), 10, now=0.2),
    _scenario("left-truncated, 200 deals", 303, Company(200, late=0.35), 10),
    _scenario("30 accounts on both sides, 250 deals", 304, Company(250, accounts=30), 10),
    _scenario("100 accounts on both sides, 400 deals", 305, Company(400, accounts=100), 20),
    _scenario("weights, 200 deals", 306, Company(200, weighted=True), 10),
)
