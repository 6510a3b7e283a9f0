"""Read one object of a CRM's export, from a folder, a database or a place of its own, by the CRM's field names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from analytics.records.errors import InputError, nearest
from analytics.records.sources.conform import Reader, Rows
from analytics.records.sources.exports import CrmExport, ObjectPlace
from analytics.records.sources.paths import require_file, resolve_path
from analytics.records.sources.raw import FILE, LINE, RawTable
from analytics.records.sources.reading import FORMATS, entered, read_file
from analytics.records.sources.table_mapping import TableMapping


@dataclass(frozen=True)
class CrmObject:
    """One object of a CRM: its names, and the fields that are read.

    Attributes
    ----------
    name : str
        The CRM's own name for it; what the params and error sentences call it.
    fields : mapping of str to str
        Field -> type: string, day (a date that no time zone moves), moment (a time), float64, int64, flag.
    required : tuple of str
        Fields without which the object cannot be used; a row in which one is empty is rejected.
    needed : tuple of str
        Fields that must be there as columns and may be empty in a row.
    also : tuple of str
        Other names of its file or table ("deal", "deals").
    synonyms : mapping of str to tuple of str
        Field -> other headers that hold it, in order of preference.
    """

    name: str
    fields: Mapping[str, str]
    required: tuple[str, ...]
    needed: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    synonyms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read_object(
    spec: CrmObject,
    source: CrmExport,
    reader: Reader,
    custom: Mapping[str, str] | None = None,
    optional: Sequence[str] = (),
) -> Rows | None:
    """Read one object; None where the export does not have it.

    Letter case and underscores of headers do not matter (`stage_name` is StageName), so that what a connector landed
    in a warehouse reads like the API's own export. Rows without a required value are rejected.

    Parameters
    ----------
    spec : CrmObject
        The object.
    source : CrmExport
        The mapping.
    reader : Reader
        Folder, zone and ledger.
    custom : mapping of str to str, optional
        Further fields that the params name, with their type; they must be there.
    optional : sequence of str
        Further text fields that are read if they are there.

    Returns
    -------
    Rows or None
        Frame columns are field names.

    Raises
    ------
    InputError
        For two files of one object, a required or mapped field that is missing, a value column that cannot be read.
    """
    raw = raw_object(spec, source, reader)
    return None if raw is None else typed_object(raw, spec, source, reader, custom, optional)


def raw_object(spec: CrmObject, source: CrmExport, reader: Reader) -> RawTable | None:
    """Find and read one object as texts, headers as they are; None where the export does not have it."""
    place = source.objects.get(spec.name)
    if place is not None and place.file:
        path = require_file(resolve_path(place.file, reader.base), place.file)
        return read_file(path, source.read, name=path.name, ledger=reader.ledger, role=spec.name)
    if source.url:
        return _database_object(spec, source, place, reader)
    if source.folder is None:
        return None
    path_found = _object_file(spec, source.folder, reader.base)
    if path_found is None:
        return None
    return read_file(path_found, source.read, name=path_found.name, ledger=reader.ledger, role=spec.name)


def fields_found(raw: RawTable, spec: CrmObject, source: CrmExport) -> set[str]:
    """Return the fields of an object that a table has, to tell apart two shapes of one name."""
    place = source.objects.get(spec.name)
    return set(_with_field_names(raw, spec, (), place.columns if place else {}).columns) & set(spec.fields)


def typed_object(
    raw: RawTable,
    spec: CrmObject,
    source: CrmExport,
    reader: Reader,
    custom: Mapping[str, str] | None = None,
    optional: Sequence[str] = (),
) -> Rows:
    """Bring a raw table to an object's fields and types, as `read_object` does."""
    place = source.objects.get(spec.name)
    raw = _with_field_names(raw, spec, [*(custom or {}), *optional], place.columns if place else {})
    wanted = list(dict.fromkeys([*spec.required, *spec.needed, *(custom or {})]))
    _require(raw, spec, wanted)
    there = [name for name in (*spec.fields, *optional) if name in raw.columns and name not in wanted]
    mapping = TableMapping(
        file=raw.name,
        read=source.read,
        columns={name: name for name in (*wanted, *there)},
        dates=source.dates,
        values={name: fix for name, fix in source.values.items() if name in raw.columns},
    )
    rows = reader.conformed(raw, mapping, {**dict(custom or {}), **spec.fields})
    for name in spec.required:
        rows = rows.without(rows.frame[name].isna(), f"no {name}")
    return rows


def is_true(flags: pd.Series) -> pd.Series:
    """Which of a column of flags are true; a missing flag is not."""
    return pd.Series([flag is True for flag in flags], index=flags.index, dtype=bool)


def is_false(flags: pd.Series) -> pd.Series:
    """Which of a column of flags are false; a missing flag is not."""
    return pd.Series([flag is False for flag in flags], index=flags.index, dtype=bool)


def column_of(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a column, or one of missing values where the export lacks the field."""
    return frame[name] if name in frame else pd.Series([None] * len(frame), index=frame.index, dtype=object)


def plain_name(name: str) -> str:
    """Return a name as names are compared: lower case, letters and digits only.

    Examples
    --------
    >>> plain_name("Stage_Name") == plain_name("StageName")
    True
    """
    return re.sub(r"[^0-9a-z]", "", name.lower())


def missing_object(spec: CrmObject, source: CrmExport, base: Path) -> InputError:
    """Say that an export lacks an object that it cannot do without, and what it has instead."""
    if source.folder:
        found = [path.name for path in _files(source.folder, base)]
        return InputError(
            f"holds no {spec.name} file (.csv, .csv.gz, .parquet or .xlsx)",
            file=source.folder,
            action=f"Export the object {spec.name}, or name its file under "
            f"objects: {{{spec.name}: {{file: …}}}} in the params ({nearest(f'{spec.name}.csv', found)})",
        )
    return InputError(
        f"the database has no table for {spec.name}" if source.url else f"objects: does not say where {spec.name} is",
        action=f"Name it under objects: {{{spec.name}: …}} in the params",
    )


def _database_object(spec: CrmObject, source: CrmExport, place: ObjectPlace | None, reader: Reader) -> RawTable | None:
    from analytics.records.sources.typed_files import read_sql, table_names

    url = str(source.url)
    if place is not None:
        table = str(place.table)
    else:
        names = table_names(url, reader.base)
        schema = f"{source.database_schema}." if source.database_schema else ""
        here = {name.removeprefix(schema): name for name in names if name.startswith(schema)}
        found = [full for short, full in here.items() if is_named(short, spec)]
        if len(found) > 1:
            raise _two_of_one(spec, found)
        if not found:
            return None
        table = found[0]
    contents, digest = read_sql(url, table, reader.base)
    return entered(contents, table, digest, reader.ledger, spec.name)


def _object_file(spec: CrmObject, written: str, base: Path) -> Path | None:
    found = [path for path in _files(written, base) if is_named(path.name.split(".")[0], spec)]
    if len(found) > 1:
        raise _two_of_one(spec, [path.name for path in found])
    return found[0] if found else None


def _files(written: str, base: Path) -> list[Path]:
    folder = resolve_path(written, base)
    if not folder.is_dir():
        raise InputError("there is no such folder", file=written, action="Check folder: in the params")
    return [path for path in sorted(folder.iterdir()) if path.is_file() and path.name.lower().endswith(FORMATS)]


def is_named(name: str, spec: CrmObject) -> bool:
    """Whether a file's or table's name is the object's; connectors' affixes (`sf_…`, `…_data`) do not matter.

    Examples
    --------
    >>> deals = CrmObject("deals", {}, (), also=("hubspot-crm-exports-all-deals",))
    >>> [is_named(name, deals) for name in ("hubspot_deals", "hubspot-crm-exports-all-deals-2026-01-31", "deals_2025")]
    [True, True, False]
    """
    name = re.sub(r"^(hubspot-crm-exports-.+?)-\d{4}-\d{2}-\d{2}(?:-\d+)?(?: ?\(\d+\))?$", r"\1", name.lower())
    bare = re.sub(r"^(sf|salesforce|hubspot|hs|dynamics|d365|pipedrive)_|_data$", "", name)
    return {plain_name(name), plain_name(bare)} & {plain_name(known) for known in (spec.name, *spec.also)} != set()


def _require(raw: RawTable, spec: CrmObject, wanted: Sequence[str]) -> None:
    """Check that the fields are there, in words that tell what the CRM needs from what the params name."""
    for name in [name for name in wanted if name not in raw.columns]:
        closest = nearest(name, raw.columns)
        if name in (*spec.required, *spec.needed):
            place = f"objects: {{{spec.name}: {{file: …, columns: {{{name}: …}}}}}}"
            problem = f"the object {spec.name} needs this field"
            action = f"Export it, or name its header under {place} in the params ({closest})"
        else:
            problem = f"the params name this field and the object {spec.name} lacks it"
            action = f"Correct its name in the params, or export it ({closest})"
        raise InputError(problem, file=raw.name, column=name, action=action)


def _two_of_one(spec: CrmObject, found: list[str]) -> InputError:
    return InputError(
        f"{found[0]} is there too, and both would be {spec.name}",
        file=found[1],
        action=f"Keep one of them, or name the right one under objects: {{{spec.name}: …}}",
    )


def _with_field_names(raw: RawTable, spec: CrmObject, more: Sequence[str], stated: Mapping[str, str]) -> RawTable:
    """Rename headers to field names: as the params state, else by likeness, else by a synonym."""
    raw.require(dict(stated), block=f"objects: {spec.name}: columns")
    named = {header: name for name, header in stated.items()}
    fields = [name for name in (*spec.fields, *more) if name not in stated]
    by_likeness = {plain_name(name): name for name in fields}
    for header in raw.columns:
        name = by_likeness.get(plain_name(header))
        if header not in named and name is not None:
            named[header] = name
    taken = set(named.values())
    headers = {plain_name(header): header for header in raw.columns if header not in named}
    for name in fields:
        synonym = next((plain_name(other) for other in spec.synonyms.get(name, ()) if plain_name(other) in headers), "")
        if name not in taken and synonym:
            named[headers[synonym]] = name
    frame = raw.frame.rename(columns={header: name for header, name in named.items() if header not in (FILE, LINE)})
    return RawTable(raw.name, frame, frozenset(named.get(name, name) for name in raw.typed))
