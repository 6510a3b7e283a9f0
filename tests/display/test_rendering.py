"""The renderer: the same numbers give the same bytes, whatever the last place of a float says."""

from __future__ import annotations

import json
import math

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.display import rendering


def test_arrays_are_decoded_and_rounded_to_six_digits() -> None:
    figure = go.Figure(go.Scatter(x=np.arange(3), y=np.array([1 / 3, 2e-7 / 3, np.nan])))
    data = rendering.figure_json(figure)["data"][0]
    assert data["x"] == [0, 1, 2]
    assert data["y"] == [0.333333, 6.66667e-08, None]


def test_matrices_keep_their_shape() -> None:
    figure = go.Figure(go.Heatmap(z=np.arange(6.0).reshape(2, 3)))
    assert rendering.figure_json(figure)["data"][0]["z"] == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=20))
def test_rounding_keeps_six_digits_and_forgets_the_last_place(values: list[float]) -> None:
    for before, after in zip(values, rendering.stable(values), strict=True):
        if not math.isfinite(before):
            assert after is None
        else:
            assert after == pytest.approx(before, rel=5.1e-6, abs=0)
            assert rendering.stable(after) == after


def test_keys_are_sorted_so_that_order_of_making_does_not_show() -> None:
    assert json.dumps(rendering.stable({"b": 1, "a": {"d": 2, "c": 3}})) == '{"a": {"c": 3, "d": 2}, "b": 1}'


def test_the_renderer_is_the_default_and_puts_words_beside_the_figure() -> None:
    rendering.use_stable_renderer()
    rendering.use_stable_renderer()
    assert pio.renderers.default == "winloss"
    figure = go.Figure(go.Scatter(y=[1, 2]), layout={"meta": {"alt": "two dots"}})
    bundle = pio.renderers["winloss"].to_mimebundle(figure.to_dict())
    assert set(bundle) == {"application/vnd.plotly.v1+json", "text/plain"}
    assert bundle["text/plain"] == "[figure] two dots"
    assert "uid" not in json.dumps(bundle)
