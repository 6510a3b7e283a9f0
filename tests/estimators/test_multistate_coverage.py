"""Do multi-state intervals hold the truth as often as they say, and the Markov test its size? (slow: simulations)

`python test_multistate_coverage.py` prints the shares.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from analytics.estimators.multistate.landmark import landmark_occupation
from analytics.estimators.multistate.markov import markov_test
from analytics.estimators.multistate.occupation import stage_occupation
from analytics.estimators.multistate.probabilities import transition_probabilities
from analytics.estimators.multistate.rows import read_stages
from analytics.estimators.multistate.stay import expected_visits, mean_stage_days
from analytics.estimators.multistate.table import count_transitions

REPS, DEALS, DAY, MARK = 600, 200, 15, 5
STATES = np.array(["a", "b", "won", "lost"])
DAILY = np.array([[0.88, 0.08, 0.0, 0.04], [0.05, 0.83, 0.07, 0.05], [0, 0, 1, 0], [0, 0, 0, 1]])
"""Chances of one day; the same every day, so that the truth is a power of them."""


def band(level: float) -> tuple[float, float]:
    """Return where 99.9 % of simulated shares lie if the true one is `level`."""
    low, high = binom.ppf([0.0005, 0.9995], REPS, level) / REPS
    return float(low), float(high)


def company(rng: np.random.Generator) -> pd.DataFrame:
    """Deals that start in a; a third are watched from a later day on, if they are still open; censored at random."""
    path = np.zeros((DEALS, 42), dtype=int)  # column d + 1 holds the state at the end of day d
    steps = DAILY.cumsum(axis=1)
    for d in range(1, path.shape[1]):
        path[:, d] = (rng.random(DEALS)[:, None] > steps[path[:, d - 1]]).sum(axis=1)
    entry = np.where(rng.random(DEALS) < 1 / 3, rng.integers(0, 10, DEALS), -1)
    last = rng.integers(12, 40, DEALS)
    rows = []
    for k, (way, e, c) in enumerate(zip(path, entry, last, strict=True)):
        moves = [d for d in range(int(e) + 1, int(c) + 1) if way[d + 1] != way[d]]
        begin = int(e)
        for d in moves:
            rows.append((k, begin, d, way[d], way[d + 1]))
            begin = d
        if way[begin + 1] < 2 and begin < c:
            rows.append((k, begin, int(c), way[begin + 1], -1))
    frame = pd.DataFrame(rows, columns=["deal_id", "entry", "exit", "from", "to"])
    frame = frame[frame["from"] < 2]
    for name in ("from", "to"):
        frame[name] = pd.Categorical.from_codes(frame[name].to_numpy(), categories=STATES, ordered=True)
    return frame


def truths() -> dict[str, float]:
    power = [np.linalg.matrix_power(DAILY, d + 1)[0] for d in range(-1, DAY + 1)]
    return {
        "occupation of b": power[-1][1], "won": power[-1][2], "days in b": float(sum(p[1] for p in power[1:-1])),
        "visits to b": float(sum(p[0] * DAILY[0, 1] for p in power[:-1])),
        "P(b, won)": np.linalg.matrix_power(DAILY, DAY - MARK)[1, 2],
        "landmark b, won": np.linalg.matrix_power(DAILY, DAY - MARK)[1, 2],
    }  # fmt: skip


def shares() -> dict[str, float]:
    """Return how often each interval held the truth, and how often the Markov test rejected at 5 %."""
    rng, held, rejected = np.random.default_rng(20250102), dict.fromkeys(truths(), 0), 0
    for _ in range(REPS):
        read = read_stages(company(rng))
        occupation = stage_occupation(read, times=[DAY])
        found = {
            "occupation of b": occupation.at(state="b"), "won": occupation.at(state="won"),
            "days in b": mean_stage_days(read, horizon_days=DAY).at(state="b"),
            "visits to b": expected_visits(read, horizon_days=DAY).at(state="b"),
            "P(b, won)": transition_probabilities(count_transitions(read), start=MARK, times=[DAY]).at(
                **{"from": "b", "to": "won"}),
            "landmark b, won": landmark_occupation(read, state="b", at=MARK, times=[DAY]).at(state="won"),
        }  # fmt: skip
        for name, truth in truths().items():
            row = found[name].iloc[0]
            held[name] += bool(row["conf_low"] <= truth <= row["conf_high"])
        rejected += bool(markov_test(read, state="b", at=MARK).frame["p_value"].iloc[-1] < 0.05)
    return {name: count / REPS for name, count in held.items()} | {"Markov test": rejected / REPS}


@pytest.mark.slow
def test_intervals_cover_and_the_markov_test_has_its_size() -> None:
    found = shares()
    size = found.pop("Markov test")
    for name, share in found.items():
        low, high = band(0.95)
        assert low <= share <= high, name
    low, high = band(0.05)
    assert low <= size <= high


if __name__ == "__main__":
    for key, value in shares().items():
        print(f"| {key} | {value:.1%} |")
