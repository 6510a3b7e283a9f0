"""A Dynamics 365 export: opportunities, closings, audit, activities, users; and the traps of such exports."""

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

ANA, BO, MO = (f"00000000-0000-4000-8000-00000000000{letter}" for letter in "abc")

BLOCK = {"kind": "dynamics", "folder": ".", "attributes": {"segment": "new_segment"}}

DEALS = """\
opportunityid,name,_ownerid_value,_parentaccountid_value,_customerid_value,createdon,modifiedon,estimatedclosedate,\
actualclosedate,estimatedvalue,estimatedvalue_base,actualvalue,_transactioncurrencyid_value,statecode,statuscode,\
stepname,closeprobability,msdyn_forecastcategory,new_segment
O1,Secret deal,u-bo,a1,,2025-01-02T10:00:00Z,2025-04-01T08:00:00Z,2025-03-31,2025-03-28,40,44,0,c1,2,4,3-Propose,0,\
100000006,SMB
O2,Other,u-ana,a1,,2025-01-05T10:00:00Z,2025-04-02T08:00:00Z,2025-03-30,2025-03-30,50,55,48,c1,1,3,4-Close,100,\
100000005,Ent
O3,Third,u-ana,,a2,2025-02-01T10:00:00Z,2025-02-20T10:00:00Z,2025-06-30,,70,77,,c2,0,2,2-Develop,40,100000003,SMB
"""

CLOSES = """\
activityid,_opportunityid_value,createdon,actualend,actualrevenue,opportunitystatecode,opportunitystatuscode,\
_competitorid_value,description
k1,O1,2025-04-01T08:00:00Z,2025-03-28T00:00:00Z,0,2,4,k-acme,they said no
k2,O2,2025-04-02T08:00:00Z,2025-03-30T00:00:00Z,48,1,3,,
"""

CURRENCIES = "transactioncurrencyid,isocurrencycode,exchangerate\nc1,EUR,1.1\nc2,GBP,0.9\n"


def audit(*rows: tuple[str, str, str]) -> str:
    """Audit rows: id of the deal, moment, `column:old:new` parts separated by blanks."""
    lines = ["auditid,objectid,createdon,operation,changedata"]
    for number, (deal, moment, parts) in enumerate(rows):
        each = [part.split(":") for part in parts.split(" ")]
        changes = ",".join(
            f'{{""logicalName"":""{name}"",""oldValue"":{_json(old)},""newValue"":{_json(new)}}}'
            for name, old, new in each
        )
        lines.append(f'{number},{deal},{moment},2,"{{""changedAttributes"":[{changes}]}}"')
    return "\n".join(lines) + "\n"


def _json(text: str) -> str:
    return f'""{text}""' if text else "null"


AUDIT = audit(
    (
        "O1",
        "2025-01-20T09:00:00Z",
        "stepname:1-Qualify:3-Propose ownerid:systemuser,u-ana:systemuser,u-bo",
    ),
    ("O1", "2025-02-10T09:00:00Z", "estimatedclosedate:2025-02-28:2025-03-31 estimatedvalue:45:40"),
    ("O1", "2025-04-01T08:00:00Z", "statecode:0:2 statuscode:1:4"),
    ("O2", "2025-03-01T09:00:00Z", "new_segment:Mid:Ent stepname:2-Develop:4-Close"),
    ("O3", "2025-02-20T10:00:00Z", "statuscode:1:2 description:x:y"),
)


def export(tmp_path: Path, **files: str) -> Path:
    defaults = {"opportunity": DEALS, "opportunityclose": CLOSES, "audit": AUDIT, "transactioncurrency": CURRENCIES}
    for name, text in (defaults | files).items():
        written = text.replace("u-ana", ANA).replace("u-bo", BO).replace("u-mo", MO)
        (tmp_path / f"{name}.csv").write_text(written)
        if not text:
            (tmp_path / f"{name}.csv").unlink()
    return tmp_path


def history(base: Path, *, timezone: str | None = None, **block):
    return read_history(TypeAdapter(SourceConfig).validate_python(BLOCK | block), base=base, timezone=timezone)


def sentence(base: Path, **block) -> str:
    with pytest.raises(InputError) as caught:
        history(base, **block)
    return str(caught.value)


def deal(number: str, created: str, state: str, reason: str, closed: str = "", modified: str = "") -> str:
    """One more opportunity that has nothing but its state."""
    return f"{number},,u-ana,a1,,{created},{modified},,{closed},10,,,c1,{state},{reason},1-Qualify,10,,SMB\n"


def test_audit_and_closings_make_one_sequence_of_states(tmp_path):
    made = history(export(tmp_path))
    assert (made.kind, made.attributes, str(made.known_to)) == ("recorded", ("segment",), "2025-04-02")
    columns = ("valid_from", "valid_to", "stage", "status", "closed_on", "expected_close_on", "amount", "owner_id")
    assert rows(made, *columns, "reason", deal="O1") == [
        ["01-02", "01-20", "1-Qualify", "open", None, "02-28", 45.0, ANA, None],
        ["01-20", "02-10", "3-Propose", "open", None, "02-28", 45.0, BO, None],
        ["02-10", "04-01", "3-Propose", "open", None, "03-31", 40.0, BO, None],
        ["04-01", None, "3-Propose", "closed_lost", "03-28", None, 0.0, BO, "Canceled"],
    ]
    assert rows(made, "recorded_on", "stage", "status", "amount", "segment", "reason", deal="O2") == [
        ["01-05", "2-Develop", "open", 50.0, "Mid", None],
        ["03-01", "4-Close", "open", 50.0, "Ent", None],
        ["04-02", "4-Close", "closed_won", 48.0, "Ent", None],
    ]
    assert rows(made, "deal_id", "account_id", "opened_on", "currency", "probability", "forecast_category")[0] == [
        "O1", "a1", "01-02", "EUR", 0.0, "omitted",
    ]  # fmt: skip


def test_on_hold_is_open_and_a_customer_stands_in_for_an_account(tmp_path):
    columns = ("recorded_on", "account_id", "status", "expected_close_on", "amount", "currency", "forecast_category")
    assert rows(history(export(tmp_path)), *columns, deal="O3") == [
        ["02-01", "a2", "open", "06-30", 70.0, "GBP", "commit"],
        ["02-20", "a2", "open", "06-30", 70.0, "GBP", "commit"],
    ]


def test_canceled_is_no_decision_only_by_the_rules(tmp_path):
    made = history(export(tmp_path))

    def outcome(rules: OutcomeRules) -> tuple[str, float]:
        deals = snapshot_frame(made, as_of=dt.date(2025, 5, 1), rules=rules).set_index("deal_id")
        return deals.loc["O1", "outcome"], deals.loc["O1", "amount"]

    assert outcome(OutcomeRules()) == ("lost", 40.0)  # the value was zeroed at the loss: the last one while open
    assert outcome(OutcomeRules(no_decision_reasons=("Canceled",)))[0] == "no_decision"


def test_a_deal_closed_twice_was_open_until_the_day_before(tmp_path):
    again = CLOSES.replace(
        "k1,O1,2025-04-01", "k0,O1,2025-02-20T12:00:00Z,2025-02-19T00:00:00Z,,2,5,,\nk1,O1,2025-04-01"
    )
    made = history(export(tmp_path, opportunityclose=again, audit=""))
    assert made.kind == "current_only"
    assert rows(made, "recorded_on", "status", "closed_on", "reason", "stage", "amount", deal="O1") == [
        ["01-02", "open", None, None, None, None],
        ["02-20", "closed_lost", "02-19", "Out-Sold", None, None],
        ["03-31", "open", None, None, None, None],
        ["04-01", "closed_lost", "03-28", "Canceled", "3-Propose", 0.0],
    ]
    assert seen(made, "re-opened on a day that nothing records") == (6, 1, 3)
    first = snapshot_frame(made, as_of=dt.date(2025, 5, 1), rules=OutcomeRules()).set_index("deal_id").loc["O1"]
    assert (first["outcome"], first["reopened"], first["exit"]) == ("lost", True, 48)  # 19 February


def test_audit_knows_the_day_of_re_opening(tmp_path):
    again = CLOSES.replace(
        "k1,O1,2025-04-01", "k0,O1,2025-02-20T12:00:00Z,2025-02-19T00:00:00Z,,2,5,,\nk1,O1,2025-04-01"
    )
    turns = audit(
        ("O1", "2025-02-20T12:00:00Z", "statecode:0:2 statuscode:1:5"),
        ("O1", "2025-03-03T12:00:00Z", "statecode:2:0 statuscode:5:1"),
        ("O1", "2025-04-01T08:00:00Z", "statecode:0:2 statuscode:1:4"),
    )
    made = history(export(tmp_path, opportunityclose=again, audit=turns))
    assert rows(made, "recorded_on", "status", "closed_on", "reason", deal="O1") == [
        ["01-02", "open", None, None],
        ["02-20", "closed_lost", "02-19", "Out-Sold"],
        ["03-03", "open", None, None],
        ["04-01", "closed_lost", "03-28", "Canceled"],
    ]
    assert seen(made, "re-opened on a day that nothing records") == (6, 0, 3)


def test_closings_on_following_days_are_one_closing_that_was_corrected(tmp_path):
    twice = CLOSES.replace(
        "k1,O1,2025-04-01", "k0,O1,2025-03-31T12:00:00Z,2025-03-28T00:00:00Z,,1,3,,\nk1,O1,2025-04-01"
    )
    made = history(export(tmp_path, opportunityclose=twice, audit=""))
    assert rows(made, "recorded_on", "status", deal="O1") == [
        ["01-02", "open"],
        ["03-31", "closed_won"],
        ["04-01", "closed_lost"],
    ]


def test_a_deal_that_is_open_today_though_it_closed(tmp_path):
    closed = CLOSES + "k3,O3,2025-02-10T12:00:00Z,2025-02-10T00:00:00Z,,2,4,,\n"
    made = history(export(tmp_path, opportunityclose=closed, audit=""))
    assert rows(made, "recorded_on", "status", "stage", "amount", deal="O3") == [
        ["02-01", "open", None, None],
        ["02-10", "closed_lost", None, None],
        ["02-20", "open", "2-Develop", 70.0],  # modifiedon: re-opened by then
    ]


def test_a_closing_that_only_todays_row_tells(tmp_path):
    deals = DEALS + deal("O4", "2025-01-10T10:00:00Z", "2", "5", "2025-01-20")
    deals += deal("O5", "2025-01-10T10:00:00Z", "2", "5", "", "2025-02-02T08:00:00Z")
    deals += deal("O6", "2025-01-10T10:00:00Z", "1", "3", "2024-12-20")
    deals += deal("O7", "2025-01-10T10:00:00Z", "1", "3", "2215-01-20") + deal(
        "O8", "2025-01-10T10:00:00Z", "1", "3", "2025-01-10"
    )
    made = history(export(tmp_path, opportunity=deals))
    columns = ("recorded_on", "status", "closed_on")
    assert rows(made, *columns, deal="O4") == [["01-10", "open", None], ["01-20", "closed_lost", "01-20"]]
    assert rows(made, *columns, deal="O5") == [["01-10", "open", None], ["02-02", "closed_lost", None]]
    assert rows(made, *columns, deal="O6") == [["01-10", "closed_won", "12-20"]]  # closed before it was opened
    assert rows(made, *columns, deal="O8") == [["01-10", "open", None], ["01-10", "closed_won", "01-10"]]
    assert seen(made, "closed on a day that nothing records") == (1, 5, 7)
    assert seen(made, "closed without an actual close date") == (1, 1, 7)
    assert rows(made, *columns, deal="O7")[-1] == ["04-02", "closed_won", "01-20"]  # 2215: the last day on record
    assert made.rejects.empty


def test_a_future_close_date_is_known_at_the_end_of_the_export(tmp_path):
    deals = DEALS + deal("O4", "2025-01-10T10:00:00Z", "1", "3", "2026-01-20")
    made = history(export(tmp_path, opportunity=deals), extracted_on="2025-04-10")
    assert rows(made, "recorded_on", "status", "closed_on", deal="O4")[-1] == ["04-10", "closed_won", "01-20"]


def test_columns_that_contradict_the_state(tmp_path):
    deals = DEALS.replace("c1,2,4,3-Propose", "c1,2,3,3-Propose").replace("2025-06-30,,70", "2025-06-30,2025-03-01,70")
    made = history(export(tmp_path, opportunity=deals))
    assert seen(made, "statuscode contradicts statecode") == (9, 1, 3)
    assert seen(made, "open with an actual close date") == (3, 1, 1)
    assert rows(made, "status", "closed_on", deal="O3") == [["open", None]] * 2
    assert rows(made, "status", deal="O1")[-1] == ["closed_lost"]


def test_a_migrated_deal_opens_on_its_original_day(tmp_path):
    header, *lines = DEALS.splitlines()
    moved = [header + ",overriddencreatedon", *(f"{line}," for line in lines)]
    moved[3] += "2024-11-05"
    made = history(export(tmp_path, opportunity="\n".join(moved) + "\n"))
    assert rows(made, "opened_on", "recorded_on", deal="O3")[0] == ["11-05", "11-05"]
    assert seen(made, "brought in by a migration") == (4, 1, 3)


def test_audit_that_begins_late_says_from_when(tmp_path):
    made = history(export(tmp_path))
    assert seen(made, "opened before audit begins (2025-01-20)") == (20, 2, 3)


def test_audit_without_a_change_that_is_read_is_no_history(tmp_path):
    plain = history(export(tmp_path, audit=""))
    made = history(export(tmp_path, audit=audit(("O3", "2025-02-20T10:00:00Z", "description:x:y"))))
    assert made.kind == "current_only"
    pd.testing.assert_frame_equal(made.table.to_pandas(), plain.table.to_pandas())


def test_audit_of_the_creation_holds_from_the_opening(tmp_path):
    created = AUDIT + audit(("O3", "2025-02-01T10:05:00Z", "stepname::1-Qualify")).splitlines()[1].replace(",2,", ",1,")
    created += "\n" + audit(("O3", "2025-02-15T10:00:00Z", "stepname:1-Qualify:2-Develop")).splitlines()[1] + "\n"
    made = history(export(tmp_path, audit=created))
    assert rows(made, "recorded_on", "stage", deal="O3") == [
        ["02-01", "1-Qualify"],
        ["02-15", "2-Develop"],
        ["02-20", "2-Develop"],
    ]


def test_audit_rows_that_cannot_be_read_are_rejected(tmp_path):
    broken = AUDIT + '9,O1,2025-02-11T09:00:00Z,2,"{""changedAttributes"":[{"\n10,O1,2025-02-12T09:00:00Z,2,[1]\n'
    broken += audit(("O1", "2025-02-13T09:00:00Z", "estimatedvalue:40:lots")).splitlines()[1] + "\n"
    broken += "12,O1,2025-02-14T09:00:00Z,2,\n"
    broken += audit(("c9", "2025-02-15T09:00:00Z", "name:a:b")).splitlines()[1] + "\n"
    broken += "14,O9,2025-02-16T09:00:00Z,3,\n"
    made = history(export(tmp_path, audit=broken))
    assert made.rejects[["file", "line", "reason"]].values.tolist() == [
        ["audit.csv", 7, "changedata is not the JSON of a change"],
        ["audit.csv", 8, "changedata is not the JSON of a change"],
        ["audit.csv", 9, "a changed value is not the number or the date that it should be"],
        ["audit.csv", 11, "it is about no opportunity of the export"],
        ["audit.csv", 12, "it is about no opportunity of the export"],
    ]
    assert seen(made, "deleted in the CRM, as audit says") == (16, 1, 4)
    assert [(file.name, file.rows_read, file.rows_kept) for file in made.files] == [
        ("opportunity.csv", 3, 3),
        ("audit.csv", 11, 6),
        ("opportunityclose.csv", 2, 2),
        ("transactioncurrency.csv", 2, 2),
    ]


FLAT_AUDIT = """\
objectid,createdon,operation,attributename,oldvalue,newvalue
O1,2025-01-20T09:00:00Z,Update,stepname,1-Qualify,3-Propose
O1,2025-01-20T09:00:00Z,Update,ownerid,"systemuser,{0E9F8A2B-1111-2222-3333-444455556666}","systemuser,u-bo"
O1,2025-02-10T09:00:00Z,Update,estimatedclosedate,02/28/2025,03/31/2025
O1,2025-02-10T09:00:00Z,Update,statecode,Open,Open
"""


def test_flattened_audit_and_its_own_dates(tmp_path):
    export(tmp_path, audit=FLAT_AUDIT)
    made = history(tmp_path, audit_dates="%m/%d/%Y")
    assert rows(made, "recorded_on", "stage", "expected_close_on", "owner_id", deal="O1")[:3] == [
        ["01-02", "1-Qualify", "02-28", "0e9f8a2b-1111-2222-3333-444455556666"],
        ["01-20", "3-Propose", "02-28", BO],
        ["02-10", "3-Propose", "03-31", BO],
    ]
    assert sentence(tmp_path) == (
        "column 'estimatedclosedate', value '02/28/2025': no changed value of this column can be read: this one is not "
        "a date (2025-10-01). State how they are written under audit_dates: in the params."
    )


def test_the_competitor_is_known_from_the_closing_on(tmp_path):
    made = history(export(tmp_path), attributes={"competitor": "opportunityclose.competitorid"})
    assert rows(made, "status", "competitor", deal="O1") == [
        ["open", None],
        ["open", None],
        ["open", None],
        ["closed_lost", "k-acme"],
    ]
    (tmp_path / "opportunityclose.csv").unlink()
    assert sentence(tmp_path, attributes={"competitor": "opportunityclose.competitorid"}).startswith(
        ".: holds no opportunityclose file"
    )


def test_a_closing_that_does_not_say_how_it_ended(tmp_path):
    header = "activityid,opportunityid,createdon,actualend\n"
    lines = "k0,O1,2025-02-20T12:00:00Z,2025-02-19\nk1,O1,2025-04-01T08:00:00Z,2025-03-28\n"
    made = history(export(tmp_path, opportunityclose=header + lines, audit=""))
    assert rows(made, "recorded_on", "status", "reason", deal="O1") == [
        ["01-02", "open", None],
        ["02-20", "closed_unknown", None],
        ["03-31", "open", None],
        ["04-01", "closed_lost", "Canceled"],
    ]
    assert seen(made, "closings that do not say") == (9, 1, 2)
    turns = audit(("O1", "2025-02-20T12:00:00Z", "statecode:0:1"), ("O1", "2025-03-03T12:00:00Z", "statecode:1:0"))
    told = history(export(tmp_path, opportunityclose=header + lines, audit=turns))
    assert [row[0] for row in rows(told, "status", deal="O1")] == ["open", "closed_won", "open", "closed_lost"]
    odd = header.strip() + ",opportunitystatecode\nk0,O1,2025-02-20T12:00:00Z,2025-02-19,Open\n"
    made = history(export(tmp_path, opportunityclose=odd))
    assert made.rejects["reason"].tolist() == ["a closing that says open"]


def test_what_the_last_closing_leaves_out_is_in_todays_row(tmp_path):
    bare = "opportunityid,createdon,opportunitystatecode\nO2,2025-04-02T08:00:00Z,1\nO1,2025-04-01T08:00:00Z,2\n"
    for log in (AUDIT, ""):
        made = history(export(tmp_path, opportunityclose=bare, audit=log))
        columns = ("recorded_on", "status", "closed_on", "amount", "reason")
        assert rows(made, *columns, deal="O2")[-1] == ["04-02", "closed_won", "03-30", 48.0, None]
        assert rows(made, *columns, deal="O1")[-1] == ["04-01", "closed_lost", "03-28", 0.0, "Canceled"]


def test_closings_without_the_time_at_which_they_were_recorded(tmp_path):
    header = "activityid,opportunityid,actualend,actualrevenue,competitorid,description,statuscode\n"
    lines = "k0,O1,2025-02-19,,,,2\nk1,O1,2025-03-28,0,,,2\nk2,O2,2025-03-30,48,,,2\nk3,O2,,48,,,2\n"
    turns = audit(("O1", "2025-02-19T12:00:00Z", "statecode:0:2"), ("O1", "2025-02-19T15:00:00Z", "statecode:2:0"))
    columns = ("recorded_on", "status", "closed_on", "amount")
    made = history(export(tmp_path, opportunityclose=header + lines, audit=turns))
    assert rows(made, *columns, deal="O1") == [
        ["01-02", "open", None, 40.0],
        ["02-19", "closed_lost", "02-19", None],
        ["02-19", "open", None, 40.0],  # audit logs both on that day, and the closing came first
        ["03-28", "closed_lost", "03-28", 0.0],
    ]
    assert rows(made, *columns, deal="O2")[-1] == ["03-30", "closed_won", "03-30", 48.0]
    assert made.rejects[["line", "reason"]].values.tolist() == [[5, "neither createdon nor actualend"]]
    assert seen(made, "closing without the time at which it was recorded") == (1, 3, 4)
    made = history(export(tmp_path, opportunityclose=header + lines))  # audit logs a closing of O1 on 1 April
    assert rows(made, *columns[:3], deal="O1")[-4:] == [
        ["02-10", "open", None],
        ["02-19", "closed_unknown", "02-19"],
        ["03-31", "open", None],
        ["04-01", "closed_lost", "03-28"],
    ]
    early = header + "k1,O1,2024-12-01,0,,,2\nk2,O2,2025-05-30,48,,,2\n"
    made = history(export(tmp_path, opportunityclose=early, audit=""))
    assert rows(made, *columns[:3], deal="O1")[-1] == ["01-02", "closed_lost", "12-01"]  # not before it was opened
    assert rows(made, *columns[:3], deal="O2")[-1] == [
        "04-02",
        "closed_won",
        "05-30",
    ]  # not after its row's last change


def test_an_object_that_lacks_what_it_needs_is_named(tmp_path):
    assert sentence(export(tmp_path, opportunityclose="activityid,actualend\nk0,2025-02-19\n")) == (
        "opportunityclose.csv, column 'opportunityid': the object opportunityclose needs this field. Export it, or "
        "name its header under objects: {opportunityclose: {file: …, columns: {opportunityid: …}}} in the params "
        "(did you mean 'activityid'?)."
    )


def test_names_and_free_text_are_not_read(tmp_path):
    made = history(export(tmp_path), attributes={"competitor": "opportunityclose.competitorid"})
    texts = made.table.to_pandas().astype(str).to_numpy().ravel().tolist()
    assert not [text for text in texts if "Secret" in text or "said no" in text]


def test_labels_and_numbers_say_the_same(tmp_path):
    words = DEALS.replace(",c1,2,4,", ",c1,Lost,Canceled,").replace(",c1,1,3,", ",c1,Won,Won,")
    words = (
        words.replace(",c2,0,2,", ",c2,Open,On Hold,").replace("100000003", "Committed").replace("100000006", "Lost")
    )
    numbers = history(export(tmp_path)).table.to_pandas()
    labels = history(export(tmp_path, opportunity=words)).table.to_pandas()
    numbers.loc[numbers["reason"] == "4", "reason"] = "Canceled"
    pd.testing.assert_frame_equal(labels, numbers)


def test_status_reasons_of_the_company(tmp_path):
    own = DEALS.replace(",c1,2,4,", ",c1,2,100000001,")
    export(tmp_path, opportunity=own, audit="", opportunityclose="")
    assert sentence(tmp_path) == (
        "column 'statuscode', value '100000001': nothing says what this status reason means. "
        'Name it under status_reasons: in the params ({"100000001": its label}).'
    )
    made = history(tmp_path, status_reasons={"100000001": "Lost to status quo"})
    assert rows(made, "reason", deal="O1")[-1] == ["Lost to status quo"]
    header, *lines = own.splitlines()
    labelled = [
        header + ",statuscode@OData.Community.Display.V1.FormattedValue",
        *(f"{line},No budget" for line in lines),
    ]
    made = history(export(tmp_path, opportunity="\n".join(labelled) + "\n", audit="", opportunityclose=""))
    assert rows(made, "reason", deal="O1")[-1] == ["No budget"]


def test_states_and_stages_that_nothing_names(tmp_path):
    export(tmp_path, opportunity=DEALS.replace(",c2,0,2,", ",c2,Ruht,2,"))
    assert sentence(tmp_path) == (
        "column 'statecode', value 'Ruht': nothing says whether this state is open, won or lost. "
        "Name it in the params: values: {statecode: {Ruht: Won}}, or Open, or Lost."
    )
    made = history(tmp_path, values={"statecode": {"Ruht": "Open"}})
    assert rows(made, "status", deal="O3") == [["open"]] * 2
    numbered = DEALS.replace("stepname", "salesstage").replace("3-Propose", "2").replace("4-Close", "3")
    export(tmp_path, opportunity=numbered.replace("2-Develop", "7"), audit="")
    assert sentence(tmp_path, stage="salesstage") == (
        "column 'salesstage', value '7': nothing says what this stage is called. "
        'Name it in the params: values: {salesstage: {"7": its name}}.'
    )
    made = history(tmp_path, stage="salesstage", values={"salesstage": {"7": "Nurture"}})
    assert rows(made, "stage", deal="O3") == [["Nurture"]]
    assert rows(made, "stage", deal="O1")[-1] == ["Propose"]


def test_value_fixes_reach_audit_too(tmp_path):
    made = history(export(tmp_path), values={"stepname": {"1-Qualify": "Qualify"}})
    assert rows(made, "stage", deal="O1")[0] == ["Qualify"]


def test_a_currency_that_nothing_names_stays_empty(tmp_path):
    made = history(export(tmp_path, transactioncurrency="transactioncurrencyid,isocurrencycode\nc1,EUR\n"))
    assert rows(made, "currency", deal="O3") == [[None]] * 2
    assert seen(made, "currency that nothing names") == (13, 1, 3)
    assert rows(made, "amount", deal="O3")[0] == [70.0]  # never the 77 of estimatedvalue_base


def test_a_close_late_in_the_evening_is_dated_in_the_zone_of_the_params(tmp_path):
    late = CLOSES.replace("2025-04-01T08:00:00Z", "2025-03-31T23:30:00Z").replace(
        "2025-03-28T00:00:00Z", "2025-03-27T23:00:00Z"
    )
    closes = AUDIT.replace("2025-04-01T08:00:00Z", "2025-03-31T23:30:00Z")

    def last(zone, deals=DEALS):
        made = history(export(tmp_path, opportunity=deals, opportunityclose=late, audit=closes), timezone=zone)
        return rows(made, "recorded_on", "closed_on", deal="O1")[-1]

    assert last(None) == ["03-31", "03-28"]  # actualclosedate holds a day, which no zone moves
    assert last("Europe/Berlin") == ["04-01", "03-28"]
    undated = DEALS.replace("2025-03-31,2025-03-28,40", "2025-03-31,,40")
    assert last(None, undated) == ["03-31", "03-27"]
    assert last("Europe/Berlin", undated) == ["04-01", "03-28"]  # actualend is a local midnight written in UTC


PHONECALLS = """\
activityid,_regardingobjectid_value,createdon,actualend,statecode,directioncode,_ownerid_value,actualdurationminutes
p1,O1,2025-02-01T08:00:00Z,2025-02-03T10:00:00Z,1,false,u-ana,15
p2,O1,2025-02-05T08:00:00Z,2025-02-05T10:00:00Z,Completed,true,u-ana,
p3,O1,2025-02-05T08:00:00Z,,0,true,u-ana,
"""
POINTERS = """\
activityid,activitytypecode,regardingobjectid,createdon,actualend,scheduledend,statecode,ownerid
p1,phonecall,O1,2025-02-01T08:00:00Z,2025-02-03T10:00:00Z,,1,u-ana
m1,4201,O2,2025-02-01T08:00:00Z,,2025-02-09T10:00:00Z,1,u-ana
k1,opportunityclose,O1,2025-04-01T08:00:00Z,2025-03-28T10:00:00Z,,1,u-ana
x1,task,,2025-04-01T08:00:00Z,2025-03-28T10:00:00Z,,1,u-ana
x2,task,O2,2025-04-01T08:00:00Z,,,1,u-ana
"""


def test_completed_activities_count_once_each(tmp_path):
    made = history(export(tmp_path, phonecall=PHONECALLS, activitypointer=POINTERS))
    frame = made.side["activities"].to_pandas()
    assert frame[["deal_id", "side", "channel", "owner_id", "minutes"]].fillna("-").values.tolist() == [
        ["O1", "buyer", "phonecall", ANA, 15.0],
        ["O1", "seller", "phonecall", ANA, "-"],
        ["O2", "-", "appointment", ANA, "-"],
    ]
    assert frame["occurred_on"].astype(str).tolist() == ["2025-02-03", "2025-02-05", "2025-02-09"]
    assert frame["recorded_on"].astype(str).tolist() == ["2025-02-01", "2025-02-05", "2025-02-01"]
    assert made.rejects[["file", "line", "reason"]].values.tolist() == [
        ["phonecall.csv", 4, "not completed, so it did not happen"],
        ["activitypointer.csv", 2, "the same activity is in another table"],
        ["activitypointer.csv", 4, "the closing itself, no activity with the buyer"],
        ["activitypointer.csv", 5, "it is about no opportunity of the export"],
        ["activitypointer.csv", 6, "neither actualend nor scheduledend"],
    ]


def test_users_and_teams_become_owners(tmp_path):
    users = "systemuserid,fullname,_parentsystemuserid_value,new_team\nu-ana,Ana,u-mo,North\nu-mo,Mo,,\n"
    made = history(
        export(tmp_path, systemuser=users, team="teamid,name\nt1,Inside sales\n"), owner_columns={"team": "new_team"}
    )
    frame = made.side["owners"].to_pandas().astype(object)
    frame = frame.where(frame.notna(), None)
    assert frame[["owner_id", "name", "manager", "team"]].values.tolist() == [
        [ANA, "Ana", "Mo", "North"],
        [MO, "Mo", None, None],
        ["t1", "Inside sales", None, None],
    ]


def test_files_that_are_missing_or_of_another_export(tmp_path):
    assert sentence(tmp_path) == (
        ".: holds no opportunity file (.csv, .csv.gz, .parquet or .xlsx). "
        "Export the object opportunity, or name its file under objects: {opportunity: {file: …}} in the params "
        "(there is nothing to choose from)."
    )
    export(tmp_path, audit=AUDIT.replace(",O", ",X"))
    assert sentence(tmp_path) == (
        "audit.csv, column 'objectid', value 'X1': none of its records is in the opportunity table. "
        "Export both with ids of one form; opportunity has 'O1'."
    )
    export(tmp_path, audit="objectid,createdon\nO1,2025-01-20T09:00:00Z\n")
    assert sentence(tmp_path).startswith(
        "audit.csv: holds neither changedata nor attributename, oldvalue and newvalue."
    )
    export(tmp_path, audit=AUDIT)
    assert sentence(tmp_path, attributes={"segment": "new_segmnt"}) == (
        "opportunity.csv, column 'new_segmnt': the params name this field and the object opportunity lacks "
        "it. Correct its name in the params, or export it (did you mean 'new_segment'?)."
    )
    with pytest.raises(ValidationError, match="there is no 'opportunitys' to read"):
        history(tmp_path, objects={"opportunitys": {"file": "opportunity.csv"}})


def test_ids_are_compared_without_braces_and_case(tmp_path):
    guid = "0E9F8A2B-1111-2222-3333-444455556666"
    deals = DEALS.replace("O1,", f"{{{guid}}},")
    made = history(export(tmp_path, opportunity=deals, audit=AUDIT.replace(",O1,", f",{guid.lower()},"),
                          opportunityclose=CLOSES.replace("O1", guid)))  # fmt: skip
    assert len(rows(made, "status", deal=guid.lower())) == 4


def test_files_made_in_the_app_have_display_names(tmp_path):
    text = """\
(Do Not Modify) Opportunity,Topic,Owner,Potential Customer,Created On,Est. close date,Actual Close Date,Est. revenue,\
Actual Revenue,Currency,Status,Status Reason,Pipeline Phase,Probability
O1,Secret,Bo,Acme,2025-01-02T10:00:00,2025-03-31,2025-03-28,40,0,EUR,Lost,Canceled,3-Propose,0
"""
    made = history(export(tmp_path, opportunity=text, audit="", opportunityclose=""), attributes={})
    columns = ("recorded_on", "status", "stage", "closed_on", "account_id", "owner_id", "currency", "reason")
    assert rows(made, *columns)[-1] == ["03-28", "closed_lost", "3-Propose", "03-28", "Acme", "Bo", "EUR", "Canceled"]


def test_a_database_and_named_objects_tell_the_same(tmp_path):
    plain = history(export(tmp_path)).table.to_pandas()
    connection = ibis.duckdb.connect(tmp_path / "crm.duckdb")
    for name in ("opportunity", "opportunityclose", "audit", "transactioncurrency"):
        connection.create_table(f"d365_{name}", pd.read_csv(tmp_path / f"{name}.csv"))
    connection.disconnect()
    landed = history(tmp_path, folder=None, url="duckdb:///crm.duckdb").table.to_pandas()
    pd.testing.assert_frame_equal(landed, plain)
    (tmp_path / "audit.csv").rename(tmp_path / "log.csv")
    export(tmp_path, opportunity=DEALS.replace("stepname", "phase"), audit="")
    objects = {
        "opportunity": {"file": "opportunity.csv", "columns": {"stepname": "phase"}},
        "audit": {"file": "log.csv"},
        "opportunityclose": {"file": "opportunityclose.csv"},
        "transactioncurrency": {"file": "transactioncurrency.csv"},
    }
    named = history(tmp_path, folder=None, objects=objects).table.to_pandas()
    pd.testing.assert_frame_equal(named, plain)


def test_an_audit_with_its_header_alone_is_named(tmp_path):
    made = history(export(tmp_path, audit="objectid,createdon,operation,changedata\n"))
    assert made.kind == "current_only"
    assert seen(made, "audit has no rows, so that it tells nothing of earlier dates") == (20, 3, 3)
