"""What a change is made of: mix and rate between two quarters that share accounts, and factors of a rate"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.bootstrap import Resampling
from analytics.estimators.das_gupta import das_gupta, factor_effects
from analytics.estimators.decomposition import Pace, mix_and_rate
from analytics.records.period import restrict_to_period
from simulations.scenario import Found, Scenario, one_by_one

QUARTERS = (dt.date(2024, 7, 1), dt.date(2024, 9, 30)), (dt.date(2025, 7, 1), dt.date(2025, 9, 30))
HORIZON, GIANT = 180, 300_000
PARTS = ("mix", "rate", "stock", "total")
WIDE = "the remainder varies less than its resamples say: too wide by construction, never too short"


@dataclass(frozen=True)
class Business:
    """Accounts with 1 to 6 deals opened over two years; the luck of an account is shared by its deals.

    The share of segment y, which wins less, grows from 0.3 to 0.6. Deals are watched in two quarters a year apart.
    """

    accounts: int

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        size = rng.integers(1, 7, self.accounts)
        account = np.repeat(np.arange(self.accounts), size)
        n = len(account)
        day = rng.integers(0, 730, n)
        y = rng.random(n) < 0.3 + 0.3 * day / 730
        luck = rng.gamma(2, 0.5, self.accounts)[account]
        won = rng.exponential(1 / (np.where(y, 0.004, 0.010) * luck))
        lost = rng.exponential(1 / np.full(n, 0.008))
        lasts, left = np.ceil(np.minimum(won, lost)).astype(np.int64), 1000 - day
        opened = pd.Timestamp("2024-01-01") + pd.to_timedelta(day, unit="D")
        return {
            "opened_on": opened, "entry": np.full(n, -1), "exit": np.minimum(lasts, left),
            "outcome": np.where(lasts > left, "open", np.where(won < lost, "won", "lost")),
            "segment": np.where(y, "y", "x"), "account_id": account.astype(str),
        }  # fmt: skip

    def one(self, deals: pd.DataFrame) -> list[Found]:
        then, now = (_watched(deals, *quarter) for quarter in QUARTERS)
        found = mix_and_rate(then, now, by="segment", horizon_days=HORIZON, resampling=Resampling(reps=300))
        rows = found[found["level"] == "all"].set_index("part")
        events = min(int((side.deals["outcome"] == "won").sum()) for side in (then, now))
        held = [rows.loc[part, "conf_low"] <= _truth()[part] <= rows.loc[part, "conf_high"] for part in PARTS]
        return [
            Found("mix_and_rate", part, holds, events, high=1.0 if part == "stock" else None,
                  note=WIDE if part == "stock" else "")
            for part, holds in zip(PARTS, held, strict=True)
        ]  # fmt: skip


@cache
def _truth() -> dict[str, float]:
    """The parts of a business of very many accounts."""
    giant = pd.DataFrame(Business(GIANT).draw(np.random.default_rng(0)))
    sides = [_watched(giant, *quarter) for quarter in QUARTERS]
    parts = mix_and_rate(*sides, by="segment", horizon_days=HORIZON, resampling=Resampling(reps=2))
    return {str(k): float(v) for k, v in parts[parts["level"] == "all"].set_index("part")["estimate"].items()}


def _watched(deals: pd.DataFrame, start: dt.date, end: dt.date) -> Pace:
    inside = restrict_to_period(deals, start=start, end=end)
    return Pace(inside.assign(opened_in_period=inside["opened_on"] >= pd.Timestamp(start)))


@dataclass(frozen=True)
class Factors:
    """Meetings that led to a deal, and deals that were won, per account, in two periods: a product of two chances.

    The chances of an account vary (beta), and an account is resampled whole.
    """

    accounts: int
    reps: int = 500
    chances: tuple[tuple[float, float], tuple[float, float]] = ((0.4, 0.3), (0.5, 0.25))

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        met = rng.integers(1, 8, (2, self.accounts))
        rows: dict[str, Any] = {"draw": np.full(self.accounts, rng.integers(2**31))}
        for side, (deal, win) in enumerate(self.chances):
            opened = rng.binomial(met[side], rng.beta(8 * deal, 8 * (1 - deal), self.accounts))
            won = rng.binomial(opened, rng.beta(8 * win, 8 * (1 - win), self.accounts))
            rows |= {f"met{side}": met[side], f"opened{side}": opened, f"won{side}": won}
        return rows

    def one(self, accounts: pd.DataFrame) -> list[Found]:
        rng = np.random.default_rng(int(accounts["draw"].iloc[0]))
        chosen = rng.integers(0, len(accounts), (self.reps, len(accounts)))
        whole = np.arange(len(accounts))[None]
        (then, now), draws = ([_chances(accounts, side, rows) for side in (0, 1)] for rows in (whole, chosen))
        shown = das_gupta(_product, *({k: float(v[0]) for k, v in one.items()} for one in (then, now)),
                          draws=(draws[0], draws[1])).frame.set_index("factor")  # fmt: skip
        sides = [dict(zip(("opens", "wins"), map(np.asarray, chances), strict=True)) for chances in self.chances]
        truth = {name: float(value) for name, value in factor_effects(_product, *sides).items()}
        truth["all"] = sum(truth.values())
        events = float(accounts[["won0", "won1"]].sum().min())
        return [
            Found("das_gupta", name, shown.loc[name, "conf_low"] <= value <= shown.loc[name, "conf_high"], events)
            for name, value in truth.items()
        ]


def _product(opens: Any, wins: Any) -> Any:
    return opens * wins


def _chances(accounts: pd.DataFrame, side: int, chosen: Any) -> dict[str, Any]:
    met, opened, won = (accounts[f"{name}{side}"].to_numpy()[chosen].sum(axis=1) for name in ("met", "opened", "won"))
    return {"opens": opened / met, "wins": won / np.maximum(opened, 1)}


SCENARIOS = (
    Scenario("400 accounts, two quarters", 861, Business(400).draw, one_by_one(Business(400).one), again=100),
    Scenario("100 accounts, two quarters", 862, Business(100).draw, one_by_one(Business(100).one), again=100),
    Scenario("60 accounts, a product of two chances", 863, Factors(60).draw, one_by_one(Factors(60).one), again=200),
)
