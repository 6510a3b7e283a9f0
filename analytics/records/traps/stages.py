"""Traps 7 to 9: stages that were skipped, walked back or changed their meaning."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.traps.known import Known


def stages_out_of_order(known: Known) -> list[Noticed]:
    """Traps 7 and 8: a move forward past a stage, and a move back, each a matter of the stages' order."""
    order = stage_order(known)
    if order is None or not known.recorded:
        return []
    import ibis

    states = known.states.filter(known.states.status == "open")
    placed = _placed(states, order)
    deal = ibis.window(group_by="deal_id", order_by=["recorded_on", "sequence"])
    moves = placed.mutate(step=placed.place - placed.place.lag().over(deal)).filter(lambda rows: rows.step != 0)
    counts = moves.aggregate(
        moved=moves.deal_id.nunique(),
        skipped=moves.deal_id.nunique(where=moves.step > 1),
        regressed=moves.deal_id.nunique(where=moves.step < 0),
    ).to_pyarrow().to_pylist()[0]  # fmt: skip
    skipped, regressed = (int(counts[name] or 0) for name in ("skipped", "regressed"))
    moved = int(counts["moved"] or 0)
    return [
        Noticed(7, "moved past an open stage without being in it", skipped, moved, "deals", "later stage is reached"),
        Noticed(8, "moved back to an earlier stage", regressed, moved, "deals", "what was once reached stays reached"),
    ]  # fmt: skip


def stages_that_changed(known: Known) -> list[Noticed]:
    """Trap 9: stages that the list lacks (renamed, deactivated), and stages that contradict the status."""
    states = known.states.filter(known.states.stage.notnull())
    with_stage = int(states.deal_id.nunique().execute())
    if not with_stage:
        return []
    found = []
    order = stage_order(known)
    if order is not None:
        open_ = states.filter(states.status == "open")
        strange = _unplaced(open_, order)
        found.append(
            Noticed(
                9, "open in a stage that the list of stages lacks (renamed or deactivated)",
                int(strange.deal_id.nunique().execute()), int(open_.deal_id.nunique().execute()), "deals",
                "kept under its old name; give it the new one under values:",
            )
        )  # fmt: skip
    meanings = states.group_by("stage").aggregate(n=states.status.nunique())
    torn = states.semi_join(meanings.filter(meanings.n > 1), "stage")
    what = "in a stage that is open for some deals and closed, or won and lost, for others (re-mapped)"
    rule = "the status of each deal decides, not the stage's name"
    return [*found, Noticed(9, what, int(torn.deal_id.nunique().execute()), with_stage, "deals", rule)]


def stage_order(known: Known) -> pd.DataFrame | None:
    """Return pipeline (None: any), stage and place (0, 1, …) of the open stages; None where no order is known."""
    if known.definitions.stages:
        stages = list(known.definitions.stages)
        return pd.DataFrame({"pipeline": [None] * len(stages), "stage": stages, "place": range(len(stages))})
    if "stages" not in known.history.side:
        return None
    table = known.history.side["stages"]
    frame = table if isinstance(table, pd.DataFrame) else table.to_pyarrow().to_pandas()
    if frame.empty:
        return None
    frame = frame.reindex(columns=["pipeline", "stage", "order"])
    frame["pipeline"] = frame["pipeline"].astype(object).where(frame["pipeline"].notna(), None)
    place = frame.groupby("pipeline", dropna=False)["order"].rank(method="dense").astype("int64") - 1
    return frame.assign(place=place)[["pipeline", "stage", "place"]].drop_duplicates(["pipeline", "stage"])


def _placed(states: Any, order: pd.DataFrame) -> Any:
    """Give each state the place of its stage; those without one are left out."""
    listed = _table(order)
    anywhere = listed.filter(listed.of_pipeline.isnull())
    here = listed.filter(listed.of_pipeline.notnull())
    general = states.join(anywhere, states.stage == anywhere.listed_stage)
    own = states.join(here, [states.stage == here.listed_stage, states.pipeline == here.of_pipeline])
    columns = ("deal_id", "recorded_on", "sequence", "place")
    return general.select(*columns).union(own.select(*columns), distinct=True)


def _unplaced(states: Any, order: pd.DataFrame) -> Any:
    """Return the states whose stage is in no pipeline's list."""
    listed = _table(order)
    return states.anti_join(listed, states.stage == listed.listed_stage)


def _table(order: pd.DataFrame) -> Any:
    import ibis

    named = order.rename(columns={"pipeline": "of_pipeline", "stage": "listed_stage"})
    schema = {"of_pipeline": "string", "listed_stage": "string", "place": "int64"}
    return ibis.memtable(named[list(schema)], schema=schema)
