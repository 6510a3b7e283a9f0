"""Cumulative incidence, survival and conditional incidence from a RiskTable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.counts import RiskTable
from analytics.estimators.intervals import Floats, Interval, probability_interval
from analytics.estimators.result import Estimate, Meta
from analytics.estimators.strata import (
    VARIANCE_WORDS,
    Stratum,
    Variance,
    choose_variance,
    eased_df,
    open_strata,
    stratum_name,
    unseen_share,
)
from analytics.records.errors import InputError

Times = Sequence[float] | Floats | None
HEAVY = "upper limit with one more heavy deal"
NO_DIFFERENCE = "the accounts do not differ, so their variance says nothing"


def cumulative_incidence(
    risk: RiskTable,
    *,
    conf_level: float = 0.95,
    interval: Interval | None = None,
    variance: Variance | None = None,
    times: Times = None,
) -> Estimate:
    """What share of deals has been won, lost or ended in no decision by each age, the others taking them out of reach?

    Parameters
    ----------
    risk : RiskTable
        Counted deals.
    conf_level : float
        Two-sided level of the pointwise intervals.
    interval : {"log-log", "log", "logit", "plain"}, optional
        Scale of the intervals; see `probability_interval`. By default log-log, and where weights differ the upper limit
        of an incidence allows for one more heavy deal (`unseen_weight`); a scale asked for by name is that scale alone.
    variance : {"greenwood", "infinitesimal_jackknife"}, optional
        By default the jackknife where the table has weights or accounts (it is then robust to both), Greenwood
        otherwise. Where no deal enters late and none is weighted the two agree; under delayed entry they differ
        slightly.
    times : sequence of float, optional
        Days after opening at which the curve is wanted; by default every day on which a deal left. A day on which
        nobody had been watched yet, or beyond follow-up with deals still open, has no row, and `meta.note` says so.

    Returns
    -------
    Estimate
        Kind incidence; keys `(*risk.by, "outcome", "time")`; estimate, std_error, conf_low, conf_high (probabilities),
        n_risk, n_event, cum_event (deals, unweighted), no_interval_reason.

    Raises
    ------
    InputError
        Unknown interval or variance, a level outside (0, 1), negative times.

    Notes
    -----
    Aalen-Johansen: F_k(t) = sum of S(u-) d_k(u) / n(u); Aalen & Johansen (1978), Scand J Stat 5:141. It assumes that
    open deals are censored, and late entrants enter, for reasons unrelated to how they will end, given the stratum;
    deals that a rule closes, or losses recorded late, break that. Greenwood: Allignol et al. (2010), Biom J 52:126, eq.
    5. Clustered jackknife: sum over the C accounts of squared influences times C/(C-1); R's survfit(cluster=) lacks
    that factor. Its limits use t with as many degrees of freedom as accounts are worth (`account_df`). At 0 and at 1
    see `probability_interval`; the effective number of deals is the least, up to t, of
    n(u) / S(u-) (Kish's number with weights), and never more than the accounts seen by t.

    Examples
    --------
    >>> from analytics.estimators.counts import count_events
    >>> deals = pd.DataFrame({"entry": -1, "exit": [3, 9, 9, 12], "outcome": ["won", "lost", "open", "won"]})
    >>> cumulative_incidence(count_events(deals), times=[9]).frame[["outcome", "estimate"]].round(3).to_dict("list")
    {'outcome': ['won', 'lost', 'no_decision'], 'estimate': [0.25, 0.25, 0.0]}
    """
    method = choose_variance(risk, variance)
    strata, notes = open_strata(risk, method)
    tables = []
    for stratum in strata:
        grid = _grid(stratum, times, notes)
        backing = stratum.n_risk_at(grid), stratum.n_eff_at(grid)
        for k, outcome in enumerate(risk.outcomes):
            tables.append({**stratum.values, "outcome": outcome, **_curve_at(stratum, grid, backing, k)})
    meta = Meta(
        kind="incidence",
        estimand="share of deals with each outcome by each age, in the presence of the other outcomes (Aalen-Johansen)",
        keys=(*risk.by, "outcome", "time"), n_deals=risk.n_deals, n_accounts=risk.n_accounts, conf_level=conf_level,
        interval=_named(interval, risk), variance=VARIANCE_WORDS[method],
        cluster=risk.cluster if method == "clustered" else None, note=" ".join(notes),
    )  # fmt: skip
    return Estimate(curves_frame(tables, meta), meta)


def survival(
    risk: RiskTable,
    *,
    conf_level: float = 0.95,
    interval: Interval | None = None,
    variance: Variance | None = None,
    times: Times = None,
) -> Estimate:
    """What share of deals is still open after each age (Kaplan-Meier of any outcome)?

    Parameters
    ----------
    risk, conf_level, interval, variance, times
        As for `cumulative_incidence`.

    Returns
    -------
    Estimate
        Kind survival; keys `(*risk.by, "time")`; `n_event` and `cum_event` count every terminal outcome.

    Raises
    ------
    InputError
        As for `cumulative_incidence`.

    Notes
    -----
    Kaplan & Meier (1958), JASA 53:457; variance Greenwood (1926) or the infinitesimal jackknife. It is 1 minus the sum
    of all incidences. One minus this curve is the incidence of an outcome only where that is the sole outcome. Assumes
    what `cumulative_incidence` does.

    Examples
    --------
    >>> from analytics.estimators.counts import count_events
    >>> deals = pd.DataFrame({"entry": -1, "exit": [3, 9, 9, 12], "outcome": ["won", "lost", "open", "won"]})
    >>> survival(count_events(deals)).frame["estimate"].tolist()
    [0.75, 0.5, 0.0]
    """
    method = choose_variance(risk, variance)
    strata, notes = open_strata(risk, method)
    tables = []
    for stratum in strata:
        grid = _grid(stratum, times, notes)
        backing = stratum.n_risk_at(grid), stratum.n_eff_at(grid)
        tables.append({**stratum.values, **_curve_at(stratum, grid, backing, None)})
    meta = Meta(
        kind="survival", estimand="share of deals still open after each age (Kaplan-Meier)", keys=(*risk.by, "time"),
        n_deals=risk.n_deals, n_accounts=risk.n_accounts, conf_level=conf_level,
        interval=interval or "log-log", variance=VARIANCE_WORDS[method],
        cluster=risk.cluster if method == "clustered" else None, note=" ".join(notes),
    )  # fmt: skip
    return Estimate(curves_frame(tables, meta), meta)


def conditional_incidence(
    risk: RiskTable,
    *,
    at_age: float,
    conf_level: float = 0.95,
    interval: Interval | None = None,
    variance: Variance | None = None,
    times: Times = None,
) -> Estimate:
    """Of deals still open at this age, what share will be won, lost or undecided by each later age?

    Parameters
    ----------
    risk : RiskTable
        Counted deals.
    at_age : float
        Days after opening; outcomes on that very day still count (it conditions on being open just before it).
    conf_level, interval, variance, times
        As for `cumulative_incidence`; times are ages, not days since `at_age`.

    Returns
    -------
    Estimate
        Kind incidence; keys `(*risk.by, "outcome", "time")`. A stratum without a deal at risk from `at_age` on has no
        rows; `meta.note` names it.

    Raises
    ------
    InputError
        As for `cumulative_incidence`, and a negative age.

    Notes
    -----
    {F_k(t) - F_k(s-)} / S(s-), the Aalen-Johansen estimate restarted at s, with its variance (R: `start.time=s`); Aalen
    & Johansen (1978), Scand J Stat 5:141. The same assumptions; besides, deals that enter late are taken to behave as
    those watched from their opening.

    Examples
    --------
    >>> from analytics.estimators.counts import count_events
    >>> deals = pd.DataFrame({"entry": -1, "exit": [3, 9, 9, 12], "outcome": ["won", "lost", "open", "won"]})
    >>> conditional_incidence(count_events(deals), at_age=4, times=[12]).frame["estimate"].round(3).tolist()
    [0.667, 0.333, 0.0]
    """
    if not at_age >= 0:
        raise InputError("at_age must be zero or more days after opening", value=at_age)
    result = cumulative_incidence(
        restarted(risk, at_age), conf_level=conf_level, interval=interval, variance=variance,
        times=None if times is None else [t for t in np.asarray(times, dtype=float) if t >= at_age],
    )  # fmt: skip
    kept = {tuple(values.values()) for values, rows in risk.strata() if (rows.leave >= at_age).any()}
    gone = [values for values, _ in risk.strata() if tuple(values.values()) not in kept]
    note = [result.meta.note] if result.meta.note else []
    note += [f"{stratum_name(values)}: no deal is followed to day {at_age:g}." for values in gone]
    if times is not None and (np.asarray(times, dtype=float) < at_age).any():
        note.append(f"Ages below {at_age:g} days are left out.")
    estimand = f"of deals open at day {at_age:g}, the share with each outcome by each later age"
    return result.stamped(estimand=estimand, note=" ".join(note), n_deals=risk.n_deals, n_accounts=risk.n_accounts)


def restarted(risk: RiskTable, at_age: float) -> RiskTable:
    """Return the table of the deals that are at risk at `at_age` or later, watched from then on."""
    cells = risk.cells[risk.cells["exit"] >= at_age]
    whole = cells["entry"].dtype.kind in "iu"
    just_before: Any = int(np.ceil(at_age)) - 1 if whole else np.nextafter(at_age, -np.inf)
    cells = cells.assign(entry=np.maximum(cells["entry"].to_numpy(), just_before)).reset_index(drop=True)
    accounts = int(cells[risk.cluster].nunique()) if risk.cluster else None
    return replace(risk, cells=cells, n_deals=int(cells["n"].sum()), n_accounts=accounts)


def _named(interval: Interval | None, risk: RiskTable) -> str:
    """Return the scale, and by default what is allowed for where deals weigh differently."""
    if interval is None:
        return f"log-log, {HEAVY}" if risk.weighted else "log-log"
    return interval


def _grid(stratum: Stratum, times: Times, notes: list[str]) -> Floats:
    """Return the requested times at which the stratum's curve is known, and note the others."""
    curve = stratum.curve
    if times is None:
        return np.asarray(curve.time)
    asked = np.unique(np.asarray(times, dtype=float))
    if len(asked) and not (np.isfinite(asked).all() and asked[0] >= 0):
        raise InputError("times must be zero or more days after opening", value=asked[:3].tolist())
    early = asked <= stratum.watched_after
    late = (asked > curve.time[-1]) & (curve.survival[-1] > 0)
    if early.any():
        notes.append(f"{stratum_name(stratum.values)}: no deal is watched up to day {stratum.watched_after:g}.")
    if late.any():
        notes.append(f"{stratum_name(stratum.values)}: no deal is followed beyond day {curve.time[-1]:g}.")
    return np.asarray(asked[~early & ~late])


def _curve_at(stratum: Stratum, grid: Floats, backing: tuple[Any, Floats], k: int | None) -> dict[str, Any]:
    """Return the columns of one curve (cause `k`, or survival) on the grid, from the step at or before each time."""
    curve = stratum.curve
    place = np.searchsorted(curve.time, grid, side="right")
    step = np.maximum(place - 1, 0)
    events = curve.n_event.sum(axis=1) if k is None else curve.n_event[:, k]
    value, start = (curve.survival, 1.0) if k is None else (curve.incidence[:, k], 0.0)
    on_step = (place > 0) & (curve.time[step] == grid)
    cum_event = np.where(place > 0, np.cumsum(events)[step], 0)
    return {
        "time": grid,
        "estimate": np.where(place > 0, value[step], start),
        "variance": np.where(place > 0, stratum.variance[step, -1 if k is None else k], 0.0),
        "n_risk": backing[0],
        "n_event": np.where(on_step, events[step], 0),
        "cum_event": cum_event,
        "n_eff": backing[1],
        "reason": stratum.reason,
        "df": eased_df(stratum.df, cum_event),
        "unseen": unseen_share(stratum.unseen, cum_event)
        * np.where(curve.w_risk > 0, curve.before / np.maximum(curve.w_risk, 1e-300), 0.0)[step]
        * (k is not None),
    }


def curves_frame(tables: list[dict[str, Any]], meta: Meta) -> pd.DataFrame:
    """Put the curves of all strata in one frame and add their limits.

    A table holds key values, `time`, `estimate`, `variance`, `n_risk`, `n_event`, `cum_event`, `n_eff` and `reason`,
    and may hold `df` and `unseen` (what one more heavy deal would add).
    """
    names = [*meta.keys, "estimate", "std_error", "conf_low", "conf_high", "n_risk", "n_event", "cum_event"]
    names.append("no_interval_reason")
    if not tables:
        return pd.DataFrame({name: pd.Series(dtype=float if name not in meta.keys else object) for name in names})
    lengths = [len(table["time"]) for table in tables]
    column: dict[str, Any] = {}
    for name, first in tables[0].items():
        if isinstance(first, np.ndarray):
            column[name] = np.concatenate([table[name] for table in tables])
        else:
            column[name] = pd.Series([table[name] for table in tables]).repeat(lengths).to_numpy()
    # a weighted sum may miss 0 and 1 by rounding, and a variance of nothing may come out as 1e-20
    estimate, n_eff, variance = column["estimate"], column["n_eff"], column["variance"]
    estimate = np.where(estimate > 1 - 1e-12, 1.0, np.where(estimate < 1e-15, 0.0, estimate))
    inside = (estimate > 0) & (estimate < 1)
    nothing = variance <= 1e-11 * estimate * (1 - estimate) / np.maximum(n_eff, 1.0)
    std_error = np.sqrt(np.where(inside & ~nothing, variance, 0.0))
    scale, _, allowance = meta.interval.partition(", ")
    how: Any = {"conf_level": meta.conf_level, "interval": scale, "df": column.get("df")}
    low, high = probability_interval(estimate, std_error, n_eff, **how)
    if allowance:
        more = column["unseen"] * inside
        with_more = np.minimum(estimate + more, 1.0), np.sqrt(std_error**2 + more**2)
        high = np.where(more > 0, np.maximum(high, probability_interval(*with_more, n_eff, **how)[1]), high)
    alone = inside & (column["reason"] != "")
    column |= {name: np.where(alone, np.nan, array) for name, array in
               (("std_error", std_error), ("conf_low", low), ("conf_high", high))}  # fmt: skip
    reason = np.where(alone, column["reason"], np.where(np.isnan(low), NO_DIFFERENCE, ""))
    return pd.DataFrame(column | {"estimate": estimate, "no_interval_reason": reason.astype(object)})[names]
