"""Inferred no-decision: on which day could each rule first have been known to fire?"""

from __future__ import annotations

import datetime as dt
from typing import Any

from analytics.records.contract import History
from analytics.records.rules import InferredKind, OutcomeRules
from analytics.records.states import known_side

_PACK = 2**32


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
    which a rule holds is arithmetic (on day numbers); the earliest over the open stretches of a spell is the firing
    day.

    Columns: those of `rows`, is_row (0: an activity), speaks (a row, or an activity that ends a silence), fired_on,
    fired_kind (of the spell; ties in rule order), revived (1: after the firing).
    """
    import ibis

    events = _stretches(rows, activities, rules)
    candidates = {"silent": _silent(events, rules), "pushed": _pushed(events, rules), "aged": _aged(events, rules)}
    spell = ibis.window(group_by=["deal", "spell"])
    can_fire = (events.open_then == 1) & (events.opened_then > 0)
    first: dict[str, Any] = {}
    for kind, day in candidates.items():
        if day is not None:
            in_time = (day < events.until).fill_null(True) & (day <= _number(ibis.date(as_of)))
            first[kind] = day.min(where=can_fire & in_time).over(spell)
    events = events.mutate(**{f"{kind}_day": day for kind, day in first.items()})
    days = {kind: events[f"{kind}_day"] for kind in first}
    events = events.mutate(fired_day=ibis.least(*days.values()))
    return events.mutate(
        fired_on=(ibis.timestamp("0001-01-01") + events.fired_day.as_interval("D")).cast("date"),
        fired_kind=ibis.cases(*((day == events.fired_day, kind) for kind, day in days.items())),
        revived=(events.since > events.fired_day).fill_null(False).cast("int8"),
    )


def _stretches(rows: Any, activities: Any | None, rules: OutcomeRules) -> Any:
    """Give everything recorded what was known from its day (`since`) until the next record (`until`)."""
    import ibis

    order = ibis.window(group_by=["deal", "spell"], order_by="row", preceding=None, following=0)
    pushes = rows.pushed.count().over(order) if rules.pushed_times is not None else ibis.literal(0)
    rows = rows.mutate(
        is_row=ibis.literal(1, type="int8"),
        pushes=pushes,
        # A re-opened deal counts from its re-opening.
        opened=ibis.ifelse(rows.spell == 1, rows.opened_on, rows.reopened_on),
    )
    events = _with_activities(rows.drop("opened_on", "reopened_on"), activities)
    events = events.mutate(since=_number(events.recorded_on))
    deal = ibis.window(group_by="deal", order_by=["recorded_on", "is_row", "row"])
    so_far = deal.between(None, 0)

    def carried(value: Any) -> Any:
        """Return the newest row's value: the largest of (row, value) packed into one number; 0 where it is missing."""
        return (events.row * _PACK + value.fill_null(0)).max().over(so_far) % _PACK

    events = events.mutate(
        until=events.since.lead().over(deal),
        spell=events.spell.max().over(so_far),
        heard=_number(events.latest).max().over(so_far),
        heard_buyer=_number(events.latest_buyer).max().over(so_far),
        open_then=carried(events.is_open.cast("int64")),
        expected_then=carried(_number(events.expected)),
        pushes_then=carried(events.pushes),
        opened_then=carried(_number(events.opened)),
    )
    # Before a deal's first state there is nothing to fire.
    return events.filter(events.spell.notnull())


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
    anybody = ibis.greatest(ibis.greatest(events.opened_then, events.heard) + rules.silent_days, events.since)
    buyer_since = _number(events.buyer_since)
    buyer = ibis.greatest(
        ibis.greatest(events.opened_then, events.heard_buyer) + rules.silent_days, events.since, buyer_since
    )
    # Until the buyer's side is recorded anybody's activity ends a silence; from then on the buyer's only.
    return ibis.ifelse((anybody >= buyer_since).fill_null(False), buyer, anybody)


def _pushed(events: Any, rules: OutcomeRules) -> Any | None:
    """First day of the stretch that is past the expected close date of a deal pushed `pushed_times` times."""
    import ibis

    if rules.pushed_times is None:
        return None
    overdue = ibis.greatest(events.expected_then + 1, events.since, events.opened_then)
    often = (events.pushes_then >= rules.pushed_times) & (events.expected_then > 0)
    return ibis.ifelse(often, overdue, ibis.null("int64"))


def _aged(events: Any, rules: OutcomeRules) -> Any | None:
    """First day of the stretch on which the deal is older than `older_than_days`."""
    import ibis

    if rules.older_than_days is None:
        return None
    return ibis.greatest(events.opened_then + rules.older_than_days + 1, events.since)


def _number(day: Any) -> Any:
    """Days since 1 January of the year 1, which every date exceeds: missing can be 0."""
    import ibis

    return day.delta(ibis.date(1, 1, 1), unit="day")
