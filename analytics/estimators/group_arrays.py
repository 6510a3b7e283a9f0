"""Counted cells of several groups on one time axis: the arrays that tests between groups are sums of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.estimators.cells import code_column
from analytics.estimators.counts import RiskTable
from analytics.records.errors import InputError, nearest

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class GroupArrays:
    """One block of strata at its ordered exit times: `(T, G)` arrays, groups in the order of the whole table.

    `n_risk` deals at risk, `n_event` those with the outcome, `n_other` those with any other outcome.
    """

    time: npt.NDArray[Any]
    n_risk: Floats
    n_event: Floats
    n_other: Floats


def groups_of(risk: RiskTable, strata: Sequence[str]) -> tuple[tuple[str, ...], pd.DataFrame]:
    """Return the columns that make groups, and the groups in order.

    Raises
    ------
    InputError
        A stratum that the table does not have, or fewer than two groups.
    """
    for name in strata:
        if name not in risk.by:
            raise InputError("the risk table has no such stratum", value=name, action=nearest(name, risk.by))
    columns = tuple(name for name in risk.by if name not in strata)
    if not columns:
        raise InputError("there is nothing to compare", action="Count the deals by the groups: count_events(by=...)")
    groups = risk.cells[list(columns)].drop_duplicates().sort_values(list(columns)).reset_index(drop=True)
    if len(groups) < 2:
        raise InputError(f"a test compares groups, and there are {len(groups)}", action="Count by another column")
    return columns, groups


def arrays_by_stratum(
    risk: RiskTable, outcome: str, columns: Sequence[str], strata: Sequence[str]
) -> Iterator[GroupArrays]:
    """Return the arrays of each stratum; a stratum without the outcome tells nothing and is there all the same.

    Raises
    ------
    InputError
        The table does not count this outcome.
    """
    if outcome not in risk.outcomes:
        raise InputError("the risk table has no such outcome", value=outcome, action=nearest(outcome, risk.outcomes))
    cells = risk.cells
    group, count = _codes(cells, columns)
    block, blocks = _codes(cells, strata) if strata else (np.zeros(len(cells), dtype=np.int64), 1)
    entry, leave, n = (cells[name].to_numpy() for name in ("entry", "exit", "n"))
    cause = (cells["outcome"] == outcome).to_numpy()
    other = ~cause & (cells["outcome"] != "open").to_numpy()
    for number in range(blocks):
        inside = block == number if blocks > 1 else slice(None)
        yield _arrays(entry[inside], leave[inside], group[inside], n[inside], (cause[inside], other[inside]), count)


def _arrays(
    entry: npt.NDArray[Any],
    leave: npt.NDArray[Any],
    group: npt.NDArray[np.int64],
    n: npt.NDArray[Any],
    kinds: tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]],
    groups: int,
) -> GroupArrays:
    time, last = np.unique(leave, return_inverse=True)
    size = (len(time) + 1) * groups
    key = last * groups + group
    moves = np.bincount(np.searchsorted(time, entry, side="right") * groups + group, weights=n, minlength=size)
    left = np.bincount(key, weights=n, minlength=size)
    moves[groups:] -= left[:-groups]
    n_risk = np.cumsum(moves.reshape(-1, groups), axis=0)[:-1]
    event, other = (_table(key[kind], n[kind], size, groups) for kind in kinds)
    return GroupArrays(time, np.asarray(n_risk, dtype=float).round(), event, other)


def _table(key: npt.NDArray[np.int64], n: npt.NDArray[Any], size: int, groups: int) -> Floats:
    counted = np.bincount(key, weights=n, minlength=size)
    return np.asarray(counted, dtype=float).reshape(-1, groups)[:-1]


def _codes(cells: pd.DataFrame, columns: Sequence[str]) -> tuple[npt.NDArray[np.int64], int]:
    """Number the combinations that occur, in their order."""
    key = np.zeros(len(cells), dtype=np.int64)
    for name in columns:
        codes, labels = code_column(cells[name])
        key = key * len(labels) + codes
    occurring, place = np.unique(key, return_inverse=True)
    return place.astype(np.int64), len(occurring)
