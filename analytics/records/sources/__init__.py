"""Sources: each turns one kind of export into History; a new one is a module here and a line in `SOURCES`."""

from __future__ import annotations

import importlib
from pathlib import Path

from analytics.records.contract import History
from analytics.records.errors import InputError, nearest
from analytics.records.sources.mapping import SourceConfig

SOURCES: dict[str, str] = {
    "flat": "analytics.records.sources.flat:read_flat",
    "snapshots": "analytics.records.sources.snapshots:read_snapshots",
    "events": "analytics.records.sources.events:read_events",
    "salesforce": "analytics.records.sources.salesforce:read_salesforce",
    "dynamics": "analytics.records.sources.dynamics:read_dynamics",
    "pipedrive": "analytics.records.sources.pipedrive:read_pipedrive",
    "hubspot": "analytics.records.sources.hubspot:read_hubspot",
    "simulated": "analytics.records.sources.simulated:read_simulated",
}
"""Kind of source -> `module:function`; the function takes `(source, base, timezone)` and returns History."""


def read_history(source: SourceConfig, *, base: Path, timezone: str | None = None) -> History:
    """Read a company's records: what was recorded, and when.

    Parameters
    ----------
    source : SourceConfig
        The checked `source:` block of the company's params.
    base : pathlib.Path
        The folder of the params file; relative paths in `source` resolve against it.
    timezone : str, optional
        Zone (IANA name) in which timestamps that carry a zone are dated; times without a zone stay as written.

    Returns
    -------
    History
        `HISTORY_COLUMNS` and the declared attributes as an ibis table on an in-memory DuckDB, side tables, rejected
        rows and the files that were read.

    Raises
    ------
    InputError
        Where a file cannot be used as it is: missing, empty, wrong delimiter or encoding, a mapped column that is not
        there, a column whose every date fails, duplicate ids.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from analytics.records.sources.mapping import FlatSource
    >>> base = pathlib.Path(tempfile.mkdtemp())
    >>> rows = ["id,opened,closed,stage", "1,2025-01-02,2025-02-01,Won", "2,2025-01-09,,Open"]
    >>> _ = (base / "deals.csv").write_text("\\n".join(rows))
    >>> source = FlatSource(
    ...     kind="flat", file="deals.csv",
    ...     columns={"deal_id": "id", "opened_on": "opened", "closed_on": "closed"},
    ...     outcome={"column": "stage", "values": {"Won": "won", "Open": "open"}},
    ... )
    >>> history = read_history(source, base=base)
    >>> history.kind, int(history.table.count().execute())
    ('current_only', 3)
    """
    if source.kind not in SOURCES:
        raise InputError(f"there is no source of kind {source.kind!r}", action=nearest(source.kind, SOURCES))
    module, function = SOURCES[source.kind].split(":")
    reader = getattr(importlib.import_module(module), function)
    history: History = reader(source, base=base, timezone=timezone)
    return history
