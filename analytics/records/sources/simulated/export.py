"""The company as a Salesforce export: the files a RevOps analyst would have in hand, by their API names."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.records.sources.simulated.activities import CHANNELS
from analytics.records.sources.simulated.closing import BLANK
from analytics.records.sources.simulated.company import Company
from analytics.records.sources.simulated.config import day_number
from analytics.records.sources.simulated.draws import Draws, Floats, Ints
from analytics.records.sources.simulated.journey import CLOSED_WON, PROBABILITY, STAGES
from analytics.records.sources.simulated.people import TEAMS
from analytics.records.sources.simulated.reasons import REASONS

Texts = npt.NDArray[np.object_]

CATEGORY_API = ("Pipeline", "Pipeline", "BestCase", "BestCase", "Forecast", "Closed", "Omitted")
CATEGORY_NAME = ("Pipeline", "Pipeline", "Best Case", "Best Case", "Commit", "Closed", "Omitted")
SUBTYPES = ("Email", "Call", "Task")
KINDS_OF_COMPANY = ("Foods", "Logistics", "Systems", "Textiles", "Energy", "Clinics", "Tools", "Media")
PLACES = ("Alder", "Birch", "Cedar", "Dunes", "Elm", "Fjord", "Grove", "Harbour", "Isle", "Juniper", "Knoll", "Lagoon")


def to_salesforce(company: Company, folder: Path) -> None:
    """Write the company as a Salesforce export, ready for the `salesforce` source.

    Parameters
    ----------
    company : Company
        A simulated company.
    folder : pathlib.Path
        Where the files go (made if it is not there): Opportunity, OpportunityHistory, OpportunityFieldHistory, Task,
        User, and the side tables quotas, forecast_submissions and reviews in their contract's columns; `.csv.gz`,
        UTF-8, timestamps in UTC. The same company gives the same bytes.

    Examples
    --------
    >>> import tempfile
    >>> from analytics.records.sources.simulated.company import simulate
    >>> from analytics.records.sources.simulated.config import SimulationConfig
    >>> with tempfile.TemporaryDirectory() as place:
    ...     to_salesforce(simulate(SimulationConfig(deals=20, accounts=10), seed=1), Path(place))
    ...     sorted(path.name.split(".")[0] for path in Path(place).iterdir())[:3]
    ['Opportunity', 'OpportunityFieldHistory', 'OpportunityHistory']
    """
    write_files(salesforce_frames(company), folder)


def write_files(frames: dict[str, pd.DataFrame], folder: Path) -> None:
    """Write each frame of texts as `<name>.csv.gz`; no clock time and no file name go into the archive."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in frames.items():
        text = frame.to_csv(index=False, lineterminator="\n")
        (folder / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode("utf-8"), compresslevel=9, mtime=0))


def salesforce_frames(company: Company) -> dict[str, pd.DataFrame]:
    """Return the files of the export as frames of texts, by object name."""
    return {
        "Opportunity": _opportunities(company),
        "OpportunityHistory": _opportunity_history(company),
        "OpportunityFieldHistory": _field_history(company),
        "Task": _tasks(company),
        "User": _users(company),
        "quotas": _quotas(company),
        "forecast_submissions": _submissions(company),
        "reviews": _reviews(company),
    }


def record_ids(prefix: str, numbers: Ints) -> Texts:
    """Make 15-character record ids: the object's key prefix and a number.

    Examples
    --------
    >>> record_ids("006", np.array([0, 41])).tolist()
    ['006Demo00000001', '006Demo00000042']
    """
    return np.array([f"{prefix}Demo{number + 1:08d}" for number in np.asarray(numbers)], dtype=object)


def deal_ids(numbers: Ints) -> Texts:
    """Opportunity ids."""
    return record_ids("006", numbers)


def account_ids(numbers: Ints) -> Texts:
    """Account ids."""
    return record_ids("001", numbers)


def owner_ids(numbers: Ints) -> Texts:
    """User ids."""
    return record_ids("005", numbers)


def dates(days: Ints) -> Texts:
    """Write day numbers as 2025-10-01."""
    return np.datetime_as_string(np.asarray(days).astype("datetime64[D]")).astype(object)


def moments(days: Ints, seconds: Ints) -> Texts:
    """Write moments as Salesforce does: 2025-10-01T23:30:00.000+0000."""
    stamps = (np.asarray(days) * 86_400 + np.asarray(seconds)).astype("datetime64[s]")
    return np.array([f"{stamp}.000+0000" for stamp in np.datetime_as_string(stamps)], dtype=object)


def money(amounts: Floats) -> Texts:
    """Write amounts without decimals; none stays empty."""
    return np.array(["" if np.isnan(amount) else f"{amount:.0f}" for amount in amounts], dtype=object)


def named(names: tuple[str, ...] | list[str], codes: npt.ArrayLike) -> Texts:
    """Look up names by position; a negative position is empty."""
    positions = np.asarray(codes)
    return np.array([*names, ""], dtype=object)[np.where(positions < 0, len(names), positions)]


def _opportunities(company: Company) -> pd.DataFrame:
    config, states = company.config, company.states
    last = states.groupby("deal").tail(1)
    deals = company.deals.loc[last["deal"]]
    created = states.groupby("deal").head(1)
    deal, stage = last["deal"].to_numpy(), last["stage"].to_numpy()
    kind = named(list(config.deal_types), deals["deal_type"])
    return pd.DataFrame({
        "Id": deal_ids(deal), "AccountId": account_ids(deals["account"].to_numpy()),
        "Name": [f"{_account_name(a)} - {k}" for a, k in zip(deals["account"], kind, strict=True)],
        "OwnerId": owner_ids(last["owner"].to_numpy()), "Type": kind,
        "LeadSource": named(list(config.sources), deals["source"]), "StageName": named(list(STAGES), stage),
        "Amount": money(last["amount"].to_numpy()), "CurrencyIsoCode": deals["currency"].to_numpy(),
        "Probability": np.array(PROBABILITY)[stage].astype(str), "ForecastCategoryName": named(CATEGORY_NAME, stage),
        "CloseDate": dates(last["expected"].to_numpy()),
        "CreatedDate": moments(created["day"].to_numpy(), created["second"].to_numpy()),
        "IsClosed": _flags(stage >= CLOSED_WON), "IsWon": _flags(stage == CLOSED_WON), "IsDeleted": "false",
        "Segment__c": named(list(config.segments), deals["segment"]),
        "Region__c": named(list(config.regions), deals["region"]),
        "Loss_Reason__c": named(list(REASONS), last["reason"]),
        "SystemModstamp": moments(last["day"].to_numpy(), last["second"].to_numpy()),
    })  # fmt: skip


def _account_name(account: int) -> str:
    place, kind = PLACES[account % len(PLACES)], KINDS_OF_COMPANY[account // len(PLACES) % len(KINDS_OF_COMPANY)]
    number = account // (len(PLACES) * len(KINDS_OF_COMPANY))
    return f"{place} {kind}" + (f" {number + 1}" if number else "")


def _flags(values: npt.NDArray[np.bool_]) -> Texts:
    return np.where(values, "true", "false").astype(object)


def _opportunity_history(company: Company) -> pd.DataFrame:
    # The CRM writes such a row for stage, amount, probability and close date only; owners and reasons go elsewhere.
    rows = company.states[~company.states["change"].isin(["owner", "reason"])]
    stage, amount = rows["stage"].to_numpy(), rows["amount"].to_numpy()
    currency = company.deals["currency"].to_numpy()[rows["deal"].to_numpy()]
    return pd.DataFrame({
        "Id": record_ids("008", np.arange(len(rows))), "OpportunityId": deal_ids(rows["deal"].to_numpy()),
        "CreatedById": owner_ids(rows["owner"].to_numpy()),
        "CreatedDate": moments(rows["day"].to_numpy(), rows["second"].to_numpy()),
        "StageName": named(list(STAGES), stage), "Amount": money(amount),
        "ExpectedRevenue": money(amount * np.array(PROBABILITY)[stage] / 100),
        "CloseDate": dates(rows["expected"].to_numpy()), "Probability": np.array(PROBABILITY)[stage].astype(str),
        "ForecastCategory": named(CATEGORY_API, stage), "CurrencyIsoCode": currency, "IsDeleted": "false",
    })  # fmt: skip


def _field_history(company: Company) -> pd.DataFrame:
    states = company.states
    before = states[["owner", "reason"]].shift(1, fill_value=BLANK)
    first = ~states["deal"].duplicated().to_numpy()
    parts = []
    for field, column, text in (
        ("OwnerId", "owner", owner_ids), ("Loss_Reason__c", "reason", lambda codes: named(list(REASONS), codes))
    ):  # fmt: skip
        changed = (states[column] != before[column]).to_numpy() & ~first
        rows = states[changed]
        parts.append(pd.DataFrame({
            "position": np.flatnonzero(changed), "OpportunityId": deal_ids(rows["deal"].to_numpy()), "Field": field,
            "OldValue": text(before[column].to_numpy()[changed]), "NewValue": text(rows[column].to_numpy()),
            "CreatedById": owner_ids(rows["owner"].to_numpy()),
            "CreatedDate": moments(rows["day"].to_numpy(), rows["second"].to_numpy()), "IsDeleted": "false",
        }))  # fmt: skip
    table = pd.concat(parts).sort_values("position", kind="stable").drop(columns="position")
    table.insert(0, "Id", record_ids("017", np.arange(len(table))))
    return table


def _tasks(company: Company) -> pd.DataFrame:
    acts = company.activities
    day, channel, done = acts["day"].to_numpy(), acts["channel"].to_numpy(), acts["done"].to_numpy()
    # Done at one time of the day, entered in the evening: entering comes after doing, also on the same day.
    at = 28_800 + np.floor(Draws(company.seed, "task times").uniform(len(acts)) * 36_000).astype(np.int64)
    seconds = acts["minutes"].to_numpy() * 60
    return pd.DataFrame({
        "Id": record_ids("00T", np.arange(len(acts))), "WhatId": deal_ids(acts["deal"].to_numpy()),
        "OwnerId": owner_ids(acts["owner"].to_numpy()), "Type": named(CHANNELS, channel),
        "TaskSubtype": named(SUBTYPES, channel), "Side__c": np.where(acts["buyer"], "Buyer", "Seller"),
        "Status": np.where(done, "Completed", "Not Started"), "IsClosed": _flags(done), "ActivityDate": dates(day),
        "CompletedDateTime": np.where(done, moments(day, at), ""),
        "CallDurationInSeconds": np.where(channel == 1, money(seconds), ""),
        "CreatedDate": moments(acts["recorded"].to_numpy(), np.where(done, 68_400 + at // 4, at)), "IsDeleted": "false",
    })  # fmt: skip


def _users(company: Company) -> pd.DataFrame:
    people, until = company.owners, day_number(company.known_to)
    managers = np.arange(len(TEAMS)) + 90_000
    team = np.array([TEAMS.index(name) for name in people["team"]])
    sellers = pd.DataFrame({
        "Id": owner_ids(people["owner"].to_numpy()), "Name": people["name"], "Title": "Account Executive",
        "Department": people["team"], "ManagerId": owner_ids(managers[team]),
        "IsActive": _flags(people["end"].to_numpy() >= until), "TimeZoneSidKey": "America/New_York",
        "CreatedDate": moments(people["start"].to_numpy(), np.full(len(people), 32_400)),
    })  # fmt: skip
    heads = pd.DataFrame({
        "Id": owner_ids(managers), "Name": [f"Head of {name}" for name in TEAMS], "Title": "Sales Manager",
        "Department": TEAMS, "ManagerId": "", "IsActive": "true", "TimeZoneSidKey": "America/New_York",
        "CreatedDate": moments(np.full(len(TEAMS), day_number(company.config.start)), np.full(len(TEAMS), 32_400)),
    })  # fmt: skip
    return pd.concat([sellers, heads], ignore_index=True)


def _quotas(company: Company) -> pd.DataFrame:
    table = company.quotas
    return pd.DataFrame({
        "owner_id": owner_ids(table["owner"].to_numpy()), "period": table["period"],
        "quota": money(table["quota"].to_numpy()), "recorded_on": dates(table["recorded"].to_numpy()),
    })  # fmt: skip


def _submissions(company: Company) -> pd.DataFrame:
    table = company.forecast_submissions
    return pd.DataFrame({
        "period": table["period"], "submitted_on": dates(table["submitted"].to_numpy()),
        "owner_id": owner_ids(table["owner"].to_numpy()), "category": table["category"],
        "amount": money(table["amount"].to_numpy()), "recorded_on": dates(table["submitted"].to_numpy()),
    })  # fmt: skip


def _reviews(company: Company) -> pd.DataFrame:
    table = company.reviews
    return pd.DataFrame({
        "deal_id": deal_ids(table["deal"].to_numpy()), "respondent": table["respondent"],
        "held_on": dates(table["held"].to_numpy()), "reason": table["reason"], "sentiment": table["sentiment"],
        "recorded_on": dates(table["held"].to_numpy()),
    })  # fmt: skip
