"""The numbers behind a figure as a plain table, for those who cannot see the figure or want to check it."""

from __future__ import annotations

import html

from analytics.display.findings import Cards
from analytics.display.tables import Table, estimate_table, listing_table
from analytics.display.wording import count
from analytics.estimators.result import Estimate, Finding, Listing

MOST_ROWS = 60


def numbers_table(result: Estimate | Listing | Finding, *, most: int = MOST_ROWS) -> str:
    """Return a saved result as an HTML table without style, in the words and digits of every other table.

    Of a curve it holds the usual ages; of a long result the first rows. The file beside it has the rest.

    Parameters
    ----------
    result : Estimate, Listing or Finding
        What a study saved.
    most : int, default 60
        Rows that are shown.

    Examples
    --------
    >>> import pandas as pd
    >>> listing = Listing(pd.DataFrame({"outcome": ["won"], "deals": [1200]}), "What closed")
    >>> "<td>Won</td><td class=\\"wl-n\\">1,200</td>" in numbers_table(listing)
    True
    """
    shown = listing_table(result) if isinstance(result, Listing) else estimate_table(result, title="")
    if isinstance(shown, Cards):
        return f"<p>{html.escape(shown.text())}</p>"
    return _html(shown, most)


def _html(table: Table, most: int) -> str:
    numeric = [name in table.numeric for name in table.frame.columns]
    marks = [' class="wl-n"' if flush else "" for flush in numeric]
    heads = "".join(
        f'<th scope="col"{mark}>{html.escape(str(name))}</th>'
        for name, mark in zip(table.frame.columns, marks, strict=True)
    )
    rows = [
        "".join(f"<td{mark}>{html.escape(str(text))}</td>" for text, mark in zip(row, marks, strict=True))
        for row in table.frame.head(most).itertuples(index=False, name=None)
    ]
    note = table.footnote
    if len(table.frame) > most:
        note = f"The first {most} of {count(len(table.frame))} rows; the CSV file has all. {note}".strip()
    body = "".join(f"<tr>{row}</tr>\n" for row in rows)
    said = f'\n<p class="wl-note">{html.escape(note)}</p>' if note else ""
    return (
        '<div class="wl-scroll" tabindex="0" role="region" aria-label="The numbers as a table">'
        f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}</tbody></table></div>{said}"
    )
