"""The objects of a Salesforce export and the standard fields that are read, by API name."""

from __future__ import annotations

from analytics.records.sources.objects import CrmObject

VERSION = {"VersionStart": "moment", "VersionActive": "flag", "ConnectorDeleted": "flag"}
VERSION_SYNONYMS = {
    "VersionStart": ("_fivetran_start", "dbt_valid_from"),
    "VersionActive": ("_fivetran_active",),
    "ConnectorDeleted": ("_fivetran_deleted",),
}
"""What a warehouse connector adds to a table of which it keeps every version of a row (VersionStart: since when)."""

OPPORTUNITY_FIELDS = {
    "Id": "string", "AccountId": "string", "OwnerId": "string", "StageName": "string", "Amount": "float64",
    "CloseDate": "day", "CreatedDate": "moment", "IsClosed": "flag", "IsWon": "flag", "IsDeleted": "flag",
    "MasterRecordId": "string", "Probability": "float64", "ForecastCategory": "string",
    "ForecastCategoryName": "string", "LastStageChangeDate": "moment",
}  # fmt: skip

OPPORTUNITY = CrmObject(
    "Opportunity",
    fields=OPPORTUNITY_FIELDS | VERSION,
    required=("Id", "StageName", "CloseDate", "CreatedDate"),
    also=("opportunities",),
    synonyms=VERSION_SYNONYMS,
)

OPPORTUNITY_HISTORY = CrmObject(
    "OpportunityHistory",
    fields={
        "Id": "string", "OpportunityId": "string", "CreatedDate": "moment", "StageName": "string", "Amount": "float64",
        "CloseDate": "day", "Probability": "float64", "ForecastCategory": "string", "PrevAmount": "float64",
        "PrevCloseDate": "day", "CurrencyIsoCode": "string", "IsDeleted": "flag",
    },
    required=("OpportunityId", "CreatedDate", "StageName", "CloseDate"),
)  # fmt: skip

OPPORTUNITY_VERSIONS = CrmObject(
    "OpportunityHistory",
    fields=OPPORTUNITY_FIELDS | VERSION,
    required=("Id", "StageName", "CloseDate", "CreatedDate", "VersionStart"),
    synonyms=VERSION_SYNONYMS,
)
"""The other table of that name: a connector's, one row per version of an opportunity, with all of its fields."""

OPPORTUNITY_FIELD_HISTORY = CrmObject(
    "OpportunityFieldHistory",
    fields={
        "Id": "string", "OpportunityId": "string", "Field": "string", "OldValue": "string", "NewValue": "string",
        "CreatedDate": "moment", "IsDeleted": "flag",
    },
    required=("OpportunityId", "Field", "CreatedDate"),
    needed=("OldValue", "NewValue"),
)  # fmt: skip

OPPORTUNITY_STAGE = CrmObject(
    "OpportunityStage",
    fields={
        "MasterLabel": "string", "ApiName": "string", "SortOrder": "int64", "IsActive": "flag", "IsClosed": "flag",
        "IsWon": "flag",
    },
    required=("MasterLabel", "IsClosed", "IsWon"),
    also=("opportunity_stages",),
)  # fmt: skip

OPPORTUNITY_CONTACT_ROLE = CrmObject(
    "OpportunityContactRole",
    fields={"OpportunityId": "string", "CreatedDate": "moment", "IsDeleted": "flag"},
    required=("OpportunityId",),
)

OPPORTUNITY_SPLIT = CrmObject("OpportunitySplit", fields={"OpportunityId": "string"}, required=("OpportunityId",))

ACTIVITY = {
    "Id": "string", "WhatId": "string", "ActivityDate": "day", "CreatedDate": "moment", "Type": "string",
    "OwnerId": "string", "IsDeleted": "flag", "IsRecurrence": "flag", "VersionStart": "moment",
    "VersionActive": "flag",
}  # fmt: skip

TASK = CrmObject(
    "Task",
    fields=ACTIVITY
    | {
        "Status": "string", "CompletedDateTime": "moment", "TaskSubtype": "string", "IsClosed": "flag",
        "CallDurationInSeconds": "float64",
    },
    required=("CreatedDate",),
    needed=("WhatId",),
    also=("tasks",),
    synonyms=VERSION_SYNONYMS,
)  # fmt: skip

EVENT = CrmObject(
    "Event",
    fields=ACTIVITY
    | {
        "StartDateTime": "moment", "ActivityDateTime": "moment", "EndDateTime": "moment",
        "DurationInMinutes": "float64", "EventSubtype": "string", "IsChild": "flag", "IsAllDayEvent": "flag",
    },
    required=("CreatedDate",),
    needed=("WhatId",),
    also=("events",),
    synonyms=VERSION_SYNONYMS,
)  # fmt: skip

USER = CrmObject(
    "User",
    fields={
        "Id": "string", "Name": "string", "ManagerId": "string", "UserRoleId": "string", "VersionStart": "moment",
        "VersionActive": "flag",
    },
    required=("Id", "Name"),
    also=("users",),
    synonyms=VERSION_SYNONYMS,
)  # fmt: skip

USER_ROLE = CrmObject(
    "UserRole",
    fields={"Id": "string", "Name": "string", "VersionStart": "moment", "VersionActive": "flag"},
    required=("Id", "Name"),
    also=("user_roles",),
    synonyms=VERSION_SYNONYMS,
)

DATED_CONVERSION_RATE = CrmObject(
    "DatedConversionRate",
    fields={"IsoCode": "string", "StartDate": "string", "ConversionRate": "float64"},
    required=("IsoCode", "StartDate", "ConversionRate"),
)
"""StartDate is a text here: the first rate of a currency may begin in the year 1."""

CURRENCY_TYPE = CrmObject(
    "CurrencyType",
    fields={"IsoCode": "string", "ConversionRate": "float64", "IsCorporate": "flag"},
    required=("IsoCode", "ConversionRate"),
)

OBJECTS = {
    spec.name: spec
    for spec in (
        OPPORTUNITY, OPPORTUNITY_HISTORY, OPPORTUNITY_FIELD_HISTORY, OPPORTUNITY_STAGE, OPPORTUNITY_CONTACT_ROLE,
        OPPORTUNITY_SPLIT, TASK, EVENT, USER, USER_ROLE, DATED_CONVERSION_RATE, CURRENCY_TYPE,
    )
}  # fmt: skip
"""Every object that is read, by name."""
