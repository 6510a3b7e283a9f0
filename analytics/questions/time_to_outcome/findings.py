"""What should be said about time to outcome: plain sentences in a fixed order, each from the row of one Estimate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from analytics.estimators.result import Estimate, Finding
from analytics.estimators.sentences import (
    change_with_interval,
    count,
    outcome_words,
    share_of,
    share_with_interval,
    sized,
    standing_in,
    tidy,
)
from analytics.questions.time_to_outcome.still_open import ALL, UNKNOWN_STAGE
from analytics.questions.time_to_outcome.times import ANY

Answer = Estimate | Finding | None
Row = Mapping[Any, Any]
PLACEHOLDER = "was not studied."
WORDS = {
    "where_deals_end_up": "where deals end up", "how_long_deals_take": "how long deals take",
    "still_open": "what becomes of deals still open", "old_open_deals": "past which age open deals are seldom won",
    "segments_differ": "whether segments differ", "effects_by_age": "whether one ratio holds at every age",
    "practice_misleads": "by how much today's practice misleads",
}  # fmt: skip


@dataclass(frozen=True)
class Answers:
    """What the questions of this study returned: Estimates, or the Findings in their place.

    `incidence`, `times` from `times_to_outcome`, `mean_age`, `still_open`, `seldom` from `seldom_won`, `tests` from
    `segment_tests`, `by_age` from `ratios_by_age`, `practice` from `practice_shares`.

    Examples
    --------
    >>> Answers(Finding("where", "No deal.", "", "not studied")).incidence.headline
    'No deal.'
    """

    incidence: Answer
    times: Answer = None
    mean_age: Answer = None
    still_open: Answer = None
    seldom: Answer = None
    tests: Answer = None
    by_age: Answer = None
    practice: Answer = None


def findings(answers: Answers) -> tuple[Finding, ...]:
    """What should be said about where deals end up, and when?

    Parameters
    ----------
    answers : Answers
        What the questions returned.

    Returns
    -------
    tuple of Finding
        In this order: where_deals_end_up, how_long_deals_take, still_open, old_open_deals, segments_differ,
        effects_by_age, practice_misleads, and not_told (what was not studied, and what would make it possible).

    Examples
    --------
    >>> nothing = Finding("incidence", "No deal was followed.", "", "not studied")
    >>> [card.name for card in findings(Answers(nothing))][:2]
    ['where_deals_end_up', 'how_long_deals_take']
    """
    cards = [
        _ends(answers.incidence), _long(answers), _open(answers.still_open), _old(answers.seldom),
        _segments(answers.tests), _by_age(answers.by_age), _practice(answers.practice),
    ]  # fmt: skip
    return (*cards, _not_told(cards))


def _ends(answer: Answer) -> Finding:
    name = "where_deals_end_up"
    if not isinstance(answer, Estimate) or not len(answer.frame):
        return standing_in(name, answer, f"Where deals end up {PLACEHOLDER}")
    meta, last = answer.meta, answer.frame["time"].max()
    rows = {str(row["outcome"]): row for row in answer.at(time=last).to_dict("records")}
    n = float(meta.n_deals)
    said = {key: share_of(row, n) for key, row in rows.items() if pd.notna(row["estimate"])}
    if "won" not in said:
        return Finding(name, "Where deals end up cannot be shown.", "", "cannot tell", "incidence")
    others = ", ".join(f"{outcome_words(key)} {said[key]}" for key in said if key != "won")
    headline = f"By day {last:.0f} {said['won']} of deals had been won, deals still open counted."
    no = "" if rows.get("no_decision", {}).get("cum_event") else " No deal is on record as ended in no decision."
    detail = f"{others[:1].upper()}{others[1:]}; the others were open. {sized(n, meta.n_accounts)}.{no} {meta.note}"
    keys = (("outcome", "won"), ("time", f"{last:g}"))
    return Finding(name, headline, tidy(detail), "described", "incidence", keys)


def _long(answers: Answers) -> Finding:
    name, times = "how_long_deals_take", answers.times
    if not isinstance(times, Estimate) or not len(times.frame):
        return standing_in(name, times, f"How long deals take {PLACEHOLDER}")
    n = times.meta.n_deals
    half = times.at(outcome=ANY, share=0.5).to_dict("records")
    if half and pd.notna(half[0]["estimate"]):
        headline = f"Half of all deals have ended by day {_days(half[0])}, deals still open counted."
    else:
        headline = "Fewer than half of all deals ended as far as they were followed."
    parts = [
        f"{what} {outcome_words(str(row['outcome']))} by day {_days(row)}"
        for what, share in (("a tenth is", 0.1), ("a quarter is", 0.25))
        for row in times.at(share=share).to_dict("records")
        if row["outcome"] in ("won", "lost") and pd.notna(row["estimate"])
    ]
    age = answers.mean_age.at(outcome="won").to_dict("records") if isinstance(answers.mean_age, Estimate) else []
    if age and pd.notna(age[0]["estimate"]):
        parts.append(f"deals that are won are so after {_days(age[0])} days on average")
    said = "; ".join(parts)
    detail = f"{said[:1].upper()}{said[1:]}. {sized(n, times.meta.n_accounts)}. {times.meta.note}"
    keys = (("outcome", ANY), ("share", "0.5"))
    return Finding(name, headline, tidy(detail), "described", "times_to_outcome", keys)


def _days(row: Row) -> str:
    value, low, high = (float(row[key]) for key in ("estimate", "conf_low", "conf_high"))
    if pd.isna(low) or pd.isna(high):
        return f"{value:.0f}"
    return f"{value:.0f} ({low:.0f}–{high:.0f})"


def _open(answer: Answer) -> Finding:
    name = "still_open"
    if not isinstance(answer, Estimate) or not len(answer.frame):
        return standing_in(name, answer, f"What becomes of deals still open {PLACEHOLDER}")
    won = answer.at(outcome="won")
    won = won[won["estimate"].notna() & won["n_deals"].notna()]
    whole = won[won["stage"] == ALL].sort_values("age")
    if not len(whole):
        return Finding(name, "What becomes of deals still open cannot be shown.", "", "cannot tell", "still_open")
    row = whole.iloc[len(whole) // 2].to_dict()  # the middle of the ages, whatever the numbers say
    age, n = float(row["age"]), float(row["n_deals"])
    share = share_with_interval(float(row["estimate"]), float(row["conf_low"]), float(row["conf_high"]), n)
    headline = (
        f"Of {count(n, 'deal')} still open at day {age:.0f}, {share} are won by day {row['horizon_reached']:.0f}."
    )
    cells = won[(won["age"] == age) & ~won["stage"].isin([ALL, UNKNOWN_STAGE])].to_dict("records")
    said = ", ".join(f"{cell['stage']} {share_of(cell, float(cell['n_deals']))}" for cell in cells)
    stages = f"By the stage in which they were then: {said}. " if said else ""
    detail = f"{stages}It describes such deals as they were worked. {answer.meta.note}"
    keys = (("age", f"{age:g}"), ("stage", ALL), ("outcome", "won"))
    return Finding(name, headline, tidy(detail), "described", "still_open", keys)


def _old(answer: Answer) -> Finding:
    name = "old_open_deals"
    if not isinstance(answer, Estimate) or not len(answer.frame):
        return standing_in(name, answer, f"Past which age open deals are seldom won {PLACEHOLDER}")
    floors = sorted(answer.frame["one_in"].unique())
    floor = 10 if 10 in floors else floors[0]
    rows = {str(row["measure"]): row for row in answer.at(one_in=floor).to_dict("records")}
    shown = {key: row for key, row in rows.items() if pd.notna(row["estimate"])}
    if "won_later" not in shown:
        return Finding(
            name, "Past which age open deals are seldom won cannot be shown.", "", "cannot tell", "seldom_won"
        )
    later, age = shown["won_later"], float(shown["won_later"]["age_days"])
    said = {key: share_of(row, float(row["n_deals"])) for key, row in shown.items()}
    names = {"open_days_share": "of open deal-days", "touches_share": "of touches", "wins_share": "of wins"}
    parts = [f"{said[key]} {words}" for key, words in names.items() if key in said]
    lie = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    headline = f"Past day {age:.0f}, fewer than 1 in {floor} open deals were later won" + (
        f"; {lie} lie there." if lie else "."
    )
    detail = (
        f"{said['won_later']} of {count(float(later['n_deals']), 'deal')} open at that age were won by day "
        f"{later['horizon_reached']:.0f}. Described: it is no estimate of what stopping work on such deals would do, "
        f"because those that were stopped are not in it. {answer.meta.note}"
    )
    keys = (("one_in", str(floor)), ("measure", "won_later"))
    return Finding(name, headline, tidy(detail), "described", "seldom_won", keys)


def _segments(answer: Answer) -> Finding:
    name = "segments_differ"
    if not isinstance(answer, Estimate) or not len(answer.frame):
        return standing_in(name, answer, f"Whether segments differ {PLACEHOLDER}")
    frame = answer.frame[answer.frame["p_adjusted"].notna()]
    if not len(frame):
        return Finding(name, "Whether segments differ cannot be told.", "", "cannot tell", "segment_tests")
    shown = frame[frame["verdict"].str.startswith("shown")]
    tried = f"{count(len(frame), 'test')} of segments and outcomes, false discoveries held at 5 %"
    size = sized(answer.meta.n_deals, answer.meta.n_accounts)
    row = frame.sort_values("p_adjusted", kind="stable").iloc[0]
    keys = (("segment", str(row["segment"])), ("outcome", str(row["outcome"])))
    if not len(shown):
        names = ", ".join(dict.fromkeys(frame["segment"].astype(str)))
        headline = f"Chance alone could make the levels of {names} end as differently as they do."
        detail = f"{tried}, none shown. {size}. {answer.meta.note}"
        return Finding(name, headline, tidy(detail), "cannot tell", "segment_tests", keys)
    by = {
        str(key): [outcome_words(str(o)) for o in part["outcome"]] for key, part in shown.groupby("segment", sort=False)
    }
    said = "; ".join(f"{key} ({', '.join(outcomes)})" for key, outcomes in by.items())
    headline = f"Where deals end up is associated with {said}."
    rest = [str(key) for key in dict.fromkeys(frame["segment"]) if key not in by]
    silent = f"Not shown for {', '.join(rest)}. " if rest else ""
    detail = f"{tried}, {len(shown)} shown. {silent}The curves say how large the differences are. {size}."
    return Finding(name, headline, tidy(f"{detail} {answer.meta.note}"), "shown, size unclear", "segment_tests", keys)


def _by_age(answer: Answer) -> Finding:
    name = "effects_by_age"
    if not isinstance(answer, Estimate) or not len(answer.frame):
        return standing_in(name, answer, f"Whether effects hold at every age {PLACEHOLDER}")
    once = answer.frame.drop_duplicates(["segment", "level", "outcome"])
    tested = once[once["p_adjusted"].notna()]
    size = sized(answer.meta.n_deals, answer.meta.n_accounts)
    if not len(tested):
        headline = "Whether one ratio describes deals of every age cannot be told: there are too few accounts."
        return Finding(name, headline, f"{size}. {answer.meta.note}".strip(), "cannot tell", "ratios_by_age")
    varying = tested[tested["varies"].astype(bool)]
    tried = f"{count(len(tested), 'ratio')} looked at, false discoveries held at 5 %"
    if not len(varying):
        headline = f"Of {count(len(tested), 'ratio')} none was shown to change with the age of deals."
        detail = f"That is no proof that they are constant. False discoveries held at 5 %. {size}. {answer.meta.note}"
        return Finding(name, headline, tidy(detail), "cannot tell", "ratios_by_age")
    row = varying.sort_values("p_adjusted", kind="stable").iloc[0]
    named = [f"{r['level']} ({outcome_words(str(r['outcome']))})" for r in varying.to_dict("records")]
    headline = f"{len(varying)} of {count(len(tested), 'ratio')} change with the age of deals: {', '.join(named[:4])}."
    ages = answer.at(segment=row["segment"], level=row["level"], outcome=row["outcome"]).to_dict("records")
    said = ", ".join(f"{r['age']} days {_ratio(r)}" for r in ages)
    detail = (
        f"{row['level']} against {row['reference']}, {outcome_words(str(row['outcome']))}: {said}. {tried}. {size}."
    )
    keys = (("segment", str(row["segment"])), ("level", str(row["level"])), ("outcome", str(row["outcome"])))
    return Finding(name, headline, tidy(f"{detail} {answer.meta.note}"), "shown, size unclear", "ratios_by_age", keys)


def _ratio(row: Row) -> str:
    return f"{row['hazard_ratio']:.2f} ({row['ratio_low']:.2f}–{row['ratio_high']:.2f})"


def _practice(answer: Answer) -> Finding:
    name = "practice_misleads"
    if not isinstance(answer, Estimate) or not len(answer.frame):
        return standing_in(name, answer, f"By how much today's practice misleads {PLACEHOLDER}")
    rows = {str(row["practice"]): row for row in answer.frame.to_dict("records") if pd.notna(row["estimate"])}
    right, closed = rows.get("incidence"), rows.get("closed_only")
    if right is None or closed is None or pd.isna(closed["difference"]):
        return Finding(
            name, "By how much today's practice misleads cannot be shown.", "", "cannot tell", "practice_shares"
        )
    n = float(right["n_deals"])
    headline = (
        f"Closed deals alone give {share_of(closed, float(closed['n_deals']))} won; of all deals "
        f"{share_of(right, n)} are won by day {right['horizon_reached']:.0f}."
    )
    others = "; ".join(
        f"{row['label']} {share_of(row, float(row['n_deals']))}, {_apart(row)}"
        for key, row in rows.items()
        if key not in ("incidence", "closed_only") and pd.notna(row["difference"])
    )
    detail = f"{_apart(closed)[:1].upper()}{_apart(closed)[1:]}. {others}. {sized(n, answer.meta.n_accounts)}."
    keys = (("practice", "closed_only"),)
    return Finding(name, headline, tidy(f"{detail} {answer.meta.note}"), closed["verdict"], "practice_shares", keys)


def _apart(row: Row) -> str:
    low, high = float(row["difference_low"]), float(row["difference_high"])
    return f"apart by {change_with_interval(float(row['difference']), low, high, float(row['n_deals']))}"


def _not_told(cards: list[Finding]) -> Finding:
    """One card for what was not studied, with what would make it possible; else for what could not be told."""
    absent = [card for card in cards if card.verdict == "not studied" and not card.headline.endswith(PLACEHOLDER)]
    if absent:
        rest = " ".join(card.headline for card in absent[1:])
        return replace(absent[0], name="not_told", detail=tidy(f"{absent[0].detail} {rest}"))
    untold = [WORDS[card.name] for card in cards if card.verdict == "cannot tell"]
    if untold:
        detail = "The card of each says how many deals were behind it. More deals, or more accounts, would tell."
        return Finding("not_told", f"Could not be told: {'; '.join(untold)}.", detail, "cannot tell")
    return Finding("not_told", "Every question of this study could be answered.", "", "described")
