"""Person-periods: whole periods only, covariates as known at their start, outcome rules kept apart from covariates."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.estimators.columns import NOT_RECORDED
from analytics.estimators.counts import count_events
from analytics.estimators.discrete_time.models import discrete_time_model
from analytics.estimators.discrete_time.periods import PersonPeriods, person_periods
from analytics.estimators.incidence import cumulative_incidence
from analytics.records.contract import History
from analytics.records.errors import InputError
from analytics.records.rules import OutcomeRules
from analytics.records.snapshot import snapshot_frame

QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
DAY = pd.Timestamp("2025-01-01")


def days(*after: int | None) -> list[pd.Timestamp | None]:
    return [None if d is None else DAY + pd.Timedelta(days=d) for d in after]


def deals(**columns: Any) -> pd.DataFrame:
    rows = max([len(values) for values in columns.values() if isinstance(values, list)], default=1)
    every = {"deal_id": "A", "opened_on": DAY, "entry": -1, "exit": 20, "outcome": "won"}
    return pd.DataFrame(every | columns, index=range(rows))


def periods_of(made: PersonPeriods, deal: str) -> list[int]:
    return made.frame.loc[made.frame["deal_id"] == deal, "period"].tolist()


def test_a_period_counts_only_if_it_was_watched_from_its_first_day() -> None:
    frame = deals(deal_id=list("abcdef"), entry=[-1, 6, 7, 13, 0, 8], exit=[6, 7, 14, 14, 6, 13])
    made = person_periods(frame)
    # days 0-6 are period 1, 7-13 period 2, 14-20 period 3
    assert [periods_of(made, deal) for deal in "abcdef"] == [[1], [2], [3], [3], [], []]
    assert made.frame["d_won"].sum() == 4
    assert (made.n_deals, dict(made.left_out)) == (4, {"not watched from the start of any period": 2})


def test_with_as_of_a_period_counts_only_if_it_was_over() -> None:
    frame = deals(deal_id=list("abc"), exit=[15, 15, 13], outcome=["won", "open", "open"])
    whole = person_periods(frame)
    assert [periods_of(whole, deal) for deal in "abc"] == [[1, 2, 3], [1, 2, 3], [1, 2]]
    # on day 16 the third period was not over for anybody: neither the open deal nor the won one counts in it
    cut = person_periods(frame, as_of=dt.date(2025, 1, 17))
    assert [periods_of(cut, deal) for deal in "abc"] == [[1, 2], [1, 2], [1, 2]]
    assert cut.frame["d_won"].sum() == 0
    nobody = person_periods(frame, as_of=dt.date(2025, 1, 6))
    assert (len(nobody.frame), nobody.left_out["no period was over by the as-of day"]) == (0, 3)


def test_stage_and_pushes_are_those_of_the_day_before_the_period_starts() -> None:
    states = pd.DataFrame({
        "deal_id": "A", "sequence": [1, 2, 1, 1, 1, 1],
        "recorded_on": days(0, 0, 6, 7, 13, 20), "status": ["open"] * 5 + ["closed_won"],
        "stage": ["new", "demo", "demo", "offer", None, "won"],
        "expected_close_on": days(30, 30, 40, 50, 45, 20),
    })  # fmt: skip
    made = person_periods(deals(exit=20), states=states).frame
    # period 1: as created; 2 starts on day 7, what is recorded on day 7 is not known; 3 starts on day 14
    assert made["stage"].tolist() == ["new", "demo", NOT_RECORDED]
    assert made["pushes"].tolist() == [0, 1, 2]
    assert made["quarter"].tolist() == ["2025Q1"] * 3


def test_a_deal_recorded_late_has_no_stage_until_then() -> None:
    states = pd.DataFrame({"deal_id": "A", "recorded_on": days(8), "status": "open", "stage": "demo",
                           "expected_close_on": days(30)})  # fmt: skip
    assert person_periods(deals(), states=states).frame["stage"].tolist() == [NOT_RECORDED, NOT_RECORDED, "demo"]


def test_silence_counts_from_what_was_known() -> None:
    activities = pd.DataFrame({
        "deal_id": "A", "occurred_on": days(5, 9, 15), "recorded_on": days(5, 21, None), "side": [None] * 3,
    })  # fmt: skip
    made = person_periods(deals(exit=34), activities=activities).frame
    # starts on days 0, 7, 14, 21, 28: last heard 0 (opening), 5, 5, 15, 15; the call of day 9 was typed in on day 21
    assert made["silence_weeks"].tolist() == [0, 0, 1, 0, 1]


def test_only_the_buyer_ends_a_silence_once_buyers_are_recorded() -> None:
    activities = pd.DataFrame({"deal_id": ["A", "A", "B"], "occurred_on": days(6, 19, 8), "recorded_on": days(6, 19, 8),
                               "side": ["seller", "seller", " Buyer"]})  # fmt: skip
    frame = deals(deal_id=["A", "B"], exit=[27, 27])
    made = person_periods(frame, activities=activities).frame
    # the buyer's side is recorded from day 8 on: from the start of period 3 only it counts
    assert made.loc[made["deal_id"] == "A", "silence_weeks"].tolist() == [0, 0, 2, 3]
    assert made.loc[made["deal_id"] == "B", "silence_weeks"].tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(("kind", "given_"), [("silent", "activities"), ("pushed", "states"), ("aged", None)])
def test_outcomes_inferred_from_a_covariate_are_refused(kind: str, given_: str | None) -> None:
    tables = {
        "states": pd.DataFrame({"deal_id": "A", "recorded_on": days(0), "status": "open", "stage": "new",
                                "expected_close_on": days(9)}),
        "activities": pd.DataFrame({"deal_id": "A", "occurred_on": days(1), "side": "buyer"}),
    }  # fmt: skip
    how: dict[str, Any] = {} if given_ is None else {given_: tables[given_]}
    inferred = deals(outcome="no_decision", no_decision_kind=kind)
    with pytest.raises(InputError, match="true by construction"):
        person_periods(inferred, **how)
    with pytest.raises(InputError, match="true by construction"):
        person_periods(deals(), rules_kinds=[kind], **how)  # the rule was on, though it never fired here
    with pytest.raises(InputError, match="true by construction"):
        person_periods(inferred, rules_kinds=(), **how)  # the deals say otherwise
    declared = deals(outcome="no_decision", no_decision_kind="declared")
    assert person_periods(declared, **how).frame["d_no_decision"].tolist() == [0, 0, 1]
    if given_ is not None:
        assert person_periods(inferred).frame["d_no_decision"].sum() == 1  # the covariate is not there
        with pytest.raises(InputError, match="declared or inferred"):
            person_periods(deals(outcome="no_decision"), **how)
        assert len(person_periods(deals(outcome="no_decision"), rules_kinds=(), **how).frame) == 3


@pytest.mark.parametrize(
    ("frame", "how", "words"),
    [
        (deals(entry=20), {}, "leave before"),
        (deals(outcome="lots"), {}, "not one of the outcomes"),
        (deals(outcome="unknown"), {}, "was not recorded"),
        (deals(opened_on=pd.NaT), {}, "no day of opening"),
        (deals(deal_id=["A", "A"], exit=[3, 9]), {}, "on two rows"),
        (deals().drop(columns="opened_on"), {"as_of": dt.date(2025, 1, 1)}, "opened_on"),
        (deals(), {"keep": ["segmnt"]}, "segmnt"),
        (deals(at_risk=1), {"keep": ["at_risk"]}, "taken"),
        (deals(), {"period_days": 0}, "at least 1"),
        (deals(), {"rules_kinds": ["silnt"]}, "silent"),
        (deals(episode=2), {"activities": pd.DataFrame({"deal_id": [], "occurred_on": [], "side": []})}, "first ep"),
    ],
)
def test_unusable_deals_are_named(frame: pd.DataFrame, how: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        person_periods(frame, **how)


def test_states_that_contradict_the_deals_are_refused() -> None:
    states = pd.DataFrame({"deal_id": "A", "recorded_on": days(3), "status": "closed_lost", "stage": "x",
                           "expected_close_on": days(None)})  # fmt: skip
    with pytest.raises(InputError, match="states say"):
        person_periods(deals(), states=states)


def test_no_deals_make_no_periods_and_no_model() -> None:
    none = person_periods(deals().iloc[:0])
    assert (len(none.frame), none.n_deals) == (0, 0)
    with pytest.raises(InputError, match="no person-periods"):
        discrete_time_model(none, "1")


def test_counts_that_cannot_be_are_refused() -> None:
    frame = pd.DataFrame({"period": [1], "at_risk": [2], "d_won": [3]})
    for wrong, words in (({}, "more outcomes"), ({"at_risk": np.nan}, "missing"), ({"d_won": -1}, "negative"),
                         ({"at_risk": 9, "period": 0}, "from 1")):  # fmt: skip
        with pytest.raises(InputError, match=words):
            PersonPeriods(frame.assign(**wrong), ("won",))
    with pytest.raises(InputError, match="d_won"):
        PersonPeriods(frame, ("won", "lost"))


@st.composite
def histories(draw: st.DrawFn) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Deals with open states and activities on random days, some recorded late."""
    n = draw(st.integers(1, 4))
    day = st.integers(0, 40)
    frame = pd.DataFrame({
        "deal_id": [f"d{i}" for i in range(n)], "opened_on": days(*(draw(st.integers(0, 10)) for _ in range(n))),
        "entry": [draw(st.integers(-1, 15)) for _ in range(n)], "outcome": "open",
    })  # fmt: skip
    frame["exit"] = frame["entry"] + [draw(st.integers(1, 30)) for _ in range(n)]
    which = st.sampled_from(frame["deal_id"].tolist())
    rows = draw(st.lists(st.tuples(which, day, st.sampled_from("abc"), st.none() | day), max_size=12))
    states = pd.DataFrame(rows, columns=["deal_id", "recorded_on", "stage", "expected_close_on"])
    calls = draw(
        st.lists(st.tuples(which, day, st.none() | day, st.sampled_from(["buyer", "seller", None])), max_size=9)
    )
    activities = pd.DataFrame(calls, columns=["deal_id", "occurred_on", "recorded_on", "side"])
    for table in (states, activities):
        for name in ("recorded_on", "expected_close_on", "occurred_on"):
            if name in table:
                table[name] = pd.Series([DAY + pd.Timedelta(days=d) if pd.notna(d) else pd.NaT for d in table[name]],
                                        dtype="datetime64[ns]")  # fmt: skip
    states = states.assign(status="open", sequence=np.arange(len(states)))
    return frame, states.astype({"stage": object, "deal_id": object}), activities.astype({"side": object})


def slow_covariates(deal: Any, start: pd.Timestamp, states: pd.DataFrame, calls: pd.DataFrame) -> tuple[Any, int, int]:
    """The definitions, read off for one deal and one start."""
    mine = states[states["deal_id"] == deal.deal_id].sort_values(["recorded_on", "sequence"])
    known = mine[mine["recorded_on"] < start]
    if not len(known) and start == deal.opened_on and len(mine) and mine["recorded_on"].iloc[0] == start:
        known = mine.iloc[:1]
    stage = known["stage"].iloc[-1] if len(known) else NOT_RECORDED
    promised = known["expected_close_on"].dropna().tolist()
    pushes = sum(b > a for a, b in itertools.pairwise(promised))
    calls = calls.assign(known_on=calls["recorded_on"].fillna(calls["occurred_on"]).clip(lower=calls["occurred_on"]))
    buyers = calls[calls["side"] == "buyer"]
    if len(buyers) and (buyers["known_on"] < start).any():
        calls = buyers
    heard = calls[(calls["deal_id"] == deal.deal_id) & (calls["known_on"] < start)]["occurred_on"].tolist()
    return stage, pushes, (start - max([deal.opened_on, *heard])).days // 7


@QUICK
@given(histories())
def test_covariates_are_their_definitions(history: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]) -> None:
    frame, states, activities = history
    made = person_periods(frame, states=states, activities=activities).frame
    seen = 0
    for deal in frame.itertuples():
        for period in range(1, 20):
            start = 7 * (period - 1)
            if not deal.entry < start <= deal.exit:
                continue
            row = made[(made["deal_id"] == deal.deal_id) & (made["period"] == period)].iloc[0]
            slow = slow_covariates(deal, deal.opened_on + pd.Timedelta(days=start), states, activities)
            assert (row["stage"], row["pushes"], row["silence_weeks"]) == slow
            seen += 1
    assert seen == len(made)


@QUICK
@given(histories(), st.integers(5, 45))
def test_what_is_recorded_later_changes_nothing(history: tuple[Any, Any, Any], day: int) -> None:
    frame, states, activities = history
    as_of = DAY + pd.Timedelta(days=day)
    known = activities[activities[["occurred_on", "recorded_on"]].max(axis=1) <= as_of]
    early = person_periods(frame, states=states[states["recorded_on"] <= as_of], activities=known, as_of=as_of.date())
    late = person_periods(frame, states=states, activities=activities, as_of=as_of.date())
    pd.testing.assert_frame_equal(early.frame, late.frame)


@QUICK
@given(histories(), st.randoms(use_true_random=False))
def test_row_order_changes_nothing(history: tuple[Any, Any, Any], order: Any) -> None:
    one = person_periods(history[0], states=history[1], activities=history[2]).frame
    mixed = [table.sample(frac=1, random_state=order.randrange(2**31)) for table in history]
    other = person_periods(mixed[0], states=mixed[1], activities=mixed[2]).frame
    keys = ["deal_id", "period"]
    left, right = (frame.sort_values(keys, ignore_index=True) for frame in (one, other))
    pd.testing.assert_frame_equal(left, right)


def test_the_life_table_is_aalen_johansen_on_whole_periods() -> None:
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({"entry": -1, "exit": 7 * rng.integers(1, 9, 200) - 1})
    frame["outcome"] = rng.choice(["won", "lost", "no_decision", "open"], 200)
    frame["segment"] = rng.choice(["a", "b"], 200)
    risk = person_periods(frame, keep=["segment"]).risk_table(by=["segment"])
    mine, theirs = (cumulative_incidence(r).frame for r in (risk, count_events(frame, by="segment")))
    ended = theirs.assign(time=(theirs["time"] + 1) // 7)
    for name in ("estimate", "std_error", "conf_low", "conf_high"):
        np.testing.assert_allclose(mine[name], ended[name], atol=1e-14)
    assert (mine["time"] == ended["time"]).all()
    assert risk.n_deals == 200
    weighted = person_periods(frame.assign(w=0.5), keep=["w"]).weighted("w")
    assert weighted.frame["at_risk"].sum() == risk.movements()["n_risk"].sum() / 2
    with pytest.raises(InputError, match="whole counts"):
        weighted.risk_table()


def test_history_snapshot_and_periods_go_together() -> None:
    """A win typed in late, a re-opened deal, a silent one: first episodes with the states of their days."""
    rows = [
        ("won late", 0, 0, "open", "new", 20), ("won late", 8, 0, "open", "demo", 30),
        ("won late", 25, 0, "closed_won", "won", None),
        ("again", 0, 0, "open", "new", 9), ("again", 10, 0, "closed_lost", "lost", None),
        ("again", 18, 0, "open", "demo", 40), ("again", 20, 0, "open", "demo", 50),
        ("silent", 0, 0, "open", "new", 30),
    ]  # fmt: skip
    names = ["deal_id", "recorded_on", "sequence", "status", "stage", "expected_close_on"]
    states = pd.DataFrame(rows, columns=names)
    for name in ("recorded_on", "expected_close_on"):
        states[name] = DAY + pd.to_timedelta(states[name], unit="D")
    states["opened_on"] = DAY
    states["closed_on"] = pd.Series([pd.NaT] * 2 + days(22) + [pd.NaT] + days(10) + [pd.NaT] * 3)
    calls = pd.DataFrame({"deal_id": ["won late", "won late", "again"], "occurred_on": days(2, 15, 9), "side": "buyer"})
    history = History(table=states, side={"activities": calls})
    rules = OutcomeRules(silent_days=21)
    as_of = dt.date(2025, 2, 5)
    whole = snapshot_frame(history, as_of=as_of, rules=rules)
    with pytest.raises(InputError, match="declared_only"):
        person_periods(whole, states=states, activities=calls)
    first = snapshot_frame(history, as_of=as_of, rules=rules.declared_only())
    made = person_periods(first, states=states, activities=calls, as_of=as_of).frame
    columns = ["period", "stage", "pushes", "silence_weeks", "d_won", "d_lost"]
    told = {deal: part[columns].to_numpy().tolist() for deal, part in made.groupby("deal_id")}
    assert told["won late"] == [[1, "new", 0, 0, 0, 0], [2, "new", 0, 0, 0, 0], [3, "demo", 1, 1, 0, 0],
                                [4, "demo", 1, 0, 1, 0]]  # fmt: skip
    assert told["again"] == [[1, "new", 0, 0, 0, 0], [2, "new", 0, 1, 0, 1]]
    assert [row[3] for row in told["silent"]] == [0, 1, 2, 3, 4]  # day 35 was the end of its fifth period
