"""Whatever is done to an export, reading ends in numbers that can be believed or in a sentence; no row is lost."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pytest
from crm_exports import CRM_EXPORTS
from mutations import spoilt
from pydantic import TypeAdapter
from small_exports import EXPORTS as PLAIN
from small_exports import Export, states_counted

from analytics import OutcomeRules, count_events, cumulative_incidence, deals_as_of
from analytics.records.contract import History
from analytics.records.errors import InputError
from analytics.records.rejects import check_accounts
from analytics.records.snapshot import as_frame
from analytics.records.sources import read_history
from analytics.records.sources.mapping import SourceConfig

EXPORTS = PLAIN | {name: Export(*how) for name, how in CRM_EXPORTS.items()}
AS_OF = dt.date(2025, 6, 30)
QUERIES: dict[tuple[object, ...], str] = {}
RULES = OutcomeRules(no_decision_reasons=("No decision",), older_than_days=300)


def rows_of(raw: bytes) -> int | None:
    """Count the rows of a well-formed .csv file without the reader's help; None where it is not well formed."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    if "\x00" in text or text[:4] in ("sep=", '"sep'):
        return None
    state, rows, filled = "start", 0, False  # where in a cell; whether the line holds anything
    for mark in text.replace("\r\n", "\n").replace("\r", "\n") + "\n":
        if state == "quoted":
            state = "closed" if mark == '"' else "quoted"
        elif mark == "\n":
            state, rows, filled = "start", rows + filled, False
        elif mark == ",":
            state, filled = "start", True
        elif mark == '"':
            if state == "plain":
                return None
            state, filled = "quoted", True
        elif state == "closed":
            return None
        else:
            state, filled = "plain", True
    return None if state != "start" else rows - 1


def test_the_independent_count() -> None:
    assert rows_of(b'id,x\r\n1,"two\r\nlines"\r\n\r\n2,"a ""b"""\r\n3,\r\n') == 3
    assert rows_of(b"id,x\r1,a\r2,b") == 2
    assert rows_of(b'id,x\n1,a"b\n') is None
    assert rows_of("id,x\n1,é".encode("cp1252")) is None


def check_counts(name: str, history: History, folder: Path) -> None:
    """Check that kept + rejected = read, by the ledger and by counting again."""
    check_accounts(history.files, history.rejects)
    assert not history.rejects.duplicated(["file", "line"]).any()
    for file in history.files:
        path = folder / file.name.split(".csv")[0]
        counted = rows_of(path.with_name(path.name + ".csv").read_bytes())
        assert counted is None or file.rows_read == counted, (file, counted)
    single = states_counted(name, history)
    if single is not None:
        assert history.files[0].rows_kept == single


def deals_of(history: History) -> pd.DataFrame:
    """The deals of `deals_as_of`, whose query is compiled once per shape of History (half a second)."""
    shape = (history.kind, history.attributes, tuple(sorted(history.side)))
    if shape not in QUERIES:
        deals = deals_as_of(history, as_of=AS_OF, rules=RULES).order_by("deal_id", "episode")
        QUERIES[shape] = ibis.to_sql(deals, dialect="duckdb")
    return as_frame(history.table.get_backend().con.sql(QUERIES[shape]).to_arrow_table())


def check_estimate(history: History) -> None:
    """Check that an incidence from it is made of probabilities, with a limit on each side."""
    deals = deals_of(history)
    frame = cumulative_incidence(count_events(deals), times=[30, 90, 180]).frame
    numbers = frame[["estimate", "std_error", "conf_low", "conf_high"]]
    unsaid = numbers.isna().any(axis=1) & frame["no_interval_reason"].isna()
    assert not unsaid.any(), frame[unsaid]
    assert frame["estimate"].between(0, 1).all()
    stated = frame.dropna(subset=["conf_low", "conf_high"])
    assert stated["conf_low"].between(0, stated["estimate"]).all()
    assert stated["conf_high"].between(stated["estimate"], 1).all()
    assert np.isfinite(deals["amount"].dropna().sum())


def check_sentence(error: InputError, folder: Path) -> None:
    """Check that an error is a sentence that says where: no Python, nothing that runs over lines or pages."""
    text = str(error)
    assert "\n" not in text
    assert "\x00" not in text
    assert len(text) < 1500, text
    assert text.endswith((".", "?")), text
    assert not re.search(r"Traceback|<class|object at 0x|Error\(|dtype|\bNone\b(?!')", text), text
    assert any(path.name in text for path in folder.iterdir()) or text.startswith((".:", "column '")), text


def ending(name: str, seed: int, folder: Path) -> tuple[str, list[str]]:
    """Spoil an export and study it: "result" or the sentence that refused it, and what had been done."""
    folder.mkdir()
    export = EXPORTS[name]
    export.write(folder)
    done = spoilt(folder, np.random.default_rng([seed, list(EXPORTS).index(name)]))
    source = TypeAdapter(SourceConfig).validate_python(export.source)
    try:
        history = read_history(source, base=folder)
    except InputError as error:
        check_sentence(error, folder)
        return error.problem, done
    check_counts(name, history, folder)
    check_estimate(history)
    history.table.get_backend().disconnect()
    return "result", done


def study(seeds: range, tmp_path: Path, names: Iterable[str] = tuple(EXPORTS)) -> str:
    """Run the cases of some seeds on every export; returns how each kind of damage ended."""
    results, refused, cases = Counter[str](), Counter[str](), Counter[str]()
    total = 0
    for name in names:
        for seed in seeds:
            folder = tmp_path / f"{name} {seed}"
            try:
                end, done = ending(name, seed, folder)
            except Exception as error:
                raise AssertionError(f"{name}, seed {seed}: {type(error).__name__}: {str(error)[:2000]}") from error
            total += 1
            for mutation in done:
                (results if end == "result" else refused)[mutation] += 1
            cases[name] += end == "result"
    good = sum(cases.values())
    lines = [f"{good} of {total} cases gave a result: {dict(cases)}"]
    lines += [f"{name:22}{results[name]:6} result{refused[name]:6} refused" for name in sorted({*results, *refused})]
    assert good >= 0.3 * total, "\n".join(lines)
    return "\n".join(lines)


def test_whole_exports_give_a_result_and_lose_no_row(tmp_path: Path) -> None:
    for name, export in EXPORTS.items():
        folder = tmp_path / name
        folder.mkdir()
        export.write(folder)
        history = read_history(TypeAdapter(SourceConfig).validate_python(export.source), base=folder)
        check_counts(name, history, folder)
        check_estimate(history)
        assert history.rejects.empty


def test_spoilt_exports(tmp_path: Path) -> None:
    print(study(range(12), tmp_path))


@pytest.mark.slow
def test_thousands_of_spoilt_exports(tmp_path: Path) -> None:
    print(study(range(1000, 1260), tmp_path, PLAIN))
    print(study(range(1000, 1030), tmp_path, CRM_EXPORTS))
