"""Forecast distributions of a total (deals won in a quarter, their amount), and what scores are read off them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analytics.records.errors import InputError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TotalForecast:
    """A distribution on finitely many values.

    Attributes
    ----------
    value : array
        Different values, ascending.
    chance : array
        Their probabilities; they sum to 1.
    """

    value: Floats
    chance: Floats

    def below(self, x: float) -> float:
        """Return the probability of a total less than x."""
        return float(self.chance[: np.searchsorted(self.value, x, side="left")].sum())

    def up_to(self, x: float) -> float:
        """Return the probability of a total of x or less."""
        return float(min(self.chance[: np.searchsorted(self.value, x, side="right")].sum(), 1.0))

    def quantile(self, level: float) -> float:
        """Return the least value that the total does not exceed with at least this probability."""
        place = np.searchsorted(np.cumsum(self.chance), level - 1e-12, side="left")
        return float(self.value[min(int(place), len(self.value) - 1)])

    @property
    def mean(self) -> float:
        """The expected total."""
        return float(self.value @ self.chance)


def from_draws(draws: Sequence[float] | npt.NDArray[Any]) -> TotalForecast:
    """Return the distribution in which each simulated total is equally likely.

    Raises
    ------
    InputError
        No draws, or a draw that is not a number.

    Examples
    --------
    >>> from_draws([3, 1, 3, 5]).chance.tolist()
    [0.25, 0.5, 0.25]
    """
    array = np.asarray(draws, dtype=float)
    if array.ndim != 1 or not len(array) or not np.isfinite(array).all():
        raise InputError("a forecast needs at least one draw, and every draw must be a number")
    value, count = np.unique(array, return_counts=True)
    return TotalForecast(value, count / len(array))


def poisson_binomial(probabilities: Sequence[float] | npt.NDArray[Any]) -> TotalForecast:
    """How many of these deals will be won, if each is won with its own probability and none moves another?

    Parameters
    ----------
    probabilities : sequence of float
        One per deal. No deal at all gives a total of 0 for certain.

    Returns
    -------
    TotalForecast
        Exact, by multiplying the deals' generating polynomials pair by pair; work grows with the square of the number
        of deals (10,000 deals in about a tenth of a second).

    Raises
    ------
    InputError
        A number that is no probability.

    Notes
    -----
    Deals of one account, seller or quarter move together, and the probabilities are themselves estimated: the true
    spread is wider, and `coverage` of such intervals shows by how much.

    Examples
    --------
    >>> poisson_binomial([0.5, 0.5, 1.0]).chance.tolist()
    [0.0, 0.25, 0.5, 0.25]
    """
    p = np.asarray(probabilities, dtype=float)
    if not (np.isfinite(p).all() and (p >= 0).all() and (p <= 1).all()):
        raise InputError("a forecast is missing or no probability")
    parts: list[Floats] = [np.array([1 - one, one]) for one in p] or [np.ones(1)]
    while len(parts) > 1:
        paired = [np.convolve(a, b) for a, b in zip(parts[::2], parts[1::2], strict=False)]
        parts = paired + parts[len(paired) * 2 :]
    return TotalForecast(np.arange(len(p) + 1, dtype=float), parts[0] / parts[0].sum())


def crps(forecast: TotalForecast, observed: float) -> float:
    """How far was the whole distribution from what came (continuous ranked probability score), in units of the total?

    Notes
    -----
    Integral of (F(x) - 1{observed <= x})^2 dx = E|X - y| - E|X - X'| / 2: Gneiting & Raftery (2007), JASA 102:359, eq.
    20-21. For a forecast of a single value it is the absolute error. Proper: an honest distribution scores least.

    Examples
    --------
    >>> crps(from_draws([7.0]), 10.0), crps(from_draws([0.0, 2.0]), 1.0)
    (3.0, 0.5)
    """
    value, chance = forecast.value, forecast.chance
    grid = np.unique(np.append(value, observed))
    share = np.concatenate(([0.0], np.cumsum(chance)))[np.searchsorted(value, grid[:-1], side="right")]
    return float(((share - (grid[:-1] >= observed)) ** 2 * np.diff(grid)).sum())


def pinball(forecast: TotalForecast, observed: float, level: float) -> float:
    """How costly was the forecast quantile of this level, missing above and below weighed by it?

    Notes
    -----
    (y - q) level where y >= q, (q - y) (1 - level) else: Koenker & Bassett (1978), Econometrica 46:33. At 0.5 it is
    half the absolute error of the median. Twice its average over all levels is the CRPS.

    Examples
    --------
    >>> pinball(from_draws([7.0]), 10.0, 0.9), pinball(from_draws([7.0]), 6.0, 0.75)
    (2.7, 0.25)
    """
    if not 0 < level < 1:
        raise InputError("a quantile's level lies between 0 and 1", value=level)
    gap = observed - forecast.quantile(level)
    return float(gap * level if gap >= 0 else -gap * (1 - level))
