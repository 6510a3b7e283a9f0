"""Still open at an age: what becomes of such deals, by the stage in which they were known to be at that age."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from analytics.estimators.cell_deals import with_watched
from analytics.estimators.period_incidence import at_horizon
from analytics.estimators.result import Estimate, Finding
from analytics.estimators.watched import SMALLEST_CELL, late_start, not_studied
from analytics.questions.time_to_outcome.followed import Followed, followed
from analytics.records.contract import History
from analytics.records.lives import states_known
from analytics.records.trusted import trusted_from

ALL, UNKNOWN_STAGE = "All stages", "Stage not on record"
ROUND = (1, 2, 3, 5, 7, 10, 14, 21, 30, 45, 60, 90, 120, 180, 270, 365, 540, 730, 1095)
FEW = f"fewer than {SMALLEST_CELL} deals"
ESTIMAND = "of deals still open at an age, the share with each outcome by the horizon"


def still_open(
    deals: pd.DataFrame, history: History | None, *, settled_on: dt.date, horizon_days: int,
    stages: Sequence[str] = (), ages: Sequence[int] = (),
) -> Estimate | Finding:  # fmt: skip
    """Of deals still open at an age, in a stage, what share is won, lost or in no decision by the horizon?

    Parameters
    ----------
    deals, settled_on, horizon_days
        As for `incidence`.
    history : History or None
        Frames of what was recorded, and when; None, or a source that keeps only today's state, leaves stages out.
    stages : sequence of str
        Open stages in their order (`study.definitions.stages`); others follow by name.
    ages : sequence of int, optional
        Ages in days; by default up to six round ones within the first three quarters of the horizon.

    Returns
    -------
    Estimate or Finding
        Kind probability, keys (age, stage, outcome), "open" among the outcomes; stage `All stages` first. `n_deals`
        open at that age, `n_risk` still watched at the horizon, `horizon_reached`; cells with fewer than five deals are
        empty. The numbers of deals of the stages add up to those of all.

    Notes
    -----
    A deal is open at age t where it had not ended before day t; its stage is the last one recorded by the evening
    before, so that nothing learned later sorts deals, and no deal has to survive to be sorted (no immortal time). A
    deal that was first recorded later, or whose stage was not tracked yet, is in `Stage not on record`. Each cell is an
    Aalen-Johansen estimate started at its age (landmark; van Houwelingen 2007, Scand J Stat 34:70), which assumes
    nothing about how deals came into the stage. It describes; it is no estimate of what moving a deal would do.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": [f"d{n}" for n in range(12)], "opened_on": pd.Timestamp("2025-10-01"),
    ...                       "entry": -1, "exit": [3] * 6 + [9] * 6, "outcome": ["won"] * 6 + ["lost"] * 6})
    >>> found = still_open(deals, None, settled_on=dt.date(2026, 1, 31), horizon_days=12, ages=[1, 5])
    >>> found.at(outcome="won")[["age", "estimate", "n_deals"]].values.tolist()
    [[1.0, 0.5, 12.0], [5.0, 0.0, 6.0]]
    """
    given = followed("still_open", deals, settled_on=settled_on, horizon_days=horizon_days)
    if isinstance(given, Finding):
        return given
    states, since = _stages_recorded(history, settled_on)
    parts, groups, order = [], [], [ALL, *stages]
    for age in ages or round_ages(given.age):
        landmark = _open_at(given.young, age)
        if len(landmark) < SMALLEST_CELL:
            continue
        cells = [(ALL, landmark)]
        if states is not None:
            stage = stage_at(landmark, states, age, since)
            cells += [(str(name), group) for name, group in landmark.groupby(stage)]
            order += sorted(set(stage) - {*order, UNKNOWN_STAGE})
        parts += [_cell(given, group, name, age) for name, group in cells]
        groups += [group.assign(stage=name, age=age) for name, group in cells]
    if not parts:
        return not_studied("still_open", f"At no age were {SMALLEST_CELL} deals still open.")
    frame = pd.concat(parts, ignore_index=True)
    place = {name: number for number, name in enumerate([*dict.fromkeys(order), UNKNOWN_STAGE])}
    frame = frame.assign(_place=frame["stage"].map(place)).sort_values(["_place", "age"], kind="stable")
    notes = [given.note, "" if states is not None else NO_STAGES, _late(since)]
    whole = at_horizon(given.young, given.age).meta
    note = " ".join(text for text in notes if text)
    meta = replace(whole, estimand=ESTIMAND, keys=("age", "stage", "outcome"), n_accounts=given.n_accounts, note=note)
    found = Estimate(frame.drop(columns="_place"), meta)
    return with_watched(found, pd.concat(groups, ignore_index=True), by=("stage", "age"))


NO_STAGES = "Stages at each age are not studied: they need recorded changes of stage (stage history)."


def _late(since: pd.Timestamp | None) -> str:
    return "" if since is None else f"Changes of stage are recorded since {since:%-d %B %Y}; before, no stage is taken."


def round_ages(horizon: int, most: int = 6) -> list[int]:
    """Give round ages from 1 day on within the first three quarters of the horizon, the later ones where many.

    Examples
    --------
    >>> round_ages(365), round_ages(60)
    ([1, 45, 60, 90, 120, 180, 270], [1, 7, 10, 14, 21, 30, 45])
    """
    fitting = [age for age in ROUND if 1 < age <= 0.75 * horizon]
    return [1, *fitting[-most:]]


def _open_at(young: pd.DataFrame, age: int) -> pd.DataFrame:
    """Deals that were watched at an age and had not ended before it, watched from then on."""
    there = young[(young["entry"] < age) & (young["exit"] >= age)]
    return there.assign(entry=age - 1).reset_index(drop=True)


def stage_at(landmark: pd.DataFrame, states: pd.DataFrame, age: int, since: pd.Timestamp | None = None) -> pd.Series:
    """In which stage was each deal on the evening before an age, as recorded by then?

    Parameters
    ----------
    landmark : pandas.DataFrame
        `deal_id`, `opened_on`.
    states : pandas.DataFrame
        `deal_id`, `recorded_on`, `stage`, `status`, in their order.
    age : int
        Days after opening.
    since : pandas.Timestamp, optional
        Stages before this day are not trusted.

    Examples
    --------
    >>> day = pd.Timestamp
    >>> deals = pd.DataFrame({"deal_id": ["a"], "opened_on": [day("2025-01-01")]})
    >>> states = pd.DataFrame({"deal_id": ["a", "a"], "recorded_on": [day("2025-01-01"), day("2025-01-11")],
    ...                        "stage": ["Demo", "Offer"], "status": "open"})
    >>> [stage_at(deals, states, age).iloc[0] for age in (10, 11)]
    ['Demo', 'Offer']
    """
    evening = pd.to_datetime(landmark["opened_on"]) + pd.to_timedelta(age - 1, unit="D")
    asked = pd.DataFrame({"deal_id": landmark["deal_id"].astype(str), "evening": evening.astype("datetime64[ns]")})
    asked = asked.assign(_row=np.arange(len(asked))).sort_values("evening", kind="stable")
    known = states.assign(deal_id=states["deal_id"].astype(str), _day=states["recorded_on"].astype("datetime64[ns]"))
    known = known.sort_values("_day", kind="stable")[["deal_id", "_day", "stage", "status"]]
    found = pd.merge_asof(asked, known, left_on="evening", right_on="_day", by="deal_id").sort_values("_row")
    stage = found["stage"].astype(object).where(found["status"] == "open")
    if since is not None:
        stage = stage.where(found["evening"] >= since)
    return stage.where(stage.notna(), UNKNOWN_STAGE).astype(str).set_axis(landmark.index)


def _stages_recorded(history: History | None, settled_on: dt.date) -> tuple[pd.DataFrame | None, pd.Timestamp | None]:
    """Give the states up to the settled date, None where stages are not told apart, and since when they count."""
    if history is None or history.kind == "current_only":
        return None, None
    states = states_known(history, settled_on, ["stage"])
    if states.loc[states["status"] == "open", "stage"].nunique() < 2:
        return None, None
    facts = trusted_from(history, as_of=settled_on).set_index("what")
    late = "stage" in facts.index and bool(facts.at["stage", "late"])
    return states, facts["trusted_from"].loc["stage"] if late else None


def _cell(given: Followed, group: pd.DataFrame, stage: str, age: int) -> pd.DataFrame:
    """Read one cell at the horizon, or as far as its deals were followed; empty with few deals."""
    rows = at_horizon(group, given.age).frame.assign(stage=stage, age=age)
    rows = rows.assign(note=rows["note"].str.replace(late_start(group), "", regex=False).str.strip())
    if len(group) >= SMALLEST_CELL:
        return rows
    values = ["estimate", "std_error", "conf_low", "conf_high"]
    return rows.assign(**dict.fromkeys(values, np.nan), no_interval_reason=FEW, note="")
