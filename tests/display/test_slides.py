"""Slides hold what is put on them: nothing is clipped, covered or cut within a word, however long the texts are."""

from __future__ import annotations

import base64
import itertools
import textwrap
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analytics.display.pictures import READABLE, TIGHT, for_slide, size
from analytics.display.slide_layout import MARGIN, grid, heading, lines, rows_within
from analytics.display.slides import PLACE, Slide, write_deck

# A white picture of one pixel: a slide scales what it gets.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg=="
)
LONG = "Against 2025Q3 −4 points: −8 from the mix of source, −1 from rates within each source, +5 not attributed. "
WORDS = "The mix of source −8 points (−12 to −3), shown, size unclear; rates within each source −1 point. "
TABLE = pd.DataFrame(
    {
        "What": ["Mix", "Not attributed (deals opened before the quarter)"] * 8,
        "Compared to": "2025Q3",
        "Change, points (95 % interval)": "−7.6 (−12.3 to −2.8)",
        "Deals then": "598",
        "Deals now": "615",
    }
)


def boxes(page: Any) -> list[tuple[float, float, float, float]]:
    sides = [(shape.left, shape.top, shape.left + shape.width, shape.top + shape.height) for shape in page.shapes]
    return [(left / 914400, top / 914400, right / 914400, low / 914400) for left, top, right, low in sides]


def covered(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return min(across, down)


@pytest.mark.parametrize("title", ["Short.", LONG, 2 * LONG])
@pytest.mark.parametrize("detail", ["", 3 * WORDS])
@pytest.mark.parametrize("picture", [False, True])
def test_nothing_on_a_slide_covers_anything(title: str, detail: str, picture: bool, tmp_path: Path) -> None:
    from pptx import Presentation

    (tmp_path / "pixel.png").write_bytes(PIXEL)
    slide = Slide(
        title, detail, "Verdict: cannot tell", table=TABLE, table_title="Mix and rate (segment source)",
        picture=tmp_path / "pixel.png" if picture else None, alt="a pixel", caption=4 * WORDS if picture else "",
    )  # fmt: skip
    write_deck(tmp_path / "deck.pptx", [slide], footer="Acme, 2025Q4")
    deck = Presentation(str(tmp_path / "deck.pptx"))
    found = boxes(deck.slides[0])
    for one, other in itertools.combinations(found, 2):
        assert covered(one, other) <= 0.11, (one, other)  # a text box begins a tenth before its text
    assert all(left >= 0.4 and right <= 13.34 and low <= 7.5 for left, _, right, low in found)
    (table,) = (shape.table for shape in deck.slides[0].shapes if shape.has_table)
    said = [shape.text_frame.text for shape in deck.slides[0].shapes if shape.has_text_frame]
    assert f"The first {len(table.rows) - 1} of 16 rows; the report has all." in said
    assert len(table.rows) > 2


def test_no_word_of_a_table_is_broken() -> None:
    for width in (4.6, 5.0, 12.1):
        found = grid(TABLE, width=width)
        assert sum(found.widths) == pytest.approx(width)
        for name, wide in zip(TABLE.columns, found.widths, strict=True):
            texts = [str(name), *TABLE[name]]
            longest = max(len(word) for text in texts for word in text.split())
            assert longest * found.size * 0.64 / 72 + MARGIN <= wide + 1e-9, (name, width)


def test_the_rows_of_a_table_are_as_high_as_their_texts() -> None:
    found = grid(pd.DataFrame({"a": ["x", "word " * 40], "b": ["1", "2"]}), width=4.0)
    signs = int((found.widths[0] - MARGIN) * 72 / (found.size * 0.64) + 1e-6)
    wrapped = len(textwrap.wrap("word " * 40, signs))
    assert wrapped > 2
    assert found.heights[2] == pytest.approx(wrapped * found.size * 1.22 / 72 + 0.12)
    assert found.heights[1] < found.heights[2]
    assert rows_within(found.heights, sum(found.heights)) == 2
    assert rows_within(found.heights, sum(found.heights) - 0.01) == 1


def test_a_heading_gives_way_only_when_it_must() -> None:
    sizes = [heading(n * LONG, n * WORDS, "Verdict", width=12.1, height=1.75) for n in (1, 2, 3)]
    assert sizes[0].sizes[0] == 24
    assert [one.sizes[0] for one in sizes] == sorted((one.sizes[0] for one in sizes), reverse=True)
    assert sizes[0].height <= 1.75
    assert lines(LONG, 24, 11.9, bold=True) == 2


def figure(height: int, tight: int) -> dict[str, Any]:
    """Wide, and on a phone as high as `tight`, with its first note moved and the caption, which a slide has as text."""
    notes = [{"text": "a", "x": 1, "xanchor": "left"}, {"text": "made so", "name": "caption"}]
    page = {"widest": 760, "height": height, "top": 8, "bottom": 40}
    narrow = {"height": tight, "margin.l": 44, "data.0.node.pad": 14, "annotations": [{"x": 2, "xanchor": None}]}
    layout = {
        "title": {"text": "T"},
        "height": height + 120,
        "margin": {"l": 8, "t": 70, "b": 90},
        "annotations": notes,
    }
    return {"data": [{"type": "sankey"}], "layout": {**layout, "meta": {"page": page, "narrow": narrow}}}


def test_a_slide_takes_the_form_of_a_figure_that_can_be_read() -> None:
    width, height = PLACE
    wide = for_slide(figure(300, 900), width=width, height=height)
    assert wide is not None
    assert size(wide) == (760, 300)
    assert "title" not in wide["layout"]
    assert [note["text"] for note in wide["layout"]["annotations"]] == ["a"]
    tight = for_slide(figure(300, 320), width=width, height=height)
    assert tight is not None
    assert size(tight) == (TIGHT, 320)
    assert tight["layout"]["margin"] == {"l": 44, "t": 8, "b": 40}
    assert tight["layout"]["annotations"] == [{"text": "a", "x": 2}]
    assert tight["data"][0]["node"] == {"pad": 14}
    assert for_slide({"data": [], "layout": {}}, width=width, height=height) == {"data": [], "layout": {}}


def test_a_figure_that_nobody_could_read_is_left_to_its_table() -> None:
    width, height = PLACE
    least = 12 * 72 * height / READABLE  # pixels high, at which its letters have just that size
    assert for_slide(figure(int(least), 9999), width=width, height=height) is not None
    assert for_slide(figure(int(least) + 2, 9999), width=width, height=height) is None
