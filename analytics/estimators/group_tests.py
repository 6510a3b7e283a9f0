"""Do groups differ: Gray's test of cumulative incidences, and the log-rank family of cause-specific hazards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.estimators.counts import RiskTable
from analytics.estimators.group_arrays import Floats, GroupArrays, arrays_by_stratum, groups_of
from analytics.estimators.result import Estimate, Meta
from analytics.records.errors import InputError

NO_INTERVAL = "a test has a p-value, not an interval"


def gray_test(risk: RiskTable, *, outcome: str, strata: Sequence[str] = (), rho: float = 0.0) -> Estimate:
    """Is the cumulative incidence of an outcome the same in every group?

    Parameters
    ----------
    risk : RiskTable
        Counted by the groups and the strata; every deal watched from its opening, without weights.
    outcome : str
        The outcome compared.
    strata : sequence of str
        Columns of `risk.by` within which groups are compared; the others make the groups.
    rho : float
        Weight (1 - F)^rho: above 0 early differences count more.

    Returns
    -------
    Estimate
        Kind test, one row: `outcome`, `estimate` (chi-squared), `df`, `p_value`, `n_groups`, `n_event`.

    Raises
    ------
    InputError
        Delayed entry or weights (use `subdistribution_score_test`), fewer than two groups, an unknown outcome.

    Notes
    -----
    Groups in which nobody had the outcome take part; a group that nobody can be compared with loses its degree of
    freedom. Deals of one account are taken as independent. Gray (1988), Ann Stat 16:1141, eq. 2.3 and section 4, with
    the variance under ties of the R package cmprsk.

    Examples
    --------
    >>> from analytics.estimators.counts import count_events
    >>> deals = pd.DataFrame({"entry": -1, "exit": [3, 5, 7, 9, 4, 6, 8, 9], "team": list("aaaabbbb"),
    ...                       "outcome": ["won", "won", "won", "open", "lost", "won", "lost", "open"]})
    >>> gray_test(count_events(deals, by="team"), outcome="won").frame[["estimate", "df"]].round(4).values.tolist()
    [[1.7581, 1.0]]
    """
    if len(risk.cells) and risk.cells["entry"].nunique() > 1:
        raise InputError(
            "Gray's test is for deals that were watched from their opening, and some enter later",
            action="Use subdistribution_score_test, its analogue for delayed entry and weights",
        )
    if risk.weighted:
        raise InputError(
            "Gray's test is for deals without weights", action="Use subdistribution_score_test, which takes weights"
        )
    columns, groups = groups_of(risk, strata)
    parts = [_gray(arrays, rho) for arrays in arrays_by_stratum(risk, outcome, columns, strata)]
    estimand = f"whether the cumulative incidence of {outcome} is the same in every group of {', '.join(columns)}"
    return _result(risk, outcome, parts, len(groups), estimand, f"Gray, rho = {rho:g}")


def logrank_test(risk: RiskTable, *, outcome: str, strata: Sequence[str] = (), rho: float = 0.0) -> Estimate:
    """Is the cause-specific hazard of an outcome the same in every group?

    Parameters
    ----------
    risk : RiskTable
        Counted by the groups and the strata; delayed entry is fine, weights are not.
    outcome : str
        The outcome compared; the others are censored where they happen.
    strata : sequence of str
        Columns of `risk.by` within which groups are compared.
    rho : float
        Fleming and Harrington's weight S(t-)^rho, with S from this outcome alone: 0 is the log-rank test, 1 Peto's.

    Returns
    -------
    Estimate
        Kind test, one row: `outcome`, `estimate` (chi-squared), `df`, `p_value`, `n_groups`, `n_event`.

    Raises
    ------
    InputError
        Weights, fewer than two groups, an unknown outcome.

    Notes
    -----
    A hazard is the pace among deals still open: equal hazards of winning do not mean that equal shares are won. Deals
    of one account are taken as independent. Hypergeometric variance under ties: Mantel (1966), Cancer Chemother Rep
    50:163; Harrington & Fleming (1982), Biometrika 69:553.

    Examples
    --------
    >>> from analytics.estimators.counts import count_events
    >>> deals = pd.DataFrame({"entry": -1, "exit": [3, 5, 7, 9, 4, 6, 8, 9], "team": list("aaaabbbb"),
    ...                       "outcome": ["won", "won", "won", "open", "lost", "won", "lost", "open"]})
    >>> logrank_test(count_events(deals, by="team"), outcome="won").frame[["estimate", "df"]].round(4).values.tolist()
    [[1.2222, 1.0]]
    """
    if risk.weighted:
        raise InputError(
            "the log-rank test is for deals without weights",
            action="Use cause_specific_cox with weights and read its robust score test",
        )
    columns, groups = groups_of(risk, strata)
    parts = [_logrank(arrays, rho) for arrays in arrays_by_stratum(risk, outcome, columns, strata)]
    estimand = f"whether the hazard of {outcome} is the same in every group of {', '.join(columns)}"
    return _result(risk, outcome, parts, len(groups), estimand, f"log-rank, Fleming-Harrington rho = {rho:g}")


@dataclass(frozen=True)
class Score:
    """What one stratum adds: score `(G,)`, its variance `(G, G)`, and observed and expected events `(G,)`."""

    score: Floats
    variance: Floats
    observed: Floats
    expected: Floats


def logrank_scores(risk: RiskTable, *, outcome: str, strata: Sequence[str] = (), rho: float = 0.0) -> Iterator[Score]:
    """Return what each stratum adds to the log-rank test, groups in order (observed and expected are unweighted)."""
    columns, _ = groups_of(risk, strata)
    for arrays in arrays_by_stratum(risk, outcome, columns, strata):
        yield _logrank(arrays, rho)


def _logrank(arrays: GroupArrays, rho: float) -> Score:
    n, d = arrays.n_risk, arrays.n_event
    keep = d.sum(axis=1) > 0
    n, d = n[keep], d[keep]
    n_all, d_all = n.sum(axis=1), d.sum(axis=1)
    before = np.concatenate(([1.0], np.cumprod(1 - d_all / n_all)))[:-1]
    weight = before**rho
    expected = n * (d_all / n_all)[:, None]
    # one deal at risk leaves nothing to draw from, so there is no variance
    spread = weight**2 * d_all * (n_all - d_all) / np.where(n_all > 1, n_all - 1, 1.0)
    share = n / n_all[:, None]
    variance = np.diag(spread @ share) - (share * spread[:, None]).T @ share
    return Score(weight @ (d - expected), variance, d.sum(axis=0), expected.sum(axis=0))


def _gray(arrays: GroupArrays, rho: float) -> Score:
    """Score and variance of one stratum; methods and names as in Gray (1988), section 4."""
    n, d1, d2 = arrays.n_risk, arrays.n_event, arrays.n_other
    keep = (d1 + d2).sum(axis=1) > 0
    n, d1, d2 = n[keep], d1[keep], d2[keep]
    there = n > 0
    base = np.where(there, n, 1.0)
    raw = np.cumprod(np.where(there, 1 - (d1 + d2) / base, 1.0), axis=0)
    after: Floats = np.asarray(np.where(raw < 1e-12, 0.0, raw), dtype=float)
    before = np.asarray(np.vstack([np.ones(n.shape[1]), after[:-1]]), dtype=float)
    incidence = np.vstack([np.zeros(n.shape[1]), np.cumsum(before * d1 / base, axis=0)])[:-1]
    h = np.where(there & (before > 0), n / np.where(before > 0, before, 1.0), 0.0)
    r = h * (1 - incidence)
    h_all, r_all, d_all = h.sum(axis=1), r.sum(axis=1), d1.sum(axis=1)
    step = np.where(h_all > 0, d_all / np.where(h_all > 0, h_all, 1.0), 0.0)
    pooled = np.cumsum(step)
    pooled_before = pooled - step
    weight = (1 - pooled_before) ** rho
    expected = d_all[:, None] * r / np.where(r_all > 0, r_all, 1.0)[:, None]
    score = weight @ (d1 - expected)
    variance = _gray_variance(h, weight, (step, pooled, pooled_before), _Ties(n, d1, d2, before, after))
    return Score(score, variance, d1.sum(axis=0), expected.sum(axis=0))


@dataclass(frozen=True)
class _Ties:
    n: Floats
    d1: Floats
    d2: Floats
    before: Floats
    after: Floats

    def terms(self, h_all: Floats) -> tuple[Floats, Floats]:
        """Variances v1 and v2 of each group's two kinds of events at each time, corrected for ties."""
        n = np.where(self.n > 0, self.n, 1.0)
        d = self.d1.sum(axis=1)
        at_risk = h_all[:, None] * self.before
        tie1 = np.where(d[:, None] > 1, 1 - (d[:, None] - 1) / np.where(at_risk > 1, at_risk - 1, 1.0), 1.0)
        v1 = tie1 * self.before * (d / np.where(h_all > 0, h_all, 1.0))[:, None] / n
        tie2 = np.where(self.d2 > 1, 1 - (self.d2 - 1) / np.where(n > 1, n - 1, 1.0), 1.0)
        v2 = tie2 * self.before**2 * self.d2 / n**2
        there = self.n > 0
        return np.where(there, v1, 0.0), np.where(there, v2, 0.0)


def _gray_variance(h: Floats, weight: Floats, pooled: tuple[Floats, Floats, Floats], ties: _Ties) -> Floats:
    step, upto, before = pooled
    h_all = h.sum(axis=1)
    v1, v2 = ties.terms(h_all)
    groups = h.shape[1]
    share = h / np.where(h_all > 0, h_all, 1.0)[:, None]
    # a[t, g, r] = W h_g (1{g=r} - h_r / h.)
    a = (weight[:, None] * h)[:, :, None] * (np.eye(groups)[None] - share[:, None, :])
    rate = np.where(before < 1, step / np.where(before < 1, 1 - before, 1.0), 0.0)
    c = np.cumsum(a * rate[:, None, None], axis=0)
    left = c[-1] - c if len(c) else c
    ended = ties.after <= 0
    ratio = (1 - upto)[:, None] / np.where(ended, 1.0, ties.after)
    q1 = np.where(ended, 1.0, 1 - ratio)
    q2 = np.where(ended, 0.0, ratio)
    return _weighted_square(a + q1[:, None, :] * left, v1) + _weighted_square(q2[:, None, :] * left, v2)


def _weighted_square(x: Floats, v: Floats) -> Floats:
    """Return sum over times and groups r of x[t, g, r] v[t, r] x[t, l, r]."""
    flat = x.transpose(1, 0, 2).reshape(x.shape[1], -1)
    return np.asarray((flat * v.ravel()) @ flat.T)


def _result(risk: RiskTable, outcome: str, parts: Sequence[Score], groups: int, estimand: str, method: str) -> Estimate:
    from scipy.special import chdtrc

    score = np.sum([part.score for part in parts], axis=0)
    variance = np.sum([part.variance for part in parts], axis=0)
    statistic, df = quadratic_form(score[:-1], variance[:-1, :-1])
    known = df > 0
    frame = pd.DataFrame({
        "outcome": [outcome], "estimate": [statistic if known else np.nan], "conf_low": np.nan, "conf_high": np.nan,
        "df": [df], "p_value": [float(chdtrc(df, statistic)) if known else np.nan], "n_groups": [groups],
        "n_event": [int(sum(part.observed.sum() for part in parts))],
        "no_interval_reason": [NO_INTERVAL if known else f"no deal that could be compared was {outcome}"],
    })  # fmt: skip
    meta = Meta(
        kind="test", estimand=estimand, keys=("outcome",), n_deals=risk.n_deals, n_accounts=risk.n_accounts,
        variance=method, unit="chi-squared",
    )  # fmt: skip
    return Estimate(frame, meta)


def quadratic_form(score: Floats, variance: Floats) -> tuple[float, int]:
    """Return z' V^- z and its degrees of freedom: the rank of V, so that an empty group takes none.

    Examples
    --------
    >>> quadratic_form(np.array([2.0, 0.0]), np.array([[4.0, 0.0], [0.0, 0.0]]))
    (1.0, 1)
    """
    scale = np.sqrt(np.clip(np.diag(variance), 0.0, None))
    used = scale > 1e-10 * max(float(scale.max(initial=0.0)), 1e-300)
    if not used.any():
        return float("nan"), 0
    z = score[used] / scale[used]
    correlation = variance[np.ix_(used, used)] / np.outer(scale[used], scale[used])
    values, vectors = np.linalg.eigh(correlation)
    kept = values > 1e-10 * values.max()
    along = vectors[:, kept].T @ z
    return float((along**2 / values[kept]).sum()), int(kept.sum())
