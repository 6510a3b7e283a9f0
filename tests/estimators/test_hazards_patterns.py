"""Hazard models of counted deals equal those of one row per deal: coefficients, errors, baseline and predictions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analytics.estimators.counts import count_events
from analytics.estimators.hazards.models import HazardModel, cause_specific_cox, fine_gray
from analytics.estimators.hazards.prediction import predicted_incidence, standardised_incidence
from analytics.records.errors import InputError

FORMULA = "C(segment) + rfp"


def deals(seed: int = 3, n: int = 400) -> pd.DataFrame:
    """Whole days with heavy ties of all causes, half of the deals watched from later on."""
    rng = np.random.default_rng(seed)
    entry = np.where(rng.random(n) < 0.5, -1, rng.integers(0, 3, n))
    return pd.DataFrame({
        "entry": entry, "exit": entry + 1 + rng.integers(0, 6, n),
        "outcome": rng.choice(["won", "lost", "no_decision", "open"], n),
        "segment": rng.choice(["A", "B", "C"], n), "rfp": rng.integers(0, 2, n), "region": rng.choice(["N", "S"], n),
        "pw": rng.choice([0.5, 1.0, 2.5], n), "account_id": rng.integers(0, 6, n),
    })  # fmt: skip


CASES = {
    "plain": ({}, ()), "strata": ({}, ("region",)), "weights": ({"weights": "pw"}, ()),
    "accounts": ({"cluster": "account_id"}, ()),
    "weights and accounts": ({"weights": "pw", "cluster": "account_id"}, ()),
}  # fmt: skip


def both(fit: object, ties: str, case: str, outcome: str = "won") -> tuple[HazardModel, HazardModel]:
    more, strata = CASES[case]
    frame = deals()
    table = count_events(frame, by=["segment", "rfp", *strata], **more)
    assert len(table.cells) < 0.95 * len(frame)
    by_row = fit(frame, FORMULA, outcome=outcome, ties=ties, strata=strata, **more)  # type: ignore[operator]
    return by_row, fit(table, FORMULA, outcome=outcome, ties=ties, strata=strata)  # type: ignore[operator]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("fit", [cause_specific_cox, fine_gray])
def test_counted_deals_give_what_rows_give(fit: object, ties: str, case: str) -> None:
    by_row, counted = both(fit, ties, case)
    corrected = ["std_error", "conf_low", "conf_high"]
    a, b = by_row.coefficients.frame, counted.coefficients.frame
    assert a["term"].tolist() == b["term"].tolist()
    columns = [name for name in ("estimate", "model_std_error", "sandwich_std_error", *corrected) if name in a]
    if case == "weights":  # a cell knows the sum of squared weights, not which of its deals is the heavy one
        np.testing.assert_allclose(a[corrected], b[corrected], rtol=1e-2)
        columns = [name for name in columns if name not in corrected]
    np.testing.assert_allclose(a[columns], b[columns], atol=1e-11)
    np.testing.assert_allclose(
        by_row.baseline()["cumulative_hazard"], counted.baseline()["cumulative_hazard"], rtol=1e-10
    )
    assert by_row.coefficients.meta.n_deals == counted.coefficients.meta.n_deals == 400
    assert by_row.coefficients.meta.n_accounts == counted.coefficients.meta.n_accounts


@pytest.mark.parametrize("case", ["plain", "accounts"])
@pytest.mark.parametrize("fit", [cause_specific_cox, fine_gray])
def test_predictions_of_counted_deals_are_those_of_rows(fit: object, case: str) -> None:
    pairs = {outcome: both(fit, "efron", case, outcome) for outcome in ("won", "lost", "no_decision")}
    profile = pd.DataFrame({"segment": ["A", "C"], "rfp": [0, 1]})
    target = deals(seed=8, n=30)
    rows, cells = ({name: pair[k] for name, pair in pairs.items()} for k in (0, 1))
    asked = {"times": [3, 6]}
    columns = ["estimate", "std_error"]
    a, b = (predicted_incidence(models, profile, **asked).frame[columns] for models in (rows, cells))
    np.testing.assert_allclose(a, b, atol=1e-11)
    for a, b in zip(
        *(standardised_incidence(m, target, exposure="segment", **asked) for m in (rows, cells)), strict=True
    ):
        np.testing.assert_allclose(a.frame[columns], b.frame[columns], atol=1e-11)


def test_weights_and_accounts_belong_to_the_counts() -> None:
    table = count_events(deals(), by=["segment", "rfp"])
    with pytest.raises(InputError, match="Give weights and cluster to count_events"):
        cause_specific_cox(table, FORMULA, outcome="won", weights="pw")


@pytest.mark.parametrize("fit", [cause_specific_cox, fine_gray])
def test_deals_with_the_weight_of_their_cell_are_corrected_alike_in_cells(fit: object) -> None:
    frame = deals()
    frame["pw"] = frame.groupby(["segment", "rfp"])["pw"].transform("first")
    table = count_events(frame, by=["segment", "rfp"], weights="pw")
    a, b = fit(frame, FORMULA, outcome="won", weights="pw"), fit(table, FORMULA, outcome="won")  # type: ignore[operator]
    columns = ["std_error", "conf_low", "conf_high", "p_value"]
    np.testing.assert_allclose(a.coefficients.frame[columns], b.coefficients.frame[columns], rtol=1e-9)
    np.testing.assert_allclose(a.fit.df, b.fit.df, rtol=1e-9)
    assert (a.fit.df < 400).all()


@pytest.mark.parametrize("fit", [cause_specific_cox, fine_gray])
def test_weighted_deals_are_corrected_as_accounts_of_one_deal_each(fit: object) -> None:
    frame = deals().assign(deal_id=lambda d: np.arange(len(d)))
    alone = fit(frame, FORMULA, outcome="won", weights="pw").coefficients.frame  # type: ignore[operator]
    by_id = fit(frame, FORMULA, outcome="won", weights="pw", cluster="deal_id").coefficients.frame  # type: ignore[operator]
    np.testing.assert_allclose(alone["std_error"] * np.sqrt(400 / 399), by_id["std_error"], rtol=1e-10)
    assert (alone["std_error"] > alone["sandwich_std_error"]).all()
