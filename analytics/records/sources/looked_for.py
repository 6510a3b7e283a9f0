"""Which objects of a CRM were looked for in its export, and where each was found."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath

from pydantic import BaseModel

from analytics.records.contract import SourceFile
from analytics.records.sources.exports import CrmExport
from analytics.records.sources.objects import CrmObject, is_named
from analytics.records.sources.paths import resolve_path
from analytics.records.sources.reading import FORMATS


def objects_looked_for(
    source: BaseModel, files: Iterable[SourceFile], base: Path = Path()
) -> dict[str, tuple[str, ...]]:
    """Which objects does this kind of CRM have, and which files or tables of the export hold each?

    Parameters
    ----------
    source : SourceConfig
        The checked `source:` block.
    files : iterable of SourceFile
        What was read.
    base : pathlib.Path
        The folder of the params file.

    Returns
    -------
    dict of str to tuple of str
        Object -> names of what holds it (a file of the folder may be there and not be needed), empty where the export
        lacks it; nothing for sources that are no CRM.

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
    there = dict.fromkeys([*(_plain(file.name) for file in files), *_in_folder(source, base)])
    return {
        name: tuple(found for found in there if _is_object(found, spec, source))
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


def _in_folder(source: CrmExport, base: Path) -> list[str]:
    folder = resolve_path(source.folder, base) if source.folder else None
    if folder is None or not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.name.lower().endswith(FORMATS))


def _plain(name: str) -> str:
    """A file's name without the role that the ledger adds where one file is read twice."""
    return name.partition(" (")[0]


def fields_of_deals(source: CrmExport) -> list[str]:
    """The fields of a CRM's object of deals that are read without being named in the params, under all their names.

    Examples
    --------
    >>> from analytics.records.sources.salesforce.mapping import SalesforceSource
    >>> "StageName" in fields_of_deals(SalesforceSource(kind="salesforce", folder="."))
    True
    """
    spec = next(iter(_objects(source).values()))
    return [*spec.fields, *(name for names in spec.synonyms.values() for name in names)]
