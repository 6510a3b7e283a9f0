"""Plain tables: today's state, recorded states, look-ups, value fixes, side tables."""

from pathlib import Path

import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from analytics.records.contract import HISTORY_COLUMNS
from analytics.records.errors import InputError
from analytics.records.sources import read_history
from analytics.records.sources.mapping import FlatSource, SourceConfig

BLOCK = {
    "kind": "flat",
    "file": "deals.csv",
    "columns": {"deal_id": "id", "opened_on": "opened", "closed_on": "closed", "stage": "stage", "amount": "amount"},
    "outcome": {"column": "stage", "values": {"Won": "won", "Lost": "lost", "Gone": "unknown", "Open": "open"}},
}
HEADER = "id,opened,closed,stage,amount\n"


def history(tmp_path: Path, text: str = HEADER, **block):
    (tmp_path / "deals.csv").write_text(text)
    return read_history(TypeAdapter(SourceConfig).validate_python(BLOCK | block), base=tmp_path)


def sentence(tmp_path: Path, text: str, **block) -> str:
    with pytest.raises(InputError) as caught:
        history(tmp_path, text, **block)
    return str(caught.value)


def rows(history, *columns: str) -> list[list[object]]:
    frame = history.table.to_pandas()[list(columns)]
    for name in columns:
        if pd.api.types.is_datetime64_any_dtype(frame[name]):
            frame[name] = frame[name].dt.strftime("%Y-%m-%d")
    return frame.astype(object).where(frame.notna(), None).values.tolist()


def test_todays_state_becomes_an_opening_and_a_closing_state(tmp_path):
    text = HEADER + "1,2025-01-02,2025-02-03,Won,10\n2,2025-01-05,2025-09-01,Open,20\n3,2025-01-06,2025-01-06,Gone,\n"
    made = history(tmp_path, text)
    assert made.kind == "current_only"
    assert str(made.known_to) == "2025-02-03"
    assert list(made.table.columns) == list(HISTORY_COLUMNS)
    columns = ("deal_id", "sequence", "valid_from", "valid_to", "stage", "status", "closed_on", "amount")
    assert rows(made, *columns) == [
        ["1", 0, "2025-01-02", "2025-02-03", None, "open", None, None],
        ["1", 1, "2025-02-03", None, "Won", "closed_won", "2025-02-03", 10.0],
        ["2", 0, "2025-01-05", None, "Open", "open", None, 20.0],
        ["3", 0, "2025-01-06", "2025-01-06", None, "open", None, None],
        ["3", 1, "2025-01-06", None, "Gone", "closed_unknown", "2025-01-06", None],
    ]


def test_types_are_those_of_the_contract(tmp_path):
    made = history(tmp_path, HEADER + "1,2025-01-02,,Open,10\n", attributes={"size": "amount"})
    types = {name: str(kind) for name, kind in made.table.schema().items()}
    assert types == {**HISTORY_COLUMNS, "size": "string"}


def test_a_deal_closed_before_it_was_opened_has_its_closed_state_alone(tmp_path):
    made = history(tmp_path, HEADER + "1,2025-03-02,2025-02-03,Lost,10\n2,2025-03-02,,Open,\n")
    assert rows(made, "deal_id", "recorded_on", "status", "opened_on", "closed_on") == [
        ["1", "2025-03-02", "closed_lost", "2025-03-02", "2025-02-03"],
        ["2", "2025-03-02", "open", "2025-03-02", None],
    ]


def test_a_common_value_that_the_map_lacks_is_an_error_and_no_rejected_rows(tmp_path):
    text = HEADER + "".join(f"{i},2025-01-02,2025-02-03,{'Lots' if i % 3 else 'Won'},1\n" for i in range(9))
    with pytest.raises(InputError) as caught:
        history(tmp_path, text)
    assert "column 'stage', value 'Lots': 6 of 9 rows have this value, and it is not mapped to an outcome." in str(
        caught.value
    )
    assert "did you mean 'Lost'?" in str(caught.value)


def test_what_is_rejected_and_why(tmp_path):
    text = HEADER + (
        "1,2025-01-02,2025-02-03,Won,10\n,2025-01-02,,Open,1\n3,,,Open,1\n4,2025-01-02,,Won,1\n"
        "5,2025-01-02,2025-02-30,Lost,1\n6,2025-01-02,,Closed,1\n7,2025-01-02,,,1\n8,,,Closed,x\n9,2025-01-02,,Open\n"
    )
    made = history(tmp_path, text)
    assert made.rejects[["line", "reason"]].values.tolist() == [
        [3, "no deal id (id)"],
        [4, "no opening date (opened)"],
        [5, "closed without a closing date (closed)"],
        [6, "closed is not an ISO date (2025-10-01)"],
        [7, "stage 'Closed' is not mapped to an outcome"],
        [8, "no stage, so no outcome"],
        [9, "amount is not a number; stage 'Closed' is not mapped to an outcome"],
        [10, "the row has 4 values and the header 5"],
    ]
    (file,) = made.files
    assert (file.rows_read, file.rows_kept, file.rows_rejected) == (9, 1, 8)


def test_duplicate_ids_name_both_rows(tmp_path):
    text = HEADER + "1,2025-01-02,,Open,\n2,2025-01-02,,Open,\n1,2025-01-03,,Open,\n"
    assert sentence(tmp_path, text) == (
        "deals.csv, column 'id', row 4, value '1': the same id is there twice. Keep one of it and row 2."
    )


def test_outcomes_that_are_all_unmapped_are_listed(tmp_path):
    assert sentence(tmp_path, HEADER + "1,2025-01-02,,closed won,\n2,2025-01-02,,active,\n") == (
        "deals.csv, column 'stage': none of its values is mapped to an outcome. "
        "List them under outcome: values: in the params; the file has active, closed won."
    )


def test_a_file_of_which_no_row_is_left(tmp_path):
    assert sentence(tmp_path, HEADER + "1,,,Open,\n2,,,Open,\n") == (
        "deals.csv, row 2: no row is left to study: 2 were rejected because: no opening date (opened). "
        "Correct the mapping in the params or the file."
    )


def test_value_fixes_come_before_look_ups(tmp_path):
    (tmp_path / "products.csv").write_text("name,series\nGTX Pro,gtx\nMG,mg\n")
    text = "id,opened,stage,product\n1,2025-01-02,Open,GTXPro\n2,2025-01-02,Open,MG\n3,2025-01-02,Open,new\n"
    made = history(
        tmp_path,
        text,
        columns={"deal_id": "id", "opened_on": "opened"},
        attributes={"product": "product", "series": "series"},
        values={"product": {"GTXPro": "GTX Pro"}, "series": {"gtx": "GTX"}},
        lookups=[{"file": "products.csv", "on": {"product": "name"}, "columns": {"series": "series"}}],
        constants={"currency": "USD"},
    )
    assert rows(made, "product", "series", "currency") == [
        ["GTX Pro", "GTX", "USD"],
        ["MG", "mg", "USD"],
        ["new", None, "USD"],
    ]
    assert [(file.name, file.rows_read) for file in made.files] == [("deals.csv", 3), ("products.csv", 2)]


def test_a_look_up_must_match_and_have_each_key_once(tmp_path):
    text = "id,opened,stage,product\n1,2025-01-02,Open,GTXPro\n"
    block = {
        "columns": {"deal_id": "id", "opened_on": "opened"},
        "lookups": [{"file": "products.csv", "on": {"product": "name"}, "columns": {"series": "series"}}],
    }
    (tmp_path / "products.csv").write_text("name,series\nGTX Pro,gtx\n")
    assert sentence(tmp_path, text, **block) == (
        "products.csv, value 'GTXPro': a look-up matches no row at all. "
        "Correct on: under lookups:, or make the values match under values:."
    )
    (tmp_path / "products.csv").write_text("name,series\nGTXPro,gtx\nGTXPro,g\n")
    assert sentence(tmp_path, text, **block) == (
        "products.csv, row 3: the key 'GTXPro' of a look-up is there twice. Keep one of it and line 2."
    )
    assert sentence(tmp_path, text, **block, values={"produkt": {"a": "b"}}) == (
        "deals.csv, column 'produkt': values: fixes this column and the file lacks it. "
        "Correct values: in the params (did you mean 'product'?)."
    )


RECORDED = {
    "kind": "flat",
    "history": {
        "file": "states.csv",
        "columns": {
            "deal_id": "id",
            "recorded_on": "at",
            "stage": "stage",
            "closed_on": "close",
            "expected_close_on": "close",
        },
        "outcome": BLOCK["outcome"],
    },
}


def recorded(tmp_path: Path, text: str, **block):
    (tmp_path / "states.csv").write_text(text)
    source = TypeAdapter(SourceConfig).validate_python(RECORDED | block)
    return read_history(source, base=tmp_path)


def test_recorded_states_are_the_history(tmp_path):
    text = (
        "id,at,stage,close\n1,2025-02-03 17:00,Won,2025-02-01\n1,2025-01-02 09:00,Open,2025-03-01\n"
        "1,2025-02-03 09:00,Open,2025-02-28\n2,2025-01-09,Lost,2025-01-08\n3,,Open,\n"
    )
    made = recorded(tmp_path, text)
    assert made.kind == "recorded"
    columns = ("deal_id", "sequence", "valid_from", "valid_to", "opened_on", "status", "closed_on", "expected_close_on")
    assert rows(made, *columns) == [
        ["1", 0, "2025-01-02", "2025-02-03", "2025-01-02", "open", None, "2025-03-01"],
        ["1", 1, "2025-02-03", "2025-02-03", "2025-01-02", "open", None, "2025-02-28"],
        ["1", 2, "2025-02-03", None, "2025-01-02", "closed_won", "2025-02-01", None],
        ["2", 0, "2025-01-09", None, "2025-01-09", "closed_lost", "2025-01-08", None],
    ]
    assert made.rejects[["line", "reason"]].values.tolist() == [[6, "no date of recording (at)"]]


def test_a_stated_sequence_orders_the_states_of_a_moment(tmp_path):
    text = "id,at,stage,close,n\n1,2025-01-02,Won,2025-01-02,2\n1,2025-01-02,Open,,1\n"
    columns = {**RECORDED["history"]["columns"], "sequence": "n"}
    made = recorded(tmp_path, text, history=RECORDED["history"] | {"columns": columns})
    assert rows(made, "sequence", "status") == [[0, "open"], [1, "closed_won"]]


def test_todays_file_fills_what_the_history_does_not_hold(tmp_path):
    (tmp_path / "deals.csv").write_text(
        "id,opened,closed,stage,amount,who\n1,2025-01-01,2025-02-03,Won,10,ana\n2,2025-01-05,,Open,20,bo\n"
    )
    text = "id,at,stage,close\n1,2025-01-02,Open,2025-03-01\n1,2025-02-03,Won,2025-02-01\n"
    block = BLOCK | {"columns": {**BLOCK["columns"], "owner_id": "who"}, "attributes": {"seller": "who"}}
    made = recorded(tmp_path, text, **block)
    assert rows(made, "deal_id", "recorded_on", "opened_on", "status", "amount", "owner_id", "seller") == [
        ["1", "2025-01-02", "2025-01-01", "open", None, "ana", "ana"],
        ["1", "2025-02-03", "2025-01-01", "closed_won", 10.0, "ana", "ana"],
        ["2", "2025-01-05", "2025-01-05", "open", 20.0, "bo", "bo"],
    ]


def test_side_tables_keep_their_own_contract_and_rejects(tmp_path):
    (tmp_path / "calls.csv").write_text("deal,day,who,min\n1,2025-01-03,Buyer,30\n,2025-01-04,Seller,5\n1,,Buyer,1\n")
    (tmp_path / "stages.csv").write_text("name,no\nOpen,1\nWon,2\n")
    side = {
        "activities": {
            "file": "calls.csv",
            "columns": {"deal_id": "deal", "occurred_on": "day", "side": "who", "minutes": "min"},
            "constants": {"channel": "call"},
        },
        "stages": {"file": "stages.csv", "columns": {"stage": "name", "order": "no"}},
    }
    made = history(tmp_path, HEADER + "1,2025-01-02,,Open,\n", side=side)
    calls = made.side["activities"].to_pandas()
    assert calls[["deal_id", "side", "channel", "minutes"]].values.tolist() == [["1", "buyer", "call", 30.0]]
    assert made.side["stages"].to_pandas()["order"].tolist() == [1, 2]
    assert made.rejects[["file", "line", "reason"]].values.tolist() == [
        ["calls.csv", 3, "no deal_id (deal)"],
        ["calls.csv", 4, "no occurred_on (day)"],
    ]


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"columns": {"deal_id": "id"}}, "columns: opened_on must be mapped to a column of the file"),
        ({"columns": {"deal_id": "id", "opend_on": "o"}}, "there is no 'opend_on' to map (did you mean 'opened_on'?)"),
        ({"outcome": None}, "needs outcome: with a column and what its values mean"),
        ({"url": "duckdb://"}, "a database table needs both url: and table:"),
        ({"folder": "x"}, "exactly one of file:, folder:, or url: with table:"),
        ({"attributes": {"Region": "r"}}, "the attribute name 'Region' must be lower-case letters, digits and _"),
        ({"attributes": {"stage": "r"}}, "the attribute name 'stage' is taken by a contract column"),
        ({"side": {"quota": {"file": "q.csv"}}}, "there is no side table 'quota' (did you mean 'quotas'?)"),
        ({"side": {"stages": {"file": "q.csv", "columns": {"stage": "s"}}}}, "order must be mapped to a column"),
        ({"colums": {}}, "Extra inputs are not permitted"),
    ],
)
def test_a_mapping_that_cannot_be_is_refused_before_any_file_is_read(block, said):
    with pytest.raises(ValidationError) as caught:
        FlatSource.model_validate(BLOCK | block)
    assert said in str(caught.value)


def test_yaml_keys_that_are_no_texts_are_the_files_texts():
    block = yaml.safe_load("{column: s, values: {0: lost, 2: won, true: open}}")
    assert set(FlatSource.model_validate(BLOCK | {"outcome": block}).outcome.values) == {"0", "2", "true"}
    lookup = yaml.safe_load("{file: a.csv, on: {a: b}, columns: {c: d}}")
    assert FlatSource.model_validate(BLOCK | {"lookups": [lookup]}).lookups[0].on == {"a": "b"}


days = st.dates(min_value=pd.Timestamp("2024-01-01").date(), max_value=pd.Timestamp("2025-12-31").date())
deal = st.tuples(days, st.none() | st.integers(-5, 400), st.sampled_from(["Won", "Lost", "Gone"]))


@given(st.lists(deal, min_size=1, max_size=12))
@settings(max_examples=25, deadline=None)
def test_reconstructed_states_against_a_plain_loop(tmp_path_factory, deals):
    tmp_path = tmp_path_factory.mktemp("flat")
    lines, expected = [], []
    for number, (opened, after, outcome) in enumerate(deals):
        closed = None if after is None else pd.Timestamp(opened) + pd.Timedelta(days=after)
        stage = "Open" if closed is None else outcome
        lines.append(f"D{number:02},{opened},{'' if closed is None else closed.date()},{stage},1\n")
        if closed is None or after >= 0:
            expected.append([f"D{number:02}", 0, str(opened), "open"])
        if closed is not None:
            status = {"Won": "closed_won", "Lost": "closed_lost", "Gone": "closed_unknown"}[outcome]
            expected.append([f"D{number:02}", int(after >= 0), str(max(closed.date(), opened)), status])
    made = history(tmp_path, HEADER + "".join(lines))
    assert rows(made, "deal_id", "sequence", "recorded_on", "status") == expected


def test_probability_and_category_of_todays_file_belong_to_its_last_state(tmp_path):
    columns = {**BLOCK["columns"], "probability": "p", "forecast_category": "f"}
    text = "1,2025-01-02,2025-02-03,Won,10,100,Closed\n2,2025-01-05,,Open,20,40,Most Likely\n"
    made = history(tmp_path, "id,opened,closed,stage,amount,p,f\n" + text, columns=columns)
    assert rows(made, "deal_id", "status", "probability", "forecast_category") == [
        ["1", "open", None, None], ["1", "closed_won", 1.0, "closed"], ["2", "open", 0.4, "most_likely"],
    ]  # fmt: skip
    assert {one.what: (one.found, one.of) for one in made.noticed if one.trap in (11, 12)} == {
        "probability in percent": (2, 2), "probability outside its scale": (0, 2),
        "forecast category that no rule names": (0, 2),
    }  # fmt: skip


def test_a_copy_is_rejected_and_the_same_id_with_another_value_is_an_error(tmp_path):
    copy = "1,2025-01-02,,Open,5\n"
    made = history(tmp_path, HEADER + copy + "2,2025-01-02,,Open,5\n" + copy + copy)
    assert made.rejects["line"].tolist() == [4, 5]
    assert [(one.found, one.of) for one in made.noticed if one.trap == 16] == [(2, 4)]
    assert sentence(tmp_path, HEADER + copy + copy + "1,2025-01-02,,Open,6\n") == (
        "deals.csv, column 'id', row 4, value '1': the same id is there twice. Keep one of it and row 2."
    )


def test_a_date_beyond_computing_is_still_no_date(tmp_path):
    made = history(tmp_path, HEADER + "1,2025-01-02,2261-12-31,Won,5\n2,2025-01-02,9999-12-31,Won,5\n")
    assert made.rejects[["line", "reason"]].values.tolist() == [[3, "closed without a closing date (closed)"]]
    assert rows(made, "deal_id", "recorded_on", "closed_on", "closed_after") == [
        ["1", "2025-01-02", None, None], ["1", "2025-01-02", "2261-12-31", "2025-01-02"],
    ]  # fmt: skip
