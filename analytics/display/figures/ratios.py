"""Ratios of pace with intervals, on a scale on which half and double are equally far from no difference."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.rows import Rows, Text, placed
from analytics.display.figures.sheet import Space, Words, answers_or_sentence, faint, listed, records, sheet
from analytics.display.figures.shares import number, size, text, under
from analytics.estimators.result import Estimate

TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
WIDEST = (0.02, 50.0)
LEFT, RIGHT, BOTTOM = 250, 150, 46


@answers_or_sentence
def plot_ratios(
    estimate: Estimate, *, outcome: str = "no_decision", title: str, subtitle: str = "", head: str = "", weekly: str = ""
) -> go.Figure:
    """Draw how many times the pace of a reference each level has, with intervals; the reference is the hollow mark at 1.

    Parameters
    ----------
    estimate : Estimate
        Kind coefficient, unit ratio, with `outcome`, `label`, `reference`, `n_event`.
    outcome : str
        The rows that are drawn.
    title, subtitle : str
        Heading and the line under it.
    head : str
        Column whose values are headings above the rows.
    weekly : str
        What the column `weekly` is of ("deals a week"); empty: it is not written.

    Raises
    ------
    ValueError
        Where the Estimate has no row of that outcome.
    """
    found = [record for record in records(estimate.frame) if record["outcome"] == outcome]
    if not found:
        raise ValueError(f"there is nothing to draw: no ratio of the outcome {outcome!r}")
    texts, said, before = [], [], ""
    for record in found:
        label, group = text(record, "label"), text(record, head) if head else ""
        lines = wording.wrapped(label, 34, 2)
        pace = f"{wording.percent(number(record, 'weekly'), 2000)} of {weekly}" if weekly else ""
        note = "the level that the others are compared with" if record.get("reference") else ""
        lines += [wording.quiet(line) for line in wording.wrapped(under({}, pace, note), 40, 3) if line]
        value = f"{ratio(record)}<br>{wording.quiet(size(record, 'n_event', 'events'))}"
        texts.append(Text(lines, value, group if group != before else ""))
        said.append(f"{label}: {ratio(record)}")
        before = group
    place = placed(texts, LEFT, RIGHT, least=40)
    low, high = _range(found)
    axis = {
        "type": "log", "range": [math.log10(low), math.log10(high)], "tickmode": "array", "showgrid": True,
        "tickvals": [tick for tick in TICKS if low <= tick <= high], "fixedrange": True,
        "ticktext": [f"×\u2009{tick:g}" for tick in TICKS if low <= tick <= high],
        "title": {"text": "times the pace of the reference"},
    }  # fmt: skip
    line = {"type": "line", "layer": "below", "x0": 1, "x1": 1, "yref": "paper", "y0": 0, "y1": 1,
            "line": {"color": theme.QUIET, "width": 1}}  # fmt: skip
    layout = {"xaxis": axis, "yaxis": place.axis(), "annotations": place.annotations(), "shapes": [line]}
    traces, tight = _traces(found, place, outcome, (low, high))
    narrow = {**place.narrow(BOTTOM), **{f"data.{i}.y": heights for i, heights in enumerate(tight)}}
    cut = " Intervals are cut at the edge of the figure." if _cut(found, low, high) else ""
    words = Words(title, subtitle, wording.provenance(estimate.meta) + cut, f"{title}. {listed(said)}.")
    return sheet(traces, layout, words, Space(place.wide_height, LEFT, RIGHT, BOTTOM, widest=780), narrow)


def ratio(record: Mapping[str, Any]) -> str:
    """Write a ratio with its interval.

    Examples
    --------
    >>> ratio({"estimate": 1.486, "conf_low": 1.16, "conf_high": 1.9}), ratio({"estimate": 1.0, "reference": True})
    ('× 1.5 (1.2–1.9)', '1')
    """
    value, low, high = (number(record, name) for name in ("estimate", "conf_low", "conf_high"))
    if not math.isfinite(value):
        return "–"
    if not (math.isfinite(low) and math.isfinite(high)):
        return "1" if record.get("reference") else f"×\u00a0{_digits(value)}"
    return f"×\u00a0{_digits(value)} ({_digits(low)}–{_digits(high)})"


def _digits(value: float) -> str:
    return f"{value:.0f}" if value >= 20 else f"{value:.1f}" if value >= 0.95 else f"{value:.2g}"


def _ends(found: Sequence[Mapping[str, Any]]) -> list[float]:
    values = [number(record, name) for record in found for name in ("estimate", "conf_low", "conf_high")]
    return [value for value in values if math.isfinite(value) and value > 0]


def _range(found: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    ends = [*_ends(found), 1.0]
    return max(WIDEST[0], min(0.4, min(ends) / 1.15)), min(WIDEST[1], max(2.5, max(ends) * 1.15))


def _cut(found: Sequence[Mapping[str, Any]], low: float, high: float) -> bool:
    ends = _ends(found)
    return bool(ends) and (min(ends) < low or max(ends) > high)


def _traces(
    found: Sequence[Mapping[str, Any]], place: Rows, outcome: str, edges: tuple[float, float]
) -> tuple[list[Any], list[list[float]]]:
    """Levels, then references (hollow), each with their heights on a phone."""
    traces, tight = [], []
    tint = theme.QUIET if outcome == "no_decision" else theme.colour(outcome)
    for reference in (False, True):
        at = [i for i, r in enumerate(found) if bool(r.get("reference")) == reference and number(r, "estimate") > 0]
        if not at:
            continue
        rows = [found[i] for i in at]
        value = [min(max(number(row, "estimate"), edges[0]), edges[1]) for row in rows]
        low = [max(number(row, "conf_low"), edges[0]) if number(row, "conf_low") > 0 else v
               for row, v in zip(rows, value, strict=True)]  # fmt: skip
        high = [min(number(row, "conf_high"), edges[1]) if number(row, "conf_high") > 0 else v
                for row, v in zip(rows, value, strict=True)]  # fmt: skip
        traces.append(go.Scatter(
            x=value, y=[place.wide[i] for i in at], mode="markers", cliponaxis=False, hoverinfo="text",
            hovertext=[f"{wording.safe(text(row, 'label'))}: {ratio(row)}" for row in rows],
            marker={"color": theme.PAPER if reference else tint, "size": 10,
                    "symbol": theme.MARKERS.get(outcome, "circle"), "line": {"color": tint, "width": 2 if reference else 0}},
            error_x={"type": "data", "symmetric": False, "color": faint(tint, 0.5), "thickness": 4, "width": 0,
                     "array": [max(0.0, h - v) for h, v in zip(high, value, strict=True)],
                     "arrayminus": [max(0.0, v - l) for l, v in zip(low, value, strict=True)]},
            customdata=[[number(row, "conf_low"), number(row, "conf_high")] for row in rows],
        ))  # fmt: skip
        tight.append([place.tight[i] for i in at])
    return traces, tight
