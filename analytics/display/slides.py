"""A deck that can be edited: the finding as the title, its numbers as a native table, its figure as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analytics.display import theme

WIDE, HIGH = 13.333, 7.5
EDGE, TOP, FOOT = 0.6, 1.95, 0.55
MOST_ROWS, MOST_SLIDES = 8, 8
"""What can be read from the back of a room; what fits into the quarter's meeting."""


@dataclass(frozen=True)
class Slide:
    """One slide: a sentence, its figure with interval and n, a verdict, a table, a picture with its description."""

    title: str
    detail: str = ""
    verdict: str = ""
    table: pd.DataFrame | None = None
    table_title: str = ""
    picture: Path | None = None
    alt: str = ""
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
        _heading(page, slide)
        narrow = slide.picture is not None and slide.table is not None
        if slide.picture is not None:
            _picture(page, slide, width=7.2 if narrow else WIDE - 2 * EDGE)
        if slide.table is not None:
            _table(page, slide, left=8.05 if narrow else EDGE, width=WIDE - EDGE - 8.05 if narrow else WIDE - 2 * EDGE)
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


def _heading(page: Any, slide: Slide) -> None:
    from pptx.enum.text import MSO_ANCHOR
    from pptx.util import Inches, Pt

    shape = page.shapes.title
    shape.left, shape.top = Inches(EDGE), Inches(0.35)
    shape.width, shape.height = Inches(WIDE - 2 * EDGE), Inches(TOP - 0.5)
    frame = shape.text_frame
    frame.word_wrap, frame.vertical_anchor = True, MSO_ANCHOR.TOP
    lines = [(slide.title, 24, True, theme.INK), (slide.detail, 14, False, theme.INK)]
    lines.append((slide.verdict, 12, False, theme.QUIET))
    for number, (text, size, bold, colour) in enumerate(line for line in lines if line[0]):
        paragraph = frame.paragraphs[0] if number == 0 else frame.add_paragraph()
        paragraph.alignment = 1
        _run(paragraph, text, size=size, bold=bold, colour=colour)
        if number:
            paragraph.space_before = Pt(4)


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


def _picture(page: Any, slide: Slide, *, width: float) -> None:
    """Put the picture as large as the space allows, its description for those who cannot see it."""
    from pptx.util import Inches

    picture = page.shapes.add_picture(str(slide.picture), Inches(EDGE), Inches(TOP))
    room = HIGH - TOP - FOOT - 0.1
    scale = min(Inches(width) / picture.width, Inches(room) / picture.height)
    picture.width, picture.height = int(picture.width * scale), int(picture.height * scale)
    _describe(picture, slide.alt)


def _table(page: Any, slide: Slide, *, left: float, width: float) -> None:
    from pptx.dml.color import RGBColor
    from pptx.util import Inches

    assert slide.table is not None
    frame = slide.table.head(MOST_ROWS)
    top = TOP
    if slide.table_title:
        _text(page, (left - 0.1, TOP - 0.05, width, 0.4), slide.table_title, size=12, colour=theme.QUIET)
        top += 0.35
    size = 11 if len(frame.columns) <= 4 else 9
    shape = page.shapes.add_table(
        len(frame) + 1, len(frame.columns), Inches(left), Inches(top), Inches(width), Inches(0.36 * (len(frame) + 1))
    )
    _describe(shape, f"Table: {slide.table_title or slide.title}")
    table = shape.table
    for place, name in enumerate(frame.columns):
        cells = [str(name), *(str(value) for value in frame[name])]
        for row, text in enumerate(cells):
            cell = table.cell(row, place)
            cell.fill.solid()
            cell.fill.fore_color.rgb = RGBColor.from_string((theme.TINT if row == 0 else theme.PAPER).lstrip("#"))
            _run(cell.text_frame.paragraphs[0], text, size=size, bold=row == 0)
    if len(slide.table) > MOST_ROWS:
        said = f"The first {MOST_ROWS} of {len(slide.table)} rows; the report has all."
        _text(page, (left - 0.1, HIGH - FOOT - 0.45, width, 0.35), said, size=10, colour=theme.QUIET)


def _describe(shape: Any, text: str) -> None:
    shape._element.xpath(".//p:cNvPr")[0].set("descr", clean(text))
