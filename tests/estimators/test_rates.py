"""Clustered proportions and ratios: held to R's Wilson limits, to closed forms, and to their own coverage."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.estimators.rates import account_codes, clustered_proportion, clustered_ratio, quantile, wilson

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
CELLS = json.loads((GOLDEN / "syn_rates.json").read_text())["binomial_ci_each_cell"]["value"]


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"row {cell['row']}")
def test_wilson_is_that_of_prop_test(cell: dict) -> None:
    deals = [1] * cell["won"] + [0] * (cell["n"] - cell["won"])
    for found in (clustered_proportion(deals), clustered_proportion([cell["won"]], [cell["n"]])):
        assert found.estimate == cell["won"] / cell["n"]
        np.testing.assert_allclose((found.conf_low, found.conf_high), cell["wilson"], rtol=0, atol=1e-12)


def test_variance_between_accounts_is_the_formula_by_hand() -> None:
    # accounts a: 3 of 3, b: 0 of 1, c: 0 of 4; p = 3/8; residuals 3 - 9/8, -3/8, -12/8
    x, accounts = [1, 1, 1, 0, 0, 0, 0, 0], list("aaabcccc")
    variance = 3 / 2 * ((15 / 8) ** 2 + (3 / 8) ** 2 + (12 / 8) ** 2) / 8**2
    found = clustered_proportion(x, cluster=accounts)
    n_eff = (3 / 8) * (5 / 8) / variance
    assert n_eff < 8
    assert found.std_error == pytest.approx(np.sqrt(variance), rel=1e-12)
    low, high = wilson(3 / 8 * n_eff, n_eff, df=2)
    assert (found.conf_low, found.conf_high) == pytest.approx((low, high), rel=1e-12)


def test_every_deal_its_own_account_is_the_plain_interval() -> None:
    x = [1, 0, 0, 1, 1, 0, 0]
    assert clustered_proportion(x, cluster=list("abcdefg")) == clustered_proportion(x)
    assert clustered_proportion(x, cluster=[None] * 7) == clustered_proportion(x)


def test_accounts_never_add_information() -> None:
    # perfectly balanced accounts would give a variance below the binomial one
    x, accounts = [1, 0] * 20, np.repeat(np.arange(20), 2)
    assert clustered_proportion(x, cluster=accounts).std_error == pytest.approx(np.sqrt(0.25 / 40))


def test_all_won_counts_accounts_not_deals() -> None:
    by_deal, by_account = (
        clustered_proportion([1] * 60),
        clustered_proportion([1] * 60, cluster=np.repeat(range(6), 10)),
    )
    assert by_account.conf_high == by_deal.conf_high == 1.0
    assert by_account.conf_low == pytest.approx(wilson(6, 6, df=5)[0])
    assert by_account.conf_low < by_deal.conf_low - 0.3


def test_one_account_is_one_observation() -> None:
    found = clustered_proportion([1, 1, 0, 0], cluster=["a"] * 4)
    assert (found.conf_low, found.conf_high) == pytest.approx(wilson(0.5, 1))


@pytest.mark.parametrize("cluster", [None, [1, 1, 2, 3, 3, 4]])
def test_the_scale_of_weights_changes_nothing(cluster: list[int] | None) -> None:
    x, w = [1, 0, 1, 1, 0, 0], np.array([1.0, 2, 3, 1, 2, 1])
    one, other = (clustered_proportion(x, weights=scale * w, cluster=cluster) for scale in (1.0, 7.3))
    assert one == pytest.approx(other, abs=1e-12)


def test_weights_shrink_the_number_of_deals_as_kish_says() -> None:
    x, w = np.array([1.0, 0.0, 1.0]), np.array([2.0, 1.0, 1.0])
    found = clustered_proportion(x, weights=w)
    assert found.estimate == pytest.approx(0.75)
    n_eff = 16 / 6
    assert (found.conf_low, found.conf_high) == pytest.approx(wilson(0.75 * n_eff, n_eff))


def test_nothing_to_count_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one deal"):
        clustered_proportion([])
    with pytest.raises(ValueError, match="0 <= x <= n"):
        wilson(3, 2)


def test_a_missing_account_is_an_account_of_its_own() -> None:
    codes, n = account_codes(pd.Series(["a", None, np.nan, "a"]))
    assert n == 3
    assert codes[0] == codes[3]
    assert len({codes[0], codes[1], codes[2]}) == 3


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 8)), min_size=1, max_size=60), st.randoms())
@settings(max_examples=100, deadline=None)
def test_order_of_rows_changes_nothing(rows: list[tuple[int, int]], random) -> None:
    shuffled = rows.copy()
    random.shuffle(shuffled)
    found, again = (clustered_proportion([x for x, _ in r], cluster=[a for _, a in r]) for r in (rows, shuffled))
    assert found == pytest.approx(again, rel=1e-9, abs=1e-12)
    assert 0 <= found.conf_low <= found.estimate <= found.conf_high <= 1


def test_ratio_is_the_ratio_and_its_interval_comes_from_whole_accounts() -> None:
    rng = np.random.default_rng(5)
    accounts = np.repeat(np.arange(60), 4)
    amount = rng.lognormal(3, 0.5, 240)
    won = np.repeat(rng.random(60) < 0.4, 4)  # an account wins all of its deals or none
    by_account = clustered_ratio(amount * won, amount, cluster=accounts, seed=3)
    by_deal = clustered_ratio(amount * won, amount, seed=3)
    assert by_account.estimate == pytest.approx(amount[won].sum() / amount.sum())
    # four identical deals per account carry the information of one
    assert by_account.std_error / by_deal.std_error == pytest.approx(2.0, rel=0.15)
    share = amount[won].sum() / amount.sum()
    sums = np.bincount(accounts, amount * won) - share * np.bincount(accounts, amount)
    linearised = np.sqrt(60 / 59 * (sums**2).sum()) / amount.sum()
    assert by_account.std_error == pytest.approx(linearised, rel=0.1)


def test_ratio_resamples_are_those_of_a_plain_loop() -> None:
    top, bottom, accounts = np.array([5.0, 0.0, 3.0, 0.0]), np.array([5.0, 7.0, 3.0, 2.0]), np.array([0, 0, 1, 2])
    found = clustered_ratio(top, bottom, cluster=accounts, reps=50, seed=11)
    rng = np.random.default_rng(11)
    drawn = []
    for row in rng.integers(0, 3, size=(50, 3)):
        rows = np.concatenate([np.flatnonzero(accounts == a) for a in row])
        drawn.append(top[rows].sum() / bottom[rows].sum())
    error = np.std(drawn, ddof=1) * np.sqrt(3 / 2)
    assert found.std_error == pytest.approx(error)
    # accounts of 12, 3 and 2 are worth 1.84, so t has a single degree of freedom
    share, z = 8 / 17, 12.706204736
    size = share * (1 - share) / error**2
    centre, half = share + z**2 / (2 * size), z * np.sqrt(share * (1 - share) / size + z**2 / (4 * size**2))
    limits = (centre - half) / (1 + z**2 / size), (centre + half) / (1 + z**2 / size)
    assert (found.conf_low, found.conf_high) == pytest.approx(limits, abs=1e-8)
    # twice as much on top is no share: percentiles
    double = clustered_ratio(2 * top, bottom, cluster=accounts, reps=50, seed=11)
    low, high = np.quantile(2 * np.array(drawn), [0.025, 0.975])
    assert (double.conf_low, double.conf_high) == pytest.approx((min(low, 16 / 17), max(high, 16 / 17)))


def test_a_ratio_without_spread_has_no_interval_and_says_so_by_nan() -> None:
    found = clustered_ratio([5.0, 3.0], [5.0, 3.0])
    assert found.estimate == 1.0
    assert np.isnan(found.conf_low)
    assert np.isnan(found.conf_high)
    with pytest.raises(ValueError, match="denominator"):
        clustered_ratio([0.0], [0.0])


def test_critical_values() -> None:
    assert quantile(0.95) == pytest.approx(1.959963984540054, abs=1e-12)
    assert quantile(0.95, df=4) == pytest.approx(2.776445105, abs=1e-8)
