"""Attrition: every row and every deal is accounted for, by name."""

import dataclasses

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from slow_snapshot import slow_deals
from test_snapshot_properties import INFERRED, SCOPED, SETTINGS, several
from text_history import arrow_table, day, history

from analytics.records.attrition import attrition, attrition_deals
from analytics.records.contract import HISTORY_COLUMNS, SIDE_TABLES, History, SourceFile
from analytics.records.definitions import Definitions, Scope
from analytics.records.errors import InputError
from analytics.records.rules import OutcomeRules
from analytics.records.snapshot import snapshot_frame

TEXT = """
    deal on status opened closed segment reason
    A    10 open   10     -      big     -
    B    10 won    10     12     small   -
    C    10 lost   10     12     big     timing
    D    10 open   -      -      big     -
    E    10 open   300    -      big     -
    F    10 lost   11     9      big     -
    G    10 open   10     -      -       -
    H    200 open  10     -      big     -
    I    10 unknown 10    12     big     -
"""
SCOPE = Definitions(scope=Scope(keep={"segment": ["big"]}))


def lines(frame):
    return list(frame[["step", "rule", "deals", "remaining"]].itertuples(index=False, name=None))


def test_every_deal_has_its_line():
    rules = OutcomeRules(no_decision_reasons=("timing",), silent_days=5, older_than_days=50)
    assert lines(attrition(history(TEXT), as_of=day(100), rules=rules, definitions=SCOPE)) == [
        ("in the history", "deals in the history", 9, 9),
        ("not yet known", "first recorded after 2024-04-10", 1, 8),
        ("known", "known on or before 2024-04-10", 8, 8),
        ("left out", "no opening date", 1, 7),
        ("left out", "opened after the as-of date", 1, 6),
        ("left out", "closed before it was opened", 1, 5),
        ("left out", "ended before observation began", 0, 5),
        ("left out", "scope: segment is not [big]", 2, 3),
        ("studied", "deals studied", 3, 3),
        ("ended as", "won", 0, 3),
        ("ended as", "lost", 0, 3),
        ("ended as", "no decision: declared by reason", 1, 2),
        ("ended as", "no decision: silent for 5 days (not applied: the source does not record it)", 0, 2),
        ("ended as", "no decision: older than 50 days", 1, 1),
        ("ended as", "closed, outcome unknown", 1, 0),
        ("ended as", "still open", 0, 0),
    ]


def test_every_deal_is_named_at_the_line_that_takes_it_off():
    rules = OutcomeRules(no_decision_reasons=("timing",), silent_days=5, older_than_days=50)
    found = attrition_deals(history(TEXT), as_of=day(100), rules=rules, definitions=SCOPE)
    assert found.groupby("rule", sort=False)["deal_id"].agg("".join).to_dict() == {
        "no decision: older than 50 days": "A", "scope: segment is not [big]": "BG",
        "no decision: declared by reason": "C", "no opening date": "D", "opened after the as-of date": "E",
        "closed before it was opened": "F", "first recorded after 2024-04-10": "H", "closed, outcome unknown": "I",
    }  # fmt: skip
    assert dict(zip(found["deal_id"], found["step"], strict=True)) == {
        "A": "ended as", "B": "left out", "C": "ended as", "D": "left out", "E": "left out", "F": "left out",
        "G": "left out", "H": "not yet known", "I": "ended as",
    }  # fmt: skip


def test_rows_read_are_kept_or_rejected():
    rejects = pd.DataFrame(
        {"file": ["f", "f", "g"], "line": [2, 3, 9], "reason": ["no date", "no date", "ragged"], "values": ["{}"] * 3}
    )
    files = (SourceFile("f", "", 10, 8, 2), SourceFile("g", "", 2, 1, 1))
    records = dataclasses.replace(history(TEXT), rejects=rejects, files=files)
    found = attrition(records, as_of=day(100), rules=OutcomeRules())
    assert lines(found)[:5] == [
        ("read", "rows read", 12, 12),
        ("rejected", "no date", 2, 10),
        ("rejected", "ragged", 1, 9),
        ("kept", "rows kept", 9, 9),
        ("in the history", "deals in the history", 9, 9),
    ]
    assert found["unit"].tolist() == ["rows"] * 4 + ["deals"] * (len(found) - 4)
    with pytest.raises(ValueError, match="read 13 rows, kept 8 and rejected 3"):
        attrition(
            dataclasses.replace(records, files=(SourceFile("f", "", 13, 8, 5),)), as_of=day(100), rules=OutcomeRules()
        )


def test_a_scope_column_that_does_not_exist():
    definitions = Definitions(scope=Scope(drop={"segmet": ["x"]}))
    with pytest.raises(InputError, match=r"(?i)did you mean 'segment'"):
        attrition(history(TEXT), as_of=day(100), rules=OutcomeRules(), definitions=definitions)


def test_a_row_without_its_day_is_not_lost_in_silence():
    with pytest.raises(ValueError, match="1 rows without a deal id or a recording day"):
        attrition(history("deal on status opened\nA 1 open 1\nB - open 1"), as_of=day(5), rules=OutcomeRules())


def test_nothing_known():
    found = attrition(history(TEXT), as_of=day(5), rules=OutcomeRules())
    assert found.loc[found["step"].isin(["known", "studied"]), "deals"].tolist() == [0, 0]


@given(several())
@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
def test_attrition_adds_up_and_agrees_with_the_snapshot(records):
    import ibis

    rows, activities = records
    definitions = SCOPED.model_copy(update={"currency": SETTINGS["declared"][1].currency})
    made = History(
        table=ibis.memtable(arrow_table(rows, HISTORY_COLUMNS, ["segment"])),
        side={"activities": ibis.memtable(arrow_table(activities, SIDE_TABLES["activities"]))},
        attributes=("segment",),
    )
    how = {"as_of": day(30), "rules": INFERRED, "definitions": definitions}
    found = attrition(made, **how)
    count = found.set_index("rule")["deals"]
    assert count["deals studied"] == len(snapshot_frame(made, **how))
    assert found["remaining"].iloc[-1] == 0
    slow = [deal for deal in slow_deals(rows, activities, attributes=("segment",), **how) if deal["episode"] == 1]
    for rule in found.loc[found["step"] == "left out", "rule"]:
        assert count[rule] == sum(deal["excluded"] == rule for deal in slow), rule
    named = attrition_deals(made, **how)
    assert named["deal_id"].is_unique
    taken = found[found["step"].isin(["not yet known", "left out", "ended as"]) & (found["deals"] > 0)]
    sizes = named.groupby(["step", "rule"]).size().to_dict()
    assert sizes == dict(zip(zip(taken["step"], taken["rule"], strict=True), taken["deals"], strict=True))
    for rule in taken.loc[taken["step"] == "left out", "rule"]:
        slowly = {str(deal["deal_id"]) for deal in slow if deal["excluded"] == rule}
        assert set(named.loc[named["rule"] == rule, "deal_id"]) == slowly, rule
