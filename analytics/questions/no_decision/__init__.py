"""No decision: how much of it there is, where and after what it happens, and which open deals look like it."""

from __future__ import annotations

from analytics.questions.no_decision.by_rule import no_decision_range
from analytics.questions.no_decision.firing import Firings, firings

__all__ = ["Firings", "firings", "no_decision_range"]
