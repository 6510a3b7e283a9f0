"""Whether silence may be read at all: only where deals that were won were heard of shortly before they closed."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pandas as pd

from analytics.estimators.activity_coverage import activity_coverage
from analytics.estimators.result import Estimate, Finding
from analytics.estimators.sentences import count, share_of
from analytics.records.contract import History

ADEQUATE = 0.5
"""Share of won deals with a sign of life in their last 30 days below which silence is a gap in the records."""


def readable_silence(
    history: History, ledger_deals: pd.DataFrame, *, as_of: dt.date
) -> tuple[History, Estimate | Finding]:
    """Does silence mean anything in these records, and which history may be asked about it?

    Parameters
    ----------
    history : History
        Frames; the activities table gives silence.
    ledger_deals : pandas.DataFrame
        Deals frame, all episodes.
    as_of : datetime.date
        Activities recorded later do not exist.

    Returns
    -------
    (History, Estimate or Finding)
        The history to go on with: without its activities where fewer than half of the won deals have one in their last
        30 days, so that nothing reads a silence that only means that nobody wrote anything down. Beside it the
        coverage by outcome (see `activity_coverage`), or why silence is not read.

    Examples
    --------
    >>> day = pd.Timestamp
    >>> deals = pd.DataFrame({"deal_id": list("abc"), "outcome": "won", "closed_on": day("2025-12-01")})
    >>> activities = pd.DataFrame({"deal_id": ["a"], "occurred_on": [day("2025-11-20")]})
    >>> recorded = History(table=None, side={"activities": activities})
    >>> kept, said = readable_silence(recorded, deals, as_of=dt.date(2026, 1, 31))
    >>> sorted(kept.side), said.verdict
    ([], 'not studied')
    """
    coverage = activity_coverage(ledger_deals, history.side.get("activities"), as_of=as_of)
    if isinstance(coverage, Finding):
        return history, coverage
    won = coverage.at(outcome="won").to_dict("records")
    if not won or float(won[0]["estimate"]) >= ADEQUATE:
        return history, coverage
    n = float(won[0]["n_deals"])
    said = (
        f"Not studied: silence. Only {share_of(won[0], n)} of {count(n, 'won deal')} have an activity on record in "
        "their last 30 days, so that silence says more of the records than of the deals."
    )
    side = {name: table for name, table in history.side.items() if name != "activities"}
    detail = "Activities on at least half of the won deals shortly before they close would make it possible."
    return replace(history, side=side), Finding("activity_coverage", said, detail, "not studied")
