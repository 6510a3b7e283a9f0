"""Which quarter is the latest, and as of which day, by hand from calendars."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from analytics.records.errors import InputError
from analytics.studies.schedule import quarter_asked


@pytest.fixture
def params(acme: Path) -> Path:
    return acme / "params" / "acme.yaml"


def told(params: Path, *lines: str) -> Path:
    params.write_text(params.read_text() + "\n".join(lines) + "\n")
    return params


@pytest.mark.parametrize(
    ("today", "quarter", "as_of"),
    [
        ("2025-10-30", "2025Q3", "2025-10-20"),
        ("2025-10-20", "2025Q3", "2025-10-20"),  # the day itself: as-of means its end, and the export is of that day
        ("2025-10-19", "2025Q2", "2025-07-20"),
        ("2026-01-20", "2025Q4", "2026-01-20"),
    ],
)
def test_the_latest_quarter_is_settled(params: Path, today: str, quarter: str, as_of: str) -> None:
    (params.parent / "acme-2025Q2.yaml").unlink()
    asked = quarter_asked(told(params, "settling_days: 20"), "latest", dt.date.fromisoformat(today))
    assert (asked.company, asked.quarter, asked.as_of.isoformat()) == ("acme", quarter, as_of)
    assert (asked.compare_to, asked.segments) == (None, None)


def test_the_latest_quarter_follows_the_fiscal_calendar(params: Path) -> None:
    """A year that ends in January: its fourth quarter ends on 31 January."""
    told(params, "settling_days: 14", "calendar: {start_month: 2}")
    asked = quarter_asked(params, "latest", dt.date(2026, 2, 14))
    assert (asked.quarter, asked.as_of) == ("FY26Q4", dt.date(2026, 2, 14))
    assert quarter_asked(params, "latest", dt.date(2026, 2, 13)).quarter == "FY26Q3"


def test_weeks_of_4_4_5_are_followed_too(params: Path) -> None:
    """From the last Saturday of January 2025 (the 25th) to that of 2026 (the 31st) are 53 weeks: the last has 14."""
    told(params, "settling_days: 0", "calendar: {weeks: 4-4-5, year_ends: {month: 1, weekday: saturday, rule: last}}")
    asked = quarter_asked(params, "latest", dt.date(2026, 1, 31))
    assert (asked.quarter, asked.as_of) == ("FY26Q4", dt.date(2026, 1, 31))
    before = quarter_asked(params, "latest", dt.date(2026, 1, 30))
    assert (before.quarter, before.as_of) == ("FY26Q3", dt.date(2025, 10, 25))


def test_a_quarters_own_file_decides(params: Path) -> None:
    asked = quarter_asked(told(params, "settling_days: 20"), "latest", dt.date(2025, 8, 1))
    assert (asked.quarter, asked.as_of, asked.segments) == ("2025Q2", dt.date(2025, 6, 30), ("region",))


def test_a_quarter_by_name(params: Path) -> None:
    told(params, "settling_days: 20")
    assert quarter_asked(params, "2024Q4", dt.date(2025, 8, 1)).as_of == dt.date(2025, 1, 20)
    with pytest.raises(InputError, match="2025Q3 is read at the end of 2025-10-20, 20 days after its last day, and th"):
        quarter_asked(params, "2025Q3", dt.date(2025, 10, 19))


def test_without_a_settling_delay_nothing_is_guessed(params: Path) -> None:
    with pytest.raises(InputError, match="Add settling_days, such as settling_days: 31"):
        quarter_asked(params, "latest", dt.date(2025, 8, 1))


def test_a_quarters_file_is_not_asked_for_another_quarter(params: Path) -> None:
    with pytest.raises(InputError, match=r"Try acme\.yaml, or leave --quarter out"):
        quarter_asked(params.parent / "acme-2025Q2.yaml", "latest", dt.date(2025, 8, 1))
