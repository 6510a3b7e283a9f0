"""Guards of the tests between groups, quantiles and cumulative hazards on counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_properties import QUICK, deals

from analytics.estimators.counts import count_events
from analytics.estimators.cumulative_hazard import cumulative_hazard
from analytics.estimators.group_tests import gray_test
from analytics.estimators.group_tests import logrank_test as logrank
from analytics.estimators.subdistribution_test import subdistribution_score_test as score_test
from analytics.records.errors import InputError


def outcome_of(frame: pd.DataFrame, test: Any, outcome: str = "won") -> Any:
    try:
        shown = test(count_events(frame, by="segment"), outcome=outcome).frame
    except InputError as error:
        return str(error).split(":")[0]
    return shown[["estimate", "df", "p_value"]].to_numpy(dtype=float)


def same(a: Any, b: Any) -> None:
    if isinstance(a, str) or isinstance(b, str):
        assert a == b
    else:
        np.testing.assert_allclose(a, b, atol=1e-8)


@pytest.mark.parametrize("test", [gray_test, logrank, score_test])
@QUICK
@given(frame=deals(), order=st.integers(0, 99), days=st.integers(1, 300))
def test_order_shift_and_names_change_no_test(test: Any, frame: pd.DataFrame, order: int, days: int) -> None:
    if test is gray_test:
        frame = frame.assign(entry=-1, exit=frame["watched"])
    whole = outcome_of(frame, test)
    same(whole, outcome_of(frame.sample(frac=1, random_state=order), test))
    same(whole, outcome_of(frame.replace({"segment": {"a": "b", "b": "a"}}), test))
    swapped = frame.replace({"outcome": {"won": "lost", "lost": "won"}})
    same(whole, outcome_of(swapped, test, outcome="lost"))
    same(whole, outcome_of(frame.assign(entry=frame["entry"] + days, exit=frame["exit"] + days), test))


@QUICK
@given(frame=deals(), where=st.floats(0.01, 0.99), days=st.integers(1, 300))
def test_splitting_and_shifting_change_no_cumulative_hazard(frame: pd.DataFrame, where: float, days: int) -> None:
    cut = frame["entry"] + where * (frame["exit"] - frame["entry"])
    split = pd.concat([frame.assign(exit=cut, outcome="open"), frame.assign(entry=cut)])
    later = frame.assign(entry=frame["entry"] + days, exit=frame["exit"] + days)
    times = sorted(set(frame["exit"]))
    whole = cumulative_hazard(count_events(frame), times=times).frame
    for other, at in ((split, times), (later, [t + days for t in times])):
        frame_ = cumulative_hazard(count_events(other), times=at).frame
        np.testing.assert_allclose(frame_["estimate"], whole["estimate"], atol=1e-9)
