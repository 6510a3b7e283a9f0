"""The frames of a study, from the cache or computed into it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import cached_property
from typing import Any, Literal

import pandas as pd

from analytics.records.contract import History
from analytics.records.definitions import Definitions
from analytics.records.rules import OutcomeRules
from analytics.studies.cache import CachedHistory, cache_key, cached_frame
from analytics.studies.params import CompanyParams
from analytics.studies.places import cache_folder


class Snapshots:
    """Every frame that is computed from the History by the engine, each under the hash of what it depends on."""

    def __init__(self, params: CompanyParams, input_hash: str, records: CachedHistory) -> None:
        self._params, self._records = params, records
        self._folder = cache_folder(params.folder)
        self._depends = {
            "input": input_hash,
            "source": params.source.model_dump(mode="json"),
            "timezone": params.timezone,
            "definitions": params.definitions.hash,
        }

    @cached_property
    def _tables(self) -> History:
        return self._records.as_tables()

    def deals(self, as_of: dt.date, rules: OutcomeRules, episodes: Literal["first", "all"]) -> pd.DataFrame:
        """Deals as known at the end of a day."""
        return self._deals(self._params.definitions, as_of, rules, episodes)

    def known_deals(self, as_of: dt.date, rules: OutcomeRules) -> pd.DataFrame:
        """Deals as known at the end of a day, including those that ended before observation began."""
        everything = self._params.definitions.model_copy(update={"observed_from": None})
        return self._deals(everything, as_of, rules, "all")

    def _deals(
        self, definitions: Definitions, as_of: dt.date, rules: OutcomeRules, episodes: Literal["first", "all"]
    ) -> pd.DataFrame:
        def compute() -> pd.DataFrame:
            from analytics.records.snapshot import snapshot_frame

            return snapshot_frame(self._tables, as_of=as_of, rules=rules, episodes=episodes, definitions=definitions)

        facts = {"frame": "deals", "definitions": definitions.hash, "as_of": as_of, "rules": rules.hash}
        return self._cached(compute, **facts, episodes=episodes)

    def attrition(self, as_of: dt.date, rules: OutcomeRules) -> pd.DataFrame:
        """From rows read to deals studied."""

        def compute() -> pd.DataFrame:
            from analytics.records.attrition import attrition

            return attrition(self._tables, as_of=as_of, rules=rules, definitions=self._params.definitions)

        return self._cached(compute, frame="attrition", as_of=as_of, rules=rules.hash)

    def attrition_deals(self, as_of: dt.date, rules: OutcomeRules) -> pd.DataFrame:
        """Which deals each line from the history to the deals studied takes off."""

        def compute() -> pd.DataFrame:
            from analytics.records.attrition import attrition_deals

            return attrition_deals(self._tables, as_of=as_of, rules=rules, definitions=self._params.definitions)

        return self._cached(compute, frame="attrition deals", as_of=as_of, rules=rules.hash)

    def delays(self, as_of: dt.date) -> pd.DataFrame:
        """How late closings were recorded."""

        def compute() -> pd.DataFrame:
            from analytics.records.delays import reporting_delays

            return reporting_delays(self._tables, as_of=as_of, definitions=self._params.definitions)

        return self._cached(compute, frame="delays", as_of=as_of)

    def trap_counts(self, as_of: dt.date) -> pd.DataFrame:
        """The twenty traps, counted."""

        def compute() -> pd.DataFrame:
            from analytics.records.traps import trap_counts

            definitions, calendar = self._params.definitions, self._params.calendar
            return trap_counts(self._tables, as_of=as_of, definitions=definitions, calendar=calendar)

        calendar = self._params.calendar.model_dump(mode="json")
        return self._cached(compute, frame="traps", as_of=as_of, calendar=calendar)

    def leaky_fields(self, as_of: dt.date) -> pd.DataFrame:
        """Which fields are filled only at the close, as the whole export shows."""

        def compute() -> pd.DataFrame:
            from analytics.records.leakage import leaky_in_export

            return leaky_in_export(self._tables, as_of=as_of)

        return self._cached(compute, frame="leaky", as_of=as_of)

    def _cached(self, compute: Callable[[], pd.DataFrame], **facts: Any) -> pd.DataFrame:
        return cached_frame(self._folder, cache_key(**{**self._depends, **facts}), compute)
