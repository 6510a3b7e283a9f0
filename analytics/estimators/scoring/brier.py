"""The Brier score of forecasts of single deals, where some deals are still open."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from analytics.estimators.influence import Influence
from analytics.estimators.scoring.censoring import Censoring, marginal_censoring, modelled_censoring
from analytics.estimators.scoring.cohort import Cohort, Floats, Forecasts, judged
from analytics.estimators.scoring.joint import meta_of, scored

ALL = "all"
"""The outcome under which the errors of every outcome and of "open" are summed."""


def brier_score(
    deals: pd.DataFrame,
    forecasts: Forecasts,
    *,
    landmark: float = 0.0,
    cluster: str | None = None,
    counts: str | None = None,
    censoring: str | None = None,
    conf_level: float = 0.95,
) -> Influence:
    """How far were the forecast probabilities from what happened by each horizon (mean squared error)?

    Parameters
    ----------
    deals : pandas.DataFrame
        `entry`, `exit`, `outcome` as observed since; one row per forecast, in the same order. Deals that the model was
        fitted to flatter it: judge later deals.
    forecasts : Forecasts
        Of one or more models.
    landmark, cluster, counts
        As for `cohort_of`: late entrants are judged from a landmark on, never before.
    censoring : str, optional
        Formula of a Cox model for the weights, where how long a deal is watched depends on covariates.
    conf_level : float

    Returns
    -------
    Influence
        Its estimate: kind score; keys ("model", "outcome", "time"), the models and "null" (every deal has the
        Aalen-Johansen share); outcomes as forecast, and where all that occur are forecast also "open" and "all", the
        sum over outcomes and open (multi-category Brier score, 0 to 2). `n_risk` deals open after the horizon,
        `cum_event` deals with the outcome by then. Lower is better; proper, so honest forecasts win in the long run.

    Raises
    ------
    InputError
        As `cohort_of` and `Forecasts`; horizons before the landmark or beyond all follow-up.

    Notes
    -----
    Mean of (y - p)^2 / G over deals whose state is known, G the probability of still being watched: Gerds & Schumacher
    (2006), Biom J 48:1029; Schoop et al. (2011), Biom J 53:88 for competing outcomes; equals riskRegression's Score
    (with a formula up to ties: there a deal that ended on a day still counts as at risk of being censored on it).
    Assumes that watching ends independently of how deals end (given the formula's covariates). Errors: influence of
    every deal, the estimation of G included (without: with a formula), deals of one account together.

    Examples
    --------
    >>> deals = pd.DataFrame({"entry": -1, "exit": [2, 3, 5, 9], "outcome": ["won", "lost", "won", "open"]})
    >>> told = Forecasts(("won",), (6.0,), {"a": np.array([0.9, 0.2, 0.6, 0.3]).reshape(4, 1, 1)})
    >>> brier_score(deals, told).estimate.frame[["model", "outcome", "estimate"]].round(3).values.tolist()
    [['a', 'won', 0.075], ['null', 'won', 0.25]]
    """
    cohort, kept = judged(deals, forecasts, landmark=landmark, cluster=cluster, counts=counts)
    watched = marginal_censoring(cohort)
    weighting = watched if censoring is None else modelled_censoring(cohort, deals, censoring)
    return brier_of(cohort, kept, watched, weighting, conf_level)


def brier_of(
    cohort: Cohort, forecasts: Forecasts, watched: Censoring, weighting: Censoring, conf_level: float
) -> Influence:
    """Return the scores for given weights; `watched` are the marginal ones, from which the null model's share is."""
    rows, moved = [], []
    complete = set(cohort.outcomes) <= set(forecasts.outcomes)
    models = {**forecasts.models, "null": _null(cohort, forecasts, watched)}
    for model, p in models.items():
        for outcome, error in _errors(cohort, forecasts, p, complete):
            for h, horizon in enumerate(forecasts.horizons):
                weighted = weighting.weights(horizon) * error[h]
                open_ = int((cohort.leave > horizon).sum())
                rows.append((model, outcome, horizon, weighted.mean(), open_, _ended(cohort, outcome, horizon)))
                moved.append(weighted - weighted.mean() + weighting.spread(weighted, horizon))
    frame = pd.DataFrame(rows, columns=["model", "outcome", "time", "estimate", "n_risk", "cum_event"])
    meta = meta_of(cohort, "score", "mean squared error of the forecast probabilities (Brier score)",
                   ("model", "outcome", "time"), conf_level)  # fmt: skip
    crowded = [name for name, p in forecasts.models.items() if (p.sum(axis=1) > 1 + 1e-9).any()]
    if crowded:
        note = f"For some deals the forecasts of {', '.join(crowded)} sum to more than 1 over outcomes."
        meta = replace(meta, note=f"{meta.note} {note}".strip())
    return scored(cohort, frame, np.column_stack(moved), meta, (0.0, np.inf))


def _ended(cohort: Cohort, outcome: str, horizon: float) -> int:
    """Deals with the outcome by the horizon; of "open" the ones that are, of all outcomes any."""
    if outcome == "open":
        return int((cohort.leave > horizon).sum())
    if outcome == ALL:
        return int(((cohort.leave <= horizon) & (cohort.cause >= 0)).sum())
    return int(cohort.had(outcome, horizon).sum())


def _null(cohort: Cohort, forecasts: Forecasts, watched: Censoring) -> Floats:
    """The Aalen-Johansen shares, told to every deal (they equal the weighted shares of deals with the outcome)."""
    shares = [[float((watched.weights(t) * cohort.had(k, t)).mean()) for t in forecasts.horizons]
              for k in forecasts.outcomes]  # fmt: skip
    return np.broadcast_to(np.asarray(shares), (cohort.size, len(shares), len(forecasts.horizons)))


def _errors(cohort: Cohort, forecasts: Forecasts, p: Floats, complete: bool) -> list[tuple[str, list[Floats]]]:
    """Squared errors per deal, by outcome and horizon."""
    errors = [
        (outcome, [(cohort.had(outcome, t) - p[:, k, h]) ** 2 for h, t in enumerate(forecasts.horizons)])
        for k, outcome in enumerate(forecasts.outcomes)
    ]
    if complete:
        still = [((cohort.leave > t) - (1 - p[:, :, h].sum(axis=1))) ** 2 for h, t in enumerate(forecasts.horizons)]
        together = [still[h] + sum(part[h] for _, part in errors) for h in range(len(still))]
        errors += [("open", still), (ALL, together)]
    return errors
