"""Accounts: clustered errors, joint influence and differences against R residuals summed by account, and by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analytics.estimators.counts import count_events
from analytics.estimators.incidence import cumulative_incidence, survival
from analytics.estimators.influence import difference, influence
from analytics.estimators.mean_time import restricted_mean_time_lost
from analytics.records.errors import InputError

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
CAUSES = ["c1", "c2", "c3"]
TIMES = [14, 28, 42, 63]


@pytest.fixture(scope="module")
def deals() -> pd.DataFrame:
    frame = pd.read_csv(GOLDEN / "inputs" / "syn_deals.csv")
    frame["account"] = (frame["id"] * 7919) % 53
    frame["outcome"] = np.where(frame["status"] == 0, "open", "c" + frame["status"].astype(str))
    return frame[frame["segment"].isin(list("ABCD"))]


@pytest.fixture(scope="module")
def reference() -> pd.DataFrame:
    return pd.read_csv(GOLDEN / "clustered.csv", skipinitialspace=True)


def without_factor(std_error: pd.Series, accounts: pd.Series) -> np.ndarray:
    """R has no C/(C-1)."""
    return (std_error.to_numpy() / np.sqrt(accounts / (accounts - 1))).to_numpy()


@pytest.mark.parametrize(("key", "weights"), [("clustered", None), ("clustered_weights_pw", "pw")])
def test_clustered_incidence_and_survival_are_those_of_r(
    deals: pd.DataFrame, reference: pd.DataFrame, key: str, weights: str | None
) -> None:
    rows = reference[(reference["key"] == key) & (reference["group"] == "all")]
    risk = count_events(deals, outcomes=CAUSES, weights=weights, cluster="account")
    assert risk.n_accounts == rows["accounts"].iloc[0] == 53
    incidence, still = cumulative_incidence(risk, times=TIMES).frame, survival(risk, times=TIMES).frame
    for state, theirs in rows.groupby("outcome"):
        mine = still if state == "(s0)" else incidence[incidence["outcome"] == state]
        np.testing.assert_allclose(mine["estimate"], theirs["estimate"], atol=1e-13)
        np.testing.assert_allclose(without_factor(mine["std_error"], theirs["accounts"]), theirs["value"], atol=1e-13)


def test_accounts_in_several_strata_count_in_each(deals: pd.DataFrame, reference: pd.DataFrame) -> None:
    risk = count_events(deals, by="segment", outcomes=CAUSES, cluster="account")
    frame = cumulative_incidence(risk, times=TIMES).frame
    for (group, state), theirs in reference[reference["key"] == "clustered"].groupby(["group", "outcome"]):
        if group == "all" or state == "(s0)":
            continue
        mine = frame[(frame["segment"] == group) & (frame["outcome"] == state)]
        np.testing.assert_allclose(mine["estimate"], theirs["estimate"], atol=1e-13)
        np.testing.assert_allclose(without_factor(mine["std_error"], theirs["accounts"]), theirs["value"], atol=1e-13)


def test_clustered_mean_time_is_that_of_r(deals: pd.DataFrame, reference: pd.DataFrame) -> None:
    rows = reference[reference["key"] == "clustered_rmtl"].replace({"outcome": {"(s0)": "open"}}).set_index("outcome")
    risk = count_events(deals, outcomes=CAUSES, cluster="account")
    mine = restricted_mean_time_lost(risk, horizon_days=60).frame.set_index("outcome").loc[rows.index]
    np.testing.assert_allclose(mine["estimate"], rows["estimate"], atol=1e-12)
    np.testing.assert_allclose(without_factor(mine["std_error"], rows["accounts"]), rows["value"], atol=1e-12)


def test_covariance_of_two_segments_that_share_accounts_is_that_of_r(
    deals: pd.DataFrame, reference: pd.DataFrame
) -> None:
    two = deals[deals["segment"].isin(["A", "B"])]
    joint = influence(count_events(two, by="segment", outcomes=CAUSES, cluster="account"), times=TIMES)
    factor = np.prod([np.sqrt(c / (c - 1)) for c in two.groupby("segment")["account"].nunique()])
    covariance = joint.covariance()
    frame = joint.estimate.frame
    for _, row in reference[(reference["key"] == "covariance") & (reference["outcome"] != "(s0)")].iterrows():
        at = (frame["outcome"] == row["outcome"]) & (frame["time"] == row["time"])
        a, b = (np.flatnonzero(at & (frame["segment"] == segment))[0] for segment in "AB")
        assert covariance[a, b] / factor == pytest.approx(row["value"], abs=1e-13)


@pytest.mark.parametrize("cluster", [None, "account"])
def test_influence_has_the_estimates_and_errors_of_the_incidence(deals: pd.DataFrame, cluster: str | None) -> None:
    risk = count_events(deals, by=["segment", "region"], outcomes=CAUSES, cluster=cluster)
    joint = influence(risk, times=[0, 10, *TIMES, 500])
    plain = cumulative_incidence(risk, times=[0, 10, *TIMES, 500], variance="infinitesimal_jackknife").frame
    pd.testing.assert_frame_equal(joint.estimate.frame, plain)
    inside = plain["estimate"].between(1e-9, 1 - 1e-9)
    np.testing.assert_allclose(np.sqrt(np.diag(joint.covariance()))[inside], plain["std_error"][inside], atol=1e-12)


def test_difference_is_the_sum_over_accounts_of_squared_differences(deals: pd.DataFrame) -> None:
    joint = influence(count_events(deals, by="segment", outcomes=CAUSES, cluster="account"), times=TIMES)
    now, then = joint.select(segment="B"), joint.select(segment="A")
    frame = difference(now, then).frame
    for i, row in frame.iterrows():
        expected = 0.0
        for unit in range(len(joint.units)):
            expected += (now.values[unit, i] - then.values[unit, i]) ** 2
        assert row["std_error"] == pytest.approx(np.sqrt(expected), abs=1e-14)
        assert row["estimate"] == row["estimate_now"] - row["estimate_then"]
    accounts = [set(deals.loc[deals["segment"] == s, "account"]) for s in "AB"]
    assert frame["shared_accounts"].iloc[0] == len(accounts[0] & accounts[1])


def test_two_tables_meet_by_account_whatever_their_order(deals: pd.DataFrame) -> None:
    both = influence(count_events(deals, by="segment", outcomes=CAUSES, cluster="account"), times=TIMES)
    inside = difference(both.select(segment="B"), both.select(segment="A")).frame
    one, other = (
        influence(count_events(deals[deals["segment"] == s], outcomes=CAUSES, cluster="account"), times=TIMES)
        for s in "BA"
    )
    pd.testing.assert_frame_equal(difference(one, other).frame, inside)


def test_a_period_against_itself_differs_by_nothing(deals: pd.DataFrame) -> None:
    joint = influence(count_events(deals, outcomes=CAUSES, cluster="account"), times=TIMES)
    frame = difference(joint, joint).frame
    assert (frame["estimate"] == 0).all()
    assert frame["std_error"].max() < 1e-9


def test_without_accounts_two_tables_are_independent(deals: pd.DataFrame) -> None:
    a, b = (influence(count_events(deals[deals["segment"] == s], outcomes=CAUSES), times=TIMES) for s in "AB")
    frame = difference(a, b).frame
    expected = np.hypot(a.estimate.frame["std_error"], b.estimate.frame["std_error"])
    np.testing.assert_allclose(frame["std_error"], expected, atol=1e-14)
    assert (frame["shared_accounts"] == 0).all()


def test_limits_hold_where_one_side_has_no_event() -> None:
    """MOVER by hand: 0 of 40 against 10 of 40, Clopper-Pearson at 0, log-log at 0.25."""
    frame = pd.DataFrame({"entry": -1, "exit": 5, "outcome": ["lost"] * 40 + ["won"] * 10 + ["lost"] * 30,
                          "side": ["now"] * 40 + ["then"] * 40})  # fmt: skip
    joint = influence(count_events(frame, by="side"), times=[5])
    row = difference(joint.select(side="now"), joint.select(side="then")).at(outcome="won").iloc[0]
    upper_now = 1 - 0.025 ** (1 / 40)
    se = np.sqrt(0.25 * 0.75 / 40)
    width = 1.959963984540054 * se / (0.25 * abs(np.log(0.25)))
    low_then, high_then = 0.25 ** np.exp(width), 0.25 ** np.exp(-width)
    assert row["estimate"] == -0.25
    assert row["conf_low"] == pytest.approx(-0.25 - np.sqrt(0 + (high_then - 0.25) ** 2), abs=1e-12)
    assert row["conf_high"] == pytest.approx(-0.25 + np.hypot(upper_now, 0.25 - low_then), abs=1e-12)


def test_keys_that_do_not_fit_are_named(deals: pd.DataFrame) -> None:
    joint = influence(count_events(deals, by="segment", outcomes=CAUSES, cluster="account"), times=TIMES)
    with pytest.raises(InputError, match="no incidence has these keys"):
        joint.select(segment="Z")
    with pytest.raises(InputError, match="the influence has the keys"):
        joint.select(quarter="Q1")
    with pytest.raises(InputError, match="different keys"):
        difference(joint, joint.select(segment="A"))


def test_with_complete_follow_up_it_is_the_clustered_proportion() -> None:
    """C/(C-1) sum (x_c - p n_c)^2 / n^2: the formula of rates of closed deals."""
    rng = np.random.default_rng(11)
    frame = pd.DataFrame({"entry": -1, "exit": rng.integers(0, 30, 400), "account": rng.integers(0, 37, 400)})
    frame["outcome"] = rng.choice(["won", "lost", "no_decision"], 400, p=[0.3, 0.5, 0.2])
    row = cumulative_incidence(count_events(frame, cluster="account"), times=[30]).at(outcome="won").iloc[0]
    won, p = (frame["outcome"] == "won"), (frame["outcome"] == "won").mean()
    gap = (won - p).groupby(frame["account"]).sum()
    c = frame["account"].nunique()
    assert row["estimate"] == pytest.approx(p, abs=1e-14)
    assert row["std_error"] == pytest.approx(np.sqrt(c / (c - 1) * (gap**2).sum()) / 400, abs=1e-14)
