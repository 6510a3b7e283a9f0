"""At most one selected finding: the segment level that stands out, with an interval that knows it was picked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.contrasts import benjamini_hochberg, verdict
from analytics.estimators.rates import quantile
from analytics.estimators.result import Estimate, Finding, Verdict
from analytics.estimators.sentences import change_with_interval, share_with_interval, sized

FALSE_DISCOVERIES = 0.05
FEWEST_WINS = 5


def picked(segments: Any, spread: Any, margin: float | None, *, q: float = FALSE_DISCOVERIES) -> Finding | None:
    """Pick the level that differs most clearly from the rest, if any does once everything looked at is counted.

    Parameters
    ----------
    segments : Estimate, Finding or None
        From `segments`.
    spread : Estimate, Finding or None
        From `segment_spread`: its tests are the family that is looked at first.
    margin : float or None
        Practical difference for the verdict.
    q : float
        Share of false discoveries accepted.

    Returns
    -------
    Finding or None
        Only levels of segments whose spread is shown (R of m segments by Benjamini–Hochberg at q) are looked at, at
        q·R/m; the interval has the level 1 − (q·R/m)·(levels found / levels looked at), so that on average no more than
        that share of such intervals miss.

    Notes
    -----
    A level with fewer than five wins, or against a rest with fewer, is among those looked at but never picked.

    References
    ----------
    Benjamini & Yekutieli 2005, JASA 100:71 (false coverage rate); Benjamini & Bogomolov 2014, JRSS B 76:297 (selected
    families).

    Examples
    --------
    >>> picked(None, None, 0.03) is None
    True
    """
    if not isinstance(segments, Estimate) or not isinstance(spread, Estimate):
        return None
    tests = spread.frame[spread.frame["p_value"].notna()]
    families = tests.loc[benjamini_hochberg(tests["p_value"]) <= q, "segment"]
    raw = segments.frame[(segments.frame["kind"] == "raw") & segments.frame["p_value"].notna()]
    raw = raw[raw["comparable"].astype(bool)]
    if not len(families):
        return None
    inner, found = q * len(families) / len(tests), []
    for name in families:
        levels = raw[raw["segment"] == name]
        adjusted = benjamini_hochberg(_countable(levels))
        share = float((adjusted <= inner).mean()) if len(levels) else 0.0
        found.append(levels[adjusted <= inner].assign(miss=inner * share))
    shown = pd.concat(found) if found else raw.iloc[:0]
    if not len(shown):
        return None
    row = shown.sort_values("p_value", kind="stable").iloc[0].to_dict()
    return _card(row, len(raw), margin)


def _countable(levels: pd.DataFrame) -> pd.Series:
    """P-values of a segment's levels; where a side has few wins it counts as looked at, and cannot be found."""
    sides = [name for name in ("n_event", "n_event_rest") if name in levels]
    few = (levels[sides] < FEWEST_WINS).any(axis=1)
    return levels["p_value"].mask(few, 1.0)


def _limits(row: dict[Any, Any], df: float | None) -> tuple[float, float]:
    """Limits of the difference at the level that picking leaves, from its own where they lie unevenly around it."""
    wider, difference = quantile(1 - float(row["miss"]), df), float(row["difference"])
    if "difference_low" not in row:
        half = wider * float(row["difference_se"])
        return difference - half, difference + half
    below, above = difference - float(row["difference_low"]), float(row["difference_high"]) - difference
    scale = wider / quantile(0.95)
    return max(difference - scale * below, -1.0), min(difference + scale * above, 1.0)


def _card(row: dict[Any, Any], looked_at: int, margin: float | None) -> Finding:
    n = float(row["n_deals"])
    accounts = row["n_accounts"]
    df = None if accounts is None or np.isnan(float(accounts)) else float(accounts) - 1
    difference = float(row["difference"])
    low, high = _limits(row, df)
    said: Verdict = "described"
    if margin is not None:
        said = verdict(difference, float(row["difference_se"]), low, high, margin, df=df)
    direction = "more" if difference > 0 else "less"
    headline = f"Deals with {row['segment']} {row['level']} were won {direction} often than the others."
    share = share_with_interval(float(row["estimate"]), float(row["conf_low"]), float(row["conf_high"]), n)
    detail = (
        f"{share} within {row['horizon_reached']} days, {sized(n, accounts)}; against the rest "
        f"{change_with_interval(difference, low, high, n)}. "
        f"Picked from {looked_at} looked at; the interval of the difference is widened for that. {row['note']}"
    )
    keys = (("segment", str(row["segment"])), ("level", str(row["level"])), ("kind", "raw"))
    return Finding("selected", headline, detail.strip(), said, "segments", keys)
