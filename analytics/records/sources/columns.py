"""One column at a time from texts to its type; a row with a value that cannot be read goes to the ledger."""

from __future__ import annotations

import re
from collections.abc import Callable
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.errors import InputError
from analytics.records.rejects import RejectLedger
from analytics.records.sources.dates import Column, column_format
from analytics.records.sources.numbers import MONEY, UNBELIEVABLE, Style, column_style, currency_marks, parse_numbers
from analytics.records.sources.raw import RawTable
from analytics.records.sources.table_mapping import TableMapping
from analytics.records.sources.values import (
    EMPTY_WORDS,
    FIRST_YEAR,
    LAST_YEAR,
    clean_texts,
    is_out_of_range,
    parse_flags,
    parse_moments,
)

MAY_BE_NEVER = re.compile(r"(?:expected|estimated|actual|typed|prev)?_?clos(?:e|ed)_?(?:date|on)", re.IGNORECASE)
"""Typed closing dates: one of the year 2215 is emptied and counted, and the deal is kept."""


class Columns:
    """The columns of one raw table, and which of its rows hold a value that cannot be read."""

    def __init__(self, raw: RawTable, mapping: TableMapping, ledger: RejectLedger) -> None:
        self.raw, self.mapping, self.ledger = raw, mapping, ledger
        self.wrong = np.zeros(len(raw.frame), dtype=bool)

    def texts(self, name: str) -> pd.Series:
        """Return a column without what means "no value"."""
        return clean_texts(self.raw.frame[name], self.mapping.read.missing)

    def dates(self, target: str, name: str, zone: ZoneInfo | None) -> pd.Series:
        """Read a column of dates or times."""
        texts = self._with_empty_words(name)
        form = self.mapping.date_format(target)
        if form == "iso":
            moments = parse_moments(texts, form, zone)
            if not (moments.isna() & texts.notna()).any():
                return moments
            form, seen = column_format(texts, Column(target, name), self.raw.place)
            self._notice(seen)
        if MAY_BE_NEVER.fullmatch(target):
            texts = self._without_never(texts, name, form)
        moments = parse_moments(texts, form, zone)
        said = "is not an ISO date (2025-10-01)" if form == "iso" else f"is not a date written as {form}"
        self.unread(texts, moments, name, said, f"State its format under dates: {target}: in the params")
        return moments

    def numbers(self, target: str, name: str, *, whole: bool = False) -> pd.Series:
        """Read a column of numbers."""
        texts, read = self._with_empty_words(name), self.mapping.read
        if MONEY.search(target) or MONEY.search(name):
            self._one_currency(texts, name)
        style = Style(read.decimal, read.thousands)
        if name in self.raw.typed:
            values = parse_numbers(texts, Style(".", ""))
            values = values.fillna(parse_numbers(texts, style))
        else:
            if not {"decimal", "thousands"} & read.model_fields_set:
                style, seen = column_style(texts, Column(target, name), self.raw.place)
                self._notice(seen)
            values = parse_numbers(texts, style)
        action = "State read: {decimal: …, thousands: …} in the params"
        self.unread(texts, values, name, "is not a number", action)
        for wrong, said in (
            (values.abs() >= UNBELIEVABLE, "is too large to be believed"),
            (whole & (values % 1 > 0), "is not a whole number"),
        ):
            self.unread(texts.where(values.notna(), None), values.mask(wrong), name, said, "Correct it")
            values = values.mask(wrong)
        return values

    def flags(self, name: str) -> pd.Series:
        """Read a column of truth values."""
        texts = self._with_empty_words(name)
        values = parse_flags(texts)
        self.unread(texts, values, name, "is neither true nor false", "Export it as true and false")
        return values

    def unread(self, texts: pd.Series, values: pd.Series, column: str, said: str, action: str) -> None:
        """Reject rows whose text gave no value; a column of which nothing can be read is an error."""
        there = texts.notna().to_numpy()
        failed = there & values.isna().to_numpy()
        if failed.any() and failed.sum() == there.sum():
            at = int(np.flatnonzero(failed)[0])
            file, line = self.raw.place(at)
            raise InputError(
                f"no value of this column can be read: this one {said}",
                file=file,
                column=column,
                row=line,
                value=texts.iloc[at],
                action=action,
            )
        self.enter(failed, lambda _: f"{column} {said}")

    def enter(self, failed: np.ndarray, reason: Callable[[int], str]) -> None:
        """Reject the rows where `failed` holds; `reason` makes the sentence of a row's position."""
        positions = np.flatnonzero(failed).tolist()
        for at, (file, line, values) in zip(positions, self.raw.rows_at(positions), strict=True):
            self.ledger.reject(file, line, reason(at), values)
        self.wrong |= failed

    def _notice(self, seen: Noticed | None) -> None:
        if seen is not None:
            self.ledger.notice(seen)

    def _with_empty_words(self, name: str) -> pd.Series:
        texts = self.texts(name)
        found = [text for text in texts.dropna().unique() if len(text) < 5 and text.lower() in EMPTY_WORDS]
        if not found:
            return texts
        words = texts.isin(found)
        what = f"{name!r} says {found[0]!r} where a value belongs"
        self._notice(Noticed(0, what, int(words.sum()), int(texts.notna().sum()), "rows", "read as empty"))
        return texts.where(~words, None)

    def _without_never(self, texts: pd.Series, name: str, form: str) -> pd.Series:
        """Empty the dates of a year that no deal has."""
        odd = {text for text in texts.dropna().unique() if is_out_of_range(text, form)}
        never = texts.isin(odd)
        if not odd:
            return texts
        what = f"{name!r} has a year before {FIRST_YEAR} or after {LAST_YEAR}"
        self._notice(Noticed(2, what, int(never.sum()), int(texts.notna().sum()), "rows", "emptied, the row is kept"))
        return texts.where(~never, None)

    def _one_currency(self, texts: pd.Series, name: str) -> None:
        """Refuse a column of amounts in several currencies with no column that says which is which."""
        marks = currency_marks(texts)
        named = [*self.mapping.columns, *self.mapping.columns.values()]
        if len(marks) > 1 and not any("currency" in column.lower() for column in named):
            at = next(at for at, text in enumerate(texts) if text is not None and marks[1] in text)
            file, line = self.raw.place(at)
            raise InputError(
                f"its amounts are in more than one currency ({marks[0]} and {marks[1]})",
                file=file,
                column=name,
                row=line,
                value=texts.iloc[at],
                action="Export the currency as a column of its own and map it under columns: currency",
            )
