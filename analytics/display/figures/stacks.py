"""An incidence over time, stratum by stratum, ready to be drawn and to be said in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.display import theme, wording
from analytics.display.figures.sheet import (
    size_of,
)
from analytics.estimators.result import Estimate


@dataclass(frozen=True)
class Stack:
    """One stratum ready to be drawn: step values per outcome on common times, and the sizes."""

    name: str
    table: pd.DataFrame  # index time, one column per outcome
    rows: dict[str, pd.DataFrame]  # outcome -> its rows in time order
    n: float
    remark: str = ""
    axis: str = ""

    @property
    def last(self) -> float:
        """Day up to which the stratum was followed."""
        return float(self.table.index[-1])


def strata_of(incidence: Estimate) -> list[Stack]:
    """Split an incidence over time into its strata, in the order given; rows without an estimate are not drawn."""
    keys = incidence.meta.keys
    if incidence.meta.kind != "incidence" or not {"outcome", "time"} <= set(keys):
        raise ValueError(
            f"a stacked incidence needs the keys outcome and time; this estimate is {incidence.meta.kind} by {keys}"
        )
    by = [name for name in keys if name not in ("outcome", "time")]
    frame = incidence.frame[incidence.frame["estimate"].notna()]
    if frame.empty:
        raise ValueError("there is nothing to draw: the incidence has no row with an estimate")
    groups = frame.groupby(by, sort=False, dropna=False) if by else [((), frame)]
    found = []
    for i, (level, part) in enumerate(groups):
        names = level if isinstance(level, tuple) else (level,)
        part = part.sort_values("time", kind="stable")
        table = part.pivot(index="time", columns="outcome", values="estimate").sort_index().ffill().fillna(0.0)
        rows = {str(outcome): rows for outcome, rows in part.groupby("outcome", sort=False)}
        mature = "mature" not in part.columns or bool(part["mature"].all())
        remark = "" if mature else f"followed whole for {_days(part)} days"
        axis = "" if i == 0 else str(i + 1)
        name = " · ".join(str(value) for value in names)
        found.append(Stack(name, table, rows, _size(incidence, part, bool(by)), remark, axis))
    return found


def _days(part: pd.DataFrame) -> str:
    followed = part["followed_days"] if "followed_days" in part.columns else part["time"]
    return wording.count(float(followed.max()))


def _size(incidence: Estimate, part: pd.DataFrame, grouped: bool) -> float:
    if "n_deals" in part.columns or not grouped:
        return size_of(incidence, part)
    return float(part["n_risk"].max()) if "n_risk" in part.columns else math.nan


def ends(stack: Stack) -> dict[str, tuple[float, float, float]]:
    """Return estimate and interval of each outcome on the last day."""
    found = {}
    for outcome in theme.in_order(stack.rows):
        row = stack.rows[outcome].iloc[-1]
        found[outcome] = (float(row["estimate"]), float(row["conf_low"]), float(row["conf_high"]))
    return found


def said(stack: Stack) -> str:
    """Say in words where the deals of a stratum are on its last day."""
    parts = [f"{theme.outcome_name(k).lower()} {wording.percent_interval(*v, stack.n)}" for k, v in ends(stack).items()]
    open_share = 1 - sum(v[0] for v in ends(stack).values())
    parts.append(f"still open {wording.percent(max(0.0, open_share), stack.n)}")
    head = f"{stack.name}: " if stack.name else ""
    size = f" (n {wording.count(stack.n)})" if math.isfinite(stack.n) else ""
    return f"{head}by day {stack.last:.0f}{size} {', '.join(parts)}"


def at_risk(stack: Stack, ticks: Sequence[int]) -> list[str]:
    """Numbers at risk just before each tick: the row of that day, else of the next day that has one."""
    rows = next(iter(stack.rows.values()))
    if "n_risk" not in rows.columns:
        return ["" for _ in ticks]
    times, risk = rows["time"].to_numpy(dtype=float), rows["n_risk"].to_numpy(dtype=float)
    found = []
    for tick in ticks:
        place = int(np.searchsorted(times, tick - 1e-9))
        found.append(wording.count(risk[place]) if place < len(times) else "")
    return found


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move label heights apart to at least `gap`, keeping their order and staying within [low, high] where they fit.

    Examples
    --------
    >>> [round(v, 2) for v in spread([0.5, 0.52, 0.9], 0.1, 0.0, 1.0)]
    [0.5, 0.6, 0.9]
    """
    placed = [max(low, value) if i == 0 else value for i, value in enumerate(wanted)]
    for i in range(1, len(placed)):
        placed[i] = max(placed[i], placed[i - 1] + gap)
    if placed and placed[-1] > high:
        placed[-1] = high
        for i in range(len(placed) - 2, -1, -1):
            placed[i] = min(placed[i], placed[i + 1] - gap)
    return placed
