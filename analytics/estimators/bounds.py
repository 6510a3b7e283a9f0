"""What deals that closed with an unrecorded outcome could change: bounds, never a silent default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from analytics.estimators.aalen_johansen import Rows
from analytics.estimators.counts import RiskTable, merged_outcomes
from analytics.estimators.incidence import Times, cumulative_incidence
from analytics.estimators.intervals import Floats, Interval
from analytics.estimators.result import Estimate
from analytics.records.errors import InputError


def incidence_bounds(
    risk: RiskTable,
    *,
    conf_level: float = 0.95,
    interval: Interval | None = None,
    times: Times = None,
    between: Sequence[str] | None = None,
) -> Estimate:
    """Between which values does each incidence lie, whatever the deals with an unrecorded outcome really were?

    Parameters
    ----------
    risk : RiskTable
        Counted with `unknown="bounds"`, so that "unknown" is one of its outcomes.
    conf_level, interval, times
        As for `cumulative_incidence`.
    between : sequence of str, optional
        The outcomes an unknown one could have been; by default all. The others are estimated as they are.

    Returns
    -------
    Estimate
        Kind incidence; keys `(*risk.by, "outcome", "time")`; `bound_low` (none of the unknown are this outcome),
        `bound_high` (all of them are), `estimate` (shared out in proportion to the outcomes known in the stratum),
        `conf_low` and `conf_high` (lower limit of the lower bound, upper limit of the upper). `std_error` is empty: the
        width of the bounds is no sampling error. `n_event`, `cum_event` count the known ones, `cum_unknown` the others.

    Raises
    ------
    InputError
        A table without the outcome "unknown", or `between` naming no outcome of the table.

    Notes
    -----
    Since the hazard of any outcome stays the same, the upper bound is F_k + F_unknown (Manski 2003, Partial
    Identification of Probability Distributions, ch. 2, applied to the cause). The limits cover the set that is not
    ruled out (Horowitz & Manski 2000, JASA 95:77). The proportional estimate holds only if the unknown end like the
    known.

    Examples
    --------
    >>> from analytics.estimators.counts import count_events
    >>> deals = pd.DataFrame({"entry": -1, "exit": [2, 2, 5, 5], "outcome": ["won", "lost", "unknown", "won"]})
    >>> frame = incidence_bounds(count_events(deals, unknown="bounds"), times=[5]).frame
    >>> frame.loc[frame["outcome"] == "won", ["bound_low", "estimate", "bound_high"]].round(3).values.tolist()
    [[0.5, 0.667, 0.75]]
    """
    if "unknown" not in risk.outcomes:
        raise InputError("no unknown outcomes were counted", action="Count the deals with unknown='bounds'")
    known = tuple(outcome for outcome in risk.outcomes if outcome != "unknown")
    shared = tuple(between) if between is not None else known
    if not shared or not set(shared) <= set(known):
        raise InputError("between= must name outcomes of the table", value=between, action=f"Choose from {known}")
    base = cumulative_incidence(risk, conf_level=conf_level, interval=interval, times=times)
    unknown = base.frame[base.frame["outcome"] == "unknown"].reset_index(drop=True)
    shares = _shares(risk, shared)
    parts = []
    for outcome in known:
        low = base.frame[base.frame["outcome"] == outcome].reset_index(drop=True)
        high, share = low, pd.Series(0.0, index=low.index)
        if outcome in shared:
            merged = merged_outcomes(risk, "unknown", outcome)
            whole = cumulative_incidence(merged, conf_level=conf_level, interval=interval, times=times).frame
            high = whole[whole["outcome"] == outcome].reset_index(drop=True)
            share = low[list(risk.by)].merge(shares, on=list(risk.by), how="left")[outcome] if risk.by else share
            share = share if risk.by else share + float(shares[outcome].iloc[0])
        middle = low["estimate"] + share.to_numpy() * unknown["estimate"]
        part = low.assign(
            estimate=middle, std_error=np.nan, conf_high=high["conf_high"], bound_low=low["estimate"],
            bound_high=np.maximum(high["estimate"], middle), cum_unknown=unknown["cum_event"],
        )  # fmt: skip
        empty = part["no_interval_reason"].to_numpy() == ""
        part["no_interval_reason"] = np.where(empty, high["no_interval_reason"], part["no_interval_reason"])
        parts.append(part)
    frame = pd.concat(parts, ignore_index=True)
    meta = replace(
        base.meta, estimand="share of deals with each outcome by each age, unrecorded outcomes shown as bounds",
    )  # fmt: skip
    return Estimate(frame, meta)


def _shares(risk: RiskTable, outcomes: tuple[str, ...]) -> pd.DataFrame:
    """Return the share of each outcome among those known in the stratum; of all strata, or equal, where none is."""
    places = [risk.outcomes.index(name) for name in outcomes]
    known = [(values, _known(rows, places)) for values, rows in risk.strata()]
    pooled = sum((w for _, w in known), start=np.zeros(len(places)))
    overall = pooled if pooled.sum() > 0 else np.ones(len(places))
    table = []
    for values, w in known:
        basis = w if w.sum() > 0 else overall
        table.append(values | dict(zip(outcomes, basis / basis.sum(), strict=True)))
    return pd.DataFrame(table, columns=[*risk.by, *outcomes])


def _known(rows: Rows, places: list[int]) -> Floats:
    return np.array([float(rows.w[rows.cause == place].sum()) for place in places])
