"""The grid of rules: silence, pushes and age at many thresholds, each with the days on which it would have fired."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pandas as pd

from analytics.estimators.lacking import lacking
from analytics.estimators.result import Finding
from analytics.records.contract import History
from analytics.records.firing_days import age_fired, first_spells, pushed_times_fired, silent_days_fired
from analytics.records.rules import OutcomeRules

SILENT_GRID = (30, 60, 90, 120, 180)
PUSHED_GRID = (1, 2, 3, 4, 5)
AGE_SHARES = (0.9, 0.95, 0.99)
"""Ages tried: those by which these shares of the won deals had been won."""
FEW_WON = 20


@dataclass(frozen=True, eq=False)
class Firings:
    """When each rule would have fired on each deal, for every threshold tried.

    `fired` holds rule, threshold, deal_id, fired_on, heard_on; `grid` the thresholds tried by rule; `stated` those of
    the params; `missing` one Finding for each rule that the records do not allow.
    """

    fired: pd.DataFrame
    grid: dict[str, tuple[int, ...]]
    stated: dict[str, int]
    missing: tuple[Finding, ...] = ()

    def of(self, rule: str, threshold: int) -> pd.DataFrame:
        """Give the firings of one rule at one threshold."""
        return self.fired[(self.fired["rule"] == rule) & (self.fired["threshold"] == threshold)]


def firings(history: History, deals: pd.DataFrame, *, rules: OutcomeRules, as_of: dt.date) -> Firings:
    """On which days would each rule have called a deal dead, for a whole grid of its thresholds?

    Parameters
    ----------
    history : History
        Frames: recorded states and, for silence, activities.
    deals : pandas.DataFrame
        First episodes under declared rules; they say at which ages deals are won.
    rules : OutcomeRules
        Its thresholds are part of the grid.
    as_of : datetime.date
        What was recorded later is not looked at.

    Returns
    -------
    Firings

    Notes
    -----
    One pass over the records serves all thresholds. A rule fires on the day on which it could first have been known.

    Examples
    --------
    >>> rows = {"deal_id": ["A"], "recorded_on": [dt.date(2025, 1, 1)], "sequence": [0], "status": ["open"],
    ...         "opened_on": [dt.date(2025, 1, 1)], "expected_close_on": [None]}
    >>> found = firings(History(table=pd.DataFrame(rows)), pd.DataFrame({"outcome": ["open"], "exit": [59]}),
    ...                 rules=OutcomeRules(older_than_days=30), as_of=dt.date(2025, 3, 1))
    >>> found.fired["fired_on"].astype(str).tolist(), [finding.name for finding in found.missing]
    (['2025-02-01'], ['silent_rule', 'pushed_rule'])
    """
    lives = first_spells(history, as_of)
    stated = {
        name: value
        for name, value in (("silent", rules.silent_days), ("pushed", rules.pushed_times),
                            ("aged", rules.older_than_days))
        if value is not None
    }  # fmt: skip
    parts, grid, missing = {}, {}, []
    grid["silent"] = _with(SILENT_GRID, stated.get("silent"))
    silent = silent_days_fired(history, lives, grid["silent"])
    if silent is None:
        missing.append(lacking("silent_rule", "no decision by silence", "activities"))
    else:
        parts["silent"] = silent
    if history.kind == "current_only" or not (lives.states["expected"] < 10**7).any():
        needs = ("history", "expected_close_on") if history.kind == "current_only" else ("expected_close_on",)
        missing.append(lacking("pushed_rule", "no decision by pushed close dates", *needs))
    else:
        grid["pushed"] = _with(PUSHED_GRID, stated.get("pushed"))
        parts["pushed"] = pushed_times_fired(lives, grid["pushed"])
    ages, own = _ages_at_win(deals), stated.get("aged")
    grid["aged"] = _with(tuple(age for age in ages if own is None or abs(age - own) > own / 20), own)
    parts["aged"] = age_fired(lives, grid["aged"])
    if silent is None:
        grid.pop("silent")
    for rule in [name for name in ("pushed", "aged") if name in parts]:
        parts[rule] = parts[rule].assign(heard_on=pd.Series(pd.NaT, parts[rule].index, dtype="datetime64[ns]"))
    columns = ["rule", "threshold", "deal_id", "fired_on", "heard_on"]
    tables = [part.assign(rule=rule)[columns] for rule, part in parts.items() if len(part)]
    fired = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
    fired = fired.astype(dict.fromkeys(("fired_on", "heard_on"), "datetime64[ns]"))
    known = deals["deal_id"] if "deal_id" in deals else fired["deal_id"]
    return Firings(fired[fired["deal_id"].isin(known)].reset_index(drop=True), grid, stated, tuple(missing))


def _with(grid: tuple[int, ...], stated: int | None) -> tuple[int, ...]:
    return tuple(sorted({*grid, *(() if stated is None else (stated,))}))


def _ages_at_win(deals: pd.DataFrame) -> tuple[int, ...]:
    """Give ages by which nearly all wins had come; none where fewer than 20 deals were won."""
    won = deals.loc[deals["outcome"] == "won", "exit"]
    if len(won) < FEW_WON:
        return ()
    return tuple(sorted({max(1, round(float(won.quantile(share)))) for share in AGE_SHARES}))
