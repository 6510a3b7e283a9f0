"""Users become owners; activities that are done become activities."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from analytics.records.contract import SIDE_TABLES
from analytics.records.sources.conform import Reader
from analytics.records.sources.objects import column_of, is_true, read_object
from analytics.records.sources.pipedrive.fields import ACTIVITIES, USERS
from analytics.records.sources.pipedrive.flow import id_of
from analytics.records.sources.pipedrive.mapping import PipedriveSource
from analytics.records.sources.pipedrive.times import local_times


def owners(source: PipedriveSource, reader: Reader) -> pd.DataFrame | None:
    """Read users as the side table `owners` (today's people: Pipedrive keeps no history and no managers of them)."""
    custom = {field: SIDE_TABLES["owners"][column] for column, field in source.owner_columns.items()}
    rows = read_object(USERS, source, reader, custom)
    if rows is None:
        return None
    rows.require_unique("id", "id")
    frame = pd.DataFrame({"owner_id": rows.frame["id"], "name": rows.frame["name"]})
    return frame.assign(**{column: rows.frame[field] for column, field in source.owner_columns.items()})


def activities(source: PipedriveSource, reader: Reader, kept: set[str], deleted: set[str]) -> pd.DataFrame | None:
    """Read activities as the side table `activities`.

    Only what is marked as done happened: on its due date, or on the day on which it was marked where that comes first.
    It became known when it was marked; without that time, when it was added. Pipedrive does not say whose side acted.
    """
    wanted = {field: SIDE_TABLES["activities"][column] for column, field in source.activity_columns.items()}
    rows = read_object(ACTIVITIES, source, reader, {k: v for k, v in wanted.items() if k not in ACTIVITIES.fields})
    if rows is None:
        return None
    gone = is_true(column_of(rows.frame, "is_deleted"))
    gone |= column_of(rows.frame, "active_flag").map(lambda flag: flag is False).astype(bool)
    rows = rows.without(gone, "deleted in the CRM")
    about = rows.frame["deal_id"].map(id_of)
    rows = rows.without(about.isin(deleted), "its deal is deleted in the CRM")
    about = rows.frame["deal_id"].map(id_of)
    rows = rows.without(~about.isin(kept), "it belongs to no deal of the export")
    rows = rows.without(~is_true(rows.frame["done"]), "not done, so it did not happen")
    rows = local_times(rows, ["marked_as_done_time", "add_time"], source, reader.timezone)
    marked = column_of(rows.frame, "marked_as_done_time").astype("datetime64[ns]").dt.normalize()
    due = column_of(rows.frame, "due_date").astype("datetime64[ns]")
    occurred = pd.concat([marked, due], axis=1).min(axis=1)
    rows = rows.without(occurred.isna(), "neither due_date nor marked_as_done_time")
    done = rows.frame
    added = column_of(done, "add_time").astype("datetime64[ns]").dt.normalize()
    frame = pd.DataFrame(
        {
            "deal_id": done["deal_id"].map(id_of),
            "occurred_on": occurred.reindex(done.index),
            "recorded_on": marked.reindex(done.index).fillna(added),
            "channel": column_of(done, "type"),
            "owner_id": column_of(done, "owner_id").map(id_of),
            "minutes": column_of(done, "duration").map(_minutes).astype("float64"),
        }
    )
    for column, field in source.activity_columns.items():
        frame[column] = done[field].str.lower() if column == "side" else done[field]
    return frame


def _minutes(text: str | None) -> float:
    """Read a duration (`01:30`) as minutes; what is no duration is missing."""
    found = re.fullmatch(r"(\d+):(\d\d)(?::\d\d)?", text) if text else None
    return float(found.group(1)) * 60 + float(found.group(2)) if found else np.nan
