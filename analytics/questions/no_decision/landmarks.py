"""What became of deals that stood where an open deal stands today: every fourth week of every deal, looked back at."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.discrete_time.covariates import Starts, silence_weeks, stages_and_pushes
from analytics.estimators.discrete_time.models import discrete_time_model
from analytics.estimators.discrete_time.periods import PersonPeriods, person_periods
from analytics.estimators.discrete_time.prediction import predicted_incidence
from analytics.estimators.rates import clustered_proportion
from analytics.estimators.result import Finding
from analytics.estimators.watched import OUTCOMES
from analytics.questions.no_decision.followed import cannot_tell
from analytics.records.contract import History

EVERY_DAYS = 28
AGES = (0, 30, 60, 90, 150, 240, 365, 540)
PUSHES = (0, 1, 2, 3, 5)
SILENT = (0, 2, 4, 8, 13, 26)
FEW_MOMENTS = 50
FEW_WON = 10
FEW_IN_LEVEL = 5
CHANCES = ("chance", "chance_low", "chance_high")
RIDGE = 0.1


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Moments of open deals, the way they stood then, and how they had ended `within_days` later.

    `moments` holds deal_id, account, age_days, pushes and silent_days (where the records know them), their bands, and
    `d_<outcome>` (recorded so within the days); `edges` are where the bands begin.
    """

    moments: pd.DataFrame
    within_days: int
    edges: dict[str, tuple[int, ...]]


def as_recorded(deals: pd.DataFrame) -> pd.DataFrame:
    """Give the deals as the CRM showed them: a deal is open until its closing is recorded, whatever date was typed.

    Examples
    --------
    >>> deals = pd.DataFrame({"opened_on": [pd.Timestamp("2025-01-01")], "recorded_on": [pd.Timestamp("2025-01-31")],
    ...                       "entry": [-1], "exit": [20], "outcome": ["lost"]})
    >>> as_recorded(deals)["exit"].tolist()
    [30]
    """
    recorded = (pd.to_datetime(deals["recorded_on"]) - pd.to_datetime(deals["opened_on"])).dt.days
    later = (deals["outcome"] != "open") & (recorded > deals["exit"])
    return deals.assign(exit=recorded.where(later, deals["exit"]).astype("int64"))


def landmarks(deals: pd.DataFrame, history: History, *, as_of: dt.date, within_days: int) -> Landmarks | Finding:
    """How had deals ended so many days after each moment at which they stood open, and how did they stand then?

    Parameters
    ----------
    deals : pandas.DataFrame
        First episodes under declared rules.
    history : History
        Frames: recorded states give pushes, the activities table gives silence.
    as_of : datetime.date
        Only moments whose days to come were over by then: each is followed to its end, so that nothing is censored.
    within_days : int
        Days to come.

    Returns
    -------
    Landmarks or Finding
        A Finding where fewer than 50 moments were followed, or fewer than 10 deals won after one.

    Notes
    -----
    What was known at a moment is what was recorded by the evening before (van Houwelingen & Putter 2012, Dynamic
    Prediction, ch. 7). "Recorded so within the days" is a matter of record: reporting delay is part of it.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": ["A"], "opened_on": [pd.Timestamp("2025-01-01")], "entry": [-1], "exit": [20],
    ...     "recorded_on": [pd.Timestamp("2025-01-21")], "outcome": ["lost"], "no_decision_kind": [None]})
    >>> landmarks(deals, History(table=None, kind="current_only"), as_of=dt.date(2025, 9, 1), within_days=90).verdict
    'cannot tell'
    """
    states, activities = known_tables(history)
    shown = as_recorded(deals)
    unknown = (shown["outcome"] == "unknown").any()
    made = person_periods(
        shown, states=states, activities=activities, period_days=EVERY_DAYS, as_of=as_of,
        outcomes=(*OUTCOMES, *(("unknown",) if unknown else ())), rules_kinds=(),
    )  # fmt: skip
    frame = made.frame
    frame["age_days"] = (frame["period"] - 1) * EVERY_DAYS
    deal = shown.set_index("deal_id")
    opened, end = frame["deal_id"].map(deal["opened_on"]), frame["deal_id"].map(deal["exit"])
    past = (pd.Timestamp(as_of) - opened).dt.days >= frame["age_days"] - 1 + within_days
    outcome = frame["deal_id"].map(deal["outcome"]).where(end <= frame["age_days"] - 1 + within_days, "open")
    frame = frame.assign(**{f"d_{name}": (outcome == name).astype("int64") for name in made.outcomes})[past]
    account = deal["account_id"] if "account_id" in deal else pd.Series(dtype=object)
    named = frame["deal_id"].map(account).astype(object)
    frame = frame.assign(account=named.where(named.notna(), "deal " + frame["deal_id"].astype(str)))
    won = frame.loc[frame["d_won"] == 1, "deal_id"].nunique()
    if len(frame) < FEW_MOMENTS or won < FEW_WON:
        why = (
            f"only {len(frame):,} moments of open deals" if len(frame) < FEW_MOMENTS else f"only {won} deals won later"
        )
        return cannot_tell(
            "zombie_chances", f"How often such open deals are recorded won within {within_days} days cannot be told.",
            f"The records hold {why} that were followed for {within_days} days.",
        )  # fmt: skip
    if "silence_weeks" in frame:
        frame["silent_days"] = frame["silence_weeks"] * 7
    edges = _edges(frame)
    return Landmarks(frame.assign(**bands_of(frame, edges)), within_days, edges)


def known_tables(history: History) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """Give the states that know pushes, and the activities; None where the records do not have them."""
    pushes = history.kind == "recorded" and history.table["expected_close_on"].notna().any()
    return (history.table if pushes else None), history.side.get("activities")


def standing(deals: pd.DataFrame, history: History, *, as_of: dt.date) -> pd.DataFrame:
    """How does each open deal stand at the end of the as-of day: age, silence, pushes, as a landmark would see it?

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": ["A", "B"], "opened_on": pd.Timestamp("2025-01-01"), "exit": [31, 9],
    ...                       "outcome": ["open", "won"]})
    >>> standing(deals, History(table=None, kind="current_only"), as_of=dt.date(2025, 2, 1))["age_days"].tolist()
    [31]
    """
    now = deals[deals["outcome"] == "open"].reset_index(drop=True)
    opened = pd.to_datetime(now["opened_on"]).to_numpy().astype("datetime64[D]")
    morning = np.full(len(now), np.datetime64(as_of, "D") + np.timedelta64(1, "D"))
    starts = Starts(now["deal_id"].to_numpy(dtype=object), opened, morning)
    states, activities = known_tables(history)
    made: dict[str, Any] = {"age_days": (morning - opened).astype(np.int64) - 1}
    known = pd.Timestamp(as_of)
    if states is not None:
        made["pushes"] = stages_and_pushes(starts, states[states["recorded_on"] <= known])[1]
    if activities is not None:
        recorded = activities["recorded_on"].fillna(activities["occurred_on"])
        heard = activities[(activities["occurred_on"] <= known) & (recorded <= known)]
        made["silent_days"] = silence_weeks(starts, heard) * 7
    return now.assign(**made)


def chances(found: Landmarks, now: pd.DataFrame) -> pd.DataFrame:
    """With what chance is each deal recorded won within the days, by deals that stood as it does?

    Returns
    -------
    pandas.DataFrame
        chance, chance_low, chance_high, in the rows of `now`.

    Notes
    -----
    Multinomial logit on the moments, with age, silence and pushes in bands; errors by account, since one deal has many
    moments. A level that fewer than five deals were won from is read directly instead: the share of its moments, with
    the interval of a clustered proportion. The interval is of the chance itself, not of what will happen to one deal.
    """
    bands = pd.DataFrame(bands_of(now, found.edges), index=now.index)
    made = pd.DataFrame({name: np.full(len(now), np.nan) for name in CHANCES}, index=now.index)
    past = found.moments
    for name in found.edges:  # a level after which hardly anybody won is read directly: a model would be too sure
        for level, moments in found.moments.groupby(name):
            if moments.loc[moments["d_won"] == 1, "deal_id"].nunique() >= FEW_IN_LEVEL:
                continue
            past = past[past[name] != level]
            seen = clustered_proportion(moments["d_won"].astype(float), cluster=moments["account"])
            here = (bands[name] == level) & ~(made["chance"] < seen[0])
            made.loc[here, list(CHANCES)] = [seen[0], seen[2], seen[3]]
    rest = made["chance"].isna()
    if rest.any():
        made.loc[rest, list(CHANCES)] = _modelled(past, bands[rest], found.within_days)
    return made


def _modelled(past: pd.DataFrame, bands: pd.DataFrame, within_days: int) -> pd.DataFrame:
    columns = [name for name in bands if past[name].nunique() > 1]
    happened = tuple(name for name in (*OUTCOMES, "unknown") if past.get(f"d_{name}", pd.Series(0)).sum() > 0)
    kept = ["deal_id", "account", "period", "at_risk", *columns, *(f"d_{name}" for name in happened)]
    periods = PersonPeriods(past[kept], happened, within_days, n_deals=int(past["deal_id"].nunique()))
    formula = " + ".join(f"C({name})" for name in columns) or "1"
    model = discrete_time_model(periods, formula, cluster="account", ridge=RIDGE)
    profiles = bands[columns].drop_duplicates().reset_index(drop=True) if columns else pd.DataFrame(index=[0])
    share = predicted_incidence(model, profiles, horizon=1).at(outcome="won").set_index("profile")
    share = share[["estimate", "conf_low", "conf_high"]].set_axis(list(CHANCES), axis=1)
    if not columns:
        return pd.DataFrame(np.repeat(share.to_numpy(), len(bands), axis=0), bands.index, list(CHANCES))
    return bands[columns].merge(profiles.join(share), how="left", on=columns).set_index(bands.index)[list(CHANCES)]


def bands_of(frame: pd.DataFrame, edges: dict[str, tuple[int, ...]]) -> dict[str, pd.Series[Any]]:
    """Number the bands of age, silence and pushes of each row."""
    made = {}
    for name, limits in edges.items():
        values = frame[_SOURCE[name]].to_numpy(dtype=float)
        place = np.maximum(np.searchsorted(np.asarray(limits), values, side="right") - 1, 0)
        made[name] = pd.Series(place, index=frame.index).map("{:02d}".format)
    return made


_SOURCE = {"age_band": "age_days", "silence_band": "silent_days", "push_band": "pushes"}


def _edges(frame: pd.DataFrame) -> dict[str, tuple[int, ...]]:
    """Choose the bands: those that hold at least 50 moments; a thinner one is part of the one before it."""
    wanted = {"age_band": AGES, "silence_band": tuple(7 * week for week in SILENT), "push_band": PUSHES}
    found = {}
    for name, limits in wanted.items():
        if _SOURCE[name] not in frame:
            continue
        values, kept = frame[_SOURCE[name]].to_numpy(), [limits[0]]
        for low in limits[1:]:
            if (values >= low).sum() >= FEW_MOMENTS and ((values >= kept[-1]) & (values < low)).sum() >= FEW_MOMENTS:
                kept.append(low)
        if len(kept) > 1:
            found[name] = tuple(kept)
    return found
