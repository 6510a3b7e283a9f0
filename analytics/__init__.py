"""Why deals are won, lost, or end in no decision: competing-risk studies of what a CRM recorded.

CRM exports become **History** (what was recorded, and when). A snapshot at a date turns History into **Deals** (one row
per deal, nothing known later). Counting turns Deals into a **RiskTable** (per stratum and day: at risk, won, lost, no
decision, still open). Every non-parametric number is a pure function RiskTable -> **Estimate** (a tidy frame and the
facts of how it was made). A *question* combines Estimates into an answer; figures and tables accept only Estimates; a
notebook is a list of such calls, and *studies* run notebooks with checked parameters.

::

    studies/       5   parameters, the study, the run, the `winloss` command
    display/       4   theme, figures, tables, pages; sees Estimates and nothing else
    questions/     3   one module per notebook
    estimators/    2   pure functions; no files, clock or global state
    records/       1   sources, History, snapshots, outcome rules, fiscal calendar

Imports point down only. The names below are what other people call first; each is imported when it is used, so that
`import analytics` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analytics.estimators.counts import count_events
    from analytics.estimators.discrete_time.models import discrete_time_model
    from analytics.estimators.group_tests import gray_test, logrank_test
    from analytics.estimators.hazards.age_bands import hazard_ratios_by_age
    from analytics.estimators.hazards.models import cause_specific_cox, fine_gray
    from analytics.estimators.hazards.prediction import predicted_incidence, standardised_incidence
    from analytics.estimators.hazards.proportionality import proportionality_test
    from analytics.estimators.incidence import conditional_incidence, cumulative_incidence, survival
    from analytics.estimators.mean_time import restricted_mean_time_lost
    from analytics.estimators.multistate.occupation import stage_occupation
    from analytics.estimators.multistate.probabilities import transition_probabilities
    from analytics.estimators.result import Estimate
    from analytics.records.calendar import FiscalCalendar
    from analytics.records.engine import connect
    from analytics.records.rules import OutcomeRules
    from analytics.records.snapshot import deals_as_of
    from analytics.studies.histories import read_history
    from analytics.studies.opening import open_study

_HOMES = {
    "connect": "analytics.records.engine",
    "read_history": "analytics.studies.histories",
    "deals_as_of": "analytics.records.snapshot",
    "OutcomeRules": "analytics.records.rules",
    "FiscalCalendar": "analytics.records.calendar",
    "count_events": "analytics.estimators.counts",
    "cumulative_incidence": "analytics.estimators.incidence",
    "conditional_incidence": "analytics.estimators.incidence",
    "survival": "analytics.estimators.incidence",
    "restricted_mean_time_lost": "analytics.estimators.mean_time",
    "gray_test": "analytics.estimators.group_tests",
    "logrank_test": "analytics.estimators.group_tests",
    "cause_specific_cox": "analytics.estimators.hazards.models",
    "fine_gray": "analytics.estimators.hazards.models",
    "predicted_incidence": "analytics.estimators.hazards.prediction",
    "standardised_incidence": "analytics.estimators.hazards.prediction",
    "proportionality_test": "analytics.estimators.hazards.proportionality",
    "hazard_ratios_by_age": "analytics.estimators.hazards.age_bands",
    "discrete_time_model": "analytics.estimators.discrete_time.models",
    "stage_occupation": "analytics.estimators.multistate.occupation",
    "transition_probabilities": "analytics.estimators.multistate.probabilities",
    "Estimate": "analytics.estimators.result",
    "open_study": "analytics.studies.opening",
}

__all__ = [
    "Estimate",
    "FiscalCalendar",
    "OutcomeRules",
    "cause_specific_cox",
    "conditional_incidence",
    "connect",
    "count_events",
    "cumulative_incidence",
    "deals_as_of",
    "discrete_time_model",
    "fine_gray",
    "gray_test",
    "hazard_ratios_by_age",
    "logrank_test",
    "open_study",
    "predicted_incidence",
    "proportionality_test",
    "read_history",
    "restricted_mean_time_lost",
    "stage_occupation",
    "standardised_incidence",
    "survival",
    "transition_probabilities",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
