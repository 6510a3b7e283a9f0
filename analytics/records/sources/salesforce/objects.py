"""The objects of a Salesforce export: which file holds each, and its fields by API name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from analytics.records.errors import InputError, nearest
from analytics.records.sources.conform import Reader, Rows
from analytics.records.sources.mapping import SalesforceSource
from analytics.records.sources.paths import resolve_path
from analytics.records.sources.raw import RawTable
from analytics.records.sources.reading import FORMATS, read_file
from analytics.records.sources.table_mapping import TableMapping

FIELDS: dict[str, dict[str, str]] = {
    "Opportunity": {
        "Id": "string", "AccountId": "string", "OwnerId": "string", "StageName": "string", "Amount": "float64",
        "CloseDate": "day", "CreatedDate": "moment", "IsClosed": "flag", "IsWon": "flag", "IsDeleted": "flag",
        "LastStageChangeDate": "moment",
    },
    "OpportunityHistory": {
        "OpportunityId": "string", "CreatedDate": "moment", "StageName": "string", "Amount": "float64",
        "CloseDate": "day", "Probability": "float64", "PrevAmount": "float64", "PrevCloseDate": "day",
        "IsDeleted": "flag",
    },
    "OpportunityFieldHistory": {
        "OpportunityId": "string", "Field": "string", "OldValue": "string", "NewValue": "string",
        "CreatedDate": "moment", "IsDeleted": "flag",
    },
    "Task": {
        "WhatId": "string", "Status": "string", "ActivityDate": "day", "CompletedDateTime": "moment",
        "CreatedDate": "moment", "Type": "string", "TaskSubtype": "string", "OwnerId": "string", "IsClosed": "flag",
        "IsDeleted": "flag", "CallDurationInSeconds": "float64",
    },
    "User": {"Id": "string", "Name": "string", "ManagerId": "string"},
}  # fmt: skip
"""Standard fields that are read, with their types: `day` is a date that no time zone moves, `moment` a time."""

REQUIRED: dict[str, tuple[str, ...]] = {
    "Opportunity": ("Id", "StageName", "CloseDate", "CreatedDate"),
    "OpportunityHistory": ("OpportunityId", "CreatedDate", "StageName", "CloseDate"),
    "OpportunityFieldHistory": ("OpportunityId", "Field", "OldValue", "NewValue", "CreatedDate"),
    "Task": ("WhatId", "CreatedDate"),
    "User": ("Id", "Name"),
}
"""Fields without which an object's file cannot be used."""


def read_object(
    name: str,
    source: SalesforceSource,
    reader: Reader,
    custom: Mapping[str, str] | None = None,
    optional: Sequence[str] = (),
) -> Rows | None:
    """Read one object of the export; None where there is no file for it.

    Letter case and underscores of headers do not matter (`stage_name` is StageName), so that what a connector landed
    in a warehouse reads like the API's own export. Rows without a required value are rejected.

    Parameters
    ----------
    name : str
        The object.
    source : SalesforceSource
        The mapping.
    reader : Reader
        Folder, zone and ledger.
    custom : mapping of str to str, optional
        Further fields that the mapping names, with their type.
    optional : sequence of str
        Further text fields that are read if they are there.

    Raises
    ------
    InputError
        For two files of one object, a required or mapped field that is missing, a value column that cannot be read.
    """
    path = _object_file(name, source, reader.base)
    if path is None:
        return None
    raw = read_file(path, source.read, name=path.name, ledger=reader.ledger, role=name)
    raw = _with_api_names(raw, [*FIELDS[name], *(custom or {}), *optional])
    wanted = [*REQUIRED[name], *(custom or {})]
    there = [field for field in (*FIELDS[name], *optional) if field in raw.columns and field not in wanted]
    types = {**dict(custom or {}), **FIELDS[name]}
    mapping = TableMapping(
        file=path.name,
        read=source.read,
        columns={field: field for field in (*wanted, *there)},
        dates=source.dates,
        values={field: fix for field, fix in source.values.items() if field in raw.columns},
    )
    rows = reader.conformed(raw, mapping, types)
    for field in REQUIRED[name]:
        if field not in ("OldValue", "NewValue", "WhatId"):
            rows = rows.without(rows.frame[field].isna(), f"no {field}")
    if "IsDeleted" in rows.frame and name != "Opportunity":
        rows = rows.without(is_true(rows.frame["IsDeleted"]), "deleted in the CRM")
    return rows


def is_true(flags: pd.Series) -> pd.Series:
    """Which of a column of flags are true; a missing flag is not."""
    return pd.Series([flag is True for flag in flags], index=flags.index)


def _object_file(name: str, source: SalesforceSource, base: Path) -> Path | None:
    folder = resolve_path(source.folder, base)
    if not folder.is_dir():
        raise InputError("there is no such folder", file=source.folder, action="Check folder: in the params")
    paths = [path for path in sorted(folder.iterdir()) if path.is_file() and path.name.lower().endswith(FORMATS)]
    found = [path for path in paths if path.name.lower().split(".")[0] == name.lower()]
    if len(found) > 1:
        raise InputError(
            f"{found[0].name} is there too, and both would be {name}", file=found[1].name, action="Keep one of them"
        )
    if not found and name == "Opportunity":
        raise InputError(
            "holds no Opportunity file (.csv, .csv.gz, .parquet or .xlsx)",
            file=source.folder,
            action=f"Export the object Opportunity ({nearest('Opportunity.csv', [path.name for path in paths])})",
        )
    return found[0] if found else None


def _with_api_names(raw: RawTable, fields: list[str]) -> RawTable:
    plain = {_plain(field): field for field in fields}
    return RawTable(
        raw.name,
        raw.frame.rename(columns={name: plain.get(_plain(name), name) for name in raw.columns}),
        frozenset(plain.get(_plain(name), name) for name in raw.typed),
    )


def _plain(name: str) -> str:
    return re.sub(r"_", "", name).lower()
