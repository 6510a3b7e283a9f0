"""Calls, e-mails and meetings: dense while a deal lives, fading before a silent no decision."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analytics.records.sources.simulated.closing import NEVER
from analytics.records.sources.simulated.config import CAUSES
from analytics.records.sources.simulated.draws import Bools, Draws, Floats, Ints

CHANNELS = ("Email", "Call", "Meeting")
SELLER_CHANNELS, BUYER_CHANNELS = (0.55, 0.3, 0.15), (0.5, 0.2, 0.3)
BUYER_SHARE = 0.42
ENTERED_SAME_DAY, ENTERED_WITHIN_DAYS = 0.7, 6
PLANNED = 0.03
"""Share of tasks that are not done (yet): due dates, not contacts."""

FADING = 1.5
"""In a deal that falls silent, contacts come at (a uniform draw) ** FADING of its life: denser at its start."""

BUYER_GONE = 0.8
"""In such a deal the buyer is last heard of no later than at this share of its life."""

CHASERS, CHASED_FOR_DAYS = 2, 40


def contacts(deals: pd.DataFrame, closing: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Draw the activities of every deal.

    Returns
    -------
    pandas.DataFrame
        Sorted by deal: `deal`, `day` (it happened, or is due), `recorded` (day number), `buyer` (True where
        the buyer acted), `channel` (position in `CHANNELS`), `minutes` (NaN for e-mails), `done`.
    """
    opened, ended = deals["opened"].to_numpy(), deals["ended"].to_numpy()
    stalled = (deals["cause"].to_numpy() == CAUSES.index("stalled")) & ~deals["born_closed"].to_numpy()
    parts = [_of_life(opened, np.minimum(ended, closing["recorded"].to_numpy()), stalled, Draws(seed, "contacts"))]
    chased = np.flatnonzero(stalled)
    draws = Draws(seed, "chasers")
    deal = np.repeat(chased, CHASERS)
    day = ended[deal] + draws.between(1, CHASED_FOR_DAYS, len(deal))
    parts.append(pd.DataFrame({"deal": deal, "day": day, "buyer": False}))
    woken, back = closing["woken"].to_numpy(), closing["reopened_on"].to_numpy() < NEVER
    closed, again = closing["recorded"].to_numpy(), closing["closed_again_on"].to_numpy()
    parts.append(_between(woken, closed - 60, closed, Draws(seed, "woken contacts")))
    parts.append(_between(back, closing["reopened_on"].to_numpy(), again, Draws(seed, "second contacts")))
    table = pd.concat(parts, ignore_index=True).sort_values(["deal", "day"], kind="stable")
    return _described(table.reset_index(drop=True), Draws(seed, "channels"))


def _of_life(begin: Ints, end: Ints, stalled: Bools, draws: Draws) -> pd.DataFrame:
    length = np.maximum(end - begin, 0)
    mean = 0.8 + 0.3 * length**0.75 * (0.5 + draws.uniform(len(begin)))
    count = np.floor(mean + draws.uniform(len(begin))).astype(np.int64)
    deal = np.repeat(np.arange(len(begin)), count)
    buyer = draws.chance(BUYER_SHARE, len(deal))
    place: Floats = draws.uniform(len(deal))
    fades = stalled[deal]
    place = np.where(fades, place**FADING, place)
    place = np.where(fades & buyer, place * BUYER_GONE, place)
    day = begin[deal] + np.floor(place * (length[deal] + 1)).astype(np.int64)
    return pd.DataFrame({"deal": deal, "day": day, "buyer": buyer})


def _between(which: Bools, begin: Ints, end: Ints, draws: Draws) -> pd.DataFrame:
    each = 6
    deal = np.repeat(np.flatnonzero(which), each)
    length = np.maximum(end - begin, 0)[deal]
    day = begin[deal] + np.floor(draws.uniform(len(deal)) * (length + 1)).astype(np.int64)
    return pd.DataFrame({"deal": deal, "day": day, "buyer": draws.chance(BUYER_SHARE, len(deal))})


def _described(table: pd.DataFrame, draws: Draws) -> pd.DataFrame:
    n, day = len(table), table["day"].to_numpy()
    buyer = table["buyer"].to_numpy()
    channel = draws.category(np.where(buyer[:, None], BUYER_CHANNELS, SELLER_CHANNELS), n)
    meeting, call = 15.0 * draws.between(1, 4, n), 1.0 * draws.between(2, 25, n)
    minutes = np.where(channel == CHANNELS.index("Meeting"), meeting, np.nan)
    minutes = np.where(channel == CHANNELS.index("Call"), call, minutes)
    late = np.where(draws.chance(ENTERED_SAME_DAY, n), 0, draws.between(1, ENTERED_WITHIN_DAYS, n))
    done = ~draws.chance(PLANNED, n)
    table["recorded"] = np.where(done, day + late, day)
    table["day"] = np.where(done, day, day + 7 + late)
    table["channel"], table["minutes"], table["done"] = channel, minutes, done
    return table
