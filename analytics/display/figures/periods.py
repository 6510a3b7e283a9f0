"""One quarter against another: incidence curves with bands, and differences over what is too small to matter."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.dots import Columns, Dot, Row, dot_rows
from analytics.display.figures.sheet import (
    Space,
    Words,
    answers_or_sentence,
    day_ticks,
    faint,
    listed,
    note,
    percent_axis,
    sheet,
    size_of,
)
from analytics.display.figures.stacks import spread
from analytics.estimators.result import Estimate

CURVES, GAP, ROW = 250, 92, 40  # pixels: curves, axis with numbers at risk below them, one row of differences
KNOWN = "as known then"


@answers_or_sentence
def plot_against(
    change: Estimate, *, title: str = "Against earlier quarters", subtitle: str = "Difference in percentage points"
) -> go.Figure:
    """Draw the change of each outcome with its interval, over the region that is too small to matter.

    Parameters
    ----------
    change : Estimate
        From `questions.quarter.against`: keys (compared_to, view, outcome), columns estimate_now, estimate_then,
        margin, smallest_reliable_change, verdict. Filled dots: as known at the same lag; hollow: restated with what is
        known now.
    title, subtitle : str
        Heading and the line under it.
    """
    rows, said = [], []
    for quarter, group in change.frame.groupby("compared_to", sort=False):
        for i, outcome in enumerate(theme.in_order(group["outcome"])):
            views = {str(r["view"]): r for r in group[group["outcome"] == outcome].to_dict("records")}
            row = _change_row(outcome, views)
            rows.append(Row(**{**row.__dict__, "head": f"against {quarter}" if i == 0 else ""}))
            said.append(f"{row.label} against {quarter}: {row.value} points, {row.under}")
    caption = wording.provenance(change.meta)
    caption += (
        " Shaded: too small to matter, as set in the params. Filled: as known at the same lag after each quarter's end"
    )
    caption += "; hollow: restated with what is known now." if (change.frame["view"] != KNOWN).any() else "."
    words = Words(title, subtitle, caption, f"{title}. {listed(said)}.")
    return dot_rows(rows, words, Columns(characters=36, left=262, right=158, signed=True, axis="percentage points"))


def _change_row(outcome: str, views: Mapping[str, Mapping[str, Any]]) -> Row:
    first = views.get(KNOWN) or next(iter(views.values()))
    dots = []
    for view, record in views.items():
        value, low, high = (float(record[name]) for name in ("estimate", "conf_low", "conf_high"))
        hover = (
            f"{theme.outcome_name(outcome)}, {wording.safe(view)}: {wording.points_interval(value, low, high)} points"
        )
        look: dict[str, Any] = {"marker": theme.MARKERS.get(outcome, "circle"), "hover": hover}
        lift = 0.0 if len(views) == 1 else (0.14 if view == KNOWN else -0.14)
        dots.append(Dot(value, low, high, colour=theme.colour(outcome), hollow=view != KNOWN, lift=lift, **look))
    value, low, high = (float(first[name]) for name in ("estimate", "conf_low", "conf_high"))
    now, then = (_share(first, name) for name in ("estimate_now", "estimate_then"))
    # The size of the figure in words: from what to what, the verdict, and what would reliably have been shown.
    verdict = str(first.get("verdict") or "")
    under = f"{now} now, {then} then" + (f": {verdict}" if verdict else "")
    smallest = first.get("smallest_reliable_change")
    size = f"would show from ±{100 * float(smallest):.1f}" if smallest is not None and pd.notna(smallest) else ""
    figure = wording.points_interval(value, low, high) if math.isfinite(value) else "–"
    margin = first.get("margin")
    known = float(margin) if margin is not None and pd.notna(margin) else None
    return Row(theme.outcome_name(outcome), tuple(dots), figure, size, under, margin=known)


def _share(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    return wording.percent(float(value)) if value is not None and pd.notna(value) else "–"


@answers_or_sentence
def plot_two_periods(
    now: Estimate,
    then: Estimate,
    change: Estimate | None = None,
    *,
    names: tuple[str, str] = ("this quarter", "the quarter before"),
    outcome: str = "won",
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
    """
    curves = [_curve(now, outcome), _curve(then, outcome)]
    differences = _differences(change, names[1])
    title = title or f"{theme.outcome_name(outcome)}: {names[0]} against {names[1]}"
    below = len(differences) * ROW
    height = CURVES + GAP + (below + 18 if differences else 0)
    reach = max(float(curve["time"].iloc[-1]) for curve in curves)
    layout = _curves_layout(curves, names, reach, (1 - CURVES / height, 1.0))
    traces = [t for i, curve in enumerate(curves) for t in _band(curve, theme.colour(outcome), second=i == 1)]
    sizes = [size_of(estimate, curve) for estimate, curve in zip((now, then), curves, strict=True)]
    layout["annotations"] += _end_labels(curves, names, sizes)
    said = [f"{name}: {_last(curve, n)}" for name, curve, n in zip(names, curves, sizes, strict=True)]
    if differences:
        more, axes, notes, texts = _difference_panel(differences, below / height)
        traces += more
        layout = {**layout, **axes, "annotations": layout["annotations"] + notes}
        said += texts
    words = Words(title, f"Solid: {names[0]}; dashed: {names[1]}", _caption(now, change), f"{title}. {listed(said)}.")
    bottom = 40 if differences else 0
    space = Space(height, left=46, right=132, bottom=bottom, top=10, widest=760)
    return sheet(traces, layout, words, space, {"margin.l": 42, "margin.r": 118})


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


def _band(curve: pd.DataFrame, colour: str, *, second: bool) -> list[Any]:
    columns = curve[["estimate", "conf_low", "conf_high"]]
    changes = (columns.diff().abs() > 0).any(axis=1).to_numpy()
    changes[[0, -1]] = True
    kept = curve[changes]
    times = kept["time"].tolist()
    shared = {"x": times, "mode": "lines", "xaxis": "x", "yaxis": "y"}
    edge = {"shape": "hv", "width": 0}
    hover = [
        f"day {t:g}: {wording.percent_interval(*map(float, row))}"
        for t, row in zip(times, kept[["estimate", "conf_low", "conf_high"]].to_numpy(), strict=True)
    ]
    return [
        go.Scatter(**shared, y=kept["conf_low"].tolist(), line=edge, hoverinfo="skip"),
        go.Scatter(
            **shared,
            y=kept["conf_high"].tolist(),
            line=edge,
            fill="tonexty",
            fillcolor=faint(theme.QUIET if second else colour, 0.16),
            hoverinfo="skip",
        ),
        go.Scatter(
            **shared,
            y=kept["estimate"].tolist(),
            line={
                "shape": "hv",
                "width": 2,
                "color": colour if not second else theme.QUIET,
                "dash": "dash" if second else "solid",
            },
            hovertext=hover,
            hoverinfo="text",
        ),
    ]


def _curves_layout(
    curves: list[pd.DataFrame], names: tuple[str, str], reach: float, domain: tuple[float, float]
) -> dict[str, Any]:
    ticks = day_ticks(reach)
    top = max(float(curve["conf_high"].max(skipna=True)) for curve in curves)
    top = min(1.0, (top if math.isfinite(top) else 1.0) * 1.08)
    grey = {"size": 11, "color": theme.QUIET}
    where = {"yref": "y domain", "y": 0, "font": grey}
    notes = [
        note("days after opening", x=1, xanchor="right", yshift=-28, **where),
        note("at risk", x=0, yshift=-28, **where),
    ]
    for i, (curve, name) in enumerate(zip(curves, names, strict=True)):
        notes.append(note(wording.safe(name, 18), x=1, xshift=8, yshift=-44 - 15 * i, **where))
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


def _end_labels(curves: list[pd.DataFrame], names: tuple[str, str], sizes: list[float]) -> list[dict[str, Any]]:
    top = max(float(curve["conf_high"].max(skipna=True)) for curve in curves)
    top = min(1.0, (top if math.isfinite(top) else 1.0) * 1.08)
    order = sorted(range(2), key=lambda i: float(curves[i]["estimate"].iloc[-1]))
    heights = spread([float(curves[i]["estimate"].iloc[-1]) for i in order], 34 / CURVES * top, 0.0, top)
    found = []
    for i, height in zip(order, heights, strict=True):
        row, n = curves[i].iloc[-1], sizes[i]
        share = wording.percent_interval(float(row["estimate"]), float(row["conf_low"]), float(row["conf_high"]), n)
        text = f"{wording.bold(wording.safe(names[i], 18))}<br>{share}"
        found.append(note(text, x=1, y=height, yref="y", xshift=8))
    return found


def _differences(change: Estimate | None, name: str) -> list[dict[str, Any]]:
    if change is None:
        return []
    frame = change.frame[(change.frame["compared_to"].astype(str) == name) & (change.frame["view"] == KNOWN)]
    frame = frame[frame["estimate"].notna()]
    records = {str(record["outcome"]): record for record in frame.to_dict("records")}
    return [records[outcome] for outcome in theme.in_order(records)]


def _difference_panel(
    records: list[dict[str, Any]], top: float
) -> tuple[list[Any], dict[str, Any], list[dict[str, Any]], list[str]]:
    traces, shapes, notes, said = [], [], [], []
    ends = [abs(float(r[name])) for r in records for name in ("estimate", "conf_low", "conf_high") if pd.notna(r[name])]
    wide = max([*ends, *[float(r.get("margin") or 0) for r in records]]) * 1.15 or 0.1
    for i, record in enumerate(records):
        outcome = str(record["outcome"])
        value, low, high = (float(record[name]) for name in ("estimate", "conf_low", "conf_high"))
        if not (math.isfinite(low) and math.isfinite(high)):
            low = high = value
        error = {"type": "data", "symmetric": False, "array": [high - value], "arrayminus": [value - low]}
        error |= {"color": faint(theme.colour(outcome), 0.5), "thickness": 4, "width": 0}
        look = {"color": theme.colour(outcome), "size": 10, "symbol": theme.MARKERS.get(outcome, "circle")}
        text = wording.points_interval(value, low, high)
        hover = {"hovertext": [f"{theme.outcome_name(outcome)}: {text} points"], "hoverinfo": "text"}
        traces.append(
            go.Scatter(x=[value], y=[i], mode="markers", marker=look, error_x=error, xaxis="x2", yaxis="y2", **hover)
        )
        margin = float(record["margin"]) if pd.notna(record.get("margin")) else 0.0
        block = {"type": "rect", "layer": "below", "xref": "x2", "yref": "y2", "line": {"width": 0}}
        shapes.append({**block, "x0": -margin, "x1": margin, "y0": i - 0.4, "y1": i + 0.4, "fillcolor": theme.TINT})
        label = f"{wording.bold(theme.outcome_name(outcome))}<br>{wording.quiet(text)}"
        notes.append(note(label, x=1, y=i, yref="y2", xshift=8))
        said.append(
            f"difference in {theme.outcome_name(outcome).lower()} {text} points, {record.get('verdict') or ''}".rstrip(
                ", "
            )
        )
    line = {"color": theme.QUIET, "width": 1}
    shapes.append(
        {
            "type": "line",
            "layer": "below",
            "xref": "x2",
            "x0": 0,
            "x1": 0,
            "yref": "y2 domain",
            "y0": 0,
            "y1": 1,
            "line": line,
        }
    )
    axes = {
        "xaxis2": {
            **percent_axis(-wide, wide, signed=True),
            "anchor": "y2",
            "fixedrange": True,
            "title": {"text": "difference at the horizon, percentage points"},
        },
        "yaxis2": {
            "domain": [0, top],
            "range": [len(records) - 0.5, -0.5],
            "visible": False,
            "anchor": "x2",
            "fixedrange": True,
        },
        "shapes": shapes,
    }
    return traces, axes, notes, said
