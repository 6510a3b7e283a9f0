"""What records can answer follows from what is in them, and from what was known by the day."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest

from analytics.questions.data_health import abilities as lines_of
from analytics.questions.data_health import abilities_in_short
from analytics.records.abilities import abilities, needs_met
from analytics.records.contract import History
from analytics.records.definitions import CurrencyPolicy, Definitions
from analytics.records.needs import PARTS, WRITTEN
from analytics.records.rules import OutcomeRules

AS_OF = dt.date(2025, 3, 31)
BARE = {
    "deal_id": ["A", "A", "B"], "recorded_on": pd.to_datetime(["2025-01-05", "2025-02-10", "2025-01-08"]),
    "sequence": [0, 1, 0], "opened_on": pd.to_datetime(["2025-01-05", "2025-01-05", "2025-01-08"]),
    "status": ["open", "closed_lost", "open"],
}  # fmt: skip


def met(table: pd.DataFrame, as_of: dt.date = AS_OF, **facts: object) -> frozenset[str]:
    rules = facts.pop("rules", OutcomeRules())
    definitions = facts.pop("definitions", Definitions())
    segments = facts.pop("segments", ())
    history = History(table=table, **facts)  # type: ignore[arg-type]
    return needs_met(history, as_of=as_of, definitions=definitions, rules=rules, segments=segments)  # type: ignore[arg-type]


def test_a_bare_history_meets_next_to_nothing() -> None:
    assert met(pd.DataFrame(BARE)) == {"history", "one currency"}
    assert met(pd.DataFrame(BARE), kind="current_only") == {"one currency"}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"amount": [5.0, 5.0, None]}, {"amount"}),
        ({"reason": [None, "Price", None]}, {"reason"}),
        ({"reason": [None, " no Decision", None]}, {"reason", "no-decision reasons"}),
        ({"closed_on": pd.to_datetime([None, "2025-02-01", None])}, {"closing dates"}),
        ({"stage": ["Demo", "Lost", "Demo"]}, set()),  # it changes at the close alone
        ({"region": ["N", "N", "S"]}, {"segments"}),
    ],
)
def test_a_column_meets_its_needs(columns: dict[str, object], expected: set[str]) -> None:
    found = met(
        pd.DataFrame({**BARE, **columns}), attributes=("region",) if "region" in columns else (), segments=("region",),
        rules=OutcomeRules(no_decision_reasons=("No decision",)),
    )  # fmt: skip
    assert found == {"history", "one currency", *expected}


def test_a_change_counts_while_the_deal_is_open_and_once_it_is_known() -> None:
    moved = pd.DataFrame({**BARE, "status": ["open"] * 3, "stage": ["Demo", "Offer", "Demo"]})
    assert "changes of stage" in met(moved)
    assert "changes of stage" not in met(moved, as_of=dt.date(2025, 2, 9))
    assert "changes of stage" not in met(moved, kind="current_only")


def test_currencies_must_be_one_or_converted() -> None:
    two = pd.DataFrame({**BARE, "amount": [5.0, 5.0, 7.0], "currency": ["USD", "USD", "EUR"]})
    assert "one currency" not in met(two)
    plan = CurrencyPolicy(report_in="USD", policy="plan_rate", rates={"EUR": 1.1})
    assert "one currency" in met(two, definitions=Definitions(currency=plan))


def test_a_table_counts_once_it_has_rows_that_are_known() -> None:
    calls = pd.DataFrame({"deal_id": ["A"], "occurred_on": pd.to_datetime(["2025-02-01"]), "side": [" Buyer"]})
    late = calls.assign(recorded_on=pd.to_datetime(["2025-05-01"]))
    for table, expected in ((calls, {"activities", "buyer activities"}), (late, set()), (calls.head(0), set())):
        assert met(pd.DataFrame(BARE), side={"activities": table}) == {"history", "one currency", *expected}


def test_the_studies_that_have_a_notebook_are_those_in_the_folder() -> None:
    notebooks = (Path(__file__).parents[2] / "notebooks").glob("[0-9][0-9]_*.ipynb")
    names = {path.stem.partition("_")[2] for path in notebooks} - {"start"}  # the index of the others
    assert sorted(names) == sorted(WRITTEN)
    assert {part.study for part in PARTS} > set(WRITTEN)


def test_in_short_the_studies_to_come_are_one_line() -> None:
    listed = lines_of(
        History(table=pd.DataFrame(BARE)), as_of=AS_OF, definitions=Definitions(), rules=OutcomeRules(silent_days=90)
    )
    shown = abilities_in_short(listed).frame
    written = [part.study.replace("_", " ") for part in PARTS if part.study in WRITTEN]
    assert shown["study"].tolist() == [*written, "later"]
    assert written.count("data health") == 3
    assert written.count("quarter") == 10
    last = shown.iloc[-1].tolist()
    to_come = len({part.study for part in PARTS} - set(WRITTEN))
    assert last[:3] == ["later", f"{to_come} studies without a notebook", "partly"]
    assert last[3].startswith("Not all of: ")
    assert "journey, " in last[3]
    assert "no decision" not in last[3]


def test_lines_say_what_would_make_a_question_possible() -> None:
    lines = abilities(
        History(table=pd.DataFrame(BARE)), as_of=AS_OF, definitions=Definitions(), rules=OutcomeRules(silent_days=90)
    ).set_index("question")
    silent = lines.loc["no decision, silent deals"]
    assert (silent["possible"], silent["needs"]) == ("no", "activities")
    assert silent["words"].startswith("Not studied: it needs the activities table (Task and Event in Salesforce")
    ends = lines.loc["where deals end up at this quarter's pace"]
    assert (ends["possible"], ends["words"]) == ("partly", "Studied without the account of a deal (account_id).")
    plain = lines.loc["what came in, what is left out, how complete fields are"]
    assert (plain["possible"], plain["words"]) == ("yes", "")
