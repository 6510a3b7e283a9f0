"""When a deal that went quiet comes back: what is heard of it next, and when."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from analytics.estimators.cell_deals import with_watched
from analytics.estimators.counts import count_events
from analytics.estimators.incidence import cumulative_incidence
from analytics.estimators.lacking import lacking
from analytics.estimators.result import Estimate, Finding
from analytics.estimators.watched import accounts_of, has_accounts, reach, without_account
from analytics.questions.no_decision.by_rule import since_firing
from analytics.questions.no_decision.firing import Firings
from analytics.questions.no_decision.followed import cannot_tell

QUIET_DAYS = 60
FOLLOWED_DAYS = 180
FEW = 5
NEXT = ("heard_again", "won", "lost", "no_decision", "unknown")


def quiet_days(firings: Firings) -> int | None:
    """Give the days of silence after which a deal is called quiet: the params' own, else 60; None without activities.

    Examples
    --------
    >>> quiet_days(Firings(pd.DataFrame(), {"silent": (30, 60, 90)}, {"silent": 90}))
    90
    """
    if "silent" not in firings.grid:
        return None
    return firings.stated.get("silent", QUIET_DAYS)


def comes_back(deals: pd.DataFrame, firings: Firings, *, settled_on: dt.date) -> Estimate | Finding:
    """What happens next to a deal that went quiet: is it heard of again, won, lost or given up, and when?

    Parameters
    ----------
    deals : pandas.DataFrame
        First episodes under declared rules.
    firings : Firings
        From `firings`; the silence of the params, or 60 days, makes a deal quiet.
    settled_on : datetime.date
        Deals are followed up to this day.

    Returns
    -------
    Estimate or Finding
        Kind incidence, keys (outcome, time) with outcomes heard_again, won, lost, no_decision and, where there are
        any, unknown (recorded without anything heard before), and days since the deal went quiet; `quiet_days`. A
        Finding without activities or where fewer than five deals went quiet.

    Notes
    -----
    The first of the four counts: a closing is often entered without an activity beside it. It describes deals that
    went quiet for so long; deals that sellers write to again differ from the others.

    Examples
    --------
    >>> comes_back(pd.DataFrame(), Firings(pd.DataFrame(), {}, {}), settled_on=dt.date(2025, 1, 1)).verdict
    'not studied'
    """
    days = quiet_days(firings)
    if days is None:
        return lacking("comes_back", "when a deal that went quiet comes back", "activities")
    fired = firings.of("silent", days)
    ended = since_firing(deals, fired, settled_on)
    heard = (ended["deal_id"].map(fired.set_index("deal_id")["heard_on"]) - ended["fired_on"]).dt.days
    first = heard.notna() & (heard <= ended["exit"])
    outcome = ended["outcome"].astype(object).mask(first, "heard_again")
    next_ = ended.assign(exit=heard.where(first, ended["exit"]).astype("int64"), outcome=outcome)
    next_ = next_[next_["exit"] > next_["entry"]]  # what was heard before a deal was watched cannot be seen next
    if len(next_) < FEW:
        return cannot_tell("comes_back", f"Fewer than {FEW} deals went quiet for {days} days, so nothing can be told.")
    outcomes = NEXT if (outcome == "unknown").any() else NEXT[:-1]
    cluster = "account_id" if has_accounts(next_) else None
    risk = count_events(next_, outcomes=outcomes, cluster=cluster, unknown="bounds")
    last = reach(next_, FOLLOWED_DAYS)
    curve = cumulative_incidence(risk, times=np.arange(last + 1.0))
    made = curve.stamped(
        estimand=f"of deals of which nothing was heard for {days} days, the share with each thing that happened next",
        n_accounts=accounts_of(next_), time_unit="days since the deal went quiet", note=without_account(next_),
    )  # fmt: skip
    return with_watched(Estimate(made.frame.assign(quiet_days=days, n_deals=risk.n_deals), made.meta), next_)
