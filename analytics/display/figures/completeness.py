"""How complete the fields are, all deals and by outcome."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.dots import Columns, Dot, Row, dot_rows
from analytics.display.figures.sheet import (
    Words,
    answers_or_sentence,
    listed,
    records,
)
from analytics.estimators.result import Estimate


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

    Examples
    --------
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"field": "amount", "outcome": ["all", "won", "lost"], "label": "amount",
    ...     "estimate": [0.9, 1.0, 0.8], "conf_low": [0.8, 0.9, 0.6], "conf_high": [0.95, 1.0, 0.9],
    ...     "n_event": [36, 20, 16], "n_risk": [40, 20, 20]})
    >>> given = Estimate(frame, Meta("probability", "as in a study", ("field", "outcome"), n_deals=40))
    >>> plot_completeness(given).layout.meta["title"]
    'How complete the fields are'
    """
    frame = completeness.frame
    whole = frame[frame["outcome"] == "all"].sort_values("estimate", kind="stable", na_position="first")
    rows, said = [], []
    outcomes = theme.in_order(set(frame["outcome"]) - {"all"})
    lines = [record for record in records(whole) if record["n_event"] != record["n_risk"]] or records(whole)
    for record in lines:
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
    filled = [str(r.get("label") or r["field"]) for r in records(whole) if r["n_event"] == r["n_risk"]]
    if filled and len(lines) < len(whole):
        caption += f" Filled in every deal, and not drawn: {', '.join(filled)}."
        said.append(f"filled in every deal: {', '.join(filled)}")
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
