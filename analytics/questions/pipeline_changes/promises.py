"""What came of a stated close date: by that day, and some time after it, won, lost, no decision or still open."""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from analytics.estimators.cell_deals import ids_of, with_deals
from analytics.estimators.counts import count_events
from analytics.estimators.incidence import cumulative_incidence, survival
from analytics.estimators.lacking import lacking
from analytics.estimators.rates import known_accounts
from analytics.estimators.result import Estimate, Finding
from analytics.estimators.watched import has_accounts
from analytics.questions.pipeline_changes.pipeline import Pipeline
from analytics.questions.pipeline_changes.statements import dates_stated
from analytics.records.positions import open_spans

Split = Literal["pushes", "ahead"]
PUSHES = ("first date", "after 1 push", "after 2 pushes", "after 3 or more")
AHEAD = {30: "said 0–30 days ahead", 90: "said 31–90 days ahead", 180: "said 91–180 days ahead"}
FURTHER = "said over 180 days ahead"
YEAR = dt.timedelta(days=365)
DAYS_AFTER = (0, 30, 90)
_LONG_AGO = dt.date(1700, 1, 1)


def closed_by_date(
    pipeline: Pipeline, *, settled_on: dt.date, split: Split = "pushes", days_after: Sequence[int] = DAYS_AFTER,
    conf_level: float = 0.95,
) -> Estimate | Finding:  # fmt: skip
    """Of the dates on which deals were said to close, by how many had they closed, and how; what was still open?

    Parameters
    ----------
    pipeline : Pipeline
        The restated one (`view="restated"`): closings count on their own days.
    settled_on : datetime.date
        Dates count that fell in the 365 days up to it: by then nearly all closings have been recorded. Where deals that
        ended before a day are absent (`observed_from`), only dates stated from that day on: the deals whose earlier
        dates are on record are those that outlived them.
    split : {"pushes", "ahead"}
        The first date of a deal apart from dates after one, two, more pushes; or by how long ahead a date was stated.
    days_after : sequence of int
        Days after the date stated at which the shares are read; 0 is the date itself.
    conf_level : float
        Of the intervals.

    Returns
    -------
    Estimate or Finding
        Kind probability; keys (said, outcome, days_after), outcome "open" included; estimate, n_event (deals by then),
        n_deals (dates), n_risk (dates still watched and open just before). Account-clustered. A Finding where no date
        has come yet.

    Notes
    -----
    Aalen-Johansen with the date stated as the origin: what closed by the date closed at time 0, later closings count at
    their days after it, and a deal whose date is too recent is censored at the settled date. Dates are chosen by the
    date alone, so that open deals and missed dates count in full. A deal counts once per row (its first such date) and
    up to its first closing; deals that are pushed again and again weigh in several rows, and that pushed deals close
    less often does not say that pushing does it.

    Examples
    --------
    >>> from analytics.questions.pipeline_changes.example import AS_OF, one_deal
    >>> restated = one_deal("pushed", view="restated")
    >>> closed_by_date(restated, settled_on=AS_OF).at(outcome="open", days_after=0)["estimate"].tolist()
    [1.0, 1.0]
    """
    if pipeline.lacks:
        return lacking("closed_by_date", "whether deals close by the date stated", *pipeline.lacks)
    said = dates_stated(pipeline)
    said = said[(said["expected"] >= said["on"]) & (said["span"] == 1)]
    if pipeline.definitions.observed_from is not None:
        said = said[said["on"] >= pd.Timestamp(pipeline.definitions.observed_from)]
    due = said[(said["expected"] <= pd.Timestamp(settled_on)) & (said["expected"] > pd.Timestamp(settled_on - YEAR))]
    if not len(due):
        headline = f"No stated close date fell in the year to {settled_on}."
        return Finding("closed_by_date", headline, "", "not studied")
    due = due.assign(said=_pushes(due) if split == "pushes" else _ahead(due))
    due = due.drop_duplicates(["deal_id", "span", "said"])
    watched = _from_date(due, pipeline, pd.Timestamp(settled_on))
    return _shares(watched, days_after, conf_level)


def _pushes(due: pd.DataFrame) -> pd.Series:
    return due["pushes"].clip(upper=len(PUSHES) - 1).map(dict(enumerate(PUSHES)))


def _ahead(due: pd.DataFrame) -> pd.Series:
    days = (due["expected"] - due["on"]).dt.days
    label = pd.Series(FURTHER, index=due.index)
    for most, words in sorted(AHEAD.items(), reverse=True):
        label = label.mask(days <= most, words)
    return label


def _from_date(due: pd.DataFrame, pipeline: Pipeline, settled: pd.Timestamp) -> pd.DataFrame:
    """Days after the date stated on which each deal ended, or up to which it was watched."""
    lives = open_spans(pipeline.places, _LONG_AGO, pipeline.as_of)[["deal_id", "span", "exit", "ended_on"]]
    rows = due.merge(lives, on=["deal_id", "span"], how="inner", validate="many_to_one")
    ended = (rows["exit"] != "end") & (rows["ended_on"] <= settled) & (rows["exit"] != "removed")
    day = rows["ended_on"].where(ended, settled)
    after = (day - rows["expected"]).dt.days.clip(lower=0)
    return rows.assign(entry=-1, exit=after, outcome=rows["exit"].where(ended, "open"))


def _shares(watched: pd.DataFrame, days_after: Sequence[int], conf_level: float) -> Estimate:
    cluster = "account_id" if has_accounts(watched) else None
    risk = count_events(watched, by="said", cluster=cluster, unknown="bounds")
    times = [float(days) for days in days_after]
    closed = cumulative_incidence(risk, conf_level=conf_level, times=times)
    still = survival(risk, conf_level=conf_level, times=times)
    frame = pd.concat([closed.frame, still.frame.assign(outcome="open")], ignore_index=True)
    sizes = watched.groupby("said").agg(n_deals=("deal_id", "size"), n_accounts=("account_id", known_accounts))
    frame = frame.join(sizes, on="said").rename(columns={"time": "days_after"})
    frame["n_event"] = frame["cum_event"].where(frame["outcome"] != "open", frame["n_deals"] - frame["cum_event"])
    if cluster is None:
        frame["n_accounts"] = np.nan
    places = {name: place for place, name in enumerate((*PUSHES, *AHEAD.values(), FURTHER))}
    frame = frame.assign(place=frame["said"].map(places)).sort_values(["days_after", "place"], kind="stable")
    estimand = (
        "share of stated close dates by which, or so many days after which, the deal was won, lost, in no decision or "
        "still open, of all dates that fell in the year to the settled date (Aalen-Johansen from the date stated)"
    )
    meta = replace(
        closed.meta, kind="probability", keys=("said", "outcome", "days_after"), estimand=estimand,
        time_unit="days after the date stated", n_deals=int(watched["deal_id"].nunique()),
    )  # fmt: skip
    found = Estimate(frame.drop(columns=["place", "cum_event"]).reset_index(drop=True), meta)
    members = [_by_then(watched, row) for row in found.frame.to_dict("records")]
    names = ("n_event", "n_deals", "n_risk")
    return with_deals(found, **{name: [lists[place] for lists in members] for place, name in enumerate(names)})


def _by_then(watched: pd.DataFrame, row: dict[Hashable, Any]) -> tuple[list[object], ...]:
    """Name the deals that one row counts: with its outcome by then, all with such a date, those watched on the day."""
    mine = watched[watched["said"] == row["said"]]
    ended = (mine["exit"] <= row["days_after"]) & (mine["outcome"] != "open")
    hit = ~ended if row["outcome"] == "open" else ended & (mine["outcome"] == row["outcome"])
    return ids_of(mine[hit]), ids_of(mine), ids_of(mine[mine["exit"] >= row["days_after"]])
