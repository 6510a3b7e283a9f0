"""Still open at an age: a heat table of what becomes of such deals, by age and stage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.sheet import Space, Words, answers_or_sentence, faint, listed, note, records, sheet
from analytics.estimators.result import Estimate

ROW, HEAD, GAP = 50, 46, 26  # pixels: a row, the words above a panel, the room below one
DEEP = 0.55  # opacity at the largest share: text stays readable on it
BLANK = "Empty: fewer deals than are shown alone."


@answers_or_sentence
def plot_still_open(
    still: Estimate,
    *,
    outcomes: Sequence[str] = ("won", "no_decision"),
    title: str = "Still open: what becomes of such deals",
) -> go.Figure | Any:
    """Draw one table per outcome: ages across, stages down, in each cell the share that ends so, its interval and n.

    Parameters
    ----------
    still : Estimate
        Kind probability, keys (age, stage, outcome), with `n_deals` and `horizon_reached`; a cell without an estimate
        is left empty. A cell that was followed less far than the others says up to which day.
    outcomes : sequence of str
        Outcomes that are drawn; one that no deal had gives way to lost deals.
    title : str
        Heading.

    Raises
    ------
    ValueError
        Where no cell has an estimate.

    Examples
    --------
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"age": [90], "stage": "Proposal", "outcome": "won",
    ...     "estimate": [0.3], "conf_low": [0.2], "conf_high": [0.4],
    ...     "n_deals": 40, "horizon_reached": 365})
    >>> given = Estimate(frame, Meta("probability", "as in a study", ("age", "stage", "outcome"), n_deals=40))
    >>> plot_still_open(given).layout.meta["title"]
    'Still open: what becomes of such deals'
    """
    frame = still.frame[still.frame["estimate"].notna()]
    if frame.empty:
        raise ValueError("there is nothing to draw: no cell has an estimate")
    happened = set(frame.loc[frame["estimate"] > 0, "outcome"])
    chosen = [name for name in outcomes if name in happened] or ["won"]
    if len(chosen) < len(outcomes) and "lost" in happened and "lost" not in chosen:
        chosen.append("lost")
    ages, stages = sorted(frame["age"].unique()), list(dict.fromkeys(still.frame["stage"]))
    panel = HEAD + ROW * len(stages) + GAP
    height = panel * len(chosen)
    last = float(frame["horizon_reached"].max())
    layout: dict[str, Any] = {"annotations": []}
    traces, said = [], []
    for i, outcome in enumerate(chosen):
        axis = "" if i == 0 else str(i + 1)
        top = i * panel + HEAD
        domain = [round(1 - (top + ROW * len(stages)) / height, 5), round(1 - top / height, 5)]
        cells = [row for row in records(frame) if row["outcome"] == outcome]
        traces.append(_heat(cells, ages, stages, axis, outcome))
        layout[f"xaxis{axis}"] = _across(ages, axis)
        layout[f"yaxis{axis}"] = _down(stages, domain, axis)
        layout["annotations"] += [_head(outcome, last, axis), *_texts(cells, ages, stages, (axis, last))]
        said += [_said(cell) for cell in cells if cell["stage"] == stages[0]]
    caption = f"{wording.provenance(still.meta)} {BLANK} Stage: the last one recorded by the evening before that age."
    words = Words(title, "Rows: stage at that age. Columns: days after opening", caption, f"{title}. {listed(said)}.")
    space = Space(height, left=128, right=8, bottom=0, top=4, widest=900)
    return sheet(traces, layout, words, space, {"margin.l": 88})


def _heat(cells: list[dict[str, Any]], ages: list[Any], stages: list[str], axis: str, outcome: str) -> Any:
    table: list[list[float | None]] = [[None] * len(ages) for _ in stages]
    hover = [[""] * len(ages) for _ in stages]
    for cell in cells:
        row, column = stages.index(cell["stage"]), ages.index(cell["age"])
        table[row][column], hover[row][column] = float(cell["estimate"]), wording.safe(_said(cell), 200)
    tint = theme.colour(outcome)
    return go.Heatmap(
        z=table, x=list(range(len(ages))), y=list(range(len(stages))), xaxis=f"x{axis}", yaxis=f"y{axis}",
        zmin=0, zmax=max([float(cell["estimate"]) for cell in cells] + [0.01]), showscale=False, xgap=2, ygap=2,
        colorscale=[[0, faint(tint, 0.04)], [1, faint(tint, DEEP)]], hovertext=hover, hoverinfo="text",
        hoverongaps=False,
    )  # fmt: skip


def _across(ages: list[Any], axis: str) -> dict[str, Any]:
    texts = [f"day {age:.0f}" for age in ages]
    return {"tickmode": "array", "tickvals": list(range(len(ages))), "ticktext": texts, "side": "top",
            "anchor": f"y{axis}", "range": [-0.5, len(ages) - 0.5], "fixedrange": True}  # fmt: skip


def _down(stages: list[str], domain: list[float], axis: str) -> dict[str, Any]:
    texts = ["<br>".join(wording.wrapped(stage, 17, 2)) for stage in stages]
    return {"tickmode": "array", "tickvals": list(range(len(stages))), "ticktext": texts, "anchor": f"x{axis}",
            "range": [len(stages) - 0.5, -0.5], "domain": domain, "fixedrange": True}  # fmt: skip


def _head(outcome: str, last: float, axis: str) -> dict[str, Any]:
    text = f"{wording.bold(theme.outcome_name(outcome))} by day {last:.0f}, of deals still open at the age above"
    return note(text, x=0, y=1, yref=f"y{axis} domain", xshift=-120, yshift=30, font={"size": 12})


def _texts(
    cells: list[dict[str, Any]], ages: list[Any], stages: list[str], where: tuple[str, float]
) -> list[dict[str, Any]]:
    axis, last = where
    found = []
    for cell in cells:
        n = float(cell["n_deals"])
        low, high = float(cell["conf_low"]), float(cell["conf_high"])
        lines = [wording.bold(wording.percent(float(cell["estimate"]), min(n, 1999)))]
        if math.isfinite(low) and math.isfinite(high):
            lines.append(f"{100 * low:.0f}–{100 * high:.0f}")
        size = wording.count(n) if math.isfinite(n) else ""
        short = f" to day {cell['horizon_reached']:.0f}" if float(cell["horizon_reached"]) < last else ""
        lines.append(f"n {size}{short}" if size else short)
        x, y = ages.index(cell["age"]), stages.index(cell["stage"])
        place: dict[str, Any] = {"xref": f"x{axis}", "yref": f"y{axis}", "xanchor": "center", "align": "center"}
        found.append(note("<br>".join(line for line in lines if line), x=x, y=y, font={"size": 10}, **place))
    return found


def _said(cell: dict[str, Any]) -> str:
    n = float(cell["n_deals"])
    share = wording.percent_interval(
        float(cell["estimate"]), float(cell["conf_low"]), float(cell["conf_high"]), min(n, 1999)
    )
    size = f", n {wording.count(n)}" if pd.notna(n) else ""
    what = theme.outcome_name(cell["outcome"]).lower()
    return f"{cell['stage']}, open at day {cell['age']:.0f}: {share} {what} by day {cell['horizon_reached']:.0f}{size}"
