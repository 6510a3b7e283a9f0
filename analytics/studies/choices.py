"""Whether what was asked for can be studied at all: the quarter, the as-of date, the scope, the segments."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from analytics.records.calendar import FiscalCalendar, Quarter
from analytics.records.definitions import Scope
from analytics.records.errors import InputError, nearest
from analytics.studies.cache import CachedHistory
from analytics.studies.params import CompanyParams

SEGMENT_COLUMNS = ("pipeline", "source", "owner_id", "team", "currency_original")
"""Columns of every Deals frame by which deals can be split, beside the declared attributes."""

_STALE_DAYS = 366


def quarter_checked(quarter: Quarter, as_of: dt.date) -> Quarter:
    """Return the quarter if it has begun by the as-of date.

    Raises
    ------
    InputError
        For a quarter in the future.
    """
    if quarter.start > as_of:
        raise InputError(
            f"the quarter begins on {quarter.start}, after the as-of date {as_of}", value=quarter.name,
            action="Choose an earlier quarter or a later as_of",
        )  # fmt: skip
    return quarter


def compared_quarters(calendar: FiscalCalendar, quarter: Quarter, names: Sequence[str] | None) -> tuple[Quarter, ...]:
    """Return the quarters to compare with: those named, else the one before and the same one a year ago.

    Raises
    ------
    InputError
        For a quarter that is not earlier, or is named twice.
    """
    if names is None:
        return calendar.shift(quarter, -1), calendar.shift(quarter, -4)
    quarters = tuple(calendar.quarter(name) for name in names)
    for other in quarters:
        if other.start >= quarter.start:
            raise InputError(
                f"{quarter.name} can only be compared with an earlier quarter", value=other.name,
                action="Correct compare_to",
            )  # fmt: skip
    if len(set(quarters)) < len(quarters):
        raise InputError("compare_to names a quarter twice", value=", ".join(names), action="Name each quarter once")
    return quarters


def as_of_checked(as_of: dt.date, params: CompanyParams, records: CachedHistory) -> None:
    """Check that something had been recorded by the as-of date, and that the export reaches it.

    Raises
    ------
    InputError
        Where there are no deals, the as-of date lies before the first record, after the day of the export where the
        params state it, or more than a year after the last record (deals would look silent because nobody looked).
    """
    first, last = records.first_record, records.known_to
    if first is None or last is None:
        raise InputError("the records hold no deals that can be used", action="See which rows were rejected and why")
    if as_of < first:
        raise InputError(
            f"nothing had been recorded by the as-of date {as_of}", action=f"The first record is of {first}"
        )
    exported = getattr(params.source, "extracted_on", None)
    if exported is not None and as_of > exported:
        raise InputError(
            f"the as-of date {as_of} lies after the day of the export, {exported}",
            action="Choose an as_of up to that day, or export again and correct source.extracted_on",
        )
    if (as_of - last).days > _STALE_DAYS:
        raise InputError(
            f"nothing was recorded in the year before the as-of date {as_of}; the last record is of {last}",
            action="Choose an earlier as_of, export again, or say with source.extracted_on when this was exported",
        )


def scope_checked(params: CompanyParams, records: CachedHistory) -> None:
    """Check that the company says which deals are studied; where it does not, list the values to choose from.

    Raises
    ------
    InputError
        With the values found, ready to paste; or naming a value to keep that no deal has.
    """
    scope = params.scope
    if scope is not None and scope.says_something:
        _kept_values_exist(scope, records)
        return
    from analytics.records.scope import require_scope

    require_scope(records.as_tables(), params.definitions)


def _kept_values_exist(scope: Scope, records: CachedHistory) -> None:
    for column, wanted in scope.keep.items():
        found = records.facts["values"].get(column)
        for value in () if found is None else wanted:
            if value not in found:
                raise InputError(
                    "no deal has this value, so scope.keep would keep nothing for it", column=column,
                    value="null" if value is None else value,
                    action=nearest(str(value), [text for text in found if text is not None]),
                )  # fmt: skip


def segments_checked(names: Sequence[str], records: CachedHistory, *, key: str = "") -> tuple[str, ...]:
    """Return the segments if they are columns of the records; `key` says where the params name them.

    Raises
    ------
    InputError
        Naming the nearest column.
    """
    known = (*records.facts["attributes"], *SEGMENT_COLUMNS)
    for name in names:
        if name not in known:
            where = f"{key}: " if key else ""
            raise InputError(f"{where}there is no column {name!r} to split deals by", action=nearest(name, known))
    return tuple(dict.fromkeys(names))
