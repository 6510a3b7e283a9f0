"""Event logs: an opening activity, closing activities, and everything else a stage."""

from pathlib import Path

import pandas as pd
import pytest
from pydantic import TypeAdapter, ValidationError

from analytics.records.errors import InputError
from analytics.records.sources import read_history
from analytics.records.sources.mapping import SourceConfig

BLOCK = {
    "kind": "events",
    "file": "log.csv",
    "columns": {"case": "case", "activity": "act", "timestamp": "time", "resource": "who", "amount": "sum"},
    "attributes": {"size": "size"},
    "dates": "%Y-%m-%d %H:%M:%S",
    "opened_at": "Create",
    "outcome": {"Accept": "won", "Refuse": "lost", "Lapse": "unknown"},
    "constants": {"currency": "EUR"},
}
HEADER = "case,act,time,who,sum,size\n"


def history(tmp_path: Path, text: str, **block):
    (tmp_path / "log.csv").write_text(HEADER + text)
    return read_history(TypeAdapter(SourceConfig).validate_python(BLOCK | block), base=tmp_path)


def rows(history, *columns: str) -> list[list[object]]:
    frame = history.table.to_pandas()[list(columns)]
    for name in columns:
        if pd.api.types.is_datetime64_any_dtype(frame[name]):
            frame[name] = frame[name].dt.strftime("%m-%d")
    return frame.astype(object).where(frame.notna(), None).values.tolist()


LIFE = """\
A,Send,2025-01-03 10:00:00,bo,9,M
A,Create,2025-01-02 09:00:00,ana,5,S
A,Accept,2025-01-09 12:00:00,bo,9,L
A,Archive,2025-01-20 12:00:00,bo,9,L
B,Create,2025-01-05 00:00:00,ana,,
B,Refuse,2025-01-05 00:00:00,ana,7,S
"""


def test_each_event_is_a_state_and_case_columns_are_those_of_the_first_row(tmp_path):
    made = history(tmp_path, LIFE)
    assert made.kind == "recorded"
    columns = (
        "deal_id",
        "recorded_on",
        "opened_on",
        "stage",
        "status",
        "closed_on",
        "reason",
        "owner_id",
        "amount",
        "size",
    )
    assert rows(made, *columns) == [
        ["A", "01-02", "01-02", "Create", "open", None, None, "ana", 5.0, "S"],
        ["A", "01-03", "01-02", "Send", "open", None, None, "bo", 5.0, "S"],
        ["A", "01-09", "01-02", "Accept", "closed_won", "01-09", "Accept", "bo", 5.0, "S"],
        ["A", "01-20", "01-02", "Accept", "closed_won", "01-09", "Accept", "bo", 5.0, "S"],
        ["B", "01-05", "01-05", "Create", "open", None, None, "ana", None, None],
        ["B", "01-05", "01-05", "Refuse", "closed_lost", "01-05", "Refuse", "ana", None, None],
    ]
    assert rows(made, "currency") == [["EUR"]] * 6


def test_only_a_listed_activity_reopens(tmp_path):
    text = LIFE + "A,Reopen,2025-02-01 00:00:00,bo,9,L\nA,Lapse,2025-02-09 00:00:00,bo,9,L\n"
    made = history(tmp_path, text, reopened_at=["Reopen"])
    assert rows(made, "stage", "status", "closed_on")[4:6] == [
        ["Reopen", "open", None],
        ["Lapse", "closed_unknown", "02-09"],
    ]
    assert rows(history(tmp_path, text), "status")[4:6] == [["closed_won"], ["closed_unknown"]]


def test_cases_that_never_open_and_rows_before_the_opening_are_rejected(tmp_path):
    text = LIFE + (
        "C,Send,2025-01-02 00:00:00,bo,1,S\nC,Accept,2025-01-03 00:00:00,bo,1,S\n"
        "A,Draft,2025-01-01 00:00:00,bo,1,S\nB,Send,soon,bo,1,S\n,Send,2025-01-03 00:00:00,bo,1,S\n"
    )
    made = history(tmp_path, text)
    assert made.rejects[["line", "reason"]].values.tolist() == [
        [8, "the case has no 'Create', so no opening date"],
        [9, "the case has no 'Create', so no opening date"],
        [10, "the row is earlier than the case's 'Create'"],
        [11, "time is not a date written as %Y-%m-%d %H:%M:%S"],
        [12, "no case (case)"],
    ]
    (file,) = made.files
    assert (file.rows_read, file.rows_kept, file.rows_rejected) == (11, 6, 5)
    assert int(made.table.count().execute()) == 6


def test_a_log_whose_cases_never_open_is_an_error(tmp_path):
    with pytest.raises(InputError) as caught:
        history(tmp_path, LIFE, opened_at="create")
    assert str(caught.value) == (
        "log.csv, column 'act', value 'create': no row has this activity, which is to open a deal. "
        "Correct opened_at: of source: in the params (did you mean 'Create'?)."
    )


def test_times_with_a_zone_are_dated_in_the_zone(tmp_path):
    (tmp_path / "log.csv").write_text(HEADER + "A,Create,2025-09-30T23:30:00Z,ana,5,S\n")
    source = TypeAdapter(SourceConfig).validate_python(BLOCK | {"dates": "iso"})
    days = {
        zone: rows(read_history(source, base=tmp_path, timezone=zone), "opened_on")[0][0]
        for zone in (None, "Europe/Berlin", "America/New_York")
    }
    assert days == {None: "09-30", "Europe/Berlin": "10-01", "America/New_York": "09-30"}


def test_a_mapping_needs_case_activity_and_timestamp():
    with pytest.raises(ValidationError, match="columns: timestamp must be mapped"):
        TypeAdapter(SourceConfig).validate_python(BLOCK | {"columns": {"case": "c", "activity": "a"}})


def test_each_event_has_its_own_probability_and_forecast_category(tmp_path):
    text = "A,Create,2025-01-02 09:00:00,ana,10,Pipeline\nA,Accept,2025-01-09 12:00:00,bo,100,Forecast\n"
    columns = {
        "case": "case",
        "activity": "act",
        "timestamp": "time",
        "probability": "sum",
        "forecast_category": "size",
    }
    made = history(tmp_path, text, columns=columns, attributes={})
    assert rows(made, "probability", "forecast_category") == [[0.1, "pipeline"], [1.0, "commit"]]
    seen = {one.what: (one.trap, one.found, one.of) for one in made.noticed}
    assert seen == {
        "the same row is there twice": (16, 0, 2), "probability in percent": (11, 2, 2),
        "probability outside its scale": (11, 0, 2), "forecast category that no rule names": (12, 0, 2),
    }  # fmt: skip


def test_an_event_that_is_there_twice_is_rejected_once(tmp_path):
    made = history(tmp_path, LIFE + "A,Send,2025-01-03 10:00:00,bo,9,M\nA,Send,2025-01-03 10:00:00,cy,9,M\n")
    reasons = made.rejects.set_index("line")["reason"].to_dict()
    assert reasons == {8: "the same row is there twice"}  # the other one is by another resource
    assert (made.noticed[0].trap, made.noticed[0].found, made.noticed[0].of) == (16, 1, 8)


def test_closings_that_the_time_zone_moves_into_another_month_are_counted(tmp_path):
    text = (
        "A,Create,2025-09-02T10:00:00Z,ana,5,S\nA,Accept,2025-09-30T23:30:00Z,ana,5,S\n"
        "B,Create,2025-09-30T23:30:00Z,ana,5,S\nB,Refuse,2025-10-15T10:00:00Z,ana,5,S\n"
    )
    (tmp_path / "log.csv").write_text(HEADER + text)
    source = TypeAdapter(SourceConfig).validate_python(BLOCK | {"dates": "iso"})
    edges = {
        zone: [
            (one.found, one.of, one.rule)
            for one in read_history(source, base=tmp_path, timezone=zone).noticed
            if one.trap == 15
        ]
        for zone in (None, "Europe/Berlin", "America/New_York")
    }
    assert edges == {  # an opening at the edge is no closing
        None: [(1, 2, "dated as written")],
        "Europe/Berlin": [(1, 2, "dated in Europe/Berlin")],
        "America/New_York": [(0, 2, "dated in America/New_York")],
    }
