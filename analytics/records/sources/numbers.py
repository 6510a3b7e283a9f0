"""Texts to numbers: signs, groups of three and currency marks by rule; what may mean two numbers is refused."""

from __future__ import annotations

import math
import re
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.errors import InputError, shortened
from analytics.records.sources.dates import Column
from analytics.records.sources.raw import Place
from analytics.records.sources.table_mapping import Reading
from analytics.records.sources.values import each_distinct

UNBELIEVABLE = 1e15
"""Numbers this far from zero are typing errors or a database's largest number; a row that holds one is rejected."""

FEW = 0.01
"""Up to this share of numbers in the other style are rejected; more, and it is not one column of numbers."""

MONEY = re.compile(r"amount|quota|revenue|value|price", re.IGNORECASE)
"""Columns in which 1.234 is not taken for one and a bit only because nothing speaks against it."""

CURRENCY = r"[A-Za-z]{0,3}[$€£¥₹₩₽₺₪]|[A-Z]{3}|kr\.?|zł|Kč"
NUMBER = re.compile(
    rf"(?P<open>\()?\s*(?P<sign>[-−+])?\s*(?P<mark>{CURRENCY})?\s*(?P<inner>[-−+])?\s*"
    rf"(?P<core>[\d.,'’\s]*\d[.,]?)(?P<power>[eE][+-]?\d+)?\s*(?P<after>{CURRENCY}|%)?\s*(?P<last>-)?(?P<close>\))?"
)
EVERYDAY = re.compile(r"-?\d+\.\d{1,2}")
PLAIN = re.compile(r"-?\d+(?:\.\d*)?")
GAPS = re.compile(r"\d{1,3}(?:[\s'’]\d{3})+(?=[.,]|$)")
WHOLE: dict[tuple[str, str], re.Pattern[str]] = {
    (decimal, thousands): re.compile(
        rf"(?:\d+|\d{{1,3}}(?:{re.escape(thousands)}\d{{3}})+)(?:{re.escape(decimal)}\d*)?|{re.escape(decimal)}\d+"
        if thousands
        else rf"\d+(?:{re.escape(decimal)}\d*)?|{re.escape(decimal)}\d+"
    )
    for decimal in ".,"
    for thousands in (".", ",", "")
}


WHOLE_MARKS = (".", ",", "")


class Style(NamedTuple):
    """How a file writes numbers: the decimal mark and what parts thousands (empty: nothing does)."""

    decimal: str
    thousands: str


POINT, COMMA = Style(".", ","), Style(",", ".")


def parse_numbers(texts: pd.Series, style: Style | Reading) -> pd.Series:
    """Parse numbers as the file writes them; NaN where the text is missing or is no finite number.

    Currency marks and percent signs, blanks and apostrophes between groups of three, and brackets or a minus (before
    or after) for what is below zero are part of a number. A mark for thousands must part groups of three.

    Examples
    --------
    >>> texts = pd.Series(["1.234,5", "(500)", "1.234,50 €", "1 000", "1.2", "nan"], dtype=object)
    >>> parse_numbers(texts, Style(",", ".")).tolist()
    [1234.5, -500.0, 1234.5, 1000.0, nan, nan]
    """
    stated = Style(style.decimal, style.thousands)
    numbers = each_distinct(texts, lambda text: _number(text, stated), np.dtype("float64"))
    return pd.Series(numbers, index=texts.index, dtype="float64")


def believable_numbers(texts: pd.Series, style: Style | Reading) -> pd.Series:
    """Parse numbers; NaN also where one is `UNBELIEVABLE`, so that a sum stays a number.

    Examples
    --------
    >>> believable_numbers(pd.Series(["12", "1e308"], dtype=object), Style(".", ",")).tolist()
    [12.0, nan]
    """
    numbers = parse_numbers(texts, style)
    return numbers.where(numbers.abs() < UNBELIEVABLE)


def column_style(texts: pd.Series, column: Column, place: Place) -> tuple[Style, Noticed | None]:
    """Find how a column whose mapping states nothing writes its numbers.

    The column decides as a whole: 12.50 shows that a point is the decimal mark, 1.234,50 that a comma is. 1,234 and
    1.234 alone show neither.

    Returns
    -------
    (Style, Noticed or None)
        The style; what was found, where it decides between two readings.

    Raises
    ------
    InputError
        Where amounts may be read in two ways and nothing decides, or where both styles are common.

    Examples
    --------
    >>> texts = pd.Series(["1.234", "12,50"], dtype=object)
    >>> style, seen = column_style(texts, Column("amount", "value"), lambda at: ("deals.csv", at + 2))
    >>> style, seen.what, seen.found, seen.of
    (Style(decimal=',', thousands='.'), "numbers of 'value' are written like 1.234,50", 1, 2)
    """
    counts = texts.dropna().value_counts(sort=False)
    kinds = pd.Series([_kind(str(text)) for text in counts.index], index=counts.index, dtype=object)
    rows = counts.groupby(kinds).sum()
    point, comma, either = (int(rows.get(kind, 0)) for kind in ("point", "comma", "either"))
    if min(point, comma) > FEW * (point + comma + either):
        raise _two_styles(texts, kinds, column, place)
    if either and not point and not comma:
        if MONEY.search(column.target) or MONEY.search(column.name):
            raise _either_style(texts, kinds, column, place)
        return Style(".", ""), None
    style = COMMA if comma > point else POINT
    if style is POINT and not either:
        return style, None
    what = f"numbers of {column.name!r} are written like {'1.234,50' if style is COMMA else '1,234.50'}"
    rule = "read so, because these values fit no other way"
    return style, Noticed(0, what, max(point, comma), int(counts.sum()), "rows", rule)


def currency_marks(texts: pd.Series) -> list[str]:
    """Which currency marks a column of amounts carries, in order of appearance.

    Examples
    --------
    >>> currency_marks(pd.Series(["$5", "7 €", "8", "$9"], dtype=object))
    ['$', '€']
    """
    found = dict.fromkeys(
        match["mark"] or match["after"]
        for text in texts.dropna().unique()
        if not PLAIN.fullmatch(text) and (match := NUMBER.fullmatch(text))
    )
    return [mark for mark in found if mark and mark != "%"]


def _number(text: str, style: Style) -> float:
    if style.decimal == "." and PLAIN.fullmatch(text):
        return float(text)
    if style.thousands not in WHOLE_MARKS:
        text = text.replace(style.thousands, "")
        style = Style(style.decimal, "")
    match = NUMBER.fullmatch(text)
    if match is None or bool(match["open"]) != bool(match["close"]):
        return math.nan
    signs = [sign for sign in (match["sign"], match["inner"], match["last"], match["open"]) if sign]
    core = match["core"]
    if re.search(r"[\s'’]", core):
        gaps = GAPS.match(core)
        core = re.sub(r"[\s'’]", "", gaps.group()) + core[gaps.end() :] if gaps else core
    if len(signs) > 1 or not WHOLE[style].fullmatch(core):
        return math.nan
    value = float(core.replace(style.thousands, "").replace(style.decimal, ".") + (match["power"] or ""))
    return math.copysign(value, -1.0 if signs and signs[0] != "+" else 1.0) if math.isfinite(value) else math.nan


def _kind(text: str) -> Literal["point", "comma", "either", "none"]:
    """Which style a number speaks for."""
    if text.isdecimal():
        return "none"
    if EVERYDAY.fullmatch(text):
        return "point"
    point, comma = _number(text, POINT), _number(text, COMMA)
    if math.isnan(point) and math.isnan(comma):
        return "none"
    if point == comma:
        return "none"
    if math.isnan(comma):
        return "point"
    return "comma" if math.isnan(point) else "either"


def _two_styles(texts: pd.Series, kinds: pd.Series, column: Column, place: Place) -> InputError:
    found = texts.map(kinds)
    first, second = sorted(int(np.flatnonzero(found == kind)[0]) for kind in ("point", "comma"))
    file, line = place(second)
    return InputError(
        f"this number is written in another way than {shortened(texts.iloc[first])!r} in row {place(first)[1]}, and "
        "both ways are common in this column",
        file=file,
        column=column.name,
        row=line,
        value=texts.iloc[second],
        action=f"Export it in one way, or state {_line(POINT)} in the params, and rows that do not fit are rejected",
    )


def _either_style(texts: pd.Series, kinds: pd.Series, column: Column, place: Place) -> InputError:
    at = int(np.flatnonzero(texts.map(kinds) == "either")[0])
    file, line = place(at)
    text = str(texts.iloc[at])
    return InputError(
        f"this number may be {_number(text, POINT):.15g} or {_number(text, COMMA):.15g}, and no value of the column "
        "decides whether the comma or the point is the decimal mark",
        file=file,
        column=column.name,
        row=line,
        value=text,
        action=f"State in the params {_line(POINT)} (1,234.50) or {_line(COMMA)} (1.234,50)",
    )


def _line(style: Style) -> str:
    return f'read: {{decimal: "{style.decimal}", thousands: "{style.thousands}"}}'
