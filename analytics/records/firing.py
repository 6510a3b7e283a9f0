"""Inferred no-decision: on which day could each rule first have been known to fire?"""

from __future__ import annotations

import datetime as dt
from typing import Any

from analytics.records.contract import History
from analytics.records.rules import INFERRED_KINDS, InferredKind, OutcomeRules
from analytics.records.states import known_side

_NEVER = dt.date(9999, 12, 31)


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


def events_with_firing(rows: Any, activities: Any | None, rules: OutcomeRules, as_of: dt.date) -> Any:
    """Say of every row, and of every activity among them, whether a rule had fired in its spell before it.

    Between two things that were recorded nothing new is known, so within each such stretch of days the first day on
    which a rule holds is arithmetic; the earliest one over the open stretches of a spell is the firing day.

    Columns: those of `rows`, is_row (0: an activity), speaks (a row, or an activity that ends a silence), fired_on,
    fired_kind (of the spell; ties in rule order), revived (1: after the firing).
    """
    import ibis

    events = _stretches(rows, activities)
    candidates = {"silent": _silent(events, rules), "pushed": _pushed(events, rules), "aged": _aged(events, rules)}
    spell = ibis.window(group_by=["deal", "spell"])
    can_fire = events.open_then & events.opened_then.notnull()
    first: dict[str, Any] = {}
    for kind in (kind for kind in INFERRED_KINDS if candidates[kind] is not None):
        day = candidates[kind]
        in_time = can_fire & (day < events.until) & (day <= as_of)
        first[kind] = day.min(where=in_time).over(spell)
    events = events.mutate(**{f"{kind}_on": day for kind, day in first.items()})
    days = {kind: events[f"{kind}_on"] for kind in first}
    events = events.mutate(fired_on=ibis.least(*days.values()))
    kind = ibis.cases(*((events[f"{kind}_on"] == events.fired_on, kind) for kind in days))
    return events.mutate(fired_kind=kind, revived=(events.recorded_on > events.fired_on).fill_null(False).cast("int8"))


def _stretches(rows: Any, activities: Any | None) -> Any:
    """Give everything recorded what was known from that day (`recorded_on`) until the next record (`until`)."""
    import ibis

    order = ibis.window(group_by=["deal", "spell"], order_by="row")
    rows = rows.mutate(
        pushes=rows.pushed.count().over(order.between(None, 0)),
        spell_day=rows.recorded_on.first().over(order),
        is_row=ibis.literal(1, type="int8"),
    )
    # A re-opened deal counts from its re-opening.
    opened = ibis.ifelse(rows.spell == 1, rows.opened_on, rows.spell_day)
    events = _with_activities(rows.mutate(opened=opened).drop("spell_day", "opened_on"), activities)
    deal = ibis.window(group_by="deal", order_by=["recorded_on", "is_row", "row"])
    so_far = deal.between(None, 0)
    events = events.mutate(
        until=events.recorded_on.lead().over(deal).fill_null(_NEVER),
        state=events.is_row.nullif(0).count().over(so_far),
        spell=events.spell.max().over(so_far),
        heard=events.latest.max().over(so_far),
        heard_buyer=events.latest_buyer.max().over(so_far),
    )
    # Carry each state forward over the activities that follow it; before the first state there is nothing to fire.
    carried = ibis.window(group_by=["deal", "state"])
    events = events.mutate(
        open_then=events.is_open.max().over(carried),
        expected_then=events.expected.max().over(carried),
        pushes_then=events.pushes.max().over(carried),
        opened_then=events.opened.max().over(carried),
    )
    return events.filter(events.state > 0)


def _with_activities(rows: Any, activities: Any | None) -> Any:
    """Put the activities among the rows; `speaks` says of each whether it can revive a deal on which a rule fired."""
    import ibis

    missing = {name: ibis.null("date") for name in ("latest", "latest_buyer", "buyer_since")}
    if activities is None:
        return rows.mutate(**missing, speaks=ibis.literal(True))
    since = activities.aggregate(buyer_since=activities.buyer_since.min())
    rows = rows.mutate(latest=missing["latest"], latest_buyer=missing["latest_buyer"], speaks=True).cross_join(since)
    speaks = activities.latest_buyer.notnull() | (activities.known_on < activities.buyer_since).fill_null(True)
    own = {"recorded_on": activities.known_on, "is_row": ibis.literal(0, type="int8"), "speaks": speaks}
    empty = {name: ibis.null(kind) for name, kind in rows.schema().items() if name not in activities.columns}
    return rows.union(activities.mutate(**(empty | own)).select(*rows.columns).cast(rows.schema()))


def _silent(events: Any, rules: OutcomeRules) -> Any | None:
    """First day of the stretch on which nothing had been heard for `silent_days`."""
    import ibis

    if rules.silent_days is None:
        return None
    anybody = ibis.greatest(
        _plus(ibis.greatest(events.opened_then, events.heard), rules.silent_days), events.recorded_on
    )
    heard_buyer = ibis.greatest(events.opened_then, events.heard_buyer)
    buyer = ibis.greatest(_plus(heard_buyer, rules.silent_days), events.recorded_on, events.buyer_since)
    # Until the buyer's side is recorded anybody's activity ends a silence; from then on the buyer's only.
    return ibis.ifelse((anybody >= events.buyer_since).fill_null(False), buyer, anybody)


def _pushed(events: Any, rules: OutcomeRules) -> Any | None:
    """First day of the stretch that is past the expected close date of a deal pushed `pushed_times` times."""
    import ibis

    if rules.pushed_times is None:
        return None
    overdue = ibis.greatest(_plus(events.expected_then, 1), events.recorded_on, events.opened_then)
    often = (events.pushes_then >= rules.pushed_times) & events.expected_then.notnull()
    return ibis.ifelse(often, overdue, ibis.null("date"))


def _aged(events: Any, rules: OutcomeRules) -> Any | None:
    """First day of the stretch on which the deal is older than `older_than_days`."""
    import ibis

    if rules.older_than_days is None:
        return None
    return ibis.greatest(_plus(events.opened_then, rules.older_than_days + 1), events.recorded_on)


def _plus(day: Any, days: int) -> Any:
    import ibis

    # The engine's sum of a date and an interval is a timestamp, though ibis takes it for a date.
    return (day.cast("timestamp") + ibis.interval(days=days)).cast("date")
