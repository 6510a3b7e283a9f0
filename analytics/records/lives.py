"""What was recorded by a day, in pandas: the states of every deal in order, and when each deal was open."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable
from typing import Any, Literal

import pandas as pd

from analytics.records.contract import HISTORY_COLUMNS, SIDE_TABLES, History

_ALWAYS = ("deal_id", "recorded_on", "sequence", "opened_on", "status", "closed_on")


def states_known(history: History, as_of: dt.date, columns: Iterable[str] = ()) -> pd.DataFrame:
    """Which states had been recorded by the end of a day, deal by deal in their order?

    Parameters
    ----------
    history : History
        Tables of an engine or frames.
    as_of : datetime.date
        Only what was recorded by the end of this day exists.
    columns : iterable of str
        Columns wanted beside the deal, its opening, its status and its dates.

    Returns
    -------
    pandas.DataFrame
        Dates as datetime64; a column that the source does not have is empty.

    Examples
    --------
    >>> rows = {"deal_id": ["A", "A"], "recorded_on": [dt.date(2025, 1, 10), dt.date(2025, 2, 3)], "sequence": [0, 1],
    ...         "status": ["open", "closed_lost"], "opened_on": [dt.date(2025, 1, 10)] * 2}
    >>> len(states_known(History(table=pd.DataFrame(rows)), dt.date(2025, 2, 1)))
    1
    """
    wanted = list(dict.fromkeys((*_ALWAYS, *columns)))
    frame = as_frame(history.table, wanted, HISTORY_COLUMNS)
    frame = frame[frame["recorded_on"] <= pd.Timestamp(as_of)]
    return frame.sort_values(["deal_id", "recorded_on", "sequence"], kind="stable", ignore_index=True)


def side_known(history: History, name: str, as_of: dt.date, event: str) -> pd.DataFrame | None:
    """Return the rows of a side table that were known at the end of a day, None where there is no such table."""
    if name not in history.side:
        return None
    frame = as_frame(history.side[name], list(SIDE_TABLES[name]), SIDE_TABLES[name])
    known_on = frame[[event, "recorded_on"]].max(axis=1) if event != "recorded_on" else frame["recorded_on"]
    return frame[~(known_on > pd.Timestamp(as_of))].reset_index(drop=True)


def in_memory(history: History) -> History:
    """Return the same History as frames, for several questions of one that lies in an engine.

    Examples
    --------
    >>> in_memory(History(table=pd.DataFrame({"deal_id": ["A"]}))).table["deal_id"].tolist()
    ['A']
    """
    contract = {**HISTORY_COLUMNS, **dict.fromkeys(history.attributes, "string")}
    table = as_frame(history.table, [name for name in contract if name in history.table.columns], contract)
    side = {
        name: as_frame(rows, list(rows.columns), SIDE_TABLES[name])
        for name, rows in history.side.items()
        if name in SIDE_TABLES
    }
    return dataclasses.replace(history, table=table, side=side)


def as_frame(table: Any, columns: list[str], contract: dict[str, str]) -> pd.DataFrame:
    """Return columns of an engine's table or a frame as a frame, its dates as datetime64."""
    there = [name for name in columns if name in table.columns]
    frame: pd.DataFrame
    if isinstance(table, pd.DataFrame):
        frame = table[there].copy()
    else:
        frame = table.select(*there).to_pyarrow().to_pandas(date_as_object=False)
    for name in columns:
        if name not in frame:
            frame[name] = None
        if contract.get(name) == "date":
            frame[name] = pd.to_datetime(frame[name]).astype("datetime64[ns]")
    return frame[columns]


def first_lives(states: pd.DataFrame, as_of: dt.date, close_date: Literal["typed", "recorded"]) -> pd.DataFrame:
    """When was each deal opened, first recorded, and first closed?

    Parameters
    ----------
    states : pandas.DataFrame
        From `states_known`.
    as_of : datetime.date
        The last day on which a deal that is still open was watched.
    close_date : {"typed", "recorded"}
        As in `Definitions`.

    Returns
    -------
    pandas.DataFrame
        By `deal_id`, deals whose dates can be: `opened`, `first_recorded`, `closed` (NaT while open), `status` and
        `closed_recorded` of the first closing, `typed` (whether that closing has a date of its own), `left` (closed,
        else the as-of day).

    Examples
    --------
    >>> day = pd.Timestamp
    >>> states = pd.DataFrame({"deal_id": ["A", "A"], "recorded_on": [day("2025-01-10"), day("2025-02-03")],
    ...                        "opened_on": day("2025-01-10"), "status": ["open", "closed_lost"],
    ...                        "closed_on": [pd.NaT, day("2025-02-01")]})
    >>> first_lives(states, dt.date(2025, 3, 1), "typed")["closed"].astype(str).tolist()
    ['2025-02-01']
    """
    deals = states.groupby("deal_id", sort=True)
    lives = pd.DataFrame({"opened": deals["opened_on"].first(), "first_recorded": deals["recorded_on"].first()})
    closings = states[states["status"] != "open"].drop_duplicates("deal_id").set_index("deal_id")
    lives["closed_recorded"] = closings["recorded_on"]
    lives["status"] = closings["status"]
    typed = closings["closed_on"].reindex(lives.index)
    lives["typed"] = typed.notna()
    lives["closed"] = lives["closed_recorded"]
    if close_date == "typed":
        lives["closed"] = typed.where(typed < lives["closed_recorded"]).fillna(lives["closed_recorded"])
    lives["left"] = lives["closed"].fillna(pd.Timestamp(as_of))
    return lives[lives["opened"].notna() & (lives["left"] >= lives["opened"])]


def deal_spans(
    lives: pd.DataFrame, event: pd.Series[pd.Timestamp], watched: pd.Series[pd.Timestamp] | None = None
) -> pd.DataFrame:
    """Lay lives out for `late_start`: each deal until the event, or until it was last open.

    Parameters
    ----------
    lives : pandas.DataFrame
        From `first_lives`.
    event : pandas.Series
        The day of the event by deal; NaT where there was none.
    watched : pandas.Series, optional
        The first day on which it could have been recorded; by default the opening.

    Returns
    -------
    pandas.DataFrame
        opened, watched, left, happened.

    Examples
    --------
    >>> day = pd.Timestamp
    >>> lives = pd.DataFrame({"opened": [day("2025-01-10")], "left": [day("2025-03-01")]})
    >>> deal_spans(lives, pd.Series([day("2025-02-01")]))["left"].astype(str).tolist()
    ['2025-02-01']
    """
    happened = event.notna()
    # an activity may lie before its deal's opening, and a deal is recorded late: neither makes a negative age
    left = event.where(happened, lives["left"]).clip(lower=lives["opened"])
    return pd.DataFrame(
        {
            "opened": lives["opened"],
            "watched": lives["opened"] if watched is None else watched,
            "left": left,
            "happened": happened,
        }
    )
