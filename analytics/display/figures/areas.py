"""Bands of a stacked incidence, their intervals, and the numbers at risk under them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.curves import steps
from analytics.display.figures.sheet import (
    note,
)
from analytics.display.figures.stacks import Stack, at_risk, ends

AT_RISK = "at risk: still open and observed"


def areas(stack: Stack) -> list[Any]:
    """Return one band per outcome, stacked in the fixed order, and what is still open on top."""
    table = stack.table
    outcomes = theme.in_order(table.columns)
    kept = steps(table)
    traces = []
    for outcome in [*outcomes, "open"]:
        values = table[outcome] if outcome != "open" else (1 - table.sum(axis=1)).clip(lower=0)
        rows = stack.rows.get(outcome)
        traces.append(
            go.Scatter(
                x=table.index[kept].tolist(),
                y=values.to_numpy()[kept].tolist(),
                name=theme.outcome_name(outcome),
                mode="lines",
                line={"shape": "hv", "width": 0.8, "color": theme.PAPER},
                fillcolor=theme.colour(outcome),
                stackgroup=f"s{stack.axis}",
                xaxis=f"x{stack.axis}",
                yaxis=f"y{stack.axis}",
                hovertemplate=wording.safe(theme.outcome_name(outcome)) + " %{hovertext}<br>day %{x}<extra></extra>",
                hovertext=_hover(values, rows, kept, stack.n),
            )
        )
    return traces


def _hover(values: pd.Series, rows: pd.DataFrame | None, kept: Any, n: float) -> list[str]:
    if rows is None:
        return [wording.percent(value, n) for value in values.to_numpy()[kept]]
    at = rows.set_index("time")[["estimate", "conf_low", "conf_high"]].reindex(values.index).ffill().to_numpy()[kept]
    return [wording.percent_interval(value, low, high, n) for value, low, high in at]


def whiskers(stack: Stack, reach: float) -> list[Any]:
    """Interval of each band's thickness on the last day, standing on the foot of its band, beside one another."""
    traces, foot = [], 0.0
    for i, (outcome, (value, low, high)) in enumerate(ends(stack).items()):
        if math.isfinite(low) and math.isfinite(high):
            traces.append(
                go.Scatter(
                    x=[stack.last + reach * (0.014 + 0.016 * i)],
                    y=[foot + value],
                    xaxis=f"x{stack.axis}",
                    yaxis=f"y{stack.axis}",
                    mode="markers",
                    marker={"size": 5, "color": theme.colour(outcome)},
                    error_y={
                        "type": "data",
                        "symmetric": False,
                        "array": [high - value],
                        "arrayminus": [value - low],
                        "color": theme.colour(outcome),
                        "thickness": 1.5,
                        "width": 3,
                    },
                    customdata=[[value, low, high]],
                    hoverinfo="skip",
                )
            )
        foot += value
    return traces


def below(stack: Stack, ticks: Sequence[int], *, heading: bool = True) -> list[dict[str, Any]]:
    """Return the numbers at risk under the axis of a stratum, with their heading."""
    grey, x, y = {"size": 11, "color": theme.QUIET}, f"x{stack.axis}", f"y{stack.axis} domain"
    numbers = [
        note(text, x=tick, y=0, xref=x, yref=y, yshift=-58, xanchor="center", font=grey)
        for tick, text in zip(ticks, at_risk(stack, ticks), strict=True)
        if text
    ]
    if not heading or not numbers:
        return numbers
    word = AT_RISK if stack.axis == "" else "at risk"
    return [*numbers, note(word, x=0, y=0, xref=f"{x} domain", yref=y, yshift=-42, font=grey)]


def days_axis(last: float, ticks: Sequence[int]) -> dict[str, Any]:
    """Return an axis of days with room at its end for the intervals."""
    return {
        "tickmode": "array",
        "tickvals": list(ticks),
        "ticktext": [wording.count(tick) for tick in ticks],
        "range": [0, last * 1.08 if last > 0 else 1],
        "ticks": "outside",
        "ticklen": 4,
        "fixedrange": True,
    }
