"""Hazard regression: one linear-time kernel for cause-specific Cox and Fine-Gray models.

arrange     plain arrays -> rows on the axis of event times, with the weights of the Fine-Gray model
rows        sums over risk sets in one pass
likelihood  partial likelihood, its derivatives and residuals
fitting     maximum and covariances
design      formula -> covariates, and those of a profile
models      `cause_specific_cox` and `fine_gray`: what other people call
paths       hazards -> incidences, of one set of models or of Fine-Gray models each by itself
prediction  incidences of profiles and standardised incidences, with what each deal adds to them
proportionality, age_bands  does a ratio hold at every age: the score test, and a ratio per band of ages
"""
