"""Tests of count tables, false discoveries, differences of shares and what change could have been shown"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from analytics.estimators.contrasts import (
    benjamini_hochberg,
    clustered_difference,
    newcombe_difference,
    smallest_reliable_change,
    two_sided_p,
    verdict,
)
from analytics.estimators.das_gupta import threefold
from analytics.estimators.proportions import proportion_interval
from analytics.estimators.rates import clustered_ratio
from analytics.estimators.table_tests import chi_squared_test, cmh_test, common_odds_ratio
from simulations.scenario import Found, Scenario, one_by_one

PRODUCT = "the product of two changes is peaked, so that limits of a normal hold more"
EXACT = "at least 95 % for every rate, so more for most"


@dataclass(frozen=True)
class Alike:
    """Four quarters of about 50 closed deals whose outcomes have the same shares."""

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        counts = rng.multinomial(rng.integers(30, 71, 4), [0.35, 0.45, 0.2])
        return {"quarter": np.arange(4)} | dict(zip(("won", "lost", "no_decision"), counts.T, strict=True))

    def one(self, table: pd.DataFrame) -> list[Found]:
        p = chi_squared_test(table, group="quarter", outcomes=["won", "lost", "no_decision"]).frame["p_value"].iloc[0]
        return [Found("chi_squared_test", "refused at 5 %", p <= 0.05, table["won"].sum(), kind="size")]


@dataclass(frozen=True)
class Strata:
    """Two quarters in four segments of different win shares; the odds ratio is the same in all."""

    odds_ratio: float
    shares: tuple[float, ...] = (0.1, 0.25, 0.4, 0.6)

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        quarter, segment = np.repeat([0, 1], 4), np.tile(np.arange(4), 2)
        odds = np.array(self.shares)[segment] / (1 - np.array(self.shares)[segment])
        odds = odds * np.where(quarter == 0, self.odds_ratio, 1.0)
        n = rng.integers(10, 61, 8)
        won = rng.binomial(n, odds / (1 + odds))
        return {"quarter": quarter, "segment": segment, "won": won, "lost": n - won}

    def one(self, table: pd.DataFrame) -> list[Found]:
        asked: dict[str, Any] = {"group": "quarter", "outcomes": ("won", "lost"), "strata": ["segment"]}
        events = table["won"].sum()
        if self.odds_ratio == 1:
            p = cmh_test(table, **asked).frame["p_value"].iloc[0]
            return [Found("cmh_test", "refused at 5 %", p <= 0.05, events, kind="size")]
        row = common_odds_ratio(table, **asked).frame.iloc[0]
        held = row["conf_low"] <= self.odds_ratio <= row["conf_high"]
        return [Found("common_odds_ratio", f"odds ratio {self.odds_ratio:g}", held, events)]


@dataclass(frozen=True)
class Family:
    """Twenty tests that share some of their noise; five of the nulls are false."""

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        false = np.arange(20) < 5
        z = 0.6 * rng.standard_normal() + 0.8 * rng.standard_normal(20) + 3.0 * false
        return {"false": false, "z": z}

    def one(self, tests: pd.DataFrame) -> list[Found]:
        refused = benjamini_hochberg([two_sided_p(z, 1.0) for z in tests["z"]]) <= 0.05
        share = (refused & ~tests["false"]).sum() / max(int(refused.sum()), 1)
        return [Found("benjamini_hochberg", "true nulls among the refused", share, kind="false discovery")]


@dataclass(frozen=True)
class Sides:
    """Two quarters of independent deals."""

    now: tuple[int, float]
    then: tuple[int, float]

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        (n, p), (m, q) = self.now, self.then
        return {"n": [n, m], "won": [rng.binomial(n, p), rng.binomial(m, q)]}

    def one(self, table: pd.DataFrame) -> list[Found]:
        won, n = table["won"].tolist(), table["n"].tolist()
        found = newcombe_difference(won[0], n[0], won[1], n[1])
        change = self.now[1] - self.then[1]
        return [Found("newcombe_difference", f"difference {change:g}", _held(found, change), min(won))]


@dataclass(frozen=True)
class Change:
    """Quarters of `deals` each, between which the share of wins grows by the smallest reliable change."""

    deals: int
    margin: float = 0.03
    then: float = 0.3

    @property
    def now(self) -> float:
        p = self.then
        for _ in range(50):  # the standard error is that at the new share
            error = np.sqrt((p * (1 - p) + self.then * (1 - self.then)) / self.deals)
            p = self.then + smallest_reliable_change(float(error), self.margin)
        return p

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"won": rng.binomial(self.deals, [self.now, self.then])}

    def one(self, table: pd.DataFrame) -> list[Found]:
        now, then = table["won"]
        found = newcombe_difference(now, self.deals, then, self.deals)
        shown = verdict(*found, margin=self.margin) == "shown and large enough to matter"
        return [Found("smallest_reliable_change", "shown large enough", shown, then, kind="power")]


@dataclass(frozen=True)
class Shared:
    """Accounts of 1 to 25 deals on both sides, amounts log-normal; an account's share of wins is Beta(0.9, 2.1)."""

    accounts: int
    then: float = 0.7

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        account = np.repeat(np.arange(self.accounts), rng.integers(1, 26, self.accounts))
        share, now = rng.beta(0.9, 2.1, self.accounts)[account], rng.random(len(account)) < 0.5
        won = rng.random(len(account)) < share * np.where(now, 1.0, self.then)
        return {"account": account, "now": now, "won": won.astype(float), "amount": rng.lognormal(0, 1, len(account))}

    def one(self, deals: pd.DataFrame) -> list[Found]:
        now, then = deals[deals["now"]], deals[~deals["now"]]
        found = clustered_difference(now["won"], now["account"], then["won"], then["account"])
        ratio = clustered_ratio(now["won"] * now["amount"], now["amount"], cluster=now["account"], reps=400)
        difference = 0.3 * (1 - self.then)
        return [
            Found("clustered_difference", f"difference {difference:g}", _held(found, difference), then["won"].sum()),
            Found("clustered_ratio", "won share of the amount", _held(ratio, 0.3), now["won"].sum()),
        ]


@dataclass(frozen=True)
class Proportion:
    """60 to 140 independent deals."""

    rate: float

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        n = rng.integers(60, 141)
        return {"n": [n], "won": [rng.binomial(n, self.rate)]}

    def one(self, table: pd.DataFrame) -> list[Found]:
        x, n = float(table["won"].iloc[0]), float(table["n"].iloc[0])
        methods: tuple[Literal["clopper_pearson", "jeffreys"], ...] = ("jeffreys", "clopper_pearson")
        return [
            Found("proportion_interval, " + method.replace("_", " "), f"rate {self.rate:g}",
                  _held(proportion_interval(x, n, method=method).frame.iloc[0], self.rate), x,
                  high=1.0 if method == "clopper_pearson" else None, note=EXACT if method == "clopper_pearson" else "")
            for method in methods
        ]  # fmt: skip


@dataclass(frozen=True)
class Parts:
    """Three segments whose shares and rates both change."""

    shares: tuple[tuple[float, ...], ...] = ((0.5, 0.3, 0.2), (0.35, 0.35, 0.3))
    rates: tuple[tuple[float, ...], ...] = ((0.2, 0.35, 0.5), (0.25, 0.3, 0.6))

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        n = [rng.multinomial(size, share) for size, share in zip((220, 180), self.shares, strict=True)]
        x = [rng.binomial(k, rate) for k, rate in zip(n, self.rates, strict=True)]
        return {"n_then": n[0], "n_now": n[1], "x_then": x[0], "x_now": x[1]}

    def one(self, table: pd.DataFrame) -> list[Found]:
        frame = threefold(table["x_then"], table["n_then"], table["x_now"], table["n_now"]).frame.set_index("part")
        (w1, w2), (r1, r2) = np.array(self.shares), np.array(self.rates)
        truth = {"endowments": (w2 - w1) @ r1, "coefficients": w1 @ (r2 - r1), "interaction": (w2 - w1) @ (r2 - r1),
                 "all": w2 @ r2 - w1 @ r1}  # fmt: skip
        return [
            Found("threefold", part, frame.loc[part, "conf_low"] <= value <= frame.loc[part, "conf_high"],
                  table["x_now"].min(), high=1.0 if part == "interaction" else None,
                  note=PRODUCT if part == "interaction" else "")
            for part, value in truth.items()
        ]  # fmt: skip


def _held(found: Any, truth: float) -> bool:
    return bool(found.conf_low <= truth <= found.conf_high)


def _scenario(name: str, seed: int, judge: Any, again: int = 200) -> Scenario:
    return Scenario(name, seed, judge.draw, one_by_one(judge.one), again=again)


SCENARIOS = (
    _scenario("4 quarters of 30-70 deals, 3 outcomes", 601, Alike()),
    _scenario("2 quarters, 4 segments of 10-60 deals", 602, Strata(1.0)),
    _scenario("2 quarters, 4 segments of 10-60 deals, odds ratio 1.6", 603, Strata(1.6), again=100),
    _scenario("20 tests, 5 with a difference", 604, Family()),
    _scenario("80 and 60 deals", 605, Sides((80, 0.3), (60, 0.2))),
    _scenario("60 and 50 deals, few wins", 606, Sides((60, 0.05), (50, 0.1))),
    _scenario("two quarters of 400 deals, margin 0.03", 607, Change(400)),
    _scenario("20 accounts on both sides", 609, Shared(20), again=100),
    _scenario("40 accounts on both sides", 610, Shared(40), again=100),
    _scenario("60-140 deals, rate 0.1", 611, Proportion(0.1)),
    _scenario("220 and 180 deals in 3 segments", 612, Parts()),
)
