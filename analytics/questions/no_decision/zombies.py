"""Open deals that a rule would call dead, each with its chance of being recorded won."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.cell_deals import ids_of, members_apart, with_deals
from analytics.estimators.rates import clustered_proportion
from analytics.estimators.result import Estimate, Finding, Listing, Meta
from analytics.estimators.sentences import MANY, share_with_interval
from analytics.estimators.watched import accounts_of, not_studied
from analytics.questions.no_decision.landmarks import Landmarks, chances, standing
from analytics.records.contract import History
from analytics.records.rules import OutcomeRules

LATE_SHARE = 0.99
SHOWN = ("deal_id", "account_id", "owner_id", "stage", "opened_on", "age_days", "silent_days", "pushes",
         "expected_close_on", "amount", "currency", "why", "chance", "chance_low", "chance_high")  # fmt: skip

BRIEFLY = ("deal_id", "stage", "age_days", "silent_days", "pushes", "amount", "currency", "why", "chance")


@dataclass(frozen=True)
class Marks:
    """What marks an open deal: days silent, pushes (and past due), age in days; None where it is not looked at."""

    silent_days: int | None = None
    pushed_times: int | None = None
    older_than_days: int | None = None
    stated: bool = True

    def of(self, frame: pd.DataFrame) -> dict[str, pd.Series[bool]]:
        """Say which rows bear each mark; those that the frame does not know are left out."""
        rules = {"silent": ("silent_days", self.silent_days, 0), "pushed": ("pushes", self.pushed_times, 0),
                 "aged": ("age_days", self.older_than_days, 1)}  # fmt: skip
        return {
            rule: frame[column] >= least + more
            for rule, (column, least, more) in rules.items()
            if least is not None and column in frame
        }

    def words(self, rule: str) -> str:
        """Say a mark in words."""
        words = {"silent": f"silent for {self.silent_days} days or more",
                 "pushed": f"past due and pushed {self.pushed_times} times or more".replace(" 1 times", " once"),
                 "aged": f"open for more than {self.older_than_days} days", "any": "any of these"}  # fmt: skip
        return words.get(rule, "none of these")


def marks(deals: pd.DataFrame, rules: OutcomeRules) -> Marks:
    """Which marks are looked for: those of the params, else an age that 99 of 100 wins did not reach.

    Examples
    --------
    >>> marks(pd.DataFrame({"outcome": ["won"] * 20, "exit": range(20)}), OutcomeRules()).older_than_days
    19
    """
    if rules.inferred_kinds:
        return Marks(rules.silent_days, rules.pushed_times, rules.older_than_days)
    won = deals.loc[deals["outcome"] == "won", "exit"]
    age = int(np.ceil(won.quantile(LATE_SHARE))) if len(won) >= 20 else None
    return Marks(older_than_days=age, stated=False)


def zombies(
    deals: pd.DataFrame, history: History, found: Landmarks | Finding, *, rules: OutcomeRules, as_of: dt.date
) -> Listing | Finding:
    """Which open deals would a rule call dead, and with what chance is each recorded won all the same?

    Parameters
    ----------
    deals : pandas.DataFrame
        First episodes under declared rules, as known at `as_of`.
    history : History
        Frames, for silence and pushes.
    found : Landmarks or Finding
        From `landmarks`; where it is a Finding the list has no chances.
    rules : OutcomeRules
        Its thresholds mark a deal.
    as_of : datetime.date
        The day of the list.

    Returns
    -------
    Listing or Finding
        Private: its rows are deals. `SHOWN`, the deals with the largest amounts first. A Finding where no open deal
        bears a mark.

    Notes
    -----
    Silence is counted in whole weeks. The chance is of being *recorded* won within the days, by deals that stood alike;
    it says nothing about what working on the deal, or leaving it, would do.

    Examples
    --------
    >>> zombies(pd.DataFrame({"outcome": ["won"], "exit": [3]}), History(table=None), not_studied("x", "x"),
    ...         rules=OutcomeRules(), as_of=dt.date(2025, 1, 1)).verdict
    'not studied'
    """
    looked = marks(deals, rules)
    if looked == Marks(stated=False):
        return not_studied("zombies", "No rule says when an open deal looks dead.", "Set one under rules.")
    now = standing(deals, history, as_of=as_of)
    flags = borne(now, looked, as_of)
    any_ = pd.DataFrame(flags, index=now.index).any(axis=1)
    if not any_.any():
        return not_studied("zombies", "No open deal bears a mark of a dead one.", f"{len(now):,} deals are open.")
    listed = now[any_]
    why = pd.Series("", index=listed.index)
    for rule, bearing in flags.items():
        both = why.where(why == "", why + ", ") + looked.words(rule)
        why = why.where(~bearing[any_], both)
    listed = listed.assign(why=why)
    if isinstance(found, Landmarks):
        listed = listed.join(chances(found, listed))
    days = (
        f", and the chance of being recorded won within {found.within_days} days"
        if isinstance(found, Landmarks)
        else ""
    )
    columns = [name for name in SHOWN if name in listed]
    order = listed.sort_values(["amount", "deal_id"], ascending=[False, True], na_position="last", kind="stable")
    return Listing(order[columns].reset_index(drop=True), f"Open deals that look dead{days}", private=True)


def zombie_chances(
    deals: pd.DataFrame, history: History, found: Landmarks | Finding, *, rules: OutcomeRules, as_of: dt.date
) -> Estimate | Finding:
    """How often were deals that bore a mark recorded won within the days, and how many bear it today?

    Parameters
    ----------
    deals, history, found, rules, as_of
        As for `zombies`.

    Returns
    -------
    Estimate or Finding
        Kind probability, keys (rule,): "silent", "pushed", "aged" as far as they are looked for, "any", and "none";
        `label`, `n_open` (deals that bear it today), `n_deals` (deals behind it in the past), `n_event` (of those, won
        within the days of a moment), `n_moments`, `amount_open`. A Finding where it cannot be told.

    Notes
    -----
    Moments of one deal are alike, so the interval is by account. In the past "pushed" does not ask for past due.

    Examples
    --------
    >>> zombie_chances(pd.DataFrame({"outcome": ["won"], "exit": [3]}), History(table=None), not_studied("x", "x"),
    ...                rules=OutcomeRules(), as_of=dt.date(2025, 1, 1)).verdict
    'not studied'
    """
    if isinstance(found, Finding):
        return found
    looked = marks(deals, rules)
    if looked == Marks(stated=False):
        return not_studied("zombie_chances", "No rule says when an open deal looks dead.", "Set one under rules.")
    now, past = standing(deals, history, as_of=as_of), found.moments
    today, then = borne(now, looked, as_of), looked.of(past)
    for flags in (today, then):
        any_ = pd.DataFrame(flags).any(axis=1)
        flags |= {"any": any_, "none": ~any_} if len(flags) > 1 else {"none": ~any_}
    rows: list[dict[str, Any]] = []
    for rule in [name for name in then if then[name].any()]:
        moments = past[then[rule]]
        share = clustered_proportion(moments["d_won"].astype(float), cluster=moments["account"])
        once = moments.drop_duplicates("deal_id")
        won = moments[moments["d_won"] == 1].drop_duplicates("deal_id")
        rows.append({
            "rule": rule, "label": looked.words(rule), "estimate": share[0], "std_error": share[1],
            "conf_low": share[2], "conf_high": share[3], "n_open": int(today[rule].sum()),
            "n_deals": len(once), "n_event": len(won), "n_moments": len(moments),
            "members": {"n_open": ids_of(now[today[rule]]), "n_deals": ids_of(once), "n_event": ids_of(won)},
            "amount_open": float(now.loc[today[rule], "amount"].sum()) if "amount" in now else np.nan,
        })  # fmt: skip
    meta = Meta(
        kind="probability", keys=("rule",), n_deals=int(past["deal_id"].nunique()), interval="Wilson",
        estimand=f"of deals that stood so at some time, the share recorded won within {found.within_days} days",
        n_accounts=accounts_of(deals[deals["deal_id"].isin(past["deal_id"])]), variance="by account",
        cluster="account_id",
    )  # fmt: skip
    rows, lists = members_apart(rows)
    return with_deals(Estimate(pd.DataFrame(rows), meta), **lists)


def largest(listing: Listing | Finding, rows: int = 12) -> Listing | Finding:
    """Give the first rows of a list of deals, to be shown; the whole of it is in the file beside the report.

    Examples
    --------
    >>> deals = Listing(pd.DataFrame({"deal_id": list("abc"), "amount": [9.0, 5.0, 1.0]}), "Open deals", private=True)
    >>> largest(deals, rows=2).title
    'Open deals: the 2 largest of 3'
    """
    if isinstance(listing, Finding):
        return listing
    frame = listing.frame.head(rows)
    if "chance" in frame:
        chance = zip(frame["chance"], frame["chance_low"], frame["chance_high"], strict=True)
        frame = frame.assign(chance=[share_with_interval(*each, MANY) for each in chance])
    title = (
        listing.title
        if len(listing.frame) <= rows
        else f"{listing.title}: the {rows} largest of {len(listing.frame):,}"
    )
    return Listing(frame[[name for name in BRIEFLY if name in frame]], title, private=listing.private)


def borne(now: pd.DataFrame, looked: Marks, as_of: dt.date) -> dict[str, pd.Series[bool]]:
    """Say which open deals bear each mark; "pushed" asks for past due as well."""
    flags = looked.of(now)
    if "pushed" in flags:
        flags["pushed"] &= pd.to_datetime(now["expected_close_on"]) < pd.Timestamp(as_of)
    return flags
