"""Where the rows of a horizontal figure stand, in pixels from the top: beside labels, or below them on a phone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analytics.display import wording
from analytics.display.figures.sheet import LINE, note

HEAD = 26  # pixels of a group heading
MARK = 26  # pixels of the dot or bar below its label, on a phone
TIGHT_LEFT, TIGHT_RIGHT = 14, 128  # pixels of the margins on a phone


@dataclass(frozen=True)
class Text:
    """The words of a row: escaped lines of its label, heading above it, figures at its right."""

    lines: Sequence[str]
    value: str
    head: str = ""


def step_text(lines: Sequence[str], value: str, size: str, *, level: bool, head: str = "") -> Text:
    """Return the words of a step: those of a level are bold, its size stands below its figure."""
    figure = wording.bold(value) if level else value
    figure += f"<br>{wording.quiet(size)}" if size else ""
    return Text([wording.bold(line) if level else line for line in lines], figure, head)


@dataclass(frozen=True)
class Rows:
    """Middle of each row and height of all of them, side by side (`wide`) and label above (`tight`)."""

    texts: Sequence[Text]
    left: int
    right: int
    wide: tuple[float, ...]
    wide_height: int
    tight: tuple[float, ...]
    above: tuple[float, ...]  # foot of each label on a phone
    tight_height: int

    def axis(self) -> dict[str, Any]:
        """Return the vertical axis of the wide rows: one unit is one pixel, from the top."""
        return {"range": [self.wide_height, 0], "visible": False, "fixedrange": True}

    def annotations(self, *, narrow: bool = False) -> list[dict[str, Any]]:
        """Return the labels, headings and figures of the rows."""
        found = []
        right = self._tight_right() if narrow else self.right
        for text, wide, tight, above in zip(self.texts, self.wide, self.tight, self.above, strict=True):
            height = len(text.lines) * LINE
            at = tight if narrow else wide
            place = (
                {"y": above, "yanchor": "bottom", "xshift": 8 - TIGHT_LEFT}
                if narrow
                else {"y": wide, "xshift": 8 - self.left}
            )
            found.append(note("<br>".join(text.lines), x=0, yref="y", **place))
            if text.head:
                top = above - height - 3 if narrow else wide - max(height, 2 * LINE) / 2 - 4
                shift = {"xshift": 8 - (TIGHT_LEFT if narrow else self.left)}
                head = wording.quiet(wording.safe(text.head, 60))
                found.append(note(head, x=0, y=top, yref="y", yanchor="bottom", **shift))
            found.append(note(text.value, x=1, y=at, yref="y", xshift=right, xanchor="right", align="right"))
        return found

    def _tight_right(self) -> int:
        return min(self.right, max(TIGHT_RIGHT, self.right - 20))

    def narrow(self, bottom: int) -> dict[str, Any]:
        """Return what changes on a phone: margins, height, axis and the place of every text."""
        return {
            "annotations": self.annotations(narrow=True),
            "height": 8 + self.tight_height + bottom,
            "margin.l": TIGHT_LEFT,
            "margin.r": self._tight_right(),
            "yaxis.range": [self.tight_height, 0],
        }


def placed(texts: Sequence[Text], left: int, right: int, *, least: Sequence[float] | float = 34) -> Rows:
    """Give every row the height that its words need, at least `least` pixels.

    Examples
    --------
    >>> placed([Text(["a"], ""), Text(["b", "c", "d"], "")], 200, 100).wide
    (17.0, 63.5)
    """
    floors = [float(least)] * len(texts) if isinstance(least, (int, float)) else list(least)
    wide, tight, above, down, tight_down = [], [], [], 0.0, 0.0
    for text, floor in zip(texts, floors, strict=True):
        head = HEAD if text.head else 0
        height = max(floor, len(text.lines) * LINE + 14)
        wide.append(down + head + height / 2)
        down += head + height
        words = head + len(text.lines) * LINE + 6
        mark = max(MARK, floor - 8)
        above.append(tight_down + words)
        tight.append(tight_down + words + mark / 2)
        tight_down += words + mark + 10
    return Rows(texts, left, right, tuple(wide), round(down), tuple(tight), tuple(above), round(tight_down))
