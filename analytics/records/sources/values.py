"""Texts to dates and flags: each distinct text is parsed once; what does not parse is left to the caller."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from analytics.records.errors import InputError

EMPTY_WORDS = ("nan", "null", "none", "n/a", "na", "#n/a", r"\n")
"""What exports write for no value, in any letter case; empty only where a date, number or flag is expected: a text may
be called Null."""

FIRST_YEAR, LAST_YEAR = 1900, 2261
"""Dates outside stand for "never" (9999-12-31) or cannot be computed with; they do not parse. One in 2215 does, for
the deal is there: the day on which it was recorded as closed is used."""


COUNTED = {"excel": 86_400_000, "epoch_s": 1000, "epoch_ms": 1}
"""Formats in which a date is a number, and how many milliseconds one of it has."""

FLAGS = {
    "true": True, "1": True, "yes": True, "t": True, "y": True,
    "false": False, "0": False, "no": False, "f": False, "n": False,
}  # fmt: skip


def clean_texts(texts: pd.Series, missing: tuple[str, ...]) -> pd.Series:
    """Strip spaces; what means "no value" becomes None.

    Examples
    --------
    >>> clean_texts(pd.Series([" Won ", "n/a", ""], dtype=object), ("n/a",)).tolist()
    ['Won', None, None]
    """
    values = each_distinct(texts, lambda text: _stripped(text, missing), np.dtype(object))
    return pd.Series(values, index=texts.index, dtype=object)


def parse_moments(texts: pd.Series, form: str, zone: ZoneInfo | None) -> pd.Series:
    """Parse dates or timestamps in a stated format.

    Parameters
    ----------
    texts : pandas.Series
        Texts, missing as None.
    form : str
        `iso`, a `strptime` format, or what a number counts: `excel` (days since 30 December 1899), `epoch_s` and
        `epoch_ms` (seconds and milliseconds since 1970, UTC).
    zone : ZoneInfo or None
        Zone into which timestamps that carry a zone are converted; None keeps the written clock time.

    Returns
    -------
    pandas.Series
        `datetime64[ns]` without a zone; NaT where the text is missing, does not parse or has a year before 1900 or
        after 2261.

    Raises
    ------
    InputError
        Where the format is none.

    Examples
    --------
    >>> late = pd.Series(["2025-09-30T23:30:00.000+0000", "2025-02-31"], dtype=object)
    >>> parse_moments(late, "iso", ZoneInfo("Europe/Berlin")).astype(str).tolist()
    ['2025-10-01 01:30:00', 'NaT']
    """
    check_format(form)
    moments = each_distinct(texts, lambda text: _moment(text, form, zone), np.dtype("datetime64[us]"))
    return pd.Series(moments.astype("datetime64[ns]"), index=texts.index)


def parse_flags(texts: pd.Series) -> pd.Series:
    """Parse truth values; None where the text is missing or neither.

    Examples
    --------
    >>> parse_flags(pd.Series(["TRUE", "0", "maybe"], dtype=object)).tolist()
    [True, False, None]
    """
    values = [None if text is None else FLAGS.get(text.lower()) for text in texts]
    return pd.Series(values, index=texts.index, dtype=object)


def zone_named(timezone: str | None) -> ZoneInfo | None:
    """The zone of the params.

    Raises
    ------
    InputError
        Where the name is not a time zone.
    """
    if timezone is None:
        return None
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InputError(
            f"{timezone!r} is not a time zone", action="Use a name such as Europe/London for timezone: in the params"
        ) from error


def each_distinct(texts: pd.Series, parse: Callable[[str], object], dtype: np.dtype) -> np.ndarray:
    """Parse each distinct text once; a missing text stays missing (the last value, which code -1 takes)."""
    codes, distinct = pd.factorize(texts)
    values = np.array([*(parse(text) for text in distinct), None], dtype=dtype)
    taken: np.ndarray = values[codes]
    return taken


def _stripped(text: object, missing: tuple[str, ...]) -> str | None:
    kept = None if text is None else str(text).strip()
    return None if kept is None or kept == "" or kept in missing else kept


def is_out_of_range(text: str, form: str) -> bool:
    """Whether a text is a date, but of a year that no deal has, or all zeros (what databases write for "never").

    Examples
    --------
    >>> [is_out_of_range(text, "iso") for text in ("2315-01-01", "0000-00-00", "2025-01-01", "soon")]
    [True, True, False, False]
    """
    if re.fullmatch(r"0+([/.-]0+){2}([ T].*)?", text):
        return True
    moment = _any_moment(text, form)
    return moment is not None and not FIRST_YEAR <= moment.year <= LAST_YEAR


def check_format(form: str) -> None:
    """Check that a stated format of dates is one.

    Raises
    ------
    InputError
        Where it is not.
    """
    if form in COUNTED or form == "iso":
        return
    day = dt.datetime(2025, 11, 23, 21, 31, 41, 123456, tzinfo=dt.UTC)
    try:
        has_year = re.search("%[YyGcx]", form) is not None
        usable = has_year and dt.datetime.strptime(day.strftime(form), form).date() == day.date()
    except (ValueError, re.error):
        usable = False
    if not usable:
        raise InputError(
            f"{form!r} is not a format of dates",
            action='Write dates: in the params like "%d/%m/%Y", or as iso, excel, epoch_s or epoch_ms',
        )


def _moment(text: str, form: str, zone: ZoneInfo | None) -> dt.datetime | None:
    moment = _any_moment(text, form)
    if moment is None or not FIRST_YEAR <= moment.year <= LAST_YEAR:
        return None
    if moment.tzinfo is not None:
        moment = (moment.astimezone(zone) if zone else moment).replace(tzinfo=None)
    return moment if FIRST_YEAR <= moment.year <= LAST_YEAR else None


def _any_moment(text: str, form: str) -> dt.datetime | None:
    """Read one text, whatever its year; cells that came with a date type have a `T` and need no format."""
    try:
        if form == "iso":
            return _iso(text)
        if text[10:11] == "T":
            with contextlib.suppress(ValueError):
                return _iso(text)
        return _counted(text, form) if form in COUNTED else dt.datetime.strptime(text, form)
    except (ValueError, OverflowError):
        return None


def _iso(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text[:-4] + "+00:00" if text.endswith(" UTC") else text)


def _counted(text: str, form: str) -> dt.datetime:
    number = float(text)
    if form == "excel":
        return dt.datetime(1899, 12, 30) + dt.timedelta(seconds=round(number * 86_400))
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=number * COUNTED[form])
