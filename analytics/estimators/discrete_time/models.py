"""Which deals are won, lost or end in no decision sooner, week by week: the discrete-time multinomial hazard model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.estimators.discrete_time.accounts import Robust, robust_covariance
from analytics.estimators.discrete_time.fitting import Names, check_outcomes, maximise, ridge_of
from analytics.estimators.discrete_time.likelihood import Counts, Floats, Ints, curvature, evaluate, stacked
from analytics.estimators.discrete_time.periods import PersonPeriods
from analytics.estimators.discrete_time.random_effects import GroupEffects, fit_group_effects
from analytics.estimators.hazards.coefficients import BY_ACCOUNT
from analytics.estimators.hazards.design import Design, columns_read, design
from analytics.estimators.intervals import t_value
from analytics.estimators.result import Estimate, Meta
from analytics.records.errors import InputError

INTERCEPT = "Intercept"


@dataclass(frozen=True, eq=False)
class DiscreteTimeModel:
    """A fitted multinomial hazard model: coefficients to read, and what prediction needs.

    Attributes
    ----------
    coefficients : Estimate
        Kind coefficient, keys (outcome, term): `estimate` (log ratio of the odds of ending so in a period to staying
        open), its interval, `odds_ratio`, `ratio_low`, `ratio_high`, `z`, `p_value`, `model_std_error`, and
        with clusters `sandwich_std_error`, which is not corrected.
    outcomes, period_days, internal, conf_level
        Of the person-periods, and as asked for.
    design : Design or None
        Formula and covariates; None where the formula is "1".
    coef : array (terms, outcomes)
        Coefficients, the intercept first.
    model : array (outcomes * terms, outcomes * terms)
        Covariance of `coef`, outcome by outcome, from the information.
    robust : Robust or None
        The one over clusters, where there are any.
    loglik : float
        Log-likelihood (without penalty).
    groups : GroupEffects or None
        Random intercepts.
    """

    coefficients: Estimate
    outcomes: tuple[str, ...]
    period_days: int
    internal: tuple[str, ...]
    conf_level: float
    design: Design | None
    coef: Floats
    model: Floats
    robust: Robust | None
    loglik: float
    groups: GroupEffects | None

    @property
    def covariance(self) -> Floats:
        """The covariance that the intervals use: the robust one where there is one."""
        return self.model if self.robust is None else self.robust.covariance

    @property
    def df(self) -> Floats:
        """Degrees of freedom of each coefficient's variance, infinite without clusters."""
        return np.full(len(self.model), np.inf) if self.robust is None else self.robust.df

    def covariates(self, profiles: pd.DataFrame) -> Floats:
        """Return the covariates of profiles with a leading 1, `(profiles, terms)`."""
        ones = np.ones((len(profiles), 1))
        return ones if self.design is None else np.hstack([ones, self.design.of(profiles)])


def discrete_time_model(
    periods: PersonPeriods,
    formula: str,
    *,
    cluster: str | None = None,
    ridge: float | Mapping[str, float] = 0.0,
    random: str | None = None,
    conf_level: float = 0.95,
) -> DiscreteTimeModel:
    """How does each covariate go with winning, losing and no decision, among deals open at the start of a period?

    Parameters
    ----------
    periods : PersonPeriods
        From `person_periods`, or counts by covariate pattern and period.
    formula : str
        "C(period) + C(segment) + pushes": time enters as a covariate like any other ("bs(period, df=4)",
        "C(period):x1"); "1" has intercepts only.
    cluster : str, optional
        Column of accounts (or deals): standard errors are then robust, corrected for leverage, and limits take t by
        what the clusters are worth for each coefficient (`robust_covariance`). Needed with weights.
    ridge : float or mapping of str to float
        Penalty on squared coefficients (half of it times the square is taken off the log-likelihood), one for all
        terms or by term or factor ("C(period)"): a normal prior with variance 1 / ridge. Intercepts are free.
    random : str, optional
        Column of groups (sellers, industries) with a normal random intercept per group and outcome.
    conf_level : float

    Returns
    -------
    DiscreteTimeModel

    Raises
    ------
    InputError
        Missing columns or cells, a covariate without variation, an outcome that nobody had, an infinite effect without
        a ridge, weights without cluster, fewer than 5 groups, `random` together with `cluster`.

    Notes
    -----
    Assumes that given the covariates the hazard depends on nothing else that deals differ in, and that open deals are
    censored for reasons unrelated to how they end. An odds ratio speaks of pace among open deals, not of shares: see
    `predicted_incidence`. With a ridge, standard errors come from the penalised information (the spread of the
    posterior under that prior). Allison (1982), Sociol Methodol 13:61; Tutz & Schmid (2016), Modeling Discrete
    Time-to-Event Data, ch. 8.

    Examples
    --------
    >>> frame = pd.DataFrame({"period": [1, 1, 2, 2], "x": [0, 1, 0, 1], "at_risk": [40, 40, 20, 20],
    ...                       "d_won": [10, 5, 5, 4], "d_lost": [10, 15, 5, 6]})
    >>> model = discrete_time_model(PersonPeriods(frame, ("won", "lost")), "C(period) + x")
    >>> model.coefficients.at(term="x")[["outcome", "estimate"]].round(3).values.tolist()
    [['won', -0.512], ['lost', 0.337]]
    """
    if random is not None and cluster is not None:
        raise InputError("groups with random intercepts and robust errors do not go together", value=random,
                         action="Leave cluster or random out")  # fmt: skip
    if not len(periods.frame):
        raise InputError("there are no person-periods to fit a model to")
    rows = _rows_of(periods, formula, cluster or random)
    names = Names((INTERCEPT, *(() if rows.made is None else rows.made.terms)), periods.outcomes)
    _refuse_weights_without_cluster(rows.counts, cluster)
    penalties = np.concatenate([[0.0], ridge_of(ridge, names.terms[1:])])
    scale, back = _standardising(rows.patterns.x)
    standard = Counts(rows.patterns.x @ back, rows.patterns.n, rows.patterns.d)
    robust = groups = None
    if random is None:
        best = maximise(standard, penalties * scale**2, names)
        coef, turned = back @ best.coef, np.kron(np.eye(len(names.outcomes)), back)
        model = turned @ np.linalg.inv(best.information) @ turned.T
        loglik = best.point.loglik
        if cluster is not None:
            point = evaluate(rows.counts, rows.counts.x @ coef)
            robust = robust_covariance(rows.counts, rows.place, (curvature(rows.counts, point), point.residual), model)
    else:
        own = Counts(rows.counts.x @ back, rows.counts.n, rows.counts.d, rows.place)
        check_outcomes(own, names)
        groups, coef, model, loglik = fit_group_effects(own, penalties * scale**2, back, names, (random, rows.labels))
    estimate = _coefficients(names, coef, (model, robust), periods, (cluster, len(rows.labels), conf_level, groups))
    return DiscreteTimeModel(
        estimate, periods.outcomes, periods.period_days, _read(periods, rows.made), conf_level, rows.made, coef, model,
        robust, loglik, groups,
    )  # fmt: skip


@dataclass(frozen=True)
class _Rows:
    """Counts by covariate pattern, and by pattern and unit (cluster or group) with the unit's number."""

    made: Design | None
    patterns: Counts
    counts: Counts
    place: Ints
    labels: list[object]


def _rows_of(periods: PersonPeriods, formula: str, unit: str | None) -> _Rows:
    """Make the design of distinct covariate patterns, so that neither grouping nor order moves a spline's knots."""
    columns: list[str] = []
    if formula.strip() != "1":
        columns = list(columns_read(periods.frame, formula))
    table = periods.counted(columns)
    made = None if not columns else design(table, formula)
    ones = np.ones((len(table), 1))
    x = ones if made is None else np.hstack([ones, made.x])
    patterns = _counts_of(table, x, periods)
    if unit is None:
        return _Rows(made, patterns, patterns, np.zeros(len(table), dtype=np.int64), [])
    check_unit(periods, unit, columns)
    whole = periods.counted([*columns, unit])
    place, labels = pd.factorize(whole[unit], sort=True)
    pattern = np.zeros(len(whole), dtype=np.int64)
    if columns:
        pattern = pd.MultiIndex.from_frame(table[columns]).get_indexer(pd.MultiIndex.from_frame(whole[columns]))
    counts = _counts_of(whole, x[pattern], periods)
    return _Rows(made, patterns, counts, np.asarray(place, dtype=np.int64), list(labels))


def check_unit(periods: PersonPeriods, unit: str, columns: Sequence[str]) -> None:
    """Stop where the column of clusters or groups is not there, has gaps, or is read by the formula too."""
    periods.must_have(unit)
    if periods.frame[unit].isna().any():
        raise InputError("a person-period has no value here", column=unit, action="Give it one of its own")
    if unit in columns:
        raise InputError("the formula reads the column of the clusters or groups", column=unit)


def _counts_of(table: pd.DataFrame, x: Floats, periods: PersonPeriods) -> Counts:
    return Counts(x, table["at_risk"].to_numpy(dtype=float), table[periods.events].to_numpy(dtype=float))


def _standardising(x: Floats) -> tuple[Floats, Floats]:
    """Return scale factors of the coefficients and the matrix that turns standardised coefficients into raw ones."""
    width = np.concatenate([[1.0], x[:, 1:].std(axis=0)])
    scale = 1 / width
    back = np.diag(scale)
    back[0, 1:] = -x[:, 1:].mean(axis=0) * scale[1:]
    return scale, back


def _refuse_weights_without_cluster(counts: Counts, cluster: str | None) -> None:
    if cluster is None and not (counts.n == np.floor(counts.n)).all():
        raise InputError("weighted person-periods need robust errors", column="at_risk",
                         action="Name the accounts or the deals: cluster='deal_id'")  # fmt: skip


def _read(periods: PersonPeriods, made: Design | None) -> tuple[str, ...]:
    return () if made is None else tuple(name for name in periods.internal if name in made.columns)


def _coefficients(
    names: Names,
    coef: Floats,
    covariances: tuple[Floats, Robust | None],
    periods: PersonPeriods,
    asked: tuple[str | None, int, float, GroupEffects | None],
) -> Estimate:
    from scipy.special import ndtr, stdtr

    (model, robust), (cluster, units, conf_level, groups) = covariances, asked
    value = stacked(coef)
    error = np.sqrt(np.diag(model if robust is None else robust.covariance))
    df = np.full(len(value), np.inf) if robust is None else robust.df
    reach = t_value(conf_level, df) * error
    z = np.abs(value / error)
    frame = pd.DataFrame({
        "outcome": np.repeat(names.outcomes, len(names.terms)), "term": names.terms * len(names.outcomes),
        "estimate": value, "std_error": error, "conf_low": value - reach, "conf_high": value + reach,
        "odds_ratio": np.exp(value), "ratio_low": np.exp(value - reach), "ratio_high": np.exp(value + reach),
        "z": value / error, "p_value": 2 * (ndtr(-z) if robust is None else stdtr(df, -z)),
        "model_std_error": np.sqrt(np.diag(model)),
    })  # fmt: skip
    if robust is not None:
        frame["sandwich_std_error"] = np.sqrt(np.diag(robust.sandwich))
    meta = Meta(
        kind="coefficient", keys=("outcome", "term"),
        estimand="log ratio of the odds of ending so within a period to staying open, for one unit of each covariate",
        n_deals=periods.n_deals, n_accounts=units if cluster else None, conf_level=conf_level, interval="Wald",
        variance="inverse information" if robust is None else BY_ACCOUNT, cluster=cluster, unit="log odds ratio",
        time_unit=f"periods of {periods.period_days} days", note="" if groups is None else groups.note,
    )  # fmt: skip
    return Estimate(frame, meta)
