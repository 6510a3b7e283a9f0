"""Where only a field or a side table begins late: from which day on it is recorded, and which answers rest on it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pandas as pd

from analytics.records.contract import History
from analytics.records.late_start import SURE, late_start
from analytics.records.lives import deal_spans, first_lives, side_known, states_known
from analytics.records.observation import CloseDate, Observation, about, observed_in

FIELDS: dict[str, str] = {
    "stage": "the journey, time in stages, the qualified cohort",
    "amount": "amounts at opening and how they changed",
    "expected_close_on": "pushes, the rule for pushed deals, slippage",
    "owner_id": "owner at opening and at close",
    "probability": "how good the CRM's own probabilities were",
    "forecast_category": "how good forecast categories were",
}
"""Fields of which a change counts, and the answers that rest on their history; declared attributes follow."""

_ATTRIBUTE = "segments by its value at opening"


_COLUMNS = ("what", "trusted_from", "late", "share_before", "share_after", "how_known", "affects")
_DATED = {
    "reviews": ("held_on", "what buyers and sellers said"),
    "forecast_submissions": ("submitted_on", "forecasts against what happened"),
    "fx_rates": ("valid_from", "amounts in one currency at the opening day's rate"),
    "quotas": ("recorded_on", "won against plan"),
}
"""Side tables that say only when their first row is, with that row's day."""


def trusted_from(history: History, *, as_of: dt.date, close_date: CloseDate = "typed") -> pd.DataFrame:
    """From which day on can each kind of answer be trusted, and how is that known?

    Parameters
    ----------
    history, as_of, close_date
        As for `observed_since`.

    Returns
    -------
    pandas.DataFrame
        `what` (outcomes, records, then each field and side table), `trusted_from` (Timestamp; NaT where never), `late`
        (bool: it begins to be recorded after deals do), `share_before`, `share_after` (of the deals opened before and
        from `trusted_from` on, how many show a change of it, an activity, a reason), `how_known`, `affects`.

    Notes
    -----
    Outcomes before a field begins are good: only analyses that use the field enter late (`enter_late`). Changes while a
    deal is open count; what a field becomes at the close says how the deal ended. The evidence for a late field is that
    of `late_start`; a field that rarely changes may begin late without anybody being able to tell.

    Examples
    --------
    >>> rows = {"deal_id": ["A", "A"], "recorded_on": [dt.date(2025, 1, 10), dt.date(2025, 2, 3)], "sequence": [0, 1],
    ...         "status": ["open", "open"], "opened_on": [dt.date(2025, 1, 10)] * 2, "stage": ["Demo", "Proposal"]}
    >>> facts = trusted_from(History(table=pd.DataFrame(rows)), as_of=dt.date(2025, 3, 1)).set_index("what")
    >>> facts.loc[["outcomes", "stage", "owner_id"], "trusted_from"].astype(str).tolist()
    ['2025-01-10', '2025-01-10', 'NaT']
    """
    fields = {**FIELDS, **dict.fromkeys(history.attributes, _ATTRIBUTE)}
    states = states_known(history, as_of, [*fields, "reason"])
    lives = first_lives(states, as_of, close_date)
    if not len(lives):
        return pd.DataFrame(columns=list(_COLUMNS))
    found = observed_in(history, lives)
    rows = [_outcomes(found, lives), _records(history, lives)]
    rows += [_field(history, states, lives, name, affects) for name, affects in fields.items()]
    rows += [_reasons(states, lives), *_side(history, lives, as_of)]
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype({"trusted_from": "datetime64[ns]", "late": bool})


def changes_of(states: pd.DataFrame, name: str) -> pd.Series[bool]:
    """In which states has a field another value than in the state before, the deal being open in both?

    Examples
    --------
    >>> states = pd.DataFrame({"deal_id": ["A", "A", "B"], "status": "open", "stage": ["Demo", "Offer", "Demo"]})
    >>> changes_of(states, "stage").tolist()
    [False, True, False]
    """
    values = states[name]
    before = values.shift()
    same = (values == before) | (values.isna() & before.isna())
    deal, is_open = states["deal_id"], states["status"] == "open"
    return ~same & (deal == deal.shift()) & is_open & is_open.shift(fill_value=False)


def _outcomes(found: Observation, lives: pd.DataFrame) -> dict[str, Any]:
    affects = "incidence, win rates, cohorts, quarters"
    if found.observed_from is None:
        return _row("outcomes", lives["opened"].min(), found.how_known, affects)
    return {**_row("outcomes", pd.Timestamp(found.observed_from), found.how_known, affects), "late": True}


def _records(history: History, lives: pd.DataFrame) -> dict[str, Any]:
    """Say since when it is known what was known when."""
    affects = "earlier quarters as they were known then, how late closings are recorded"
    if history.kind == "current_only":
        how = "The source keeps only today's state: an earlier date is a reconstruction."
        return _row("records", None, how, affects)
    began = lives["first_recorded"].min()
    early = int((lives["opened"] < began).sum())
    how = f"The first record of all is of {began:%Y-%m-%d}; {early:,} of {len(lives):,} deals were opened before it."
    return {**_row("records", began, how, affects), "late": early > 0}


def _field(history: History, states: pd.DataFrame, lives: pd.DataFrame, name: str, affects: str) -> dict[str, Any]:
    """Say since when changes of a field of open deals are recorded."""
    if history.kind == "current_only":
        return _row(name, None, "The source keeps only today's state: no change is recorded.", affects)
    if not states[name].notna().any():
        return _row(name, None, "It is not in the export, or not mapped.", affects)
    changed = states[changes_of(states, name)].groupby("deal_id")["recorded_on"].first().reindex(lives.index)
    if not changed.notna().any():
        how = "No change of it was ever recorded: nothing changed, or it is not tracked and one value stands for all."
        return _row(name, None, how, affects)
    return _since(name, "a change of it", lives, changed, affects)


def _reasons(states: pd.DataFrame, lives: pd.DataFrame) -> dict[str, Any]:
    """Say since when lost deals carry a reason; how many do is compared before and after the first of them."""
    affects = "declared no decision, reasons"
    lost = lives[lives["status"] == "closed_lost"]
    given = states[(states["status"] == "closed_lost") & states["reason"].notna()].groupby("deal_id")["recorded_on"]
    day = given.first().reindex(lost.index)
    if not day.notna().any():
        unread = not states["reason"].notna().any()
        how = "No column is mapped as reason, or it is empty." if unread else "No lost deal has a reason."
        return _row("reason", None, how, affects)
    first = day.min()
    early = lost["closed_recorded"] < first
    share = float(day[~early].notna().mean())
    expected = share * int(early.sum())
    how = f"The first reason was recorded on {first:%Y-%m-%d}; {share:.0%} of the deals lost since have one."
    if expected < SURE:
        return _row("reason", lost["closed_recorded"].min(), how, affects)
    how += f" None of {int(early.sum()):,} lost before has one, where {about(expected)}."
    return {**_row("reason", first, how, affects), "late": True, "share_before": 0.0, "share_after": share}


def _side(history: History, lives: pd.DataFrame, as_of: dt.date) -> Iterator[dict[str, Any]]:
    """Say since when each side table is filled."""
    activities = side_known(history, "activities", as_of, "occurred_on")
    if activities is not None and len(activities):
        first = activities.groupby("deal_id")["occurred_on"].min().reindex(lives.index)
        yield _since("activities", "an activity", lives, first, "the rule for silent deals, effort, outreach")
    owners = side_known(history, "owners", as_of, "recorded_on")
    if owners is not None and len(owners):
        affects = "teams and managers at opening and at close"
        if owners["recorded_on"].notna().any() or owners["start_on"].notna().any():
            first_day = owners[["recorded_on", "start_on"]].min(axis=1).min()
            yield _row("owners", first_day, "Its rows are dated.", affects)
        else:
            yield _row("owners", None, "Its rows have no dates: teams and managers are those of today.", affects)
    for name, (event, affects) in _DATED.items():
        table = side_known(history, name, as_of, event)
        if table is not None and len(table) and table[event].notna().any():
            day = table[event].min()
            yield _row(name, day, f"Its first row is of {day:%Y-%m-%d}.", affects)


def _since(name: str, event: str, lives: pd.DataFrame, first: pd.Series[pd.Timestamp], affects: str) -> dict[str, Any]:
    """Compare the day on which an event begins to be recorded with the openings before it."""
    began = lives["first_recorded"].min()
    recorded = first.where(first <= lives["left"])
    found = late_start(deal_spans(lives, recorded, watched=lives["first_recorded"]))
    if found is None:
        how = f"{event.capitalize()} is recorded since {first.min():%Y-%m-%d}, and nothing says that any is missing."
        return _row(name, began, how, affects)
    since = pd.Timestamp(found.since)
    before = lives["opened"] < since
    shares = {"share_before": _share(recorded[before]), "share_after": _share(recorded[~before])}
    had = f"none was recorded before {found.since}" if not found.seen else f"{found.seen:,} were before {found.since}"
    how = (
        f"Of {int(before.sum()):,} deals opened before {found.since} {shares['share_before']:.0%} show {event}, of "
        f"{int((~before).sum()):,} opened since {shares['share_after']:.0%}; {had}, where {about(found.expected)}."
    )
    return {**_row(name, since, how, affects), "late": True, **shares}


def _share(days: pd.Series[pd.Timestamp]) -> float:
    return float(days.notna().mean()) if len(days) else float("nan")


def _row(what: str, day: pd.Timestamp | None, how: str, affects: str) -> dict[str, Any]:
    nothing = float("nan")
    return {
        "what": what, "trusted_from": pd.NaT if day is None else day, "late": False, "share_before": nothing,
        "share_after": nothing, "how_known": how, "affects": affects,
    }  # fmt: skip
