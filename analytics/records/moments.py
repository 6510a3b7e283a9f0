"""What was written on a deal at its opening, before its closing, at the closing and now."""

from __future__ import annotations

from typing import Any, Literal

Instant = Literal["opening", "before", "close", "now"]


def state_at(states: Any, moment: Instant, columns: dict[str, str]) -> Any:
    """Return the last state of each deal at a moment: deal_id, and `columns` under their new names.

    "opening" is the end of the deal's first day, "before" the end of the last day before its first closing (the newest
    one of a deal that never closed), "close" the end of the day of its first closing, "now" the newest state. A deal
    without a state at the moment (born closed, still open) is not in the table.
    """
    import ibis

    deal = ibis.window(group_by="deal_id")
    states = states.mutate(
        first_day=states.recorded_on.min().over(deal),
        closing_day=states.recorded_on.min(where=states.status != "open").over(deal),
    )
    chosen = {
        "opening": states.recorded_on == states.first_day,
        "before": states.closing_day.isnull() | (states.recorded_on < states.closing_day),
        "close": states.recorded_on == states.closing_day,
        "now": ibis.literal(True),
    }[moment]
    states = states.filter(chosen)
    newest = ibis.window(group_by="deal_id", order_by=[states.recorded_on.desc(), states.sequence.desc()])
    states = states.mutate(place=ibis.row_number().over(newest)).filter(lambda rows: rows.place == 0)
    return states.select("deal_id", **{to: states[name] for name, to in columns.items()})
