"""Numbers in words, by the rule of the report."""

from __future__ import annotations

import pytest

from analytics.estimators.sentences import (
    change_with_interval,
    count,
    decimals,
    in_points,
    money,
    percent,
    points,
    share_with_interval,
    sized,
)


@pytest.mark.parametrize(
    ("n", "low", "high", "digits"),
    [(199, 0.31, 0.32, 0), (200, 0.30, 0.35, 0), (200, 0.31, 0.34, 1), (1999, 0.30, 0.35, 0), (2000, 0.2, 0.4, 1)],
)
def test_digits_follow_n_and_the_interval(n: int, low: float, high: float, digits: int) -> None:
    assert decimals(n, low, high) == digits


def test_minus_signs_are_minus_signs_and_zero_has_none() -> None:
    assert change_with_interval(-0.0301, -0.1, 0.04, 150) == "−3 points (−10 to +4)"
    assert change_with_interval(-0.0001, -0.012, 0.01, 3000) == "0.0 points (−1.2 to +1.0)"
    assert points(-0.0004) == points(0.0004, plus=True) == "0"
    assert percent(-0.0001, 1) == "0.0 %"
    assert "-" not in change_with_interval(-0.5, -0.6, -0.4, 10)


def test_singular_and_plural() -> None:
    assert (count(0, "deal"), count(1, "deal"), count(2, "deal")) == ("0 deals", "1 deal", "2 deals")
    assert in_points(0.01) == "1 point"
    assert in_points(-0.01, 1, plus=True) == "−1.0 point"
    assert in_points(0.021) == "2 points"
    assert sized(1, 1) == "1 deal of 1 account"
    assert sized(2473, float("nan")) == "2,473 deals"


def test_a_missing_interval_is_said() -> None:
    nan = float("nan")
    assert share_with_interval(1.0, nan, nan, 50) == "100 % (no interval)"
    assert change_with_interval(0.0, nan, nan, 50) == "0 points (no interval)"


@pytest.mark.parametrize(
    ("amount", "said"),
    [(999, "USD 999"), (1000, "USD 1.0 k"), (9_949, "USD 9.9 k"), (28_400, "USD 28 k"), (999_400, "USD 999 k"),
     (999_600, "USD 1.0 M"), (4_130_000, "USD 4.1 M"), (123_400_000, "USD 123 M")],
)  # fmt: skip
def test_money_has_two_or_three_figures(amount: float, said: str) -> None:
    assert money(amount, "USD") == said
