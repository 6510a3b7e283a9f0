"""How late outcomes are recorded, and from which date on the books are settled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.aalen_johansen import Rows, curve_of, greenwood_survival
from analytics.estimators.intervals import Interval, probability_interval
from analytics.estimators.result import Estimate, Meta
from analytics.records.errors import InputError

COLUMNS = ("outcome", "delay_days", "window_days")


def reporting_delay(delays: pd.DataFrame, *, conf_level: float = 0.95, interval: Interval = "log-log") -> Estimate:
    """What share of outcomes is in the books within d days of closing, seen only those that are in by now?

    Parameters
    ----------
    delays : pandas.DataFrame
        One row per recorded closing: `outcome`, `delay_days` (closing to recording, zero or more) and `window_days`
        (closing to as-of: the longest delay that could have been seen, so `delay_days <= window_days`).
    conf_level, interval
        As for `cumulative_incidence`.

    Returns
    -------
    Estimate
        Kind probability; keys `("outcome", "time")`, where `time` is d in days; one row per delay that occurred and for
        0. `n_risk` is the number of closings with a delay up to d that had a window of d days or more; `n_event` those
        recorded on day d; `cum_event` those within d days.

    Raises
    ------
    InputError
        Missing columns or values, negative delays, a delay longer than its window.

    Notes
    -----
    Delays are right-truncated: a closing that is recorded late is not seen yet. Reverse-time product limit, F(x) =
    product over delays u > x of 1 - d(u) / n(u), n(u) = number with delay <= u <= window; Lagakos, Barraj & De Gruttola
    (1988), Biometrika 75:515; Wang (1989), JASA 84:742. Variance F^2 sum over u > x of d / (n (n - d)). It is the
    distribution among closings recorded within the longest window seen: what takes longer than any window cannot be
    estimated. It assumes that delays do not change with the closing date. With no rows the result is empty and its note
    says so.

    Examples
    --------
    >>> delays = pd.DataFrame({"outcome": "lost", "delay_days": [0, 0, 3, 10], "window_days": [5, 30, 30, 30]})
    >>> reporting_delay(delays).frame[["time", "estimate"]].round(3).values.tolist()
    [[0.0, 0.444], [3.0, 0.667], [10.0, 1.0]]
    """
    _check(delays)
    parts = [_of_one(outcome, rows, conf_level, interval) for outcome, rows in delays.groupby("outcome", sort=True)]
    names = ["outcome", "time", "estimate", "std_error", "conf_low", "conf_high", "n_risk", "n_event", "cum_event"]
    empty = pd.DataFrame({name: pd.Series(dtype=float) for name in [*names, "no_interval_reason"]})
    frame = pd.concat(parts, ignore_index=True) if parts else empty
    longest = int(delays["window_days"].max()) if len(delays) else 0
    note = (
        f"Among closings recorded within {longest} days." if len(delays) else "No recording dates: nothing to estimate."
    )
    estimand = "share of closings recorded within so many days of closing (reverse-time product limit)"
    return Estimate(frame, Meta(
        kind="probability", estimand=estimand, keys=("outcome", "time"), n_deals=len(delays), conf_level=conf_level,
        interval=interval, variance="Greenwood in reverse time", time_unit="days after closing", note=note,
    ))  # fmt: skip


def settled_lag_days(estimate: Estimate, share: float = 0.95) -> int:
    """How many days before as-of are the books settled: `share` of every outcome recorded?

    Parameters
    ----------
    estimate : Estimate
        From `reporting_delay`.
    share : float
        The share that must have been recorded.

    Returns
    -------
    int
        The least number of days within which the estimated share is reached for each outcome, the slowest deciding; 0
        where there was nothing to estimate.

    Raises
    ------
    InputError
        A share outside (0, 1].

    Examples
    --------
    >>> delays = pd.DataFrame({"outcome": "lost", "delay_days": [0, 0, 3, 10], "window_days": [5, 30, 30, 30]})
    >>> settled_lag_days(reporting_delay(delays), share=0.6)
    3
    """
    if not 0 < share <= 1:
        raise InputError("share must lie above 0 and not above 1", value=share)
    reached = estimate.frame[estimate.frame["estimate"] >= share - 1e-12]
    return int(reached.groupby("outcome")["time"].min().max()) if len(reached) else 0


def _check(delays: pd.DataFrame) -> None:
    for name in COLUMNS:
        if name not in delays.columns:
            raise InputError(f"the delays have no column {name!r}", action=f"Give the columns {COLUMNS}")
        if delays[name].isna().any():
            raise InputError("a value is missing", column=name)
    wrong = (delays["delay_days"] < 0) | (delays["delay_days"] > delays["window_days"])
    if wrong.any():
        row = delays[wrong].iloc[0]
        raise InputError(f"{int(wrong.sum())} delays are negative or longer than their window, the first is "
                         f"{row['delay_days']} of {row['window_days']} days", column="delay_days")  # fmt: skip


def _of_one(outcome: Any, rows: pd.DataFrame, conf_level: float, interval: Interval) -> pd.DataFrame:
    """Kaplan-Meier with time reversed: entered at minus the window, ended at minus the delay."""
    delay = rows["delay_days"].to_numpy(dtype=np.int64)
    window = rows["window_days"].to_numpy(dtype=np.int64)
    one = np.ones(len(delay), dtype=np.int64)
    curve = curve_of(Rows(-window - 1, -delay, np.zeros(len(delay), dtype=np.int64), one, one, one), 1)
    estimate = curve.before[::-1]
    variance = np.concatenate(([0.0], greenwood_survival(curve)[:-1]))[::-1]
    scaled = np.divide(curve.n_risk, curve.before, out=np.full(len(curve.time), np.inf), where=curve.before > 0)
    n_eff = np.minimum.accumulate(scaled)[::-1]
    time, n_risk, n_event = -curve.time[::-1], curve.n_risk[::-1], curve.n_event[::-1, 0]
    cum_event = np.cumsum(n_event)
    if time[0] > 0:  # nothing was recorded on the day of closing
        time, estimate, variance = (np.insert(a, 0, 0) for a in (time, estimate, variance))
        n_risk, n_event, cum_event = (np.insert(a, 0, 0) for a in (n_risk, n_event, cum_event))
        estimate[0], n_eff = 0.0, np.insert(n_eff, 0, n_eff[0])
    std_error = np.sqrt(np.where((estimate > 0) & (estimate < 1), variance, 0.0))
    low, high = probability_interval(estimate, std_error, n_eff, conf_level=conf_level, interval=interval)
    return pd.DataFrame({
        "outcome": outcome, "time": time, "estimate": estimate, "std_error": std_error, "conf_low": low,
        "conf_high": high, "n_risk": n_risk, "n_event": n_event, "cum_event": cum_event, "no_interval_reason": "",
    })  # fmt: skip
