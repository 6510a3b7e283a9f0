"""From an executed notebook to a page that opens anywhere: the one place that meets nbconvert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analytics.display.page import notebook_page

HOME = "index.html"
"""From a study's page to the front page of its run, which stands beside it."""


def page(
    notebook: Mapping[str, Any],
    *,
    title: str,
    facts: Sequence[tuple[str, str]] = (),
    files: Mapping[str, str] | None = None,
) -> str:
    """Return an executed notebook as one offline HTML page, its figures drawn and its code left out.

    Parameters
    ----------
    notebook : mapping
        The executed notebook (nbformat 4).
    title : str
        Heading of the page; it replaces the notebook's own.
    facts : sequence of (name, value)
        Parameters and definitions, shown at the foot.
    files : mapping of str to str, optional
        The name of a saved result and the relative address of its CSV file.

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
    return notebook_page({"cells": cells}, title=title, markdown=markdown2html, facts=facts, home=HOME, files=files)
