"""How good forecasts were: of single deals (how each ends, by when) and of totals (what a quarter brings).

cohort         which deals a forecast spoke of, and the forecasts beside them
censoring      weights of the deals whose state is known, and what estimating them adds to every error
brier          `brier_score`; `prediction_accuracy`, `integrated_score`, `score_differences` are made from it
joint          the step from influences of deals to an Estimate, shared by the scores
auc            `time_dependent_auc`
concordance    `concordance` (Harrell, Uno, Wolbers), in n log n
calibration    `observed_expected`, `calibration_bins`
smooth         `calibration_curve`: observed against forecast, and the mean distance between them (ICI)
pseudo         `pseudo_values`, `pseudo_regression`
distributions  forecast distributions of totals: draws, or the exact count of independent deals
totals         CRPS and pinball loss by quarter, their means and paired differences
coverage       how often intervals held the outcome, and PIT histograms
"""
