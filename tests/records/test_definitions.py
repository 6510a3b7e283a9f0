"""Definitions: contradictions are refused where they are written, not where they hurt."""

import datetime as dt

import pytest
from pydantic import ValidationError

from analytics.records.definitions import CurrencyPolicy, Definitions, Scope


@pytest.mark.parametrize(
    ("scope", "says"),
    [
        ({"everything": True, "keep": {"type": ["new"]}}, "contradicts"),
        ({"keep": {"type": []}}, "empty"),
        ({"kep": {}}, "Extra inputs"),
    ],
)
def test_scope_refuses(scope, says):
    with pytest.raises(ValidationError, match=says):
        Scope(**scope)


def test_scope_says_something():
    assert not Scope().says_something
    assert not Scope(keep={}).says_something
    assert Scope(everything=True).says_something
    assert Scope(amount_at_least=0).says_something
    assert Scope(drop={"owner_id": [7, None]}).drop == {"owner_id": ["7", None]}


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ({"policy": "plan_rate"}, "needs report_in"),
        ({"report_in": "USD"}, "converts nothing"),
        ({"policy": "rate_at_opening", "report_in": "USD", "rates": {"EUR": 1.1}}, "fx_rates"),
        ({"policy": "plan_rate", "report_in": "USD", "rates": {"EUR": 0}}, "positive"),
        ({"policy": "plan_rate", "report_in": "USD", "rates": {"EUR": float("nan")}}, "positive"),
        ({"policy": "plan_rate", "report_in": "USD", "rates": {"USD": 1.1}}, "must be 1"),
    ],
)
def test_currency_refuses(policy, says):
    with pytest.raises(ValidationError, match=says):
        CurrencyPolicy(**policy)


def test_definitions_hash():
    one = Definitions(scope=Scope(everything=True))
    assert one.hash == Definitions.model_validate({"scope": {"everything": True}}).hash
    others = [Definitions(), Definitions(close_date="recorded"), Definitions(observed_from=dt.date(2024, 1, 1))]
    assert len({one.hash, *(other.hash for other in others)}) == 4
    with pytest.raises(ValidationError, match="twice"):
        Definitions(stages=("a", "a"))
