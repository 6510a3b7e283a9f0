"""The grid of firing days in pandas against the snapshot's own rules, and what must hold whatever the records are."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.records.contract import History
from analytics.records.firing_days import age_fired, ended_by, first_spells, pushed_times_fired, silent_days_fired
from analytics.records.lives import in_memory
from analytics.records.rules import OutcomeRules
from analytics.records.snapshot import snapshot_frame
from analytics.records.sources.simulated import SimulationConfig, simulate, to_history
from analytics.records.sources.simulated.reasons import NO_DECISION_REASONS

AS_OF = dt.date(2026, 1, 31)
DAY = dt.date(2025, 1, 1)
DECLARED = OutcomeRules(no_decision_reasons=NO_DECISION_REASONS)


@pytest.fixture(scope="module")
def tables() -> History:
    return to_history(simulate(SimulationConfig(deals=300, accounts=100), seed=3))


@pytest.fixture(scope="module")
def frames(tables: History) -> History:
    return in_memory(tables)


EARLIER = dt.date(2025, 3, 31)
SLOW = [
    pytest.param(kind, grid, day, marks=pytest.mark.slow)
    for kind, grid in (("silent", (30, 180)), ("pushed", (1, 3)), ("aged", (150, 390))) for day in (AS_OF, EARLIER)
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "thresholds", "as_of"),
    [("silent", (90,), EARLIER), ("pushed", (2,), EARLIER), ("aged", (200,), EARLIER), *SLOW],
)
def test_the_grid_says_what_the_snapshot_says_at_every_threshold(
    tables: History, frames: History, kind: str, thresholds: tuple[int, ...], as_of: dt.date
) -> None:
    field = {"silent": "silent_days", "pushed": "pushed_times", "aged": "older_than_days"}[kind]
    lives = first_spells(frames, as_of)
    fired = {
        "silent": lambda: silent_days_fired(frames, lives, thresholds),
        "pushed": lambda: pushed_times_fired(lives, thresholds),
        "aged": lambda: age_fired(lives, thresholds),
    }
    grid = fired[kind]()
    declared = snapshot_frame(tables, as_of=as_of, rules=DECLARED)
    for threshold in thresholds:
        rules = DECLARED.model_copy(update={field: threshold})
        columns = ["deal_id", "entry", "exit", "outcome", "no_decision_kind"]
        expected = snapshot_frame(tables, as_of=as_of, rules=rules)[columns]
        found = ended_by(declared, grid[grid["threshold"] == threshold], kind)[columns]
        both = expected.merge(found, on="deal_id", suffixes=("", "_found"))
        assert (expected["no_decision_kind"] == kind).sum() > 5
        # a deal left out under one set of rules and not under the other is the only difference there may be
        assert len(both) >= len(expected) - 2
        for name in columns[1:]:
            same = both[name].eq(both[f"{name}_found"]) | (both[name].isna() & both[f"{name}_found"].isna())
            assert same.all(), both[~same].head()


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(0, 200), max_size=8), st.lists(st.booleans(), min_size=8, max_size=8),
    st.integers(1, 60), st.integers(0, 60), st.integers(20, 260),
)  # fmt: skip
def test_silence_is_that_of_a_plain_loop_over_days(
    days: list[int], buyers: list[bool], least: int, more: int, closes: int
) -> None:
    states = pd.DataFrame({
        "deal_id": "A", "recorded_on": [DAY, DAY + dt.timedelta(days=closes)], "sequence": [0, 1],
        "status": ["open", "closed_lost"], "opened_on": DAY,
    })  # fmt: skip
    acts = pd.DataFrame({
        "deal_id": ["A"] * len(days), "occurred_on": [DAY + dt.timedelta(days=d) for d in days],
        "side": ["buyer" if b else "seller" for b in buyers[: len(days)]],
    })  # fmt: skip
    history = History(table=states, side={"activities": acts})
    lives = first_spells(history, DAY + dt.timedelta(days=240))
    found = silent_days_fired(history, lives, [least, least + more])
    assert found is not None
    said = {row.threshold: (row.fired_on.date() - DAY).days for row in found.itertuples()}
    for threshold in {least, least + more}:
        assert said.get(threshold) == slow_silence(days, buyers, threshold, min(closes, 241)), threshold


def slow_silence(days: list[int], buyers: list[bool], threshold: int, closes: int) -> int | None:
    since = min((d for d, b in zip(days, buyers, strict=False) if b), default=10**6)
    for today in range(closes):
        heard = [d for d, b in zip(days, buyers, strict=False) if d <= today and (b or today < since)]
        if today - max([0, *heard]) >= threshold:
            return today
    return None


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 100), st.integers(0, 150)), min_size=1, max_size=6), st.integers(1, 4))
def test_pushes_are_those_of_a_plain_loop_over_days(moves: list[tuple[int, int]], times: int) -> None:
    moves = [(0, 10), *sorted(moves)]
    states = pd.DataFrame({
        "deal_id": "A", "recorded_on": [DAY + dt.timedelta(days=d) for d, _ in moves], "sequence": range(len(moves)),
        "status": "open", "opened_on": DAY, "expected_close_on": [DAY + dt.timedelta(days=e) for _, e in moves],
    })  # fmt: skip
    lives = first_spells(History(table=states), DAY + dt.timedelta(days=200))
    fired = pushed_times_fired(lives, [times])
    said = (fired["fired_on"].iloc[0].date() - DAY).days if len(fired) else None
    expected = None
    for today in range(201):
        known = [e for d, e in moves if d <= today]
        pushes = sum(b > a for a, b in pairwise(known))
        if pushes >= times and today > known[-1]:
            expected = today
            break
    assert said == expected


def test_an_earlier_day_knows_the_same_firings_up_to_it(frames: History) -> None:
    early, late = dt.date(2025, 3, 31), AS_OF
    rules = (
        lambda h, lives: silent_days_fired(h, lives, (45, 90)),
        lambda h, lives: pushed_times_fired(lives, (2,)),
        lambda h, lives: age_fired(lives, (200,)),
    )
    for make in rules:
        then, now = (make(frames, first_spells(frames, day)) for day in (early, late))
        known = now[now["fired_on"] <= pd.Timestamp(early)]
        columns = ["deal_id", "threshold", "fired_on"]
        assert set(map(tuple, then[columns].values.tolist())) == set(map(tuple, known[columns].values.tolist()))
        assert len(then) > 10


def test_without_activities_silence_is_not_known() -> None:
    states = pd.DataFrame({"deal_id": ["A"], "recorded_on": [DAY], "sequence": [0], "status": ["open"],
                           "opened_on": [DAY]})  # fmt: skip
    history = History(table=states)
    assert silent_days_fired(history, first_spells(history, AS_OF), [90]) is None
