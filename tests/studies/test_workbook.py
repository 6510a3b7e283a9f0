"""A workbook holds texts as texts and numbers as numbers, whatever a CRM wrote."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

from analytics.estimators.result import Finding, Listing
from analytics.studies import store
from analytics.studies.workbook import as_excel, write_workbook

HOSTILE = [
    '=HYPERLINK("http://evil","x")', "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "  =1+1", "\t=1", "＝1+1",
    "javascript:alert(1)", "<script>alert(1)</script>", "{{7*7}}", "\u202egnp", "http://evil.example",
]  # fmt: skip


def loaded(content: bytes) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(content))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_is_a_text_in_every_cell(text: str) -> None:
    sheet = loaded(as_excel({"deals": pd.DataFrame({text: [text], "n": [-2]})}))["deals"]
    for cell in (sheet["A1"], sheet["A2"]):
        assert cell.value.strip() == text.strip()
        assert cell.data_type == "s"
        assert cell.hyperlink is None
        assert cell.quotePrefix
    assert (sheet["B2"].value, sheet["B2"].data_type) == (-2, "n")


def test_what_a_workbook_cannot_hold_is_left_out() -> None:
    frame = pd.DataFrame({"a": ["nul\x00bell\x07end\ufffe\ud800", "x" * 40_000], "n": [np.nan, np.inf]})
    frame["on"] = pd.to_datetime(["2025-12-31", None])
    sheet = loaded(as_excel({"deals": frame}))["deals"]
    assert sheet["A2"].value == "nulbellend"
    assert sheet["A3"].value == "x" * 32_766 + "…"
    assert (sheet["B2"].value, sheet["B3"].value) == (None, None)
    assert str(sheet["C2"].value).startswith("2025-12-31")


def test_sheet_names_are_allowed_and_different() -> None:
    frame = pd.DataFrame({"a": [1]})
    names = ["a/b", "a?b", "'quoted'", "x" * 40, "x" * 41, "History", "\x00", "=1+1"]
    made = loaded(as_excel(dict.fromkeys(names, frame))).sheetnames
    assert made == ["a b", "a b 2", "quoted", "x" * 31, "x" * 29 + " 2", "History 1", "sheet", "=1+1"]


def test_withheld_numbers_say_so_and_the_bytes_are_the_same_twice() -> None:
    frame = pd.DataFrame({"n_event": [np.nan, 7], "withheld": ["<5", ""]})
    assert loaded(as_excel({"a": frame}))["a"]["A2"].value == "<5"
    assert as_excel({"a": frame}) == as_excel({"a": frame})


def test_the_results_of_a_run_are_the_sheets(tmp_path: Path) -> None:
    kept, again = tmp_path / "results" / "01_one", tmp_path / "results" / "02_two"
    store.write(kept, "closed", Listing(pd.DataFrame({"outcome": ["won"], "deals": [7]}), "=Closed()"))
    store.write(kept, "said", (Finding("x", "=1+1", "so", "described"),))
    store.write(again, "closed", Listing(pd.DataFrame({"deals": [8]}), "Closed again"))
    write_workbook(tmp_path, ["01_one", "02_two", "03_failed"], tmp_path / "one.xlsx")
    book = openpyxl.load_workbook(tmp_path / "one.xlsx")
    assert book.sheetnames == ["contents", "01 closed", "01 said", "02 closed"]
    assert [[cell.value for cell in row] for row in book["01 closed"].iter_rows()] == [["outcome", "deals"], ["won", 7]]
    assert [cell.value for cell in book["01 said"][2]] == ["described", "=1+1", "so"]
    assert book["02 closed"]["A2"].value == 8
    rows = [[cell.value for cell in row][:4] for row in book["contents"].iter_rows(min_row=2)]
    assert rows == [["01 closed", "01_one", "closed", "=Closed()"], ["01 said", "01_one", "said", "Findings"],
                    ["02 closed", "02_two", "closed", "Closed again"]]  # fmt: skip
    assert {cell.data_type for row in book["contents"].iter_rows() for cell in row} <= {"s", "n", "inlineStr"}
    write_workbook(tmp_path, ["03_failed"], tmp_path / "none.xlsx")
    assert not (tmp_path / "none.xlsx").exists()
