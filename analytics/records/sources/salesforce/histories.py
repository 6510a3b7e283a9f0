"""Which histories an export has, and the states that they tell: by change, by version, or by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.sources.conform import MOMENT, Reader, Rows
from analytics.records.sources.field_changes import unread_changes
from analytics.records.sources.noticing import without_any_row
from analytics.records.sources.objects import column_of, read_object
from analytics.records.sources.salesforce.changes import (
    LOG,
    combined,
    ended_before,
    field_rows,
    is_of_fields,
    last_change,
    state_rows,
    version_changes,
)
from analytics.records.sources.salesforce.fields import OPPORTUNITY_FIELD_HISTORY
from analytics.records.sources.salesforce.ids import as_known
from analytics.records.sources.salesforce.mapping import SalesforceSource
from analytics.records.sources.salesforce.opportunities import (
    DELETED,
    Opportunities,
    is_gone,
    of_deals,
    opportunity_fields,
)
from analytics.records.sources.salesforce.tracked import TRACKED, tracked_states, with_values_read

OF_STATES = {"stage": "StageName", "amount": "Amount", "expected_close_on": "CloseDate"}
"""Contract column -> field, for what OpportunityHistory always holds and other histories from their beginning on."""


NAMES = {"changes": "OpportunityHistory", "versions": "OpportunityHistory", "fields": "OpportunityFieldHistory"}


@dataclass(frozen=True)
class Histories:
    """What was recorded of the opportunities that are studied.

    Attributes
    ----------
    changes : pandas.DataFrame or None
        OpportunityHistory rows.
    versions : pandas.DataFrame or None
        A connector's versions.
    log : pandas.DataFrame
        Changes of single fields, from OpportunityFieldHistory and between versions.
    began : dict
        Field -> the first moment from which on the log holds its changes.
    noticed : tuple of Noticed
        History of opportunities that are not in the export.
    """

    changes: pd.DataFrame | None
    versions: pd.DataFrame | None
    log: pd.DataFrame
    began: dict[str, pd.Timestamp]
    noticed: tuple[Noticed, ...]

    @property
    def tells_stages(self) -> bool:
        """Whether the stages of the past are on record."""
        return self.changes is not None or self.versions is not None or "StageName" in self.began

    @property
    def stages(self) -> pd.DataFrame:
        """StageName and Probability (missing where no row says it) of every recorded state."""
        of_stage = self.log[self.log["Field"] == "StageName"]
        names = [pd.DataFrame({"StageName": of_stage[name]}) for name in ("OldValue", "NewValue")]
        parts = [*(frame for frame in (self.changes, self.versions) if frame is not None), *names]
        seen = [
            pd.DataFrame(
                {
                    "StageName": part["StageName"].astype(object),
                    "Probability": column_of(part, "Probability").astype("float64"),
                }
            )
            for part in parts
        ]
        return pd.concat(seen, ignore_index=True).dropna(subset=["StageName"])


def read_histories(source: SalesforceSource, deals: Opportunities, reader: Reader) -> Histories:
    """Read what history the export has; rows of opportunities that are not studied are rejected and counted."""
    found: dict[str, Rows] = {}
    empty: list[Noticed] = []
    unknown = of = rewritten = 0
    for kind, rows, column in (
        ("changes", deals.history, "OpportunityId"),
        ("versions", deals.versions, "Id"),
        ("fields", read_object(OPPORTUNITY_FIELD_HISTORY, source, reader), "OpportunityId"),
    ):
        if rows is not None:
            empty += without_any_row(rows, NAMES[kind], len(deals.frame))
            rows = rows.without(is_gone(rows.frame), DELETED)
            ids = as_known(rows.frame[column], deals.everything["Id"])
            rewritten += int((ids != rows.frame[column]).sum())
            rows = Rows(rows.frame.assign(**{column: ids}), rows.raw, rows.ledger)
            found[kind], strange = of_deals(rows, column, deals)
            unknown, of = unknown + strange, of + len(rows.frame)
    frames = {kind: rows.frame for kind, rows in found.items() if len(rows.frame)}  # one without rows tells nothing
    changes, versions = frames.get("changes"), frames.get("versions")
    fields = [field for field in dict.fromkeys(opportunity_fields(source).values()) if field in deals.frame]
    logs: list[pd.DataFrame] = []
    began: dict[str, pd.Timestamp] = {}
    if "fields" in found:
        alone = changes is None and versions is None
        wanted = list(dict.fromkeys([*fields, *(TRACKED if alone else ())]))
        rows = with_values_read(found["fields"], source, of_states=alone)
        read = is_of_fields(rows.frame["Field"], wanted)
        reader.ledger.notice(unread_changes(int((~read).sum()), len(read)))
        logs.append(field_rows(rows.frame, wanted, _ids(deals.frame, fields)))
        began = {str(field): moment for field, moment in logs[0].groupby("Field")[MOMENT].min().items()}
    kept = [(versions, [*fields, *(OF_STATES.values() if changes is None else ())]), (_currencies(changes), fields)]
    for versions_of, held in kept:
        if versions_of is not None:
            logs.append(version_changes(versions_of, fields))
            start = versions_of["VersionStart"].min()
            began |= {field: min(start, began.get(field, start)) for field in held if field in versions_of}
    log = pd.concat(logs, ignore_index=True) if logs else pd.DataFrame(columns=LOG)
    strangers = Noticed(16, "history of an opportunity that is not in the export", unknown, of, "rows", "left out")
    rule = "the first 15 characters decide"
    short = Noticed(16, "history that writes an opportunity's id in its other length", rewritten, of, "rows", rule)
    seen = [strangers, *([short] if rewritten else []), *empty]
    return Histories(changes, versions, log, began, tuple(seen))


def _currencies(changes: pd.DataFrame | None) -> pd.DataFrame | None:
    """Currencies of OpportunityHistory in the shape of versions, where there are several."""
    if changes is None or "CurrencyIsoCode" not in changes or changes["CurrencyIsoCode"].nunique() < 2:
        return None
    names = {"OpportunityId": "Id", "CreatedDate": "VersionStart"}
    return changes[[*names, "CurrencyIsoCode"]].rename(columns=names)


def states_of(
    source: SalesforceSource, deals: Opportunities, histories: Histories, meanings: Mapping[str, str]
) -> pd.DataFrame:
    """Return every recorded state with every field as it was then, by API names."""
    fields = [field for field in dict.fromkeys(opportunity_fields(source).values()) if field in deals.frame]
    today = deals.frame.set_index("Id")
    if histories.changes is not None:
        rows = state_rows(deals.frame, histories.changes, _closed(meanings))
        states = combined(rows, histories.log, today[fields])
        states["closed_after"] = _closed_after(states, deals.frame, histories.changes, _closed(meanings))
    elif histories.versions is not None:
        rows = state_rows(deals.frame, _as_changes(histories.versions, deals.frame))
        states = combined(rows, histories.log, today[fields])
    else:
        states = tracked_states(today, histories.log, fields, meanings)
    return states.assign(CreatedDate=today["CreatedDate"].reindex(states["deal_id"]).to_numpy())


def _closed_after(states: pd.DataFrame, deals: pd.DataFrame, changes: pd.DataFrame, closed: set[str]) -> pd.Series:
    """The opening of deals that were closed when the history began, where nothing says on which day before it."""
    began = changes["CreatedDate"].min()
    silent = deals[~deals["Id"].isin(changes["OpportunityId"])]
    ended = silent[ended_before(silent, began, closed)]
    unsure = ended[~(last_change(ended) < began)].set_index("Id")["CreatedDate"].dt.normalize()
    opened: pd.Series = states["deal_id"].map(unsure).where(states["StageName"].isin(closed))
    return opened.astype("datetime64[ns]")


def ended_notice(deals: pd.DataFrame, histories: Histories, meanings: Mapping[str, str]) -> Noticed:
    """Say how many deals were closed before OpportunityHistory begins; their outcome is kept."""
    what, rule = "closed before the history begins", "open, in no known stage, until its close date"
    changes = histories.changes
    if changes is None:
        return Noticed(20, what, 0, len(deals), "deals", rule)
    silent = deals[~deals["Id"].isin(changes["OpportunityId"])]
    ended = ended_before(silent, changes["CreatedDate"].min(), _closed(meanings))
    return Noticed(20, f"{what} ({changes['CreatedDate'].min().date()})", int(ended.sum()), len(deals), "deals", rule)


def _closed(meanings: Mapping[str, str]) -> set[str]:
    return {stage for stage, status in meanings.items() if status != "open"}


def field_notices(source: SalesforceSource, deals: pd.DataFrame, histories: Histories) -> list[Noticed]:
    """Say of each mapped field whether its history is on record, from when, and how many deals opened before."""
    names = {name: field for name, field in opportunity_fields(source).items() if field in deals}
    began = histories.began
    names |= {name: field for name, field in OF_STATES.items() if field in began}
    noticed = []
    for name, field in names.items():
        if field not in began:
            what, before = f"{name} ({field}): no change is on record", len(deals)
            rule = "today's value stands for all earlier days"
        else:
            what = f"{name} ({field}) is on record from {began[field].date()} on; opened before"
            before = int((deals["CreatedDate"] < began[field]).sum())
            rule = "the earliest value on record stands for the days before"
        if field in OF_STATES.values() and histories.versions is not None:
            rule = "not known before"
        elif field == "StageName":
            rule = "not known before; closed before: on the close date"
        noticed.append(Noticed(20, what, before, len(deals), "deals", rule))
    return noticed


def _ids(deals: pd.DataFrame, fields: list[str]) -> set[str]:
    """Every record id that a look-up field of the opportunities holds."""
    return {value for field in fields if field.endswith("Id") for value in deals[field].dropna()}


def _as_changes(versions: pd.DataFrame, deals: pd.DataFrame) -> pd.DataFrame:
    """Versions in the shape of OpportunityHistory.

    The first version of a deal that is older than the first sync does not say what was there before. A deal without any
    version has today's state from the last sync on.
    """
    rows = versions.drop(columns="CreatedDate").rename(columns={"Id": "OpportunityId", "VersionStart": "CreatedDate"})
    now = deals[~deals["Id"].isin(versions["Id"])].rename(columns={"Id": "OpportunityId"})
    now = now.assign(CreatedDate=now["CreatedDate"].clip(lower=versions["VersionStart"].max()))
    columns = ["OpportunityId", "CreatedDate", "StageName", "Amount", "CloseDate", "Probability", "ForecastCategory"]
    parts = [part.reindex(columns=[name for name in columns if name in rows]) for part in (rows, now) if len(part)]
    both = pd.concat(parts, ignore_index=True)
    return both.assign(PrevAmount=np.nan, PrevCloseDate=pd.Series(pd.NaT, index=both.index, dtype="datetime64[ns]"))
