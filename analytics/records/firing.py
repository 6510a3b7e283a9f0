"""Inferred no-decision: on which day could each rule first have been known to fire?"""

from __future__ import annotations

from typing import Any

from analytics.records.contract import History
from analytics.records.definitions import Definitions
from analytics.records.rules import InferredKind, OutcomeRules
from analytics.records.spells import shared_name, spells
from analytics.records.states import kept, known_side, openings


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


def firings(history: History, rules: OutcomeRules, definitions: Definitions) -> Any:
    """Return the row of `spells` that was in force when a rule fired, for every spell in which one ever did.

    The firing day is what was known on that day, so that it is the same on every as-of day that has seen it.

    Columns: those of `spells`, fired_on, fired_kind (the earliest rule; ties in rule order), woken_on (the first
    activity after it that would end a silence).
    """
    import ibis

    rows = spells(history, definitions)
    if "silent" not in applicable_kinds(history, rules):
        rules = rules.model_copy(update={"silent_days": None})
    activities = _counted_activities(history)
    fired = _fired_spells(rows, activities, rules)
    fired = fired.mutate(woken_on=ibis.null("date")) if activities is None else _with_waking(fired, activities)
    fired = fired.rename(fired_deal="deal", fired_spell="spell")
    rows = rows.inner_join(fired, [rows.deal == fired.fired_deal, rows.spell == fired.fired_spell])
    in_force = rows.next_day.isnull() | (rows.next_day > rows.fired_on)
    found = rows.filter(rows.recorded_on <= rows.fired_on, in_force).drop("fired_deal", "fired_spell")
    name = shared_name(definitions, rules.silent_days, rules.pushed_times, rules.older_than_days)
    return kept(history, f"firings-{name}", found)


def _counted_activities(history: History) -> Any | None:
    """Return the activities per deal and day: `known_on`, `latest` and `latest_buyer` (when they took place).

    The buyer's side counts as recorded from the first day on which any buyer's activity was known (`buyer_since`);
    from then on only the buyer's activities end a silence. Deciding this by the whole table would let a later import
    rewrite what was said before.
    """
    known = known_side(history, "activities", None, event="occurred_on")
    if known is None:
        return None
    known = known.mutate(by_buyer=(known.side.strip().lower() == "buyer").fill_null(False))
    daily = known.group_by("deal_id", "known_on").aggregate(
        latest=known.occurred_on.max(), latest_buyer=known.occurred_on.max(where=known.by_buyer)
    )
    since = known.aggregate(buyer_since=known.known_on.min(where=known.by_buyer))
    deals = openings(history).select("deal_id", "deal")
    return daily.inner_join(deals, "deal_id").cross_join(since).drop("deal_id")


def _with_waking(fired: Any, activities: Any) -> Any:
    """Add the first activity after each firing that the silence rule would count on its day."""
    counts = activities.latest_buyer.notnull() | (activities.known_on < activities.buyer_since).fill_null(True)
    heard = activities.filter(counts).select(heard_deal="deal", heard_on="known_on")
    after = fired.left_join(heard, [fired.deal == heard.heard_deal, fired.fired_on < heard.heard_on])
    return after.group_by(*fired.columns).aggregate(woken_on=after.heard_on.min())


def _fired_spells(rows: Any, activities: Any | None, rules: OutcomeRules) -> Any:
    """Return the spells in which a rule fired: deal, spell, fired_on, fired_kind (the earliest; ties in rule order).

    A spell is open from its first day until the day on which it was recorded as closed, and between two things that
    were recorded nothing new is known: the first day on which a rule holds is arithmetic.
    """
    import ibis

    opened = _open_spells(rows)
    days = {}
    if rules.silent_days is not None and activities is not None:
        days["silent"] = _silent(opened, activities, rules.silent_days)
    if rules.pushed_times is not None:
        days["pushed"] = _pushed(opened, rows, rules.pushed_times)
    if rules.older_than_days is not None:
        day = _later(_plus(opened.opened, rules.older_than_days + 1), opened.since)
        days["aged"] = opened.filter(day < opened.until).select("deal", "spell", day=day)
    firsts = [table.mutate(kind=ibis.literal(kind)) for kind, table in days.items()]
    found = firsts[0].union(*firsts[1:]) if len(firsts) > 1 else firsts[0]
    fired = found.group_by("deal", "spell").aggregate(
        fired_on=found.day.min(), **{kind: found.day.min(where=found.kind == kind) for kind in days}
    )
    kind = ibis.cases(*((fired[kind] == fired.fired_on, kind) for kind in days))
    return fired.select("deal", "spell", "fired_on", fired_kind=kind)


def _open_spells(rows: Any) -> Any:
    """One row per spell: when it was `opened`, known from `since`, and closed at `until` (far away where it never was).

    The opening is the one that was recorded first: a later correction changes a deal's age, but not what would have
    been done about it. Where none was recorded no rule fires.
    """
    import ibis

    named = rows.opened_on.notnull()
    found = rows.group_by("deal", "spell").aggregate(
        first_on=rows.recorded_on.min(),
        first_opened=rows.opened_on.argmin(rows.row, where=named),
        first_named=rows.recorded_on.min(where=named),
        until=rows.closed_recorded_on.min().coalesce(ibis.date(9999, 12, 31)),
    )
    # A re-opened deal counts from its re-opening.
    first = found.spell == 1
    found = found.select(
        "deal",
        "spell",
        "until",
        opened=ibis.ifelse(first, found.first_opened, found.first_on),
        since=ibis.ifelse(first, found.first_named, found.first_on),
    )
    return found.filter(found.since < found.until)


def _silent(opened: Any, activities: Any, silent_days: int) -> Any:
    """First day of each spell on which nothing had been heard for `silent_days`."""
    import ibis

    # A stretch before the first activity, and one from each activity to the next.
    start = opened.select("deal").distinct().mutate(
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
    pairs = opened.inner_join(heard, opened.deal == heard.heard_deal).cross_join(buyer_since)
    anybody = _plus(_later(pairs.opened, pairs.latest), silent_days)
    anybody = _later(_later(anybody, pairs.since), pairs.known_on)
    buyer = _plus(_later(pairs.opened, pairs.latest_buyer), silent_days)
    buyer = _later(_later(_later(buyer, pairs.since), pairs.known_on), pairs.buyer_since)
    # Until the buyer's side is recorded anybody's activity ends a silence; from then on the buyer's only.
    pairs = pairs.mutate(day=ibis.ifelse((anybody >= pairs.buyer_since).fill_null(False), buyer, anybody))
    in_time = (pairs.day < pairs.until) & (pairs.day < pairs.next_known).fill_null(True)
    pairs = pairs.filter(in_time)
    return pairs.group_by("deal", "spell").aggregate(day=pairs.day.min())


def _pushed(opened: Any, rows: Any, pushed_times: int) -> Any:
    """First day of each spell that is past the expected close date of a deal pushed `pushed_times` times."""
    last_of_day = rows.next_day.isnull() | (rows.next_day > rows.recorded_on)
    often = rows.filter(
        rows.n_pushes >= pushed_times, last_of_day, rows.status == "open", rows.expected_close_on.notnull()
    ).select("expected_close_on", "recorded_on", "next_day", state_deal="deal", state_spell="spell")
    pairs = opened.inner_join(often, [opened.deal == often.state_deal, opened.spell == often.state_spell])
    day = _later(_later(_later(_plus(pairs.expected_close_on, 1), pairs.recorded_on), pairs.opened), pairs.since)
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
