"""Rows of shares under headings, and what their records say: the plainest figure, for any Estimate of shares."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.figures.dots import Columns, Dot, Row, dot_rows
from analytics.display.figures.sheet import Words, answers_or_sentence, listed, records
from analytics.estimators.result import Estimate

FEW, MANY, NARROW = 200, 2000, 0.04


def text(record: Mapping[str, Any], name: str) -> str:
    """Return a text of a record; empty where it has none."""
    value = record.get(name)
    return "" if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)) else str(value)


def number(record: Mapping[str, Any], *names: str) -> float:
    """Return the first of these numbers that a record has; NaN where it has none."""
    for name in names:
        value = record.get(name)
        if value is not None and pd.notna(value):
            return float(value)
    return math.nan


def share(record: Mapping[str, Any], names: Sequence[str] = ("estimate", "conf_low", "conf_high")) -> str:
    """Write a share of a record with its interval, with as many digits as its deals support."""
    value, low, high = (number(record, name) for name in names)
    n = number(record, "n_deals")
    n = MANY if n >= FEW and high - low < NARROW else n  # whole per cents would say nothing of so narrow an interval
    return wording.percent_interval(value, low, high, n) if math.isfinite(value) else "–"


def size(record: Mapping[str, Any], name: str = "n_deals", noun: str = "n") -> str:
    """Write the number of deals behind a record."""
    n = number(record, name)
    return f"{noun} {wording.count(n)}" if math.isfinite(n) else ""


def dot(record: Mapping[str, Any], label: str, **look: Any) -> Dot:
    """Return the dot of a record, with its interval."""
    value, low, high = (number(record, name) for name in ("estimate", "conf_low", "conf_high"))
    return Dot(value, low, high, hover=f"{wording.safe(label)}: {share(record)}", **look)


def under(record: Mapping[str, Any], *first: str) -> str:
    """Write the second line of a row: what is given, then what must be read with the number."""
    parts = [part.rstrip(".") for part in (*first, text(record, "note"), text(record, "no_interval_reason")) if part]
    return ". ".join(part if i == 0 else wording.sentence(part)[:-1] for i, part in enumerate(parts))


@answers_or_sentence
def plot_shares(estimate: Estimate, *, title: str, subtitle: str = "", head: str = "", below: str = "") -> go.Figure:
    """Draw the rows of an Estimate of shares as dots with intervals, in its own order.

    Parameters
    ----------
    estimate : Estimate
        Kind probability, with `label`, `n_deals` and, if any, `note`.
    title, subtitle : str
        Heading and the line under it.
    head : str
        Column whose values are headings above the rows.
    below : str
        Column of numbers that is written under each label, with its name in words.

    Examples
    --------
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"reason": ["price", "timing"], "label": ["Price", "Timing"], "n_deals": 40,
    ...     "estimate": [0.3, 0.2], "conf_low": [0.2, 0.1], "conf_high": [0.4, 0.3]})
    >>> given = Estimate(frame, Meta("probability", "as in a study", ("reason",), n_deals=40))
    >>> plot_shares(given, title="What sellers wrote").layout.meta["title"]
    'What sellers wrote'
    """
    rows, said, before = [], [], ""
    for record in records(estimate.frame):
        label = text(record, "label")
        more = size(record, below, below.removeprefix("n_").replace("_", " ")) if below else ""
        group = text(record, head) if head else ""
        rows.append(Row(
            label, (dot(record, label, colour=theme.INK),), share(record), size(record), under(record, more),
            head=group if group != before else "",
        ))  # fmt: skip
        said.append(f"{label}: {share(record)}")
        before = group
    words = Words(title, subtitle, wording.provenance(estimate.meta), f"{title}. {listed(said)}.")
    return dot_rows(rows, words, Columns(characters=36, left=260))
