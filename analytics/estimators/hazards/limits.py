"""The limits of predicted and standardised incidences: on which scale, and by how many degrees of freedom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.hazards.models import HazardModel
from analytics.estimators.hazards.rows import Floats
from analytics.estimators.intervals import probability_interval, t_value
from analytics.estimators.result import Estimate, EstimateKind, Meta

KNOWN_WEIGHTS = "infinitesimal jackknife of the models; the weights from censorings and late entries taken as known"


def _df(models: Mapping[str, HazardModel], outcome: pd.Series[Any]) -> Floats:
    """Return the degrees of freedom of each row: the outcome's events less the terms, or what accounts are worth."""
    events = {name: float(model.rows.n[model.rows.hit].sum()) - len(model.fit.beta) for name, model in models.items()}
    accounts = min(float(model.fit.df.min()) for model in models.values())
    return np.maximum(np.minimum(outcome.map(events).to_numpy(dtype=float), accounts), 1.0)


def shares_of(
    frame: pd.DataFrame, models: Mapping[str, HazardModel], conf_level: float, words: str, note: str
) -> Estimate:
    """Return shares with their limits, kind incidence (probability for Fine-Gray models)."""
    model = next(iter(models.values()))
    estimate = frame["estimate"].to_numpy()
    size = np.full(len(frame), float(model.coefficients.meta.n_accounts or model.coefficients.meta.n_deals))
    low, high = probability_interval(
        estimate, frame["std_error"].to_numpy(), size, conf_level=conf_level, df=_df(models, frame["outcome"])
    )
    keys = tuple(name for name in frame.columns if name not in ("estimate", "std_error"))
    # separate Fine-Gray models are not one distribution, so nothing requires their shares to add to 1
    kind: EstimateKind = "incidence" if model.kind == "cause-specific" else "probability"
    meta = Meta(
        kind=kind, estimand=words, keys=keys, n_deals=model.coefficients.meta.n_deals,
        n_accounts=model.coefficients.meta.n_accounts, conf_level=conf_level, interval="log-log with t",
        variance=_variance(model), cluster=model.coefficients.meta.cluster, note=note,
    )  # fmt: skip
    return Estimate(frame.assign(conf_low=low, conf_high=high), meta)


def _variance(model: HazardModel) -> str:
    words = "infinitesimal jackknife of the models" if model.kind == "cause-specific" else KNOWN_WEIGHTS
    return words if model.unit is None else f"{words}; by account, corrected for leverage"


def contrast_of(
    frame: pd.DataFrame, models: Mapping[str, HazardModel], conf_level: float, reference: object
) -> Estimate:
    """Return differences of shares with their limits, kind contrast."""
    model = next(iter(models.values()))
    reach = t_value(conf_level, _df(models, frame["outcome"])) * frame["std_error"]
    low, high = frame["estimate"] - reach, frame["estimate"] + reach
    meta = Meta(
        kind="contrast", estimand=f"difference of the standardised shares from those at {reference}",
        keys=tuple(frame.columns[:3]), n_deals=model.coefficients.meta.n_deals,
        n_accounts=model.coefficients.meta.n_accounts, conf_level=conf_level, interval="Wald with t",
        variance=_variance(model), cluster=model.coefficients.meta.cluster,
    )  # fmt: skip
    return Estimate(frame.assign(conf_low=low.clip(-1, 1), conf_high=high.clip(-1, 1)), meta)
