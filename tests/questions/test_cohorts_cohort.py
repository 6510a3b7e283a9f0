"""Which deals are compared by what: bands, opening amounts, refusals, and what happens where there is nothing."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.estimators.result import Finding
from analytics.questions.cohorts import (
    Answers,
    closed_shares,
    contrasts,
    described,
    findings,
    omnibus,
    opening_amounts,
    opening_cohort,
    overdispersion,
    quarter_on_quarter,
    rates,
    split_by,
    split_like,
)
from analytics.records.calendar import Quarter
from analytics.records.contract import History
from analytics.records.errors import InputError

MARGINS = {"won": 0.03, "lost": 0.03, "no_decision": 0.03}


def everything(split, quarter, settled_on=None) -> list:
    """Every answer of the study, to see that none of them fails."""
    pace = {"settled_on": settled_on or quarter.end, "horizon_days": 200}
    cohort = opening_cohort(split, quarter, **pace)
    shares, family = closed_shares(cohort), omnibus(cohort)
    compared = contrasts(cohort, family, margins=MARGINS)
    parts = quarter_on_quarter(split, quarter, as_known={}, **pace)
    answers = [overdispersion(shares), rates(cohort), family, compared.differences]
    cards = findings(Answers(*answers, parts, described(cohort)))
    assert cards
    assert "nan" not in " ".join(f"{card.headline} {card.detail}" for card in cards).lower()
    return [cohort, shares, *answers, compared.balance, parts, cards]


def test_bands_are_fixed_once_and_mean_the_same_in_an_earlier_quarter(company) -> None:
    score = pd.Series(np.arange(len(company)) % 97, index=company.index).astype(str)
    split = split_by(company.assign(fit_score=score), ["fit_score"])
    edges = np.quantile(score.astype(float), [0.25, 0.5, 0.75])
    assert split.edges["fit_score"].tolist() == edges.tolist()
    for text, value in zip(split.deals["fit_score"], score.astype(float), strict=True):
        assert int(text[0]) == 1 + sum(value > edge for edge in edges)
    few = company.iloc[:40].assign(fit_score=score.iloc[:40])
    again = split_like(split, few)
    assert again.deals["fit_score"].tolist() == split.deals["fit_score"].iloc[:40].tolist()


def test_sizes_are_those_of_the_opening_in_one_currency() -> None:
    day = [dt.date(2025, 1, 10), dt.date(2025, 2, 3)]
    rows = {
        "deal_id": ["A", "A", "B", "C"], "recorded_on": [*day, day[0], day[0]], "sequence": [0, 1, 0, 0],
        "status": ["open", "closed_lost", "open", "closed_won"], "opened_on": [day[0]] * 4,
        "amount": [100.0, 0.0, 300.0, 900.0],
    }  # fmt: skip
    history = History(table=pd.DataFrame(rows))
    amounts = opening_amounts(history, dt.date(2025, 3, 1))
    assert amounts.dropna().to_dict() == {"A": 100.0, "B": 300.0}  # C was first recorded closed
    assert opening_amounts(History(table=pd.DataFrame(rows), kind="current_only"), dt.date(2025, 3, 1)) is None


def test_a_leaky_field_is_refused_in_words_and_the_study_goes_on(company, q4) -> None:
    leaky = pd.DataFrame({
        "field": ["region", "owner_id"], "leaky": True, "kind": ["filled", "changed"],
        "why": ["100% of closed deals have it, 0% of open ones", "its value changed at the close"],
    })  # fmt: skip
    split = split_by(company, ["segment", "region"], leaky=leaky)
    assert split.by == ("segment",)
    refused = {card.name: card for card in split.refused}
    assert refused["not_split_by_region"].verdict == "not studied"
    assert "how a deal ended" in refused["not_split_by_region"].headline
    assert "0% of open ones" in refused["not_split_by_region"].detail
    cards = everything(split, q4)[-1]
    assert "not_split_by_region" in [card.name for card in cards]


def test_unknown_columns_name_the_nearest(company) -> None:
    with pytest.raises(InputError, match=r"(?i)did you mean 'region'"):
        split_by(company, ["regoin"])


@pytest.mark.parametrize("rows", [0, 1, 2, 7])
def test_a_handful_of_deals(company, q4, rows: int) -> None:
    recent = company[company["opened_on"] >= "2025-01-01"].iloc[:rows]
    everything(split_by(recent, ["segment", "region"]), q4)


def test_no_deal_of_an_outcome_and_open_deals_alone(company, q4) -> None:
    for outcomes in ({"won": "lost"}, {"lost": "won", "no_decision": "won"}, dict.fromkeys(
            ("won", "lost", "no_decision"), "open")):  # fmt: skip
        changed = company.assign(outcome=company["outcome"].replace(outcomes))
        everything(split_by(changed, ["segment", "region"]), q4)


def test_one_level_blank_levels_and_one_account(company, q4) -> None:
    blank = company.assign(same="x", empty=None, account_id="a")
    split = split_by(blank, ["same", "empty", "segment"])
    assert split.by == ("segment",)
    assert {card.name for card in split.refused} == {"not_split_by_same", "not_split_by_empty", "not_split_by_owner_id"}
    everything(split, q4)
    nothing = everything(split_by(blank, ["same"]), q4)
    assert isinstance(nothing[0], Finding)
    assert nothing[0].verdict == "not studied"
    assert "a column to split by" in nothing[0].headline


def test_early_dates_and_unrecorded_outcomes_are_one_sentence(company, q4) -> None:
    early = Quarter("2019Q4", dt.date(2019, 10, 1), dt.date(2019, 12, 31))
    split = split_by(company, ["segment"])
    assert everything(split, early)[0].verdict == "not studied"
    everything(split, q4, settled_on=dt.date(2024, 3, 1))
    unknown = company.assign(outcome=company["outcome"].mask(np.arange(len(company)) % 9 == 0, "unknown"))
    answers = everything(split_by(unknown, ["segment"]), q4)
    assert all(isinstance(answer, Finding) for answer in answers[:-1])
    assert "no recorded outcome" in answers[0].detail
    assert len(answers[-1]) == 1


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6))
def test_neither_the_order_of_deals_nor_the_names_of_levels_change_a_number(make_company, q4, seed: int) -> None:
    deals = make_company(2, n=250)
    names = dict(zip(list("NESWC"), np.random.default_rng(seed).permutation(list("abcde")), strict=True))
    other = deals.assign(region=deals["region"].map(names)).sample(frac=1, random_state=seed)
    how = {"settled_on": q4.end, "horizon_days": 200}
    one, two = (opening_cohort(split_by(frame, ["region"]), q4, **how) for frame in (deals, other))
    first, second = closed_shares(one).at(segment="region"), closed_shares(two).at(segment="region")
    found = second.set_index("level").loc[first["level"].map(names), "estimate"].to_numpy()
    assert found == pytest.approx(first["estimate"].to_numpy(), nan_ok=True)
    for test in (omnibus, lambda cohort: overdispersion(closed_shares(cohort))):
        before, after = (test(cohort).at(segment="region")["p_value"].to_numpy() for cohort in (one, two))
        assert after == pytest.approx(before, rel=1e-8)
