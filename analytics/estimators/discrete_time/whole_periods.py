"""Which whole periods each deal lives through, and how the last one ends."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.estimators.columns import day_column, outcome_column
from analytics.estimators.discrete_time.covariates import Days, Starts
from analytics.records.errors import InputError, nearest

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Lives:
    """Person-periods as arrays: row of the deal, period, and the outcome in it (-1 none); deals left out by reason."""

    deal: Ints
    period: Ints
    cause: Ints
    period_days: int
    left_out: Mapping[str, int]

    def starts(self, deals: pd.DataFrame) -> Starts:
        """Return the calendar day on which each period starts, with the deal behind it."""
        opened = _days(deals["opened_on"])[self.deal]
        ids = deals["deal_id"].to_numpy()[self.deal] if "deal_id" in deals.columns else self.deal
        return Starts(np.asarray(ids, dtype=object), opened, opened + self.period_days * (self.period - 1))


def whole_periods(deals: pd.DataFrame, outcomes: tuple[str, ...], period_days: int, as_of: dt.date | None) -> Lives:
    """Cut the time at risk of each deal into periods, from the first that was watched from its start on."""
    if period_days < 1 or int(period_days) != period_days:
        raise InputError("a period has a whole number of days, at least 1", value=period_days)
    entry, leave = np.asarray(day_column(deals["entry"])), np.asarray(day_column(deals["exit"]))
    if (leave <= entry).any():
        raise InputError(f"{int((leave <= entry).sum())} deals leave before they are watched", column="exit",
                         action="Leave them out by a named rule: exit must exceed entry")  # fmt: skip
    cause = _causes(deals, outcomes)
    # period p starts on day L(p - 1): watched from its start only if it starts after `entry`
    first = (np.floor_divide(entry, period_days) + 2).astype(np.int64)
    last = (np.floor_divide(leave, period_days) + 1).astype(np.int64)
    over, left_out = last, {"not watched from the start of any period": int((last < first).sum())}
    if as_of is not None:
        followed = (np.datetime64(as_of, "D") - _days(deals["opened_on"])).astype(np.int64)
        over = np.minimum(last, np.floor_divide(followed + 1, period_days))
        left_out["no period was over by the as-of day"] = int(((over < first) & (last >= first)).sum())
    size = np.maximum(over - first + 1, 0)
    deal = np.repeat(np.arange(len(deals)), size)
    period = np.arange(len(deal)) - np.repeat(np.cumsum(size) - size, size) + first[deal]
    return Lives(deal, period, np.where(period == last[deal], cause[deal], -1), period_days, left_out)


def _causes(deals: pd.DataFrame, outcomes: tuple[str, ...]) -> Ints:
    if not outcomes or "open" in outcomes or len(set(outcomes)) < len(outcomes):
        raise InputError("outcomes must be different terminal outcomes, without 'open'", value=outcomes)
    outcome = pd.Series(outcome_column(deals["outcome"]))
    place = {name: k for k, name in enumerate(outcomes)} | {"open": -1}
    for value in outcome.unique():
        if value == "unknown" and value not in place:
            count = int((outcome == "unknown").sum())
            raise InputError(
                f"{count} deals closed with an outcome that was not recorded", column="outcome", value="unknown",
                action="Name it in outcomes, or say what such deals count as",
            )  # fmt: skip
        if value not in place:
            raise InputError("this is not one of the outcomes", column="outcome", value=value,
                             action=nearest(str(value), (*outcomes, "open")))  # fmt: skip
    return np.asarray(outcome.map(place), dtype=np.int64)


def _days(values: pd.Series[Any]) -> Days:
    return pd.to_datetime(values).to_numpy().astype("datetime64[D]")
