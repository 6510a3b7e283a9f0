"""The pipeline between the ends of two days: which deals were in it, and what each cause did to its worth."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.estimators.order_free import order_free_cents
from analytics.estimators.sentences import day
from analytics.records.calendar import Quarter
from analytics.records.contract import History
from analytics.records.conversion import cents, currencies_reported, rates_into
from analytics.records.definitions import Definitions
from analytics.records.lives import side_known
from analytics.records.positions import View, numbered, open_spans, positions
from analytics.records.rules import OutcomeRules
from analytics.records.teams import team_on

Border = Literal["quarter", "whole"]
Flags = npt.NDArray[np.bool_]
Whole = npt.NDArray[np.int64]
LATE_DAYS = 30
NO_TEAM = "no team known"
_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True, eq=False)
class Pipeline:
    """Deals between the end of the day before a quarter and its end (or the as-of day, if that is earlier).

    Attributes
    ----------
    places, spans : pandas.DataFrame
        From `records.positions`, of the deals that are studied.
    quarter : Quarter
        "In the pipeline of the quarter" is an open deal that is expected to close in it.
    start, end : datetime.date
        The end of both days.
    view : {"frozen", "restated"}
        As known on each day, or as known at the as-of day.
    history, definitions, as_of
        As for `pipeline_between`.
    late_days : int
        A deal that is pushed out of the quarter in its last days has slipped.
    """

    places: pd.DataFrame
    spans: pd.DataFrame
    quarter: Quarter
    start: dt.date
    end: dt.date
    view: View
    history: History
    definitions: Definitions
    as_of: dt.date
    late_days: int = LATE_DAYS

    @cached_property
    def currencies(self) -> tuple[str, ...]:
        """Currencies of the report ("" for amounts without one)."""
        named = pd.concat([self.spans["then_currency"], self.spans["now_currency"]])
        return currencies_reported(self.definitions.currency, named)

    @cached_property
    def lacks(self) -> tuple[str, ...]:
        """What is missing to follow expected close dates, as named in `NEEDS`; empty where nothing is.

        Where no change of them was ever recorded, today's date stands in every earlier state: it must not be read as
        what was said then.
        """
        dates = self.places.loc[self.places["is_open"], ["deal_id", "expected_close_on"]].dropna()
        if self.history.kind == "current_only":
            return ("history",) if len(dates) else ("history", "expected_close_on")
        if not len(dates):
            return ("expected_close_on",)
        several = dates.groupby("deal_id")["expected_close_on"].nunique().gt(1).any()
        return () if several else ("changes of expected_close_on",)

    @cached_property
    def has_amounts(self) -> bool:
        """Whether any deal is worth something while it is open."""
        return bool((self.places.loc[self.places["is_open"], "amount"].fillna(0) != 0).any())

    @property
    def known(self) -> str:
        """As of when the pipeline is known, in words."""
        if self.history.kind == "current_only":
            return "reconstructed, since the source holds only today's state"
        return "as known on each day" if self.view == "frozen" else f"as known on {day(self.as_of)}"

    @cached_property
    def todays_teams(self) -> bool:
        """Whether the owners table knows only one team of everybody: that of the day on which it was written."""
        owners = side_known(self.history, "owners", self.as_of, "recorded_on")
        return owners is None or not owners.groupby("owner_id")["team"].nunique().gt(1).any()

    @cached_property
    def teams(self) -> tuple[pd.Series, pd.Series] | None:
        """The owner's team at both ends of every stretch; None where no owners table tells it."""
        owners = side_known(self.history, "owners", self.as_of, "recorded_on")
        if owners is None or not owners["team"].notna().any():
            return None
        then = team_on(owners, self.spans["then_owner_id"], self.spans["began_on"])
        now = team_on(owners, self.spans["now_owner_id"], self.spans["ended_on"])
        return then.fillna(NO_TEAM), now.fillna(NO_TEAM)

    def rates(self, currency: str) -> Callable[[pd.Series, pd.Series, pd.Series], pd.Series]:
        """What a unit of each deal's currency is worth in a currency of the report."""
        unnamed = self.currencies[0] if len(self.currencies) == 1 else ""
        policy = self.definitions.currency
        return rates_into(self.history, policy, currency, as_of=self.as_of, unnamed=unnamed)

    def inside(self, expected: pd.Series) -> Flags:
        """Say which expected close dates lie in the quarter."""
        first, last = pd.Timestamp(self.quarter.start), pd.Timestamp(self.quarter.end)
        return np.asarray((expected >= first) & (expected <= last), dtype=bool)


def pipeline_between(
    history: History, deals: pd.DataFrame, quarter: Quarter, *, as_of: dt.date, definitions: Definitions,
    rules: OutcomeRules, view: View = "frozen", late_days: int = LATE_DAYS,
) -> Pipeline:  # fmt: skip
    """Which deals were open between the end of the day before the quarter and its end, and how did they change?

    Parameters
    ----------
    history : History
        What was recorded, as frames.
    deals : pandas.DataFrame
        The deals that are studied (`deal_id`), as known at `as_of`.
    quarter : Quarter
        The quarter; where `as_of` lies in it, the pipeline ends there.
    as_of, definitions, rules
        As for a study.
    view : {"frozen", "restated"}
        "frozen": as it was known at the end of each day. "restated": as it is known at `as_of`.
    late_days : int
        A deal pushed out of the quarter in its last days slipped; earlier it was pushed.

    Returns
    -------
    Pipeline
        What the other functions of this study take.

    Examples
    --------
    >>> rows = {"deal_id": ["A", "A"], "recorded_on": [dt.date(2025, 1, 10), dt.date(2025, 2, 3)], "sequence": [0, 1],
    ...         "status": ["open", "closed_won"], "opened_on": [dt.date(2025, 1, 8)] * 2, "amount": [5.0, 6.0]}
    >>> quarter = Quarter("2025Q1", dt.date(2025, 1, 1), dt.date(2025, 3, 31))
    >>> pipeline = pipeline_between(History(table=pd.DataFrame(rows)), pd.DataFrame({"deal_id": ["A"]}), quarter,
    ...     as_of=dt.date(2025, 4, 30), definitions=Definitions(), rules=OutcomeRules())
    >>> str(pipeline.start), str(pipeline.end), pipeline.spans["exit"].tolist()
    ('2024-12-31', '2025-03-31', ['won'])
    """
    start, end = quarter.start - dt.timedelta(days=1), min(quarter.end, as_of)
    facts: dict[str, Any] = {"as_of": as_of, "definitions": definitions, "rules": rules, "view": view}
    places = positions(history, **facts)
    places = places[places["deal_id"].isin(deals["deal_id"])].reset_index(drop=True)
    spans = open_spans(places, start, end)
    return Pipeline(places, spans, quarter, start, end, view, history, definitions, as_of, late_days)


def moves(pipeline: Pipeline, *, border: Border, currency: str, team: str | None = None) -> pd.DataFrame:
    """What did each cause do to the worth of each deal in the pipeline, to the cent?

    Parameters
    ----------
    pipeline : Pipeline
        From `pipeline_between`.
    border : {"quarter", "whole"}
        Deals expected to close in the quarter, or every open deal.
    currency : str
        One of `pipeline.currencies`.
    team : str, optional
        Only the deals that the team holds: those that change hands come in or go out by transfer.

    Returns
    -------
    pandas.DataFrame
        `place` (row of `pipeline.spans`), `deal_id`, `line`, `cents` (int64), `deals` (int64: 1 for a deal that comes
        in, -1 for one that goes out, 0 where only its worth changes). Levels are "start" and "end"; for every deal
        start + all other lines = end, exactly.

    Notes
    -----
    A deal comes in at its worth on that day and goes out at its worth on the day it ends; what changed between the two
    (expected date, amount, rate, owner) is shared out order-free, `order_free_cents`: Shapley's value under the
    precedence that nothing changes before a deal is there or after it has ended (Faigle & Kern 1992, Int J Game Theory
    21:249). A deal that closed in the quarter was in its pipeline, whatever date was last expected.
    """
    then, now = _values(pipeline, "then", currency), _values(pipeline, "now", currency)
    _draw_border(pipeline, border, then, now)
    _draw_team(pipeline, team, then, now)
    parts = {name: order_free_cents(worth, then, now) for name, worth in (("cents", _cents), ("deals", _count))}
    entry, exit_ = pipeline.spans["entry"], pipeline.spans["exit"]
    came, left = (_cents(**then), _count(**then)), (_cents(**now), _count(**now))
    found = [(entry, *came)]
    for cause, lines in _causes(pipeline, then, now).items():
        found.append((lines, parts["cents"][cause], parts["deals"][cause]))
    sign = np.where(exit_ == "end", 1, -1)
    found.append((exit_, sign * left[0], sign * left[1]))
    frames = [
        pd.DataFrame({"place": range(len(lines)), "line": lines.to_numpy(), "cents": money, "deals": count})
        for lines, money, count in found
    ]
    frame = pd.concat(frames, ignore_index=True)
    frame = frame[(frame["cents"] != 0) | (frame["deals"] != 0)].reset_index(drop=True)
    frame.insert(1, "deal_id", pipeline.spans["deal_id"].to_numpy()[frame["place"]])
    return frame


def _values(pipeline: Pipeline, when: str, currency: str) -> dict[str, Any]:
    spans, days = pipeline.spans, {"then": "began_on", "now": "ended_on"}
    rate = pipeline.rates(currency)(spans[f"{when}_currency"], spans[days[when]], spans["opened_on"])
    amount = spans[f"{when}_amount"]
    # Where nothing is known of open deals, an amount that a closing brings is no rise.
    return {"amount": amount if pipeline.has_amounts else amount * 0.0, "rate": rate}


def _draw_border(pipeline: Pipeline, border: Border, then: dict[str, Any], now: dict[str, Any]) -> None:
    spans = pipeline.spans
    if border == "whole":
        then["inside"] = now["inside"] = np.ones(len(spans), dtype=bool)
        return
    then["inside"] = pipeline.inside(spans["then_expected_close_on"])
    closed_in = (spans["exit"] != "end").to_numpy() & pipeline.inside(spans["closed_on"])
    now["inside"] = pipeline.inside(spans["now_expected_close_on"]) | closed_in


def _draw_team(pipeline: Pipeline, team: str | None, then: dict[str, Any], now: dict[str, Any]) -> None:
    if team is None or pipeline.teams is None:
        then["theirs"] = now["theirs"] = np.ones(len(pipeline.spans), dtype=bool)
        return
    then["theirs"], now["theirs"] = ((side == team).to_numpy() for side in pipeline.teams)


def _cents(amount: pd.Series, rate: pd.Series, inside: Flags, theirs: Flags) -> Whole:
    return cents(amount, rate) * (inside & theirs)


def _count(amount: pd.Series, rate: pd.Series, inside: Flags, theirs: Flags) -> Whole:
    # An amount in another currency than this one is no deal of this one; a missing rate is.
    return np.asarray((inside & theirs & (rate != 0).to_numpy()).astype(np.int64))


def _causes(pipeline: Pipeline, then: dict[str, Any], now: dict[str, Any]) -> dict[str, pd.Series]:
    """Name what each cause did to each deal."""
    spans = pipeline.spans
    after = pd.Timestamp(pipeline.quarter.end)
    later_then, later_now = (spans[f"{when}_expected_close_on"] > after for when in ("then", "now"))
    late = left_on(pipeline) > after - pipeline.late_days * _DAY
    out = np.where(later_now, np.where(late, "slipped", "pushed_out"), "dated_out")
    into = np.where(later_then, "pulled_in", "rolled_in")
    more = now["amount"].fillna(0) >= then["amount"].fillna(0)
    names = {
        "inside": np.where(now["inside"] & ~then["inside"], into, out),
        "amount": np.where(more, "raised", "lowered"),
        "rate": np.full(len(spans), "currency"),
        "theirs": np.where(now["theirs"] & ~then["theirs"], "transferred_in", "transferred_out"),
    }
    return {cause: pd.Series(lines, index=spans.index, dtype=object) for cause, lines in names.items()}


def left_on(pipeline: Pipeline) -> pd.Series:
    """The day on which each stretch's expected date last left the quarter (NaT where it never did)."""
    rows = numbered(pipeline.places[pipeline.places["on"] <= pd.Timestamp(pipeline.end)])
    rows = rows[rows["is_open"]]
    same = rows["deal_id"].eq(rows["deal_id"].shift()) & rows["span"].eq(rows["span"].shift())
    was = pd.Series(pipeline.inside(rows["expected_close_on"]), index=rows.index)
    leaves = rows[same & was.shift(fill_value=False) & ~was]
    newest = leaves.drop_duplicates(["deal_id", "span"], keep="last").set_index(["deal_id", "span"])["on"]
    keys = pd.MultiIndex.from_frame(pipeline.spans[["deal_id", "span"]])
    return newest.reindex(keys).set_axis(pipeline.spans.index)
