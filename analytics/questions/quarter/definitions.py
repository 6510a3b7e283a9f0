"""The definitions behind the ledger of win rates: who is counted, who counts as won, how much each weighs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.estimators.sentences import count, day
from analytics.questions.quarter.ledger import CLOSED, dated_in, last_episodes, single_currency
from analytics.records.calendar import Quarter

ORDER = (
    "closed_count_narrow", "closed_count_broad", "closed_amount_narrow", "closed_amount_broad", "opened_cohort",
    "mature_cohort", "qualified_cohort", "period_incidence",
)  # fmt: skip


@dataclass(frozen=True)
class Definition:
    """One definition of a win rate.

    `members`: deal_id, account_id, status (outcome counted here), weight, hit (1 won, 0 not); the rate is the weighted
    share of hits. `unrecorded` are the deals whose outcome was not recorded (outside the members). `delayed`
    says that some were not watched from their opening, so that the plain share is not the incidence.
    """

    name: str
    label: str
    denominator: str
    members: pd.DataFrame
    unrecorded: pd.DataFrame | None = None
    delayed: bool = False
    meaningful: bool = True
    note: str = ""

    @property
    def unknown(self) -> float:
        """The weight of the deals whose outcome was not recorded."""
        return 0.0 if self.unrecorded is None else float(self.unrecorded["weight"].sum())

    def with_unrecorded(self, hit: float) -> pd.DataFrame:
        """The members and the deals whose outcome was not recorded, these counted as won (1) or not (0)."""
        if self.unrecorded is None:
            return self.members
        return pd.concat([self.members, self.unrecorded.assign(hit=hit)], ignore_index=True)

    @property
    def rate(self) -> float:
        """The weighted share of hits."""
        weight = self.members["weight"].to_numpy(dtype=float)
        return float((weight * self.members["hit"].to_numpy(dtype=float)).sum() / weight.sum())


@dataclass(frozen=True)
class Books:
    """What every definition reads: first episodes, all episodes, the quarter, the settled date and the horizon."""

    deals: pd.DataFrame
    ledger_deals: pd.DataFrame
    quarter: Quarter
    settled_on: dt.date
    horizon_days: int

    @property
    def closed(self) -> pd.DataFrame:
        """Deals that closed in the quarter, as they stand at as-of."""
        last = last_episodes(self.ledger_deals)
        return last[last["outcome"].isin(CLOSED) & dated_in(last["closed_on"], self.quarter)]

    @property
    def window(self) -> tuple[dt.date, dt.date]:
        """The newest span, as long as the quarter, of days whose deals could all be followed to the horizon."""
        end = self.settled_on - dt.timedelta(days=self.horizon_days)
        return end - (self.quarter.end - self.quarter.start), end


def definitions(books: Books) -> tuple[dict[str, Definition], list[str]]:
    """Make every definition the data allow, in order, and say in sentences which ones they do not."""
    made: dict[str, Definition] = {}
    missing: list[str] = []
    for name in ORDER[:-1]:
        result = MAKERS[name](books)
        if isinstance(result, str):
            missing.append(result)
        elif not result.members["weight"].sum() > 0:
            missing.append(f"{result.label}: no {'amounts' if 'amount' in name else 'deals'} to count.")
        else:
            made[name] = result
    return made, missing


def _members(deals: pd.DataFrame, hit: pd.Series, weight: pd.Series | float = 1.0) -> pd.DataFrame:
    members = deals[["deal_id", "account_id"]].assign(status=deals["outcome"], weight=weight, hit=hit.astype(float))
    return members.reset_index(drop=True)


def _unrecorded(deals: pd.DataFrame, weight: pd.Series | float = 1.0) -> pd.DataFrame:
    return _members(deals, pd.Series(0.0, index=deals.index), weight)


def _without_outcome(unknown: pd.DataFrame) -> str:
    return f"{count(len(unknown), 'deal')} closed without a recorded outcome." if len(unknown) else ""


def _closed_count(books: Books, narrow: bool) -> Definition:
    closed = books.closed
    counted = ("won", "lost") if narrow else ("won", "lost", "no_decision")
    inside = closed[closed["outcome"].isin(counted)]
    words = "won + lost" if narrow else "won + lost + no decision"
    unknown = closed[closed["outcome"] == "unknown"]
    label = "Closed, by count: won / (won + lost)" if narrow else "Closed, by count, no decision included"
    return Definition(
        "closed_count_narrow" if narrow else "closed_count_broad", label,
        f"deals closed in {books.quarter.name}, {words}, as they stand now",
        _members(inside, inside["outcome"] == "won"), unrecorded=_unrecorded(unknown), note=_without_outcome(unknown),
    )  # fmt: skip


def _closed_amount(books: Books, narrow: bool) -> Definition | str:
    by_count = _closed_count(books, narrow)
    label = "Closed, by amount: won / (won + lost)" if narrow else "Closed, by amount, no decision included"
    if not single_currency(books.ledger_deals):
        return f"{label}: amounts are in several currencies; set currency.report_in to add them."
    closed = books.closed
    inside = closed[closed["deal_id"].isin(by_count.members["deal_id"])]
    amount = inside["amount"].astype(float).fillna(0.0)
    meaningful, note = amount_coverage(inside["outcome"], amount)
    unknown = closed[closed["outcome"] == "unknown"]
    weight = unknown["amount"].astype(float).fillna(0.0).clip(lower=0)
    return Definition(
        "closed_amount_narrow" if narrow else "closed_amount_broad", label,
        by_count.denominator.replace("deals closed", "amount of deals closed"),
        _members(inside, inside["outcome"] == "won", amount.clip(lower=0)), unrecorded=_unrecorded(unknown, weight),
        meaningful=meaningful, note=note,
    )  # fmt: skip


def amount_coverage(outcome: pd.Series, amount: pd.Series) -> tuple[bool, str]:
    """Say whether amounts may weigh deals: not where most deals of an outcome carry none, since that outcome vanishes.

    Examples
    --------
    >>> amount_coverage(pd.Series(["won", "lost", "lost"]), pd.Series([5.0, 0.0, 0.0]))
    (False, '2 of 2 lost deals carry amount 0, so weighting by amount leaves them out: not meaningful.')
    """
    empty = ~(amount.astype(float) > 0)
    sentences, meaningful = [], True
    for name in ("won", "lost", "no_decision", "open"):
        n, without = int((outcome == name).sum()), int((empty & (outcome == name)).sum())
        if not without:
            continue
        words = f"{without:,} of {n:,} {name.replace('_', '-')} {'deal carries' if n == 1 else 'deals carry'} amount 0"
        if without > n / 2:
            meaningful = False
            sentences.append(f"{words}, so weighting by amount leaves them out: not meaningful.")
        else:
            sentences.append(f"{words}.")
    return meaningful, " ".join(sentences)


def _opened(books: Books) -> Definition:
    first = books.ledger_deals[books.ledger_deals["episode"] == 1]
    opened = first.loc[dated_in(first["opened_on"], books.quarter), "deal_id"]
    last = last_episodes(books.ledger_deals)
    inside = last[last["deal_id"].isin(opened)]
    n_open = int((inside["outcome"] == "open").sum())
    verb = "is" if n_open == 1 else "are"
    still = f"{n_open:,} of {count(len(inside), 'deal')} {verb} still open, so this rate will rise." if n_open else ""
    unknown = inside[inside["outcome"] == "unknown"]
    inside = inside[inside["outcome"] != "unknown"]
    return Definition(
        "opened_cohort", f"Opened in {books.quarter.name}, won so far",
        f"deals opened in {books.quarter.name}, open ones included", _members(inside, inside["outcome"] == "won"),
        unrecorded=_unrecorded(unknown), note=f"{still} {_without_outcome(unknown)}".strip(),
    )  # fmt: skip


def _mature(books: Books) -> Definition:
    start, end = books.window
    opened = pd.to_datetime(books.deals["opened_on"])
    inside = books.deals[(opened >= pd.Timestamp(start)) & (opened <= pd.Timestamp(end))]
    in_time = inside["exit"] <= books.horizon_days
    unknown = in_time & (inside["outcome"] == "unknown")
    status = inside["outcome"].where(in_time, "open")
    kept, lacking = inside.assign(outcome=status)[~unknown], inside[unknown]
    return Definition(
        "mature_cohort", f"Opened earlier, won within {books.horizon_days} days",
        f"deals opened {day(start)} to {day(end)}, each followed for {books.horizon_days} days",
        _members(kept, kept["outcome"] == "won"), unrecorded=_unrecorded(lacking), note=_without_outcome(lacking),
        delayed=bool((inside["entry"] > -1).any()),
    )  # fmt: skip


def _qualified(books: Books) -> Definition | str:
    label = f"Qualified earlier, won within {books.horizon_days} days"
    if "qualified_on" not in books.deals or not books.deals["qualified_on"].notna().any():
        return f"{label}: no deal is known to have reached the qualification stage; name it in qualification_stage."
    start, end = books.window
    since = pd.to_datetime(books.deals["qualified_on"])
    ended = pd.to_datetime(books.deals["opened_on"]) + pd.to_timedelta(books.deals["exit"], unit="D")
    after = (ended - since).dt.days
    open_ = books.deals["outcome"] == "open"
    # walked through the stages on the day of closing is no qualification: at least one day must lie between
    inside = (since >= pd.Timestamp(start)) & (since <= pd.Timestamp(end)) & (open_ | (after >= 1))
    deals, after = books.deals[inside], after[inside]
    in_time = after <= books.horizon_days
    unknown = in_time & (deals["outcome"] == "unknown")
    kept, lacking = deals.assign(outcome=deals["outcome"].where(in_time, "open"))[~unknown], deals[unknown]
    return Definition(
        "qualified_cohort", label,
        f"deals qualified {day(start)} to {day(end)}, at least a day before their outcome, each followed for "
        f"{books.horizon_days} days",
        _members(kept, kept["outcome"] == "won"), unrecorded=_unrecorded(lacking), note=_without_outcome(lacking),
    )  # fmt: skip


MAKERS: dict[str, Callable[[Books], Definition | str]] = {
    "closed_count_narrow": lambda books: _closed_count(books, True),
    "closed_count_broad": lambda books: _closed_count(books, False),
    "closed_amount_narrow": lambda books: _closed_amount(books, True),
    "closed_amount_broad": lambda books: _closed_amount(books, False),
    "opened_cohort": _opened,
    "mature_cohort": _mature,
    "qualified_cohort": _qualified,
}


def bounded(definition: Definition) -> tuple[float, float]:
    """Give the rate if none of the unknown outcomes were won, and if all of them were."""
    weight = definition.members["weight"].to_numpy(dtype=float)
    won = float((weight * definition.members["hit"].to_numpy(dtype=float)).sum())
    total = float(weight.sum()) + definition.unknown
    return won / total, min((won + definition.unknown) / total, 1.0) if total else float(np.nan)
