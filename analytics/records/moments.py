"""What was written on a deal at its opening, before its closing, at the closing and now."""

from __future__ import annotations

from typing import Any, Literal

Instant = Literal["opening", "before", "close", "now"]

_STATES_PER_DAY = 2**32


def state_at(states: Any, moment: Instant, columns: dict[str, str]) -> Any:
    """Return the last state of each deal at a moment: deal_id, and `columns` under their new names.

    "opening" is the end of the deal's first day, "before" the end of the last day before its first closing (the newest
    one of a deal that never closed), "close" the end of the day of its first closing, "now" the newest state. A deal
    without a state at the moment (born closed, still open) is not in the table.
    """
    import ibis

    marks = states.group_by("deal_id").aggregate(
        first_day=states.recorded_on.min(), closing_day=states.recorded_on.min(where=states.status != "open")
    )
    # A number that orders the states of a deal: taking its maximum needs no sorting of all states.
    day = states.recorded_on.delta(ibis.date("1970-01-01"), unit="day")
    marked = states.mutate(place=day * _STATES_PER_DAY + states.sequence).inner_join(marks, "deal_id")
    chosen = {
        "opening": marked.recorded_on == marked.first_day,
        "before": marked.closing_day.isnull() | (marked.recorded_on < marked.closing_day),
        "close": marked.recorded_on == marked.closing_day,
        "now": ibis.literal(True),
    }[moment]
    marked = marked.filter(chosen)
    newest = marked.group_by("deal_id").aggregate(place=marked.place.max())
    found = marked.inner_join(newest, ["deal_id", "place"])
    return found.select("deal_id", **{to: found[name] for name, to in columns.items()})
