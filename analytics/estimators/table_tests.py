"""Do groups end alike, from counts of closed deals: chi-squared, Cochran-Mantel-Haenszel, common odds ratio."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.estimators.group_tests import NO_INTERVAL, quadratic_form
from analytics.estimators.result import Estimate, Meta
from analytics.records.errors import InputError, nearest

Floats = npt.NDArray[np.float64]
NO_ODDS = "the common odds ratio is 0 or infinite"


def chi_squared_test(table: pd.DataFrame, *, group: str, outcomes: Sequence[str]) -> Estimate:
    """Do the groups end in the same shares of outcomes?

    Parameters
    ----------
    table : pandas.DataFrame
        One row per cell: the group, and a count of closed deals per outcome; rows of one group are added up.
    group : str
        Column that is compared.
    outcomes : sequence of str
        Columns of counts.

    Returns
    -------
    Estimate
        Kind test, one row: `test`, `estimate` (Pearson's chi-squared, no continuity correction), `df`, `p_value`,
        `n_groups`, `n_event` (deals), `least_expected` (below 5 the p-value is rough).

    Raises
    ------
    InputError
        Missing columns, counts that are not whole or negative, fewer than two groups.

    Notes
    -----
    Pearson (1900), Phil Mag 50:157. Deals of one account are taken as independent; with many deals per account the test
    refuses too often.

    Examples
    --------
    >>> table = pd.DataFrame({"quarter": ["Q1", "Q2"], "won": [20, 35], "lost": [80, 65]})
    >>> chi_squared_test(table, group="quarter", outcomes=["won", "lost"]).frame["estimate"].round(4).tolist()
    [5.6426]
    """
    counts, groups = _counts(table, group, outcomes, ())
    cells = counts[0][:, counts[0].sum(axis=0) > 0]
    total = cells.sum()
    expected = np.outer(cells.sum(axis=1), cells.sum(axis=0)) / max(total, 1.0)
    df = (groups - 1) * (cells.shape[1] - 1)
    statistic = float(((cells - expected) ** 2 / expected).sum()) if df > 0 else float("nan")
    frame = _row("chi-squared", statistic, df, groups, total).assign(
        least_expected=float(expected.min(initial=np.inf)) if expected.size else np.nan
    )
    return _test(frame, f"whether the shares of {', '.join(outcomes)} are the same in every {group}", "Pearson", total)


def cmh_test(table: pd.DataFrame, *, group: str, outcomes: Sequence[str], strata: Sequence[str]) -> Estimate:
    """Do the groups end alike once deals of the same stratum are compared with each other only?

    Parameters
    ----------
    table, group, outcomes
        As for `chi_squared_test`; any number of groups and outcomes.
    strata : sequence of str
        Columns within which groups are compared.

    Returns
    -------
    Estimate
        Kind test, one row: `test`, `estimate` (chi-squared), `df`, `p_value`, `n_groups`, `n_event`.

    Raises
    ------
    InputError
        As for `chi_squared_test`.

    Notes
    -----
    Generalised Cochran-Mantel-Haenszel statistic of general association (Landis, Heyman & Koch 1978, Int Stat Rev
    46:237; Agresti 2013, Categorical Data Analysis, sec. 8.4). Differences that go opposite ways in different strata
    cancel. A group or an outcome that is nowhere takes no degree of freedom. Assumes independent deals.

    Examples
    --------
    >>> table = pd.DataFrame({"quarter": ["Q1", "Q2"] * 2, "segment": list("aabb"), "won": [5, 9, 20, 30],
    ...                       "lost": [15, 11, 80, 70]})
    >>> result = cmh_test(table, group="quarter", outcomes=["won", "lost"], strata=["segment"])
    >>> result.frame[["estimate", "df"]].round(4).values.tolist()
    [[4.1683, 1.0]]
    """
    counts, groups = _counts(table, group, outcomes, strata)
    size = counts.shape[1] * counts.shape[2]
    score, variance = np.zeros(size), np.zeros((size, size))
    for cells in counts:
        total = cells.sum()
        if total < 2:
            continue
        rows, columns = cells.sum(axis=1) / total, cells.sum(axis=0) / total
        score += (cells - total * np.outer(rows, columns)).ravel()
        spread = np.diag(rows) - np.outer(rows, rows), np.diag(columns) - np.outer(columns, columns)
        variance += total**2 / (total - 1) * np.kron(*spread)
    statistic, df = quadratic_form(score, variance)
    frame = _row("Cochran-Mantel-Haenszel", statistic, df, groups, counts.sum())
    estimand = f"whether the shares of {', '.join(outcomes)} are the same in every {group} within {', '.join(strata)}"
    return _test(frame, estimand, "generalised Cochran-Mantel-Haenszel", counts.sum())


def common_odds_ratio(
    table: pd.DataFrame, *, group: str, outcomes: tuple[str, str], strata: Sequence[str], conf_level: float = 0.95
) -> Estimate:
    """By how much do the odds of the first outcome differ between two groups, the strata put together?

    Parameters
    ----------
    table, group, strata
        As for `cmh_test`; two groups, the first in order against the second.
    outcomes : (str, str)
        The outcome and its complement.
    conf_level : float

    Returns
    -------
    Estimate
        Kind contrast, key `("contrast",)`: the Mantel-Haenszel odds ratio, `std_error` of its logarithm, limits, and
        `p_homogeneous` (Breslow & Day with Tarone's correction: whether one odds ratio does for all strata).

    Raises
    ------
    InputError
        As for `cmh_test`, and other than two groups.

    Notes
    -----
    Mantel & Haenszel (1959), J Natl Cancer Inst 22:719; limits of Robins, Breslow & Greenland (1986), Biometrics
    42:311, from statsmodels. Assumes independent deals and one ratio in every stratum.

    Examples
    --------
    >>> table = pd.DataFrame({"quarter": ["Q1", "Q2"] * 2, "segment": list("aabb"), "won": [5, 9, 20, 30],
    ...                       "lost": [15, 11, 80, 70]})
    >>> common_odds_ratio(table, group="quarter", outcomes=("won", "lost"), strata=["segment"]).frame["estimate"].round(
    ...     4).tolist()
    [0.5447]
    """
    from statsmodels.stats.contingency_tables import StratifiedTable

    counts, groups = _counts(table, group, outcomes, strata)
    if groups != 2:
        raise InputError(f"an odds ratio compares two groups, and there are {groups}", column=group)
    names = sorted(table[group].unique())
    used = counts[(counts.sum(axis=2) > 0).all(axis=1)]
    top = sum(float(c[0, 0] * c[1, 1] / c.sum()) for c in used)
    below = sum(float(c[0, 1] * c[1, 0] / c.sum()) for c in used)
    row: dict[str, Any] = {"contrast": f"{names[0]} against {names[1]}", "p_homogeneous": np.nan}
    if top > 0 and below > 0:
        fitted = StratifiedTable(list(used))
        low, high = fitted.oddsratio_pooled_confint(alpha=1 - conf_level)
        row |= {"estimate": float(fitted.oddsratio_pooled), "std_error": float(fitted.logodds_pooled_se),
                "conf_low": float(low), "conf_high": float(high), "no_interval_reason": ""}  # fmt: skip
        if (used.sum(axis=2) > 0).all() and (used.sum(axis=1) > 0).all() and len(used) > 1:
            row["p_homogeneous"] = float(fitted.test_equal_odds(adjust=True).pvalue)
    else:
        row |= {"estimate": np.nan if top == below else 0.0 if top == 0 else np.inf, "std_error": np.nan,
                "conf_low": np.nan, "conf_high": np.nan, "no_interval_reason": NO_ODDS}  # fmt: skip
    meta = Meta(
        kind="contrast", estimand=f"odds ratio of {outcomes[0]} against {outcomes[1]}, common to all strata",
        keys=("contrast",), n_deals=int(counts.sum()), conf_level=conf_level, unit="odds ratio",
        interval="Robins-Breslow-Greenland", variance="Mantel-Haenszel",
    )  # fmt: skip
    return Estimate(pd.DataFrame([row]), meta)


def _counts(table: pd.DataFrame, group: str, outcomes: Sequence[str], strata: Sequence[str]) -> tuple[Floats, int]:
    """Return counts `(strata, groups, outcomes)` and the number of groups."""
    for name in (group, *outcomes, *strata):
        if name not in table.columns:
            raise InputError(f"the table has no column {name!r}", action=nearest(name, table.columns))
    values = table[list(outcomes)].to_numpy(dtype=float)
    if not (np.isfinite(values).all() and (values >= 0).all() and (values == np.floor(values)).all()):
        raise InputError("a count is missing, negative or not whole", value=tuple(outcomes))
    rows, groups = pd.factorize(table[group], sort=True)
    if len(groups) < 2:
        raise InputError(f"a test compares groups, and there are {len(groups)}", column=group)
    place = table.groupby(list(strata), dropna=False).ngroup().to_numpy() if strata else np.zeros(len(table), dtype=int)
    counts = np.zeros((int(place.max()) + 1, len(groups), len(outcomes)))
    np.add.at(counts, (place, rows), values)
    return counts, len(groups)


def _row(test: str, statistic: float, df: int, groups: int, deals: float) -> pd.DataFrame:
    from scipy.special import chdtrc

    known = df > 0
    return pd.DataFrame({
        "test": [test], "estimate": [statistic if known else np.nan], "conf_low": np.nan, "conf_high": np.nan,
        "df": [df], "p_value": [float(chdtrc(df, statistic)) if known else np.nan], "n_groups": [groups],
        "n_event": [int(deals)],
        "no_interval_reason": [NO_INTERVAL if known else "there is nothing to compare"],
    })  # fmt: skip


def _test(frame: pd.DataFrame, estimand: str, method: str, deals: float) -> Estimate:
    meta = Meta(kind="test", estimand=estimand, keys=("test",), n_deals=int(deals), variance=method, unit="chi-squared")
    return Estimate(frame, meta)
