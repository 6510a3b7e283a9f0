"""Scores of forecasts of totals per quarter, and whether one model beats another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from analytics.estimators.rates import quantile
from analytics.estimators.result import Estimate, Meta
from analytics.estimators.scoring.distributions import Floats, TotalForecast, crps, pinball
from analytics.records.errors import InputError, nearest

FEW_QUARTERS = 8
"""With fewer quarters than this, coverage and differences between models cannot be judged."""

FEW_BEYOND = 5
"""Quarters to be expected on the rarer side of a quantile before the mean of its pinball loss has limits."""

SINGLE = "a single quarter tells nothing of others"
SKEWED = "t over quarters, corrected for skewness"

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

    Notes
    -----
    `crps` and `pinball` of each quarter: Gneiting & Raftery (2007), JASA 102:359. Assumes forecasts that were made
    before their quarter; made with later knowledge they flatter the model.

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
        Kind score; keys ("model", "score"); limits over quarters, never below 0; `n_quarters`. No interval with one
        quarter, or for a pinball score whose quantile fewer than 5 quarters are expected to miss on its rarer side.

    Notes
    -----
    Assumes that one quarter's error says nothing of the next one's; deals that stay open over quarters strain that.
    Scores are skewed: a few bad quarters make the mean. The limits are those of t corrected for the skewness of the
    quarters (Johnson 1978, JASA 73:536, in Hall's monotone form, 1992, JRSSB 54:221, eq. 2.3).
    """
    rows = []
    for (model, score), part in scores.groupby(["model", "score"], sort=False):
        value = part["value"].to_numpy(dtype=float)
        n, estimate = len(value), float(value.mean())
        error, low, high = skewed_limits(value - estimate, conf_level)
        reason = SINGLE if n < 2 else _too_rare(str(score), n)
        if reason:
            low = high = np.nan
        rows.append((model, score, estimate, error, max(estimate + low, 0.0) if not reason else np.nan,
                     estimate + high, n, reason))  # fmt: skip
    names = ["model", "score", "estimate", "std_error", "conf_low", "conf_high", "n_quarters", "no_interval_reason"]
    frame = pd.DataFrame(rows, columns=names)
    return Estimate(frame, _meta("score", "mean score over quarters", ("model", "score"), conf_level, SKEWED,
                                 unit, int(frame["n_quarters"].max())))  # fmt: skip


def skewed_limits(deviations: Floats, conf_level: float) -> tuple[float, float, float]:
    """Return the standard error of a mean of n quarters and its limits as distances from it, by their deviations.

    With T = (mean - truth) / standard error, skewness g and c = g / sqrt(n), Hall's T + c T^2 / 3 + c^2 T^3 / 27
    + c / 6 is taken as t with n - 1 degrees of freedom; NaN with one quarter.

    Examples
    --------
    >>> [round(x, 3) for x in skewed_limits(np.array([-1.0, 0.0, 1.0]), 0.95)]
    [0.577, -2.484, 2.484]
    >>> [round(x, 2) for x in skewed_limits(np.array([-1.0, -1.0, -1.0, -1.0, 4.0]), 0.95)]
    [1.0, -1.6, 6.74]
    """
    n = len(deviations)
    if n < 2:
        return float("nan"), float("nan"), float("nan")
    spread = float(np.sqrt((deviations**2).mean()))
    error = spread * float(np.sqrt(1 / (n - 1)))
    t = quantile(conf_level, n - 1)
    if not spread > 0:
        return error, 0.0, 0.0
    # the skewness of few quarters is corrected for its bias, g sqrt(n (n - 1)) / (n - 2); two have none
    c = float((deviations**3).mean()) / spread**3 * float(np.sqrt(n - 1)) / max(n - 2, 1)

    def inverse(x: float) -> float:
        return x if abs(c) < 1e-6 else float(np.cbrt(1 + c * (x - c / 6)) - 1) * 3 / c

    return error, min(-inverse(t) * error, 0.0), max(-inverse(-t) * error, 0.0)


def _too_rare(score: str, n: int) -> str:
    """Say where too few quarters can have fallen on the rarer side of a quantile for its mean loss to show a spread."""
    if not score.startswith("pinball "):
        return ""
    level = float(score.split()[1]) / 100
    few = n * min(level, 1 - level) < FEW_BEYOND - 1e-9
    return f"fewer than {FEW_BEYOND} quarters are expected on the rarer side of this quantile" if few else ""


def _meta(kind: str, words: str, keys: tuple[str, ...], conf_level: float, interval: str, unit: str, n: int) -> Meta:
    few = f"With {n} quarters (fewer than {FEW_QUARTERS}) this cannot be judged." if n < FEW_QUARTERS else ""
    return Meta(
        kind="contrast" if kind == "contrast" else "score", estimand=words, keys=keys, n_deals=0, conf_level=conf_level,
        interval=interval, variance="between quarters", cluster="quarter", unit=unit, note=few,
    )  # fmt: skip


def paired_differences(
    scores: pd.DataFrame, *, reference: str, unit: str = "deals", conf_level: float = 0.95
) -> Estimate:
    """Which model forecasts totals better than the reference, quarter by quarter?

    Parameters
    ----------
    scores : pandas.DataFrame
        Of `total_scores`, or any frame with `model`, `quarter`, `score`, `value`; several rows of one quarter
        (segments, say, named by further columns) belong together.
    reference : str
        The model that is subtracted.
    unit : str
        Of the totals.
    conf_level : float

    Returns
    -------
    Estimate
        Kind contrast; keys ("model", "score"); mean difference (below 0: better than the reference) with its limits,
        `n_quarters`, `better` (quarters in which the model was ahead). No interval as for `mean_scores`, or where all
        differences are equal; the note says where quarters are too few to judge.

    Raises
    ------
    InputError
        No such model, or models with different rows.

    Notes
    -----
    Assumes independent quarters. They are the blocks: each adds the sum of its deviations from the mean. Limits as for
    `mean_scores`; percentiles of resampled quarters, which they replace, are short where quarters are few (Davison &
    Hinkley 1997, section 5.3).

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
            _difference(str(model), str(score), part, conf_level) for score, part in gap.groupby("score", sort=False)
        ]
    names = ["model", "score", "estimate", "std_error", "conf_low", "conf_high", "n_quarters", "better"]
    frame = pd.DataFrame(rows, columns=[*names, "no_interval_reason"])
    words = f"mean difference of scores from {reference}, same quarters"
    return Estimate(frame, _meta("contrast", words, ("model", "score"), conf_level, SKEWED, unit,
                                 int(frame["n_quarters"].max()) if len(frame) else 0))  # fmt: skip


def _difference(model: str, score: str, gap: pd.DataFrame, conf_level: float) -> tuple[object, ...]:
    total, size = gap.groupby("quarter")["value"].agg(["sum", "size"]).to_numpy(dtype=float).T
    n, estimate = len(total), float(gap["value"].mean())
    better = int((total < 0).sum())
    error, low, high = skewed_limits((total - estimate * size) / size.mean(), conf_level)
    reason = SINGLE if n < 2 else _too_rare(score, n)
    if n > 1 and error <= 1e-14 * max(abs(estimate), 1.0):
        reason, error = "every quarter has the same difference", np.nan
    if reason:
        return model, score, estimate, error, np.nan, np.nan, n, better, reason
    return model, score, estimate, error, estimate + low, estimate + high, n, better, ""
