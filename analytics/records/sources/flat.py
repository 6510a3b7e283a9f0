"""Plain tables: today's state of every deal, a history file with a row per recorded state, or both."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd

from analytics.records.contract import HISTORY_COLUMNS, STATUSES, History, Noticed
from analytics.records.rejects import RejectLedger
from analytics.records.sources.conform import MOMENT, Reader, Rows
from analytics.records.sources.mapping import FlatSource
from analytics.records.sources.noticing import (
    closings_at_an_edge,
    one_row_per_deal,
    rows_with_forecasts,
    without_copies,
)
from analytics.records.sources.reconstruct import ONLY_TODAY, reconstructed
from analytics.records.sources.states import ORDER, history_of, side_frames
from analytics.records.sources.table_mapping import TableMapping

ONLY_WHEN_CLOSED = ("closed_on", "reason")


def read_flat(source: FlatSource, *, base: Path, timezone: str | None = None) -> History:
    """Read plain tables through their column mapping.

    With today's state only, each deal has an open state on its opening day and, if it is closed, a closed one on its
    closing day (`kind="current_only"`): what is written in the file is taken as if it had been known then. Stage,
    reason and amount of a closed deal are those of its end and appear on the closed state alone. With a history file
    the states are its rows (`kind="recorded"`); what it does not map comes from today's file, where there is one.

    Parameters
    ----------
    source : FlatSource
        The mapping.
    base : pathlib.Path
        The params file's folder.
    timezone : str, optional
        Zone of the dates of timestamps that carry a zone.

    Returns
    -------
    History

    Raises
    ------
    InputError
        As `read_history`; a deal id that is twice in today's file with different values is an error that names both
        rows, unless `splits` is mapped. A row that is there twice is rejected once.
    """
    reader = Reader(base, timezone, RejectLedger())
    seen: list[Noticed] = []
    attributes = tuple(dict.fromkeys([*source.attributes, *(source.history.attributes if source.history else ())]))
    today = _today(source, reader, seen) if source.has_place else None
    if source.history is not None:
        states = _recorded(source, source.history, reader, today, seen)
    else:
        assert today is not None  # the mapping was checked to name one or the other
        states = reconstructed(today.frame, extracted_on=source.extracted_on)
    return history_of(
        states,
        side=side_frames(source.side, reader),
        kind="recorded" if source.history else "current_only",
        attributes=attributes,
        ledger=reader.ledger,
        extracted_on=source.extracted_on,
        noticed=seen,
    )


def checked_deals(rows: Rows, mapping: TableMapping) -> Rows:
    """Reject rows without an id or with a status that is none, and clear closing facts of open deals."""
    rows = rows.without(rows.frame["deal_id"].isna(), f"no deal id ({mapping.columns['deal_id']})")
    if mapping.outcome is None:
        name = mapping.columns["status"]
        rows = rows.without(~rows.frame["status"].isin(STATUSES), f"{name} is none of {', '.join(STATUSES)}")
    frame = rows.frame.copy()
    is_open = frame["status"] == "open"
    for column in ONLY_WHEN_CLOSED:
        if column in frame.columns:
            frame[column] = frame[column].where(~is_open)
    shared = mapping.columns.get("expected_close_on")
    if shared is not None and shared == mapping.columns.get("closed_on"):
        frame["expected_close_on"] = frame["expected_close_on"].where(is_open)
    return Rows(frame, rows.raw, rows.ledger)


def _today(source: FlatSource, reader: Reader, seen: list[Noticed]) -> Rows:
    rows = checked_deals(reader.rows(source, HISTORY_COLUMNS, role="deals"), source)
    rows, twice = one_row_per_deal(rows, source.splits, source.read, source.columns["deal_id"])
    rows, scales = rows_with_forecasts(rows)
    seen += [*twice, *scales]
    if "closed_on" in source.columns and source.history is None:
        closed = rows.frame["status"] != "open"
        form = source.date_format("closed_on")
        seen += closings_at_an_edge(rows, closed, source.columns["closed_on"], form, reader.timezone)
    rows = rows.without(rows.frame["opened_on"].isna(), f"no opening date ({source.columns['opened_on']})")
    if "closed_on" in rows.frame.columns:
        undated = (rows.frame["status"] != "open") & rows.frame["closed_on"].isna()
        return rows.without(undated, f"closed without a closing date ({source.columns['closed_on']})")
    return rows.without(rows.frame["status"] != "open", "closed, and no closing date is mapped")


def _recorded(
    source: FlatSource, mapping: TableMapping, reader: Reader, today: Rows | None, seen: list[Noticed]
) -> pd.DataFrame:
    rows = checked_deals(reader.rows(mapping, HISTORY_COLUMNS, role="history"), mapping)
    rows = rows.without(rows.frame["recorded_on"].isna(), f"no date of recording ({mapping.columns['recorded_on']})")
    rows, copies = without_copies(rows, ["deal_id", MOMENT])
    rows, scales = rows_with_forecasts(rows)
    closed, form = rows.frame["status"] != "open", mapping.date_format("recorded_on")
    seen += [copies, *scales]
    seen += closings_at_an_edge(rows, closed, mapping.columns["recorded_on"], form, reader.timezone)
    states = rows.frame.rename(columns={"sequence": ORDER}).sort_values(["deal_id", MOMENT], kind="stable")
    if today is not None:
        latest = source.extracted_on or (None if states.empty else states["recorded_on"].max().date())
        states = _filled(states, today.frame, latest)
    opened = states["opened_on"] if "opened_on" in states else pd.Series(pd.NaT, index=states.index)
    first = states.groupby("deal_id", sort=False)["recorded_on"].transform("min")
    states["opened_on"] = opened.fillna(first)
    return states


def _filled(states: pd.DataFrame, today: pd.DataFrame, latest: dt.date | None) -> pd.DataFrame:
    """Give each state what only today's file holds; amount and reason belong to the last state alone.

    A deal of today's file without any recorded state gets its reconstructed ones, none after the last known day.
    """
    facts = today.drop_duplicates("deal_id").set_index("deal_id")
    last = ~states["deal_id"].duplicated(keep="last")
    filled = states.copy()
    for column in [name for name in facts.columns if not name.startswith("__") and name not in states.columns]:
        values = filled["deal_id"].map(facts[column])
        filled[column] = values.where(last) if column in ONLY_TODAY else values
    if "closed_on" in filled.columns:
        filled["closed_on"] = filled["closed_on"].where(filled["status"] != "open")
    unseen = today[~today["deal_id"].isin(states["deal_id"])]
    if unseen.empty:
        return filled
    return pd.concat([filled, reconstructed(unseen, extracted_on=latest)], ignore_index=True)
