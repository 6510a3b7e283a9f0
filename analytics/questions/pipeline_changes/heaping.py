"""Heaping: how many expected close dates are the last day of a month or a quarter, where few days are."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from analytics.estimators.cell_deals import ids_of, members_apart, with_deals
from analytics.estimators.lacking import lacking
from analytics.estimators.rates import clustered_proportion, known_accounts
from analytics.estimators.result import Estimate, Finding, Meta
from analytics.estimators.watched import has_accounts
from analytics.questions.pipeline_changes.pipeline import Pipeline
from analytics.questions.pipeline_changes.statements import dates_stated
from analytics.records.calendar import FiscalCalendar

DAYS = {
    "quarter": "the last day of a quarter",
    "month": "the last day of another month",
    "other": "any other day",
}


def heaping(pipeline: Pipeline, calendar: FiscalCalendar, *, conf_level: float = 0.95) -> Estimate | Finding:
    """How many of the close dates stated in the window are the last day of a month or quarter?

    Parameters
    ----------
    pipeline : Pipeline
        From `pipeline_between`.
    calendar : FiscalCalendar
        The company's fiscal calendar. Where the last day falls on a weekend, the Friday before counts too.
    conf_level : float
        Of the intervals.

    Returns
    -------
    Estimate or Finding
        Kind probability, keys (item,): quarter, month, other; estimate (share of the dates stated), share_of_days (what
        it would be if every day were as likely: the share of the days of the year around the quarter), n_event, n_risk
        (dates), n_deals, n_accounts, label. Account-clustered. A Finding where no date was stated.

    Notes
    -----
    A heaped date is a date that was not thought about, or one that a buyer's budget sets: the share does not tell
    which. Deals state several dates; all count, and accounts carry the uncertainty.

    Examples
    --------
    >>> from analytics.questions.pipeline_changes.example import one_deal
    >>> pipeline = one_deal("pushed")
    >>> heaping(pipeline, FiscalCalendar()).frame[["item", "estimate"]].values.tolist()
    [['quarter', 1.0], ['month', 0.0], ['other', 0.0]]
    """
    if pipeline.lacks:
        return lacking("heaping", "whether expected close dates heap on period ends", *pipeline.lacks)
    said = dates_stated(pipeline)
    first, last = pd.Timestamp(pipeline.start), pd.Timestamp(pipeline.end)
    said = said[(said["on"] > first) & (said["on"] <= last)]
    if not len(said):
        headline = f"No expected close date was stated in {pipeline.quarter.name}."
        return Finding("heaping", headline, "", "not studied")
    kinds = {day: kind_of_day(day.date(), calendar) for day in said["expected"].unique()}
    kind = said["expected"].map(kinds)
    year = [calendar.shift(pipeline.quarter, n) for n in range(4)]
    days = [day.date() for day in pd.date_range(year[0].start, year[-1].end)]
    even = pd.Series([kind_of_day(day, calendar) for day in days]).value_counts(normalize=True)
    cluster = said["account_id"] if has_accounts(said) else said["deal_id"]
    rows = []
    for name, label in DAYS.items():
        found = clustered_proportion((kind == name).to_numpy(dtype=float), cluster=cluster, conf_level=conf_level)
        share = float(even.get(name, 0.0))
        rows.append({"item": name, "label": label, **found._asdict(), "n_event": int((kind == name).sum())} | {
            "n_risk": len(said), "n_deals": int(said.loc[kind == name, "deal_id"].nunique()), "share_of_days": share,
            "members": {"n_event": ids_of(said[kind == name]), "n_risk": ids_of(said),
                        "n_deals": ids_of(said[kind == name].drop_duplicates("deal_id"))},
        })  # fmt: skip
    accounts = known_accounts(said["account_id"]) if has_accounts(said) else None
    meta = Meta(
        kind="probability", keys=("item",), n_deals=int(said["deal_id"].nunique()), n_accounts=accounts,
        conf_level=conf_level, interval="Wilson", cluster="account_id" if has_accounts(said) else "deal_id",
        estimand=f"share of the {len(said):,} expected close dates stated in {pipeline.quarter.name} (first dates and "
        "changes) that are such a day; where a period ends on a weekend, the Friday before counts too",
    )  # fmt: skip
    rows, lists = members_apart(rows)
    return with_deals(Estimate(pd.DataFrame(rows), meta), **lists)


def kind_of_day(day: dt.date, calendar: FiscalCalendar) -> str:
    """Say whether a day ends a fiscal quarter, another month of it, or neither.

    Examples
    --------
    >>> [kind_of_day(dt.date(2025, 8, n), FiscalCalendar()) for n in (28, 29, 31)]
    ['other', 'month', 'month']
    """
    quarter = calendar.quarter_of(day)
    for _, end in calendar.months(quarter):
        weekend = end.weekday() - 4 if end.weekday() > 4 else 0
        if day in (end, end - dt.timedelta(days=weekend)):
            return "quarter" if end == quarter.end else "month"
    return "other"
