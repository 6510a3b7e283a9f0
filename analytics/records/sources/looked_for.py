"""Which objects of a CRM were looked for in its export, and where each was found."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from pathlib import PurePath

from pydantic import BaseModel

from analytics.records.contract import SourceFile
from analytics.records.sources.exports import CrmExport
from analytics.records.sources.objects import CrmObject, is_named


def objects_looked_for(source: BaseModel, files: Iterable[SourceFile]) -> dict[str, tuple[str, ...]]:
    """Which objects does this kind of CRM have, and which files or tables of the export were read as each?

    Parameters
    ----------
    source : SourceConfig
        The checked `source:` block.
    files : iterable of SourceFile
        What was read.

    Returns
    -------
    dict of str to tuple of str
        Object -> names of what was read as it, empty where the export lacks it; nothing for sources that are no CRM.

    Examples
    --------
    >>> from analytics.records.sources.salesforce.mapping import SalesforceSource
    >>> read = [SourceFile("opportunity.csv", "", 10, 10, 0)]
    >>> found = objects_looked_for(SalesforceSource(kind="salesforce", folder="."), read)
    >>> found["Opportunity"], found["Task"]
    (('opportunity.csv',), ())
    """
    if not isinstance(source, CrmExport):
        return {}
    read = {_plain(file.name): file.name for file in files}
    return {
        name: tuple(full for short, full in read.items() if _is_object(short, spec, source))
        for name, spec in _objects(source).items()
    }


def _objects(source: CrmExport) -> Mapping[str, CrmObject]:
    """The objects of a kind of CRM: `OBJECTS` of the fields beside its mapping."""
    package = type(source).__module__.rpartition(".")[0]
    objects: Mapping[str, CrmObject] = importlib.import_module(f"{package}.fields").OBJECTS
    return objects


def _is_object(name: str, spec: CrmObject, source: CrmExport) -> bool:
    place = source.objects.get(spec.name)
    if place is not None:
        return name in (PurePath(place.file or "").name, place.table)
    # a file's name ends where its suffixes begin, a table's begins after its schema
    return is_named(name.rpartition(".")[2] if source.url else name.partition(".")[0], spec)


def _plain(name: str) -> str:
    """A file's name without the role that the ledger adds where one file is read twice."""
    return name.partition(" (")[0]
