"""What the study of no decision says, as cards in a fixed order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


from analytics.estimators.result import Estimate, Finding, Verdict
from analytics.estimators.sentences import count, percent, share_with_interval, sized

Answer = Estimate | Finding | None


@dataclass(frozen=True)
class Answers:
    """What the study's questions returned: Estimates, or the Findings in their place."""

    range: Answer = None
    unrecorded: Answer = None
    pushes: Answer = None
    silence: Answer = None
    stages: Answer = None
    drivers: Answer = None
    comes_back: Answer = None
    zombies: Answer = None
    reasons: Answer = None


def findings(answers: Answers) -> tuple[Finding, ...]:
    """What should be said about no decision?

    Parameters
    ----------
    answers : Answers
        What the questions returned.

    Returns
    -------
    tuple of Finding
        In this order, whatever the answers are: how_much, by_rule, unrecorded, pushes, silence, stages, drivers,
        comes_back, zombies, reasons. A question that the records cannot answer is its own card, which says why.

    Examples
    --------
    >>> [card.verdict for card in findings(Answers())][:2]
    ['not studied', 'not studied']
    """
    cards = (
        ("how_much", answers.range, _how_much), ("by_rule", answers.range, _by_rule),
        ("unrecorded", answers.unrecorded, _unrecorded), ("pushes", answers.pushes, _pace("were pushed", "pushes")),
        ("silence", answers.silence, _pace("were silent", "silence")), ("stages", answers.stages, _stages),
        ("drivers", answers.drivers, _drivers), ("comes_back", answers.comes_back, _comes_back),
        ("zombies", answers.zombies, _zombies), ("reasons", answers.reasons, _reasons),
    )  # fmt: skip
    made = []
    for name, answer, say in cards:
        if isinstance(answer, Finding):
            made.append(replace(answer, name=name))
        elif answer is None or not answer.frame["estimate"].notna().any():
            made.append(Finding(name, f"{name.replace('_', ' ').capitalize()}: nothing to say.", "", "not studied"))
        else:
            made.append(replace(say(answer), name=name))
    return tuple(made)


def _rows(estimate: Estimate, **keys: object) -> list[dict[str, Any]]:
    found = estimate.at(**keys) if keys else estimate.frame
    return [{str(k): v for k, v in row.items()} for row in found[found["estimate"].notna()].to_dict("records")]


def _share(row: Mapping[str, Any], n: float | None = None) -> str:
    size = float(row.get("n_deals", 0) if n is None else n)
    return share_with_interval(float(row["estimate"]), float(row["conf_low"]), float(row["conf_high"]), size)


def _nothing(what: str) -> Finding:
    return Finding("", f"{what} cannot be told.", "Too few deals are shown.", "cannot tell")


def _how_much(estimate: Estimate) -> Finding:
    rows = {(row["rule"], row["threshold"]): row for row in _rows(estimate)}
    floor = rows.get(("declared", 0))
    if floor is None:
        return _nothing("The share of no decision")
    n, days = float(floor["n_deals"]), int(floor["horizon_reached"])
    studied = sized(n, floor["n_accounts"])
    if not float(floor["n_event"]):
        why = str(floor.get("note") or "No deal was declared a no decision.")
        return Finding("", "No deal is declared a no decision, so only rules can say how much there is.",
                       f"{why} {studied}.", "cannot tell", "no_decision_range")  # fmt: skip
    stated = [row for row in rows.values() if row.get("stated") is True and row["rule"] != "declared"]
    high = max(stated, key=lambda row: float(row["estimate"]), default=None)
    headline = f"Within {days} days {_share(floor)} of deals end in a declared no decision."
    if high is not None and float(high["estimate"]) > float(floor["estimate"]):
        headline = (
            f"Between {percent(float(floor['estimate']))} (declared) and {percent(float(high['estimate']))} "
            f"({high['label'].removeprefix('or ')}) of deals end in no decision within {days} days."
        )
    detail = f"Declared: {_share(floor)}, {studied}."
    detail += "".join(f" {str(row['label']).capitalize()}: {_share(row)}." for row in stated)
    return Finding("", headline, f"{detail} A rule that ends fewer deals that are won later would narrow the range.",
                   "described", "no_decision_range", (("rule", "declared"),))  # fmt: skip


def _by_rule(estimate: Estimate) -> Finding:
    rows = [row for row in _rows(estimate) if not math.isnan(float(row.get("won_share", math.nan)))]
    rows = [row for row in rows if row["rule"] != "plateau" and float(row["fired"]) >= 20]
    if not rows:
        return _nothing("How often a rule is wrong")
    chosen = [row for row in rows if row.get("stated") is True] or rows
    worst = max(chosen, key=lambda row: float(row["won_share"]))
    days, fired = int(worst["won_days"]), float(worst["fired"])
    wrong = share_with_interval(*(float(worst[name]) for name in ("won_share", "won_low", "won_high")), fired)
    label = str(worst["label"]).removeprefix("or ")
    headline = f"Of deals called dead because {_because(label)}, {wrong} were won within {days} days all the same."
    others = [row for row in chosen if row is not worst]
    detail = f"{count(fired, 'deal')} ended by that rule." + "".join(
        f" {str(row['label']).removeprefix('or ').capitalize()}: "
        + share_with_interval(*(float(row[name]) for name in ("won_share", "won_low", "won_high")), float(row["fired"]))
        + f" of {count(float(row['fired']), 'deal')}." for row in others
    )  # fmt: skip
    return Finding("", headline, detail, "described", "no_decision_range",
                   (("rule", str(worst["rule"])), ("threshold", str(worst["threshold"]))))  # fmt: skip


def _because(label: str) -> str:
    return f"they were {label}" if not label.startswith("nothing") else label.replace("nothing heard", "nothing was heard")


def _unrecorded(estimate: Estimate) -> Finding:
    rows = {row["treatment"]: row for row in _rows(estimate)}
    low, high = rows.get("lost"), rows.get("outcomes", rows.get("no_decision"))
    if low is None or high is None:
        return _nothing("What missing reasons could change")
    blank = float(high["n_unrecorded"])
    what = "closings without a reason or an outcome" if "outcomes" in rows else "losses without a reason"
    if not blank:
        return Finding("", "Every loss has a reason, so missing reasons change nothing.", sized(
            float(low["n_deals"]), low["n_accounts"]) + ".", "described", "unrecorded_bounds")  # fmt: skip
    headline = (
        f"{count(blank, what.split()[0][:-1], what.split()[0])} {what.split(' ', 1)[1]} leave the declared share anywhere "
        f"between {percent(float(low['estimate']), 1)} and {percent(float(high['estimate']), 1)}."
    )
    detail = f"All counted as lost: {_share(low)}; all as no decision: {_share(high)}; {sized(float(low['n_deals']), low['n_accounts'])}."
    return Finding("", headline, detail, "described", "unrecorded_bounds", (("treatment", str(high["treatment"])),))


def _verdict(row: Mapping[str, Any]) -> Verdict:
    low, high = float(row["conf_low"]), float(row["conf_high"])
    if math.isnan(low) or low <= 1 <= high:
        return "cannot tell"
    return "shown, size unclear"


def _ratio(row: Mapping[str, Any]) -> str:
    return f"{float(row['estimate']):.2g} times ({float(row['conf_low']):.2g}–{float(row['conf_high']):.2g})"


def _pace(verb: str, what: str) -> Any:
    def say(estimate: Estimate) -> Finding:
        rows = [row for row in _rows(estimate, outcome="no_decision") if not row["reference"]]
        rows = [row for row in rows if float(row["n_event"]) > 0 or float(row["n_risk"]) >= 200]
        if not rows:
            return _nothing(f"Pace of no decision after {what}")
        far = rows[-1]
        reference = next((row for row in _rows(estimate, outcome="no_decision") if row["reference"]), None)
        against = str(reference["label"]) if reference else "the others"
        told = _verdict(far)
        if told == "cannot tell":
            headline = f"Whether deals that {verb} end in no decision sooner or later cannot be told."
        else:
            way = "faster" if float(far["estimate"]) > 1 else "more slowly"
            headline = f"Deals {far['label']} were declared no decision {way} than deals {against} of the same age."
        levels = "; ".join(f"{row['label']} {_ratio(row)}" for row in rows)
        detail = (
            f"Times the weekly pace of deals {against}: {levels}. {count(sum(float(row['n_event']) for row in rows), 'event')} "
            f"after {what}, {count(float(estimate.meta.n_deals), 'deal')}. It is what {what} go with, not what they do."
        )
        return Finding("", headline, detail, told, f"after_{'pushes' if what == 'pushes' else 'silence'}",
                       (("outcome", "no_decision"), ("level", str(far["level"]))))  # fmt: skip

    return say


def _stages(estimate: Estimate) -> Finding:
    rows = [row for row in _rows(estimate, outcome="no_decision") if not math.isnan(float(row.get("last_share", math.nan)))]
    if not rows:
        return _nothing("Where in the stages deals die")
    top = max(rows, key=lambda row: float(row["last_share"]))
    worst = max(rows, key=lambda row: float(row["estimate"]))
    most = share_with_interval(*(float(top[name]) for name in ("last_share", "last_low", "last_high")), 100)
    headline = f"{top['stage']} is where most no-decisions come from: {most} of them ended there."
    detail = (
        f"Of deals that came to {top['stage']}, {_share(top)} ended in no decision from it ({count(float(top['n_deals']), 'stay')}). "
        f"The largest share given up is in {worst['stage']}: {_share(worst)}."
    )
    return Finding("", headline, detail, "described", "stage_exits", (("stage", str(top["stage"])),))


def _drivers(estimate: Estimate) -> Finding:
    rows = [row for row in _rows(estimate, outcome="no_decision") if not row["reference"]]
    if not rows:
        return _nothing("Which traits go with no decision")
    n = len(estimate.frame[~estimate.frame["reference"].astype(bool)])
    shown = [row for row in rows if float(row["p_adjusted"]) <= 0.05]
    size = count(float(estimate.meta.n_deals), "deal")
    if not shown:
        reach = max(max(float(row["conf_high"]), 1 / max(float(row["conf_low"]), 1e-9)) for row in rows)
        return Finding("", "No trait stands out as going with no decision sooner or later.",
                       f"{count(len(rows), 'level')} looked at, {size}; a pace of up to {reach:.1f} times, or as many times "
                       "slower, is not ruled out for every one of them.", "cannot tell", "drivers")  # fmt: skip
    far = max(shown, key=lambda row: abs(math.log(float(row["estimate"]))))
    way = "sooner" if float(far["estimate"]) > 1 else "later"
    headline = f"{far['segment'].replace('_', ' ').capitalize()} {far['label']} is associated with no decision {way}."
    detail = (
        f"{_ratio(far)} the pace of the largest {far['segment'].replace('_', ' ')}, other segments the same; picked from "
        f"{n} ratios looked at (false discovery rate 5 %), {count(float(far['n_event']), 'event')}, {size}."
    )
    return Finding("", headline, detail, "shown, size unclear", "drivers",
                   (("outcome", "no_decision"), ("segment", str(far["segment"])), ("level", str(far["level"]))))  # fmt: skip


def _comes_back(estimate: Estimate) -> Finding:
    frame = estimate.frame[(estimate.frame["outcome"] == "heard_again") & estimate.frame["estimate"].notna()]
    last = frame.loc[frame["time"].idxmax()].to_dict()
    month = frame[frame["time"] <= 30].tail(1)
    quiet, n = int(last["quiet_days"]), float(last["n_deals"])
    headline = f"Of deals quiet for {quiet} days, {_share(last, n)} were heard of again within {last['time']:.0f} days."
    early = f"Within 30 days: {_share(month.iloc[0].to_dict(), n)}. " if len(month) else ""
    return Finding("", headline, f"{early}{count(n, 'deal')} went quiet; the others closed without a sign or stayed quiet.",
                   "described", "comes_back", (("outcome", "heard_again"),))  # fmt: skip


def _zombies(estimate: Estimate) -> Finding:
    rows = {row["rule"]: row for row in _rows(estimate)}
    marked = rows.get("any") or next((row for rule, row in rows.items() if rule != "none"), None)
    if marked is None or not float(marked["n_open"]):
        return Finding("", "No open deal bears a mark of a dead one.", "", "described")
    rest = rows.get("none")
    headline = f"{count(float(marked['n_open']), 'open deal')} look dead; of such deals {_share(marked)} were recorded won in time."
    days = estimate.meta.estimand.rsplit("within ", 1)[-1]
    against = f", against {_share(rest)} of the others" if rest else ""
    detail = (
        f"Recorded won within {days}: {_share(marked)}{against}; from {count(float(marked['n_deals']), 'deal')} that stood so "
        "at some time. It is a chance of being recorded won, not of what work on them would do."
    )
    return Finding("", headline.replace("in time", f"within {days}"), detail, "described", "zombie_chances",
                   (("rule", str(marked["rule"])),))  # fmt: skip


def _reasons(estimate: Estimate) -> Finding:
    rows = {row["level"]: row for row in _rows(estimate, part="kind")}
    silent = rows.get("does not say")
    told = {kind: row for kind, row in rows.items() if kind != "does not say"}
    n = float(estimate.meta.n_deals)
    if not told:
        return Finding("", "The reasons do not say whether buyers could not decide or preferred things as they are.",
                       f"{count(n, 'declared no decision', 'declared no-decisions')}; reasons that name the cause would make it "
                       "possible.", "cannot tell", "reasons_given")  # fmt: skip
    words = ", ".join(f"{kind} {_share(row)}" for kind, row in told.items())
    headline = f"By the reasons sellers wrote, no decision is {words}" + (
        f"; {percent(float(silent['estimate']))} of the reasons do not say." if silent else "."
    )
    low = float(rows["indecision"]["estimate"]) if "indecision" in rows else 0.0
    high = low + (float(silent["estimate"]) if silent else 0.0)
    detail = f"{count(n, 'declared no decision', 'declared no-decisions')}. Indecision is between {percent(low)} and {percent(high)} of them."
    return Finding("", headline, detail, "described", "reasons_given", (("part", "kind"),))


