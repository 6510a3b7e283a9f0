"""Figures of quarters as published and as known now, and by how much they differ: all of it from saved Estimates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.contrasts import mover_difference, p_from_limits
from analytics.estimators.rates import Interval
from analytics.estimators.result import Estimate, EstimateKind, Listing, Meta
from analytics.questions.quarter.change import judged
from analytics.studies.changed_definitions import changes, stopped_by
from analytics.studies.saved_runs import PublishedQuarter, SavedRun

PUBLISHED, KNOWN_NOW = "as published", "as known now"
OUTCOMES = ("won", "lost", "no_decision")
ASSUMPTION = (
    "from the saved limits of both quarters, as if they were independent (MOVER): a deal open in both counts with "
    "other days in each; accounts with deals in both, whose deals go the same way, would make the interval narrower"
)
NEWEST = "The number of deals is the newest quarter's; the table has each one's."
COPIED = ("estimate", "std_error", "conf_low", "conf_high", "n_risk", "n_event", "n_deals", "n_accounts")


@dataclass(frozen=True)
class View:
    """One quarter's shares as one run saved them."""

    period: str
    view: str
    run: SavedRun
    rows: pd.DataFrame
    followed_to: dt.date


def as_published(quarter: PublishedQuarter) -> View | None:
    """Read a quarter's shares as they were first published; None where its study had no pace to read."""
    return _own(quarter.name, PUBLISHED, quarter.first)


def as_known_now(period: str, quarters: Sequence[PublishedQuarter]) -> View | None:
    """Read a quarter's shares from the published run that knows most: the one with the latest as-of date.

    That is a later run of the quarter itself, or a later quarter's run, which looks at earlier quarters again.
    """
    found = []
    for quarter in quarters:
        for run in quarter.runs:
            one = _own(period, KNOWN_NOW, run) if quarter.name == period else _seen_again(period, run)
            if one is not None:
                found.append((run.as_of, quarter.name == period, one))
    return max(found, key=lambda item: item[:2])[2] if found else None


def restated_periods(quarters: Sequence[PublishedQuarter]) -> tuple[str, ...]:
    """Name the quarters that any published run has shares of, oldest first."""
    named: dict[str, str] = {}
    for quarter in quarters:
        named[quarter.name] = quarter.first.start.isoformat()
        for run in quarter.runs:
            again = run.result("restated_quarters")
            if again is not None:
                rows = again.frame.drop_duplicates("period")
                for name, end in zip(rows["period"], rows["followed_to"], strict=True):
                    named.setdefault(str(name), str(end))
    return tuple(sorted(named, key=lambda name: named[name]))


def shares(views: Sequence[View], newest: SavedRun) -> Estimate:
    """Lay views side by side: kind probability, keys (period, view, outcome).

    Beside the saved columns: `as_of`, `followed_to`, and `definitions`, which says where the run that saved a row
    counted by other definitions than the newest one.
    """
    frames = []
    for view in views:
        frame = view.rows.assign(
            period=view.period, view=view.view, as_of=view.run.as_of.isoformat(),
            followed_to=view.followed_to.isoformat(), definitions=stopped_by(changes(view.run, newest)),
        )  # fmt: skip
        frames.append(frame)
    kept = ["period", "view", "outcome", *COPIED, "horizon_reached", "as_of", "followed_to", "definitions"]
    frame = pd.concat(frames, ignore_index=True)
    said = [name for name in ("no_interval_reason", "withheld") if name in frame]
    frame[said] = frame[said].fillna("")
    return Estimate(frame[[*kept, *said]], _meta("probability", ("period", "view", "outcome"), newest))


def differences(pairs: Sequence[tuple[View, View]], *, declared: str | None) -> tuple[Estimate | None, list[str]]:
    """Give the change between each pair of views (earlier, later), with what stops a comparison in sentences.

    Parameters
    ----------
    pairs : sequence of (View, View)
        Two quarters each, in one view.
    declared : str, optional
        The outcome whose change is the comparison asked for; the others must withstand that many were looked at.

    Returns
    -------
    Estimate or None, list of str
        Kind contrast, keys (period, compared_to, view, outcome): now − then with MOVER limits; None where every pair is
        stopped.
    """
    rows: list[dict[str, Any]] = []
    said: list[str] = []
    for then, now in pairs:
        why = stopped_by(changes(then.run, now.run)) or _not_one_age(then, now)
        if why:
            said.append(f"{now.period} and {then.period} {now.view} are not compared: {why}.")
            continue
        rows += [_difference(then, now, outcome) for outcome in OUTCOMES if _has(then, outcome) and _has(now, outcome)]
    if not rows:
        return None, said
    newest = pairs[-1][1].run
    frame = judged(pd.DataFrame(rows), newest.margins, declared=declared)
    meta = _meta("contrast", ("period", "compared_to", "view", "outcome"), newest)
    return Estimate(frame, meta), said


def moved(pairs: Sequence[tuple[View, View]]) -> Listing | None:
    """List what moved between a quarter's figures as published and as known now; None for reports for sharing.

    The figures are of the same deals looked at twice: what moved was recorded since, or counted otherwise, and is no
    matter of chance. Which deals they were is not in saved figures.
    """
    rows = []
    for then, now in pairs:
        if then.run.safe or now.run.safe or then.run.folder == now.run.folder:
            continue
        why = stopped_by(changes(then.run, now.run))
        for outcome in OUTCOMES:
            if not (_has(then, outcome) and _has(now, outcome)):
                continue
            old, new = (_row(view, outcome) for view in (then, now))
            rows.append({
                "period": then.period, "outcome": outcome, "estimate_then": old["estimate"],
                "estimate_now": new["estimate"], "change": new["estimate"] - old["estimate"],
                "events_then": old["n_event"], "events_now": new["n_event"],
                "deals_then": old["n_deals"], "deals_now": new["n_deals"],
                "followed_to_then": then.followed_to, "followed_to_now": now.followed_to,
                "as_of_then": then.run.as_of, "as_of_now": now.run.as_of, "definitions": why,
            })  # fmt: skip
    return Listing(pd.DataFrame(rows), "What moved between then and now") if rows else None


def _own(period: str, view: str, run: SavedRun) -> View | None:
    found = run.result("period_at_horizon")
    return None if found is None else View(period, view, run, found.frame, run.followed_to)


def _seen_again(period: str, run: SavedRun) -> View | None:
    found = run.result("restated_quarters")
    rows = pd.DataFrame() if found is None else found.at(period=period)
    if rows.empty:
        return None
    return View(period, KNOWN_NOW, run, rows, dt.date.fromisoformat(str(rows["followed_to"].iloc[0])))


def _has(view: View, outcome: str) -> bool:
    return bool((view.rows["outcome"] == outcome).any())


def _row(view: View, outcome: str) -> dict[Any, Any]:
    return view.rows[view.rows["outcome"] == outcome].to_dict("records")[0]


def _not_one_age(then: View, now: View) -> str:
    ages = [int(view.rows["horizon_reached"].iloc[0]) for view in (then, now)]
    return "" if ages[0] == ages[1] else f"their pace is known to day {ages[0]} and to day {ages[1]}"


def _difference(then: View, now: View, outcome: str) -> dict[str, Any]:
    old, new = (_row(view, outcome) for view in (then, now))
    sides = [Interval(*(float(row[name]) for name in COPIED[:4])) for row in (new, old)]
    change = mover_difference(*sides)
    known = bool(np.isfinite([change.conf_low, change.conf_high]).all())
    sizes = {
        f"{name}_{side}": row[name] for name in ("n_event", "n_deals") for side, row in (("then", old), ("now", new))
    }
    accounts = [row["n_accounts"] for row in (old, new) if pd.notna(row["n_accounts"])]
    return {
        "period": now.period, "compared_to": then.period, "view": now.view, "outcome": outcome, **change._asdict(),
        "estimate_then": old["estimate"], "estimate_now": new["estimate"], **sizes,
        # the accounts of both together are at least as many as those of the larger side
        "n_accounts": max(accounts) if accounts else None,
        "p_value": p_from_limits(change.estimate, change.conf_low, change.conf_high) if known else np.nan,
        "no_interval_reason": "" if known else "one of the two figures has no interval",
    }  # fmt: skip


def _meta(kind: EstimateKind, keys: tuple[str, ...], newest: SavedRun) -> Meta:
    own = newest.result("period_at_horizon") or newest.result("restated_quarters")
    assert own is not None  # a view of this run was read from one of them
    contrast = kind == "contrast"
    words = "change of the period incidence at the horizon between two quarters, now − then" if contrast else ""
    interval = f"{own.meta.interval}, {ASSUMPTION}" if contrast else own.meta.interval
    return Meta(
        kind=kind, estimand=words or own.meta.estimand, keys=keys, n_deals=own.meta.n_deals, interval=interval,
        conf_level=own.meta.conf_level, n_accounts=own.meta.n_accounts, variance=own.meta.variance,
        cluster=own.meta.cluster, as_of=newest.as_of, rules_hash=own.meta.rules_hash,
        reconstructed=own.meta.reconstructed, note=NEWEST,
    )  # fmt: skip
