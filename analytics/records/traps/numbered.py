"""The twenty traps of CRM exports: their numbers, their names, and what it takes to look for each."""

from __future__ import annotations

from typing import NamedTuple


class Trap(NamedTuple):
    """One trap: what it is called, and what an export needs before it can be looked for."""

    name: str
    needs: str


TRAPS: dict[int, Trap] = {
    1: Trap("typed close date is not the closing moment", "a typed close date, and a history of closings"),
    2: Trap("closed with a close date in the future", "a typed close date"),
    3: Trap("open past its expected close date", "an expected close date"),
    4: Trap("created after closed, or imported", "days of opening and closing"),
    5: Trap("born closed", "days of opening and closing"),
    6: Trap("re-opened", "a history: today's state shows the last closing alone"),
    7: Trap("stage skipped", "a history of stages, and their order under stages"),
    8: Trap("stage regressed", "a history of stages, and their order under stages"),
    9: Trap("stage renamed, deactivated or re-mapped", "a stage"),
    10: Trap("amount missing, 0, negative or zeroed at loss", "an amount"),
    11: Trap("probability on two scales", "a probability"),
    12: Trap("forecast category under several names", "a forecast category"),
    13: Trap("several currencies", "a currency"),
    14: Trap("fiscal calendar", "a closing day, and the company's calendar"),
    15: Trap("time zone at a quarter's edge", "closing moments with a time zone"),
    16: Trap("merged, deleted or there twice", "accounts and amounts, or the CRM's deletions and merges"),
    17: Trap("owner or team changed", "an owner"),
    18: Trap("renewals and auto-created deals", "the type of deal, or accounts"),
    19: Trap("splits", "the splits, or their percentages"),
    20: Trap("filled only at the close", "20 closed deals"),
}  # fmt: skip
"""Number -> trap; the numbers are those of the README's table."""
