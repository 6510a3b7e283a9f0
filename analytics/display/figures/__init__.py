"""Figures, one per question: each accepts only Estimates, Listings and Findings, and computes only its drawing."""

from analytics.display.figures.adjusted import plot_balance, plot_contrasts, plot_standardised
from analytics.display.figures.ages import plot_incidence_curves, plot_later_won
from analytics.display.figures.attrition import plot_attrition
from analytics.display.figures.bridges import plot_bridge, plot_mix_and_rate
from analytics.display.figures.changes import plot_against
from analytics.display.figures.completeness import plot_completeness
from analytics.display.figures.delay import plot_recording_delay
from analytics.display.figures.effects import plot_effects, plot_practice, plot_ratios_by_age
from analytics.display.figures.flows import plot_category_flows
from analytics.display.figures.funnel import plot_funnel
from analytics.display.figures.heat import plot_still_open
from analytics.display.figures.incidence import plot_stacked_incidence
from analytics.display.figures.no_decision import (
    plot_after_silence,
    plot_no_decision_rules,
    plot_stage_exits,
)
from analytics.display.figures.periods import plot_two_periods
from analytics.display.figures.promises import plot_closed_by_date, plot_fates
from analytics.display.figures.quarters import plot_quarter_changes, plot_quarters
from analytics.display.figures.rates import (
    plot_no_decision_range,
    plot_segments,
    plot_value_weighted,
    plot_win_rates,
)
from analytics.display.figures.ratios import plot_ratios
from analytics.display.figures.shares import plot_shares
from analytics.display.figures.waterfall import plot_waterfall
from analytics.display.rendering import use_stable_renderer

__all__ = [
    "plot_after_silence",
    "plot_against",
    "plot_attrition",
    "plot_balance",
    "plot_bridge",
    "plot_category_flows",
    "plot_closed_by_date",
    "plot_completeness",
    "plot_contrasts",
    "plot_effects",
    "plot_fates",
    "plot_funnel",
    "plot_incidence_curves",
    "plot_later_won",
    "plot_mix_and_rate",
    "plot_no_decision_range",
    "plot_no_decision_rules",
    "plot_practice",
    "plot_quarter_changes",
    "plot_quarters",
    "plot_ratios",
    "plot_ratios_by_age",
    "plot_recording_delay",
    "plot_segments",
    "plot_shares",
    "plot_stacked_incidence",
    "plot_stage_exits",
    "plot_standardised",
    "plot_still_open",
    "plot_two_periods",
    "plot_value_weighted",
    "plot_waterfall",
    "plot_win_rates",
]

# Importing the figures is the one moment at which a notebook says that it will draw.
use_stable_renderer()
