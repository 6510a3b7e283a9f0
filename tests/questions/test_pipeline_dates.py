"""Stated close dates: pushes, heaping and what came of them, against loops and the simulator's own settings."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator

import pandas as pd
import pytest

from analytics.estimators.result import Estimate, Finding, Listing
from analytics.questions import pipeline_changes as question
from analytics.questions.cohorts import claims_cause
from analytics.questions.pipeline_changes.pipeline import Pipeline
from analytics.records.calendar import FiscalCalendar
from analytics.records.definitions import CurrencyPolicy, Definitions
from analytics.records.lives import in_memory
from analytics.records.rules import OutcomeRules
from analytics.records.sources.simulated.company import simulate
from analytics.records.sources.simulated.config import SimulationConfig
from analytics.records.sources.simulated.history import to_history
from analytics.records.sources.simulated.journey import MONTH_END, QUARTER_END

CALENDAR = FiscalCalendar()
QUARTER = CALENDAR.quarter("2025Q3")
AS_OF = dt.date(2025, 12, 31)
RULES = OutcomeRules(no_decision_reasons=("No decision", "Budget withdrawn", "Project postponed"))


@pytest.fixture(scope="module")
def pipelines() -> dict[str, Pipeline]:
    history = in_memory(to_history(simulate(SimulationConfig(deals=1500, accounts=500), seed=11)))
    deals = history.table[["deal_id"]].drop_duplicates()
    policy = CurrencyPolicy(report_in="USD", policy="plan_rate", rates={"EUR": 1.08})
    facts = {"as_of": AS_OF, "definitions": Definitions(currency=policy), "rules": RULES}
    return {v: question.pipeline_between(history, deals, QUARTER, view=v, **facts) for v in ("frozen", "restated")}


def states(pipeline: Pipeline) -> Iterator[tuple[str, pd.DataFrame]]:
    """The states of each deal as they were recorded, from the history itself."""
    table = pipeline.history.table
    table = table[table["recorded_on"] <= pd.Timestamp(AS_OF)].sort_values(["deal_id", "recorded_on", "sequence"])
    yield from table.drop_duplicates(["deal_id", "recorded_on"], keep="last").groupby("deal_id")


def test_pushes_are_those_of_a_loop_over_the_history(pipelines: dict[str, Pipeline]) -> None:
    moved = {}
    for deal, rows in states(pipelines["frozen"]):
        before = None
        for row in rows.itertuples():
            if row.status != "open":
                before = None
                continue
            later = before is not None and row.expected_close_on > before
            if later and row.recorded_on.date() in QUARTER:
                moved.setdefault(deal, []).append((row.expected_close_on - before).days)
            before = row.expected_close_on
    found = question.push_distances(pipelines["frozen"])
    assert isinstance(found, Listing)
    total = found.frame.set_index("kind").loc["all"]
    days = pd.Series([day for each in moved.values() for day in each])
    assert (total["deals"], total["pushes"]) == (len(moved), len(days))
    assert total["median_days"] == days.median()
    parts = found.frame[found.frame["kind"] != "all"]
    assert parts["pushes"].sum() == total["pushes"]
    often = question.pushes_per_deal(pipelines["frozen"]).frame
    here = often[often["group"] == "in the quarter"]["deals"]
    lengths = pd.Series({deal: min(len(each), 5) for deal, each in moved.items()}).value_counts()
    assert here.iloc[1:].tolist() == [lengths.get(n, 0) for n in range(1, 6)]
    assert here.sum() == pipelines["frozen"].spans["deal_id"].nunique()


def test_heaping_holds_what_the_simulator_was_told(pipelines: dict[str, Pipeline]) -> None:
    found = question.heaping(pipelines["frozen"], CALENDAR)
    assert isinstance(found, Estimate)
    rows = found.frame.set_index("item")
    # a third of the months end a quarter; of the days that are not heaped 12 in 365 end a month
    other = (1 - MONTH_END - QUARTER_END) * (1 - 12 / 365)
    assert rows.loc["other", "conf_low"] <= other <= rows.loc["other", "conf_high"]
    quarter = QUARTER_END + MONTH_END / 3
    assert abs(rows.loc["quarter", "estimate"] - quarter) < 0.12  # which months dates fall in depends on the season
    assert rows["estimate"].sum() == pytest.approx(1)
    assert rows.loc["quarter", "share_of_days"] == pytest.approx(4 / 365, abs=0.003)


def test_dates_that_do_not_heap_are_not_said_to(pipelines: dict[str, Pipeline]) -> None:
    even = pipelines["frozen"]
    places = even.places.copy()
    spread = pd.to_timedelta([(i * 37) % 365 for i in range(len(places))], unit="D")
    places["expected_close_on"] = (pd.Timestamp("2025-10-01") + spread).where(places["is_open"])
    flat = dataclasses.replace(even, places=places)
    rows = question.heaping(flat, CALENDAR).frame.set_index("item")
    for item in ("quarter", "month", "other"):
        assert rows.loc[item, "conf_low"] <= rows.loc[item, "share_of_days"] <= rows.loc[item, "conf_high"]


def test_closed_by_the_date_is_the_share_of_a_loop(pipelines: dict[str, Pipeline]) -> None:
    """By the date itself nothing is censored: it is a plain share, open deals in the denominator."""
    settled = dt.date(2025, 12, 1)
    n, won, open_ = 0, 0, 0
    for _, rows in states(pipelines["restated"]):
        first = rows.iloc[0]
        said = first["expected_close_on"]
        if first["status"] != "open" or pd.isna(said) or said < first["opened_on"]:
            continue
        if not settled - dt.timedelta(days=365) < said.date() <= settled:
            continue
        closed = rows[rows["status"] != "open"]
        day = min(closed.iloc[0]["closed_on"], closed.iloc[0]["recorded_on"]) if len(closed) else pd.Timestamp.max
        if day <= first["opened_on"]:
            continue  # never open at the end of a day
        n += 1
        won += day <= said and closed.iloc[0]["status"] == "closed_won"
        open_ += day > said
    found = question.closed_by_date(pipelines["restated"], settled_on=settled)
    assert isinstance(found, Estimate)
    mine = found.frame[found.frame["said"] == "first date"]
    first = mine[mine["days_after"] == 0].set_index("outcome")
    assert first.loc["won", "n_deals"] == n
    assert first.loc["won", "estimate"] == pytest.approx(won / n)
    assert first.loc["open", "estimate"] == pytest.approx(open_ / n)
    assert first["estimate"].sum() == pytest.approx(1)
    assert (
        n <= found.meta.n_deals < found.frame[found.frame["outcome"] == "won"].drop_duplicates("said")["n_deals"].sum()
    )
    later = mine.pivot(index="days_after", columns="outcome", values="estimate")
    assert later["open"].is_monotonic_decreasing
    assert later["won"].is_monotonic_increasing
    assert later.sum(axis=1).tolist() == pytest.approx([1] * 3)


def test_dates_stated_before_deals_were_observed_are_not_counted(pipelines: dict[str, Pipeline]) -> None:
    """An export without the deals that ended before May holds of their dates only those that were outlived."""
    whole, since = pipelines["restated"], pd.Timestamp("2025-05-01")
    gone = whole.places[~whole.places["is_open"] & (whole.places["on"] < since)]["deal_id"]
    definitions = whole.definitions.model_copy(update={"observed_from": since.date()})
    places = whole.places[~whole.places["deal_id"].isin(gone)].reset_index(drop=True)
    cut = dataclasses.replace(whole, places=places, definitions=definitions)
    told = dataclasses.replace(whole, definitions=definitions)
    found, truth = (question.closed_by_date(one, settled_on=dt.date(2025, 12, 1)).frame for one in (cut, told))
    first = found[found["said"] == "first date"].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, truth[truth["said"] == "first date"].reset_index(drop=True))


@pytest.mark.slow
def test_what_comes_after_the_date_stated_is_that_of_complete_follow_up() -> None:
    """Dates of the last 90 days are not yet followed for 90 days: what is censored must not count as still open."""
    settled, year = dt.date(2025, 12, 1), dt.timedelta(days=365)
    config = SimulationConfig(deals=3000, accounts=3000)
    history = in_memory(to_history(simulate(config, seed=21, followed_to=dt.date(2027, 3, 31))))
    facts = {"definitions": Definitions(), "rules": RULES, "view": "restated"}
    deals = history.table[["deal_id"]].drop_duplicates()
    then = question.pipeline_between(history, deals, QUARTER, as_of=AS_OF, **facts)
    found = question.closed_by_date(then, settled_on=settled)
    assert isinstance(found, Estimate)
    rows = found.at(said="first date", days_after=90).set_index("outcome")
    table = history.table.sort_values(["deal_id", "recorded_on", "sequence"])
    first = table.drop_duplicates("deal_id").set_index("deal_id")
    over = table[table["status"] != "open"].drop_duplicates("deal_id").set_index("deal_id")
    ended = over[["closed_on", "recorded_on"]].min(axis=1).reindex(first.index)
    said = first["expected_close_on"]
    mine = (first["status"] == "open") & (said >= first["opened_on"]) & ~(ended <= first["opened_on"])
    mine &= (said > pd.Timestamp(settled - year)) & (said <= pd.Timestamp(settled))
    by_then = ended[mine] <= said[mine] + pd.Timedelta(days=90)
    n, undecided = mine.sum(), over["reason"].isin(RULES.no_decision_reasons).reindex(first.index, fill_value=False)
    won = over["status"].reindex(first.index)[mine] == "closed_won"
    truth = {
        "won": (by_then & won).mean(),
        "no_decision": (by_then & undecided[mine]).mean(),
        "open": 1 - by_then.mean(),
    }
    assert abs(rows.loc["won", "n_deals"] - n) <= 2  # known now otherwise than later
    assert rows.loc["won", "n_risk"] < n - 50  # some are not followed so far
    for outcome, share in truth.items():
        row = rows.loc[outcome]
        assert abs(row["estimate"] - share) < 0.03, (outcome, row["estimate"], share)
        assert row["conf_low"] - 0.005 < share < row["conf_high"] + 0.005
    late = said[mine] > pd.Timestamp(settled) - pd.Timedelta(days=90)
    naive = 1 - (by_then & (ended[mine] <= pd.Timestamp(settled))).mean()
    assert late.sum() > 100
    assert naive > truth["open"] + 0.03  # what counting the young dates as followed would say


def test_what_became_adds_up_and_agrees_with_the_waterfall(pipelines: dict[str, Pipeline]) -> None:
    became = question.what_became(pipelines["frozen"])
    assert isinstance(became, Estimate)
    rows = became.frame.set_index("outcome")
    assert rows["estimate"].sum() == pytest.approx(1)
    start = question.waterfall(pipelines["frozen"]).frame.set_index("line").loc["start", "deals"]
    assert (rows["n_event"].sum(), int(rows["n_risk"].iloc[0])) == (start, start)


def test_categories_put_every_deal_in_one_flow(pipelines: dict[str, Pipeline]) -> None:
    plain = pipelines["frozen"]
    assert question.category_flows(plain).verdict == "not studied"  # the simulator's history has no categories
    spans = plain.spans.assign(then_forecast_category="commit", now_forecast_category="best_case")
    named = dataclasses.replace(plain, spans=spans)
    flows = question.category_flows(named)
    assert isinstance(flows, Listing)
    lines = question.waterfall(named).frame.set_index("line")["deals"]
    gone = flows.frame.groupby("to")["deals"].sum()
    ends = {"won": "won", "lost": "lost", "no_decision": "no_decision", "best_case": "end"}
    assert gone[list(ends)].tolist() == lines[list(ends.values())].tolist()
    assert flows.frame.loc[flows.frame["from"] == "commit", "deals"].sum() == lines["start"]


def test_findings_say_numbers_intervals_and_no_cause(pipelines: dict[str, Pipeline]) -> None:
    frozen, restated = pipelines["frozen"], pipelines["restated"]
    answers = question.Answers(
        quarter_lines=question.waterfall(frozen),
        whole_lines=question.waterfall(frozen, border="whole"),
        became=question.what_became(frozen),
        dates=question.closed_by_date(restated, settled_on=AS_OF),
        heaped=question.heaping(frozen, CALENDAR),
        then_now=question.then_and_now(frozen, restated),
    )
    cards = {card.name: card for card in question.findings(QUARTER, answers)}
    assert list(cards) == ["pipeline", "said_to_close", "by_the_date", "heaped", "then_and_now"]
    text = " ".join(card.headline + card.detail for card in cards.values())
    assert set(claims_cause(text)) <= {"raised", "lowered", "effect"}  # two lines, and "no effect of it"
    assert "nan" not in text
    won = answers.became.frame.set_index("outcome").loc["won"]
    assert f"{100 * won['estimate']:.0f} % ({100 * won['conf_low']:.0f}–{100 * won['conf_high']:.0f})" in text
    absent = Finding("x", "Not studied: this.", "", "not studied")
    only = question.findings(QUARTER, question.Answers(absent, answers.whole_lines, *[absent] * 4))
    assert [card.name for card in only] == ["pipeline", "not_told"]
    assert only[0].headline.startswith("All open deals went from")
