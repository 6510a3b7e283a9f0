"""The same company read from four CRMs gives the same Deals, and an export of a day gives what a later one says of it."""

import datetime as dt

import pandas as pd
import pytest
from one_company import histories

from analytics.records.definitions import Definitions
from analytics.records.rules import OutcomeRules
from analytics.records.snapshot import snapshot_frame

SAME = [
    "deal_id", "episode", "account_id", "opened_on", "entry", "exit", "outcome", "recorded_on", "closed_on",
    "typed_close_on", "closed_after", "amount", "currency", "reason", "n_pushes", "reopened", "born_closed", "segment",
]  # fmt: skip


def deals(history, as_of: str, **definitions) -> pd.DataFrame:
    made = snapshot_frame(
        history, as_of=dt.date.fromisoformat(as_of), rules=OutcomeRules(), episodes="all",
        definitions=Definitions(**definitions),
    )  # fmt: skip
    return made[SAME]


@pytest.mark.parametrize("zone", [None, "Europe/Berlin", "America/New_York"])
def test_four_crms_say_the_same_of_one_company(zone):
    read = histories(zone)
    for as_of in ("2025-02-15", "2025-03-31", "2025-12-31"):
        first = deals(read["salesforce"], as_of)
        for crm in ("hubspot", "dynamics", "pipedrive"):
            pd.testing.assert_frame_equal(deals(read[crm], as_of), first, obj=f"{crm} at {as_of}")
    last = deals(read["salesforce"], "2025-12-31")
    edge = {None: "03-31", "Europe/Berlin": "04-01", "America/New_York": "03-31"}[zone]
    days = last["closed_on"].dt.strftime("%m-%d").astype(object).where(last["closed_on"].notna(), None)
    assert list(zip(last["deal_id"], last["outcome"], days, last["amount"], strict=True)) == [
        ("1", "won", edge, 50.0),
        ("2", "lost", "04-02", 70.0),
        ("3", "open", None, 30.0),
        ("4", "lost", "02-10", 20.0),
        ("4", "won", "04-15", 20.0),
        ("5", "won", "02-05", 15.0),
        ("6", "lost", "03-28", 60.0),
    ]


@pytest.mark.parametrize("day", ["2025-02-15", "2025-04-05"])
def test_an_export_of_a_day_gives_what_a_later_one_says_of_that_day(day):
    later, then = histories(), histories(until=day)
    for crm in later:
        pd.testing.assert_frame_equal(deals(later[crm], day), deals(then[crm], day), obj=crm)
