"""Data health: every row accounted for, shares by hand, traps counted, and absent tables said plainly."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from analytics.estimators.rates import clustered_proportion, wilson
from analytics.estimators.result import Estimate, Finding, Listing
from analytics.questions.data_health import (
    activity_coverage,
    completeness,
    field_counts,
    leaky_fields,
    left_out,
    never_open,
    outcome_shares,
    recording_delay,
    rejected,
    rejected_rows,
    settled,
    traps,
    traps_found,
    traps_in_short,
    what_came_in,
)
from analytics.records.contract import SourceFile

AS_OF = dt.date(2026, 1, 31)


def test_kept_and_rejected_add_up_to_what_was_read() -> None:
    files = [SourceFile("a.csv", "", 10, 8, 2), SourceFile("b.csv", "", 5, 5, 0)]
    frame = what_came_in(files).frame
    assert frame["file"].tolist() == ["a.csv", "b.csv", "all files"]
    assert frame.iloc[-1, 1:].tolist() == [15, 13, 2]
    assert len(what_came_in(files[:1]).frame) == 1
    with pytest.raises(ValueError, match="neither kept nor rejected"):
        what_came_in([SourceFile("a.csv", "", 10, 8, 1)])
    assert isinstance(what_came_in([]), Finding)


def test_rejected_rows_are_grouped_by_reason_and_kept_private() -> None:
    rejects = pd.DataFrame({
        "file": ["a.csv", "a.csv", "b.csv"], "line": [9, 4, 2], "reason": ["no date", "no date", "deleted"],
        "values": ['{"id": 9}', '{"id": 4}', "x" * 500],
    })  # fmt: skip
    found = rejected(rejects)
    assert found.private
    assert found.frame[["reason", "rows", "first_line"]].values.tolist() == [["no date", 2, 4], ["deleted", 1, 2]]
    assert found.frame["example"].iloc[0] == '{"id": 4}'
    assert len(found.frame["example"].iloc[1]) == 161
    assert rejected_rows(rejects).private
    assert len(rejected_rows(rejects).frame) == 3
    none = rejected(rejects.iloc[:0])
    assert none.headline == "No row was rejected."


def test_left_out_needs_its_columns() -> None:
    table = pd.DataFrame({"step": ["read"], "rule": ["rows"], "deals": [3], "remaining": [3]})
    assert left_out(table).frame.equals(table)
    with pytest.raises(ValueError, match="remaining"):
        left_out(table.drop(columns="remaining"))


@pytest.fixture(scope="module")
def deals(make_deals) -> pd.DataFrame:
    ended = {"opened": "2025-01-01", "closed": "2025-03-01"}
    return make_deals([
        {**ended, "outcome": "won", "amount": 10.0, "account_id": "x", "tier": "A"},
        {**ended, "outcome": "won", "amount": 0.0, "account_id": "x", "tier": "A"},
        {**ended, "outcome": "lost", "amount": None, "reason": "Price", "tier": " "},
        {**ended, "outcome": "no_decision", "account_id": None, "tier": None},
        {"opened": "2025-01-01", "expected_close_on": "2025-12-01", "tier": "B"},
        {**ended, "closed": "2025-01-01", "outcome": "unknown", "born_closed": True, "tier": "B"},
        {**ended, "outcome": "lost", "reopened": True, "amount": -5.0, "tier": "B"},
    ])  # fmt: skip


def test_completeness_by_hand(deals) -> None:
    found = completeness(deals)
    assert isinstance(found, Estimate)
    amount = found.at(field="amount").set_index("outcome")
    assert amount.loc["all", ["n_event", "n_risk"]].tolist() == [4, 7]  # 0, nothing and below 0 are not filled
    assert amount.loc["won", ["n_event", "n_risk", "n_accounts"]].tolist() == [1, 2, 1]
    tier = found.at(field="tier").set_index("outcome")  # a declared attribute; blanks are not filled
    assert tier.loc["all", ["n_event", "n_risk"]].tolist() == [5, 7]
    plain = clustered_proportion([1, 1, 0, 0, 1, 1, 1], cluster=deals["account_id"])
    assert tier.loc["all", ["conf_low", "conf_high"]].tolist() == pytest.approx(plain[2:])
    # whether the account is filled is not clustered by account
    account = found.at(field="account_id", outcome="all").iloc[0]
    assert (account["conf_low"], account["conf_high"]) == pytest.approx(wilson(6, 7))
    assert isinstance(completeness(deals.iloc[:0]), Finding)


def test_field_counts(deals) -> None:
    rows = field_counts(deals, ["tier", "deal_id"]).frame.set_index("field")
    assert rows.loc["tier", ["deals", "filled", "missing", "distinct", "most_common"]].tolist() == [7, 5, 2, 2, "B (3)"]
    assert rows.at["deal_id", "most_common"] == ""


def test_outcome_shares_by_hand(make_deals) -> None:
    ended = {"opened": "2025-01-01", "closed": "2025-03-01"}
    rows = [{**ended, "outcome": outcome} for outcome in ["won"] * 3 + ["lost"] * 2 + ["unknown"] * 4]
    known = make_deals([*rows, {"opened": "2025-01-01"}])
    found = outcome_shares(known)
    assert isinstance(found, Estimate)
    shares = found.frame.set_index("outcome")
    assert shares["bound_low"].to_dict() == pytest.approx({"won": 0.3, "lost": 0.2, "no_decision": 0, "open": 0.1})
    assert shares["bound_high"].to_dict() == pytest.approx({"won": 0.7, "lost": 0.6, "no_decision": 0.4, "open": 0.1})
    # 4 unknown among 3 won and 2 lost: 0.4 * 3 / 5 and 0.4 * 2 / 5
    assert shares["estimate"].to_dict() == pytest.approx({"won": 0.54, "lost": 0.36, "no_decision": 0, "open": 0.1})
    assert shares["estimate"].sum() == pytest.approx(1)
    assert (shares.at["won", "conf_low"], shares.at["won", "conf_high"]) == pytest.approx(
        (clustered_proportion([1] * 3 + [0] * 7, cluster=range(10))[2],
         clustered_proportion([1] * 7 + [0] * 3, cluster=range(10))[3])
    )  # fmt: skip
    assert shares["std_error"].isna().to_dict() == {"won": True, "lost": True, "no_decision": True, "open": False}
    assert shares["n_unknown"].tolist() == [4, 4, 4, 0]
    assert shares.at["won", "note"].startswith("30 % if none of the 4 unknown outcomes is this one, 70 % if all are")


def test_outcome_shares_take_the_last_episode_and_say_what_they_cannot(make_deals) -> None:
    ended = {"opened": "2025-01-01", "closed": "2025-03-01"}
    again = make_deals([
        {**ended, "outcome": "won", "deal_id": "a", "episode": 2}, {**ended, "outcome": "lost", "deal_id": "a"},
        {**ended, "outcome": "lost", "deal_id": "b"},
    ])  # fmt: skip
    shares = outcome_shares(again).frame.set_index("outcome")
    assert shares["estimate"].to_dict() == {"won": 0.5, "lost": 0.5, "no_decision": 0, "open": 0}
    assert (shares["bound_high"] == shares["bound_low"]).all()
    assert isinstance(outcome_shares(again.iloc[:0]), Finding)
    nothing = outcome_shares(again.assign(outcome="unknown"))
    assert isinstance(nothing, Finding)
    assert nothing.detail == "2 of 2 deals closed with an unknown outcome, the others are open."


def test_traps_say_what_was_found_and_what_could_not_be_looked_for() -> None:
    counts = pd.DataFrame({
        "trap": [3, 10, 13, 20], "name": ["past due", "amount", "currencies", "leaks"],
        "what": ["open, past due", "no amount", "", "fields"], "found": pd.array([1235, 0, None, 1], "Int64"),
        "of": pd.array([5000, 10, None, 8], "Int64"), "unit": ["deals", "deals", "", "fields"],
        "rule": ["stays open", "kept", "not in this export: needs a currency", "refused"],
    })  # fmt: skip
    found = traps(counts)
    assert found.title == "The twenty traps"
    assert not found.private
    assert found.frame["found"].tolist() == [
        "1,235 of 5,000 deals",
        "none of 10 deals",
        "not looked for",
        "1 of 8 fields",
    ]
    assert found.frame["n_found"].tolist()[:2] == [1235, 0]
    assert pd.isna(found.frame["n_found"].iloc[2])
    assert found.frame[["number", "looked_for"]].values.tolist()[0] == [3, "open, past due"]
    assert isinstance(traps(counts.iloc[:0]), Finding)


SEEN = pd.DataFrame(
    [
        (4, "imported", "closed too early", 0, 9, "deals", "left out"),
        (10, "amount", "no amount", 0, 10, "deals", "kept"),
        (10, "amount", "emptied", 3, 10, "deals", "the last one is used"),
        (10, "amount", "below 0", 0, 10, "deals", "kept"),
        (10, "amount", "amount 0", 2, 8, "deals of the export", "kept"),
        (12, "category", "", None, None, "", "not in this export: needs a category"),
        (16, "twice", "merged", 0, 9, "deals", "left out"),
        (16, "twice", "copied", 0, 7, "rows", "kept once"),
    ],
    columns=["trap", "name", "what", "found", "of", "unit", "rule"],
).astype({"found": "Int64", "of": "Int64"})


def test_traps_in_short_name_a_trap_once_and_fold_what_was_not_found() -> None:
    assert traps(SEEN).frame["looked_for"].tolist()[1:5] == ["emptied", "amount 0", "no amount", "below 0"]
    assert traps_in_short(traps(SEEN)).frame.values.tolist() == [
        ["10", "amount", "emptied", "3 of 10 deals", "the last one is used"],
        ["", "", "amount 0", "2 of 8 deals of the export", "kept"],
        ["", "", "no amount; below 0", "none of 10 deals", "kept"],
        ["4", "imported", "closed too early", "none of 9 deals", "left out"],
        ["16", "twice", "merged; copied", "none", ""],
        ["12", "category", "", "not looked for", "not in this export: needs a category"],
    ]


def test_a_withheld_count_is_a_trap_that_was_found() -> None:
    listed = traps(SEEN)
    hidden = listed.frame["n_found"].isin([2, 3])
    frame = listed.frame.assign(found=listed.frame["found"].mask(hidden, ""), withheld=np.where(hidden, "<5", ""))
    kept = Listing(frame, listed.title)
    assert traps_in_short(kept).frame["found"].tolist()[:3] == ["<5", "<5", "none of 10 deals"]
    leaky = Listing(pd.DataFrame({"field": ["rival", "reason"]}), "Leaky")
    for found in (traps_found(listed, leaky), traps_found(kept, leaky)):
        assert found.headline == "Traps found: 1, not found: 2, not looked for: 1."
        assert found.detail == "Only closing fills: rival, reason. The table of traps says what is done about each."
    assert traps_found(traps(SEEN.iloc[:0]), leaky).verdict == "not studied"


def test_leaky_fields_are_listed_with_their_shares() -> None:
    fields = pd.DataFrame({
        "field": ["rival", "size"], "leaky": [True, False], "kind": ["filled", ""], "why": ["90 % against 0 %", ""],
        "filled_closed": [0.9, 1], "filled_before": [0.0, 1], "filled_open": [0.0, 1], "changed": [None, 0.0],
        "n_closed": 40, "n_before": 38, "n_open": 21,
    })  # fmt: skip
    listed = leaky_fields(fields).frame
    assert listed[["field", "why", "share_closed", "share_before", "n_open"]].values.tolist() == [
        ["rival", "90 % against 0 %", 0.9, 0.0, 21]
    ]
    assert leaky_fields(fields[1:]).detail == "Looked at: size."
    assert leaky_fields(fields[:0]).verdict == "not studied"


def test_deals_that_were_never_open_are_told_apart(make_deals) -> None:
    day = {"opened": "2025-01-01", "closed": "2025-01-01"}
    longer = {"opened": "2025-01-01", "closed": "2025-03-01"}
    deals = make_deals([
        {**longer, "outcome": "won", "born_closed": True}, {**day, "outcome": "won"}, {**longer, "outcome": "won"},
        {**longer, "outcome": "lost"}, {**longer, "outcome": "no_decision"}, {**longer, "outcome": "unknown"},
        {"opened": "2025-01-01"},
    ])  # fmt: skip
    found = never_open(deals)
    assert found.frame[["item", "n_event", "n_risk"]].values.tolist() == [
        ["all", 3, 5], ["not_born_closed", 2, 4], ["open_for_a_day", 1, 3],
    ]  # fmt: skip
    assert found.frame["estimate"].tolist() == pytest.approx([3 / 5, 2 / 4, 1 / 3])
    first = found.frame.iloc[0]
    plain = clustered_proportion([1, 1, 1, 0, 0], cluster=range(5))
    assert (first["conf_low"], first["conf_high"]) == pytest.approx(plain[2:])
    assert never_open(deals[deals["outcome"] == "open"]).verdict == "not studied"


def test_recording_delay_and_the_settled_day() -> None:
    delays = pd.DataFrame({
        "outcome": ["lost"] * 4 + ["won"] * 3, "delay_days": [0, 2, 2, 30, 0, 0, 0], "window_days": [60] * 7,
    })  # fmt: skip
    found = recording_delay(delays, horizon_days=20)
    assert found.frame["time"].max() <= 20
    assert found.at(outcome="lost", time=2)["estimate"].iloc[0] == pytest.approx(3 / 4)
    card = settled(found, as_of=AS_OF, settled_on=dt.date(2026, 1, 29))
    assert card.headline == "Outcomes are settled up to 29 January 2026, 2 days before the as-of date."
    assert "lost 75 % (" in card.detail
    assert "won 100 % (" in card.detail
    assert settled(found, as_of=AS_OF, settled_on=AS_OF).headline.endswith("31 January 2026, the as-of date itself.")
    none = recording_delay(delays.iloc[:0])
    assert isinstance(none, Finding)
    assert "not known" in settled(none, as_of=AS_OF, settled_on=AS_OF).detail


def test_activity_coverage_by_hand(make_deals) -> None:
    deals = make_deals([
        {"opened": "2025-01-01", "closed": "2025-06-30", "outcome": "won"},
        {"opened": "2025-01-01", "closed": "2025-06-30", "outcome": "won"},
        {"opened": "2025-01-01", "closed": "2025-06-30", "outcome": "lost"},
        {"opened": "2025-01-01"},
    ])  # fmt: skip
    days = pd.to_datetime(["2025-05-31", "2025-05-30", "2025-07-01", "2025-06-30"])
    activities = pd.DataFrame({"deal_id": ["d0", "d1", "d1", "d2"], "occurred_on": days})
    found = activity_coverage(deals, activities, days=30).frame.set_index("outcome")
    # d0 exactly 30 days before; d1 a day too early and a day after; d2 on the day itself
    assert found["estimate"].to_dict() == {"won": 0.5, "lost": 1.0}
    late = activities.assign(recorded_on=pd.to_datetime(["2025-06-01", "2025-06-01", "2025-07-01", "2026-03-01"]))
    known = activity_coverage(deals, late, days=30, as_of=AS_OF).frame.set_index("outcome")
    assert known["estimate"].to_dict() == {"won": 0.5, "lost": 0.0}
    assert set(activity_coverage(deals, activities).frame["label"]) == {
        "won deals with an activity in the 30 days before closing",
        "lost deals with an activity in the 30 days before closing",
    }  # fmt: skip
    # the same side as the silence rule: the buyer's, as soon as any is recorded
    sides = late.assign(side=["seller", "seller", "Seller ", " Buyer"], occurred_on=pd.Timestamp("2025-06-15"))
    bought = activity_coverage(deals, sides, days=30)
    assert bought.frame.set_index("outcome")["estimate"].to_dict() == {"won": 0.0, "lost": 1.0}
    assert bought.frame["label"].iloc[0] == "won deals with an activity of the buyer in the 30 days before closing"
    assert "of the buyer" in bought.meta.estimand
    # at the as-of date the buyer's one was not known yet, so all sides count
    before = activity_coverage(deals, sides, days=30, as_of=AS_OF).frame.set_index("outcome")
    assert before["estimate"].to_dict() == {"won": 1.0, "lost": 0.0}
    assert before["label"].iloc[0] == "won deals with an activity in the 30 days before closing"
    unnamed = activities.assign(side=None)
    assert activity_coverage(deals, unnamed).frame["estimate"].tolist() == [0.5, 1.0]
    assert isinstance(activity_coverage(deals, None), Finding)
    assert isinstance(activity_coverage(deals.iloc[3:], activities), Finding)
