"""Guards that hold for every estimator of deals: one table of estimators, one test per guard.

An answer is a dictionary from keys to numbers, or the sentence of a named error: both must survive what cannot matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_properties import deals

from analytics.estimators.adjusted_incidence import adjusted_incidence
from analytics.estimators.bands import incidence_band
from analytics.estimators.counts import count_events
from analytics.estimators.cumulative_hazard import cumulative_hazard
from analytics.estimators.discrete_time.models import discrete_time_model
from analytics.estimators.discrete_time.periods import person_periods
from analytics.estimators.discrete_time.prediction import predicted_incidence
from analytics.estimators.group_tests import gray_test, logrank_test
from analytics.estimators.incidence import cumulative_incidence
from analytics.estimators.interval_incidence import interval_incidence
from analytics.estimators.mean_time_contrasts import mean_time_contrast, mean_time_influence
from analytics.estimators.quantiles import time_to_incidence
from analytics.estimators.result import Estimate
from analytics.estimators.scoring.auc import time_dependent_auc
from analytics.estimators.scoring.brier import brier_score
from analytics.estimators.scoring.calibration import calibration_bins, observed_expected
from analytics.estimators.scoring.cohort import Forecasts
from analytics.estimators.scoring.concordance import concordance
from analytics.estimators.scoring.joint import prediction_accuracy, score_differences
from analytics.estimators.scoring.pseudo import pseudo_regression
from analytics.estimators.subdistribution_test import subdistribution_score_test
from analytics.records.errors import InputError

QUICK = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=(Phase.explicit, Phase.generate),
)
NUMBERS = ("estimate", "std_error", "conf_low", "conf_high")
OUTCOMES = ("won", "lost", "no_decision")
Frame = pd.DataFrame


def by_segment(frame: Frame, **more: Any) -> Any:
    return count_events(frame, by="segment", **more)


def mean_times(frame: Frame, days: int) -> Estimate:
    parts = mean_time_influence(by_segment(frame), horizon_days=6 + days)
    return mean_time_contrast(parts.select(segment="a"), parts.select(segment="b"))


def told(frame: Frame, days: int) -> Forecasts:
    """A forecast that depends on the deal alone, whatever its place in the frame."""
    p = 0.1 + 0.05 * frame["account"].to_numpy()
    return Forecasts(
        OUTCOMES[:2], (4.0 + days, 8.0 + days), {"m": np.stack([[p, p + 0.1], [p / 2, p / 2 + 0.1]]).T.swapaxes(1, 2)}
    )


def periods(frame: Frame) -> Estimate:
    made = person_periods(frame.assign(entry=-1), keep=["segment"], period_days=5, outcomes=OUTCOMES)
    model = discrete_time_model(made, "C(segment)", ridge=0.5)
    return predicted_incidence(model, Frame({"segment": ["a"]}), horizon=2)


def sightings(frame: Frame) -> Frame:
    return frame.assign(
        open_after=(frame["exit"] - 2).clip(lower=frame["entry"] + 0.5).where(frame["outcome"] != "open")
    )


@dataclass(frozen=True)
class Case:
    """`ask(frame, days)` answers about deals whose clock starts `days` later; what does not apply is named."""

    ask: Callable[[Frame, int], Any]
    counted: bool = False
    not_: tuple[str, ...] = ()


def gray(frame: Frame, days: int) -> Estimate:
    return gray_test(by_segment(frame.assign(entry=-1 + days, exit=frame["watched"] + days)), outcome="won")


def adjusted(frame: Frame, days: int) -> Any:
    arms = frame.assign(arm=(frame["segment"] == "a").astype(int))
    return adjusted_incidence(arms, "arm", "weight", times=[5 + days, 9 + days])


def scored(score: Any) -> Callable[[Frame, int], Estimate]:
    return lambda frame, days: score(frame, told(frame, days), landmark=float(days)).estimate


def against_null(make: Any) -> Callable[[Frame, int], Estimate]:
    """What is made of Brier scores."""
    return lambda frame, days: make(brier_score(frame, told(frame, days), landmark=float(days)))


def binned(frame: Frame, days: int) -> Estimate:
    return calibration_bins(frame, told(frame, days), bins=2, landmark=float(days))


def regressed(frame: Frame, days: int) -> Estimate:
    return pseudo_regression(frame, "weight", outcome="won", time=6 + days, link="identity")


ONE_CAUSE = ("causes",)
ROWS_ONLY = ("split", "causes")
CASES: dict[str, Case] = {
    "band": Case(lambda f, d: incidence_band(count_events(f), between=(2 + d, 9 + d), reps=200), True, ROWS_ONLY),
    "cumulative hazard": Case(lambda f, d: cumulative_hazard(by_segment(f)), True),
    "quantiles": Case(lambda f, d: time_to_incidence(by_segment(f), shares=(0.1, 0.25)), True, ("shift",)),
    "mean time contrast": Case(mean_times, True, ("shift",)),
    "Gray": Case(gray, False, ROWS_ONLY),
    "log-rank": Case(lambda f, d: logrank_test(by_segment(f), outcome="won"), True, ONE_CAUSE),
    "subdistribution": Case(lambda f, d: subdistribution_score_test(by_segment(f), outcome="won"), True, ROWS_ONLY),
    "Turnbull": Case(lambda f, d: interval_incidence(sightings(f)), False, ("split", "shift")),
    "adjusted incidence": Case(adjusted, False, ("split",)),
    "discrete time": Case(lambda f, d: periods(f), False, ("split", "shift")),
    "Brier": Case(scored(brier_score), False, ROWS_ONLY),
    "AUC": Case(scored(time_dependent_auc), False, ROWS_ONLY),
    "prediction accuracy": Case(against_null(prediction_accuracy), False, ROWS_ONLY),
    "score differences": Case(against_null(score_differences), False, ROWS_ONLY),
    "calibration bins": Case(binned, False, ROWS_ONLY),
    "pseudo-values": Case(regressed, False, ROWS_ONLY),
    "observed / expected": Case(scored(observed_expected), False, ROWS_ONLY),
    "concordance": Case(lambda f, d: concordance(f, "weight", outcome="won").estimate, False, (*ROWS_ONLY, "shift")),
}


def answer(name: str, frame: Frame, days: int = 0) -> dict[tuple[Any, ...], Any] | str:
    """Numbers by key, or the sentence of a named error without its numbers."""
    try:
        found = CASES[name].ask(frame, days)
    except InputError as error:
        return re.sub(r"[-\d.]+", "#", str(error))
    rows: dict[tuple[Any, ...], Any] = {}
    for place, estimate in enumerate(found if isinstance(found, tuple) else (found,)):
        keys = list(estimate.meta.keys)
        for record in estimate.frame.to_dict("records"):
            key = (place, *(record[k] - days if k in ("time", "horizon") else record[k] for k in keys))
            rows[key] = np.array([record.get(number, 0.0) for number in NUMBERS], dtype=float)
    return rows


def same(a: Any, b: Any, rename: dict[str, str] | None = None) -> None:
    if isinstance(a, str) or isinstance(b, str):
        assert (type(a), type(b)) == (str, str), (a, b)
        return
    renamed = {tuple((rename or {}).get(part, part) for part in key): value for key, value in b.items()}
    assert set(a) == set(renamed)
    for key, value in a.items():
        np.testing.assert_allclose(value, renamed[key], rtol=2e-6, atol=2e-7, err_msg=str(key))


def applies(guard: str) -> Any:
    return pytest.mark.parametrize("name", [name for name, case in CASES.items() if guard not in case.not_])


@applies("order")
@QUICK
@given(frame=deals(least=6), order=st.integers(0, 99))
def test_the_order_of_rows_changes_nothing(name: str, frame: Frame, order: int) -> None:
    if name == "discrete time":
        frame = frame.assign(entry=-1, exit=frame["watched"])
    same(answer(name, frame), answer(name, frame.sample(frac=1, random_state=order)))


@applies("shift")
@QUICK
@given(frame=deals(least=6), days=st.integers(1, 300))
def test_a_later_clock_changes_nothing(name: str, frame: Frame, days: int) -> None:
    later = frame.assign(entry=frame["entry"] + days, exit=frame["exit"] + days)
    same(answer(name, frame), answer(name, later, days))


@applies("causes")
@QUICK
@given(frame=deals(least=6))
def test_causes_that_change_their_names_change_their_results(name: str, frame: Frame) -> None:
    if name == "discrete time":
        frame = frame.assign(entry=-1, exit=frame["watched"])
    swap = {"won": "lost", "lost": "won"}
    same(answer(name, frame), answer(name, frame.assign(outcome=frame["outcome"].replace(swap))), swap)


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if c.counted and "split" not in c.not_])
@QUICK
@given(frame=deals(least=6), where=st.integers(1, 12))
def test_a_deal_cut_in_two_changes_no_estimate(name: str, frame: Frame, where: int) -> None:
    cut = (frame["entry"] + where).where(frame["watched"] > where)
    long = frame[cut.notna()]
    first, rest = long.assign(exit=cut[cut.notna()], outcome="open"), long.assign(entry=cut[cut.notna()])
    whole, split = (
        answer(name, frame),
        answer(name, pd.concat([frame[cut.isna()], first, rest]).astype({"entry": int, "exit": int})),
    )
    if isinstance(whole, str) or isinstance(split, str):
        assert (type(whole), type(split)) == (str, str)
        return
    for key in set(whole) & set(split):  # a cut adds a time at which nothing happens; errors count deals, not halves
        np.testing.assert_allclose(whole[key][0], split[key][0], atol=1e-9)


@applies("seed")
@QUICK
@given(frame=deals(least=6))
def test_the_global_random_state_is_neither_used_nor_touched(name: str, frame: Frame) -> None:
    if name == "discrete time":
        frame = frame.assign(entry=-1, exit=frame["watched"])
    before = np.random.get_state()  # noqa: NPY002 - the state that must not be touched
    one = answer(name, frame)
    assert str(np.random.get_state()) == str(before)  # noqa: NPY002
    same(one, answer(name, frame))


def special(kind: str) -> Frame:
    """Deals at the edges: none, one, all on one day, a group without events, nobody left before the last entry."""
    rows = {
        "none": [],
        "one": [(-1, 3, "won", "a")],
        "one open": [(-1, 3, "open", "a")],
        "one day": [(-1, 4, o, s) for o in (*OUTCOMES, "open") for s in "ab" for _ in range(2)],
        "no event in a": [(-1, 2, "open", "a"), (-1, 5, "open", "a"), (-1, 3, "won", "b"), (-1, 6, "lost", "b")],
        "alone at the end": [(-1, 2, "won", "a"), (-1, 3, "lost", "b"), (-1, 4, "open", "a"), (-1, 9, "won", "b")],
        "nobody left": [(-1, 2, "won", "a"), (-1, 2, "lost", "b"), (5, 8, "won", "a"), (6, 9, "lost", "b")],
    }[kind]
    frame = pd.DataFrame(rows, columns=["entry", "exit", "outcome", "segment"]).astype({"entry": int, "exit": int})
    frame["watched"], frame["account"], frame["weight"] = (
        frame["exit"] - frame["entry"],
        range(len(frame)),
        1.0 + np.arange(len(frame)),
    )
    return frame.assign(deal_id=[f"d{i}" for i in range(len(frame))], account=frame["account"] % 6)


@pytest.mark.parametrize(
    "kind", ["none", "one", "one open", "one day", "no event in a", "alone at the end", "nobody left"]
)
@applies("few")
def test_at_the_edges_there_is_an_answer_or_a_named_error(name: str, kind: str) -> None:
    """An Estimate refuses a missing interval without a reason; here, that no estimate is missing in silence either."""
    try:
        found = CASES[name].ask(special(kind), 0)
    except InputError:
        return
    for estimate in found if isinstance(found, tuple) else (found,):
        frame = estimate.frame
        missing = frame["estimate"].isna()
        reasons = frame.get("no_interval_reason", pd.Series("", index=frame.index)).fillna("").astype(str)
        assert (reasons[missing].str.len() > 0).all(), frame[missing]
        assert not np.isinf(frame["estimate"].dropna().astype(float)).any()


@QUICK
@given(frame=deals(least=4))
def test_without_censoring_the_last_incidence_is_the_share(frame: Frame) -> None:
    closed = frame[frame["outcome"] != "open"].assign(entry=-1)
    closed = closed.assign(exit=closed["watched"])
    if closed.empty:
        return
    exact = closed.assign(open_after=closed["exit"] - 1)
    shares = closed["outcome"].value_counts(normalize=True)
    plain = cumulative_incidence(count_events(closed)).frame.groupby("outcome")["estimate"].last()
    turnbull = interval_incidence(exact).frame.groupby("outcome")["estimate"].last()
    for outcome, share in shares.items():
        assert abs(plain[outcome] - share) < 1e-12
        assert abs(turnbull[outcome] - share) < 1e-6


@pytest.mark.parametrize("factor", [0.1, 7.3])
@QUICK
@given(frame=deals(least=6))
def test_the_scale_of_weights_changes_nothing(factor: float, frame: Frame) -> None:
    def asked(scale: float) -> list[Any]:
        weighted = by_segment(frame.assign(weight=scale * frame["weight"]), weights="weight")
        found = []
        for ask in (
            lambda: cumulative_hazard(weighted), lambda: time_to_incidence(weighted, shares=(0.1, 0.25)),
            lambda: subdistribution_score_test(weighted, outcome="won"),
            lambda: interval_incidence(sightings(frame.assign(weight=scale * frame["weight"])), weights="weight"),
        ):  # fmt: skip
            try:
                found.append(ask().frame[["estimate"]].to_numpy(dtype=float))
            except InputError:
                found.append(np.zeros((0, 1)))
        return found

    for one, other in zip(asked(1.0), asked(factor), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)
