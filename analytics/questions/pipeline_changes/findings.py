"""What to say about the pipeline and about stated close dates: plain sentences, each made from one answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from analytics.estimators.result import Estimate, Finding, Listing
from analytics.estimators.sentences import count, money, percent, share_with_interval, sized
from analytics.records.calendar import Quarter

Answer = Estimate | Listing | Finding
EXACT = "Exact counts of these deals, so there is no interval; the lines add up to the cent."
MOST_LINES = 3


@dataclass(frozen=True)
class Answers:
    """What the questions of this study returned; a Finding in a place says why there is nothing.

    Attributes
    ----------
    quarter_lines, whole_lines : Listing or Finding
        From `waterfall`, of the quarter's pipeline and of all open deals.
    became : Estimate or Finding
        From `what_became`.
    dates : Estimate or Finding
        From `closed_by_date`, by pushes.
    heaped : Estimate or Finding
        From `heaping`.
    then_now : Listing or Finding
        From `then_and_now`.

    Examples
    --------
    >>> nothing = Finding("x", "Not studied.", "", "not studied")
    >>> Answers(*[nothing] * 6).dates.headline
    'Not studied.'
    """

    quarter_lines: Answer
    whole_lines: Answer
    became: Answer
    dates: Answer
    heaped: Answer
    then_now: Answer


def findings(quarter: Quarter, answers: Answers) -> tuple[Finding, ...]:
    """What does a reader need to know about this quarter's pipeline, in the same order every quarter?

    Parameters
    ----------
    quarter : Quarter
        The quarter under study.
    answers : Answers
        What the questions returned.

    Returns
    -------
    tuple of Finding
        pipeline, said_to_close, by_the_date, heaped, then_and_now, not_told: the last one names what could not be
        studied and what would make it possible, and is absent where nothing is missing.

    Examples
    --------
    >>> import datetime as dt
    >>> nothing = Finding("x", "Not studied: it. It needs amounts (amount).", "", "not studied")
    >>> quarter = Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))
    >>> [card.name for card in findings(quarter, Answers(*[nothing] * 6))]
    ['not_told']
    """
    lines = answers.quarter_lines if isinstance(answers.quarter_lines, Listing) else answers.whole_lines
    cards = [
        _pipeline(quarter, lines, whole=lines is not answers.quarter_lines),
        _said_to_close(quarter, answers.became),
        _by_the_date(answers.dates),
        _heaped(quarter, answers.heaped),
        _then_and_now(quarter, answers.then_now),
        _not_told(answers),
    ]
    return tuple(card for card in cards if card is not None)


def _pipeline(quarter: Quarter, lines: Answer, *, whole: bool) -> Finding | None:
    if not isinstance(lines, Listing):
        return None
    frame = lines.frame
    source = "whole_waterfall" if whole else "waterfall"
    named = frame["currency"].astype(object).fillna("")
    deals = frame[frame["line"] == "start"].assign(named=named).set_index("named")["deals"]
    currency = str(deals.fillna(0).idxmax())
    mine = frame[named == currency].set_index("line")
    valued = bool(mine["amount"].notna().any())
    start, end = mine.loc["start"], mine.loc["end"]
    if pd.isna(start["deals"]) or pd.isna(end["deals"]):
        return Finding("pipeline", "The pipeline holds too few deals to be told.", "", "not studied", source)
    which = "All open deals" if whole else f"Deals expected to close in {quarter.name}"
    ends = [_level(row, currency, valued) for row in (start, end)]
    headline = f"{which} went from {ends[0]} at its start to {ends[1]} at its end."
    column = "amount" if valued else "deals"
    changes = mine.drop(index=["start", "end", "born_closed"], errors="ignore")[
        lambda rows: rows[column].fillna(0) != 0
    ]
    largest = changes.reindex(changes[column].abs().sort_values(ascending=False, kind="stable").index)[:MOST_LINES]
    told = "; ".join(_change(row, currency, valued) for row in largest.to_dict("records"))
    others = sorted(set(named) - {currency})
    apart = f" Deals in {', '.join(name or 'no currency' for name in others)} are apart." if others else ""
    moved = f"The largest lines: {told}. " if told else "Nothing moved. "
    return Finding("pipeline", headline, f"{moved}{EXACT}{apart}", "described", source)


def _level(row: Mapping[Any, Any] | pd.Series, currency: str, valued: bool) -> str:
    deals = count(float(row["deals"]), "deal")
    return f"{money(float(row['amount']), currency)} ({deals})" if valued else deals


def _change(row: Mapping[Any, Any], currency: str, valued: bool) -> str:
    label = str(row["label"]).split(":")[0]
    return f"{label} {_level(row, currency, valued)}"


def _rows(estimate: Estimate, key: str) -> dict[str, dict[Any, Any]]:
    return {str(row[key]): row for row in estimate.frame.to_dict("records")}


def _share(row: Mapping[Any, Any], n: float) -> str:
    return share_with_interval(float(row["estimate"]), float(row["conf_low"]), float(row["conf_high"]), n)


def _said_to_close(quarter: Quarter, became: Answer) -> Finding | None:
    if not isinstance(became, Estimate):
        return None
    rows, n = _rows(became, "outcome"), float(became.meta.n_deals)
    told = {name: _share(row, n) for name, row in rows.items() if pd.notna(row["estimate"])}
    if not {"won", "slipped", "pushed_out", "open"} <= set(told):
        said = "What became of the deals said to close in the quarter rests on too few deals to be told."
        return Finding("said_to_close", said, "", "not studied", "what_became")
    headline = (
        f"Of the deals said at the start of {quarter.name} to close in it, {told['won']} were won in it; "
        f"{told['slipped']} slipped late in the quarter, {told['pushed_out']} were pushed out earlier, and "
        f"{told['open']} were still expected and open at its end."
    )
    rest = ", ".join(
        f"{words} {told[name]}" for name, words in (("lost", "lost"), ("no_decision", "no decision")) if name in told
    )
    detail = f"Also: {rest}. {sized(n, became.meta.n_accounts)}. {became.meta.note}".strip()
    return Finding("said_to_close", headline, detail, "described", "what_became", (("outcome", "won"),))


def _by_the_date(dates: Answer) -> Finding | None:
    if not isinstance(dates, Estimate):
        return None
    on_day = dates.frame[dates.frame["days_after"] == 0]
    kinds = list(dict.fromkeys(on_day["said"]))
    first = on_day[on_day["said"] == kinds[0]]
    rows = {str(row["outcome"]): row for row in first.to_dict("records")}
    n = float(pd.to_numeric(first["n_deals"]).max())
    if any(pd.isna(rows[name]["estimate"]) for name in ("won", "open")):
        said = "How many deals close by the date stated rests on too few deals to be told."
        return Finding("by_the_date", said, "", "not studied", "closed_by_date")
    headline = (
        f"By the first close date stated for a deal {_share(rows['won'], n)} were won, {_share(rows['lost'], n)} lost, "
        f"{_share(rows['no_decision'], n)} in no decision, and {_share(rows['open'], n)} still open."
        if kinds[0] == "first date"
        else f"By the close date stated ({kinds[0]}) {_share(rows['won'], n)} of deals were won."
    )
    more = []
    for kind in kinds[1:]:
        mine = on_day[(on_day["said"] == kind) & (on_day["outcome"] == "won") & on_day["estimate"].notna()]
        more += [f"{kind} {_share(row, float(row['n_deals']))}" for row in mine.to_dict("records")]
    others = f"Won by a date stated later: {'; '.join(more)}. " if more else ""
    detail = (
        f"{sized(n, rows['won']['n_accounts'])}, dates of the year to the settled date. {others}Deals that were pushed "
        "differ from others in more than the push: this is associated with it, no effect of it."
    )
    keys = (("said", kinds[0]), ("outcome", "won"), ("days_after", "0.0"))
    return Finding("by_the_date", headline, detail, "described", "closed_by_date", keys)


def _heaped(quarter: Quarter, heaped: Answer) -> Finding | None:
    if not isinstance(heaped, Estimate):
        return None
    rows, n = _rows(heaped, "item"), heaped.frame["n_risk"].max()
    row = rows["quarter"]
    if pd.isna(row["estimate"]) or pd.isna(n):
        said = "On which days stated close dates fall rests on too few deals to be told."
        return Finding("heaped", said, "", "not studied", "heaping")
    even, low = float(row["share_of_days"]), float(row["conf_low"])
    shown = low > even
    most = "more than" if shown else "and it is not shown that this is more than"
    headline = (
        f"{_share(row, float(n))} of the close dates stated in {quarter.name} are the last day of a quarter, {most} "
        f"the {percent(even, 1)} that such days are of all days."
    )
    other = rows["month"]
    also = f"The last day of another month: {_share(other, float(n))}, of {percent(float(other['share_of_days']), 1)}. "
    detail = (
        f"{also if pd.notna(other['estimate']) else ''}{count(float(n), 'date')} of "
        f"{sized(heaped.meta.n_deals, heaped.meta.n_accounts)}. Such a date may be a habit or a buyer's own deadline: "
        "the share does not tell which."
    )
    return Finding(
        "heaped", headline, detail, "shown, size unclear" if shown else "cannot tell", "heaping", (("item", "quarter"),)
    )


def _then_and_now(quarter: Quarter, then_now: Answer) -> Finding | None:
    if not isinstance(then_now, Listing):
        return None
    frame = then_now.frame
    end = frame[(frame["line"] == "end")].to_dict("records")[0]
    differ = frame["deals"].fillna(0)
    if pd.isna(end["then_deals"]) or pd.isna(end["deals"]):
        said = "What was recorded late in this quarter concerns too few deals to be told."
        return Finding("then_and_now", said, "", "not studied", "then_and_now")
    if not (differ > 0).any():
        headline = f"{quarter.name} looks today as it did then: nothing of its pipeline was recorded late."
        return Finding("then_and_now", headline, EXACT, "described", "then_and_now")
    sides = []
    for side in ("then", "now"):
        amount, deals = float(end[f"{side}_amount"]), count(float(end[f"{side}_deals"]), "deal")
        sides.append(f"{money(amount, end['currency'])} ({deals})" if pd.notna(amount) else deals)
    headline = f"At the end of {quarter.name} the pipeline was said to be {sides[0]}; as known now it was {sides[1]}."
    lines = [
        f"{str(row['label']).split(':')[0]} {row['deals']:.0f}" for row in frame.to_dict("records") if row["deals"] > 0
    ]
    detail = f"Deals counted differently now, by line: {', '.join(lines)}. What differs was recorded late. {EXACT}"
    return Finding("then_and_now", headline, detail, "described", "then_and_now")


def _not_told(answers: Answers) -> Finding | None:
    absent = [
        value for value in vars(answers).values() if isinstance(value, Finding) and value.verdict == "not studied"
    ]
    if not absent:
        return None
    first, *rest = list(dict.fromkeys(card.headline for card in absent))
    return replace(absent[0], name="not_told", headline=first, detail=" ".join(rest))
