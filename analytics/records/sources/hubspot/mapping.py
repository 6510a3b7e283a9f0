"""The `source:` block of a HubSpot export, checked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from analytics.records.sources.exports import CrmExport, check_objects
from analytics.records.sources.hubspot.fields import OBJECTS
from analytics.records.sources.table_mapping import check_attributes


def _texts(value: object) -> object:
    """YAML reads a stage id as a number."""
    return tuple(str(item) for item in value) if isinstance(value, list | tuple) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_texts)]


class HubspotSource(CrmExport):
    """A HubSpot export: deals with their property history, stages, merges, owners and engagements.

    Objects are found by name (`CrmExport` says where) and read by API names, by the labels of the portal's own export,
    or by the columns that connectors land. Only the deals are required; without any history of stages only today's
    state is known.

    Parameters
    ----------
    reason, won_reason : str, optional
        The property with the reason of a lost deal, and of a won one.
    deal_type, source, currency : str, optional
        The property with the kind of deal (becomes the attribute `deal_type`), the source and the currency.
    attributes : dict
        Attribute name -> property; its history is taken from the property history.
    won_stages, lost_stages, open_stages : tuple of str
        What stages mean, by id, label or `label (pipeline)`; goes before the list of stages.
    ignore_sources : tuple of str
        Sources of changes (`IMPORT`, `AUTOMATION_PLATFORM`) whose changes of stage and pipeline are left out.
    times_without_zone : {"utc", "local"}, optional
        What a time without a zone is: HubSpot's own UTC, as connectors land it, or the portal's local time, as the
        portal exports it. Without it, local where the file of deals has headers with spaces, as the portal writes them.
    """

    kind: Literal["hubspot"]
    reason: str | None = "closed_lost_reason"
    won_reason: str | None = "closed_won_reason"
    deal_type: str | None = None
    source: str | None = "hs_analytics_source"
    currency: str | None = "deal_currency_code"
    attributes: dict[str, str] = Field(default_factory=dict)
    won_stages: Names = ()
    lost_stages: Names = ()
    open_stages: Names = ()
    ignore_sources: Names = ()
    times_without_zone: Literal["utc", "local"] | None = None

    @model_validator(mode="after")
    def _complete(self) -> HubspotSource:
        check_objects(self.objects, OBJECTS)
        check_attributes(self.attributes)
        return self

    @property
    def tracked_attributes(self) -> dict[str, str]:
        """Attribute name -> property, with the kind of deal among them."""
        kind_of_deal = {"deal_type": self.deal_type} if self.deal_type else {}
        return {**kind_of_deal, **self.attributes}

    @property
    def properties(self) -> dict[str, str]:
        """Contract column, attribute or `won_reason` -> property, for every property whose history is read."""
        named = {"reason": self.reason, "won_reason": self.won_reason, "source": self.source, "currency": self.currency}
        standard = {
            "owner_id": "hubspot_owner_id", "amount": "amount", "close": "closedate", "pipeline": "pipeline",
            "stage": "dealstage", "probability": "hs_deal_stage_probability",
            "forecast_category": "hs_manual_forecast_category",
        }  # fmt: skip
        return standard | {name: field for name, field in named.items() if field} | self.tracked_attributes

    @property
    def demanded(self) -> dict[str, str]:
        """The properties that the params themselves name: an export that lacks one is refused."""
        more = {
            name: field
            for name, field in self.properties.items()
            if name in self.model_fields_set and name not in self.tracked_attributes
        }
        return more | self.tracked_attributes
