"""The `source:` block of a company's params, checked: one model per kind of source."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from analytics.records.sources.dynamics.mapping import DynamicsSource
from analytics.records.sources.hubspot.mapping import HubspotSource
from analytics.records.sources.pipedrive.mapping import PipedriveSource
from analytics.records.sources.salesforce.mapping import SalesforceSource
from analytics.records.sources.table_mapping import (
    CLOSED,
    Lookup,
    OutcomeColumn,
    Reading,
    Splits,
    TableMapping,
    ValueMap,
    check_attributes,
    check_columns,
    check_side,
    key_on,
    require_deal_columns,
    require_place,
    text_keys,
)

__all__ = [
    "DynamicsSource",
    "EventsSource",
    "Extract",
    "FlatSource",
    "HubspotSource",
    "PipedriveSource",
    "SalesforceSource",
    "SimulatedSource",
    "SnapshotsSource",
    "SourceConfig",
    "TableMapping",
]


class FlatSource(TableMapping):
    """Deals in plain tables: their current state, a history file with one row per recorded state, or both.

    `history` is the mapping of a file with one row per deal and recorded state (it maps `recorded_on`); `side` maps
    side tables by their contract name. Without `history` only today's state is known (`kind="current_only"`).
    `extracted_on` is the day the files were taken, where it is known; `splits` says that the file lists a deal once per
    split.
    """

    kind: Literal["flat"]
    history: TableMapping | None = None
    splits: Splits | None = None
    side: dict[str, TableMapping] = Field(default_factory=dict)
    extracted_on: dt.date | None = None

    @model_validator(mode="after")
    def _complete(self) -> FlatSource:
        if self.has_place:
            require_place(self.file, self.folder, self.url, self.table)
            require_deal_columns(self, history=False)
        elif self.history is None:
            raise ValueError("a flat source needs file:, folder: or url: with table:, or history: with one of them")
        if self.history is not None:
            require_deal_columns(self.history, history=True)
        check_side(self.side)
        return self


class Extract(BaseModel):
    """One dated full extract of a `snapshots` source."""

    model_config = CLOSED
    file: str
    on: dt.date

    @model_validator(mode="before")
    @classmethod
    def _yaml_on(cls, value: object) -> object:
        return key_on(value)


class SnapshotsSource(BaseModel):
    r"""Dated full extracts of the same table, whose differences are the history.

    Either `files` (each with its date `on`), or a `folder` and a `pattern`: a regular expression on the file name with
    one group `(?P<on>\d{4}-\d{2}-\d{2})` that is the extract's date.
    """

    model_config = CLOSED
    kind: Literal["snapshots"]
    files: tuple[Extract, ...] = ()
    folder: str | None = None
    pattern: str | None = None
    read: Reading = Reading()
    columns: dict[str, str]
    attributes: dict[str, str] = Field(default_factory=dict)
    dates: str | dict[str, str] = "iso"
    outcome: OutcomeColumn
    values: dict[str, ValueMap] = Field(default_factory=dict)
    constants: dict[str, str] = Field(default_factory=dict)
    lookups: tuple[Lookup, ...] = ()
    splits: Splits | None = None
    side: dict[str, TableMapping] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _complete(self) -> SnapshotsSource:
        if bool(self.files) == bool(self.folder and self.pattern):
            raise ValueError(
                "a snapshots source needs either files: (each with file: and on:) or folder: with pattern:"
            )
        if self.pattern and "on" not in re.compile(self.pattern).groupindex:
            raise ValueError(f"the pattern {self.pattern!r} has no group (?P<on>…) for the extract's date")
        require_deal_columns(self.extract_mapping(None), history=False)
        check_side(self.side)
        return self

    def extract_mapping(self, file: str | None) -> TableMapping:
        """The mapping of one extract as a table of its own."""
        names = ("read", "columns", "attributes", "dates", "outcome", "values", "constants", "lookups")
        return TableMapping(file=file, **{name: getattr(self, name) for name in names})


class EventsSource(BaseModel):
    """An event log: one row per case, activity and moment.

    `columns` maps `case`, `activity`, `timestamp` and optionally `resource` (-> owner), and any of `account_id`,
    `pipeline`, `amount`, `currency`, `source`, whose value is that of the case's first row, like the attributes', and
    `probability` and `forecast_category`, which are each event's own.
    `opened_at` is the activity that opens a deal; `outcome` says which activities close it and how; an activity after
    the closing one re-opens the deal only if it is listed in `reopened_at`.
    """

    model_config = CLOSED
    kind: Literal["events"]
    file: str | None = None
    folder: str | None = None
    pattern: str = "*"
    url: str | None = None
    table: str | None = None
    read: Reading = Reading()
    columns: dict[str, str]
    attributes: dict[str, str] = Field(default_factory=dict)
    dates: str | dict[str, str] = "iso"
    opened_at: str
    outcome: Annotated[dict[str, Literal["won", "lost", "unknown"]], BeforeValidator(text_keys)] = Field(min_length=1)
    reopened_at: tuple[str, ...] = ()
    values: dict[str, ValueMap] = Field(default_factory=dict)
    constants: dict[str, str] = Field(default_factory=dict)
    lookups: tuple[Lookup, ...] = ()
    side: dict[str, TableMapping] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _complete(self) -> EventsSource:
        require_place(self.file, self.folder, self.url, self.table)
        check_attributes(self.attributes)
        allowed = (
            "case",
            "activity",
            "timestamp",
            "resource",
            "account_id",
            "pipeline",
            "amount",
            "currency",
            "source",
            "probability",
            "forecast_category",
        )
        check_columns(self.columns, allowed, required=("case", "activity", "timestamp"))
        check_side(self.side)
        return self


class SimulatedSource(BaseModel):
    """A simulated company: the seed, and what differs from the simulator's defaults."""

    model_config = CLOSED
    kind: Literal["simulated"]
    seed: int
    settings: dict[str, Any] = Field(default_factory=dict)


SourceConfig = Annotated[
    FlatSource
    | SnapshotsSource
    | EventsSource
    | SalesforceSource
    | HubspotSource
    | DynamicsSource
    | PipedriveSource
    | SimulatedSource,
    Field(discriminator="kind"),
]
