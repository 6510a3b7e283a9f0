"""Kept + rejected = read, and a rejected row keeps its place, reason and values."""

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.records.contract import REJECT_COLUMNS, Noticed, SourceFile
from analytics.records.rejects import RejectLedger, check_accounts, rejects_by_reason


def test_a_rejected_row_keeps_file_line_reason_and_values():
    ledger = RejectLedger()
    name = ledger.register("deals.csv", sha256="ab", rows_read=4)
    ledger.reject(name, 9, "no deal id (id)", {"id": None, "amount": "1,5"})
    ledger.reject(name, 3, "no opening date (opened)", {"id": "ü"})
    frame = ledger.frame()
    assert tuple(frame.columns) == REJECT_COLUMNS
    assert frame[["file", "line", "reason"]].values.tolist() == [
        ["deals.csv", 3, "no opening date (opened)"],
        ["deals.csv", 9, "no deal id (id)"],
    ]
    assert [json.loads(text) for text in frame["values"]] == [{"id": "ü"}, {"id": None, "amount": "1,5"}]
    assert ledger.files() == (SourceFile("deals.csv", "ab", 4, 2, 2),)


def test_a_row_is_rejected_once_with_all_its_reasons():
    ledger = RejectLedger()
    name = ledger.register("deals.csv", sha256="ab", rows_read=1)
    for reason in ("no deal id (id)", "closed is not a date", "no deal id (id)"):
        ledger.reject(name, 2, reason, {})
    assert ledger.frame()["reason"].tolist() == ["no deal id (id); closed is not a date"]
    assert ledger.files()[0].rows_rejected == 1


def test_files_of_one_name_are_told_apart_by_their_role():
    ledger = RejectLedger()
    names = [
        ledger.register("people.csv", sha256="a", rows_read=1, role="deals"),
        ledger.register("people.csv", sha256="a", rows_read=1, role="owners"),
        ledger.register("people.csv", sha256="b", rows_read=1, role="owners"),
        ledger.register("people.csv", sha256="b", rows_read=1),
    ]
    assert names == ["people.csv", "people.csv (owners)", "people.csv (owners 2)", "people.csv (2)"]


def test_a_row_of_an_unregistered_file_cannot_be_rejected():
    with pytest.raises(ValueError, match="was not registered"):
        RejectLedger().reject("deals.csv", 2, "no deal id", {})


@given(st.lists(st.tuples(st.sampled_from(["a.csv", "b.csv"]), st.integers(2, 9), st.sampled_from(["x", "y"]))))
def test_accounts_always_add_up(rejections):
    ledger = RejectLedger()
    for name in ("a.csv", "b.csv"):
        ledger.register(name, sha256="", rows_read=8)
    for file, line, reason in rejections:
        ledger.reject(file, line, reason, {})
    rows = {(file, line) for file, line, _ in rejections}
    assert [file.rows_rejected for file in ledger.files()] == [
        sum(file == name for file, _ in rows) for name in ("a.csv", "b.csv")
    ]
    check_accounts(ledger.files(), ledger.frame())


def test_accounts_that_do_not_add_up_are_refused():
    rejects = pd.DataFrame([("a.csv", 2, "x", "{}")], columns=list(REJECT_COLUMNS))
    with pytest.raises(ValueError, match=r"a\.csv: 1 kept and 1 rejected of 3 read"):
        check_accounts([SourceFile("a.csv", "", 3, 1, 1)], rejects)
    with pytest.raises(ValueError, match=r"a\.csv: 2 rows rejected, 1 listed"):
        check_accounts([SourceFile("a.csv", "", 3, 1, 2)], rejects)


def test_reasons_are_counted_per_file():
    rejects = pd.DataFrame(
        [("b.csv", 2, "x", "{}"), ("a.csv", 7, "y", "{}"), ("a.csv", 4, "x", "{}"), ("a.csv", 3, "y", "{}")],
        columns=list(REJECT_COLUMNS),
    )
    assert rejects_by_reason(rejects).values.tolist() == [
        ["a.csv", "y", 2, 3],
        ["a.csv", "x", 1, 4],
        ["b.csv", "x", 1, 2],
    ]


def test_what_was_noticed_in_several_files_is_counted_together():
    ledger = RejectLedger()
    for found, of in ((2, 10), (0, 5)):
        ledger.notice(Noticed(2, "a year after 2261", found, of, "rows", "emptied"))
    ledger.notice(Noticed(2, "a year before 1900", 1, 5, "rows", "emptied"))
    assert [(seen.what, seen.found, seen.of) for seen in ledger.noticed] == [
        ("a year after 2261", 2, 15),
        ("a year before 1900", 1, 5),
    ]
