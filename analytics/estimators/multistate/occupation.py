"""State occupation: the share of deals in each stage or outcome by each day, with errors by deal or account."""

from __future__ import annotations

from typing import Any

import numpy as np

from analytics.estimators.incidence import Times, curves_frame
from analytics.estimators.intervals import Interval
from analytics.estimators.multistate.curves import Path, grid_of, path_tables
from analytics.estimators.multistate.influence import Initial, Walk, walk_of
from analytics.estimators.multistate.rows import Floats, Stages, Stays
from analytics.estimators.rates import df_of_sizes
from analytics.estimators.result import Estimate, Meta
from analytics.estimators.strata import ONE_ACCOUNT, VARIANCE_WORDS


def stage_occupation(
    stages: Stages,
    *,
    start: float = -1,
    initial: Initial = None,
    times: Times = None,
    conf_level: float = 0.95,
    interval: Interval | None = None,
) -> Estimate:
    """What share of deals is in each stage, or has ended each way, by each day after opening?

    Parameters
    ----------
    stages : Stages
        Stage rows, read by `read_stages` (strata, weights and accounts are named there).
    start : float
        Day after opening from whose end on deals are followed (-1: from the opening).
    initial : str or mapping of str to float, optional
        State, or shares of states, at the start. By default estimated from the deals watched just after the start; its
        error then counts too. A given state makes this a row of the transition probabilities, with robust errors.
    times : sequence of float, optional
        Days after opening; by default every day on which a stay ended.
    conf_level : float
        As for `cumulative_incidence`.
    interval : {"log-log", "log", "logit", "plain"}, optional
        Scale of the limits; by default log-log, and logit with accounts or weights.

    Returns
    -------
    Estimate
        Kind probability; keys `(*by, "state", "time")`: estimate, std_error, limits, `n_risk` (deals in the state just
        before `time`), `n_event` and `cum_event` (moves into it on that day, and since the start). The states of a
        stratum and day add to 1.

    Raises
    ------
    InputError
        Nobody is watched just after the start, an unknown state, shares that do not add to 1, negative times.

    Notes
    -----
    p(start) times the product of I + dA. It needs no Markov assumption where deals are censored for reasons unrelated
    to their way through the stages (Datta & Satten 2001, Stat Prob Lett 55:403); where deals enter late it needs it.
    Infinitesimal jackknife over deals, or over C accounts times C/(C-1) (R's survfit has no such factor).
    With accounts, or deals that weigh differently, the limits use t with as many degrees of freedom as these are worth
    (`account_df`) on the logit scale, where few of them err to both sides alike (held by simulation).

    Examples
    --------
    >>> import pandas as pd
    >>> from analytics.estimators.multistate.rows import read_stages
    >>> rows = pd.DataFrame({"deal_id": [1, 1, 2, 3], "entry": [-1, 4, -1, -1], "exit": [4, 9, 7, 9],
    ...                      "from": ["a", "b", "a", "a"], "to": ["b", "won", "won", None]})
    >>> stage_occupation(read_stages(rows), times=[5]).frame[["state", "estimate"]].round(3).values.tolist()
    [['a', 0.667], ['b', 0.333], ['won', 0.0]]
    """
    tables: list[Any] = []
    notes = [] if stages.parts else ["There are no deals."]
    for values, stays in stages.parts:
        walk = walk_of(stays, stages.states, start, initial)
        reason = ONE_ACCOUNT if stages.cluster and units_of(walk.stays) == 1 else ""
        most = units_of(walk.stays) if stages.cluster else np.inf
        share, variance = _followed(walk, stages.cluster is not None)
        path = Path(values, start, share, variance, reason, most, account_df(walk.stays, stages.cluster))
        grid = grid_of(path, walk.process, times, notes)
        tables += path_tables(path, walk.stays, walk.process, stages.states, grid)
    meta = Meta(
        kind="probability", estimand="share of deals in each stage, or ended each way, by each day after opening",
        keys=(*stages.by, "state", "time"), conf_level=conf_level, note=" ".join(notes),
        interval=interval or ("log-log" if _alike(stages) else "logit"), **facts_of(stages),
    )  # fmt: skip
    return Estimate(curves_frame(tables, meta), meta)


def _followed(walk: Walk, clustered: bool) -> tuple[Floats, Floats]:
    """Return shares and variances, `(T + 1, S)`."""
    size = len(walk.start.share)
    share, variance = (np.zeros((len(walk.process.time) + 1, size)) for _ in range(2))
    share[0], variance[0] = walk.start.share, (walk.start.influence**2).sum(axis=1)
    for moment in walk.moments():
        share[moment.index + 1] = moment.share
        variance[moment.index + 1] = np.einsum("su,su->s", moment.influence, moment.influence)
    return share, variance * (few_factor(walk.stays) if clustered else 1.0)


def units_of(stays: Stays) -> int:
    """Return how many deals (or accounts) are there."""
    return len(np.unique(stays.unit))


def account_df(stays: Stays, cluster: str | None) -> float:
    """Return the degrees of freedom of a variance between accounts, or between deals that weigh differently.

    By the days watched, with their weights; without accounts the variance that is a deal's goes by its squared weight
    (Satterthwaite). Infinite where all deals weigh the same.
    """
    if cluster is None:
        square = stays.w**2 * (stays.leave - stays.entry)
        return float("inf") if even(stays) else df_of_sizes(np.bincount(stays.unit, square))
    return df_of_sizes(np.bincount(stays.unit, weights=stays.w * (stays.leave - stays.entry)))


def even(stays: Stays) -> bool:
    """Return whether all deals have one and the same weight, whatever its scale."""
    return not len(stays.w) or bool(np.allclose(stays.w, stays.w[0], rtol=1e-12))


def _alike(stages: Stages) -> bool:
    return stages.cluster is None and all(even(stays) for _, stays in stages.parts)


def few_factor(stays: Stays) -> float:
    """Return C/(C-1) for C accounts; NaN where one account leaves nothing to compare."""
    accounts = units_of(stays)
    return accounts / (accounts - 1) if accounts > 1 else float("nan")


def facts_of(stages: Stages) -> dict[str, Any]:
    """Return the facts of a result by the jackknife: sizes, variance and cluster."""
    return {
        "n_deals": stages.n_deals, "n_accounts": stages.n_accounts, "cluster": stages.cluster,
        "variance": VARIANCE_WORDS["clustered" if stages.cluster else "infinitesimal_jackknife"],
    }  # fmt: skip
