"""How many days a deal spends in each stage up to a horizon, and how often it comes to each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Literal

import numpy as np
import pandas as pd

from analytics.estimators.intervals import probability_interval, t_value
from analytics.estimators.multistate.influence import Initial, Walk, walk_of
from analytics.estimators.multistate.occupation import account_df, facts_of, few_factor, units_of
from analytics.estimators.multistate.process import backing, products
from analytics.estimators.multistate.rows import Floats, Stages
from analytics.estimators.result import Estimate, Meta
from analytics.estimators.strata import ONE_ACCOUNT, eased_df, stratum_name
from analytics.records.errors import InputError

Beyond = Literal["leave_out", "carry"]
SAME = "the deals (or accounts) do not differ, so their variance says nothing"


def mean_stage_days(
    stages: Stages,
    *,
    horizon_days: float,
    start: float = -1,
    initial: Initial = None,
    conf_level: float = 0.95,
    beyond_follow_up: Beyond = "leave_out",
) -> Estimate:
    """Of the days up to a horizon, how many does a deal spend in each stage, and how many won or lost?

    Parameters
    ----------
    stages, start, initial
        As for `stage_occupation`.
    horizon_days : float
        Day after opening at which the count ends.
    conf_level : float
        Two-sided level; the share of the window is taken as normal on the logit scale (`probability_interval`), as
        `restricted_mean_time_lost` has it, with quantiles of t with accounts or unequal weights (`account_df`).
    beyond_follow_up : {"leave_out", "carry"}
        A stratum whose last deal is open before the horizon is left out with a note; "carry" keeps its shares as they
        are at the end of follow-up, as R does.

    Returns
    -------
    Estimate
        Kind mean, unit days; keys `(*by, "state")`; rows of a stratum add to `horizon_days` minus the start. `n_event`
        counts moves into the state.

    Raises
    ------
    InputError
        A horizon that is not after the start, and as for `stage_occupation`.

    Notes
    -----
    Integral of the state occupation (expected length of stay; Beyersmann & Putter 2014, Biom J 56:117); the stage of
    day d counts from d on. Where nobody came to a state, the upper limit is the window times the limit of the share
    there.

    Examples
    --------
    >>> from analytics.estimators.multistate.rows import read_stages
    >>> rows = pd.DataFrame({"deal_id": [1, 1, 2], "entry": [-1, 4, -1], "exit": [4, 9, 6],
    ...                      "from": ["a", "b", "a"], "to": ["b", "won", "won"]})
    >>> mean_stage_days(read_stages(rows), horizon_days=9).frame[["state", "estimate"]].values.tolist()
    [['a', 5.0], ['b', 2.5], ['won', 1.5]]
    """
    begin = max(start, 0.0)
    window = _window(horizon_days, begin)

    def stratum(walk: Walk) -> tuple[Floats, Floats]:
        return _integrals(walk, begin, horizon_days)

    rows, notes = _strata(stages, (horizon_days, start, initial, beyond_follow_up), stratum)
    meta = Meta(
        kind="mean", estimand=f"mean number of days between day {begin:g} and day {horizon_days:g} spent in each state",
        keys=(*stages.by, "state"), conf_level=conf_level, interval="logit of the share of the window", unit="days",
        note=" ".join(notes), **facts_of(stages),
    )  # fmt: skip
    return _estimate(rows, meta, window)


def expected_visits(
    stages: Stages,
    *,
    horizon_days: float,
    start: float = -1,
    initial: Initial = None,
    conf_level: float = 0.95,
    beyond_follow_up: Beyond = "leave_out",
) -> Estimate:
    """How often does a deal come to each stage up to a horizon, the one in which it starts not counted?

    Parameters
    ----------
    stages, horizon_days, start, initial, conf_level, beyond_follow_up
        As for `mean_stage_days`.

    Returns
    -------
    Estimate
        Kind mean, unit visits; keys `(*by, "state")`. For an outcome it is the share of deals that had it by then.
        Where nobody came, the upper limit is that of the share of deals that come at all.

    Raises
    ------
    InputError
        As `mean_stage_days`.

    Notes
    -----
    Sum over days of p_h(t-) dA_hj(t) over all stages h: the mean of the counting process of arrivals, which like state
    occupation needs no Markov assumption where censoring is unrelated to a deal's way (Cook & Lawless 2018, ch. 2).
    Limits on the log scale (estimate times or divided by exp(z se / estimate), of t with accounts or unequal weights),
    which is usual for means of counts (Lawless & Nadeau 1995, Technometrics 37:158). Without accounts the moves of
    heavy deals are corrected for their leverage (`Walk.moments`).

    Examples
    --------
    >>> from analytics.estimators.multistate.rows import read_stages
    >>> rows = pd.DataFrame({"deal_id": [1, 1, 1, 2], "entry": [-1, 4, 6, -1], "exit": [4, 6, 9, 6],
    ...                      "from": ["a", "b", "a", "a"], "to": ["b", "a", "b", "won"]})
    >>> expected_visits(read_stages(rows), horizon_days=9).frame[["state", "estimate"]].values.tolist()
    [['a', 0.5], ['b', 1.0], ['won', 0.5]]
    """
    _window(horizon_days, max(start, 0.0))

    def stratum(walk: Walk) -> tuple[Floats, Floats]:
        size = walk.start.influence.shape
        count, influence = np.zeros(size[0]), np.zeros(size)
        # the walk goes on in the same arrays, so it must not be asked for a day after the horizon
        for moment in islice(walk.moments(visits=True, heavy=not stages.cluster), _days_upto(walk, horizon_days)):
            count, influence = moment.visits, moment.visits_influence
        return count, influence

    rows, notes = _strata(stages, (horizon_days, start, initial, beyond_follow_up), stratum)
    meta = Meta(
        kind="mean", estimand=f"mean number of times that a deal came to each state up to day {horizon_days:g}",
        keys=(*stages.by, "state"), conf_level=conf_level, interval="log", unit="visits", note=" ".join(notes),
        **facts_of(stages),
    )  # fmt: skip
    return _estimate(rows, meta, None)


def _window(horizon: float, begin: float) -> float:
    if not (np.isfinite(horizon) and horizon > begin):
        raise InputError("horizon_days must lie after the start", value=horizon)
    return float(horizon - begin)


def _days_upto(walk: Walk, horizon: float) -> int:
    return int(np.searchsorted(walk.process.time, horizon, side="right"))


def _integrals(walk: Walk, begin: float, horizon: float) -> tuple[Floats, Floats]:
    time = np.asarray(walk.process.time, dtype=float)
    edges = np.clip(np.concatenate(([begin], time, [np.inf])), begin, horizon)
    days = np.diff(edges)
    total, influence = walk.start.share * days[0], walk.start.influence * days[0]
    for moment in walk.moments():
        if time[moment.index] >= horizon:
            break
        total = total + moment.share * days[moment.index + 1]
        influence += moment.influence * days[moment.index + 1]
    return total, influence


Answer = Callable[[Walk], tuple[Floats, Floats]]
Asked = tuple[float, float, Initial, Beyond]


def _strata(stages: Stages, asked: Asked, answer: Answer) -> tuple[list[dict[str, Any]], list[str]]:
    rows: list[dict[str, Any]] = []
    notes = [] if stages.parts else ["There are no deals."]
    horizon, start, initial, beyond = asked
    for values, stays in stages.parts:
        walk = walk_of(stays, stages.states, start, initial)
        path = products(walk.process, walk.start.share)
        end = float(walk.process.time[-1]) if len(walk.process.time) else start
        if end < horizon and (path[-1] * walk.process.left).sum() > 1e-12:
            notes.append(f"{stratum_name(values)}: no deal is followed beyond day {end:g}.")
            if beyond == "leave_out":
                continue
        mean, influence = answer(walk)
        clustered = stages.cluster is not None
        variance = (influence**2).sum(axis=1) * (few_factor(walk.stays) if clustered else 1.0)
        most = float(units_of(walk.stays)) if clustered else np.inf
        n_eff = min(float(backing(walk.stays, walk.process, path, np.array([horizon]))[0]), most)
        moves = walk.process.n_moves[: _days_upto(walk, horizon)].sum(axis=0)
        df = eased_df(account_df(walk.stays, stages.cluster), moves.sum(axis=0) + moves.sum(axis=1))
        rows += list(_rows(stages, values, (mean, variance, n_eff, df), moves.sum(axis=0)))
    return rows, notes


def _rows(stages: Stages, values: dict[str, Any], found: Any, counts: Any) -> Iterator[dict[str, Any]]:
    mean, variance, n_eff, df = found
    for k, state in enumerate(stages.states):
        yield {**values, "state": state, "estimate": mean[k], "variance": variance[k], "n_eff": n_eff,
               "df": df[k], "n_event": int(counts[k]), "cum_event": int(counts[k])}  # fmt: skip


def _estimate(rows: list[dict[str, Any]], meta: Meta, window: float | None) -> Estimate:
    """Add limits: by the logit of the share of the window, or log; at 0 (or the whole window) those of a share."""
    names = [*meta.keys, "estimate", "std_error", "conf_low", "conf_high", "n_event", "cum_event", "no_interval_reason"]
    if not rows:
        return Estimate(pd.DataFrame(columns=names), meta)
    frame = pd.DataFrame(rows)
    whole = np.inf if window is None else window
    value, n_eff = frame["estimate"].to_numpy(), np.maximum(frame["n_eff"].to_numpy(), 1e-12)
    value = np.where(value < 1e-12, 0.0, np.where(value > whole * (1 - 1e-12), whole, value))
    error = np.sqrt(frame["variance"].to_numpy())
    unknown = np.isnan(error)
    error = np.where((value == 0) | (value == whole) | (error < 1e-11 * np.maximum(value, 1.0)), 0.0, error)
    inside = (value > 0) & (value < whole)
    bad = inside & ((error == 0) | unknown)
    n_eff = np.where(np.isinf(n_eff), 1e-12, n_eff)
    low, high = _limits(value, np.where(bad, 0.0, error), (n_eff, frame["df"].to_numpy()), (meta.conf_level, window))
    reason = np.where(bad, np.where(unknown, ONE_ACCOUNT, SAME), "")
    low, high = (np.where(bad, np.nan, limit) for limit in (low, high))
    error = np.where(inside & unknown, np.nan, error)
    return Estimate(
        frame.assign(estimate=value, std_error=error, conf_low=low, conf_high=high, no_interval_reason=reason)[names],
        meta,
    )


def _limits(
    value: Floats, error: Floats, behind: tuple[Floats, Floats], how: tuple[float, float | None]
) -> tuple[Floats, Floats]:
    (n_eff, df), (conf_level, window) = behind, how
    if window is not None:
        low, high = probability_interval(
            value / window, error / window, n_eff, conf_level=conf_level, interval="logit", df=df
        )
        # an estimate at either end is its own limit, whatever the rounding of the division
        return np.minimum(low * window, value), np.maximum(high * window, value)
    seen = value > 0
    factor = np.exp(np.minimum(t_value(conf_level, df) * error / np.where(seen, value, 1.0), 50.0))
    nobody = 1 - ((1 - conf_level) / 2) ** (1 / n_eff)
    return value / factor, np.where(seen, value * factor, nobody)
