"""Decompositions: R's threefold numbers, Kitagawa with two factors, Das Gupta's formula with three, simulation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.estimators.das_gupta import ALIKE, NO_DRAWS, das_gupta, factor_effects, threefold
from analytics.estimators.kitagawa import kitagawa
from analytics.records.errors import InputError

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
NUMBER = st.floats(0.1, 5)


def sides() -> list[np.ndarray]:
    frame = pd.read_csv(GOLDEN / "inputs" / "syn_rates.csv")
    frame["n"] = frame[["won", "lost", "nodecision"]].sum(axis=1)
    table = frame.groupby(["quarter", "segment"])[["won", "n"]].sum()
    return [table.loc[quarter, name].to_numpy() for quarter in ("Q1", "Q2") for name in ("won", "n")]


def test_threefold_oaxaca_segment() -> None:
    r = json.loads((GOLDEN / "syn_rates.json").read_text())["threefold_oaxaca_segment"]["value"]
    frame = threefold(*sides()).frame.set_index("part")["estimate"]
    for name, value in r.items():
        assert frame[name] == pytest.approx(value, abs=1e-14)
    assert frame["all"] == pytest.approx(frame[list(r)].sum(), abs=1e-14)


def test_threefold_errors_are_those_of_resampled_counts() -> None:
    x1, n1, x2, n2 = sides()
    rng, parts = np.random.default_rng(1), []
    for _ in range(1000):
        m1, m2 = (rng.multinomial(int(n.sum()), n / n.sum()) for n in (n1, n2))
        parts.append(
            threefold(rng.binomial(m1, x1 / n1), m1, rng.binomial(m2, x2 / n2), m2).frame["estimate"].to_numpy()
        )
    errors = threefold(*sides()).frame["std_error"].to_numpy()
    np.testing.assert_allclose(np.std(parts, axis=0), errors, rtol=0.1)


def test_two_factors_are_kitagawa() -> None:
    x1, n1, x2, n2 = sides()
    then, now = ({"mix": n / n.sum(), "won": x / n} for x, n in ((x1, n1), (x2, n2)))
    effects = das_gupta(lambda mix, won: (mix * won).sum(), then, now).frame.set_index("factor")
    table = kitagawa(then["mix"], now["mix"], then["won"], now["won"])
    assert effects.loc["mix", "estimate"] == pytest.approx(table["mix"].sum(), abs=1e-12)
    assert effects.loc["won", "estimate"] == pytest.approx(table["rate"].sum(), abs=1e-12)
    assert effects["no_interval_reason"].unique().tolist() == [NO_DRAWS]


@settings(max_examples=50, deadline=None)
@given(st.tuples(*[NUMBER] * 3), st.tuples(*[NUMBER] * 3))
def test_three_factors_are_das_guptas_formula(then: Any, now: Any) -> None:
    (a, b, c), (aa, bb, cc) = then, now
    effects = factor_effects(
        lambda x, y, z: x * y * z, dict(zip("xyz", then, strict=True)), dict(zip("xyz", now, strict=True))
    )
    assert effects["x"] == pytest.approx(((b * c + bb * cc) / 3 + (b * cc + bb * c) / 6) * (aa - a), abs=1e-9)
    assert sum(effects.values()) == pytest.approx(aa * bb * cc - a * b * c, abs=1e-9)


def test_limits_are_quantiles_of_resamples() -> None:
    rng = np.random.default_rng(2)
    then, now = {"n": 100.0, "won": 0.2}, {"n": 120.0, "won": 0.3}
    draws: Any = tuple(
        {"n": rng.poisson(side["n"], 999), "won": rng.normal(side["won"], 0.02, 999)} for side in (then, now)
    )
    frame = das_gupta(lambda n, won: n * won, then, now, draws=draws).frame.set_index("factor")
    slow = [(draws[1]["won"] - draws[0]["won"]) * (draws[0]["n"] + draws[1]["n"]) / 2]
    assert frame.loc["won", ["conf_low", "conf_high"]].tolist() == pytest.approx(
        np.quantile(slow[0], [0.025, 0.975]).tolist(), abs=1e-9
    )
    assert frame["share_of_change"].tolist() == pytest.approx([5 / 16, 11 / 16, 1.0])


def test_edges() -> None:
    same = das_gupta(lambda n: n, {"n": 1.0}, {"n": 1.0}).frame
    assert same["estimate"].tolist() == [0.0, 0.0]
    assert same["share_of_change"].isna().all()
    with pytest.raises(InputError, match="different factors"):
        factor_effects(lambda n: n, {"n": 1.0}, {"m": 1.0})
    with pytest.raises(InputError, match="too many"):
        factor_effects(lambda **k: 0.0, {f"f{i}": 0 for i in range(11)}, {f"f{i}": 0 for i in range(11)})
    with pytest.raises(InputError, match="one side only"):
        threefold([1, 0], [3, 0], [1, 1], [3, 3])
    never = threefold([0, 0], [5, 5], [0, 0], [5, 5]).frame
    assert never["estimate"].tolist() == [0, 0, 0, 0]
    assert never[["std_error", "conf_low", "conf_high"]].isna().all(axis=None)
    assert never["no_interval_reason"].str.startswith("nobody or everybody").all()


def test_no_share_of_a_change_that_may_be_none() -> None:
    """A factor that no resample moves has no error, and a change whose limits hold 0 is not shared out."""
    draws = np.linspace(-1, 1, 101)
    sides = {"a": 0 * draws, "b": 0 * draws}, {"a": 0.2 + draws, "b": np.ones(101)}
    found = das_gupta(lambda a, b: a + b, {"a": 0.0, "b": 0.0}, {"a": 0.2, "b": 1.0}, draws=sides).frame
    assert found["conf_low"].tolist() == pytest.approx([0.2 - 0.95, np.nan, 1.2 - 0.95], nan_ok=True)
    assert found["no_interval_reason"].tolist() == ["", ALIKE, ""]
    assert found["share_of_change"].tolist() == pytest.approx([0.2 / 1.2, 1 / 1.2, 1])
    wider = {"a": 0.2 + 2 * draws, "b": np.ones(101)}
    found = das_gupta(lambda a, b: a + b, {"a": 0.0, "b": 0.0}, {"a": 0.2, "b": 1.0}, draws=(sides[0], wider)).frame
    assert found["share_of_change"].isna().all()  # the change lies between 1.2 - 1.9 and 1.2 + 1.9
