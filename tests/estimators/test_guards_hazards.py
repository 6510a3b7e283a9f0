"""Guards of the hazard models: what may not matter does not, and what cannot be answered has a name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.estimators.hazards.age_bands import hazard_ratios_by_age
from analytics.estimators.hazards.models import cause_specific_cox, fine_gray
from analytics.estimators.hazards.prediction import predicted_incidence, standardised_incidence
from analytics.estimators.hazards.proportionality import proportionality_test
from analytics.records.errors import InputError

QUICK = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
CAUSES = ("won", "lost")
FITS = pytest.mark.parametrize("fit", [cause_specific_cox, fine_gray])


@st.composite
def deals(draw: st.DrawFn) -> pd.DataFrame:
    """Deals with ties of all causes and censorings, with x on both sides of each cause, so that all can be fitted."""
    row = st.tuples(
        st.integers(-1, 4), st.integers(5, 10), st.sampled_from([*CAUSES, "open"]), st.sampled_from([0.0, 0.5, 1.0]),
        st.sampled_from("abc"), st.integers(1, 4),
    )  # fmt: skip
    fixed = [(-1, day, cause, x, account, 1) for day, x, account in ((6, 0.0, "a"), (6, 1.0, "b"), (8, 0.5, "c"),
             (9, 1.0, "a"), (9, 0.0, "b")) for cause in (*CAUSES, "open")]  # fmt: skip
    rows = fixed + draw(st.lists(row, min_size=3, max_size=15))
    frame = pd.DataFrame(rows, columns=["entry", "exit", "outcome", "x", "account", "w"])
    return frame.assign(w=frame["w"].astype(float), deal=[f"d{i}" for i in range(len(frame))])


def numbers(frame: pd.DataFrame, fit: Any, **how: Any) -> Any:
    """Everything that is read off a pair of models, in one row of numbers."""
    models = {name: fit(frame, "x", outcome=name, **how) for name in CAUSES}
    shift = float(frame.attrs.get("shift", 0))
    times = [6 + shift, 9 + shift]
    parts = [model.coefficients.frame[["estimate", "std_error"]] for model in models.values()]
    parts.append(predicted_incidence(models, pd.DataFrame({"x": [0.0, 1.0]}), times=times).frame[
        ["estimate", "std_error", "conf_low", "conf_high"]])  # fmt: skip
    other = pd.DataFrame({"x": [0.0, 0.5]})
    parts += [e.frame[["estimate", "std_error"]] for e in standardised_incidence(
        models, other, exposure="x", levels=[0.0, 1.0], times=times)]  # fmt: skip
    if fit is cause_specific_cox:
        parts.append(proportionality_test(models["won"]).frame[["estimate", "p_value"]])
        ratios, equal = hazard_ratios_by_age(models["won"], cuts=(7 + shift,))
        parts += [ratios.frame[["estimate", "std_error"]], equal.frame[["estimate", "p_value"]]]
    values = np.concatenate([part.to_numpy().ravel() for part in parts])
    assert np.isfinite(values).all()
    return values


def fitted_or_named(frame: pd.DataFrame, fit: Any, **how: Any) -> Any:
    try:
        return numbers(frame, fit, **how)
    except InputError as error:
        return str(error).split(":")[0]


def same(a: Any, b: Any) -> None:
    if isinstance(a, str):
        assert a == b
    else:
        np.testing.assert_allclose(a, b, atol=1e-7, rtol=1e-7)


@FITS
@QUICK
@given(frame=deals(), order=st.randoms(use_true_random=False))
def test_row_order_and_scale_of_weights(fit: Any, frame: pd.DataFrame, order: Any) -> None:
    mixed = frame.sample(frac=1, random_state=order.randrange(2**31)).reset_index(drop=True)
    heavier = frame.assign(w=frame["w"] * 7.3)
    for how in ({"weights": "w"}, {"weights": "w", "cluster": "account"}):
        whole = fitted_or_named(frame, fit, **how)
        same(whole, fitted_or_named(mixed, fit, **how))
        same(whole, fitted_or_named(heavier, fit, **how))


@FITS
@QUICK
@given(frame=deals(), days=st.integers(1, 300))
def test_time_shift_and_chance(fit: Any, frame: pd.DataFrame, days: int) -> None:
    later = frame.assign(entry=frame["entry"] + days, exit=frame["exit"] + days)
    later.attrs["shift"] = days
    before = np.random.get_state()[1].copy()  # type: ignore[index, union-attr]  # noqa: NPY002 - must stay untouched
    same(fitted_or_named(frame, fit), fitted_or_named(later, fit))
    assert (before == np.random.get_state()[1]).all()  # type: ignore[index]  # noqa: NPY002


@QUICK
@given(frame=deals(), where=st.floats(0.05, 0.95))
def test_splitting_a_deal(frame: pd.DataFrame, where: float) -> None:
    """Errors are by deal: of one deal's two rows with its id as the unit."""
    cut = frame["entry"] + where * (frame["exit"] - frame["entry"])
    split = pd.concat([frame.assign(exit=cut, outcome="open"), frame.assign(entry=cut)], ignore_index=True)
    same(fitted_or_named(frame, cause_specific_cox, cluster="deal"),
         fitted_or_named(split, cause_specific_cox, cluster="deal"))  # fmt: skip


@FITS
@QUICK
@given(frame=deals())
def test_naming_the_causes_otherwise(fit: Any, frame: pd.DataFrame) -> None:
    swapped = frame.replace({"outcome": {"won": "lost", "lost": "won"}})
    for a, b in (("won", "lost"), ("lost", "won")):
        one, other = (fit(f, "x", outcome=name).coefficients.frame for f, name in ((frame, a), (swapped, b)))
        np.testing.assert_allclose(one[["estimate", "std_error"]], other[["estimate", "std_error"]], atol=1e-9)


@FITS
def test_too_few_deals_have_named_errors(fit: Any) -> None:
    one = pd.DataFrame({"entry": [-1], "exit": [4], "outcome": ["won"], "x": [1.0]})
    for few in (one, one[:0], pd.concat([one, one.assign(exit=5)], ignore_index=True)):
        with pytest.raises(InputError):
            fit(few, "x", outcome="won")
    several = pd.DataFrame({"entry": -1, "exit": [4, 5, 6], "outcome": ["lost", "lost", "open"], "x": [1.0, 0, 1]})
    with pytest.raises(InputError, match="no deal had the outcome"):
        fit(several, "x", outcome="won")
    separated = several.assign(outcome=["won", "open", "won"])
    with pytest.raises(InputError, match="infinite"):
        fit(separated, "x", outcome="won")
