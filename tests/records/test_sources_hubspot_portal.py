"""The portal's own file of deals: labels for stages, one column of dates per stage, and no list of stages."""

import pytest
from hubspot_export import history, plain, rows, seen, sentence

PORTAL = '''\
Record ID,Deal Stage,Pipeline,Close Date,Create Date,Amount,"Date entered ""Meeting (Sales)""",\
"Date entered ""Closed Won (Sales)""","Date entered ""Closed Lost (Sales)""","Date entered ""Closed Won (Renewals)"""
1,Closed Won,Sales,2025-03-20 17:30,2025-01-02 09:00,50,2025-01-02 09:00,2025-03-22 10:00,,
2,Closed Lost,Sales,2025-04-10 17:30,2025-01-05 09:00,40,2025-02-05 09:00,,,
3,Proposal,Sales,2025-09-30 17:30,2025-02-01 09:00,70,2025-02-01 09:00,,,
4,Closed Lost,Sales,2025-06-01 17:30,2025-03-01 09:00,30,,,2025-06-02 09:00,
5,Closed Won,Renewals,2025-05-05 17:30,2025-03-03 09:00,20,2025-03-03 09:00,,,2025-05-06 09:00
'''

SOURCE = {
    "kind": "hubspot", "folder": ".", "deal_type": None, "attributes": {},
    "won_stages": ["Closed Won"], "lost_stages": ["Closed Lost"], "open_stages": ["Proposal"],
}  # fmt: skip


def portal(tmp_path, text=PORTAL):
    (tmp_path / "deals.csv").write_text(text)
    return tmp_path


def test_the_labels_of_the_entry_dates_are_the_stages_of_the_deals(tmp_path):
    made = history(portal(tmp_path), **SOURCE)
    assert made.kind == "recorded"
    assert rows(made, "deal_id", "recorded_on", "pipeline", "stage", "status", "closed_on") == [
        ["1", "01-02", "Sales", "Meeting", "open", None],
        ["1", "03-22", "Sales", "Closed Won (Sales)", "closed_won", "03-20"],
        ["2", "01-05", "Sales", None, "open", None],
        ["2", "02-05", "Sales", "Meeting", "open", None],
        ["2", "04-10", "Sales", "Closed Lost", "closed_lost", "04-10"],  # no entry date: its typed close date
        ["3", "02-01", "Sales", "Meeting", "open", None],
        ["3", "06-02", "Sales", "Proposal", "open", None],
        ["4", "03-01", "Sales", None, "open", None],
        ["4", "06-02", "Sales", "Closed Lost", "closed_lost", "06-01"],
        ["5", "03-03", "Sales", "Meeting", "open", None],  # it was moved to the other pipeline
        ["5", "05-06", "Renewals", "Closed Won (Renewals)", "closed_won", "05-05"],
    ]
    assert seen(made, "closed on a day that no entry date tells") == (1, 1, 4)
    assert seen(made, "deal whose last recorded stage is not today's") == (9, 1, 5)


def test_a_closing_without_an_entry_date_is_not_earlier_than_the_last_entry(tmp_path):
    made = history(portal(tmp_path, PORTAL.replace("2025-04-10 17:30", "2025-01-20 17:30")), **SOURCE)
    assert rows(made, "recorded_on", "status", "closed_on", deal="2") == [
        ["01-05", "open", None],
        ["02-05", "open", None],
        ["02-05", "closed_lost", "01-20"],
    ]


def test_with_a_list_of_stages_labels_and_ids_name_the_same_stage(tmp_path):
    (tmp_path / "deal_pipeline.csv").write_text("pipeline_id,label\n8,Sales\n9,Renewals\n")
    (tmp_path / "deal_pipeline_stage.csv").write_text(
        "stage_id,pipeline_id,label,display_order,is_closed,closed_won\n"
        "80,8,Meeting,0,false,false\n81,8,Proposal,1,false,false\n82,8,Closed Won,2,true,true\n"
        "83,8,Closed Lost,3,true,false\n90,9,Closed Won,0,true,true\n"
    )
    block = SOURCE | {"won_stages": (), "lost_stages": (), "open_stages": ()}
    by_label = history(portal(tmp_path), **block)
    columns = ("deal_id", "recorded_on", "pipeline", "stage", "status", "closed_on")
    assert rows(by_label, *columns) == rows(history(portal(tmp_path), **SOURCE), *columns)
    ids = PORTAL.splitlines()
    ids[0] = (
        "Record ID,Deal Stage,Pipeline,Close Date,Create Date,Amount,hs_v2_date_entered_80,hs_v2_date_entered_82,"
        "hs_v2_date_entered_83,hs_v2_date_entered_90"
    )
    by_id = history(portal(tmp_path, "\n".join([*ids, ""])), **block)
    assert rows(by_id, *columns) == rows(by_label, *columns)
    assert plain(by_id.side["stages"].to_pandas(), "stage", "order", "pipeline") == [
        ["Closed Won (Renewals)", 0, "Renewals"],
        ["Meeting", 0, "Sales"],
        ["Proposal", 1, "Sales"],
        ["Closed Won (Sales)", 2, "Sales"],
        ["Closed Lost", 3, "Sales"],
    ]


@pytest.mark.parametrize("written", ["Date entered current stage", "hs_v2_date_entered_current_stage"])
def test_the_date_of_todays_stage_is_no_stage(tmp_path, written):
    header, *lines = PORTAL.splitlines()
    more = "\n".join([f"{header},{written}", *(f"{line},2025-08-08 08:00" for line in lines), ""])
    without, with_it = history(portal(tmp_path), **SOURCE), history(portal(tmp_path, more), **SOURCE)
    assert with_it.table.to_pandas().equals(without.table.to_pandas())


def test_an_entry_date_of_a_stage_that_is_nowhere_is_refused(tmp_path):
    odd = PORTAL.replace('""Meeting (Sales)""', '""Meeting (Partners)""')
    assert sentence(portal(tmp_path, odd), **SOURCE) == (
        "deals.csv, column 'Date entered \"Meeting (Partners)\"': no deal stands in the stage that this column names, "
        "and no list of stages is there. Export the list of stages (deal_pipeline_stage) too, or list each under "
        "open_stages:, won_stages: or lost_stages: of source: in the params."
    )
    made = history(portal(tmp_path, odd), **SOURCE | {"open_stages": ["Proposal", "Meeting (Partners)"]})
    assert rows(made, "stage", "status", deal="3")[0] == ["Meeting (Partners) (Sales)", "open"]


@pytest.mark.parametrize("name", ["-2026-01-31", "-2026-01-31-1", "-2026-01-31 (1)"])
def test_the_portals_own_name_of_the_file_is_known(tmp_path, name):
    columns = ("deal_id", "recorded_on", "stage", "status")
    plain_name = rows(history(portal(tmp_path), **SOURCE), *columns)
    (tmp_path / "deals.csv").rename(tmp_path / f"hubspot-crm-exports-all-deals{name}.csv")
    assert rows(history(tmp_path, **SOURCE), *columns) == plain_name


def test_the_file_of_another_view_is_not_taken_for_all_deals(tmp_path):
    (portal(tmp_path) / "deals.csv").rename(tmp_path / "hubspot-crm-exports-my-deals-2026-01-31.csv")
    assert sentence(tmp_path, **SOURCE) == (
        ".: holds no deals file (.csv, .csv.gz, .parquet or .xlsx). Export the object deals, or name its file under "
        "objects: {deals: {file: …}} in the params (it may be one of: hubspot-crm-exports-my-deals-2026-01-31.csv)."
    )


def test_a_property_history_with_its_header_alone_is_named(tmp_path):
    (tmp_path / "deal_property_history.csv").write_text("deal_id,name,value,timestamp\n")
    what = "deal_property_history has no rows, so that it tells nothing of earlier dates"
    assert seen(history(portal(tmp_path), **SOURCE), what) == (20, 5, 5)
