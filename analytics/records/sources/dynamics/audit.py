"""Audit: which column of which opportunity changed when, from its JSON or from a flattened export."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.errors import InputError
from analytics.records.sources.conform import MOMENT, Reader, Rows
from analytics.records.sources.dynamics.fields import AUDIT
from analytics.records.sources.dynamics.mapping import DynamicsSource
from analytics.records.sources.dynamics.meanings import plain_id, referenced, statuses
from analytics.records.sources.field_changes import change_log, typed_changes, unread_changes
from analytics.records.sources.noticing import without_any_row
from analytics.records.sources.objects import column_of, read_object
from analytics.records.sources.table_mapping import Reading

CREATE, DELETE = ("1", "create"), ("3", "delete")
"""The operations of audit that are looked at."""

Change = tuple[str, str | None, str | None]
"""Column, old value, new value."""


@dataclass(frozen=True)
class Audit:
    """The changes of the opportunities (`CHANGE`), and what was noticed."""

    log: pd.DataFrame
    noticed: tuple[Noticed, ...]


def audited(source: DynamicsSource, reader: Reader, deals: pd.DataFrame, kinds: Mapping[str, str]) -> Audit | None:
    """Read audit; None where the export does not have it.

    Parameters
    ----------
    source : DynamicsSource
        The mapping.
    reader : Reader
        Folder, zone and ledger.
    deals : pandas.DataFrame
        `opportunityid` (plain), `opened` (moment).
    kinds : mapping of str to str
        The columns whose changes are wanted -> string, float64 or day.

    Returns
    -------
    Audit or None
        Old and new values are typed; a reference is its id. What audit says of the creation is so from the opening on.

    Raises
    ------
    InputError
        Where audit is of other records, or has neither of its two shapes.
    """
    rows = read_object(AUDIT, source, reader)
    if rows is None:
        return None
    empty = without_any_row(rows, AUDIT.name, len(deals))
    ids = rows.frame["objectid"].map(plain_id)
    known = ids.isin(set(deals["opportunityid"]))
    _refuse_another_export(rows, ids, known, deals)
    operation = column_of(rows.frame, "operation").map(lambda text: "" if text is None else text.lower())
    deleted = int(ids[operation.isin(DELETE) & ~known].nunique())
    rows = rows.without(~known, "it is about no opportunity of the export")
    rows, changes = _changes(rows, source, kinds)
    log = _dated(rows, changes, deals, operation)
    return Audit(log, (*_noticed(rows, deals, deleted), *empty))


def _refuse_another_export(rows: Rows, ids: pd.Series, known: pd.Series, deals: pd.DataFrame) -> None:
    if "changedata" not in rows.frame and not {"attributename", "oldvalue", "newvalue"} <= set(rows.frame):
        raise InputError(
            "holds neither changedata nor attributename, oldvalue and newvalue",
            file=rows.raw.name,
            action="Export audit with what changed, or name its columns under objects: {audit: {columns: …}}",
        )
    if len(ids) and len(deals) and not known.any():
        raise InputError(
            "none of its records is in the opportunity table",
            file=rows.raw.name,
            column="objectid",
            value=ids.iloc[0],
            action=f"Export both with ids of one form; opportunity has {deals['opportunityid'].iloc[0]!r}",
        )


def _changes(rows: Rows, source: DynamicsSource, kinds: Mapping[str, str]) -> tuple[Rows, pd.DataFrame]:
    """Take rows apart into changes of the wanted columns; rows that cannot be read are rejected."""
    flat = "changedata" not in rows.frame
    if flat:
        cells = [column_of(rows.frame, name) for name in ("attributename", "oldvalue", "newvalue")]
        found = [[(name, old, new)] if name else [] for name, old, new in zip(*cells, strict=True)]
        parsed = pd.Series(found, index=rows.frame.index, dtype=object)
    else:
        parsed = rows.frame["changedata"].map(_from_json)
        rows = rows.without(parsed.isna(), "changedata is not the JSON of a change")
        parsed = parsed[parsed.notna()]
    read = parsed.map(lambda found: any(change[0] in kinds for change in found))
    rows.ledger.notice(unread_changes(int((~read.astype(bool)).sum()), len(read)))
    listed = [(at, *change) for at, changes in parsed.items() for change in changes if change[0] in kinds]
    changes = pd.DataFrame(listed, columns=["at", "Field", "OldValue", "NewValue"]).astype(object)
    for column in ("OldValue", "NewValue"):
        changes[column] = [
            source.values.get(field, {}).get(text, text)
            for field, text in zip(changes["Field"], changes[column].map(referenced), strict=True)
        ]
    wrong = typed_changes(changes, kinds, source.audit_dates, source.read if flat else Reading(), "audit_dates")
    unreadable = changes.loc[wrong, "at"]
    rows = rows.without(
        rows.frame.index.isin(unreadable), "a changed value is not the number or the date that it should be"
    )
    return rows, changes[~changes["at"].isin(unreadable)]


def _from_json(text: str | None) -> list[Change] | None:
    """Read the changes of one row: none where there is no text, None where the text is not what it should be."""
    if text is None:
        return []
    try:
        changes = json.loads(text)["changedAttributes"]
        return [
            (str(change["logicalName"]), _text(change, "oldValue"), _text(change, "newValue")) for change in changes
        ]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _text(change: Mapping[str, object], name: str) -> str | None:
    value = change.get(name)
    return None if value is None or str(value).strip() == "" else str(value).strip()


def _dated(rows: Rows, changes: pd.DataFrame, deals: pd.DataFrame, operation: pd.Series) -> pd.DataFrame:
    frame = rows.frame
    ids, opened = frame["objectid"].map(plain_id), deals.set_index("opportunityid")["opened"]
    created = operation.reindex(frame.index).isin(CREATE)
    moments = frame["createdon"].where(~created, ids.map(opened))
    log = changes.assign(**{"deal_id": changes["at"].map(ids), MOMENT: changes["at"].map(moments)})
    is_state = log["Field"] == "statecode"
    for column in ("OldValue", "NewValue"):
        log.loc[is_state, column] = statuses(log.loc[is_state, column])
    return change_log([log.sort_values(MOMENT, kind="stable")])


def _noticed(rows: Rows, deals: pd.DataFrame, deleted: int) -> tuple[Noticed, ...]:
    """Say from when audit is there: it is kept only since it was switched on, and for as long as the policy says."""
    seen = Noticed(16, "deleted in the CRM, as audit says", deleted, len(deals) + deleted, "deals", "not in the export")
    if rows.frame.empty:
        return (seen,)
    first = rows.frame["createdon"].min().normalize()
    before = int((deals["opened"] < first).sum())
    what = f"opened before audit begins ({first.date()})"
    rule = "until its first change there a column has that change's old value, without one today's"
    return seen, Noticed(20, what, before, len(deals), "deals", rule)
