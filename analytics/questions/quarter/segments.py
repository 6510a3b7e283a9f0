"""Segments: the share won at this quarter's pace, raw and shrunken, and whether they differ by more than chance."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.bootstrap import RESAMPLING, Resampling
from analytics.estimators.cell_deals import deals_of, with_deals, with_members
from analytics.estimators.contrasts import benjamini_hochberg, unrecorded_outcomes
from analytics.estimators.decomposition import (
    NOT_RECORDED,
    OTHERWISE,
    Pace,
    incidence_change,
    level_of,
    with_others_merged,
)
from analytics.estimators.period_incidence import at_horizon, nobody_at_risk
from analytics.estimators.rates import account_codes
from analytics.estimators.result import Estimate, Finding, Meta
from analytics.estimators.sentences import percent, points
from analytics.estimators.shrinkage import FEWEST_GROUPS, shrink
from analytics.estimators.side_deals import level_members
from analytics.estimators.spread import CLOSER, effective_counts, effective_deals, spread_between
from analytics.estimators.watched import (
    SMALLEST_CELL,
    at_risk_in,
    counted,
    has_accounts,
    last_day,
    not_studied,
    reach,
    within,
)
from analytics.records.calendar import Quarter
from analytics.records.errors import InputError, nearest

UNRECORDED = "Often a field is filled only when a deal closes: read this level as a gap in the records."
COLUMNS = [
    "segment", "level", "kind", "estimate", "std_error", "conf_low", "conf_high", "n_risk", "n_event", "n_deals",
    "n_accounts", "n_effective", "horizon_reached", "comparable", "overall", "difference", "difference_se",
    "difference_low", "difference_high", "n_event_rest", "p_value", "note", "no_interval_reason",
]  # fmt: skip
BOUNDS = ["bound_low", "bound_high"]
AGAINST = {
    "estimate": "difference", "std_error": "difference_se", "conf_low": "difference_low",
    "conf_high": "difference_high", "n_event_then": "n_event_rest", "p_value": "p_value",
}  # fmt: skip
NOT_WATCHED = "Too few of its deals were watched at every age to compare it."
UNBOUNDED = 0.5


def segments(
    deals: pd.DataFrame, quarter: Quarter, *, by: Sequence[str], settled_on: dt.date, horizon_days: int,
    resampling: Resampling = RESAMPLING,
) -> Estimate | Finding:  # fmt: skip
    """What share of each segment's deals would be won by the horizon, and what is left once chance is taken out?

    Parameters
    ----------
    deals : pandas.DataFrame
        Deals frame, first episodes, with the segment columns (values at opening).
    quarter, settled_on, horizon_days
        As for `period_at_horizon`.
    by : sequence of str
        Segment columns, each looked at on its own.
    resampling : Resampling
        Its confidence level, for the difference of each level from the rest.

    Returns
    -------
    Estimate or Finding
        Kind probability, keys (segment, level, kind). "raw" is the level's own incidence; "shrunken" is moved towards
        the mean of all levels as far as chance alone could have moved it (absent with fewer than five levels; the
        common rate where no spread shows; `note` says which). `overall`, and per raw level its `difference` from the
        rest with limits, standard error and p-value. `comparable` levels are read at one age (see `meta.note`), and
        `n_effective` deals stand behind them (at least five where none, or every one, was won). Levels with fewer than
        five deals have no estimate, and say so. Where outcomes were not recorded, raw levels have `bound_low` and
        `bound_high`, and nothing is compared or shrunk.

    Raises
    ------
    InputError
        Where a segment column does not exist.

    Notes
    -----
    Shrinkage takes effective numbers of deals from the clustered standard errors, and at 0 or 1 those behind the limit.
    See `analytics.estimators.shrinkage` and, for the difference, `analytics.estimators.influence.difference`.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": range(20), "account_id": range(20), "entry": -1, "region": ["N", "S"] * 10,
    ...     "opened_on": pd.Timestamp("2025-10-01"), "exit": [10, 20, 5, 91] * 5,
    ...     "outcome": ["won", "lost", "won", "open"] * 5})
    >>> quarter = Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))
    >>> segments(deals, quarter, by=["region"], settled_on=quarter.end, horizon_days=30).frame["estimate"].tolist()
    [1.0, 0.0]
    """
    watched = at_risk_in(deals, quarter, last_day(quarter, settled_on), horizon_days=horizon_days)
    if not len(watched):
        return nobody_at_risk("segments", quarter, settled_on)
    if not by:
        return not_studied("segments", "No segment was named.", "Add segments to the params.")
    tables, notes = [], []
    for column in by:
        age = common_age(counted_levels(watched, column), watched, horizon_days)
        if age < horizon_days:
            notes.append(f"{column}: read at {age} days, as far as the pace of its levels is known.")
        tables.append(_one_segment(watched, column, age, resampling.conf_level))
    unrecorded = unrecorded_outcomes(watched["outcome"])
    columns = [*COLUMNS, *BOUNDS] if unrecorded else COLUMNS
    frame = pd.concat([table.reindex(columns=columns) for table in tables], ignore_index=True)
    notes += [unrecorded] if unrecorded else []
    n_accounts = account_codes(watched["account_id"])[1] if has_accounts(watched) else None
    meta = Meta(
        kind="probability", estimand="share won by the horizon at this quarter's pace, by segment",
        keys=("segment", "level", "kind"), n_deals=len(watched),
        n_accounts=n_accounts, interval="log-log; Beta for shrunken rates",
        variance="by account where known; shrunken: posterior, widened for the fitted spread", note=" ".join(notes),
    )  # fmt: skip
    return with_members(Estimate(frame, meta), lambda row: level_members(watched, row))


def counted_levels(watched: pd.DataFrame, column: str) -> pd.Series:
    """Give the level of each deal, refusing a segment that does not exist."""
    if column not in watched.columns:
        raise InputError(f"the deals have no segment {column!r}", action=nearest(column, watched.columns))
    return level_of(watched, column)


def common_age(levels: pd.Series, watched: pd.DataFrame, horizon_days: int) -> int:
    """Give the one age at which levels are compared: known for all but levels with at most a tenth of the deals.

    Examples
    --------
    >>> deals = pd.DataFrame({"entry": -1, "exit": [30] * 40 + [9] * 6 + [3] * 4, "outcome": "open"})
    >>> common_age(pd.Series(["a"] * 40 + ["b"] * 6 + ["c"] * 4), deals, 20), common_age(pd.Series("a"), deals[:1], 20)
    (9, 20)
    """
    known = [
        (reach(group, horizon_days), len(group))
        for name, group in watched.groupby(levels, sort=True)
        if len(group) >= SMALLEST_CELL and name != NOT_RECORDED
    ]
    spare = 0.1 * sum(size for _, size in known)
    for age, size in sorted(known):
        if size > spare:
            return age
        spare -= size
    return horizon_days


def _one_segment(watched: pd.DataFrame, column: str, age: int, conf_level: float) -> pd.DataFrame:
    levels = counted_levels(watched, column)
    young = within(watched, age)
    overall = at_horizon(young, age).at(outcome="won").iloc[0]
    raw = at_horizon(young, age, (column,)).at(outcome="won").rename(columns={column: "level"})
    raw = raw.merge(effective_deals(counted(young, (column,)), age).rename(columns={column: "level"}), on="level")
    gone = pd.DataFrame({"level": sorted(set(levels) - set(raw["level"])), "n_deals": 0, "n_event": 0, "n_risk": 0})
    gone = gone.assign(horizon_reached=0, note="", n_effective=0.0)
    raw = pd.concat([raw, gone], ignore_index=True) if len(gone) else raw
    raw = raw.assign(segment=column, kind="raw", overall=float(overall["estimate"]))
    # a level read at another age, or a gap in the records, is shown but not compared
    raw["comparable"] = (raw["horizon_reached"] == age) & (raw["level"] != NOT_RECORDED)
    if unrecorded_outcomes(watched["outcome"]):
        raw = raw.assign(comparable=False, **dict.fromkeys(AGAINST.values(), np.nan))
        return _blanked(raw)
    thin = raw["n_effective"] < np.where(raw["estimate"].between(0, 1, "neither"), 1, SMALLEST_CELL)
    raw["note"] = raw["note"].mask(thin & raw["comparable"], _joined(raw["note"], NOT_WATCHED))
    raw["comparable"] &= ~thin
    return _with_shrunken(
        _blanked(raw.merge(_against_the_rest(young, column, age, conf_level), on="level", how="left"))
    )


def _against_the_rest(young: pd.DataFrame, column: str, age: int, conf_level: float) -> pd.DataFrame:
    """Each level's incidence of winning less that of all other levels together, accounts in both counted once."""
    levels, merged = level_of(young, column), with_others_merged(young, "won")
    rows = []
    for level in sorted(set(levels)) if levels.nunique() > 1 else []:
        rest, own = (Pace(merged[side]) for side in (levels != level, levels == level))
        change = incidence_change(rest, own, horizon_days=age, conf_level=conf_level, causes=("won", OTHERWISE))
        rows += [{"level": level, **row} for row in change[change["outcome"] == "won"].to_dict("records")]
    frame = pd.DataFrame(rows, columns=["level", *AGAINST]).rename(columns=AGAINST)
    return frame.astype({"level": object, **dict.fromkeys(AGAINST.values(), float)})


def _blanked(raw: pd.DataFrame) -> pd.DataFrame:
    few = raw["n_deals"] < SMALLEST_CELL
    values = ["estimate", "std_error", "conf_low", "conf_high", *AGAINST.values()]
    values += [name for name in BOUNDS if name in raw]
    raw[values] = raw[values].astype(float).mask(few)
    reason = f"fewer than {SMALLEST_CELL} deals"
    raw["comparable"] &= ~few
    return raw.assign(no_interval_reason=raw["no_interval_reason"].astype(object).mask(few, reason))


def _with_shrunken(raw: pd.DataFrame) -> pd.DataFrame:
    # where it was not recorded deals share no value, and often it is filled only once a deal closes
    missing = raw["level"] == NOT_RECORDED
    raw = raw.assign(note=raw["note"].mask(missing, _joined(raw["note"], UNRECORDED)))
    usable = raw[raw["comparable"]]
    x, n = effective_counts(usable["estimate"], usable["std_error"], usable["n_effective"])
    table, _, status = shrink(x, n) if len(usable) else (pd.DataFrame(), None, "refused")
    if status == "refused":
        note = f"Fewer than {FEWEST_GROUPS} levels: rates are shown as they are, nothing is shrunk."
        return raw.assign(note=_joined(raw["note"], note))
    note = "No spread beyond chance shows: every level gets the common rate." if status == "pooled" else ""
    shrunken = usable.assign(kind="shrunken", **dict.fromkeys(AGAINST.values(), np.nan))
    for name in table.columns:
        shrunken[name] = table[name].to_numpy()
    shrunken = shrunken.assign(note=_joined(shrunken["note"], note), no_interval_reason="")
    return pd.concat([raw, shrunken], ignore_index=True)


def _joined(notes: pd.Series, note: str) -> pd.Series:
    return (notes.fillna("").astype(str) + " " + note).str.strip()


def segment_spread(found: Estimate | Finding) -> Estimate | Finding:
    """Do the levels of each segment differ by more than chance, and by how much at most?

    Parameters
    ----------
    found : Estimate or Finding
        The result of `segments`.

    Returns
    -------
    Estimate or Finding
        Kind test, keys (segment,): `estimate` is the between-level standard deviation with its limits; `statistic`,
        `df`, `p_value`, `p_adjusted` (Benjamini–Hochberg over the segments looked at), `n_levels`, `two_sd_high`
        (twice the upper limit), `verdict`, `sentence`. A Finding where no segment has two levels to compare, or where
        outcomes were not recorded.

    Notes
    -----
    Adjusting over segments keeps the share of false alarms among the segments called different at the level asked for.

    Examples
    --------
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"segment": "region", "level": list("NS"), "kind": "raw", "estimate": [0.3, 0.32],
    ...     "std_error": 0.045, "conf_low": 0.2, "conf_high": 0.4, "n_deals": 100, "comparable": True,
    ...     "n_effective": 100, "horizon_reached": 365, "no_interval_reason": ""})
    >>> meta = Meta("probability", "share won", ("segment", "level", "kind"), 200)
    >>> segment_spread(Estimate(frame, meta)).frame["sentence"].iloc[0][:60]
    'Chance alone could produce this ranking of region: its 2 lev'
    """
    if isinstance(found, Finding):
        return found
    if BOUNDS[0] in found.frame:
        return not_studied("segment_spread", "Whether segments differ cannot be told.", found.meta.note)
    raw = found.frame[(found.frame["kind"] == "raw") & found.frame["comparable"].astype(bool)]
    rows = [
        row
        for name, levels in raw.groupby("segment", sort=False)
        for row in _spread(str(name), levels, _shrunken(found, name))
    ]
    if not rows:
        return not_studied("segment_spread", "No segment has two levels with enough deals to compare.")
    frame = pd.DataFrame(rows)
    frame["p_adjusted"] = benjamini_hochberg(frame["p_value"])
    shown = frame["p_adjusted"] <= 0.05
    frame["verdict"] = np.where(shown, "shown, size unclear", "cannot tell")
    records = zip(frame.to_dict("records"), shown, strict=True)
    frame["sentence"] = [_sentence(row, bool(is_shown)) for row, is_shown in records]
    meta = Meta(
        kind="test", estimand="between-level standard deviation of the share won", keys=("segment",),
        n_deals=found.meta.n_deals, n_accounts=found.meta.n_accounts, interval="Q-profile",
        variance="DerSimonian–Laird on effective numbers of deals", cluster=found.meta.cluster,
    )  # fmt: skip
    frame = frame.drop(columns=["low", "high", "is_shrunken"]).rename(columns={"age": "horizon_reached"})
    members = [deals_of(found, "n_deals", raw.index[raw["segment"] == name]) for name in frame["segment"]]
    tests = Estimate(frame.assign(n_risk=frame["n_deals"], n_event=np.nan), meta)
    return with_deals(tests, n_deals=members, n_risk=members)


def _shrunken(found: Estimate, segment: object) -> pd.Series:
    return found.at(segment=segment, kind="shrunken")["estimate"]


def _spread(name: str, levels: pd.DataFrame, shrunken: pd.Series) -> list[dict[str, Any]]:
    x, n = effective_counts(levels["estimate"], levels["std_error"], levels["n_effective"])
    if len(levels) < 2 or not 0 < x.sum() < n.sum():
        return []
    spread, shown = spread_between(x, n), shrunken if len(shrunken) else levels["estimate"]
    return [{
        "segment": name, "estimate": spread.sd, "std_error": np.nan, "conf_low": spread.sd_low,
        "conf_high": spread.sd_high,
        "statistic": spread.statistic, "df": spread.df, "p_value": spread.p_value, "n_levels": len(levels),
        "two_sd_high": 2 * spread.sd_high, "age": int(levels["horizon_reached"].iloc[0]),
        "n_deals": int(levels["n_deals"].sum()),
        "low": float(shown.min()), "high": float(shown.max()), "is_shrunken": len(shrunken) > 0,
    }]  # fmt: skip


def _sentence(row: Mapping[Any, Any], shown: bool) -> str:
    low, high = percent(row["low"]), percent(row["high"])
    span = f"its {row['n_levels']} levels " + (f"all lie at {low}" if low == high else f"range from {low} to {high}")
    span += f" won within {row['age']} days" + (" once chance is taken out" if row["is_shrunken"] else "")
    most = points(row["two_sd_high"]) if 0 < row["two_sd_high"] <= UNBOUNDED else ""
    if shown:
        limit = f"up to ±{most} at the upper 95 % limit" if most else "how much more cannot be bounded"
        about = f"about ±{points(min(2 * row['estimate'], UNBOUNDED))} points"
        return (
            f"Levels of {row['segment']} differ by more than chance alone: {span}; they differ by {about} "
            f"(two standard deviations; {limit})."
        )
    upper = CLOSER if row["two_sd_high"] == 0 else "how large real differences are cannot be bounded"
    if most:
        upper = f"real differences of up to ±{most} points (two standard deviations, at the upper 95 % limit) are not "
        upper += "ruled out"
    return f"Chance alone could produce this ranking of {row['segment']}: {span}; {upper}. Do not rank."
