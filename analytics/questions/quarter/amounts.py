"""The same shares weighted by amount, and the range of no decision over the rules that could define it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.bootstrap import RESAMPLING, Resampling, count_movements
from analytics.estimators.cell_deals import ids_of, members_apart, with_deals, with_watched
from analytics.estimators.period_incidence import at_horizon, nobody_at_risk
from analytics.estimators.rates import account_codes
from analytics.estimators.result import Estimate, Finding, Meta
from analytics.estimators.watched import at_risk_in, has_accounts, last_day, not_studied, reach
from analytics.questions.quarter.definitions import amount_coverage
from analytics.questions.quarter.ledger import single_currency
from analytics.records.calendar import Quarter
from analytics.records.contract import OUTCOMES

RULE_WORDS = {
    "declared": "declared by reason code", "silent": "or silent for too long",
    "pushed": "or past due and pushed again and again", "aged": "or older than the stated age",
}  # fmt: skip


def value_weighted(
    deals: pd.DataFrame,
    quarter: Quarter,
    *,
    settled_on: dt.date,
    horizon_days: int,
    resampling: Resampling = RESAMPLING,
) -> Estimate | Finding:
    """What share of the money would be won, lost, or end in no decision by the horizon, at this quarter's pace?

    Parameters
    ----------
    deals : pandas.DataFrame
        Deals frame, first episodes, amounts in one currency.
    quarter, settled_on, horizon_days
        As for `period_at_horizon`.
    resampling : Resampling
        Whole accounts.

    Returns
    -------
    Estimate or Finding
        Kind probability, keys (outcome,), with "open". `count_estimate` beside it, `largest_deal_share` of the amount
        at risk, `amount`, `currency`, `n_deals`, `n_accounts`, `meaningful` with `note`. A Finding without amounts, or
        with several currencies.

    Notes
    -----
    A weight of one large deal makes it one deal's story: read `largest_deal_share`. Deals with amount 0 or none do not
    count; where that is most deals of an outcome the result is marked as not meaningful. Percentile limits, widened
    where needed to hold the estimate; a resample does not invent a large deal that was not there.

    References
    ----------
    Davison & Hinkley 1997, section 3.8.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": list("abc"), "account_id": list("abc"), "currency": "USD", "entry": -1,
    ...     "opened_on": pd.Timestamp("2025-10-01"), "exit": [10, 20, 91], "outcome": ["won", "lost", "open"],
    ...     "amount": [20.0, 10.0, 10.0]})
    >>> quarter = Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))
    >>> value_weighted(deals, quarter, settled_on=quarter.end, horizon_days=30).frame["estimate"].tolist()
    [0.5, 0.25, 0.0, 0.25]
    """
    watched = at_risk_in(deals, quarter, last_day(quarter, settled_on), horizon_days=horizon_days)
    if not len(watched):
        return nobody_at_risk("value_weighted", quarter, settled_on)
    if not single_currency(watched):
        return not_studied("value_weighted", "Amounts are in several currencies.", "Set currency.report_in.")
    amount = watched["amount"].astype(float).fillna(0.0).clip(lower=0.0)
    if not amount.sum() > 0:
        return not_studied("value_weighted", "No deal at risk in the quarter carries an amount.", "Map its column.")
    age = reach(watched, horizon_days)
    meaningful, note = amount_coverage(watched["outcome"], amount)
    counts = at_horizon(watched, age).frame.set_index("outcome")
    rows = _weighted_rows(watched, amount, age, resampling)
    kept = watched[amount > 0]
    currency = kept["currency"].dropna()
    n_accounts = account_codes(kept["account_id"])[1] if has_accounts(kept) else None
    frame = pd.DataFrame(rows)
    by_age = kept.loc[(kept["exit"] <= age) & (kept["outcome"] != "open"), "outcome"].value_counts()
    frame = frame.assign(
        count_estimate=frame["outcome"].map(counts["estimate"]).fillna(0.0),
        n_event=frame["outcome"].map(by_age).fillna(0).astype(int),
        n_risk=len(kept), n_deals=len(kept), n_accounts=n_accounts,
        largest_deal_share=float(amount.max() / amount.sum()), amount=float(amount.sum()), horizon_reached=age,
        currency=str(currency.iloc[0]) if len(currency) else None, meaningful=meaningful, note=note,
    )  # fmt: skip
    estimand = "share of the amount that would end this way by the horizon at this quarter's pace"
    meta = Meta(
        kind="probability", estimand=estimand, keys=("outcome",), n_deals=len(kept), n_accounts=n_accounts,
        interval="percentile",
        conf_level=resampling.conf_level, variance=f"whole-account bootstrap, {resampling.reps} resamples", note=note,
        cluster="account_id" if has_accounts(kept) else None,
    )  # fmt: skip
    return with_deals(with_watched(Estimate(frame, meta), kept), n_risk=[ids_of(kept)] * len(frame))


def _weighted_rows(watched: pd.DataFrame, amount: pd.Series, age: int, resampling: Resampling) -> list[dict[str, Any]]:
    spells: dict[str, Any] = {name: watched[name].to_numpy() for name in ("entry", "exit", "outcome")}
    spells["weight"] = amount.to_numpy(dtype=float) / float(amount.max())
    spells["group"], spells["opening"] = np.zeros(len(watched), dtype=np.int64), np.zeros(len(watched))
    spells["cluster"] = account_codes(watched["account_id"])[0]
    table = count_movements(spells, pool_of=(0,), causes=OUTCOMES, horizon=age)
    seen, drawn = table.observed().pool[0, 0], table.replicates(reps=resampling.reps, seed=resampling.seed).pool[:, 0]
    seen, drawn = np.append(seen, 1 - seen.sum()), np.column_stack([drawn, 1 - drawn.sum(axis=1)])
    tails = [0.5 - resampling.conf_level / 2, 0.5 + resampling.conf_level / 2]
    rows = []
    for k, name in enumerate((*OUTCOMES, "open")):
        estimate, error = float(np.clip(seen[k], 0, 1)), float(drawn[:, k].std(ddof=1))
        if name == "unknown" and estimate == 0:
            continue
        low, high = (float(np.clip(value, 0, 1)) for value in np.quantile(drawn[:, k], tails))
        known = error > 1e-12
        rows.append({
            "outcome": name, "estimate": estimate, "std_error": error if known else np.nan,
            "conf_low": min(low, estimate) if known else np.nan, "conf_high": max(high, estimate) if known else np.nan,
            "no_interval_reason": "" if known else "it is the same in every resample",
        })  # fmt: skip
    return rows


def no_decision_range(
    deals_by_rule: Mapping[str, pd.DataFrame], quarter: Quarter, *, settled_on: dt.date, horizon_days: int
) -> Estimate | Finding:
    """How many deals would end in no decision, by the CRM's own word and under each rule that could stand for it?

    Parameters
    ----------
    deals_by_rule : mapping of str to frame
        Deals frames, first episodes: "declared" (reason codes alone), then one per inferred rule with the declared
        ones.
    quarter, settled_on, horizon_days
        As for `period_at_horizon`.

    Returns
    -------
    Estimate or Finding
        Kind probability, keys (rule,). `label`, `n_event` (no decisions by the horizon), `n_deals`, `n_accounts`,
        `horizon_reached`, `fired` (deals ended by that rule), `later_won` (of those, won by the CRM's own word since),
        `note`.

    Notes
    -----
    Declared is the floor. A rule ends deals that the CRM still calls open; how many of them were later won says how
    wrong it can be, and more may follow.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": list("abc"), "opened_on": pd.Timestamp("2025-10-01"), "entry": -1,
    ...     "exit": [10, 20, 91], "outcome": ["won", "no_decision", "open"],
    ...     "no_decision_kind": [None, "declared", None]})
    >>> quarter = Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))
    >>> found = no_decision_range({"declared": deals}, quarter, settled_on=quarter.end, horizon_days=30)
    >>> found.frame["estimate"].round(3).tolist()
    [0.333]
    """
    rows = []
    declared = deals_by_rule.get("declared")
    order = [*RULE_WORDS, *sorted(set(deals_by_rule) - set(RULE_WORDS))]
    for rule in [name for name in order if name in deals_by_rule]:
        watched = at_risk_in(deals_by_rule[rule], quarter, last_day(quarter, settled_on), horizon_days=horizon_days)
        if len(watched):
            row: dict[Any, Any] = at_horizon(watched, horizon_days).at(outcome="no_decision").iloc[0].to_dict()
            fired, members = _fired(deals_by_rule[rule], declared, rule)
            ended = watched[(watched["outcome"] == "no_decision") & (watched["exit"] <= row["horizon_reached"])]
            still = watched[(watched["entry"] < row["horizon_reached"]) & (watched["exit"] >= row["horizon_reached"])]
            members |= {"n_event": ids_of(ended), "n_deals": ids_of(watched), "n_risk": ids_of(still)}
            rows.append({**row, "rule": rule, "label": RULE_WORDS.get(rule, rule), **fired, "members": members})
    if not rows:
        return nobody_at_risk("no_decision_range", quarter, settled_on)
    rows, lists = members_apart(rows)
    frame = pd.DataFrame(rows).drop(columns=["outcome"])
    n_accounts = frame["n_accounts"].iloc[0]
    meta = Meta(
        kind="probability", estimand="share of deals that would end in no decision by the horizon",
        keys=("rule",), n_deals=int(frame["n_deals"].iloc[0]), n_accounts=None if pd.isna(n_accounts) else
        int(n_accounts), interval="log-log", variance="by account where known",
    )  # fmt: skip
    return with_deals(Estimate(frame, meta), **lists)


def _fired(deals: pd.DataFrame, declared: pd.DataFrame | None, rule: str) -> tuple[dict[str, int], dict[str, Any]]:
    """Count the deals that a rule ended, and those of them that were won since; and name both."""
    ended = deals.loc[deals["no_decision_kind"] == rule]
    if rule == "declared" or declared is None:
        return {"fired": len(ended), "later_won": 0}, {"fired": ids_of(ended), "later_won": []}
    won = declared.loc[declared["outcome"] == "won", "deal_id"]
    later = ended[ended["deal_id"].isin(won)]
    return {"fired": len(ended), "later_won": len(later)}, {"fired": ids_of(ended), "later_won": ids_of(later)}
