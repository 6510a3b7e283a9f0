"""OpportunityFieldHistory by itself: what stage, amount and close date were, from the day their tracking began."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from analytics.records.sources.conform import MOMENT, Rows
from analytics.records.sources.numbers import believable_numbers
from analytics.records.sources.objects import plain_name
from analytics.records.sources.salesforce.changes import closing_moments, combined, last_change
from analytics.records.sources.salesforce.mapping import SalesforceSource
from analytics.records.sources.values import parse_moments

TRACKED = ("StageName", "Amount", "CloseDate", "Probability", "ForecastCategoryName")
"""Fields of the states of a deal that field history may hold."""


def with_values_read(rows: Rows, source: SalesforceSource, *, of_states: bool) -> Rows:
    """Fix old and new values as the params say, and read those of amounts and dates as such where states need them.

    A row with a value that cannot be read is rejected.
    """
    frame = rows.frame.astype({"OldValue": object, "NewValue": object})
    field = frame["Field"].map({text: plain_name(text) for text in frame["Field"].unique()})
    for column in ("OldValue", "NewValue"):
        for name, fix in source.values.items():
            mine = field == plain_name(name)
            frame.loc[mine, column] = [fix.get(value, value) for value in frame.loc[mine, column]]
    if not of_states:
        return Rows(frame, rows.raw, rows.ledger)
    unread = {}
    for column in ("OldValue", "NewValue"):
        for name, said in (("Amount", "number"), ("Probability", "number"), ("CloseDate", "date")):
            mine = field == plain_name(name)
            texts = frame.loc[mine, column]
            values = _day(texts, source) if said == "date" else believable_numbers(texts, source.read)
            frame.loc[mine, column] = values.astype(object).where(values.notna(), None)
            failed = mine & texts.notna().reindex(frame.index, fill_value=False) & frame[column].isna()
            unread[f"{column} of {name} is not a {said}"] = failed
    rows = Rows(frame, rows.raw, rows.ledger)
    for reason, failed in unread.items():
        rows = rows.without(failed.reindex(rows.frame.index), reason)
    return rows


def _day(texts: pd.Series, source: SalesforceSource) -> pd.Series:
    days: pd.Series = parse_moments(texts, source.date_format("CloseDate"), None).dt.normalize()
    return days


def tracked_states(
    today: pd.DataFrame, log: pd.DataFrame, fields: list[str], meanings: Mapping[str, str]
) -> pd.DataFrame:
    """States that field history tells.

    Parameters
    ----------
    today : pandas.DataFrame
        The opportunities as they stand, indexed by Id.
    log : pandas.DataFrame
        Their changes, of StageName among them.
    fields : list of str
        Other fields of which the states are wanted.
    meanings : mapping of str to str
        StageName -> status.

    Returns
    -------
    pandas.DataFrame
        `deal_id`, `MOMENT`, the fields of `TRACKED` and `fields`. The stage of a deal that was opened before stages
        were tracked is not known until then; if it was already closed then, it closed on the date of its CloseDate at
        the latest (or, where no stage changed since, on LastStageChangeDate).
    """
    of_stage = log["Field"] == "StageName"
    began = log.loc[of_stage, MOMENT].min()
    before = log.sort_values(MOMENT, kind="stable").drop_duplicates(["deal_id", "Field"])
    created = today["CreatedDate"]
    first = {
        field: before[before["Field"] == field].set_index("deal_id")["OldValue"].reindex(today.index)
        for field in ("StageName", "CloseDate")
    }
    moved = {field: today.index.isin(before.loc[before["Field"] == field, "deal_id"]) for field in first}
    stage = today["StageName"].where(~moved["StageName"], first["StageName"])
    close = pd.to_datetime(today["CloseDate"].where(~moved["CloseDate"], first["CloseDate"]))
    close = close.where(moved["StageName"], last_change(today.assign(CloseDate=close)))
    old = (created < began).to_numpy()
    was_closed = old & (stage.map(meanings).fillna("open") != "open").to_numpy()
    moments, backwards = closing_moments(created, close, began)
    backwards &= was_closed
    known = moments.where(was_closed, began)
    rows = [(today.index[~backwards], created[~backwards]), (today.index[old], known[old])]
    states = pd.DataFrame(
        {
            "deal_id": np.concatenate([ids.to_numpy() for ids, _ in rows]),
            MOMENT: np.concatenate([moments.to_numpy() for _, moments in rows]),
        }
    )
    present = set(log["Field"])
    columns = [name for name in TRACKED if name in today and (name in TRACKED[:3] or name in present)]
    out = combined(states, log, today[list(dict.fromkeys([*columns, *fields]))])
    out = out.rename(columns={"ForecastCategoryName": "ForecastCategory"})
    early = out["deal_id"].map(known.where(old)) > out[MOMENT]
    out["StageName"] = out["StageName"].astype(object).where(~early, None)
    unsure = known.where(was_closed & ~(close < began).to_numpy())  # closed on a day between its opening and this one
    of_closing = out["deal_id"].map(unsure).astype("datetime64[ns]") == out[MOMENT]
    out["closed_after"] = out["deal_id"].map(created.dt.normalize()).where(of_closing)
    for name in [name for name in ("Amount", "Probability") if name in out]:
        out[name] = pd.to_numeric(out[name])
    out["CloseDate"] = pd.to_datetime(out["CloseDate"])
    return out
