"""The deals behind the parts of a change between two sets of deals: of each level and side, and of both as wholes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from analytics.estimators.cell_deals import ResultT, ids_of, with_members
from analytics.estimators.decomposition import ALL, level_of

Sides = tuple[pd.DataFrame, pd.DataFrame]


def with_side_deals(result: ResultT, sides: Mapping[tuple[str, str], Sides], *, outcome: str = "won") -> ResultT:
    """Return the parts of changes (`decomposition.mix_and_rate`) with the deals behind the counts of either side.

    Parameters
    ----------
    result : Estimate or Finding
        Rows with compared_to, segment, level, horizon_reached and `n_deals_then`, `n_event_then`, `opened_then`, and
        the same of now.
    sides : mapping of (compared_to, segment) to (then, now)
        The deals that were decomposed: deal_id, exit, outcome, opened_in_period, and the segment.
    outcome : str
        Which was decomposed.

    Examples
    --------
    >>> from analytics.estimators.result import Listing
    >>> deals = pd.DataFrame({"deal_id": ["A", "B"], "exit": 9, "outcome": ["won", "lost"], "opened_in_period": True,
    ...                       "region": ["N", "S"]})
    >>> rows = pd.DataFrame({"compared_to": "Q1", "segment": "region", "level": ["N", "all"], "horizon_reached": 30,
    ...                      "n_deals_now": [1, 2], "n_event_now": [1, 1]})
    >>> found = with_side_deals(Listing(rows, "x"), {("Q1", "region"): (deals, deals)}).deals
    >>> found.loc[found["row"] == 1, ["column", "deal_id"]].values.tolist()
    [['n_deals_now', 'A'], ['n_deals_now', 'B'], ['n_event_now', 'A']]
    """

    def of(row: dict[str, Any]) -> dict[str, Iterable[object]]:
        lists: dict[str, Iterable[object]] = {}
        for name, deals in zip(("then", "now"), sides[row["compared_to"], row["segment"]], strict=True):
            whole = row["level"] == ALL
            mine = deals if whole else deals[level_of(deals, row["segment"]) == row["level"]]
            had = (mine["outcome"] == outcome) & (mine["exit"] <= row["horizon_reached"])
            lists[f"n_deals_{name}"], lists[f"n_event_{name}"] = mine["deal_id"], mine.loc[had, "deal_id"]
            lists[f"opened_{name}"] = mine.loc[mine["opened_in_period"].astype(bool), "deal_id"]
        return {**lists, "n_risk": lists["n_deals_now"]}

    return with_members(result, of)


def level_members(watched: pd.DataFrame, row: dict[str, Any], *, outcome: str = "won") -> dict[str, list[object]]:
    """Name the deals of a level of a segment: watched before the age that is read, at it, with the outcome by then.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": ["A", "B"], "entry": -1, "exit": [9, 40], "outcome": "won", "region": "N"})
    >>> level_members(deals, {"segment": "region", "level": "N", "horizon_reached": 30})["n_event"]
    ['A']
    """
    here, age = level_of(watched, row["segment"]) == row["level"], row["horizon_reached"]
    had = (watched["outcome"] == outcome) & (watched["exit"] <= age)
    young = watched["entry"] < age
    still = young & (watched["exit"] >= age)
    chosen = {"n_deals": here & young, "n_risk": here & still, "n_event": here & had, "n_event_rest": ~here & had}
    return {name: ids_of(watched[mine]) for name, mine in chosen.items()}


def change_members(then: pd.DataFrame, now: pd.DataFrame, outcome: str, age: int) -> dict[str, list[object]]:
    """Name the deals on both sides of a change of one outcome, and those that ended so by the age that is read.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": ["A", "B"], "exit": [9, 40], "outcome": "won"})
    >>> change_members(deals, deals[:1], "won", 30)["n_event_then"]
    ['A']
    """
    ended = [ids_of(side[(side["outcome"] == outcome) & (side["exit"] <= age)]) for side in (now, then)]
    everyone = {"n_deals_now": ids_of(now), "n_deals_then": ids_of(then), "n_risk": ids_of(now)}
    return {**everyone, "n_event_now": ended[0], "n_event_then": ended[1]}
