"""systemuser and team become owners; completed activities about an opportunity become activities."""

from __future__ import annotations

import pandas as pd

from analytics.records.contract import SIDE_TABLES
from analytics.records.sources.conform import Reader, Rows
from analytics.records.sources.dynamics.fields import ACTIVITIES, ACTIVITY_FIELDS, SYSTEM_USER, TEAM
from analytics.records.sources.dynamics.mapping import DynamicsSource
from analytics.records.sources.dynamics.meanings import plain_id
from analytics.records.sources.objects import CrmObject, column_of, read_object

TYPE_CODES = {"4201": "appointment", "4202": "email", "4210": "phonecall", "4212": "task"}
"""Object type codes of activities -> name."""

DONE = ("1", "completed")
"""statecode of an activity that happened."""


def owners(source: DynamicsSource, reader: Reader) -> pd.DataFrame | None:
    """Read systemuser and team as the side table `owners` (today's people: Dataverse keeps no history of them)."""
    custom = {field: SIDE_TABLES["owners"][column] for column, field in source.owner_columns.items()}
    users, teams = read_object(SYSTEM_USER, source, reader, custom), read_object(TEAM, source, reader)
    frames = []
    if users is not None:
        users.require_unique("systemuserid", "systemuserid")
        ids, names = users.frame["systemuserid"].map(plain_id), users.frame["fullname"]
        manager = column_of(users.frame, "parentsystemuserid").map(plain_id)
        by_id = dict(zip(ids, names, strict=True))
        people = pd.DataFrame({"owner_id": ids, "name": names, "manager": manager.map(lambda key: by_id.get(key, key))})
        frames.append(people.assign(**{column: users.frame[field] for column, field in source.owner_columns.items()}))
    if teams is not None:
        teams.require_unique("teamid", "teamid")
        frames.append(pd.DataFrame({"owner_id": teams.frame["teamid"].map(plain_id), "name": teams.frame["name"]}))
    return pd.concat(frames, ignore_index=True) if frames else None


def activities(source: DynamicsSource, reader: Reader, deal_ids: set[str]) -> pd.DataFrame | None:
    """Read phonecall, email, appointment, task and activitypointer as the side table `activities`.

    Only completed activities happened. `occurred_on` is actualend, without it scheduledend; `recorded_on` is the day of
    createdon. An incoming call or mail is the buyer's, an outgoing one the seller's; of appointments and tasks the
    side is not known. activitypointer holds every activity once more, and each counts once.
    """
    seen: set[str] = set()
    frames = [_read(spec, source, reader, deal_ids, seen) for spec in ACTIVITIES]
    there = [frame for frame in frames if frame is not None]
    return pd.concat(there, ignore_index=True) if there else None


def _read(
    spec: CrmObject, source: DynamicsSource, reader: Reader, deal_ids: set[str], seen: set[str]
) -> pd.DataFrame | None:
    wanted = {field: SIDE_TABLES["activities"][column] for column, field in source.activity_columns.items()}
    rows = read_object(spec, source, reader, {k: v for k, v in wanted.items() if k not in ACTIVITY_FIELDS})
    if rows is None:
        return None
    rows = rows.without(rows.frame["activityid"].map(plain_id).isin(seen), "the same activity is in another table")
    seen |= set(rows.frame["activityid"].map(plain_id))
    types = column_of(rows.frame, "activitytypecode").map(lambda text: _channel(text, spec.name))
    rows = rows.without(types.str.endswith("close"), "the closing itself, no activity with the buyer")
    about = rows.frame["regardingobjectid"].map(plain_id)
    rows = rows.without(~about.isin(deal_ids), "it is about no opportunity of the export")
    done = rows.frame["statecode"].str.lower().isin(DONE)
    rows = rows.without(~done, "not completed, so it did not happen")
    occurred = column_of(rows.frame, "actualend").astype("datetime64[ns]")
    occurred = occurred.fillna(column_of(rows.frame, "scheduledend").astype("datetime64[ns]"))
    rows = rows.without(occurred.isna(), "neither actualend nor scheduledend")
    return _as_contract(rows, source, spec.name, occurred)


def _as_contract(rows: Rows, source: DynamicsSource, name: str, occurred: pd.Series) -> pd.DataFrame:
    done = rows.frame
    direction = column_of(done, "directioncode")
    side = pd.Series(
        [None if flag is None else "seller" if flag else "buyer" for flag in direction], done.index, object
    )
    frame = pd.DataFrame(
        {
            "deal_id": done["regardingobjectid"].map(plain_id),
            "occurred_on": occurred.reindex(done.index),
            "recorded_on": done["createdon"].dt.normalize(),
            "side": side,
            "channel": column_of(done, "activitytypecode").map(lambda text: _channel(text, name)),
            "owner_id": column_of(done, "ownerid").map(plain_id),
            "minutes": column_of(done, "actualdurationminutes").astype("float64"),
        }
    )
    for column, field in source.activity_columns.items():
        frame[column] = done[field].str.lower() if column == "side" else done[field]
    return frame


def _channel(text: str | None, table: str) -> str:
    """The kind of an activity: its type (number or name), or the table that it is in."""
    if text is None:
        return table
    code = text.replace(" ", "").lower()
    return "opportunityclose" if code == "4208" else TYPE_CODES.get(code, code)
