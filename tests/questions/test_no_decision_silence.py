"""Silence: whether it may be read, a planted effect of it, and what follows it where deals enter late."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from no_decision_company import of

from analytics.estimators.result import Estimate, Finding
from analytics.questions.no_decision import comes_back, firings, pace_after, person_weeks, readable_silence
from analytics.questions.no_decision.by_rule import since_firing
from analytics.questions.no_decision.firing import Firings
from analytics.records.contract import History
from analytics.records.rules import OutcomeRules
from analytics.records.sources.simulated import SimulationConfig
from analytics.records.sources.simulated.config import Baseline, Delay, Recording

DAY = pd.Timestamp("2024-01-01")
END = dt.date(2026, 6, 30)


def quiet_company(seed: int, silent: float, *, deals: int = 1500) -> tuple[pd.DataFrame, History]:
    """Deals whose weekly chance of no decision is so many times higher after four silent weeks; contacts at random."""
    rng = np.random.default_rng(seed)
    rows, heard = [], []
    for number in range(deals):
        opened = DAY + pd.Timedelta(days=int(rng.integers(0, 200)))
        last, outcome, end = 0, "open", 419
        for week in range(60):
            quiet = (7 * week - last) // 7 >= 4
            edges = np.cumsum([0.02, 0.02, 0.012 * (silent if quiet else 1.0)])
            draw = rng.random()
            if draw < edges[-1]:
                outcome = ("won", "lost", "no_decision")[int(np.searchsorted(edges, draw, side="right"))]
                end = 7 * week + int(rng.integers(0, 7))
                break
            if rng.random() < 0.25:
                last = 7 * week + int(rng.integers(0, 7))
                heard.append((f"d{number}", opened + pd.Timedelta(days=last)))
        rows.append((f"d{number}", opened, end, outcome, opened + pd.Timedelta(days=end)))
    frame = pd.DataFrame(rows, columns=["deal_id", "opened_on", "exit", "outcome", "recorded_on"])
    kind = np.where(frame["outcome"] == "no_decision", "declared", None)
    frame = frame.assign(entry=-1, episode=1, no_decision_kind=kind, born_closed=False)
    acts = pd.DataFrame(heard, columns=["deal_id", "occurred_on"])
    acts = acts.assign(recorded_on=acts["occurred_on"], side="buyer")
    return frame, History(table=frame.iloc[:0], kind="current_only", side={"activities": acts})


def after_silence(seed: int, silent: float) -> pd.DataFrame:
    deals, history = quiet_company(seed, silent)
    found = pace_after(person_weeks(deals, history, settled_on=END), "silent_weeks")
    assert isinstance(found, Estimate)
    return found.frame.set_index(["outcome", "level"])


def test_a_planted_effect_of_silence_is_found_after_the_weeks_it_takes_and_nowhere_else() -> None:
    rows = after_silence(4, 3.0)
    for level in ("4–7", "8–12"):
        row = rows.loc[("no_decision", level)]
        assert row["conf_low"] < 3.0 < row["conf_high"]
        assert row["conf_low"] > 1.4
    for outcome, level in (("no_decision", "2–3"), ("won", "2–3"), ("won", "4–7"), ("lost", "4–7")):
        row = rows.loc[(outcome, level)]
        assert row["conf_low"] < 1.0 < row["conf_high"], (outcome, level)


def test_where_no_effect_of_silence_was_planted_none_is_found() -> None:
    rows = after_silence(5, 1.0).loc["no_decision"]
    for row in rows[~rows["reference"]].itertuples():
        assert row.conf_low < 1.15
        assert row.conf_high > 0.87


@pytest.mark.slow
def test_pushes_of_the_simulator_that_come_whatever_becomes_of_a_deal_have_no_effect() -> None:
    """Without silent endings and late records the simulator's pushes tell nothing: each ratio is 1."""
    at_once = Delay(prompt=1.0)
    recording = Recording(
        won=at_once, lost=at_once, no_decision=at_once, typed_right=1.0, reopened=0.0, born_closed=0.0
    )
    config = SimulationConfig(
        deals=2500, accounts=2500, baseline=Baseline(stalled=(0.0,) * 7), recording=recording, source_mix={}
    )
    one = of(config, seed=8)
    found = pace_after(person_weeks(one.deals, one.history, settled_on=dt.date(2026, 1, 31)), "pushes")
    assert isinstance(found, Estimate)
    rows = found.at(outcome="no_decision")
    rows = rows[~rows["reference"]]
    assert (rows["n_event"].iloc[:3] > 50).all()
    off = np.log(rows["estimate"]) / rows["std_error"]
    assert off.abs().max() < 3, rows[["level", "estimate", "conf_low", "conf_high"]]


def test_silence_is_read_only_where_most_won_deals_were_heard_of_before_they_closed() -> None:
    closed = DAY + pd.Timedelta(days=100)
    deals = pd.DataFrame({"deal_id": [f"d{n}" for n in range(20)], "outcome": "won", "closed_on": closed})
    for heard, read in ((9, False), (10, True)):
        when = pd.Series(closed - pd.Timedelta(days=30), index=range(20)).where(
            pd.Series(range(20)) < heard, closed - pd.Timedelta(days=31)
        )
        acts = pd.DataFrame({"deal_id": deals["deal_id"], "occurred_on": when, "recorded_on": when, "side": "buyer"})
        history = History(table=deals.iloc[:0], side={"activities": acts, "owners": acts})
        kept, said = readable_silence(history, deals, as_of=END)
        assert ("activities" in kept.side) == read
        assert "owners" in kept.side
        assert isinstance(said, Estimate if read else Finding)
        if not read:
            assert said.verdict == "not studied"
            assert "45\u00a0%" in said.headline.replace(" %", "\u00a0%")


def test_a_deal_that_enters_late_is_at_risk_after_its_firing_only_from_then_on() -> None:
    """Deals that ended before day 100 are absent, so among those fired at day 50 the days 50 to 99 show no win."""
    rng = np.random.default_rng(3)
    n = 4000
    age = 50 + rng.geometric(0.01, n)
    won = rng.random(n) < 0.3
    deals = pd.DataFrame({
        "deal_id": [f"d{i}" for i in range(n)], "opened_on": DAY, "entry": np.where(rng.random(n) < 0.5, -1, 99),
        "exit": age, "outcome": np.where(won, "won", "lost"), "recorded_on": DAY + pd.to_timedelta(age, unit="D"),
    })  # fmt: skip
    seen = deals[(deals["entry"] < 0) | (deals["exit"] >= 100)].reset_index(drop=True)
    fired = pd.DataFrame({"deal_id": deals["deal_id"], "fired_on": DAY + pd.Timedelta(days=50)})
    after = since_firing(seen, fired, END)
    assert sorted(after["entry"].unique()) == [-1, 49]
    grid = Firings(fired.assign(rule="silent", threshold=60, heard_on=pd.NaT), {"silent": (60,)}, {"silent": 60})
    found = comes_back(seen, grid, settled_on=END)
    assert isinstance(found, Estimate)
    row = found.at(outcome="won", time=40).iloc[0]
    truth = 0.3 * (1 - 0.99**40)
    assert abs(row["estimate"] - truth) < 3.3 * (row["conf_high"] - row["conf_low"]) / 3.92
    plain = (seen["outcome"].eq("won") & (seen["exit"] <= 90)).mean()
    assert plain < truth - 0.015  # what counting everybody from the firing would say


def test_closings_without_an_outcome_are_none_of_the_others() -> None:
    deals = pd.DataFrame({
        "deal_id": [f"d{i}" for i in range(10)], "opened_on": DAY, "entry": -1, "exit": 100,
        "outcome": ["won"] * 2 + ["lost"] * 3 + ["unknown"] * 5, "recorded_on": DAY + pd.Timedelta(days=100),
    })  # fmt: skip
    fired = pd.DataFrame({"deal_id": deals["deal_id"], "fired_on": DAY + pd.Timedelta(days=60), "rule": "silent"})
    grid = Firings(fired.assign(threshold=60, heard_on=pd.NaT), {"silent": (60,)}, {"silent": 60})
    last = comes_back(deals, grid, settled_on=END).frame.groupby("outcome")["estimate"].last()
    assert last[["heard_again", "won", "lost", "unknown"]].tolist() == pytest.approx([0, 0.2, 0.3, 0.5])


def test_history_without_activities_is_handed_on_and_the_rule_says_what_it_needs() -> None:
    deals = pd.DataFrame({"deal_id": ["a"], "outcome": ["won"], "closed_on": [DAY], "exit": [3]})
    states = pd.DataFrame({
        "deal_id": ["a"], "recorded_on": [DAY], "sequence": [0], "status": ["open"], "opened_on": [DAY],
        "expected_close_on": [pd.NaT],
    })  # fmt: skip
    history, said = readable_silence(History(table=states), deals, as_of=END)
    assert isinstance(said, Finding)
    missing = firings(history, deals, rules=OutcomeRules(silent_days=60), as_of=END).missing
    assert "activities" in missing[0].headline
