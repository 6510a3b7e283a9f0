"""The team of a deal's owner at opening, at close and now (day 0: 2024-01-01)."""

import pytest
from slow_snapshot import slow_deals, studied
from text_history import as_days, day, history, history_rows, side_rows

from analytics.records.definitions import Definitions, Scope
from analytics.records.rules import OutcomeRules
from analytics.records.snapshot import snapshot_frame

# A stays with ana, who moves from east to west on day 20; B goes from bo to ana; C is open and goes from ana to cy.
DEALS = """
    deal on status owner
    A    10 open   ana
    A    30 won    ana
    B    15 open   bo
    B    20 open   ana
    B    25 lost   ana
    C    12 open   ana
    C    50 open   cy
"""
OWNERS = """
    owner_id team  start_on end_on on
    ana      east  0        20     0
    ana      west  20       -      20
    bo       north -        -      -
    cy       north 0        45     0
    cy       south 45       80     45
    cy       polar 80       -      80
"""
MOMENTS = [
    ("opening", ["east", "north", "east"]),
    ("close", ["west", "west", "south"]),
    ("as_of", ["west", "west", "south"]),
]


def deals_of(moment, *, as_of=60, owners=OWNERS, **definitions):
    """Deals with their team at this moment, from the engine and from the slow reference, which must agree."""
    how = {"as_of": day(as_of), "rules": OutcomeRules()}
    definitions = Definitions(attributes_at={} if moment is None else {"team": moment}, **definitions)
    frame = snapshot_frame(history(DEALS, owners=owners), episodes="all", definitions=definitions, **how)
    columns = ("deal_id", "team", "owner_id")
    found = as_days(frame.to_dict("records"), *columns)
    rows, _ = history_rows(DEALS)
    rows = [{name: row.get(name) for name in (*row, *EMPTY)} for row in rows]
    slow = slow_deals(rows, None, owners=side_rows("owners", owners), definitions=definitions, **how)
    assert found == as_days(studied(slow), *columns)
    return found


EMPTY = (
    "account_id", "stage", "closed_on", "expected_close_on", "reason", "amount", "currency", "source", "pipeline",
)  # fmt: skip


@pytest.mark.parametrize(("moment", "teams"), MOMENTS)
def test_team_at_its_moment(moment, teams):
    found = deals_of(moment)
    assert [deal["team"] for deal in found] == teams
    # The owner that the deal is counted under has a moment of his own.
    assert [deal["owner_id"] for deal in found] == ["ana", "bo", "ana"]


def test_opening_by_default():
    assert [deal["team"] for deal in deals_of(None)] == ["east", "north", "east"]


def test_a_move_that_was_recorded_later_is_not_known():
    assert [deal["team"] for deal in deals_of("as_of", as_of=35)] == ["west", "west", "west"]
    assert [deal["team"] for deal in deals_of("as_of", as_of=79)] == ["west", "west", "south"]
    assert [deal["team"] for deal in deals_of("as_of", as_of=80)] == ["west", "west", "polar"]
    late = OWNERS.replace("ana      west  20       -      20", "ana      west  20       -      62")
    # Until day 62 only the end of the old team was known.
    assert [deal["team"] for deal in deals_of("close", as_of=61, owners=late)] == [None, None, "south"]
    assert [deal["team"] for deal in deals_of("close", as_of=62, owners=late)] == ["west", "west", "south"]


def test_the_latest_start_wins():
    both = OWNERS.replace("east  0        20 ", "east  0        -  ")
    assert [deal["team"] for deal in deals_of("close", owners=both)] == ["west", "west", "south"]


def test_a_team_can_be_the_scope():
    found = deals_of("close", scope=Scope(keep={"team": ["west"]}))
    assert [deal["deal_id"] for deal in found] == ["A", "B"]
