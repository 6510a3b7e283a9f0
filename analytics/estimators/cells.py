"""Group rows into counted cells with NumPy: the step between a frame of deals and a RiskTable.

Every key column becomes integer codes, the codes of a row become one integer, and one `bincount` counts them; a million
rows with integer or categorical columns take some hundredths of a second. Nothing here knows what the columns mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def group_cells(keys: Mapping[str, Any], sums: Mapping[str, npt.NDArray[Any] | None], rows: int) -> pd.DataFrame:
    """Add up `sums` over the rows that agree on every key.

    Parameters
    ----------
    keys : mapping of str to array or Series
        Key columns without missing values.
    sums : mapping of str to array or None
        What is added up; None counts rows.
    rows : int
        Number of rows of every column.

    Returns
    -------
    pandas.DataFrame
        One row per combination that occurs, ordered by the keys (categoricals in the order of their categories), with
        the sums in the order given. Counts are integers.

    Examples
    --------
    >>> group_cells({"exit": np.array([3, 3, 5])}, {"n": None}, 3).to_dict("list")
    {'exit': [3, 5], 'n': [2, 1]}
    """
    coded = {name: code_column(values) for name, values in keys.items()}
    key, sizes = _one_key([codes for codes, _ in coded.values()], [len(labels) for _, labels in coded.values()], rows)
    cells, cell_of_row = _occupied(key, _product(sizes), rows)
    frame: dict[str, Any] = {}
    remaining = cells
    for name, (_, labels), size in reversed(list(zip(coded, coded.values(), sizes, strict=True))):
        frame[name] = labels.take(remaining % size)
        remaining = remaining // size
    frame = {name: np.asarray(frame[name]) for name in keys}
    for name, values in sums.items():
        if values is None:
            frame[name] = np.bincount(cell_of_row, minlength=len(cells))
        else:
            total = np.bincount(cell_of_row, weights=values, minlength=len(cells))
            frame[name] = total.astype(np.int64) if values.dtype.kind in "iu" else total
    return pd.DataFrame(frame)


def code_column(values: Any) -> tuple[Ints, Any]:
    """Return integer codes of a column and the labels they stand for, in order; -1 stands for a missing value."""
    if isinstance(getattr(values, "dtype", None), pd.CategoricalDtype):
        categorical = pd.Series(values).cat
        return np.asarray(categorical.codes, dtype=np.int64), categorical.categories
    array = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
    if array.dtype.kind in "iu" and len(array):
        low, high = int(array.min()), int(array.max())
        if high - low <= 4 * len(array) + 1000:
            shifted: Ints = array.astype(np.int64) - low
            return shifted, np.arange(low, high + 1)
    codes, labels = pd.factorize(values, use_na_sentinel=True)
    order = _order(labels)
    rank = np.empty(len(labels) + 1, dtype=np.int64)
    rank[order] = np.arange(len(labels))
    rank[-1] = -1  # the sentinel of a missing value indexes the last place
    ranked: Ints = rank[codes]
    return ranked, labels.take(order)


def _order(labels: Any) -> Ints:
    try:
        return np.argsort(np.asarray(labels), kind="stable")
    except TypeError:  # labels of mixed type have an order only as text
        return np.argsort(np.asarray([str(label) for label in labels]), kind="stable")


def _product(sizes: Sequence[int]) -> int:
    total = 1
    for size in sizes:
        total *= int(size)
    return total


def _one_key(codes: Sequence[Ints], sizes: Sequence[int], rows: int) -> tuple[Ints, list[int]]:
    if _product(sizes) >= 2**62:
        raise OverflowError("too many combinations of strata, accounts and times for one table")
    key = np.zeros(rows, dtype=np.int64)
    for column, size in zip(codes, sizes, strict=True):
        if size > 1:
            key = key * size + column if key.any() else column
    return key, [max(int(size), 1) for size in sizes]


def _occupied(key: Ints, combinations: int, rows: int) -> tuple[Ints, Ints]:
    """Return the keys that occur, ascending, and the position among them of each row."""
    if combinations <= max(4 * rows, 1 << 16):
        present = np.bincount(key, minlength=combinations) > 0
        position = np.cumsum(present) - 1
        return np.flatnonzero(present), position[key]
    codes, unique = pd.factorize(key)
    order = np.argsort(unique, kind="stable")
    rank = np.empty(len(unique), dtype=np.int64)
    rank[order] = np.arange(len(unique))
    return np.asarray(unique)[order], rank[codes]
