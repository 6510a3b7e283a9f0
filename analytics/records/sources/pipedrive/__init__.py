"""Pipedrive: deals with their flow, stages, pipelines, users and activities."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd

from analytics.records.contract import History, Noticed
from analytics.records.rejects import RejectLedger
from analytics.records.sources.conform import MOMENT, Reader, Rows
from analytics.records.sources.field_changes import last_open_since, played_back, without_today
from analytics.records.sources.forecasts import probabilities
from analytics.records.sources.objects import column_of, is_true, missing_object, read_object
from analytics.records.sources.pipedrive.closings import closed_on, completed, noticed
from analytics.records.sources.pipedrive.fields import DEAL_TIMES, DEALS
from analytics.records.sources.pipedrive.flow import Flow, changed, id_of
from analytics.records.sources.pipedrive.mapping import PipedriveSource
from analytics.records.sources.pipedrive.names import (
    Names,
    check_stages,
    labelled,
    read_names,
    statuses,
    unknown_stages,
)
from analytics.records.sources.pipedrive.people import activities, owners
from analytics.records.sources.pipedrive.times import local_times
from analytics.records.sources.states import history_of, side_frames

KINDS = {"status": "string", "value": "float64", "probability": "float64", "expected_close_date": "day"}
"""Fields whose history is played back, whatever the params name, and what they hold."""

IDS = ("org_id", "owner_id", "stage_id", "pipeline_id")

WHILE_OPEN = ("stage", "expected_close_on", "probability", "amount")
"""What today's row says of today alone."""


def read_pipedrive(source: PipedriveSource, *, base: Path, timezone: str | None = None) -> History:
    """Read a Pipedrive export: what was recorded of each deal, and when.

    A deal opens at `add_time`. Its status says whether it is open, won or lost; its stage is independent of that, so
    that a lost deal keeps the stage in which it was lost. Each row of flow (or changelog) changes one field: before its
    first change a field had that change's old value, without any today's. `won_time` or `lost_time` is the typed date
    of the last closing. Without flow (or where it holds no change of a field that is read) only today's values are
    known (`kind="current_only"`).

    Parameters
    ----------
    source : PipedriveSource
        The mapping.
    base : pathlib.Path
        The params file's folder.
    timezone : str, optional
        Zone in which times are dated. Pipedrive writes UTC, mostly without saying so; without a zone they stay in UTC.
        `expected_close_date` and `due_date` are days, which no zone moves.

    Returns
    -------
    History
        With the side tables `stages`, `owners` and `activities` where these were exported. Deleted deals are rejected,
        archived ones kept; `noticed` counts both, bulk edits, closings that the zone moves to another quarter, and
        where times contradict the status.

    Raises
    ------
    InputError
        As `read_history`; also for a status that is not known, and a list of stages that is not that of the deals.

    Examples
    --------
    >>> import tempfile
    >>> base = Path(tempfile.mkdtemp())
    >>> _ = (base / "deals.csv").write_text(
    ...     "id,status,stage_id,add_time,lost_time,lost_reason\\n"
    ...     "7,lost,2,2025-01-05 10:00:00,2025-03-31 23:30:00,Price\\n"
    ... )
    >>> _ = (base / "flow.csv").write_text(
    ...     "object,deal_id,field_key,old_value,new_value,log_time\\n"
    ...     "dealChange,7,status,open,lost,2025-03-31 23:30:00\\n"
    ...     "dealChange,7,stage_id,1,2,2025-02-01 09:00:00\\n"
    ... )
    >>> source = PipedriveSource(kind="pipedrive", folder=".")
    >>> states = read_pipedrive(source, base=base, timezone="Europe/Berlin").table.to_pandas()
    >>> states[["recorded_on", "stage", "status"]].astype(str).values.tolist()
    [['2025-01-05', '1', 'open'], ['2025-02-01', '2', 'open'], ['2025-04-01', '2', 'closed_lost']]
    """
    reader = Reader(base, timezone, RejectLedger())
    deals, deleted, gone = _deals(source, reader)
    names = read_names(source, reader)
    check_stages(deals, names)
    kept, kinds = set(deals.index), {**dict.fromkeys(source.texts.values(), "string"), **KINDS}
    flow = changed(source, reader, kept, deleted, kinds)
    log = None if flow is None else flow.log
    done, late = completed(log, deals, _last_known(deals, flow), source.extracted_on)
    today = pd.DataFrame({field: _today(deals, field) for field in kinds})
    states = played_back(today.assign(org_id=_today(deals, "org_id")), deals["add_time"], done.log)
    open_since = last_open_since(states, "status", late)
    states, seen = _as_contract(states.assign(closed_after=open_since), source, deals, names)
    followed = flow is not None and not flow.log.empty
    if not followed:
        states = without_today(states, WHILE_OPEN)
    side = {
        "stages": names.table,
        "owners": owners(source, reader),
        "activities": activities(source, reader, kept, deleted),
    }
    return history_of(
        states,
        side={name: frame for name, frame in side.items() if frame is not None} | side_frames(source.side, reader),
        kind="recorded" if followed else "current_only",
        attributes=tuple(source.tracked_attributes),
        ledger=reader.ledger,
        extracted_on=source.extracted_on,
        noticed=[
            *noticed(done, deals, timezone, with_flow=followed),
            *gone,
            *seen,
            *(flow.noticed if flow else ()),
        ],
    )


def _deals(source: PipedriveSource, reader: Reader) -> tuple[pd.DataFrame, set[str], list[Noticed]]:
    """Today's rows by id, with times in the zone; the ids of deleted deals; what was noticed."""
    custom = dict.fromkeys((field for field in source.texts.values() if field not in DEALS.fields), "string")
    if "source" not in source.model_fields_set:
        custom.pop(str(source.source), None)  # a default that this export may lack
    nested = {field: (*DEALS.synonyms.get(field, ()), f"custom_fields.{field}") for field in custom}
    spec = dataclasses.replace(DEALS, synonyms={**DEALS.synonyms, **nested})
    rows = read_object(spec, source, reader, custom, optional=[source.source] if source.source else [])
    if rows is None:
        raise missing_object(DEALS, source, reader.base)
    status = statuses(rows.frame["status"])
    gone = (status == "deleted") | is_true(column_of(rows.frame, "is_deleted"))
    deleted, total = set(rows.frame.loc[gone, "id"]), len(rows.frame)
    rows = Rows(rows.frame.assign(status=status), rows.raw, rows.ledger).without(gone, "deleted in the CRM")
    rows.require_unique("id", "id")
    frame = local_times(rows, DEAL_TIMES, source, reader.timezone).frame
    for name in [name for name in (*IDS, *custom) if name in frame]:
        frame[name] = frame[name].map(id_of)
    archived = int(is_true(column_of(frame, "is_archived")).sum())
    return frame.set_index("id"), deleted, [
        Noticed(16, "deleted in the CRM", int(gone.sum()), total, "deals", "left out, each with a line in the ledger"),
        Noticed(16, "archived", archived, len(frame), "deals", "kept"),
    ]  # fmt: skip


def _today(deals: pd.DataFrame, field: str) -> pd.Series:
    values = column_of(deals, field)
    return values.astype(object).where(values.notna(), None)


def _last_known(deals: pd.DataFrame, flow: Flow | None) -> pd.Timestamp:
    """The last moment at which anything was recorded; times of closing can be typed."""
    columns = [column_of(deals, name).astype("datetime64[ns]") for name in ("add_time", "update_time")]
    columns += [] if flow is None else [flow.log[MOMENT]]
    return pd.Timestamp(pd.concat(columns).max())


def _as_contract(
    states: pd.DataFrame, source: PipedriveSource, deals: pd.DataFrame, names: Names
) -> tuple[pd.DataFrame, list[Noticed]]:
    """From API names to contract columns, and what was noticed on the way."""
    states = states.assign(status=states["status"].fillna("open"))
    status, is_open = states["status"], states["status"] == "open"
    shares, percent, outside = probabilities(states["probability"].astype("float64"))
    of_stage = states["stage_id"].map(names.probability).astype("float64").where(shares.isna() & is_open)
    expected = states["expected_close_date"].astype("datetime64[ns]")
    reason = labelled(states[source.reason], names.options.get(source.reason, {}))
    plain = {name: field for name, field in source.texts.items() if name not in ("stage", "pipeline", "reason")}
    out = pd.DataFrame(
        {name: labelled(states[field], names.options.get(field, {})) for name, field in plain.items()},
        index=states.index,
    )
    out = out.assign(
        deal_id=states["deal_id"],
        account_id=states["org_id"],
        opened_on=states["deal_id"].map(deals["add_time"]).dt.normalize(),
        recorded_on=states[MOMENT].dt.normalize(),
        stage=states["stage_id"].map(lambda key: names.stages.get(key, key)),
        pipeline=states["pipeline_id"].map(lambda key: names.pipelines.get(key, key)),
        status=status,
        closed_on=closed_on(states, deals),
        closed_after=states["closed_after"],
        expected_close_on=expected.where(is_open),
        reason=reason.where(status == "closed_lost", None),
        amount=states["value"].astype("float64"),
        probability=shares.fillna(of_stage),
        **{MOMENT: states[MOMENT]},
        **{name: value for name, value in source.constants.items() if name != "recorded_on"},
    )
    taken = int(of_stage.notna().sum())
    what, rule = "probability that is not the deal's own", "the stage's, as it is set today"
    default = Noticed(11, what, taken, int(is_open.sum()), "rows", rule)
    return out, [percent, outside, default, unknown_stages(states, names)]
