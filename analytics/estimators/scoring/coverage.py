"""Whether forecast intervals of totals held as often as they said, and PIT histograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from analytics.estimators.result import Estimate, Meta
from analytics.estimators.scoring.distributions import Floats, TotalForecast
from analytics.estimators.scoring.totals import FEW_QUARTERS, Told, checked
from analytics.records.errors import InputError

CANNOT = f"cannot be judged with fewer than {FEW_QUARTERS} quarters"


def interval_coverage(
    forecasts: Told,
    observed: Mapping[str, float],
    *,
    levels: Sequence[float] = (0.5, 0.8, 0.95),
    conf_level: float = 0.95,
) -> Estimate:
    """Did the totals lie inside the forecasts' intervals as often as these said?

    Parameters
    ----------
    forecasts, observed
        As for `total_scores`.
    levels : sequence of float
        Of the central intervals, between the quantiles (1 - level) / 2 and (1 + level) / 2, both ends inside.
    conf_level : float

    Returns
    -------
    Estimate
        Kind probability; keys ("model", "level"); the share of quarters inside with exact binomial limits; `inside`,
        `n_quarters`; `stated`, the probability that the intervals hold by the forecasts' own account (above the level
        where totals are whole numbers); `judgement`: "in line", "too narrow", "too wide" (limits beyond `stated`), or
        "cannot be judged with fewer than 8 quarters".

    Raises
    ------
    InputError
        As `total_scores`; a level outside (0, 1).

    Notes
    -----
    Clopper & Pearson (1934), Biometrika 26:404; quarters are taken as independent. With 8 quarters an 80 % interval
    that held in all of them is compatible with a true coverage from 63 % on: "in line" is weak praise.

    Examples
    --------
    >>> from analytics.estimators.scoring.distributions import from_draws
    >>> told = {"a": {"Q1": from_draws(range(11)), "Q2": from_draws(range(11))}}
    >>> shown = interval_coverage(told, {"Q1": 5, "Q2": 10}, levels=[0.5]).frame
    >>> shown[["estimate", "judgement"]].values.tolist()
    [[0.5, 'cannot be judged with fewer than 8 quarters']]
    """
    rows = []
    for model, by_quarter in checked(forecasts, observed).items():
        for level in levels:
            if not 0 < level < 1:
                raise InputError("an interval's level lies between 0 and 1", value=level)
            held = [_held(forecast, float(observed[quarter]), level) for quarter, forecast in by_quarter.items()]
            inside, n = sum(hit for hit, _ in held), len(held)
            low, high = binomial_limits(inside, n, conf_level)
            stated = float(np.mean([chance for _, chance in held]))
            rows.append((model, level, inside / n, low, high, inside, n, stated, _judgement(low, high, stated, n)))
    frame = pd.DataFrame(rows, columns=["model", "level", "estimate", "conf_low", "conf_high", "inside", "n_quarters",
                                        "stated", "judgement"])  # fmt: skip
    return Estimate(frame, Meta(
        kind="probability", estimand="share of quarters whose total lay inside the forecast interval",
        keys=("model", "level"), n_deals=0, conf_level=conf_level, interval="exact binomial (Clopper-Pearson)",
        variance="binomial", note=f"Coverage {CANNOT}." if frame["n_quarters"].max() < FEW_QUARTERS else "",
    ))  # fmt: skip


def _held(forecast: TotalForecast, came: float, level: float) -> tuple[bool, float]:
    low, high = forecast.quantile((1 - level) / 2), forecast.quantile((1 + level) / 2)
    return low <= came <= high, forecast.up_to(high) - forecast.below(low)


def _judgement(low: float, high: float, stated: float, n: int) -> str:
    if n < FEW_QUARTERS:
        return CANNOT
    if high < stated:
        return "too narrow"
    return "too wide" if low > stated else "in line"


def binomial_limits(inside: int, n: int, conf_level: float) -> tuple[float, float]:
    """Return the exact (Clopper-Pearson) limits of a proportion.

    Examples
    --------
    >>> [round(limit, 4) for limit in binomial_limits(8, 8, 0.95)]
    [0.6306, 1.0]
    """
    from scipy.special import betaincinv

    tail = (1 - conf_level) / 2
    low = 0.0 if inside == 0 else float(betaincinv(inside, n - inside + 1, tail))
    high = 1.0 if inside == n else float(betaincinv(inside + 1, n - inside, 1 - tail))
    return low, high


def pit_histogram(
    forecasts: Told, observed: Mapping[str, float], *, bins: int = 5, conf_level: float = 0.95
) -> Estimate:
    """Where in their forecast distributions did the totals lie: evenly, at the ends, or in the middle?

    Parameters
    ----------
    forecasts, observed
        As for `total_scores`.
    bins : int
        Equal parts of (0, 1).
    conf_level : float
        Of the range that an honest forecast would give.

    Returns
    -------
    Estimate
        Kind probability; keys ("model", "bin"); the share of quarters in each part, `bin_low`, `bin_high`,
        `honest_low`, `honest_high` (binomial quantiles of the share under an honest forecast). High ends: too narrow;
        high middle: too wide; a slope: too low or too high.

    Raises
    ------
    InputError
        As `total_scores`; fewer than one bin.

    Notes
    -----
    Assumes that quarters are independent. The non-random histogram: a total with probability mass of its own is spread
    evenly over (F(y-), F(y)), so nothing is drawn; Czado, Gneiting & Held (2009), Biometrics 65:1254. For continuous
    totals it is the usual histogram.

    Examples
    --------
    >>> from analytics.estimators.scoring.distributions import poisson_binomial
    >>> told = {"a": {"Q1": poisson_binomial([0.5])}}
    >>> pit_histogram(told, {"Q1": 1}, bins=4).frame["estimate"].tolist()
    [0.0, 0.0, 0.5, 0.5]
    """
    if bins < 1:
        raise InputError("there must be at least one bin", value=bins)
    edges, rows = np.linspace(0, 1, bins + 1), []
    for model, by_quarter in checked(forecasts, observed).items():
        spread = np.mean([_spread(told, float(observed[q]), edges) for q, told in by_quarter.items()], axis=0)
        low, high = _honest(len(by_quarter), bins, conf_level)
        rows += [(model, b + 1, share, edges[b], edges[b + 1], low, high) for b, share in enumerate(np.diff(spread))]
    frame = pd.DataFrame(rows, columns=["model", "bin", "estimate", "bin_low", "bin_high", "honest_low", "honest_high"])
    frame = frame.assign(estimate=frame["estimate"].clip(0, 1), std_error=np.nan, conf_low=np.nan, conf_high=np.nan,
                         no_interval_reason="compared with what an honest forecast would give")  # fmt: skip
    quarters = len(next(iter(forecasts.values())))
    return Estimate(frame, Meta(
        kind="probability", estimand="share of quarters by place of the total in its forecast distribution (PIT)",
        keys=("model", "bin"), n_deals=0, conf_level=conf_level,
        note=f"The histogram {CANNOT}." if quarters < FEW_QUARTERS else "",
    ))  # fmt: skip


def _spread(forecast: TotalForecast, came: float, edges: Floats) -> Floats:
    """The distribution function, at the edges, of the total's place spread over (F(y-), F(y))."""
    below, up_to = forecast.below(came), forecast.up_to(came)
    if up_to - below < 1e-12:
        spread = np.where(edges >= below, 1.0, 0.0)
        spread[0] = 0.0  # a total below all values lies in the first part
        return spread
    return np.asarray(np.clip((edges - below) / (up_to - below), 0, 1))


def _honest(n: int, bins: int, conf_level: float) -> tuple[float, float]:
    from scipy.stats import binom

    low, high = binom.ppf([(1 - conf_level) / 2, (1 + conf_level) / 2], n, 1 / bins) / n
    return float(low), float(high)


def pit_values(forecasts: Told, observed: Mapping[str, float], *, seed: int) -> pd.DataFrame:
    """Where in its forecast distribution did each total lie, drawn at random within its own probability mass?

    Returns
    -------
    pandas.DataFrame
        `model`, `quarter`, `below` F(y-), `up_to` F(y), `pit` between the two; uniform on (0, 1) for an honest
        forecast. The draw depends on the seed, the quarter's place and nothing else, so all models share it.

    Examples
    --------
    >>> from analytics.estimators.scoring.distributions import poisson_binomial
    >>> pit_values({"a": {"Q1": poisson_binomial([0.5])}}, {"Q1": 1}, seed=1)[["below", "up_to"]].values.tolist()
    [[0.5, 1.0]]
    """
    quarters = sorted(next(iter(checked(forecasts, observed).values())))
    place = dict(zip(quarters, np.random.default_rng(seed).uniform(size=len(quarters)), strict=True))
    rows = []
    for model, by_quarter in forecasts.items():
        for quarter, forecast in by_quarter.items():
            below, up_to = forecast.below(float(observed[quarter])), forecast.up_to(float(observed[quarter]))
            rows.append((model, quarter, below, up_to, below + place[quarter] * (up_to - below)))
    return pd.DataFrame(rows, columns=["model", "quarter", "below", "up_to", "pit"])
