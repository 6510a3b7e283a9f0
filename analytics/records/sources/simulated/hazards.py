"""The hazards themselves: one function that the simulation draws from and the truth integrates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.records.calendar import FiscalCalendar
from analytics.records.sources.simulated.config import CAUSES, EPOCH, MAX_AGE, SimulationConfig, day_number
from analytics.records.sources.simulated.draws import Bools, Draws, Floats, Ints

WON = CAUSES.index("won")
SWEEP = 8
LARGEST = 0.95
"""No day ends more than this share of the deals alive; only absurd configurations reach it."""


@dataclass(frozen=True)
class Hazards:
    """Cause-specific daily hazards: by age (`baseline`, MAX_AGE x 4) times the calendar's (`calendar`, days x 4)."""

    baseline: Floats
    calendar: Floats
    first_day: int

    def on(self, age: int, days: Ints, factors: Floats) -> Floats:
        """Return the hazards of deals that are `age` days old on these days, one row each (columns: `CAUSES`).

        Notes
        -----
        h_k(age, day, x) = baseline_k(age) * calendar_k(day) * factor_k(x); the probability to end that day by cause k
        given that the deal was still alive at its beginning.
        """
        hazard: Floats = self.baseline[age] * self.calendar[days - self.first_day] * factors
        total = hazard.sum(axis=1)
        if len(total) and total.max() > LARGEST:
            hazard *= (LARGEST / np.maximum(total, LARGEST))[:, None]
        return hazard


def hazards(config: SimulationConfig) -> Hazards:
    """Return the company's hazards by age and day.

    Examples
    --------
    >>> model = hazards(SimulationConfig())
    >>> model.on(60, np.array([model.first_day]), np.ones((1, 4))).round(5).tolist()
    [[0.00023, 0.00017, 0.00022, 0.00016]]
    """
    ages = np.searchsorted(np.array(config.baseline.ages), np.arange(MAX_AGE), side="right") - 1
    baseline = np.column_stack([np.array(getattr(config.baseline, cause))[ages] for cause in CAUSES])
    first = day_number(config.start)
    days = first + np.arange(day_number(config.end) - first + MAX_AGE + 1)
    return Hazards(baseline, _calendar(config, days), first)


def _calendar(config: SimulationConfig, days: Ints) -> Floats:
    rhythm = config.rhythm
    factors = np.where(is_weekend(days), rhythm.weekend, rhythm.weekday)[:, None] * np.ones(len(CAUSES))
    dates = days.astype("datetime64[D]")
    begins = _quarter_starts(dates)
    ends = (begins.astype("datetime64[M]") + 3).astype("datetime64[D]")
    factors[(ends - dates).astype(int) <= rhythm.edge_days, WON] *= rhythm.quarter_end
    factors[(dates - begins).astype(int) < rhythm.edge_days, WON] *= rhythm.quarter_start
    for name, effect in rhythm.quarters.items():
        quarter = FiscalCalendar().quarter(name)
        inside = (days >= day_number(quarter.start)) & (days <= day_number(quarter.end))
        factors[inside] *= effect.factors()
    return factors


def _quarter_starts(dates: npt.NDArray[np.datetime64]) -> npt.NDArray[np.datetime64]:
    months = dates.astype("datetime64[M]").astype(int)
    return (months // 3 * 3).astype("datetime64[M]").astype("datetime64[D]")


def is_weekend(days: Ints) -> Bools:
    """Return whether each day is a Saturday or a Sunday.

    Examples
    --------
    >>> is_weekend(np.array([0, 2, 3, 4])).tolist()  # 1970-01-01 was a Thursday
    [False, True, True, False]
    """
    return np.asarray((days + EPOCH.weekday()) % 7 >= 5)


def lives(model: Hazards, opened: Ints, factors: Floats, draws: Draws) -> tuple[Ints, Ints]:
    """Draw how long each deal lives and what ends it.

    Parameters
    ----------
    model : Hazards
        The hazards.
    opened : array of int
        Day numbers of opening.
    factors : array of float
        One row of factors per deal (columns: `CAUSES`).
    draws : Draws
        Where the randomness comes from.

    Returns
    -------
    (age, cause)
        Age in days at the end and the position in `CAUSES`; (`MAX_AGE`, -1) for a deal that outlives the simulation.
    """
    age_at_end = np.full(len(opened), MAX_AGE, dtype=np.int64)
    cause = np.full(len(opened), -1, dtype=np.int64)
    alive, day, factor = np.arange(len(opened)), opened - model.first_day, np.array(factors, dtype=float)
    for age in range(MAX_AGE):
        if age % SWEEP == 0:
            # The dead stay in the arrays with hazard 0 for a while: moving the living every day would cost more.
            goes_on = cause[alive] < 0
            alive, day, factor = alive[goes_on], day[goes_on], factor[goes_on]
            if not len(alive):
                break
        daily = model.baseline[age] * model.calendar
        total = np.einsum("ij,ij->i", daily[day], factor)
        draw = draws.uniform(len(alive))
        ended = np.flatnonzero(draw < np.minimum(total, LARGEST))
        edges = np.cumsum(model.on(age, day[ended] + model.first_day, factor[ended]), axis=1)
        age_at_end[alive[ended]] = age
        cause[alive[ended]] = np.minimum((draw[ended, None] >= edges).sum(axis=1), len(CAUSES) - 1)
        factor[ended] = 0.0
        day += 1
    return age_at_end, cause
