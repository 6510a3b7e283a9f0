"""The `source:` block of a Pipedrive export, checked."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from analytics.records.contract import SIDE_TABLES
from analytics.records.sources.exports import CrmExport, check_objects
from analytics.records.sources.pipedrive.fields import OBJECTS
from analytics.records.sources.table_mapping import check_attributes, check_columns


class PipedriveSource(CrmExport):
    """A Pipedrive export: deals, flow (or changelog), stages, pipelines, users, activities, dealFields.

    Objects are found by name and read by API names (v1 or v2, or the labels of the web app's own export). Only deals
    are required; without flow only today's values are known.

    Parameters
    ----------
    reason : str
        The field with the loss reason.
    deal_type, source : str, optional
        The fields with the kind of deal (becomes the attribute `deal_type`) and the lead source (by default `channel`
        where the export has it).
    attributes : dict
        Attribute name -> deal field (a custom field is its 40-character hash); option numbers become labels where
        dealFields is there.
    ignore_bulk : bool
        Leave out changes that were made in bulk, with a line in the ledger for each; by default they are kept.
    activity_columns, owner_columns : dict
        Column of `activities` or `owners` -> field of activities or users (`team: team_name`).
    """

    kind: Literal["pipedrive"]
    reason: str = "lost_reason"
    deal_type: str | None = None
    source: str | None = "channel"
    attributes: dict[str, str] = Field(default_factory=dict)
    ignore_bulk: bool = False
    activity_columns: dict[str, str] = Field(default_factory=dict)
    owner_columns: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _complete(self) -> PipedriveSource:
        check_objects(self.objects, OBJECTS)
        check_attributes(self.attributes)
        check_columns(self.activity_columns, SIDE_TABLES["activities"], required=(), block="activity_columns")
        check_columns(self.owner_columns, SIDE_TABLES["owners"], required=(), block="owner_columns")
        return self

    @property
    def tracked_attributes(self) -> dict[str, str]:
        """Attribute name -> field, with the kind of deal among them."""
        return {**({"deal_type": self.deal_type} if self.deal_type else {}), **self.attributes}

    @property
    def texts(self) -> dict[str, str]:
        """Contract column or attribute -> deal field, for every text whose history is played back."""
        named = {
            "stage": "stage_id",
            "pipeline": "pipeline_id",
            "owner_id": "owner_id",
            "currency": "currency",
            "reason": self.reason,
        }
        return named | ({"source": self.source} if self.source else {}) | self.tracked_attributes
