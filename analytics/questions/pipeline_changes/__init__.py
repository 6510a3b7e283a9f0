"""What the pipeline gained and lost between two days, to the cent, and how good stated close dates were."""

from __future__ import annotations

from analytics.questions.pipeline_changes.categories import category_flows
from analytics.questions.pipeline_changes.findings import Answers, findings
from analytics.questions.pipeline_changes.frozen import then_and_now
from analytics.questions.pipeline_changes.heaping import heaping
from analytics.questions.pipeline_changes.pipeline import Pipeline, moves, pipeline_between
from analytics.questions.pipeline_changes.promises import closed_by_date
from analytics.questions.pipeline_changes.pushes import push_distances, pushes_per_deal, what_became
from analytics.questions.pipeline_changes.statements import dates_stated
from analytics.questions.pipeline_changes.waterfall import team_waterfalls, waterfall

__all__ = [
    "Answers",
    "Pipeline",
    "category_flows",
    "closed_by_date",
    "dates_stated",
    "findings",
    "heaping",
    "moves",
    "pipeline_between",
    "push_distances",
    "pushes_per_deal",
    "team_waterfalls",
    "then_and_now",
    "waterfall",
    "what_became",
]
