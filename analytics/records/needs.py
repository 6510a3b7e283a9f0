"""What every part of every study needs of an export, and how to get what is missing. Data, no code."""

from __future__ import annotations

from dataclasses import dataclass

NEEDS: dict[str, str] = {
    "history": "recorded history (the CRM's history object, dated extracts, or a table with recorded_on)",
    "account_id": "the account of a deal (account_id)",
    "owner_id": "the owner of a deal (owner_id)",
    "source": "the source of a deal (source)",
    "amount": "amounts (amount)",
    "one currency": "amounts in one currency (currency.report_in and a policy)",
    "expected_close_on": "the expected close date of open deals (expected_close_on)",
    "closing dates": "closing dates of their own, under close_date: typed",
    "probability": "the CRM's probability (probability)",
    "forecast_category": "forecast categories (forecast_category)",
    "reason": "reasons of lost deals (reason)",
    "no-decision reasons": "rules.no_decision_reasons, with reasons that lost deals have",
    "silent_days": "the rule rules.silent_days",
    "pushed_times": "the rule rules.pushed_times",
    "older_than_days": "the rule rules.older_than_days",
    "segments": "a column to split by (segments, from attributes or source)",
    "stage order": "the order of the stages (stages, or the stages table)",
    "qualification stage": "the stage at which a deal is qualified (qualification_stage)",
    "changes of stage": "recorded changes of stage (stage history)",
    "changes of amount": "recorded changes of amount",
    "changes of expected_close_on": "recorded changes of the expected close date",
    "changes of owner_id": "recorded changes of owner (OpportunityFieldHistory in Salesforce)",
    "changes of source": "recorded changes of source (OpportunityFieldHistory in Salesforce)",
    "activities": "the activities table (Task and Event in Salesforce, engagements in HubSpot, or side: activities)",
    "buyer activities": "activities that say which side acted (activities.side)",
    "owners": "the owners table (User in Salesforce, owners in HubSpot, or side: owners)",
    "owner dates": "owners with dates (owners.start_on, owners.end_on)",
    "quotas": "the quotas table (side: quotas)",
    "reviews": "the reviews table (side: reviews)",
    "buyer reviews": "reviews in which buyers speak (reviews.respondent: buyer)",
    "forecast_submissions": "the forecast_submissions table (side: forecast_submissions)",
}
"""Need -> the table, the column or the key of the params that meets it."""


@dataclass(frozen=True)
class Part:
    """One part of a study: what it cannot do without, and what it is the better for."""

    study: str
    question: str
    needs: tuple[str, ...] = ()
    better: tuple[str, ...] = ()


WRITTEN = (
    "cohorts",
    "data_health",
    "no_decision",
    "pipeline_changes",
    "quarter",
    "time_to_outcome",
)
"""Studies that have a notebook; the needs of the others are known all the same."""

_DATED = ("expected_close_on", "changes of expected_close_on")

PARTS: tuple[Part, ...] = (
    Part("data_health", "what came in, what is left out, how complete fields are"),
    Part("data_health", "how late closings are recorded", ("history", "closing dates")),
    Part("data_health", "whether silence means anything", ("activities",), ("buyer activities",)),
    Part("quarter", "where deals end up at this quarter's pace", (), ("account_id",)),
    Part("quarter", "no decision, declared", ("reason", "no-decision reasons")),
    Part("quarter", "no decision, silent deals", ("activities", "silent_days"), ("buyer activities",)),
    Part("quarter", "no decision, pushed deals", ("history", "expected_close_on", "pushed_times")),
    Part("quarter", "no decision, old deals", ("older_than_days",)),
    Part("quarter", "shares counted in money", ("amount", "one currency")),
    Part("quarter", "booked against plan, coverage", ("amount", "one currency", "quotas")),
    Part("quarter", "against earlier quarters, as they were known then", (), ("history",)),
    Part("quarter", "qualified cohort", ("qualification stage", "stage order", "changes of stage")),
    Part("quarter", "mix and rate, segments", ("segments",)),
    Part("time_to_outcome", "how long deals take to be won, lost or given up", (), ("account_id",)),
    Part("time_to_outcome", "whether segments differ, pace and share of each", ("segments",)),
    Part(
        "time_to_outcome",
        "what becomes of deals still open, by stage",
        ("history", "changes of stage"),
        ("stage order",),
    ),
    Part("time_to_outcome", "touches past the age at which deals are seldom won", ("activities",)),
    Part("no_decision", "how much is declared no decision", ("reason", "no-decision reasons"), ("account_id",)),
    Part("no_decision", "no decision by silence, when quiet deals come back", ("activities",), ("buyer activities",)),
    Part("no_decision", "no decision after pushed close dates", ("history", "expected_close_on")),
    Part("no_decision", "no decision by age", (), ("older_than_days",)),
    Part("no_decision", "where in the stages deals die", ("changes of stage",), ("stage order",)),
    Part("no_decision", "which deals end in no decision sooner", ("segments",)),
    Part("no_decision", "indecision against the status quo", ("reason", "no-decision reasons")),
    Part("no_decision", "open deals that look dead", (), ("history", "activities", "expected_close_on")),
    Part("journey", "the way through the stages", ("changes of stage",), ("stage order",)),
    Part(
        "cohorts", "segments compared, as they are and with one mix of deals", ("segments",), ("account_id", "source")
    ),
    Part("cohorts", "whether chance alone could rank the owners", ("owner_id",), ("account_id",)),
    Part("cohorts", "bands of the amount at opening", ("history", "amount"), ("one currency",)),
    Part("cohorts", "mix and rate by segment, quarter on quarter", ("segments",), ("history",)),
    Part("pipeline_changes", "what all open deals gained and lost", (), ("history", "amount", "one currency")),
    Part("pipeline_changes", "what the quarter's pipeline gained and lost", _DATED, ("amount", "one currency")),
    Part("pipeline_changes", "changed amounts", ("changes of amount",)),
    Part("pipeline_changes", "owner transfers between teams", ("owners", "changes of owner_id"), ("owner dates",)),
    Part("pipeline_changes", "forecast categories from start to end", ("history", "forecast_category")),
    Part("pipeline_changes", "the quarter as said then and as known now", ("history", *_DATED)),
    Part("pipeline_changes", "pushed close dates, and whether deals close by the date stated", _DATED, ("account_id",)),
    Part("forecast", "submitted forecasts against what happened", ("forecast_submissions", "amount")),
    Part("forecast", "the CRM's probabilities against what happened", ("history", "probability")),
    Part("forecast", "forecast categories against what happened", ("history", "forecast_category")),
    Part("outreach", "touches and how deals end", ("activities",), ("buyer activities", "source")),
    Part("quarter_end", "deals closed in the last days of a quarter", ("closing dates",), ("expected_close_on",)),
    Part("sellers", "how much sellers differ", ("owner_id",), ("owners", "changes of owner_id")),
    Part("sellers", "ramp and tenure", ("owner_id", "owners", "owner dates")),
    Part("sellers", "quota attainment", ("owner_id", "quotas", "amount")),
    Part("reviews", "reasons in the words of buyers and sellers", ("reviews",), ("buyer reviews", "reason")),
    Part("claims", "claims about no decision and pace", (), ("reason", "no-decision reasons")),
    Part("claims", "claims about outreach", ("activities",), ("source", "buyer activities")),
    Part("claims", "claims about credited sources", ("changes of source",)),
    Part("claims", "claims about stages and close dates", ("changes of stage",), ("expected_close_on",)),
    Part("claims", "claims about forecasts and quotas", ("forecast_submissions", "quotas")),
    Part("claims", "claims about reviews", ("reviews",), ("buyer reviews",)),
)
"""Every part of every study in the order of the notebooks; each need is a key of `NEEDS`."""
