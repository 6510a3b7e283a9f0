"""Pages that open from disk: style, plotly.js once, figures as data, words as real text; nothing is fetched.

A page is one file. Figures are stored as JSON and drawn by the small script in `templates/draw.js`, which adapts them
to the width of the window, to a dark screen and to paper.
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

from analytics.display import rendering, theme
from analytics.display.findings import SLUGS, finding_cards
from analytics.estimators.result import Finding

PLOTLY = "application/vnd.plotly.v1+json"
TEMPLATES = Path(__file__).parent / "templates"
_RESULTS = re.compile(r'<(?:div class="wl-table"|figure) data-results="([a-z0-9_ ]*)"')


@dataclass(frozen=True)
class StudyLink:
    """One study on the index page: where it is, how it went, what it found, what can be taken away."""

    title: str
    href: str
    status: str = "done"
    question: str = ""
    findings: tuple[Finding, ...] = ()
    downloads: tuple[tuple[str, str], ...] = ()


def plotly_js() -> str:
    """Return plotly.js as it comes with the installed plotly, to be put into a page once."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


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
        _undress(figure["layout"], meta["page"])
    alt = rendering.alt_text(figure_json) or "figure"
    place = meta.get("page", {})
    return _render(
        "figure.html.j2",
        id=div_id,
        title=meta.get("title", ""),
        subtitle=meta.get("subtitle", ""),
        caption=meta.get("caption", ""),
        alt=alt,
        results=" ".join(meta.get("results", ())),
        height=int(figure.get("layout", {}).get("height") or 420),
        widest=int(place.get("widest", 860)),
        data=script_json({"data": figure.get("data", []), "layout": figure.get("layout", {})}),
    )


def _undress(layout: dict[str, Any], place: Mapping[str, Any]) -> None:
    """Take heading and caption out of the drawing: the page sets them as text that wraps."""
    layout.pop("title", None)
    layout["annotations"] = [item for item in layout.get("annotations", ()) if item.get("name") != "caption"]
    layout["height"] = place["height"]
    layout["margin"] = {**layout.get("margin", {}), "t": place["top"], "b": place["bottom"]}


def script_json(value: object) -> str:
    """Return JSON that can stand inside a script element: no text of it can end the element."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False, separators=(",", ":"))
    for sign in ("<", ">", "&", "\u2028", "\u2029"):
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def notebook_page(
    notebook: Mapping[str, Any],
    *,
    title: str,
    markdown: Callable[[str], str],
    subtitle: str = "",
    facts: Sequence[tuple[str, str]] = (),
    home: str = "",
    files: Mapping[str, str] | None = None,
    linked: Callable[[str], str] | None = None,
) -> str:
    """Return an executed notebook as one offline HTML page: prose, figures, tables and findings, without its code.

    Parameters
    ----------
    notebook : mapping
        The notebook as a dictionary (nbformat 4) with its outputs.
    title, subtitle : str
        Heading of the page and the line under it.
    markdown : callable
        Turns the text of a markdown cell into HTML (`nbconvert.filters.markdown2html` does).
    facts : sequence of (name, value)
        Parameters and provenance, shown at the foot.
    home : str, optional
        Relative address of the index page, for the link back.
    files : mapping of str to str, optional
        The name of a saved result and the relative address of its CSV file, offered beside what shows the result.
    linked : callable, optional
        Puts links into the tables of a block (`cell_links.linked`).
    """
    blocks = [block for i, cell in enumerate(notebook.get("cells", ())) for block in _cell(cell, i, markdown)]
    blocks = [(linked(block) if linked else block) + _downloads(block, files or {}) for block in blocks]
    drawn = any("wl-plot" in block for block in blocks)
    shown = {"title": title, "subtitle": subtitle, "facts": facts, "home": home, "blocks": blocks}
    return render_page("notebook.html.j2", with_plotly=drawn, **shown)


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
        return f'<div class="wl-html">{_joined(data["text/html"])}</div>'
    text = _joined(data.get("text/plain", ""))
    return _pre(text) if text else ""


def _downloads(block: str, files: Mapping[str, str]) -> str:
    """Return links to the numbers behind a table or a figure: every row and digit, where the page shows fewer."""
    names = dict.fromkeys(name for found in _RESULTS.findall(block) for name in found.split())
    found = [(name, files[name]) for name in names if name in files]
    return _render("downloads.html.j2", links=found) if found else ""


def _joined(source: str | Sequence[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def _pre(text: str, look: str = "wl-text") -> str:
    return f'<pre class="{look}">{html.escape(text.rstrip())}</pre>' if text.strip() else ""


def index_page(
    *,
    title: str,
    studies: Sequence[StudyLink],
    subtitle: str = "",
    findings: Sequence[Finding] = (),
    facts: Sequence[tuple[str, str]] = (),
) -> str:
    """Return the index of a run: its findings as cards, then a plain, calm list of its studies.

    Parameters
    ----------
    title, subtitle : str
        Company and quarter; the line under it says as-of date, deals studied, and what is in scope.
    studies : sequence of StudyLink
        In reading order.
    findings : sequence of Finding
        Cards above the list.
    facts : sequence of (name, value)
        Parameters and provenance, shown at the foot.
    """
    cards = finding_cards(findings).html() if findings else ""
    return render_page("index.html.j2", title=title, subtitle=subtitle, studies=studies, facts=facts, cards=cards)


def render_page(template: str, *, with_plotly: bool = False, **shown: Any) -> str:
    """Fill in the template of a whole page: its style, and plotly.js where it has figures."""
    return _render(
        template,
        style=page_style(),
        plotly=plotly_js().replace("</script", "<\\/script") if with_plotly else "",
        draw=draw_js() if with_plotly else "",
        **shown,
    )


def page_style() -> str:
    """Return the style of every page: colours as variables for light and dark, one column under 760 px, A4 on paper."""
    light = {"ink": theme.INK, "quiet": theme.QUIET, "rule": theme.RULE, "paper": theme.PAPER, "tint": theme.TINT}
    dark = {name: theme.DARK[value] for name, value in light.items()}
    light |= {"link": theme.COLOURS["won"]}
    dark |= {"link": "#6DB7EA"}
    chips = [(SLUGS[verdict], pair[2], pair[3]) for verdict, pair in theme.CHIPS.items()]
    return _render("style.css.j2", light=light, dark=dark, chips=chips, font=theme.FONT)


def draw_js() -> str:
    """Return the script that draws the figures of a page, with the pairs of light and dark colours filled in."""
    pairs = dict(theme.DARK)
    for light, dark in theme.DARK.items():
        pairs[f"rgba({_rgb(light)},"] = f"rgba({_rgb(dark)},"
    return (TEMPLATES / "draw.js").read_text(encoding="utf-8").replace("/*DARK*/{}", script_json(pairs))


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


def _render(template: str, **values: Any) -> str:
    return str(_environment().get_template(template).render(**values))
