"""Episodes: one row per deal and stretch of life, from an opening to its end (closed, or a rule that fired)."""

from __future__ import annotations

import datetime as dt
from typing import Any

from analytics.records.contract import History
from analytics.records.definitions import Definitions
from analytics.records.firing import applicable_kinds, counted_activities, rows_with_firing
from analytics.records.rules import OutcomeRules
from analytics.records.states import numbered_states, qualifying_states, rows_in_spells

_CARRIED = ("last_on", "last_sequence", "amount_on", "amount_sequence")


def episodes_known(history: History, *, as_of: dt.date, rules: OutcomeRules, definitions: Definitions) -> Any:
    """Return every episode of every deal known at the as-of day, before anything is looked up or left out.

    Columns: deal (its number), spell, revived, episode, begun_on (when a re-opened episode began), closed_recorded_on,
    fired_on, fired_kind, n_pushes, qualified_on, has_next, born_closed and the keys (`_on`, `_sequence`) of the states
    that speak for it: opening (of the deal), amount (the last one worth something while open), end (the first closed
    one, otherwise the last), last (of the episode), newest (of the deal).
    """
    import ibis

    states = numbered_states(history, as_of)
    rows = rows_in_spells(states, qualifying_states(history, states, definitions))
    kinds = applicable_kinds(history, rules)
    if not kinds:
        unfired = {"fired_on": ibis.null("date"), "fired_kind": ibis.null("string"), "revived": 0}
        return _numbered(_parts(rows.mutate(**unfired, is_row=1)))
    usable = rules if "silent" in kinds else rules.model_copy(update={"silent_days": None})
    activities = counted_activities(history, states, as_of)
    return _numbered(_parts(rows_with_firing(rows, activities, usable, as_of)))


def _parts(events: Any) -> Any:
    """One row per deal, spell and side of a firing, with the keys of the rows that speak for it."""
    import ibis

    is_row = events.is_row == 1
    closed = is_row & ~events.day_open
    worth = is_row & events.has_amount
    first_day = is_row & (events.recorded_on == events.first_day)
    parts = events.group_by("deal", "spell", "revived").aggregate(
        begun_on=events.recorded_on.min(),
        last_on=events.recorded_on.max(where=is_row),
        last_sequence=events.sequence.argmax(events.row, where=is_row),
        closed_recorded_on=events.recorded_on.min(where=closed),
        closed_sequence=events.sequence.argmin(events.row, where=closed & events.last_of_day),
        amount_on=events.recorded_on.argmax(events.row, where=worth),
        amount_sequence=events.sequence.argmax(events.row, where=worth),
        n_pushes=events.pushed.count(where=is_row),
        qualified_on=events.recorded_on.min(where=is_row & events.qualifies),
        opening_on=events.first_day.min(),
        opening_open=events.sequence.argmax(events.row, where=first_day & events.is_open),
        opening_first=events.sequence.argmin(events.row, where=first_day),
        fired_on=events.fired_on.min(),
        fired_kind=events.fired_kind.min(),
    )
    # A firing belongs to the part that it ended.
    before = parts.revived == 0
    return parts.mutate(
        fired_on=ibis.ifelse(before, parts.fired_on, ibis.null("date")),
        fired_kind=ibis.ifelse(before, parts.fired_kind, ibis.null("string")),
    )


def _numbered(parts: Any) -> Any:
    """Number the episodes of each deal, and hand on what holds for the whole deal."""
    import ibis

    deal = ibis.window(group_by="deal", order_by=["spell", "revived"])
    parts = parts.mutate(**{f"{name}_before": ibis._[name].lag().over(deal) for name in _CARRIED})
    # A deal that only an activity revived has no row of its own since: the state that was in force stays in force. And
    # what a revived deal was worth is what it was worth before, unless somebody said so anew.
    lacks = {"last": parts.last_on.isnull(), "amount": (parts.revived == 1) & parts.amount_on.isnull()}
    own_or_before = {
        name: ibis.ifelse(lacks[name.split("_")[0]], parts[f"{name}_before"], parts[name]) for name in _CARRIED
    }
    parts = parts.mutate(**own_or_before)
    closed = parts.closed_recorded_on.notnull()
    whole = deal.between(None, None)
    return parts.mutate(
        episode=(ibis.row_number().over(deal) + 1).cast("int64"),
        has_next=parts.spell.lead().over(deal).notnull(),
        end_on=ibis.ifelse(closed, parts.closed_recorded_on, parts.last_on),
        end_sequence=ibis.ifelse(closed, parts.closed_sequence, parts.last_sequence),
        newest_on=parts.last_on.last().over(whole),
        newest_sequence=parts.last_sequence.last().over(whole),
        opening_on=parts.opening_on.first().over(whole),
        # The last open row of the first day: what is filled in while closing must not choose a segment.
        opening_sequence=parts.opening_open.coalesce(parts.opening_first).first().over(whole),
        born_closed=parts.opening_open.isnull().first().over(whole),
    )
