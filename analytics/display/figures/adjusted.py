"""Segments made comparable: shares raw, standardised, shrunken; differences raw and weighted; how alike deals are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.dots import Columns, Dot, Row, dot_rows
from analytics.display.figures.sheet import Words, answers_or_sentence, listed, records
from analytics.estimators.result import Estimate, Listing

MOST_LEVELS = 12
INK = theme.COLOURS["total"]
RATES: dict[str, dict[str, Any]] = {
    "raw": {"hollow": True},
    "standardised": {"marker": "diamond", "colour": INK},
    "shrunken": {"marker": "square"},
}
"""Kind of share -> its look, in the order of the dots of a row."""
DIFFERENCES: dict[str, dict[str, Any]] = {
    "raw": {"hollow": True},
    "overlap": {"marker": "diamond", "colour": INK},
    "inverse_probability": {"marker": "square"},
}
SMD: dict[str, dict[str, Any]] = {
    "smd_before": {"hollow": True, "colour": INK},
    "smd_inverse_probability": {"marker": "square"},
    "smd_overlap": {"marker": "diamond", "colour": INK},
}
SMD_WORDS = {"smd_before": "before", "smd_inverse_probability": "all deals", "smd_overlap": "overlap"}
BALANCED = 0.1
UNRECORDED = "not recorded"


def _name(segment: str) -> str:
    return segment.removesuffix("_id").replace("_", " ")


def _lifted(dots: list[Dot]) -> tuple[Dot, ...]:
    """Put the dots of a row below one another."""
    middle = (len(dots) - 1) / 2
    return tuple(Dot(**{**dot.__dict__, "lift": 10.0 * (middle - i)}) for i, dot in enumerate(dots))


def _note(record: Mapping[str, Any], *first: str) -> str:
    parts = [*first, *(record.get(name) for name in ("note", "no_interval_reason"))]
    texts = [part.strip().rstrip(".") for part in parts if isinstance(part, str) and part.strip()]
    return ". ".join(texts)


@answers_or_sentence
def plot_standardised(rates: Estimate, *, title: str = "Shares won, by segment", subtitle: str = "") -> go.Figure:
    """Draw each level's share as it is (hollow), with one mix of deals for all (diamond), and shrunken (square).

    Parameters
    ----------
    rates : Estimate
        From `questions.cohorts.rates`: keys (segment, level, kind), columns n_deals, overall, note.
    title, subtitle : str
        Heading and the line under it.

    Examples
    --------
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"segment": "region", "level": ["North", "South"], "kind": "raw",
    ...     "estimate": [0.3, 0.2], "conf_low": [0.2, 0.1], "conf_high": [0.4, 0.3],
    ...     "n_deals": [40, 30], "overall": 0.25, "note": ""})
    >>> given = Estimate(frame, Meta("probability", "as in a study", ("segment", "level", "kind"), n_deals=40))
    >>> plot_standardised(given).layout.meta["title"]
    'Shares won, by segment'
    """
    rows, said, many = [], [], []
    for segment, group in rates.frame.groupby("segment", sort=False):
        if group["level"].nunique() > MOST_LEVELS:
            many.append(f"{_name(str(segment))} ({group['level'].nunique()} levels, see the table)")
            continue
        for i, level in enumerate(_order(group)):
            row = _rate_row(str(segment), level, group[group["level"] == level], first=i == 0)
            rows.append(row)
            said.append(f"{_name(str(segment))} {level}: {row.value}, {row.size}")
    subtitle = subtitle or (
        "Hollow: as it is; diamond: with one mix of deals for all levels; square: shrunken towards all levels. "
        "Figures: diamond where there is one"
    )
    caption = wording.provenance(rates.meta) + (f" Not drawn: {', '.join(many)}." if many else "")
    return dot_rows(rows, Words(title, subtitle, caption, f"{title}. {listed(said)}."), Columns(30, 220, 170))


def _order(group: pd.DataFrame) -> list[str]:
    """Levels from the highest to the lowest, by the standardised share where there is one."""
    known = group.pivot(index="level", columns="kind", values="estimate").reindex(columns=["standardised", "raw"])
    by = known["standardised"].fillna(known["raw"])
    levels = [str(level) for level in by.sort_values(ascending=False, kind="stable", na_position="last").index]
    return sorted(levels, key=lambda level: level == UNRECORDED)  # a gap in the records comes last


def _rate_row(segment: str, level: str, group: pd.DataFrame, *, first: bool) -> Row:
    kinds = {str(record["kind"]): record for record in records(group)}
    raw = kinds.get("raw", next(iter(kinds.values())))
    n, dots = float(raw["n_deals"]) if pd.notna(raw["n_deals"]) else math.nan, []
    for kind, look in RATES.items():
        if kind in kinds:
            value, low, high = _three(kinds[kind])
            hover = f"{wording.safe(level)}, {kind}: {wording.percent_interval(value, low, high, n)}"
            dots.append(Dot(value, low, high, **look, hover=hover))
    best = _three(kinds.get("standardised", raw))
    overall = float(raw["overall"]) if pd.notna(raw.get("overall")) else math.nan
    head = f"by {_name(segment)}" + (f" · all {wording.percent(overall)}" if math.isfinite(overall) else "")
    text = wording.percent_interval(best[0], best[1], best[2], n)
    return Row(level, _lifted(dots), text, _size(n), _note(raw), head=head if first else "")


def _three(record: Mapping[str, Any]) -> tuple[float, float, float]:
    return float(record["estimate"]), float(record["conf_low"]), float(record["conf_high"])


def _size(n: float) -> str:
    return f"n {wording.count(n)}" if math.isfinite(n) else ""


@answers_or_sentence
def plot_contrasts(
    differences: Estimate, *, title: str = "Each level against the rest", subtitle: str = ""
) -> go.Figure:
    """Draw how far each level is from the rest, as it is and among deals made alike, over what is too small to matter.

    Parameters
    ----------
    differences : Estimate
        From `questions.cohorts.contrasts`: keys (segment, level, kind), columns n_deals, margin,
        smallest_reliable_change, verdict.
    title, subtitle : str
        Heading and the line under it.

    Examples
    --------
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"segment": ["region"], "level": "North", "kind": "raw", "n_deals": 40,
    ...     "estimate": [-0.04], "conf_low": [-0.12], "conf_high": [0.04],
    ...     "margin": 0.03, "smallest_reliable_change": 0.1, "verdict": "cannot tell"})
    >>> given = Estimate(frame, Meta("contrast", "as in a study", ("segment", "level", "kind"), n_deals=40))
    >>> plot_contrasts(given).layout.meta["title"]
    'Each level against the rest'
    """
    rows, said = [], []
    for segment, group in differences.frame.groupby("segment", sort=False):
        for i, (level, kinds) in enumerate(group.groupby("level", sort=False)):
            row = _difference_row(str(level), {str(r["kind"]): r for r in records(kinds)})
            head = f"by {_name(str(segment))}" if i == 0 else ""
            rows.append(Row(**{**row.__dict__, "head": head}))
            said.append(f"{_name(str(segment))} {level}: {row.value} points, {row.under}")
    subtitle = subtitle or (
        "Difference in points. Hollow: as it is; diamond: among deals that could be of either (judged); "
        "square: all deals, weighted"
    )
    caption = wording.provenance(differences.meta) + " Shaded: too small to matter, as set in the params."
    words = Words(title, subtitle, caption, f"{title}. {listed(said)}.")
    return dot_rows(rows, words, Columns(32, 240, 170, signed=True, axis="percentage points"))


def _difference_row(level: str, kinds: Mapping[str, Mapping[str, Any]]) -> Row:
    judged = kinds.get("overlap", kinds.get("raw", next(iter(kinds.values()))))
    dots = []
    for kind, look in DIFFERENCES.items():
        if kind in kinds:
            value, low, high = _three(kinds[kind])
            hover = f"{wording.safe(level)}, {kind.replace('_', ' ')}: {wording.points_interval(value, low, high)}"
            dots.append(Dot(value, low, high, **look, hover=hover))
    text = wording.points_interval(*_three(judged))
    least = float(judged["smallest_reliable_change"])
    would = f"would show from {wording.points(least).lstrip('+')}" if math.isfinite(least) else ""
    margin = float(judged["margin"]) if pd.notna(judged["margin"]) else None
    under = _note(judged, ", ".join(part for part in (str(judged["verdict"]), would) if part))
    return Row(level, _lifted(dots), text, _size(float(judged["n_deals"])), under, margin=margin)


@answers_or_sentence
def plot_balance(balance: Listing, *, title: str = "Are the deals compared alike?", subtitle: str = "") -> go.Figure:
    """Draw, per comparison, how far apart the deals are in the covariate that differs most, before and after weighting.

    Parameters
    ----------
    balance : Listing
        From `questions.cohorts.contrasts`: segment, level, term, smd_before, smd_overlap, smd_inverse_probability.
    title, subtitle : str
        Heading and the line under it.

    Examples
    --------
    >>> frame = pd.DataFrame({"segment": ["region"], "level": "North", "term": "source",
    ...     "smd_before": [0.3], "smd_overlap": 0.0, "smd_inverse_probability": 0.02})
    >>> plot_balance(Listing(frame, "How alike they are")).layout.meta["title"]
    'Are the deals compared alike?'
    """
    frame = balance.frame
    kinds = [name for name in SMD if name in frame.columns and frame[name].notna().any()]
    rows, said = [], []
    for segment, group in frame.groupby("segment", sort=False):
        for i, (level, terms) in enumerate(group.groupby("level", sort=False)):
            row = _balance_row(str(level), terms, kinds, f"by {_name(str(segment))}" if i == 0 else "")
            if row.dots:
                rows.append(row)
                said.append(f"{_name(str(segment))} {level}: {row.under}")
    subtitle = subtitle or (
        "Largest difference of any covariate, in standard deviations: hollow as they are, square all deals weighted, "
        "diamond overlap. Figures: before → all deals weighted"
    )
    caption = f"{wording.sentence(balance.title)} {wording.counted(balance)}".strip() + (
        f" Shaded: below {BALANCED}, taken as alike (Austin 2009). Differences are of these deals and have no interval."
    )
    figure = dot_rows(rows, Words(title, subtitle, caption, f"{title} {listed(said)}."), Columns(34, 250, 120),
                      _alike())  # fmt: skip
    most = max((dot.value for row in rows for dot in row.dots), default=BALANCED)
    ticks = [0, 0.1, 0.25, 0.5, 1, 2, 4]
    shown = [tick for tick in ticks if tick <= 1.1 * max(most, 0.25)]
    axis = {"range": [0, 1.08 * max(most, 0.25)], "tickvals": shown, "ticktext": [f"{tick:g}" for tick in shown]}
    return figure.update_xaxes(**axis, title={"text": "standard deviations"})


def _alike() -> list[dict[str, Any]]:
    place = {"type": "rect", "layer": "below", "yref": "paper", "y0": 0, "y1": 1, "x0": 0, "x1": BALANCED}
    return [{**place, "fillcolor": theme.TINT, "line": {"width": 0}}]


def _balance_row(level: str, terms: pd.DataFrame, kinds: list[str], head: str) -> Row:
    dots, words = [], []
    for kind in kinds:
        # Overlap weights balance exactly: which covariate is off by 1e-15 depends on the machine and is nobody's news.
        sizes = terms[kind].astype(float).abs().round(9).fillna(-1.0).to_numpy()
        place, value = int(sizes.argmax()), float(sizes.max())
        if value < 0:
            continue
        worst = str(terms["term"].iloc[place])
        words.append(f"{SMD_WORDS[kind]} {value:.2f}" + (f" ({worst})" if kind == "smd_before" else ""))
        hover = f"{wording.safe(level)}, {SMD_WORDS[kind]}: {value:.2f}" + (f", {wording.safe(worst)}" if value else "")
        dots.append(Dot(value, math.nan, math.nan, **SMD[kind], hover=hover))
    n = float(terms["deals"].iloc[0]) if "deals" in terms else math.nan
    text = " → ".join(f"{dot.value:.2f}" for dot in dots[:2]) or "–"
    return Row(level, _lifted(dots), text, _size(n), ", ".join(words), head=head)
