"""Spells: open states and the closed ones that end them, with what each row says of its spell so far.

Nothing here depends on the as-of day: a row looks back, never ahead (but for the day of the next row, which is later
than the as-of day or known by then). So this is computed once, and every as-of day is a filter.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from analytics.records.contract import History
from analytics.records.definitions import Definitions
from analytics.records.states import SEGMENT_COLUMNS, all_states, kept, openings, qualifying_states

LAST_VALUES = (
    "account_id", "opened_on", "stage", "status", "closed_on", "expected_close_on", "reason", "amount", "currency",
    "probability", "forecast_category",
)  # fmt: skip
"""What an episode takes from its last state."""

_AT_CLOSING = "_at_closing"
_KEY = ("deal", "recorded_on", "sequence")


def spells(history: History, definitions: Definitions) -> Any:
    """Return every recorded row with its place in its spell, and with what is known of the spell at the end of its day.

    Columns: deal, spell, row (in the deal), recorded_on, next_day (of the deal's next row), ends_spell (the next row
    begins another one), begun_on, n_pushes, qualified_on, qualified_next (the next qualifying row's day),
    closed_recorded_on, closed_after and, for `moved_segments`, their values `at_closing`, open_amount and open_currency
    (the last ones worth something while open); the values of the state itself: `LAST_VALUES` and `moved_segments`.
    """
    import ibis

    ids = openings(history).select("deal", "deal_id", "opening_on")
    states = all_states(history).inner_join(ids, "deal_id")
    moved = moved_segments(history, definitions)
    is_open = states.status == "open"
    worth = is_open & (states.amount != 0).fill_null(False)
    qualifies = qualifying_states(history, states, definitions)
    rows = states.select(
        *_KEY, "opening_on", "closed_after", *moved,
        is_open=is_open,
        emptied=~is_open & (states.amount.fill_null(0) == 0),
        expected=ibis.ifelse(is_open, states.expected_close_on, ibis.null("date")),
        open_amount=ibis.ifelse(worth, states.amount, ibis.null("float64")),
        open_currency=ibis.ifelse(worth, states.currency, ibis.null("string")),
        **({} if definitions.qualification_stage is None else {"qualifies": is_open & qualifies}),
    )  # fmt: skip
    closings = {"closed_recorded_on": "recorded_on", **{at_closing(name): name for name in ("closed_after", *moved)}}
    rows = _in_order(rows)
    plain, rest = _parted(rows)
    general = _with_history(_in_spells(_in_days(rest)), closings)
    rows = _of_one_spell(plain, closings).select(*general.columns).cast(general.schema()).union(general)
    values = states.select(*_KEY, *LAST_VALUES, *moved)
    return kept(history, f"spells-{shared_name(definitions)}", rows.inner_join(values, list(_KEY)).drop("sequence"))


def moved_segments(history: History, definitions: Definitions) -> list[str]:
    """Return the segments that are read at another moment than the opening (the owner, where the team's is)."""
    later = {name for name, moment in definitions.attributes_at.items() if moment != "opening"}
    later |= {"owner_id"} if "team" in later else set()
    return [name for name in (*SEGMENT_COLUMNS, *history.attributes) if name in later]


def at_closing(name: str) -> str:
    """Return the name of the column that holds a value as it was when the spell was first recorded as closed."""
    return name + _AT_CLOSING


def shared_name(definitions: Definitions, *facts: Any) -> str:
    """Name what is computed under these definitions (the part of them that spells depend on) and further facts."""
    moved = sorted(name for name, moment in definitions.attributes_at.items() if moment != "opening")
    depends = [definitions.qualification_stage, definitions.stages, moved, *facts]
    return hashlib.sha256(json.dumps(depends).encode()).hexdigest()[:16]


def _in_order(rows: Any) -> Any:
    import ibis

    deal = ibis.window(group_by="deal", order_by=["recorded_on", "sequence"])
    return rows.mutate(
        row=ibis.row_number().over(deal).cast("int32"),
        day_before=rows.recorded_on.lag().over(deal),
        open_before=rows.is_open.lag().over(deal),
        expected_before=rows.expected.lag().over(deal),
        next_day=rows.recorded_on.lead().over(deal),
    )


def _parted(rows: Any) -> tuple[Any, Any]:
    """Part the plain deals from the rest, which cost several times as much.

    A plain deal has one row a day, is never re-opened, always or never has an expected close date while open, and keeps
    its amount when it closes.
    """
    several = (rows.day_before == rows.recorded_on).fill_null(False)
    reopened = rows.is_open & ~rows.open_before.fill_null(True)
    gap = rows.is_open & rows.open_before.fill_null(False) & (rows.expected.isnull() != rows.expected_before.isnull())
    involved = rows.filter(several | reopened | gap | rows.emptied).select("deal").distinct()
    return rows.anti_join(involved, "deal"), rows.semi_join(involved, "deal")


def _of_one_spell(rows: Any, closings: dict[str, str]) -> Any:
    """What the rows of plain deals have said so far."""
    import ibis

    rows = rows.mutate(
        pushed=(rows.expected > rows.expected_before).nullif(False),
        closing=~rows.is_open & rows.open_before.fill_null(True),
    )
    so_far = ibis.window(group_by="deal", order_by="row", preceding=None, following=0)
    to_come = ibis.window(group_by="deal", order_by="row", following=(1, None))
    rows = rows.mutate(
        n_pushes=rows.pushed.count().over(so_far).cast("int32"),
        **_qualified(rows, so_far, to_come),
        **{new: rows[name].max(where=rows.closing).over(so_far) for new, name in closings.items()},
    )
    return rows.mutate(
        spell=ibis.literal(1, type="int32"), ends_spell=ibis.literal(False), begun_on=rows.opening_on,
        open_amount=ibis.null("float64"), open_currency=ibis.null("string"),
    )  # fmt: skip


def _qualified(rows: Any, so_far: Any, to_come: Any) -> dict[str, Any]:
    """On which day a spell first qualified, and on which it does so again."""
    import ibis

    if "qualifies" not in rows.columns:
        return {"qualified_on": ibis.null("date"), "qualified_next": ibis.null("date")}
    day = ibis.ifelse(rows.qualifies, rows.recorded_on, ibis.null("date"))
    return {"qualified_on": day.min().over(so_far), "qualified_next": day.min().over(to_come)}


def _in_days(rows: Any) -> Any:
    """Only the last row of a day is the state of that day: a closing taken back before the evening is no closing."""
    import ibis

    day = ibis.window(group_by=["deal", "recorded_on"], order_by="row", preceding=None, following=None)
    # The row before the first row of a day is the last one of the previous day: the state that was left.
    return rows.mutate(day_open=rows.is_open.last().over(day), left_open=rows.open_before.first().over(day))


def _in_spells(rows: Any) -> Any:
    """An open day after a closed one begins the next spell; all rows of that day belong to it."""
    import ibis

    deal = ibis.window(group_by="deal", order_by="row")
    so_far = ibis.window(group_by="deal", order_by="row", preceding=None, following=0)
    reopens = (rows.day_before < rows.recorded_on).fill_null(False) & ~rows.open_before & rows.day_open
    last_of_day = rows.next_day.isnull() | (rows.next_day > rows.recorded_on)
    rows = rows.mutate(
        spell=(reopens.nullif(False).count().over(so_far) + 1).cast("int32"),
        ends_spell=reopens.lead().over(deal).fill_null(False),
        closing=last_of_day & ~rows.is_open & rows.left_open.fill_null(True),
        has_expected=rows.expected.notnull(),
    )
    return rows.drop("day_before", "open_before", "day_open", "left_open")


def _with_history(rows: Any, closings: dict[str, str]) -> Any:
    """Add what the rows of a spell have said up to each of them; every row keeps its pushes, superseded ones too."""
    import ibis

    promises = ibis.window(group_by=["deal", "spell", "has_expected"], order_by="row")
    later = rows.expected > rows.expected.lag().over(promises)
    rows = rows.mutate(pushed=later.nullif(False), worth=rows.open_amount.notnull().nullif(False))
    so_far = ibis.window(group_by=["deal", "spell"], order_by="row", preceding=None, following=0)
    to_come = ibis.window(group_by=["deal", "spell"], order_by="row", following=(1, None))
    # A spell has one closing, so that the largest value at it is its value.
    rows = rows.mutate(
        begun_on=rows.recorded_on.first().over(so_far),
        n_pushes=rows.pushed.count().over(so_far).cast("int32"),
        n_worth=rows.worth.count().over(so_far),
        **_qualified(rows, so_far, to_come),
        **{new: rows[name].max(where=rows.closing).over(so_far) for new, name in closings.items()},
    )
    # The rows from one that is worth something to the next share what it was worth.
    worth = ibis.window(group_by=["deal", "spell", "n_worth"], order_by="row", preceding=None, following=0)
    rows = rows.mutate(
        open_amount=rows.open_amount.first().over(worth), open_currency=rows.open_currency.first().over(worth)
    )
    return rows.select(
        *_KEY, "row", "spell", "next_day", "ends_spell", "begun_on", "n_pushes", "qualified_on", "qualified_next",
        "open_amount", "open_currency", *closings,
    )  # fmt: skip
