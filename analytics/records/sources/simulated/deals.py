"""Deals and their true lives: when they open, whose they are, what ends them and when."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analytics.records.sources.simulated.config import CAUSES, SimulationConfig, day_number
from analytics.records.sources.simulated.draws import Draws, Floats, Ints
from analytics.records.sources.simulated.hazards import hazards, is_weekend, lives
from analytics.records.sources.simulated.people import Staff, accounts, log_normal, roster

WEEKEND_OPENINGS = 0.15
MEDIAN_AMOUNT = {"SMB": 14_000.0, "Mid-Market": 42_000.0, "Enterprise": 130_000.0}
AMOUNT_SPREAD = 0.7


def intake(config: SimulationConfig) -> tuple[Ints, Floats]:
    """Return the days on which deals open and the share of openings of each day.

    Openings grow by `growth` per quarter; a day of the weekend has a fraction of a weekday's.
    """
    days, weights = [], []
    for n, quarter in enumerate(config.calendar_quarters()):
        first, last = day_number(quarter.start), day_number(min(quarter.end, config.end))
        inside = np.arange(first, last + 1)
        weekday = np.where(is_weekend(inside), WEEKEND_OPENINGS, 1.0)
        days.append(inside)
        weights.append(weekday * config.growth**n)
    weight = np.concatenate(weights)
    return np.concatenate(days), weight / weight.sum()


def source_shares(config: SimulationConfig, days: Ints) -> Floats:
    """Return the shares of the sources among deals opened on each day, one row per day."""
    shares = np.tile([level.share for level in config.sources.values()], (len(days), 1))
    for quarter in config.calendar_quarters():
        mix = config.source_mix.get(quarter.name)
        if mix:
            inside = (days >= day_number(quarter.start)) & (days <= day_number(quarter.end))
            shares[inside] = [mix[name] for name in config.sources]
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def effects(config: SimulationConfig, name: str) -> Floats:
    """Return one row of factors (columns: `CAUSES`) per level of `source`, `segment`, `region` or `deal_type`."""
    return np.array([level.factors() for level in config.factor(name).values()])


def draw_deals(config: SimulationConfig, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Draw the deals and their lives.

    Returns
    -------
    (deals, accounts, owners)
        `deals`: one row per deal, sorted by opening day: `deal`, `account`, `opened` (day number), positions of
        `source`, `segment`, `region`, `deal_type`, `owner`, `newcomer` (owner still ramping up at opening),
        `own_factor` (account's frailty times seller's talent, on winning), `born_closed`, `cause` (position in
        `CAUSES`, -1: none), `age_at_end` and `ended` (day number), `currency`, `first_amount`, `last_amount`.
    """
    n = config.deals
    clients, people = accounts(config, Draws(seed, "accounts")), roster(config)
    when = Draws(seed, "openings")
    day, share = intake(config)
    opened = np.sort(day[when.category(share, n)])
    account = when.between(0, config.accounts - 1, n)
    deals = pd.DataFrame({"deal": np.arange(n), "account": account, "opened": opened})
    traits = Draws(seed, "traits")
    deals["source"] = traits.category(source_shares(config, opened), n)
    deals["deal_type"] = traits.category([level.share for level in config.deal_types.values()], n)
    for name in ("segment", "region", "currency"):
        deals[name] = clients[name].to_numpy()[account]
    staff = Staff(people, config.selling.ramp_days)
    deals["owner"] = staff.pick(opened, Draws(seed, "owners").uniform(n))
    deals["newcomer"] = staff.newcomer(deals["owner"].to_numpy(), opened)
    talent = log_normal(config.selling.spread, Draws(seed, "talent"), len(people))
    deals["own_factor"] = clients["frailty"].to_numpy()[account] * talent[deals["owner"].to_numpy()]
    _live(config, deals, seed)
    _price(config, deals, Draws(seed, "amounts"))
    return deals, clients, people


def _live(config: SimulationConfig, deals: pd.DataFrame, seed: int) -> None:
    factors = np.where(deals["newcomer"].to_numpy()[:, None], config.selling.ramp_effect.factors(), 1.0)
    for name in ("source", "segment", "region", "deal_type"):
        factors = factors * effects(config, name)[deals[name].to_numpy()]
    factors[:, CAUSES.index("won")] *= deals["own_factor"].to_numpy()
    opened = deals["opened"].to_numpy()
    age, cause = lives(hazards(config), opened, factors, Draws(seed, "lives"))
    born = Draws(seed, "born closed").chance(config.recording.born_closed, len(deals))
    deals["born_closed"] = born
    deals["cause"] = np.where(born, CAUSES.index("won"), cause)
    deals["age_at_end"] = np.where(born, 0, age)
    deals["ended"] = deals["opened"] + deals["age_at_end"]


def _price(config: SimulationConfig, deals: pd.DataFrame, draws: Draws) -> None:
    n = len(deals)
    median = np.array([MEDIAN_AMOUNT.get(name, 40_000.0) for name in config.segments])[deals["segment"].to_numpy()]
    first = median * np.exp(AMOUNT_SPREAD * draws.normal(n))
    revised = first * np.exp(0.25 * draws.normal(n))
    deals["first_amount"] = np.maximum(np.round(first, -2), 500)
    deals["last_amount"] = np.maximum(np.round(revised, -2), 500)
