"""Does it matter how a deal came to its stage: landmark estimates, and how far they are from those of Markov."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.incidence import Times
from analytics.estimators.intervals import Interval, t_value
from analytics.estimators.multistate.curves import Path, grid_of
from analytics.estimators.multistate.influence import Walk, walk_of
from analytics.estimators.multistate.occupation import account_df, facts_of, few_factor, stage_occupation, units_of
from analytics.estimators.multistate.process import products
from analytics.estimators.multistate.rows import Floats, Stages, Stays
from analytics.estimators.result import VALUE_COLUMNS, Estimate, Meta
from analytics.estimators.strata import ONE_ACCOUNT, stratum_name
from analytics.records.errors import InputError

SAME = "the deals (or accounts) do not differ, so their variance says nothing"


def landmark(stages: Stages, *, state: str, at: float) -> Stages:
    """Return the stays, from the end of day `at` on, of the deals that are in a state at the end of that day.

    Accounts are counted only without strata, since one can have deals in several.

    Raises
    ------
    InputError
        An unknown state, or a day at whose end no deal is seen there.

    Examples
    --------
    >>> from analytics.estimators.multistate.rows import read_stages
    >>> rows = pd.DataFrame({"deal_id": [1, 1, 2], "entry": [-1, 4, -1], "exit": [4, 9, 7],
    ...                      "from": ["a", "b", "a"], "to": ["b", "won", "won"]})
    >>> landmark(read_stages(rows), state="b", at=5).n_deals
    1
    """
    place = stages.place(state)
    parts, deals, units = [], 0, 0
    for values, stays in stages.parts:
        chosen = _chosen(stays, place, at)
        if len(chosen.leave):
            parts.append((values, chosen))
            deals, units = deals + len(np.unique(chosen.deal)), units + units_of(chosen)
    if not parts:
        raise InputError(f"no deal is seen in {state} at the end of day {at:g}", value=at, action="Choose another day")
    return replace(
        stages, parts=tuple(parts), n_deals=deals, n_accounts=units if stages.cluster and not stages.by else None
    )


def landmark_occupation(
    stages: Stages,
    *,
    state: str,
    at: float,
    times: Times = None,
    conf_level: float = 0.95,
    interval: Interval | None = None,
) -> Estimate:
    """Of deals seen in a stage at the end of a day, what share is in each state by each later day, Markov or not?

    Parameters
    ----------
    stages, times, conf_level, interval
        As for `stage_occupation`; times are days after opening.
    state : str
        Where the deals are.
    at : float
        Day after opening.

    Returns
    -------
    Estimate
        As `stage_occupation`.

    Raises
    ------
    InputError
        As `landmark` and `stage_occupation`.

    Notes
    -----
    Landmark Aalen-Johansen: Putter & Spitoni (2018), Stat Methods Med Res 27:2081. It rests on the deals in the stage
    on that day alone, so it needs no Markov assumption; `transition_probabilities`, which uses all, is more precise.
    `transition_probabilities(count_transitions(landmark(...)), start=at)` has Greenwood errors.

    Examples
    --------
    >>> from analytics.estimators.multistate.rows import read_stages
    >>> rows = pd.DataFrame({"deal_id": [1, 1, 2], "entry": [-1, 4, -1], "exit": [4, 9, 7],
    ...                      "from": ["a", "b", "a"], "to": ["b", "won", "won"]})
    >>> landmark_occupation(read_stages(rows), state="a", at=5, times=[7]).frame["estimate"].tolist()
    [0.0, 0.0, 1.0]
    """
    found = stage_occupation(
        landmark(stages, state=state, at=at), start=at, times=times, conf_level=conf_level, interval=interval
    )
    estimand = f"of deals seen in {state} at the end of day {at:g}, the share in each state by each later day"
    return found.stamped(estimand=estimand)


def markov_difference(
    stages: Stages, *, state: str, at: float, times: Times = None, conf_level: float = 0.95
) -> Estimate:
    """By how much does the landmark estimate differ from the one that assumes a deal's past does not matter?

    Parameters
    ----------
    stages, state, at, times, conf_level
        As for `landmark_occupation`.

    Returns
    -------
    Estimate
        Kind contrast; keys `(*by, "state", "time")`: landmark minus Aalen-Johansen from the same state and day, with
        both as `estimate_landmark` and `estimate_markov`. A stratum without a deal there has no rows.

    Raises
    ------
    InputError
        As `landmark_occupation`.

    Notes
    -----
    Both use the same deals: the error is that of the difference of their infinitesimal jackknives, with quantiles of t
    by as many degrees of freedom as the landmark's deals (or their accounts) are worth. Putter & Spitoni (2018), Stat
    Methods Med Res 27:2081, compare the two; assumes censoring unrelated to a deal's way. A difference that is
    clear of 0 says that the past matters for deals in this stage; none seen does not say that it does not.

    Examples
    --------
    >>> from analytics.estimators.multistate.rows import read_stages
    >>> rows = pd.DataFrame({"deal_id": [1, 1, 2, 3], "entry": [-1, 4, -1, -1], "exit": [4, 9, 7, 9],
    ...                      "from": ["a", "b", "a", "a"], "to": ["b", "won", "won", "b"]})
    >>> markov_difference(read_stages(rows), state="a", at=5, times=[9]).frame["estimate"].tolist()
    [0.0, 0.0, 0.0]
    """
    subset = {tuple(values.items()): stays for values, stays in landmark(stages, state=state, at=at).parts}
    frames, notes = [], []
    for values, stays in stages.parts:
        chosen = subset.get(tuple(values.items()))
        if chosen is None:
            notes.append(f"{stratum_name(values)}: no deal is seen in {state} at the end of day {at:g}.")
            continue
        everybody = walk_of(stays, stages.states, at, state)
        own = walk_of(chosen, stages.states, at, state)
        share = products(own.process, own.start.share)
        path = Path(values, at, share, np.zeros_like(share))
        grid = grid_of(path, own.process, times, notes)
        frames.append(_difference(values, stages, (everybody, own), grid, conf_level))
    meta = Meta(
        kind="contrast", estimand=f"landmark estimate from {state} on day {at:g} minus the one that assumes Markov",
        keys=(*stages.by, "state", "time"), conf_level=conf_level, interval="Wald", note=" ".join(notes),
        **facts_of(stages),
    )  # fmt: skip
    shown = [frame for frame in frames if len(frame)] or frames[:1]
    return Estimate(pd.concat(shown, ignore_index=True), meta)


def _difference(
    values: dict[str, Any], stages: Stages, walks: tuple[Walk, Walk], grid: Floats, conf_level: float
) -> pd.DataFrame:
    everybody, own = (_snapshots(walk, grid) for walk in walks)
    factor = few_factor(walks[0].stays) if stages.cluster else 1.0
    pieces = []
    for time, (share_all, u_all), (share_own, u_own) in zip(grid, everybody, own, strict=True):
        variance = ((u_own - u_all) ** 2).sum(axis=1) * factor
        pieces.append(pd.DataFrame({
            "state": stages.states, "time": time, "estimate": share_own - share_all, "std_error": np.sqrt(variance),
            "estimate_landmark": share_own, "estimate_markov": share_all,
        }))  # fmt: skip
    if not pieces:
        return pd.DataFrame(columns=[*values, "state", "time", *VALUE_COLUMNS, "no_interval_reason"])
    frame = pd.concat(pieces, ignore_index=True).assign(**values)
    reach = t_value(conf_level, account_df(walks[1].stays, stages.cluster or "deal_id")) * frame["std_error"]
    known = frame["std_error"] > 1e-12
    frame["conf_low"] = (frame["estimate"] - reach).clip(lower=-1).where(known)
    frame["conf_high"] = (frame["estimate"] + reach).clip(upper=1).where(known)
    frame["no_interval_reason"] = np.where(known, "", np.where(frame["std_error"].isna(), ONE_ACCOUNT, SAME))
    return frame


def _snapshots(walk: Walk, grid: Floats) -> Iterator[tuple[Floats, Floats]]:
    """Return share and influence on the days of the grid (in order)."""
    moments, reached = walk.moments(), -1
    share, influence = walk.start.share, walk.start.influence
    for place in np.searchsorted(walk.process.time, grid, side="right") - 1:
        while reached < place:
            moment = next(moments)
            reached = moment.index
            share, influence = moment.share, moment.influence  # changed in place: copied when they are handed out
        yield share.copy(), influence.copy()


def _chosen(stays: Stays, place: int, at: float) -> Stays:
    now = stays.seen_at(at)
    later = stays.after(at)
    return later.kept(np.isin(later.deal, now.deal[now.source == place]))
