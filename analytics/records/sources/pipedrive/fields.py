"""The objects of a Pipedrive export and the fields that are read, by API name.

Checked against the vendor's reference (API v1 and v2: deals, deals/{id}/flow, deals/{id}/changelog, activities): the
names of deals, flow and activities below; that a flow mixes kinds of objects, of which `dealChange` is a change; that
times are UTC; that custom fields are 40-character hashes. From memory: stages, pipelines, users and dealFields. Not
documented there: the labels of the web app's own .csv export ("Deal - Value"), taken from published files, and whether
its times are UTC too, which is assumed.
"""

from __future__ import annotations

from analytics.records.sources.objects import CrmObject


def _id(name: str, *more: str) -> tuple[str, ...]:
    return (f"{name}.value", f"{name}.id", *more)


DEALS = CrmObject(
    "deals",
    fields={
        "id": "string", "org_id": "string", "owner_id": "string", "pipeline_id": "string", "stage_id": "string",
        "status": "string", "value": "float64", "currency": "string", "probability": "float64", "add_time": "string",
        "update_time": "string", "won_time": "string", "first_won_time": "string", "lost_time": "string",
        "close_time": "string", "lost_reason": "string", "expected_close_date": "day", "is_archived": "flag",
        "is_deleted": "flag",
    },
    required=("id", "status", "add_time"),
    needed=("stage_id",),
    also=("deal",),
    synonyms={
        "id": ("Deal - ID", "deal_id"),
        "org_id": _id("org_id", "Deal - Organization ID", "Deal - Organization"),
        "owner_id": _id("owner_id", "user_id", *_id("user_id"), "Deal - Owner"),
        "pipeline_id": ("Deal - Pipeline",),
        "stage_id": ("Deal - Stage",),
        "status": ("Deal - Status",),
        "value": ("Deal - Value",),
        "currency": ("Deal - Currency of Value", "Deal - Currency"),
        "probability": ("Deal - Probability",),
        "add_time": ("Deal - Deal created", "Deal - Creation date"),
        "update_time": ("Deal - Update time",),
        "won_time": ("Deal - Won time",), "lost_time": ("Deal - Lost time",),
        "close_time": ("Deal - Deal closed on", "Deal - Closed on"),
        "lost_reason": ("Deal - Lost reason",),
        "expected_close_date": ("Deal - Expected close date",),
        "is_archived": ("archived",), "is_deleted": ("deleted",),
        "channel": ("Deal - Source channel",), "origin": ("Deal - Source origin",), "label": ("Deal - Label",),
    },
)  # fmt: skip

DEAL_TIMES = ("add_time", "update_time", "won_time", "first_won_time", "lost_time", "close_time")

FLOW = CrmObject(
    "flow",
    fields={
        "object": "string", "id": "int64", "deal_id": "string", "item_id": "string", "field_key": "string",
        "old_value": "string", "new_value": "string", "log_time": "string", "is_bulk_update_flag": "flag",
    },
    required=(),
    needed=("field_key", "old_value", "new_value", "log_time"),
    also=("changelog", "deal_flow", "deal_changelog", "deal_changes"),
    synonyms={
        **{name: (f"data.{name}",) for name in ("id", "item_id", "field_key", "old_value", "new_value")},
        "log_time": ("data.log_time", "time", "timestamp"),
        "is_bulk_update_flag": ("data.is_bulk_update_flag",),
    },
)  # fmt: skip

STAGES = CrmObject(
    "stages",
    fields={
        "id": "string", "name": "string", "order_nr": "int64", "pipeline_id": "string", "deal_probability": "float64",
    },
    required=("id", "name"),
    also=("stage",),
)  # fmt: skip

PIPELINES = CrmObject(
    "pipelines", fields={"id": "string", "name": "string"}, required=("id", "name"), also=("pipeline",)
)

DEAL_FIELDS = CrmObject(
    "dealFields",
    fields={"key": "string", "options": "string"},
    required=("key",),
    needed=("options",),
    also=("deal_field",),
    synonyms={"key": ("field_code",)},
)

USERS = CrmObject("users", fields={"id": "string", "name": "string"}, required=("id", "name"), also=("user",))

ACTIVITIES = CrmObject(
    "activities",
    fields={
        "deal_id": "string", "owner_id": "string", "type": "string", "done": "flag", "due_date": "day",
        "marked_as_done_time": "string", "add_time": "string", "duration": "string", "is_deleted": "flag",
        "active_flag": "flag",
    },
    required=(),
    needed=("deal_id", "done"),
    also=("activity",),
    synonyms={
        "owner_id": ("assigned_to_user_id", *_id("owner_id"), "user_id", *_id("user_id")),
        "deal_id": _id("deal_id"),
    },
)  # fmt: skip

OBJECTS = {spec.name: spec for spec in (DEALS, FLOW, STAGES, PIPELINES, DEAL_FIELDS, USERS, ACTIVITIES)}
"""Every object that is read, by name."""
