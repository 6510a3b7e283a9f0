"""Discrete-time hazard models: coefficients and predicted incidences, with and without accounts"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr

from analytics.estimators.discrete_time.models import discrete_time_model
from analytics.estimators.discrete_time.one_outcome import one_outcome_model
from analytics.estimators.discrete_time.periods import PersonPeriods
from analytics.estimators.discrete_time.prediction import predicted_incidence, predicted_open
from analytics.records.errors import InputError
from simulations.scenario import Found, Scenario, one_by_one

PERIODS = 12
INTERCEPT = {"won": -2.4, "lost": -2.0}
EFFECT = {"won": (0.4, 0.5, -0.05), "lost": (-0.2, 0.0, 0.03)}
"""Log odds of ending so in a period, to staying open, by size, partner and period."""
TERMS, FORMULA = ("size", "partner", "period"), "size + partner + period"
PARTNER, AHEAD = 0.4, 6
NOTHING = "a partner in all accounts or in none, or none that has one was won: no effect to be fitted"


@dataclass(frozen=True)
class Deals:
    """Deals followed for up to twelve periods, whose hazards are exactly those of the model.

    With accounts, durations and outcomes of the deals of one account go together through normal variables with this
    correlation (a Gaussian copula), which leaves each deal's own chances as they are; the partner is the account's, or
    with `within` the deal's own. `late`: share watched from a later period on. `alone`: the chance of being won has the
    link of `one_outcome_model`, complementary log-log, and a tenth of the others is lost.
    """

    deals: int
    accounts: int = 0
    within: bool = False
    late: float = 0.0
    correlation: float = 0.3
    alone: bool = False

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        n = self.deals
        share = rng.gamma(0.8, size=max(self.accounts, 1)) + 0.1
        account = rng.choice(self.accounts, n, p=share / share.sum()) if self.accounts else np.arange(n)
        size = np.round(rng.standard_normal(n), 1)
        partner = (rng.random(n) < PARTNER).astype(float)
        if self.accounts and not self.within:
            partner = partner[account]
        period = np.arange(1, PERIODS + 1)
        won, lost = (alone if self.alone else hazards)(size[:, None], partner[:, None], period)
        still = np.cumprod(1 - won - lost, axis=1)
        first, second = self._uniform(rng, account), self._uniform(rng, account)
        ended = 1 + (still > first[:, None]).sum(axis=1)
        chance = won / (won + lost)
        is_won = second < chance[np.arange(n), np.minimum(ended, PERIODS) - 1]
        leaves = rng.integers(4, PERIODS + 1, n)
        entry = np.where(rng.random(n) < self.late, rng.integers(1, 4, n), 0)
        rows, at = np.nonzero((period > entry[:, None]) & (period <= np.minimum(ended, leaves)[:, None]))
        last = at + 1 == ended[rows]
        return {
            "account": account[rows], "size": size[rows], "partner": partner[rows], "period": at + 1,
            "at_risk": np.ones(len(rows), dtype=np.int64), "d_won": (last & is_won[rows]).astype(np.int64),
            "d_lost": (last & ~is_won[rows]).astype(np.int64),
        }  # fmt: skip

    def periods(self, rows: pd.DataFrame) -> PersonPeriods:
        """The rows of one company as the models take them."""
        return PersonPeriods(rows, ("won", "lost"), n_deals=self.deals)

    @property
    def cluster(self) -> str | None:
        """The column of accounts, where there are any."""
        return "account" if self.accounts else None

    def _uniform(self, rng: np.random.Generator, account: Any) -> Any:
        own = rng.standard_normal(len(account))
        if not self.accounts:
            return ndtr(own)
        shared = rng.standard_normal(self.accounts)[account]
        return ndtr(np.sqrt(self.correlation) * shared + np.sqrt(1 - self.correlation) * own)


def hazards(size: Any, partner: Any, period: Any) -> tuple[Any, Any]:
    """The true chances of being won and lost in a period."""
    odds = [
        np.exp(INTERCEPT[name] + a * size + b * partner + c * period) for name, (a, b, c) in EFFECT.items()
    ]  # fmt: skip
    whole = 1 + odds[0] + odds[1]
    return odds[0] / whole, odds[1] / whole


def alone(size: Any, partner: Any, period: Any) -> tuple[Any, Any]:
    """The same where log(-log(1 - chance)) of being won is linear."""
    a, b, c = EFFECT["won"]
    won = -np.expm1(-np.exp(INTERCEPT["won"] + a * size + b * partner + c * period))
    return won, (1 - won) / 10


def incidence(periods: int) -> float:
    """The true share won within so many periods of a deal of size 0 without partner."""
    won, lost = hazards(0.0, 0.0, np.arange(1, periods + 1))
    before = np.concatenate(([1.0], np.cumprod(1 - won - lost)[:-1]))
    return float((before * won).sum())


def still_open(periods: int) -> float:
    """The true share of such deals open after so many periods."""
    won, lost = hazards(0.0, 0.0, np.arange(1, periods + 1))
    return float(np.prod(1 - won - lost))


@dataclass(frozen=True)
class Judge:
    """Coefficients of winning, and the predicted share won."""

    deals: Deals

    def one(self, rows: pd.DataFrame) -> list[Found]:
        events, table, shown = float(rows["d_won"].sum()), None, None
        try:
            model = discrete_time_model(self.deals.periods(rows), FORMULA, cluster=self.deals.cluster)
            table = model.coefficients.at(outcome="won").set_index("term")
            profile = pd.DataFrame({"size": [0.0], "partner": [0.0]})
            shown = predicted_incidence(model, profile, horizon=AHEAD).at(outcome="won").iloc[-1]
        except InputError:
            pass
        note = NOTHING if shown is None else ""
        found = [
            Found("discrete_time_model", f"log odds ratio of {term}, won",
                  _holds(None if table is None else table.loc[term], truth), events, note=note)
            for term, truth in zip(TERMS, EFFECT["won"], strict=True)
        ]  # fmt: skip
        target = f"won within {AHEAD} periods, size 0, no partner"
        return [
            *found, Found("predicted_incidence, discrete", target, _holds(shown, incidence(AHEAD)), events, note=note)
        ]  # fmt: skip


@dataclass(frozen=True)
class Open:
    """The predicted share still open."""

    deals: Deals

    def one(self, rows: pd.DataFrame) -> list[Found]:
        shown, events = None, float(rows["d_won"].sum() + rows["d_lost"].sum())
        try:
            model = discrete_time_model(self.deals.periods(rows), FORMULA, cluster=self.deals.cluster)
            shown = predicted_open(model, pd.DataFrame({"size": [0.0], "partner": [0.0]}), horizon=AHEAD).frame.iloc[-1]
        except InputError:
            pass
        target, note = f"open after {AHEAD} periods, size 0, no partner", "" if shown is not None else NOTHING
        return [Found("predicted_open", target, _holds(shown, still_open(AHEAD)), events, note=note)]


@dataclass(frozen=True)
class Alone:
    """Coefficients of winning against all else."""

    deals: Deals

    def one(self, rows: pd.DataFrame) -> list[Found]:
        table, events = None, float(rows["d_won"].sum())
        try:
            fit = one_outcome_model(self.deals.periods(rows), FORMULA, outcome="won", cluster=self.deals.cluster)
            table = fit.frame.set_index("term")
        except InputError:
            pass
        note = NOTHING if table is None else ""
        return [
            Found("one_outcome_model", f"log hazard ratio of {term}, won",
                  _holds(None if table is None else table.loc[term], truth), events, note=note)
            for term, truth in zip(TERMS, EFFECT["won"], strict=True)
        ]  # fmt: skip


def _holds(row: Any, truth: float) -> float:
    return np.nan if row is None else float(row["conf_low"] <= truth <= row["conf_high"])


def _scenario(name: str, seed: int, deals: Deals, judge: Any = Judge) -> Scenario:
    return Scenario(name, seed, deals.draw, one_by_one(judge(deals).one), again=100)


SCENARIOS = (
    _scenario("150 deals", 651, Deals(150)),
    _scenario("20 accounts, 150 deals", 652, Deals(150, accounts=20)),
    _scenario("20 accounts, partners within accounts, 300 deals", 653, Deals(300, accounts=20, within=True)),
    _scenario("40 accounts, 250 deals, left-truncated", 654, Deals(250, accounts=40, late=0.35)),
    _scenario("150 deals, still open", 655, Deals(150), Open),
    _scenario("40 accounts, 250 deals, left-truncated, still open", 656, Deals(250, accounts=40, late=0.35), Open),
    _scenario("150 deals, one outcome", 657, Deals(150, alone=True), Alone),
    _scenario("20 accounts, 150 deals, one outcome", 658, Deals(150, accounts=20, alone=True), Alone),
    _scenario(
        "40 accounts, 250 deals, left-truncated, one outcome",
        659,
        Deals(250, accounts=40, late=0.35, alone=True),
        Alone,
    ),
)
