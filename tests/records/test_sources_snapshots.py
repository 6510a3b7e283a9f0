"""Dated extracts: their differences are the history, and nothing is known before the first."""

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from analytics.records.contract import Noticed
from analytics.records.errors import InputError
from analytics.records.rules import OutcomeRules
from analytics.records.snapshot import snapshot_frame
from analytics.records.sources import read_history
from analytics.records.sources.mapping import SourceConfig

BLOCK = {
    "kind": "snapshots",
    "folder": ".",
    "pattern": r"deals_(?P<on>\d{4}-\d{2}-\d{2})\.csv",
    "columns": {"deal_id": "id", "opened_on": "opened", "stage": "status", "amount": "amount"},
    "outcome": {"column": "status", "values": {"won": "won", "lost": "lost", "closed": "unknown", "open": "open"}},
}
HEADER = "id,opened,status,amount\n"


def history(tmp_path: Path, extracts: dict[str, str], **block):
    for day, text in extracts.items():
        (tmp_path / f"deals_{day}.csv").write_text(HEADER + text)
    return read_history(TypeAdapter(SourceConfig).validate_python(BLOCK | block), base=tmp_path)


def rows(history, *columns: str) -> list[list[object]]:
    frame = history.table.to_pandas()[list(columns)]
    for name in columns:
        if pd.api.types.is_datetime64_any_dtype(frame[name]):
            frame[name] = frame[name].dt.strftime("%m-%d")
    return frame.astype(object).where(frame.notna(), None).values.tolist()


THREE = {
    "2025-03-01": "1,2025-01-02,open,5\n2,2025-01-03,closed,\n3,2025-01-04,open,7\n",
    "2025-04-01": "1,2025-01-02,open,5\n2,2025-01-03,won,9\n4,2025-03-20,open,\n",
    "2025-05-01": "4,2025-03-20,open,1\n2,2025-01-03,won,9\n1,2025-01-02,lost,5\n",
}


def test_differences_between_extracts_are_the_history(tmp_path):
    made = history(tmp_path, THREE)
    assert (made.kind, made.known_to) == ("recorded", dt.date(2025, 5, 1))
    assert rows(made, "deal_id", "valid_from", "valid_to", "opened_on", "status", "closed_on", "amount") == [
        ["1", "03-01", "05-01", "01-02", "open", None, 5.0],
        ["1", "05-01", None, "01-02", "closed_lost", None, 5.0],
        ["2", "03-01", "04-01", "01-03", "closed_unknown", None, None],
        ["2", "04-01", None, "01-03", "closed_won", None, 9.0],
        ["3", "03-01", None, "01-04", "open", None, 7.0],
        ["4", "04-01", "05-01", "03-20", "open", None, None],
        ["4", "05-01", None, "03-20", "open", None, 1.0],
    ]
    assert [(file.rows_read, file.rows_kept) for file in made.files] == [(3, 3)] * 3


def test_a_deal_that_vanishes_keeps_its_state_and_is_listed(tmp_path):
    missing = history(tmp_path, THREE).side["missing_deals"].to_pandas()
    assert missing.astype(str).values.tolist() == [["3", "2025-03-01", "2025-04-01"]]
    assert "missing_deals" not in history(tmp_path, dict.fromkeys(THREE, THREE["2025-03-01"])).side


def test_a_deal_that_returns_unchanged_has_no_new_state(tmp_path):
    extracts = {"2025-03-01": "1,2025-01-02,open,5\n", "2025-04-01": "2,2025-01-03,open,5\n"}
    made = history(tmp_path, extracts | {"2025-05-01": "1,2025-01-02,open,5\n2,2025-01-03,open,5\n"})
    assert rows(made, "deal_id", "recorded_on") == [["1", "03-01"], ["2", "04-01"]]


def test_extracts_may_be_listed(tmp_path):
    history(tmp_path, THREE)
    block = {"folder": None, "pattern": None, "files": [{"file": f"deals_{day}.csv", "on": day} for day in THREE]}
    listed = read_history(TypeAdapter(SourceConfig).validate_python(BLOCK | block), base=tmp_path)
    columns = ("deal_id", "recorded_on", "status", "amount")
    assert rows(listed, *columns) == rows(history(tmp_path, THREE), *columns)


def test_an_id_twice_in_one_extract(tmp_path):
    with pytest.raises(InputError) as caught:
        history(tmp_path, {"2025-03-01": "1,2025-01-02,open,5\n1,2025-01-02,open,6\n"})
    assert str(caught.value) == (
        "deals_2025-03-01.csv, column 'id', row 3, value '1': the same id is there twice. Keep one of it and row 2."
    )


def test_two_extracts_of_one_date(tmp_path):
    (tmp_path / "deals_2025-03-01.csv").write_text(HEADER + "1,2025-01-02,open,5\n")
    (tmp_path / "b.csv").write_text(HEADER + "1,2025-01-02,open,5\n")
    files = [{"file": "deals_2025-03-01.csv", "on": "2025-03-01"}, {"file": "b.csv", "on": "2025-03-01"}]
    source = TypeAdapter(SourceConfig).validate_python(BLOCK | {"folder": None, "pattern": None, "files": files})
    with pytest.raises(InputError) as caught:
        read_history(source, base=tmp_path)
    assert str(caught.value) == (
        "b.csv, value '2025-03-01': deals_2025-03-01.csv is an extract of the same date. Keep one extract per date."
    )


def test_no_extract_is_found(tmp_path):
    with pytest.raises(InputError, match="no file name matches"):
        history(tmp_path, {})
    (tmp_path / "deals_2025-13-01.csv").write_text(HEADER)
    with pytest.raises(InputError, match="the group `on` of the pattern is not an ISO date here"):
        history(tmp_path, {})


def test_a_pattern_needs_a_date():
    with pytest.raises(ValidationError, match="has no group"):
        TypeAdapter(SourceConfig).validate_python(BLOCK | {"pattern": "deals.*"})


states = st.sampled_from(["open", "won", "lost", "closed"])
extract = st.dictionaries(st.integers(0, 4), st.tuples(states, st.integers(0, 2)), min_size=1)


@given(st.lists(extract, min_size=1, max_size=4))
@settings(max_examples=25, deadline=None)
def test_against_a_plain_loop(tmp_path_factory, extracts):
    tmp_path = tmp_path_factory.mktemp("extracts")
    known: dict[int, tuple[str, int]] = {}
    expected, texts = [], {}
    for month, deals in enumerate(extracts, start=1):
        day = f"2025-{month:02}-01"
        texts[day] = "".join(f"{deal},2025-01-01,{status},{amount}\n" for deal, (status, amount) in deals.items())
        for deal, state in deals.items():
            if known.get(deal) != state:
                expected.append([str(deal), day[5:], state[0], float(state[1])])
            known[deal] = state
    made = history(tmp_path, texts)
    assert rows(made, "deal_id", "recorded_on", "stage", "amount") == sorted(expected)


def test_an_outcome_between_two_extracts_is_known_to_an_interval(tmp_path):
    extracts = {
        "2025-03-01": "1,2025-01-02,open,5\n2,2025-01-03,open,5\n3,2025-01-04,won,5\n",
        "2025-03-04": "1,2025-01-02,won,5\n2,2025-01-03,open,5\n3,2025-01-04,won,5\n",
        "2025-03-08": "1,2025-01-02,won,6\n2,2025-01-03,lost,5\n3,2025-01-04,won,5\n4,2025-03-05,won,5\n",
    }
    made = history(tmp_path, extracts)
    closed = rows(made, "deal_id", "recorded_on", "status", "closed_after")
    # 3 was closed when first seen and 4 was never seen open: they closed after their opening
    assert [row for row in closed if row[2] != "open"] == [
        ["1", "03-04", "closed_won", "03-01"], ["1", "03-08", "closed_won", None],
        ["2", "03-08", "closed_lost", "03-04"], ["3", "03-01", "closed_won", "01-04"],
        ["4", "03-08", "closed_won", "03-05"],
    ]  # fmt: skip
    deals = snapshot_frame(made, as_of=dt.date(2025, 3, 31), rules=OutcomeRules()).set_index("deal_id")
    assert deals["closed_on"].astype(str).to_dict() == {
        "1": "2025-03-04", "2": "2025-03-08", "3": "2025-03-01", "4": "2025-03-08"
    }  # fmt: skip
    assert deals["closed_after"].astype(str).to_dict() == {
        "1": "2025-03-01", "2": "2025-03-04", "3": "2025-01-04", "4": "2025-03-05"
    }  # fmt: skip


def test_a_typed_closing_date_is_exact_unless_it_lies_after_the_extract(tmp_path):
    columns = {**BLOCK["columns"], "closed_on": "amount"}
    del columns["amount"]
    extracts = {
        "2025-03-01": "1,2025-01-02,open,\n2,2025-01-02,open,\n",
        "2025-03-08": "1,2025-01-02,won,2025-03-05\n2,2025-01-02,won,2215-03-05\n",
    }
    made = history(tmp_path, extracts, columns=columns)
    deals = snapshot_frame(made, as_of=dt.date(2025, 3, 31), rules=OutcomeRules()).set_index("deal_id")
    assert deals["closed_on"].astype(str).to_dict() == {"1": "2025-03-05", "2": "2025-03-08"}
    assert deals["closed_after"].astype(str).to_dict() == {"1": "NaT", "2": "2025-03-01"}
    assert deals["typed_close_on"].astype(str).to_dict() == {"1": "2025-03-05", "2": "2215-03-05"}


def test_copies_in_an_extract_are_rejected_and_counted_over_all_extracts(tmp_path):
    extracts = {
        "2025-03-01": "1,2025-01-02,open,5\n1,2025-01-02,open,5\n2,2025-01-02,open,5\n",
        "2025-03-08": "1,2025-01-02,open,5\n2,2025-01-02,open,5\n2,2025-01-02,open,5\n",
    }
    made = history(tmp_path, extracts)
    assert made.noticed == (
        Noticed(16, "the same row is there twice", 2, 6, "rows", "one is kept, the others are rejected"),
    )
    assert made.rejects[["file", "line", "reason"]].values.tolist() == [
        ["deals_2025-03-01.csv", 3, "the same row is there twice"],
        ["deals_2025-03-08.csv", 4, "the same row is there twice"],
    ]
    assert len(made.table.to_pandas()) == 2


def test_one_scale_of_probabilities_holds_for_all_extracts(tmp_path):
    columns = {**BLOCK["columns"], "probability": "amount"}
    del columns["amount"]
    extracts = {"2025-03-01": "1,2025-01-02,open,1\n", "2025-03-08": "1,2025-01-02,open,60\n"}
    assert rows(history(tmp_path, extracts, columns=columns), "probability") == [[0.01], [0.6]]
