"""Could chance alone produce a ranking: the 30 sellers of the CRM set, groups by loops, and groups that do differ."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analytics.estimators.result import Estimate, Finding, Meta
from analytics.questions.cohorts import (
    closed_shares,
    described,
    findings,
    omnibus,
    opening_cohort,
    overdispersion,
    split_by,
)
from analytics.questions.cohorts.findings import Answers
from analytics.records.calendar import Quarter
from analytics.records.snapshot import snapshot_frame
from analytics.records.sources import read_history
from analytics.studies.params import load_company

PARAMS = Path(__file__).resolve().parents[2] / "params"


@pytest.fixture(scope="module")
def sellers(shared_data: Path) -> pd.DataFrame:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WINLOSS_DATA", str(shared_data))
        params = load_company(PARAMS / "maven.yaml")
        history = read_history(params.source, base=PARAMS, timezone=params.timezone)
        as_of = dt.date(2017, 12, 31)
        rules = params.rules.declared_only()
        return snapshot_frame(history, as_of=as_of, rules=rules, definitions=params.definitions)


@pytest.fixture(scope="module")
def maven(sellers: pd.DataFrame):
    quarter = Quarter("2017Q4", dt.date(2017, 10, 1), dt.date(2017, 12, 31))
    split = split_by(sellers, ["product", "region"])
    return opening_cohort(split, quarter, settled_on=quarter.end, horizon_days=138)


def test_chance_alone_could_produce_the_ranking_of_the_thirty_sellers(maven) -> None:
    shares = closed_shares(maven)
    found = overdispersion(shares)
    assert isinstance(found, Estimate)
    row = found.at(segment="owner_id").iloc[0]
    assert (row["n_levels"], row["df"], row["n_deals"]) == (30, 29, 6711)
    assert row["statistic"] == pytest.approx(33.3, abs=0.05)
    assert (round(row["share_lowest"], 2), round(row["share_highest"], 2)) == (0.55, 0.70)
    assert row["estimate"] == pytest.approx(0.013, abs=0.0005)  # between-seller SD about 1.3 points
    assert row["two_sd_high"] / 2 == pytest.approx(0.035, abs=0.0005)  # its upper limit about 3.5
    assert row["verdict"] == "cannot tell"
    assert row["sentence"].startswith(
        "Chance alone could produce this ranking by owner: 30 owners range from 55 % to 70 % won of closed deals "
        "(chi-squared 33.3 on 29 degrees of freedom"
    )
    assert row["sentence"].endswith(
        "real differences of about ±7 points (two standard deviations, upper 95 % limit) are not ruled out. "
        "Do not rank."
    )
    assert not (shares.at(segment="owner_id")["outside"] >= 0.99).any()


def test_levels_closer_than_chance_bound_no_difference() -> None:
    """Thirty owners with 25 of 50 won each: Pearson's statistic is 0 on 29 degrees of freedom."""
    frame = pd.DataFrame({
        "segment": "owner_id", "level": [f"o{k}" for k in range(30)], "estimate": 0.5, "std_error": 0.05,
        "conf_low": 0.4, "conf_high": 0.6, "n_event": 25, "n_deals": 50, "comparable": True,
    })  # fmt: skip
    found = overdispersion(Estimate(frame, Meta("probability", "won of closed", ("segment", "level"), 1500)))
    assert isinstance(found, Estimate)
    row = found.at(segment="owner_id").iloc[0]
    assert (row["statistic"], row["two_sd_high"]) == (0.0, 0.0)
    assert "±" not in row["sentence"]
    assert row["sentence"].endswith("so no size of a real difference can be named. Do not rank.")


def test_the_findings_on_sellers_name_no_seller_and_do_not_rank(maven, sellers) -> None:
    ranking, family = overdispersion(closed_shares(maven)), omnibus(maven)
    absent = Finding("rates", "Not computed here.", "", "not studied")
    cards = findings(Answers(ranking, absent, family, absent, cohort=described(maven)))
    first = cards[0]
    assert (first.name, first.verdict, first.estimate) == ("ranking", "cannot tell", "overdispersion")
    assert "Do not rank" in first.detail
    text = " ".join(f"{card.headline} {card.detail}" for card in cards)
    assert not [name for name in sellers["owner_id"].unique() if name in text]


def test_pearson_and_shares_by_a_loop(make_company, q4) -> None:
    split = split_by(make_company(3, n=900), ["region"])
    cohort = opening_cohort(split, q4, settled_on=q4.end, horizon_days=300)
    closed = cohort.deals[cohort.deals["outcome"] != "open"]
    shares, statistic, overall = closed_shares(cohort), 0.0, (closed["outcome"] == "won").mean()
    for level, deals in closed.groupby("region"):
        won = (deals["outcome"] == "won").mean()
        row = shares.at(segment="region", level=level).iloc[0]
        assert (row["estimate"], row["n_deals"], row["overall"]) == (pytest.approx(won), len(deals), overall)
        statistic += len(deals) * (won - overall) ** 2 / (overall * (1 - overall))
    test = overdispersion(shares).at(segment="region").iloc[0]
    assert test["statistic"] == pytest.approx(statistic)


def test_sellers_who_do_differ_are_said_to_differ(make_deals, q4) -> None:
    rng = np.random.default_rng(4)
    rows = [
        {"opened": "2025-10-01", "closed": "2025-11-01", "owner_id": f"o{k}",
         "outcome": "won" if rng.random() < (0.25 if k % 2 else 0.65) else "lost"}
        for k in range(10) for _ in range(60)
    ]  # fmt: skip
    cohort = opening_cohort(split_by(make_deals(rows), []), q4, settled_on=q4.end, horizon_days=60)
    row = overdispersion(closed_shares(cohort)).frame.iloc[0]
    assert row["verdict"] == "shown, size unclear"
    assert row["conf_low"] <= 0.2 <= row["conf_high"]  # ±20 points about the mean: a standard deviation of 0.2
    assert "Do not rank" not in row["sentence"]


def test_few_closed_deals_and_unrecorded_levels_are_listed_but_not_ranked(make_company, q4) -> None:
    deals = make_company(5, n=500)
    region = deals["region"].mask(np.arange(len(deals)) % 6 == 0, None).astype(object)
    region.iloc[-2:] = "rare"
    cohort = opening_cohort(split_by(deals.assign(region=region), ["region"]), q4, settled_on=q4.end, horizon_days=300)
    rows = closed_shares(cohort).at(segment="region").set_index("level")
    assert not rows.at["not recorded", "comparable"]
    assert np.isnan(rows.at["not recorded", "low_95"])
    assert overdispersion(closed_shares(cohort)).at(segment="region")["n_levels"].tolist() == [5]
