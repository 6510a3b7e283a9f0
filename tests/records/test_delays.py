"""Reporting delay: how late closings were recorded, from what was known on the day."""

from text_history import as_days, day, history

from analytics.records.definitions import Definitions, Scope
from analytics.records.delays import reporting_delays

TEXT = """
    deal on status opened closed reason
    A    10 open   10     -      -
    A    40 lost   10     30     timing
    B    20 won    10     20     -
    B    50 open   10     -      -
    B    60 unknown 10    55     -
    C    15 open   15     -      -
    C    90 won    15     95     -
    D    30 won    2      5      -
    E    30 lost   25     20     -
    F    12 open   12     -      -
    G    12 open   12     -      -
    G    50 lost   12     -      -
"""
COLUMNS = ("outcome", "closed_on", "recorded_on", "delay_days", "window_days")


def rows(as_of, **said):
    frame = reporting_delays(history(TEXT), as_of=day(as_of), definitions=Definitions(**said))
    assert (frame["delay_days"] >= 0).all()
    assert (frame["delay_days"] <= frame["window_days"]).all()
    return [tuple(row.values()) for row in as_days(frame.to_dict("records"), *COLUMNS)]


def test_delays():
    # D closed before anything was recorded, E before it was opened; F is open, and G's close date
    # is not known. A's loss counts whatever its reason.
    a, b, again, c = (
        ("lost", 30, 40, 10, 70), ("won", 20, 20, 0, 80), ("unknown", 55, 60, 5, 45), ("won", 90, 90, 0, 10),
    )  # fmt: skip
    assert rows(100) == [a, b, again, c]
    assert reporting_delays(history(TEXT), as_of=day(100))["deal_id"].tolist() == ["A", "B", "B", "C"]
    assert rows(39) == [("won", 20, 20, 0, 19)]


def test_only_deals_in_scope_tell():
    assert rows(100, scope=Scope(keep={"deal_id": ["B"]})) == [("won", 20, 20, 0, 80), ("unknown", 55, 60, 5, 45)]
    # B's first episode ended before observation began, and a deal is in or out as a whole.
    assert rows(100, observed_from=day(25)) == [("lost", 30, 40, 10, 70), ("won", 90, 90, 0, 10)]


def test_a_closing_that_is_dated_by_its_recording_has_no_delay():
    assert rows(100, close_date="recorded") == []
    untyped = "deal on status opened closed\n A 10 open 10 -\n A 40 lost 10 -\n B 40 won 10 -"
    assert reporting_delays(history(untyped), as_of=day(100)).empty


def test_current_state_cannot_tell():
    frame = reporting_delays(history(TEXT, kind="current_only"), as_of=day(100))
    assert frame.empty
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
        "deal_id": "object", "outcome": "object", "closed_on": "datetime64[ns]", "recorded_on": "datetime64[ns]",
        "delay_days": "int64", "window_days": "int64",
    }  # fmt: skip
    assert reporting_delays(history(TEXT), as_of=day(100)).dtypes.equals(frame.dtypes)
