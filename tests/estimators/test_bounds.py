"""Unknown outcomes: bounds, shared out in proportion, never a silent default."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.estimators.bounds import incidence_bounds
from analytics.estimators.counts import count_events
from analytics.estimators.incidence import cumulative_incidence
from analytics.records.errors import InputError

ROW = st.tuples(st.integers(0, 12), st.sampled_from(["won", "lost", "no_decision", "unknown", "open"]),
                st.sampled_from("ab"))  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=25))
def test_the_bounds_are_the_two_extreme_answers(rows: list[tuple[int, str, str]]) -> None:
    frame = pd.DataFrame(rows, columns=["exit", "outcome", "segment"]).assign(entry=-1)
    frame.loc[len(frame)] = [3, "unknown", "a", -1]
    result = incidence_bounds(count_events(frame, by="segment", unknown="bounds")).frame
    for outcome in ("won", "lost", "no_decision"):
        none = frame.assign(outcome=frame["outcome"].replace("unknown", "lost" if outcome != "lost" else "won"))
        every = frame.assign(outcome=frame["outcome"].replace("unknown", outcome))
        mine = result[result["outcome"] == outcome]
        for column, extreme in (("bound_low", none), ("bound_high", every)):
            theirs = cumulative_incidence(count_events(extreme, by="segment")).frame
            theirs = theirs[theirs["outcome"] == outcome]
            np.testing.assert_allclose(mine[column], theirs["estimate"], atol=1e-12)
            limit = "conf_low" if column == "bound_low" else "conf_high"
            np.testing.assert_allclose(mine[limit], theirs[limit], atol=1e-12)
    totals = result.groupby(["segment", "time"])["estimate"].sum()
    whole = cumulative_incidence(count_events(frame, by="segment", unknown="bounds")).frame
    np.testing.assert_allclose(totals, whole.groupby(["segment", "time"])["estimate"].sum(), atol=1e-12)


def test_in_proportion_to_what_is_known_of_the_stratum() -> None:
    frame = pd.DataFrame({"entry": -1, "exit": 5, "outcome": ["won"] * 3 + ["lost"] + ["unknown"] * 4 + ["open"] * 2})
    row = incidence_bounds(count_events(frame, unknown="bounds"), times=[5]).at(outcome="won").iloc[0]
    assert row[["bound_low", "estimate", "bound_high"]].tolist() == pytest.approx([0.3, 0.6, 0.7])
    assert (row["cum_event"], row["cum_unknown"]) == (3, 4)
    assert np.isnan(row["std_error"])


def test_unknown_may_be_between_some_outcomes_only() -> None:
    frame = pd.DataFrame({"entry": -1, "exit": 5, "outcome": ["won"] * 2 + ["lost"] + ["unknown"] * 2})
    risk = count_events(frame, unknown="bounds")
    result = incidence_bounds(risk, times=[5], between=["lost", "no_decision"])
    won, lost = (result.at(outcome=outcome).iloc[0] for outcome in ("won", "lost"))
    assert won["bound_low"] == won["bound_high"] == won["estimate"] == pytest.approx(0.4)
    assert lost[["bound_low", "estimate", "bound_high"]].tolist() == pytest.approx([0.2, 0.6, 0.6])
    with pytest.raises(InputError, match="between= must name outcomes"):
        incidence_bounds(risk, between=["unknown"])


def test_a_stratum_in_which_nothing_is_known_takes_the_shares_of_the_others_or_equal_ones() -> None:
    frame = pd.DataFrame({"entry": -1, "exit": 5, "outcome": ["unknown"] * 4 + ["won", "lost"], "s": list("aaaabb")})
    result = incidence_bounds(count_events(frame, by="s", unknown="bounds"), times=[5])
    assert result.at(s="a", outcome="won")["estimate"].tolist() == [0.5]
    alone = count_events(frame[frame["s"] == "a"], unknown="bounds")
    assert incidence_bounds(alone, times=[5]).frame["estimate"].tolist() == pytest.approx([1 / 3] * 3)


def test_without_unknown_outcomes_it_says_so() -> None:
    frame = pd.DataFrame({"entry": -1, "exit": [3], "outcome": ["won"]})
    with pytest.raises(InputError, match="no unknown outcomes were counted"):
        incidence_bounds(count_events(frame, unknown="bounds"))
