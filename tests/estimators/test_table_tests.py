"""Tests on counts of closed deals and families of p-values: R's numbers, textbook statistics, edges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, chi2_contingency, fisher_exact

from analytics.estimators.proportions import adjusted_p_values, funnel_limits, proportion_interval
from analytics.estimators.table_tests import NO_ODDS, chi_squared_test, cmh_test, common_odds_ratio
from analytics.records.errors import InputError

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
VALUES = {key: entry["value"] for key, entry in json.loads((GOLDEN / "syn_rates.json").read_text()).items()}
OUTCOMES = ["won", "lost", "nodecision"]


def rates() -> pd.DataFrame:
    frame = pd.read_csv(GOLDEN / "inputs" / "syn_rates.csv")
    n = frame[OUTCOMES].sum(axis=1)
    return frame.assign(n=n, failed=n - frame["won"])


def test_cmh_quarter_won_strata_segment() -> None:
    r = VALUES["cmh_quarter_won_strata_segment"]
    row = cmh_test(rates(), group="quarter", outcomes=["won", "failed"], strata=["segment"]).frame.iloc[0]
    assert [row["estimate"], row["p_value"], row["df"]] == pytest.approx([r["chisq"], r["p"], 1], abs=1e-11)
    odds = common_odds_ratio(rates(), group="quarter", outcomes=("won", "failed"), strata=["segment"]).frame.iloc[0]
    found = [odds["estimate"], odds["conf_low"], odds["conf_high"]]
    assert found == pytest.approx([r["common_or"], *r["ci"]], abs=1e-11)
    assert 0 < odds["p_homogeneous"] < 1


def test_cmh_generalised_3outcomes() -> None:
    r = VALUES["cmh_generalised_3outcomes"]
    row = cmh_test(rates(), group="quarter", outcomes=OUTCOMES, strata=["segment"]).frame.iloc[0]
    assert [row["estimate"], row["p_value"], row["df"]] == pytest.approx([r["chisq"], r["p"], r["df"]], abs=1e-11)


def test_chisq_segment_by_outcome() -> None:
    r = VALUES["chisq_segment_by_outcome"]
    row = chi_squared_test(rates(), group="segment", outcomes=OUTCOMES).frame.iloc[0]
    assert [row["estimate"], row["p_value"], row["df"]] == pytest.approx([r["chisq"], r["p"], r["df"]], abs=1e-11)
    expected = chi2_contingency(rates().groupby("segment")[OUTCOMES].sum()).expected_freq
    assert row["least_expected"] == pytest.approx(expected.min())


def test_binomial_ci_each_cell() -> None:
    for cell in VALUES["binomial_ci_each_cell"]:
        for method in ("wilson", "clopper_pearson", "jeffreys"):
            mine = proportion_interval(cell["won"], cell["n"], method=method).frame.iloc[0]
            assert [mine.conf_low, mine.conf_high] == pytest.approx(cell[method], abs=1e-11)


def test_fisher_two_prop_pvalues_bh_by_holm() -> None:
    r, frame, p = VALUES["fisher_two_prop_pvalues_BH_holm"], rates(), []
    for segment, region in zip(r["segment"], r["region"], strict=True):
        cell = frame[(frame["segment"] == segment) & (frame["region"] == region)].sort_values("quarter")
        p.append(fisher_exact(cell[["won", "failed"]]).pvalue)
    assert p == pytest.approx(r["p"], abs=1e-11)
    for method, key in (("benjamini_hochberg", "BH"), ("benjamini_yekutieli", "BY"), ("holm", "holm")):
        assert adjusted_p_values(p, method=method).tolist() == pytest.approx(r[key], abs=1e-11)  # type: ignore[arg-type]


def test_one_stratum_is_pearson_times_n_minus_one_over_n() -> None:
    frame = rates().assign(all="x")
    total = frame[OUTCOMES].to_numpy().sum()
    pearson = chi_squared_test(frame, group="segment", outcomes=OUTCOMES).frame["estimate"].item()
    cmh = cmh_test(frame, group="segment", outcomes=OUTCOMES, strata=["all"]).frame["estimate"].item()
    assert cmh == pytest.approx(pearson * (total - 1) / total, abs=1e-10)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 9)] * 3), min_size=6, max_size=6), st.permutations(range(6)))
def test_order_of_rows_and_outcomes(rows: list[tuple[int, int, int]], order: list[int]) -> None:
    frame = pd.DataFrame(rows, columns=OUTCOMES).assign(team=list("abcabc"), side=list("xxxyyy"))
    base = cmh_test(frame, group="team", outcomes=OUTCOMES, strata=["side"]).frame
    again = cmh_test(frame.iloc[order], group="team", outcomes=OUTCOMES[::-1], strata=["side"]).frame
    np.testing.assert_allclose(again["estimate"], base["estimate"], atol=1e-9, equal_nan=True)
    assert again["df"].item() == base["df"].item()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 40), st.integers(1, 40))
def test_mirrored_proportions_have_mirrored_limits(x: int, n: int) -> None:
    x = min(x, n)
    for method in ("wilson", "clopper_pearson", "jeffreys"):
        a, b = (proportion_interval(k, n, method=method).frame.iloc[0] for k in (x, n - x))  # type: ignore[arg-type]
        assert a["conf_low"] == pytest.approx(1 - b["conf_high"], abs=1e-9)


def test_funnel_limits_hold_what_they_say() -> None:
    """At whole-number limits the interpolated quantile gives the tail exactly."""
    frame = funnel_limits([5, 30, 12, 0], [20, 60, 50, 3]).frame
    p = 47 / 133
    for row in frame.to_dict("records"):
        n = row["n_trials"]
        for tail, name in ((0.025, "low_95"), (0.975, "high_95"), (0.001, "low_99.8"), (0.999, "high_99.8")):
            # three-line loop: the least r with B(r) > tail, moved back by the part of its chance beyond the tail
            r = next(k for k in range(int(n) + 1) if binom.cdf(k, n, p) >= tail)
            exact = (r - (binom.cdf(r, n, p) - tail) / binom.pmf(r, n, p)) / n
            assert row[name] == pytest.approx(float(np.clip(exact, 0, 1)), abs=1e-9)
    assert frame["outside"].tolist() == [0.0, 0.95, 0.0, 0.0]


def test_edges() -> None:
    one = pd.DataFrame({"team": list("ab"), "won": [0, 0], "lost": [3, 4]})
    row = chi_squared_test(one, group="team", outcomes=["won", "lost"]).frame.iloc[0]
    assert (row["df"], row["no_interval_reason"]) == (0, "there is nothing to compare")
    odds: dict[str, Any] = {"group": "team", "outcomes": ("won", "lost"), "strata": ["side"]}
    assert common_odds_ratio(one.assign(side=1), **odds).frame["no_interval_reason"].item() == NO_ODDS
    never = pd.DataFrame({"team": list("ab"), "won": [0, 2], "lost": [3, 4], "side": 1})
    assert common_odds_ratio(never, **odds).frame["estimate"].item() == 0.0
    with pytest.raises(InputError, match="not whole"):
        chi_squared_test(one.assign(won=0.5), group="team", outcomes=["won", "lost"])
    with pytest.raises(InputError, match="there are 1"):
        chi_squared_test(one.iloc[:1], group="team", outcomes=["won", "lost"])
    with pytest.raises(InputError, match="no column"):
        chi_squared_test(one, group="teams", outcomes=["won", "lost"])
    with pytest.raises(InputError, match="two groups"):
        common_odds_ratio(rates(), group="segment", outcomes=("won", "failed"), strata=["quarter"])
    assert np.isnan(adjusted_p_values([np.nan, 0.5])[0])
    with pytest.raises(InputError, match="outside"):
        adjusted_p_values([1.5])
    with pytest.raises(InputError, match="no more successes"):
        proportion_interval(3, 2)
    with pytest.raises(InputError, match="at least two groups"):
        funnel_limits([1], [2])
