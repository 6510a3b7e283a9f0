"""What must hold whatever the deals are: Hypothesis against loops that are too simple to be wrong."""

from __future__ import annotations

from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.estimators.counts import RiskTable, count_events
from analytics.estimators.incidence import conditional_incidence, cumulative_incidence, survival
from analytics.estimators.mean_time import restricted_mean_time_lost

OUTCOMES = ("won", "lost", "no_decision")
NUMBERS = ["estimate", "std_error", "conf_low", "conf_high"]
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def deals(draw: st.DrawFn, least: int = 1) -> pd.DataFrame:
    row = st.tuples(
        st.integers(-1, 9), st.integers(1, 14), st.sampled_from([*OUTCOMES, "open", "open"]), st.sampled_from("ab"),
        st.integers(0, 5), st.integers(1, 8),
    )  # fmt: skip
    rows = draw(st.lists(row, min_size=least, max_size=30))
    frame = pd.DataFrame(rows, columns=["entry", "watched", "outcome", "segment", "account", "weight"])
    frame["exit"] = frame["entry"] + frame["watched"]
    frame["deal_id"] = [f"d{i}" for i in range(len(frame))]
    return frame.astype(
        {"entry": np.int64, "exit": np.int64, "weight": float, "outcome": object, "segment": object, "deal_id": object}
    )


def slow_incidence(frame: pd.DataFrame, weight: str | None = None) -> dict[tuple[str, int], float]:
    """The definition, read off deal by deal."""
    w = [1.0] * len(frame) if weight is None else frame[weight].tolist()
    rows = list(zip(frame["entry"], frame["exit"], frame["outcome"], w, strict=True))
    values, surviving, so_far = {}, 1.0, dict.fromkeys(OUTCOMES, 0.0)
    for t in sorted(set(frame["exit"])):
        at_risk = sum(w for entry, leave, _, w in rows if entry < t <= leave)
        ended = {k: sum(w for _, leave, o, w in rows if leave == t and o == k) for k in OUTCOMES}
        for k in OUTCOMES:
            so_far[k] += surviving * ended[k] / at_risk
            values[k, t] = so_far[k]
        surviving *= 1 - sum(ended.values()) / at_risk
    return values


def same_cells(a: RiskTable, b: RiskTable) -> None:
    keys = [name for name in a.cells.columns if name not in ("n", "w", "w2")]
    left, right = (t.cells.sort_values(keys).reset_index(drop=True) for t in (a, b))
    pd.testing.assert_frame_equal(left, right, check_dtype=False, rtol=1e-12)
    assert (a.n_deals, a.n_accounts, a.outcomes, a.by) == (b.n_deals, b.n_accounts, b.outcomes, b.by)


def close(a: pd.DataFrame, b: pd.DataFrame, columns: list[str] | None = None) -> None:
    for name in columns or NUMBERS:
        np.testing.assert_allclose(a[name].to_numpy(), b[name].to_numpy(), atol=2e-9, err_msg=name)


@QUICK
@given(deals())
def test_incidence_is_its_definition(frame: pd.DataFrame) -> None:
    for weight in (None, "weight"):
        mine = cumulative_incidence(count_events(frame, weights=weight)).frame
        slow = slow_incidence(frame, weight)
        assert len(mine) == len(slow)
        for _, row in mine.iterrows():
            assert row["estimate"] == pytest.approx(slow[row["outcome"], row["time"]], abs=1e-12)


@QUICK
@given(deals(), st.sampled_from([None, "weight"]), st.sampled_from([None, "account"]))
def test_incidences_and_survival_sum_to_one(frame: pd.DataFrame, weights: str | None, cluster: str | None) -> None:
    risk = count_events(frame, by="segment", weights=weights, cluster=cluster)
    total = cumulative_incidence(risk).frame.groupby(["segment", "time"])["estimate"].sum()
    still = survival(risk).frame.set_index(["segment", "time"])["estimate"]
    np.testing.assert_allclose((total + still).to_numpy(), 1.0, atol=1e-12)


@QUICK
@given(deals(least=0), deals(least=0))
def test_counts_of_a_union_add(a: pd.DataFrame, b: pd.DataFrame) -> None:
    b = b.assign(deal_id="other " + b["deal_id"])
    for how in ({}, {"by": "segment", "cluster": "account"}, {"weights": "weight", "by": ["segment", "account"]}):
        whole = count_events(pd.concat([a, b]), **how)  # type: ignore[arg-type]
        same_cells(count_events(a, **how) + count_events(b, **how), whole)  # type: ignore[arg-type]


@QUICK
@given(deals())
def test_one_cause_is_one_minus_kaplan_meier(frame: pd.DataFrame) -> None:
    frame["outcome"] = np.where(frame["outcome"] == "open", "open", "won")
    for variance in ("greenwood", "infinitesimal_jackknife"):
        risk = count_events(frame, outcomes=["won"])
        one = cumulative_incidence(risk, variance=variance, interval="plain").frame  # type: ignore[arg-type]
        km = survival(risk, variance=variance, interval="plain").frame  # type: ignore[arg-type]
        np.testing.assert_allclose(one["estimate"], 1 - km["estimate"], atol=1e-12)
        np.testing.assert_allclose(one["std_error"], km["std_error"], atol=1e-8)


@QUICK
@given(deals(), st.randoms(use_true_random=False))
def test_row_order_changes_nothing(frame: pd.DataFrame, order: Any) -> None:
    shuffled = frame.sample(frac=1, random_state=order.randrange(2**31))
    for cluster in (None, "account"):
        a, b = (count_events(f, by="segment", cluster=cluster, weights="weight") for f in (frame, shuffled))
        pd.testing.assert_frame_equal(a.cells, b.cells)
        pd.testing.assert_frame_equal(cumulative_incidence(a).frame, cumulative_incidence(b).frame)


@QUICK
@given(deals(), st.floats(0.01, 0.99))
def test_splitting_a_deal_changes_nothing(frame: pd.DataFrame, where: float) -> None:
    """Two rows, the second entering where the first is cut, are the same deal: also for the error by deal."""
    cut = frame["entry"] + where * (frame["exit"] - frame["entry"])
    split = pd.concat([frame.assign(exit=cut, outcome="open"), frame.assign(entry=cut)])
    times = sorted(set(frame["exit"]))
    for how in ({}, {"cluster": "deal_id"}, {"cluster": "account", "weights": "weight"}):
        for estimate in (cumulative_incidence, survival):
            whole = estimate(count_events(frame, **how), times=times).frame  # type: ignore[arg-type, operator]
            parts = estimate(count_events(split, **how), times=times).frame  # type: ignore[arg-type, operator]
            close(whole, parts)
            assert (whole["n_risk"] == parts["n_risk"]).all()
    horizon = float(frame["exit"].max()) or 1.0
    for how in ({}, {"cluster": "deal_id"}):
        whole, parts = (
            restricted_mean_time_lost(count_events(f, **how), horizon_days=horizon).frame  # type: ignore[arg-type]
            for f in (frame, split)
        )
        close(whole, parts, ["estimate", "std_error"])


@QUICK
@given(deals(), st.integers(1, 500))
def test_time_shift_changes_nothing(frame: pd.DataFrame, days: int) -> None:
    later = frame.assign(entry=frame["entry"] + days, exit=frame["exit"] + days)
    for cluster in (None, "account"):
        a, b = (cumulative_incidence(count_events(f, cluster=cluster)).frame for f in (frame, later))
        close(a, b)
        assert (a["time"] + days == b["time"]).all()


@QUICK
@given(deals(), st.permutations(OUTCOMES))
def test_naming_the_causes_otherwise_changes_nothing(frame: pd.DataFrame, names: list[str]) -> None:
    renamed = frame.replace({"outcome": dict(zip(OUTCOMES, names, strict=True))})
    a, b = (cumulative_incidence(count_events(f, cluster="account")).frame for f in (frame, renamed))
    for old, new in zip(OUTCOMES, names, strict=True):
        close(a[a["outcome"] == old], b[b["outcome"] == new])


@QUICK
@given(deals(), st.floats(0.05, 50))
def test_the_scale_of_weights_changes_nothing(frame: pd.DataFrame, scale: float) -> None:
    for cluster in (None, "account"):
        a, b = (
            cumulative_incidence(count_events(f, weights="weight", cluster=cluster)).frame
            for f in (frame, frame.assign(weight=frame["weight"] * scale))
        )
        close(a, b)


@QUICK
@given(deals())
def test_weight_one_is_no_weight_and_own_account_is_no_account(frame: pd.DataFrame) -> None:
    plain = cumulative_incidence(count_events(frame), variance="infinitesimal_jackknife").frame
    ones = cumulative_incidence(count_events(frame.assign(weight=1.0), weights="weight")).frame
    pd.testing.assert_frame_equal(plain, ones)
    if len(frame) > 1:
        own = cumulative_incidence(count_events(frame, cluster="deal_id")).frame
        np.testing.assert_allclose(
            own["std_error"], plain["std_error"] * np.sqrt(len(frame) / (len(frame) - 1)), atol=2e-9
        )


@QUICK
@given(deals())
def test_without_late_entry_greenwood_is_the_jackknife(frame: pd.DataFrame) -> None:
    frame = frame.assign(entry=-1, exit=frame["watched"])
    risk = count_events(frame)
    a = cumulative_incidence(risk, variance="greenwood").frame
    b = cumulative_incidence(risk, variance="infinitesimal_jackknife").frame
    np.testing.assert_allclose(a["std_error"] ** 2, b["std_error"] ** 2, atol=1e-14)


@QUICK
@given(deals(), st.integers(0, 12))
def test_conditional_is_the_ratio(frame: pd.DataFrame, age: int) -> None:
    risk = count_events(frame)
    whole, still = slow_incidence(frame), survival(risk).frame
    before = still.loc[still["time"] < age, "estimate"]
    alive = before.iloc[-1] if len(before) else 1.0
    mine = conditional_incidence(risk, at_age=age).frame
    if alive == 0:
        return  # nobody is known to be open; the restarted curve then describes later entrants only
    for _, row in mine.iterrows():
        start = max((t for k, t in whole if k == row["outcome"] and t < age), default=None)
        base = whole[row["outcome"], start] if start is not None else 0.0
        expected = (whole[row["outcome"], row["time"]] - base) / alive
        assert row["estimate"] == pytest.approx(expected, abs=1e-10)


@QUICK
@given(deals())
def test_times_in_any_order_give_the_step_at_or_before(frame: pd.DataFrame) -> None:
    risk = count_events(frame)
    full = cumulative_incidence(risk).frame
    grid = cumulative_incidence(risk, times=[23.5, 0, 7, 3.25]).frame
    for _, row in grid.iterrows():
        known = full[(full["outcome"] == row["outcome"]) & (full["time"] <= row["time"])]
        assert row["estimate"] == (known["estimate"].iloc[-1] if len(known) else 0.0)
        inside = (frame["entry"] < row["time"]) & (row["time"] <= frame["exit"])
        assert row["n_risk"] == inside.sum()
        ended = frame["outcome"] == row["outcome"]
        assert row["cum_event"] == (ended & (frame["exit"] <= row["time"])).sum()
        assert row["n_event"] == (ended & (frame["exit"] == row["time"])).sum()


@QUICK
@given(deals(), st.floats(0.5, 30))
def test_mean_times_add_up_to_the_horizon(frame: pd.DataFrame, horizon: float) -> None:
    result = restricted_mean_time_lost(
        count_events(frame, by="segment"), horizon_days=horizon, beyond_follow_up="carry"
    ).frame
    np.testing.assert_allclose(result.groupby("segment")["estimate"].sum(), horizon, atol=1e-10)


@settings(max_examples=10, deadline=None)
@given(deals(), st.integers(1, 4))
def test_a_group_by_counts_what_numpy_counts(frame: pd.DataFrame, gaps: int) -> None:
    frame["account"] = frame["account"].astype(str).where(frame.index % gaps > 0, None)
    frame["segment"] = frame["segment"].where(frame.index % (gaps + 1) > 0, None)
    frame = pd.concat([frame, frame.tail(1).assign(account="x", segment="a", deal_id="last")])  # a typed column
    table = ibis.memtable(frame)
    hows: list[dict[str, Any]] = [
        {}, {"weights": "weight"}, {"by": "segment"}, {"cluster": "account"},
        {"by": ["segment"], "cluster": "account", "weights": "weight"},
    ]  # fmt: skip
    for how in hows:
        same_cells(count_events(frame, **how), count_events(table, **how))


@QUICK
@given(deals())
def test_categories_and_numbers_count_as_text_does(frame: pd.DataFrame) -> None:
    typed = frame.astype({"outcome": "category", "segment": "category", "exit": "int16", "entry": "float64"})
    same_cells(count_events(typed, by="segment"), count_events(frame, by="segment"))
    fractions = frame.assign(entry=frame["entry"] + 0.25, exit=frame["exit"] + 0.25)
    close(cumulative_incidence(count_events(fractions)).frame, cumulative_incidence(count_events(frame)).frame)


@QUICK
@given(deals())
def test_nothing_is_drawn_at_random(frame: pd.DataFrame) -> None:
    """lifelines 0.30.3 jitters ties and resets the caller's seed."""
    before = np.random.get_state()  # noqa: NPY002 - the global state is what must stay untouched
    first = cumulative_incidence(count_events(frame, cluster="account")).frame
    after = np.random.get_state()  # noqa: NPY002
    assert (before[1] == after[1]).all()
    assert before[2] == after[2]
    pd.testing.assert_frame_equal(first, cumulative_incidence(count_events(frame, cluster="account")).frame)
