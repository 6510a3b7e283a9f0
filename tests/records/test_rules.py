"""Outcome rules: what they mean, and that their hash says when they mean something else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from analytics.records.rules import INFERRED_KINDS, OutcomeRules

ALL = OutcomeRules(no_decision_reasons=("No Decision", "Timing"), silent_days=90, pushed_times=3, older_than_days=400)


def test_one_rule_at_a_time():
    assert ALL.inferred_kinds == INFERRED_KINDS == ("silent", "pushed", "aged")
    assert ALL.declared_only() == OutcomeRules(no_decision_reasons=("No Decision", "Timing"))
    assert ALL.only("declared") == ALL.declared_only()
    assert ALL.only("pushed") == OutcomeRules(no_decision_reasons=("No Decision", "Timing"), pushed_times=3)
    with pytest.raises(ValueError, match="these are: silent"):
        OutcomeRules(silent_days=9).only("aged")


@given(st.permutations(["No Decision", "Timing", " timing ", "NO DECISION"]))
def test_hash_is_the_meaning(reasons):
    same = ALL.model_copy(update={"no_decision_reasons": tuple(reasons)})
    assert same.reason_keys == ("no decision", "timing")
    assert same.hash == ALL.hash


def test_hash_tells_rules_apart():
    hashes = [
        ALL.hash,
        ALL.declared_only().hash,
        OutcomeRules().hash,
        *(ALL.only(kind).hash for kind in INFERRED_KINDS),
    ]
    assert len(set(hashes)) == len(hashes)


@pytest.mark.parametrize(
    "fields",
    [{"silent_days": 0}, {"pushed_times": 0}, {"older_than_days": -1}, {"no_decision_reasons": [" "]}, {"silent": 3}],
)
def test_rules_that_cannot_be_meant(fields):
    with pytest.raises(ValidationError):
        OutcomeRules(**fields)
