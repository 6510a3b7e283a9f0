"""Ratios of pace with intervals, on a scale on which half and double are equally far from no difference."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.rows import Rows, Text, placed
from analytics.display.figures.shares import number, size, text, under
from analytics.display.figures.sheet import Space, Words, answers_or_sentence, faint, listed, records, sheet
from analytics.estimators.result import Estimate

TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
FEW_TICKS, MANY_DECADES = (0.02, 0.1, 0.3, 1.0, 3.0, 10.0, 50.0), 1.2
WIDEST = (0.02, 50.0)
LEFT, RIGHT, BOTTOM = 250, 150, 46
ONE = {"type": "line", "layer": "below", "x0": 1, "x1": 1, "yref": "paper", "y0": 0, "y1": 1,
       "line": {"color": theme.QUIET, "width": 1}}  # fmt: skip


@answers_or_sentence
def plot_ratios(
    estimate: Estimate, *, outcomes: Sequence[str] = ("no_decision",), title: str, subtitle: str = "", head: str = "",
    weekly: str = "",
) -> go.Figure:  # fmt: skip
    """Draw how many times the pace of a reference each level has, with intervals; the reference is hollow, at 1.

    Parameters
    ----------
    estimate : Estimate
        Kind coefficient, unit ratio, with `outcome`, `label`, `reference`, `n_event`.
    outcomes : sequence of str
        Outcomes that are drawn, told apart by shape; the figure at the right is that of the first one there is.
    title, subtitle : str
        Heading and the line under it.
    head : str
        Column whose values are headings above the rows.
    weekly : str
        What the column `weekly` is of ("deals a week"); empty: it is not written.

    Raises
    ------
    ValueError
        Where the Estimate has no row of these outcomes.

    Examples
    --------
    >>> import pandas as pd
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"level": ["0", "1"], "outcome": "no_decision", "label": ["never pushed", "pushed once"],
    ...     "estimate": [1.0, 1.6], "conf_low": [1.0, 1.2], "conf_high": [1.0, 2.1],
    ...     "reference": [True, False], "n_event": [20, 14]})
    >>> given = Estimate(frame, Meta("coefficient", "as in a study", ("level", "outcome"), n_deals=40, unit="ratio"))
    >>> plot_ratios(given, title="After each push").layout.meta["title"]
    'After each push'
    """
    there = [name for name in outcomes if (estimate.frame["outcome"] == name).any()]
    if not there:
        raise ValueError(f"there is nothing to draw: no ratio of the outcomes {', '.join(outcomes)}")
    rows = _levels(estimate, there, head)
    place = placed(_texts(rows, there, head, weekly), LEFT, RIGHT, least=40 + 8 * (len(there) - 1))
    everything = [record for row in rows for record in row.values()]
    edges = _range(everything)
    layout = {"xaxis": _axis(*edges), "yaxis": place.axis(), "annotations": place.annotations(), "shapes": [ONE]}
    traces, tight = _traces(rows, there, place, edges)
    narrow = {**place.narrow(BOTTOM), **{f"data.{i}.y": heights for i, heights in enumerate(tight)}}
    shapes = {"won": "circle: won", "lost": "square: lost", "no_decision": "diamond: no decision"}
    if len(there) > 1 and not subtitle:
        figure = f"the figure at the right: {theme.outcome_name(there[0]).lower()}"
        subtitle = wording.sentence(f"{'; '.join(shapes.get(name, name) for name in there)}; {figure}").rstrip(".")
    cut = " Intervals are cut at the edge of the figure." if _cut(everything, *edges) else ""
    said = listed(f"{text(r, 'label')}, {theme.outcome_name(r['outcome']).lower()}: {ratio(r)}" for r in everything)
    words = Words(title, subtitle, wording.provenance(estimate.meta) + cut, f"{title}. {said}.")
    return sheet(traces, layout, words, Space(place.wide_height, LEFT, RIGHT, BOTTOM, widest=780), narrow)


def _levels(estimate: Estimate, outcomes: Sequence[str], head: str) -> list[dict[str, dict[str, Any]]]:
    """Put what belongs to one level into one row, by outcome, in the order of the first outcome."""
    rows: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for outcome in outcomes:
        for record in records(estimate.frame[estimate.frame["outcome"] == outcome]):
            rows.setdefault((text(record, head) if head else "", text(record, "label")), {})[outcome] = record
    order = {group: place for place, group in enumerate(dict.fromkeys(group for group, _ in rows))}
    return [row for _, row in sorted(rows.items(), key=lambda item: order[item[0][0]])]


def _texts(
    rows: Sequence[Mapping[str, dict[str, Any]]], outcomes: Sequence[str], head: str, weekly: str
) -> list[Text]:  # fmt: skip
    texts, before = [], ""
    for row in rows:
        first = next(iter(row.values()))
        group = text(first, head) if head else ""
        lines = wording.wrapped(text(first, "label"), 34, 2)
        pace = f"{wording.percent(number(first, 'weekly'), 2000)} of {weekly}" if weekly else ""
        note = "the level that the others are compared with" if first.get("reference") else ""
        lines += [wording.quiet(line) for line in wording.wrapped(under({}, pace, note), 40, 3) if line]
        given = row.get(outcomes[0], {})
        value = f"{ratio(given)}<br>{wording.quiet(size(given, 'n_event', 'events'))}" if given else "–"
        texts.append(Text(lines, value, group if group != before else ""))
        before = group
    return texts


def _axis(low: float, high: float) -> dict[str, Any]:
    wide = math.log10(high / low) > MANY_DECADES
    ticks = [tick for tick in (FEW_TICKS if wide else TICKS) if low <= tick <= high]
    return {
        "type": "log", "range": [math.log10(low * 0.93), math.log10(high * 1.05)], "tickmode": "array",
        "showgrid": True, "tickvals": ticks, "ticktext": [f"×\u2009{tick:g}" for tick in ticks], "fixedrange": True,
        "title": {"text": "times the pace of the reference"},
    }  # fmt: skip


def ratio(record: Mapping[str, Any]) -> str:
    r"""Write a ratio with its interval.

    Examples
    --------
    >>> ratio({"estimate": 1.486, "conf_low": 1.16, "conf_high": 1.9}), ratio({"estimate": 1.0, "reference": True})
    ('×\xa01.5 (1.2–1.9)', '1')
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
    rows: Sequence[Mapping[str, dict[str, Any]]], outcomes: Sequence[str], place: Rows, edges: tuple[float, float]
) -> tuple[list[Any], list[list[float]]]:
    """Per outcome its levels, then its references (hollow), each with their heights on a phone."""
    traces, tight = [], []
    for k, outcome in enumerate(outcomes):
        lift = 10.0 * ((len(outcomes) - 1) / 2 - k)
        for reference in (False, True):
            at = [
                i for i, row in enumerate(rows)
                if outcome in row and bool(row[outcome].get("reference")) == reference
                and number(row[outcome], "estimate") > 0
            ]  # fmt: skip
            if at:
                found = [rows[i][outcome] for i in at]
                traces.append(_trace(found, [place.wide[i] - lift for i in at], (outcome, reference), edges))
                tight.append([place.tight[i] - lift for i in at])
    return traces, tight


def _trace(
    found: Sequence[Mapping[str, Any]], heights: list[float], look: tuple[str, bool], edges: tuple[float, float]
) -> Any:
    outcome, reference = look
    tint = theme.QUIET if outcome == "no_decision" else theme.colour(outcome)
    value = [_inside(number(record, "estimate"), edges) for record in found]
    low = [_inside(number(record, "conf_low"), edges, v) for record, v in zip(found, value, strict=True)]
    high = [_inside(number(record, "conf_high"), edges, v) for record, v in zip(found, value, strict=True)]
    return go.Scatter(
        x=value, y=heights, mode="markers", cliponaxis=False, hoverinfo="text",
        hovertext=[f"{wording.safe(text(record, 'label'))}: {ratio(record)}" for record in found],
        marker={"color": theme.PAPER if reference else tint, "size": 10, "symbol": theme.MARKERS.get(outcome, "circle"),
                "line": {"color": tint, "width": 2 if reference else 0}},
        error_x={"type": "data", "symmetric": False, "color": faint(tint, 0.5), "thickness": 4, "width": 0,
                 "array": [max(0.0, h - v) for h, v in zip(high, value, strict=True)],
                 "arrayminus": [max(0.0, v - w) for w, v in zip(low, value, strict=True)]},
        customdata=[[number(record, "conf_low"), number(record, "conf_high")] for record in found],
    )  # fmt: skip


def _inside(value: float, edges: tuple[float, float], otherwise: float = 1.0) -> float:
    """Keep a value within the figure; a missing limit is the estimate itself."""
    return min(max(value, edges[0]), edges[1]) if math.isfinite(value) else otherwise
