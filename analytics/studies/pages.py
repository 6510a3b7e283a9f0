"""From an executed notebook to a page that opens anywhere: the one place that meets nbconvert."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from analytics.display.cell_links import LinkedColumn, linked
from analytics.display.packing import plotly_name
from analytics.display.page import PLOTLY, Numbers, notebook_page
from analytics.studies.index import FRONT
from analytics.studies.places import RESULTS
from analytics.studies.results import numbers_of


def page(
    notebook: Mapping[str, Any],
    *,
    title: str,
    facts: Sequence[tuple[str, str]] = (),
    saved: Mapping[str, Numbers] | None = None,
    links: Mapping[str, Sequence[LinkedColumn]] | None = None,
) -> str:
    """Return an executed notebook as an offline HTML page, its figures drawn and its code left out.

    It stands in `runs/<run id>/`, beside the front page and two levels below plotly.js.

    Parameters
    ----------
    notebook : mapping
        The executed notebook (nbformat 4).
    title : str
        Heading of the page; it replaces the notebook's own.
    facts : sequence of (name, value)
        Parameters and definitions, shown at the foot.
    saved : mapping of str to Numbers, optional
        By the name of a saved result: its CSV file and its table.
    links : mapping of str to sequence of LinkedColumn, optional
        Cells that open the list of their deals (`deal_lists.cell_links`).

    Examples
    --------
    >>> cell = {"cell_type": "markdown", "metadata": {}, "source": "# A quarter\\n\\nWhere deals *end up*."}
    >>> text = page({"cells": [cell]}, title="A quarter: Demo company")
    >>> "<em>end up</em>" in text, text.count("<h1")
    (True, 1)
    """
    from nbconvert.filters import markdown2html

    cells = list(notebook.get("cells", ()))
    for place, cell in enumerate(cells):
        if cell.get("cell_type") == "markdown":
            source = cell.get("source", "")
            lines = (source if isinstance(source, str) else "".join(source)).splitlines()
            if lines and lines[0].startswith("# "):
                cells[place] = {**cell, "source": "\n".join(lines[1:]).strip()}
            break
    saved = {
        name: replace(numbers, table=linked(numbers.table, links or {}, result=name))
        for name, numbers in (saved or {}).items()
    }
    shown: dict[str, Any] = {"home": FRONT, "saved": saved, "plotly": f"../../{plotly_name()}"}
    shown["linked"] = partial(linked, columns=links) if links else None
    return notebook_page({"cells": cells}, title=title, markdown=markdown2html, facts=facts, **shown)


def saved_numbers(notebook: Mapping[str, Any], run: Path, name: str) -> dict[str, Numbers]:
    """The numbers of everything that a notebook saved; tables only of what a figure shows."""
    drawn = set(_drawn(notebook))
    names = sorted(path.stem for path in (run / RESULTS / name).glob("*.csv"))
    found = {result: numbers_of(run, name, result, table=result in drawn) for result in names}
    return {result: numbers for result, numbers in found.items() if numbers is not None}


def _drawn(notebook: Mapping[str, Any]) -> Iterator[str]:
    for cell in notebook.get("cells", ()):
        for output in cell.get("outputs", ()):
            figure = output.get("data", {}).get(PLOTLY, {})
            meta = figure.get("layout", {}).get("meta")
            yield from meta.get("results", ()) if isinstance(meta, dict) else ()
