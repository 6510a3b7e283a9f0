"""Delay from closing to recording: R's survfit in reverse time, closed forms, recovery of a known delay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analytics.estimators.reporting_delay import reporting_delay, settled_lag_days
from analytics.records.errors import InputError

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def delays(days: Any, window: Any, outcome: Any = "lost") -> pd.DataFrame:
    return pd.DataFrame({"outcome": outcome, "delay_days": days, "window_days": window})


def test_it_is_survfit_in_reverse_time() -> None:
    inputs = pd.read_csv(GOLDEN / "inputs" / "delays.csv")
    theirs = pd.read_csv(GOLDEN / "delay.csv", skipinitialspace=True)
    mine = reporting_delay(delays(inputs["x"], inputs["window"])).frame
    for column in ("time", "estimate", "std_error", "n_risk", "n_event"):
        np.testing.assert_allclose(mine[column], theirs[column], atol=1e-12, err_msg=column)
    inside = theirs["estimate"] < 1
    for column in ("conf_low", "conf_high"):
        np.testing.assert_allclose(mine.loc[inside, column], theirs.loc[inside, column], atol=1e-12)


def test_where_nothing_is_cut_off_it_is_the_plain_share() -> None:
    days = np.array([0, 0, 1, 4, 4, 9, 9, 9, 12, 20])
    frame = reporting_delay(delays(days, 20)).frame
    for _, row in frame.iterrows():
        share = (days <= row["time"]).mean()
        assert row["estimate"] == pytest.approx(share, abs=1e-14)
        assert row["std_error"] == pytest.approx(np.sqrt(share * (1 - share) / 10), abs=1e-14)
        assert row["cum_event"] == (days <= row["time"]).sum()


def test_the_newest_closings_do_not_make_recording_look_prompt() -> None:
    """True delay uniform on 0..29; closings of the last 60 days: the plain share within 10 days is far too high."""
    rng = np.random.default_rng(8)
    window, days = rng.integers(0, 60, 40_000), rng.integers(0, 30, 40_000)
    seen = delays(days, window)[days <= window]
    frame = reporting_delay(seen).frame.set_index("time")
    assert (seen["delay_days"] <= 10).mean() > 11 / 30 + 0.05
    assert frame.loc[10, "conf_low"] < 11 / 30 < frame.loc[10, "conf_high"]
    assert abs(frame.loc[10, "estimate"] - 11 / 30) < 0.01


def test_the_slowest_outcome_settles_the_books() -> None:
    both = pd.concat([delays([0] * 95 + [3] * 5, 50, "won"), delays([0] * 50 + [20] * 45 + [40] * 5, 50)])
    estimate = reporting_delay(both)
    assert estimate.at(outcome="won", time=0)["estimate"].tolist() == [0.95]
    assert settled_lag_days(estimate) == 20
    assert settled_lag_days(estimate, share=1) == 40
    assert settled_lag_days(estimate, share=0.5) == 0


def test_no_day_zero_starts_at_nothing() -> None:
    frame = reporting_delay(delays([2, 5], 9)).frame
    assert frame[["time", "estimate"]].to_numpy().tolist() == [[0, 0], [2, 0.5], [5, 1]]
    assert frame["conf_high"].iloc[0] == pytest.approx(1 - 0.025 ** (1 / 2))


def test_nothing_recorded_is_nothing_to_wait_for() -> None:
    empty = reporting_delay(delays([], []))
    assert len(empty.frame) == 0
    assert empty.meta.note == "No recording dates: nothing to estimate."
    assert settled_lag_days(empty) == 0


@pytest.mark.parametrize(("frame", "message"), [
    (delays([-1, 2], 9), "1 delays are negative or longer than their window, the first is -1 of 9 days"),
    (delays([1, 12], 9), "the first is 12 of 9 days"),
    (delays([1, None], 9), "column 'delay_days': a value is missing"),
    (delays([1], 9).drop(columns="window_days"), "no column 'window_days'"),
])  # fmt: skip
def test_wrong_delays_are_named(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(InputError, match=message):
        reporting_delay(frame)


@pytest.mark.parametrize("share", [0, 1.5])
def test_a_share_is_a_share(share: float) -> None:
    with pytest.raises(InputError, match="share must lie above 0"):
        settled_lag_days(reporting_delay(delays([1], 9)), share=share)
