"""Numbers to names: stages, pipelines and the options of custom fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.errors import InputError
from analytics.records.sources.conform import Reader
from analytics.records.sources.objects import column_of, read_object
from analytics.records.sources.pipedrive.fields import DEAL_FIELDS, PIPELINES, STAGES
from analytics.records.sources.pipedrive.mapping import PipedriveSource

STATUSES = {"open": "open", "won": "closed_won", "lost": "closed_lost"}
"""Pipedrive's status -> the contract's; `deleted` is none of them."""


@dataclass(frozen=True)
class Names:
    """What the numbers of an export are called.

    `stages` and `pipelines` map ids to names and are empty where the export lacks the object; `probability` maps a
    stage's id to the share that is set for it today; `options` maps a field to its option numbers and labels; `table`
    is the side table of stages.
    """

    stages: Mapping[str, str] = field(default_factory=dict)
    pipelines: Mapping[str, str] = field(default_factory=dict)
    probability: Mapping[str, float] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    table: pd.DataFrame | None = None


def read_names(source: PipedriveSource, reader: Reader) -> Names:
    """Read stages, pipelines and dealFields, as far as they are there.

    A name that two pipelines share gets the id added; stages of two pipelines may share a name.
    """
    stages, pipelines = read_object(STAGES, source, reader), read_object(PIPELINES, source, reader)
    titles: dict[str, str] = {}
    if pipelines is not None:
        pipelines.require_unique("id", "id")
        twice = pipelines.frame["name"].duplicated(keep=False)
        written = pipelines.frame["name"].where(~twice, pipelines.frame["name"] + " (" + pipelines.frame["id"] + ")")
        titles = dict(zip(pipelines.frame["id"], written, strict=True))
    options = _options(source, reader)
    if stages is None:
        return Names(pipelines=titles, options=options)
    stages.require_unique("id", "id")
    frame = stages.frame
    pipeline = column_of(frame, "pipeline_id").map(lambda key: titles.get(key, key))
    share = column_of(frame, "deal_probability").astype("float64") / 100
    order = column_of(frame, "order_nr").astype("float64")
    table = pd.DataFrame({"stage": frame["name"], "order": order, "pipeline": pipeline})[order.notna()]
    return Names(
        dict(zip(frame["id"], frame["name"], strict=True)),
        titles,
        {key: value for key, value in zip(frame["id"], share, strict=True) if pd.notna(value)},
        options,
        table.assign(order=table["order"].astype("int64")),
    )


def _options(source: PipedriveSource, reader: Reader) -> dict[str, dict[str, str]]:
    rows = read_object(DEAL_FIELDS, source, reader)
    if rows is None:
        return {}
    parsed = rows.frame["options"].map(_labels)
    rows = rows.without(parsed.isna(), "options is not the JSON of a list of options")
    return {key: labels for key, labels in zip(rows.frame["key"], parsed[parsed.notna()], strict=True) if labels}


def _labels(text: str | None) -> dict[str, str] | None:
    if text is None:
        return {}
    try:
        return {str(option["id"]): str(option["label"]) for option in json.loads(text) or []}
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def labelled(texts: pd.Series, labels: Mapping[str, str]) -> pd.Series:
    """Put labels in place of option numbers; several options of one value stay in their order.

    Examples
    --------
    >>> labelled(pd.Series(["12", "12,13", "free text"], dtype=object), {"12": "SMB", "13": "Ent"}).tolist()
    ['SMB', 'SMB, Ent', 'free text']
    """
    return pd.Series([_labelled(text, labels) for text in texts], index=texts.index, dtype=object)


def _labelled(text: str | None, labels: Mapping[str, str]) -> str | None:
    parts = [] if text is None else [part.strip() for part in text.split(",")]
    return ", ".join(labels[part] for part in parts) if parts and all(part in labels for part in parts) else text


def statuses(texts: pd.Series) -> pd.Series:
    """Read statuses; missing stays missing.

    Raises
    ------
    InputError
        For a status that is none of open, won, lost and deleted.
    """
    found = pd.Series(
        [None if text is None else {**STATUSES, "deleted": "deleted"}.get(text.lower()) for text in texts],
        index=texts.index,
        dtype=object,
    )
    strange = texts[texts.notna() & found.isna()]
    if len(strange):
        raise InputError(
            "nothing says whether this status is open, won or lost",
            column="status",
            value=strange.iloc[0],
            action=f"Name it in the params: values: {{status: {{{strange.iloc[0]}: won}}}}, or open, or lost",
        )
    return found


def check_stages(deals: pd.DataFrame, names: Names) -> None:
    """Check that the stages are those of the deals.

    Raises
    ------
    InputError
        Where not one deal stands in a stage that the list of stages has, by its id or by its name.
    """
    known = {*names.stages, *names.stages.values()}
    standing = deals["stage_id"].dropna()
    if names.stages and len(standing) and not standing.isin(known).any():
        raise InputError(
            "the list of stages has none of the stages in which the deals stand",
            column="stage_id",
            value=standing.iloc[0],
            action="Export stages and deals from one account, deleted stages included",
        )


def unknown_stages(states: pd.DataFrame, names: Names) -> Noticed:
    """Count the states in a stage that the list of stages lacks: a deleted one."""
    said = states["stage_id"].notna()
    known = {*names.stages, *names.stages.values()}
    lacking = int((said & ~states["stage_id"].isin(known)).sum()) if names.stages else 0
    what, rule = "stage that the list of stages lacks", "kept under its number: the stage was deleted since"
    return Noticed(9, what, lacking, int(said.sum()), "rows", rule)
