"""Shares by the horizon: raw, standardised to one mix of deals (g-computation), and shrunken towards their mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.estimators.cell_deals import ids_of, with_deals
from analytics.estimators.decomposition import NOT_RECORDED, OTHERWISE
from analytics.estimators.hazards.models import HazardModel, cause_specific_cox
from analytics.estimators.hazards.prediction import standardised_incidence
from analytics.estimators.incidence import cumulative_incidence
from analytics.estimators.result import Estimate, Finding, Meta
from analytics.estimators.shrinkage import FEWEST_GROUPS, shrink
from analytics.estimators.spread import effective_counts, effective_deals
from analytics.estimators.watched import SMALLEST_CELL
from analytics.questions.cohorts.alike import Alike, made_alike
from analytics.questions.cohorts.cohort import ACCOUNT, Cohort, followed_to, in_place, levels_of
from analytics.questions.cohorts.splitting import OWNER, words_of
from analytics.records.errors import InputError

MOST_OWNERS = 40
FEW = f"fewer than {SMALLEST_CELL} deals"
NOT_FOLLOWED = "not followed to this age"
GAP = "Often a field is filled only when a deal closes: read this level as a gap in the records."
COLUMNS = [
    "segment", "level", "kind", "estimate", "std_error", "conf_low", "conf_high", "n_deals", "n_event",
    "effective_deals", "comparable", "overall", "note", "no_interval_reason",
]  # fmt: skip
INTERVAL = ["estimate", "std_error", "conf_low", "conf_high"]


def rates(cohort: Cohort | Finding, *, outcome: str = "won") -> Estimate | Finding:
    """What share of each segment's deals ends so: as it is, with all segments given the same mix, without chance?

    Parameters
    ----------
    cohort : Cohort or Finding
        From `opening_cohort`.
    outcome : str
        "won", "lost" or "no_decision".

    Returns
    -------
    Estimate or Finding
        Kind probability, keys (segment, level, kind). "raw": the level's own incidence at the cohort's age.
        "standardised": what it would be if all deals of the cohort had this level, all else as it is (g-computation
        over cause-specific Cox models with every other segment and the time of opening). "shrunken": moved towards the
        mean of the levels as far as chance could have moved it; absent with fewer than five levels. `overall`,
        `n_deals`, `n_event`, `effective_deals` (what the interval is worth), `comparable`.

    Notes
    -----
    Standardising takes out what another mix of the other segments does; what is not among the columns it cannot take
    out. It rests on proportional hazards, and every level must occur with every kind of deal. Levels with fewer than
    five deals of an outcome are not standardised. References: `standardised_incidence`, `shrink`.

    Examples
    --------
    >>> rates(Finding("cohort", "No deal.", "", "not studied")).verdict
    'not studied'
    """
    if isinstance(cohort, Finding):
        return in_place("rates", cohort)
    overall = _curve(cohort, outcome, ())["estimate"].iloc[0]
    raw = {name: raw_shares(cohort, name, outcome) for name in cohort.by}
    found, notes = standardised(cohort, outcome)
    tables = []
    for name, own in raw.items():
        other = found.get(name, pd.DataFrame(columns=["level", *INTERVAL]))
        beside = other.merge(own.drop(columns=[*INTERVAL, "kind", "no_interval_reason", "note"]), on="level")
        beside = beside.assign(kind="standardised", note="", no_interval_reason="")
        tables += [own, beside, _shrunken(own)]
    frame = pd.concat([table.reindex(columns=COLUMNS) for table in tables if len(table)], ignore_index=True)
    frame["overall"] = float(overall)
    words = outcome.replace("_", " ")
    meta = Meta(
        kind="probability", keys=("segment", "level", "kind"), n_deals=len(cohort.deals), n_accounts=cohort.n_accounts,
        estimand=f"share of deals {words} within {cohort.age} days; {cohort.words}",
        interval="log-log; Beta for shrunken shares", variance="by account where known", note=" ".join(notes),
        cluster="account_id" if cohort.clustered else None,
    )  # fmt: skip
    estimate = Estimate(frame.assign(segment=frame["segment"].astype(object)), meta)
    return with_deals(estimate, **_members(cohort, frame, outcome))


def _members(cohort: Cohort, frame: pd.DataFrame, outcome: str) -> dict[str, list[list[object]]]:
    """Name the deals of each row's level, and those of them that ended so."""
    every = {name: cohort.deals.groupby(levels_of(cohort, name)).groups for name in cohort.by}
    mine = [cohort.deals.loc[every[name][level]] for name, level in zip(frame["segment"], frame["level"], strict=True)]
    return {
        "n_deals": [ids_of(deals) for deals in mine],
        "n_event": [ids_of(deals[deals["outcome"] == outcome]) for deals in mine],
    }


def _curve(cohort: Cohort, outcome: str, by: tuple[str, ...]) -> pd.DataFrame:
    return cumulative_incidence(cohort.counted(by), times=[cohort.age]).at(outcome=outcome)


def raw_shares(cohort: Cohort, segment: str, outcome: str) -> pd.DataFrame:
    """Give each level's own incidence at the cohort's age, with what it is worth and whether it can be compared."""
    levels = levels_of(cohort, segment)
    named = Cohort(**{**cohort.__dict__, "deals": cohort.deals.assign(**{segment: levels})})
    deals = named.deals
    sizes = deals.groupby(segment, sort=True).agg(n_deals=("exit", "size"))
    sizes["n_event"] = (deals["outcome"] == outcome).groupby(deals[segment]).sum().astype(int)
    sizes["reach"] = [followed_to(group, cohort.age) for _, group in deals.groupby(segment, sort=True)]
    curve = _curve(named, outcome, (segment,)).set_index(segment)[[*INTERVAL, "no_interval_reason"]]
    worth = (
        effective_deals(named.counted((segment,)), cohort.age)
        .set_index(segment)["n_effective"]
        .rename("effective_deals")
    )
    frame = sizes.join(curve).join(worth).reset_index(names="level")
    few, short = frame["n_deals"] < SMALLEST_CELL, (frame["reach"] < cohort.age) | frame["estimate"].isna()
    reason = frame["no_interval_reason"].astype(object).fillna("").mask(short, NOT_FOLLOWED).mask(few, FEW)
    frame[INTERVAL] = frame[INTERVAL].astype(float).mask(few | short)
    gap = frame["level"] == NOT_RECORDED
    thin = frame["effective_deals"].fillna(0) < np.where(frame["estimate"].between(0, 1, "neither"), 1, SMALLEST_CELL)
    return frame.assign(
        segment=segment, kind="raw", no_interval_reason=reason, comparable=~(few | short | gap | thin),
        note=np.where(gap, GAP, ""),
    )  # fmt: skip


def _shrunken(raw: pd.DataFrame) -> pd.DataFrame:
    usable = raw[raw["comparable"]]
    if len(usable) < FEWEST_GROUPS:
        return usable.iloc[:0]
    x, n = effective_counts(usable["estimate"], usable["std_error"], usable["effective_deals"])
    table, _, status = shrink(x, n)
    note = "No spread beyond chance shows: every level gets the common share." if status == "pooled" else ""
    values = {name: table[name].to_numpy() for name in INTERVAL}
    return usable.assign(kind="shrunken", note=note, no_interval_reason="", **values)


@dataclass(frozen=True)
class _Fit:
    alike: Alike
    models: Mapping[str, HazardModel]


def standardised(cohort: Cohort, outcome: str) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Give the standardised shares of each segment's levels, and what has to be said of them.

    Returns
    -------
    (dict of frame, list of str)
        Segment -> level, estimate, std_error, conf_low, conf_high. A segment without a frame has a note that says why.
    """
    found, notes = {}, []
    joint: _Fit | None = None
    for name in cohort.by:
        if name == OWNER and cohort.deals[OWNER].nunique() > MOST_OWNERS:
            notes.append(f"Shares of more than {MOST_OWNERS} owners are not standardised.")
            continue
        try:
            usable = joint is not None and f"C({joint.alike.columns.get(name)})" in joint.alike.terms
            fit = joint if usable and joint is not None else _fitted(cohort, name, outcome)
            joint = fit if joint is None and name != OWNER else joint
            found[name] = _averaged(fit, name, cohort.age)
        except InputError as refusal:
            notes.append(f"{words_of(name)}: not standardised: {refusal}")
            continue
        if fit.alike.left_out:
            notes.append(f"{words_of(name)}: {fit.alike.left_out:,} deals of thin levels are left out of the models.")
    return found, list(dict.fromkeys(notes))


def _fitted(cohort: Cohort, segment: str, outcome: str) -> _Fit:
    alike = made_alike(cohort, outcome=outcome, first=[segment])
    if f"C({alike.columns[segment]})" not in alike.terms:
        raise InputError("fewer than two levels have enough deals of each outcome")
    cluster = ACCOUNT if cohort.clustered else None
    models = {
        name: cause_specific_cox(alike.deals, alike.formula(), outcome=name, cluster=cluster)
        for name in (outcome, OTHERWISE)
    }
    return _Fit(alike, models)


def _averaged(fit: _Fit, segment: str, age: int) -> pd.DataFrame:
    column, levels = fit.alike.columns[segment], sorted(fit.alike.deals[fit.alike.columns[segment]].unique())
    levels = [level for level in levels if level != NOT_RECORDED]
    shares, _ = standardised_incidence(fit.models, fit.alike.deals, exposure=column, levels=levels, times=[age])
    own = shares.at(outcome=fit.alike.outcome)
    return own.rename(columns={column: "level"})[["level", *INTERVAL]]
