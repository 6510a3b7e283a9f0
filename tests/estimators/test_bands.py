"""Simultaneous bands: their covariance, multipliers drawn unit by unit, and whether they hold the whole curve."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analytics.estimators.aalen_johansen import curve_of
from analytics.estimators.bands import incidence_band, influence_covariance
from analytics.estimators.counts import count_events
from analytics.estimators.incidence import cumulative_incidence
from analytics.estimators.influence import influence
from analytics.estimators.jackknife import changes_of
from analytics.records.errors import InputError


def deals(n: int, seed: int, rng: np.random.Generator | None = None, late: bool = True) -> pd.DataFrame:
    rng = rng or np.random.default_rng(seed)
    account = rng.integers(0, max(n // 3, 2), n)
    lasts, leaves = rng.geometric(0.05, n), rng.integers(15, 90, n)
    entry = np.where(rng.random(n) < 0.3, rng.integers(-1, 6, n), -1) if late else np.full(n, -1)
    frame = pd.DataFrame({
        "entry": entry, "exit": np.minimum(lasts, leaves), "account": account, "segment": rng.choice(["a", "b"], n),
        "outcome": np.where(lasts <= leaves, rng.choice(["won", "lost"], n, p=[0.4, 0.6]), "open"),
    })  # fmt: skip
    return frame[frame["exit"] > frame["entry"]].reset_index(drop=True)


@pytest.mark.parametrize("cluster", [None, "account"])
def test_covariance_of_a_curve_is_that_of_the_influences(cluster: str | None) -> None:
    risk = count_events(deals(120, 1), cluster=cluster)
    ((_, cells),) = risk.strata()
    curve = curve_of(cells, len(risk.outcomes))
    places = np.arange(3, 20, 4)
    joint = influence(risk, times=curve.time[places]).select(outcome="won").covariance()
    factor = 1.0 if cluster is None else cells.accounts / (cells.accounts - 1)
    mine = influence_covariance(changes_of(curve, cells), places, 0) * factor
    np.testing.assert_allclose(mine, joint, atol=1e-15)


def test_critical_value_is_that_of_multipliers_drawn_unit_by_unit() -> None:
    risk = count_events(deals(150, 2), cluster="account")
    band = incidence_band(risk, between=(5, 40)).at(outcome="won")
    times = band["time"].to_numpy()
    moved = influence(risk, times=times).select(outcome="won").values
    error = np.sqrt((moved**2).sum(axis=0))
    draws = np.random.default_rng(7).standard_normal((20_000, len(moved)))
    greatest = np.abs(draws @ moved / error).max(axis=1)
    # 0.03 is more than three standard errors of two quantiles from 10,000 and 20,000 draws
    assert band["critical_value"].iloc[0] == pytest.approx(np.quantile(greatest, 0.95), abs=0.05)


@pytest.mark.parametrize("interval", ["log-log", "logit", "plain"])
def test_band_is_the_pointwise_interval_with_its_critical_value(interval: str) -> None:
    risk = count_events(deals(200, 3), by="segment")
    band = incidence_band(risk, between=(8, 30), interval=interval).frame  # type: ignore[arg-type]
    row = band[(band["outcome"] == "won") & (band["segment"] == "b")].iloc[4]
    f, reach = row["estimate"], row["critical_value"] * row["std_error"]
    limits = {
        "log-log": [f ** np.exp(-sign * reach / (f * np.log(f))) for sign in (-1, 1)],
        "logit": [1 / (1 + (1 - f) / f * np.exp(sign * reach / f / (1 - f))) for sign in (1, -1)],
        "plain": [f - reach, f + reach],
    }[interval]
    assert [row["conf_low"], row["conf_high"]] == pytest.approx(sorted(limits), abs=1e-9)
    assert 2.3 < row["critical_value"] < 3.3


def test_order_of_rows_does_not_matter_and_the_seed_is_the_callers() -> None:
    frame = deals(150, 4)
    band = incidence_band(count_events(frame, cluster="account"), between=(5, 40)).frame
    mixed = frame.sample(frac=1, random_state=1)
    again = incidence_band(count_events(mixed, cluster="account"), between=(5, 40)).frame
    numbers = ["estimate", "conf_low", "conf_high", "critical_value"]
    np.testing.assert_allclose(again[numbers], band[numbers], atol=1e-9)
    other = incidence_band(count_events(frame, cluster="account"), between=(5, 40), seed=5).frame
    assert other["critical_value"].iloc[0] != band["critical_value"].iloc[0]
    assert other["critical_value"].iloc[0] == pytest.approx(band["critical_value"].iloc[0], abs=0.08)


def test_eigenvectors_may_turn_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another machine, or another number of threads, finds the same ones with other signs and in other planes."""
    risk, exact = count_events(deals(150, 4), cluster="account"), np.linalg.eigh

    def turned(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values, vectors = exact(matrix + 1e-15 * np.cos(np.add.outer(np.arange(len(matrix)), np.arange(len(matrix)))))
        return values, vectors * np.where(np.arange(len(values)) % 3, 1.0, -1.0)

    band = incidence_band(risk, between=(5, 40)).frame
    monkeypatch.setattr(np.linalg, "eigh", turned)
    numbers = ["conf_low", "conf_high", "critical_value"]
    np.testing.assert_allclose(incidence_band(risk, between=(5, 40)).frame[numbers], band[numbers], atol=1e-7)


def test_edges() -> None:
    risk = count_events(deals(60, 5))
    flat = incidence_band(risk, between=(5, 40)).at(outcome="no_decision")
    point = cumulative_incidence(risk).at(outcome="no_decision")
    assert flat["critical_value"].isna().all()
    assert flat["conf_high"].tolist() == point.loc[point["time"].between(5, 40), "conf_high"].tolist()
    nobody = incidence_band(risk, between=(500, 600))
    assert len(nobody.frame) == 0
    assert "no deal left between day 500 and day 600" in nobody.meta.note
    assert len(incidence_band(count_events(deals(60, 5).iloc[:0]), between=(5, 40)).frame) == 0
    one = incidence_band(count_events(deals(60, 5).iloc[:1].assign(outcome="won")), between=(0, 99)).at(outcome="won")
    assert one["estimate"].tolist() == [1.0]
    with pytest.raises(InputError, match="the first not later"):
        incidence_band(risk, between=(40, 5))
    with pytest.raises(InputError, match="no such interval"):
        incidence_band(risk, between=(5, 40), interval="loglog")  # type: ignore[arg-type]
