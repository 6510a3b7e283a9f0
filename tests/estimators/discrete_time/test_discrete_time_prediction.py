"""Predicted incidences: Aalen-Johansen where the model is saturated, numerical derivatives, conditional shares."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analytics.estimators.discrete_time.models import DiscreteTimeModel, discrete_time_model
from analytics.estimators.discrete_time.periods import PersonPeriods
from analytics.estimators.discrete_time.prediction import predicted_incidence, predicted_open, remaining_incidence
from analytics.estimators.incidence import cumulative_incidence, survival
from analytics.records.errors import InputError

OUTCOMES = ("won", "lost", "no_decision")


def person_weeks(seed: int = 11, deals: int = 150) -> pd.DataFrame:
    """Deals over five periods, in accounts, with a covariate, a segment and pushes."""
    rng = np.random.default_rng(seed)
    rows = []
    for deal in range(deals):
        x, segment, seller = round(rng.normal(), 1), "ab"[deal % 2], deal % 10
        for period in range(1, 6):
            odds = np.exp(np.array([-2.0, -1.7, -2.4]) + np.array([0.4, -0.2, 0.1]) * x + 0.05 * (seller - 4))
            p = odds / (1 + odds.sum())
            cause = int(np.searchsorted(np.cumsum(p), rng.random()))
            rows.append((deal, deal // 3, seller, segment, x, period, cause, int(rng.integers(0, 3))))
            if cause < 3:
                break
    names = ["deal_id", "account", "seller", "segment", "x", "period", "cause", "pushes"]
    frame = pd.DataFrame(rows, columns=names).assign(at_risk=1)
    return frame.assign(**{f"d_{name}": (frame["cause"] == k).astype(int) for k, name in enumerate(OUTCOMES)})


def fitted(formula: str = "C(period) + x + C(segment)", **how: Any) -> DiscreteTimeModel:
    return discrete_time_model(PersonPeriods(person_weeks(), OUTCOMES, n_deals=150), formula, **how)


def shares(model: DiscreteTimeModel, profiles: pd.DataFrame, horizon: int) -> np.ndarray:
    """Incidences and then open, one after the other."""
    frame = predicted_incidence(model, profiles, horizon=horizon).frame
    still = frame.loc[frame["outcome"] == frame["outcome"].iloc[0], "open"]
    return np.concatenate([frame["estimate"].to_numpy(), still.to_numpy()])


def errors(model: DiscreteTimeModel, profiles: pd.DataFrame, horizon: int) -> np.ndarray:
    made = predicted_incidence(model, profiles, horizon=horizon).frame["std_error"].to_numpy()
    return np.concatenate([made, predicted_open(model, profiles, horizon=horizon).frame["std_error"].to_numpy()])


PROFILES = pd.DataFrame({"x": [0.0, 1.5], "segment": ["a", "b"]}, index=["small", "large"])


def test_a_model_with_every_period_is_aalen_johansen_with_greenwood() -> None:
    made = PersonPeriods(person_weeks(), OUTCOMES, n_deals=150)
    model = discrete_time_model(made, "C(period)")
    mine = predicted_incidence(model, pd.DataFrame(index=[0]), horizon=5).frame
    theirs = cumulative_incidence(made.risk_table()).frame
    assert (mine["period"] == theirs["time"]).all()
    assert mine["time"].tolist() == [6, 13, 20, 27, 34] * 3
    for name in ("estimate", "std_error", "conf_low", "conf_high"):
        np.testing.assert_allclose(mine[name], theirs[name], atol=1e-9)
    still, curve = predicted_open(model, pd.DataFrame(index=[0]), horizon=5).frame, survival(made.risk_table()).frame
    for name in ("estimate", "std_error"):
        np.testing.assert_allclose(still[name], curve[name], atol=1e-9)


def test_outcomes_and_open_add_to_one() -> None:
    for how in ({}, {"cluster": "account"}, {"ridge": 2.0}, {"random": "seller"}):
        profiles = PROFILES.assign(seller=[3, None])
        frame = predicted_incidence(fitted(**how), profiles, horizon=5).frame  # type: ignore[arg-type]
        total = (
            frame.groupby(["profile", "time"])["estimate"].sum() + frame.groupby(["profile", "time"])["open"].first()
        )
        np.testing.assert_allclose(total, 1.0, atol=1e-12)
        assert len(frame) == 2 * 3 * 5


def test_incidence_is_its_definition() -> None:
    model = fitted()
    frame = predicted_incidence(model, PROFILES, horizon=5).frame
    table = model.coefficients.frame.set_index(["outcome", "term"])["estimate"]
    still, so_far = 1.0, dict.fromkeys(OUTCOMES, 0.0)
    for period in range(1, 6):
        odds = {}
        for k in OUTCOMES:
            eta = table[k, "Intercept"] + 1.5 * table[k, "x"] + table[k, "C(segment)[T.b]"]
            odds[k] = np.exp(eta + (table[k, f"C(period)[T.{period}]"] if period > 1 else 0.0))
        total = 1 + sum(odds.values())
        for k in OUTCOMES:
            so_far[k] += still * odds[k] / total
            row = frame[(frame["profile"] == "large") & (frame["outcome"] == k) & (frame["period"] == period)]
            assert row["estimate"].item() == pytest.approx(so_far[k], abs=1e-12)
            assert row["hazard"].item() == pytest.approx(odds[k] / total, abs=1e-12)
        still /= total


@pytest.mark.parametrize("how", [{}, {"cluster": "account"}, {"ridge": {"C(period)": 1.0}}])
def test_errors_are_the_delta_method(how: dict[str, Any]) -> None:
    """Derivatives by the coefficients, by finite differences."""
    model = fitted(**how)
    slopes, step = [], 1e-5
    for k in range(3):
        for j in range(len(model.coef)):
            moved = np.zeros_like(model.coef)
            moved[j, k] = step
            up, down = (shares(replace(model, coef=model.coef + sign * moved), PROFILES, 4) for sign in (1, -1))
            slopes.append((up - down) / (2 * step))
    by = np.array(slopes)
    np.testing.assert_allclose(errors(model, PROFILES, 4) ** 2, np.einsum("at,ab,bt->t", by, model.covariance, by),
                               rtol=1e-6)  # fmt: skip


def test_clustered_errors_are_the_jackknife_by_weights() -> None:
    """What an account adds is how a share moves with that account's weight, refitted each time."""
    frame = person_weeks(deals=60)
    formula, accounts = "period + x", frame["account"].unique()
    model = discrete_time_model(PersonPeriods(frame, OUTCOMES), formula, cluster="account")
    profiles, step, moved = PROFILES[["x"]], 1e-4, []
    for account in accounts:
        values = []
        for sign in (1, -1):
            weights = np.where(frame["account"] == account, 1 + sign * step, 1.0)
            made = PersonPeriods(frame.assign(w=weights), OUTCOMES).weighted("w")
            values.append(shares(discrete_time_model(made, formula, cluster="account"), profiles, 5))
        moved.append((values[0] - values[1]) / (2 * step))
    assert model.robust is not None  # no derivative knows of the correction for leverage: the plain sandwich is held
    plain = replace(model, robust=replace(model.robust, covariance=model.robust.sandwich))
    np.testing.assert_allclose(errors(plain, profiles, 5) ** 2, (np.array(moved) ** 2).sum(axis=0), rtol=1e-5)


def test_errors_with_random_intercepts_are_the_delta_method_given_their_variance() -> None:
    model = fitted("period + x", random="seller")
    assert model.groups is not None
    profiles = pd.DataFrame({"x": [0.5], "seller": [9]})
    place, terms = model.groups.labels.index(9), model.coef.shape[0]
    whole = np.block([[model.model, model.groups.cross[place]],
                      [model.groups.cross[place].T, model.groups.covariance[place]]])  # fmt: skip
    slopes, step = [], 1e-5
    for parameter in range(3 * terms + 3):
        values = []
        for sign in (1, -1):
            coef, effect = model.coef.copy(), model.groups.effect.copy()
            if parameter < 3 * terms:
                coef[parameter % terms, parameter // terms] += sign * step
            else:
                effect[place, parameter - 3 * terms] += sign * step
            values.append(shares(replace(model, coef=coef, groups=replace(model.groups, effect=effect)), profiles, 4))
        slopes.append((values[0] - values[1]) / (2 * step))
    by = np.array(slopes)
    np.testing.assert_allclose(errors(model, profiles, 4) ** 2, np.einsum("at,ab,bt->t", by, whole, by), rtol=1e-6)


def test_the_average_group_has_the_fixed_coefficients() -> None:
    model = fitted("period + x", random="seller")
    average = predicted_incidence(model, pd.DataFrame({"x": [0.5], "seller": [None]}), horizon=4)
    plain = replace(model, groups=None)
    alone = predicted_incidence(plain, pd.DataFrame({"x": [0.5]}), horizon=4)
    for name in ("estimate", "std_error"):
        np.testing.assert_allclose(average.frame[name], alone.frame[name], atol=1e-12)
    assert "taken as known" in average.meta.note
    for profiles, words in ((pd.DataFrame({"x": [0.5]}), "lack the column"),
                            (pd.DataFrame({"x": [0.5], "seller": [77]}), "in this group")):  # fmt: skip
        with pytest.raises(InputError, match=words):
            predicted_incidence(model, profiles, horizon=1)


def test_remaining_life_is_conditional_on_open() -> None:
    model = fitted()
    whole = predicted_incidence(model, PROFILES, horizon=5).frame.set_index(["profile", "outcome", "period"])
    later = predicted_incidence(model, PROFILES.assign(period=[3, 4]), horizon=2).frame
    for row in later.itertuples():
        start = 2 if row.profile == "small" else 3
        before = whole.loc[row.profile, row.outcome, start]
        f = whole.loc[row.profile, row.outcome, row.period]["estimate"]
        assert row.estimate == pytest.approx((f - before["estimate"]) / before["open"], abs=1e-12)
        assert row.time == 7 * row.period - 1


def test_open_deals_begin_with_their_next_whole_period() -> None:
    ages = [0, 5, 6, 7, 13, 14]
    deals = pd.DataFrame({"exit": ages, "outcome": "open", "x": 0.2, "segment": "a"})
    made = remaining_incidence(fitted(), deals, horizon=1).frame
    # the rest of a period that has begun is left aside; day 6 is the last day of period 1
    assert made.loc[made["outcome"] == "won", "period"].tolist() == [2, 2, 2, 3, 3, 4]
    assert ((made["period"] - 1) * 7 > np.tile(ages, 3)).all()
    with pytest.raises(InputError, match="1 deals are not open"):
        remaining_incidence(fitted(), deals.assign(outcome=["won"] + ["open"] * 5), horizon=1)


def test_what_the_deal_moves_gives_no_shares_unless_held() -> None:
    made = PersonPeriods(person_weeks(), OUTCOMES, internal=("pushes",), n_deals=150)
    model = discrete_time_model(made, "period + pushes")
    profiles = pd.DataFrame({"pushes": [2]})
    with pytest.raises(InputError, match="pushes, which the deal itself moves"):
        predicted_incidence(model, profiles, horizon=2)
    held = predicted_incidence(model, profiles, horizon=2, hold=True)
    assert "as if stage, pushes and silence stayed" in held.meta.note
    other = discrete_time_model(made, "period")  # the table has pushes, the formula does not read them
    assert predicted_incidence(other, profiles, horizon=2).meta.note == ""


@pytest.mark.parametrize(
    ("formula", "profiles", "horizon", "words"),
    [
        ("C(period)", pd.DataFrame(index=[0]), 6, "not fitted to such values"),
        ("bs(period, df=4)", pd.DataFrame(index=[0]), 6, "not fitted to such values"),
        ("C(segment)", pd.DataFrame({"segment": ["c"]}), 1, "no deal that the model was fitted to"),
        ("x", pd.DataFrame({"y": [1.0]}), 1, "the deals lack it"),
        ("x", pd.DataFrame({"x": [1.0, 2.0]}, index=["a", "a"]), 1, "same name"),
        ("x", pd.DataFrame({"x": []}), 1, "no profile"),
        ("x", pd.DataFrame({"x": [1.0]}), 0, "at least 1"),
        ("x", pd.DataFrame({"x": [1.0], "period": [0]}), 1, "from 1"),
    ],
)
def test_unusable_profiles_are_named(formula: str, profiles: pd.DataFrame, horizon: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        predicted_incidence(fitted(formula), profiles, horizon=horizon)


def test_many_profiles_are_taken_in_parts() -> None:
    model = fitted("period + x")
    many = pd.DataFrame({"x": np.linspace(-2, 2, 450)})
    frame = predicted_incidence(model, many, horizon=3).frame
    one = predicted_incidence(model, many.loc[[433]], horizon=3).frame
    part = frame[frame["profile"] == 433]
    for name in ("estimate", "std_error", "conf_low", "conf_high"):
        np.testing.assert_allclose(part[name], one[name], atol=1e-12)
