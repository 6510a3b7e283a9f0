"""How large things may be on a slide so that nothing is clipped or covered: reckoned from the texts alone.

An office program puts its own font in the place of one that it lacks, so the widest of the usual ones is assumed.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

POINTS = 72
"""Points of an inch."""

LINE, INSET, MARGIN = 1.22, 0.2, 0.22
"""Height of a line in letters; inches that a text box, and a table's cell, keeps free at its sides together."""

SIGN, BOLD_SIGN = 0.6, 0.64
"""Mean width of a sign in letters, of DejaVu Sans: wider than Calibri, Carlito, Arial and Liberation."""

HEADINGS = ((24, 14, 12), (22, 13, 11), (20, 12, 11), (18, 11, 10))
TABLES = (12, 11, 10, 9)


@dataclass(frozen=True)
class Heading:
    """Sizes in points of title, detail and verdict, and the height in inches that they take together."""

    sizes: tuple[int, int, int]
    height: float


@dataclass(frozen=True)
class Grid:
    """Size of a table's letters in points, widths of its columns and heights of its rows (head first) in inches."""

    size: int
    widths: tuple[float, ...]
    heights: tuple[float, ...]


def lines(text: str, size: float, width: float, *, bold: bool = False) -> int:
    """Count the lines that a text takes at most.

    Parameters
    ----------
    text : str
        One paragraph.
    size : float
        Of its letters, in points.
    width : float
        Of the place for it, in inches.
    bold : bool
        Whether it is set in bold.

    Examples
    --------
    >>> lines("won " * 30, 12, 6.0), lines("", 12, 6.0)
    (2, 0)
    """
    signs = int(width * POINTS / (size * (BOLD_SIGN if bold else SIGN)) + 1e-6)
    return len(textwrap.wrap(text, max(signs, 1)))


def heading(title: str, detail: str, verdict: str, *, width: float, height: float) -> Heading:
    """Choose the largest letters with which title, detail and verdict stay within a height, else the smallest.

    Examples
    --------
    >>> heading("Short", "", "", width=12.0, height=1.6).sizes
    (24, 14, 12)
    """
    for sizes in HEADINGS:
        taken = INSET
        for text, size, bold in zip((title, detail, verdict), sizes, (True, False, False), strict=True):
            taken += (lines(text, size, width - INSET, bold=bold) * size * LINE + (4 if text else 0)) / POINTS
        if taken <= height:
            break
    return Heading(sizes, taken)


def grid(frame: pd.DataFrame, *, width: float) -> Grid:
    """Lay out a table so that no word is broken: the largest letters with which every column holds its longest word.

    What is left over goes first to the columns that lack least for one line per text.

    Parameters
    ----------
    frame : pandas.DataFrame
        Ready texts.
    width : float
        In inches.

    Examples
    --------
    >>> found = grid(pd.DataFrame({"What": ["of the quarter's open days lie past it"], "n": ["7"]}), width=5.0)
    >>> found.size, found.widths[0] > found.widths[1], len(found.heights)
    (12, True, 2)
    """
    columns = [[str(name), *frame[name].astype(str)] for name in frame.columns]
    for size in TABLES:
        least = [_width(max(" ".join(texts).split(), key=len, default=""), size) for texts in columns]
        if sum(least) <= width:
            break
    widths = _widened(least, [max(_width(text, size) for text in texts) for texts in columns], width)
    heights = []
    for row in zip(*columns, strict=True):
        most = max(
            (lines(text, size, wide - MARGIN, bold=True) for text, wide in zip(row, widths, strict=True)), default=1
        )
        heights.append(max(most, 1) * size * LINE / POINTS + 0.12)
    return Grid(size, widths, tuple(heights))


def rows_within(heights: tuple[float, ...], height: float) -> int:
    """Count the rows below the head that fit into a height.

    Examples
    --------
    >>> rows_within((0.4, 0.3, 0.3, 0.3), 1.1)
    2
    """
    taken, fitting = heights[0], 0
    for one in heights[1:]:
        taken += one
        if taken > height:
            break
        fitting += 1
    return fitting


def _widened(least: Sequence[float], wanted: Sequence[float], width: float) -> tuple[float, ...]:
    widths, spare = list(least), width - sum(least)
    lacking = sorted(range(len(least)), key=lambda place: wanted[place] - least[place])
    for left, place in zip(range(len(least), 0, -1), lacking, strict=True):
        more = min(max(wanted[place] - least[place], 0.0), max(spare, 0.0) / left)
        widths[place] += more
        spare -= more
    return tuple(width * one / sum(widths) for one in widths)


def _width(text: str, size: float) -> float:
    return len(text) * size * BOLD_SIGN / POINTS + MARGIN
