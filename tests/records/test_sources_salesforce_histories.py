"""Salesforce histories of each kind: changes of fields, versions that a connector kept; and forecasts of each state."""

import pandas as pd
import pytest
from salesforce_export import DEALS, FIELDS, STAGES, export, history, noticed, rejected, rows, sentence

ALONE = """\
Id,OpportunityId,Field,OldValue,NewValue,CreatedDate
01,006A,StageName,Discovery,Proposal,2025-01-20T09:00:00.000+0000
02,006B,Amount,45.0,50.0,2025-02-01T09:00:00.000+0000
03,006A,CloseDate,2025-02-28,2025-03-31,2025-02-20T09:00:00.000+0000
04,006A,StageName,Proposal,Closed Lost,2025-03-31T23:30:00.000+0000
05,006A,Amount,40.0,0.0,2025-03-31T23:30:00.000+0000
06,006A,Loss_Reason__c,,Price,2025-03-31T23:30:00.000+0000
07,006B,StageName,Proposal,Closed Won,2025-04-02T08:00:00.000+0000
08,006C,created,,,2025-02-01T10:00:00.000+0000
"""
STATE = ("recorded_on", "stage", "status", "amount", "expected_close_on", "closed_on")
OPEN = {"open_stages": ["Discovery", "Proposal"]}


def test_field_history_alone_tells_stage_amount_and_close_date(tmp_path):
    made = history(export(tmp_path, OpportunityHistory="", OpportunityFieldHistory=ALONE), **OPEN)
    assert made.kind == "recorded"
    # Stages are tracked from 20 January on: what it was before is not known.
    assert rows(made, *STATE, "reason", deal="006A") == [
        ["01-02", None, "open", 40.0, "02-28", None, None],
        ["01-20", "Proposal", "open", 40.0, "02-28", None, None],
        ["02-20", "Proposal", "open", 40.0, "03-31", None, None],
        ["03-31", "Closed Lost", "closed_lost", 0.0, None, "03-31", "Price"],
    ]
    assert rows(made, *STATE, deal="006B") == [
        ["01-05", None, "open", 45.0, "03-30", None],
        ["01-20", "Proposal", "open", 45.0, "03-30", None],
        ["02-01", "Proposal", "open", 50.0, "03-30", None],
        ["04-02", "Closed Won", "closed_won", 50.0, None, "03-30"],
    ]
    # Opened after tracking began, and never changed: it is as it was.
    assert rows(made, *STATE, deal="006C") == [["02-01", "Proposal", "open", 70.0, "06-30", None]]


def test_a_deal_that_closed_before_stages_were_tracked_closed_on_its_close_date(tmp_path):
    deals = DEALS + "".join(
        f"{name},001Y,005Ana,Closed Won,9,{close},{created}T10:00:00.000+0000,true,true,false,Web,SMB,\n"
        for name, close, created in (
            ("006E", "2024-11-05", "2024-09-01"),  # closed two months later
            ("006F", "2025-12-31", "2024-09-01"),  # typed into the future: closed by the day tracking began
            (
                "006G",
                "2024-08-01",
                "2024-09-01",
            ),  # closed before it was opened: which date is wrong is not decided here
        )
    )
    made = history(export(tmp_path, Opportunity=deals, OpportunityHistory="", OpportunityFieldHistory=ALONE), **OPEN)
    won = ["Closed Won", "closed_won", 9.0, None]
    expected = {
        "006E": [["09-01", None, "open", 9.0, "11-05", None], ["11-05", *won, "11-05"]],
        "006F": [["09-01", None, "open", 9.0, "12-31", None], ["01-20", *won, "12-31"]],
        "006G": [["09-01", *won, "08-01"]],
    }
    for deal, states in expected.items():
        assert rows(made, *STATE, deal=deal) == states
    bounds = [rows(made, "closed_after", deal=deal)[-1] for deal in expected]
    assert bounds == [[None], ["09-01"], [None]]  # 006F closed between its opening and 20 January
    assert noticed(made, 20) == noticed(made, 20) | {
        "stage (StageName) is on record from 2025-01-20 on; opened before": (5, 6),
        "amount (Amount) is on record from 2025-02-01 on; opened before": (5, 6),
        "reason (Loss_Reason__c) is on record from 2025-03-31 on; opened before": (6, 6),
        "segment (Segment__c): no change is on record": (6, 6),
    }


def test_a_last_stage_change_says_when_a_deal_closed_that_no_history_shows_closing(tmp_path):
    header, *lines = DEALS.splitlines()
    more = "006E,001Y,005Ana,Closed Won,9,2024-11-05,2024-09-01T10:00:00.000+0000,true,true,false,Web,SMB,"
    dated = [f"{header},LastStageChangeDate", *(f"{line}," for line in lines), f"{more},2024-11-20T07:00:00.000+0000"]
    deals = "\n".join(dated) + "\n"
    made = history(export(tmp_path, Opportunity=deals, OpportunityHistory="", OpportunityFieldHistory=ALONE), **OPEN)
    assert rows(made, "recorded_on", "status", "closed_on", deal="006E") == [
        ["09-01", "open", None],
        ["11-20", "closed_won", "11-05"],
    ]


def test_field_history_without_stages_leaves_todays_state_alone(tmp_path):
    others = "\n".join(line for line in ALONE.splitlines() if "StageName" not in line) + "\n"
    made = history(export(tmp_path, OpportunityHistory="", OpportunityFieldHistory=others))
    assert made.kind == "current_only"
    assert rows(made, "recorded_on", "status", deal="006B") == [["01-05", "open"], ["03-30", "closed_won"]]


def test_changes_of_one_second_are_put_in_the_order_in_which_they_happened(tmp_path):
    late = ALONE + (
        "10,006C,StageName,Discovery,Proposal,2025-03-01T09:00:00.000+0000\n"  # second, though its id is lower
        "11,006C,StageName,Qualified,Discovery,2025-03-01T09:00:00.000+0000\n"
    )
    files = {"OpportunityHistory": "", "OpportunityFieldHistory": late}
    made = history(export(tmp_path, **files), open_stages=["Discovery", "Proposal", "Qualified"])
    assert rows(made, "recorded_on", "stage", deal="006C") == [["02-01", "Qualified"], ["03-01", "Proposal"]]


def test_field_history_with_values_that_cannot_be_read(tmp_path):
    wrong = (
        ALONE + "09,006C,Amount,many,70,2025-03-01T09:00:00.000+0000\n10,006C,CloseDate,2025-06-30,soon,2025-03-01\n"
    )
    made = history(export(tmp_path, OpportunityHistory="", OpportunityFieldHistory=wrong), **OPEN)
    assert rejected(made, "OpportunityFieldHistory.csv") == [
        [10, "OldValue of Amount is not a number"],
        [11, "NewValue of CloseDate is not a date"],
    ]
    unsaid = sentence(export(tmp_path, OpportunityHistory="", OpportunityFieldHistory=ALONE))
    assert unsaid == (
        "column 'StageName': nothing says whether these stages are open, won or lost: 'Discovery'. "
        "List each under open_stages:, won_stages: or lost_stages: of source: in the params."
    )
    fixed = history(tmp_path, values={"StageName": {"Discovery": "Proposal"}})
    assert rows(fixed, "stage", deal="006A")[1] == ["Proposal"]


def test_a_name_that_looks_like_no_id_is_not_taken_for_an_owner_or_an_account(tmp_path):
    log = """\
Id,OpportunityId,Field,OldValue,NewValue,CreatedDate
1,006A,Account,Old Ltd,New Ltd,2025-02-01T09:00:00.000+0000
2,006A,Account,001Demo00000001,001Demo00000002,2025-02-01T09:00:00.000+0000
3,006A,Owner,Ana,Bo,2025-02-25T09:00:00.000+0000
4,006A,Owner,005Ana,005Bo,2025-02-25T09:00:00.000+0000
"""
    made = history(export(tmp_path, OpportunityFieldHistory=log))
    assert rows(made, "recorded_on", "account_id", "owner_id", deal="006A") == [
        ["01-02", "001Demo00000001", "005Ana"],
        ["02-01", "001Demo00000002", "005Ana"],
        ["02-20", "001Demo00000002", "005Ana"],
        ["02-25", "001Demo00000002", "005Bo"],
        ["03-31", "001Demo00000002", "005Bo"],
    ]


_SHORT = """\
id,_fivetran_start,_fivetran_end,_fivetran_active,stage_name,amount,close_date,created_date,is_closed,is_won,\
is_deleted,owner_id,segment_c,probability,forecast_category_name
006A,2025-01-02 10:00:30,2025-02-20 09:00:00,false,Discovery,40,2025-02-28~,+A,-,005Ana,SMB,10,Pipeline
006A,2025-02-20 09:00:01,2025-03-31 23:29:59,false,Discovery,40,2025-04-30~,+A,-,005Bo,SMB,10,Pipeline
006A,2025-03-31 23:30:00,END,true,Closed Lost,0,2025-03-31~,+A,C,005Bo,SMB,0,Omitted
006B,2025-01-20~,2025-04-02 08:00:00,false,Old Proposal,50,2025-03-30~,+B,-,005Ana,Mid,60,Commit
006B,2025-04-02 08:00:01,END,true,Closed Won,50,2025-03-30~,+B,true,true,false,005Ana,Ent,100,Closed
006D,2025-02-02 10:00:00,2025-02-03 10:00:00,false,Closed Lost,10,2025-02-02~,+D,C,005Ana,SMB,0,Omitted
006D,2025-02-03 10:00:01,END,true,Closed Lost,10,2025-02-02~,+D,true,false,true,005Ana,SMB,0,Omitted
"""
VERSIONS = _SHORT.replace("~", " 00:00:00").replace("END", "9999-12-31 23:59:59")
for short, long in {"+A": "2025-01-02 10:00:00", "+B": "2025-01-05 10:00:00", "+D": "2025-02-02 10:00:00"}.items():
    VERSIONS = VERSIONS.replace(short, long)
VERSIONS = VERSIONS.replace(",-,", ",false,false,false,").replace(",C,", ",true,false,false,")
"""Open rows (-) are neither closed nor won nor deleted, lost ones (C) only closed."""

FULL = (*STATE, "owner_id", "segment", "probability", "forecast_category")
OF_A = [
    ["01-02", "Discovery", "open", 40.0, "02-28", None, "005Ana", "SMB", 0.1, "pipeline"],
    ["02-20", "Discovery", "open", 40.0, "04-30", None, "005Bo", "SMB", 0.1, "pipeline"],
    ["03-31", "Closed Lost", "closed_lost", 0.0, None, "03-31", "005Bo", "SMB", 0.0, "omitted"],
]
OF_B = [
    ["01-05", None, "open", None, None, None, "005Ana", "Mid", None, None],  # older than the first sync
    ["01-20", "Old Proposal", "open", 50.0, "03-30", None, "005Ana", "Mid", 0.6, "commit"],
    ["04-02", "Closed Won", "closed_won", 50.0, None, "03-30", "005Ana", "Ent", 1.0, "closed"],
]


def test_versions_that_a_connector_kept_are_states_with_all_fields(tmp_path):
    made = history(export(tmp_path, OpportunityHistory=VERSIONS, OpportunityFieldHistory=""))
    assert made.kind == "recorded"
    assert rows(made, *FULL, deal="006A") == OF_A
    assert rows(made, *FULL, deal="006B") == OF_B
    # A deal without any version is as it is today from the last sync on.
    assert rows(made, *STATE, deal="006C") == [
        ["02-01", None, "open", None, None, None],
        ["04-02", "Proposal", "open", 70.0, "06-30", None],
    ]
    assert rejected(made, "OpportunityHistory.csv") == [
        [7, "its opportunity is deleted in the CRM"],
        [8, "deleted in the CRM"],
    ]
    words = noticed(made, 20)
    assert words["segment (Segment__c) is on record from 2025-01-02 on; opened before"] == (1, 3)
    assert words["stage (StageName) is on record from 2025-01-02 on; opened before"] == (1, 3)
    assert words["reason (Loss_Reason__c): no change is on record"] == (3, 3)
    assert noticed(made, 9)["a recorded state is in a stage in which no opportunity is today"] == (3, 5)


@pytest.mark.parametrize("name", ["OpportunityHistory", "Opportunity"])
def test_the_newest_version_is_how_a_deal_stands_where_there_is_no_other_table(tmp_path, name):
    (tmp_path / f"{name}.csv").write_text(VERSIONS)
    made = history(tmp_path, reason=None)
    assert rows(made, *FULL, deal="006A") == OF_A
    assert rows(made, *FULL, deal="006B") == OF_B
    assert set(made.table.to_pandas()["deal_id"]) == {"006A", "006B"}
    assert rejected(made, f"{name}.csv") == [[7, "its opportunity is deleted in the CRM"], [8, "deleted in the CRM"]]
    (file,) = made.files
    assert (file.rows_read, file.rows_kept) == (7, 5)
    assert noticed(made, 16)["deleted in the CRM"] == (1, 3)


def test_a_deal_whose_last_version_has_ended_is_gone_from_the_crm(tmp_path):
    start = "2025-04-02 08:00:01"
    ended = VERSIONS.replace(f"{start},9999-12-31 23:59:59,true", f"{start},2025-05-01 00:00:00,false")
    (tmp_path / "opportunity.csv").write_text(ended)
    made = history(tmp_path, reason=None)
    assert set(made.table.to_pandas()["deal_id"]) == {"006A"}
    assert noticed(made, 16)["deleted in the CRM"] == (2, 3)


def test_versions_tell_other_fields_beside_the_history_of_changes(tmp_path):
    folder = export(tmp_path, Opportunity=VERSIONS, OpportunityFieldHistory="")
    made = history(folder, reason=None)
    assert rows(made, "recorded_on", "stage", "owner_id", "expected_close_on", deal="006A") == [
        ["01-02", "Discovery", "005Ana", "02-28"],
        ["02-20", "Discovery", "005Ana", "04-30"],  # OpportunityHistory, at 9:00:00
        ["02-20", "Discovery", "005Bo", "04-30"],  # the version, a second later
        ["03-31", "Closed Lost", "005Bo", None],
    ]


def test_dates_and_times_as_connectors_and_databases_write_them(tmp_path):
    typed = pd.read_csv(
        export(tmp_path, OpportunityHistory="", OpportunityFieldHistory="") / "Opportunity.csv", dtype=str
    )
    plain = rows(history(tmp_path), "deal_id", "recorded_on", "opened_on", "closed_on")
    written = typed.assign(
        CreatedDate=typed["CreatedDate"].str[:10] + " 19:51:13", CloseDate=typed["CloseDate"] + " 00:00:00"
    )
    written.to_csv(tmp_path / "Opportunity.csv", index=False)
    assert rows(history(tmp_path), "deal_id", "recorded_on", "opened_on", "closed_on") == plain


def test_a_forecast_that_no_history_holds_is_todays_and_stands_on_the_last_state(tmp_path):
    header, *lines = DEALS.splitlines()
    values = ["0,Omitted,", "100,Closed,", "400,Maybe,Forecast", "0,Omitted,"]
    deals = [f"{header},Probability,ForecastCategoryName,ForecastCategory"]
    deals += [f"{line},{value}" for line, value in zip(lines, values, strict=True)]
    short = "\n".join(",".join(line.split(",")[:6] + line.split(",")[7:]) for line in STAGES.splitlines())
    made = history(export(tmp_path, Opportunity="\n".join(deals) + "\n", OpportunityHistory=short + "\n"), **OPEN)
    columns = ("recorded_on", "probability", "forecast_category")
    assert rows(made, *columns, deal="006A") == [
        ["01-02", None, None],
        ["02-20", None, None],
        ["02-25", None, None],
        ["03-31", 0.0, "omitted"],
    ]
    assert rows(made, *columns, deal="006C") == [["02-01", None, None]]  # 400 % and Maybe are neither
    assert noticed(made, 11) == {"probability in percent": (3, 3), "probability outside its scale": (1, 3)}
    assert noticed(made, 12) == {"forecast category that no rule names": (1, 3)}


def test_a_deal_that_closed_before_the_history_begins_keeps_its_outcome(tmp_path):
    deals = DEALS + "".join(
        f"{name},001Y,005Ana,{stage},9,{close},2024-09-01T10:00:00.000+0000,{flags},false,Web,SMB,\n"
        for name, stage, close, flags in (
            ("006E", "Closed Won", "2024-11-05", "true,true"),
            ("006F", "Closed Lost", "2025-12-31", "true,false"),  # typed into the future: closed by the first record
            ("006G", "Proposal", "2025-12-31", "false,false"),
        )
    )
    made = history(export(tmp_path, Opportunity=deals))
    assert rows(made, *STATE, deal="006E") == [
        ["09-01", None, "open", None, None, None],
        ["11-05", "Closed Won", "closed_won", 9.0, None, "11-05"],
    ]
    assert rows(made, *STATE, deal="006F") == [
        ["09-01", None, "open", None, None, None],
        ["01-02", "Closed Lost", "closed_lost", 9.0, None, "12-31"],
    ]
    assert rows(made, "closed_after", deal="006E") == [[None], [None]]
    assert rows(made, "closed_after", deal="006F") == [[None], ["09-01"]]  # on some day between its opening and then
    assert rows(made, *STATE, deal="006G") == [["09-01", "Proposal", "open", 9.0, "12-31", None]]
    assert noticed(made, 20)["closed before the history begins (2025-01-02)"] == (2, 6)


def test_a_history_without_rows_is_none(tmp_path):
    empty = {"OpportunityHistory": STAGES.splitlines()[0] + "\n", "OpportunityFieldHistory": ""}
    assert history(export(tmp_path, **empty)).kind == "current_only"


def test_an_amount_keeps_the_currency_that_it_was_in(tmp_path):
    header, *lines = DEALS.splitlines()
    deals = "\n".join([f"{header},CurrencyIsoCode", *(f"{line},EUR" for line in lines)]) + "\n"
    header, *lines = STAGES.splitlines()
    codes = ["USD", "EUR", "USD", "EUR", "EUR", "EUR"]
    changes = [f"{header},CurrencyIsoCode", *(f"{line},{code}" for line, code in zip(lines, codes, strict=True))]
    made = history(export(tmp_path, Opportunity=deals, OpportunityHistory="\n".join(changes) + "\n"))
    assert rows(made, "recorded_on", "amount", "currency", deal="006A") == [
        ["01-02", 40.0, "USD"],
        ["02-20", 40.0, "USD"],
        ["02-25", 40.0, "USD"],
        ["03-31", 0.0, "EUR"],
    ]
    assert {code for (code,) in rows(made, "currency", deal="006B")} == {"EUR"}
    assert rows(history(tmp_path, currency=None), "currency", deal="006A") == [[None]] * 4


LONG = {name: f"006Hs000000000{name[-1]}" for name in ("006A", "006B", "006C", "006D", "006Z")}


def with_ids(text: str, suffix: str = "", opportunities: str = "") -> str:
    """Ids of 15 characters, with `suffix` those of 18; of `opportunities` only these letters."""
    for name, long in LONG.items():
        text = text.replace(name, long + (suffix if not opportunities or name[-1] in opportunities else ""))
    return text


def test_an_id_of_15_characters_is_that_of_18(tmp_path):
    columns = ("deal_id", "recorded_on", "stage", "status", "closed_on", "amount", "owner_id", "reason", "segment")
    tasks = "Id,WhatId,ActivityDate,Status,CreatedDate\n1,006A,2025-02-03,Completed,2025-02-01T10:00:00.000+0000\n"
    whole = history(export(tmp_path, Opportunity=with_ids(DEALS, "AAB"), OpportunityHistory=with_ids(STAGES, "AAB"),
                           OpportunityFieldHistory=with_ids(FIELDS, "AAB"), Task=with_ids(tasks, "AAB")))  # fmt: skip
    mixed = history(export(tmp_path, Opportunity=with_ids(DEALS, "AAB"),
                           OpportunityHistory=with_ids(STAGES, "AAB", "B"),
                           OpportunityFieldHistory=with_ids(FIELDS), Task=with_ids(tasks)))  # fmt: skip
    assert rows(mixed, *columns) == rows(whole, *columns)
    assert rows(mixed, *columns[:4], deal="006Hs000000000AAAB") == [
        ["006Hs000000000AAAB", "01-02", "Discovery", "open"],
        ["006Hs000000000AAAB", "02-20", "Discovery", "open"],
        ["006Hs000000000AAAB", "02-25", "Discovery", "open"],
        ["006Hs000000000AAAB", "03-31", "Closed Lost", "closed_lost"],
    ]
    assert mixed.side["activities"].to_pandas()["deal_id"].tolist() == ["006Hs000000000AAAB"]
    what = "history that writes an opportunity's id in its other length"
    # of OpportunityHistory three rows of A and one of D, of OpportunityFieldHistory three of A and three of B
    assert noticed(mixed, 16)[what] == (10, 13)
    assert what not in noticed(whole, 16)


def test_an_id_in_other_case_is_another_id(tmp_path):
    deals = with_ids(DEALS, "AAB")
    log = with_ids(STAGES).replace("006Hs000000000B", "006hs000000000b")
    made = history(export(tmp_path, Opportunity=deals, OpportunityHistory=log, OpportunityFieldHistory=""))
    assert rejected(made, "OpportunityHistory.csv") == [
        [5, "its opportunity is not in the export"],
        [6, "its opportunity is not in the export"],
        [7, "its opportunity is deleted in the CRM"],
    ]


def test_a_history_with_its_header_alone_is_named(tmp_path):
    header = STAGES.splitlines()[0] + "\n"
    made = history(export(tmp_path, OpportunityHistory=header, OpportunityFieldHistory=""))
    assert made.kind == "current_only"
    what = "OpportunityHistory has no rows, so that it tells nothing of earlier dates"
    assert noticed(made, 20)[what] == (3, 3)
    (tmp_path / "OpportunityHistory.csv").unlink()
    without = history(tmp_path)
    assert what not in noticed(without, 20)
    assert rows(without, "deal_id", "recorded_on", "status") == rows(made, "deal_id", "recorded_on", "status")
