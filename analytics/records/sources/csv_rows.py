"""Rows of a .csv file as texts, each with its physical line; what cannot be read as a row is named, never skipped."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import TextIO

from analytics.records.errors import InputError, nearest
from analytics.records.sources.raw import Defect
from analytics.records.sources.table_mapping import Reading

DELIMITERS = {",": "','", ";": "';'", "\t": r"'\t' (tab)", "|": "'|'"}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1", "iso-8859-15", "cp1250", "shift_jis", "gb18030")

Row = tuple[int, list[str]]


def read_csv(path: Path, read: Reading, name: str) -> tuple[list[str], list[Row], list[Defect]]:
    """Read a .csv or .csv.gz file: header, rows with their physical line, and rows that are not whole.

    A quoted value may span lines: the row's line is its first. Blank lines are no rows.

    Raises
    ------
    InputError
        For an empty file, an encoding that is unknown or not the file's, a delimiter that is not the file's, and
        quotation marks that never close.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "deals.csv"
    >>> _ = path.write_text("id,stage\\n1,Won\\n2\\n")
    >>> read_csv(path, Reading(), "deals.csv")
    (['id', 'stage'], [(2, ['1', 'Won'])], [(3, 'the row has 1 values and the header 2', {'id': '2', 'stage': ''})])
    """
    _check_encoding(path, read, name)
    try:
        with _opened(path, read.encoding) as handle:
            return _read_rows(handle, read.delimiter, name)
    except UnicodeDecodeError as error:
        raise _wrong_encoding(path, read.encoding, name) from error
    except (gzip.BadGzipFile, EOFError, OSError) as error:
        if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
            raise
        raise InputError("is not a whole .gz file", file=name, action="Export or copy it again") from error


def _read_rows(handle: TextIO, delimiter: str, name: str) -> tuple[list[str], list[Row], list[Defect]]:
    feed = _Lines(handle)
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
    header: list[str] = []
    rows: list[Row] = []
    defects: list[Defect] = []
    while True:
        line = reader.line_num + 1
        feed.pending.clear()
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            _refuse_open_quote(error, name, line)
            defects.append((line, "its quotation marks cannot be read", {"row": "".join(feed.pending).rstrip("\r\n")}))
            continue
        if not cells:
            continue
        if not header:
            header = _header(cells, delimiter, name)
        elif len(cells) != len(header):
            reason = f"the row has {len(cells)} values and the header {len(header)}"
            named = zip_longest(header, cells, fillvalue=None)
            values = {key or f"value {place}": cell or "" for place, (key, cell) in enumerate(named, start=1)}
            defects.append((line, reason, values))
        else:
            rows.append((line, cells))
    if not header:
        raise InputError("is empty", file=name, action="Export it again")
    return header, rows, defects


class _Lines:
    """The lines of a file, remembering those of the row that is being read."""

    def __init__(self, handle: TextIO) -> None:
        self.handle = handle
        self.pending: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self.handle)
        self.pending.append(line)
        return line


def _header(cells: list[str], delimiter: str, name: str) -> list[str]:
    header = [cell.strip() for cell in cells]
    header[0] = header[0].removeprefix("\ufeff")
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


def _refuse_open_quote(error: csv.Error, name: str, line: int) -> None:
    if "unexpected end of data" in str(error) or "field larger" in str(error):
        raise InputError(
            "a quotation mark opens here and never closes",
            file=name,
            row=line,
            action="Close it, or export the file again",
        ) from error


def _check_encoding(path: Path, read: Reading, name: str) -> None:
    try:
        codecs.lookup(read.encoding)
    except LookupError as error:
        raise InputError(
            f"the encoding {read.encoding!r} is unknown",
            file=name,
            action=f"Correct read.encoding in the params ({nearest(read.encoding, ENCODINGS)})",
        ) from error
    if path.stat().st_size == 0:
        raise InputError("is empty", file=name, action="Export it again")


def _opened(path: Path, encoding: str) -> TextIO:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding=encoding, newline="")
    return path.open(encoding=encoding, newline="")


def _wrong_encoding(path: Path, encoding: str, name: str) -> InputError:
    """Find the byte that cannot be read (text is decoded in blocks, so the reader's own line is too late)."""
    raw = gzip.decompress(path.read_bytes()) if path.suffix.lower() == ".gz" else path.read_bytes()
    likely = "utf-16" if raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "cp1252"
    try:
        io.BytesIO(raw).read().decode(encoding)
        place = 0
    except UnicodeDecodeError as error:
        place = error.start
    return InputError(
        f"cannot be read as {encoding}: the byte 0x{raw[place]:02x} does not fit",
        file=name,
        row=raw[:place].count(b"\n") + 1,
        action=f"Set read: {{encoding: …}} in the params to the file's own, for example {likely}",
    )
