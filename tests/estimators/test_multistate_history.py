"""From recorded stages to stage rows: days, one day's moves, late watching, and what is left out."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest

from analytics.estimators.multistate.history import StageHistory, stage_rows
from analytics.estimators.multistate.rows import read_stages
from analytics.records.errors import InputError

STAGES = ["qualify", "propose"]
AS_OF = dt.date(2024, 1, 31)


def day(n: int) -> dt.date:
    return dt.date(2024, 1, 1) + dt.timedelta(days=n)


def recorded(*rows: tuple[str, int, str, str], opened: int = 0) -> pd.DataFrame:
    """Records as (deal, day after 1 January, stage, status)."""
    return pd.DataFrame([
        {"deal_id": deal, "opened_on": day(opened), "recorded_on": day(n), "sequence": k, "stage": stage,
         "status": status} for k, (deal, n, stage, status) in enumerate(rows)
    ])  # fmt: skip


def read(frame: pd.DataFrame, **how: Any) -> list[list[Any]]:
    return listed(stage_rows(frame, stages=STAGES, as_of=how.pop("as_of", AS_OF), **how))


def listed(found: StageHistory) -> list[list[Any]]:
    rows = found.rows.astype({"from": object, "to": object})
    return [[*row[:4], None if pd.isna(row[4]) else row[4]] for row in rows.to_numpy().tolist()]


def test_a_deal_goes_through_its_stages_in_days_after_opening() -> None:
    frame = recorded(("d", 2, "qualify", "open"), ("d", 6, "propose", "open"), ("d", 9, "done", "closed_won"), opened=2)
    assert read(frame) == [["d", -1, 4, "qualify", "propose"], ["d", 4, 7, "propose", "won"]]


def test_an_open_deal_is_last_seen_on_the_as_of_day_and_nothing_later_is_known() -> None:
    frame = recorded(("d", 0, "qualify", "open"), ("d", 6, "propose", "open"), ("d", 9, "done", "closed_lost"))
    assert read(frame, as_of=day(8)) == [["d", -1, 6, "qualify", "propose"], ["d", 6, 8, "propose", None]]
    assert read(frame, as_of=day(5)) == [["d", -1, 5, "qualify", None]]


def test_the_last_state_of_a_day_counts_in_the_order_in_which_it_was_recorded() -> None:
    frame = recorded(
        ("d", 0, "qualify", "open"), ("d", 4, "propose", "open"), ("d", 4, "qualify", "open"),
        ("d", 7, "propose", "open"), ("d", 7, "done", "closed_won"),
    )  # fmt: skip
    assert read(frame) == [["d", -1, 7, "qualify", "won"]]


def test_a_deal_begins_in_the_last_open_stage_of_its_first_day() -> None:
    moved = recorded(("d", 0, "qualify", "open"), ("d", 0, "propose", "open"), ("d", 3, "x", "closed_lost"))
    assert read(moved) == [["d", -1, 3, "propose", "lost"]]
    ended = recorded(("d", 0, "qualify", "open"), ("d", 0, "x", "closed_lost"))
    assert read(ended) == [["d", -1, 0, "qualify", "lost"]]


def test_no_time_is_credited_before_somebody_watched() -> None:
    frame = recorded(("d", 10, "propose", "open"), ("d", 12, "x", "closed_won"))
    assert read(frame) == [["d", 9, 12, "propose", "won"]]


def test_a_stage_that_comes_back_and_one_that_is_recorded_twice() -> None:
    frame = recorded(
        ("d", 0, "qualify", "open"), ("d", 2, "propose", "open"), ("d", 3, "propose", "open"),
        ("d", 5, "qualify", "open"), ("d", 6, "x", "closed_unknown"),
    )  # fmt: skip
    assert read(frame) == [
        ["d", -1, 2, "qualify", "propose"], ["d", 2, 5, "propose", "qualify"], ["d", 5, 6, "qualify", "unknown"],
    ]  # fmt: skip


def test_the_first_closing_ends_a_deal_and_a_closing_taken_back_the_same_day_does_not() -> None:
    reopened = recorded(("d", 0, "qualify", "open"), ("d", 4, "x", "closed_lost"), ("d", 8, "propose", "open"))
    assert read(reopened) == [["d", -1, 4, "qualify", "lost"]]
    slip = recorded(("d", 0, "qualify", "open"), ("d", 4, "x", "closed_lost"), ("d", 4, "propose", "open"))
    assert read(slip) == [["d", -1, 4, "qualify", "propose"], ["d", 4, 30, "propose", None]]


def test_closed_on_is_the_day_of_closing_where_it_is_known() -> None:
    frame = recorded(("d", 0, "qualify", "open"), ("d", 5, "propose", "open"), ("d", 9, "x", "closed_won"))
    assert read(frame.assign(closed_on=[None, None, day(3)])) == [["d", -1, 3, "qualify", "won"]]


def test_deals_say_how_long_they_were_watched_and_how_they_ended() -> None:
    frame = recorded(
        ("a", 0, "qualify", "open"), ("a", 5, "propose", "open"), ("b", 0, "qualify", "open"),
        ("b", 2, "propose", "open"), ("c", 0, "qualify", "open"),
    )  # fmt: skip
    deals = pd.DataFrame({
        "deal_id": ["a", "b"], "opened_on": day(0), "entry": [-1, 3], "exit": [20, 9],
        "outcome": ["no_decision", "open"],
    })  # fmt: skip
    assert read(frame, deals=deals) == [
        ["a", -1, 5, "qualify", "propose"], ["a", 5, 20, "propose", "no_decision"], ["b", 3, 9, "propose", None],
    ]  # fmt: skip


def test_every_deal_is_in_the_rows_or_left_out_with_a_reason() -> None:
    frame = recorded(
        ("a", 0, "qualify", "open"), ("b", 0, "x", "closed_won"), ("c", 0, "qualify", "open"),
        ("d", 9, "qualify", "open"), ("d", 9, "x", "closed_won"),
    )  # fmt: skip
    frame.loc[frame["deal_id"] == "c", "opened_on"] = None
    found = stage_rows(frame.assign(closed_on=[None, None, None, None, day(4)]), stages=STAGES, as_of=AS_OF)
    assert found.rows["deal_id"].tolist() == ["a"]
    assert dict(found.left_out.itertuples(index=False)) == {
        "b": "no open stage recorded before it ended", "c": "no opening day",
        "d": "no open stage recorded before it ended",
    }  # fmt: skip


def test_a_missing_stage_is_a_stage_of_its_own() -> None:
    frame = recorded(("d", 0, "qualify", "open"), ("d", 5, "propose", "open"))
    frame.loc[0, "stage"] = None
    found = stage_rows(frame, stages=STAGES, as_of=day(9))
    assert found.states == ("qualify", "propose", "not recorded", "won", "lost", "no_decision")
    assert listed(found)[0] == ["d", -1, 5, "not recorded", "propose"]


def test_carried_columns_have_the_value_of_the_first_record() -> None:
    frame = recorded(("d", 0, "qualify", "open"), ("d", 5, "propose", "open")).assign(owner_id=["ann", "bob"])
    found = stage_rows(frame, stages=STAGES, as_of=day(9), carry=["owner_id"])
    assert found.rows["owner_id"].tolist() == ["ann", "ann"]


def test_the_rows_are_ready_to_be_read_and_order_does_not_matter() -> None:
    frame = recorded(
        ("a", 0, "qualify", "open"), ("b", 0, "propose", "open"), ("a", 5, "propose", "open"),
        ("b", 3, "x", "closed_lost"),
    )  # fmt: skip
    found = stage_rows(frame, stages=STAGES, as_of=AS_OF)
    assert read_stages(found.rows).states == found.states
    shuffled = stage_rows(frame.iloc[::-1], stages=STAGES, as_of=AS_OF)
    pd.testing.assert_frame_equal(found.rows, shuffled.rows)


def test_no_records_make_no_rows() -> None:
    frame = recorded(("a", 0, "qualify", "open"))
    found = stage_rows(frame, stages=STAGES, as_of=dt.date(2023, 1, 1))
    assert len(found.rows) == len(found.left_out) == 0


@pytest.mark.parametrize(
    ("frame", "stages", "words"),
    [
        (recorded(("d", 0, "qualfy", "open")), STAGES, "id you mean 'qualify'"),
        (recorded(("d", 0, "qualify", "open")), ["qualify", "won"], "a stage is called like an outcome"),
        (recorded(("d", 0, "qualify", "open")).drop(columns="status"), STAGES, "no column 'status'"),
    ],
)
def test_errors_say_what_to_change(frame: pd.DataFrame, stages: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        stage_rows(frame, stages=stages, as_of=AS_OF)


def test_a_deal_that_is_there_twice_is_refused() -> None:
    deals = pd.DataFrame({"deal_id": ["d", "d"], "opened_on": day(0), "entry": -1, "exit": 3, "outcome": "won"})
    with pytest.raises(InputError, match="a deal is there twice"):
        stage_rows(recorded(("d", 0, "qualify", "open")), stages=STAGES, as_of=AS_OF, deals=deals)
