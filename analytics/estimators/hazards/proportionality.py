"""Does a hazard ratio hold at every age: the score test of a covariate times a function of time."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from analytics.estimators.hazards.likelihood import mean_and_spread
from analytics.estimators.hazards.models import HazardModel
from analytics.estimators.hazards.rows import Floats, RiskRows
from analytics.estimators.result import Estimate, Meta
from analytics.records.errors import InputError

Clock = Literal["km", "rank", "identity", "log"]
NO_INTERVAL = "a test has a p-value, not an interval"
ALL_TERMS = "all terms"


def proportionality_test(model: HazardModel, *, clock: Clock = "km") -> Estimate:
    """Does the effect of each covariate change with age?

    Parameters
    ----------
    model : HazardModel
        A cause-specific model.
    clock : {"km", "rank", "identity", "log"}
        The function of time that the effect may follow: one minus the share still without the outcome (which gives each
        event about the same say), the rank of the event, days, or log days.

    Returns
    -------
    Estimate
        Kind test, keys ("term",), the last one "all terms": `estimate` (chi-squared), `df`, `p_value`.

    Raises
    ------
    InputError
        A model of subdistribution hazards.

    Notes
    -----
    A small p-value says that one ratio does not describe the whole life of a deal; a large one says only that no
    trend along this clock was seen. Deals of one account are taken as independent; with weights the test counts as
    many events as they amount to, (sum w)^2 / sum w^2, which is an approximation (`hazard_ratios_by_age` has robust
    errors). Grambsch & Therneau (1994), Biometrika 81:515, as the exact score test (R: cox.zph of survival 3).

    Examples
    --------
    >>> from analytics.estimators.hazards.models import cause_specific_cox
    >>> deals = pd.DataFrame({"entry": -1, "exit": [2, 3, 5, 7, 8, 9], "x": [1.0, 0.0, 1.0, 0.0, 1.0, 0.0],
    ...                       "outcome": ["won", "won", "won", "won", "lost", "open"]})
    >>> proportionality_test(cause_specific_cox(deals, "x", outcome="won")).frame["p_value"].round(3).tolist()
    [0.471, 0.471]
    """
    from scipy.special import chdtrc

    if model.kind != "cause-specific":
        raise InputError("this test is for cause-specific models", action="Use cause_specific_cox")
    rows, terms = model.rows, model.design.terms
    residual, spread = mean_and_spread(rows, model.fit.point, model.ties)
    g = _clock_of(rows, clock)
    score = (g[:, None] * residual).sum(axis=0)
    plain, once, twice = (np.tensordot(weight, spread, axes=1) for weight in (np.ones(len(g)), g, g * g))
    # weights in themselves are not more events: count as many as they amount to (Kish)
    amount = float(rows.w[rows.hit].sum() / rows.w2[rows.hit].sum())
    left = (twice - once @ np.linalg.solve(plain, once)) / amount
    tested = [(term, score[j] ** 2 / left[j, j], 1) for j, term in enumerate(terms)]
    tested.append((ALL_TERMS, float(score @ np.linalg.solve(left, score)), len(terms)))
    frame = pd.DataFrame(tested, columns=["term", "estimate", "df"])
    frame["p_value"] = chdtrc(frame["df"], frame["estimate"])
    frame = frame.assign(conf_low=np.nan, conf_high=np.nan, no_interval_reason=NO_INTERVAL)
    meta = Meta(
        kind="test", estimand=f"whether each hazard ratio of {model.outcome} changes with age", keys=("term",),
        n_deals=model.coefficients.meta.n_deals, n_accounts=model.coefficients.meta.n_accounts,
        variance=f"score test along {clock}", unit="chi-squared",
    )  # fmt: skip
    return Estimate(frame, meta)


def _clock_of(rows: RiskRows, clock: Clock) -> Floats:
    """Return the function of time at every event time."""
    time = rows.time
    if clock == "identity":
        return time
    if clock == "log":
        return np.log(np.maximum(time, 0.5))
    distinct, place = np.unique(time, return_inverse=True)
    events = np.bincount(place, weights=rows.events)
    if clock == "rank":
        return np.asarray((np.cumsum(events) - (events - 1) / 2)[place])
    at_risk = _at_risk(rows, distinct)
    after = np.cumprod(1 - events / at_risk)
    return np.asarray((1 - np.concatenate(([1.0], after[:-1])))[place])


def _at_risk(rows: RiskRows, time: Floats) -> Floats:
    """Return the weight at risk at times in all strata; a stratum's own risk sets know only its own event times."""
    places = len(time) + 1
    left = np.bincount(np.searchsorted(time, rows.leave, side="right"), weights=rows.w, minlength=places)
    entered = np.bincount(np.searchsorted(time, rows.entry, side="right"), weights=rows.w, minlength=places)
    return np.asarray(np.cumsum((left - entered)[::-1])[::-1][1:], dtype=float)
