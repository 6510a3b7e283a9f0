"""What only the export itself shows, counted under the trap that it is."""

from __future__ import annotations

import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.sources.hubspot.deals import Deals
from analytics.records.sources.hubspot.log import Log
from analytics.records.sources.hubspot.recorded import States
from analytics.records.sources.objects import column_of, is_true


def noticed_in(states: States, log: Log) -> tuple[Noticed, ...]:
    """Count what was seen in the deals, the log and the states."""
    deals = states.deals
    return (
        *deals.noticed, *log.noticed, *states.noticed,
        _default_close_date(deals, log), _without_close_date(states), *_across_midnight(deals, states),
        *_stages(states), _contradictions(deals, states), _home_currency(deals),
    )  # fmt: skip


def _default_close_date(deals: Deals, log: Log) -> Noticed:
    """HubSpot fills in the last day of the month of creation."""
    frame = deals.frame
    created = frame["createdate"].dt.normalize()
    typed = column_of(frame, "closedate").astype("datetime64[ns]").dt.normalize()
    by_default = typed == created + pd.offsets.MonthEnd(0)
    of_these = log.frame["deal_id"].isin(frame.loc[by_default, "hs_object_id"])
    changes = log.frame[of_these & (log.frame["property"] == "closedate")]
    days = deals.clock.moments(changes["value"]).dt.normalize()
    values = days.groupby(changes["deal_id"]).nunique()
    found = by_default & (frame["hs_object_id"].map(values).fillna(0) <= 1)
    what = "close date is the last day of the month of creation and was never changed: HubSpot's own default"
    return Noticed(1, what, int(found.sum()), len(frame), "deals", "kept as typed")


def _without_close_date(states: States) -> Noticed:
    closed = states.today["status"] != "open"
    undated = set(states.frame.loc[states.frame["undated"], "deal_id"])
    what, rule = "closed without a close date", "the day on which the closing was recorded"
    return Noticed(1, what, len(undated), int(closed.sum()), "deals", rule)


def _across_midnight(deals: Deals, states: States) -> tuple[Noticed, Noticed]:
    closed = (states.today["status"] != "open").to_numpy()
    frame = deals.frame[closed]
    here, utc = (column_of(frame, name).astype("datetime64[ns]").dropna() for name in ("closedate", "closed_utc"))
    other_day = here.dt.normalize() != utc.dt.normalize()
    other_quarter = here.dt.to_period("Q") != utc.dt.to_period("Q")
    rule = "dated in the time zone of the params"
    return (
        Noticed(15, "closing on another day in UTC", int(other_day.sum()), len(here), "deals", rule),
        Noticed(15, "closing in another quarter in UTC", int(other_quarter.sum()), len(here), "deals", rule),
    )


def _stages(states: States) -> tuple[Noticed, Noticed]:
    rows = states.frame[states.frame["stage"].notna()]
    unlisted = ~rows["listed"].astype(bool)
    shared = rows["shared"].astype(bool)
    return (
        Noticed(9, "stage that no list of stages names", int(unlisted.sum()), len(rows), "rows",
                "stays as written; open where no deal stands in it today and the params do not say otherwise"),
        Noticed(9, "stage whose label another pipeline has too", int(shared.sum()), len(rows), "rows",
                "told apart by the pipeline in brackets"),
    )  # fmt: skip


def _contradictions(deals: Deals, states: States) -> Noticed:
    said = column_of(deals.frame, "hs_is_closed_won")
    won = (states.today["status"] == "closed_won").to_numpy()
    differ = said.notna().to_numpy() & (is_true(said).to_numpy() != won)
    what = "hs_is_closed_won says otherwise than the stage"
    return Noticed(9, what, int(differ.sum()), int(said.notna().sum()), "deals", "the stage decides")


def _home_currency(deals: Deals) -> Noticed:
    said = column_of(deals.frame, "amount_in_home_currency").notna()
    what = "amount in the home currency, which HubSpot re-values until the deal closes"
    return Noticed(13, what, int(said.sum()), len(said), "deals", "not used: amount in its own currency is")
