"""Pages hold everything they need, show what the CRM holds as text, and read well in the light and in the dark."""

from __future__ import annotations

import base64
import gzip
import json
import re
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest
from display_samples import HOSTILE, findings, incidence, win_rates

from analytics.display import figures, packing, page, rendering, tables, theme, wording
from analytics.display.cell_links import LinkedColumn
from analytics.display.findings import card, finding_cards
from analytics.display.front import Drawn, Front, Line, Said, StudyLink, front_page, leading_page
from analytics.display.numbers import numbers_table
from analytics.estimators.result import Listing


def notebook(*outputs: dict[str, Any]) -> dict[str, Any]:
    cells: list[dict[str, Any]] = [
        {"cell_type": "markdown", "source": ["## A heading\n", "and text"], "metadata": {}},
        {"cell_type": "code", "source": "quarter = 1", "metadata": {"tags": ["parameters"]}, "outputs": []},
    ]
    for i, output in enumerate(outputs):
        cells.append({"cell_type": "code", "id": f"c{i}", "source": "secret()", "metadata": {}, "outputs": [output]})
    return {"cells": cells}


def shown(value: Any) -> dict[str, Any]:
    return {"output_type": "display_data", "data": value}


def html_of(*outputs: dict[str, Any], **more: Any) -> str:
    return page.notebook_page(notebook(*outputs), title="A study", markdown=lambda text: f"<p>{text}</p>", **more)


class Reader(HTMLParser):
    """Counts elements and keeps attributes, text outside of style and script, and ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.skipping = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.skipping = tag in ("style", "script")

    def handle_endtag(self, tag: str) -> None:
        self.skipping = False

    def handle_data(self, data: str) -> None:
        if not self.skipping:
            self.words.append(data)


def figure() -> dict[str, Any]:
    return rendering.figure_json(figures.plot_win_rates(win_rates(hostile=True)))


def test_a_page_asks_for_nothing_outside() -> None:
    read = Reader(html_of(shown({page.PLOTLY: figure()})))
    assert "link" in read.tags
    for tag, name, value in read.attributes:
        if name in ("src", "href"):
            assert value.startswith(("#", "data:")), (tag, name, value)
    policy = next(v for _, n, v in read.attributes if n == "content" and "default-src" in v)
    assert "default-src 'none'" in policy
    assert "http" not in policy


def test_landmarks_language_and_one_heading_of_the_page() -> None:
    text = html_of(shown({page.PLOTLY: figure()}), home="../index.html", facts=[("As of", "2026-01-31")])
    read = Reader(text)
    for landmark in ("header", "main", "footer", "nav"):
        assert read.tags.count(landmark) == 1
    assert read.tags.count("h1") == 1
    assert ("html", "lang", "en") in read.attributes
    assert ("meta", "name", "viewport") in read.attributes
    assert "2026-01-31" in "".join(read.words)


def test_figures_are_named_for_those_who_cannot_see_them() -> None:
    read = Reader(html_of(shown({page.PLOTLY: figure()})))
    alt = rendering.alt_text(figure())
    assert ("div", "aria-label", alt) in read.attributes
    assert ("div", "role", "img") in read.attributes
    assert HOSTILE.split("R&D")[0] not in alt or "img" not in read.tags


def test_plotly_is_there_once_and_only_where_a_figure_is() -> None:
    two = (shown({page.PLOTLY: figure()}), shown({page.PLOTLY: figure()}))
    assert html_of(*two).count("window.winlossPlotly =") == 1
    beside = html_of(*two, plotly="../../plotly-1.js")
    assert beside.count('<script src="../../plotly-1.js"></script>') == 1
    assert "window.winlossPlotly =" not in beside
    assert len(beside) < 60_000
    assert "<script" not in html_of()


def test_packed_plotly_is_plotly_and_small() -> None:
    library = packing.plotly_js()
    assert library.startswith("/**")
    packed = re.search(r'unpacked\("([A-Za-z0-9+/=]+)"\)', packing.packed_plotly())
    assert packed
    assert gzip.decompress(base64.b64decode(packed[1])).decode("utf-8") == library
    assert len(packing.packed_plotly()) < 2_000_000


def test_code_and_parameters_stay_out_and_standard_error_too() -> None:
    text = html_of({"output_type": "stream", "name": "stderr", "text": "warned"},
                   {"output_type": "stream", "name": "stdout", "text": ["a <b>\n"]})  # fmt: skip
    assert "secret()" not in text
    assert "quarter = 1" not in text
    assert "warned" not in text
    assert "a &lt;b&gt;" in text


def test_texts_of_the_crm_cannot_leave_their_place() -> None:
    table = tables.estimate_table(win_rates(hostile=True), title=f"Rates {HOSTILE}")
    cards = finding_cards(findings())
    error = {"output_type": "error", "ename": "InputError", "evalue": HOSTILE}
    text = html_of(
        shown({page.PLOTLY: figure()}), shown(table._repr_mimebundle_()), shown(cards._repr_mimebundle_()), error
    )
    read = Reader(text)
    assert "img" not in read.tags
    assert read.tags.count("script") == 3  # packed plotly.js, the drawing script, the data of one figure
    assert not [name for _, name, _ in read.attributes if name.startswith("on")]
    assert "".join(read.words).count("onerror=alert(1)") >= 3


def test_a_sentence_in_place_of_a_figure_and_of_its_table_stands_once() -> None:
    said = finding_cards(findings()[0])._repr_mimebundle_()
    cells = [{"cell_type": "code", "metadata": {}, "outputs": [{"output_type": "display_data", "data": said}]}] * 2
    text = page.notebook_page({"cells": cells}, title="Twice", markdown=str)
    assert text.count('class="wl-headline"') == 1


def test_a_sentence_in_a_cell_keeps_room_to_be_read() -> None:
    frame = pd.DataFrame({"level": ["a"], "words": ["one word after the other " * 5]})
    html = tables.listing_table(Listing(frame, "Said"))._repr_mimebundle_()["text/html"]
    assert page.without_inline_style(html).count('<td class="gt_row gt_left wl-long">') == 1


def data_of(block: str) -> dict[str, Any]:
    """What a figure is drawn from."""
    packed = re.search(r'<script type="text/plain" class="wl-data">(.*?)</script>', block, re.S)
    assert packed is not None
    data: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(packed[1])))
    return data


def test_data_of_a_figure_survive_the_script_element() -> None:
    made = figure()
    made["layout"]["meta"]["alt"] = "</script><script>alert(1)</script>\u2028"
    block = page.figure_div(made, "f-1")
    assert data_of(block)["layout"]["meta"]["alt"] == made["layout"]["meta"]["alt"]
    assert block.count("</script>") == 1


def test_a_page_sets_heading_and_caption_as_text() -> None:
    block = page.figure_div(figure(), "f-1")
    data = data_of(block)
    assert "title" not in data["layout"]
    assert not [item for item in data["layout"]["annotations"] if item.get("name") == "caption"]
    assert "<h3" in block
    assert "as of 31 January 2026" in block
    # Every number that was drawn is still there.
    assert data["data"] == figure()["data"]


@pytest.mark.parametrize("wrong", ["", 'a"b', "a b", "ä"])
def test_ids_of_figures_hold_no_other_characters(wrong: str) -> None:
    with pytest.raises(ValueError, match="cannot be the id"):
        page.figure_div(figure(), wrong)


def test_every_table_and_figure_offers_the_numbers_it_was_made_from() -> None:
    estimate = win_rates().stamped(saved_as="win_rates")
    drawn = shown({page.PLOTLY: rendering.figure_json(figures.plot_win_rates(estimate))})
    table = shown({"text/html": tables.estimate_table(estimate, title="Rates").html()})
    saved = {"win_rates": page.Numbers("results/01_quarter/win_rates.csv", "<table><tr><td>7</td></tr></table>"),
             "other": page.Numbers("other.csv")}  # fmt: skip
    text = html_of(drawn, table, saved=saved)
    links = [value for tag, name, value in Reader(text).attributes if (tag, name) == ("a", "href")]
    assert links.count("results/01_quarter/win_rates.csv") == 2
    assert "other.csv" not in links
    assert text.count("<table><tr><td>7</td></tr></table>") == 1  # under the figure; the table is one itself
    assert "Numbers (CSV)" not in html_of(drawn, table)


def test_what_shows_a_result_can_be_linked_to_once() -> None:
    estimate = win_rates().stamped(saved_as="win_rates")
    drawn = shown({page.PLOTLY: rendering.figure_json(figures.plot_win_rates(estimate))})
    ids = [value for _, name, value in Reader(html_of(drawn, drawn)).attributes if name == "id"]
    assert ids.count("result-win_rates") == 1
    assert len(ids) == len(set(ids))


def test_numbers_as_a_table_are_those_of_the_estimate() -> None:
    estimate = win_rates(hostile=True)
    text = numbers_table(estimate)
    rows = re.findall(r"<tr>(.*?)</tr>", text, re.S)[1:]
    assert len(rows) == len(estimate.frame)
    for row, given in zip(rows, estimate.frame.to_dict("records"), strict=True):
        assert f"{100 * given['estimate']:.0f}\u00a0%" in row
    assert "<img" not in text
    assert text.count('scope="col"') == len(re.findall("<td", rows[0]))
    long = Listing(pd.DataFrame({"name": [f"row {i}" for i in range(90)]}), "Long")
    assert "The first 60 of 90 rows" in numbers_table(long)
    assert "row 59" in numbers_table(long)
    assert "row 60" not in numbers_table(long)


def test_tables_on_a_page_have_no_style_of_their_own_and_scroll_by_key() -> None:
    table = tables.listing_table(Listing(pd.DataFrame({"name": ['a style="x" b']}), "Names"))
    text = html_of(shown(table._repr_mimebundle_()))
    assert not re.search(r"<(table|t[dhr]|div)\b[^>]* style=", text)
    assert re.search(r'<div class="wl-table">\s*<div[^>]* tabindex="0" role="region"', text)
    assert "a style=" in "".join(Reader(text).words)  # within a text it is a text


def test_a_text_of_the_crm_cannot_offer_a_file() -> None:
    listing = Listing(
        pd.DataFrame({"name": ['<div class="wl-table" data-results="other">']}), "Names", saved_as="names"
    )
    table = shown({"text/html": tables.listing_table(listing).html()})
    saved = {"names": page.Numbers("names.csv"), "other": page.Numbers("other.csv")}
    assert "other.csv" not in html_of(table, saved=saved)


def test_the_page_is_the_same_every_time() -> None:
    assert html_of(shown({page.PLOTLY: figure()})) == html_of(shown({page.PLOTLY: figure()}))


def whole_front() -> Front:
    """A front page with something in every place, and hostile words wherever words may come from the records."""
    said = tuple(Said(finding, "The quarter", f"01.html#result-r{i}") for i, finding in enumerate(findings()))
    estimate = win_rates(hostile=True).stamped(saved_as="win_rates")
    numbers = {"win_rates": page.Numbers("win_rates.csv", numbers_table(estimate))}
    counts = [wording.count(n) for n in estimate.frame["n_risk"]]
    lists = LinkedColumn("At risk", counts, ["deals.html#q/win_rates/0/n_risk", *[""] * (len(counts) - 1)])
    drawn = Drawn("win_rates", figures.plot_win_rates(estimate), "The quarter", "01.html", numbers, [lists])
    return Front(
        "Demo & Co, 2025Q4", f"As of {HOSTILE}",
        strip=(("USD\u00a04.1\u00a0M", "booked", "01.html#result-money"),),
        cards=said, drawn=(drawn,), lead_href="00.html#read",
        parts=(("deals studied", 90), ("outside the scope", 10)), parts_href="00.html#parts", untold=said[:1],
        not_studied=(Line("Sellers: ramp.", "Not studied: it needs owners.", "00.html"),), health=said[1:2],
        facts=(Line("9 rows read.", "2 rejected.", "00.html"),),
        excluded=(Line(f"scope: {HOSTILE}", "3 deals", "00.html", "deals.html#h/left_out/4/deals"),),
        studies=(StudyLink("The quarter <b>", "01.html", said=said[:1]),
                 StudyLink("Cohorts", "", "failed", "no column x")),
        downloads=(("all tables (Excel)", "results.xlsx"),), definitions=(("Won", "as the CRM says"),),
        parameters=(("As of", "31 January"),),
    )  # fmt: skip


def test_the_front_page_says_everything_and_leads_to_it() -> None:
    text = front_page(whole_front(), plotly="../../plotly.js")
    read = Reader(text)
    words = " ".join("".join(read.words).split())
    for said in ("A third of deals end in no decision.", "The quarter <b>", "Demo & Co", "failed no column x",
                 "Sellers: ramp. Not studied: it needs owners.", "90 deals studied", "as the CRM says", "31 January",
                 "booked", "2 rejected."):  # fmt: skip
        assert said in words, said
    assert "32\u00a0% (27" in text
    cards = re.findall(r"<article.*?</article>", text, re.DOTALL)
    assert not [card for card in cards if re.search(r"\d %", card)]  # no line ends between a number and its sign
    links = [v for t, n, v in read.attributes if t == "a" and n == "href"]
    assert {f"01.html#result-r{i}" for i in range(6)} | {"win_rates.csv", "results.xlsx"} <= set(links)
    assert '<td class="wl-n"><a href="deals.html#q/win_rates/0/n_risk">148</a></td>' in text
    assert '<td class="wl-n"><a href="deals.html#h/left_out/4/deals">3 deals</a></td>' in text
    assert links.count("00.html#parts") == 2
    assert '<a href="00.html#read">What was read</a></p>' in text
    for landmark in ("header", "main", "footer", "h1"):
        assert read.tags.count(landmark) == 1
    assert "img" not in read.tags
    assert not [name for _, name, _ in read.attributes if name.startswith("on")]


def test_the_mailed_front_page_leads_to_no_other_file() -> None:
    read = Reader(front_page(whole_front(), alone=True))
    addresses = [v for _, n, v in read.attributes if n in ("href", "src")]
    assert all(value.startswith(("#", "data:")) for value in addresses), addresses
    words = "".join(read.words)
    assert "A third of deals end in no decision." in words
    assert "The numbers as a table" in words


def test_the_page_that_leads_is_small_and_has_a_link() -> None:
    text = leading_page("Demo & Co", "As of 31 January.", "runs/1/index.html")
    assert 'http-equiv="refresh" content="0; url=runs/1/index.html"' in text
    assert '<a href="runs/1/index.html">' in text
    assert "<script" not in text
    assert len(text) < 20_000


# ------------------------------------------------------------------------------------------------------- contrast


def contrast(first: str, second: str) -> float:
    """WCAG 2 contrast ratio."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_of_a_known_pair() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("verdict", theme.CHIPS)
def test_chips_can_be_read_in_the_light_and_in_the_dark(verdict: str) -> None:
    text, ground, dark_text, dark_ground = theme.CHIPS[verdict]  # type: ignore[index]
    assert contrast(text, ground) >= 4.5
    assert contrast(dark_text, dark_ground) >= 4.5


def test_words_and_marks_can_be_seen_on_both_grounds() -> None:
    for ground, ink, quiet in (
        (theme.PAPER, theme.INK, theme.QUIET),
        (theme.DARK[theme.PAPER], theme.DARK[theme.INK], theme.DARK[theme.QUIET]),
        (theme.DARK[theme.TINT], theme.DARK[theme.INK], theme.DARK[theme.QUIET]),
    ):
        assert contrast(ink, ground) >= 7
        assert contrast(quiet, ground) >= 4.5
    for name in ("won", "lost", "no_decision", "mix", "rate"):
        light = theme.COLOURS[name]
        assert contrast(light, theme.PAPER) >= 3
        assert contrast(theme.DARK[light], theme.DARK[theme.PAPER]) >= 3


def test_every_colour_of_a_figure_has_a_partner_in_the_dark() -> None:
    found = set(re.findall(r"#[0-9A-Fa-f]{6}", json.dumps([figure(), rendering.figure_json(
        figures.plot_stacked_incidence(incidence()))])))  # fmt: skip
    assert found <= set(theme.DARK)


def test_cards_keep_their_order_and_their_verdict() -> None:
    cards = finding_cards(findings())
    assert [line.split("]")[0][1:] for line in cards.text().splitlines()] == [f.verdict for f in findings()]
    assert cards.html().count("<article") == 6
    assert 'class="wl-chip' in card(findings()[0])
    assert "&lt;img src=x" in cards.html()
