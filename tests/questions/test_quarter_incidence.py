"""Period incidence, its reading at the horizon, and opening cohorts: by hand, and by a plain loop over ages."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from analytics.estimators.result import Estimate, Finding
from analytics.estimators.watched import first_gap, reach, thin_start
from analytics.questions.quarter import (
    Answers,
    findings,
    incidence_before,
    opening_cohorts,
    period_at_horizon,
    period_incidence,
)
from analytics.records.errors import InputError


def slow_period_incidence(deals: pd.DataFrame, start: dt.date, end: dt.date, horizon: int) -> dict[str, float]:
    """One age at a time: who was open on a day of the period at that age, and how did they end on that very day."""
    first, last = pd.Timestamp(start), pd.Timestamp(end)
    survival, found = 1.0, {"won": 0.0, "lost": 0.0, "no_decision": 0.0}
    for age in range(horizon + 1):
        day = deals["opened_on"] + pd.Timedelta(days=age)
        at_risk = deals[(day >= first) & (day <= last) & (deals["exit"] >= age)]
        if not len(at_risk):
            continue
        ending = at_risk[at_risk["exit"] == age]["outcome"].value_counts()
        for name in found:
            found[name] += survival * ending.get(name, 0) / len(at_risk)
        survival *= 1 - sum(ending.get(name, 0) for name in found) / len(at_risk)
    return {**found, "open": survival}


@pytest.mark.parametrize("settled", [dt.date(2025, 12, 31), dt.date(2025, 11, 20), dt.date(2026, 1, 20)])
def test_period_incidence_is_that_of_a_plain_loop(company, q4, settled) -> None:
    found = period_at_horizon(company, q4, settled_on=settled, horizon_days=365)
    assert isinstance(found, Estimate)
    age = int(found.frame["horizon_reached"].iloc[0])
    expected = slow_period_incidence(company, q4.start, min(q4.end, settled), age)
    assert dict(zip(found.frame["outcome"], found.frame["estimate"], strict=True)) == pytest.approx(expected, abs=1e-12)
    curve = period_incidence(company, q4, settled_on=settled, horizon_days=365)
    assert curve.at(outcome="won", time=age)["estimate"].iloc[0] == pytest.approx(expected["won"], abs=1e-12)


def test_by_hand(make_deals, q4) -> None:
    """Opened 1 July (age 92 on 1 October): hazard 1/2 at 100; opened 1 October: hazard 1/2 at 5, nobody in between."""
    deals = make_deals([
        {"opened": "2025-07-01", "closed": "2025-10-09", "outcome": "won"},
        {"opened": "2025-07-01"},
        {"opened": "2025-10-01", "closed": "2025-10-06", "outcome": "lost"},
        {"opened": "2025-10-01"},
        {"opened": "2025-06-01", "closed": "2025-09-30", "outcome": "won"},  # over before the quarter
        {"opened": "2026-01-02", "closed": "2026-01-05", "outcome": "won"},  # opened after it
    ])  # fmt: skip
    found = period_at_horizon(deals, q4, settled_on=q4.end, horizon_days=120).frame.set_index("outcome")
    assert found.at["lost", "estimate"] == pytest.approx(1 / 2)
    assert found.at["won", "estimate"] == pytest.approx(1 / 2 * 1 / 2)
    assert found.at["open", "estimate"] == pytest.approx(1 / 4)
    assert found.at["won", "n_deals"] == 4
    assert found.at["won", "n_event"] == 1
    assert "fewer than 5 deals" in found.at["won", "note"]


def test_shares_add_up_in_every_segment(company, q4) -> None:
    found = period_at_horizon(company, q4, settled_on=q4.end, horizon_days=365, by=["segment"])
    sums = found.frame.groupby("segment")["estimate"].sum()
    np.testing.assert_allclose(sums, 1.0, atol=1e-12)
    for name, rows in found.frame.groupby("segment"):
        inside = company[company["segment"] == name]
        expected = slow_period_incidence(inside, q4.start, q4.end, int(rows["horizon_reached"].iloc[0]))
        assert dict(zip(rows["outcome"], rows["estimate"], strict=True)) == pytest.approx(expected, abs=1e-12)


def test_the_pace_is_not_stretched_to_a_horizon_nobody_reached(make_deals, q4) -> None:
    won = [{"opened": "2025-10-01", "closed": f"2025-10-{day:02d}", "outcome": "won"} for day in range(2, 12)]
    deals = make_deals(won + [{"opened": "2025-10-01"}] * 4)
    found = period_at_horizon(deals, q4, settled_on=q4.end, horizon_days=365).frame.set_index("outcome")
    # five deals are at risk up to the last closing on day 10; the four that stay open are watched to day 91
    assert found.at["won", "horizon_reached"] == 10
    assert found.at["won", "horizon_days"] == 365
    assert "known up to 10 days, not to 365" in found.at["won", "note"]
    assert found.at["won", "estimate"] == pytest.approx(10 / 14)


def test_reach_is_the_horizon_where_nobody_stayed_open() -> None:
    deals = pd.DataFrame({"entry": -1, "exit": [3, 5], "outcome": ["won", "lost"]})
    assert reach(deals, 365) == 365


def test_the_pace_stops_where_nobody_was_at_risk(make_deals, q4) -> None:
    """Six deals of November are watched to age 51; ten deals of January only from age 264 on: nobody is in between."""
    young = [{"opened": "2025-11-10", "closed": "2025-11-20", "outcome": "won"}] * 2 + [{"opened": "2025-11-10"}] * 4
    old = [{"opened": "2025-01-10", "closed": "2025-12-01", "outcome": "lost"}] * 10
    deals = make_deals(young + old)
    found = period_at_horizon(deals, q4, settled_on=q4.end, horizon_days=365).frame.set_index("outcome")
    assert found.at["won", "horizon_reached"] == 10
    assert found.at["lost", "estimate"] == 0
    assert "At age 52 days nobody was at risk" in found.at["won", "note"]
    curve = period_incidence(deals, q4, settled_on=q4.end, horizon_days=365)
    assert curve.frame["time"].max() == 51
    watched = pd.DataFrame({"entry": [-1, 9], "exit": [5, 20], "outcome": ["lost", "lost"]})
    assert first_gap(watched, 30) is None  # all that were watched from the start had ended by then


def test_deals_without_an_account_are_no_accounts(make_deals, q4) -> None:
    rows = [{"opened": "2025-10-01", "closed": "2025-10-11", "outcome": "won", "account_id": a} for a in "aabb"]
    deals = make_deals(rows + [{**rows[0], "account_id": None, "outcome": "lost"}] * 3)
    pace = period_at_horizon(deals, q4, settled_on=q4.end, horizon_days=60)
    assert (pace.meta.n_accounts, set(pace.frame["n_without_account"])) == (2, {3})
    assert "7 deals (4 of 2 accounts, 3 without one)" in findings(q4, Answers(pace))[0].detail


def test_one_young_deal_makes_no_headline(make_deals, q4) -> None:
    rows = [{"opened": "2025-10-01", "closed": "2025-10-04", "outcome": "won"}]
    rows += [{"opened": "2025-05-01", "closed": f"2025-11-{day:02d}", "outcome": "lost"} for day in range(1, 21)] * 2
    deals = make_deals(rows)
    pace = period_at_horizon(deals, q4, settled_on=q4.end, horizon_days=365)
    assert pace.frame["thin_start"].all()
    card = findings(q4, Answers(pace))[0]
    assert card.verdict == "cannot tell"
    assert card.headline.endswith("the pace at young ages rests on fewer than 5 deals.")
    assert "100 %" not in f"{card.headline} {card.detail}"
    assert not thin_start(pd.DataFrame({"entry": -1, "exit": range(9), "outcome": "won"}), 9)


def test_unknown_outcomes_are_bounds(make_deals, q4) -> None:
    deals = make_deals([
        {"opened": "2025-10-01", "closed": "2025-10-11", "outcome": "won"},
        {"opened": "2025-10-01", "closed": "2025-10-11", "outcome": "unknown"},
        {"opened": "2025-10-01", "closed": "2025-10-11", "outcome": "lost"},
        {"opened": "2025-10-01", "closed": "2025-10-11", "outcome": "lost"},
    ])  # fmt: skip
    found = period_at_horizon(deals, q4, settled_on=q4.end, horizon_days=30).frame.set_index("outcome")
    assert list(found.index) == ["won", "lost", "no_decision", "open"]
    assert found.loc["won", ["bound_low", "estimate", "bound_high"]].tolist() == pytest.approx([1 / 4, 1 / 3, 1 / 2])
    assert found.loc["lost", ["bound_low", "bound_high"]].tolist() == pytest.approx([1 / 2, 3 / 4])
    assert found["estimate"].sum() == pytest.approx(1.0)


def test_opening_cohorts_are_cut_at_the_settled_date(make_deals, q3, q4) -> None:
    deals = make_deals([
        {"opened": "2025-07-01", "closed": "2025-07-11", "outcome": "won"},
        {"opened": "2025-08-01"},
        {"opened": "2025-10-01", "closed": "2025-12-30", "outcome": "won"},  # after the settled date: still open
        {"opened": "2025-10-01", "closed": "2025-10-06", "outcome": "lost"},
    ])  # fmt: skip
    found = opening_cohorts(deals, [q3, q4], settled_on=dt.date(2025, 12, 10), horizon_days=60)
    assert isinstance(found, Estimate)
    third = found.at(cohort="2025Q3", outcome="won", time=60).iloc[0]
    assert third["estimate"] == pytest.approx(1 / 2)
    assert (third["mature"], third["followed_days"], third["n_deals"]) == (True, 60, 2)
    fourth = found.at(cohort="2025Q4", outcome="won", time=60).iloc[0]
    assert fourth["estimate"] == 0
    assert (fourth["mature"], fourth["followed_days"]) == (False, 0)
    assert found.at(cohort="2025Q4", outcome="lost", time=60)["estimate"].iloc[0] == pytest.approx(1 / 2)


def test_a_quarter_without_openings_is_named(make_deals, q3, q4) -> None:
    deals = make_deals([{"opened": "2025-10-01"}])
    found = opening_cohorts(deals, [q3, q4], settled_on=q4.end, horizon_days=60)
    assert "No deal was opened in 2025Q3" in found.meta.note
    nothing = opening_cohorts(deals, [q3], settled_on=q4.end, horizon_days=60)
    assert isinstance(nothing, Finding)


def test_nothing_settled_and_nobody_at_risk_say_so(make_deals, q4) -> None:
    deals = make_deals([{"opened": "2025-10-01"}])
    early = period_incidence(deals, q4, settled_on=dt.date(2025, 9, 1), horizon_days=60)
    assert isinstance(early, Finding)
    assert early.headline == "Nothing of 2025Q4 is settled yet."
    empty = period_at_horizon(deals.iloc[:0], q4, settled_on=q4.end, horizon_days=60)
    assert isinstance(empty, Finding)
    assert empty.verdict == "not studied"


def test_a_segment_that_does_not_exist_is_named_with_the_nearest(company, q4) -> None:
    with pytest.raises(InputError, match=r"(?i)did you mean 'segment'"):
        period_incidence(company, q4, settled_on=q4.end, horizon_days=60, by=["segmnt"])


def test_accounts_widen_the_interval(make_deals, q4) -> None:
    won = {"closed": "2025-10-11", "outcome": "won"}
    account = {i: {"opened": "2025-10-01", "account_id": f"a{i}", **(won if i % 3 == 0 else {})} for i in range(15)}
    deals = make_deals([account[i // 6] for i in range(90)])
    clustered = period_at_horizon(deals, q4, settled_on=q4.end, horizon_days=60).frame.set_index("outcome").loc["won"]
    apart = deals.assign(account_id=deals["deal_id"])
    plain = period_at_horizon(apart, q4, settled_on=q4.end, horizon_days=60).frame.set_index("outcome").loc["won"]
    # six deals of an account share their fate: the standard error is that of 15 accounts, not of 90 deals
    assert clustered["std_error"] / plain["std_error"] == pytest.approx(np.sqrt(6 * (15 / 14) / (90 / 89)), rel=1e-6)
    assert (clustered["n_deals"], clustered["n_accounts"]) == (90, 15)


def test_the_curve_before_is_cut_at_the_same_lag(company, q3, q4) -> None:
    settled = dt.date(2025, 12, 20)
    found = incidence_before(q4, as_known={q3: company}, settled_on=settled, horizon_days=120)
    expected = slow_period_incidence(company, q3.start, dt.date(2025, 9, 19), 120)
    assert found.at(outcome="lost", time=120)["estimate"].iloc[0] == pytest.approx(expected["lost"], abs=1e-12)
    early = incidence_before(q4, as_known={q3: company}, settled_on=dt.date(2025, 9, 1), horizon_days=120)
    assert isinstance(early, Finding)
    assert "nothing in it is settled yet" in early.headline
