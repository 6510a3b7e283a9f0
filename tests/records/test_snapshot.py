"""What the snapshot does, each behaviour as a few recorded rows and what should come of them (day 0: 2024-01-01)."""

import pandas as pd
import pytest
from compiled_snapshot import compiled_deals
from text_history import as_days, day, history, history_rows, side_rows

from analytics.records.contract import DEALS_COLUMNS, History
from analytics.records.definitions import CurrencyPolicy, Definitions, Scope
from analytics.records.errors import InputError
from analytics.records.rules import OutcomeRules
from analytics.records.snapshot import deals_as_of, snapshot_frame

NO_RULES = OutcomeRules()
EVERYTHING = Definitions()


def deals(text, *columns, as_of=100, rules=NO_RULES, episodes="all", definitions=EVERYTHING, **side):
    """Deals of a text history as dicts of the named columns, days as numbers."""
    how = {"as_of": day(as_of), "rules": rules, "episodes": episodes, "definitions": definitions}
    if set(side) <= {"activities"} and definitions.currency.policy == "own":
        rows, attributes = history_rows(text)
        activities = side_rows("activities", side["activities"]) if side else None
        return as_days(compiled_deals(rows, activities, attributes=tuple(attributes), **how), *columns)
    return as_days(snapshot_frame(history(text, **side), **how).to_dict("records"), *columns)


def test_an_open_and_a_closed_deal():
    text = """
        deal on status opened closed
        A    10 open   10     -
        A    40 won    10     38
        B    60 open   60     -
    """
    assert deals(text, "deal_id", "entry", "exit", "outcome", "closed_on", "recorded_on") == [
        {"deal_id": "A", "entry": -1, "exit": 28, "outcome": "won", "closed_on": 38, "recorded_on": 40},
        {"deal_id": "B", "entry": -1, "exit": 40, "outcome": "open", "closed_on": None, "recorded_on": 60},
    ]


@pytest.mark.parametrize(
    ("as_of", "outcome", "end"), [(9, None, None), (39, "open", 29), (40, "lost", 10), (90, "lost", 10)]
)
def test_a_loss_recorded_late_is_not_known_before(as_of, outcome, end):
    text = """
        deal on status opened closed
        A    10 open   10     -
        A    40 lost   10     20
    """
    expected = [] if outcome is None else [{"outcome": outcome, "exit": end}]
    assert deals(text, "outcome", "exit", as_of=as_of) == expected


@pytest.mark.parametrize(
    ("typed", "close_date", "closed_on"),
    [("38", "typed", 38), ("55", "typed", 40), ("-", "typed", 40), ("38", "recorded", 40)],
)
def test_close_date(typed, close_date, closed_on):
    text = f"""
        deal on status opened closed
        A    10 open   10     -
        A    40 won    10     {typed}
    """
    assert deals(text, "closed_on", definitions=Definitions(close_date=close_date)) == [{"closed_on": closed_on}]


def test_the_last_state_of_the_day_counts_and_superseded_ones_still_push():
    text = """
        deal on seq status expected
        A    10 1   open   50
        A    20 1   open   60
        A    20 2   lost   -
        A    20 3   open   70
        A    20 4   open   65
    """
    assert deals(text, "episode", "outcome", "n_pushes", "expected_close_on") == [
        {"episode": 1, "outcome": "open", "n_pushes": 2, "expected_close_on": 65}
    ]


def test_opened_and_closed_on_one_day_ends_at_age_zero():
    text = """
        deal on status
        A    10 open
        A    10 won
    """
    assert deals(text, "entry", "exit", "born_closed") == [{"entry": -1, "exit": 0, "born_closed": False}]


def test_born_closed_stays_and_is_flagged():
    text = """
        deal on status opened closed
        A    10 won    4      9
    """
    assert deals(text, "exit", "outcome", "born_closed") == [{"exit": 5, "outcome": "won", "born_closed": True}]


def test_reopened_deals_have_episodes():
    text = """
        deal on status opened closed expected
        A    10 open   10     -      30
        A    20 lost   10     18     -
        A    50 open   10     -      90
        A    60 won    10     45     -
    """
    columns = ("episode", "opened_on", "exit", "outcome", "closed_on", "reopened", "n_pushes")
    first, second = deals(text, *columns)
    assert first == dict(zip(columns, (1, 10, 8, "lost", 18, True, 0), strict=True))
    # Opened on the day of the re-opening; the date typed before it cannot be its end.
    assert second == dict(zip(columns, (2, 50, 0, "won", 50, False, 0), strict=True))
    assert deals(text, *columns, episodes="first") == [first]
    assert deals(text, *columns, episodes="last") == [second]
    assert deals(text, "outcome", "reopened", as_of=49) == [{"outcome": "lost", "reopened": False}]


def test_a_change_of_the_closing_stays_in_the_episode():
    text = """
        deal on status opened closed reason
        A    10 open   10     -      -
        A    20 lost   10     19     price
        A    50 unknown 10    22     -
    """
    assert deals(text, "episode", "outcome", "closed_on", "recorded_on", "reason") == [
        {"episode": 1, "outcome": "unknown", "closed_on": 20, "recorded_on": 20, "reason": None}
    ]


def test_declared_no_decision_is_a_reason_of_a_loss():
    text = """
        deal on status reason
        A    10 lost   NO_decision
        B    10 lost   price
        C    10 lost   -
        D    10 won    no_decision
    """
    rules = OutcomeRules(no_decision_reasons=(" No_Decision ",))
    assert deals(text, "deal_id", "outcome", "no_decision_kind", rules=rules) == [
        {"deal_id": "A", "outcome": "no_decision", "no_decision_kind": "declared"},
        {"deal_id": "B", "outcome": "lost", "no_decision_kind": None},
        {"deal_id": "C", "outcome": "lost", "no_decision_kind": None},
        {"deal_id": "D", "outcome": "won", "no_decision_kind": None},
    ]
    assert [deal["outcome"] for deal in deals(text, "outcome")] == ["lost", "lost", "lost", "won"]


ZOMBIE = """
    deal on status opened closed expected
    A    10 open   10     -      40
    A    60 open   10     -      70
    A    90 lost   10     30     -
"""


@pytest.mark.parametrize(
    ("rules", "fired"),
    [
        (OutcomeRules(older_than_days=20), (31, "aged")),
        (OutcomeRules(pushed_times=1), (71, "pushed")),
        (OutcomeRules(pushed_times=2), None),
        (OutcomeRules(silent_days=25), (35, "silent")),
        (OutcomeRules(silent_days=25, older_than_days=24), (35, "silent")),
        (OutcomeRules(silent_days=26, older_than_days=24), (35, "aged")),
        (OutcomeRules(silent_days=80), None),
        (OutcomeRules(silent_days=79), (89, "silent")),
    ],
)
def test_rules_fire_before_a_loss_that_is_recorded_late(rules, fired):
    found = deals(ZOMBIE, "episode", "outcome", "closed_on", "no_decision_kind", rules=rules, activities="deal at\nB 1")
    if fired is None:
        assert found == [{"episode": 1, "outcome": "lost", "closed_on": 30, "no_decision_kind": None}]
    else:
        closed_on, kind = fired
        assert found[0] == {"episode": 1, "outcome": "no_decision", "closed_on": closed_on, "no_decision_kind": kind}
        assert [deal["outcome"] for deal in found[1:]] == ["lost"]


@pytest.mark.parametrize(
    ("as_of", "outcomes"), [(70, ["open"]), (71, ["no_decision"]), (89, ["no_decision"]), (90, ["no_decision", "lost"])]
)
def test_a_later_snapshot_does_not_rewrite_an_earlier_one(as_of, outcomes):
    found = deals(ZOMBIE, "outcome", "closed_on", "exit", as_of=as_of, rules=OutcomeRules(pushed_times=1))
    assert [deal["outcome"] for deal in found] == outcomes
    if as_of >= 71:
        assert found[0] == {"outcome": "no_decision", "closed_on": 71, "exit": 61}


@pytest.mark.parametrize(
    ("activities", "closed_on"),
    [
        ("deal at on\nA 30 30", 50),
        ("deal at on\nA 30 33", 30),  # recorded only after the rule had fired
        ("deal at on\nA 30 -", 50),
        ("deal at on\nA 25 29\nA 20 30", 45),
        ("deal at on side\nA 29 29 seller", 49),
        ("deal at on side\nA 29 29 seller\nZ 40 40 buyer", 40),  # from day 40 on only the buyer's count
        ("deal at on side\nA 29 29 buyer\nA 35 35 seller", 49),
    ],
)
def test_silence_is_what_was_known_to_be_silent(activities, closed_on):
    text = """
        deal on status
        A    10 open
        Z    1  won
    """
    found = deals(text, "deal_id", "episode", "closed_on", rules=OutcomeRules(silent_days=20), activities=activities)
    assert found[0] == {"deal_id": "A", "episode": 1, "closed_on": closed_on}


def test_silence_without_an_activities_table_is_unknown():
    text = "deal on status\nA 10 open"
    assert deals(text, "outcome", rules=OutcomeRules(silent_days=5)) == [{"outcome": "open"}]


def test_an_activity_revives_a_deal_on_which_a_rule_fired():
    text = """
        deal on status amount
        A    10 open   500
        A    80 lost   0
    """
    activities = "deal at side\nA 40 seller\nA 45 buyer\nA 46 seller"
    columns = ("episode", "opened_on", "outcome", "closed_on", "amount")
    found = deals(text, *columns, rules=OutcomeRules(silent_days=20), activities=activities)
    assert found == [
        dict(zip(columns, (1, 10, "no_decision", 30, 500.0), strict=True)),
        dict(zip(columns, (2, 40, "lost", 80, 500.0), strict=True)),
    ]
    found = deals(text, "outcome", "exit", as_of=60, rules=OutcomeRules(silent_days=20), activities=activities)
    assert found == [{"outcome": "no_decision", "exit": 20}, {"outcome": "open", "exit": 20}]


def test_delayed_entry():
    text = """
        deal on status opened closed
        A    10 open   10     -
        B    10 won    10     19
        C    10 won    10     20
        D    25 open   25     -
    """
    found = deals(text, "deal_id", "entry", "exit", definitions=Definitions(observed_from=day(20)))
    # B ended on the day before observation began: had it ended a day later, like C, it would be there.
    assert found == [
        {"deal_id": "A", "entry": 9, "exit": 90}, {"deal_id": "D", "entry": -1, "exit": 75},
    ]  # fmt: skip


def test_left_out_by_date():
    text = """
        deal on status opened closed
        A    10 open   -      -
        B    10 open   200    -
        C    50 won    20     15
        D    50 won    20     20
    """
    assert deals(text, "deal_id", "exit") == [{"deal_id": "D", "exit": 0}]


def test_amounts():
    text = """
        deal on status amount currency
        A    10 open   100    USD
        A    20 open   0      EUR
        A    30 lost   0      EUR
        B    10 open   70     USD
        B    30 won    80     EUR
        C    10 open   -      USD
        C    30 lost   0      USD
        D    10 open   5      -
        D    30 won    -      USD
    """
    columns = ("amount_original", "currency_original")
    assert deals(text, *columns) == [
        dict(zip(columns, pair, strict=True)) for pair in ((100.0, "USD"), (80.0, "EUR"), (0.0, "USD"), (5.0, None))
    ]


MONEY = """
    deal on status amount currency opened
    A    10 open   100    USD      10
    B    40 open   100    EUR      40
    B    90 won    100    EUR      40
"""
FX = "currency from rate on\nEUR 0 1.1 0\nEUR 30 1.2 30\nEUR 30 1.3 95\nEUR 60 2.0 60"


@pytest.mark.parametrize(
    ("policy", "as_of", "amounts"),
    [
        (CurrencyPolicy(), 100, [100.0, 100.0]),
        (CurrencyPolicy(report_in="USD", policy="plan_rate", rates={"EUR": 1.5}), 100, [100.0, 150.0]),
        (CurrencyPolicy(report_in="USD", policy="rate_at_opening"), 94, [100.0, 120.0]),
        (CurrencyPolicy(report_in="USD", policy="rate_at_opening"), 100, [100.0, 130.0]),  # the rate was corrected
        (CurrencyPolicy(report_in="USD", policy="rate_at_as_of"), 50, [100.0, 120.0]),
        (CurrencyPolicy(report_in="USD", policy="rate_at_as_of"), 100, [100.0, 200.0]),
    ],
)
def test_currency_policy(policy, as_of, amounts):
    found = deals(
        MONEY,
        "amount",
        "amount_original",
        "currency",
        as_of=as_of,
        definitions=Definitions(currency=policy),
        fx_rates=FX,
    )
    assert [deal["amount"] for deal in found] == pytest.approx(amounts)
    assert [deal["amount_original"] for deal in found] == [100.0, 100.0]
    assert [deal["currency"] for deal in found] == (["USD", "EUR"] if policy.report_in is None else ["USD", "USD"])


@pytest.mark.parametrize(
    ("policy", "fx", "says"),
    [
        (CurrencyPolicy(report_in="USD", policy="plan_rate"), FX, r"EUR: 1 deals"),
        (
            CurrencyPolicy(report_in="USD", policy="rate_at_opening"),
            "currency from rate\nEUR 60 2",
            r"EUR: 1 deals, the first opened on 2024-02-10",
        ),
        (CurrencyPolicy(report_in="CHF", policy="rate_at_opening"), FX, "USD: 1 deals"),
    ],
)
def test_a_currency_without_a_rate_is_named(policy, fx, says):
    with pytest.raises(InputError, match=says):
        deals(MONEY, "amount", definitions=Definitions(currency=policy), fx_rates=fx)


def test_deals_out_of_scope_need_no_rate():
    definitions = Definitions(
        currency=CurrencyPolicy(report_in="USD", policy="plan_rate"), scope=Scope(drop={"currency": ["EUR"]})
    )
    assert deals(MONEY, "deal_id", definitions=definitions) == [{"deal_id": "A"}]


def test_no_fx_table():
    policy = CurrencyPolicy(report_in="USD", policy="rate_at_opening")
    with pytest.raises(InputError, match="fx_rates"):
        deals(MONEY, "amount", definitions=Definitions(currency=policy))


SQUADS = """
    deal on seq status squad owner
    A    10 1   open   -     ana
    A    10 2   open   east  ana
    A    20 3   open   west  bo
    A    30 4   won    north bo
    A    40 5   won    south cy
    B    10 1   open   east  ana
    B    10 2   lost   south bo
"""


@pytest.mark.parametrize(
    ("moment", "squads", "owners"),
    [
        ("opening", ["east", "east"], ["ana", "ana"]),
        ("close", ["north", "south"], ["bo", "bo"]),
        ("as_of", ["south", "south"], ["cy", "bo"]),
    ],
)
def test_attributes_at_a_stated_moment(moment, squads, owners):
    definitions = Definitions(attributes_at={"squad": moment, "owner_id": moment})
    found = deals(SQUADS, "squad", "owner_id", definitions=definitions)
    assert [deal["squad"] for deal in found] == squads
    assert [deal["owner_id"] for deal in found] == owners


def test_an_unknown_attribute_names_the_nearest():
    with pytest.raises(InputError, match=r"(?i)did you mean 'team'"):
        deals(SQUADS, "squad", definitions=Definitions(attributes_at={"teem": "close"}))


def test_qualification():
    text = """
        deal on status stage    opened closed
        A    10 open   discover 10     -
        A    20 open   propose  10     -
        A    30 open   qualify  10     -
        A    40 won    -        10     35
        B    10 open   discover 10     -
        B    40 open   propose  10     -
        B    40 won    -        10     40
        C    10 open   qualify  10     -
        C    40 lost   -        10     10
    """
    order = ("discover", "qualify", "propose")
    definitions = Definitions(qualification_stage="qualify", stages=order)
    # B was walked through the stages on the day of closing, C ended on the day it qualified.
    assert [d["qualified_on"] for d in deals(text, "qualified_on", definitions=definitions)] == [20, None, None]
    by_table = deals(
        text, "qualified_on", definitions=Definitions(qualification_stage="qualify"),
        stages="stage order\nqualify 2\npropose 3\ndiscover 1",
    )  # fmt: skip
    assert [deal["qualified_on"] for deal in by_table] == [20, None, None]


def test_qualification_by_pipeline():
    text = """
        deal on status stage   pipeline
        A    10 open   demo    new
        B    10 open   demo    renewal
        B    20 open   quote   renewal
        C    10 open   demo    other
    """
    stages = "stage order pipeline\ndemo 1 new\nquote 2 new\nquote 1 renewal\ndemo 0 renewal"
    found = deals(text, "qualified_on", definitions=Definitions(qualification_stage="demo"), stages=stages)
    assert [deal["qualified_on"] for deal in found] == [10, 10, None]
    found = deals(text, "qualified_on", definitions=Definitions(qualification_stage="quote"), stages=stages)
    assert [deal["qualified_on"] for deal in found] == [None, 20, None]


@pytest.mark.parametrize(
    ("definitions", "says"),
    [
        (Definitions(qualification_stage="qualfy", stages=("discover", "qualify")), "did you mean 'qualify'"),
        (Definitions(qualification_stage="qualify"), "order of the stages"),
    ],
)
def test_qualification_stage_that_is_none(definitions, says):
    with pytest.raises(InputError, match=says):
        deals("deal on status\nA 1 open", "deal_id", definitions=definitions)


def test_a_deal_is_in_or_out_as_a_whole():
    text = """
        deal on status amount
        A    10 open   50
        A    20 lost   50
        A    30 open   500
        B    10 open   500
        B    20 lost   500
        B    30 open   50
    """
    definitions = Definitions(scope=Scope(amount_at_least=100))
    assert deals(text, "deal_id", "episode", definitions=definitions) == [
        {"deal_id": "B", "episode": 1}, {"deal_id": "B", "episode": 2},
    ]  # fmt: skip


def test_current_state_only():
    text = """
        deal on status opened closed
        A    10 open   10     -
        A    40 won    10     40
        B    20 open   20     -
    """
    records = history(text, kind="current_only")
    frame = snapshot_frame(records, as_of=day(100), rules=OutcomeRules(pushed_times=1))
    assert as_days(frame.to_dict("records"), "outcome", "exit") == [
        {"outcome": "won", "exit": 30}, {"outcome": "open", "exit": 80},
    ]  # fmt: skip


def test_frame_has_the_contract_and_the_table_is_lazy():
    records = history("deal on status segment\nA 1 open big\nB 2 lost -")
    frame = snapshot_frame(records, as_of=day(9), rules=NO_RULES)
    assert list(frame.columns) == [*DEALS_COLUMNS, "segment"]
    kinds = {"string": "object", "date": "datetime64[ns]", "int64": "int64", "float64": "float64", "bool": "bool"}
    assert {name: str(frame[name].dtype) for name in DEALS_COLUMNS} == {n: kinds[k] for n, k in DEALS_COLUMNS.items()}
    assert frame["segment"].tolist() == ["big", None]
    table = deals_as_of(records, as_of=day(9), rules=NO_RULES)
    kinds |= {"date": "date", "bool": "boolean", "string": "string"}
    assert {name: str(kind) for name, kind in table.schema().items()} == {
        **{name: kinds[kind] for name, kind in DEALS_COLUMNS.items()}, "segment": "string",
    }  # fmt: skip
    assert isinstance(frame.loc[0, "opened_on"], pd.Timestamp)


def test_a_frame_will_do():
    frame = pd.DataFrame({
        "deal_id": ["A", "A"], "recorded_on": pd.to_datetime(["2024-01-11 23:59", "2024-02-10 00:00"]),
        "sequence": [1, 2], "opened_on": pd.to_datetime(["2024-01-11", "2024-01-11"]), "status": ["open", "closed_won"],
        "amount": [100, None], "reason": [None, None],
    })  # fmt: skip
    activities = pd.DataFrame({"deal_id": ["A"], "occurred_on": pd.to_datetime(["2024-01-20 09:00"])})
    records = History(table=frame, side={"activities": activities})
    found = snapshot_frame(records, as_of=day(100), rules=OutcomeRules(silent_days=30))
    columns = ("deal_id", "exit", "outcome", "amount", "reason", "stage")
    assert as_days(found.to_dict("records"), *columns) == [
        dict(zip(columns, ("A", 30, "won", 100.0, None, None), strict=True))
    ]


def test_a_date_that_stands_for_never_is_named():
    text = "deal on status expected\nA 10 open 2000000"
    with pytest.raises(InputError, match="column 'expected_close_on', value '7499-10-25'"):
        snapshot_frame(history(text), as_of=day(20), rules=NO_RULES)


def test_nothing_known_yet():
    frame = snapshot_frame(history("deal on status\nA 10 open"), as_of=day(9), rules=NO_RULES)
    assert frame.empty
    assert list(frame.columns) == list(DEALS_COLUMNS)


def test_episodes_by_name():
    with pytest.raises(ValueError, match="must be 'first'"):
        deals("deal on status\nA 1 open", "deal_id", episodes="every")
