"""Salesforce: Opportunity with its two histories, tasks and users."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analytics.records.contract import History
from analytics.records.errors import InputError
from analytics.records.rejects import RejectLedger
from analytics.records.sources.conform import MOMENT, Reader, Rows
from analytics.records.sources.objects import is_true, missing_object, read_object
from analytics.records.sources.reconstruct import reconstructed
from analytics.records.sources.salesforce.changes import combined, field_rows, state_rows
from analytics.records.sources.salesforce.fields import OPPORTUNITY, OPPORTUNITY_FIELD_HISTORY, OPPORTUNITY_HISTORY
from analytics.records.sources.salesforce.mapping import SalesforceSource
from analytics.records.sources.salesforce.people import activities, owners
from analytics.records.sources.salesforce.stages import stage_statuses
from analytics.records.sources.states import history_of, side_frames

DELETED = "deleted in the CRM"


def read_salesforce(source: SalesforceSource, *, base: Path, timezone: str | None = None) -> History:
    """Read a folder with a Salesforce export.

    A deal opens on the date of CreatedDate. Each OpportunityHistory row is a state with the values after the change;
    OpportunityFieldHistory adds when owner, reason, attributes and other mapped fields changed (before its first
    recorded change a field had that change's old value; without any, today's value). CloseDate is the expected close
    while a deal is open and the typed closing date once it is closed. Times with a zone are dated in `timezone`;
    CloseDate never moves. Without OpportunityHistory only today's state is known (`kind="current_only"`).

    Parameters
    ----------
    source : SalesforceSource
        The mapping.
    base : pathlib.Path
        The params file's folder.
    timezone : str, optional
        Zone of the dates of timestamps that carry a zone; None keeps their written clock time.

    Returns
    -------
    History
        With the side tables `activities` (Task) and `owners` (User) where these were exported.

    Raises
    ------
    InputError
        As `read_history`; also for stages of which nothing says whether they are open, won or lost.

    Notes
    -----
    Field history is kept for 18 to 24 months only, and from the day on which tracking was switched on. Rows of deleted
    opportunities are rejected; Salesforce itself drops their history. Field names: Salesforce Object Reference,
    Opportunity, OpportunityHistory, OpportunityFieldHistory, Task, User.

    Examples
    --------
    >>> import tempfile
    >>> base = Path(tempfile.mkdtemp())
    >>> _ = (base / "Opportunity.csv").write_text(
    ...     "Id,StageName,CloseDate,CreatedDate,IsClosed,IsWon\\n"
    ...     "006A,Closed Won,2025-03-30,2025-01-05T10:00:00.000+0000,true,true\\n"
    ... )
    >>> _ = (base / "OpportunityHistory.csv").write_text(
    ...     "OpportunityId,CreatedDate,StageName,CloseDate,Probability\\n"
    ...     "006A,2025-01-05T10:00:00.000+0000,Proposal,2025-02-28,40\\n"
    ...     "006A,2025-04-01T08:00:00.000+0000,Closed Won,2025-03-30,100\\n"
    ... )
    >>> states = read_salesforce(SalesforceSource(kind="salesforce", folder="."), base=base).table.to_pandas()
    >>> states[["recorded_on", "status", "closed_on"]].astype(str).values.tolist()
    [['2025-01-05', 'open', 'NaT'], ['2025-04-01', 'closed_won', '2025-03-30']]
    """
    reader = Reader(base, timezone, RejectLedger())
    everything = _opportunities(source, reader)
    deleted = set(everything.frame.loc[_deleted(everything.frame), "Id"])
    deals = everything.without(_deleted(everything.frame), DELETED)
    deals.require_unique("Id", "Id")
    history = _of_deals(_not_deleted(read_object(OPPORTUNITY_HISTORY, source, reader)), deals, deleted)
    changes = _of_deals(_not_deleted(read_object(OPPORTUNITY_FIELD_HISTORY, source, reader)), deals, deleted)
    meanings = stage_statuses(source, everything.frame, history.frame if history else None)
    side = {"owners": owners(source, reader), "activities": activities(source, reader, deals, deleted)}
    if history is None:
        states = reconstructed(_as_contract(_today(deals.frame), source, meanings))
    else:
        states = _as_contract(_recorded(source, deals.frame, history.frame, changes), source, meanings)
        states = _with_today(states, deals.frame, source, meanings)
    return history_of(
        states,
        side={name: frame for name, frame in side.items() if frame is not None} | side_frames(source.side, reader),
        kind="current_only" if history is None else "recorded",
        attributes=tuple(source.tracked_attributes),
        ledger=reader.ledger,
        extracted_on=source.extracted_on,
    )


def _opportunities(source: SalesforceSource, reader: Reader) -> Rows:
    custom = dict.fromkeys(field for field in _fields(source).values() if field not in OPPORTUNITY.fields)
    for field, name in (("LeadSource", "source"), ("CurrencyIsoCode", "currency")):
        if field in custom and name not in source.model_fields_set:
            del custom[field]  # a default field that this export may lack
    defaults = [field for field in ("LeadSource", "CurrencyIsoCode") if field in _fields(source).values()]
    rows = read_object(OPPORTUNITY, source, reader, dict.fromkeys(custom, "string"), optional=defaults)
    if rows is None:
        raise missing_object(OPPORTUNITY, source, reader.base)
    return rows


def _fields(source: SalesforceSource) -> dict[str, str]:
    """Contract column or attribute -> Opportunity field, for everything that is not part of a history row."""
    named = {"reason": source.reason, "pipeline": source.pipeline, "source": source.source, "currency": source.currency}
    standard = {"account_id": "AccountId", "owner_id": "OwnerId"}
    return standard | {name: field for name, field in named.items() if field} | source.tracked_attributes


def _deleted(deals: pd.DataFrame) -> pd.Series:
    return is_true(deals["IsDeleted"]) if "IsDeleted" in deals else pd.Series(False, index=deals.index)


def _not_deleted(rows: Rows | None) -> Rows | None:
    if rows is None or "IsDeleted" not in rows.frame:
        return rows
    return rows.without(is_true(rows.frame["IsDeleted"]), DELETED)


def _of_deals(rows: Rows | None, deals: Rows, deleted: set[str]) -> Rows | None:
    """Reject history of opportunities that are deleted or not in the export."""
    if rows is None:
        return None
    ids = rows.frame["OpportunityId"]
    known = ids.isin(set(deals.frame["Id"]))
    if len(ids) and len(deals.frame) and not (known | ids.isin(deleted)).any():
        raise InputError(
            "none of its opportunities is in the Opportunity file",
            file=rows.raw.name,
            column="OpportunityId",
            value=ids.iloc[0],
            action=f"Export both with ids of one form; Opportunity has {str(deals.frame['Id'].iloc[0])!r}",
        )
    rows = rows.without(ids.isin(deleted), f"its opportunity is {DELETED}")
    return rows.without(
        ~rows.frame["OpportunityId"].isin(set(deals.frame["Id"])), "its opportunity is not in the export"
    )


def _recorded(
    source: SalesforceSource, deals: pd.DataFrame, history: pd.DataFrame, changes: Rows | None
) -> pd.DataFrame:
    fields = [field for field in dict.fromkeys(_fields(source).values()) if field in deals]
    today: pd.DataFrame = deals.set_index("Id")[[*fields, "CreatedDate"]]
    if changes is None:
        log = pd.DataFrame(columns=["deal_id", MOMENT, "Field", "OldValue", "NewValue"])
    else:
        log = field_rows(changes.frame, fields, set(deals.get("OwnerId", pd.Series(dtype=object)).dropna()))
    return combined(state_rows(deals, history), log, today)


def _today(deals: pd.DataFrame) -> pd.DataFrame:
    """The opportunities as they stand, in the shape of states."""
    return deals.rename(columns={"Id": "deal_id"})


def _as_contract(states: pd.DataFrame, source: SalesforceSource, meanings: dict[str, str]) -> pd.DataFrame:
    """From API names to contract columns."""
    status = states["StageName"].map(meanings).fillna("open")
    is_open = status == "open"
    out = pd.DataFrame({name: states[field] for name, field in _fields(source).items() if field in states})
    out = out.assign(
        deal_id=states["deal_id"],
        opened_on=states["CreatedDate"].astype("datetime64[ns]").dt.normalize(),
        stage=states["StageName"],
        status=status,
        closed_on=states["CloseDate"].where(~is_open),
        expected_close_on=states["CloseDate"].where(is_open),
        amount=states["Amount"] if "Amount" in states else float("nan"),
        **{name: value for name, value in source.constants.items() if name != "recorded_on"},
    )
    if "reason" in out:
        out["reason"] = out["reason"].where(~is_open)
    if MOMENT in states:
        out[MOMENT] = states[MOMENT]
        out["recorded_on"] = states[MOMENT].astype("datetime64[ns]").dt.normalize()
    return out


def _with_today(
    states: pd.DataFrame, deals: pd.DataFrame, source: SalesforceSource, meanings: dict[str, str]
) -> pd.DataFrame:
    """Add today's state of a deal whose history ends in another status than the one it has.

    It is recorded on LastStageChangeDate, or where the export lacks it on the last day of any history: by then at the
    latest it was known.
    """
    today = _as_contract(_today(deals), source, meanings)
    last = states.sort_values(["deal_id", MOMENT], kind="stable").drop_duplicates("deal_id", keep="last")
    differs = today["deal_id"].map(last.set_index("deal_id")["status"]).to_numpy() != today["status"].to_numpy()
    if not differs.any():
        return states
    changed = deals["LastStageChangeDate"] if "LastStageChangeDate" in deals else pd.Series(pd.NaT, index=deals.index)
    moment = changed.astype("datetime64[ns]").fillna(states[MOMENT].max())
    moment = moment.clip(lower=today["deal_id"].map(last.set_index("deal_id")[MOMENT]))
    extra: pd.DataFrame = today.assign(**{MOMENT: moment, "recorded_on": moment.dt.normalize()})[differs]
    return pd.concat([states, extra], ignore_index=True)
