"""Kitagawa's decomposition of a difference of two overall rates, with segments that appear or vanish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sides:
    """Shares and rates of the levels then and now, last axis the levels; `in_then`, `in_now` say where they exist."""

    share_then: Floats
    share_now: Floats
    rate_then: Floats
    rate_now: Floats
    in_then: NDArray[np.bool_]
    in_now: NDArray[np.bool_]


def kitagawa(
    share_then: Sequence[float], share_now: Sequence[float], rate_then: Sequence[float], rate_now: Sequence[float],
    *, centre: float = 0.0,
) -> pd.DataFrame:  # fmt: skip
    """Split the change of an overall rate into a part from the mix and a part from the rates, level by level.

    Parameters
    ----------
    share_then, share_now : sequence of float
        Share of each level, summing to 1 on either side. 0 where the level does not exist.
    rate_then, rate_now : sequence of float
        Rate within each level; NaN where the level does not exist on that side.
    centre : float
        Subtracted from the rates in the terms of the mix. Since shares sum to 1 it changes no total; with the overall
        rate as centre, a level's mix reads "more of a segment that is won less often than the rest".

    Returns
    -------
    pandas.DataFrame
        `mix` = (w2 − w1)(r1 + r2)/2, `rate` = (r2 − r1)(w1 + w2)/2, `appeared` = w2 r2 (only now), `vanished` = −w1 r1
        (only then), rates less the centre. Their sum over levels and columns is the change, exactly.

    Raises
    ------
    ValueError
        Where shares do not sum to 1, or a level with a share has no rate.

    Notes
    -----
    Assumes nothing, being arithmetic. It describes what the change is made of, not why it came about: a rate may have
    moved because of the mix inside the level.

    References
    ----------
    Kitagawa 1955, JASA 50:1168, section on two populations; Das Gupta 1993, US Census P23-186.

    Examples
    --------
    >>> kitagawa([0.5, 0.5], [0.75, 0.25], [0.2, 0.6], [0.2, 0.4])[["mix", "rate"]].round(3).to_dict("list")
    {'mix': [0.05, -0.125], 'rate': [0.0, -0.075]}
    """
    w1, w2 = np.asarray(share_then, dtype=float), np.asarray(share_now, dtype=float)
    r1, r2 = np.asarray(rate_then, dtype=float), np.asarray(rate_now, dtype=float)
    if not (np.isclose(w1.sum(), 1.0, atol=1e-9) and np.isclose(w2.sum(), 1.0, atol=1e-9)):
        raise ValueError("the shares of the levels must sum to 1 then and now")
    if (np.isnan(r1) & (w1 > 0)).any() or (np.isnan(r2) & (w2 > 0)).any():
        raise ValueError("a level with a share needs a rate")
    sides = Sides(w1, w2, np.nan_to_num(r1), np.nan_to_num(r2), ~np.isnan(r1), ~np.isnan(r2))
    return pd.DataFrame(kitagawa_parts(sides, np.asarray(centre)))


def kitagawa_parts(sides: Sides, centre: Floats) -> dict[str, Floats]:
    """Compute the four terms of every level, for one sample or for many replicates at once (last axis the levels)."""
    w1, w2 = sides.share_then, sides.share_now
    r1, r2 = sides.rate_then - centre, sides.rate_now - centre
    both, new, gone = sides.in_then & sides.in_now, sides.in_now & ~sides.in_then, sides.in_then & ~sides.in_now
    return {
        "mix": np.where(both, (w2 - w1) * (r1 + r2) / 2, 0.0),
        "rate": np.where(both, (r2 - r1) * (w1 + w2) / 2, 0.0),
        "appeared": np.where(new, w2 * r2, 0.0),
        "vanished": np.where(gone, -w1 * r1, 0.0),
    }
