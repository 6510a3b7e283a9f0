"""Small exports written as text tables and read by a real source; a dash is an empty cell."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import TypeAdapter

from analytics.records.calendar import FiscalCalendar
from analytics.records.contract import HISTORY_COLUMNS, SIDE_TABLES, History
from analytics.records.definitions import Definitions
from analytics.records.rules import OutcomeRules
from analytics.records.snapshot import snapshot_frame
from analytics.records.sources import read_history
from analytics.records.sources.mapping import SourceConfig
from analytics.records.traps import trap_counts

AS_OF = dt.date(2025, 12, 31)


def written(folder: Path, name: str, table: str) -> dict[str, Any]:
    """Write a text table as CSV, and map its columns: those of the contract by their name, the rest as attributes."""
    rows = [["" if cell == "-" else cell for cell in line.split()] for line in table.strip().splitlines()]
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    contract = {"columns": {c: c for c in rows[0] if c in HISTORY_COLUMNS}, "file": name}
    return contract | {"attributes": {c: c for c in rows[0] if c not in HISTORY_COLUMNS and c != "percent"}}


def read(folder: Path, block: dict[str, Any], timezone: str | None = None) -> History:
    return read_history(TypeAdapter(SourceConfig).validate_python(block), base=folder, timezone=timezone)


def recorded(folder: Path, table: str, *, side: dict[str, str] | None = None, **block: Any) -> History:
    """Read one row per deal and recorded state."""
    tables = {name: written(folder, f"{name}.csv", text) for name, text in (side or {}).items()}
    for name, mapping in tables.items():
        columns = {**mapping["columns"], **mapping.pop("attributes")}
        mapping["columns"] = {column: column for column in columns if column in SIDE_TABLES[name]}
    return read(folder, {"kind": "flat", "history": written(folder, "states.csv", table), "side": tables} | block)


def today(folder: Path, table: str, *, timezone: str | None = None, **block: Any) -> History:
    """Read one row per deal, as it stands."""
    return read(folder, {"kind": "flat", **written(folder, "deals.csv", table)} | block, timezone)


def counts(
    history: History, trap: int, *, as_of: dt.date = AS_OF, calendar: FiscalCalendar | None = None, **definitions: Any
) -> dict[str, tuple[int, int]]:
    """What was looked for under one trap -> (found, of); empty where nothing could be looked for."""
    frame = trap_counts(history, as_of=as_of, definitions=Definitions(**definitions), calendar=calendar)
    assert frame["trap"].drop_duplicates().tolist() == list(range(1, 21))
    lines = frame[frame["trap"] == trap]
    if lines["found"].isna().all():
        assert lines["rule"].tolist()[0].startswith("not in this export: needs ")
        assert len(lines) == 1
        return {}
    return {row["what"]: (int(row["found"]), int(row["of"])) for row in lines.to_dict("records")}


def rule(history: History, trap: int, *, as_of: dt.date = AS_OF, **more: Any) -> list[str]:
    """What is done about one trap, line by line."""
    frame = trap_counts(history, as_of=as_of, **more)
    return frame.loc[frame["trap"] == trap, "rule"].drop_duplicates().tolist()


def deals(history: History, *, as_of: dt.date = AS_OF, episodes: Any = "first", **definitions: Any) -> pd.DataFrame:
    """Deals as known at the as-of date, by deal id."""
    made = snapshot_frame(
        history, as_of=as_of, rules=OutcomeRules(), episodes=episodes, definitions=Definitions(**definitions)
    )
    return made.set_index("deal_id")


def days(column: pd.Series) -> dict[str, str]:
    """A date column as texts, NaT where there is none."""
    return column.astype(str).to_dict()
