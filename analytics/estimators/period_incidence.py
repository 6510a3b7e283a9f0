"""Where deals end up: at this quarter's pace, and for the deals opened in each quarter as far as they were followed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from analytics.estimators.bounds import incidence_bounds
from analytics.estimators.cell_deals import with_watched
from analytics.estimators.counts import RiskTable
from analytics.estimators.decomposition import level_of
from analytics.estimators.incidence import cumulative_incidence, survival
from analytics.estimators.rates import known_accounts
from analytics.estimators.result import Estimate, Finding, Meta
from analytics.estimators.watched import (
    accounts_of,
    at_risk_in,
    counted,
    first_gap,
    has_accounts,
    last_day,
    late_start,
    not_studied,
    reach,
    thin_ages,
    thin_start,
    without_account,
)
from analytics.records.calendar import Quarter
from analytics.records.period import restrict_to_period

PERIOD_ESTIMAND = (
    "share of deals that would end this way by the horizon if they lived their whole life at this quarter's pace "
    "(period incidence)"
)
VALUES = ["estimate", "std_error", "conf_low", "conf_high", "n_risk", "n_event"]


def period_incidence(
    deals: pd.DataFrame, quarter: Quarter, *, settled_on: dt.date, horizon_days: int, by: Sequence[str] = ()
) -> Estimate | Finding:
    """Where would deals end up if they lived their whole life at this quarter's pace?

    Parameters
    ----------
    deals : pandas.DataFrame
        Deals frame, first episodes.
    quarter : Quarter
        Deals at risk in it are left-truncated at its start and censored at its end.
    settled_on : datetime.date
        Outcomes after this day are not yet all recorded; the quarter is cut there.
    horizon_days : int
        Last age, in days after opening.
    by : sequence of str
        Segment columns.

    Returns
    -------
    Estimate or Finding
        Kind incidence, keys (*by, outcome, time), whole days 0 to the horizon as far as anybody was at risk; with
        unknown outcomes also `bound_low`, `bound_high`. A Finding where no deal was at risk.

    Raises
    ------
    InputError
        Where a segment column does not exist.

    Notes
    -----
    Assumes that within the quarter what happens next depends on a deal's age alone; a price change in its middle breaks
    that. Intervals are by account where accounts are known.

    References
    ----------
    Aalen & Johansen 1978, Scand J Stat 5:141; Keiding 1990, Phil Trans R Soc A 332:487 (the period view).

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": list("abc"), "opened_on": pd.to_datetime(["2025-10-01"] * 3), "entry": -1,
    ...                       "exit": [10, 20, 91], "outcome": ["won", "lost", "open"]})
    >>> quarter = Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))
    >>> pace = period_incidence(deals, quarter, settled_on=quarter.end, horizon_days=30)
    >>> pace.at(outcome="won", time=30)["estimate"].round(3).tolist()
    [0.333]
    """
    watched = at_risk_in(deals, quarter, last_day(quarter, settled_on), horizon_days=horizon_days)
    if not len(watched):
        return nobody_at_risk("period_incidence", quarter, settled_on)
    curve = _curve(counted(watched, by), horizon_days).stamped(estimand=PERIOD_ESTIMAND)
    named = watched.assign(**{column: level_of(watched, column) for column in by})
    return with_watched(_until_gap(curve, watched, horizon_days, by), named, by=by)


def period_at_horizon(
    deals: pd.DataFrame, quarter: Quarter, *, settled_on: dt.date, horizon_days: int, by: Sequence[str] = ()
) -> Estimate | Finding:
    """What share of deals would be won, lost, or end in no decision by the horizon, at this quarter's pace?

    Parameters
    ----------
    deals, quarter, settled_on, horizon_days, by
        As for `period_incidence`.

    Returns
    -------
    Estimate or Finding
        Kind probability, keys (*by, outcome); the outcomes and "open" add up to 1 in every segment. `horizon_reached`
        is the age really used: the horizon, or the last age at which five deals were at risk where the pace is not
        known that far. `n_risk` are the deals at risk at that age, `n_deals` and `n_accounts` all that were at risk,
        `n_event` the outcomes seen by
        that age (none for "open", which is no event; `n_unknown` those not recorded); `note` says what rests on few
        deals, `thin_start` whether outcomes at young ages do (the pace is then no headline), `not_recorded` that these
        records cannot show this outcome.

    Raises
    ------
    InputError
        Where a segment column does not exist.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": list("abc"), "opened_on": pd.to_datetime(["2025-10-01"] * 3), "entry": -1,
    ...                       "exit": [10, 20, 91], "outcome": ["won", "lost", "open"]})
    >>> quarter = Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))
    >>> shares = period_at_horizon(deals, quarter, settled_on=quarter.end, horizon_days=30)
    >>> dict(zip(shares.frame["outcome"], shares.frame["estimate"].round(3)))
    {'won': 0.333, 'lost': 0.333, 'no_decision': 0.0, 'open': 0.333}
    """
    watched = at_risk_in(deals, quarter, last_day(quarter, settled_on), horizon_days=horizon_days)
    if not len(watched):
        return nobody_at_risk("period_at_horizon", quarter, settled_on)
    found, why = at_horizon(watched, horizon_days, by), _not_recorded(deals)
    rows = found.frame.assign(not_recorded=(found.frame["outcome"] == "no_decision") & bool(why))
    notes = rows["note"].where(~rows["not_recorded"], (rows["note"] + " " + why).str.strip())
    rows = rows.assign(note=notes)
    if by:
        return Estimate(rows, found.meta)
    if not has_accounts(watched):
        return with_watched(Estimate(rows, found.meta), watched)
    known, without = known_accounts(watched["account_id"]), int(watched["account_id"].isna().sum())
    rows, meta = rows.assign(n_accounts=known, n_without_account=without), replace(found.meta, n_accounts=known)
    return with_watched(Estimate(rows, meta), watched)


def at_horizon(watched: pd.DataFrame, horizon_days: int, by: Sequence[str] = ()) -> Estimate:
    """Read the incidences of deals already watched at the horizon, or as far as their pace is known."""
    risk = counted(watched, by)
    ages = _ages(watched, horizon_days, by)
    times = sorted(set(ages["horizon_reached"]))
    curve = _bounded(risk, times)
    open_ = survival(risk, times=times)
    rows = pd.concat([curve.frame, open_.frame.assign(outcome="open")], ignore_index=True)
    keys = list(by)
    rows = rows.merge(ages, how="inner", left_on=[*keys, "time"], right_on=[*keys, "horizon_reached"])
    rows = rows.assign(n_event=rows["cum_event"].where(rows["outcome"] != "open"), horizon_days=horizon_days)
    rows = rows.merge(risk.sizes(), how="left", on=keys) if keys else rows.merge(risk.sizes(), how="cross")
    order = {name: place for place, name in enumerate((*risk.outcomes, "open"))}
    rows = rows.assign(place=rows["outcome"].map(order)).sort_values([*keys, "place"], kind="stable")
    bounds = [name for name in ("bound_low", "bound_high") if name in rows]
    if bounds:
        rows[bounds] = rows[bounds].apply(lambda column: column.fillna(rows["estimate"]))
        bounds.append("n_unknown")
        rows = rows.rename(columns={"cum_unknown": "n_unknown"})
    columns = [*keys, "outcome", *VALUES, "horizon_days", "horizon_reached", "n_deals", "n_accounts", "note"]
    columns += ["thin_start", *bounds]
    meta = Meta(
        kind="probability", estimand=PERIOD_ESTIMAND, keys=(*keys, "outcome"), n_deals=risk.n_deals,
        n_accounts=risk.n_accounts, interval=curve.meta.interval, variance=curve.meta.variance, cluster=risk.cluster,
        note=curve.meta.note,
    )  # fmt: skip
    return Estimate(rows[[*columns, "no_interval_reason"]], meta)


def opening_cohorts(
    deals: pd.DataFrame, quarters: Sequence[Quarter], *, settled_on: dt.date, horizon_days: int
) -> Estimate | Finding:
    """Where have the deals opened in each quarter ended up, as far as they were followed?

    Parameters
    ----------
    deals : pandas.DataFrame
        Deals frame, first episodes.
    quarters : sequence of Quarter
        One cohort each; a quarter without openings has no rows, and `meta.note` names it.
    settled_on : datetime.date
        Follow-up ends here.
    horizon_days : int
        Last age, in days after opening.

    Returns
    -------
    Estimate or Finding
        Kind incidence, keys (cohort, outcome, time); `mature` where the cohort's last deal could have reached the
        horizon, `followed_days` the age that every deal of the cohort could have reached, `n_deals`, `n_accounts`.

    Notes
    -----
    Beyond `followed_days` the curve rests on the cohort's earlier deals only; nothing is extrapolated past the last of
    them.

    Examples
    --------
    >>> deals = pd.DataFrame({"deal_id": list("abc"), "opened_on": pd.to_datetime(["2025-10-01"] * 3), "entry": -1,
    ...                       "exit": [10, 20, 91], "outcome": ["won", "lost", "open"]})
    >>> quarter = Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))
    >>> cohorts = opening_cohorts(deals, [quarter], settled_on=quarter.end, horizon_days=30)
    >>> cohorts.at(outcome="won", time=30)[["estimate", "mature"]].round(3).values.tolist()
    [[0.333, False]]
    """
    known = restrict_to_period(deals, end=settled_on)
    opened = pd.to_datetime(known["opened_on"])
    cohort = pd.Series(None, index=known.index, dtype=object)
    for quarter in quarters:
        inside = (opened >= pd.Timestamp(quarter.start)) & (opened <= pd.Timestamp(quarter.end))
        cohort = cohort.mask(inside, quarter.name)
    known = known.assign(cohort=cohort)[cohort.notna()]
    if not len(known):
        names = ", ".join(quarter.name for quarter in quarters)
        return not_studied("opening_cohorts", f"No deal was opened in {names or 'any of the quarters'}.")
    risk = counted(known, ("cohort",))
    curve = _curve(risk, horizon_days)
    followed = {q.name: int(np.clip((settled_on - q.end).days, 0, horizon_days)) for q in quarters}
    frame = curve.frame.merge(risk.sizes(), on="cohort", how="left")
    frame["followed_days"] = frame["cohort"].map(followed)
    frame["mature"] = frame["followed_days"] >= horizon_days
    empty = [quarter.name for quarter in quarters if quarter.name not in set(known["cohort"])]
    frame["n_accounts"] = frame["cohort"].map({name: accounts_of(mine) for name, mine in known.groupby("cohort")})
    notes = [curve.meta.note, f"No deal was opened in {', '.join(empty)}." if empty else "", without_account(known)]
    estimand, note = "share of the deals opened in a quarter that ended this way (opening cohort)", " ".join(notes)
    made = curve.stamped(estimand=estimand, note=" ".join(note.split()), n_accounts=accounts_of(known))
    return with_watched(Estimate(frame, made.meta), known, by=("cohort",))


def nobody_at_risk(name: str, quarter: Quarter, settled_on: dt.date) -> Finding:
    """Say that there is no pace to read: no deal was open in the quarter, or nothing of it is settled."""
    if settled_on < quarter.start:
        detail = f"Outcomes are settled up to {settled_on:%-d %B %Y}, before the quarter began: run it again later."
        return not_studied(name, f"Nothing of {quarter.name} is settled yet.", detail)
    return not_studied(name, f"No deal was open in {quarter.name}.", "Check the scope and the quarter.")


def _bounded(risk: RiskTable, times: Sequence[int] | np.ndarray) -> Estimate:
    if "unknown" in risk.outcomes:
        return incidence_bounds(risk, times=times)
    return cumulative_incidence(risk, times=times)


def _curve(risk: RiskTable, horizon_days: int) -> Estimate:
    return _bounded(risk, np.arange(horizon_days + 1))


def _not_recorded(deals: pd.DataFrame) -> str:
    """Say why no decision cannot be counted at all; empty where at least one deal of the whole history ended so."""
    if (deals["outcome"] == "no_decision").any():
        return ""
    if "reason" not in deals or not deals["reason"].notna().any():
        return "The extract records no reasons, so no decision cannot be told from lost."
    return "By the rules no deal of the whole history ended in no decision, so it cannot be told from lost."


def _until_gap(curve: Estimate, watched: pd.DataFrame, horizon_days: int, by: Sequence[str]) -> Estimate:
    """Stop each curve before the first age at which nobody was at risk: a flat line there would be made up."""
    named = watched.assign(**{column: level_of(watched, column) for column in by})
    groups = named.groupby(list(by), sort=True) if by else [((), named)]
    keep = pd.Series(True, index=curve.frame.index)
    for values, group in groups:
        gap = first_gap(group, horizon_days)
        if gap is not None:
            late = curve.frame["time"] >= gap
            for column, value in zip(by, values, strict=True):
                late &= curve.frame[column] == value
            keep &= ~late
    return Estimate(curve.frame[keep].reset_index(drop=True), curve.meta)


def _ages(watched: pd.DataFrame, horizon_days: int, by: Sequence[str]) -> pd.DataFrame:
    """Give the age at which each segment is read, and what to say about it."""
    named = watched.assign(**{column: level_of(watched, column) for column in by})
    groups = named.groupby(list(by), sort=True) if by else [((), named)]
    rows = []
    for values, group in groups:
        age, gap = reach(group, horizon_days), first_gap(group, horizon_days)
        notes = [late_start(group), thin_ages(group, age)]
        if age < horizon_days:
            notes.insert(0, f"The pace is known up to {age} days, not to {horizon_days}.")
        if gap is not None and int(group["exit"].max()) > gap:
            notes.insert(1, f"At age {gap} days nobody was at risk, so it stops before; older deals are left out.")
        thin = thin_start(group, age)
        note = " ".join(text for text in notes if text)
        row = {"horizon_reached": age, "note": note, "thin_start": thin}
        rows.append({**dict(zip(by, values, strict=True)), **row})
    return pd.DataFrame(rows)
