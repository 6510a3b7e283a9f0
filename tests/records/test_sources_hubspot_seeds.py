"""The connector's own sample tables, read in place as they landed: hashed names stay hashed, what is empty stays so."""

import pandas as pd
import pytest
from hubspot_export import history, plain, rows, sentence

from analytics.records.rejects import rejects_by_reason

SEEDS = "fivetran_crm_seeds/hubspot"
WON, MEETING = "f66ca9bc5a02c2f1513ce83f0a0e117d", "09a969da1d61b38bd3746f0f49c1475a"
OTHER = "6e81db225a3757a3fc20cc9b1b3d9e1b"


@pytest.fixture
def seeds(shared_data):
    return shared_data / SEEDS


def block(seeds, tmp_path, *tables: str, **own: str):
    """A source with some of the tables as they landed, and others of the test's own."""
    for name, text in own.items():
        (tmp_path / f"{name}.csv").write_text(text)
    places = {name: {"file": str(seeds / f"{name.removesuffix('s')}_data.csv")} for name in tables}
    places |= {name: {"file": str(tmp_path / f"{name}.csv")} for name in own}
    return {"folder": None, "objects": places, "attributes": {}, "deal_type": None}


def own_deals(ids, pipeline: str = "", stage: str = "") -> str:
    header = "deal_id,deal_pipeline_id,deal_pipeline_stage_id,property_createdate,property_closedate\n"
    return header + "".join(f"{deal},{pipeline},{stage},2019-01-01 8:00:00,2021-02-01 8:00:00\n" for deal in ids)


def test_the_folder_as_it_is_says_what_is_wrong_with_it(seeds):
    whole = {"folder": str(seeds), "attributes": {}, "deal_type": None}
    assert sentence(seeds, **whole) == (
        "deal_property_history_data.csv, column 'deal_id', value '1100390922': none of its deals is in the file of "
        "deals. Export both with ids of one form; the deals have '1244495215'."
    )


def test_deals_that_stand_in_no_stage_leave_nothing_to_study(seeds, tmp_path):
    assert sentence(seeds, **block(seeds, tmp_path, "deals", "deal_pipeline", "deal_pipeline_stage")) == (
        "deal_data.csv, row 2: no row is left to study: 44 were rejected because: no dealstage. "
        "Correct the mapping in the params or the file."
    )


def test_the_landed_stage_changes_are_read(seeds, tmp_path):
    ids = pd.read_csv(seeds / "deal_stage_data.csv", dtype=str)["deal_id"]
    tables = ("deal_stage", "deal_pipeline", "deal_pipeline_stage")
    stated = {"won_stages": [WON], "open_stages": [MEETING, OTHER]}
    made = history(seeds, **block(seeds, tmp_path, *tables, deals=own_deals(ids)), **stated, timezone="UTC")
    assert made.kind == "recorded"
    assert rows(made, "valid_from", "stage", "status", deal="3954699413") == [
        ["01-01", None, "open"],
        ["01-07", WON, "closed_won"],
    ]
    assert {row[0]: row[1] for row in rows(made, "deal_id", "status")} == dict.fromkeys(ids, "open") | dict.fromkeys(
        ["3954699413", "3960213299", "3960261242", "3964747759", "3974424485", "3974258388"], "closed_won"
    )
    by_name = {file.name: (file.rows_read, file.rows_kept) for file in made.files}
    assert by_name["deal_stage_data.csv"] == (14, 14)
    assert by_name["deal_pipeline_stage_data.csv"] == (71, 71)


def test_the_landed_stage_list_and_property_history_are_read(seeds, tmp_path):
    log = pd.read_csv(seeds / "deal_property_history_data.csv", dtype=str)
    pipeline, won = "PBUgrXANfP+Uw7TXWDnSkA==", "G/ttVj7y2Me0xcu0rJdzrw=="
    deals = own_deals(log["deal_id"].unique(), pipeline, won)
    made = history(
        seeds, **block(seeds, tmp_path, "deal_property_history", "deal_pipeline", "deal_pipeline_stage", deals=deals)
    )
    assert made.kind == "current_only"  # the names of its properties are hashed, so none of them is a stage
    assert rows(made, "stage", "pipeline", "status", "closed_on")[1] == [
        "4NBhQy+75yhP5jxLlC4ACA==", pipeline, "closed_won", "02-01"
    ]  # fmt: skip
    assert plain(made.side["stages"].to_pandas(), "stage", "order") == [
        ["Cs0SQ/1pyU5gOv1EW5gfMA==", 0],
        ["4NBhQy+75yhP5jxLlC4ACA==", 1],
        ["+mpaMiTX2mbZ4L3sJfYs8A==", 2],
    ]
    assert len(made.rejects) == 0
    assert [(file.rows_read, file.rows_kept) for file in made.files if "history" in file.name] == [(100, 100)]


def test_the_landed_merges_owners_companies_and_engagements_are_read(seeds, tmp_path):
    tables = (
        "merged_deal", "deal_company", "owner", "owner_team", "engagement_deal", "engagement", "engagement_call",
        "engagement_email", "engagement_meeting", "engagement_note", "engagement_task",
    )  # fmt: skip
    ids = ["6789", "1234", "9014070905", "9089908390", "10828857779"]
    deals = own_deals(ids, "default", "closedlost")
    made = history(seeds, **block(seeds, tmp_path, *tables, deals=deals))
    assert rows(made, "account_id", deal="6789")[-1] == ["12345"]
    assert rows(made, "account_id", deal="9089908390")[-1] == [None]
    owners = made.side["owners"].to_pandas().set_index("owner_id")
    assert len(owners) == 100
    assert owners.loc["44023296", "name"] == "1B2M2Y8AsgTpgAmY7PhCfg== 1B2M2Y8AsgTpgAmY7PhCfg=="
    assert owners["team"].dropna().to_dict() == {"35252170": "6789", "40706000": "1234"}
    assert len(made.side["activities"].to_pandas()) == 0
    summary = rejects_by_reason(made.rejects)[["file", "reason", "rows"]].values.tolist()
    of_no_deal = "it belongs to no deal of the export"
    assert summary == [
        ["deals.csv", "merged into 9089908390", 1],
        ["engagement_call_data.csv", of_no_deal, 1],
        ["engagement_deal_data.csv", "its engagement is not in the export", 1],
        ["engagement_email_data.csv", of_no_deal, 1],
        ["engagement_meeting_data.csv", of_no_deal, 100],
        ["engagement_note_data.csv", of_no_deal, 1],
        ["engagement_task_data.csv", of_no_deal, 2],
    ]
    for file in made.files:
        assert file.rows_kept + file.rows_rejected == file.rows_read
