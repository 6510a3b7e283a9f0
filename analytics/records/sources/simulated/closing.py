"""How and when the end of a deal gets into the CRM: late, sometimes wrong, sometimes never."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analytics.records.sources.simulated.config import CAUSES, Delay, SimulationConfig
from analytics.records.sources.simulated.draws import Bools, Draws, Ints
from analytics.records.sources.simulated.reasons import LOST_REASONS, NO_DECISION_REASONS, REASONS

NEVER = 10**7
"""A day that does not come."""

BLANK = -1
"""No reason given."""

WAKES_AFTER, WAKES_WITHIN = 90, 90
"""A stalled deal that comes back to life is closed at least 90 days after it fell silent, 180 on average."""

REOPENS_AFTER, REOPENS_WITHIN = 20, 60
SECOND_LIFE_DAYS = 55


def closings(config: SimulationConfig, deals: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Draw what the CRM records about the end of each deal.

    Returns
    -------
    pandas.DataFrame
        Rows as in `deals`: `recorded` (day number of the first closing, `NEVER` for a zombie), `typed` (close date
        somebody typed), `won`, `true_reason` and `reason` (positions in `REASONS`; `BLANK`), `filled_on` and
        `filled_reason` (a blank that is filled later), `reopened_on`, `closed_again_on` and `won_again`,
        `reason_again`.
    """
    rules, n = config.recording, len(deals)
    cause, ended = deals["cause"].to_numpy(), deals["ended"].to_numpy()
    woken, woken_on = _woken(config, cause, ended, seed)
    delay = _delays(config, cause, seed)
    recorded = np.where(
        woken, woken_on, np.where((cause >= 0) & (cause != CAUSES.index("stalled")), ended + delay, NEVER)
    )
    recorded = np.where(deals["born_closed"], deals["opened"], recorded)
    right = Draws(seed, "typed close dates").chance(rules.typed_right, n)
    typed = np.where(right & ~woken, np.minimum(ended, recorded), recorded)
    won = np.where(woken, Draws(seed, "woken won").chance(rules.woken_won, n), cause == CAUSES.index("won"))
    zeroed = Draws(seed, "zeroed amounts").chance(rules.zeroed_at_loss, n)
    table = pd.DataFrame(
        {"recorded": recorded, "typed": typed, "won": won.astype(bool), "woken": woken, "zeroed": zeroed}
    )
    _reasons(config, table, cause, seed)
    _second_life(config, table, seed)
    return table


def _woken(config: SimulationConfig, cause: Ints, ended: Ints, seed: int) -> tuple[Bools, Ints]:
    draws, n = Draws(seed, "woken"), len(cause)
    woken = draws.chance(config.recording.woken, n) & (cause == CAUSES.index("stalled"))
    return woken, ended + WAKES_AFTER + draws.geometric(WAKES_WITHIN, n)


def _delays(config: SimulationConfig, cause: Ints, seed: int) -> Ints:
    draws, n = Draws(seed, "recording delays"), len(cause)
    late, result = draws.uniform(n), np.zeros(n, dtype=np.int64)
    for name in ("won", "lost", "no_decision"):
        delay: Delay = getattr(config.recording, name)
        days = np.where(late < delay.prompt, 0, draws.geometric(delay.mean_days, n))
        result = np.where(cause == CAUSES.index(name), days, result)
    return result


def _reasons(config: SimulationConfig, table: pd.DataFrame, cause: Ints, seed: int) -> None:
    model, draws, n = config.reasons, Draws(seed, "reasons"), len(cause)
    lost = draws.category(model.lost, n)
    undecided = len(LOST_REASONS) + draws.category(model.no_decision, n)
    closed_lost = ~table["won"].to_numpy() & (table["recorded"].to_numpy() < NEVER)
    # A stalled deal that wakes up only to be lost was lost to somebody, so it gets a reason of that kind.
    true = np.where(cause == CAUSES.index("no_decision"), undecided, lost)
    written = draws.category(model.confusion()[true], n)
    blank, filled = draws.chance(model.blank, n), draws.chance(model.filled_later, n)
    filled_on = table["recorded"].to_numpy() + draws.between(7, 60, n)
    table["true_reason"] = np.where(closed_lost, true, BLANK)
    table["reason"] = np.where(closed_lost & ~blank, written, BLANK)
    table["filled_on"] = np.where(closed_lost & blank & filled, filled_on, NEVER)
    table["filled_reason"] = written


def _second_life(config: SimulationConfig, table: pd.DataFrame, seed: int) -> None:
    draws, n = Draws(seed, "second lives"), len(table)
    lost = ~table["won"].to_numpy() & (table["recorded"].to_numpy() < NEVER)
    comes_back = draws.chance(config.recording.reopened, n) & lost
    gap = REOPENS_AFTER + draws.geometric(REOPENS_WITHIN, n)
    length = draws.geometric(SECOND_LIFE_DAYS, n)
    again = table["recorded"].to_numpy() + gap
    table["reopened_on"] = np.where(comes_back, again, NEVER)
    table["closed_again_on"] = np.where(comes_back, again + length, NEVER)
    table["won_again"] = draws.chance(config.recording.reopened_won, n)
    table["reason_again"] = draws.between(0, len(REASONS) - 1, n)
    # A reason is not filled in on a deal that has been re-opened meanwhile.
    early = table["filled_on"].to_numpy() >= table["reopened_on"].to_numpy()
    table.loc[early, "filled_on"] = NEVER


def declared(reason: Ints) -> Bools:
    """Return whether the written reason is one of `NO_DECISION_REASONS`."""
    return np.asarray(reason >= len(REASONS) - len(NO_DECISION_REASONS))
