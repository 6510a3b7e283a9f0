"""Where deals end up: stacked incidence with direct labels, intervals and numbers at risk."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.areas import AT_RISK, areas, below, days_axis, whiskers
from analytics.display.figures.multiples import multiples
from analytics.display.figures.sheet import (
    Space,
    Words,
    answers_or_sentence,
    day_ticks,
    note,
    percent_axis,
    sheet,
)
from analytics.display.figures.stacks import Stack, ends, said, spread, strata_of
from analytics.estimators.result import Estimate

PLOT = 300  # pixels of a single plot


@answers_or_sentence
def plot_stacked_incidence(
    incidence: Estimate,
    *,
    title: str = "Where deals end up",
    subtitle: str = "Share of deals by days after opening",
) -> go.Figure:
    """Draw the share of deals won, lost and in no decision by days after opening; what is left is still open.

    Parameters
    ----------
    incidence : Estimate
        Kind incidence, keys (outcome, time) for one plot or (group, outcome, time) for small multiples (a cohort, a
        segment); `n_risk` gives the numbers at risk under the plot. A stratum whose column `mature` is False says so.
    title, subtitle : str
        Heading and the line under it.

    Raises
    ------
    ValueError
        Where the Estimate is not an incidence over time, or has no row with an estimate.

    Examples
    --------
    >>> import pandas as pd
    >>> from analytics import count_events, cumulative_incidence
    >>> deals = pd.DataFrame({"entry": -1, "exit": [3, 9, 9, 12], "outcome": ["won", "lost", "open", "won"]})
    >>> given = cumulative_incidence(count_events(deals))
    >>> plot_stacked_incidence(given).layout.meta["title"]
    'Where deals end up'
    """
    stacks = strata_of(incidence)
    caption = wording.provenance(incidence.meta)
    if "bound_low" in incidence.frame.columns:
        caption += " Some outcomes are unknown: the intervals hold every way of counting them."
    if len(stacks) == 1:
        return _single(stacks[0], title, subtitle, caption)
    return multiples(stacks, title, subtitle, caption)


def _labels(stack: Stack) -> list[dict[str, Any]]:
    bands, foot = [], 0.0
    for outcome, (value, low, high) in ends(stack).items():
        bands.append((outcome, foot + value / 2, wording.percent_interval(value, low, high, stack.n)))
        foot += value
    bands.append(("open", (foot + 1) / 2, wording.percent(max(0.0, 1 - foot), stack.n)))
    heights = spread([middle for _, middle, _ in bands], 33 / PLOT, 0.05, 0.97)
    return [
        note(
            f"{wording.bold(theme.outcome_name(outcome))}<br>{text}",
            x=1,
            y=height,
            yref="y",
            xshift=6,
        )
        for (outcome, _, text), height in zip(bands, heights, strict=True)
    ]


def _single(stack: Stack, title: str, subtitle: str, caption: str) -> go.Figure:
    ticks = day_ticks(stack.last)
    grey = {"size": 11, "color": theme.QUIET}
    unit = note("days after opening", x=stack.last, xref="x", y=0, xanchor="right", yshift=-42, font=grey)
    notes = [*_labels(stack), *below(stack, ticks), unit]
    layout = {
        "xaxis": days_axis(stack.last, ticks),
        "yaxis": {**percent_axis(0, 1), "fixedrange": True},
        "annotations": notes,
    }
    level = "The bars at the right edge are the intervals of each band's thickness on the last day."
    remark = f" {wording.sentence(stack.remark)}" if stack.remark else ""
    words = Words(title, subtitle, f"{caption} {level}{remark}", f"{title}. {said(stack)}.")
    more = 22 if wording.decimals(stack.n) else 0  # pixels that a decimal takes in the labels
    space = Space(PLOT, left=46, right=120 + more, bottom=72, top=10, widest=760)
    shorter = [{**item, "text": item["text"].split(":")[0]} if item["text"] == AT_RISK else item for item in notes]
    narrow = {"margin.l": 42, "margin.r": 108 + more, "annotations": shorter}
    traces = [*areas(stack), *whiskers(stack, stack.last)]
    return sheet(traces, layout, words, space, narrow)
