"""Read one input table, whatever its format, as texts with the file and physical line of every row."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from analytics.records.errors import InputError
from analytics.records.rejects import RejectLedger, rejects_by_reason
from analytics.records.sources.csv_rows import read_csv
from analytics.records.sources.paths import file_sha256, require_file, resolve_path
from analytics.records.sources.raw import FILE, LINE, Contents, RawTable
from analytics.records.sources.table_mapping import Lookup, Reading, TableMapping

FORMATS = (".csv", ".csv.gz", ".parquet", ".xlsx")


def read_table(
    place: TableMapping | Lookup, *, base: Path, ledger: RejectLedger, role: str = "", rows_needed: bool = True
) -> RawTable:
    """Read the table that a mapping names: a file, every matching file of a folder, or a database table.

    Parameters
    ----------
    place : TableMapping or Lookup
        Where it is and how to read it.
    base : pathlib.Path
        The params file's folder.
    ledger : RejectLedger
        Where the file and its unreadable rows are entered.
    role : str
        What the table is for, told apart from another reading of the same file ("owners").
    rows_needed : bool
        Whether a table without rows is an error.

    Returns
    -------
    RawTable

    Raises
    ------
    InputError
        Where a file is missing, empty, of an unknown format, or its encoding or delimiter is not the stated one.
    """
    if place.url and place.table:
        from analytics.records.sources.typed_files import read_sql

        contents, digest = read_sql(place.url, place.table, base)
        table = entered(contents, place.table, digest, ledger, role)
    elif isinstance(place, TableMapping) and place.folder:
        table = _read_folder(place, base, ledger, role)
    else:
        written = str(place.file)
        path = require_file(resolve_path(written, base), written)
        table = read_file(path, place.read, name=path.name, ledger=ledger, role=role)
    if rows_needed and table.frame.empty:
        raise _no_rows(table.name, ledger)
    return table


def read_file(path: Path, read: Reading, *, name: str, ledger: RejectLedger, role: str = "") -> RawTable:
    """Read one file by its ending and enter it in the ledger.

    Raises
    ------
    InputError
        As `read_table`.
    """
    ending = next(
        (ending for ending in sorted(FORMATS, key=len, reverse=True) if path.name.lower().endswith(ending)), ""
    )
    if not ending:
        raise InputError(
            f"its format {path.suffix!r} is not read", file=name, action=f"Use one of {', '.join(FORMATS)}"
        )
    contents = _reader(ending)(path, read, name)
    return entered(contents, name, file_sha256(path), ledger, role)


def _reader(ending: str) -> Callable[[Path, Reading, str], Contents]:
    if ending.startswith(".csv"):
        return read_csv
    from analytics.records.sources.typed_files import read_excel, read_parquet

    return {".parquet": read_parquet, ".xlsx": read_excel}[ending]


def entered(contents: Contents, name: str, digest: str, ledger: RejectLedger, role: str) -> RawTable:
    """Enter what was read in the ledger, its rows that are not whole as rejected, and say where each row came from."""
    rows_read = len(contents.frame) + len(contents.defects)
    name = ledger.register(name, sha256=digest, rows_read=rows_read, role=role)
    for line, reason, values in contents.defects:
        ledger.reject(name, line, reason, values)
    frame = contents.frame.copy()
    frame.insert(frame.shape[1], FILE, name)
    frame.insert(frame.shape[1], LINE, contents.lines)
    return RawTable(name, frame, contents.typed)


def _no_rows(name: str, ledger: RejectLedger) -> InputError:
    rejects = ledger.frame()
    reasons = rejects_by_reason(rejects[rejects["file"] == name])
    if reasons.empty:
        return InputError("has a header and no rows that can be read", file=name, action="Export it again")
    return InputError(
        f"has no row that can be read: {reasons['reason'].iloc[0]}",
        file=name,
        row=int(reasons["first_line"].iloc[0]),
        action="Export it again, or correct read: in the params",
    )


def _read_folder(place: TableMapping, base: Path, ledger: RejectLedger, role: str) -> RawTable:
    written = str(place.folder)
    folder = resolve_path(written, base)
    if not folder.is_dir():
        raise InputError("there is no such folder", file=written, action="Check the path in the params")
    paths = sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and fnmatch.fnmatch(path.name, place.pattern) and path.name.lower().endswith(FORMATS)
    )
    if not paths:
        raise InputError(
            f"the folder has no file that matches {place.pattern!r}",
            file=written,
            action=f"Correct pattern: in the params, or put {', '.join(FORMATS)} files there",
        )
    tables = [read_file(path, place.read, name=path.name, ledger=ledger, role=role) for path in paths]
    for table in tables:
        twice = next((column for column in table.columns if table.columns.count(column) > 1), None)
        if twice is not None and len(tables) > 1:
            raise InputError(
                "the header has this column more than once", file=table.name, column=twice, action="Rename one of them"
            )
        if set(table.columns) != set(tables[0].columns):
            odd = sorted(set(table.columns) ^ set(tables[0].columns))
            raise InputError(
                f"its columns differ from those of {tables[0].name}",
                file=table.name,
                column=odd[0],
                action="Put files of one shape in a folder",
            )
    frame = pd.concat([table.frame[tables[0].frame.columns] for table in tables], ignore_index=True)
    return RawTable(written, frame, frozenset().union(*(table.typed for table in tables)))
