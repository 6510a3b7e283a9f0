"""The latent truth: what the hazards themselves say about where deals end up, without a single draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.records.calendar import FiscalCalendar, Quarter
from analytics.records.errors import InputError, nearest
from analytics.records.sources.simulated.config import CAUSES, SimulationConfig, day_number
from analytics.records.sources.simulated.deals import effects, intake, source_shares
from analytics.records.sources.simulated.draws import Floats, Ints
from analytics.records.sources.simulated.hazards import LARGEST, WON, Hazards, hazards
from analytics.records.sources.simulated.people import Staff, roster

NODES = 9
"""Points of the Gauss-Hermite rule for the frailty; more of them change no incidence by 1e-6."""

DAYS_AT_ONCE = 32
"""So many opening days fit into a processor's cache."""

FACTORS = ("source", "segment", "region", "deal_type")


@dataclass(frozen=True)
class _Groups:
    """Deals that share all factors: how much of each opening day's deals they are, and their factors."""

    days: Ints
    weights: Floats
    factors: Floats


def latent_truth(
    config: SimulationConfig,
    *,
    horizon_days: int = 365,
    opened_in: str | None = None,
    at_pace_of: str | None = None,
    only: dict[str, str] | None = None,
) -> pd.DataFrame:
    """Where do deals end up by the company's hazards alone: no rules, no late or false records?

    Parameters
    ----------
    config : SimulationConfig
        The company.
    horizon_days : int
        Last age.
    opened_in : str, optional
        Deals opened in this quarter (an opening cohort); otherwise those of all quarters.
    at_pace_of : str, optional
        Instead of a cohort: deals that live their whole life at this quarter's pace, that is the product-limit of the
        hazards at each age among the deals at risk in it (period incidence).
    only : dict, optional
        Factor -> level (`{"source": "RFP"}`): these deals only.

    Returns
    -------
    pandas.DataFrame
        `outcome` (of `CAUSES`; `stalled` deals are open in the CRM), `time` (days after opening, 0 to the horizon),
        `estimate` (share of deals in scope).

    Notes
    -----
    Numeric, not simulated: F_k(t) = sum over ages of E[S(a-) h_k(a)], the expectation over opening days, source,
    segment, region, in-scope type, new owners and the log-normal factor of account and seller (Gauss-Hermite). Deals
    born closed are won at age 0. Nothing the CRM does (delays, written reasons, woken or re-opened deals) is in it.

    Raises
    ------
    InputError
        For a quarter in which no deal opens or is at risk at every age up to the horizon, or an unknown level.

    Examples
    --------
    >>> truth = latent_truth(SimulationConfig(), opened_in="2025Q1")
    >>> truth[truth["time"] == 365].set_index("outcome")["estimate"].round(2).to_dict()
    {'won': 0.3, 'lost': 0.23, 'no_decision': 0.26, 'stalled': 0.16}
    """
    model, period = hazards(config), None
    first, last = day_number(config.start), day_number(config.end)
    if at_pace_of is not None:
        period = _quarter(config, at_pace_of)
        first, last = max(first, day_number(period.start) - horizon_days), min(last, day_number(period.end))
    elif opened_in is not None:
        quarter = _quarter(config, opened_in)
        first, last = max(first, day_number(quarter.start)), min(last, day_number(quarter.end))
    groups = _groups(config, first, last, only or {})
    born = config.recording.born_closed
    rows = (
        _cohort(model, groups, horizon_days, born)
        if period is None
        else _pace(model, groups, horizon_days, born, period)
    )
    times = np.arange(horizon_days + 1)
    parts = [pd.DataFrame({"outcome": cause, "time": times, "estimate": rows[:, k]}) for k, cause in enumerate(CAUSES)]
    return pd.concat(parts, ignore_index=True)


def _quarter(config: SimulationConfig, name: str) -> Quarter:
    quarter = FiscalCalendar().quarter(name)
    names = [known.name for known in config.calendar_quarters()]
    if quarter.name not in names:
        raise InputError("is no quarter of the simulated company", value=name, action=nearest(name, names))
    return quarter


def _groups(config: SimulationConfig, first: int, last: int, only: dict[str, str]) -> _Groups:
    days, share = intake(config)
    inside = (days >= first) & (days <= last)
    days, share = days[inside], share[inside]
    staff = Staff(roster(config), config.selling.ramp_days)
    new = np.array([staff.newcomer_share(int(day)) for day in days])
    parts = [_levels(config, name, days, only) for name in FACTORS]
    node, node_weight = np.polynomial.hermite.hermgauss(NODES)
    spread = np.hypot(config.account_spread, config.selling.spread)
    own = np.ones((NODES, len(CAUSES)))
    own[:, WON] = np.exp(spread * np.sqrt(2) * node - spread**2 / 2)
    parts.append((np.tile(node_weight / np.sqrt(np.pi), (len(days), 1)), own))
    ramp = np.stack([np.ones(len(CAUSES)), config.selling.ramp_effect.factors()])
    parts.append((np.column_stack([1 - new, new]), ramp))
    weights, factors = share[:, None], np.ones((1, len(CAUSES)))
    for of_day, effect in parts:
        weights = (weights[:, :, None] * of_day[:, None, :]).reshape(len(days), -1)
        factors = (factors[:, None, :] * effect[None, :, :]).reshape(-1, len(CAUSES))
    return _Groups(days, weights, factors)


def _levels(config: SimulationConfig, name: str, days: Ints, only: dict[str, str]) -> tuple[Floats, Floats]:
    """Return the share of each level on each day, and its effects; levels that are not asked for are left out."""
    levels = list(config.factor(name))
    wanted = config.in_scope if name == "deal_type" else tuple(levels)
    if name in only:
        if only[name] not in levels:
            raise InputError(f"is no {name} of the company", value=only[name], action=nearest(only[name], levels))
        wanted = (only[name],)
    at = [levels.index(level) for level in wanted]
    if name == "source":
        shares = source_shares(config, days)
    else:
        shares = np.tile([level.share for level in config.factor(name).values()], (len(days), 1))
    return shares[:, at], effects(config, name)[at]


def _cohort(model: Hazards, groups: _Groups, horizon: int, born: float) -> Floats:
    _, ended = _movements(model, groups, horizon, born)
    return np.asarray(np.cumsum(ended.sum(axis=1), axis=0))


def _pace(model: Hazards, groups: _Groups, horizon: int, born: float, period: Quarter) -> Floats:
    alive, ended = _movements(model, groups, horizon, born)
    day = groups.days[None, :] + np.arange(horizon + 1)[:, None]
    here = (day >= day_number(period.start)) & (day <= day_number(period.end))
    at_risk, events = (alive * here).sum(axis=1), (ended * here[:, :, None]).sum(axis=1)
    if (at_risk == 0).any():
        raise InputError(
            f"has no deal at risk at age {int(np.argmin(at_risk > 0))}", value=period.name,
            action="Take a later quarter or a shorter horizon",
        )  # fmt: skip
    return product_limit(at_risk, events)


def _movements(model: Hazards, groups: _Groups, horizon: int, born: float) -> tuple[Floats, Floats]:
    """Return who is alive at each age (ages x opening days) and ends at it (x causes), as shares of deals in scope."""
    n, whole = len(groups.days), groups.weights.sum()
    before, ended = np.zeros((horizon + 1, n)), np.zeros((horizon + 1, n, len(CAUSES)))
    for begin in range(0, n, DAYS_AT_ONCE):
        rows = slice(begin, begin + DAYS_AT_ONCE)
        alive = groups.weights[rows] / whole
        for age in range(horizon + 1):
            daily = model.baseline[age] * model.calendar[groups.days[rows] + age - model.first_day]
            total = daily @ groups.factors.T
            dies = alive if total.max() <= LARGEST else alive * np.minimum(1, LARGEST / np.maximum(total, LARGEST))
            before[age, rows] = alive.sum(axis=1)
            ended[age, rows] = daily * (dies @ groups.factors)
            alive = alive - dies * total
            if age == 0:
                ended[age, rows] *= 1 - born
                ended[age, rows, WON] += born * before[age, rows]
                alive *= 1 - born
    return before, ended


def product_limit(at_risk: Floats, events: Floats) -> Floats:
    """Return the cumulative incidences (ages x causes) from numbers at risk and events at each age.

    F_k(t) = sum over a <= t of S(a-) d_k(a) / n(a), S the product of 1 - d(a) / n(a) (Aalen & Johansen 1978).

    Examples
    --------
    >>> product_limit(np.array([4.0, 2.0]), np.array([[1.0, 1.0], [1.0, 0.0]])).tolist()
    [[0.25, 0.25], [0.5, 0.25]]
    """
    rate = np.divide(events, at_risk[:, None], out=np.zeros_like(events), where=at_risk[:, None] > 0)
    survival = np.cumprod(1 - rate.sum(axis=1))
    before = np.concatenate([[1.0], survival[:-1]])
    return np.asarray(np.cumsum(before[:, None] * rate, axis=0))
