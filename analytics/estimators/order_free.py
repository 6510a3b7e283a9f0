"""What each of several changes did to a sum of money, whatever their order, in whole cents that add up exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from analytics.records.errors import InputError

Cents = npt.NDArray[np.int64]
MOST_CAUSES = 6


def order_free_cents(worth: Callable[..., Cents], then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Cents]:
    """How much of worth(**now) - worth(**then) did each cause bring, to the cent, whatever their order?

    Parameters
    ----------
    worth : callable
        Takes every cause's value by name (arrays over deals) and gives whole cents (int64).
    then, now : mapping of str to array
        Value of each cause before and after, one per deal.

    Returns
    -------
    dict of str to numpy.ndarray
        Cents of each cause; for every deal they add up to the change exactly.

    Raises
    ------
    InputError
        Different causes on the two sides, or more than 6 of them; more cents than 64 bits can share out.

    Notes
    -----
    Shapley (1953), eq. 12: the change that a cause brings, averaged over all orders; computed in whole numbers
    (times n!) and rounded to cents by the largest remainder, ties to the cause named first, so that no rounding is left
    over. It is `das_gupta.factor_effects` in cents. It is an accounting convention, not an effect: two causes that
    changed together share what neither did alone.

    Examples
    --------
    >>> worth = lambda inside, cents: inside * cents
    >>> shares = order_free_cents(worth, {"inside": np.array([0]), "cents": np.array([101])},
    ...                           {"inside": np.array([1]), "cents": np.array([150])})
    >>> {name: share.tolist() for name, share in shares.items()}
    {'inside': [126], 'cents': [24]}
    """
    names = list(then)
    if set(names) != set(now) or not names or len(names) > MOST_CAUSES:
        raise InputError(f"one to {MOST_CAUSES} causes, the same before and after", value=(sorted(then), sorted(now)))
    worths = [
        np.asarray(worth(**{name: (now if chosen >> i & 1 else then)[name] for i, name in enumerate(names)}))
        for chosen in range(2 ** len(names))
    ]
    orders = math.factorial(len(names))
    largest = max((int(np.abs(cents).max()) for cents in worths if len(cents)), default=0)
    if largest > (2**63 - 1) // (2 * orders):
        raise InputError("is too large an amount to be attributed to the cent", column="amount", value=largest // 100)
    shares = np.stack([_share(i, len(names), worths) for i in range(len(names))])
    whole = shares // orders
    missing = (worths[-1] - worths[0]) - whole.sum(axis=0)
    # The causes with the largest remainders get the cents that rounding down left over.
    place = np.argsort(np.argsort(-(shares - whole * orders), axis=0, kind="stable"), axis=0, kind="stable")
    return dict(zip(names, whole + (place < missing), strict=True))


def _share(cause: int, causes: int, worths: list[Cents]) -> Cents:
    """A cause's Shapley value times the number of orders: a whole number."""
    total = np.zeros_like(worths[0])
    for chosen in range(2**causes):
        if not chosen >> cause & 1:
            before = chosen.bit_count()
            weight = math.factorial(before) * math.factorial(causes - before - 1)
            total = total + weight * (worths[chosen | 1 << cause] - worths[chosen])
    return total
