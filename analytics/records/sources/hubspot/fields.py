"""The objects of a HubSpot export and the properties that are read: by API name, portal label or connector's column."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from analytics.records.sources.objects import CrmObject

DEALS = CrmObject(
    "deals",
    fields={
        "hs_object_id": "string", "pipeline": "string", "dealstage": "string", "amount": "float64",
        "deal_currency_code": "string", "closedate": "string", "createdate": "string", "hs_is_closed": "flag",
        "hs_is_closed_won": "flag", "hs_deal_stage_probability": "float64", "hs_manual_forecast_category": "string",
        "hubspot_owner_id": "string", "hs_analytics_source": "string", "hs_merged_object_ids": "string",
        "associatedcompanyid": "string", "amount_in_home_currency": "string", "is_deleted": "flag",
        "_fivetran_deleted": "flag", "archived": "flag",
    },
    required=("hs_object_id", "createdate"),
    needed=("dealstage",),
    also=("deal", "hubspot-crm-exports-all-deals"),
    synonyms={
        "hs_object_id": ("deal_id", "Record ID", "objectId", "id"),
        "pipeline": ("deal_pipeline_id",),
        "dealstage": ("deal_pipeline_stage_id",),
        "deal_currency_code": ("Currency",),
        "hs_is_closed": ("Is Deal Closed?", "Is Closed"),
        "hs_is_closed_won": ("Is Closed Won",),
        "hs_deal_stage_probability": ("Deal probability",),
        "hs_manual_forecast_category": ("Forecast category",),
        "hubspot_owner_id": ("owner_id", "Deal owner"),
        "hs_analytics_source": ("Original Source Type", "Original Traffic Source", "Original Source"),
        "hs_merged_object_ids": ("Merged Deal IDs", "Merged Object IDs"),
        "associatedcompanyid": (
            "Associated Company IDs (Primary)", "Primary Associated Company", "hs_primary_associated_company",
            "Associated Company IDs", "Associated Company (Primary)", "Associated Company",
        ),
        "amount_in_home_currency": ("Amount in company currency",),
    },
)  # fmt: skip

PROPERTY_HISTORY = CrmObject(
    "deal_property_history",
    fields={"deal_id": "string", "name": "string", "value": "string", "timestamp": "string", "source": "string"},
    required=("deal_id", "name", "timestamp"),
    needed=("value",),
    also=("deals_property_history", "deal_properties_history", "property_history"),
    synonyms={
        "deal_id": ("objectId", "hs_object_id"),
        "name": ("property", "property_name"),
        "source": ("source_type",),
    },
)

STAGE_CHANGES = CrmObject(
    "deal_stage",
    fields={"deal_id": "string", "value": "string", "date_entered": "string", "source": "string"},
    required=("deal_id", "value", "date_entered"),
    synonyms={"date_entered": ("_fivetran_start",), "value": ("stage_id",)},
)

PIPELINES = CrmObject(
    "deal_pipeline",
    fields={"pipeline_id": "string", "label": "string"},
    required=("pipeline_id",),
    needed=("label",),
    also=("deal_pipelines", "pipelines", "pipeline"),
    synonyms={"pipeline_id": ("id",)},
)

STAGES = CrmObject(
    "deal_pipeline_stage",
    fields={
        "stage_id": "string", "pipeline_id": "string", "label": "string", "display_order": "float64",
        "probability": "float64", "is_closed": "flag", "closed_won": "flag", "_fivetran_deleted": "flag",
        "archived": "flag",
    },
    required=("stage_id",),
    needed=("pipeline_id", "label"),
    also=("deal_pipeline_stages", "pipeline_stages", "stages"),
    synonyms={
        "stage_id": ("id",),
        "is_closed": ("metadata.isClosed",),
        "probability": ("metadata.probability",),
    },
)  # fmt: skip

MERGES = CrmObject(
    "merged_deal",
    fields={"deal_id": "string", "merged_deal_id": "string"},
    required=("deal_id", "merged_deal_id"),
    also=("merged_deals", "deal_merges"),
)

COMPANIES = CrmObject(
    "deal_company",
    fields={"deal_id": "string", "company_id": "string", "type_id": "string", "label": "string"},
    required=("deal_id", "company_id"),
    also=("deal_companies", "deals_companies"),
)

OWNERS = CrmObject(
    "owner",
    fields={
        "owner_id": "string", "first_name": "string", "last_name": "string", "archived": "flag",
        "is_active": "flag", "_fivetran_deleted": "flag",
    },
    required=("owner_id",),
    also=("owners",),
    synonyms={"owner_id": ("id",), "is_active": ("active",)},
)  # fmt: skip

OWNER_TEAMS = CrmObject(
    "owner_team",
    fields={"owner_id": "string", "team_id": "string", "is_team_primary": "flag"},
    required=("owner_id", "team_id"),
    also=("owner_teams",),
    synonyms={"is_team_primary": ("primary", "is_primary")},
)

TEAMS = CrmObject(
    "team",
    fields={"id": "string", "name": "string"},
    required=("id",),
    needed=("name",),
    also=("teams",),
    synonyms={"id": ("team_id",)},
)

ENGAGEMENTS = CrmObject(
    "engagement",
    fields={
        "id": "string", "type": "string", "timestamp": "string", "created_at": "string", "owner_id": "string",
        "_fivetran_deleted": "flag",
    },
    required=("id",),
    also=("engagements",),
    synonyms={"id": ("engagement_id",)},
)  # fmt: skip

ENGAGEMENT_DEALS = CrmObject(
    "engagement_deal",
    fields={"engagement_id": "string", "deal_id": "string"},
    required=("engagement_id", "deal_id"),
    also=("engagement_deals",),
)


def _engagement(kind: str, times: tuple[str, ...], more: dict[str, str], also: dict[str, tuple[str, ...]]) -> CrmObject:
    """One kind of engagement: when it was, who made it, and what this kind has besides."""
    return _with_property_columns(
        CrmObject(
            f"engagement_{kind}",
            fields={
                "engagement_id": "string", "hs_timestamp": "string", "hs_createdate": "string",
                "hubspot_owner_id": "string", "_fivetran_deleted": "flag", "archived": "flag", **more,
            },
            required=("engagement_id",),
            also=(f"engagement_{kind}s", f"{kind}s"),
            synonyms={
                "engagement_id": ("hs_object_id", "id"),
                "hs_timestamp": times,
                "hs_createdate": ("created_at", "createdate"),
                "hubspot_owner_id": ("owner_id",),
                **also,
            },
        )
    )  # fmt: skip


def _with_property_columns(spec: CrmObject, more: Iterable[str] = ()) -> CrmObject:
    """Let every field be found under a connector's `property_…` and a flattened API answer's `properties.…`."""
    names = dict.fromkeys((*spec.fields, *more))
    found = {
        name: (f"property_{name}", *spec.synonyms.get(name, ()), f"properties.{name}")
        for name in names
    }  # fmt: skip
    return replace(spec, synonyms=found)


def deal_object(more: Iterable[str]) -> CrmObject:
    """Return the object of deals, with further properties that the params name."""
    return _with_property_columns(DEALS, more)


ENGAGEMENT_KINDS = {
    "call": _engagement(
        "call", ("timestamp",),
        {"hs_call_direction": "string", "hs_call_disposition": "string", "hs_call_duration": "float64"},
        {"hs_call_disposition": ("disposition", "hs_call_status", "status"), "hs_call_duration": (
            "duration_milliseconds",)},
    ),
    "email": _engagement("email", ("timestamp",), {"hs_email_direction": "string"}, {}),
    "meeting": _engagement(
        "meeting", ("hs_meeting_start_time", "property_hs_meeting_start_time", "start_time", "timestamp"),
        {"hs_meeting_outcome": "string", "hs_meeting_end_time": "string"},
        {"hs_meeting_outcome": ("meeting_outcome",), "hs_meeting_end_time": ("end_time",)},
    ),
    "note": _engagement("note", ("timestamp",), {}, {}),
    "task": _engagement(
        "task", ("timestamp",), {"hs_task_status": "string", "hs_task_completion_date": "string"},
        {"hs_task_status": ("status",), "hs_task_completion_date": ("completion_date",)},
    ),
}  # fmt: skip
"""Kind of engagement -> its object."""

OBJECTS = {
    spec.name: spec
    for spec in (
        DEALS, PROPERTY_HISTORY, STAGE_CHANGES, PIPELINES, STAGES, MERGES, COMPANIES, OWNERS, OWNER_TEAMS, TEAMS,
        ENGAGEMENTS, ENGAGEMENT_DEALS, *ENGAGEMENT_KINDS.values(),
    )
}  # fmt: skip
"""Every object that is read, by name."""
