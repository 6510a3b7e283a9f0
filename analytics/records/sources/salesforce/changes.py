"""OpportunityHistory and OpportunityFieldHistory become one sequence of states per opportunity."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from analytics.records.sources.conform import MOMENT

VECTOR = ("StageName", "Amount", "CloseDate")
"""What every OpportunityHistory row holds, as it was after the change."""

TYPES = {
    "deal_id": "object", MOMENT: "datetime64[ns]", "StageName": "object", "Amount": "float64",
    "CloseDate": "datetime64[ns]", "Field": "object", "OldValue": "object", "NewValue": "object",
}  # fmt: skip
"""Columns of the log of changes; they are stated because a part of the log may have no value of a column."""

CREATION_SECONDS = 60
"""A first history row within a minute of CreatedDate is the creation itself."""

USER_ID = re.compile(r"005[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?")


def state_rows(deals: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """States that OpportunityHistory tells, one row per change, with one for the creation where it tells none.

    Parameters
    ----------
    deals : pandas.DataFrame
        Opportunity rows: Id, CreatedDate and the fields of `VECTOR`.
    history : pandas.DataFrame
        OpportunityHistory rows of these opportunities.

    Returns
    -------
    pandas.DataFrame
        `deal_id`, `MOMENT` and `VECTOR`. An opportunity without any row never changed: its state today is that of its
        creation. One whose first row comes later was open before it, with the amount and close date that the row says
        it replaced; the stage it was in then is not known and stays empty.
    """
    rows = history.rename(columns={"OpportunityId": "deal_id", "CreatedDate": MOMENT})
    first = rows.sort_values(MOMENT, kind="stable").drop_duplicates("deal_id").set_index("deal_id")
    created = deals.set_index("Id")["CreatedDate"]
    unchanged = deals[~deals["Id"].isin(first.index)].rename(columns={"Id": "deal_id", "CreatedDate": MOMENT})
    late = first[(first[MOMENT] - created.reindex(first.index)).dt.total_seconds() > CREATION_SECONDS]
    before = pd.DataFrame(
        {
            "deal_id": late.index,
            MOMENT: created.reindex(late.index).to_numpy(),
            "StageName": pd.Series([None] * len(late), dtype=object),
            "Amount": late["PrevAmount"].to_numpy() if "PrevAmount" in late else np.full(len(late), np.nan),
            "CloseDate": (late["PrevCloseDate"] if "PrevCloseDate" in late else late["CloseDate"]).to_numpy(),
        }
    )
    columns = ["deal_id", MOMENT, *(name for name in VECTOR if name in rows or name in deals)]
    return _stacked((before, unchanged, rows), columns)


def field_rows(changes: pd.DataFrame, fields: list[str], user_ids: set[str]) -> pd.DataFrame:
    """OpportunityFieldHistory rows of the fields that are wanted: deal_id, `MOMENT`, Field, OldValue, NewValue.

    A change of owner is written twice, by name and by id; the row by id is used.
    """
    rows = changes.rename(columns={"OpportunityId": "deal_id", "CreatedDate": MOMENT})
    rows = rows.assign(Field=rows["Field"].replace({"Owner": "OwnerId"}))
    rows = rows[rows["Field"].isin(fields)]
    of_owner = rows["Field"] == "OwnerId"
    by_id = [value in user_ids or bool(value and USER_ID.fullmatch(value)) for value in rows["NewValue"]]
    return rows.loc[~of_owner | np.array(by_id, dtype=bool), ["deal_id", MOMENT, "Field", "OldValue", "NewValue"]]


def combined(states: pd.DataFrame, changes: pd.DataFrame, today: pd.DataFrame) -> pd.DataFrame:
    """Every state with every field as it was then.

    Parameters
    ----------
    states : pandas.DataFrame
        As `state_rows` returns them.
    changes : pandas.DataFrame
        As `field_rows` returns them.
    today : pandas.DataFrame
        Indexed by deal: the fields' values today, used where a field has no recorded change. Before its first recorded
        change a field had that change's old value.

    Returns
    -------
    pandas.DataFrame
        The rows of `states`, and one per moment at which only a field changed, with the fields of `today`.
    """
    rank = np.concatenate([np.zeros(len(changes), dtype=np.int64), np.ones(len(states), dtype=np.int64)])
    log = _stacked((changes, states), list(TYPES)).assign(__rank__=rank)
    log = log.sort_values(["deal_id", MOMENT, "__rank__"], kind="stable", ignore_index=True)
    starts = _starts(log["deal_id"])
    is_state = (log["__rank__"] == 1).to_numpy()
    last_state = _last_where(is_state, starts)
    out = log[["deal_id", MOMENT]].copy()
    for name in [name for name in VECTOR if name in states.columns]:
        out[name] = log[name].to_numpy()[np.maximum(last_state, 0)]
    field = log["Field"].to_numpy()
    for name in today.columns:
        out[name] = _field_values(log, field == name, starts, today[name])
    moment = pd.MultiIndex.from_frame(log[["deal_id", MOMENT]])
    with_state = moment.isin(moment[is_state])
    superseded = ~is_state & (with_state | moment.duplicated(keep="last"))
    return out[(last_state >= 0) & ~superseded].reset_index(drop=True)


def _stacked(parts: Sequence[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """Put parts of the log under each other; a column that a part lacks is empty there."""
    stacked = {
        name: np.concatenate([part.reindex(columns=[name])[name].to_numpy(dtype=TYPES[name]) for part in parts])
        for name in columns
    }
    return pd.DataFrame(stacked)


def _field_values(log: pd.DataFrame, changed: np.ndarray, starts: np.ndarray, today: pd.Series) -> np.ndarray:
    values = log["deal_id"].map(today).to_numpy(dtype=object, copy=True)
    if not changed.any():
        return values
    first_change = log[changed].drop_duplicates("deal_id").set_index("deal_id")["OldValue"]
    tracked = log["deal_id"].isin(first_change.index).to_numpy()
    values[tracked] = log.loc[tracked, "deal_id"].map(first_change).to_numpy(dtype=object)
    last = _last_where(changed, starts)
    new = log["NewValue"].to_numpy(dtype=object)
    values[last >= 0] = new[last[last >= 0]]
    return values


def _starts(deal: pd.Series) -> np.ndarray:
    """The position of each row's deal's first row."""
    new = (deal != deal.shift()).to_numpy()
    return np.maximum.accumulate(np.where(new, np.arange(len(deal)), 0))


def _last_where(mask: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The position of the last row up to each row where `mask` holds, within the deal; -1 if there is none."""
    if not len(mask):
        return np.zeros(0, dtype=np.int64)
    last = np.maximum.accumulate(np.where(mask, np.arange(len(mask)), -1))
    return np.where(last >= starts, last, -1)
