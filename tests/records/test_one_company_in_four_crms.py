"""The same company read from four CRMs gives the same Deals, and an export of a day what a later one says of it."""

import datetime as dt

import pandas as pd
import pytest
from one_company import histories

from analytics.records.contract import History
from analytics.records.rules import OutcomeRules
from analytics.records.snapshot import snapshot_frame

CRMS = ("salesforce", "hubspot", "dynamics", "pipedrive")
SAME = [
    "deal_id", "episode", "account_id", "opened_on", "entry", "exit", "outcome", "recorded_on", "closed_on",
    "typed_close_on", "closed_after", "amount", "currency", "reason", "n_pushes", "reopened", "born_closed", "segment",
]  # fmt: skip


def together(read: dict[str, History]) -> History:
    """One history of all four, with the CRM before each deal's id: their deals are then made in one go."""
    tables = [read[crm].table.to_pandas().assign(deal_id=lambda rows, crm=crm: crm + rows["deal_id"]) for crm in CRMS]
    return History(table=pd.concat(tables, ignore_index=True), attributes=("segment",))


def deals(history: History, as_of: str) -> dict[str, pd.DataFrame]:
    """Deals by CRM, under their own ids."""
    made = snapshot_frame(history, as_of=dt.date.fromisoformat(as_of), rules=OutcomeRules(), episodes="all")[SAME]
    of = {crm: made[made["deal_id"].str.startswith(crm)] for crm in CRMS}
    return {
        crm: rows.assign(deal_id=rows["deal_id"].str.removeprefix(crm)).reset_index(drop=True)
        for crm, rows in of.items()
    }


@pytest.fixture(scope="module")
def in_utc() -> History:
    return together(histories())


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_four_crms_say_the_same_of_one_company(zone):
    made = deals(together(histories(zone)), "2025-12-31")
    first = made.pop("salesforce")
    for crm, others in made.items():
        pd.testing.assert_frame_equal(others, first, obj=crm)
    edge = {"Europe/Berlin": "04-01", "America/New_York": "03-31"}[zone]
    days = first["closed_on"].dt.strftime("%m-%d").astype(object).where(first["closed_on"].notna(), None)
    assert list(zip(first["deal_id"], first["outcome"], days, first["amount"], strict=True)) == [
        ("1", "won", edge, 50.0),
        ("2", "lost", "04-02", 70.0),
        ("3", "open", None, 30.0),
        ("4", "lost", "02-10", 20.0),
        ("4", "won", "04-15", 20.0),
        ("5", "won", "02-05", 15.0),
        ("6", "lost", "03-28", 60.0),
    ]


@pytest.mark.parametrize("day", ["2025-02-15", pytest.param("2025-04-05", marks=pytest.mark.slow)])
def test_an_export_of_a_day_gives_what_a_later_one_says_of_that_day(in_utc, day):
    later, then = deals(in_utc, day), deals(together(histories(until=day)), day)
    for crm in CRMS:
        pd.testing.assert_frame_equal(later[crm], then[crm], obj=crm)
    for crm in CRMS[1:]:
        pd.testing.assert_frame_equal(later[crm], later["salesforce"], obj=f"{crm} at {day}")
