"""The real data sets: what their tables allow is exact, and the rest says in one line what is missing."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from analytics.estimators.result import Finding, Listing
from analytics.questions import pipeline_changes as question
from analytics.questions.pipeline_changes.pipeline import Pipeline
from analytics.records.lives import in_memory
from analytics.records.snapshot import snapshot_frame
from analytics.records.sources import read_history
from analytics.studies.params import load_company, load_quarter

PARAMS = Path(__file__).resolve().parents[2] / "params"


def pipeline(name: str, monkeypatch: pytest.MonkeyPatch, data: Path) -> Pipeline:
    monkeypatch.setenv("WINLOSS_DATA", str(data))
    params, (asked,) = load_company(PARAMS / f"{name}.yaml"), PARAMS.glob(f"{name}-*.yaml")
    given = load_quarter(asked)
    history = read_history(params.source, base=PARAMS, timezone=params.timezone)
    facts = {"as_of": given.as_of, "definitions": params.definitions, "rules": params.rules.declared_only()}
    deals = snapshot_frame(history, episodes="all", **facts)
    quarter = params.calendar.quarter(given.quarter)
    return question.pipeline_between(in_memory(history), deals, quarter, **facts)


def test_bpi2017_in_money(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offers = pipeline("bpi2017", monkeypatch, shared_data)
    log = pd.read_csv(shared_data / "bpi2017_offers_5000" / "bpic2017.csv")
    created = log[log["Activity"] == "O_Create Offer"]
    days = pd.to_datetime(created["Complete Timestamp"]).dt.date
    mine = created[(days >= offers.quarter.start) & (days <= offers.quarter.end)]
    found = question.waterfall(offers, border="whole")
    assert isinstance(found, Listing)
    lines = found.frame.set_index("line")
    born = lines["deals"].get("born_closed", 0)
    assert lines.loc["created", "deals"] + born == mine["Case ID"].nunique()
    assert lines.loc["created", "deals"] == lines.loc[["won", "lost", "no_decision", "end"], "deals"].sum()
    between = lines.drop(index=["start", "end", "born_closed"], errors="ignore")["amount"]
    assert round(lines.loc["start", "amount"] + between.sum(), 2) == lines.loc["end", "amount"]
    said = question.closed_by_date(offers, settled_on=offers.end)
    assert isinstance(said, Finding)
    assert said.headline.endswith("It needs the expected close date of open deals (expected_close_on).")


def test_maven_is_reconstructed_and_in_deals(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deals = pipeline("maven", monkeypatch, shared_data)
    rows = pd.read_csv(shared_data / "maven_crm" / "sales_pipeline.csv", parse_dates=["engage_date", "close_date"])
    closed = rows[(rows["close_date"] >= "2017-10-01") & (rows["close_date"] <= "2017-12-31")]
    found = question.waterfall(deals, border="whole")
    assert isinstance(found, Listing)
    assert "reconstructed" in found.title
    lines = found.frame.set_index("line")
    assert lines.loc[["won", "lost"], "deals"].tolist() == closed["deal_stage"].value_counts()[["Won", "Lost"]].tolist()
    assert lines.loc["created", "deals"] == (rows["engage_date"] >= "2017-10-01").sum()
    assert lines["amount"].isna().all()
    for one in (question.waterfall(deals), question.then_and_now(deals, deals), question.category_flows(deals)):
        assert isinstance(one, Finding)
        assert "recorded history" in one.headline


def test_uk_dos_says_what_is_missing(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tenders = pipeline("uk_dos", monkeypatch, shared_data)
    found = question.waterfall(tenders, border="whole")
    assert isinstance(found, Finding)
    assert found.headline == "No deal was open between 30 June 2018 and 27 July 2018."
    assert "expected_close_on" in question.pushes_per_deal(tenders).headline
