"""What the quarter says, as cards in a fixed order: the same questions every quarter, whatever the answers are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from analytics.estimators.contrasts import verdict
from analytics.estimators.decomposition import ALL
from analytics.estimators.result import Estimate, Finding, Verdict
from analytics.estimators.sentences import (
    change_with_interval,
    count,
    decimals,
    in_points,
    outcome_words,
    percent,
    points,
    share_of,
    sized,
    standing_in,
    tidy,
)  # fmt: skip
from analytics.questions.quarter.amounts import RULE_WORDS
from analytics.questions.quarter.change import RESTATED, THEN
from analytics.questions.quarter.effort import effort_card
from analytics.questions.quarter.picked import picked
from analytics.records.calendar import Quarter

Answer = Estimate | Finding | None
Row = Mapping[Any, Any]


@dataclass(frozen=True)
class Answers:
    """What the quarter's questions returned: Estimates, or the Findings in their place.

    `at_horizon` from `period_at_horizon`, `no_decision` from `no_decision_range`, `changes` from `against`, `parts`
    from `mix_and_rate`, `effort` from `open_effort`, then `segments`, `spread` from `segment_spread`, `value` from
    `value_weighted`, and further Findings about what was `not_studied`.

    Examples
    --------
    >>> Answers(Finding("where", "No deal.", "", "not studied")).at_horizon.headline
    'No deal.'
    """

    at_horizon: Answer
    no_decision: Answer = None
    changes: Answer = None
    parts: Answer = None
    effort: Answer = None
    segments: Answer = None
    spread: Answer = None
    value: Answer = None
    not_studied: tuple[Finding, ...] = ()


def findings(quarter: Quarter, answers: Answers) -> tuple[Finding, ...]:
    """What should be said about the quarter?

    Parameters
    ----------
    quarter : Quarter
        The quarter under study.
    answers : Answers
        What the questions returned.

    Returns
    -------
    tuple of Finding
        In this order: where_deals_end_up, against_last_quarter, what_the_change_is_made_of, where_open_effort_lies,
        not_told, and, only where something stood out among what was looked at, selected (with its adjusted interval).

    Notes
    -----
    The order does not depend on the answers, so that no quarter's page is made of its lucky numbers.

    Examples
    --------
    >>> import datetime as dt
    >>> nothing = Finding("x", "No deal was open in 2025Q4.", "", "not studied")
    >>> quarter = Quarter("2025Q4", dt.date(2025, 10, 1), dt.date(2025, 12, 31))
    >>> [card.name for card in findings(quarter, Answers(nothing))][:2]
    ['where_deals_end_up', 'against_last_quarter']
    """
    cards = [
        _ends(quarter, answers),
        _against(quarter, answers.changes),
        _made_of(quarter, answers),
        _effort(quarter, answers.effort),
    ]
    cards.append(_not_told(answers, cards))
    selected = picked(answers.segments, answers.spread, _margin(answers.changes))
    return tuple(cards if selected is None else [*cards, selected])


def _change(row: Row, n: float) -> str:
    return change_with_interval(float(row["estimate"]), float(row["conf_low"]), float(row["conf_high"]), n)


def _ends(quarter: Quarter, answers: Answers) -> Finding:
    name = "where_deals_end_up"
    if not isinstance(answers.at_horizon, Estimate):
        return standing_in(name, answers.at_horizon, f"Where deals of {quarter.name} end up was not studied.")
    rows = {str(row["outcome"]): row for row in answers.at_horizon.frame.to_dict("records")}
    n = float(rows["won"]["n_deals"])
    without = _number(rows["won"].get("n_without_account"))
    studied = f"{sized(n, rows['won']['n_accounts'], without)}, at risk in {quarter.name}"
    if bool(rows["won"].get("thin_start", False)):
        size = f"{studied}."
        headline = "Where deals end up cannot be told: the pace at young ages rests on fewer than 5 deals."
        return Finding(name, headline, tidy(f"{size} {rows['won']['note']}"), "cannot tell", "period_at_horizon")
    horizon = rows["won"]["horizon_reached"]
    named = {key: share_of(row, n) for key, row in rows.items()}
    ends = ("won", "lost", "no_decision")
    unknown = int(_number(rows["won"].get("n_unknown")))
    closings = unknown + int(sum(_number(rows[key]["n_event"]) for key in ends))
    if not closings:
        headline = f"No deal closed in {quarter.name} within {horizon} days of its opening, so its pace cannot be told."
        detail = f"{studied}; all were open as far as watched."
        return Finding(name, headline, tidy(f"{detail} {rows['won']['note']}"), "cannot tell", "period_at_horizon")
    absent = bool(rows["no_decision"].get("not_recorded", False))
    shares = f"{named['open']} would still be open"
    if unknown:
        told = [f"{outcome_words(key)} {named[key]}" for key in ends if not (absent and key == "no_decision")]
        shares = f"Within {horizon} days: {', '.join(told)}; {shares}"
        low, high = (percent(float(rows["won"][side]), decimals(n)) for side in ("bound_low", "bound_high"))
        headline = (
            f"Between {low} and {high} of deals would be won within {horizon} days at this quarter's pace, because "
            f"{unknown:,} of {count(closings, 'closing')} {'has' if unknown == 1 else 'have'} no recorded outcome."
        )
    else:
        headline = (
            f"Within {horizon} days {named['won']} of deals would be won at this quarter's pace, {named['lost']} lost"
            + ("; no decision is not recorded." if absent else f", {named['no_decision']} in no decision.")
        )
    detail = f"{shares}. {studied}. {_range(answers.no_decision)} {rows['no_decision']['note']}"
    keys = (("outcome", "won" if absent else "no_decision"),)
    return Finding(name, headline, tidy(detail), "described", "period_at_horizon", keys)


def _range(found: Answer) -> str:
    if not isinstance(found, Estimate) or len(found.frame) < 2:
        return ""
    rows = {str(row["rule"]): row for row in found.frame.to_dict("records")}
    declared = rows.pop("declared", None)
    most = max(rows.values(), key=lambda row: float(row["estimate"]))
    if declared is None or float(most["estimate"]) <= float(declared["estimate"]):
        return ""
    words = RULE_WORDS.get(str(most["rule"]), str(most["rule"])).removeprefix("or ")
    return f"No decision is {share_of(most, float(most['n_deals']))} when deals count that were {words}."


ENDINGS: dict[Verdict, str] = {
    "shown and large enough to matter": "{direction}, by enough to matter.",
    "shown, size unclear": "{direction}, by how much is unclear.",
    "too small to matter": "the difference is too small to matter.",
    "cannot tell": "that may be noise.",
    "not studied": "that may be noise.",
    "described": "that may be noise.",
}


def _against(quarter: Quarter, changes: Answer) -> Finding:
    name = "against_last_quarter"
    if not isinstance(changes, Estimate):
        return standing_in(name, changes, f"{quarter.name} was not compared with an earlier quarter.")
    frame = changes.frame
    first = str(frame["compared_to"].iloc[0])
    view = THEN if len(changes.at(compared_to=first, view=THEN)) else RESTATED
    won = changes.at(compared_to=first, view=view, outcome="won").to_dict("records")[0]
    n = min(float(won["n_deals_now"]), float(won["n_deals_then"]))
    digits = decimals(n, float(won["conf_low"]), float(won["conf_high"]))
    said: Verdict = won["verdict"]
    direction = "more" if won["estimate"] > 0 else "fewer"
    headline = (
        f"{_within(won)} {percent(won['estimate_now'], digits)} of deals would be won at this quarter's pace, against "
        f"{percent(won['estimate_then'], digits)} in {first}, {_change(won, n)}; "
        f"{ENDINGS[said].format(direction=direction)}"
    )
    sizes = f"{won['n_deals_now']:,.0f} and {won['n_deals_then']:,.0f} deals"
    smallest = (
        f"With these numbers only a change beyond {in_points(won['smallest_reliable_change'], digits)} would "
        f"reliably show as large enough to matter (more than {in_points(won['margin'], 1)})."
    )
    needed = smallest if won["std_error"] > 0 else ""
    detail = f"{_change(won, n)}, {sizes}, {view}. {needed} {_others(frame, first, view)}"
    keys = (("compared_to", first), ("view", view), ("outcome", "won"))
    return Finding(name, headline, tidy(detail), said, "against", keys)


def _within(row: Row) -> str:
    return f"Within {row['horizon_reached']} days" if "horizon_reached" in row else "By the horizon"


def _others(frame: pd.DataFrame, first: str, view: str) -> str:
    """The other quarters' change in deals won, and any other outcome whose change was shown."""
    same_view = frame[frame["view"] == view]
    sentences = [
        f"Against {row['compared_to']}: {_change(row, float(row['n_deals_then']))}, {row['verdict']}."
        for row in same_view[(same_view["outcome"] == "won") & (same_view["compared_to"] != first)].to_dict("records")
    ]
    others = same_view[(same_view["outcome"] != "won") & (same_view["compared_to"] == first)]
    sentences += [
        f"{outcome_words(row['outcome']).capitalize()}: {_change(row, float(row['n_deals_then']))}, {row['verdict']}."
        for row in others[others["verdict"].str.startswith("shown")].to_dict("records")
    ]
    return " ".join(sentences)


def _margin(changes: Answer) -> float | None:
    if not isinstance(changes, Estimate):
        return None
    won = changes.frame[changes.frame["outcome"] == "won"]
    return float(won["margin"].iloc[0]) if len(won) else None


PART_NAMES = {
    "mix": "the mix of {segment}", "rate": "rates within each {segment}", "appeared": "a {segment} that is new",
    "vanished": "a {segment} that is gone", "stock": "what cannot be attributed (deals opened before the quarter)",
}  # fmt: skip


def _made_of(quarter: Quarter, answers: Answers) -> Finding:
    name = "what_the_change_is_made_of"
    if not isinstance(answers.parts, Estimate):
        return standing_in(name, answers.parts, "What the change is made of was not studied.")
    frame = answers.parts.frame
    first, segment = str(frame["compared_to"].iloc[0]), str(frame["segment"].iloc[0])
    whole = frame[(frame["compared_to"] == first) & (frame["segment"] == segment) & (frame["level"] == ALL)]
    parts: dict[str, dict[Any, Any]] = {str(row["part"]): row for row in whole.to_dict("records")}
    total = parts["total"]
    n = min(float(total["n_deals_now"]), float(total["n_deals_then"]))
    digits = decimals(n, float(total["conf_low"]), float(total["conf_high"]))
    names = {part: words.format(segment=segment) for part, words in PART_NAMES.items() if part in parts}
    rounded = {part: points(float(parts[part]["estimate"]), digits, plus=True) for part in names}
    listed = [f"{rounded[part]} from {words}" for part, words in names.items() if rounded[part].strip("0.")]
    change = in_points(float(total["estimate"]), digits, plus=True)
    headline = f"Against {first} {change}: {', '.join(listed) or 'no part of it stands out'}."
    margin = _margin(answers.changes)
    figures = "; ".join(
        f"{words} {_change(parts[part], n)}" + (f", {_said(parts[part], margin)}" if margin is not None else "")
        for part, words in names.items()
    )
    uncertain = not (float(total["conf_low"]) > 0 or float(total["conf_high"]) < 0)
    tail = "The total is uncertain, so no share of it is given." if uncertain else ""
    sizes = f"{total['n_deals_now']:,.0f} and {total['n_deals_then']:,.0f} deals"
    detail = f"{figures[0].upper()}{figures[1:]}; together {_change(total, n)}, {sizes}. {tail}"
    largest = max((parts[part] for part in names), key=lambda row: abs(float(row["estimate"])))
    keys = (("compared_to", first), ("segment", segment), ("level", ALL), ("part", str(largest["part"])))
    return Finding(name, headline, tidy(detail), _said(total, _margin(answers.changes)), "mix_and_rate", keys)


def _said(row: Row, margin: float | None) -> Verdict:
    if margin is None:
        return "described"
    return verdict(
        float(row["estimate"]), float(row["std_error"]), float(row["conf_low"]), float(row["conf_high"]), margin
    )


def _effort(quarter: Quarter, effort: Answer) -> Finding:
    name = "where_open_effort_lies"
    if not isinstance(effort, Estimate):
        return standing_in(name, effort, f"Where open effort of {quarter.name} lies was not studied.")
    return effort_card(effort)


def _not_told(answers: Answers, cards: Sequence[Finding]) -> Finding:
    """One card for what could not be told or was not studied: first what lacks data, then what lacks numbers."""
    asked = (answers.at_horizon, answers.changes, answers.parts, answers.effort, answers.no_decision, answers.value)
    absent = [*answers.not_studied, *(a for a in asked if isinstance(a, Finding) and a.verdict == "not studied")]
    if absent:
        rest = " ".join(item.headline for item in absent[1:4])
        return replace(absent[0], name="not_told", detail=tidy(f"{absent[0].detail} {rest}"))
    if isinstance(answers.changes, Estimate):
        frame = answers.changes.frame
        open_ = frame[(frame["verdict"] == "cannot tell") & (frame["view"] == THEN)]
        if len(open_):
            widest = max(open_.to_dict("records"), key=lambda row: _number(row["smallest_reliable_change"]))
            n = min(float(widest["n_deals_now"]), float(widest["n_deals_then"]))
            what = {"won": "won", "lost": "lost", "no_decision": "left without a decision"}[str(widest["outcome"])]
            headline = f"Whether more or fewer deals are {what} than in {widest['compared_to']} cannot be told."
            detail = f"{_change(widest, n)}."
            if _number(widest["smallest_reliable_change"]) > 0:
                least = in_points(widest["smallest_reliable_change"])
                detail = f"{_change(widest, n)}; only a change beyond {least} would reliably show."
            detail += f" {count(len(open_), 'comparison')} of {len(frame[frame['view'] == THEN])} could not be told."
            keys = tuple((key, str(widest[key])) for key in ("compared_to", "view", "outcome"))
            return Finding("not_told", headline, detail, "cannot tell", "against", keys)
        unstudied = frame[(frame["verdict"] == "not studied") & (frame["view"] == THEN)]
        if len(unstudied):
            what = ", ".join(dict.fromkeys(outcome_words(str(outcome)) for outcome in unstudied["outcome"]))
            headline = f"{count(len(unstudied), 'comparison')} with earlier quarters could not be studied: {what}."
            return Finding("not_told", headline, "No such deal is on record in either quarter.", "not studied")
    untold = [card for card in cards if card.verdict == "cannot tell"]
    if untold:
        return replace(untold[0], name="not_told")
    return Finding("not_told", "Every question on this page could be told.", "", "described")


def _number(value: Any) -> float:
    return 0.0 if pd.isna(value) else float(value)
