"""What a change of a rate is made of: several factors at once (Das Gupta), and the threefold split with interaction."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.estimators.rates import quantile
from analytics.estimators.result import Estimate, Meta
from analytics.records.errors import InputError

Floats = npt.NDArray[np.float64]
Factors = Mapping[str, Any]
MOST_FACTORS = 10
NO_DRAWS = "no resamples were given, so there is nothing to judge the error by"
ALIKE = "all resamples give the same, so they say nothing of the error"
NO_SPREAD = "nobody or everybody had the outcome on both sides, so the rates say nothing of their error"


def factor_effects(rate: Callable[..., Any], then: Factors, now: Factors) -> dict[str, Any]:
    """Split rate(**now) - rate(**then) into one effect per factor, whatever the order in which factors change.

    Parameters
    ----------
    rate : callable
        Takes every factor by name; works on arrays with leading axes where resamples are given.
    then, now : mapping
        Value of each factor (a number, or an array over levels).

    Returns
    -------
    dict
        Effect of each factor; they add up to the change exactly.

    Raises
    ------
    InputError
        Different factors on the two sides, or more than 10 of them.

    Notes
    -----
    The change that a factor brings, averaged over all orders in which the factors can change: Das Gupta (1993), US
    Census P23-186, ch. 2, which is Shapley's value. With two factors, shares and rates, it is Kitagawa's decomposition.

    Examples
    --------
    >>> effects = factor_effects(lambda deals, won, size: deals * won * size, {"deals": 100, "won": 0.2, "size": 5.0},
    ...                          {"deals": 120, "won": 0.25, "size": 4.0})
    >>> {name: round(value, 3) for name, value in effects.items()}
    {'deals': 20.167, 'won': 24.667, 'size': -24.833}
    """
    names = list(then)
    if set(names) != set(now) or not names:
        raise InputError("the two sides have different factors", value=(sorted(then), sorted(now)))
    if len(names) > MOST_FACTORS:
        raise InputError(f"the orders of {len(names)} factors are too many", action=f"Keep to {MOST_FACTORS} factors")
    known = {
        chosen: rate(**{name: (now if name in chosen else then)[name] for name in names})
        for size in range(len(names) + 1)
        for chosen in map(frozenset, itertools.combinations(names, size))
    }
    total = math.factorial(len(names))
    effects = {}
    for name in names:
        parts = [
            math.factorial(len(chosen)) * math.factorial(len(names) - len(chosen) - 1) / total
            * (known[chosen | {name}] - value)
            for chosen, value in known.items() if name not in chosen
        ]  # fmt: skip
        effects[name] = sum(parts[1:], start=parts[0])
    return effects


def das_gupta(
    rate: Callable[..., Any],
    then: Factors,
    now: Factors,
    *,
    draws: tuple[Factors, Factors] | None = None,
    conf_level: float = 0.95,
) -> Estimate:
    """How much of the change of a figure does each factor make up?

    Parameters
    ----------
    rate, then, now
        As for `factor_effects`.
    draws : (mapping, mapping), optional
        The same factors in resamples of whole accounts, then and now, one resample per row of each array; the same
        resamples on both sides where accounts are shared.
    conf_level : float
        Of the percentile limits.

    Returns
    -------
    Estimate
        Kind contrast, key `("factor",)`, the last row "all" being the change; `share_of_change`, missing where the
        limits of the change hold 0.

    Raises
    ------
    InputError
        As for `factor_effects`.

    Notes
    -----
    Das Gupta (1993), US Census P23-186, ch. 2 (`factor_effects`). It describes what the change is made of, not why it
    came about. Assumes that the resamples keep together what belongs together (whole accounts). Limits of the bootstrap
    are moved out to the estimate where that lies outside of them.

    Examples
    --------
    >>> result = das_gupta(lambda mix, won: (mix * won).sum(axis=-1), {"mix": np.array([0.5, 0.5]),
    ...     "won": np.array([0.2, 0.6])}, {"mix": np.array([0.75, 0.25]), "won": np.array([0.2, 0.4])})
    >>> result.frame["estimate"].round(3).tolist()
    [-0.075, -0.075, -0.15]
    """
    effects = factor_effects(rate, then, now)
    values = [*map(float, effects.values()), float(rate(**now) - rate(**then))]
    frame = pd.DataFrame({"factor": [*effects, "all"], "estimate": values})
    change = values[-1]
    frame["share_of_change"] = frame["estimate"] / change if change else np.nan
    if draws is None:
        frame = frame.assign(std_error=np.nan, conf_low=np.nan, conf_high=np.nan, no_interval_reason=NO_DRAWS)
    else:
        spread = factor_effects(rate, *draws)
        table = np.column_stack([*spread.values(), np.asarray(rate(**draws[1])) - np.asarray(rate(**draws[0]))])
        low, high = np.quantile(table, [0.5 - conf_level / 2, 0.5 + conf_level / 2], axis=0)
        low, high, error = np.minimum(low, values), np.maximum(high, values), table.std(axis=0, ddof=1)
        alike = error <= 1e-14 * np.abs(table).max()
        frame = frame.assign(
            **{name: np.where(alike, np.nan, column)
               for name, column in (("std_error", error), ("conf_low", low), ("conf_high", high))},
            no_interval_reason=np.where(alike, ALIKE, ""),
        )  # fmt: skip
        if low[-1] <= 0 <= high[-1]:
            frame["share_of_change"] = np.nan
    return Estimate(frame, Meta(
        kind="contrast", keys=("factor",), n_deals=0, conf_level=conf_level,
        estimand="part of the change that each factor makes up, averaged over orders",
         interval="percentile" if draws else "", variance="resamples" if draws else "",
        unit="that of the figure",
    ))  # fmt: skip


def threefold(
    x_then: Sequence[float], n_then: Sequence[float], x_now: Sequence[float], n_now: Sequence[float],
    *, conf_level: float = 0.95,
) -> Estimate:  # fmt: skip
    """How much of a change of an overall rate is mix, how much rates, and how much both at once?

    Parameters
    ----------
    x_then, n_then, x_now, n_now : sequence of float
        Successes and trials per level, in the same order on both sides; every level must exist on both.
    conf_level : float

    Returns
    -------
    Estimate
        Kind contrast, key `("part",)`: "endowments" (mix, at the rates of then), "coefficients" (rates, at the mix of
        then), "interaction", "all".

    Raises
    ------
    InputError
        Levels that exist on one side only, or sides of different length.

    Notes
    -----
    Threefold decomposition of Oaxaca (1973), Int Econ Rev 14:693 and Blinder (1973); unlike Kitagawa's it depends on
    which side is the base. Delta method: shares multinomial, rates binomial, sides and deals independent; levels are
    needed on both sides because a rate that nobody had cannot be compared.

    Examples
    --------
    >>> threefold([10, 30], [50, 50], [15, 10], [75, 25]).frame["estimate"].round(3).tolist()
    [-0.1, -0.1, 0.05, -0.15]
    """
    x1, n1, x2, n2 = (np.asarray(values, dtype=float) for values in (x_then, n_then, x_now, n_now))
    if not len(x1) == len(n1) == len(x2) == len(n2) or not ((n1 > 0).all() and (n2 > 0).all()):
        raise InputError("a level exists on one side only", action="Merge it, or use kitagawa, which shows it apart")
    (w1, r1, v1), (w2, r2, v2) = _side(x1, n1), _side(x2, n2)
    # derivatives with respect to (w1, r1) and (w2, r2)
    parts = {
        "endowments": ((w2 - w1) @ r1, (-r1, w2 - w1), (r1, 0 * r2)),
        "coefficients": (w1 @ (r2 - r1), (r2 - r1, -w1), (0 * w2, w1)),
        "interaction": ((w2 - w1) @ (r2 - r1), (-(r2 - r1), -(w2 - w1)), (r2 - r1, w2 - w1)),
        "all": (w2 @ r2 - w1 @ r1, (-r1, -w1), (r2, w2)),
    }
    z, rows = quantile(conf_level), []
    for part, (value, d1, d2) in parts.items():
        g1, g2 = np.concatenate(d1), np.concatenate(d2)
        error = float(np.sqrt(g1 @ v1 @ g1 + g2 @ v2 @ g2))
        reason = "" if error > 0 else NO_SPREAD
        error = error if error > 0 else np.nan
        rows.append({"part": part, "estimate": float(value), "std_error": error, "conf_low": float(value) - z * error,
                     "conf_high": float(value) + z * error, "no_interval_reason": reason})  # fmt: skip
    return Estimate(pd.DataFrame(rows), Meta(
        kind="contrast", estimand="threefold decomposition of the change of an overall rate", keys=("part",),
        n_deals=int(n1.sum() + n2.sum()), conf_level=conf_level, interval="plain", variance="delta method",
    ))  # fmt: skip


def _side(x: Floats, n: Floats) -> tuple[Floats, Floats, Floats]:
    """Shares, rates and their joint covariance."""
    w, r, size = n / n.sum(), x / n, len(x)
    covariance = np.zeros((2 * size, 2 * size))
    covariance[:size, :size] = (np.diag(w) - np.outer(w, w)) / n.sum()
    covariance[size:, size:] = np.diag(r * (1 - r) / n)
    return w, r, covariance
