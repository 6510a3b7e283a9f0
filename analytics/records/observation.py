"""From which day on were deals watched: exports that lack what ended early, and analyses that begin late."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from analytics.records.contract import History
from analytics.records.late_start import SURE, expected_before, late_start
from analytics.records.lives import deal_spans, first_lives, states_known
from analytics.records.period import restrict_to_period

CloseDate = Literal["typed", "recorded"]


@dataclass(frozen=True)
class Observation:
    """From when deals were watched, and how that is known.

    Attributes
    ----------
    observed_from : datetime.date or None
        Deals that ended before this day are absent from the extract; None where nothing says so.
    how_known : str
        The evidence, in a sentence.
    seen : int or None
        How many deals that ended before the day are there all the same, where the day is told from the pace of closing.
    """

    observed_from: dt.date | None
    how_known: str
    seen: int | None = None


def observed_since(history: History, *, as_of: dt.date, close_date: CloseDate = "typed") -> Observation:
    """Are deals that ended before some day absent from the extract?

    Parameters
    ----------
    history : History
        What was recorded.
    as_of : datetime.date
        Only what was recorded by the end of this day is looked at.
    close_date : {"typed", "recorded"}
        The day on which a deal counts as closed, as in `Definitions`.

    Returns
    -------
    Observation
        The day to set as `observed_from`; the numbers of a study change only where the params set it.

    Notes
    -----
    Two kinds of evidence. Deals that the first record of all shows as closed already, with no closing date, ended on
    days that nobody knows: observation begins on the day after. Else the pace of closing (`late_start`): deals had been
    opened before the day and lived past it, and none had closed where many should have. An extract without deals opened
    before its first closings cannot be told from a young company, which is the same thing; nor can absent deals from a
    time in which deals moved far more slowly. Where closings come in large batches (quarter ends) even many absent
    deals prove nothing, and the sentence says so. The day is that of the first closing seen: with few deals it lies
    later than the true one (with 600 deals by a day, as a rule).

    Examples
    --------
    >>> days = pd.date_range("2024-01-01", periods=400)
    >>> opened = pd.DataFrame({"deal_id": range(400), "opened_on": days, "sequence": 0, "status": "open"})
    >>> ended = opened.assign(recorded_on=days + pd.to_timedelta([5, 40] * 200, unit="D"), status="closed_won")
    >>> ended = ended[ended["recorded_on"] >= "2024-06-02"].assign(sequence=1)
    >>> table = pd.concat([opened.assign(recorded_on=days), ended])
    >>> table = table[table["deal_id"].isin(ended["deal_id"])]
    >>> observed_since(History(table=table), as_of=dt.date(2025, 6, 1)).observed_from
    datetime.date(2024, 6, 2)
    """
    lives = first_lives(states_known(history, as_of), as_of, close_date)
    if not len(lives):
        return Observation(None, "There is no deal with usable dates.")
    return observed_in(history, lives)


def observed_in(history: History, lives: pd.DataFrame) -> Observation:
    """Return the same as `observed_since`, of lives that are at hand."""
    undated = _undated_at_start(history, lives)
    if undated is not None:
        return undated
    spans = deal_spans(lives, lives["closed"])
    found = late_start(spans)
    if found is None:
        opened, closed = lives["opened"].min(), lives["closed"].min()
        if pd.isna(closed):
            return Observation(None, "No deal has closed, so there is nothing to tell it from.")
        began = f"The first deal was opened on {opened:%Y-%m-%d} and the first closed on {closed:%Y-%m-%d}"
        return Observation(None, f"{began}; before that, {_unseen(spans, closed.date())}.")
    since = pd.Timestamp(found.since)
    waited = (lives["closed"] - lives["opened"])[lives["closed"] >= since].dt.days
    usual = int(waited.median())
    old = int((lives["opened"] < since - pd.Timedelta(days=usual)).sum())
    had = "none had closed" if not found.seen else f"only {found.seen:,} had closed"
    return Observation(
        found.since,
        f"{int((lives['opened'] < since).sum()):,} deals had been opened before {found.since}, {old:,} of them more "
        f"than {usual} days, and {had}, where {about(found.expected)} at the pace seen since. "
        "Or deals moved far more slowly then, which looks the same.",
        found.seen,
    )


def _unseen(spans: pd.DataFrame, first: dt.date) -> str:
    """Say what it means that nothing closed before the first closing, where that proves nothing."""
    due = expected_before(spans, first)
    if due < 1:
        return f"{about(due)} at the pace seen since, which says nothing of missing deals"
    if due >= SURE:  # else `late_start` would have found the day
        return (
            f"{about(due)} at the pace seen since; but closings come in batches, so it cannot be told whether deals "
            "that ended earlier are absent: ask whoever made the export"
        )
    return f"{about(due)} at the pace seen since, too few to tell whether deals that ended earlier are absent"


def _undated_at_start(history: History, lives: pd.DataFrame) -> Observation | None:
    """Deals that were closed already when recording began, on days that nobody wrote down."""
    if history.kind != "recorded":
        return None
    first = lives["first_recorded"].min()
    undated = (lives["closed_recorded"] == first) & ~lives["typed"] & (lives["opened"] < first)
    n = int(undated.sum())
    if n < max(5, 0.01 * int(lives["closed"].notna().sum())):
        return None
    since = (first + pd.Timedelta(days=1)).date()
    return Observation(
        since,
        f"{n:,} deals were already closed in the first record of all, of {first:%Y-%m-%d}, without a closing date: "
        "they ended on days that nobody knows.",
    )


def about(number: float) -> str:
    """Say an expected number in words.

    Examples
    --------
    >>> about(31.2), about(0.4)
    ('about 31 would be expected', 'fewer than 1 would be expected')
    """
    return "fewer than 1 would be expected" if number < 1 else f"about {number:,.0f} would be expected"


def agreement(found: Observation, stated: dt.date | None) -> str:
    """Say whether the params' `observed_from` agrees with what the records show, in a sentence.

    Examples
    --------
    >>> agreement(Observation(dt.date(2017, 3, 1), ""), None)
    'Deals that ended before 2017-03-01 seem to be absent; set observed_from: "2017-03-01".'
    >>> agreement(Observation(dt.date(2017, 3, 1), "", seen=2), None).partition("absent ")[2].partition(".")[0]
    '(2 that ended before it are there), or deals moved far more slowly then'
    """
    day = found.observed_from
    if day is None and stated is None:
        return "Nothing says that deals are absent."
    if stated is None:
        absent = f"Deals that ended before {day} seem to be absent"
        if found.seen is None:
            return f'{absent}; set observed_from: "{day}".'
        there = f" ({found.seen:,} that ended before it are there)" if found.seen else ""
        return f'{absent}{there}, or deals moved far more slowly then. If they are absent, set observed_from: "{day}".'
    said = f"The params say observed_from: {stated}"
    if day is None:
        return f"{said}, and nothing in the records says that deals are absent before it."
    return f"{said}, and the records agree." if day == stated else f"{said}; the records speak for {day}."


def enter_late(deals: pd.DataFrame, *, since: dt.date) -> pd.DataFrame:
    """Which deals can be followed with a field that is recorded only since a day?

    Parameters
    ----------
    deals : pandas.DataFrame
        Deals frame: `opened_on`, `entry`, `exit`, `outcome`, and any other columns.
    since : datetime.date
        The field's `trusted_from`.

    Returns
    -------
    pandas.DataFrame
        The deals at risk on or after the day, each with an `entry` no earlier than `(since - opened_on) - 1`. A deal
        that was over before has no day on which the field could be read, and is not there: it stays in every analysis
        that does not use the field, because its outcome is good.

    Notes
    -----
    A view of Deals, as `restrict_to_period` is. Deals opened earlier are the survivors of their cohort, so from the
    field's start on they stand for deals of their age, and not for their cohort.

    Raises
    ------
    ValueError
        When a needed column is missing.

    Examples
    --------
    >>> deals = pd.DataFrame({"opened_on": pd.to_datetime(["2025-01-01", "2025-01-01"]), "entry": -1,
    ...                       "exit": [30, 5], "outcome": ["won", "lost"]})
    >>> enter_late(deals, since=dt.date(2025, 1, 11))[["entry", "exit", "outcome"]].values.tolist()
    [[9, 30, 'won']]
    """
    return restrict_to_period(deals, start=since)
