"""Gray's question for deals that enter late or carry weights: the score test of the Fine-Gray model at no effect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.account_scores import hotelling_p
from analytics.estimators.cells import code_column
from analytics.estimators.counts import RiskTable
from analytics.estimators.group_arrays import groups_of
from analytics.estimators.group_tests import NO_INTERVAL, quadratic_form
from analytics.estimators.hazards.arrange import Spells, arrange
from analytics.estimators.hazards.likelihood import evaluate, event_means, score_residuals
from analytics.estimators.hazards.rows import Floats, Ints, summed
from analytics.estimators.result import Estimate, Meta
from analytics.records.errors import InputError, nearest

ONE_UNIT = "all deals belong to one account: nothing tells how accounts differ"


def subdistribution_score_test(risk: RiskTable, *, outcome: str, strata: Sequence[str] = ()) -> Estimate:
    """Is the incidence of an outcome the same in every group, where deals enter late, are weighted or share accounts?

    Parameters
    ----------
    risk : RiskTable
        Counted by the groups and the strata; delayed entry, weights and `cluster=` are respected.
    outcome : str
        The outcome compared.
    strata : sequence of str
        Columns of `risk.by` within which groups are compared; the others make the groups.

    Returns
    -------
    Estimate
        Kind test, one row: `outcome`, `estimate` (chi-squared), `df`, `p_value`, `n_groups`, `n_event`.

    Raises
    ------
    InputError
        Fewer than two groups, an unknown outcome or stratum.

    Notes
    -----
    Robust score test at zero effect of the Fine-Gray model with one indicator per group: score' V^- score, V the sum
    over deals (or accounts, times C/(C-1)) of squared score residuals; Fine & Gray (1999), JASA 94:496, Lin & Wei
    (1989), JASA 84:1074; weights under delayed entry by Geskus (2011), Biometrics 67:39. It is near Gray's test, not
    equal to it: one model of censoring serves all groups of a stratum, which assumes that they are censored, and enter,
    alike. Censoring weights are taken as known. Since the variance is a sum over units, p-values are those of
    Hotelling's T-squared over deals (or accounts) and not of chi-squared; Gray's test is better where it applies.

    Examples
    --------
    >>> from analytics.estimators.counts import count_events
    >>> deals = pd.DataFrame({"entry": -1, "exit": [3, 5, 7, 9, 4, 6, 8, 9], "team": list("aaaabbbb"),
    ...                       "outcome": ["won", "won", "won", "open", "lost", "won", "lost", "open"]})
    >>> result = subdistribution_score_test(count_events(deals, by="team"), outcome="won")
    >>> result.frame[["estimate", "df"]].round(4).values.tolist()
    [[2.2644, 1.0]]
    """
    if outcome not in risk.outcomes:
        raise InputError("the risk table has no such outcome", value=outcome, action=nearest(outcome, risk.outcomes))
    columns, groups = groups_of(risk, strata)
    cells = risk.cells
    events = int(cells.loc[cells["outcome"] == outcome, "n"].sum())
    reason, statistic, df = f"no deal was {outcome}", float("nan"), 0
    if events:
        score, variance = _score_and_variance(risk, outcome, _codes(cells, columns), _codes(cells, strata))
        statistic, df = quadratic_form(score[:-1], variance[:-1, :-1])
        few = risk.cluster is not None and (risk.n_accounts or 0) < 2
        reason = ONE_UNIT if few else NO_INTERVAL if df else f"no deal that could be compared was {outcome}"
        df = 0 if few else df
    units = (risk.n_accounts or 0) if risk.cluster else risk.n_deals
    p_value = hotelling_p(statistic, df, units, accounts=risk.cluster is not None) if df else np.nan
    frame = pd.DataFrame({
        "outcome": [outcome], "estimate": [statistic if df else np.nan], "conf_low": np.nan, "conf_high": np.nan,
        "df": [df], "p_value": [p_value], "n_groups": [len(groups)],
        "n_event": [events], "no_interval_reason": [reason],
    })  # fmt: skip
    return Estimate(frame, Meta(
        kind="test", keys=("outcome",), n_deals=risk.n_deals, n_accounts=risk.n_accounts, unit="chi-squared",
        estimand=f"whether the cumulative incidence of {outcome} is the same in every group of {', '.join(columns)}",
        variance="score test of the Fine-Gray model, sandwich", cluster=risk.cluster,
    ))  # fmt: skip


def _score_and_variance(risk: RiskTable, outcome: str, group: Ints, stratum: Ints) -> tuple[Floats, Floats]:
    """Return the score of each group and its variance over accounts, or over deals where there are none."""
    cells = risk.cells
    x = np.zeros((len(cells), int(group.max()) + 1))
    x[np.arange(len(cells)), group] = 1.0
    ended = cells["outcome"].to_numpy()
    cause = np.where(ended == "open", 0, np.where(ended == outcome, 1, 2)).astype(np.int64)
    n, w, w2 = (cells[name].to_numpy(dtype=float) for name in ("n", "w", "w2"))
    spells = Spells(x, cells["entry"].to_numpy(), cells["exit"].to_numpy(), cause, n, w, w2, stratum)
    rows = arrange(spells, subdistribution=True)
    point = evaluate(rows, np.zeros(x.shape[1]), "breslow")
    residuals = score_residuals(rows, point, event_means(rows, point, "breslow"))
    residuals = _without_noise(residuals, 1.0)
    added = residuals * rows.w[:, None]
    if risk.cluster is None:
        return added.sum(axis=0), (residuals * rows.w2[:, None]).T @ residuals
    unit: Any = pd.factorize(cells[risk.cluster])[0]
    count = int(unit.max()) + 1
    by_unit = _without_noise(summed(unit[rows.order], added, count), float(rows.w.max(initial=0.0)))
    return added.sum(axis=0), by_unit.T @ by_unit * (count / max(count - 1, 1))


def _without_noise(residuals: Floats, weight: float) -> Floats:
    """Take residuals that are rounding for 0: indicators are 0 and 1, so residuals are of the order of 1."""
    return np.where(np.abs(residuals) > 1e-12 * weight, residuals, 0.0)


def _codes(cells: pd.DataFrame, columns: Sequence[str]) -> Ints:
    key = np.zeros(len(cells), dtype=np.int64)
    for name in columns:
        codes, labels = code_column(cells[name])
        key = key * len(labels) + codes
    return np.unique(key, return_inverse=True)[1].astype(np.int64)
