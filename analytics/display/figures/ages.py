"""What happens as deals grow older: incidence curves with bands, and the share of open deals later won by age."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.curves import band, mark
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
    size_of,
)
from analytics.display.figures.stacks import spread
from analytics.display.findings import finding_cards
from analytics.estimators.result import Estimate, Finding

PLOT = 290  # pixels
GREY = {"size": 11, "color": theme.QUIET}
BANDS = "Bands hold the whole curve at once; labels give the interval on the last day."
BOUNDS = "Some outcomes are unknown: bands hold every way of counting them."


@answers_or_sentence
def plot_incidence_curves(
    incidence: Estimate,
    *,
    title: str = "By which age deals end, and how",
    subtitle: str = "Share of all deals by days after opening",
) -> go.Figure | Any:
    """Draw one curve per outcome with its band, told apart by dash, with numbers at risk below.

    Parameters
    ----------
    incidence : Estimate
        Kind incidence, keys (outcome, time); `band_low` and `band_high` give the bands where they are, the pointwise
        limits elsewhere.
    title, subtitle : str
        Heading and the line under it.

    Raises
    ------
    ValueError
        Where no row has an estimate.

    Examples
    --------
    >>> from analytics import count_events, cumulative_incidence
    >>> deals = pd.DataFrame({"entry": -1, "exit": [3, 9, 9, 12], "outcome": ["won", "lost", "open", "won"]})
    >>> given = cumulative_incidence(count_events(deals))
    >>> plot_incidence_curves(given).layout.meta["title"]
    'By which age deals end, and how'
    """
    frame = incidence.frame[incidence.frame["estimate"].notna()].sort_values("time", kind="stable")
    if frame.empty:
        raise ValueError("there is nothing to draw: the incidence has no row with an estimate")
    curves = {name: frame[frame["outcome"] == name].reset_index(drop=True) for name in theme.in_order(frame["outcome"])}
    seen = {name: curve for name, curve in curves.items() if float(curve["estimate"].iloc[-1]) > 0}
    curves = seen or curves
    n = size_of(incidence, frame)
    top = min(1.0, max(float(_banded(curve)["conf_high"].max()) for curve in curves.values()) * 1.08)
    traces = [
        trace
        for name, curve in curves.items()
        for trace in band(_banded(curve), theme.colour(name), theme.DASHES[name], _hover(name))
    ]
    ticks = day_ticks(float(frame["time"].max()))
    layout = {
        "xaxis": _days(ticks),
        "yaxis": {**percent_axis(0, top), "showgrid": True, "fixedrange": True},
        "annotations": [*_ends(curves, top, n), *_at_risk(next(iter(curves.values())), ticks)],
    }
    said = [f"{theme.outcome_name(name).lower()} {_last(curve, n)}" for name, curve in curves.items()]
    last = f"by day {frame['time'].max():.0f}"
    unknown = "bound_low" in frame.columns
    caption = f"{wording.provenance(incidence.meta)} {BOUNDS if unknown else BANDS}"
    words = Words(title, subtitle, caption, f"{title}. {last.capitalize()}: {listed(said)}.")
    space = Space(PLOT, left=46, right=142, bottom=66, top=10, widest=760)
    return sheet(traces, layout, words, space, {"margin.l": 42, "margin.r": 126})


def _hover(name: str) -> str:
    return f"{wording.safe(theme.outcome_name(name))}, day %{{x}}: %{{hovertext}}"


def _banded(curve: pd.DataFrame) -> pd.DataFrame:
    """Take the band as the limits, the pointwise ones where there is none."""
    if "band_low" not in curve.columns:
        return curve
    low = curve["band_low"].fillna(curve["conf_low"])
    return curve.assign(conf_low=low, conf_high=curve["band_high"].fillna(curve["conf_high"]))


def _last(curve: pd.DataFrame, n: float) -> str:
    return _share(curve.iloc[-1], n)


def _ends(curves: dict[str, pd.DataFrame], top: float, n: float) -> list[dict[str, Any]]:
    """Label each curve at its end with its name and interval, a piece of its line before them."""
    order = sorted(curves, key=lambda name: float(curves[name]["estimate"].iloc[-1]))
    wanted = [float(curves[name]["estimate"].iloc[-1]) for name in order]
    heights = spread(wanted, 38 / PLOT * top, 0.03 * top, 0.97 * top)
    return [
        note(
            f"{mark(theme.colour(name), theme.DASHES[name])} {wording.bold(theme.outcome_name(name))}"
            f"<br>{_last(curves[name], n)}",
            x=1, y=height, yref="y", xshift=8,
        )
        for name, height in zip(order, heights, strict=True)
    ]  # fmt: skip


def _days(ticks: list[int]) -> dict[str, Any]:
    texts = [wording.count(tick) for tick in ticks]
    axis = {"tickmode": "array", "tickvals": ticks, "ticktext": texts, "range": [0, max(ticks[-1], 1)]}
    return {**axis, "ticks": "outside", "ticklen": 4, "fixedrange": True}


def _at_risk(
    curve: pd.DataFrame, ticks: list[int], *, time: str = "time", words: str = "at risk"
) -> list[dict[str, Any]]:
    """Numbers at risk under the axis, with its unit."""
    found = [
        note("days after opening", x=1, xanchor="right", y=0, yref="y domain", yshift=-30, font=GREY),
        note(words, x=0, y=0, yref="y domain", yshift=-30, font=GREY),
    ]
    for tick in ticks:
        after = curve[curve[time] >= tick]
        if len(after) and "n_risk" in curve.columns and pd.notna(after["n_risk"].iloc[0]):
            text = wording.count(float(after["n_risk"].iloc[0]))
            found.append(note(text, x=tick, xref="x", xanchor="center", y=0, yref="y domain", yshift=-46, font=GREY))
    return found


def plot_later_won(
    later: Estimate | Finding,
    seldom: Estimate | Finding | None = None,
    *,
    title: str = "How many open deals were later won, by their age",
) -> go.Figure | Any:
    """Draw the share of deals still open at each age that was won later; ages past which few were won are marked.

    Parameters
    ----------
    later : Estimate or Finding
        Kind probability, keys (age,), with `n_risk` and `horizon_reached`; a Finding is shown as its sentence.
    seldom : Estimate or Finding, optional
        Keys (one_in, measure), with `age_days`: each age is marked, with what lies past it. A Finding (there is no such
        age) leaves the curve without marks.
    title : str
        Heading.

    Raises
    ------
    ValueError
        Where no row has an estimate.

    Examples
    --------
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"age": [0, 90, 180], "estimate": [0.3, 0.2, 0.1], "conf_low": [0.2, 0.1, 0.05],
    ...     "conf_high": [0.4, 0.3, 0.2],
    ...     "n_risk": [40, 30, 20], "horizon_reached": 365})
    >>> given = Estimate(frame, Meta("probability", "as in a study", ("age",), n_deals=40))
    >>> plot_later_won(given).layout.meta["title"]
    'How many open deals were later won, by their age'
    """
    if isinstance(later, Finding):
        return finding_cards(later)
    return _later_won(later, seldom if isinstance(seldom, Estimate) else None, title)


@answers_or_sentence
def _later_won(later: Estimate, seldom: Estimate | None, title: str) -> go.Figure | Any:
    curve = later.frame[later.frame["estimate"].notna()].sort_values("age", kind="stable").reset_index(drop=True)
    if curve.empty:
        raise ValueError("there is nothing to draw: no age has an estimate")
    high = curve["conf_high"].fillna(curve["estimate"])
    top = min(1.0, float(high.max()) * 1.12 + 0.01)
    colour = theme.colour("won")
    drawn = curve.assign(
        time=curve["age"], conf_low=curve["conf_low"].fillna(curve["estimate"]), conf_high=high
    )  # a shared report may withhold limits
    traces = band(drawn, colour, "solid", "open at day %{x}: %{hovertext} won later")
    for trace in traces:
        trace.line.shape = "linear"
    ticks = day_ticks(float(curve["age"].max()))
    marks = _marks(seldom)
    shapes = [
        {"type": "line", "x0": item["age"], "x1": item["age"], "y0": 0, "y1": 1, "yref": "y domain", "layer": "below",
         "line": {"color": theme.QUIET, "width": 1, "dash": "dot"}}
        for item in marks
    ]  # fmt: skip
    notes = [
        note(wording.quiet(item["short"]), x=item["age"], xref="x", y=1, yref="y domain", xshift=4, yshift=-8 - 16 * i)
        for i, item in enumerate(marks)
    ]
    layout = {
        "xaxis": _days(ticks),
        "yaxis": {**percent_axis(0, top), "showgrid": True, "fixedrange": True},
        "annotations": [*notes, *_at_risk(curve, ticks, time="age", words="open at that age")],
        "shapes": shapes,
    }
    n, first, last = size_of(later, curve), curve.iloc[0], curve.iloc[-1]
    said = [f"{_at_age(row, n)}" for row in (first, curve.iloc[len(curve) // 2], last)]
    said += [item["words"] for item in marks]
    caption = f"{wording.provenance(later.meta)} Described: no estimate of what stopping work on such deals would do."
    subtitle = f"Of deals still open at each age, the share won by day {first['horizon_reached']:.0f}"
    words = Words(title, subtitle, caption, f"{title}. {listed(said)}.")
    return sheet(traces, layout, words, Space(PLOT, left=46, right=24, bottom=66, top=10, widest=760), {"margin.l": 42})


def _at_age(row: pd.Series[Any], n: float) -> str:
    return f"open at day {row['age']:.0f}: {_share(row, n)} won later"


def _share(row: Mapping[str, Any] | pd.Series[Any], n: float) -> str:
    return wording.percent_interval(float(row["estimate"]), float(row["conf_low"]), float(row["conf_high"]), n)


def _marks(seldom: Estimate | None) -> list[dict[str, Any]]:
    """Ages past which few open deals were later won, with the shares that lie there."""
    if seldom is None:
        return []
    found = []
    for one_in, rows in seldom.frame.groupby("one_in", sort=True):
        age = float(rows["age_days"].iloc[0])
        shares = [
            f"{_share(r, float(r['n_deals']))} of {WHAT[r['measure']]}"
            for r in records(rows)
            if r["measure"] in WHAT and math.isfinite(float(r["estimate"]))
        ]
        text = f"past day {age:.0f} fewer than 1 in {one_in} later won"
        short = f"fewer than 1 in {one_in} past day {age:.0f}"
        found.append({"age": age, "short": short, "words": text + (f", with {', '.join(shares)}" if shares else "")})
    return found


WHAT = {"open_days_share": "open deal-days", "touches_share": "touches", "wins_share": "wins"}
