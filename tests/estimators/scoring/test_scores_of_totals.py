"""Distributions of totals and their scores against sums written out."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom, skew, t

from analytics.estimators.scoring.coverage import interval_coverage, pit_histogram, pit_values
from analytics.estimators.scoring.distributions import (
    TotalForecast,
    crps,
    from_draws,
    pinball,
    poisson_binomial,
)  # fmt: skip
from analytics.estimators.scoring.totals import mean_scores, paired_differences, skewed_limits, total_scores
from analytics.records.errors import InputError

QUICK = settings(max_examples=40, deadline=None)
CHANCES = st.lists(st.floats(0, 1), max_size=8)
DRAWS = st.lists(st.integers(-20, 20).map(lambda x: x / 4), min_size=1, max_size=12)
QUARTERS = [f"{2020 + q // 4}-Q{q % 4 + 1}" for q in range(12)]


@QUICK
@given(CHANCES)
def test_poisson_binomial_is_the_sum_over_all_ways(chances: list[float]) -> None:
    expected = np.zeros(len(chances) + 1)
    for way in itertools.product((0, 1), repeat=len(chances)):
        expected[sum(way)] += np.prod([p if w else 1 - p for p, w in zip(chances, way, strict=True)])
    made = poisson_binomial(chances)
    np.testing.assert_allclose(made.chance, expected, atol=1e-14)
    assert made.mean == pytest.approx(sum(chances), abs=1e-12)


def test_equal_chances_are_binomial() -> None:
    made = poisson_binomial([0.3] * 1000)
    np.testing.assert_allclose(made.chance, binom.pmf(np.arange(1001), 1000, 0.3), rtol=1e-9, atol=1e-300)
    for level in (0.025, 0.5, 0.9):
        assert made.quantile(level) == binom.ppf(level, 1000, 0.3)


@QUICK
@given(DRAWS, st.integers(-24, 24).map(lambda x: x / 4))
def test_crps_is_its_definition(draws: list[float], came: float) -> None:
    """E|X - y| - E|X - X'| / 2 over draws, and twice the pinball loss averaged over levels."""
    n = len(draws)
    far = sum(abs(x - came) for x in draws) / n
    apart = sum(abs(x - z) for x in draws for z in draws) / n**2
    made = from_draws(draws)
    assert crps(made, came) == pytest.approx(far - apart / 2, abs=1e-12)
    levels = (np.arange(2000) + 0.5) / 2000
    average = 2 * np.mean([pinball(made, came, float(level)) for level in levels])
    assert crps(made, came) == pytest.approx(average, abs=0.02)


def test_sure_forecasts_score_zero_and_honest_ones_win() -> None:
    assert crps(from_draws([4.0]), 4.0) == 0
    assert pinball(from_draws([4.0]), 4.0, 0.9) == 0
    truth = poisson_binomial([0.2, 0.5, 0.7])
    for other in (poisson_binomial([0.3, 0.5, 0.7]), poisson_binomial([0.47] * 3), from_draws([1.0, 2.0])):

        def expected(told: TotalForecast) -> float:
            return float(sum(p * crps(told, y) for y, p in zip(truth.value, truth.chance, strict=True)))

        assert expected(truth) < expected(other)


def twelve(width: float, seed: int = 0) -> tuple[dict[str, TotalForecast], dict[str, float]]:
    """Twelve quarters of totals from a normal around 100 with deviation 10, forecast with deviation 10 x width."""
    rng = np.random.default_rng(seed)
    grid = (np.arange(400) + 0.5) / 400
    from scipy.special import ndtri

    draws = 100 + 10 * width * ndtri(grid)
    return ({q: from_draws(draws) for q in QUARTERS},
            {q: float(v) for q, v in zip(QUARTERS, rng.normal(100, 10, 12), strict=True)})  # fmt: skip


def test_coverage_by_hand() -> None:
    forecasts, came = twelve(1.0)
    frame = interval_coverage({"a": forecasts}, came).frame.set_index("level")
    for level, reach in ((0.5, 6.745), (0.8, 12.816), (0.95, 19.6)):
        inside = sum(abs(v - 100) < reach for v in came.values())
        row = frame.loc[level]
        assert row["inside"] == inside
        low = beta.ppf(0.025, inside, 13 - inside) if inside else 0.0
        high = beta.ppf(0.975, inside + 1, 12 - inside) if inside < 12 else 1.0
        assert (row["conf_low"], row["conf_high"]) == pytest.approx((low, high), abs=1e-10)
        assert row["stated"] == pytest.approx(level, abs=0.006)
        assert row["judgement"] == "in line"
    narrow = interval_coverage({"a": twelve(0.1)[0]}, came, levels=[0.95]).frame
    assert narrow["judgement"].tolist() == ["too narrow"]
    wide = interval_coverage({"a": twelve(20.0)[0]}, came, levels=[0.5]).frame
    assert wide["judgement"].tolist() == ["too wide"]


def test_seven_quarters_cannot_be_judged() -> None:
    forecasts, came = twelve(1.0)
    seven = {q: forecasts[q] for q in QUARTERS[:7]}
    said = interval_coverage({"a": seven}, came)
    assert set(said.frame["judgement"]) == {"cannot be judged with fewer than 8 quarters"}
    assert said.meta.note == "Coverage cannot be judged with fewer than 8 quarters."
    assert interval_coverage({"a": {q: forecasts[q] for q in QUARTERS[:8]}}, came).meta.note == ""


def test_whole_numbers_state_more_than_the_level() -> None:
    told = {"a": dict.fromkeys(QUARTERS[:8], poisson_binomial([0.5] * 4))}
    row = interval_coverage(told, dict.fromkeys(QUARTERS[:8], 2.0), levels=[0.5]).frame.iloc[0]
    assert row["stated"] == pytest.approx(14 / 16)  # 1 to 3 of 4


@QUICK
@given(st.lists(st.tuples(CHANCES, st.integers(0, 3)), min_size=1, max_size=6), st.integers(1, 6))
def test_pit_histogram_is_the_average_of_even_pieces(rows: list[tuple[list[float], int]], bins: int) -> None:
    told = {"a": {str(i): poisson_binomial([*p, 0.5, 0.5, 0.5]) for i, (p, _) in enumerate(rows)}}
    came = {str(i): y for i, (_, y) in enumerate(rows)}
    frame = pit_histogram(told, came, bins=bins).frame
    assert frame["estimate"].sum() == pytest.approx(1, abs=1e-9)
    values = pit_values(told, came, seed=1)
    assert ((values["below"] <= values["pit"]) & (values["pit"] <= values["up_to"])).all()
    for b in range(bins):
        low, high = b / bins, (b + 1) / bins
        pieces = [(min(high, top) - max(low, bottom)) / (top - bottom) if top > bottom + 1e-9 else np.nan
                  for bottom, top in zip(values["below"], values["up_to"], strict=True)]  # fmt: skip
        if not np.isnan(pieces).any():
            assert frame["estimate"].iloc[b] == pytest.approx(np.mean(np.maximum(pieces, 0)), abs=1e-6)


def test_pit_of_an_honest_forecast_is_even() -> None:
    """Averaged over what may come, every part has the same share: Czado et al. (2009), eq. 3."""
    made = poisson_binomial([0.1, 0.4, 0.8, 0.9])
    total = sum(p * pit_histogram({"a": {"Q": made}}, {"Q": y}).frame["estimate"].to_numpy()
                for y, p in zip(made.value, made.chance, strict=True))  # fmt: skip
    np.testing.assert_allclose(total, 0.2, atol=1e-12)


def test_pit_ends() -> None:
    made = {"a": {"Q": from_draws([1.0, 2.0])}}
    assert pit_histogram(made, {"Q": 0.0}, bins=4).frame["estimate"].tolist() == [1, 0, 0, 0]
    assert pit_histogram(made, {"Q": 9.0}, bins=4).frame["estimate"].tolist() == [0, 0, 0, 1]
    a, b = (pit_values(made, {"Q": 2.0}, seed=seed)["pit"].iloc[0] for seed in (1, 1))
    assert a == b


def test_mean_scores_by_hand() -> None:
    scores = total_scores(
        {"a": {"Q1": from_draws([7.0]), "Q2": from_draws([5.0])}}, {"Q1": 10.0, "Q2": 4.0}, levels=[0.9]
    )
    estimate = mean_scores(scores)
    row = estimate.at(score="CRPS").iloc[0]
    assert (row["estimate"], row["std_error"]) == pytest.approx((2.0, 1.0))
    assert row["conf_high"] == pytest.approx(2 + 12.706204736, abs=1e-6)
    assert row["conf_low"] == 0
    assert estimate.meta.note == "With 2 quarters (fewer than 8) this cannot be judged."
    one = mean_scores(scores[scores["quarter"] == "Q1"]).frame
    assert set(one["no_interval_reason"]) == {"a single quarter tells nothing of others"}


def test_paired_differences() -> None:
    a, came = twelve(1.0, seed=2)
    scores = total_scores({"a": a, "b": twelve(3.0)[0]}, came, levels=[0.5])
    estimate = paired_differences(scores, reference="b")
    row = estimate.at(score="CRPS").iloc[0]
    by_model = scores[scores["score"] == "CRPS"].pivot(index="quarter", columns="model", values="value")
    gap = by_model["a"] - by_model["b"]
    assert row["estimate"] == pytest.approx(gap.mean(), abs=1e-12)
    assert row["better"] == (gap < 0).sum()
    assert row["std_error"] == pytest.approx(gap.std(ddof=1) / np.sqrt(12), rel=1e-12)
    assert row["conf_low"] <= row["estimate"] <= row["conf_high"]
    back = paired_differences(scores, reference="a").at(score="CRPS").iloc[0]
    assert (back["estimate"], back["conf_low"]) == pytest.approx((-row["estimate"], -row["conf_high"]), abs=1e-12)
    shuffled = paired_differences(scores.sample(frac=1, random_state=1), reference="b").at(score="CRPS").iloc[0]
    assert shuffled["conf_low"] == pytest.approx(row["conf_low"], abs=1e-12)
    same = pd.concat([scores[scores["model"] == "a"].assign(model=name) for name in "ab"])
    assert set(paired_differences(same, reference="b").frame["no_interval_reason"]) == {
        "every quarter has the same difference"
    }


def test_quarters_are_resampled_whole() -> None:
    """Segments of one quarter move together: doubling every row of a quarter changes nothing."""
    a, came = twelve(1.0, seed=2)
    scores = total_scores({"a": a, "b": twelve(3.0)[0]}, came, levels=[])
    twice = pd.concat([scores.assign(segment=s) for s in ("x", "y")])
    one, two = (paired_differences(s, reference="b").frame for s in (scores, twice))
    for name in ("estimate", "std_error", "conf_low", "conf_high", "n_quarters", "better"):
        np.testing.assert_allclose(one[name], two[name], atol=1e-12)


def test_errors_of_totals() -> None:
    made = from_draws([1.0])
    with pytest.raises(InputError, match="different quarters"):
        total_scores({"a": {"Q1": made}, "b": {"Q2": made}}, {"Q1": 1, "Q2": 1})
    with pytest.raises(InputError, match="no total"):
        total_scores({"a": {"Q1": made}}, {})
    with pytest.raises(InputError, match="no forecast"):
        total_scores({}, {})
    with pytest.raises(InputError, match="between 0 and 1"):
        pinball(made, 1.0, 1.0)
    with pytest.raises(InputError, match="at least one draw"):
        from_draws([])
    with pytest.raises(InputError, match="no probability"):
        poisson_binomial([1.2])
    with pytest.raises(InputError, match="no such model"):
        paired_differences(total_scores({"a": {"Q1": made}}, {"Q1": 1.0}), reference="b")


def test_limits_of_skewed_scores_undo_hall_s_transformation() -> None:
    """At either limit Hall's (1992) transformed statistic, with the unbiased skewness, is the quantile of t."""
    value = np.array([1.0, 1.5, 1.2, 0.8, 6.0, 1.1, 2.0, 0.9, 1.3, 3.0])
    n, deviations = len(value), value - value.mean()
    error, low, high = skewed_limits(deviations, 0.95)
    assert error == pytest.approx(value.std(ddof=1) / np.sqrt(n))
    c = skew(value, bias=False) / np.sqrt(n)
    for distance, quantile in ((low, 0.975), (high, 0.025)):
        z = -distance / error  # (mean - truth) / standard error, were the truth at this limit
        assert z + c * z**2 / 3 + c**2 * z**3 / 27 + c / 6 == pytest.approx(t.ppf(quantile, n - 1))
    assert high > 1.5 * -low


def test_quantiles_that_hardly_a_quarter_can_miss_have_no_limits() -> None:
    a, came = twelve(1.0, seed=2)
    scores = total_scores({"a": a, "b": twelve(3.0)[0]}, came, levels=[0.1, 0.5, 0.9])
    for frame in (mean_scores(scores).frame, paired_differences(scores, reference="b").frame):
        bare = frame["score"].isin(["pinball 10 %", "pinball 90 %"])
        assert frame["conf_low"].isna().tolist() == bare.tolist()
        assert (frame.loc[bare, "no_interval_reason"].str.startswith("fewer than 5 quarters")).all()
