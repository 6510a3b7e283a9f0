"""Whether silence in these records means anything: activities before closing."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from analytics.estimators.cell_deals import ids_of, members_apart, with_deals
from analytics.estimators.rates import account_codes, clustered_proportion
from analytics.estimators.result import Estimate, Finding, Meta
from analytics.estimators.sentences import outcome_words
from analytics.estimators.watched import OUTCOMES, has_accounts


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
    Wilson limits by account (`clustered_proportion`; Korn & Graubard 1998, Survey Methodology 24:193), accounts taken
    as independent.

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
    closed = ledger_deals[ledger_deals["outcome"].isin(OUTCOMES)].reset_index(drop=True)
    if not len(closed):
        return Finding(name, "No deal has closed, so coverage by activities is not known.", "", "not studied")
    pairs = closed[["deal_id", "closed_on"]].reset_index().merge(activities[["deal_id", "occurred_on"]], on="deal_id")
    before = (pd.to_datetime(pairs["closed_on"]) - pd.to_datetime(pairs["occurred_on"])).dt.days
    covered = np.isin(closed.index, pairs.loc[(before >= 0) & (before <= days), "index"])
    known = has_accounts(closed)
    rows = []
    for outcome in OUTCOMES:
        inside = (closed["outcome"] == outcome).to_numpy()
        if inside.any():
            hits, accounts = covered[inside].astype(float), closed.loc[inside, "account_id"] if known else None
            row = clustered_proportion(hits, cluster=accounts)._asdict()
            row |= {"n_event": int(hits.sum()), "n_risk": len(hits), "n_deals": len(hits)}
            row["n_accounts"] = None if accounts is None else account_codes(accounts)[1]
            label = f"{outcome_words(outcome)} deals with {what} in the {days} days before closing"
            everyone, active = ids_of(closed[inside]), ids_of(closed[inside & covered])
            members = {"n_event": active, "n_risk": everyone, "n_deals": everyone}
            rows.append({"outcome": outcome, **row, "label": label, "members": members})
    rows, lists = members_apart(rows)
    meta = Meta(
        kind="probability", estimand=f"share of closed deals with {what} in the {days} days before closing",
        keys=("outcome",), n_deals=len(closed), n_accounts=account_codes(closed["account_id"])[1] if known else None,
        interval="Wilson", variance="between accounts" if known else "binomial",
        cluster="account_id" if known else None,
    )  # fmt: skip
    return with_deals(Estimate(pd.DataFrame(rows), meta), **lists)


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
