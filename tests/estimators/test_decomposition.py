"""Mix and rate: R's Kitagawa, exact adding up, the whole-quarter change, and coverage of the bootstrap."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t

from analytics.estimators.bootstrap import Resampling
from analytics.estimators.counts import count_events
from analytics.estimators.decomposition import Pace, incidence_change, mix_and_rate
from analytics.estimators.incidence import cumulative_incidence
from analytics.estimators.kitagawa import kitagawa

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
FEW = Resampling(reps=60, seed=3)


def test_kitagawa_is_that_of_r() -> None:
    golden = json.loads((GOLDEN / "syn_rates.json").read_text())["kitagawa_two_way_segment"]["value"]
    table = pd.read_csv(GOLDEN / "inputs" / "syn_rates.csv")
    table["n"] = table[["won", "lost", "nodecision"]].sum(axis=1)
    by = table.groupby(["quarter", "segment"])[["won", "n"]].sum()
    then, now = by.loc["Q1"], by.loc["Q2"]
    assert then.index.tolist() == golden["segments"]
    found = kitagawa(
        then["n"] / then["n"].sum(), now["n"] / now["n"].sum(), then["won"] / then["n"], now["won"] / now["n"]
    )
    np.testing.assert_allclose(found["mix"], golden["mix"], atol=1e-14)
    np.testing.assert_allclose(found["rate"], golden["rate"], atol=1e-14)
    sums = (found["mix"].sum(), found["rate"].sum(), found.to_numpy().sum())
    assert sums == pytest.approx((golden["mix_total"], golden["rate_total"], golden["total"]), abs=1e-14)


levels = st.lists(
    st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1),
              st.sampled_from(["both", "new", "gone"])),
    min_size=1, max_size=6,
)  # fmt: skip


@given(levels, st.floats(-1, 1))
@settings(max_examples=300, deadline=None)
def test_parts_add_up_whatever_appears_or_vanishes(rows: list[tuple], centre: float) -> None:
    a, b, r1, r2 = (np.array([row[i] for row in rows]) for i in range(4))
    kind = np.array([row[4] for row in rows])
    a, b = np.where(kind == "new", 0, a), np.where(kind == "gone", 0, b)
    if a.sum() < 1e-6 or b.sum() < 1e-6:
        return
    w1, w2 = a / a.sum(), b / b.sum()
    total = np.sum(w2 * r2) - np.sum(w1 * r1)
    found = kitagawa(w1, w2, np.where(kind == "new", np.nan, r1), np.where(kind == "gone", np.nan, r2), centre=centre)
    assert found.to_numpy().sum() == pytest.approx(total, abs=1e-12)
    assert (found["appeared"][kind != "new"] == 0).all()
    assert (found["vanished"][kind != "gone"] == 0).all()


def test_shares_that_do_not_sum_and_rates_that_miss_are_refused() -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        kitagawa([0.5, 0.4], [0.5, 0.5], [0.1, 0.2], [0.1, 0.2])
    with pytest.raises(ValueError, match="needs a rate"):
        kitagawa([0.5, 0.5], [0.5, 0.5], [0.1, float("nan")], [0.1, 0.2])


def a_quarter(seed: int, n: int = 150, names: str = "xyz", accounts: int = 70) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    opened = rng.random(n) < 0.6
    entry = np.where(opened, -1, rng.integers(0, 60, n))
    return pd.DataFrame({
        "entry": entry, "exit": entry + rng.integers(1, 60, n), "opened_in_period": opened,
        "outcome": rng.choice(["won", "lost", "no_decision", "open"], n, p=[0.3, 0.25, 0.15, 0.3]),
        "segment": rng.choice(list(names), n), "account_id": rng.integers(0, accounts, n).astype(str),
    })  # fmt: skip


def incidence(deals: pd.DataFrame, horizon: int, outcome: str = "won") -> float:
    frame = cumulative_incidence(count_events(deals)).frame
    frame = frame[(frame["outcome"] == outcome) & (frame["time"] <= horizon)]
    return float(frame["estimate"].iloc[-1])


@given(st.integers(0, 5000), st.sampled_from(["xyz", "xy", "xyzw", "x"]), st.sampled_from(["xyz", "yz", "x"]))
@settings(max_examples=40, deadline=None)
def test_parts_of_a_period_add_up_to_the_change_of_all_deals(seed: int, before: str, after: str) -> None:
    then, now = a_quarter(seed, names=before), a_quarter(seed + 1, names=after)
    found = mix_and_rate(Pace(then), Pace(now), by="segment", horizon_days=70, resampling=Resampling(reps=5))
    whole = found[found["level"] == "all"].set_index("part")["estimate"]
    assert whole.drop("total").sum() == pytest.approx(whole["total"], abs=1e-12)
    assert whole["total"] == pytest.approx(incidence(now, 70) - incidence(then, 70), abs=1e-12)
    single = found[found["level"] != "all"].groupby("part")["estimate"].sum()
    for part, value in single.items():
        assert whole[part] == pytest.approx(value, abs=1e-12)
    assert set(found.loc[found["part"] == "appeared", "level"]) - {"all"} == set(after) - set(before)
    assert set(found.loc[found["part"] == "vanished", "level"]) - {"all"} == set(before) - set(after)


def test_parts_by_hand_without_truncation() -> None:
    """Everybody followed from opening: x is 4 of 8, then 2 of 8; won 1/4 in x and 2/4 in y, then 1/2 and 3/6."""

    def side(x_won: int, x: int, y_won: int, y: int) -> pd.DataFrame:
        won = [True] * x_won + [False] * (x - x_won) + [True] * y_won + [False] * (y - y_won)
        return pd.DataFrame({
            "entry": -1, "exit": np.where(won, 5, 30), "outcome": np.where(won, "won", "open"),
            "opened_in_period": True, "segment": ["x"] * x + ["y"] * y, "account_id": [str(i) for i in range(x + y)],
        })  # fmt: skip

    found = mix_and_rate(Pace(side(1, 4, 2, 4)), Pace(side(1, 2, 3, 6)), by="segment", horizon_days=30, resampling=FEW)
    value = found.set_index(["level", "part"])["estimate"]
    centre = (0.5 * 0.25 + 0.5 * 0.5 + 0.25 * 0.5 + 0.75 * 0.5) / 2
    assert value["x", "mix"] == pytest.approx((0.25 - 0.5) * ((0.25 + 0.5) / 2 - centre))
    assert value["y", "mix"] == pytest.approx((0.75 - 0.5) * (0.5 - centre))
    assert value["x", "rate"] == pytest.approx((0.5 - 0.25) * (0.5 + 0.25) / 2)
    assert value["y", "rate"] == pytest.approx(0)
    assert value["all", "stock"] == pytest.approx(0, abs=1e-12)
    assert value["all", "total"] == pytest.approx(4 / 8 - 3 / 8)


def test_the_total_has_the_same_interval_wherever_it_is_printed() -> None:
    then, now = a_quarter(1), a_quarter(2)
    change = incidence_change(Pace(then), Pace(now), horizon_days=70).set_index("outcome").loc["won"]
    parts = mix_and_rate(Pace(then), Pace(now), by="segment", horizon_days=70, resampling=FEW)
    total = parts[(parts["level"] == "all") & (parts["part"] == "total")].iloc[0]
    for name in ("estimate", "std_error", "conf_low", "conf_high"):
        assert total[name] == pytest.approx(change[name], abs=1e-12)


def test_shared_accounts_count_once() -> None:
    """The same deals in both quarters cannot differ; in other accounts they can, and as much as independent ones."""
    deals = a_quarter(3)
    same = incidence_change(Pace(deals), Pace(deals), horizon_days=70)
    assert (same["estimate"] == 0).all()
    assert same.loc[same["outcome"] != "unknown", "std_error"].max() < 1e-9
    other = deals.assign(account_id="o" + deals["account_id"])
    apart = incidence_change(Pace(deals), Pace(other), horizon_days=70).set_index("outcome")
    one = cumulative_incidence(count_events(deals, cluster="account_id"), times=[70]).at(outcome="won").iloc[0]
    assert apart.at["won", "std_error"] == pytest.approx(np.sqrt(2) * one["std_error"], abs=1e-12)


def everybody_followed(won: int, n: int, name: str) -> pd.DataFrame:
    return pd.DataFrame({
        "entry": -1, "exit": 5, "outcome": ["won"] * won + ["lost"] * (n - won), "opened_in_period": True,
        "segment": "x", "account_id": [f"{name}{i}" for i in range(n)],
    })  # fmt: skip


def test_a_side_without_an_event_keeps_its_chance_of_one() -> None:
    """0 of 40 now, 3 of 40 then: MOVER by hand; the resamples of the 0 would all be 0."""
    then, now = everybody_followed(3, 40, "t"), everybody_followed(0, 40, "n")
    row = incidence_change(Pace(then), Pace(now), horizon_days=5).set_index("outcome").loc["won"]
    p, upper = 3 / 40, 1 - 0.025 ** (1 / 40)
    # C/(C-1) and t by account, 39 degrees of freedom eased since only 3 deals were won
    width = t.ppf(0.975, 39 * (1 + (8 / 3) ** 2)) * np.sqrt(p * (1 - p) / 39) / (p * -np.log(p))
    low, high = p ** np.exp(width), p ** np.exp(-width)
    assert row["conf_low"] == pytest.approx(-p - (high - p), abs=1e-12)
    assert row["conf_high"] == pytest.approx(-p + np.hypot(upper, p - low), abs=1e-12)
    assert row["conf_high"] > 0
    assert row["p_value"] > 0.05
    assert (row["n_event_then"], row["n_event_now"]) == (3, 0)
    assert row["std_error"] == pytest.approx((row["conf_high"] - row["conf_low"]) / (2 * 1.959963984540054))


def test_limits_of_small_sides_seldom_miss_nothing() -> None:
    """200 pairs of quarters alike, 60 deals at 4 %: at most 5 % (99.9 % binomial band) exclude 0."""
    rng, wrong = np.random.default_rng(5), 0
    for _ in range(200):
        won = rng.binomial([60, 30], 0.04)
        sides = [everybody_followed(int(x), n, name) for x, n, name in zip(won, (60, 30), "tn", strict=True)]
        row = incidence_change(Pace(sides[0]), Pace(sides[1]), horizon_days=5, causes=("won", "lost")).iloc[0]
        wrong += int(row["conf_low"] > 0 or row["conf_high"] < 0)
        assert -1 <= row["conf_low"] <= row["estimate"] <= row["conf_high"] <= 1
    assert wrong / 200 < 0.05 + 3.29 * np.sqrt(0.05 * 0.95 / 200)


def test_borrowing_is_named() -> None:
    then, now = a_quarter(4), a_quarter(5)
    lonely = pd.DataFrame({
        "entry": [-1, -1], "exit": [3, 4], "outcome": ["won", "open"], "opened_in_period": True, "segment": "lonely",
        "account_id": ["p", "q"],
    })  # fmt: skip
    sides = [Pace(pd.concat([side, lonely], ignore_index=True)) for side in (then, now)]
    found = mix_and_rate(*sides, by="segment", horizon_days=70, resampling=FEW)
    assert found.loc[found["level"] == "lonely", "borrowed"].all()
    # `lonely` is at risk at 4 as well, without an event there, so it takes the pace of all from 5 on
    rate = found.loc[found["level"] == "lonely", "rate_now"].iloc[0]
    everybody = sides[1].deals
    later = everybody.assign(entry=np.maximum(everybody["entry"], 4))
    later = later[later["exit"] > later["entry"]]
    assert rate == pytest.approx(0.5 + 0.5 * incidence(later, 70), abs=1e-12)
