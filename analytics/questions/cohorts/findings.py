"""What the comparison of segments says, in plain sentences in a fixed order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from analytics.estimators.contrasts import verdict
from analytics.estimators.rates import quantile
from analytics.estimators.result import Estimate, Finding, Verdict
from analytics.estimators.sentences import (
    change_with_interval,
    count,
    decimals,
    in_points,
    percent,
    share_with_interval,
)  # fmt: skip
from analytics.questions.cohorts.changes import appeared_or_vanished
from analytics.questions.cohorts.contrasts import JUDGED
from analytics.questions.cohorts.omnibus import FALSE_DISCOVERIES
from analytics.questions.cohorts.splitting import OWNER, words_of
from analytics.questions.cohorts.wording import RANDOMISED, relation

Answer = Estimate | Finding | None
Row = Mapping[Any, Any]
MOST_CARDS = 4


@dataclass(frozen=True)
class Answers:
    """What the questions returned: Estimates, or the Findings in their place.

    `ranking` from `overdispersion`, `rates`, `family` from `omnibus`, `differences` from `contrasts`, `parts` from
    `quarter_on_quarter`, `cohort` the Findings of `described`, and the declared `designs` (segment -> "randomised").

    Examples
    --------
    >>> nothing = Finding("x", "No deal.", "", "not studied")
    >>> Answers(nothing, nothing, nothing, nothing).parts is None
    True
    """

    ranking: Answer
    rates: Answer
    family: Answer
    differences: Answer
    parts: Answer = None
    cohort: Sequence[Finding] = ()
    designs: Mapping[str, str] = field(default_factory=dict)


def findings(answers: Answers) -> tuple[Finding, ...]:
    """What should be said about the segments?

    Parameters
    ----------
    answers : Answers
        What the questions returned.

    Returns
    -------
    tuple of Finding
        In this order: ranking (of owners, else of all segments), which segments differ, one card per segment that
        does (at most four), what one mix of deals changes, what appeared or vanished, the smallest difference that
        would show, what was not split by.

    Notes
    -----
    Differences are "associated with" a level unless `designs` declares that the level was given by lot. The interval of
    a level that was picked among several knows it (Benjamini & Yekutieli 2005, JASA 100:71).

    Examples
    --------
    >>> nothing = Finding("cohort", "No deal.", "", "not studied")
    >>> [card.headline for card in findings(Answers(nothing, nothing, nothing, nothing))]
    ['No deal.']
    """
    asked = (answers.ranking, answers.rates, answers.family, answers.differences)
    if all(isinstance(answer, Finding) for answer in asked):
        first = next(answer for answer in asked if isinstance(answer, Finding))
        return (Finding("cohort", first.headline, first.detail, first.verdict), *answers.cohort[1:])
    cards = [
        _ranking(answers.ranking, answers.family),
        _family(answers.family),
        *_levels(answers),
        _one_mix(answers.rates),
    ]
    if answers.parts is not None:
        cards.append(appeared_or_vanished(answers.parts))
    cards += [_smallest(answers.differences), *answers.cohort[1:]]
    return tuple(card for card in cards if card is not None)


def _ranking(ranking: Answer, family: Answer) -> Finding | None:
    if not isinstance(ranking, Estimate):
        return ranking
    rows = ranking.frame[ranking.frame["estimate"].notna()].to_dict("records")
    if not rows:
        return None
    row = next((row for row in rows if row["segment"] == OWNER), rows[0])
    headline, _, rest = str(row["sentence"]).partition(": ")
    others = [str(other["sentence"]).partition(":")[0] for other in rows if other is not row]
    listed = f"{'. '.join(others)}." if others else ""
    detail = f"{rest[:1].upper()}{rest[1:]} Shares of closed deals only.{_with_open(row, family)} {listed}"
    keys = (("segment", str(row["segment"])),)
    return Finding("ranking", f"{headline}.", detail.strip(), row["verdict"], "overdispersion", keys)


def _with_open(row: Row, family: Answer) -> str:
    """Say where closed deals show nothing, and deals with those still open counted do."""
    if not isinstance(family, Estimate) or row["verdict"] != "cannot tell":
        return ""
    shown = family.at(segment=row["segment"])["shown"].astype(bool).any()
    said = (
        " With deals still open counted, shares won do differ by more than chance: look at how many each leaves open."
    )
    return said if shown else ""


def _family(family: Answer) -> Finding | None:
    if not isinstance(family, Estimate):
        return family
    frame = family.frame[family.frame["p_adjusted"].notna()]
    if frame.empty:
        return None
    shown = [words_of(str(name)) for name in frame.loc[frame["shown"].astype(bool), "segment"]]
    looked = count(len(frame), "segment")
    if shown:
        verb = "differ" if len(shown) > 1 else "differs"
        headline = f"{len(shown)} of {looked} {verb} by more than chance in the share of deals won: {', '.join(shown)}."
    else:
        headline = f"None of {looked} is shown to differ in the share of deals won."
    tested = [f"{words_of(str(row['segment']))} {_p(row['p_adjusted'])}" for row in frame.to_dict("records")]
    detail = f"Adjusted over the declared family: {', '.join(tested)}. {count(family.meta.n_deals, 'deal')}."
    keys = (("segment", str(frame.sort_values("p_adjusted", kind="stable")["segment"].iloc[0])),)
    said: Verdict = "shown, size unclear" if shown else "cannot tell"
    return Finding("which_segments_differ", headline, detail, said, "omnibus", keys)


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _levels(answers: Answers) -> list[Finding]:
    if not isinstance(answers.differences, Estimate) or not isinstance(answers.family, Estimate):
        return []
    tests, frame = answers.family.frame, answers.differences.frame
    shown = [str(name) for name in tests.loc[tests["shown"].astype(bool), "segment"]]
    inner = FALSE_DISCOVERIES * len(shown) / max(len(tests), 1)
    cards = []
    for segment in shown:
        rows = frame[(frame["segment"] == segment) & frame["estimate"].notna()]
        judged = rows[rows["kind"] == (JUDGED if (rows["kind"] == JUDGED).any() else "raw")]
        found = judged[(judged["p_adjusted"] <= inner) & (judged["verdict"] != "cannot tell")]
        if len(found):
            miss = inner * len(found) / len(judged)
            cards.append(_level_card(rows, found, (len(judged), miss), answers.designs))
    return cards[:MOST_CARDS]


def _level_card(rows: pd.DataFrame, found: pd.DataFrame, looked: tuple[int, float], designs: Mapping[str, str]
                ) -> Finding:  # fmt: skip
    row = found.iloc[int(np.argmax(found["estimate"].abs().to_numpy(dtype=float)))].to_dict()
    looked_at, miss = looked
    segment, level, more = str(row["segment"]), str(row["level"]), float(row["estimate"]) > 0
    n = float(min(row["n_deals"], row["n_rest"]))
    low, high = _wider(row, miss)
    said = verdict(float(row["estimate"]), float(row["std_error"]), low, high, float(row["margin"]))
    change = change_with_interval(float(row["estimate"]), low, high, n)
    digits = decimals(n)
    alike = f" made alike in {row['alike_in']}" if row["kind"] == JUDGED and row["alike_in"] else ""
    headline = (
        f"Deals with {words_of(segment)} {level} were won {'more' if more else 'less'} often than the others: "
        f"{percent(row['share_level'], digits)} against {percent(row['share_rest'], digits)}."
    )
    tie = relation(segment, level, change, more=more, designs=designs)
    raw = rows[(rows["level"] == level) & (rows["kind"] == "raw")].to_dict("records")
    beside = f" As they are: {_change(raw[0], n)}." if raw and row["kind"] == JUDGED else ""
    others = [f"{other['level']} {_change(other, n)}" for other in found.to_dict("records") if other["level"] != level]
    also = f" Also: {', '.join(others)}." if others else ""
    sizes = f"{row['n_deals']:,.0f} and {count(row['n_rest'], 'deal')}"
    detail = (
        f"Among deals{alike}, {tie}; {sizes}.{beside}{also} Picked from {count(looked_at, 'level')}, the interval "
        f"knows it.{_e_value(row, designs)}"
    )
    keys = (("segment", segment), ("level", level), ("kind", str(row["kind"])))
    return Finding(f"segment_{segment}", headline, detail, said, "contrasts", keys)


def _wider(row: Row, miss: float) -> tuple[float, float]:
    reach = quantile(1 - miss) * float(row["std_error"])
    return max(float(row["estimate"]) - reach, -1.0), min(float(row["estimate"]) + reach, 1.0)


def _change(row: Row, n: float) -> str:
    return change_with_interval(float(row["estimate"]), float(row["conf_low"]), float(row["conf_high"]), n)


def _e_value(row: Row, designs: Mapping[str, str]) -> str:
    value, limit = float(row["e_value"]), float(row["e_value_limit"])
    if designs.get(str(row["segment"])) == RANDOMISED or not np.isfinite([value, limit]).all():
        return ""
    return (
        f" Something unrecorded would explain it only if it went with both the {words_of(str(row['segment']))} and "
        f"winning by a ratio of {value:.1f} (E-value; {limit:.1f} for the limit)."
    )


def _one_mix(rates: Answer) -> Finding | None:
    if not isinstance(rates, Estimate):
        return rates
    frame = rates.frame[(rates.frame["segment"] != OWNER) & rates.frame["estimate"].notna()]
    raw, even = (frame[frame["kind"] == kind] for kind in ("raw", "standardised"))
    pairs = raw.merge(even, on=["segment", "level"], suffixes=("_raw", "_even"))
    if pairs.empty:
        return Finding("one_mix", "What one mix of deals would change cannot be told.", rates.meta.note, "cannot tell")
    moved = (pairs["estimate_even"] - pairs["estimate_raw"]).abs().to_numpy(dtype=float)
    row = pairs.iloc[int(np.argmax(moved))].to_dict()
    segment, level, n = str(row["segment"]), str(row["level"]), float(row["n_deals_raw"])
    shares = [
        share_with_interval(
            float(row[f"estimate_{kind}"]), float(row[f"conf_low_{kind}"]), float(row[f"conf_high_{kind}"]), n
        )
        for kind in ("raw", "even")
    ]
    most = in_points(float(moved.max()), 1)
    headline = f"With one mix of deals for all levels no share moves by more than {most}."
    detail = (
        f"Most: {words_of(segment)} {level}, {shares[0]} as it is, {shares[1]} with the mix of all deals; "
        f"{count(n, 'deal')}."
    )
    keys = (("segment", segment), ("level", level), ("kind", "standardised"))
    return Finding("one_mix", headline, detail, "described", "rates", keys)


def _smallest(differences: Answer) -> Finding | None:
    if not isinstance(differences, Estimate):
        return differences
    frame = differences.frame
    judged = frame[(frame["kind"] == JUDGED) & frame["smallest_reliable_change"].notna()]
    judged = judged if len(judged) else frame[frame["smallest_reliable_change"].notna()]
    if judged.empty:
        return None
    judged = judged.sort_values("smallest_reliable_change", kind="stable")
    least, most = judged.iloc[0].to_dict(), judged.iloc[-1].to_dict()
    untold = int((judged["verdict"] == "cannot tell").sum())
    headline = (
        f"Only differences beyond {in_points(least['smallest_reliable_change'])} would reliably have been shown large "
        "enough to matter."
    )
    detail = (
        f"That is {words_of(str(least['segment']))} {least['level']} ({count(least['n_deals'], 'deal')}); for "
        f"{words_of(str(most['segment']))} {most['level']} ({count(most['n_deals'], 'deal')}) it takes "
        f"{in_points(most['smallest_reliable_change'])}. Large enough to matter is more than "
        f"{in_points(least['margin'], 1)}. {count(untold, 'comparison')} of {len(judged)} could not be told."
    )
    keys = tuple((key, str(least[key])) for key in ("segment", "level", "kind"))
    return Finding("smallest_difference", headline, detail, "described", "contrasts", keys)
