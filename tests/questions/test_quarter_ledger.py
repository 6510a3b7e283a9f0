"""What closed, the ledger of win rates and the bridge: by hand, and adding up exactly on random companies."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.estimators.rates import clustered_proportion, wilson
from analytics.estimators.result import Estimate, Finding, Listing
from analytics.questions.quarter import bridge, money_strip, plan_of, what_closed, win_rates
from analytics.records.calendar import Quarter

Q4 = Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))


@pytest.fixture(scope="module")
def ledger(make_deals) -> pd.DataFrame:
    return make_deals([
        {"opened": "2025-05-01", "closed": "2025-10-10", "outcome": "won", "amount": 1000.0, "account_id": "x"},
        {"opened": "2025-10-02", "closed": "2025-12-31", "outcome": "lost", "amount": 500.0, "account_id": "x"},
        {"opened": "2025-10-02", "closed": "2025-11-11", "outcome": "no_decision", "amount": 0.0},
        {"opened": "2025-10-05", "closed": "2025-10-05", "outcome": "won", "amount": 250.0, "born_closed": True},
        # lost in the quarter, re-opened in it, open at as-of
        {"deal_id": "again", "opened": "2025-07-01", "closed": "2025-10-20", "outcome": "lost", "reopened": True},
        {"deal_id": "again", "episode": 2, "opened": "2025-11-01"},
        {"opened": "2025-09-01", "closed": "2025-09-30", "outcome": "won"},  # before the quarter
        {"opened": "2025-12-01", "closed": "2026-01-01", "outcome": "won"},  # after it
        {"opened": "2026-01-02"},  # opened after it
    ])  # fmt: skip


def first_episodes(ledger: pd.DataFrame) -> pd.DataFrame:
    return ledger[ledger["episode"] == 1].reset_index(drop=True)


def test_what_closed_counts_each_deal_where_it_stands(ledger) -> None:
    found = what_closed(ledger, Q4)
    assert isinstance(found, Listing)
    rows = found.frame.set_index("outcome")
    deals = rows["deals"].to_dict()
    assert deals == {
        "won": 2, "lost": 1, "no_decision": 1, "all closed": 4, "born closed": 1, "open at the end": 2,
        "opened in the quarter": 4, "re-opened in the quarter": 1, "closed and re-opened since": 1,
    }  # fmt: skip
    assert rows.loc["won", ["amount", "accounts", "currency"]].tolist() == [1250.0, 2, "USD"]
    assert rows.at["no_decision", "zero_amount_deals"] == 1
    assert rows.at["all closed", "accounts"] == 3  # x closed two
    assert deals["won"] + deals["lost"] + deals["no_decision"] == deals["all closed"]


def test_several_currencies_are_never_added(ledger) -> None:
    mixed = ledger.assign(currency=["USD", "EUR", "USD", "EUR", None, None, "USD", "USD", "USD"])
    rows = what_closed(mixed, Q4).frame
    won = rows[rows["outcome"] == "won"].set_index("currency")["amount"]
    assert won.to_dict() == {"EUR": 250.0, "USD": 1000.0}
    also = rows[rows["outcome"] == "closed and re-opened since"]
    assert also["deals"].tolist() == [1]
    assert also["currency"].isna().all()
    rates = win_rates(first_episodes(mixed), mixed, Q4, settled_on=Q4.end, horizon_days=90)
    assert "closed_amount_narrow" not in set(rates.frame["definition"])
    assert "several currencies" in rates.meta.note


def test_money_strip_leaves_out_what_is_not_known(ledger) -> None:
    rows = money_strip(ledger, Q4).frame.set_index("item")
    assert rows.loc["booked", ["value", "label"]].tolist() == [1250.0, "booked"]
    assert "coverage" not in rows.index  # no plan
    assert rows.at["plan", "words"] == "Not studied: booked against plan. It needs the quotas table (side: quotas)."
    assert rows.at["closed", "words"] == "2 won, 1 lost, 1 no decision"
    planned = money_strip(ledger, Q4, plan=2500.0).frame.set_index("item")
    assert "plan" not in planned.index
    # open on the morning of 1 October: the first deal (1,000) and `again` (100)
    assert planned.at["coverage", "value"] == pytest.approx(1100 / 2500)
    none = money_strip(ledger.assign(amount=np.nan), Q4).frame
    assert none["item"].tolist() == ["plan", "closed"]


def test_win_rates_by_hand(ledger) -> None:
    found = win_rates(first_episodes(ledger), ledger, Q4, settled_on=dt.date(2025, 12, 31), horizon_days=60)
    rows = found.frame.set_index("definition")
    assert rows.at["closed_count_narrow", "estimate"] == pytest.approx(2 / 3)
    assert rows.at["closed_count_broad", "estimate"] == pytest.approx(2 / 4)
    assert rows.at["closed_amount_narrow", "estimate"] == pytest.approx(1250 / 1750)
    # opened in the quarter: lost, no decision, won, and the one that was won in January
    assert rows.at["opened_cohort", "estimate"] == pytest.approx(2 / 4)
    # opened 1 August to 1 November, followed for 60 days: lost on day 90 still counts as open
    assert rows.loc["mature_cohort", ["n_event", "n_risk"]].tolist() == [2, 4]
    assert "qualified_cohort" not in rows.index
    assert "qualification_stage" in found.meta.note
    plain = clustered_proportion([1, 0, 1], cluster=["x", "x", "y"])
    assert rows.loc["closed_count_narrow", ["conf_low", "conf_high"]].tolist() == pytest.approx(plain[2:])


def test_qualified_cohort_needs_a_day_between(make_deals) -> None:
    deals = make_deals([
        {"opened": "2025-09-01", "qualified_on": "2025-10-10", "closed": "2025-11-09", "outcome": "won"},
        {"opened": "2025-10-01", "qualified_on": "2025-10-10", "closed": "2025-10-10", "outcome": "won"},  # in one day
        {"opened": "2025-10-01", "qualified_on": "2025-10-10", "closed": "2025-11-10", "outcome": "won"},  # on day 31
        {"opened": "2025-10-01", "qualified_on": "2025-10-10"},
        {"opened": "2025-10-01"},  # never qualified
    ])  # fmt: skip
    found = win_rates(deals, deals, Q4, settled_on=Q4.end, horizon_days=30)
    row = found.at(definition="qualified_cohort").iloc[0]
    assert (row["n_event"], row["n_risk"]) == (1, 3)


def test_amounts_that_lost_deals_do_not_carry_are_called_not_meaningful(make_deals) -> None:
    deals = make_deals(
        [{"opened": "2025-10-01", "closed": "2025-11-01", "outcome": "won", "amount": 70.0}] * 3
        + [{"opened": "2025-10-01", "closed": "2025-11-01", "outcome": "lost", "amount": 0.0}] * 4
    )
    row = win_rates(deals, deals, Q4, settled_on=Q4.end, horizon_days=30).at(definition="closed_amount_narrow").iloc[0]
    assert row["estimate"] == 1.0
    assert not row["meaningful"]
    assert row["note"].startswith("4 of 4 lost deals carry amount 0")
    assert row["no_interval_reason"] == "every amount is on one side"


def test_unknown_outcomes_bound_the_rate(make_deals) -> None:
    deals = make_deals(
        [{"opened": "2025-10-01", "closed": "2025-11-01", "outcome": o} for o in ("won", "lost", "unknown", "unknown")]
    )
    row = win_rates(deals, deals, Q4, settled_on=Q4.end, horizon_days=30).at(definition="closed_count_narrow").iloc[0]
    assert row["estimate"] == 0.5
    assert (row["bound_low"], row["bound_high"]) == (0.25, 0.75)
    assert row["conf_low"] <= 0.25
    assert row["conf_high"] >= 0.75
    assert "2 deals closed without a recorded outcome" in row["note"]
    # the lower limit of one won in four, the upper of three in four
    assert row["conf_low"] == pytest.approx(wilson(1, 4)[0])
    assert row["conf_high"] == pytest.approx(wilson(3, 4)[1])
    opened = win_rates(deals, deals, Q4, settled_on=Q4.end, horizon_days=30).at(definition="opened_cohort").iloc[0]
    assert (opened["bound_low"], opened["bound_high"]) == (0.25, 0.75)
    assert opened["conf_low"] == pytest.approx(wilson(1, 4)[0])


def test_bridges_end_only_at_amounts_that_mean_something(make_deals) -> None:
    rows = [{"opened": "2025-10-01", "closed": "2025-11-01", "outcome": o, "amount": a}
            for o, a in (("won", 50.0), ("lost", 0.0), ("lost", 0.0))]  # fmt: skip
    deals = make_deals(rows)
    steps = bridge(deals, deals, Q4, settled_on=Q4.end, horizon_days=30).frame
    assert not steps["to"].str.contains("amount").any()
    assert "2025q4" not in " ".join(steps["words"])


def test_delayed_entry_makes_the_mature_cohort_an_incidence(make_deals) -> None:
    deals = make_deals([
        {"opened": "2025-09-01", "closed": "2025-09-11", "outcome": "won", "entry": 4},
        {"opened": "2025-09-01", "closed": "2025-09-21", "outcome": "lost", "entry": 14},
        {"opened": "2025-09-01"},
    ])  # fmt: skip
    quarter = Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))
    row = (
        win_rates(deals, deals, quarter, settled_on=quarter.end, horizon_days=60).at(definition="mature_cohort").iloc[0]
    )
    assert row["estimate"] == pytest.approx(1 / 2)  # two deals at risk on day 10, not three


def test_delayed_entry_and_unrecorded_outcomes_give_bounds_of_the_incidence(make_deals) -> None:
    rows = [{"opened": "2025-09-01", "closed": "2025-09-11", "outcome": o, "entry": 4} for o in ("won", "unknown")]
    deals = make_deals([*rows, {"opened": "2025-09-01"}, {"opened": "2025-09-01"}])
    found = win_rates(deals, deals, Q4, settled_on=Q4.end, horizon_days=60)
    row = found.at(definition="mature_cohort").iloc[0]
    assert (row["bound_low"], row["bound_high"]) == pytest.approx((1 / 4, 1 / 2))
    assert row["conf_low"] < 1 / 4
    assert row["conf_high"] > 1 / 2


def test_the_bridge_by_hand(ledger) -> None:
    steps = bridge(first_episodes(ledger), ledger, Q4, settled_on=Q4.end, horizon_days=60).frame
    broad = steps[steps["to"] == "closed_count_broad"]
    assert broad[["step", "deals"]].values.tolist() == [["join", 1]]
    assert broad["change"].tolist() == pytest.approx([2 / 4 - 2 / 3])
    assert broad["words"].tolist() == ["1 deal (1 no decision) is counted as well."]
    opened = steps[(steps["from"] == "closed_count_broad") & (steps["to"] == "opened_cohort")].set_index("step")
    # the deal opened in May leaves: 2/4 → 1/3; the one won in January joins: 1/3 → 2/4
    assert opened.at["leave", "change"] == pytest.approx(1 / 3 - 2 / 4)
    assert opened.at["join", "change"] == pytest.approx(2 / 4 - 1 / 3)


@given(st.integers(0, 3000), st.integers(20, 400), st.sampled_from([0.0, 0.5, 1.0]))
@settings(max_examples=25, deadline=None)
def test_the_bridge_adds_up_exactly(make_company, seed: int, horizon: int, without_amount: float) -> None:
    deals = make_company(seed, n=80, accounts=30)
    rng = np.random.default_rng(seed)
    deals["amount"] = deals["amount"].where(rng.random(len(deals)) >= without_amount)
    again = deals[(deals["outcome"] == "lost") & (rng.random(len(deals)) < 0.3)]
    second = again.assign(episode=2, outcome="open", closed_on=pd.NaT, opened_on=again["closed_on"], exit=3)
    both = pd.concat([deals, second], ignore_index=True)
    found = bridge(deals, both, Q4, settled_on=dt.date(2025, 12, 20), horizon_days=horizon)
    rates = win_rates(deals, both, Q4, settled_on=dt.date(2025, 12, 20), horizon_days=horizon)
    assert isinstance(found, Listing)
    known = rates.frame.set_index("definition")["estimate"]
    for (start, end), steps in found.frame.groupby(["from", "to"]):
        assert steps["from_rate"].iloc[0] + steps["change"].sum() == pytest.approx(steps["to_rate"].iloc[0], abs=1e-12)
        assert known[start] == pytest.approx(steps["from_rate"].iloc[0], abs=1e-12)
        assert known[end] == pytest.approx(steps["to_rate"].iloc[0], abs=1e-12)
    assert found.frame["words"].str.len().min() > 10


def test_no_deals_at_all_is_a_sentence(make_deals) -> None:
    none = make_deals([{"opened": "2025-10-01"}]).iloc[:0]
    for found in (
        what_closed(none, Q4), money_strip(none, Q4), win_rates(none, none, Q4, settled_on=Q4.end, horizon_days=30),
        bridge(none, none, Q4, settled_on=Q4.end, horizon_days=30),
    ):  # fmt: skip
        assert isinstance(found, Finding)
        assert found.verdict == "not studied"


def test_no_closed_deals_leave_the_cohorts(make_deals) -> None:
    deals = make_deals([{"opened": "2025-10-01"}] * 6)
    found = win_rates(deals, deals, Q4, settled_on=Q4.end, horizon_days=30)
    assert isinstance(found, Estimate)
    assert found.frame["definition"].tolist() == ["opened_cohort", "mature_cohort", "period_incidence"]
    assert (found.frame["estimate"] == 0).all()
    assert found.frame["conf_high"].between(0.2, 0.6).all()
    assert "no deals to count" in found.meta.note


def test_a_plan_is_the_sum_of_its_quarter_and_never_zero_by_absence() -> None:
    quotas = pd.DataFrame(
        {"owner_id": ["a", "b", "c"], "period": ["2025Q4", "2025Q4", "2025Q3"], "quota": [5.0, 7.0, 9.0]}
    )
    assert plan_of(quotas, Q4) == 12.0
    assert plan_of(quotas[quotas["period"] == "2025Q3"], Q4) is None
    assert plan_of(None, Q4) is None
