"""Tables with stable ids and inline style (which an untrusted notebook keeps), and a rounded plain-text twin."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analytics.display import theme, wording
from analytics.display.findings import Cards, finding_cards
from analytics.estimators.result import Estimate, Finding, Listing

MOST_ROWS = 200
USUAL_TIMES = (30, 90, 180, 365)
FIGURE = re.compile(r"(< )?[+−±]?[\d.,]+(\s?[%kM])?( \([^a-z]*( to [^a-z]*)?\))?|–|[A-Z]{3}\s[−\d.,]+(\s[kM])?")
HIDDEN = (
    "std_error",
    "schema_version",
    "bound_low",
    "bound_high",
    "z",
    "df",
    "difference_se",
    "no_interval_reason",
    "meaningful",
)
SHARES = ("estimate", "from_rate", "to_rate", "overall", "count_estimate", "estimate_now", "estimate_then", "share_now",
          "share_then", "largest_deal_share")  # fmt: skip
CHANGES = ("change", "difference")
MARGINS = ("margin", "smallest_reliable_change")
HEADINGS = {
    "estimate": "Share",
    "n_risk": "At risk",
    "n_event": "Events",
    "cum_event": "Events so far",
    "n_deals": "Deals",
    "n_accounts": "Accounts",
    "estimate_now": "Now",
    "estimate_then": "Then",
    "p_value": "p",
    "time": "Day",
    "label": "Measure",
    "smallest_reliable_change": "Would show from",
}


@dataclass(frozen=True)
class Table:
    """A frame of ready texts, to be shown in a notebook or on a page."""

    name: str
    title: str
    subtitle: str
    frame: pd.DataFrame
    numeric: tuple[str, ...]
    footnote: str = ""

    def html(self) -> str:
        """Return the table as HTML with inline style; every text in it is escaped."""
        from great_tables import GT

        table = GT(self.frame, id=self.name).tab_header(title=self.title, subtitle=self.subtitle or None)
        table = table.cols_align("left").tab_options(**_look())
        if self.numeric:
            table = table.cols_align("right", columns=list(self.numeric))
        if self.footnote:
            table = table.tab_source_note(self.footnote)
        return f'<div class="wl-table">{table.as_raw_html(inline_css=True).strip()}</div>'

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
    """
    if isinstance(estimate, Finding):
        return finding_cards(estimate)
    meta = estimate.meta
    frame = _at_times(estimate, times)
    signed = meta.kind == "contrast"
    shown = pd.DataFrame(index=frame.index)
    keys = [key for key in meta.keys if not (key == "definition" and "label" in frame.columns)]
    for key in [*keys, *(["label"] if "label" in frame.columns else [])]:
        shown[_heading(key)] = [_cell(key, value) for value in frame[key]]
    heading = {"contrast": "Change, points", "mean": "Mean, days"}.get(meta.kind, "Share")
    shown[f"{heading} ({100 * meta.conf_level:.3g} % interval)"] = [
        _estimate(record, meta.unit, signed) for record in frame.to_dict("records")
    ]
    taken = {*meta.keys, "label", "estimate", "conf_low", "conf_high"}
    for column in columns or [c for c in frame.columns if c not in taken and c not in HIDDEN]:
        if columns or not _says_nothing(frame[column]):
            shown[_heading(column)] = [_cell(column, value) for value in frame[column]]
    note = wording.provenance(meta)
    return _table(shown, title, note, name, numeric=[c for c in shown.columns if _is_figure(shown[c])])


def _at_times(estimate: Estimate, times: Sequence[float]) -> pd.DataFrame:
    frame = estimate.frame
    if "time" not in estimate.meta.keys:
        return frame
    if not times:
        last = float(frame["time"].max()) if len(frame) else 0.0
        times = [*(time for time in USUAL_TIMES if time < last), last]
    by = [key for key in estimate.meta.keys if key != "time"]
    parts = []
    for time in times:
        upto = frame[frame["time"] <= time].sort_values("time", kind="stable")
        parts.append(upto.groupby(by, sort=False, as_index=False).tail(1) if by else upto.tail(1))
    return pd.concat(parts).drop_duplicates() if parts else frame


def _estimate(record: Mapping[Any, Any], unit: str, signed: bool) -> str:
    value, low, high = (float(record[name]) for name in ("estimate", "conf_low", "conf_high"))
    reason = record.get("no_interval_reason")
    why = f" ({reason})" if isinstance(reason, str) and reason else ""
    if not math.isfinite(value):
        return f"–{why}"
    n = next((float(record[k]) for k in ("n_deals", "n_risk") if k in record and pd.notna(record[k])), None)
    if unit not in ("probability", ""):
        text = wording.minus(f"{value:,.1f}")
        return text + (wording.minus(f" ({low:,.1f}–{high:,.1f})") if math.isfinite(low) else why)
    if record.get("meaningful") is not None and not record["meaningful"]:
        return f"not meaningful ({wording.percent(value, n)})"
    text = wording.points_interval(value, low, high) if signed else wording.percent_interval(value, low, high, n)
    return text if math.isfinite(low) and math.isfinite(high) else text + why


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
    """
    if isinstance(listing, Finding):
        return finding_cards(listing)
    frame = listing.frame
    coded = [c for c in frame.columns if f"{c}_label" in frame.columns]  # codes that have a name beside them
    frame = frame[list(columns) or [c for c in frame.columns if c not in coded]]
    shown = pd.DataFrame(index=frame.index)
    for column in frame.columns:
        shown[_heading(str(column))] = [_cell(str(column), value) for value in frame[column]]
    return _table(shown, title or listing.title, "", name, numeric=[c for c in shown.columns if _is_figure(shown[c])])


def _table(shown: pd.DataFrame, title: str, note: str, name: str, *, numeric: Sequence[str]) -> Table:
    rows = len(shown)
    if rows > MOST_ROWS:
        note = (
            f"{note} The first {MOST_ROWS} of {wording.count(rows)} rows; the file beside the report has all.".strip()
        )
    slug = re.sub(r"[^a-z0-9]+", "-", (name or title).lower()).strip("-") or "table"
    shown = shown.head(MOST_ROWS).reset_index(drop=True)
    return Table(slug, title, "" if rows else "No rows.", shown, tuple(numeric), note)


def _heading(column: str) -> str:
    if column in HEADINGS:
        return HEADINGS[column]
    text = column.removeprefix("n_").removesuffix("_label").replace("_", " ")
    return text[:1].upper() + text[1:]


def _cell(column: str, value: Any) -> str:
    """Write one value: shares in per cent, changes in points, counts with commas, dates as dates, the rest as it is."""
    if value is None or (not isinstance(value, (list, tuple, dict)) and pd.isna(value)):
        return ""
    if isinstance(value, (bool,)) or type(value).__name__ == "bool_":
        return "yes" if value else "no"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, (int, float)) or hasattr(value, "dtype"):
        return _number(column, float(value))
    text = str(value)
    return (
        theme.outcome_name(text)
        if column == "outcome"
        else text.replace("_", " ")
        if column in ("kind", "part")
        else text
    )


def _number(column: str, value: float) -> str:
    if not math.isfinite(value):
        return ""
    if column in SHARES or column.startswith("share"):
        return wording.percent(value, 2000)
    if column in CHANGES:
        return wording.points(value)
    if column in MARGINS:
        return f"±{100 * value:.1f}"
    if column.startswith("p_"):
        return "< 0.001" if value < 0.001 else f"{value:.3f}"
    if value == round(value):
        return wording.count(value) if column != "year" else f"{value:.0f}"
    return wording.minus(f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}")


def _is_figure(column: pd.Series) -> bool:
    """True where every filled cell is a number, a share or an interval, so that the column is set flush right."""
    filled = [text for text in column if text]
    return bool(filled) and all(FIGURE.fullmatch(text) for text in filled)


def _says_nothing(column: pd.Series) -> bool:
    return bool(column.isna().all() or (column.astype(str).str.strip() == "").all())
