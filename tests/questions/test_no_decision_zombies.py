"""Open deals that look dead: their chances against what the simulator's CRM recorded later, and what the study says."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from no_decision_company import AS_OF, RULES, SETTLED, STAGES, Made, made, of

from analytics.estimators.result import Estimate, Finding, Listing, Meta
from analytics.questions import no_decision as question
from analytics.questions.cohorts import claims_cause
from analytics.questions.no_decision.landmarks import Landmarks, chances, standing
from analytics.questions.no_decision.zombies import marks
from analytics.records.contract import History
from analytics.records.rules import OutcomeRules
from analytics.records.sources.simulated import SimulationConfig

THEN = dt.date(2025, 6, 30)
DAYS = 90


def looked_at(seed: int, deals: int) -> tuple[Made, pd.DataFrame]:
    """A company as known at a day, and its open deals with chances and whether each was recorded won in time."""
    config = SimulationConfig(deals=deals, accounts=deals // 3)
    now, later = (of(config, seed, day) for day in (THEN, THEN + dt.timedelta(days=DAYS)))
    history = known(now.history, THEN)
    now = Made(now.deals, history, config)
    found = question.landmarks(now.deals, history, as_of=THEN, within_days=DAYS)
    assert isinstance(found, Landmarks)
    open_ = standing(now.deals, history, as_of=THEN)
    won = later.deals.loc[later.deals["outcome"] == "won", "deal_id"]
    return now, open_.join(chances(found, open_)).assign(won=open_["deal_id"].isin(won))


def known(history: History, as_of: dt.date) -> History:
    """What had been recorded by a day."""
    day = pd.Timestamp(as_of)
    acts = history.side["activities"]
    seen = acts[(acts["recorded_on"].fillna(acts["occurred_on"]) <= day) & (acts["occurred_on"] <= day)]
    return History(table=history.table[history.table["recorded_on"] <= day], side={"activities": seen})


def off(rows: pd.DataFrame) -> float:
    """How many standard deviations the number recorded won lies from the sum of the chances."""
    chance = rows["chance"]
    return float((rows["won"].sum() - chance.sum()) / np.sqrt((chance * (1 - chance)).sum() + 1e-9))


def test_chances_add_up_to_what_was_recorded_won_later() -> None:
    """Calibrated in the large, among silent deals, among old ones, and by tenth of the chance."""
    _now, rows = looked_at(11, 2400)
    assert len(rows) > 300
    assert abs(off(rows)) < 3
    for group in (rows["silent_days"] >= 91, rows["age_days"] > 240, rows["pushes"] >= 3):
        assert abs(off(rows[group])) < 3.3, (rows[group]["won"].sum(), rows[group]["chance"].sum())
    halves = rows.groupby(pd.qcut(rows["chance"], 3, labels=False, duplicates="drop"))
    assert all(abs(off(part)) < 3.3 for _, part in halves)
    quiet, lively = rows[rows["silent_days"] >= 91], rows[rows["silent_days"] < 28]
    assert quiet["chance"].mean() < 0.2 * lively["chance"].mean()
    assert ((rows["chance_low"] <= rows["chance"]) & (rows["chance"] <= rows["chance_high"])).all()


@pytest.mark.slow
def test_chances_are_calibrated_over_many_companies() -> None:
    parts = [looked_at(seed, 1500)[1] for seed in range(20, 32)]
    rows = pd.concat(parts, ignore_index=True)
    for group in (rows["chance"] >= 0, rows["silent_days"] >= 91, rows["age_days"] > 365, rows["pushes"] >= 3):
        expected, seen = rows.loc[group, "chance"].sum(), rows.loc[group, "won"].sum()
        assert abs(seen - expected) < max(4 * np.sqrt(expected), 0.2 * expected), (seen, expected)


def test_moments_look_back_only_and_are_followed_to_their_end() -> None:
    one = made()
    found = question.landmarks(one.deals, one.history, as_of=AS_OF, within_days=DAYS)
    assert isinstance(found, Landmarks)
    deal = one.deals.set_index("deal_id")
    for row in found.moments.sample(200, random_state=1).itertuples():
        evening = deal.loc[row.deal_id, "opened_on"] + pd.Timedelta(days=row.age_days - 1)
        assert evening + pd.Timedelta(days=DAYS) <= pd.Timestamp(AS_OF)
        ended, day = deal.loc[row.deal_id, "outcome"], deal.loc[row.deal_id, "recorded_on"]
        if ended != "open":
            assert day > evening
        won = ended == "won" and day <= evening + pd.Timedelta(days=DAYS)
        assert row.d_won == won


def test_a_mark_holds_today_and_the_list_is_private() -> None:
    one = made()
    found = question.landmarks(one.deals, one.history, as_of=AS_OF, within_days=DAYS)
    listing = question.zombies(one.deals, one.history, found, rules=RULES, as_of=AS_OF)
    assert isinstance(listing, Listing)
    assert listing.private
    deals = one.deals.set_index("deal_id")
    acts = one.history.side["activities"]
    for row in listing.frame.head(60).itertuples():
        assert deals.loc[row.deal_id, "outcome"] == "open"
        assert ("open for more" in row.why) == (row.age_days > 390)
        late = deals.loc[row.deal_id, "expected_close_on"] < pd.Timestamp(AS_OF)
        assert ("pushed" in row.why) == (row.pushes >= 3 and late)
        heard = acts[(acts["deal_id"] == row.deal_id) & (acts["side"] == "buyer")]["occurred_on"]
        since = max([deals.loc[row.deal_id, "opened_on"], *heard])
        silent = (pd.Timestamp(AS_OF) - since).days + 1
        assert row.silent_days == silent // 7 * 7
        assert ("silent" in row.why) == (row.silent_days >= 90)
    brief = question.largest(listing, 3)
    assert isinstance(brief, Listing)
    assert brief.private
    assert len(brief.frame) == 3


def test_the_past_of_a_mark_is_the_share_of_its_moments() -> None:
    one = made()
    found = question.landmarks(one.deals, one.history, as_of=AS_OF, within_days=DAYS)
    answer = question.zombie_chances(one.deals, one.history, found, rules=RULES, as_of=AS_OF)
    assert isinstance(found, Landmarks)
    assert isinstance(answer, Estimate)
    moments = found.moments
    silent = moments[moments["silent_days"] >= 90]
    row = answer.at(rule="silent").iloc[0]
    assert row["estimate"] == pytest.approx(silent["d_won"].mean())
    assert row["n_moments"] == len(silent)
    assert row["n_deals"] == silent["deal_id"].nunique()
    assert answer.at(rule="any")["n_open"].iloc[0] + answer.at(rule="none")["n_open"].iloc[0] == (
        one.deals["outcome"] == "open"
    ).sum()  # fmt: skip
    assert answer.at(rule="none")["conf_low"].iloc[0] > answer.at(rule="any")["conf_high"].iloc[0]


def test_without_rules_the_age_that_wins_did_not_reach_marks_a_deal() -> None:
    one = made()
    looked = marks(one.deals, OutcomeRules())
    won = one.deals.loc[one.deals["outcome"] == "won", "exit"]
    assert not looked.stated
    assert looked.older_than_days is not None
    assert 0 < (won > looked.older_than_days).mean() <= 0.011
    assert marks(one.deals.head(3), OutcomeRules()).older_than_days is None


def test_too_few_followed_moments_cannot_tell() -> None:
    one = made()
    early = one.deals[one.deals["opened_on"] > "2025-12-15"].reset_index(drop=True)
    found = question.landmarks(early, one.history, as_of=AS_OF, within_days=DAYS)
    assert isinstance(found, Finding)
    assert found.verdict == "cannot tell"
    listing = question.zombies(one.deals, one.history, found, rules=RULES, as_of=AS_OF)
    assert isinstance(listing, Listing)
    assert "chance" not in listing.frame


def answers(one: Made) -> question.Answers:
    days = {"settled_on": SETTLED}
    fired = question.firings(one.history, one.deals, rules=RULES, as_of=AS_OF)
    weeks = question.person_weeks(one.deals, one.history, **days)
    found = question.landmarks(one.deals, one.history, as_of=AS_OF, within_days=DAYS)
    return question.Answers(
        range=question.no_decision_range(one.deals, fired, **days, horizon_days=365),
        unrecorded=question.unrecorded_bounds(one.deals, **days, horizon_days=365),
        pushes=question.pace_after(weeks, "pushes"), silence=question.pace_after(weeks, "silent_weeks"),
        stages=question.stage_exits(one.deals, one.history, stages=STAGES, **days, horizon_days=365),
        drivers=question.drivers(one.deals, by=["source", "segment"], **days),
        comes_back=question.comes_back(one.deals, fired, **days),
        zombies=question.zombie_chances(one.deals, one.history, found, rules=RULES, as_of=AS_OF),
        reasons=question.reasons_given(one.deals),
    )  # fmt: skip


ORDER = [
    "how_much",
    "by_rule",
    "unrecorded",
    "pushes",
    "silence",
    "stages",
    "drivers",
    "comes_back",
    "zombies",
    "reasons",
]


def test_cards_come_in_one_order_with_figures_and_never_say_because_of() -> None:
    cards = question.findings(answers(made()))
    assert [card.name for card in cards] == ORDER
    for card in cards:
        words = f"{card.headline} {card.detail}"
        assert any(character.isdigit() for character in words), card
        assert "nan" not in words.lower()
        assert not claims_cause(words), card
        assert "caused" not in words
        assert "due to" not in words.replace("past due", "")
        assert card.verdict != "not studied"
    pushes = cards[3]
    assert "it is no estimate of what that does" in pushes.detail


def test_every_card_is_there_when_nothing_was_studied() -> None:
    cards = question.findings(question.Answers())
    assert [card.name for card in cards] == ORDER
    assert {card.verdict for card in cards} == {"not studied"}


def test_a_trait_picked_among_many_has_the_interval_of_one_picked() -> None:
    """Two of eight shown: 98.75 % limits in place of 95 % ones, by the normal quantiles of a table."""
    error, usual = 0.1, 1.959964 * 0.1
    rows = [
        {"outcome": "no_decision", "segment": "source", "level": f"s{n}", "label": f"s{n}", "reference": n == 0,
         "estimate": np.exp(log), "conf_low": np.exp(log - usual), "conf_high": np.exp(log + usual),
         "p_adjusted": p, "n_event": 50, "no_interval_reason": "" if n else "the others are compared with it"}
        for n, (log, p) in enumerate([(0.0, np.nan), (0.6, 0.001), (-0.3, 0.02), *[(0.05, 0.7)] * 6])
    ]  # fmt: skip
    rows[0] |= {"conf_low": np.nan, "conf_high": np.nan}
    found = Estimate(
        pd.DataFrame(rows), Meta("coefficient", "ratio", ("outcome", "segment", "level"), 900, unit="ratio")
    )
    card = question.findings(question.Answers(drivers=found))[6]
    low, high = (np.exp(0.6 + side * 2.497705 * error) for side in (-1, 1))
    assert f"{np.exp(0.6):.2g} times ({low:.2g}–{high:.2g})" in card.detail
    assert "picked from 8 ratios looked at, 2 shown" in card.detail
