"""Transition probabilities: from each stage, the share of deals in every state by each later day."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analytics.estimators.incidence import Times, curves_frame
from analytics.estimators.intervals import Interval
from analytics.estimators.multistate.curves import Path, grid_of, path_tables
from analytics.estimators.multistate.process import CovarianceKind, Process, covariances, process_of, products
from analytics.estimators.multistate.table import TransitionTable
from analytics.estimators.result import Estimate, Meta
from analytics.estimators.strata import stratum_name
from analytics.records.errors import InputError, nearest

WORDS = {"greenwood": "Greenwood", "aalen": "Aalen"}


def transition_probabilities(
    table: TransitionTable,
    *,
    start: float = -1,
    times: Times = None,
    variance: CovarianceKind = "greenwood",
    conf_level: float = 0.95,
    interval: Interval = "log-log",
) -> Estimate:
    """Of deals that are in a stage at the end of day `start`, what share is in each state by each later day?

    Parameters
    ----------
    table : TransitionTable
        Counted without weights.
    start : float
        Day after opening; moves after it count, moves on it do not (-1: from the opening).
    times : sequence of float, optional
        Days after opening; by default every day on which a stay ended.
    variance : {"greenwood", "aalen"}
        Greenwood takes the moves of a day as multinomial, Aalen as independent and rare. Aalen is there to compare with
        R's mstate: where several in a hundred move on one day its 95 % limits hold the truth in 90-92 %.
    conf_level, interval
        As for `cumulative_incidence`.

    Returns
    -------
    Estimate
        Kind probability; keys `(*by, "from", "to", "time")`: estimate, std_error, limits, `n_risk` (deals in `to` just
        before `time`), `n_event` and `cum_event` (moves into `to` on that day, and since the start). Rows of one `from`
        and `time` add to 1.

    Raises
    ------
    InputError
        A weighted table (use `stage_occupation` with `initial=`), unknown variance or interval, negative times.

    Notes
    -----
    Product of I + dA (Aalen & Johansen 1978, Scand J Stat 5:141). All deals in a stage count, however they came to it:
    that is the Markov assumption, which `markov_test` tests and `landmark_occupation` does without. Open deals are
    taken to be censored, and late ones to enter, for reasons unrelated to where they go. Allignol, Schumacher &
    Beyersmann (2010), Biom J 52:126 for Greenwood.

    Examples
    --------
    >>> from analytics.estimators.multistate.rows import read_stages
    >>> from analytics.estimators.multistate.table import count_transitions
    >>> rows = pd.DataFrame({"deal_id": [1, 1, 2, 3], "entry": [-1, 4, -1, -1], "exit": [4, 9, 7, 9],
    ...                      "from": ["a", "b", "a", "a"], "to": ["b", "won", "won", None]})
    >>> found = transition_probabilities(count_transitions(read_stages(rows)), times=[9])
    >>> found.frame[["from", "to", "estimate"]].round(3).values.tolist()[:3]
    [['a', 'a', 0.333], ['a', 'b', 0.0], ['a', 'won', 0.667]]
    """
    if table.weighted:
        raise InputError(
            "transition probabilities from a table are for deals without weights",
            action="Use stage_occupation with initial=, whose errors are robust to weights",
        )
    if variance not in WORDS:
        raise InputError("there is no such variance", value=variance, action=nearest(variance, WORDS))
    tables, notes = [], [] if len(table.cells) else ["There are no deals."]
    for values, stays in table.strata():
        later = stays.after(start)
        process = process_of(later, len(table.states))
        product = products(process, np.eye(len(table.states)))
        spread = covariances(process, product, variance)
        if not len(process.time):
            notes.append(f"{stratum_name(values)}: no deal is followed beyond day {start:g}.")
        for h in np.flatnonzero(process.left):
            keys = {**values, "from": table.states[h]}
            path = Path(keys, start, product[:, h], np.einsum("taa->ta", spread[:, h]))
            grid = grid_of(path, process, times, notes)
            tables += [{"to" if name == "state" else name: column for name, column in one.items()}
                       for one in path_tables(path, later, process, table.states, grid)]  # fmt: skip
    meta = Meta(
        kind="probability", estimand=f"of deals in a stage at the end of day {start:g}, the share in each state later",
        keys=(*table.by, "from", "to", "time"), n_deals=table.n_deals, conf_level=conf_level, interval=interval,
        variance=WORDS[variance], note=" ".join(notes),
    )  # fmt: skip
    return Estimate(curves_frame(tables, meta), meta)


def transition_covariance(
    table: TransitionTable, *, time: float, start: float = -1, variance: CovarianceKind = "greenwood"
) -> pd.DataFrame:
    """How do the transition probabilities from one stage to two states vary together?

    Parameters
    ----------
    table, start, variance
        As for `transition_probabilities`.
    time : float
        Day after opening.

    Returns
    -------
    pandas.DataFrame
        Index `(*by, from, to)`, columns the states: covariances of P(from, to) and P(from, column).

    Raises
    ------
    InputError
        As `transition_probabilities`.

    Notes
    -----
    Allignol, Schumacher & Beyersmann (2010), Biom J 52:126 (Greenwood); Andersen et al. (1993), eq. 4.4.20
    (Aalen). Assumes Markov, as the probabilities.

    Examples
    --------
    >>> from analytics.estimators.multistate.rows import read_stages
    >>> from analytics.estimators.multistate.table import count_transitions
    >>> rows = pd.DataFrame({"deal_id": [1, 2, 3, 4], "entry": -1, "exit": [4, 9, 7, 9], "from": "a",
    ...                      "to": ["won", None, None, None]})
    >>> transition_covariance(count_transitions(read_stages(rows)), time=5).loc["a"].round(4).values.tolist()
    [[0.0469, -0.0469], [-0.0469, 0.0469]]
    """
    if table.weighted:
        raise InputError("the covariance of transition probabilities is for deals without weights")
    pieces = []
    for values, stays in table.strata():
        process = process_of(stays.after(start), len(table.states))
        found = _covariance_at(process, time, variance)
        for h in np.flatnonzero(process.left):
            piece = pd.DataFrame(found[h], columns=list(table.states))
            pieces.append(piece.assign(**values, **{"from": table.states[h], "to": list(table.states)}))
    names = [*table.by, "from", "to"]
    frame = pd.concat(pieces) if pieces else pd.DataFrame(columns=[*names, *table.states])
    return frame.set_index(names)


def _covariance_at(process: Process, time: float, kind: CovarianceKind) -> np.ndarray:
    product = products(process, np.eye(process.hazard.shape[1]))
    return np.asarray(covariances(process, product, kind)[int(np.searchsorted(process.time, time, side="right"))])
