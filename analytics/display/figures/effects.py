"""Ratios against the largest level, and what today's practice would say beside what it should."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.dots import Columns, Dot, Row, dot_rows
from analytics.display.figures.shares import size
from analytics.display.figures.sheet import Words, answers_or_sentence, listed, records
from analytics.estimators.result import Estimate

PACE, SHARE = "cause-specific", "Fine-Gray"
OUTCOMES = ("won", "lost", "no_decision", "unknown")
SHAPES = ("circle", "square", "diamond", "triangle-up", "cross")
SIGNS = {"circle": "●", "square": "■", "diamond": "◆", "triangle-up": "▲", "cross": "✚"}

COLUMNS = Columns(characters=26, left=190, right=150, ratios=True, axis="ratio to the largest level")


@answers_or_sentence
def plot_effects(
    effects: Estimate,
    *,
    title: str = "Faster, and more often?",
    subtitle: str = "Filled: pace while open; hollow: share in the end",
) -> go.Figure | Any:
    """Draw both ratios of every level against its reference, every outcome under the other, on one log axis.

    Parameters
    ----------
    effects : Estimate
        Kind coefficient (log ratios), keys (segment, level, outcome, model), with `reference`, `n_deals`, `n_event`.
    title, subtitle : str
        Heading and the line under it.

    Raises
    ------
    ValueError
        Where no level has a ratio.

    Examples
    --------
    >>> import pandas as pd
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"segment": ["region"], "level": "North", "outcome": "won", "model": "cause-specific",
    ...     "estimate": [0.4], "conf_low": [0.1], "conf_high": [0.7],
    ...     "hazard_ratio": 1.5, "ratio_low": 1.1, "ratio_high": 2.0,
    ...     "reference": "South", "n_deals": 40})
    >>> keys = ("segment", "level", "outcome", "model")
    >>> given = Estimate(frame, Meta("coefficient", "as in a study", keys, n_deals=40))
    >>> plot_effects(given).layout.meta["title"]
    'Faster, and more often?'
    """
    drawn: list[Row] = []
    said = []
    for (segment, level, outcome), rows in _by_level(effects).items():
        dots = [_dot(row, outcome, row["model"] == SHARE, 6 - 12 * i) for i, row in enumerate(rows)]
        value = "<br>".join(_ratio(row) for row in rows)
        name = theme.outcome_name(outcome)
        drawn.append(Row(name, tuple(dots), value, under=size(rows[0], "n_event", "events"),
                         head=_heading(rows[0], drawn, segment, level)))  # fmt: skip
        said.append(f"{level} against {rows[0]['reference']}, {name.lower()}: "
                    + ", ".join(f"{row['model']} {_ratio(row)}" for row in rows))  # fmt: skip
    caption = f"{wording.provenance(effects.meta)} Associated with, not because of."
    words = Words(title, subtitle, caption, f"{title} {listed(said)}.")
    return dot_rows(drawn, words, COLUMNS)


@answers_or_sentence
def plot_ratios_by_age(ratios: Estimate, *, title: str = "Does the ratio hold at every age?") -> go.Figure | Any:
    """Draw the ratio of every level and outcome in its bands of ages, one shape per band; one that varies says so.

    Parameters
    ----------
    ratios : Estimate
        Kind coefficient (log ratios), keys (segment, level, outcome, age), with `reference`, `p_adjusted`, `varies`.
    title : str
        Heading.

    Raises
    ------
    ValueError
        Where no level has a ratio.

    Examples
    --------
    >>> import pandas as pd
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"segment": "region", "level": "North", "outcome": "won", "age": ["0-90", "91-365"],
    ...     "estimate": [0.4, 0.1], "conf_low": [0.1, -0.3], "conf_high": [0.7, 0.5],
    ...     "hazard_ratio": [1.5, 1.1], "ratio_low": [1.1, 0.7], "ratio_high": [2.0, 1.6],
    ...     "reference": "South", "p_adjusted": 0.2, "varies": False})
    >>> keys = ("segment", "level", "outcome", "age")
    >>> given = Estimate(frame, Meta("coefficient", "as in a study", keys, n_deals=40))
    >>> plot_ratios_by_age(given).layout.meta["title"]
    'Does the ratio hold at every age?'
    """
    drawn: list[Row] = []
    ages: dict[str, list[Any]] = {}
    said = []
    for (segment, level, outcome), rows in _by_level(ratios).items():
        bands = ages.setdefault(outcome, [])
        bands += [row["age"] for row in rows if row["age"] not in bands]
        places = [bands.index(row["age"]) for row in rows]
        dots = [
            _dot(row, outcome, False, 10 - 10 * place, SHAPES[place % 5])
            for row, place in zip(rows, places, strict=True)
        ]
        varies = "varies with age" if bool(rows[0]["varies"]) else "no change with age shown"
        figures = "<br>".join(_ratio(row) for row in rows)
        name = theme.outcome_name(outcome)
        drawn.append(Row(name, tuple(dots), figures, under=varies, head=_heading(rows[0], drawn, segment, level)))
        said.append(f"{level}, {name.lower()}: " + ", ".join(f"{r['age']} days {_ratio(r)}" for r in rows)
                    + f", {varies}")  # fmt: skip
    signs = "; ".join(
        f"{theme.outcome_name(outcome).lower()} "
        + ", ".join(f"{SIGNS[SHAPES[i % 5]]} {b}" for i, b in enumerate(bands))
        for outcome, bands in ages.items()
    )
    caption = f"{wording.provenance(ratios.meta)} Each band of an outcome holds about as many of its deals."
    words = Words(title, f"Pace while open, by age in days: {signs}", caption, f"{title} {listed(said)}.")
    return dot_rows(drawn, words, COLUMNS)


def _by_level(estimate: Estimate) -> dict[tuple[str, str, str], list[dict[str, Any]]]:
    """Put the ratios that can be drawn under their segment, level and outcome, in the order of the table."""
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in records(estimate.frame):
        if math.isfinite(row["estimate"]):
            found.setdefault((str(row["segment"]), str(row["level"]), str(row["outcome"])), []).append(row)
    if not found:
        raise ValueError("there is nothing to draw: no level has a ratio")
    places = {key[:2]: place for place, key in enumerate(found)}
    return {key: found[key] for key in sorted(found, key=lambda key: (places[key[:2]], OUTCOMES.index(key[2])))}


def _heading(row: dict[str, Any], drawn: list[Row], segment: str, level: str) -> str:
    """Name a level above its first row."""
    words = f"{segment} {level}, against {row['reference']}"
    n = size(row)
    return "" if any(other.head.startswith(words) for other in drawn) else f"{words} · {n}" if n else words


def _dot(row: dict[str, Any], outcome: str, hollow: bool, lift: float, marker: str = "") -> Dot:
    hover = wording.safe(f"{row['level']}, {row.get('model') or row.get('age')}: {_ratio(row)}", 120)
    value, low, high = (float(row[name]) for name in ("estimate", "conf_low", "conf_high"))
    return Dot(value, low, high, _tint(outcome), marker or theme.MARKERS[outcome], hollow, float(lift), hover)


def _tint(outcome: str) -> str:
    return theme.QUIET if outcome == "no_decision" else theme.colour(outcome)


def _ratio(row: dict[str, Any]) -> str:
    low, high = float(row["ratio_low"]), float(row["ratio_high"])
    return f"{float(row['hazard_ratio']):.2f} ({low:.2f}–{high:.2f})"


@answers_or_sentence
def plot_practice(
    practice: Estimate, *, title: str = "Today's practice, and by how much it misleads here", subtitle: str = ""
) -> go.Figure | Any:
    """Draw what each practice says (hollow) beside the share of all deals that is won (filled), with the difference.

    Parameters
    ----------
    practice : Estimate
        Kind probability, keys (practice,), `incidence` among them; `label`, `why`, `difference` with limits, `verdict`.
    title, subtitle : str
        Heading and the line under it.

    Raises
    ------
    ValueError
        Where no row has an estimate.

    Examples
    --------
    >>> import pandas as pd
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"practice": ["incidence", "closed"], "label": ["All deals", "Closed deals only"],
    ...     "why": "",
    ...     "estimate": [0.3, 0.5], "conf_low": [0.2, 0.4], "conf_high": [0.4, 0.6], "n_deals": [40, 24],
    ...     "difference": [0.0, 0.2], "difference_low": [0.0, 0.1], "difference_high": [0.0, 0.3],
    ...     "horizon_reached": 365, "verdict": ["", "shown and large enough to matter"]})
    >>> given = Estimate(frame, Meta("probability", "as in a study", ("practice",), n_deals=40))
    >>> plot_practice(given).layout.meta["title"]
    "Today's practice, and by how much it misleads here"
    """
    rows = [row for row in records(practice.frame) if math.isfinite(float(row["estimate"]))]
    if not rows:
        raise ValueError("there is nothing to draw: no practice has an estimate")
    drawn, said = [], []
    for row in rows:
        right = row["practice"] == "incidence"
        n = float(row["n_deals"])
        value, low, high = (float(row[name]) for name in ("estimate", "conf_low", "conf_high"))
        share = wording.percent_interval(value, low, high, n)
        dot = Dot(
            value,
            low,
            high,
            theme.colour("won"),
            "circle",
            not right,
            0.0,
            wording.safe(f"{row['label']}: {share}", 120),
        )
        apart = "" if right else _apart(row)
        under = f"{row['why']}{': ' + apart if apart else ''}"
        drawn.append(Row(str(row["label"]), (dot,), share, f"n {wording.count(n)}" if math.isfinite(n) else "", under))
        said.append(f"{row['label']}: {share}" + (f", {apart}" if apart else ""))
    caption = f"{wording.provenance(practice.meta)} Filled: the share of all deals; hollow: what practice would say."
    words = Words(title, subtitle or _subtitle(rows), caption, f"{title}. {listed(said)}.")
    return dot_rows(drawn, words, Columns(characters=40, left=290, right=120))


def _apart(row: dict[str, Any]) -> str:
    names = ("difference", "difference_low", "difference_high")
    value, low, high = (float(row[name]) if row.get(name) is not None else math.nan for name in names)
    if not math.isfinite(value):
        return ""
    return f"{wording.points_interval(value, low, high)} points, {row['verdict']}"


def _subtitle(rows: Sequence[dict[str, Any]]) -> str:
    return f"Share won by day {float(rows[0]['horizon_reached']):.0f}, counted in {len(rows)} ways"
