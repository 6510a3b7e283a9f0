"""Stated close dates: what came of them, and on which days they fall; dots with intervals."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.dots import Columns, Dot, Row, dot_rows
from analytics.display.figures.sheet import Words, answers_or_sentence, listed, records
from analytics.display.findings import Cards
from analytics.estimators.result import Estimate

SHOWN = ("won", "lost", "no_decision", "unknown", "open")


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
    """
    frame = shares.frame[shares.frame["days_after"] == days_after]
    rows, told = [], []
    for name, group in frame.groupby("said", sort=False):
        by_outcome = {str(record["outcome"]): record for record in records(group)}
        found = [by_outcome[outcome] for outcome in SHOWN if outcome in by_outcome]
        n = float(pd.to_numeric(group["n_deals"]).max())
        lifts = _lifts(len(found))
        dots = tuple(_dot(record, n, lift) for record, lift in zip(found, lifts, strict=True))
        value = "<br>".join(_said(record, n) for record in found)
        size = f"n {wording.count(n)}" if math.isfinite(n) else "not shown"
        rows.append(Row(str(name), dots, value, size))
        told.append(f"{name}: {value.replace('<br>', ', ')}, {size}")
    when = "by the date stated" if days_after == 0 else f"{days_after:.0f} days after the date stated"
    subtitle = f"Shares {when}. Circle: won, square: lost, diamond: no decision, ring: still open"
    words = Words(title, subtitle, wording.provenance(shares.meta), f"{title}. {listed(told)}.")
    return dot_rows(rows, words, Columns(characters=26, left=180, right=190))


def _lifts(n: int) -> list[float]:
    return [7.5 * (n - 1) - 15 * i for i in range(n)]


def _dot(record: dict[str, Any], n: float, lift: float) -> Dot:
    outcome = str(record["outcome"])
    value, low, high = (float(record[name]) for name in ("estimate", "conf_low", "conf_high"))
    ring = outcome == "open"
    colour = theme.QUIET if ring else theme.colour(outcome)
    mark = theme.MARKERS.get(outcome, "circle").replace("-open", "")
    return Dot(value, low, high, colour, mark, hollow=ring, lift=lift, hover=_said(record, n))


def _said(record: dict[str, Any], n: float) -> str:
    if not math.isfinite(float(record["estimate"])):
        return f"{theme.outcome_name(record['outcome'])} –"
    value, low, high = (float(record[name]) for name in ("estimate", "conf_low", "conf_high"))
    return f"{theme.outcome_name(record['outcome'])} {wording.percent_interval(value, low, high, n)}"


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
