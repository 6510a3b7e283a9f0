"""The team of a deal's owner, at the moment that the definitions name."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd

from analytics.records.contract import History
from analytics.records.definitions import Definitions
from analytics.records.states import side_table


def with_team(episodes: Any, history: History, definitions: Definitions, as_of: dt.date) -> Any:
    """Add `team`: that of the owner at the moment, by the row of `owners` that was valid on the moment's day.

    The day is the one on which the deal was first recorded ("opening"), the as-of day ("as_of"), or the one on which
    the episode was first recorded as closed or a rule ended it ("close"; the as-of day while it is open). A row is
    valid from `start_on` until the day before `end_on`, without limit where these are missing; the latest start wins.
    Rows recorded after the as-of day do not exist. Where the table has no dates it holds today's people only: the team
    is then a reconstruction, right for whoever never moved.
    """
    import ibis

    if "owners" not in history.side:
        return episodes.mutate(team=ibis.null("string"))
    today = ibis.date(as_of)
    ended = episodes.closed_recorded_on.coalesce(episodes.fired_on, today)
    days = {"opening": episodes.opening_on, "as_of": today, "close": ended}
    episodes = episodes.mutate(team_on=days[definitions.attributes_at.get("team", "opening")])
    owners = side_table(history, "owners")
    owners = owners.filter(owners.recorded_on.isnull() | (owners.recorded_on <= as_of))
    owners = owners.select("team", "start_on", "end_on", "recorded_on", member="owner_id")
    asked = episodes.select("team_owner", "team_on").distinct()
    found = asked.inner_join(owners, asked.team_owner == owners.member)
    began = found.start_on.isnull() | (found.start_on <= found.team_on)
    found = found.filter(began, found.end_on.isnull() | (found.end_on > found.team_on))
    first = ibis.date(1, 1, 1)
    newest = [found.start_on.coalesce(first).desc(), found.recorded_on.coalesce(first).desc(), found.team.asc()]
    place = ibis.row_number().over(ibis.window(group_by=["team_owner", "team_on"], order_by=newest))
    found = found.mutate(place=place)
    found = found.filter(found.place == 0).select("team", owner_then="team_owner", on_day="team_on")
    joined = episodes.left_join(found, [episodes.team_owner == found.owner_then, episodes.team_on == found.on_day])
    return joined.drop("owner_then", "on_day")


def team_on(owners: pd.DataFrame, owner_ids: pd.Series, days: pd.Series) -> pd.Series:
    """Which team did each owner belong to on each day, by the same rule as `with_team`?

    Parameters
    ----------
    owners : pandas.DataFrame
        The rows of the owners table that were known: `owner_id`, `team`, `start_on`, `end_on`, `recorded_on`.
    owner_ids, days : pandas.Series
        Whose team is asked, and on which day.

    Returns
    -------
    pandas.Series
        The team, None where no row of the owner was valid on the day.

    Examples
    --------
    >>> day = pd.Timestamp
    >>> owners = pd.DataFrame({"owner_id": "U1", "team": ["North", "South"], "start_on": [pd.NaT, day("2025-06-01")],
    ...                        "end_on": [day("2025-06-01"), pd.NaT], "recorded_on": pd.NaT})
    >>> days = pd.Series(pd.to_datetime(["2025-01-01", "2025-07-01", "2025-07-01"]))
    >>> team_on(owners, pd.Series(["U1", "U1", "U2"]), days)
    0    North
    1    South
    2     None
    dtype: object
    """
    asked = pd.DataFrame({"owner_id": owner_ids.astype(object), "day": pd.to_datetime(days)}).drop_duplicates()
    found = asked.merge(owners[["owner_id", "team", "start_on", "end_on", "recorded_on"]], on="owner_id", how="inner")
    found = found[~(found["start_on"] > found["day"]) & ~(found["end_on"] <= found["day"])]
    order = ["start_on", "recorded_on", "team"]
    found = found.sort_values(order, ascending=[True, True, False], na_position="first", kind="stable")
    newest = found.drop_duplicates(["owner_id", "day"], keep="last").set_index(["owner_id", "day"])["team"]
    keys = pd.MultiIndex.from_arrays([owner_ids.astype(object), pd.to_datetime(days)])
    team = newest.reindex(keys).astype(object).set_axis(owner_ids.index)
    return team.where(team.notna(), None).rename(None)
