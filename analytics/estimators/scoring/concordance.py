"""Concordance of a ranking with the order in which deals end: Harrell's, Uno's and Wolbers's C, in n log n."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from analytics.estimators.influence import Influence
from analytics.estimators.scoring.censoring import marginal_censoring
from analytics.estimators.scoring.cohort import Cohort, Flags, Floats, Ints, cohort_of
from analytics.estimators.scoring.joint import meta_of, scored
from analytics.records.errors import InputError, nearest

Pairs = Literal["harrell", "uno", "wolbers"]


def concordance(
    deals: pd.DataFrame,
    ranking: str,
    *,
    outcome: str | None = None,
    pairs: Pairs | None = None,
    horizon: float = float("inf"),
    landmark: float = 0.0,
    cluster: str | None = None,
    conf_level: float = 0.95,
) -> Influence:
    """Of two deals, how often does the one ranked higher reach the outcome first?

    Parameters
    ----------
    deals : pandas.DataFrame
        `entry`, `exit`, `outcome`, and the ranking.
    ranking : str
        Column; higher means that the outcome is expected sooner.
    outcome : str, optional
        By default any outcome. With one, a deal that ended otherwise never reaches it and counts as later.
    pairs : {"uno", "wolbers", "harrell"}, optional
        "uno" (any outcome) and "wolbers" (one outcome; each the default of its case) weight pairs by the inverse
        probability that both are watched long enough. "harrell" counts every pair whose order is seen, and so depends
        on how long deals are watched.
    horizon : float
        Only outcomes up to this day count.
    landmark, cluster, conf_level
        As for `brier_score`.

    Returns
    -------
    Influence
        Its estimate: kind score, one row, keys ("outcome",); pairs `concordant` (ties half) and `comparable`.

    Raises
    ------
    InputError
        A ranking that is missing or not a number, no comparable pair, pairs that do not fit the outcome.

    Notes
    -----
    Not for probabilities by a day: C rewards the wrong ranking for a t-day forecast (Blanche, Kattan & Gerds 2019,
    Biostatistics 20:347); use `time_dependent_auc`. Harrell et al. (1982), JAMA 247:2543; Uno et al. (2011), Stat Med
    30:1105; Wolbers et al. (2014), Biostatistics 15:526. Errors: influence of every deal with the weights taken as
    known, as R's concordance.

    Examples
    --------
    >>> deals = pd.DataFrame({"entry": -1, "exit": [2, 3, 5, 9], "score": [0.9, 0.2, 0.3, 0.1],
    ...                       "outcome": ["won", "lost", "won", "open"]})
    >>> concordance(deals, "score", outcome="won").estimate.frame[["estimate", "comparable"]].values.tolist()
    [[1.0, 5.0]]
    """
    kind = pairs or ("uno" if outcome is None else "wolbers")
    if kind not in get_args(Pairs) or kind == ("wolbers" if outcome is None else "uno"):
        fitting = ("harrell", "uno" if outcome is None else "wolbers")
        raise InputError("there are no such pairs for this outcome", value=kind, action=nearest(kind, fitting))
    if ranking not in deals.columns:
        raise InputError("the deals lack the ranking", column=ranking, action=nearest(ranking, deals.columns))
    cohort = cohort_of(deals, landmark=landmark, cluster=cluster)
    x = deals[ranking].to_numpy(dtype=float)[cohort.row]
    if not np.isfinite(x).all():
        raise InputError("the ranking is missing or infinite for some deals", column=ranking)
    passes = _passes(cohort, outcome, kind, horizon)
    good, total = sum_pairs(passes, x)
    if not total.sum() > 0:
        raise InputError("no pair of deals has an order that is known", value=outcome or "any outcome")
    value = float(good.sum() / total.sum())
    moved = cohort.size * (good - value * total) / (total.sum() / 2)
    alike = [Pass(a.order, np.sign(a.first), np.sign(a.later)) for a in passes]
    plain = (good, total) if kind == "harrell" else sum_pairs(alike, x)
    frame = pd.DataFrame({"outcome": [outcome or "any outcome"], "estimate": [value],
                          "concordant": [plain[0].sum() / 2], "comparable": [int(plain[1].sum() / 2)]})  # fmt: skip
    meta = meta_of(cohort, "score", f"concordance ({kind} pairs)", ("outcome",), conf_level)
    return scored(cohort, frame, moved[:, None], meta, (0.0, 1.0))


@dataclass(frozen=True)
class Pass:
    """Pairs of a deal and one with a higher `order`, weighted by `first` of the one and `later` of the other."""

    order: Ints
    first: Floats
    later: Floats


def _passes(cohort: Cohort, outcome: str | None, kind: Pairs, horizon: float) -> list[Pass]:
    number = cohort.outcomes.index(outcome) if outcome in cohort.outcomes else -2
    had = cohort.cause >= 0 if outcome is None else cohort.cause == number
    other = (cohort.cause >= 0) & ~had
    first = np.where(had & (cohort.leave <= horizon), 1.0, 0.0)
    _, place = np.unique(cohort.leave, return_inverse=True)
    order = 2 * place + (cohort.cause < 0)  # who was open at the end of the day was later than who ended on it
    everyone = np.ones(cohort.size)
    if kind == "harrell":
        return [Pass(np.where(other, 2 * len(place) + 2, order), first, everyone)]
    weighting = marginal_censoring(cohort)
    before = weighting.before_end
    if kind == "uno":
        return [Pass(order, first * before**2, everyone)]
    after = weighting.share.at(cohort.leave, "right")
    later = Pass(order, first * before / np.where(after > 0, after, 1.0), everyone)
    # a deal that had ended otherwise by then never reaches the outcome, so it is later as well
    never = Pass(np.where(other, 1 - 2 * place, -2 * place), first * before, other * before)
    return [later, never]


def sum_pairs(passes: Sequence[Pass], x: Floats) -> tuple[Floats, Floats]:
    """Return, for each deal, the weight of its pairs that are concordant (ties half) and of all its pairs."""
    good, total = np.zeros(len(x)), np.zeros(len(x))
    for a in passes:
        good += a.first * _below(a.order, x, a.later) + a.later * _below(-a.order, -x, a.first)
        total += a.first * _beyond(a.order, a.later) + a.later * _beyond(-a.order, a.first)
    return good, total


def _beyond(order: Ints, weight: Floats) -> Floats:
    """For each deal the weight of deals with a higher order."""
    _, place = np.unique(order, return_inverse=True)
    level = np.bincount(place, weights=weight)
    return np.asarray((level.sum() - np.cumsum(level))[place])


def _below(order: Ints, x: Floats, weight: Floats) -> Floats:
    """For each deal the weight of deals with a higher order and a lower x, an equal x counting half.

    Deals are sorted into ever finer classes of x, one binary digit of its rank at a time. Two deals with different x
    part at exactly one digit, and there the one with the digit 1 counts the ones with 0 that come before it in order.
    """
    _, rank = np.unique(x, return_inverse=True)
    _, turn = np.unique(-order, return_inverse=True)  # 0 for the highest order
    result = np.zeros(len(x))
    line = np.lexsort((turn, rank))
    result[line] += _earlier(rank[line], turn[line], weight[line]) / 2
    line = np.argsort(turn, kind="stable")
    for digit in range(int(rank.max()).bit_length() - 1, -1, -1):
        ranks = rank[line] >> digit
        zero = (ranks & 1) == 0
        counted = _earlier(ranks >> 1, turn[line], np.where(zero, weight[line], 0.0))
        result[line] += np.where(zero, 0.0, counted)
        line = line[_parted(ranks >> 1, zero)]
    return result


def _parted(group: Ints, zero: Flags) -> Ints:
    """Rows sorted by group, zeros before ones within each group, otherwise as they were (a stable partition)."""
    starts = np.flatnonzero(np.concatenate(([True], group[1:] != group[:-1])))
    sizes = np.diff(np.append(starts, len(group)))
    before: Ints = np.cumsum(zero) - zero
    own: Ints = before - np.repeat(before[starts], sizes)
    first, zeros = np.repeat(starts, sizes), np.repeat(np.add.reduceat(zero.astype(np.int64), starts), sizes)
    spot = np.arange(len(group))
    order = np.empty(len(group), dtype=np.int64)
    order[np.where(zero, first + own, zeros + spot - own)] = spot
    return order


def _earlier(group: Ints, turn: Ints, weight: Floats) -> Floats:
    """Weight of earlier turns within each group; rows come sorted by group, then turn."""
    before = np.concatenate(([0.0], np.cumsum(weight)))
    fresh = np.concatenate(([True], group[1:] != group[:-1]))
    moved = fresh | np.concatenate(([True], turn[1:] != turn[:-1]))
    spot = np.arange(len(group))
    start, since = (np.maximum.accumulate(np.where(mark, spot, 0)) for mark in (fresh, moved))
    return np.asarray(before[since] - before[start])
