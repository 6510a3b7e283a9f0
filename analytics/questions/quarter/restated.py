"""Earlier quarters as they look by now: the same shares, with what has been recorded since."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from analytics.estimators.cell_deals import with_deals_of
from analytics.estimators.period_incidence import PERIOD_ESTIMAND, period_at_horizon
from analytics.estimators.result import Estimate, Finding
from analytics.estimators.watched import last_day, not_studied
from analytics.records.calendar import FiscalCalendar, Quarter

BACK = 8
"""Quarters before the one under study that are looked at again: two years."""


def quarters_before(calendar: FiscalCalendar, quarter: Quarter, *, back: int = BACK) -> tuple[Quarter, ...]:
    """Name the quarters before this one, oldest first.

    Examples
    --------
    >>> calendar = FiscalCalendar()
    >>> [one.name for one in quarters_before(calendar, calendar.quarter("2025Q2"), back=2)]
    ['2024Q4', '2025Q1']
    """
    return tuple(calendar.shift(quarter, -n) for n in range(back, 0, -1))


def restated_quarters(
    deals: pd.DataFrame, quarters: Sequence[Quarter], *, settled_on: dt.date, horizon_days: int
) -> Estimate | Finding:
    """Where would deals end up at the pace of each earlier quarter, as it looks by now?

    Parameters
    ----------
    deals : pandas.DataFrame
        Deals frame, first episodes, as known at the as-of date.
    quarters : sequence of Quarter
        Earlier quarters, each watched as far as it is settled by now.
    settled_on, horizon_days
        As for `period_at_horizon`.

    Returns
    -------
    Estimate or Finding
        Kind probability, keys (period, outcome); the columns of `period_at_horizon` and `followed_to`, the day up to
        which the quarter was watched. A quarter in which no deal was open has no rows, and `meta.note` names it. A
        Finding where there is none.

    Notes
    -----
    What was published of a quarter stays as it was; this is the same quarter with what was recorded since, by the
    definitions of today. A quarter that its own study cut before its last days is here watched to its end.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": list("abc"), "opened_on": pd.to_datetime(["2025-10-01"] * 3), "entry": -1,
    ...                       "exit": [10, 20, 91], "outcome": ["won", "lost", "open"]})
    >>> quarter = Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))
    >>> again = restated_quarters(deals, [quarter], settled_on=dt.date(2026, 3, 31), horizon_days=30)
    >>> again.at(period="2025Q4", outcome="won")[["estimate", "followed_to"]].round(3).values.tolist()
    [[0.333, '2025-12-31']]
    """
    parts, notes = [], []
    for quarter in quarters:
        found = period_at_horizon(deals, quarter, settled_on=settled_on, horizon_days=horizon_days)
        end = last_day(quarter, settled_on)
        if isinstance(found, Finding) or end is None:
            notes.append(f"{quarter.name}: no deal was open.")
            continue
        parts.append((quarter.name, end.isoformat(), found))
    if not parts:
        names = ", ".join(quarter.name for quarter in quarters)
        return not_studied("restated_quarters", f"No deal was open in {names or 'any earlier quarter'}.")
    frames = [found.frame.assign(period=name, followed_to=end) for name, end, found in parts]
    frame = pd.concat(frames, ignore_index=True)
    frame = frame[["period", *(name for name in frame.columns if name != "period")]]
    newest = parts[-1][2].meta
    meta = replace(newest, keys=("period", "outcome"), estimand=PERIOD_ESTIMAND, note=" ".join(notes))
    again = Estimate(frame, replace(meta, n_deals=int(deals["deal_id"].nunique()), n_accounts=None))
    return with_deals_of(again, [found for *_, found in parts])
