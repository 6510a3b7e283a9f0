"""Score tests whose variance comes from accounts: their scores are a sample whose mean should be 0."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analytics.estimators.group_tests import quadratic_form

Floats = npt.NDArray[np.float64]
MANY = 5_000
"""With so many units Hotelling's distribution is chi-squared to three digits."""


def account_score_test(scores: Floats) -> tuple[float, int, float]:
    """Return the statistic, its degrees of freedom and the p-value of scores by account `(accounts, terms)`.

    Total' V^- total with V the sum of squares times C/(C-1): Lin & Wei (1989), JASA 84:1074, section 3.

    Examples
    --------
    >>> statistic, df, p = account_score_test(np.array([[1.0], [2.0], [-1.0], [2.0]]))
    >>> round(statistic, 4), df, round(p, 4)
    (1.2, 1, 0.2522)
    """
    count = len(scores)
    statistic, df = quadratic_form(scores.sum(axis=0), scores.T @ scores * (count / max(count - 1, 1)))
    return (statistic, df, hotelling_p(statistic, df, count, accounts=True)) if df else (statistic, 0, float("nan"))


def hotelling_p(statistic: float, df: int, units: int, *, accounts: bool) -> float:
    """Return the p-value by Hotelling's T-squared: score' (sum of U U')^- score over C units is C times a Beta.

    Beta(df/2, (C - df)/2), which is chi-squared for many units; the statistic of `accounts` holds C/(C-1). 1 where the
    units are too few to tell anything.
    """
    from scipy.special import betaincc, chdtrc

    if units <= df:
        return 1.0
    if units >= MANY:
        return float(chdtrc(df, statistic))
    share = statistic / (units - 1 if accounts else units)
    return float(betaincc(df / 2, (units - df) / 2, min(share, 1.0)))
