"""Engagements on deals become activities, if they happened."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analytics.records.sources.conform import MOMENT, Reader, Rows
from analytics.records.sources.hubspot.deals import DELETED, Deals
from analytics.records.sources.hubspot.fields import ENGAGEMENT_DEALS, ENGAGEMENT_KINDS, ENGAGEMENTS
from analytics.records.sources.hubspot.log import Log
from analytics.records.sources.hubspot.mapping import HubspotSource
from analytics.records.sources.objects import column_of, is_true, plain_name, read_object

TIMES = ("hs_timestamp", "hs_createdate", "hs_task_completion_date", "hs_meeting_end_time", "timestamp", "created_at")
UNHELD = ("canceled", "cancelled", "rescheduled")
"""Outcomes of a meeting that did not take place (to a no-show the seller came)."""

FROM_THE_BUYER = ("incomingemail", "inbound")
"""Directions of an e-mail and of a call that the buyer began."""


def activities(source: HubspotSource, reader: Reader, deals: Deals, log: Log) -> pd.DataFrame | None:
    """Read the side table `activities`: one row per engagement and deal that it is associated with.

    `occurred_on` is the day of the engagement (of a task: of its completion), `recorded_on` the day on which it was
    entered. The buyer's side are incoming e-mails and inbound calls; everything else is the seller's. Tasks count when
    completed, meetings unless cancelled, and nothing that is planned for after the export.
    """
    links = read_object(ENGAGEMENT_DEALS, source, reader)
    if links is None:
        return None
    links = deals.only(links)
    associated = set(links.frame["engagement_id"])
    kinds: dict[str, Rows] = {}
    seen: set[str] = set()
    for kind, spec in ENGAGEMENT_KINDS.items():
        rows = read_object(spec, source, reader)
        if rows is not None:
            seen |= set(rows.frame["engagement_id"])
            kinds[kind] = _of_kind(_happened(rows, kind, associated, deals))
    general = read_object(ENGAGEMENTS, source, reader)
    if general is not None:
        rows = _in_general(general, seen, associated, deals)
        seen |= set(general.frame["id"])
        kinds["general"] = rows
    links = links.without(~links.frame["engagement_id"].isin(seen), "its engagement is not in the export")
    end = _end(source, deals, log, list(kinds.values()))
    planned = "planned for after the export, so it has not happened"
    held = [rows.without(rows.frame["occurred_on"] > end, planned).frame for rows in kinds.values()]
    columns = ["deal_id", "occurred_on", "recorded_on", "side", "channel", "owner_id", "minutes", "outcome"]
    filled = [frame for frame in held if len(frame)]
    if not filled:
        return pd.DataFrame(columns=columns)
    found = pd.concat(filled, ignore_index=True).merge(links.frame[["engagement_id", "deal_id"]], on="engagement_id")
    return found.sort_values(["deal_id", "occurred_on", "engagement_id"], kind="stable", ignore_index=True)[columns]


def _happened(rows: Rows, kind: str, associated: set[str], deals: Deals) -> Rows:
    """Reject engagements that are deleted, of no deal, without a time, or that did not take place."""
    for flag in ("_fivetran_deleted", "archived"):
        rows = rows.without(is_true(column_of(rows.frame, flag)), DELETED)
    rows = rows.without(rows.frame["engagement_id"].duplicated(), "the same engagement is there twice")
    rows = rows.without(~rows.frame["engagement_id"].isin(associated), "it belongs to no deal of the export")
    rows = deals.clock.of_rows(rows, TIMES)
    if kind == "task":
        done = [str(word).lower() == "completed" for word in column_of(rows.frame, "hs_task_status")]
        rows = rows.without(~np.array(done, dtype=bool), "not completed, so it did not happen")
    if kind == "meeting":
        unheld = [str(word).lower() in UNHELD for word in column_of(rows.frame, "hs_meeting_outcome")]
        rows = rows.without(np.array(unheld, dtype=bool), "cancelled or moved, so it did not happen")
    at = _moment(rows.frame, "hs_task_completion_date").fillna(_moment(rows.frame, "hs_timestamp"))
    rows = Rows(rows.frame.assign(at=at, kind=kind), rows.raw, rows.ledger)
    return rows.without(at.isna(), "no time says when it happened")


def _of_kind(rows: Rows) -> Rows:
    frame = rows.frame
    length = (_moment(frame, "hs_meeting_end_time") - frame["at"]).dt.total_seconds() / 60
    spoken = column_of(frame, "hs_call_duration").astype("float64") / 60_000
    direction = column_of(frame, "hs_email_direction").fillna(column_of(frame, "hs_call_direction"))
    activity = pd.DataFrame(
        {
            "engagement_id": frame["engagement_id"],
            "occurred_on": frame["at"].dt.normalize(),
            "recorded_on": _moment(frame, "hs_createdate").dt.normalize(),
            "side": _sides(direction),
            "channel": frame["kind"].str.capitalize(),
            "owner_id": column_of(frame, "hubspot_owner_id"),
            "minutes": spoken.fillna(length.where(length >= 0)),
            "outcome": column_of(frame, "hs_call_disposition").fillna(column_of(frame, "hs_meeting_outcome")),
        }
    )
    return Rows(activity, rows.raw, rows.ledger)


def _in_general(rows: Rows, detailed: set[str], associated: set[str], deals: Deals) -> Rows:
    """Take engagements that only the general table has; those of a table of their own are read there."""
    own = rows.frame["id"].isin(detailed)
    alone = Rows(rows.frame[~own].rename(columns={"id": "engagement_id"}), rows.raw, rows.ledger)
    names = {"timestamp": "hs_timestamp", "created_at": "hs_createdate", "owner_id": "hubspot_owner_id"}
    alone = Rows(alone.frame.rename(columns=names), rows.raw, rows.ledger)
    words = column_of(alone.frame, "type").fillna("").astype(str)
    is_task = words.str.lower() == "task"
    alone = alone.without(is_task, "a task whose completion is not in the export")
    held = _happened(alone, "engagement", associated, deals)
    made = _of_kind(held)
    words = words.reindex(made.frame.index)
    channel = words.str.split("_").str[-1].str.capitalize()
    frame = made.frame.assign(channel=channel.where(channel != "", None), side=_sides(words))
    return Rows(frame, made.raw, made.ledger)


def _sides(directions: pd.Series) -> pd.Series:
    return pd.Series(
        ["buyer" if isinstance(word, str) and plain_name(word) in FROM_THE_BUYER else "seller" for word in directions],
        index=directions.index,
        dtype=object,
    )


def _moment(frame: pd.DataFrame, name: str) -> pd.Series:
    return column_of(frame, name).astype("datetime64[ns]")


def _end(source: HubspotSource, deals: Deals, log: Log, kinds: list[Rows]) -> pd.Timestamp:
    """The day of the export; where it is not stated, the last one on which anything was recorded."""
    if source.extracted_on is not None:
        return pd.Timestamp(source.extracted_on)
    days = [deals.frame["createdate"], log.frame[MOMENT], *(rows.frame["recorded_on"] for rows in kinds)]
    last: pd.Timestamp = max(day.astype("datetime64[ns]").max() for day in days if day.notna().any())
    return last.normalize()
