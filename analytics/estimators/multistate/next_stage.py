"""Which stage comes next: from each stage, where deals go first, in days since they came to it."""

from __future__ import annotations

import pandas as pd

from analytics.estimators.counts import count_events
from analytics.estimators.incidence import Times, cumulative_incidence
from analytics.estimators.intervals import Interval
from analytics.estimators.multistate.rows import Stages
from analytics.estimators.result import VALUE_COLUMNS, Estimate, Meta
from analytics.estimators.strata import VARIANCE_WORDS

UNIT, WEIGHT = "_unit", "_weight"


def next_stage_shares(
    stages: Stages, *, times: Times, conf_level: float = 0.95, interval: Interval = "log-log"
) -> Estimate:
    """Of deals that came to a stage, what share has moved next to each other stage or outcome by some days later?

    Parameters
    ----------
    stages : Stages
        Stage rows.
    times : sequence of float or None
        Days since the deal came to the stage; None for every day on which a stay ended.
    conf_level, interval
        As for `cumulative_incidence`.

    Returns
    -------
    Estimate
        Kind incidence; keys `(*by, "from", "to", "time")`: estimate, std_error, limits, `n_risk`, `n_event`,
        `cum_event`. Every stay counts, so a deal that came to a stage twice counts twice there; the errors are by deal
        (or account) all the same. Deals whose coming to the stage nobody saw are left out, and the note counts them.

    Raises
    ------
    InputError
        As `cumulative_incidence`.

    Notes
    -----
    Aalen-Johansen (1978, Scand J Stat 5:141) of the first move out of a stage, its destinations competing, on the clock
    of the stage: where deals go may depend on how long they have been there, but is averaged over their age and past.
    Censoring is taken to be unrelated to where they go, given the stage. By account (or deal) the jackknife carries
    C/(C-1).

    Examples
    --------
    >>> from analytics.estimators.multistate.rows import read_stages
    >>> rows = pd.DataFrame({"deal_id": [1, 1, 2, 3], "entry": [-1, 4, -1, -1], "exit": [4, 9, 7, 9],
    ...                      "from": ["a", "b", "a", "a"], "to": ["b", "won", "won", None]})
    >>> next_stage_shares(read_stages(rows), times=[5]).frame[["from", "to", "estimate"]].round(3).values.tolist()
    [['a', 'b', 0.333], ['a', 'won', 0.0], ['b', 'won', 1.0]]
    """
    frames, notes = [], [] if stages.parts else ["There are no deals."]
    stays = _stays(stages)
    for h, state in enumerate(stages.states):
        seen = stays[stays["from"] == h]
        known = seen[seen["since"].notna()]
        if len(known) < len(seen):
            notes.append(f"{len(seen) - len(known)} stays in {state}, to which nobody saw the deal come, are left out.")
        if not len(known):
            continue
        # whoever comes counts from before the first day on: only a deal that was opened there can leave on that day
        came = known["since"].clip(lower=0)
        clock = (known["entry"] - came).where(known["entry"] > known["since"], -1)
        names = {j: f"to {name}" for j, name in enumerate(stages.states)}
        spells = known.assign(
            entry=clock, exit=known["exit"] - came,
            outcome=known["to"].map(names).fillna("open"),
        )  # fmt: skip
        reached = [name for name in names.values() if (spells["outcome"] == name).any()]
        risk = count_events(
            spells, by=stages.by, weights=WEIGHT, cluster=UNIT, outcomes=reached or list(names.values())
        )
        found = cumulative_incidence(risk, times=times, conf_level=conf_level, interval=interval)
        frame = found.frame.rename(columns={"outcome": "to"})
        frames.append(frame.assign(to=frame["to"].str.slice(3), **{"from": state}))
        notes += [f"{state}: {found.meta.note}"] if found.meta.note else []
    empty = pd.DataFrame(columns=[*_keys(stages), *VALUE_COLUMNS, "no_interval_reason"])
    frame = pd.concat(frames, ignore_index=True) if frames else empty
    columns = [*_keys(stages), *(name for name in frame.columns if name not in _keys(stages))]
    return Estimate(frame[columns], _meta(stages, conf_level, interval, notes))


def _keys(stages: Stages) -> tuple[str, ...]:
    return (*stages.by, "from", "to", "time")


def _meta(stages: Stages, conf_level: float, interval: Interval, notes: list[str]) -> Meta:
    return Meta(
        kind="incidence", estimand="of deals that came to a stage, the share that moved next to each other one",
        keys=_keys(stages), n_deals=stages.n_deals, n_accounts=stages.n_accounts, conf_level=conf_level,
        interval=interval, variance=VARIANCE_WORDS["clustered"], cluster=stages.cluster or "deal_id",
        time_unit="days since the deal came to the stage", note=" ".join(notes),
    )  # fmt: skip


def _stays(stages: Stages) -> pd.DataFrame:
    """Return all stays with their strata; deals (or accounts) of different strata have different numbers."""
    pieces, before = [], 0
    for values, stays in stages.parts:
        piece = pd.DataFrame({
            "entry": stays.entry, "exit": stays.leave, "from": stays.source, "to": stays.target, "since": stays.since,
            WEIGHT: stays.w, UNIT: stays.unit + before,
        })  # fmt: skip
        pieces.append(piece.assign(**values))
        before += stays.units
    return pd.concat(pieces, ignore_index=True) if pieces else pd.DataFrame({"from": [], "since": []})
