"""From the influence of every deal on some scores to an Estimate with a joint covariance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.contrasts import two_sided_p
from analytics.estimators.influence import Influence
from analytics.estimators.intervals import Floats, t_value
from analytics.estimators.rates import df_of_sizes
from analytics.estimators.result import Estimate, EstimateKind, Meta
from analytics.estimators.scoring.cohort import Cohort
from analytics.records.errors import InputError, nearest

NO_SPREAD = "the deals do not differ in this score, so nothing tells how it would vary"
ONE_UNIT = "a single account (or deal) tells nothing of how accounts differ"


def by_unit(cohort: Cohort, moved: Floats) -> Floats:
    """Return influences of units, scaled so that their squares add to variances, `(units, columns)`.

    `moved` is the influence of each deal with mean zero, `(deals, columns)`. Deals alone carry n/(n-1), accounts
    C/(C-1); a single unit leaves NaN.
    """
    units = len(cohort.names)
    columns = [np.bincount(cohort.unit, weights=column, minlength=units) for column in moved.T]
    factor = np.sqrt(units / (units - 1)) if units > 1 else np.nan
    return np.column_stack(columns) * factor / cohort.size


def scored(
    cohort: Cohort, frame: pd.DataFrame, moved: Floats, meta: Meta, limits: tuple[float, float] = (-np.inf, np.inf)
) -> Influence:
    """Add standard errors and limits to scores, within the limits that the score has.

    Limits are Wald's; with accounts they use t with as many degrees of freedom as accounts are worth (`df_of_sizes`).
    """
    values = by_unit(cohort, moved)
    df = np.full(values.shape[1], accounts_df(cohort))
    return Influence(_with_limits(frame, (values, df), meta, limits), cohort.names, values, df)


def accounts_df(cohort: Cohort) -> float:
    """Return the degrees of freedom of a variance between accounts, by their deals; infinite without accounts."""
    if cohort.cluster is None:
        return float("inf")
    return df_of_sizes(np.bincount(cohort.unit).astype(float))


def meta_of(cohort: Cohort, kind: EstimateKind, estimand: str, keys: Sequence[str], conf_level: float) -> Meta:
    """Return the facts that all scores of deals share."""
    return Meta(
        kind=kind, estimand=estimand, keys=tuple(keys), n_deals=cohort.size, n_accounts=cohort.accounts,
        conf_level=conf_level, interval="Wald", variance="influence of deals, censoring weights included",
        cluster=cohort.cluster, unit="score", note=cohort.note,
    )  # fmt: skip


def _with_limits(
    frame: pd.DataFrame, moved: tuple[Floats, Floats | None], meta: Meta, limits: tuple[float, float]
) -> Estimate:
    values, df = moved
    estimate, error = frame["estimate"].to_numpy(dtype=float), np.sqrt((values**2).sum(axis=0))
    reach = t_value(meta.conf_level, df) * error
    nothing = ~(error > 1e-14)
    reasons = np.where(np.isnan(error), ONE_UNIT, np.where(nothing, NO_SPREAD, ""))
    if "no_interval_reason" in frame:
        reasons = np.where(frame["no_interval_reason"] != "", frame["no_interval_reason"], reasons)
    gone = reasons != ""
    frame = frame.assign(
        std_error=np.where(gone, np.nan, error),
        conf_low=np.where(gone, np.nan, np.maximum(estimate - reach, limits[0])),
        conf_high=np.where(gone, np.nan, np.minimum(estimate + reach, limits[1])),
        no_interval_reason=reasons.astype(object),
    )
    return Estimate(frame, meta)


def score_differences(joint: Influence, *, reference: str = "null") -> Estimate:
    """Which model forecasts better than the reference, on the same deals?

    Parameters
    ----------
    joint : Influence
        Of `brier_score`, `integrated_score` or `time_dependent_auc`.
    reference : str
        The model that is subtracted; "null" is the forecast that is the same for every deal (Brier only).

    Returns
    -------
    Estimate
        Kind contrast, the keys of the score (without the reference's rows); `p_value` two-sided. Below 0 is better for
        a Brier score, worse for an AUC.

    Raises
    ------
    InputError
        The reference is not among the models.

    Notes
    -----
    Both scores rest on the same deals, so their influences are subtracted deal by deal; the same assumptions as the
    scores. The influence of paired scores: Blanche, Proust-Lima, Loubere, Berr, Dartigues & Jacqmin-Gadda (2015),
    Biometrics 71:102.

    Examples
    --------
    >>> from analytics.estimators.scoring.brier import brier_score
    >>> from analytics.estimators.scoring.cohort import Forecasts
    >>> deals = pd.DataFrame({"entry": -1, "exit": [2, 3, 5, 9], "outcome": ["won", "lost", "won", "open"]})
    >>> told = Forecasts(("won",), (6.0,), {"a": np.array([0.9, 0.2, 0.6, 0.3]).reshape(4, 1, 1)})
    >>> score_differences(brier_score(deals, told)).at(outcome="won")["estimate"].round(3).tolist()
    [-0.175]
    """
    frame, meta = joint.estimate.frame, joint.estimate.meta
    if reference not in set(frame["model"]):
        raise InputError("there is no such model", value=reference, action=nearest(reference, frame["model"].unique()))
    own, base = _beside(joint, reference)
    shown = frame.loc[own, list(meta.keys)].assign(
        estimate=frame["estimate"].to_numpy()[own] - frame["estimate"].to_numpy()[base], reference=reference
    )
    values = joint.values[:, own] - joint.values[:, base]
    changed = replace(meta, kind="contrast", estimand=f"{meta.estimand}: difference from {reference}")
    df = np.full(len(own), np.inf) if joint.df is None else joint.df[own]
    result = _with_limits(shown.reset_index(drop=True), (values, df), changed, (-np.inf, np.inf))
    p = [two_sided_p(*row) for row in zip(result.frame["estimate"], result.frame["std_error"], df, strict=True)]
    return Estimate(result.frame.assign(p_value=p), changed)


def _beside(joint: Influence, reference: str) -> tuple[Any, Any]:
    """Return the rows of the other models, and for each the reference's row with the same other keys."""
    frame = joint.estimate.frame
    rest = [name for name in joint.estimate.meta.keys if name != "model"]
    numbered = frame.assign(_row=np.arange(len(frame)))
    pairs = numbered[numbered["model"] != reference].merge(
        numbered.loc[numbered["model"] == reference, [*rest, "_row"]], on=rest, suffixes=("", "_reference")
    )
    return pairs["_row"].to_numpy(), pairs["_row_reference"].to_numpy()


def prediction_accuracy(joint: Influence) -> Estimate:
    """What share of the error of a forecast that knows only the average does the model take away (IPA)?

    Parameters
    ----------
    joint : Influence
        Of `brier_score` or `integrated_score`.

    Returns
    -------
    Estimate
        Kind score; 1 - Brier / Brier of the null model: 0 for the null, 1 for a perfect forecast, below 0 for one that
        is worse than the average. Missing where the null model has no error.

    Raises
    ------
    InputError
        The scores have no null model.

    Notes
    -----
    Kattan & Gerds (2018), Diagn Progn Res 2:7. The null model's forecast, the Aalen-Johansen estimate from the same
    deals, minimises its own Brier score, so estimating it adds nothing to the error to first order. Assumes what
    `brier_score` does; with few deals of the outcome the null's error is small and the index jumps.

    Examples
    --------
    >>> from analytics.estimators.scoring.brier import brier_score
    >>> from analytics.estimators.scoring.cohort import Forecasts
    >>> deals = pd.DataFrame({"entry": -1, "exit": [2, 3, 5, 9], "outcome": ["won", "lost", "won", "open"]})
    >>> told = Forecasts(("won",), (6.0,), {"a": np.array([0.9, 0.2, 0.6, 0.3]).reshape(4, 1, 1)})
    >>> prediction_accuracy(brier_score(deals, told)).at(model="a")["estimate"].round(3).tolist()
    [0.7]
    """
    frame, meta = joint.estimate.frame, joint.estimate.meta
    if "null" not in set(frame["model"]):
        raise InputError("these scores have no null model", action="Use those of brier_score")
    rest = [name for name in meta.keys if name != "model"]
    rows = frame.assign(_row=np.arange(len(frame)))
    null = rows.loc[rows["model"] == "null", [*rest, "_row"]]
    base = frame[rest].merge(null, on=rest, how="left")["_row"].to_numpy()
    mine, theirs = frame["estimate"].to_numpy(), frame["estimate"].to_numpy()[base]
    flat = ~(theirs > 1e-15)
    safe = np.where(flat, 1.0, theirs)
    values = -(joint.values - (mine / safe) * joint.values[:, base]) / safe
    is_null = (frame["model"] == "null").to_numpy()
    reason = np.where(flat, "the null model has no error", np.where(is_null, "0 by definition", ""))
    shown = frame[list(meta.keys)].assign(
        estimate=np.where(flat, np.nan, 1 - mine / safe), no_interval_reason=reason.astype(object)
    )
    return _with_limits(
        shown, (values, joint.df), replace(meta, estimand="index of prediction accuracy"), (-np.inf, 1.0)
    )


def integrated_score(joint: Influence) -> Influence:
    """How good was the forecast over all horizons together (integrated Brier score)?

    Parameters
    ----------
    joint : Influence
        Of `brier_score` (or `time_dependent_auc`) at two or more horizons.

    Returns
    -------
    Influence
        The average between the first and the last horizon, by the trapezoid rule; keys without "time", columns
        `first_horizon`, `last_horizon`. `prediction_accuracy` and `score_differences` take it.

    Raises
    ------
    InputError
        Fewer than two horizons.

    Notes
    -----
    Graf et al. (1999), Stat Med 18:2529; the result depends on the horizons chosen. Assumes what the scores do.
    """
    frame, meta = joint.estimate.frame, joint.estimate.meta
    keys = tuple(name for name in meta.keys if name != "time")
    times = np.sort(frame["time"].unique())
    if len(times) < 2:
        raise InputError("an integrated score needs two horizons or more", value=times.tolist())
    gap = np.diff(times)
    share = dict(zip(times, (np.append(gap, 0) + np.append(0, gap)) / 2 / (times[-1] - times[0]), strict=True))
    groups = frame.groupby(list(keys), sort=False).ngroup().to_numpy()
    mixing = np.zeros((len(frame), groups.max() + 1))
    mixing[np.arange(len(frame)), groups] = frame["time"].map(share)
    shown = frame.drop_duplicates(list(keys))[list(keys)].reset_index(drop=True).assign(
        estimate=frame["estimate"].to_numpy() @ mixing, first_horizon=times[0], last_horizon=times[-1]
    )  # fmt: skip
    values = joint.values @ mixing
    facts = replace(meta, keys=keys, estimand=f"{meta.estimand}, averaged over horizons")
    df = None if joint.df is None else joint.df[~frame.duplicated(list(keys)).to_numpy()]
    return Influence(_with_limits(shown, (values, df), facts, (0.0, np.inf)), joint.units, values, df)
