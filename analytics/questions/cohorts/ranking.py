"""Could chance alone produce a ranking? Closed-deal shares of many groups in a funnel, and the overdispersion test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.cell_deals import deals_of, ids_of, with_deals, with_members
from analytics.estimators.contrasts import benjamini_hochberg
from analytics.estimators.decomposition import NOT_RECORDED
from analytics.estimators.proportions import funnel_limits
from analytics.estimators.rates import clustered_proportion
from analytics.estimators.result import Estimate, Finding, Meta
from analytics.estimators.sentences import in_points, percent, points
from analytics.estimators.spread import CLOSER, Spread, effective_counts, spread_between
from analytics.estimators.watched import OUTCOMES, SMALLEST_CELL
from analytics.questions.cohorts.cohort import Cohort, in_place
from analytics.questions.cohorts.splitting import OWNER, words_of

SHOWN_AT = 0.05
UNBOUNDED = 0.5
FEW = f"fewer than {SMALLEST_CELL} closed deals"
FUNNEL = ["low_95", "high_95", "low_99.8", "high_99.8", "outside"]


def closed_shares(cohort: Cohort | Finding) -> Estimate | Finding:
    """What share of each group's closed deals was won, and does it lie outside of what chance makes of one rate?

    Parameters
    ----------
    cohort : Cohort or Finding
        From `opening_cohort`.

    Returns
    -------
    Estimate or Finding
        Kind probability, keys (segment, level): won of closed deals, limits by account; `n_event` (won), `n_deals`
        (closed), `overall`, the funnel at the group's size (`low_95` … `high_99.8`) and `outside` (the widest funnel
        that the group lies outside of). Groups with fewer than five closed deals, and deals of which the level was not
        recorded, have no funnel (`comparable` False).

    Notes
    -----
    Shares of closed deals only: who closes is itself an outcome, and young deals that were won fast weigh more. It is
    the number that rankings are made of, so it is the one that is tested here; `rates` has the one to quote.

    Examples
    --------
    >>> closed_shares(Finding("cohort", "No deal.", "", "not studied")).name
    'closed_shares'
    """
    if isinstance(cohort, Finding):
        return in_place("closed_shares", cohort)
    closed = cohort.deals[cohort.deals["outcome"].isin(OUTCOMES)]
    tables = [_shares(closed, name, cohort.clustered) for name in cohort.by]
    tables = [table for table in tables if len(table)]
    if not tables:
        return Finding("closed_shares", "No deal of the cohort has closed, so nothing is ranked.", "", "cannot tell")
    meta = Meta(
        kind="probability", keys=("segment", "level"), n_deals=len(closed), n_accounts=cohort.n_accounts,
        estimand=f"won deals as a share of closed deals, by segment; {cohort.words}", interval="Wilson",
        variance="by account where known", cluster="account_id" if cohort.clustered else None,
    )  # fmt: skip
    shares = Estimate(pd.concat(tables, ignore_index=True), meta)
    return with_members(shares, lambda row: _members(closed, row))


def _members(closed: pd.DataFrame, row: dict[str, Any]) -> dict[str, list[object]]:
    """Name the closed deals of a level, and those of them that were won."""
    mine = closed[closed[row["segment"]].astype(str) == row["level"]]
    return {"n_deals": ids_of(mine), "n_event": ids_of(mine[mine["outcome"] == "won"])}


def _shares(closed: pd.DataFrame, segment: str, clustered: bool) -> pd.DataFrame:
    rows = []
    for level, deals in closed.groupby(segment, sort=True):
        won = (deals["outcome"] == "won").to_numpy(dtype=float)
        share = clustered_proportion(won, cluster=deals["account_id"] if clustered else None)
        rows.append({
            "segment": segment, "level": str(level), "estimate": share.estimate, "std_error": share.std_error,
            "conf_low": share.conf_low, "conf_high": share.conf_high, "n_event": int(won.sum()), "n_deals": len(deals),
            "comparable": len(deals) >= SMALLEST_CELL and level != NOT_RECORDED, "no_interval_reason": "",
        })  # fmt: skip
    frame = pd.DataFrame(rows)
    if frame.empty:
        return frame
    few = frame["n_deals"] < SMALLEST_CELL
    blank = ["estimate", "std_error", "conf_low", "conf_high"]
    frame[blank] = frame[blank].mask(few)
    frame["no_interval_reason"] = frame["no_interval_reason"].mask(few, FEW)
    return _with_funnel(frame)


def _with_funnel(frame: pd.DataFrame) -> pd.DataFrame:
    usable = frame.loc[frame["comparable"], ["n_event", "n_deals"]]
    overall = float(usable["n_event"].sum() / usable["n_deals"].sum()) if len(usable) else np.nan
    frame = frame.assign(overall=overall, **dict.fromkeys(FUNNEL, np.nan))
    if len(usable) > 1 and 0 < overall < 1:
        funnel = funnel_limits(usable["n_event"].to_numpy(), usable["n_deals"].to_numpy()).frame
        frame.loc[usable.index, FUNNEL] = funnel[FUNNEL].to_numpy(dtype=float)
    return frame


def overdispersion(shares: Estimate | Finding) -> Estimate | Finding:
    """Do the groups of each segment differ by more than chance; and if not, how large differences are not ruled out?

    Parameters
    ----------
    shares : Estimate or Finding
        From `closed_shares`.

    Returns
    -------
    Estimate or Finding
        Kind test, keys (segment,): `estimate` is the between-group standard deviation with its limits; `statistic`
        (Pearson's chi-squared), `df`, `p_value` (the larger of that with deals taken as independent and that by
        account, which `by_account` tells), `p_adjusted` (Benjamini-Hochberg over the segments), `n_levels`,
        `share_lowest`, `share_highest`, `two_sd_high` (twice the upper limit: differences that are not ruled out; empty
        where they cannot be bounded), `verdict`, `sentence`.

    Notes
    -----
    To be read before any ranking: groups of one common rate still come out in an order. See
    `analytics.estimators.spread.spread_between`.

    Examples
    --------
    >>> frame = pd.DataFrame({"segment": "owner_id", "level": list("ab"), "estimate": [0.5, 0.6], "std_error": 0.05,
    ...     "conf_low": 0.4, "conf_high": 0.7, "n_event": [50, 60], "n_deals": 100, "comparable": True})
    >>> found = overdispersion(Estimate(frame, Meta("probability", "won of closed", ("segment", "level"), 200)))
    >>> found.frame["sentence"].iloc[0][:64]
    'Chance alone could produce this ranking by owner: 2 owners range'
    """
    if isinstance(shares, Finding):
        return in_place("overdispersion", shares)
    frame = shares.frame[shares.frame["comparable"].astype(bool) & shares.frame["estimate"].notna()]
    rows = [row for name, levels in frame.groupby("segment", sort=False) for row in _test(str(name), levels)]
    if not rows:
        said = "No segment has two levels with enough closed deals to compare."
        return Finding("overdispersion", said, "", "cannot tell")
    tests = pd.DataFrame(rows)
    tests["p_adjusted"] = benjamini_hochberg(tests["p_value"])
    shown = tests["p_adjusted"] <= SHOWN_AT
    tests["verdict"] = np.where(shown, "shown, size unclear", "cannot tell")
    tests["sentence"] = [_sentence(row, bool(s)) for row, s in zip(tests.to_dict("records"), shown, strict=True)]
    meta = Meta(
        kind="test", estimand="standard deviation between groups of the won share of closed deals", keys=("segment",),
        n_deals=shares.meta.n_deals, n_accounts=shares.meta.n_accounts, interval="Q-profile",
        variance="DerSimonian-Laird", note=f"Declared family: {len(tests)} segments.",
    )  # fmt: skip
    members = [deals_of(shares, "n_deals", frame.index[frame["segment"] == name]) for name in tests["segment"]]
    found = Estimate(tests.assign(n_event=np.nan, n_risk=tests["n_deals"]), meta)
    return with_deals(found, n_deals=members, n_risk=members)


def _test(segment: str, levels: pd.DataFrame) -> list[dict[str, Any]]:
    x, n = (levels[name].to_numpy(dtype=float) for name in ("n_event", "n_deals"))
    if len(levels) < 2 or not 0 < x.sum() < n.sum():
        return []
    found = spread_between(x, n)
    clustered = _by_account(levels, n)
    p = found.p_value if clustered is None else max(found.p_value, clustered.p_value)
    return [{
        "segment": segment, "estimate": found.sd, "std_error": np.nan, "conf_low": found.sd_low,
        "conf_high": found.sd_high, "statistic": found.statistic, "df": found.df, "p_value": p,
        "n_levels": len(levels), "share_lowest": float(levels["estimate"].min()),
        "share_highest": float(levels["estimate"].max()),
        "two_sd_high": 2 * found.sd_high if 2 * found.sd_high <= UNBOUNDED else np.nan, "n_deals": int(n.sum()),
        "by_account": clustered is not None and clustered.p_value > found.p_value, "no_interval_reason": "",
    }]  # fmt: skip


def _by_account(levels: pd.DataFrame, n: np.ndarray[Any, Any]) -> Spread | None:
    x, effective = effective_counts(levels["estimate"], levels["std_error"], n)
    return spread_between(x, effective) if 0 < x.sum() < effective.sum() else None


def _sentence(row: Mapping[Any, Any], shown: bool) -> str:
    low, high = percent(row["share_lowest"]), percent(row["share_highest"])
    levels = f"its {row['n_levels']} levels" if row["segment"] != OWNER else f"{row['n_levels']} owners"
    where = f"range from {low} to {high}" if low != high else f"all lie at {low}"
    span = f"{levels} {where} won of closed deals"
    digits = 3 if row["p_value"] < 0.1 else 2
    p = "p < 0.001" if row["p_value"] < 0.001 else f"p = {row['p_value']:.{digits}f}"
    p += ", deals of one account taken together" if row["by_account"] else ""
    test = f"chi-squared {row['statistic']:.1f} on {row['df']} degrees of freedom, {p}"
    most = points(row["two_sd_high"]) if np.isfinite(row["two_sd_high"]) else ""
    name = words_of(str(row["segment"]))
    if shown:
        limit = f"up to ±{in_points(row['two_sd_high'])} at the upper 95 % limit" if most else "with no upper bound"
        about = in_points(min(2 * row["estimate"], UNBOUNDED))
        return (
            f"Levels of {name} differ by more than chance alone: {span} ({test}); they differ by about ±{about} "
            f"(two standard deviations; {limit})."
        )
    upper = f"real differences of about ±{in_points(row['two_sd_high'])} (two standard deviations, upper 95 % limit) "
    unknown = CLOSER if row["two_sd_high"] == 0 else "how large real differences are cannot be bounded"
    upper = f"{upper}are not ruled out" if row["two_sd_high"] > 0 else unknown
    return f"Chance alone could produce this ranking by {name}: {span} ({test}); {upper}. Do not rank."
