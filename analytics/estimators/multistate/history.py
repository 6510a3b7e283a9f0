"""From what the CRM recorded to stage rows: where every deal was, in days after opening, as known at a date."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.columns import NOT_RECORDED
from analytics.records.contract import OUTCOMES
from analytics.records.errors import InputError, nearest

STATUS_OUTCOMES = {"closed_won": "won", "closed_lost": "lost", "closed_unknown": "unknown"}
NO_OPENING = "no opening day"
NO_STAGE = "no open stage recorded before it ended"


@dataclass(frozen=True, eq=False)
class StageHistory:
    """Stage rows, the states in order, and the deals that have none.

    Attributes
    ----------
    rows : pandas.DataFrame
        `deal_id`, `entry`, `exit`, `from`, `to` (ordered categories) and the carried columns; for `read_stages`.
    states : tuple of str
        The stages, then the outcomes.
    left_out : pandas.DataFrame
        `deal_id` and `reason`; the deals in `rows` and these are all that were read.
    """

    rows: pd.DataFrame
    states: tuple[str, ...]
    left_out: pd.DataFrame


def stage_rows(
    recorded: pd.DataFrame,
    *,
    stages: Sequence[str],
    as_of: dt.date,
    deals: pd.DataFrame | None = None,
    carry: Sequence[str] = (),
) -> StageHistory:
    """In which stage was every deal, from when to when, and where did it go, as known at the end of a day?

    Parameters
    ----------
    recorded : pandas.DataFrame
        A History's rows: `deal_id`, `recorded_on`, `opened_on`, `stage`, `status`; `sequence` orders records of one
        day, `closed_on` is the day of closing where it differs from that of recording.
    stages : sequence of str
        The open stages in order; a missing stage is the stage "not recorded".
    as_of : datetime.date
        Nothing recorded later is looked at; a deal that is open then is last seen then.
    deals : pandas.DataFrame, optional
        `deal_id`, `opened_on`, `entry`, `exit`, `outcome` as `deals_as_of` gives them (first episodes), which then say
        how long each deal was watched and how it ended; deals that are not there are not read. By default a deal ends
        at its first closing, with the outcome of its status.
    carry : sequence of str
        Columns of `recorded` to carry over, with the value of the deal's first record.

    Returns
    -------
    StageHistory

    Raises
    ------
    InputError
        A missing column, a stage that is not in `stages` or is called like an outcome, a deal that is there twice.

    Notes
    -----
    A day is the least unit: of several moves on one day the last one counts, and a stage that was left on the day on
    which the deal closed goes straight to the outcome. The last open stage of the day on which a deal was first
    recorded is the one in which it begins, just before that day. A deal that was first recorded after its opening is at
    risk only from then on, so that no time is credited that nobody watched (immortal time). Moves recorded after a
    deal's end, and later episodes, are not looked at.

    Examples
    --------
    >>> day = lambda n: dt.date(2024, 1, n)
    >>> recorded = pd.DataFrame({
    ...     "deal_id": "d", "opened_on": day(1), "recorded_on": [day(1), day(5), day(9)],
    ...     "stage": ["qualify", "propose", "done"], "status": ["open", "open", "closed_won"]})
    >>> found = stage_rows(recorded, stages=["qualify", "propose"], as_of=day(31))
    >>> found.rows.astype({"from": str, "to": str}).values.tolist()
    [['d', -1, 4, 'qualify', 'propose'], ['d', 4, 8, 'propose', 'won']]
    """
    known = _known(recorded, stages, as_of, carry)
    ends = _ends(known, as_of) if deals is None else _given_ends(deals)
    known = known.drop(columns=["opened_on"]).merge(ends[["deal_id", "opened_on"]], on="deal_id")
    known["day"] = _days(known["recorded_on"], known["opened_on"])
    moves, begins = _moves(known[known["open"]], ends)
    left_out = pd.DataFrame({"deal_id": ends["deal_id"], "reason": np.where(
        ends["opened_on"].isna(), NO_OPENING, np.where(ends["deal_id"].isin(begins["deal_id"]), "", NO_STAGE)
    )})  # fmt: skip
    left_out = left_out[left_out["reason"] != ""].reset_index(drop=True)
    states = _states(stages, known, ends)
    rows = _rows(moves, begins, states)
    if carry:
        first = known.drop_duplicates("deal_id")[["deal_id", *carry]]
        rows = rows.merge(first, on="deal_id", how="left")
    return StageHistory(rows, states, left_out)


def _known(recorded: pd.DataFrame, stages: Sequence[str], as_of: dt.date, carry: Sequence[str]) -> pd.DataFrame:
    for name in ("deal_id", "recorded_on", "opened_on", "stage", "status", *carry):
        if name not in recorded.columns:
            raise InputError(f"the history has no column {name!r}", action=nearest(name, recorded.columns))
    known = recorded[pd.to_datetime(recorded["recorded_on"]) <= pd.Timestamp(as_of)]
    order = ["deal_id", "recorded_on", *(["sequence"] if "sequence" in known.columns else [])]
    known = known.sort_values(order, kind="stable").reset_index(drop=True)
    known["open"] = known["status"] == "open"
    known["stage"] = known["stage"].astype(object).where(known["stage"].notna(), NOT_RECORDED)
    for name in stages:
        if name in OUTCOMES:
            raise InputError("a stage is called like an outcome", value=name, action="Rename it in the mapping")
    for name in known.loc[known["open"], "stage"].unique():
        if name not in stages and name != NOT_RECORDED:
            raise InputError("a deal is in a stage that is not in the list of stages", column="stage", value=name,
                             action=nearest(str(name), stages))  # fmt: skip
    return known


def _ends(known: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    """Return how each deal ended by its own records: at the first day that it was closed at the end of."""
    ends: pd.DataFrame = known.groupby("deal_id")["opened_on"].last().reset_index()
    daily = known.drop_duplicates(["deal_id", "recorded_on"], keep="last")
    closing = daily[~daily["open"]].drop_duplicates("deal_id")
    columns = ["deal_id", "recorded_on", "status", *(["closed_on"] if "closed_on" in closing.columns else [])]
    ends = ends.merge(closing[columns], on="deal_id", how="left")
    closed_on = ends["closed_on"].where(ends["closed_on"].notna(), ends["recorded_on"]) if "closed_on" in ends else None
    day = ends["recorded_on"] if closed_on is None else closed_on
    last = day.where(ends["status"].notna(), as_of)
    ends["exit"] = _days(last, ends["opened_on"])
    ends["outcome"] = ends["status"].map(STATUS_OUTCOMES).fillna("open")
    ends["entry"] = -1.0
    return ends[["deal_id", "opened_on", "entry", "exit", "outcome"]]


def _given_ends(deals: pd.DataFrame) -> pd.DataFrame:
    for name in ("deal_id", "opened_on", "entry", "exit", "outcome"):
        if name not in deals.columns:
            raise InputError(f"the deals have no column {name!r}", action=nearest(name, deals.columns))
    twice = deals["deal_id"].duplicated()
    if twice.any():
        raise InputError("a deal is there twice", column="deal_id", value=deals.loc[twice, "deal_id"].iloc[0],
                         action="Take first episodes")  # fmt: skip
    return deals[["deal_id", "opened_on", "entry", "exit", "outcome"]].reset_index(drop=True)


def _days(day: pd.Series[Any], opened: pd.Series[Any]) -> pd.Series[Any]:
    return (pd.to_datetime(day) - pd.to_datetime(opened)).dt.days.clip(lower=0)


def _moves(open_records: pd.DataFrame, ends: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the moves `(deal_id, day, stage)`, the first of each deal being where it begins, and the beginnings."""
    placed = open_records[["deal_id", "day", "stage"]].merge(ends, on="deal_id")
    # records of the closing day tell the stage only where the deal begins on that day
    first = placed.groupby("deal_id")["day"].transform("min")
    placed["entry"] = np.maximum(placed["entry"], first - 1)
    placed = placed[placed["exit"] > placed["entry"]]
    early = placed["day"] <= placed["entry"] + 1
    begins = placed[early].drop_duplicates("deal_id", keep="last")
    later = placed[~early & (placed["day"] < placed["exit"])].drop_duplicates(["deal_id", "day"], keep="last")
    moves = pd.concat([begins.assign(day=begins["entry"]), later]).sort_values(["deal_id", "day"], kind="stable")
    stays = (moves["deal_id"] == moves["deal_id"].shift()) & (moves["stage"] == moves["stage"].shift())
    return moves[~stays].reset_index(drop=True), begins


def _states(stages: Sequence[str], known: pd.DataFrame, ends: pd.DataFrame) -> tuple[str, ...]:
    blank = [NOT_RECORDED] if (known["open"] & (known["stage"] == NOT_RECORDED)).any() else []
    ways = [name for name in OUTCOMES if name != "unknown" or (ends["outcome"] == "unknown").any()]
    return (*stages, *(name for name in blank if name not in stages), *ways)


def _rows(moves: pd.DataFrame, begins: pd.DataFrame, states: tuple[str, ...]) -> pd.DataFrame:
    same = moves["deal_id"].shift(-1) == moves["deal_id"]
    outcome = moves["outcome"].where(moves["outcome"] != "open", None)
    rows = pd.DataFrame({
        "deal_id": moves["deal_id"], "entry": moves["day"].astype(np.int64),
        "exit": moves["day"].shift(-1).where(same, moves["exit"]).astype(np.int64),
    })  # fmt: skip
    rows["from"] = pd.Categorical(moves["stage"], categories=list(states), ordered=True)
    target = moves["stage"].shift(-1).where(same, outcome)
    rows["to"] = pd.Categorical(target, categories=list(states), ordered=True)
    return rows
