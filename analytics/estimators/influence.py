"""Joint influence of accounts on many incidences, for differences between strata or periods that share accounts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.counts import RiskTable
from analytics.estimators.incidence import Times, cumulative_incidence
from analytics.estimators.intervals import Floats, Interval
from analytics.estimators.jackknife import changes_of, influence_at
from analytics.estimators.result import Estimate, Meta
from analytics.estimators.strata import few_units_factor, open_strata
from analytics.records.errors import InputError


@dataclass(frozen=True, eq=False)
class Influence:
    """What each account adds to the error of each incidence.

    Attributes
    ----------
    estimate : Estimate
        The incidences; row i of its frame belongs to column i of `values`.
    units : pandas.Index
        Accounts; without accounts, numbers of cells, which no other table shares.
    values : array (units, rows)
        Influence of each unit on each estimate, scaled so that `values.T @ values` is their covariance.
    df : array (rows,), optional
        Degrees of freedom of each variance (`account_df`); None stands for a normal distribution.
    """

    estimate: Estimate
    units: pd.Index[Any]
    values: Floats
    df: Floats | None = None

    def covariance(self) -> Floats:
        """Return the covariance matrix of the estimates, shared accounts included."""
        return np.asarray(self.values.T @ self.values)

    def select(self, **keys: object) -> Influence:
        """Return the rows with these key values, without those key columns, ready for `difference`.

        Raises
        ------
        InputError
            No row has these values, or they name no key.
        """
        meta = self.estimate.meta
        if not set(keys) <= set(meta.keys):
            raise InputError(f"the influence has the keys {meta.keys}", value=tuple(keys))
        frame = self.estimate.frame
        mask = np.ones(len(frame), dtype=bool)
        for name, value in keys.items():
            mask &= (frame[name] == value).to_numpy(dtype=bool)
        if not mask.any():
            raise InputError("no incidence has these keys", value=keys)
        left = tuple(name for name in meta.keys if name not in keys)
        kept = Estimate(frame[mask].drop(columns=list(keys)), replace(meta, keys=left))
        return Influence(kept, self.units, self.values[:, mask], None if self.df is None else self.df[mask])


def influence(
    risk: RiskTable, *, times: Times, conf_level: float = 0.95, interval: Interval | None = None
) -> Influence:
    """How much does each account move each incidence, over all strata at once?

    Parameters
    ----------
    risk : RiskTable
        Counted with `cluster=` where deals belong to accounts; the same account may be in several strata.
    times : sequence of float
        Days after opening.
    conf_level, interval
        As for `cumulative_incidence`.

    Returns
    -------
    Influence
        Its estimate equals `cumulative_incidence(risk, times=times, variance="infinitesimal_jackknife")`, and the
        square root of the diagonal of its covariance equals its standard errors.

    Raises
    ------
    InputError
        As for `cumulative_incidence`.

    Notes
    -----
    Each account's value is carried with the factor sqrt(C/(C-1)) of its stratum. Memory is accounts x rows.
    Infinitesimal jackknife (Efron 1982, ch. 6), with the assumptions of `cumulative_incidence`; accounts are taken as
    independent.

    Examples
    --------
    >>> from analytics.estimators.counts import count_events
    >>> deals = pd.DataFrame({"entry": -1, "exit": [3, 9, 9, 12], "outcome": ["won", "lost", "open", "won"],
    ...                       "account_id": ["a", "b", "b", "c"]})
    >>> joint = influence(count_events(deals, cluster="account_id"), times=[9])
    >>> joint.values.shape
    (3, 3)
    """
    estimate = cumulative_incidence(
        risk, conf_level=conf_level, interval=interval, variance="infinitesimal_jackknife", times=times
    )
    frame = estimate.frame
    if risk.cluster:
        codes, units = pd.factorize(risk.cells[risk.cluster])
    else:
        codes, units = np.arange(len(risk.cells)), pd.RangeIndex(len(risk.cells))
    values = np.zeros((len(units), len(frame)))
    strata, _ = open_strata(risk, "greenwood")
    start = row = 0
    for stratum, (_, cells) in zip(strata, risk.strata(), strict=True):
        changes = changes_of(stratum.curve, cells)
        own = codes[start : start + len(cells.n)]
        start += len(cells.n)
        place = pd.unique(own)  # factorize numbers the accounts of a stratum in the order in which they come
        factor = np.sqrt(few_units_factor(cells))
        grid = _stratum_times(frame, row, len(risk.outcomes), stratum.values)
        for j, time in enumerate(grid):
            index = int(np.searchsorted(stratum.curve.time, time, side="right")) - 1
            if index < 0:
                continue
            moved = influence_at(changes, index)[:, :-1] * np.sqrt(changes.multiplicity)[:, None] * factor
            values[np.ix_(place, row + j + len(grid) * np.arange(len(risk.outcomes)))] = moved
        row += len(grid) * len(risk.outcomes)
    return Influence(estimate, pd.Index(units), values)


def _stratum_times(frame: pd.DataFrame, row: int, outcomes: int, values: dict[str, Any]) -> list[float]:
    """Return the times that the estimate has for the stratum whose rows begin at `row` (outcome by outcome)."""
    rows = frame.iloc[row:]
    if values:
        same = np.ones(len(rows), dtype=bool)
        for name, value in values.items():
            same &= (rows[name] == value).to_numpy(dtype=bool)
        rows = rows[same]
    return rows["time"].iloc[: len(rows) // outcomes].tolist()


def difference(now: Influence, then: Influence) -> Estimate:
    """By how much do two sets of incidences differ, given the accounts that are in both?

    Parameters
    ----------
    now, then : Influence
        With the same keys (`select` drops the key along which they differ). Rows without a partner are left out, and
        the note says how many.

    Returns
    -------
    Estimate
        Kind contrast; the shared keys; estimate = now - then, std_error, limits, `estimate_now`, `estimate_then`,
        `n_risk` (now), `n_risk_then`, `cum_event` (now), `cum_event_then`, `shared_accounts`.

    Raises
    ------
    InputError
        Different keys or confidence levels.

    Notes
    -----
    Assumes independent accounts. Variance: sum over accounts of (U_now - U_then)^2. Limits: MOVER with the correlation
    of the two, from the limits of each side (Zou & Donner 2008, Stat Med 27:1693, eq. 12), so that they stay in [-1, 1]
    and hold where a side is 0.

    Examples
    --------
    >>> from analytics.estimators.counts import count_events
    >>> deals = pd.DataFrame({"entry": -1, "exit": [3, 9, 9, 12], "outcome": ["won", "lost", "open", "won"],
    ...                       "account_id": ["a", "b", "b", "c"], "quarter": ["Q1", "Q1", "Q2", "Q2"]})
    >>> joint = influence(count_events(deals, by="quarter", cluster="account_id"), times=[9])
    >>> change = difference(joint.select(quarter="Q2"), joint.select(quarter="Q1"))
    >>> change.at(outcome="won")["estimate"].tolist()
    [-0.5]
    """
    meta = now.estimate.meta
    if meta.keys != then.estimate.meta.keys or meta.conf_level != then.estimate.meta.conf_level:
        raise InputError("the two sides have different keys or confidence levels",
                         value=(meta.keys, then.estimate.meta.keys))  # fmt: skip
    left = now.estimate.frame.assign(_now=np.arange(len(now.estimate.frame)))
    right = then.estimate.frame.assign(_then=np.arange(len(then.estimate.frame)))
    both = left.merge(right, on=list(meta.keys), suffixes=("", "_then"))
    a = now.values[:, both["_now"].to_numpy()]
    b = then.values[:, both["_then"].to_numpy()]
    shared = _shared(now, then)
    cross = (a[now.units.get_indexer(shared)] * b[then.units.get_indexer(shared)]).sum(axis=0)
    frame = both[list(meta.keys)].assign(**_mover(both, (a * a).sum(axis=0), (b * b).sum(axis=0), cross))
    frame = frame.assign(
        estimate_now=both["estimate"], estimate_then=both["estimate_then"], n_risk=both["n_risk"],
        n_risk_then=both["n_risk_then"], n_event=both["n_event"], cum_event=both["cum_event"],
        cum_event_then=both["cum_event_then"],
        shared_accounts=len(shared) if meta.cluster else 0,
    )  # fmt: skip
    lone = len(left) + len(right) - 2 * len(both)
    note = f"{lone} incidences have no partner on the other side." if lone else ""
    return Estimate(frame, Meta(
        kind="contrast", estimand="difference of incidences, now minus then", keys=meta.keys, n_deals=meta.n_deals,
        n_accounts=meta.n_accounts, conf_level=meta.conf_level, interval="MOVER from " + meta.interval,
        variance="joint " + meta.variance, cluster=meta.cluster, note=note,
    ))  # fmt: skip


def _shared(now: Influence, then: Influence) -> pd.Index[Any]:
    """Accounts on both sides; cells without accounts are shared only within one table."""
    if now.estimate.meta.cluster is None and now.units is not then.units:
        return now.units[:0]
    touched = np.abs(now.values).sum(axis=1) > 0
    also = np.abs(then.values).sum(axis=1) > 0
    both: pd.Index[Any] = now.units[touched].intersection(then.units[also])
    return both


def _mover(both: pd.DataFrame, var_now: Floats, var_then: Floats, cross: Floats) -> dict[str, Any]:
    estimate = both["estimate"].to_numpy() - both["estimate_then"].to_numpy()
    std_error = np.sqrt(np.maximum(var_now + var_then - 2 * cross, 0.0))
    product = np.sqrt(var_now * var_then)
    corr = np.clip(np.divide(cross, product, out=np.zeros_like(cross), where=product > 0), -1, 1)
    down_now, up_now = both["estimate"] - both["conf_low"], both["conf_high"] - both["estimate"]
    down_then = both["estimate_then"] - both["conf_low_then"]
    up_then = both["conf_high_then"] - both["estimate_then"]
    low = estimate - np.sqrt(np.maximum(down_now**2 + up_then**2 - 2 * corr * down_now * up_then, 0.0))
    high = estimate + np.sqrt(np.maximum(up_now**2 + down_then**2 - 2 * corr * up_now * down_then, 0.0))
    reason = np.where(both["no_interval_reason"] != "", both["no_interval_reason"], both["no_interval_reason_then"])
    return {
        "estimate": estimate, "std_error": std_error, "conf_low": np.maximum(low, -1.0),
        "conf_high": np.minimum(high, 1.0), "no_interval_reason": reason,
    }  # fmt: skip
