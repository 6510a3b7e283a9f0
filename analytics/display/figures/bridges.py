"""What a difference is made of: horizontal bridges whose steps add up exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.rows import Rows, Text, placed, step_text
from analytics.display.figures.sheet import (
    Space,
    Words,
    answers_or_sentence,
    listed,
    percent_axis,
    records,
    sheet,
)
from analytics.estimators.result import Estimate, Listing

LEFT, RIGHT, CHARACTERS, BAR = 300, 140, 44, 18  # pixels, characters of a label, pixels of a bar
MOST_LEVELS = 6
PARTS = {"mix": "Mix", "rate": "Rate", "appeared": "Appeared", "vanished": "Vanished", "stock": "Open from before"}


@dataclass(frozen=True)
class Step:
    """One bar: a level (start is None) or a change that begins where the bar above ended."""

    label: str
    value: float
    start: float | None
    text: str
    size: str = ""
    colour: str = theme.QUIET
    low: float = math.nan
    high: float = math.nan
    head: str = ""

    @property
    def end(self) -> float:
        """Where the bar ends."""
        return self.value if self.start is None else self.start + self.value


@answers_or_sentence
def plot_bridge(
    bridge: Listing,
    *,
    pairs: Sequence[tuple[str, str]] = (),
    title: str = "From one win rate to the next",
    subtitle: str = "Deals counted differently, one step at a time, in percentage points",
) -> go.Figure:
    """Draw the bridge between win-rate definitions: each rate as a bar from zero, each step floating between them.

    Parameters
    ----------
    bridge : Listing
        From `questions.quarter.bridge`: from, to, from_label, to_label, from_rate, to_rate, step, change, deals, words.
    pairs : sequence of (from, to), optional
        The parts that are drawn, in this order; by default every part, in the order given.
    title, subtitle : str
        Heading and the line under it.

    Raises
    ------
    ValueError
        Where the steps of a part do not add up to its change: a bridge that does not close is not drawn.

    Examples
    --------
    >>> frame = pd.DataFrame({"from": ["narrow"], "to": "broad", "from_rate": 0.4, "to_rate": 0.3, "change": -0.1,
    ...     "from_label": "won / (won + lost)", "to_label": "no decision included",
    ...     "step": "counted", "deals": 20, "words": "20 no decisions are counted as well"})
    >>> plot_bridge(Listing(frame, "From one to the next")).layout.meta["title"]
    'From one win rate to the next'
    """
    wanted = list(pairs) or list(dict.fromkeys(zip(bridge.frame["from"], bridge.frame["to"], strict=True)))
    steps: list[Step] = []
    at: str | None = None
    for start, end in wanted:
        part = bridge.frame[(bridge.frame["from"] == start) & (bridge.frame["to"] == end)]
        if part.empty:
            raise ValueError(f"the bridge has no part from {start!r} to {end!r}")
        steps += _bridge_steps(part, repeat=start != at, branch=bool(steps))
        at = end
    words = Words(title, subtitle, _adds_up(bridge), f"{title}. {listed(f'{s.label}: {s.text}' for s in steps)}.")
    return _draw(steps, words, zero=True)


def _adds_up(bridge: Listing) -> str:
    facts = f"{wording.sentence(bridge.title)} {wording.counted(bridge)}".strip()
    return f"{facts} Each part adds up exactly; blue bars are rates, grey bars are changes, by the deals of each step."


def _bridge_steps(part: pd.DataFrame, *, repeat: bool, branch: bool = False) -> list[Step]:
    first = part.iloc[0]
    level, goal = float(first["from_rate"]), float(first["to_rate"])
    steps = [_rate(str(first["from_label"]), level, "and from" if branch else "")] if repeat else []
    for record in records(part):
        change = float(record["change"])
        deals = record.get("deals")
        size = f"{wording.count(float(deals))} deals" if deals is not None and pd.notna(deals) else ""
        label = str(record.get("words") or record["step"])
        steps.append(Step(label, change, level, wording.points(change), size))
        level += change
    if abs(level - goal) > 1e-9:
        raise ValueError(f"the bridge from {first['from']!r} to {first['to']!r} does not add up: {level} is not {goal}")
    return [*steps, _rate(str(first["to_label"]), goal)]


def _rate(label: str, value: float, head: str = "") -> Step:
    return Step(label, value, None, wording.percent(value, 2000), head=head)


@answers_or_sentence
def plot_mix_and_rate(
    parts: Estimate,
    *,
    compared_to: str = "",
    segment: str = "",
    names: tuple[str, str] = ("", "This quarter"),
    title: str = "What the change is made of",
) -> go.Figure:
    """Draw the change of the headline as mix (more of some segments) and rate (each segment's own change).

    Parameters
    ----------
    parts : Estimate
        From `questions.quarter.mix_and_rate`: keys (compared_to, segment, level, part), columns label, estimate_now,
        estimate_then.
    compared_to, segment : str, optional
        Which comparison and which segment is drawn; by default the first of each.
    names : tuple of str, optional
        The earlier and the present quarter, as they are called in the labels.
    title : str
        Heading.

    Raises
    ------
    ValueError
        Where the parts do not add up to the total.

    Examples
    --------
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"compared_to": "2025Q3", "segment": "region", "level": "all",
    ...     "part": ["mix", "rate", "total"], "label": ["Mix", "Rate", "Change"],
    ...     "estimate": [-0.01, -0.03, -0.04], "conf_low": [-0.02, -0.1, -0.12], "conf_high": [0.0, 0.04, 0.04],
    ...     "estimate_now": 0.23, "estimate_then": 0.27})
    >>> keys = ("compared_to", "segment", "level", "part")
    >>> given = Estimate(frame, Meta("contrast", "as in a study", keys, n_deals=40))
    >>> plot_mix_and_rate(given).layout.meta["title"]
    'What the change is made of'
    """
    frame = parts.frame
    compared_to = compared_to or str(frame["compared_to"].iloc[0])
    segment = segment or str(frame["segment"].iloc[0])
    frame = frame[(frame["compared_to"].astype(str) == compared_to) & (frame["segment"].astype(str) == segment)]
    total = frame[(frame["level"] == "all") & (frame["part"] == "total")]
    if total.empty:
        raise ValueError(f"there is no decomposition against {compared_to!r} by {segment!r}")
    then, now = float(total["estimate_then"].iloc[0]), float(total["estimate_now"].iloc[0])
    first = Step(names[0] or compared_to, then, None, wording.percent(then, 2000), colour=theme.COLOURS["total"])
    last = Step(names[1], now, None, wording.percent(now, 2000), colour=theme.COLOURS["total"])
    steps = [first, *_part_steps(frame, then, now), last]
    whole = _interval(total.iloc[0])
    verdict = str(total["verdict"].iloc[0]) if "verdict" in total.columns else ""
    subtitle = f"Change {whole} points" + (f": {verdict}" if verdict else "") + f"; by {segment.replace('_', ' ')}"
    caption = (
        wording.provenance(parts.meta)
        + " Adds up exactly; thin lines are intervals of each step; the axis does not begin at zero."
    )
    alt = f"{title}. {subtitle}. {listed(f'{s.label}: {s.text}' for s in steps)}."
    return _draw(steps, Words(title, subtitle, caption, alt), zero=False)


def _interval(record: Any) -> str:
    return wording.points_interval(float(record["estimate"]), float(record["conf_low"]), float(record["conf_high"]))


def _part_steps(frame: pd.DataFrame, then: float, now: float) -> list[Step]:
    """Steps in the fixed order of the parts: by level where few and all are shown, else the sum over the levels."""
    steps, level = [], then
    for part, name in PARTS.items():
        rows = frame[frame["part"] == part]
        single = rows[rows["level"] != "all"]
        whole = 0 < len(single) <= MOST_LEVELS and bool(single["estimate"].notna().all())
        rows = single if whole else rows[rows["level"] == "all"]
        for record in records(rows):
            value = float(record["estimate"])
            label = str(record.get("label") or (f"{name}: {record['level']}" if record["level"] != "all" else name))
            colour = theme.COLOURS.get(part, theme.QUIET)
            low, high = float(record["conf_low"]), float(record["conf_high"])
            steps.append(Step(label, value, level, _interval(record), colour=colour, low=low, high=high))
            level += value
    if abs(level - now) > 1e-6:
        raise ValueError(f"mix and rate do not add up to the change: {level} is not {now}")
    return steps


# -------------------------------------------------------------------------------------------------------- drawing


def _draw(steps: Sequence[Step], words: Words, *, zero: bool) -> go.Figure:
    place = placed([_text(step) for step in steps], LEFT, RIGHT)
    low, high = _reach(steps, zero=zero)
    layout = {
        "xaxis": {**percent_axis(low, high), "showgrid": True, "fixedrange": True},
        "yaxis": place.axis(),
        "annotations": place.annotations(),
        "shapes": _joints(steps, place.wide),
        "barmode": "overlay",
    }
    traces, tight = _bars(steps, place, zero=zero)
    narrow = {
        **place.narrow(30),
        "shapes": _joints(steps, place.tight),
        **{f"data.{i}.y": heights for i, heights in enumerate(tight)},
    }
    return sheet(traces, layout, words, Space(place.wide_height, left=LEFT, right=RIGHT, bottom=30, widest=820), narrow)


def _text(step: Step) -> Text:
    lines = wording.wrapped(step.label, CHARACTERS, 5)
    return step_text(lines, step.text, step.size, level=step.start is None, head=step.head)


def _reach(steps: Sequence[Step], *, zero: bool) -> tuple[float, float]:
    ends = [step.end for step in steps]
    ends += [
        step.start + v for step in steps if step.start is not None for v in (step.low, step.high) if math.isfinite(v)
    ]
    if zero:
        return min(0.0, min(ends) * 1.05), min(1.0, max(ends)) * 1.05
    room = max((max(ends) - min(ends)) * 0.08, 0.01)
    return min(ends) - room, max(ends) + room


def _bars(steps: Sequence[Step], place: Rows, *, zero: bool) -> tuple[list[Any], list[list[float]]]:
    """Changes and levels as traces; beside them the heights of their rows on a phone."""
    changes = [i for i, step in enumerate(steps) if step.start is not None]
    levels = [i for i, step in enumerate(steps) if step.start is None]
    traces: list[Any] = [_change_bars([steps[i] for i in changes], [place.wide[i] for i in changes])]
    level: dict[str, Any] = {
        "x": [steps[i].value for i in levels],
        "y": [place.wide[i] for i in levels],
        "hovertext": [f"{wording.safe(steps[i].label)}: {steps[i].text}" for i in levels],
        "hoverinfo": "text",
        "name": "level",
    }
    if zero:
        traces.append(go.Bar(**level, orientation="h", width=BAR, marker={"color": theme.LEVEL, "line": {"width": 0}}))
    else:
        dot = {"color": theme.COLOURS["total"], "size": 11, "symbol": "diamond"}
        traces.append(go.Scatter(**level, mode="markers", marker=dot))
    return traces, [[place.tight[i] for i in changes], [place.tight[i] for i in levels]]


def _change_bars(steps: Sequence[Step], heights: list[float]) -> Any:
    error = None
    if any(math.isfinite(step.low) for step in steps):
        error = {
            "type": "data",
            "symmetric": False,
            "array": [s.high - s.value if math.isfinite(s.high) else 0 for s in steps],
            "arrayminus": [s.value - s.low if math.isfinite(s.low) else 0 for s in steps],
            "color": theme.INK,
            "thickness": 1,
            "width": 3,
        }
    return go.Bar(
        x=[s.value for s in steps],
        y=heights,
        base=[s.start for s in steps],
        orientation="h",
        width=BAR,
        marker={"color": [s.colour for s in steps], "line": {"width": 0}},
        error_x=error,
        customdata=[[s.low, s.high] for s in steps],
        hovertext=[f"{wording.safe(s.label)}: {s.text}" for s in steps],
        hoverinfo="text",
        name="change",
    )


def _joints(steps: Sequence[Step], middles: Sequence[float]) -> list[dict[str, Any]]:
    """Thin lines from the end of one bar to the beginning of the next; none between two levels."""
    line = {"color": theme.QUIET, "width": 1, "dash": "dot"}
    return [
        {"type": "line", "layer": "below", "x0": step.end, "x1": step.end, "y0": top, "y1": foot, "line": line}
        for step, after, top, foot in zip(steps, steps[1:], middles, middles[1:], strict=False)
        if after.start is not None or step.start is not None
    ]
