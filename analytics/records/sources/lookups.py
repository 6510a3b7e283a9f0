"""Value fixes and look-up files, applied to raw texts before they meet the contract."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analytics.records.errors import InputError, nearest
from analytics.records.rejects import RejectLedger
from analytics.records.sources.raw import RawTable
from analytics.records.sources.reading import read_table
from analytics.records.sources.table_mapping import Lookup, TableMapping
from analytics.records.sources.values import clean_texts


def with_lookups(raw: RawTable, mapping: TableMapping, *, base: Path, ledger: RejectLedger) -> RawTable:
    """Apply the mapping's value fixes, then left-join its look-up files.

    A value fix is named by the file's column, or by the contract column or attribute that is mapped to it. It is
    applied before look-ups, so that `GTXPro` can be made to match `GTX Pro`; a fix of an added column comes after its
    look-up.

    Raises
    ------
    InputError
        For a fix of a column that is nowhere, a key column that is missing, a look-up file with a key twice, and a
        look-up that no row matches.
    """
    added = {name for lookup in mapping.lookups for name in lookup.columns}
    fixes = {_column_of(name, raw, mapping, added): fix for name, fix in mapping.values.items()}
    raw = _fixed(raw, {name: fix for name, fix in fixes.items() if name not in added})
    for lookup in mapping.lookups:
        other = read_table(lookup, base=base, ledger=ledger, role="look-up")
        raw = _joined(raw, _fixed(other, dict(lookup.values)), lookup)
    return _fixed(raw, {name: fix for name, fix in fixes.items() if name in added})


def _column_of(name: str, raw: RawTable, mapping: TableMapping, added: set[str]) -> str:
    mapped = {**mapping.columns, **mapping.attributes}
    if name in raw.columns or name in added:
        return name
    if name in mapped:
        return mapped[name]
    raise InputError(
        "values: fixes this column and the file lacks it",
        file=raw.name,
        column=name,
        action=f"Correct values: in the params ({nearest(name, [*raw.columns, *added, *mapped])})",
    )


def _fixed(raw: RawTable, fixes: dict[str, dict[str, str]]) -> RawTable:
    frame = raw.frame.copy(deep=False)
    for name, fix in fixes.items():
        raw.require({name: name}, block="values")
        texts = clean_texts(frame[name], ())
        frame[name] = pd.Series([fix.get(text, text) for text in texts], index=frame.index, dtype=object)
    return RawTable(raw.name, frame, raw.typed)


def _joined(raw: RawTable, other: RawTable, lookup: Lookup) -> RawTable:
    raw.require({name: name for name in lookup.on}, block="lookups: on")
    other.require({name: name for name in lookup.on.values()}, block="lookups: on")
    other.require(lookup.columns, block="lookups: columns")
    taken = [name for name in lookup.columns if name in raw.columns]
    if taken:
        raise InputError(
            "a look-up would add this column, which the file already has",
            file=raw.name,
            column=taken[0],
            action="Give it another name under lookups: columns:",
        )
    places: dict[tuple[str | None, ...], int] = {}
    for position, key in enumerate(_keys(other, list(lookup.on.values()))):
        if key in places:
            raise InputError(
                f"the key {' / '.join(map(str, key))!r} of a look-up is there twice",
                file=other.name,
                row=other.place(position)[1],
                action=f"Keep one of it and line {other.place(places[key])[1]}",
            )
        places[key] = position
    keys = _keys(raw, list(lookup.on))
    found = [places.get(key) if None not in key else None for key in keys]
    if keys and not any(place is not None for place in found) and any(None not in key for key in keys):
        example = next(key for key in keys if None not in key)
        raise InputError(
            "a look-up matches no row at all",
            file=other.name,
            value=" / ".join(map(str, example)),
            action="Correct on: under lookups:, or make the values match under values:",
        )
    frame = raw.frame.copy(deep=False)
    for place, (name, column) in enumerate(lookup.columns.items()):
        cells = list(other.frame[column])
        values = [None if position is None else cells[position] for position in found]
        frame.insert(place, name, pd.Series(values, index=frame.index, dtype=object))
    typed = {name for name, column in lookup.columns.items() if column in other.typed}
    return RawTable(raw.name, frame, raw.typed | typed)


def _keys(raw: RawTable, columns: list[str]) -> list[tuple[str | None, ...]]:
    return list(zip(*(clean_texts(raw.frame[name], ()) for name in columns), strict=True))
