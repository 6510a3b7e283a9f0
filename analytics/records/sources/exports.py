"""The place of a CRM's export in the params: a folder, a database, or each object by itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from pydantic import BaseModel, Field, model_validator

from analytics.records.errors import nearest
from analytics.records.sources.table_mapping import CLOSED, Reading, TableMapping, ValueMap, check_side


class ObjectPlace(BaseModel):
    """Where one object of an export is, and what its fields are called there.

    Exactly one of `file` and `table` (of the source's `url`); `columns` maps a field of the CRM to the header that
    holds it, for headers that are not the CRM's own.
    """

    model_config = CLOSED
    file: str | None = None
    table: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_place(self) -> ObjectPlace:
        if bool(self.file) == bool(self.table):
            raise ValueError("say where the object is by exactly one of file: and table:")
        return self


class CrmExport(BaseModel):
    """What the sources of all CRMs share: where the objects are and how they are written.

    Parameters
    ----------
    folder : str, optional
        A folder with one file per object, found by its name (letter case, underscores and a prefix such as `sf_` do
        not matter).
    url : str, optional
        A database whose tables are the objects, found by name in the same way (`postgres://…/crm`; keep the password in
        a `WINLOSS_…` variable or the driver's own file).
    database_schema : str, optional
        The schema of those tables; without it the connection's own.
    objects : dict
        Object -> its file or table, where the name does not tell; goes before `folder` and `url`.
    read, dates, values, constants
        As in `TableMapping`; `dates` is one format for all objects, or one per field.
    side : dict
        Further side tables as flat files or SQL tables.
    extracted_on : datetime.date, optional
        The day on which the export was made.
    """

    model_config = CLOSED
    folder: str | None = None
    url: str | None = None
    database_schema: str | None = None
    objects: dict[str, ObjectPlace] = Field(default_factory=dict)
    read: Reading = Reading()
    dates: str | dict[str, str] = "iso"
    values: dict[str, ValueMap] = Field(default_factory=dict)
    constants: dict[str, str] = Field(default_factory=dict)
    side: dict[str, TableMapping] = Field(default_factory=dict)
    extracted_on: dt.date | None = None

    def date_format(self, field: str) -> str:
        """The stated format of one field's dates."""
        return self.dates if isinstance(self.dates, str) else self.dates.get(field, self.dates.get("*", "iso"))

    @model_validator(mode="after")
    def _has_a_place(self) -> CrmExport:
        if self.folder and self.url:
            raise ValueError("say where the export is by one of folder: and url:, not by both")
        if not (self.folder or self.url or self.objects):
            raise ValueError("say where the export is: folder:, url:, or objects: with a file or table for each")
        if self.url is None and (self.database_schema or any(place.table for place in self.objects.values())):
            raise ValueError("a table is in a database: add url:")
        check_side(self.side)
        return self


def check_objects(given: Mapping[str, ObjectPlace], known: Mapping[str, object]) -> None:
    """Check that the objects that params name are those of the CRM.

    Raises
    ------
    ValueError
        For an unknown one, with the nearest name.
    """
    for name in given:
        if name not in known:
            raise ValueError(f"objects: there is no {name!r} to read ({nearest(name, known)})")
