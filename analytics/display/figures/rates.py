"""Rates by definition, segment and rule: dots and intervals, each with its denominator."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.dots import Columns, Dot, Row, dot_rows
from analytics.display.figures.shares import number, text, under
from analytics.display.figures.sheet import Words, answers_or_sentence, listed, records
from analytics.estimators.result import Estimate


def _size(record: Mapping[str, Any], *names: str) -> str:
    n, accounts = number(record, *names), number(record, "n_accounts")
    of = f" · {wording.count(accounts)} accounts" if math.isfinite(accounts) else ""
    return f"n {wording.count(n)}{of}" if math.isfinite(n) else ""


def _figure(record: Mapping[str, Any], n: float) -> str:
    if not math.isfinite(float(record["estimate"])):
        return "–"
    return wording.percent_interval(float(record["estimate"]), float(record["conf_low"]), float(record["conf_high"]), n)


def _dot(record: Mapping[str, Any], label: str, n: float, **look: Any) -> Dot:
    value, low, high = (float(record[name]) for name in ("estimate", "conf_low", "conf_high"))
    return Dot(value, low, high, hover=f"{wording.safe(label)}: {_figure(record, n)}", **look)


@answers_or_sentence
def plot_win_rates(
    rates: Estimate, *, title: str = "Win rates, side by side", subtitle: str = "All correct: say which one you mean"
) -> go.Figure:
    """Draw the ledger of win-rate definitions: one row each, with its denominator in words.

    Parameters
    ----------
    rates : Estimate
        From `questions.quarter.win_rates`: keys (definition,), columns label, denominator, n_risk, n_accounts,
        meaningful (False is drawn hollow), note, and bound_low/bound_high where outcomes are unknown.
    title, subtitle : str
        Heading and the line under it.

    Examples
    --------
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"definition": ["closed_count_narrow"], "label": "Closed", "denominator": "won + lost",
    ...     "estimate": [0.3], "conf_low": [0.2], "conf_high": [0.4],
    ...     "n_risk": 40, "n_accounts": 30, "meaningful": True, "note": ""})
    >>> given = Estimate(frame, Meta("probability", "as in a study", ("definition",), n_deals=40))
    >>> plot_win_rates(given).layout.meta["title"]
    'Win rates, side by side'
    """
    rows, said = [], []
    for record in records(rates.frame):
        n = number(record, "n_risk")
        hollow = record.get("meaningful") is not None and not bool(record.get("meaningful"))
        label = text(record, "label") or str(record["definition"])
        second = under(record, text(record, "denominator"), _bounds(record))
        dot = _dot(record, label, n, hollow=hollow)
        value, size = _figure(record, n), _size(record, "n_risk")
        if hollow:
            value, size = "not meaningful", f"{wording.percent(dot.value, n)}, n {wording.count(n)}"
        rows.append(Row(label, (dot,), value, size, second))
        said.append(f"{label}: {value}, {size}")
    caption = wording.provenance(rates.meta)
    if any(dot.hollow for row in rows for dot in row.dots):
        caption += " Hollow: not meaningful, for the reason beside it."
    alt = f"{title}. {listed(said)}."
    return dot_rows(rows, Words(title, subtitle, caption, alt), Columns(characters=40, left=280))


def _bounds(record: Mapping[str, Any]) -> str:
    low, high = number(record, "bound_low"), number(record, "bound_high")
    if not (math.isfinite(low) and math.isfinite(high)) or low == high:
        return ""
    return f"{wording.percent(low)} to {wording.percent(high)} by how unknown outcomes are counted"


@answers_or_sentence
def plot_segments(segments: Estimate, *, title: str = "Won, by segment", subtitle: str = "") -> go.Figure:
    """Draw each segment's rate, shrunken towards the whole (filled) beside raw (hollow), sorted.

    Parameters
    ----------
    segments : Estimate
        From `questions.quarter.segments`: keys (segment, level, kind), columns n_deals, n_accounts, overall, note.
    title, subtitle : str
        Heading and the line under it.

    Examples
    --------
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"segment": "region", "level": ["North", "North"], "kind": ["raw", "shrunken"],
    ...     "estimate": [0.3, 0.28], "conf_low": [0.2, 0.2], "conf_high": [0.4, 0.38],
    ...     "n_deals": 40, "n_accounts": 30, "overall": 0.25, "note": ""})
    >>> given = Estimate(frame, Meta("probability", "as in a study", ("segment", "level", "kind"), n_deals=40))
    >>> plot_segments(given).layout.meta["title"]
    'Won, by segment'
    """
    rows, said = [], []
    for name, group in segments.frame.groupby("segment", sort=False):
        found = _segment_rows(str(name), group)
        rows += [row for row, _ in found]
        said += [text for _, text in found]
    subtitle = (
        subtitle or "Filled: shrunken towards all segments together; hollow: as counted. Sorted by the filled dot"
    )
    words = Words(title, subtitle, wording.provenance(segments.meta), f"{title}. {listed(said)}.")
    return dot_rows(rows, words, Columns(characters=30, left=210, right=170))


def _segment_rows(name: str, group: pd.DataFrame) -> list[tuple[Row, str]]:
    kinds = {str(kind): part.set_index("level") for kind, part in group.groupby("kind", sort=False)}
    raw = kinds.get("raw", group.iloc[:0].set_index("level"))
    best = kinds.get("shrunken", raw)
    order = best["estimate"].sort_values(ascending=False, kind="stable", na_position="last").index
    found = []
    for i, level in enumerate(order):
        record = (
            {**raw.loc[level].to_dict(), **best.loc[level].to_dict()}
            if level in raw.index
            else best.loc[level].to_dict()
        )
        n = number(record, "n_deals", "n_risk")
        dots = []
        if level in raw.index:
            dots.append(_dot(raw.loc[level].to_dict(), f"{level}, as counted", n, hollow=True, lift=-6))
        if "shrunken" in kinds:
            dots.append(_dot(record, f"{level}, shrunken", n, lift=6))
        value = _figure(record, n)
        overall = (
            f" · all {wording.percent(number(record, 'overall'))}" if math.isfinite(number(record, "overall")) else ""
        )
        head = f"by {name.replace('_', ' ')}{overall}" if i == 0 else ""
        row = Row(str(level), tuple(dots), value, _size(record, "n_deals", "n_risk"), under(record), head=head)
        found.append((row, f"{name} {level}: {value}, {_size(record, 'n_deals', 'n_risk')}"))
    return found


@answers_or_sentence
def plot_no_decision_range(
    estimate: Estimate, *, title: str = "How many deals end in no decision", subtitle: str = ""
) -> go.Figure:
    """Draw the share ending in no decision as declared (the floor) and under each rule that infers it.

    Parameters
    ----------
    estimate : Estimate
        From `questions.quarter.no_decision_range`: keys (rule,), declared first; columns label, n_deals, fired,
        later_won, note.
    title, subtitle : str
        Heading and the line under it.

    Examples
    --------
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"rule": ["declared"], "label": "declared by reason code",
    ...     "estimate": [0.3], "conf_low": [0.2], "conf_high": [0.4],
    ...     "n_deals": 40, "fired": 12, "later_won": 0, "note": ""})
    >>> given = Estimate(frame, Meta("probability", "as in a study", ("rule",), n_deals=40))
    >>> plot_no_decision_range(given).layout.meta["title"]
    'How many deals end in no decision'
    """
    grey = theme.COLOURS["no_decision"]
    rows, said = [], []
    found = records(estimate.frame)
    for record in found:
        n = number(record, "n_deals", "n_risk")
        declared = str(record["rule"]) == "declared"
        label = wording.sentence(text(record, "label") or str(record["rule"])).rstrip(".")
        fired, later = number(record, "fired"), number(record, "later_won")
        ended = f"{wording.count(fired)} deals ended by it" if not declared and math.isfinite(fired) else ""
        since = f"{wording.count(later)} of them were won later" if ended and math.isfinite(later) else ""
        second = under(record, "the floor" if declared else "", ", ".join(part for part in (ended, since) if part))
        dot = _dot(record, label, n, colour=theme.INK if declared else grey, marker="diamond")
        rows.append(Row(label, (dot,), _figure(record, n), _size(record, "n_deals", "n_risk"), second))
        said.append(f"{label}: {_figure(record, n)}")
    known = [float(r["estimate"]) for r in found if math.isfinite(float(r["estimate"]))]
    band = _band(min(known), max(known)) if len(known) > 1 else []
    if len(known) == 1 and not subtitle:
        subtitle = "As declared; no rule that would infer it is set"
    elif known and not subtitle:
        subtitle = f"From {wording.percent(min(known))} to {wording.percent(max(known))}, by the rule that ends a deal"
    words = Words(title, subtitle, wording.provenance(estimate.meta), f"{title}. {listed(said)}.")
    return dot_rows(rows, words, Columns(characters=36, left=260), band)


def _band(low: float, high: float) -> list[dict[str, Any]]:
    place = {"type": "rect", "layer": "below", "yref": "paper", "y0": 0, "y1": 1, "x0": low, "x1": high}
    return [{**place, "fillcolor": theme.TINT, "line": {"width": 0}}]


@answers_or_sentence
def plot_value_weighted(
    estimate: Estimate,
    counts: Estimate | None = None,
    *,
    title: str = "Counted in deals and in money",
    subtitle: str = "",
) -> go.Figure:
    """Draw where deals end up, every deal counting once (hollow) beside every deal counting by its amount (filled).

    Parameters
    ----------
    estimate : Estimate
        From `questions.quarter.value_weighted`: keys (outcome,), columns count_estimate, largest_deal_share,
        meaningful, note.
    counts : Estimate, optional
        The same shares with every deal counting once (`questions.quarter.period_at_horizon`), for their intervals.
    title, subtitle : str
        Heading and the line under it.

    Examples
    --------
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"outcome": ["won", "lost", "no_decision"], "n_deals": 40,
    ...     "count_estimate": [0.28, 0.3, 0.2],
    ...     "estimate": [0.3, 0.25, 0.2], "conf_low": [0.2, 0.15, 0.1], "conf_high": [0.4, 0.35, 0.3],
    ...     "largest_deal_share": 0.1, "meaningful": True, "note": ""})
    >>> given = Estimate(frame, Meta("probability", "as in a study", ("outcome",), n_deals=40))
    >>> plot_value_weighted(given).layout.meta["title"]
    'Counted in deals and in money'
    """
    rows, said = [], []
    found = {str(record["outcome"]): record for record in records(estimate.frame)}
    beside = {} if counts is None else {str(record["outcome"]): record for record in records(counts.frame)}
    notes = {text(record, "note") for record in found.values()} - {""}
    for outcome in theme.in_order(found):
        record = found[outcome]
        if len(notes) == 1 and len(found) > 1:  # what is said of every row is said once, in the caption
            record = {**record, "note": ""}
        name, n = theme.outcome_name(outcome), number(record, "n_deals")
        dots, in_deals = _two_dots(record, beside.get(outcome), outcome, n)
        value = _figure(record, n) if not dots[0].hollow else "not meaningful"
        rows.append(Row(name, dots, value, in_deals, under(record)))
        said.append(f"{name}: {value} by amount, {in_deals}")
    share = number(records(estimate.frame)[0], "largest_deal_share") if len(estimate.frame) else math.nan
    if math.isfinite(share) and not subtitle:
        largest = wording.percent(share, 2000)
        subtitle = f"The largest deal is {largest} of the amount. Filled: by amount; hollow: by deals"
    caption = wording.provenance(estimate.meta)
    once = next(iter(notes)) if len(notes) == 1 and len(found) > 1 else ""
    caption += f" {wording.sentence(once)}" if once.rstrip(".") not in caption else ""
    words = Words(title, subtitle, caption, f"{title}. {listed(said)}.")
    return dot_rows(rows, words, Columns(characters=30, left=200))


def _two_dots(
    record: Mapping[str, Any], beside: Mapping[str, Any] | None, outcome: str, n: float
) -> tuple[tuple[Dot, ...], str]:
    """Dot by amount and, below it, dot by deals; the second in words as well."""
    name = theme.outcome_name(outcome)
    tint = theme.QUIET if outcome == "open" else theme.colour(outcome)
    mark = theme.MARKERS.get(outcome, "circle").replace("-open", "")
    meaningful = record.get("meaningful") is None or bool(record["meaningful"])
    amount = _dot(record, f"{name}, by amount", n, lift=6.0, hollow=not meaningful, colour=tint, marker=mark)
    value = number(beside or record, "estimate" if beside else "count_estimate")
    if not math.isfinite(value):
        return (amount,), ""
    low, high = (number(beside, "conf_low"), number(beside, "conf_high")) if beside else (math.nan, math.nan)
    share = wording.percent_interval(value, low, high, n)
    hover = f"{name}, every deal counting once: {share}"
    return (amount, Dot(value, low, high, tint, mark, hollow=True, lift=-6.0, hover=hover)), f"in deals {share}"
