"""The sentences: fixed order, figures with interval and n, words that fit the verdict, an answer for every quarter."""

from __future__ import annotations

import datetime as dt
import re

import numpy as np
import pandas as pd
import pytest

from analytics.estimators.bootstrap import Resampling
from analytics.estimators.contrasts import verdict
from analytics.estimators.result import Estimate, Finding, Listing, Meta
from analytics.questions import quarter as questions
from analytics.questions.quarter import Answers, findings, look_next
from analytics.questions.quarter.picked import picked

FIXED = (
    "where_deals_end_up", "against_last_quarter", "what_the_change_is_made_of", "where_open_effort_lies", "not_told",
)  # fmt: skip
MARGINS = {"won": 0.03, "lost": 0.03, "no_decision": 0.03}
FEW = Resampling(reps=60, seed=7)
INTERVAL = re.compile(r"\([−+]?\d[\d.]*( to |–)[−+]?\d[\d.]*\)")
VERDICTS = {"shown and large enough to matter", "shown, size unclear", "too small to matter", "cannot tell",
                 "not studied", "described"}  # fmt: skip


def ask(deals: pd.DataFrame, ledger: pd.DataFrame, quarter, then, by=("segment",)) -> dict[str, object]:
    how = {"settled_on": dt.date(2025, 12, 20), "horizon_days": 200}
    segments = questions.segments(deals, quarter, by=by, resampling=FEW, **how)
    return {
        "what_closed": questions.what_closed(ledger, quarter),
        "money_strip": questions.money_strip(ledger, quarter),
        "period_incidence": questions.period_incidence(deals, quarter, **how),
        "at_horizon": questions.period_at_horizon(deals, quarter, **how),
        "opening_cohorts": questions.opening_cohorts(deals, [then, quarter], **how),
        "win_rates": questions.win_rates(deals, ledger, quarter, **how),
        "bridge": questions.bridge(deals, ledger, quarter, **how),
        "changes": questions.against(deals, quarter, as_known={then: deals}, margins=MARGINS, resampling=FEW, **how),
        "parts": questions.mix_and_rate(deals, quarter, as_known={then: deals}, by=by, resampling=FEW, **how),
        "segments": segments,
        "spread": questions.segment_spread(segments),
        "value": questions.value_weighted(deals, quarter, resampling=FEW, **how),
        "no_decision": questions.no_decision_range({"declared": deals, "silent": deals}, quarter, **how),
        "effort": questions.open_effort(deals, quarter, resampling=FEW, **how),
    }


def answers_of(asked: dict[str, object]) -> Answers:
    names = ("at_horizon", "no_decision", "changes", "parts", "effort", "segments", "spread", "value")
    return Answers(**{name: asked[name] for name in names})


@pytest.fixture(scope="module")
def asked(company, q3, q4) -> dict[str, object]:
    return ask(company, company, q4, q3)


def test_cards_come_in_the_fixed_order_with_interval_and_n(asked, q4) -> None:
    cards = findings(q4, answers_of(asked))
    assert tuple(card.name for card in cards[:5]) == FIXED
    assert len(cards) <= 6
    for card in cards[:4]:
        assert card.verdict in VERDICTS
        assert INTERVAL.search(card.detail), card.detail
        assert re.search(r"\d deals?\b", card.detail), card.detail


def test_sentences_are_clean(asked, q4) -> None:
    for card in (*findings(q4, answers_of(asked)), *look_next(q4, answers_of(asked))):
        text = f"{card.headline} {card.detail}"
        assert "nan" not in text.lower()
        assert not re.search(r"-\d", text), text  # minus signs are minus signs
        assert "  " not in text
        assert "because" not in text
        assert not re.search(r"\b1 (deals|accounts|points|days)\b", text), text
        assert "win rate" not in text.lower()
        assert card.headline[-1] == "."


def test_figures_in_the_sentence_are_those_of_the_estimate(asked, q4) -> None:
    first = findings(q4, answers_of(asked))[0]
    shares = asked["at_horizon"].frame.set_index("outcome")["estimate"]
    for outcome in ("won", "lost", "no_decision"):
        assert f"{100 * shares[outcome]:.0f} %" in first.headline
    rows = asked["at_horizon"].frame.set_index("outcome")
    low, high = rows.loc["won", ["conf_low", "conf_high"]]
    won = f"{100 * shares['won']:.0f} % ({100 * low:.0f}–{100 * high:.0f})"
    assert f"{won} of deals would be won" in first.headline
    assert won not in first.detail  # said once


@pytest.mark.parametrize(
    ("estimate", "error", "said", "words"),
    [
        (-0.12, 0.03, "shown and large enough to matter", "fewer, by enough to matter."),
        (0.07, 0.03, "shown, size unclear", "more, by how much is unclear."),
        (0.00, 0.01, "too small to matter", "the difference is too small to matter."),
        (-0.03, 0.04, "cannot tell", "that may be noise."),
    ],
)
def test_the_comparison_says_its_verdict(q4, estimate, error, said, words) -> None:
    half = 1.96 * error
    row = {
        "compared_to": "2025Q3", "view": "as known then", "outcome": "won", "estimate": estimate, "std_error": error,
        "conf_low": estimate - half, "conf_high": estimate + half, "estimate_now": 0.4 + estimate,
        "estimate_then": 0.4, "margin": 0.03, "smallest_reliable_change": 0.03 + 2.8 * error, "verdict": said,
        "n_deals_now": 150, "n_deals_then": 160, "horizon_reached": 200,
    }  # fmt: skip
    meta = Meta("contrast", "difference", ("compared_to", "view", "outcome"), 150)
    changes = Estimate(pd.DataFrame([row]), meta)
    card = findings(q4, Answers(None, changes=changes))[1]
    assert card.verdict == said
    assert card.headline.endswith(words)
    now = f"Within 200 days {100 * (0.4 + estimate):.0f} % of deals would be won at this quarter's pace"
    assert f"{now}, against 40 % in 2025Q3, " in card.headline
    assert INTERVAL.search(card.headline)
    assert f"only a change beyond {100 * (0.03 + 2.8 * error):.0f} points would reliably show" in card.detail


def test_no_share_of_a_change_that_is_uncertain(asked, q4) -> None:
    total = asked["parts"].at(level="all", part="total").iloc[0]
    card = findings(q4, answers_of(asked))[2]
    uncertain = not (total["conf_low"] > 0 or total["conf_high"] < 0)
    assert ("no share of it is given" in card.detail) == uncertain
    assert "%" not in card.headline


def test_unrecorded_outcomes_make_the_headline_bounds(make_deals, q4) -> None:
    rows = [{"opened": "2025-10-01", "closed": "2025-10-11", "outcome": o} for o in ("won", "lost", "unknown")] * 4
    deals = make_deals(rows)
    how = {"settled_on": q4.end, "horizon_days": 30}
    pace = questions.period_at_horizon(deals, q4, **how)
    card = findings(q4, Answers(pace))[0]
    assert card.headline == (
        "Between 33 % and 67 % of deals would be won within 30 days at this quarter's pace, because 4 of 12 closings "
        "have no recorded outcome."
    )
    assert "50 %" not in card.detail  # the proportional point
    assert pace.at(outcome="open")["n_event"].isna().all()
    effort = questions.open_effort(deals, q4, **how)
    assert (effort.verdict, effort.detail) == ("not studied", "4 of 12 closings have no recorded outcome.")


def test_no_closing_and_no_reason_are_said_plainly(make_deals, q4) -> None:
    how = {"settled_on": q4.end, "horizon_days": 60}
    still = questions.period_at_horizon(make_deals([{"opened": "2025-10-03"}] * 9), q4, **how)
    card = findings(q4, Answers(still))[0]
    assert card.headline.startswith("No deal closed in 2025Q4 within 60 days of its opening")
    assert card.verdict == "cannot tell"
    rows = [{"opened": "2025-10-01", "closed": "2025-10-11", "outcome": o} for o in ("won", "lost")] * 8
    card = findings(q4, Answers(questions.period_at_horizon(make_deals(rows), q4, **how)))[0]
    assert card.headline.startswith("Within 60 days 50 % (")
    assert card.headline.endswith("; no decision is not recorded.")
    assert "The extract records no reasons, so no decision cannot be told from lost." in card.detail
    assert "no decision 0" not in card.detail


def test_the_chip_of_the_parts_is_that_of_their_total(asked, q4) -> None:
    total = asked["parts"].at(level="all", part="total").iloc[0]
    numbers = [float(total[name]) for name in ("estimate", "std_error", "conf_low", "conf_high")]
    assert findings(q4, answers_of(asked))[2].verdict == verdict(*numbers, 0.03)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"opened": "2025-10-03"}], "At no age were 5 deals watched."),
        ([{"opened": "2025-10-03"}] * 9, "No deal was won."),
        ([{"opened": "2025-10-03", "closed": "2025-10-20", "outcome": "won"}], "At no age were 5 deals watched."),
    ],
)
def test_effort_says_nothing_false_of_few_deals(make_deals, q4, rows, words) -> None:
    found = questions.open_effort(make_deals(rows), q4, settled_on=q4.end, horizon_days=200)
    assert found.verdict == "not studied"
    assert words in found.detail


def test_an_age_close_to_the_horizon_is_not_named(make_deals, q4) -> None:
    rows = [{"opened": "2025-10-01", "closed": f"2025-11-{day:02d}", "outcome": "won"} for day in range(1, 21)]
    deals = make_deals(rows + [{"opened": "2025-10-01", "closed": "2025-12-20", "outcome": "lost"}] * 6)
    found = questions.open_effort(deals, q4, settled_on=q4.end, horizon_days=80)
    assert isinstance(found, Finding)
    assert found.verdict == "cannot tell"


def test_what_was_not_studied_comes_first_on_its_card(asked, q4) -> None:
    missing = Finding("discounts", "Discounts and outcome.", "The extract has no discount field.", "not studied")
    answers = answers_of(asked)
    card = findings(q4, Answers(**{**vars(answers), "not_studied": (missing,)}))[4]
    assert (card.name, card.headline, card.verdict) == ("not_told", "Discounts and outcome.", "not studied")


def selection(p_values: dict[str, float], family_p: float = 0.001) -> tuple[Estimate, Estimate]:
    rows = pd.DataFrame({"level": list(p_values), "p_value": list(p_values.values())}).assign(
        segment="source", kind="raw", estimate=0.2, std_error=0.03, conf_low=0.14, conf_high=0.26, n_deals=90,
        n_accounts=80, horizon_reached=200, comparable=True, difference=-0.15, difference_se=0.03, note="",
    )  # fmt: skip
    raw = Estimate(rows, Meta("probability", "share won", ("segment", "level", "kind"), 400))
    tests = pd.DataFrame({"segment": ["source", "region"], "p_value": [family_p, 0.6]})
    tests = tests.assign(estimate=0.1, conf_low=0.0, conf_high=0.2)
    return raw, Estimate(tests, Meta("test", "spread", ("segment",), 400))


def test_a_picked_finding_says_from_how_many_and_is_widened() -> None:
    raw, spread = selection({"a": 1e-6, "b": 0.2, "c": 0.5, "d": 0.9})
    card = picked(raw, spread, 0.03)
    assert card.headline == "Deals with source a were won less often than the others."
    assert "Picked from 4 looked at" in card.detail
    # one of two families, then one of four levels: 5 % × 1/2 × 1/4 may miss
    from analytics.estimators.rates import quantile

    half = quantile(1 - 0.05 / 8, 79) * 0.03
    low, high = (f"{100 * (-0.15 + sign * half):.0f}".replace("-", "−") for sign in (-1, 1))
    assert f"−15 points ({low} to {high})" in card.detail


def test_nothing_is_picked_where_the_family_shows_nothing() -> None:
    assert picked(*selection({"a": 1e-6, "b": 0.2}, family_p=0.2), 0.03) is None
    assert picked(*selection({"a": 0.04, "b": 0.2}), 0.03) is None
    assert picked(None, None, 0.03) is None


def closings(months: tuple[int, ...], *outcomes: str, **given) -> list[dict]:
    return [
        {
            "opened": f"2025-{month:02d}-03", "closed": f"2025-{month:02d}-20", "outcome": outcome,
            "segment": "xy"[i % 2], **given,
        }
        for month in months
        for i, outcome in enumerate(outcomes)
    ]  # fmt: skip


ALL = ("won", "lost", "no_decision")
CASES = {
    "one deal": [{"opened": "2025-10-03", "segment": "x"}],
    "one closed deal": [{"opened": "2025-10-03", "closed": "2025-10-20", "outcome": "won", "segment": "x"}],
    "all open": [{"opened": "2025-10-03", "segment": "x"}] * 12 + [{"opened": "2025-07-03", "segment": "y"}] * 12,
    "all won": closings((7, 8, 9, 10, 11, 12), "won"),
    "nothing in the quarter": closings((1, 2), "lost", "won"),
    "one account": closings((7, 8, 10, 11), *ALL, account_id="only"),
    "no accounts": closings((7, 8, 10, 11), *ALL, account_id=None),
    "unknown outcomes": closings((7, 8, 10, 11), "won", "lost", "unknown"),
    "no segment recorded": closings((7, 8, 10, 11), *ALL, segment=None),
    "only old deals": [{"opened": "2025-06-03", "segment": "x"}] * 8 + closings((7,), *ALL),
    "only ancient deals": [{"opened": "2024-01-03", "segment": "x"}] * 8,
}


@pytest.mark.parametrize("case", [*CASES, "no deals"])
def test_every_question_has_an_answer_for_every_company(make_deals, q3, q4, case) -> None:
    deals = make_deals(CASES[case]) if case in CASES else make_deals(CASES["one deal"]).iloc[:0]
    asked = ask(deals, deals, q4, q3)
    for name, answer in asked.items():
        assert isinstance(answer, Estimate | Listing | Finding), name
        if isinstance(answer, Estimate):
            numbers = answer.frame[["estimate", "conf_low", "conf_high"]].astype(float)
            silent = numbers.isna().any(axis=1) & (answer.frame.get("no_interval_reason", "") == "")
            assert not np.asarray(silent).any(), name
        if isinstance(answer, Finding):
            assert answer.headline, name
    cards = findings(q4, answers_of(asked))
    assert tuple(card.name for card in cards[:5]) == FIXED
    for card in (*cards, *look_next(q4, answers_of(asked))):
        assert card.headline
        assert "nan" not in f"{card.headline} {card.detail}".lower(), card
