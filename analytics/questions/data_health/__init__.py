"""Data health: what came in, what was left out and why, completeness, recording delay, and the usual traps."""

from __future__ import annotations

from analytics.estimators.activity_coverage import activity_coverage
from analytics.questions.data_health.abilities import abilities, abilities_in_short, observed, trusted
from analytics.questions.data_health.coming_in import left_out, rejected, rejected_rows, what_came_in
from analytics.questions.data_health.fields import completeness, field_counts
from analytics.questions.data_health.outcomes import outcome_shares
from analytics.questions.data_health.timing import recording_delay, settled
from analytics.questions.data_health.traps import leaky_fields, never_open, traps, traps_found, traps_in_short

__all__ = [
    "abilities", "abilities_in_short", "activity_coverage", "completeness", "field_counts", "leaky_fields", "left_out",
    "never_open", "observed", "outcome_shares", "recording_delay", "rejected", "rejected_rows", "settled", "traps",
    "traps_found", "traps_in_short", "trusted", "what_came_in",
]  # fmt: skip
