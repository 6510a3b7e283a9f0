"""What makes deals move faster: a cause-specific Cox model of every move between stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from analytics.estimators.hazards.likelihood import Ties
from analytics.estimators.hazards.models import HazardModel, cause_specific_cox
from analytics.estimators.multistate.influence import given_shares
from analytics.estimators.multistate.rows import Floats, read_stages
from analytics.estimators.result import Estimate
from analytics.records.errors import InputError

Product = Literal["limit", "exponential"]
NO_ERROR = "the error of what the models of all moves together predict is not computed"


@dataclass(frozen=True, eq=False)
class MoveModels:
    """One fitted model per move, their coefficients together, and the states in order.

    Attributes
    ----------
    coefficients : Estimate
        Kind coefficient, keys `("from", "to", "term")`; columns as in `HazardModel.coefficients`.
    models : mapping of (from, to) to HazardModel
    states : tuple of str
    """

    coefficients: Estimate
    models: Mapping[tuple[str, str], HazardModel]
    states: tuple[str, ...]

    @property
    def loglik(self) -> tuple[float, float]:
        """The log partial likelihood where no covariate matters and at the estimate, over all moves."""
        fits = [model.fit for model in self.models.values()]
        return sum(fit.null.loglik for fit in fits), sum(fit.point.loglik for fit in fits)


def move_hazards(
    rows: pd.DataFrame,
    formula: str,
    *,
    ties: Ties = "efron",
    weights: str | None = None,
    cluster: str = "deal_id",
    conf_level: float = 0.95,
) -> MoveModels:
    """How much faster do deals with some trait make each move, among those in the stage from which it starts?

    Parameters
    ----------
    rows : pandas.DataFrame
        Stage rows (see `read_stages`) with the columns of the formula.
    formula, ties, weights, conf_level
        As for `cause_specific_cox` (R's coxph takes Breslow ties where there are several states).
    cluster : str
        Deals by default, since one deal can be in a stage twice; or accounts.

    Returns
    -------
    MoveModels

    Raises
    ------
    InputError
        As `read_stages` and `cause_specific_cox`, the latter naming the move; nobody moved.

    Notes
    -----
    Assumes proportional hazards of each move. Each has a baseline hazard of its own on the clock since opening and
    coefficients of its own, so that the models are fitted one by one: Putter, Fiocco & Geskus (2007), Stat Med 26:2389,
    section 4. Rare moves may have infinite coefficients; leave such covariates out, or such moves by treating them as
    censored.

    Examples
    --------
    >>> rows = pd.DataFrame({"deal_id": range(6), "entry": -1, "exit": [2, 3, 5, 7, 8, 9], "from": "a",
    ...                      "to": ["won", "won", "won", "won", None, None], "x": [1.0, 0.0, 1.0, 0.0, 1.0, 0.0]})
    >>> move_hazards(rows, "x").coefficients.frame[["from", "to", "term", "estimate"]].round(4).values.tolist()
    [['a', 'won', 'x', 0.2739]]
    """
    stages = read_stages(rows, weights=weights)
    source, target = rows["from"].astype(object).map(str), rows["to"].astype(object)
    models: dict[tuple[str, str], HazardModel] = {}
    frames = []
    for before in stages.states:
        own = rows.loc[source == before].assign(outcome=target[source == before].map(_named).fillna("open"))
        for after in stages.states:
            if not (own["outcome"] == f"to {after}").any():
                continue
            try:
                model = cause_specific_cox(own, formula, outcome=f"to {after}", ties=ties, weights=weights,
                                           cluster=cluster, conf_level=conf_level)  # fmt: skip
            except InputError as error:
                raise InputError(f"the move from {before} to {after}: {error.problem}", column=error.column,
                                 value=error.value, action=error.action) from None  # fmt: skip
            models[before, after] = model
            frames.append(model.coefficients.frame.assign(**{"from": before, "to": after}))
    if not models:
        raise InputError("no deal moved, so there is nothing to fit")
    frame = pd.concat(frames, ignore_index=True)
    first = next(iter(models.values())).coefficients.meta
    meta = replace(first, keys=("from", "to", "term"), n_deals=stages.n_deals,
                   estimand="log ratio of the hazard of each move for one unit of each covariate")  # fmt: skip
    columns = ["from", "to", *(name for name in frame.columns if name not in ("from", "to"))]
    return MoveModels(Estimate(frame[columns], meta), models, stages.states)


def predicted_occupation(
    fitted: MoveModels, profiles: pd.DataFrame, *, initial: str | Mapping[str, float], product: Product = "limit"
) -> Estimate:
    """In which state would a deal with given traits be by each day, according to the models of its moves?

    Parameters
    ----------
    fitted : MoveModels
    profiles : pandas.DataFrame
        One row per profile, with the columns of the formula.
    initial : str or mapping of str to float
        The state, or shares of states, at the opening.
    product : {"limit", "exponential"}
        How the hazards of a day become shares that move: I + dA, as everywhere here (where they add to more than 1 for
        a profile they are scaled to 1), or the matrix exponential of dA, as R's survfit of a multi-state coxph.

    Raises
    ------
    InputError
        An unknown state at the start, shares that do not add to 1, a column of the formula that is missing.

    Returns
    -------
    Estimate
        Kind probability; keys `("profile", "state", "time")`, profile being the row of `profiles`. No intervals, for
        which the column `no_interval_reason` has the reason.

    Notes
    -----
    Assumes Markov, besides what the models assume: Putter, Fiocco & Geskus (2007), Stat Med 26:2389.

    Examples
    --------
    >>> rows = pd.DataFrame({"deal_id": range(6), "entry": -1, "exit": [2, 3, 5, 7, 8, 9], "from": "a",
    ...                      "to": ["won", "won", "won", "won", None, None], "x": [1.0, 0.0, 1.0, 0.0, 1.0, 0.0]})
    >>> found = predicted_occupation(move_hazards(rows, "x"), pd.DataFrame({"x": [1.0]}), initial="a")
    >>> found.at(time=2)[["state", "estimate"]].round(3).values.tolist()
    [['a', 0.811], ['won', 0.189]]
    """
    place = {state: k for k, state in enumerate(fitted.states)}
    start = given_shares(initial, place)
    time = np.unique(np.concatenate([model.rows.time for model in fitted.models.values()]))
    size = len(place)
    hazard = np.zeros((len(profiles), len(time), size, size))
    for (before, after), model in fitted.models.items():
        x = model.design.of(profiles) - model.center
        at = np.searchsorted(time, model.rows.time)
        hazard[:, at, place[before], place[after]] = np.exp(x @ model.fit.beta)[:, None] * model.fit.point.hazard
    share = _walked(hazard, start, product)
    keys = pd.MultiIndex.from_product([range(len(profiles)), time, fitted.states], names=["profile", "time", "state"])
    frame = pd.DataFrame({"estimate": share.ravel()}, index=keys).reset_index()
    frame = frame.assign(std_error=np.nan, conf_low=np.nan, conf_high=np.nan, no_interval_reason=NO_ERROR)
    meta = replace(
        fitted.coefficients.meta, kind="probability", keys=("profile", "state", "time"), interval="", variance="",
        estimand="share of deals with given traits in each state by each day, by the models of the moves",
        unit="probability",
    )  # fmt: skip
    return Estimate(frame, meta)


def _walked(hazard: Floats, start: Floats, product: Product) -> Floats:
    """Return the shares `(profiles, T, S)`."""
    from scipy.linalg import expm

    size = hazard.shape[-1]
    total = hazard.sum(axis=3)
    if product == "limit":
        hazard = hazard / np.maximum(total, 1.0)[..., None]
        total = np.minimum(total, 1.0)
    step = hazard - total[..., None] * np.eye(size)
    matrix = np.eye(size) + step if product == "limit" else expm(step)
    out = np.empty(hazard.shape[:3])
    now = np.broadcast_to(start, (len(hazard), size))
    for k in range(hazard.shape[1]):
        out[:, k] = now = np.einsum("ph,phj->pj", now, matrix[:, k])
    return np.clip(out, 0.0, 1.0)


def _named(state: object) -> object:
    return None if pd.isna(state) else f"to {state}"  # type: ignore[call-overload]
