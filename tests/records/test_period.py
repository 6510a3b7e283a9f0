"""The period view, against the loop over days that it stands for."""

import datetime as dt

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.records.period import restrict_to_period

ZERO = dt.date(2024, 1, 1)


def day(number):
    return ZERO + dt.timedelta(days=number)


def frame(deals):
    return pd.DataFrame({
        "deal_id": [f"D{n}" for n in range(len(deals))],
        "opened_on": pd.to_datetime([day(opened) for opened, *_ in deals]),
        "entry": [entry for _, entry, _, _ in deals],
        "exit": [entry + length for _, entry, length, _ in deals],
        "outcome": [outcome for *_, outcome in deals],
    })  # fmt: skip


deals = st.lists(
    st.tuples(st.integers(0, 40), st.integers(-1, 10), st.integers(1, 30), st.sampled_from(["won", "lost", "open"])),
    max_size=8,
)


@given(deals, st.none() | st.integers(0, 50), st.none() | st.integers(0, 50))
def test_days_at_risk_are_those_of_the_period(deals, start, end):
    if start is not None and end is not None and end < start:
        start, end = end, start
    before = frame(deals)
    after = restrict_to_period(
        before, start=None if start is None else day(start), end=None if end is None else day(end)
    )
    found = {row.deal_id: (row.entry, row.exit, row.outcome) for row in after.itertuples()}
    for row in before.itertuples():
        opened = (row.opened_on.date() - ZERO).days
        ages = [
            age for age in range(row.entry + 1, row.exit + 1)
            if (start is None or opened + age >= start) and (end is None or opened + age <= end)
        ]  # fmt: skip
        if not ages:
            assert row.deal_id not in found
        else:
            outcome = row.outcome if ages[-1] == row.exit else "open"
            assert found[row.deal_id] == (ages[0] - 1, ages[-1], outcome)


def test_two_periods_share_out_the_days_and_the_outcomes():
    whole = frame([(0, -1, 30, "won"), (5, -1, 3, "lost"), (12, 2, 40, "open"), (25, -1, 1, "won")])
    first = restrict_to_period(whole, end=day(14))
    second = restrict_to_period(whole, start=day(15))
    assert (first["exit"] - first["entry"]).sum() + (second["exit"] - second["entry"]).sum() == (
        whole["exit"] - whole["entry"]
    ).sum()
    ended = [part.loc[part["outcome"] != "open", "deal_id"].tolist() for part in (first, second)]
    assert ended == [["D1"], ["D0", "D3"]]


def test_what_happened_later_is_forgotten():
    deals = frame([(0, -1, 10, "no_decision")]).assign(
        closed_on=pd.to_datetime([day(9)]), no_decision_kind=["declared"], amount=[5.0]
    )
    cut = restrict_to_period(deals, end=day(5))
    assert cut[["outcome", "exit", "amount"]].to_dict("records") == [{"outcome": "open", "exit": 5, "amount": 5.0}]
    assert cut["closed_on"].isna().all()
    assert cut["no_decision_kind"].isna().all()
    assert deals.loc[0, "outcome"] == "no_decision"


def test_nobody_at_risk():
    assert restrict_to_period(frame([]), start=day(0), end=day(9)).empty
    assert restrict_to_period(frame([(20, -1, 5, "won")]), end=day(9)).empty


def test_refusals():
    with pytest.raises(ValueError, match="before it starts"):
        restrict_to_period(frame([]), start=day(3), end=day(2))
    with pytest.raises(ValueError, match="outcome"):
        restrict_to_period(frame([]).drop(columns="outcome"))
