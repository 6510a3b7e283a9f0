"""Stages by (pipeline, stage id): which one a text means, what it is called, and whether it is open, won or lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analytics.records.errors import InputError, nearest
from analytics.records.sources.conform import Reader
from analytics.records.sources.hubspot.fields import PIPELINES, STAGES
from analytics.records.sources.hubspot.mapping import HubspotSource
from analytics.records.sources.objects import column_of, is_true, plain_name, read_object

ACTION = "List each under open_stages:, won_stages: or lost_stages: of source: in the params"

DEFAULT_PIPELINE = {"closedwon": "closed_won", "closedlost": "closed_lost"}
"""Ids that HubSpot itself gave to the closing stages of every account's first pipeline."""

Pair = tuple[str | None, str | None]
"""Pipeline and stage as they are written in a row."""


@dataclass(frozen=True)
class Stage:
    """One stage of one pipeline, with its names, its place and what it means (None: nothing says)."""

    pipeline: str | None
    id: str
    label: str
    pipeline_label: str | None
    order: float = float("nan")
    status: str | None = None
    listed: bool = True

    @property
    def full_label(self) -> str:
        """The label with the pipeline that it belongs to."""
        return f"{self.label} ({self.pipeline_label})"

    @property
    def names(self) -> tuple[str, str, str]:
        """What a row or the params may call it, the surest first."""
        return (self.id, self.label, self.full_label)


def listed_stages(source: HubspotSource, reader: Reader) -> list[Stage]:
    """Read the lists of pipelines and stages; deleted stages that are still listed keep their names.

    A stage is won or lost as is_closed and closed_won say; where the list lacks one of them, a closed stage of
    probability 1 is won and one of probability 0 is lost.
    """
    pipelines = read_object(PIPELINES, source, reader)
    labels: dict[str, str] = {}
    if pipelines is not None:
        known = pipelines.frame[pipelines.frame["label"].notna()]
        labels = dict(zip(known["pipeline_id"], known["label"], strict=True))
        twice = {label for label, count in Counter(labels.values()).items() if count > 1}
        labels = {key: f"{label} ({key})" if label in twice else label for key, label in labels.items()}
    rows = read_object(STAGES, source, reader)
    if rows is None:
        return [Stage(key, "", "", label) for key, label in labels.items()]
    frame = rows.frame.assign(
        gone=is_true(column_of(rows.frame, "_fivetran_deleted")) | is_true(column_of(rows.frame, "archived")),
        status=_listed_status(rows.frame),
        order=column_of(rows.frame, "display_order").astype("float64"),
    )
    frame = frame.sort_values("gone", kind="stable").drop_duplicates(["pipeline_id", "stage_id"])
    return [
        Stage(pipeline, stage, label or stage, labels.get(pipeline, pipeline), order, status)
        for pipeline, stage, label, order, status in zip(
            *(frame[name] for name in ("pipeline_id", "stage_id", "label", "order", "status")), strict=True
        )
    ]


def _listed_status(stages: pd.DataFrame) -> pd.Series:
    probability = column_of(stages, "probability").astype("float64")
    said_closed, said_won = column_of(stages, "is_closed"), column_of(stages, "closed_won")
    closed = is_true(said_closed) | (said_closed.isna() & (is_true(said_won) | probability.isin([0, 1])))
    won = is_true(said_won) | (said_won.isna() & (probability == 1))
    lost = ~won & (said_won.notna() | (probability == 0))
    unsaid = said_closed.isna() & said_won.isna() & probability.isna()
    status = pd.Series("open", index=stages.index, dtype=object).mask(closed, None)
    status = status.mask(closed & won, "closed_won").mask(closed & lost, "closed_lost")
    return status.mask(unsaid, None).astype(object).where(lambda said: said.notna(), None)


@dataclass(frozen=True)
class StageBook:
    """Every pair of pipeline and stage that occurs -> its stage, under the name that it has in History."""

    stages: Mapping[Pair, Stage]
    names: Mapping[tuple[str | None, str], str]

    def columns(self, pipelines: pd.Series, stages: pd.Series) -> pd.DataFrame:
        """Return `pipeline`, `stage`, `status`, `key`, `listed` and `shared` (a label of several pipelines) of rows."""
        first, of_pipeline = pd.factorize(pipelines, use_na_sentinel=False)
        second, of_stage = pd.factorize(stages, use_na_sentinel=False)
        distinct, codes = np.unique(first * max(len(of_stage), 1) + second, return_inverse=True)
        pairs = [_pair((of_pipeline[code // len(of_stage)], of_stage[code % len(of_stage)])) for code in distinct]
        columns = ["pipeline", "stage", "status", "key", "listed", "shared"]
        table = pd.DataFrame([self._of(pair) for pair in pairs], columns=columns, dtype=object)
        of_rows: pd.DataFrame = table.take(codes).set_axis(pipelines.index, axis=0)
        return of_rows

    def _of(self, pair: Pair) -> tuple[str | None, str | None, str, object, bool, bool]:
        if pair[1] is None:
            known = next((stage for stage in self.stages.values() if stage.pipeline == pair[0]), None)
            return (known.pipeline_label if known else pair[0], None, "open", None, True, False)
        stage = self.stages[pair]
        key = (stage.pipeline, stage.id)
        name = self.names[key]
        return (stage.pipeline_label, name, stage.status or "open", key, stage.listed, name != stage.label)

    def side_table(self, listed: Iterable[Stage]) -> pd.DataFrame:
        """The side table `stages`: the stages of the pipelines that occur, in their order."""
        rows = [
            (self.names[stage.pipeline, stage.id], stage.order, stage.pipeline_label)
            for stage in sorted(listed, key=lambda stage: (stage.pipeline_label or "", stage.order, stage.id))
            if (stage.pipeline, stage.id) in self.names and stage.order == stage.order
        ]
        return pd.DataFrame(rows, columns=["stage", "order", "pipeline"])


def stage_book(
    source: HubspotSource, listed: Sequence[Stage], earlier: Iterable[Pair], today: Iterable[Pair], deals: pd.DataFrame
) -> StageBook:
    """Say which stage every pair means.

    A text is a stage's id, its label, or its label with the pipeline in brackets; the row's own pipeline decides
    between equal ones. The params decide what a stage means; then the list of stages; then the flags and the
    probability of the deals that stand there. A stage that no list names and where no deal stands (HubSpot deletes
    stages for good, and only empty ones) is taken as open.

    Parameters
    ----------
    source : HubspotSource
        The mapping with `open_stages`, `won_stages`, `lost_stages`.
    listed : sequence of Stage
        The lists of the export; may be empty.
    earlier, today : iterable of (pipeline, stage)
        Every pair of the recorded states, and those in which the deals that are studied stand.
    deals : pandas.DataFrame
        The deals as they stand, deleted ones included: pipeline, dealstage, flags, probability.

    Raises
    ------
    InputError
        For stages of which nothing says whether they are open, a stage that the params list twice or that is nowhere,
        and flags that differ between deals of a stage that no list names.
    """
    standing, said = set(today), _said_by(deals)
    found = {pair: _resolved(pair, listed) for pair in sorted({*earlier, *standing}, key=str) if pair[1] is not None}
    stated = _stated(source, [*listed, *found.values()])
    for pair, stage in found.items():
        surest_first = (stage.id, stage.full_label, stage.label)
        status = next((stated[name] for name in surest_first if name in stated), stage.status)
        if status is None:
            status = _flagged(pair, said.get(pair, set()))
        found[pair] = replace(stage, status=status)
    _refuse_unsaid({found[pair].label for pair in standing & set(found) if found[pair].status is None})
    return StageBook(found, _names(list(found.values()), listed))


def _resolved(pair: Pair, listed: Sequence[Stage]) -> Stage:
    pipeline, text = pair[0], str(pair[1])
    unknown = not any(pipeline in (stage.pipeline, stage.pipeline_label) for stage in listed)
    for compared in (str, plain_name) if plain_name(text) else (str,):
        for place in range(3):
            same = [stage for stage in listed if stage.id and compared(stage.names[place]) == compared(text)]
            here = [stage for stage in same if pipeline in (stage.pipeline, stage.pipeline_label)]
            if len(here) == 1:
                return here[0]
            if len(same) == 1 and (place == 0 or unknown):
                return same[0]
    label = next((stage.pipeline_label for stage in listed if stage.pipeline == pipeline), pipeline)
    key = next((stage.pipeline for stage in listed if stage.pipeline_label == pipeline), pipeline)
    return Stage(key, text, text, label, listed=False)


def _stated(source: HubspotSource, known: Sequence[Stage]) -> dict[str, str]:
    lists = (("open", source.open_stages), ("closed_won", source.won_stages), ("closed_lost", source.lost_stages))
    names = {name for stage in known for name in stage.names}
    stated: dict[str, str] = {}
    for status, given in lists:
        for name in given:
            if name in stated:
                raise InputError("the params list this stage twice", column="dealstage", value=name, action=ACTION)
            if name not in names:
                action = f"Correct it in the params ({nearest(name, names)})"
                raise InputError("no stage of the export is called so", column="dealstage", value=name, action=action)
            stated[name] = status
    return stated


def _said_by(deals: pd.DataFrame) -> dict[Pair, set[str]]:
    """What today's deals say of the pair they stand in; a deal without flags says nothing."""
    closed, won = column_of(deals, "hs_is_closed"), column_of(deals, "hs_is_closed_won")
    probability = column_of(deals, "hs_deal_stage_probability").astype("float64")
    probability = probability / 100 if (probability > 1).any() else probability
    unsaid = closed.isna() & won.isna()
    status = pd.Series(None, index=deals.index, dtype=object)
    status = status.mask((closed.notna() & ~is_true(closed)) | (unsaid & probability.between(0, 1, "neither")), "open")
    status = status.mask(unsaid & (probability == 0), "closed_lost").mask(unsaid & (probability == 1), "closed_won")
    status = status.mask(is_true(closed) & (won.notna() | (probability == 0)), "closed_lost")
    status = status.mask(is_true(won) | (is_true(closed) & won.isna() & (probability == 1)), "closed_won")
    said: dict[Pair, set[str]] = {}
    rows = pd.DataFrame({"p": column_of(deals, "pipeline"), "s": deals["dealstage"], "status": status})
    for pipeline, stage, value in rows.drop_duplicates().itertuples(index=False):
        said.setdefault(_pair((pipeline, stage)), set()).update([value] if isinstance(value, str) else [])
    return said


def _flagged(pair: Pair, said: set[str]) -> str | None:
    if len(said) > 1:
        raise InputError(
            f"hs_is_closed and hs_is_closed_won differ between deals of this stage ({', '.join(sorted(said))}), "
            "and no list of stages decides",
            column="dealstage",
            value=pair[1],
            action=ACTION,
        )
    return next(iter(said)) if said else DEFAULT_PIPELINE.get(str(pair[1]))


def _refuse_unsaid(unknown: set[str]) -> None:
    if unknown:
        raise InputError(
            f"nothing says whether these stages are open, won or lost: {', '.join(map(repr, sorted(unknown)))}",
            column="dealstage",
            action=f"Export the list of stages ({STAGES.name}) too, or {ACTION[0].lower()}{ACTION[1:]}",
        )


def _names(found: Sequence[Stage], listed: Sequence[Stage]) -> dict[tuple[str | None, str], str]:
    """Name the stages of the pipelines that occur: by the label, or with its pipeline where several have the label."""
    occurring = {stage.pipeline for stage in found}
    both = [*found, *(stage for stage in listed if stage.id and stage.pipeline in occurring)]
    chosen = {(stage.pipeline, stage.id): stage for stage in both}
    plain = Counter(stage.label for stage in chosen.values())
    full = Counter(stage.full_label for stage in chosen.values())
    return {
        key: stage.label
        if plain[stage.label] == 1
        else stage.full_label
        if full[stage.full_label] == 1
        else f"{stage.label} ({stage.pipeline_label}, {stage.id})"
        for key, stage in chosen.items()
    }


def _pair(pair: Sequence[object]) -> Pair:
    first, second = (value if isinstance(value, str) else None for value in pair)
    return first, second
