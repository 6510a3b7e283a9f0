"""The age by which a share of deals has an outcome: against a three-line loop, and where it is not reached."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.estimators.counts import count_events
from analytics.estimators.incidence import cumulative_incidence, survival
from analytics.estimators.quantiles import NO_UPPER, time_to_incidence
from analytics.records.errors import InputError


def deals(n: int = 80, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    entry = np.where(rng.random(n) < 0.3, rng.integers(-1, 5, n), -1)
    return pd.DataFrame({
        "entry": entry, "exit": entry + 1 + rng.integers(0, 40, n), "outcome": rng.choice(["won", "lost", "open"], n),
        "team": rng.choice(["x", "y"], n), "account": rng.integers(0, 12, n),
    })  # fmt: skip


@pytest.mark.parametrize("cluster", [None, "account"])
def test_first_days_on_which_the_curve_and_its_limits_reach_the_share(cluster: str | None) -> None:
    risk = count_events(deals(), by="team", cluster=cluster)
    curves = cumulative_incidence(risk).frame
    result = time_to_incidence(risk, shares=[0.1, 0.25, 0.9]).frame
    assert len(result) == 2 * 3 * 3
    for row in result.to_dict("records"):
        curve = curves[(curves["team"] == row["team"]) & (curves["outcome"] == row["outcome"])]
        for name, column in (("estimate", "estimate"), ("conf_low", "conf_high"), ("conf_high", "conf_low")):
            days = [t for t, value in zip(curve["time"], curve[column], strict=True) if value >= row["share"] - 1e-12]
            assert row[name] == days[0] if days else np.isnan(row[name])


def test_a_median_of_one_outcome_is_the_kaplan_meier_median() -> None:
    frame = deals().assign(outcome=lambda d: d["outcome"].replace("lost", "won"))
    risk = count_events(frame)
    row = time_to_incidence(risk, shares=[0.5]).at(outcome="won").iloc[0]
    curve = survival(risk).frame
    assert row["estimate"] == curve.loc[curve["estimate"] <= 0.5, "time"].min()


def test_what_is_not_reached_says_how_far_it_went() -> None:
    frame = pd.DataFrame({"entry": -1, "exit": [4, 6, 9, 9], "outcome": ["won", "lost", "lost", "open"]})
    row = time_to_incidence(count_events(frame), shares=[0.5]).at(outcome="won").iloc[0]
    assert np.isnan(row["estimate"])
    assert row["no_interval_reason"] == "25.0 % have this outcome by day 9, the end of follow-up"
    assert (row["reached_share"], row["followed_to"], row["conf_low"]) == (0.25, 9.0, 4.0)
    ended = frame.assign(outcome=["won", "lost", "lost", "lost"])
    row = time_to_incidence(count_events(ended), shares=[0.5]).at(outcome="won").iloc[0]
    assert row["no_interval_reason"] == "25.0 % have this outcome by day 9, and no deal is open any more"
    row = time_to_incidence(count_events(frame), shares=[0.25]).at(outcome="won").iloc[0]
    assert (row["estimate"], row["no_interval_reason"]) == (4.0, NO_UPPER)


def test_edges() -> None:
    assert len(time_to_incidence(count_events(deals().iloc[:0]), shares=[0.5]).frame) == 0
    one = deals().iloc[:1].assign(entry=-1, exit=5, outcome="won")
    row = time_to_incidence(count_events(one), shares=[0.5]).at(outcome="won").iloc[0]
    assert (row["estimate"], row["conf_low"]) == (5.0, 5.0)
    with pytest.raises(InputError, match="between 0 and 1"):
        time_to_incidence(count_events(one), shares=[0.5, 50])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10_000), st.integers(1, 9))
def test_time_shift_and_order_of_rows(seed: int, shift: int) -> None:
    frame = deals(30, seed)
    base = time_to_incidence(count_events(frame), shares=[0.2, 0.4]).frame
    mixed = frame.sample(frac=1, random_state=seed)
    pd.testing.assert_frame_equal(time_to_incidence(count_events(mixed), shares=[0.2, 0.4]).frame, base)
    moved = frame.assign(entry=frame["entry"] + shift, exit=frame["exit"] + shift)
    later = time_to_incidence(count_events(moved), shares=[0.2, 0.4]).frame
    for name in ("estimate", "conf_low", "conf_high"):
        np.testing.assert_allclose(later[name], base[name] + shift)
