"""States of deals in contract columns: from the log of changes, or from today's row where nothing is recorded."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.sources.conform import MOMENT
from analytics.records.sources.forecasts import forecast_categories, probabilities
from analytics.records.sources.hubspot.changes import states_of
from analytics.records.sources.hubspot.deals import Deals
from analytics.records.sources.hubspot.log import NUMBERS, Log
from analytics.records.sources.hubspot.mapping import HubspotSource
from analytics.records.sources.hubspot.stages import Pair, Stage, StageBook, stage_book
from analytics.records.sources.numbers import believable_numbers
from analytics.records.sources.objects import column_of
from analytics.records.sources.reconstruct import reconstructed
from analytics.records.sources.states import ORDER

OF_THE_END = ("amount", "closedate", "hs_deal_stage_probability", "hs_manual_forecast_category")
"""What today's row of a closed deal says of its end, and not of the time when it was open."""


@dataclass(frozen=True)
class States:
    """States of every deal in contract columns, the stages that they are in, and what was seen.

    `deals` are those that have states; `today` has a row for each as it stands, in the order of `deals.frame`.
    """

    frame: pd.DataFrame
    deals: Deals
    today: pd.DataFrame
    book: StageBook
    noticed: tuple[Noticed, ...]


def deal_states(source: HubspotSource, deals: Deals, log: Log, listed: list[Stage]) -> States:
    """Make the states of all deals.

    A deal of which no stage is recorded has an open state on createdate and a closed one on closedate (no later
    than the day of the export; unstated: of the last recorded change), from today's row. For the others, a property of
    which no change is recorded has today's value all along; but where the deal is closed today, its amount, close date,
    probability and forecast category are those of its end, and empty before it. A deal whose last recorded stage is not
    today's gets today's state on the last day of any change: by then at the latest it was in it. Where stages are known
    from entry dates alone, a deal that is closed today and has no date of that closing was closed on its closedate, as
    with deals of which no stage is recorded.
    """
    properties = list(dict.fromkeys(source.properties.values()))
    staged = set(log.frame.loc[log.frame["property"] == "dealstage", "deal_id"])
    is_staged = deals.frame["hs_object_id"].isin(staged).to_numpy()
    today = _today(deals.frame, properties)
    created = today.loc[is_staged].set_index("deal_id")["createdate"]
    changes, recorded = states_of(created, log.frame[log.frame["deal_id"].isin(staged)], properties)
    states = _with_unrecorded(_typed(changes, source, deals), recorded, today)
    book = stage_book(source, listed, _pairs(states), _pairs(today), deals.everything)
    now, then = _as_contract(today, source, book), _as_contract(states, source, book)
    undated = ~is_staged & (now["status"] != "open").to_numpy() & now["closed_on"].isna().to_numpy()
    deals = replace(deals, rows=deals.rows.without(undated, "closed, with neither a recorded stage nor a closedate"))
    ended = set(now.loc[now["status"] != "open", "deal_id"])
    then = _without_the_end(then, recorded, ended)
    added, of_today = _changed_since(then, now[is_staged], source, log)
    last = source.extracted_on or (None if log.frame.empty else log.frame[MOMENT].max().date())
    unstaged = reconstructed(now[~is_staged & ~undated], extracted_on=last)
    parts = [part for part in (then, added, unstaged) if len(part)]
    frame = pd.concat(parts, ignore_index=True) if parts else then
    frame, noticed = _forecasts(_with_closing_day(frame))
    seen = (*_of_records(recorded, today, is_staged, log), *of_today, *noticed)
    return States(frame, deals, now[~undated], book, seen)


def _today(deals: pd.DataFrame, properties: list[str]) -> pd.DataFrame:
    columns = {name: column_of(deals, name) for name in properties}
    return pd.DataFrame(
        {"deal_id": deals["hs_object_id"], "createdate": deals["createdate"], "company": deals["company"]} | columns
    ).reset_index(drop=True)


def _typed(changes: pd.DataFrame, source: HubspotSource, deals: Deals) -> pd.DataFrame:
    numbers = {name: believable_numbers(changes[name], source.read) for name in NUMBERS}
    return changes.assign(**numbers, closedate=deals.clock.moments(changes["closedate"]))


def _with_unrecorded(states: pd.DataFrame, recorded: pd.DataFrame, today: pd.DataFrame) -> pd.DataFrame:
    at = recorded.index.get_indexer(pd.Index(states["deal_id"]))
    facts = today.set_index("deal_id").reindex(recorded.index)
    out = states.assign(**{name: facts[name].to_numpy()[at] for name in ("createdate", "company")})
    for name in recorded.columns:
        known = recorded[name].to_numpy()[at]
        if not known.all():
            kind = "datetime64[ns]" if name == "closedate" else "float64" if name in NUMBERS else object
            out[name] = np.where(known, out[name].to_numpy(dtype=kind), facts[name].to_numpy(dtype=kind)[at])
    return out


def _pairs(rows: pd.DataFrame) -> list[Pair]:
    distinct = rows[["pipeline", "dealstage"]].drop_duplicates().astype(object)
    return list(distinct.where(distinct.notna(), None).itertuples(index=False, name=None))


def _as_contract(rows: pd.DataFrame, source: HubspotSource, book: StageBook) -> pd.DataFrame:
    """From HubSpot's names to contract columns."""
    stages = book.columns(rows["pipeline"], rows["dealstage"])
    is_open, won = stages["status"] == "open", stages["status"] == "closed_won"
    named = ("owner_id", "currency", "source", *source.tracked_attributes)
    out = pd.DataFrame({name: rows[source.properties[name]] for name in named if name in source.properties})
    lost_reason, won_reason = (
        column_of(rows, source.properties.get(name, "")).astype(object) for name in ("reason", "won_reason")
    )
    day = rows["closedate"].astype("datetime64[ns]").dt.normalize()
    out = out.assign(
        deal_id=rows["deal_id"],
        account_id=rows["company"],
        opened_on=rows["createdate"].astype("datetime64[ns]").dt.normalize(),
        pipeline=stages["pipeline"],
        stage=stages["stage"],
        status=stages["status"],
        closed_on=day.where(~is_open),
        expected_close_on=day.where(is_open),
        reason=lost_reason.mask(won, won_reason).where(~is_open),
        amount=rows["amount"].astype("float64"),
        probability=rows["hs_deal_stage_probability"].astype("float64"),
        forecast_category=rows["hs_manual_forecast_category"],
        **{name: stages[name] for name in ("key", "listed", "shared")},
    )
    out = out.assign(**{name: value for name, value in source.constants.items() if name != "recorded_on"})
    if MOMENT in rows:
        out[MOMENT] = rows[MOMENT]
        out["recorded_on"] = rows[MOMENT].dt.normalize()
    return out


def _without_the_end(states: pd.DataFrame, recorded: pd.DataFrame, ended: set[str]) -> pd.DataFrame:
    at = recorded.index.get_indexer(pd.Index(states["deal_id"]))
    before = (states["status"] == "open") & states["deal_id"].isin(ended)
    columns = dict(zip(OF_THE_END, ("amount", "expected_close_on", "probability", "forecast_category"), strict=True))
    return states.assign(
        **{
            column: states[column].where(~before | recorded[name].to_numpy()[at])
            for name, column in columns.items()
            if len(recorded)
        }
    )


def _changed_since(
    states: pd.DataFrame, today: pd.DataFrame, source: HubspotSource, log: Log
) -> tuple[pd.DataFrame, list[Noticed]]:
    """Today's state of deals whose last recorded stage or status is another."""
    last = states.drop_duplicates("deal_id", keep="last").set_index("deal_id").reindex(today["deal_id"])
    differs = today["stage"].notna().to_numpy() & (
        (last["status"].to_numpy() != today["status"].to_numpy()) | (last["key"].to_numpy() != today["key"].to_numpy())
    )
    moment = pd.Series(states[MOMENT].max(), index=today.index)
    added = today.assign(**{MOMENT: moment, "recorded_on": moment.dt.normalize()})[differs] if len(today) else today
    typed = (added["status"] != "open") & added["closed_on"].notna() & log.of_entries
    rule = "today's stage is added on the last day of any recorded change"
    seen = [Noticed(9, "deal whose last recorded stage is not today's", int((~typed).sum()), len(today), "deals", rule)]
    if not log.of_entries:
        return added, seen
    closed = int((today["status"] != "open").sum())
    what, rule = "closed on a day that no entry date tells", "closed on closedate, which somebody typed"
    seen.append(Noticed(1, what, int(typed.sum()), closed, "deals", rule))
    return pd.concat([added[~typed], _closed_as_typed(added[typed], last[MOMENT], source)]), seen


def _closed_as_typed(today: pd.DataFrame, last: pd.Series, source: HubspotSource) -> pd.DataFrame:
    """The closing of each deal on its closedate, but not before its last recorded state."""
    states = reconstructed(today, extracted_on=source.extracted_on)
    closings = states[states["status"] != "open"]
    moment = pd.DataFrame({"typed": closings["recorded_on"], "last": closings["deal_id"].map(last)}).max(axis=1)
    return closings.assign(**{MOMENT: moment, "recorded_on": moment.dt.normalize()}).drop(columns=[ORDER])


def _with_closing_day(states: pd.DataFrame) -> pd.DataFrame:
    """Give a closed state without a close date the day on which the closing was recorded."""
    moment = states[MOMENT] if MOMENT in states else states["recorded_on"]
    ordered = states.assign(**{MOMENT: moment.fillna(states["recorded_on"])})
    ordered = ordered.sort_values(["deal_id", MOMENT], kind="stable", ignore_index=True)
    turn = (ordered["deal_id"] != ordered["deal_id"].shift()) | (ordered["status"] != ordered["status"].shift())
    first = ordered["recorded_on"].groupby(turn.cumsum()).transform("first")
    undated = (ordered["status"] != "open") & ordered["closed_on"].isna()
    return ordered.assign(undated=undated, closed_on=ordered["closed_on"].mask(undated, first))


def _forecasts(states: pd.DataFrame) -> tuple[pd.DataFrame, tuple[Noticed, ...]]:
    texts = states["forecast_category"].astype(object)
    categories, strange = forecast_categories(texts.where(texts.notna(), None))
    shares, percent, outside = probabilities(states["probability"])
    return states.assign(forecast_category=categories, probability=shares), (strange, percent, outside)


def _of_records(
    recorded: pd.DataFrame, today: pd.DataFrame, is_staged: np.ndarray, log: Log
) -> tuple[Noticed, Noticed]:
    facts = today.loc[is_staged].drop(columns=["createdate", "company"]).set_index("deal_id")[recorded.columns]
    silent = (facts.notna().to_numpy() & ~recorded.to_numpy()).any(axis=1)
    what = "deal with a property that has a value today and no recorded change"
    rule = "today's value all along, but what belongs to the end of a closed deal is empty before it"
    unstaged = int((~is_staged).sum()) if log.has_stages else 0
    return (
        Noticed(20, what, int(silent.sum()), len(facts), "deals", rule),
        Noticed(5, "deal without any recorded stage, while others have them", unstaged, len(today), "deals",
                "open on createdate, closed on closedate"),
    )  # fmt: skip
