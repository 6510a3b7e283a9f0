"""Do the levels of a segment end differently at all: one test per segment, adjusted over the declared family."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.cell_deals import ids_of, members_apart, with_deals
from analytics.estimators.contrasts import benjamini_hochberg
from analytics.estimators.counts import count_events
from analytics.estimators.decomposition import NOT_RECORDED
from analytics.estimators.result import Estimate, Finding, Meta
from analytics.estimators.spread import effective_counts, spread_between
from analytics.estimators.subdistribution_test import subdistribution_score_test
from analytics.questions.cohorts.cohort import ACCOUNT, Cohort, in_place, levels_of
from analytics.questions.cohorts.rates import raw_shares

FALSE_DISCOVERIES = 0.05
PER_DEGREE = 10
"""Accounts and events per degree of freedom below which the robust test is not trusted."""
SCORE, SPREAD = "robust score test", "spread of shares"
NO_INTERVAL = "a test has a p-value, not an interval"


def omnibus(cohort: Cohort | Finding, *, outcome: str = "won") -> Estimate | Finding:
    """Is the share with an outcome the same in every level of a segment?

    Parameters
    ----------
    cohort : Cohort or Finding
        From `opening_cohort`; its segments are the declared family.
    outcome : str
        "won", "lost" or "no_decision".

    Returns
    -------
    Estimate or Finding
        Kind test, keys (segment,): `test`, `estimate` (chi-squared), `df`, `p_value`, `p_adjusted` (Benjamini-Hochberg
        over the family), `n_levels`, `n_deals`, `shown` (p_adjusted at most 5 %).

    Notes
    -----
    The robust score test of the subdistribution hazard, which takes accounts into account and uses deals still open.
    With fewer than 10 accounts or events per degree of freedom its variance is not to be trusted, and the spread of the
    levels' shares at one age (in effective deals, see `analytics.estimators.spread`) is tested instead. Deals of which
    the level is not recorded take no part.

    References
    ----------
    Benjamini & Hochberg 1995, JRSS B 57:289.

    Examples
    --------
    >>> omnibus(Finding("cohort", "No deal.", "", "not studied")).name
    'omnibus'
    """
    if isinstance(cohort, Finding):
        return in_place("omnibus", cohort)
    rows = [row for name in cohort.by for row in _test(cohort, name, outcome)]
    if not rows:
        return Finding("omnibus", "No segment has two levels with enough deals to compare.", "", "cannot tell")
    rows, members = members_apart(rows)
    frame = pd.DataFrame(rows)
    frame["p_adjusted"] = benjamini_hochberg(frame["p_value"])
    frame["shown"] = frame["p_adjusted"] <= FALSE_DISCOVERIES
    meta = Meta(
        kind="test", keys=("segment",), n_deals=len(cohort.deals), n_accounts=cohort.n_accounts, unit="chi-squared",
        estimand=f"whether the share {outcome.replace('_', ' ')} is the same in every level; {cohort.words}",
        variance="by account where known", cluster="account_id" if cohort.clustered else None,
        note=f"Declared family: {len(frame)} segments.",
    )  # fmt: skip
    return with_deals(Estimate(frame, meta), **members)


def _test(cohort: Cohort, segment: str, outcome: str) -> list[dict[str, Any]]:
    level = levels_of(cohort, segment)
    deals = cohort.deals.assign(**{segment: level})
    won = (deals["outcome"] == outcome).groupby(level).sum()
    enough = [name for name in won.index[won > 0] if name != NOT_RECORDED]
    deals = deals[level.isin(enough)]
    df, events = len(enough) - 1, int(won[enough].sum())
    units = int(deals[ACCOUNT].nunique())
    if df >= 1 and min(units, events) >= PER_DEGREE * df:
        risk = count_events(deals, by=(segment,), cluster=cohort.cluster)
        found = subdistribution_score_test(risk, outcome=outcome).frame.iloc[0]
        statistic, df, p = float(found["estimate"]), int(found["df"]), float(found["p_value"])
        return [_row(segment, SCORE, (statistic, df, p), len(enough), deals)]
    usable = raw_shares(cohort, segment, outcome)
    usable = usable[usable["comparable"]]
    x, n = effective_counts(usable["estimate"], usable["std_error"], usable["effective_deals"])
    if len(usable) < 2 or not 0 < x.sum() < n.sum():
        return []
    spread = spread_between(x, n)
    told = (spread.statistic, spread.df, spread.p_value)
    return [_row(segment, SPREAD, told, len(usable), cohort.deals[level.isin(usable["level"])])]


def _row(segment: str, test: str, found: tuple[float, int, float], levels: int, deals: pd.DataFrame) -> dict[str, Any]:
    return {
        "segment": segment, "test": test, "estimate": found[0], "std_error": np.nan, "conf_low": np.nan,
        "conf_high": np.nan, "df": found[1], "p_value": found[2], "n_levels": levels, "n_deals": len(deals),
        "no_interval_reason": NO_INTERVAL, "members": {"n_deals": ids_of(deals)},
    }  # fmt: skip
