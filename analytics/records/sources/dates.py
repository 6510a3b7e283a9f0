"""In which order a column writes day, month and year: found from the column as a whole, and never guessed."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from dataclasses import dataclass

import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.errors import InputError
from analytics.records.sources.raw import Place

ISO_SHAPE = re.compile(r"\d{4}-\d{2}-\d{2}|\d{8}(T|$)|\d{4}-?W\d{2}")
NUMBER_SHAPE = re.compile(r"\d+(\.\d+)?")
SHAPE = re.compile(
    r"\d{1,4}(?P<mark>[/.-])\d{1,2}(?P=mark)\d{1,4}"
    r"(?P<lead>, | |T)?(?:\d{1,2}:\d{2}(?P<seconds>:\d{2})?(?P<parts>\.\d+)?(?P<blank> ?)(?P<half>[AaPp][Mm])?)?"
)
ORDERS = {"%d%m%Y": "day/month/year", "%m%d%Y": "month/day/year", "%Y%m%d": "year/month/day",
          "%d%m%y": "day/month/year", "%m%d%y": "month/day/year", "%y%m%d": "year/month/day"}  # fmt: skip
"""The orders that are tried; a stated format may be any other."""


@dataclass(frozen=True)
class Column:
    """A column of a file and what the contract calls it, for sentences."""

    target: str
    name: str

    def line(self, form: str) -> str:
        """What to write into the params."""
        return f'dates: {{{self.target}: "{form}"}}'


def column_format(texts: pd.Series, column: Column, place: Place) -> tuple[str, Noticed | None]:
    """Find the format of a column whose mapping states none.

    A column of ISO dates is one, with a few broken values or not. Otherwise day, month and year are tried in each
    order on every value, with the separator and the clock that most values have. If a single order fits every value it
    is the column's.

    Parameters
    ----------
    texts : pandas.Series
        Texts, missing as None.
    column : Column
        Its names.
    place : callable
        Position in `texts` -> file and line.

    Returns
    -------
    (str, Noticed or None)
        `iso` or a `strptime` format; what was found, where it is not ISO.

    Raises
    ------
    InputError
        Where two orders fit every value and give different days, where none does, and for numbers, which may be days
        counted by Excel, seconds or milliseconds.

    Examples
    --------
    >>> texts = pd.Series(["03/04/2025", "17/04/2025"], dtype=object)
    >>> form, seen = column_format(texts, Column("opened_on", "opened"), lambda at: ("deals.csv", at + 2))
    >>> form, seen.what, seen.found, seen.of
    ('%d/%m/%Y', "dates of 'opened' are written as day/month/year", 1, 2)
    """
    written = texts.dropna()
    counts = written.value_counts(sort=False)
    if counts.empty or counts[[_is_iso(text) for text in counts.index]].sum() * 2 >= counts.sum():
        return "iso", None
    if all(NUMBER_SHAPE.fullmatch(text) for text in counts.index):
        raise _number_error(texts, column, place)
    readings = _readings(counts)
    if not readings:
        return "iso", None
    fitting = {form: days for form, days in readings.items() if all(days.values())}
    if not fitting:
        raise _no_order(texts, readings, column, place)
    chosen = next(iter(fitting))
    for other in list(fitting)[1:]:
        if fitting[other] != fitting[chosen]:
            raise _two_orders(texts, fitting, (chosen, other), column, place)
    alone = [text for text in counts.index if not any(days[text] for form, days in readings.items() if form != chosen)]
    what = f"dates of {column.name!r} are written as {_words(chosen)}"
    rule = "read so, because these values fit no other order" if alone else "read so: every order gives the same days"
    return chosen, Noticed(0, what, int(counts[alone].sum()), int(counts.sum()), "rows", rule)


def _is_iso(text: str) -> bool:
    return ISO_SHAPE.match(text) is not None


def _readings(counts: pd.Series) -> dict[str, dict[str, dt.datetime | None]]:
    """Read every distinct text in each order; orders that read none are left out."""
    shapes: Counter[tuple[str, str]] = Counter()
    for text, count in counts.items():
        match = SHAPE.fullmatch(str(text))
        if match:
            shapes[match["mark"], _clock(match)] += int(count)
    if not shapes:
        return {}
    (mark, clock), _ = shapes.most_common(1)[0]
    readings = {}
    for order in ORDERS:
        form = mark.join((order[:2], order[2:4], order[4:])) + clock
        days = {str(text): _parsed(str(text), form) for text in counts.index}
        if any(days.values()):
            readings[form] = days
    return readings


def _clock(match: re.Match[str]) -> str:
    """The format of the time of day after a date."""
    if ":" not in match.group():
        return ""
    hour = "%I" if match["half"] else "%H"
    parts = ("%S" if match["seconds"] else "") and ":%S"
    return (
        f"{match['lead'] or ''}{hour}:%M{parts}{'.%f' if match['parts'] else ''}"
        f"{match['blank'] if match['half'] else ''}{'%p' if match['half'] else ''}"
    )


def _parsed(text: str, form: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(text, form)
    except ValueError:
        return None


def _words(form: str) -> str:
    return ORDERS["".join(re.findall("%[dmYy]", form))]


def _two_orders(
    texts: pd.Series,
    fitting: dict[str, dict[str, dt.datetime | None]],
    two: tuple[str, str],
    column: Column,
    place: Place,
) -> InputError:
    one, other = (fitting[form] for form in two)
    at = next(at for at, text in enumerate(texts) if text is not None and one[text] != other[text])
    file, line = place(at)
    days = [days[texts.iloc[at]] for days in fitting.values()]
    said = " or ".join(dict.fromkeys(f"{day:%Y-%m-%d}" for day in days if day))
    lines = " or ".join(f"{column.line(form)} ({_words(form)})" for form in fitting)
    return InputError(
        f"this value may be {said}, and no value of the column decides the order of day and month",
        file=file,
        column=column.name,
        row=line,
        value=texts.iloc[at],
        action=f"State in the params {lines}",
    )


def _no_order(
    texts: pd.Series, readings: dict[str, dict[str, dt.datetime | None]], column: Column, place: Place
) -> InputError:
    best = max(readings, key=lambda form: sum(day is not None for day in texts.dropna().map(readings[form])))
    at = next(at for at, text in enumerate(texts) if text is not None and readings[best][text] is None)
    file, line = place(at)
    written = texts.dropna()
    fits = sum(readings[best][text] is not None for text in written)
    return InputError(
        f"no order of day, month and year fits every value of this column; {_words(best)} fits {fits:,} of "
        f"{len(written):,}, and not this one",
        file=file,
        column=column.name,
        row=line,
        value=texts.iloc[at],
        action=f"Correct it, or state {column.line(best)} in the params, and rows that do not fit are rejected",
    )


def _number_error(texts: pd.Series, column: Column, place: Place) -> InputError:
    at = next(at for at, text in enumerate(texts) if text is not None)
    file, line = place(at)
    options = " or ".join(column.line(form).replace('"', "") for form in ("excel", "epoch_s", "epoch_ms"))
    return InputError(
        "the dates of this column are numbers, which may be days as Excel counts them, seconds or milliseconds",
        file=file,
        column=column.name,
        row=line,
        value=texts.iloc[at],
        action=f"State in the params {options}",
    )
