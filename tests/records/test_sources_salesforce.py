"""A Salesforce export: two histories, today's row, stages, users and tasks; and the traps of such exports."""

from pathlib import Path

import pandas as pd
import yaml
from pydantic import TypeAdapter
from salesforce_export import DEALS, STAGES, export, history, rows, sentence

from analytics.records.sources import read_history
from analytics.records.sources.mapping import SourceConfig
from analytics.records.sources.simulated import SimulationConfig, simulate, to_history, to_salesforce
from analytics.records.sources.simulated.demo import DEMO_DEALS
from analytics.records.sources.simulated.journey import PROBABILITY
from analytics.records.sources.simulated.journey import STAGES as STAGE_NAMES

CATEGORIES = ["pipeline", "pipeline", "best_case", "best_case", "commit", "closed", "omitted"]


def test_both_histories_make_one_sequence_of_states(tmp_path):
    made = history(export(tmp_path))
    assert (made.kind, made.attributes) == ("recorded", ("segment",))
    columns = (
        "valid_from",
        "valid_to",
        "stage",
        "status",
        "closed_on",
        "expected_close_on",
        "amount",
        "owner_id",
        "reason",
    )
    assert rows(made, *columns, deal="006A") == [
        ["01-02", "02-20", "Discovery", "open", None, "02-28", 40.0, "005Ana", None],
        ["02-20", "02-25", "Discovery", "open", None, "04-30", 40.0, "005Ana", None],
        ["02-25", "03-31", "Discovery", "open", None, "04-30", 40.0, "005Bo", None],
        ["03-31", None, "Closed Lost", "closed_lost", "03-31", None, 0.0, "005Bo", "Price"],
    ]
    assert rows(made, "opened_on", "account_id", "source", deal="006A") == [["01-02", "001X", "Web"]] * 4


def test_a_field_before_its_first_change_had_the_old_value(tmp_path):
    columns = ("recorded_on", "stage", "status", "segment", "amount", "expected_close_on", "closed_on")
    assert rows(history(export(tmp_path)), *columns, deal="006B") == [
        ["01-05", None, "open", "SMB", 45.0, "02-10", None],  # before the first row of the history
        ["02-01", None, "open", "Mid", 45.0, "02-10", None],
        ["03-01", "Proposal", "open", "Ent", 50.0, "03-30", None],
        ["04-02", "Closed Won", "closed_won", "Ent", 50.0, None, "03-30"],
    ]


def test_a_deal_without_history_never_changed(tmp_path):
    columns = ("recorded_on", "valid_to", "stage", "status", "expected_close_on", "amount", "segment")
    assert rows(history(export(tmp_path)), *columns, deal="006C") == [
        ["02-01", None, "Proposal", "open", "06-30", 70.0, "SMB"]
    ]


def test_deleted_deals_and_foreign_rows_are_rejected(tmp_path):
    made = history(export(tmp_path))
    assert made.rejects[["file", "line", "reason"]].values.tolist() == [
        ["Opportunity.csv", 5, "deleted in the CRM"],
        ["OpportunityHistory.csv", 7, "its opportunity is deleted in the CRM"],
        ["OpportunityFieldHistory.csv", 8, "its opportunity is not in the export"],
    ]
    assert [(file.rows_read, file.rows_kept) for file in made.files] == [(4, 3), (6, 5), (7, 6)]


def test_a_close_late_in_the_evening_crosses_the_quarter_in_the_zone_of_the_params(tmp_path):
    def last(zone):
        made = history(export(tmp_path), timezone=zone)
        return rows(made, "recorded_on", "closed_on", deal="006A")[-1]

    assert last(None) == ["03-31", "03-31"]
    assert last("Europe/Berlin") == ["04-01", "03-31"]  # CloseDate has no time and never moves
    assert last("America/New_York") == ["03-31", "03-31"]


def test_what_a_stage_means_comes_from_today_and_from_the_params(tmp_path):
    renamed = STAGES.replace("Discovery", "Old Discovery")
    made = history(export(tmp_path, OpportunityHistory=renamed))
    assert rows(made, "status", deal="006A")[0] == ["open"]  # its probability was between 0 and 100
    unsaid = renamed.replace("Closed Lost", "Dead")
    assert sentence(export(tmp_path, OpportunityHistory=unsaid)) == (
        "column 'StageName': nothing says whether these stages are open, won or lost: 'Dead'. "
        "List each under open_stages:, won_stages: or lost_stages: of source: in the params."
    )
    made = history(export(tmp_path, OpportunityHistory=unsaid), lost_stages=["Dead"])
    assert rows(made, "stage", "status", deal="006A")[-1] == ["Dead", "closed_lost"]
    fixed = history(export(tmp_path, OpportunityHistory=unsaid), values={"StageName": {"Dead": "Closed Lost"}})
    assert rows(fixed, "stage", "status", deal="006A")[-1] == ["Closed Lost", "closed_lost"]


def test_a_stage_whose_flags_differ_as_often_one_way_as_the_other_is_refused(tmp_path):
    mixed = DEALS.replace("006B,001X,005Ana,Closed Won", "006B,001X,005Ana,Closed Lost")
    mixed = "\n".join(line for line in mixed.splitlines() if not line.startswith("006D")) + "\n"
    assert sentence(export(tmp_path, Opportunity=mixed)) == (
        "column 'StageName', value 'Closed Lost': IsClosed and IsWon differ between opportunities of this stage "
        "(closed_lost, closed_won). List each under open_stages:, won_stages: or lost_stages: of source: in the params."
    )
    twice = {"won_stages": ["Closed Won"], "lost_stages": ["Closed Won"]}
    assert sentence(export(tmp_path, Opportunity=DEALS), **twice).startswith(
        "column 'StageName', value 'Closed Won': the params list this stage twice."
    )


def test_a_closing_that_the_history_lacks_is_known_at_the_end_of_it(tmp_path):
    lacking = "\n".join(line for line in STAGES.splitlines() if not line.startswith("5,")) + "\n"
    made = history(export(tmp_path, OpportunityHistory=lacking))
    assert rows(made, "recorded_on", "status", "closed_on", deal="006B")[-1] == ["03-31", "closed_won", "03-30"]


def test_without_a_history_only_today_is_known(tmp_path):
    made = history(export(tmp_path, OpportunityHistory="", OpportunityFieldHistory=""), extracted_on="2025-07-01")
    assert (made.kind, str(made.known_to)) == ("current_only", "2025-07-01")
    assert rows(made, "deal_id", "recorded_on", "stage", "status", "amount", "reason") == [
        ["006A", "01-02", None, "open", None, None],
        ["006A", "03-31", "Closed Lost", "closed_lost", 0.0, "Price"],
        ["006B", "01-05", None, "open", None, None],
        ["006B", "03-30", "Closed Won", "closed_won", 50.0, None],
        ["006C", "02-01", "Proposal", "open", 70.0, None],
    ]


def test_headers_are_found_whatever_their_case_and_underscores(tmp_path):
    landed = DEALS.replace(DEALS.splitlines()[0], (
        "id,account_id,owner_id,stage_name,amount,close_date,created_date,is_closed,is_won,is_deleted,lead_source,"
        "segment_c,loss_reason_c"
    ))  # fmt: skip
    plain = rows(history(export(tmp_path)), "deal_id", "recorded_on", "segment", "reason", "source")
    (tmp_path / "Opportunity.csv").rename(tmp_path / "OPPORTUNITY.csv")
    (tmp_path / "OPPORTUNITY.csv").write_text(landed)
    assert rows(history(tmp_path), "deal_id", "recorded_on", "segment", "reason", "source") == plain


def test_fields_that_the_export_lacks(tmp_path):
    folder = export(tmp_path)
    assert sentence(folder, reason="Los_Reason__c") == (
        "Opportunity.csv, column 'Los_Reason__c': the params name this field and the object Opportunity lacks "
        "it. Correct its name in the params, or export it (did you mean 'Loss_Reason__c'?)."
    )
    without = DEALS.replace("LeadSource", "Origin").replace("IsWon", "Won")
    assert sentence(export(tmp_path, Opportunity=without), source="LeadSource").startswith(
        "Opportunity.csv, column 'LeadSource': the params name this field"
    )
    stages = {"open_stages": ["Discovery", "Proposal"], "won_stages": ["Closed Won"], "lost_stages": ["Closed Lost"]}
    assert rows(history(tmp_path, **stages), "source", deal="006C") == [[None]]


def test_files_that_are_missing_or_there_twice(tmp_path):
    assert sentence(tmp_path) == (
        ".: holds no Opportunity file (.csv, .csv.gz, .parquet or .xlsx). "
        "Export the object Opportunity, or name its file under objects: {Opportunity: {file: …}} in the params "
        "(there is nothing to choose from)."
    )
    export(tmp_path)
    pd.read_csv(tmp_path / "Opportunity.csv").to_parquet(tmp_path / "opportunity.parquet")
    assert sentence(tmp_path) == (
        "opportunity.parquet: Opportunity.csv is there too, and both would be Opportunity. "
        "Keep one of them, or name the right one under objects: {Opportunity: …}."
    )
    assert sentence(tmp_path, folder="none") == "none: there is no such folder. Check folder: in the params."


def test_ids_twice_and_histories_of_other_deals(tmp_path):
    again = DEALS.splitlines()[1].replace(",0,2025", ",9,2025")
    assert sentence(export(tmp_path, Opportunity=DEALS + again + "\n")) == (
        "Opportunity.csv, column 'Id', row 6, value '006A': the same id is there twice. Keep one of it and row 2."
    )
    other = STAGES.replace(",006", ",06")
    assert sentence(export(tmp_path, Opportunity=DEALS, OpportunityHistory=other)) == (
        "OpportunityHistory.csv, column 'OpportunityId', value '06A': none of its opportunities is in the Opportunity "
        "file. Export both with ids of one form; Opportunity has '006A'."
    )


TASKS = """\
Id,WhatId,OwnerId,Type,TaskSubtype,Side__c,Status,ActivityDate,CompletedDateTime,CreatedDate,CallDurationInSeconds
1,006A,005Ana,Meeting,Task,Buyer,Completed,2025-02-01,2025-02-03T23:30:00.000+0000,2025-02-04T08:00:00.000+0000,
2,006A,005Ana,,Call,Seller,Completed,2025-02-05,,2025-02-01T08:00:00.000+0000,90
3,006A,005Ana,Email,Task,Buyer,Not Started,2025-09-01,,2025-02-01T08:00:00.000+0000,
4,001X,005Ana,Email,Task,Buyer,Completed,2025-02-01,,2025-02-01T08:00:00.000+0000,
5,006D,005Ana,Email,Task,Buyer,Completed,2025-02-01,,2025-02-01T08:00:00.000+0000,
6,006B,005Ana,Email,Task,Buyer,Completed,,,2025-02-01T08:00:00.000+0000,
"""
USERS = """\
Id,Name,ManagerId,Team__c,CreatedDate
005Ana,Ana,005Mo,North,2024-01-01T00:00:00Z
005Mo,Mo,,,2020-01-01T00:00:00Z
"""


def test_tasks_become_activities_only_if_they_happened(tmp_path):
    made = history(export(tmp_path, Task=TASKS), activity_side="Side__c", timezone="Europe/Berlin")
    frame = made.side["activities"].to_pandas()
    assert frame[["deal_id", "side", "channel", "owner_id", "minutes"]].fillna(-1).values.tolist() == [
        ["006A", "buyer", "Meeting", "005Ana", -1],
        ["006A", "seller", "Call", "005Ana", 1.5],
    ]
    assert frame["occurred_on"].astype(str).tolist() == ["2025-02-04", "2025-02-05"]
    assert frame["recorded_on"].astype(str).tolist() == ["2025-02-04", "2025-02-01"]
    of_tasks = made.rejects[made.rejects["file"] == "Task.csv"]
    assert of_tasks[["line", "reason"]].values.tolist() == [
        [4, "not completed, so it did not happen"],
        [5, "it belongs to no opportunity of the export"],
        [6, "its opportunity is deleted in the CRM"],
        [7, "neither CompletedDateTime nor ActivityDate"],
    ]


def test_users_become_owners_with_their_managers_name(tmp_path):
    made = history(export(tmp_path, User=USERS), user_team="Team__c", owner_columns={"start_on": "CreatedDate"})
    frame = made.side["owners"].to_pandas().astype(object)
    frame = frame.where(frame.notna(), None)
    assert frame[["owner_id", "name", "manager", "team"]].values.tolist() == [
        ["005Ana", "Ana", "Mo", "North"],
        ["005Mo", "Mo", None, None],
    ]
    assert frame["start_on"].astype(str).str[:10].tolist() == ["2024-01-01", "2020-01-01"]


def test_bad_rows_of_each_object_are_rejected(tmp_path):
    deals = DEALS + "006E,001Y,005Ana,Proposal,x,2025-06-30,2025-02-01T10:00:00.000+0000,false,false,false,,SMB,\n"
    deals += "006F,001Y,005Ana,Proposal,1,2025-06-30,yesterday,false,false,false,,SMB,\n"
    stages = STAGES + "7,006C,2025-02-01T10:00:00.000+0000,,70,2025-06-30,10,,\n"
    made = history(export(tmp_path, Opportunity=deals, OpportunityHistory=stages))
    assert made.rejects[["file", "line", "reason"]].values.tolist()[:4] == [
        ["Opportunity.csv", 5, "deleted in the CRM"],
        ["Opportunity.csv", 6, "Amount is not a number"],
        ["Opportunity.csv", 7, "CreatedDate is not an ISO date (2025-10-01)"],
        ["OpportunityHistory.csv", 7, "its opportunity is deleted in the CRM"],
    ]
    assert made.rejects["reason"].tolist()[4] == "no StageName"


def test_what_a_simulated_company_exported_is_what_it_recorded(tmp_path):
    company = simulate(SimulationConfig(deals=300, accounts=120), seed=7)
    to_salesforce(company, tmp_path)
    block = {"deal_type": "Type", "attributes": {"segment": "Segment__c", "region": "Region__c"}}
    states = []
    for made in (history(tmp_path, **block), to_history(company)):
        frame = made.table.to_pandas().drop_duplicates(["deal_id", "recorded_on"], keep="last", ignore_index=True)
        if not states:
            place = [STAGE_NAMES.index(name) for name in frame["stage"]]
            assert frame["probability"].tolist() == [PROBABILITY[at] / 100 for at in place]
            assert frame["forecast_category"].tolist() == [CATEGORIES[at] for at in place]
        left = ["sequence", "valid_from", "valid_to", "pipeline", "probability", "forecast_category"]
        states.append(frame.drop(columns=left).fillna(pd.NA))
        assert made.attributes == ("deal_type", "segment", "region")
    assert states[0]["deal_id"].nunique() == 300
    pd.testing.assert_frame_equal(states[0], states[1], check_dtype=False)


def test_the_committed_demo_export_is_read_whole():
    params = Path(__file__).resolve().parents[2] / "params"
    block = yaml.safe_load((params / "demo.yaml").read_text())["source"]
    made = read_history(TypeAdapter(SourceConfig).validate_python(block), base=params)
    by_name = {file.name: file for file in made.files}
    assert by_name["Opportunity.csv.gz"].rows_read == DEMO_DEALS
    reasons = made.rejects.loc[made.rejects["file"] == "Opportunity.csv.gz", "reason"]
    assert reasons.value_counts().to_dict() == {
        "deleted in the CRM": 6,
        "CreatedDate is not an ISO date (2025-10-01)": 1,
    }
    assert made.table.deal_id.nunique().execute() == DEMO_DEALS - 7
    assert str(made.known_to) == "2026-01-31"
    assert {"activities", "owners", "quotas", "forecast_submissions", "reviews"} <= set(made.side)
    assert set(made.side["activities"].side.to_pandas()) == {"buyer", "seller"}
