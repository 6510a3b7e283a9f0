"""What a stage means: open, won or lost; and in which order the stages come."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.errors import InputError
from analytics.records.sources.conform import Reader, Rows
from analytics.records.sources.forecasts import probabilities
from analytics.records.sources.objects import column_of, is_true, read_object
from analytics.records.sources.salesforce.fields import OPPORTUNITY_STAGE
from analytics.records.sources.salesforce.histories import Histories
from analytics.records.sources.salesforce.mapping import SalesforceSource
from analytics.records.sources.salesforce.opportunities import Opportunities

ACTION = "List each under open_stages:, won_stages: or lost_stages: of source: in the params"


def read_stages(source: SalesforceSource, reader: Reader) -> pd.DataFrame | None:
    """Read OpportunityStage: stage, its name, order and flags; of two stages of one name the active one counts."""
    rows = read_object(OPPORTUNITY_STAGE, source, reader)
    if rows is None:
        return None
    inactive = ~is_true(column_of(rows.frame, "IsActive")) if "IsActive" in rows.frame else rows.frame["IsWon"] == ""
    ordered = Rows(rows.frame.loc[inactive.sort_values(kind="stable").index], rows.raw, rows.ledger)
    again = ordered.frame["MasterLabel"].duplicated()
    return ordered.without(again, "a second stage of this name").frame.sort_index()


def stages_table(listed: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return the side table `stages`; None where OpportunityStage or its SortOrder is not exported."""
    if listed is None or "SortOrder" not in listed:
        return None
    return pd.DataFrame({"stage": listed["MasterLabel"], "order": listed["SortOrder"].astype("Int64")}).dropna()


def stage_statuses(
    source: SalesforceSource, deals: Opportunities, histories: Histories, listed: pd.DataFrame | None
) -> tuple[dict[str, str], list[Noticed]]:
    """What does each stage name mean?

    The params decide where they name a stage; then OpportunityStage; then IsClosed and IsWon of most of the
    opportunities that stand there today, deleted ones included; then those of most versions (a stage
    that is open as often as closed is open). What contradicts a stage is counted. A stage that only a history knows
    (renamed, deactivated) is open if it ever had a probability between 0 and 100 %.

    Parameters
    ----------
    source : SalesforceSource
        The mapping with `open_stages`, `won_stages`, `lost_stages`.
    deals : Opportunities
        StageName, IsClosed and IsWon of today.
    histories : Histories
        The stages of recorded states.
    listed : pandas.DataFrame or None
        OpportunityStage.

    Returns
    -------
    (dict, list of Noticed)
        StageName -> open | closed_won | closed_lost; rows whose flags disagree with their stage, and stages of the
        past that today's list lacks.

    Raises
    ------
    InputError
        For a stage whose flags are won as often as lost, and nothing else says which it is; for stages of which nothing
        says whether they are open; and for a stage that the params list twice.
    """
    meanings = _listed(listed) | _stated(source)
    meanings = _flagged(deals.everything, meanings) | meanings
    if histories.versions is not None:
        meanings = _flagged(histories.versions, meanings) | meanings
    past = histories.stages
    seen = set(deals.everything["StageName"]) | set(past["StageName"])
    shares, _, _ = probabilities(past["Probability"])
    between = set(past.loc[shares.between(0, 1, inclusive="neither"), "StageName"])
    meanings |= dict.fromkeys(sorted(between - set(meanings)), "open")
    unknown = sorted(seen - set(meanings))
    if unknown:
        raise InputError(
            f"nothing says whether these stages are open, won or lost: {', '.join(map(repr, unknown))}",
            column="StageName",
            action=ACTION,
        )
    return meanings, [_disagreeing(deals.frame, meanings), *_past(deals, past, listed)]


def _stated(source: SalesforceSource) -> dict[str, str]:
    lists = (("open", source.open_stages), ("closed_won", source.won_stages), ("closed_lost", source.lost_stages))
    stated: dict[str, str] = {}
    for status, names in lists:
        for name in names:
            if name in stated:
                raise InputError("the params list this stage twice", column="StageName", value=name, action=ACTION)
            stated[name] = status
    return stated


def _listed(listed: pd.DataFrame | None) -> dict[str, str]:
    if listed is None:
        return {}
    status = _statuses(listed)
    names = {"ApiName": column_of(listed, "ApiName"), "MasterLabel": listed["MasterLabel"]}
    return {name: meaning for column in names.values() for name, meaning in zip(column, status, strict=True) if name}


def _statuses(rows: pd.DataFrame) -> pd.Series:
    closed, won = is_true(rows["IsClosed"]), is_true(rows["IsWon"])
    return pd.Series("open", index=rows.index).mask(closed, "closed_lost").mask(closed & won, "closed_won")


def _flagged(rows: pd.DataFrame, known: Mapping[str, str]) -> dict[str, str]:
    """What most rows of a stage say of it, for the stages of which nothing better says it."""
    if "IsClosed" not in rows or "IsWon" not in rows:
        return {}
    rows = rows[rows["IsClosed"].notna() & ~rows["StageName"].isin(set(known))]
    counts = pd.crosstab(rows["StageName"], _statuses(rows))
    most = counts.eq(counts.max(axis=1), axis=0)
    tied = most.sum(axis=1) > 1
    is_open = most["open"] if "open" in most else tied & False
    for name in counts.index[tied & ~is_open]:
        found = sorted(counts.columns[counts.loc[name] > 0])
        raise InputError(
            f"IsClosed and IsWon differ between opportunities of this stage ({', '.join(found)})",
            column="StageName",
            value=name,
            action=ACTION,
        )
    if counts.empty:
        return {}
    meant = counts.idxmax(axis=1).mask(tied & is_open, "open")
    return {str(name): str(status) for name, status in meant.items()}


def _disagreeing(deals: pd.DataFrame, meanings: Mapping[str, str]) -> Noticed:
    what, rule = "IsClosed and IsWon are not what the stage means", "the stage decides"
    if "IsClosed" not in deals or "IsWon" not in deals:
        return Noticed(9, what, 0, 0, "deals", rule)
    said = deals[deals["IsClosed"].notna()]
    wrong = _statuses(said) != said["StageName"].map(meanings)
    return Noticed(9, what, int(wrong.sum()), len(said), "deals", rule)


def _past(deals: Opportunities, past: pd.DataFrame, listed: pd.DataFrame | None) -> list[Noticed]:
    rule = "means what the params or its probability say"
    if listed is None:
        gone = ~past["StageName"].isin(set(deals.everything["StageName"]))
        what = "a recorded state is in a stage in which no opportunity is today"
        return [Noticed(9, what, int(gone.sum()), len(past), "rows", rule)]
    names = set(listed["MasterLabel"]) | set(column_of(listed, "ApiName"))
    gone = ~past["StageName"].isin(names)
    noticed = [
        Noticed(
            9, "a recorded state is in a stage that OpportunityStage lacks", int(gone.sum()), len(past), "rows", rule
        )
    ]
    if "IsActive" in listed:
        inactive = set(listed.loc[~is_true(listed["IsActive"]), "MasterLabel"])
        there = int(deals.frame["StageName"].isin(inactive).sum())
        what = "stands in a stage that is no longer active"
        noticed.append(Noticed(9, what, there, len(deals.frame), "deals", "means what OpportunityStage says"))
    return noticed
