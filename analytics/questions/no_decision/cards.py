"""The cards of the study of no decision: one sentence per answer, with its figure, n and verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from analytics.estimators.rates import quantile
from analytics.estimators.result import Estimate, Finding, Verdict
from analytics.estimators.sentences import count, percent
from analytics.questions.no_decision.said import nothing, rows_of, share_said

SHOWN = 0.05
KINDS = {"indecision": "indecision", "status quo": "a preference for the status quo", "no money": "a lack of money"}


def _verdict(row: Mapping[str, Any]) -> Verdict:
    low, high = float(row["conf_low"]), float(row["conf_high"])
    if math.isnan(low) or low <= 1 <= high:
        return "cannot tell"
    return "shown, size unclear"


def _ratio(row: Mapping[str, Any]) -> str:
    return f"{float(row['estimate']):.2g} times ({float(row['conf_low']):.2g}–{float(row['conf_high']):.2g})"


def pace_card(verb: str, what: str) -> Callable[[Estimate], Finding]:
    """Say how the pace of no decision goes with an event that deals had."""

    def say(estimate: Estimate) -> Finding:
        rows = [row for row in rows_of(estimate, outcome="no_decision") if not row["reference"]]
        rows = [row for row in rows if float(row["n_event"]) > 0 or float(row["n_risk"]) >= 200]
        if not rows:
            return nothing(f"Pace of no decision after {what}")
        far = rows[-1]
        reference = next((row for row in rows_of(estimate, outcome="no_decision") if row["reference"]), None)
        against = str(reference["label"]) if reference else "the others"
        told = _verdict(far)
        if told == "cannot tell":
            headline = f"Whether deals that {verb} end in no decision sooner or later cannot be told."
        else:
            way = "faster" if float(far["estimate"]) > 1 else "more slowly"
            headline = f"Deals {far['label']} were declared no decision {way} than deals {against} of the same age."
        slower = what == "silence" and told != "cannot tell" and float(far["estimate"]) < 1
        stays = " Long silent deals are seldom closed by anybody: they stay open." if slower else ""
        levels = "; ".join(f"{row['label']} {_ratio(row)}" for row in rows)
        events = count(sum(float(row["n_event"]) for row in rows), "event")
        detail = (
            f"Times the weekly pace of deals {against}: {levels}. {events} after {what}, "
            f"{count(float(estimate.meta.n_deals), 'deal')}. It describes deals that {verb}; it is no estimate of "
            f"what that does.{stays}"
        )
        return Finding("", headline, detail, told, f"after_{'pushes' if what == 'pushes' else 'silence'}",
                       (("outcome", "no_decision"), ("level", str(far["level"]))))  # fmt: skip

    return say


def stages_card(estimate: Estimate) -> Finding:
    """Say from which stage most no-decisions come."""
    rows = [
        row
        for row in rows_of(estimate, outcome="no_decision")
        if not math.isnan(float(row.get("last_share", math.nan)))
    ]
    if not rows:
        return nothing("Where in the stages deals die")
    top = max(rows, key=lambda row: float(row["last_share"]))
    worst = max(rows, key=lambda row: float(row["estimate"]))
    most, stays = share_said({**top, "n_deals": 100}, "last"), count(float(top["n_deals"]), "stay")
    headline = f"More no-decisions come from {top['stage']} than from any other stage: {most} of them."
    detail = (
        f"Of deals that came to {top['stage']}, {share_said(top)} ended in no decision from it ({stays}). "
        f"The largest share given up is in {worst['stage']}: {share_said(worst)}."
    )
    return Finding("", headline, detail, "described", "stage_exits", (("stage", str(top["stage"])),))


def _wider(row: Mapping[str, Any], miss: float) -> dict[str, Any]:
    """Widen the interval of a ratio, so that it misses with this chance in place of 1 in 20."""
    value, wider = float(row["estimate"]), quantile(1 - miss) / quantile(1 - SHOWN)
    limits = {name: value * (float(row[name]) / value) ** wider for name in ("conf_low", "conf_high")}
    return {**row, **limits}


def drivers_card(estimate: Estimate) -> Finding:
    """Say which trait stands out, or that none does; the interval of one picked among many knows it.

    It is as wide as it takes for 95 of 100 picked ones to hold (Benjamini & Yekutieli 2005, JASA 100:71).
    """
    rows = [row for row in rows_of(estimate, outcome="no_decision") if not row["reference"]]
    if not rows:
        return Finding("", "Which traits go with no decision cannot be told.",
                       estimate.meta.note or "Too few deals are shown.", "cannot tell", "drivers")  # fmt: skip
    looked = estimate.frame[~estimate.frame["reference"].astype(bool)]
    shown = [row for row in rows if float(row["p_adjusted"]) <= SHOWN]
    size = count(float(estimate.meta.n_deals), "deal")
    if not shown:
        reach = max(max(float(row["conf_high"]), 1 / max(float(row["conf_low"]), 1e-9)) for row in rows)
        return Finding("", "No trait stands out as going with no decision sooner or later.",
                       f"{count(len(rows), 'level')} looked at, {size}; a pace of up to {reach:.1f} times, or as many "
                       "times slower, is not ruled out for every one of them.", "cannot tell", "drivers")  # fmt: skip
    far = max(shown, key=lambda row: abs(math.log(float(row["estimate"]))))
    way = "sooner" if float(far["estimate"]) > 1 else "later"
    same = [row for row in rows_of(estimate, outcome="no_decision", segment=far["segment"]) if row["reference"]]
    against = str(same[0]["label"]) if same else "the largest level"
    trait = f"{far['segment'].replace('_', ' ').capitalize()} {far['label']}"
    headline = f"{trait} is associated with no decision {way} than {against}."
    found = int((looked["p_adjusted"] <= SHOWN).sum())
    picked = _ratio(_wider(far, SHOWN * found / len(looked)))
    detail = (
        f"{picked} the pace of {against}, other segments the same; picked from {len(looked)} ratios looked at, {found} "
        f"shown (false discovery rate 5 %), which the interval knows; {count(float(far['n_event']), 'event')}, {size}."
    )
    return Finding("", headline, detail, "shown, size unclear", "drivers",
                   (("outcome", "no_decision"), ("segment", str(far["segment"])),
                    ("level", str(far["level"]))))  # fmt: skip


def comes_back_card(estimate: Estimate) -> Finding:
    """Say how often, and when, quiet deals were heard of again."""
    rows = sorted(rows_of(estimate, outcome="heard_again"), key=lambda row: float(row["time"]))
    if not rows:
        return nothing("When a deal that went quiet comes back")
    last, month = rows[-1], [row for row in rows if float(row["time"]) <= 30][-1:]
    quiet, n = int(last["quiet_days"]), float(last["n_deals"])
    headline = (
        f"Of deals quiet for {quiet} days, {share_said(last)} were heard of again within {last['time']:.0f} days."
    )
    early = f"Within 30 days: {share_said(month[0])}. " if len(month) else ""
    detail = f"{early}{count(n, 'deal')} went quiet; the others closed without a sign or stayed quiet."
    return Finding("", headline, detail, "described", "comes_back", (("outcome", "heard_again"),))


def zombies_card(estimate: Estimate) -> Finding:
    """Say how many open deals look dead, and what became of such deals."""
    rows = {row["rule"]: row for row in rows_of(estimate)}
    marked = rows.get("any") or next((row for rule, row in rows.items() if rule != "none"), None)
    if marked is None or not float(marked["n_open"]):
        return Finding("", "No open deal bears a mark of a dead one.", "", "described")
    rest = rows.get("none")
    days = estimate.meta.estimand.rsplit("within ", 1)[-1]
    n_open, behind = count(float(marked["n_open"]), "open deal"), count(float(marked["n_deals"]), "deal")
    looks = "looks" if float(marked["n_open"]) == 1 else "look"
    headline = f"{n_open} {looks} dead; of such deals {share_said(marked)} were recorded won within {days}."
    against = f", against {share_said(rest)} of the others" if rest else ""
    detail = (
        f"Recorded won within {days}: {share_said(marked)}{against}; from {behind} that stood so at some time. "
        "It is a chance of being recorded won, not of what work on them would do."
    )
    return Finding("", headline, detail, "described", "zombie_chances",
                   (("rule", str(marked["rule"])),))  # fmt: skip


def reasons_card(estimate: Estimate) -> Finding:
    """Say what the reasons tell of indecision and of the status quo."""
    rows = {row["level"]: row for row in rows_of(estimate, part="kind")}
    silent = rows.get("does not say")
    told = {kind: row for kind, row in rows.items() if kind != "does not say"}
    size = count(float(estimate.meta.n_deals), "declared no decision", "declared no-decisions")
    if not told:
        return Finding("", "The reasons do not say whether buyers could not decide or preferred things as they are.",
                       f"{size}; reasons that name the cause would make it possible.", "cannot tell",
                       "reasons_given")  # fmt: skip
    words = ", ".join(f"{share_said(row)} {KINDS.get(kind, kind)}" for kind, row in told.items())
    headline = f"By the reasons sellers wrote, no-decisions are {words}" + (
        f"; {percent(float(silent['estimate']))} do not say." if silent else "."
    )
    open_ = float(silent["estimate"]) if silent else 0.0
    ends = {kind: float(rows[kind]["estimate"]) if kind in rows else 0.0 for kind in ("indecision", "status quo")}
    between = [f"{kind} between {percent(low)} and {percent(low + open_)}" for kind, low in ends.items()]
    detail = f"{size}. Whatever the others were: {', '.join(between)} of them."
    return Finding("", headline, detail, "described", "reasons_given", (("part", "kind"),))
