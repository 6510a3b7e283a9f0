"""Mean age at winning, deals still open counted"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.estimators.counts import count_events
from analytics.estimators.mean_age import mean_age_at_outcome
from simulations.companies import Company
from simulations.scenario import Found, Scenario, holds

HORIZON = 90
NO_ANSWER = "fewer than two were won, or nobody is followed that long"


@dataclass(frozen=True)
class Judge:
    """Judge a few replicates at once (their matrix of influences grows with the square)."""

    company: Company

    def __call__(self, deals: pd.DataFrame, count: int) -> list[Found]:
        company = self.company
        cluster = "account" if company.accounts else None
        if cluster:  # the same number is another account in each replicate
            deals = deals.assign(account=deals["account"] + company.accounts * deals["replicate"])
        weights = "weight" if company.weighted else None
        risk = count_events(deals, by="replicate", cluster=cluster, weights=weights)
        found = mean_age_at_outcome(risk, horizon_days=HORIZON).at(outcome="won")
        truth = HORIZON - company.mean_time("won", HORIZON) / company.incidence("won", HORIZON)
        held = holds(found, count, truth)
        note = NO_ANSWER if np.isnan(held).any() else ""
        events = company.expected("won", HORIZON)
        return [Found("mean_age_at_outcome", f"won within {HORIZON} days", held, events, note=note)]


def _scenario(name: str, seed: int, company: Company) -> Scenario:
    return Scenario(name, seed, company.draw, Judge(company), block=25)


SCENARIOS = (
    _scenario("right-censored, 30 deals", 901, Company(30)),
    _scenario("right-censored, 150 deals", 902, Company(150)),
    _scenario("left-truncated, 200 deals", 903, Company(200, late=1 / 3)),
    _scenario("20 accounts, 250 deals", 904, Company(250, accounts=20)),
    _scenario("40 accounts, 250 deals", 905, Company(250, accounts=40)),
    _scenario("100 accounts, 400 deals", 906, Company(400, accounts=100)),
    _scenario("weights, 200 deals", 907, Company(200, weighted=True)),
)
