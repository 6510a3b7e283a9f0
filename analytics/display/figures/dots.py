"""Rows of dots and intervals: the label at the left (above the row on a phone), the figure with its n at the right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.sheet import LINE, Space, Words, faint, note, percent_axis, sheet


@dataclass(frozen=True)
class Dot:
    """One dot with its interval; `hollow` where the number is not to be read without its note."""

    value: float
    low: float
    high: float
    colour: str = theme.COLOURS["won"]
    marker: str = "circle"
    hollow: bool = False
    lift: float = 0.0  # share of a row above its middle
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
    bold: bool = False
    lines: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Columns:
    """Widths: characters of the label column, pixels of the label and figure columns."""

    characters: int = 34
    left: int = 250
    right: int = 122
    signed: bool = False
    zero: bool = True
    axis: str = ""


def dot_rows(
    rows: Sequence[Row], words: Words, columns: Columns | None = None, shapes: Sequence[Any] = ()
) -> go.Figure:
    """Draw rows from top to bottom on one axis."""
    columns = columns or Columns()
    rows = [_with_lines(row, columns.characters) for row in rows]
    tall = max([len(row.lines) for row in rows], default=1)
    has_head = any(row.head for row in rows)
    height = max(34, LINE * tall + 14) + (LINE if has_head else 0)
    low, high = _range(rows, columns.signed)
    bottom = 44 if columns.axis else 30
    layout = {
        "xaxis": {
            **percent_axis(low, high, signed=columns.signed),
            "showgrid": True,
            "title": {"text": wording.safe(columns.axis)},
            "fixedrange": True,
        },
        "yaxis": {"range": [len(rows) - 0.5, -0.5], "visible": False, "fixedrange": True},
        "annotations": _annotations(rows, columns, narrow=False, tall=tall),
        "shapes": [*_margins(rows, low, high), *_zero(columns.signed), *shapes],
    }
    tight = LINE * tall + 34 + (LINE if has_head else 0)
    below = 17 / tight
    narrow = {
        "annotations": _annotations(rows, columns, narrow=True, tall=tall),
        "height": 8 + tight * len(rows) + bottom,
        "margin.l": 8,
        "margin.r": min(columns.right, 112),
        "yaxis.range": [len(rows) - 1 + below, -(1 - below)],
    }
    space = Space(height * len(rows), left=columns.left, right=columns.right, bottom=bottom, widest=780)
    return sheet(_traces(rows), layout, words, space, narrow)


def _with_lines(row: Row, characters: int) -> Row:
    label = wording.wrapped(row.label, characters, 2)
    lines = [wording.bold(line) if row.bold else line for line in label]
    if row.under:
        lines += [wording.quiet(line) for line in wording.wrapped(row.under, characters + 4, 3)]
    return Row(**{**row.__dict__, "lines": tuple(lines)})


def _range(rows: Sequence[Row], signed: bool) -> tuple[float, float]:
    ends = [v for row in rows for d in row.dots for v in (d.value, d.low, d.high) if math.isfinite(v)]
    ends += [v for row in rows if row.margin for v in (row.margin, -row.margin)] if signed else []
    if signed:
        wide = max([abs(v) for v in ends], default=0.1) * 1.08 or 0.1
        return -wide, wide
    return 0.0, min(1.02, max([*ends, 0.05]) * 1.06)


def _traces(rows: Sequence[Row]) -> list[Any]:
    """One trace per look, so that hover and the drawn order follow the rows."""
    looks: dict[tuple[str, str, bool], list[tuple[int, Dot]]] = {}
    for i, row in enumerate(rows):
        for dot in row.dots:
            if math.isfinite(dot.value):
                looks.setdefault((dot.colour, dot.marker, dot.hollow), []).append((i, dot))
    traces = []
    for (colour, marker, hollow), dots in looks.items():
        known = [
            (d.low, d.high) if math.isfinite(d.low) and math.isfinite(d.high) else (d.value, d.value) for _, d in dots
        ]
        traces.append(
            go.Scatter(
                x=[d.value for _, d in dots],
                y=[i - d.lift for i, d in dots],
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
                    "array": [high - d.value for (_, d), (_, high) in zip(dots, known, strict=True)],
                    "arrayminus": [d.value - low for (_, d), (low, _) in zip(dots, known, strict=True)],
                    "color": faint(colour, 0.35 if hollow else 0.5),
                    "thickness": 4,
                    "width": 0,
                },
                customdata=[[d.low, d.high] for _, d in dots],
                hovertext=[d.hover for _, d in dots],
                hoverinfo="text",
                cliponaxis=False,
            )
        )
    return traces


def _annotations(rows: Sequence[Row], columns: Columns, *, narrow: bool, tall: int) -> list[dict[str, Any]]:
    found = []
    right = min(columns.right, 112) if narrow else columns.right
    for i, row in enumerate(rows):
        place: dict[str, Any] = {"yref": "y", "y": i, "x": 0}
        place |= {"yshift": 13, "yanchor": "bottom"} if narrow else {"xshift": 8 - columns.left}
        found.append(note("<br>".join(row.lines), **place))
        if row.head:
            lift = 13 + LINE * len(row.lines) + 4 if narrow else LINE * tall / 2 + 4
            shift = 0 if narrow else 8 - columns.left
            head = wording.quiet(wording.safe(row.head, 60))
            found.append(note(head, x=0, y=i, yref="y", yshift=lift, xshift=shift, yanchor="bottom"))
        value = wording.bold(row.value) if row.bold else row.value
        text = value + (f"<br>{wording.quiet(row.size)}" if row.size else "")
        found.append(note(text, x=1, y=i, yref="y", xshift=right, xanchor="right", align="right"))
    return found


def _margins(rows: Sequence[Row], low: float, high: float) -> list[dict[str, Any]]:
    return [
        {
            "type": "rect",
            "layer": "below",
            "x0": max(low, -row.margin),
            "x1": min(high, row.margin),
            "y0": i - 0.42,
            "y1": i + 0.42,
            "fillcolor": theme.TINT,
            "line": {"width": 0},
        }
        for i, row in enumerate(rows)
        if row.margin
    ]


def _zero(signed: bool) -> list[dict[str, Any]]:
    if not signed:
        return []
    line = {"color": theme.QUIET, "width": 1}
    return [{"type": "line", "layer": "below", "x0": 0, "x1": 0, "yref": "paper", "y0": 0, "y1": 1, "line": line}]
