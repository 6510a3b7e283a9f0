"""Stage rows as arrays: one row per deal and stay in a stage, read and checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.estimators.columns import account_column, day_column, stratum_column
from analytics.records.errors import InputError, nearest

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Stays:
    """Stays of one stratum: at risk in `source` on `(entry, leave]`, then in `target` (-1 where last seen there).

    `n`, `w`, `w2` are the deals behind a stay, the sum of their weights and of the squared weights. `unit` numbers the
    `units` deals (or accounts) whose errors are independent, `deal` the deals, and `since` is the day on which the deal
    came to the stage (-1: it was opened there; missing where nobody saw it); the three are empty where stays were
    counted.
    """

    entry: npt.NDArray[Any]
    leave: npt.NDArray[Any]
    source: Ints
    target: Ints
    n: Floats
    w: Floats
    w2: Floats
    unit: Ints
    deal: Ints
    since: Floats
    units: int = 0

    def kept(self, keep: npt.NDArray[np.bool_] | Ints) -> Stays:
        """Return some of the stays; units keep their numbers."""
        arrays = {name: value for name, value in vars(self).items() if name != "units"}
        return Stays(**{name: a[keep] if len(a) else a for name, a in arrays.items()}, units=self.units)

    def after(self, start: float) -> Stays:
        """Return what is seen after the end of a day."""
        later = self.kept(self.leave > start)
        return replace(later, entry=np.maximum(later.entry, start))

    def seen_at(self, day: float) -> Stays:
        """Return the stays that were watched at the end of a day, and went on."""
        return self.kept((self.entry <= day) & (day < self.leave))


@dataclass(frozen=True)
class Stages:
    """Checked stage rows: the states in order, and the stays of every stratum in the order of its values."""

    states: tuple[str, ...]
    by: tuple[str, ...]
    parts: tuple[tuple[dict[str, Any], Stays], ...]
    n_deals: int
    n_accounts: int | None
    cluster: str | None
    weighted: bool

    def place(self, state: str) -> int:
        """Return the number of a state.

        Raises
        ------
        InputError
            There is no such state.
        """
        if state not in self.states:
            raise InputError("there is no such state", value=state, action=nearest(state, self.states))
        return self.states.index(state)


def read_stages(
    rows: pd.DataFrame, *, by: str | Sequence[str] = (), weights: str | None = None, cluster: str | None = None
) -> Stages:
    """Read and check stage rows.

    Parameters
    ----------
    rows : pandas.DataFrame
        `deal_id`, `entry`, `exit`, `from`, `to`; where `from` and `to` are categorical, their categories are the states
        in order, otherwise stages come first and then the states that nobody left, each by name.
    by : str or sequence of str
        Columns of strata, the same in all rows of a deal.
    weights, cluster : str, optional
        Columns of weights and of accounts.

    Raises
    ------
    InputError
        A missing column; a stay that ends before it begins, overlaps another of its deal or begins in a stage that the
        deal was not in; a move from a stage to itself; a deal in two strata or accounts; weights that are not positive.

    Examples
    --------
    >>> rows = pd.DataFrame({"deal_id": [1, 1, 2], "entry": [-1, 4, -1], "exit": [4, 9, 7],
    ...                      "from": ["a", "b", "a"], "to": ["b", "won", None]})
    >>> read_stages(rows).states
    ('a', 'b', 'won')
    """
    columns = (by,) if isinstance(by, str) else tuple(by)
    _columns_there(rows, (*columns, *(name for name in (weights, cluster) if name)))
    states, source, target = _states(rows)
    entry, leave = np.asarray(day_column(rows["entry"])), np.asarray(day_column(rows["exit"]))
    deal = np.asarray(pd.factorize(rows["deal_id"])[0], dtype=np.int64)
    _check(rows, (source, target), (entry, leave), deal)
    w = _weights(rows, weights)
    unit, accounts = deal, None
    if cluster is not None:
        codes, names = pd.factorize(account_column(rows, cluster))
        unit, accounts = np.asarray(codes, dtype=np.int64), len(names)
        _constant(deal, unit, cluster)
    since = _since(entry, leave, source, deal)
    everything = Stays(entry, leave, source, target, np.ones(len(w)), w, w * w, unit, deal, since)
    deals = int(deal.max(initial=-1)) + 1
    return Stages(states, columns, _split(rows, columns, everything), deals, accounts, cluster, weights is not None)


def _columns_there(rows: pd.DataFrame, more: Sequence[str]) -> None:
    for name in ("deal_id", "entry", "exit", "from", "to", *more):
        if name not in rows.columns:
            raise InputError(f"the stage rows have no column {name!r}", action=nearest(name, rows.columns))
    for name in ("deal_id", "from"):
        if rows[name].isna().any():
            raise InputError("a stage row lacks its deal or the stage it is about", column=name)


def _states(rows: pd.DataFrame) -> tuple[tuple[str, ...], Ints, Ints]:
    source, target = rows["from"], rows["to"]
    if isinstance(source.dtype, pd.CategoricalDtype):
        labels = [str(label) for label in source.cat.categories]
    else:
        left = {str(label) for label in source.unique()}
        labels = sorted(left) + sorted({str(label) for label in target.dropna().unique()} - left)
    place = {label: k for k, label in enumerate(labels)}
    for label in target.dropna().unique():
        if str(label) not in place:
            raise InputError("a deal moves to a state that is not among the stages and outcomes", column="to",
                             value=label, action=nearest(str(label), labels))  # fmt: skip

    def codes(values: pd.Series[Any]) -> Ints:
        code, found = pd.factorize(values)
        return np.asarray([*(place[str(label)] for label in found), -1], dtype=np.int64)[code]

    return tuple(labels), codes(source), codes(target)


def _check(rows: pd.DataFrame, moves: tuple[Ints, Ints], times: tuple[Any, Any], deal: Ints) -> None:
    (source, target), (entry, leave) = moves, times

    def refuse(bad: Any, problem: str, column: str) -> None:
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            raise InputError(problem, column=column, row=at, value=rows[column].iloc[at],
                             action=f"Look at deal {rows['deal_id'].iloc[at]}")  # fmt: skip

    refuse(leave <= entry, "a stay in a stage ends before it begins", "exit")
    refuse(source == target, "a deal moves from a stage to the same stage", "to")
    order = np.lexsort((entry, deal))
    same = deal[order][1:] == deal[order][:-1]
    a, b = order[:-1], order[1:]
    bad = np.zeros(len(deal), dtype=bool)
    bad[b[same & (entry[b] < leave[a])]] = True
    refuse(bad, "two stays of one deal overlap", "entry")
    came_to = np.where(target[a] >= 0, target[a], source[a])
    bad[b[same & (entry[b] == leave[a]) & (source[b] != came_to)]] = True
    refuse(bad, "a deal begins a stay in a stage to which its last stay did not lead", "from")


def _weights(rows: pd.DataFrame, weights: str | None) -> Floats:
    if weights is None:
        return np.ones(len(rows))
    w = rows[weights].to_numpy(dtype=float)
    if not (np.isfinite(w).all() and (w > 0).all()):
        raise InputError("a weight is missing, infinite, zero or negative", column=weights)
    return np.asarray(w)


def _constant(deal: Ints, code: Ints, column: str) -> None:
    pairs = pd.DataFrame({"deal": deal, "code": code}).drop_duplicates()
    if len(pairs) > int(deal.max(initial=-1)) + 1:
        raise InputError("a deal has more than one value", column=column,
                         action="Use the value known when the deal was opened")  # fmt: skip


def _since(entry: npt.NDArray[Any], leave: npt.NDArray[Any], source: Ints, deal: Ints) -> Floats:
    """Return the day on which each deal came to the stage: the opening, the last move, or unknown."""
    order = np.lexsort((entry, deal))
    begin, end, stage, whose = entry[order], leave[order], source[order], deal[order]
    joined = np.concatenate(([False], (whose[1:] == whose[:-1]) & (begin[1:] == end[:-1])))
    went_on = joined & np.concatenate(([False], stage[1:] == stage[:-1]))
    since = np.where(joined, begin, np.where(begin <= 0, -1.0, np.nan)).astype(float)
    first = np.maximum.accumulate(np.where(went_on, 0, np.arange(len(order))))
    out = np.empty(len(order))
    out[order] = since[first]
    return out


def _split(rows: pd.DataFrame, by: Sequence[str], stays: Stays) -> tuple[tuple[dict[str, Any], Stays], ...]:
    if not len(rows):
        return ()
    if not by:
        return (({}, _numbered(stays)),)
    keys = pd.DataFrame({name: np.asarray(stratum_column(rows[name]), dtype=object) for name in by})
    values = keys.drop_duplicates().sort_values(list(by)).reset_index(drop=True)
    stratum = np.asarray(pd.MultiIndex.from_frame(values).get_indexer(pd.MultiIndex.from_frame(keys)), dtype=np.int64)
    _constant(stays.deal, stratum, ", ".join(by))
    order = np.argsort(stratum, kind="stable")
    places = np.split(order, np.searchsorted(stratum[order], np.arange(1, len(values))))
    return tuple(
        ({str(name): cell for name, cell in value.items()}, _numbered(stays.kept(place)))
        for value, place in zip(values.to_dict("records"), places, strict=True)
    )


def _numbered(stays: Stays) -> Stays:
    code, names = pd.factorize(stays.unit)
    return replace(stays, unit=np.asarray(code, dtype=np.int64), units=len(names))
