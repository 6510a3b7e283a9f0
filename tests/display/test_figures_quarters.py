"""Quarters side by side: dots are the saved shares, few quarters are no trend, other definitions are crossed out."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from analytics.display import figures, rendering
from analytics.estimators.result import Estimate, Meta

KEYS = ("period", "view", "outcome")


def shares(quarters: int, *, other: str = "") -> Estimate:
    names = [f"202{4 + k // 4}Q{1 + k % 4}" for k in range(quarters)]
    frame = pd.DataFrame({"period": names, "view": "as published", "outcome": "won", "n_deals": 400})
    frame["estimate"] = [0.25 + 0.01 * k for k in range(quarters)]
    frame = frame.assign(conf_low=frame["estimate"] - 0.04, conf_high=frame["estimate"] + 0.06, definitions="")
    frame.loc[0, "definitions"] = other
    return Estimate(frame, Meta("probability", "share won by the horizon", KEYS, n_deals=400))


def drawn(estimate: Estimate) -> list[dict[str, Any]]:
    return rendering.figure_json(figures.plot_quarters(estimate))["data"]


def test_dots_and_intervals_are_the_estimates() -> None:
    (trace,) = drawn(shares(5))
    assert trace["y"] == pytest.approx([0.25, 0.26, 0.27, 0.28, 0.29])
    assert trace["error_y"]["array"] == pytest.approx([0.06] * 5)
    assert trace["error_y"]["arrayminus"] == pytest.approx([0.04] * 5)
    assert trace["x"] == [0, 1, 2, 3, 4]


def test_fewer_than_four_quarters_are_not_joined() -> None:
    assert [drawn(shares(n))[0]["mode"] for n in (3, 4)] == ["markers", "lines+markers"]
    caption = figures.plot_quarters(shares(3)).layout.meta["caption"]
    assert "no trend" in caption


def test_a_quarter_by_other_definitions_is_crossed_out_and_joined_to_none() -> None:
    sound, other = drawn(shares(5, other="counted by other definitions (horizon_days: 180 then, 365 now)"))
    assert sound["x"] == [1, 2, 3, 4]
    assert other["x"] == [0]
    assert other["marker"]["symbol"] == "x-thin-open"
    assert other["mode"] == "markers"
    assert (
        "2024Q1 25\xa0% (21–31) by other definitions" in figures.plot_quarters(shares(5, other="x")).layout.meta["alt"]
    )


def test_nothing_to_draw_is_an_error() -> None:
    empty = shares(2)
    frame = empty.frame.assign(estimate=float("nan"), conf_low=float("nan"), conf_high=float("nan"))
    frame["no_interval_reason"] = "not shown"
    with pytest.raises(ValueError, match="nothing to draw"):
        figures.plot_quarters(Estimate(frame, empty.meta))
