"""Texts to dates and numbers: each distinct text is parsed once; what does not parse is left to the caller."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from analytics.records.errors import InputError
from analytics.records.sources.table_mapping import Reading

FIRST_YEAR, LAST_YEAR = 1900, 2261
"""Dates outside stand for "never" (9999-12-31) or cannot be computed with; they do not parse. One in 2215 does, for
the deal is there: the day on which it was recorded as closed is used."""


def clean_texts(texts: pd.Series, missing: tuple[str, ...]) -> pd.Series:
    """Strip spaces; what means "no value" becomes None.

    Examples
    --------
    >>> clean_texts(pd.Series([" Won ", "n/a", ""], dtype=object), ("n/a",)).tolist()
    ['Won', None, None]
    """
    values = _each_distinct(texts, lambda text: _stripped(text, missing), np.dtype(object))
    return pd.Series(values, index=texts.index, dtype=object)


def parse_moments(texts: pd.Series, form: str, zone: ZoneInfo | None) -> pd.Series:
    """Parse dates or timestamps in a stated format (`strptime`, or `iso`).

    Parameters
    ----------
    texts : pandas.Series
        Texts, missing as None.
    form : str
        The stated format.
    zone : ZoneInfo or None
        Zone into which timestamps that carry a zone are converted; None keeps the written clock time.

    Returns
    -------
    pandas.Series
        `datetime64[ns]` without a zone; NaT where the text is missing or does not parse.

    Examples
    --------
    >>> late = pd.Series(["2025-09-30T23:30:00.000+0000", "2025-02-31"], dtype=object)
    >>> parse_moments(late, "iso", ZoneInfo("Europe/Berlin")).astype(str).tolist()
    ['2025-10-01 01:30:00', 'NaT']
    """
    moments = _each_distinct(texts, lambda text: _moment(text, form, zone), np.dtype("datetime64[us]"))
    return pd.Series(moments.astype("datetime64[ns]"), index=texts.index)


def parse_numbers(texts: pd.Series, read: Reading) -> pd.Series:
    """Parse numbers as the file writes them; NaN where the text is missing or is no finite number.

    Examples
    --------
    >>> parse_numbers(pd.Series(["1.234,5", "nan"], dtype=object), Reading(decimal=",", thousands=".")).tolist()
    [1234.5, nan]
    """
    numbers = _each_distinct(texts, lambda text: _number(text, read), np.dtype("float64"))
    return pd.Series(numbers, index=texts.index, dtype="float64")


def parse_flags(texts: pd.Series) -> pd.Series:
    """Parse truth values; None where the text is missing or neither.

    Examples
    --------
    >>> parse_flags(pd.Series(["TRUE", "0", "maybe"], dtype=object)).tolist()
    [True, False, None]
    """
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    values = [None if text is None else known.get(text.lower()) for text in texts]
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


def _each_distinct(texts: pd.Series, parse: Callable[[str], object], dtype: np.dtype) -> np.ndarray:
    """Parse each distinct text once; a missing text stays missing (the last value, which code -1 takes)."""
    codes, distinct = pd.factorize(texts)
    values = np.array([*(parse(text) for text in distinct), None], dtype=dtype)
    taken: np.ndarray = values[codes]
    return taken


def _stripped(text: object, missing: tuple[str, ...]) -> str | None:
    kept = None if text is None else str(text).strip()
    return None if kept is None or kept == "" or kept in missing else kept


def _moment(text: str, form: str, zone: ZoneInfo | None) -> dt.datetime | None:
    parsers: list[Callable[[str], dt.datetime]] = [dt.datetime.fromisoformat]
    if form != "iso":
        parsers.append(lambda written: dt.datetime.strptime(written, form))
        if text[10:11] != "T":  # only cells that came with a date type are written so, and those need no format
            parsers.reverse()
            parsers.pop()
    for parse in parsers:
        try:
            moment = parse(text)
        except ValueError:
            continue
        if moment.tzinfo is not None:
            moment = (moment.astimezone(zone) if zone else moment).replace(tzinfo=None)
        if FIRST_YEAR <= moment.year <= LAST_YEAR:
            return moment
    return None


def _number(text: str, read: Reading) -> float:
    plain = text.replace(read.thousands, "") if read.thousands else text
    try:
        value = float(plain.replace(read.decimal, ".") if read.decimal != "." else plain)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) and "_" not in plain else math.nan
