"""Pages that open from disk: figures as data, words as real text; nothing leaves the page.

Figures are stored as packed JSON and drawn by the small script in `templates/draw.js`, which adapts them to the width
of the window, to a dark screen and to paper. plotly.js lies packed beside the pages of a bundle, or within a page
that travels alone (`analytics.display.packing`). Tables lose the inline style that a notebook needs: a page has its
own.
"""

from __future__ import annotations

import functools
import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analytics.display import rendering, theme, wording
from analytics.display.findings import SLUGS
from analytics.display.packing import UNPACKED, packed, packed_plotly

PLOTLY = "application/vnd.plotly.v1+json"
TEMPLATES = Path(__file__).parent / "templates"
_RESULTS = re.compile(r'<(?:div class="wl-table"|figure) data-results="([a-z0-9_ ]*)"')
_TAG = re.compile(r"<[a-zA-Z][^<>]*>")
_STYLE = re.compile(r' (?:(?:style|headers|data-quarto-[a-z-]+)="[^"]*"|(?:row|col)span="1")')
_LONG = re.compile(r'(<td class="gt_row gt_left)(">[^<]{70,}</td>)')
_SCROLLS = re.compile(r'(<div class="wl-table"[^>]*>\s*<div\b[^>]*)(>)')


@dataclass(frozen=True)
class Numbers:
    """The numbers behind what is shown: relative address of their CSV file, the same as an HTML table, and as text.

    With the text of the file a page carries it, packed, and gives it out wherever the page is copied to.
    """

    href: str
    table: str = ""
    text: str = ""


def figure_div(figure_json: dict[str, Any], div_id: str) -> str:
    """Return one figure for a page: heading, place for the drawing, caption, description, and its JSON as data.

    Parameters
    ----------
    figure_json : dict
        What the stable renderer wrote (`application/vnd.plotly.v1+json`); a figure of another library works too.
    div_id : str
        Id of the drawing on the page; letters, digits, `-` and `_` only.

    Raises
    ------
    ValueError
        Where `div_id` holds other characters.
    """
    if not div_id or not all(c.isascii() and (c.isalnum() or c in "-_") for c in div_id):
        raise ValueError(f"{div_id!r} cannot be the id of a figure: use letters, digits, - and _")
    figure = json.loads(json.dumps(figure_json))
    meta = figure.get("layout", {}).get("meta")
    meta = meta if isinstance(meta, dict) else {}
    if "page" in meta:
        undress(figure["layout"], meta["page"])
    alt = rendering.alt_text(figure_json) or "figure"
    place = meta.get("page", {})
    return rendered(
        "figure.html.j2",
        id=div_id,
        title=meta.get("title", ""),
        subtitle=meta.get("subtitle", ""),
        caption=meta.get("caption", ""),
        alt=alt,
        results=" ".join(meta.get("results", ())),
        height=int(figure.get("layout", {}).get("height") or 420),
        widest=int(place.get("widest", 860)),
        data=packed_json({"data": figure.get("data", []), "layout": figure.get("layout", {})}),
    )


def undress(layout: dict[str, Any], place: Mapping[str, Any]) -> None:
    """Take heading and caption out of a drawing: a page or a slide sets them as text that wraps."""
    layout.pop("title", None)
    layout["annotations"] = [item for item in layout.get("annotations", ()) if item.get("name") != "caption"]
    layout["height"] = place["height"]
    layout["margin"] = {**layout.get("margin", {}), "t": place["top"], "b": place["bottom"]}


def packed_json(value: object) -> str:
    """Return JSON packed: no text of it can end the element that it stands in."""
    return packed(json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False, separators=(",", ":")))


def script_json(value: object) -> str:
    """Return JSON that can stand inside a script: no text of it can end the script."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False, separators=(",", ":"))
    for sign in ("<", ">", "&", "\u2028", "\u2029"):
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def notebook_page(
    notebook: Mapping[str, Any],
    *,
    title: str,
    markdown: Callable[[str], str],
    facts: Sequence[tuple[str, str]] = (),
    home: str = "",
    saved: Mapping[str, Numbers] | None = None,
    plotly: str = "",
    linked: Callable[[str], str] | None = None,
) -> str:
    """Return an executed notebook as an offline HTML page: prose, figures, tables and findings, without its code.

    Parameters
    ----------
    notebook : mapping
        The notebook as a dictionary (nbformat 4) with its outputs.
    title : str
        Heading of the page.
    markdown : callable
        Turns the text of a markdown cell into HTML (`nbconvert.filters.markdown2html` does).
    facts : sequence of (name, value)
        Parameters and provenance, shown at the foot.
    home : str, optional
        Relative address of the front page, for the link back.
    saved : mapping of str to Numbers, optional
        By the name of a saved result: its CSV file and its table, offered beside what shows the result. The first
        place that shows it can be linked to as `#result-<name>`.
    plotly : str, optional
        Relative address of the packed plotly.js; without it the page carries its own.
    linked : callable, optional
        Puts links into the tables of a block (`cell_links.linked`).
    """
    blocks = [block for i, cell in enumerate(notebook.get("cells", ())) for block in _cell(cell, i, markdown)]
    blocks = [wording.unbroken(block) if 'class="wl-cards"' in block else block for block in _said_once(blocks)]
    drawn = any("wl-plot" in block for block in blocks)
    blocks = blocks if linked is None else [linked(block) for block in blocks]
    blocks, offered = _with_numbers(blocks, saved or {})
    shown = {"title": title, "subtitle": "", "facts": facts, "home": home, "blocks": blocks}
    shown["links"] = "" if linked is None else links_js()
    return page("notebook.html.j2", drawn=drawn, plotly=plotly, files=carried_files(offered), **shown)


def _said_once(blocks: Sequence[str]) -> list[str]:
    """Leave out cards that stand on the page already: a figure and its table give the same card for want of numbers."""
    first = {block: place for place, block in reversed(list(enumerate(blocks)))}
    return [block for place, block in enumerate(blocks) if 'class="wl-cards"' not in block or first[block] == place]


def _with_numbers(blocks: Sequence[str], saved: Mapping[str, Numbers]) -> tuple[list[str], dict[str, Numbers]]:
    """Give every block a place to link to, links to its CSV files and, under a figure, the same numbers as a table."""
    seen: set[str] = set()
    found = []
    offered: dict[str, Numbers] = {}
    for block in blocks:
        names = dict.fromkeys(name for match in _RESULTS.findall(block) for name in match.split())
        marks = "".join(f'<span class="wl-mark" id="result-{name}"></span>\n' for name in names if name not in seen)
        seen |= set(names)
        mine = {name: saved[name] for name in names if name in saved}
        found.append(marks + block + numbers_below(mine, tables="<figure" in block))
        offered |= mine
    return found, offered


def carried_files(saved: Mapping[str, Numbers]) -> str:
    """Return the CSV files that a page carries, packed; the script `templates/files.js` gives them out."""
    return "".join(
        f'<script type="text/plain" id="csv-{name}">{packed(numbers.text)}</script>\n'
        for name, numbers in saved.items()
        if numbers.text
    )


def numbers_below(saved: Mapping[str, Numbers], *, tables: bool, files: bool = True, more: tuple[str, ...] = ()) -> str:
    """Return what stands under a figure or table: its numbers as a table, links to its CSV files, a link to more."""
    shown = [(name, name.replace("_", " "), numbers) for name, numbers in saved.items()]
    return rendered("numbers.html.j2", saved=shown, tables=tables, files=files, more=more) if shown else ""


def _cell(cell: Mapping[str, Any], number: int, markdown: Callable[[str], str]) -> list[str]:
    tags = cell.get("metadata", {}).get("tags", ())
    if "remove-cell" in tags:
        return []
    if cell.get("cell_type") == "markdown":
        return [f'<div class="wl-prose">{markdown(_joined(cell.get("source", "")))}</div>']
    if cell.get("cell_type") != "code" or "parameters" in tags:
        return []
    found = []
    for k, output in enumerate(cell.get("outputs", ())):
        block = output_html(output, f"fig-{cell.get('id') or number}-{k}")
        if block:
            found.append(block)
    return found


def output_html(output: Mapping[str, Any], div_id: str) -> str:
    """Return one notebook output as HTML: a figure as its drawing, HTML as it is, text and errors escaped."""
    kind = output.get("output_type")
    if kind == "stream":
        return _pre(_joined(output.get("text", ""))) if output.get("name") != "stderr" else ""
    if kind == "error":
        return _pre(f"{output.get('ename', 'Error')}: {output.get('evalue', '')}", "wl-error")
    data = output.get("data", {})
    if PLOTLY in data:
        return figure_div(data[PLOTLY], "".join(c if c.isascii() and c.isalnum() else "-" for c in div_id))
    if "text/html" in data:
        return f'<div class="wl-html">{without_inline_style(_joined(data["text/html"]))}</div>'
    text = _joined(data.get("text/plain", ""))
    return _pre(text) if text else ""


def without_inline_style(text: str) -> str:
    """Return the HTML of tables and cards without its inline style, which a page replaces by its own.

    Only within a tag: a text of the CRM has no tags in it, since it is escaped.

    Examples
    --------
    >>> without_inline_style('<td class="gt_row" style="color:red" headers="a">a style="b"</td>')
    '<td class="gt_row">a style="b"</td>'
    """
    plain = _LONG.sub(r"\1 wl-long\2", _TAG.sub(lambda tag: _STYLE.sub("", tag[0]), text))
    return _SCROLLS.sub(r'\1 tabindex="0" role="region" aria-label="Table"\2', plain)


def _joined(source: str | Sequence[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def _pre(text: str, look: str = "wl-text") -> str:
    return f'<pre class="{look}">{html.escape(text.rstrip())}</pre>' if text.strip() else ""


def page(template: str, *, drawn: bool, plotly: str = "", files: str = "", **shown: Any) -> str:
    """Return a page made from a template: with the scripts that draw, where something is drawn.

    Parameters
    ----------
    template : str
        Its name in `templates/`.
    drawn : bool
        Whether there are figures.
    plotly : str, optional
        Relative address of the packed plotly.js; without it the page carries its own.
    files : str, optional
        The CSV files that it carries (`carried_files`).
    **shown
        What the template shows.
    """
    own = packed_plotly() if drawn and not plotly else ""
    scripts = {"plotly": plotly if drawn else "", "packed": own, "draw": draw_js() if drawn else ""}
    scripts |= {"carried": files, "files": files_js() if files else ""}
    return rendered(template, style=page_style(), **scripts, **shown)


def page_style() -> str:
    """Return the style of every page: colours as variables for light and dark, one column under 760 px, A4 on paper."""
    outcomes = {name.replace("_", "-"): theme.COLOURS[name] for name in ("won", "lost", "no_decision")}
    light = {
        **outcomes,
        "ink": theme.INK,
        "quiet": theme.QUIET,
        "rule": theme.RULE,
        "paper": theme.PAPER,
        "tint": theme.TINT,
    }
    dark = {name: theme.DARK[value] for name, value in light.items()}
    light |= {"link": theme.LINK}
    dark |= {"link": theme.DARK[theme.LINK]}
    chips = [(SLUGS[verdict], colours) for verdict, colours in theme.CHIPS.items()]
    return rendered("style.css.j2", light=light, dark=dark, chips=chips, font=theme.FONT)


def draw_js() -> str:
    """Return the script that draws the figures of a page, with the pairs of light and dark colours filled in."""
    pairs = dict(theme.DARK)
    for light, dark in theme.DARK.items():
        pairs[f"rgba({_rgb(light)},"] = f"rgba({_rgb(dark)},"
    script = (TEMPLATES / "draw.js").read_text(encoding="utf-8")
    return script.replace("/*DARK*/{}", script_json(pairs)).replace("/*UNPACKED*/", UNPACKED)


def files_js() -> str:
    """Return the script that gives out the CSV files that a page carries."""
    return (TEMPLATES / "files.js").read_text(encoding="utf-8").replace("/*UNPACKED*/", UNPACKED)


def links_js() -> str:
    """Return the script that says of numbers that open a list of deals whose deals they are."""
    return (TEMPLATES / "links.js").read_text(encoding="utf-8")


def _rgb(colour: str) -> str:
    return ",".join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))


@functools.cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def rendered(template: str, **values: Any) -> str:
    """Return a template of `templates/` filled in; values are escaped."""
    return str(_environment().get_template(template).render(**values))
