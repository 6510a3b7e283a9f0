"""Where the deals of each segment end up, and whether its levels differ: curves by level, Gray's test."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.cell_deals import with_watched
from analytics.estimators.contrasts import benjamini_hochberg
from analytics.estimators.counts import count_events
from analytics.estimators.group_tests import gray_test
from analytics.estimators.incidence import cumulative_incidence
from analytics.estimators.result import Estimate, Finding, Meta
from analytics.estimators.sentences import outcome_words
from analytics.estimators.subdistribution_test import subdistribution_score_test
from analytics.estimators.watched import accounts_of, counted, not_studied
from analytics.questions.time_to_outcome.followed import Followed, followed, left_out, split_by, with_level

MOST_LEVELS = 6
STEPS = 60
PER_DEGREE = 30
"""Accounts per degree of freedom below which the account-robust test refuses too often."""
SHOWN = 0.05
NO_INTERVAL = "a test has a p-value, not an interval"
GRAY, ROBUST = "Gray", "Gray's question, accounts respected"


def incidence_by_segment(
    deals: pd.DataFrame, *, by: Sequence[str], settled_on: dt.date, horizon_days: int,
    leaky_fields: pd.DataFrame | None = None,
) -> Estimate | Finding:  # fmt: skip
    """Where do the deals of each level of a segment end up, by age?

    Parameters
    ----------
    deals, settled_on, horizon_days
        As for `incidence`.
    by : sequence of str
        Segment columns, known at opening, each looked at on its own.
    leaky_fields : pandas.DataFrame, optional
        `study.leaky_fields`: columns in it are refused.

    Returns
    -------
    Estimate or Finding
        Kind incidence, keys (segment, level, outcome, time); the six largest levels with at least five deals, largest
        first, on up to 60 ages (`n_event` since the age before); `n_deals`, `n_accounts`. A level's curve ends where
        its deals were no longer followed. A Finding where there is no segment or no such level.

    Raises
    ------
    InputError
        A column that does not exist, or a leaky one.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": range(12), "opened_on": pd.Timestamp("2025-10-01"), "entry": -1,
    ...                       "exit": 9, "outcome": ["won", "lost"] * 6, "region": ["N", "S"] * 6})
    >>> found = incidence_by_segment(deals, by=["region"], settled_on=dt.date(2026, 1, 31), horizon_days=30)
    >>> found.at(level="N", outcome="won", time=30)["estimate"].tolist()
    [1.0]
    """
    name = "incidence_by_segment"
    said = split_by(name, deals, by, leaky_fields)
    given = said or followed(name, deals, settled_on=settled_on, horizon_days=horizon_days)
    if isinstance(given, Finding):
        return given
    grid = np.unique(np.round(np.linspace(0, given.age, STEPS + 1)))
    parts, notes = [], [given.note]
    for column in by:
        levels = with_level(given.young, column)
        largest = levels["level"].value_counts(sort=True).index[:MOST_LEVELS]
        notes += [left_out(given.young, column), _further(levels, len(largest), column)]
        for level in largest:
            risk = counted(levels[levels["level"] == level])
            frame = cumulative_incidence(risk, times=grid).frame
            before = frame.groupby("outcome", sort=False)["cum_event"].shift(fill_value=0)
            parts.append(frame.assign(
                segment=column, level=level, n_event=frame["cum_event"] - before, n_deals=risk.n_deals,
                n_accounts=accounts_of(levels[levels["level"] == level]),
            ))  # fmt: skip
    if not parts:
        return not_studied(name, "No segment has a level with five deals.", " ".join(note for note in notes if note))
    whole = cumulative_incidence(counted(given.young), times=[given.age]).meta
    meta = replace(
        whole, keys=("segment", "level", "outcome", "time"), n_accounts=given.n_accounts,
        note=" ".join(note for note in notes if note),
        estimand="share of a segment's deals with each outcome by each age, deals still open counted",
    )  # fmt: skip
    drawn = pd.concat([with_level(given.young, column) for column in by], ignore_index=True)
    return with_watched(Estimate(pd.concat(parts, ignore_index=True), meta), drawn, by=("segment", "level"))


def _further(levels: pd.DataFrame, drawn: int, column: str) -> str:
    more = levels["level"].nunique() - drawn
    return f"{column}: its {drawn} largest levels are shown, {more} more are tested." if more > 0 else ""


def segment_tests(
    deals: pd.DataFrame, *, by: Sequence[str], settled_on: dt.date, horizon_days: int,
    leaky_fields: pd.DataFrame | None = None,
) -> Estimate | Finding:  # fmt: skip
    """Do the levels of a segment differ in how many of their deals are won, lost, or end in no decision?

    Parameters
    ----------
    deals, by, settled_on, horizon_days, leaky_fields
        As for `incidence_by_segment`; all segments and outcomes are the family.

    Returns
    -------
    Estimate or Finding
        Kind test, keys (segment, outcome): the test that decides (`test`, `estimate`, `df`, `p_value`, `p_adjusted`),
        Gray's own beside it (`gray`, `p_gray`, which takes deals of one account as independent; empty where deals enter
        late), `n_levels`, `n_deals`, `n_event`, `verdict`, `sentence`, `note`.

    Raises
    ------
    InputError
        A column that does not exist, or a leaky one.

    Notes
    -----
    Where no account is known Gray's test decides; where accounts are, the robust score test of the same question, and
    the larger of both p-values where there are fewer than 30 accounts per degree of freedom. Benjamini-Hochberg over
    the family. Gray 1988, Ann Stat 16:1141; see `subdistribution_score_test`.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": range(40), "opened_on": pd.Timestamp("2025-10-01"), "entry": -1,
    ...     "exit": [5, 9] * 20, "outcome": ["won", "lost"] * 20, "region": ["N", "S"] * 20})
    >>> tests = segment_tests(deals, by=["region"], settled_on=dt.date(2026, 1, 31), horizon_days=30)
    >>> tests.frame[["outcome", "verdict"]].values.tolist()
    [['won', 'shown, size unclear'], ['lost', 'cannot tell']]
    """
    name = "segment_tests"
    said = split_by(name, deals, by, leaky_fields)
    given = said or followed(name, deals, settled_on=settled_on, horizon_days=horizon_days)
    if isinstance(given, Finding):
        return given
    rows = [row for column in by for row in _tests(given, column)]
    if not rows:
        return not_studied(name, "No segment has two levels with five deals each, so nothing can be compared.")
    frame = pd.DataFrame(rows)
    tested = frame["p_value"].notna()
    frame["p_adjusted"] = np.nan
    frame.loc[tested, "p_adjusted"] = benjamini_hochberg(frame.loc[tested, "p_value"])
    shown = frame["p_adjusted"] <= SHOWN
    frame["verdict"] = np.where(shown, "shown, size unclear", "cannot tell")
    frame["sentence"] = [_sentence(row) for row in frame.to_dict("records")]
    notes = [given.note, *(left_out(given.young, column) for column in by)]
    meta = Meta(
        kind="test", estimand="whether the cumulative incidence of an outcome is the same in every level of a segment",
        keys=("segment", "outcome"), n_deals=len(given.young), n_accounts=given.n_accounts,
        variance="Gray 1988; robust score test by account where accounts are known", cluster=given.cluster,
        unit="chi-squared", note=" ".join(note for note in notes if note),
    )  # fmt: skip
    levels = pd.concat([with_level(given.young, column) for column in by], ignore_index=True)
    return with_watched(Estimate(frame, meta), levels, by=("segment",), age=given.age, only=("n_deals", "n_event"))


def _tests(given: Followed, column: str) -> list[dict[str, Any]]:
    levels = with_level(given.young, column)
    groups = levels["level"].nunique()
    if groups < 2:
        return []
    plain, late = count_events(levels, by="level"), levels["entry"].nunique() > 1
    accounts = count_events(levels, by="level", cluster=given.cluster)
    rows = []
    for outcome in given.outcomes:
        n_event = int((levels["outcome"] == outcome).sum())
        if not n_event:
            continue
        gray = None if late else gray_test(plain, outcome=outcome).frame.iloc[0]
        use_gray = gray is not None and given.cluster is None
        own = gray if use_gray else subdistribution_score_test(accounts, outcome=outcome).frame.iloc[0]
        assert own is not None
        p_gray = float(gray["p_value"]) if gray is not None else np.nan
        p, note = float(own["p_value"]), ""
        few = given.cluster is not None and (accounts.n_accounts or 0) < PER_DEGREE * max(int(own["df"]), 1)
        if few:
            p, note = float(np.fmax(p, p_gray)), "Few accounts for so many levels: the larger p of both tests counts."
        rows.append({
            "segment": column, "outcome": outcome, "estimate": own["estimate"], "std_error": np.nan,
            "conf_low": np.nan, "conf_high": np.nan, "test": GRAY if use_gray else ROBUST, "df": own["df"],
            "p_value": p, "gray": np.nan if gray is None else gray["estimate"], "p_gray": p_gray, "n_levels": groups,
            "n_deals": len(levels), "n_accounts": accounts_of(levels), "n_event": n_event, "note": note,
            "no_interval_reason": own["no_interval_reason"] or NO_INTERVAL,
        })  # fmt: skip
    return rows


def _sentence(row: dict[Any, Any]) -> str:
    what = {"won": "are won", "lost": "are lost", "no_decision": "end in no decision"}[row["outcome"]]
    if row["p_adjusted"] <= SHOWN:
        return f"The {row['n_levels']} levels of {row['segment']} differ in how many deals {what}."
    return (
        f"Chance alone could make the {row['n_levels']} levels of {row['segment']} differ in {_noun(row)} as they do."
    )


def _noun(row: dict[Any, Any]) -> str:
    return f"deals {outcome_words(row['outcome'])}" if row["outcome"] != "no_decision" else "no decision"
