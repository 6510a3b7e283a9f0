"""Tables with stable ids and inline style (which an untrusted notebook keeps), and a rounded plain-text twin."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analytics.display import theme, wording
from analytics.display.cells import cell, heading, is_figure, says_nothing, withheld
from analytics.display.findings import Cards, finding_cards
from analytics.estimators.result import WITHHELD, Estimate, Finding, Listing

MOST_ROWS = 200
HIDDEN = (
    "std_error",
    "bound_low",
    "bound_high",
    "z",
    "df",
    "difference_se",
    "meaningful",
    "note",
    "no_interval_reason",
    WITHHELD,
)
HEADS = {
    "contrast": "Change, points",
    "mean": "Mean, days",
    "test": "Spread",
    "chi-squared": "Chi-squared",
}
SAME = ("horizon_days", "horizon_reached", "age_days", "one_in", "borrowed", "mature", "n_risk", "n_event")
CODES = (
    "definition",
    "rule",
    "threshold",
    "measure",
    "part",
    "level",
    "outcome",
    "item",
    "field",
    "trap",
    "practice",
)  # said by their `label`
NOTE = f"margin:6px 0 0 10px;max-width:90ch;font-size:12px;line-height:1.5;color:{theme.QUIET}"


@dataclass(frozen=True)
class Table:
    """A frame of ready texts, to be shown in a notebook or on a page."""

    name: str
    title: str
    subtitle: str
    frame: pd.DataFrame
    numeric: tuple[str, ...]
    footnote: str = ""
    result: str = ""
    """The saved result that it shows, so that a page can offer all its rows and digits."""

    def html(self) -> str:
        """Return the table as HTML with inline style; every text in it is escaped."""
        from great_tables import GT

        table = GT(self.frame, id=self.name).tab_header(title=self.title, subtitle=self.subtitle or None)
        table = table.cols_align("left").tab_options(**_look())
        if self.numeric:
            table = table.cols_align("right", columns=list(self.numeric))
        note = f'<p class="wl-note" style="{NOTE}">{html.escape(self.footnote)}</p>' if self.footnote else ""
        of = f' data-results="{html.escape(self.result)}"' if self.result else ""
        return f'<div class="wl-table"{of}>{table.as_raw_html(inline_css=True).strip()}</div>{note}'

    def text(self) -> str:
        """Return the table as plain text."""
        words = [self.title, self.frame.to_string(index=False), self.footnote]
        return "\n".join(word for word in words if word)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": self.text()}


def _look() -> dict[str, str]:
    """Calm table: no vertical rules, tabular figures, one line under the heading."""
    return {
        "table_font_names": "system-ui",
        "table_font_size": "13px",
        "table_font_color": theme.INK,
        "table_background_color": theme.PAPER,
        "table_margin_left": "0px",
        "table_border_top_style": "none",
        "table_border_bottom_color": theme.RULE,
        "heading_align": "left",
        "heading_title_font_size": "15px",
        "heading_title_font_weight": "600",
        "heading_subtitle_font_size": "12px",
        "heading_border_bottom_color": theme.RULE,
        "column_labels_font_weight": "600",
        "column_labels_border_top_style": "none",
        "column_labels_border_bottom_color": theme.QUIET,
        "column_labels_border_bottom_width": "1px",
        "table_body_hlines_color": theme.RULE,
        "table_body_border_top_color": theme.RULE,
        "table_body_border_bottom_color": theme.RULE,
        "data_row_padding": "5px",
        "data_row_padding_horizontal": "10px",
        "column_labels_padding_horizontal": "10px",
        "source_notes_font_size": "12px",
    }


def estimate_table(
    estimate: Estimate | Finding,
    *,
    title: str,
    columns: Sequence[str] = (),
    times: Sequence[float] = (),
    name: str = "",
    what: str = "",
) -> Table | Cards:
    """Show an Estimate as a table: keys in words, the estimate with its interval, its n, then what else matters.

    Parameters
    ----------
    estimate : Estimate or Finding
        A Finding in its place is shown as its card.
    title : str
        Heading of the table.
    columns : sequence of str, optional
        Further columns of the frame, in this order; by default all that are not hidden ones.
    times : sequence of float, optional
        Of a curve, these times (each the last one not after it); by default 30, 90, 180, 365 and the last one.
    name : str, optional
        Stable id of the table; by default made from the title.
    what : str, optional
        What the number is, for the heading of its column; by default from the kind and unit.

    Examples
    --------
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"outcome": ["won", "lost"], "n_deals": 40,
    ...     "estimate": [0.3, 0.25], "conf_low": [0.2, 0.15], "conf_high": [0.4, 0.35]})
    >>> given = Estimate(frame, Meta("probability", "as in a study", ("outcome",), n_deals=40))
    >>> print(estimate_table(given, title="Where deals end up", columns=["n_deals"]).frame.to_string(index=False))
    Outcome Share (95 % interval) Deals
        Won          30 % (20–40)    40
       Lost          25 % (15–35)    40
    """
    if isinstance(estimate, Finding):
        return finding_cards(estimate)
    meta = estimate.meta
    frame = estimate.read_at(times)
    signed = meta.kind == "contrast"
    shown = pd.DataFrame(index=frame.index)
    for key in _keys(frame, list(meta.keys)):
        shown[heading(key)] = [cell(key, value) for value in frame[key]]
    marks, notes = _marks(frame)
    what = what or HEADS.get(meta.unit) or HEADS.get(meta.kind, "Share")
    counted = meta.kind == "test" and meta.unit not in ("probability", "")  # a statistic, which has no interval
    shown[meta.unit.capitalize() if counted else f"{what} ({100 * meta.conf_level:.3g} % interval)"] = [
        _estimate(record, meta.unit, signed) + mark
        for record, mark in zip(frame.to_dict("records"), marks, strict=True)
    ]
    taken = {*meta.keys, "label", "estimate", "conf_low", "conf_high"}
    for column in columns or [c for c in frame.columns if c not in taken and c not in HIDDEN]:
        if columns or not (says_nothing(frame[column]) or (column in SAME and frame[column].nunique() < 2)):
            shown[heading(column)] = _cells(frame, column)
    note = " ".join([*notes, wording.provenance(meta)])
    return _table(shown, title, note, name, meta.saved_as)


def _keys(frame: pd.DataFrame, keys: list[str]) -> list[str]:
    """Key columns that are shown: a label that is ready to print stands for the codes it names."""
    if "label" not in frame.columns:
        return keys
    left = [key for key in keys if key not in CODES]
    return ["label", *left] if not bool(frame.duplicated([*left, "label"]).any()) else [*keys, "label"]


def _marks(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Number the sentences that must be read with a row; equal ones share a number."""
    numbers: dict[str, int] = {}
    marks = []
    for record in frame.to_dict("records"):
        said = [record.get(name) for name in ("note", "no_interval_reason")]
        texts = [text.strip() for text in said if isinstance(text, str) and text.strip()]
        marks.append("".join(f" [{numbers.setdefault(text, len(numbers) + 1)}]" for text in dict.fromkeys(texts)))
    return marks, [f"[{number}] {wording.sentence(text)}" for text, number in numbers.items()]


def _estimate(record: Mapping[Any, Any], unit: str, signed: bool) -> str:
    value, low, high = (float(record[name]) for name in ("estimate", "conf_low", "conf_high"))
    if not math.isfinite(value):
        return "–"
    n = next((float(record[k]) for k in ("n_deals", "n_risk") if k in record and pd.notna(record[k])), None)
    if unit not in ("probability", ""):
        text = wording.minus(f"{value:,.1f}")
        return text + (wording.minus(f" ({low:,.1f} to {high:,.1f})") if math.isfinite(low) else "")
    if record.get("meaningful") is not None and not record["meaningful"]:
        return f"not meaningful ({wording.percent(value, n)})"
    return wording.points_interval(value, low, high) if signed else wording.percent_interval(value, low, high, n)


def listing_table(
    listing: Listing | Finding, *, title: str = "", columns: Sequence[str] = (), name: str = ""
) -> Table | Cards:
    """Show a Listing as a table, column by column in words.

    Parameters
    ----------
    listing : Listing or Finding
        A Finding in its place is shown as its card.
    title : str, optional
        Heading; by default the Listing's own title.
    columns : sequence of str, optional
        Columns that are shown, in this order; by default all.
    name : str, optional
        Stable id of the table; by default made from the title.

    Examples
    --------
    >>> listing = Listing(pd.DataFrame({"reason": ["no id"], "rows": [3]}), "Rejected rows")
    >>> print(listing_table(listing).text())
    Rejected rows
    Reason Rows
     no id    3
    """
    if isinstance(listing, Finding):
        return finding_cards(listing)
    frame = listing.frame
    coded = [c for c in frame.columns if f"{c}_label" in frame.columns]  # codes that have a name beside them
    if "label" in frame.columns:
        coded += [c for c in frame.columns if c in CODES]
        frame = frame[["label", *(c for c in frame.columns if c != "label")]]
    shown = pd.DataFrame(index=frame.index)
    for column in list(columns) or [c for c in frame.columns if c not in (*coded, WITHHELD)]:
        shown[heading(str(column))] = _cells(frame, column)
    return _table(shown, title or listing.title, "", name, listing.saved_as)


def _cells(frame: pd.DataFrame, column: str) -> list[str]:
    """Cells of a column in words; a number that a shared report withholds is `<5` or `not shown`, not empty."""
    texts = [cell(str(column), value) for value in frame[column]]
    return [text or mark for text, mark in zip(texts, withheld(frame, str(column)), strict=True)]


def _table(shown: pd.DataFrame, title: str, note: str, name: str, result: str) -> Table:
    rows, numeric = len(shown), tuple(c for c in shown.columns if is_figure(shown[c]))
    if rows > MOST_ROWS:
        note = (
            f"{note} The first {MOST_ROWS} of {wording.count(rows)} rows; the file beside the report has all.".strip()
        )
    slug = re.sub(r"[^a-z0-9]+", "-", (name or title).lower()).strip("-") or "table"
    shown = shown.head(MOST_ROWS).reset_index(drop=True)
    return Table(slug, title, "" if rows else "No rows.", shown, numeric, note, result)
