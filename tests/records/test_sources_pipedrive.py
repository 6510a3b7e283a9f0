"""A Pipedrive export: deals, flow, stages, users, activities; and the traps of such exports."""

import datetime as dt
from pathlib import Path

import ibis
import pandas as pd
import pytest
from pydantic import TypeAdapter, ValidationError
from reading_back import rows, seen

from analytics.records.errors import InputError
from analytics.records.rules import OutcomeRules
from analytics.records.snapshot import snapshot_frame
from analytics.records.sources import read_history
from analytics.records.sources.mapping import SourceConfig

SEGMENT = "3f0c2b7d9e4a5f6180c1d2e3f4a5b6c7d8e9f0a1"

BLOCK = {"kind": "pipedrive", "folder": ".", "attributes": {"segment": SEGMENT}}

DEALS = f"""\
id,title,org_id,user_id,pipeline_id,stage_id,status,value,currency,probability,add_time,update_time,stage_change_time,\
won_time,first_won_time,lost_time,close_time,lost_reason,expected_close_date,is_archived,channel,{SEGMENT}
1,Secret deal,10,100,1,12,lost,40,EUR,,2025-01-02 10:00:00,2025-03-31 22:30:00,2025-01-20 09:00:00,,,\
2025-03-31 22:30:00,2025-03-31 22:30:00,Price,2025-03-31,false,Web,21
2,Other,10,101,1,13,won,50,EUR,80,2025-01-05 10:00:00,2025-04-02 08:00:00,2025-03-01 09:00:00,2025-04-02 08:00:00,\
2025-04-02 08:00:00,,2025-04-02 08:00:00,,2025-03-30,true,,22
3,Third,11,101,1,12,open,70,GBP,,2025-02-01 10:00:00,2025-02-20 10:00:00,,,,,,,2025-06-30,false,Web,"21,22"
4,Gone,11,101,1,11,deleted,10,EUR,,2025-02-02 10:00:00,2025-02-20 10:00:00,,,,,,,,false,,
"""

FLOW = f"""\
object,id,deal_id,user_id,field_key,old_value,new_value,log_time,is_bulk_update_flag
dealChange,90,1,100,status,open,lost,2025-03-31 22:30:00,
dealChange,89,1,100,lost_reason,,Price,2025-03-31 22:30:00,
activity,8,1,,,,,2025-03-01 09:00:00,
dealChange,70,1,100,expected_close_date,2025-02-28,2025-03-31,2025-02-10 09:00:00,
dealChange,69,1,100,value,45,40,2025-02-10 09:00:00,
dealChange,61,1,100,user_id,101,100,2025-01-20 09:00:00,true
dealChange,60,1,100,stage_id,11,12,2025-01-20 09:00:00,
dealChange,95,2,101,status,open,won,2025-04-02 08:00:00,
dealChange,80,2,101,stage_id,11,13,2025-03-01 09:00:00,
dealChange,79,2,101,{SEGMENT},21,22,2025-03-01 09:00:00,
dealChange,50,2,101,title,a,b,2025-02-01 09:00:00,
dealChange,99,4,101,value,1,10,2025-02-10 09:00:00,
dealChange,98,7,101,value,1,10,2025-02-10 09:00:00,
"""

STAGES = "id,name,order_nr,pipeline_id,deal_probability\n11,Qualify,1,1,10\n12,Propose,2,1,40\n13,Close,3,1,90\n"
PIPELINES = "id,name\n1,New business\n2,Renewals\n"
FIELDS = (
    f'id,key,name,options\n7,{SEGMENT},Segment,"[{{""id"":21,""label"":""SMB""}},{{""id"":22,""label"":""Ent""}}]"\n'
)


def export(tmp_path: Path, **files: str) -> Path:
    defaults = {"deals": DEALS, "flow": FLOW, "stages": STAGES, "pipelines": PIPELINES, "dealFields": FIELDS}
    for name, text in (defaults | files).items():
        (tmp_path / f"{name}.csv").write_text(text)
        if not text:
            (tmp_path / f"{name}.csv").unlink()
    return tmp_path


def history(base: Path, *, timezone: str | None = None, **block):
    return read_history(TypeAdapter(SourceConfig).validate_python(BLOCK | block), base=base, timezone=timezone)


def sentence(base: Path, **block) -> str:
    with pytest.raises(InputError) as caught:
        history(base, **block)
    return str(caught.value)


def deal(number: int, status: str, **values: str) -> str:
    """One more deal; what is not said is empty."""
    header = DEALS.splitlines()[0].split(",")
    row = {"id": str(number), "status": status, "stage_id": "11", "add_time": "2025-01-10 10:00:00"} | values
    return ",".join(row.get(name, "") for name in header) + "\n"


def test_flow_makes_one_sequence_of_states(tmp_path):
    made = history(export(tmp_path))
    assert (made.kind, made.attributes, str(made.known_to)) == ("recorded", ("segment",), "2025-04-02")
    columns = ("valid_from", "valid_to", "stage", "status", "closed_on", "expected_close_on", "amount", "owner_id")
    assert rows(made, *columns, "reason", deal="1") == [
        ["01-02", "01-20", "Qualify", "open", None, "02-28", 45.0, "101", None],
        ["01-20", "02-10", "Propose", "open", None, "02-28", 45.0, "100", None],
        ["02-10", "03-31", "Propose", "open", None, "03-31", 40.0, "100", None],
        ["03-31", None, "Propose", "closed_lost", "03-31", None, 40.0, "100", "Price"],  # the stage of the loss
    ]
    assert rows(made, "recorded_on", "stage", "status", "segment", "probability", deal="2") == [
        ["01-05", "Qualify", "open", "SMB", 0.8],
        ["03-01", "Close", "open", "Ent", 0.8],
        ["04-02", "Close", "closed_won", "Ent", 0.8],
    ]
    assert rows(made, "account_id", "pipeline", "currency", "source", "segment", "opened_on", deal="3") == [
        ["11", "New business", "GBP", "Web", "SMB, Ent", "02-01"]
    ]


def test_what_is_no_change_of_a_kept_deal_has_a_line_in_the_ledger(tmp_path):
    made = history(export(tmp_path))
    assert made.rejects[["file", "line", "reason"]].values.tolist() == [
        ["deals.csv", 5, "deleted in the CRM"],
        ["flow.csv", 4, "not needed: activity is no change of a deal"],
        ["flow.csv", 13, "its deal is deleted in the CRM"],
        ["flow.csv", 14, "its deal is not in the export"],
    ]
    assert (made.files[0].name, made.files[0].rows_read, made.files[0].rows_kept) == ("deals.csv", 4, 3)
    assert seen(made, "deleted in the CRM") == (16, 1, 4)
    assert seen(made, "archived") == (16, 1, 3)


def test_times_are_utc_and_dated_in_the_zone_of_the_params(tmp_path):
    def closing(zone):
        made = history(export(tmp_path), timezone=zone)
        return rows(made, "recorded_on", "closed_on", deal="1")[-1], seen(made, "closings in another calendar quarter")

    assert closing(None) == (["03-31", "03-31"], (15, 0, 2))
    assert closing("Europe/Berlin") == (["04-01", "04-01"], (15, 1, 2))
    assert closing("America/New_York") == (["03-31", "03-31"], (15, 0, 2))
    made = history(tmp_path, timezone="Europe/Berlin")
    assert seen(made, "closings on another day") == (15, 1, 2)
    assert rows(made, "expected_close_on", deal="3") == [["06-30"]]  # a day never moves


def test_the_second_version_of_the_api_writes_zones_and_other_names(tmp_path):
    v1 = history(export(tmp_path), timezone="Europe/Berlin")
    second = DEALS.replace("user_id", "owner_id").replace(SEGMENT, f"custom_fields.{SEGMENT}")
    for day in ("2025-01-02 10", "2025-03-31 22", "2025-01-05 10", "2025-04-02 08", "2025-02-01 10", "2025-02-20 10"):
        second = second.replace(day, day.replace(" ", "T"))
    second = second.replace(":00:00,", ":00:00Z,").replace(":30:00,", ":30:00Z,")
    log = FLOW.replace("log_time", "time").replace("object,", "kind,")
    log = "\n".join(line for line in log.splitlines() if not line.startswith("activity")) + "\n"
    v2 = history(export(tmp_path, deals=second, flow="", changelog=log), timezone="Europe/Berlin")
    pd.testing.assert_frame_equal(v2.table.to_pandas(), v1.table.to_pandas())


def test_nested_ids_are_flattened_in_either_way(tmp_path):
    plain = history(export(tmp_path)).table.to_pandas()
    flattened = DEALS.replace("org_id,user_id", "org_id.value,user_id.id")
    pd.testing.assert_frame_equal(history(export(tmp_path, deals=flattened)).table.to_pandas(), plain)
    nested = DEALS.replace(",10,100,", ',"{""name"": ""Acme"", ""value"": 10}","{""id"": 100, ""email"": ""a@b""}",')
    pd.testing.assert_frame_equal(history(export(tmp_path, deals=nested)).table.to_pandas(), plain)


def test_changes_of_one_second_are_played_newest_first(tmp_path):
    header = FLOW.splitlines()[0].replace("id,deal_id", "deal_id")
    lines = [
        "dealChange,3,101,stage_id,12,13,2025-02-20 10:00:00,",
        "dealChange,3,101,stage_id,11,12,2025-02-20 10:00:00,",
    ]
    deals = DEALS.replace("3,Third,11,101,1,12", "3,Third,11,101,1,13")
    made = history(export(tmp_path, deals=deals, flow="\n".join([header, *lines]) + "\n"))
    assert rows(made, "recorded_on", "stage", deal="3") == [["02-01", "Qualify"], ["02-20", "Close"]]


def test_bulk_edits_are_counted_and_left_out_where_the_params_say_so(tmp_path):
    made = history(export(tmp_path))
    assert seen(made, "changes made in bulk") == (4, 1, 10)
    without = history(tmp_path, ignore_bulk=True)
    assert rows(without, "recorded_on", "owner_id", deal="1")[0] == ["01-02", "100"]
    left_out = without.rejects[without.rejects["line"] == 7]
    assert left_out["reason"].tolist() == ["changed in bulk, which ignore_bulk leaves out"]


def test_without_flow_only_today_is_known(tmp_path):
    made = history(export(tmp_path, flow=""), extracted_on="2025-07-01")
    assert (made.kind, str(made.known_to)) == ("current_only", "2025-07-01")
    assert rows(made, "deal_id", "recorded_on", "stage", "status", "amount", "reason") == [
        ["1", "01-02", None, "open", None, None],
        ["1", "03-31", "Propose", "closed_lost", 40.0, "Price"],
        ["2", "01-05", None, "open", None, None],
        ["2", "04-02", "Close", "closed_won", 50.0, None],
        ["3", "02-01", "Propose", "open", 70.0, None],
    ]


def test_a_flow_without_a_change_that_is_read_is_no_history(tmp_path):
    plain = history(export(tmp_path, flow=""))
    lines = FLOW.splitlines()
    notes = "\n".join([lines[0], lines[3], lines[11]]) + "\n"  # an activity and a new title
    made = history(export(tmp_path, flow=notes))
    assert made.kind == "current_only"
    pd.testing.assert_frame_equal(made.table.to_pandas(), plain.table.to_pandas())


def test_a_deal_won_once_before(tmp_path):
    deals = DEALS + deal(5, "won", first_won_time="2025-02-03 12:00:00", won_time="2025-03-10 12:00:00")
    deals += deal(6, "lost", first_won_time="2025-02-03 12:00:00", lost_time="2025-02-20 12:00:00", lost_reason="Price")
    deals += deal(7, "open", first_won_time="2025-02-03 12:00:00", update_time="2025-02-25 12:00:00")
    made = history(export(tmp_path, deals=deals, flow=""))
    assert rows(made, "recorded_on", "status", "closed_on", deal="5") == [
        ["01-10", "open", None],
        ["02-03", "closed_won", "02-03"],
        ["03-09", "open", None],  # the end of the day before the second closing
        ["03-10", "closed_won", "03-10"],
    ]
    assert rows(made, "recorded_on", "status", "reason", deal="6") == [
        ["01-10", "open", None],
        ["02-03", "closed_won", None],
        ["02-19", "open", None],
        ["02-20", "closed_lost", "Price"],
    ]
    assert rows(made, "recorded_on", "status", deal="7") == [
        ["01-10", "open"],
        ["02-03", "closed_won"],
        ["02-25", "open"],  # update_time: open again by then
    ]
    assert seen(made, "re-opened on a day that nothing records") == (6, 3, 6)
    first = snapshot_frame(made, as_of=dt.date(2025, 5, 1), rules=OutcomeRules()).set_index("deal_id").loc["6"]
    assert (first["outcome"], first["reopened"], str(first["closed_on"].date())) == ("won", True, "2025-02-03")


def test_flow_knows_the_day_of_re_opening(tmp_path):
    deals = DEALS + deal(5, "won", first_won_time="2025-02-03 12:00:00", won_time="2025-03-10 12:00:00")
    flow = FLOW + (
        "dealChange,203,5,1,status,open,won,2025-03-12 12:00:00,\n"
        "dealChange,202,5,1,status,lost,open,2025-02-20 12:00:00,\n"
        "dealChange,201,5,1,status,won,lost,2025-02-05 12:00:00,\n"
        "dealChange,200,5,1,status,open,won,2025-02-03 12:00:00,\n"
    )
    made = history(export(tmp_path, deals=deals, flow=flow))
    assert rows(made, "recorded_on", "status", "closed_on", deal="5") == [
        ["01-10", "open", None],
        ["02-03", "closed_won", "02-03"],
        ["02-05", "closed_lost", "02-05"],
        ["02-20", "open", None],
        ["03-12", "closed_won", "03-10"],  # recorded two days after the typed day
    ]
    assert seen(made, "re-opened on a day that nothing records") == (6, 0, 4)
    assert seen(made, "closings that no change records") == (1, 0, 3)


def test_a_closing_that_the_flow_lacks(tmp_path):
    lacking = "\n".join(line for line in FLOW.splitlines() if ",status," not in line) + "\n"
    deals = (
        DEALS + deal(5, "lost", update_time="2025-02-25 12:00:00") + deal(6, "won", close_time="2025-02-26 12:00:00")
    )
    made = history(export(tmp_path, deals=deals, flow=lacking))
    assert rows(made, "recorded_on", "status", "closed_on", deal="1")[-1] == ["03-31", "closed_lost", "03-31"]
    assert rows(made, "recorded_on", "status", "closed_on", deal="5")[-1] == ["02-25", "closed_lost", "02-25"]
    assert rows(made, "recorded_on", "status", "closed_on", deal="6")[-1] == ["02-26", "closed_won", "02-26"]
    assert seen(made, "closings that no change records") == (1, 4, 4)
    assert seen(made, "closed without a time") == (1, 1, 4)


def test_times_that_contradict_the_status(tmp_path):
    deals = DEALS.replace(
        "2025-02-20 10:00:00,,,,,,,2025-06-30", "2025-02-20 10:00:00,,2025-02-19 10:00:00,,,,,2025-06-30"
    )
    deals = deals.replace("2025-04-02 08:00:00,,2025-04-02 08:00:00,,", "2025-04-02 08:00:00,2025-04-03 08:00:00,,,")
    made = history(export(tmp_path, deals=deals))
    assert seen(made, "open with a closing time") == (3, 1, 1)
    assert seen(made, "won with a later lost_time") == (9, 1, 2)
    assert rows(made, "status", deal="3") == [["open"]]
    assert rows(made, "status", deal="2")[-1] == ["closed_won"]


def test_a_deletion_that_was_taken_back(tmp_path):
    flow = FLOW + "dealChange,91,3,1,status,open,deleted,2025-02-10 10:00:00,\n"
    flow += "dealChange,92,3,1,status,deleted,open,2025-02-11 10:00:00,\n"
    made = history(export(tmp_path, flow=flow))
    assert rows(made, "recorded_on", "status", deal="3") == [["02-01", "open"]]
    assert made.rejects["reason"].tolist()[-2:] == ["a deletion that was taken back"] * 2


def test_probability_of_the_stage_stands_in_while_a_deal_is_open(tmp_path):
    made = history(export(tmp_path))
    assert rows(made, "stage", "probability", deal="1") == [
        ["Qualify", 0.1],
        ["Propose", 0.4],
        ["Propose", 0.4],
        ["Propose", None],
    ]
    assert seen(made, "probability that is not the deal's own") == (11, 4, 6)
    assert seen(made, "probability in percent") == (11, 3, 3)


def test_stages_are_a_side_table_and_deleted_ones_keep_their_number(tmp_path):
    fewer = STAGES.replace("11,Qualify,1,1,10\n", "")
    made = history(export(tmp_path, stages=fewer))
    frame = made.side["stages"].to_pandas()
    assert frame.values.tolist() == [["Propose", 2, "New business"], ["Close", 3, "New business"]]
    assert [row[0] for row in rows(made, "stage", deal="1")][:2] == ["11", "Propose"]
    assert seen(made, "stage that the list of stages lacks") == (9, 2, 8)
    export(tmp_path, stages="id,name\n91,Other\n")
    assert sentence(tmp_path) == (
        "column 'stage_id', value '12': the list of stages has none of the stages in which the deals stand. "
        "Export stages and deals from one account, deleted stages included."
    )


def test_pipelines_of_one_name_stay_two(tmp_path):
    made = history(export(tmp_path, pipelines="id,name\n1,Sales\n2,Sales\n"))
    assert rows(made, "pipeline", deal="3") == [["Sales (1)"]]


def test_statuses_that_nothing_names(tmp_path):
    export(tmp_path, deals=DEALS.replace("1,12,open", "1,12,offen"))
    assert sentence(tmp_path) == (
        "column 'status', value 'offen': nothing says whether this status is open, won or lost. "
        "Name it in the params: values: {status: {offen: won}}, or open, or lost."
    )
    assert rows(history(tmp_path, values={"status": {"offen": "open"}}), "status", deal="3") == [["open"]]


def test_bad_rows_are_rejected(tmp_path):
    deals = DEALS + deal(5, "open", add_time="yesterday") + deal(6, "open", value="lots") + deal(7, "")
    flow = FLOW + "dealChange,71,1,100,value,40,lots,2025-02-11 09:00:00,\ndealChange,72,1,100,value,40,41,,\n"
    fields = FIELDS + '8,abc,Abc,"[{"\n'
    made = history(export(tmp_path, deals=deals, flow=flow, dealFields=fields))
    assert made.rejects[["file", "line", "reason"]].values.tolist() == [
        ["deals.csv", 5, "deleted in the CRM"],
        ["deals.csv", 6, "add_time is not a time"],
        ["deals.csv", 7, "value is not a number"],
        ["deals.csv", 8, "no status"],
        ["dealFields.csv", 3, "options is not the JSON of a list of options"],
        ["flow.csv", 4, "not needed: activity is no change of a deal"],
        ["flow.csv", 13, "its deal is deleted in the CRM"],
        ["flow.csv", 14, "its deal is not in the export"],
        ["flow.csv", 15, "a changed value is not the number or the date that it should be"],
        ["flow.csv", 16, "no log_time"],
    ]


def test_the_web_apps_own_export_has_labels(tmp_path):
    text = """\
Deal - ID,Deal - Title,Deal - Organization,Deal - Owner,Deal - Pipeline,Deal - Stage,Deal - Status,Deal - Value,\
Deal - Currency of Value,Deal - Deal created,Deal - Lost time,Deal - Lost reason,Deal - Expected close date
1,Secret,Acme,Bo,New business,Propose,Lost,40,EUR,2025-01-02 10:00:00,2025-03-31 22:30:00,Price,2025-03-31
"""
    made = history(export(tmp_path, deals=text, flow="", dealFields=""), attributes={}, timezone="Europe/Berlin")
    columns = (
        "recorded_on",
        "stage",
        "pipeline",
        "status",
        "closed_on",
        "account_id",
        "owner_id",
        "currency",
        "reason",
    )
    assert rows(made, *columns)[-1] == [
        "04-01", "Propose", "New business", "closed_lost", "04-01", "Acme", "Bo", "EUR", "Price",
    ]  # fmt: skip


def test_columns_of_days_alone_are_not_moved_by_a_zone(tmp_path):
    days = "id,status,stage_id,add_time,lost_time\n1,lost,12,2025-01-02,2025-03-31\n"
    made = history(export(tmp_path, deals=days, flow=""), attributes={}, timezone="America/New_York")
    assert rows(made, "recorded_on", "closed_on") == [["01-02", None], ["03-31", "03-31"]]


ACTIVITIES = """\
id,deal_id,type,assigned_to_user_id,done,due_date,marked_as_done_time,add_time,duration,active_flag
1,1,meeting,100,true,2025-02-03,2025-02-10 22:30:00,2025-01-20 09:00:00,01:30,true
2,1,call,100,1,2025-02-20,2025-02-12 10:00:00,2025-01-20 09:00:00,,true
3,1,call,100,false,2025-02-20,,2025-01-20 09:00:00,,true
4,2,email,101,true,2025-02-20,,2025-02-21 09:00:00,,true
5,4,email,101,true,2025-02-20,,2025-02-21 09:00:00,,true
6,,email,101,true,2025-02-20,,2025-02-21 09:00:00,,true
7,2,email,101,true,2025-02-20,,2025-02-21 09:00:00,,false
8,2,email,101,true,,,2025-02-21 09:00:00,,true
"""


def test_activities_that_are_done(tmp_path):
    made = history(export(tmp_path, activities=ACTIVITIES), timezone="Europe/Berlin")
    frame = made.side["activities"].to_pandas()
    assert frame[["deal_id", "channel", "owner_id", "minutes"]].fillna(-1).values.tolist() == [
        ["1", "meeting", "100", 90.0],
        ["1", "call", "100", -1],
        ["2", "email", "101", -1],
    ]
    assert frame["occurred_on"].astype(str).tolist() == ["2025-02-03", "2025-02-12", "2025-02-20"]
    assert frame["recorded_on"].astype(str).tolist() == ["2025-02-10", "2025-02-12", "2025-02-21"]
    of_activities = made.rejects[made.rejects["file"] == "activities.csv"]
    assert of_activities[["line", "reason"]].values.tolist() == [
        [4, "not done, so it did not happen"],
        [6, "its deal is deleted in the CRM"],
        [7, "it belongs to no deal of the export"],
        [8, "deleted in the CRM"],
        [9, "neither due_date nor marked_as_done_time"],
    ]


def test_titles_and_nested_names_are_not_read(tmp_path):
    nested = DEALS.replace(",10,100,", ',"{""name"": ""Acme"", ""value"": 10}",100,')
    texts = history(export(tmp_path, deals=nested)).table.to_pandas().astype(str).to_numpy().ravel().tolist()
    assert not [text for text in texts if "Secret" in text or "Acme" in text]


def test_users_become_owners(tmp_path):
    made = history(export(tmp_path, users="id,name,team\n100,Bo,North\n101,Ana,\n"), owner_columns={"team": "team"})
    frame = made.side["owners"].to_pandas().astype(object)
    assert frame.where(frame.notna(), None)[["owner_id", "name", "team"]].values.tolist() == [
        ["100", "Bo", "North"],
        ["101", "Ana", None],
    ]


def test_files_that_are_missing_or_of_another_export(tmp_path):
    assert sentence(tmp_path) == (
        ".: holds no deals file (.csv, .csv.gz, .parquet or .xlsx). "
        "Export the object deals, or name its file under objects: {deals: {file: …}} in the params "
        "(there is nothing to choose from)."
    )
    export(tmp_path, flow=FLOW.replace("deal_id", "deal"))
    assert sentence(tmp_path) == (
        "flow.csv: neither deal_id nor item_id says to which deal a change belongs. "
        "Export the flow of each deal with the deal's id in every row."
    )
    other = "object,deal_id,field_key,old_value,new_value,log_time\ndealChange,77,value,1,2,2025-01-01 10:00:00\n"
    export(tmp_path, flow=other)
    assert sentence(tmp_path) == (
        "flow.csv, column 'deal_id', value '77': none of its deals is among the deals. "
        "Export deals and flow from one account."
    )
    export(tmp_path, deals=DEALS + DEALS.splitlines()[1] + "\n")
    assert sentence(tmp_path).startswith("deals.csv, column 'id', row 6, value '1': the same id is there twice.")
    export(tmp_path, deals=DEALS.replace(":00:00", "h"))
    assert sentence(tmp_path).startswith(
        "deals.csv, column 'add_time', row 2, value '2025-01-02 10h': no value of this"
    )
    with pytest.raises(ValidationError, match="there is no 'deal_flows' to read"):
        history(tmp_path, objects={"deal_flows": {"file": "flow.csv"}})


def test_a_database_and_named_objects_tell_the_same(tmp_path):
    plain = history(export(tmp_path), timezone="Europe/Berlin").table.to_pandas()
    names = ("deals", "flow", "stages", "pipelines", "dealFields")
    connection = ibis.duckdb.connect(tmp_path / "crm.duckdb")
    for name in names:
        frame = pd.read_csv(tmp_path / f"{name}.csv", dtype={"object": str})
        for column in ("add_time", "lost_time", "log_time"):
            if column in frame:
                frame[column] = pd.to_datetime(frame[column])
        connection.create_table(f"pipedrive_{name.lower()}", frame)
    connection.disconnect()
    landed = history(tmp_path, folder=None, url="duckdb:///crm.duckdb", timezone="Europe/Berlin").table.to_pandas()
    pd.testing.assert_frame_equal(landed, plain)
    (tmp_path / "flow.csv").rename(tmp_path / "log.csv")
    (tmp_path / "deals.csv").write_text(DEALS.replace("stage_id", "phase"))
    objects = {name: {"file": f"{name}.csv"} for name in names} | {
        "flow": {"file": "log.csv"},
        "deals": {"file": "deals.csv", "columns": {"stage_id": "phase"}},
    }
    named = history(tmp_path, folder=None, objects=objects, timezone="Europe/Berlin").table.to_pandas()
    pd.testing.assert_frame_equal(named, plain)


def test_a_flow_with_its_header_alone_is_named(tmp_path):
    made = history(export(tmp_path, flow=FLOW.splitlines()[0] + "\n"), extracted_on="2025-07-01")
    assert made.kind == "current_only"
    assert seen(made, "flow has no rows, so that it tells nothing of earlier dates") == (20, 3, 3)
