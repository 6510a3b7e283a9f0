"""Non-parametric estimates of how deals end, from counts: pure functions without files, clock or global state.

`result`           Estimate, Listing and Finding: what every function hands on
`counts`           RiskTable and `count_events`: a frame or an ibis table becomes counted cells (`cells`, `columns`)
`incidence`        `cumulative_incidence`, `survival`, `conditional_incidence`
`mean_time`        `restricted_mean_time_lost`
`bounds`           `incidence_bounds`: what deals with an unrecorded outcome could change
`influence`        `influence` and `difference`: contrasts of strata or periods that share accounts
`reporting_delay`  how late outcomes are recorded, and the settled date
`aalen_johansen`, `jackknife`, `strata`, `intervals`
                   the arithmetic: curves and Greenwood, influence by account, what a stratum rests on, limits
`rates`, `contrasts`, `decomposition`, `shrinkage`
                   proportions of closed deals, differences with verdicts, mix against rate, small groups

Import the module that is needed; nothing is imported here.
"""
