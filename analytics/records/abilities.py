"""Which questions these records can answer, and which table or column would make the others possible."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

import pandas as pd

from analytics.records.contract import History
from analytics.records.definitions import Definitions
from analytics.records.lives import side_known, states_known
from analytics.records.needs import NEEDS, PARTS, Part
from analytics.records.rules import OutcomeRules
from analytics.records.trusted import changes_of

_FILLED = (
    "account_id", "owner_id", "source", "amount", "expected_close_on", "probability", "forecast_category",
)  # fmt: skip
_TABLES = {
    "activities": "occurred_on", "owners": "recorded_on", "quotas": "recorded_on", "reviews": "held_on",
    "forecast_submissions": "submitted_on",
}  # fmt: skip
_RULES = ("silent_days", "pushed_times", "older_than_days")
COLUMNS = ("study", "question", "possible", "needs", "words")


def abilities(
    history: History,
    *,
    as_of: dt.date,
    definitions: Definitions,
    rules: OutcomeRules,
    segments: Sequence[str] = (),
) -> pd.DataFrame:
    """Which questions can be answered from these records?

    Parameters
    ----------
    history : History
        What was recorded.
    as_of : datetime.date
        Only what was known at the end of this day counts.
    definitions, rules
        As for a study.
    segments : sequence of str
        Columns to split by.

    Returns
    -------
    pandas.DataFrame
        One line per part of a study: `study`, `question`, `possible` (yes, partly, no), `needs` (what is missing, as
        named in `NEEDS`), `words` (one line: what would make it possible, or better).

    Examples
    --------
    >>> rows = {"deal_id": ["A"], "recorded_on": [dt.date(2025, 1, 10)], "sequence": [0], "status": ["open"],
    ...         "opened_on": [dt.date(2025, 1, 10)], "owner_id": ["U1"]}
    >>> lines = abilities(History(table=pd.DataFrame(rows)), as_of=dt.date(2025, 3, 1), definitions=Definitions(),
    ...                   rules=OutcomeRules())
    >>> lines.loc[lines["study"] == "reviews", "words"].tolist()
    ['Not studied: it needs the reviews table (side: reviews).']
    """
    found = needs_met(history, as_of=as_of, definitions=definitions, rules=rules, segments=segments)
    return pd.DataFrame([_line(part, found) for part in PARTS], columns=list(COLUMNS))


def needs_met(
    history: History, *, as_of: dt.date, definitions: Definitions, rules: OutcomeRules, segments: Sequence[str] = ()
) -> frozenset[str]:
    """Return the keys of `NEEDS` that these records and definitions meet."""
    met = {
        *_from_states(history, as_of, definitions, rules, segments),
        *_from_tables(history, as_of),
        *(rule for rule in _RULES if getattr(rules, rule) is not None),
    }
    if definitions.qualification_stage is not None:
        met.add("qualification stage")
    if definitions.stages or "stages" in history.side:
        met.add("stage order")
    return frozenset(met)


def _from_states(
    history: History, as_of: dt.date, definitions: Definitions, rules: OutcomeRules, segments: Sequence[str]
) -> Iterator[str]:
    changing = [need.removeprefix("changes of ") for need in NEEDS if need.startswith("changes of ")]
    columns = dict.fromkeys((*_FILLED, *changing, "reason", "currency", *history.attributes))
    states = states_known(history, as_of, columns)
    yield from (name for name in _FILLED if states[name].notna().any())
    if history.kind == "recorded":
        yield "history"
        yield from (f"changes of {name}" for name in changing if changes_of(states, name).any())
    closed = states[states["status"] != "open"]
    if definitions.close_date == "typed" and closed["closed_on"].notna().any():
        yield "closing dates"
    reasons = closed.loc[closed["status"] == "closed_lost", "reason"].dropna().astype(str)
    if len(reasons):
        yield "reason"
    if reasons.str.strip().str.lower().isin(rules.reason_keys).any():
        yield "no-decision reasons"
    currencies = states.loc[states["amount"].notna(), "currency"].dropna().nunique()
    if definitions.currency.policy != "own" or currencies <= 1:
        yield "one currency"
    if any(name in states and states[name].notna().any() for name in segments):
        yield "segments"


def _from_tables(history: History, as_of: dt.date) -> Iterator[str]:
    for name, event in _TABLES.items():
        table = side_known(history, name, as_of, event)
        if table is None or not len(table):
            continue
        yield name
        if name == "activities" and _says(table["side"], "buyer"):
            yield "buyer activities"
        if name == "reviews" and _says(table["respondent"], "buyer"):
            yield "buyer reviews"
        if name == "owners" and bool(table["start_on"].notna().any()):
            yield "owner dates"


def _says(texts: pd.Series[str], word: str) -> bool:
    return bool((texts.dropna().astype(str).str.strip().str.lower() == word).any())


def _line(part: Part, found: frozenset[str]) -> tuple[str, str, str, str, str]:
    lacks = [need for need in part.needs if need not in found]
    if lacks:
        words = f"Not studied: it needs {_and(lacks)}."
        return part.study, part.question, "no", ", ".join(lacks), words
    misses = [need for need in part.better if need not in found]
    if misses:
        words = f"Studied without {_and(misses)}."
        return part.study, part.question, "partly", ", ".join(misses), words
    return part.study, part.question, "yes", "", ""


def _and(needs: Sequence[str]) -> str:
    return "; and ".join(NEEDS[need] for need in needs)
