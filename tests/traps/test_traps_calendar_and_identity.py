"""Traps 14 to 19: quarters, time zones, deals that are there twice, owners, renewals, splits."""

import datetime as dt

import pytest
from trap_exports import counts, days, deals, read, recorded, rule, today

from analytics.records.calendar import FiscalCalendar, YearEnd
from analytics.records.definitions import Scope
from analytics.records.errors import InputError

EDGES = """
    deal_id opened_on  status      closed_on
    A       2024-12-02 closed_won  2025-01-25
    B       2024-12-02 closed_won  2025-01-26
    C       2024-12-02 closed_lost 2025-01-31
    D       2024-12-02 closed_lost 2025-02-01
"""


def test_trap_14_fiscal_quarters_and_what_they_are_called(tmp_path):
    history = today(tmp_path, EDGES)
    what = "closed in a quarter with other days than the plain year's"
    february = FiscalCalendar(start_month=2)
    july = FiscalCalendar(start_month=7, year_named_by="start")
    weeks = FiscalCalendar(weeks="4-4-5", year_ends=YearEnd(month=1, weekday="saturday"))
    assert counts(history, 14) == {}
    assert counts(history, 14, calendar=FiscalCalendar()) == {what: (0, 4)}
    assert counts(history, 14, calendar=july) == {what: (0, 4)}  # its quarters are those of the plain year
    assert counts(history, 14, calendar=february) == {what: (4, 4)}
    assert counts(history, 14, calendar=weeks) == {what: (4, 4)}
    assert rule(history, 14, calendar=february) == ["quarters of a year from February, named by the year it ends in"]
    assert rule(history, 14, calendar=weeks) == [
        "quarters of a 4-4-5 year that ends on the last Saturday of January, named by the year it ends in"
    ]
    closed = deals(history)["closed_on"].dt.date
    names = {name: {deal: str(own.quarter_of(day)) for deal, day in closed.items()}
             for name, own in {"february": february, "july": july, "weeks": weeks}.items()}  # fmt: skip
    assert names["february"] == {"A": "FY25Q4", "B": "FY25Q4", "C": "FY25Q4", "D": "FY26Q1"}
    assert names["july"] == dict.fromkeys("ABCD", "FY24Q3")
    assert names["weeks"] == {"A": "FY25Q4", "B": "FY26Q1", "C": "FY26Q1", "D": "FY26Q1"}


MOMENTS = """
    deal_id opened_on            status     closed_on
    A       2025-01-02T10:00:00Z closed_won 2025-03-31T23:30:00Z
    B       2025-01-02T10:00:00Z closed_won 2025-04-01T03:00:00Z
    C       2025-01-02T10:00:00Z closed_won 2025-03-10T12:00:00Z
    D       2025-01-02T10:00:00Z open       -
"""


@pytest.mark.parametrize(
    ("zone", "closed", "what"),
    [
        (None, ("2025-03-31", "2025-04-01"), "closed within 14 hours of a month's edge, and no time zone is stated"),
        ("Europe/Berlin", ("2025-04-01", "2025-04-01"), "closed in another month in UTC than in Europe/Berlin"),
        ("America/Denver", ("2025-03-31", "2025-03-31"), "closed in another month in UTC than in America/Denver"),
    ],
)
def test_trap_15_a_closing_at_a_quarters_edge_is_dated_in_the_companys_zone(tmp_path, zone, closed, what):
    history = today(tmp_path, MOMENTS, timezone=zone)
    assert counts(history, 15) == {what: (2 if zone is None else 1, 3)}
    assert rule(history, 15) == [f"dated in {zone}" if zone else "dated as written"]
    made = days(deals(history)["closed_on"])
    assert (made["A"], made["B"], made["C"]) == (*closed, "2025-03-10")


def test_trap_15_dates_without_a_zone_cannot_tell(tmp_path):
    assert counts(today(tmp_path, EDGES, timezone="Europe/Berlin"), 15) == {}


def test_trap_16_copies_are_rejected_and_likely_twins_are_counted(tmp_path):
    table = """
        deal_id account_id opened_on  status amount
        A       x          2025-01-02 open   100
        A       x          2025-01-02 open   100
        B       x          2025-01-02 open   100
        C       x          2025-01-03 open   100
        D       y          2025-01-02 open   100
        E       y          2025-01-02 open   0
        F       -          2025-01-02 open   100
    """
    history = today(tmp_path, table)
    assert counts(history, 16) == {
        "same account, opening day and amount as another deal": (1, 4),
        "the same row is there twice": (1, 7),
    }
    assert history.rejects[["line", "reason"]].values.tolist() == [[3, "the same row is there twice"]]
    assert [(file.rows_read, file.rows_kept, file.rows_rejected) for file in history.files] == [(7, 6, 1)]
    assert sorted(deals(history).index) == list("ABCDEF")  # the likely twin stays: only the CRM knows
    with pytest.raises(InputError, match="the same id is there twice"):
        today(tmp_path, table.replace("C  ", "A  "))
    again = recorded(tmp_path, "deal_id recorded_on status opened_on\n" + "A 2025-01-02 open 2025-01-02\n" * 2)
    assert counts(again, 16) == {"the same row is there twice": (1, 2)}


def test_trap_16_deals_that_a_later_extract_lacks(tmp_path):

    for day, rows in {
        "2025-03-01": "A,2025-01-02,open\nB,2025-01-02,open\n",
        "2025-04-01": "B,2025-01-02,open\n",
    }.items():
        (tmp_path / f"{day}.csv").write_text("id,opened,status\n" + rows)
    history = read(tmp_path, {
        "kind": "snapshots", "folder": ".", "pattern": r"(?P<on>[-0-9]+)\.csv",
        "columns": {"deal_id": "id", "opened_on": "opened"},
        "outcome": {"column": "status", "values": {"open": "open", "won": "won"}},
    })  # fmt: skip
    gone = "missing from a later extract (deleted or merged)"
    assert counts(history, 16)[gone] == (1, 2)
    assert counts(history, 16, as_of=dt.date(2025, 3, 31)) == {"the same row is there twice": (0, 3)} | {gone: (0, 2)}
    assert deals(history)["outcome"].to_dict() == {"A": "open", "B": "open"}


def test_trap_17_owner_and_team_at_opening_at_the_close_and_now(tmp_path):
    teams = "owner_id team\nann north\nbob south\ncid north"
    history = recorded(tmp_path, """
        deal_id recorded_on status      opened_on  owner_id
        A       2025-01-02  open        2025-01-02 ann
        A       2025-02-02  closed_won  2025-01-02 bob
        A       2025-03-02  closed_won  2025-01-02 eve
        B       2025-01-02  open        2025-01-02 ann
        B       2025-01-20  open        2025-01-02 cid
        B       2025-02-02  closed_lost 2025-01-02 cid
        C       2025-01-02  open        2025-01-02 bob
        D       2025-01-02  open        2025-01-02 -
    """, side={"owners": teams})  # fmt: skip
    assert counts(history, 17) == {
        "owner at the close is another than at opening": (2, 2),
        "owner now is another than at the close": (1, 2),
        "owner now is not in the table of owners": (2, 4),  # eve, and nobody
        "team at the close is another than at opening": (1, 2),  # ann and cid are both in the north
    }
    assert counts(history, 17, as_of=dt.date(2025, 2, 10))["owner now is another than at the close"] == (0, 2)
    at = {
        moment: deals(history, attributes_at={"owner_id": moment})["owner_id"]
        for moment in ("opening", "close", "as_of")
    }
    assert {moment: owners["A"] for moment, owners in at.items()} == {"opening": "ann", "close": "bob", "as_of": "eve"}
    assert deals(history)["owner_id"].equals(at["opening"])


def test_trap_18_renewals_and_deals_that_nobody_sold(tmp_path):
    dozen = "\n".join(f"b{n} z{n} 2025-05-05 open - New bot" for n in range(10))
    history = today(tmp_path, f"""
        deal_id account_id opened_on  status     closed_on  deal_type owner_id
        A       x          2025-01-02 closed_won 2025-02-03 New       ann
        B       x          2025-02-03 open       -          Renewal   ann
        C       y          2025-02-03 open       -          Renewal   ann
        D       x          2025-02-03 open       -          New       ann
        E       z          2025-03-03 open       -          New       bot
        F       z          2025-03-04 open       -          New       bot
        {dozen}
    """)  # fmt: skip
    renewal = "renewal opened on the day on which another deal of the account was won"
    bulk = "one of 10 or more that its owner opened in a day, five times as many as usual"
    scope = Scope(keep={"deal_type": ["New"]})
    assert counts(history, 18, scope=scope) == {
        "left out by their deal type (Renewal)": (2, 16), renewal: (1, 2), bulk: (10, 14)
    }  # fmt: skip
    assert sorted(set(deals(history)["deal_type"])) == ["New", "Renewal"]
    kept = deals(history, scope=scope)
    assert set(kept["deal_type"]) == {"New"}
    assert not {"B", "C"} & set(kept.index)
    assert counts(history, 18) == {
        "another deal type (New, Renewal) than most": (2, 16), renewal: (1, 2), bulk: (10, 16)
    }  # fmt: skip


def test_trap_19_splits_never_count_a_deal_twice(tmp_path):
    whole = """
        deal_id owner_id percent opened_on  status     closed_on  amount
        A       ann      40      2025-01-02 closed_won 2025-02-03 100
        A       bob      60%     2025-01-02 closed_won 2025-02-03 100
        B       ann      100     2025-01-02 closed_won 2025-02-03 50
        C       cid      -       2025-01-02 open       -          70
    """
    with pytest.raises(InputError, match="the same id is there twice"):
        today(tmp_path, whole)
    history = today(tmp_path, whole, splits={"percent": "percent"})
    assert counts(history, 19) == {"listed once per split": (1, 3)}
    assert history.rejects[["line", "reason"]].values.tolist() == [[2, "a smaller split of the same deal"]]
    made = deals(history)
    assert made["owner_id"].to_dict() == {"A": "bob", "B": "ann", "C": "cid"}
    assert made.drop("C")["amount"].to_dict() == {"A": 100, "B": 50}
    parts = whole.replace("2025-02-03 100\n", "2025-02-03 40\n", 1).replace("2025-02-03 100\n", "2025-02-03 60\n", 1)
    with pytest.raises(InputError) as caught:
        today(tmp_path, parts, splits={"percent": "percent"})
    assert str(caught.value) == (
        "deals.csv, row 3, value 'A': the splits of this deal have different amounts. "
        "Say splits: {percent: …, amount: part} if each row holds its part of the amount."
    )
    summed = today(tmp_path, parts, splits={"percent": "percent", "amount": "part"})
    assert deals(summed).drop("C")["amount"].to_dict() == {"A": 100, "B": 50}
    with pytest.raises(InputError, match="column 'percent', row 2, value 'half': is not a percentage"):
        today(tmp_path, whole.replace("ann      40", "ann      half"), splits={"percent": "percent"})
    assert counts(today(tmp_path, EDGES), 19) == {}
