"""Where every deal stood at the end of each day, as known then or now, and when it was open between two days."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import numpy as np
import pandas as pd

from analytics.records.contract import History
from analytics.records.definitions import Definitions
from analytics.records.lives import states_known
from analytics.records.rules import OutcomeRules
from analytics.records.sources.states import MISSING_DEALS

View = Literal["frozen", "restated"]
VALUES = ("expected_close_on", "amount", "currency", "owner_id", "forecast_category")
_COLUMNS = ("account_id", "reason", *VALUES)


def positions(
    history: History, *, as_of: dt.date, definitions: Definitions, rules: OutcomeRules, view: View = "frozen"
) -> pd.DataFrame:
    """Where did every deal stand at the end of each day on which something of it changed?

    Parameters
    ----------
    history : History
        Frames, or tables of an engine.
    as_of : datetime.date
        Only what was recorded by the end of this day exists.
    definitions, rules
        `close_date` says which closing day counts; lost with one of the reasons of `rules` is no decision (declared;
        no rule infers one here).
    view : {"frozen", "restated"}
        "frozen": a day is the day of recording, so that each position is what was said then. "restated": a deal is
        there from its opening and ends on its closing day, whenever these were recorded, and a deal that a later
        extract lacks was never there; amounts and expected dates have no other day than that of their recording.

    Returns
    -------
    pandas.DataFrame
        By deal and day `on`: `account_id`, `opened_on`, `is_open`, `ending` (won, lost, no_decision, unknown, removed;
        empty while open), `closed_on`, and `VALUES`; one row per deal and day, the last record of the day.

    Notes
    -----
    Deals that a later extract lacks (deleted, merged) end as "removed" on the first extract without them.

    Examples
    --------
    >>> rows = {"deal_id": ["A", "A"], "recorded_on": [dt.date(2025, 1, 10), dt.date(2025, 2, 3)], "sequence": [0, 1],
    ...         "status": ["open", "closed_won"], "opened_on": [dt.date(2025, 1, 8)] * 2,
    ...         "closed_on": [None, dt.date(2025, 2, 1)], "amount": [5.0, 6.0]}
    >>> facts = {"as_of": dt.date(2025, 3, 1), "definitions": Definitions(), "rules": OutcomeRules()}
    >>> [positions(History(table=pd.DataFrame(rows)), view=view, **facts)["on"].astype(str).tolist()
    ...  for view in ("frozen", "restated")]
    [['2025-01-10', '2025-02-03'], ['2025-01-08', '2025-02-01']]
    """
    states = states_known(history, as_of, _COLUMNS)
    states = states.assign(
        on=states["recorded_on"], is_open=states["status"].eq("open"), ending=_endings(states, rules),
        amount=states["amount"].astype(float),
    )  # fmt: skip
    states = _with_removed(states, history, as_of, view)
    states["closed_on"] = _closed_on(states, definitions)
    if view == "restated":
        states["on"] = _restated_days(states)
    last = ~states.duplicated(["deal_id", "on"], keep="last")
    return states.loc[last, ["deal_id", "account_id", "opened_on", "on", "is_open", "ending", "closed_on", *VALUES]]


def _endings(states: pd.DataFrame, rules: OutcomeRules) -> pd.Series:
    named = {"closed_won": "won", "closed_lost": "lost", "closed_unknown": "unknown", "open": ""}
    ending = states["status"].astype(object).map(named).fillna("unknown")
    said = states["reason"].astype("string").str.strip().str.lower().isin(rules.reason_keys).fillna(False)
    return ending.mask(said.astype(bool) & ending.eq("lost"), "no_decision")


def _with_removed(states: pd.DataFrame, history: History, as_of: dt.date, view: View) -> pd.DataFrame:
    """Let a deal that a later extract lacks end there; restated, it was never there."""
    if MISSING_DEALS not in history.side:
        return states
    gone = history.side[MISSING_DEALS]
    gone = gone if isinstance(gone, pd.DataFrame) else gone.to_pyarrow().to_pandas()
    gone = gone.assign(on=pd.to_datetime(gone["recorded_on"]).astype("datetime64[ns]"))
    gone = gone[(gone["on"] <= pd.Timestamp(as_of)) & gone["deal_id"].isin(states["deal_id"])]
    if view == "restated":
        newest = states.groupby("deal_id")["recorded_on"].max()
        away = gone.groupby("deal_id")["on"].max()
        never = away.index[away > newest.reindex(away.index)]
        here: pd.DataFrame = states[~states["deal_id"].isin(never)].reset_index(drop=True)
        return here
    known = states.drop_duplicates("deal_id", keep="last").set_index("deal_id")
    rows = gone[["deal_id", "on"]].join(known.drop(columns="on"), on="deal_id")
    rows = rows.assign(recorded_on=rows["on"], is_open=False, ending="removed", closed_on=rows["on"], sequence=-1)
    both = pd.concat([states, rows[states.columns]], ignore_index=True)
    ordered: pd.DataFrame = both.sort_values(["deal_id", "recorded_on", "sequence"], kind="stable", ignore_index=True)
    return ordered


def _closed_on(states: pd.DataFrame, definitions: Definitions) -> pd.Series:
    """The closing day of a closed state: the typed one, never later than its recording, where typed days count."""
    recorded = states["recorded_on"]
    typed = states["closed_on"] if definitions.close_date == "typed" else recorded
    day = typed.where(typed < recorded, recorded)
    return day.where(~states["is_open"])


def _restated_days(states: pd.DataFrame) -> pd.Series:
    """The day on which each state was true: opening and closing on their own days, everything else as recorded."""
    deal, is_open = states["deal_id"], states["is_open"]
    first = deal.ne(deal.shift())
    on = states["recorded_on"].where(~first, states[["recorded_on", "opened_on"]].min(axis=1))
    begins = first | (is_open & ~is_open.shift(fill_value=False))
    spell = begins.cumsum()
    floor = on.where(begins).groupby(spell).transform("first")
    closing = ~is_open & (is_open.shift(fill_value=True) | first)
    day = states[["closed_on"]].assign(floor=floor).max(axis=1)
    on = on.mask(closing, day.where(day <= on, on))
    # What was recorded while the deal was over already belongs before its end.
    numbers = on.to_numpy(dtype="datetime64[ns]").astype(np.int64)
    backwards = pd.Series(numbers[::-1]).groupby(spell.to_numpy()[::-1]).cummin().to_numpy()[::-1]
    return pd.Series(pd.to_datetime(backwards), index=states.index)


def open_spans(places: pd.DataFrame, start: dt.date, end: dt.date) -> pd.DataFrame:
    """Which deals were open between the ends of two days: how did each come in, how did it go out, what changed?

    Parameters
    ----------
    places : pandas.DataFrame
        From `positions`.
    start, end : datetime.date
        The end of both days.

    Returns
    -------
    pandas.DataFrame
        One row per deal and stretch of being open: `deal_id`, `account_id`, `opened_on`, `entry` (start, created,
        reopened), `exit` (end, or how it ended), `closed_on`, `began_on`, `ended_on` (first and last day of the stretch
        within the two), and the values at both: `then_<value>`, `now_<value>` for `VALUES`. A closed deal keeps its
        last expected date, owner and category; its amount is that of the closing, or where that is 0 or empty the last
        one while it was open.

    Notes
    -----
    A deal that was closed at the end of the day on which it was first recorded was never open, and is in no stretch.

    Examples
    --------
    >>> rows = {"deal_id": ["A", "A"], "recorded_on": [dt.date(2025, 1, 10), dt.date(2025, 2, 3)], "sequence": [0, 1],
    ...         "status": ["open", "closed_won"], "opened_on": [dt.date(2025, 1, 8)] * 2, "amount": [5.0, 6.0]}
    >>> known = {"as_of": dt.date(2025, 3, 1), "definitions": Definitions(), "rules": OutcomeRules()}
    >>> places = positions(History(table=pd.DataFrame(rows)), **known)
    >>> spans = open_spans(places, dt.date(2025, 1, 31), dt.date(2025, 2, 28))
    >>> spans[["entry", "exit", "then_amount", "now_amount"]].values.tolist()
    [['start', 'won', 5.0, 6.0]]
    """
    first_day, last_day = pd.Timestamp(start), pd.Timestamp(end)
    rows = numbered(places[places["on"] <= last_day])
    rows = rows[rows["span"] > 0]
    opens, ends = rows[rows["is_open"]], rows[~rows["is_open"]]
    key = ["deal_id", "span"]
    ended = ends.drop_duplicates(key, keep="last").set_index(key)
    over = ends.drop_duplicates(key).set_index(key)["on"]
    now = opens.drop_duplicates(key, keep="last").set_index(key)
    first = opens.drop_duplicates(key).set_index(key)
    before = opens[opens["on"] <= first_day].drop_duplicates(key, keep="last").set_index(key)
    stays = ~(over.reindex(now.index) <= first_day)
    now, first = now[stays], first[stays]
    then = before.reindex(now.index)
    there = then["on"].notna()
    then = then.where(there, first)
    spans = now[["account_id", "opened_on"]].assign(
        entry=np.where(there, "start", np.where(first["again"], "reopened", "created")),
        exit=ended["ending"].reindex(now.index).fillna("end"),
        closed_on=ended["closed_on"].reindex(now.index),
        began_on=then["on"].where(~there, first_day),
        ended_on=over.reindex(now.index).fillna(last_day),
    )
    closing = ended.reindex(now.index)
    kept = closing["amount"].notna() & (closing["amount"] != 0)
    for name in VALUES:
        spans[f"then_{name}"] = then[name]
        spans[f"now_{name}"] = closing[name].where(kept, now[name]) if name in ("amount", "currency") else now[name]
    return spans.reset_index()


def numbered(places: pd.DataFrame) -> pd.DataFrame:
    """Number the stretches in which each deal was open: `span` (0 before the first), `again` (it was closed before).

    Examples
    --------
    >>> places = pd.DataFrame({"deal_id": ["A"] * 4, "is_open": [True, False, False, True]})
    >>> numbered(places)[["span", "again"]].values.tolist()
    [[1, False], [1, False], [1, False], [2, True]]
    """
    deal, is_open = places["deal_id"], places["is_open"]
    same = deal.eq(deal.shift())
    begins = is_open & ~(is_open.shift(fill_value=False) & same)
    return places.assign(span=begins.groupby(deal).cumsum(), again=begins & same)
