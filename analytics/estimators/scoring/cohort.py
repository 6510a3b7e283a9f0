"""Which deals a forecast spoke of, and what was forecast for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.estimators.columns import account_column, day_column, outcome_column
from analytics.records.errors import InputError, nearest

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Forecasts:
    """What models said of each deal.

    Attributes
    ----------
    outcomes : tuple of str
        Outcomes that are forecast.
    horizons : tuple of float
        Days after opening, ascending.
    models : mapping of str to array (deals, outcomes, horizons)
        Probability that the deal has had the outcome by the horizon, deals in the order of the frame they belong to.
    """

    outcomes: tuple[str, ...]
    horizons: tuple[float, ...]
    models: Mapping[str, Floats]

    def __post_init__(self) -> None:
        """Refuse what is not a probability, and horizons that do not ascend."""
        if not self.models or not self.outcomes or not self.horizons:
            raise InputError("a forecast needs a model, an outcome and a horizon")
        if list(self.horizons) != sorted(set(self.horizons)):
            raise InputError("horizons must ascend", value=self.horizons)
        if "null" in self.models:
            raise InputError("the name null belongs to the forecast that is the same for every deal", value="null")
        for name, p in self.models.items():
            if p.ndim != 3 or p.shape[1:] != (len(self.outcomes), len(self.horizons)):
                raise InputError("forecasts are arrays of deals x outcomes x horizons", value=(name, p.shape))
            if len(p) != len(next(iter(self.models.values()))):
                raise InputError("the models forecast different numbers of deals", value=name)
            if not (np.isfinite(p).all() and (p >= 0).all() and (p <= 1).all()):
                raise InputError("a forecast is missing or no probability", value=name)

    def single(self) -> list[tuple[str, str, float, Floats]]:
        """Return (model, outcome, horizon, probabilities), in that order of the keys."""
        return [
            (model, outcome, horizon, p[:, k, h])
            for model, p in self.models.items()
            for k, outcome in enumerate(self.outcomes)
            for h, horizon in enumerate(self.horizons)
        ]


def forecasts_of(table: pd.DataFrame) -> Forecasts:
    """Make forecasts from a tidy frame, such as that of `predicted_incidence`.

    Parameters
    ----------
    table : pandas.DataFrame
        `profile` (number of the deal from 0), `outcome`, `time`, `estimate`, and `model` where there are several.

    Raises
    ------
    InputError
        A missing column, a deal without some forecast, or with two.

    Examples
    --------
    >>> table = pd.DataFrame({"profile": [0, 1], "outcome": "won", "time": 30.0, "estimate": [0.2, 0.6]})
    >>> forecasts_of(table).models["model"][:, 0, 0].tolist()
    [0.2, 0.6]
    """
    for name in ("profile", "outcome", "time", "estimate"):
        if name not in table.columns:
            raise InputError("the forecasts lack this column", column=name, action=nearest(name, table.columns))
    table = table if "model" in table.columns else table.assign(model="model")
    outcomes, horizons = tuple(table["outcome"].unique()), tuple(sorted(float(t) for t in table["time"].unique()))
    deals = int(table["profile"].max()) + 1
    models = {}
    for model, rows in table.groupby("model", sort=False):
        if len(rows) != deals * len(outcomes) * len(horizons) or rows.duplicated(["profile", "outcome", "time"]).any():
            raise InputError("every deal needs one forecast per outcome and horizon", value=model)
        p = np.full((deals, len(outcomes), len(horizons)), np.nan)
        places = [rows["profile"], pd.Index(outcomes).get_indexer(rows["outcome"]),
                  np.searchsorted(horizons, rows["time"])]  # fmt: skip
        p[tuple(np.asarray(place, dtype=np.int64) for place in places)] = rows["estimate"]
        models[str(model)] = p
    return Forecasts(outcomes, horizons, models)


@dataclass(frozen=True, eq=False)
class Cohort:
    """The deals that were open and watched on the day from which the forecast counts, and how they ended.

    `leave` days after opening, `cause` the number of the outcome (-1 open), `row` the place in the caller's frame,
    `unit` the account number of each deal (its own number without accounts), `names` the units.
    """

    leave: Floats
    cause: Ints
    outcomes: tuple[str, ...]
    row: Ints
    unit: Ints
    names: pd.Index[Any]
    cluster: str | None
    note: str

    @property
    def size(self) -> int:
        """Number of deals."""
        return len(self.leave)

    @property
    def accounts(self) -> int | None:
        """Number of accounts, None where deals stand alone."""
        return len(self.names) if self.cluster else None

    def had(self, outcome: str, horizon: float) -> Flags:
        """Which deals have had the outcome by the horizon (of those whose state then is known)."""
        number = self.outcomes.index(outcome) if outcome in self.outcomes else -2
        return np.asarray((self.leave <= horizon) & (self.cause == number))

    def deals(self) -> pd.DataFrame:
        """Return the deals as a frame; nobody enters after the first has left."""
        names = np.asarray([*self.outcomes, "open"], dtype=object)
        return pd.DataFrame({"entry": self.leave.min() - 1, "exit": self.leave, "outcome": names[self.cause]})

    @property
    def followed_to(self) -> float:
        """The day up to which the state of deals can be judged: infinite where the last deals all ended."""
        last = self.leave.max()
        return float("inf") if (self.cause[self.leave == last] >= 0).all() else float(np.nextafter(last, -np.inf))


def cohort_of(
    deals: pd.DataFrame, *, landmark: float = 0.0, cluster: str | None = None, counts: str | None = None
) -> Cohort:
    """Which deals can a forecast made for day `landmark` be judged by?

    Parameters
    ----------
    deals : pandas.DataFrame
        `entry`, `exit` (days after opening, at risk on `(entry, exit]`), `outcome`, and the columns named below.
    landmark : float
        Only deals at risk on this day (entry < landmark <= exit) are judged. From then on nobody enters, so delayed
        entry needs no further treatment; 0 keeps the deals that were watched from their opening. Deals that came under
        watch later were never spoken of by such a forecast: judge them at a later landmark, with forecasts that are
        conditional on being open then.
    cluster : str, optional
        Column of accounts.
    counts : str, optional
        Column of whole numbers: how many equal deals a row stands for.

    Raises
    ------
    InputError
        A missing column or value, an unrecorded outcome, no deal at risk on that day.
    """
    for name in ("entry", "exit", "outcome", *(name for name in (cluster, counts) if name)):
        if name not in deals.columns:
            raise InputError(f"the deals have no column {name!r}", action=nearest(name, deals.columns))
    entry, leave = (np.asarray(day_column(deals[name]), dtype=float) for name in ("entry", "exit"))
    outcome = np.asarray(outcome_column(deals["outcome"]), dtype=object)
    if (outcome == "unknown").any():
        number = int((outcome == "unknown").sum())
        raise InputError(f"{number} deals closed without a recorded outcome, which judges no forecast",
                         column="outcome", action="Leave them out by a named rule")  # fmt: skip
    inside = (entry < landmark) & (leave >= landmark)
    if not inside.any():
        raise InputError("no deal is at risk on this day", value=landmark, action="Choose another landmark")
    row = np.flatnonzero(inside)
    if counts:
        times = deals[counts].to_numpy()
        if times.dtype.kind not in "iu" or (times < 1).any():
            raise InputError("counts must be whole numbers of at least 1", column=counts)
        row = np.repeat(row, times[row])
    kinds = tuple(sorted(set(outcome[row].tolist()) - {"open"}))
    place = {name: number for number, name in enumerate(kinds)} | {"open": -1}
    cause = np.asarray([place[name] for name in outcome[row]], dtype=np.int64)
    if cluster:
        unit, names = pd.factorize(pd.Series(account_column(deals, cluster)).iloc[row])
    else:
        unit, names = np.arange(len(row)), pd.RangeIndex(len(row))
    late, early = int((entry >= landmark).sum()), int((leave < landmark).sum())
    note = f"{late} rows came under watch on day {landmark:g} or later, {early} had left; they are not judged."
    return Cohort(leave[row], cause, kinds, row, np.asarray(unit, dtype=np.int64), pd.Index(names), cluster,
                  note if late or early else "")  # fmt: skip


def judged(
    deals: pd.DataFrame, forecasts: Forecasts, *, landmark: float, cluster: str | None, counts: str | None
) -> tuple[Cohort, Forecasts]:
    """Put cohort and forecasts side by side, without the horizons that nobody's follow-up reaches.

    Raises
    ------
    InputError
        As `cohort_of`; another number of forecasts than of deals; horizons before the landmark, or none in reach.
    """
    cohort = cohort_of(deals, landmark=landmark, cluster=cluster, counts=counts)
    size = len(next(iter(forecasts.models.values())))
    if size != len(deals):
        raise InputError(f"there are {len(deals):,} deals and forecasts for {size:,}")
    if min(forecasts.horizons) < landmark:
        raise InputError("a horizon lies before the day the forecast counts from", value=min(forecasts.horizons))
    reach = [h for h, horizon in enumerate(forecasts.horizons) if horizon <= cohort.followed_to]
    if not reach:
        raise InputError(f"no deal is followed beyond day {cohort.leave.max():g}", value=list(forecasts.horizons))
    note = cohort.note
    if len(reach) < len(forecasts.horizons):
        note = f"{note} No deal is followed beyond day {cohort.leave.max():g}: later horizons are left out.".strip()
    kept = Forecasts(
        forecasts.outcomes, tuple(forecasts.horizons[h] for h in reach),
        {name: p[cohort.row][:, :, reach] for name, p in forecasts.models.items()},
    )  # fmt: skip
    return replace(cohort, note=note), kept
