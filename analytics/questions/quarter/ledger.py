"""What closed in the quarter and how, in deals and money: status at as-of, re-openings as lines of their own."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from analytics.estimators.cell_deals import ids_of, with_deals
from analytics.estimators.lacking import lacking
from analytics.estimators.rates import known_accounts
from analytics.estimators.result import Finding, Listing
from analytics.estimators.sentences import count, money, outcome_words
from analytics.estimators.watched import not_studied
from analytics.records.calendar import Quarter

CLOSED = ("won", "lost", "no_decision", "unknown")
COLUMNS = ["outcome", "deals", "accounts", "amount", "currency", "zero_amount_deals", "label", "group"]


def last_episodes(ledger_deals: pd.DataFrame) -> pd.DataFrame:
    """Give each deal's last episode: where it stands at as-of."""
    return ledger_deals.sort_values("episode", kind="stable").drop_duplicates("deal_id", keep="last")


def dated_in(days: pd.Series, quarter: Quarter) -> pd.Series:
    """Say which days lie in the quarter."""
    stamps = pd.to_datetime(days)
    return (stamps >= pd.Timestamp(quarter.start)) & (stamps <= pd.Timestamp(quarter.end))


def what_closed(ledger_deals: pd.DataFrame, quarter: Quarter) -> Listing | Finding:
    """Which deals closed in the quarter, and how, in deals, accounts and money?

    Parameters
    ----------
    ledger_deals : pandas.DataFrame
        Deals frame with all episodes.
    quarter : Quarter
        Its first and last day both count.

    Returns
    -------
    Listing or Finding
        outcome, deals, accounts, amount, currency (one row per currency), zero_amount_deals (amount 0 or missing),
        label, group. A deal that closed and was re-opened since counts where it stands now; how many there are is a
        row of its own. A Finding where the frame has no deals at all.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": ["a", "b"], "episode": 1, "account_id": ["x", "y"], "amount": [10.0, 0.0],
    ...     "opened_on": pd.to_datetime(["2025-10-02", "2025-11-01"]), "outcome": ["won", "open"], "currency": "USD",
    ...     "closed_on": pd.to_datetime(["2025-12-01", None]), "born_closed": False})
    >>> quarter = Quarter("2025Q4", pd.Timestamp("2025-10-01").date(), pd.Timestamp("2025-12-31").date())
    >>> listing = what_closed(deals, quarter)
    >>> listing.frame.loc[listing.frame["outcome"] == "won", ["deals", "amount"]].values.tolist()
    [[1.0, 10.0]]
    """
    if not len(ledger_deals):
        return not_studied("what_closed", "There are no deals to count.")
    last = last_episodes(ledger_deals)
    closed = last[last["outcome"].isin(CLOSED) & dated_in(last["closed_on"], quarter)]
    group = "closed in the quarter"
    lines = [(name, closed[closed["outcome"] == name], group, outcome_words(name)) for name in CLOSED[:3]]
    if (closed["outcome"] == "unknown").any():
        lines.append(("unknown", closed[closed["outcome"] == "unknown"], group, "closed, outcome not recorded"))
    lines.append(("all closed", closed, group, "all that closed"))
    lines.append(("born closed", closed[closed["born_closed"].astype(bool)], "of these", "entered already closed"))
    lines += [(name, deals, "also", name) for name, deals in _also(ledger_deals, quarter).items()]
    known = sorted(ledger_deals["currency"].dropna().unique())
    parts = [(line, part, currency) for line in lines for part, currency in _by_currency(line[1], known)]
    frame = pd.DataFrame([_row(*part) for part in parts], columns=COLUMNS)
    return with_deals(
        Listing(frame, f"What closed in {quarter.name}"),
        deals=[ids_of(part) for _, part, _ in parts],
        zero_amount_deals=[ids_of(part[_worth_nothing(part)]) for _, part, _ in parts],
    )


def _also(deals: pd.DataFrame, quarter: Quarter) -> dict[str, pd.DataFrame]:
    end = pd.Timestamp(quarter.end)
    opened = pd.to_datetime(deals["opened_on"])
    still_open = (opened <= end) & ((deals["outcome"] == "open") | (pd.to_datetime(deals["closed_on"]) > end))
    first = deals["episode"] == 1
    newest = deals.groupby("deal_id")["episode"].transform("max")
    undone = deals["outcome"].isin(CLOSED) & dated_in(deals["closed_on"], quarter) & (deals["episode"] < newest)
    return {
        "open at the end": deals[still_open],
        "opened in the quarter": deals[first & dated_in(opened, quarter)],
        "re-opened in the quarter": deals[~first & dated_in(opened, quarter)],
        "closed and re-opened since": deals[undone],
    }


def _by_currency(deals: pd.DataFrame, currencies: list[str]) -> list[tuple[pd.DataFrame, str | None]]:
    """One part, or with several currencies one per currency that occurs (deals without a currency on their own)."""
    if len(currencies) <= 1:
        return [(deals, currencies[0] if currencies else None)]
    split = [(deals[deals["currency"] == currency], currency) for currency in currencies]
    parts: list[tuple[pd.DataFrame, str | None]] = [(mine, currency) for mine, currency in split if len(mine)]
    without = deals[deals["currency"].isna()]
    return parts + ([(without, None)] if len(without) or not parts else [])


def _row(line: tuple[str, pd.DataFrame, str, str], deals: pd.DataFrame, currency: str | None) -> dict[str, object]:
    return {
        "outcome": line[0], "deals": len(deals), "accounts": known_accounts(deals["account_id"]),
        "amount": float(np.nansum(deals["amount"].to_numpy(dtype=float))), "currency": currency,
        "zero_amount_deals": int(_worth_nothing(deals).sum()), "label": line[3], "group": line[2],
    }  # fmt: skip


def _worth_nothing(deals: pd.DataFrame) -> pd.Series:
    return deals["amount"].isna() | (deals["amount"] == 0)


def money_strip(ledger_deals: pd.DataFrame, quarter: Quarter, *, plan: float | None = None) -> Listing | Finding:
    """What did the quarter come to: booked against plan, pipeline created, coverage, the median deal, deals by outcome?

    Parameters
    ----------
    ledger_deals : pandas.DataFrame
        Deals frame with all episodes, amounts in one currency.
    quarter : Quarter
        The quarter.
    plan : float, optional
        What was to be booked, in the same currency; without it the line "booked against plan" says what is missing and
        has no value, and coverage is left out, not zero.

    Returns
    -------
    Listing or Finding
        item, label, value, unit (a currency, "deals" or "times"), words. Money is left out where amounts are missing
        or in several currencies.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": ["a", "b"], "episode": 1, "account_id": ["x", "y"], "amount": [12000.0, 0.0],
    ...     "opened_on": pd.to_datetime(["2025-10-02", "2025-11-01"]), "outcome": ["won", "open"], "currency": "USD",
    ...     "closed_on": pd.to_datetime(["2025-12-01", None]), "born_closed": False})
    >>> quarter = Quarter("2025Q4", pd.Timestamp("2025-10-01").date(), pd.Timestamp("2025-12-31").date())
    >>> strip = money_strip(deals, quarter)
    >>> strip.frame["words"].tolist()[-1]
    '1 won, 0 lost, 0 no decision'
    """
    if not len(ledger_deals):
        return not_studied("money_strip", "There are no deals to count.")
    last = last_episodes(ledger_deals)
    closed = last[dated_in(last["closed_on"], quarter) & (last["outcome"] != "open")]
    rows = list(_money(ledger_deals, closed, quarter, plan)) if single_currency(ledger_deals) else []
    numbers = {name: int((closed["outcome"] == name).sum()) for name in CLOSED}
    shown = [name for name in CLOSED if name != "unknown" or numbers[name]]
    words = ", ".join(f"{numbers[name]:,} {outcome_words(name)}" for name in shown)
    rows.append(("closed", "closed", float(len(closed)), "deals", words))
    return Listing(pd.DataFrame(rows, columns=["item", "label", "value", "unit", "words"]), f"{quarter.name} in money")


def plan_of(quotas: pd.DataFrame | None, quarter: Quarter) -> float | None:
    """What was to be booked in the quarter: the quotas of all owners, added up.

    Parameters
    ----------
    quotas : pandas.DataFrame or None
        The quotas side table (owner_id, period, quota), in the currency of the report; None where there is none.
    quarter : Quarter
        The quarter; quotas count whose period is its name.

    Returns
    -------
    float or None
        None where no quota is on record for the quarter: a missing plan is not a plan of zero.

    Examples
    --------
    >>> quotas = pd.DataFrame({"owner_id": ["a", "b"], "period": "2025Q4", "quota": [100.0, 250.0]})
    >>> plan_of(quotas, Quarter("2025Q4", pd.Timestamp("2025-10-01").date(), pd.Timestamp("2025-12-31").date()))
    350.0
    """
    if quotas is None:
        return None
    of_quarter = quotas.loc[quotas["period"].astype(str) == quarter.name, "quota"].dropna()
    return float(of_quarter.sum()) if len(of_quarter) else None


def single_currency(deals: pd.DataFrame) -> bool:
    """Say whether amounts can be added: at most one currency among deals with an amount."""
    return bool(deals.loc[deals["amount"].notna(), "currency"].dropna().nunique() <= 1)


def _money(
    deals: pd.DataFrame, closed: pd.DataFrame, quarter: Quarter, plan: float | None
) -> Iterable[tuple[str, str, float, str, str]]:
    named = deals.loc[deals["amount"].notna(), "currency"].dropna()
    currency = str(named.iloc[0]) if len(named) else ""
    won = closed.loc[(closed["outcome"] == "won") & (closed["amount"] > 0), "amount"]
    if len(won):
        booked = float(won.sum())
        against = f" of {money(plan, currency)} plan" if plan else ""
        yield "booked", f"booked{against}", booked, currency, money(booked, currency)
    if not plan:
        said = lacking("plan", "booked against plan", "quotas").headline
        yield "plan", "booked against plan", float("nan"), currency, said
    created = deals.loc[(deals["episode"] == 1) & dated_in(deals["opened_on"], quarter), "amount"]
    if (created > 0).any():
        total = float(created.sum())
        yield "created", "pipeline created", total, currency, money(total, currency)
    start = pd.Timestamp(quarter.start)
    held = (pd.to_datetime(deals["opened_on"]) < start) & ~(pd.to_datetime(deals["closed_on"]) < start)
    at_start = float(deals.loc[held, "amount"].sum())
    if plan and at_start > 0:
        yield "coverage", "opening coverage", at_start / plan, "times", f"{at_start / plan:.1f}×"
    if len(won):
        label = f"median won deal ({count(len(won), 'deal')})"
        yield "median", label, float(won.median()), currency, money(float(won.median()), currency)
