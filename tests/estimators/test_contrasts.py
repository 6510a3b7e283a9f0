"""Differences, verdicts and multiplicity: published values, R values, and the rule table of the estimands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from analytics.estimators.contrasts import (
    benjamini_hochberg,
    clustered_difference,
    newcombe_difference,
    smallest_reliable_change,
    two_sided_p,
    verdict,
)  # fmt: skip
from analytics.estimators.rates import quantile

GOLDEN = Path(__file__).resolve().parents[1] / "golden"

NEWCOMBE_TABLE_II = [  # method 10 (square-and-add Wilson, no continuity correction), Newcombe 1998, Table II
    (56, 70, 48, 80, 0.0524, 0.3339),
    (9, 10, 3, 10, 0.1705, 0.8090),
    (6, 7, 2, 7, 0.0582, 0.8062),
    (5, 56, 0, 29, -0.0381, 0.1926),
    (0, 10, 0, 20, -0.1611, 0.2775),
    (0, 10, 0, 10, -0.2775, 0.2775),
    (10, 10, 0, 20, 0.6791, 1.0000),
    (10, 10, 0, 10, 0.6075, 1.0000),
]


@pytest.mark.parametrize(("x1", "n1", "x2", "n2", "low", "high"), NEWCOMBE_TABLE_II)
def test_newcombe_published(x1: int, n1: int, x2: int, n2: int, low: float, high: float) -> None:
    found = newcombe_difference(x1, n1, x2, n2)
    assert found.estimate == pytest.approx(x1 / n1 - x2 / n2)
    assert (found.conf_low, found.conf_high) == pytest.approx((low, high), abs=5e-5)


VERDICTS = [
    # estimate, se, margin, said; limits are estimate ± 1.96 se
    (0.10, 0.03, 0.03, "shown and large enough to matter"),  # 0.041 to 0.159, beyond 0.03
    (-0.10, 0.03, 0.03, "shown and large enough to matter"),
    (0.07, 0.03, 0.03, "shown, size unclear"),  # 0.011 to 0.129: excludes 0, overlaps the margin
    (-0.07, 0.03, 0.03, "shown, size unclear"),
    (0.00, 0.01, 0.03, "too small to matter"),
    (0.012, 0.0105, 0.03, "too small to matter"),  # 95 % reaches 0.0326, 90 % only 0.0293
    (0.015, 0.005, 0.03, "too small to matter"),  # excludes 0 and is trifling all the same
    (0.02, 0.02, 0.03, "cannot tell"),
    (0.05, 0.03, 0.03, "cannot tell"),  # -0.009 to 0.109
]


@pytest.mark.parametrize(("estimate", "se", "margin", "said"), VERDICTS)
def test_verdicts(estimate: float, se: float, margin: float, said: str) -> None:
    half = quantile(0.95) * se
    assert verdict(estimate, se, estimate - half, estimate + half, margin) == said


def test_few_accounts_widen_the_ninety_per_cent_interval_too() -> None:
    estimate, se, margin = 0.0, 0.016, 0.03
    assert verdict(estimate, se, -0.0314, 0.0314, margin) == "too small to matter"
    assert verdict(estimate, se, -0.0444, 0.0444, margin, df=4) == "cannot tell"


def test_no_interval_is_cannot_tell_and_no_margin_is_an_error() -> None:
    assert verdict(0.0, 0.0, 0.0, 0.0, 0.03) == "cannot tell"
    assert verdict(0.1, float("nan"), float("nan"), float("nan"), 0.03) == "cannot tell"
    with pytest.raises(ValueError, match="practical difference"):
        verdict(0.1, 0.1, 0.0, 0.2, float("nan"))


def test_the_smallest_reliable_change_is_shown_in_four_of_five_repetitions() -> None:
    assert smallest_reliable_change(0.02, 0.03) == pytest.approx(0.03 + 2.8 * 0.02)
    rng = np.random.default_rng(1)
    estimates = rng.normal(smallest_reliable_change(0.02, 0.03), 0.02, 100_000)
    shown = (estimates - quantile(0.95) * 0.02 > 0.03).mean()
    assert shown == pytest.approx(0.80, abs=0.005)


def test_benjamini_hochberg_is_that_of_r() -> None:
    golden = json.loads((GOLDEN / "syn_rates.json").read_text())["fisher_two_prop_pvalues_BH_holm"]
    np.testing.assert_allclose(benjamini_hochberg(golden["value"]["p"]), golden["value"]["BH"], atol=1e-12)


def test_benjamini_hochberg_leaves_out_what_was_not_tested() -> None:
    found = benjamini_hochberg([0.01, np.nan, 0.04])
    assert np.isnan(found[1])
    np.testing.assert_allclose(found[[0, 2]], [0.02, 0.04])


def test_difference_of_separate_accounts_is_the_sum_of_variances() -> None:
    now, then = [1, 1, 0, 1, 0], [0, 1, 0, 0]
    found = clustered_difference(now, list("abcde"), then, list("fghi"))
    plain = 0.6 * 0.4 / 5 + 0.25 * 0.75 / 4
    assert found.std_error == pytest.approx(np.sqrt(9 / 8 * plain))


def test_a_group_that_always_won_is_not_known_without_error() -> None:
    """3 of 3 and 2 of 4, every deal an account: Newcombe's method 10; 4 of 4 of two accounts count as 2."""
    found = clustered_difference([1, 1, 1], list("abc"), [1, 0, 1, 0], list("defg"))
    assert found == pytest.approx(newcombe_difference(3, 3, 2, 4), abs=1e-12)
    always = clustered_difference([1, 1, 1, 1], list("aabb"), [1, 1], list("cd"))
    t, z = 12.706204736174694, 1.959963984540054  # 2 accounts leave one degree of freedom
    below, above = 1 - 2 / (2 + t * t), 1 - 2 / (2 + z * z)  # Wilson's lower limit of n of n is n / (n + z^2)
    assert [always.estimate, always.conf_low, always.conf_high] == pytest.approx([0.0, -below, above], abs=1e-12)
    for call in (lambda: newcombe_difference(0, 0, 1, 2), lambda: clustered_difference([], [], [1], ["a"])):
        with pytest.raises(ValueError, match=r"n > 0|at least one deal"):
            call()


def test_shared_accounts_take_their_common_part_out() -> None:
    rng = np.random.default_rng(4)
    accounts = np.arange(400)
    level = rng.beta(1, 1, 400)  # an account that wins much now also won much then
    now, then = (rng.random((2, 400)) < level).astype(float)
    shared = clustered_difference(now, accounts, then, accounts)
    apart = clustered_difference(now, accounts, then, accounts + 400)
    d = now - then
    assert shared.std_error == pytest.approx(np.sqrt(d.var(ddof=1) / 400), rel=1e-9)  # a paired comparison
    assert shared.std_error < apart.std_error
    assert np.isnan(clustered_difference([1], ["a"], [0], ["a"]).std_error)


def test_two_sided_p() -> None:
    assert two_sided_p(1.959963984540054, 1.0) == pytest.approx(0.05, abs=1e-12)
    assert np.isnan(two_sided_p(0.1, 0.0))
