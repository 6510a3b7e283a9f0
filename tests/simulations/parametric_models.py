"""Parametric models of the time to an outcome: accelerated failure time and mixture cure"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.parametric import accelerated_failure_time, mixture_cure
from analytics.records.errors import InputError
from simulations.scenario import Found, Scenario, one_by_one

TERMS = {"Intercept": 4.0, "size": -0.4, "partner": 0.5}
"""Effects on the log of the days."""
SCALE = 0.8
NEVER, SHAPE, DAYS = 0.35, 1.4, 30.0
UNCLEAR = "these times do not tell a share that never wins from a slow outcome, and its error says so"


@dataclass(frozen=True)
class Durations:
    """Weibull days to a win, stretched by size and partner; lost at random, or watched until. Partners are
    over-sampled, and weights undo that.
    """

    deals: int

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        n = self.deals
        size, partner = rng.standard_normal(n), (rng.random(n) < 0.6).astype(float)
        error = np.log(rng.exponential(size=n))
        won = np.exp(TERMS["Intercept"] + TERMS["size"] * size + TERMS["partner"] * partner + SCALE * error)
        ends = np.minimum(rng.exponential(120, n), rng.uniform(60, 240, n))
        return {
            "entry": np.full(n, -1.0), "exit": np.minimum(won, ends), "outcome": np.where(won <= ends, "won", "open"),
            "size": size, "partner": partner, "weight": np.where(partner > 0, 0.4 / 0.6, 0.6 / 0.4),
        }  # fmt: skip

    def one(self, deals: pd.DataFrame) -> list[Found]:
        fit = accelerated_failure_time(deals, "size + partner", outcome="won", weights="weight")
        rows = fit.frame.set_index("term")
        truth = TERMS | {"log(scale)": float(np.log(SCALE))}
        events = float((deals["outcome"] == "won").sum())
        return [
            Found("accelerated_failure_time, weibull", term,
                  rows.loc[term, "conf_low"] <= value <= rows.loc[term, "conf_high"], events)
            for term, value in truth.items()
        ]  # fmt: skip


@dataclass(frozen=True)
class Cure:
    """Deals of which some would never be won; the others take Weibull days. Followed long beyond the last win."""

    deals: int
    late: float = 0.0

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        n = self.deals
        won = np.where(rng.random(n) < NEVER, np.inf, DAYS * rng.exponential(size=n) ** (1 / SHAPE))
        ends = rng.uniform(40, 200, n)
        entry = np.where(rng.random(n) < self.late, rng.uniform(0, 20, n), -1.0)
        leave = np.minimum(won, ends)
        rows = {"entry": entry, "exit": leave, "outcome": np.where(won <= ends, "won", "open")}
        return {name: values[leave > entry] for name, values in rows.items()}

    def one(self, deals: pd.DataFrame) -> list[Found]:
        truths = {"never": np.log(NEVER / (1 - NEVER)), "log(shape)": np.log(SHAPE), "log(scale)": np.log(DAYS)}
        try:
            rows, note = mixture_cure(deals, outcome="won").frame.set_index("term"), ""
        except InputError:
            rows, note = pd.DataFrame(np.nan, list(truths), ["conf_low", "conf_high"]), UNCLEAR
        events = float((deals["outcome"] == "won").sum())
        found = []
        for term, truth in truths.items():
            low, high = rows.loc[term, ["conf_low", "conf_high"]]
            held = np.nan if np.isnan(low) else float(low <= truth <= high)
            found.append(Found("mixture_cure", term, held, events, note=note))
        return found


def _scenario(name: str, seed: int, judge: Durations | Cure) -> Scenario:
    return Scenario(name, seed, judge.draw, one_by_one(judge.one), again=50)


SCENARIOS = (
    _scenario("Weibull, weights, 250 deals", 874, Durations(250)),
    _scenario("a third is never won, 250 deals, left-truncated", 878, Cure(250, late=0.35)),
)
