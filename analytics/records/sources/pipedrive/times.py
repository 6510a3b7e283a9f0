"""Pipedrive's times: UTC, mostly written without a zone, brought to the zone of the params."""

from __future__ import annotations

from collections.abc import Iterable
from zoneinfo import ZoneInfo

import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.errors import InputError
from analytics.records.sources.conform import Rows
from analytics.records.sources.exports import CrmExport
from analytics.records.sources.values import parse_moments, zone_named

UTC = ZoneInfo("UTC")


def as_utc(name: str) -> str:
    """Name of the column that keeps a time as it is in UTC."""
    return f"{name} in UTC"


def local_times(rows: Rows, names: Iterable[str], source: CrmExport, timezone: str | None) -> Rows:
    """Read columns of times and bring them to the zone of the params.

    Parameters
    ----------
    rows : Rows
        With the times as texts: `2025-03-31 23:30:00` or `2025-03-31T23:30:00Z`, both UTC.
    names : iterable of str
        The columns; those that the rows lack are left alone.
    source : CrmExport
        States their format.
    timezone : str or None
        The zone; without one times stay in UTC. A column that holds nothing but midnights holds days, and days stay.

    Returns
    -------
    Rows
        Each column as local time, and beside it `as_utc` of its name. A row with a time that cannot be read is
        rejected.

    Raises
    ------
    InputError
        Where none of a column's times can be read.
    """
    zone = zone_named(timezone)
    for name in [name for name in names if name in rows.frame]:
        texts, form = rows.frame[name], source.date_format(name)
        utc = parse_moments(texts, form, UTC)
        failed = texts.notna() & utc.isna()
        if failed.any() and int(failed.sum()) == int(texts.notna().sum()):
            raise InputError(
                f"no value of this column can be read: this one is not a time written as {form}",
                file=rows.raw.name,
                column=name,
                row=rows.raw.place(int(texts.index[failed][0]))[1],
                value=texts[failed].iloc[0],
                action="State the format under dates: in the params",
            )
        rows = rows.without(failed, f"{name} is not a time")
        utc = utc[~failed]
        frame = rows.frame.assign(**{name: _in_zone(utc, zone), as_utc(name): utc})
        rows = Rows(frame, rows.raw, rows.ledger)
    return rows


def _in_zone(utc: pd.Series, zone: ZoneInfo | None) -> pd.Series:
    only_days = bool((utc.dropna() == utc.dropna().dt.normalize()).all())
    if zone is None or only_days:
        return utc
    local: pd.Series = utc.dt.tz_localize("UTC").dt.tz_convert(zone.key).dt.tz_localize(None)
    return local.astype("datetime64[ns]")


def moved_closings(local: pd.Series, utc: pd.Series, timezone: str | None) -> list[Noticed]:
    """Count the closings whose day, and whose calendar quarter, is another one in the zone than in UTC."""
    there = local.notna()
    day = int((local[there].dt.normalize() != utc[there].dt.normalize()).sum())
    quarter = int((local[there].dt.to_period("Q") != utc[there].dt.to_period("Q")).sum())
    rule = f"dated in {timezone}" if timezone else "dated in UTC: the params name no timezone"
    closings = int(there.sum())
    return [
        Noticed(15, "closings on another day than in UTC", day, closings, "deals", rule),
        Noticed(15, "closings in another calendar quarter than in UTC", quarter, closings, "deals", rule),
    ]
