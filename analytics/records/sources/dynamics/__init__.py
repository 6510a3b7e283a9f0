"""Dynamics 365 Sales: opportunity with its closings and its audit, activities, users and teams."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from analytics.records.contract import History, Noticed
from analytics.records.rejects import RejectLedger
from analytics.records.sources.conform import MOMENT, Reader
from analytics.records.sources.dynamics.audit import audited
from analytics.records.sources.dynamics.closings import closings, completed
from analytics.records.sources.dynamics.fields import CURRENCY, OPPORTUNITY
from analytics.records.sources.dynamics.mapping import OF_CLOSING, DynamicsSource
from analytics.records.sources.dynamics.meanings import (
    FORECAST,
    contradictions,
    currency_codes,
    loss_reasons,
    plain_id,
    reason_labels,
    stage_names,
    statuses,
)
from analytics.records.sources.dynamics.people import activities, owners
from analytics.records.sources.field_changes import (
    change_log,
    known_first,
    last_open_since,
    played_back,
    without_today,
)
from analytics.records.sources.forecasts import forecast_categories, probabilities
from analytics.records.sources.objects import column_of, missing_object, read_object
from analytics.records.sources.states import history_of, side_frames

KINDS = {
    "statecode": "string", "statuscode": "string", "estimatedclosedate": "day", "actualclosedate": "day",
    "estimatedvalue": "float64", "actualvalue": "float64", "closeprobability": "float64",
    "msdyn_forecastcategory": "string",
}  # fmt: skip
"""Columns whose history is played back, whatever the params name, and what they hold."""

ISO_CODE = re.compile(r"[A-Z]{3}")

WHILE_OPEN = ("stage", "expected_close_on", "probability", "forecast_category")
"""What today's row says of today alone."""


def read_dynamics(source: DynamicsSource, *, base: Path, timezone: str | None = None) -> History:
    """Read an export of Dynamics 365 Sales (Dataverse): what was recorded of each opportunity, and when.

    A deal opens on `createdon` (on `overriddencreatedon` where a migration set that and it is earlier), and its status
    is `statecode`; `On Hold` is open. Each row of audit changes what it names: before its first change a column had
    that change's old value, without any today's. Each row of opportunityclose is a closing, recorded on its
    `createdon`, with `actualend` as the typed date. Estimated date and value count while a deal is open, the actual
    ones once it is closed. The reason of a lost deal is its status reason; `Canceled` becomes no decision only by the
    params' rules. Without audit (or where it holds no change of a column that is read) only today's values are known
    (`kind="current_only"`), though closings keep their days.

    Parameters
    ----------
    source : DynamicsSource
        The mapping.
    base : pathlib.Path
        The params file's folder.
    timezone : str, optional
        Zone of the dates of timestamps that carry a zone; None keeps their written clock time. The Web API writes UTC
        with its zone; a file made in the app has the local time of whoever made it, which stays.

    Returns
    -------
    History
        With the side tables `activities` and `owners` where these were exported. `noticed` says how many closings and
        re-openings nothing records, where columns contradict each other, and from when audit is there.

    Raises
    ------
    InputError
        As `read_history`; also for a state, a status reason of a lost deal or a sales stage that nothing names.

    Notes
    -----
    Amounts stay in the deal's own currency. The `_base` columns are never read: they hold the exchange rate stamped on
    the record, so that saving a deal re-values it. transactioncurrency gives currencies their ISO codes; its rate is
    today's alone, and rates belong in `side: fx_rates` or a plan rate.

    Examples
    --------
    >>> import tempfile
    >>> base = Path(tempfile.mkdtemp())
    >>> _ = (base / "opportunity.csv").write_text(
    ...     "opportunityid,createdon,statecode,statuscode,actualclosedate\\n"
    ...     "O1,2025-01-05T10:00:00Z,2,4,2025-03-30\\n"
    ... )
    >>> _ = (base / "opportunityclose.csv").write_text(
    ...     "opportunityid,createdon,actualend,opportunitystatecode,opportunitystatuscode\\n"
    ...     "O1,2025-04-01T08:00:00Z,2025-03-30,2,4\\n"
    ... )
    >>> states = read_dynamics(DynamicsSource(kind="dynamics", folder="."), base=base).table.to_pandas()
    >>> states[["recorded_on", "status", "closed_on", "reason"]].astype(str).values.tolist()
    [['2025-01-05', 'open', 'NaT', 'None'], ['2025-04-01', 'closed_lost', '2025-03-30', 'Canceled']]
    """
    reader = Reader(base, timezone, RejectLedger())
    deals = _opportunities(source, reader)
    kinds = KINDS | {field: "string" for field in source.texts.values() if not field.startswith(OF_CLOSING)}
    audit = audited(source, reader, deals, kinds)
    closed = closings(source, reader, deals, None if audit is None else audit.log)
    recorded = change_log([*([audit.log] if audit else []), *([closed[0]] if closed else [])])
    log, late, found = completed(recorded, deals, _last_known(deals, recorded), source.extracted_on)
    today = pd.DataFrame({field: _today(deals, field) for field in dict.fromkeys([*kinds, *source.texts.values()])})
    today["account_id"] = known_first(_today(deals, "parentaccountid"), _today(deals, "customerid"))
    states = played_back(today, deals.set_index("opportunityid")["opened"], log)
    states = states.assign(closed_after=last_open_since(states, "statecode", late))
    states, seen = _as_contract(states, source, reader, deals)
    followed = audit is not None and not audit.log.empty
    if not followed:
        states = without_today(states.assign(amount=_amount_of_today(states)), WHILE_OPEN)
    side = {"owners": owners(source, reader), "activities": activities(source, reader, set(deals["opportunityid"]))}
    noticed = [*found, *(closed[1] if closed else ()), *seen, *(audit.noticed if audit else ())]
    return history_of(
        states,
        side={name: frame for name, frame in side.items() if frame is not None} | side_frames(source.side, reader),
        kind="recorded" if followed else "current_only",
        attributes=tuple(source.tracked_attributes),
        ledger=reader.ledger,
        extracted_on=source.extracted_on,
        noticed=noticed,
    )


def _opportunities(source: DynamicsSource, reader: Reader) -> pd.DataFrame:
    """Today's rows, with plain ids, `status` and `opened`."""
    named = [field for field in source.texts.values() if field not in OPPORTUNITY.fields]
    custom = dict.fromkeys((field for field in named if not field.startswith(OF_CLOSING)), "string")
    if "stage" not in source.model_fields_set:
        custom.pop(source.stage, None)  # a default that this export may lack
    rows = read_object(OPPORTUNITY, source, reader, custom, optional=[source.stage])
    if rows is None:
        raise missing_object(OPPORTUNITY, source, reader.base)
    rows.require_unique("opportunityid", "opportunityid")
    deals = rows.frame.assign(status=statuses(rows.frame["statecode"]))
    for field in deals.columns.intersection([*source.texts.values(), "opportunityid", "parentaccountid", "customerid"]):
        deals[field] = deals[field].map(plain_id)
    original = column_of(deals, "overriddencreatedon").astype("datetime64[ns]")
    earlier = original < deals["createdon"].dt.normalize()
    return deals.assign(opened=deals["createdon"].where(~earlier, original), statecode=deals["status"])


def _today(deals: pd.DataFrame, field: str) -> pd.Series:
    values = column_of(deals.set_index("opportunityid"), field)
    return values.astype(object).where(values.notna(), None)


def _last_known(deals: pd.DataFrame, log: pd.DataFrame) -> pd.Timestamp:
    """The last moment at which anything was recorded."""
    columns = [deals["createdon"], column_of(deals, "modifiedon").astype("datetime64[ns]"), log[MOMENT]]
    return pd.Timestamp(pd.concat(columns).max())


def _amount_of_today(states: pd.DataFrame) -> pd.Series:
    """Without audit nothing says what a deal was worth while it was open, unless it is open today."""
    was_open = (states["status"] == "open") & states["deal_id"].duplicated(keep="last")
    return states["amount"].where(~was_open)


def _as_contract(
    states: pd.DataFrame, source: DynamicsSource, reader: Reader, deals: pd.DataFrame
) -> tuple[pd.DataFrame, list[Noticed]]:
    """From logical names to contract columns, and what was noticed on the way."""
    status = states["statecode"].fillna("open")
    is_open = status == "open"
    labels = reason_labels(source, deals)
    codes = currency_codes(deals, read_object(CURRENCY, source, reader))
    number = {name: states[name].astype("float64") for name, kind in KINDS.items() if kind == "float64"}
    day = {name: states[name].astype("datetime64[ns]") for name, kind in KINDS.items() if kind == "day"}
    shares, percent, outside = probabilities(number["closeprobability"])
    category, unnamed = forecast_categories(states["msdyn_forecastcategory"], FORECAST)
    lost = status == "closed_lost"
    reason = states[source.reason].where(lost, None)
    out = pd.DataFrame({name: states[field] for name, field in source.texts.items()})
    out = out.assign(
        deal_id=states["deal_id"],
        account_id=states["account_id"],
        opened_on=states["deal_id"].map(deals.set_index("opportunityid")["opened"]).dt.normalize(),
        recorded_on=states[MOMENT].dt.normalize(),
        stage=stage_names(states[source.stage], source.stage),
        status=status,
        closed_on=day["actualclosedate"].where(~is_open),
        closed_after=states["closed_after"],
        expected_close_on=day["estimatedclosedate"].where(is_open),
        reason=loss_reasons(reason, lost, labels) if source.reason == "statuscode" else reason,
        amount=number["estimatedvalue"].where(is_open, number["actualvalue"]),
        currency=_currency(states, deals, codes),
        probability=shares,
        forecast_category=category,
        **{MOMENT: states[MOMENT]},
        **{name: value for name, value in source.constants.items() if name != "recorded_on"},
    )
    return out, [percent, outside, unnamed, *contradictions(deals, labels), _migrated(deals), _without_currency(out)]


def _currency(states: pd.DataFrame, deals: pd.DataFrame, codes: dict[str, str]) -> pd.Series:
    """The ISO code of each state's currency: by its id, or as written; else the one that the deal has today."""
    ids = states["transactioncurrencyid"]
    named = [key if key and ISO_CODE.fullmatch(key) else codes.get(key) for key in ids]
    todays = states["deal_id"].map(_today(deals, "isocurrencycode"))
    return known_first(pd.Series(named, index=states.index, dtype=object), todays.where(ids.isna()))


def _migrated(deals: pd.DataFrame) -> Noticed:
    brought = int(column_of(deals, "overriddencreatedon").notna().sum())
    rule = "opened on the earlier of createdon and overriddencreatedon"
    return Noticed(4, "brought in by a migration", brought, len(deals), "deals", rule)


def _without_currency(states: pd.DataFrame) -> Noticed:
    lacking = states.loc[states["currency"].isna(), "deal_id"].nunique()
    what, rule = "currency that nothing names", "left empty; amounts in the base currency (_base) are never read"
    return Noticed(13, what, int(lacking), states["deal_id"].nunique(), "deals", rule)
