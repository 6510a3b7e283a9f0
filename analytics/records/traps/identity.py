"""Traps 16 to 18: deals that are there twice or gone, whose they are, and deals that nobody sold."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.sources.states import MISSING_DEALS
from analytics.records.traps.known import Known, line

BULK_AT_LEAST = 10
"""So many deals of one owner that were opened on one day, five times the owner's usual, were opened by a machine."""

BULK_TIMES_USUAL = 5
KIND_COLUMNS = ("deal_type", "record_type", "pipeline")
_LISTED = 4


def twice_or_gone(known: Known) -> list[Noticed]:
    """Trap 16: deals that look like one another, and deals that a later extract lacks."""
    deals = known.deals
    valued = deals["account_id"].notna() & (deals["amount_original"].fillna(0) != 0)
    found = []
    if valued.any():
        twice = valued & deals.where(valued).duplicated(["account_id", "opened_on", "amount_original"])
        what = "same account, opening day and amount as another deal"
        found.append(line(16, what, twice, valued, "kept; merge them in the CRM if they are one"))
    if MISSING_DEALS in known.history.side:
        gone = _gone(known)
        found.append(line(16, "missing from a later extract (deleted or merged)", gone, deals, "keeps its last state"))
    return found


def _gone(known: Known) -> pd.Series:
    table = known.history.side[MISSING_DEALS]
    frame: Any = table if isinstance(table, pd.DataFrame) else table.to_pyarrow().to_pandas()
    told = frame.loc[pd.to_datetime(frame["recorded_on"]) <= pd.Timestamp(known.as_of), "deal_id"]
    return known.deals["deal_id"].isin(told)


def owners(known: Known) -> list[Noticed]:
    """Trap 17: owner and team at opening, at the close and now."""
    deals = known.deals
    if not deals["owner_id"].notna().any():
        return []
    at = deals[["deal_id"]].merge(known.moments, on="deal_id", how="left")
    opening, close, now = (at[f"owner_{moment}"] for moment in ("at_opening", "at_close", "now"))
    rule = f"the owner at {_moment(known, 'owner_id')} is used"
    found = []
    if known.recorded:
        both = opening.notna() & close.notna()
        found.append(line(17, "owner at the close is another than at opening", both & (opening != close), both, rule))
        held = close.notna() & now.notna()
        found.append(line(17, "owner now is another than at the close", held & (now != close), held, rule))
    listed = _teams(known)
    if listed is None:
        return [*found, line(17, "no owner now", now.isna(), at, "a group of its own, never dropped")]
    unknown = now.isna() | ~now.isin(listed.index)
    found.append(line(17, "owner now is not in the table of owners", unknown, at, "a group of its own, never dropped"))
    team = [side.map(listed) for side in (opening, close)]
    both = team[0].notna() & team[1].notna()
    if known.recorded and both.any():
        what = "team at the close is another than at opening"
        found.append(line(17, what, both & (team[0] != team[1]), both, f"the team at {_moment(known, 'team')} is used"))
    return found


def _teams(known: Known) -> pd.Series | None:
    """Return owner -> team as the newest row of the owners table says it; None where there is no such table."""
    if "owners" not in known.history.side:
        return None
    frame = _owner_rows(known)
    return frame.drop_duplicates("owner_id", keep="last").set_index("owner_id")["team"]


def _owner_rows(known: Known) -> pd.DataFrame:
    """Return the rows of the owners table that were known at the as-of date, oldest first."""
    table = known.history.side["owners"]
    frame = table if isinstance(table, pd.DataFrame) else table.to_pyarrow().to_pandas()
    frame = frame.reindex(columns=["owner_id", "team", "start_on", "recorded_on"])
    for column in ("start_on", "recorded_on"):
        frame[column] = pd.to_datetime(frame[column])
    today = pd.Timestamp(known.as_of)
    frame = frame[~(frame["recorded_on"] > today) & ~(frame["start_on"] > today)]
    return frame.sort_values(["owner_id", "start_on", "recorded_on"], na_position="first", kind="stable")


def kinds(known: Known) -> list[Noticed]:
    """Trap 18: renewals apart from new business, and deals that a machine opened."""
    return [*_kinds_in_scope(known), *_follow_ups(known), *_by_the_dozen(known)]


def _kinds_in_scope(known: Known) -> list[Noticed]:
    everything, scope = known.all_deals, known.definitions.scope
    chosen = () if scope is None else (*scope.keep, *scope.drop)
    found = []
    for column in dict.fromkeys((*KIND_COLUMNS, *(name for name in chosen if name in known.history.attributes))):
        values = everything[column].dropna() if column in everything else pd.Series(dtype=object)
        if column not in chosen and (column == "pipeline" or values.nunique() < 2):
            continue
        name = column.replace("_", " ")
        if column in chosen:
            numbers = [n for n, rule in enumerate(known.rules, start=1) if rule.startswith(f"scope: {column} is ")]
            out = everything["excluded"].isin(numbers)
            words = f"{name}{_named(values[out.reindex(values.index)])}"
            found.append(line(18, f"left out by their {words}", out, everything, "out of scope: left out"))
        else:
            words = f"{name}{_named(values)}"
            other = values.reindex(everything.index).notna() & (everything[column] != values.mode().iloc[0])
            rule = "in scope; name those to keep under scope:"
            found.append(line(18, f"another {words} than most", other, everything, rule))
    return found


def _named(values: pd.Series) -> str:
    """Name the commonest values in brackets, nothing where there is none."""
    names = [str(value) for value in values.value_counts().index]
    return f" ({', '.join(names[:_LISTED])}{', …' if len(names) > _LISTED else ''})" if names else ""


def _follow_ups(known: Known) -> list[Noticed]:
    """Deals (renewals, where the type is known) opened on the day on which another deal of the account was won."""
    renewals = _renewals(known.all_deals)
    deals = known.all_deals if renewals.any() else known.deals
    among = renewals if renewals.any() else deals["account_id"].notna()
    closings = known.all_episodes[known.all_episodes["closed_recorded_on"].notna()]
    won = closings.loc[closings["status"] == "closed_won", ["account_id", "closed_on", "deal_id"]]
    won = won.dropna(subset=["account_id"])
    pairs = deals.dropna(subset=["account_id"]).merge(
        won, left_on=["account_id", "opened_on"], right_on=["account_id", "closed_on"], suffixes=("", "_won")
    )
    follow = deals["deal_id"].isin(pairs.loc[pairs["deal_id"] != pairs["deal_id_won"], "deal_id"])
    if won.empty:
        return []
    what = f"{'renewal ' if renewals.any() else ''}opened on the day on which another deal of the account was won"
    return [line(18, what, follow & among, among, "made by the CRM, perhaps: leave renewals out by scope")]


def _by_the_dozen(known: Known) -> list[Noticed]:
    """Deals that one owner opened on one day, many more than usual."""
    deals = known.deals
    owned = deals["owner_id"].notna()
    if not owned.any():
        return []
    per_day = deals[owned].groupby(["owner_id", "opened_on"])["deal_id"].size().rename("n").reset_index()
    per_day["usual"] = per_day.groupby("owner_id")["n"].transform("median")
    bulk = per_day[(per_day["n"] >= BULK_AT_LEAST) & (per_day["n"] >= BULK_TIMES_USUAL * per_day["usual"])]
    keys = pd.MultiIndex.from_frame(bulk[["owner_id", "opened_on"]])
    made = pd.Series(pd.MultiIndex.from_frame(deals[["owner_id", "opened_on"]]).isin(keys), index=deals.index)
    what = f"one of {BULK_AT_LEAST} or more that its owner opened in a day, five times as many as usual"
    return [line(18, what, made, owned, "kept; leave them out by scope if nobody sold them")]


def _renewals(deals: pd.DataFrame) -> pd.Series:
    """Say which deals are renewals by their type; none where the type is not known."""
    if "deal_type" not in deals:
        return pd.Series(False, index=deals.index)
    return deals["deal_type"].astype(object).fillna("").astype(str).str.contains("renew", case=False)


def _moment(known: Known, column: str) -> str:
    chosen = known.definitions.attributes_at.get(column, "opening")
    return {"opening": "opening", "as_of": "the as-of date", "close": "the close"}[chosen]
