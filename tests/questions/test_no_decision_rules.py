"""How much is no decision: against plain loops, the simulator's truth under each rule, and complete bounds."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from no_decision_company import AS_OF, RULES, SETTLED, made

from analytics.estimators.result import Estimate, Finding
from analytics.questions.no_decision import (
    comes_back,
    firings,
    no_decision_range,
    reasons_given,
    unrecorded_bounds,
)
from analytics.questions.no_decision.by_rule import since_firing
from analytics.records.contract import History
from analytics.records.rules import OutcomeRules
from analytics.records.sources.simulated import SimulationConfig, followed_truth


def slow_share(deals: pd.DataFrame, age: int, last: pd.Timestamp) -> float:
    """Product-limit of no decision, one age at a time, cut at the settled day."""
    day = (last - deals["opened_on"]).dt.days
    deals = deals.assign(
        outcome=deals["outcome"].where(deals["exit"] <= day, "open"), exit=np.minimum(deals["exit"], day)
    )
    deals = deals[(deals["exit"] >= 0) & (deals["exit"] > deals["entry"])]
    open_, share = 1.0, 0.0
    for time in range(age + 1):
        at_risk = deals[(deals["entry"] < time) & (deals["exit"] >= time)]
        ended = at_risk[(at_risk["exit"] == time) & (at_risk["outcome"] != "open")]
        if len(ended):
            share += open_ * (ended["outcome"] == "no_decision").sum() / len(at_risk)
            open_ *= 1 - len(ended) / len(at_risk)
    return share


@pytest.fixture(scope="module")
def found() -> Estimate:
    one = made()
    fired = firings(one.history, one.deals, rules=RULES, as_of=AS_OF)
    answer = no_decision_range(one.deals, fired, settled_on=SETTLED, horizon_days=365)
    assert isinstance(answer, Estimate)
    return answer


def test_each_row_is_that_of_a_plain_loop(found: Estimate) -> None:
    one = made()
    last = pd.Timestamp(SETTLED)
    fired = firings(one.history, one.deals, rules=RULES, as_of=AS_OF)
    declared = found.at(rule="declared")["estimate"].iloc[0]
    assert declared == pytest.approx(slow_share(one.deals, 365, last), abs=1e-12)
    for rule, threshold in (("silent", 60), ("pushed", 2)):
        day = dict(zip(*(fired.of(rule, threshold)[name] for name in ("deal_id", "fired_on")), strict=True))
        rows = one.deals.copy()
        for i, deal in enumerate(rows["deal_id"]):
            if deal in day:
                rows.loc[i, ["exit", "outcome"]] = (day[deal] - rows.loc[i, "opened_on"]).days, "no_decision"
        row = found.at(rule=rule, threshold=threshold).iloc[0]
        assert row["estimate"] == pytest.approx(slow_share(rows, 365, last), abs=1e-12)
        won = one.deals[(one.deals["outcome"] == "won") & (one.deals["recorded_on"] <= last)]["deal_id"]
        assert row["fired"] == sum(when <= last and deal in set(rows["deal_id"]) for deal, when in day.items())
        assert row["later_won"] == sum(day[deal] <= last for deal in won if deal in day)


def test_a_stricter_silence_ends_fewer_deals_and_is_less_often_wrong(found: Estimate) -> None:
    silent = found.at(rule="silent").sort_values("threshold")
    assert silent["fired"].is_monotonic_decreasing
    assert silent["won_share"].iloc[0] > silent["won_share"].iloc[-1] + 0.05
    assert (silent["estimate"] >= found.at(rule="declared")["estimate"].iloc[0]).all()
    assert silent["stated"].tolist() == [False, False, True, False, False]


def test_intervals_hold_the_truth_under_each_rule(found: Estimate) -> None:
    """Complete follow-up of many deals of the same company says where each stated rule's share lies."""
    config = made().config
    for rule, threshold, rules in (
        ("declared", 0, RULES.declared_only()), ("silent", 90, RULES.only("silent")),
        ("pushed", 3, RULES.only("pushed")),
    ):  # fmt: skip
        truth = followed_truth(config, rules, 365, n_deals=20_000)
        share = truth[(truth["outcome"] == "no_decision") & (truth["time"] == 365)]["estimate"].iloc[0]
        row = found.at(rule=rule, threshold=threshold).iloc[0]
        assert abs(share - row["estimate"]) < 3.3 * (row["conf_high"] - row["conf_low"]) / 3.92, rule


def test_a_rule_without_its_table_says_so_and_the_others_go_on() -> None:
    one = made()
    bare = History(table=one.history.table.drop(columns="expected_close_on").assign(expected_close_on=pd.NaT))
    fired = firings(bare, one.deals, rules=RULES, as_of=AS_OF)
    assert [finding.name for finding in fired.missing] == ["silent_rule", "pushed_rule"]
    assert "activities" in fired.missing[0].headline
    answer = no_decision_range(one.deals, fired, settled_on=SETTLED, horizon_days=365)
    assert isinstance(answer, Estimate)
    assert set(answer.frame["rule"]) == {"declared", "aged", "plateau"}


def test_what_follows_a_firing_is_counted_from_it_until_the_closing_was_recorded() -> None:
    one = made()
    fired = firings(one.history, one.deals, rules=RULES, as_of=AS_OF).of("silent", 90)
    for row in since_firing(one.deals, fired, SETTLED).head(50).itertuples():
        deal = one.deals[one.deals["deal_id"] == row.deal_id].iloc[0]
        closed = deal["outcome"] != "open" and deal["recorded_on"] <= pd.Timestamp(SETTLED)
        end = deal["recorded_on"] if closed else pd.Timestamp(SETTLED)
        assert row.exit == max((end - row.fired_on).days, 0)
        assert row.outcome == (deal["outcome"] if closed else "open")


def test_quiet_deals_come_back_as_often_as_a_loop_says() -> None:
    one = made()
    fired = firings(one.history, one.deals, rules=RULES, as_of=AS_OF)
    answer = comes_back(one.deals, fired, settled_on=SETTLED)
    assert isinstance(answer, Estimate)
    assert answer.frame["quiet_days"].eq(90).all()
    # deals that all could be followed for 60 days: the plain share of those heard of again within 60
    early = fired.of("silent", 90)
    early = early[early["fired_on"] <= pd.Timestamp(SETTLED) - pd.Timedelta(days=60)]
    rows = early.merge(one.deals, on="deal_id")
    back = (rows["heard_on"] - rows["fired_on"]).dt.days
    closed = (rows["recorded_on"] - rows["fired_on"]).dt.days.where(rows["outcome"] != "open", 10**6)
    plain = ((back <= 60) & (back <= closed)).mean()
    row = answer.at(outcome="heard_again", time=60).iloc[0]
    assert row["conf_low"] - 0.02 < plain < row["conf_high"] + 0.02
    last = answer.frame[answer.frame["time"] == answer.frame["time"].max()]
    assert last["estimate"].sum() <= 1


def test_blank_reasons_are_bounded_by_all_lost_and_all_no_decision() -> None:
    one = made()
    answer = unrecorded_bounds(one.deals, settled_on=SETTLED, horizon_days=365)
    assert isinstance(answer, Estimate)
    rows = answer.frame.set_index("treatment")["estimate"]
    blank = (one.deals["outcome"] == "lost") & one.deals["reason"].isna()
    everything = one.deals.assign(outcome=one.deals["outcome"].mask(blank, "no_decision"))
    assert blank.sum() > 10
    assert rows["lost"] == pytest.approx(slow_share(one.deals, 365, pd.Timestamp(SETTLED)), abs=1e-12)
    assert rows["no_decision"] == pytest.approx(slow_share(everything, 365, pd.Timestamp(SETTLED)), abs=1e-12)
    assert rows["lost"] < rows["proportional"] < rows["no_decision"]
    # the share of blank reasons that sellers would have called no decision is known: it lies within
    truth = followed_truth(one.config, RULES.declared_only(), 365, n_deals=20_000)
    share = truth[(truth["outcome"] == "no_decision") & (truth["time"] == 365)]["estimate"].iloc[0]
    low, high = answer.frame["conf_low"].min(), answer.frame["conf_high"].max()
    assert low <= share <= high


def test_unknown_outcomes_widen_the_bounds_and_are_never_a_default() -> None:
    one = made()
    hidden = one.deals.assign(outcome=one.deals["outcome"].mask(np.arange(len(one.deals)) % 5 == 0, "unknown"))
    answer = unrecorded_bounds(hidden, settled_on=SETTLED, horizon_days=365)
    assert isinstance(answer, Estimate)
    rows = answer.frame.set_index("treatment")
    assert rows.loc["outcomes", "estimate"] > rows.loc["no_decision", "estimate"] + 0.05
    fired = firings(one.history, hidden, rules=OutcomeRules(), as_of=AS_OF)
    row = no_decision_range(hidden, fired, settled_on=SETTLED, horizon_days=365).at(rule="declared").iloc[0]
    assert row["bound_low"] < row["estimate"] < row["bound_high"]
    assert row["conf_high"] >= row["bound_high"] - 1e-9


def test_reasons_are_counted_as_written_and_read_by_their_words() -> None:
    one = made()
    answer = reasons_given(one.deals)
    assert isinstance(answer, Estimate)
    ended = one.deals[one.deals["outcome"] == "no_decision"]
    for row in answer.at(part="reason").itertuples():
        assert row.n_event == (ended["reason"] == row.level).sum()
        assert row.estimate == pytest.approx((ended["reason"] == row.level).mean())
    kinds = answer.at(part="kind").set_index("level")["n_event"]
    assert kinds["indecision"] == (ended["reason"] == "Project postponed").sum()
    assert kinds["does not say"] == (ended["reason"] == "No decision").sum()


@pytest.mark.parametrize("outcome", ["won", "lost", "open", "no_decision"])
def test_one_deal_and_no_deals_are_sentences_or_numbers_and_never_an_error(outcome: str) -> None:
    one = made()
    few = one.deals[one.deals["outcome"] == outcome]
    for deals in (few.head(1).reset_index(drop=True), few.head(0)):
        fired = firings(one.history, deals, rules=RULES, as_of=AS_OF)
        for answer in (
            no_decision_range(deals, fired, settled_on=SETTLED, horizon_days=365),
            unrecorded_bounds(deals, settled_on=SETTLED, horizon_days=365),
            comes_back(deals, fired, settled_on=SETTLED), reasons_given(deals),
        ):  # fmt: skip
            assert isinstance(answer, Estimate | Finding)
            assert answer.frame["estimate"].notna().all() if isinstance(answer, Estimate) else answer.headline


def test_before_anything_is_settled_nothing_is_said() -> None:
    one = made()
    early = dt.date(2020, 1, 1)
    fired = firings(one.history, one.deals, rules=RULES, as_of=early)
    assert no_decision_range(one.deals, fired, settled_on=early, horizon_days=365).verdict == "not studied"


def test_the_config_of_these_tests_is_the_simulators_own() -> None:
    assert made().config == SimulationConfig(deals=1200, accounts=400)
