"""Numbers of a table that open the list of their deals, and the page that holds the lists."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analytics.display.packing import UNPACKED
from analytics.display.page import packed_json, page

_TABLE = re.compile(r'<div class="wl-table"(?: data-results="([a-z0-9_]*)")?')
_HEAD = re.compile(r"<th\b[^>]*>(.*?)</th>", re.DOTALL)
_BODY = re.compile(r"(<tbody\b[^>]*>)(.*?)(</tbody>)", re.DOTALL)
_ROW = re.compile(r"<tr\b.*?</tr>", re.DOTALL)
_CELL = re.compile(r"(<t[dh]\b[^>]*>)(.*?)(</t[dh]>)", re.DOTALL)


@dataclass(frozen=True)
class LinkedColumn:
    """A column whose cells lead somewhere: its heading, and row by row the text and the address ("" for none).

    `by_text` where the rows of the table may stand in another order: each cell is then looked up by its text.
    """

    heading: str
    texts: Sequence[str]
    addresses: Sequence[str]
    by_text: bool = False


def linked(block: str, columns: Mapping[str, Sequence[LinkedColumn]], *, result: str = "") -> str:
    """Return a block of a page with links in those cells of its table that count deals, or name one.

    Parameters
    ----------
    block : str
        HTML of one output.
    columns : mapping of str to sequence of LinkedColumn
        By name of the saved result that the table shows; under "" those of every table.
    result : str, optional
        That name, where the table itself does not say it.

    Notes
    -----
    A column is linked only where the table shows the saved rows, one under the other and from the first on, with the
    same texts: a link to another row's deals would be worse than none. What a link is called for those who do not see
    the table, `templates/links.js` says by the words of its row: written out, the names took as much as the numbers.

    Examples
    --------
    >>> table = ('<div class="wl-table" data-results="closed"><table><thead><tr><th>Deals</th></tr></thead>'
    ...          '<tbody><tr><td>12</td></tr></tbody></table></div>')
    >>> page = linked(table, {"closed": [LinkedColumn("Deals", ["12"], ["deals.html#a"])]})
    >>> page[page.index("<a") : page.index("</td>")]
    '<a href="deals.html#a">12</a>'
    """
    found = _TABLE.search(block)
    named = result or (found[1] or "" if found else "")
    wanted = [*columns.get(named, ()), *(columns.get("", ()) if named else ())] if found or result else []
    body = _BODY.search(block) if wanted else None
    if body is None:
        return block
    heads = [_plain(text) for text in _HEAD.findall(block[: body.start()])]
    rows = [_CELL.findall(row) for row in _ROW.findall(body[2])]
    for column in wanted:
        if column.heading in heads and all(len(row) == len(heads) for row in rows):
            _link(rows, heads.index(column.heading), column)
    written = iter(rows)
    inside = _ROW.sub(lambda row: _with_cells(row[0], next(written)), body[2])
    return block[: body.start(2)] + inside + block[body.end(2) :]


def _link(rows: list[list[tuple[str, str, str]]], place: int, column: LinkedColumn) -> None:
    shown = [_plain(row[place][1]) for row in rows]
    if not column.by_text and shown != list(column.texts[: len(shown)]):
        return
    known = {text: number for number, text in enumerate(column.texts)} if column.by_text else {}
    for number, row in enumerate(rows):
        at = known.get(shown[number]) if column.by_text else number
        address = column.addresses[at] if at is not None else ""
        if address and "<a " not in row[place][1]:
            start, text, end = row[place]
            row[place] = (start, f'<a href="{html.escape(address)}">{text}</a>', end)


def _with_cells(row: str, cells: Sequence[tuple[str, str, str]]) -> str:
    written = iter(cells)
    return _CELL.sub(lambda _: "".join(next(written)), row)


def _plain(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", text)).strip()


def deals_page(
    *, title: str, subtitle: str, heads: Sequence[str], deals: Sequence[Sequence[str]],
    sets: Sequence[Sequence[int]], lists: Mapping[str, tuple[str, str, int]], link: str = "", home: str = "",
) -> str:  # fmt: skip
    """Return the page that shows the deals behind one number of a report, chosen by what stands after # in its address.

    Parameters
    ----------
    title, subtitle : str
        Heading of the page and the line under it.
    heads : sequence of str
        Headings of the columns; the first one holds the deal's id.
    deals : sequence of rows of str
        Each deal once.
    sets : sequence of sequences of int
        Places in `deals`, rising, each as the step from the one before (the first from 0).
    lists : mapping of str to (str, str, int)
        By the part of the address after #: of which table, which number, and which of the sets.
    link : str, optional
        Address of a deal in the CRM, with `{deal_id}` in it; checked before (https).
    home : str, optional
        Relative address of the index page.

    Notes
    -----
    The lists overlap, so each is kept as places in one table of deals and written into the page when it is asked for,
    as text: nothing that a CRM holds can become markup.
    """
    rows = [list(row) for row in deals]
    data = packed_json({"heads": list(heads), "deals": rows, "sets": list(sets), "lists": lists, "link": link})
    shown: dict[str, Any] = {"title": title, "subtitle": subtitle, "facts": (), "home": home, "data": data}
    return page("deals.html.j2", drawn=False, unpacked=UNPACKED, **shown)
