"""Closings and re-openings: from opportunityclose, and from today's row where nothing else tells them."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left

import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.sources.conform import MOMENT, Reader, Rows
from analytics.records.sources.dynamics.fields import OPPORTUNITY_CLOSE
from analytics.records.sources.dynamics.mapping import OF_CLOSING, DynamicsSource
from analytics.records.sources.dynamics.meanings import plain_id, statuses
from analytics.records.sources.field_changes import (
    END_OF_DAY,
    change_log,
    changes_of,
    completed_statuses,
    known_first,
    until,
)
from analytics.records.sources.objects import column_of, missing_object, read_object
from analytics.records.sources.reconstruct import SENSELESS_DAYS

AT_CLOSING = ("statuscode", "actualclosedate", "actualvalue")
"""Columns of the opportunity that a closing fills in, besides statecode."""


def closings(
    source: DynamicsSource, reader: Reader, deals: pd.DataFrame, audit: pd.DataFrame | None
) -> tuple[pd.DataFrame, list[Noticed]] | None:
    """Read opportunityclose as changes of the opportunity; None where the export does not have it.

    A closing is recorded on `createdon`; its typed date is `actualend` (of the last closing: today's actualclosedate,
    where that is within a day of it, because no time zone moves it). Without `createdon` it was recorded at the first
    closing that audit logs from `actualend` on and before the deal's next one; else at the end of that day, but not
    before the deal was opened and not after the last change of its row. How it ended is `opportunitystatecode`; where
    that is missing, what audit logs on the same day; for the last closing of a deal that is closed today, today's
    state; else it is not known. What the last closing leaves out, today's row says. `description` is never read.

    Raises
    ------
    InputError
        Where an attribute is to come from it and it is not there.
    """
    custom = dict.fromkeys(source.closing_fields, "string")
    rows = read_object(OPPORTUNITY_CLOSE, source, reader, custom)
    if rows is None:
        if custom:
            raise missing_object(OPPORTUNITY_CLOSE, source, reader.base)
        return None
    ids = rows.frame["opportunityid"].map(plain_id)
    rows = rows.without(~ids.isin(set(deals["opportunityid"])), "its opportunity is not in the export")
    rows, undated = _with_moments(rows, deals, audit)
    status = statuses(column_of(rows.frame, "opportunitystatecode"), "opportunitystatecode")
    rows = rows.without(status == "open", "a closing that says open")
    frame = rows.frame.assign(status=status.reindex(rows.frame.index)).sort_values("createdon", kind="stable")
    frame["opportunityid"] = frame["opportunityid"].map(plain_id)
    frame["status"], unsaid = _statuses(frame, deals, audit)
    today = deals.set_index("opportunityid")
    last = ~frame["opportunityid"].duplicated(keep="last") & (frame["opportunityid"].map(today["status"]) != "open")
    filled = {"actualclosedate": "actualend", "actualvalue": "actualrevenue", "statuscode": "opportunitystatuscode"}
    if audit is not None and "opportunitystatuscode" not in frame:
        del filled["statuscode"]  # audit knows it better
    values = {
        field: known_first(column_of(frame, name), frame["opportunityid"].map(column_of(today, field)).where(last))
        for field, name in filled.items()
    }
    own = frame["opportunityid"].map(column_of(today, "actualclosedate")).where(last).astype("datetime64[ns]")
    ended = pd.to_datetime(values["actualclosedate"])
    values["actualclosedate"] = ended.mask((own - ended).abs() <= pd.Timedelta(days=1), own)
    values |= {f"{OF_CLOSING}{name}": frame[name].map(plain_id) for name in custom}
    parts = [changes_of(frame["opportunityid"], frame["createdon"], "statecode", "open", frame["status"])]
    for field, column in values.items():
        column = column.astype(object).where(column.notna(), None)
        parts.append(changes_of(frame["opportunityid"], frame["createdon"], field, None, column))
    what = "closings that do not say whether they were won or lost"
    return change_log(parts), [Noticed(9, what, unsaid, len(frame), "rows", "closed, outcome unknown"), *undated]


def _with_moments(rows: Rows, deals: pd.DataFrame, audit: pd.DataFrame | None) -> tuple[Rows, list[Noticed]]:
    """Say when each closing was recorded, where `createdon` is missing."""
    frame = rows.frame
    created, typed = (column_of(frame, name).astype("datetime64[ns]") for name in ("createdon", "actualend"))
    missing = created.isna()
    if not missing.any():
        return rows, []
    deal = frame["opportunityid"].map(plain_id)
    today = deals.set_index("opportunityid")
    bound = deal.map(column_of(today, "modifiedon").astype("datetime64[ns]"))
    opened = deal.map(today["opened"]).where(typed.notna())
    moments = pd.DataFrame({"typed": until(typed + END_OF_DAY, bound), "opened": opened}).max(axis=1)
    created = created.fillna(_logged(deal, typed, audit)).fillna(moments)
    what, rule = (
        "closing without the time at which it was recorded",
        "recorded when audit logs it, else on its actual end, which was typed",
    )
    seen = Noticed(1, what, int((missing & created.notna()).sum()), len(frame), "rows", rule)
    rows = Rows(frame.assign(createdon=created), rows.raw, rows.ledger)
    return rows.without(created.isna(), "neither createdon nor actualend"), [seen]


def _logged(deal: pd.Series, typed: pd.Series, audit: pd.DataFrame | None) -> pd.Series:
    """When audit first logs a closing of the deal on or after a typed day, and before the typed day of its next one."""
    if audit is None:
        return pd.Series(pd.NaT, index=deal.index, dtype="datetime64[ns]")
    turns = audit[(audit["Field"] == "statecode") & (audit["NewValue"] != "open")].sort_values(MOMENT, kind="stable")
    logged = {key: list(moments) for key, moments in turns.groupby("deal_id")[MOMENT]}
    following = typed.sort_values(kind="stable").groupby(deal).shift(-1).reindex(typed.index)
    found = []
    for key, day, later in zip(deal, typed, following, strict=True):
        moments = logged.get(key, [])
        at = bisect_left(moments, day) if pd.notna(day) else len(moments)
        found.append(moments[at] if at < len(moments) and not moments[at] >= later else pd.NaT)
    return pd.Series(found, index=deal.index, dtype="datetime64[ns]")


def _statuses(frame: pd.DataFrame, deals: pd.DataFrame, audit: pd.DataFrame | None) -> tuple[pd.Series, int]:
    """How each closing ended, and of how many nothing says it."""
    status = frame["status"].copy()
    if audit is not None:
        turns = audit[(audit["Field"] == "statecode") & (audit["NewValue"] != "open")]
        days = zip(turns["deal_id"], turns[MOMENT].dt.normalize(), strict=True)
        of_day = dict(zip(days, turns["NewValue"], strict=True))
        keys = zip(frame["opportunityid"], frame["createdon"].dt.normalize(), strict=True)
        status = known_first(status, pd.Series([of_day.get(key) for key in keys], index=frame.index, dtype=object))
    today = frame["opportunityid"].map(deals.set_index("opportunityid")["status"])
    last = ~frame["opportunityid"].duplicated(keep="last") & (today != "open")
    status = known_first(status, today.where(last))
    return status.fillna("closed_unknown"), int(status.isna().sum())


def completed(
    log: pd.DataFrame, deals: pd.DataFrame, end: pd.Timestamp, extracted_on: dt.date | None
) -> tuple[pd.DataFrame, frozenset[str], list[Noticed]]:
    """Add the re-openings and closings that today's rows prove and that nothing records.

    Parameters
    ----------
    log : pandas.DataFrame
        `CHANGE`, from audit and opportunityclose.
    deals : pandas.DataFrame
        Today's rows: `opportunityid`, `opened`, `status`, `modifiedon`, `actualclosedate` and the columns of a closing.
    end : pandas.Timestamp
        The last thing that the export knows.
    extracted_on : datetime.date or None
        The day of the export, where it is stated.

    Returns
    -------
    (pandas.DataFrame, frozenset of str, list of Noticed)
        As `completed_statuses`; the deals whose closing only today's row tells, and dates later than it can have been
        known; what was seen. A deal that is open today was re-opened by the last change of its row (`modifiedon`;
        without it the end of the export). A closing that only today's row tells was recorded at the end of its actual
        close date or by the last change of its row (without it, by the day of the export; without that, by the last
        change of any row, if any is on record), whichever comes first; one dated before the opening, with it; one dated
        more than ten years after the opening, by the end of the export.
    """
    deals = deals.set_index("opportunityid")
    typed = column_of(deals, "actualclosedate").astype("datetime64[ns]")
    modified = column_of(deals, "modifiedon").astype("datetime64[ns]")
    bound = modified if extracted_on is None else modified.fillna(pd.Timestamp(extracted_on) + END_OF_DAY)
    senseless = (typed - deals["opened"]).dt.days > SENSELESS_DAYS
    tells = bool(len(log)) or bool(modified.notna().any())
    bound = bound.fillna(end).where(senseless | bound.notna() | tells)
    backwards = typed < deals["opened"].dt.normalize()
    today = pd.DataFrame(
        {
            "status": deals["status"],
            "closed_at": until(typed + END_OF_DAY, bound).where(~backwards, deals["opened"]),
            "latest": modified.fillna(end),
        }
    )
    done = completed_statuses(log, "statecode", today)
    late = deals.index[typed > today["closed_at"].dt.normalize()]
    ids, is_open = done.added["deal_id"], done.added["status"] == "open"
    parts = [done.log]
    for field in AT_CLOSING:
        values = column_of(deals, field).reindex(ids).astype(object)
        values = values.where(values.notna().to_numpy() & ~is_open.to_numpy(), None)
        parts.append(changes_of(ids, done.added[MOMENT], field, None, values))
    n_closed = int((deals["status"] != "open").sum())
    return change_log(parts), frozenset(late) & frozenset(ids), [
        Noticed(
            6, "re-opened on a day that nothing records", len(done.reopened), len(deals), "deals",
            "open from the end of the day before the next closing; open today: from the last change of the row",
        ),
        Noticed(
            1, "closed on a day that nothing records", int((~is_open).sum()), n_closed, "deals",
            "recorded on the actual close date, which somebody typed",
        ),
    ]  # fmt: skip
