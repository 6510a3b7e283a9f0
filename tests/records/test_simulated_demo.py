"""The demo company and the ways out of the simulator: files, History, and the `simulated` source."""

from __future__ import annotations

import datetime as dt
import gzip
from pathlib import Path

import pandas as pd
import pytest

from analytics.records.errors import InputError
from analytics.records.sources.mapping import SalesforceSource, SimulatedSource
from analytics.records.sources.salesforce import read_salesforce
from analytics.records.sources.simulated import (
    SimulationConfig,
    read_simulated,
    simulate,
    to_history,
    to_salesforce,
    write_demo,
)
from analytics.records.sources.simulated.demo import DEMO_DEALS, HOSTILE_NAMES, UNREADABLE
from analytics.records.sources.simulated.history import ATTRIBUTES

DEMO = Path(__file__).resolve().parents[2] / "data" / "demo"
SMALL = SimulationConfig(deals=400, accounts=150)


def test_committed_demo_is_what_write_demo_writes(tmp_path: Path) -> None:
    write_demo(tmp_path)
    committed = {path.name for path in DEMO.glob("*.csv.gz")}
    assert committed == {path.name for path in tmp_path.glob("*.csv.gz")}
    for name in sorted(committed):
        assert gzip.decompress((DEMO / name).read_bytes()) == gzip.decompress((tmp_path / name).read_bytes()), name


def test_the_archive_holds_no_clock_time(tmp_path: Path) -> None:
    write_demo(tmp_path, deals=30)
    for path in tmp_path.iterdir():
        assert path.read_bytes()[4:8] == b"\0\0\0\0", "the archive's own time stamp"


def test_demo_is_small_and_has_what_it_is_there_for() -> None:
    assert sum(path.stat().st_size for path in DEMO.iterdir()) < 5_000_000
    table = pd.read_csv(DEMO / "Opportunity.csv.gz", dtype=str, keep_default_na=False)
    assert 2000 <= len(table) <= 3000
    assert len(table) == DEMO_DEALS
    created = pd.to_datetime(table["CreatedDate"], errors="coerce", format="ISO8601")
    assert created.dt.tz_localize(None).dt.to_period("Q").nunique() >= 13
    assert table.loc[created.isna(), "CreatedDate"].tolist() == [UNREADABLE]
    assert set(HOSTILE_NAMES) <= set(table["Name"])
    assert {"USD", "EUR"} == set(table["CurrencyIsoCode"])
    assert {"New Business", "Renewal"} == set(table["Type"])
    assert (table["IsDeleted"] == "true").sum() == 6
    assert "2099-12-31" in set(table["CloseDate"])
    late = (table["CloseDate"] > "2026-01-31") & (table["IsClosed"] == "true")
    assert late.sum() == 1
    early = pd.to_datetime(table["CloseDate"]) < created.dt.tz_localize(None).dt.normalize()
    assert early.sum() == 1
    lost = (table["IsClosed"] == "true") & (table["IsWon"] == "false")
    assert 0.2 < (table.loc[lost, "Amount"] == "0").mean() < 0.4
    assert (table.loc[lost, "Loss_Reason__c"] == "").any()


def test_demo_tenders_grow_in_2025q4() -> None:
    table = pd.read_csv(DEMO / "Opportunity.csv.gz", dtype=str)
    day = table["CreatedDate"].str[:10]
    share = {
        name: (table.loc[day.between(*span), "LeadSource"] == "RFP").mean()
        for name, span in {"Q3": ("2025-07-01", "2025-09-30"), "Q4": ("2025-10-01", "2025-12-31")}.items()
    }
    assert share["Q3"] < 0.2
    assert share["Q4"] > 0.4


def test_the_export_reads_back_as_the_history(tmp_path: Path) -> None:
    """Two independent ways from the same company: files through the Salesforce source, and arrays."""
    company = simulate(SMALL, seed=21)
    to_salesforce(company, tmp_path)
    side = {name: {"file": f"{name}.csv.gz"} for name in ("quotas", "forecast_submissions", "reviews")}
    for name, mapping in side.items():
        columns = pd.read_csv(tmp_path / f"{name}.csv.gz", nrows=0).columns
        mapping["columns"] = {column: column for column in columns}
    source = SalesforceSource.model_validate({
        "kind": "salesforce", "folder": ".", "reason": "Loss_Reason__c", "deal_type": "Type",
        "activity_side": "Side__c", "attributes": {"segment": "Segment__c", "region": "Region__c"}, "side": side,
    })  # fmt: skip
    read, made = read_salesforce(source, base=tmp_path), to_history(company)
    columns = ["deal_id", "recorded_on", "account_id", "opened_on", "stage", "status", "closed_on", "expected_close_on",
               "reason", "amount", "currency", "owner_id", "source", *ATTRIBUTES]  # fmt: skip
    order = ["deal_id", "recorded_on", "sequence"]
    frames = [history.table.execute().sort_values(order, kind="stable") for history in (read, made)]
    pd.testing.assert_frame_equal(*(frame[columns].reset_index(drop=True) for frame in frames))
    for name, keys in {
        "activities": ["deal_id", "occurred_on", "recorded_on", "side", "channel", "owner_id"],
        "quotas": ["owner_id", "period", "quota", "recorded_on"],
        "forecast_submissions": ["period", "submitted_on", "owner_id", "category", "amount", "recorded_on"],
        "reviews": ["deal_id", "respondent", "held_on", "reason", "sentiment", "recorded_on"],
    }.items():
        one, two = (
            history.side[name].execute()[keys].sort_values(keys).reset_index(drop=True) for history in (read, made)
        )
        pd.testing.assert_frame_equal(one, two, check_dtype=False)


def test_simulated_source_reads_a_company_with_changed_settings() -> None:
    source = SimulatedSource(kind="simulated", seed=5, settings={"deals": 60, "accounts": 20})
    history = read_simulated(source, base=Path())
    assert history.kind == "recorded"
    assert history.table.deal_id.nunique().execute() == 60
    assert history.known_to == dt.date(2026, 1, 31)


def test_simulated_source_names_what_is_wrong() -> None:
    with pytest.raises(InputError, match=r"(?i)did you mean 'accounts'"):
        read_simulated(SimulatedSource(kind="simulated", seed=1, settings={"acounts": 5}), base=Path())
    with pytest.raises(InputError, match=r"source\.settings\.deals"):
        read_simulated(SimulatedSource(kind="simulated", seed=1, settings={"deals": 0}), base=Path())
    mix = {"source_mix": {"2025Q4": {"RFP": 1.0}}}
    with pytest.raises(InputError, match="must name the sources"):
        read_simulated(SimulatedSource(kind="simulated", seed=1, settings=mix), base=Path())


@pytest.mark.parametrize(
    "wrong",
    [
        {"in_scope": ("Upsell",)}, {"extract_on": dt.date(2020, 1, 1)}, {"growth": -1.0},
        {"baseline": {"ages": (5, 10), "won": (0.1, 0.1)}}, {"baseline": {"won": (0.1,)}},
        {"reasons": {"lost": (0.5, 0.1, 0.1, 0.1)}}, {"typo": 1},
    ],
    ids=str,
)  # fmt: skip
def test_impossible_configurations_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"validation error"):
        SimulationConfig.model_validate(wrong)
