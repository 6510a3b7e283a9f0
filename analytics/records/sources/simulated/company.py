"""The whole company: everything that happened, cut at the day of the export."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pandas as pd

from analytics.records.sources.simulated.activities import contacts
from analytics.records.sources.simulated.closing import closings
from analytics.records.sources.simulated.config import SimulationConfig, day_number
from analytics.records.sources.simulated.deals import draw_deals
from analytics.records.sources.simulated.side import bookings, forecast_submissions, quotas, reviews
from analytics.records.sources.simulated.states import recorded_states


@dataclass(frozen=True, eq=False)
class Company:
    """A simulated company: its truth (`deals`, `closings`) and what it had recorded on the day of the export.

    Attributes
    ----------
    config, seed : SimulationConfig, int
        What it was made from.
    known_to : datetime.date
        The last day of its records.
    deals, closings : pandas.DataFrame
        The truth, one row per deal: see `draw_deals` and `closings`. Days are numbers (days since 1970-01-01).
    accounts, owners : pandas.DataFrame
        Accounts with segment, region, currency and frailty; everybody who ever held a seat.
    states, activities, quotas, forecast_submissions, reviews : pandas.DataFrame
        What had been recorded by `known_to`.
    """

    config: SimulationConfig
    seed: int
    known_to: dt.date
    deals: pd.DataFrame
    closings: pd.DataFrame
    accounts: pd.DataFrame
    owners: pd.DataFrame
    states: pd.DataFrame
    activities: pd.DataFrame
    quotas: pd.DataFrame
    forecast_submissions: pd.DataFrame
    reviews: pd.DataFrame


def simulate(config: SimulationConfig, *, seed: int, followed_to: dt.date | None = None) -> Company:
    """Make a company with known truth, the same one for the same configuration and seed.

    Parameters
    ----------
    config : SimulationConfig
        Every number of the company.
    seed : int
        Each part draws from a stream of its own, so that a new part leaves the others as they were; and lives are
        drawn to their end, so that a later export of the same company only adds to an earlier one.
    followed_to : datetime.date, optional
        Give the records up to this day instead of the export's; which deals open stays as it was.

    Returns
    -------
    Company
        Frames of its truth and of its records.

    Notes
    -----
    Assumes that a deal's hazards depend on its age, the calendar, its source, segment, region and type, on whether its
    first owner was new, and on account and seller; not on its stage, pushes or activities, which follow its fate
    instead of making it. A study that finds an effect of pushes in this company has found an artefact.

    Examples
    --------
    >>> company = simulate(SimulationConfig(deals=50, accounts=20), seed=1)
    >>> len(company.deals), bool((company.states.groupby("deal")["day"].diff().dropna() >= 0).all())
    (50, True)
    """
    deals, accounts, owners = draw_deals(config, seed)
    closing = closings(config, deals, seed)
    states = recorded_states(config, deals, closing, owners, seed)
    until = day_number(followed_to or config.extract_on)
    acts = contacts(deals, closing, seed)
    acts["owner"] = _owner_on(states, acts)
    submissions = forecast_submissions(config, owners, bookings(config, deals, states), seed)
    told = reviews(config, deals, closing, seed)
    quota = quotas(config, owners)
    here = owners[owners["start"] <= until].reset_index(drop=True)
    return Company(
        config, seed, followed_to or config.extract_on, deals, closing, accounts, here,
        states=_known(states, "day", until), activities=_known(acts, "recorded", until),
        quotas=_known(quota, "recorded", until), forecast_submissions=_known(submissions, "submitted", until),
        reviews=_known(told, "held", until),
    )  # fmt: skip


def _known(table: pd.DataFrame, column: str, until: int) -> pd.DataFrame:
    return table[table[column] <= until].reset_index(drop=True)


def _owner_on(states: pd.DataFrame, acts: pd.DataFrame) -> pd.Series[int]:
    """Return who owned each activity's deal at the end of the day it was entered."""
    span = 10**6
    known = (states["deal"] * span + states["day"]).to_numpy()
    position = known.searchsorted((acts["deal"] * span + acts["recorded"]).to_numpy(), side="right") - 1
    return pd.Series(states["owner"].to_numpy()[position], index=acts.index)
