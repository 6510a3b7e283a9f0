"""What is saved comes back exactly, is never half-written, and cannot act as a formula."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analytics.estimators.result import Estimate, Finding, Listing, Meta
from analytics.studies import store


def an_estimate() -> Estimate:
    frame = pd.DataFrame(
        {
            "region": ["=1+1", None, "North"],
            "estimate": [0.25, 1 / 3, 0.5],
            "std_error": [0.1, np.nan, 0.1],
            "conf_low": [0.1, np.nan, 0.4],
            "conf_high": [0.4, np.nan, 0.6],
            "n_risk": [3, 4, 5],
            "no_interval_reason": ["", "one deal", ""],
            "mature": [True, False, True],
            "closed_on": pd.to_datetime(["2025-01-01", None, "2025-03-01"]),
        }
    )
    meta = Meta(kind="probability", estimand="a share", keys=("region",), n_deals=12, as_of=dt.date(2025, 6, 30))
    return Estimate(frame, meta)


FINDINGS = (
    Finding(
        "ending", "A third ends in no decision.", "32 % (27–38), n = 412.", "described", "ending", (("outcome", "won"),)
    ),
    Finding("change", "Too few deals to tell.", "", "cannot tell"),
)


def test_an_estimate_comes_back_exactly(tmp_path: Path) -> None:
    estimate = an_estimate()
    files = store.write(tmp_path, "ending", estimate)
    assert [file.name for file in files] == ["ending.parquet", "ending.json", "ending.csv"]
    again = store.read(tmp_path, "ending")
    assert isinstance(again, Estimate)
    assert again.meta == estimate.meta
    pd.testing.assert_frame_equal(again.frame, estimate.frame)


def test_the_json_says_what_the_rows_are_and_does_not_repeat_them(tmp_path: Path) -> None:
    estimate = an_estimate()
    store.write(tmp_path, "ending", estimate)
    facts = json.loads((tmp_path / "ending.json").read_text())
    assert facts["schema_version"] == 1
    assert facts["meta"]["as_of"] == "2025-06-30"
    assert "rows" not in facts
    rows = pd.read_parquet(tmp_path / "ending.parquet")
    assert rows["estimate"].tolist() == [0.25, 1 / 3, 0.5]
    assert pd.isna(rows["conf_low"][1])
    assert rows["closed_on"][0] == pd.Timestamp("2025-01-01")


def test_listings_and_findings_come_back(tmp_path: Path) -> None:
    listing = Listing(pd.DataFrame({"step": ["read", "kept"], "deals": [8, 7]}), "What came in", private=True)
    store.write(tmp_path, "attrition", listing)
    again = store.read(tmp_path, "attrition")
    assert isinstance(again, Listing)
    assert (again.title, again.private) == ("What came in", True)
    pd.testing.assert_frame_equal(again.frame, listing.frame)
    store.write(tmp_path, "findings", FINDINGS)
    store.write(tmp_path, "one", FINDINGS[0])
    store.write(tmp_path, "none", ())
    assert store.read(tmp_path, "findings") == FINDINGS
    assert store.read(tmp_path, "one") == FINDINGS[0]
    assert store.read(tmp_path, "none") == ()
    assert store.names(tmp_path) == ("attrition", "findings", "none", "one")


@pytest.mark.parametrize(
    "text", ["=HYPERLINK(1)", "+1", "-2", "@SUM(A1)", "\tx", "\rx", " =1", "\n=1", "\u00a0=1", "\ufeff=1", "＝1", "＠x"]
)
def test_no_cell_of_a_csv_is_a_formula(text: str) -> None:
    written = store.as_csv(pd.DataFrame({text: [text], "change": [-0.5]}))
    head, row = list(csv.reader(io.StringIO(written, newline="")))
    assert head[0] == row[0] == "'" + text
    assert row[1] == "-0.5"


def test_a_name_is_a_plain_word(tmp_path: Path) -> None:
    for name in ("../x", "A", "a b", "", "1a"):
        with pytest.raises(ValueError, match="cannot be the name of a result"):
            store.write(tmp_path, name, FINDINGS)


def test_only_results_can_be_saved(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="only Estimates, Listings and Findings"):
        store.write(tmp_path, "frame", (pd.DataFrame(),))  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_result_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    store.write(tmp_path, "findings", FINDINGS)
    path = tmp_path / "findings.json"
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 99', 1))
    with pytest.raises(ValueError, match="schema version 99; this reads up to 1"):
        store.read(tmp_path, "findings")


def test_a_write_that_fails_leaves_the_old_file_and_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "index.html"
    store.write_text(path, "good")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        store.write_text(path, "bad")
    assert path.read_text() == "good"
    assert [file.name for file in tmp_path.iterdir()] == ["index.html"]


def test_json_holds_no_nan(tmp_path: Path) -> None:
    store.write_json(tmp_path / "x.json", {"a": float("nan"), "b": np.float64("inf"), "c": pd.NaT, "d": np.bool_(True)})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": None, "b": None, "c": None, "d": True}
