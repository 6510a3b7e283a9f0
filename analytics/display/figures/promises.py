"""Stated close dates: what came of them, and on which days they fall; dots with intervals."""

from __future__ import annotations

import math
from typing import Any

import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.dots import Columns, Dot, Row, dot_rows
from analytics.display.figures.sheet import Words, answers_or_sentence, listed, records
from analytics.display.findings import Cards
from analytics.estimators.result import Estimate


@answers_or_sentence
def plot_closed_by_date(
    shares: Estimate, *, days_after: float = 0, title: str = "What had become of deals by the date stated"
) -> go.Figure | Cards:
    """Draw, for each kind of stated date, the shares won, lost, in no decision and still open on that day.

    Parameters
    ----------
    shares : Estimate
        From `questions.pipeline_changes.closed_by_date`: keys (said, outcome, days_after), column n_deals.
    days_after : float
        How many days after the date stated; 0 is the date itself.
    title : str
        Heading.

    Examples
    --------
    >>> import pandas as pd
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"said": "first date", "outcome": ["won", "lost", "no_decision"], "days_after": 0,
    ...     "n_deals": 40,
    ...     "estimate": [0.3, 0.25, 0.2], "conf_low": [0.2, 0.15, 0.1], "conf_high": [0.4, 0.35, 0.3]})
    >>> given = Estimate(frame, Meta("probability", "as in a study", ("said", "outcome", "days_after"), n_deals=40))
    >>> plot_closed_by_date(given).layout.meta["title"]
    'What had become of deals by the date stated'
    """
    frame = shares.frame[shares.frame["days_after"] == days_after]
    rows, told = [], []
    for outcome in theme.in_order(frame["outcome"]):
        for place, record in enumerate(records(frame[frame["outcome"] == outcome])):
            n = float(record["n_deals"])
            said, label = _said(record, n), str(record["said"])
            size = f"n {wording.count(n)}" if math.isfinite(n) else "not shown"
            head = theme.outcome_name(outcome) if not place else ""
            rows.append(Row(label, (_dot(record, outcome, f"{label}: {said}"),), said, size, head=head))
            told.append(f"{theme.outcome_name(outcome)}, {label}: {said}, {size}")
    when = "by the date stated" if days_after == 0 else f"{days_after:.0f} days after the date stated"
    subtitle = f"Shares of the dates of a kind, {when}; for each kind the four add up to 100\u00a0%"
    words = Words(title, subtitle, wording.provenance(shares.meta), f"{title}. {listed(told)}.")
    return dot_rows(rows, words, Columns(characters=26, left=190, right=130))


def _dot(record: dict[str, Any], outcome: str, hover: str) -> Dot:
    value, low, high = (float(record[name]) for name in ("estimate", "conf_low", "conf_high"))
    ring = outcome == "open"
    colour = theme.QUIET if ring else theme.colour(outcome)
    mark = theme.MARKERS.get(outcome, "circle").replace("-open", "")
    return Dot(value, low, high, colour, mark, hollow=ring, hover=wording.safe(hover))


def _said(record: dict[str, Any], n: float) -> str:
    value, low, high = (float(record[name]) for name in ("estimate", "conf_low", "conf_high"))
    return wording.percent_interval(value, low, high, n)


@answers_or_sentence
def plot_fates(
    shares: Estimate, *, title: str, subtitle: str = "", reference: str = "", named: str = ""
) -> go.Figure | Cards:
    """Draw shares that add up to the whole, one row each, beside a reference where there is one.

    Parameters
    ----------
    shares : Estimate
        From `questions.pipeline_changes.what_became` or `heaping`: label, n_event, n_risk.
    title, subtitle : str
        Heading and the line under it.
    reference, named : str, optional
        A column of shares that is drawn hollow beside the estimate, and what it is called.

    Examples
    --------
    >>> import pandas as pd
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"fate": ["won", "pushed"], "label": ["Won by the date", "Pushed"], "n_event": [12, 28],
    ...     "estimate": [0.3, 0.7], "conf_low": [0.2, 0.6], "conf_high": [0.4, 0.8], "n_risk": 40})
    >>> given = Estimate(frame, Meta("probability", "as in a study", ("fate",), n_deals=40))
    >>> plot_fates(given, title="What became of them").layout.meta["title"]
    'What became of them'
    """
    rows, told = [], []
    for record in records(shares.frame):
        n = float(record["n_risk"])
        label, outcome = str(record["label"]), str(record.get("outcome", ""))
        colour = theme.colour(outcome) if outcome in ("won", "lost", "no_decision") else theme.QUIET
        mark = theme.MARKERS.get(outcome, "circle").replace("-open", "")
        value, low, high = (float(record[name]) for name in ("estimate", "conf_low", "conf_high"))
        text = wording.percent_interval(value, low, high, n)
        dots = [Dot(value, low, high, colour, mark, hover=f"{wording.safe(label)}: {text}")]
        size = f"{wording.count(float(record['n_event']))} of {wording.count(n)}"
        under = ""
        if reference:
            even = float(record[reference])
            under = f"{named} {wording.percent(even, 2000)}"
            dots.append(Dot(even, math.nan, math.nan, theme.INK, "diamond", hollow=True, lift=-8, hover=under))
        rows.append(Row(label, tuple(dots), text, size, under))
        told.append(f"{label}: {text}, {size}" + (f", {under}" if under else ""))
    words = Words(title, subtitle, wording.provenance(shares.meta), f"{title}. {listed(told)}.")
    return dot_rows(rows, words, Columns(characters=36, left=260))
