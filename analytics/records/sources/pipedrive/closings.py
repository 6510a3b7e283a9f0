"""Closings and re-openings that a deal's own times tell, and where they contradict its status."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.sources.conform import MOMENT
from analytics.records.sources.field_changes import (
    END_OF_DAY,
    Completed,
    change_log,
    changes_of,
    completed_statuses,
    until,
)
from analytics.records.sources.objects import column_of
from analytics.records.sources.pipedrive.times import as_utc, moved_closings


def closing_times(deals: pd.DataFrame) -> pd.DataFrame:
    """When does each deal say that it closed, in the zone (`local`) and in UTC (`utc`)?

    `won_time` of a won deal, `lost_time` of a lost one, without it `close_time`; none of an open deal.
    """
    status = deals["status"]
    times = {}
    for name, spelled in (("local", str), ("utc", as_utc)):
        own = _time(deals, spelled("won_time")).where(status == "closed_won")
        own = own.fillna(_time(deals, spelled("lost_time")).where(status == "closed_lost"))
        times[name] = own.fillna(_time(deals, spelled("close_time")).where(status != "open"))
    return pd.DataFrame(times, index=deals.index)


def completed(
    log: pd.DataFrame | None, deals: pd.DataFrame, end: pd.Timestamp, extracted_on: dt.date | None
) -> tuple[Completed, frozenset[str]]:
    """Bring the log of changes to today's statuses.

    Parameters
    ----------
    log : pandas.DataFrame or None
        `CHANGE`; None without flow.
    deals : pandas.DataFrame
        Today's rows by id.
    end : pandas.Timestamp
        The last thing that the export knows.
    extracted_on : datetime.date or None
        The day of the export, where it is stated.

    Returns
    -------
    (Completed, frozenset of str)
        As `completed_statuses`, and the deals whose closing is dated later than it can have been known.
        Where `first_won_time` lies on an earlier day than today's closing and no change tells
        of it, the deal was won then and open again later. A deal that is open today though it closed was re-opened by
        `update_time`, its last change, or without it at the end of the export. No closing is later than `update_time`;
        without it, than the day of the export; without that, than the last change of any deal, if any is on record.
    """
    recorded = change_log([] if log is None else [log])
    updated = _time(deals, "update_time")
    bound = updated if extracted_on is None else updated.fillna(pd.Timestamp(extracted_on) + END_OF_DAY)
    bound = bound.fillna(end) if len(recorded) or updated.notna().any() else bound
    dated = closing_times(deals)["local"]
    closed, first = until(dated, bound), until(_time(deals, "first_won_time"), bound)
    won = recorded[(recorded["Field"] == "status") & (recorded["NewValue"] == "closed_won")]["deal_id"]
    earlier = first.notna() & ~deals.index.isin(won)
    earlier &= (deals["status"] != "closed_won") | (first.dt.normalize() < closed.dt.normalize())
    ids = deals.index[earlier].to_series()
    again = ids[deals.loc[earlier, "status"] == "closed_won"]
    recorded = change_log(
        [
            recorded,
            changes_of(ids, first[earlier], "status", "open", "closed_won"),
            changes_of(again, closed.reindex(again), "status", "open", "closed_won"),
        ]
    )
    today = pd.DataFrame({"status": deals["status"], "closed_at": closed, "latest": updated.fillna(end)})
    done = completed_statuses(recorded, "status", today)
    late = deals.index[dated.dt.normalize() > closed.dt.normalize()]
    return done, frozenset(late) & (frozenset(done.added["deal_id"]) | frozenset(again))


def closed_on(states: pd.DataFrame, deals: pd.DataFrame) -> pd.Series:
    """The closing date of each closed state: the deal's own time for its last closing, else the day of recording."""
    status = states["status"]
    new = (status != status.shift()) | (states["deal_id"] != states["deal_id"].shift())
    run = new.cumsum()
    began = states.groupby(run)[MOMENT].transform("first").dt.normalize()
    last_run = run == run.groupby(states["deal_id"]).transform("max")
    own = states["deal_id"].map(closing_times(deals)["local"]).dt.normalize()
    closed: pd.Series = own.where(last_run).fillna(began).where(status != "open")
    return closed


def noticed(done: Completed, deals: pd.DataFrame, timezone: str | None, *, with_flow: bool) -> list[Noticed]:
    """What the times of the deals show: unrecorded closings, contradictions, days that a zone moves."""
    status, total = deals["status"], len(deals)
    won, lost = _time(deals, "won_time"), _time(deals, "lost_time")
    is_open, n_closed = status == "open", int((status != "open").sum())
    times = closing_times(deals)
    dated = is_open & (won.notna() | lost.notna() | _time(deals, "close_time").notna())
    against = ((status == "closed_won") & (lost > won)) | ((status == "closed_lost") & (won > lost))
    undated = int((~is_open & times["local"].isna()).sum())
    unlogged = int((done.added["status"] != "open").sum()) if with_flow else n_closed
    return [
        Noticed(
            6, "re-opened on a day that nothing records", len(done.reopened), total, "deals",
            "open from the end of the day before the next closing; open today: from update_time",
        ),
        Noticed(
            1, "closings that no change records", unlogged, n_closed, "deals",
            "recorded at won_time or lost_time, which can be edited",
        ),
        Noticed(1, "closed without a time", undated, n_closed, "deals", "recorded at update_time"),
        Noticed(
            3, "open with a closing time", int(dated.sum()), int(is_open.sum()), "deals", "open: the status decides"
        ),
        Noticed(
            9, "won with a later lost_time, or lost with a later won_time", int(against.sum()), n_closed, "deals",
            "the status decides",
        ),
        *moved_closings(times["local"], times["utc"], timezone),
    ]  # fmt: skip


def _time(deals: pd.DataFrame, name: str) -> pd.Series:
    return column_of(deals, name).astype("datetime64[ns]")
