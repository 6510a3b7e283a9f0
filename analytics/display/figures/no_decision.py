"""Figures of the study of no decision: the range over the rules, the stages, and what follows a silence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.curves import band, mark
from analytics.display.figures.dots import Columns, Dot, Row, dot_rows
from analytics.display.figures.shares import dot, number, share, size, text, under
from analytics.display.figures.sheet import (
    Space,
    Words,
    answers_or_sentence,
    day_ticks,
    listed,
    note,
    percent_axis,
    records,
    sheet,
)
from analytics.display.figures.stacks import spread
from analytics.estimators.result import Estimate

NEXT = {
    "heard_again": ("heard of again", theme.COLOURS["rate"], "solid"),
    "won": ("recorded won", theme.COLOURS["won"], "dash"),
    "lost": ("recorded lost", theme.COLOURS["lost"], "dot"),
    "no_decision": ("recorded no decision", theme.QUIET, "solid"),
}
PLOT = 260


@answers_or_sentence
def plot_no_decision_rules(
    estimate: Estimate, *, title: str = "How much is no decision: it depends on what counts as dead", subtitle: str = ""
) -> go.Figure:
    """Draw the share of no decision under every rule and threshold, declared as the floor, with what was won later.

    Parameters
    ----------
    estimate : Estimate
        From `questions.no_decision.no_decision_range`: keys (rule, threshold), columns label, group, stated, fired,
        later_won, won_share, won_low, won_high, won_days, note.
    title, subtitle : str
        Heading and the line under it.

    Examples
    --------
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"rule": ["declared"], "threshold": 0, "label": "Declared", "group": "", "stated": True,
    ...     "estimate": [0.3], "conf_low": [0.2], "conf_high": [0.4],
    ...     "fired": 12, "later_won": 0, "won_share": 0.0, "won_low": 0.0, "won_high": 0.1, "won_days": 90,
    ...     "n_deals": 40, "note": ""})
    >>> given = Estimate(frame, Meta("probability", "as in a study", ("rule", "threshold"), n_deals=40))
    >>> plot_no_decision_rules(given).layout.meta["title"]
    'How much is no decision: it depends on what counts as dead'
    """
    found, rows, said, before = records(estimate.frame), [], [], ""
    for record in found:
        declared, label = str(record["rule"]) == "declared", text(record, "label")
        group = text(record, "group")
        colour = theme.INK if declared else theme.QUIET
        one = dot(record, label, colour=colour, marker="diamond" if declared else "circle",
                  hollow=not bool(record.get("stated")))  # fmt: skip
        rows.append(Row(label, (one,), share(record), size(record), under(record, *_later(record, declared)),
                        head=group if group != before else ""))  # fmt: skip
        said.append(f"{label}: {share(record)}" + "".join(f", {part}" for part in _later(record, declared)[1:]))
        before = group
    known = [number(record, "estimate") for record in found if math.isfinite(number(record, "estimate"))]
    if known and not subtitle:
        subtitle = (
            f"From {wording.percent(min(known))} to {wording.percent(max(known))}; filled: as the params state it"
        )
    floor = next((number(record, "estimate") for record in found if record["rule"] == "declared"), math.nan)
    line = {"type": "line", "layer": "below", "x0": floor, "x1": floor, "yref": "paper", "y0": 0, "y1": 1,
            "line": {"color": theme.QUIET, "width": 1, "dash": "dot"}}  # fmt: skip
    caption = wording.provenance(estimate.meta) + " The dotted line is what was declared."
    words = Words(title, subtitle, caption, f"{title}. {listed(said)}.")
    return dot_rows(rows, words, Columns(characters=40, left=290), [line] if math.isfinite(floor) else [])


def _later(record: Mapping[str, Any], declared: bool) -> tuple[str, ...]:
    """Say how many deals a rule ended, and which share of them was won all the same."""
    if declared:
        return ("the floor",)
    fired, days = number(record, "fired"), number(record, "won_days")
    if not math.isfinite(fired):
        return ()
    ended = f"it ended {wording.count(fired)} deals"
    if not math.isfinite(number(record, "won_share")):
        return (ended,)
    won = share({**record, "n_deals": fired}, ("won_share", "won_low", "won_high"))
    return ended, f"{won} of them were won within {wording.count(days)} days"


@answers_or_sentence
def plot_stage_exits(
    estimate: Estimate, *, title: str = "Where in the stages deals die", subtitle: str = ""
) -> go.Figure:
    """Draw, stage by stage, the share of deals that were won, lost or given up from it.

    Parameters
    ----------
    estimate : Estimate
        From `questions.no_decision.stage_exits`: keys (stage, outcome), columns n_deals, last_share.
    title, subtitle : str
        Heading and the line under it.

    Examples
    --------
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"stage": "Proposal", "outcome": ["won", "lost", "no_decision"], "n_deals": 40,
    ...     "estimate": [0.3, 0.25, 0.2], "conf_low": [0.2, 0.15, 0.1], "conf_high": [0.4, 0.35, 0.3],
    ...     "last_share": 0.5, "last_low": 0.3, "last_high": 0.7})
    >>> given = Estimate(frame, Meta("probability", "as in a study", ("stage", "outcome"), n_deals=40))
    >>> plot_stage_exits(given).layout.meta["title"]
    'Where in the stages deals die'
    """
    rows, said = [], []
    outcomes = ("won", "lost", "no_decision")
    for stage, group in estimate.frame.groupby("stage", sort=False):
        found = {str(record["outcome"]): record for record in records(group)}
        dots = tuple(_stage_dot(found[name], name, place) for place, name in enumerate(outcomes) if name in found)
        given = found.get("no_decision", {})
        last = share({**given, "n_deals": 100}, ("last_share", "last_low", "last_high"))
        on = share(found["moved_on"]) if "moved_on" in found else "–"
        parts = (f"moved on {on}", f"{last} of all no-decisions ended here" if last != "–" else "")
        rows.append(
            Row(str(stage), dots, share(given) if given else "–", size(given or found["moved_on"]), under({}, *parts))
        )
        said.append(f"{stage}: " + ", ".join(f"{theme.outcome_name(name).lower()} {share(found[name])}"
                                             for name in outcomes if name in found))  # fmt: skip
    subtitle = subtitle or "Circle: won; square: lost; diamond (and the figure at the right): no decision"
    words = Words(title, subtitle, wording.provenance(estimate.meta), f"{title}. {listed(said)}.")
    return dot_rows(rows, words, Columns(characters=30, left=250))


def _stage_dot(record: Mapping[str, Any], outcome: str, place: int) -> Dot:
    tint = theme.QUIET if outcome == "no_decision" else theme.colour(outcome)
    label = f"{text(record, 'stage')}, {theme.outcome_name(outcome)}"
    return dot(record, label, colour=tint, marker=theme.MARKERS[outcome], lift=11.0 - 11.0 * place)


@answers_or_sentence
def plot_after_silence(estimate: Estimate, *, title: str = "What happens to a deal that went quiet") -> go.Figure:
    """Draw what was heard next of deals that went quiet, by days since: one curve each, with bands.

    Parameters
    ----------
    estimate : Estimate
        From `questions.no_decision.comes_back`: kind incidence, keys (outcome, time), columns quiet_days, n_risk.
    title : str
        Heading.

    Raises
    ------
    ValueError
        Where there is no curve to draw.

    Examples
    --------
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"outcome": "won", "time": [0, 30], "quiet_days": 90, "n_risk": [40, 9],
    ...     "estimate": [0.1, 0.3], "conf_low": [0.05, 0.2], "conf_high": [0.2, 0.4]})
    >>> given = Estimate(frame, Meta("incidence", "as in a study", ("outcome", "time"), n_deals=40))
    >>> plot_after_silence(given).layout.meta["title"]
    'What happens to a deal that went quiet'
    """
    curves = {
        name: estimate.frame[(estimate.frame["outcome"] == name) & estimate.frame["estimate"].notna()].reset_index()
        for name in NEXT
    }
    curves = {name: curve for name, curve in curves.items() if len(curve)}
    if not curves:
        raise ValueError("there is nothing to draw: no curve has an estimate")
    top = min(1.0, max(float(curve["conf_high"].max()) for curve in curves.values()) * 1.1 + 0.02)
    last = max(float(curve["time"].iloc[-1]) for curve in curves.values())
    traces = [trace for name, curve in curves.items() for trace in band(curve, *NEXT[name][1:], _hover(name))]
    labels, said = _ends(curves, top)
    days = estimate.frame["quiet_days"].dropna()
    quiet = f"for {wording.count(float(days.iloc[0]))} days" if len(days) else "for long"
    ticks = day_ticks(last)
    layout = {
        "xaxis": {"tickmode": "array", "tickvals": ticks, "ticks": "outside", "ticklen": 4, "range": [0, last],
                  "fixedrange": True},
        "yaxis": {**percent_axis(0, top), "showgrid": True, "fixedrange": True},
        "annotations": [*labels, *_at_risk(next(iter(curves.values())), ticks)],
    }  # fmt: skip
    subtitle = f"Deals of which nothing was heard {quiet}, by days since then; whatever comes first counts"
    words = Words(title, subtitle, wording.provenance(estimate.meta), f"{title}: {subtitle}. {listed(said)}.")
    space = Space(PLOT, left=46, right=176, bottom=72, top=10, widest=760)
    return sheet(traces, layout, words, space, {"margin.l": 42, "margin.r": 166})


def _hover(name: str) -> str:
    return f"{NEXT[name][0]} by day %{{x}}: %{{hovertext}}"


def _ends(curves: Mapping[str, pd.DataFrame], top: float) -> tuple[list[dict[str, Any]], list[str]]:
    """Labels at the ends of the curves, apart from each other, and the same in words."""
    order = sorted(curves, key=lambda name: float(curves[name]["estimate"].iloc[-1]))
    heights = spread([float(curves[name]["estimate"].iloc[-1]) for name in order], 34 / PLOT * top, 0.0, top)
    labels, said = [], []
    for name, height in zip(order, heights, strict=True):
        row = records(curves[name])[-1]
        words, colour, dash = NEXT[name]
        labels.append(
            note(f"{mark(colour, dash)} {words}<br>{wording.quiet(share(row))}", x=1, y=height, yref="y", xshift=8)
        )
        said.append(f"{words} {share(row)} by day {row['time']:.0f}")
    return labels, said


def _at_risk(curve: pd.DataFrame, ticks: list[int]) -> list[dict[str, Any]]:
    grey: dict[str, Any] = {"yref": "paper", "y": 0, "font": {"size": 11, "color": theme.QUIET}}
    notes = [note("days since", x=1, xanchor="right", yshift=-28, **grey), note("still quiet", x=0, yshift=-40, **grey)]
    for tick in ticks:
        after = curve[curve["time"] >= tick]
        n = float(after["n_risk"].iloc[0]) if len(after) else math.nan
        if math.isfinite(n):
            notes.append(note(wording.count(n), x=tick, xref="x", xanchor="center", yshift=-56, **grey))
    return notes
