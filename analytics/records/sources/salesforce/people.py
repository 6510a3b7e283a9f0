"""Users become owners."""

from __future__ import annotations

import pandas as pd

from analytics.records.contract import SIDE_TABLES
from analytics.records.sources.conform import Reader, Rows
from analytics.records.sources.objects import column_of, is_false, read_object
from analytics.records.sources.salesforce.fields import USER, USER_ROLE
from analytics.records.sources.salesforce.ids import as_known
from analytics.records.sources.salesforce.mapping import SalesforceSource

SUPERSEDED = "an older version of a row, kept by the connector"


def owners(source: SalesforceSource, reader: Reader, deals: pd.DataFrame) -> pd.DataFrame | None:
    """Read User as the side table `owners` (today's people and managers: Salesforce keeps no history of them).

    Ids are written as the opportunities (`deals`) write them. The team is the field that the params name, else the name
    of the user's role where UserRole is exported.
    """
    custom = {field: SIDE_TABLES["owners"][column] for column, field in source.side_columns("owners").items()}
    rows = read_object(USER, source, reader, custom)
    roles = read_object(USER_ROLE, source, reader)
    if rows is None:
        return None
    rows = current(rows)
    rows.require_unique("Id", "Id")
    users = rows.frame
    frame = pd.DataFrame({"owner_id": as_known(users["Id"], column_of(deals, "OwnerId")), "name": users["Name"]})
    if "ManagerId" in users:
        names = users.set_index("Id")["Name"]
        frame["manager"] = users["ManagerId"].map(names).fillna(users["ManagerId"])
    if roles is not None and "UserRoleId" in users:
        roles = current(roles)
        roles.require_unique("Id", "Id")
        frame["team"] = users["UserRoleId"].map(roles.frame.set_index("Id")["Name"])
    for column, field in source.side_columns("owners").items():
        frame[column] = users[field]
    return frame


def current(rows: Rows) -> Rows:
    """Of a connector's table that keeps every version, reject the rows that are no longer active."""
    if "VersionStart" not in rows.frame or "VersionActive" not in rows.frame:
        return rows
    return rows.without(is_false(rows.frame["VersionActive"]), SUPERSEDED)
