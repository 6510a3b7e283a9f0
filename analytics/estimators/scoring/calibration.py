"""Whether forecast probabilities are the right size: observed against expected, overall and in groups of forecasts."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analytics.estimators.counts import count_events
from analytics.estimators.incidence import cumulative_incidence
from analytics.estimators.influence import Influence
from analytics.estimators.intervals import t_value
from analytics.estimators.result import Estimate, Meta
from analytics.estimators.scoring.censoring import marginal_censoring
from analytics.estimators.scoring.cohort import Floats, Forecasts, Ints, judged
from analytics.estimators.scoring.joint import accounts_df, by_unit, meta_of
from analytics.records.errors import InputError


def observed_expected(
    deals: pd.DataFrame,
    forecasts: Forecasts,
    *,
    landmark: float = 0.0,
    cluster: str | None = None,
    counts: str | None = None,
    conf_level: float = 0.95,
) -> Influence:
    """How many deals reached the outcome by each horizon for every one that the forecasts expected (O/E)?

    Parameters
    ----------
    deals, forecasts, landmark, cluster, counts, conf_level
        As for `brier_score`.

    Returns
    -------
    Influence
        Its estimate: kind score; keys ("model", "outcome", "time"); the ratio, 1 where the forecasts have the right
        size overall, above 1 where they were too low; `observed` and `expected` shares. Limits on the log scale (its
        influences are those of the log ratio). Missing where nobody had the outcome: `observed` is then 0.

    Raises
    ------
    InputError
        As `brier_score`.

    Notes
    -----
    Observed is the Aalen-Johansen share, expected the mean forecast; both vary over deals, together. Assumes that
    watching ends independently of how deals end. van Geloven et al.
    (2022), BMJ 377:e069249.

    Examples
    --------
    >>> deals = pd.DataFrame({"entry": -1, "exit": [2, 3, 5, 9], "outcome": ["won", "lost", "won", "open"]})
    >>> told = Forecasts(("won",), (6.0,), {"a": np.array([0.5, 0.2, 0.3, 0.2]).reshape(4, 1, 1)})
    >>> observed_expected(deals, told).estimate.frame[["estimate", "observed", "expected"]].round(3).values.tolist()
    [[1.667, 0.5, 0.3]]
    """
    cohort, kept = judged(deals, forecasts, landmark=landmark, cluster=cluster, counts=counts)
    weighting = marginal_censoring(cohort)
    rows, moved = [], []
    for model, outcome, horizon, p in kept.single():
        seen = weighting.weights(horizon) * cohort.had(outcome, horizon)
        observed, expected = float(seen.mean()), float(p.mean())
        rows.append((model, outcome, horizon, observed, expected))
        share = seen - observed + weighting.spread(seen, horizon)
        moved.append(share / max(observed, 1e-300) - (p - expected) / max(expected, 1e-300))
    frame = pd.DataFrame(rows, columns=["model", "outcome", "time", "observed", "expected"])
    values = by_unit(cohort, np.column_stack(moved))
    meta = meta_of(cohort, "score", "deals with the outcome for every one expected (O/E)", ("model", "outcome", "time"),
                   conf_level)  # fmt: skip
    df = np.full(len(frame), accounts_df(cohort))
    return Influence(_ratio(frame, (values, df), meta), cohort.names, values, df)


def _ratio(frame: pd.DataFrame, moved: tuple[Floats, Floats], meta: Meta) -> Estimate:
    values, df = moved
    observed, expected = frame["observed"].to_numpy(), frame["expected"].to_numpy()
    ratio = np.divide(observed, expected, out=np.full(len(frame), np.nan), where=expected > 0)
    error = np.sqrt((values**2).sum(axis=0))
    reason = np.select(
        [expected <= 0, observed <= 0, ~np.isfinite(error)],
        ["the forecasts expected nothing", "no deal had the outcome", "a single account tells nothing of others"], "",
    )  # fmt: skip
    gone = reason != ""
    factor = np.exp(t_value(meta.conf_level, df) * np.where(gone, 0.0, error))
    return Estimate(frame.assign(
        estimate=ratio, std_error=np.where(gone, np.nan, error * ratio),
        conf_low=np.where(gone, np.nan, ratio / factor), conf_high=np.where(gone, np.nan, ratio * factor),
        no_interval_reason=reason.astype(object),
    ), meta)  # fmt: skip


def calibration_bins(
    deals: pd.DataFrame,
    forecasts: Forecasts,
    *,
    bins: int = 5,
    landmark: float = 0.0,
    cluster: str | None = None,
    counts: str | None = None,
    conf_level: float = 0.95,
) -> Estimate:
    """In groups of deals with similar forecasts, what share reached the outcome?

    Parameters
    ----------
    deals, forecasts, landmark, cluster, counts, conf_level
        As for `brier_score`.
    bins : int
        Groups between quantiles of the forecast (R's type 7), of about equal size; equal forecasts stay together, so
        there may be fewer.

    Returns
    -------
    Estimate
        Kind probability; keys ("model", "outcome", "time", "bin") with bins from 1; the Aalen-Johansen share of each
        bin with its interval, `forecast` (mean of the bin), `n_deals`. A bin that is not followed to the horizon has no
        row; the note says so.

    Raises
    ------
    InputError
        As `brier_score`; fewer than one bin.

    Notes
    -----
    Assumes, within each bin, that watching ends independently of how deals end: Gerds, Andersen & Kattan (2014), Stat
    Med 33:3191. Bins are taken as given; a bin hides differences within it.

    Examples
    --------
    >>> deals = pd.DataFrame({"entry": -1, "exit": [2, 3, 5, 9], "outcome": ["won", "lost", "won", "open"]})
    >>> told = Forecasts(("won",), (6.0,), {"a": np.array([0.9, 0.2, 0.6, 0.3]).reshape(4, 1, 1)})
    >>> calibration_bins(deals, told, bins=2).frame[["bin", "forecast", "estimate"]].round(3).values.tolist()
    [[1.0, 0.25, 0.0], [2.0, 0.75, 1.0]]
    """
    if bins < 1:
        raise InputError("there must be at least one bin", value=bins)
    cohort, kept = judged(deals, forecasts, landmark=landmark, cluster=cluster, counts=counts)
    frame = cohort.deals()
    if cluster:
        frame["unit"] = cohort.unit
    tables, notes = [], {cohort.note}
    for model, outcome, horizon, p in kept.single():
        shares, note = _bin_shares(frame.assign(bin=bin_of(p, bins), forecast=p), outcome, horizon, conf_level)
        tables.append(shares.assign(model=model, outcome=outcome, time=horizon))
        notes.add(note)
    meta = meta_of(cohort, "probability", "share with the outcome among deals with similar forecasts",
                   ("model", "outcome", "time", "bin"), conf_level)  # fmt: skip
    return Estimate(pd.concat(tables, ignore_index=True), meta).stamped(
        note=" ".join(sorted(notes - {""})), interval="log-log", variance="infinitesimal jackknife", unit="probability"
    )


def bin_of(p: Floats, bins: int) -> Ints:
    """Return the number (from 1) of the quantile group of each forecast, groups closed on the right."""
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)))
    return np.asarray(np.clip(np.searchsorted(edges, p, side="left"), 1, max(len(edges) - 1, 1)), dtype=np.int64)


def _bin_shares(frame: pd.DataFrame, outcome: str, horizon: float, conf_level: float) -> tuple[pd.DataFrame, str]:
    causes = sorted({outcome, *frame["outcome"].unique()} - {"open"})
    risk = count_events(frame, by="bin", outcomes=causes, cluster="unit" if "unit" in frame else None)
    shares = cumulative_incidence(risk, times=[horizon], variance="infinitesimal_jackknife", conf_level=conf_level)
    means = frame.groupby("bin")["forecast"].agg(["mean", "size"])
    rows = shares.at(outcome=outcome).drop(columns=["outcome", "time"])
    own = means.loc[rows["bin"]]
    rows = rows.assign(forecast=own["mean"].to_numpy(), n_deals=own["size"].to_numpy())
    lone = len(means) - len(rows)
    return rows, f"{lone} bins are not followed to day {horizon:g}." if lone else ""
