"""What a simulated scenario is, how it is played, and how its coverage or size is judged.

A module beside this one holds `SCENARIOS: tuple[Scenario, ...]`. A scenario has two functions:

- `draw(rng)`: the deals of one replicate, as a dict of equally long arrays. Replicate r of a scenario always has the
  generator `default_rng([seed, r])`, so that any replicate can be looked at alone.
- `judge(deals, count)`: all replicates of a block at once; `deals` is the frame of everything drawn, with a column
  `replicate` (0, 1, ... count - 1). It returns a list of `Found`: per estimator and target one value per replicate, 1
  where the interval holds the truth (or the test refuses, for `kind="size"`), 0 where not, NaN where there is none; a
  share where a replicate has several of them.

Estimators are stratified, so `count_events(deals, by="replicate")` answers for 5,000 replicates in one call. An
estimator that cannot be stacked is wrapped: `judge=one_by_one(function of one replicate's frame)`.

    python tests/simulations/run.py [module ...]

plays whole modules and writes their table; `test_simulations.py` plays each scenario again (slow) and compares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

REPLICATES = 5_000
RESULTS = Path(__file__).parent / "results"
LIMITS = {
    "coverage": (0.935, 0.965),
    "size": (0.04, 0.06),
    "power": (0.78, 0.82),
    "false discovery": (0.0, 0.05),
}
FEW_EVENTS = 5
"""Below so many expected events an interval may hold the truth more often than it says, never less."""

COLUMNS = [
    "scenario", "estimator", "target", "expected_events", "replicates", "missing", "kind", "value", "mc_error", "low",
    "high", "verdict", "note",
]  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What one estimator did: `held` per replicate (1, 0, NaN where it gives no answer).

    `events`: expected events behind it, a number or one count per replicate. `note` explains missing answers, or a
    limit that is not the usual one: `high=1.0` lets an interval be wide by construction (whole days, bounds of a set),
    `low=0.0` a test be timid that says so.
    """

    estimator: str
    target: str
    held: Any
    events: Any = np.nan
    kind: Literal["coverage", "size", "power", "false discovery"] = "coverage"
    high: float | None = None
    note: str = ""
    low: float | None = None


@dataclass(frozen=True)
class Scenario:
    """A company to be simulated and the estimators to be judged on it.

    `again`: how many of the replicates the slow test plays again; all of them take 25 minutes of a processor.
    """

    name: str
    seed: int
    draw: Callable[[np.random.Generator], Mapping[str, Any]]
    judge: Callable[[pd.DataFrame, int], Sequence[Found]]
    replicates: int = REPLICATES
    again: int = 500
    block: int = 1_000


@dataclass
class _Sum:
    first: Found
    held: list[Any] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)


def drawn(scenario: Scenario, first: int, count: int) -> pd.DataFrame:
    """The deals of `count` replicates from `first` on, one under the other, with the column `replicate` from 0."""
    parts = [scenario.draw(np.random.default_rng([scenario.seed, first + r])) for r in range(count)]
    names = list(parts[0])
    sizes = [len(part[names[0]]) for part in parts]
    columns = {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in names}
    return pd.DataFrame({"replicate": np.repeat(np.arange(count), sizes), **columns})


def play(scenario: Scenario, replicates: int | None = None) -> pd.DataFrame:
    """Play a scenario and return a row per estimator and target."""
    total = scenario.replicates if replicates is None else replicates
    sums: dict[tuple[str, str], _Sum] = {}
    for first in range(0, total, scenario.block):
        count = min(scenario.block, total - first)
        for found in scenario.judge(drawn(scenario, first, count), count):
            held = np.asarray(found.held, dtype=float)
            assert held.shape == (count,), f"{scenario.name}, {found.estimator}: {held.shape} answers for {count}"
            entry = sums.setdefault((found.estimator, found.target), _Sum(found))
            if found.note and not entry.first.note:  # a block may be the first that lacks an answer
                entry.first = found
            entry.held.append(held)
            entry.events.append(np.broadcast_to(np.asarray(found.events, dtype=float), (count,)))
    rows = [
        judged(scenario.name, one.first, np.concatenate(one.held), float(np.concatenate(one.events).mean()))
        for one in sums.values()
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def judged(name: str, found: Found, held: Any, events: float) -> dict[str, Any]:
    """The row of one estimator: how often it held, the limits that apply, and whether it keeps them."""
    known = held[~np.isnan(held)]
    value = float(known.mean()) if len(known) else float("nan")
    error = float(np.sqrt(value * (1 - value) / len(known))) if len(known) else float("nan")
    low, high = LIMITS[found.kind]
    if found.kind == "coverage" and events < FEW_EVENTS:
        high = 1.0
    low, high = low if found.low is None else found.low, high if found.high is None else found.high
    missing = len(held) - len(known)
    assert not missing or found.note, (
        f"{name}, {found.estimator}, {found.target}: {missing} without an answer, and no why"
    )
    return {
        "scenario": name, "estimator": found.estimator, "target": found.target, "expected_events": round(events, 1),
        "replicates": len(held), "missing": missing, "kind": found.kind, "value": round(value, 4),
        "mc_error": round(error, 4), "low": low, "high": high, "verdict": verdict(value, error, low, high),
        "note": found.note,
    }  # fmt: skip


def verdict(value: float, error: float, low: float, high: float) -> str:
    """Whether a value keeps its limits, two Monte Carlo errors allowed."""
    return "holds" if low - 2 * error <= value <= high + 2 * error else "FAILS"


def one_by_one(
    estimate: Callable[[pd.DataFrame], Sequence[Found]],
) -> Callable[[pd.DataFrame, int], Sequence[Found]]:
    """Make a judge of a function of one replicate's deals, which returns `Found` with a single value each."""

    def judge(deals: pd.DataFrame, count: int) -> Sequence[Found]:
        groups = deals.groupby("replicate", sort=True)
        every = [estimate(group.drop(columns="replicate").reset_index(drop=True)) for _, group in groups]
        assert len(every) == count
        return [
            Found(first.estimator, first.target, [float(one[i].held) for one in every],
                  np.array([float(one[i].events) for one in every]), first.kind, first.high,
                  next((one[i].note for one in every if one[i].note), ""), first.low)
            for i, first in enumerate(every[0])
        ]  # fmt: skip

    return judge


def holds(frame: pd.DataFrame, count: int, truth: float, *, of: str = "replicate") -> Any:
    """Per replicate: do the limits of its row hold the truth? NaN without a row or without limits."""
    held = np.full(count, np.nan)
    low, high = frame["conf_low"].to_numpy(dtype=float), frame["conf_high"].to_numpy(dtype=float)
    inside = (low <= truth + 1e-9) & (truth - 1e-9 <= high)
    held[frame[of].to_numpy(dtype=np.int64)] = np.where(np.isnan(low) | np.isnan(high), np.nan, inside)
    return held


def per_replicate(frame: pd.DataFrame, count: int, column: str, *, of: str = "replicate") -> Any:
    """One column of a frame with at most one row per replicate, NaN where there is none."""
    values = np.full(count, np.nan)
    values[frame[of].to_numpy(dtype=np.int64)] = frame[column].to_numpy(dtype=float)
    return values
