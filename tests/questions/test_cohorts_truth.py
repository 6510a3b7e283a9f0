"""What was planted is found, what was not is not: simulated companies, closed forms, confounding taken out."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.optimize import brentq
from scipy.stats import binom

from analytics.estimators.bootstrap import Resampling
from analytics.questions.cohorts import (
    Answers,
    claims_cause,
    closed_shares,
    contrasts,
    described,
    findings,
    omnibus,
    opening_cohort,
    overdispersion,
    quarter_on_quarter,
    rates,
    split_by,
)
from analytics.records.calendar import Quarter
from analytics.records.rules import OutcomeRules
from analytics.records.sources.simulated import SimulationConfig, latent_truth
from analytics.records.sources.simulated.config import Delay, Level, Recording, Rhythm, Selling
from analytics.records.sources.simulated.deals import draw_deals
from analytics.records.sources.simulated.followed import OUTCOMES, recorded_outcomes
from analytics.records.sources.simulated.reasons import NO_DECISION_REASONS, TRUTHFUL, ReasonModel

MARGINS = {"won": 0.03, "lost": 0.03, "no_decision": 0.03}
NOW = Delay(prompt=1.0)
HONEST = SimulationConfig(
    deals=2400, accounts=1200, account_spread=0.4, first_quarter="2023Q1", quarters=8, growth=1.0, source_mix={},
    extract_on=dt.date(2025, 6, 30), rhythm=Rhythm(quarters={}), selling=Selling(spread=0.0, ramp_days=0),
    recording=Recording(won=NOW, lost=NOW, no_decision=NOW, typed_right=1, reopened=0, woken=0),
    reasons=ReasonModel(sellers_write=TRUTHFUL, blank=0),
)  # fmt: skip
ALIKE = HONEST.changed(sources={name: Level(share=level.share) for name, level in HONEST.sources.items()})
RULES = OutcomeRules(no_decision_reasons=NO_DECISION_REASONS)
QUARTER = Quarter("2024Q4", dt.date(2024, 10, 1), dt.date(2024, 12, 31))
SETTLED = dt.date(2025, 6, 30)
DAYS = 180


def company(config: SimulationConfig, seed: int) -> pd.DataFrame:
    deals, _, _ = draw_deals(config, seed)
    table = recorded_outcomes(config, RULES, seed=seed, as_of=config.extract_on)
    names, of = np.array([*OUTCOMES, "open"], dtype=object), deals.iloc[table["deal"]]
    frame = pd.DataFrame({
        "deal_id": table["deal"].astype(str), "account_id": of["account"].astype(str).to_numpy(), "entry": -1,
        "opened_on": table["opened"].to_numpy().astype("datetime64[D]").astype("datetime64[ns]"),
        "exit": table["exit"], "outcome": names[table["outcome"]],
        "source": np.array(list(config.sources), dtype=object)[of["source"]],
        "region": np.array(list(config.regions), dtype=object)[of["region"]],
        "owner_id": of["owner"].astype(str).to_numpy(),
    })  # fmt: skip
    return frame[np.asarray(table["in_scope"])].reset_index(drop=True)


def compared(deals: pd.DataFrame, by: list[str]):
    return opening_cohort(split_by(deals, by), QUARTER, settled_on=SETTLED, horizon_days=DAYS)


def answers_of(cohort) -> Answers:
    family = omnibus(cohort)
    differences = contrasts(cohort, family, margins=MARGINS).differences
    ranking = overdispersion(closed_shares(cohort))
    return Answers(ranking, rates(cohort), family, differences, None, described(cohort))


@pytest.fixture(scope="module")
def planted():
    return compared(company(HONEST, 11), ["source", "region"])


@pytest.fixture(scope="module")
def told(planted) -> Answers:
    return answers_of(planted)


def test_planted_sources_are_found_and_their_intervals_hold_the_truth(told) -> None:
    family = told.family
    assert family.at(segment="source")["shown"].all()
    found = told.rates.at(segment="source", kind="standardised").set_index("level")
    assert set(found.index) == set(HONEST.sources)
    held = 0
    for source in HONEST.sources:
        truth = latent_truth(HONEST, horizon_days=DAYS, only={"source": source})
        true = truth[(truth["outcome"] == "won") & (truth["time"] == DAYS)]["estimate"].item()
        held += bool(found.at[source, "conf_low"] <= true <= found.at[source, "conf_high"])
    assert held >= 4
    rows = told.differences.at(kind="overlap").set_index(["segment", "level"])
    assert rows.at[("source", "RFP"), "verdict"] == "shown and large enough to matter"
    assert rows.at[("source", "RFP"), "estimate"] < -0.08
    assert rows.at[("source", "Referral"), "estimate"] > 0.08
    assert family.at(segment="region")["shown"].all() or not rows.loc["region", "verdict"].str.startswith("shown").any()


def test_where_nothing_was_planted_nothing_is_found() -> None:
    cohort = compared(company(ALIKE, 12), ["source"])
    answers = answers_of(cohort)
    assert not answers.family.frame["shown"].any()
    assert (answers.ranking.frame["verdict"] == "cannot tell").all()
    assert not answers.differences.frame["verdict"].str.startswith("shown").any()
    cards = findings(answers)
    assert not [card for card in cards if card.name.startswith("segment_")]
    assert "None of 2 segments is shown to differ" in " ".join(card.headline for card in cards)


# ------------------------------------------------------------------------------------- confounding, in closed form


def confounded(seed: int, *, effect: float, n: int = 1600) -> tuple[pd.DataFrame, dict[str, float]]:
    """Partner deals are mostly large, and large deals are won less; the truth is the mean over both sizes."""
    rng = np.random.default_rng(seed)
    large = rng.random(n) < 0.5
    partner = rng.random(n) < np.where(large, 0.75, 0.25)
    won = 0.012 * np.where(large, 0.4, 1.0) * np.where(partner, effect, 1.0)
    total = won + 0.008
    length = rng.geometric(1 - np.exp(-total))
    ended = np.where(rng.random(n) < won / total, "won", "lost")
    opened = pd.Timestamp("2023-06-01") + pd.to_timedelta(rng.integers(0, 300, n), unit="D")
    deals = pd.DataFrame({
        "deal_id": np.arange(n).astype(str), "opened_on": opened, "entry": -1, "exit": length, "outcome": ended,
        "channel": np.where(partner, "partner", "direct"), "deal_size": np.where(large, "large", "small"),
    })  # fmt: skip
    truth = {}
    for channel, factor in (("direct", 1.0), ("partner", effect)):
        shares = []
        for slow in (1.0, 0.4):
            hazard = 0.012 * slow * factor
            shares.append(hazard / (hazard + 0.008) * (1 - np.exp(-(hazard + 0.008) * DAYS)))
        truth[channel] = float(np.mean(shares))
    return deals, truth


def test_one_mix_takes_out_what_another_mix_does() -> None:
    deals, truth = confounded(2, effect=1.0)
    cohort = compared(deals, ["channel", "deal_size"])
    found = rates(cohort).frame.set_index(["segment", "level", "kind"])
    raw = [found.at[("channel", level, "raw"), "estimate"] for level in ("direct", "partner")]
    even = [found.at[("channel", level, "standardised"), "estimate"] for level in ("direct", "partner")]
    assert truth["direct"] == truth["partner"]
    assert raw[0] - raw[1] > 0.08  # as they are, partners look much worse
    assert abs(even[0] - even[1]) < 0.06
    for level in ("direct", "partner"):
        row = found.loc[("channel", level, "standardised")]
        assert row["conf_low"] <= truth[level] <= row["conf_high"]
    told = contrasts(cohort, omnibus(cohort), margins=MARGINS)
    rows = told.differences.at(segment="channel").set_index("kind")
    assert rows.at["raw", "conf_low"] > 0
    for kind in ("overlap", "inverse_probability"):
        assert rows.at[kind, "conf_low"] < 0 < rows.at[kind, "conf_high"]
    balance = told.balance.frame.query("segment == 'channel' and term == 'deal size: small'").iloc[0]
    assert abs(balance["smd_before"]) > 0.8
    assert abs(balance["smd_overlap"]) < 1e-6
    assert abs(balance["smd_inverse_probability"]) < 0.1


def test_a_p_value_of_weighted_deals_is_of_the_t_of_its_limits() -> None:
    """The degrees of freedom are read back from the width of the limits, and the p-value is SciPy's for these."""
    made = confounded(2, effect=1.0)[0]
    few = made.assign(account_id=[f"A{place % 12}" for place in range(len(made))])
    cohort = compared(few, ["channel", "deal_size"])
    frame = contrasts(cohort, omnibus(cohort), margins=MARGINS).differences.frame
    weighted = frame[frame["kind"] != "raw"]
    assert len(weighted) >= 4
    for row in weighted.to_dict("records"):
        width = (row["conf_high"] - row["estimate"]) / row["std_error"]
        df = brentq(lambda df, width=width: stats.t.ppf(0.975, df) - width, 1.0, 1000.0)
        assert row["df"] == pytest.approx(df, rel=1e-6)
        assert df < 12  # twelve accounts are worth no more
        p = 2 * stats.t.sf(abs(row["estimate"]) / row["std_error"], df)
        assert row["p_value"] == pytest.approx(p, rel=1e-6)
        assert (row["p_value"] < 0.05) == (row["conf_low"] > 0 or row["conf_high"] < 0)
        assert row["p_value"] > 2 * stats.norm.sf(abs(row["estimate"]) / row["std_error"])


def test_the_smallest_difference_that_would_show_is_the_margin_and_so_many_standard_errors() -> None:
    cohort = compared(confounded(2, effect=1.0)[0], ["channel", "deal_size"])
    frame = contrasts(cohort, omnibus(cohort), margins=MARGINS).differences.frame
    assert frame["smallest_reliable_change"].tolist() == pytest.approx((0.03 + 2.8 * frame["std_error"]).tolist())
    ratio = frame["ratio"].where(frame["ratio"] >= 1, 1 / frame["ratio"])
    by_hand = ratio + np.sqrt(ratio * (ratio - 1))
    assert frame["e_value"].dropna().tolist() == pytest.approx(by_hand.dropna().tolist())


def covered(seeds: range) -> dict[str, int]:
    held = {"standardised": 0, "inverse_probability": 0}
    for seed in seeds:
        deals, truth = confounded(seed, effect=1.8)
        cohort = compared(deals, ["channel", "deal_size"])
        row = rates(cohort).at(segment="channel", level="partner", kind="standardised").iloc[0]
        held["standardised"] += bool(row["conf_low"] <= truth["partner"] <= row["conf_high"])
        told = contrasts(cohort, omnibus(cohort), margins=MARGINS).differences
        row = told.at(segment="channel", kind="inverse_probability").iloc[0]
        true = truth["direct"] - truth["partner"]  # of two levels the first is compared
        held["inverse_probability"] += bool(row["conf_low"] <= true <= row["conf_high"])
    return held


def test_intervals_hold_the_truth_in_a_few_companies() -> None:
    assert min(covered(range(100, 108)).values()) >= 6  # fewer than 6 of 8 by chance: 6 times in 1,000


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    low, high = binom.ppf([0.0005, 0.9995], 200, 0.95)
    for kind, held in covered(range(1000, 1200)).items():
        assert low <= held <= high, f"{kind}: {held} of 200"


@pytest.mark.slow
def test_false_alarms_are_as_rare_as_they_should_be() -> None:
    alarms = sum(bool(omnibus(compared(company(ALIKE, 500 + k), ["source"])).frame["shown"].any()) for k in range(100))
    assert alarms <= binom.ppf(0.9995, 100, 0.05)


# -------------------------------------------------------------------------------------------- what may be said of it


def test_findings_say_associated_with_unless_the_design_was_declared(told) -> None:
    cards = {card.name: card for card in findings(told)}
    said = cards["segment_source"]
    assert "is associated with" in said.detail
    assert "E-value" in said.detail
    for card in cards.values():
        assert not claims_cause(f"{card.headline} {card.detail}"), card
    declared = {card.name: card for card in findings(dataclasses.replace(told, designs={"source": "randomised"}))}
    assert "given by lot, " in declared["segment_source"].detail
    assert "associated" not in declared["segment_source"].detail
    assert "E-value" not in declared["segment_source"].detail
    assert claims_cause(declared["segment_source"].detail)


def test_a_picked_level_has_a_wider_interval_and_says_from_how_many(told) -> None:
    said = next(card for card in findings(told) if card.name == "segment_source")
    assert "Picked from 5 levels" in said.detail
    keys = dict(said.keys)
    assert keys["kind"] == "overlap"
    row = told.differences.at(**keys).iloc[0]
    inside = f"({100 * row['conf_low']:+.0f} to {100 * row['conf_high']:+.0f})"
    assert inside not in said.detail.split(";")[0]


# ------------------------------------------------------------------------------------------------- quarter on quarter


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_parts_add_up_and_levels_of_one_quarter_only_are_terms_of_their_own(make_company, q4, q3, seed: int) -> None:
    deals = make_company(seed)
    late = (deals["opened_on"] >= "2025-10-01") & (np.arange(len(deals)) % 3 == 0)
    then = split_by(deals, ["region", "segment"])
    now = split_by(deals.assign(region=deals["region"].mask(late, "new")), ["region", "segment"])
    how = {"settled_on": q4.end, "horizon_days": 200, "resampling": Resampling(reps=40, seed=1)}
    parts = quarter_on_quarter(now, q4, as_known={q3: then}, **how)
    for _, rows in parts.frame[parts.frame["level"] == "all"].groupby(["compared_to", "segment"]):
        total = rows.loc[rows["part"] == "total", "estimate"].item()
        assert rows.loc[rows["part"] != "total", "estimate"].sum() == pytest.approx(total, abs=1e-12)
        row = rows[rows["part"] == "total"].iloc[0]
        assert row["estimate"] == pytest.approx(row["estimate_now"] - row["estimate_then"], abs=1e-12)
    assert parts.at(segment="region", level="new")["part"].tolist() == ["appeared"]
    assert "owner_id" not in set(parts.frame["segment"])
