"""Logistic regression of counted deals, and of accounts alike within; overlap weights"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from analytics.estimators.share_models import grouped_logit
from simulations.adjusted_shares import LIMITS, OVERLAP, Closed, Confounded, inside
from simulations.scenario import Found, Scenario, one_by_one


@dataclass(frozen=True)
class Cells:
    """Closed deals of four quarters in three segments, whose log odds add up."""

    deals: tuple[int, int]
    wins: float

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        quarter, segment = np.repeat(np.arange(4), 3), np.tile(np.arange(3), 4)
        n = rng.integers(*self.deals, 12)
        won = rng.binomial(n, expit(self.wins + 0.2 * quarter + 0.5 * segment))
        return {"quarter": quarter, "segment": segment, "won": won, "lost": n - won}

    def one(self, table: pd.DataFrame) -> list[Found]:
        rows = grouped_logit(table, "C(quarter) + C(segment)", successes="won", failures="lost").frame
        events = table.groupby("quarter")["won"].sum().min()
        last = {"quarter 3": (rows.iloc[3], 0.6), "segment 2": (rows.iloc[5], 1.0)}
        return [
            Found("grouped_logit", f"log odds ratio of {name}", inside(*row[LIMITS], truth), events)
            for name, (row, truth) in last.items()
        ]


def _scenario(name: str, seed: int, judge: Any, again: int = 100) -> Scenario:
    return Scenario(name, seed, judge.draw, one_by_one(judge.one), again=again)


SCENARIOS = (
    _scenario("closed deals of 40 accounts", 709, Closed(Confounded(300, 40, accounts=40), "exchangeable")),
    _scenario("4 quarters, 3 segments of 10-40 deals", 706, Cells((10, 41), -1.2)),
    _scenario("overlap weights, 300 deals, 40 accounts", 704, Confounded(300, 40, (OVERLAP,), accounts=40)),
)
