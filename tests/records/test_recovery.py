"""Do the intervals hold what is true? Over many small companies, against the simulator's two truths.

Each company is studied as a user would study it: an export some months after the quarter, account-clustered 95 %
intervals. Over 200 seeds the number of intervals that hold the truth must lie within the 99.9 % binomial band.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from analytics.estimators.counts import count_events
from analytics.estimators.incidence import cumulative_incidence
from analytics.estimators.reporting_delay import reporting_delay
from analytics.records.definitions import Definitions, Scope
from analytics.records.period import restrict_to_period
from analytics.records.rules import OutcomeRules
from analytics.records.snapshot import deals_as_of
from analytics.records.sources.simulated import (
    Company,
    SimulationConfig,
    followed_truth,
    latent_truth,
    simulate,
    to_history,
)
from analytics.records.sources.simulated.closing import closings
from analytics.records.sources.simulated.config import Delay, Recording, Rhythm, Selling, day_number
from analytics.records.sources.simulated.deals import draw_deals
from analytics.records.sources.simulated.followed import OUTCOMES, recorded_outcomes
from analytics.records.sources.simulated.reasons import NO_DECISION_REASONS, TRUTHFUL, ReasonModel

pytestmark = pytest.mark.slow

SEEDS = range(200)
HORIZONS = (90, 180, 365)
CACHE = Path(__file__).resolve().parents[2] / ".winloss-cache"

SMALL = SimulationConfig(
    deals=900, accounts=250, account_spread=0.7, first_quarter="2023Q1", quarters=8, growth=1.0, source_mix={},
    extract_on=dt.date(2025, 6, 30), rhythm=Rhythm(quarters={}), selling=Selling(spread=0.0),
)  # fmt: skip
"""Accounts matter (several deals each, factors on winning from 0.25 to 4); sellers do not: accounts are independent."""

NOW = Delay(prompt=1.0)
HONEST = SMALL.changed(
    recording=Recording(won=NOW, lost=NOW, no_decision=NOW, typed_right=1, reopened=0, woken=0),
    reasons=ReasonModel(sellers_write=TRUTHFUL, blank=0),
)
DECLARED = OutcomeRules(no_decision_reasons=NO_DECISION_REASONS)
INFERRED = OutcomeRules(no_decision_reasons=NO_DECISION_REASONS, silent_days=90, pushed_times=3, older_than_days=390)

QUARTER = "2024Q4"
QUARTER_DAYS = (dt.date(2024, 10, 1), dt.date(2024, 12, 31))
SETTLED = dt.date(2025, 3, 31)

Coverage = dict[tuple[str, int], list[bool]]


def band(n: int, level: float = 0.95) -> tuple[int, int]:
    """The 99.9 % binomial band of the number of intervals that hold the truth."""
    low, high = binom.ppf([0.0005, 0.9995], n, level)
    return int(low), int(high)


def from_arrays(config: SimulationConfig, rules: OutcomeRules) -> Iterator[pd.DataFrame]:
    """One Deals frame per seed, by the array form of the snapshot (held equal to it deal by deal elsewhere)."""
    names = np.array([*OUTCOMES, "open"], dtype=object)
    for seed in SEEDS:
        deals, _, _ = draw_deals(config, seed)
        table = recorded_outcomes(config, rules, seed=seed, as_of=config.extract_on)
        yield pd.DataFrame({
            "deal_id": table["deal"].astype(str), "account_id": deals["account"].to_numpy()[table["deal"]].astype(str),
            "opened_on": table["opened"].to_numpy().astype("datetime64[D]").astype("datetime64[ns]"), "entry": -1,
            "exit": table["exit"], "outcome": names[table["outcome"]],
        })[table["in_scope"]].reset_index(drop=True)  # fmt: skip


def from_snapshot(config: SimulationConfig, rules: OutcomeRules) -> Iterator[pd.DataFrame]:
    """One Deals frame per seed through History and `deals_as_of`; all companies in one database, to save time."""
    history = to_history(together([simulate(config, seed=seed) for seed in SEEDS]))
    scope = Definitions(scope=Scope(keep={"deal_type": list(config.in_scope)}))
    table = deals_as_of(history, as_of=config.extract_on, rules=rules, definitions=scope).execute()
    company = (table["deal_id"].str[-8:].astype(int) - 1) // config.deals
    assert company.nunique() == len(SEEDS)
    for _, deals in table.groupby(company):
        yield deals


def together(companies: list[Company]) -> Company:
    """Companies side by side in one, with ids that do not meet; what happened beside the deals is left out."""
    first, deals, states = companies[0], [], []
    for number, company in enumerate(companies):
        moved = {"deal": number * company.config.deals, "account": number * company.config.accounts}
        deals.append(company.deals.assign(**{name: company.deals[name] + by for name, by in moved.items()}))
        states.append(company.states.assign(deal=company.states["deal"] + moved["deal"]))
    nothing = {
        name: getattr(first, name).iloc[:0] for name in ("activities", "quotas", "forecast_submissions", "reviews")
    }
    return dataclasses.replace(
        first, deals=pd.concat(deals, ignore_index=True), states=pd.concat(states, ignore_index=True), **nothing
    )


def studied(deals: pd.DataFrame, view: str) -> pd.DataFrame:
    start = QUARTER_DAYS[0] if view == "period" else None
    return restrict_to_period(deals, start=start, end=QUARTER_DAYS[1] if view == "period" else SETTLED)


def estimates(frames: list[pd.DataFrame], view: str, times: tuple[int, ...]) -> pd.DataFrame:
    """The estimates of every company: outcome, time, estimate, conf_low, conf_high."""
    rows = []
    for deals in frames:
        risk = count_events(studied(deals, view), cluster="account_id")
        rows.append(cumulative_incidence(risk, times=list(times)).frame)
    return pd.concat(rows, ignore_index=True)


def assert_recovered(found: pd.DataFrame, truth: pd.DataFrame) -> None:
    """Coverage within the band, and no bias beyond chance, for every outcome and horizon."""
    low, high = band(len(SEEDS))
    problems = []
    for outcome in OUTCOMES:
        for time in sorted(found["time"].unique()):
            rows = found[(found["outcome"] == outcome) & (found["time"] == time)]
            true = truth[(truth["outcome"] == outcome) & (truth["time"] == time)]["estimate"].item()
            held = int(((rows["conf_low"] <= true) & (true <= rows["conf_high"])).sum())
            bias = rows["estimate"].mean() - true
            chance = 4.5 * rows["estimate"].std() / np.sqrt(len(rows))
            if len(rows) != len(SEEDS) or not low <= held <= high or abs(bias) > chance:
                problems.append(f"{outcome} at {time}: {held} of {len(rows)} hold {true:.4f}, bias {bias:+.4f}")
    assert not problems, f"band {low} to {high}: " + "; ".join(problems)


def followed(config: SimulationConfig, rules: OutcomeRules, view: str) -> pd.DataFrame:
    pace = QUARTER if view == "period" else None
    return followed_truth(config, rules, max(HORIZONS), at_pace_of=pace, n_deals=1_000_000, cache=CACHE)


@pytest.fixture(scope="module")
def honest() -> list[pd.DataFrame]:
    return list(from_arrays(HONEST, DECLARED))


@pytest.fixture(scope="module")
def snapshots() -> list[pd.DataFrame]:
    return list(from_snapshot(SMALL, DECLARED))


@pytest.fixture(scope="module")
def inferred() -> list[pd.DataFrame]:
    return list(from_arrays(SMALL, INFERRED))


@pytest.mark.parametrize("view", ["opened", "period"])
def test_latent_truth_is_recovered_from_honest_records(honest: list[pd.DataFrame], view: str) -> None:
    truth = latent_truth(HONEST, at_pace_of=QUARTER if view == "period" else None)
    assert_recovered(estimates(honest, view, HORIZONS), truth)


@pytest.mark.parametrize("view", ["opened", "period"])
def test_declared_truth_is_recovered_through_the_snapshot(snapshots: list[pd.DataFrame], view: str) -> None:
    assert_recovered(estimates(snapshots, view, HORIZONS), followed(SMALL, DECLARED, view))


@pytest.mark.parametrize(("view", "times"), [("opened", HORIZONS), ("period", (60, 120, 180))])
def test_truth_under_inferred_rules_is_recovered(
    inferred: list[pd.DataFrame], view: str, times: tuple[int, ...]
) -> None:
    """At the pace of one quarter the rules leave some companies without a deal of 365 days: there is no estimate."""
    assert_recovered(estimates(inferred, view, times), followed(SMALL, INFERRED, view))


def test_the_band_would_notice(snapshots: list[pd.DataFrame]) -> None:
    """Controls: forget the left truncation, or throw open deals away, and hardly an interval holds the truth."""
    low, _ = band(len(SEEDS))
    true = latent_truth(SMALL, at_pace_of=QUARTER).query("outcome == 'won' and time == 180")["estimate"].item()
    for wrong in (lambda deals: deals.assign(entry=-1), lambda deals: deals[deals["outcome"] != "open"]):
        held = 0
        for deals in snapshots:
            risk = count_events(wrong(studied(deals, "period")), cluster="account_id")
            row = cumulative_incidence(risk, times=[180]).at(outcome="won").iloc[0]
            held += int(row["conf_low"] <= true <= row["conf_high"])
        assert held < low


def test_reporting_delay_is_recovered() -> None:
    """Delays of lost deals seen four weeks after a quarter's end: a share at once, the rest geometric."""
    config, days = SMALL.changed(recording=Recording(typed_right=0.9)), (0, 7, 21)
    delay, right = config.recording.lost, config.recording.typed_right
    true = {d: 1 - right * (1 - delay.prompt) * (1 - 1 / delay.mean_days) ** d for d in days}
    as_of, held = day_number(dt.date(2025, 1, 28)), dict.fromkeys(days, 0)
    for seed in SEEDS:
        deals, _, _ = draw_deals(config, seed)
        closing = closings(config, deals, seed)
        seen = (deals["cause"] == 1) & ~deals["born_closed"] & (closing["recorded"] <= as_of)
        known = closing[seen]
        frame = reporting_delay(pd.DataFrame({
            "outcome": "lost", "delay_days": known["recorded"] - known["typed"], "window_days": as_of - known["typed"],
        })).frame  # fmt: skip
        for d in days:
            row = frame[frame["time"] <= d].iloc[-1]
            held[d] += int(row["conf_low"] <= true[d] <= row["conf_high"])
    low, high = band(len(SEEDS))
    assert all(low <= count <= high for count in held.values()), (held, low, high)
