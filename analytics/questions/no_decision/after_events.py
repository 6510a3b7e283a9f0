"""How fast open deals end in no decision after each push of the close date and after each silent week."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pandas as pd

from analytics.estimators.cell_deals import ids_of, with_members
from analytics.estimators.discrete_time.models import discrete_time_model
from analytics.estimators.discrete_time.periods import PersonPeriods, person_periods
from analytics.estimators.lacking import lacking
from analytics.estimators.result import Estimate, Finding, Meta
from analytics.estimators.watched import OUTCOMES, has_accounts
from analytics.questions.no_decision.followed import cannot_tell, followed
from analytics.records.contract import History

AGES = (0, 4, 8, 13, 26, 39, 52)
PUSHES = (0, 1, 2, 3, 4)
SILENT = (0, 2, 4, 8, 13, 26)
SINCE = (0, 4, 8, 13)
RIDGE = 0.1
"""A faint pull towards no effect, so that a level without an event has an estimate; a prior of variance 10."""
FEW_EVENTS = 10
EVENTS = {"pushes": "Pushes of the close date so far", "since_push": "Weeks since the last push",
          "silent_weeks": "Whole weeks without a sign of life"}  # fmt: skip
LEVELS = ("event", "level")


def person_weeks(deals: pd.DataFrame, history: History, *, settled_on: dt.date) -> PersonPeriods | Finding:
    """Which weeks did deals live through, and what was known of them when each week began?

    Parameters
    ----------
    deals : pandas.DataFrame
        First episodes under declared rules: the inferred ones read pushes and silence themselves, and are refused.
    history : History
        Frames: recorded states give pushes, the activities table gives silence.
    settled_on : datetime.date
        Weeks that were not over by then are left out.

    Returns
    -------
    PersonPeriods or Finding
        With `age`, and `pushes`, `since_push`, `silent_weeks` as bands (text) where the records know them. A Finding
        where they know neither.

    Raises
    ------
    InputError
        For no-decisions that were inferred by a rule.

    Examples
    --------
    >>> deals = pd.DataFrame({"entry": [-1], "exit": [9], "outcome": ["no_decision"], "no_decision_kind": ["silent"]})
    >>> person_weeks(deals, History(table=None, kind="current_only"), settled_on=dt.date(2025, 1, 1)).headline[:34]
    'Not studied: pace after pushes and'
    """
    recorded = history.kind == "recorded"
    states = history.table if recorded and history.table["expected_close_on"].notna().any() else None
    activities = history.side.get("activities")
    if states is None and activities is None:
        return lacking("person_weeks", "pace after pushes and silence", "history", "expected_close_on", "activities")
    watched = followed(deals, settled_on)
    watched = watched[~watched.get("born_closed", pd.Series(False, watched.index)).astype(bool)]
    unknown = (watched["outcome"] == "unknown").any()
    made = person_periods(
        watched, keep=["account_id"] if has_accounts(watched) else [], states=states, activities=activities,
        as_of=settled_on, outcomes=(*OUTCOMES, *(("unknown",) if unknown else ())),
    )  # fmt: skip
    frame = made.frame
    bands = {"age": _banded(frame["period"] - 1, AGES)}
    if states is not None:
        bands["pushes"] = _banded(frame["pushes"], PUSHES)
        since = frame["period"] - frame.groupby(["deal_id", "pushes"])["period"].transform("min")
        bands["since_push"] = _banded(since, SINCE).where(frame["pushes"] > 0, "never")
    if activities is not None:
        bands["silent_weeks"] = _banded(frame["silence_weeks"], SILENT)
    named = {name: values for name, values in bands.items() if name != "age"}
    return replace(made, frame=frame.assign(**bands), internal=(*made.internal, *named))


def pace_after(
    periods: PersonPeriods | Finding, event: Literal["pushes", "since_push", "silent_weeks"]
) -> Estimate | Finding:
    """How fast do deals end in no decision after each push, or each silent week, against deals without?

    Parameters
    ----------
    periods : PersonPeriods or Finding
        From `person_weeks`.
    event : {"pushes", "since_push", "silent_weeks"}
        What the levels are of.

    Returns
    -------
    Estimate or Finding
        Kind coefficient, keys (outcome, event, level): ratio of the weekly odds of ending so to those of the first
        level at the same age, with `label`, `reference`, `weekly` (share of the deals in such a week that ended so),
        `n_risk` (deal-weeks), `n_event`. A Finding where the records do not know the event, or hold too few.

    Notes
    -----
    A week counts with what was known when it began, so no time is credited to an event that had not happened yet (no
    immortal time), and with declared outcomes only. It describes: deals are pushed because they are in trouble as
    often as the other way round. Multinomial logit on deal-weeks with age bands; errors by account (by deal without
    accounts).

    Examples
    --------
    >>> frame = pd.DataFrame({"deal_id": range(8), "age": "0–3", "period": 1, "pushes": ["0", "1"] * 4, "at_risk": 50,
    ...                       "d_won": 5, "d_lost": 5, "d_no_decision": [2, 4] * 4})
    >>> found = pace_after(PersonPeriods(frame, n_deals=8), "pushes")
    >>> found.at(outcome="no_decision", level="1")["estimate"].round(1).tolist()
    [2.1]
    """
    if isinstance(periods, Finding) or event not in periods.frame:
        needs = ("activities",) if event == "silent_weeks" else ("history", "expected_close_on")
        return lacking(f"after_{event}", f"no decision by {EVENTS[event].lower()}", *needs)
    totals = periods.counted([event])
    if periods.frame["d_no_decision"].sum() < FEW_EVENTS or len(totals) < 2:
        return cannot_tell(
            f"after_{event}", f"No decision by {EVENTS[event].lower()} cannot be told: "
            + ("no deal had any." if len(totals) < 2 else f"fewer than {FEW_EVENTS} deals ended so."),
            "It counts declared no-decisions only, since rules read the same facts.",
        )  # fmt: skip
    happened = tuple(name for name in periods.outcomes if periods.frame[f"d_{name}"].sum() >= 1)
    table = periods.frame
    formula = f"C({event})" + (" + C(age)" if table["age"].nunique() > 1 else "")
    ordered = replace(periods, frame=table.assign(**{event: _ordered(table[event])}), outcomes=happened)
    cluster = "account_id" if "account_id" in table else "deal_id"
    fitted = discrete_time_model(ordered, formula, cluster=cluster, ridge=RIDGE)
    return _ratios(fitted.coefficients, periods, event, happened)


def _ratios(fitted: Estimate, periods: PersonPeriods, event: str, outcomes: Sequence[str]) -> Estimate:
    totals = periods.counted([event]).set_index(event)
    levels = sorted(totals.index, key=_place)
    rows = []
    for outcome in outcomes:
        if outcome == "unknown":
            continue
        for number, level in enumerate(levels):
            sums = totals.loc[level]
            row = {"outcome": outcome, "event": event, "level": level, "label": _words(event, level),
                   "reference": number == 0, "n_risk": int(sums["at_risk"]), "n_event": int(sums[f"d_{outcome}"]),
                   "weekly": sums[f"d_{outcome}"] / sums["at_risk"]}  # fmt: skip
            rows.append({**row, **_ratio(fitted, outcome, event, level, number)})
    meta = Meta(
        kind="coefficient", keys=("outcome", *LEVELS), n_deals=periods.n_deals,
        n_accounts=fitted.meta.n_accounts if has_accounts(periods.frame) else None,
        estimand=f"{EVENTS[event].lower()}: how many times the weekly odds of ending so, against "
        f"{_words(event, levels[0])}, at the same age",
        interval="Wald on the log scale", variance="sandwich", cluster=fitted.meta.cluster,
        unit="ratio", time_unit="weeks", note="Declared outcomes only; what was known when each week began.",
    )  # fmt: skip
    return with_members(Estimate(pd.DataFrame(rows), meta), lambda row: _members(periods, row))


def _members(periods: PersonPeriods, row: dict[str, Any]) -> dict[str, list[object]]:
    """Name the deals that ended so in such a week; the weeks at risk are no deals."""
    table = periods.frame
    return {"n_event": ids_of(table[(table[row["event"]] == row["level"]) & (table[f"d_{row['outcome']}"] == 1)])}


def _ratio(fitted: Estimate, outcome: str, event: str, level: str, number: int) -> dict[str, object]:
    if number == 0:
        return {"estimate": 1.0, "std_error": np.nan, "conf_low": np.nan, "conf_high": np.nan, "p_value": np.nan,
                "no_interval_reason": "the others are compared with it"}  # fmt: skip
    row = fitted.at(outcome=outcome, term=f"C({event})[T.{number:02d} {level}]").iloc[0]
    return {"estimate": row["odds_ratio"], "std_error": row["std_error"], "conf_low": row["ratio_low"],
            "conf_high": row["ratio_high"], "p_value": row["p_value"], "no_interval_reason": ""}  # fmt: skip


def _banded(values: pd.Series[int], edges: Sequence[int]) -> pd.Series[str]:
    """Name the band of each value; the last one is open."""
    place = np.searchsorted(np.asarray(edges), values.to_numpy(), side="right") - 1
    names = [f"{low}" if high == low + 1 else f"{low}–{high - 1}" for low, high in pairwise(edges)]
    return pd.Series(np.asarray([*names, f"{edges[-1]}+"], dtype=object)[np.maximum(place, 0)], index=values.index)


def _place(level: str) -> int:
    return -1 if level == "never" else int(level.split("–")[0].rstrip("+"))


def _ordered(levels: pd.Series[str]) -> pd.Series[str]:
    """Number the bands, so that the first one is what the others are compared with."""
    names = {name: f"{number:02d} {name}" for number, name in enumerate(sorted(levels.unique(), key=_place))}
    return levels.map(names)


def _words(event: str, level: str) -> str:
    if event == "pushes":
        return {"0": "never pushed", "1": "pushed once"}.get(level, f"pushed {level.replace('+', ' or more')} times")
    if event == "since_push":
        weeks = level.replace("+", " or more")
        return "never pushed" if level == "never" else f"last pushed {weeks} weeks ago"
    return f"silent for {level.replace('+', ' or more')} weeks"
