"""The tables of a Dynamics 365 Sales export and the columns that are read, by logical name.

Checked against the vendor's table references: the names of opportunity and opportunityclose, the main ones of audit and
of activitypointer, the options of statecode, statuscode, salesstage and msdyn_forecastcategory, and that
estimatedclosedate and actualclosedate are days without a time. From memory: systemuser, team, transactioncurrency, and
activitypointer's directioncode and type codes. Not documented there: the JSON of audit.changedata (taken from published
exports of it), the flattened shape of audit, and the headers of files made in the app (the columns' display names).
"""

from __future__ import annotations

from analytics.records.sources.objects import CrmObject

LABEL = "@OData.Community.Display.V1.FormattedValue"
"""What the Web API adds to a column's name for its label."""


def _lookup(name: str, *more: str) -> tuple[str, ...]:
    return (f"_{name}_value", *more)


OPPORTUNITY = CrmObject(
    "opportunity",
    fields={
        "opportunityid": "string", "ownerid": "string", "parentaccountid": "string", "customerid": "string",
        "createdon": "moment", "overriddencreatedon": "timed_day", "modifiedon": "moment", "estimatedclosedate": "day",
        "actualclosedate": "day", "estimatedvalue": "float64", "actualvalue": "float64",
        "transactioncurrencyid": "string", "isocurrencycode": "string", "statecode": "string", "statuscode": "string",
        "statuscodename": "string", "closeprobability": "float64", "msdyn_forecastcategory": "string",
    },
    required=("opportunityid", "createdon", "statecode"),
    also=("opportunities",),
    synonyms={
        "opportunityid": ("(Do Not Modify) Opportunity",),
        "ownerid": _lookup("ownerid", "Owner"),
        "parentaccountid": _lookup("parentaccountid", "Account"),
        "customerid": _lookup("customerid", "Potential Customer"),
        "createdon": ("Created On",),
        "modifiedon": ("Modified On", "(Do Not Modify) Modified On"),
        "overriddencreatedon": ("Record Created On",),
        "estimatedclosedate": ("Est. close date",), "actualclosedate": ("Actual Close Date",),
        "estimatedvalue": ("Est. revenue",), "actualvalue": ("Actual Revenue",),
        "transactioncurrencyid": _lookup("transactioncurrencyid", "Currency"),
        "isocurrencycode": ("transactioncurrencyid.isocurrencycode", "Currency Code"),
        "statecode": ("Status",), "statuscode": ("Status Reason",), "statuscodename": (f"statuscode{LABEL}",),
        "closeprobability": ("Probability",), "msdyn_forecastcategory": ("Forecast category",),
        "stepname": ("Pipeline Phase",), "salesstage": ("Sales Stage",), "stageid": _lookup("stageid"),
        "originatingleadid": _lookup("originatingleadid", "Originating Lead"),
    },
)  # fmt: skip

OPPORTUNITY_CLOSE = CrmObject(
    "opportunityclose",
    fields={
        "opportunityid": "string", "createdon": "moment", "actualend": "timed_day", "actualrevenue": "float64",
        "opportunitystatecode": "string", "opportunitystatuscode": "string",
    },
    required=("opportunityid",),
    also=("opportunitycloses",),
    synonyms={"opportunityid": _lookup("opportunityid"), "competitorid": _lookup("competitorid", "Competitor")},
)  # fmt: skip

AUDIT = CrmObject(
    "audit",
    fields={
        "objectid": "string", "createdon": "moment", "operation": "string", "changedata": "string",
        "attributename": "string", "oldvalue": "string", "newvalue": "string",
    },
    required=("objectid", "createdon"),
    also=("audits",),
    synonyms={
        "objectid": _lookup("objectid"), "attributename": ("logicalname", "fieldname"),
    },
)  # fmt: skip

ACTIVITY_FIELDS = {
    "activityid": "string", "activitytypecode": "string", "regardingobjectid": "string", "actualend": "date",
    "scheduledend": "date", "createdon": "moment", "statecode": "string", "directioncode": "flag", "ownerid": "string",
    "actualdurationminutes": "float64",
}  # fmt: skip


def _activity(name: str, *also: str) -> CrmObject:
    synonyms = {"regardingobjectid": _lookup("regardingobjectid"), "ownerid": _lookup("ownerid")}
    return CrmObject(
        name,
        ACTIVITY_FIELDS,
        required=("activityid", "createdon", "statecode"),
        needed=("regardingobjectid",),
        also=also,
        synonyms=synonyms,
    )


ACTIVITIES = (
    _activity("phonecall", "phonecalls"),
    _activity("email", "emails"),
    _activity("appointment", "appointments"),
    _activity("task", "tasks"),
    _activity("activitypointer", "activitypointers"),
)
"""Tables of activities; the ones that know a direction come first, activitypointer holds them all once more."""

SYSTEM_USER = CrmObject(
    "systemuser",
    fields={"systemuserid": "string", "fullname": "string", "parentsystemuserid": "string"},
    required=("systemuserid", "fullname"),
    also=("systemusers",),
    synonyms={"parentsystemuserid": _lookup("parentsystemuserid")},
)

TEAM = CrmObject(
    "team", fields={"teamid": "string", "name": "string"}, required=("teamid", "name"), also=("teams",)
)  # fmt: skip

CURRENCY = CrmObject(
    "transactioncurrency",
    fields={"transactioncurrencyid": "string", "isocurrencycode": "string"},
    required=("transactioncurrencyid", "isocurrencycode"),
    also=("transactioncurrencies",),
)

OBJECTS = {
    spec.name: spec for spec in (OPPORTUNITY, OPPORTUNITY_CLOSE, AUDIT, *ACTIVITIES, SYSTEM_USER, TEAM, CURRENCY)
}
"""Every table that is read, by name."""
