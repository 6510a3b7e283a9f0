"""Recorded states and side rows become History: ordered, with validity, on an embedded database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analytics.records.contract import HISTORY_COLUMNS, SIDE_TABLES, History, Kind, Noticed
from analytics.records.engine import connect
from analytics.records.errors import InputError
from analytics.records.rejects import RejectLedger, check_accounts, rejects_by_reason
from analytics.records.sources.conform import MOMENT, Reader
from analytics.records.sources.last_day import last_day, without_promises
from analytics.records.sources.table_mapping import SIDE_REQUIRED, TableMapping

ORDER = "__order__"
"""Order of states that share a moment: the file's own unless a source sets it."""

MISSING_DEALS = "missing_deals"
MISSING_CONTRACT = {"deal_id": "string", "last_seen_on": "date", "recorded_on": "date"}
"""A further side table, of deals that a later extract no longer holds; recorded on the first one that lacks them."""


def history_of(
    states: pd.DataFrame,
    *,
    side: Mapping[str, pd.DataFrame],
    kind: Kind,
    attributes: tuple[str, ...],
    ledger: RejectLedger,
    extracted_on: dt.date | None = None,
    noticed: Sequence[Noticed] = (),
) -> History:
    """Build History from one row per deal and recorded state.

    Parameters
    ----------
    states : pandas.DataFrame
        Contract columns (absent ones become empty) and attributes; `recorded_on` is needed. `MOMENT` (full time) and
        `ORDER` decide the order within a day, then the frame's own order.
    side : mapping of str to pandas.DataFrame
        Side tables in their contract's columns.
    kind : {"recorded", "current_only"}
        Whether earlier states were recorded or are reconstructed from today's.
    attributes : tuple of str
        Attribute columns of `states`.
    ledger : RejectLedger
        Files and rejected rows; its accounts are checked.
    extracted_on : datetime.date, optional
        The extract's own date; otherwise the last recorded day is what is known, and of today's values alone the last
        one that is no promise (`without_promises`).
    noticed : sequence of Noticed
        What the source saw in the export and handled by a rule.

    Returns
    -------
    History
        `valid_from` is the day a state was recorded and `valid_to` the day on which the deal's next state was (not
        included; empty for the last). A state that was superseded on its own day has `valid_from = valid_to`: it is
        never the state of a day, but it is there to be counted.

    Raises
    ------
    InputError
        Where no state is left to study.
    """
    if states.empty:
        raise _nothing_left(ledger)
    ordered = _ordered(states)
    deal = ordered["deal_id"].to_numpy()
    following = ordered["recorded_on"].shift(-1).to_numpy(dtype="datetime64[ns]", copy=True)
    following[np.append(deal[1:] != deal[:-1], True)] = np.datetime64("NaT")
    ordered = ordered.assign(
        sequence=ordered.groupby("deal_id", sort=False).cumcount(),
        valid_from=ordered["recorded_on"],
        valid_to=following,
    )
    contract = {**HISTORY_COLUMNS, **dict.fromkeys(attributes, "string")}
    connection = connect()
    tables = {
        "history": (ordered, contract),
        **{name: (frame, SIDE_TABLES.get(name, MISSING_CONTRACT)) for name, frame in side.items()},
    }
    made = {name: connection.create_table(name, as_arrow(frame, types)) for name, (frame, types) in tables.items()}
    files, rejects = ledger.files(), ledger.frame()
    check_accounts(files, rejects)
    known, promises = ordered, tuple[Noticed, ...]()
    if extracted_on is None and kind == "current_only":
        known, promises = without_promises(ordered, side)
    return History(
        table=made.pop("history"),
        side=made,
        kind=kind,
        attributes=attributes,
        rejects=rejects,
        files=files,
        known_to=extracted_on or last_day(known, side),
        noticed=(*ledger.noticed, *noticed, *promises),
    )


def as_arrow(frame: pd.DataFrame, types: Mapping[str, str]) -> Any:
    """Cast a frame to a contract: its columns in order, absent ones empty, dates as days."""
    import pyarrow as pa

    kinds = {"string": pa.string(), "date": pa.date32(), "int64": pa.int64(), "float64": pa.float64()}
    arrays = []
    for name, kind in types.items():
        if name not in frame.columns:
            arrays.append(pa.nulls(len(frame), kinds[kind]))
        elif kind == "date":
            arrays.append(pa.array(frame[name].to_numpy(dtype="datetime64[D]"), type=kinds[kind]))
        else:
            arrays.append(pa.array(frame[name], type=kinds[kind], from_pandas=True))
    return pa.Table.from_arrays(arrays, names=list(types))


def side_frames(side: Mapping[str, TableMapping], reader: Reader) -> dict[str, pd.DataFrame]:
    """Read the side tables of a source.

    A row that lacks what its table cannot do without is rejected; a table without rows stays, empty.

    Raises
    ------
    InputError
        As reading any table.
    """
    frames = {}
    for name, mapping in side.items():
        rows = reader.rows(mapping, SIDE_TABLES[name], role=name, rows_needed=False)
        for column in SIDE_REQUIRED[name]:
            rows = rows.without(rows.frame[column].isna(), f"no {column} ({mapping.columns.get(column, column)})")
        frames[name] = rows.frame
        if "side" in rows.frame:  # Buyer and buyer are one side
            frames[name] = rows.frame.assign(side=rows.frame["side"].str.lower())
    return frames


def _ordered(states: pd.DataFrame) -> pd.DataFrame:
    moments = states[MOMENT] if MOMENT in states.columns else states["recorded_on"]
    ordered = states.assign(**{MOMENT: moments})
    keys = ["deal_id", "recorded_on", MOMENT, *([ORDER] if ORDER in states.columns else [])]
    return ordered.sort_values(keys, kind="stable", ignore_index=True)


def _nothing_left(ledger: RejectLedger) -> InputError:
    reasons = rejects_by_reason(ledger.frame()).sort_values("rows", ascending=False, kind="stable")
    if reasons.empty:
        return InputError("there is no deal in the files", file=ledger.files()[0].name, action="Export them again")
    worst = reasons.iloc[0]
    return InputError(
        f"no row is left to study: {worst['rows']} were rejected because: {worst['reason']}",
        file=worst["file"],
        row=int(worst["first_line"]),
        action="Correct the mapping in the params or the file",
    )
