"""What a simulated company is made of: every number that the simulator uses, stated and checked."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from analytics.records.calendar import FiscalCalendar, Quarter
from analytics.records.sources.simulated.reasons import ReasonModel

CAUSES = ("won", "lost", "no_decision", "stalled")
"""How a deal's life ends; `stalled` is the no decision that nobody says: the buyer falls silent, the deal stays on."""

MAX_AGE = 1460
"""Lives are followed for four years; what is still alive then (about 1 in 1,000) never ends."""

EPOCH = dt.date(1970, 1, 1)

_CLOSED = ConfigDict(frozen=True, extra="forbid")


def day_number(day: dt.date) -> int:
    """Days since 1970-01-01, the simulator's own calendar (the integer inside `datetime64[D]`).

    Examples
    --------
    >>> day_number(dt.date(1970, 1, 11))
    10
    """
    return (day - EPOCH).days


class Effect(BaseModel):
    """Factors on the daily hazards of the four causes (1 = no effect)."""

    model_config = _CLOSED
    won: float = Field(default=1.0, ge=0)
    lost: float = Field(default=1.0, ge=0)
    no_decision: float = Field(default=1.0, ge=0)
    stalled: float = Field(default=1.0, ge=0)

    def factors(self) -> npt.NDArray[np.float64]:
        """The four factors in the order of `CAUSES`."""
        return np.array([getattr(self, cause) for cause in CAUSES])


class Level(Effect):
    """One level of a factor (a source, a segment, …): its share of openings and its effect."""

    share: float = Field(gt=0)


class Baseline(BaseModel):
    """Daily hazards by age: piecewise constant, from each age in `ages` on; deals of every reference level."""

    model_config = _CLOSED
    ages: tuple[int, ...] = (0, 15, 45, 90, 150, 240, 400)
    won: tuple[float, ...] = (0.0001, 0.0011, 0.0033, 0.0044, 0.0034, 0.0018, 0.0007)
    lost: tuple[float, ...] = (0.0006, 0.0014, 0.0017, 0.0016, 0.0012, 0.0008, 0.0005)
    no_decision: tuple[float, ...] = (0.0002, 0.0011, 0.0022, 0.0031, 0.0034, 0.0030, 0.0020)
    stalled: tuple[float, ...] = (0.0005, 0.0012, 0.0016, 0.0017, 0.0016, 0.0013, 0.0010)

    @model_validator(mode="after")
    def _complete(self) -> Baseline:
        if self.ages[:1] != (0,) or list(self.ages) != sorted(set(self.ages)):
            raise ValueError("ages must begin with 0 and increase")
        if any(len(getattr(self, cause)) != len(self.ages) for cause in CAUSES):
            raise ValueError(f"each cause needs {len(self.ages)} hazards, one per age")
        return self


class Rhythm(BaseModel):
    """Effects of the calendar: weekdays, the days around a quarter's end, and single quarters.

    Hazards of every cause are `weekday` from Monday to Friday and `weekend` otherwise (averaging 1 over a week); the
    hazard of winning is `quarter_end` in the last and `quarter_start` in the first `edge_days` of a quarter.
    """

    model_config = _CLOSED
    weekday: float = 1.36
    weekend: float = 0.1
    edge_days: int = 14
    quarter_end: float = 1.6
    quarter_start: float = 0.7
    quarters: dict[str, Effect] = {
        "2023Q2": Effect(won=0.92), "2024Q1": Effect(no_decision=1.15, stalled=1.1), "2024Q3": Effect(lost=1.1),
        "2025Q2": Effect(won=1.06), "2025Q4": Effect(won=0.97),
    }  # fmt: skip


class Delay(BaseModel):
    """Days from the end of a deal to its recording: none for a share `prompt`, else 1 + geometric(1 / mean_days)."""

    model_config = _CLOSED
    prompt: float = Field(ge=0, le=1)
    mean_days: float = Field(default=1.0, ge=1)


class Recording(BaseModel):
    """What the CRM makes of a deal's life: how late, how truthfully, and what is never recorded.

    `typed_right` is the share of closings whose typed close date is the true day (else the day of recording);
    `zeroed_at_loss` the share of lost deals whose amount is set to 0; `reopened` the share of lost or undecided deals
    that come back; `woken` the share of stalled deals that are closed after all, of which `woken_won` are won;
    `pushed_by_habit` the share of stalled deals whose close date somebody keeps pushing.
    """

    model_config = _CLOSED
    won: Delay = Delay(prompt=0.92, mean_days=2)
    lost: Delay = Delay(prompt=0.4, mean_days=14)
    no_decision: Delay = Delay(prompt=0.35, mean_days=14)
    typed_right: float = Field(default=0.9, ge=0, le=1)
    zeroed_at_loss: float = Field(default=0.3, ge=0, le=1)
    reopened: float = Field(default=0.04, ge=0, le=1)
    reopened_won: float = Field(default=0.35, ge=0, le=1)
    woken: float = Field(default=0.1, ge=0, le=1)
    woken_won: float = Field(default=0.35, ge=0, le=1)
    pushed_by_habit: float = Field(default=0.4, ge=0, le=1)
    born_closed: float = Field(default=0.02, ge=0, lt=1)


class Selling(BaseModel):
    """The people: `seats` filled one after the other; newcomers win less for their first `ramp_days`.

    `spread` is the standard deviation (log scale) of what a seller adds to or takes from the hazard of winning.
    """

    model_config = _CLOSED
    seats: int = Field(default=14, ge=1)
    tenure_days: int = Field(default=620, ge=60)
    gap_days: int = Field(default=25, ge=0)
    ramp_days: int = Field(default=120, ge=0)
    ramp_effect: Effect = Effect(won=0.7)
    spread: float = Field(default=0.15, ge=0)


class Forecasting(BaseModel):
    """What sellers submit: booked amount of the quarter x bias x log-normal noise of mean 1.

    A submission's expectation is thus `commit_bias` or `best_case_bias` times what the seller will have booked by the
    quarter's end; the noise (`noise`, one standard deviation per submission day) shrinks as the quarter goes on.
    """

    model_config = _CLOSED
    commit_bias: float = 1.1
    best_case_bias: float = 1.4
    on_days: tuple[int, ...] = (14, 45, 75)
    noise: tuple[float, ...] = (0.35, 0.25, 0.12)
    quota: float = 260_000.0


class SimulationConfig(BaseModel):
    """A company with known truth: which deals open, what ends them, and how that is recorded.

    Parameters
    ----------
    deals : int
        Deals that are opened over the quarters.
    accounts : int
        Accounts they belong to; every account has its segment, region and frailty (`account_spread`: the standard
        deviation, on the log scale, of the account's factor on the hazard of winning; the factor's mean is 1).
    first_quarter, quarters : str, int
        Calendar quarters in which deals open; `growth` is the factor on openings from one quarter to the next.
    extract_on : datetime.date
        The day of the export: nothing recorded later is in it.
    sources, segments, regions, deal_types : dict of Level
        Levels with their shares of openings and their factors on the hazards.
    source_mix : dict
        Quarter -> shares of the sources of deals opened in it, where they differ from the sources' own shares.
    in_scope : tuple of str
        Deal types that the truths are about.

    Examples
    --------
    >>> config = SimulationConfig(deals=500, accounts=200)
    >>> config.start, config.end, len(config.calendar_quarters())
    (datetime.date(2022, 10, 1), datetime.date(2026, 1, 31), 14)
    """

    model_config = _CLOSED
    deals: int = Field(default=2800, ge=1)
    accounts: int = Field(default=1000, ge=1)
    account_spread: float = Field(default=0.5, ge=0)
    first_quarter: str = "2022Q4"
    quarters: int = Field(default=14, ge=1)
    growth: float = Field(default=1.05, gt=0)
    extract_on: dt.date = dt.date(2026, 1, 31)
    baseline: Baseline = Baseline()
    rhythm: Rhythm = Rhythm()
    recording: Recording = Recording()
    reasons: ReasonModel = ReasonModel()
    selling: Selling = Selling()
    forecasting: Forecasting = Forecasting()
    sources: dict[str, Level] = {
        "Inbound": Level(share=0.35), "Outbound": Level(share=0.27, won=0.75, no_decision=1.15, stalled=1.25),
        "Partner": Level(share=0.16, won=1.3, lost=0.9), "Referral": Level(share=0.1, won=1.6, stalled=0.7),
        "RFP": Level(share=0.12, won=0.4, lost=5.0, no_decision=0.6, stalled=0.3),
    }  # fmt: skip
    source_mix: dict[str, dict[str, float]] = {
        "2025Q4": {"Inbound": 0.2, "Outbound": 0.15, "Partner": 0.09, "Referral": 0.06, "RFP": 0.5},
        "2026Q1": {"Inbound": 0.2, "Outbound": 0.15, "Partner": 0.09, "Referral": 0.06, "RFP": 0.5},
    }
    segments: dict[str, Level] = {
        "SMB": Level(share=0.5, won=1.15, lost=1.1), "Mid-Market": Level(share=0.32),
        "Enterprise": Level(share=0.18, won=0.75, lost=0.8, no_decision=0.9),
    }  # fmt: skip
    regions: dict[str, Level] = {
        "Americas": Level(share=0.52), "EMEA": Level(share=0.33, won=0.95, no_decision=1.1),
        "APAC": Level(share=0.15, won=0.9, lost=1.1),
    }  # fmt: skip
    deal_types: dict[str, Level] = {
        "New Business": Level(share=0.86),
        "Renewal": Level(share=0.14, won=3.5, lost=0.7, no_decision=0.3, stalled=0.3),
    }
    in_scope: tuple[str, ...] = ("New Business",)
    report_in: str = "USD"
    eur_rate: float = Field(default=1.08, gt=0)

    @model_validator(mode="after")
    def _known(self) -> SimulationConfig:
        names = {quarter.name for quarter in self.calendar_quarters()}
        for quarter, mix in self.source_mix.items():
            if set(mix) != set(self.sources):
                raise ValueError(f"source_mix of {quarter} must name the sources {sorted(self.sources)}")
        if not set(self.in_scope) <= set(self.deal_types) or not self.in_scope:
            raise ValueError(f"in_scope must name deal types of {sorted(self.deal_types)}")
        if self.first_quarter not in names:
            raise ValueError(f"{self.first_quarter!r} is no calendar quarter such as 2022Q4")
        if self.extract_on < self.start:
            raise ValueError(f"extract_on {self.extract_on} lies before the first quarter")
        return self

    def calendar_quarters(self) -> tuple[Quarter, ...]:
        """Return the quarters in which deals open."""
        calendar = FiscalCalendar()
        first = calendar.quarter(self.first_quarter)
        return tuple(calendar.shift(first, n) for n in range(self.quarters))

    @property
    def start(self) -> dt.date:
        """First day on which a deal may open."""
        return self.calendar_quarters()[0].start

    @property
    def end(self) -> dt.date:
        """Last day on which a deal may open: the last quarter's end, or the extract if that is earlier."""
        return min(self.calendar_quarters()[-1].end, self.extract_on)

    def factor(self, name: str) -> dict[str, Level]:
        """Return the levels of `source`, `segment`, `region` or `deal_type`."""
        levels: dict[str, Level] = getattr(self, f"{name}s")
        return levels

    def changed(self, **changes: Any) -> SimulationConfig:
        """Return a checked copy with some fields replaced."""
        return SimulationConfig.model_validate({**dict(self), **changes})

    @property
    def hash(self) -> str:
        """Short SHA-256 of every number in the configuration."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]
