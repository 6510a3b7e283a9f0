"""How long deals take, where they end up by age, what becomes of open ones, and how today's practice misleads."""

from __future__ import annotations

from analytics.estimators.period_incidence import opening_cohorts
from analytics.questions.time_to_outcome.effects import effects, ratios_by_age, side_by_side
from analytics.questions.time_to_outcome.effort import later_won, seldom_won
from analytics.questions.time_to_outcome.findings import Answers, findings
from analytics.questions.time_to_outcome.practice import practice_days, practice_shares
from analytics.questions.time_to_outcome.segments import incidence_by_segment, segment_tests
from analytics.questions.time_to_outcome.still_open import still_open
from analytics.questions.time_to_outcome.times import days_by_outcome, mean_age, times_to_outcome
from analytics.questions.time_to_outcome.where import incidence, incidence_by_quarter, opening_quarters

__all__ = [
    "Answers",
    "days_by_outcome",
    "effects",
    "findings",
    "incidence",
    "incidence_by_quarter",
    "incidence_by_segment",
    "later_won",
    "mean_age",
    "opening_cohorts",
    "opening_quarters",
    "practice_days",
    "practice_shares",
    "ratios_by_age",
    "segment_tests",
    "seldom_won",
    "side_by_side",
    "still_open",
    "times_to_outcome",
]
