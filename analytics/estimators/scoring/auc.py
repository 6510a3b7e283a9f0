"""How well forecasts rank deals: the time-dependent area under the ROC curve."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analytics.estimators.influence import Influence
from analytics.estimators.scoring.censoring import Censoring, marginal_censoring, modelled_censoring
from analytics.estimators.scoring.cohort import Cohort, Flags, Floats, Forecasts, judged
from analytics.estimators.scoring.joint import meta_of, scored


def time_dependent_auc(
    deals: pd.DataFrame,
    forecasts: Forecasts,
    *,
    landmark: float = 0.0,
    cluster: str | None = None,
    counts: str | None = None,
    censoring: str | None = None,
    conf_level: float = 0.95,
) -> Influence:
    """How often does a deal that has had the outcome by the horizon have the higher forecast than one that has not?

    Parameters
    ----------
    deals, forecasts, landmark, cluster, counts, censoring, conf_level
        As for `brier_score`.

    Returns
    -------
    Influence
        Its estimate: kind score; keys ("model", "outcome", "time"); 0.5 is no ranking at all. `n_case`, `n_control`
        deals. Missing where there is no case or no control.

    Raises
    ------
    InputError
        As `brier_score`.

    Notes
    -----
    Cases had the outcome by the horizon, controls were open then or had ended otherwise; ties count half. Says nothing
    of the size of the probabilities (see calibration). Assumes of watching what `brier_score` does. Blanche et al.
    (2013), Stat Med 32:5381, definition (ii); estimates equal riskRegression's Score. Standard errors are the influence
    of every deal with the estimation of G: without censoring those of DeLong et al. (1988), Biometrics 44:837, up to
    n/(n-1).

    Examples
    --------
    >>> deals = pd.DataFrame({"entry": -1, "exit": [2, 3, 5, 9], "outcome": ["won", "lost", "won", "open"]})
    >>> told = Forecasts(("won",), (6.0,), {"a": np.array([0.9, 0.2, 0.3, 0.3]).reshape(4, 1, 1)})
    >>> time_dependent_auc(deals, told).estimate.frame["estimate"].tolist()
    [0.875]
    """
    cohort, kept = judged(deals, forecasts, landmark=landmark, cluster=cluster, counts=counts)
    weighting = marginal_censoring(cohort) if censoring is None else modelled_censoring(cohort, deals, censoring)
    return auc_of(cohort, kept, weighting, conf_level)


def auc_of(cohort: Cohort, forecasts: Forecasts, weighting: Censoring, conf_level: float) -> Influence:
    """Return the areas for given weights."""
    rows, moved = [], []
    for model, outcome, horizon, p in forecasts.single():
        had = cohort.had(outcome, horizon)
        value, influence = _auc(cohort, weighting, horizon, p, had)
        known = weighting.weights(horizon) > 0
        reason = "" if influence is not None else "there are no deals with the outcome, or none without it"
        rows.append((model, outcome, horizon, value, int(had.sum()), int((known & ~had).sum()), reason))
        moved.append(np.zeros(cohort.size) if influence is None else influence)
    frame = pd.DataFrame(
        rows, columns=["model", "outcome", "time", "estimate", "n_case", "n_control", "no_interval_reason"]
    )
    meta = meta_of(cohort, "score", "probability that a deal with the outcome by the horizon has the higher forecast",
                   ("model", "outcome", "time"), conf_level)  # fmt: skip
    return scored(cohort, frame, np.column_stack(moved), meta, (0.0, 1.0))


def _auc(cohort: Cohort, weighting: Censoring, horizon: float, p: Floats, had: Flags) -> tuple[float, Floats | None]:
    """Return the AUC and the influence of every deal on it."""
    weight = weighting.weights(horizon)
    case, control = weight * had, weight * ~had
    cases, controls = case.mean(), control.mean()
    if not (cases > 0 and controls > 0):
        return float("nan"), None
    case_above = case * _share_below(p, control)
    control_below = control * (cases - _share_below(p, case))
    won_pairs = float(case_above.mean())
    value = won_pairs / (cases * controls)
    # derivative of won pairs / all pairs in the weight of each deal, and by way of the censoring weights
    terms = case_above + control_below - value * (case * controls + control * cases)
    influence = (terms + weighting.spread(terms, horizon)) / (cases * controls)
    return value, influence - influence.mean()


def _share_below(p: Floats, weight: Floats) -> Floats:
    """For each deal the mean weight of deals with a lower forecast, those with the same counting half."""
    _, place = np.unique(p, return_inverse=True)
    level = np.bincount(place, weights=weight)
    return np.asarray((np.cumsum(level) - level / 2)[place] / len(p))
