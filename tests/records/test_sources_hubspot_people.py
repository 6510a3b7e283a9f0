"""HubSpot's owners, teams and engagements become owners and activities; what did not happen is rejected."""

from hubspot_export import export, history, plain, seen

OWNERS = """\
owner_id,email,first_name,last_name,archived
11,ana@x.example,Ana,Silva,false
12,bo@x.example,Bo,,true
13,cy@x.example,,,false
"""
OWNER_TEAMS = "owner_id,team_id,is_team_primary\n11,5,false\n11,7,true\n12,30,false\n12,4,false\n"
TEAMS = "id,name\n5,South\n7,North\n"


def test_owners_keep_their_primary_team_and_stay_when_archived(tmp_path):
    made = history(export(tmp_path, owner=OWNERS, owner_team=OWNER_TEAMS, team=TEAMS))
    assert plain(made.side["owners"].to_pandas(), "owner_id", "name", "manager", "team") == [
        ["11", "Ana Silva", None, "North"],
        ["12", "Bo", None, "4"],
        ["13", None, None, None],
    ]
    assert seen(made, "owner who is archived") == (17, 1, 3)


LINKS = """\
engagement_id,deal_id
c1,1
c2,1
c2,2
e1,1
e2,1
m1,1
m2,1
m3,2
n1,1
t1,1
t2,1
g1,1
g2,1
x1,1
c4,9
"""
CALLS = """\
engagement_id,property_hs_timestamp,property_hs_createdate,property_hubspot_owner_id,property_hs_call_direction,\
property_hs_call_disposition,property_hs_call_duration,_fivetran_deleted
c1,2025-01-10 23:30:00.000000,2025-01-11 08:00:00.000000,11,OUTBOUND,Connected,90000,false
c2,2025-01-12 10:00:00.000000,2025-01-12 10:00:00.000000,11,INBOUND,,,false
c3,2025-01-12 10:00:00.000000,2025-01-12 10:00:00.000000,11,INBOUND,,,false
c5,2025-01-12 10:00:00.000000,2025-01-12 10:00:00.000000,11,INBOUND,,,true
"""
EMAILS = """\
hs_object_id,hs_timestamp,hs_createdate,hubspot_owner_id,hs_email_direction
e1,2025-01-13T10:00:00Z,2025-01-13T10:00:00Z,,INCOMING_EMAIL
e2,1736848800000,,12,EMAIL
"""
MEETINGS = """\
engagement_id,start_time,end_time,meeting_outcome,created_at
m1,2025-02-03 9:00:00,2025-02-03 9:45:00,COMPLETED,2025-02-01 9:00:00
m2,2025-02-04 9:00:00,2025-02-04 9:45:00,CANCELED,2025-02-01 9:00:00
m3,2025-09-04 9:00:00,2025-09-04 9:45:00,SCHEDULED,2025-02-01 9:00:00
"""
NOTES = "engagement_id,hs_timestamp\nn1,\n"
TASKS = """\
engagement_id,hs_timestamp,hs_task_status,hs_task_completion_date
t1,2025-02-10T10:00:00Z,COMPLETED,2025-02-12T10:00:00Z
t2,2025-02-10T10:00:00Z,NOT_STARTED,
"""
GENERAL = """\
id,type,timestamp,created_at,owner_id
c1,CALL,,,
g1,INCOMING_EMAIL,2025-03-01T10:00:00Z,2025-03-02T10:00:00Z,11
g2,TASK,2025-03-01T10:00:00Z,2025-03-02T10:00:00Z,11
"""

ENGAGEMENTS = {
    "engagement_deal": LINKS, "engagement_call": CALLS, "engagement_email": EMAILS, "engagement_meeting": MEETINGS,
    "engagement_note": NOTES, "engagement_task": TASKS, "engagement": GENERAL,
}  # fmt: skip


def test_engagements_become_activities_only_if_they_happened(tmp_path):
    made = history(export(tmp_path, **ENGAGEMENTS), timezone="Europe/Berlin")
    columns = ("deal_id", "occurred_on", "recorded_on", "side", "channel", "owner_id", "minutes", "outcome")
    assert plain(made.side["activities"].to_pandas(), *columns) == [
        ["1", "01-11", "01-11", "seller", "Call", "11", 1.5, "Connected"],
        ["1", "01-12", "01-12", "buyer", "Call", "11", None, None],
        ["1", "01-13", "01-13", "buyer", "Email", None, None, None],
        ["1", "01-14", None, "seller", "Email", "12", None, None],
        ["1", "02-03", "02-01", "seller", "Meeting", None, 45.0, "COMPLETED"],
        ["1", "02-12", None, "seller", "Task", None, None, None],
        ["1", "03-01", "03-02", "buyer", "Email", "11", None, None],
        ["2", "01-12", "01-12", "buyer", "Call", "11", None, None],
    ]
    assert made.rejects[["file", "line", "reason"]].values.tolist() == [
        ["engagement_deal.csv", 15, "its engagement is not in the export"],
        ["engagement_deal.csv", 16, "its deal is not in the export"],
        ["engagement_call.csv", 4, "it belongs to no deal of the export"],
        ["engagement_call.csv", 5, "deleted in the CRM"],
        ["engagement_meeting.csv", 3, "cancelled or moved, so it did not happen"],
        ["engagement_meeting.csv", 4, "planned for after the export, so it has not happened"],
        ["engagement_note.csv", 2, "no time says when it happened"],
        ["engagement_task.csv", 3, "not completed, so it did not happen"],
        ["engagement.csv", 4, "a task whose completion is not in the export"],
    ]


def test_the_day_of_the_export_says_what_lies_in_the_future(tmp_path):
    export(tmp_path, **ENGAGEMENTS)
    later = history(tmp_path, extracted_on="2025-12-31").side["activities"].to_pandas()
    assert plain(later[later["deal_id"] == "2"], "occurred_on", "channel") == [["01-12", "Call"], ["09-04", "Meeting"]]


def test_engagements_that_no_table_ties_to_a_deal_are_not_read(tmp_path):
    made = history(export(tmp_path, **(ENGAGEMENTS | {"engagement_deal": ""})))
    assert "activities" not in made.side
    assert "engagement_call.csv" not in {file.name for file in made.files}
