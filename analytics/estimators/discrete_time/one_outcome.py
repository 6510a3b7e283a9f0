"""One outcome against all else, with a link of one's own: a binomial regression of statsmodels on person-periods."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from analytics.estimators.discrete_time.accounts import Robust, robust_covariance
from analytics.estimators.discrete_time.fitting import RUNAWAY
from analytics.estimators.discrete_time.likelihood import Counts, Floats
from analytics.estimators.discrete_time.models import INTERCEPT, check_unit
from analytics.estimators.discrete_time.periods import PersonPeriods
from analytics.estimators.hazards.coefficients import BY_ACCOUNT
from analytics.estimators.hazards.design import columns_read, design
from analytics.estimators.intervals import t_value
from analytics.estimators.result import Estimate, Meta
from analytics.records.errors import InputError, nearest

Link = Literal["cloglog", "logit"]


def one_outcome_model(
    periods: PersonPeriods,
    formula: str,
    *,
    outcome: str,
    link: Link = "cloglog",
    cluster: str | None = None,
    conf_level: float = 0.95,
) -> Estimate:
    """How does each covariate go with one outcome, among deals open at the start of a period?

    Parameters
    ----------
    periods : PersonPeriods
    formula : str
        As for `discrete_time_model`.
    outcome : str
        The outcome; deals that end otherwise in a period count as at risk in it and not as events.
    link : {"cloglog", "logit"}
        With cloglog the ratios are hazard ratios of the proportional hazards model in continuous time that is watched
        only period by period, whatever their length.
    cluster : str, optional
        Column of accounts (or deals): standard errors are then robust, corrected for leverage, and limits take t by
        what the clusters are worth for each coefficient (`robust_covariance`).
    conf_level : float

    Returns
    -------
    Estimate
        Kind coefficient, keys (term,): `estimate`, `std_error`, interval, `ratio`, `ratio_low`, `ratio_high`, and with
        clusters `sandwich_std_error`, which is not corrected.

    Raises
    ------
    InputError
        An unknown outcome or link, missing columns or cells, an outcome that nobody had, a fit that does not settle, a
        single cluster.

    Notes
    -----
    Prentice & Gloeckler (1978), Biometrics 34:57. Assumes that deals which end otherwise, or are censored, in a period
    would have gone on as those still open. Fits of several outcomes by cloglog do not add up within a period:
    for shares use `discrete_time_model`.

    Examples
    --------
    >>> frame = pd.DataFrame({"period": [1, 1, 2, 2], "x": [0, 1, 0, 1], "at_risk": [40, 40, 20, 20],
    ...                       "d_won": [10, 5, 5, 4]})
    >>> made = one_outcome_model(PersonPeriods(frame, ("won",)), "C(period) + x", outcome="won")
    >>> made.at(term="x")["estimate"].round(3).tolist()
    [-0.569]
    """
    for value, options in ((outcome, periods.outcomes), (link, get_args(Link))):
        if value not in options:
            raise InputError("there is no such outcome or link", value=value, action=nearest(value, options))
    columns = list(columns_read(periods.frame, formula))
    made = design(periods.counted(columns), formula)
    table = periods.counted([*columns, *([cluster] if cluster else [])])
    n, ended = table["at_risk"].to_numpy(dtype=float), table[f"d_{outcome}"].to_numpy(dtype=float)
    if not 0 < ended.sum() < n.sum():
        raise InputError("no deal had this outcome, or every deal at once", column="outcome", value=outcome)
    if cluster is None and not (n == np.floor(n)).all():
        raise InputError("weighted person-periods need robust errors", column="at_risk", action="Name cluster")
    if cluster is not None:
        check_unit(periods, cluster, columns)
    x = np.hstack([np.ones((len(table), 1)), made.of(table)])
    fitted = _fitted(x, (ended, n), link)
    robust = None if cluster is None else _robust(x, (ended, n), fitted, table[cluster])
    error = fitted.bse if robust is None else np.sqrt(np.diag(robust.covariance))
    reach = t_value(conf_level, np.full(len(error), np.inf) if robust is None else robust.df) * error
    frame = pd.DataFrame({
        "term": [INTERCEPT, *made.terms], "estimate": fitted.params, "std_error": error,
        "conf_low": fitted.params - reach, "conf_high": fitted.params + reach, "ratio": np.exp(fitted.params),
        "ratio_low": np.exp(fitted.params - reach), "ratio_high": np.exp(fitted.params + reach),
    })  # fmt: skip
    if robust is not None:
        frame["sandwich_std_error"] = np.sqrt(np.diag(robust.sandwich))
    scale = "hazard ratio" if link == "cloglog" else "odds ratio"
    meta = Meta(
        kind="coefficient", keys=("term",), n_deals=periods.n_deals, conf_level=conf_level, interval="Wald",
        n_accounts=None if cluster is None else int(table[cluster].nunique()), cluster=cluster, unit=f"log {scale}",
        estimand=f"log {scale} of {outcome} within a period among open deals, for one unit of each covariate",
        variance="inverse information" if cluster is None else BY_ACCOUNT,
        time_unit=f"periods of {periods.period_days} days",
    )  # fmt: skip
    return Estimate(frame, meta)


def _robust(x: Floats, counts: tuple[Floats, Floats], fitted: Any, cluster: pd.Series[Any]) -> Robust:
    """Return the covariance over clusters of a fit, from its working residuals and working weights.

    McCullagh & Nelder (1989), section 2.5: with hazard p and its slope p' in the linear predictor, a row of n deals has
    the residual (d - n p) p' / (p (1 - p)) and the weight n p'^2 / (p (1 - p)).
    """
    ended, n = counts
    link = fitted.model.family.link
    p = link.inverse(x @ fitted.params)
    slope = link.inverse_deriv(x @ fitted.params)
    spread = np.maximum(p * (1 - p), 1e-300)
    residual, weight = (ended - n * p) * slope / spread, n * slope**2 / spread
    place = np.asarray(pd.factorize(cluster)[0], dtype=np.int64)
    inverse = np.linalg.inv((x * weight[:, None]).T @ x)
    return robust_covariance(Counts(x, n, ended[:, None]), place, (weight[:, None, None], residual[:, None]), inverse)


def _fitted(x: Floats, counts: tuple[Floats, Floats], link: Link) -> Any:
    """Fit the binomial regression; an infinite effect is a reason to stop."""
    import warnings

    import statsmodels.api as sm
    from statsmodels.tools.sm_exceptions import ConvergenceWarning, PerfectSeparationWarning

    ended, n = counts
    links = sm.families.links
    family = sm.families.Binomial(link=links.CLogLog() if link == "cloglog" else links.Logit())
    model = sm.GLM(np.column_stack([ended, n - ended]), x, family=family)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error", ConvergenceWarning)
        warnings.simplefilter("error", PerfectSeparationWarning)
        try:
            fitted = model.fit(maxiter=200, tol=1e-11, tol_criterion="params")
        except (ConvergenceWarning, PerfectSeparationWarning):
            raise _unsettled() from None
    # steps also end where the hazard of some deals has become 0 to rounding
    far = np.abs(fitted.params) * (x.max(axis=0) - x.min(axis=0))
    if not far.max() <= RUNAWAY:
        raise _unsettled()
    return fitted


def _unsettled() -> InputError:
    return InputError(
        "the fit does not settle: with some value of a covariate every deal, or no deal, had the outcome",
        action="Merge rare categories or late periods, or use discrete_time_model with a ridge",
    )
