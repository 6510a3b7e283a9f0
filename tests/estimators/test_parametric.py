"""Parametric models through lifelines: R's numbers for interval-censored times and cure, closed forms, edges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from analytics.estimators.parametric import accelerated_failure_time, mixture_cure
from analytics.estimators.parametric_errors import Times, stretched
from analytics.records.errors import InputError

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
VALUES = {key: entry["value"] for key, entry in json.loads((GOLDEN / "syn_interval.json").read_text()).items()}


def interval_deals() -> pd.DataFrame:
    frame = pd.read_csv(GOLDEN / "inputs" / "syn_interval.csv")
    seen = frame["right"].notna()
    exact = seen & (frame["left"] == frame["right"])
    return pd.DataFrame({
        "entry": -1.0, "exit": frame["right"].fillna(frame["left"]), "outcome": np.where(seen, "won", "open"),
        "open_after": frame["left"].where(seen & ~exact), "g": frame["g"],
    })  # fmt: skip


@pytest.mark.parametrize("distribution", ["weibull", "lognormal", "loglogistic"])
def test_survreg_interval(distribution: Any) -> None:
    r = VALUES[f"survreg_interval_{distribution}"]
    frame = accelerated_failure_time(interval_deals(), "g", outcome="won", distribution=distribution).frame
    expected = [r["coef"]["(Intercept)"], r["coef"]["g"], np.log(r["scale"])]
    assert frame["estimate"].tolist() == pytest.approx(expected, abs=2e-7)
    assert frame["std_error"].tolist() == pytest.approx(r["se"], abs=2e-7)
    assert frame["loglik"].iloc[0] == pytest.approx(r["loglik"], abs=1e-8)


@pytest.mark.parametrize("cluster", [None, "account"])
@pytest.mark.parametrize("distribution", ["weibull", "lognormal", "loglogistic"])
def test_survreg_with_weights_and_accounts(distribution: Any, cluster: str | None) -> None:
    """R: what a little more weight on each deal (account) does to survreg's fit; `golden/make_parametric.R`."""
    number = pd.read_csv(GOLDEN / "inputs" / "syn_interval.csv")["id"]
    deals = interval_deals().assign(w=0.5 + number % 4, account=number % 13)
    r = pd.read_csv(GOLDEN / "parametric.csv").query("distribution == @distribution")
    r = r[r["clustered"] == (cluster is not None)]
    for scale in (1.0, 7.0):
        mine = accelerated_failure_time(
            deals.assign(w=scale * deals["w"]), "g", outcome="won", distribution=distribution, weights="w",
            cluster=cluster,
        ).frame  # fmt: skip
        assert mine["term"].tolist() == r["term"].tolist()
        assert mine["estimate"].tolist() == pytest.approx(r["coef"].tolist(), abs=1e-7)
        factor = 1.0 if cluster is None else np.sqrt(13 / 12)
        assert (mine["std_error"] / factor).tolist() == pytest.approx(r["robust_se"].tolist(), abs=1e-7)
    worth = deals.groupby("account")["w"].sum()
    df = None if cluster is None else worth.sum() ** 2 / (worth**2).sum() - 1
    reach = (student.ppf(0.975, df) if df else 1.959963984540054) * mine["std_error"]
    assert mine["conf_high"].tolist() == pytest.approx((mine["estimate"] + reach).tolist(), abs=1e-9)


def cure_deals(n: int = 70) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    days = np.where(rng.random(n) < 0.4, 90, 1 + rng.weibull(1.3, n) * 20).round()
    return pd.DataFrame({
        "entry": -1, "exit": np.minimum(days, 60).astype(int), "outcome": np.where(days < 60, "won", "open"),
        "w": rng.integers(1, 4, n).astype(float), "account": rng.integers(0, 4, n),
    })  # fmt: skip


def test_errors_of_a_weighted_cure_model_are_the_jackknife_by_weights() -> None:
    """What a percent more weight on an account does to the fit, squared and summed; no matter the scale."""
    deals = cure_deals().assign(own=range(70))
    mine = mixture_cure(deals, outcome="won", weights="w", cluster="account")
    slopes = []
    for one in range(4):
        up, down = (
            mixture_cure(deals.assign(w=deals["w"] * np.where(deals["account"] == one, step, 1)), outcome="won",
                         weights="w").frame["estimate"].to_numpy()
            for step in (1.03, 0.97)
        )  # fmt: skip
        slopes.append((up - down) / 0.06)
    expected = np.sqrt((np.array(slopes) ** 2).sum(axis=0) * 4 / 3)
    assert mine.frame["std_error"].tolist() == pytest.approx(expected.tolist(), rel=5e-3)
    assert mine.meta.n_accounts == 4
    alone, scaled, own = (
        mixture_cure(deals.assign(w=scale * deals["w"]), outcome="won", weights="w", cluster=cluster).frame["std_error"]
        for scale, cluster in ((1, None), (5, None), (1, "own"))
    )
    assert scaled.tolist() == pytest.approx(alone.tolist(), rel=1e-3)
    assert (own * np.sqrt(69 / 70)).tolist() == pytest.approx(alone.tolist(), rel=1e-9)


@pytest.mark.parametrize("distribution", ["weibull", "lognormal", "loglogistic"])
def test_scores_allow_for_late_entry(distribution: Any) -> None:
    """Deals watched from day 5 on: lifelines' log-likelihood is the sum of ours, and at its maximum scores add to 0."""
    deals = cure_deals(60).query("exit > 5").reset_index(drop=True)
    deals = deals.assign(entry=5, x=np.arange(len(deals)) % 3, open_after=(deals["exit"] - 4).where(deals["w"] == 2))
    found = accelerated_failure_time(deals, "x", outcome="won", distribution=distribution).frame
    theta, won = found["estimate"].to_numpy(), (deals["outcome"] == "won").to_numpy()
    leave = deals["exit"].to_numpy(dtype=float)
    low = np.maximum(np.where(won, deals["open_after"].fillna(deals["exit"]), leave), 5)
    times = Times(low, np.where(won, leave, np.inf), np.full(len(deals), 5.0))
    of = stretched(times, distribution, np.column_stack([np.ones(len(deals)), deals["x"]]))
    assert of(theta).sum() == pytest.approx(found["loglik"].iloc[0], abs=1e-8)
    slope = [(of(theta + step) - of(theta - step)).sum() / 2e-5 for step in np.eye(3) * 1e-5]
    assert slope == pytest.approx([0, 0, 0], abs=1e-3)


def test_cure_mixture_weibull_ml_any() -> None:
    """R's optim stops before the maximum: its likelihood is below ours, its parameters 1.2e-5 away."""
    r = json.loads((GOLDEN / "syn_adjustment.json").read_text())["cure_mixture_weibull_ml_any"]["value"]
    frame = pd.read_csv(GOLDEN / "inputs" / "syn_deals_rc.csv")
    frame = frame[frame["segment"].isin(list("ABCD"))].assign(entry=-1)
    frame["outcome"] = np.array(["open", "won", "lost", "no_decision"])[frame["status"]]
    mine = mixture_cure(frame, outcome="won").frame
    assert (mine["estimate"] * [-1, 1, 1]).tolist() == pytest.approx(r["p"], abs=2e-5)
    assert mine["std_error"].tolist() == pytest.approx(r["se"], abs=2e-4)
    assert r["loglik"] <= mine["loglik"].iloc[0] <= r["loglik"] + 1e-9
    assert mine["share_never"].iloc[0] == pytest.approx(1 / (1 + np.exp(r["p"][0])), abs=1e-5)


def test_exact_lognormal_times_are_a_regression_of_their_logarithms() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=80)
    days = np.exp(3 + 0.4 * x + 0.6 * rng.normal(size=80))
    deals = pd.DataFrame({"entry": -1.0, "exit": days, "outcome": "won", "x": x})
    frame = accelerated_failure_time(deals, "x", outcome="won", distribution="lognormal").frame
    full = np.column_stack([np.ones(80), x])
    beta = np.linalg.lstsq(full, np.log(days), rcond=None)[0]
    rest = np.log(days) - full @ beta
    assert frame["estimate"].tolist() == pytest.approx([*beta, np.log(np.sqrt((rest**2).mean()))], abs=1e-6)
    errors = np.sqrt(np.diag(np.linalg.inv(full.T @ full)) * (rest**2).mean())
    assert frame["std_error"].iloc[:2].tolist() == pytest.approx(errors.tolist(), abs=1e-6)


def test_late_entry_of_exponential_times_counts_only_days_watched() -> None:
    """Weibull with entry: at the maximum the hazard summed over watched days equals the events (score of the scale)."""
    rng = np.random.default_rng(2)
    entry, lasts = rng.uniform(0, 10, 200), rng.exponential(20, 200)
    keep = lasts > entry
    deals = pd.DataFrame(
        {"entry": entry[keep], "exit": lasts[keep], "outcome": "won", "x": rng.normal(size=keep.sum())}
    )
    value = accelerated_failure_time(deals, "x", outcome="won").frame["estimate"].to_numpy()
    shape = np.exp(-value[2])
    scale = np.exp(value[0] + value[1] * deals["x"])
    watched = (deals["exit"] / scale) ** shape - (deals["entry"] / scale) ** shape
    assert watched.sum() == pytest.approx(len(deals), rel=1e-6)
    assert (watched * deals["x"]).sum() == pytest.approx(deals["x"].sum(), abs=1e-4)


def test_order_and_the_names_of_other_outcomes_change_nothing() -> None:
    deals = cure_deals().assign(x=lambda d: d["exit"] % 3 + d["account"])
    deals.loc[::7, "outcome"] = "lost"
    mixed = deals.sample(frac=1, random_state=3).replace({"outcome": {"lost": "no_decision"}})
    for ask in (
        lambda d: accelerated_failure_time(d, "x", outcome="won", weights="w", cluster="account"),
        lambda d: mixture_cure(d, outcome="won", weights="w", cluster="account"),
    ):
        one, other = (ask(d).frame[["estimate", "std_error", "conf_low", "conf_high"]] for d in (deals, mixed))
        np.testing.assert_allclose(one, other, rtol=2e-3)


def test_edges() -> None:
    deals = pd.DataFrame({"entry": -1, "exit": [0, 3, 5, 7, 8, 9], "x": [1.0, 0, 1, 0, 1, 0],
                          "outcome": ["won", "won", "won", "won", "lost", "open"]})  # fmt: skip
    assert accelerated_failure_time(deals, "x", outcome="won").meta.note == (
        "1 deals ended on the day of their opening and count as half a day."
    )
    with pytest.raises(InputError, match="no deal had the outcome"):
        accelerated_failure_time(deals, "x", outcome="no_decision")
    with pytest.raises(InputError, match="no such distribution"):
        accelerated_failure_time(deals, "x", outcome="won", distribution="gamma")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a weight is missing"):
        accelerated_failure_time(deals.assign(w=0.0), "x", outcome="won", weights="w")
    with pytest.raises(InputError, match="do not tell a share"):
        mixture_cure(deals, outcome="won")
    with pytest.raises(InputError, match="1 deals are too few"):
        mixture_cure(deals.iloc[:1], outcome="won")
    alone = accelerated_failure_time(deals.assign(a="A"), "x", outcome="won", cluster="a").frame
    assert alone["conf_low"].isna().all()
    assert alone["no_interval_reason"].str.contains("one account").all()
    longer = deals.assign(exit=[0, 3, 5, 7, 80, 90])
    assert "followed for 83 days beyond the last won" in mixture_cure(longer, outcome="won").meta.note
