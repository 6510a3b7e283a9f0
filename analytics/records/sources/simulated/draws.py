"""Random draws that stay the same: one stream per part, uniforms only, and everything else made from them.

NumPy promises the same bits for `Generator.random` on every machine, but not for its other distributions across
versions; a committed demo company needs the promise.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Draws:
    """A stream of random numbers that belongs to one part of the simulation.

    Parameters
    ----------
    seed : int
        The company's seed.
    part : str
        Name of the part; another part's draws never change this one's.

    Examples
    --------
    >>> bool(Draws(1, "deals").uniform(1) == Draws(1, "deals").uniform(1))
    True
    >>> bool(Draws(1, "deals").uniform(1) == Draws(1, "owners").uniform(1))
    False
    """

    def __init__(self, seed: int, part: str) -> None:
        self._generator = np.random.default_rng([seed, zlib.crc32(part.encode())])

    def uniform(self, *shape: int) -> Floats:
        """Draw from [0, 1)."""
        return self._generator.random(shape)

    def chance(self, probability: float | Floats, *shape: int) -> Bools:
        """Draw True with this probability."""
        return self.uniform(*shape) < probability

    def normal(self, *shape: int) -> Floats:
        """Draw standard normals (Box & Muller 1958)."""
        radius = np.sqrt(-2 * np.log1p(-self.uniform(*shape)))
        return np.asarray(radius * np.cos(2 * np.pi * self.uniform(*shape)))

    def geometric(self, mean: float, *shape: int) -> Ints:
        """Draw 1, 2, … with this mean."""
        if mean <= 1:
            self.uniform(*shape)
            return np.ones(shape, dtype=np.int64)
        return np.asarray(1 + np.log1p(-self.uniform(*shape)) // np.log1p(-1 / mean)).astype(np.int64)

    def between(self, low: int | Ints, high: int | Ints, *shape: int) -> Ints:
        """Draw whole numbers from `low` to `high`, both possible."""
        return np.asarray(low + np.floor(self.uniform(*shape) * (np.asarray(high) - low + 1))).astype(np.int64)

    def category(self, shares: Sequence[float] | Floats, n: int) -> Ints:
        """Draw positions in `shares`, which are scaled to sum to 1; a 2-dimensional `shares` has a row per draw."""
        table = np.asarray(shares, dtype=float)
        edges = np.cumsum(table, axis=-1) / table.sum(axis=-1, keepdims=True)
        draw = self.uniform(n)
        if table.ndim == 1:
            return np.minimum(np.searchsorted(edges, draw, side="right"), len(table) - 1).astype(np.int64)
        passed = (draw[:, None] >= edges).sum(axis=1)
        return np.asarray(np.minimum(passed, table.shape[1] - 1))
