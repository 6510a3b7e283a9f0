"""Do groups differ by more than chance, and by how much: heterogeneity of rates from counts or effective counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analytics.estimators.counts import RiskTable
from analytics.estimators.rates import Column
from analytics.estimators.strata import choose_variance, open_strata

Floats = NDArray[np.float64]
CLOSER = "they lie closer together than chance alone would put them, so no size of a real difference can be named"
"""What there is to say where the upper limit of the spread is 0."""


@dataclass(frozen=True)
class Spread:
    """Between-group standard deviation on the probability scale with its limits, and the test that there is any."""

    statistic: float
    df: int
    p_value: float
    sd: float
    sd_low: float
    sd_high: float


def effective_counts(estimate: Column, std_error: Column, ceiling: Column) -> tuple[Floats, Floats]:
    """Turn rates with standard errors into counts that hold as much information: n = p (1 − p) / se².

    Parameters
    ----------
    estimate, std_error : sequence of float
        Per group.
    ceiling : sequence of float
        Most that a group can count for, from `effective_deals`; taken where the estimate is 0 or 1 and its standard
        error says nothing.

    Returns
    -------
    (x, n)

    Examples
    --------
    >>> x, n = effective_counts([0.25, 0.0], [0.0433, 0.0], [120, 8])
    >>> x.round(1).tolist(), n.round(1).tolist()
    ([25.0, 0.0], [100.0, 8.0])
    """
    p, se = np.asarray(estimate, dtype=float), np.asarray(std_error, dtype=float)
    most = np.asarray(ceiling, dtype=float)
    known = (p > 0) & (p < 1) & np.isfinite(se) & (se > 0)
    n = np.where(known, p * (1 - p) / np.where(known, se, 1.0) ** 2, most)
    n = np.minimum(n, most)
    return p * n, n


def effective_deals(risk: RiskTable, time: float) -> pd.DataFrame:
    """Give how many deals, watched all their life, would say as much as each stratum does about an incidence of 0.

    Parameters
    ----------
    risk : RiskTable
        Counted deals.
    time : float
        Age at which the incidence is read.

    Returns
    -------
    pandas.DataFrame
        `risk.by` and `n_effective`: the number behind the limit that `cumulative_incidence` gives at 0 or 1. It is
        smaller than the number of deals where many were watched for a part of their life only, or share accounts.

    Notes
    -----
    The least number at risk divided by the share open then, Kish's for weights (1965), at most
    the accounts; assumes what `cumulative_incidence` does.

    Examples
    --------
    >>> from analytics.estimators.counts import count_events
    >>> deals = pd.DataFrame({"entry": [-1, -1, 4, 4], "exit": [9, 4, 9, 9], "outcome": "open"})
    >>> effective_deals(count_events(deals), 3)["n_effective"].tolist()
    [2.0]
    """
    strata, _ = open_strata(risk, choose_variance(risk, None))
    rows = [{**stratum.values, "n_effective": float(stratum.n_eff_at(np.array([time]))[0])} for stratum in strata]
    return pd.DataFrame(rows, columns=[*risk.by, "n_effective"])


def spread_between(x: Column, n: Column, *, conf_level: float = 0.95) -> Spread:
    """Ask whether groups differ by more than chance, and by how much: between-group standard deviation with limits.

    Parameters
    ----------
    x, n : sequence of float
        Successes and trials per group (effective numbers where deals are clustered).
    conf_level : float
        Default 0.95.

    Returns
    -------
    Spread
        Pearson's chi-squared on groups − 1 degrees of freedom; the standard deviation by DerSimonian and Laird, its
        limits by the Q-profile (0 where chance alone is enough).

    Raises
    ------
    ValueError
        With fewer than two groups, or where every deal (or none) had the outcome.

    Notes
    -----
    Assumes binomial counts (of effective numbers) and true rates about normal. Where rates lie closer together than
    chance leaves all but a few of 100 sets of equal ones, no spread goes with them and both limits are 0.

    References
    ----------
    DerSimonian & Laird 1986, Control Clin Trials 7:177; Viechtbauer 2007, Stat Med 26:37 (Q-profile).

    Examples
    --------
    >>> spread = spread_between([10, 22, 14, 30, 9], [50, 60, 40, 60, 50])
    >>> round(spread.statistic, 2), spread.df, round(spread.sd, 3)
    (17.26, 4, 0.119)
    """
    from scipy.special import chdtrc, chdtri

    hits, trials = np.asarray(x, dtype=float), np.asarray(n, dtype=float)
    pooled = float(hits.sum() / trials.sum())
    if len(hits) < 2 or not 0 < pooled < 1:
        raise ValueError("a spread needs at least two groups, and deals both with and without the outcome")
    rate, within, df = hits / trials, pooled * (1 - pooled) / trials, len(hits) - 1
    statistic = float(((rate - pooled) ** 2 / within).sum())
    weight = 1 / within
    between = max(0.0, (statistic - df) / float(weight.sum() - (weight**2).sum() / weight.sum()))

    def profile(target: float) -> float:
        def q(tau2: float) -> float:
            w = 1 / (within + tau2)
            return float((w * (rate - (w * rate).sum() / w.sum()) ** 2).sum())

        low, high = 0.0, 1.0
        if q(low) <= target:
            return 0.0
        while high - low > 1e-15:
            middle = (low + high) / 2
            low, high = (middle, high) if q(middle) > target else (low, middle)
        return high

    tail = (1 - conf_level) / 2
    sd_low, sd_high = (float(np.sqrt(profile(float(chdtri(df, p))))) for p in (tail, 1 - tail))
    # no distribution of rates with this mean varies more than one of zeros and ones
    sd, most = float(np.sqrt(between)), float(np.sqrt(pooled * (1 - pooled)))
    sd, sd_high = min(sd, most), min(sd_high, most)
    # the two methods may disagree by a little where the spread is near 0
    return Spread(statistic, df, float(chdtrc(df, statistic)), sd, min(sd_low, sd), max(sd_high, sd))
