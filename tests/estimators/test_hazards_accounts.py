"""The correction for few accounts: by loops over deals and event times, and what it must not depend on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from analytics.estimators.hazards.accounts import leverage_of
from analytics.estimators.hazards.models import cause_specific_cox, fine_gray

RNG = np.random.default_rng(5)
N = 80
DEALS = pd.DataFrame({
    "entry": np.where(RNG.random(N) < 0.3, RNG.integers(0, 4, N), -1), "exit": RNG.integers(5, 25, N),
    "outcome": RNG.choice(["won", "lost", "open"], N), "x": RNG.normal(size=N),
    "w": RNG.choice([0.5, 1.0, 2.0], N), "account": RNG.integers(0, 7, N),
})  # fmt: skip
DEALS["z"] = (DEALS["account"] % 2).astype(float)


def by_loops(model: Any, deals: pd.DataFrame) -> Any:
    """Breslow: each account's score times (1 - H)^(-1/2) in the basis of the information, times C / (C - 1)."""
    x, beta = deals[["x", "z"]].to_numpy(), model.fit.beta
    w, r = deals["w"].to_numpy(), np.exp(x @ beta)
    accounts = sorted(deals["account"].unique())
    part, score = np.zeros((len(accounts), 2, 2)), np.zeros((len(accounts), 2))
    place = deals["account"].map({name: c for c, name in enumerate(accounts)}).to_numpy()
    for day in sorted(deals.loc[deals["outcome"] == "won", "exit"].unique()):
        at_risk = ((deals["entry"] < day) & (deals["exit"] >= day)).to_numpy()
        won = at_risk & ((deals["exit"] == day) & (deals["outcome"] == "won")).to_numpy()
        mean = (w * r)[at_risk] @ x[at_risk] / (w * r)[at_risk].sum()
        hazard = w[won].sum() / (w * r)[at_risk].sum()
        for i in np.flatnonzero(at_risk):
            gap = x[i] - mean
            part[place[i]] += w[i] * r[i] * hazard * np.outer(gap, gap)
            score[place[i]] += w[i] * gap * (won[i] - r[i] * hazard)
    values, vectors = np.linalg.eigh(np.linalg.inv(part.sum(axis=0)))
    root = vectors @ np.diag(np.sqrt(values)) @ vectors.T
    total = np.zeros((2, 2))
    for c in range(len(accounts)):
        size, axis = np.linalg.eigh(root @ part[c] @ root)
        moved = root @ axis @ np.diag((1 - np.minimum(size, 0.75)) ** -0.5) @ axis.T @ root @ score[c]
        total += np.outer(moved, moved)
    return total * len(accounts) / (len(accounts) - 1)


def test_the_covariance_over_accounts_is_that_of_loops() -> None:
    model = cause_specific_cox(DEALS, "x + z", outcome="won", ties="breslow", weights="w", cluster="account")
    np.testing.assert_allclose(model.covariance, by_loops(model, DEALS), rtol=1e-8)


@pytest.mark.parametrize("ties", ["breslow", "efron"])
@pytest.mark.parametrize("fit", [cause_specific_cox, fine_gray])
def test_the_leverages_of_all_accounts_are_the_whole_information(fit: Any, ties: Any) -> None:
    model = fit(DEALS, "x + z", outcome="won", ties=ties, weights="w", cluster="account")
    rows = model.rows
    found = leverage_of(rows, model.fit.point, ties, model.fit.model, model.unit[rows.order])
    np.testing.assert_allclose(found.matrix.sum(axis=0), np.eye(2), atol=1e-10)


def test_limits_and_p_values_take_t() -> None:
    model = cause_specific_cox(DEALS, "x + z", outcome="won", cluster="account")
    frame = model.coefficients.frame
    reach = t.ppf(0.975, model.fit.df) * frame["std_error"]
    np.testing.assert_allclose(frame["conf_high"] - frame["estimate"], reach, rtol=1e-9)
    np.testing.assert_allclose(frame["p_value"], 2 * t.sf(np.abs(frame["z"]), model.fit.df), rtol=1e-9)
    assert (frame["std_error"] > frame["sandwich_std_error"]).all()
    assert (model.fit.df >= 1).all()
    assert model.fit.df[1] < 7  # alike within seven accounts


def test_many_accounts_leave_nothing_to_correct() -> None:
    """3,200 deals, each an account of its own: R's sandwich, and the normal distribution's limits."""
    many = pd.concat([DEALS] * 40, ignore_index=True).assign(deal=range(40 * N))
    frame = cause_specific_cox(many, "x + z", outcome="won", cluster="deal").coefficients.frame
    np.testing.assert_allclose(frame["std_error"], frame["sandwich_std_error"], rtol=2e-3)
    np.testing.assert_allclose(frame["conf_high"] - frame["estimate"], 1.96 * frame["std_error"], rtol=5e-3)
