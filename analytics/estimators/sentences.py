"""Numbers in words, by one rule: never more digits than the interval supports, minus signs that are minus signs."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from analytics.estimators.result import Estimate, Finding

FEW, MANY = 200, 2000
"""Below FEW deals whole per cents; from MANY on one decimal."""


def decimals(n: float, low: float = math.nan, high: float = math.nan) -> int:
    """Give the number of decimals of a percentage that n deals and the interval support.

    Whole per cents below 200 deals, one decimal from 2,000; in between one decimal where the interval is narrower than
    four points.

    Examples
    --------
    >>> decimals(150), decimals(900, 0.30, 0.38), decimals(900, 0.31, 0.33), decimals(5000)
    (0, 0, 1, 1)
    """
    if n < FEW:
        return 0
    if n >= MANY:
        return 1
    return 1 if high - low < 0.04 else 0


def minus(text: str) -> str:
    """Write minus signs as minus signs, and no minus before zero.

    Examples
    --------
    >>> minus("-3"), minus("-0.0")
    ('−3', '0.0')
    """
    return text.lstrip("-") if not text.strip("-0.") else text.replace("-", "−")


def percent(share: float, digits: int = 0) -> str:
    """Write a share as a percentage.

    Examples
    --------
    >>> percent(0.3215), percent(0.3215, 1)
    ('32 %', '32.1 %')
    """
    return minus(f"{100 * share:.{digits}f}") + " %"


def share_with_interval(share: float, low: float, high: float, n: float) -> str:
    """Write a share with its interval: "32 % (27–38)"; without an interval it says so.

    Examples
    --------
    >>> share_with_interval(0.3215, 0.27, 0.38, 150)
    '32 % (27–38)'
    >>> share_with_interval(0.3215, float("nan"), float("nan"), 150)
    '32 % (no interval)'
    """
    digits = decimals(n, low, high)
    if math.isnan(low) or math.isnan(high):
        return f"{percent(share, digits)} (no interval)"
    return f"{percent(share, digits)} ({100 * low:.{digits}f}–{100 * high:.{digits}f})"


def bounds_with_limits(low: float, high: float, limits: tuple[float, float], n: float) -> str:
    """Write the bounds of a share whose truth is partly unrecorded, and the limits around both.

    Examples
    --------
    >>> bounds_with_limits(0.46, 0.87, (0.40, 0.91), 150)
    'between 46 % and 87 % (40–91)'
    """
    digits = decimals(n, *limits)
    known = "no interval" if any(math.isnan(x) for x in limits) else "–".join(f"{100 * x:.{digits}f}" for x in limits)
    return f"between {percent(low, digits)} and {percent(high, digits)} ({known})"


def share_of(row: Mapping[Any, Any], n: float) -> str:
    """Write a row's share with its interval, or its bounds where outcomes are not recorded: never a point for those.

    Examples
    --------
    >>> share_of({"estimate": 0.4, "bound_low": 0.3, "bound_high": 0.6, "conf_low": 0.2, "conf_high": 0.7}, 80)
    'between 30 % and 60 % (20–70)'
    """
    low, high = row.get("bound_low"), row.get("bound_high")
    if low is None or high is None or not float(high) > float(low):
        return share_with_interval(float(row["estimate"]), float(row["conf_low"]), float(row["conf_high"]), n)
    return bounds_with_limits(float(low), float(high), (float(row["conf_low"]), float(row["conf_high"])), n)


def points(change: float, digits: int = 0, *, plus: bool = False) -> str:
    """Write a difference of shares in points, without the word.

    Examples
    --------
    >>> points(-0.031), points(0.04, plus=True), points(-0.001)
    ('−3', '+4', '0')
    """
    text = f"{100 * change:+.{digits}f}" if plus else f"{100 * change:.{digits}f}"
    if not text.strip("+-0."):
        return text.lstrip("+-")
    return minus(text)


def in_points(change: float, digits: int = 0, *, plus: bool = False) -> str:
    """Write a difference of shares in points, with the word.

    Examples
    --------
    >>> in_points(-0.01), in_points(0.025, 1, plus=True)
    ('−1 point', '+2.5 points')
    """
    text = points(change, digits, plus=plus)
    return f"{text} {'point' if text.lstrip('+−') in ('1', '1.0') else 'points'}"


def change_with_interval(change: float, low: float, high: float, n: float) -> str:
    """Write a difference in points with its interval: "−3 points (−10 to +4)".

    Examples
    --------
    >>> change_with_interval(-0.03, -0.10, 0.04, 150)
    '−3 points (−10 to +4)'
    """
    digits = decimals(n, low, high)
    said = in_points(change, digits, plus=True)
    if math.isnan(low) or math.isnan(high):
        return f"{said} (no interval)"
    return f"{said} ({points(low, digits, plus=True)} to {points(high, digits, plus=True)})"


def count(n: float, singular: str, plural: str | None = None) -> str:
    """Write a number of things, singular or plural, with thousands separated.

    Examples
    --------
    >>> count(1, "deal"), count(2473, "deal"), count(2, "opportunity", "opportunities")
    ('1 deal', '2,473 deals', '2 opportunities')
    """
    return f"{n:,.0f} {singular if 0.5 < n < 1.5 else plural or singular + 's'}"


def sized(n_deals: float, n_accounts: float | None, without: float = 0) -> str:
    """Write what a number rests on: deals, and accounts where they are known.

    Examples
    --------
    >>> sized(412, 260), sized(1, None)
    ('412 deals of 260 accounts', '1 deal')
    >>> sized(3039, 85, 724)
    '3,039 deals (2,315 of 85 accounts, 724 without one)'
    """
    if n_accounts is None or (isinstance(n_accounts, float) and math.isnan(n_accounts)):
        return count(n_deals, "deal")
    if without:
        of = f"{n_deals - without:,.0f} of {count(n_accounts, 'account')}, {without:,.0f} without one"
        return f"{count(n_deals, 'deal')} ({of})"
    return f"{count(n_deals, 'deal')} of {count(n_accounts, 'account')}"


def money(amount: float, currency: str | None) -> str:
    """Write an amount in thousands or millions with its currency.

    Examples
    --------
    >>> money(4_130_000, "USD"), money(28_400, "EUR"), money(950, None), money(-1_250_000, "USD")
    ('USD 4.1 M', 'EUR 28 k', '950', '−USD 1.2 M')
    """
    size = abs(amount)
    if size >= 999_500:
        scaled = f"{size / 1e6:.1f} M" if size < 99_950_000 else f"{size / 1e6:,.0f} M"
    elif size >= 10_000:
        scaled = f"{size / 1e3:.0f} k"
    elif size >= 1000:
        scaled = f"{size / 1e3:.1f} k"
    else:
        scaled = f"{size:.0f}"
    return ("−" if amount < 0 else "") + (f"{currency} {scaled}" if currency else scaled)


def day(date: dt.date) -> str:
    """Write a date out.

    Examples
    --------
    >>> day(dt.date(2025, 12, 31))
    '31 December 2025'
    """
    return f"{date.day} {date:%B %Y}"


def outcome_words(outcome: str) -> str:
    """Write an outcome as a reader says it.

    Examples
    --------
    >>> outcome_words("no_decision")
    'no decision'
    """
    return outcome.replace("_", " ")


def tidy(text: str) -> str:
    """Write a text with single blanks between its words.

    Examples
    --------
    >>> tidy(" 41 deals.  ")
    '41 deals.'
    """
    return " ".join(text.split())


def standing_in(name: str, answer: Estimate | Finding | None, headline: str) -> Finding:
    """Give the card of a question without an Estimate: the Finding in its place, else that it was not studied.

    Examples
    --------
    >>> standing_in("mix", None, "What the change is made of was not studied.").verdict
    'not studied'
    """
    if isinstance(answer, Finding):
        return replace(answer, name=name)
    return Finding(name, headline, "", "not studied")
