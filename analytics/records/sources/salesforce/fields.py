"""The objects of a Salesforce export and the standard fields that are read, by API name."""

from __future__ import annotations

from analytics.records.sources.objects import CrmObject

OPPORTUNITY = CrmObject(
    "Opportunity",
    fields={
        "Id": "string", "AccountId": "string", "OwnerId": "string", "StageName": "string", "Amount": "float64",
        "CloseDate": "day", "CreatedDate": "moment", "IsClosed": "flag", "IsWon": "flag", "IsDeleted": "flag",
        "LastStageChangeDate": "moment",
    },
    required=("Id", "StageName", "CloseDate", "CreatedDate"),
    also=("opportunities",),
)  # fmt: skip

OPPORTUNITY_HISTORY = CrmObject(
    "OpportunityHistory",
    fields={
        "OpportunityId": "string", "CreatedDate": "moment", "StageName": "string", "Amount": "float64",
        "CloseDate": "day", "Probability": "float64", "PrevAmount": "float64", "PrevCloseDate": "day",
        "IsDeleted": "flag",
    },
    required=("OpportunityId", "CreatedDate", "StageName", "CloseDate"),
)  # fmt: skip

OPPORTUNITY_FIELD_HISTORY = CrmObject(
    "OpportunityFieldHistory",
    fields={
        "OpportunityId": "string", "Field": "string", "OldValue": "string", "NewValue": "string",
        "CreatedDate": "moment", "IsDeleted": "flag",
    },
    required=("OpportunityId", "Field", "CreatedDate"),
    needed=("OldValue", "NewValue"),
)  # fmt: skip

TASK = CrmObject(
    "Task",
    fields={
        "WhatId": "string", "Status": "string", "ActivityDate": "day", "CompletedDateTime": "moment",
        "CreatedDate": "moment", "Type": "string", "TaskSubtype": "string", "OwnerId": "string", "IsClosed": "flag",
        "IsDeleted": "flag", "CallDurationInSeconds": "float64",
    },
    required=("CreatedDate",),
    needed=("WhatId",),
    also=("tasks",),
)  # fmt: skip

USER = CrmObject(
    "User",
    fields={"Id": "string", "Name": "string", "ManagerId": "string"},
    required=("Id", "Name"),
    also=("users",),
)

OBJECTS = {spec.name: spec for spec in (OPPORTUNITY, OPPORTUNITY_HISTORY, OPPORTUNITY_FIELD_HISTORY, TASK, USER)}
"""Every object that is read, by name."""
