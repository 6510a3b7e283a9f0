"""Where in the stages deals die: how each stay in a stage ends, and from which stage no-decisions come."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from analytics.estimators.cell_deals import with_watched
from analytics.estimators.counts import count_events
from analytics.estimators.incidence import cumulative_incidence
from analytics.estimators.lacking import lacking
from analytics.estimators.multistate.history import stage_rows
from analytics.estimators.rates import clustered_proportion
from analytics.estimators.result import Estimate, Finding
from analytics.estimators.watched import OUTCOMES, accounts_of
from analytics.questions.no_decision.followed import cannot_tell, followed
from analytics.records.contract import History

STAY_DAYS = 180
NO_ACCOUNT = "no account"


def stage_exits(
    deals: pd.DataFrame, history: History, *, stages: Sequence[str], settled_on: dt.date, horizon_days: int
) -> Estimate | Finding:
    """Of deals that came to a stage, what share went on, was won, lost or given up from there?

    Parameters
    ----------
    deals : pandas.DataFrame
        First episodes under declared rules.
    history : History
        Frames; recorded changes of stage.
    stages : sequence of str
        The open stages in order; stages that are not listed follow in the order of their first record.
    settled_on : datetime.date
        Follow-up ends here.
    horizon_days : int
        Shares are read 180 days after coming to a stage, or this many where it is less.

    Returns
    -------
    Estimate or Finding
        Kind probability, keys (stage, outcome) with outcomes moved_on (to any other stage), won, lost, no_decision:
        shares within so many days of coming to the stage; `order`, `n_event`, `n_deals` (stays in the stage), and
        `last_share` with `last_low`, `last_high` (share of all deals with that outcome that ended from this stage). A
        Finding without recorded changes of stage.

    Notes
    -----
    A deal that came to a stage twice counts twice there; intervals are by account (by deal without accounts). A stage
    that was left on the day of closing goes straight to the outcome.

    Examples
    --------
    >>> stage_exits(pd.DataFrame(), History(table=None, kind="current_only"), stages=[],
    ...             settled_on=dt.date(2025, 1, 1), horizon_days=365).verdict
    'not studied'
    """
    if history.kind == "current_only":
        return lacking("stage_exits", "where in the stages deals die", "changes of stage")
    watched = followed(deals, settled_on)
    states = history.table[history.table["deal_id"].isin(watched["deal_id"])]
    order = _stages(states, stages)
    if len(order) < 2:
        return lacking("stage_exits", "where in the stages deals die", "changes of stage")
    rows = stage_rows(states, stages=order, as_of=settled_on, deals=watched).rows
    if not len(rows):
        return cannot_tell("stage_exits", "Where in the stages deals die cannot be told: no deal was seen in a stage.")
    accounts = watched.set_index("deal_id")["account_id"] if "account_id" in watched else None
    account = rows["deal_id"] if accounts is None else rows["deal_id"].map(accounts)
    rows["account"] = account.astype(object).where(account.notna(), NO_ACCOUNT + " " + rows["deal_id"].astype(str))
    days = min(STAY_DAYS, horizon_days)
    stays = _stays(rows, order)
    found = cumulative_incidence(
        count_events(stays, by="stage", cluster="account", outcomes=("moved_on", *OUTCOMES), unknown="bounds"),
        times=[days],
    )  # fmt: skip
    frame = found.frame[found.frame["outcome"] != "unknown"]
    if not len(frame):
        return cannot_tell("stage_exits", f"No stay in a stage was followed for {days} days.")
    frame = frame.assign(
        n_event=frame["cum_event"], order=frame["stage"].map({name: k for k, name in enumerate(order)})
    )
    frame = frame.merge(stays["stage"].value_counts().rename("n_deals"), left_on="stage", right_index=True)
    frame = frame.merge(_last_stages(rows), how="left", on=["stage", "outcome"])
    places = {name: k for k, name in enumerate(("moved_on", *OUTCOMES))}
    frame = (
        frame.assign(place=frame["outcome"].map(places)).sort_values(["order", "place"]).drop(columns=["time", "place"])
    )
    meta = replace(
        found.meta, kind="probability", keys=("stage", "outcome"), time_unit="days since the deal came to the stage",
        estimand=f"of deals that came to a stage, the share that left it in each way within {days} days",
        n_deals=len(watched), n_accounts=accounts_of(watched),
    )  # fmt: skip
    return with_watched(Estimate(frame, meta), stays, by=("stage",), age=days)


def _stays(rows: pd.DataFrame, order: Sequence[str]) -> pd.DataFrame:
    """Put each stay on the clock of its stage; those to which nobody saw the deal come are left out."""
    seen = rows[rows["deal_id"].duplicated() | (rows["entry"] == -1)]
    to = seen["to"].astype(object)
    return seen.assign(
        stage=seen["from"].astype(str), entry=-1, exit=seen["exit"] - seen["entry"].clip(lower=0),
        outcome=to.where(~to.isin(order), "moved_on").where(to.notna(), "open"),
    )  # fmt: skip


def _stages(states: pd.DataFrame, stages: Sequence[str]) -> list[str]:
    is_open = states[(states["status"] == "open").to_numpy(dtype=bool, na_value=False)]
    seen = is_open.sort_values("recorded_on", kind="stable")["stage"].dropna().unique().tolist()
    given = [name for name in stages if name in set(seen)]
    return [*given, *(name for name in seen if name not in set(given))]


def _last_stages(rows: pd.DataFrame) -> pd.DataFrame:
    """Count from which stage the deals with each outcome ended."""
    made = []
    for outcome in OUTCOMES:
        ended = rows[rows["to"] == outcome]
        for stage in ended["from"].astype(str).unique():
            share = clustered_proportion((ended["from"] == stage).astype(float), cluster=ended["account"])
            made.append({"stage": stage, "outcome": outcome, "last_share": share[0], "last_low": share[2],
                         "last_high": share[3]})  # fmt: skip
    return pd.DataFrame(made, columns=["stage", "outcome", "last_share", "last_low", "last_high"])
