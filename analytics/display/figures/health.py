"""The state of the data: what went in, how complete it is, how late it is recorded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.dots import Columns, Dot, Row, dot_rows
from analytics.display.figures.sheet import (
    LINE,
    Space,
    Words,
    answers_or_sentence,
    day_ticks,
    faint,
    listed,
    note,
    percent_axis,
    sheet,
)
from analytics.display.figures.stacks import spread
from analytics.estimators.result import Estimate, Listing

CURVES = 260
OUT = theme.COLOURS["lost"]


@answers_or_sentence
def plot_attrition(
    attrition: Listing, *, title: str = "What went in", subtitle: str = "Every row is accounted for"
) -> go.Figure:
    """Draw what was read, what each rule left out and what remained, as bars from zero.

    Parameters
    ----------
    attrition : Listing
        Columns step, rule, deals (left out, or the size of a step), remaining; as from `records.snapshot.attrition`.
    title, subtitle : str
        Heading and the line under it.
    """
    records = attrition.frame.to_dict("records")
    labels = [wording.wrapped(_line(record), 44, 2) for record in records]
    remaining = [float(record["remaining"]) for record in records]
    gone = [max(0.0, before - now) for before, now in zip([remaining[0], *remaining[:-1]], remaining, strict=True)]
    tall = max(len(lines) for lines in labels)
    height, tight, bottom = max(30, LINE * tall + 12), LINE * tall + 34, 8
    layout = {
        "xaxis": {"range": [0, max(remaining) * 1.02 or 1], "visible": False, "fixedrange": True},
        "yaxis": {"range": [len(records) - 0.5, -0.5], "visible": False, "fixedrange": True},
        "annotations": _counts(records, labels, gone, narrow=False),
        "barmode": "stack",
        "bargap": 0.35,
    }
    below = 17 / tight
    narrow = {
        "annotations": _counts(records, labels, gone, narrow=True),
        "height": 8 + tight * len(records) + bottom,
        "margin.l": 8,
        "margin.r": 92,
        "yaxis.range": [len(records) - 1 + below, -(1 - below)],
        "bargap": 1 - 16 / tight,
    }
    said = [f"{_line(r)}: {wording.count(now)} remain" + (f", {wording.count(out)} left out" if out else "")
            for r, now, out in zip(records, remaining, gone, strict=True)]  # fmt: skip
    caption = f"{wording.sentence(attrition.title)} Blue: remaining; orange: left out at that line."
    words = Words(title, subtitle, caption, f"{title}. {listed(said)}.")
    place = {"y": list(range(len(records))), "orientation": "h", "hoverinfo": "text"}
    traces = [
        go.Bar(x=remaining, hovertext=[f"{wording.count(v)} remain" for v in remaining], name="remaining",
               marker={"color": theme.COLOURS["won"], "line": {"width": 0}}, **place),
        go.Bar(x=gone, hovertext=[f"{wording.count(v)} left out" for v in gone], name="left out",
               marker={"color": OUT, "line": {"width": 0}}, **place),
    ]  # fmt: skip
    space = Space(height * len(records), left=290, right=110, bottom=bottom, widest=780)
    return sheet(traces, layout, words, space, narrow)


def _line(record: dict[Any, Any]) -> str:
    step, rule = (str(record.get(name) or "") for name in ("step", "rule"))
    return f"{step}: {rule}" if step and rule and step != rule else step or rule


def _counts(
    records: Sequence[dict[Any, Any]], labels: Sequence[list[str]], gone: Sequence[float], *, narrow: bool
) -> list[dict[str, Any]]:
    found = []
    for i, (record, lines, out) in enumerate(zip(records, labels, gone, strict=True)):
        place: dict[str, Any] = {"yshift": 11, "yanchor": "bottom"} if narrow else {"xshift": -282}
        found.append(note("<br>".join(lines), x=0, y=i, yref="y", **place))
        text = f"{wording.count(float(record['remaining']))}"
        text = f"{wording.quiet('−' + wording.count(out))}  {text}" if out else text
        right = 92 if narrow else 110
        found.append(note(text, x=1, y=i, yref="y", xshift=right, xanchor="right", align="right"))
    return found


@answers_or_sentence
def plot_completeness(
    completeness: Estimate,
    *,
    title: str = "How complete the fields are",
    subtitle: str = "Share of deals in which the field is filled, all deals and by outcome, least complete first",
) -> go.Figure:
    """Draw the share of deals in which each field is filled, all of them and by outcome, with intervals.

    Parameters
    ----------
    completeness : Estimate
        From `questions.data_health.completeness`: keys (field, outcome), outcome "all" included; columns label, n_event
        (filled), n_risk (deals).
    title, subtitle : str
        Heading and the line under it.
    """
    frame = completeness.frame
    whole = frame[frame["outcome"] == "all"].sort_values("estimate", kind="stable", na_position="first")
    rows, said = [], []
    outcomes = theme.in_order(set(frame["outcome"]) - {"all"})
    for record in whole.to_dict("records"):
        group = frame[frame["field"] == record["field"]].set_index("outcome")
        n = float(record["n_risk"])
        dots = [
            _filled(group.loc[o], o, 0.24 - 0.48 * (k + 1) / (len(outcomes) + 1))
            for k, o in enumerate(outcomes)
            if o in group.index
        ]
        dots.append(_filled(group.loc["all"], "all", 0.3))
        label = str(record.get("label") or record["field"])
        value = wording.percent_interval(
            float(record["estimate"]), float(record["conf_low"]), float(record["conf_high"]), n
        )
        size = f"{wording.count(float(record['n_event']))} of {wording.count(n)}"
        rows.append(Row(label, tuple(d for d in dots if math.isfinite(d.value)), value, size))
        said.append(f"{label}: {value}, {size}")
    marks = {"won": "●", "lost": "■", "no_decision": "◆"}
    key = ", ".join(f"{marks[o]} {theme.outcome_name(o).lower()}" for o in outcomes if o in marks)
    caption = (
        wording.provenance(completeness.meta) + f" ▲ all deals, {key}, ○ still open."
        if key
        else wording.provenance(completeness.meta)
    )
    words = Words(title, subtitle, caption, f"{title}. {listed(said)}.")
    return dot_rows(rows, words, Columns(characters=26, left=190, right=122))


def _filled(record: pd.Series, outcome: str, lift: float) -> Dot:
    value, low, high = (float(record[name]) for name in ("estimate", "conf_low", "conf_high"))
    look: dict[str, Any] = {"colour": theme.INK, "marker": "triangle-up"}
    if outcome != "all":
        look = {"colour": theme.colour(outcome) if outcome != "open" else theme.QUIET, "hollow": outcome == "open"}
        look["marker"] = theme.MARKERS.get(outcome, "x").replace("-open", "")
    name = "all deals" if outcome == "all" else theme.outcome_name(outcome)
    hover = f"{name}: {wording.percent_interval(value, low, high)}"
    return Dot(value, low, high, lift=lift, hover=hover, **look)


@answers_or_sentence
def plot_recording_delay(
    delay: Estimate,
    *,
    share: float = 0.95,
    title: str = "How late closings are recorded",
    subtitle: str = "Share of closed deals that the CRM knew within so many days of closing",
) -> go.Figure:
    """Draw the share of closings recorded within d days, one curve per outcome with its band.

    Parameters
    ----------
    delay : Estimate
        From `questions.data_health.recording_delay`: keys (outcome, time); `time` in days after closing.
    share : float
        The share at which a line is drawn (the settled date waits for it).
    title, subtitle : str
        Heading and the line under it.
    """
    frame = delay.frame[delay.frame["estimate"].notna()]
    if frame.empty:
        raise ValueError("there is nothing to draw: no recording delay could be estimated")
    curves = {
        o: frame[frame["outcome"] == o].sort_values("time", kind="stable") for o in theme.in_order(frame["outcome"])
    }
    reach = max(1.0, max(_settles(curve) for curve in curves.values()))
    traces = [trace for outcome, curve in curves.items() for trace in _delay(outcome, curve[curve["time"] <= reach])]
    last = {o: curve[curve["time"] <= reach].iloc[-1] for o, curve in curves.items()}
    order = sorted(last, key=lambda o: float(last[o]["estimate"]))
    heights = spread([float(last[o]["estimate"]) for o in order], 34 / CURVES, 0.03, 1.0)
    grey = {"size": 11, "color": theme.QUIET}
    notes, said = [], []
    for outcome, height in zip(order, heights, strict=True):
        day = _reached(curves[outcome], share)
        when = f"{wording.percent(share)} by day {day:.0f}" if math.isfinite(day) else f"below {wording.percent(share)}"
        name = theme.outcome_name(outcome)
        notes.append(note(f"{wording.bold(name)}<br>{wording.quiet(when)}", x=1, y=height, yref="y", xshift=8))
        first = curves[outcome].iloc[0]
        at_once = wording.percent_interval(
            float(first["estimate"]), float(first["conf_low"]), float(first["conf_high"])
        )
        said.append(f"{name}: {at_once} within {first['time']:.0f} days, {when}")
    notes.append(note("days after closing", x=1, y=0, xanchor="right", yshift=-32, font=grey))
    notes.append(note(wording.percent(share), x=0, y=share, yref="y", xshift=4, yshift=8, font=grey))
    ticks = day_ticks(reach)
    line = {"color": theme.QUIET, "width": 1, "dash": "dot"}
    layout = {
        "xaxis": {"tickmode": "array", "tickvals": ticks, "range": [0, reach], "ticks": "outside", "fixedrange": True},
        "yaxis": {**percent_axis(0, 1.01), "showgrid": True, "fixedrange": True},
        "annotations": notes,
        "shapes": [{"type": "line", "x0": 0, "x1": 1, "xref": "paper", "y0": share, "y1": share, "line": line}],
    }
    words = Words(title, subtitle, wording.provenance(delay.meta), f"{title}. {listed(said)}.")
    return sheet(
        traces, layout, words, Space(CURVES, left=46, right=124, bottom=44, top=10), {"margin.r": 112, "margin.l": 42}
    )


def _reached(curve: pd.DataFrame, share: float) -> float:
    there = curve[curve["estimate"] >= share - 1e-12]
    return float(there["time"].iloc[0]) if len(there) else math.nan


def _settles(curve: pd.DataFrame) -> float:
    """Day after which a curve is flat, for the reach of the axis."""
    whole = curve[curve["estimate"] >= float(curve["estimate"].max()) - 0.002]
    return float(whole["time"].iloc[0])


def _delay(outcome: str, curve: pd.DataFrame) -> list[Any]:
    colour, times = theme.colour(outcome), curve["time"].tolist()
    edge, shared = {"shape": "hv", "width": 0}, {"x": times, "mode": "lines"}
    hover = [
        wording.percent_interval(*map(float, row)) for row in curve[["estimate", "conf_low", "conf_high"]].to_numpy()
    ]
    label = wording.safe(theme.outcome_name(outcome)) + " %{hovertext} within %{x} days<extra></extra>"
    line = {"shape": "hv", "width": 2, "color": colour, "dash": theme.DASHES.get(outcome, "solid")}
    return [
        go.Scatter(**shared, y=curve["conf_low"].tolist(), line=edge, hoverinfo="skip"),
        go.Scatter(
            **shared,
            y=curve["conf_high"].tolist(),
            line=edge,
            fill="tonexty",
            fillcolor=faint(colour, 0.14),
            hoverinfo="skip",
        ),
        go.Scatter(**shared, y=curve["estimate"].tolist(), line=line, hovertext=hover, hovertemplate=label),
    ]
