"""A History from a short text table, so that a behaviour reads as a few lines and what should come of them.

Days are written as numbers: day 0 is 1 January 2024. Columns that are left out are empty; `-` is an empty cell.
"""

import datetime as dt

import ibis
import pyarrow as pa

from analytics.records.contract import HISTORY_COLUMNS, SIDE_TABLES, History

DAY_ZERO = dt.date(2024, 1, 1)
SHORT = {
    "deal": "deal_id", "account": "account_id", "on": "recorded_on", "seq": "sequence", "opened": "opened_on",
    "closed": "closed_on", "expected": "expected_close_on", "owner": "owner_id",
}  # fmt: skip
STATUS = {"won": "closed_won", "lost": "closed_lost", "unknown": "closed_unknown"}
ARROW = {"string": pa.string(), "date": pa.date32(), "int64": pa.int64(), "float64": pa.float64()}


def day(number):
    """The date of a day number."""
    return DAY_ZERO + dt.timedelta(days=int(number))


def rows_of(text, contract, names=None):
    """Parse a text table into rows; columns that the contract does not know are texts (attributes)."""
    lines = [line.split() for line in text.strip().splitlines()]
    header = [(names or {}).get(name, name) for name in lines[0]]
    parse = {"date": day, "int64": int, "float64": float}
    rows = []
    for cells in lines[1:]:
        assert len(cells) == len(header), f"{len(header)} columns, but {cells}"
        kinds = [contract.get(name, "string") for name in header]
        values = [None if cell == "-" else parse.get(kind, str)(cell) for cell, kind in zip(cells, kinds, strict=True)]
        rows.append(dict(zip(header, values, strict=True)))
    return rows, [name for name in header if name not in contract]


def arrow_table(rows, contract, attributes=()):
    """Rows as an Arrow table with every column of the contract."""
    columns = {**contract, **dict.fromkeys(attributes, "string")}
    return pa.table({name: pa.array([row.get(name) for row in rows], ARROW[kind]) for name, kind in columns.items()})


def history_rows(text):
    """The rows of a history table; opened on the first recorded day and in recorded order unless said otherwise."""
    rows, attributes = rows_of(text, HISTORY_COLUMNS, SHORT)
    first = {}
    for number, row in enumerate(rows):
        first.setdefault(row["deal_id"], row["recorded_on"])
        row.setdefault("opened_on", first[row["deal_id"]])
        row.setdefault("sequence", number)
        row["status"] = STATUS.get(row["status"], row["status"])
    return rows, attributes


def history(text, *, kind="recorded", **side):
    """A History of a text table; side tables are given as text tables too."""
    rows, attributes = history_rows(text)
    tables = {
        name: ibis.memtable(arrow_table(side_rows(name, table), SIDE_TABLES[name])) for name, table in side.items()
    }
    table = ibis.memtable(arrow_table(rows, HISTORY_COLUMNS, attributes))
    return History(table=table, side=tables, kind=kind, attributes=tuple(attributes))


def side_rows(name, text):
    """The rows of a side table."""
    names = {"deal": "deal_id", "at": "occurred_on", "on": "recorded_on", "from": "valid_from"}
    return rows_of(text, SIDE_TABLES[name], names)[0]


def as_days(records, *columns):
    """The named columns of deals (dicts), dates as day numbers."""
    return [{name: _plain(record[name]) for name in columns} for record in records]


def _plain(value):
    if value is None or value != value or str(value) == "NaT":
        return None
    value = value.date() if hasattr(value, "date") else value
    return (value - DAY_ZERO).days if isinstance(value, dt.date) else value
