"""A deck that can be edited: the finding as the title, its numbers as a native table, its figure as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analytics.display import theme
from analytics.display.slide_layout import INSET, LINE, POINTS, grid, heading, lines, rows_within

WIDE, HIGH = 13.333, 7.5
EDGE, ABOVE, FOOT = 0.6, 0.35, 0.55
HEADED = 1.75
"""Inches: the most that a heading takes."""

BESIDE, LEAST, GAP = 7.2, 5.0, 0.3
"""Inches: the most that a picture is wide beside a table, the least that its caption is, and what lies between them."""

SMALL, CAPTIONS = 9, (0.1, 0.35, 0.5, 0.65, 0.8, 0.95)
"""Size of a caption's letters in points, and heights in inches that are tried for it."""

PLACE = (BESIDE, HIGH - ABOVE - HEADED - 0.65 - FOOT - 0.2)
"""Width and height in inches that a picture has on nearly any slide."""

MOST_ROWS, ROWS_BESIDE, MOST_SLIDES = 10, 5, 8
"""Rows that can be read, alone and beside a picture; slides that fit into the quarter's meeting."""


@dataclass(frozen=True)
class Slide:
    """One slide: a sentence, its figure with interval and n, a verdict, a table, a picture described and explained."""

    title: str
    detail: str = ""
    verdict: str = ""
    table: pd.DataFrame | None = None
    table_title: str = ""
    table_note: str = ""
    picture: Path | None = None
    alt: str = ""
    caption: str = ""
    notes: str = ""


def write_deck(path: Path, slides: Sequence[Slide], *, footer: str) -> None:
    """Write a deck of at most eight slides as a PPTX file.

    Parameters
    ----------
    path : pathlib.Path
        The file; overwritten.
    slides : sequence of Slide
        In order.
    footer : str
        On every slide: whose numbers, which quarter, as of when.

    Raises
    ------
    ValueError
        For more slides than a deck has.
    """
    from pptx import Presentation
    from pptx.util import Inches

    if len(slides) > MOST_SLIDES:
        raise ValueError(f"a deck has at most {MOST_SLIDES} slides, these are {len(slides)}")
    deck = Presentation()
    deck.slide_width, deck.slide_height = Inches(WIDE), Inches(HIGH)
    only_title = deck.slide_layouts[5]
    for number, slide in enumerate(slides, start=1):
        page = deck.slides.add_slide(only_title)
        top = _heading(page, slide)
        left = EDGE
        if slide.picture is not None:
            left += _picture(page, slide, top=top, width=BESIDE if slide.table is not None else WIDE - 2 * EDGE) + GAP
        if slide.table is not None:
            _table(page, slide, top=top, left=left, width=WIDE - EDGE - left)
        _text(page, (EDGE, HIGH - FOOT, WIDE - 2 * EDGE, 0.35), f"{footer} · {number}", size=10, colour=theme.QUIET)
        if slide.notes:
            page.notes_slide.notes_text_frame.text = clean(slide.notes)
    deck.save(str(path))


def clean(text: str) -> str:
    """Return a text without characters that an XML file cannot hold.

    Examples
    --------
    >>> clean("a\\x00b\\x1bc")
    'abc'
    """
    return "".join(c for c in text if c in "\n\t" or (ord(c) >= 32 and not 0xD800 <= ord(c) <= 0xDFFF and c < "\ufffe"))


def _heading(page: Any, slide: Slide) -> float:
    """Write title, detail and verdict; return where they end, in inches."""
    from pptx.enum.text import MSO_ANCHOR
    from pptx.util import Inches, Pt

    width = WIDE - 2 * EDGE
    fitted = heading(slide.title, slide.detail, slide.verdict, width=width, height=HEADED)
    shape = page.shapes.title
    shape.left, shape.top = Inches(EDGE), Inches(ABOVE)
    shape.width, shape.height = Inches(width), Inches(fitted.height)
    frame = shape.text_frame
    frame.word_wrap, frame.vertical_anchor = True, MSO_ANCHOR.TOP
    looks = ((slide.title, True, theme.INK), (slide.detail, False, theme.INK), (slide.verdict, False, theme.QUIET))
    shown = [(look, size) for look, size in zip(looks, fitted.sizes, strict=True) if look[0]]
    for number, ((text, bold, colour), size) in enumerate(shown):
        paragraph = frame.paragraphs[0] if number == 0 else frame.add_paragraph()
        paragraph.alignment = 1
        _run(paragraph, text, size=size, bold=bold, colour=colour)
        if number:
            paragraph.space_before = Pt(4)
    return ABOVE + fitted.height + 0.1


def _run(paragraph: Any, text: str, *, size: float, bold: bool = False, colour: str = theme.INK) -> None:
    from pptx.dml.color import RGBColor
    from pptx.util import Pt

    run = paragraph.add_run()
    run.text = clean(text).replace("\n", " ")
    run.font.size, run.font.bold = Pt(size), bold
    run.font.color.rgb = RGBColor.from_string(colour.lstrip("#"))


def _text(page: Any, box: tuple[float, float, float, float], text: str, *, size: float, colour: str) -> None:
    from pptx.util import Inches

    shape = page.shapes.add_textbox(*(Inches(side) for side in box))
    shape.text_frame.word_wrap = True
    _run(shape.text_frame.paragraphs[0], text, size=size, colour=colour)


def _picture(page: Any, slide: Slide, *, top: float, width: float) -> float:
    """Put the picture as large as the space allows, with caption and description; return its width in inches."""
    from pptx.util import Emu, Inches

    picture = page.shapes.add_picture(str(slide.picture), Inches(EDGE), Inches(top))
    across, down = Emu(picture.width).inches, Emu(picture.height).inches
    for below in CAPTIONS:
        scale = min(width / across, (HIGH - top - FOOT - below) / down)
        beside = max(scale * across, LEAST)
        if lines(slide.caption, SMALL, beside - INSET) * SMALL * LINE / POINTS + 0.1 <= below:
            break
    picture.width, picture.height = Inches(scale * across), Inches(scale * down)
    _describe(picture, slide.alt)
    if slide.caption:
        place = (EDGE - 0.1, top + scale * down, beside, below)
        _text(page, place, slide.caption, size=SMALL, colour=theme.QUIET)
    return float(beside if slide.caption else scale * across)


def _table(page: Any, slide: Slide, *, top: float, left: float, width: float) -> None:
    """Put the rows that fit as a native table, and say how many the report has where these are not all."""
    from pptx.util import Inches

    assert slide.table is not None
    if slide.table_title:
        tall = 0.12 + 12 * LINE / POINTS * lines(slide.table_title, 12, width - INSET)
        _text(page, (left - 0.1, top - 0.05, width, tall), slide.table_title, size=12, colour=theme.QUIET)
        top += tall
    room = HIGH - top - FOOT - 0.1
    frame = slide.table.head(MOST_ROWS)
    fitted = grid(frame, width=width)
    fits = rows_within(fitted.heights, room)
    if fits < len(slide.table):
        fits = rows_within(fitted.heights, room - 0.35)
        said = f"The first {fits} of {len(slide.table)} rows; the report has all."
        below = top + sum(fitted.heights[: fits + 1])
        _text(page, (left - 0.1, below, width, 0.35), said, size=10, colour=theme.QUIET)
    elif slide.table_note:
        below = top + sum(fitted.heights)
        _text(page, (left - 0.1, below, width, 0.35), slide.table_note, size=SMALL, colour=theme.QUIET)
    frame, heights = frame.head(fits), fitted.heights[: fits + 1]
    box = (Inches(left), Inches(top), Inches(width), Inches(sum(heights)))
    shape = page.shapes.add_table(len(frame) + 1, len(frame.columns), *box)
    _describe(shape, f"Table: {slide.table_title or slide.title}")
    for row, height in zip(shape.table.rows, heights, strict=True):
        row.height = Inches(height)
    for place, (name, wide) in enumerate(zip(frame.columns, fitted.widths, strict=True)):
        shape.table.columns[place].width = Inches(wide)
        _column(shape.table, place, [str(name), *(str(value) for value in frame[name])], fitted.size)


def _column(table: Any, place: int, texts: Sequence[str], size: int) -> None:
    from pptx.dml.color import RGBColor

    for row, text in enumerate(texts):
        cell = table.cell(row, place)
        cell.fill.solid()
        cell.fill.fore_color.rgb = RGBColor.from_string((theme.TINT if row == 0 else theme.PAPER).lstrip("#"))
        _run(cell.text_frame.paragraphs[0], text, size=size, bold=row == 0)


def _describe(shape: Any, text: str) -> None:
    shape._element.xpath(".//p:cNvPr")[0].set("descr", clean(text))
