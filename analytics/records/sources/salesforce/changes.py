"""Histories of changes become one sequence of states per opportunity."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.records.sources.conform import MOMENT
from analytics.records.sources.objects import plain_name
from analytics.records.sources.salesforce.ids import RECORD_ID

VECTOR = ("StageName", "Amount", "CloseDate", "Probability", "ForecastCategory")
"""What every OpportunityHistory row holds, as it was after the change."""

LOG = ["deal_id", MOMENT, "Field", "OldValue", "NewValue"]
"""Columns of a log of changes, one row per field that changed."""

TYPES = {
    "deal_id": "object", MOMENT: "datetime64[ns]", "StageName": "object", "Amount": "float64",
    "CloseDate": "datetime64[ns]", "Probability": "float64", "ForecastCategory": "object", "Field": "object",
    "OldValue": "object", "NewValue": "object",
}  # fmt: skip
"""Columns of the log and the states; they are stated because a part may have no value of a column."""

CREATION_SECONDS = 60
"""A first history row within a minute of CreatedDate is the creation itself."""


def state_rows(deals: pd.DataFrame, history: pd.DataFrame, closed: Collection[str] = ()) -> pd.DataFrame:
    """States that a history tells, one row per change, with one for the creation where it tells none.

    Parameters
    ----------
    deals : pandas.DataFrame
        Opportunity rows: Id, CreatedDate and the fields of `VECTOR`.
    history : pandas.DataFrame
        OpportunityHistory rows of these opportunities.
    closed : collection of str
        The stages that are closed.

    Returns
    -------
    pandas.DataFrame
        `deal_id`, `MOMENT` and `VECTOR`. An opportunity without any row never changed: its state today is that of its
        creation, unless it is closed and older than the history: then it was open, in a stage that is not known, until
        `closing_moments`. One whose first row comes later was open before it, with the amount and close date that the
        row says it replaced; the stage it was in then is not known and stays empty.
    """
    rows = history.rename(columns={"OpportunityId": "deal_id", "CreatedDate": MOMENT})
    if "Id" in rows:  # rows of one second: their order is that of their ids, in a file as in a database
        rows = rows.sort_values("Id", kind="stable")
    first = rows.sort_values(MOMENT, kind="stable").drop_duplicates("deal_id").set_index("deal_id")
    created = deals.set_index("Id")["CreatedDate"]
    unchanged = deals[~deals["Id"].isin(first.index)].rename(columns={"Id": "deal_id", "CreatedDate": MOMENT})
    ended = unchanged[ended_before(unchanged, rows[MOMENT].min(), closed)]
    moments, backwards = closing_moments(ended[MOMENT], last_change(ended), rows[MOMENT].min())
    opened = ended.loc[~backwards, ["deal_id", MOMENT]]
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
    forecasts = VECTOR[3:]  # today's forecast says nothing of the past
    columns = [name for name in VECTOR if name in rows or (name in deals and name not in forecasts)]
    columns = ["deal_id", MOMENT, *columns]
    unchanged = unchanged.drop(index=ended.index)
    return _stacked((before, opened, ended.assign(**{MOMENT: moments}), unchanged, rows), columns)


def ended_before(deals: pd.DataFrame, began: pd.Timestamp, closed: Collection[str]) -> pd.Series:
    """Which of the opportunities that no row of a history is about are closed, and older than that history."""
    created: pd.Series = deals[MOMENT if MOMENT in deals else "CreatedDate"]
    return (created < began) & deals["StageName"].isin(set(closed))


def last_change(deals: pd.DataFrame) -> pd.Series:
    """When a closed opportunity was closed, as far as today's row says it: LastStageChangeDate, else CloseDate."""
    if "LastStageChangeDate" not in deals:
        return deals["CloseDate"]
    return deals["LastStageChangeDate"].fillna(deals["CloseDate"])


def closing_moments(
    created: pd.Series, close: pd.Series, began: pd.Timestamp
) -> tuple[pd.Series, npt.NDArray[np.bool_]]:
    """When were opportunities closed that were closed before a history began?

    Returns
    -------
    (pandas.Series, numpy.ndarray)
        The moment of closing by their dates, not after the history began and not before they were opened; and which of
        them have a close date before their opening, so that they were never open.
    """
    backwards = (close < created.dt.normalize()).to_numpy()
    soonest = created + pd.Timedelta(seconds=1) * pd.Series(~backwards, index=created.index).astype(int)
    known = close.where(close < began, began)
    return known.where(known > soonest, soonest), backwards


def field_rows(changes: pd.DataFrame, fields: Iterable[str], ids: set[str]) -> pd.DataFrame:
    """Return the OpportunityFieldHistory rows of the fields that are wanted, in the order in which they happened.

    A change of owner (account, record type) is written twice, by name and by id; the row by id is used: one whose value
    is in `ids` or has the form of a record id. Two changes of one field in one second may be exported in either order;
    the one whose old value is the other's new value came later.
    """
    rows = changes.rename(columns={"OpportunityId": "deal_id", "CreatedDate": MOMENT})
    named, look_ups = _names_of(rows["Field"], fields)
    rows = rows.assign(Field=rows["Field"].map(named))
    rows = rows[rows["Field"].notna()]
    of_id = rows["Field"].isin(set(look_ups.values())).to_numpy()
    values = rows["NewValue"].where(rows["NewValue"].notna(), rows["OldValue"])[of_id]
    known = {value for value in values.dropna().unique() if value in ids or RECORD_ID.fullmatch(value)}
    rows = rows[~rows.index.isin(values.index[~values.isin(known)])]
    if "Id" in rows:
        rows = rows.sort_values("Id", kind="stable")
    return _in_order(rows[LOG])


def is_of_fields(names: pd.Series, fields: Iterable[str]) -> pd.Series:
    """Which changes are of the fields that are wanted, by name or by id."""
    named, _ = _names_of(names, fields)
    return names.map(named).notna()


def _names_of(names: pd.Series, fields: Iterable[str]) -> tuple[dict[str, str | None], dict[str, str]]:
    """Written name -> wanted field (None: not wanted), and plain name -> field for those that look something up."""
    wanted = {plain_name(field): field for field in fields}
    look_ups = {name.removesuffix("id"): field for name, field in wanted.items() if name.endswith("id")}
    return {text: {**look_ups, **wanted}.get(plain_name(text)) for text in names.unique()}, look_ups


def version_changes(versions: pd.DataFrame, fields: Sequence[str]) -> pd.DataFrame:
    """Return the log of what differs between one version of an opportunity and the next, for the fields it has."""
    rows = versions.sort_values(["Id", "VersionStart"], kind="stable")
    same_deal = (rows["Id"] == rows["Id"].shift()).to_numpy()
    parts = []
    for field in [field for field in fields if field in rows]:
        new, old = rows[field], rows[field].shift()
        differs = same_deal & ((new != old) & (new.notna() | old.notna())).to_numpy()
        parts.append(
            pd.DataFrame(
                {
                    "deal_id": rows["Id"], MOMENT: rows["VersionStart"], "Field": field,
                    "OldValue": old.where(old.notna(), None), "NewValue": new.where(new.notna(), None),
                }
            )[differs]
        )  # fmt: skip
    return _stacked(parts or [pd.DataFrame(columns=LOG)], LOG)


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
    log["deal_id"] = today.index.get_indexer(pd.Index(log["deal_id"]))  # numbers sort several times faster than texts
    log = log.sort_values(["deal_id", MOMENT, "__rank__"], kind="stable", ignore_index=True)
    starts = _starts(log["deal_id"])
    is_state = (log["__rank__"] == 1).to_numpy()
    last_state = _last_where(is_state, starts)
    out = pd.DataFrame({"deal_id": today.index.to_numpy()[log["deal_id"]], MOMENT: log[MOMENT]})
    for name in [name for name in VECTOR if name in states.columns]:
        out[name] = log[name].to_numpy()[np.maximum(last_state, 0)]
    field = log["Field"].to_numpy()
    for name in today.columns:
        out[name] = _field_values(log, field == name, starts, today[name].to_numpy(dtype=object))
    # Of the rows of one moment the states come last: they, or else the last change, hold all that changed.
    is_last = ~log.duplicated(["deal_id", MOMENT], keep="last").to_numpy()
    kept: pd.DataFrame = out[(last_state >= 0) & (is_state | is_last)].reset_index(drop=True)
    return kept


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Order changes by time; of two changes of a field in one second, the one that undoes or goes on comes second."""
    rows = rows.sort_values(["deal_id", "Field", MOMENT], kind="stable", ignore_index=True)
    following = rows.shift(-1)
    together = (rows["deal_id"] == following["deal_id"]) & (rows["Field"] == following["Field"])
    together &= rows[MOMENT] == following[MOMENT]
    old, new = rows["OldValue"].fillna(""), rows["NewValue"].fillna("")
    backwards = together & (old == new.shift(-1)) & (new != old.shift(-1))
    backwards &= ~backwards.shift(fill_value=False)
    place = np.arange(len(rows)) + backwards.to_numpy() - backwards.shift(fill_value=False).to_numpy()
    return rows.iloc[np.argsort(place, kind="stable")].reset_index(drop=True)


def _stacked(parts: Sequence[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """Put parts of the log under each other; a column that a part lacks is empty there."""
    stacked = {
        name: np.concatenate([part.reindex(columns=[name])[name].to_numpy(dtype=TYPES[name]) for part in parts])
        for name in columns
    }
    return pd.DataFrame(stacked)


def _field_values(log: pd.DataFrame, changed: np.ndarray, starts: np.ndarray, today: np.ndarray) -> np.ndarray:
    earliest = today.copy()  # by deal: the first recorded change's old value, else today's
    deal = log["deal_id"].to_numpy()
    first = np.flatnonzero(changed)[::-1]
    earliest[deal[first]] = log["OldValue"].to_numpy(dtype=object)[first]
    values: np.ndarray = earliest[deal]
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
