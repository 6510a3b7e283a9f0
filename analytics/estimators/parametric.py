"""Parametric models of the time to an outcome, fitted by lifelines: accelerated failure time and mixture cure."""

from __future__ import annotations

import warnings
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.estimators.columns import account_column, day_column, outcome_column
from analytics.estimators.hazards.design import design
from analytics.estimators.interval_incidence import open_after
from analytics.estimators.intervals import t_value
from analytics.estimators.parametric_errors import Likelihood, Times, account_df, cured, robust_covariance, stretched
from analytics.estimators.result import Estimate, Meta
from analytics.estimators.strata import ONE_ACCOUNT
from analytics.records.errors import InputError, nearest

Floats = npt.NDArray[np.float64]
Distribution = Literal["weibull", "lognormal", "loglogistic"]
SAME_DAY = 0.5
"""A deal that ended on the day of its opening counts as half a day: these distributions have no mass at 0."""
NEARLY = 1e-10
TIGHT = {"ftol": 1e-15, "maxiter": 2000}


def accelerated_failure_time(
    deals: pd.DataFrame,
    formula: str,
    *,
    outcome: str,
    distribution: Distribution = "weibull",
    weights: str | None = None,
    cluster: str | None = None,
    conf_level: float = 0.95,
) -> Estimate:
    """By which factor does a trait stretch the time to an outcome?

    Parameters
    ----------
    deals : pandas.DataFrame
        `entry`, `exit`, `outcome`, the columns of the formula, and `open_after` (or `closed_after` with `opened_on`)
        where the day of the outcome is known only to an interval, as for `interval_incidence`.
    formula : str
        "x1 + C(segment)".
    outcome : str
        Deals that ended otherwise are censored on the last day on which they were known to be open.
    distribution : {"weibull", "lognormal", "loglogistic"}
    weights, cluster : str, optional
        Columns of weights and of accounts; standard errors are then the robust ones (`parametric_errors`), with
        accounts times C/(C-1) and limits by t with as many degrees of freedom as they are worth.
    conf_level : float

    Returns
    -------
    Estimate
        Kind coefficient, key `("term",)`: the terms ("Intercept" first), then "log(scale)"; `estimate` is on the
        log-time scale, `time_ratio`, `ratio_low`, `ratio_high` are its exponentials.

    Raises
    ------
    InputError
        Missing columns or cells, an outcome that nobody had, an unknown distribution, a fit that does not settle.

    Notes
    -----
    Log T = x b + scale e, assumed of all deals with one distribution of e. It extrapolates beyond what was seen by the
    shape of the distribution, and it describes a world in which the other outcomes do not happen, unless they have
    nothing to do with this one: a share that will be won needs `cumulative_incidence`. Kalbfleisch & Prentice (2002),
    ch. 3; the parameters are those of R's survreg.

    Examples
    --------
    >>> deals = pd.DataFrame({"entry": -1, "exit": [2, 3, 5, 7, 8, 9], "x": [1.0, 0.0, 1.0, 0.0, 1.0, 0.0],
    ...                       "outcome": ["won", "won", "won", "won", "lost", "open"]})
    >>> accelerated_failure_time(deals, "x", outcome="won").frame["estimate"].round(3).tolist()
    [2.139, -0.211, -0.518]
    """
    import lifelines

    classes = dict(zip(get_args(Distribution), ("WeibullAFTFitter", "LogNormalAFTFitter", "LogLogisticAFTFitter"),
                       strict=True))  # fmt: skip
    if distribution not in classes:
        raise InputError("there is no such distribution", value=distribution, action=nearest(distribution, classes))
    made = design(deals, formula)
    frame, note = _bounds(deals, outcome)
    for j in range(made.x.shape[1]):
        frame[f"x{j}"] = made.x[:, j]
    how: dict[str, Any] = {"fit_options": TIGHT}
    if (frame["entry"] > 0).any():
        how["entry_col"] = "entry"
    else:
        frame = frame.drop(columns="entry")
    if weights:
        how["weights_col"] = "w"
        frame["w"] = _weights(deals, weights)
    fitter = getattr(lifelines, classes[distribution])()
    fitter._scipy_fit_method = "SLSQP"  # its default for the log-normal stops 1e-6 short of the maximum
    _settled(lambda: fitter.fit_interval_censoring(frame, "low", "high", **how))
    place, spread = fitter.params_.index.get_level_values(0).unique()[:2]
    names = [(place, "Intercept"), *((place, f"x{j}") for j in range(made.x.shape[1])), (spread, "Intercept")]
    sign = np.ones(len(names))
    sign[-1] = 1.0 if distribution == "lognormal" else -1.0  # the others count in shape = 1 / scale
    value = sign * np.array([fitter.params_[name] for name in names])
    inverse = fitter.variance_matrix_.loc[names, names].to_numpy() * np.outer(sign, sign)
    full = np.column_stack([np.ones(len(deals)), made.x])
    errors = _errors(deals, (value, inverse), stretched(Times.of(frame), distribution, full), (weights, cluster))
    reach = t_value(conf_level, errors.df) * errors.std_error
    result = pd.DataFrame({
        "term": ["Intercept", *made.terms, "log(scale)"], "estimate": value, "std_error": errors.std_error,
        "conf_low": value - reach, "conf_high": value + reach, "no_interval_reason": errors.reason,
        "time_ratio": np.exp(value), "ratio_low": np.exp(value - reach), "ratio_high": np.exp(value + reach),
    })  # fmt: skip
    meta = Meta(
        kind="coefficient", estimand=f"log of the factor by which one unit stretches the time to {outcome}",
        keys=("term",), n_deals=len(deals), n_accounts=errors.accounts, conf_level=conf_level, interval="Wald",
        unit="log time ratio", note=note, variance=errors.variance, cluster=cluster,
    )  # fmt: skip
    return Estimate(result.assign(loglik=float(fitter.log_likelihood_)), meta)


def mixture_cure(
    deals: pd.DataFrame,
    *,
    outcome: str,
    weights: str | None = None,
    cluster: str | None = None,
    conf_level: float = 0.95,
) -> Estimate:
    """What share of deals would never reach an outcome, if the times of the others were Weibull?

    Parameters
    ----------
    deals : pandas.DataFrame
        `entry`, `exit`, `outcome`.
    outcome, weights, cluster, conf_level
        As for `accelerated_failure_time`.

    Returns
    -------
    Estimate
        Kind coefficient, key `("term",)`: "never" (log odds of never), "log(shape)", "log(scale)"; `share_never` with
        `share_low` and `share_high` on the first row.

    Raises
    ------
    InputError
        As for `accelerated_failure_time`.

    Notes
    -----
    The share is read off the shape of the distribution where follow-up ends before the curve is flat, and is then a
    guess: `meta.note` says how long deals were followed beyond the last outcome (Farewell 1982, Biometrics 38:1041;
    Maller & Zhou 1996; Hanin & Huang 2014, JMVA 130:261). Other outcomes count as censored, which is wrong where they
    take deals out of reach: prefer bounds on the incidence.

    Examples
    --------
    >>> deals = pd.DataFrame({"entry": -1, "exit": [2, 3, 4, 5, 6, 7, 60, 60, 60, 60],
    ...                       "outcome": ["won"] * 6 + ["open"] * 4})
    >>> mixture_cure(deals, outcome="won").frame["share_never"].round(3).tolist()
    [0.4, nan, nan]
    """
    from lifelines import MixtureCureFitter, WeibullFitter
    from scipy.special import expit

    frame, note = _bounds(deals.drop(columns=["open_after", "closed_after"], errors="ignore"), outcome)
    event = np.isfinite(frame["high"]).to_numpy()
    if len(frame) < 4:
        raise InputError(f"{len(frame)} deals are too few for the three parameters of this model")
    time = np.maximum(frame["low"].to_numpy(), NEARLY)
    fitter = MixtureCureFitter(base_fitter=WeibullFitter())
    how: dict[str, Any] = {"weights": _weights(deals, weights)} if weights else {}
    if (frame["entry"] > 0).any():
        how["entry"] = frame["entry"].to_numpy()
    _settled(lambda: fitter.fit(time, event, fit_options=TIGHT, **how))
    c, shape, scale = float(fitter.cured_fraction_), float(fitter.rho_), float(fitter.lambda_)
    if not 1e-6 < c < 1 - 1e-6:
        raise InputError(
            "these times do not tell a share that never has the outcome from a slow outcome",
            value=outcome,
            action="Follow deals for longer, or read the incidence at a fixed age",
        )
    value = np.array([np.log(c / (1 - c)), np.log(shape), np.log(scale)])
    names = ["cured_fraction_", "rho_", "lambda_"]
    slope = np.array([1 / (c * (1 - c)), 1 / shape, 1 / scale])
    inverse = fitter.variance_matrix_.loc[names, names].to_numpy() * np.outer(slope, slope)
    times = Times(time, np.where(event, time, np.inf), frame["entry"].to_numpy())
    errors = _errors(deals, (value, inverse), cured(times), (weights, cluster))
    reach = t_value(conf_level, errors.df) * errors.std_error
    result = pd.DataFrame({
        "term": ["never", "log(shape)", "log(scale)"], "estimate": value, "std_error": errors.std_error,
        "conf_low": value - reach, "conf_high": value + reach, "no_interval_reason": errors.reason,
        "loglik": float(fitter.log_likelihood_),
    })  # fmt: skip
    for name, odds in (("share_never", value), ("share_low", value - reach), ("share_high", value + reach)):
        result[name] = np.append(expit(odds[:1]), [np.nan, np.nan])
    beyond = float(time.max() - time[event].max())
    followed = f"Deals were followed for {beyond:g} days beyond the last {outcome}."
    return Estimate(result, Meta(
        kind="coefficient", estimand=f"share that never reaches {outcome}, if the other times are Weibull",
        keys=("term",), n_deals=len(deals), n_accounts=errors.accounts, conf_level=conf_level, interval="Wald",
        variance=errors.variance, cluster=cluster, unit="log odds, log shape, log days",
        note=" ".join(filter(None, (note, followed))),
    ))  # fmt: skip


class _Errors(NamedTuple):
    """Standard errors, their degrees of freedom, and in words how they were made or why there are none."""

    std_error: Floats
    df: float
    accounts: int | None
    variance: str
    reason: str


def _errors(
    deals: pd.DataFrame, found: tuple[Floats, Floats], of: Likelihood, how: tuple[str | None, str | None]
) -> _Errors:
    """Return errors by the inverse information, or the robust ones where there are weights or accounts."""
    (value, inverse), (weights, cluster) = found, how
    if not (weights or cluster):
        return _Errors(np.sqrt(np.diag(inverse)), float("inf"), None, "inverse information", "")
    w = _weights(deals, weights) if weights else np.ones(len(deals))
    unit = pd.factorize(account_column(deals, cluster))[0].astype(np.int64) if cluster else None
    error = np.sqrt(np.diag(robust_covariance(of, value, inverse, w, unit)))
    accounts = None if unit is None else int(unit.max()) + 1
    words = "sandwich by account, times C/(C-1)" if cluster else "sandwich"
    return _Errors(error, account_df(unit, w), accounts, words, ONE_ACCOUNT if accounts == 1 else "")


def _bounds(deals: pd.DataFrame, outcome: str) -> tuple[pd.DataFrame, str]:
    """Return between which times each deal had the outcome (`low`, `high`), when it came under watch, and a note."""
    for name in ("entry", "exit", "outcome"):
        if name not in deals.columns:
            raise InputError(f"the deals have no column {name!r}", action=nearest(name, deals.columns))
    entry, leave = (np.asarray(day_column(deals[name]), dtype=float) for name in ("entry", "exit"))
    ended = np.asarray(outcome_column(deals["outcome"]), dtype=object)
    hit = ended == outcome
    if not hit.any():
        raise InputError("no deal had the outcome, so there is nothing to fit", column="outcome", value=outcome)
    low = np.where(ended == "open", leave, open_after(deals, entry, leave, ended != "open"))
    exact = low == leave
    at_once = hit & exact & (leave == 0)
    low = np.where(at_once, SAME_DAY, np.maximum(low, np.maximum(entry, NEARLY)))
    high = np.where(hit, np.where(at_once, SAME_DAY, leave), np.inf)
    count = int(at_once.sum())
    note = f"{count} deals ended on the day of their opening and count as half a day." if count else ""
    return pd.DataFrame({"low": low, "high": high, "entry": np.maximum(entry, 0.0)}), note


def _weights(deals: pd.DataFrame, weights: str) -> Floats:
    if weights not in deals.columns:
        raise InputError(f"the deals have no column {weights!r}", action=nearest(weights, deals.columns))
    w = deals[weights].to_numpy(dtype=float)
    if not (np.isfinite(w).all() and (w > 0).all()):
        raise InputError("a weight is missing, infinite, zero or negative", column=weights)
    return np.asarray(w, dtype=float)


def _settled(fit: Any) -> None:
    """Run a fit of lifelines; its doubts are errors here."""
    from lifelines.exceptions import ConvergenceError, ConvergenceWarning

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            fit()
        except ConvergenceError:
            raise InputError("the model could not be fitted: its likelihood has no clear maximum",
                             action="Use fewer covariates, or merge rare categories") from None  # fmt: skip
    if any(issubclass(warning.category, ConvergenceWarning) for warning in said):
        raise InputError("the model could not be fitted: its likelihood has no clear maximum",
                         action="Use fewer covariates, or merge rare categories")  # fmt: skip
