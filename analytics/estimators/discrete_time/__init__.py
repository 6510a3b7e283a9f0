"""Discrete-time multinomial hazards: how deals that are open at the start of a week (or any period) end within it.

periods         deals -> person-periods: at risk and outcomes per covariate pattern and period
whole_periods   which whole periods each deal lives through, and how the last one ends
covariates      stage, pushes, silence and quarter as they were known at the start of each period
likelihood      the multinomial logit on counts: log-likelihood, score and information
fitting         Newton's method with ridge, and covariances
random_effects  Gaussian random intercepts per group and outcome, their variances by Laplace REML
models          `discrete_time_model`: what other people call
one_outcome     `one_outcome_model`: one outcome with a cloglog or logit link, by statsmodels
prediction      incidences of a profile, and of the remaining life of open deals
"""
