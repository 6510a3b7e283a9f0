"""Predictions, ratios by age and models with strata against R (`golden/make_hazard_predictions.R`, `make_strata.R`)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from test_golden import load
from test_hazards_golden import GOLDEN

from analytics.estimators.hazards.age_bands import bands_of, covariance_of, hazard_ratios_by_age, wald_tests
from analytics.estimators.hazards.models import cause_specific_cox, fine_gray
from analytics.estimators.hazards.prediction import predicted_incidence, standardised_incidence
from analytics.estimators.hazards.proportionality import proportionality_test
from analytics.records.errors import InputError

R = pd.read_csv(GOLDEN / "hazard_predictions.csv")
STRATA = pd.read_csv(GOLDEN / "strata.csv").groupby("key", sort=False)["value"].agg(list)
TIMES = [10, 20, 30, 45, 60]
PROFILES = pd.DataFrame({"x1": [-1, 0, 1.5], "x2": [0, 1, 1]})


def of_r(key: str, part: str) -> Any:
    found = R[(R["key"] == key) & (R["part"] == part)].sort_values("place")["value"].to_numpy()
    assert len(found)
    return found


@pytest.mark.parametrize("ties", ["breslow", "efron"])
@pytest.mark.parametrize("name", ["syn_deals", "syn_deals_rc"])
def test_fine_gray_predictions_are_those_of_r(name: str, ties: Any) -> None:
    """R: 1 - survfit(coxph(Surv(fgstart, fgstop, fgstatus) ~ x1 + x2, weights = fgwt, finegray(...)), newdata)."""
    deals = load(name)
    causes = sorted(set(deals["outcome"]) - {"open"})
    models = {cause: fine_gray(deals, "x1 + x2", outcome=cause, ties=ties) for cause in causes}
    shown = predicted_incidence(models, PROFILES, times=TIMES)
    assert shown.meta.kind == "probability"
    assert "taken as known" in shown.meta.variance
    for cause in causes:
        mine = shown.at(outcome=cause)["estimate"].to_numpy()
        np.testing.assert_allclose(mine, of_r(f"fine_gray_{name}_{ties}", cause), atol=1e-10)


@pytest.mark.parametrize("ties", ["breslow", "efron"])
@pytest.mark.parametrize(
    ("key", "how"),
    [
        ("bands", {}),
        ("bands_by_id", {"cluster": "id"}),
        ("bands_weights_by_region", {"weights": "pw", "cluster": "region"}),
    ],
)
def test_ratios_by_age_are_those_of_split_deals(ties: Any, key: str, how: Any) -> None:
    """R: coxph(Surv(entry, exit, status) ~ x1:strata(band) + x2:strata(band), survSplit(..., cut = c(15, 30)))."""
    deals = load("syn_deals")
    model = cause_specific_cox(deals, "x1 + x2", outcome="c1", ties=ties, **how)
    ratios, _ = hazard_ratios_by_age(model, cuts=(15, 30))
    frame = ratios.frame.sort_values("term", kind="stable")
    np.testing.assert_allclose(frame["estimate"], of_r(f"{key}_{ties}", "coef"), atol=1e-9)
    error = frame["sandwich_std_error" if how else "std_error"]
    np.testing.assert_allclose(error, of_r(f"{key}_{ties}", "se"), atol=1e-9)
    fits = [band.fit for band in bands_of(model, (15, 30))]
    tested, _ = wald_tests(model, fits, covariance_of(fits, plain=True))
    np.testing.assert_allclose([row[1] for row in tested[:2]], of_r(f"{key}_{ties}", "wald"), rtol=1e-8)
    assert ratios.frame["n_event"].sum() == 2 * (deals["outcome"] == "c1").sum()


def test_too_few_accounts_to_compare_bands_are_said() -> None:
    deals = load("syn_deals")
    few = cause_specific_cox(deals, "x1 + x2", outcome="c1", weights="pw", cluster="region")
    _, equal = hazard_ratios_by_age(few, cuts=(15, 30))
    assert equal.frame["term"].tolist() == ["x1", "x2"]
    assert "all terms" in equal.meta.note
    many = cause_specific_cox(deals, "x1 + x2", outcome="c1", cluster="id")
    _, equal = hazard_ratios_by_age(many, cuts=(15, 30))
    assert equal.frame["term"].tolist() == ["x1", "x2", "all terms"]


DEALS = pd.DataFrame({
    "entry": -1, "exit": [2, 3, 3, 5, 7, 7, 8, 9, 11, 12], "x": [1.0, 0, 1, 1, 0, 1, 0, 0, 1, 0],
    "outcome": ["won", "lost", "won", "won", "won", "lost", "lost", "open", "won", "lost"],
})  # fmt: skip


def test_a_sum_above_one_is_said_and_not_clipped() -> None:
    models = {name: fine_gray(DEALS, "x", outcome=name) for name in ("won", "lost")}
    far = pd.DataFrame({"x": [0.5, 3.0]})
    shown = predicted_incidence(models, far, times=[5, 12])
    total = shown.frame.groupby(["profile", "time"])["estimate"].sum()
    assert total[1, 12.0] > 1
    expected = {name: 1 - np.exp(-hazard_by_hand(models[name], 3.0, 12)) for name in models}
    for name, value in expected.items():
        assert shown.at(profile=1, outcome=name, time=12)["estimate"].iloc[0] == pytest.approx(value, abs=1e-12)
    assert "profile 1 from day" in shown.meta.note
    assert f"(up to {total[1, 12.0]:.3f})" in shown.meta.note
    assert "profile 0" not in shown.meta.note
    quiet = predicted_incidence({"won": models["won"]}, far, times=[5, 12])
    assert quiet.meta.note == ""
    shares, _ = standardised_incidence(models, DEALS, exposure="x", levels=[0.5, 3.0], times=[12])
    assert "For 10 pairs of deal and level" in shares.meta.note


def hazard_by_hand(model: Any, x: float, upto: float) -> float:
    base, beta = model.baseline(), model.fit.beta[0]
    return float(base.loc[base["time"] <= upto, "hazard"].sum() * np.exp(beta * x))


def test_without_censoring_and_covariate_effect_fine_gray_gives_shares() -> None:
    """Every kind of deal ends alike: F at the end is close to the share, exactly 1 - exp(-sum of d/n)."""
    deals = pd.DataFrame({"entry": -1, "exit": [1, 1, 2, 2, 3, 3, 4, 4], "x": [0.0, 1] * 4,
                          "outcome": ["won", "won", "lost", "lost", "won", "won", "lost", "lost"]})  # fmt: skip
    models = {name: fine_gray(deals, "x", outcome=name) for name in ("won", "lost")}
    shown = predicted_incidence(models, pd.DataFrame({"x": [0.0]}), times=[4])
    # deals that ended otherwise stay at risk: 2 of 8 won on day 1, 2 of 6 on day 3
    assert shown.at(outcome="won")["estimate"].iloc[0] == pytest.approx(1 - np.exp(-2 / 8 - 2 / 6), abs=1e-9)


def test_kinds_are_not_mixed_and_bands_are_named() -> None:
    cox, fg = cause_specific_cox(DEALS, "x", outcome="won"), fine_gray(DEALS, "x", outcome="lost")
    with pytest.raises(InputError, match="cannot be mixed"):
        predicted_incidence({"won": cox, "lost": fg}, DEALS[:1], times=[5])
    with pytest.raises(InputError, match="cause-specific"):
        hazard_ratios_by_age(fg, cuts=(5,))
    with pytest.raises(InputError, match="increasing order"):
        hazard_ratios_by_age(cox, cuts=(9, 5))
    with pytest.raises(InputError, match="deals of age over 11 days"):
        hazard_ratios_by_age(cox, cuts=(11,))


def test_bands_within_strata_are_the_model_of_the_deals_cut_by_hand() -> None:
    deals = load("syn_deals")
    ratios, _ = hazard_ratios_by_age(cause_specific_cox(deals, "x1", outcome="c1", strata=["region"]), cuts=(20,))
    late = deals[deals["exit"] > 20].assign(entry=lambda d: d["entry"].clip(lower=20))
    early = deals[deals["entry"] < 20].copy()
    early["outcome"] = np.where(early["exit"] > 20, "open", early["outcome"])
    early["exit"] = early["exit"].clip(upper=20)
    for part, age in ((early, "up to 20"), (late, "over 20")):
        alone = cause_specific_cox(part.reset_index(drop=True), "x1", outcome="c1", strata=["region"])
        for column in ("estimate", "std_error", "conf_low"):
            np.testing.assert_allclose(ratios.at(age=age)[column], alone.coefficients.frame[column], atol=1e-10)


@pytest.mark.parametrize("cause", [1, 2, 3])
def test_strata_have_their_own_censorings_and_one_clock(cause: int) -> None:
    """R: finegray() within each region, then strata(region); cox.zph, whose clock counts the deals of all strata."""
    deals = load("syn_deals")
    model = fine_gray(deals, "x1 + x2", outcome=f"c{cause}", strata=["region"])
    np.testing.assert_allclose(model.fit.beta, STRATA[f"fine_gray_coef_{cause}"], atol=1e-10)
    np.testing.assert_allclose(model.covariance.ravel(), STRATA[f"fine_gray_var_{cause}"], atol=1e-10)
    cox = cause_specific_cox(deals, "x1 + x2", outcome=f"c{cause}", strata=["region"])
    for clock in ("km", "identity"):
        tested = proportionality_test(cox, clock=clock).frame["estimate"]
        np.testing.assert_allclose(tested, STRATA[f"zph_{clock}_{cause}"], atol=1e-10)


@pytest.mark.parametrize("weights", [None, "pw"])
def test_proportionality_by_account_is_that_of_split_deals(weights: str | None) -> None:
    """R: score residuals of x:time at no effect on survSplit data, summed by account; `golden/make_proportional.R`."""
    r = pd.read_csv(GOLDEN / "proportional.csv").set_index("key").loc[weights or "one"]
    deals = load("syn_deals").assign(account=lambda d: d["id"] % 25)
    model = cause_specific_cox(deals, "x1 + x2", outcome="c1", cluster="account", weights=weights)
    shown = proportionality_test(model, clock="identity")
    np.testing.assert_allclose(shown.frame["estimate"], r["value"], rtol=1e-8)
    assert shown.frame["df"].tolist() == [1, 1, 2]
    p_value = hotelling(shown.frame["estimate"].to_numpy(), shown.frame["df"].to_numpy(), 25)
    np.testing.assert_allclose(shown.frame["p_value"], p_value, rtol=1e-10)
    assert shown.meta.variance.endswith("by account")


def hotelling(statistic: Any, df: Any, accounts: int) -> Any:
    """Hotelling's T-squared, (C - 1) q / (1 - q) with q = statistic / (C - 1), by the F distribution."""
    share = statistic / (accounts - 1)
    return scipy.stats.f.sf(share / (1 - share) * (accounts - df) / df, df, accounts - df)
