"""Do limits of adjusted shares and forecasts hold the truth? (slow)"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from analytics.estimators.adjusted_incidence import adjusted_incidence
from analytics.estimators.heterogeneity import heterogeneity

REPS = 600
BAND = binom.ppf([0.0005, 0.9995], REPS, 0.95) / REPS
"""Where 99.9 % of estimated coverages lie if the true one is 95 %."""
PACE, WIN = 0.95, 0.4
"""A deal stays open for another day with this chance; of those that end, this share is won."""


def company(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Geometric durations, censored between day 15 and 90, a third watched only from later on."""
    lasts, leaves = rng.geometric(1 - PACE, n), rng.integers(15, 90, n)
    entry = np.where(rng.random(n) < 0.3, rng.integers(-1, 6, n), -1)
    outcome = np.where(lasts <= leaves, rng.choice(["won", "lost"], n, p=[WIN, 1 - WIN]), "open")
    frame = pd.DataFrame({"entry": entry, "exit": np.minimum(lasts, leaves), "outcome": outcome})
    return frame[frame["exit"] > frame["entry"]].assign(side=lambda d: rng.choice(["a", "b"], len(d)))


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["inverse_probability", "overlap"])
def test_difference_of_adjusted_shares(scheme: str) -> None:
    """x moves both the exposure and the chance of winning; the exposure itself does nothing."""
    rng, held, naive = np.random.default_rng(3), 0, 0
    for _ in range(REPS):
        frame = company(rng, 400)
        x = rng.normal(size=len(frame))
        frame["x"], frame["partner"] = x, (rng.random(len(frame)) < 1 / (1 + np.exp(-x))).astype(int)
        ended = frame["outcome"] != "open"
        frame["outcome"] = np.where(
            ended, np.where(rng.random(len(frame)) < 1 / (1 + np.exp(0.4 - x)), "won", "lost"), "open"
        )
        _, contrasts = adjusted_incidence(frame, "partner", "x", times=[30], scheme=scheme)  # type: ignore[arg-type]
        row = contrasts.at(outcome="won", contrast="difference").iloc[0]
        held += bool(row["conf_low"] <= 0 <= row["conf_high"])
        _, contrasts = adjusted_incidence(frame.assign(z=rng.normal(size=len(frame))), "partner", "z", times=[30])
        row = contrasts.at(outcome="won", contrast="difference").iloc[0]
        naive += bool(row["conf_low"] <= 0 <= row["conf_high"])
    assert BAND[0] <= held / REPS <= BAND[1]
    assert naive / REPS < 0.6


@pytest.mark.slow
def test_mean_and_next_quarter() -> None:
    """Twelve quarters whose true values spread by 0.05 about 0.3, each known to 0.03 or 0.05.

    The next quarter is held as often as the interval says, though a spread learned from twelve quarters is itself
    uncertain; with t of k - 2 degrees of freedom it was held about 90 times in 100.
    """
    rng, mean, ahead, reps = np.random.default_rng(5), 0, 0, 3000
    errors = np.tile([0.03, 0.05], 6)
    for _ in range(reps):
        true = rng.normal(0.3, 0.05, 13)
        found = heterogeneity(rng.normal(true[:12], errors), errors).frame.set_index("quantity")
        mean += bool(found.loc["mean", "conf_low"] <= 0.3 <= found.loc["mean", "conf_high"])
        ahead += bool(found.loc["prediction", "conf_low"] <= true[12] <= found.loc["prediction", "conf_high"])
    assert 0.93 <= mean / reps <= 0.96
    assert 0.925 <= ahead / reps <= 0.965
