"""Rows as they were read: texts, with the file and physical line of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from analytics.records.errors import InputError, nearest

FILE, LINE = "__file__", "__line__"
"""Columns of a raw table that say where each row came from."""

Place = Callable[[int], tuple[str, int]]
"""Position of a row -> its file and line."""

Defect = tuple[int, str, dict[str, str]]
"""A row that is not whole: its line, the reason and what could be read of it."""


@dataclass(frozen=True)
class Contents:
    """What one file held: columns of texts, lines, rows that are not whole, columns that came with a type."""

    frame: pd.DataFrame
    lines: np.ndarray
    defects: list[Defect] = field(default_factory=list)
    typed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class RawTable:
    """Rows as texts: the file's columns (missing: None), then `FILE` and `LINE`.

    `typed` names the columns whose cells came as dates or numbers (Parquet, Excel, databases): dates are ISO texts.
    """

    name: str
    frame: pd.DataFrame
    typed: frozenset[str] = frozenset()

    @property
    def columns(self) -> list[str]:
        """The file's own columns."""
        return [str(name) for name in self.frame.columns if name not in (FILE, LINE)]

    def originals(self, position: int) -> dict[str, object]:
        """The values of one row as they were read."""
        row = zip(self.frame.columns, self.frame.iloc[position], strict=True)
        return {str(name): value for name, value in row if name not in (FILE, LINE)}

    def rows_at(self, positions: Iterable[int]) -> Iterator[tuple[str, int, dict[str, object]]]:
        """File, line and values as they were read of many rows."""
        wanted = list(positions)
        if not wanted:
            return
        rows = self.frame.iloc[wanted]
        names = self.columns
        for file, line, *values in zip(rows[FILE], rows[LINE], *(rows.iloc[:, at] for at in self._own()), strict=True):
            yield str(file), int(line), dict(zip(names, values, strict=True))

    def _own(self) -> list[int]:
        return [at for at, name in enumerate(self.frame.columns) if name not in (FILE, LINE)]

    def place(self, position: int) -> tuple[str, int]:
        """File and line of one row."""
        return str(self.frame[FILE].iloc[position]), int(self.frame[LINE].iloc[position])

    def require(self, names: dict[str, str], *, block: str) -> None:
        """Check that the columns that a mapping names are in the table.

        Raises
        ------
        InputError
            For the first missing one, with the nearest name and the place in the params where it is written.
        """
        for target, name in names.items():
            if name not in self.columns:
                raise InputError(
                    "the mapping names this column and the file lacks it",
                    file=self.name,
                    column=name,
                    action=f"Correct {block}: {target} in the params ({nearest(name, self.columns)})",
                )
            if self.columns.count(name) > 1:
                raise InputError(
                    "the header has this column more than once",
                    file=self.name,
                    column=name,
                    action="Rename one of them",
                )
