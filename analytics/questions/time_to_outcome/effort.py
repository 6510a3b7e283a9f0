"""Past which age open deals were seldom won, and how many open days, touches and wins lie there: described."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.bootstrap import RESAMPLING, Resampling
from analytics.estimators.cell_deals import ids_of, members_apart, with_deals, with_members
from analytics.estimators.incidence import conditional_incidence
from analytics.estimators.lacking import lacking
from analytics.estimators.open_effort import effort_past, floor_age, work_past
from analytics.estimators.result import Estimate, Finding, Meta
from analytics.estimators.sentences import count
from analytics.estimators.watched import SMALLEST_CELL, accounts_of, at_risk_by_age, counted, not_studied
from analytics.questions.time_to_outcome.followed import Followed, followed

LABELS = {
    "won_later": "Open deals at that age later won",
    "open_days_share": "Open deal-days past it",
    "touches_share": "Touches past it",
    "wins_share": "Wins past it",
}
LEFT = 6
"""An age in the last sixth of the horizon is not named: so little time is left that few wins are no surprise."""
POINTS = 36


def later_won(deals: pd.DataFrame, *, settled_on: dt.date, horizon_days: int) -> Estimate | Finding:
    """Of deals still open at each age, what share was won by the horizon?

    Parameters
    ----------
    deals, settled_on, horizon_days
        As for `incidence`.

    Returns
    -------
    Estimate or Finding
        Kind probability, keys (age,): ages on a grid while at least five deals were open; `n_risk` open at that age,
        `n_event` of them seen to be won, `horizon_reached`.

    Notes
    -----
    {F(H) - F(t-)} / S(t-), see `conditional_incidence`. Towards the horizon it falls to 0, because little time is left.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": range(12), "opened_on": pd.Timestamp("2025-10-01"), "entry": -1,
    ...                       "exit": [3] * 6 + [9] * 6, "outcome": ["won"] * 6 + ["lost"] * 6})
    >>> found = later_won(deals, settled_on=dt.date(2026, 1, 31), horizon_days=12)
    >>> found.frame[["age", "estimate", "n_risk"]].iloc[[0, -1]].values.tolist()
    [[0.0, 0.5, 12.0], [9.0, 0.0, 6.0]]
    """
    given = followed("later_won", deals, settled_on=settled_on, horizon_days=horizon_days)
    if isinstance(given, Finding):
        return given
    risk, at_risk = counted(given.young), at_risk_by_age(given.young, given.age)[0]
    enough = np.flatnonzero(at_risk[: given.age] >= SMALLEST_CELL)
    if not len(enough):
        return not_studied("later_won", f"At no age were {SMALLEST_CELL} deals watched.")
    wins = given.young.loc[given.young["outcome"] == "won", "exit"].to_numpy()
    rows = []
    for age in np.unique(enough[np.round(np.linspace(0, len(enough) - 1, POINTS)).astype(int)]):
        curve = conditional_incidence(risk, at_age=int(age), times=[given.age]).at(outcome="won")
        if not len(curve):
            continue
        row = curve.iloc[0]
        values = {name: row[name] for name in ("estimate", "std_error", "conf_low", "conf_high", "no_interval_reason")}
        rows.append({"age": int(age), **values, "n_risk": int(at_risk[age]), "n_event": int((wins >= age).sum())})
    meta = Meta(
        kind="probability", estimand=f"of deals still open at an age, the share won by day {given.age}", keys=("age",),
        n_deals=len(given.young), n_accounts=given.n_accounts, interval="log-log", cluster=risk.cluster,
        variance="infinitesimal jackknife by account where known, else Greenwood", note=given.note,
    )  # fmt: skip
    found = Estimate(pd.DataFrame(rows).assign(horizon_reached=given.age), meta)
    return with_members(found, lambda row: _open_at(given.young, row["age"]))


def _open_at(young: pd.DataFrame, age: int) -> dict[str, list[object]]:
    """Name the deals that were open and watched at an age, and those that were won from then on."""
    still = (young["entry"] < age) & (young["exit"] >= age)
    won = (young["outcome"] == "won") & (young["exit"] >= age)
    return {"n_risk": ids_of(young[still]), "n_event": ids_of(young[won])}


def seldom_won(
    deals: pd.DataFrame, *, settled_on: dt.date, horizon_days: int, one_in: Sequence[int] = (5, 10, 20),
    activities: pd.DataFrame | None = None, resampling: Resampling = RESAMPLING,
) -> Estimate | Finding:  # fmt: skip
    """Past which age were fewer than 1 in X open deals later won, and how much effort, and how many wins, lie there?

    Parameters
    ----------
    deals, settled_on, horizon_days
        As for `incidence`.
    one_in : sequence of int
        The X, chosen by the reader.
    activities : pandas.DataFrame, optional
        Side table: `deal_id`, `occurred_on`; without it touches are not counted, and the note says so.
    resampling : Resampling
        For shares of days and touches.

    Returns
    -------
    Estimate or Finding
        Kind probability, keys (one_in, measure): `won_later`, `open_days_share`, `touches_share`, `wins_share`;
        `label`, `age_days`, `n_deals`, `horizon_reached`. X for which there is no such age have no rows, and
        `meta.note` says so; a Finding where none has.

    Notes
    -----
    It describes deals that were worked as they were worked: survivors to an age are not the deals that ended, and this
    is no estimate of what stopping would do. Shares are of the days, touches and wins on record, so that deals still
    open now may add to each. Touches are activities on deals while they were open.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": range(20), "opened_on": pd.Timestamp("2025-10-01"), "entry": -1,
    ...     "exit": [5] * 8 + [60] * 6 + [90] * 6, "outcome": ["won"] * 8 + ["lost"] * 6 + ["open"] * 6})
    >>> found = seldom_won(deals, settled_on=dt.date(2026, 1, 31), horizon_days=90, one_in=[10])
    >>> found.frame[["measure", "age_days", "n_deals"]].iloc[:1].values.tolist()
    [['won_later', 6, 12]]
    """
    given = followed("seldom_won", deals, settled_on=settled_on, horizon_days=horizon_days)
    if isinstance(given, Finding):
        return given
    if not (given.young["outcome"] == "won").any():
        why = f"No deal was won within {given.age} days ({count(len(given.young), 'deal')})."
        return not_studied("seldom_won", "Past which age open deals are seldom won could not be judged.", why)
    touches = None if activities is None else _touches(given, activities)
    rows, notes = [], [given.note]
    for floor in one_in:
        age = floor_age(given.young, given.age, 1 / floor)
        if age is None or age > given.age - given.age / LEFT:
            notes.append(f"Before the last days up to day {given.age} no age has fewer than 1 in {floor} won later.")
            continue
        rows += [{"one_in": floor, **row} for row in _measures(given, age, touches, resampling)]
    if touches is None or not len(touches):
        notes.append(lacking("touches", "touches", "activities").headline)
    if not rows:
        headline = f"At no age were fewer than 1 in {max(one_in)} open deals won later."
        return Finding("seldom_won", headline, " ".join(note for note in notes if note), "described")
    rows, members = members_apart(rows)
    frame = pd.DataFrame(rows).assign(horizon_reached=given.age)
    meta = Meta(
        kind="probability", estimand="where open deal-days, touches and wins lie by age (described)",
        keys=("one_in", "measure"), n_deals=len(given.deals), n_accounts=accounts_of(given.deals),
        interval="log-log; percentile; Wilson", variance="by account where known", cluster=given.cluster,
        note=" ".join(note for note in notes if note),
    )  # fmt: skip
    return with_deals(Estimate(frame, meta), **members)


def _measures(given: Followed, age: int, touches: pd.DataFrame | None, resampling: Resampling) -> list[dict[str, Any]]:
    rows = effort_past(given.deals, given.young, (age, given.age), resampling)
    if touches is not None and len(touches):
        deal = given.deals["deal_id"].astype(str)
        whole = deal.map(touches["deal_id"].value_counts()).fillna(0)
        past = deal.map(touches.loc[touches["age"] >= age, "deal_id"].value_counts()).fillna(0)
        some = whole > 0
        rows.insert(
            2, {"measure": "touches_share", **work_past(given.deals[some], past[some], whole[some], resampling)}
        )
    return [{**row, "label": LABELS[row["measure"]], "age_days": age} for row in rows]


def _touches(given: Followed, activities: pd.DataFrame) -> pd.DataFrame:
    """Give the activities on deals while they were open and watched, with the deal's age."""
    lives = given.deals.assign(deal_id=given.deals["deal_id"].astype(str))[["deal_id", "opened_on", "entry", "exit"]]
    dated = activities[["deal_id", "occurred_on"]].dropna()
    both = dated.assign(deal_id=dated["deal_id"].astype(str)).merge(lives, on="deal_id")
    age = (pd.to_datetime(both["occurred_on"]) - pd.to_datetime(both["opened_on"])).dt.days
    both = both.assign(age=age)
    return both[(both["age"] > both["entry"]) & (both["age"] >= 0) & (both["age"] <= both["exit"])]
