"""The last day that an export knows, where nothing states the day of the export."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import pandas as pd

from analytics.records.contract import Noticed

SILENT_DAYS = 90
"""A closing dated after so many days in which nothing else of the file is dated has perhaps not come yet."""


def last_day(states: pd.DataFrame, side: Mapping[str, pd.DataFrame]) -> dt.date | None:
    """Return the last day on which anything was recorded."""
    columns = [states["recorded_on"], *(frame["recorded_on"] for frame in side.values() if "recorded_on" in frame)]
    days = [column.max() for column in columns if column.notna().any()]
    last: dt.date | None = max(days).date() if days else None
    return last


def without_promises(
    states: pd.DataFrame, side: Mapping[str, pd.DataFrame]
) -> tuple[pd.DataFrame, tuple[Noticed, ...]]:
    """Which closings of today's file may lie in its future?

    Parameters
    ----------
    states : pandas.DataFrame
        States that today's rows tell: `deal_id`, `recorded_on`, `status`.
    side : mapping of str to pandas.DataFrame
        Side tables; their days of recording count as dates of the file.

    Returns
    -------
    (pandas.DataFrame, tuple of Noticed)
        The states without the closings dated after `SILENT_DAYS` without any other date, from which the last known day
        is to be taken; and how many those are. In a file of few deals an ordinary closing may be among them, and one
        that is due within `SILENT_DAYS` never is: only the day of the export tells.

    Examples
    --------
    >>> days = pd.to_datetime(["2025-01-02", "2025-02-03", "2025-01-05", "2027-01-20"])
    >>> states = pd.DataFrame({"deal_id": ["1", "1", "2", "2"], "recorded_on": days, "status": ["open", "won"] * 2})
    >>> kept, noticed = without_promises(states, {})
    >>> kept["recorded_on"].max(), noticed[0].found
    (Timestamp('2025-02-03 00:00:00'), 1)
    """
    closed = states["status"] != "open"
    others = [states["recorded_on"], *(frame["recorded_on"] for frame in side.values() if "recorded_on" in frame)]
    dated = [column.astype("datetime64[ns]") for column in others]
    days = pd.concat(dated).dropna().drop_duplicates().sort_values(ignore_index=True)
    silent = days[days.diff() > pd.Timedelta(days=SILENT_DAYS)]
    known = pd.concat([states.loc[~closed, "recorded_on"], *dated[1:]]).max()
    silent = silent[silent > known]
    promised = closed & (states["recorded_on"] >= silent.min()) if len(silent) else closed & False
    noticed = Noticed(
        2, f"closed on a day more than {SILENT_DAYS} days after every earlier date of the file",
        int(states.loc[promised, "deal_id"].nunique()), int(states.loc[closed, "deal_id"].nunique()), "deals",
        "counts as open until then: state extracted_on in the params",
    )  # fmt: skip
    return states[~promised], (noticed,)
