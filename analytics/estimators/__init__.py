"""Estimates of how deals end: pure functions without files, clock or global state.

`result`           Estimate, Listing and Finding: what every function hands on
`counts`           RiskTable and `count_events`: a frame or an ibis table becomes counted cells (`cells`, `columns`)
`incidence`        `cumulative_incidence`, `survival`, `conditional_incidence`
`mean_time`        `restricted_mean_time_lost`
`bounds`           `incidence_bounds`: what deals with an unrecorded outcome could change
`watched`, `period_incidence`, `open_effort`
                   deals as watched, where they end up at a period's pace or by opening quarter, where open effort lies
`influence`        `influence` and `difference`: contrasts of strata or periods that share accounts
`reporting_delay`  how late outcomes are recorded, and the settled date
`aalen_johansen`, `jackknife`, `strata`, `intervals`
                   the arithmetic: curves and Greenwood, influence by account, what a stratum rests on, limits
`rates`, `contrasts`, `decomposition`, `shrinkage`
                   proportions of closed deals, differences with verdicts, mix against rate, small groups
`group_tests`, `subdistribution_test`, `account_scores`
                   Gray's test, the log-rank family, and Gray's analogue for late entry and weights
`bands`, `quantiles`, `mean_time_contrasts`, `cumulative_hazard`, `turnbull`, `interval_incidence`
                   bands over a range of ages, time until a share is reached, differences of mean times, outcomes that
                   are known only to an interval
`hazards`          cause-specific Cox and Fine-Gray models, predicted and standardised incidences, proportionality
`discrete_time`    week-by-week multinomial hazards with covariates as known at the start of each week
`multistate`       the way through the stages: occupation, transitions, stays, what comes next
`scoring`          how good forecasts were: of deals and of totals
`adjustment`, `adjusted_incidence`, `standardised`, `heterogeneity`, `das_gupta`, `dirichlet`, `table_tests`,
`proportions`      weights and their diagnostics, spread over quarters, parts of a change, tests of tables
`parametric`, `share_models`
                   what lifelines and statsmodels do best, returning Estimate

Import the module that is needed; nothing is imported here.
"""
