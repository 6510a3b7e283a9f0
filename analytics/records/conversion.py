"""Amounts in whole cents of the report's currency, at the rate of a day: the company's policy, for frames."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.records.contract import History
from analytics.records.definitions import CurrencyPolicy
from analytics.records.errors import InputError
from analytics.records.lives import side_known

Cents = npt.NDArray[np.int64]
Rates = Callable[[pd.Series, pd.Series, pd.Series], pd.Series]
MOST_CENTS = 10**17


def cents(amounts: pd.Series, rates: pd.Series) -> Cents:
    """Write amounts times rates in whole cents; a missing amount or rate is 0 cents.

    Raises
    ------
    InputError
        For an amount of a quadrillion or more: no sum of such amounts is exact.

    Examples
    --------
    >>> cents(pd.Series([10.005, None]), pd.Series([2.0, 1.0])).tolist()
    [2001, 0]
    """
    worth = amounts.to_numpy(dtype=float) * rates.to_numpy(dtype=float)
    whole = np.rint(100 * np.nan_to_num(worth))
    if len(whole) and np.abs(whole).max() > MOST_CENTS:
        largest = f"{np.abs(whole).max() / 100:.3g}"
        raise InputError("is too large an amount to be added up to the cent", column="amount", value=largest)
    return np.asarray(whole.astype(np.int64))


def currencies_reported(policy: CurrencyPolicy, currencies: pd.Series) -> tuple[str, ...]:
    """List the currencies of the report: the one that the policy names, else every one that occurs.

    Where several occur, deals without a currency are on their own (""); beside a single one they are taken for its.

    Examples
    --------
    >>> currencies_reported(CurrencyPolicy(), pd.Series(["USD", "EUR", None]))
    ('EUR', 'USD', '')
    """
    if policy.report_in is not None:
        return (policy.report_in,)
    found = tuple(sorted(str(name) for name in currencies.dropna().unique()))
    lone = len(found) > 1 and bool(currencies.isna().any())
    return (*found, "") if lone else found or ("",)


def rates_into(history: History, policy: CurrencyPolicy, currency: str, *, as_of: dt.date, unnamed: str = "") -> Rates:
    """Say what one unit is worth in a currency: a function of (currencies, days, opening days).

    Under "own" nothing is converted: a unit of another currency is worth nothing in this one, so that a deal whose
    currency is changed leaves the one and enters the other; an amount without a currency is taken for `unnamed`. A rate
    that is not there is missing.

    Examples
    --------
    >>> policy = CurrencyPolicy(report_in="USD", policy="plan_rate", rates={"EUR": 1.08})
    >>> rates = rates_into(History(table=None), policy, "USD", as_of=dt.date(2025, 1, 1))
    >>> day = pd.Series(pd.to_datetime(["2025-01-01"] * 2))
    >>> rates(pd.Series(["EUR", "USD"]), day, day).tolist()
    [1.08, 1.0]
    """
    if policy.policy == "own":
        return lambda names, days, opened: names.fillna(unnamed).eq(currency).astype(float)
    if policy.policy == "plan_rate":
        table = {**policy.rates, currency: 1.0}
        return lambda names, days, opened: names.astype(object).map(table).astype(float)
    fx = side_known(history, "fx_rates", as_of, "valid_from")
    fx = pd.DataFrame(columns=["currency", "valid_from", "rate", "recorded_on"]) if fx is None else fx
    at_opening = policy.policy == "rate_at_opening"
    return lambda names, days, opened: _dated(fx, names, opened if at_opening else days, currency)


def _dated(fx: pd.DataFrame, names: pd.Series, days: pd.Series, home: str) -> pd.Series:
    """The newest rate of each currency on each day; a corrected rate replaces the one it corrects."""
    rows = fx.sort_values(["valid_from", "recorded_on"], na_position="first", kind="stable")
    rows = rows.drop_duplicates(["currency", "valid_from"], keep="last")[["currency", "valid_from", "rate"]]
    asked = pd.DataFrame({"currency": names.astype(object), "day": pd.to_datetime(days), "place": range(len(names))})
    asked = asked[asked["day"].notna()].sort_values("day", kind="stable")
    rows = rows.astype({"currency": object, "valid_from": "datetime64[ns]", "rate": float})
    asked = asked.astype({"day": "datetime64[ns]"})
    found = pd.merge_asof(asked, rows, left_on="day", right_on="valid_from", by="currency").set_index("place")["rate"]
    rate = found.reindex(range(len(names))).set_axis(names.index)
    return rate.mask(names.eq(home), 1.0)
