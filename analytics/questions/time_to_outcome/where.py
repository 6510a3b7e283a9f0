"""Where deals end up by age: all of them with bands, and at the pace of each quarter; which quarters had openings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from analytics.estimators.bands import BAND_REPS, incidence_band
from analytics.estimators.bootstrap import DEFAULT_SEED
from analytics.estimators.bounds import incidence_bounds
from analytics.estimators.cell_deals import with_watched
from analytics.estimators.counts import RiskTable
from analytics.estimators.incidence import cumulative_incidence
from analytics.estimators.period_incidence import PERIOD_ESTIMAND, period_incidence
from analytics.estimators.result import Estimate, Finding
from analytics.estimators.watched import SMALLEST_CELL, at_risk_in, counted, last_day, not_studied
from analytics.questions.time_to_outcome.followed import Followed, followed
from analytics.records.calendar import FiscalCalendar, Quarter

ESTIMAND = "share of deals with each outcome by each age, deals still open counted (cumulative incidence)"


def incidence(
    deals: pd.DataFrame, *, settled_on: dt.date, horizon_days: int, reps: int = BAND_REPS, seed: int = DEFAULT_SEED
) -> Estimate | Finding:
    """What share of deals has been won, lost or ended in no decision by each age?

    Parameters
    ----------
    deals : pandas.DataFrame
        Deals frame, first episodes.
    settled_on : datetime.date
        Follow-up ends here.
    horizon_days : int
        Last age, in days after opening.
    reps, seed : int
        Draws of the multipliers behind the bands, and their seed.

    Returns
    -------
    Estimate or Finding
        Kind incidence, keys (outcome, time), whole days from 0; pointwise limits in `conf_low` and `conf_high`,
        `band_low` and `band_high` for the whole curve (empty before five deals had the outcome; absent where outcomes
        were not recorded, with `bound_low` and `bound_high` instead). A Finding where no deal was followed.

    Notes
    -----
    All deals on record together: it describes their history, not one quarter. Assumes that deals opened at different
    times end alike at the same age; `incidence_by_quarter` shows whether they do. Bands: `incidence_band`.

    References
    ----------
    Aalen & Johansen 1978, Scand J Stat 5:141.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": range(4), "opened_on": pd.Timestamp("2025-10-01"), "entry": -1,
    ...                       "exit": [3, 9, 9, 12], "outcome": ["won", "lost", "open", "won"]})
    >>> found = incidence(deals, settled_on=dt.date(2026, 1, 31), horizon_days=12, reps=50)
    >>> found.at(time=9)[["outcome", "estimate"]].values.tolist()
    [['won', 0.25], ['lost', 0.25], ['no_decision', 0.0]]
    """
    given = followed("incidence", deals, settled_on=settled_on, horizon_days=horizon_days, unrecorded=True)
    if isinstance(given, Finding):
        return given
    risk, days = counted(given.young), np.arange(given.age + 1, dtype=float)
    if "unknown" in risk.outcomes:
        curve = incidence_bounds(risk, times=days)
        note = f"{curve.meta.note} {given.note}".strip()
        return with_watched(curve.stamped(estimand=ESTIMAND, n_accounts=given.n_accounts, note=note), given.young)
    curve = cumulative_incidence(risk, times=days)
    frame = curve.frame.assign(band_low=np.nan, band_high=np.nan)
    for outcome, band in _bands(risk, given, (reps, seed)).items():
        mine = frame["outcome"] == outcome
        frame.loc[mine, ["band_low", "band_high"]] = band.reindex(frame.loc[mine, "time"]).to_numpy()
    note = f"{curve.meta.note} {given.note}".strip()
    meta = replace(curve.meta, estimand=ESTIMAND, n_accounts=given.n_accounts, note=note)
    return with_watched(Estimate(frame, meta), given.young)


def _bands(risk: RiskTable, given: Followed, how: tuple[int, int]) -> dict[str, pd.DataFrame]:
    """Limits of whole curves, day by day, from the first day by which five deals had each of their outcomes."""
    ages = {name: np.sort(given.young.loc[given.young["outcome"] == name, "exit"]) for name in given.outcomes}
    ages = {name: ended for name, ended in ages.items() if len(ended) >= SMALLEST_CELL}
    if not ages or (risk.n_accounts if risk.cluster else risk.n_deals) == 1:
        return {}
    start = max(float(ended[SMALLEST_CELL - 1]) for ended in ages.values())
    band = incidence_band(risk, between=(start, given.age), reps=how[0], seed=how[1])
    found, days = {}, np.arange(given.age + 1)
    for name in ages:
        limits = band.at(outcome=name).set_index("time")[["conf_low", "conf_high"]]
        found[name] = limits.reindex(np.union1d(limits.index, days)).ffill().loc[days]
    return found


def incidence_by_quarter(
    deals: pd.DataFrame, quarters: Sequence[Quarter], *, settled_on: dt.date, horizon_days: int
) -> Estimate | Finding:
    """Where would deals end up at the pace of each quarter, as it looks by now?

    Parameters
    ----------
    deals, settled_on, horizon_days
        As for `incidence`.
    quarters : sequence of Quarter
        One curve each, in this order; a quarter in which no deal was open, or nothing is settled, has none, and
        `meta.note` says so.

    Returns
    -------
    Estimate or Finding
        Kind incidence, keys (period, outcome, time), with `n_deals`; a Finding where no quarter has a curve.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": list("abc"), "opened_on": pd.to_datetime(["2025-10-01"] * 3), "entry": -1,
    ...                       "exit": [10, 20, 91], "outcome": ["won", "lost", "open"]})
    >>> quarter = Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))
    >>> pace = incidence_by_quarter(deals, [quarter], settled_on=quarter.end, horizon_days=30)
    >>> pace.at(period="2025Q4", outcome="won", time=30)["estimate"].round(3).tolist()
    [0.333]
    """
    found = {q.name: period_incidence(deals, q, settled_on=settled_on, horizon_days=horizon_days) for q in quarters}
    curves = {name: curve for name, curve in found.items() if isinstance(curve, Estimate) and len(curve.frame)}
    absent = [name for name in found if name not in curves]
    if not curves:
        said = next((answer for answer in found.values() if isinstance(answer, Finding)), None)
        return said or not_studied("incidence_by_quarter", "No quarter was named.")
    frame = pd.concat(
        [curve.frame.assign(period=name, n_deals=curve.meta.n_deals) for name, curve in curves.items()],
        ignore_index=True,
    )
    first = next(iter(curves.values())).meta
    notes = [f"{name}: {curve.meta.note}" for name, curve in curves.items() if curve.meta.note]
    notes += [f"{', '.join(absent)}: no deal was open in it, or nothing of it is settled."] if absent else []
    n_deals = max(curve.meta.n_deals for curve in curves.values())
    meta = replace(
        first, keys=("period", "outcome", "time"), n_deals=n_deals, note=" ".join(notes),
        n_accounts=None, estimand=PERIOD_ESTIMAND.replace("this quarter's", "a quarter's"),
    )  # fmt: skip
    watched = [
        at_risk_in(deals, q, last_day(q, settled_on), horizon_days=horizon_days).assign(period=q.name)
        for q in quarters
        if q.name in curves
    ]
    return with_watched(Estimate(frame, meta), pd.concat(watched, ignore_index=True), by=("period",))


def opening_quarters(
    deals: pd.DataFrame, calendar: FiscalCalendar, *, settled_on: dt.date, last: int = 6
) -> tuple[Quarter, ...]:
    """Give the last quarters in which deals were opened, oldest first, up to that of the settled date.

    Examples
    --------
    >>> deals = pd.DataFrame({"opened_on": pd.to_datetime(["2025-04-03", "2025-11-09"])})
    >>> found = opening_quarters(deals, FiscalCalendar(), settled_on=dt.date(2025, 12, 31), last=2)
    >>> [quarter.name for quarter in found]
    ['2025Q3', '2025Q4']
    """
    opened = pd.to_datetime(deals["opened_on"])
    opened = opened[opened <= pd.Timestamp(settled_on)]
    if not len(opened):
        return ()
    newest = calendar.quarter_of(opened.max().date())
    first = opened.min()
    chosen = [calendar.shift(newest, -back) for back in range(last - 1, -1, -1)]
    return tuple(quarter for quarter in chosen if pd.Timestamp(quarter.end) >= first)
