"""Exports that lack what ended early, and fields that begin late, are told apart from the records themselves."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analytics.records.contract import History
from analytics.records.late_start import expected_before, late_start
from analytics.records.observation import Observation, agreement, enter_late, observed_since
from analytics.records.trusted import trusted_from
from analytics.studies.histories import read_history
from analytics.studies.params import load_company

PARAMS = Path(__file__).resolve().parents[2] / "params"
AS_OF = dt.date(2025, 6, 30)
FROM = dt.date(2024, 7, 1)
DAY = pd.Timedelta(days=1)


def lives(seed: int = 3, n: int = 600) -> pd.DataFrame:
    """Deals opened over a year and a half that close after some weeks, at a pace that depends on age alone."""
    rng = np.random.default_rng(seed)
    opened = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.sort(rng.integers(0, 540, n)), unit="D")
    closed = opened + pd.to_timedelta(rng.geometric(1 / 60, n), unit="D")
    frame = pd.DataFrame({"deal_id": [f"D{i:03d}" for i in range(n)], "opened": opened, "closed": closed})
    return frame.assign(status=rng.choice(["closed_won", "closed_lost"], n))


def states(deals: pd.DataFrame, **columns: object) -> pd.DataFrame:
    """One open state on the opening day, one closed state on the closing day where that is not later than as-of."""
    opening = deals.assign(recorded_on=deals["opened"], status="open", closed_on=pd.NaT, sequence=0)
    closing = deals.assign(recorded_on=deals["closed"], closed_on=deals["closed"], sequence=9)
    both = pd.concat([opening, closing[closing["closed"] <= pd.Timestamp(AS_OF)]])
    return both.rename(columns={"opened": "opened_on"}).drop(columns="closed").assign(**columns)


def history(table: pd.DataFrame, **facts: object) -> History:
    attributes = tuple(name for name in ("region",) if name in table)
    return History(table=table, attributes=attributes, **facts)  # type: ignore[arg-type]


def test_closings_at_quarter_ends_prove_nothing_and_the_sentence_says_so() -> None:
    days = np.arange(0, 1095)
    opened = pd.Timestamp("2022-01-01") + pd.to_timedelta(np.repeat(days, 2), unit="D")
    ages = np.tile([20, 150], len(days))
    ends = opened + pd.to_timedelta(ages, unit="D") + pd.offsets.QuarterEnd(0)
    deals = pd.DataFrame({"deal_id": [f"D{i:04d}" for i in range(len(opened))], "opened": opened, "closed": ends})
    deals = deals.assign(status="closed_won")
    late = deals[deals["closed"] >= "2023-01-01"]
    found = observed_since(history(states(late)), as_of=AS_OF)
    assert found.observed_from is None
    assert (
        "closings come in batches, so it cannot be told whether deals that ended earlier are absent" in found.how_known
    )
    assert "says nothing" not in found.how_known


def test_the_expected_number_is_that_of_a_slow_loop() -> None:
    deals = lives(n=120)
    left = deals["closed"].clip(upper=pd.Timestamp(AS_OF))
    happened = deals["closed"] <= pd.Timestamp(AS_OF)
    watched = deals["opened"] + pd.to_timedelta(np.arange(120) % 4, unit="D")
    spans = pd.DataFrame({"opened": deals["opened"], "watched": watched, "left": left, "happened": happened})
    since = pd.Timestamp(FROM)
    at_risk: dict[int, int] = {}
    events: dict[int, int] = {}
    rows = [row for row in spans.itertuples() if row.left >= row.watched]
    for row in rows:
        for day in pd.date_range(max(row.watched, since), row.left):
            age = (day - row.opened).days
            at_risk[age] = at_risk.get(age, 0) + 1
            events[age] = events.get(age, 0) + (row.happened and day == row.left)
    expected = 0.0
    for row in rows:
        for day in pd.date_range(row.watched, min(row.left, since - DAY)):
            age = (day - row.opened).days
            expected += events[age] / at_risk[age] if at_risk.get(age, 0) >= 10 else 0.0
    assert expected > 5
    assert expected_before(spans, FROM) == pytest.approx(expected)


def test_deals_that_ended_before_a_day_are_missed_and_the_day_is_found() -> None:
    deals = lives()
    kept = deals[deals["closed"] >= pd.Timestamp(FROM)]
    found = observed_since(history(states(kept)), as_of=AS_OF)
    assert found.observed_from == kept["closed"].min().date()
    assert found.observed_from is not None
    assert FROM <= found.observed_from < FROM + dt.timedelta(days=3)
    before = kept["opened"] < pd.Timestamp(found.observed_from)
    usual = int((kept["closed"] - kept["opened"])[kept["closed"] <= pd.Timestamp(AS_OF)].dt.days.median())
    old = (kept["opened"] < pd.Timestamp(found.observed_from) - usual * DAY).sum()
    opening = f"{before.sum()} deals had been opened before {found.observed_from}, {old} of them more than {usual} days"
    assert found.how_known.startswith(f"{opening}, and none had closed, where about ")


def test_a_complete_export_is_left_alone() -> None:
    found = observed_since(history(states(lives())), as_of=AS_OF)
    assert found.observed_from is None
    assert "about 1 would be expected at the pace seen since, too few to tell" in found.how_known


def test_stray_early_closings_do_not_hide_the_day() -> None:
    deals = lives()
    early = deals[deals["closed"] < pd.Timestamp("2024-05-01")].head(2)
    kept = deals[deals["closed"] >= pd.Timestamp(FROM)]
    found = observed_since(history(states(pd.concat([early, kept]))), as_of=AS_OF)
    assert found.observed_from == kept["closed"].min().date()
    assert "and only 2 had closed, where about" in found.how_known
    assert "absent (2 that ended before it are there), or deals moved far more slowly then." in agreement(found, None)


def test_a_young_company_is_not_taken_for_a_late_extract() -> None:
    """Its first deals simply take four months; nobody could have closed before."""
    deals = lives()
    deals["closed"] = deals["closed"] + 120 * DAY
    assert observed_since(history(states(deals)), as_of=AS_OF).observed_from is None


def test_what_is_recorded_later_changes_nothing() -> None:
    kept = lives()[lambda deals: deals["closed"] >= pd.Timestamp(FROM)]
    table = states(kept, stage="Demo")
    early = dt.date(2025, 1, 31)
    cut = table[table["recorded_on"] <= pd.Timestamp(early)]
    assert observed_since(history(table), as_of=early) == observed_since(history(cut), as_of=early)
    pd.testing.assert_frame_equal(trusted_from(history(table), as_of=early), trusted_from(history(cut), as_of=early))


def test_deals_first_seen_closed_without_a_date_were_not_observed() -> None:
    first = pd.Timestamp("2024-09-02")
    old = pd.DataFrame({"deal_id": [f"O{i}" for i in range(8)], "opened_on": first - 90 * DAY, "status": "closed_lost"})
    table = pd.concat([old.assign(recorded_on=first, sequence=0), states(lives()[lambda d: d["opened"] > first])])
    found = observed_since(history(table), as_of=AS_OF)
    assert found.observed_from == dt.date(2024, 9, 3)
    assert found.how_known.startswith("8 deals were already closed in the first record of all, of 2024-09-02, without")
    dated = table.assign(closed_on=table["closed_on"].fillna(first - 20 * DAY))
    assert observed_since(history(dated), as_of=AS_OF).observed_from is None


def test_stated_and_found_days_are_compared_in_words() -> None:
    some, other, none = Observation(FROM, ""), dt.date(2024, 3, 1), Observation(None, "")
    assert agreement(some, FROM) == "The params say observed_from: 2024-07-01, and the records agree."
    assert agreement(some, other) == "The params say observed_from: 2024-03-01; the records speak for 2024-07-01."
    assert "nothing in the records says that deals are absent" in agreement(none, other)
    assert agreement(none, None) == "Nothing says that deals are absent."


def changes(deals: pd.DataFrame, column: str, since: pd.Timestamp) -> pd.DataFrame:
    """A change of a column ten days after each opening, recorded from `since` on."""
    at = deals["opened"] + 10 * DAY
    changed = deals.assign(recorded_on=at, status="open", closed_on=pd.NaT, sequence=1, **{column: "second"})
    changed = changed[(at >= since) & (at < deals["closed"])]
    both = pd.concat([states(deals, **{column: "first"}), changed.rename(columns={"opened": "opened_on"})])
    return both.drop(columns="closed").assign(closed_on=lambda rows: pd.to_datetime(rows["closed_on"]))


@pytest.mark.parametrize("column", ["stage", "owner_id", "region"])
def test_a_field_whose_history_starts_late_is_told_from_missing_deals(column: str) -> None:
    deals = lives()
    since = pd.Timestamp(FROM)
    facts = trusted_from(history(changes(deals, column, since)), as_of=AS_OF).set_index("what")
    at = deals["opened"] + 10 * DAY
    seen = (at >= since) & (at < deals["closed"]) & (at <= pd.Timestamp(AS_OF))
    first = at[seen].min()
    field = facts.loc[column]
    assert (field["trusted_from"], field["late"]) == (first, True)
    before = deals["opened"] < first
    assert field["share_before"] == pytest.approx(seen[before].mean())
    assert field["share_after"] == pytest.approx(seen[~before].mean())
    assert f"Of {before.sum()} deals opened before {first.date()}" in field["how_known"]
    assert (facts.loc["outcomes", "trusted_from"], facts.loc["outcomes", "late"]) == (deals["opened"].min(), False)


def test_a_field_recorded_from_the_start_is_trusted_from_the_start() -> None:
    deals = lives()
    facts = trusted_from(history(changes(deals, "stage", pd.Timestamp("2024-01-01"))), as_of=AS_OF).set_index("what")
    assert (facts.loc["stage", "trusted_from"], facts.loc["stage", "late"]) == (deals["opened"].min(), False)
    assert facts.loc["amount", "how_known"] == "It is not in the export, or not mapped."


def test_a_wave_of_new_owners_is_no_late_start() -> None:
    """Everything that was open on two days changed hands: so many at once are one event, not hundreds."""
    deals = lives()
    waves = []
    for number, day in enumerate(pd.to_datetime(["2024-09-16", "2025-03-17"])):
        open_then = deals[(deals["opened"] < day) & (deals["closed"] > day)]
        wave = open_then.assign(recorded_on=day, status="open", closed_on=pd.NaT, sequence=number + 1)
        waves.append(wave.rename(columns={"opened": "opened_on"}).assign(owner_id=f"U{number}"))
    table = pd.concat([states(deals, owner_id="U9"), *waves]).drop(columns="closed")
    facts = trusted_from(history(table), as_of=AS_OF).set_index("what")
    assert (facts.loc["owner_id", "late"], facts.loc["owner_id", "trusted_from"]) == (False, deals["opened"].min())


def test_reasons_and_activities_that_begin_late_are_found() -> None:
    deals = lives()
    table = states(deals, reason=None)
    lost = (table["status"] == "closed_lost") & (table["recorded_on"] >= pd.Timestamp(FROM))
    table.loc[lost, "reason"] = "Price"
    calls = pd.DataFrame({"deal_id": deals["deal_id"], "occurred_on": deals["opened"] + 2 * DAY})
    calls = calls[(calls["occurred_on"] >= pd.Timestamp(FROM)) & (calls["occurred_on"] < deals["closed"])]
    facts = trusted_from(history(table, side={"activities": calls}), as_of=AS_OF).set_index("what")
    reasons, activities = facts.loc["reason"], facts.loc["activities"]
    assert (reasons["trusted_from"], reasons["late"]) == (table.loc[lost, "recorded_on"].min(), True)
    early = ((deals["status"] == "closed_lost") & (deals["closed"] < reasons["trusted_from"])).sum()
    assert f"None of {early} lost before has one, where about {early} would be expected." in reasons["how_known"]
    assert (activities["trusted_from"], activities["late"]) == (calls["occurred_on"].min(), True)


def test_todays_state_alone_has_no_history_of_anything() -> None:
    facts = trusted_from(history(states(lives(), stage="Demo"), kind="current_only"), as_of=AS_OF).set_index("what")
    assert facts.loc[["records", "stage", "owner_id"], "trusted_from"].isna().all()
    assert facts.loc["stage", "how_known"] == "The source keeps only today's state: no change is recorded."


def test_deals_enter_late_where_a_field_does() -> None:
    opened = pd.to_datetime(["2024-06-01", "2024-06-01", "2024-06-20", "2024-07-01", "2024-07-05"])
    deals = pd.DataFrame(
        {"deal_id": list("abcde"), "opened_on": opened, "entry": [-1, -1, 14, -1, -1], "exit": [29, 30, 40, 0, 3],
         "outcome": ["lost", "won", "open", "won", "lost"]}
    )  # fmt: skip
    late = enter_late(deals, since=FROM)
    # a ended on 30 June, the day before; b on the first day; c had entered later already; d and e were opened since.
    assert late["deal_id"].tolist() == ["b", "c", "d", "e"]
    assert late["entry"].tolist() == [29, 14, -1, -1]
    assert late["exit"].tolist() == [30, 40, 0, 3]
    assert late["outcome"].tolist() == ["won", "open", "won", "lost"]


def test_no_events_have_no_start() -> None:
    days = pd.to_datetime(["2024-01-01"])
    assert late_start(pd.DataFrame({"opened": days, "watched": days, "left": days, "happened": False})) is None


def demo_without(tmp_path: Path, dropped: Callable[[str, pd.DataFrame], pd.Series[bool]]) -> tuple[Observation, Any]:
    """Read the demo's export after rows were dropped from it; what is observed, and what can be trusted from when."""
    shutil.copytree(PARAMS.parent / "data" / "demo", tmp_path / "data" / "demo")
    (tmp_path / "params").mkdir()
    shutil.copy(PARAMS / "demo.yaml", tmp_path / "params")
    for name in ("Opportunity", "OpportunityHistory", "OpportunityFieldHistory"):
        path = tmp_path / "data" / "demo" / f"{name}.csv.gz"
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
        rows[~dropped(name, rows)].to_csv(path, index=False)
    records = read_history(load_company(tmp_path / "params" / "demo.yaml"))
    as_of = dt.date(2026, 1, 31)
    facts = trusted_from(records, as_of=as_of).set_index("what")
    return observed_since(records, as_of=as_of), facts


def test_a_salesforce_export_with_18_months_of_history_keeps_its_outcomes(tmp_path: Path) -> None:
    found, facts = demo_without(
        tmp_path, lambda name, rows: (rows["CreatedDate"] < "2024-08-01") & (name != "Opportunity")
    )
    assert found.observed_from is None
    assert not facts.loc["outcomes", "late"]
    assert (facts.loc["stage", "late"], f"{facts.loc['stage', 'trusted_from']:%Y-%m-%d}") == (True, "2024-08-01")
    assert (facts.loc["amount", "late"], facts.loc["expected_close_on", "late"]) == (True, True)


def test_a_salesforce_export_of_deals_closed_in_18_months_lacks_the_others(tmp_path: Path) -> None:
    def dropped(name: str, rows: pd.DataFrame) -> pd.Series[bool]:
        if name == "Opportunity":
            return (rows["IsClosed"] == "true") & (rows["CloseDate"] < "2024-08-01")
        return rows["OpportunityId"].str.len() == 0

    found, facts = demo_without(tmp_path, dropped)
    assert found.observed_from is not None
    assert dt.date(2024, 8, 1) <= found.observed_from <= dt.date(2024, 8, 3)
    assert facts.loc["outcomes", "late"]
    assert not facts.loc[["stage", "amount", "expected_close_on"], "late"].any()


@pytest.mark.parametrize(
    ("company", "expected"),
    [("demo", None), ("maven", dt.date(2017, 3, 1)), ("bpi2017", None), ("uk_dos", dt.date(2018, 5, 4))],
)
def test_real_extracts(
    company: str, expected: dt.date | None, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if company != "demo":
        monkeypatch.setenv("WINLOSS_DATA", str(request.getfixturevalue("shared_data")))
    params = load_company(PARAMS / f"{company}.yaml")
    records = read_history(params)
    assert records.known_to is not None
    found = observed_since(records, as_of=records.known_to, close_date=params.close_date)
    assert found.observed_from == expected == params.observed_from
    facts = trusted_from(records, as_of=records.known_to, close_date=params.close_date)
    late = facts.loc[facts["late"], "what"].tolist()
    assert late == {"maven": ["outcomes"], "uk_dos": ["outcomes", "records"]}.get(company, [])
