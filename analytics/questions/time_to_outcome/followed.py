"""The deals of this study: everything on record, followed to the settled date, and how far their ages reach."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from analytics.estimators.columns import NOT_RECORDED
from analytics.estimators.decomposition import level_of
from analytics.estimators.lacking import lacking
from analytics.estimators.result import Finding
from analytics.estimators.sentences import count
from analytics.estimators.watched import (
    SMALLEST_CELL,
    accounts_of,
    has_accounts,
    not_studied,
    reach,
    within,
    without_account,
)  # fmt: skip
from analytics.records.errors import InputError, nearest
from analytics.records.leakage import refuse_leaky
from analytics.records.period import restrict_to_period


@dataclass(frozen=True)
class Followed:
    """Deals followed to the settled date.

    Attributes
    ----------
    deals : pandas.DataFrame
        All of them, watched to the settled date.
    young : pandas.DataFrame
        The same watched no further than `age`.
    age : int
        The horizon, or the last age to which enough deals were followed.
    horizon_days : int
        As asked for.
    """

    deals: pd.DataFrame
    young: pd.DataFrame
    age: int
    horizon_days: int

    @property
    def cluster(self) -> str | None:
        """The column by which deals depend on each other, where any account is known."""
        return "account_id" if has_accounts(self.deals) else None

    @property
    def outcomes(self) -> list[str]:
        """The outcomes that at least one deal had by the age."""
        seen = set(self.young["outcome"])
        return [name for name in ("won", "lost", "no_decision") if name in seen]

    @property
    def note(self) -> str:
        """Say where the records end before the horizon, and how many deals have no account; empty where nothing is."""
        late = self.age < self.horizon_days
        short = f"Deals were followed up to {self.age} days, not to {self.horizon_days}." if late else ""
        return f"{short} {without_account(self.young)}".strip()

    @property
    def n_accounts(self) -> int | None:
        """How many accounts are known, where any is: a deal without one is not an account."""
        return accounts_of(self.young)


def followed(
    name: str, deals: pd.DataFrame, *, settled_on: dt.date, horizon_days: int, unrecorded: bool = False
) -> Followed | Finding:
    """Give the deals as far as they were followed, or say why there is nothing to read.

    Parameters
    ----------
    name : str
        Of the result.
    deals : pandas.DataFrame
        Deals frame, first episodes.
    settled_on : datetime.date
        Follow-up ends here: later outcomes are not yet all recorded.
    horizon_days : int
        Last age, in days after opening.
    unrecorded : bool
        Whether the question can live with outcomes that were not recorded.

    Returns
    -------
    Followed or Finding
        A Finding where no deal was followed, or where outcomes were not recorded.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": ["a", "b"], "opened_on": pd.to_datetime(["2025-10-01"] * 2), "entry": -1,
    ...                       "exit": [10, 60], "outcome": ["won", "lost"]})
    >>> followed("x", deals, settled_on=dt.date(2025, 10, 31), horizon_days=90).deals["outcome"].tolist()
    ['won', 'open']
    """
    known = restrict_to_period(deals, end=settled_on)
    young = within(known, horizon_days)
    if not len(young):
        detail = f"Outcomes are settled up to {settled_on:%-d %B %Y}. Check the scope and the as-of date."
        return not_studied(name, "No deal was followed.", detail)
    ended = known[known["outcome"] != "open"]
    unknown = int((ended["outcome"] == "unknown").sum())
    if unknown and not unrecorded:
        has = "has" if unknown == 1 else "have"
        headline = (
            f"Not studied: {WORDS.get(name, name)}. {unknown:,} of {count(len(ended), 'closing')} {has} no outcome."
        )
        return not_studied(name, headline, "It needs the outcome of every deal that closed.")
    age = reach(young, horizon_days)
    return Followed(known, within(young, age), age, horizon_days)


WORDS = {
    "still_open": "what becomes of deals still open",
    "later_won": "which open deals are won later",
    "seldom_won": "past which age open deals are seldom won",
    "times_to_outcome": "how long deals take",
    "days_by_outcome": "how many days deals are open",
    "mean_age": "how old deals are when they end",
    "incidence_by_segment": "where deals of each segment end up",
    "segment_tests": "whether segments differ",
    "effects": "which deals end faster or more often",
    "ratios_by_age": "whether effects hold at every age",
    "practice_shares": "what today's practice would say",
    "practice_days": "what today's mean cycle would say",
}


def split_by(name: str, deals: pd.DataFrame, by: Sequence[str], leaky: pd.DataFrame | None) -> Finding | None:
    """Refuse columns that cannot split deals; say what is missing where none was named.

    Raises
    ------
    InputError
        A column that does not exist, or that only closing fills or changes (`study.leaky_fields`).

    Examples
    --------
    >>> split_by("effects", pd.DataFrame(), [], None).verdict
    'not studied'
    """
    for column in by:
        if column not in deals.columns:
            raise InputError(f"the deals have no segment {column!r}", action=nearest(column, deals.columns))
    if leaky is not None and len(leaky):
        refuse_leaky(by, leaky, read_at={})
    if not by:
        return lacking(name, WORDS.get(name, name), "segments")
    return None


def with_level(deals: pd.DataFrame, column: str) -> pd.DataFrame:
    """Give the deals of levels that can be compared, with their `level`: recorded, and at least five deals.

    Examples
    --------
    >>> with_level(pd.DataFrame({"region": ["N"] * 5 + ["S", None]}), "region")["level"].unique().tolist()
    ['N']
    """
    levels = level_of(deals, column)
    sizes = levels.map(levels.value_counts())
    named = deals.assign(level=levels, segment=column)
    return named[(levels != NOT_RECORDED) & (sizes >= SMALLEST_CELL)].reset_index(drop=True)


def left_out(deals: pd.DataFrame, column: str) -> str:
    """Say how many deals of a segment are not compared, and why; empty where all are."""
    levels = level_of(deals, column)
    blank = int((levels == NOT_RECORDED).sum())
    sizes = levels[levels != NOT_RECORDED].value_counts()
    few = int((sizes < SMALLEST_CELL).sum())
    said = [f"{count(blank, 'deal')} without it left out" if blank else ""]
    said += [f"{count(few, 'level')} with fewer than {SMALLEST_CELL} deals left out" if few else ""]
    words = "; ".join(text for text in said if text)
    return f"{column}: {words}." if words else ""
