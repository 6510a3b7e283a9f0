"""Adjusted shares: R's numbers, numerical differentiation of the whole pipeline, exact balance, edges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from analytics.estimators.adjusted_incidence import adjusted_incidence, e_value
from analytics.estimators.adjustment import balance, balancing_weights, positivity, weight_diagnosis
from analytics.estimators.counts import count_events
from analytics.estimators.hazards.design import design
from analytics.estimators.incidence import cumulative_incidence
from analytics.estimators.logistic import logistic
from analytics.estimators.standardised import standardised_shares
from analytics.records.errors import InputError

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
VALUES = json.loads((GOLDEN / "syn_adjustment.json").read_text())
FORMULA = "x1 + C(region)"


def closed() -> pd.DataFrame:
    frame = pd.read_csv(GOLDEN / "inputs" / "syn_deals_rc.csv")
    frame = frame[frame["segment"].isin(list("ABCD")) & (frame["status"] > 0)].reset_index(drop=True)
    outcome = np.array(["open", "won", "lost", "no_decision"])[frame["status"]]
    return frame.assign(entry=-1, outcome=outcome, account=np.arange(len(frame)) // 4)


def deals(n: int = 90, seed: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    entry = np.where(rng.random(n) < 0.2, rng.integers(-1, 3, n), -1)
    return pd.DataFrame({
        "entry": entry, "exit": entry + 1 + rng.integers(0, 30, n), "outcome": rng.choice(["won", "lost", "open"], n),
        "x": x, "region": rng.choice(["N", "S"], n), "partner": (rng.random(n) < 1 / (1 + np.exp(-x))).astype(int),
        "account": rng.integers(0, 20, n),
    })  # fmt: skip


def test_iptw_x2_hajek_stabilised() -> None:
    frame, r = closed(), VALUES["iptw_x2_hajek_stabilised"]["value"]
    weighted = balancing_weights(frame, "x2", FORMULA)
    names = {"Intercept": "(Intercept)", "x1": "x1", "C(region)[T.S]": "regionS", "C(region)[T.W]": "regionW"}
    mine = {names[term]: value for term, value in zip(weighted.model.terms, weighted.model.beta, strict=True)}
    assert mine == pytest.approx(r["ps_coef"], abs=1e-11)
    w = weighted.weight
    assert [w.mean(), w.min(), w.max()] == pytest.approx([r["sw_mean"], r["sw_min"], r["sw_max"]], abs=1e-11)
    effective = weight_diagnosis(weighted).frame["effective_deals"].tolist()
    assert effective == pytest.approx([r["ess_treated"], r["ess_control"]], abs=1e-9)
    row = balance(weighted).frame.set_index("term").loc["x1"]
    assert [row["smd_before"], row["smd_after"]] == pytest.approx(
        [r["smd_x1_unweighted"], r["smd_x1_weighted"]], abs=1e-11
    )
    arms, contrasts = adjusted_incidence(frame, "x2", FORMULA, times=[99])
    assert arms.at(outcome="won")["estimate"].tolist() == pytest.approx([r["r1"], r["r0"]], abs=1e-12)
    row = contrasts.at(outcome="won", contrast="difference").iloc[0]
    assert row["estimate"] == pytest.approx(r["rd"], abs=1e-12)
    # R's standard error takes the weights as known, which overstates it
    a, y = weighted.exposed, (frame["outcome"] == "won").to_numpy(dtype=float)
    parts = np.where(a, w * (y - r["r1"]) / w[a].sum(), -w * (y - r["r0"]) / w[~a].sum())
    assert np.sqrt((parts**2).sum()) == pytest.approx(r["se_HC0_fixed_weights"], abs=1e-12)
    assert row["std_error"] < r["se_HC0_fixed_weights"]


def test_gcomp_logistic_x2() -> None:
    r = VALUES["gcomp_logistic_x2"]["value"]
    result = standardised_shares(closed(), "x2", "x2 * x1 + C(region)").frame.set_index("contrast")
    assert len(closed()) == r["n"]
    for name, key in (("exposed", "r1"), ("unexposed", "r0"), ("difference", "rd"), ("ratio", "rr")):
        assert result.loc[name, "estimate"] == pytest.approx(r[key], abs=1e-11)
    # glm's covariance is that of the step before its last
    assert result.loc["difference", "model_std_error"] == pytest.approx(r["se_delta_model"], abs=1e-8)


def pipeline(frame: pd.DataFrame, case: np.ndarray, scheme: str, time: float) -> np.ndarray:
    """Weight model and weighted Aalen-Johansen under case weights: shares of exposed and unexposed deals."""
    x = np.column_stack([frame["x"], frame["region"] == "S"]).astype(float)
    a = frame["partner"].to_numpy() == 1
    e = logistic(x, a.astype(float), ("x", "S"), case).fitted
    w = np.where(a, 1 - e, e) if scheme == "overlap" else np.where(a, 1 / e, 1 / (1 - e))
    risk = count_events(frame.assign(w=case * w), by="partner", weights="w")
    found = cumulative_incidence(risk, times=[time]).at(outcome="won").set_index("partner")["estimate"]
    return np.array([found[1], found[0]])


@pytest.mark.parametrize(("scheme", "cluster"), [("inverse_probability", "account"), ("overlap", None)])
def test_standard_errors_know_the_weight_model(scheme: Any, cluster: str | None) -> None:
    frame = deals(40)
    arms, contrasts = adjusted_incidence(frame, "partner", "x + C(region)", times=[14], scheme=scheme, cluster=cluster)
    unit = np.arange(len(frame)) if cluster is None else frame["account"].to_numpy()
    slopes = []
    for one in np.unique(unit):
        up, down = (pipeline(frame, np.where(unit == one, 1 + step, 1.0), scheme, 14) for step in (1e-5, -1e-5))
        slopes.append((up - down) / 2e-5)
    worth = np.array([np.inf if cluster is None else accounts_worth_of(frame, scheme, arm) for arm in (True, False)])
    moved = np.array(slopes) * (1.0 if cluster is None else np.sqrt(worth / (worth - 1)))
    base = pipeline(frame, np.ones(len(frame)), scheme, 14)
    mine = arms.at(outcome="won")
    assert mine["estimate"].tolist() == pytest.approx(base.tolist(), abs=1e-12)
    assert mine["std_error"].tolist() == pytest.approx(np.sqrt((moved**2).sum(axis=0)).tolist(), rel=1e-6)
    won = contrasts.at(outcome="won").set_index("contrast")
    apart = np.sqrt(((moved[:, 0] - moved[:, 1]) ** 2).sum())
    ratio = np.sqrt(((moved[:, 0] / base[0] - moved[:, 1] / base[1]) ** 2).sum())
    assert won.loc["difference", "std_error"] == pytest.approx(apart, rel=1e-6)
    assert won.loc["ratio", "std_error"] == pytest.approx(ratio, rel=1e-6)
    # limits of an arm on the log-log scale, those of contrasts by the arm with fewer accounts
    t, f, error = student.ppf(0.975, worth - 1), base, mine["std_error"].to_numpy()
    low = f ** np.exp(t * error / (f * -np.log(f)))
    assert mine["conf_low"].tolist() == pytest.approx(low.tolist(), rel=1e-6)
    reach = student.ppf(0.975, worth.min() - 1) * apart
    assert won.loc["difference", "conf_high"] == pytest.approx(base[0] - base[1] + reach, rel=1e-6)


def accounts_worth_of(frame: pd.DataFrame, scheme: Any, arm: bool) -> float:
    """(sum d)^2 / sum d^2 of the weighted days of each account's deals of one arm."""
    days: dict[Any, float] = {}
    weight = balancing_weights(frame, "partner", "x + C(region)", scheme=scheme).weight
    for account, w, entry, leave, partner in zip(
        frame["account"], weight, frame["entry"], frame["exit"], frame["partner"], strict=True
    ):
        if bool(partner) == arm:
            days[account] = days.get(account, 0.0) + w * (leave - entry)
    return float(sum(days.values()) ** 2 / sum(d**2 for d in days.values()))


def test_an_arm_of_one_account_has_no_limits() -> None:
    frame = deals(40)
    frame.loc[frame["partner"] == 1, "account"] = -1
    arms, contrasts = adjusted_incidence(frame, "partner", "x", times=[14], cluster="account")
    assert arms.at(exposed=True, outcome="won")["no_interval_reason"].str.contains("one account").all()
    assert arms.at(exposed=False, outcome="won")["conf_low"].notna().all()
    assert contrasts.at(outcome="won")["conf_low"].isna().all()


@pytest.mark.parametrize("cluster", [None, "account"])
def test_standardised_shares_know_the_covariates_are_a_sample(cluster: str | None) -> None:
    frame = closed().assign(account=lambda d: np.arange(len(d)) ** 2 // 90)
    made = design(frame.assign(x2=frame["x2"].astype(float)), "x2 * x1 + C(region)")
    arms = [np.column_stack([np.ones(len(frame)), made.of(frame.assign(x2=v))]) for v in (1.0, 0.0)]

    def shares(case: np.ndarray) -> np.ndarray:
        fit = logistic(made.x, (frame["outcome"] == "won").to_numpy(dtype=float), made.terms, case)
        return np.array([np.average(1 / (1 + np.exp(-x @ fit.beta)), weights=case) for x in arms])

    unit = np.arange(len(frame)) if cluster is None else frame["account"].to_numpy()
    slopes = []
    for one in np.unique(unit):
        up, down = (shares(np.where(unit == one, 1 + step, 1.0)) for step in (1e-5, -1e-5))
        slopes.append((up - down) / 2e-5)
    moved, worth = np.array(slopes), np.full(2, np.inf)
    if cluster is not None:
        sizes = [frame.loc[frame["x2"] == arm, "account"].value_counts().to_numpy() for arm in (1, 0)]
        worth = np.array([d.sum() ** 2 / (d**2).sum() for d in sizes])
        moved = moved * np.sqrt(worth / (worth - 1))
    row = standardised_shares(frame, "x2", "x2 * x1 + C(region)", cluster=cluster).at(contrast="difference").iloc[0]
    apart = np.sqrt(((moved[:, 0] - moved[:, 1]) ** 2).sum())
    assert row["std_error"] == pytest.approx(apart, rel=1e-6)
    reach = student.ppf(0.975, worth.min() - 1) * apart
    assert row["conf_low"] == pytest.approx(row["estimate"] - reach, rel=1e-6)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 100_000))
def test_overlap_weights_balance_exactly_and_order_does_not_matter(seed: int) -> None:
    frame = deals(60, seed)
    weighted = balancing_weights(frame, "partner", "x + C(region)", scheme="overlap")
    assert (balance(weighted).frame["smd_after"] == 0).all()
    _, base = adjusted_incidence(frame, "partner", "x + C(region)", times=[9])
    mixed = frame.sample(frac=1, random_state=seed).reset_index(drop=True)
    _, again = adjusted_incidence(mixed, "partner", "x + C(region)", times=[9])
    np.testing.assert_allclose(again.frame["estimate"], base.frame["estimate"], atol=1e-9, equal_nan=True)
    np.testing.assert_allclose(again.frame["std_error"], base.frame["std_error"], atol=1e-9, equal_nan=True)


def test_a_covariate_that_does_not_matter_leaves_the_plain_shares() -> None:
    """With a saturated covariate of which exposure is independent, weights within an arm are equal."""
    frame = pd.DataFrame({
        "entry": -1, "exit": 5, "partner": [0, 0, 1, 1] * 10, "side": list("ab") * 20,
        "outcome": (["won"] * 3 + ["lost"]) * 10,
    })  # fmt: skip
    arms, _ = adjusted_incidence(frame, "partner", "C(side)", times=[5])
    assert arms.at(outcome="won")["estimate"].tolist() == pytest.approx([0.5, 1.0], abs=1e-12)


def test_e_value_of_the_paper() -> None:
    assert e_value(3.9, 1.8, 8.7) == pytest.approx((7.26, 3.0), abs=0.005)
    assert e_value(1 / 3.9, 1 / 8.7, 1 / 1.8) == pytest.approx(e_value(3.9, 1.8, 8.7))
    assert e_value(1.2, 0.9, 1.6)[1] == 1.0
    with pytest.raises(ValueError, match="within its limits"):
        e_value(1.2, 1.3, 1.6)


def test_cells_in_which_nothing_can_be_compared() -> None:
    frame = pd.DataFrame({"partner": [0, 1, 1, 1], "region": list("NNSS")})
    assert positivity(frame, "partner", by=["region"]).frame["comparable"].tolist() == [True, False]


def test_edges() -> None:
    frame = deals()
    lone = pd.DataFrame({"partner": [0, 0, 0, 0, 1], "x": [1.0, 2.0, 3.0, 4.0, 3.5]})
    apart = balance(balancing_weights(lone, "partner", "x")).frame["smd_before"].iloc[0]
    assert apart == pytest.approx((3.5 - 2.5) / np.sqrt(5 / 3))  # by the spread of the other side alone
    with pytest.raises(InputError, match="must be 0 or 1"):
        balancing_weights(frame.assign(partner=2), "partner", "x")
    with pytest.raises(InputError, match="one kind"):
        balancing_weights(frame.assign(partner=1), "partner", "x")
    with pytest.raises(InputError, match="infinite"):
        balancing_weights(frame.assign(partner=(frame["x"] > 0).astype(int)), "partner", "x")
    with pytest.raises(InputError, match="still open"):
        standardised_shares(frame, "partner", "partner + x")
    with pytest.raises(InputError, match="does not hold the exposure"):
        standardised_shares(closed(), "x2", "x1")
    frame = pd.concat([frame, *(frame.iloc[:1].assign(exit=60, outcome="open", partner=p) for p in (0, 1))])
    arms, contrasts = adjusted_incidence(frame, "partner", "x", times=[9, 500])
    assert arms.frame["time"].unique().tolist() == [9.0]
    assert "not followed to day 500" in arms.meta.note
    assert contrasts.at(contrast="difference")["e_value"].isna().all()
    for row in contrasts.at(contrast="ratio").dropna(subset="conf_low").to_dict("records"):
        assert (row["e_value"], row["e_value_limit"]) == e_value(row["estimate"], row["conf_low"], row["conf_high"])
    assert contrasts.at(contrast="ratio", outcome="won")["e_value"].notna().all()
    none = contrasts.at(outcome="no_decision").set_index("contrast")["no_interval_reason"].to_dict()
    assert none == {"difference": "", "ratio": "a share of 0 has no ratio"}


@pytest.mark.parametrize("cluster", [None, "account"])
def test_a_share_of_none_is_not_known_without_error(cluster: str | None) -> None:
    """Of 30 exposed deals 24 left unseen on day 1, so 6 say that none was won: limits of a binomial of 6, or accounts.

    The difference from the others takes them up (MOVER), instead of the others' error alone.
    """
    rng = np.random.default_rng(3)
    # x is the same in both arms, so all deals of an arm have one weight
    frame = pd.DataFrame({
        "entry": -1, "exit": [1] * 24 + [20] * 6 + [*rng.integers(2, 12, 15), *[20] * 15],
        "outcome": ["open"] * 30 + ["won"] * 15 + ["open"] * 15, "partner": [1] * 30 + [0] * 30, "x": [0, 1] * 30,
        "account": [*(np.arange(30) % 3), *range(3, 33)],
    })  # fmt: skip
    arms, contrasts = adjusted_incidence(frame, "partner", "x", times=[15], cluster=cluster)
    none, half = (arms.at(exposed=side, outcome="won").iloc[0] for side in (True, False))
    upper = 1 - 0.025 ** (1 / (6 if cluster is None else 3))
    assert [none["estimate"], none["conf_low"], none["conf_high"]] == pytest.approx([0, 0, upper], abs=1e-9)
    assert half["estimate"] == pytest.approx(0.5, abs=1e-9)
    row = contrasts.at(outcome="won", contrast="difference").iloc[0]
    low = -0.5 - np.hypot(0, half["conf_high"] - 0.5)
    high = -0.5 + np.hypot(upper, 0.5 - half["conf_low"])
    assert [row["estimate"], row["conf_low"], row["conf_high"]] == pytest.approx([-0.5, low, high], abs=1e-9)
    z = student.ppf(0.975, 2) if cluster else 1.959963984540054
    assert row["std_error"] == pytest.approx((high + 0.5) / z, abs=1e-9)
