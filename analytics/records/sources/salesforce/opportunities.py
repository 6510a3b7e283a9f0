"""The opportunities as they stand today: each once, without those that the CRM deleted or merged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.errors import InputError
from analytics.records.sources.conform import Reader, Rows
from analytics.records.sources.objects import (
    column_of,
    fields_found,
    is_false,
    is_true,
    missing_object,
    raw_object,
    typed_object,
)
from analytics.records.sources.raw import FILE, LINE, RawTable
from analytics.records.sources.salesforce.fields import OPPORTUNITY, OPPORTUNITY_HISTORY, OPPORTUNITY_VERSIONS
from analytics.records.sources.salesforce.mapping import SalesforceSource

DELETED = "deleted in the CRM"
MERGED = "merged into another opportunity in the CRM"
TWICE = "the same opportunity again, with the same values in every field that is read"


@dataclass(frozen=True)
class Opportunities:
    """The opportunities of an export.

    Attributes
    ----------
    frame : pandas.DataFrame
        One row per opportunity that is studied, as it stands today, by API names.
    everything : pandas.DataFrame
        The rows as they were read, deleted ones included: what they say of stages counts.
    gone : set of str
        Ids of those that the CRM deleted or merged.
    history : Rows or None
        OpportunityHistory, one row per change.
    versions : Rows or None
        A connector's table with one row per version of an opportunity.
    noticed : tuple of Noticed
        Deleted, merged and repeated ones.
    """

    frame: pd.DataFrame
    everything: pd.DataFrame
    gone: set[str]
    history: Rows | None
    versions: Rows | None
    noticed: tuple[Noticed, ...]


def read_opportunities(source: SalesforceSource, reader: Reader) -> Opportunities:
    """Read Opportunity and what there is of OpportunityHistory.

    A connector's table of versions may be there beside Opportunity, under the name of its history, or in its place:
    the newest version of each opportunity is then how it stands today. A flattened report that repeats an opportunity
    for each of its splits or products counts once: rows that agree in every field that is read are one.

    Raises
    ------
    InputError
        Where there is neither, and for an id that is there twice with different values.
    """
    raw, raw_history = raw_object(OPPORTUNITY, source, reader), raw_object(OPPORTUNITY_HISTORY, source, reader)
    versions = history = None
    if raw_history is not None and _is_of_versions(raw_history, source):
        versions = _typed(raw_history, source, reader, of_versions=True)
    elif raw_history is not None:
        history = typed_object(raw_history, OPPORTUNITY_HISTORY, source, reader)
    if raw is None and versions is None:
        raise missing_object(OPPORTUNITY, source, reader.base)
    today = None if raw is None else _typed(raw, source, reader, of_versions=False)
    if today is not None and "VersionStart" in today.frame:
        versions = versions or today
    if today is None or "VersionStart" in today.frame:
        rows = today or versions
        assert rows is not None
        return _studied(Rows(newest_versions(rows.frame), rows.raw, rows.ledger), history, versions, by_version=True)
    return _studied(today, history, versions, by_version=False)


def opportunity_fields(source: SalesforceSource) -> dict[str, str]:
    """Contract column or attribute -> Opportunity field, for everything that is not part of a history row."""
    named = {"reason": source.reason, "pipeline": source.pipeline, "source": source.source, "currency": source.currency}
    standard = {"account_id": "AccountId", "owner_id": "OwnerId"}
    return standard | {name: field for name, field in named.items() if field} | source.tracked_attributes


def newest_versions(versions: pd.DataFrame) -> pd.DataFrame:
    """Return the newest version of each opportunity; a time that is there twice is decided by the later row."""
    ordered = versions.sort_values(["Id", "VersionStart"], kind="stable")
    return ordered.drop_duplicates("Id", keep="last").sort_index()


def is_gone(frame: pd.DataFrame, *, by_version: bool = False) -> pd.Series:
    """Which rows the CRM, or the connector, says are deleted; of a newest version, also one that has ended."""
    gone = pd.Series(False, index=frame.index)
    for name in ("IsDeleted", "ConnectorDeleted"):
        if name in frame:
            gone |= is_true(frame[name])
    if by_version and "VersionActive" in frame:
        gone |= is_false(frame["VersionActive"])
    return gone


def _is_of_versions(raw: RawTable, source: SalesforceSource) -> bool:
    of_changes = "OpportunityId" in fields_found(raw, OPPORTUNITY_HISTORY, source)
    return not of_changes and "VersionStart" in fields_found(raw, OPPORTUNITY_VERSIONS, source)


def _typed(raw: RawTable, source: SalesforceSource, reader: Reader, *, of_versions: bool) -> Rows:
    fields = opportunity_fields(source)
    custom = dict.fromkeys(field for field in fields.values() if field not in OPPORTUNITY.fields)
    for field, name in (("LeadSource", "source"), ("CurrencyIsoCode", "currency")):
        if field in custom and name not in source.model_fields_set:
            del custom[field]  # a default field that this export may lack
    defaults = [field for field in ("LeadSource", "CurrencyIsoCode") if field in fields.values()]
    if of_versions:  # today's row stands for what the versions lack
        rows = typed_object(raw, OPPORTUNITY_VERSIONS, source, reader, optional=[*custom, *defaults])
    else:
        rows = typed_object(raw, OPPORTUNITY, source, reader, dict.fromkeys(custom, "string"), optional=defaults)
    frame = rows.frame
    if "ForecastCategoryName" in frame:
        category = frame["ForecastCategoryName"].fillna(column_of(frame, "ForecastCategory"))
        frame = frame.assign(ForecastCategory=category)
    return Rows(frame, rows.raw, rows.ledger)


def _studied(rows: Rows, history: Rows | None, versions: Rows | None, *, by_version: bool) -> Opportunities:
    everything = rows.frame
    gone = is_gone(everything, by_version=by_version)
    merged = gone & (everything["MasterRecordId"].notna() if "MasterRecordId" in everything else False)
    kept = rows.without(merged, MERGED).without((gone & ~merged)[~merged], DELETED)
    again = kept.frame.duplicated([name for name in kept.frame.columns if name not in (FILE, LINE)])
    kept = kept.without(again, TWICE)
    kept.require_unique("Id", "Id")
    n = int(everything["Id"].nunique())
    counted = ((DELETED, gone & ~merged), (MERGED, merged))
    noticed = [
        Noticed(16, what, int(everything.loc[mask, "Id"].nunique()), n, "deals", "left out, with their history")
        for what, mask in counted
    ]
    twice = Noticed(16, TWICE, int(again.sum()), len(everything), "rows", "the first one counts")
    ids = set(everything.loc[np.asarray(gone), "Id"]) - set(kept.frame["Id"])
    if versions is not None and versions.raw is rows.raw:  # a row is rejected once
        versions = Rows(versions.frame.drop(index=everything.index.difference(kept.frame.index)), rows.raw, rows.ledger)
    return Opportunities(kept.frame, everything, ids, history, versions, (*noticed, twice))


def of_deals(rows: Rows, column: str, deals: Opportunities) -> tuple[Rows, int]:
    """Reject history of opportunities that are deleted or not in the export; returns how many were of unknown ones.

    Raises
    ------
    InputError
        Where none of its opportunities is in the export.
    """
    ids, kept = rows.frame[column], set(deals.frame["Id"])
    if len(ids) and not (ids.isin(kept) | ids.isin(deals.gone)).any():
        example = str(deals.everything["Id"].iloc[0]) if len(deals.everything) else ""
        raise InputError(
            "none of its opportunities is in the Opportunity file",
            file=rows.raw.name,
            column=column,
            value=ids.iloc[0],
            action=f"Export both with ids of one form; Opportunity has {example!r}",
        )
    rows = rows.without(ids.isin(deals.gone), f"its opportunity is {DELETED}")
    unknown = ~rows.frame[column].isin(kept)
    return rows.without(unknown, "its opportunity is not in the export"), int(unknown.sum())
