"""Forecast categories: where deals stood at the start of the quarter, and where they are at its end."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analytics.estimators.cell_deals import with_deals
from analytics.estimators.lacking import lacking
from analytics.estimators.result import Finding, Listing
from analytics.questions.pipeline_changes.pipeline import Pipeline, left_on
from analytics.questions.pipeline_changes.waterfall import LINES
from analytics.records.contract import FORECAST_CATEGORIES
from analytics.records.conversion import cents

NO_CATEGORY = "no category"
OUTSIDE = "not in the quarter"
ENDINGS = ("won", "lost", "no_decision", "unknown", "removed")
COLUMNS = ["from", "to", "from_label", "to_label", "deals", "amount", "currency"]


def category_flows(pipeline: Pipeline) -> Listing | Finding:
    """From which forecast category did deals go to which, and how did those of each category end?

    Parameters
    ----------
    pipeline : Pipeline
        From `pipeline_between`. Deals count that were in the quarter's pipeline at the start, or when they were
        created, or at the end; without expected dates every open deal counts.

    Returns
    -------
    Listing or Finding
        from (a category at the start; created; reopened; not in the quarter), to (a category at the end; won, lost,
        no_decision, …; pushed_out, slipped, dated_out), from_label, to_label, deals, amount (worth at the end of the
        flow, in `currency`; one row per currency). Exact counts: a deal is in one row. A Finding where no forecast
        category is recorded.

    Examples
    --------
    >>> from analytics.questions.pipeline_changes.example import one_deal
    >>> pipeline = one_deal("won")
    >>> category_flows(pipeline).frame[["from", "to", "deals"]].values.tolist()
    [['pipeline', 'won', 1]]
    """
    spans = pipeline.spans
    said = pd.concat([spans["then_forecast_category"], spans["now_forecast_category"]])
    lacks = ["history"] if pipeline.history.kind == "current_only" else []
    lacks += [] if said.notna().any() else ["forecast_category"]
    if lacks:
        return lacking("category_flows", "forecast categories from the start to the end", *lacks)
    came, went, counts = _ends(pipeline)
    if not counts.any():
        headline = f"No deal was in the pipeline of {pipeline.quarter.name}."
        return Finding("category_flows", headline, "", "not studied")
    frames = []
    for currency in pipeline.currencies:
        rate = pipeline.rates(currency)(spans["now_currency"], spans["ended_on"], spans["opened_on"])
        here = counts & (rate != 0).to_numpy()
        rows = pd.DataFrame({"from": came, "to": went, "cents": cents(spans["now_amount"], rate)})
        rows = rows.assign(deal=spans["deal_id"].to_numpy())[here]
        groups = rows.groupby(["from", "to"], sort=False)
        sums = groups.agg(deals=("cents", "size"), amount=("cents", "sum"), members=("deal", list)).reset_index()
        frames.append(sums.assign(currency=currency or None))
    frame = pd.concat(frames, ignore_index=True)
    frame["amount"] = frame["amount"] / 100 if pipeline.has_amounts else np.nan
    frame["from_label"], frame["to_label"] = frame["from"].map(_label), frame["to"].map(_label)
    places = {name: number for number, name in enumerate(_order())}
    order = frame[["from", "to"]].apply(lambda column: column.map(places)).assign(currency=frame["currency"])
    frame = frame.loc[order.sort_values(["currency", "from", "to"], kind="stable").index].reset_index(drop=True)
    title = f"Forecast categories of the pipeline of {pipeline.quarter.name}, from its start to its end"
    return with_deals(Listing(frame[COLUMNS], title), deals=frame["members"].tolist())


def _ends(pipeline: Pipeline) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each stretch comes from, where it goes, and whether it counts."""
    spans = pipeline.spans
    dated = not pipeline.lacks
    then = pipeline.inside(spans["then_expected_close_on"]) | (not dated)
    closed_in = pipeline.inside(spans["closed_on"]) & (spans["exit"] != "end").to_numpy()
    now = pipeline.inside(spans["now_expected_close_on"]) | closed_in | (not dated)
    entry, exit_ = spans["entry"].to_numpy(dtype=object), spans["exit"].to_numpy(dtype=object)
    first = spans["then_forecast_category"].fillna(NO_CATEGORY).to_numpy(dtype=object)
    last = spans["now_forecast_category"].fillna(NO_CATEGORY).to_numpy(dtype=object)
    after = pd.Timestamp(pipeline.quarter.end)
    late = (left_on(pipeline) > after - pd.Timedelta(days=pipeline.late_days)).to_numpy()
    later = (spans["now_expected_close_on"] > after).to_numpy()
    out = np.where(later, np.where(late, "slipped", "pushed_out"), "dated_out")
    came = np.where(entry == "start", np.where(then, first, OUTSIDE), entry)
    went = np.where(exit_ == "end", np.where(now, last, out), exit_)
    return came, went, then | now


def _order() -> list[str]:
    categories = list(reversed(FORECAST_CATEGORIES))
    return [*categories, NO_CATEGORY, "created", "reopened", OUTSIDE, *ENDINGS, "pushed_out", "slipped", "dated_out"]


def _label(name: str) -> str:
    return LINES[name][1] if name in LINES else name.replace("_", " ")
