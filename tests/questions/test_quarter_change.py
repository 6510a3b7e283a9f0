"""Against earlier quarters, mix and rate, money, no decision and effort: closed forms and exact sums."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from analytics.estimators.bootstrap import Resampling
from analytics.estimators.result import Estimate, Finding
from analytics.questions.quarter import (
    against,
    mix_and_rate,
    no_decision_range,
    open_effort,
    period_at_horizon,
    value_weighted,
)  # fmt: skip
from analytics.records.calendar import Quarter
from analytics.records.errors import InputError

MARGINS = {"won": 0.03, "lost": 0.03, "no_decision": 0.03}
FEW = Resampling(reps=80, seed=7)
SETTLED = dt.date(2025, 12, 20)


@pytest.fixture(scope="module")
def known_then(company: pd.DataFrame) -> pd.DataFrame:
    """The company as somebody without the last word might have known it: one win in eight not yet recorded."""
    late = (company["outcome"] == "won") & (np.arange(len(company)) % 8 == 0)
    return company.assign(outcome=company["outcome"].mask(late, "open"))


def test_against_is_the_difference_of_the_headlines(company, known_then, q3, q4) -> None:
    found = against(
        company, q4, as_known={q3: known_then}, settled_on=SETTLED, horizon_days=200, margins=MARGINS, resampling=FEW
    )
    assert isinstance(found, Estimate)
    now = period_at_horizon(company, q4, settled_on=SETTLED, horizon_days=200).frame.set_index("outcome")["estimate"]
    # the earlier quarter is cut 11 days before its end as well
    cut = dt.date(2025, 9, 19)
    for view, frame in (("as known then", known_then), ("restated", company)):
        then = period_at_horizon(frame, q3, settled_on=cut, horizon_days=200).frame.set_index("outcome")["estimate"]
        for outcome in ("won", "lost", "no_decision"):
            row = found.at(compared_to="2025Q3", view=view, outcome=outcome).iloc[0]
            assert row["horizon_reached"] == 200
            assert row["estimate"] == pytest.approx(now[outcome] - then[outcome], abs=1e-12)
            assert (row["estimate_now"], row["estimate_then"]) == pytest.approx(
                (now[outcome], then[outcome]), abs=1e-12
            )
            assert row["smallest_reliable_change"] == pytest.approx(0.03 + 2.8 * row["std_error"])
    assert (
        found.at(view="restated", outcome="won")["estimate_then"].iloc[0]
        > found.at(view="as known then", outcome="won")["estimate_then"].iloc[0]
    )


def test_an_outcome_in_neither_quarter_is_not_studied(company, q3, q4) -> None:
    none = company[company["outcome"] != "no_decision"]
    found = against(
        none, q4, as_known={q3: none}, settled_on=SETTLED, horizon_days=200, margins=MARGINS, resampling=FEW
    )
    row = found.at(view="restated", outcome="no_decision").iloc[0]
    assert (row["verdict"], row["no_interval_reason"]) == ("not studied", "no such outcome in either quarter")


def opened_and_closed(month: str, won: int, lost: int, account: str) -> list[dict]:
    """Deals of two accounts each, all closed within ten days."""
    ended = {"opened": f"2025-{month}-01", "closed": f"2025-{month}-11"}
    return [{**ended, "outcome": "won" if i < won else "lost", "account_id": f"{account}{i}"}
            for i in range(won + lost)]  # fmt: skip


def test_no_win_in_one_quarter_is_not_a_shown_change(make_deals, q3, q4) -> None:
    deals = make_deals(opened_and_closed("07", 16, 384, "t") + opened_and_closed("10", 0, 30, "n")).assign(segment="x")
    how = {"as_known": {q3: deals}, "settled_on": q4.end, "horizon_days": 30, "resampling": FEW}
    found = against(deals, q4, margins=MARGINS, **how)
    row = found.at(view="as known then", outcome="won").iloc[0]
    assert (row["estimate_now"], row["n_event_now"], row["n_event_then"]) == (0, 0, 16)
    assert row["conf_high"] > 0.05  # 0 of 30 does not rule out 10 %
    assert row["verdict"] == "cannot tell"
    assert "fewer than 5" in row["note"]
    parts = mix_and_rate(deals, q4, by=["segment"], **how)
    total, rest = parts.at(level="all", part="total").iloc[0], parts.frame[parts.frame["part"] != "total"]
    assert (total["conf_low"], total["conf_high"]) == (row["conf_low"], row["conf_high"])
    assert rest["conf_low"].isna().all()
    assert rest["no_interval_reason"].str.contains("fewer than 5").all()


def test_quarters_alike_are_seldom_called_different(make_deals, q3, q4) -> None:
    rng, shown = np.random.default_rng(3), 0
    for _ in range(25):
        won = rng.binomial([400, 30], 0.04)
        deals = make_deals(
            opened_and_closed("07", won[0], 400 - won[0], "t") + opened_and_closed("10", won[1], 30 - won[1], "n")
        )
        how = {"as_known": {q3: deals}, "settled_on": q4.end, "horizon_days": 30, "resampling": FEW}
        shown += int(against(deals, q4, margins=MARGINS, **how).frame["verdict"].str.startswith("shown").any())
    assert shown <= 2


def test_all_rows_but_the_declared_one_are_adjusted(make_deals, q3, q4) -> None:
    deals = make_deals(opened_and_closed("07", 120, 80, "t") + opened_and_closed("10", 140, 60, "n"))
    how = {"as_known": {q3: deals}, "settled_on": q4.end, "horizon_days": 30, "resampling": FEW}
    rows = against(deals, q4, margins=MARGINS, **how).at(view="as known then").set_index("outcome")
    # two tests of the same change: p = 0.03 to 0.05 each, so the adjusted ones are the larger of the two
    assert rows.at["won", "p_adjusted"] == pytest.approx(rows[["p_value"]].max().iloc[0])
    assert rows.at["won", "verdict"].startswith("shown")
    assert np.isnan(rows.at["no_decision", "p_adjusted"])
    # a third quarter in which nothing differs leaves the lost row at p × 4 / 2
    summer = Quarter("2025Q2", dt.date(2025, 4, 1), dt.date(2025, 6, 30))
    more = pd.concat([deals, make_deals(opened_and_closed("04", 139, 61, "s"))], ignore_index=True)
    rows = against(more, q4, margins=MARGINS, **{**how, "as_known": {q3: more, summer: more}})
    lost = rows.at(compared_to="2025Q3", view="as known then", outcome="lost").iloc[0]
    assert lost["p_value"] < 0.05 < lost["p_adjusted"]
    assert lost["verdict"] == "cannot tell"
    assert rows.at(compared_to="2025Q3", view="as known then", outcome="won")["verdict"].iloc[0].startswith("shown")


def test_unrecorded_outcomes_are_not_taken_for_lost(company, q3, q4) -> None:
    unknown = company.assign(outcome=company["outcome"].mask(np.arange(len(company)) % 9 == 0, "unknown"))
    how = {"as_known": {q3: unknown}, "settled_on": SETTLED, "horizon_days": 200}
    for found in (against(unknown, q4, margins=MARGINS, **how), mix_and_rate(unknown, q4, by=["segment"], **how)):
        assert isinstance(found, Finding)
        assert found.verdict == "not studied"
        assert "closings have no recorded outcome" in found.detail


def test_margins_are_required_and_may_carry_their_params_name(company, q3, q4) -> None:
    named = {"win_incidence": 0.05, "lost_incidence": 0.05, "no_decision_incidence": 0.05}
    how = {"as_known": {q3: company}, "settled_on": SETTLED, "horizon_days": 200, "resampling": FEW}
    assert (against(company, q4, margins=named, **how).frame["margin"] == 0.05).all()
    with pytest.raises(InputError, match="practical_differences"):
        against(company, q4, margins={"won": 0.03}, **how)


def test_nothing_to_compare_with_is_a_sentence(company, q3, q4) -> None:
    how = {"settled_on": SETTLED, "horizon_days": 200}
    assert isinstance(against(company, q4, as_known={}, margins=MARGINS, **how), Finding)
    early = company[company["opened_on"] >= "2025-10-01"]
    alone = against(early, q4, as_known={q3: early}, margins=MARGINS, **how)
    assert isinstance(alone, Finding)
    assert "no deal was at risk" in alone.detail
    assert isinstance(mix_and_rate(early, q4, as_known={q3: early}, by=["segment"], **how), Finding)
    assert isinstance(mix_and_rate(company, q4, as_known={q3: company}, by=[], **how), Finding)


def test_the_decomposition_adds_up_to_the_change_of_the_headline(company, known_then, q3, q4) -> None:
    how = {"as_known": {q3: known_then}, "settled_on": SETTLED, "horizon_days": 200, "resampling": FEW}
    change = against(company, q4, margins=MARGINS, **how).at(view="as known then", outcome="won").iloc[0]
    found = mix_and_rate(company, q4, by=["segment", "region"], **how)
    for name in ("segment", "region"):
        rows = found.at(segment=name)
        whole = rows[rows["level"] == "all"].set_index("part")
        assert whole["estimate"].drop("total").sum() == pytest.approx(whole.at["total", "estimate"], abs=1e-12)
        singles = rows[rows["level"] != "all"]["estimate"].sum() + whole.at["stock", "estimate"]
        assert singles == pytest.approx(whole.at["total", "estimate"], abs=1e-12)
        for column in ("estimate", "std_error", "conf_low", "conf_high"):
            assert whole.at["total", column] == pytest.approx(change[column], abs=1e-12)
        assert whole.at["total", "estimate_now"] == pytest.approx(change["estimate_now"], abs=1e-12)
        levels = rows[(rows["level"] != "all") & (rows["part"] == "mix")]
        assert levels["share_now"].sum() == pytest.approx(1.0)


def test_appeared_and_vanished_segments_are_terms_of_their_own(company, q3, q4) -> None:
    then = company.assign(segment=company["segment"].replace("ENT", "OLD"))
    found = mix_and_rate(
        company, q4, as_known={q3: then}, by=["segment"], settled_on=SETTLED, horizon_days=200, resampling=FEW
    )
    parts = found.frame.groupby("level")["part"].agg(set).to_dict()
    assert parts["ENT"] == {"appeared"}
    assert parts["OLD"] == {"vanished"}
    whole = found.at(level="all").set_index("part")["estimate"]
    assert whole.drop("total").sum() == pytest.approx(whole["total"], abs=1e-12)
    assert found.at(level="ENT")["label"].tolist() == ["New: ENT"]


def test_many_levels_are_pooled_beyond_the_largest(company, q3, q4) -> None:
    many = company.assign(owner_id=[f"o{i % 15:02d}" for i in range(len(company))])
    found = mix_and_rate(
        many, q4, as_known={q3: many}, by=["owner_id"], settled_on=SETTLED, horizon_days=200, resampling=FEW
    )
    levels = set(found.frame["level"]) - {"all"}
    assert len(levels) == 9
    assert "7 smaller ones" in levels


def test_money_weighs_deals(make_deals, q4) -> None:
    deals = make_deals([
        {"opened": "2025-10-01", "closed": "2025-10-11", "outcome": "won", "amount": 300.0},
        {"opened": "2025-10-01", "closed": "2025-10-11", "outcome": "lost", "amount": 100.0},
        {"opened": "2025-10-01", "amount": 100.0},
        {"opened": "2025-10-01", "amount": None},
    ])  # fmt: skip
    found = value_weighted(deals, q4, settled_on=q4.end, horizon_days=30, resampling=FEW).frame.set_index("outcome")
    assert found["estimate"].to_dict() == pytest.approx({"won": 0.6, "lost": 0.2, "no_decision": 0.0, "open": 0.2})
    assert found["count_estimate"].to_dict() == pytest.approx(
        {"won": 0.25, "lost": 0.25, "no_decision": 0.0, "open": 0.5}
    )
    assert found.at["won", "largest_deal_share"] == pytest.approx(0.6)
    assert (found.at["won", "n_deals"], found.at["won", "amount"]) == (3, 500.0)
    assert found.at["no_decision", "no_interval_reason"] == "it is the same in every resample"


def test_equal_amounts_give_the_shares_of_deals(company, q4) -> None:
    found = value_weighted(company.assign(amount=7.0), q4, settled_on=q4.end, horizon_days=200, resampling=FEW).frame
    np.testing.assert_allclose(found["estimate"], found["count_estimate"], atol=1e-12)


def test_money_without_amounts_or_in_several_currencies_is_not_studied(company, q4) -> None:
    how = {"settled_on": q4.end, "horizon_days": 200}
    assert "No deal" in value_weighted(company.assign(amount=np.nan), q4, **how).headline
    mixed = company.assign(currency=np.where(company.index % 2, "USD", "EUR"))
    assert "several currencies" in value_weighted(mixed, q4, **how).headline


def test_no_decision_by_rule(make_deals, q4) -> None:
    rows = [{"opened": "2025-10-01", "closed": "2025-10-11", "outcome": "no_decision"}] + [{"opened": "2025-10-01"}] * 3
    declared = make_deals([*rows, {"opened": "2025-10-01", "closed": "2025-12-01", "outcome": "won"}])
    silent = declared.copy()
    fired = silent.index.isin([1, 4])  # one that is still open, and the one that was won later
    silent.loc[fired, ["outcome", "no_decision_kind", "exit"]] = ["no_decision", "silent", 20]
    found = no_decision_range({"silent": silent, "declared": declared}, q4, settled_on=q4.end, horizon_days=30)
    rows = found.frame.set_index("rule")
    assert list(rows.index) == ["declared", "silent"]
    assert rows["estimate"].tolist() == pytest.approx([1 / 5, 3 / 5])
    assert rows.loc["silent", ["fired", "later_won"]].tolist() == [2, 1]


def test_effort_by_hand(make_deals, q4) -> None:
    deals = make_deals(
        [{"opened": "2025-10-01", "closed": "2025-10-11", "outcome": "won"}] * 9
        + [{"opened": "2025-10-01", "closed": "2025-11-30", "outcome": "won"}]
        + [{"opened": "2025-10-01", "closed": "2025-12-20", "outcome": "lost"}] * 15
    )
    found = open_effort(deals, q4, settled_on=q4.end, horizon_days=80, resampling=FEW)
    rows = found.frame.set_index("measure")
    # from day 11 on, 1 of 16 open deals was later won
    assert rows.at["won_later", "age_days"] == 11
    assert rows.at["won_later", "estimate"] == pytest.approx(1 / 16)
    assert rows.at["won_later", "n_deals"] == 16
    assert rows.at["wins_share", "estimate"] == pytest.approx(1 / 10)
    all_days, past = 9 * 11 + 61 + 15 * 81, (60 - 10) + 15 * (80 - 10)
    assert rows.at["open_days_share", "estimate"] == pytest.approx(past / all_days)


def test_no_such_age_says_so(make_deals, q4) -> None:
    deals = make_deals([{"opened": "2025-10-01", "closed": "2025-10-11", "outcome": "won"}] * 9)
    found = open_effort(deals, q4, settled_on=q4.end, horizon_days=60)
    assert isinstance(found, Finding)
    assert found.headline == "At no age that could be judged would fewer than 1 in 10 open deals be won later."
