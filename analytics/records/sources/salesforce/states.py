"""From API names to contract columns, and the state of today where a history does not reach it."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analytics.records.contract import Noticed
from analytics.records.sources.conform import MOMENT
from analytics.records.sources.forecasts import forecast_categories, probabilities
from analytics.records.sources.salesforce.mapping import SalesforceSource
from analytics.records.sources.salesforce.opportunities import opportunity_fields
from analytics.records.sources.states import ORDER


def as_contract(states: pd.DataFrame, source: SalesforceSource, meanings: Mapping[str, str]) -> pd.DataFrame:
    """Rename states from API names to contract columns; probability and forecast category stay as they are written."""
    status = states["StageName"].map(meanings).fillna("open")
    is_open = status == "open"
    out = pd.DataFrame({name: states[field] for name, field in opportunity_fields(source).items() if field in states})
    out = out.assign(
        deal_id=states["deal_id"],
        opened_on=states["CreatedDate"].astype("datetime64[ns]").dt.normalize(),
        stage=states["StageName"],
        status=status,
        closed_on=states["CloseDate"].where(~is_open),
        expected_close_on=states["CloseDate"].where(is_open),
        amount=states["Amount"] if "Amount" in states else float("nan"),
        **{name: value for name, value in source.constants.items() if name != "recorded_on"},
    )
    for name, field in (("probability", "Probability"), ("forecast_category", "ForecastCategory")):
        if field in states:
            out[name] = states[field]
    if "closed_after" in states:
        out["closed_after"] = states["closed_after"]
    if "reason" in out:
        out["reason"] = out["reason"].where(~is_open)
    if MOMENT in states:
        out[MOMENT] = states[MOMENT]
        out["recorded_on"] = states[MOMENT].astype("datetime64[ns]").dt.normalize()
    return out


def with_today(states: pd.DataFrame, today: pd.DataFrame, changed: pd.Series | None) -> tuple[pd.DataFrame, Noticed]:
    """Add today's state of a deal whose history ends in another status than the one it has.

    It is recorded on LastStageChangeDate (`changed`), or where the export lacks it on the last day of any history: by
    then at the latest it was known.
    """
    last = _last_states(states).set_index("deal_id")
    differs = today["deal_id"].map(last["status"]).to_numpy() != today["status"].to_numpy()
    what = "the history ends in another status than the opportunity has"
    rule = "today's status is recorded on the day of the last stage change, else at the end of the history"
    noticed = Noticed(1, what, int(differs.sum()), len(today), "deals", rule)
    if not differs.any():
        return states, noticed
    moment = pd.Series(pd.NaT, index=today.index) if changed is None else changed
    moment = moment.astype("datetime64[ns]")
    known = today["deal_id"].map(last[MOMENT])
    moment, unsure = moment.clip(lower=known), moment.isna() & (today["status"] != "open")
    moment = moment.fillna(states[MOMENT].max())
    after = known.dt.normalize().where(unsure)  # it was open then, and closed by the end of the history
    extra: pd.DataFrame = today.assign(**{MOMENT: moment, "recorded_on": moment.dt.normalize(), "closed_after": after})[
        differs
    ]
    there = [name for name in extra.columns if name in states or name == "closed_after"]
    return pd.concat([states, extra[there]], ignore_index=True), noticed


def with_forecasts(states: pd.DataFrame, today: pd.DataFrame) -> tuple[pd.DataFrame, list[Noticed]]:
    """Bring probability and forecast category to their one scale and their one set of names.

    Where no history holds them, they are today's and stand on a deal's last state alone.
    """
    by_deal = today.set_index("deal_id")
    noticed = []
    for name in ("probability", "forecast_category"):
        known = states[name] if name in states else pd.Series(None, index=states.index, dtype=object)
        if name in by_deal and not known.notna().any():
            known = states["deal_id"].map(by_deal[name]).where(states.index.isin(_last_states(states).index))
        if name == "probability":
            states[name], *seen = probabilities(known.astype("float64"))
        else:
            states[name], *seen = forecast_categories(known.astype(object).where(known.notna(), None))
        noticed += seen
    return states, noticed


def _last_states(states: pd.DataFrame) -> pd.DataFrame:
    keys = [MOMENT] if MOMENT in states else ["recorded_on", ORDER]
    return states.sort_values(keys, kind="stable").drop_duplicates("deal_id", keep="last")
