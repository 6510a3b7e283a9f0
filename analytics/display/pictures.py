"""Figures as pictures for decks and documents: PNG, SVG and PDF, all drawn by one browser."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analytics.display.page import undress

FORMATS = ("png", "svg", "pdf")
PIXELS = 2
"""Pixels of a PNG per pixel of the page, so that it stays sharp on a projector and in print."""

LETTERS, READABLE = 12, 7.0
"""Pixels of most letters in a figure; points below which nobody at the table reads them."""

TIGHT = 540
"""Pixels of the form that a figure takes on a phone."""


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


def for_slide(figure: dict[str, Any], *, width: float, height: float) -> dict[str, Any] | None:
    """Return a figure without heading and caption, wide or as on a phone: whichever has the larger letters on a slide.

    Parameters
    ----------
    figure : dict
        Its JSON.
    width, height : float
        Of its place on the slide, in inches.

    Returns
    -------
    dict or None
        None where the figure is so tall that its letters could not be read.

    Examples
    --------
    >>> tall = {"layout": {"height": 2000, "meta": {"page": {"widest": 760, "height": 2000, "top": 8, "bottom": 40}}}}
    >>> for_slide(tall, width=7.2, height=4.5) is None
    True
    """
    wide = copy.deepcopy(figure)
    layout = wide.setdefault("layout", {})
    meta = layout.get("meta")
    if isinstance(meta, dict) and "page" in meta:
        undress(layout, meta["page"])
    forms = [wide]
    if isinstance(meta, dict) and meta.get("narrow"):
        forms.append(_tight(wide))
    found = max(forms, key=lambda form: _points(form, width, height))
    return found if _points(found, width, height) >= READABLE else None


def _points(figure: dict[str, Any], width: float, height: float) -> float:
    """Size of most letters, in points, of a figure that fills its place."""
    across, down = size(figure)
    return LETTERS * 72 * min(width / across, height / down)


def _tight(figure: dict[str, Any]) -> dict[str, Any]:
    """What `templates/draw.js` does on a phone: the changes that a figure names under `layout.meta.narrow`."""
    tight = copy.deepcopy(figure)
    layout = tight["layout"]
    for path, value in layout["meta"]["narrow"].items():
        if path in ("annotations", "shapes"):
            for item, changes in zip(layout.get(path, ()), value, strict=False):
                item.update({key: new for key, new in changes.items() if new is not None})
                for key in [key for key, new in changes.items() if new is None]:
                    item.pop(key, None)
            continue
        place: Any = tight if path.startswith("data.") else layout
        *way, last = path.split(".")
        for step in way:
            place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
        place[last] = value
    layout["meta"]["page"] = {**layout["meta"].get("page", {}), "widest": TIGHT}
    return tight


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
