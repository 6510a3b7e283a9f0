"""The usual traps of CRM exports, counted; and whether silence in these records means anything."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import numpy as np
import pandas as pd

from analytics.estimators.rates import account_codes
from analytics.estimators.result import Estimate, Finding, Listing, Meta
from analytics.estimators.sentences import count, outcome_words
from analytics.questions.data_health.fields import proportion_row


def traps(ledger_deals: pd.DataFrame, attrition: pd.DataFrame | None = None, *, as_of: dt.date) -> Listing | Finding:
    """Which of the usual traps of CRM exports are in these records, and how often?

    Parameters
    ----------
    ledger_deals : pandas.DataFrame
        Deals frame, all episodes.
    attrition : pandas.DataFrame, optional
        step, rule, deals, remaining: deals left out for dates that cannot be are counted from it.
    as_of : datetime.date
        The as-of date.

    Returns
    -------
    Listing or Finding
        trap, deals, of, words. A trap with no deal stays in the table: that is news as well.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": ["a"], "account_id": ["x"], "outcome": ["lost"], "amount": 0.0, "reason": None,
    ...     "expected_close_on": [pd.NaT], "born_closed": [False], "reopened": [False]})
    >>> found = traps(deals, as_of=dt.date(2025, 12, 31)).frame
    >>> found.loc[found["deals"] > 0, "words"].tolist()
    ['1 of 1 lost deal', '1 of 1 lost or undecided deal']
    """
    if not len(ledger_deals):
        return Finding("traps", "There are no deals to check for traps.", "", "not studied")
    rows = []
    for name, caught, among in _trap_rows(ledger_deals, as_of):
        kind = "lost or undecided deal" if name.startswith("lost or") else "deal"
        kind = f"{name.partition(',')[0]} deal" if name.endswith("0 or missing") else kind
        n, of = int(caught.sum()), int(among.sum())
        rows.append((name, n, of, f"{n:,} of {count(of, kind)}" if n else "none"))
    dates = ("no opening date", "opened after the as-of date", "closed before it was opened")
    if attrition is not None:
        for rule in dates:
            n = int(attrition.loc[attrition["rule"] == rule, "deals"].abs().sum())
            rows.append(
                (f"{rule} (left out)", n, n + len(ledger_deals), f"{count(n, 'deal')} left out" if n else "none")
            )
    return Listing(pd.DataFrame(rows, columns=["trap", "deals", "of", "words"]), "Traps looked for")


def activity_coverage(
    ledger_deals: pd.DataFrame, activities: pd.DataFrame | None, *, days: int = 30, as_of: dt.date | None = None
) -> Estimate | Finding:
    """Is silence worth reading: what share of closed deals has an activity on record shortly before closing?

    Parameters
    ----------
    ledger_deals : pandas.DataFrame
        Deals frame, all episodes.
    activities : pandas.DataFrame or None
        deal_id, occurred_on (the side table as known at as-of), `side` where it is recorded. Where any of them is the
        buyer's, only the buyer's count, as they do for the silence rule.
    days : int
        How long before closing counts.
    as_of : datetime.date, optional
        Leave out activities recorded later (`recorded_on`); give it wherever the table holds more than was known.

    Returns
    -------
    Estimate or Finding
        Kind probability, keys (outcome,): won first, then lost and no decision; `label`, `n_deals`, `n_accounts`. A
        Finding without an activities table, or without closed deals.

    Notes
    -----
    Won deals were worked on until they closed: where few of them show it, silence means that nothing was recorded.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": ["a", "b"], "account_id": ["x", "y"], "outcome": "won",
    ...     "closed_on": pd.to_datetime(["2025-12-01", "2025-12-01"])})
    >>> activities = pd.DataFrame({"deal_id": ["a"], "occurred_on": pd.to_datetime(["2025-11-20"])})
    >>> activity_coverage(deals, activities).frame["estimate"].tolist()
    [0.5]
    """
    name = "activity_coverage"
    if activities is None or not len(activities):
        action = "Add the activities table (Task in Salesforce) to use silence."
        return Finding(name, "Whether silence means anything is not known.", action, "not studied")
    activities, what = _counted(activities, as_of)
    closed = ledger_deals[ledger_deals["outcome"].isin(["won", "lost", "no_decision"])].reset_index(drop=True)
    if not len(closed):
        return Finding(name, "No deal has closed, so coverage by activities is not known.", "", "not studied")
    pairs = closed[["deal_id", "closed_on"]].reset_index().merge(activities[["deal_id", "occurred_on"]], on="deal_id")
    before = (pd.to_datetime(pairs["closed_on"]) - pd.to_datetime(pairs["occurred_on"])).dt.days
    covered = np.isin(closed.index, pairs.loc[(before >= 0) & (before <= days), "index"])
    known = "account_id" in closed and bool(closed["account_id"].notna().any())
    rows = []
    for outcome in ("won", "lost", "no_decision"):
        inside = (closed["outcome"] == outcome).to_numpy()
        if inside.any():
            row = proportion_row(pd.Series(covered[inside]), closed.loc[inside, "account_id"] if known else None)
            label = f"{outcome_words(outcome)} deals with {what} in the {days} days before closing"
            rows.append({"outcome": outcome, **row, "label": label, "n_deals": row["n_risk"]})
    meta = Meta(
        kind="probability", estimand=f"share of closed deals with {what} in the {days} days before closing",
        keys=("outcome",), n_deals=len(closed), n_accounts=account_codes(closed["account_id"])[1] if known else None,
        interval="Wilson", variance="between accounts" if known else "binomial",
        cluster="account_id" if known else None,
    )  # fmt: skip
    return Estimate(pd.DataFrame(rows), meta)


def _counted(activities: pd.DataFrame, as_of: dt.date | None) -> tuple[pd.DataFrame, str]:
    """Return the activities that end a silence, of those known at the as-of date, and what to call one of them."""
    if as_of is not None and "recorded_on" in activities:
        known_on = pd.to_datetime(activities["recorded_on"]).fillna(pd.to_datetime(activities["occurred_on"]))
        activities = activities[known_on <= pd.Timestamp(as_of)]
    if "side" in activities:
        by_buyer = activities["side"].astype(object).fillna("").astype(str).str.strip().str.lower() == "buyer"
        if by_buyer.any():
            return activities[by_buyer], "an activity of the buyer"
    return activities, "an activity"


def _trap_rows(deals: pd.DataFrame, as_of: dt.date) -> Iterable[tuple[str, pd.Series, pd.Series]]:
    everything = deals["outcome"].notna()
    closed, open_ = deals["outcome"] != "open", deals["outcome"] == "open"
    empty = ~(deals["amount"].astype(float) > 0)
    late = pd.to_datetime(deals["expected_close_on"]) < pd.Timestamp(as_of)
    yield "already closed when first recorded", deals["born_closed"].astype(bool), everything
    yield "re-opened after closing", deals["reopened"].astype(bool), closed
    yield "closed, outcome not recorded", deals["outcome"] == "unknown", closed
    yield "open past its expected close date", late & open_, open_
    for name in ("won", "lost", "no_decision"):
        yield (
            f"{outcome_words(name)}, amount 0 or missing",
            (deals["outcome"] == name) & empty,
            deals["outcome"] == name,
        )
    yield "amount below 0", deals["amount"].astype(float) < 0, everything
    yield "no account", deals["account_id"].isna(), everything
    lost = deals["outcome"].isin(["lost", "no_decision"])
    yield "lost or no decision without a reason", lost & deals["reason"].isna(), lost
