"""From a distribution over states, day by day, to the rows of an Estimate: the days asked for, counts, and warnings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from analytics.estimators.incidence import Times
from analytics.estimators.multistate.process import Process, backing
from analytics.estimators.multistate.rows import Floats, Ints, Stays
from analytics.estimators.strata import eased_df, stratum_name
from analytics.records.errors import InputError


@dataclass(frozen=True)
class Path:
    """A distribution over states from day `start` on: `share` and `variance` `(T + 1, S)`, the start first.

    `values` are the keys of all its rows, `reason` says why no interval can be given, where none can, and `most` caps
    the number of deals behind it (accounts). `df` are the degrees of freedom of the variance.
    """

    values: dict[str, Any]
    start: float
    share: Floats
    variance: Floats
    reason: str = ""
    most: float = np.inf
    df: float = np.inf


def path_tables(path: Path, stays: Stays, process: Process, states: tuple[str, ...], grid: Floats) -> list[Any]:
    """Return the table of every state on the days of the grid, under the key "state"."""
    place = np.searchsorted(process.time, grid, side="right")
    came = np.concatenate([np.zeros((1, len(states)), dtype=np.int64), process.n_moves.sum(axis=1)])
    total = np.cumsum(came, axis=0)
    moved = total + np.cumsum(np.concatenate([0 * came[:1], process.n_moves.sum(axis=2)]), axis=0)
    on_day = (place > 0) & (np.concatenate(([np.nan], process.time))[place] == grid)
    n_eff = np.minimum(backing(stays, process, path.share, grid), path.most)
    n_eff = np.where(np.isinf(n_eff), 0.0, n_eff)  # only outcomes have a share, and nobody leaves them
    present = at_risk_at(stays, grid, len(states))
    return [
        {
            **path.values, "state": state, "time": grid, "estimate": path.share[place, k],
            "variance": path.variance[place, k], "n_risk": present[:, k],
            "n_event": np.where(on_day, came[place, k], 0), "cum_event": total[place, k], "n_eff": n_eff,
            "reason": path.reason, "df": eased_df(path.df, moved[place, k]),
        }
        for k, state in enumerate(states)
    ]  # fmt: skip


def at_risk_at(stays: Stays, times: Floats, states: int) -> Ints:
    """Return how many deals are at risk in each state at each time, `(times, states)`."""
    out = np.zeros((len(times), states))
    for sign, edge in ((1.0, stays.entry), (-1.0, stays.leave)):
        order = np.argsort(edge, kind="stable")
        for k in range(states):
            mine = order[stays.source[order] == k]
            total = np.concatenate(([0.0], np.cumsum(stays.n[mine])))
            out[:, k] += sign * total[np.searchsorted(edge[mine], times, side="left")]
    return np.asarray(out.round(), dtype=np.int64)


def grid_of(path: Path, process: Process, times: Times, notes: list[str]) -> Floats:
    """Return the days on which the path is known, and note the others and the days on which it rests on nobody."""
    name = stratum_name(path.values)
    notes += _warnings(path, process, name)
    if times is None:
        return np.asarray(process.time, dtype=float)
    asked = np.unique(np.asarray(times, dtype=float))
    if len(asked) and not (np.isfinite(asked).all() and asked[0] >= 0):
        raise InputError("times must be zero or more days after opening", value=asked[:3].tolist())
    early = asked < path.start
    end = process.time[-1] if len(process.time) else path.start
    late = (asked > end) & bool((path.share[-1] * process.left).sum() > 1e-12)
    if early.any():
        notes.append(f"{name}: days before day {path.start:g}, at which it starts, are left out.")
    if late.any():
        notes.append(f"{name}: no deal is followed beyond day {end:g}.")
    return np.asarray(asked[~early & ~late], dtype=float)


def _warnings(path: Path, process: Process, name: str) -> list[str]:
    notes = []
    alone = (path.share[:-1] > 1e-12) & process.left & (process.n_risk == 0)
    if alone.any():
        day = process.time[int(np.flatnonzero(alone.any(axis=1))[0])]
        notes.append(f"{name}: on day {day:g} a share of deals is in a stage in which no deal is watched then, "
                     "so that share stands still until one is.")  # fmt: skip
    return notes
