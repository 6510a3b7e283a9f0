"""The front page of a run: what somebody reads who has two minutes, with a way to every number behind it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from analytics.display import wording
from analytics.display.cell_links import LinkedColumn, linked
from analytics.display.findings import SLUGS, Cards
from analytics.display.page import (
    Numbers,
    carried_files,
    figure_div,
    links_js,
    numbers_below,
    page,
    rendered,
    without_inline_style,
)
from analytics.display.rendering import figure_json
from analytics.estimators.result import Finding

_BESIDE = re.compile(r"<!-- beside -->.*?<!-- /beside -->", re.DOTALL)


@dataclass(frozen=True)
class Said:
    """A finding and where its numbers are: the study's title and the address of the result on its page."""

    finding: Finding
    study: str = ""
    href: str = ""

    @property
    def slug(self) -> str:
        """The class of its chip."""
        return SLUGS.get(self.finding.verdict, SLUGS["described"])

    @property
    def headline(self) -> str:
        """The sentence as text that can be shown."""
        return wording.unbroken(wording.readable(self.finding.headline, 1500))

    @property
    def detail(self) -> str:
        """Figure, interval, n, and what would change it, as text that can be shown."""
        return wording.unbroken(wording.readable(self.finding.detail, 1500))


@dataclass(frozen=True)
class Drawn:
    """A figure, the numbers behind it by the name of the result, where in which study it stands, and which of the
    numbers open the list of their deals."""

    name: str
    figure: Any
    study: str
    href: str
    numbers: Mapping[str, Numbers] = field(default_factory=dict)
    lists: Sequence[LinkedColumn] = ()


@dataclass(frozen=True)
class StudyLink:
    """One study: its page (none where it has not run), how it went and why, what it found, what can be taken away."""

    title: str
    href: str
    status: str = "done"
    why: str = ""
    said: tuple[Said, ...] = ()


@dataclass(frozen=True)
class Line:
    """A line of plain facts, with the address of what stands behind it, and of the list of the deals it counts."""

    name: str
    words: str
    href: str = ""
    deals: str = ""


@dataclass(frozen=True)
class Front:
    """Everything on the front page, in its order.

    `strip`: the quarter in money, as (figure, what it is, address). `cards`: the fixed findings. `drawn`: figures, in
    two columns. `parts`: of the deals of the export, as (what became of them, how many), and `parts_href`, where that
    stands; `lead_href` likewise for what was read. `facts`, `health`, `excluded`: the data at a glance, and who was
    left out. `untold`: what could not be told from these numbers.
    `not_studied`: what the records do not hold. `downloads`: files for the whole run. `kept`: what stays where the
    report was made. `beside`: other pages, or the commands that make them.
    """

    title: str
    lead: str
    strip: tuple[tuple[str, str, str], ...] = ()
    cards: tuple[Said, ...] = ()
    drawn: tuple[Drawn, ...] = ()
    parts: tuple[tuple[str, int], ...] = ()
    parts_href: str = ""
    lead_href: str = ""
    untold: tuple[Said, ...] = ()
    not_studied: tuple[Line, ...] = ()
    health: tuple[Said, ...] = ()
    facts: tuple[Line, ...] = ()
    excluded: tuple[Line, ...] = ()
    studies: tuple[StudyLink, ...] = ()
    downloads: tuple[tuple[str, str], ...] = ()
    kept: str = ""
    beside: tuple[Line, ...] = ()
    definitions: tuple[tuple[str, str], ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()


def front_page(front: Front, *, plotly: str = "", alone: bool = False) -> str:
    """Return the front page.

    Parameters
    ----------
    front : Front
        What it says.
    plotly : str, optional
        Relative address of the packed plotly.js; without it the page carries its own.
    alone : bool
        A page that is mailed: it leads to no file that is not in it.

    Examples
    --------
    >>> text = front_page(Front("Acme, 2025Q2", "As of 30 June 2025."))
    >>> text.count("<h1"), "<main" in text, "<script" in text
    (1, True, False)
    """
    figures = [_figure(drawn, number, alone=alone) for number, drawn in enumerate(front.drawn)]
    drawn = any("wl-plot" in block for block in figures)
    shown: dict[str, Any] = {"title": front.title, "subtitle": front.lead, "front": front, "figures": figures}
    shown |= {"alone": alone, "beside": "" if alone or not front.beside else _beside(front.beside)}
    offered = {name: numbers for one in front.drawn for name, numbers in one.numbers.items()}
    files = "" if alone else carried_files(offered)
    opening = not alone and any("deals.html#" in block for block in figures)
    shown["links"] = links_js() if opening else ""
    return page("front.html.j2", drawn=drawn, plotly=plotly, files=files, facts=(), **shown)


def _figure(drawn: Drawn, number: int, *, alone: bool) -> str:
    if isinstance(drawn.figure, Cards):
        block = f'<div class="wl-html">{without_inline_style(drawn.figure.html())}</div>'
    else:
        block = figure_div(figure_json(drawn.figure), f"front-{number}")
    more = (f"More in {drawn.study}", drawn.href)
    numbers = drawn.numbers
    if drawn.lists and not alone:
        numbers = {
            name: replace(one, table=linked(one.table, {name: drawn.lists}, result=name))
            for name, one in numbers.items()
        }
    return block + numbers_below(numbers, tables=True, files=not alone, more=more)


def with_beside(text: str, lines: Sequence[Line]) -> str:
    """Return a front page that names other pages beside it; as it is where it has no place for them.

    Examples
    --------
    >>> text = front_page(Front("Acme, 2025Q2", "", beside=(Line("All quarters", "winloss trend acme"),)))
    >>> made = with_beside(text, [Line("All quarters", "", "../../../trend/index.html")])
    >>> "winloss trend" in text, "winloss trend" in made, made.count('href="../../../trend/index.html"')
    (True, False, 1)
    """
    return _BESIDE.sub(lambda _: _beside(lines), text)


def _beside(lines: Sequence[Line]) -> str:
    return rendered("beside.html.j2", lines=lines).rstrip("\n")


def list_page(title: str, links: Sequence[tuple[str, str]], *, home: str) -> str:
    """Return a page that is a list of links, as (name, address), with a way back to the company's report.

    Examples
    --------
    >>> '<a href="north/index.html">North</a>' in list_page("Teams", [("North", "north/index.html")], home="../x.html")
    True
    """
    return page("list.html.j2", drawn=False, title=title, subtitle="", links=links, home=home, facts=())


def leading_page(title: str, lead: str, href: str) -> str:
    """Return the small page that leads to the front page of the newest run, at once or by its link.

    Examples
    --------
    >>> 'url=runs/1/index.html"' in leading_page("Acme, 2025Q2", "As of 30 June 2025.", "runs/1/index.html")
    True
    """
    return page("leading.html.j2", drawn=False, title=title, subtitle=lead, href=href, facts=())
