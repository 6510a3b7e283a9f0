"""The waterfall adds up to the cent whatever the history, and each line holds what its name says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.estimators.result import Finding, Listing
from analytics.questions import pipeline_changes as question
from analytics.questions.pipeline_changes.pipeline import Border, Pipeline
from analytics.questions.pipeline_changes.waterfall import in_cents
from analytics.records.calendar import Quarter
from analytics.records.contract import HISTORY_COLUMNS, History
from analytics.records.definitions import CurrencyPolicy, Definitions
from analytics.records.rules import OutcomeRules

Q4 = Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))
AS_OF = dt.date(2026, 1, 31)
RULES = OutcomeRules(no_decision_reasons=("Budget",))
PLAN = CurrencyPolicy(report_in="USD", policy="plan_rate", rates={"EUR": 1.0837, "GBP": 1.31})
POLICIES = (
    CurrencyPolicy(),
    PLAN,
    CurrencyPolicy(report_in="USD", policy="rate_at_opening"),
    CurrencyPolicy(report_in="USD", policy="rate_at_as_of"),
)
FX = pd.DataFrame(
    [("EUR", "2025-01-01", 1.08), ("EUR", "2025-11-01", 1.17), ("GBP", "2025-01-01", 1.3), ("GBP", "2025-12-01", 1.25)],
    columns=["currency", "valid_from", "rate"],
).assign(recorded_on=None)
OWNERS = pd.DataFrame(
    [("U1", "North", None, "2025-11-15"), ("U1", "South", "2025-11-15", None), ("U2", "South", None, None)],
    columns=["owner_id", "team", "start_on", "end_on"],
).assign(recorded_on=None, name=None, manager=None)


def history_of(rows: Iterable[dict[str, Any]], gone: Iterable[tuple[str, str]] = (), **more: Any) -> History:
    """States by deal: `on` is the day of recording; what a row leaves out keeps the deal's last value."""
    made: list[dict[str, Any]] = []
    last: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(rows):
        deal = row["deal_id"]
        first = {
            "opened_on": row["on"],
            "status": "open",
            "owner_id": "U2",
            "currency": "USD",
            "account_id": f"a{deal}",
        }
        state = {**last.get(deal, first), **{key: value for key, value in row.items() if key != "on"}}
        last[deal] = {key: value for key, value in state.items() if key not in ("closed_on", "reason")}
        made.append({**state, "recorded_on": row["on"], "sequence": number})
    table = pd.DataFrame(made).reindex(columns=list(HISTORY_COLUMNS))
    missing = pd.DataFrame(list(gone), columns=["deal_id", "recorded_on"]).assign(last_seen_on=None)
    side = {"owners": OWNERS, "fx_rates": FX, **({"missing_deals": missing} if len(missing) else {})}
    return History(table=table, side=side, **more)


def pipeline_of(history: History, policy: CurrencyPolicy = POLICIES[0], **more: Any) -> Pipeline:
    given_ = {"as_of": AS_OF, "definitions": Definitions(currency=policy), "rules": RULES, **more}
    return question.pipeline_between(history, history.table[["deal_id"]].drop_duplicates(), Q4, **given_)


def lines_of(
    history: History, policy: CurrencyPolicy = POLICIES[0], border: Border = "quarter", **more: Any
) -> dict[str, tuple[float, int]]:
    found = question.waterfall(pipeline_of(history, policy, **more), border=border)
    assert isinstance(found, Listing), found
    moved = found.frame[found.frame["deals"] != 0]
    return {row.line: (row.amount, row.deals) for row in moved.itertuples()}


def day(number: int) -> str:
    return (dt.date(2025, 9, 1) + dt.timedelta(days=number)).isoformat()


PUSHED_ELSEWHERE = [
    {"deal_id": "z", "on": "2025-02-01", "amount": 1.0, "expected_close_on": "2025-03-01"},
    {"deal_id": "z", "on": "2025-03-05", "expected_close_on": "2025-04-01"},
    {"deal_id": "z", "on": "2025-04-05", "status": "closed_lost"},
]
"""A deal of long ago that shows that expected dates are recorded as they change."""


# ------------------------------------------------------------------------------------------------ one line at a time

IN, BEFORE, AFTER = "2025-11-30", "2025-09-15", "2026-02-28"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([], {"start": (100.0, 1), "end": (100.0, 1)}),
        ([{"amount": 130.01}], {"start": (100.0, 1), "raised": (30.01, 1), "end": (130.01, 1)}),
        ([{"amount": 60.0}], {"start": (100.0, 1), "lowered": (-40.0, 1), "end": (60.0, 1)}),
        ([{"expected_close_on": AFTER}], {"start": (100.0, 1), "pushed_out": (-100.0, 1)}),
        ([{"on": "2025-12-20", "expected_close_on": AFTER}], {"start": (100.0, 1), "slipped": (-100.0, 1)}),
        ([{"on": "2025-12-01", "expected_close_on": AFTER}], {"start": (100.0, 1), "pushed_out": (-100.0, 1)}),
        ([{"on": "2025-12-02", "expected_close_on": AFTER}], {"start": (100.0, 1), "slipped": (-100.0, 1)}),
        ([{"expected_close_on": BEFORE}], {"start": (100.0, 1), "dated_out": (-100.0, 1)}),
        ([{"expected_close_on": None}], {"start": (100.0, 1), "dated_out": (-100.0, 1)}),
        ([{"status": "closed_won"}], {"start": (100.0, 1), "won": (-100.0, 1)}),
        ([{"status": "closed_lost", "reason": "Price", "amount": 0.0}], {"start": (100.0, 1), "lost": (-100.0, 1)}),
        ([{"status": "closed_lost", "reason": " budget"}], {"start": (100.0, 1), "no_decision": (-100.0, 1)}),
        ([{"status": "closed_unknown"}], {"start": (100.0, 1), "unknown": (-100.0, 1)}),
        (
            [{"status": "closed_won", "amount": 150.0}],
            {"start": (100.0, 1), "raised": (50.0, 1), "won": (-150.0, 1)},
        ),
        (
            [{"status": "closed_lost"}, {"on": "2025-12-10", "status": "open", "amount": 80.0}],
            {"start": (100.0, 1), "lost": (-100.0, 1), "reopened": (80.0, 1), "end": (80.0, 1)},
        ),
        # raised by 50 and pushed out: out of the pipeline at 100 or at 150, so that the raise is worth half of 50
        (
            [{"expected_close_on": AFTER, "amount": 150.0}],
            {"start": (100.0, 1), "raised": (25.0, 1), "pushed_out": (-125.0, 1)},
        ),
        # pushed out and pulled back: nothing has changed between the two days
        (
            [{"expected_close_on": AFTER}, {"on": "2025-12-10", "expected_close_on": IN}],
            {"start": (100.0, 1), "end": (100.0, 1)},
        ),
    ],
)  # fmt: skip
def test_a_deal_of_the_quarter(changes: list[dict[str, Any]], expected: dict[str, tuple[float, int]]) -> None:
    first = {"deal_id": "d", "on": "2025-08-01", "amount": 100.0, "expected_close_on": IN}
    rows = [*PUSHED_ELSEWHERE, first, *({"deal_id": "d", "on": "2025-11-01", **change} for change in changes)]
    assert lines_of(history_of(rows)) == expected


@pytest.mark.parametrize(
    ("then", "change", "expected"),
    [
        (AFTER, {"expected_close_on": IN}, {"pulled_in": (100.0, 1), "end": (100.0, 1)}),
        (BEFORE, {"expected_close_on": IN}, {"rolled_in": (100.0, 1), "end": (100.0, 1)}),
        (None, {"expected_close_on": IN}, {"rolled_in": (100.0, 1), "end": (100.0, 1)}),
        (AFTER, {"status": "closed_won", "closed_on": "2025-11-01"}, {"pulled_in": (100.0, 1), "won": (-100.0, 1)}),
        (AFTER, {"status": "closed_lost", "closed_on": "2025-09-01"}, {}),
        (AFTER, {"expected_close_on": "2026-05-01"}, {}),
    ],
)
def test_a_deal_of_another_quarter(then: str | None, change: dict[str, Any], expected: dict[str, Any]) -> None:
    first = {"deal_id": "d", "on": "2025-08-01", "amount": 100.0, "expected_close_on": then}
    assert lines_of(history_of([*PUSHED_ELSEWHERE, first, {"deal_id": "d", "on": "2025-11-01", **change}])) == expected


def test_created_and_born_closed_and_removed() -> None:
    rows = [
        *PUSHED_ELSEWHERE,
        {"deal_id": "new", "on": "2025-10-10", "amount": 10.0, "expected_close_on": IN},
        {"deal_id": "new", "on": "2025-10-20", "amount": 15.0},
        {"deal_id": "born", "on": "2025-10-10", "amount": 7.0, "status": "closed_won", "closed_on": "2025-10-10"},
        {"deal_id": "twin", "on": "2025-08-10", "amount": 3.0, "expected_close_on": IN},
    ]
    history = history_of(rows, gone=[("twin", "2025-12-01")])
    assert lines_of(history) == {
        "start": (3.0, 1), "created": (10.0, 1), "raised": (5.0, 1), "removed": (-3.0, 1), "end": (15.0, 1),
        "born_closed": (7.0, 1),
    }  # fmt: skip
    restated = lines_of(history, view="restated")
    assert "removed" not in restated
    assert "start" not in restated


def test_currency_is_a_change_of_rate_or_of_the_deal_s_currency() -> None:
    rows = [{"deal_id": "d", "on": "2025-08-01", "amount": 100.0, "currency": "EUR"}]
    moved = {"start": (108.0, 1), "currency": (9.0, 1), "end": (117.0, 1)}
    assert lines_of(history_of(rows), POLICIES[3], "whole") == moved
    for policy in POLICIES[1:3]:
        assert "currency" not in lines_of(history_of(rows), policy, "whole")
    rows.append({"deal_id": "d", "on": "2025-11-05", "currency": "USD"})
    assert lines_of(history_of(rows), PLAN, "whole")["currency"] == (-8.37, 1)
    own = question.waterfall(pipeline_of(history_of(rows)), border="whole").frame.set_index(["currency", "line"])
    assert own.loc[("EUR", "currency"), "amount"] == -100.0
    assert own.loc[("USD", "currency"), "amount"] == 100.0


def test_owner_transfers_are_between_teams_and_add_up_to_nothing() -> None:
    rows = [
        {"deal_id": "moved", "on": "2025-08-01", "amount": 100.0, "owner_id": "U2"},
        {"deal_id": "stays", "on": "2025-08-01", "amount": 40.0, "owner_id": "U1"},
        {"deal_id": "other", "on": "2025-08-01", "amount": 5.0, "owner_id": "U9"},
        {"deal_id": "moved", "on": "2025-10-20", "owner_id": "U9"},
    ]
    found = question.team_waterfalls(pipeline_of(history_of(rows))).frame.set_index(["team", "line"])
    assert found.loc[("South", "transferred_out"), "amount"] == -100.0
    assert found.loc[("no team known", "transferred_in"), "amount"] == 100.0
    assert found.loc[("North", "transferred_out"), "amount"] == -40.0  # here the owner moved, with the deal
    transfers = found.loc[found.index.get_level_values("line").str.startswith("transferred"), "amount"]
    assert transfers.sum() == 0


def test_restated_closings_and_openings_count_on_their_own_days() -> None:
    rows = [
        *PUSHED_ELSEWHERE,
        {"deal_id": "late", "on": "2025-08-01", "amount": 9.0, "expected_close_on": IN},
        {"deal_id": "late", "on": "2026-01-10", "status": "closed_lost", "closed_on": "2025-12-20"},
        {"deal_id": "old", "on": "2025-10-10", "opened_on": "2025-09-01", "amount": 4.0, "expected_close_on": IN},
    ]
    history = history_of(rows)
    assert lines_of(history) == {"start": (9.0, 1), "created": (4.0, 1), "end": (13.0, 2)}
    assert lines_of(history, view="restated") == {"start": (13.0, 2), "lost": (-9.0, 1), "end": (4.0, 1)}
    both = question.then_and_now(pipeline_of(history), pipeline_of(history, view="restated")).frame.set_index("line")
    assert both.loc["end", ["then_amount", "now_amount", "difference_amount", "deals"]].tolist() == [13.0, 4.0, -9.0, 1]
    assert both.loc["lost", ["then_deals", "now_deals"]].tolist() == [0, 1]


def test_what_is_missing_is_said_and_the_rest_is_studied() -> None:
    rows = [{"deal_id": "d", "on": "2025-08-01", "amount": 9.0}]
    pipeline = pipeline_of(history_of(rows))
    said = question.waterfall(pipeline)
    assert isinstance(said, Finding)
    assert said.headline.endswith("It needs the expected close date of open deals (expected_close_on).")
    assert isinstance(question.waterfall(pipeline, border="whole"), Listing)
    dated = pipeline_of(history_of([{**rows[0], "expected_close_on": IN}]))
    assert "recorded changes of the expected close date" in question.waterfall(dated).headline
    today = pipeline_of(history_of([{**rows[0], "expected_close_on": IN}], kind="current_only"))
    assert "recorded history" in question.waterfall(today).headline
    whole = question.waterfall(today, border="whole")
    assert isinstance(whole, Listing)
    assert "reconstructed" in whole.title
    assert isinstance(question.then_and_now(today, today), Finding)
    states = [{**rows[0], "amount": None}, {**rows[0], "on": "2025-11-01", "status": "closed_won"}]
    ended = pipeline_of(history_of(states))
    won = question.waterfall(ended, border="whole").frame.set_index("line")
    assert won.loc["won", "deals"] == 1
    assert won["amount"].isna().all()  # an amount that only closing brings says nothing of what was in the pipeline
    nobody = pipeline_of(history_of([{**rows[0], "on": "2026-01-20"}]))
    assert question.waterfall(nobody, border="whole").verdict == "not studied"


def test_amounts_are_written_with_every_digit() -> None:
    assert in_cents(10**17 + 1) == "1,000,000,000,000,000.01"


# ------------------------------------------------------------------------------------------------------- any history

state = st.fixed_dictionaries(
    {
        "day": st.integers(0, 150),
        "amount": st.one_of(st.none(), st.floats(-1e6, 1e8).map(lambda x: round(x, 3)), st.just(0.0)),
        "currency": st.sampled_from(["USD", "EUR", "GBP"]),
        "expected": st.one_of(st.none(), st.integers(-20, 260)),
        "status": st.sampled_from(["open", "open", "open", "closed_won", "closed_lost", "closed_unknown"]),
        "owner_id": st.sampled_from(["U1", "U2", "U3", None]),
        "reason": st.sampled_from([None, "Budget", "Price"]),
        "late": st.integers(0, 40),
    }
)
companies = st.lists(st.lists(state, min_size=1, max_size=6), min_size=1, max_size=6)


def history_from(company: list[list[dict[str, Any]]], gone: list[int]) -> History:
    rows = []
    for number, states in enumerate(company):
        for one in sorted(states, key=lambda s: s["day"]):
            closed = one["status"] != "open"
            rows.append({
                "deal_id": f"d{number}", "on": day(one["day"]), "amount": one["amount"], "currency": one["currency"],
                "expected_close_on": None if one["expected"] is None else day(one["expected"]),
                "status": one["status"], "owner_id": one["owner_id"], "reason": one["reason"] if closed else None,
                "closed_on": day(one["day"] - one["late"]) if closed else None, "account_id": f"a{number % 2}",
                "opened_on": day(states[0]["late"] - 30),
            })  # fmt: skip
    return history_of(rows, gone=[(f"d{n}", day(140)) for n in gone if n < len(company)])


def open_at(pipeline: Pipeline, on: dt.date, border: Border, currency: str) -> tuple[int, int]:
    """Cents and deals that are open at the end of a day, deal by deal in a loop."""
    cents = deals = 0
    for _, rows in pipeline.places.groupby("deal_id"):
        past = rows[rows["on"] <= pd.Timestamp(on)]
        if not len(past) or not past.iloc[-1]["is_open"]:
            continue
        last = past.iloc[-1]
        said = last["expected_close_on"]
        if border == "quarter" and (pd.isna(said) or said.date() not in Q4):
            continue
        asked = (last["currency"], pd.Timestamp(on), last["opened_on"])
        rate = pipeline.rates(currency)(*(pd.Series([value]) for value in asked)).iloc[0]
        if rate == 0:
            continue
        deals += 1
        cents += int(np.rint(100 * (last["amount"] * rate))) if pd.notna(last["amount"] * rate) else 0
    return cents, deals


@settings(max_examples=40, deadline=None)
@given(
    companies,
    st.lists(st.integers(0, 5), max_size=2),
    st.sampled_from(POLICIES),
    st.sampled_from(["frozen", "restated"]),
)
def test_the_residual_is_zero_to_the_cent_over_random_histories(company, gone, policy, view) -> None:
    pipeline = pipeline_of(history_from(company, gone), policy, view=view)
    for border in ("quarter", "whole"):
        for currency in pipeline.currencies:
            moves = question.moves(pipeline, border=border, currency=currency)
            sums = moves.groupby("line")[["cents", "deals"]].sum()
            changes = sums.drop(index=["start", "end"], errors="ignore").sum()
            starts, ends = (open_at(pipeline, on, border, currency) for on in (pipeline.start, pipeline.end))
            for name, start, end in zip(("cents", "deals"), starts, ends, strict=True):
                assert sums[name].get("start", 0) == start
                assert sums[name].get("end", 0) == end
                assert start + changes[name] == end


@settings(max_examples=25, deadline=None)
@given(companies, st.sampled_from(POLICIES))
def test_the_teams_add_up_to_the_company_and_their_transfers_to_nothing(company, policy) -> None:
    pipeline = pipeline_of(history_from(company, []), policy)
    teams = sorted({*pipeline.teams[0], *pipeline.teams[1], "North"})
    for currency in pipeline.currencies:
        whole = question.moves(pipeline, border="quarter", currency=currency).groupby("line")["cents"].sum()
        parts = [question.moves(pipeline, border="quarter", currency=currency, team=team) for team in teams]
        for moves in parts:
            sums = moves.groupby("line")["cents"].sum()
            assert sums.drop("end", errors="ignore").sum() == sums.get("end", 0)
        total = pd.concat(parts).groupby("line")["cents"].sum()
        ends = ["start", "created", "reopened", "won", "lost", "no_decision", "unknown", "end"]
        assert total.reindex(ends, fill_value=0).tolist() == whole.reindex(ends, fill_value=0).tolist()


@settings(max_examples=25, deadline=None)
@given(companies)
def test_a_later_extract_does_not_change_what_was_said(company) -> None:
    history = history_from(company, [])
    early, later = (pipeline_of(history, as_of=as_of) for as_of in (Q4.end, AS_OF))
    for border in ("quarter", "whole"):
        found = [question.moves(p, border=border, currency="USD").drop(columns="place") for p in (early, later)]
        if early.has_amounts == later.has_amounts:
            pd.testing.assert_frame_equal(*found)
