"""Fiscal quarters: their days, their names, and the way around them."""

import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from analytics.records.calendar import FiscalCalendar, Quarter
from analytics.records.errors import InputError

D = dt.date
RETAIL = {"month": 1, "weekday": "saturday", "rule": "nearest"}
NRF = FiscalCalendar(weeks="4-5-4", year_named_by="start", year_ends=RETAIL)
CALENDARS = [
    FiscalCalendar(),
    FiscalCalendar(start_month=2),
    FiscalCalendar(start_month=7, year_named_by="start"),
    FiscalCalendar(weeks="4-5-4", year_ends=RETAIL),
    FiscalCalendar(weeks="4-4-5", year_ends={"month": 12, "weekday": "friday", "rule": "last"}),
    FiscalCalendar(weeks="5-4-4", year_named_by="start", year_ends={"month": 9, "weekday": "Saturday"}),
]
a_day = st.dates(D(2000, 1, 1), D(2090, 12, 31))
calendars = st.sampled_from(CALENDARS)


@pytest.mark.parametrize(
    ("calendar", "name", "start", "end"),
    [
        (FiscalCalendar(), "2025Q4", D(2025, 10, 1), D(2025, 12, 31)),
        (FiscalCalendar(), "fy25-q4", D(2025, 10, 1), D(2025, 12, 31)),
        (FiscalCalendar(), "2024Q1", D(2024, 1, 1), D(2024, 3, 31)),
        (FiscalCalendar(start_month=2), "FY26Q1", D(2025, 2, 1), D(2025, 4, 30)),
        (FiscalCalendar(start_month=2), "2026Q4", D(2025, 11, 1), D(2026, 1, 31)),
        (FiscalCalendar(start_month=2, year_named_by="start"), "FY25Q1", D(2025, 2, 1), D(2025, 4, 30)),
        (FiscalCalendar(start_month=10), "FY25Q1", D(2024, 10, 1), D(2024, 12, 31)),
        (FiscalCalendar(start_month=12), "FY24Q1", D(2023, 12, 1), D(2024, 2, 29)),
        # The National Retail Federation's 4-5-4 calendar: fiscal 2023 had 53 weeks and ended on 3 February 2024.
        (NRF, "FY23Q4", D(2023, 10, 29), D(2024, 2, 3)),
        (NRF, "FY24Q1", D(2024, 2, 4), D(2024, 5, 4)),
        (FiscalCalendar(weeks="4-5-4", year_ends=RETAIL), "FY24Q4", D(2023, 10, 29), D(2024, 2, 3)),
        # A year ending on the Saturday nearest to 31 December 2010 ended in January 2011, and is still 2010.
        (
            FiscalCalendar(weeks="4-4-5", year_ends={"month": 12, "weekday": "saturday", "rule": "nearest"}),
            "FY10Q4", D(2010, 10, 3), D(2011, 1, 1),
        ),
        # Apple's years end on the last Saturday of September: fiscal 2023 had 53 weeks.
        (
            FiscalCalendar(weeks="5-4-4", year_ends={"month": 9, "weekday": "saturday", "rule": "last"}),
            "FY23Q4", D(2023, 6, 25), D(2023, 9, 30),
        ),
    ],
)  # fmt: skip
def test_quarter_has_the_published_days(calendar, name, start, end):
    quarter = calendar.quarter(name)
    assert (quarter.start, quarter.end) == (start, end)
    assert quarter.days == (end - start).days + 1


@pytest.mark.parametrize("name", ["2025", "2025Q5", "2025Q0", "Q4", "2025-10", "", "20255Q1", "FY2Q1"])
def test_not_a_quarter(name):
    with pytest.raises(InputError, match="Write it like FY26Q1"):
        FiscalCalendar(start_month=2).quarter(name)


@given(calendars, a_day)
def test_every_day_belongs_to_one_quarter(calendar, day):
    quarter = calendar.quarter_of(day)
    assert day in quarter
    assert calendar.quarter(quarter.name) == quarter
    assert calendar.quarter_of(quarter.start) == calendar.quarter_of(quarter.end) == quarter
    assert calendar.shift(quarter, 1).start == quarter.end + dt.timedelta(days=1)
    assert calendar.shift(quarter, -1).end == quarter.start - dt.timedelta(days=1)


@given(calendars, a_day, st.integers(-20, 20))
def test_shift_there_and_back(calendar, day, n):
    quarter = calendar.quarter_of(day)
    assert calendar.shift(calendar.shift(quarter, n), -n) == quarter
    assert calendar.shift(quarter, 4).name[-2:] == quarter.name[-2:]


@given(calendars, a_day)
def test_latest_complete_is_over(calendar, day):
    quarter = calendar.latest_complete(day)
    assert quarter.end <= day
    assert calendar.shift(quarter, 1).end > day


@given(calendars, a_day)
def test_months_fill_the_quarter(calendar, day):
    quarter = calendar.quarter_of(day)
    months = calendar.months(quarter)
    assert len(months) == 3
    assert (months[0][0], months[-1][1]) == (quarter.start, quarter.end)
    assert all(later[0] == earlier[1] + dt.timedelta(days=1) for earlier, later in itertools.pairwise(months))
    if calendar.weeks is not None:
        weeks = tuple(((end - start).days + 1) // 7 for start, end in months)
        extra = quarter.days // 7 - 13
        first, second, third = (int(n) for n in calendar.weeks.split("-"))
        assert weeks == (first, second, third + extra)
        assert extra in ((0, 1) if quarter.name.endswith("Q4") else (0,))


def test_quarters_compare_by_their_days():
    assert Quarter("FY99Q4", D(1999, 10, 1), D(1999, 12, 31)) < Quarter("FY00Q1", D(2000, 1, 1), D(2000, 3, 31))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"weeks": "4-4-5"}, "belong together"),
        ({"year_ends": RETAIL}, "belong together"),
        ({"weeks": "4-4-5", "year_ends": RETAIL, "start_month": 7}, "contradicts"),
        ({"weeks": "4-4-5", "year_ends": {"month": 1, "weekday": "caturday"}}, "saturday"),
        ({"start_month": 13}, "less than or equal to 12"),
        ({"start": 2}, "Extra inputs"),
    ],
)
def test_calendar_says_what_is_wrong(fields, says):
    with pytest.raises(ValidationError, match=says):
        FiscalCalendar(**fields)
