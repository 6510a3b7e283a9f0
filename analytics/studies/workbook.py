"""A workbook of results in which every text is a text: nothing in it can act as a formula."""

from __future__ import annotations

import functools
import io
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from analytics.estimators.result import Estimate, Finding, Listing
from analytics.studies import store
from analytics.studies.results import all_results

_LONGEST_CELL, _LONGEST_NAME = 32_767, 31
_NOT_IN_A_NAME = re.compile(r"[\[\]:*?/\\\x00-\x1f]")
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ADDRESS = re.compile(rb'<c r="([A-Z]+)\d+"')
_MOMENT = (1980, 1, 1, 0, 0, 0)


def as_excel(frames: Mapping[str, pd.DataFrame]) -> bytes:
    """Write frames as one workbook, a sheet each.

    Parameters
    ----------
    frames : mapping of str to pandas.DataFrame
        By the name of their sheet; names that a workbook does not allow are changed, and kept apart.

    Returns
    -------
    bytes
        The file. The same frames give the same bytes.

    Notes
    -----
    A text is stored as a text and marked as one, so that it stays one when its cell is edited; characters that XML
    forbids are left out, and a text longer than a cell may hold ends in an ellipsis. Numbers and dates stay what they
    are; a missing number that is withheld is the text that says so.

    Examples
    --------
    >>> import openpyxl
    >>> book = openpyxl.load_workbook(io.BytesIO(as_excel({"a/b": pd.DataFrame({"who": ["=1+1"], "n": [-2]})})))
    >>> [(cell.value, cell.data_type) for cell in book["a b"][2]]
    [('=1+1', 's'), (-2, 'n')]
    """
    import openpyxl
    from openpyxl.cell import WriteOnlyCell

    book = openpyxl.Workbook(write_only=True)
    used: set[str] = set()
    for name, frame in (frames or {"empty": pd.DataFrame()}).items():
        sheet = book.create_sheet(_sheet_name(name, used))

        # One cell for all texts of a sheet, each written before the next: a style each takes most of the time.
        text = WriteOnlyCell(sheet)
        text.quotePrefix = True

        def written(value: Any, text: Any = text) -> Any:
            if not isinstance(value, str):
                return value
            text.value, text.data_type = _text(value), "s"
            return text

        sheet.append(written(str(column)) for column in frame.columns)
        for row in store.with_marks(frame).itertuples(index=False, name=None):
            sheet.append(written(_plain(value)) for value in row)
    raw = io.BytesIO()
    book.save(raw)
    return _without_moments(raw)


def write_workbook(run: Path, notebooks: Iterable[str], path: Path) -> None:
    """Write everything that the notebooks of a run saved as one workbook: a sheet of contents, then a sheet for each.

    Nothing is written where nothing was saved.
    """
    frames: dict[str, pd.DataFrame] = {}
    contents = []
    for notebook, name, result in all_results(run, notebooks):
        sheet = f"{notebook[:2]} {name}"
        sheet = sheet if sheet not in frames else f"{notebook} {name}"
        frames[sheet], about, deals, as_of = _sheet_of(result)
        contents.append((sheet, notebook, name, about, deals, as_of))
    if frames:
        columns = ["sheet", "study", "result", "what it is", "deals", "as of"]
        store.write_bytes(path, as_excel({"contents": pd.DataFrame(contents, columns=columns), **frames}))


def _sheet_of(result: store.Saved) -> tuple[pd.DataFrame, str, int | None, str]:
    """The rows of a result, what it is, how many deals it rests on, and as of when."""
    if isinstance(result, Estimate):
        as_of = "" if result.meta.as_of is None else result.meta.as_of.isoformat()
        return result.frame, result.meta.estimand, result.meta.n_deals, as_of
    if isinstance(result, Listing):
        return result.frame, result.title, None, ""
    many = (result,) if isinstance(result, Finding) else result
    rows = [(one.verdict, one.headline, one.detail) for one in many]
    return pd.DataFrame(rows, columns=["verdict", "headline", "detail"]), "Findings", None, ""


def _plain(value: Any) -> Any:
    """A value as a workbook knows it: a date stays a date, what is missing is an empty cell."""
    if isinstance(value, pd.Timestamp):
        return value.tz_localize(None).to_pydatetime()
    return store.plain(value)


def _text(value: str) -> str:
    text = _NOT_IN_XML.sub("", value)
    return text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "…"


def _sheet_name(name: str, used: set[str]) -> str:
    clean = _NOT_IN_XML.sub("", _NOT_IN_A_NAME.sub(" ", name)).strip(" '")[:_LONGEST_NAME].strip(" '") or "sheet"
    clean = f"{clean} 1" if clean.lower() == "history" else clean  # a name that Excel keeps for itself
    chosen, number = clean, 1
    while chosen.lower() in used:
        number += 1
        chosen = f"{clean[: _LONGEST_NAME - 1 - len(str(number))]} {number}"
    used.add(chosen.lower())
    return chosen


def _without_moments(raw: io.BytesIO) -> bytes:
    """Write the archive again without the time of day, which would make the same numbers look like other ones."""
    out = io.BytesIO()
    with zipfile.ZipFile(raw) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for item in old.infolist():
            content = old.read(item)
            if item.filename == "docProps/core.xml":
                content = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"1980-01-01T00:00:00Z", content)
            if item.filename.startswith("xl/worksheets/"):
                content = _without_addresses(content)
            new.writestr(zipfile.ZipInfo(item.filename, _MOMENT), content, zipfile.ZIP_DEFLATED, compresslevel=9)
    return out.getvalue()


def _without_addresses(sheet: bytes) -> bytes:
    """Leave out the address of each cell that follows its neighbour: they make up most of the file, and are optional.

    Examples
    --------
    >>> _without_addresses(b'<row r="1"><c r="A1"/><c r="B1"/><c r="D1"/><c r="E1"/></row>')
    b'<row r="1"><c/><c/><c r="D1"/><c/></row>'
    """
    return b"<row ".join(_row_without_addresses(row) for row in sheet.split(b"<row "))


def _row_without_addresses(row: bytes) -> bytes:
    due = 1

    def shorter(cell: re.Match[bytes]) -> bytes:
        nonlocal due
        column = functools.reduce(lambda number, letter: 26 * number + letter - 64, cell[1], 0)
        follows, due = column == due, column + 1
        return b"<c" if follows else cell[0]

    return _ADDRESS.sub(shorter, row)
