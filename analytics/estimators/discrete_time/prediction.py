"""What a discrete-time model says of deals: incidences of profiles, and of the remaining life of open deals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.estimators.columns import day_column
from analytics.estimators.discrete_time.likelihood import Floats
from analytics.estimators.discrete_time.models import DiscreteTimeModel
from analytics.estimators.intervals import probability_interval
from analytics.estimators.result import Estimate, Meta
from analytics.records.errors import InputError

CHUNK = 200
HELD = "as if stage, pushes and silence stayed as they are"


def predicted_incidence(
    model: DiscreteTimeModel, profiles: pd.DataFrame, *, horizon: int, hold: bool = False
) -> Estimate:
    """Which share of deals like these will have ended in each way, period by period?

    Parameters
    ----------
    model : DiscreteTimeModel
    profiles : pandas.DataFrame
        One row per profile with the columns of the formula except `period`. Where a column `period` is given, the
        profile is open at the start of that period and its incidences are conditional on it; otherwise it starts with
        period 1. With random intercepts, the column of groups names one, or is empty for the average group.
    horizon : int
        How many periods to look ahead.
    hold : bool
        Predict although the formula reads what the deal itself moves, as if that stayed as it is.

    Returns
    -------
    Estimate
        Kind incidence, keys (profile, outcome, time): `profile` is the index of `profiles`, `time` the last day of the
        period (days after opening), `period` its number, `hazard` the outcome's own, `open` the share still open: the
        estimates of all outcomes and `open` add to 1.

    Raises
    ------
    InputError
        A covariate that the deal itself moves (without `hold`), a period or value that the model was not fitted to, a
        group that it does not know, profiles with the same index.

    Notes
    -----
    F_k = sum over periods of h_k times the product of 1 - (sum of hazards) before. A calendar quarter in the formula
    stays the profile's: "at this quarter's pace". An internal covariate gives hazards only: whether a deal will be
    pushed depends on whether it is still open (Kalbfleisch & Prentice 2002, section 6.3.2; Cortese & Andersen 2010,
    Biom J 52:138). Intervals by the delta method from the covariance of the model, on the log-log scale; by accounts
    where it is, then with t by what accounts are worth for the coefficient they know least of; with random intercepts
    given their variances.

    Examples
    --------
    >>> from analytics.estimators.discrete_time.models import discrete_time_model
    >>> from analytics.estimators.discrete_time.periods import PersonPeriods
    >>> frame = pd.DataFrame({"period": [1, 2], "at_risk": [40, 20], "d_won": [10, 5], "d_lost": [10, 5]})
    >>> model = discrete_time_model(PersonPeriods(frame, ("won", "lost"), n_deals=40), "C(period)")
    >>> made = predicted_incidence(model, pd.DataFrame(index=[0]), horizon=2)
    >>> made.frame[["outcome", "time", "estimate", "open"]].round(3).values.tolist()
    [['won', 6, 0.25, 0.5], ['won', 13, 0.375, 0.25], ['lost', 6, 0.25, 0.5], ['lost', 13, 0.375, 0.25]]
    """
    paths = _all_paths(model, profiles, horizon, hold)
    outcomes, (rows, _) = model.outcomes, paths.open.shape
    frame = pd.concat([paths.keys(profiles.index, model.period_days)] * len(outcomes), ignore_index=True)
    frame.insert(1, "outcome", np.repeat(outcomes, rows * horizon))
    frame["estimate"] = paths.incidence.transpose(1, 0, 2).reshape(-1)
    frame["std_error"] = np.sqrt(paths.variance[:, :-1].transpose(1, 0, 2).reshape(-1))
    frame["hazard"] = paths.hazard.transpose(1, 0, 2).reshape(-1)
    frame["open"] = np.tile(paths.open.reshape(-1), len(outcomes))
    words = "share with each outcome by the end of each period"
    return _estimate(frame, model, "incidence", (words, ("profile", "outcome", "time"), hold))


def predicted_open(model: DiscreteTimeModel, profiles: pd.DataFrame, *, horizon: int, hold: bool = False) -> Estimate:
    """Which share of deals like these will still be open, period by period?

    Parameters
    ----------
    model, profiles, horizon, hold
        As for `predicted_incidence`.

    Returns
    -------
    Estimate
        Kind survival, keys (profile, time), with `period`.

    Raises
    ------
    InputError
        As `predicted_incidence`.

    Examples
    --------
    >>> from analytics.estimators.discrete_time.models import discrete_time_model
    >>> from analytics.estimators.discrete_time.periods import PersonPeriods
    >>> frame = pd.DataFrame({"period": [1, 2], "at_risk": [40, 20], "d_won": [10, 5], "d_lost": [10, 5]})
    >>> model = discrete_time_model(PersonPeriods(frame, ("won", "lost"), n_deals=40), "C(period)")
    >>> predicted_open(model, pd.DataFrame({"period": [2]}), horizon=1).frame["estimate"].round(3).tolist()
    [0.5]
    """
    paths = _all_paths(model, profiles, horizon, hold)
    frame = paths.keys(profiles.index, model.period_days)
    frame["estimate"], frame["std_error"] = paths.open.reshape(-1), np.sqrt(paths.variance[:, -1].reshape(-1))
    return _estimate(frame, model, "survival", ("share still open", ("profile", "time"), hold))


def remaining_incidence(model: DiscreteTimeModel, deals: pd.DataFrame, *, horizon: int, hold: bool = False) -> Estimate:
    """How will each open deal end from here on?

    Parameters
    ----------
    model : DiscreteTimeModel
    deals : pandas.DataFrame
        Open deals: `exit` (age in days at the end of the as-of day), `outcome` "open", the columns of the formula.
    horizon, hold
        As for `predicted_incidence`; `hold` takes stage, pushes and silence as they are now.

    Returns
    -------
    Estimate
        As `predicted_incidence`, given that the deal is open at the start of its next whole period: what happens in the
        rest of the present one is left aside.

    Raises
    ------
    InputError
        A deal that is not open, and as `predicted_incidence`.

    Examples
    --------
    >>> from analytics.estimators.discrete_time.models import discrete_time_model
    >>> from analytics.estimators.discrete_time.periods import PersonPeriods
    >>> frame = pd.DataFrame({"period": [1, 2], "at_risk": [40, 20], "d_won": [10, 5], "d_lost": [10, 5]})
    >>> model = discrete_time_model(PersonPeriods(frame, ("won", "lost"), n_deals=40), "C(period)")
    >>> deals = pd.DataFrame({"exit": [6], "outcome": ["open"]}, index=["D1"])
    >>> remaining_incidence(model, deals, horizon=1).frame[["profile", "period", "estimate"]].values.tolist()
    [['D1', 2, 0.25], ['D1', 2, 0.25]]
    """
    for name in ("exit", "outcome"):
        if name not in deals.columns:
            raise InputError(f"the deals have no column {name!r}")
    closed = (deals["outcome"] != "open").to_numpy(dtype=bool)
    if closed.any():
        raise InputError(f"{int(closed.sum())} deals are not open", column="outcome", action="Keep open deals only")
    age = np.asarray(day_column(deals["exit"]))
    following = np.floor_divide(age + model.period_days, model.period_days) + 1
    return predicted_incidence(model, deals.assign(period=following.astype(np.int64)), horizon=horizon, hold=hold)


@dataclass(frozen=True)
class Paths:
    """Profiles through their periods: hazards, incidences `(profiles, outcomes, periods)`, share open, variances.

    `variance` has the outcomes and then open along its second axis; `first` is each profile's first period.
    """

    first: npt.NDArray[np.int64]
    hazard: Floats
    incidence: Floats
    open: Floats
    variance: Floats

    def keys(self, index: pd.Index[str], period_days: int) -> pd.DataFrame:
        """Return profile, time and period of each profile and period."""
        ahead = self.open.shape[1]
        period = (self.first[:, None] + np.arange(ahead)).reshape(-1)
        profile = np.repeat(index.to_numpy(), ahead)
        return pd.DataFrame({"profile": profile, "time": period * period_days - 1, "period": period})


def _all_paths(model: DiscreteTimeModel, profiles: pd.DataFrame, horizon: int, hold: bool) -> Paths:
    _check(model, profiles, horizon, hold)
    size = len(profiles)
    first = profiles["period"].to_numpy(dtype=np.int64) if "period" in profiles else np.ones(size, dtype=np.int64)
    parts = [
        _paths(model, profiles.iloc[begin : begin + CHUNK], first[begin : begin + CHUNK], horizon)
        for begin in range(0, size, CHUNK)
    ]
    pieces = ([vars(part)[name] for part in parts] for name in ("first", "hazard", "incidence", "open", "variance"))
    return Paths(*(np.concatenate(piece) for piece in pieces))


def _paths(model: DiscreteTimeModel, profiles: pd.DataFrame, first: npt.NDArray[np.int64], horizon: int) -> Paths:
    """Follow profiles forward, and with them how every share moves with the coefficients.

    dh_k / d eta_l = h_k (1{k = l} - h_l), and eta_l moves with the coefficients of outcome l by x.
    """
    size, outcomes = len(profiles), len(model.outcomes)
    intercept, covariance = _of_groups(model, profiles)
    period = (first[:, None] + np.arange(horizon)).reshape(-1)
    ahead = model.covariates(profiles.loc[profiles.index.repeat(horizon)].assign(period=period))
    ahead = ahead.reshape(size, horizon, -1)
    still, f = np.ones(size), np.zeros((size, outcomes))
    still_by, f_by = np.zeros((size, covariance.shape[-1])), np.zeros((size, outcomes, covariance.shape[-1]))
    hazards, shares, opens, variances = [], [], [], []
    for step in range(horizon):
        x = ahead[:, step]
        h = _hazards(x @ model.coef + intercept)
        by_eta = h[:, :, None] * (np.eye(outcomes) - h[:, None, :])
        h_by = (by_eta[:, :, :, None] * x[:, None, None, :]).reshape(size, outcomes, -1)
        if model.groups is not None:
            h_by = np.concatenate([h_by, by_eta], axis=2)
        total, total_by = h.sum(axis=1), h_by.sum(axis=1)
        f_by = f_by + still_by[:, None, :] * h[:, :, None] + still[:, None, None] * h_by
        f = f + still[:, None] * h
        still_by = still_by * (1 - total)[:, None] - still[:, None] * total_by
        still = still * (1 - total)
        moved = np.concatenate([f_by, still_by[:, None, :]], axis=1)
        hazards.append(h)
        shares.append(f)
        opens.append(still)
        variances.append(np.maximum(((moved @ covariance) * moved).sum(axis=2), 0.0))
    return Paths(first, *(np.stack(each, axis=-1) for each in (hazards, shares, opens, variances)))


def _hazards(eta: Floats) -> Floats:
    top = np.maximum(eta.max(axis=1), 0.0)[:, None]
    odds = np.exp(eta - top)
    return np.asarray(odds / (np.exp(-top) + odds.sum(axis=1, keepdims=True)))


def _of_groups(model: DiscreteTimeModel, profiles: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return each profile's random intercepts, and the covariance of coefficients and intercepts together."""
    groups, size, outcomes = model.groups, len(profiles), len(model.outcomes)
    if groups is None:
        return np.zeros((size, outcomes)), model.covariance
    if groups.column not in profiles.columns:
        raise InputError("the model has an intercept for each of these groups and the profiles lack the column",
                         column=groups.column, action="Name the group, or leave its cell empty")  # fmt: skip
    place = pd.Index(groups.labels).get_indexer(pd.Index(profiles[groups.column]))
    named = profiles[groups.column].notna().to_numpy()
    if (place[named] < 0).any():
        raise InputError("no deal that the model was fitted to is in this group", column=groups.column,
                         value=profiles.loc[named & (place < 0), groups.column].iloc[0])  # fmt: skip
    terms = len(model.model)
    whole = np.zeros((size, terms + outcomes, terms + outcomes))
    whole[:, :terms, :terms] = model.model
    whole[named, :terms, terms:] = groups.cross[place[named]]
    whole[named, terms:, :terms] = groups.cross[place[named]].transpose(0, 2, 1)
    whole[named, terms:, terms:] = groups.covariance[place[named]]
    return np.where(named[:, None], groups.effect[place], 0.0), whole


def _check(model: DiscreteTimeModel, profiles: pd.DataFrame, horizon: int, hold: bool) -> None:
    if model.internal and not hold:
        raise InputError(
            f"the formula reads {', '.join(model.internal)}, which the deal itself moves: hazards of it give no shares",
            action="Fit at a landmark, or ask for hold=True and say that it is held as it is",
        )  # fmt: skip
    if horizon < 1:
        raise InputError("the horizon is a number of periods, at least 1", value=horizon)
    if not len(profiles):
        raise InputError("there is no profile to predict")
    if profiles.index.has_duplicates:
        raise InputError("two profiles have the same name in the index", action="Reset the index")
    if "period" in profiles and not (profiles["period"] >= 1).all():
        raise InputError("periods are numbered from 1", column="period")


def _estimate(
    frame: pd.DataFrame, model: DiscreteTimeModel, kind: str, asked: tuple[str, tuple[str, ...], bool]
) -> Estimate:
    words, keys, hold = asked
    of = model.coefficients.meta
    size = np.full(len(frame), float(max(of.n_accounts or of.n_deals, 1)))
    low, high = probability_interval(
        frame["estimate"].to_numpy(), frame["std_error"].to_numpy(), size, conf_level=model.conf_level,
        df=float(model.df.min()),
    )  # fmt: skip
    notes = [HELD] * (hold and bool(model.internal)) + [of.note] * bool(of.note)
    meta = Meta(
        kind="incidence" if kind == "incidence" else "survival", keys=keys, n_deals=of.n_deals,
        estimand=f"{words}, given the covariates and open at the start of the first period shown",
        n_accounts=of.n_accounts, conf_level=model.conf_level, interval="log-log",
        variance="delta method from the " + ("sandwich" if model.robust is not None else "inverse information"),
        cluster=of.cluster, note="; ".join(notes),
    )  # fmt: skip
    return Estimate(frame.assign(conf_low=low, conf_high=high), meta)
