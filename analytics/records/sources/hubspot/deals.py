"""Deals as they stand: without those that are deleted or were merged into another, each with one company."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.sources.conform import Reader, Rows
from analytics.records.sources.hubspot.fields import COMPANIES, DEALS, MERGES, deal_object
from analytics.records.sources.hubspot.mapping import HubspotSource
from analytics.records.sources.hubspot.times import Clock
from analytics.records.sources.objects import column_of, is_true, missing_object, read_object
from analytics.records.sources.values import zone_named

DELETED = "deleted in the CRM"
PRIMARY_TYPE = "5"
"""HubSpot's own association type from a deal to its primary company."""


@dataclass(frozen=True)
class Deals:
    """The deals that are studied, and what became of the others.

    `frame` is indexed like the rows read: `hs_object_id`, the properties of today, `createdate` and `closedate` as
    times, `company`. `everything` has the rejected ones, too.
    """

    rows: Rows
    everything: pd.DataFrame
    deleted: set[str]
    merged: set[str]
    clock: Clock
    noticed: tuple[Noticed, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """One row per deal that is studied."""
        return self.rows.frame

    def only(self, rows: Rows) -> Rows:
        """Reject rows (`deal_id`) of deals that are deleted, merged into another or not in the export."""
        ids = rows.frame["deal_id"]
        gone, merged = ids.isin(self.deleted), ids.isin(self.merged)
        unknown = ~(ids.isin(self.frame["hs_object_id"]) | gone | merged)
        rows = rows.without(gone, f"its deal is {DELETED}")
        rows = rows.without((merged & ~gone)[~gone], "its deal was merged into another")
        return rows.without(unknown[rows.frame.index], "its deal is not in the export")


def read_deals(source: HubspotSource, reader: Reader) -> Deals:
    """Read the deals.

    Raises
    ------
    InputError
        Where there are none, a property that cannot be done without is missing, or an id is there twice.
    """
    spec = deal_object(source.properties.values())
    rows = read_object(spec, source, reader, optional=list(source.properties.values()))
    if rows is None:
        raise missing_object(DEALS, source, reader.base)
    portal = any(" " in header for header in rows.raw.columns)
    in_utc = not portal if source.times_without_zone is None else source.times_without_zone == "utc"
    clock = Clock(source.date_format("closedate"), zone_named(reader.timezone), in_utc)
    utc = clock.in_zone_utc().moments(column_of(rows.frame, "closedate"))
    rows = clock.of_rows(Rows(rows.frame.assign(closed_utc=utc), rows.raw, rows.ledger), ("createdate", "closedate"))
    rows.require_unique("hs_object_id", "hs_object_id")
    everything = rows.frame
    gone = pd.Series(False, index=everything.index)
    for name in ("is_deleted", "_fivetran_deleted", "archived"):
        gone |= is_true(column_of(everything, name))
    deleted = set(everything.loc[gone, "hs_object_id"])
    survivors = _survivors(source, reader, everything)
    rows = rows.without(gone, DELETED)
    into = rows.frame["hs_object_id"].map(survivors).astype(object)
    absorbed = into.notna().to_numpy()
    for position, survivor in zip(rows.frame.index[absorbed].astype(int), into[absorbed], strict=True):
        rows.ledger.reject(*rows.raw.place(position), f"merged into {survivor}", rows.raw.originals(position))
    rows = Rows(rows.frame[~absorbed], rows.raw, rows.ledger)
    kept = Deals(rows, everything, deleted, set(survivors), clock, ())
    company, seen = _companies(source, reader, kept)
    rows = Rows(rows.frame.assign(company=company), rows.raw, rows.ledger)
    of_merges = _of_merges(survivors, everything, rows.frame)
    rule = "left out, with its history"
    of_deletions = Noticed(16, f"deal {DELETED}", int(gone.sum()), len(everything), "deals", rule)
    return Deals(rows, everything, deleted, set(survivors), clock, (of_deletions, *of_merges, *seen))


def _survivors(source: HubspotSource, reader: Reader, deals: pd.DataFrame) -> dict[str, str]:
    """Absorbed deal -> the deal that it was merged into."""
    listed = read_object(MERGES, source, reader)
    pairs = [] if listed is None else list(zip(listed.frame["merged_deal_id"], listed.frame["deal_id"], strict=True))
    of_deals = deals.loc[column_of(deals, "hs_merged_object_ids").notna()]
    for ids, survivor in zip(column_of(of_deals, "hs_merged_object_ids"), of_deals["hs_object_id"], strict=True):
        pairs += [(absorbed.strip(), survivor) for absorbed in ids.split(";") if absorbed.strip()]
    return {absorbed: survivor for absorbed, survivor in sorted(pairs) if absorbed != survivor}


def _of_merges(survivors: dict[str, str], everything: pd.DataFrame, kept: pd.DataFrame) -> tuple[Noticed, ...]:
    ghosts = int(everything["hs_object_id"].isin(survivors).sum())
    others = int(kept["hs_object_id"].isin(survivors.values()).sum())
    what = "deal that others were merged into: its history before that may be another deal's"
    return (
        Noticed(16, "deal merged into another", ghosts, len(everything), "deals", "left out, with its history"),
        Noticed(16, what, others, len(kept), "deals", "kept with the history that it has"),
    )


def _companies(source: HubspotSource, reader: Reader, deals: Deals) -> tuple[pd.Series, tuple[Noticed, ...]]:
    """One company per deal: the primary one, else the first by id."""
    ids = deals.frame["hs_object_id"]
    rows = read_object(COMPANIES, source, reader)
    if rows is not None:
        links = deals.only(rows).frame
        words = column_of(links, "type_id").fillna("").astype(str) + " " + column_of(links, "label").fillna("")
        first = [word.strip() == PRIMARY_TYPE or word.startswith(f"{PRIMARY_TYPE} ") or "primary" in word.lower()
                 for word in words]  # fmt: skip
        links = links.assign(rank=[0 if is_first else 1 for is_first in first], size=links["company_id"].str.len())
        links = links.sort_values(["deal_id", "rank", "size", "company_id"], kind="stable")
        several = links.groupby("deal_id")["company_id"].nunique()
        company = ids.map(links.drop_duplicates("deal_id").set_index("deal_id")["company_id"])
        company = company.where(company.notna(), column_of(deals.frame, "associatedcompanyid"))
        more = ids.map(several).fillna(0) > 1
    else:
        written = [str(text or "").split(";") for text in column_of(deals.frame, "associatedcompanyid")]
        company = pd.Series([names[0].strip() or None for names in written], index=ids.index, dtype=object)
        more = pd.Series([len(names) > 1 for names in written], index=ids.index, dtype=bool)
    company = company.astype(object).where(company.notna(), None)
    without, of = int(company.isna().sum()), len(ids)
    return company, (
        Noticed(19, "deal with several companies", int(more.sum()), of, "deals",
                "counted once, under the primary company or the first by id"),
        Noticed(19, "deal without a company", without, of, "deals", "kept, its account is empty"),
    )  # fmt: skip
