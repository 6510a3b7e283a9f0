"""A study without a scope stops, and shows what there is to choose from."""

import pytest
import yaml
from text_history import history

from analytics.records.definitions import Definitions, Scope
from analytics.records.errors import InputError
from analytics.records.scope import require_scope, scope_values

TEXT = """
    deal on status pipeline currency deal_type  region
    A    10 open   all      USD      New        -
    A    20 open   all      USD      Renewal    -
    B    10 won    all      EUR      Renewal    -
    C    10 lost   all      EUR      New        -
    D    10 open   all      USD      yes        -
    E    10 open   all      USD      -          -
"""


def test_values_found():
    found = scope_values(history(TEXT))
    assert list(found) == ["pipeline", "currency_original", "deal_type"]
    assert found["deal_type"].to_dict("list") == {"value": ["New", "Renewal", "yes", None], "deals": [2, 1, 1, 1]}
    assert found["currency_original"].to_dict("list") == {"value": ["USD", "EUR"], "deals": [3, 2]}


def test_the_sentence_can_be_pasted():
    with pytest.raises(InputError) as caught:
        require_scope(history(TEXT), Definitions())
    said = str(caught.value)
    assert said.startswith("scope is not set")
    pasted = yaml.safe_load(said.split("\n\n")[1])["scope"]
    assert pasted == {
        "keep": {"pipeline": ["all"], "currency_original": ["USD", "EUR"], "deal_type": ["New", "Renewal", "yes", None]}
    }
    assert Scope(**pasted).says_something
    assert said.split("\n\n")[1].count("\nscope:") == 0  # one block, whatever of the message is pasted
    assert said.split("\n\n")[1].endswith("\n# or, for all deals: scope: {everything: true}")
    assert said.split("\n\n")[2] == "Then run it again."
    assert "# 2, 1, 1, 1 deals" in said


def test_long_lists_are_cut_and_say_so():
    text = "deal on status owner segment\n" + "\n".join(f"D{n} 1 open ana s{n % 40}" for n in range(80))
    with pytest.raises(InputError, match="25 more values"):
        require_scope(history(text), Definitions())


def test_nothing_to_choose_from():
    with pytest.raises(InputError, match="everything: true"):
        require_scope(history("deal on status\nA 1 open"), Definitions(scope=Scope()))


def test_a_choice_is_enough():
    require_scope(history(TEXT), Definitions(scope=Scope(keep={"deal_type": ["New"]})))


def test_names_and_ids_are_counted_and_not_shown():
    text = "deal on status owner segment\n" + "\n".join(f"D{n} 1 open ana secret{n}" for n in range(40))
    with pytest.raises(InputError, match="# segment: 40 different values, nearly one for each deal") as raised:
        require_scope(history(text), Definitions())
    assert "secret" not in str(raised.value)
