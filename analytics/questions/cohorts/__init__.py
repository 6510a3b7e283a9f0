"""Cohorts: do deals of different kinds end differently, could chance alone say so, and what is a difference worth?"""

from analytics.questions.cohorts.changes import appeared_or_vanished, quarter_on_quarter
from analytics.questions.cohorts.cohort import Cohort, described, opening_cohort
from analytics.questions.cohorts.contrasts import Contrasts, contrasts
from analytics.questions.cohorts.findings import Answers, findings
from analytics.questions.cohorts.omnibus import omnibus
from analytics.questions.cohorts.ranking import closed_shares, overdispersion
from analytics.questions.cohorts.rates import rates
from analytics.questions.cohorts.splitting import Split, opening_amounts, split_by, split_like
from analytics.questions.cohorts.wording import claims_cause, relation

__all__ = [
    "Answers",
    "Cohort",
    "Contrasts",
    "Split",
    "appeared_or_vanished",
    "claims_cause",
    "closed_shares",
    "contrasts",
    "described",
    "findings",
    "omnibus",
    "opening_amounts",
    "opening_cohort",
    "overdispersion",
    "quarter_on_quarter",
    "rates",
    "relation",
    "split_by",
    "split_like",
]
