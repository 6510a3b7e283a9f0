"""The truth under outcome rules: what complete follow-up of very many deals gives, as the CRM would record them."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd

from analytics.records.calendar import FiscalCalendar
from analytics.records.rules import OutcomeRules
from analytics.records.sources.simulated.activities import contacts
from analytics.records.sources.simulated.closing import NEVER, closings
from analytics.records.sources.simulated.config import SimulationConfig, day_number
from analytics.records.sources.simulated.deals import draw_deals
from analytics.records.sources.simulated.draws import Floats, Ints
from analytics.records.sources.simulated.journey import close_date_pushes
from analytics.records.sources.simulated.reasons import REASONS
from analytics.records.sources.simulated.truth import product_limit

OUTCOMES = ("won", "lost", "no_decision")
CHUNK = 125_000
FIRST_SEED = 7_000_001
LATE_RECORDS_DAYS = 400
"""After the horizon: long enough for every closing before it to have been recorded."""


def followed_truth(
    config: SimulationConfig,
    rules: OutcomeRules,
    horizon_days: int = 365,
    *,
    at_pace_of: str | None = None,
    n_deals: int = 1_000_000,
    cache: Path | None = None,
) -> pd.DataFrame:
    """Where do deals end up as recorded, when nothing is left to be learned and the rules are applied?

    Parameters
    ----------
    config : SimulationConfig
        The company; its deals and accounts are multiplied until there are `n_deals`.
    rules : OutcomeRules
        What counts as no decision.
    horizon_days : int
        Last age.
    at_pace_of : str, optional
        A quarter: period incidence at its pace; otherwise all deals of the company from their opening.
    n_deals : int
        Deals to simulate, in scope or not; the default is a million.
    cache : pathlib.Path, optional
        A folder that keeps results by their configuration, and by the simulator's own text.

    Returns
    -------
    pandas.DataFrame
        `outcome` (won, lost, no_decision), `time` (0 to the horizon), `estimate` and its Monte-Carlo `std_error`
        (between chunks of simulated deals).

    Notes
    -----
    First episodes, dated as the snapshot dates them: at the typed close date, no later than its recording; a fired
    rule ends a deal on its firing day. `recorded_outcomes` applies the rules to arrays; a test holds it equal to
    `deals_as_of`, deal by deal.

    Examples
    --------
    >>> truth = followed_truth(SimulationConfig(), OutcomeRules(), 30, n_deals=2000)
    >>> truth["outcome"].unique().tolist(), bool(truth["estimate"].between(0, 1).all())
    (['won', 'lost', 'no_decision'], True)
    """
    key = [config.model_dump_json(), rules.model_dump_json(), horizon_days, at_pace_of, n_deals, CHUNK, _program()]
    place = cache / f"truth-{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:24]}.parquet" if cache else None
    if place is not None and place.is_file():
        return pd.read_parquet(place)
    sizes = [min(CHUNK, n_deals - done) for done in range(0, n_deals, CHUNK)]
    counts = [
        _counts(config, rules, horizon_days, at_pace_of, size, FIRST_SEED + number) for number, size in enumerate(sizes)
    ]
    total = product_limit(
        np.sum([count[0] for count in counts], axis=0), np.sum([count[1] for count in counts], axis=0)
    )
    parts = np.stack([product_limit(*count) for count in counts])
    error = parts.std(axis=0, ddof=1) / np.sqrt(len(parts)) if len(parts) > 1 else np.full_like(total, np.nan)
    times = np.arange(horizon_days + 1)
    table = pd.concat(
        [
            pd.DataFrame({"outcome": name, "time": times, "estimate": total[:, k], "std_error": error[:, k]})
            for k, name in enumerate(OUTCOMES)
        ],
        ignore_index=True,
    )
    if place is not None:
        _store(table, place)
    return table


def _program() -> str:
    """Return a hash of the simulator's modules, so that no other simulator's truth is taken from a cache."""
    digest = hashlib.sha256()
    for module in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(module.read_bytes())
    return digest.hexdigest()


def _store(table: pd.DataFrame, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = place.with_name(f"{place.name}.{os.getpid()}.tmp")
    table.to_parquet(temporary)
    temporary.replace(place)


def _counts(
    config: SimulationConfig, rules: OutcomeRules, horizon: int, at_pace_of: str | None, size: int, seed: int
) -> tuple[Floats, Floats]:
    """Return the numbers at risk (ages) and events (ages x outcomes) of one chunk of deals in scope."""
    accounts = max(1, round(config.accounts * size / config.deals))
    large = config.changed(deals=size, accounts=accounts)
    followed_to = config.end + dt.timedelta(days=horizon + LATE_RECORDS_DAYS)
    deals = recorded_outcomes(large, rules, seed=seed, as_of=followed_to)
    deals = deals[deals["in_scope"]]
    opened, exit_ = deals["opened"].to_numpy(), deals["exit"].to_numpy().copy()
    outcome, entry = deals["outcome"].to_numpy().copy(), np.full(len(deals), -1)
    if at_pace_of is not None:
        quarter = FiscalCalendar().quarter(at_pace_of)
        entry = np.maximum(entry, day_number(quarter.start) - opened - 1)
        last = day_number(quarter.end) - opened
        outcome[exit_ > last] = -1
        exit_ = np.minimum(exit_, last)
    studied = exit_ > entry
    return _at_risk(entry[studied], exit_[studied], horizon), _events(exit_[studied], outcome[studied], horizon)


def _at_risk(entry: Ints, exit_: Ints, horizon: int) -> Floats:
    """At risk at t on (entry, exit]."""
    change = np.zeros(horizon + 2)
    np.add.at(change, np.minimum(entry + 1, horizon + 1), 1)
    np.add.at(change, np.minimum(exit_ + 1, horizon + 1), -1)
    return np.cumsum(change)[: horizon + 1]


def _events(exit_: Ints, outcome: Ints, horizon: int) -> Floats:
    events = np.zeros((horizon + 1, len(OUTCOMES)))
    inside = (exit_ <= horizon) & (outcome >= 0)
    np.add.at(events, (exit_[inside], outcome[inside]), 1)
    return events


def recorded_outcomes(config: SimulationConfig, rules: OutcomeRules, *, seed: int, as_of: dt.date) -> pd.DataFrame:
    """Return the first episode of every deal as known at the end of a day, without a database.

    Returns
    -------
    pandas.DataFrame
        One row per deal opened by then: `deal`, `in_scope`, `opened` (day number), `exit` (days after opening),
        `outcome` (position in `OUTCOMES`, -1: open), `kind` ("declared", "silent", "pushed", "aged" or "").
    """
    deals, _, _ = draw_deals(config, seed)
    closing, day = closings(config, deals, seed), day_number(as_of)
    opened, recorded = deals["opened"].to_numpy(), closing["recorded"].to_numpy()
    known = recorded <= day
    named = {reason.strip().lower() for reason in rules.no_decision_reasons}
    declares = np.array([*(reason.lower() in named for reason in REASONS), False])
    reason = np.where(closing["filled_on"] <= day, closing["filled_reason"], closing["reason"])
    undecided = known & ~closing["won"].to_numpy() & declares[reason]
    outcome = np.where(known, np.where(closing["won"], 0, np.where(undecided, 2, 1)), -1)
    ended = np.where(known, np.minimum(closing["typed"], recorded), day)
    kind = np.where(undecided, "declared", "").astype(object)
    fired, by = np.full(len(deals), NEVER), np.full(len(deals), "", dtype=object)
    for name, first in _firings(config, rules, deals, closing, seed).items():
        earlier = first < fired
        fired, by = np.where(earlier, first, fired), np.where(earlier, name, by)
    fires = (fired <= day) & (fired < recorded)
    table = pd.DataFrame({
        "deal": deals["deal"], "in_scope": np.isin(list(config.deal_types), config.in_scope)[deals["deal_type"]],
        "opened": opened, "exit": np.where(fires, fired, ended) - opened, "outcome": np.where(fires, 2, outcome),
        "kind": np.where(fires, by, kind),
    })  # fmt: skip
    return table[table["opened"] <= day].reset_index(drop=True)


def _firings(
    config: SimulationConfig, rules: OutcomeRules, deals: pd.DataFrame, closing: pd.DataFrame, seed: int
) -> dict[str, Ints]:
    """First day on which each rule fires (`NEVER`), in the order that settles ties; closings are not looked at."""
    firings = {}
    opened = deals["opened"].to_numpy()
    if rules.silent_days is not None:
        firings["silent"] = _first_held(_heard(deals, contacts(deals, closing, seed)), rules.silent_days, len(opened))
    if rules.pushed_times is not None:
        _, pushes = close_date_pushes(config, deals, closing, seed)
        events = pushes.sort_values(["deal", "day"], kind="stable")
        often = events.groupby("deal").cumcount() + 1 >= rules.pushed_times
        events = events.assign(since=events["day"], last=events["expected"], counts=often)
        firings["pushed"] = _first_held(events, 1, len(opened))
    if rules.older_than_days is not None:
        firings["aged"] = opened + rules.older_than_days + 1
    return firings


def _heard(deals: pd.DataFrame, acts: pd.DataFrame) -> pd.DataFrame:
    """Return when something was learned from the buyer (`since`), and the day the buyer was last heard of by then."""
    heard = acts[acts["done"] & acts["buyer"]]
    start = pd.DataFrame({"deal": deals["deal"], "since": deals["opened"], "last": deals["opened"]})
    known = pd.DataFrame({"deal": heard["deal"], "since": heard[["day", "recorded"]].max(axis=1), "last": heard["day"]})
    table = pd.concat([start, known], ignore_index=True).sort_values(["deal", "since"], kind="stable")
    return table.assign(last=table.groupby("deal")["last"].cummax(), counts=True)


def _first_held(events: pd.DataFrame, days: int, n: int) -> Ints:
    """First day on which `last` lies `days` back, before the deal's next event is known; one per deal, or `NEVER`."""
    held = np.maximum(events["last"].to_numpy() + days, events["since"].to_numpy())
    ends = events["since"].shift(-1).where(events["deal"].eq(events["deal"].shift(-1)), NEVER).to_numpy()
    happens = (held < ends) & events["counts"].to_numpy()
    first = np.full(n, NEVER)
    np.minimum.at(first, events["deal"].to_numpy()[happens], held[happens])
    return first
