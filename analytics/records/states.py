"""What was recorded, in the types of the contract: states, deals under a number, side tables, qualifying stages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pandas as pd

from analytics.records.contract import HISTORY_COLUMNS, SIDE_TABLES, History
from analytics.records.definitions import Definitions
from analytics.records.errors import InputError, nearest

SEGMENT_COLUMNS = ("pipeline", "owner_id", "source")
"""History columns that, like declared attributes, are read at the moment that `attributes_at` names."""


def all_states(history: History) -> Any:
    """Return all recorded states, in the types of the contract."""
    return _as_table(history.table, HISTORY_COLUMNS | dict.fromkeys(history.attributes, "string"))


def known_states(history: History, as_of: dt.date) -> Any:
    """Return the recorded states that existed at the end of the as-of day."""
    states = all_states(history)
    return states.filter(states.recorded_on <= as_of)


def known_side(history: History, name: str, as_of: dt.date | None, *, event: str) -> Any | None:
    """Return a side table with `known_on`, the day its row became known, cut at the as-of day; None without it.

    Without an as-of day nothing is cut. `event` is the row's own date: a row is never known before what it describes
    has happened.
    """
    import ibis

    if name not in history.side:
        return None
    table = side_table(history, name)
    table = table.mutate(known_on=ibis.greatest(table.recorded_on.coalesce(table[event]), table[event]))
    return table if as_of is None else table.filter(table.known_on <= as_of)


def side_table(history: History, name: str) -> Any:
    """Return a side table in the types of the contract."""
    return _as_table(history.side[name], SIDE_TABLES[name])


def _as_table(records: Any, contract: dict[str, str]) -> Any:
    """Return a frame or an ibis table as an ibis table with the columns and types of the contract."""
    import ibis

    # The engine merges nested selects itself, and ibis needs half of the time to write a query that it need not merge:
    # a small company's snapshot under all rules takes 0.8 instead of 1.3 processor seconds, under declared reasons as
    # long as before; one of 200,000 deals with ten rows each takes no more time and memory. The deals are the same.
    ibis.options.sql.fuse_selects = False
    table = ibis.memtable(records) if isinstance(records, pd.DataFrame) else records
    # A column that a source does not have is empty, and so is one that holds nothing but missing values.
    empty = {name: ibis.null(kind) for name, kind in contract.items() if name not in table.columns}
    return table.mutate(**empty).cast(contract)


def kept(history: History, name: str, expression: Any) -> Any:
    """Return the expression, computed and stored where this History keeps what its as-of dates share."""
    return expression if history.keep is None else history.keep(name, expression)


def openings(history: History) -> Any:
    """Return one row per deal: deal (a number), deal_id, opening_on, born_closed, and its segments on its first day.

    Sorting and joining millions of rows by a number instead of a text is several times faster. The numbers follow the
    order of the ids, so that they are the same wherever the engine computes them anew. The segments are those of the
    last open state of the first day: what is filled in while closing must not choose a segment.
    """
    import ibis

    states = all_states(history)
    first = states.group_by("deal_id").aggregate(opening_on=states.recorded_on.min())
    first = first.mutate(deal=ibis.row_number().over(order_by=first.deal_id).cast("int32"))
    day = states.inner_join(first, [states.deal_id == first.deal_id, states.recorded_on == first.opening_on])
    is_open = day.status == "open"
    newest_open = ibis.window(
        group_by="deal", order_by=[is_open.desc(), ibis.ifelse(is_open, -day.sequence, day.sequence)]
    )
    segments = (*SEGMENT_COLUMNS, *history.attributes)
    day = day.mutate(place=ibis.row_number().over(newest_open), born_closed=~is_open)
    day = day.filter(day.place == 0).select("deal", "deal_id", "opening_on", "born_closed", *segments)
    return kept(history, "openings", day)


def qualifying_states(history: History, states: Any, definitions: Definitions) -> Any:
    """Return a boolean expression over `states`: is the stage at or beyond the qualification stage?

    Raises
    ------
    InputError
        When the qualification stage is not among the stages, or the stages have no known order.
    """
    import ibis

    wanted = definitions.qualification_stage
    if wanted is None:
        return ibis.literal(False)
    if definitions.stages:
        if wanted not in definitions.stages:
            raise _unknown_stage(wanted, definitions.stages)
        return states.stage.isin(definitions.stages[definitions.stages.index(wanted) :])
    if "stages" not in history.side:
        raise InputError(
            "needs the order of the stages, and there is none", column="qualification_stage", value=wanted,
            action="List the open stages in their order under stages",
        )  # fmt: skip
    return _qualifying_by_pipeline(history.side["stages"], states, wanted)


def _qualifying_by_pipeline(stages: Any, states: Any, wanted: str) -> Any:
    import ibis

    columns = ["stage", "order", *(["pipeline"] if "pipeline" in stages.columns else [])]
    listed: list[dict[str, Any]] = stages.select(*columns).to_pyarrow().to_pylist()
    starts = {row.get("pipeline"): row["order"] for row in listed if row["stage"] == wanted}
    if not starts:
        raise _unknown_stage(wanted, sorted({str(row["stage"]) for row in listed}))
    qualifies = ibis.literal(False)
    for pipeline, start in starts.items():
        beyond = [r["stage"] for r in listed if r.get("pipeline") == pipeline and r["order"] >= start]
        here = states.stage.isin(beyond)
        qualifies = qualifies | (here if pipeline is None else here & (states.pipeline == pipeline))
    return qualifies


def _unknown_stage(wanted: str, stages: Sequence[str]) -> InputError:
    return InputError(
        f"is none of the stages; {nearest(wanted, stages)}", column="qualification_stage", value=wanted,
        action="Correct qualification_stage or stages",
    )  # fmt: skip
