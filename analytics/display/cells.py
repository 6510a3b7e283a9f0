"""How one value of a frame is written in a table: shares in per cent, changes in points, counts with commas."""

from __future__ import annotations

import math
import re
from typing import Any

import pandas as pd

from analytics.display import theme, wording
from analytics.estimators.result import WITHHELD

FIGURE = re.compile(
    r"(<\d+|not shown|(< )?[+−±]?[\d.,]+(\s?[%kM])?( \([^a-z]*( to [^a-z]*)?\))?|–|[A-Z]{3}\s[−\d.,]+(\s[kM])?)"
    r"( \[\d+\])*"
)
SHARES = ("estimate", "from_rate", "to_rate", "overall", "count_estimate", "estimate_now")
MORE_SHARES = ("estimate_then", "share_now", "share_then", "largest_deal_share")
CHANGES = ("change", "difference")
MARGINS = ("margin", "smallest_reliable_change", "two_sd_high")
HEADINGS = {
    "estimate": "Share",
    "n_risk": "At risk",
    "n_event": "Events",
    "cum_event": "Events so far",
    "n_event_then": "Events then",
    "n_event_now": "Events now",
    "n_deals": "Deals",
    "n_accounts": "Accounts",
    "estimate_now": "Now",
    "estimate_then": "Then",
    "p_gray": "p (Gray)",
    "p_value": "p",
    "e_value": "E-value",
    "statistic": "Chi-squared",
    "df": "Degrees of freedom",
    "two_sd_high": "Not ruled out, points",
    "time": "Day",
    "label": "What",
    "words": "In words",
    "smallest_reliable_change": "Would show from",
    "to_the_cent": "Amount, to the cent",
    "without_amount_deals": "Without amount",
}


COUNTED = ("n_event", "deals", "found")
SEGMENTS = {"owner_id": "owner", "account_id": "account", "size": "size at opening"}


def withheld(frame: pd.DataFrame, column: str) -> pd.Series:
    """Say what stands in the place of each number that a shared report withholds; empty elsewhere.

    `<5` stands only where it is true: at the count that it is about. The numbers beside it are `not shown`.

    Examples
    --------
    >>> frame = pd.DataFrame({"n_deals": [None, 9.0], "n_event": [None, 7.0], "withheld": ["<5", ""]})
    >>> withheld(frame, "n_event").tolist(), withheld(frame, "n_deals").tolist()
    (['<5', ''], ['not shown', ''])
    """
    if WITHHELD not in frame or not pd.api.types.is_numeric_dtype(frame[column]):
        return pd.Series("", index=frame.index)
    mark = frame[WITHHELD].astype(object)
    alone = column == "n_risk" and "estimate" in frame
    true = frame["estimate"].notna() if alone else pd.Series(column in COUNTED, index=frame.index)
    return mark.where(true | mark.eq(""), "not shown").where(frame[column].isna(), "")


def heading(column: str) -> str:
    """Return the heading of a column: its own where it has one, else its name in words."""
    if column in HEADINGS:
        return HEADINGS[column]
    text = column.removeprefix("n_").removesuffix("_label").replace("_", " ")
    return text[:1].upper() + text[1:]


def cell(column: str, value: Any) -> str:
    """Write one value: shares in per cent, changes in points, counts with commas, dates as dates, the rest as it is."""
    if value is None or (not isinstance(value, (list, tuple, dict)) and pd.isna(value)):
        return ""
    if isinstance(value, (bool,)) or type(value).__name__ == "bool_":
        return "yes" if value else "no"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, (int, float)) or hasattr(value, "dtype"):
        return _number(column, float(value))
    text = wording.readable(value)
    if column == "outcome":
        return theme.outcome_name(text)
    if column == "segment":
        return SEGMENTS.get(text, text)
    return text.replace("_", " ") if column in ("kind", "part") else text


def _number(column: str, value: float) -> str:
    if not math.isfinite(value):
        return ""
    if column in (*SHARES, *MORE_SHARES) or column.startswith("share"):
        return wording.percent(value, 2000)
    if column in CHANGES:
        return wording.points(value)
    if column == "amount" or column.endswith("_amount"):
        return wording.money(value)
    if column in MARGINS:
        return f"±{100 * value:.1f}"
    if column in ("statistic", "e_value"):
        return f"{value:.1f}"
    if column.startswith("p_"):
        return "< 0.001" if value < 0.001 else f"{value:.3f}"
    if value == round(value):
        return wording.count(value) if column != "year" else f"{value:.0f}"
    return wording.minus(f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}")


def is_figure(column: pd.Series) -> bool:
    """True where every filled cell is a number, a share or an interval, so that the column is set flush right."""
    filled = [text for text in column if text]
    return bool(filled) and all(FIGURE.fullmatch(text) for text in filled)


def says_nothing(column: pd.Series) -> bool:
    """Say whether every cell of a column is empty."""
    return bool(column.isna().all() or (column.astype(str).str.strip() == "").all())
