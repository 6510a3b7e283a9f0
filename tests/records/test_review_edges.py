"""Found in review: what a stated rule says and the records did not show."""

import datetime as dt
from pathlib import Path

import pandas as pd
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
    assert outcome(made, "3", "2025-04-15")[2] is not None
