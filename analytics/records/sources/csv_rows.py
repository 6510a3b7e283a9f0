"""Rows of a .csv file as texts, each with its physical line; what cannot be read as a row is named, never skipped."""

from __future__ import annotations

import csv
import gc
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd

from analytics.records.errors import InputError
from analytics.records.sources.csv_text import UNREADABLE, said_unreadable, shown, utf8_of, wrong_encoding
from analytics.records.sources.raw import Contents, Defect
from analytics.records.sources.table_mapping import Reading

DELIMITERS = {",": "','", ";": "';'", "\t": r"'\t' (tab)", "|": "'|'"}
SAID_BY_EXCEL = re.compile(rb'"?sep=([^"\r\n])"?(?:\r\n|\r|\n)', re.IGNORECASE)
"""The line that Excel writes before a header to say what it splits at."""

FEW = 0.01
"""Up to this share of rows with characters that cannot be read are rejected; more are an error of the encoding."""


@dataclass
class _Found:
    """Rows as they were split: line and cells side by side; rows that could not be."""

    lines: Sequence[int]
    cells: list[list[str]]
    defects: list[Defect] = field(default_factory=list)


def read_csv(path: Path, read: Reading, name: str) -> Contents:
    """Read a .csv or .csv.gz file: rows with their physical line, and rows that are not whole.

    A quoted value may span lines: the row's line is its first. Blank lines are no rows. A row whose quotation marks
    cannot be read is one line, and reading goes on at the next. Where every row is longer than the header by values
    that are all empty, or the header is longer than every row by names that are, these are the trace of a delimiter at
    the end of a line and are left away. Rows with NUL bytes or bytes that do not fit UTF-8 are not whole.

    Raises
    ------
    InputError
        For an empty file, an encoding that is unknown or not the file's (more than 1 % of its rows cannot be read in
        it), a delimiter that is not the file's, and quotation marks that never close.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "deals.csv"
    >>> _ = path.write_text("id,stage\\n1,Won\\n2\\n")
    >>> contents = read_csv(path, Reading(), "deals.csv")
    >>> contents.frame.to_dict("list"), contents.lines.tolist(), contents.defects
    ({'id': ['1'], 'stage': ['Won']}, [2], [(3, 'the row has 1 values and the header 2', {'id': '2', 'stage': ''})])
    """
    raw, readable = utf8_of(path, read.encoding, name)
    delimiter, skipped = read.delimiter, 0
    said = SAID_BY_EXCEL.match(raw)
    if said:
        raw, skipped = raw[said.end() :], 1
        if "delimiter" not in read.model_fields_set:
            delimiter = said.group(1).decode("latin-1")
    with _without_collection():
        found = rows_at_once(raw, delimiter, skipped) if readable else None
        if found is None:
            found = rows_one_by_one(raw, delimiter, skipped, name)
        if not found.cells:
            raise InputError("is empty", file=name, action="Export it again")
        header = _header(found.cells[0], delimiter, read.encoding, name)
        header, rows = _whole_rows(header, found, read.encoding, name)
        columns = zip(*rows.cells, strict=True) if rows.cells else [[] for _ in header]
        frame = pd.concat([pd.Series(np.array(column, dtype=object), dtype=object) for column in columns], axis=1)
    frame.columns = pd.Index(header)
    return Contents(frame, np.array(rows.lines, dtype=np.int64), rows.defects)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Pause the garbage collector, which looks at millions of new lists again and again: two thirds of the time."""
    paused = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if paused:
            gc.enable()


def rows_at_once(raw: bytes, delimiter: str, skipped: int = 0) -> _Found | None:
    """Split a file in which every line is a row and every row as long as the first; None where that is not so."""
    reader = csv.reader(_lines_of(raw), delimiter=delimiter, strict=True)
    try:
        cells = list(reader)
    except csv.Error:
        return None
    if reader.line_num != len(cells) or len(set(map(len, cells))) != 1:
        return None
    return _Found(range(skipped + 1, skipped + 1 + len(cells)), cells)


def rows_one_by_one(raw: bytes, delimiter: str, skipped: int, name: str) -> _Found:
    """Split any file, keeping the line of each row and the rows that cannot be split."""
    feed = _Lines(_lines_of(raw), skipped)
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
    lines: list[int] = []
    found = _Found(lines, [])
    while True:
        line = feed.number + 1
        feed.pending.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return found
        except csv.Error as error:
            _refuse_open_quote(error, name, line)
            if not found.cells:
                raise InputError(
                    "the quotation marks of the header cannot be read", file=name, row=line, action="Export it again"
                ) from error
            values = {"row": shown(feed.only_the_first().rstrip("\r\n"))}
            found.defects.append((line, "its quotation marks cannot be read", values))
            continue
        if cells:
            lines.append(line)
            found.cells.append(cells)


def _lines_of(raw: bytes) -> TextIO:
    return io.TextIOWrapper(io.BytesIO(raw), "utf-8", errors="surrogateescape", newline="")


class _Lines:
    """The lines of a file, remembering those of the row that is being read."""

    def __init__(self, handle: TextIO, number: int) -> None:
        self.handle, self.number = handle, number
        self.pending: list[str] = []
        self.again: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.again.pop() if self.again else next(self.handle)
        self.number += 1
        self.pending.append(line)
        return line

    def only_the_first(self) -> str:
        """Take the row for its first line alone; what else it took is read again."""
        first, *rest = self.pending
        self.again.extend(reversed(rest))
        self.number -= len(rest)
        return first


def _header(cells: list[str], delimiter: str, encoding: str, name: str) -> list[str]:
    odd = UNREADABLE.search("".join(cells))
    if odd:
        raise _not_this_encoding(1, odd.group(), encoding, name)
    header = [cell.strip() for cell in cells]
    others = [other for other in DELIMITERS if other != delimiter and len(header) == 1 and other in header[0]]
    if others:
        likely = max(others, key=header[0].count)
        raise InputError(
            f"has a single column when its rows are split at {DELIMITERS.get(delimiter, repr(delimiter))}",
            file=name,
            column=header[0],
            action=f"Set read: {{delimiter: {DELIMITERS[likely].split(' ')[0]}}} in the params",
        )
    return header


def _fitted(header: list[str], rows: list[list[str]]) -> tuple[list[str], int]:
    """Return the header and the length of a whole row, without the trace of delimiters at the ends of lines."""
    lengths = set(map(len, rows))
    if len(lengths) == 1 and (length := lengths.pop()) != len(header):
        if length > len(header) and not any(any(cells[len(header) :]) for cells in rows):
            return header, length
        if length < len(header) and not any(header[length:]):
            return header[:length], length
    return header, len(header)


def _whole_rows(header: list[str], found: _Found, encoding: str, name: str) -> tuple[list[str], _Found]:
    """Part the rows that are as long as the header and can be read from those that are not."""
    if isinstance(found.lines, range):
        return header, _Found(found.lines[1:], found.cells[1:])
    header, width = _fitted(header, found.cells[1:])
    lines: list[int] = []
    whole = _Found(lines, [], list(found.defects))
    damaged: list[tuple[int, str]] = []
    for line, cells in zip(found.lines[1:], found.cells[1:], strict=True):
        odd = UNREADABLE.search("".join(cells))
        if len(cells) == width and not odd:
            lines.append(line)
            whole.cells.append(cells[: len(header)])
            continue
        reason = f"the row has {len(cells)} values and the header {len(header)}"
        if odd:
            damaged.append((line, odd.group()))
            reason = said_unreadable("".join(cells), encoding)
        named = enumerate(zip_longest(header, cells, fillvalue=""), start=1)
        whole.defects.append((line, reason, {key or f"value {place}": shown(cell) for place, (key, cell) in named}))
    if len(damaged) > FEW * (len(whole.cells) + len(whole.defects)):
        raise _not_this_encoding(*damaged[0], encoding, name)
    return header, whole


def _not_this_encoding(line: int, odd: str, encoding: str, name: str) -> InputError:
    if odd != "\x00":
        return wrong_encoding(name, encoding, ord(odd) - 0xDC00, line)
    return InputError(
        "holds NUL bytes", file=name, row=line, action="Export it again, or state its encoding, for example utf-16-le"
    )


def _refuse_open_quote(error: csv.Error, name: str, line: int) -> None:
    if "field larger" in str(error):
        raise InputError(
            f"a value that begins here is longer than {csv.field_size_limit():,} characters",
            file=name,
            row=line,
            action="Close the quotation mark if one is open, or leave the column out of the export",
        ) from error
    if "unexpected end of data" in str(error):
        raise InputError(
            "a quotation mark opens here and never closes",
            file=name,
            row=line,
            action="Close it, or export the file again",
        ) from error
