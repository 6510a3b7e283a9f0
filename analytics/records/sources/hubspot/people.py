"""Owners with their teams, as they are today: HubSpot keeps no history of them."""

from __future__ import annotations

import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.sources.conform import Reader
from analytics.records.sources.hubspot.fields import OWNER_TEAMS, OWNERS, TEAMS
from analytics.records.sources.hubspot.mapping import HubspotSource
from analytics.records.sources.objects import column_of, is_true, read_object


def owners(source: HubspotSource, reader: Reader) -> tuple[pd.DataFrame | None, tuple[Noticed, ...]]:
    """Read the side table `owners`; archived owners stay in it, for their deals have them still.

    The team is the owner's primary one, else the first by id; where the teams' names are not exported, its id.
    """
    rows = read_object(OWNERS, source, reader)
    if rows is None:
        return None, ()
    rows.require_unique("owner_id", "owner_id")
    people = rows.frame
    first, last = (column_of(people, name).fillna("").astype(str) for name in ("first_name", "last_name"))
    names = (first + " " + last).str.strip()
    teams = _teams(source, reader)
    frame = pd.DataFrame({"owner_id": people["owner_id"], "name": names.where(names != "", None)})
    if teams is not None:
        frame["team"] = people["owner_id"].map(teams).astype(object).where(lambda team: team.notna(), None)
    active = column_of(people, "is_active")
    gone = is_true(column_of(people, "archived")) | is_true(column_of(people, "_fivetran_deleted"))
    gone |= active.notna() & ~is_true(active)
    rule = "stays in the owners: deals keep the owner that they had"
    return frame, (Noticed(17, "owner who is archived", int(gone.sum()), len(people), "rows", rule),)


def _teams(source: HubspotSource, reader: Reader) -> pd.Series | None:
    links = read_object(OWNER_TEAMS, source, reader)
    if links is None:
        return None
    of_owner = links.frame.assign(
        later=~is_true(column_of(links.frame, "is_team_primary")), size=links.frame["team_id"].str.len()
    )
    of_owner = of_owner.sort_values(["owner_id", "later", "size", "team_id"], kind="stable").drop_duplicates("owner_id")
    team: pd.Series = of_owner.set_index("owner_id")["team_id"]
    names = read_object(TEAMS, source, reader)
    if names is None:
        return team
    known = names.frame.drop_duplicates("id").set_index("id")["name"]
    return team.map(known).fillna(team)
