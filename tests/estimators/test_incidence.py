"""Incidence and survival at the edges: ties, one deal, nobody left, nobody watched, limits at 0 and 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analytics.estimators.counts import count_events
from analytics.estimators.incidence import conditional_incidence, cumulative_incidence, survival
from analytics.estimators.intervals import probability_interval
from analytics.records.errors import InputError


def deals(outcomes: list[str], exits: Any, entry: Any = -1, **more: Any) -> pd.DataFrame:
    return pd.DataFrame({"entry": entry, "exit": exits, "outcome": outcomes, **more})


def at(frame: pd.DataFrame, **keys: Any) -> pd.Series:
    for name, value in keys.items():
        frame = frame[frame[name] == value]
    assert len(frame) == 1
    return frame.iloc[0]


def test_ties_of_all_causes_and_censoring_on_one_day_are_never_jittered() -> None:
    """lifelines 0.30.3 gave 0.333, 0.256, 0.023 or 0.395 by seed where 0.0233 is right: 1 event among 43 at risk."""
    many = deals(["won"] + ["lost"] * 20 + ["open"] * 22, [7] * 43)
    assert at(cumulative_incidence(count_events(many)).frame, outcome="won")["estimate"] == pytest.approx(1 / 43)
    four = deals(["won", "lost", "no_decision", "open"], [3, 3, 3, 3])
    frame = cumulative_incidence(count_events(four)).frame
    assert frame["estimate"].tolist() == [0.25, 0.25, 0.25]
    assert frame["n_risk"].tolist() == [4, 4, 4]
    assert survival(count_events(four)).frame["estimate"].tolist() == [0.25]


def test_a_grid_loses_no_increment() -> None:
    """lifelines' timeline= gave 0.2 for 0.4: increments between two grid points were dropped."""
    rows = deals(["won", "won", "open", "open", "open"], [1, 2, 9, 9, 9])
    assert cumulative_incidence(count_events(rows), times=[5]).at(outcome="won")["estimate"].tolist() == [0.4]


def test_the_lower_limit_is_below_the_upper_and_the_level_counts() -> None:
    """lifelines' "upper" column held the lower limit; scikit-survival's interval ignored conf_level."""
    risk = count_events(deals(["won", "lost", "won", "open"] * 10, list(range(1, 41))))
    wide, narrow = (
        cumulative_incidence(risk, conf_level=level, times=[30]).at(outcome="won").iloc[0] for level in (0.99, 0.8)
    )
    assert wide["conf_low"] < narrow["conf_low"] < narrow["estimate"] < narrow["conf_high"] < wide["conf_high"]


def test_the_last_observation_being_an_event_leaves_an_interval() -> None:
    """scikit-survival: zero width. 10 deals, half won, the last one on the last day: se = sqrt(.25/10)."""
    rows = deals(["lost", "won"] * 5, list(range(1, 11)))
    last = at(cumulative_incidence(count_events(rows), interval="plain").frame, outcome="won", time=10)
    assert last["std_error"] == pytest.approx(np.sqrt(0.25 / 10), abs=1e-14)
    assert last["conf_high"] - last["conf_low"] == pytest.approx(2 * 1.959963984540054 * np.sqrt(0.025))


def test_under_late_entry_incidences_and_survival_sum_to_one() -> None:
    """lifelines: 0.893."""
    rng = np.random.default_rng(3)
    entry = rng.integers(-1, 40, 300)
    rows = deals(rng.choice(["won", "lost", "open"], 300).tolist(), entry + rng.integers(1, 60, 300), entry)
    risk = count_events(rows)
    total = cumulative_incidence(risk).frame.groupby("time")["estimate"].sum()
    np.testing.assert_allclose(total.to_numpy() + survival(risk).frame["estimate"].to_numpy(), 1, atol=1e-13)


def test_a_deal_that_enters_at_t_is_not_at_risk_at_t() -> None:
    """statsmodels' PHReg counts it: (entry, exit]."""
    rows = deals(["won", "lost"], [5, 9], [-1, 5])
    frame = cumulative_incidence(count_events(rows)).frame
    assert at(frame, outcome="won", time=5)[["n_risk", "estimate"]].tolist() == [1, 1.0]


def test_opened_and_closed_on_one_day() -> None:
    frame = cumulative_incidence(count_events(deals(["won", "open"], [0, 4])), times=[0]).frame
    assert at(frame, outcome="won")[["time", "estimate", "n_risk", "n_event"]].tolist() == [0, 0.5, 2, 1]


@pytest.mark.parametrize(("outcome", "low", "high"), [("won", 0.025, 1.0), ("lost", 0.0, 0.975)])
def test_one_deal(outcome: str, low: float, high: float) -> None:
    row = at(cumulative_incidence(count_events(deals(["won"], [4]))).frame, outcome=outcome)
    assert (row["conf_low"], row["conf_high"]) == pytest.approx((low, high))
    assert row["std_error"] == 0


def test_all_open() -> None:
    risk = count_events(deals(["open"] * 40, [9] * 40))
    result = cumulative_incidence(risk)
    assert result.frame["estimate"].tolist() == [0, 0, 0]
    np.testing.assert_allclose(result.frame["conf_high"], 1 - 0.025 ** (1 / 40))
    assert result.meta.note == "All deals: no deal has ended."
    still = survival(risk).frame.iloc[0]
    assert (still["estimate"], still["conf_low"], still["conf_high"]) == (1, pytest.approx(0.025 ** (1 / 40)), 1)


def test_no_deals_is_an_empty_estimate_that_says_so() -> None:
    empty = count_events(deals([], []))
    for result in (cumulative_incidence(empty), survival(empty), conditional_incidence(empty, at_age=3)):
        assert len(result.frame) == 0
        assert "There are no deals." in result.meta.note


def test_limits_at_zero_and_one_rest_on_what_was_watched() -> None:
    """With complete follow-up n(u)/S(u-) is the number of deals, also after most have left for other reasons."""
    complete = deals(["lost"] * 30 + ["no_decision"] * 10, [*range(1, 31), *range(31, 41)])
    frame = cumulative_incidence(count_events(complete)).frame
    np.testing.assert_allclose(frame.loc[frame["outcome"] == "won", "conf_high"], 1 - 0.025 ** (1 / 40), atol=1e-12)
    # half were open and left observation at day 5: from then on 20 count
    censored = deals(["open"] * 20 + ["lost"] * 20, [5] * 20 + [9] * 20)
    frame = cumulative_incidence(count_events(censored)).frame
    assert at(frame, outcome="won", time=5)["conf_high"] == pytest.approx(1 - 0.025 ** (1 / 40))
    assert at(frame, outcome="won", time=9)["conf_high"] == pytest.approx(1 - 0.025 ** (1 / 20))
    assert at(frame, outcome="lost", time=9)["conf_low"] == pytest.approx(0.025 ** (1 / 20))


def test_limits_at_zero_count_accounts_and_weights() -> None:
    rows = deals(["lost"] * 40, [5] * 40, account=[i % 8 for i in range(40)], weight=[1.0, 3.0] * 20)
    clustered = cumulative_incidence(count_events(rows, cluster="account")).frame
    assert at(clustered, outcome="won")["conf_high"] == pytest.approx(1 - 0.025 ** (1 / 8))
    weighted = cumulative_incidence(count_events(rows, weights="weight")).frame
    assert at(weighted, outcome="won")["conf_high"] == pytest.approx(1 - 0.025 ** (200 / 80**2 * 1))


def test_one_account_has_no_interval_and_says_why() -> None:
    rows = deals(["won", "lost", "open"], [1, 2, 3], account="only")
    result = cumulative_incidence(count_events(rows, cluster="account"))
    inside = result.frame["estimate"].between(0.01, 0.99)
    assert result.frame.loc[inside, ["conf_low", "conf_high", "std_error"]].isna().all().all()
    assert result.frame.loc[inside, "no_interval_reason"].str.contains("one account").all()


def test_accounts_that_do_not_differ_have_no_zero_width_interval() -> None:
    rows = deals(["won", "lost"] * 3, [4] * 6, account=[0, 0, 1, 1, 2, 2])
    row = at(cumulative_incidence(count_events(rows, cluster="account")).frame, outcome="won")
    assert row["estimate"] == 0.5
    assert np.isnan(row["conf_low"])
    assert row["no_interval_reason"] == "the accounts do not differ, so their variance says nothing"


def test_everybody_gone_before_the_last_entry_is_noted() -> None:
    rows = deals(["won", "lost", "won"], [2, 20, 30], [-1, 10, 10])
    result = cumulative_incidence(count_events(rows))
    assert "everybody at risk on day 2 ended there (n = 1) while other deals are watched only from later" in (
        result.meta.note
    )
    assert at(result.frame, outcome="won", time=30)["estimate"] == 1
    again = conditional_incidence(count_events(rows), at_age=11)
    assert at(again.frame, outcome="lost", time=20)["estimate"] == 0.5


def test_a_gap_in_which_nobody_is_watched_is_noted() -> None:
    rows = deals(["won", "open", "won", "lost"], [2, 3, 20, 21], [-1, -1, 10, 10])
    result = cumulative_incidence(count_events(rows), times=[5, 15])
    assert "no deal is watched between day 3 and day 10" in result.meta.note
    never = result.at(outcome="no_decision")
    assert never["conf_high"].tolist() == [1, 1]


def test_times_outside_follow_up_have_no_row_and_are_noted() -> None:
    rows = deals(["won", "open"], [5, 9], [2, 2])
    result = cumulative_incidence(count_events(rows), times=[1, 2, 3, 9, 10])
    assert sorted(set(result.frame["time"])) == [3, 9]
    assert "no deal is watched up to day 2" in result.meta.note
    assert "no deal is followed beyond day 9" in result.meta.note
    closed = cumulative_incidence(count_events(deals(["won", "lost"], [5, 9])), times=[100])
    assert at(closed.frame, outcome="won")[["estimate", "n_risk"]].tolist() == [0.5, 0]


def test_strata_stand_alone() -> None:
    rows = deals(["won", "open", "lost", "open"], [5, 9, 5, 300], segment=["a", "a", "b", "b"])
    result = cumulative_incidence(count_events(rows, by="segment"), times=[50])
    assert set(result.frame["segment"]) == {"b"}
    assert result.meta.note == "Segment a: no deal is followed beyond day 9."


def test_a_stratum_that_never_reaches_the_age_is_noted() -> None:
    rows = deals(["won", "open", "lost", "open"], [5, 9, 50, 300], segment=["a", "a", "b", "b"])
    result = conditional_incidence(count_events(rows, by="segment"), at_age=20)
    assert set(result.frame["segment"]) == {"b"}
    assert "Segment a: no deal is followed to day 20." in result.meta.note
    assert result.meta.n_deals == 4


@pytest.mark.parametrize(("how", "message"), [
    ({"interval": "loglog"}, "(?i)did you mean 'log-log'"),
    ({"variance": "greenwod"}, "(?i)did you mean 'greenwood'"),
    ({"conf_level": 95}, "conf_level must lie between 0 and 1"),
    ({"times": [-1]}, "times must be zero or more"),
    ({"times": [np.nan]}, "times must be zero or more"),
])  # fmt: skip
def test_wrong_choices_are_named(how: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        cumulative_incidence(count_events(deals(["won"], [4])), **how)


def test_ages_before_the_condition_are_left_out_and_noted() -> None:
    risk = count_events(deals(["won", "lost", "open"], [4, 9, 12]))
    result = conditional_incidence(risk, at_age=5, times=[2, 9])
    assert sorted(set(result.frame["time"])) == [9]
    assert result.meta.note == "Ages below 5 days are left out."
    assert len(conditional_incidence(risk, at_age=5, times=[2]).frame) == 0


def test_a_negative_age_is_refused() -> None:
    with pytest.raises(InputError, match="at_age must be zero or more"):
        conditional_incidence(count_events(deals(["won"], [4])), at_age=-2)


def test_meta_says_how_it_was_made() -> None:
    rows = deals(["won", "lost", "open"], [1, 2, 3], account=["x", "y", "y"])
    clustered = cumulative_incidence(count_events(rows, cluster="account")).meta
    assert (clustered.variance, clustered.cluster) == ("infinitesimal jackknife by account, times C/(C-1)", "account")
    assert (clustered.n_deals, clustered.n_accounts) == (3, 2)
    plain = cumulative_incidence(count_events(rows)).meta
    assert (plain.variance, plain.cluster, plain.interval, plain.n_accounts) == ("Greenwood", None, "log-log", None)
    forced = cumulative_incidence(count_events(rows, cluster="account"), variance="greenwood").meta
    assert (forced.variance, forced.cluster) == ("Greenwood", None)


def test_log_log_limits_by_hand() -> None:
    low, high = probability_interval(np.array([0.2]), np.array([0.04]), np.array([100.0]))
    width = 1.959963984540054 * 0.04 / (0.2 * abs(np.log(0.2)))
    assert (low[0], high[0]) == pytest.approx((0.2 ** np.exp(width), 0.2 ** np.exp(-width)), abs=1e-15)


@pytest.mark.parametrize("interval", ["log-log", "log", "logit", "plain"])
def test_limits_stay_in_range_whatever_the_error(interval: Any) -> None:
    estimate = np.array([1e-12, 0.5, 1 - 1e-12])
    low, high = probability_interval(estimate, np.array([0.5, 3.0, 0.5]), np.full(3, 4.0), interval=interval)
    assert ((low >= 0) & (low <= estimate) & (estimate <= high) & (high <= 1)).all()
