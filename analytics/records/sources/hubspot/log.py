"""The log of changes: property history, or the connector's stage changes, or the entry dates on the deals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.errors import InputError
from analytics.records.sources.conform import MOMENT, Reader, Rows
from analytics.records.sources.field_changes import unread_changes
from analytics.records.sources.hubspot.deals import Deals
from analytics.records.sources.hubspot.entries import stage_entries
from analytics.records.sources.hubspot.fields import PROPERTY_HISTORY, STAGE_CHANGES
from analytics.records.sources.hubspot.mapping import HubspotSource
from analytics.records.sources.hubspot.stages import Stage
from analytics.records.sources.noticing import without_any_row
from analytics.records.sources.numbers import believable_numbers
from analytics.records.sources.objects import column_of, plain_name, read_object

LOG = ("deal_id", MOMENT, "property", "value", "source")
NOTHING = pd.DataFrame({name: pd.Series(dtype="datetime64[ns]" if name == MOMENT else object) for name in LOG})
CREATION_SECONDS = 60
"""What was set within a minute of createdate was set at the creation."""

BULK = ("import", "workflow", "bulk", "batch", "automation", "migration", "merge", "integration", "sync")
"""Words in the source of a change that no person made deal by deal."""

BULK_ROWS = 10
"""So many changes of one property by such a source within one minute are one edit in bulk."""

NUMBERS = ("amount", "hs_deal_stage_probability")


@dataclass(frozen=True)
class Log:
    """Changes of the deals that are studied (columns `LOG`), and what was seen.

    `of_entries`: stages are known from the entry dates on the deals alone.
    """

    frame: pd.DataFrame
    noticed: tuple[Noticed, ...]
    of_entries: bool = False

    @property
    def has_stages(self) -> bool:
        """Whether any change of stage is recorded."""
        return bool((self.frame["property"] == "dealstage").any())


def read_log(source: HubspotSource, reader: Reader, deals: Deals) -> Log:
    """Read what the tables record of earlier states, from the best of those that are there.

    Raises
    ------
    InputError
        Where none of a table's deals is in the file of deals, or a property that the params name is nowhere.
    """
    rows = read_object(PROPERTY_HISTORY, source, reader)
    empty = without_any_row(rows, PROPERTY_HISTORY.name, len(deals.frame))
    log = NOTHING if rows is None else _property_changes(rows, source, deals)
    if not (log["property"] == "dealstage").any():
        changes = read_object(STAGE_CHANGES, source, reader)
        empty += without_any_row(changes, STAGE_CHANGES.name, len(deals.frame))
        log = log if changes is None else _stacked([log, _stage_changes(changes, source, deals)])
    _require(source, deals, set(log["property"]))
    return Log(log, (_in_bulk(log), *empty))


def with_entries(log: Log, source: HubspotSource, deals: Deals, listed: Sequence[Stage]) -> Log:
    """Where no change of stage is recorded, take the stages from the entry dates on the deals, if these are there."""
    if log.has_stages:
        return log
    entries, seen = stage_entries(source, deals, listed)
    if entries is None:
        return log
    return Log(_stacked([log.frame, entries[list(LOG)]]), (*log.noticed, *seen), of_entries=True)


def _stacked(parts: list[pd.DataFrame]) -> pd.DataFrame:
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else NOTHING


def _property_changes(rows: Rows, source: HubspotSource, deals: Deals) -> pd.DataFrame:
    rows = _known(rows, deals)
    wanted = {plain_name(field): field for field in source.properties.values()}
    names = {name: wanted.get(plain_name(name)) for name in rows.frame["name"].unique()}
    frame = rows.frame.assign(property=rows.frame["name"].map(names))
    rows.ledger.notice(unread_changes(int(frame["property"].isna().sum()), len(frame)))
    rows = Rows(frame[frame["property"].notna()], rows.raw, rows.ledger)
    rows = deals.clock.of_rows(rows, ("timestamp",))
    for name in NUMBERS:
        texts = rows.frame["value"].where(rows.frame["property"] == name)
        rows = rows.without(
            texts.notna() & believable_numbers(texts, source.read).isna(), f"value of {name} is no number"
        )
    texts = rows.frame["value"].where(rows.frame["property"] == "closedate")
    rows = rows.without(texts.notna() & deals.clock.moments(texts).isna(), "value of closedate is no time")
    rows = _without_sources(rows, source, deals, ("dealstage", "pipeline"))
    return _as_log(rows.frame)


def _stage_changes(rows: Rows, source: HubspotSource, deals: Deals) -> pd.DataFrame:
    rows = deals.clock.of_rows(_known(rows, deals), ("date_entered",))
    frame = rows.frame.assign(property="dealstage", timestamp=rows.frame["date_entered"])
    rows = _without_sources(Rows(frame, rows.raw, rows.ledger), source, deals, ("dealstage",))
    return _as_log(rows.frame)


def _as_log(frame: pd.DataFrame) -> pd.DataFrame:
    named = frame.rename(columns={"timestamp": MOMENT}).assign(source=column_of(frame, "source"))
    return named[list(LOG)]


def _known(rows: Rows, deals: Deals) -> Rows:
    ids = rows.frame["deal_id"]
    if len(ids) and not (ids.isin(deals.everything["hs_object_id"]) | ids.isin(deals.merged)).any():
        raise InputError(
            "none of its deals is in the file of deals",
            file=rows.raw.name,
            column="deal_id",
            value=ids.iloc[0],
            action=f"Export both with ids of one form; the deals have {str(deals.everything['hs_object_id'].iloc[0])!r}"
            if len(deals.everything)
            else "Export the deals, too",
        )
    return deals.only(rows)


def _without_sources(rows: Rows, source: HubspotSource, deals: Deals, properties: tuple[str, ...]) -> Rows:
    """Leave out changes by the sources that the params ignore, but for what they set at the creation."""
    ignored = {plain_name(name) for name in source.ignore_sources}
    if not ignored:
        return rows
    words = column_of(rows.frame, "source")
    is_ignored = words.isin([word for word in words.dropna().unique() if plain_name(word) in ignored])
    created = rows.frame["deal_id"].map(deals.frame.set_index("hs_object_id")["createdate"])
    later = (rows.frame["timestamp"] - created).dt.total_seconds() > CREATION_SECONDS
    left_out = is_ignored & later & rows.frame["property"].isin(properties)
    return rows.without(left_out, "its source is one of ignore_sources")


def _in_bulk(log: pd.DataFrame) -> Noticed:
    words = log["source"]
    kinds = [word for word in words.dropna().unique() if any(bulk in plain_name(word) for bulk in BULK)]
    by_machine = log[words.isin(kinds)]
    minutes = by_machine[MOMENT].astype("datetime64[ns]").dt.floor("min")
    sizes = by_machine.groupby([by_machine["property"], minutes], sort=False)["deal_id"].transform("size")
    rule = "kept; ignore_sources leaves such changes of stage out"
    return Noticed(9, "change made in bulk", int((sizes >= BULK_ROWS).sum()), len(log), "rows", rule)


def _require(source: HubspotSource, deals: Deals, recorded: set[str]) -> None:
    for name, field in source.demanded.items():
        if field not in deals.frame and field not in recorded:
            deals.rows.raw.require({name: field}, block="attributes" if name in source.tracked_attributes else "source")
