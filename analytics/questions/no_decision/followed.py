"""Deals followed up to the settled date, and the share of them that ended in each way by an age."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd

from analytics.estimators.bounds import incidence_bounds
from analytics.estimators.counts import RiskTable
from analytics.estimators.incidence import cumulative_incidence
from analytics.estimators.result import Finding
from analytics.records.period import restrict_to_period


def followed(deals: pd.DataFrame, settled_on: dt.date) -> pd.DataFrame:
    """Give the deals as followed up to the settled date: what closed later counts as open.

    Examples
    --------
    >>> deals = pd.DataFrame({"opened_on": [pd.Timestamp("2025-01-01")], "entry": [-1], "exit": [90],
    ...                       "outcome": ["won"]})
    >>> followed(deals, dt.date(2025, 1, 31))[["exit", "outcome"]].values.tolist()
    [[30, 'open']]
    """
    return restrict_to_period(deals, end=settled_on)


def share_at(risk: RiskTable, age: int, outcome: str = "no_decision") -> dict[str, Any]:
    """Read the share with one outcome by an age: estimate, interval (bounds where outcomes are unknown), counts."""
    curve = incidence_bounds(risk, times=[age]) if "unknown" in risk.outcomes else cumulative_incidence(
        risk, times=[age]
    )  # fmt: skip
    found = curve.at(outcome=outcome)
    row = {} if not len(found) else {str(name): value for name, value in found.iloc[0].items()}
    row.pop("outcome", None), row.pop("time", None)
    return {**row, "n_event": row.get("cum_event", 0), "n_deals": risk.n_deals, "n_accounts": risk.n_accounts}


def cannot_tell(name: str, headline: str, detail: str = "") -> Finding:
    """Say in one sentence that the records are too few or too uneven to tell."""
    return Finding(name, headline, detail, "cannot tell")
