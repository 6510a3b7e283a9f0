"""Covariates that change while a deal is open, each as it was known when the period began."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.estimators.columns import NOT_RECORDED
from analytics.records.errors import InputError, nearest

Ints = npt.NDArray[np.int64]
Days = npt.NDArray[np.datetime64]

INTERNAL = ("stage", "pushes", "silence_weeks")
"""Covariates that the deal itself moves: a path of them cannot be known in advance."""

_RULE_READS = {"silent": "silence_weeks", "pushed": "pushes", "aged": "period"}


@dataclass(frozen=True)
class Starts:
    """The starts of person-periods: deal, the day it opened, and the first day of the period."""

    deal_id: npt.NDArray[np.object_]
    opened: Days
    day: Days

    @property
    def known_to(self) -> Days:
        """The last day whose records are known when the period begins: the one before it."""
        return self.day - np.timedelta64(1, "D")


def refuse_rules_on_covariates(deals: pd.DataFrame, built: Sequence[str], kinds: Sequence[str] | None) -> None:
    """Refuse no-decisions that were inferred from something that becomes a covariate.

    Raises
    ------
    InputError
        Such a rule is on; or there are no-decisions, pushes or silence become covariates, and nothing says how the
        no-decisions came about.
    """
    found = None if kinds is None else list(kinds)
    if "no_decision_kind" in deals.columns:
        ended = (deals["outcome"] == "no_decision").to_numpy(dtype=bool)
        told = deals.loc[ended, "no_decision_kind"]
        if found is not None or not told.isna().any():
            found = [*(found or ()), *(str(kind) for kind in told.dropna().unique())]
    if found is None:
        if set(built) & {"pushes", "silence_weeks"} and (deals["outcome"] == "no_decision").any():
            raise InputError(
                "nothing says whether the no-decisions were declared or inferred", column="no_decision_kind",
                action="Add no_decision_kind, or pass rules_kinds=() if all were declared",
            )  # fmt: skip
        return
    for kind in found:
        if kind != "declared" and kind not in _RULE_READS:
            raise InputError("there is no such no-decision rule", value=kind, action=nearest(kind, _RULE_READS))
        if _RULE_READS.get(kind) in built:
            raise InputError(
                f"no-decisions were inferred by the rule {kind!r}, which reads {_RULE_READS[kind]}: its effect on them "
                "would be true by construction", column="no_decision_kind", value=kind,
                action="Use declared outcomes only: rules.declared_only()",
            )  # fmt: skip


def calendar_quarters(day: Days) -> npt.NDArray[np.object_]:
    """Name the calendar quarter of each day ("2025Q1")."""
    month = day.astype("datetime64[M]").astype(np.int64)
    code, place = np.unique(month // 3, return_inverse=True)
    names = np.asarray([f"{1970 + c // 4}Q{c % 4 + 1}" for c in code.tolist()], dtype=object)
    return names[place] if len(names) else names


def stages_and_pushes(starts: Starts, states: pd.DataFrame) -> tuple[npt.NDArray[np.object_], Ints]:
    """Return the stage at each start, and how often the expected close date had been moved later by then.

    Raises
    ------
    InputError
        Missing columns, or a state in which a deal at risk is already closed.
    """
    _needs(states, ("deal_id", "recorded_on", "stage", "status", "expected_close_on"), "states")
    order = ["recorded_on", *(["sequence"] if "sequence" in states.columns else [])]
    rows = states.assign(recorded_on=pd.to_datetime(states["recorded_on"])).sort_values(order, kind="stable")
    index = _Known(rows["deal_id"], rows["recorded_on"], starts.deal_id)
    rows = rows.iloc[index.order]
    pushes = _pushes_so_far(rows, index.code)
    at = index.last(starts.known_to)
    # of the first period only the opening itself is known: the first state that was recorded, if on that very day
    fresh = index.first()
    recorded = rows["recorded_on"].to_numpy().astype("datetime64[D]")
    born = (at < 0) & (starts.day == starts.opened) & (fresh >= 0)
    born &= recorded[np.maximum(fresh, 0)] == starts.opened if len(rows) else False
    is_open = (rows["status"] == "open").to_numpy(dtype=bool, na_value=False)
    closed = (at >= 0) & ~is_open[np.maximum(at, 0)] if len(rows) else at >= 0
    if closed.any():
        raise InputError(
            "a deal is at risk after its states say that it was closed", column="status",
            value=starts.deal_id[closed][0], action="Use deals and states of one history, first episodes",
        )  # fmt: skip
    if len(rows):
        born &= is_open[np.maximum(fresh, 0)]
    at = np.where(born, fresh, at)
    stage = np.append(rows["stage"].astype(object).where(rows["stage"].notna(), NOT_RECORDED), NOT_RECORDED)
    return stage[at], np.append(pushes, 0)[at]


def silence_weeks(starts: Starts, activities: pd.DataFrame) -> Ints:
    """Return for how many whole weeks nothing had been heard of a deal when the period began.

    Counted from the opening where nothing was ever heard. From the first day on which any buyer's activity in this
    table was known, only the buyer's side counts, as in the rule for silence.

    Raises
    ------
    InputError
        Missing columns, or an activity without a day.
    """
    _needs(activities, ("deal_id", "occurred_on", "side"), "activities")
    rows = activities.assign(occurred_on=pd.to_datetime(activities["occurred_on"]))
    if rows["occurred_on"].isna().any():
        raise InputError("an activity has no day", column="occurred_on")
    recorded = pd.to_datetime(rows["recorded_on"]) if "recorded_on" in rows.columns else rows["occurred_on"]
    rows["known_on"] = recorded.fillna(rows["occurred_on"]).clip(lower=rows["occurred_on"])
    buyer = (rows["side"].str.strip().str.lower() == "buyer").to_numpy(dtype=bool, na_value=False)
    heard = _last_heard(starts, rows)
    if buyer.any():
        since = rows.loc[buyer, "known_on"].min().to_datetime64().astype("datetime64[D]")
        heard = np.where(starts.known_to >= since, _last_heard(starts, rows[buyer]), heard)
    silent: Ints = (starts.day - heard).astype(np.int64)
    return silent // 7


def _last_heard(starts: Starts, rows: pd.DataFrame) -> Days:
    """Return the latest activity known at each start, or the opening where that is later."""
    rows = rows.sort_values("known_on", kind="stable")
    index = _Known(rows["deal_id"], rows["known_on"], starts.deal_id)
    occurred = rows["occurred_on"].iloc[index.order]
    latest = occurred.groupby(index.code).cummax().to_numpy().astype("datetime64[D]")
    at = index.last(starts.known_to)
    found = np.append(latest, np.datetime64("NaT", "D"))[at]
    later: Days = np.fmax(found, starts.opened)
    return later


def _pushes_so_far(rows: pd.DataFrame, code: Ints) -> Ints:
    """Count how often the expected close date of an open state had moved later, up to each row of its deal."""
    is_open = (rows["status"] == "open").to_numpy(dtype=bool, na_value=False)
    named = np.flatnonzero(is_open & rows["expected_close_on"].notna().to_numpy())
    expected = pd.to_datetime(rows["expected_close_on"].iloc[named]).to_numpy().astype("datetime64[D]")
    pushed = np.zeros(len(rows), dtype=np.int64)
    same = code[named][1:] == code[named][:-1]
    pushed[named[1:]] = same & (expected[1:] > expected[:-1])
    so_far = np.cumsum(pushed)
    begins = np.searchsorted(code, code)
    return np.asarray(so_far - (so_far - pushed)[begins], dtype=np.int64) if len(rows) else pushed


class _Known:
    """Dated rows of deals, looked up by deal and day: `order` sorts the rows (given by day) by deal as well."""

    def __init__(self, deal_id: pd.Series[Any], day: pd.Series[Any], wanted: npt.NDArray[np.object_]) -> None:
        ids = pd.Index(pd.unique(wanted))
        code = ids.get_indexer(pd.Index(deal_id.to_numpy(dtype=object)))
        kept = np.flatnonzero(code >= 0)
        self.order = kept[np.argsort(code[kept], kind="stable")]
        self.code: Ints = np.asarray(code[self.order], dtype=np.int64)
        self._day = day.to_numpy()[self.order].astype("datetime64[D]").astype(np.int64)
        self._wanted = ids.get_indexer(pd.Index(wanted))
        self._low = int(self._day.min(initial=0))
        self._span = int(self._day.max(initial=0)) - self._low + 2

    def last(self, day: Days) -> Ints:
        """Return the position of the last row of each wanted deal up to a day, -1 where there is none."""
        asked = np.clip(day.astype(np.int64) - self._low + 1, 0, self._span - 1)
        keys = self.code * self._span + (self._day - self._low + 1)
        at = np.searchsorted(keys, self._wanted * self._span + asked, side="right") - 1
        own = np.append(self.code, -1)[at] == self._wanted
        return np.where(own, at, -1)

    def first(self) -> Ints:
        """Return the position of the first row of each wanted deal, -1 where there is none."""
        at = np.searchsorted(self.code, self._wanted, side="left")
        own = np.append(self.code, -1)[np.minimum(at, len(self.code))] == self._wanted
        return np.where(own, at, -1)


def _needs(table: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    for name in columns:
        if name not in table.columns:
            raise InputError(f"the {what} have no column {name!r}", action=nearest(name, table.columns))
    if "recorded_on" in columns and table["recorded_on"].isna().any():
        raise InputError(f"a row of the {what} has no day of recording", column="recorded_on")
