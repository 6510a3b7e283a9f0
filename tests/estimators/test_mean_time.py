"""Mean time lost and open: closed forms, a brute-force variance, edges."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analytics.estimators.aalen_johansen import curve_of
from analytics.estimators.counts import count_events
from analytics.estimators.mean_time import restricted_mean_time_lost
from analytics.records.errors import InputError


def deals(n: int = 60, seed: int = 2, late: bool = False) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    entry = rng.integers(-1, 12, n) if late else np.full(n, -1)
    return pd.DataFrame({
        "entry": entry, "exit": entry + 1 + rng.integers(0, 40, n),
        "outcome": rng.choice(["won", "lost", "open"], n), "account": rng.integers(0, 12, n),
    })  # fmt: skip


def test_complete_follow_up_is_the_mean_of_the_deals() -> None:
    rows = deals().assign(outcome=lambda d: d["outcome"].replace("open", "no_decision"))
    frame = restricted_mean_time_lost(count_events(rows), horizon_days=30).frame.set_index("outcome")
    for outcome in ("won", "lost", "no_decision"):
        lost = np.where(rows["outcome"] == outcome, np.maximum(30 - rows["exit"], 0), 0)
        assert frame.loc[outcome, "estimate"] == pytest.approx(lost.mean(), abs=1e-12)
        assert frame.loc[outcome, "std_error"] == pytest.approx(lost.std() / np.sqrt(len(rows)), abs=1e-12)
    still = np.minimum(rows["exit"].to_numpy(), 30)
    assert frame.loc["open", "estimate"] == pytest.approx(still.mean(), abs=1e-12)
    assert frame.loc["open", "std_error"] == pytest.approx(still.std() / np.sqrt(len(rows)), abs=1e-12)


@pytest.mark.parametrize("late", [False, True])
def test_greenwood_is_the_double_sum_of_covariances(late: bool) -> None:
    """Var of the integral = sum over s, t of cov(F(s), F(t)) ds dt, the covariance built increment by increment."""
    rows = deals(late=late)
    risk, horizon = count_events(rows), 25
    curve = curve_of(risk.strata()[0][1], len(risk.outcomes))
    time, step = curve.time, np.diff(np.append(curve.time[curve.time < horizon], horizon))
    frame = restricted_mean_time_lost(risk, horizon_days=horizon, variance="greenwood").frame.set_index("outcome")
    for k, outcome in enumerate(risk.outcomes):
        covariance = np.zeros((len(step), len(step)))
        for u in range(len(step)):
            lam, lam_any, n = curve.hazard[u, k], curve.hazard_any[u], curve.n_risk[u]
            if n == 0:
                continue
            reach = np.arange(len(step)) >= u
            slope = (curve.incidence[: len(step), k] - curve.incidence[u, k]) / curve.survival[u] * reach
            own, other = curve.before[u] * reach, curve.before[u] * slope
            covariance += (
                np.outer(own, own) * lam * (1 - lam) - (np.outer(own, other) + np.outer(other, own)) * lam * (1 -
                lam_any) + np.outer(other, other) * lam_any * (1 - lam_any)
            ) / n  # fmt: skip
        expected = np.sqrt(step @ covariance @ step)
        assert frame.loc[outcome, "std_error"] == pytest.approx(expected, abs=1e-12)
    assert time[0] >= 0


def test_the_jackknife_is_leaving_a_little_of_an_account_out() -> None:
    """Numerical derivative: give one account a weight a little above 1 and see by how much the mean moves."""
    rows = deals(late=True).assign(weight=1.0)
    risk = count_events(rows, weights="weight", cluster="account")
    frame = restricted_mean_time_lost(risk, horizon_days=25, beyond_follow_up="carry").frame.set_index("outcome")
    moved = []
    for account in rows["account"].unique():
        pair = []
        for sign in (1, -1):
            heavier = rows.assign(weight=np.where(rows["account"] == account, 1 + sign * 1e-5, 1.0))
            table = count_events(heavier, weights="weight")
            pair.append(restricted_mean_time_lost(table, horizon_days=25, beyond_follow_up="carry").frame["estimate"])
        moved.append((pair[0] - pair[1]) / 2e-5)
    c = len(moved)
    expected = np.sqrt(c / (c - 1) * (np.array(moved) ** 2).sum(axis=0))
    np.testing.assert_allclose(frame["std_error"], expected, rtol=1e-6, atol=1e-9)


def test_beyond_follow_up_a_stratum_is_left_out_or_carried() -> None:
    rows = pd.DataFrame({"entry": -1, "exit": [2, 5, 2, 40], "outcome": ["won", "open"] * 2, "s": list("aabb")})
    risk = count_events(rows, by="s")
    result = restricted_mean_time_lost(risk, horizon_days=20)
    assert set(result.frame["s"]) == {"b"}
    assert result.meta.note == "S a: no deal is followed beyond day 5."
    carried = restricted_mean_time_lost(risk, horizon_days=20, beyond_follow_up="carry")
    assert carried.at(s="a", outcome="won")["estimate"].tolist() == [9.0]


def test_edges_are_answers() -> None:
    empty = pd.DataFrame({"entry": [], "exit": [], "outcome": []})
    assert restricted_mean_time_lost(count_events(empty), horizon_days=5).meta.note == "There are no deals."
    still = pd.DataFrame({"entry": -1, "exit": [30] * 20, "outcome": "open"})
    frame = restricted_mean_time_lost(count_events(still), horizon_days=10).frame.set_index("outcome")
    assert frame.loc["won", ["estimate", "conf_low"]].tolist() == [0, 0]
    assert frame.loc["won", "conf_high"] == pytest.approx(10 * (1 - 0.025 ** (1 / 20)))
    assert frame.loc["open", ["estimate", "conf_high"]].tolist() == [10, 10]
    same = pd.DataFrame({"entry": -1, "exit": [4] * 20, "outcome": "won"})
    frame = restricted_mean_time_lost(count_events(same), horizon_days=10).frame.set_index("outcome")
    assert frame.loc["won", "estimate"] == 6
    assert np.isnan(frame.loc["won", "conf_low"])
    assert "do not differ" in frame.loc["won", "no_interval_reason"]
    one = deals().assign(account="x")
    result = restricted_mean_time_lost(count_events(one, cluster="account"), horizon_days=10).frame
    assert "one account" in result["no_interval_reason"].iloc[0]


@pytest.mark.parametrize("horizon", [0, -3, np.nan, np.inf])
def test_a_horizon_is_a_positive_number(horizon: float) -> None:
    with pytest.raises(InputError, match="horizon_days must be a positive number"):
        restricted_mean_time_lost(count_events(deals()), horizon_days=horizon)
