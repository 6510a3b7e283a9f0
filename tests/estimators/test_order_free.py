"""Shares of a change in whole cents: they add up exactly, and agree with a plain loop over all orders."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.estimators.das_gupta import factor_effects
from analytics.estimators.order_free import order_free_cents
from analytics.records.errors import InputError

NAMES = ("a", "b", "c", "d")


def worth_of(table: list[int]) -> Callable[..., np.ndarray]:
    """Any worth of four on-off causes: one number for each of the sixteen combinations."""

    def worth(**on: np.ndarray) -> np.ndarray:
        place = sum(np.asarray(on[name], dtype=np.int64) << i for i, name in enumerate(NAMES))
        return np.asarray(table, dtype=np.int64)[place]

    return worth


OFF, ON = ({name: np.array([value]) for name in NAMES} for value in (0, 1))


def by_loop(table: list[int]) -> dict[str, Fraction]:
    total = dict.fromkeys(NAMES, Fraction(0))
    for order in itertools.permutations(range(4)):
        at = 0
        for cause in order:
            total[NAMES[cause]] += Fraction(table[at | 1 << cause] - table[at], 24)
            at |= 1 << cause
    return total


tables = st.lists(st.integers(-(10**13), 10**13), min_size=16, max_size=16)


@given(tables)
def test_shares_add_up_to_the_cent_and_are_the_shapley_value_to_within_one(table: list[int]) -> None:
    shares = {name: int(share[0]) for name, share in order_free_cents(worth_of(table), OFF, ON).items()}
    assert sum(shares.values()) == table[15] - table[0]
    for name, exact in by_loop(table).items():
        assert abs(shares[name] - exact) < 1


@given(tables)
def test_it_is_the_library_s_own_order_free_decomposition_in_cents(table: list[int]) -> None:
    effects = factor_effects(worth_of(table), OFF, ON)
    for name, share in order_free_cents(worth_of(table), OFF, ON).items():
        assert abs(float(share[0]) - float(effects[name][0])) < 1.01


def test_a_cause_that_does_not_change_anything_brings_nothing_and_equal_causes_share_equally() -> None:
    def worth(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
        return 100 * a * b + 0 * c

    then, now = ({name: np.array([value]) for name in "abc"} for value in (0, 1))
    assert {k: v.tolist() for k, v in order_free_cents(worth, then, now).items()} == {"a": [50], "b": [50], "c": [0]}


def test_the_odd_cent_goes_to_the_cause_named_first_whatever_the_sign() -> None:
    then, now = ({name: np.array([value, value]) for name in "ab"} for value in (0, 1))
    shares = order_free_cents(lambda a, b: np.array([101, -101]) * a * b, then, now)
    assert [share.tolist() for share in shares.values()] == [[51, -50], [50, -51]]


def test_what_cannot_be_shared_out_is_refused() -> None:
    with pytest.raises(InputError, match="too large an amount"):
        order_free_cents(lambda a, b: 10**19 // 3 * a * b, {"a": np.array([0]), "b": np.array([0])},
                         {"a": np.array([1]), "b": np.array([1])})  # fmt: skip
    with pytest.raises(InputError, match="the same before and after"):
        order_free_cents(lambda a: a, {"a": np.array([0])}, {"b": np.array([0])})
