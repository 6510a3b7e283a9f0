"""Fiscal calendar: which days a quarter has, under any start month or a 4-4-5 year."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from analytics.records.errors import InputError

_DAY = dt.timedelta(days=1)
_NAME = re.compile(r"^\s*(?:FY)?[\s-]?(\d{4}|\d{2})[\s-]?Q([1-9])\s*$", re.IGNORECASE)
_WEEKS_IN_QUARTER = 13
_MONTH_WEEKS = {"4-4-5": (4, 4, 5), "4-5-4": (4, 5, 4), "5-4-4": (5, 4, 4)}

Weekday = Annotated[
    Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"],
    BeforeValidator(lambda value: value.strip().lower() if isinstance(value, str) else value),
]


@dataclass(frozen=True, order=True)
class Quarter:
    """A fiscal quarter: its name and its first and last day (both belong to it).

    Quarters compare by their days; the name is only how this company spells it.

    Examples
    --------
    >>> quarter = Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))
    >>> quarter.days, dt.date(2025, 12, 31) in quarter, str(quarter)
    (92, True, '2025Q4')
    """

    name: str = field(compare=False)
    start: dt.date
    end: dt.date

    @property
    def days(self) -> int:
        """How many days the quarter has."""
        return (self.end - self.start).days + 1

    def __contains__(self, day: dt.date) -> bool:
        return self.start <= day <= self.end

    def __str__(self) -> str:
        return self.name


class YearEnd(BaseModel):
    """On which weekday a 52/53-week year ends: the last one of a month, or the one nearest to the month's end."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    month: int = Field(ge=1, le=12)
    weekday: Weekday
    rule: Literal["last", "nearest"] = "last"

    def on(self, year: int) -> dt.date:
        """Last day of the fiscal year that nominally ends in `month` of `year`.

        Examples
        --------
        >>> YearEnd(month=12, weekday="saturday", rule="nearest").on(2010)
        datetime.date(2011, 1, 1)
        """
        month_end = dt.date(year, self.month, calendar.monthrange(year, self.month)[1])
        weekdays = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
        since = (month_end.weekday() - weekdays.index(self.weekday)) % 7
        # Seven is odd, so "nearest" is never a tie: up to 3 days back, otherwise forward.
        if self.rule == "nearest" and since > 3:
            since -= 7
        return month_end - since * _DAY


class FiscalCalendar(BaseModel):
    """Which days belong to a fiscal quarter, and what the quarter is called.

    Parameters
    ----------
    start_month : int, default 1
        First month of the fiscal year.
    year_named_by : {"end", "start"}, default "end"
        Whether the year that runs from February 2025 to January 2026 is FY26 or FY25.
    weeks : {"4-4-5", "4-5-4", "5-4-4"}, optional
        A year of 52 or 53 whole weeks, four quarters of 13 weeks; the 53rd week belongs to the last month of Q4.
    year_ends : YearEnd
        Required with `weeks`: month, weekday, and whether the year ends on the last such weekday of the month or on
        the one nearest to the month's last day.

    Notes
    -----
    Names are `2025Q4` for calendar quarters, otherwise `FY26Q1`; either spelling is understood, always in this
    company's fiscal years. Two digits mean 2000-2099.

    Raises
    ------
    InputError
        When a name is no quarter name.

    Examples
    --------
    >>> FiscalCalendar(start_month=2).quarter("FY26Q1")
    Quarter(name='FY26Q1', start=datetime.date(2025, 2, 1), end=datetime.date(2025, 4, 30))
    >>> FiscalCalendar().quarter_of(dt.date(2025, 12, 31)).name
    '2025Q4'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    start_month: int = Field(default=1, ge=1, le=12)
    year_named_by: Literal["start", "end"] = "end"
    weeks: Literal["4-4-5", "4-5-4", "5-4-4"] | None = None
    year_ends: YearEnd | None = None

    @model_validator(mode="after")
    def _weeks_need_a_year_end(self) -> FiscalCalendar:
        if (self.weeks is None) != (self.year_ends is None):
            raise ValueError(
                "weeks and year_ends belong together: give both (year_ends: {month, weekday, rule}) or none"
            )
        if self.year_ends is not None and self.start_month not in (1, self.year_ends.month % 12 + 1):
            raise ValueError(
                f"start_month {self.start_month} contradicts year_ends.month {self.year_ends.month}: leave it out"
            )
        return self

    def quarter(self, name: str) -> Quarter:
        """Look a quarter up by its name, in either spelling.

        Examples
        --------
        >>> FiscalCalendar().quarter("FY25Q4") == FiscalCalendar().quarter("2025Q4")
        True
        """
        match = _NAME.match(str(name))
        if match is None or match[2] not in "1234":
            example = self._spell(2026, 1)
            raise InputError(
                "is not the name of a quarter", column="quarter", value=name,
                action=f"Write it like {example} (year of the fiscal year, then Q1 to Q4)",
            )  # fmt: skip
        year = int(match[1]) + (2000 if len(match[1]) == 2 else 0)
        if not 1900 <= year <= 9000:
            raise InputError("is not a year that can be studied", column="quarter", value=name)
        return self._quarter(year, int(match[2]))

    def quarter_of(self, day: dt.date) -> Quarter:
        """Return the quarter that a day belongs to.

        Examples
        --------
        >>> FiscalCalendar(start_month=2).quarter_of(dt.date(2026, 1, 31)).name
        'FY26Q4'
        """
        return self._quarter(*self._position(day))

    def shift(self, quarter: Quarter, n: int) -> Quarter:
        """Return the quarter `n` quarters later (earlier when negative); -4 is the same quarter a year ago.

        Examples
        --------
        >>> calendar = FiscalCalendar()
        >>> calendar.shift(calendar.quarter("2025Q4"), -4).name
        '2024Q4'
        """
        year, number = self._position(quarter.start)
        index = year * 4 + number - 1 + n
        return self._quarter(index // 4, index % 4 + 1)

    def latest_complete(self, day: dt.date) -> Quarter:
        """Return the last quarter whose final day is `day` or earlier (as-of means the end of that day).

        Examples
        --------
        >>> FiscalCalendar().latest_complete(dt.date(2025, 12, 31)).name
        '2025Q4'
        >>> FiscalCalendar().latest_complete(dt.date(2025, 12, 30)).name
        '2025Q3'
        """
        quarter = self.quarter_of(day)
        return quarter if quarter.end <= day else self.shift(quarter, -1)

    def months(self, quarter: Quarter) -> tuple[tuple[dt.date, dt.date], ...]:
        """Return the first and last day of each of the quarter's three fiscal months.

        Examples
        --------
        >>> calendar = FiscalCalendar(weeks="4-4-5", year_ends={"month": 1, "weekday": "saturday"})
        >>> [(end - start).days // 7 + 1 for start, end in calendar.months(calendar.quarter("FY25Q1"))]
        [4, 4, 5]
        """
        if self.weeks is None:
            starts = [_add_months(quarter.start, n) for n in range(3)]
        else:
            first, second, _ = _MONTH_WEEKS[self.weeks]
            starts = [quarter.start, quarter.start + 7 * first * _DAY, quarter.start + 7 * (first + second) * _DAY]
        ends = [*(start - _DAY for start in starts[1:]), quarter.end]
        return tuple(zip(starts, ends, strict=True))

    def _position(self, day: dt.date) -> tuple[int, int]:
        # A fiscal year is named for one of its two calendar years and may start 3 days before its nominal month.
        for year in (day.year - 1, day.year, day.year + 1, day.year + 2):
            for number in (1, 2, 3, 4):
                if day in self._quarter(year, number):
                    return year, number
        raise AssertionError(f"no quarter holds {day}")

    def _quarter(self, year: int, number: int) -> Quarter:
        start = self._year_start(year)
        if self.weeks is None:
            first, following = _add_months(start, 3 * (number - 1)), _add_months(start, 3 * number)
        else:
            first = start + 7 * _WEEKS_IN_QUARTER * (number - 1) * _DAY
            last_quarter = number == 4
            following = self._year_start(year + 1) if last_quarter else first + 7 * _WEEKS_IN_QUARTER * _DAY
        return Quarter(self._spell(year, number), first, following - _DAY)

    def _year_start(self, year: int) -> dt.date:
        """First day of the fiscal year called `year`."""
        if self.year_ends is not None:
            ends_in = year if self.year_named_by == "end" or self.year_ends.month == 12 else year + 1
            return self.year_ends.on(ends_in - 1) + _DAY
        starts_in = year - 1 if self.year_named_by == "end" and self.start_month > 1 else year
        return dt.date(starts_in, self.start_month, 1)

    def _spell(self, year: int, number: int) -> str:
        if self.start_month == 1 and self.weeks is None:
            return f"{year}Q{number}"
        short = f"{year % 100:02d}" if 2000 <= year <= 2099 else str(year)
        return f"FY{short}Q{number}"


def _add_months(day: dt.date, months: int) -> dt.date:
    index = day.year * 12 + day.month - 1 + months
    return dt.date(index // 12, index % 12 + 1, 1)
