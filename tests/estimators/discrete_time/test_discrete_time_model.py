"""The multinomial hazard model against R and statsmodels, and what must hold whatever the counts are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.estimators.discrete_time.models import DiscreteTimeModel, discrete_time_model
from analytics.estimators.discrete_time.one_outcome import one_outcome_model
from analytics.estimators.discrete_time.periods import PersonPeriods, person_periods
from analytics.estimators.hazards.coefficients import BY_ACCOUNT
from analytics.estimators.incidence import cumulative_incidence
from analytics.records.errors import InputError

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
VALUES = json.loads((GOLDEN / "discrete_time.json").read_text())
CAUSES = ("1", "2", "3")
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def table() -> PersonPeriods:
    frame = pd.read_csv(GOLDEN / "inputs" / "syn_rc_person_period.csv")
    ended = {f"d_{k}": (frame["y"] == int(k)).astype(int) for k in CAUSES}
    return PersonPeriods(frame.assign(at_risk=1, **ended), CAUSES, n_deals=260)


def golden(key: str) -> dict[str, Any]:
    value: dict[str, Any] = VALUES[key]["value"]
    return value


def r_name(term: str) -> str:
    return term.replace("Intercept", "(Intercept)").replace("C(pb)[T.", "factor(pb)").replace("]", "")


def same_fit(a: DiscreteTimeModel, b: DiscreteTimeModel, atol: float = 1e-9) -> None:
    left, right = a.coefficients.frame, b.coefficients.frame
    assert left["term"].tolist() == right["term"].tolist()
    for name in ("estimate", "std_error", "model_std_error"):
        np.testing.assert_allclose(left[name], right[name], atol=atol)


def test_same_as_vglm(table: PersonPeriods) -> None:
    """`discrete_multinomial_vglm`; its standard errors are from the iteration before the last."""
    value = golden("discrete_multinomial_vglm")
    model = discrete_time_model(table, "C(pb) + x1 + x2")
    frame = model.coefficients.frame
    keys = [f"{r_name(term)}:{outcome}" for outcome, term in zip(frame["outcome"], frame["term"], strict=True)]
    assert sorted(keys) == sorted(value["coef"])
    np.testing.assert_allclose(frame["estimate"], [value["coef"][key] for key in keys], atol=1e-12)
    np.testing.assert_allclose(frame["std_error"], [value["se"][key] for key in keys], atol=1e-10)
    assert model.loglik == pytest.approx(value["loglik"], abs=1e-11)


def test_same_as_glm_with_cloglog(table: PersonPeriods) -> None:
    """`discrete_cloglog_cause1_glm`: R stops short; one scoring step from its coefficients lands on ours."""
    value = golden("discrete_cloglog_cause1_glm")
    frame = one_outcome_model(table, "C(pb) + x1 + x2", outcome="1").frame
    theirs = np.array([value["coef"][r_name(term)] for term in frame["term"]])
    np.testing.assert_allclose(frame["estimate"], theirs, atol=5e-8)
    np.testing.assert_allclose(frame["std_error"], [value["se"][r_name(term)] for term in frame["term"]], atol=2e-7)
    rows = table.frame
    pooled = [(rows["pb"] == k).astype(float) for k in range(2, 7)]
    x = np.column_stack([np.ones(len(rows)), *pooled, rows["x1"], rows["x2"]])

    def scoring(beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        eta = np.exp(x @ beta)
        p = -np.expm1(-eta)
        information = x.T @ (x * (eta**2 * (1 - p) / p)[:, None])
        return np.linalg.solve(information, x.T @ ((rows["d_1"] - p) / p * eta)), information

    np.testing.assert_allclose(theirs + scoring(theirs)[0], frame["estimate"], atol=1e-11)
    errors = np.sqrt(np.diag(np.linalg.inv(scoring(frame["estimate"].to_numpy())[1])))
    np.testing.assert_allclose(frame["std_error"], errors, atol=1e-11)


def test_same_life_table_as_r(table: PersonPeriods) -> None:
    """`discrete_lifetable_counts`: from R's person-periods, and from the deals that they were made of."""
    value = golden("discrete_lifetable_counts")
    deals = pd.read_csv(GOLDEN / "inputs" / "syn_deals_rc.csv").query("segment in ['A', 'B', 'C', 'D']")
    # R's week ends with the 7th day after opening; here the day of opening is the first day of the first week
    deals = deals.assign(entry=deals["entry"] - 1, exit=deals["exit"] - 1,
                         outcome=np.where(deals["status"] == 0, "open", deals["status"].astype(str)))  # fmt: skip
    for made in (table, person_periods(deals, outcomes=CAUSES)):
        counts = made.counted(["period"])
        assert counts["period"].tolist() == value["period"]
        assert counts["at_risk"].tolist() == value["n"]
        incidence = cumulative_incidence(made.risk_table()).frame
        for k in CAUSES:
            assert counts[f"d_{k}"].tolist() == value[f"c{k}"]
            np.testing.assert_allclose(incidence.loc[incidence["outcome"] == k, "estimate"], value[f"F{k}"], atol=1e-14)
        last = incidence.groupby("time")["estimate"].sum()
        np.testing.assert_allclose(1 - last, value["S"], atol=1e-14)


@pytest.mark.parametrize("link", ["cloglog", "logit"])
def test_one_outcome_by_account_as_r(table: PersonPeriods, link: Any) -> None:
    """R: sandwich::vcovCL(glm(...), ~account, type = "HC0", cadjust = FALSE), `golden/make_one_outcome.R`."""
    theirs = pd.read_csv(GOLDEN / "one_outcome.csv").query("link == @link").set_index("term")
    made = replace(table, frame=table.frame.assign(account=table.frame["id"] % 25))
    shown = one_outcome_model(made, "C(pb) + x1 + x2", outcome="1", link=link, cluster="account")
    r = theirs.loc[[r_name(term) for term in shown.frame["term"]]]
    np.testing.assert_allclose(shown.frame["estimate"], r["coef"], atol=1e-8)
    np.testing.assert_allclose(shown.frame["sandwich_std_error"], r["robust_se"], atol=1e-7)
    assert (shown.frame["std_error"] > shown.frame["sandwich_std_error"]).all()
    assert shown.meta.variance == BY_ACCOUNT


def test_clusters_of_one_outcome_are_those_of_several() -> None:
    """One outcome: the multinomial model's sandwich, and its correction for leverage written out."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"period": rng.integers(1, 4, 400), "x": rng.normal(size=400), "at_risk": 1,
                          "account": rng.integers(0, 40, 400)})  # fmt: skip
    frame["d_won"] = (rng.random(400) < 0.3).astype(int)
    made = PersonPeriods(frame, ("won",))
    mine = discrete_time_model(made, "C(period) + x", cluster="account")
    other = one_outcome_model(made, "C(period) + x", outcome="won", link="logit", cluster="account").frame
    found = mine.coefficients.frame
    for name in ("estimate", "sandwich_std_error", "std_error", "conf_low", "conf_high"):
        np.testing.assert_allclose(found[name], other[name], atol=1e-10)
    assert mine.coefficients.meta.n_accounts == 40
    assert "corrected for leverage" in mine.coefficients.meta.variance
    # by hand: each account's score times (1 - H)^(-1/2) in the basis of the information, times C / (C - 1)
    x = np.column_stack([np.ones(400), frame["period"] == 2, frame["period"] == 3, frame["x"]]).astype(float)
    p = 1 / (1 + np.exp(-x @ found["estimate"].to_numpy()))
    values, vectors = np.linalg.eigh(np.linalg.inv(x.T @ (x * (p * (1 - p))[:, None])))
    root = vectors @ np.diag(np.sqrt(values)) @ vectors.T
    total = np.zeros((4, 4))
    for account in range(40):
        of = (frame["account"] == account).to_numpy()
        size, axis = np.linalg.eigh(root @ (x[of].T @ (x[of] * (p * (1 - p))[of, None])) @ root)
        moved = axis @ np.diag((1 - size) ** -0.5) @ axis.T @ root @ (x[of].T @ (frame["d_won"] - p)[of])
        total += np.outer(root @ moved, root @ moved) * 40 / 39
    np.testing.assert_allclose(found["std_error"], np.sqrt(np.diag(total)), rtol=1e-8)


@st.composite
def person_period_frames(draw: st.DrawFn) -> pd.DataFrame:
    seed = draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    n = draw(st.integers(200, 300))  # few enough to be quick, enough that nothing separates
    frame = pd.DataFrame({"period": rng.integers(1, 7, n), "x": rng.integers(-2, 3, n) / 2, "at_risk": 1,
                          "segment": rng.choice(["a", "b"], n), "account": rng.integers(0, 20, n)})  # fmt: skip
    cause = rng.choice(4, n, p=[0.4, 0.2, 0.2, 0.2])
    return frame.assign(**{f"d_{k}": (cause == k).astype(int) for k in (1, 2, 3)})


FORMULA = "bs(period, df=3, degree=2) + x + C(segment)"


@QUICK
@given(person_period_frames(), st.randoms(use_true_random=False))
def test_order_grouping_and_names_change_nothing(frame: pd.DataFrame, order: Any) -> None:
    """Also not the knots of a spline, which come from distinct patterns."""
    one = discrete_time_model(PersonPeriods(frame, CAUSES), FORMULA, cluster="account", ridge={"x": 1.0})
    mixed = frame.sample(frac=1, random_state=order.randrange(2**31))
    same_fit(one, discrete_time_model(PersonPeriods(mixed, CAUSES), FORMULA, cluster="account", ridge={"x": 1.0}))
    grouped = PersonPeriods(frame, CAUSES).counted(["account", "period", "x", "segment"])
    same_fit(one, discrete_time_model(PersonPeriods(grouped, CAUSES), FORMULA, cluster="account", ridge={"x": 1.0}))
    turned = discrete_time_model(PersonPeriods(frame, ("3", "1", "2")), FORMULA, cluster="account", ridge={"x": 1.0})
    np.testing.assert_allclose(turned.coef[:, [1, 2, 0]], one.coef, atol=1e-9)


@QUICK
@given(person_period_frames(), st.floats(0.1, 7.0))
def test_the_scale_of_weights_changes_no_robust_error(frame: pd.DataFrame, weight: float) -> None:
    made = PersonPeriods(frame.assign(w=weight), CAUSES)
    one = discrete_time_model(made, "x + C(segment)", cluster="account")
    other = discrete_time_model(made.weighted("w"), "x + C(segment)", cluster="account")
    np.testing.assert_allclose(one.coef, other.coef, atol=1e-9)
    assert one.robust is not None
    assert other.robust is not None
    np.testing.assert_allclose(one.robust.covariance, other.robust.covariance, atol=1e-9)


@QUICK
@given(person_period_frames())
def test_the_maximum_solves_the_penalised_equations(frame: pd.DataFrame) -> None:
    """Score minus ridge times coefficient is 0 for raw covariates, and the covariance is the inverse information."""
    ridge = {"x": 3.0, "C(segment)": 0.5}
    model = discrete_time_model(PersonPeriods(frame, CAUSES), "x + C(segment)", ridge=ridge)
    x = np.column_stack([np.ones(len(frame)), frame["x"], frame["segment"] == "b"])
    odds = np.exp(x @ model.coef)
    p = odds / (1 + odds.sum(axis=1, keepdims=True))
    residual = frame[["d_1", "d_2", "d_3"]].to_numpy() - p
    lam = np.array([0.0, 3.0, 0.5])
    np.testing.assert_allclose(x.T @ residual, lam[:, None] * model.coef, atol=1e-7)
    whole = sum(np.kron(np.diag(q) - np.outer(q, q), np.outer(r, r)) for q, r in zip(p, x, strict=True))
    np.testing.assert_allclose(np.linalg.inv(model.model), whole + np.diag(np.tile(lam, 3)), rtol=1e-7, atol=1e-7)


def test_intercepts_alone_are_the_overall_hazards() -> None:
    frame = pd.DataFrame({"period": [1], "at_risk": [10], "d_won": [2], "d_lost": [3]})
    model = discrete_time_model(PersonPeriods(frame, ("won", "lost")), "1")
    np.testing.assert_allclose(model.coef[0], np.log([2 / 5, 3 / 5]), atol=1e-12)
    np.testing.assert_allclose(np.diag(model.model), [1 / 2 + 1 / 5, 1 / 3 + 1 / 5], atol=1e-12)  # of a log odds


SEPARATED = pd.DataFrame({"period": [1, 2, 3], "at_risk": [20, 20, 5], "d_won": [5, 4, 0], "d_lost": [2, 3, 2]})


def test_separation_is_named_and_a_ridge_answers_it() -> None:
    made = PersonPeriods(SEPARATED, ("won", "lost"))
    with pytest.raises(InputError, match=r"won is infinite.*") as error:
        discrete_time_model(made, "C(period)")
    assert "C(period)[T.3]" in str(error.value)
    model = discrete_time_model(made, "C(period)", ridge={"C(period)": 0.1})
    assert np.isfinite(model.coefficients.frame["std_error"]).all()
    assert model.coefficients.at(term="C(period)[T.3]", outcome="won")["estimate"].item() < -1
    strong = discrete_time_model(made, "C(period)", ridge=1e9)
    np.testing.assert_allclose(strong.coef[1:], 0, atol=1e-7)
    np.testing.assert_allclose(strong.coef[0], np.log(np.array([9, 7]) / 29), atol=1e-7)
    with pytest.raises(InputError, match=r"does not settle|no deal had"):
        one_outcome_model(made, "C(period)", outcome="won")
    rows = pd.DataFrame({"period": np.repeat([1, 2], 40), "x": [0, 1] * 40, "s": np.linspace(-1, 1, 80), "at_risk": 1,
                         "d_won": [1, 0, 0, 0] * 20})  # fmt: skip
    for link in ("cloglog", "logit"):  # statsmodels settles on a ratio of 1e-17 here
        with pytest.raises(InputError, match="does not settle"):
            one_outcome_model(PersonPeriods(rows, ("won",)), "x + s", outcome="won", link=link)  # type: ignore[arg-type]


def test_a_far_outlier_is_no_separation() -> None:
    """Its log odds lie far out, and the maximum is where the score is 0."""
    rng = np.random.default_rng(4)
    x = np.append(rng.normal(size=400), 60.0)
    won = np.append(rng.random(400) < 1 / (1 + np.exp(1 - x[:-1])), True).astype(int)
    frame = pd.DataFrame({"period": 1, "x": x, "at_risk": 1, "d_won": won})
    model = discrete_time_model(PersonPeriods(frame, ("won",)), "x")
    assert model.coef[1, 0] * 60 > 40
    residual = won - 1 / (1 + np.exp(-model.coef[0, 0] - model.coef[1, 0] * x))
    np.testing.assert_allclose([residual.sum(), residual @ x], 0, atol=1e-8)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"formula": "C(period) + y"}, "the deals lack it"),
        ({"formula": "bs(perod, df=4)"}, "Did you mean 'period'"),
        ({"formula": "C(period) +"}, "cannot be read"),
        ({"formula": "1", "cluster": "acount"}, "account"),
        ({"formula": "1", "cluster": "account", "random": "account"}, "do not go together"),
        ({"formula": "x", "ridge": {"z": 1.0}}, "no such term"),
        ({"formula": "x", "ridge": -1.0}, "negative"),
        ({"formula": "x", "cluster": "x"}, "the formula reads"),
        ({"formula": "x", "cluster": "one"}, "at least two clusters"),
    ],
)
def test_unusable_requests_are_named(how: dict[str, Any], words: str) -> None:
    frame = SEPARATED.assign(x=[1.0, 2.0, 4.0], account=["a", "b", "c"], one="a")
    with pytest.raises(InputError, match=words):
        discrete_time_model(PersonPeriods(frame, ("won", "lost")), **how)


def test_weights_need_clusters_and_outcomes_need_events() -> None:
    made = PersonPeriods(SEPARATED.assign(w=0.3), ("won", "lost"))
    with pytest.raises(InputError, match="robust"):
        discrete_time_model(made.weighted("w"), "1")
    with pytest.raises(InputError, match="no deal had this outcome"):
        discrete_time_model(PersonPeriods(SEPARATED.assign(d_won=0), ("won", "lost")), "1")
    with pytest.raises(InputError, match="every deal ended"):
        discrete_time_model(PersonPeriods(SEPARATED.assign(at_risk=SEPARATED["d_won"] + SEPARATED["d_lost"]),
                                          ("won", "lost")), "1")  # fmt: skip
