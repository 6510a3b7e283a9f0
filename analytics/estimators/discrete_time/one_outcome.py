"""One outcome against all else, with a link of one's own: a binomial regression of statsmodels on person-periods."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from analytics.estimators.discrete_time.models import INTERCEPT
from analytics.estimators.discrete_time.periods import PersonPeriods
from analytics.estimators.hazards.design import columns_read, design
from analytics.estimators.rates import quantile
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
        Column of accounts (or deals): standard errors are then robust.
    conf_level : float

    Returns
    -------
    Estimate
        Kind coefficient, keys (term,): `estimate`, `std_error`, interval, `ratio`, `ratio_low`, `ratio_high`.

    Raises
    ------
    InputError
        An unknown outcome or link, missing columns or cells, an outcome that nobody had, a fit that does not settle.

    Notes
    -----
    Prentice & Gloeckler (1978), Biometrics 34:57. Fits of several outcomes by cloglog do not add up within a period:
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
    fitted = _fitted(made.of(table), (ended, n), link, None if cluster is None else table[cluster])
    reach = quantile(conf_level) * fitted.bse
    frame = pd.DataFrame({
        "term": [INTERCEPT, *made.terms], "estimate": fitted.params, "std_error": fitted.bse,
        "conf_low": fitted.params - reach, "conf_high": fitted.params + reach, "ratio": np.exp(fitted.params),
        "ratio_low": np.exp(fitted.params - reach), "ratio_high": np.exp(fitted.params + reach),
    })  # fmt: skip
    scale = "hazard ratio" if link == "cloglog" else "odds ratio"
    meta = Meta(
        kind="coefficient", keys=("term",), n_deals=periods.n_deals, conf_level=conf_level, interval="Wald",
        n_accounts=None if cluster is None else int(table[cluster].nunique()), cluster=cluster, unit=f"log {scale}",
        estimand=f"log {scale} of {outcome} within a period among open deals, for one unit of each covariate",
        variance="inverse information" if cluster is None else "sandwich",
        time_unit=f"periods of {periods.period_days} days",
    )  # fmt: skip
    return Estimate(frame, meta)


def _fitted(x: Any, counts: tuple[Any, Any], link: Link, cluster: pd.Series[Any] | None) -> Any:
    """Fit the binomial regression; an infinite effect is a reason to stop."""
    import warnings

    import statsmodels.api as sm
    from statsmodels.tools.sm_exceptions import ConvergenceWarning, PerfectSeparationWarning

    ended, n = counts
    links = sm.families.links
    family = sm.families.Binomial(link=links.CLogLog() if link == "cloglog" else links.Logit())
    how: dict[str, Any] = {}
    if cluster is not None:
        groups = pd.factorize(cluster)[0]
        how = {"cov_type": "cluster", "cov_kwds": {"groups": groups, "use_correction": False}}
    model = sm.GLM(np.column_stack([ended, n - ended]), np.hstack([np.ones((len(x), 1)), x]), family=family)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error", ConvergenceWarning)
        warnings.simplefilter("error", PerfectSeparationWarning)
        try:
            fitted = model.fit(maxiter=200, tol=1e-11, tol_criterion="params", **how)
        except (ConvergenceWarning, PerfectSeparationWarning):
            raise InputError(
                "the fit does not settle: with some value of a covariate every deal, or no deal, had the outcome",
                action="Merge rare categories or late periods, or use discrete_time_model with a ridge",
            ) from None
    return fitted
