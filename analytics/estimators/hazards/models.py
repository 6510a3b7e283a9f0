"""Which deals win (lose, end in no decision) faster, and which more often: cause-specific Cox and Fine-Gray models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.columns import account_column, day_column, outcome_column, stratum_column
from analytics.estimators.counts import RiskTable
from analytics.estimators.hazards.arrange import Spells, arrange
from analytics.estimators.hazards.coefficients import Asked, Kind, Sizes, coefficients
from analytics.estimators.hazards.design import Design, design, design_of_counts
from analytics.estimators.hazards.fitting import Fit, fit_rows
from analytics.estimators.hazards.likelihood import Ties
from analytics.estimators.hazards.rows import Floats, Ints, RiskRows
from analytics.estimators.result import Estimate
from analytics.records.errors import InputError, nearest


@dataclass(frozen=True, eq=False)
class HazardModel:
    """A fitted hazard regression: coefficients to read, and what prediction and checks need.

    Attributes
    ----------
    coefficients : Estimate
        Kind coefficient, keys (term,): `estimate` (log hazard ratio), its interval, `hazard_ratio`, `ratio_low`,
        `ratio_high`, `z`, `p_value`, `model_std_error` (without accounts and weights), `sandwich_std_error` (R's robust
        one, without the correction for few accounts).
    outcome, kind, ties, conf_level
        As asked for.
    design : Design
        Formula and covariates; `center` was taken off them before fitting.
    fit : Fit
        Coefficients with both covariances.
    rows : RiskRows
        The deals in the kernel's order.
    strata : pandas.DataFrame
        The values of each stratum, in the order of `rows.block`.
    unit : array or None
        Account number of each deal in the caller's order.
    """

    coefficients: Estimate
    outcome: str
    kind: Kind
    ties: Ties
    conf_level: float
    design: Design
    center: Floats
    fit: Fit
    rows: RiskRows
    strata: pd.DataFrame
    unit: Ints | None

    @property
    def covariance(self) -> Floats:
        """The covariance that the intervals use: the one over accounts (or deals) where there is one."""
        return self.fit.covariance

    def baseline(self) -> pd.DataFrame:
        """Return the baseline hazard of a deal whose covariates are all 0 (first categories).

        Columns: strata, `time`, `hazard` (increment), `cumulative_hazard`.
        """
        scale = float(np.exp(-self.center @ self.fit.beta))
        sizes = np.diff(self.rows.block)
        frame = self.strata.loc[np.repeat(np.arange(len(sizes)), sizes)].reset_index(drop=True)
        frame["time"], frame["hazard"] = self.rows.time, self.fit.point.hazard * scale
        places = np.repeat(np.arange(len(sizes)), sizes)
        frame["cumulative_hazard"] = frame["hazard"].groupby(places).cumsum().to_numpy()
        return frame


def cause_specific_cox(
    deals: pd.DataFrame | RiskTable,
    formula: str,
    *,
    outcome: str,
    ties: Ties = "efron",
    weights: str | None = None,
    cluster: str | None = None,
    strata: Sequence[str] = (),
    conf_level: float = 0.95,
) -> HazardModel:
    """How much faster do deals with some trait reach an outcome, among those still open?

    Parameters
    ----------
    deals : pandas.DataFrame or RiskTable
        `entry`, `exit` (days after opening, at risk on `(entry, exit]`), `outcome`, the columns of the formula; several
        rows of one deal, one after the other, hold covariates that change (lifelines' time-varying model, R's
        start-stop rows). Or deals counted by their covariates, `count_events(deals, by=["segment"])`, which gives the
        same to rounding and needs no row per deal; weights and accounts are then those of the counts.
    formula : str
        "x1 + C(segment)".
    outcome : str
        The outcome; other outcomes and open deals are censored where they happen.
    ties : {"efron", "breslow"}
        How events of one day are treated.
    weights, cluster : str, optional
        Columns of weights and of accounts (or of deal ids, where a deal has several rows). With either, standard errors
        are robust and corrected for leverage, and the limits take t with the degrees of freedom that the accounts (the
        weighted deals) are worth for the coefficient (`robust_covariance`; R does neither). Counted deals of a cell are
        taken as equally heavy there.
    strata : sequence of str
        Columns whose values have a baseline hazard each.
    conf_level : float

    Returns
    -------
    HazardModel

    Raises
    ------
    InputError
        Missing columns or cells, a covariate without variation, an outcome that nobody had, an infinite effect.

    Notes
    -----
    A hazard ratio speaks of pace among deals still open, not of shares: a trait that speeds up losing lowers the share
    won without touching the hazard of winning. Assumes that the ratio does not change with age (`proportionality`) and
    that open deals are censored for reasons unrelated to how they end. Cox (1972), JRSS B 34:187; Prentice et al.
    (1978), Biometrics 34:541 for several outcomes. An unrecorded outcome counts as another outcome.

    Examples
    --------
    >>> deals = pd.DataFrame({"entry": -1, "exit": [2, 3, 5, 7, 8, 9], "x": [1.0, 0.0, 1.0, 0.0, 1.0, 0.0],
    ...                       "outcome": ["won", "won", "won", "won", "lost", "open"]})
    >>> model = cause_specific_cox(deals, "x", outcome="won")
    >>> model.coefficients.frame[["term", "estimate", "std_error"]].round(4).values.tolist()
    [['x', 0.2739, 1.0107]]
    """
    return _fitted(Asked(deals, formula, outcome, "cause-specific", ties, conf_level), weights, cluster, strata)


def fine_gray(
    deals: pd.DataFrame | RiskTable,
    formula: str,
    *,
    outcome: str,
    ties: Ties = "breslow",
    weights: str | None = None,
    cluster: str | None = None,
    strata: Sequence[str] = (),
    conf_level: float = 0.95,
) -> HazardModel:
    """How much more often do deals with some trait reach an outcome at all?

    Parameters
    ----------
    deals, formula, outcome, ties, weights, cluster, strata, conf_level
        As for `cause_specific_cox`; one row per deal.

    Returns
    -------
    HazardModel
        Its ratios are of subdistribution hazards: above 1 means a higher cumulative incidence at every age. Standard
        errors are always robust, since a deal can count at many times after its end.

    Raises
    ------
    InputError
        As `cause_specific_cox`.

    Notes
    -----
    Assumes subdistribution hazards in one ratio at all ages. The size of the ratio has no reading beyond its direction
    (Austin & Fine 2017, Stat Med 36:4391), and models of different outcomes can contradict each other: their incidences
    may sum to more than 1, which `predicted_incidence` says. Deals that ended otherwise stay at risk with weights from
    censorings and, where deals enter late, entries (Geskus 2011, Biometrics 67:39); these weights do not look at
    covariates, but strata have their own (Zhou et al. 2011, Biometrics 67:661), so that cohorts followed for different
    times can be strata. Fine & Gray (1999), JASA 94:496.

    Examples
    --------
    >>> deals = pd.DataFrame({"entry": -1, "exit": [2, 3, 5, 7, 8, 9], "x": [1.0, 0.0, 1.0, 0.0, 1.0, 0.0],
    ...                       "outcome": ["won", "won", "won", "won", "lost", "open"]})
    >>> fine_gray(deals, "x", outcome="won").coefficients.frame["estimate"].round(4).tolist()
    [0.2739]
    """
    return _fitted(Asked(deals, formula, outcome, "subdistribution", ties, conf_level), weights, cluster, strata)


def _fitted(asked: Asked, weights: str | None, cluster: str | None, strata: Sequence[str]) -> HazardModel:
    counted = asked.deals if isinstance(asked.deals, RiskTable) else None
    if counted is not None and (weights or cluster):
        raise InputError("counted deals have their weights and accounts already", value=weights or cluster,
                         action="Give weights and cluster to count_events")  # fmt: skip
    frame = asked.deals if counted is None else counted.cells
    assert isinstance(frame, pd.DataFrame)
    cluster = cluster if counted is None else counted.cluster
    _known_outcome(asked.outcome, frame, counted)
    made = design(frame, asked.formula) if counted is None else design_of_counts(counted, asked.formula)
    center = made.x.mean(axis=0)
    made = replace(made, x=made.x - center)
    stratum, values = _strata(frame, strata)
    spells = Spells(made.x, *_times(frame, asked.outcome), *_counts(frame, weights, counted), stratum)
    unit = None if cluster is None else _codes(account_column(frame, cluster))
    rows = arrange(spells, subdistribution=asked.kind == "subdistribution")
    weighted = bool(weights) if counted is None else counted.weighted
    robust = asked.kind == "subdistribution" or weighted or cluster is not None
    fit = fit_rows(rows, asked.ties, made.terms, robust=robust, unit=unit)
    estimate = coefficients(asked, made.terms, fit, Sizes(int(spells.n.sum()), unit, cluster))
    return HazardModel(
        estimate, asked.outcome, asked.kind, asked.ties, asked.conf_level, made, center, fit, rows, values, unit
    )


def _known_outcome(outcome: str, frame: pd.DataFrame, counted: RiskTable | None) -> None:
    _require(frame, "outcome")
    known = sorted({str(value) for value in frame["outcome"].dropna().unique()} - {"open"})
    known = list(counted.outcomes) if counted is not None else known
    if outcome == "open" or (counted is not None and outcome not in known):
        raise InputError(f"this is not one of the outcomes ({', '.join(known)})", column="outcome", value=outcome,
                         action=nearest(outcome, known))  # fmt: skip
    if not (frame["outcome"] == outcome).any():
        raise InputError(
            f"no deal had the outcome, so there is nothing to fit; those that deals had: {', '.join(known) or 'none'}",
            column="outcome", value=outcome, action=nearest(outcome, known),
        )  # fmt: skip


def _times(frame: pd.DataFrame, asked: str) -> tuple[Any, Any, Ints]:
    """Return entry, exit and how each row ended: 0 open, 1 in the outcome, 2 otherwise."""
    for name in ("entry", "exit", "outcome"):
        _require(frame, name)
    entry, leave = np.asarray(day_column(frame["entry"])), np.asarray(day_column(frame["exit"]))
    if (leave <= entry).any():
        raise InputError(f"{int((leave <= entry).sum())} deals leave before they are watched", column="exit",
                         action="Leave them out by a named rule: exit must exceed entry")  # fmt: skip
    outcome = np.asarray(outcome_column(frame["outcome"]))
    return entry, leave, np.where(outcome == "open", 0, np.where(outcome == asked, 1, 2))


def _counts(frame: pd.DataFrame, weights: str | None, counted: RiskTable | None) -> tuple[Floats, Floats, Floats]:
    """Return deals, sum of weights and sum of squared weights behind each row."""
    if counted is not None:
        n, w, w2 = (frame[name].to_numpy(dtype=float) for name in ("n", "w", "w2"))
        if not (w > 0).all():
            raise InputError(
                f"{int(n[~(w > 0)].sum()):,} counted deals have weight 0, which says nothing of a hazard",
                action="Leave deals of weight 0 out before count_events",
            )
        return n, w if counted.weighted else n, w2
    n = np.ones(len(frame))
    if not weights:
        return n, n, n
    _require(frame, weights)
    w = frame[weights].to_numpy(dtype=float)
    if not (np.isfinite(w).all() and (w > 0).all()):
        raise InputError("a weight is missing, infinite, zero or negative", column=weights)
    return n, w, w * w


def _strata(frame: pd.DataFrame, strata: Sequence[str]) -> tuple[Ints, pd.DataFrame]:
    """Return the stratum of each row, and the values of each stratum."""
    if not strata:
        return np.zeros(len(frame), dtype=np.int64), pd.DataFrame(index=[0])
    for name in strata:
        _require(frame, name)
    keys = pd.DataFrame({name: np.asarray(stratum_column(frame[name]), dtype=object) for name in strata})
    values = keys.drop_duplicates().sort_values(list(strata)).reset_index(drop=True)
    place = pd.MultiIndex.from_frame(values).get_indexer(pd.MultiIndex.from_frame(keys))
    return np.asarray(place, dtype=np.int64), values


def _require(frame: pd.DataFrame, name: str) -> None:
    if name not in frame.columns:
        raise InputError(f"the deals have no column {name!r}", action=nearest(name, frame.columns))


def _codes(values: Any) -> Ints:
    return np.asarray(pd.factorize(values)[0], dtype=np.int64)
