"""Spread between quarters and between groups, shares shrunk towards the common one, funnels"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.dirichlet import shrink_shares
from analytics.estimators.heterogeneity import heterogeneity
from analytics.estimators.proportions import funnel_limits
from analytics.estimators.shrinkage import shrink
from analytics.estimators.spread import spread_between
from simulations.scenario import Found, Scenario, one_by_one

NO_SPREAD = "without any spread it holds more: nothing can tell that groups do not differ"
NOT_TOLD = "everybody or nobody was won"


@dataclass(frozen=True)
class Quarters:
    """True values of quarters are normal about 0.3; each is known to 0.03 or 0.05, and the next one is to be told."""

    quarters: int
    tau: float

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        error = np.resize([0.03, 0.05], self.quarters + 1)
        true = 0.3 + self.tau * rng.standard_normal(self.quarters + 1)
        return {"true": true, "seen": true + error * rng.standard_normal(self.quarters + 1), "error": error}

    def one(self, drawn: pd.DataFrame) -> list[Found]:
        past, ahead = drawn.iloc[:-1], drawn["true"].iloc[-1]
        result = heterogeneity(past["seen"], past["error"]).frame.set_index("quantity")
        # the typical variance of I squared, from its definition
        w = 1 / past["error"] ** 2
        typical = (self.quarters - 1) * w.sum() / (w.sum() ** 2 - (w**2).sum())
        truths = {"mean": 0.3, "prediction": ahead, "tau": self.tau, "i_squared": self.tau**2 / (self.tau**2 + typical)}
        return [Found("heterogeneity", name, _inside(result.loc[name], truth)) for name, truth in truths.items()]


@dataclass(frozen=True)
class Groups:
    """Groups of uneven size whose shares are Dirichlet about `shares`, with correlation `rho` of deals of one group.

    Coverage is that of an average group (empirical Bayes): the share of groups whose true share is held.
    """

    groups: int
    size: tuple[int, int]
    rho: float
    shares: tuple[float, ...] = (0.3, 0.7)

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        n, alpha = rng.integers(*self.size, self.groups), np.array(self.shares) * (1 / max(self.rho, 1e-9) - 1)
        true = rng.dirichlet(alpha, self.groups) if self.rho else np.tile(self.shares, (self.groups, 1))
        counts = rng.multinomial(n, true)
        names = range(len(self.shares))
        return {f"true_{k}": true[:, k] for k in names} | {f"seen_{k}": counts[:, k] for k in names}

    def one(self, drawn: pd.DataFrame) -> list[Found]:
        columns, k = drawn.to_numpy(dtype=float), len(self.shares)
        true, seen = columns[:, :k], columns[:, k:]
        extra: dict[str, Any] = {} if self.rho else {"high": 1.0, "note": NO_SPREAD}
        if k > 2:
            limits = shrink_shares(pd.DataFrame(seen)).frame[["conf_low", "conf_high"]].to_numpy(dtype=float)
            held = ((limits[:, 0] <= true.ravel()) & (true.ravel() <= limits[:, 1])).reshape(true.shape).mean(axis=0)
            return [
                Found("shrink_shares", f"outcome {j + 1} of a group", held[j], seen[:, j].mean(), **extra)
                for j in range(k)
            ]  # fmt: skip
        x, n = seen[:, 0], seen.sum(axis=1)
        frame, _, _ = shrink(x, n)
        held = (frame["conf_low"] <= true[:, 0]) & (true[:, 0] <= frame["conf_high"])
        return [Found("shrink", "share of a group", held.mean(), x.mean(), **extra), *self._spread(x, n)]

    def _spread(self, x: Any, n: Any) -> list[Found]:
        p = self.shares[0]
        sd = float(np.sqrt(self.rho * p * (1 - p)))
        found = spread_between(x, n) if 0 < x.sum() < n.sum() else None
        note = NOT_TOLD if found is None else "" if self.rho else NO_SPREAD
        held = np.nan if found is None else found.sd_low - 1e-9 <= sd <= found.sd_high + 1e-9
        rows = [Found("spread_between", "standard deviation of shares", held, x.mean(),
                      high=None if self.rho else 1.0, note=note)]  # fmt: skip
        if not self.rho:
            outside = (funnel_limits(x, n, centre=p).frame["outside"] >= 0.95).mean()
            rows += [
                Found("spread_between", "overdispersion", np.nan if found is None else found.p_value <= 0.05, x.mean(),
                      kind="size", note=note if found is None else ""),
                Found("funnel_limits", "groups outside of 95 %", outside, x.mean(), kind="size"),
            ]  # fmt: skip
        return rows


def _inside(row: pd.Series, truth: float) -> bool:
    return bool(row["conf_low"] - 1e-9 <= truth <= row["conf_high"] + 1e-9)


def _scenario(name: str, seed: int, judge: Any, again: int = 200) -> Scenario:
    return Scenario(name, seed, judge.draw, one_by_one(judge.one), again=again)


SCENARIOS = (
    _scenario("6 quarters, spread 0.05", 501, Quarters(6, 0.05)),
    _scenario("12 quarters, spread 0.02", 502, Quarters(12, 0.02)),
    _scenario("6 groups of 80-200 deals, correlation 0.02", 504, Groups(6, (80, 200), 0.02)),
    _scenario("12 groups of 10-60 deals, correlation 0.05", 505, Groups(12, (10, 60), 0.05)),
    _scenario("12 groups of 40-120 deals, no spread", 507, Groups(12, (40, 120), 0.0)),
    _scenario("10 groups of 20-80 deals, three outcomes", 508, Groups(10, (20, 80), 0.03, (0.3, 0.5, 0.2))),
)
