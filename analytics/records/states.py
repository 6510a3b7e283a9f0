"""What was recorded by the as-of day, cut into spells: open states and the closed ones that end them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pandas as pd

from analytics.records.contract import HISTORY_COLUMNS, SIDE_TABLES, History
from analytics.records.definitions import Definitions
from analytics.records.errors import InputError, nearest


def all_states(history: History) -> Any:
    """Return all recorded states, in the types of the contract."""
    return _as_table(history.table, HISTORY_COLUMNS | dict.fromkeys(history.attributes, "string"))


def known_states(history: History, as_of: dt.date) -> Any:
    """Return the recorded states that existed at the end of the as-of day."""
    states = all_states(history)
    return states.filter(states.recorded_on <= as_of)


def known_side(history: History, name: str, as_of: dt.date, *, event: str) -> Any | None:
    """Return a side table with `known_on`, the day its row became known, cut at the as-of day; None without it.

    `event` is the row's own date: a row is never known before what it describes has happened.
    """
    import ibis

    if name not in history.side:
        return None
    table = _as_table(history.side[name], SIDE_TABLES[name])
    table = table.mutate(known_on=ibis.greatest(table.recorded_on.coalesce(table[event]), table[event]))
    return table.filter(table.known_on <= as_of)


def _as_table(records: Any, contract: dict[str, str]) -> Any:
    """Return a frame or an ibis table as an ibis table with the columns and types of the contract."""
    import ibis

    table = ibis.memtable(records) if isinstance(records, pd.DataFrame) else records
    # A column that a source does not have is empty, and so is one that holds nothing but missing values.
    empty = {name: ibis.null(kind) for name, kind in contract.items() if name not in table.columns}
    return table.mutate(**empty).cast(contract)


def numbered_states(history: History, as_of: dt.date) -> Any:
    """Return the known states with `deal`, a number that stands for the deal id.

    Sorting millions of rows by a number instead of a text is several times faster. The numbers follow the order of
    the ids, so that they are the same wherever the engine computes them anew.
    """
    import ibis

    states = known_states(history, as_of)
    ids = states.select("deal_id").distinct()
    return states.inner_join(ids.mutate(deal=ibis.row_number().over(order_by=ids.deal_id)), "deal_id")


def rows_in_spells(states: Any, qualifying: Any) -> Any:
    """Number every recorded row within its deal, and say to which spell it belongs.

    Only the last row of a day counts as the state of that day, so a closing that is taken back before the evening is
    no closing. Still, every row keeps its pushes. Keeping this table narrow is what makes millions of rows cheap.

    Columns: deal, recorded_on, sequence, row, is_open, day_open (the state at the end of the day), last_of_day,
    next_day (the deal's next row's), first_day (of the deal), spell, pushed (True or nothing), opened_on, expected,
    has_amount, qualifies.
    """
    import ibis

    is_open = states.status == "open"
    rows = states.select(
        "deal", "recorded_on", "sequence", "opened_on",
        is_open=is_open,
        expected=ibis.ifelse(is_open, states.expected_close_on, ibis.null("date")),
        has_amount=is_open & (states.amount != 0).fill_null(False),
        qualifies=is_open & qualifying,
    )  # fmt: skip
    deal = ibis.window(group_by="deal", order_by=["recorded_on", "sequence"])
    day = ibis.window(group_by=["deal", "recorded_on"], order_by="sequence", preceding=None, following=None)
    rows = rows.mutate(
        row=ibis.row_number().over(deal),
        first_day=rows.recorded_on.first().over(deal),
        day_before=rows.recorded_on.lag().over(deal),
        open_before=rows.is_open.lag().over(deal),
        next_day=rows.recorded_on.lead().over(deal),
        day_open=rows.is_open.last().over(day),
    )
    # The row before the first row of a day is the last one of the previous day: the state that was left.
    reopens = (rows.day_before < rows.recorded_on) & ~rows.open_before & rows.day_open
    so_far = ibis.window(group_by="deal", order_by="row", preceding=None, following=0)
    rows = rows.mutate(
        last_of_day=rows.next_day.isnull() | (rows.next_day > rows.recorded_on),
        spell=reopens.nullif(False).count().over(so_far) + 1,
        has_expected=rows.expected.notnull(),
    )
    promises = ibis.window(group_by=["deal", "spell", "has_expected"], order_by="row")
    later = rows.expected > rows.expected.lag().over(promises)
    return rows.mutate(pushed=later.nullif(False))


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
