"""Covariates that change during a deal's life: several rows of one deal, against lifelines and R."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analytics.estimators.hazards.models import cause_specific_cox


def rows() -> pd.DataFrame:
    """Deals with a champion from a day of their own on (0 before), late entry, ties on whole days."""
    rng = np.random.default_rng(20261127)
    n = 300
    size, day, entry = rng.standard_normal(n).round(1), rng.integers(1, 60, n), np.where(rng.random(n) < 0.3, 5, 0)
    before, after = 0.01 * np.exp(0.3 * size), 0.02 * np.exp(0.3 * size)
    spent = rng.exponential(size=n)
    won = np.ceil(np.where(spent < before * day, spent / before, day + (spent - before * day) / after)).astype(int)
    lost, last = np.ceil(rng.exponential(70, n)).astype(int), rng.integers(20, 120, n)
    leave = np.minimum(np.minimum(won, lost), last)
    outcome = np.where(leave == won, "won", np.where(leave == lost, "lost", "open"))
    deal = pd.DataFrame({"deal_id": range(n), "entry": entry, "exit": leave, "outcome": outcome, "size": size})
    deal = deal.assign(day=day)[leave > entry]
    first = deal.assign(exit=np.minimum(deal["exit"], deal["day"]), champion=0.0)
    first["outcome"] = first["outcome"].where(deal["exit"] <= deal["day"], "open")
    later = deal.assign(entry=np.maximum(deal["entry"], deal["day"]), champion=1.0)
    both = pd.concat([first, later]).query("exit > entry").sort_values(["deal_id", "entry"], ignore_index=True)
    return both.drop(columns="day")


def test_several_rows_of_a_deal_are_the_time_varying_model_of_lifelines() -> None:
    from lifelines import CoxTimeVaryingFitter

    frame = rows()
    assert (frame.groupby("deal_id").size() == 2).sum() > 50  # deals whose champion came during their life
    model = cause_specific_cox(frame, "champion + size", outcome="won")
    theirs = CoxTimeVaryingFitter().fit(
        frame.assign(won=frame["outcome"] == "won")[["deal_id", "entry", "exit", "won", "champion", "size"]],
        id_col="deal_id", event_col="won", start_col="entry", stop_col="exit", show_progress=False,
    )  # fmt: skip
    np.testing.assert_allclose(model.coefficients.frame["estimate"], theirs.params_, atol=1e-6)
    np.testing.assert_allclose(model.coefficients.frame["std_error"], theirs.standard_errors_, atol=1e-6)


def test_and_that_of_r() -> None:
    """R 4.2.2, survival 3.5-3, rows() as CSV: coxph(Surv(entry, exit, outcome == "won") ~ champion + size, ties =
    "efron", control = coxph.control(eps = 1e-14, iter.max = 50)).
    """
    shown = cause_specific_cox(rows(), "champion + size", outcome="won").coefficients.frame
    assert shown["estimate"].tolist() == pytest.approx([0.9389479112812541, 0.24278177006539], abs=1e-10)
    assert shown["std_error"].tolist() == pytest.approx([0.2156966143404733, 0.0922362615412226], abs=1e-10)
