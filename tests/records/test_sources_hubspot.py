"""A HubSpot export: deals, property history, stages; the API's, the portal's and a connector's writing of them."""

import json
from pathlib import Path

import pytest
from hubspot_export import DEALS, FILES, HISTORY, export, history, plain, rows, seen, sentence
from pydantic import ValidationError

STATE = ("valid_from", "valid_to", "stage", "status", "closed_on", "expected_close_on", "amount", "owner_id", "reason")


def test_every_recorded_change_begins_a_state(tmp_path):
    made = history(export(tmp_path))
    assert (made.kind, made.attributes) == ("recorded", ("deal_type", "segment"))
    assert rows(made, *STATE, deal="1") == [
        ["01-02", "01-20", "Meeting (Sales)", "open", None, "01-31", 40.0, "11", None],
        ["01-20", "02-25", "Meeting (Sales)", "open", None, "03-31", 40.0, "11", None],
        ["02-25", "03-31", "Meeting (Sales)", "open", None, "03-31", 40.0, "12", None],
        ["03-31", None, "Lost", "closed_lost", "03-31", None, 0.0, "12", "Price"],
    ]
    assert (
        rows(made, "opened_on", "pipeline", "currency", "source", "deal_type", deal="1")
        == [["01-02", "Sales", "EUR", "PAID", "newbusiness"]] * 4
    )


def test_a_property_was_empty_until_it_was_first_set(tmp_path):
    columns = ("recorded_on", "stage", "status", "pipeline", "segment", "amount", "expected_close_on", "reason")
    assert rows(history(export(tmp_path)), *columns, deal="2") == [
        ["01-05", "Meeting (Renewals)", "open", "Renewals", None, None, None, None],
        ["02-01", "Meeting (Renewals)", "open", "Renewals", "Mid", None, None, None],
        ["03-01", "Meeting (Renewals)", "open", "Renewals", "Ent", 50.0, None, None],
        ["04-02", "Renewed", "closed_won", "Renewals", "Ent", 50.0, None, "Product"],
    ]


def test_a_property_without_recorded_changes_has_its_value_of_today_unless_it_belongs_to_the_end(tmp_path):
    silent = "\n".join(line for line in HISTORY.splitlines() if not line.startswith(("1,amount", "1,closedate"))) + "\n"
    made = history(export(tmp_path, deal_property_history=silent))
    assert rows(made, "recorded_on", "amount", "expected_close_on", "closed_on", "source", deal="1") == [
        ["01-02", None, None, None, "PAID"],
        ["02-25", None, None, None, "PAID"],
        ["03-31", 0.0, None, "03-31", "PAID"],
    ]
    assert rows(made, "recorded_on", "amount", "expected_close_on", deal="3") == [["02-01", 70.0, "06-30"]]
    assert seen(made, "deal with a property that has a value today and no recorded change") == (20, 3, 3)


def test_a_close_date_is_dated_in_the_zone_of_the_params(tmp_path):
    def last(zone):
        made = history(export(tmp_path), timezone=zone)
        counted = [seen(made, f"closing {where} in UTC") for where in ("on another day", "in another quarter")]
        return rows(made, "recorded_on", "closed_on", deal="1")[-1], counted

    assert last(None) == (["03-31", "03-31"], [(15, 0, 2), (15, 0, 2)])
    assert last("Europe/Berlin") == (["04-01", "04-01"], [(15, 1, 2), (15, 1, 2)])
    assert last("America/New_York") == (["03-31", "03-31"], [(15, 0, 2), (15, 0, 2)])


def test_the_default_close_date_is_counted(tmp_path):
    deals = DEALS.replace("2025-06-30T12:00:00Z", "2025-02-28T12:00:00Z")
    log = HISTORY.replace("2025-06-30T12:00:00Z", "2025-02-28T12:00:00Z")
    what = "close date is the last day of the month of creation"
    assert seen(history(export(tmp_path)), what) == (1, 0, 3)
    assert seen(history(export(tmp_path, deals=deals, deal_property_history=log)), what) == (1, 1, 3)
    changed = log + "3,closedate,2025-02-20T12:00:00Z,2025-02-10T12:00:00Z,CRM_UI\n"
    assert seen(history(export(tmp_path, deals=deals, deal_property_history=changed)), what) == (1, 0, 3)


def test_a_closed_deal_without_a_close_date_closed_when_its_stage_did(tmp_path):
    deals = DEALS.replace("2025-04-02T08:00:00Z", "")
    log = HISTORY.replace("2,closedate,", "2,other,")
    log += "2,hubspot_owner_id,12,2025-05-05T08:00:00Z,CRM_UI\n"
    made = history(export(tmp_path, deals=deals, deal_property_history=log))
    assert rows(made, "recorded_on", "closed_on", deal="2")[-2:] == [["04-02", "04-02"], ["05-05", "04-02"]]
    assert seen(made, "closed without a close date") == (1, 1, 2)


def test_changes_of_one_save_are_one_state(tmp_path):
    """The close date that HubSpot sets a moment before the stage is no push of an open deal."""
    made = history(export(tmp_path))
    expected = [row[1] for row in rows(made, "status", "expected_close_on", deal="1")]
    assert expected == ["01-31", "03-31", "03-31", None]
    twice = HISTORY + "3,dealstage,901,2025-03-01T10:00:00Z,CRM_UI\n3,dealstage,902,2025-03-01T10:00:01Z,CRM_UI\n"
    made = history(export(tmp_path, deal_property_history=twice))
    assert rows(made, "valid_from", "valid_to", "stage", deal="3") == [
        ["02-01", "03-01", "Meeting (Renewals)"],
        ["03-01", "03-01", "Renewed"],
        ["03-01", None, "Meeting (Renewals)"],
    ]


def test_a_deal_that_was_created_closed(tmp_path):
    log = HISTORY.replace("3,dealstage,902,2025-02-01T10:00:00Z", "3,dealstage,901,2025-02-01T10:00:40Z")
    deals = DEALS.replace("3,900,902", "3,900,901").replace("false,false", "true,true")
    made = history(export(tmp_path, deals=deals, deal_property_history=log))
    assert rows(made, "recorded_on", "stage", "status", deal="3") == [["02-01", "Renewed", "closed_won"]]


def test_shuffled_rows_tell_the_same(tmp_path):
    plain_rows = rows(history(export(tmp_path)), "deal_id", *STATE, "segment")
    header, *lines = HISTORY.splitlines()
    shuffled = "\n".join([header, *lines[::-2], *lines[len(lines) % 2 :: 2], ""])
    assert sorted(shuffled.splitlines()) == sorted(HISTORY.splitlines())
    assert rows(history(export(tmp_path, deal_property_history=shuffled)), "deal_id", *STATE, "segment") == plain_rows


CONNECTOR = {
    "hs_object_id": "deal_id", "pipeline": "deal_pipeline_id", "dealstage": "deal_pipeline_stage_id",
    "hubspot_owner_id": "owner_id",
}  # fmt: skip


def connector_export(tmp_path: Path) -> Path:
    """The same export as a connector lands it: property_ prefixes, times in UTC without a zone."""
    header, rest = DEALS.split("\n", 1)
    landed = ",".join(CONNECTOR.get(name, f"property_{name}") for name in header.split(","))
    texts = {"deal_data": f"{landed}\n{rest}"} | {name: text for name, text in FILES.items() if name != "deals"}
    for name, text in texts.items():
        (tmp_path / f"{name}.csv").write_text(
            text.replace("T1", " 1").replace("T0", " ").replace("T2", " 2").replace("Z", "")
        )
    return tmp_path


def test_a_connectors_tables_tell_the_same(tmp_path):
    (tmp_path / "api").mkdir()
    (tmp_path / "landed").mkdir()
    columns = ("deal_id", *STATE, "segment", "deal_type", "pipeline", "source")
    for zone in (None, "Europe/Berlin"):
        one = history(export(tmp_path / "api"), timezone=zone)
        other = history(connector_export(tmp_path / "landed"), timezone=zone)
        assert rows(one, *columns) == rows(other, *columns)
        assert one.noticed == other.noticed


def test_a_database_and_named_objects_tell_the_same(tmp_path):
    import duckdb

    export(tmp_path)
    with duckdb.connect(str(tmp_path / "crm.duckdb")) as connection:
        connection.execute("CREATE SCHEMA landed")
        for name in FILES:
            table = f"landed.hubspot_{name}"
            connection.execute(f"CREATE TABLE {table} AS FROM read_csv('{tmp_path / name}.csv')")
        kinds = dict(connection.execute("SELECT column_name, data_type FROM information_schema.columns").fetchall())
        assert (kinds["amount"], kinds["closedate"]) == ("BIGINT", "TIMESTAMP WITH TIME ZONE")
    columns = ("deal_id", *STATE, "segment", "deal_type", "pipeline", "source")
    folder = history(tmp_path, timezone="Europe/Berlin")
    place = {"folder": None, "url": "duckdb:///crm.duckdb"}
    database = history(tmp_path, timezone="Europe/Berlin", database_schema="landed", **place)
    objects = {name: {"table": f"landed.hubspot_{name}"} for name in FILES if name != "deal_pipeline"}
    objects["deal_pipeline"] = {"file": "deal_pipeline.csv", "columns": {"label": "label"}}
    named = history(tmp_path, timezone="Europe/Berlin", objects=objects, **place)
    for made in (database, named):
        assert rows(made, *columns) == rows(folder, *columns)
        assert made.noticed == folder.noticed
        assert plain(made.side["stages"].to_pandas(), "stage", "order") == plain(
            folder.side["stages"].to_pandas(), "stage", "order"
        )


PORTAL = """\
Record ID,Deal Name,Deal Stage,Pipeline,Amount,Close Date,Create Date,Deal owner,Closed Lost Reason,Deal Type,\
Is Deal Closed?,Is Closed Won,Associated Company IDs,Currency
1,"=HYPERLINK(""x"")",Closed lost,Sales,10,2025-03-31 23:30,2025-01-02 10:00,Ana,Price,New Business,true,false,77;78,EUR
2,B,Closed won,Sales,50,2025-04-02 08:00,2025-01-05 10:00,Bo,,New Business,true,true,,EUR
3,C,Meeting,Renewals,70,2025-06-30 12:00,2025-02-01 10:00,Bo,,Existing,false,false,79,EUR
4,D,Closed won,Renewals,70,2025-02-10 12:00,2025-02-01 10:00,Bo,,Existing,true,true,79,EUR
5,E,Closed won,Renewals,70,,2025-02-01 10:00,Bo,,Existing,true,true,79,EUR
"""


def test_the_portals_own_export_is_read_by_its_labels_and_in_its_local_time(tmp_path):
    (tmp_path / "deals.csv").write_text(PORTAL)
    made = history(tmp_path, attributes={}, timezone="America/New_York", extracted_on="2025-07-01")
    assert made.kind == "current_only"
    columns = ("deal_id", "recorded_on", "stage", "status", "closed_on", "amount", "reason", "owner_id", "account_id")
    assert rows(made, *columns) == [
        ["1", "01-02", None, "open", None, None, None, "Ana", "77"],
        ["1", "03-31", "Closed lost", "closed_lost", "03-31", 10.0, "Price", "Ana", "77"],
        ["2", "01-05", None, "open", None, None, None, "Bo", None],
        ["2", "04-02", "Closed won (Sales)", "closed_won", "04-02", 50.0, None, "Bo", None],
        ["3", "02-01", "Meeting", "open", None, 70.0, None, "Bo", "79"],
        ["4", "02-01", None, "open", None, None, None, "Bo", "79"],
        ["4", "02-10", "Closed won (Renewals)", "closed_won", "02-10", 70.0, None, "Bo", "79"],
    ]
    assert made.rejects[["line", "reason"]].values.tolist() == [
        [6, "closed, with neither a recorded stage nor a closedate"]
    ]
    assert seen(made, "deal with several companies") == (19, 1, 5)
    assert seen(made, "deal without a company") == (19, 1, 5)
    in_utc = history(tmp_path, attributes={}, timezone="Europe/Berlin", times_without_zone="utc")
    assert rows(in_utc, "closed_on", deal="1")[-1] == ["04-01"]


STAGE_CHANGES = """\
_fivetran_start,deal_id,date_entered,source,value
2025-01-02 10:00:00,1,2025-01-02 10:00:00,CRM_UI,appointmentscheduled
2025-03-31 22:30:00,1,2025-03-31 22:30:00,CRM_UI,closedlost
2025-01-05 10:00:00,2,2025-01-05 10:00:00,IMPORT,902
2025-04-02 8:00:00,2,2025-04-02 8:00:00,CRM_UI,901
"""


def test_without_property_history_the_stage_changes_tell_the_stages(tmp_path):
    made = history(export(tmp_path, deal_property_history="", deal_stage=STAGE_CHANGES))
    assert made.kind == "recorded"
    assert rows(made, "deal_id", "recorded_on", "stage", "status", "amount", "expected_close_on", "owner_id") == [
        ["1", "01-02", "Meeting (Sales)", "open", None, None, "12"],
        ["1", "03-31", "Lost", "closed_lost", 0.0, None, "12"],
        ["2", "01-05", "Meeting (Renewals)", "open", None, None, "11"],
        ["2", "04-02", "Renewed", "closed_won", 50.0, None, "11"],
        ["3", "02-01", "Meeting (Renewals)", "open", 70.0, "06-30", "11"],
    ]
    assert seen(made, "deal without any recorded stage, while others have them") == (5, 1, 3)


def test_without_any_log_the_last_entry_dates_tell_the_stages(tmp_path):
    header, one, two, three = DEALS.splitlines()
    deals = "\n".join(
        [
            f"{header},hs_v2_date_entered_appointmentscheduled,hs_date_entered_closedlost,property_hs_v_2_date_entered_901",
            f"{one},2025-02-10T09:00:00Z,1743460200000,",
            f"{two},,,2025-04-02T08:00:00Z",
            f"{three},,,soon",
            "",
        ]
    )
    made = history(export(tmp_path, deals=deals, deal_property_history=""))
    assert made.kind == "recorded"
    assert rows(made, "deal_id", "recorded_on", "stage", "status") == [
        ["1", "01-02", None, "open"],  # an earlier entry was overwritten by re-entry
        ["1", "02-10", "Meeting (Sales)", "open"],
        ["1", "03-31", "Lost", "closed_lost"],
        ["2", "01-05", None, "open"],
        ["2", "04-02", "Renewed", "closed_won"],
        ["3", "02-01", "Meeting (Renewals)", "open"],
    ]
    assert seen(made, "entry into a stage known from one date per stage") == (8, 3, 3)
    assert seen(made, "entry date of a stage that cannot be read") == (8, 1, 4)


def test_without_any_history_only_today_is_known(tmp_path):
    made = history(export(tmp_path, deal_property_history=""))
    assert made.kind == "current_only"
    assert rows(made, "deal_id", "recorded_on", "stage", "status", "amount") == [
        ["1", "01-02", None, "open", None],
        ["1", "03-31", "Lost", "closed_lost", 0.0],
        ["2", "01-05", None, "open", None],
        ["2", "04-02", "Renewed", "closed_won", 50.0],
        ["3", "02-01", "Meeting (Renewals)", "open", 70.0],
    ]


def test_bad_rows_are_rejected_with_their_reason(tmp_path):
    deals = DEALS + "4,900,902,x,EUR,,2025-02-01T10:00:00Z,false,false,,,,,,\n5,900,902,1,EUR,,,false,false,,,,,,\n"
    deals += "6,900,902,1,EUR,soon,2025-02-01T10:00:00Z,false,false,,,,,,\n7,900,,1,EUR,,2025-02-01T10:00:00Z,,,,,,,,\n"
    log = HISTORY + "3,amount,much,2025-02-05T10:00:00Z,CRM_UI\n3,closedate,never,2025-02-05T10:00:00Z,CRM_UI\n"
    log += "3,dealstage,902,later,CRM_UI\n99,dealstage,902,2025-02-05T10:00:00Z,CRM_UI\n"
    made = history(export(tmp_path, deals=deals, deal_property_history=log))
    assert made.rejects[["file", "line", "reason"]].values.tolist() == [
        ["deals.csv", 5, "amount is not a number"],
        ["deals.csv", 6, "no createdate"],
        ["deals.csv", 7, "closedate is neither an ISO time (2025-10-01T12:00:00Z) nor milliseconds"],
        ["deals.csv", 8, "no dealstage"],
        ["deal_property_history.csv", 25, "value of amount is no number"],
        ["deal_property_history.csv", 26, "value of closedate is no time"],
        ["deal_property_history.csv", 27, "timestamp is neither an ISO time (2025-10-01T12:00:00Z) nor milliseconds"],
        ["deal_property_history.csv", 28, "its deal is not in the export"],
    ]
    assert json.loads(made.rejects["values"].iloc[4])["value"] == "much"
    assert [(file.rows_read, file.rows_kept) for file in made.files][:2] == [(7, 3), (27, 23)]


def test_what_cannot_be_read_at_all(tmp_path):
    assert sentence(tmp_path) == (
        ".: holds no deals file (.csv, .csv.gz, .parquet or .xlsx). "
        "Export the object deals, or name its file under objects: {deals: {file: …}} in the params "
        "(there is nothing to choose from)."
    )
    export(tmp_path)
    assert sentence(tmp_path, attributes={"region": "regoin"}) == (
        "deals.csv, column 'regoin': the mapping names this column and the file lacks it. "
        "Correct attributes: region in the params (it may be one of: amount, closed_lost_reason, closed_won_reason, "
        "closedate, createdate, deal_currency_code, dealstage, dealtype, hs_analytics_source, hs_is_closed, "
        "hs_is_closed_won, hs_object_id, hubspot_owner_id, pipeline, segment)."
    )
    assert sentence(export(tmp_path, deals=DEALS + DEALS.splitlines()[1] + "\n")) == (
        "deals.csv, column 'hs_object_id', row 5, value '1': the same id is there twice. Keep one of it and row 2."
    )
    other = HISTORY.replace("\n1,", "\nA1,").replace("\n2,", "\nA2,").replace("\n3,", "\nA3,")
    assert sentence(export(tmp_path, deals=DEALS, deal_property_history=other)) == (
        "deal_property_history.csv, column 'deal_id', value 'A1': none of its deals is in the file of deals. "
        "Export both with ids of one form; the deals have '1'."
    )
    days = DEALS.replace("2025-01-", "1/").replace("2025-02-", "2/")
    assert sentence(export(tmp_path, deals=days, deal_property_history=HISTORY)) == (
        "deals.csv, column 'createdate', row 2, value '1/02T10:00:00Z': no value of this column can be read: this one "
        "is neither an ISO time (2025-10-01T12:00:00Z) nor milliseconds. State the format of times under dates: in the "
        "params."
    )
    with pytest.raises(ValidationError, match=r"there is no 'deal' to read \(did you mean 'deals'\?\)"):
        history(tmp_path, objects={"deal": {"file": "deals.csv"}})


def test_an_attribute_may_be_in_the_history_alone(tmp_path):
    log = HISTORY + "3,Tier_Of_Deal,gold,2025-03-01T10:00:00Z,CRM_UI\n"
    made = history(export(tmp_path, deal_property_history=log), attributes={"tier": "tier_of_deal"})
    assert rows(made, "recorded_on", "tier", deal="3") == [["02-01", None], ["03-01", "gold"]]
