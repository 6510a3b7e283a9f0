"""Scores of forecasts of totals per quarter, and whether one model beats another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from analytics.estimators.bootstrap import RESAMPLING, Resampling, account_weights
from analytics.estimators.rates import quantile
from analytics.estimators.result import Estimate, Meta
from analytics.estimators.scoring.distributions import TotalForecast, crps, pinball
from analytics.records.errors import InputError, nearest

FEW_QUARTERS = 8
"""With fewer quarters than this, coverage and differences between models cannot be judged."""

Told = Mapping[str, Mapping[str, TotalForecast]]


def total_scores(
    forecasts: Told, observed: Mapping[str, float], *, levels: Sequence[float] = (0.1, 0.25, 0.5, 0.75, 0.9)
) -> pd.DataFrame:
    """How far was each forecast of a quarter's total from what came?

    Parameters
    ----------
    forecasts : mapping of model to mapping of quarter to TotalForecast
        Made before the quarter, from what was known then (frozen as-of snapshots); all models the same quarters.
    observed : mapping of quarter to float
        The totals.
    levels : sequence of float
        Quantiles that are scored by pinball loss.

    Returns
    -------
    pandas.DataFrame
        `model`, `quarter`, `score` ("CRPS", "pinball 10 %", …), `value` in units of the total; less is better.

    Raises
    ------
    InputError
        Models that forecast different quarters, a quarter without a total.

    Examples
    --------
    >>> from analytics.estimators.scoring.distributions import from_draws
    >>> told = {"a": {"2024-Q1": from_draws([7.0]), "2024-Q2": from_draws([5.0])}}
    >>> total_scores(told, {"2024-Q1": 10.0, "2024-Q2": 5.0}, levels=[0.5])["value"].tolist()
    [3.0, 1.5, 0.0, 0.0]
    """
    rows = []
    for model, by_quarter in checked(forecasts, observed).items():
        for quarter, forecast in by_quarter.items():
            came = float(observed[quarter])
            rows.append((model, quarter, "CRPS", crps(forecast, came)))
            rows += [(model, quarter, f"pinball {100 * level:g} %", pinball(forecast, came, level)) for level in levels]
    return pd.DataFrame(rows, columns=["model", "quarter", "score", "value"])


def checked(forecasts: Told, observed: Mapping[str, float]) -> Told:
    """Return the forecasts, refusing models that cannot be compared and quarters without a total."""
    if not forecasts or not all(forecasts.values()):
        raise InputError("there is no forecast to judge")
    first = set(next(iter(forecasts.values())))
    for model, by_quarter in forecasts.items():
        if set(by_quarter) != first:
            raise InputError("the models forecast different quarters", value=model,
                             action="Compare them on the quarters that both forecast")  # fmt: skip
    for quarter in first:
        if quarter not in observed or not np.isfinite(observed[quarter]):
            raise InputError("this quarter has no total", value=quarter, action="Judge only quarters that are over")
    return forecasts


def mean_scores(scores: pd.DataFrame, *, unit: str = "deals", conf_level: float = 0.95) -> Estimate:
    """How far were a model's forecasts from what came, on average over quarters?

    Parameters
    ----------
    scores : pandas.DataFrame
        Of `total_scores`.
    unit : str
        Of the totals: "deals", or a currency.
    conf_level : float

    Returns
    -------
    Estimate
        Kind score; keys ("model", "score"); t limits over quarters, never below 0; `n_quarters`. No interval with one
        quarter.

    Notes
    -----
    Assumes that one quarter's error says nothing of the next one's; deals that stay open over quarters strain that.
    """
    grouped = scores.groupby(["model", "score"], sort=False)["value"]
    frame = grouped.agg(["mean", "std", "size"]).reset_index()
    n = frame["size"].to_numpy()
    error = frame["std"].to_numpy() / np.sqrt(n)
    reach = np.array([quantile(conf_level, k - 1) for k in n]) * error
    frame = pd.DataFrame({
        "model": frame["model"], "score": frame["score"], "estimate": frame["mean"], "std_error": error,
        "conf_low": np.maximum(frame["mean"] - reach, 0.0), "conf_high": frame["mean"] + reach, "n_quarters": n,
        "no_interval_reason": np.where(n > 1, "", "a single quarter tells nothing of others").astype(object),
    })  # fmt: skip
    return Estimate(frame, _meta("score", "mean score over quarters", ("model", "score"), conf_level, "t over quarters",
                                 unit, int(n.max())))  # fmt: skip


def _meta(kind: str, words: str, keys: tuple[str, ...], conf_level: float, interval: str, unit: str, n: int) -> Meta:
    few = f"With {n} quarters (fewer than {FEW_QUARTERS}) this cannot be judged." if n < FEW_QUARTERS else ""
    return Meta(
        kind="contrast" if kind == "contrast" else "score", estimand=words, keys=keys, n_deals=0, conf_level=conf_level,
        interval=interval, variance="between quarters", cluster="quarter", unit=unit, note=few,
    )  # fmt: skip


def paired_differences(
    scores: pd.DataFrame, *, reference: str, unit: str = "deals", resampling: Resampling = RESAMPLING
) -> Estimate:
    """Which model forecasts totals better than the reference, quarter by quarter?

    Parameters
    ----------
    scores : pandas.DataFrame
        Of `total_scores`, or any frame with `model`, `quarter`, `score`, `value`; several rows of one quarter
        (segments, say, named by further columns) are resampled together.
    reference : str
        The model that is subtracted.
    unit : str
        Of the totals.
    resampling : Resampling
        Of whole quarters; its seed is explicit.

    Returns
    -------
    Estimate
        Kind contrast; keys ("model", "score"); mean difference (below 0: better than the reference), percentile limits
        widened where needed to hold it, `n_quarters`, `better` (quarters in which the model was ahead). No interval
        with one quarter or where all differences are equal; the note says where quarters are too few to judge.

    Raises
    ------
    InputError
        No such model, or models with different rows.

    Notes
    -----
    Block bootstrap with quarters as blocks: Davison & Hinkley (1997), section 3.8; Kunsch (1989), Ann Stat 17:1217.
    The percentile interval of few quarters is short; the spread carries sqrt(Q / (Q - 1)).

    Examples
    --------
    >>> scores = pd.DataFrame({"model": ["a", "a", "b", "b"], "quarter": ["Q1", "Q2"] * 2, "score": "CRPS",
    ...                        "value": [1.0, 2.0, 2.0, 4.0]})
    >>> paired_differences(scores, reference="b").frame[["model", "estimate", "better"]].values.tolist()
    [['a', -1.5, 2]]
    """
    models = scores["model"].unique()
    if reference not in models:
        raise InputError("there is no such model", value=reference, action=nearest(reference, models))
    keys = [name for name in scores.columns if name not in ("model", "value")]
    base = scores[scores["model"] == reference].set_index(keys)["value"]
    rows = []
    for model in models[models != reference]:
        gap = (scores[scores["model"] == model].set_index(keys)["value"] - base).reset_index()
        if gap["value"].isna().any():
            raise InputError("the models have different quarters or scores", value=str(model))
        rows += [
            _difference(str(model), str(score), part, resampling) for score, part in gap.groupby("score", sort=False)
        ]
    names = ["model", "score", "estimate", "std_error", "conf_low", "conf_high", "n_quarters", "better"]
    frame = pd.DataFrame(rows, columns=[*names, "no_interval_reason"])
    words = f"mean difference of scores from {reference}, same quarters"
    return Estimate(frame, _meta("contrast", words, ("model", "score"), resampling.conf_level,
                                 f"percentile of {resampling.reps} resamples of quarters", unit,
                                 int(frame["n_quarters"].max()) if len(frame) else 0))  # fmt: skip


def _difference(model: str, score: str, gap: pd.DataFrame, resampling: Resampling) -> tuple[object, ...]:
    by_quarter = gap.groupby("quarter")["value"].agg(["sum", "size"]).to_numpy(dtype=float)
    n, estimate = len(by_quarter), float(gap["value"].mean())
    better = int((by_quarter[:, 0] < 0).sum())
    drawn = np.concatenate([w @ by_quarter for w in account_weights(n, reps=resampling.reps, seed=resampling.seed)])
    means = drawn[:, 0] / drawn[:, 1]
    spread = float(means.std(ddof=1))
    if n < 2 or spread <= 1e-14 * max(abs(estimate), 1.0):
        reason = "a single quarter tells nothing of others" if n < 2 else "every quarter has the same difference"
        return model, score, estimate, np.nan, np.nan, np.nan, n, better, reason
    half = resampling.conf_level / 2
    low, high = np.quantile(means, [0.5 - half, 0.5 + half])
    error = spread * float(np.sqrt(n / (n - 1)))
    return model, score, estimate, error, min(float(low), estimate), max(float(high), estimate), n, better, ""
