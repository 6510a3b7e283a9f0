"""The `source:` block of a Dynamics 365 Sales export, checked."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from analytics.records.contract import SIDE_TABLES
from analytics.records.sources.dynamics.fields import OBJECTS
from analytics.records.sources.exports import CrmExport, check_objects
from analytics.records.sources.table_mapping import ValueMap, check_attributes, check_columns

OF_CLOSING = "opportunityclose."
"""What the field of an attribute begins with where it is filled in at the closing (`opportunityclose.competitorid`)."""


class DynamicsSource(CrmExport):
    """A Dynamics 365 Sales export: opportunity, opportunityclose, audit, activities, systemuser, team.

    Tables are found by name and read by logical names (`CrmExport` says where). Only opportunity is required; without
    audit only today's values are known, and without opportunityclose a closing is known by its typed date.

    Parameters
    ----------
    stage : str
        The column with the stage: `stepname` (the default), `salesstage`, `stageid` or one of the company's own.
    reason : str
        The column with the loss reason; by default the status reason (`Canceled`, `Out-Sold`). `Canceled` is no
        decision only where `rules: no_decision_reasons: [Canceled]` says so.
    status_reasons : dict
        Number of a status reason -> its label, for those that the company added (`"100000001": Lost to status quo`).
    deal_type, pipeline, source : str, optional
        The columns with the kind of deal (becomes the attribute `deal_type`), the pipeline and the lead source.
    attributes : dict
        Attribute name -> opportunity column, or `opportunityclose.competitorid` for one that is known from the closing
        on; the history of a column is taken from audit.
    audit_dates : str
        The format of dates within audit (`strptime`; `iso` by default), which is not that of the tables.
    activity_columns, owner_columns : dict
        Column of `activities` or `owners` -> column of the activity tables or of systemuser (`team: new_team`).
    """

    kind: Literal["dynamics"]
    stage: str = "stepname"
    reason: str = "statuscode"
    status_reasons: ValueMap = Field(default_factory=dict)
    deal_type: str | None = None
    pipeline: str | None = None
    source: str | None = None
    attributes: dict[str, str] = Field(default_factory=dict)
    audit_dates: str = "iso"
    activity_columns: dict[str, str] = Field(default_factory=dict)
    owner_columns: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _complete(self) -> DynamicsSource:
        check_objects(self.objects, OBJECTS)
        check_attributes(self.attributes)
        check_columns(self.activity_columns, SIDE_TABLES["activities"], required=(), block="activity_columns")
        check_columns(self.owner_columns, SIDE_TABLES["owners"], required=(), block="owner_columns")
        return self

    @property
    def tracked_attributes(self) -> dict[str, str]:
        """Attribute name -> column, with the kind of deal among them."""
        return {**({"deal_type": self.deal_type} if self.deal_type else {}), **self.attributes}

    @property
    def closing_fields(self) -> tuple[str, ...]:
        """The opportunityclose columns that attributes name."""
        named = [field for field in self.tracked_attributes.values() if field.startswith(OF_CLOSING)]
        return tuple(dict.fromkeys(field.removeprefix(OF_CLOSING) for field in named))

    @property
    def texts(self) -> dict[str, str]:
        """Contract column or attribute -> opportunity column, for every text whose history is played back."""
        stated = {"pipeline": self.pipeline, "source": self.source}
        named = {"stage": self.stage, "owner_id": "ownerid", "reason": self.reason, "currency": "transactioncurrencyid"}
        return named | {name: field for name, field in stated.items() if field} | self.tracked_attributes
