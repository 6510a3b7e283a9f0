"""The `source:` block of a Salesforce export, checked."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from analytics.records.contract import SIDE_TABLES
from analytics.records.sources.exports import CrmExport, check_objects
from analytics.records.sources.salesforce.fields import OBJECTS
from analytics.records.sources.salesforce.leaks import refuse_recomputed
from analytics.records.sources.table_mapping import check_attributes, check_columns


class SalesforceSource(CrmExport):
    """A Salesforce export: Opportunity, its histories, stages, contact roles, splits, tasks, events, users, rates.

    Objects are found by name and read by API names (`CrmExport` says where; `fields.OBJECTS` lists them). Only
    Opportunity is required; without OpportunityHistory, a connector's versions or the history of StageName in
    OpportunityFieldHistory, only today's state is known.

    Parameters
    ----------
    reason, deal_type, pipeline, source, currency : str, optional
        The Opportunity field with the loss reason, the kind of deal (becomes the attribute `deal_type`), the pipeline,
        the lead source and the currency.
    attributes : dict
        Attribute name -> Opportunity field; its history is taken from OpportunityFieldHistory where it is tracked.
    won_stages, lost_stages, open_stages : tuple of str
        What stages mean where neither OpportunityStage nor most of today's opportunities say it, or say it wrongly.
    activity_side, user_team : str, optional
        The field of Task (and Event) that says whether the buyer or the seller acted, and the User field with the
        team (else the name of the user's role).
    activity_columns, owner_columns : dict
        Column of `activities` or `owners` -> field of Task (and Event) or of User, for others
        (`start_on: Start_Date__c`).
    """

    kind: Literal["salesforce"]
    reason: str | None = None
    deal_type: str | None = None
    pipeline: str | None = None
    source: str | None = "LeadSource"
    currency: str | None = "CurrencyIsoCode"
    attributes: dict[str, str] = Field(default_factory=dict)
    won_stages: tuple[str, ...] = ()
    lost_stages: tuple[str, ...] = ()
    open_stages: tuple[str, ...] = ()
    activity_side: str | None = None
    activity_columns: dict[str, str] = Field(default_factory=dict)
    user_team: str | None = None
    owner_columns: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _complete(self) -> SalesforceSource:
        check_objects(self.objects, OBJECTS)
        check_attributes(self.attributes)
        refuse_recomputed(self.tracked_attributes)
        check_columns(self.activity_columns, SIDE_TABLES["activities"], required=(), block="activity_columns")
        check_columns(self.owner_columns, SIDE_TABLES["owners"], required=(), block="owner_columns")
        return self

    @property
    def tracked_attributes(self) -> dict[str, str]:
        """Attribute name -> Opportunity field, with the kind of deal among them."""
        kind_of_deal = {"deal_type": self.deal_type} if self.deal_type else {}
        return {**kind_of_deal, **self.attributes}

    def side_columns(self, table: Literal["activities", "owners"]) -> dict[str, str]:
        """Column of a side table -> custom field that the params name for it."""
        if table == "activities":
            return {**({"side": self.activity_side} if self.activity_side else {}), **self.activity_columns}
        return {**({"team": self.user_team} if self.user_team else {}), **self.owner_columns}
