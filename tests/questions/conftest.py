"""Small hand-made Deals frames: every column of the contract, closed-form answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analytics.records.calendar import Quarter
from analytics.records.contract import DEALS_COLUMNS

AS_OF = dt.date(2026, 1, 31)


@pytest.fixture(scope="session")
def q4() -> Quarter:
    return Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))


@pytest.fixture(scope="session")
def q3() -> Quarter:
    return Quarter("2025Q3", dt.date(2025, 7, 1), dt.date(2025, 9, 30))


def deals_frame(rows: list[dict[str, Any]], *, as_of: dt.date = AS_OF) -> pd.DataFrame:
    """Fill in what a row leaves out; `opened` and `closed` are ISO dates, an open deal is followed to as-of."""
    made = []
    for number, row in enumerate(rows):
        opened = pd.Timestamp(row["opened"])
        closed = pd.Timestamp(row["closed"]) if row.get("closed") else pd.NaT
        until = pd.Timestamp(as_of) if pd.isna(closed) else closed
        given = {key: value for key, value in row.items() if key not in ("opened", "closed")}
        made.append({
            "deal_id": f"d{number}", "episode": 1, "account_id": f"a{number}", "pipeline": "all", "opened_on": opened,
            "entry": -1, "exit": (until - opened).days, "outcome": "open", "closed_on": closed, "recorded_on": until,
            "no_decision_kind": "declared" if row.get("outcome") == "no_decision" else None, "status": "open",
            "stage": "Discovery", "reason": None, "expected_close_on": pd.NaT, "n_pushes": 0, "qualified_on": pd.NaT,
            "born_closed": False, "reopened": False, "amount": 100.0, "currency": "USD", "amount_original": 100.0,
            "currency_original": "USD", "owner_id": "o1", "source": "web", **given,
        })  # fmt: skip
    frame = pd.DataFrame(made, columns=[*DEALS_COLUMNS, *sorted({k for m in made for k in m} - set(DEALS_COLUMNS))])
    for column in ("opened_on", "closed_on", "recorded_on", "expected_close_on", "qualified_on"):
        frame[column] = pd.to_datetime(frame[column])
    return frame.astype({"episode": "int64", "entry": "int64", "exit": "int64", "amount": float})


@pytest.fixture(scope="session")
def make_deals() -> Callable[..., pd.DataFrame]:
    return deals_frame


def random_company(seed: int, n: int = 400, accounts: int = 150) -> pd.DataFrame:
    """A company with every outcome, segments, amounts and re-openings, opened over two years."""
    rng = np.random.default_rng(seed)
    opened = pd.Timestamp("2024-01-15") + pd.to_timedelta(rng.integers(0, 740, n), unit="D")
    length = np.minimum(rng.geometric(1 / 120, n), 500)
    closed = opened + pd.to_timedelta(length, unit="D")
    over = closed <= pd.Timestamp(AS_OF)
    outcome = np.where(over, rng.choice(["won", "lost", "no_decision"], n, p=[0.4, 0.35, 0.25]), "open")
    rows = [
        {
            "opened": opened[i], "closed": closed[i] if over[i] else None, "outcome": str(outcome[i]),
            "account_id": f"a{rng.integers(accounts)}", "amount": float(np.round(rng.lognormal(9, 1), 0)),
            "segment": str(rng.choice(["SMB", "MID", "ENT"])), "region": str(rng.choice(list("NESWC"))),
            "qualified_on": opened[i] + pd.Timedelta(days=int(length[i]) // 3) if i % 3 else pd.NaT,
        }
        for i in range(n)
    ]  # fmt: skip
    return deals_frame(rows)


@pytest.fixture(scope="session")
def company() -> pd.DataFrame:
    return random_company(1)


@pytest.fixture(scope="session")
def make_company() -> Callable[..., pd.DataFrame]:
    return random_company
