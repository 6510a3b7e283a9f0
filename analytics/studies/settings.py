"""Settings that an analyst should look at once: what the params say against what the records hold."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pandas as pd

from analytics.records.contract import History
from analytics.records.errors import nearest
from analytics.records.lives import first_lives, states_known
from analytics.studies.params import CompanyParams

_WEEK = 7


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
        *_reasons(params, states), *_rules(params, history), *_stages(params, states), *_money(params, states),
        *_dates(params, history, states, as_of),
    ]  # fmt: skip


def _reasons(params: CompanyParams, states: pd.DataFrame) -> Iterator[str]:
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
