"""No decision: how much of it there is, where and after what it happens, and which open deals look like it."""

from __future__ import annotations

from analytics.questions.no_decision.after_events import pace_after, person_weeks
from analytics.questions.no_decision.by_rule import no_decision_range
from analytics.questions.no_decision.drivers import drivers
from analytics.questions.no_decision.findings import Answers, findings
from analytics.questions.no_decision.firing import Firings, firings
from analytics.questions.no_decision.landmarks import Landmarks, landmarks
from analytics.questions.no_decision.quiet import comes_back
from analytics.questions.no_decision.reasons import reasons_given
from analytics.questions.no_decision.silence import readable_silence
from analytics.questions.no_decision.stages import stage_exits
from analytics.questions.no_decision.unrecorded import unrecorded_bounds
from analytics.questions.no_decision.zombies import largest, zombie_chances, zombies

__all__ = [
    "Answers",
    "Firings",
    "Landmarks",
    "comes_back",
    "drivers",
    "findings",
    "firings",
    "landmarks",
    "largest",
    "no_decision_range",
    "pace_after",
    "person_weeks",
    "readable_silence",
    "reasons_given",
    "stage_exits",
    "unrecorded_bounds",
    "zombie_chances",
    "zombies",
]
