"""What would shares of closed deals be had all, or none, been exposed: a regression averaged over the deals."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.estimators.adjusted_incidence import NO_SPREAD, few_accounts_root, with_e_values
from analytics.estimators.adjustment import exposure_of
from analytics.estimators.columns import account_column
from analytics.estimators.hazards.design import design
from analytics.estimators.intervals import t_value
from analytics.estimators.logistic import logistic
from analytics.estimators.rates import accounts_worth
from analytics.estimators.result import Estimate, Meta
from analytics.estimators.strata import ONE_ACCOUNT
from analytics.records.errors import InputError

Floats = npt.NDArray[np.float64]


def standardised_shares(
    closed: pd.DataFrame,
    exposure: str,
    formula: str,
    *,
    outcome: str = "won",
    cluster: str | None = None,
    conf_level: float = 0.95,
) -> Estimate:
    """What share of these closed deals would have the outcome had all been exposed, had none been?

    Parameters
    ----------
    closed : pandas.DataFrame
        Closed deals with `outcome`, the exposure (0/1, known at opening) and the columns of the formula.
    exposure, formula : str
        The formula of the logistic regression, the exposure among it ("partner * size + C(region)").
    outcome : str
    cluster : str, optional
        Column of accounts.
    conf_level : float

    Returns
    -------
    Estimate
        Kind contrast; key `("contrast",)`: "exposed", "unexposed" (shares), "difference", "ratio" (limits and
        `std_error` on the log scale), each with `model_std_error` (delta method, covariates taken as fixed, accounts
        ignored); the ratio with `e_value` and `e_value_limit`.

    Raises
    ------
    InputError
        Open deals, an exposure that is not 0/1 or not in the formula, and as for a logistic regression.

    Notes
    -----
    G-computation: predictions at exposure 1 and at 0, averaged over all deals (Robins 1986, Math Model 7:1393; Hernan &
    Robins, What If, ch. 13). It rests on the regression being right; weights rest on the weight model instead. Standard
    errors by influence: (m_i - m) + g' psi_i; with accounts, times sqrt(G/(G-1)) and limits by t with G - 1 degrees of
    freedom, where G is what the accounts of the arm are worth (`accounts_worth` of their deals), as in
    `adjusted_incidence`. Shares of closed deals mix cohorts of different maturity: see
    `adjusted_incidence` for deals still open.

    Examples
    --------
    >>> closed = pd.DataFrame({"partner": [0, 0, 1, 1, 0, 1, 0, 1], "size": [1.0, 2, 2, 3, 4, 5, 6, 9],
    ...                        "outcome": ["won", "lost", "won", "won", "lost", "lost", "won", "lost"]})
    >>> standardised_shares(closed, "partner", "partner + size").at(contrast="difference")["estimate"].round(4).tolist()
    [0.1173]
    """
    a = exposure_of(closed, exposure)
    if (closed["outcome"] == "open").any():
        raise InputError("some of these deals are still open", column="outcome", action="Use adjusted_incidence")
    made = design(closed.assign(**{exposure: a.astype(float)}), formula)
    if exposure not in made.columns:
        raise InputError("the formula does not hold the exposure", value=formula, action=f"Add {exposure}")
    y = np.where(closed["outcome"] == outcome, 1.0, 0.0)
    fit = logistic(made.x, y, made.terms)
    n = len(y)
    share, slope, moved = [], [], []
    for value in (1.0, 0.0):
        x = np.column_stack([np.ones(n), made.of(closed.assign(**{exposure: value}))])
        m = 1 / (1 + np.exp(-x @ fit.beta))
        share.append(float(m.mean()))
        slope.append((x * (m * (1 - m))[:, None]).mean(axis=0))
        moved.append((m - m.mean()) / n + fit.influence @ slope[-1])
    unit = None if cluster is None else pd.factorize(account_column(closed, cluster))[0]
    worth = [np.inf if unit is None else accounts_worth(np.bincount(unit[a == arm])) for arm in (True, False)]
    moved = [part * few_accounts_root(accounts) for part, accounts in zip(moved, worth, strict=True)]
    (r1, r0), (g1, g0), (u1, u0) = share, slope, moved
    rows = [
        _row("exposed", r1, (g1, u1), fit.model, unit), _row("unexposed", r0, (g0, u0), fit.model, unit),
        _row("difference", r1 - r0, (g1 - g0, u1 - u0), fit.model, unit),
        _row("ratio", r1 / r0, (g1 / r1 - g0 / r0, u1 / r1 - u0 / r0), fit.model, unit),
    ]  # fmt: skip
    df = np.maximum(np.array([*worth, min(worth), min(worth)]) - 1, 1.0)
    frame = _limits(pd.DataFrame(rows), t_value(conf_level, df))
    meta = Meta(
        kind="contrast", keys=("contrast",), n_deals=n, n_accounts=None if unit is None else int(unit.max()) + 1,
        estimand=f"share of these closed deals that would be {outcome}, had all or none been {exposure}",
        conf_level=conf_level, cluster=cluster, interval="logit (shares), plain (difference), log (ratio)",
        variance="influence functions" + (" by account, times G/(G-1)" if cluster else ""),
    )  # fmt: skip
    return Estimate(frame, meta)


def _row(contrast: str, estimate: float, parts: tuple[Floats, Floats], model: Floats, unit: Any) -> dict[str, Any]:
    slope, moved = parts
    if unit is not None:
        moved = np.asarray(np.bincount(unit, weights=moved), dtype=float)
    return {
        "contrast": contrast, "estimate": estimate, "std_error": float(np.sqrt((moved**2).sum())),
        "model_std_error": float(np.sqrt(slope @ model @ slope)),
    }  # fmt: skip


def _limits(frame: pd.DataFrame, z: Floats) -> pd.DataFrame:
    value, error = frame["estimate"].to_numpy(), frame["std_error"].to_numpy()
    low, high = value - z * error, value + z * error
    for j in (0, 1):
        centre, reach = np.log(value[j] / (1 - value[j])), z[j] * error[j] / (value[j] * (1 - value[j]))
        low[j], high[j] = (1 / (1 + np.exp(-(centre + sign * reach))) for sign in (-1, 1))
    low[2], high[2] = max(low[2], -1.0), min(high[2], 1.0)
    low[3], high[3] = (value[3] * np.exp(sign * z[3] * error[3]) for sign in (-1, 1))
    none = np.isnan(error) | (error <= 1e-12)
    limited = frame.assign(
        std_error=np.where(none, np.nan, error), conf_low=np.where(none, np.nan, low),
        conf_high=np.where(none, np.nan, high),
        no_interval_reason=np.where(np.isnan(error), ONE_ACCOUNT, np.where(none, NO_SPREAD, "")),
    )  # fmt: skip
    return with_e_values(limited)
