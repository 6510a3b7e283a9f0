"""What every estimator returns: a tidy frame plus the facts of how it was made, checked on construction."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

EstimateKind = Literal["incidence", "survival", "probability", "mean", "coefficient", "contrast", "test", "score"]
Verdict = Literal[
    "shown and large enough to matter",
    "shown, size unclear",
    "too small to matter",
    "cannot tell",
    "not studied",
    "described",
]

SCHEMA_VERSION = 1
VALUE_COLUMNS = ("estimate", "std_error", "conf_low", "conf_high", "n_risk", "n_event", "cum_event")
BOUNDED_KINDS = ("incidence", "survival", "probability")
TOLERANCE = 1e-9
USUAL_TIMES = (30, 90, 180, 365)
"""Ages at which a curve is read where it is shown as a table."""
COARSENED = "steps of few deals are merged"
"""In the note of a curve of a shared report: what it says of a day between two of its steps is not the whole of it."""
WITHHELD = "withheld"
"""Column of a shared frame: why a row's numbers are missing (`<5`, `not shown`), empty where none was taken away."""


@dataclass(frozen=True)
class Meta:
    """How an Estimate was made: its estimand in words, what is needed to read or repeat it, the name of its file."""

    kind: EstimateKind
    estimand: str
    keys: tuple[str, ...]
    n_deals: int
    n_accounts: int | None = None
    conf_level: float = 0.95
    interval: str = ""
    variance: str = ""
    cluster: str | None = None
    unit: str = "probability"
    time_unit: str = "days after opening"
    as_of: dt.date | None = None
    rules_hash: str | None = None
    input_hash: str | None = None
    reconstructed: bool = False
    note: str = ""
    saved_as: str = ""
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, eq=False)
class Estimate:
    """A tidy frame of estimates with intervals, and the facts of how it was made.

    Parameters
    ----------
    frame : pandas.DataFrame
        Key columns (`meta.keys`), then `VALUE_COLUMNS` and any further columns the question needs. A row without an
        interval (`conf_low` or `conf_high` missing) says why in the column `no_interval_reason`.
    meta : Meta
        The estimand in words, methods, sizes and hashes.

    Raises
    ------
    ValueError
        Where the frame breaks an invariant of its kind: duplicate or missing keys, an interval that does not hold its
        estimate, a probability outside [0, 1], a curve that is not monotone, incidences that sum to more than 1,
        a missing interval without a reason.

    Notes
    -----
    `deals` names the deals behind counts of the frame (row, column, deal_id; see `cell_deals.with_deals`), where they
    are known and the report is the company's own.

    Examples
    --------
    >>> frame = pd.DataFrame({"outcome": ["won", "lost"], "estimate": [0.3, 0.25], "conf_low": [0.2, 0.15],
    ...                       "conf_high": [0.4, 0.35]})
    >>> shares = Estimate(frame, Meta("probability", "share of deals by day 365", ("outcome",), n_deals=40))
    >>> shares.at(outcome="won")["estimate"].tolist()
    [0.3]
    """

    frame: pd.DataFrame
    meta: Meta
    deals: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        """Check the invariants of the kind."""
        frame = self.frame.reset_index(drop=True)
        object.__setattr__(self, "frame", frame)
        _check_columns(frame, self.meta)
        _check_intervals(frame)
        if self.meta.kind in BOUNDED_KINDS:
            _check_bounds(frame)
        if self.meta.kind in ("incidence", "survival") and "time" in self.meta.keys:
            _check_curves(frame, self.meta)

    def stamped(self, **facts: Any) -> Estimate:
        """Return the same frame with further facts (`as_of`, `rules_hash`, `input_hash`, …) in its meta."""
        return Estimate(self.frame, dataclasses.replace(self.meta, **facts), self.deals)

    def at(self, **keys: object) -> pd.DataFrame:
        """Return the rows whose key columns have these values, as a frame."""
        mask = np.ones(len(self.frame), dtype=bool)
        for name, value in keys.items():
            mask &= (self.frame[name] == value).to_numpy(dtype=bool, na_value=False)
        return self.frame.loc[mask]

    def read_at(self, times: Sequence[float] = ()) -> pd.DataFrame:
        """Return the rows of curves at these times, each the last one not after it; the index says which rows they are.

        Without times 30, 90, 180, 365 and the last one. All rows, where the Estimate is no curve.

        Examples
        --------
        >>> frame = pd.DataFrame({"time": range(200), "estimate": 0.1, "conf_low": 0.0, "conf_high": 0.2})
        >>> Estimate(frame, Meta("incidence", "share won", ("time",), 9)).read_at()["time"].tolist()
        [30, 90, 180, 199]
        """
        frame = self.frame
        if "time" not in self.meta.keys:
            return frame
        if not times:
            last = float(frame["time"].max()) if len(frame) else 0.0
            times = [*(time for time in USUAL_TIMES if time < last), last]
        by = [key for key in self.meta.keys if key != "time"]
        parts = []
        for time in times:
            upto = frame[frame["time"] <= time].sort_values("time", kind="stable")
            parts.append(upto.groupby(by, sort=False, as_index=False).tail(1) if by else upto.tail(1))
        return pd.concat(parts).drop_duplicates() if parts else frame


@dataclass(frozen=True, eq=False)
class Listing:
    """A frame of facts that are not estimates (attrition, completeness, a list of deals).

    `private` is True where its rows are deals, so that a shared report leaves it out; a study saved it as `saved_as`,
    and knew then what was recorded by the end of `as_of`; `deals` as for an Estimate.
    """

    frame: pd.DataFrame
    title: str
    private: bool = False
    saved_as: str = ""
    schema_version: int = SCHEMA_VERSION
    deals: pd.DataFrame | None = None
    as_of: dt.date | None = None


@dataclass(frozen=True)
class Finding:
    """One plain sentence made from one Estimate row, its figures in words, and its verdict.

    `headline` can be repeated in a meeting; `detail` holds the figure with interval and n, and what would change it.
    """

    name: str
    headline: str
    detail: str
    verdict: Verdict
    estimate: str | None = None
    keys: tuple[tuple[str, str], ...] = ()
    schema_version: int = SCHEMA_VERSION


def _check_columns(frame: pd.DataFrame, meta: Meta) -> None:
    missing = [name for name in (*meta.keys, "estimate", "conf_low", "conf_high") if name not in frame.columns]
    if missing:
        raise ValueError(f"the estimate's frame lacks the columns {missing}")
    if meta.keys and bool(frame.duplicated(list(meta.keys)).any()):
        raise ValueError(f"the estimate has more than one row for a key of {meta.keys}")


def _check_intervals(frame: pd.DataFrame) -> None:
    value, low, high = (frame[name].to_numpy(dtype=float) for name in ("estimate", "conf_low", "conf_high"))
    with np.errstate(invalid="ignore"):
        wrong = (low > value + TOLERANCE) | (high < value - TOLERANCE)
    if wrong.any():
        raise ValueError(f"an interval does not hold its estimate:\n{frame[wrong].head(3)}")
    absent = np.isnan(low) | np.isnan(high)
    if absent.any():
        reasons = frame.get("no_interval_reason", pd.Series("", index=frame.index)).fillna("").astype(str)
        if (reasons[absent].str.len() == 0).any():
            raise ValueError(f"a missing interval must name its reason:\n{frame[absent].head(3)}")


def _check_bounds(frame: pd.DataFrame) -> None:
    for name in ("estimate", "conf_low", "conf_high"):
        value = frame[name].to_numpy(dtype=float)
        if ((value < -TOLERANCE) | (value > 1 + TOLERANCE)).any():
            raise ValueError(f"{name} lies outside [0, 1]")


def _check_curves(frame: pd.DataFrame, meta: Meta) -> None:
    groups = [name for name in meta.keys if name != "time"]
    ordered = frame.sort_values([*groups, "time"], kind="stable")
    value = ordered.groupby(groups, dropna=False, sort=False)["estimate"] if groups else ordered["estimate"]
    steps = value.diff()
    direction = -1.0 if meta.kind == "survival" else 1.0
    if (direction * steps.dropna() < -TOLERANCE).any():
        raise ValueError(f"the {meta.kind} is not monotone in time")
    if meta.kind == "incidence" and "outcome" in meta.keys:
        strata = [name for name in meta.keys if name != "outcome"]
        totals = frame.groupby(strata, dropna=False)["estimate"].sum()
        if (totals > 1 + 1e-6).any():
            raise ValueError("the incidences of one stratum sum to more than 1")
