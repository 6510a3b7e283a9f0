"""Counted deals where rows and cells could part: formulas that learn, ordered categories, weights of 0, outcomes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analytics.estimators.counts import count_events
from analytics.estimators.hazards.models import cause_specific_cox, fine_gray
from analytics.estimators.hazards.prediction import standardised_incidence
from analytics.records.errors import InputError

RNG = np.random.default_rng(11)
SIZES = ["small", "middle", "large"]
DEALS = pd.DataFrame({
    "entry": -1, "exit": RNG.integers(0, 9, 300), "outcome": RNG.choice(["won", "lost", "open"], 300),
    "amount": np.minimum(RNG.geometric(0.3, 300), 9).astype(float),
    "size": pd.Categorical(RNG.choice(SIZES, 300), categories=SIZES, ordered=True),
    "w": RNG.choice([0.5, 1.0, 2.0], 300),
})  # fmt: skip


@pytest.mark.parametrize("formula", ["scale(amount)", "center(amount)", "poly(amount, 2)", "bs(amount, df=4)"])
def test_what_a_formula_learns_is_learned_from_the_deals(formula: str) -> None:
    rows = cause_specific_cox(DEALS, formula, outcome="won")
    cells = cause_specific_cox(count_events(DEALS, by="amount"), formula, outcome="won")
    assert len(cells.rows.order) < 200
    columns = ["estimate", "std_error"]
    np.testing.assert_allclose(rows.coefficients.frame[columns], cells.coefficients.frame[columns], atol=1e-9)


def test_ordered_categories_keep_their_order() -> None:
    rows = cause_specific_cox(DEALS, "C(size)", outcome="won").coefficients.frame
    table = count_events(DEALS, by="size")
    for counted in (table, count_events(DEALS[:150], by="size") + count_events(DEALS[150:], by="size")):
        cells = cause_specific_cox(counted, "C(size)", outcome="won").coefficients.frame
        assert cells["term"].tolist() == rows["term"].tolist() == ["C(size)[T.middle]", "C(size)[T.large]"]
        np.testing.assert_allclose(cells["estimate"], rows["estimate"], atol=1e-10)
    other = DEALS.assign(size=DEALS["size"].cat.reorder_categories(SIZES[::-1]))
    with pytest.raises(InputError, match="order of categories"):
        table + count_events(other, by="size")


def test_weights_of_zero_are_refused_in_counts_as_in_rows() -> None:
    without = DEALS.assign(w=np.where(np.arange(300) == 3, 0.0, DEALS["w"]), id=np.arange(300))
    with pytest.raises(InputError, match="zero or negative"):
        cause_specific_cox(without, "amount", outcome="won", weights="w")
    with pytest.raises(InputError, match="1 counted deals have weight 0"):
        cause_specific_cox(count_events(without, by=["amount", "id"], weights="w"), "amount", outcome="won")


@pytest.mark.parametrize("fit", [cause_specific_cox, fine_gray])
def test_an_outcome_that_is_none_is_told_from_the_ones_there_are(fit: Any) -> None:
    with pytest.raises(InputError, match=r"not one of the outcomes \(won, lost, no_decision\).*won"):
        fit(count_events(DEALS, by="amount"), "amount", outcome="wno")
    with pytest.raises(InputError, match="those that deals had: lost, won"):
        fit(DEALS, "amount", outcome="wno")
    with pytest.raises(InputError, match="not one of the outcomes"):
        fit(DEALS, "amount", outcome="open")


def test_other_deals_of_the_same_number_are_not_taken_for_the_fitted_ones() -> None:
    """What the target adds to the variance: nothing where it is given, its own spread where it was sampled."""
    models = {name: cause_specific_cox(DEALS, "amount + C(size)", outcome=name) for name in ("won", "lost")}
    other = DEALS.assign(amount=DEALS["amount"].to_numpy()[::-1])
    asked: dict[str, Any] = {"exposure": "size", "times": [5]}
    own, _ = standardised_incidence(models, DEALS, **asked)
    given, _ = standardised_incidence(models, other, **asked)
    np.testing.assert_allclose(own.frame["estimate"], given.frame["estimate"], atol=1e-12)  # the same sizes and amounts
    less, _ = standardised_incidence(models, pd.concat([other, other]), **asked)  # of another length
    np.testing.assert_allclose(given.frame["std_error"], less.frame["std_error"], atol=1e-12)
    assert (own.frame["std_error"] != given.frame["std_error"]).all()
