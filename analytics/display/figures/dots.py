"""Rows of dots and intervals: the label at the left (above the row on a phone), the figure with its n at the right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.rows import Rows, Text, placed
from analytics.display.figures.sheet import Space, Words, faint, percent_axis, ratio_axis, sheet


@dataclass(frozen=True)
class Dot:
    """One dot with its interval; `hollow` where the number is not to be read without its note."""

    value: float
    low: float
    high: float
    colour: str = theme.COLOURS["won"]
    marker: str = "circle"
    hollow: bool = False
    lift: float = 0.0  # pixels above the middle of its row
    hover: str = ""


@dataclass(frozen=True)
class Row:
    """One row: label and a quiet second text at the left, one or more dots, figure and size at the right."""

    label: str
    dots: tuple[Dot, ...]
    value: str
    size: str = ""
    under: str = ""
    margin: float | None = None  # half width of the region that is too small to matter
    head: str = ""  # a group heading above this row


@dataclass(frozen=True)
class Columns:
    """Widths: characters of the label column, pixels of the label and figure columns; what the axis shows."""

    characters: int = 34
    left: int = 250
    right: int = 140
    signed: bool = False
    axis: str = ""
    ratios: bool = False  # values are log ratios


def dot_rows(
    rows: Sequence[Row], words: Words, columns: Columns | None = None, shapes: Sequence[Any] = ()
) -> go.Figure:
    """Draw rows from top to bottom on one axis."""
    columns = columns or Columns()
    low, high = _range(rows, columns.signed or columns.ratios)
    bottom = 46 if columns.axis else 30
    least = [42 + 9 * max(0, len(row.dots) - 2) for row in rows]
    place = placed([_text(row, columns.characters) for row in rows], columns.left, columns.right, least=least)
    layout = {
        "xaxis": {
            **(ratio_axis(low, high) if columns.ratios else percent_axis(low, high, signed=columns.signed)),
            "showgrid": True,
            "title": {"text": wording.safe(columns.axis)},
            "fixedrange": True,
        },
        "yaxis": place.axis(),
        "annotations": place.annotations(),
        "shapes": [*_margins(rows, place.wide, low, high), *_zero(columns.signed or columns.ratios), *shapes],
    }
    traces, tight = _traces(rows, place)
    narrow = {
        **place.narrow(bottom),
        "shapes": [*_margins(rows, place.tight, low, high), *_zero(columns.signed or columns.ratios), *shapes],
        **{f"data.{i}.y": heights for i, heights in enumerate(tight)},
    }
    space = Space(place.wide_height, left=columns.left, right=columns.right, bottom=bottom, widest=780)
    return sheet(traces, layout, words, space, narrow)


def _text(row: Row, characters: int) -> Text:
    lines = wording.wrapped(row.label, characters, 2)
    if row.under:
        lines += [wording.quiet(line) for line in wording.wrapped(row.under, characters + 6, 7)]
    return Text(lines, row.value + (f"<br>{wording.quiet(row.size)}" if row.size else ""), row.head)


def _range(rows: Sequence[Row], signed: bool) -> tuple[float, float]:
    ends = [v for row in rows for d in row.dots for v in (d.value, d.low, d.high) if math.isfinite(v)]
    ends += [v for row in rows if row.margin for v in (row.margin, -row.margin)] if signed else []
    if signed:
        wide = max([abs(v) for v in ends], default=0.1) * 1.08 or 0.1
        return -wide, wide
    return 0.0, min(1.02, max([*ends, 0.05]) * 1.06)


def _traces(rows: Sequence[Row], place: Rows) -> tuple[list[Any], list[list[float]]]:
    """One trace per look, so that the drawn order follows the rows; beside them their heights on a phone."""
    looks: dict[tuple[str, str, bool], list[tuple[int, Dot]]] = {}
    for i, row in enumerate(rows):
        for dot in row.dots:
            if math.isfinite(dot.value):
                looks.setdefault((dot.colour, dot.marker, dot.hollow), []).append((i, dot))
    traces, tight = [], []
    for look, dots in looks.items():
        tight.append([place.tight[i] - dot.lift for i, dot in dots])
        traces.append(_trace(look, [dot for _, dot in dots], [place.wide[i] - dot.lift for i, dot in dots]))
    return traces, tight


def _trace(look: tuple[str, str, bool], dots: Sequence[Dot], heights: list[float]) -> Any:
    colour, marker, hollow = look
    known = [math.isfinite(d.low) and math.isfinite(d.high) for d in dots]
    return go.Scatter(
        x=[d.value for d in dots],
        y=heights,
        mode="markers",
        marker={
            "color": theme.PAPER if hollow else colour,
            "line": {"color": colour, "width": 2 if hollow else 0},
            "size": 10,
            "symbol": marker,
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [d.high - d.value if sure else 0.0 for d, sure in zip(dots, known, strict=True)],
            "arrayminus": [d.value - d.low if sure else 0.0 for d, sure in zip(dots, known, strict=True)],
            "color": faint(colour, 0.35 if hollow else 0.5),
            "thickness": 4,
            "width": 0,
        },
        customdata=[[d.low, d.high] for d in dots],
        hovertext=[d.hover for d in dots],
        hoverinfo="text",
        cliponaxis=False,
    )


def _margins(rows: Sequence[Row], middles: Sequence[float], low: float, high: float) -> list[dict[str, Any]]:
    return [
        {
            "type": "rect",
            "layer": "below",
            "x0": max(low, -row.margin),
            "x1": min(high, row.margin),
            "y0": middle - 17,
            "y1": middle + 17,
            "fillcolor": theme.TINT,
            "line": {"width": 0},
        }
        for row, middle in zip(rows, middles, strict=True)
        if row.margin
    ]


def _zero(signed: bool) -> list[dict[str, Any]]:
    if not signed:
        return []
    line = {"color": theme.QUIET, "width": 1}
    return [{"type": "line", "layer": "below", "x0": 0, "x1": 0, "yref": "paper", "y0": 0, "y1": 1, "line": line}]
