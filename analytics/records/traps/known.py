"""What the counts look at: deals in scope and their states, as known at the as-of date."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from analytics.records.calendar import FiscalCalendar
from analytics.records.contract import History, Noticed
from analytics.records.definitions import Definitions
from analytics.records.leaving_out import exclusions
from analytics.records.moments import state_at
from analytics.records.rules import OutcomeRules
from analytics.records.snapshot import episodes_with_exclusion
from analytics.records.states import known_states

_COLUMNS = (
    "deal_id", "episode", "account_id", "opened_on", "closed_on", "closed_recorded_on", "typed_on", "status",
    "expected_close_on", "born_closed", "has_next", "amount_original", "open_amount", "currency_original", "owner_id",
    "probability", "forecast_category", "excluded",
)  # fmt: skip


@dataclass(frozen=True)
class Known:
    """History as known at the end of a day, under the company's definitions and calendar.

    No rule of no decision is applied: a trap is a matter of what the CRM says, not of how it is read.
    """

    history: History
    as_of: dt.date
    definitions: Definitions
    calendar: FiscalCalendar | None

    @property
    def recorded(self) -> bool:
        """Whether earlier states were recorded, or are made from today's."""
        return self.history.kind == "recorded"

    @cached_property
    def rules(self) -> list[str]:
        """The names of all exclusions; `excluded` counts from 1."""
        return exclusions(self.history, self.definitions)

    @cached_property
    def all_episodes(self) -> pd.DataFrame:
        """Every known episode, of deals in and out of scope."""
        known = episodes_with_exclusion(
            self.history, as_of=self.as_of, rules=OutcomeRules(), definitions=self.definitions
        )
        columns = list(dict.fromkeys((*_COLUMNS, "pipeline", *self.history.attributes)))
        table = known.select(*columns).order_by("deal_id", "episode").to_pyarrow()
        frame: pd.DataFrame = table.to_pandas(date_as_object=False)
        return frame

    @cached_property
    def all_deals(self) -> pd.DataFrame:
        """First episodes of all known deals, in and out of scope."""
        return self._first(self.all_episodes)

    @cached_property
    def episodes(self) -> pd.DataFrame:
        """Every known episode of the deals that the scope keeps."""
        scoped = [number for number, rule in enumerate(self.rules, start=1) if rule.startswith("scope:")]
        out = self.all_deals.loc[self.all_deals["excluded"].isin(scoped), "deal_id"]
        return self.all_episodes[~self.all_episodes["deal_id"].isin(out)].reset_index(drop=True)

    @cached_property
    def deals(self) -> pd.DataFrame:
        """First episodes of the deals that the scope keeps."""
        return self._first(self.episodes)

    @cached_property
    def closings(self) -> pd.DataFrame:
        """Episodes that the CRM recorded as closed."""
        return self.episodes[self.episodes["closed_recorded_on"].notna()].reset_index(drop=True)

    @cached_property
    def states(self) -> Any:
        """Known states of the deals that the scope keeps, as a table of the engine."""
        import ibis

        states = known_states(self.history, self.as_of)
        return states.semi_join(ibis.memtable(self.deals[["deal_id"]].astype(object)), "deal_id")

    @cached_property
    def moments(self) -> pd.DataFrame:
        """Owner and amount of each deal at its opening, on the day of its first closing, and now."""
        columns = {"owner_id": "owner", "amount": "amount"}
        opening = state_at(self.states, "opening", {name: f"{to}_at_opening" for name, to in columns.items()})
        close = state_at(self.states, "close", {name: f"{to}_at_close" for name, to in columns.items()})
        now = state_at(self.states, "now", {name: f"{to}_now" for name, to in columns.items()})
        joined = now.left_join(opening, "deal_id").drop("deal_id_right").left_join(close, "deal_id")
        frame: pd.DataFrame = joined.drop("deal_id_right").to_pyarrow().to_pandas()
        return frame.sort_values("deal_id", ignore_index=True)

    @staticmethod
    def _first(episodes: pd.DataFrame) -> pd.DataFrame:
        return episodes[episodes["episode"] == 1].reset_index(drop=True)


def line(trap: int, what: str, found: pd.Series, among: pd.Series | pd.DataFrame, rule: str) -> Noticed:
    """Count the deals where `found` holds among those where `among` does (or among the rows of a frame)."""
    of = len(among) if isinstance(among, pd.DataFrame) else int(among.sum())
    return Noticed(trap, what, int(found.fillna(False).astype(bool).sum()), of, "deals", rule)
