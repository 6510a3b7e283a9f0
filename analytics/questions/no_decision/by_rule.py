"""How many deals end in no decision: as declared, and under each rule that could stand for it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.cell_deals import ids_of, members_apart, with_deals
from analytics.estimators.incidence import cumulative_incidence
from analytics.estimators.result import Estimate, Finding, Meta
from analytics.estimators.watched import accounts_of, counted, has_accounts, not_studied, reach, without_account
from analytics.questions.no_decision.firing import Firings
from analytics.questions.no_decision.followed import followed, share_at
from analytics.records.firing_days import ended_by

LABELS = {
    "silent": "or nothing heard for {0} days", "pushed": "or past due and pushed {0} times",
    "aged": "or open for more than {0} days", "plateau": "or still open at {0} days, where wins have stopped coming",
}  # fmt: skip
GROUPS = {"declared": "By reason code", "silent": "By silence", "pushed": "By pushed close dates", "aged": "By age",
          "plateau": "By the plateau of wins"}  # fmt: skip
UNKNOWN = "Some outcomes are not on record: the intervals hold every way of counting them."
LATER_DAYS = 180
FEW_AT_RISK = 20
FLAT = 0.01
"""Wins have stopped coming at the age after which fewer than 1 in 100 deals are still to be won."""


def no_decision_range(
    deals: pd.DataFrame, firings: Firings, *, settled_on: dt.date, horizon_days: int
) -> Estimate | Finding:
    """Between which values does the share of no decision lie, by what one is ready to call a dead deal?

    Parameters
    ----------
    deals : pandas.DataFrame
        First episodes under declared rules, all that were opened up to the settled date.
    firings : Firings
        From `firings`: every rule at every threshold tried.
    settled_on : datetime.date
        Follow-up ends here.
    horizon_days : int
        Age at which shares are read.

    Returns
    -------
    Estimate or Finding
        Kind probability, keys (rule, threshold): the share of deals that ended in no decision by the horizon, with
        `label`, `group`, `stated` (the threshold is that of the params), `n_event`, `n_deals`, `n_accounts`,
        `horizon_reached`, `fired` (deals that the rule ended), `later_won` (of those, won since), `won_share`,
        `won_low`, `won_high` (share won within `won_days` days after the rule fired). A Finding where no deal was
        followed.

    Notes
    -----
    Declared (rule "declared", threshold 0) is the floor, except that a rule may end deals that were later lost or won.
    The plateau reads the share at the age where wins have stopped coming: 1 minus won minus lost, an upper bound, which
    is offered only where deals were followed to well beyond that age (Maller & Zhou 1996, ch. 4). Shares by
    Aalen-Johansen, clustered by account where accounts are known; unknown outcomes widen the interval to their bounds.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": list("abc"), "opened_on": pd.Timestamp("2025-01-01"), "entry": -1,
    ...     "exit": [10, 20, 91], "outcome": ["won", "no_decision", "open"],
    ...     "no_decision_kind": [None, "declared", None]})
    >>> found = no_decision_range(deals, Firings(pd.DataFrame({"rule": [], "threshold": []}), {}, {}),
    ...                           settled_on=dt.date(2025, 4, 2), horizon_days=30)
    >>> found.frame[["rule", "estimate"]].round(3).values.tolist()
    [['declared', 0.333]]
    """
    watched = followed(deals, settled_on)
    if not len(watched):
        return not_studied("no_decision_range", "No deal was followed up to the settled date.", "Check the scope.")
    rows = [_row(watched, "declared", 0, horizon_days)]
    rows[0].update(label="declared by reason code", stated=True, note=f"{rows[0]['note']} {undeclared(deals)}".strip())
    for rule, grid in firings.grid.items():
        for threshold in grid:
            fired = firings.of(rule, threshold)
            under = followed(ended_by(deals, fired, rule), settled_on)
            if len(under):
                row = _row(under, rule, threshold, horizon_days)
                row = _and_later(row, deals, fired, settled_on)
                rows.append({**row, "stated": firings.stated.get(rule) == threshold})
    plateau = _plateau(deals, watched, settled_on)
    plain, members = members_apart([*rows, *([] if plateau is None else [plateau])])
    frame = pd.DataFrame(plain)
    frame["group"] = frame["rule"].map(GROUPS)
    meta = Meta(
        kind="probability", estimand=f"share of deals that end in no decision within {horizon_days} days of opening",
        keys=("rule", "threshold"), n_deals=len(watched), n_accounts=accounts_of(watched),
        interval="log-log", variance="by account where known", cluster="account_id" if has_accounts(deals) else None,
        note=f"{UNKNOWN if (watched['outcome'] == 'unknown').any() else ''} {without_account(watched)}".strip(),
    )  # fmt: skip
    return with_deals(Estimate(frame, meta), **members)


def _row(watched: pd.DataFrame, rule: str, threshold: int, horizon_days: int) -> dict[str, Any]:
    age = reach(watched, horizon_days)
    note = "" if age == horizon_days else f"Deals were followed up to {age} days, not to {horizon_days}."
    if rule == "aged" and threshold >= age:
        note = f"It fires only after the {age} days at which shares are read."
    label = LABELS.get(rule, "{0}").format(threshold).replace("pushed 1 times", "pushed once")
    row = {"rule": rule, "threshold": threshold, "label": label, **share_at(counted(watched), age)}
    ended = watched[(watched["exit"] <= age) & (watched["outcome"] == "no_decision")]
    still = watched[(watched["entry"] < age) & (watched["exit"] >= age)]
    members = {
        "n_event": ids_of(ended),
        "cum_event": ids_of(ended),
        "n_deals": ids_of(watched),
        "n_risk": ids_of(still),
    }
    return {**row, "n_accounts": accounts_of(watched), "horizon_reached": age, "note": note, "members": members}


def undeclared(deals: pd.DataFrame) -> str:
    """Say why no decision is not declared at all; empty where at least one deal ended so.

    Examples
    --------
    >>> undeclared(pd.DataFrame({"outcome": ["lost"], "reason": [None]}))
    'The records hold no reasons, so no decision cannot be told from lost.'
    """
    if (deals["outcome"] == "no_decision").any():
        return ""
    if "reason" not in deals or not deals["reason"].notna().any():
        return "The records hold no reasons, so no decision cannot be told from lost."
    return "By the reasons no deal ended in no decision."


def _and_later(row: dict[str, Any], deals: pd.DataFrame, fired: pd.DataFrame, settled_on: dt.date) -> dict[str, Any]:
    """Add to a rule's row the deals that it ended, and an estimate of which share of them was won all the same.

    Closings without an outcome widen the interval to its bounds: each may have been a win.
    """
    ended = since_firing(deals, fired, settled_on)
    won = ended[ended["outcome"] == "won"]
    members = {**row["members"], "fired": ids_of(ended), "later_won": ids_of(won)}
    row = {**row, "fired": len(ended), "later_won": len(won), "members": members}
    if not len(ended):
        return row
    days = reach(ended, LATER_DAYS)
    share = share_at(counted(ended), days, "won")
    return row | {"won_share": share["estimate"], "won_low": share["conf_low"], "won_high": share["conf_high"],
                  "won_days": days}  # fmt: skip


def since_firing(deals: pd.DataFrame, fired: pd.DataFrame, settled_on: dt.date) -> pd.DataFrame:
    """Follow the deals that a rule ended on: `entry` and `exit` in days from the firing, to the recorded closing.

    A deal that was watched only from some day after the firing enters then: the export does not hold those that ended
    before, so the days between would be days on which nothing could be seen to end.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": ["A", "B"], "opened_on": pd.Timestamp("2025-01-01"), "entry": [-1, 44],
    ...                       "recorded_on": pd.Timestamp("2025-03-02"), "outcome": "won"})
    >>> fired = pd.DataFrame({"deal_id": ["A", "B"], "fired_on": pd.Timestamp("2025-01-31")})
    >>> since_firing(deals, fired, dt.date(2025, 4, 1))[["entry", "exit", "outcome"]].values.tolist()
    [[-1, 30, 'won'], [14, 30, 'won']]
    """
    both = deals.merge(fired[["deal_id", "fired_on"]], on="deal_id")
    both = both[both["fired_on"] <= pd.Timestamp(settled_on)]
    recorded, last = pd.to_datetime(both["recorded_on"]), pd.Timestamp(settled_on)
    is_open = (both["outcome"] == "open") | (recorded > last)
    days = np.maximum((recorded.where(~is_open, last) - both["fired_on"]).dt.days, 0)
    age = (both["fired_on"] - pd.to_datetime(both["opened_on"])).dt.days
    outcome = both["outcome"].astype(object).mask(is_open, "open")
    found = both.assign(entry=np.maximum(both["entry"] - age, -1), exit=days, outcome=outcome)
    return found[found["exit"] > found["entry"]].reset_index(drop=True)


def _plateau(deals: pd.DataFrame, watched: pd.DataFrame, settled_on: dt.date) -> dict[str, Any] | None:
    """Read 1 - won - lost at the age from which on almost no win comes; None where follow-up does not show it."""
    risk = counted(watched)
    moves = risk.movements()
    watched_by_many = moves.loc[moves["n_risk"] >= FEW_AT_RISK, "time"]
    if not len(watched_by_many) or not (watched["outcome"] == "won").any():
        return None
    last = int(watched_by_many.max())
    curve = cumulative_incidence(risk, times=np.arange(last + 1.0)).at(outcome="won")
    left = float(curve["estimate"].iloc[-1]) - curve["estimate"].to_numpy()
    age = int(curve["time"].iloc[int(np.argmax(left <= FLAT))])
    if age > 0.75 * last:
        return None
    day = pd.to_datetime(deals["opened_on"]) + pd.to_timedelta(age + 1, unit="D")
    alive = (deals["exit"] > age) & (day <= pd.Timestamp(settled_on))
    fired = pd.DataFrame({"deal_id": deals["deal_id"], "fired_on": day})[alive]
    row = _row(followed(ended_by(deals, fired, "plateau"), settled_on), "plateau", age, age + 1)
    return {**_and_later(row, deals, fired, settled_on), "stated": False}
