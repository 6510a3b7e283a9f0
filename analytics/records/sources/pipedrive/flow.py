"""Flow and changelog: which field of which deal changed when."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.errors import InputError
from analytics.records.sources.conform import MOMENT, Reader, Rows
from analytics.records.sources.field_changes import change_log, known_first, typed_changes, unread_changes
from analytics.records.sources.noticing import without_any_row
from analytics.records.sources.objects import column_of, is_true, read_object
from analytics.records.sources.pipedrive.fields import FLOW
from analytics.records.sources.pipedrive.mapping import PipedriveSource
from analytics.records.sources.pipedrive.names import statuses
from analytics.records.sources.pipedrive.times import local_times

SAME_FIELD = {"user_id": "owner_id"}
"""A field that changed its name between the versions of the API."""


@dataclass(frozen=True)
class Flow:
    """The changes of the deals (`CHANGE`), and what was noticed."""

    log: pd.DataFrame
    noticed: tuple[Noticed, ...]


def changed(
    source: PipedriveSource, reader: Reader, kept: set[str], deleted: set[str], kinds: Mapping[str, str]
) -> Flow | None:
    """Read flow; None where the export does not have it.

    Parameters
    ----------
    source : PipedriveSource
        The mapping.
    reader : Reader
        Folder, zone and ledger.
    kept, deleted : set of str
        Ids of the deals that are studied, and of those that are deleted.
    kinds : mapping of str to str
        The fields whose changes are wanted -> string, float64 or day.

    Returns
    -------
    Flow or None
        In the order in which the changes happened: a flow is written newest first, so that of two changes in one second
        the lower id, or without ids the later row, comes first. What is no change of a deal (an activity, a note) gets
        a line in the ledger.

    Raises
    ------
    InputError
        Where no column says to which deal a change belongs, or all changes are of other deals.
    """
    rows = read_object(FLOW, source, reader)
    if rows is None:
        return None
    empty = without_any_row(rows, FLOW.name, len(kept))
    rows = _of_deals(_changes_alone(rows), kept, deleted)
    rows = local_times(rows, ["log_time"], source, reader.timezone)
    bulk = is_true(column_of(rows.frame, "is_bulk_update_flag"))
    rule = "left out: ignore_bulk" if source.ignore_bulk else "kept; ignore_bulk: true leaves them out"
    seen = Noticed(4, "changes made in bulk", int(bulk.sum()), len(bulk), "rows", rule)
    if source.ignore_bulk:
        rows = rows.without(bulk, "changed in bulk, which ignore_bulk leaves out")
    rows, changes = _typed(rows, source, kinds)
    read = changes["Field"].isin(kinds)
    unread = unread_changes(int((~read).sum()), len(changes))
    return Flow(change_log([changes[read]]), (seen, unread, *empty))


def _changes_alone(rows: Rows) -> Rows:
    kinds = column_of(rows.frame, "object")
    for kind in sorted(set(kinds.dropna()) - {"dealChange"}):
        rows = rows.without(column_of(rows.frame, "object") == kind, f"not needed: {kind} is no change of a deal")
    rows = rows.without(rows.frame["field_key"].isna(), "no field_key")
    return rows.without(column_of(rows.frame, "log_time").isna(), "no log_time")


def _of_deals(rows: Rows, kept: set[str], deleted: set[str]) -> Rows:
    ids = known_first(column_of(rows.frame, "deal_id"), column_of(rows.frame, "item_id"))
    if len(ids) and ids.isna().all():
        raise InputError(
            "neither deal_id nor item_id says to which deal a change belongs",
            file=rows.raw.name,
            action="Export the flow of each deal with the deal's id in every row",
        )
    if len(ids) and not ids.isin(kept | deleted).any():
        raise InputError(
            "none of its deals is among the deals",
            file=rows.raw.name,
            column="deal_id" if "deal_id" in rows.frame else "item_id",
            value=ids.dropna().iloc[0],
            action="Export deals and flow from one account",
        )
    rows = Rows(rows.frame.assign(deal_id=ids), rows.raw, rows.ledger)
    rows = rows.without(rows.frame["deal_id"].isin(deleted), "its deal is deleted in the CRM")
    return rows.without(~rows.frame["deal_id"].isin(kept), "its deal is not in the export")


def _typed(rows: Rows, source: PipedriveSource, kinds: Mapping[str, str]) -> tuple[Rows, pd.DataFrame]:
    frame = rows.frame
    back = (frame["field_key"] == "status") & frame[["old_value", "new_value"]].isin(["deleted"]).any(axis=1)
    rows = rows.without(back, "a deletion that was taken back")
    frame = rows.frame
    fields = frame["field_key"].replace(SAME_FIELD)
    fixes = [source.values.get(field, {}) for field in fields]
    changes = pd.DataFrame({"deal_id": frame["deal_id"], MOMENT: frame["log_time"], "Field": fields})
    for column, name in (("OldValue", "old_value"), ("NewValue", "new_value")):
        texts = frame[name].map(id_of)
        changes[column] = pd.Series(
            [fix.get(text, text) for fix, text in zip(fixes, texts, strict=True)], index=frame.index, dtype=object
        )
        is_status = fields == "status"
        changes.loc[is_status, column] = statuses(changes.loc[is_status, column])
    wrong = typed_changes(changes, kinds, source.date_format("expected_close_date"), source.read, "dates")
    rows = rows.without(wrong, "a changed value is not the number or the date that it should be")
    changes = changes[~wrong]
    newest_first = np.arange(len(changes))[::-1]
    tie = column_of(rows.frame, "id").astype("float64").fillna(pd.Series(newest_first, index=changes.index))
    return rows, changes.assign(tie=tie).sort_values([MOMENT, "tie"], kind="stable")


def id_of(text: str | None) -> str | None:
    """Return the id of what the API nests (`{"name": …, "value": 3}`), or the text as it is.

    Examples
    --------
    >>> id_of('{"name": "Acme", "value": 3}'), id_of("3")
    ('3', '3')
    """
    if text is None or not text.startswith("{"):
        return text
    try:
        nested = json.loads(text)
    except (ValueError, RecursionError):
        return text
    found = nested.get("value", nested.get("id"))
    return None if found is None else str(found)
