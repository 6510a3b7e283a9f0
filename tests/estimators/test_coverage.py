"""Do clustered intervals hold the truth as often as they say? (slow: whole companies are simulated)"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from analytics.estimators.counts import count_events
from analytics.estimators.incidence import cumulative_incidence
from analytics.estimators.influence import difference, influence

REPS, ACCOUNTS, AGE = 600, 80, 20
BAND = binom.ppf([0.0005, 0.9995], REPS, 0.95) / REPS
"""Where 99.9 % of estimated coverages lie if the true one is 95 %."""


def company(rng: np.random.Generator, win: float) -> pd.DataFrame:
    """Accounts with 1 to 12 deals and a frailty; entry late for a third, censored at random."""
    sizes = rng.integers(1, 13, ACCOUNTS)
    account = np.repeat(np.arange(ACCOUNTS), sizes)
    n = len(account)
    odds = np.exp(rng.normal(0, 0.9, ACCOUNTS))[account]
    p_win = win * odds / (1 - win + win * odds)
    duration = rng.geometric(0.06, n)
    watched = np.where(rng.random(n) < 1 / 3, rng.integers(-1, 8, n), -1)
    leave = rng.integers(10, 60, n)
    ended = duration <= leave
    frame = pd.DataFrame({
        "entry": watched, "exit": np.minimum(duration, leave), "account": account,
        "outcome": np.where(ended, np.where(rng.random(n) < p_win, "won", "lost"), "open"),
    })  # fmt: skip
    return frame[frame["exit"] > frame["entry"]]


def truth(win: float) -> float:
    """By quadrature over the frailty: all deals have the same durations."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    odds = np.exp(0.9 * nodes)
    share = (weights * win * odds / (1 - win + win * odds)).sum() / weights.sum()
    return float(share * (1 - 0.94**AGE))


@pytest.mark.slow
def test_clustered_intervals_cover_and_unclustered_ones_do_not() -> None:
    rng, held, narrow = np.random.default_rng(20250101), 0, 0
    for _ in range(REPS):
        deals = company(rng, 0.35)
        for cluster in ("account", None):
            row = cumulative_incidence(count_events(deals, cluster=cluster), times=[AGE]).at(outcome="won").iloc[0]
            holds = row["conf_low"] <= truth(0.35) <= row["conf_high"]
            held += holds and cluster is not None
            narrow += holds and cluster is None
    assert BAND[0] <= held / REPS <= BAND[1]
    assert narrow / REPS < BAND[0]


@pytest.mark.slow
def test_differences_of_periods_that_share_accounts_cover() -> None:
    rng, held = np.random.default_rng(20250102), 0
    for _ in range(REPS):
        deals = company(rng, 0.35)
        deals["period"] = np.where(rng.random(len(deals)) < 0.5, "now", "then")
        joint = influence(count_events(deals, by="period", cluster="account"), times=[AGE])
        row = difference(joint.select(period="now"), joint.select(period="then")).at(outcome="won").iloc[0]
        held += row["conf_low"] <= 0 <= row["conf_high"]
    assert BAND[0] <= held / REPS <= BAND[1]
