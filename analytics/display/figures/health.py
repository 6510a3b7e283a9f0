"""The state of the data: what went in and how complete it is."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.dots import Columns, Dot, Row, dot_rows
from analytics.display.figures.rows import Text, placed
from analytics.display.figures.sheet import (
    Space,
    Words,
    answers_or_sentence,
    listed,
    sheet,
)
from analytics.estimators.result import Estimate, Listing


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
    remaining = [float(record["remaining"]) for record in records]
    gone = [max(0.0, before - now) for before, now in zip([remaining[0], *remaining[:-1]], remaining, strict=True)]
    place = placed([_count(record, out) for record, out in zip(records, gone, strict=True)], 290, 110, least=30)
    layout = {
        "xaxis": {"range": [0, max(remaining) * 1.02 or 1], "visible": False, "fixedrange": True},
        "yaxis": place.axis(),
        "annotations": place.annotations(),
        "barmode": "stack",
    }
    narrow = {**place.narrow(8), "data.0.y": list(place.tight), "data.1.y": list(place.tight)}
    said = [
        f"{_line(record)}: {wording.count(now)} remain" + (f", {wording.count(out)} left out" if out else "")
        for record, now, out in zip(records, remaining, gone, strict=True)
    ]
    caption = f"{wording.sentence(attrition.title)} Blue: remaining; orange: left out at that line."
    words = Words(title, subtitle, caption, f"{title}. {listed(said)}.")
    traces = [
        go.Bar(
            x=values,
            y=list(place.wide),
            width=17,
            orientation="h",
            hovertext=[f"{wording.count(value)} {word}" for value in values],
            hoverinfo="text",
            name=word,
            marker={"color": theme.COLOURS[look], "line": {"width": 0}},
        )
        for values, word, look in ((remaining, "remain", "won"), (gone, "left out", "lost"))
    ]
    return sheet(traces, layout, words, Space(place.wide_height, left=290, right=110, bottom=8, widest=780), narrow)


def _line(record: dict[Any, Any]) -> str:
    step, rule = (str(record.get(name) or "") for name in ("step", "rule"))
    return f"{step}: {rule}" if step and rule and step != rule else step or rule


def _count(record: dict[Any, Any], out: float) -> Text:
    text = wording.count(float(record["remaining"]))
    value = f"{wording.quiet('−' + wording.count(out))}  {text}" if out else text
    return Text(wording.wrapped(_line(record), 44, 2), value)


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
        dots = [_filled(group.loc[o], o, 4 - 9 * k) for k, o in enumerate(outcomes) if o in group.index]
        dots.append(_filled(group.loc["all"], "all", 9 + 4.5 * (len(outcomes) - 2)))
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
    return dot_rows(rows, words, Columns(characters=26, left=190, right=166))


def _filled(record: pd.Series, outcome: str, lift: float) -> Dot:
    value, low, high = (float(record[name]) for name in ("estimate", "conf_low", "conf_high"))
    look: dict[str, Any] = {"colour": theme.INK, "marker": "triangle-up"}
    if outcome != "all":
        look = {"colour": theme.colour(outcome) if outcome != "open" else theme.QUIET, "hollow": outcome == "open"}
        look["marker"] = theme.MARKERS.get(outcome, "x").replace("-open", "")
    name = "all deals" if outcome == "all" else theme.outcome_name(outcome)
    hover = f"{name}: {wording.percent_interval(value, low, high)}"
    return Dot(value, low, high, lift=lift, hover=hover, **look)
