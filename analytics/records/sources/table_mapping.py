"""How one input table maps onto a record contract: where it is, its columns, dates, values and look-ups, checked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from analytics.records.contract import DEALS_COLUMNS, HISTORY_COLUMNS, SIDE_TABLES
from analytics.records.errors import nearest

CLOSED = ConfigDict(frozen=True, extra="forbid")

MappedOutcome = Literal["won", "lost", "unknown", "open"]

COMPUTED = ("valid_from", "valid_to")
"""History columns that are computed here and never mapped."""


SIDE_REQUIRED: dict[str, tuple[str, ...]] = {
    "activities": ("deal_id", "occurred_on"),
    "owners": ("owner_id",),
    "quotas": ("owner_id", "period", "quota"),
    "reviews": ("deal_id", "respondent"),
    "forecast_submissions": ("period", "submitted_on", "amount"),
    "fx_rates": ("currency", "valid_from", "rate"),
    "stages": ("stage", "order"),
}
"""What a row of a side table cannot do without; a row in which it is empty is rejected."""


def text_keys(value: object) -> object:
    """YAML reads `0:` and `true:` as a number and a truth value; in a value map they are the file's text."""
    if not isinstance(value, dict):
        return value
    return {str(key).lower() if isinstance(key, bool) else str(key): item for key, item in value.items()}


def key_on(value: object) -> object:
    """YAML 1.1 reads the key `on` as a truth value."""
    if isinstance(value, dict) and True in value:
        return {("on" if key is True else key): item for key, item in value.items()}
    return value


ValueMap = Annotated[dict[str, str], BeforeValidator(text_keys)]
OutcomeMap = Annotated[dict[str, MappedOutcome], BeforeValidator(text_keys)]


class Reading(BaseModel):
    """How a file is to be read: delimiter, encoding, number format, what stands for a missing value.

    `delimiter` and `encoding` concern .csv files, `sheet` Excel files (default: the first one). `missing` lists the
    texts that mean "no value" (dates, numbers and flags also take NaN, null, None and #N/A so). `decimal` and
    `thousands` say how numbers are written; without them a column is tried as a whole, like dates.
    """

    model_config = CLOSED
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8-sig"
    sheet: str | None = None
    missing: tuple[str, ...] = ("",)
    decimal: Literal[".", ","] = "."
    thousands: str = ""

    @model_validator(mode="after")
    def _marks(self) -> Reading:
        if self.delimiter in '"\r\n':
            raise ValueError("read: delimiter: must not be a quotation mark or the end of a line")
        if self.decimal == self.thousands or any(mark in "0123456789-+" for mark in self.thousands):
            raise ValueError("read: thousands: must not be the decimal mark, a digit or a sign")
        return self


class Lookup(BaseModel):
    """A file to left-join: `on` maps columns of the main file to the look-up's, `columns` names what is added.

    Keys of the look-up must be unique; a row of the main file without a match keeps empty values.
    """

    model_config = CLOSED
    file: str | None = None
    url: str | None = None
    table: str | None = None
    read: Reading = Reading()
    on: dict[str, str] = Field(min_length=1)
    columns: dict[str, str] = Field(min_length=1)
    values: dict[str, ValueMap] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _yaml_on(cls, value: object) -> object:
        return key_on(value)

    @model_validator(mode="after")
    def _one_place(self) -> Lookup:
        require_place(self.file, None, self.url, self.table)
        return self


class OutcomeColumn(BaseModel):
    """The column that says how a deal stands, and what each of its values means (won, lost, unknown, open)."""

    model_config = CLOSED
    column: str
    values: OutcomeMap = Field(min_length=1)


class Splits(BaseModel):
    """A file that lists a deal once per seller who shares it: the column with each one's percent.

    `amount` says whether each row holds the whole deal's amount or its part of it.
    """

    model_config = CLOSED
    percent: str
    amount: Literal["whole", "part"] = "whole"


class TableMapping(BaseModel):
    """One input table (or a folder of files of one shape) and how its columns map onto a contract.

    Parameters
    ----------
    file, folder, url, table : str, optional
        Where it is: a .csv, .csv.gz, .parquet or .xlsx `file`; every file of `folder` whose name matches `pattern`; or
        the `table` of the database at `url` (see `analytics.records.engine.connect`).
    columns : dict
        Contract column -> the file's column.
    attributes : dict
        Attribute name -> the file's column (deals only).
    dates : str or dict
        The format of dates, one for all or per contract column (`"*"`: all others): a `strptime` format; `iso`;
        `excel`, `epoch_s` or `epoch_ms` for numbers. Unless it states another format, a column that is not of ISO dates
        (2025-10-01, 2025-10-01T23:30:00.000+0000) is tried in each order of day, month and year as a whole, and refused
        where two fit.
    values : dict
        The file's column -> {value as written: value to use}; applied before look-ups, so that keys match.
    constants : dict
        Contract column or attribute -> one value for every row.
    """

    model_config = CLOSED
    file: str | None = None
    folder: str | None = None
    pattern: str = "*"
    url: str | None = None
    table: str | None = None
    read: Reading = Reading()
    columns: dict[str, str] = Field(default_factory=dict)
    attributes: dict[str, str] = Field(default_factory=dict)
    dates: str | dict[str, str] = "iso"
    outcome: OutcomeColumn | None = None
    values: dict[str, ValueMap] = Field(default_factory=dict)
    constants: dict[str, str] = Field(default_factory=dict)
    lookups: tuple[Lookup, ...] = ()

    @field_validator("attributes")
    @classmethod
    def _attribute_names(cls, value: dict[str, str]) -> dict[str, str]:
        return check_attributes(value)

    @property
    def has_place(self) -> bool:
        """Whether it says where the rows are."""
        return any((self.file, self.folder, self.url, self.table))

    def date_format(self, column: str) -> str:
        """The stated format of one contract column's dates."""
        return self.dates if isinstance(self.dates, str) else self.dates.get(column, self.dates.get("*", "iso"))


def require_deal_columns(mapping: TableMapping, *, history: bool) -> None:
    """Check that a mapping of deals names contract columns only, and all that a deal needs.

    Raises
    ------
    ValueError
        For an unknown contract column (with the nearest name) or a missing one.
    """
    allowed = [
        name
        for name in HISTORY_COLUMNS
        if name not in COMPUTED and (history or name not in ("recorded_on", "sequence"))
    ]
    required = ("deal_id", "recorded_on") if history else ("deal_id", "opened_on")
    check_columns(mapping.columns, allowed, required=required)
    check_columns(mapping.constants, (*allowed, *mapping.attributes), required=(), block="constants")
    if mapping.outcome is None and "status" not in mapping.columns:
        raise ValueError("the mapping of deals needs outcome: with a column and what its values mean")


def check_side(side: dict[str, TableMapping]) -> None:
    """Check that side tables and their columns exist in the contract.

    Raises
    ------
    ValueError
        For an unknown table or column, with the nearest name.
    """
    for name, mapping in side.items():
        if name not in SIDE_TABLES:
            raise ValueError(f"there is no side table {name!r} ({nearest(name, SIDE_TABLES)})")
        require_place(mapping.file, mapping.folder, mapping.url, mapping.table)
        check_columns(mapping.constants, SIDE_TABLES[name], required=(), block=f"side: {name}: constants")
        required = tuple(column for column in SIDE_REQUIRED[name] if column not in mapping.constants)
        check_columns(mapping.columns, SIDE_TABLES[name], required=required, block=f"side: {name}: columns")
        if mapping.attributes or mapping.outcome:
            raise ValueError(f"the side table {name!r} takes columns: only, not attributes: or outcome:")


def check_attributes(attributes: dict[str, str]) -> dict[str, str]:
    """Check that attribute names are plain and free.

    Raises
    ------
    ValueError
        For a name that is not lower-case letters, digits and _, or that a contract column has.
    """
    for name in attributes:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise ValueError(f"the attribute name {name!r} must be lower-case letters, digits and _")
        if name in HISTORY_COLUMNS or name in DEALS_COLUMNS:
            raise ValueError(f"the attribute name {name!r} is taken by a contract column: map it under columns:")
    return attributes


def check_columns(
    given: dict[str, str], allowed: Iterable[str], *, required: tuple[str, ...], block: str = "columns"
) -> None:
    """Check that a block maps known names only, and the required ones.

    Raises
    ------
    ValueError
        For an unknown name (with the nearest one) or a missing one.
    """
    for name in given:
        if name not in allowed:
            raise ValueError(f"{block}: there is no {name!r} to map ({nearest(name, allowed)})")
    for name in required:
        if name not in given:
            raise ValueError(f"{block}: {name} must be mapped to a column of the file")


def require_place(file: str | None, folder: str | None, url: str | None, table: str | None) -> None:
    """Check that it is said where the rows are, in exactly one way.

    Raises
    ------
    ValueError
        Where it is not.
    """
    if bool(url) != bool(table):
        raise ValueError("a database table needs both url: and table:")
    if sum(map(bool, (file, folder, url))) != 1:
        raise ValueError("say where the rows are by exactly one of file:, folder:, or url: with table:")
