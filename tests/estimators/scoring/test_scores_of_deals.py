"""Brier, AUC, concordance and O/E against loops that are too simple to be wrong, and their errors by perturbation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from analytics.estimators.counts import count_events
from analytics.estimators.incidence import cumulative_incidence
from analytics.estimators.influence import Influence
from analytics.estimators.scoring.auc import time_dependent_auc
from analytics.estimators.scoring.brier import ALL, brier_score
from analytics.estimators.scoring.calibration import observed_expected
from analytics.estimators.scoring.cohort import Forecasts, forecasts_of
from analytics.estimators.scoring.concordance import Pass, concordance, sum_pairs
from analytics.estimators.scoring.joint import integrated_score, prediction_accuracy, score_differences
from analytics.records.errors import InputError

QUICK = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
OUTCOMES = ("lost", "won")
HORIZONS = (4.0, 8.0)
NUMBERS = ["estimate", "std_error", "conf_low", "conf_high"]


def told(p: np.ndarray, outcomes: tuple[str, ...] = OUTCOMES, horizons: tuple[float, ...] = HORIZONS) -> Forecasts:
    return Forecasts(outcomes, horizons, {"a": p, "b": p[::-1]})


@st.composite
def cases(draw: st.DrawFn, least: int = 3) -> tuple[pd.DataFrame, Forecasts]:
    """Deals that are followed to day 12 by at least one, with forecasts on a coarse grid, so that ties occur."""
    row = st.tuples(st.integers(0, 11), st.sampled_from(["won", "lost", "open", "won", "lost"]), st.integers(0, 4),
                    *[st.integers(0, 5)] * 4)  # fmt: skip
    rows = draw(st.lists(row, min_size=least, max_size=20))
    frame = pd.DataFrame([r[:3] for r in rows], columns=["exit", "outcome", "account"])
    frame.loc[len(frame)] = [12, "open", 9]
    p = np.array([r[3:] for r in rows] + [(1, 2, 3, 4)], dtype=float).reshape(-1, 2, 2) / 10
    return frame.assign(entry=-1).astype({"exit": np.int64, "account": np.int64}), told(np.sort(p, axis=2))


def watched(deals: pd.DataFrame, at: float, inclusive: bool) -> float:
    """Share still watched: reverse Kaplan-Meier, outcomes before censorings of the same day."""
    share = 1.0
    for t in sorted(set(deals["exit"])):
        if t > at or (t == at and not inclusive):
            break
        censored = ((deals["exit"] == t) & (deals["outcome"] == "open")).sum()
        at_risk = ((deals["exit"] > t) | ((deals["exit"] == t) & (deals["outcome"] == "open"))).sum()
        share *= 1 - censored / at_risk if at_risk else 1.0
    return share


def slow_weights(deals: pd.DataFrame, t: float) -> list[float]:
    weights = []
    for leave, outcome in zip(deals["exit"], deals["outcome"], strict=True):
        if leave <= t and outcome != "open":
            weights.append(1 / watched(deals, leave, inclusive=False))
        else:
            weights.append(1 / watched(deals, t, inclusive=True) if leave > t else 0.0)
    return weights


@QUICK
@given(cases())
def test_brier_is_its_definition(case: tuple[pd.DataFrame, Forecasts]) -> None:
    deals, forecasts = case
    frame = brier_score(deals, forecasts).estimate.frame.set_index(["model", "outcome", "time"])["estimate"]
    for h, t in enumerate(HORIZONS):
        weights, together = slow_weights(deals, t), 0.0
        for k, outcome in enumerate((*OUTCOMES, "open")):
            total = 0.0
            for i, (leave, ended) in enumerate(zip(deals["exit"], deals["outcome"], strict=True)):
                p = forecasts.models["a"][i, :, h]
                state = ended if leave <= t else "open"
                total += weights[i] * ((state == outcome) - (p[k] if k < 2 else 1 - p.sum())) ** 2
            assert frame["a", outcome, t] == pytest.approx(total / len(deals), abs=1e-12)
            together += total / len(deals)
        assert frame["a", ALL, t] == pytest.approx(together, abs=1e-12)


@QUICK
@given(cases())
def test_null_is_aalen_johansen(case: tuple[pd.DataFrame, Forecasts]) -> None:
    """With weights that add to the deals, the null's Brier score is F (1 - F)."""
    deals, forecasts = case
    shares = cumulative_incidence(count_events(deals, outcomes=OUTCOMES), times=HORIZONS).frame
    brier = brier_score(deals, forecasts).estimate
    for _, row in shares.iterrows():
        value = brier.at(model="null", outcome=row["outcome"], time=row["time"])["estimate"].iloc[0]
        assert value == pytest.approx(row["estimate"] * (1 - row["estimate"]), abs=1e-12)


@QUICK
@given(cases())
def test_auc_is_its_definition(case: tuple[pd.DataFrame, Forecasts]) -> None:
    deals, forecasts = case
    frame = time_dependent_auc(deals, forecasts).estimate.frame
    for _, row in frame[frame["model"] == "a"].iterrows():
        h, k = HORIZONS.index(row["time"]), OUTCOMES.index(row["outcome"])
        weights, p = slow_weights(deals, row["time"]), forecasts.models["a"][:, k, h]
        had = ((deals["exit"] <= row["time"]) & (deals["outcome"] == row["outcome"])).to_numpy()
        top = bottom = 0.0
        for i in np.flatnonzero(had):
            for j in np.flatnonzero(~had):
                pair = weights[i] * weights[j]
                top, bottom = top + pair * (float(p[i] > p[j]) + float(p[i] == p[j]) / 2), bottom + pair
        if bottom:
            assert row["estimate"] == pytest.approx(top / bottom, abs=1e-12)
        else:
            assert np.isnan(row["estimate"])
            assert row["no_interval_reason"] == "there are no deals with the outcome, or none without it"


@QUICK
@given(cases(), st.sampled_from(["harrell", "wolbers"]))
def test_concordance_is_its_definition(case: tuple[pd.DataFrame, Forecasts], pairs: Any) -> None:
    deals, forecasts = case
    deals = deals.assign(score=forecasts.models["a"][:, 1, 0])
    top = bottom = 0.0
    for i in range(len(deals)):
        t, outcome, score = deals.loc[i, ["exit", "outcome", "score"]]
        if outcome != "won" or t > 8:
            continue
        first = 1 / watched(deals, t, inclusive=False)
        for j in range(len(deals)):
            u, other, lower = deals.loc[j, ["exit", "outcome", "score"]]
            if u > t or (u == t and other == "open"):
                pair = first / watched(deals, t, inclusive=True)
            elif other == "lost":
                pair = first / watched(deals, u, inclusive=False)
            else:
                continue
            pair = 1.0 if pairs == "harrell" else pair
            top, bottom = top + pair * (float(score > lower) + float(score == lower) / 2), bottom + pair
    if not bottom:
        with pytest.raises(InputError, match="no pair of deals"):
            concordance(deals, "score", outcome="won", pairs=pairs, horizon=8)
        return
    mine = concordance(deals, "score", outcome="won", pairs=pairs, horizon=8).estimate.frame["estimate"].iloc[0]
    assert mine == pytest.approx(top / bottom, abs=1e-12)


def test_pairs_of_many_deals() -> None:
    """Against all pairs at once, with ties of time and of rank and with weights."""
    rng = np.random.default_rng(2)
    order, x = rng.integers(0, 40, 300), rng.integers(0, 90, 300) / 7
    first, later = rng.uniform(size=300), rng.uniform(size=300)
    good, total = sum_pairs([Pass(order, first, later)], x)
    pair = (order[:, None] < order) * first[:, None] * later
    right = pair * ((x[:, None] > x) + (x[:, None] == x) / 2)
    np.testing.assert_allclose(total, pair.sum(axis=0) + pair.sum(axis=1), atol=1e-10)
    np.testing.assert_allclose(good, right.sum(axis=0) + right.sum(axis=1), atol=1e-10)


def many(n: int = 14, seed: int = 8) -> tuple[pd.DataFrame, Forecasts]:
    rng = np.random.default_rng(seed)
    deals = pd.DataFrame({"entry": -1, "exit": rng.integers(1, 12, n), "account": rng.integers(0, 5, n),
                          "outcome": rng.choice(["won", "lost", "open"], n)})  # fmt: skip
    deals.loc[0, ["exit", "outcome"]] = [13, "open"]
    return deals, told(np.sort(rng.uniform(0, 0.5, (n, 2, 2)), axis=2))


ALONE: dict[str, Callable[..., Influence]] = {"brier": brier_score, "auc": time_dependent_auc, "oe": observed_expected}
SCORES: dict[str, Callable[..., Influence]] = {
    **ALONE,
    "integrated": lambda *a, **k: integrated_score(brier_score(*a, **k)),
}


@pytest.mark.parametrize("name", SCORES)
def test_influence_is_the_derivative(name: str) -> None:
    """One more copy of a deal among thousands of copies of all: what that changes is the deal's influence."""
    deals, forecasts = many()
    copies, n = 4000, len(deals)
    joint = SCORES[name](deals, forecasts)
    base = joint.estimate.frame["estimate"].to_numpy()
    known = ~np.isnan(base)
    scale = base if name == "oe" else np.ones(len(base))  # O/E carries the influence on the log of the ratio
    for i in range(0, n, 3):
        counts = np.full(n, copies)
        counts[i] += 1
        moved = SCORES[name](deals.assign(n=counts), forecasts, counts="n").estimate.frame["estimate"].to_numpy()
        slope = (moved - base) / scale * (copies * n + 1)
        mine = joint.values[i] * n / np.sqrt(n / (n - 1))
        np.testing.assert_allclose(mine[known], slope[known], atol=2e-3, rtol=2e-3)


def test_auc_error_without_censoring_is_delong() -> None:
    rng = np.random.default_rng(5)
    n = 60
    deals = pd.DataFrame({"entry": -1, "exit": rng.integers(0, 20, n), "outcome": rng.choice(["won", "lost"], n)})
    p = rng.integers(0, 30, n) / 30
    row = time_dependent_auc(deals, Forecasts(("won",), (30.0,), {"a": p[:, None, None]})).estimate.frame.iloc[0]
    won = (deals["outcome"] == "won").to_numpy()
    above = (p[won][:, None] > p[~won]) + (p[won][:, None] == p[~won]) / 2
    by_case, by_control = above.mean(axis=1), above.mean(axis=0)
    variance = by_case.var() / won.sum() + by_control.var() / (~won).sum()
    assert row["estimate"] == pytest.approx(above.mean(), abs=1e-14)
    assert row["std_error"] == pytest.approx(np.sqrt(variance * n / (n - 1)), abs=1e-12)


def test_error_of_observed_is_that_of_the_incidence() -> None:
    """Forecasts without spread leave the error of the Aalen-Johansen share."""
    deals, _ = many(40)
    flat = Forecasts(("won",), HORIZONS, {"a": np.full((40, 1, 2), 0.3)})
    mine = observed_expected(deals, flat).estimate.frame
    risk = count_events(deals, outcomes=OUTCOMES)
    shares = cumulative_incidence(risk, times=HORIZONS, variance="infinitesimal_jackknife").at(outcome="won")
    np.testing.assert_allclose(mine["observed"], shares["estimate"], atol=1e-13)
    np.testing.assert_allclose(mine["std_error"] * 0.3, shares["std_error"] * np.sqrt(40 / 39), atol=1e-12)


def test_accounts_are_summed() -> None:
    deals, forecasts = many()
    alone, grouped = brier_score(deals, forecasts), brier_score(deals, forecasts, cluster="account")
    n, size = len(deals), deals["account"].nunique()
    raw = alone.values * n / np.sqrt(n / (n - 1))
    sums = pd.DataFrame(raw).groupby(deals["account"].to_numpy()).sum().to_numpy() / n
    expected = np.sqrt((sums**2).sum(axis=0) * size / (size - 1))
    np.testing.assert_allclose(grouped.estimate.frame["std_error"], expected, atol=1e-12)
    assert grouped.estimate.meta.n_accounts == size
    own = brier_score(deals.assign(account=np.arange(n)), forecasts, cluster="account")
    np.testing.assert_allclose(own.estimate.frame["std_error"], alone.estimate.frame["std_error"], atol=1e-14)


def test_accuracy_and_integrated_by_hand() -> None:
    deals, forecasts = many()
    brier = brier_score(deals, forecasts)
    frame = brier.estimate.frame.set_index(["model", "outcome", "time"])["estimate"]
    shown = prediction_accuracy(brier).at(model="a", outcome="won", time=4.0)["estimate"].iloc[0]
    assert shown == pytest.approx(1 - frame["a", "won", 4.0] / frame["null", "won", 4.0], abs=1e-14)
    together = integrated_score(brier).estimate.at(model="a", outcome="won")["estimate"].iloc[0]
    assert together == pytest.approx((frame["a", "won", 4.0] + frame["a", "won", 8.0]) / 2, abs=1e-14)
    null = integrated_score(brier).estimate.at(model="null", outcome="won")["estimate"].iloc[0]
    overall = prediction_accuracy(integrated_score(brier)).at(model="a", outcome="won")["estimate"].iloc[0]
    assert overall == pytest.approx(1 - together / null, abs=1e-14)
    gap = score_differences(brier, reference="b").at(model="a", outcome="won", time=8.0)["estimate"].iloc[0]
    assert gap == pytest.approx(frame["a", "won", 8.0] - frame["b", "won", 8.0], abs=1e-14)


@QUICK
@given(cases())
def test_null_accuracy_is_zero_and_a_perfect_forecast_scores_zero(case: tuple[pd.DataFrame, Forecasts]) -> None:
    deals, forecasts = case
    null = prediction_accuracy(brier_score(deals, forecasts)).at(model="null")
    assert (null["estimate"].isin([0.0]) | (null["no_interval_reason"] == "the null model has no error")).all()
    truth = np.stack([np.column_stack([(deals["exit"] <= t) & (deals["outcome"] == k) for t in HORIZONS])
                      for k in OUTCOMES], axis=1).astype(float)  # fmt: skip
    perfect = brier_score(deals, Forecasts(OUTCOMES, HORIZONS, {"truth": truth}))
    mine = perfect.estimate.at(model="truth")
    assert (mine["estimate"] == 0).all()
    assert mine["conf_low"].isna().all()  # without an error no interval is invented
    accuracy = prediction_accuracy(perfect).at(model="truth")["estimate"].dropna()
    assert (accuracy == 1).all()


@QUICK
@given(cases(), st.randoms(use_true_random=False), st.sampled_from([None, "account"]))
def test_row_order_changes_nothing(case: tuple[pd.DataFrame, Forecasts], order: Any, cluster: str | None) -> None:
    deals, forecasts = case
    places = list(range(len(deals)))
    order.shuffle(places)
    moved = Forecasts(OUTCOMES, HORIZONS, {name: p[places] for name, p in forecasts.models.items()})
    for score in ALONE.values():
        a, b = (
            score(d, f, cluster=cluster).estimate.frame for d, f in ((deals, forecasts), (deals.iloc[places], moved))
        )
        np.testing.assert_allclose(a[NUMBERS].to_numpy(float), b[NUMBERS].to_numpy(float), atol=1e-10)


@QUICK
@given(cases(), st.lists(st.integers(1, 3), min_size=21, max_size=21))
def test_grouping_changes_nothing(case: tuple[pd.DataFrame, Forecasts], numbers: list[int]) -> None:
    deals, forecasts = case
    counts = np.array(numbers[: len(deals)])
    rows = np.repeat(np.arange(len(deals)), counts)
    spread = Forecasts(OUTCOMES, HORIZONS, {name: p[rows] for name, p in forecasts.models.items()})
    for score in ALONE.values():
        a = score(deals.assign(n=counts), forecasts, counts="n").estimate.frame
        b = score(deals.iloc[rows], spread).estimate.frame
        np.testing.assert_allclose(a[NUMBERS].to_numpy(float), b[NUMBERS].to_numpy(float), atol=1e-12)


@QUICK
@given(cases())
def test_permuting_outcomes_permutes_scores(case: tuple[pd.DataFrame, Forecasts]) -> None:
    deals, forecasts = case
    swap = {"won": "lost", "lost": "won", "open": "open", ALL: ALL}
    other = Forecasts(("won", "lost"), HORIZONS, forecasts.models)
    for score in ALONE.values():
        a = score(deals, forecasts).estimate
        b = score(deals.assign(outcome=deals["outcome"].map(swap)), other).estimate
        b = b.frame.assign(outcome=b.frame["outcome"].map(swap))
        both = a.frame.merge(b, on=list(a.meta.keys))
        assert len(both) == len(a.frame)
        for name in NUMBERS:
            np.testing.assert_allclose(both[f"{name}_x"], both[f"{name}_y"], atol=1e-12)


@QUICK
@given(cases(), st.integers(1, 50))
def test_time_shift_changes_nothing(case: tuple[pd.DataFrame, Forecasts], days: int) -> None:
    deals, forecasts = case
    later = deals.assign(entry=deals["entry"] + days, exit=deals["exit"] + days)
    moved = Forecasts(OUTCOMES, tuple(t + days for t in HORIZONS), forecasts.models)
    for score in ALONE.values():
        a, b = (score(d, f, landmark=s).estimate.frame for d, f, s in ((deals, forecasts, 0), (later, moved, days)))
        np.testing.assert_allclose(a[NUMBERS].to_numpy(float), b[NUMBERS].to_numpy(float), atol=1e-12)


@QUICK
@given(cases())
def test_reversed_forecasts_reverse_the_auc(case: tuple[pd.DataFrame, Forecasts]) -> None:
    deals, forecasts = case
    reverse = Forecasts(OUTCOMES, HORIZONS, {name: 1 - p for name, p in forecasts.models.items()})
    a, b = (time_dependent_auc(deals, f).estimate.frame for f in (forecasts, reverse))
    np.testing.assert_allclose(a["estimate"], 1 - b["estimate"], atol=1e-12)
    np.testing.assert_allclose(a["std_error"], b["std_error"], atol=1e-12)


def test_late_entrants_wait_for_a_landmark() -> None:
    deals, forecasts = many()
    deals.loc[[2, 5], "entry"] = [0, 1]
    deals.loc[[2, 5], "exit"] = [9, 7]
    kept = ~deals.index.isin([2, 5])
    less = Forecasts(OUTCOMES, HORIZONS, {name: p[kept] for name, p in forecasts.models.items()})
    mine = brier_score(deals, forecasts).estimate
    pd.testing.assert_frame_equal(mine.frame, brier_score(deals[kept], less).estimate.frame)
    assert mine.meta.note == "2 rows came under watch on day 0 or later, 0 had left; they are not judged."
    assert mine.meta.n_deals == len(deals) - 2
    assert "0 rows came under watch" in brier_score(deals, forecasts, landmark=2).estimate.meta.note
    at_two = deals["exit"] >= 2
    assert brier_score(deals, forecasts, landmark=2).estimate.meta.n_deals == at_two.sum()


def test_horizons_beyond_follow_up_are_left_out() -> None:
    deals, forecasts = many()
    further = Forecasts(OUTCOMES, (4.0, 13.0), forecasts.models)  # the last deal was open on day 13
    estimate = brier_score(deals, further).estimate
    assert set(estimate.frame["time"]) == {4.0}
    assert "No deal is followed beyond day 13: later horizons are left out." in estimate.meta.note
    ended = deals[deals["exit"] < 13].assign(outcome="won")
    rows = ended.index.to_numpy()
    all_known = Forecasts(OUTCOMES, (4.0, 99.0), {name: p[rows] for name, p in forecasts.models.items()})
    assert set(brier_score(ended, all_known).estimate.frame["time"]) == {4.0, 99.0}


def test_modelled_censoring_without_effect_is_near_the_marginal_one() -> None:
    deals, forecasts = many(400)
    deals["x"] = np.random.default_rng(1).normal(size=400)
    a, b = (brier_score(deals, forecasts, censoring=c).estimate.frame["estimate"] for c in (None, "x"))
    np.testing.assert_allclose(a, b, atol=0.005)
    ended = deals.assign(outcome=deals["outcome"].replace("open", "lost"))
    a, b = (brier_score(ended, forecasts, censoring=c).estimate.frame["estimate"] for c in (None, "x"))
    np.testing.assert_allclose(a, b, atol=1e-14)


def test_counts_beside_the_scores() -> None:
    deals, forecasts = many()
    frame = brier_score(deals, forecasts).estimate.at(model="a", time=8.0).set_index("outcome")
    by_then = deals[deals["exit"] <= 8]["outcome"].value_counts()
    assert frame.loc["won", "cum_event"] == by_then["won"]
    assert frame.loc[ALL, "cum_event"] == by_then["won"] + by_then["lost"]
    assert (frame["n_risk"] == (deals["exit"] > 8).sum()).all()
    full = Forecasts(OUTCOMES, HORIZONS, {"a": np.full((len(deals), 2, 2), 0.6)})
    note = brier_score(deals, full).estimate.meta.note
    assert note == "For some deals the forecasts of a sum to more than 1 over outcomes."


def test_one_deal_and_errors() -> None:
    one = pd.DataFrame({"entry": [-1], "exit": [3], "outcome": ["won"]})
    say = Forecasts(("won",), (5.0,), {"a": np.array([[[0.8]]])})
    frame = brier_score(one, say).estimate.frame
    assert frame["estimate"].tolist() == pytest.approx([0.04, 0.04, 0.08, 0.0, 0.0, 0.0])
    assert frame["no_interval_reason"].tolist()[0] == "a single account (or deal) tells nothing of how accounts differ"
    with pytest.raises(InputError, match="no deal is at risk"):
        brier_score(one.iloc[:0], say)
    with pytest.raises(InputError, match="1 deals and forecasts for 2"):
        brier_score(one, Forecasts(("won",), (5.0,), {"a": np.full((2, 1, 1), 0.5)}))
    with pytest.raises(InputError, match="without a recorded outcome"):
        brier_score(one.assign(outcome="unknown"), say)
    with pytest.raises(InputError, match="no deal is followed beyond day 3"):
        brier_score(one.assign(outcome="open"), say)
    with pytest.raises(InputError, match="before the day"):
        brier_score(one.assign(exit=20), say, landmark=10)
    with pytest.raises(InputError, match="no probability"):
        Forecasts(("won",), (5.0,), {"a": np.array([[[1.2]]])})
    with pytest.raises(InputError, match="no such model"):
        score_differences(brier_score(one, say), reference="b")
    with pytest.raises(InputError, match="two horizons"):
        integrated_score(brier_score(one, say))
    with pytest.raises(InputError, match="no such pairs"):
        concordance(one.assign(s=1.0), "s", outcome="won", pairs="uno")
    with pytest.raises(InputError, match="one forecast per outcome"):
        forecasts_of(pd.DataFrame({"profile": [0, 1], "outcome": ["won", "lost"], "time": 3.0, "estimate": 0.5}))


def test_limits_by_account_use_t_of_effective_accounts() -> None:
    """Accounts of 10, 20 and 30 deals: (10 + 20 + 30)^2 / (100 + 400 + 900) - 1 degrees of freedom; without, normal."""
    rng = np.random.default_rng(8)
    frame = pd.DataFrame({"entry": -1, "exit": rng.integers(1, 40, 60), "outcome": rng.choice(["won", "lost"], 60),
                          "account": np.repeat([0, 1, 2], [10, 20, 30])})  # fmt: skip
    told = Forecasts(("won",), (20.0,), {"a": rng.random(60)[:, None, None], "b": rng.random(60)[:, None, None]})
    for cluster, critical in (("account", student.ppf(0.975, 36 / 14 - 1)), (None, 1.959963984540054)):
        score = brier_score(frame, told, cluster=cluster)
        gap = score_differences(score, reference="b").at(model="a").iloc[0]
        for row in (score.estimate.frame.iloc[0], gap, prediction_accuracy(score).frame.iloc[0]):
            # upper limits are cut at what a score can be, so the lower distance is compared where it is not cut
            assert row["estimate"] - row["conf_low"] == pytest.approx(
                min(critical * row["std_error"], row["estimate"] if row is not gap and row["conf_low"] == 0 else np.inf)
            )
        df = 36 / 14 - 1 if cluster else np.inf
        assert gap["p_value"] == pytest.approx(2 * student.sf(abs(gap["estimate"]) / gap["std_error"], df))
