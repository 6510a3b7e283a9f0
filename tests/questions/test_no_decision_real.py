"""The study on the three real data sets: what their tables allow, and one line where they do not."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from analytics.estimators.result import Estimate, Finding
from analytics.questions import no_decision as question
from analytics.studies.opening import open_study
from analytics.studies.params import load_quarter
from analytics.studies.study import Study

PARAMS = Path(__file__).resolve().parents[2] / "params"


@pytest.fixture(params=["maven-2017Q4", "uk_dos-2018Q3", "bpi2017-2016Q1"])
def study(request: pytest.FixtureRequest, shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setenv("WINLOSS_DATA", str(shared_data))
    monkeypatch.setenv("WINLOSS_PARAMS", str(PARAMS))
    asked = load_quarter(PARAMS / f"{request.param}.yaml")
    return open_study(**asked.model_dump())


def test_every_part_is_answered_or_says_in_one_line_what_it_takes(study: Study) -> None:
    days = {"settled_on": study.settled_on, "horizon_days": study.horizon_days}
    fired = question.firings(study.history, study.deals, rules=study.rules, as_of=study.as_of)
    weeks = question.person_weeks(study.deals, study.history, settled_on=study.settled_on)
    answers: dict[str, Estimate | Finding] = {
        "range": question.no_decision_range(study.deals, fired, **days),
        "bounds": question.unrecorded_bounds(study.deals, **days),
        "pushes": question.pace_after(weeks, "pushes"),
        "silence": question.pace_after(weeks, "silent_weeks"),
        "stages": question.stage_exits(study.deals, study.history, stages=study.definitions.stages or (), **days),
        "drivers": question.drivers(study.deals, by=study.segments, settled_on=study.settled_on),
        "reasons": question.reasons_given(study.deals),
    }
    for name in ("pushes", "silence"):  # none of the three has activities or expected close dates
        found = answers[name]
        assert isinstance(found, Finding)
        assert found.headline.startswith("Not studied: ")
    answered = {name for name, answer in answers.items() if isinstance(answer, Estimate)}
    assert answered == {
        "maven": {"range", "drivers"}, "uk_dos": {"range", "bounds", "drivers", "reasons"},
        "bpi2017": {"range", "bounds", "stages", "reasons"},
    }[study.params.company]  # fmt: skip
    cards = question.findings(question.Answers(answers["range"], answers["bounds"], stages=answers["stages"]))
    assert all(card.headline for card in cards)


def test_shares_are_those_of_plain_counts_where_every_deal_was_followed(study: Study) -> None:
    """Of the bank's offers all were followed to the horizon, so that the declared share is a plain one."""
    days = {"settled_on": study.settled_on, "horizon_days": study.horizon_days}
    fired = question.firings(study.history, study.deals, rules=study.rules, as_of=study.as_of)
    found = question.no_decision_range(study.deals, fired, **days)
    assert isinstance(found, Estimate)
    row = found.at(rule="declared").iloc[0]
    deals = study.deals
    if study.params.company == "bpi2017":
        early = (deals["outcome"] == "no_decision") & (deals["exit"] <= study.horizon_days)
        assert row["estimate"] == pytest.approx(early.mean(), abs=1e-9)
        assert round(float(row["estimate"]), 3) == 0.514
    elif study.params.company == "maven":
        assert row["estimate"] == 0
        assert "no reasons" in row["note"]
    else:  # 142 closings have no outcome: the share is a range
        assert row["bound_high"] - row["bound_low"] > 0.5
        assert pd.notna(row["conf_high"])


def test_the_list_of_open_deals_is_made_where_there_are_any(study: Study) -> None:
    found = question.landmarks(study.deals, study.history, as_of=study.as_of, within_days=90)
    listing = question.zombies(study.deals, study.history, found, rules=study.rules, as_of=study.as_of)
    if study.params.company == "maven":
        assert not isinstance(listing, Finding)
        assert len(listing.frame) > 1000
        old = listing.frame[listing.frame["age_days"] >= 200]
        assert (old["chance"] < 0.01).all()
        assert (old["chance_high"] > old["chance"]).all()  # nobody won so late, which is not the same as never
    else:
        assert isinstance(listing, Finding)
