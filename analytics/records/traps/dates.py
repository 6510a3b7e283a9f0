"""Traps 1 to 6: dates that contradict each other, and deals that close too early or more than once."""

from __future__ import annotations

import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.leaving_out import CLOSED_BEFORE_OPENED
from analytics.records.traps.known import Known, line

IMPORT_AT_LEAST = 10
"""So many deals that were opened and closed on one and the same day look like an import."""

SENSELESS_DAYS = 3653
"""A close date more than ten years after its recording means nothing."""


def close_dates(known: Known) -> list[Noticed]:
    """Trap 1, the typed date against the moment of closing; trap 2, typed dates in the future."""
    both = known.closings[known.closings["typed_on"].notna()]
    if both.empty:
        return []
    late = _days(both["closed_recorded_on"], both["typed_on"])
    future = late < 0
    used = "the recorded day is used"
    found = [
        line(2, "close date later than the day on which it was recorded as closed", future, both, used),
        line(2, "close date more than 10 years later", late < -SENSELESS_DAYS, both, used),
    ]
    if not known.recorded:
        return found
    differ = late != 0
    rule = "the recorded day is used" if known.definitions.close_date == "recorded" else (
        "the typed day is used unless it is later than the recorded one"
    )  # fmt: skip
    middle = f" (median {late[differ].abs().median():g} days)" if differ.any() else ""
    typed_used = differ & (both["closed_on"] == both["typed_on"])
    n_used, n_differ = int(typed_used.sum()), int(differ.sum())
    return [
        line(1, f"typed and recorded closing day differ{middle}", differ, both, rule),
        line(1, "they differ by more than 7 days", late.abs() > 7, both, rule),
        line(1, "they differ by more than 30 days", late.abs() > 30, both, rule),
        Noticed(1, "of those that differ, the typed day is used", n_used, n_differ, "deals", rule),
        *found,
    ]  # fmt: skip


def past_due(known: Known) -> list[Noticed]:
    """Trap 3: open although the expected close date has passed."""
    open_ = known.deals[known.deals["closed_recorded_on"].isna()]
    dated = open_[open_["expected_close_on"].notna()]
    if not known.deals["expected_close_on"].notna().any():
        return []
    late = dated["expected_close_on"] < pd.Timestamp(known.as_of)
    return [line(3, "open past its expected close date", late, dated, "stays open; the rule for pushed deals reads it")]


def contradictions(known: Known) -> list[Noticed]:
    """Trap 4: closed before it was opened, and imports."""
    everything = known.all_deals
    backwards = everything["excluded"] == known.rules.index(CLOSED_BEFORE_OPENED) + 1
    deals = known.deals
    one_day = deals["closed_recorded_on"].notna() & (deals["closed_on"] == deals["opened_on"])
    per_day = deals[one_day].groupby("opened_on")["deal_id"].transform("size").reindex(deals.index)
    imported = one_day & (per_day >= IMPORT_AT_LEAST)
    several = f"opened and closed on one day, together with {IMPORT_AT_LEAST - 1} or more others: an import"
    return [
        line(4, "closed before it was opened", backwards, everything, "left out, with a line of the attrition"),
        line(4, several, imported, deals, "kept; map the true opening day, or leave them out by scope"),
    ]


def born_closed(known: Known) -> list[Noticed]:
    """Trap 5: closed when first recorded, or walked through the stages on the day of closing."""
    closed = known.deals[known.deals["closed_recorded_on"].notna()]
    born, walked = never_open(closed)
    rule = "a line of their own: shares with and without them"
    found = [line(5, "opened and closed on one day", walked, closed, rule)]
    if known.recorded:
        found.insert(0, line(5, "already closed when first recorded", born, closed, rule))
    return found


def reopened(known: Known) -> list[Noticed]:
    """Trap 6: closed, and open again later."""
    if not known.recorded:
        return []
    closed = known.deals[known.deals["closed_recorded_on"].notna()]
    rule = "curves use the first closing, the ledger the status at the as-of date"
    return [line(6, "open again after it was closed", closed["has_next"].astype(bool), closed, rule)]


def never_open(closed: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Say which closed deals were born closed, and which others closed on the day on which they were opened."""
    born = closed["born_closed"].astype(bool)
    return born, ~born & (closed["closed_on"] == closed["opened_on"])


def _days(later: pd.Series, earlier: pd.Series) -> pd.Series:
    return (later - earlier).dt.days
