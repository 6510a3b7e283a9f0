"""By which age a share of deals has an outcome, with limits, and a defined answer where that is not reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.estimators.counts import RiskTable
from analytics.estimators.incidence import cumulative_incidence
from analytics.estimators.intervals import Interval
from analytics.estimators.result import Estimate, Meta
from analytics.estimators.strata import Variance
from analytics.records.errors import InputError

Floats = npt.NDArray[np.float64]
SLACK = 1e-12
NO_UPPER = "the lower limit of the incidence does not reach this share within follow-up, so there is no upper limit"


def time_to_incidence(
    risk: RiskTable,
    *,
    shares: Sequence[float],
    conf_level: float = 0.95,
    interval: Interval | None = None,
    variance: Variance | None = None,
) -> Estimate:
    """By which age have so many of all deals been won (lost, ended in no decision)?

    Parameters
    ----------
    risk : RiskTable
        Counted deals.
    shares : sequence of float
        Shares of all deals, in (0, 1); 0.25 asks for the age by which a quarter has the outcome.
    conf_level, interval, variance
        As for `cumulative_incidence`.

    Returns
    -------
    Estimate
        Kind mean, unit days; keys `(*risk.by, "outcome", "share")`: the first day on which the incidence is at least
        the share; `conf_low` and `conf_high` are the first days on which its upper and its lower pointwise limit are.
        `estimate` is missing where the share is not reached: `reached_share` then says what is, by `followed_to`, and
        `no_interval_reason` why. `conf_low` can be there all the same: not before that day.

    Raises
    ------
    InputError
        A share outside (0, 1), and as for `cumulative_incidence`.

    Notes
    -----
    Assumes what `cumulative_incidence` does. The limits hold the shares that a two-sided test of the incidence on each
    day does not refuse: Brookmeyer & Crowley (1982), Biometrics 38:29, applied to the incidence of one outcome. The
    share is of all deals: if 30 % are ever won, half of all deals is never reached, which is not the same as the median
    age of won deals.

    Examples
    --------
    >>> from analytics.estimators.counts import count_events
    >>> deals = pd.DataFrame({"entry": -1, "exit": [3, 5, 9, 12], "outcome": ["won", "lost", "won", "open"]})
    >>> frame = time_to_incidence(count_events(deals), shares=[0.25, 0.75]).at(outcome="won")
    >>> frame["estimate"].tolist()
    [3.0, nan]
    >>> frame["no_interval_reason"].iloc[1]
    '50.0 % have this outcome by day 12, the end of follow-up'
    """
    wanted = np.unique(np.asarray(shares, dtype=float))
    if not len(wanted) or not ((wanted > 0) & (wanted < 1)).all():
        raise InputError("shares must lie between 0 and 1", value=shares, action="Say 0.25 for a quarter of all deals")
    curves = cumulative_incidence(risk, conf_level=conf_level, interval=interval, variance=variance)
    keys = [*risk.by, "outcome"]
    end = {tuple(values.values()): _end(rows.leave, rows.cause) for values, rows in risk.strata()}
    rows: list[dict[str, Any]] = []
    for label, curve in curves.frame.groupby(keys, sort=False) if len(curves.frame) else ():
        values = dict(zip(keys, label, strict=True))
        rows += [values | _row(curve, float(share), end[tuple(label[:-1])]) for share in wanted]
    names = [*keys, "share", "estimate", "std_error", "conf_low", "conf_high", "n_risk", "n_event", "cum_event"]
    meta = Meta(
        kind="mean", estimand="first day after opening by which a share of all deals has each outcome",
        keys=(*keys, "share"), n_deals=risk.n_deals, n_accounts=risk.n_accounts, conf_level=conf_level, unit="days",
        interval=f"inverted pointwise {curves.meta.interval} limits", variance=curves.meta.variance,
        cluster=curves.meta.cluster,
        note=curves.meta.note,
    )  # fmt: skip
    columns = [*names, "reached_share", "followed_to", "no_interval_reason"]
    return Estimate(pd.DataFrame(rows, columns=columns), meta)


def _end(leave: npt.NDArray[Any], cause: npt.NDArray[np.int64]) -> tuple[float, bool]:
    """Return the last day of follow-up, and whether deals were still open then."""
    last = leave.max()
    return float(last), bool((cause[leave == last] < 0).any())


def _row(curve: pd.DataFrame, share: float, end: tuple[float, bool]) -> dict[str, Any]:
    time = curve["time"].to_numpy(dtype=float)
    place, low_place, high_place = (
        _first(curve[name].to_numpy(dtype=float), share) for name in ("estimate", "conf_high", "conf_low")
    )
    last = curve.iloc[-1]
    followed_to, still_open = end
    day, low, high = (time[at] if at is not None else np.nan for at in (place, low_place, high_place))
    row = curve.iloc[place] if place is not None else last
    reason = ""
    if place is None:
        why = "the end of follow-up" if still_open else "and no deal is open any more"
        reason = f"{100 * last['estimate']:.1f} % have this outcome by day {followed_to:g}, {why}"
    elif low_place is None or high_place is None:
        missing = curve["no_interval_reason"].iloc[place]
        reason = missing or NO_UPPER
    return {
        "share": share, "estimate": day, "std_error": np.nan, "conf_low": low, "conf_high": high,
        "n_risk": int(row["n_risk"]), "n_event": int(row["n_event"]), "cum_event": int(row["cum_event"]),
        "reached_share": float(last["estimate"]), "followed_to": followed_to, "no_interval_reason": reason,
    }  # fmt: skip


def _first(values: Floats, share: float) -> int | None:
    reached = np.flatnonzero(values >= share - SLACK)
    return int(reached[0]) if len(reached) else None
