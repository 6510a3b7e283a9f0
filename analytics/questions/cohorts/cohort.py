"""The cohort that segments are compared in: deals opened in two years up to the quarter's end, as far as followed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.contrasts import unrecorded_outcomes
from analytics.estimators.counts import RiskTable, count_events
from analytics.estimators.decomposition import NOT_RECORDED
from analytics.estimators.lacking import lacking
from analytics.estimators.rates import account_codes, known_accounts
from analytics.estimators.result import Finding
from analytics.estimators.sentences import count, day, sized
from analytics.estimators.watched import OUTCOMES, SMALLEST_CELL, has_accounts
from analytics.questions.cohorts.splitting import OWNER, Split, words_of
from analytics.records.calendar import Quarter
from analytics.records.period import restrict_to_period

YEARS = 2
MOST_LEVELS = 8
ACCOUNT = "account"
TO_RECORD = "The outcomes of all closings (source.outcome) would make it possible."


@dataclass(frozen=True, eq=False)
class Cohort:
    """Deals opened in two years, watched to the settled date and to one age.

    Attributes
    ----------
    deals : pandas.DataFrame
        `entry`, `exit`, `outcome` as watched; segments as texts; `account` (a number, one per account, one of its own
        for a deal without) and `opened` (years before the quarter's end).
    by : tuple of str
        Segments.
    age : int
        Age at which shares are read: the horizon, or as far as the cohort is followed.
    clustered : bool
        Whether any account is known.
    opened : (datetime.date, datetime.date)
        First and last day of opening.
    """

    deals: pd.DataFrame
    by: tuple[str, ...]
    age: int
    clustered: bool
    opened: tuple[dt.date, dt.date]
    settled_on: dt.date
    refused: tuple[Finding, ...] = ()

    @property
    def cluster(self) -> str | None:
        """Column of accounts, where any is known."""
        return ACCOUNT if self.clustered else None

    @property
    def n_accounts(self) -> int | None:
        """Number of accounts that are known, where any is."""
        return known_accounts(self.deals["account_id"]) if self.clustered else None

    @property
    def n_without_account(self) -> int:
        """Number of deals without an account, where any is known."""
        return int(self.deals["account_id"].isna().sum()) if self.clustered else 0

    @property
    def words(self) -> str:
        """Which deals these are."""
        return (
            f"deals opened from {day(self.opened[0])} to {day(self.opened[1])}, followed to {day(self.settled_on)} "
            f"and to {self.age} days at most"
        )

    def counted(self, by: Sequence[str] = ()) -> RiskTable:
        """Count the deals into cells, by account where accounts are known."""
        return count_events(self.deals, by=tuple(by), cluster=self.cluster)


def opening_cohort(split: Split, quarter: Quarter, *, settled_on: dt.date, horizon_days: int) -> Cohort | Finding:
    """Which deals can segments be compared in, and how far are these followed?

    Parameters
    ----------
    split : Split
        From `split_by`.
    quarter : Quarter
        The quarter under study: deals opened in the two years up to its end.
    settled_on : datetime.date
        Deals are followed to this day.
    horizon_days : int
        Age at which shares are read, less where the cohort is not followed so far.

    Returns
    -------
    Cohort or Finding
        A Finding where there is nothing to compare: no deal, no segment, outcomes that were not recorded.

    Notes
    -----
    An opening cohort, so that the mix of segments is that of what was opened, not of what lingers. Two years are enough
    deals to compare and recent enough to be about the same business.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": list("abcd"), "opened_on": pd.Timestamp("2025-10-01"), "entry": -1,
    ...     "exit": [9, 20, 40, 91], "outcome": ["won", "lost", "won", "open"], "region": ["N", "S", "N", "S"]})
    >>> quarter = Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))
    >>> cohort = opening_cohort(Split(deals, ("region",)), quarter, settled_on=quarter.end, horizon_days=30)
    >>> cohort.age, cohort.deals["outcome"].tolist()
    (30, ['won', 'lost', 'open', 'open'])
    """
    start = (pd.Timestamp(quarter.end) + pd.Timedelta(days=1) - pd.DateOffset(years=YEARS)).date()
    opened = pd.to_datetime(split.deals["opened_on"])
    inside = (opened >= pd.Timestamp(start)) & (opened <= pd.Timestamp(quarter.end))
    deals = restrict_to_period(split.deals[inside], end=settled_on) if inside.any() else split.deals[inside]
    if not len(deals):
        headline = f"No deal opened in the two years up to {day(quarter.end)} was watched, so nothing is compared."
        return Finding("cohort", headline, "", "not studied")
    unknown = unrecorded_outcomes(deals["outcome"])
    if unknown:
        return Finding("cohort", "Whether segments differ cannot be told.", f"{unknown} {TO_RECORD}", "not studied")
    by = tuple(name for name in split.by if deals[name].nunique() > 1)
    if not by:
        return lacking("cohort", "whether deals of different kinds end differently", "segments")
    age = followed_to(deals, horizon_days)
    deals = deals[deals["entry"] < age].reset_index(drop=True)
    known = has_accounts(deals)
    codes = account_codes(deals["account_id"])[0] if known else np.arange(len(deals))
    late = deals["exit"] > age
    years = (pd.Timestamp(quarter.end) - pd.to_datetime(deals["opened_on"])).dt.days / 365.25
    watched = deals.assign(
        outcome=deals["outcome"].astype(object).mask(late, "open"), exit=deals["exit"].clip(upper=age), opened=years,
        **{ACCOUNT: codes},
    )  # fmt: skip
    return Cohort(watched, by, age, known, (start, quarter.end), settled_on, split.refused)


def followed_to(deals: pd.DataFrame, horizon_days: int) -> int:
    """Give the age up to which deals are followed: the horizon, or the last age at which five of them were watched.

    Examples
    --------
    >>> deals = pd.DataFrame({"entry": -1, "exit": [3, 5, 8, 8, 9, 9, 9], "outcome": ["won"] * 6 + ["open"]})
    >>> followed_to(deals, 30), followed_to(deals, 4), followed_to(deals[:6], 30)
    (8, 4, 30)
    """
    cut = (deals["outcome"] == "open") & (deals["exit"] < horizon_days)
    if not cut.any():
        return horizon_days
    exits = np.sort(deals["exit"].to_numpy())[::-1]
    return int(min(horizon_days, exits[min(SMALLEST_CELL, len(exits)) - 1]))


def pooled(values: pd.Series[Any], most: int = MOST_LEVELS) -> pd.Series[Any]:
    """Pool the levels beyond the largest ones into one.

    Examples
    --------
    >>> pooled(pd.Series(list("aaabbcd")), most=2).tolist()
    ['a', 'a', 'a', 'b', 'b', '2 smaller ones', '2 smaller ones']
    """
    sizes = values.value_counts(sort=False).sort_index().sort_values(ascending=False, kind="stable")
    if len(sizes) <= most + 1:
        return values
    small = [level for level in sizes.index[most:] if level != NOT_RECORDED]
    return values.where(~values.isin(small), f"{len(small)} smaller ones")


def levels_of(cohort: Cohort, segment: str) -> pd.Series[Any]:
    """Give the level of each deal; those beyond the eight largest are pooled, except owners."""
    return cohort.deals[segment] if segment == OWNER else pooled(cohort.deals[segment])


def described(cohort: Cohort | Finding) -> tuple[Finding, ...]:
    """Which deals are compared, by what, and which columns were refused?

    Parameters
    ----------
    cohort : Cohort or Finding
        From `opening_cohort`.

    Returns
    -------
    tuple of Finding
        The cohort first (or why there is none), then one Finding for each column that splits nothing.

    Examples
    --------
    >>> described(Finding("cohort", "No deal.", "", "not studied"))[0].headline
    'No deal.'
    """
    if isinstance(cohort, Finding):
        return (cohort,)
    ended = cohort.deals["outcome"].value_counts()
    sizes = sized(len(cohort.deals), cohort.n_accounts, cohort.n_without_account)
    known = [count(float(ended[name]), name.replace("_", " "), name.replace("_", " ")) for name in OUTCOMES
             if name in ended]  # fmt: skip
    names = ", ".join(words_of(name) for name in cohort.by)
    headline = f"{sizes} are compared by {names}."
    detail = f"{cohort.words[:1].upper()}{cohort.words[1:]}: {', '.join(known)}, {ended.get('open', 0):,} open then."
    return Finding("cohort", headline, detail, "described"), *cohort.refused


def in_place(name: str, cohort: Finding) -> Finding:
    """Return why there is no cohort in the place of an answer."""
    return replace(cohort, name=name)
