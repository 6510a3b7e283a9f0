"""Changes against earlier quarters, over the region that is too small to matter."""

from __future__ import annotations

import math
from collections.abc import Mapping
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

KNOWN = "as known then"
WOULD_SHOW = (
    'Shaded: too small to matter, as set in the params. "Would show from": the smallest change that would reliably '
    "have been shown large enough to matter."
)


@answers_or_sentence
def plot_against(
    change: Estimate, *, title: str = "Against earlier quarters", subtitle: str = "Difference in percentage points"
) -> go.Figure:
    """Draw the change of each outcome with its interval, over the region that is too small to matter.

    Parameters
    ----------
    change : Estimate
        From `questions.quarter.against`: keys (compared_to, view, outcome), columns estimate_now, estimate_then,
        margin, smallest_reliable_change, verdict. Filled dots: as known at the same lag; hollow: restated with what is
        known now.
    title, subtitle : str
        Heading and the line under it.

    Examples
    --------
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"compared_to": ["2025Q3"], "view": "as known then", "outcome": "won",
    ...     "estimate": [-0.04], "conf_low": [-0.12], "conf_high": [0.04],
    ...     "estimate_now": 0.23, "estimate_then": 0.27, "margin": 0.03, "smallest_reliable_change": 0.15,
    ...     "verdict": "cannot tell"})
    >>> given = Estimate(frame, Meta("contrast", "as in a study", ("compared_to", "view", "outcome"), n_deals=40))
    >>> plot_against(given).layout.meta["title"]
    'Against earlier quarters'
    """
    rows, said = [], []
    for quarter, group in change.frame.groupby("compared_to", sort=False):
        for i, outcome in enumerate(theme.in_order(group["outcome"])):
            views = {str(r["view"]): r for r in records(group[group["outcome"] == outcome])}
            row = _change_row(outcome, views)
            rows.append(Row(**{**row.__dict__, "head": f"against {quarter}" if i == 0 else ""}))
            said.append(f"{row.label} against {quarter}: {row.value} points, {row.under}")
    caption = wording.provenance(change.meta)
    caption += f" {WOULD_SHOW} Filled: as known at the same lag after each quarter's end"
    caption += "; hollow: restated with what is known now." if (change.frame["view"] != KNOWN).any() else "."
    words = Words(title, subtitle, caption, f"{title}. {listed(said)}.")
    return dot_rows(rows, words, Columns(characters=36, left=262, right=158, signed=True, axis="percentage points"))


def _change_row(outcome: str, views: Mapping[str, Mapping[str, Any]]) -> Row:
    first = views.get(KNOWN) or next(iter(views.values()))
    dots = []
    for view, record in views.items():
        value, low, high = (float(record[name]) for name in ("estimate", "conf_low", "conf_high"))
        hover = (
            f"{theme.outcome_name(outcome)}, {wording.safe(view)}: {wording.points_interval(value, low, high)} points"
        )
        look: dict[str, Any] = {"marker": theme.MARKERS.get(outcome, "circle"), "hover": hover}
        lift = 0.0 if len(views) == 1 else (6.0 if view == KNOWN else -6.0)
        dots.append(Dot(value, low, high, colour=theme.colour(outcome), hollow=view != KNOWN, lift=lift, **look))
    value, low, high = (float(first[name]) for name in ("estimate", "conf_low", "conf_high"))
    now, then = (_share(first, name) for name in ("estimate_now", "estimate_then"))
    # The size of the figure in words: from what to what, the verdict, and what would reliably have been shown.
    verdict = str(first.get("verdict") or "")
    under = f"{now} now, {then} then" + (f": {verdict}" if verdict else "")
    smallest = first.get("smallest_reliable_change")
    size = f"would show from ±{100 * float(smallest):.1f}" if smallest is not None and pd.notna(smallest) else ""
    figure = wording.points_interval(value, low, high) if math.isfinite(value) else "–"
    margin = first.get("margin")
    known = float(margin) if margin is not None and pd.notna(margin) else None
    return Row(theme.outcome_name(outcome), tuple(dots), figure, size, under, margin=known)


def _share(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    return wording.percent(float(value)) if value is not None and pd.notna(value) else "–"
