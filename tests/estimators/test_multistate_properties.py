"""What must hold whatever way deals take through the stages: Hypothesis against loops too simple to be wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from analytics.estimators.counts import count_events
from analytics.estimators.incidence import cumulative_incidence, survival
from analytics.estimators.multistate.landmark import landmark_occupation, markov_difference
from analytics.estimators.multistate.markov import markov_test
from analytics.estimators.multistate.next_stage import next_stage_shares
from analytics.estimators.multistate.occupation import stage_occupation
from analytics.estimators.multistate.probabilities import transition_probabilities
from analytics.estimators.multistate.regression import move_hazards
from analytics.estimators.multistate.rows import read_stages
from analytics.estimators.multistate.stay import expected_visits, mean_stage_days
from analytics.estimators.multistate.table import count_transitions, transition_counts
from analytics.estimators.result import Estimate
from analytics.records.errors import InputError

STATES = ["a", "b", "won", "lost"]
NUMBERS = ["estimate", "std_error", "conf_low", "conf_high"]
QUICK = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def frame_of(deals: list[Any]) -> pd.DataFrame:
    """Deals as (entry, first stage, [(days, where next)], segment, account, weight)."""
    rows = []
    for k, (entry, stage, ways, segment, account, weight) in enumerate(deals):
        for days, target in ways:
            rows.append([f"d{k}", entry, entry + days, stage, target, segment, account, float(weight)])
            entry, stage = entry + days, target
            if target not in ("a", "b"):
                break
    names = ["deal_id", "entry", "exit", "from", "to", "segment", "account", "weight"]
    frame = pd.DataFrame(rows, columns=names)
    for name in ("from", "to"):
        frame[name] = pd.Categorical(frame[name], categories=STATES, ordered=True)
    return frame


@st.composite
def rows(draw: st.DrawFn, *, late: bool = True, censored: bool = True, least: int = 1) -> pd.DataFrame:
    ends = ["won", "lost", None] if censored else ["won", "lost"]
    deals = []
    for _ in range(draw(st.integers(least, 12))):
        stage = draw(st.sampled_from("ab"))
        ways, at = [], stage
        for _ in range(draw(st.integers(0, 3))):
            at = "b" if at == "a" else "a"
            ways.append((draw(st.integers(1, 5)), at))
        ways.append((draw(st.integers(1, 5)), draw(st.sampled_from(ends))))
        entry = draw(st.integers(-1, 4)) if late else -1
        deals.append(
            (entry, stage, ways, draw(st.sampled_from("xy")), draw(st.integers(0, 3)), draw(st.integers(1, 4)))
        )
    # one deal is watched from the opening on, so that a curve can start there
    return frame_of([*deals, (-1, "a", [(3, "b"), (4, "won")], "x", 0, 1), (-1, "a", [(6, "lost")], "y", 1, 2)])


def slow_occupation(frame: pd.DataFrame, weight: str | None = None) -> dict[tuple[str, int], float]:
    """The definition, read off stay by stay."""
    w = [1.0] * len(frame) if weight is None else frame[weight].tolist()
    stays = list(zip(frame["entry"], frame["exit"], frame["from"], frame["to"], w, strict=True))
    total = sum(w for entry, _, _, _, w in stays if entry == -1)
    p = {s: sum(w for entry, _, h, _, w in stays if entry == -1 and h == s) / total for s in STATES}
    found = {}
    for t in sorted(set(frame["exit"])):
        new = dict(p)
        for h in ("a", "b"):
            n = sum(w for entry, leave, s, _, w in stays if s == h and entry < t <= leave)
            for _, leave, s, target, w in stays:
                if s == h and leave == t and not pd.isna(target):
                    new[h] -= p[h] * w / n
                    new[target] += p[h] * w / n
        p = new
        found |= {(s, t): p[s] for s in STATES}
    return found


def same(a: Estimate, b: Estimate, numbers: list[str] = NUMBERS, rtol: float = 1e-9) -> None:
    keys = list(a.meta.keys)
    left, right = (e.frame.sort_values(keys).reset_index(drop=True)[[*keys, *numbers]] for e in (a, b))
    pd.testing.assert_frame_equal(left, right, check_dtype=False, rtol=rtol, atol=1e-9)


@QUICK
@given(rows(), st.booleans())
def test_occupation_is_the_definition(frame: pd.DataFrame, weighted: bool) -> None:
    weight = "weight" if weighted else None
    found = stage_occupation(read_stages(frame, weights=weight)).frame
    slow = slow_occupation(frame, weight)
    assert [(s, int(t)) for s, t in zip(found["state"], found["time"], strict=True)] == sorted(
        slow, key=lambda key: STATES.index(key[0])
    )
    expected = [slow[s, t] for s, t in zip(found["state"], found["time"], strict=True)]
    np.testing.assert_allclose(found["estimate"], expected, atol=1e-12)
    np.testing.assert_allclose(found.groupby("time")["estimate"].sum(), 1, atol=1e-12)


@QUICK
@given(rows(late=False, censored=False))
def test_with_everybody_followed_to_the_end_it_is_shares_and_means(frame: pd.DataFrame) -> None:
    read = read_stages(frame)
    n, last = frame["deal_id"].nunique(), int(frame["exit"].max())
    at = 4

    def state_at(deal: pd.DataFrame) -> str:
        now = deal[(deal["entry"] <= at) & (at < deal["exit"])]
        return str(now["from"].iloc[0]) if len(now) else str(deal["to"].iloc[-1])

    places = frame.groupby("deal_id")[["entry", "exit", "from", "to"]].apply(state_at)
    found = stage_occupation(read, times=[at]).frame.set_index("state")
    for state in STATES:
        share = (places == state).mean()
        np.testing.assert_allclose(found.loc[state, "estimate"], share, atol=1e-12)
        np.testing.assert_allclose(found.loc[state, "std_error"], np.sqrt(share * (1 - share) / n), atol=1e-12)
    visits = expected_visits(read, horizon_days=last).frame.set_index("state")
    days = mean_stage_days(read, horizon_days=last).frame.set_index("state")
    for state in STATES:
        came = (frame["to"] == state).groupby(frame["deal_id"]).sum()
        np.testing.assert_allclose(visits.loc[state, "estimate"], came.mean(), atol=1e-12)
        np.testing.assert_allclose(visits.loc[state, "std_error"], came.std(ddof=0) / np.sqrt(n), atol=1e-9)
    for state in ("a", "b"):
        spent = (frame["exit"] - frame["entry"].clip(lower=0)).where(frame["from"] == state, 0)
        spent = spent.groupby(frame["deal_id"]).sum()
        np.testing.assert_allclose(days.loc[state, "estimate"], spent.mean(), atol=1e-12)
        np.testing.assert_allclose(days.loc[state, "std_error"], spent.std(ddof=0) / np.sqrt(n), atol=1e-9)
    np.testing.assert_allclose(days["estimate"].sum(), last)


def every_answer(frame: pd.DataFrame, **how: Any) -> list[Estimate]:
    read = read_stages(frame, **how)
    last = 5
    answers = [
        stage_occupation(read, times=np.arange(12)),
        mean_stage_days(read, horizon_days=last, beyond_follow_up="carry"),
        expected_visits(read, horizon_days=last, beyond_follow_up="carry"),
        landmark_occupation(read, state="a", at=2, times=np.arange(2, 12)),
        markov_difference(read, state="a", at=2, times=np.arange(2, 12)),
        next_stage_shares(read, times=[2, 4]),
    ]
    if not how.get("weights"):
        answers += [
            transition_probabilities(count_transitions(read), times=np.arange(12)), markov_test(read, state="a", at=2),
        ]  # fmt: skip
    return answers


@QUICK
@given(rows(least=4), st.randoms(use_true_random=False))
def test_row_order_does_not_matter(frame: pd.DataFrame, random: Any) -> None:
    frame = with_both(frame)
    order = list(range(len(frame)))
    random.shuffle(order)
    for mine, theirs in zip(every_answer(frame), every_answer(frame.iloc[order]), strict=True):
        same(mine, theirs, ["estimate"] if mine.meta.kind == "test" else NUMBERS)


def with_both(frame: pd.DataFrame) -> pd.DataFrame:
    """Add deals so that on day 2 some are in a and some in b."""
    more = frame_of([(-1, "b", [(7, "won")], "x", 2, 1), (-1, "b", [(5, "a"), (3, "lost")], "y", 3, 1)])
    return pd.concat([frame, more.assign(deal_id="more" + more["deal_id"])], ignore_index=True)


@QUICK
@given(rows(least=4))
def test_the_global_random_state_is_neither_used_nor_touched(frame: pd.DataFrame) -> None:
    frame = with_both(frame)
    before = str(np.random.get_state())  # noqa: NPY002 - the state that must not be touched
    first = every_answer(frame)
    assert str(np.random.get_state()) == before  # noqa: NPY002
    np.random.default_rng().random()
    for mine, again in zip(first, every_answer(frame), strict=True):
        pd.testing.assert_frame_equal(mine.frame, again.frame)


@QUICK
@given(rows(least=3))
def test_a_stay_may_be_split_at_any_day(frame: pd.DataFrame) -> None:
    frame = with_both(frame)
    long = frame["exit"] - frame["entry"] > 1
    early = frame[long].assign(
        exit=frame["entry"] + 1, to=pd.Categorical([None] * int(long.sum()), STATES, ordered=True)
    )
    split = pd.concat([frame[~long], early, frame[long].assign(entry=frame["entry"] + 1)], ignore_index=True)
    for how in ({}, {"cluster": "account", "weights": "weight"}):
        for mine, theirs in zip(every_answer(frame, **how), every_answer(split, **how), strict=True):
            same(mine, theirs, ["estimate"] if mine.meta.kind == "test" else NUMBERS)


@QUICK
@given(rows(), st.integers(1, 50))
def test_a_shift_of_all_days_moves_the_curve(frame: pd.DataFrame, shift: int) -> None:
    moved = frame.assign(entry=frame["entry"] + shift, exit=frame["exit"] + shift)
    left = stage_occupation(read_stages(frame)).frame
    right = stage_occupation(read_stages(moved), start=shift - 1).frame
    np.testing.assert_allclose(left["time"] + shift, right["time"])
    np.testing.assert_allclose(left[NUMBERS], right[NUMBERS], atol=1e-12)


@QUICK
@given(rows(), st.floats(0.1, 9))
def test_the_scale_of_weights_does_not_matter(frame: pd.DataFrame, scale: float) -> None:
    frame = with_both(frame)
    scaled = frame.assign(weight=frame["weight"] * scale)
    for mine, theirs in zip(*(every_answer(f, weights="weight") for f in (frame, scaled)), strict=True):
        same(mine, theirs)


@QUICK
@given(rows())
def test_a_weight_counts_like_as_many_deals(frame: pd.DataFrame) -> None:
    copies = [frame.loc[frame["weight"] > k].assign(deal_id=lambda d, k=k: d["deal_id"] + f"/{k}") for k in range(4)]
    repeated = stage_occupation(read_stages(pd.concat(copies, ignore_index=True)))
    same(stage_occupation(read_stages(frame, weights="weight")), repeated, ["estimate"])
    # accounts hold the copies of a deal together, so that even the errors are the same
    same(stage_occupation(read_stages(frame, weights="weight", cluster="account")),
         stage_occupation(read_stages(pd.concat(copies, ignore_index=True), cluster="account")),
         ["estimate", "std_error"])  # fmt: skip


@QUICK
@given(rows())
def test_strata_are_answered_apart(frame: pd.DataFrame) -> None:
    joint = stage_occupation(read_stages(frame, by="segment"))
    for segment in ("x", "y"):
        alone = stage_occupation(read_stages(frame[frame["segment"] == segment]))
        part = joint.at(segment=segment).drop(columns="segment").reset_index(drop=True)
        pd.testing.assert_frame_equal(part, alone.frame)
    table = count_transitions(read_stages(frame, by="segment"))
    found = transition_probabilities(table, times=[3, 7])
    counts = transition_counts(table).frame
    for segment in ("x", "y"):
        own = count_transitions(read_stages(frame[frame["segment"] == segment]))
        alone = transition_probabilities(own, times=[3, 7])
        part = found.at(segment=segment).drop(columns="segment").reset_index(drop=True)
        pd.testing.assert_frame_equal(part, alone.frame)
        part = counts[counts["segment"] == segment].drop(columns="segment").reset_index(drop=True)
        pd.testing.assert_frame_equal(part, transition_counts(own).frame)


@QUICK
@given(rows())
def test_renamed_states_are_renamed_in_the_answer(frame: pd.DataFrame) -> None:
    names = dict(zip(STATES, ["won", "z", "a", "lost"], strict=True))
    other = frame.assign(**{name: frame[name].cat.rename_categories(names) for name in ("from", "to")})
    left, right = (stage_occupation(read_stages(f)).frame for f in (frame, other))
    assert right["state"].tolist() == [names[s] for s in left["state"]]
    np.testing.assert_array_equal(left[NUMBERS], right[NUMBERS])


@QUICK
@given(rows(), st.integers(0, 9))
def test_transition_probabilities_compose(frame: pd.DataFrame, middle: int) -> None:
    table = count_transitions(read_stages(frame))

    def matrix(start: float, end: float) -> np.ndarray:
        found = transition_probabilities(table, start=start).frame
        out = pd.DataFrame(np.eye(4), index=STATES, columns=STATES)
        for h, of in found[found["time"] <= end].groupby("from"):
            out.loc[h] = of[of["time"] == of["time"].max()].set_index("to")["estimate"][STATES]
        return out.to_numpy()

    np.testing.assert_allclose(matrix(-1, middle) @ matrix(middle, 99), matrix(-1, 99), atol=1e-9)


@QUICK
@given(rows(), st.booleans())
def test_the_jackknife_is_the_derivative_in_each_weight(frame: pd.DataFrame, clustered: bool) -> None:
    """Change the weight of one deal (account) a little, and see what moves."""
    unit = "account" if clustered else "deal_id"
    read = read_stages(frame, cluster="account" if clustered else None)
    asked = (lambda r: stage_occupation(r, times=[7]), lambda r: mean_stage_days(r, horizon_days=6),
             lambda r: expected_visits(r, horizon_days=6))  # fmt: skip
    units = frame[unit].unique()
    factor = len(units) / (len(units) - 1) if clustered else 1.0
    for answer in asked:
        mine, small = answer(read).frame, 1e-5
        slopes = []
        for one in units:
            up, down = (
                answer(read_stages(frame.assign(w=np.where(frame[unit] == one, 1 + s, 1.0)), weights="w")).frame
                for s in (small, -small)
            )
            slopes.append((up["estimate"] - down["estimate"]) / (2 * small))
        error = np.sqrt(factor * (np.array(slopes) ** 2).sum(axis=0))
        np.testing.assert_allclose(mine["std_error"], error, atol=2e-6)


@QUICK
@given(rows())
def test_with_one_stage_it_is_the_cumulative_incidence(frame: pd.DataFrame) -> None:
    last = frame.drop_duplicates("deal_id", keep="last")
    last = last.assign(**{"from": pd.Categorical(["a"] * len(last), STATES, ordered=True)}).reset_index(drop=True)
    back = (last["to"] == "a") | (last["to"] == "b")
    last = last[~back]
    starts = last.assign(entry=-1)
    risk = count_events(starts.assign(outcome=starts["to"].astype(object).fillna("open")), outcomes=["won", "lost"])
    jackknife: Any = "infinitesimal_jackknife"
    for kind, found in (
        (jackknife, stage_occupation(read_stages(starts)).frame),
        ("greenwood", transition_probabilities(count_transitions(read_stages(starts))).frame.rename(
            columns={"to": "state"})),
    ):  # fmt: skip
        expected = cumulative_incidence(risk, variance=kind).frame
        for outcome in ("won", "lost"):
            mine = found.loc[found["state"] == outcome, NUMBERS]
            np.testing.assert_allclose(mine, expected.loc[expected["outcome"] == outcome, NUMBERS], atol=1e-9)
        still = found.loc[found["state"] == "a", NUMBERS]
        np.testing.assert_allclose(still, survival(risk, variance=kind).frame[NUMBERS], atol=1e-9)


def test_no_deals_give_empty_answers_that_say_so() -> None:
    none = read_stages(frame_of([]))
    for answer in (
        stage_occupation(none), mean_stage_days(none, horizon_days=5), expected_visits(none, horizon_days=5),
        next_stage_shares(none, times=[3]), transition_probabilities(count_transitions(none)),
    ):  # fmt: skip
        assert len(answer.frame) == 0
        assert answer.meta.note == "There are no deals."
    assert len(transition_counts(count_transitions(none)).frame) == 0


def test_the_markov_difference_is_that_of_the_two_estimates() -> None:
    frame = frame_of([
        (-1, "a", [(3, "b"), (4, "won")], "x", 0, 1), (-1, "a", [(6, "b"), (3, "lost")], "x", 0, 1),
        (-1, "b", [(5, "a"), (4, "won")], "x", 0, 1), (-1, "b", [(8, "a"), (2, "lost")], "x", 0, 1),
        (1, "a", [(7, "won")], "x", 0, 1),
    ])  # fmt: skip
    read = read_stages(frame)
    times = [3.0, 5.0, 5.5, 8.0, 9.0]
    found = markov_difference(read, state="b", at=3, times=times).frame.set_index(["state", "time"])["estimate"]
    own = landmark_occupation(read, state="b", at=3, times=times).frame.set_index(["state", "time"])["estimate"]
    markov = transition_probabilities(count_transitions(read), start=3, times=times).at(**{"from": "b"})
    markov = markov.rename(columns={"to": "state"}).set_index(["state", "time"])["estimate"]
    assert found.abs().max() > 0.1
    errors = markov_difference(read, state="b", at=3, times=times).frame["std_error"]
    slopes = []
    for k in range(5):
        up, down = (
            markov_difference(read_stages(frame.assign(w=np.where(frame["deal_id"] == f"d{k}", 1 + s, 1.0)),
                                          weights="w"), state="b", at=3, times=times).frame["estimate"]
            for s in (1e-5, -1e-5)
        )  # fmt: skip
        slopes.append((up - down) / 2e-5)
    np.testing.assert_allclose(errors, np.sqrt((np.array(slopes) ** 2).sum(axis=0)), atol=1e-6)
    np.testing.assert_allclose(found, (own - markov).loc[found.index], atol=1e-12)


def test_one_deal_that_never_moved() -> None:
    one = read_stages(frame_of([(-1, "a", [(5, None)], "x", 0, 1)]))
    found = stage_occupation(one).frame.set_index("state")
    assert found["estimate"].tolist() == [1, 0, 0, 0]
    np.testing.assert_allclose(found["conf_high"].tolist(), [1, 0.975, 0.975, 0.975])
    assert mean_stage_days(one, horizon_days=3).frame["estimate"].tolist() == [3, 0, 0, 0]
    late = mean_stage_days(one, horizon_days=9)
    assert len(late.frame) == 0
    assert late.meta.note == "All deals: no deal is followed beyond day 4."


def test_one_account_has_no_interval() -> None:
    frame = frame_of([(-1, "a", [(5, "won")], "x", 0, 1), (-1, "a", [(8, "lost")], "x", 0, 1)])
    read = read_stages(frame, cluster="account")
    found = stage_occupation(read, times=[5]).frame
    assert found["std_error"].isna().tolist() == [True, False, True, False]
    assert found["no_interval_reason"].iloc[0].startswith("all deals belong to one account")
    days = mean_stage_days(read, horizon_days=6).frame
    assert days["no_interval_reason"].iloc[0].startswith("all deals belong to one account")


def test_a_stage_that_nobody_watches_is_told() -> None:
    frame = frame_of([(-1, "a", [(3, "b"), (2, None)], "x", 0, 1), (-1, "a", [(9, "won")], "x", 0, 1),
                      (6, "b", [(3, "lost")], "x", 0, 1)])  # fmt: skip
    found = stage_occupation(read_stages(frame))
    assert found.meta.note.startswith("All deals: on day 8 a share") is False
    gap = frame_of([(-1, "a", [(3, "b"), (2, None)], "x", 0, 1), (-1, "a", [(9, "won")], "x", 0, 1)])
    note = stage_occupation(read_stages(gap)).meta.note
    assert note.startswith("All deals: on day 8 a share of deals is in a stage in which no deal is watched then")


def test_next_stage_runs_on_the_clock_of_the_stage() -> None:
    frame = frame_of([
        (-1, "a", [(3, "b"), (2, "won")], "x", 0, 1), (-1, "a", [(9, "b"), (2, "a"), (4, "lost")], "x", 1, 1),
        (4, "b", [(3, "won")], "x", 2, 1),
    ])  # fmt: skip
    found = next_stage_shares(read_stages(frame), times=[2, 4])
    shares = found.frame.set_index(["from", "to", "time"])["estimate"]
    # a: moved after 2 and 8 days to b, after 4 days to lost; b: both after 2 days; the late deal came to b unseen
    np.testing.assert_allclose(shares.loc["a"].loc[["b", "lost"]], [1 / 3, 1 / 3, 0, 1 / 3])
    np.testing.assert_allclose(shares.loc["b"].loc[["a", "won"]], [0.5, 0.5, 0.5, 0.5])
    assert "1 stays in b, to which nobody saw the deal come, are left out." in found.meta.note


def test_a_deal_that_leaves_its_first_stage_at_once_is_one_of_all_that_came_there() -> None:
    """Deals that come to a stage later cannot leave it on that day, and count all the same."""
    frame = frame_of([(-1, "b", [(1, "lost")], "x", 0, 1),
                      *((-1, "a", [(3, "b"), (4, "won")], "x", k, 1) for k in range(4))])  # fmt: skip
    found = next_stage_shares(read_stages(frame), times=[0, 4]).frame.set_index(["from", "to", "time"])["estimate"]
    np.testing.assert_allclose(found.loc["b"].loc[["won", "lost"]], [0, 0.8, 0.2, 0.2])


def test_a_past_that_matters_is_found_and_one_that_does_not_is_not() -> None:
    """Deals that were in b on day 2 win on day 12; others that come to b later are lost then."""
    deals: list[Any] = [(-1, "a", [(2, "b"), (10 + k % 3, "won")], "x", k, 1) for k in range(30)]
    deals += [(-1, "a", [(7, "b"), (5 + k % 3, "lost")], "x", k, 1) for k in range(30)]
    read = read_stages(frame_of(deals))
    test = markov_test(read, state="b", at=2).frame.set_index(["from", "to"])
    assert float(test["p_value"].iloc[-1]) < 1e-6
    gap = markov_difference(read, state="b", at=2, times=[12]).frame.set_index("state")
    assert float(gap["conf_low"].loc["won"]) > 0.2
    mixed: list[Any] = [(-1, "a", [(2 + 5 * (k % 2), "b"), (9 - 5 * (k % 2) + k // 2 % 3, "won")], "x", k, 1)
                        for k in range(60)]  # fmt: skip
    calm = markov_test(read_stages(frame_of(mixed)), state="b", at=2)
    assert calm.at(**{"from": "b", "to": "won"})["estimate"].tolist() == pytest.approx([0], abs=1e-9)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"exit": [-1, 7]}, "a stay in a stage ends before it begins"),
        ({"entry": [-1, 1]}, "two stays of one deal overlap"),
        ({"from": ["a", "a"]}, "to which its last stay did not lead"),
        ({"to": ["a", "won"]}, "to the same stage"),
        ({"to": ["c", "won"], "from": pd.Categorical(["a", "b"], ["a", "b", "won"])}, "not among the stages"),
        ({"weight": [1.0, 0.0]}, "a weight is missing"),
        ({"segment": ["x", "y"]}, "a deal has more than one value"),
        ({"account": [1, 2]}, "a deal has more than one value"),
        ({"deal_id": [None, "d"]}, "lacks its deal"),
    ],
)
def test_rows_that_cannot_be_are_refused(change: dict[str, Any], words: str) -> None:
    frame = frame_of([(-1, "a", [(3, "b"), (5, "won")], "x", 0, 1)]).astype({"from": object, "to": object})
    with pytest.raises(InputError, match=words):
        read_stages(frame.assign(**change), by="segment", weights="weight", cluster="account")


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda r: stage_occupation(r, start=90), "no deal is watched just after"),
        (lambda r: stage_occupation(r, initial="c"), "there is no such state"),
        (lambda r: stage_occupation(r, initial={"a": 0.4}), "do not add to 1"),
        (lambda r: stage_occupation(r, times=[-3]), "zero or more days"),
        (lambda r: mean_stage_days(r, horizon_days=0), "must lie after the start"),
        (lambda r: landmark_occupation(r, state="b", at=0), "no deal is seen in b"),
        (lambda r: markov_test(r, state="a", at=0), "every deal, or none, is seen in a"),
        (lambda r: transition_probabilities(count_transitions(r), variance="grenwood"), "no such variance"),
    ],
)
def test_questions_that_have_no_answer_are_refused(ask: Any, words: str) -> None:
    frame = frame_of([(-1, "a", [(3, "b"), (5, "won")], "x", 0, 1), (-1, "a", [(8, "lost")], "x", 0, 1)])
    with pytest.raises(InputError, match=words):
        ask(read_stages(frame))


def test_weights_are_refused_where_the_variance_cannot_take_them() -> None:
    read = read_stages(frame_of([(-1, "a", [(3, "b"), (5, "won")], "x", 0, 2)]), weights="weight")
    with pytest.raises(InputError, match="for deals without weights"):
        transition_probabilities(count_transitions(read))
    with pytest.raises(InputError, match="for deals without weights"):
        markov_test(read, state="a", at=1)


def test_a_model_that_cannot_be_fitted_names_its_move() -> None:
    frame = frame_of([(-1, "a", [(3, "b"), (5, "won")], "x", 0, 2), (-1, "a", [(4, "b"), (5, "won")], "x", 0, 2)])
    with pytest.raises(InputError, match="the move from a to b: this covariate is the same for every deal"):
        move_hazards(frame.assign(z=1.0), "z")


def test_visits_end_with_the_horizon() -> None:
    """Day by day by hand: the moves of the first day after the horizon are not in the count, nor in its error."""
    ways = [[(5, "b"), (2, "a"), (3, "b"), (4, "won")], [(7, "won")], [(20, "lost")]]
    frame = frame_of([(-1, "a", way, "x", k, 1) for k, way in enumerate(ways)])
    by_hand = {4: [0, 1 / 3, 0, 0], 5: [0, 1 / 3, 0, 0], 6: [1 / 3, 1 / 3, 1 / 3, 0], 9: [1 / 3, 2 / 3, 1 / 3, 0]}
    for horizon, visits in by_hand.items():
        found = expected_visits(read_stages(frame), horizon_days=horizon).frame
        np.testing.assert_allclose(found["estimate"], visits, atol=1e-12)
        shares = np.minimum(np.array(visits), 1 / 3)  # one deal each, so the error is that of a share, or twice it
        times = np.where(np.array(visits) > 0.5, 2, 1)
        np.testing.assert_allclose(found["std_error"], times * np.sqrt(shares * (1 - shares) / 3), atol=1e-12)


def test_limits_by_account_use_t_of_effective_accounts() -> None:
    """Accounts of 1, 2 and 3 deals, all watched equally long: (1 + 2 + 3)^2 / (1 + 4 + 9) - 1 degrees of freedom."""
    ways = [[(5, "b"), (3, "won")], [(8, None)], [(6, "b"), (2, "lost")], [(2, "b"), (6, "won")], [(8, "won")],
            [(8, "lost")]]  # fmt: skip
    frame = frame_of([(-1, "a", way, "x", k, 1) for way, k in zip(ways, [0, 1, 1, 2, 2, 2], strict=True)])
    read = read_stages(frame, cluster="account")
    days, visits = (f(read, horizon_days=7).frame.iloc[1] for f in (mean_stage_days, expected_visits))
    df = (36 / 14 - 1) * (1 + (8 / 6) ** 2)  # three deals came to b by day 7 and left it; few moves ease the accounts
    share, error = days["estimate"] / 7, days["std_error"] / 7
    reach = student.ppf(0.975, df) * error / (share * (1 - share))
    expected = [7 / (1 + (1 - share) / share * np.exp(sign * reach)) for sign in (1, -1)]
    assert days[["conf_low", "conf_high"]].tolist() == pytest.approx(expected)
    factor = np.exp(student.ppf(0.975, df) * visits["std_error"] / visits["estimate"])
    expected = [visits["estimate"] / factor, visits["estimate"] * factor]
    assert visits[["conf_low", "conf_high"]].tolist() == pytest.approx(expected)


def test_the_markov_test_by_account_is_a_loop_over_days() -> None:
    """Each account's part of the log-rank score, day by day and move by move; a test whose variance is theirs."""
    rng = np.random.default_rng(12)
    rows = []
    for deal in range(120):
        first, second, last = int(rng.integers(2, 14)), int(rng.integers(1, 9)), int(rng.integers(1, 9))
        end = ["won", "lost"][int(rng.integers(0, 2))]
        rows += [(deal, deal % 15, -1, first, "a", "b"), (deal, deal % 15, first, first + second, "b", "c"),
                 (deal, deal % 15, first + second, first + second + last, "c", end)]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["deal_id", "account", "entry", "exit", "from", "to"])
    at = 8
    shown = markov_test(read_stages(frame, cluster="account"), state="b", at=at)
    seen = frame[(frame["entry"] <= at) & (at < frame["exit"])]
    there = set(seen.loc[seen["from"] == "b", "deal_id"])
    later = frame[(frame["exit"] > at) & frame["deal_id"].isin(seen["deal_id"])].assign(
        entry=lambda d: d["entry"].clip(lower=at), x=lambda d: d["deal_id"].isin(there).astype(float)
    )
    scores = []
    for _, row in shown.frame.iloc[:-1].iterrows():
        stage = later[later["from"] == row["from"]]
        score = np.zeros(15)
        for day in sorted(stage.loc[stage["to"] == row["to"], "exit"].unique()):
            risk = stage[(stage["entry"] < day) & (day <= stage["exit"])]
            moved = ((risk["exit"] == day) & (risk["to"] == row["to"])).to_numpy(dtype=float)
            part = (risk["x"] - risk["x"].mean()) * (moved - moved.mean())
            np.add.at(score, risk["account"].to_numpy(), part.to_numpy())
        scores.append(score)
        assert row["estimate"] == pytest.approx(score.sum() ** 2 / (score @ score) * 14 / 15, rel=1e-9)
    u = np.column_stack(scores)
    whole = u.sum(axis=0) @ np.linalg.solve(u.T @ u, u.sum(axis=0)) * 14 / 15
    last = shown.frame.iloc[-1]
    assert last["df"] == len(scores) == 3
    assert last["estimate"] == pytest.approx(whole, rel=1e-8)
    share = whole / 14
    assert last["p_value"] == pytest.approx(float(scipy.stats.f.sf(share / (1 - share) * 12 / 3, 3, 12)), rel=1e-9)
