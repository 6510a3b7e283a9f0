"""How late closings are recorded, and up to which day outcomes are settled."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd

from analytics.estimators.cell_deals import ids_of, with_members
from analytics.estimators.reporting_delay import reporting_delay
from analytics.estimators.result import COARSENED, Estimate, Finding
from analytics.estimators.sentences import count, day, outcome_words, share_with_interval

THERE = "Curves and comparisons end there."


def recording_delay(delays: pd.DataFrame, *, horizon_days: int = 180) -> Estimate | Finding:
    """How late are outcomes recorded: what share of closings is in the books within so many days?

    Parameters
    ----------
    delays : pandas.DataFrame
        outcome, delay_days, window_days, one row per recorded closing; `deal_id` where it is named.
    horizon_days : int
        Longest delay shown.

    Returns
    -------
    Estimate or Finding
        Kind probability, keys (outcome, time), time in days after closing. A Finding where the day of
        closing or the day of recording is not known.

    Notes
    -----
    See `analytics.estimators.reporting_delay`: closings not recorded yet are missing, which a plain average ignores.

    Examples
    --------
    >>> delays = pd.DataFrame({"outcome": "lost", "delay_days": [0, 0, 3, 10], "window_days": [5, 30, 30, 30]})
    >>> recording_delay(delays).at(outcome="lost", time=3)["estimate"].round(3).tolist()
    [0.667]
    """
    if not len(delays):
        headline = "How late closings are recorded is not known."
        action = "It takes the day of closing beside that of recording: use a history or extracts that have both."
        return Finding("recording_delay", headline, action, "not studied")
    found = reporting_delay(delays)
    shown = Estimate(found.frame[found.frame["time"] <= horizon_days], found.meta)
    return with_members(shown, lambda row: _members(delays, row))


def _members(delays: pd.DataFrame, row: dict[str, Any]) -> dict[str, list[object]]:
    """Name the deals of the closings recorded on a day after closing, by then, and of those that could tell of it."""
    mine, days = delays[delays["outcome"] == row["outcome"]], row["time"]
    by_then = mine["delay_days"] <= days
    chosen = {
        "n_event": mine["delay_days"] == days,
        "cum_event": by_then,
        "n_risk": by_then & (mine["window_days"] >= days),
    }
    return {name: ids_of(mine[inside]) for name, inside in chosen.items()}


def settled(delay: Estimate | Finding, *, as_of: dt.date, settled_on: dt.date) -> Finding:
    """Up to which day are outcomes settled?

    Parameters
    ----------
    delay : Estimate or Finding
        From `recording_delay`.
    as_of, settled_on : datetime.date
        The as-of date and the last settled day.

    Returns
    -------
    Finding
        With the share recorded within that lag, per outcome, its interval and n; without, where the curve is that of a
        shared report, whose steps need not reach the lag.

    Examples
    --------
    >>> delays = pd.DataFrame({"outcome": "lost", "delay_days": [0, 0, 3, 10], "window_days": [5, 30, 30, 30]})
    >>> card = settled(recording_delay(delays), as_of=dt.date(2026, 1, 31), settled_on=dt.date(2026, 1, 28))
    >>> card.headline
    'Outcomes are settled up to 28 January 2026, 3 days before the as-of date.'
    """
    lag = (as_of - settled_on).days
    before = "the as-of date itself" if lag == 0 else f"{count(lag, 'day')} before the as-of date"
    headline = f"Outcomes are settled up to {day(settled_on)}, {before}."
    if isinstance(delay, Finding):
        return Finding("settled", headline, delay.headline, "described")
    if COARSENED in delay.meta.note:
        detail = "How many are recorded within that lag is left out of a shared report, whose curves are coarser."
        return Finding("settled", headline, f"{detail} {THERE}", "described", "recording_delay")
    shares = []
    for outcome, rows in delay.frame.groupby("outcome", sort=False):
        within = rows[rows["time"] <= lag]
        if len(within):
            row = within.sort_values("time").iloc[-1]
            n = int(rows["cum_event"].max())
            share = share_with_interval(float(row["estimate"]), float(row["conf_low"]), float(row["conf_high"]), n)
            shares.append(f"{outcome_words(str(outcome))} {share}, n {n:,}")
    detail = f"Recorded within {count(lag, 'day')} of closing: {'; '.join(shares)}." if shares else ""
    return Finding("settled", headline, f"{detail} {THERE}".strip(), "described", "recording_delay")
