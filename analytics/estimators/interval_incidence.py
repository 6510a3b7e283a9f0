"""Cumulative incidence where the day of an outcome is known only to lie between two looks at the CRM."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.estimators.columns import account_column, day_column, outcome_column, stratum_column
from analytics.estimators.counts import DEFAULT_OUTCOMES
from analytics.estimators.intervals import Interval, probability_interval
from analytics.estimators.result import Estimate, Meta
from analytics.estimators.strata import ONE_ACCOUNT, VARIANCE_WORDS, eased_df, stratum_name
from analytics.estimators.turnbull import (
    NEVER,
    Maximum,
    Places,
    Sightings,
    greenwood_like,
    influence_of,
    maximise,
    places_of,
    range_of,
)
from analytics.records.errors import InputError, nearest

Floats = npt.NDArray[np.float64]
NOT_UNIQUE = "the records fit several curves equally well; bound_low and bound_high hold all of them"


def interval_incidence(
    deals: pd.DataFrame,
    *,
    by: str | Sequence[str] = (),
    weights: str | None = None,
    cluster: str | None = None,
    times: Sequence[float] | None = None,
    conf_level: float = 0.95,
    interval: Interval = "log-log",
) -> Estimate:
    """What share has each outcome by each age, where an outcome was only seen at the next look at the CRM?

    Parameters
    ----------
    deals : pandas.DataFrame
        `entry` (the same for every deal), `exit`, `outcome`; and, where the day of an outcome is not known exactly,
        either `open_after` (last day after opening on which the deal was known to be open) or the dates `closed_after`
        and `opened_on` of Deals. The outcome fell in `(open_after, exit]`; empty means on `exit` itself.
    by, weights, cluster
        Columns of strata, weights and accounts.
    times : sequence of float, optional
        Days after opening; by default the days by which some mass has surely come.
    conf_level, interval
        As for `cumulative_incidence`.

    Returns
    -------
    Estimate
        Kind incidence; keys `(*by, "outcome", "time")`. The data do not say how an outcome is spread within the
        intervals where mass can lie: `estimate` puts it on their last day, `bound_low` and `bound_high` hold every way
        to spread it and, where several curves are equally likely, all of those. `n_risk` deals not known to have ended
        before, `cum_event` deals known to have had the outcome.

    Raises
    ------
    InputError
        Deals that enter late, an `open_after` at or beyond the exit, missing columns or cells.

    Notes
    -----
    Non-parametric maximum likelihood of Turnbull (1976), JRSSB 38:290, for several outcomes Hudgens, Satten & Longini
    (2001), Biometrics 57:74; with exact days it is Aalen-Johansen. It assumes that looks at the CRM do not depend on
    how deals end. Limits come from the observed information and take the places of mass as given: they hold where looks
    fall on few, fixed days (snapshots), and are too narrow where every deal has looks of its own (Groeneboom & Wellner
    1992).

    Examples
    --------
    >>> deals = pd.DataFrame({"entry": -1, "open_after": [0, 0, 7, None], "exit": [7, 7, 14, 14],
    ...                       "outcome": ["won", "lost", "won", "open"]})
    >>> frame = interval_incidence(deals).frame
    >>> frame.loc[frame["outcome"] == "won", ["time", "estimate", "bound_high"]].values.tolist()
    [[7.0, 0.25, 0.25], [14.0, 0.5, 0.5]]
    """
    strata = (by,) if isinstance(by, str) else tuple(by)
    seen, unit = _sightings(deals, strata, weights, cluster)
    grid = None if times is None else _checked(times)
    columns = pd.DataFrame({name: np.asarray(stratum_column(deals[name]), dtype=object) for name in strata})
    groups = columns.groupby(list(strata), sort=True).indices if strata else {(): np.arange(len(deals))}
    start = float(deals["entry"].iloc[0]) if len(deals) else -1.0
    tables, notes = [], [] if len(deals) else ["There are no deals."]
    for label, rows in groups.items():
        if not len(rows):
            continue
        values = dict(zip(strata, label if isinstance(label, tuple) else (label,), strict=True))
        part = Sightings(seen.after[rows], seen.by[rows], seen.cause[rows], seen.w[rows])
        curve = _Curve(part, None if unit is None else pd.factorize(unit[rows])[0], (weights is not None, start))
        tables += [table.assign(**values) for table in curve.tables(grid, conf_level, interval)]
        notes += curve.notes(stratum_name(values), grid)
    method = "clustered" if cluster else "infinitesimal_jackknife" if weights else "greenwood"
    words = "observed information" if method == "greenwood" else VARIANCE_WORDS[method]
    meta = Meta(
        kind="incidence", estimand="share of deals with each outcome by each age, outcomes known to an interval",
        keys=(*strata, "outcome", "time"), n_deals=len(deals), conf_level=conf_level, interval=interval, variance=words,
        n_accounts=None if unit is None else int(unit.max(initial=-1)) + 1, cluster=cluster, note=" ".join(notes),
    )  # fmt: skip
    names = [*meta.keys, *_VALUES]
    return Estimate(pd.concat(tables)[names] if tables else pd.DataFrame(columns=names, dtype=float), meta)


_VALUES = ("estimate", "std_error", "conf_low", "conf_high", "bound_low", "bound_high", "n_risk", "cum_event",
           "no_interval_reason")  # fmt: skip


class _Curve:
    """The fitted curve of one stratum."""

    def __init__(self, seen: Sightings, unit: npt.NDArray[np.int64] | None, how: tuple[bool, float]) -> None:
        self.seen, self.unit, (weighted, start) = seen, unit, how
        distinct, place = _distinct(seen)
        self.places: Places = places_of(distinct, len(DEFAULT_OUTCOMES))
        self.best: Maximum = maximise(distinct, self.places)
        known = np.append(seen.by[np.isfinite(seen.by)], seen.after[np.isinf(seen.by)])
        self.end = float(known.max())
        never = self.best.mass[self.places.cause == NEVER].sum()
        self.complete = bool(never == 0)
        if unit is None and not weighted:
            self.covariance = greenwood_like(distinct, self.best)
        else:
            moved = influence_of(distinct, self.best)[place] * seen.w[:, None]
            if unit is not None:
                sums = np.zeros((int(unit.max()) + 1, moved.shape[1]))
                np.add.at(sums, unit, moved)
                moved = sums * np.sqrt(len(sums) / max(len(sums) - 1, 1))
            self.covariance = moved.T @ moved
        kish = float(seen.w.sum() ** 2 / (seen.w**2).sum())
        self.n_eff = kish if unit is None else min(kish, float(unit.max() + 1))
        watched = seen.w * (np.where(seen.cause == NEVER, seen.after, seen.by) - start)
        size = None if unit is None else np.bincount(unit, weights=watched)
        self.df = float("inf") if size is None else max(float(size.sum() ** 2 / (size**2).sum()) - 1, 1.0)

    def tables(self, grid: Floats | None, conf_level: float, interval: Interval) -> list[pd.DataFrame]:
        """Return one frame per outcome."""
        ends = np.unique(self.places.high[np.isfinite(self.places.high)])
        time = ends if grid is None else grid[(grid <= self.end) | self.complete]
        rows = (self._rows(k, time) for k in range(len(DEFAULT_OUTCOMES)))
        return [self._limits(frame, conf_level, interval) for frame in rows]

    def _rows(self, k: int, time: Floats) -> pd.DataFrame:
        by_then = (self.places.cause == k)[None, :] & (self.places.high[None, :] <= time[:, None])
        begun = self.places.low[None, :] < time[:, None]
        maybe = by_then | ((self.places.cause == k)[None, :] & begun)
        low, high = by_then @ self.best.mass, maybe @ self.best.mass
        if not self.best.unique:
            low = np.array([range_of(self.best, chosen)[0] for chosen in by_then])
            high = np.array([range_of(self.best, chosen)[1] for chosen in maybe])
        variance = np.einsum("ti,ij,tj->t", by_then, self.covariance, by_then)
        mine = np.sort(self.seen.by[self.seen.cause == k])
        everybody = np.sort(np.where(self.seen.cause == NEVER, self.seen.after, self.seen.by))
        return pd.DataFrame({
            "outcome": DEFAULT_OUTCOMES[k], "time": time, "estimate": by_then @ self.best.mass, "variance": variance,
            "bound_low": low, "bound_high": high,
            "n_risk": len(everybody) - np.searchsorted(everybody, time, side="left"),
            "cum_event": np.searchsorted(mine, time, side="right"),
        })  # fmt: skip

    def _limits(self, frame: pd.DataFrame, conf_level: float, interval: Interval) -> pd.DataFrame:
        estimate = frame["estimate"].to_numpy()
        estimate = np.where(estimate > 1 - 1e-12, 1.0, estimate)
        inside = (estimate > 0) & (estimate < 1)
        std_error = np.sqrt(np.where(inside, np.maximum(frame["variance"], 0.0), 0.0))
        n_eff = np.full(len(frame), self.n_eff)
        low, high = probability_interval(estimate, std_error, n_eff, conf_level=conf_level, interval=interval,
                                         df=eased_df(self.df, frame["cum_event"].to_numpy()))  # fmt: skip
        reason = ONE_ACCOUNT if self.unit is not None and self.n_eff <= 1 else NOT_UNIQUE
        none = (inside & ((reason == ONE_ACCOUNT) | (not self.best.unique))) | np.isnan(low)
        return frame.drop(columns="variance").assign(
            estimate=estimate, std_error=np.where(none, np.nan, std_error), conf_low=np.where(none, np.nan, low),
            conf_high=np.where(none, np.nan, high), no_interval_reason=np.where(none, reason, ""),
        )  # fmt: skip

    def notes(self, name: str, grid: Floats | None) -> list[str]:
        """Say what the curve rests on where that is little."""
        notes = [] if self.best.unique else [f"{name}: {NOT_UNIQUE}."]
        if grid is not None and not self.complete and (grid > self.end).any():
            notes.append(f"{name}: no deal is followed beyond day {self.end:g}.")
        return notes


def _distinct(seen: Sightings) -> tuple[Sightings, npt.NDArray[np.int64]]:
    """Return the different sightings with their summed weights, and which of them each deal is."""
    table = np.column_stack([seen.after, seen.by, seen.cause])
    rows, place = np.unique(table, axis=0, return_inverse=True)
    place = place.reshape(-1)
    weight = np.asarray(np.bincount(place, weights=seen.w, minlength=len(rows)), dtype=float)
    return Sightings(rows[:, 0], rows[:, 1], rows[:, 2].astype(np.int64), weight), place


def _checked(times: Sequence[float]) -> Floats:
    grid = np.unique(np.asarray(times, dtype=float))
    if len(grid) and not (np.isfinite(grid).all() and grid[0] >= 0):
        raise InputError("times must be zero or more days after opening", value=grid[:3].tolist())
    return grid


def _sightings(
    deals: pd.DataFrame, strata: Sequence[str], weights: str | None, cluster: str | None
) -> tuple[Sightings, npt.NDArray[np.int64] | None]:
    for name in ("entry", "exit", "outcome", *strata, *filter(None, (weights, cluster))):
        if name not in deals.columns:
            raise InputError(f"the deals have no column {name!r}", action=nearest(name, deals.columns))
    entry, leave = (np.asarray(day_column(deals[name]), dtype=float) for name in ("entry", "exit"))
    if len(entry) and entry.min() != entry.max():
        raise InputError(
            "some deals are watched only from later on, and intervals cannot be combined with that", column="entry",
            action="Keep the deals that were watched from their opening",
        )  # fmt: skip
    outcome = np.asarray(outcome_column(deals["outcome"]), dtype=object)
    place = {name: k for k, name in enumerate(DEFAULT_OUTCOMES)} | {"open": NEVER}
    for name in pd.unique(outcome):
        if name not in place:
            raise InputError("this outcome cannot be placed", column="outcome", value=name,
                             action="Leave out, or name, the deals with an unrecorded outcome first")  # fmt: skip
    cause = np.array([place[name] for name in outcome], dtype=np.int64)
    after = open_after(deals, entry, leave, cause != NEVER)
    w = np.ones(len(deals)) if weights is None else deals[weights].to_numpy(dtype=float)
    if not (np.isfinite(w).all() and (w > 0).all()):
        raise InputError("a weight is missing, infinite, zero or negative", column=str(weights))
    unit = None if cluster is None else pd.factorize(account_column(deals, cluster))[0].astype(np.int64)
    return Sightings(np.where(cause == NEVER, leave, after), np.where(cause == NEVER, np.inf, leave), cause, w), unit


def open_after(deals: pd.DataFrame, entry: Floats, leave: Floats, ended: npt.NDArray[np.bool_]) -> Floats:
    """Return the last day on which each deal was known to be open, its exit where the day is exact.

    Raises
    ------
    InputError
        A deal that ended was still open on its exit or later.
    """
    if "open_after" in deals.columns:
        after = deals["open_after"].to_numpy(dtype=float, na_value=np.nan)
    elif {"closed_after", "opened_on"} <= set(deals.columns):
        gap = pd.to_datetime(deals["closed_after"]) - pd.to_datetime(deals["opened_on"])
        after = gap.dt.days.to_numpy(dtype=float, na_value=np.nan)
    else:
        return leave
    wrong = ended & (after >= leave)
    if wrong.any():
        raise InputError(f"{int(wrong.sum())} deals were still open on the day of their outcome or later",
                         column="open_after", action="It must lie before the exit, or be empty")  # fmt: skip
    return np.where(np.isnan(after), leave, np.maximum(after, entry))
