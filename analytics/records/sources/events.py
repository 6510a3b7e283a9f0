"""Event logs: one row per case, activity and moment; each event is a recorded state of its deal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from analytics.records.contract import HISTORY_COLUMNS, History
from analytics.records.errors import InputError, nearest
from analytics.records.rejects import RejectLedger
from analytics.records.sources.conform import MOMENT, STATUS_OF, Reader, Rows
from analytics.records.sources.mapping import EventsSource
from analytics.records.sources.noticing import closings_at_an_edge, rows_with_forecasts, without_copies
from analytics.records.sources.states import history_of, side_frames
from analytics.records.sources.table_mapping import TableMapping

CONTRACT_NAMES = {"case": "deal_id", "activity": "stage", "timestamp": "recorded_on", "resource": "owner_id"}


def read_events(source: EventsSource, *, base: Path, timezone: str | None = None) -> History:
    """Read an event log: a deal opens with its opening activity and closes with an activity that is an outcome.

    Every event is one state: its activity is the stage, its date the day of recording, its resource the owner. The
    reason of a closed deal is the name of the closing activity. After the closing event a deal stays closed, whatever
    follows, unless an activity of `reopened_at` does. Case columns (account, amount, attributes) are taken from the
    case's first row, so that what a log writes on every row of a case only at its end is not read as known earlier.

    Parameters
    ----------
    source : EventsSource
        The mapping.
    base : pathlib.Path
        The params file's folder.
    timezone : str, optional
        Zone of the dates of timestamps that carry a zone.

    Returns
    -------
    History
        `kind="recorded"`.

    Raises
    ------
    InputError
        As `read_history`, and where no row has the opening activity. Rows of a case without it are rejected, like rows
        before it.

    Examples
    --------
    >>> import tempfile
    >>> base = Path(tempfile.mkdtemp())
    >>> log = ["case,what,time", "A,Create,2025-01-02 09:00", "A,Send,2025-01-03 10:00", "A,Accept,2025-01-09 11:00"]
    >>> _ = (base / "log.csv").write_text("\\n".join(log))
    >>> source = EventsSource(
    ...     kind="events", file="log.csv", columns={"case": "case", "activity": "what", "timestamp": "time"},
    ...     opened_at="Create", outcome={"Accept": "won"},
    ... )
    >>> read_events(source, base=base).table.to_pandas()["status"].tolist()
    ['open', 'open', 'closed_won']
    """
    reader = Reader(base, timezone, RejectLedger())
    mapping = _as_table(source)
    rows = reader.rows(mapping, HISTORY_COLUMNS, role="events")
    for name, target in (("case", "deal_id"), ("activity", "stage"), ("timestamp", "recorded_on")):
        rows = rows.without(rows.frame[target].isna(), f"no {name} ({source.columns[name]})")
    rows, copies = without_copies(rows, ["deal_id", MOMENT])
    rows, scales = rows_with_forecasts(rows)
    closed, stamp = rows.frame["stage"].isin(list(source.outcome)), source.columns["timestamp"]
    edges = closings_at_an_edge(rows, closed, stamp, mapping.date_format("recorded_on"), timezone)
    ordered = Rows(rows.frame.sort_values(["deal_id", MOMENT], kind="stable"), rows.raw, rows.ledger)
    events = _opened(ordered, source).frame
    constant = [
        name
        for name in (*source.attributes, "account_id", "pipeline", "amount", "currency", "source")
        if name in events
    ]
    first = events.groupby("deal_id", sort=False)
    for name in constant:
        # The value of the first row, empty if that is empty: `first` alone would skip to a later one.
        events[name] = events["deal_id"].map(events.drop_duplicates("deal_id").set_index("deal_id")[name])
    events["opened_on"] = first["recorded_on"].transform("min")
    return history_of(
        _closed(events, source),
        side=side_frames(source.side, reader),
        kind="recorded",
        attributes=tuple(source.attributes),
        ledger=reader.ledger,
        noticed=[copies, *scales, *edges],
    )


def _as_table(source: EventsSource) -> TableMapping:
    columns = {CONTRACT_NAMES.get(name, name): column for name, column in source.columns.items()}
    shared = (
        "file",
        "folder",
        "pattern",
        "url",
        "table",
        "read",
        "dates",
        "attributes",
        "values",
        "constants",
        "lookups",
    )
    return TableMapping(columns=columns, **{name: getattr(source, name) for name in shared})


def _opened(rows: Rows, source: EventsSource) -> Rows:
    """Reject cases that never open and rows before the opening one."""
    frame = rows.frame
    opens = frame["stage"] == source.opened_at
    if len(frame) and not opens.any():
        closest = nearest(source.opened_at, frame["stage"].unique())
        raise InputError(
            "no row has this activity, which is to open a deal",
            file=rows.raw.name,
            column=source.columns["activity"],
            value=source.opened_at,
            action=f"Correct opened_at: of source: in the params ({closest})",
        )
    ever = opens.groupby(frame["deal_id"], sort=False).transform("any")
    rows = rows.without(~ever, f"the case has no {source.opened_at!r}, so no opening date")
    openings = (rows.frame["stage"] == source.opened_at).astype("int64")
    begun = openings.groupby(rows.frame["deal_id"], sort=False).cumsum() > 0
    rows = rows.without(~begun, f"the row is earlier than the case's {source.opened_at!r}")
    return Rows(rows.frame.copy(), rows.raw, rows.ledger)


def _closed(events: pd.DataFrame, source: EventsSource) -> pd.DataFrame:
    """Carry the last closing or re-opening event of each case forward."""
    status = {activity: STATUS_OF[outcome] for activity, outcome in source.outcome.items()}
    status |= dict.fromkeys((source.opened_at, *source.reopened_at), "open")
    turn = events["stage"].map(status)
    turning = turn.notna()
    by_case = events["deal_id"]
    events["status"] = turn.groupby(by_case, sort=False).ffill()
    closed = events["status"] != "open"
    events["closed_on"] = events["recorded_on"].where(turning).groupby(by_case, sort=False).ffill().where(closed)
    events["reason"] = events["stage"].where(turning).groupby(by_case, sort=False).ffill().where(closed)
    events["stage"] = np.where(closed & ~turning, events["reason"], events["stage"])
    return events
