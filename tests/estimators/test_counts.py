"""Counting: what a RiskTable holds, what is refused and how it is said."""

from __future__ import annotations

from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest

from analytics.estimators.cells import group_cells
from analytics.estimators.counts import count_events, merged_outcomes
from analytics.records.errors import InputError


def frame(**columns: Any) -> pd.DataFrame:
    base: dict[str, Any] = {"entry": [-1, -1, 2, 4], "exit": [3, 5, 5, 9], "outcome": ["won", "lost", "open", "won"]}
    return pd.DataFrame(base | columns)


def test_cells_and_movements() -> None:
    risk = count_events(frame())
    assert risk.cells.to_dict("list") == {
        "entry": [-1, -1, 2, 4], "exit": [3, 5, 5, 9], "outcome": ["won", "lost", "open", "won"],
        "n": [1, 1, 1, 1], "w": [1, 1, 1, 1], "w2": [1, 1, 1, 1],
    }  # fmt: skip
    assert risk.movements().to_dict("list") == {
        "time": [3, 5, 9], "n_risk": [3, 3, 1], "d_won": [1, 0, 1], "d_lost": [0, 1, 0], "d_no_decision": [0, 0, 0],
        "censored": [0, 1, 0], "w_risk": [3, 3, 1], "w_won": [1, 0, 1], "w_lost": [0, 1, 0], "w_no_decision": [0, 0, 0],
    }  # fmt: skip
    assert (risk.n_deals, risk.n_accounts, risk.outcomes) == (4, None, ("won", "lost", "no_decision"))


def test_weights_are_kept_as_sums_and_sums_of_squares() -> None:
    same = frame(entry=-1, exit=4, outcome="won", weight=[1.0, 2.0, 3.0, 0.5])
    cells = count_events(same, weights="weight").cells
    assert cells[["n", "w", "w2"]].to_numpy().tolist() == [[4, 6.5, 14.25]]


def test_strata_keep_their_values_and_order() -> None:
    tiers = pd.Categorical(["small", "large", "small", "large"], categories=["small", "large"])
    risk = count_events(frame(tier=tiers, year=[2025, 2024, 2025, 2024]), by=["tier", "year"])
    assert risk.sizes().to_dict("list") == {
        "tier": ["small", "large"], "year": [2025, 2024], "n_deals": [2, 2], "n_accounts": [None, None],
    }  # fmt: skip


def test_a_missing_segment_is_a_stratum_of_its_own() -> None:
    for values in (["a", None, "a", np.nan], pd.Categorical(["a", None, "a", None])):
        assert count_events(frame(segment=values), by="segment").sizes()["segment"].tolist() == ["a", "not recorded"]


def test_a_deal_without_account_is_its_own_account() -> None:
    deals = frame(account_id=["x", None, None, "x"], deal_id=["d1", "d2", "d3", "d4"])
    assert count_events(deals, cluster="account_id").n_accounts == 3
    with pytest.raises(InputError, match="account is missing and there is no deal_id"):
        count_events(deals.drop(columns="deal_id"), cluster="account_id")
    with pytest.raises(InputError, match="account is missing and there is no deal_id"):
        count_events(ibis.memtable(deals.drop(columns="deal_id")), cluster="account_id")


def test_tables_of_different_making_do_not_add() -> None:
    with pytest.raises(InputError, match="cannot be added"):
        count_events(frame()) + count_events(frame(weight=1.0), weights="weight")


@pytest.mark.parametrize(("columns", "how", "message"), [
    ({"exit": [3, 5, 2, 9]}, {}, "1 deals leave before they are watched, the first with entry 2 and exit 2"),
    ({"exit": [3, 5, np.nan, 9]}, {}, "column 'exit': a time is missing"),
    ({"outcome": ["won", None, "open", "won"]}, {}, "column 'outcome': an outcome is missing"),
    ({"outcome": ["Won", "lost", "open", "won"]}, {}, "(?i)value 'Won'.*did you mean 'won'"),
    ({"outcome": ["won", "unknown", "open", "unknown"]}, {}, "2 deals closed with an outcome that was not recorded"),
    ({}, {"by": "segmnt"}, "no column 'segmnt'"),
    ({"segment": "a"}, {"by": "segmnt"}, "(?i)did you mean 'segment'"),
    ({"score": [1.0, np.nan, 2.0, 2.0]}, {"by": "score"}, "column 'score': a stratum is missing"),
    ({"weight": [1, 1, -1, 1]}, {"weights": "weight"}, "column 'weight': a weight is missing, infinite or negative"),
    ({"weight": [1, 1, np.nan, 1]}, {"weights": "weight"}, "column 'weight': a weight is missing, infinite or negat"),
    ({}, {"by": "outcome"}, "'outcome' cannot be a stratum"),
    ({"segment": "a"}, {"by": ["segment", "segment"]}, "cannot be a stratum"),
    ({"segment": "a"}, {"by": "segment", "cluster": "segment"}, "'segment' cannot be the cluster"),
    ({}, {"outcomes": ["won", "open"]}, "outcomes must be different terminal outcomes"),
    ({}, {"unknown": "los"}, "(?i)did you mean 'lost'"),
])  # fmt: skip
def test_what_cannot_be_counted_is_named(columns: dict[str, Any], how: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        count_events(frame(**columns), **how)
    with pytest.raises(InputError, match=message):
        count_events(ibis.memtable(frame(**columns)), **how)


def test_unknown_outcomes_count_as_they_are_told() -> None:
    deals = frame(outcome=["won", "unknown", "open", "lost"], exit=[3, 5, 5, 5])
    assert count_events(deals, unknown="lost").movements()["d_lost"].tolist() == [0, 2]
    assert count_events(deals, unknown="no_decision").movements()["d_no_decision"].tolist() == [0, 1]
    kept = count_events(deals, unknown="bounds")
    assert kept.outcomes == ("won", "lost", "no_decision", "unknown")
    assert merged_outcomes(kept, "unknown", "won").movements()["d_won"].tolist() == [1, 1]
    with pytest.raises(InputError, match="no such outcome"):
        merged_outcomes(kept, "unkown", "won")


def test_no_deals_is_an_empty_table() -> None:
    empty = count_events(frame().head(0), by=[])
    assert (empty.n_deals, len(empty.cells), len(empty.movements())) == (0, 0, 0)
    some = count_events(frame())
    assert (empty + some).cells.equals(some.cells)
    assert count_events(frame(account_id="x").head(0), cluster="account_id").n_accounts == 0


def test_many_combinations_are_counted_without_a_table_of_all_of_them() -> None:
    """300,000 accounts x 2,000 days would be 600 million places; a loop over a dictionary is the reference."""
    rng = np.random.default_rng(5)
    account, day = rng.integers(0, 300_000, 20_000), rng.integers(0, 2_000, 20_000)
    mine = group_cells({"account": account, "day": day}, {"n": None}, 20_000)
    slow: dict[tuple[int, int], int] = {}
    for pair in zip(account.tolist(), day.tolist(), strict=True):
        slow[pair] = slow.get(pair, 0) + 1
    assert list(zip(mine["account"], mine["day"], strict=True)) == sorted(slow)
    assert mine["n"].tolist() == [slow[pair] for pair in sorted(slow)]


def test_labels_of_mixed_type_and_dates_are_kept() -> None:
    mixed = pd.Series([1, "b", 1, "b"], dtype=object)
    assert count_events(frame(group=mixed), by="group").sizes()["group"].tolist() == [1, "b"]
    dates = pd.to_datetime(["2025-04-01", "2025-01-01", "2025-04-01", "2025-01-01"])
    assert count_events(frame(quarter=dates), by="quarter").sizes()["quarter"].tolist() == sorted(set(dates))
