"""Traps 10 to 13: amounts, probabilities, forecast categories and currencies."""

from __future__ import annotations

from typing import Any

from analytics.records.contract import Noticed
from analytics.records.states import known_side
from analytics.records.traps.known import Known, line

_CONVERTED = {
    "own": "kept in their own currency, none is converted",
    "plan_rate": "converted at the plan's fixed rate",
    "rate_at_opening": "converted at the rate of the opening day",
    "rate_at_as_of": "converted at the rate of the as-of day",
}
_LISTED = 4


def amounts(known: Known) -> list[Noticed]:
    """Trap 10: amounts that are missing, 0, negative or were emptied at the close."""
    deals = known.deals
    amount = deals["amount_original"].astype(float)
    if not amount.notna().any():
        return []
    found = [
        line(10, "no amount", amount.isna(), deals, "counted as a deal, no part of any sum"),
        line(10, "amount 0", amount == 0, deals, "counted as a deal; adds nothing to sums"),
        line(10, "amount below 0", amount < 0, deals, "kept as it is"),
    ]
    if not known.recorded:
        return found
    final = deals["deal_id"].map(known.moments.set_index("deal_id")["amount_now"]).astype(float)
    closed = deals["status"].isin(["closed_lost", "closed_won", "closed_unknown"]) & ~deals["has_next"].astype(bool)
    emptied = closed & (final.fillna(0) == 0) & deals["open_amount"].notna()
    what = "0 or empty once closed, with an amount while it was open"
    return [*found, line(10, what, emptied, closed, "the last amount while open is used")]


def probabilities(known: Known) -> list[Noticed]:
    """Trap 11: a probability that contradicts the status (its scale is what the source noticed)."""
    deals = known.deals
    share = deals["probability"].astype(float)
    if not share.notna().any():
        return []
    is_open = deals["status"] == "open"
    torn = share.notna() & ((is_open & share.isin([0.0, 1.0])) | (~is_open & ~share.isin([0.0, 1.0])))
    return [line(11, "open at 0 or 1, or closed between them", torn, share.notna(), "kept; the status decides")]


def categories(known: Known) -> list[Noticed]:
    """Trap 12: a forecast category that contradicts the status, and deals left out of forecasts."""
    deals = known.deals
    named = deals["forecast_category"].notna()
    if not named.any():
        return []
    is_open = deals["status"] == "open"
    torn = named & (is_open == (deals["forecast_category"] == "closed")) & (deals["forecast_category"] != "omitted")
    omitted = is_open & (deals["forecast_category"] == "omitted")
    return [
        line(12, "open in the category closed, or closed in another", torn, named, "kept; the status decides"),
        line(12, "open and omitted from forecasts", omitted, named & is_open, "kept: a deal is at risk all the same"),
    ]


def currencies(known: Known) -> list[Noticed]:
    """Trap 13: several currencies, how they are converted, and pushes that would have re-valued a deal."""
    deals = known.deals
    valued = deals["amount_original"].notna() & (deals["amount_original"] != 0)
    currency = deals["currency_original"].where(valued)
    if not currency.notna().any():
        return []
    policy = known.definitions.currency
    used = currency.value_counts()
    names = ", ".join(map(str, used.index[:_LISTED])) + (", …" if len(used) > _LISTED else "")
    rule = _CONVERTED[policy.policy]
    unusual = currency.notna() & (currency != used.index[0])
    found = [line(13, f"in another currency than most ({names})", unusual, valued, rule)]
    if policy.report_in is not None:
        other = valued & (currency != policy.report_in)
        found.append(line(13, f"converted into {policy.report_in}", other, valued, rule))
    return [*found, *_revalued(known)]


def _revalued(known: Known) -> list[Noticed]:
    """Count deals whose close date was moved across a change of their currency's rate."""
    import ibis

    rates = known_side(known.history, "fx_rates", known.as_of, event="valid_from")
    if rates is None:
        return []
    states = known.states.filter(known.states.expected_close_on.notnull(), known.states.status == "open")
    deal = ibis.window(group_by="deal_id", order_by=["recorded_on", "sequence"])
    states = states.mutate(moved_from=states.expected_close_on.lag().over(deal))
    moved: Any = states.filter(states.expected_close_on != states.moved_from)
    earlier = ibis.least(moved.expected_close_on, moved.moved_from)
    later = ibis.greatest(moved.expected_close_on, moved.moved_from)
    moved = moved.select("deal_id", "currency", earlier=earlier, later=later)
    changes = rates.select(rate_of="currency", from_day="valid_from").distinct()
    crossed = moved.join(
        changes,
        [moved.currency == changes.rate_of, moved.earlier < changes.from_day, changes.from_day <= moved.later],
    )
    what = "close date moved across a change of the exchange rate"
    rule = "not re-valued: the close date chooses no rate"
    counted = (int(table.deal_id.nunique().execute()) for table in (crossed, moved))
    return [Noticed(13, what, next(counted), next(counted), "deals", rule)]
