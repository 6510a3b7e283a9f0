"""Inferred no-decision: on which day could each rule first have been known to fire?"""

from __future__ import annotations

import datetime as dt
from typing import Any

from analytics.records.contract import History
from analytics.records.rules import InferredKind, OutcomeRules
from analytics.records.states import known_side


def applicable_kinds(history: History, rules: OutcomeRules) -> tuple[InferredKind, ...]:
    """Which of the inferred rules that are switched on can this history answer?

    Silence needs the `activities` table, pushes need recorded states; without them the rule never fires, because
    "nothing was recorded" would otherwise read as "nothing happened".

    Examples
    --------
    >>> applicable_kinds(History(table=None), OutcomeRules(silent_days=90, older_than_days=400))
    ('aged',)
    """
    missing = {"silent"} if "activities" not in history.side else set()
    if history.kind == "current_only":
        missing.add("pushed")
    return tuple(kind for kind in rules.inferred_kinds if kind not in missing)


def counted_activities(history: History, states: Any, as_of: dt.date) -> Any | None:
    """Return the known activities per deal and day: `known_on`, `latest` and `latest_buyer` (when they took place).

    The buyer's side counts as recorded from the first day on which any buyer's activity was known (`buyer_since`);
    from then on only the buyer's activities end a silence. Deciding this by the whole table would let a later import
    rewrite what was said before.
    """
    known = known_side(history, "activities", as_of, event="occurred_on")
    if known is None:
        return None
    known = known.mutate(by_buyer=(known.side.strip().lower() == "buyer").fill_null(False))
    daily = known.group_by("deal_id", "known_on").aggregate(
        latest=known.occurred_on.max(), latest_buyer=known.occurred_on.max(where=known.by_buyer)
    )
    since = known.aggregate(buyer_since=known.known_on.min(where=known.by_buyer))
    deals = states.select("deal_id", "deal").distinct()
    return daily.inner_join(deals, "deal_id").cross_join(since).drop("deal_id")


def rows_with_firing(rows: Any, activities: Any | None, rules: OutcomeRules, as_of: dt.date) -> Any:
    """Say of every row whether a rule had fired in its spell before it was recorded.

    A deal can also be woken by an activity that would end its silence: the first one after the firing joins the rows.

    Columns: those of `rows`, is_row (0: an activity), fired_on, fired_kind (of the spell), revived (1: after it).
    """
    import ibis

    fired = _fired_spells(rows, activities, rules, as_of)
    found = fired.rename(fired_deal="deal", fired_spell="spell")
    rows = rows.left_join(found, [rows.deal == found.fired_deal, rows.spell == found.fired_spell])
    rows = rows.drop("fired_deal", "fired_spell").mutate(is_row=ibis.literal(1, type="int8"))
    if activities is not None:
        woken = _woken(fired, activities)
        missing = {name: ibis.null(kind) for name, kind in rows.schema().items() if name not in woken.columns}
        rows = rows.union(woken.mutate(**missing).select(*rows.columns).cast(rows.schema()))
    return rows.mutate(revived=(rows.recorded_on > rows.fired_on).fill_null(False).cast("int8"))


def _woken(fired: Any, activities: Any) -> Any:
    """Return the first activity after each firing that the silence rule would count on its day."""
    import ibis

    counts = activities.latest_buyer.notnull() | (activities.known_on < activities.buyer_since).fill_null(True)
    heard = activities.filter(counts).select(heard_deal="deal", recorded_on="known_on")
    after = fired.inner_join(heard, [fired.deal == heard.heard_deal, fired.fired_on < heard.recorded_on])
    woken = after.group_by("deal", "spell", "fired_on", "fired_kind").aggregate(recorded_on=after.recorded_on.min())
    return woken.mutate(is_row=ibis.literal(0, type="int8"))


def _fired_spells(rows: Any, activities: Any | None, rules: OutcomeRules, as_of: dt.date) -> Any:
    """Return the spells in which a rule fired: deal, spell, fired_on, fired_kind (the earliest; ties in rule order).

    A spell is open from its first day until the day on which it was recorded as closed, and between two things that
    were recorded nothing new is known: the first day on which a rule holds is arithmetic.
    """
    import ibis

    spells = _open_spells(rows, as_of)
    days = {}
    if rules.silent_days is not None and activities is not None:
        days["silent"] = _silent(spells, activities, rules.silent_days)
    if rules.pushed_times is not None:
        days["pushed"] = _pushed(spells, rows, rules.pushed_times)
    if rules.older_than_days is not None:
        day = _later(_plus(spells.opened, rules.older_than_days + 1), spells.since)
        days["aged"] = spells.filter(day < spells.until).select("deal", "spell", day=day)
    firsts = [table.mutate(kind=ibis.literal(kind)) for kind, table in days.items()]
    found = firsts[0].union(*firsts[1:]) if len(firsts) > 1 else firsts[0]
    fired = found.group_by("deal", "spell").aggregate(
        fired_on=found.day.min(), **{kind: found.day.min(where=found.kind == kind) for kind in days}
    )
    kind = ibis.cases(*((fired[kind] == fired.fired_on, kind) for kind in days))
    return fired.select("deal", "spell", "fired_on", fired_kind=kind)


def _open_spells(rows: Any, as_of: dt.date) -> Any:
    """One row per spell: when it was `opened`, known from `since`, and `until` when it was open as far as is known.

    The opening is the one that was recorded first: a later correction changes a deal's age, but not what would have
    been done about it. Where none was recorded no rule fires.
    """
    import ibis

    tomorrow = ibis.date(as_of + dt.timedelta(days=1))
    named = rows.opened_on.notnull()
    spells = rows.group_by("deal", "spell").aggregate(
        first_on=rows.recorded_on.min(),
        first_opened=rows.opened_on.argmin(rows.row, where=named),
        first_named=rows.recorded_on.min(where=named),
        until=rows.recorded_on.min(where=~rows.day_open).coalesce(tomorrow),
    )
    # A re-opened deal counts from its re-opening.
    first = spells.spell == 1
    spells = spells.select(
        "deal",
        "spell",
        "until",
        opened=ibis.ifelse(first, spells.first_opened, spells.first_on),
        since=ibis.ifelse(first, spells.first_named, spells.first_on),
    )
    return spells.filter(spells.since < spells.until)


def _silent(spells: Any, activities: Any, silent_days: int) -> Any:
    """First day of each spell on which nothing had been heard for `silent_days`."""
    import ibis

    # A stretch before the first activity, and one from each activity to the next.
    start = spells.select("deal").distinct().mutate(
        known_on=ibis.date(1, 1, 1), latest=ibis.null("date"), latest_buyer=ibis.null("date")
    )  # fmt: skip
    buyer_since = activities.aggregate(buyer_since=activities.buyer_since.min())
    heard = start.union(activities.select(*start.columns))
    order = ibis.window(group_by="deal", order_by="known_on")
    so_far = order.between(None, 0)
    heard = heard.select(
        heard_deal="deal",
        known_on="known_on",
        next_known=heard.known_on.lead().over(order),
        latest=heard.latest.max().over(so_far),
        latest_buyer=heard.latest_buyer.max().over(so_far),
    )
    # Nearly every deal has one spell, so this pairs each activity with one row.
    pairs = spells.inner_join(heard, spells.deal == heard.heard_deal).cross_join(buyer_since)
    anybody = _plus(_later(pairs.opened, pairs.latest), silent_days)
    anybody = _later(_later(anybody, pairs.since), pairs.known_on)
    buyer = _plus(_later(pairs.opened, pairs.latest_buyer), silent_days)
    buyer = _later(_later(_later(buyer, pairs.since), pairs.known_on), pairs.buyer_since)
    # Until the buyer's side is recorded anybody's activity ends a silence; from then on the buyer's only.
    pairs = pairs.mutate(day=ibis.ifelse((anybody >= pairs.buyer_since).fill_null(False), buyer, anybody))
    in_time = (pairs.day < pairs.until) & (pairs.day < pairs.next_known).fill_null(True)
    pairs = pairs.filter(in_time)
    return pairs.group_by("deal", "spell").aggregate(day=pairs.day.min())


def _pushed(spells: Any, rows: Any, pushed_times: int) -> Any:
    """First day of each spell that is past the expected close date of a deal pushed `pushed_times` times."""
    import ibis

    order = ibis.window(group_by=["deal", "spell"], order_by="row", preceding=None, following=0)
    states = rows.mutate(pushes=rows.pushed.count().over(order))
    often = states.filter(
        states.pushes >= pushed_times, states.last_of_day, states.is_open, states.expected.notnull()
    ).select("expected", "recorded_on", "next_day", state_deal="deal", state_spell="spell")
    pairs = spells.inner_join(often, [spells.deal == often.state_deal, spells.spell == often.state_spell])
    day = _later(_later(_later(_plus(pairs.expected, 1), pairs.recorded_on), pairs.opened), pairs.since)
    pairs = pairs.mutate(day=day)
    pairs = pairs.filter((pairs.day < pairs.until) & (pairs.day < pairs.next_day).fill_null(True))
    return pairs.group_by("deal", "spell").aggregate(day=pairs.day.min())


def _plus(day: Any, days: int) -> Any:
    import ibis

    # The engine's sum of a date and an interval is a timestamp, though ibis takes it for a date.
    return (day.cast("timestamp") + ibis.interval(days=days)).cast("date")


def _later(day: Any, other: Any) -> Any:
    """The later of two days; the other one may be missing."""
    import ibis

    return ibis.greatest(day, other)
