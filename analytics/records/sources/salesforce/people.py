"""Users become owners; completed tasks on opportunities become activities."""

from __future__ import annotations

import pandas as pd

from analytics.records.contract import SIDE_TABLES
from analytics.records.sources.conform import Reader, Rows
from analytics.records.sources.objects import column_of, is_true, read_object
from analytics.records.sources.salesforce.fields import TASK, USER
from analytics.records.sources.salesforce.mapping import SalesforceSource


def owners(source: SalesforceSource, reader: Reader) -> pd.DataFrame | None:
    """Read User as the side table `owners` (today's people and managers: Salesforce keeps no history of them)."""
    custom = {field: SIDE_TABLES["owners"][column] for column, field in source.side_columns("owners").items()}
    rows = read_object(USER, source, reader, custom)
    if rows is None:
        return None
    rows.require_unique("Id", "Id")
    users = rows.frame
    frame = pd.DataFrame({"owner_id": users["Id"], "name": users["Name"]})
    if "ManagerId" in users:
        names = users.set_index("Id")["Name"]
        frame["manager"] = users["ManagerId"].map(names).fillna(users["ManagerId"])
    for column, field in source.side_columns("owners").items():
        frame[column] = users[field]
    return frame


def activities(source: SalesforceSource, reader: Reader, deals: Rows, deleted: set[str]) -> pd.DataFrame | None:
    """Read Task as the side table `activities`.

    Only completed tasks happened. `occurred_on` is the day of completion; a task without one (closed before Salesforce
    kept it) has its due date, which may differ. `recorded_on` is the day on which the task was created.
    """
    custom = {field: SIDE_TABLES["activities"][column] for column, field in source.side_columns("activities").items()}
    rows = read_object(TASK, source, reader, custom)
    if rows is None:
        return None
    if "IsDeleted" in rows.frame:
        rows = rows.without(is_true(rows.frame["IsDeleted"]), "deleted in the CRM")
    known = set(deals.frame["Id"])
    rows = rows.without(rows.frame["WhatId"].isin(deleted), "its opportunity is deleted in the CRM")
    rows = rows.without(~rows.frame["WhatId"].isin(known), "it belongs to no opportunity of the export")
    done = column_of(rows.frame, "Status").str.lower() == "completed"
    if "IsClosed" in rows.frame:
        done |= is_true(rows.frame["IsClosed"])
    rows = rows.without(~done.fillna(False).astype(bool), "not completed, so it did not happen")
    tasks = rows.frame
    occurred = column_of(tasks, "CompletedDateTime").astype("datetime64[ns]").dt.normalize()
    occurred = occurred.fillna(column_of(tasks, "ActivityDate").astype("datetime64[ns]"))
    rows = rows.without(occurred.isna(), "neither CompletedDateTime nor ActivityDate")
    tasks = rows.frame
    frame = pd.DataFrame(
        {
            "deal_id": tasks["WhatId"],
            "occurred_on": occurred.reindex(tasks.index),
            "recorded_on": tasks["CreatedDate"].dt.normalize(),
            "channel": column_of(tasks, "Type").fillna(column_of(tasks, "TaskSubtype")),
            "owner_id": column_of(tasks, "OwnerId"),
            "minutes": column_of(tasks, "CallDurationInSeconds").astype("float64") / 60,
        }
    )
    for column, field in source.side_columns("activities").items():
        frame[column] = tasks[field].str.lower() if column == "side" else tasks[field]
    return frame
