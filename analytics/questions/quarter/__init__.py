"""The study of one quarter: where deals end up, every win rate, what changed, segments, and what to say about it."""

from __future__ import annotations

from analytics.estimators.period_incidence import opening_cohorts, period_at_horizon, period_incidence
from analytics.questions.quarter.amounts import no_decision_range, value_weighted
from analytics.questions.quarter.before import incidence_before
from analytics.questions.quarter.change import against, mix_and_rate
from analytics.questions.quarter.effort import open_effort
from analytics.questions.quarter.findings import Answers, findings
from analytics.questions.quarter.ledger import money_strip, plan_of, what_closed
from analytics.questions.quarter.look_next import look_next
from analytics.questions.quarter.restated import quarters_before, restated_quarters
from analytics.questions.quarter.segments import segment_spread, segments
from analytics.questions.quarter.win_rates import bridge, win_rates

__all__ = [
    "Answers",
    "against",
    "bridge",
    "findings",
    "incidence_before",
    "look_next",
    "mix_and_rate",
    "money_strip",
    "no_decision_range",
    "open_effort",
    "opening_cohorts",
    "period_at_horizon",
    "period_incidence",
    "plan_of",
    "quarters_before",
    "restated_quarters",
    "segment_spread",
    "segments",
    "value_weighted",
    "what_closed",
    "win_rates",
]
