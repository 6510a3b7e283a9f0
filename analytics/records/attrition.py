"""Attrition: every row that was read and every deal that was known is accounted for."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd

from analytics.records.contract import History
from analytics.records.definitions import Definitions
from analytics.records.firing import applicable_kinds
from analytics.records.leaving_out import exclusions
from analytics.records.rules import OutcomeRules
from analytics.records.snapshot import episodes_with_exclusion
from analytics.records.states import all_states

_EVERYTHING = Definitions()


def attrition(
    history: History, *, as_of: dt.date, rules: OutcomeRules, definitions: Definitions = _EVERYTHING
) -> pd.DataFrame:
    """Where did the rows and the deals go, from the file to the study?

    Parameters
    ----------
    history, as_of, rules, definitions
        As for `deals_as_of`, whose first episodes are the deals studied.

    Returns
    -------
    pandas.DataFrame
        One line per rule, in the order of application: `step`, `rule`, `deals` (how many this line counts; they are
        rows where `unit` is "rows"), `remaining` (after this line), `unit`. Steps: rows "read", "rejected" (by reason),
        "kept"; deals "in the history", "not yet known", "known", "left out" (by rule; the first that holds counts),
        "studied"; then "ended as": what the studied deals came to, by outcome and no-decision rule, until none remain.

    Raises
    ------
    InputError
        As `deals_as_of`.
    ValueError
        When a source did not account for a row (read is not kept + rejected), or gave one without id or day.

    Examples
    --------
    >>> rows = {"deal_id": ["A", "B"], "recorded_on": [dt.date(2025, 1, 10)] * 2, "sequence": [1, 1],
    ...         "status": ["open", "open"], "opened_on": [dt.date(2025, 1, 10), None]}
    >>> lines = attrition(History(table=pd.DataFrame(rows)), as_of=dt.date(2025, 3, 1), rules=OutcomeRules())
    >>> lines.loc[lines["deals"] > 0, ["rule", "deals", "remaining"]]
                                 rule  deals  remaining
    0            deals in the history      2          2
    2   known on or before 2025-03-01      2          2
    3                 no opening date      1          1
    7                   deals studied      1          1
    12                     still open      1          0
    """
    ended = _ended(history, as_of, rules, definitions)
    everything = _deals_in(history)
    known = int(ended["deals"].sum())
    studied = ended.loc[ended["excluded"] == 0]
    left = ended.groupby("excluded")["deals"].sum()
    lines = [*_row_lines(history), ("in the history", "deals in the history", everything, "deals", True)]
    lines.append(("not yet known", _later(as_of), everything - known, "deals", False))
    lines.append(("known", f"known on or before {as_of}", known, "deals", True))
    for number, name in enumerate(exclusions(history, definitions), start=1):
        lines.append(("left out", name, int(left.get(number, 0)), "deals", False))
    lines.append(("studied", "deals studied", int(studied["deals"].sum()), "deals", True))
    lines += [("ended as", rule, count, "deals", False) for rule, count in _endings(studied, history, rules)]
    return _with_remaining(lines)


def attrition_deals(
    history: History, *, as_of: dt.date, rules: OutcomeRules, definitions: Definitions = _EVERYTHING
) -> pd.DataFrame:
    """Which deals does each line of `attrition` take off?

    Parameters
    ----------
    history, as_of, rules, definitions
        As for `attrition`.

    Returns
    -------
    pandas.DataFrame
        `step`, `rule`, `deal_id`: every deal in the history once, at the line that takes it off what remained ("not yet
        known", "left out", "ended as").

    Raises
    ------
    InputError
        As `deals_as_of`.

    Examples
    --------
    >>> rows = {"deal_id": ["A", "B"], "recorded_on": [dt.date(2025, 1, 10)] * 2, "sequence": [1, 1],
    ...         "status": ["open", "open"], "opened_on": [dt.date(2025, 1, 10), None]}
    >>> made = attrition_deals(History(table=pd.DataFrame(rows)), as_of=dt.date(2025, 3, 1), rules=OutcomeRules())
    >>> made.values.tolist()
    [['ended as', 'still open', 'A'], ['left out', 'no opening date', 'B']]
    """
    known = episodes_with_exclusion(history, as_of=as_of, rules=rules, definitions=definitions)
    first = known.filter(known.episode == 1).select("deal_id", "excluded", "outcome", "no_decision_kind")
    frame: pd.DataFrame = first.to_pyarrow().to_pandas()
    names = exclusions(history, definitions)
    endings = {(outcome, kind): rule for rule, outcome, kind in _ending_rules(history, rules)}
    ends = zip(frame["outcome"], frame["no_decision_kind"].fillna(""), strict=True)
    rule = [names[n - 1] if n else endings[end] for n, end in zip(frame["excluded"], ends, strict=True)]
    taken = pd.DataFrame({"step": "left out", "rule": rule, "deal_id": frame["deal_id"].astype(str)})
    taken["step"] = taken["step"].mask(frame["excluded"] == 0, "ended as")
    everything = all_states(history).select("deal_id").distinct().to_pyarrow().to_pandas()["deal_id"].astype(str)
    later = everything[~everything.isin(taken["deal_id"])]
    rest = pd.DataFrame({"step": "not yet known", "rule": _later(as_of), "deal_id": later})
    return pd.concat([taken, rest]).sort_values("deal_id").reset_index(drop=True)


_Line = tuple[str, str, int, str, bool]


def _later(as_of: dt.date) -> str:
    return f"first recorded after {as_of}"


def _ended(history: History, as_of: dt.date, rules: OutcomeRules, definitions: Definitions) -> pd.DataFrame:
    known = episodes_with_exclusion(history, as_of=as_of, rules=rules, definitions=definitions)
    first: Any = known.filter(known.episode == 1)
    counted = first.group_by("excluded", "outcome", "no_decision_kind").aggregate(deals=first.count())
    frame: pd.DataFrame = counted.to_pyarrow().to_pandas()
    return frame


def _deals_in(history: History) -> int:
    """Count all deals, whenever they were recorded; a row that says neither whose nor when is the source's mistake."""
    states = all_states(history)
    broken = states.deal_id.isnull() | states.recorded_on.isnull()
    counts = (
        states.aggregate(deals=states.deal_id.nunique(), broken=broken.sum().fill_null(0)).to_pyarrow().to_pylist()[0]
    )
    if counts["broken"]:
        raise ValueError(f"the source gave {counts['broken']} rows without a deal id or a recording day")
    return int(counts["deals"])


def _row_lines(history: History) -> list[_Line]:
    """Lines for the rows read; a row is kept, or it is rejected for a reason."""
    read, kept = (sum(getattr(file, name) for file in history.files) for name in ("rows_read", "rows_kept"))
    reasons = history.rejects.groupby("reason").size() if len(history.rejects) else pd.Series(dtype="int64")
    if read != kept + int(reasons.sum()):
        raise ValueError(
            f"the source read {read} rows, kept {kept} and rejected {int(reasons.sum())}: rows are missing"
        )
    if not history.files:
        return []
    lines: list[_Line] = [("read", "rows read", read, "rows", True)]
    lines += [("rejected", str(reason), int(count), "rows", False) for reason, count in reasons.sort_index().items()]
    return [*lines, ("kept", "rows kept", kept, "rows", True)]


def _endings(studied: pd.DataFrame, history: History, rules: OutcomeRules) -> list[tuple[str, int]]:
    """Say what the studied deals came to; a rule that is switched on has its line even where it never fired."""
    counts = studied.groupby(["outcome", studied["no_decision_kind"].fillna("")])["deals"].sum()
    return [(rule, int(counts.get((outcome, kind), 0))) for rule, outcome, kind in _ending_rules(history, rules)]


def _ending_rules(history: History, rules: OutcomeRules) -> list[tuple[str, str, str]]:
    """Name what deals can come to: in words, by outcome, and by the kind of no decision."""
    said = {
        "silent": f"silent for {rules.silent_days} days",
        "pushed": f"past due and pushed {rules.pushed_times} times",
        "aged": f"older than {rules.older_than_days} days",
    }
    able = applicable_kinds(history, rules)
    endings = [("won", "won", ""), ("lost", "lost", ""), ("no decision: declared by reason", "no_decision", "declared")]
    for kind in rules.inferred_kinds:
        unable = "" if kind in able else " (not applied: the source does not record it)"
        endings.append((f"no decision: {said[kind]}{unable}", "no_decision", kind))
    return [*endings, ("closed, outcome unknown", "unknown", ""), ("still open", "open", "")]


def _with_remaining(lines: list[_Line]) -> pd.DataFrame:
    """Take each count off what remained, and check that the totals on the way agree with it."""
    frame = pd.DataFrame(lines, columns=["step", "rule", "deals", "unit", "is_total"])
    remaining, left, unit = [], 0, ""
    for _, rule, count, counted, is_total in lines:
        if is_total and counted == unit and left != count:
            raise AssertionError(f"attrition does not add up: {left} remain, but {rule} is {count}")
        left, unit = (count if is_total else left - count), counted
        remaining.append(left)
    if left != 0 and (frame["step"] == "ended as").any():
        raise AssertionError(f"attrition does not add up: {left} deals studied have no outcome")
    return frame.assign(remaining=remaining)[["step", "rule", "deals", "remaining", "unit"]]
