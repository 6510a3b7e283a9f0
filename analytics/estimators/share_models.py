"""Which closed deals are won more often: logistic regression of counts, and with shared accounts (statsmodels)."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.estimators.columns import account_column
from analytics.estimators.hazards.design import design
from analytics.estimators.rates import df_of_sizes, quantile
from analytics.estimators.result import Estimate, Meta
from analytics.records.errors import InputError, nearest

Floats = npt.NDArray[np.float64]
Working = Literal["independence", "exchangeable"]
CERTAIN = 1e-9
"""A fitted chance closer to 0 or 1 than this is on its way there."""


def grouped_logit(
    table: pd.DataFrame, formula: str, *, successes: str, failures: str, conf_level: float = 0.95
) -> Estimate:
    """By how much do the odds of an outcome differ between cells of a count table?

    Parameters
    ----------
    table : pandas.DataFrame
        One row per cell: counts of successes and failures and the columns of the formula; cells without deals are left
        out, and the note counts them.
    formula : str
        "C(quarter) + C(segment)".
    successes, failures : str
        Columns of counts.
    conf_level : float

    Returns
    -------
    Estimate
        Kind coefficient, key `("term",)`, "Intercept" first: log odds ratios; `odds_ratio`, `ratio_low`, `ratio_high`,
        `p_value`, and `deviance` with `df_residual` of the whole model (far above it, deals of a cell are not alike).

    Raises
    ------
    InputError
        Missing columns, counts that are negative or missing, a cell kind in which nobody or everybody succeeded.

    Notes
    -----
    Binomial GLM (McCullagh & Nelder 1989, ch. 4); deals are taken as independent: see `clustered_logit`. With offsets
    or many empty cells use `cause_specific_cox`, which also takes deals still open.

    Examples
    --------
    >>> table = pd.DataFrame({"quarter": ["Q1", "Q2"], "won": [20, 35], "lost": [80, 65]})
    >>> grouped_logit(table, "C(quarter)", successes="won", failures="lost").frame["odds_ratio"].round(4).tolist()
    [0.25, 2.1538]
    """
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM

    for name in (successes, failures):
        if name not in table.columns:
            raise InputError(f"the table has no column {name!r}", action=nearest(name, table.columns))
    counts = table[[successes, failures]].to_numpy(dtype=float)
    if not (np.isfinite(counts).all() and (counts >= 0).all()):
        raise InputError("a count is missing or negative", value=(successes, failures))
    kept = counts.sum(axis=1) > 0
    made = design(table[kept].reset_index(drop=True), formula)
    x = np.column_stack([np.ones(int(kept.sum())), made.x])
    fit = _settled(lambda: GLM(counts[kept], x, family=Binomial()).fit(tol=1e-14, maxiter=200))
    frame = _frame(("Intercept", *made.terms), np.asarray(fit.params), np.asarray(fit.bse), conf_level)
    frame = frame.assign(deviance=float(fit.deviance), df_residual=int(fit.df_resid))
    empty = int((~kept).sum())
    return Estimate(frame, Meta(
        kind="coefficient", estimand=f"log odds ratio of {successes} against {failures} for one unit of each covariate",
        keys=("term",), n_deals=int(counts.sum()), conf_level=conf_level, interval="Wald", unit="log odds ratio",
        variance="inverse information", note=f"{empty} cells have no deals." if empty else "",
    ))  # fmt: skip


def clustered_logit(
    closed: pd.DataFrame,
    formula: str,
    *,
    cluster: str,
    outcome: str = "won",
    working: Working = "independence",
    conf_level: float = 0.95,
) -> Estimate:
    """By how much do the odds of an outcome differ between closed deals, where deals of an account are alike?

    Parameters
    ----------
    closed : pandas.DataFrame
        Closed deals: `outcome`, accounts and the columns of the formula.
    formula, outcome, conf_level
        As for `grouped_logit`; every other outcome is its complement.
    cluster : str
        Column of accounts.
    working : {"independence", "exchangeable"}
        How deals of one account are weighted; standard errors hold under either. "exchangeable" lets accounts with many
        deals count less.

    Returns
    -------
    Estimate
        As for `grouped_logit`, with `within` (estimated correlation of two deals of one account under "exchangeable").

    Raises
    ------
    InputError
        Open deals, missing columns, fewer than two accounts, a fit that does not settle.

    Notes
    -----
    Generalised estimating equations, Liang & Zeger (1986), Biometrika 73:13; accounts are taken as independent. The
    sandwich's standard errors are too small with few accounts: these are corrected for what the fit takes from each
    account's residuals (Mancl & DeRouen 2001, Biometrics 57:126), and limits and p-values use t with the accounts'
    worth less one degrees of freedom (`accounts_worth` of their deals).

    Examples
    --------
    >>> closed = pd.DataFrame({"outcome": ["won", "lost", "won", "lost", "won", "lost"], "x": [0, 0, 1, 1, 1, 0],
    ...                        "account_id": list("aabbcd")})
    >>> clustered_logit(closed, "x", cluster="account_id").frame["estimate"].round(4).tolist()
    [-0.6931, 1.3863]
    """
    from statsmodels.genmod.cov_struct import Exchangeable, Independence
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_estimating_equations import GEE

    kinds = {"independence": Independence, "exchangeable": Exchangeable}
    if working not in kinds:
        raise InputError("there is no such working correlation", value=working, action=nearest(working, kinds))
    for name in ("outcome", cluster):
        if name not in closed.columns:
            raise InputError(f"the deals have no column {name!r}", action=nearest(name, closed.columns))
    if (closed["outcome"] == "open").any():
        raise InputError("some of these deals are still open", column="outcome", action="Use cause_specific_cox")
    unit = pd.factorize(account_column(closed, cluster))[0]
    if unit.max(initial=-1) < 1:
        raise InputError("there are fewer than two accounts, so nothing tells how they differ", column=cluster)
    made = design(closed, formula)
    x = np.column_stack([np.ones(len(closed)), made.x])
    y = np.where(closed["outcome"] == outcome, 1.0, 0.0)
    structure = kinds[working]()
    model = GEE(y, x, groups=unit, family=Binomial(), cov_struct=structure)
    fit = _settled(lambda: model.fit(ctol=1e-12, maxiter=200, cov_type="bias_reduced"))
    df = df_of_sizes(np.bincount(unit))
    frame = _frame(("Intercept", *made.terms), np.asarray(fit.params), np.asarray(fit.bse), conf_level, df)
    within = float(structure.dep_params) if working == "exchangeable" else np.nan
    return Estimate(frame.assign(within=within), Meta(
        kind="coefficient", estimand=f"log odds ratio of {outcome} among closed deals for one unit of each covariate",
        keys=("term",), n_deals=len(closed), n_accounts=int(unit.max()) + 1, conf_level=conf_level,
        interval="t by the accounts' worth", variance=f"sandwich by account, bias-reduced, working {working}",
        cluster=cluster, unit="log odds ratio",
    ))  # fmt: skip


def _frame(
    terms: tuple[str, ...], value: Floats, error: Floats, conf_level: float, df: float | None = None
) -> pd.DataFrame:
    from scipy.special import ndtr, stdtr

    reach, beyond = quantile(conf_level, df) * error, -np.abs(value / error)
    return pd.DataFrame({
        "term": terms, "estimate": value, "std_error": error, "conf_low": value - reach, "conf_high": value + reach,
        "odds_ratio": np.exp(value), "ratio_low": np.exp(value - reach), "ratio_high": np.exp(value + reach),
        "p_value": 2 * (ndtr(beyond) if df is None else stdtr(df, beyond)),
    })  # fmt: skip


def _settled(fit: Any) -> Any:
    """Run a fit of statsmodels; its doubts are errors here."""
    import warnings

    from statsmodels.tools.sm_exceptions import ConvergenceWarning

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            found = fit()
        except (ArithmeticError, ValueError, np.linalg.LinAlgError):
            raise _endless() from None
    chance = np.asarray(found.fittedvalues, dtype=float)
    if any(issubclass(warning.category, ConvergenceWarning) for warning in said):
        raise _endless()
    if not np.isfinite(chance).all():  # steps of the working correlation may drive the coefficients apart
        raise InputError("the fit runs away from step to step", action="Take working='independence'")
    if chance.min() < CERTAIN or chance.max() > 1 - CERTAIN:
        raise _endless()
    return found


def _endless() -> InputError:
    return InputError(
        "the fit does not settle: in some cell every deal, or none, had the outcome",
        action="Merge rare categories, or leave a covariate out",
    )
