"""Turn deals into person-periods: who was open at the start of each period, and how the period ended for them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.columns import account_column, stratum_column
from analytics.estimators.counts import DEFAULT_OUTCOMES, RiskTable
from analytics.estimators.discrete_time.covariates import (
    INTERNAL,
    calendar_quarters,
    refuse_rules_on_covariates,
    silence_weeks,
    stages_and_pushes,
)
from analytics.estimators.discrete_time.whole_periods import Lives, whole_periods
from analytics.records.errors import InputError, nearest


@dataclass(frozen=True, eq=False)
class PersonPeriods:
    """Counted person-periods: the sufficient statistic of every discrete-time hazard model.

    Attributes
    ----------
    frame : pandas.DataFrame
        Keys and covariates, `period` (1 is the first), `at_risk` (deals open at its start, or the sum of their
        weights) and `d_<outcome>` for each outcome. Frames of disjoint deals may be put one under the other.
    outcomes : tuple of str
        Terminal outcomes, in order.
    period_days : int
        Period p holds the days `period_days * (p - 1)` to `period_days * p - 1` after opening.
    internal : tuple of str
        Covariates that the deal itself moves: they give hazards, not incidences.
    n_deals : int
        Deals behind the counts.
    left_out : mapping of str to int
        Deals that were read and are not behind the counts, by reason.

    Raises
    ------
    InputError
        A missing column, a period below 1, counts that are missing or negative, or more outcomes than at risk.
    """

    frame: pd.DataFrame
    outcomes: tuple[str, ...] = DEFAULT_OUTCOMES
    period_days: int = 7
    internal: tuple[str, ...] = ()
    n_deals: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the counts."""
        for name in ("period", "at_risk", *self.events):
            if name not in self.frame.columns:
                raise InputError(
                    f"the person-periods have no column {name!r}", action=nearest(name, self.frame.columns)
                )
        counts = self.frame[["at_risk", *self.events]].to_numpy(dtype=float)
        if not np.isfinite(counts).all() or (counts < 0).any():
            raise InputError("a count of person-periods is missing, infinite or negative")
        if (counts[:, 1:].sum(axis=1) > counts[:, 0] * (1 + 1e-9)).any():
            raise InputError("a period has more outcomes than deals at risk", column="at_risk")
        if len(self.frame) and not (self.frame["period"] >= 1).all():
            raise InputError("periods are numbered from 1", column="period")

    @property
    def events(self) -> list[str]:
        """The columns that count outcomes."""
        return [f"d_{outcome}" for outcome in self.outcomes]

    def must_have(self, *names: str) -> None:
        """Stop with the nearest name where a column is missing."""
        columns = [str(name) for name in self.frame.columns]
        for name in names:
            if name not in columns:
                raise InputError(f"the person-periods have no column {name!r}", action=nearest(name, columns))

    def counted(self, by: Sequence[str]) -> pd.DataFrame:
        """Add up over everything but the columns `by`, sorted by them."""
        sums = ["at_risk", *self.events]
        self.must_have(*by)
        if not by:
            return self.frame[sums].sum().to_frame().T
        return self.frame.groupby(list(by), observed=True, dropna=False)[sums].sum().reset_index()

    def weighted(self, column: str) -> PersonPeriods:
        """Return the same person-periods, each counted with the weight in `column`.

        Raises
        ------
        InputError
            No such column, or a weight that is missing, infinite or negative.
        """
        if column not in self.frame.columns:
            raise InputError(
                f"the person-periods have no column {column!r}", action=nearest(column, self.frame.columns)
            )
        weight = self.frame[column].to_numpy(dtype=float)
        if not (np.isfinite(weight).all() and (weight >= 0).all()):
            raise InputError("a weight is missing, infinite or negative", column=column)
        sums = {name: self.frame[name] * weight for name in ("at_risk", *self.events)}
        return replace(self, frame=self.frame.assign(**sums))

    def risk_table(self, by: Sequence[str] = ()) -> RiskTable:
        """Return the life table: a RiskTable whose times are periods, for `cumulative_incidence` and its kin.

        Raises
        ------
        InputError
            Weighted person-periods: their counts are no deals.
        """
        table = self.counted(["period", *by])
        sums = table[["at_risk", *self.events]].to_numpy(dtype=float)
        if (sums != np.floor(sums)).any():
            raise InputError("a life table needs whole counts", action="Build it before weighting")
        kept = sums[:, 0] - sums[:, 1:].sum(axis=1)
        counts = dict(zip(self.outcomes, sums[:, 1:].T, strict=True)) | {"open": kept}
        times = table[[*by]].assign(entry=table["period"] - 1, exit=table["period"])
        parts = [times.assign(outcome=name, n=n.astype(np.int64))[n > 0] for name, n in counts.items()]
        cells = pd.concat(parts, ignore_index=True).sort_values([*by, "entry"], kind="stable", ignore_index=True)
        return RiskTable(cells.assign(w=cells["n"], w2=cells["n"]), tuple(by), None, self.outcomes, self.n_deals, None)


def person_periods(
    deals: pd.DataFrame,
    *,
    keep: Sequence[str] = (),
    states: pd.DataFrame | None = None,
    activities: pd.DataFrame | None = None,
    period_days: int = 7,
    as_of: dt.date | None = None,
    rules_kinds: Sequence[str] | None = None,
    outcomes: Sequence[str] = DEFAULT_OUTCOMES,
) -> PersonPeriods:
    """How did each week (or other period) end for the deals that were open at its start?

    Parameters
    ----------
    deals : pandas.DataFrame
        One row per deal: `entry`, `exit` (days after opening, at risk on `(entry, exit]`), `outcome`; `deal_id` and
        `opened_on` for whatever needs a date or a history.
    keep : sequence of str
        Columns of the deals that go with every period: fixed covariates, accounts, weights. A missing text is the
        value "not recorded", a missing `account_id` an account of its own.
    states : pandas.DataFrame, optional
        Recorded states (`deal_id`, `recorded_on`, `stage`, `status`, `expected_close_on`, `sequence` within a day):
        gives `stage` and `pushes`.
    activities : pandas.DataFrame, optional
        `deal_id`, `occurred_on`, `recorded_on`, `side`: gives `silence_weeks`.
    period_days : int
        Length of a period.
    as_of : datetime.date, optional
        Only periods that were over by the end of this day count (needs `opened_on`).
    rules_kinds : sequence of str, optional
        Which inferred no-decision rules were on (`OutcomeRules.inferred_kinds`); by default the kinds that occur in
        `no_decision_kind`.
    outcomes : sequence of str
        Terminal outcomes; every other value than these and "open" is an error.

    Returns
    -------
    PersonPeriods
        One row per deal and period: `deal_id` where there is one, `keep`, `period`, `quarter` (the calendar quarter in
        which it starts, where `opened_on` is given), `stage`, `pushes`, `silence_weeks`, the counts.

    Raises
    ------
    InputError
        Missing columns, dates or times; a deal on two rows; an unknown outcome; states in which a deal at risk is
        already closed; no-decisions inferred from silence, pushes or age where that is a covariate.

    Notes
    -----
    *No immortal time.* A deal counts in a period only if it was watched from the period's first day, so that one that
    enters in the middle is neither at risk nor an event there. Time-dependent covariates are those known at the end of
    the day before the period starts (of the first period: the first state recorded on the opening day); what a deal
    will become never enters.

    *The last period.* Without `as_of` a deal still open at its exit counts as at risk in the period it was cut in,
    which understates that period's hazards; with `as_of` such periods are left out for all deals alike, ended or not.

    *Outcome rules.* A no-decision inferred from silence, pushes or age makes the effect of that covariate true by
    construction: use `rules.declared_only()`. Every period has an age, so that no-decisions by age are always refused.

    Singer & Willett (1993), J Educ Stat 18:155; Suissa (2008), Am J Epidemiol 167:492 for immortal time.

    Examples
    --------
    >>> deals = pd.DataFrame({"entry": [-1, 8], "exit": [9, 20], "outcome": ["won", "lost"], "segment": ["a", "b"]})
    >>> made = person_periods(deals, keep=["segment"], outcomes=["won", "lost"])
    >>> made.frame.to_dict("split")["data"]
    [['a', 1, 1, 0, 0], ['a', 2, 1, 1, 0], ['b', 3, 1, 0, 1]]
    """
    _check(deals, keep, (states, activities), as_of)
    built = ["pushes"] * (states is not None) + ["silence_weeks"] * (activities is not None) + ["period"]
    refuse_rules_on_covariates(deals, built, rules_kinds)
    lives = whole_periods(deals, tuple(outcomes), period_days, as_of)
    frame = pd.DataFrame(index=np.arange(len(lives.deal)))
    for name in dict.fromkeys([*(["deal_id"] if "deal_id" in deals.columns else []), *keep]):
        frame[name] = _kept(deals, name).to_numpy()[lives.deal]
    frame["period"] = lives.period
    frame = frame.assign(**_time_dependent(deals, lives, states, activities))
    frame["at_risk"] = np.ones(len(frame), dtype=np.int64)
    for k, outcome in enumerate(outcomes):
        frame[f"d_{outcome}"] = (lives.cause == k).astype(np.int64)
    internal = tuple(name for name in frame.columns if name in INTERNAL and name not in keep)
    kept = len(np.unique(lives.deal))
    return PersonPeriods(frame, tuple(outcomes), period_days, internal, kept, lives.left_out)


def _time_dependent(
    deals: pd.DataFrame, lives: Lives, states: pd.DataFrame | None, activities: pd.DataFrame | None
) -> dict[str, Any]:
    if "opened_on" not in deals.columns:
        return {}
    starts = lives.starts(deals)
    made: dict[str, Any] = {"quarter": calendar_quarters(starts.day)}
    if states is not None:
        made["stage"], made["pushes"] = stages_and_pushes(starts, states)
    if activities is not None:
        made["silence_weeks"] = silence_weeks(starts, activities)
    return made


def _kept(deals: pd.DataFrame, name: str) -> pd.Series[Any]:
    values = deals[name]
    if not values.isna().any():
        return values
    return pd.Series(account_column(deals, name) if name == "account_id" else stratum_column(values))


def _check(
    deals: pd.DataFrame, keep: Sequence[str], histories: tuple[pd.DataFrame | None, ...], as_of: dt.date | None
) -> None:
    dated = any(table is not None for table in histories)
    needed = ["entry", "exit", "outcome", *keep]
    needed += ["deal_id"] * dated + ["opened_on"] * (dated or as_of is not None)
    for name in needed:
        if name not in deals.columns:
            raise InputError(f"the deals have no column {name!r}", action=nearest(name, deals.columns))
    made = {"period", "at_risk", "quarter"} | (set(INTERNAL) if dated else set())
    for name in keep:
        if name in made or name.startswith("d_"):
            raise InputError("this column's name is taken by the person-periods", column=name, action="Rename it")
    if "opened_on" in deals.columns and deals["opened_on"].isna().any():
        raise InputError("a deal has no day of opening", column="opened_on", action="Leave it out by a named rule")
    if "deal_id" in deals.columns and deals["deal_id"].duplicated().any():
        twice = deals.loc[deals["deal_id"].duplicated(), "deal_id"].iloc[0]
        raise InputError("a deal is on two rows", column="deal_id", value=twice, action="Use first episodes")
    if dated and "episode" in deals.columns and (deals["episode"] > 1).any():
        raise InputError("a later episode would inherit the history of the first", column="episode",
                         action="Use first episodes")  # fmt: skip
