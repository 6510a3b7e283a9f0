"""Bins and the smooth curve against known truth; pseudo-values against leaving deals out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.estimators.counts import count_events
from analytics.estimators.incidence import cumulative_incidence
from analytics.estimators.mean_time import restricted_mean_time_lost
from analytics.estimators.scoring.calibration import bin_of, calibration_bins, observed_expected
from analytics.estimators.scoring.cohort import Forecasts
from analytics.estimators.scoring.pseudo import NO_RESIDUAL, pseudo_regression, pseudo_values
from analytics.estimators.scoring.smooth import calibration_curve, spline
from analytics.estimators.strata import ONE_ACCOUNT
from analytics.records.errors import InputError

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
QUICK = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def deals(draw: st.DrawFn) -> pd.DataFrame:
    row = st.tuples(st.integers(-1, 4), st.integers(1, 9), st.sampled_from(["won", "lost", "open"]))
    rows = [(-1, 3, "won"), (-1, 20, "lost"), *draw(st.lists(row, min_size=1, max_size=12))]
    frame = pd.DataFrame(rows, columns=["entry", "watched", "outcome"])
    return frame.assign(exit=frame["entry"] + frame["watched"])


@QUICK
@given(deals(), st.sampled_from([3, 6]))
def test_jackknife_leaves_each_deal_out(frame: pd.DataFrame, time: int) -> None:
    """Delayed entry included; the last deal is watched from opening to day 19, so there is always somebody at risk."""
    n = len(frame)

    def share(rows: pd.DataFrame) -> float:
        risk = count_events(rows, outcomes=["won", "lost"])
        return float(cumulative_incidence(risk, times=[time]).at(outcome="won")["estimate"].iloc[0])

    mine = pseudo_values(frame, outcome="won", times=[time], method="jackknife")[time]
    for i in range(n):
        if i == 1:
            continue  # without it nobody may be at risk, and the share is not known
        assert mine.iloc[i] == pytest.approx(n * share(frame) - (n - 1) * share(frame.drop(index=i)), abs=1e-10)


@QUICK
@given(deals())
def test_pseudo_values_average_to_the_estimate(frame: pd.DataFrame) -> None:
    risk = count_events(frame, outcomes=["won", "lost"])
    share = cumulative_incidence(risk, times=[5]).at(outcome="won")["estimate"].iloc[0]
    lost = restricted_mean_time_lost(risk, horizon_days=9).at(outcome="won")["estimate"].iloc[0]
    assert pseudo_values(frame, outcome="won", times=[5])[5].mean() == pytest.approx(share, abs=1e-12)
    mean = pseudo_values(frame, outcome="won", times=[9], measure="time_lost")[9].mean()
    assert mean == pytest.approx(lost, abs=1e-12)


def test_without_censoring_they_are_what_happened() -> None:
    frame = pd.DataFrame(
        {"entry": -1, "exit": [2, 3, 5, 9], "outcome": ["won", "lost", "won", "won"]}, index=list("abcd")
    )
    for method in ("infinitesimal_jackknife", "jackknife"):
        told = pseudo_values(frame, outcome="won", times=[5, 6.0], method=method)  # type: ignore[arg-type]
        np.testing.assert_allclose(told[5], [1, 0, 1, 0], atol=1e-12)
        assert list(told.index) == list("abcd")
        days = pseudo_values(frame, outcome="won", times=[6], measure="time_lost", method=method)  # type: ignore[arg-type]
        np.testing.assert_allclose(days[6], [4, 0, 1, 0], atol=1e-12)


def test_late_entrants_as_r() -> None:
    value = json.loads((GOLDEN / "syn_deals.json").read_text())["pseudo_lefttrunc_ij_all"]["value"]
    frame = pd.read_csv(GOLDEN / "inputs" / "syn_deals.csv")
    frame["outcome"] = np.where(frame["status"] == 0, "open", "c" + frame["status"].astype(str))
    times = value["times"][:-1]  # at the last one nobody is followed any more; R carries the curve on
    for k in (1, 2, 3):
        mine = pseudo_values(frame, outcome=f"c{k}", times=times).to_numpy()
        np.testing.assert_allclose(mine[:10], np.array(value["first10"])[:, k, :-1], atol=1e-12)
        np.testing.assert_allclose(mine.mean(axis=0), np.array(value["mean"])[k, :-1], atol=1e-12)


def test_pseudo_errors() -> None:
    frame = pd.DataFrame({"entry": 0, "exit": [2, 3, 9], "outcome": ["won", "lost", "open"], "x": [1.0, 0.0, 0.5]})
    with pytest.raises(InputError, match="no deal has this outcome"):
        pseudo_values(frame, outcome="wonn", times=[2])
    with pytest.raises(InputError, match="followed beyond day 9"):
        pseudo_values(frame, outcome="won", times=[10])
    with pytest.raises(InputError, match="watched up to day 0"):
        pseudo_values(frame, outcome="won", times=[0])
    with pytest.raises(InputError, match="not recorded"):
        pseudo_values(frame.assign(outcome=["won", "unknown", "open"]), outcome="won", times=[2])
    with pytest.raises(InputError, match="no such link"):
        pseudo_regression(frame, "x", outcome="won", time=4, link="probit")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no such choice"):
        pseudo_values(frame, outcome="won", times=[2], measure="share")  # type: ignore[arg-type]


def uncensored(n: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.beta(2, 4, n)
    won = rng.uniform(size=n) < p
    return pd.DataFrame({"entry": -1, "exit": rng.integers(0, 30, n), "outcome": np.where(won, "won", "lost"),
                         "account": rng.integers(0, n // 3, n), "p": p}), p  # fmt: skip


def test_accounts_in_the_regression() -> None:
    """Without censoring and with the identity link it is ordinary least squares, summed by account."""
    frame, p = uncensored(90, 1)
    fitted = pseudo_regression(frame, "p", outcome="won", time=30, link="identity", cluster="account").frame
    x, y = np.column_stack([np.ones(90), p]), (frame["outcome"] == "won").to_numpy(dtype=float)
    beta = np.linalg.solve(x.T @ x, x.T @ y)
    scores = pd.DataFrame(x * (y - x @ beta)[:, None]).groupby(frame["account"]).sum().to_numpy()
    bread, units = np.linalg.inv(x.T @ x), len(scores)
    error = np.sqrt(np.diag(bread @ scores.T @ scores @ bread) * units / (units - 1))
    np.testing.assert_allclose(fitted["estimate"], beta, atol=1e-10)
    np.testing.assert_allclose(fitted["std_error"], error, atol=1e-10)


def test_large_coefficients_settle() -> None:
    """The unit of time only scales the days lost."""
    frame, _ = uncensored(90, 1)
    slow = frame.assign(exit=frame["exit"] * 100_000)
    a, b = (pseudo_regression(d, "p", outcome="won", time=t, link="identity", measure="time_lost").frame
            for d, t in ((frame, 30), (slow, 3_000_000)))  # fmt: skip
    np.testing.assert_allclose(b["estimate"], a["estimate"] * 100_000, rtol=1e-9)
    np.testing.assert_allclose(b["std_error"], a["std_error"] * 100_000, rtol=1e-9)


def test_bins_by_hand() -> None:
    p = np.array([0.1, 0.2, 0.2, 0.3, 0.4, 0.5])
    assert bin_of(p, 2).tolist() == [1, 1, 1, 2, 2, 2]
    assert bin_of(p, 3).tolist() == [1, 1, 1, 2, 3, 3]  # quantiles 0.2 and 1/3
    assert bin_of(np.full(4, 0.3), 5).tolist() == [1, 1, 1, 1]
    frame = pd.DataFrame(
        {"entry": -1, "exit": [1, 2, 3, 4, 5, 6], "outcome": ["lost", "won", "lost", "won", "won", "open"]}
    )
    shown = calibration_bins(frame, Forecasts(("won",), (5.0,), {"a": p[:, None, None]}), bins=2).frame
    np.testing.assert_allclose(shown["estimate"], [1 / 3, 2 / 3])
    np.testing.assert_allclose(shown["forecast"], [0.5 / 3, 0.4])
    np.testing.assert_allclose(shown["std_error"], np.sqrt(2 / 9 / 3), atol=1e-12)
    gone = frame.assign(outcome=["open", "open", "open", "won", "won", "open"])
    said = calibration_bins(gone, Forecasts(("won",), (5.0,), {"a": p[:, None, None]}), bins=2)
    assert said.frame["bin"].tolist() == [2]
    assert said.meta.note == "1 bins are not followed to day 5."


def test_observed_against_expected_by_hand() -> None:
    frame, p = uncensored(400, 2)
    row = observed_expected(frame, Forecasts(("won",), (30.0,), {"a": p[:, None, None]})).estimate.frame.iloc[0]
    won = (frame["outcome"] == "won").to_numpy(dtype=float)
    ratio = won.mean() / p.mean()
    error = np.std(won / won.mean() - p / p.mean(), ddof=1) / np.sqrt(400)
    assert row["estimate"] == pytest.approx(ratio, abs=1e-12)
    assert row["conf_low"] == pytest.approx(ratio * np.exp(-1.959963984540054 * error), abs=1e-12)
    never = observed_expected(frame.assign(outcome="lost"), Forecasts(("won",), (30.0,), {"a": p[:, None, None]}))
    assert never.estimate.frame["observed"].tolist() == [0.0]
    assert never.estimate.frame["no_interval_reason"].tolist() == ["no deal had the outcome"]


def test_regression_without_a_spread_says_so() -> None:
    """Named errors where there is nothing to regress, and no limits where the covariate tells every outcome."""
    frame, _ = uncensored(40, 3)
    with pytest.raises(InputError, match="do not differ by then"):
        pseudo_regression(frame.assign(exit=frame["exit"] + 5), "p", outcome="won", time=3)
    with pytest.raises(InputError, match="2 deals are too few for 2 coefficients"):
        pseudo_regression(frame.assign(outcome="won").iloc[:2], "p", outcome="won", time=12)
    # one win by then of a deal without a forecast near it: the curve would have to rise without end
    last = pd.DataFrame({"entry": -1, "exit": [2] * 20, "outcome": ["won"] + ["lost"] * 19, "x": np.arange(20) < 1})
    with pytest.raises(InputError, match="does not settle"):
        pseudo_regression(last, "x", outcome="won", time=2)
    told = frame.assign(x=(frame["outcome"] == "won").astype(float))
    shown = pseudo_regression(told, "x", outcome="won", time=30, link="identity").frame
    np.testing.assert_allclose(shown["estimate"], [0, 1], atol=1e-12)
    assert shown[["std_error", "conf_low", "conf_high"]].isna().all(axis=None)
    assert (shown["no_interval_reason"] == NO_RESIDUAL).all()


def test_curve_of_a_single_account_has_no_limits() -> None:
    frame, p = uncensored(60, 6)
    said = Forecasts(("won",), (30.0,), {"a": p[:, None, None]})
    alone, one = (calibration_curve(f, said, cluster=c) for f, c in ((frame, None), (frame.assign(a=1), "a")))
    for mine, base in ((one.curve, alone.curve), (one.errors, alone.errors)):
        np.testing.assert_allclose(mine.frame["estimate"], base.frame["estimate"], atol=1e-12)
        assert mine.frame[["std_error", "conf_low", "conf_high"]].isna().all(axis=None)
        assert (mine.frame["no_interval_reason"] == ONE_ACCOUNT).all()
        assert (base.frame["no_interval_reason"] == "").all()


def test_curve_finds_the_truth() -> None:
    """Forecasts that are too extreme by a known amount, of 20,000 deals: the curve and the ICI are known."""
    frame, p = uncensored(20_000, 4)
    said = 1 - (1 - p) ** 1.5  # the truth is 1 - (1 - said)^(2/3), a straight line on the cloglog scale
    found = calibration_curve(frame, Forecasts(("won",), (30.0,), {"a": said[:, None, None]}), points=9)
    grid = found.curve.frame["forecast"].to_numpy()
    truth = 1 - (1 - grid) ** (2 / 3)
    np.testing.assert_allclose(found.curve.frame["estimate"], truth, atol=0.03)
    assert ((found.curve.frame["conf_low"] - 0.01 < truth) & (truth < found.curve.frame["conf_high"] + 0.01)).all()
    limits = found.errors.at(measure="ICI").iloc[0]
    assert 0 < limits["conf_low"] < np.abs(said - p).mean() < limits["conf_high"]
    measures = found.errors.frame.set_index("measure")["estimate"]
    distance = np.abs(said - p)
    assert measures["ICI"] == pytest.approx(distance.mean(), abs=0.01)
    assert measures["E50"] == pytest.approx(np.median(distance), abs=0.01)
    assert measures["E90"] == pytest.approx(np.quantile(distance, 0.9), abs=0.02)


def test_distances_of_a_perfect_forecast_reach_down_to_none() -> None:
    """Noise alone puts the curve off the forecast; what is not refuted is no distance."""
    frame, p = uncensored(300, 4)
    found = calibration_curve(frame, Forecasts(("won",), (30.0,), {"a": p[:, None, None]})).errors.frame
    assert (found["estimate"] > 0.005).all()
    assert found["conf_low"].tolist() == pytest.approx([0, 0, 0], abs=1e-12)


def test_curve_rests_on_the_seed_only_for_limits() -> None:
    frame, p = uncensored(300, 5)
    say = Forecasts(("won",), (30.0,), {"a": p[:, None, None]})
    a, b, c = (calibration_curve(frame, say, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(a.errors.frame, b.errors.frame)
    pd.testing.assert_frame_equal(a.curve.frame, c.curve.frame)
    np.testing.assert_allclose(a.errors.frame["estimate"], c.errors.frame["estimate"], atol=0)
    few = Forecasts(("won",), (30.0,), {"a": np.full((300, 1, 1), 0.4)})
    with pytest.raises(InputError, match="only 1 different forecasts"):
        calibration_curve(frame, few)


@pytest.mark.parametrize(("order", "later"), [(3, 0), (4, 0), (None, 9)])
def test_curve_depends_neither_on_the_order_of_rows_nor_on_the_clock(order: int | None, later: int) -> None:
    frame, p = uncensored(150, 7)
    frame.loc[::5, "outcome"] = "open"
    frame.loc[::10, "exit"] = 40  # some are followed beyond the horizon
    place = np.arange(150) if order is None else np.random.default_rng(order).permutation(150)
    moved = frame.iloc[place].reset_index(drop=True)
    moved[["entry", "exit"]] += later
    found = [
        calibration_curve(rows, Forecasts(("won",), (30.0 + day,), {"a": said[:, None, None]}), landmark=day)
        for rows, said, day in ((frame, p, 0.0), (moved, p[place], float(later)))
    ]
    for one, other in ((found[0].curve, found[1].curve), (found[0].errors, found[1].errors)):
        for name in ("estimate", "std_error", "conf_low", "conf_high"):
            np.testing.assert_allclose(one.frame[name], other.frame[name], atol=1e-8)


def test_spline_is_straight_outside_and_smooth_inside() -> None:
    knots = np.array([0.0, 1.0, 2.0, 4.0])
    z = np.linspace(-2, 6, 8001)
    basis = spline(z, knots)
    second = np.diff(basis, n=2, axis=0) / (z[1] - z[0]) ** 2
    np.testing.assert_allclose(second[(z[1:-1] < 0) | (z[1:-1] > 4)], 0, atol=1e-5)
    assert np.abs(np.diff(second, axis=0)).max() < 0.02  # the second derivative does not jump
    assert np.linalg.matrix_rank(basis) == 4
