"""On which day would each inferred rule have fired, for a whole grid of its thresholds in one pass over the records.

`records.firing` answers this in the engine for the one threshold of the params; these functions answer it in pandas
for many, from frames of the History. They follow the same definitions, and a test holds the two equal.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.records.contract import History
from analytics.records.lives import side_known, states_known

Ints = npt.NDArray[np.int64]
NEVER, LONG_AGO = 10**7, -(10**7)
"""Day numbers of what never happens and of what lies before everything."""

FIRED_COLUMNS = ["deal_id", "threshold", "fired_on"]


@dataclass(frozen=True, eq=False)
class FirstLives:
    """The first life of every deal that was ever recorded as open, as day numbers; one row per deal.

    `opened` is the opening that was recorded first, on the day `since`; `until` is the day on which the deal was first
    recorded as closed. `states` are the recorded rows, in order, with `deal` (position in `deal_id`), `day`, `next_day`
    (of the deal's next row), `last_of_day`, `is_open`, `expected` and `n_pushes`.
    """

    deal_id: pd.Index[str]
    opened: Ints
    since: Ints
    until: Ints
    states: pd.DataFrame
    as_of: int


def first_spells(history: History, as_of: dt.date) -> FirstLives:
    """From when to when was each deal's first life recorded as open, as known at the end of a day?

    Parameters
    ----------
    history : History
        Tables of an engine or frames.
    as_of : datetime.date
        Nothing recorded later is looked at.

    Returns
    -------
    FirstLives

    Examples
    --------
    >>> rows = {"deal_id": ["A", "A"], "recorded_on": [dt.date(2025, 1, 10), dt.date(2025, 2, 3)], "sequence": [0, 1],
    ...         "status": ["open", "closed_lost"], "opened_on": [dt.date(2025, 1, 10)] * 2}
    >>> lives = first_spells(History(table=pd.DataFrame(rows)), dt.date(2025, 3, 1))
    >>> (lives.until - lives.opened).tolist()
    [24]
    """
    states = states_known(history, as_of, ("expected_close_on",))
    code, ids = pd.factorize(states["deal_id"])
    day = _numbers(states["recorded_on"], NEVER)
    rows = pd.DataFrame({"deal": code, "day": day, "opened": _numbers(states["opened_on"], NEVER)})
    rows["expected"] = _numbers(states["expected_close_on"], NEVER)
    rows["is_open"] = (states["status"] == "open").to_numpy(dtype=bool, na_value=False)
    following = np.append(np.where(code[1:] == code[:-1], day[1:], NEVER), NEVER) if len(rows) else day
    rows["next_day"], rows["last_of_day"] = following, following > day
    closed = rows[rows["last_of_day"] & ~rows["is_open"]].drop_duplicates("deal")
    named = rows[rows["opened"] < NEVER].drop_duplicates("deal")
    until, opened, since = (np.full(len(ids), NEVER, dtype=np.int64) for _ in range(3))
    until[closed["deal"]] = closed["day"]
    opened[named["deal"]], since[named["deal"]] = named["opened"], named["day"]
    rows["n_pushes"] = _pushes(rows[rows["day"] <= until[code]]).reindex(rows.index, fill_value=0)
    return FirstLives(pd.Index(ids), opened, since, until, rows, (as_of - dt.date(1970, 1, 1)).days)


def silent_days_fired(history: History, lives: FirstLives, grid: Sequence[int]) -> pd.DataFrame | None:
    """On which day was nothing heard of a deal for D days, for each D of a grid?

    Parameters
    ----------
    history : History
        With the side table `activities`.
    lives : FirstLives
        From `first_spells`.
    grid : sequence of int
        Thresholds D in days.

    Returns
    -------
    pandas.DataFrame or None
        deal_id, threshold, fired_on, heard_on (the first activity after it that would end the silence, NaT without
        one by the as-of day); None where no activities were recorded.

    Notes
    -----
    An activity counts from the day on which it was known; from the first day on which any buyer's activity is known
    only the buyer's side ends a silence (as in `deals_as_of`).

    Examples
    --------
    >>> rows = {"deal_id": ["A"], "recorded_on": [dt.date(2025, 1, 1)], "sequence": [0], "status": ["open"],
    ...         "opened_on": [dt.date(2025, 1, 1)]}
    >>> acts = {"deal_id": ["A"], "occurred_on": [dt.date(2025, 1, 11)], "side": ["seller"]}
    >>> made = History(table=pd.DataFrame(rows), side={"activities": pd.DataFrame(acts)})
    >>> fired = silent_days_fired(made, first_spells(made, dt.date(2025, 3, 1)), [5, 30])
    >>> fired[["threshold", "fired_on"]].astype(str).values.tolist()
    [['5', '2025-01-06'], ['30', '2025-02-10']]
    """
    activities = side_known(history, "activities", _date(lives.as_of), "occurred_on")
    if activities is None:
        return None
    heard = _heard(activities, lives)
    buyers = heard.loc[heard["buyer"] > LONG_AGO, "day"]
    buyer_since = int(buyers.min()) if len(buyers) else NEVER
    counting = heard[(heard["buyer"] > LONG_AGO) | (heard["day"] < buyer_since)]
    pairs = _stretches(heard, len(lives.deal_id))
    deal = pairs["deal"].to_numpy()
    floor = np.maximum(lives.since[deal], pairs["day"].to_numpy())
    last, last_buyer = (np.maximum(lives.opened[deal], pairs[name].to_numpy()) for name in ("anybody", "buyer"))
    end = np.minimum(np.minimum(lives.until[deal], pairs["next_day"].to_numpy()), lives.as_of + 1)
    parts = []
    for days in grid:
        anybody = np.maximum(last + days, floor)
        day = np.where(
            anybody >= buyer_since, np.maximum(np.maximum(last_buyer + days, floor), buyer_since), anybody
        )  # fmt: skip
        found = _first(deal, day, (day < end) & (lives.opened[deal] < NEVER), lives, days)
        parts.append(found.assign(heard_on=_next_heard(found, counting, lives)))
    return pd.concat(parts, ignore_index=True)


def pushed_times_fired(lives: FirstLives, grid: Sequence[int]) -> pd.DataFrame:
    """On which day was a deal past its expected close date after K pushes, for each K of a grid?

    Parameters
    ----------
    lives : FirstLives
        From `first_spells`.
    grid : sequence of int
        Numbers of pushes K.

    Returns
    -------
    pandas.DataFrame
        deal_id, threshold, fired_on.

    Examples
    --------
    >>> rows = {"deal_id": ["A", "A"], "recorded_on": [dt.date(2025, 1, 1), dt.date(2025, 1, 5)], "sequence": [0, 1],
    ...         "status": ["open"] * 2, "opened_on": [dt.date(2025, 1, 1)] * 2,
    ...         "expected_close_on": [dt.date(2025, 1, 20), dt.date(2025, 2, 10)]}
    >>> lives = first_spells(History(table=pd.DataFrame(rows)), dt.date(2025, 3, 1))
    >>> pushed_times_fired(lives, [1, 2])["fired_on"].astype(str).tolist()
    ['2025-02-11']
    """
    rows = lives.states
    rows = rows[rows["last_of_day"] & rows["is_open"] & (rows["expected"] < NEVER) & (rows["n_pushes"] > 0)]
    deal = rows["deal"].to_numpy()
    day = np.maximum(rows["expected"].to_numpy() + 1, rows["day"].to_numpy())
    day = np.maximum(np.maximum(day, lives.opened[deal]), lives.since[deal])
    in_time = day < np.minimum(np.minimum(lives.until[deal], rows["next_day"].to_numpy()), lives.as_of + 1)
    pushes = rows["n_pushes"].to_numpy()
    return _joined([_first(deal, day, in_time & (pushes >= times), lives, times) for times in grid])


def age_fired(lives: FirstLives, grid: Sequence[int]) -> pd.DataFrame:
    """On which day did a deal become older than A days, for each A of a grid?

    Parameters
    ----------
    lives : FirstLives
        From `first_spells`.
    grid : sequence of int
        Ages A in days.

    Returns
    -------
    pandas.DataFrame
        deal_id, threshold, fired_on.

    Examples
    --------
    >>> rows = {"deal_id": ["A"], "recorded_on": [dt.date(2025, 1, 1)], "sequence": [0], "status": ["open"],
    ...         "opened_on": [dt.date(2025, 1, 1)]}
    >>> age_fired(first_spells(History(table=pd.DataFrame(rows)), dt.date(2025, 3, 1)), [30, 90])["threshold"].tolist()
    [30]
    """
    deal = np.arange(len(lives.deal_id))
    parts = []
    for age in grid:
        day = np.maximum(lives.opened + age + 1, lives.since)
        parts.append(_first(deal, day, (day < lives.until) & (day <= lives.as_of), lives, age))
    return _joined(parts)


def ended_by(deals: pd.DataFrame, fired: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Which deals would a rule have ended, and when?

    Parameters
    ----------
    deals : pandas.DataFrame
        First episodes under declared rules.
    fired : pandas.DataFrame
        deal_id, fired_on: one threshold of one rule.
    kind : str
        The rule's name.

    Returns
    -------
    pandas.DataFrame
        The same columns: the first episodes under the declared reasons and this rule, `no_decision_kind` filled in. A
        deal that the rule ended before it was watched is gone.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": ["A"], "opened_on": [pd.Timestamp("2025-01-01")], "entry": [-1], "exit": [90],
    ...                       "outcome": ["won"], "no_decision_kind": [None]})
    >>> fired = pd.DataFrame({"deal_id": ["A"], "fired_on": [pd.Timestamp("2025-01-31")]})
    >>> ended_by(deals, fired, "silent")[["exit", "outcome"]].values.tolist()
    [[30, 'no_decision']]
    """
    day = pd.to_datetime(deals["deal_id"].map(fired.set_index("deal_id")["fired_on"]))
    hit = day.notna()
    age = (day - pd.to_datetime(deals["opened_on"])).dt.days
    made = deals.assign(
        exit=age.where(hit, deals["exit"]).astype("int64"),
        outcome=deals["outcome"].astype(object).mask(hit, "no_decision"),
        no_decision_kind=deals["no_decision_kind"].astype(object).mask(hit, kind),
    )
    return made[made["exit"] > made["entry"]].reset_index(drop=True)


def _pushes(rows: pd.DataFrame) -> pd.Series[int]:
    """How often the expected close date of an open state had moved later, up to each row of its deal."""
    named = rows[rows["is_open"] & (rows["expected"] < NEVER)]
    later = named.groupby("deal")["expected"].diff() > 0
    pushed = later.reindex(rows.index, fill_value=False).astype("int64")
    return pushed.groupby(rows["deal"]).cumsum()


def _heard(activities: pd.DataFrame, lives: FirstLives) -> pd.DataFrame:
    """Per deal and day on which something became known: the latest thing heard so far, and of the buyer."""
    place = lives.deal_id.get_indexer(pd.Index(activities["deal_id"]))
    occurred = _numbers(activities["occurred_on"], LONG_AGO)
    known = np.maximum(_numbers(activities["recorded_on"], LONG_AGO), occurred)
    by_buyer = (activities["side"].astype("string").str.strip().str.lower() == "buyer").to_numpy(
        dtype=bool, na_value=False
    )
    table = pd.DataFrame({"deal": place, "day": known, "anybody": occurred})
    table["buyer"] = np.where(by_buyer, occurred, LONG_AGO)
    table = table[(table["deal"] >= 0) & (table["anybody"] > LONG_AGO)]
    return table.groupby(["deal", "day"], as_index=False)[["anybody", "buyer"]].max()


def _stretches(heard: pd.DataFrame, deals: int) -> pd.DataFrame:
    """Stretches between two things heard, one before the first of them included."""
    start = pd.DataFrame({"deal": np.arange(deals), "day": LONG_AGO, "anybody": LONG_AGO, "buyer": LONG_AGO})
    table = pd.concat([start, heard], ignore_index=True).sort_values(["deal", "day"], ignore_index=True)
    by_deal = table.groupby("deal")
    following = by_deal["day"].shift(-1).fillna(NEVER).astype("int64")
    return table.assign(next_day=following, **{name: by_deal[name].cummax() for name in ("anybody", "buyer")})


def _next_heard(found: pd.DataFrame, counting: pd.DataFrame, lives: FirstLives) -> pd.Series[pd.Timestamp]:
    """Return the first counting activity after each firing."""
    span = 2 * NEVER
    keys = np.sort(counting["deal"].to_numpy() * span + counting["day"].to_numpy())
    deal = lives.deal_id.get_indexer(pd.Index(found["deal_id"]))
    asked = deal * span + _numbers(found["fired_on"], NEVER)
    at = np.searchsorted(keys, asked, side="right")
    following = np.append(keys, -1)[at]
    own = (following >= 0) & (following // span == deal)
    return pd.Series(_dates(np.where(own, following % span, 0)), index=found.index).where(own)


def _first(deal: Ints, day: Ints, holds: npt.NDArray[np.bool_], lives: FirstLives, threshold: int) -> pd.DataFrame:
    table = pd.DataFrame({"deal": deal[holds], "day": day[holds]}).groupby("deal")["day"].min()
    return pd.DataFrame({
        "deal_id": lives.deal_id[table.index.to_numpy()].to_numpy(), "threshold": threshold,
        "fired_on": _dates(table.to_numpy()),
    })  # fmt: skip


def _joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=FIRED_COLUMNS)


def _numbers(days: pd.Series[pd.Timestamp], missing: int) -> Ints:
    numbers = pd.to_datetime(days).to_numpy(dtype="datetime64[D]")
    return np.where(np.isnat(numbers), missing, numbers.astype(np.int64))


def _dates(numbers: Ints) -> npt.NDArray[np.datetime64]:
    return numbers.astype("datetime64[D]").astype("datetime64[ns]")


def _date(number: int) -> dt.date:
    return dt.date(1970, 1, 1) + dt.timedelta(days=number)
