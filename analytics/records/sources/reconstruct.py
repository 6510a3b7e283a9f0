"""States of a deal of which only today's row is known."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from analytics.records.sources.conform import MOMENT
from analytics.records.sources.states import ORDER

ONLY_TODAY = (
    "stage", "reason", "amount", "closed_on", "expected_close_on", "status", "probability", "forecast_category",
)  # fmt: skip
"""What today's row of a closed deal says of its end, and not of the time when it was open."""


SENSELESS_DAYS = 3653
"""A closing more than ten years after the opening is a mistyped date."""


def reconstructed(frame: pd.DataFrame, *, extracted_on: dt.date | None = None) -> pd.DataFrame:
    """Make an open state on the opening day and a closed one on the closing day, from today's row.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per deal in contract columns; `status` and `opened_on` are needed, `closed_on` where it is closed.
    extracted_on : datetime.date, optional
        The day of the extract: a deal that it shows as closed was closed by then.

    Returns
    -------
    pandas.DataFrame
        One state per open deal, two per closed one, with `recorded_on`. A deal that was closed before it was opened has
        its closed state alone, recorded on the opening day: which of its dates is wrong is not decided here. A closing
        dated after the extract (without `extracted_on`: more than ten years after the opening) was recorded on the day
        of the extract (without it: the last closing day that makes sense) at the latest; `closed_after` is its opening.
        A nearer promise cannot be told from a closing without `extracted_on`; `without_promises` counts what looks so.

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
        closing = _recorded_in_time(closing, extracted_on)
    states = pd.concat([opening.assign(**{ORDER: 0}), closing.assign(**{ORDER: 1})], ignore_index=True)
    return states.drop(columns=[MOMENT], errors="ignore")


def _recorded_in_time(closing: pd.DataFrame, extracted_on: dt.date | None) -> pd.DataFrame:
    """Say when each closing was recorded: on its own day, unless that lies in the future of the extract."""
    recorded = closing[["closed_on", "opened_on"]].max(axis=1)
    if extracted_on is not None:
        last = pd.Timestamp(extracted_on)
        late = closing["closed_on"] > last
    else:
        late = (closing["closed_on"] - closing["opened_on"]).dt.days > SENSELESS_DAYS
        last = recorded[~late].max() if (~late).any() else closing["opened_on"].max()
    if not late.any():
        return closing.assign(recorded_on=recorded)
    known_by = closing["opened_on"].where(closing["opened_on"] > last, last)
    after = closing["opened_on"].where(late)
    return closing.assign(recorded_on=recorded.mask(late, known_by), closed_after=after)
