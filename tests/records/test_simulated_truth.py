"""The two truths: by the hazards against closed forms, by complete follow-up against the snapshot, and one another."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analytics.records.contract import History
from analytics.records.errors import InputError
from analytics.records.rules import OutcomeRules
from analytics.records.snapshot import deals_as_of
from analytics.records.sources.simulated import (
    SimulationConfig,
    followed_truth,
    latent_truth,
    simulate,
    to_history,
)
from analytics.records.sources.simulated.config import (
    Baseline,
    Delay,
    Effect,
    Level,
    Recording,
    Rhythm,
    Selling,
    day_number,
)
from analytics.records.sources.simulated.deals import draw_deals
from analytics.records.sources.simulated.export import deal_ids
from analytics.records.sources.simulated.followed import OUTCOMES, recorded_outcomes
from analytics.records.sources.simulated.hazards import hazards
from analytics.records.sources.simulated.people import Staff, roster
from analytics.records.sources.simulated.reasons import NO_DECISION_REASONS, ReasonModel

SMALL = SimulationConfig(deals=400, accounts=150)
FOLLOWED = SimulationConfig(deals=800, accounts=300)
ALL_RULES = OutcomeRules(no_decision_reasons=NO_DECISION_REASONS, silent_days=90, pushed_times=3, older_than_days=390)


FLAT = SimulationConfig(
    deals=400, accounts=150, account_spread=0.0, source_mix={},
    baseline=Baseline(ages=(0,), won=(0.004,), lost=(0.003,), no_decision=(0.002,), stalled=(0.001,)),
    rhythm=Rhythm(weekday=1, weekend=1, quarter_end=1, quarter_start=1, quarters={}),
    selling=Selling(spread=0.0, ramp_effect=Effect()), recording=Recording(born_closed=0.0),
    sources={"A": Level(share=0.75), "B": Level(share=0.25)}, segments={"S": Level(share=1)},
    regions={"Americas": Level(share=1)}, deal_types={"New Business": Level(share=1)},
)  # fmt: skip
"""Constant hazards and nothing else: its incidences are geometric sums."""


def within(share: float, expected: float, n: int, sds: float = 4.5) -> bool:
    """Whether a share of n draws is as expected, up to chance."""
    return abs(share - expected) <= sds * np.sqrt(max(expected * (1 - expected), 1e-4) / n)


def test_latent_truth_of_constant_hazards_is_the_geometric_sum() -> None:
    rates = {"won": 0.004, "lost": 0.003, "no_decision": 0.002, "stalled": 0.001}
    total = sum(rates.values())
    for ask in ({}, {"opened_in": "2024Q2"}, {"at_pace_of": "2025Q3"}):
        truth = latent_truth(FLAT, horizon_days=300, **ask)
        for cause, rate in rates.items():
            expected = rate / total * (1 - (1 - total) ** (np.arange(301) + 1))
            found = truth.loc[truth["outcome"] == cause, "estimate"].to_numpy()
            assert np.abs(found - expected).max() < 1e-12, (cause, ask)


def test_latent_truth_mixes_sources_by_their_shares() -> None:
    levels = {"A": Level(share=0.75), "B": Level(share=0.25, won=3.0, lost=0.5)}
    truth = latent_truth(FLAT.changed(sources=levels), horizon_days=200)
    found = truth[(truth["outcome"] == "won") & (truth["time"] == 200)]["estimate"].item()

    def alone(won: float, lost: float) -> float:
        total = won + lost + 0.003
        return won / total * (1 - (1 - total) ** 201)

    assert found == pytest.approx(0.75 * alone(0.004, 0.003) + 0.25 * alone(0.012, 0.0015), abs=1e-12)
    only = latent_truth(FLAT.changed(sources=levels), horizon_days=200, only={"source": "B"})
    assert only.query("outcome == 'won' and time == 200")["estimate"].item() == pytest.approx(
        alone(0.012, 0.0015), abs=1e-12
    )


def test_latent_truth_integrates_frailty_and_sellers() -> None:
    """Against a brute-force sum over a fine grid of the log-normal factor."""
    config = FLAT.changed(account_spread=0.5, selling=Selling(spread=0.3, ramp_effect=Effect()))
    z = np.linspace(-9, 9, 20_001)
    weight = np.exp(-(z**2) / 2)
    weight /= weight.sum()
    sd = np.sqrt(0.5**2 + 0.3**2)
    won = 0.004 * np.exp(sd * z - sd**2 / 2)
    total = won + 0.006
    expected = (weight * won / total * (1 - (1 - total) ** 366)).sum()
    truth = latent_truth(config)
    assert truth.query("outcome == 'won' and time == 365")["estimate"].item() == pytest.approx(expected, abs=2e-7)


def test_latent_truth_counts_new_sellers_and_deals_born_closed() -> None:
    """Against the expectation written out: a share of newcomers on each opening day, and a point mass at age 0."""
    selling = Selling(spread=0.0, ramp_effect=Effect(won=0.5))
    config = FLAT.changed(selling=selling, recording=Recording(born_closed=0.1))
    staff, quarter = Staff(roster(config), selling.ramp_days), ("2024-04-01", "2024-06-30")
    days = np.arange(*(np.datetime64(day).astype(int) + (day == quarter[1]) for day in quarter))
    weight = np.where((days + 3) % 7 >= 5, 0.15, 1.0)
    new = np.average([staff.newcomer_share(int(day)) for day in days], weights=weight)
    assert 0.02 < new < 0.9

    def alone(won: float) -> float:
        total = won + 0.006
        return won / total * (1 - (1 - total) ** 101)

    expected = 0.1 + 0.9 * ((1 - new) * alone(0.004) + new * alone(0.002))
    truth = latent_truth(config, horizon_days=100, opened_in="2024Q2")
    assert truth.query("outcome == 'won' and time == 100")["estimate"].item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("ask", [{}, {"opened_in": "2024Q1"}], ids=["all", "cohort"])
def test_latent_truth_is_where_simulated_deals_end_up(ask: dict[str, str]) -> None:
    config = SimulationConfig(deals=60_000, accounts=25_000)
    deals, _, _ = draw_deals(config, 11)
    deals = deals[deals["deal_type"] == 0]
    if ask:
        first, last = (day_number(dt.date(2024, *day)) for day in ((1, 1), (3, 31)))
        deals = deals[deals["opened"].between(first, last)]
    truth = latent_truth(config, **ask)
    for (code, cause), days in zip(
        enumerate(("won", "lost", "no_decision", "stalled")), (30, 90, 180, 365), strict=True
    ):
        found = ((deals["cause"] == code) & (deals["age_at_end"] <= days)).mean()
        expected = truth.query("outcome == @cause and time == @days")["estimate"].item()
        assert within(found, expected, len(deals)), (cause, days, found, expected)


def test_incidences_of_the_truth_add_up_to_less_than_one_and_rise() -> None:
    truth = latent_truth(SimulationConfig(), at_pace_of="2025Q4").pivot(
        index="time", columns="outcome", values="estimate"
    )
    assert (truth.diff().dropna() >= 0).all().all()
    assert truth.sum(axis=1).max() < 1


def test_latent_truth_refuses_what_it_cannot_answer() -> None:
    with pytest.raises(InputError, match="2031Q1"):
        latent_truth(SMALL, opened_in="2031Q1")
    with pytest.raises(InputError, match="no deal at risk at age"):
        latent_truth(SMALL, at_pace_of="2022Q4")
    with pytest.raises(InputError, match="Did you mean 'Inbound'"):
        latent_truth(SMALL, only={"source": "Inbond"})


def test_hazards_are_baseline_times_calendar_times_factors() -> None:
    model, none = hazards(SimulationConfig()), np.ones((1, 4))

    def on(day: dt.date, age: int = 60, factors: np.ndarray = none) -> list[float]:
        return list(model.on(age, np.array([day_number(day)]), factors)[0])

    wednesday, sunday = dt.date(2025, 2, 12), dt.date(2025, 2, 16)
    assert on(wednesday) == pytest.approx([h * 1.36 for h in (0.0033, 0.0017, 0.0022, 0.0016)])
    assert on(wednesday, factors=np.array([[2.0, 1.0, 1.0, 0.5]])) == pytest.approx(
        [h * 1.36 for h in (0.0066, 0.0017, 0.0022, 0.0008)]
    )
    assert on(sunday) == pytest.approx([h * 0.1 for h in (0.0033, 0.0017, 0.0022, 0.0016)])
    assert on(wednesday, age=0) == pytest.approx([h * 1.36 for h in (0.0001, 0.0006, 0.0002, 0.0005)])
    last_monday, first_tuesday = dt.date(2025, 3, 31), dt.date(2025, 4, 1)
    assert on(last_monday)[:2] == pytest.approx([0.0033 * 1.36 * 1.6, 0.0017 * 1.36])
    assert on(first_tuesday)[:2] == pytest.approx([0.0033 * 1.36 * 0.7 * 1.06, 0.0017 * 1.36])
    assert on(dt.date(2025, 11, 12))[0] == pytest.approx(0.0033 * 1.36 * 0.97)
    assert sum(on(wednesday, factors=np.full((1, 4), 1e6))) == pytest.approx(0.95)


@pytest.fixture(scope="module")
def followed_history() -> History:
    return to_history(simulate(FOLLOWED, seed=3, followed_to=dt.date(2027, 6, 1)))


ALONE = [ALL_RULES.only(kind) for kind in ALL_RULES.inferred_kinds]


@pytest.mark.parametrize(
    ("as_of", "rules"),
    [
        *((dt.date(2024, 5, 5), rules) for rules in (OutcomeRules(), ALL_RULES)),
        *((dt.date(2026, 1, 31), rules) for rules in (ALL_RULES.declared_only(), *ALONE, ALL_RULES)),
        (dt.date(2027, 6, 1), ALL_RULES),
    ],
    ids=lambda value: str(value) if isinstance(value, dt.date) else "+".join(value.inferred_kinds) or "declared",
)
def test_recorded_outcomes_are_those_of_the_snapshot(
    followed_history: History, as_of: dt.date, rules: OutcomeRules
) -> None:
    """Deal by deal, rule by rule: what makes the followed truth the truth of `deals_as_of`."""
    names = np.array([*OUTCOMES, "open"], dtype=object)
    snapshot = deals_as_of(followed_history, as_of=as_of, rules=rules).execute().set_index("deal_id").sort_index()
    arrays = recorded_outcomes(FOLLOWED, rules, seed=3, as_of=as_of)
    arrays = arrays.set_index(deal_ids(arrays["deal"].to_numpy())).sort_index()
    assert snapshot.index.tolist() == arrays.index.tolist()
    assert snapshot["exit"].tolist() == arrays["exit"].tolist()
    assert snapshot["outcome"].tolist() == names[arrays["outcome"]].tolist()
    assert snapshot["no_decision_kind"].fillna("").tolist() == arrays["kind"].tolist()
    assert set(rules.inferred_kinds) <= set(arrays["kind"]), "every rule fires somewhere, or this shows nothing"


def test_followed_truth_without_false_records_is_the_latent_truth() -> None:
    """Prompt, true and complete records: what complete follow-up gives must be what the hazards say."""
    honest = honest_config()
    followed = followed_truth(honest, ALL_RULES.declared_only(), 365, n_deals=125_000)
    latent = latent_truth(honest)
    for outcome in OUTCOMES:
        one, two = (t[t["outcome"] == outcome].set_index("time")["estimate"] for t in (followed, latent))
        assert (one - two).abs().max() < 4.5 * np.sqrt(0.25 / 107_000), outcome


def test_followed_truth_at_the_pace_of_a_quarter_is_the_latent_one() -> None:
    honest = honest_config()
    followed = followed_truth(honest, ALL_RULES.declared_only(), 180, at_pace_of="2025Q4", n_deals=125_000)
    latent = latent_truth(honest, horizon_days=180, at_pace_of="2025Q4")
    for outcome in OUTCOMES:
        one, two = (t[t["outcome"] == outcome].set_index("time")["estimate"] for t in (followed, latent))
        assert (one - two).abs().max() < 0.02, outcome


def honest_config() -> SimulationConfig:
    now = Delay(prompt=1.0)
    return SimulationConfig(
        recording=Recording(won=now, lost=now, no_decision=now, typed_right=1, reopened=0, woken=0),
        reasons=ReasonModel(sellers_write=tuple(tuple(float(i == j) for j in range(7)) for i in range(7)), blank=0),
    )


def test_followed_truth_is_cached_by_what_it_depends_on(tmp_path: Path) -> None:
    first = followed_truth(SMALL, ALL_RULES, 60, n_deals=600, cache=tmp_path)
    (place,) = tmp_path.iterdir()
    pd.testing.assert_frame_equal(pd.read_parquet(place), first)
    first.assign(estimate=0.5).to_parquet(place)
    assert (followed_truth(SMALL, ALL_RULES, 60, n_deals=600, cache=tmp_path)["estimate"] == 0.5).all(), "read back"
    for other in (ALL_RULES.declared_only(), ALL_RULES.only("silent")):
        assert (followed_truth(SMALL, other, 60, n_deals=600, cache=tmp_path)["estimate"] != 0.5).any()
    assert (
        followed_truth(SMALL.changed(growth=1.2), ALL_RULES, 60, n_deals=600, cache=tmp_path)["estimate"] != 0.5
    ).any()
    assert len(list(tmp_path.glob("*.parquet"))) == len(list(tmp_path.iterdir())) == 4
