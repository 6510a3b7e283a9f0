"""Standard errors of predictions are what numerical derivatives with respect to each deal's weight say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analytics.estimators.counts import count_events
from analytics.estimators.cumulative_hazard import cumulative_hazard
from analytics.estimators.hazards.models import cause_specific_cox, fine_gray
from analytics.estimators.hazards.prediction import predicted_incidence, standardised_incidence
from analytics.estimators.mean_time import restricted_mean_time_lost
from analytics.estimators.result import Estimate

DEALS = pd.DataFrame({
    "entry": [-1, -1, 2, -1, 4, -1, -1, 1, -1, 3, -1, -1, 5, -1],
    "exit": [3, 5, 6, 6, 9, 6, 9, 9, 10, 10, 11, 12, 12, 13],
    "outcome": ["won", "won", "lost", "won", "won", "won", "lost", "won", "open", "won", "lost", "open", "won", "lost"],
    "x": [1.0, 0.2, 0.0, 1.3, 0.5, 0.1, 1.0, 0.0, 0.4, 1.1, 0.7, 0.0, 0.3, 1.0],
    "account": list("abcdabcdeabcde"),
    "w": [1.0, 2, 1.5, 1, 0.5, 1, 2, 1, 1, 1.2, 1, 3, 1, 0.8],
})  # fmt: skip
STEP = 1e-4


def by_derivatives(estimate: Callable[[pd.DataFrame], Any], cluster: str | None) -> Any:
    """The root of the sum of squares over units of w_i d estimate / d w_i, by central differences."""
    moved = []
    for place in range(len(DEALS)):
        sides = []
        for sign in (1, -1):
            bent = DEALS.copy()
            bent.loc[place, "w"] *= 1 + sign * STEP
            sides.append(np.asarray(estimate(bent), dtype=float))
        moved.append((sides[0] - sides[1]) / (2 * STEP))
    influence = pd.DataFrame(moved)
    if cluster is None:
        return np.sqrt((influence**2).sum())
    units = DEALS[cluster].nunique()
    return np.sqrt((influence.groupby(DEALS[cluster]).sum() ** 2).sum() * units / (units - 1))


def models_of(deals: pd.DataFrame, fit: Any, ties: str, cluster: str | None) -> Any:
    """Models without the correction for leverage, which no derivative knows of; C/(C-1) is left."""
    models = {name: fit(deals, "x", outcome=name, ties=ties, weights="w", cluster=cluster) for name in ("won", "lost")}
    few = 1.0 if cluster is None else np.sqrt(deals[cluster].nunique() / (deals[cluster].nunique() - 1))
    over = {name: model.fit.over_units for name, model in models.items()}
    return {
        name: replace(model, fit=replace(model.fit, over_units=replace(over[name], influence=over[name].plain * few)))
        for name, model in models.items()
    }


@pytest.mark.parametrize("cluster", [None, "account"])
@pytest.mark.parametrize("ties", ["breslow", "efron"])
@pytest.mark.parametrize("fit", [cause_specific_cox, fine_gray])
def test_predictions(fit: Any, ties: str, cluster: str | None) -> None:
    """Of Fine-Gray models too: their weights from censorings are counted, not weighted, and so stay as they are."""

    def shown(deals: pd.DataFrame) -> Estimate:
        profiles = pd.DataFrame({"x": [0.0, 1.2]})
        return predicted_incidence(models_of(deals, fit, ties, cluster), profiles, times=[5, 9, 12])

    slow = by_derivatives(lambda deals: shown(deals).frame["estimate"], cluster)
    np.testing.assert_allclose(shown(DEALS).frame["std_error"], slow, atol=2e-7)


@pytest.mark.parametrize("cluster", [None, "account"])
@pytest.mark.parametrize("fit", [cause_specific_cox, fine_gray])
def test_standardised_incidences_of_other_deals(fit: Any, cluster: str | None) -> None:
    target = pd.DataFrame({"x": [0.0, 0.5, 1.0]})

    def shown(deals: pd.DataFrame) -> tuple[Estimate, Estimate]:
        models = models_of(deals, fit, "efron", cluster)
        return standardised_incidence(models, target, exposure="x", levels=[0.0, 1.0], times=[6, 12])

    for part in (0, 1):
        slow = by_derivatives(lambda deals, part=part: shown(deals)[part].frame["estimate"], cluster)  # type: ignore[misc]
        np.testing.assert_allclose(shown(DEALS)[part].frame["std_error"], slow, atol=2e-7)


@pytest.mark.parametrize("cluster", [None, "account"])
def test_mean_time_lost_and_cumulative_hazard(cluster: str | None) -> None:
    def lost(deals: pd.DataFrame) -> Estimate:
        return restricted_mean_time_lost(count_events(deals, weights="w", cluster=cluster), horizon_days=12)

    def hazard(deals: pd.DataFrame) -> Estimate:
        return cumulative_hazard(count_events(deals, weights="w", cluster=cluster), times=[5, 9, 12])

    for shown in (lost, hazard):
        slow = by_derivatives(lambda deals, shown=shown: shown(deals).frame["estimate"], cluster)  # type: ignore[misc]
        np.testing.assert_allclose(shown(DEALS).frame["std_error"], slow, atol=2e-7)
