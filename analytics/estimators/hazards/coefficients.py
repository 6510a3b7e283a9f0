"""What a fitted hazard regression shows: coefficients with their standard errors, limits and p-values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from analytics.estimators.counts import RiskTable
from analytics.estimators.hazards.fitting import Fit
from analytics.estimators.hazards.likelihood import Ties
from analytics.estimators.hazards.rows import Ints
from analytics.estimators.intervals import t_value
from analytics.estimators.result import Estimate, Meta

Kind = Literal["cause-specific", "subdistribution"]
BY_ACCOUNT = "sandwich by account, corrected for leverage; t by effective accounts"
BY_WEIGHT = "sandwich, corrected for leverage; t by what the weighted deals are worth"


@dataclass(frozen=True)
class Asked:
    """What the caller of a hazard regression asked for."""

    deals: pd.DataFrame | RiskTable
    formula: str
    outcome: str
    kind: Kind
    ties: Ties
    conf_level: float


@dataclass(frozen=True)
class Sizes:
    """Deals, the account of each row, and the column of the accounts."""

    deals: int
    unit: Ints | None
    cluster: str | None

    @property
    def accounts(self) -> int | None:
        """How many accounts there are, where they are given."""
        return None if self.unit is None else int(self.unit.max()) + 1


def coefficients(asked: Asked, terms: tuple[str, ...], fit: Fit, sizes: Sizes) -> Estimate:
    """Return the coefficients of a model, kind coefficient, key ("term",)."""
    from scipy.special import ndtr, stdtr

    error = np.sqrt(np.diag(fit.covariance))
    reach = t_value(asked.conf_level, fit.df) * error
    z = fit.beta / error
    below = ndtr(-np.abs(z)) if np.isinf(fit.df).all() else stdtr(np.minimum(fit.df, 1e9), -np.abs(z))
    frame = pd.DataFrame({
        "term": terms, "estimate": fit.beta, "std_error": error,
        "conf_low": fit.beta - reach, "conf_high": fit.beta + reach,
        "hazard_ratio": np.exp(fit.beta), "ratio_low": np.exp(fit.beta - reach), "ratio_high": np.exp(fit.beta + reach),
        "z": z, "p_value": 2 * below,
        "model_std_error": np.sqrt(np.diag(fit.model)),
    })  # fmt: skip
    if fit.over_units is not None:
        frame["sandwich_std_error"] = np.sqrt(np.diag(fit.over_units.sandwich))
    of = (
        "cumulative incidence (subdistribution hazard)"
        if asked.kind == "subdistribution"
        else "hazard among open deals"
    )
    meta = Meta(
        kind="coefficient", estimand=f"log ratio of the {of} of {asked.outcome} for one unit of each covariate",
        keys=("term",), n_deals=sizes.deals, n_accounts=sizes.accounts, conf_level=asked.conf_level, interval="Wald",
        variance=variance_words(fit, sizes.unit), cluster=sizes.cluster, unit="log hazard ratio",
    )  # fmt: skip
    return Estimate(frame, meta)


def variance_words(fit: Fit, unit: Ints | None) -> str:
    """Say how the standard errors were made."""
    if fit.over_units is None:
        return "inverse information"
    if unit is not None:
        return BY_ACCOUNT
    return "sandwich" if np.isinf(fit.df).all() else BY_WEIGHT
