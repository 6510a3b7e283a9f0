"""Pseudo-values: what each deal says of a share or a mean, so that ordinary regression can take over."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.estimators.aalen_johansen import Curve, Rows, curve_of
from analytics.estimators.columns import account_column, day_column
from analytics.estimators.counts import count_events
from analytics.estimators.hazards.design import design
from analytics.estimators.intervals import t_value
from analytics.estimators.jackknife import changes_of, influence_at, influence_integrated
from analytics.estimators.mean_time import days_spent
from analytics.estimators.rates import account_codes, df_of_sizes
from analytics.estimators.result import Estimate, Meta
from analytics.estimators.strata import ONE_ACCOUNT
from analytics.records.errors import InputError, nearest

Floats = npt.NDArray[np.float64]
Link = Literal["identity", "logit", "cloglog"]
Measure = Literal["incidence", "time_lost"]
Method = Literal["infinitesimal_jackknife", "jackknife"]

BLOCK_CELLS = 2_000_000
NO_RESIDUAL = "the covariates tell how every deal ended, so nothing tells how that would vary"


def pseudo_values(
    deals: pd.DataFrame,
    *,
    outcome: str,
    times: Sequence[float],
    measure: Measure = "incidence",
    method: Method = "infinitesimal_jackknife",
) -> pd.DataFrame:
    """What would each deal have to be for their mean to be the share with the outcome?

    Parameters
    ----------
    deals : pandas.DataFrame
        `entry`, `exit` (days after opening, at risk on `(entry, exit]`), `outcome`.
    outcome : str
    times : sequence of float
        Days after opening.
    measure : {"incidence", "time_lost"}
        The share with the outcome by each time, or the mean days lost to it up to each time.
    method : {"infinitesimal_jackknife", "jackknife"}
        The second leaves each deal out in turn (work: different deals x times); the first is its linear form and stays
        valid where deals enter late.

    Returns
    -------
    pandas.DataFrame
        One row per deal (index of `deals`), one column per time. Deals whose outcome is known by then have values near
        1 or 0, open ones near their expectation; values lie outside [0, 1] at times.

    Raises
    ------
    InputError
        No deal with the outcome, a time beyond follow-up or before any deal is watched.

    Notes
    -----
    estimate + n * influence, or n * estimate - (n - 1) * estimate without the deal. Andersen, Klein & Rosthoj (2003),
    Biometrika 90:15; Parner, Andersen & Overgaard (2023), LDA 29:654 for the infinitesimal one. Regression on them
    assumes that watching ends independently of outcome and covariates.

    Examples
    --------
    >>> deals = pd.DataFrame({"entry": -1, "exit": [2, 3, 5, 9], "outcome": ["won", "lost", "won", "open"]})
    >>> pseudo_values(deals, outcome="won", times=[6])[6].round(6).tolist()
    [1.0, 0.0, 1.0, 0.0]
    """
    for asked, allowed in ((measure, get_args(Measure)), (method, get_args(Method))):
        if asked not in allowed:
            raise InputError("there is no such choice", value=asked, action=nearest(asked, allowed))
    if not (deals["outcome"] == outcome).any():
        raise InputError("no deal has this outcome", value=outcome, action=nearest(outcome, deals["outcome"].unique()))
    causes = sorted(set(deals["outcome"].dropna().unique().tolist()) - {"open", "unknown"})
    risk = count_events(deals, outcomes=causes)
    rows = risk.strata()[0][1]
    curve = curve_of(rows, len(causes))
    _in_reach(curve, rows, times)
    keys = pd.MultiIndex.from_frame(risk.cells[["entry", "exit", "outcome"]])
    own = pd.MultiIndex.from_arrays([day_column(deals["entry"]), day_column(deals["exit"]), deals["outcome"]])
    place, k = keys.get_indexer(own), causes.index(outcome)
    linear = method == "infinitesimal_jackknife"
    values = {t: (_linear if linear else _left_out)(curve, rows, k, float(t), measure)[place] for t in times}
    return pd.DataFrame(values, index=deals.index)


def _in_reach(curve: Curve, rows: Rows, times: Sequence[float]) -> None:
    for time in times:
        if time <= rows.entry.min():
            raise InputError(f"no deal is watched up to day {rows.entry.min():g}", value=time)
        if time > curve.time[-1] and curve.survival[-1] > 0:
            raise InputError(f"no deal is followed beyond day {curve.time[-1]:g}", value=time)


def _value(curve: Curve, incidence: Floats, time: float, measure: Measure) -> Floats:
    """The measure at one time of curves along the last axis."""
    if measure == "time_lost":
        return np.asarray(incidence @ days_spent(curve, time))
    index = int(np.searchsorted(curve.time, time, side="right")) - 1
    return np.asarray(incidence[..., index] if index >= 0 else np.zeros(incidence.shape[:-1]))


def _linear(curve: Curve, rows: Rows, k: int, time: float, measure: Measure) -> Floats:
    """Estimate + n x influence, one value per cell."""
    changes, index = changes_of(curve, rows), int(np.searchsorted(curve.time, time, side="right")) - 1
    if measure == "time_lost":
        moved = influence_integrated(changes, days_spent(curve, time))[:, k]
    else:
        moved = influence_at(changes, index)[:, k] if index >= 0 else np.zeros(len(rows.n))
    return np.asarray(_value(curve, curve.incidence[:, k], time, measure) + rows.n.sum() * moved)


def _left_out(curve: Curve, rows: Rows, k: int, time: float, measure: Measure) -> Floats:
    """n x estimate - (n - 1) x the estimate without one deal of the cell, one value per cell."""
    axis, pieces = np.arange(len(curve.time)), []
    for begin in range(0, len(rows.n), max(1, BLOCK_CELLS // len(axis))):
        part = slice(begin, begin + max(1, BLOCK_CELLS // len(axis)))
        first, last, cause = (column[part, None] for column in (curve.first, curve.last, curve.cause))
        n_risk = curve.n_risk - ((axis >= first) & (axis <= last))
        at_end = axis == last
        own = curve.n_event[:, k] - (at_end & (cause == k))
        ended = curve.n_event.sum(axis=1) - (at_end & (cause >= 0))
        safe = np.maximum(n_risk, 1)
        open_ = np.cumprod(1 - ended / safe, axis=1)
        before = np.concatenate([np.ones((len(open_), 1)), open_[:, :-1]], axis=1)
        pieces.append(_value(curve, np.cumsum(before * own / safe, axis=1), time, measure))
    total = int(rows.n.sum())
    whole = _value(curve, curve.incidence[:, k], time, measure)
    return np.asarray(total * whole - (total - 1) * np.concatenate(pieces))


def pseudo_regression(
    deals: pd.DataFrame,
    formula: str,
    *,
    outcome: str,
    time: float,
    link: Link = "cloglog",
    measure: Measure = "incidence",
    method: Method = "infinitesimal_jackknife",
    cluster: str | None = None,
) -> Estimate:
    """How does the share with the outcome by one horizon (or the mean days lost to it) differ between kinds of deals?

    Parameters
    ----------
    deals, outcome, measure, method
        As for `pseudo_values`; also the columns of the formula.
    formula : str
        "x1 + C(segment)".
    time : float
        The horizon, days after opening.
    link : {"identity", "logit", "cloglog"}
        identity: differences of shares (or days); logit: log odds ratios; cloglog: log ratios of subdistribution
        hazards, as Fine-Gray, but for this one horizon.
    cluster : str, optional
        Column of accounts; standard errors then let deals of one account resemble each other.

    Returns
    -------
    Estimate
        Kind coefficient, keys ("term",), 95 % Wald limits; the first term is the intercept.

    Raises
    ------
    InputError
        As `pseudo_values` and the formula's; no more deals than coefficients, deals that do not differ by then (nobody
        has the outcome, or everybody), a fit that does not settle.

    Notes
    -----
    Least squares under the link (statsmodels GLM), sandwich errors: HC3 without accounts (as R's eventglm), summed by
    account with C/(C-1) otherwise; they take the pseudo-values as independent, which is slightly wide. Assumes that
    watching ends independently of the covariates. Klein & Andersen (2005), Biometrics 61:223; MacKinnon & White (1985),
    J Econometrics 29:305.

    Examples
    --------
    >>> deals = pd.DataFrame({"entry": -1, "exit": [2, 3, 5, 7, 8, 9], "x": [1.0, 0.0, 1.0, 0.0, 1.0, 0.0],
    ...                       "outcome": ["won", "lost", "won", "won", "lost", "open"]})
    >>> fitted = pseudo_regression(deals, "x", outcome="won", time=7, link="identity")
    >>> fitted.frame[["term", "estimate"]].round(3).values.tolist()
    [['Intercept', 0.333], ['x', 0.333]]
    """
    made = design(deals, formula)
    x = np.column_stack([np.ones(len(made.x)), made.x])
    y = pseudo_values(deals, outcome=outcome, times=[time], measure=measure, method=method).iloc[:, 0].to_numpy()
    unit = None if cluster is None else account_codes(account_column(deals, cluster))[0]
    beta = least_squares(x, y, link)
    df = float("inf") if unit is None else df_of_sizes(np.bincount(unit).astype(float))
    error, reach = np.sqrt(np.diag(sandwich(x, y, link, beta, unit))), t_value(0.95, df)
    reason = "" if np.isfinite(error).all() else ONE_ACCOUNT
    if (error <= 1e-10 * np.abs(beta).max()).any():  # no residual is left: rounding, not precision
        reason, error = NO_RESIDUAL, np.full(len(beta), np.nan)
    frame = pd.DataFrame({"term": ["Intercept", *made.terms], "estimate": beta, "std_error": error,
                          "conf_low": beta - reach * error, "conf_high": beta + reach * error,
                          "no_interval_reason": reason})  # fmt: skip
    what = f"share {outcome} by day {time:g}" if measure == "incidence" else f"days lost to {outcome} by day {time:g}"
    return Estimate(frame, Meta(
        kind="coefficient", estimand=f"change of the {what} ({link}) for one unit of each covariate", keys=("term",),
        n_deals=len(deals), n_accounts=None if unit is None else int(unit.max()) + 1, interval="Wald",
        variance="sandwich (HC3)" if unit is None else "sandwich by account, times C/(C-1)", cluster=cluster,
        unit={"identity": "probability" if measure == "incidence" else "days", "logit": "log odds ratio",
              "cloglog": "log subdistribution hazard ratio"}[link],
    ))  # fmt: skip


def least_squares(x: Floats, y: Floats, link: Link) -> Floats:
    """Fit y to the inverse link of `x @ beta` by least squares.

    Raises
    ------
    InputError
        No such link, no more deals than coefficients, deals that do not differ, or no settled fit (a kind of deal of
        which nearly all or nearly none have the outcome).
    """
    import statsmodels.api as sm
    from statsmodels.tools.sm_exceptions import DomainWarning, PerfectSeparationWarning

    function = link_of(link)
    if len(y) <= x.shape[1]:
        raise InputError(f"{len(y)} deals are too few for {x.shape[1]} coefficients", action="Use fewer covariates")
    if np.ptp(y) < 1e-12:
        raise InputError("the deals do not differ by then: nobody has the outcome, or everybody",
                         action="Choose another horizon")  # fmt: skip
    with warnings.catch_warnings(), np.errstate(over="ignore"):  # a fit that runs away is refused below
        warnings.simplefilter("ignore", DomainWarning)  # least squares under any link is wanted here
        warnings.simplefilter("ignore", PerfectSeparationWarning)  # no residual is left: said by who asks for errors
        model = sm.GLM(y, x, family=sm.families.Gaussian(function, check_link=False))
        fitted = model.fit(tol=1e-13, rtol=1e-11, tol_criterion="params", maxiter=500)
    beta = np.asarray(fitted.params, dtype=float)
    if not (fitted.converged and np.isfinite(beta).all()):
        raise InputError("the regression on pseudo-values does not settle", value=link,
                         action="Use the identity link, or fewer covariates")  # fmt: skip
    return beta


def link_of(link: Link) -> Any:
    """Return statsmodels' link function of this name."""
    from statsmodels.genmod.families import links

    kinds: dict[str, Any] = {"identity": links.Identity, "logit": links.Logit, "cloglog": links.CLogLog}
    if link not in kinds:
        raise InputError("there is no such link", value=link, action=nearest(link, kinds))
    return kinds[link]()


def sandwich(x: Floats, y: Floats, link: Link, beta: Floats, unit: npt.NDArray[np.int64] | None) -> Floats:
    """Return the robust covariance of least squares under the link at `beta`: HC3, or by unit with C/(C-1)."""
    function = link_of(link)
    slope = x * np.asarray(function.inverse_deriv(x @ beta))[:, None]
    residual = y - np.asarray(function.inverse(x @ beta))
    bread = np.linalg.inv(slope.T @ slope)
    if unit is None:
        own = 1 - np.einsum("ij,jk,ik->i", slope, bread, slope)
        scores = slope * np.where(own > 1e-10, residual / np.maximum(own, 1e-10), 0.0)[:, None]
        factor = 1.0
    else:
        units = int(unit.max()) + 1
        scores = np.column_stack([np.bincount(unit, weights=part, minlength=units) for part in (slope.T * residual)])
        factor = units / (units - 1) if units > 1 else np.nan
    half = bread @ scores.T
    return np.asarray(half @ half.T * factor)
