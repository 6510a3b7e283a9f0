"""Episodes: one row per deal and stretch of life, from an opening to its end (closed, or a rule that fired)."""

from __future__ import annotations

import datetime as dt
from typing import Any

from analytics.records.contract import History
from analytics.records.definitions import Definitions
from analytics.records.firing import applicable_kinds, firings
from analytics.records.rules import OutcomeRules
from analytics.records.spells import spells


def episodes_known(history: History, *, as_of: dt.date, rules: OutcomeRules, definitions: Definitions) -> Any:
    """Return every episode of every deal known at the as-of day, before anything is looked up or left out.

    Columns: those of `spells` in the episode's last state, whose day is `last_on`; episode, has_next, begun_on (when a
    re-opened episode began), fired_on, fired_kind.
    """
    import ibis

    rows = spells(history, definitions)
    # The last row of each spell by then; while the spell lasts, the next row lies beyond the as-of day.
    last = rows.ends_spell | rows.next_day.isnull() | (rows.next_day > as_of)
    known = rows.filter(rows.recorded_on <= as_of, last)
    known = known.mutate(has_next=known.ends_spell & (known.next_day <= as_of).fill_null(False))
    if not applicable_kinds(history, rules):
        unfired = {"fired_on": ibis.null("date"), "fired_kind": ibis.null("string")}
        parts = known.mutate(**unfired, episode=known.spell)
    else:
        parts = _cut_by_firing(known, firings(history, rules, definitions), as_of)
    return parts.rename(last_on="recorded_on")


def _cut_by_firing(known: Any, fired: Any, as_of: dt.date) -> Any:
    """Cut spells in which a rule had fired: up to the firing, and from the first thing recorded after it."""
    import ibis

    fired = fired.filter(fired.fired_on <= as_of)
    # A deal that only an activity woke has no row of its own since: the state that was in force stays in force.
    woken = ibis.ifelse(fired.woken_on <= as_of, fired.woken_on, ibis.null("date"))
    moved = ibis.ifelse(fired.next_day <= as_of, fired.next_day, ibis.null("date"))
    fired = fired.mutate(revived_on=ibis.least(woken, moved))
    before = fired.mutate(has_next=fired.revived_on.notnull(), revived=ibis.literal(0, type="int8"))
    found = fired.select(
        "fired_on", "revived_on", fired_deal="deal", fired_spell="spell", fired_pushes="n_pushes",
        fired_next=ibis.ifelse(fired.qualified_next <= as_of, fired.qualified_next, ibis.null("date")),
    )  # fmt: skip
    rest = known.left_join(found, [known.deal == found.fired_deal, known.spell == found.fired_spell])
    cut = rest.fired_on.notnull()
    rest = rest.filter(~cut | rest.revived_on.notnull())
    rest = rest.mutate(
        n_pushes=rest.n_pushes - rest.fired_pushes.fill_null(0),
        begun_on=rest.revived_on.coalesce(rest.begun_on),
        qualified_on=ibis.ifelse(cut, rest.fired_next, rest.qualified_on),
        revived=cut.cast("int8"),
        fired_on=ibis.null("date"),
        fired_kind=ibis.null("string"),
    )
    columns = [*known.columns, "revived", "fired_on", "fired_kind"]
    parts = before.select(*columns).union(rest.select(*columns).cast(before.select(*columns).schema()))
    order = ibis.window(group_by="deal", order_by=["spell", "revived"])
    return parts.mutate(episode=ibis.row_number().over(order) + 1).drop("revived")
