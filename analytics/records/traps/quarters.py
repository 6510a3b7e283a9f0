"""Trap 14: which calendar is in use, and how many closings it moves into another quarter."""

from __future__ import annotations

import pandas as pd

from analytics.records.calendar import FiscalCalendar
from analytics.records.contract import Noticed
from analytics.records.traps.known import Known

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def fiscal_quarters(known: Known) -> list[Noticed]:
    """Trap 14: closings whose fiscal quarter has other days than the quarter of the plain year."""
    closed = known.closings["closed_on"].dropna()
    if known.calendar is None or closed.empty:
        return []
    plain = FiscalCalendar()
    days = closed.value_counts()
    moved = 0
    for day, deals in days.items():
        date = pd.Timestamp(str(day)).date()
        own, usual = known.calendar.quarter_of(date), plain.quarter_of(date)
        moved += int(deals) if (own.start, own.end) != (usual.start, usual.end) else 0
    what = "closed in a quarter with other days than the plain year's"
    return [Noticed(14, what, moved, int(days.sum()), "deals", f"quarters of {calendar_in_words(known.calendar)}")]


def calendar_in_words(calendar: FiscalCalendar) -> str:
    """Say which year a calendar has.

    Examples
    --------
    >>> calendar_in_words(FiscalCalendar(start_month=2))
    'a year from February, named by the year it ends in'
    """
    named = f"named by the year it {'ends' if calendar.year_named_by == 'end' else 'starts'} in"
    if calendar.weeks is not None and calendar.year_ends is not None:
        end = calendar.year_ends
        month = _MONTHS[end.month - 1]
        last = f"last {end.weekday.title()} of {month}"
        where = f"the {last}" if end.rule == "last" else f"the {end.weekday.title()} nearest to the end of {month}"
        return f"a {calendar.weeks} year that ends on {where}, {named}"
    if calendar.start_month == 1:
        return "the plain year"
    return f"a year from {_MONTHS[calendar.start_month - 1]}, {named}"
