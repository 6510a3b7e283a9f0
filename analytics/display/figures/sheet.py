"""The sheet every figure is drawn on: title above, caption below, description for those who cannot see it.

A figure carries its words twice: drawn into it (so that JupyterLab and a picture show them) and in `layout.meta` (so
that a page can set them as real text that wraps, and change margins and labels below 560 px: `layout.meta.narrow`).
"""

from __future__ import annotations

import functools
import math
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, ParamSpec, TypeAlias

import pandas as pd
import plotly.graph_objects as go

from analytics.display import theme, wording
from analytics.display.findings import Cards, finding_cards
from analytics.estimators.result import Estimate, Finding, Listing

P = ParamSpec("P")
Outcome: TypeAlias = Literal["won", "lost", "no_decision"]
LINE = 15  # pixels of one line of text
CAPTION_WIDTH = 112  # characters; fits the 760 px of an output cell


@dataclass(frozen=True)
class Words:
    """What a figure says: heading, the line under it, caption (definition, n, as-of), description from its numbers."""

    title: str
    subtitle: str
    caption: str
    alt: str


@dataclass(frozen=True)
class Space:
    """Pixels: height of the plot itself, margins around it, and the widest that is still good to read."""

    plot: int
    left: int = 8
    right: int = 8
    bottom: int = 40
    top: int = 8
    widest: int = 760


def answers_or_sentence(function: Callable[P, go.Figure]) -> Callable[P, go.Figure | Cards]:
    """Let a figure accept a Finding in place of its first argument: the sentence is shown instead of a chart.

    The figure remembers under which names its numbers were saved (`layout.meta.results`).
    """

    @functools.wraps(function)
    def draw(*args: P.args, **kwargs: P.kwargs) -> go.Figure | Cards:
        given = (*args, *kwargs.values())
        said = [value for value in given if isinstance(value, Finding)]
        if said:
            return finding_cards(said)
        figure = function(*args, **kwargs)
        names = [value.meta.saved_as for value in given if isinstance(value, Estimate)]
        names += [value.saved_as for value in given if isinstance(value, Listing)]
        if any(names):
            figure.layout.meta = {**figure.layout.meta, "results": [name for name in names if name]}
        return figure

    return draw


def sheet(
    traces: Sequence[Any],
    layout: dict[str, Any],
    words: Words,
    space: Space,
    narrow: dict[str, Any] | None = None,
) -> go.Figure:
    """Put traces and axes on the sheet and return the finished figure."""
    caption = "<br>".join(wording.safe(line, 400) for line in textwrap.wrap(words.caption, CAPTION_WIDTH))
    lines = caption.count("<br>") + 1 if caption else 0
    subtitle = textwrap.wrap(words.subtitle, 100)
    head = 34 + LINE * len(subtitle) + 10
    foot = 10 + LINE * lines + 6
    annotations = list(layout.get("annotations", ()))
    given, narrow = narrow or {}, dict(narrow or {})
    for name in ("annotations", "shapes"):
        if narrow.pop(name, None) is not None and layout.get(name):
            narrow[name] = _moved(layout[name], given[name])
    if caption:
        annotations.append(_caption(caption, space))
    whole = {
        **layout,
        "annotations": annotations,
        "autosize": True,
        "height": head + space.top + space.plot + space.bottom + foot,
        "margin": {"l": space.left, "r": space.right, "t": head + space.top, "b": space.bottom + foot},
        "meta": _meta(words, space, narrow),
        "template": theme.template(),
        "title": {
            "text": wording.bold(wording.safe(words.title, 120)),
            "subtitle": {
                "text": "<br>".join(wording.safe(line, 200) for line in subtitle),
                "font": {"size": 12, "color": theme.QUIET},
            },
            "xref": "container",
            "x": 0,
            "pad": {"l": 8, "t": 12},
            "y": 1,
            "yref": "container",
        },
    }
    # Given with the layout, our template replaces plotly's own 7 kB; updating it would only add to that one.
    return go.Figure(data=list(traces), layout=whole)


def _moved(wide: Sequence[dict[str, Any]], tight: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep of each narrow text or shape only what differs from the wide one; null means that the key goes."""
    return [
        {name: new.get(name) for name in sorted({*old, *new}) if new.get(name) != old.get(name)}
        for old, new in zip(wide, tight, strict=True)
    ]


def _meta(words: Words, space: Space, narrow: dict[str, Any]) -> dict[str, Any]:
    return {
        "alt": _described(words),
        "caption": words.caption,
        "narrow": narrow,
        "page": {
            "height": space.top + space.plot + space.bottom,
            "bottom": space.bottom,
            "top": space.top,
            "widest": space.widest,
        },
        "subtitle": words.subtitle,
        "title": words.title,
    }


def _described(words: Words) -> str:
    """The description as sentences: what follows the title begins with a capital, and a question ends once."""
    title = re.match(re.escape(words.title) + r"[.?]? ", words.alt)
    at = title.end() if title else 0
    return words.alt[:at].replace("?. ", "? ") + words.alt[at : at + 1].upper() + words.alt[at + 1 :]


def _caption(caption: str, space: Space) -> dict[str, Any]:
    return note(
        caption,
        x=0,
        y=0,
        xshift=8 - space.left,
        yshift=-space.bottom - 8,
        yanchor="top",
        name="caption",
        font={"size": 11, "color": theme.QUIET},
    )


def note(text: str, *, x: float, y: float, **more: Any) -> dict[str, Any]:
    """Return an annotation: already escaped text at a place on the sheet, left-aligned and without an arrow."""
    given = {"text": text, "x": x, "y": y, **more}
    return {name: value for name, value in given.items() if theme.NOTE.get(name) != value}


def faint(colour: str, alpha: float) -> str:
    """Return a colour (#RRGGBB) with the given opacity."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"


def percent_axis(low: float, high: float, *, signed: bool = False) -> dict[str, Any]:
    """Return ticks in per cent (or signed percentage points) over a range of shares."""
    step = next((s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25) if (high - low) / s <= 5.5), 0.5)
    first = -(-low // step)  # ceiling of low / step
    ticks = [round((first + i) * step, 6) for i in range(int((high - first * step) / step + 1e-9) + 1)]
    texts = [wording.points(tick, 0) if signed else wording.percent(tick) for tick in ticks]
    return {"tickmode": "array", "tickvals": ticks, "ticktext": texts, "range": [low, high]}


def ratio_axis(low: float, high: float) -> dict[str, Any]:
    """Return ticks of ratios over a range of log ratios: ¼, ½, 1, 2, 4, …

    Examples
    --------
    >>> ratio_axis(-1, 1)["ticktext"]
    ['½', '1', '2']
    """
    words = {0.25: "¼", 0.5: "½"}
    powers = range(math.ceil(low / math.log(2) - 1e-9), math.floor(high / math.log(2) + 1e-9) + 1)
    step = max(1, -(-len(powers) // 7))
    ratios = [2.0**power for power in powers if power % step == 0]
    texts = [words.get(ratio, f"{ratio:g}" if ratio >= 1 else f"1/{1 / ratio:g}") for ratio in ratios]
    ticks = [round(math.log(ratio), 6) for ratio in ratios]
    return {"tickmode": "array", "tickvals": ticks, "ticktext": texts, "range": [low, high]}


def day_ticks(last: float) -> list[int]:
    """Return four to six round days from 0 to the last one, the last one included.

    Examples
    --------
    >>> day_ticks(365), day_ticks(30)
    ([0, 90, 180, 270, 365], [0, 7, 14, 21, 30])
    """
    end = round(last)
    step = next((s for s in (1, 2, 7, 14, 30, 60, 90, 180, 365, 730) if end / s < 5.5), 1095)
    ticks = [day for day in range(0, end + 1, step) if end - day >= step * 0.55]
    return [*ticks, end] if end > 0 else [0]


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as dictionaries by column name."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def listed(parts: Iterable[str]) -> str:
    """Join phrases of a description."""
    return "; ".join(part for part in parts if part)


def size_of(estimate: Estimate, frame: pd.DataFrame) -> float:
    """Return the number of deals behind rows of an Estimate: their own `n_deals`, else the whole Estimate's."""
    own = pd.to_numeric(frame["n_deals"], errors="coerce").max() if "n_deals" in frame.columns else float("nan")
    return float(own) if pd.notna(own) else float(estimate.meta.n_deals)
