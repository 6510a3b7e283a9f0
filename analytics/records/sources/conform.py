"""From raw texts to contract columns and types; a row with a value that cannot be read goes to the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analytics.records.errors import InputError, nearest, shortened
from analytics.records.rejects import RejectLedger
from analytics.records.sources.columns import Columns
from analytics.records.sources.lookups import with_lookups
from analytics.records.sources.numbers import Style, parse_numbers
from analytics.records.sources.raw import FILE, LINE, RawTable
from analytics.records.sources.reading import read_table
from analytics.records.sources.table_mapping import OutcomeColumn, TableMapping
from analytics.records.sources.values import parse_moments, zone_named

MOMENT = "__moment__"
"""The full time of `recorded_on`, which orders the states of one day."""

STATUS_OF = {"won": "closed_won", "lost": "closed_lost", "unknown": "closed_unknown", "open": "open"}


@dataclass(frozen=True)
class Rows:
    """Typed rows with what they were made from, so that a later rule can reject one with its original values.

    `frame` holds contract columns, attributes, `FILE` and `LINE`; its index is the row's position in `raw`.
    """

    frame: pd.DataFrame
    raw: RawTable
    ledger: RejectLedger

    def without(self, wrong: pd.Series | np.ndarray, reason: str) -> Rows:
        """Reject the rows where `wrong` holds."""
        mask = np.asarray(wrong, dtype=bool)
        if not mask.any():
            return self
        for file, line, values in self.raw.rows_at(self.frame.index[mask]):
            self.ledger.reject(file, line, reason, values)
        return Rows(self.frame[~mask], self.raw, self.ledger)

    def require_unique(self, column: str, mapped: str) -> None:
        """Check that an id is there once.

        Raises
        ------
        InputError
            Naming both rows of the first id that is there twice.
        """
        twice = self.frame[column].duplicated(keep="first").to_numpy()
        if twice.any():
            value = self.frame.loc[twice, column].iloc[0]
            first, second = (self.raw.place(int(at)) for at in self.frame.index[self.frame[column] == value][:2])
            raise InputError(
                "the same id is there twice",
                file=second[0],
                column=mapped,
                row=second[1],
                value=value,
                action=f"Keep one of it and row {first[1]}" + (f" of {first[0]}" if first[0] != second[0] else ""),
            )


@dataclass(frozen=True)
class Reader:
    """What reading one source needs everywhere: the params' folder, its time zone and the ledger of rows."""

    base: Path
    timezone: str | None
    ledger: RejectLedger

    def rows(
        self, mapping: TableMapping, contract: Mapping[str, str], *, role: str = "", rows_needed: bool = True
    ) -> Rows:
        """Read a table and bring it to its contract."""
        raw = read_table(mapping, base=self.base, ledger=self.ledger, role=role, rows_needed=rows_needed)
        return self.conformed(raw, mapping, contract)

    def conformed(self, raw: RawTable, mapping: TableMapping, contract: Mapping[str, str]) -> Rows:
        """Bring a raw table to its contract: value fixes, look-ups, then `conform`."""
        joined = with_lookups(raw, mapping, base=self.base, ledger=self.ledger)
        frame = conform(joined, mapping, contract, timezone=self.timezone, ledger=self.ledger)
        return Rows(frame, raw, self.ledger)


def conform(
    raw: RawTable,
    mapping: TableMapping,
    contract: Mapping[str, str],
    *,
    timezone: str | None,
    ledger: RejectLedger,
) -> pd.DataFrame:
    """Bring a raw table to contract columns and types.

    Parameters
    ----------
    raw : RawTable
        Rows as texts.
    mapping : TableMapping
        What each contract column is called in the file.
    contract : mapping of str to str
        Contract column -> type: string, date (of the zone), day (a date that no zone moves), timed_day (a date of the
        zone, unless the column holds nothing but midnights: then it holds days), moment, int64, float64, flag.
    timezone : str or None
        Zone of the dates of timestamps that carry a zone.
    ledger : RejectLedger
        Where rows with a value that cannot be read are entered.

    Returns
    -------
    pandas.DataFrame
        The mapped contract columns and attributes, `status` where an outcome is mapped, `MOMENT` where `recorded_on`
        is, `FILE`, `LINE`; without the rejected rows.

    Raises
    ------
    InputError
        For a mapped column that is missing, and a column in which no value can be read.
    """
    raw.require(mapping.columns, block="columns")
    raw.require(mapping.attributes, block="attributes")
    columns = Columns(raw, mapping, ledger)
    zone = zone_named(timezone)
    out: dict[str, pd.Series] = {}
    for target, name in {**mapping.columns, **mapping.attributes}.items():
        kind = contract.get(target, "string")
        if kind in ("date", "day", "timed_day", "moment"):
            moved = zone if kind != "day" else None
            if kind == "timed_day" and _holds_days(columns.texts(name), mapping.date_format(target)):
                moved = None
            moments = columns.dates(target, name, moved)
            out[target] = moments if kind == "moment" else moments.dt.normalize()
            if target == "recorded_on":
                out[MOMENT] = moments
        elif kind in ("float64", "int64"):
            out[target] = columns.numbers(target, name, whole=kind == "int64")
        elif kind == "flag":
            out[target] = columns.flags(name)
        else:
            out[target] = columns.texts(name)
    for target, value in mapping.constants.items():
        out[target] = _constant(target, value, contract, raw)
    if mapping.outcome is not None:
        out["status"] = _status(raw, mapping.outcome, columns)
    frame = pd.DataFrame({**out, FILE: raw.frame[FILE], LINE: raw.frame[LINE]})
    return frame[~columns.wrong]


def _holds_days(texts: pd.Series, form: str) -> bool:
    """Whether a column holds nothing but midnights, as they are written."""
    written = parse_moments(texts, form, None).dropna()
    return bool((written == written.dt.normalize()).all())


def _constant(target: str, value: str, contract: Mapping[str, str], raw: RawTable) -> pd.Series:
    index = raw.frame.index
    if contract.get(target) == "date":
        return parse_moments(pd.Series([value] * len(index), index=index, dtype=object), "iso", None)
    if contract.get(target) in ("float64", "int64"):
        number = parse_numbers(pd.Series([value], dtype=object), Style(".", "")).iloc[0]
        if np.isnan(number):
            raise InputError("is not a number", column=target, value=value, action="Correct constants: in the params")
        return pd.Series(number, index=index, dtype="float64")
    return pd.Series([value] * len(index), index=index, dtype=object)


def _status(raw: RawTable, outcome: OutcomeColumn, columns: Columns) -> pd.Series:
    raw.require({"column": outcome.column}, block="outcome")
    texts = columns.texts(outcome.column)
    status = pd.Series(
        [STATUS_OF[outcome.values[text]] if text in outcome.values else None for text in texts],
        index=texts.index,
        dtype=object,
    )
    missing, unmapped = texts.isna().to_numpy(), (texts.notna() & status.isna()).to_numpy()
    if len(texts) and not status.notna().any():
        found = sorted({shortened(text) for text in texts if text is not None})
        raise InputError(
            "none of its values is mapped to an outcome",
            file=raw.name,
            column=outcome.column,
            action=f"List them under outcome: values: in the params; the file has {', '.join(found[:20]) or 'none'}",
        )
    _refuse_a_gap_in_the_map(texts[unmapped], len(texts), raw, outcome)
    columns.enter(missing, lambda _: f"no {outcome.column}, so no outcome")
    columns.enter(unmapped, lambda at: f"{outcome.column} {texts.iloc[at]!r} is not mapped to an outcome")
    return status


def _refuse_a_gap_in_the_map(unmapped: pd.Series, rows: int, raw: RawTable, outcome: OutcomeColumn) -> None:
    """Stop where a value that the map lacks is common: leaving out its rows would leave out a kind of outcome."""
    counts = unmapped.value_counts()
    for value, count in counts[(counts >= 3) & (counts > 0.01 * rows)].items():
        raise InputError(
            f"{count:,} of {rows:,} rows have this value, and it is not mapped to an outcome",
            file=raw.name,
            column=outcome.column,
            value=value,
            action=f"Add it under outcome: values: in the params, as won, lost, unknown or open "
            f"({nearest(str(value), outcome.values)})",
        )
