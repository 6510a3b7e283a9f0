"""Quarter after quarter: shares as published beside those known now, and the changes between quarters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.changes import WOULD_SHOW
from analytics.display.figures.dots import Columns, Dot, Row, dot_rows
from analytics.display.figures.sheet import (
    Space,
    Words,
    answers_or_sentence,
    faint,
    listed,
    note,
    percent_axis,
    records,
    sheet,
)
from analytics.estimators.result import Estimate

PUBLISHED, KNOWN_NOW = "as published", "as known now"
SHOWN = ("won", "lost", "no_decision")
PANEL, HEAD, ASIDE = 120, 34, 0.14  # pixels of a panel and of its heading; quarters between the two views
FEWEST = 4
"""Points with fewer quarters are not joined: they are no trend."""


@answers_or_sentence
def plot_quarters(
    shares: Estimate,
    *,
    title: str = "Quarter after quarter",
    subtitle: str = "Filled: as published; hollow: as known now",
) -> go.Figure:
    r"""Draw the shares of each quarter with their intervals: as published, and as known now.

    Parameters
    ----------
    shares : Estimate
        Keys (period, view, outcome), quarters in order; `definitions` says of a row that it was counted by other
        definitions than the newest: its dot is crossed out.
    title, subtitle : str
        Heading and the line under it.

    Examples
    --------
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"period": ["2025Q3", "2025Q4"], "view": "as published", "outcome": "won",
    ...     "estimate": [0.27, 0.23], "conf_low": [0.21, 0.18], "conf_high": [0.33, 0.28], "n_deals": [598, 615]})
    >>> meta = Meta("probability", "share won by the horizon", ("period", "view", "outcome"), n_deals=615)
    >>> plot_quarters(Estimate(frame, meta)).layout.meta["alt"]
    'Quarter after quarter. Won: 2025Q3 27\xa0% (21–33); 2025Q4 23\xa0% (18–28).'
    """
    frame = shares.frame[shares.frame["estimate"].notna()]
    periods = list(dict.fromkeys(shares.frame["period"].astype(str)))
    outcomes = [name for name in SHOWN if name in set(frame["outcome"])]
    if not outcomes:
        raise ValueError("there is nothing to draw: no quarter has a share")
    height = len(outcomes) * (PANEL + HEAD)
    traces, said = [], []
    layout: dict[str, Any] = {"annotations": [], "shapes": []}
    for i, outcome in enumerate(outcomes):
        rows = records(frame[frame["outcome"] == outcome])
        axis = "" if i == 0 else str(i + 1)
        traces += [trace for view in (PUBLISHED, KNOWN_NOW) for trace in _points(rows, view, periods, outcome, axis)]
        foot = height - i * (PANEL + HEAD) - HEAD - PANEL
        layout |= _axes(rows, periods, axis, (foot / height, (foot + PANEL) / height), last=outcome == outcomes[-1])
        layout["annotations"] += _names(rows, outcome, axis)
        said.append(f"{theme.outcome_name(outcome)}: {'; '.join(_in_words(rows, periods))}")
    words = Words(title, subtitle, _caption(shares, periods), f"{title}. {'. '.join(said)}.")
    every = 1 + (len(periods) - 1) // 4
    ticks = list(range(len(periods) - 1, -1, -every))[::-1]
    tight = {"tickvals": ticks, "ticktext": [wording.safe(periods[k], 12) for k in ticks]}
    narrow = {
        f"xaxis{'' if i == 0 else i + 1}.{key}": value for i in range(len(outcomes)) for key, value in tight.items()
    }
    space = Space(height, left=46, right=20, bottom=34, top=8, widest=860)
    return sheet(traces, layout, words, space, {**narrow, "margin.l": 42})


@answers_or_sentence
def plot_quarter_changes(
    changes: Estimate, *, title: str = "From one quarter to the next", subtitle: str = "Difference in percentage points"
) -> go.Figure:
    """Draw the change of each outcome between quarters, over the region that is too small to matter.

    Parameters
    ----------
    changes : Estimate
        Kind contrast, keys (period, compared_to, view, outcome), with `estimate_now`, `estimate_then`, `margin`,
        `verdict`. Filled: as published; hollow: as known now.
    title, subtitle : str
        Heading and the line under it.

    Examples
    --------
    >>> from analytics.estimators.result import Meta
    >>> keys = ("period", "compared_to", "view", "outcome")
    >>> frame = pd.DataFrame({"period": ["2025Q4"], "compared_to": "2025Q3", "view": "as published", "outcome": "won",
    ...     "estimate": [-0.04], "conf_low": [-0.12], "conf_high": [0.04], "estimate_then": [0.27], "margin": [0.03],
    ...     "estimate_now": [0.23], "verdict": "cannot tell"})
    >>> plot_quarter_changes(Estimate(frame, Meta("contrast", "change", keys, n_deals=615))).layout.meta["alt"]
    'From one quarter to the next. Won in 2025Q4 against 2025Q3 as published: −4.0 (−12.0 to +4.0) points, cannot tell.'
    """
    rows, said = [], []
    for (period, other), group in changes.frame.groupby(["period", "compared_to"], sort=False):
        for i, outcome in enumerate(theme.in_order(group["outcome"])):
            views = records(group[group["outcome"] == outcome])
            rows.append(_change_row(outcome, views, f"{period} against {other}" if i == 0 else ""))
            name = f"{theme.outcome_name(outcome)} in {period} against {other}"
            said += [f"{name} {view['view']}: {_points_of(view)}, {view['verdict']}" for view in views]
    caption = (
        f"{wording.provenance(changes.meta)} {WOULD_SHOW.split('. ')[0]}. Filled: as published; hollow: as known now."
    )
    words = Words(title, subtitle, caption, f"{title}. {listed(said)}.")
    return dot_rows(rows, words, Columns(characters=34, left=252, right=158, signed=True, axis="percentage points"))


def _change_row(outcome: str, views: Sequence[Mapping[str, Any]], head: str) -> Row:
    dots = []
    for view in views:
        value, low, high = (float(view[name]) for name in ("estimate", "conf_low", "conf_high"))
        hollow, lift = view["view"] != PUBLISHED, 0.0 if len(views) == 1 else 6.0 - 12.0 * (view["view"] != PUBLISHED)
        hover = f"{theme.outcome_name(outcome)}, {view['view']}: {_points_of(view)}"
        look: dict[str, Any] = {"marker": theme.MARKERS[outcome], "hollow": hollow, "lift": lift, "hover": hover}
        dots.append(Dot(value, low, high, colour=theme.colour(outcome), **look))
    lines = [
        f"{view['view']} {wording.percent(float(view['estimate_then']))} then, "
        f"{wording.percent(float(view['estimate_now']))} now: {view['verdict']}"
        for view in views if pd.notna(view["estimate"])
    ]  # fmt: skip
    figures = [_points_of(view).removesuffix(" points") for view in views]
    margin = views[0].get("margin")
    return Row(
        theme.outcome_name(outcome), tuple(dots), figures[0], "<br>".join(figures[1:]), "; ".join(lines), head=head,
        margin=float(margin) if margin is not None and pd.notna(margin) else None,
    )  # fmt: skip


def _points_of(record: Mapping[str, Any]) -> str:
    value, low, high = (float(record[name]) for name in ("estimate", "conf_low", "conf_high"))
    return f"{wording.points_interval(value, low, high)} points" if math.isfinite(value) else "not shown"


def _share(record: Mapping[str, Any]) -> str:
    value, low, high = (float(record[name]) for name in ("estimate", "conf_low", "conf_high"))
    n = record.get("n_deals")
    return wording.percent_interval(value, low, high, float(n) if n is not None and pd.notna(n) else None)


def _points(rows: Sequence[Mapping[str, Any]], view: str, periods: Sequence[str], outcome: str, axis: str) -> list[Any]:
    """One trace per look: sound dots, joined where they are four or more, and those counted by other definitions."""
    mine = [row for row in rows if row["view"] == view]
    both = len({row["view"] for row in rows}) > 1
    step, found = (0.0 if not both else -ASIDE if view == PUBLISHED else ASIDE), []
    for sound in (True, False):
        chosen = [row for row in mine if bool(row.get("definitions") or "") != sound]
        if not chosen:
            continue
        values = [[float(row[name]) for name in ("estimate", "conf_low", "conf_high")] for row in chosen]
        known = [math.isfinite(low) and math.isfinite(high) for _, low, high in values]
        up = [high - value if ok else 0.0 for (value, _, high), ok in zip(values, known, strict=True)]
        down = [value - low if ok else 0.0 for (value, low, _), ok in zip(values, known, strict=True)]
        tint = theme.colour(outcome)
        mark = theme.MARKERS[outcome] + ("-open" if view != PUBLISHED else "")
        error = {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "thickness": 3, "width": 0}
        found.append(go.Scatter(
            x=[periods.index(str(row["period"])) + step for row in chosen], y=[value for value, _, _ in values],
            mode="lines+markers" if sound and len(chosen) >= FEWEST else "markers", xaxis=f"x{axis}", yaxis=f"y{axis}",
            line={"color": faint(tint, 0.35), "width": 1, "dash": "solid" if view == PUBLISHED else "dot"},
            marker={"color": tint, "size": 8, "symbol": mark if sound else "x-thin-open"},
            error_y={**error, "color": faint(tint, 0.45)}, hoverinfo="text",
            hovertext=[f"{row['period']} {view}: {_share(row)}" for row in chosen],
        ))  # fmt: skip
    return found


def _axes(
    rows: Sequence[Mapping[str, Any]], periods: Sequence[str], axis: str, domain: tuple[float, float], *, last: bool
) -> dict[str, Any]:
    ends = [float(row[name]) for row in rows for name in ("estimate", "conf_high") if pd.notna(row[name])]
    shares = percent_axis(0, min(1.0, max(ends) * 1.12 or 0.05))
    time = {
        "tickmode": "array", "tickvals": list(range(len(periods))),
        "ticktext": [wording.safe(name, 12) for name in periods], "range": [-0.5, len(periods) - 0.5],
        "anchor": f"y{axis}", "fixedrange": True, "showticklabels": last, "ticks": "outside" if last else "",
    }  # fmt: skip
    return {
        f"xaxis{axis}": time,
        f"yaxis{axis}": {**shares, "domain": list(domain), "anchor": f"x{axis}", "showgrid": True, "fixedrange": True},
    }


def _names(rows: Sequence[Mapping[str, Any]], outcome: str, axis: str) -> list[dict[str, Any]]:
    newest = rows[-1]
    said = wording.quiet(f"{wording.safe(newest['period'])}: {_share(newest)}")
    text = f"{wording.bold(theme.outcome_name(outcome))} {said}"
    place = {"xref": f"x{axis} domain", "yref": f"y{axis} domain"}
    return [note(text, x=0, y=1, yshift=6, yanchor="bottom", font={"size": 12}, **place)]


def _in_words(rows: Sequence[Mapping[str, Any]], periods: Sequence[str]) -> list[str]:
    found = []
    for period in periods:
        views = {str(row["view"]): row for row in rows if str(row["period"]) == period}
        first = views.get(PUBLISHED)
        later = views.get(KNOWN_NOW)
        texts = [_share(first)] if first is not None else []
        texts += [f"{_share(later)} as known now"] if later is not None else []
        other = " by other definitions" if first is not None and first.get("definitions") else ""
        found.append(f"{period} {', '.join(texts)}{other}" if texts else f"{period} not told")
    return found


def _caption(shares: Estimate, periods: Sequence[str]) -> str:
    caption = wording.provenance(shares.meta)
    if len(periods) < FEWEST:
        caption += f" Fewer than {FEWEST} quarters are no trend: the dots are not joined."
    if "definitions" in shares.frame and shares.frame["definitions"].fillna("").ne("").any():
        caption += " Crosses: counted by other definitions than the newest quarter; not to be compared."
    return caption
