"""The open life of a deal in the CRM: stages with skips and returns, close dates that are pushed, owners who leave."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analytics.records.sources.simulated.closing import NEVER
from analytics.records.sources.simulated.config import CAUSES, SimulationConfig
from analytics.records.sources.simulated.draws import Bools, Draws, Floats, Ints
from analytics.records.sources.simulated.people import Staff

OPEN_STAGES = ("Prospecting", "Qualification", "Discovery", "Proposal", "Negotiation")
STAGES = (*OPEN_STAGES, "Closed Won", "Closed Lost")
PROBABILITY = (10, 20, 40, 60, 80, 100, 0)
CLOSED_WON, CLOSED_LOST = 5, 6
PROPOSAL = 3

FARTHEST = {
    "won": (0.0, 0.02, 0.05, 0.13, 0.8), "lost": (0.1, 0.26, 0.26, 0.24, 0.14),
    "no_decision": (0.16, 0.32, 0.26, 0.18, 0.08), "stalled": (0.22, 0.34, 0.24, 0.14, 0.06),
}  # fmt: skip
"""Shares of the farthest open stage a deal reaches, by what ends it."""

SKIPPED, STEPS_BACK, WALKED_AT_THE_END = 0.12, 0.06, 0.03
"""Shares of steps that are jumped over, of steps that are taken back once, and of deals that are walked through every
stage on their last day."""

MONTH_END, QUARTER_END = 0.5, 0.25
"""Shares of expected close dates that are set to the last day of their month and of their quarter."""

FIRST_GUESS_DAYS, NEXT_GUESS_DAYS = 70, 45
FORGOTTEN, FORGOTTEN_DAYS = 0.2, 60
"""Share of pushes that come late, by how much on average."""

MOST_PUSHES = 14


def stage_steps(deals: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Draw the moves between open stages: `deal`, `day`, `step` (order), `stage`; the first stage is not a move."""
    draws, n = Draws(seed, "stages"), len(deals)
    farthest = _farthest(deals["cause"].to_numpy(), draws)
    taken, stage = _plan(farthest, draws)
    length = deals["age_at_end"].to_numpy()
    gaps = -np.log1p(-draws.uniform(n, taken.shape[1] + 1)) * np.column_stack([taken, np.ones(n, dtype=bool)])
    total = np.cumsum(gaps, axis=1)
    when = np.floor(total[:, :-1] / total[:, -1:] * np.maximum(length, 0)[:, None]).astype(np.int64)
    walked = draws.chance(WALKED_AT_THE_END, n)
    when = np.where(walked[:, None], length[:, None], when)
    taken &= ~deals["born_closed"].to_numpy()[:, None]
    row, step = np.nonzero(taken)
    return pd.DataFrame({"deal": row, "day": deals["opened"].to_numpy()[row] + when[row, step], "step": step,
                         "stage": stage[row, step]})  # fmt: skip


def _farthest(cause: Ints, draws: Draws) -> Ints:
    shares = np.array([FARTHEST[name] for name in CAUSES])
    return draws.category(shares[cause], len(cause))


def _plan(farthest: Ints, draws: Draws) -> tuple[Bools, Ints]:
    """Return which of the possible moves are made: for each stage a step to it, one back, one to it again."""
    n, stages = len(farthest), np.arange(1, len(OPEN_STAGES))
    reached = stages[None, :] <= farthest[:, None]
    forward = reached & ~(draws.chance(SKIPPED, n, len(stages)) & (stages[None, :] < farthest[:, None]))
    back = forward & draws.chance(STEPS_BACK, n, len(stages)) & (stages[None, :] >= 2)
    taken = np.stack([forward, back, back], axis=2).reshape(n, -1)
    target = np.stack([stages, stages - 1, stages], axis=1).reshape(-1)
    return taken, np.broadcast_to(target, taken.shape)


def close_date_pushes(
    config: SimulationConfig, deals: pd.DataFrame, closing: pd.DataFrame, seed: int
) -> tuple[Ints, pd.DataFrame]:
    """Draw the first expected close date of each deal and its later pushes (`deal`, `day`, `expected`).

    A push comes a week before to two weeks after the expected date (a share is forgotten for weeks); a stalled deal is
    pushed on only where somebody does so by habit.
    """
    draws, n = Draws(seed, "pushes"), len(deals)
    opened, ended = deals["opened"].to_numpy(), deals["ended"].to_numpy()
    habit = draws.chance(config.recording.pushed_by_habit, n)
    silent = (deals["cause"].to_numpy() == CAUSES.index("stalled")) & ~habit
    last_day = np.minimum(np.where(silent, ended, NEVER), closing["recorded"].to_numpy())
    expected = heaped(opened + draws.geometric(FIRST_GUESS_DAYS, n) + 10, draws.uniform(n))
    first, day, rows = expected.copy(), opened, []
    alive = np.arange(n)
    for _ in range(MOST_PUSHES):
        m = len(alive)
        late = np.where(draws.chance(FORGOTTEN, m), draws.geometric(FORGOTTEN_DAYS, m), 0)
        day = np.maximum(expected[alive] + draws.between(-7, 14, m) + late, day + 1)
        new = heaped(np.maximum(day, expected[alive]) + draws.geometric(NEXT_GUESS_DAYS, m), draws.uniform(m))
        happens = day < last_day[alive]
        alive, day, new = alive[happens], day[happens], new[happens]
        expected[alive] = new
        rows.append(pd.DataFrame({"deal": alive, "day": day, "expected": new}))
    return first, pd.concat(rows, ignore_index=True)


def heaped(days: Ints, draw: Floats) -> Ints:
    """Move a share of the dates to the last day of their month or quarter, as sellers do.

    Examples
    --------
    >>> day = np.datetime64("2025-02-10").astype(int)
    >>> heaped(np.array([day, day, day]), np.array([0.1, 0.6, 0.9])).astype("datetime64[D]").astype(str).tolist()
    ['2025-02-28', '2025-03-31', '2025-02-10']
    """
    month = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    month_end = (month + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) - 1
    quarter_end = (month // 3 * 3 + 3).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) - 1
    return np.where(draw < MONTH_END, month_end, np.where(draw < MONTH_END + QUARTER_END, quarter_end, days))


def handovers(deals: pd.DataFrame, closing: pd.DataFrame, people: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Draw who takes over open deals whose owner leaves: `deal`, `day`, `owner`; within three weeks of leaving."""
    draws, staff = Draws(seed, "handovers"), Staff(people, 0)
    # Zombies change hands for ever; the roster ends, and so does this.
    until = int(people["start"].max()) - 21
    alive = np.arange(len(deals))
    owner = deals["owner"].to_numpy()
    rows = [pd.DataFrame({"deal": alive[:0], "day": alive[:0], "owner": alive[:0]})]
    while len(alive):
        day = staff.leaves(owner) + 1 + draws.between(0, 20, len(alive))
        draw = draws.uniform(len(alive))
        happens = (day < closing["recorded"].to_numpy()[alive]) & (day <= until)
        alive, day = alive[happens], day[happens]
        owner = staff.pick(day, draw[happens])
        rows.append(pd.DataFrame({"deal": alive, "day": day, "owner": owner}))
    return pd.concat(rows, ignore_index=True)
