"""The transition table: stays counted by day of entry and exit, stage, and where they led."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.multistate.rows import Ints, Stages, Stays
from analytics.estimators.result import Listing

STILL_THERE = "still there"


@dataclass(frozen=True, eq=False)
class TransitionTable:
    """Counted stays; tables of different deals add up. It holds no deal ids.

    Attributes
    ----------
    cells : pandas.DataFrame
        `by`, `entry`, `exit`, `from`, `to` (missing where still there) → `n`, `w`, `w2`.
    states, by : tuple of str
        States in order, and the strata.
    n_deals : int
        Different deals behind the stays.
    weighted : bool
        Whether `w` holds weights.
    """

    cells: pd.DataFrame
    states: tuple[str, ...]
    by: tuple[str, ...]
    n_deals: int
    weighted: bool

    def strata(self) -> Iterator[tuple[dict[str, Any], Stays]]:
        """Return each stratum's values and its stays."""
        if not self.by:
            if len(self.cells):
                yield {}, self._stays(self.cells)
            return
        for value, cells in self.cells.groupby(list(self.by), sort=True, observed=True):
            yield dict(zip(self.by, value, strict=True)), self._stays(cells)

    def _stays(self, cells: pd.DataFrame) -> Stays:
        n, w, w2 = (cells[name].to_numpy(dtype=float) for name in ("n", "w", "w2"))
        source, target = (cells[name].cat.codes.to_numpy().astype(np.int64) for name in ("from", "to"))
        nobody = np.empty(0, dtype=np.int64)
        entry, leave = cells["entry"].to_numpy(), cells["exit"].to_numpy()
        return Stays(entry, leave, source, target, n, w, w2, nobody, nobody, np.empty(0))


def count_transitions(stages: Stages) -> TransitionTable:
    """Count stage rows into a transition table.

    Examples
    --------
    >>> from analytics.estimators.multistate.rows import read_stages
    >>> rows = pd.DataFrame({"deal_id": [1, 2, 3], "entry": -1, "exit": [4, 4, 7], "from": "a",
    ...                      "to": ["won", "won", None]})
    >>> count_transitions(read_stages(rows)).cells[["exit", "to", "n"]].values.tolist()
    [[4, 'won', 2], [7, nan, 1]]
    """
    pieces = []
    for values, stays in stages.parts:
        piece = pd.DataFrame({
            "entry": stays.entry, "exit": stays.leave, "from": stays.source, "to": stays.target,
            "n": 1, "w": stays.w, "w2": stays.w2,
        })  # fmt: skip
        counted = piece.groupby(["entry", "exit", "from", "to"], as_index=False).sum()
        pieces.append(counted.assign(**values)[[*values, *counted.columns]])
    names = [*stages.by, "entry", "exit", "from", "to", "n", "w", "w2"]
    cells = pd.concat(pieces, ignore_index=True) if pieces else pd.DataFrame({name: [] for name in names})
    for name in ("from", "to"):
        codes: Ints = np.asarray(cells[name], dtype=np.int64)
        cells[name] = pd.Categorical.from_codes(codes, categories=pd.Index(stages.states), ordered=True)
    return TransitionTable(cells, stages.states, stages.by, stages.n_deals, stages.weighted)


def transition_counts(table: TransitionTable) -> Listing:
    """How often did deals go from each stage to each other one, and how many were still there when last seen?

    Returns
    -------
    Listing
        One row per stratum, `from` and `to` (every state, then "still there"): `n`. A deal that came back to a stage
        counts again; a stay that was split into several rows is still there once in each but the last.

    Examples
    --------
    >>> from analytics.estimators.multistate.rows import read_stages
    >>> rows = pd.DataFrame({"deal_id": [1, 2, 3], "entry": -1, "exit": [4, 4, 7], "from": "a",
    ...                      "to": ["won", "won", None]})
    >>> transition_counts(count_transitions(read_stages(rows))).frame.query("n > 0").values.tolist()
    [['a', 'won', 2], ['a', 'still there', 1]]
    """
    size = len(table.states)
    pieces = []
    for values, stays in table.strata():
        place = stays.source * (size + 1) + np.where(stays.target < 0, size, stays.target)
        count = np.bincount(place, weights=stays.n, minlength=size * (size + 1)).astype(np.int64)
        piece = pd.DataFrame({"from": np.repeat(table.states, size + 1), "n": count})
        piece.insert(1, "to", [*table.states, STILL_THERE] * size)
        pieces.append(piece.assign(**values)[[*values, "from", "to", "n"]])
    names = [*table.by, "from", "to", "n"]
    frame = pd.concat(pieces, ignore_index=True) if pieces else pd.DataFrame({name: [] for name in names})
    return Listing(frame, "Moves between stages")
