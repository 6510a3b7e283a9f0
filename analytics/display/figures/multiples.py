"""Small multiples of the stacked incidence: one panel per cohort or segment, one column on a phone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.areas import areas, below, days_axis, whiskers
from analytics.display.figures.sheet import (
    Space,
    Words,
    day_ticks,
    listed,
    note,
    percent_axis,
    sheet,
)
from analytics.display.figures.stacks import Stack, ends, said

PANEL, PANEL_HEAD, PANEL_FOOT = 150, 92, 72  # pixels of one panel: plot, words above, axis and numbers below


def multiples(stacks: Sequence[Stack], title: str, subtitle: str, caption: str) -> go.Figure:
    """Draw one panel per stratum on common axes, two or three in a row, one in a row on a phone."""
    columns = 2 if len(stacks) in (2, 4) else 3
    reach = max(stack.last for stack in stacks)
    wide, wide_height = _domains(len(stacks), columns)
    tight, tight_height = _domains(len(stacks), 1)
    layout: dict[str, Any] = {"annotations": []}
    for stack, (x, y) in zip(stacks, wide, strict=True):
        ticks = day_ticks(reach)[:: 2 if len(day_ticks(reach)) > 4 else 1]
        layout[f"xaxis{stack.axis}"] = {**days_axis(reach, ticks), "domain": x, "anchor": f"y{stack.axis}"}
        shares = percent_axis(0, 1) | {"tickvals": [0, 0.5, 1], "ticktext": [wording.percent(v) for v in (0, 0.5, 1)]}
        layout[f"yaxis{stack.axis}"] = {**shares, "domain": y, "anchor": f"x{stack.axis}", "fixedrange": True}
        layout["annotations"] += [*below(stack, ticks), _head(stack)]
    narrow: dict[str, Any] = {"height": tight_height + 8, "margin.l": 44}
    for stack, (x, y) in zip(stacks, tight, strict=True):
        narrow |= {f"xaxis{stack.axis}.domain": x, f"yaxis{stack.axis}.domain": y}
    level = "Days after opening; the bars at the right edge are the intervals of each band's thickness on the last day."
    words = Words(title, subtitle, f"{caption} {level}", f"{title}. {listed(said(stack) for stack in stacks)}.")
    traces = [trace for stack in stacks for trace in [*areas(stack), *whiskers(stack, reach)]]
    return sheet(traces, layout, words, Space(wide_height, left=44, right=8, bottom=0, widest=980), narrow)


def _domains(n: int, columns: int) -> tuple[list[tuple[list[float], list[float]]], int]:
    """Axis domains of n panels and the height of all of them in pixels."""
    rows = math.ceil(n / columns)
    cell = PANEL + PANEL_HEAD + PANEL_FOOT
    height = rows * cell
    gap = 0.055 if columns > 1 else 0.0
    width = (1 - gap * (columns - 1)) / columns
    found = []
    for i in range(n):
        row, column = divmod(i, columns)
        top = row * cell + PANEL_HEAD
        x = [round(column * (width + gap), 5), round(column * (width + gap) + width, 5)]
        found.append((x, [round(1 - (top + PANEL) / height, 5), round(1 - top / height, 5)]))
    return found, height


def _head(stack: Stack) -> dict[str, Any]:
    """Words above a panel: its name with n, then every outcome with its interval; they serve as its legend."""
    size = f" {wording.quiet('n ' + wording.count(stack.n))}" if math.isfinite(stack.n) else ""
    remark = wording.quiet(f" · {wording.safe(stack.remark)}") if stack.remark else ""
    lines = [wording.bold(wording.safe(stack.name, 34)) + size + remark]
    for outcome, (value, low, high) in ends(stack).items():
        mark = f'<span style="color:{theme.colour(outcome)}">■</span>'
        lines.append(f"{mark} {theme.outcome_name(outcome)} {wording.percent_interval(value, low, high, stack.n)}")
    x, y = f"x{stack.axis} domain", f"y{stack.axis} domain"
    return note("<br>".join(lines), x=0, y=1, xref=x, yref=y, yshift=6, yanchor="bottom", font={"size": 12})
