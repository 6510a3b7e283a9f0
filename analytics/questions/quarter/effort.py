"""Where open effort lies: past which age open deals were seldom won, and how much of the work is there."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from analytics.estimators.bootstrap import RESAMPLING, Resampling
from analytics.estimators.cell_deals import members_apart, with_deals
from analytics.estimators.open_effort import effort_past, floor_age
from analytics.estimators.period_incidence import nobody_at_risk
from analytics.estimators.rates import account_codes
from analytics.estimators.result import Estimate, Finding, Meta
from analytics.estimators.sentences import count, share_of
from analytics.estimators.watched import (
    SMALLEST_CELL,
    at_risk_by_age,
    at_risk_in,
    has_accounts,
    last_day,
    not_studied,
    reach,
)  # fmt: skip
from analytics.records.calendar import Quarter

LEAST_DAYS_LEFT = 60
"""An age closer to the horizon than this is not named: so little time is left that few wins are no surprise."""
LABELS = {
    "won_later": "of deals open at that age would be won by the horizon, at this quarter's pace",
    "open_days_share": "of the quarter's open deal-days lie past it",
    "wins_share": "of the quarter's wins lie past it",
}


def open_effort(
    deals: pd.DataFrame, quarter: Quarter, *, settled_on: dt.date, horizon_days: int, one_in: int = 10,
    resampling: Resampling = RESAMPLING,
) -> Estimate | Finding:  # fmt: skip
    """Past which age were fewer than 1 in `one_in` open deals later won, and how much open effort lies there?

    Parameters
    ----------
    deals : pandas.DataFrame
        Deals frame, first episodes.
    quarter, settled_on, horizon_days
        As for `period_at_horizon`.
    one_in : int
        The floor, chosen by the reader: 10 means 1 in 10.
    resampling : Resampling
        For the share of open deal-days.

    Returns
    -------
    Estimate or Finding
        Kind probability, keys (measure,): `won_later` (of deals open at the age, won by the horizon at this quarter's
        pace), `open_days_share`, `wins_share`; `age_days`, `label`, `n_deals`, `one_in`, `note`. A Finding where there
        is no such age, or none that can be told, which says so.

    Notes
    -----
    It describes; it is no estimate of what stopping would do: deals that survive to an age are not the deals that
    ended, and a deal worked differently may end differently.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": range(20), "opened_on": pd.Timestamp("2025-10-01"), "entry": -1,
    ...     "exit": [5] * 8 + [60] * 6 + [91] * 6, "outcome": ["won"] * 8 + ["lost"] * 6 + ["open"] * 6})
    >>> quarter = Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))
    >>> effort = open_effort(deals, quarter, settled_on=quarter.end, horizon_days=91)
    >>> effort.frame[["measure", "age_days", "n_deals"]].iloc[:1].values.tolist()
    [['won_later', 6, 12]]
    """
    watched = at_risk_in(deals, quarter, last_day(quarter, settled_on))
    if not len(watched):
        return nobody_at_risk("open_effort", quarter, settled_on)
    young = at_risk_in(deals, quarter, last_day(quarter, settled_on), horizon_days=horizon_days)
    if not len(young):
        headline = f"Every deal open in {quarter.name} was older than {horizon_days} days."
        return not_studied("open_effort", headline, "Choose a longer horizon.")
    horizon = reach(young, horizon_days)
    age = floor_age(young, horizon, 1 / one_in)
    silent = _untold(young, quarter, horizon, one_in, age)
    if age is None or silent is not None:
        return silent or not_studied("open_effort", f"Where open effort of {quarter.name} lies was not studied.")
    rows, members = members_apart(effort_past(watched, young, (age, horizon), resampling))
    frame = pd.DataFrame(rows)
    frame = frame.assign(age_days=age, one_in=one_in, horizon_reached=horizon, label=frame["measure"].map(LABELS))
    accounts = account_codes(watched["account_id"])[1] if has_accounts(watched) else None
    meta = Meta(
        kind="probability", estimand="where open deal-days and wins lie by age (described)", keys=("measure",),
        n_deals=len(watched), n_accounts=accounts, interval="log-log; percentile; Wilson",
        variance="by account where known", cluster="account_id" if accounts else None,
    )  # fmt: skip
    return with_deals(Estimate(frame, meta), **members)


def _untold(young: pd.DataFrame, quarter: Quarter, horizon: int, one_in: int, age: int | None) -> Finding | None:
    """Say why no age is named: outcomes not recorded, nothing to judge by, never so low, or only near the end."""
    name = "open_effort"
    ended = young[young["outcome"] != "open"]
    unknown = int((ended["outcome"] == "unknown").sum())
    if unknown:
        headline = f"Past which age open deals of {quarter.name} were seldom won cannot be told."
        no = "has" if unknown == 1 else "have"
        return not_studied(name, headline, f"{unknown:,} of {count(len(ended), 'closing')} {no} no recorded outcome.")
    enough = at_risk_by_age(young, horizon)[0] >= SMALLEST_CELL
    if not enough.any() or not ((ended["outcome"] == "won") & (ended["exit"] <= horizon)).any():
        headline = f"Past which age open deals of {quarter.name} are seldom won could not be judged."
        why = "No deal was won." if enough.any() else f"At no age were {SMALLEST_CELL} deals watched."
        return not_studied(name, headline, f"{why} Ages up to {horizon} days, {count(len(young), 'deal')}.")
    if age is None:
        headline = f"At no age that could be judged would fewer than 1 in {one_in} open deals be won later."
        detail = f"At {quarter.name}'s pace, by day {horizon}; ages with at least {SMALLEST_CELL} deals at risk."
        return Finding(name, headline, detail, "described")
    if age > horizon - LEAST_DAYS_LEFT:
        headline = f"No age of open deals stands out before the last {LEAST_DAYS_LEFT} days up to day {horizon}."
        detail = "Deals that old have little time left within the horizon, so that few are won by then says nothing."
        return Finding(name, headline, detail, "cannot tell")
    return None


def effort_card(effort: Estimate) -> Finding:
    """Say where open effort lies, as a card: of what share, up to which age, of how many deals."""
    rows = {str(row["measure"]): row for row in effort.frame.to_dict("records")}
    later, days = rows["won_later"], rows["open_days_share"]
    age, horizon, n = later["age_days"], later["horizon_reached"], float(later["n_deals"])
    headline = (
        f"At this quarter's pace {share_of(later, n)} of deals open at day {age} would be won by day {horizon}; "
        f"{count(n, 'deal')} {'was' if n == 1 else 'were'} watched past that age, {later['n_event']:,.0f} of them won."
    )
    wins = (
        f", and {share_of(rows['wins_share'], rows['wins_share']['n_deals'])} of wins" if "wins_share" in rows else ""
    )
    detail = (
        f"From that age on it stays below 1 in {later['one_in']}. "
        f"{share_of(days, days['n_deals'])} of the open days of {count(days['n_deals'], 'deal')} lie there{wins}. "
        "This describes the quarter; it is no estimate of what stopping would do."
    )
    return Finding("where_open_effort_lies", headline, detail, "described", "open_effort", (("measure", "won_later"),))
