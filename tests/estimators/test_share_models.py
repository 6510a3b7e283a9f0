"""Logistic regressions through statsmodels: R's numbers, the sandwich from its definition, edges."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t
from simulations.scenario import drawn
from simulations.share_regressions import SCENARIOS

from analytics.estimators.logistic import logistic
from analytics.estimators.share_models import clustered_logit, grouped_logit
from analytics.records.errors import InputError

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def table() -> pd.DataFrame:
    frame = pd.read_csv(GOLDEN / "inputs" / "syn_rates.csv")
    return frame.assign(failed=frame["lost"] + frame["nodecision"])


def test_logit_glm_grouped() -> None:
    r = json.loads((GOLDEN / "syn_rates.json").read_text())["logit_glm_grouped"]["value"]
    frame = grouped_logit(
        table(), "C(quarter) + C(segment) + C(region)", successes="won", failures="failed"
    ).frame.set_index("term")
    names = {f"C({name})[T.{level}]": f"{name}{level}" for name, levels in (
        ("quarter", ["Q2"]), ("segment", ["MID", "SMB"]), ("region", "SW")) for level in levels}  # fmt: skip
    for term, key in {"Intercept": "(Intercept)", **names}.items():
        assert frame.loc[term, "estimate"] == pytest.approx(r["coef"][key], abs=1e-10)
        assert frame.loc[term, "std_error"] == pytest.approx(r["se"][key], abs=1e-8)
    assert frame["deviance"].iloc[0] == pytest.approx(r["deviance"], abs=1e-10)


def closed(n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(6)
    return pd.DataFrame({"outcome": rng.choice(["won", "lost", "no_decision"], n), "x": rng.normal(size=n),
                         "account": rng.integers(0, 30, n)})  # fmt: skip


def test_independence_is_logistic_regression_with_the_corrected_sandwich() -> None:
    """Mancl & DeRouen (2001), eq. 4: residuals of an account times (I - H)^-1, account by account."""
    frame = closed()
    y = (frame["outcome"] == "won").to_numpy(dtype=float)
    fit = logistic(frame[["x"]].to_numpy(), y, ("x",))
    meat = np.zeros((2, 2))
    for account in range(30):
        own = (frame["account"] == account).to_numpy()
        x, p = fit.x[own], fit.fitted[own]
        hat = (p * (1 - p))[:, None] * x @ fit.model @ x.T
        score = x.T @ np.linalg.solve(np.eye(len(p)) - hat, y[own] - p)
        meat += np.outer(score, score)
    error = np.sqrt(np.diag(fit.model @ meat @ fit.model))
    mine = clustered_logit(frame, "x", cluster="account").frame
    assert mine["estimate"].tolist() == pytest.approx(fit.beta.tolist(), abs=1e-9)
    assert mine["std_error"].tolist() == pytest.approx(error.tolist(), rel=1e-7)
    size = frame["account"].value_counts()
    df = size.sum() ** 2 / (size**2).sum() - 1
    assert mine["conf_high"].tolist() == pytest.approx((fit.beta + t.ppf(0.975, df) * error).tolist(), rel=1e-7)
    assert mine["p_value"].tolist() == pytest.approx((2 * t.sf(np.abs(fit.beta / error), df)).tolist(), rel=1e-6)


def test_exchangeable_accounts_of_one_size_in_one_arm_are_means_of_accounts() -> None:
    """A covariate that is constant within accounts of equal size: odds of each arm, errors from account means."""
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({"account": np.repeat(np.arange(40), 5), "x": np.repeat(np.arange(40) % 2, 5)})
    frame["outcome"] = np.where(rng.random(200) < np.repeat(rng.beta(2, 2, 40), 5), "won", "lost")
    mine = clustered_logit(frame, "x", cluster="account", working="exchangeable").frame
    share = (frame["outcome"] == "won").groupby([frame["x"], frame["account"]]).mean()
    # the correction takes each of the 20 residuals of an arm as 20/19 of what it is
    p, spread = share.groupby("x").mean(), share.groupby("x").var(ddof=0) / 20 * (20 / 19) ** 2
    errors = spread / (p * (1 - p)) ** 2
    assert mine["estimate"].iloc[0] == pytest.approx(np.log(p[0] / (1 - p[0])), abs=1e-8)
    assert mine["std_error"].iloc[1] == pytest.approx(np.sqrt(errors.sum()), rel=1e-7)
    assert 0 < mine["within"].iloc[0] < 1


def test_edges() -> None:
    never = table().assign(won=lambda d: np.where(d["segment"] == "MID", 0, d["won"]))
    with pytest.raises(InputError, match="does not settle"):
        grouped_logit(never, "C(segment)", successes="won", failures="failed")
    empty = pd.concat([table(), table().iloc[:1].assign(won=0, failed=0)])
    assert grouped_logit(empty, "C(segment)", successes="won", failures="failed").meta.note == "1 cells have no deals."
    with pytest.raises(InputError, match="missing or negative"):
        grouped_logit(table().assign(won=-1), "C(segment)", successes="won", failures="failed")
    with pytest.raises(InputError, match="still open"):
        clustered_logit(closed().assign(outcome="open"), "x", cluster="account")
    with pytest.raises(InputError, match="fewer than two accounts"):
        clustered_logit(closed().assign(account=1), "x", cluster="account")


def test_a_fit_that_runs_away_is_an_error() -> None:
    forty = SCENARIOS[0]
    deals = drawn(forty, 988, 1)  # of 5,000 replicates the first whose correlation and coefficients drive each other up
    closed = deals.assign(outcome=deals["end"])
    with pytest.raises(InputError, match=r"runs away from step to step.*independence"):
        clustered_logit(closed, "partner + size", cluster="account", working="exchangeable")
    assert clustered_logit(closed, "partner + size", cluster="account").frame["std_error"].between(0.3, 0.5).all()
