"""What plain tables show beside their deals: rows that are there twice, splits, scales, moments at a month's edge."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.errors import InputError
from analytics.records.sources.conform import Rows
from analytics.records.sources.forecasts import forecast_categories, probabilities
from analytics.records.sources.numbers import parse_numbers
from analytics.records.sources.table_mapping import Reading, Splits
from analytics.records.sources.values import clean_texts, parse_moments, zone_named

COPY = "the same row is there twice"
SPLIT = "a smaller split of the same deal"

_UTC, _FAR_EAST = ZoneInfo("UTC"), ZoneInfo("Pacific/Kiritimati")
_FARTHEST = pd.Timedelta(hours=14)
"""No place on earth is farther from UTC."""


def without_copies(rows: Rows, keys: list[str]) -> tuple[Rows, Noticed]:
    """Reject every further copy of a row, all of whose values are the same (`keys` are compared first)."""
    suspects = rows.frame.duplicated(keys, keep=False).to_numpy()
    copies = np.zeros(len(rows.frame), dtype=bool)
    if suspects.any():
        own = rows.raw.frame.drop(columns=rows.raw.frame.columns.difference(rows.raw.columns))
        copies[suspects] = own.loc[rows.frame.index[suspects]].duplicated(keep="first").to_numpy()
    seen = Noticed(16, COPY, int(copies.sum()), len(rows.frame), "rows", "one is kept, the others are rejected")
    return rows.without(copies, COPY), seen


def one_row_per_deal(rows: Rows, splits: Splits | None, read: Reading, column: str) -> tuple[Rows, list[Noticed]]:
    """Keep one row of each deal: copies are rejected, and with `splits` all rows but the one with the largest share.

    Raises
    ------
    InputError
        For an id that is there twice with different values and no splits mapped, a percentage that is none, and splits
        whose amounts differ although each is said to be the whole deal's.
    """
    rows, copies = without_copies(rows, ["deal_id"])
    if splits is None:
        rows.require_unique("deal_id", column)
        return rows, [copies]
    percent = _percent(rows, splits, read)
    frame = rows.frame.copy()
    if "amount" in frame:
        frame["amount"] = _whole_amount(rows, splits)
    ordered = frame.assign(__percent__=percent).sort_values("__percent__", ascending=False, kind="stable")
    smaller = frame.index.isin(ordered.index[ordered["deal_id"].duplicated(keep="first")])
    several = frame.loc[smaller, "deal_id"].nunique()
    rule = "the row with the largest share is kept, with the whole amount"
    seen = Noticed(19, "listed once per split", int(several), int(frame["deal_id"].nunique()), "deals", rule)
    return Rows(frame, rows.raw, rows.ledger).without(smaller, SPLIT), [copies, seen]


def _percent(rows: Rows, splits: Splits, read: Reading) -> pd.Series:
    rows.raw.require({"percent": splits.percent}, block="splits")
    texts = clean_texts(rows.raw.frame[splits.percent].loc[rows.frame.index], read.missing)
    plain = pd.Series([None if text is None else text.rstrip("% ") for text in texts], index=texts.index, dtype=object)
    percent = parse_numbers(plain, read)
    wrong = texts.notna() & percent.isna()
    if wrong.any():
        file, line = rows.raw.place(int(wrong.index[wrong][0]))
        raise InputError(
            "is not a percentage", file=file, column=splits.percent, row=line, value=texts[wrong].iloc[0],
            action="Correct splits: percent in the params, or the file",
        )  # fmt: skip
    return percent.fillna(-np.inf)


def _whole_amount(rows: Rows, splits: Splits) -> pd.Series:
    by_deal = rows.frame.groupby("deal_id")["amount"]
    if splits.amount == "part":
        return by_deal.transform(lambda parts: parts.sum(min_count=1))
    torn = by_deal.transform("nunique") > 1
    if torn.any():
        at = int(torn.index[torn][-1])
        file, line = rows.raw.place(at)
        raise InputError(
            "the splits of this deal have different amounts", file=file, row=line, value=rows.frame.at[at, "deal_id"],
            action="Say splits: {percent: …, amount: part} if each row holds its part of the amount",
        )  # fmt: skip
    return by_deal.transform("first")


def with_forecasts(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[Noticed]]:
    """Bring probability and forecast category, where they are mapped, to the contract's scale and names."""
    seen: list[Noticed] = []
    frame = frame.copy(deep=False)
    if "probability" in frame:
        frame["probability"], *scales = probabilities(frame["probability"])
        seen += scales
    if "forecast_category" in frame:
        frame["forecast_category"], strange = forecast_categories(frame["forecast_category"])
        seen.append(strange)
    return frame, seen


def rows_with_forecasts(rows: Rows) -> tuple[Rows, list[Noticed]]:
    """Do the same for rows that still know where they came from."""
    frame, seen = with_forecasts(rows.frame)
    return replace(rows, frame=frame), seen


def without_any_row(rows: Rows | None, name: str, deals: int) -> list[Noticed]:
    """Say of a history that was exported with its header alone that it tells nothing."""
    if rows is None or len(rows.raw.frame):
        return []
    what = f"{name} has no rows, so that it tells nothing of earlier dates"
    return [Noticed(20, what, deals, deals, "deals", "rebuilt as if the file were not there")]


def closings_at_an_edge(rows: Rows, closed: pd.Series, column: str, form: str, timezone: str | None) -> list[Noticed]:
    """Count closings that the time zone decides: those that fall into another month in UTC than where they are dated.

    Without a time zone in the params those within 14 hours of a month's edge are counted. Nothing is said where no
    moment carries a zone.
    """
    if column not in rows.raw.columns:
        return []
    texts = clean_texts(rows.raw.frame[column].loc[rows.frame.index[closed.to_numpy()]], ("",))
    utc, far = (parse_moments(texts, form, zone) for zone in (_UTC, _FAR_EAST))
    aware = utc.notna() & (utc != far)
    if not aware.any():
        return []
    if timezone is not None:
        used = parse_moments(texts, form, zone_named(timezone))
        crossing = _months(used) != _months(utc)
        what, rule = f"closed in another month in UTC than in {timezone}", f"dated in {timezone}"
    else:
        written = parse_moments(texts, form, None)
        crossing = _months(written - _FARTHEST) != _months(written + _FARTHEST)
        what, rule = "closed within 14 hours of a month's edge, and no time zone is stated", "dated as written"
    return [Noticed(15, what, int((aware & crossing).sum()), int(aware.sum()), "rows", rule)]


def _months(moments: pd.Series) -> pd.Series:
    months: pd.Series = moments.dt.year * 12 + moments.dt.month
    return months
