"""What a change between two quarters is made of: the mix of segments, or the incidence within them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analytics.estimators.bootstrap import RESAMPLING, Floats, Movements, Paces, Resampling, count_movements
from analytics.estimators.contrasts import p_from_limits
from analytics.estimators.counts import count_events
from analytics.estimators.influence import Influence, difference, influence
from analytics.estimators.kitagawa import Sides, kitagawa_parts
from analytics.estimators.rates import account_codes, quantile
from analytics.records.contract import OUTCOMES

CHANGE = ["outcome", "estimate", "std_error", "conf_low", "conf_high", "no_interval_reason", "p_value"]
RENAMED = {
    "estimate_then": "estimate_then", "estimate_now": "estimate_now", "cum_event_then": "n_event_then",
    "cum_event": "n_event_now",
}  # fmt: skip
CAUSES = OUTCOMES
NOT_RECORDED = "not recorded"
ALL = "all"
OTHERWISE = "otherwise"
PARTS = ("mix", "rate", "appeared", "vanished")


@dataclass(frozen=True)
class Pace:
    """The deals at risk in a quarter: `entry`, `exit`, `outcome`, `account_id`, `opened_in_period`, and segments."""

    deals: pd.DataFrame

    @property
    def accounts(self) -> pd.Series:
        """Account of each deal; all missing where the frame has none."""
        return self.deals.get("account_id", pd.Series(None, index=self.deals.index, dtype=object)).astype(object)


def incidence_change(
    then: Pace, now: Pace, *, horizon_days: int, conf_level: float = 0.95, causes: Sequence[str] = CAUSES
) -> pd.DataFrame:
    """Estimate by how much the incidence at a horizon differs between two sets of deals that may share accounts.

    Parameters
    ----------
    then, now : Pace
        The deals at risk on each side, left-truncated at its start and censored at its end.
    horizon_days : int
        Age at which the incidences are compared; on a side that is not followed so far, its last value.
    conf_level : float
        Default 0.95.
    causes : sequence of str
        Outcomes; all others are censored.

    Returns
    -------
    pandas.DataFrame
        Per outcome: outcome, estimate (now − then), std_error, conf_low, conf_high, no_interval_reason, p_value,
        estimate_then, estimate_now, n_event_then, n_event_now. No rows where a side is watched only from a later age.
        Where a side is 0 or 1 its accounts do not differ, so `std_error` is then the interval's width in standard
        errors.

    Notes
    -----
    Limits are those of `analytics.estimators.influence.difference`: resamples of a side without an event repeat its 0,
    so an interval made of them knows nothing of that side's chance.

    References
    ----------
    Zou & Donner 2008, Stat Med 27:1693, eq. 12; Aalen & Johansen 1978, Scand J Stat 5:141.

    Examples
    --------
    >>> deals = pd.DataFrame({"entry": -1, "exit": [3, 9, 9, 12], "outcome": ["won", "lost", "open", "won"],
    ...                       "account_id": list("abcd"), "opened_in_period": True})
    >>> incidence_change(Pace(deals), Pace(deals), horizon_days=10)["estimate"].tolist()
    [0.0, 0.0, 0.0, 0.0]
    """
    clustered = any(bool(side.accounts.notna().any()) for side in (then, now))
    if any(int(side.deals["entry"].min()) >= horizon_days for side in (then, now)):
        return pd.DataFrame(columns=[*CHANGE, *RENAMED.values()])
    before, after = (_joint(side, horizon_days, conf_level, causes, clustered) for side in (then, now))
    frame = difference(after, before).frame.rename(columns=RENAMED)
    values = frame[["estimate", "conf_low", "conf_high"]].to_numpy(dtype=float)
    frame["p_value"] = [p_from_limits(*row, conf_level=conf_level) for row in values]
    edge = ~(frame["estimate_now"].between(0, 1, "neither") & frame["estimate_then"].between(0, 1, "neither"))
    width = (frame["conf_high"] - frame["conf_low"]) / (2 * quantile(conf_level))
    frame["std_error"] = frame["std_error"].mask(edge, width).mask(frame["conf_low"].isna())
    return frame[[*CHANGE, *RENAMED.values()]]


def _joint(side: Pace, horizon: int, conf_level: float, causes: Sequence[str], clustered: bool) -> Influence:
    deals = side.deals.assign(outcome=side.deals["outcome"].where(side.deals["outcome"].isin(list(causes)), "open"))
    deals = deals.assign(account_id=side.accounts) if clustered else deals
    risk = count_events(deals, cluster="account_id" if clustered else None, outcomes=tuple(causes))
    time = min(horizon, int(deals["exit"].max()))
    return influence(risk, times=[time], conf_level=conf_level).select(time=time)


def mix_and_rate(
    then: Pace, now: Pace, *, by: str, horizon_days: int, resampling: Resampling = RESAMPLING, outcome: str = "won"
) -> pd.DataFrame:
    """Split the change of an incidence between two quarters into mix, rate, and segments that appeared or vanished.

    Parameters
    ----------
    then, now : Pace
        The deals at risk in each quarter.
    by : str
        Segment column; its values are those at opening.
    horizon_days : int
        Age at which incidences are compared.
    resampling : Resampling
        One whole-account bootstrap for all parts together; the total has the limits of `incidence_change`.
    outcome : str
        The outcome that is decomposed.

    Returns
    -------
    pandas.DataFrame
        level, part, estimate, std_error, conf_low, conf_high, rate_then, rate_now, share_then, share_now, n_then,
        n_now, n_event_then, n_event_now, opened_then, opened_now, borrowed.
        Parts of single levels, then of level "all": mix, rate, appeared,
        vanished, stock, total. The rows of level "all" other than the total add up to it exactly, and it is the change
        of the incidence of all deals together.

    Notes
    -----
    Mix is the share of the quarter's openings, rate the incidence within the segment at the quarter's pace. The
    incidence of all deals together is not the average of the segments' weighted by openings, because deals opened
    earlier were at risk as well; what that difference changed by is the part "stock". At ages at which nobody of a
    segment was at risk its deals are taken to move at the pace of all (`borrowed` names such rows), which assumes
    least where nothing is known. The interval of "stock" tends to be too wide.

    References
    ----------
    Kitagawa 1955, JASA 50:1168; Das Gupta 1993, US Census P23-186.

    Examples
    --------
    >>> deals = pd.DataFrame({"entry": -1, "exit": [3, 9, 9, 12], "outcome": ["won", "lost", "open", "won"],
    ...     "account_id": list("abcd"), "opened_in_period": True, "segment": ["x", "x", "y", "y"]})
    >>> parts = mix_and_rate(Pace(deals), Pace(deals.iloc[[0, 1, 2]]), by="segment", horizon_days=10)
    >>> total = parts.query("level == 'all' and part == 'total'")["estimate"].iloc[0]
    >>> bool(abs(parts.query("level == 'all' and part != 'total'")["estimate"].sum() - total) < 1e-12)
    True
    """
    # the other outcomes only matter together
    merged = (Pace(with_others_merged(then.deals, outcome)), Pace(with_others_merged(now.deals, outcome)))
    table, levels = _movements(merged, by, horizon_days, (outcome, OTHERWISE))
    present = _present((then, now), by, levels, (outcome, horizon_days))
    k = 0
    seen = _change(table.observed(), present, k)
    drawn = _change(table.replicates(reps=resampling.reps, seed=resampling.seed), present, k)
    rows = []
    for name, values in seen.items():
        level, part = name
        limits = _limits(float(values[0]), drawn[name], table.n_clusters, resampling.conf_level)
        if part == "total":
            limits |= _limits_of_total(merged, outcome, horizon_days, resampling.conf_level)
        rows.append({"level": levels[level] if level is not None else ALL, "part": part, **limits})
    return _described(pd.DataFrame(rows), table, levels, present, k)


def level_of(deals: pd.DataFrame, by: str) -> pd.Series:
    """Give the segment of each deal as text, "not recorded" where it is missing."""
    values = deals[by].astype(object)
    return values.where(values.notna(), NOT_RECORDED).astype(str)


def with_others_merged(deals: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """Give the same deals with every outcome but this one called "otherwise"; open deals stay open."""
    return deals.assign(outcome=deals["outcome"].where(deals["outcome"].isin([outcome, "open"]), OTHERWISE))


def _movements(
    sides: tuple[Pace, Pace], by: str | None, horizon: int, causes: Sequence[str]
) -> tuple[Movements, list[str]]:
    frames = [side.deals for side in sides]
    accounts = pd.concat([side.accounts for side in sides], ignore_index=True)
    names = [level_of(frame, by) if by else pd.Series(ALL, index=frame.index) for frame in frames]
    levels = sorted(set(names[0]) | set(names[1]))
    place = {level: position for position, level in enumerate(levels)}
    group = [name.map(place).to_numpy(dtype=np.int64) + i * len(levels) for i, name in enumerate(names)]
    spells: dict[str, NDArray[Any]] = {
        column: np.concatenate([frame[column].to_numpy() for frame in frames])
        for column in ("entry", "exit", "outcome")
    }
    spells["group"] = np.concatenate(group)
    spells["cluster"] = account_codes(accounts)[0]
    spells["opening"] = np.concatenate([frame["opened_in_period"].to_numpy(dtype=bool) for frame in frames])
    pools = [0] * len(levels) + [1] * len(levels)
    return count_movements(spells, pool_of=pools, causes=causes, horizon=horizon), levels


def _present(sides: tuple[Pace, Pace], by: str, levels: list[str], event: tuple[str, int]) -> pd.DataFrame:
    counts, (outcome, horizon) = {}, event
    for name, side in zip(("then", "now"), sides, strict=True):
        level = level_of(side.deals, by)
        counts[f"n_{name}"] = level.value_counts().reindex(levels, fill_value=0)
        opened = level[side.deals["opened_in_period"].to_numpy(dtype=bool)]
        had = level[((side.deals["outcome"] == outcome) & (side.deals["exit"] <= horizon)).to_numpy(dtype=bool)]
        counts[f"n_event_{name}"] = had.value_counts().reindex(levels, fill_value=0)
        counts[f"opened_{name}"] = opened.value_counts().reindex(levels, fill_value=0)
    return pd.DataFrame(counts, index=levels)


def _shares(openings: Floats) -> Floats:
    total = openings.sum(axis=-1, keepdims=True)
    # a resample without a single opening has no mix of its own: every level then weighs the same
    return np.where(total > 0, openings / np.where(total > 0, total, 1.0), 1.0 / openings.shape[-1])


def _change(paces: Paces, present: pd.DataFrame, k: int) -> dict[tuple[int | None, str], Floats]:
    size = len(present)
    in_then, in_now = present["n_then"].to_numpy() > 0, present["n_now"].to_numpy() > 0
    sides = Sides(
        _shares(paces.openings[:, :size]), _shares(paces.openings[:, size:]), paces.group[:, :size, k],
        paces.group[:, size:, k], in_then, in_now,
    )  # fmt: skip
    standard = [(sides.share_then * sides.rate_then).sum(axis=1), (sides.share_now * sides.rate_now).sum(axis=1)]
    pooled = [paces.pool[:, 0, k], paces.pool[:, 1, k]]
    parts = kitagawa_parts(sides, ((standard[0] + standard[1]) / 2)[:, None])
    change: dict[tuple[int | None, str], Floats] = {}
    for i in range(size):
        of_level = ("mix", "rate") if in_then[i] and in_now[i] else ("appeared",) if in_now[i] else ("vanished",)
        change |= {(i, part): parts[part][:, i] for part in of_level}
    for part in PARTS:
        if any(name[1] == part for name in change):
            change[(None, part)] = parts[part].sum(axis=1)
    total = pooled[1] - pooled[0]
    # the remainder is taken last, so that the parts add up to the total to the last digit
    change[(None, "stock")] = total - sum(values for (level, _), values in change.items() if level is None)
    change[(None, "total")] = total
    return change


def _limits_of_total(sides: tuple[Pace, Pace], outcome: str, horizon: int, conf_level: float) -> dict[str, Any]:
    """Limits of the change of all deals together, the same wherever it is printed."""
    then, now = sides
    change = incidence_change(then, now, horizon_days=horizon, conf_level=conf_level, causes=(outcome, OTHERWISE))
    names = ["std_error", "conf_low", "conf_high", "no_interval_reason"]
    rows: list[dict[Any, Any]] = change.loc[change["outcome"] == outcome, names].to_dict("records")
    return dict(rows[0]) if rows else {}


def _limits(estimate: float, replicates: Floats, n_clusters: int, conf_level: float) -> dict[str, Any]:
    spread = float(replicates.std(ddof=1)) if n_clusters > 1 else 0.0
    if spread <= 1e-12:
        reason = "all deals belong to one account" if n_clusters < 2 else "it is the same in every resample"
        missing = {"std_error": float("nan"), "conf_low": float("nan"), "conf_high": float("nan")}
        return {"estimate": estimate, **missing, "no_interval_reason": reason}
    # the variance of resampled accounts is (C - 1) / C of the unbiased one
    std_error = spread * float(np.sqrt(n_clusters / (n_clusters - 1)))
    half = quantile(conf_level, n_clusters - 1) * std_error
    return {
        "estimate": estimate, "std_error": std_error, "conf_low": estimate - half, "conf_high": estimate + half,
        "no_interval_reason": "",
    }  # fmt: skip


def _described(frame: pd.DataFrame, table: Movements, levels: list[str], present: pd.DataFrame, k: int) -> pd.DataFrame:
    seen, size = table.observed(), len(levels)
    shares = [_shares(seen.openings[0, :size]), _shares(seen.openings[0, size:])]
    empty = table.empty_from()
    for i, side in enumerate(("then", "now")):
        exists = present[f"n_{side}"].to_numpy() > 0
        rates = dict(zip(levels, np.where(exists, seen.group[0, i * size : (i + 1) * size, k], np.nan), strict=True))
        rates[ALL] = float(seen.pool[0, i, k])
        frame[f"rate_{side}"] = frame["level"].map(rates)
        frame[f"share_{side}"] = frame["level"].map({**dict(zip(levels, shares[i], strict=True)), ALL: 1.0})
        for count in ("n", "n_event", "opened"):
            column = present[f"{count}_{side}"]
            frame[f"{count}_{side}"] = frame["level"].map({**column.to_dict(), ALL: int(column.sum())}).astype(int)
    short = {
        level: any(
            empty[i * size + j] is not None and present[f"n_{side}"].iloc[j] > 0
            for i, side in enumerate(("then", "now"))
        )
        for j, level in enumerate(levels)
    }
    frame["borrowed"] = frame["level"].map({**short, ALL: any(short.values())})
    return frame
