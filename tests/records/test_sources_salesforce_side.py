"""Salesforce activities, people and exchange rates: what happened, who owned it, what a currency was worth."""

import datetime as dt

import pandas as pd
import pytest
from salesforce_export import DEALS, export, history, noticed, rejected
from test_sources_salesforce import TASKS, USERS

from analytics.records.definitions import CurrencyPolicy, Definitions
from analytics.records.errors import InputError
from analytics.records.rules import OutcomeRules
from analytics.records.snapshot import snapshot_frame

EVENTS = """\
Id,WhatId,OwnerId,Type,StartDateTime,EndDateTime,ActivityDate,DurationInMinutes,IsAllDayEvent,IsChild,IsRecurrence,\
CreatedDate
1,006A,005Ana,Meeting,2025-02-03T23:30:00.000+0000,2025-02-04T00:15:00.000+0000,2025-02-03,,false,false,false,+
2,006A,005Bo,Meeting,2025-02-03T23:30:00.000+0000,2025-02-04T00:15:00.000+0000,2025-02-03,,false,true,false,+
3,006B,005Bo,Demo,2025-02-10T09:00:00.000+0000,2025-02-10T10:00:00.000+0000,2025-02-10,30,false,true,false,+
4,006B,005Cy,Demo,2025-02-10T09:00:00.000+0000,2025-02-10T10:00:00.000+0000,2025-02-10,30,false,true,false,+
5,006B,005Ana,Fair,2025-02-11T00:00:00.000+0000,2025-02-12T00:00:00.000+0000,2025-02-11,1440,true,false,false,+
6,006B,005Ana,Call,2025-02-12T09:00:00.000+0000,,2025-02-12,15,false,false,true,+
7,006B,005Ana,Call,2025-09-12T09:00:00.000+0000,,2025-09-12,15,false,false,false,+
8,001X,005Ana,Call,2025-02-12T09:00:00.000+0000,,2025-02-12,15,false,false,false,+
9,006B,005Ana,Call,,,,15,false,false,false,+
10,006C,005Ana,Call,,,2025-02-14,15,false,false,false,+
""".replace(",+\n", ",2025-02-01T08:00:00.000+0000\n")
COLUMNS = ["deal_id", "channel", "owner_id", "minutes"]


def table(history, name: str) -> pd.DataFrame:
    return history.side[name].to_pandas()


def test_meetings_count_once_and_only_if_they_took_place(tmp_path):
    made = history(export(tmp_path, Event=EVENTS), timezone="America/New_York", extracted_on="2025-09-11")
    frame = table(made, "activities")
    assert frame[COLUMNS].values.tolist() == [
        ["006A", "Meeting", "005Ana", 45.0],
        ["006B", "Demo", "005Bo", 30.0],  # the organiser's own is not exported: the first copy stands
        ["006B", "Fair", "005Ana", 1440.0],
        ["006C", "Call", "005Ana", 15.0],
    ]
    # The fair takes all day: it does not move into the evening before, as the meeting of 23:30 UTC does not either.
    assert frame["occurred_on"].astype(str).tolist() == ["2025-02-03", "2025-02-10", "2025-02-11", "2025-02-14"]
    assert set(frame["recorded_on"].astype(str)) == {"2025-02-01"}
    assert rejected(made, "Event.csv") == [
        [3, "an invitee's copy of a meeting that is there"],
        [5, "an invitee's copy of a meeting that is there"],
        [7, "the pattern of a recurring activity, not one that took place"],
        [8, "planned for a day after the export, so it did not happen yet"],
        [9, "it belongs to no opportunity of the export"],
        [10, "neither StartDateTime nor ActivityDateTime nor ActivityDate"],
    ]
    assert noticed(made, 16)["an invitee's copy of a meeting that is there"] == (2, 8)
    assert noticed(made, 20)["activity that did not happen (not completed, or planned)"] == (2, 8)


def test_a_planned_meeting_has_happened_once_the_export_is_later(tmp_path):
    made = history(export(tmp_path, Event=EVENTS), extracted_on="2025-09-12")
    assert table(made, "activities")["occurred_on"].astype(str).max() == "2025-09-12"
    # Without the day of the export it is the last day of its records, 2 April here.
    unsaid = history(tmp_path)
    assert table(unsaid, "activities")["occurred_on"].astype(str).max() == "2025-02-14"


def test_tasks_and_meetings_are_one_table(tmp_path):
    made = history(export(tmp_path, Task=TASKS, Event=EVENTS), activity_side="Side__c")
    frame = table(made, "activities")
    assert frame[["deal_id", "channel"]].values.tolist() == [
        ["006A", "Meeting"],
        ["006A", "Call"],
        ["006A", "Meeting"],
        ["006B", "Demo"],
        ["006B", "Fair"],
        ["006C", "Call"],
    ]
    assert frame["side"].fillna("-").tolist() == ["buyer", "seller", "-", "-", "-", "-"]
    assert [(file.name, file.rows_read, file.rows_kept) for file in made.files[-2:]] == [
        ("Task.csv", 6, 2),
        ("Event.csv", 10, 4),
    ]


def test_a_field_of_ones_own_may_be_exported_of_meetings_alone_and_keeps_its_type(tmp_path):
    header, *lines = EVENTS.splitlines()
    longer = "\n".join([f"{header},Length__c", *(f"{line},7" for line in lines)]) + "\n"
    made = history(export(tmp_path, Event=longer), activity_columns={"minutes": "Length__c"})
    assert set(table(made, "activities")["minutes"]) == {7.0}
    shorter = history(export(tmp_path, Event=EVENTS), activity_columns={"minutes": "Length__c"})
    assert table(shorter, "activities")["minutes"].isna().all()


def test_a_role_is_the_team_where_no_field_is_named(tmp_path):
    users = "\n".join(
        line + end
        for line, end in zip(USERS.splitlines(), (",UserRoleId", ",00EA", ",00EB"), strict=True)
    )  # fmt: skip
    roles = "Id,Name\n00EA,Seller North\n00EB,Head of Sales\n"
    made = history(export(tmp_path, User=users + "\n", UserRole=roles))
    assert table(made, "owners")[["owner_id", "team"]].values.tolist() == [
        ["005Ana", "Seller North"],
        ["005Mo", "Head of Sales"],
    ]
    named = history(tmp_path, user_team="Team__c")
    assert table(named, "owners")["team"].fillna("-").tolist() == ["North", "-"]


def test_of_people_whose_versions_a_connector_keeps_the_active_one_counts(tmp_path):
    users = """\
id,name,user_role_id,_fivetran_start,_fivetran_active
005Ana,Ana Old,00EA,2024-01-01 00:00:00,false
005Ana,Ana,00EB,2025-01-01 00:00:00,true
"""
    made = history(export(tmp_path, User=users))
    assert table(made, "owners")["name"].tolist() == ["Ana"]
    assert rejected(made, "User.csv") == [[2, "an older version of a row, kept by the connector"]]


DATED = """\
Id,IsoCode,StartDate,NextStartDate,ConversionRate
1,EUR,0001-01-01,2025-01-01,0.8
2,EUR,2025-01-01,9999-12-31,1.25
3,USD,0001-01-01,9999-12-31,1
4,GBP,2025-01-01,9999-12-31,0
5,GBP,someday,9999-12-31,0.5
"""
TYPES = """\
Id,IsoCode,ConversionRate,IsCorporate
1,USD,1,true
2,EUR,2,false
3,CHF,0.5,false
"""


def rates(history) -> list[list[object]]:
    frame = table(history, "fx_rates").astype({"valid_from": str})
    return frame[["currency", "valid_from", "rate"]].values.tolist()


def test_a_conversion_rate_is_divided_by_and_holds_from_its_start(tmp_path):
    made = history(export(tmp_path, DatedConversionRate=DATED, CurrencyType=TYPES))
    assert rates(made) == [
        ["EUR", "1900-01-01", 1.25],
        ["EUR", "2025-01-01", 0.8],
        ["USD", "1900-01-01", 1.0],
        ["CHF", "1900-01-01", 2.0],  # only today's rate is known
    ]
    assert rejected(made, "DatedConversionRate.csv") == [
        [5, "ConversionRate is not above 0"],
        [6, "StartDate is not a date"],
    ]
    assert noticed(made, 13)["exchange rate without a beginning, which is today's"] == (1, 4)


def test_without_dated_rates_todays_stand_for_all_days(tmp_path):
    made = history(export(tmp_path, CurrencyType=TYPES))
    assert rates(made) == [["USD", "1900-01-01", 1.0], ["EUR", "1900-01-01", 0.5], ["CHF", "1900-01-01", 2.0]]
    assert noticed(made, 13)["exchange rate without a beginning, which is today's"] == (2, 3)
    (tmp_path / "CurrencyType.csv").unlink()
    assert "fx_rates" not in history(tmp_path).side


def test_amounts_are_converted_at_the_rates_of_the_crm_into_its_own_currency_only(tmp_path):
    header, *lines = DEALS.splitlines()
    deals = [f"{header},CurrencyIsoCode", *(f"{line},EUR" for line in lines)]
    made = history(export(tmp_path, Opportunity="\n".join(deals) + "\n", DatedConversionRate=DATED))

    def amounts(report_in: str) -> dict[str, float]:
        policy = CurrencyPolicy(report_in=report_in, policy="rate_at_opening")
        frame = snapshot_frame(
            made, as_of=dt.date(2025, 12, 31), rules=OutcomeRules(), definitions=Definitions(currency=policy)
        )
        return dict(zip(frame["deal_id"], frame["amount"], strict=True))

    assert amounts("USD") == {"006A": 32.0, "006B": 40.0, "006C": 56.0}  # 40, 50 and 70 EUR, at 1.25 EUR for a dollar
    with pytest.raises(InputError) as caught:
        amounts("EUR")
    assert str(caught.value) == (
        "column 'currency.report_in', value 'EUR': fx_rates gives this currency a rate other than 1, so its rates are "
        "into another one. Report in the currency whose rate is 1, or use policy: plan_rate with rates."
    )
