"""Random intercepts: the Laplace likelihood against brute-force integrals, lme4, and a dense inverse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analytics.estimators.discrete_time.fitting import Names
from analytics.estimators.discrete_time.likelihood import Counts
from analytics.estimators.discrete_time.models import discrete_time_model
from analytics.estimators.discrete_time.periods import PersonPeriods
from analytics.estimators.discrete_time.random_effects import mode_at
from analytics.records.errors import InputError

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
NODES = np.linspace(-5.5, 5.5, 331)
LOG_WEIGHTS = -(NODES**2) / 2 - np.log(np.exp(-(NODES**2) / 2).sum())


def laplace(n: np.ndarray, d: np.ndarray, sd: np.ndarray) -> float:
    counts = Counts(np.ones((len(n), 1)), n.astype(float), d.astype(float), np.arange(len(n)))
    names = Names(("Intercept",), tuple("ab"[: d.shape[1]]))
    return mode_at(counts, np.zeros(1), sd, names).loglik


def integrated(n: np.ndarray, d: np.ndarray, sd: float) -> float:
    """One outcome: log of the integral over the intercept of the product over groups of integrals over u."""
    beta = np.linspace(-4, 2, 301)
    eta = beta[:, None] + sd * NODES
    log_odds = np.log1p(np.exp(eta))
    total = np.zeros(len(beta))
    for size, ended in zip(n, d[:, 0], strict=True):
        each = ended * eta - size * log_odds + LOG_WEIGHTS
        top = each.max(axis=1)
        total += top + np.log(np.exp(each - top[:, None]).sum(axis=1))
    highest = total.max()
    return float(highest + np.log(np.exp(total - highest).sum() * (beta[1] - beta[0])))


def integrated_two(n: np.ndarray, d: np.ndarray, sd: np.ndarray) -> float:
    """Two outcomes: four dimensions."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(25)
    weights = np.outer(weights, weights).reshape(-1) / weights.sum() ** 2
    one, two = (grid.reshape(-1) for grid in np.meshgrid(nodes, nodes, indexing="ij"))
    axis = np.linspace(-4, 1.5, 56)
    total = np.zeros((len(axis), len(axis)))
    for i, a in enumerate(axis):
        for j, b in enumerate(axis):
            e1, e2 = a + sd[0] * one, b + sd[1] * two
            log_total = np.log1p(np.exp(e1) + np.exp(e2))
            for size, (x, y) in zip(n, d, strict=True):
                total[i, j] += np.log(np.exp(x * e1 + y * e2 - size * log_total) @ weights)
    top = total.max()
    return float(top + np.log(np.exp(total - top).sum() * (axis[1] - axis[0]) ** 2))


def test_laplace_likelihood_is_near_the_integral_and_nears_it_with_more_deals() -> None:
    n, d = np.array([12, 9, 15, 20, 8, 11]), np.array([[2], [5], [3], [9], [1], [6]])
    constant = np.log(2 * np.pi) / 2  # of the one intercept that is integrated out
    errors = []
    for times in (1, 8, 64):
        gap = [laplace(times * n, times * d, np.array([s])) + constant - integrated(times * n, times * d, s)
               for s in (0.3, 0.6, 1.0)]  # fmt: skip
        errors.append(np.abs(gap).max())
    assert errors[0] < 0.1
    assert errors[1] < 0.025
    assert errors[2] < 0.004


def test_laplace_likelihood_of_two_outcomes_is_near_the_integral() -> None:
    n, d = np.array([30, 24, 36, 28, 40]), np.array([[6, 9], [10, 3], [5, 14], [9, 7], [14, 8]])
    gap = [laplace(n, d, sd) + np.log(2 * np.pi) - integrated_two(n, d, sd)
           for sd in (np.array([0.5, 0.4]), np.array([0.2, 0.6]))]  # fmt: skip
    assert np.abs(gap).max() < 0.05
    assert abs(gap[0] - gap[1]) < 0.02


def test_the_variance_is_where_the_integral_is_largest() -> None:
    rng = np.random.default_rng(3)
    n = rng.integers(40, 90, 12)
    d = rng.binomial(n, 1 / (1 + np.exp(1 - 0.7 * rng.normal(size=12))))[:, None]
    frame = pd.DataFrame({"period": 1, "seller": np.arange(12), "at_risk": n, "d_won": d[:, 0]})
    model = discrete_time_model(PersonPeriods(frame, ("won",)), "1", random="seller")
    grid = np.arange(0.45, 1.0, 0.01)
    best = grid[int(np.argmax([integrated(n, d, s) for s in grid]))]
    assert model.groups is not None
    assert model.groups.sd[0] == pytest.approx(best, abs=0.015)


def test_near_lme4() -> None:
    """lme4 maximises over the intercept with u integrated out (25 nodes): not the same method, the same answer."""
    value = json.loads((GOLDEN / "discrete_time.json").read_text())["glmer_random_intercept_rep"]["value"]
    reps = pd.read_csv(GOLDEN / "inputs" / "syn_reps.csv")
    made = PersonPeriods(reps.assign(period=1, at_risk=reps["n"], d_won=reps["won"]), ("won",))
    model = discrete_time_model(made, "1", random="rep")
    assert model.groups is not None
    assert model.groups.sd[0] == pytest.approx(value["sd"], abs=0.01)
    assert model.coef[0, 0] == pytest.approx(value["intercept"], abs=0.035)
    shrunk = 1 / (1 + np.exp(-model.coef[0, 0] - model.groups.effect[:, 0]))
    np.testing.assert_allclose(shrunk, value["shrunk_prob"], atol=0.01)


def sellers(rng: np.random.Generator, sd: float, groups: int = 15) -> pd.DataFrame:
    size = groups * 120
    frame = pd.DataFrame({"period": rng.integers(1, 4, size), "x": rng.normal(size=size).round(1), "at_risk": 1,
                          "seller": np.arange(size) % groups})  # fmt: skip
    moved = rng.normal(0, 1, (groups, 2))[frame["seller"]] * sd
    odds = np.exp(np.array([-1.5, -1.0]) + 0.3 * frame["x"].to_numpy()[:, None] + moved)
    p = odds / (1 + odds.sum(axis=1, keepdims=True))
    u = rng.random(size)
    won, lost = u < p[:, 0], (u >= p[:, 0]) & (u < p.sum(axis=1))
    return frame.assign(d_won=won.astype(int), d_lost=lost.astype(int))


def test_no_spread_between_groups_is_the_pooled_model() -> None:
    """Groups that are alike by construction: every seller has the same counts."""
    frame = pd.DataFrame({"period": 1, "x": np.tile([0, 1], 6), "seller": np.repeat(np.arange(6), 2), "at_risk": 20,
                          "d_won": np.tile([4, 7], 6), "d_lost": np.tile([5, 3], 6)})  # fmt: skip
    made = PersonPeriods(frame, ("won", "lost"))
    mixed, pooled = discrete_time_model(made, "x", random="seller"), discrete_time_model(made, "x")
    assert mixed.groups is not None
    assert (mixed.groups.sd == 0).all()
    assert (mixed.groups.effect == 0).all()
    assert "pooled completely" in mixed.groups.note
    np.testing.assert_allclose(mixed.coef, pooled.coef, atol=1e-9)
    np.testing.assert_allclose(mixed.model, pooled.model, atol=1e-9)
    assert mixed.loglik == pytest.approx(pooled.loglik, abs=1e-9)


def test_joint_covariance_is_the_inverse_of_the_whole_information() -> None:
    """Assembled densely, in raw covariates and with effects on the log odds scale."""
    frame = sellers(np.random.default_rng(5), 0.6)
    model = discrete_time_model(PersonPeriods(frame, ("won", "lost")), "x", random="seller")
    groups = model.groups
    assert groups is not None
    assert (groups.sd > 0.2).all()
    member = np.eye(15)[frame["seller"]]
    x = np.column_stack([np.ones(len(frame)), frame["x"]])
    odds = np.exp(x @ model.coef + member @ groups.effect)
    p = odds / (1 + odds.sum(axis=1, keepdims=True))
    both = np.hstack([x, member])  # per outcome: 2 coefficients, 15 effects
    whole = np.zeros((34, 34))
    for k in range(2):
        for j in range(2):
            curved = p[:, k] * ((k == j) - p[:, j])
            whole[17 * k : 17 * k + 17, 17 * j : 17 * j + 17] = both.T @ (both * curved[:, None])
        np.fill_diagonal(prior := np.zeros((17, 17)), np.r_[0, 0, np.full(15, 1 / groups.sd[k] ** 2)])
        whole[17 * k : 17 * k + 17, 17 * k : 17 * k + 17] += prior
    inverse = np.linalg.inv(whole)
    fixed = [0, 1, 17, 18]
    np.testing.assert_allclose(model.model, inverse[np.ix_(fixed, fixed)], rtol=1e-6)
    for g in (0, 7):
        own = [2 + g, 19 + g]
        np.testing.assert_allclose(groups.covariance[g], inverse[np.ix_(own, own)], rtol=1e-6)
        np.testing.assert_allclose(groups.cross[g], inverse[np.ix_(fixed, own)], rtol=1e-6, atol=1e-9)
    errors = groups.frame(model.outcomes).query("seller == 7")["std_error"]
    np.testing.assert_allclose(errors**2, np.diag(groups.covariance[7]))
    # the mode: scores of the effects are effect / sd^2
    residual = frame[["d_won", "d_lost"]].to_numpy() - p
    np.testing.assert_allclose(member.T @ residual, groups.effect / groups.sd**2, atol=1e-6)


def test_order_and_grouping_change_nothing() -> None:
    frame = sellers(np.random.default_rng(6), 0.5)
    made = PersonPeriods(frame, ("won", "lost"))
    one = discrete_time_model(made, "C(period) + x", random="seller")
    for other in (frame.sample(frac=1, random_state=1), made.counted(["seller", "x", "period"])):
        again = discrete_time_model(PersonPeriods(other, ("won", "lost")), "C(period) + x", random="seller")
        assert again.groups is not None
        assert one.groups is not None
        np.testing.assert_allclose(again.coef, one.coef, atol=1e-6)
        np.testing.assert_allclose(again.groups.sd, one.groups.sd, atol=1e-6)


@pytest.mark.parametrize("how", [{"seller": np.arange(12) % 4}, {"seller": [None] + ["a"] * 11}])
def test_few_or_missing_groups_are_refused(how: dict[str, Any]) -> None:
    frame = pd.DataFrame({"period": 1, "at_risk": 9, "d_won": np.arange(12) % 5, **how})
    with pytest.raises(InputError, match=r"groups cannot show|no value here"):
        discrete_time_model(PersonPeriods(frame, ("won",)), "1", random="seller")
