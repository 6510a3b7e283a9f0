"""Spread over quarters: closed forms with equal errors, the restricted likelihood itself, statsmodels, edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import chi2, t
from statsmodels.stats.meta_analysis import combine_effects

from analytics.estimators.heterogeneity import CLOSE, SAME, TWO, heterogeneity
from analytics.records.errors import InputError

Y, S = [0.30, 0.22, 0.35, 0.41, 0.28], [0.03, 0.05, 0.04, 0.02, 0.06]


@pytest.mark.parametrize("method", ["reml", "paule_mandel", "dersimonian_laird"])
def test_equal_errors_have_closed_forms(method: Any) -> None:
    y, k = np.array(Y), 5
    frame = heterogeneity(y, [0.04] * k, method=method).frame.set_index("quantity")
    tau2 = y.var(ddof=1) - 0.04**2
    assert frame.loc["tau", "estimate"] == pytest.approx(np.sqrt(tau2), abs=1e-12)
    assert frame.loc["mean", "estimate"] == pytest.approx(y.mean(), abs=1e-14)
    assert frame.loc["mean", "std_error"] == pytest.approx(y.std(ddof=1) / np.sqrt(k), abs=1e-12)
    assert frame.loc["mean", "conf_high"] == pytest.approx(
        y.mean() + t.ppf(0.975, 4) * y.std(ddof=1) / k**0.5, abs=1e-12
    )
    # the next value by its definition: spread, mean and value drawn in turn
    rng, n = np.random.default_rng(1), 1_000_000
    spread = np.sqrt(np.maximum((k - 1) * y.var(ddof=1) / rng.chisquare(k - 1, n) - 0.04**2, 0))
    drawn = y.mean() + spread * rng.standard_normal(n) + rng.standard_t(k - 1, n) * y.std(ddof=1) / k**0.5
    limits = frame.loc["prediction", ["conf_low", "conf_high"]].tolist()
    assert limits == pytest.approx(np.quantile(drawn, [0.025, 0.975]).tolist(), abs=0.002)
    assert frame.loc["i_squared", "estimate"] == pytest.approx(tau2 / y.var(ddof=1), abs=1e-12)
    total = (k - 1) * y.var(ddof=1)
    limits = [max(total / chi2.ppf(p, 4) - 0.04**2, 0) ** 0.5 for p in (0.975, 0.025)]
    assert frame.loc["tau", ["conf_low", "conf_high"]].tolist() == pytest.approx(limits, abs=1e-10)
    assert frame.loc["mean", "statistic"] == pytest.approx(total / 0.04**2, abs=1e-10)
    assert frame.loc["mean", "p_value"] == pytest.approx(chi2.sf(total / 0.04**2, 4), abs=1e-12)


def test_paule_mandel_brings_cochrans_statistic_to_its_expectation() -> None:
    y, v = np.array(Y), np.array(S) ** 2
    w = 1 / (v + heterogeneity(Y, S, method="paule_mandel").at(quantity="tau")["estimate"].item() ** 2)
    assert w @ (y - w @ y / w.sum()) ** 2 == pytest.approx(4, abs=1e-10)


def test_reml_is_the_maximum_of_the_restricted_likelihood() -> None:
    y, v = np.array(Y), np.array(S) ** 2

    def minus(tau2: float) -> float:
        w = 1 / (v + tau2)
        mean = w @ y / w.sum()
        return float(-np.log(w).sum() + np.log(w.sum()) + w @ (y - mean) ** 2) / 2

    best = minimize_scalar(minus, bounds=(0, 0.1), method="bounded", options={"xatol": 1e-14}).x
    tau = heterogeneity(Y, S).at(quantity="tau")["estimate"].item()
    assert tau**2 == pytest.approx(best, abs=1e-9)
    step = 1e-7
    slope = (minus(tau**2 + step) - minus(tau**2 - step)) / (2 * step)
    assert abs(slope) < 1e-5


@pytest.mark.parametrize(("method", "theirs"), [("paule_mandel", "iterated"), ("dersimonian_laird", "chi2")])
def test_statsmodels_agrees(method: Any, theirs: str) -> None:
    frame = heterogeneity(Y, S, method=method).frame.set_index("quantity")
    other = combine_effects(np.array(Y), np.array(S) ** 2, method_re=theirs, use_t=True)
    near = 1e-10 if method == "dersimonian_laird" else 1e-6  # their search stops there
    assert frame.loc["tau", "estimate"] ** 2 == pytest.approx(other.tau2, abs=near)
    assert frame.loc["mean", "estimate"] == pytest.approx(other.mean_effect_re, abs=near)
    assert frame.loc["mean", "std_error"] == pytest.approx(other.sd_eff_w_re_hksj, abs=near)
    assert frame.loc["mean", "statistic"] == pytest.approx(other.q, abs=1e-10)
    if method == "dersimonian_laird":
        assert frame.loc["i_squared", "estimate"] == pytest.approx(other.i2, abs=1e-10)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0.1, 0.9), st.floats(0.01, 0.1)), min_size=3, max_size=9), st.sampled_from(
    ["reml", "paule_mandel", "dersimonian_laird"]))  # fmt: skip
def test_shift_scale_and_order(pairs: list[tuple[float, float]], method: Any) -> None:
    y, s = (np.array(column) for column in zip(*pairs, strict=True))
    columns = ["estimate", "conf_low", "conf_high"]
    base = heterogeneity(y, s, method=method).frame.set_index("quantity")[columns]
    back = heterogeneity(y[::-1], s[::-1], method=method).frame.set_index("quantity")[columns]
    np.testing.assert_allclose(back, base, atol=1e-7)
    moved = heterogeneity(10 * y + 3, 10 * s, method=method).frame.set_index("quantity")[columns]
    np.testing.assert_allclose(moved.loc["tau"], 10 * base.loc["tau"], atol=1e-6)
    np.testing.assert_allclose(moved.loc["mean"], 10 * base.loc["mean"] + 3, atol=1e-6)
    np.testing.assert_allclose(moved.loc["i_squared"], base.loc["i_squared"], atol=1e-6)


def test_edges() -> None:
    same = heterogeneity([0.3, 0.3, 0.3], [0.1, 0.2, 0.3]).frame.set_index("quantity")
    assert same["estimate"].tolist() == pytest.approx([0.3, 0.3, 0.0, 0.0])
    assert same[["std_error", "conf_low", "conf_high"]].isna().all(axis=None)
    assert (same["no_interval_reason"] == SAME).all()
    # Cochran's Q is 0.02 on 2 degrees of freedom, below the 2.5 % quantile of 0.0506
    close = heterogeneity([0.30, 0.31, 0.30], [0.0577, 0.0577, 0.0577])
    assert close.at(quantity="tau")[["conf_low", "conf_high"]].to_numpy().tolist() == [[0.0, 0.0]]
    assert close.meta.note == CLOSE
    assert heterogeneity([0.30, 0.33, 0.30], [0.0577, 0.0577, 0.0577]).meta.note == ""  # Q = 0.18
    two = heterogeneity([0.3, 0.5], [0.04, 0.04]).frame.set_index("quantity")
    assert two.loc["prediction", "no_interval_reason"] == TWO
    with pytest.raises(InputError, match="at least two"):
        heterogeneity([0.3], [0.1])
    with pytest.raises(InputError, match="not positive"):
        heterogeneity([0.3, 0.4], [0.1, 0.0])
    with pytest.raises(InputError, match="no such estimate"):
        heterogeneity([0.3, 0.4], [0.1, 0.1], method="dl")  # type: ignore[arg-type]
