"""What today's practice says, and by how much it misleads here: closed deals only, 1 - Kaplan-Meier, mean cycle."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.cell_deals import ids_of, members_apart, with_deals
from analytics.estimators.contrasts import verdict
from analytics.estimators.counts import count_events
from analytics.estimators.influence import Influence, difference, influence
from analytics.estimators.mean_age import mean_age_influence
from analytics.estimators.mean_time_contrasts import mean_time_contrast
from analytics.estimators.result import Estimate, Finding, Meta
from analytics.estimators.watched import not_studied
from analytics.questions.time_to_outcome.followed import Followed, followed

LABELS = {
    "incidence": "Won by the horizon, deals still open counted",
    "closed_only": "Closed deals only: won / (won + lost)",
    "closed_all": "Closed deals only, no decision counted as lost",
    "km_at_loss": "1 − Kaplan–Meier, lost deals censored at their loss",
    "km_at_today": "1 − Kaplan–Meier, lost deals kept open to today",
}
WHY = {
    "incidence": "the share of all deals opened",
    "closed_only": "leaves out deals still open and those without a decision",
    "closed_all": "leaves out deals still open, of which fewer will be won",
    "km_at_loss": "as if a lost deal could still be won",
    "km_at_today": "keeps lost deals at risk as if they were open",
}
NOTHING = 1e-9
BASE = "today's practice beside the share of all deals won"


def practice_shares(
    deals: pd.DataFrame, *, settled_on: dt.date, horizon_days: int, margin: float
) -> Estimate | Finding:
    """How far are today's win rates from the share of deals that is won by the horizon?

    Parameters
    ----------
    deals, settled_on, horizon_days
        As for `incidence`.
    margin : float
        The difference that matters, as a share.

    Returns
    -------
    Estimate or Finding
        Kind probability, keys (practice,): `incidence` first, then `closed_only`, `closed_all` (where deals ended in no
        decision), `km_at_loss`, `km_at_today`; `label`, `why`, `difference` from the incidence with limits,
        `difference_se`, `verdict`, `n_deals` (that the practice looks at), `n_event`.

    Notes
    -----
    The practices are computed as they are in spreadsheets: nobody enters late. The incidence is `cumulative_incidence`.
    Differences respect the accounts that both sides share. 1 - Kaplan-Meier with competing outcomes censored answers
    what would be won if nothing else could happen: Andersen, Geskus, de Witte & Putter 2012, Int J Epidemiol 41:861.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": range(8), "opened_on": pd.Timestamp("2025-10-01"), "entry": -1,
    ...                       "exit": [3, 5, 9, 12] * 2, "outcome": ["won", "lost", "won", "open"] * 2})
    >>> found = practice_shares(deals, settled_on=dt.date(2026, 1, 31), horizon_days=12, margin=0.03)
    >>> found.frame[["practice", "estimate"]].round(3).values.tolist()[:2]
    [['incidence', 0.5], ['closed_only', 0.667]]
    """
    given = followed("practice_shares", deals, settled_on=settled_on, horizon_days=horizon_days)
    if isinstance(given, Finding):
        return given
    if not (given.young["outcome"] == "won").any():
        return not_studied("practice_shares", f"No deal was won within {given.age} days, so no practice has a rate.")
    cluster = given.cluster or "deal_id"
    right = influence(count_events(given.young, cluster=cluster), times=[given.age])
    if not len(right.estimate.frame):
        return not_studied("practice_shares", f"No deal was followed to day {given.age}.")
    first = {"practice": "incidence", "difference": np.nan, "verdict": "described"}
    rows = [{**_values(right.estimate), **first, "members": _members(given.young, given.age)}]
    for name, made in _practices(given, settled_on):
        side = influence(count_events(made, cluster=cluster), times=[given.age])
        if len(side.estimate.frame):
            values = {"practice": name, **_values(side.estimate), **_apart(side, right, margin)}
            rows.append({**values, "members": _members(made, given.age)})
    rows, members = members_apart(rows)
    frame = pd.DataFrame(rows)
    frame = frame.assign(label=frame["practice"].map(LABELS), why=frame["practice"].map(WHY), margin=margin)
    meta = right.estimate.meta
    shown = Meta(
        kind="probability", estimand=f"{BASE} by day {given.age}", keys=("practice",), n_deals=len(given.young),
        n_accounts=given.n_accounts, interval=meta.interval,
        variance=meta.variance, cluster=given.cluster, note=given.note,
    )  # fmt: skip
    return with_deals(Estimate(frame.assign(horizon_reached=given.age), shown), **members)


def _members(deals: pd.DataFrame, age: int) -> dict[str, list[object]]:
    """Name the deals that a practice looks at, and those of them that were won by the age."""
    return {"n_deals": ids_of(deals), "n_event": ids_of(deals[(deals["outcome"] == "won") & (deals["exit"] <= age)])}


def _practices(given: Followed, settled_on: dt.date) -> Iterator[tuple[str, pd.DataFrame]]:
    """Give the deals as each practice sees them; a plain share is an incidence of deals that all end at the age."""
    whole = given.deals.assign(entry=-1)
    closed = whole[whole["outcome"].isin(["won", "lost"])]
    yield "closed_only", closed.assign(exit=given.age)
    if (whole["outcome"] == "no_decision").any():
        ended = whole[whole["outcome"] != "open"]
        lost = ended["outcome"].where(ended["outcome"] == "won", "lost")
        yield "closed_all", ended.assign(outcome=lost, exit=given.age)
    other = ~whole["outcome"].isin(["won", "open"])
    censored = whole.assign(outcome=whole["outcome"].mask(other, "open"))
    yield "km_at_loss", censored
    today = (pd.Timestamp(settled_on) - pd.to_datetime(whole["opened_on"])).dt.days
    yield "km_at_today", censored.assign(exit=whole["exit"].mask(other, today))


def _values(estimate: Estimate) -> dict[str, Any]:
    row = estimate.at(outcome="won").iloc[0]
    names = ("estimate", "std_error", "conf_low", "conf_high", "no_interval_reason")
    return {**{name: row[name] for name in names}, "n_deals": estimate.meta.n_deals, "n_event": int(row["cum_event"])}


def _apart(side: Influence, right: Influence, margin: float) -> dict[str, Any]:
    row = difference(side, right).at(outcome="won").iloc[0]
    limits = float(row["estimate"]), float(row["std_error"]), float(row["conf_low"]), float(row["conf_high"])
    names = ("difference", "difference_se", "difference_low", "difference_high")
    if abs(limits[0]) < NOTHING and limits[1] < NOTHING:  # both count the same deals: there is nothing to tell apart
        return {**dict.fromkeys(names, 0.0), "verdict": "too small to matter"}
    return {**dict(zip(names, limits, strict=True)), "verdict": verdict(*limits, margin)}


def _longer(row: Any) -> str:
    """Say by how many days the mean cycle is off."""
    days, ends = abs(float(row["estimate"])), sorted(abs(float(row[name])) for name in ("conf_low", "conf_high"))
    if days < NOTHING:
        return "the same: no deal was open"
    if not (float(row["conf_low"]) > 0 or float(row["conf_high"]) < 0):
        return f"{days:.1f} days apart, which may be noise"
    return f"{days:.1f} days too {'long' if float(row['estimate']) > 0 else 'short'} ({ends[0]:.1f}–{ends[1]:.1f})"


def practice_days(deals: pd.DataFrame, *, settled_on: dt.date, horizon_days: int) -> Estimate | Finding:
    """How far is the mean cycle of the deals won so far from the mean age at winning, deals still open counted?

    Parameters
    ----------
    deals, settled_on, horizon_days
        As for `incidence`.

    Returns
    -------
    Estimate or Finding
        Kind mean, unit days, keys (practice,): `mean_age` (see `mean_age_at_outcome`) and `mean_cycle` of the deals won
        so far within the horizon; `label`, `words`, `difference_days` with limits, `n_deals`, `n_event`.

    Notes
    -----
    Deals opened lately can have been won only fast, so that the mean of the wins so far is too short, the more so the
    faster the company grows; where deals that ended before observation began are absent, fast wins are missing and it
    is too long. Limits respect that both use the same wins.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": range(8), "opened_on": pd.Timestamp("2025-10-01"), "entry": -1,
    ...                       "exit": [3, 9, 5, 12] * 2, "outcome": ["won", "won", "open", "lost"] * 2})
    >>> found = practice_days(deals, settled_on=dt.date(2026, 1, 31), horizon_days=12)
    >>> found.frame["estimate"].round(3).tolist()
    [6.6, 6.0]
    """
    given = followed("practice_days", deals, settled_on=settled_on, horizon_days=horizon_days)
    if isinstance(given, Finding):
        return given
    won = given.young[given.young["outcome"] == "won"]
    if not len(won):
        return not_studied("practice_days", f"No deal was won within {given.age} days, so there is no cycle.")
    cluster = given.cluster or "deal_id"
    both = pd.concat([given.young.assign(side="all"), won.assign(entry=-1, side="won")], ignore_index=True)
    joint = mean_age_influence(count_events(both, by="side", cluster=cluster), horizon_days=given.age)
    if set(joint.estimate.frame["side"]) != {"all", "won"}:
        return not_studied("practice_days", f"No deal was followed to day {given.age}.")
    right, cycle = joint.select(side="all"), joint.select(side="won")
    apart = mean_time_contrast(cycle, right).at(outcome="won", contrast="difference").iloc[0]
    names = ("estimate", "std_error", "conf_low", "conf_high", "no_interval_reason", "n_event")
    rows = [
        {"practice": name, **{column: side.estimate.at(outcome="won").iloc[0][column] for column in names}}
        for name, side in (("mean_age", right), ("mean_cycle", cycle))
    ]
    frame = pd.DataFrame(rows).assign(
        label=[f"Mean age at winning by day {given.age}, open deals counted", "Mean cycle of the deals won so far"],
        words=["", _longer(apart)], difference_days=[np.nan, apart["estimate"]],
        difference_low=[np.nan, apart["conf_low"]],
        difference_high=[np.nan, apart["conf_high"]], n_deals=[len(given.young), len(won)], horizon_reached=given.age,
    )  # fmt: skip
    meta = right.estimate.meta
    shown = Meta(
        kind="mean", estimand=f"mean days from opening to winning within {given.age} days", keys=("practice",),
        n_deals=len(given.young), n_accounts=given.n_accounts, interval=meta.interval,
        variance=meta.variance, cluster=given.cluster, unit="days", note=given.note,
    )  # fmt: skip
    return with_deals(Estimate(frame, shown), n_deals=[ids_of(given.young), ids_of(won)], n_event=[ids_of(won)] * 2)
