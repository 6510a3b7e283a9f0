"""Shrinkage and spread: R's beta-binomial fit, the boundary, the refusals, and the thirty sellers of the CRM set."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, betabinom, chi2

from analytics.estimators.rates import wilson
from analytics.estimators.shrinkage import (
    _derivatives,
    _posterior,
    beta_binomial,
    beta_limits,
    shrink,
)
from analytics.estimators.spread import effective_counts, spread_between

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


@pytest.fixture(scope="module")
def golden() -> dict:
    return json.loads((GOLDEN / "syn_rates.json").read_text())["betabinomial_ml_vglm"]["value"]


@pytest.fixture(scope="module")
def reps() -> pd.DataFrame:
    return pd.read_csv(GOLDEN / "inputs" / "syn_reps.csv")


def test_fit_is_that_of_vglm(golden: dict, reps: pd.DataFrame) -> None:
    """vglm stops at a relative change of 1e-12 in its deviance: its parameters are about 1e-8 from the maximum."""
    fit = beta_binomial(reps["won"], reps["n"])
    assert fit.status == "shrunken"
    assert fit.loglik == pytest.approx(golden["loglik"], abs=1e-10)
    assert fit.mu == pytest.approx(golden["mu"], abs=2e-9)
    assert fit.rho == pytest.approx(golden["rho"], abs=1e-8)
    assert (fit.alpha, fit.beta) == pytest.approx((golden["alpha"], golden["beta"]), rel=2e-7)
    assert fit.loglik == pytest.approx(betabinom.logpmf(reps["won"], reps["n"], fit.alpha, fit.beta).sum(), abs=1e-9)


def test_no_other_parameters_are_likelier(reps: pd.DataFrame) -> None:
    fit = beta_binomial(reps["won"], reps["n"])
    for a, b in ((1.001, 1), (0.999, 1), (1, 1.001), (1, 0.999), (1.001, 1.001), (0.999, 0.999)):
        other = betabinom.logpmf(reps["won"], reps["n"], a * fit.alpha, b * fit.beta).sum()
        assert other < fit.loglik


def test_one_step_from_rs_parameters_arrives_at_ours(golden: dict, reps: pd.DataFrame) -> None:
    """What separates the two fits is where R stopped: a Newton step from its parameters lands on ours."""
    x, n = reps["won"].to_numpy(float), reps["n"].to_numpy(float)
    fit = beta_binomial(x, n)
    start = np.array([np.log(golden["mu"] / (1 - golden["mu"])), np.log(1 / (golden["alpha"] + golden["beta"]))])
    gradient, hessian = _derivatives(start, x, n)
    landed = start - np.linalg.solve(hessian, gradient)
    ours = np.array([np.log(fit.mu / (1 - fit.mu)), np.log(1 / (fit.alpha + fit.beta))])
    np.testing.assert_allclose(landed, ours, atol=1e-11)


def test_posterior_is_that_of_r(golden: dict, reps: pd.DataFrame) -> None:
    """At R's own parameters the posterior is R's to the last digits; at ours as close as the fits are."""
    x, n = reps["won"].to_numpy(float), reps["n"].to_numpy(float)
    fitted = replace(beta_binomial(x, n), mu=golden["mu"], alpha=golden["alpha"], beta=golden["beta"])
    mean, variance = _posterior(fitted, x, n)
    low, high = beta_limits(mean, variance, 0.95)
    for found, key in ((mean, "posterior_mean"), (low, "lower"), (high, "upper")):
        np.testing.assert_allclose(found, golden[key], atol=1e-12)
    frame, _, status = shrink(x, n, widen=False)
    assert status == "shrunken"
    for column, key in (("estimate", "posterior_mean"), ("conf_low", "lower"), ("conf_high", "upper")):
        np.testing.assert_allclose(frame[column], golden[key], atol=2e-8)


@pytest.mark.parametrize("counts", [[(3, 10), (9, 20), (3, 15), (12, 20), (5, 25)], [(3, 10), (6, 20), (9, 30),
                                    (12, 40), (15, 50)]])  # fmt: skip
def test_limits_are_those_of_the_integral_over_mean_and_spread(counts: list[tuple[int, int]]) -> None:
    """Beta-binomial likelihood on a grid, mean and correlation uniform: the mixture's distribution at our limits."""
    x, n = np.array(counts, dtype=float).T
    mu, rho = (np.arange(400) + 0.5) / 400, (np.arange(400) + 0.5) / 400
    a, b = (mu[:, None] * (1 / rho - 1)).ravel(), ((1 - mu[:, None]) * (1 / rho - 1)).ravel()
    height = betabinom.logpmf(x[:, None], n[:, None], a, b).sum(axis=0)
    weight = np.exp(height - height.max()) / np.exp(height - height.max()).sum()
    frame, _, _ = shrink(x, n)
    for i in range(len(x)):
        below = [float(weight @ beta.cdf(frame[name][i], a + x[i], b + n[i] - x[i])) for name in ("conf_low",
                                                                                            "conf_high")]  # fmt: skip
        assert below == pytest.approx([0.025, 0.975], abs=0.008)


def test_covariance_is_the_inverse_of_the_curvature(reps: pd.DataFrame) -> None:
    fit = beta_binomial(reps["won"], reps["n"])

    def loglik(logit_mu: float, log_theta: float) -> float:
        mu, total = 1 / (1 + np.exp(-logit_mu)), np.exp(-log_theta)
        return float(betabinom.logpmf(reps["won"], reps["n"], mu * total, (1 - mu) * total).sum())

    at, h = np.array([np.log(fit.mu / (1 - fit.mu)), np.log(1 / (fit.alpha + fit.beta))]), 1e-3

    def second(a: np.ndarray, b: np.ndarray) -> float:
        up, down = loglik(*(at + a + b)) + loglik(*(at - a - b)), loglik(*(at + a - b)) + loglik(*(at - a + b))
        return (up - down) / (4 * h * h)

    hessian = np.array([[second(a, b) for b in np.eye(2) * h] for a in np.eye(2) * h])
    np.testing.assert_allclose(fit.covariance, np.linalg.inv(-hessian), rtol=1e-4)


def test_no_spread_at_all_is_pooled_completely() -> None:
    frame, fit, status = shrink([3, 6, 9, 12, 15], [10, 20, 30, 40, 50])
    assert status == "pooled"
    assert fit is not None
    assert fit.rho == 0
    np.testing.assert_allclose(frame["estimate"], 0.3)
    # that no spread shows does not say that there is none: a small group may differ by more
    assert (np.diff(frame["conf_high"] - frame["conf_low"]) < 0).all()
    alike, _, _ = shrink([3, 6, 9, 12, 15], [10, 20, 30, 40, 50], widen=False)
    assert alike[["conf_low", "conf_high"]].drop_duplicates().to_numpy().tolist() == [list(wilson(45, 150))]


def test_fewer_than_five_groups_are_not_shrunk() -> None:
    frame, fit, status = shrink([1, 9, 3, 12], [10, 20, 15, 20])
    assert (status, fit, len(frame)) == ("refused", None, 0)


def test_one_group_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two groups"):
        beta_binomial([3], [10])


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=5, max_size=25))
@settings(max_examples=150, deadline=None)
def test_shrunken_lies_between_the_group_and_the_mean(groups: list[tuple[int, int]]) -> None:
    x = np.array([won for won, _ in groups], dtype=float)
    n = x + np.array([rest for _, rest in groups]) + 1
    frame, fit, status = shrink(x, n)
    assert fit is not None
    assert frame.notna().all().all()
    raw = x / n
    low, high = np.minimum(raw, fit.mu), np.maximum(raw, fit.mu)
    if status == "shrunken":
        assert ((frame["estimate"] >= low - 1e-9) & (frame["estimate"] <= high + 1e-9)).all()
    assert ((frame["conf_low"] <= frame["estimate"]) & (frame["estimate"] <= frame["conf_high"])).all()
    assert ((frame["conf_low"] >= 0) & (frame["conf_high"] <= 1)).all()


def test_effective_counts_give_the_estimate_and_its_error_back() -> None:
    x, n = effective_counts([0.25, 0.5, 0.0, 1.0, 0.4], [0.05, 0.001, 0.0, 0.0, float("nan")], [200, 80, 7, 9, 12])
    np.testing.assert_allclose(x / n, [0.25, 0.5, 0.0, 1.0, 0.4])
    np.testing.assert_allclose(n, [0.25 * 0.75 / 0.05**2, 80, 7, 9, 12])


def test_spread_solves_its_own_equations() -> None:
    x, n = np.array([10.0, 22, 14, 30, 9]), np.array([50.0, 60, 40, 60, 50])
    found = spread_between(x, n)
    p = x.sum() / n.sum()
    expected = np.column_stack([n * p, n * (1 - p)])
    pearson = ((np.column_stack([x, n - x]) - expected) ** 2 / expected).sum()
    assert found.statistic == pytest.approx(pearson)
    assert found.p_value == pytest.approx(chi2.sf(pearson, 4))

    def q(sd: float) -> float:
        w = 1 / (p * (1 - p) / n + sd**2)
        return float((w * (x / n - (w * x / n).sum() / w.sum()) ** 2).sum())

    assert q(found.sd_low) == pytest.approx(chi2.ppf(0.975, 4))
    assert q(found.sd_high) == pytest.approx(chi2.ppf(0.025, 4))


def test_no_spread_starts_at_zero() -> None:
    found = spread_between([3, 6, 9, 12], [10, 20, 30, 40])
    assert (found.sd, found.sd_low, found.statistic) == (0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="both with and without"):
        spread_between([10, 20], [10, 20])


def test_thirty_sellers_of_the_crm_set(shared_data: Path) -> None:
    with (shared_data / "maven_crm" / "sales_pipeline.csv").open(newline="") as file:
        closed = [row for row in csv.DictReader(file) if row["deal_stage"] in ("Won", "Lost")]
    won = Counter(row["sales_agent"] for row in closed if row["deal_stage"] == "Won")
    all_closed = Counter(row["sales_agent"] for row in closed)
    found = spread_between([won[name] for name in all_closed], list(all_closed.values()))
    assert round(found.statistic, 1) == 33.3
    assert found.df == 29
    assert round(found.sd, 3) == 0.013
    assert round(found.sd_high, 3) == 0.035
