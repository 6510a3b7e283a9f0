"""What a Salesforce export holds that says more of a deal than was known then, or counts it more than once."""

from __future__ import annotations

import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.sources.conform import Reader
from analytics.records.sources.exports import CrmExport
from analytics.records.sources.objects import column_of, is_true, plain_name, read_object
from analytics.records.sources.salesforce.fields import OPPORTUNITY_CONTACT_ROLE, OPPORTUNITY_SPLIT
from analytics.records.sources.salesforce.ids import as_known

FOLLOWS_CLOSE_DATE = "follows CloseDate, so it moves with every push"
COUNTS_TO_TODAY = "is counted up to the day of the export, also for closed deals"
TODAYS_SCORE = "is today's score, which knows how the deal went on"
TODAYS_STATE = "is how things stand today, not how they stood then"

RECOMPUTED: dict[str, str] = {
    "Fiscal": FOLLOWS_CLOSE_DATE, "FiscalQuarter": FOLLOWS_CLOSE_DATE, "FiscalYear": FOLLOWS_CLOSE_DATE,
    "AgeInDays": COUNTS_TO_TODAY, "LastActivityInDays": COUNTS_TO_TODAY, "LastStageChangeInDays": COUNTS_TO_TODAY,
    "PushCount": "is today's count of pushes; those known at a date are counted from the history",
    "IqScore": TODAYS_SCORE,
    "LastActivityDate": "is a due date that may lie in the future; activities come from Task and Event",
    "LastStageChangeDate": TODAYS_STATE, "HasOpenActivity": TODAYS_STATE, "HasOverdueTask": TODAYS_STATE,
    "IsClosed": "is the outcome itself", "IsWon": "is the outcome itself",
    "Probability": "changes with the stage; it is read by itself, as the column probability",
    "ExpectedRevenue": "is amount times probability, as they are today",
    "ForecastCategory": "changes with the stage; it is read by itself, as the column forecast_category",
    "ForecastCategoryName": "changes with the stage; it is read by itself, as the column forecast_category",
    "LastModifiedDate": TODAYS_STATE, "SystemModstamp": TODAYS_STATE,
}  # fmt: skip
"""Opportunity fields that the CRM computes anew, and why they say nothing of an earlier day."""


def refuse_recomputed(attributes: dict[str, str]) -> None:
    """Refuse attributes whose values are those of the day of the export, whatever the as-of date.

    Raises
    ------
    ValueError
        Naming the field and why.

    Examples
    --------
    >>> refuse_recomputed({"pushes": "PushCount"})
    Traceback (most recent call last):
    ...
    ValueError: attributes: pushes: PushCount is today's count of pushes; those known at a date are counted from the \
history. Leave it out
    """
    reasons = {plain_name(field): reason for field, reason in RECOMPUTED.items()}
    for name, field in attributes.items():
        if plain_name(field) in reasons:
            raise ValueError(f"attributes: {name}: {field} {reasons[plain_name(field)]}. Leave it out")


def contact_roles(source: CrmExport, reader: Reader, deals: pd.DataFrame) -> Noticed:
    """Count the contact roles that were added when the deal was closing or later.

    They are counted and nothing else: a role has no history, so a number of contacts at an earlier date cannot be told.
    """
    rows = read_object(OPPORTUNITY_CONTACT_ROLE, source, reader)
    rule = "not joined: how many contacts a deal had at an earlier date is not on record"
    if rows is None:
        return Noticed(20, "contact role added on the close date or later", 0, 0, "rows", rule)
    rows = rows.without(is_true(column_of(rows.frame, "IsDeleted")), "deleted in the CRM")
    if "CreatedDate" not in rows.frame:
        n = len(rows.frame)
        return Noticed(20, "contact role that does not say when it was added", n, n, "rows", rule)
    close = as_known(rows.frame["OpportunityId"], deals["Id"]).map(deals.set_index("Id")["CloseDate"])
    late = rows.frame["CreatedDate"].dt.normalize() >= close
    return Noticed(20, "contact role added on the close date or later", int(late.sum()), len(late), "rows", rule)


def splits(source: CrmExport, reader: Reader) -> Noticed:
    """Count revenue and overlay splits, which are never joined."""
    rows = read_object(OPPORTUNITY_SPLIT, source, reader)
    n = 0 if rows is None else len(rows.frame)
    return Noticed(19, "split of a deal between sellers", n, n, "rows", "never joined: a deal counts once and whole")
