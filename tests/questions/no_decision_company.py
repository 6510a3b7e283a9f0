"""A simulated company as a study hands it over: deals, history in memory, and the days that go with them."""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import dataclass

import pandas as pd

from analytics.records.contract import History
from analytics.records.definitions import Definitions, Scope
from analytics.records.lives import in_memory
from analytics.records.rules import OutcomeRules
from analytics.records.snapshot import snapshot_frame
from analytics.records.sources.simulated import SimulationConfig, simulate, to_history
from analytics.records.sources.simulated.reasons import NO_DECISION_REASONS

AS_OF = dt.date(2026, 1, 31)
SETTLED = dt.date(2025, 12, 1)
RULES = OutcomeRules(no_decision_reasons=NO_DECISION_REASONS, silent_days=90, pushed_times=3, older_than_days=390)
STAGES = ("Prospecting", "Qualification", "Discovery", "Proposal", "Negotiation")


@dataclass(frozen=True)
class Made:
    """What a study hands over."""

    deals: pd.DataFrame
    history: History
    config: SimulationConfig


@functools.cache
def made(seed: int = 3, deals: int = 1200, as_of: dt.date = AS_OF, followed_to: dt.date | None = None) -> Made:
    """Simulate a company and take the snapshot of declared outcomes."""
    return of(SimulationConfig(deals=deals, accounts=max(50, deals // 3)), seed, as_of, followed_to)


def of(config: SimulationConfig, seed: int, as_of: dt.date = AS_OF, followed_to: dt.date | None = None) -> Made:
    """Take the snapshot of declared outcomes of any simulated company."""
    tables = to_history(simulate(config, seed=seed, followed_to=followed_to))
    scope = Definitions(scope=Scope(keep={"deal_type": list(config.in_scope)}))
    frame = snapshot_frame(tables, as_of=as_of, rules=RULES.declared_only(), definitions=scope)
    return Made(frame, in_memory(tables), config)
