"""The resampling engine: weights that depend on the seed alone, and incidences equal to the row-level estimator's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.estimators.bootstrap import account_weights, count_movements
from analytics.estimators.counts import count_events
from analytics.estimators.incidence import cumulative_incidence

CAUSES = ("won", "lost", "no_decision")


def some_deals(seed: int, n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    entry = np.where(rng.random(n) < 0.6, -1, rng.integers(0, 25, n))
    exit_ = entry + rng.integers(1, 40, n)
    outcome = rng.choice([*CAUSES, "open"], n, p=[0.35, 0.25, 0.15, 0.25])
    return pd.DataFrame({
        "entry": entry, "exit": exit_, "outcome": outcome, "group": rng.integers(0, 3, n),
        "cluster": np.unique(rng.integers(0, 60, n), return_inverse=True)[1], "opening": entry == -1,
    })  # fmt: skip


def movements(deals: pd.DataFrame, horizon: int, pool_of: list[int]):
    return count_movements({c: deals[c].to_numpy() for c in deals}, pool_of=pool_of, causes=CAUSES, horizon=horizon)


def incidences(deals: pd.DataFrame, horizon: int) -> np.ndarray:
    """The estimator for Estimates, at its last time up to the horizon."""
    frame = cumulative_incidence(count_events(deals)).frame
    frame = frame[frame["time"] <= horizon]
    last = [frame[frame["outcome"] == cause].sort_values("time")["estimate"] for cause in CAUSES]
    return np.array([series.iloc[-1] if len(series) else 0.0 for series in last])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("horizon", [0, 12, 30, 100])
def test_observed_is_aalen_johansen_with_left_truncation(seed: int, horizon: int) -> None:
    deals = some_deals(seed)
    found = movements(deals, horizon, [0, 0, 0]).observed()
    np.testing.assert_allclose(found.pool[0, 0], incidences(deals, horizon), atol=1e-12)
    np.testing.assert_array_equal(found.openings[0], deals[deals["opening"]].groupby("group").size())


@pytest.mark.parametrize("seed", range(4))
def test_a_replicate_is_the_estimate_of_the_repeated_rows(seed: int) -> None:
    deals, horizon = some_deals(seed), 30
    table = movements(deals, horizon, [0, 0, 0])
    weights = next(account_weights(table.n_clusters, reps=5, seed=seed))
    found = table.paces(weights)
    for row, counts in enumerate(weights.astype(int)):
        repeated = deals.loc[deals.index.repeat(counts[deals["cluster"]])].reset_index(drop=True)
        np.testing.assert_allclose(found.pool[row, 0], incidences(repeated, horizon), atol=1e-12)


def test_each_group_is_estimated_on_its_own() -> None:
    deals = some_deals(1, n=2000)  # no empty risk sets
    table = movements(deals, 30, [0, 0, 0])
    paces = table.observed()
    for group in range(3):
        inside = deals["group"] == group
        expected = incidences(deals[inside].reset_index(drop=True), 30)
        np.testing.assert_allclose(paces.group[0, group], expected, atol=1e-12)


def test_an_empty_risk_set_takes_the_pools_pace() -> None:
    deals = pd.DataFrame({
        "entry": [-1, -1, -1, -1], "exit": [2, 2, 5, 5], "outcome": ["won", "open", "won", "open"],
        "group": [0, 0, 1, 1], "cluster": [0, 1, 2, 3], "opening": True,
    })  # fmt: skip
    table = movements(deals, 10, [0, 0])
    # group 0 is won at 2 with hazard 1/2; at 5 nobody of it is left, the pool's hazard is 1/2
    np.testing.assert_allclose(table.observed().group[0, :, 0], [0.5 + 0.5 * 0.5, 0.5], atol=1e-15)
    assert table.empty_from() == [1, None]


def test_weights_are_whole_accounts_and_depend_on_the_seed_alone() -> None:
    narrow = np.concatenate(list(account_weights(40, reps=300, seed=9)))
    wide = np.concatenate(list(account_weights(40, reps=300, seed=9, width=100_000)))
    np.testing.assert_array_equal(narrow, wide)
    assert narrow.shape == (300, 40)
    assert (narrow.sum(axis=1) == 40).all()
    rng = np.random.default_rng(9)
    loop = [np.bincount(row, minlength=40) for row in rng.integers(0, 40, size=(300, 40))]
    np.testing.assert_array_equal(narrow, loop)
    assert not np.array_equal(narrow, np.concatenate(list(account_weights(40, reps=300, seed=10))))


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_incidences_never_exceed_one(seed: int) -> None:
    table = movements(some_deals(seed, n=30), 30, [0, 0, 1])
    drawn = table.replicates(reps=20, seed=seed)
    for part in (drawn.group, drawn.pool):
        assert (part >= -1e-12).all()
        assert (part.sum(axis=2) <= 1 + 1e-9).all()


def test_weights_of_money_weigh_deals() -> None:
    deals = some_deals(2).assign(group=0)
    tripled = deals.loc[deals.index.repeat(np.where(deals.index % 2 == 0, 3, 1))].reset_index(drop=True)
    weighted = movements(deals.assign(weight=np.where(deals.index % 2 == 0, 3.0, 1.0)), 30, [0])
    np.testing.assert_allclose(weighted.observed().pool, movements(tripled, 30, [0]).observed().pool, atol=1e-12)
