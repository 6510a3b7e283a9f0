"""What a stage means: open, won or lost, from the current opportunities' flags and the params."""

from __future__ import annotations

import pandas as pd

from analytics.records.errors import InputError
from analytics.records.sources.objects import is_true
from analytics.records.sources.salesforce.mapping import SalesforceSource

ACTION = "List each under open_stages:, won_stages: or lost_stages: in the params"


def stage_statuses(source: SalesforceSource, deals: pd.DataFrame, history: pd.DataFrame | None) -> dict[str, str]:
    """What does each stage name mean?

    The params decide where they name a stage; then IsClosed and IsWon of the opportunities that stand there today. A
    stage that only history knows (renamed, deactivated) is open if it ever had a probability between 0 and 100.

    Parameters
    ----------
    source : SalesforceSource
        The mapping with `open_stages`, `won_stages`, `lost_stages`.
    deals : pandas.DataFrame
        Opportunity rows (deleted ones included): StageName, IsClosed, IsWon.
    history : pandas.DataFrame or None
        OpportunityHistory rows: StageName, Probability.

    Returns
    -------
    dict
        StageName -> open | closed_won | closed_lost.

    Raises
    ------
    InputError
        For stages whose flags contradict each other (a stage was re-mapped), stages of which nothing says whether they
        are open, and a stage that the params list twice.
    """
    stated = _stated(source)
    meanings = _flagged(deals, stated) | stated
    seen = set(deals["StageName"]) | (set(history["StageName"]) if history is not None else set())
    unknown = sorted(seen - set(meanings))
    if history is not None and "Probability" in history and unknown:
        between = history.loc[history["Probability"].between(0, 100, inclusive="neither"), "StageName"]
        meanings |= dict.fromkeys(sorted(set(between) & set(unknown)), "open")
    unknown = sorted(seen - set(meanings))
    if unknown:
        raise InputError(
            f"nothing says whether these stages are open, won or lost: {', '.join(map(repr, unknown))}",
            column="StageName",
            action=ACTION,
        )
    return meanings


def _stated(source: SalesforceSource) -> dict[str, str]:
    lists = (("open", source.open_stages), ("closed_won", source.won_stages), ("closed_lost", source.lost_stages))
    stated: dict[str, str] = {}
    for status, names in lists:
        for name in names:
            if name in stated:
                raise InputError("the params list this stage twice", column="StageName", value=name, action=ACTION)
            stated[name] = status
    return stated


def _flagged(deals: pd.DataFrame, stated: dict[str, str]) -> dict[str, str]:
    if "IsClosed" not in deals or "IsWon" not in deals:
        return {}
    closed, won = is_true(deals["IsClosed"]), is_true(deals["IsWon"])
    status = pd.Series("open", index=deals.index).mask(closed, "closed_lost").mask(closed & won, "closed_won")
    known = deals["IsClosed"].notna()
    pairs = pd.DataFrame({"stage": deals["StageName"], "status": status})[known].drop_duplicates()
    for name in pairs.loc[pairs["stage"].duplicated(), "stage"]:
        if name not in stated:
            found = sorted(pairs.loc[pairs["stage"] == name, "status"])
            raise InputError(
                f"IsClosed and IsWon differ between opportunities of this stage ({', '.join(found)})",
                column="StageName",
                value=name,
                action=ACTION,
            )
    return dict(zip(pairs["stage"], pairs["status"], strict=True))
