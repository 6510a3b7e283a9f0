"""The facts of a check: files, objects, deals, stages, tables, abilities, observation, settings, traps."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pandas as pd

from analytics.records.abilities import abilities
from analytics.records.contract import SIDE_TABLES, STATUSES, History
from analytics.records.lives import in_memory, states_known
from analytics.records.needs import WRITTEN
from analytics.records.observation import agreement, observed_since
from analytics.records.private import is_free_text
from analytics.records.rejects import rejects_by_reason
from analytics.records.sources.looked_for import objects_looked_for
from analytics.records.traps.noticed import without_history
from analytics.records.trusted import trusted_from
from analytics.studies.columns_not_used import columns_not_used
from analytics.studies.params import CompanyParams, QuarterParams
from analytics.studies.settings import settings_to_look_at

REASONS_SHOWN = 5


def asked_facts(company: CompanyParams, quarter: QuarterParams | None, as_of: dt.date) -> dict[str, Any]:
    """What was asked: the company, the quarter, the as-of date and where it is from."""
    beside = sorted(path.name for path in company.folder.glob(f"{company.company}-*.yaml"))
    return {
        "company": company.company, "title": company.title, "quarter": None if quarter is None else quarter.quarter,
        "as_of": as_of.isoformat(), "as_of_is": "the last record" if quarter is None else "the quarter's file",
        "folder": company.folder.name, "quarters_beside": beside,
        "latest_quarter": company.calendar.latest_complete(as_of).name, "source": company.source.kind,
    }  # fmt: skip


def records_facts(company: CompanyParams, history: History, as_of: dt.date) -> dict[str, Any]:
    """What the records hold, as known at the end of the as-of day."""
    history = in_memory(history)
    found = observed_since(history, as_of=as_of, close_date=company.close_date)
    trusted = trusted_from(history, as_of=as_of, close_date=company.close_date)
    able = abilities(
        history, as_of=as_of, definitions=company.definitions, rules=company.rules, segments=company.segments
    )
    return {
        "files": _files(history),
        "objects": [
            {"object": name, "found": list(places)}
            for name, places in objects_looked_for(company.source, history.files, company.folder).items()
        ],
        "columns_not_used": columns_not_used(company.source, history.files, company.folder),
        "reasons": [] if company.rules.no_decision_reasons else _reasons(history, as_of),
        "history": _history(company, history, as_of),
        "tables": [{"table": name, "rows": _rows(history, name)} for name in SIDE_TABLES],
        "abilities": [{**row, "notebook": row["study"] in WRITTEN} for row in _records(able)],
        "observed": {
            "observed_from": _day(found.observed_from),
            "params": _day(company.observed_from),
            "words": agreement(found, company.observed_from),
            "how_known": found.how_known,
        },
        "trusted": _records(trusted),
        "settings": settings_to_look_at(company, history, as_of),
        "traps": [dataclasses.asdict(seen) for seen in without_history(history.noticed) if seen.found > 0],
    }


def _files(history: History) -> list[dict[str, Any]]:
    """Rows read, kept and rejected of every file, with the commonest reasons."""
    reasons = rejects_by_reason(history.rejects)
    facts = []
    for file in history.files:
        mine = reasons[reasons["file"] == file.name].head(REASONS_SHOWN)
        facts.append(
            {
                "name": file.name,
                "rows_read": file.rows_read,
                "rows_kept": file.rows_kept,
                "rows_rejected": file.rows_rejected,
                "reasons": mine[["reason", "rows"]].to_dict("records"),
                "more_reasons": max(0, int((reasons["file"] == file.name).sum()) - len(mine)),
            }
        )
    return facts


def _reasons(history: History, as_of: dt.date) -> list[dict[str, Any]]:
    """The reasons that lost deals have now, most deals first; none where they are what people typed."""
    last = states_known(history, as_of, ["reason"]).drop_duplicates("deal_id", keep="last")
    given = last.loc[last["status"] == "closed_lost", "reason"].dropna().astype(str).str.strip()
    counts = given[given != ""].value_counts()
    if is_free_text(list(counts.index), int(counts.sum())):
        return []
    ordered = sorted(counts.items(), key=lambda one: (-one[1], str(one[0])))
    return [{"reason": str(reason), "deals": int(deals)} for reason, deals in ordered]


def _rows(history: History, table: str) -> int | None:
    return len(history.side[table]) if table in history.side else None


def _history(company: CompanyParams, history: History, as_of: dt.date) -> dict[str, Any]:
    """Deals, days, statuses and stages."""
    states = states_known(history, as_of, ["stage", *history.attributes])
    last = states.drop_duplicates("deal_id", keep="last")
    statuses = last["status"].value_counts()
    days = states["recorded_on"]
    return {
        "kind": history.kind,
        "deals": len(last),
        "states": len(states),
        "first_opened": _day(last["opened_on"].min()),
        "first_record": _day(days.min()),
        "last_record": _day(days.max()),
        "known_to": _day(history.known_to),
        "statuses": {name: int(statuses.get(name, 0)) for name in STATUSES},
        "stages": _stages(states, last, company.stages),
        "attributes": {name: int(last[name].notna().sum()) for name in history.attributes},
    }


def _stages(states: pd.DataFrame, last: pd.DataFrame, order: tuple[str, ...]) -> list[dict[str, Any]]:
    """Each stage with what it means, in the params' order, then by how many deals stand there."""
    meanings = states.dropna(subset=["stage"]).groupby("stage")["status"].agg(lambda status: sorted(set(status)))
    now = last["stage"].value_counts()
    facts = [
        {"stage": str(stage), "means": list(means), "deals_now": int(now.get(stage, 0))}
        for stage, means in meanings.items()
    ]
    places = {stage: place for place, stage in enumerate(order)}
    end = len(places)
    return sorted(facts, key=lambda one: (places.get(one["stage"], end), "open" not in one["means"], -one["deals_now"]))


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON types: days as text, missing values as None."""
    return [
        {str(name): _plain(value) for name, value in row.items()} for row in frame.astype(object).to_dict("records")
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return _day(value)
    if value is pd.NaT or (isinstance(value, float) and value != value):
        return None
    return bool(value) if isinstance(value, bool) else value


def _day(value: Any) -> str | None:
    if value is None or pd.isna(value):
        return None
    return f"{value:%Y-%m-%d}"
