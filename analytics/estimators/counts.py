"""Count deals into a RiskTable: from a frame with NumPy, from an ibis table with one group-by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from analytics.estimators.aalen_johansen import Rows, curve_of, rows_of
from analytics.estimators.cells import group_cells
from analytics.estimators.columns import (
    NO_ACCOUNT,
    NOT_RECORDED,
    account_column,
    category_orders,
    day_column,
    outcome_column,
    stratum_column,
)
from analytics.records.contract import OUTCOMES
from analytics.records.errors import InputError, nearest

Unknown = Literal["refuse", "lost", "no_decision", "bounds"]
DEFAULT_OUTCOMES = tuple(outcome for outcome in OUTCOMES if outcome != "unknown")
SUMS = ("n", "w", "w2")


@dataclass(frozen=True, eq=False)
class RiskTable:
    """Counted deals: the sufficient statistic of every non-parametric estimate of time to an outcome.

    Attributes
    ----------
    cells : pandas.DataFrame
        `by` columns, the `cluster` column where there is one, `entry`, `exit` (days after opening, at risk on
        `(entry, exit]`), `outcome` (one of `outcomes`, or "open"), `n` (deals), `w` (sum of weights) and `w2` (sum of
        squared weights). It holds no deal ids. Cells of two tables add.
    by : tuple of str
        Strata.
    cluster : str or None
        The column (accounts) whose deals are not independent of each other.
    outcomes : tuple of str
        Terminal outcomes (causes), in order.
    n_deals : int
        Rows counted.
    n_accounts : int or None
        Clusters counted; None without `cluster`.
    weighted : bool
        Whether weights were given.
    levels : mapping of str to tuple
        The categories, in order, of those strata that had an order of their own (categorical columns of a frame).
    """

    cells: pd.DataFrame
    by: tuple[str, ...]
    cluster: str | None
    outcomes: tuple[str, ...]
    n_deals: int
    n_accounts: int | None
    weighted: bool = False
    levels: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def __add__(self, other: RiskTable) -> RiskTable:
        """Return the table of the union of two disjoint sets of deals."""
        mine = (self.by, self.cluster, self.outcomes, self.weighted, dict(self.levels))
        theirs = (other.by, other.cluster, other.outcomes, other.weighted, dict(other.levels))
        if mine != theirs:
            raise InputError(
                f"two risk tables that count differently cannot be added (strata, cluster, outcomes, weights, "
                f"order of categories: "
                f"{mine} and {theirs})",
                action="Count both with the same by, cluster, outcomes and weights",
            )
        parts = [part for part in (self.cells, other.cells) if len(part)]
        both = pd.concat(parts, ignore_index=True) if parts else self.cells
        return _table(_regroup(both), self)

    def strata(self) -> list[tuple[dict[str, Any], Rows]]:
        """Return each stratum's values and its cells as arrays, in the order of the cells."""
        if not len(self.cells):
            return []
        begins = np.zeros(len(self.cells), dtype=bool)
        begins[0] = True
        columns = {name: self.cells[name].to_numpy() for name in self.by}
        for values in columns.values():
            begins[1:] |= values[1:] != values[:-1]
        starts = np.flatnonzero(begins).tolist()
        rows = rows_of(self.cells, self.outcomes, self.cluster)
        return [
            ({name: values[a] for name, values in columns.items()}, rows.part(a, b))
            for a, b in zip(starts, [*starts[1:], len(self.cells)], strict=True)
        ]

    def sizes(self) -> pd.DataFrame:
        """Return deals and accounts of each stratum: `by` columns, `n_deals`, `n_accounts` (None without cluster)."""
        sizes = [
            {**values, "n_deals": int(rows.n.sum()), "n_accounts": rows.accounts if self.cluster else None}
            for values, rows in self.strata()
        ]  # fmt: skip
        return pd.DataFrame(sizes, columns=[*self.by, "n_deals", "n_accounts"])

    def movements(self) -> pd.DataFrame:
        """Return what happened on each day: one row per stratum and time at which a deal left.

        Columns: `by`, `time`, `n_risk`, `d_<outcome>` and `censored` (deals), `w_risk` and `w_<outcome>` (weights).
        """
        frames = []
        for values, rows in self.strata():
            curve = curve_of(rows, len(self.outcomes))
            frame = pd.DataFrame({"time": curve.time, "n_risk": curve.n_risk})
            for k, outcome in enumerate(self.outcomes):
                frame[f"d_{outcome}"] = curve.n_event[:, k]
            frame["censored"] = curve.n_censored
            frame["w_risk"] = curve.w_risk
            for k, outcome in enumerate(self.outcomes):
                frame[f"w_{outcome}"] = curve.w_event[:, k]
            for place, (name, value) in enumerate(values.items()):
                frame.insert(place, name, [value] * len(frame))
            frames.append(frame)
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=[*self.by, "time", "n_risk"])


def count_events(
    deals: Any,
    *,
    by: str | Sequence[str] = (),
    weights: str | None = None,
    cluster: str | None = None,
    unknown: Unknown = "refuse",
    outcomes: Sequence[str] | None = None,
) -> RiskTable:
    """How many deals entered, left and how, by day and stratum?

    Parameters
    ----------
    deals : pandas.DataFrame or ibis.Table
        Columns `entry`, `exit` (days after opening, whole or not; at risk on `(entry, exit]`), `outcome`, and those
        named by the other parameters. A frame is counted by NumPy, an ibis table by one group-by on its engine.
    by : str or sequence of str
        Strata. A missing text value is a stratum of its own, "not recorded".
    weights : str, optional
        Column of weights, zero or more.
    cluster : str, optional
        Column of accounts: deals of one account are not taken as independent. A deal without an account is an account
        of its own (told apart by the column `deal_id`).
    unknown : {"refuse", "lost", "no_decision", "bounds"}
        What a deal that closed with an unrecorded outcome counts as. "bounds" keeps it as an outcome of its own for
        `incidence_bounds`.
    outcomes : sequence of str, optional
        The terminal outcomes, by default won, lost, no_decision. Every other value than these and "open" is an error.

    Returns
    -------
    RiskTable

    Raises
    ------
    InputError
        Missing columns (naming the nearest), missing times or outcomes, `exit <= entry`, an outcome that is not in
        `outcomes`, unknown outcomes where they are refused, negative or missing weights, a missing account without a
        `deal_id`.

    Notes
    -----
    Assumes that a deal's outcome is known at its exit and that deals still open are censored for reasons unrelated to
    how they will end; a rule that closes deals (silence, age) breaks the latter unless it is an outcome itself.
    Counting process with delayed entry: Andersen, Borgan, Gill & Keiding (1993), Statistical Models Based on Counting
    Processes, ch. III.3.

    Examples
    --------
    >>> deals = pd.DataFrame({"entry": [-1, -1, 4], "exit": [3, 9, 9], "outcome": ["won", "open", "lost"]})
    >>> count_events(deals).movements()[["time", "n_risk", "d_won", "d_lost", "censored"]].to_dict("list")
    {'time': [3, 9], 'n_risk': [2, 2], 'd_won': [1, 0], 'd_lost': [0, 1], 'censored': [0, 1]}
    """
    strata = (by,) if isinstance(by, str) else tuple(by)
    causes = tuple(outcomes) if outcomes is not None else DEFAULT_OUTCOMES
    _check_request(deals, strata, weights, cluster, causes)
    read = _cells_of_frame if isinstance(deals, pd.DataFrame) else _cells_of_table
    cells = read(deals, strata, weights, cluster)
    cells, causes = _settle_outcomes(cells, causes, unknown)
    _check_cells(cells)
    return _table(
        cells, RiskTable(cells, strata, cluster, causes, 0, None, weights is not None, category_orders(deals, strata))
    )


def _table(cells: pd.DataFrame, like: RiskTable) -> RiskTable:
    accounts = int(cells[like.cluster].nunique()) if like.cluster else None
    return replace(like, cells=cells, n_deals=int(cells["n"].sum()), n_accounts=accounts)


def _regroup(cells: pd.DataFrame) -> pd.DataFrame:
    keys = [name for name in cells.columns if name not in SUMS]
    return group_cells({k: cells[k] for k in keys}, {s: cells[s].to_numpy() for s in SUMS}, len(cells))


def _check_request(
    deals: Any, by: tuple[str, ...], weights: str | None, cluster: str | None, outcomes: tuple[str, ...]
) -> None:
    columns = list(deals.columns)
    for name in ("entry", "exit", "outcome", *by, *([weights] if weights else []), *([cluster] if cluster else [])):
        if name not in columns:
            raise InputError(f"the deals have no column {name!r}", action=nearest(name, columns))
    taken = {"entry", "exit", "outcome", "time", "estimate", *SUMS}
    for name in by:
        if name in taken or by.count(name) > 1:
            raise InputError(f"{name!r} cannot be a stratum", action="Rename the column, and name each stratum once")
    if cluster in taken or cluster in by:
        raise InputError(f"{cluster!r} cannot be the cluster", action="Copy the column under another name")
    if not outcomes or "open" in outcomes or len(set(outcomes)) < len(outcomes):
        raise InputError("outcomes must be different terminal outcomes, without 'open'", value=outcomes)


def _cells_of_frame(deals: pd.DataFrame, by: tuple[str, ...], weights: str | None, cluster: str | None) -> pd.DataFrame:
    keys: dict[str, Any] = {name: stratum_column(deals[name]) for name in by}
    if cluster:
        keys[cluster] = account_column(deals, cluster)
    for name in ("entry", "exit"):
        keys[name] = day_column(deals[name])
    keys["outcome"] = outcome_column(deals["outcome"])
    sums: dict[str, Any] = {"n": None}
    if weights:
        w = deals[weights].to_numpy(dtype=float)
        if len(w) and not (np.isfinite(w).all() and (w >= 0).all()):
            raise InputError("a weight is missing, infinite or negative", column=weights)
        sums |= {"w": w, "w2": w * w}
    cells = group_cells(keys, sums, len(deals))
    return cells if weights else cells.assign(w=cells["n"], w2=cells["n"])


def _cells_of_table(deals: Any, by: tuple[str, ...], weights: str | None, cluster: str | None) -> pd.DataFrame:
    import ibis

    keys = [deals[name] for name in by]
    keys = [(k.fill_null(NOT_RECORDED) if k.type().is_string() else k).name(n) for k, n in zip(keys, by, strict=True)]
    if cluster:
        account = deals[cluster]
        if "deal_id" in deals.columns:
            own = ibis.literal(NO_ACCOUNT) + deals["deal_id"].cast("string")
            account = ibis.coalesce(account.cast("string"), own)
        keys.append(account.name(cluster))
    keys += [deals[name] for name in ("entry", "exit", "outcome")]
    w = deals[weights].cast("float64") if weights else ibis.literal(1.0)
    total = {"n": deals.count(), "w": w.sum(), "w2": (w * w).sum()} if weights else {"n": deals.count()}
    if weights:
        total |= {"least": w.min(), "empty": w.isnull().any() | w.isnan().any() | w.isinf().any()}
    cells = deals.group_by(keys).aggregate(**total).execute()
    if weights and len(cells) and (bool(cells["empty"].any()) or bool((cells["least"] < 0).any())):
        raise InputError("a weight is missing, infinite or negative", column=weights)
    names = [*by, *([cluster] if cluster else []), "entry", "exit", "outcome"]
    if cluster and cells[cluster].isna().any():
        raise InputError("an account is missing and there is no deal_id", column=cluster,
                         action="Add deal_id, so that a deal without account is an account of its own")  # fmt: skip
    tidy: dict[str, Any] = {name: cells[name] for name in names}
    tidy |= {name: stratum_column(cells[name]) for name in by}
    tidy |= {name: day_column(cells[name]) for name in ("entry", "exit")}
    tidy["outcome"] = outcome_column(cells["outcome"])
    sums = {name: cells[name if weights else "n"].to_numpy() for name in SUMS}
    return group_cells(tidy, sums, len(cells))


def _settle_outcomes(
    cells: pd.DataFrame, causes: tuple[str, ...], unknown: Unknown
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    if unknown not in ("refuse", "lost", "no_decision", "bounds"):
        raise InputError("unknown= must say how unknown outcomes count", value=unknown,
                         action=nearest(unknown, ("refuse", "lost", "no_decision", "bounds")))  # fmt: skip
    found = cells["outcome"].unique().tolist()
    if "unknown" in found and "unknown" not in causes:
        deals = int(cells.loc[cells["outcome"] == "unknown", "n"].sum())
        if unknown == "refuse":
            raise InputError(f"{deals} deals closed with an outcome that was not recorded", column="outcome",
                             value="unknown", action="Ask for unknown='bounds', or say what they count as")  # fmt: skip
        if unknown == "bounds":
            causes = (*causes, "unknown")
        else:
            cells = _regroup(cells.assign(outcome=cells["outcome"].where(cells["outcome"] != "unknown", unknown)))
            found = cells["outcome"].unique().tolist()
    for value in found:
        if value != "open" and value not in causes:
            raise InputError("this is not one of the outcomes", column="outcome", value=value,
                             action=nearest(str(value), (*causes, "open")))  # fmt: skip
    return cells, causes


def _check_cells(cells: pd.DataFrame) -> None:
    wrong = cells[cells["exit"].to_numpy() <= cells["entry"].to_numpy()]
    if len(wrong):
        first = wrong.iloc[0]
        raise InputError(f"{int(wrong['n'].sum())} deals leave before they are watched, the first with entry "
                         f"{first['entry']} and exit {first['exit']}", column="exit",
                         action="Leave them out by a named rule: exit must exceed entry")  # fmt: skip


def merged_outcomes(risk: RiskTable, old: str, into: str) -> RiskTable:
    """Return the table in which one outcome counts as another.

    Raises
    ------
    InputError
        The table has no such outcome.

    Examples
    --------
    >>> deals = pd.DataFrame({"entry": -1, "exit": [3, 9], "outcome": ["won", "unknown"]})
    >>> merged_outcomes(count_events(deals, unknown="bounds"), "unknown", "lost").outcomes
    ('won', 'lost', 'no_decision')
    """
    for name in (old, into):
        if name not in risk.outcomes:
            raise InputError("the table has no such outcome", value=name, action=nearest(name, risk.outcomes))
    outcome = risk.cells["outcome"].astype(object)
    cells = _regroup(risk.cells.assign(outcome=outcome.where(outcome != old, into)))
    return replace(risk, cells=cells, outcomes=tuple(name for name in risk.outcomes if name != old))
