"""Which columns of the deals lie in the export unused: what an analyst may still want to map."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from analytics.records.contract import SourceFile
from analytics.records.rejects import RejectLedger
from analytics.records.sources.exports import CrmExport
from analytics.records.sources.looked_for import fields_of_deals
from analytics.records.sources.objects import plain_name
from analytics.records.sources.paths import resolve_path
from analytics.records.sources.reading import read_file

_OF_STAGES = re.compile(r"date(entered|exited)|(cumulative|latest)timein")
"""Columns that HubSpot has once for each stage; which of them are read is no choice of the params."""


def columns_not_used(source: BaseModel, files: Iterable[SourceFile], base: Path) -> list[str]:
    """Which columns of the table of deals are read past?

    Parameters
    ----------
    source : SourceConfig
        The checked `source:` block.
    files : iterable of SourceFile
        What was read; the first one holds the deals.
    base : pathlib.Path
        The folder of the params file.

    Returns
    -------
    list of str
        Headers that no key of the params names and that are no field of the CRM that is read, in the file's order;
        nothing where the deals come from a database.

    Examples
    --------
    >>> import tempfile
    >>> from analytics.records.sources.mapping import FlatSource
    >>> base = Path(tempfile.mkdtemp())
    >>> _ = (base / "deals.csv").write_text("id,opened,stage,region\\n1,2025-01-02,Won,North\\n")
    >>> source = FlatSource(kind="flat", file="deals.csv", columns={"deal_id": "id", "opened_on": "opened"},
    ...                     outcome={"column": "stage", "values": {"Won": "won"}})
    >>> columns_not_used(source, [SourceFile("deals.csv", "", 1, 1, 0)], base)
    ['region']
    """
    first = next(iter(files), None)
    path = None if first is None else _path_of(source, first.name.partition(" (")[0], base)
    if path is None:
        return []
    table = read_file(path, source.read, name=path.name, ledger=RejectLedger())  # type: ignore[attr-defined]
    used = {plain_name(text) for text in _texts(source.model_dump(mode="json"))}
    if isinstance(source, CrmExport):
        used |= {plain_name(name) for name in fields_of_deals(source)}
    return [
        header for header in table.columns if not _bare(header) & used and not _OF_STAGES.search(plain_name(header))
    ]


def _bare(header: str) -> set[str]:
    """A header as names are compared, with and without what a connector puts before it."""
    name = plain_name(header)
    return {name, re.sub(r"^propert(y|ies)", "", name)}


def _path_of(source: BaseModel, name: str, base: Path) -> Path | None:
    """Find the file of that name where the params say that files are."""
    places = [getattr(source, "file", None), *(place.file for place in getattr(source, "objects", {}).values())]
    written = [place for place in places if place and Path(place).name == name]
    folder = getattr(source, "folder", None)
    paths = [resolve_path(place, base) for place in written]
    paths += [resolve_path(folder, base) / name] if folder else []
    return next((path for path in paths if path.is_file()), None)


def _texts(value: Any) -> Iterator[str]:
    """Every text that the params hold, wherever it stands."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield str(key)
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)
