"""One stratum made ready for an estimator: its curve, the variances wanted, and what its numbers rest on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from analytics.estimators.aalen_johansen import Curve, Rows, curve_of, greenwood, greenwood_survival
from analytics.estimators.counts import RiskTable
from analytics.estimators.jackknife import changes_of, jackknife_variance
from analytics.estimators.rates import df_of_sizes
from analytics.records.errors import InputError, nearest

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Variance = Literal["greenwood", "infinitesimal_jackknife"]

VARIANCE_WORDS: dict[str, str] = {
    "greenwood": "Greenwood",
    "infinitesimal_jackknife": "infinitesimal jackknife",
    "clustered": "infinitesimal jackknife by account, times C/(C-1)",
}
ONE_ACCOUNT = "all deals belong to one account: nothing tells how accounts differ"


@dataclass(frozen=True)
class Backing:
    """How many deals back a curve, as a step function: `value` holds on `(point, next point]`, `at_risk` too."""

    point: Floats
    value: Floats
    at_risk: Floats

    def at(self, times: Floats) -> Floats:
        """Return the effective number of deals at each time."""
        place = np.searchsorted(self.point, times, side="left") - 1
        return np.asarray(self.value[np.clip(place, 0, len(self.value) - 1)])


@dataclass(frozen=True)
class Stratum:
    """A stratum's values, curve, variances `(T, K+1)` (survival last) and effective numbers of deals.

    `entry` holds the different entry days in order and `entered` the deals that came in up to each; `reason` says why
    no interval can be given, where none can; `df` are the degrees of freedom of the variance,
    `unseen` the weight of `unseen_weight`.
    """

    values: dict[str, Any]
    curve: Curve
    variance: Floats
    backing: Backing
    entry: npt.NDArray[Any]
    entered: Floats
    reason: str
    df: float
    unseen: float

    @property
    def watched_after(self) -> float:
        """The day after which somebody is at risk."""
        return float(self.entry[0])

    def n_risk_at(self, times: Floats) -> Ints:
        """Deals at risk on `(entry, exit]` at each time."""
        left = np.concatenate(([0], np.cumsum(self.curve.n_event.sum(axis=1) + self.curve.n_censored)))
        gone = left[np.searchsorted(self.curve.time, times, side="left")]
        come = np.concatenate(([0.0], self.entered))[np.searchsorted(self.entry, times, side="left")]
        return np.asarray(np.round(come - gone), dtype=np.int64)

    def n_eff_at(self, times: Floats) -> Floats:
        """Effective number of deals behind the curve at each time."""
        return self.backing.at(times)


def choose_variance(risk: RiskTable, variance: Variance | None) -> str:
    """Return the variance to use: jackknife with weights or accounts, else Greenwood, unless it is asked for."""
    if variance is not None and variance not in get_args(Variance):
        raise InputError("there is no such variance", value=variance, action=nearest(variance, get_args(Variance)))
    if variance == "greenwood" or (variance is None and not risk.weighted and risk.cluster is None):
        return "greenwood"
    return "infinitesimal_jackknife" if risk.cluster is None else "clustered"


def open_strata(risk: RiskTable, method: str) -> tuple[list[Stratum], list[str]]:
    """Make every stratum ready, and say in sentences what its curves rest on where that is little."""
    strata, notes = [], []
    for values, rows in risk.strata():
        stratum = _stratum(values, rows if method == "clustered" else rows.alone(), len(risk.outcomes), method)
        strata.append(stratum)
        notes += _warnings(stratum)
    if not strata:
        notes.append("There are no deals.")
    return strata, notes


def few_units_factor(rows: Rows) -> float:
    """Return C/(C-1) for C accounts, 1 without accounts; NaN where one account leaves nothing to compare."""
    if rows.account is None:
        return 1.0
    return rows.accounts / (rows.accounts - 1) if rows.accounts > 1 else float("nan")


def account_df(rows: Rows) -> float:
    """Return the degrees of freedom of a variance between accounts: effective accounts less one, infinite without any.

    Accounts of different sizes tell as little about their spread as fewer accounts of one size, (sum d)^2 / sum d^2 of
    the (weighted) days that their deals were watched, which a deal cut in two leaves as they are: Carter, Schnepel &
    Steigerwald (2017), Rev Econ Stat 99:698.

    Examples
    --------
    >>> n = np.ones(4)
    >>> account_df(Rows(-n, n, np.zeros(4, dtype=int), n, n, n, np.array([0, 0, 1, 2])))
    1.6666666666666665
    """
    if rows.account is None:
        return float("inf")
    days = rows.w * (rows.leave - rows.entry)
    return df_of_sizes(np.bincount(rows.account, weights=days))


def eased_df(df: Floats | float, events: npt.NDArray[Any]) -> Floats:
    """Return the degrees of freedom where few deals have had the outcome: df (1 + (8 / events)^2).

    So few belong to an account each; their variance is then a function of the estimate, which the scale of the interval
    takes care of, and hardly one between accounts. Held by simulation (10 to 100 accounts, 2 to 80 events).

    Examples
    --------
    >>> eased_df(9.0, np.array([5, 50])).round(2).tolist()
    [32.04, 9.23]
    """
    return np.asarray(df * (1 + (8 / np.maximum(events, 1.0)) ** 2), dtype=float)


def unseen_weight(rows: Rows) -> float:
    """Return the weight by which an upper limit allows for a heavy deal that has not been seen with the outcome yet.

    (M^2 - m^2) / M for the greatest weight M and the mean m, so 0 where all weigh the same, and never more than the
    mean weight of a unit of weight, sum w^2 / sum w.
    """
    if rows.w is rows.n or not rows.w.sum() > 0:
        return 0.0
    there = rows.w > 0
    most, mean = float((rows.w2[there] / rows.w[there]).max()), float(rows.w.sum() / rows.n.sum())
    return max(min((most**2 - mean**2) / most, float(rows.w2.sum() / rows.w.sum())), 0.0)


def unseen_share(unseen: float, events: npt.NDArray[Any]) -> Floats:
    """Return what is left of the allowance for an unseen heavy deal: all of it up to 5 events, then less.

    Examples
    --------
    >>> unseen_share(1.5, np.array([0, 5, 10])).tolist()
    [1.5, 1.5, 0.75]
    """
    return np.asarray(unseen * np.minimum(1.0, 5 / np.maximum(events, 1.0)), dtype=float)


def _stratum(values: dict[str, Any], rows: Rows, causes: int, method: str) -> Stratum:
    curve = curve_of(rows, causes)
    if method == "greenwood":
        variance = np.column_stack([greenwood(curve), greenwood_survival(curve)])
    else:
        variance = jackknife_variance(changes_of(curve, rows)) * few_units_factor(rows)
    entry, group = np.unique(rows.entry, return_inverse=True)
    entered = np.cumsum(np.bincount(group, weights=rows.n, minlength=len(entry))).astype(float)
    reason = ONE_ACCOUNT if rows.accounts == 1 else ""
    return Stratum(
        values, curve, variance, backing_of(rows, curve), entry, entered, reason, account_df(rows), unseen_weight(rows)
    )


def backing_of(rows: Rows, curve: Curve) -> Backing:
    """Return the effective number of deals; with complete follow-up that is the number of deals.

    n(u) / S(u-) is how many deals there would have had to be for n(u) to be left; under delayed entry its least value
    so far counts, and it is 0 after a time at which nobody was watched. Weights enter by Kish (1965), (sum w)^2 / sum
    w^2, accounts by capping at those seen so far.
    """
    point, n, w, w2, open_share = _watched(rows, curve)
    kish = np.divide(w * w, w2, out=np.zeros(len(n)), where=(n > 0) & (w2 > 0))
    scaled = np.divide(kish, open_share, out=np.full(len(n), np.inf), where=open_share > 0)
    value = np.minimum.accumulate(scaled)
    if rows.account is not None:
        since = np.full(rows.accounts, np.inf)
        np.minimum.at(since, rows.account, rows.entry)
        value = np.minimum(value, np.searchsorted(np.sort(since), point[:-1], side="right"))
    return Backing(point, value, n)


def _watched(rows: Rows, curve: Curve) -> tuple[Floats, ...]:
    """Return the days on which deals come or go, and on the interval after each: n, w, w2 at risk, share open."""
    if rows.entry.min() == rows.entry.max():
        point = np.concatenate([rows.entry[:1], curve.time]).astype(float)
        return point, curve.n_risk.astype(float), curve.w_risk, curve.w2_risk, curve.before
    point = np.unique(np.concatenate([rows.entry, rows.leave]).astype(float))
    come, gone = np.searchsorted(point, rows.entry), np.searchsorted(point, rows.leave)
    n, w, w2 = (
        np.cumsum(np.bincount(come, amount, len(point)) - np.bincount(gone, amount, len(point)))[:-1].astype(float)
        for amount in (rows.n, rows.w, rows.w2)
    )
    place = np.searchsorted(curve.time, point[:-1], side="right")
    return point, n.round(), w, w2, np.concatenate(([1.0], curve.survival))[place]


def _warnings(stratum: Stratum) -> list[str]:
    curve, name = stratum.curve, stratum_name(stratum.values)
    ended = np.flatnonzero(curve.survival == 0)
    notes = []
    if len(ended) and stratum.entry[-1] >= curve.time[ended[0]]:
        notes.append(
            f"{name}: everybody at risk on day {curve.time[ended[0]]:g} ended there (n = {curve.n_risk[ended[0]]}) "
            "while other deals are watched only from later on; start at an age with more deals (conditional incidence)."
        )
    gaps = np.flatnonzero(stratum.backing.at_risk == 0)
    if len(gaps) and not (len(ended) and stratum.backing.point[gaps[0]] >= curve.time[ended[0]]):
        a, b = stratum.backing.point[gaps[0]], stratum.backing.point[gaps[0] + 1]
        notes.append(f"{name}: no deal is watched between day {a:g} and day {b:g}, so the curve is flat there.")
    if not stratum.curve.n_event.any():
        notes.append(f"{name}: no deal has ended.")
    return notes


def stratum_name(values: dict[str, Any]) -> str:
    """Say which stratum in words, as a note about it begins.

    Examples
    --------
    >>> stratum_name({"cohort": "2025Q1"}), stratum_name({})
    ('Cohort 2025Q1', 'All deals')
    """
    name = ", ".join(f"{name} {value}" for name, value in values.items()) or "all deals"
    return name[0].upper() + name[1:]
