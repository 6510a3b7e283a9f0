"""On which day did a deal close, where its typed day has not come yet or nobody wrote it down?"""

import datetime as dt
from pathlib import Path

import hubspot_export as hubspot
import pandas as pd
import pytest
import test_sources_dynamics as dynamics
import test_sources_pipedrive as pipedrive
from pydantic import TypeAdapter

from analytics.records.rules import OutcomeRules
from analytics.records.snapshot import snapshot_frame
from analytics.records.sources import read_history
from analytics.records.sources.mapping import SourceConfig


def outcome(history, deal: str, as_of: str) -> list[object]:
    made = snapshot_frame(history, as_of=dt.date.fromisoformat(as_of), rules=OutcomeRules(), episodes="first")
    row = made.set_index("deal_id").loc[deal]
    days = [None if pd.isna(day) else f"{day:%Y-%m-%d}" for day in (row["closed_on"], row["closed_after"])]
    return [row["outcome"], *days]


def test_a_pipedrive_deal_won_in_the_future_was_won_by_the_day_of_the_export(tmp_path: Path) -> None:
    deals = pipedrive.DEALS + pipedrive.deal(8, "won", won_time="2027-01-20 10:00:00", value="5")
    made = pipedrive.history(pipedrive.export(tmp_path, deals=deals, flow=""), extracted_on="2025-07-01")
    assert outcome(made, "8", "2025-07-01") == ["won", "2025-07-01", "2025-01-10"]


def test_a_dynamics_deal_won_in_the_future_is_known_to_an_interval(tmp_path: Path) -> None:
    deals = dynamics.DEALS + dynamics.deal("O9", "2025-01-10T10:00:00Z", "1", "3", "2027-01-20")
    folder = dynamics.export(tmp_path, opportunity=deals, opportunityclose="", audit="")
    made = dynamics.history(folder, extracted_on="2025-07-01")
    assert outcome(made, "O9", "2025-07-01") == ["won", "2025-07-01", "2025-01-10"]


def seen(history, trap: int, what: str) -> tuple[int, int]:
    found = [(each.found, each.of) for each in history.noticed if each.trap == trap and what in each.what]
    assert len(found) == 1, [each.what for each in history.noticed]
    return found[0]


def test_without_the_day_of_the_export_the_last_change_of_any_deal_bounds_a_closing_in_pipedrive(
    tmp_path: Path,
) -> None:
    deals = pipedrive.DEALS + pipedrive.deal(8, "won", won_time="2027-01-20 10:00:00", value="5")
    made = pipedrive.history(pipedrive.export(tmp_path, deals=deals))  # the last change is one of 2 April
    assert str(made.known_to) == "2025-04-02"
    assert outcome(made, "8", "2025-04-02") == ["won", "2025-04-02", "2025-01-10"]


def test_a_reopened_deal_closed_after_it_was_reopened(tmp_path: Path) -> None:
    deals = pipedrive.DEALS + pipedrive.deal(8, "won", won_time="2027-01-20 10:00:00", value="5")
    lost = "dealChange,41,8,1,status,open,lost,2025-02-01 09:00:00,\n"
    flow = pipedrive.FLOW + lost + "dealChange,42,8,1,status,lost,open,2025-02-10 09:00:00,\n"
    made = pipedrive.history(pipedrive.export(tmp_path, deals=deals, flow=flow), extracted_on="2025-07-01")
    assert pipedrive.rows(made, "recorded_on", "status", "closed_after", deal="8") == [
        ["01-10", "open", None],
        ["02-01", "closed_lost", None],
        ["02-10", "open", None],
        ["07-01", "closed_won", "02-10"],
    ]


def test_a_hubspot_deal_without_recorded_stages_was_won_by_the_last_recorded_change(tmp_path: Path) -> None:
    deals = hubspot.DEALS + (
        "9,900,901,50,USD,2027-04-02T08:00:00Z,2025-01-05T10:00:00Z,true,true,11,,Product,existingbusiness,,Ent\n"
    )
    made = hubspot.history(hubspot.export(tmp_path, deals=deals))
    last = str(made.known_to)
    assert last.startswith("2025-")
    assert outcome(made, "9", last) == ["won", last, "2025-01-05"]


TODAY = "id,opened,status,closed\nA,2025-01-10,won,2027-01-20\nB,2025-01-10,lost,2025-03-01\nC,2025-01-12,open,\n"


@pytest.mark.parametrize(
    ("extracted_on", "known_to", "found", "expected"),
    [
        (None, "2025-03-01", (1, 2), ["open", None, None]),
        ("2025-07-01", "2025-07-01", None, ["won", "2025-07-01", "2025-01-10"]),
    ],
)
def test_a_plain_file_counts_the_closings_that_may_not_have_come(tmp_path, extracted_on, known_to, found, expected):
    (tmp_path / "deals.csv").write_text(TODAY)
    block = {
        "kind": "flat",
        "file": "deals.csv",
        "columns": {"deal_id": "id", "opened_on": "opened", "closed_on": "closed"},
        "outcome": {"column": "status", "values": {"open": "open", "won": "won", "lost": "lost"}},
        "extracted_on": extracted_on,
    }
    made = read_history(TypeAdapter(SourceConfig).validate_python(block), base=tmp_path)
    assert str(made.known_to) == known_to
    assert outcome(made, "A", known_to if extracted_on else "2025-12-31") == expected
    if found:
        assert seen(made, 2, "closed on a day more than 90 days after") == found


def test_a_day_of_closing_in_dynamics_never_moves_with_the_zone(tmp_path: Path) -> None:
    made = dynamics.history(dynamics.export(tmp_path), timezone="America/New_York")
    assert dynamics.rows(made, "closed_on", deal="O2")[-1] == ["03-30"]  # as actualclosedate says


def test_a_deal_that_opened_and_closed_between_two_extracts_is_known_to_an_interval(tmp_path: Path) -> None:
    (tmp_path / "2025-03-01.csv").write_text("id,opened,status\n1,2025-01-02,open\n")
    (tmp_path / "2025-04-01.csv").write_text("id,opened,status\n1,2025-01-02,open\n3,2025-03-10,lost\n")
    block = {
        "kind": "snapshots",
        "folder": ".",
        "pattern": r"(?P<on>[-0-9]+)\.csv",
        "columns": {"deal_id": "id", "opened_on": "opened"},
        "outcome": {"column": "status", "values": {"open": "open", "lost": "lost"}},
    }
    made = read_history(TypeAdapter(SourceConfig).validate_python(block), base=tmp_path)
    assert outcome(made, "3", "2025-04-15") == ["lost", "2025-04-01", "2025-03-10"]
