"""Figures as pictures for decks and documents: PNG, SVG and PDF, all drawn by one browser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMATS = ("png", "svg", "pdf")
PIXELS = 2
"""Pixels of a PNG per pixel of the page, so that it stays sharp on a projector and in print."""


@dataclass(frozen=True)
class Picture:
    """One figure (its JSON) and the file that is to show it; the file's ending says the format."""

    figure: dict[str, Any]
    path: Path


def size(figure: dict[str, Any]) -> tuple[int, int]:
    """Return width and height of a figure in pixels, as it reads best on a page.

    Examples
    --------
    >>> size({"layout": {"height": 502, "meta": {"page": {"widest": 760}}}}), size({})
    ((760, 502), (860, 420))
    """
    layout = figure.get("layout", {})
    meta = layout.get("meta")
    place = meta.get("page", {}) if isinstance(meta, dict) else {}
    return int(place.get("widest", 860)), int(layout.get("height") or 420)


def draw(pictures: Sequence[Picture], *, browser: str) -> None:
    """Draw figures into files, with heading and caption, on white; nothing is asked of any network.

    Parameters
    ----------
    pictures : sequence of Picture
        What to draw, and where.
    browser : str
        Path of a Chromium.
    """
    import kaleido

    wanted = [
        {
            "fig": {"data": picture.figure.get("data", []), "layout": picture.figure.get("layout", {})},
            "path": str(picture.path),
            "opts": {
                "format": picture.path.suffix[1:],
                **dict(zip(("width", "height"), size(picture.figure), strict=True)),
                "scale": PIXELS if picture.path.suffix == ".png" else 1,
            },
        }
        for picture in pictures
    ]
    # Without MathJax, which would be fetched; with the plotly.js that is installed.
    kaleido.write_fig_from_object_sync(wanted, kopts={"n": 1, "mathjax": False, "path": browser}, cancel_on_error=True)
