"""The company as History, without the detour through files; and the `simulated` source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import ValidationError

from analytics.records.contract import HISTORY_COLUMNS, SIDE_TABLES, History
from analytics.records.engine import connect
from analytics.records.errors import InputError, nearest
from analytics.records.sources.mapping import SimulatedSource
from analytics.records.sources.simulated.activities import CHANNELS
from analytics.records.sources.simulated.company import Company, simulate
from analytics.records.sources.simulated.config import SimulationConfig
from analytics.records.sources.simulated.export import account_ids, deal_ids, named, owner_ids
from analytics.records.sources.simulated.journey import CLOSED_WON, OPEN_STAGES, STAGES
from analytics.records.sources.simulated.reasons import REASONS
from analytics.records.sources.states import as_arrow

ATTRIBUTES = ("deal_type", "segment", "region")


def to_history(company: Company) -> History:
    """Return what the company recorded, as every other source does.

    Parameters
    ----------
    company : Company
        A simulated company.

    Returns
    -------
    History
        `kind="recorded"`, attributes `deal_type`, `segment` and `region`, all side tables but `fx_rates`; the same
        states as reading `to_salesforce`'s files back.

    Examples
    --------
    >>> history = to_history(simulate(SimulationConfig(deals=30, accounts=10), seed=1))
    >>> history.attributes, sorted(history.side)[:3], str(history.known_to)
    (('deal_type', 'segment', 'region'), ['activities', 'forecast_submissions', 'owners'], '2026-01-31')
    """
    connection = connect()
    contract = HISTORY_COLUMNS | dict.fromkeys(ATTRIBUTES, "string")
    table = connection.create_table("history", as_arrow(_states(company), contract))
    side = {
        name: connection.create_table(name, as_arrow(frame, SIDE_TABLES[name]))
        for name, frame in _side(company).items()
    }
    return History(table=table, side=side, attributes=ATTRIBUTES, known_to=company.known_to)


def read_simulated(source: SimulatedSource, *, base: Path, timezone: str | None = None) -> History:
    """Read a simulated company: the `simulated` kind of source.

    Parameters
    ----------
    source : SimulatedSource
        The seed, and the settings that differ from `SimulationConfig`'s defaults.
    base, timezone : pathlib.Path, str
        Without effect: a simulated company has no files and no zone.

    Raises
    ------
    InputError
        For a setting that does not exist (with the nearest name) or cannot be.

    Examples
    --------
    >>> source = SimulatedSource(kind="simulated", seed=1, settings={"deals": 40, "accounts": 10})
    >>> int(read_simulated(source, base=Path(".")).table.deal_id.nunique().execute())
    40
    """
    for name in source.settings:
        if name not in SimulationConfig.model_fields:
            action = nearest(name, SimulationConfig.model_fields)
            raise InputError("is not a setting of the simulator", column="source.settings", value=name, action=action)
    try:
        config = SimulationConfig.model_validate(source.settings)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(
            ["source.settings", *(str(part + 1 if isinstance(part, int) else part) for part in first["loc"])]
        )
        raise InputError(str(first["msg"]), column=place, value=first["input"], action="Correct the setting") from None
    return to_history(simulate(config, seed=source.seed))


def _days(numbers: pd.Series[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.datetime64]:
    return np.asarray(numbers).astype("datetime64[D]")


def _states(company: Company) -> pd.DataFrame:
    config, states = company.config, company.states
    deal, stage = states["deal"].to_numpy(), states["stage"].to_numpy()
    deals = company.deals.loc[deal]
    day, closed = _days(states["day"]), stage >= CLOSED_WON
    following = np.append(day[1:], np.datetime64("NaT"))
    following[np.append(deal[1:] != deal[:-1], True)] = np.datetime64("NaT")
    status = np.where(closed, np.where(stage == CLOSED_WON, "closed_won", "closed_lost"), "open")
    close_date, never = _days(states["expected"]), np.datetime64("NaT")
    return pd.DataFrame({
        "deal_id": deal_ids(deal), "account_id": account_ids(deals["account"].to_numpy()), "recorded_on": day,
        "sequence": states["sequence"].to_numpy(), "valid_from": day, "valid_to": following,
        "opened_on": _days(deals["opened"]), "stage": named(list(STAGES), stage), "status": status,
        "closed_on": np.where(closed, close_date, never), "expected_close_on": np.where(closed, never, close_date),
        "reason": _or_none(named(list(REASONS), states["reason"])), "amount": states["amount"].to_numpy(),
        "currency": deals["currency"].to_numpy(), "owner_id": owner_ids(states["owner"].to_numpy()),
        "source": named(list(config.sources), deals["source"]),
        "deal_type": named(list(config.deal_types), deals["deal_type"]),
        "segment": named(list(config.segments), deals["segment"]),
        "region": named(list(config.regions), deals["region"]),
    })  # fmt: skip


def _or_none(texts: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    given = texts.copy()
    given[texts == ""] = None
    return given


def _side(company: Company) -> dict[str, pd.DataFrame]:
    acts, people, quotas = company.activities[company.activities["done"]], company.owners, company.quotas
    sent, told = company.forecast_submissions, company.reviews
    begin, submitted, held = (_days(days) for days in (people["start"], sent["submitted"], told["held"]))
    return {
        "activities": pd.DataFrame({
            "deal_id": deal_ids(acts["deal"].to_numpy()), "occurred_on": _days(acts["day"]),
            "recorded_on": _days(acts["recorded"]), "side": np.where(acts["buyer"], "buyer", "seller"),
            "channel": named(CHANNELS, acts["channel"]), "minutes": acts["minutes"].to_numpy(),
            "owner_id": owner_ids(acts["owner"].to_numpy()),
        }),
        "owners": pd.DataFrame({
            "owner_id": owner_ids(people["owner"].to_numpy()), "name": people["name"], "team": people["team"],
            "manager": "Head of " + people["team"], "start_on": begin, "recorded_on": begin,
        }),
        "quotas": pd.DataFrame({
            "owner_id": owner_ids(quotas["owner"].to_numpy()), "period": quotas["period"], "quota": quotas["quota"],
            "recorded_on": _days(quotas["recorded"]),
        }),
        "forecast_submissions": pd.DataFrame({
            "period": sent["period"], "submitted_on": submitted, "category": sent["category"],
            "owner_id": owner_ids(sent["owner"].to_numpy()), "amount": sent["amount"], "recorded_on": submitted,
        }),
        "reviews": pd.DataFrame({
            "deal_id": deal_ids(told["deal"].to_numpy()), "respondent": told["respondent"], "held_on": held,
            "reason": told["reason"], "sentiment": told["sentiment"], "recorded_on": held,
        }),
        "stages": pd.DataFrame({"stage": OPEN_STAGES, "order": range(1, len(OPEN_STAGES) + 1)}),
    }  # fmt: skip
