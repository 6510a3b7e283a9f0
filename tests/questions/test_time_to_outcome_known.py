"""Time to outcome against what is known: a simulated company's truth, planted effects, and where none was planted."""

from __future__ import annotations

import datetime as dt
import functools
from typing import Any

import pandas as pd
import pytest

from analytics.estimators.result import Estimate
from analytics.questions import time_to_outcome as question
from analytics.records.definitions import Definitions
from analytics.records.lives import in_memory
from analytics.records.rules import OutcomeRules
from analytics.records.snapshot import snapshot_frame
from analytics.records.sources.simulated import SimulationConfig, latent_truth, simulate, to_history
from analytics.records.sources.simulated.config import Delay, Effect, Level, Recording, Rhythm, Selling
from analytics.records.sources.simulated.reasons import NO_DECISION_REASONS

AS_OF = dt.date(2026, 1, 31)
PROMPT = Delay(prompt=1.0)
PLAIN: dict[str, Any] = {
    "deals": 2600, "accounts": 2000, "account_spread": 0.0, "source_mix": {},
    "rhythm": Rhythm(weekday=1, weekend=1, quarter_end=1, quarter_start=1, quarters={}),
    "selling": Selling(spread=0.0, ramp_effect=Effect()),
    "recording": Recording(
        won=PROMPT, lost=PROMPT, no_decision=PROMPT, typed_right=1.0, reopened=0.0, woken=0.0, born_closed=0.0
    ),
    "sources": {"Inbound": Level(share=0.6), "RFP": Level(share=0.4)},
    "segments": {"SMB": Level(share=0.5), "Enterprise": Level(share=0.5)}, "regions": {"Americas": Level(share=1)},
    "deal_types": {"New Business": Level(share=1)},
}  # fmt: skip
PLANTED = SimulationConfig(
    **{**PLAIN, "sources": {"Inbound": Level(share=0.6), "RFP": Level(share=0.4, won=0.5, lost=2.5)}}
)
NOTHING = SimulationConfig(**PLAIN)
PACE: dict[str, Any] = {"settled_on": AS_OF, "horizon_days": 365}


@functools.cache
def known(which: str) -> tuple[pd.DataFrame, Any]:
    config = PLANTED if which == "planted" else NOTHING
    history = in_memory(to_history(simulate(config, seed=11)))
    rules = OutcomeRules(no_decision_reasons=NO_DECISION_REASONS)
    return snapshot_frame(history, as_of=AS_OF, rules=rules, definitions=Definitions()), history


@functools.cache
def curves() -> Estimate:
    found = question.incidence(known("planted")[0], reps=500, **PACE)
    assert isinstance(found, Estimate)
    return found


def truth_at(config: SimulationConfig, day: int, **only: Any) -> dict[str, float]:
    truth = latent_truth(config, horizon_days=365, **only)
    return truth[truth["time"] == day].set_index("outcome")["estimate"].to_dict()


@pytest.mark.parametrize("day", [60, 180, 365])
def test_bands_and_intervals_hold_the_truth(day):
    found = curves().at(outcome="won", time=day).iloc[0]
    truth = truth_at(PLANTED, day)["won"]
    assert found["band_low"] <= truth <= found["band_high"]
    assert found["conf_low"] <= truth <= found["conf_high"]
    assert found["band_low"] < found["conf_low"]
    assert found["conf_high"] < found["band_high"]


def test_the_curve_of_each_level_holds_its_own_truth():
    curves = question.incidence_by_segment(known("planted")[0], by=["source"], **PACE)
    for level in ("Inbound", "RFP"):
        row = curves.at(level=level, outcome="won", time=365).iloc[0]
        assert row["conf_low"] <= truth_at(PLANTED, 365, only={"source": level})["won"] <= row["conf_high"]


def test_planted_differences_are_found_and_only_those():
    tests = question.segment_tests(known("planted")[0], by=["source", "segment"], **PACE).frame
    shown = tests[tests["verdict"].str.startswith("shown")]
    assert {("source", "won"), ("source", "lost")} <= set(zip(shown["segment"], shown["outcome"], strict=True))
    assert (tests.loc[tests["segment"] == "segment", "verdict"] == "cannot tell").all()


def test_nothing_is_found_where_nothing_was_planted():
    by = ["source", "segment"]
    tests = question.segment_tests(known("nothing")[0], by=by, **PACE)
    assert (tests.frame["verdict"] == "cannot tell").all()
    ratios = question.effects(known("nothing")[0], by=by, **PACE).frame
    assert (ratios["conf_low"] < 0).all()
    assert (ratios["conf_high"] > 0).all()
    assert not question.ratios_by_age(known("nothing")[0], by=by, **PACE).frame["varies"].any()
    answers = question.Answers(None, tests=tests)
    card = {finding.name: finding for finding in question.findings(answers)}["segments_differ"]
    assert card.verdict == "cannot tell"
    assert "Chance alone" in card.headline


def test_the_pace_ratio_is_the_planted_one_and_the_other_points_the_same_way():
    found = question.effects(known("planted")[0], by=["source"], **PACE)
    for outcome, factor in (("won", 0.5), ("lost", 2.5)):
        row = found.at(level="RFP", outcome=outcome, model="cause-specific").iloc[0]
        assert row["reference"] == "Inbound"
        assert row["ratio_low"] <= factor <= row["ratio_high"]
        share = found.at(level="RFP", outcome=outcome, model="Fine-Gray").iloc[0]
        assert (share["estimate"] > 0) == (factor > 1)
        assert share["conf_low"] * share["conf_high"] > 0
    # losing faster takes deals away from the other outcomes: never written as more of them
    assert "Won less often" in found.at(level="RFP", outcome="won", model="Fine-Gray")["words"].iloc[0]


def test_constant_ratios_are_not_called_varying():
    found = question.ratios_by_age(known("planted")[0], by=["source"], **PACE)
    won = found.at(level="RFP", outcome="won")
    assert len(won) == 3
    assert not found.frame["varies"].any()
    assert ((won["ratio_low"] <= 0.5) & (won["ratio_high"] >= 0.5)).all()


def test_a_ratio_that_changes_with_age_is_found():
    deals = known("nothing")[0]
    late = deals["exit"] > 90
    # from day 90 on, deals of one kind that would have been won stay open for good
    kind = pd.Series(["A", "B"] * len(deals))[: len(deals)].set_axis(deals.index)
    gone = late & (deals["outcome"] == "won") & (kind == "B")
    changed = deals.assign(kind=kind, outcome=deals["outcome"].mask(gone, "open"))
    ratios = question.ratios_by_age(changed, by=["kind"], **PACE)
    found, reference = (ratios.at(level=level, outcome="won") for level in ("B", "A"))
    assert (found if len(found) else reference)["varies"].all()


@pytest.mark.parametrize("age", [60, 120])
def test_what_becomes_of_deals_still_open_holds_the_truth(age):
    deals, history = known("planted")
    found = question.still_open(deals, history, stages=(), ages=[age], **PACE)
    row = found.at(stage="All stages", outcome="won").iloc[0]
    before, end = truth_at(PLANTED, age - 1), truth_at(PLANTED, 365)
    still = 1 - sum(before[name] for name in ("won", "lost", "no_decision"))  # stalled deals are open in the CRM
    assert row["conf_low"] <= (end["won"] - before["won"]) / still <= row["conf_high"]


def test_practice_misses_the_truth_that_the_incidence_holds():
    found = question.practice_shares(known("planted")[0], margin=0.03, **PACE)
    truth = truth_at(PLANTED, 365)["won"]
    rows = {row["practice"]: row for row in found.frame.to_dict("records")}
    assert rows["incidence"]["conf_low"] <= truth <= rows["incidence"]["conf_high"]
    for name in ("closed_only", "km_at_loss"):
        assert rows[name]["conf_low"] > truth
        assert rows[name]["difference_low"] <= rows[name]["estimate"] - truth <= rows[name]["difference_high"] + 0.03
        assert rows[name]["verdict"] == "shown and large enough to matter"


def test_mean_age_holds_the_truth_and_the_mean_cycle_of_wins_is_too_short():
    truth = latent_truth(PLANTED, horizon_days=365)
    won = truth[truth["outcome"] == "won"].sort_values("time")["estimate"]
    steps = won.diff().fillna(won)
    true_age = float((steps * range(366)).sum() / won.iloc[-1])
    days = question.practice_days(known("planted")[0], **PACE).frame.set_index("practice")
    assert days.at["mean_age", "conf_low"] <= true_age <= days.at["mean_age", "conf_high"]
    assert days.at["mean_cycle", "difference_high"] < 0
    assert days.at["mean_cycle", "words"].endswith(")")
    assert "too short" in days.at["mean_cycle", "words"]
