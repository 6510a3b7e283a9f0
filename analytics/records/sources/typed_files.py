"""Tables whose cells carry types (Parquet, Excel, databases), turned into texts like those of a .csv file."""

from __future__ import annotations

import datetime as dt
import decimal
import hashlib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analytics.records.errors import InputError, nearest
from analytics.records.sources.csv_text import shown
from analytics.records.sources.paths import expand_variables, resolve_path
from analytics.records.sources.raw import Contents
from analytics.records.sources.table_mapping import Reading


def read_parquet(path: Path, read: Reading, name: str) -> Contents:
    """Read a Parquet file; the line of a row is its number, counted from 1.

    Raises
    ------
    InputError
        Where it is not a Parquet file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        raise InputError("is not a whole Parquet file", file=name, action="Export it again") from error
    return _as_contents({column: table[column].to_pylist() for column in table.column_names}, first_line=1)


def read_excel(path: Path, read: Reading, name: str) -> Contents:
    """Read one sheet of an Excel file; the line of a row is its row in the sheet, the header is the first row.

    Raises
    ------
    InputError
        Where it is not an Excel file, lacks the stated sheet, or the sheet is empty.
    """
    import openpyxl

    try:
        with warnings.catch_warnings():  # openpyxl warns of styles and extensions that do not concern values
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:
        raise InputError("is not a whole Excel file", file=name, action="Save it again as .xlsx") from error
    try:
        if read.sheet is not None and read.sheet not in book.sheetnames:
            raise InputError(
                f"has no sheet {read.sheet!r}",
                file=name,
                action=f"Correct read.sheet in the params ({nearest(read.sheet, book.sheetnames)})",
            )
        sheet = book[read.sheet] if read.sheet else book.worksheets[0]
        try:
            rows = [list(row) for row in sheet.iter_rows(values_only=True)]
        except Exception as error:
            raise InputError("is not a whole Excel file", file=name, action="Save it again as .xlsx") from error
    finally:
        book.close()
    return _sheet_contents(rows, name)


def read_sql(url: str, table: str, base: Path) -> tuple[Contents, str]:
    """Read a database table through ibis; returns its rows and their SHA-256.

    The line of a row is its number when the table is ordered by all of its columns: the same in every run.

    Raises
    ------
    InputError
        Where there is no such table (with the nearest name), or the database cannot be reached.
    """
    connection = _connected(url, base)
    try:
        source = _database_table(connection, table)
        frame = source.order_by([source[column] for column in source.columns]).to_pyarrow()
    finally:
        connection.disconnect()
    contents = _as_contents({column: frame[column].to_pylist() for column in frame.column_names}, first_line=1)
    digest = hashlib.sha256("\x1e".join(contents.frame.columns).encode())
    for column in contents.frame.columns:
        digest.update("\x1f".join("\x00" if cell is None else cell for cell in contents.frame[column]).encode())
    return contents, digest.hexdigest()


def table_names(url: str, base: Path) -> list[str]:
    """List a database's tables; one outside the home schema as `schema.table`.

    Raises
    ------
    InputError
        Where the database cannot be reached.
    """
    connection = _connected(url, base)
    try:
        return _table_names(connection)
    finally:
        connection.disconnect()


def _connected(url: str, base: Path) -> Any:
    """Open the database of a `url:` of the params; where that fails, say so of that key."""
    from analytics.records.engine import connect

    address = _resolved_url(url, base)
    try:
        return connect(address)
    except InputError as error:
        action = f"{(error.action or 'Correct it').rstrip('.')}: it is url: in the params, under source:"
        raise InputError(error.problem, file=error.file, value=error.value, action=action) from None


def _database_table(connection: Any, table: str) -> Any:
    import ibis

    schema, _, plain = table.rpartition(".")
    for name, place in ((table, None), (plain, schema)):
        if place != "":
            try:
                return connection.table(name, database=place)
            except ibis.common.exceptions.TableNotFound:
                continue
    names = _table_names(connection)
    raise InputError(
        f"the database has no table {table!r}", action=f"Correct table: in the params ({nearest(table, names)})"
    )


def _table_names(connection: Any) -> list[str]:
    if connection.name == "sqlite":
        return list(connection.list_tables())
    # ibis 12.0 calls what DuckDB 2.0 no longer has when it lists tables; the standard's own list is there for both.
    tables = connection.table("tables", database="information_schema")
    own = ~tables.table_schema.isin(["information_schema", "pg_catalog"])
    found = tables.filter(own).select("table_schema", "table_name").to_pyarrow().to_pylist()
    home = {"main", "public"}
    names = [row["table_name"] if row["table_schema"] in home else ".".join(row.values()) for row in found]
    return sorted(names)


def _resolved_url(url: str, base: Path) -> str:
    """Resolve the file of a duckdb:// or sqlite:// URL like any other path of the params."""
    for scheme in ("duckdb:///", "sqlite:///"):
        if url.startswith(scheme):
            return scheme + str(resolve_path(url.removeprefix(scheme), base).resolve())
    return expand_variables(url)


def _sheet_contents(rows: list[list[Any]], name: str) -> Contents:
    header_at = next((place for place, row in enumerate(rows) if any(cell is not None for cell in row)), None)
    if header_at is None:
        raise InputError("is empty", file=name, action="Export it again")
    header = ["" if cell is None else str(cell).strip() for cell in rows[header_at]]
    twice = next((cell for cell in header if cell and header.count(cell) > 1), None)
    if twice:
        raise InputError(
            "the header has this column more than once", file=name, column=twice, action="Rename one of them"
        )
    numbered = [
        (place, row)
        for place, row in enumerate(rows[header_at + 1 :], start=header_at + 2)
        if any(cell is not None for cell in row)
    ]
    columns = {
        title: [row[place] if place < len(row) else None for _, row in numbered]
        for place, title in enumerate(header)
        if title
    }
    contents = _as_contents(columns, first_line=1)
    return Contents(contents.frame, np.array([place for place, _ in numbered], dtype=np.int64), [], contents.typed)


def _as_contents(columns: dict[str, list[Any]], *, first_line: int) -> Contents:
    typed = frozenset(name for name, cells in columns.items() if any(_is_typed(cell) for cell in cells))
    frame = pd.DataFrame(
        {name: pd.Series([_as_text(cell) for cell in cells], dtype=object) for name, cells in columns.items()}
    )
    return Contents(frame, np.arange(first_line, first_line + len(frame), dtype=np.int64), [], typed)


def _is_typed(cell: Any) -> bool:
    return isinstance(cell, (dt.date, int, float, decimal.Decimal)) and not isinstance(cell, bool)


def _as_text(cell: Any) -> str | None:
    """One cell as a .csv file would hold it; dates and timestamps as ISO texts with a `T`."""
    if cell is None or (isinstance(cell, float) and np.isnan(cell)):
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, dt.datetime):
        return cell.isoformat()
    if isinstance(cell, dt.date):
        return f"{cell.isoformat()}T00:00:00"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, decimal.Decimal):
        return format(cell.normalize(), "f")
    if isinstance(cell, bytes):
        return shown(cell.decode("utf-8", "surrogateescape"))
    return str(cell)
