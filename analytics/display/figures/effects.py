"""Ratios against the largest level, and what today's practice would say beside what it should."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.dots import Columns, Dot, Row, dot_rows
from analytics.display.figures.shares import size
from analytics.display.figures.sheet import Outcome, Words, answers_or_sentence, listed, records
from analytics.estimators.result import Estimate

PACE, SHARE = "cause-specific", "Fine-Gray"
LOOKS = {PACE: ("circle", False), SHARE: ("diamond", True)}
SHAPES = ("circle", "square", "diamond", "triangle-up", "cross")
SIGNS = {"circle": "●", "square": "■", "diamond": "◆", "triangle-up": "▲", "cross": "✚"}


@answers_or_sentence
def plot_effects(
    effects: Estimate,
    *,
    outcome: Outcome = "won",
    title: str = "",
    subtitle: str = "Dot: pace while open; hollow diamond: share in the end",
) -> go.Figure | Any:
    """Draw both ratios of every level against its reference, side by side on one log axis.

    Parameters
    ----------
    effects : Estimate
        Kind coefficient (log ratios), keys (segment, level, outcome, model), with `reference`, `n_deals`.
    outcome : str
        The outcome that is drawn.
    title, subtitle : str
        Heading (by default from the outcome) and the line under it.

    Raises
    ------
    ValueError
        Where no level has a ratio for this outcome.

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
    'Won: faster, and more often?'
    """
    rows = [row for row in records(effects.frame) if row["outcome"] == outcome and math.isfinite(row["estimate"])]
    if not rows:
        raise ValueError(f"there is nothing to draw: no level has a ratio for {outcome!r}")
    title = title or f"{theme.outcome_name(outcome)}: faster, and more often?"
    drawn, said, head = [], [], ""
    for key in dict.fromkeys((row["segment"], row["level"]) for row in rows):
        mine = [row for row in rows if (row["segment"], row["level"]) == key]
        dots = [_dot(row, outcome, *LOOKS[row["model"]], 6 - 12 * i) for i, row in enumerate(mine)]
        value = "<br>".join(_ratio(row) for row in mine)
        heading = _heading(mine[0]) if key[0] != head else ""
        head = key[0]
        drawn.append(Row(str(key[1]), tuple(dots), value, under=size(mine[0]), head=heading))
        said.append(f"{key[1]} against {mine[0]['reference']}: " + ", ".join(f"{r['model']} {_ratio(r)}" for r in mine))
    caption = f"{wording.provenance(effects.meta)} Associated with, not because of."
    words = Words(title, subtitle, caption, f"{title} {listed(said)}.")
    return dot_rows(
        drawn, words, Columns(characters=26, left=180, right=150, ratios=True, axis="ratio to the largest level")
    )


@answers_or_sentence
def plot_ratios_by_age(
    ratios: Estimate, *, outcome: Outcome = "won", title: str = "Does the ratio hold at every age?"
) -> go.Figure | Any:
    """Draw the ratio of every level in each band of ages, one shape per band; a level whose ratio varies says so.

    Parameters
    ----------
    ratios : Estimate
        Kind coefficient (log ratios), keys (segment, level, outcome, age), with `reference`, `p_adjusted`, `varies`.
    outcome : str
        The outcome that is drawn.
    title : str
        Heading.

    Raises
    ------
    ValueError
        Where no level has a ratio for this outcome.

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
    rows = [row for row in records(ratios.frame) if row["outcome"] == outcome and math.isfinite(row["estimate"])]
    if not rows:
        raise ValueError(f"there is nothing to draw: no level has a ratio for {outcome!r}")
    bands = list(dict.fromkeys(row["age"] for row in rows))
    drawn, said, head = [], [], ""
    for key in dict.fromkeys((row["segment"], row["level"]) for row in rows):
        mine = [row for row in rows if (row["segment"], row["level"]) == key]
        dots = [
            _dot(row, outcome, SHAPES[bands.index(row["age"]) % 5], False, 10 - 10 * bands.index(row["age"]))
            for row in mine
        ]
        varies = "varies with age" if bool(mine[0]["varies"]) else "no change with age shown"
        heading = _heading(mine[0]) if key[0] != head else ""
        head = key[0]
        figures = "<br>".join(_ratio(row) for row in mine)
        drawn.append(Row(str(key[1]), tuple(dots), figures, under=varies, head=heading))
        said.append(f"{key[1]}: " + ", ".join(f"{r['age']} days {_ratio(r)}" for r in mine) + f", {varies}")
    signs = "; ".join(f"{SIGNS[SHAPES[i % 5]]} {band} days" for i, band in enumerate(bands))
    caption = f"{wording.provenance(ratios.meta)} Each band holds about as many of these outcomes."
    words = Words(
        title, f"{theme.outcome_name(outcome)}, pace while open. {signs}", caption, f"{title} {listed(said)}."
    )
    return dot_rows(
        drawn, words, Columns(characters=26, left=180, right=150, ratios=True, axis="ratio to the largest level")
    )


def _heading(row: dict[str, Any]) -> str:
    return f"{row['segment']}, against {row['reference']}"


def _dot(row: dict[str, Any], outcome: str, marker: str, hollow: bool, lift: float) -> Dot:
    hover = wording.safe(f"{row['level']}, {row.get('model') or row.get('age')}: {_ratio(row)}", 120)
    value, low, high = (float(row[name]) for name in ("estimate", "conf_low", "conf_high"))
    return Dot(value, low, high, theme.colour(outcome), marker, hollow, float(lift), hover)


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
