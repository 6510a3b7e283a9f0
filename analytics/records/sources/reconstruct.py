"""States of a deal of which only today's row is known."""

from __future__ import annotations

import pandas as pd

from analytics.records.sources.conform import MOMENT
from analytics.records.sources.states import ORDER

ONLY_TODAY = ("stage", "reason", "amount", "closed_on", "expected_close_on", "status")
"""What today's row of a closed deal says of its end, and not of the time when it was open."""


def reconstructed(frame: pd.DataFrame) -> pd.DataFrame:
    """Make an open state on the opening day and a closed one on the closing day, from today's row.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per deal in contract columns; `status` and `opened_on` are needed, `closed_on` where it is closed.

    Returns
    -------
    pandas.DataFrame
        One state per open deal, two per closed one, with `recorded_on`. A deal that was closed before it was opened has
        its closed state alone, recorded on the opening day: which of its dates is wrong is not decided here.

    Examples
    --------
    >>> days = {"opened_on": [pd.Timestamp("2025-01-02")], "closed_on": [pd.Timestamp("2025-02-03")]}
    >>> states = reconstructed(pd.DataFrame({"deal_id": ["1"], "status": ["closed_won"], **days}))
    >>> states[["recorded_on", "status"]].astype(str).values.tolist()
    [['2025-01-02', 'open'], ['2025-02-03', 'closed_won']]
    """
    is_open = frame["status"] == "open"
    backwards = ~is_open & (frame["closed_on"] < frame["opened_on"]) if "closed_on" in frame else is_open & False
    opening = frame[~backwards].assign(recorded_on=lambda rows: rows["opened_on"])
    closed = (opening["status"] != "open").to_numpy()
    for column in [name for name in ONLY_TODAY if name in opening.columns]:
        opening[column] = opening[column].where(~closed)
    opening["status"] = "open"
    closing = frame[~is_open].copy()
    if len(closing):
        closing["recorded_on"] = closing[["closed_on", "opened_on"]].max(axis=1)
    states = pd.concat([opening.assign(**{ORDER: 0}), closing.assign(**{ORDER: 1})], ignore_index=True)
    return states.drop(columns=[MOMENT], errors="ignore")
