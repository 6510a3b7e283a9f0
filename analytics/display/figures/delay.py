"""How late closings are recorded, outcome by outcome."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.curves import band, mark
from analytics.display.figures.sheet import Space, Words, answers_or_sentence, day_ticks, listed, note, sheet
from analytics.estimators.result import Estimate

CURVES, ROW = 260, 16  # pixels
GREY = {"size": 11, "color": theme.QUIET}


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

    Raises
    ------
    ValueError
        Where no row has an estimate.

    Examples
    --------
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"outcome": "lost", "time": [0, 7, 14], "n_risk": 40,
    ...     "estimate": [0.4, 0.9, 1.0], "conf_low": [0.3, 0.8, 0.9], "conf_high": [0.5, 0.95, 1.0]})
    >>> given = Estimate(frame, Meta("incidence", "as in a study", ("outcome", "time"), n_deals=40))
    >>> plot_recording_delay(given).layout.meta["title"]
    'How late closings are recorded'
    """
    frame = delay.frame[delay.frame["estimate"].notna()].sort_values("time", kind="stable")
    if frame.empty:
        raise ValueError("there is nothing to draw: no recording delay could be estimated")
    curves = {outcome: frame[frame["outcome"] == outcome] for outcome in theme.in_order(frame["outcome"])}
    reach = max(1.0, max(_settles(curve) for curve in curves.values()))
    traces, labels, said = [], [], []
    for outcome, curve in curves.items():
        name, look = theme.outcome_name(outcome), (theme.colour(outcome), theme.DASHES.get(outcome, "solid"))
        traces += band(curve[curve["time"] <= reach], *look, f"{wording.safe(name)}: %{{hovertext}} within %{{x}} days")
        day = _reached(curve, share)
        when = f"{wording.percent(share)} by day {day:.0f}" if math.isfinite(day) else f"never {wording.percent(share)}"
        labels.append((day, f"{mark(*look)} {wording.bold(wording.safe(name, 18))}<br>{wording.quiet(when)}"))
        said.append(f"{name}: {_at_once(curve)}, {when}")
    words = Words(title, subtitle, wording.provenance(delay.meta), f"{title}. {listed(said)}.")
    space = Space(CURVES, left=46, right=136, bottom=58 + ROW * len(curves), top=10)
    layout = {**_axes(reach, share), "annotations": [*_names(labels), *_at_risk(curves, day_ticks(reach))]}
    return sheet(traces, layout, words, space, {"margin.r": 124, "margin.l": 42})


def _axes(reach: float, share: float) -> dict[str, Any]:
    line = {"color": theme.QUIET, "width": 1, "dash": "dot"}
    shares = sorted({0.0, 0.25, 0.5, 0.75, share, 1.0})
    days = {"tickmode": "array", "tickvals": day_ticks(reach), "range": [0, reach], "ticks": "outside"}
    ticks = {"tickmode": "array", "tickvals": shares, "ticktext": [wording.percent(value) for value in shares]}
    return {
        "xaxis": {**days, "fixedrange": True},
        "yaxis": {**ticks, "range": [0, 1.01], "fixedrange": True},
        "shapes": [{"type": "line", "x0": 0, "x1": 1, "xref": "paper", "y0": share, "y1": share, "line": line}],
    }


def _names(labels: Sequence[tuple[float, str]]) -> list[dict[str, Any]]:
    """Names of the curves beside them, the fastest first."""
    order = sorted(labels, key=lambda item: (math.isnan(item[0]), item[0]))
    names = [
        note(text, x=1, y=1, xshift=10, yshift=-20 - 42 * i, font={"size": 12}) for i, (_, text) in enumerate(order)
    ]
    return [*names, note("days after closing", x=1, y=0, xanchor="right", yshift=-32, font=GREY)]


def _at_risk(curves: Mapping[str, pd.DataFrame], ticks: Sequence[int]) -> list[dict[str, Any]]:
    """Under the axis, a row for each outcome: how many closings stand behind the curve at each tick."""
    found = [note("closings counted", x=0, y=0, yshift=-32, font=GREY)]
    for i, (outcome, curve) in enumerate(curves.items()):
        place: dict[str, Any] = {"y": 0, "yshift": -50 - ROW * i, "font": GREY}
        found.append(note(wording.safe(theme.outcome_name(outcome), 18), x=1, xshift=28, **place))
        for tick in ticks:
            before = curve[curve["time"] <= tick]
            if len(before) and "n_risk" in before and pd.notna(before["n_risk"].iloc[-1]):
                text = wording.count(float(before["n_risk"].iloc[-1]))
                found.append(note(text, x=tick, xref="x", xanchor="center", **place))
    return found


def _at_once(curve: pd.DataFrame) -> str:
    first = curve.iloc[0]
    share = wording.percent_interval(float(first["estimate"]), float(first["conf_low"]), float(first["conf_high"]))
    return f"{share} within {first['time']:.0f} days"


def _reached(curve: pd.DataFrame, share: float) -> float:
    there = curve[curve["estimate"] >= share - 1e-12]
    return float(there["time"].iloc[0]) if len(there) else math.nan


def _settles(curve: pd.DataFrame) -> float:
    """Day after which a curve is flat, for the reach of the axis."""
    whole = curve[curve["estimate"] >= float(curve["estimate"].max()) - 0.002]
    return float(whole["time"].iloc[0])
