"""Entries into stages, from the columns of the deals that hold one date per stage."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.errors import InputError
from analytics.records.sources.conform import MOMENT
from analytics.records.sources.hubspot.deals import Deals
from analytics.records.sources.hubspot.fields import STAGES
from analytics.records.sources.hubspot.mapping import HubspotSource
from analytics.records.sources.hubspot.stages import ACTION, DEFAULT_PIPELINE, Stage
from analytics.records.sources.objects import column_of, plain_name
from analytics.records.sources.values import clean_texts

QUOTES = '["\u201c\u201d]*'
ENTERED = re.compile(
    rf"(?:propert(?:y|ies)[ ._]*)?(?:hs[ _]*)?(?:v[ _]*2[ _]*)?date[ _]*entered[ _]*{QUOTES}(.+?){QUOTES}",
    re.IGNORECASE,
)
"""`hs_v2_date_entered_<id>`, and the portal's `Date entered "<label> (<pipeline>)"`."""


@dataclass(frozen=True)
class Place:
    """The stage that a header means, as a row writes it, and the names of its pipeline (none: nothing says)."""

    stage: str
    pipelines: tuple[str, ...] = ()


def stage_entries(
    source: HubspotSource, deals: Deals, listed: Sequence[Stage]
) -> tuple[pd.DataFrame | None, list[Noticed]]:
    """Read the last entry into each stage, from the columns of the deals that say so; None where there is none.

    A header names a stage by its id, or by its label with the pipeline in brackets. It is looked for in the list of
    stages, then among the stages in which the deals stand today, then among the stages of the params. An entry into a
    stage of another pipeline than today's says that the deal was in that pipeline.

    Raises
    ------
    InputError
        Where a column with dates names a stage that is nowhere, and no list of stages is there.
    """
    parts, strange, unread, said = [], [], 0, 0
    for header, text in _columns(deals):
        texts = clean_texts(deals.rows.raw.frame[header].loc[deals.frame.index], source.read.missing)
        moments = deals.clock.moments(texts)
        unread, said = unread + int((texts.notna() & moments.isna()).sum()), said + int(texts.notna().sum())
        place = _place(text, source, deals, listed)
        if place is None:
            strange += [header] if texts.notna().any() else []
        else:
            parts.append(_of_column(deals.frame, moments, place))
    _refuse(strange, deals)
    filled = [part for part in parts if len(part)]
    if not filled:
        return None, []
    entries = pd.concat(filled, ignore_index=True).sort_values(["deal_id", "value", MOMENT], kind="stable")
    entries = entries.drop_duplicates(["deal_id", "value", "pipeline"], keep="last")
    what = "entry into a stage known from one date per stage: an earlier entry into the same stage is overwritten"
    rule = "the last entry counts; property history would tell all of them"
    seen = [Noticed(8, what, len(entries), len(entries), "rows", rule)]
    if unread:
        seen.append(Noticed(8, "entry date of a stage that cannot be read", unread, said, "rows", "left empty"))
    return _with_pipelines(entries), seen


def _columns(deals: Deals) -> Iterator[tuple[str, str]]:
    """Headers of entry dates, each with the stage that it names."""
    for header in deals.rows.raw.columns:
        match = ENTERED.fullmatch(header.strip())
        if match and plain_name(match[1]) != "currentstage":  # says which stage only of today
            yield header, match[1].strip()


def _place(text: str, source: HubspotSource, deals: Deals, listed: Sequence[Stage]) -> Place | None:
    stages = [stage for stage in listed if stage.id]
    pairs = pd.DataFrame({"p": column_of(deals.everything, "pipeline"), "s": deals.everything["dealstage"]})
    pairs = pairs[pairs["s"].notna()].drop_duplicates()
    standing = [((f"{s} ({p})", s), Place(s, (p,) if isinstance(p, str) else ())) for p, s in pairs.to_numpy()]
    of_list = [
        (
            (stage.full_label, stage.id, stage.label),
            Place(stage.id, (str(stage.pipeline), str(stage.pipeline_label))),
        )
        for stage in stages
    ]
    found = _named(text, of_list) or _named(text, standing)
    if found is not None:
        return found
    pipelines: dict[str, tuple[str, ...]] = {p: (p,) for p in pairs["p"] if isinstance(p, str)}
    pipelines |= {str(stage.pipeline_label): (str(stage.pipeline), str(stage.pipeline_label)) for stage in listed}
    for pipeline, names in sorted(pipelines.items()):
        if text.endswith(f" ({pipeline})"):
            return Place(text.removesuffix(f" ({pipeline})").strip(), names)
    stated = [*source.open_stages, *source.won_stages, *source.lost_stages, *DEFAULT_PIPELINE]
    in_params = next((name for name in stated if _same(name, text)), None)
    if in_params is not None:
        return Place(in_params)
    return Place(text) if stages else None  # HubSpot deletes stages for good: its list no longer has them


def _named(text: str, stages: Sequence[tuple[tuple[str, ...], Place]]) -> Place | None:
    """Return the one stage that has the name; where several pipelines have it, the deal's own pipeline decides."""
    for at in range(3):
        called = [(names[at], place) for names, place in stages if at < len(names)]
        for found in (
            {place for name, place in called if name == text},
            {place for name, place in called if _same(name, text)},
        ):
            if len(found) == 1:
                return found.pop()
            if len({place.stage for place in found}) == 1:
                return Place(found.pop().stage)
    return None


def _same(name: str, text: str) -> bool:
    return name == text or (plain_name(name) != "" and plain_name(name) == plain_name(text))


def _of_column(deals: pd.DataFrame, moments: pd.Series, place: Place) -> pd.DataFrame:
    today = column_of(deals, "pipeline")
    moved = today.notna() & ~today.isin(place.pipelines) if place.pipelines else today.notna() & False
    pipeline = today.mask(moved, place.pipelines[0]) if place.pipelines else today
    part = pd.DataFrame({"deal_id": deals["hs_object_id"], MOMENT: moments, "pipeline": pipeline, "moved": moved})
    return part.assign(value=place.stage)[moments.notna()]


def _with_pipelines(entries: pd.DataFrame) -> pd.DataFrame:
    """Rows of the log: the stages, and the pipelines of deals that were in another one than today's."""
    moved = entries[entries["deal_id"].isin(entries.loc[entries["moved"], "deal_id"])]
    stages = entries.assign(property="dealstage", source=None)
    pipelines = moved.assign(property="pipeline", value=moved["pipeline"], source=None)
    return pd.concat([stages, pipelines], ignore_index=True) if len(moved) else stages.reset_index(drop=True)


def _refuse(strange: Sequence[str], deals: Deals) -> None:
    if strange:
        more = f" (as of {len(strange) - 1} more columns of this kind)" if len(strange) > 1 else ""
        raise InputError(
            f"no deal stands in the stage that this column names{more}, and no list of stages is there",
            file=deals.rows.raw.name,
            column=strange[0],
            action=f"Export the list of stages ({STAGES.name}) too, or {ACTION[0].lower()}{ACTION[1:]}",
        )
