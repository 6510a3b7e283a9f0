"""Reporting delay: how long after its closing was a deal recorded as closed?"""

from __future__ import annotations

import datetime as dt

import pandas as pd

from analytics.records.contract import History
from analytics.records.definitions import Definitions
from analytics.records.rules import OutcomeRules
from analytics.records.snapshot import episodes_with_exclusion

_EVERYTHING = Definitions()
_COLUMNS = {
    "deal_id": "object",
    "outcome": "object",
    "closed_on": "datetime64[ns]",
    "recorded_on": "datetime64[ns]",
    "delay_days": "int64",
    "window_days": "int64",
}


def reporting_delays(history: History, *, as_of: dt.date, definitions: Definitions = _EVERYTHING) -> pd.DataFrame:
    """How late were closings recorded, and how long could each have taken and still be known?

    Parameters
    ----------
    history : History
        Recorded states; a source that holds only today's state cannot tell, and gives an empty frame.
    as_of : datetime.date
        Closings recorded by the end of this day.
    definitions : Definitions, optional
        Whose closings: those of deals that `deals_as_of` studies under the same definitions. Under
        `close_date="recorded"` a deal closes when it is recorded, so nothing is late and the frame is empty.

    Returns
    -------
    pandas.DataFrame
        One row per closing (re-closings included): `deal_id`, `outcome` (won, lost, unknown; before no-decision rules),
        `closed_on` (typed, capped at the recording), `recorded_on` (first recorded as closed), `delay_days` >= 0,
        `window_days` (as-of minus closing): the closing is in this frame only because `delay_days <= window_days`,
        which is what the reverse-time product limit corrects for.

    Notes
    -----
    Only closings dated on or after the first day on which anything was recorded: what closed before the CRM (or the
    first dated extract) existed could not have been recorded in time. A closing without a typed date says nothing
    about its delay. Deals whose dates contradict each other (closed before they were opened) are left out here as they
    are from the study.

    Examples
    --------
    >>> rows = {"deal_id": ["A", "A"], "recorded_on": [dt.date(2025, 1, 10), dt.date(2025, 2, 3)], "sequence": [1, 1],
    ...         "status": ["open", "closed_lost"], "opened_on": [dt.date(2025, 1, 10)] * 2,
    ...         "closed_on": [None, dt.date(2025, 2, 1)]}
    >>> delays = reporting_delays(History(table=pd.DataFrame(rows)), as_of=dt.date(2025, 3, 1))
    >>> delays[["outcome", "delay_days", "window_days"]]
      outcome  delay_days  window_days
    0    lost           2           28
    """
    if history.kind != "recorded" or definitions.close_date == "recorded":
        return pd.DataFrame(columns=list(_COLUMNS)).astype(_COLUMNS)
    known = episodes_with_exclusion(history, as_of=as_of, rules=OutcomeRules(), definitions=definitions)
    since = known.aggregate(since=known.opening_on.min())
    # A deal is in or out as a whole: its first episode decides.
    studied = known.filter(known.episode == 1, known.excluded == 0).select("deal_id")
    told = known.filter(known.closed_recorded_on.notnull(), known.typed_on.notnull())
    closed = told.semi_join(studied, "deal_id").cross_join(since)
    closed = closed.filter(closed.closed_on >= closed.since).order_by("deal_id", "episode")
    closed = closed.select("deal_id", "outcome", "closed_on", "recorded_on")
    frame: pd.DataFrame = closed.to_pyarrow().to_pandas(date_as_object=False)
    frame = frame.astype({name: kind for name, kind in _COLUMNS.items() if name in frame})
    return frame.assign(
        delay_days=(frame["recorded_on"] - frame["closed_on"]).dt.days.astype("int64"),
        window_days=(pd.Timestamp(as_of) - frame["closed_on"]).dt.days.astype("int64"),
    )
