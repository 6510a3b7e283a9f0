"""Which numbers of a run count deals, and which do not, each with its reason: so that none can lack its list unseen."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from analytics.display.cells import heading
from analytics.estimators.result import Estimate, Listing
from analytics.studies import store

DAYS, CODE, VALUE = "days, of one deal or of all", "a code or a place in an order", "an estimate that may be whole"
OF_TEST, ROWS = "of a test: no deals", "rows of a file; rejects.csv lists them"
NO_DEALS = {
    **dict.fromkeys(("time", "age", "age_days", "silent_days", "days_after", "followed_days", "quiet_days"), DAYS),
    **dict.fromkeys(("horizon_days", "horizon_reached", "won_days", "median_days"), DAYS),
    **dict.fromkeys(("number", "order", "one_in", "threshold"), CODE),
    **dict.fromkeys(("estimate", "conf_low", "conf_high"), VALUE),
    **dict.fromkeys(("df", "n_levels"), OF_TEST),
    **dict.fromkeys(("rows", "rows_read", "rows_kept", "rows_rejected", "line", "first_line"), ROWS),
    **dict.fromkeys(("n_accounts", "accounts"), "accounts, no deals"),
    **dict.fromkeys(("amount", "amount_open"), "money"),
    "distinct": "different values of a field", "pushes": "pushes: a deal is pushed more than once",
    "n_moments": "moments of deals: a deal stood so at many",
}  # fmt: skip
"""Columns that are whole numbers and count no deals, wherever they stand."""

WEEKS = "deal-weeks: a deal lives through many"
FOUND = "rows, deals and fields of the export by turns; data health names the rule, and rejects.csv the rows"
IN_WORDS = "said in a sentence of its own, in no cell; it counts deals outside the study too"
EXCEPTIONS = {
    "03_no_decision/after_pushes.n_risk": WEEKS, "03_no_decision/after_last_push.n_risk": WEEKS,
    "03_no_decision/after_silence.n_risk": WEEKS, "00_data_health/traps.n_found": FOUND,
    "00_data_health/traps.n_of": FOUND, "00_data_health/leaky_fields.n_closed": IN_WORDS,
    "00_data_health/leaky_fields.n_before": IN_WORDS, "00_data_health/leaky_fields.n_open": IN_WORDS,
}  # fmt: skip
"""Single columns that count no deals one could list."""


def counts(frame: pd.DataFrame) -> list[str]:
    """The columns that hold whole numbers from 0 on, some above 0: whatever is not excepted is a count of deals."""
    found = []
    for name in frame.columns:
        if not pd.api.types.is_numeric_dtype(frame[name]) or pd.api.types.is_bool_dtype(frame[name]):
            continue
        values = frame[name].dropna()
        if len(values) and (values >= 0).all() and (values == values.round()).all() and values.max() > 0:
            found.append(str(name))
    return found


def cells(run: Path) -> Iterator[tuple[str, int, str, float, int]]:
    """Every cell of a run that counts deals: result, row, column, its number, and how many deals its list holds."""
    for folder in sorted((run / "results").iterdir()):
        for name in store.names(folder):
            result = store.read(folder, name)
            if not isinstance(result, Estimate | Listing):
                continue
            shown = result.read_at() if isinstance(result, Estimate) else result.frame
            deals = store.read_deals(folder, name)
            sizes = {} if deals is None else deals.groupby(["row", "column"]).size().to_dict()
            for column in counts(shown):
                if column in NO_DEALS or f"{folder.name}/{name}.{column}" in EXCEPTIONS:
                    continue
                for row, number in shown[column].dropna().items():
                    rows_of_files = "unit" in shown and shown.at[row, "unit"] == "rows"
                    if number > 0 and not rows_of_files:
                        yield f"{folder.name}/{name}", int(str(row)), column, number, sizes.get((row, column), 0)


BY_CHANCE = ("lower_quartile_days", "upper_quartile_days", "e_value_limit", "effective_deals", "n_effective",
             "difference_amount", "level")  # fmt: skip
"""Columns of other numbers, or of names, in which a single cell can be a whole number."""
HEADINGS = {heading(name) for name in (*NO_DEALS, *BY_CHANCE)}


def unlinked(page: Path) -> list[str]:
    """The whole numbers in the tables of a page that lead to no list, though their column counts deals."""
    found = []
    for table in re.findall(r"<table\b.*?</table>", page.read_text(encoding="utf-8"), re.DOTALL):
        head, _, body = table.partition("<tbody")
        heads = [_text(cell) for cell in re.findall(r"<th\b[^>]*>(.*?)</th>", head, re.DOTALL)]
        weekly = "Weekly" in heads  # at risk are deal-weeks there
        for row in re.findall(r"<tr\b.*?</tr>", body, re.DOTALL):
            texts = re.findall(r"<t[dh]\b[^>]*>(.*?)</t[dh]>", row, re.DOTALL)
            rows_of_files = "rows" in [_text(text) for text in texts]
            for name, text in zip(heads, texts, strict=len(heads) == len(texts)):
                number = re.fullmatch(r"[\d,]+", _text(text)) and _text(text) != "0"
                excepted = name in HEADINGS or rows_of_files or (weekly and name == "At risk")
                if number and not excepted and "deals.html#" not in text:
                    found.append(f"{page.stem}: {name} {_text(text)} in {' '.join(map(_text, texts))[:60]}")
    return found


def _text(cell: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", cell)).strip()
