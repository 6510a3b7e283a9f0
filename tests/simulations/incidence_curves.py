"""Incidence, survival, hazard, mean time and quantiles of one company"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.counts import RiskTable, count_events
from analytics.estimators.cumulative_hazard import cumulative_hazard
from analytics.estimators.incidence import conditional_incidence, cumulative_incidence, survival
from analytics.estimators.mean_time import restricted_mean_time_lost
from analytics.estimators.quantiles import time_to_incidence
from simulations.companies import Company
from simulations.scenario import Found, Scenario, holds, per_replicate

HORIZON, LATER = 90, 30
BEYOND = "nobody of the replicate is followed that far"
NOT_REACHED = "the share, or its lower limit, is not reached within follow-up"


class Judge:
    """Judge every estimator of one company at the days by which so many wins are expected."""

    def __init__(self, company: Company, events: tuple[float, ...]) -> None:
        self.company = company
        self.days = {company.day_of_events("won", wanted): wanted for wanted in events}

    def __call__(self, deals: pd.DataFrame, count: int) -> list[Found]:
        how: dict[str, Any] = {"cluster": "account"} if self.company.accounts else {}
        how |= {"weights": "weight"} if self.company.weighted else {}
        risk = count_events(deals, by="replicate", **how)
        found = self.incidence(risk, count) + self.survival(risk, count) + self.conditional(risk, count)
        return found + self.mean_time(risk, count) + self.quantiles(risk, count) + self.hazard(risk, count)

    def incidence(self, risk: RiskTable, count: int) -> list[Found]:
        plain = not (risk.cluster or risk.weighted)
        found = []
        for variance in ("greenwood", "infinitesimal_jackknife") if plain else (None,):
            frame = cumulative_incidence(risk, times=list(self.days), variance=variance).at(outcome="won")
            name = "cumulative_incidence" + (f", {variance.replace('_', ' ')}" if variance else "")
            for day in self.days:
                rows = frame[frame["time"] == day]
                held = holds(rows, count, self.company.incidence("won", day))
                events = self.company.expected("won", day)
                found.append(Found(name, f"won by day {day}", held, events, note=_why(held)))
        return found

    def survival(self, risk: RiskTable, count: int) -> list[Found]:
        frame = survival(risk, times=list(self.days)).frame
        found = []
        for day in self.days:
            held = holds(frame[frame["time"] == day], count, self.company.survival(day))
            events = sum(self.company.expected(name, day) for name in ("won", "lost", "no_decision"))
            found.append(Found("survival", f"open after day {day}", held, events, note=_why(held)))
        return found

    def conditional(self, risk: RiskTable, count: int) -> list[Found]:
        until, company = LATER + 60, self.company
        frame = conditional_incidence(risk, at_age=LATER, times=[until]).at(outcome="won")
        truth = (company.incidence("won", until) - company.incidence("won", LATER - 1)) / company.survival(LATER - 1)
        held = holds(frame, count, truth)
        events = company.expected("won", until) - company.expected("won", LATER - 1)
        return [
            Found("conditional_incidence", f"won by day {until} if open on day {LATER}", held, events, note=_why(held))
        ]

    def mean_time(self, risk: RiskTable, count: int) -> list[Found]:
        frame = restricted_mean_time_lost(risk, horizon_days=HORIZON).frame
        found = []
        for outcome in ("won", "open"):
            held = holds(frame[frame["outcome"] == outcome], count, self.company.mean_time(outcome, HORIZON))
            events = self.company.expected("won" if outcome == "won" else "lost", HORIZON)
            found.append(
                Found("restricted_mean_time_lost", f"{outcome}, {HORIZON} days", held, events, note=_why(held))
            )
        return found

    def quantiles(self, risk: RiskTable, count: int) -> list[Found]:
        share = 0.1
        frame = time_to_incidence(risk, shares=[share]).at(outcome="won")
        day = self.company.day_of_share("won", share)
        low, high = (per_replicate(frame, count, name) for name in ("conf_low", "conf_high"))
        # a limit that is not reached is no limit on that side: the day may be any later one
        held = ~((low > day) | (high < day) | np.isnan(low))
        return [
            Found("time_to_incidence", f"day by which {100 * share:g} % are won", held,
                  self.company.expected("won", day),
                  high=1.0, note="days are whole: the interval holds more than it says")
        ]  # fmt: skip

    def hazard(self, risk: RiskTable, count: int) -> list[Found]:
        frame = cumulative_hazard(risk, times=list(self.days)).at(outcome="won")
        found = []
        for day in self.days:
            held = holds(frame[frame["time"] == day], count, self.company.hazard("won", day))
            events = self.company.expected("won", day)
            found.append(Found("cumulative_hazard", f"won by day {day}", held, events, note=_why(held)))
        return found


def _why(held: Any) -> str:
    return BEYOND if np.isnan(held).any() else ""


def _scenario(name: str, seed: int, company: Company, *events: float) -> Scenario:
    return Scenario(name, seed, company.draw, Judge(company, events))


SCENARIOS = (
    _scenario("right-censored, 30 deals", 101, Company(30), 1, 2, 5),
    _scenario("right-censored, 100 deals", 102, Company(100), 2, 5, 20),
    _scenario("right-censored, 400 deals", 103, Company(400), 5, 20, 80),
    _scenario("left-truncated, 100 deals", 104, Company(100, late=0.35), 2, 5, 18),
    _scenario("left-truncated, 400 deals", 105, Company(400, late=0.35), 5, 20, 75),
    _scenario("20 accounts, 150 deals", 106, Company(150, accounts=20), 5, 20),
    _scenario("40 accounts, 250 deals, left-truncated", 107, Company(250, accounts=40, late=0.35), 5, 20),
    _scenario("100 accounts, 400 deals", 108, Company(400, accounts=100), 5, 20, 80),
    _scenario("weights, 100 deals", 109, Company(100, weighted=True), 5, 15),
    _scenario("weights, 400 deals, left-truncated", 110, Company(400, weighted=True, late=0.35), 5, 20, 60),
)
