"""What losses without a reason, and closings without an outcome, could change about the share of no decision."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.bounds import incidence_bounds
from analytics.estimators.cell_deals import ids_of, with_deals
from analytics.estimators.counts import RiskTable, count_events
from analytics.estimators.incidence import cumulative_incidence
from analytics.estimators.lacking import lacking
from analytics.estimators.result import Estimate, Finding, Meta
from analytics.estimators.watched import accounts_of, has_accounts, reach, without_account
from analytics.questions.no_decision.followed import followed

ELSE = "closed, outcome unknown"


def unrecorded_bounds(deals: pd.DataFrame, *, settled_on: dt.date, horizon_days: int) -> Estimate | Finding:
    """Between which values does the share of no decision lie, whatever the deals without a reason really were?

    Parameters
    ----------
    deals : pandas.DataFrame
        First episodes under declared rules; `reason` is missing or empty where none was given.
    settled_on, horizon_days
        As for `no_decision_range`.

    Returns
    -------
    Estimate or Finding
        Kind probability, keys (treatment,): "lost" (a loss without a reason counts as lost, as in the headline),
        "proportional" (as the losses with a reason are shared out), "no_decision" (all of them are), and where some
        closings have no recorded outcome "outcomes" (these as well). `label`, `n_unrecorded` (deals with neither by
        the horizon), `n_event`, `n_deals`, `n_accounts`. A Finding where no reason was ever recorded.

    Notes
    -----
    The first and the last are bounds (Manski 2003, ch. 2); their intervals say what sampling adds. The proportional
    one holds only if sellers leave the reason out as often whatever it is, and has no interval of its own: the bounds'
    stand for it.

    Examples
    --------
    >>> deals = pd.DataFrame({"opened_on": pd.Timestamp("2025-01-01"), "entry": -1, "exit": [2, 2, 5, 5],
    ...     "outcome": ["won", "lost", "no_decision", "lost"], "reason": [None, "Price", "No decision", None]})
    >>> found = unrecorded_bounds(deals, settled_on=dt.date(2025, 2, 1), horizon_days=30)
    >>> found.frame["estimate"].tolist()
    [0.25, 0.375, 0.5]
    """
    closed_lost = deals["outcome"].isin(("lost", "no_decision"))
    given = deals["reason"].astype(object).where(deals["reason"].notna(), "").astype(str).str.strip() != ""
    if not (given & closed_lost).any() or not (deals["outcome"] == "no_decision").any():
        needs = ("reason",) if not (given & closed_lost).any() else ("no-decision reasons",)
        return lacking("unrecorded_bounds", "what losses without a reason could change", *needs)
    blank = (deals["outcome"] == "lost") & ~given
    watched = followed(deals.assign(_blank=blank), settled_on)
    watched["_blank"] &= watched["outcome"] == "lost"
    unknown = watched["outcome"] == "unknown"
    outcome = watched["outcome"].astype(object).mask(unknown, ELSE)
    risk = _counted(watched.assign(outcome=outcome.mask(watched["_blank"], "unknown")))
    age = reach(watched, horizon_days)
    row = incidence_bounds(risk, times=[age], between=("lost", "no_decision")).at(outcome="no_decision").iloc[0]
    low, high = (_as_no_decision(watched, blank, age) for blank in (watched["_blank"] & False, watched["_blank"]))
    rows = [
        {"treatment": "lost", "label": "counted as lost, as in the headline", **low},
        {"treatment": "proportional", "label": "shared out like the losses that have one", **_middle(row)},
        {"treatment": "no_decision", "label": "all counted as no decision", **high},
    ]
    if unknown.any():
        both = _as_no_decision(watched, watched["_blank"] | unknown, age)
        rows.append({"treatment": "outcomes", "label": "and every closing without an outcome as well", **both})
    by_age = watched["exit"] <= age
    blanks = [by_age & (watched["_blank"] | (unknown & (row["treatment"] == "outcomes"))) for row in rows]
    ended = by_age & (watched["outcome"] == "no_decision")
    frame = pd.DataFrame(rows).assign(
        n_unrecorded=[int(each.sum()) for each in blanks],
        n_deals=risk.n_deals, n_accounts=accounts_of(watched), horizon_reached=age,
        n_event=int(ended.sum()),
    )  # fmt: skip
    meta = Meta(
        kind="probability", keys=("treatment",), n_deals=risk.n_deals, n_accounts=accounts_of(watched),
        interval="log-log",
        estimand=f"share of deals that end in no decision within {age} days, by what losses without a reason count as",
        variance="by account where known", cluster=risk.cluster, note=without_account(watched),
    )  # fmt: skip
    named = {"n_event": [ids_of(watched[ended])] * len(rows), "n_deals": [ids_of(watched)] * len(rows)}
    return with_deals(Estimate(frame, meta), n_unrecorded=[ids_of(watched[each]) for each in blanks], **named)


def _counted(deals: pd.DataFrame) -> RiskTable:
    found = ("won", "lost", "no_decision", *((ELSE,) if (deals["outcome"] == ELSE).any() else ()), "unknown")
    cluster = "account_id" if has_accounts(deals) else None
    return count_events(deals, outcomes=found, cluster=cluster, unknown="bounds")


def _as_no_decision(watched: pd.DataFrame, counted: pd.Series[bool], age: int) -> dict[str, Any]:
    outcome = watched["outcome"].astype(object).mask(counted, "no_decision")
    rest = watched.assign(outcome=outcome.where(outcome != "unknown", ELSE))
    row = cumulative_incidence(_counted(rest), times=[age]).at(outcome="no_decision").iloc[0]
    return {name: row[name] for name in ("estimate", "std_error", "conf_low", "conf_high", "no_interval_reason")}


def _middle(row: pd.Series[Any]) -> dict[str, Any]:
    return {"estimate": row["estimate"], "std_error": np.nan, "conf_low": row["conf_low"],
            "conf_high": row["conf_high"], "no_interval_reason": row["no_interval_reason"]}  # fmt: skip
