"""One quarter against another: two incidence curves with bands, and below them their differences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.changes import KNOWN
from analytics.display.figures.curves import band, mark
from analytics.display.figures.sheet import (
    Outcome,
    Space,
    Words,
    answers_or_sentence,
    day_ticks,
    faint,
    listed,
    note,
    percent_axis,
    records,
    sheet,
    size_of,
)
from analytics.display.figures.stacks import spread
from analytics.estimators.result import Estimate

CURVES, GAP, ROW = 250, 92, 40  # pixels: curves, axis with numbers at risk below them, one row of differences


@answers_or_sentence
def plot_two_periods(
    now: Estimate,
    then: Estimate,
    change: Estimate | None = None,
    *,
    names: tuple[str, str] = ("this quarter", "the quarter before"),
    outcome: Outcome = "won",
    title: str = "",
) -> go.Figure:
    """Draw one outcome's incidence in two quarters, with bands, and below it their difference at the horizon.

    Parameters
    ----------
    now, then : Estimate
        Kind incidence, keys (outcome, time), as from `questions.quarter.period_incidence`.
    change : Estimate, optional
        From `questions.quarter.against`; its rows `compared_to == names[1]`, as known then, give the difference panel.
    names : tuple of str
        The two quarters, the present one first.
    outcome : str
        Outcome that is drawn.
    title : str
        Heading; by default the outcome and the two quarters.

    Examples
    --------
    >>> from analytics import count_events, cumulative_incidence
    >>> deals = pd.DataFrame({"entry": -1, "exit": [3, 9, 9, 12], "outcome": ["won", "lost", "open", "won"]})
    >>> given = cumulative_incidence(count_events(deals))
    >>> plot_two_periods(given, given, names=("2025Q4", "2025Q3")).layout.meta["title"]
    'Won: 2025Q4 against 2025Q3'
    """
    curves = [_curve(now, outcome), _curve(then, outcome)]
    looks = [(theme.colour(outcome), "solid"), (theme.QUIET, "dash")]
    differences = _differences(change, names[1])
    title = title or f"{theme.outcome_name(outcome)}: {names[0]} against {names[1]}"
    below = len(differences) * ROW
    height = CURVES + GAP + (below + 18 if differences else 0)
    reach = max(float(curve["time"].iloc[-1]) for curve in curves)
    layout = _curves_layout(curves, names, reach, (1 - CURVES / height, 1.0))
    traces = [
        t for curve, look in zip(curves, looks, strict=True) for t in band(curve, *look, "day %{x}: %{hovertext}")
    ]
    sizes = [size_of(estimate, curve) for estimate, curve in zip((now, then), curves, strict=True)]
    layout["annotations"] += _end_labels(curves, names, sizes, looks)
    said = [f"{name}: {_last(curve, n)}" for name, curve, n in zip(names, curves, sizes, strict=True)]
    if differences:
        more, axes, notes, texts = _difference_panel(differences, below / height)
        traces += more
        layout = {**layout, **axes, "annotations": layout["annotations"] + notes}
        said += texts
    words = Words(title, f"Solid: {names[0]}; dashed: {names[1]}", _caption(now, change), f"{title}. {listed(said)}.")
    bottom = 40 if differences else 0
    space = Space(height, left=46, right=146, bottom=bottom, top=10, widest=760)
    return sheet(traces, layout, words, space, {"margin.l": 42, "margin.r": 142})


def _caption(now: Estimate, change: Estimate | None) -> str:
    caption = wording.provenance(now.meta)
    return caption + (" Below: differences in percentage points; shaded: too small to matter." if change else "")


def _curve(estimate: Estimate, outcome: str) -> pd.DataFrame:
    frame = estimate.frame[(estimate.frame["outcome"] == outcome) & estimate.frame["estimate"].notna()]
    if frame.empty:
        raise ValueError(f"there is nothing to draw: the incidence has no row with the outcome {outcome!r}")
    return frame.sort_values("time", kind="stable").reset_index(drop=True)


def _last(curve: pd.DataFrame, n: float) -> str:
    row = curve.iloc[-1]
    share = wording.percent_interval(float(row["estimate"]), float(row["conf_low"]), float(row["conf_high"]), n)
    return f"{share} by day {row['time']:.0f}, n {wording.count(n)}"


def _curves_layout(
    curves: list[pd.DataFrame], names: tuple[str, str], reach: float, domain: tuple[float, float]
) -> dict[str, Any]:
    ticks = day_ticks(reach)
    top = max(float(curve["conf_high"].max(skipna=True)) for curve in curves)
    top = min(1.0, (top if math.isfinite(top) else 1.0) * 1.08)
    grey = {"size": 11, "color": theme.QUIET}
    where: dict[str, Any] = {"yref": "y domain", "y": 0, "font": grey}
    notes = [
        note("days after opening", x=1, xanchor="right", yshift=-28, **where),
        note("at risk", x=0, yshift=-28, **where),
    ]
    for i, (curve, name) in enumerate(zip(curves, names, strict=True)):
        notes.append(note(wording.safe(name, 18), x=1, xshift=20, yshift=-44 - 15 * i, **where))
        for tick in ticks:
            after = curve[curve["time"] >= tick]
            if len(after) and "n_risk" in curve.columns:
                text = wording.count(float(after["n_risk"].iloc[0]))
                notes.append(note(text, x=tick, xref="x", xanchor="center", yshift=-44 - 15 * i, **where))
    axis = {
        "tickmode": "array",
        "tickvals": ticks,
        "ticks": "outside",
        "ticklen": 4,
        "range": [0, reach],
        "anchor": "y",
    }
    shares = {**percent_axis(0, top), "domain": list(domain), "showgrid": True, "fixedrange": True}
    return {"xaxis": {**axis, "fixedrange": True}, "yaxis": shares, "annotations": notes}


def _end_labels(
    curves: list[pd.DataFrame], names: tuple[str, str], sizes: list[float], looks: list[tuple[str, str]]
) -> list[dict[str, Any]]:
    top = max(float(curve["conf_high"].max(skipna=True)) for curve in curves)
    top = min(1.0, (top if math.isfinite(top) else 1.0) * 1.08)
    order = sorted(range(2), key=lambda i: float(curves[i]["estimate"].iloc[-1]))
    heights = spread([float(curves[i]["estimate"].iloc[-1]) for i in order], 40 / CURVES * top, 0.0, top)
    found = []
    for i, height in zip(order, heights, strict=True):
        row, n = curves[i].iloc[-1], sizes[i]
        share = wording.percent_interval(float(row["estimate"]), float(row["conf_low"]), float(row["conf_high"]), n)
        text = f"{mark(*looks[i])} {wording.bold(wording.safe(names[i], 18))}<br>{share}"
        found.append(note(text, x=1, y=height, yref="y", xshift=8))
    return found


def _differences(change: Estimate | None, name: str) -> list[dict[str, Any]]:
    if change is None:
        return []
    frame = change.frame[(change.frame["compared_to"].astype(str) == name) & (change.frame["view"] == KNOWN)]
    frame = frame[frame["estimate"].notna()]
    found = {str(record["outcome"]): record for record in records(frame)}
    return [found[outcome] for outcome in theme.in_order(found)]


def _difference_panel(
    changes: list[dict[str, Any]], top: float
) -> tuple[list[Any], dict[str, Any], list[dict[str, Any]], list[str]]:
    """Traces, axes with shapes, labels and words of the differences, one row per outcome."""
    traces, notes, said = [], [], []
    for i, record in enumerate(changes):
        name, text = theme.outcome_name(record["outcome"]), _points(record)
        traces.append(_difference(record, i, f"{name}: {text} points"))
        notes.append(note(f"{wording.bold(name)}<br>{wording.quiet(text)}", x=1, y=i, yref="y2", xshift=8))
        verdict = str(record.get("verdict") or "")
        said.append(f"difference in {name.lower()} {text} points" + (f", {verdict}" if verdict else ""))
    ends = [abs(float(r[name])) for r in changes for name in ("estimate", "conf_low", "conf_high") if pd.notna(r[name])]
    wide = max([*ends, *[_margin(record) for record in changes]]) * 1.15 or 0.1
    rows = {"domain": [0, top], "range": [len(changes) - 0.5, -0.5], "visible": False}
    title = {"text": "difference at the horizon, percentage points"}
    axes = {
        "xaxis2": {**percent_axis(-wide, wide, signed=True), "anchor": "y2", "fixedrange": True, "title": title},
        "yaxis2": {**rows, "anchor": "x2", "fixedrange": True},
        "shapes": _margin_shapes(changes),
    }
    return traces, axes, notes, said


def _margin(record: Mapping[str, Any]) -> float:
    return float(record["margin"]) if pd.notna(record.get("margin")) else 0.0


def _points(record: Mapping[str, Any]) -> str:
    return wording.points_interval(float(record["estimate"]), float(record["conf_low"]), float(record["conf_high"]))


def _difference(record: Mapping[str, Any], row: int, hover: str) -> Any:
    value, low, high = (float(record[name]) for name in ("estimate", "conf_low", "conf_high"))
    if not (math.isfinite(low) and math.isfinite(high)):
        low = high = value
    tint = theme.colour(record["outcome"])
    error = {"type": "data", "symmetric": False, "array": [high - value], "arrayminus": [value - low]}
    error |= {"color": faint(tint, 0.5), "thickness": 4, "width": 0}
    look = {"color": tint, "size": 10, "symbol": theme.MARKERS.get(str(record["outcome"]), "circle")}
    place = {"x": [value], "y": [row], "xaxis": "x2", "yaxis": "y2"}
    return go.Scatter(**place, mode="markers", marker=look, error_x=error, hovertext=[hover], hoverinfo="text")


def _margin_shapes(changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Regions that are too small to matter, and the line of no difference."""
    below = {"layer": "below", "xref": "x2"}
    block = {**below, "type": "rect", "yref": "y2", "fillcolor": theme.TINT, "line": {"width": 0}}
    shapes = [
        {**block, "x0": -_margin(record), "x1": _margin(record), "y0": i - 0.4, "y1": i + 0.4}
        for i, record in enumerate(changes)
    ]
    line = {"color": theme.QUIET, "width": 1}
    return [*shapes, {**below, "type": "line", "yref": "y2 domain", "x0": 0, "x1": 0, "y0": 0, "y1": 1, "line": line}]
