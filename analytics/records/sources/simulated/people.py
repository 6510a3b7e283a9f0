"""Accounts and sellers: who could own a deal on which day, and what they bring to it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analytics.records.sources.simulated.config import MAX_AGE, SimulationConfig, day_number
from analytics.records.sources.simulated.draws import Bools, Draws, Floats, Ints

FIRST_NAMES = (
    "Ada", "Ben", "Chiara", "Dmitri", "Elif", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Keiko", "Liam", "Maya",
    "Noor", "Olga", "Pablo", "Quinn", "Rosa", "Sven", "Tariq", "Uma", "Viktor", "Wei", "Ximena", "Yusuf", "Zoe",
)  # fmt: skip
LAST_NAMES = ("Abara", "Berg", "Costa", "Dube", "Eriksen", "Fontaine", "Gupta", "Haas", "Ito", "Jansen", "Kovac")
TEAMS = ("North", "South", "Strategic")
GROWS_OVER_DAYS = 45
"""A third of the seats is filled at the start; another one follows every so many days."""


def accounts(config: SimulationConfig, draws: Draws) -> pd.DataFrame:
    """Draw the accounts: `account`, `segment`, `region` (positions), `currency`, `frailty` (factor on winning)."""
    n = config.accounts
    segment = draws.category([level.share for level in config.segments.values()], n)
    region = draws.category([level.share for level in config.regions.values()], n)
    # Half of the accounts in EMEA are billed in euros, and nobody elsewhere.
    emea = np.array([name == "EMEA" for name in config.regions])[region]
    currency = np.where(emea & draws.chance(0.7, n), "EUR", "USD")
    frailty = log_normal(config.account_spread, draws, n)
    return pd.DataFrame({"account": np.arange(n), "segment": segment, "region": region, "currency": currency,
                         "frailty": frailty})  # fmt: skip


def log_normal(spread: float, draws: Draws, n: int) -> Floats:
    """Draw factors with mean 1 whose logarithm has this standard deviation."""
    return np.exp(spread * draws.normal(n) - spread**2 / 2)


def roster(config: SimulationConfig) -> pd.DataFrame:
    """Return who sits where and when: `owner`, `name`, `team`, `start`, `end` (day numbers, both included).

    The roster is no draw: tenures follow a fixed pattern, so that the share of newcomers on any day is part of the
    truth. Each seat is refilled `gap_days` after somebody leaves.
    """
    selling = config.selling
    first, last = day_number(config.start), day_number(config.end) + 2 * MAX_AGE
    people: list[dict[str, object]] = []
    for seat in range(selling.seats):
        begins = first + max(0, seat - selling.seats // 3) * GROWS_OVER_DAYS
        person = 0
        while begins <= last:
            tenure = round(selling.tenure_days * (0.5 + ((seat * 37 + person * 61) % 101) / 100))
            people.append({"seat": seat, "team": TEAMS[seat % len(TEAMS)], "start": begins, "end": begins + tenure})
            begins += tenure + 1 + selling.gap_days
            person += 1
    table = pd.DataFrame(people).sort_values(["start", "seat"], kind="stable").reset_index(drop=True)
    table.insert(0, "owner", np.arange(len(table)))
    table["name"] = [
        f"{FIRST_NAMES[i * 7 % len(FIRST_NAMES)]} {LAST_NAMES[(i * 5 + i // 26) % len(LAST_NAMES)]}"
        for i in table["owner"]
    ]
    return table


class Staff:
    """Who is in office on which day."""

    def __init__(self, people: pd.DataFrame, ramp_days: int) -> None:
        self._start = people["start"].to_numpy()
        self._end = people["end"].to_numpy()
        self._ramp_days = ramp_days

    def active(self, day: int) -> Ints:
        """Return the owners in office on this day; if a small company has nobody, the one whose time is nearest."""
        inside = np.flatnonzero((self._start <= day) & (day <= self._end))
        if len(inside):
            return inside
        away = np.maximum(self._start - day, 0) + np.maximum(day - self._end, 0)
        return np.array([int(np.argmin(away))])

    def newcomer(self, owner: Ints, days: Ints) -> Bools:
        """Return whether each owner is still ramping up on the day."""
        return np.asarray(days - self._start[owner] < self._ramp_days)

    def newcomer_share(self, day: int) -> float:
        """Return the share of the owners in office on this day who are still ramping up."""
        active = self.active(day)
        return float(self.newcomer(active, np.full(len(active), day)).mean())

    def leaves(self, owner: Ints) -> Ints:
        """Return the last day in office of each owner."""
        return np.asarray(self._end[owner])

    def pick(self, days: Ints, draw: Floats) -> Ints:
        """Return one of the owners in office on each day, chosen by a uniform draw."""
        chosen = np.zeros(len(days), dtype=np.int64)
        if not len(days):
            return chosen
        order = np.argsort(days, kind="stable")
        unique, begins = np.unique(days[order], return_index=True)
        for day, rows in zip(unique, np.split(order, begins[1:]), strict=True):
            active = self.active(int(day))
            chosen[rows] = active[(draw[rows] * len(active)).astype(np.int64)]
        return chosen
