"""Settings that an analyst should look at once: what the params say against what the records hold."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

import pandas as pd

from analytics.records.contract import History
from analytics.records.errors import nearest
from analytics.records.lives import first_lives, states_known
from analytics.records.rejects import rejects_by_reason
from analytics.studies.params import CompanyParams

_WEEK = 7
_MANY_REJECTED = 0.05
_OF_CHANGES = re.compile(r"history|histories|audit|flow|changes", re.IGNORECASE)


def settings_to_look_at(params: CompanyParams, history: History, as_of: dt.date) -> list[str]:
    """Which settings could be read in two ways, or fit nothing in the records?

    Parameters
    ----------
    params : CompanyParams
        The company's checked params.
    history : History
        Its records.
    as_of : datetime.date
        Only what was recorded by the end of this day counts.

    Returns
    -------
    list of str
        One sentence each, none of which names a deal.

    Examples
    --------
    >>> import pandas as pd
    >>> from analytics.records.sources.mapping import SimulatedSource
    >>> params = CompanyParams(company="acme", title="Acme", source=SimulatedSource(kind="simulated", seed=1))
    >>> rows = {"deal_id": ["A"], "recorded_on": [dt.date(2025, 1, 10)], "sequence": [0], "status": ["closed_lost"],
    ...         "opened_on": [dt.date(2025, 1, 10)], "reason": ["Price"]}
    >>> settings_to_look_at(params, History(table=pd.DataFrame(rows)), dt.date(2025, 3, 1))[0]
    'rules.no_decision_reasons is empty, so no lost deal counts as declared no decision; 1 reason is in use.'
    """
    states = states_known(history, as_of, ["stage", "reason", "amount", "currency"])
    return [
        *_files(history), *_reasons(params, states), *_rules(params, history), *_stages(params, states),
        *_money(params, states), *_dates(params, history, states, as_of),
    ]  # fmt: skip


def _files(history: History) -> Iterator[str]:
    """Files that are there and say nothing, or of which many rows were of no use."""
    reasons = rejects_by_reason(history.rejects)
    for file in history.files:
        if not file.rows_read:
            rebuilt = history.kind == "current_only" and _OF_CHANGES.search(file.name)
            yield f"{file.name} has no rows{': earlier dates are rebuilt from today' if rebuilt else ''}."
        elif file.rows_rejected > _MANY_REJECTED * file.rows_read:
            why = reasons.loc[reasons["file"] == file.name, "reason"].iloc[0]
            yield (
                f"{file.name}: {file.rows_rejected:,} of {file.rows_read:,} rows were rejected, most of them for this: "
                f"{why}."
            )


def _unmapped_reason(params: CompanyParams, states: pd.DataFrame) -> Iterator[str]:
    if states["reason"].notna().any() or not (states["status"] == "closed_lost").any():
        return
    own = "reason" in type(params.source).model_fields
    history = getattr(params.source, "history", None)
    columns = {**getattr(params.source, "columns", {}), **getattr(history, "columns", {})}
    mapped = getattr(params.source, "reason", None) if own else columns.get("reason")
    if mapped is None:
        key = "source.reason" if own else "source.columns: {reason: …}"
        yield f"no column is mapped as reason, so no lost deal counts as declared no decision; name it under {key}."
    else:
        yield f"the column {mapped!r} is mapped as reason, and no deal has one."


def _reasons(params: CompanyParams, states: pd.DataFrame) -> Iterator[str]:
    yield from _unmapped_reason(params, states)
    given = states.loc[states["status"] == "closed_lost", "reason"].dropna().astype(str).str.strip()
    used = sorted(given.unique())
    if not params.rules.no_decision_reasons and used:
        found = "1 reason is" if len(used) == 1 else f"{len(used):,} reasons are"
        yield f"rules.no_decision_reasons is empty, so no lost deal counts as declared no decision; {found} in use."
    known = {reason.lower() for reason in used}
    for reason in params.rules.no_decision_reasons:
        if reason.strip().lower() not in known:
            hint = f" ({nearest(reason, used)})" if 0 < len(used) <= _FEW else ""
            yield f"rules.no_decision_reasons: no lost deal has the reason {reason!r}{hint}."


_FEW = 50
"""A field with more different texts than this is free text, of which nothing is shown."""


def _rules(params: CompanyParams, history: History) -> Iterator[str]:
    if params.rules.silent_days is not None and "activities" not in history.side:
        yield "rules.silent_days is set, but there are no activities: the rule never fires."
    if params.rules.pushed_times is not None and history.kind == "current_only":
        yield "rules.pushed_times is set, but only today's state is known: the rule never fires."


def _stages(params: CompanyParams, states: pd.DataFrame) -> Iterator[str]:
    found = set(states.loc[states["status"] == "open", "stage"].dropna().astype(str))
    for stage in params.stages:
        if stage not in found:
            yield f"stages: no open deal was ever in the stage {stage!r} ({nearest(stage, found)})."
    unlisted = sorted(found - set(params.stages))
    if params.stages and unlisted:
        yield f"stages does not list these open stages, which have no place in the order: {', '.join(unlisted[:_FEW])}."
    if not params.stages and len(found) > 1:
        yield "stages is not set: the order of the open stages is known only where the source has a stages table."


def _money(params: CompanyParams, states: pd.DataFrame) -> Iterator[str]:
    found = sorted(states.loc[states["amount"].notna(), "currency"].dropna().astype(str).unique())
    if params.currency.policy == "own" and len(found) > 1:
        yield f"currency.policy: own converts nothing, and amounts are in {', '.join(found)}: they cannot be added up."
    if states["amount"].notna().any() and not found:
        yield "amounts have no currency: they are added up as if they were in one (source.constants: {currency: …})."


def _dates(params: CompanyParams, history: History, states: pd.DataFrame, as_of: dt.date) -> Iterator[str]:
    if getattr(params.source, "extracted_on", dt.date.min) is None:
        yield f"source.extracted_on is not set: the last record, of {history.known_to}, stands for the export's day."
    if params.timezone is None and hasattr(params.source, "objects"):
        yield "timezone is not set: moments are dated as they are written, which is UTC in most exports of a CRM."
    lives = first_lives(states, as_of, "recorded")
    if not len(lives):
        return
    if history.kind == "recorded":
        typed = first_lives(states, as_of, "typed")["closed"].reindex(lives.index)
        apart = (lives["closed"] - typed).dt.days[lives["typed"]]
        late = int((apart > _WEEK).sum())
        if late:
            yield (
                f"close_date: {params.close_date}. The typed closing day lies more than a week before the recorded one "
                f"for {late:,} of {int(lives['typed'].sum()):,} closings: typed counts when it happened, recorded when "
                "it was known."
            )
    followed = (pd.Timestamp(as_of) - lives["opened"].min()).days
    if followed < params.horizon_days:
        yield f"horizon_days: {params.horizon_days} is longer than the oldest deal was followed, {followed:,} days."
