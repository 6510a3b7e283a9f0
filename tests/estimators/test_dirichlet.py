"""Shares of several outcomes shrunk together: the beta-binomial with two, the likelihood itself, edges."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import gammaln

from analytics.estimators.dirichlet import SAYS, dirichlet_multinomial, shrink_shares
from analytics.estimators.shrinkage import beta_binomial, shrink
from analytics.records.errors import InputError

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
COUNTS = np.array([[1.0, 6, 3], [9, 9, 2], [3, 10, 2], [12, 5, 3], [5, 15, 5], [2, 2, 9]])


def loglik(alpha: np.ndarray, x: np.ndarray) -> float:
    """Deal by deal, as Polya's urn: a deal is drawn with chance (alpha_k + seen so far) / (total + number so far)."""
    value = 0.0
    for row in x.astype(int):
        seen = alpha.copy()
        for k, count in enumerate(row):
            for _ in range(count):
                value += np.log(seen[k] / seen.sum())
                seen[k] += 1
        value += gammaln(row.sum() + 1) - gammaln(row + 1).sum()
    return float(value)


def test_two_outcomes_are_the_beta_binomial_held_to_r() -> None:
    reps = pd.read_csv(GOLDEN / "inputs" / "syn_reps.csv")
    x, n = reps["won"].to_numpy(), reps["n"].to_numpy()
    two = np.column_stack([x, n - x]).astype(float)
    fit, other = dirichlet_multinomial(two), beta_binomial(x, n)
    assert fit.alpha.tolist() == pytest.approx([other.alpha, other.beta], rel=1e-9)
    assert fit.loglik == pytest.approx(other.loglik, abs=1e-9)
    r = json.loads((GOLDEN / "syn_rates.json").read_text())["betabinomial_ml_vglm"]["value"]
    mine = shrink_shares(pd.DataFrame(two, columns=["won", "lost"]), widen=False).at(outcome="won")
    assert mine["estimate"].tolist() == pytest.approx(r["posterior_mean"], abs=2e-8)
    assert mine["conf_low"].tolist() == pytest.approx(r["lower"], abs=2e-8)
    widened = shrink_shares(pd.DataFrame(two, columns=["won", "lost"])).at(outcome="won")
    theirs, _, _ = shrink(x, n)
    np.testing.assert_allclose(widened["std_error"], theirs["std_error"], rtol=1e-8)


def test_three_outcomes_are_the_maximum_of_the_urns_likelihood() -> None:
    fit = dirichlet_multinomial(COUNTS)
    assert fit.loglik == pytest.approx(loglik(fit.alpha, COUNTS), abs=1e-10)
    found = minimize(lambda b: -loglik(np.exp(b), COUNTS), np.zeros(3), method="Nelder-Mead",
                     options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000})  # fmt: skip
    assert fit.alpha.tolist() == pytest.approx(np.exp(found.x).tolist(), rel=1e-5)
    step, hessian = 1e-4, np.zeros((3, 3))
    at = np.log(fit.alpha)
    for i in range(3):
        for j in range(3):
            moves = [(a, b) for a in (1, -1) for b in (1, -1)]
            values = [
                a * b * loglik(np.exp(at + step * (a * np.eye(3)[i] + b * np.eye(3)[j])), COUNTS) for a, b in moves
            ]
            hessian[i, j] = sum(values) / (4 * step**2)
    np.testing.assert_allclose(fit.covariance, np.linalg.inv(-hessian), rtol=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 12)] * 3).filter(any), min_size=5, max_size=9), st.permutations(range(3)))
# groups that hardly differ: the fitted sum of alpha is in the ten thousands
@example(rows=[(1, 8, 6), (4, 7, 6), (4, 10, 4), (8, 7, 7), (11, 12, 4), (12, 12, 4)], order=[0, 2, 1])
@example(rows=[(1, 8, 6), (4, 7, 6), (4, 10, 4), (8, 8, 7), (12, 12, 4), (12, 12, 4)], order=[0, 2, 1])
def test_shares_add_to_one_and_permute_with_outcomes(rows: list[tuple[int, ...]], order: list[int]) -> None:
    frame = pd.DataFrame(rows, columns=["won", "lost", "no_decision"])
    assume(any(sum(count > 0 for count in row) > 1 for row in rows))  # else the spread has no maximum
    result = shrink_shares(frame).frame
    np.testing.assert_allclose(result.groupby("group")["estimate"].sum(), 1.0, atol=1e-12)
    other = shrink_shares(frame.iloc[::-1, order]).frame
    both = result.merge(other, on=["group", "outcome"], suffixes=("", "_"))
    for name in ("estimate", "conf_low", "conf_high"):
        np.testing.assert_allclose(both[name], both[name + "_"], atol=1e-6)


def test_edges() -> None:
    assert shrink_shares(pd.DataFrame(COUNTS[:4])).meta.note == SAYS["refused"]
    alike = shrink_shares(pd.DataFrame([[2, 3, 5]] * 6, columns=["won", "lost", "no_decision"]))
    assert alike.meta.note == SAYS["pooled"]
    assert alike.frame["estimate"].iloc[:3].tolist() == pytest.approx([0.2, 0.3, 0.5])
    absent = shrink_shares(pd.DataFrame(np.column_stack([COUNTS[:, :2], np.zeros(6)])))
    none = absent.at(outcome=2)
    assert (none["estimate"] == 0).all()
    assert none["conf_high"].iloc[0] == pytest.approx(1 - 0.025 ** (1 / COUNTS[:, :2].sum()))
    with pytest.raises(InputError, match="at least two groups"):
        dirichlet_multinomial(COUNTS[:1])
    with pytest.raises(InputError, match="at least one deal"):
        dirichlet_multinomial(np.vstack([COUNTS, np.zeros(3)]))
