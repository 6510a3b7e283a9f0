"""A log of field changes, played back from today's row: what every field held at every moment."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.errors import InputError
from analytics.records.sources.conform import MOMENT
from analytics.records.sources.numbers import believable_numbers
from analytics.records.sources.table_mapping import Reading
from analytics.records.sources.values import parse_moments

CHANGE = ("deal_id", MOMENT, "Field", "OldValue", "NewValue")
"""Columns of a log of changes, in the order in which they happened."""

CREATION = pd.Timedelta(seconds=60)
"""What is logged within a minute of a deal's creation is the creation itself."""

END_OF_DAY = pd.Timedelta(hours=23, minutes=59, seconds=59)
"""A day without a time is known at its end."""


def change_log(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put logs of changes under each other; the order within a moment is that of the parts."""
    there = [part[list(CHANGE)].astype({name: object for name in CHANGE if name != MOMENT}) for part in parts]
    kept = [part for part in there if len(part)]
    if not kept:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in CHANGE}).astype({MOMENT: "datetime64[ns]"})
    return pd.concat(kept, ignore_index=True).astype({MOMENT: "datetime64[ns]"})


def unread_changes(unread: int, of: int) -> Noticed:
    """Say how many rows of a log change a field that nothing here reads: they count as kept, and nothing follows."""
    return Noticed(0, "changes of fields that are not read", unread, of, "rows", "kept, and nothing follows from them")


def changes_of(
    deals: pd.Series, moments: pd.Series, field: str, old: object, new: pd.Series | np.ndarray | object
) -> pd.DataFrame:
    """Make a log of one field's changes; `old` is one value for all."""
    log = pd.DataFrame({"deal_id": deals.to_numpy(), MOMENT: moments.to_numpy(dtype="datetime64[ns]"), "Field": field})
    log["OldValue"] = pd.Series([old] * len(log), dtype=object)
    values = new if isinstance(new, pd.Series | np.ndarray) else [new] * len(log)
    log["NewValue"] = pd.Series(list(values), dtype=object)
    return log


def played_back(today: pd.DataFrame, opened: pd.Series, changes: pd.DataFrame) -> pd.DataFrame:
    """What did every field of every deal hold, at its opening and after every change?

    Parameters
    ----------
    today : pandas.DataFrame
        Indexed by deal: the fields' values today. A field without a recorded change always had that value; before its
        first recorded change it had that change's old value.
    opened : pandas.Series
        Indexed by deal: the moment of opening. What is logged before it, or within `CREATION` of it, was so from the
        beginning.
    changes : pandas.DataFrame
        `CHANGE`, in the order in which they happened.

    Returns
    -------
    pandas.DataFrame
        `deal_id`, `MOMENT` and the fields of `today`; one row per deal and moment, ordered.

    Examples
    --------
    >>> today = pd.DataFrame({"stage": ["Won"]}, index=["A"])
    >>> days = pd.to_datetime(pd.Series(["2025-01-02", "2025-02-03"]))
    >>> log = changes_of(pd.Series(["A"]), days[1:], "stage", "New", "Won")
    >>> played_back(today, pd.Series(days[:1].to_numpy(), index=["A"]), log)["stage"].tolist()
    ['New', 'Won']
    """
    openings = changes_of(today.index.to_series(), opened.reindex(today.index), "", None, None)
    log = change_log([openings, changes[changes["deal_id"].isin(today.index)]])
    begun = log["deal_id"].map(opened).astype("datetime64[ns]")
    log[MOMENT] = log[MOMENT].where(log[MOMENT] > begun + CREATION, begun)
    log = log.sort_values(["deal_id", MOMENT], kind="stable", ignore_index=True)
    out = log[["deal_id", MOMENT]].copy()
    for field in today.columns:
        out[field] = _values(log, field, today[field])
    return out[~log.duplicated(["deal_id", MOMENT], keep="last")].reset_index(drop=True)


def _values(log: pd.DataFrame, field: str, today: pd.Series) -> pd.Series:
    changed = (log["Field"] == field).to_numpy()
    values = log["deal_id"].map(today.astype(object)).to_numpy(dtype=object, copy=True)
    first = log[changed].drop_duplicates("deal_id").set_index("deal_id")["OldValue"]
    tracked = log["deal_id"].isin(first.index).to_numpy()
    values[tracked] = log.loc[tracked, "deal_id"].map(first).to_numpy(dtype=object)
    positions = pd.Series(np.where(changed, np.arange(len(log)), np.nan)).groupby(log["deal_id"]).ffill()
    since = positions.notna().to_numpy()
    values[since] = log["NewValue"].to_numpy(dtype=object)[positions[since].to_numpy(dtype=np.int64)]
    return pd.Series(values, index=log.index, dtype=object)


def without_reopening(log: pd.DataFrame, field: str) -> pd.DataFrame:
    """Closings after another closing, between which nothing says when the deal was open again.

    Parameters
    ----------
    log : pandas.DataFrame
        `CHANGE`, of which the changes of `field` (a status, `open` or not) are looked at.
    field : str
        The status.

    Returns
    -------
    pandas.DataFrame
        `deal_id`, `MOMENT`: the end of the last day before the second closing. A change from one closed status to
        another, and closings of one day or of two days that follow each other, are one closing that was corrected.
    """
    turns = log[log["Field"] == field].sort_values(["deal_id", MOMENT], kind="stable")
    before = turns.groupby("deal_id")["NewValue"].shift()
    closed_on = turns.groupby("deal_id")[MOMENT].shift().dt.normalize()
    last_open_day = turns[MOMENT].dt.normalize() - pd.Timedelta(days=1)
    from_open = turns["OldValue"].isna() | (turns["OldValue"] == "open")
    again = before.notna() & (before != "open") & (turns["NewValue"] != "open") & from_open
    again &= last_open_day > closed_on
    found: pd.DataFrame = pd.DataFrame({"deal_id": turns["deal_id"], MOMENT: last_open_day + END_OF_DAY})[again]
    return found.reset_index(drop=True)


def known_first(values: pd.Series, others: pd.Series) -> pd.Series:
    """Return texts, and where one is missing the other's."""
    both = zip(values, others, values.isna(), strict=True)
    return pd.Series([other if missing else value for value, other, missing in both], index=values.index, dtype=object)


def until(moments: pd.Series, last: pd.Series) -> pd.Series:
    """Bring moments after the last change of their row back to it; a missing last change moves nothing."""
    return moments.where(~(moments > last), last)


@dataclass(frozen=True)
class Completed:
    """A log in which the last status of every deal is the one that it has today.

    `added` holds what only today's rows tell (`deal_id`, `MOMENT`, `status`); `reopened` are the deals of which nothing
    says on which day they were open again.
    """

    log: pd.DataFrame
    added: pd.DataFrame
    reopened: frozenset[str]


def last_open_since(states: pd.DataFrame, field: str, deals: Collection[str]) -> pd.Series:
    """Since which day was a deal open before its last closing?

    Parameters
    ----------
    states : pandas.DataFrame
        `deal_id`, `MOMENT` and the status, ordered.
    field : str
        The status.
    deals : collection of str
        The deals of which only the latest day of their closing is known.

    Returns
    -------
    pandas.Series
        On the closed states of these deals' last closing the first day of the open time before it: the closing lies
        somewhere after it. Missing elsewhere, and where a deal was never open.

    Examples
    --------
    >>> days = pd.to_datetime(["2025-01-02", "2025-02-03", "2025-07-01"])
    >>> states = pd.DataFrame({"deal_id": "1", MOMENT: days, "status": ["open", "open", "closed_won"]})
    >>> last_open_since(states, "status", {"1"}).dt.date.tolist()[-1]
    datetime.date(2025, 1, 2)
    """
    deal, is_open = states["deal_id"], states[field].fillna("open") == "open"
    run = ((deal != deal.shift()) | (is_open != is_open.shift())).cumsum()
    began = states.groupby(run)[MOMENT].first().dt.normalize()
    of = deal.groupby(run).first()
    before = began.shift().where(of == of.shift())
    last = run == run.groupby(deal).transform("max")
    found: pd.Series = run.map(before).where(last & ~is_open & deal.isin(set(deals)))
    return found.astype("datetime64[ns]")


def completed_statuses(log: pd.DataFrame, field: str, today: pd.DataFrame) -> Completed:
    """Add the re-openings and closings that today's rows prove and that no change records.

    Parameters
    ----------
    log : pandas.DataFrame
        `CHANGE`.
    field : str
        The status.
    today : pandas.DataFrame
        Indexed by deal: `status`; `closed_at`, the closing's moment as far as today's row has one; `latest`, the moment
        by which today's status was known.

    Returns
    -------
    Completed
        A deal closed twice was open again at the end of the day before the second closing. Today's status, where the
        log ends in another one, holds from `closed_at`, or from `latest` where that is missing, comes before what is
        logged, or the deal is open today.
    """
    turns = log[log["Field"] == field].sort_values(["deal_id", MOMENT], kind="stable")
    last = turns.drop_duplicates("deal_id", keep="last").set_index("deal_id")
    differs = last["NewValue"].reindex(today.index).fillna("open") != today["status"]
    missing = today[differs.to_numpy()]
    known = last[MOMENT].reindex(missing.index).astype("datetime64[ns]")
    is_open = missing["status"] == "open"
    moment = missing["closed_at"].where(~is_open & ~(missing["closed_at"] < known)).fillna(missing["latest"])
    moment = moment.where(known.isna() | (moment > known), known + pd.Timedelta(seconds=1))
    added = pd.DataFrame({"deal_id": missing.index, MOMENT: moment.to_numpy(), "status": missing["status"].to_numpy()})
    log = change_log([log, changes_of(added["deal_id"], added[MOMENT], field, "open", added["status"])])
    again = without_reopening(log, field)
    log = change_log([log, changes_of(again["deal_id"], again[MOMENT], field, "closed_unknown", "open")])
    return Completed(log, added, frozenset(again["deal_id"]) | frozenset(missing.index[is_open]))


def typed_changes(changes: pd.DataFrame, kinds: Mapping[str, str], form: str, read: Reading, key: str) -> np.ndarray:
    """Type old and new values where they stand, by their field; texts that cannot be read stay.

    Parameters
    ----------
    changes : pandas.DataFrame
        `Field`, `OldValue`, `NewValue` as texts; changed in place.
    kinds : mapping of str to str
        Field -> string, float64 or day.
    form, read : str, Reading
        How dates and numbers are written.
    key : str
        The key of the params that states `form`.

    Returns
    -------
    numpy.ndarray
        Which changes have a value that cannot be read.

    Raises
    ------
    InputError
        Where none of a field's values can be read.
    """
    wrong = np.zeros(len(changes), dtype=bool)
    for field, kind in kinds.items():
        if kind == "string":
            continue
        of_field = (changes["Field"] == field).to_numpy()
        said = 0
        unread: list[object] = []
        for column in ("OldValue", "NewValue"):
            texts = changes.loc[of_field, column]
            values = (
                parse_moments(texts, form, None).dt.normalize() if kind == "day" else believable_numbers(texts, read)
            )
            failed = texts.notna() & values.isna()
            said, unread = said + int(texts.notna().sum()), [*unread, *texts[failed]]
            wrong[np.flatnonzero(of_field)[failed.to_numpy()]] = True
            changes.loc[of_field, column] = values.astype(object).where(values.notna(), None)
        if unread and len(unread) == said:
            meant = f"a date ({'2025-10-01' if form == 'iso' else form})" if kind == "day" else "a number"
            raise InputError(
                f"no changed value of this column can be read: this one is not {meant}",
                column=field,
                value=unread[0],
                action=f"State how they are written under {key if kind == 'day' else 'read'}: in the params",
            )
    return wrong


def without_today(states: pd.DataFrame, fields: Sequence[str]) -> pd.DataFrame:
    """Empty what only today's row says in every state but the last one of its deal."""
    earlier = states["deal_id"].duplicated(keep="last").to_numpy()
    return states.assign(**{name: states[name].where(~earlier) for name in fields if name in states})
