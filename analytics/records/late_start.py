"""From which day on is something recorded? Told from its pace: what should have happened before, and did not."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

SURE = 7.0
"""So many batches of events must have been expected where none was seen: by chance that happens once in 1,100 times.

A batch is as many events as usually come together: when a seller leaves, thirty deals change their owner.
"""

FEW = 0.1
"""At most this part of what was expected may have been seen (stray rows, typing errors)."""

_EARLIEST = 0.01
_MOST_DAYS = 60
_AT_RISK = 10
"""An age at which fewer were watched says nothing about the pace, and is taken for one at which nothing happens."""

_PERIOD = 30
_MOST_PERIODS = 60

Days = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LateStart:
    """A thing that was not recorded before the day `since`: `seen` before it, where about `expected` were to be."""

    since: dt.date
    seen: int
    expected: float


def late_start(spans: pd.DataFrame) -> LateStart | None:
    """Does a kind of event begin to be recorded on some day, although it must have happened before?

    The first days on which the event was seen are tried. For each, the pace of the event by age is estimated from what
    was watched from that day on (later entrants enter late), and says how many were to be expected before it.

    Parameters
    ----------
    spans : pandas.DataFrame
        One row per deal: `opened` (age 0), `watched` (first day on which the event could have been recorded), `left`
        (day of the event, else the last day watched), all datetime64; `happened` (bool).

    Returns
    -------
    LateStart or None
        The day with the most evidence, if at least `SURE` batches were expected before it and at most
        `FEW` of the expected events were seen.

    Notes
    -----
    Without a late start, what is expected before the first event is a standard exponential variable, whatever the pace
    (the compensator of a counting process; Andersen, Borgan, Gill & Keiding 1993, section II.4), so none seen where
    `SURE` were expected happens less than once in 1,000. The size of a batch is the dispersion of the counts of 30-day
    periods about their expectation (quasi-Poisson; McCullagh & Nelder 1989, section 6.2). It assumes that the pace
    depends on age alone: a company whose deals moved far more slowly in its first months looks the same. Events that
    come in large batches (closings at the ends of quarters) leave a real late start unseen, because few batches are
    expected before it. The day is that of the first event seen, so that with few deals it lies later than the true one.

    Examples
    --------
    >>> days = pd.date_range("2024-01-01", periods=400)
    >>> lasting = pd.to_timedelta([5, 40] * 200, unit="D")
    >>> spans = pd.DataFrame({"opened": days, "watched": days, "left": days + lasting, "happened": True})
    >>> late_start(spans) is None
    True
    >>> late_start(spans[spans["left"] >= "2024-06-02"]).since
    datetime.date(2024, 6, 2)
    """
    spans = spans[spans["left"].notna() & spans["opened"].notna() & (spans["left"] >= spans["opened"])]
    opened, watched, left, happened = _arrays(spans)
    if not happened.any():
        return None
    events = np.sort(left[happened])
    candidates = np.unique(events[: max(20, int(len(events) * _EARLIEST))])[:_MOST_DAYS]
    best, most = None, 0.0
    for since in candidates:
        seen = int(np.searchsorted(events, since, side="left"))
        expected = _expected_before(int(since), opened, watched, left, happened)
        # The log-likelihood ratio of a Poisson count: stray rows before the day take little from it.
        evidence = expected - seen + (seen * np.log(seen / expected) if seen and expected else 0.0)
        if expected >= SURE and seen <= FEW * expected and evidence > most:
            best, most = LateStart(_date(int(since)), seen, expected), evidence
    if best is None:
        return None
    batch = _batch(_number(best.since), opened, watched, left, happened)
    return best if best.expected / batch >= SURE else None


def expected_before(spans: pd.DataFrame, since: dt.date) -> float:
    """How many events would be expected before a day, at the pace seen from that day on?

    Parameters
    ----------
    spans : pandas.DataFrame
        As for `late_start`.
    since : datetime.date
        The day.

    Returns
    -------
    float
        The sum over deals of the cumulative hazard at the ages lived before the day (Nelson-Aalen, delayed entry).

    Examples
    --------
    >>> days = pd.to_datetime(["2025-01-01"] * 10 + ["2024-12-22"] * 10)
    >>> spans = pd.DataFrame({"opened": days, "watched": days, "left": days + pd.Timedelta(days=5), "happened": True})
    >>> expected_before(spans, dt.date(2025, 1, 1))
    10.0
    """
    return _expected_before(_number(since), *_arrays(spans))


def _expected_before(since: int, opened: Days, watched: Days, left: Days, happened: Flags) -> float:
    hazard = _cumulative_hazard(since, opened, watched, left, happened)
    return _lived(since, hazard, opened, watched, left)


def _lived(until: int, hazard: Floats, opened: Days, watched: Days, left: Days) -> float:
    """Sum the hazard over the ages at which deals were watched before a day."""
    before = (watched < until) & (left >= watched)
    to = np.minimum(left, until - 1)[before] - opened[before]
    from_ = watched[before] - 1 - opened[before]
    last = len(hazard) - 1
    # place 0 is the age of -1: nothing has happened yet
    return float((hazard[np.minimum(to + 1, last)] - hazard[np.minimum(from_ + 1, last)]).sum())


def _batch(since: int, opened: Days, watched: Days, left: Days, happened: Flags) -> float:
    """How many events come together: the dispersion of 30-day counts after `since`, at least 1."""
    hazard = _cumulative_hazard(since, opened, watched, left, happened)
    edges = np.arange(since, int(left.max()) + 31, _PERIOD)[-_MOST_PERIODS:]
    lived = np.array([_lived(int(edge), hazard, opened, watched, left) for edge in edges])
    expected, (seen, _) = np.diff(lived), np.histogram(left[happened], bins=edges)
    usable = expected >= 1
    if usable.sum() < 2:
        return 1.0
    off = (seen[usable] - expected[usable]) ** 2 / expected[usable]
    return max(1.0, float(off.sum() / (usable.sum() - 1)))


def _cumulative_hazard(since: int, opened: Days, watched: Days, left: Days, happened: Flags) -> Floats:
    """Nelson-Aalen by age (place 0: age -1), from what was watched on and after `since`."""
    after = (left >= since) & (left >= watched)
    if not after.any():
        return np.zeros(1)
    exits = left[after] - opened[after]
    entries = np.maximum(watched[after], since) - opened[after]
    ages = int(exits.max()) + 1
    entered = np.cumsum(np.bincount(entries, minlength=ages))
    gone = np.concatenate(([0], np.cumsum(np.bincount(exits, minlength=ages))[:-1]))
    at_risk = entered - gone
    events = np.bincount(exits[happened[after]], minlength=ages)
    steps = np.divide(events, at_risk, out=np.zeros(ages), where=at_risk >= _AT_RISK)
    return np.concatenate(([0.0], np.cumsum(steps)))


def _arrays(spans: pd.DataFrame) -> tuple[Days, Days, Days, Flags]:
    opened, watched, left = (_day_numbers(spans[name]) for name in ("opened", "watched", "left"))
    return opened, np.maximum(watched, opened), left, spans["happened"].to_numpy(dtype=bool)


def _day_numbers(days: pd.Series[pd.Timestamp]) -> Days:
    return np.asarray(pd.to_datetime(days).to_numpy(dtype="datetime64[D]").astype(np.int64), dtype=np.int64)


def _number(day: dt.date) -> int:
    return (day - dt.date(1970, 1, 1)).days


def _date(number: int) -> dt.date:
    return dt.date(1970, 1, 1) + dt.timedelta(days=number)
