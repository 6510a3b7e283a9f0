"""Funnel: the rates of many groups by their size, inside of what chance makes of one common rate or outside of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.sheet import (
    Space,
    Words,
    answers_or_sentence,
    listed,
    note,
    percent_axis,
    records,
    sheet,
)
from analytics.estimators.result import Estimate

LOOKS = {0.0: ("circle", False), 0.95: ("diamond", False), 0.998: ("square", True)}
"""Widest funnel that a group is outside of -> marker, and whether it is filled with ink."""
MOST_LABELS = 12
FUNNELS = (("99.8", "solid"), ("95", "dash"))
PEOPLE = ("owner_id",)


@answers_or_sentence
def plot_funnel(shares: Estimate, *, segment: str = "", title: str = "", subtitle: str = "") -> go.Figure:
    """Draw each group's share by its number of closed deals, with the funnels that chance makes of one common share.

    Parameters
    ----------
    shares : Estimate
        From `questions.cohorts.closed_shares`: keys (segment, level), columns n_deals, overall, low_95, high_95,
        low_99.8, high_99.8, outside.
    segment : str, optional
        Which segment is drawn; by default the one with most groups.
    title, subtitle : str
        Heading and the line under it.

    Raises
    ------
    ValueError
        Where the segment has no funnel.

    Examples
    --------
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"segment": "team", "level": ["East", "West"], "n_deals": [40, 30], "overall": 0.25,
    ...     "estimate": [0.3, 0.2], "conf_low": [0.2, 0.1], "conf_high": [0.4, 0.3], "outside": 0.0,
    ...     "low_95": 0.1, "high_95": 0.4, "low_99.8": 0.05, "high_99.8": 0.5})
    >>> given = Estimate(frame, Meta("probability", "as in a study", ("segment", "level"), n_deals=40))
    >>> plot_funnel(given).layout.meta["title"]
    'Won of closed deals, by team: more than chance makes of one share?'
    """
    frame = shares.frame[shares.frame["low_95"].notna() & shares.frame["estimate"].notna()]
    counts = frame["segment"].value_counts()
    segment = segment or (str(counts.index[0]) if len(counts) else "")
    groups = frame[frame["segment"].astype(str) == segment].sort_values(["n_deals", "level"], kind="stable")
    if groups.empty:
        raise ValueError(f"there is no funnel by {segment!r}")
    name = segment.removesuffix("_id").replace("_", " ")
    overall, outside = float(groups["overall"].iloc[0]), groups["outside"].astype(float)
    far, near = int((outside >= 0.99).sum()), int((outside > 0).sum())
    title = title or f"Won of closed deals, by {name}: more than chance makes of one share?"
    subtitle = subtitle or (
        f"{len(groups)} groups; {near} outside the inner funnel, of which {far} outside the outer one. By chance about "
        f"{0.05 * len(groups):.1f} and {0.002 * len(groups):.1f} would be"
    )
    caption = wording.provenance(shares.meta)
    caption += " Dashed: 95 % funnel; solid: 99.8 %; thin line: all groups together. Circle: inside; diamond: outside "
    caption += "the inner, filled square: outside the outer funnel."
    said = [f"{row['level']}: {_share(row)}, {wording.count(row['n_deals'])} closed" for row in _told(groups, segment)]
    parts = (title, f"All together {wording.percent(overall, 2000)}.", f"{subtitle}.", listed(said))
    alt = " ".join(part for part in parts if part)
    low, high = _range(groups)
    layout = {
        "xaxis": {"title": {"text": "closed deals"}, "rangemode": "tozero", "fixedrange": True, "showgrid": False},
        "yaxis": {**percent_axis(low, high), "showgrid": True, "fixedrange": True},
        "annotations": _labels(groups, segment, overall),
    }
    space = Space(340, left=52, right=96, bottom=44, widest=780)
    narrow = {"margin.l": 44, "margin.r": 70}
    return sheet(_traces(groups, overall), layout, Words(title, subtitle, caption, alt), space, narrow)


def _range(groups: pd.DataFrame) -> tuple[float, float]:
    low = float(groups[["estimate", "low_95", "low_99.8"]].to_numpy(dtype=float).min())
    high = float(groups[["estimate", "high_95", "high_99.8"]].to_numpy(dtype=float).max())
    room = max(0.06 * (high - low), 0.01)
    return max(-0.01, low - room), min(1.01, high + room)


def _share(row: dict[str, Any]) -> str:
    value, low, high = (float(row[name]) for name in ("estimate", "conf_low", "conf_high"))
    return wording.percent_interval(value, low, high, float(row["n_deals"]))


def _told(groups: pd.DataFrame, segment: str) -> list[dict[str, Any]]:
    """Groups that are named: all of a few, else those outside the outer funnel; of people none."""
    if segment in PEOPLE:
        return []
    return records(groups if len(groups) <= MOST_LABELS else groups[groups["outside"] >= 0.99])


def _traces(groups: pd.DataFrame, overall: float) -> list[Any]:
    sizes = groups["n_deals"].astype(float).tolist()
    lines: list[Any] = [_line([sizes[0], sizes[-1]], [overall] * 2, "solid", 1, "all together")]
    for level, dash in FUNNELS:
        for side in ("low", "high"):
            values = groups[f"{side}_{level}"].astype(float).tolist()
            lines.append(_line(sizes, values, dash, 1.5, f"{side} {level}"))
    outside = groups["outside"].astype(float)
    points = [_points(groups[outside == level], *LOOKS[level]) for level in LOOKS if (outside == level).any()]
    return lines + points


def _line(x: Sequence[float], y: Sequence[float], dash: str, width: float, name: str) -> Any:
    line = {"color": theme.QUIET, "dash": dash, "width": width}
    return go.Scatter(x=list(x), y=list(y), mode="lines", line=line, hoverinfo="skip", name=name)


def _points(groups: pd.DataFrame, marker: str, filled: bool) -> Any:
    colour = theme.INK if filled else theme.COLOURS["won"]
    rows = records(groups)
    return go.Scatter(
        x=groups["n_deals"].astype(float).tolist(),
        y=groups["estimate"].astype(float).tolist(),
        mode="markers",
        marker={
            "color": colour if filled or marker == "diamond" else theme.PAPER,
            "line": {"color": colour, "width": 2},
            "size": 10,
            "symbol": marker,
        },
        customdata=groups[["conf_low", "conf_high"]].astype(float).to_numpy().tolist(),
        hovertext=[f"{wording.safe(r['level'])}: {_share(r)}, {wording.count(r['n_deals'])} closed" for r in rows],
        hoverinfo="text",
        cliponaxis=False,
        name="groups",
    )


def _labels(groups: pd.DataFrame, segment: str, overall: float) -> list[dict[str, Any]]:
    most = float(groups["n_deals"].max())
    text = f"all {wording.percent(overall, 2000)}"
    found = [note(text, x=1, y=overall, yref="y", xshift=6, font={"size": 11, "color": theme.QUIET})]
    for row in _told(groups, segment):
        left = float(row["n_deals"]) > 0.7 * most
        place = {"xref": "x", "yref": "y", "xanchor": "right" if left else "left", "xshift": -8 if left else 8}
        label = wording.safe(row["level"], 28)
        found.append(note(label, x=float(row["n_deals"]), y=float(row["estimate"]), **place, font={"size": 11}))
    return found
