"""Each level against the rest, raw and among deals made alike by weights: what the difference is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.adjusted_incidence import adjusted_incidence, e_value
from analytics.estimators.adjustment import Scheme, balance, balancing_weights, weight_diagnosis
from analytics.estimators.cell_deals import ids_of, with_members
from analytics.estimators.contrasts import benjamini_hochberg, smallest_reliable_change, two_sided_p, verdict
from analytics.estimators.decomposition import NOT_RECORDED, OTHERWISE, Pace, incidence_change
from analytics.estimators.result import Estimate, Finding, Listing, Meta
from analytics.estimators.sentences import count
from analytics.questions.cohorts.alike import Alike, made_alike
from analytics.questions.cohorts.cohort import ACCOUNT, Cohort, in_place
from analytics.questions.cohorts.omnibus import FALSE_DISCOVERIES
from analytics.questions.cohorts.splitting import OWNER
from analytics.records.errors import InputError

JUDGED: Scheme = "overlap"
SCHEMES: tuple[Scheme, ...] = ("overlap", "inverse_probability")
EXPOSED = "exposed"
FEWEST_EVENTS = 5
BALANCED = 0.1
TOO_FEW = f"fewer than {FEWEST_EVENTS} such deals on one side: too few to tell"
NO_ADJUSTING = "there is nothing else to make deals alike in"


@dataclass(frozen=True, eq=False)
class Contrasts:
    """The differences, and how alike the deals were before and after weighting; a Finding in the place of either."""

    differences: Estimate | Finding
    balance: Listing | Finding


def contrasts(
    cohort: Cohort | Finding, family: Estimate | Finding, *, margins: Mapping[str, float], outcome: str = "won"
) -> Contrasts:
    """By how much does each level differ from the rest, among deals that are alike in everything else recorded?

    Parameters
    ----------
    cohort : Cohort or Finding
        From `opening_cohort`. Owners are not compared one by one.
    family : Estimate or Finding
        From `omnibus`: only levels of segments that were shown to differ can be shown to differ themselves.
    margins : mapping of str to float
        Practical difference of each outcome, set before looking.
    outcome : str
        "won", "lost" or "no_decision".

    Returns
    -------
    Contrasts
        `differences`: kind contrast, keys (segment, level, kind), level less the rest: "raw"; "overlap" (deals that
        could well have been of either, the one that is judged); "inverse_probability" (all deals). `share_level`,
        `share_rest`, `ratio`, `ratio_low`, `ratio_high`, `e_value`, `e_value_limit`, `p_value` (by the t of the limits,
        with `df`, where accounts are known), `p_adjusted`, `margin`,
        `smallest_reliable_change`, `verdict`, `alike_in`, `note`. `balance`: per contrast and covariate the
        standardised mean differences before (`smd_before`) and after weighting.

    Raises
    ------
    InputError
        Where a practical difference is missing.

    Notes
    -----
    A difference among deals alike in what is recorded is an association: what is not recorded can differ still, and the
    E-value says how strongly it would have to. Within the R of m segments that the omnibus test rejects, levels are
    tested by Benjamini-Hochberg at q R / m (Benjamini & Bogomolov 2014, JRSS B 76:297). See
    `analytics.estimators.adjusted_incidence`.

    Examples
    --------
    >>> nothing = Finding("cohort", "No deal.", "", "not studied")
    >>> contrasts(nothing, nothing, margins={"won": 0.03}).balance.name
    'balance'
    """
    if isinstance(cohort, Finding):
        return Contrasts(in_place("contrasts", cohort), in_place("balance", cohort))
    if outcome not in margins:
        raise InputError(f"no practical difference is set for {outcome}", action="Add it to practical_differences")
    alike, rows, tables = made_alike(cohort, outcome=outcome), [], []
    for segment in alike.columns:
        for level in _compared(alike, segment):
            found, table = _one(cohort, alike, segment, level)
            rows += found
            tables += table
    if not rows:
        said = Finding("contrasts", "No two levels have enough deals to compare one by one.", "", "cannot tell")
        return Contrasts(said, in_place("balance", said))
    frame = _judged(pd.DataFrame(rows), family, float(margins[outcome]))
    differences = with_members(Estimate(frame, _meta(cohort, alike)), lambda row: _members(alike, row))
    if not tables:
        said = Finding("balance", f"No deals are made alike: {NO_ADJUSTING}.", "", "not studied")
        return Contrasts(differences, said)
    title = "How far apart deals of a level and the rest are, in standard deviations, before and after weighting; "
    title += f"{len(alike.deals):,} {cohort.words}"
    listing = Listing(pd.concat(tables, ignore_index=True), title)
    return Contrasts(differences, with_members(listing, lambda row: _members(alike, row)))


def _members(alike: Alike, row: dict[str, Any]) -> dict[str, list[object]]:
    """Name the deals of a level and the rest, and those of either that had the outcome."""
    own, had = alike.deals[alike.columns[row["segment"]]] == row["level"], alike.deals["outcome"] == alike.outcome
    sides = {"n_deals": own, "deals": own, "n_rest": ~own, "n_event": own & had, "n_event_rest": ~own & had}
    return {name: ids_of(alike.deals[mine]) for name, mine in sides.items()}


def _compared(alike: Alike, segment: str) -> list[str]:
    """Levels that are held against the rest; of two levels one, since the other says the same."""
    if segment == OWNER:
        return []
    sizes = alike.deals[alike.columns[segment]].value_counts()
    levels = [str(level) for level in sorted(sizes.index) if level != NOT_RECORDED]
    return levels[:1] if len(sizes) == 2 else levels if len(sizes) > 2 else []


def _one(cohort: Cohort, alike: Alike, segment: str, level: str) -> tuple[list[dict[str, Any]], list[pd.DataFrame]]:
    exposed = alike.deals[alike.columns[segment]] == level
    # the weights' estimator has places for three outcomes; the others together take one of them
    place = {alike.outcome: "won", OTHERWISE: "lost"}
    deals = alike.deals.assign(exposed=exposed.astype(int), outcome=alike.deals["outcome"].replace(place))
    sizes = {
        "segment": segment, "level": level, "n_deals": int(exposed.sum()), "n_rest": int((~exposed).sum()),
        "n_event": int((deals["outcome"] == "won")[exposed].sum()),
        "n_event_rest": int((deals["outcome"] == "won")[~exposed].sum()), "alike_in": alike.covariates(segment),
    }  # fmt: skip
    rows, tables = [{**sizes, **_raw(cohort, deals, exposed)}], pd.DataFrame()
    formula = alike.formula(segment)
    for scheme in SCHEMES if formula else ():
        try:
            rows.append({**sizes, **_weighted(cohort, deals, formula, scheme)})
            weighted = balancing_weights(deals, EXPOSED, formula, scheme=scheme)
        except InputError as refusal:
            rows.append({**sizes, **_absent(scheme, str(refusal))})
            continue
        table = balance(weighted).frame.rename(columns={"smd_after": f"smd_{scheme}"})
        tables = table if tables.empty else tables.assign(**{f"smd_{scheme}": table[f"smd_{scheme}"]})
    if tables.empty:
        return rows, []
    words = [alike.term_words(term) for term in tables["term"]]
    return rows, [tables.assign(segment=segment, level=level, term=words, deals=int(exposed.sum()))]


def _raw(cohort: Cohort, deals: pd.DataFrame, exposed: pd.Series[bool]) -> dict[str, Any]:
    named = deals.rename(columns={ACCOUNT: "account_id"}) if cohort.clustered else deals
    change = incidence_change(
        Pace(named[~exposed]), Pace(named[exposed]), horizon_days=cohort.age, causes=("won", "lost")
    )
    row = change[change["outcome"] == "won"].iloc[0]
    values = {name: row[name] for name in ("estimate", "std_error", "conf_low", "conf_high", "no_interval_reason")}
    shares = {"share_level": row["estimate_now"], "share_rest": row["estimate_then"]}
    return {"kind": "raw", **values, **shares, "p_value": row["p_value"], "note": ""}


def _weighted(cohort: Cohort, deals: pd.DataFrame, formula: str, scheme: Scheme) -> dict[str, Any]:
    cluster = ACCOUNT if cohort.clustered else None
    _, found = adjusted_incidence(deals, EXPOSED, formula, times=[cohort.age], scheme=scheme, cluster=cluster)
    won = found.at(outcome="won").set_index("contrast")
    if "difference" not in won.index:
        return _absent(scheme, "one side is not followed to this age")
    row: dict[Any, Any] = won.loc["difference"].to_dict()
    values: dict[str, Any] = {
        "kind": scheme, **{n: row[n] for n in ("estimate", "std_error", "conf_low", "conf_high", "no_interval_reason")},
        "share_level": row["estimate_now"], "share_rest": row["estimate_then"],
        "df": row["df"], "p_value": two_sided_p(float(row["estimate"]), float(row["std_error"]), _degrees(row["df"])),
    }  # fmt: skip
    weights = weight_diagnosis(balancing_weights(deals, EXPOSED, formula, scheme=scheme)).frame.set_index(EXPOSED)
    rare, most = int(weights["rare_deals"].sum()), float(weights["greatest_share"].max())
    values["effective_deals"] = float(weights["effective_deals"][True])
    heavy = f"One deal carries {most:.0%} of the weight of its side. " if most > BALANCED else ""
    sure = f"{count(rare, 'deal')} had a chance below 5 % of being on their side." if rare and scheme != JUDGED else ""
    return {**values, "note": f"{heavy}{sure}".strip(), **_ratio(won)}


def _degrees(df: float) -> float:
    """Give the degrees of freedom of t, without end where limits are normal."""
    return float("inf") if pd.isna(df) else float(df)


def _ratio(won: pd.DataFrame) -> dict[str, float]:
    if "ratio" not in won.index:
        return {}
    row: dict[Any, Any] = won.loc["ratio"].to_dict()
    ratio, low, high = (float(row[name]) for name in ("estimate", "conf_low", "conf_high"))
    if not np.isfinite([ratio, low, high]).all():
        return {}
    point, limit = e_value(ratio, low, high)
    return {"ratio": ratio, "ratio_low": low, "ratio_high": high, "e_value": point, "e_value_limit": limit}


def _absent(kind: str, reason: str) -> dict[str, Any]:
    nothing = dict.fromkeys(("estimate", "std_error", "conf_low", "conf_high", "p_value"), np.nan)
    return {"kind": kind, **nothing, "no_interval_reason": reason, "note": ""}


def _judged(frame: pd.DataFrame, family: Estimate | Finding, margin: float) -> pd.DataFrame:
    numbers = ("share_level", "share_rest", "effective_deals", "ratio", "ratio_low", "ratio_high", "e_value",
               "e_value_limit", "df")  # fmt: skip
    frame = frame.assign(**{name: frame.get(name, np.nan) for name in numbers}, margin=margin)
    few = (frame[["n_event", "n_event_rest"]].min(axis=1) < FEWEST_EVENTS).to_numpy()
    tests = family.frame if isinstance(family, Estimate) else pd.DataFrame(columns=["segment", "shown"])
    shown = tests.loc[tests["shown"].astype(bool), "segment"].tolist()
    inner = FALSE_DISCOVERIES * len(shown) / max(len(tests), 1)
    frame["p_adjusted"] = np.nan
    for _, rows in frame.groupby(["segment", "kind"], sort=False):
        # with few deals a level counts as looked at, and cannot be found
        frame.loc[rows.index, "p_adjusted"] = benjamini_hochberg(rows["p_value"].mask(few[rows.index], 1.0))
    values = frame[["estimate", "std_error", "conf_low", "conf_high", "margin"]].to_numpy(dtype=float)
    degrees = [None if pd.isna(df) else float(df) for df in frame["df"]]
    judged = [verdict(*row, df=df) for row, df in zip(values, degrees, strict=True)]
    said = pd.Series(judged, index=frame.index, dtype=object)
    chance = said.str.startswith("shown") & ~(frame["segment"].isin(shown) & (frame["p_adjusted"] <= inner))
    frame["verdict"] = said.mask(chance | few, "cannot tell")
    frame["note"] = frame["note"].mask(few, TOO_FEW)
    frame["smallest_reliable_change"] = [
        smallest_reliable_change(error, margin) for error in frame["std_error"].astype(float)
    ]
    return frame


def _meta(cohort: Cohort, alike: Alike) -> Meta:
    left = f" {alike.left_out:,} deals of thin levels are left out." if alike.left_out else ""
    return Meta(
        kind="contrast", keys=("segment", "level", "kind"), n_deals=len(alike.deals), n_accounts=cohort.n_accounts,
        estimand=f"difference between a level and the rest in the share {alike.outcome.replace('_', ' ')} within "
        f"{cohort.age} days; {cohort.words}", interval="plain", variance="influence functions with the weight model",
        cluster="account_id" if cohort.clustered else None,
        note=f"Deals are made alike in {alike.covariates()}, each without the segment compared.{left}",
    )  # fmt: skip
