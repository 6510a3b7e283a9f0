"""Every input row is accounted for: kept + rejected = read, and a rejected row keeps its place, reason and values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from analytics.records.contract import REJECT_COLUMNS, Noticed, SourceFile


@dataclass
class RejectLedger:
    """What was read, rejected and noticed, kept while one source is being read.

    A row is rejected once; further reasons for the same row are added to the first one's sentence. `noticed` holds what
    reading handled by a rule without rejecting a row (how a column writes its dates, say).

    Examples
    --------
    >>> ledger = RejectLedger()
    >>> name = ledger.register("deals.csv", sha256="ab12", rows_read=3)
    >>> ledger.reject(name, 2, "no opening date (opened)", {"id": "7", "opened": ""})
    >>> ledger.files()
    (SourceFile(name='deals.csv', sha256='ab12', rows_read=3, rows_kept=2, rows_rejected=1),)
    """

    noticed: list[Noticed] = field(default_factory=list)
    _files: dict[str, tuple[str, int]] = field(default_factory=dict)
    _rows: dict[tuple[str, int], tuple[list[str], str]] = field(default_factory=dict)

    def register(self, name: str, *, sha256: str, rows_read: int, role: str = "") -> str:
        """Enter a file that was read; returns the name under which its rows are rejected.

        A name that is taken (two files of one name, or one file read in two roles) gets its role or a number added.
        """
        unique, number = name, 2
        if unique in self._files and role:
            unique = f"{name} ({role})"
        while unique in self._files:
            unique, number = f"{name} ({role + ' ' if role else ''}{number})", number + 1
        self._files[unique] = (sha256, rows_read)
        return unique

    def reject(self, file: str, line: int, reason: str, values: Mapping[str, object]) -> None:
        """Reject one row of a registered file, with the values as they were read."""
        if file not in self._files:
            raise ValueError(f"{file!r} was not registered before its rows were rejected")
        reasons, _ = self._rows.setdefault((file, int(line)), ([], _as_json(values)))
        if reason not in reasons:
            reasons.append(reason)

    def notice(self, seen: Noticed) -> None:
        """Enter what reading handled by a rule; the same thing in several files is counted together."""
        for at, before in enumerate(self.noticed):
            if replace(before, found=seen.found, of=seen.of) == seen:
                self.noticed[at] = replace(before, found=before.found + seen.found, of=before.of + seen.of)
                return
        self.noticed.append(seen)

    def frame(self) -> pd.DataFrame:
        """All rejected rows, in the order of files and lines: file, line, reason, values."""
        order = {name: place for place, name in enumerate(self._files)}
        keys = sorted(self._rows, key=lambda key: (order[key[0]], key[1]))
        rows = [(file, line, "; ".join(self._rows[file, line][0]), self._rows[file, line][1]) for file, line in keys]
        return pd.DataFrame(rows, columns=list(REJECT_COLUMNS)).astype({"line": "int64"})

    def files(self) -> tuple[SourceFile, ...]:
        """Every file with its rows read, kept and rejected."""
        rejected = pd.Series([file for file, _ in self._rows], dtype=object).value_counts()
        return tuple(
            SourceFile(name, sha256, read, read - int(rejected.get(name, 0)), int(rejected.get(name, 0)))
            for name, (sha256, read) in self._files.items()
        )


def rejects_by_reason(rejects: pd.DataFrame) -> pd.DataFrame:
    """Why were rows rejected? One line per file and reason.

    Parameters
    ----------
    rejects : pandas.DataFrame
        `History.rejects`: file, line, reason, values.

    Returns
    -------
    pandas.DataFrame
        `file`, `reason`, `rows` (count), `first_line`, most frequent reason first within a file.

    Examples
    --------
    >>> rejects = pd.DataFrame({"file": ["a.csv"] * 2, "line": [3, 9], "reason": ["no id"] * 2, "values": ["{}"] * 2})
    >>> rejects_by_reason(rejects).to_dict("records")
    [{'file': 'a.csv', 'reason': 'no id', 'rows': 2, 'first_line': 3}]
    """
    groups = rejects.groupby(["file", "reason"], sort=False)["line"].agg(["size", "min"]).reset_index()
    groups.columns = pd.Index(["file", "reason", "rows", "first_line"])
    return groups.sort_values(["file", "rows", "reason"], ascending=[True, False, True], ignore_index=True)


def check_accounts(files: Iterable[SourceFile], rejects: pd.DataFrame) -> None:
    """Check that kept + rejected = read for every file, and that every rejected row is there.

    Raises
    ------
    ValueError
        Naming the file whose rows do not add up: a fault of the reader, never of the input.
    """
    counted = rejects["file"].value_counts()
    for file in files:
        if file.rows_kept + file.rows_rejected != file.rows_read or file.rows_kept < 0:
            raise ValueError(
                f"{file.name}: {file.rows_kept} kept and {file.rows_rejected} rejected of {file.rows_read} read"
            )
        if int(counted.get(file.name, 0)) != file.rows_rejected:
            raise ValueError(f"{file.name}: {file.rows_rejected} rows rejected, {counted.get(file.name, 0)} listed")


def _as_json(values: Mapping[str, object]) -> str:
    return json.dumps(
        {str(key): None if value is None else str(value) for key, value in values.items()}, ensure_ascii=False
    )
