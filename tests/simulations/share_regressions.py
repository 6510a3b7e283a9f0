"""Logistic regressions of closed deals, counted or with accounts; overlap weights"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from analytics.estimators.share_models import Working, clustered_logit, grouped_logit
from simulations.adjusted_shares import LIMITS, OVERLAP, TERMS, Confounded, inside
from simulations.scenario import Found, Scenario, one_by_one


@dataclass(frozen=True)
class Closed:
    """All deals of a company with accounts, followed to their ends."""

    company: Confounded
    working: Working = "independence"

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return self.company.draw(rng)

    def one(self, deals: pd.DataFrame) -> list[Found]:
        closed = deals.assign(outcome=deals["end"])
        events = np.bincount(deals["partner"], weights=deals["end"] == "won").min()
        rows = clustered_logit(closed, "partner + size", cluster="account", working=self.working).frame.set_index(
            "term"
        )
        return [
            Found(f"clustered_logit, {self.working}", f"log odds ratio of {term}",
                  inside(*rows.loc[term, LIMITS], truth), events)
            for term, truth in TERMS.items()
        ]  # fmt: skip


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
    _scenario("closed deals of 20 accounts", 705, Closed(Confounded(250, 40, accounts=20))),
    _scenario("closed deals of 40 accounts", 709, Closed(Confounded(300, 40, accounts=40), "exchangeable")),
    _scenario("4 quarters, 3 segments of 10-40 deals", 706, Cells((10, 41), -1.2)),
    _scenario("overlap weights, 300 deals, 40 accounts", 704, Confounded(300, 40, (OVERLAP,), accounts=40)),
)
