"""Recorded states: every change of a deal in the order in which the CRM learned it, with the values after it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analytics.records.sources.simulated.closing import BLANK, NEVER
from analytics.records.sources.simulated.config import SimulationConfig
from analytics.records.sources.simulated.draws import Draws, Floats
from analytics.records.sources.simulated.journey import (
    CLOSED_LOST,
    CLOSED_WON,
    PROPOSAL,
    close_date_pushes,
    handovers,
    heaped,
    stage_steps,
)  # fmt: skip

UNCHANGED = -99
"""Marks a value that this change leaves as it was."""

VALUES = ("stage", "expected", "owner", "reason", "amount")
ORDER = {
    "created": 0,
    "stage": 10,
    "push": 40,
    "owner": 60,
    "closed": 70,
    "reason": 80,
    "reopened": 90,
    "closed again": 95,
}
"""Within a day, what comes first."""

NO_AMOUNT_YET, DISCOUNTED, LARGEST_DISCOUNT = 0.12, 0.4, 0.2


def recorded_states(
    config: SimulationConfig, deals: pd.DataFrame, closing: pd.DataFrame, people: pd.DataFrame, seed: int
) -> pd.DataFrame:
    """Return one row per deal and recorded change, with all values after the change.

    The whole life is here, whatever the day of the export: cutting it later cannot change what came before.

    Returns
    -------
    pandas.DataFrame
        Sorted by `deal` and time: `deal`, `day`, `sequence` (within the day, from 0), `change` (what happened, a key
        of `ORDER`), `second` (of the day), then `stage`, `expected` (expected close date; once closed, the typed one),
        `owner`, `reason` (position in `REASONS` or `BLANK`), `amount` (NaN: none).
    """
    first, pushes = close_date_pushes(config, deals, closing, seed)
    rows = [
        _created(config, deals, closing, first, seed),
        _moves(deals, seed),
        _change(pushes["deal"], pushes["day"], "push", expected=pushes["expected"]),
        *_ends(deals, closing, seed),
    ]
    taken_over = handovers(deals, closing, people, seed)
    rows.append(_change(taken_over["deal"], taken_over["day"], "owner", owner=taken_over["owner"]))
    table = pd.concat(rows, ignore_index=True)
    table = table.sort_values(["deal", "day", "order"], kind="stable").reset_index(drop=True)
    for name in VALUES:
        table[name] = _filled(table[name].to_numpy())
    table["sequence"] = table.groupby(["deal", "day"]).cumcount()
    table["second"] = _seconds(table, seed)
    return table[["deal", "day", "sequence", "change", "second", *VALUES]]


def _change(deal: object, day: object, change: str, **values: object) -> pd.DataFrame:
    columns = {"deal": deal, "day": day, "change": change, "order": ORDER[change]}
    table = pd.DataFrame(columns | {name: values.get(name, UNCHANGED) for name in VALUES}).reset_index(drop=True)
    return table.astype({"amount": float} | dict.fromkeys(VALUES[:-1], np.int64))


def _filled(values: Floats) -> Floats:
    """Carry the last value forward; every deal's first row has all of them, so nothing crosses deals."""
    position = np.where(values == UNCHANGED, 0, np.arange(len(values)))
    return np.asarray(values[np.maximum.accumulate(position)])


def _created(
    config: SimulationConfig, deals: pd.DataFrame, closing: pd.DataFrame, first: object, seed: int
) -> pd.DataFrame:
    born = deals["born_closed"].to_numpy()
    no_amount = Draws(seed, "blank amounts").chance(NO_AMOUNT_YET, len(deals)) & ~born
    return _change(
        deals["deal"], deals["opened"], "created", stage=np.where(born, CLOSED_WON, 0),
        expected=np.where(born, closing["typed"], np.asarray(first)), owner=deals["owner"], reason=BLANK,
        amount=np.where(no_amount, np.nan, deals["first_amount"]),
    )  # fmt: skip


def _moves(deals: pd.DataFrame, seed: int) -> pd.DataFrame:
    steps = stage_steps(deals, seed)
    row, stage = steps["deal"].to_numpy(), steps["stage"].to_numpy()
    amount = np.where(stage >= PROPOSAL, deals["last_amount"].to_numpy()[row], deals["first_amount"].to_numpy()[row])
    # Back from Proposal, the offer that was made stays on the record.
    offered = pd.Series(stage >= PROPOSAL).groupby(row).cummax().to_numpy(dtype=bool)
    amount = np.where(offered & (stage < PROPOSAL), UNCHANGED, amount)
    table = _change(steps["deal"], steps["day"], "stage", stage=stage, amount=amount)
    table["order"] += steps["step"].to_numpy()
    return table


def _ends(deals: pd.DataFrame, closing: pd.DataFrame, seed: int) -> list[pd.DataFrame]:
    draws, n = Draws(seed, "closing amounts"), len(deals)
    discount = np.where(draws.chance(DISCOUNTED, n), LARGEST_DISCOUNT * draws.uniform(n), 0.0)
    final = np.round(deals["last_amount"].to_numpy() * (1 - discount), -2)
    won, zeroed = closing["won"].to_numpy(), closing["zeroed"].to_numpy()
    deal = deals["deal"].to_numpy()
    at_close = (closing["recorded"].to_numpy() < NEVER) & ~deals["born_closed"].to_numpy()
    filled = closing["filled_on"].to_numpy() < NEVER
    back = closing["reopened_on"].to_numpy() < NEVER
    again = closing["won_again"].to_numpy()
    guess = heaped(np.where(back, closing["reopened_on"] + 45, 0), draws.uniform(n))
    first = _change(
        deal, closing["recorded"], "closed", stage=np.where(won, CLOSED_WON, CLOSED_LOST), expected=closing["typed"],
        reason=closing["reason"], amount=np.where(won, final, np.where(zeroed, 0.0, UNCHANGED)),
    )  # fmt: skip
    reason = _change(deal, closing["filled_on"], "reason", reason=closing["filled_reason"])
    opened = _change(deal, closing["reopened_on"], "reopened", stage=1, expected=guess, reason=BLANK, amount=final)
    last = _change(
        deal, closing["closed_again_on"], "closed again", stage=np.where(again, CLOSED_WON, CLOSED_LOST),
        expected=closing["closed_again_on"], reason=np.where(again, BLANK, closing["reason_again"]),
    )  # fmt: skip
    return [first[at_close], reason[filled], opened[back], last[back]]


def _seconds(table: pd.DataFrame, seed: int) -> Floats:
    """Draw times between 07:00 and 23:50 that keep the order within a deal's day."""
    drawn = 7 * 3600 + np.floor(Draws(seed, "clock").uniform(len(table)) * 16.8 * 3600)
    order = np.lexsort((drawn, table["day"].to_numpy(), table["deal"].to_numpy()))
    return np.asarray(drawn[order].astype(np.int64))
