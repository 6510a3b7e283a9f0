"""Completed tasks and meetings that took place become activities."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pandas as pd

from analytics.records.contract import SIDE_TABLES, Noticed
from analytics.records.sources.conform import Reader, Rows
from analytics.records.sources.objects import CrmObject, column_of, is_true, read_object
from analytics.records.sources.salesforce.fields import EVENT, TASK
from analytics.records.sources.salesforce.ids import as_known
from analytics.records.sources.salesforce.mapping import SalesforceSource
from analytics.records.sources.salesforce.opportunities import DELETED, Opportunities
from analytics.records.sources.salesforce.people import current

WHEN = "__when__"

PLANNED = "planned for a day after the export, so it did not happen yet"
COPY = "an invitee's copy of a meeting that is there"


def activities(
    source: SalesforceSource, reader: Reader, deals: Opportunities, last: pd.Timestamp
) -> tuple[pd.DataFrame | None, list[Noticed]]:
    """Read Task and Event as the side table `activities`.

    Parameters
    ----------
    source : SalesforceSource
        The mapping.
    reader : Reader
        Folder, zone and ledger.
    deals : Opportunities
        The opportunities that are studied.
    last : pandas.Timestamp
        The last moment of the opportunities' records; `extracted_on` goes before it.

    Returns
    -------
    (pandas.DataFrame or None, list of Noticed)
        Only completed tasks happened: `occurred_on` is the day of completion; a task without one (closed before
        Salesforce kept it) has its due date, which may differ. A meeting happened on the day it began, if that is not
        after the export; an invitee's copy is not another one. `recorded_on` is the day on which the row was created.
        None where neither object is exported.
    """
    tasks, events = _on_deals(TASK, source, reader, deals), _on_deals(EVENT, source, reader, deals)
    read = [rows for rows in (tasks, events) if rows is not None]
    if not read:
        return None, _noticed(0, 0, 0)
    n = sum(len(rows.frame) for rows in read)
    created = max([last, *(rows.frame["CreatedDate"].max() for rows in read if len(rows.frame))])
    until = _after(source.extracted_on or created)
    made, absent, copies = [], 0, 0
    if tasks is not None:
        kept = _happened(_completed(tasks), "neither CompletedDateTime nor ActivityDate", until)
        absent += len(tasks.frame) - len(kept.frame)
        made.append(_as_contract(kept.frame, source, ("Type", "TaskSubtype"), _task_minutes(kept.frame)))
    if events is not None:
        held = _happened(_begun(events), "neither StartDateTime nor ActivityDateTime nor ActivityDate", until)
        absent += len(events.frame) - len(held.frame)
        kept = held.without(_copies(held.frame), COPY)
        copies = len(held.frame) - len(kept.frame)
        made.append(_as_contract(kept.frame, source, ("Type", "EventSubtype"), _event_minutes(kept.frame)))
    return pd.concat(made, ignore_index=True), _noticed(absent, copies, n)


def _on_deals(spec: CrmObject, source: SalesforceSource, reader: Reader, deals: Opportunities) -> Rows | None:
    """The rows of an object that belong to the opportunities, without deleted ones and masters of recurring ones."""
    custom = {field: SIDE_TABLES["activities"][column] for column, field in source.side_columns("activities").items()}
    if spec is TASK:
        rows = read_object(spec, source, reader, custom)
    else:  # fields of one's own are shared by both objects, but need not be exported of both
        rows = read_object(dataclasses.replace(spec, fields={**spec.fields, **custom}), source, reader)
    if rows is None:
        return None
    rows = current(rows)
    rows = rows.without(is_true(column_of(rows.frame, "IsDeleted")), DELETED)
    what = as_known(rows.frame["WhatId"], deals.everything["Id"])
    rows = Rows(rows.frame.assign(WhatId=what), rows.raw, rows.ledger)
    rows = rows.without(rows.frame["WhatId"].isin(deals.gone), f"its opportunity is {DELETED}")
    rows = rows.without(
        ~rows.frame["WhatId"].isin(set(deals.frame["Id"])), "it belongs to no opportunity of the export"
    )
    master = is_true(column_of(rows.frame, "IsRecurrence"))
    return rows.without(master, "the pattern of a recurring activity, not one that took place")


def _completed(rows: Rows) -> Rows:
    done = (column_of(rows.frame, "Status").str.lower() == "completed").fillna(False).astype(bool)
    done |= is_true(column_of(rows.frame, "IsClosed"))
    rows = rows.without(~done, "not completed, so it did not happen")
    when = column_of(rows.frame, "CompletedDateTime").astype("datetime64[ns]")
    return _dated(rows, when.fillna(column_of(rows.frame, "ActivityDate").astype("datetime64[ns]")))


def _begun(rows: Rows) -> Rows:
    """Date meetings by their beginning; one that takes all day has a date that no time zone moves."""
    names = ("StartDateTime", "ActivityDateTime", "ActivityDate")
    start, moment, day = (column_of(rows.frame, name).astype("datetime64[ns]") for name in names)
    all_day = is_true(column_of(rows.frame, "IsAllDayEvent")) & day.notna()
    return _dated(rows, day.where(all_day, start.fillna(moment).fillna(day)))


def _dated(rows: Rows, when: pd.Series) -> Rows:
    return Rows(rows.frame.assign(**{WHEN: when}), rows.raw, rows.ledger)


def _happened(rows: Rows, undated: str, until: pd.Timestamp) -> Rows:
    rows = rows.without(rows.frame[WHEN].isna(), undated)
    return rows.without(rows.frame[WHEN] >= until, PLANNED)


def _after(day: dt.date) -> pd.Timestamp:
    return pd.Timestamp(day).normalize() + pd.Timedelta(days=1)


def _copies(events: pd.DataFrame) -> pd.Series:
    """Which events are copies for an invitee; where the organiser's own is not exported, the first copy stands."""
    child = is_true(column_of(events, "IsChild"))
    ordered = events.assign(child=child).sort_values([*(["Id"] if "Id" in events else []), "child"], kind="stable")
    ordered = ordered.sort_values("child", kind="stable")
    return child & ordered.duplicated(["WhatId", WHEN]).reindex(events.index)


def _task_minutes(tasks: pd.DataFrame) -> pd.Series:
    return column_of(tasks, "CallDurationInSeconds").astype("float64") / 60


def _event_minutes(events: pd.DataFrame) -> pd.Series:
    start, end = (column_of(events, name).astype("datetime64[ns]") for name in ("StartDateTime", "EndDateTime"))
    return column_of(events, "DurationInMinutes").astype("float64").fillna((end - start).dt.total_seconds() / 60)


def _as_contract(
    rows: pd.DataFrame, source: SalesforceSource, channel: tuple[str, str], minutes: pd.Series
) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "deal_id": rows["WhatId"],
            "occurred_on": rows[WHEN].dt.normalize(),
            "recorded_on": rows["CreatedDate"].dt.normalize(),
            "channel": column_of(rows, channel[0]).fillna(column_of(rows, channel[1])),
            "owner_id": column_of(rows, "OwnerId"),
            "minutes": minutes,
        }
    )
    for column, field in source.side_columns("activities").items():
        values = column_of(rows, field)
        frame[column] = values.astype(object).str.lower() if column == "side" else values
    return frame


def _noticed(absent: int, copies: int, of: int) -> list[Noticed]:
    return [
        Noticed(20, "activity that did not happen (not completed, or planned)", absent, of, "rows", "left out"),
        Noticed(16, COPY, copies, of, "rows", "left out: a meeting counts once"),
    ]
