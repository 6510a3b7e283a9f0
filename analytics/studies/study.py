"""A study: the frames that questions take, and the last cell of every notebook, which saves their answers."""

from __future__ import annotations

import dataclasses
import datetime as dt
import html
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import pandas as pd

from analytics.estimators.result import Estimate, Finding, Listing
from analytics.records.calendar import Quarter
from analytics.records.contract import History, SourceFile
from analytics.records.definitions import Definitions
from analytics.records.rules import OutcomeRules
from analytics.studies import store
from analytics.studies.cache import CachedHistory
from analytics.studies.params import CompanyParams
from analytics.studies.places import OUT_VARIABLE
from analytics.studies.sharing import SharedSnapshots, sharing_of
from analytics.studies.team_pages import of_its_deals

SavedT = TypeVar("SavedT", Estimate, Listing, Finding, tuple[Finding, ...])


class Study:
    """One company, one quarter, as of one day: the frames that questions take, and a place for their answers.

    Made by `open_study`. Frames are read from the snapshot cache; what is not there is computed once.

    Attributes
    ----------
    params : CompanyParams
        The company's checked params.
    quarter, as_of
        The quarter under study and the last day whose records are used (datetime.date).
    compare_to, segments
        Quarters to compare with (tuple of Quarter) and columns to split by (tuple of str).
    input_hash : str
        Changes whenever an input file does.

    Examples
    --------
    >>> from analytics import open_study
    >>> study = open_study(company="demo", quarter="2025Q4", as_of="2026-01-31", compare_to=["2025Q3"])
    >>> study.horizon_days, study.segments
    (365, ('source', 'segment', 'region'))
    >>> str(study.as_of_for(study.compare_to[0]))
    '2025-10-31'
    """

    def __init__(
        self, params: CompanyParams, quarter: Quarter, as_of: dt.date, *,
        compare_to: tuple[Quarter, ...], segments: tuple[str, ...], records: tuple[str, CachedHistory],
    ) -> None:  # fmt: skip
        self.params, self.quarter, self.as_of = params, quarter, as_of
        self.compare_to, self.segments = compare_to, segments
        self.input_hash, self._records = records
        self.sharing = sharing_of(params, self._records)
        self._snapshots = SharedSnapshots(params, *records, self.sharing)
        # How late closings are recorded is a matter of the company's records: a team is settled when the company is.
        whole = params.team is None
        self._whole = self._snapshots if whole else SharedSnapshots(params.whole, *records, self.sharing)
        self._saved: dict[str, object] = {}

    def __repr__(self) -> str:
        days = f"{self.quarter.start:%-d %B %Y} to {self.quarter.end:%-d %B %Y}"
        return f"{self.title}: {self.quarter.name} ({days}), as of {self.as_of:%-d %B %Y}. {self.studied}."

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(repr(self))}</p>"

    @property
    def studied(self) -> str:
        """How many deals are studied, of how many rows; a shared report does not say how many rows are missing."""
        read = sum(file.rows_read for file in self.files)
        silent = self.sharing.safe or self.params.team is not None
        return f"{len(self.deals):,} deals studied" + ("" if silent else f", from {read:,} rows read")

    @property
    def title(self) -> str:
        """The company's name on the page."""
        return self.params.title

    @property
    def rules(self) -> OutcomeRules:
        """What counts as no decision, inferred rules included."""
        return self.params.rules

    @property
    def definitions(self) -> Definitions:
        """Who is studied and how."""
        return self.params.definitions

    @property
    def horizon_days(self) -> int:
        """Days after opening at which headline shares are read."""
        return self.params.horizon_days

    @property
    def margins(self) -> dict[str, float]:
        """Practical differences per outcome, as shares."""
        return self.params.practical_differences.by_outcome()

    @property
    def smallest_cell(self) -> int:
        """Cells with fewer deals are not shown."""
        return self.params.thresholds.smallest_cell

    @property
    def kind(self) -> Literal["recorded", "current_only"]:
        """Whether the source keeps history or only today's state."""
        kind: Literal["recorded", "current_only"] = self._records.facts["kind"]
        return kind

    @cached_property
    def deals(self) -> pd.DataFrame:
        """First episodes under declared rules, as known at `as_of`: the frame of curves."""
        return self._first(self.ledger_deals)

    @cached_property
    def ledger_deals(self) -> pd.DataFrame:
        """All episodes under declared rules, as known at `as_of`: the frame of the ledger."""
        return self._snapshots.deals(self.as_of, self.rules.declared_only(), "all")

    @cached_property
    def known_deals(self) -> pd.DataFrame:
        """All episodes of all deals in scope as known at `as_of`, those that ended before observation began included.

        Their outcomes are known, the days on which they ended are not: for shares at the as-of date, never for curves.
        """
        if self.definitions.observed_from is None:
            return self.ledger_deals
        return self._snapshots.known_deals(self.as_of, self.rules.declared_only())

    @cached_property
    def deals_by_rule(self) -> dict[str, pd.DataFrame]:
        """First episodes under the declared reasons, then under each inferred rule beside them."""
        inferred = {
            str(kind): self._snapshots.deals(self.as_of, self.rules.only(kind), "first")
            for kind in self.rules.inferred_kinds
        }
        return {"declared": self.deals, **inferred}

    @property
    def deals_restated(self) -> pd.DataFrame:
        """The same as `deals`: earlier quarters as they look by now."""
        return self.deals

    def deals_as_known(self, quarter: Quarter) -> pd.DataFrame:
        """First episodes under declared rules as known as long after `quarter` as `as_of` is after this one."""
        return self._first(self.ledger_as_known(quarter))

    def ledger_as_known(self, quarter: Quarter) -> pd.DataFrame:
        """All episodes under declared rules as known as long after `quarter` as `as_of` is after this one."""
        deals = self._whole.deals(self.as_of_for(quarter), self.rules.declared_only(), "all")
        if self.params.team is None:
            return deals
        # Whose a deal is, is read as of today: then it may have been recorded under an owner of another team.
        return deals[deals["deal_id"].isin(self.known_deals["deal_id"])].reset_index(drop=True)

    def as_of_for(self, quarter: Quarter) -> dt.date:
        """The day that is as long after the end of `quarter` as `as_of` is after the end of this one."""
        return quarter.end + (self.as_of - self.quarter.end)

    def settled_for(self, quarter: Quarter) -> dt.date:
        """The settled date that belongs to `as_of_for(quarter)`: the same lag, so that quarters compare."""
        return self.as_of_for(quarter) - (self.as_of - self.settled_on)

    @cached_property
    def attrition(self) -> pd.DataFrame:
        """Every step from rows read to `deals`, and what these came to under declared rules; it adds up."""
        return self._snapshots.attrition(self.as_of, self.rules.declared_only())

    @cached_property
    def attrition_deals(self) -> pd.DataFrame | None:
        """Which deals each line of `attrition` takes off (step, rule, deal_id).

        None where they are not the reader's: in a shared report, and in a team's, which would name other teams' deals.
        """
        if self.sharing.safe or self.params.team is not None:
            return None
        return self._snapshots.attrition_deals(self.as_of, self.rules.declared_only())

    @cached_property
    def delays(self) -> pd.DataFrame:
        """How late closings were recorded, one row per closing; empty where the source keeps no history."""
        delays = self._whole.delays(self.as_of)
        # a team's own report names no deal of another team
        return delays if self.params.team is None else delays.drop(columns="deal_id")

    @cached_property
    def trap_counts(self) -> pd.DataFrame:
        """The twenty traps of CRM exports: how often each was found, and what is done about it."""
        return self._snapshots.trap_counts(self.as_of)

    @cached_property
    def leaky_fields(self) -> pd.DataFrame:
        """Every field, and whether the export shows it to be filled or changed only when a deal closes."""
        return self._snapshots.leaky_fields(self.as_of)

    @cached_property
    def settled_on(self) -> dt.date:
        """The day up to which nearly all closings have been recorded: `settle_days` before as-of, or as estimated."""
        if self.params.settle_days is not None:
            return self.as_of - dt.timedelta(days=self.params.settle_days)
        if self.delays.empty:
            return self.as_of
        from analytics.estimators.reporting_delay import reporting_delay, settled_lag_days

        return self.as_of - dt.timedelta(days=settled_lag_days(reporting_delay(self.delays)))

    @cached_property
    def history(self) -> History:
        """What was recorded, and when, as pandas frames; of a team's deals alone where the study is a team's."""
        history = self.sharing.history(self._records.as_frames())
        return history if self.params.team is None else of_its_deals(history, self.known_deals["deal_id"].tolist())

    @property
    def known_to(self) -> dt.date | None:
        """The last day on which anything was recorded."""
        return self._records.known_to

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """Everything that was read."""
        return self._records.files

    @cached_property
    def rejects(self) -> pd.DataFrame:
        """Every rejected row with its file, line, reason and values; names and texts only where params ask for them."""
        rejects = self.sharing.rejects(self._records.rejects())
        return rejects if self.params.team is None else rejects.iloc[:0]

    def save(self, name: str, result: SavedT) -> SavedT:
        """Register a result under a name, write it where `WINLOSS_OUT` says, and return it stamped.

        Parameters
        ----------
        name : str
            Lower-case letters, digits and `_`.
        result : Estimate, Listing, Finding or tuple of Finding
            What a question answered.

        Returns
        -------
        The same with its as-of date; an Estimate with hash of rules and input, and whether it is a reconstruction.
        Under `share: safe` what may be shown of it, which can be a Finding that says what is left out.

        Raises
        ------
        ValueError
            Where a name is used twice in one run: the second would silently replace the first.

        Examples
        --------
        >>> from analytics import open_study
        >>> study = open_study(company="demo", quarter="2025Q4", as_of="2026-01-31")
        >>> study.save("seen", Listing(pd.DataFrame({"deals": [3]}), "What was seen")).saved_as
        'seen'
        """
        out = os.environ.get(OUT_VARIABLE)
        if out and name in self._saved:
            raise ValueError(f"two results of this notebook are called {name!r}")
        stamped = self._stamped(name, cast(SavedT, self.sharing.result(name, result)))
        self._saved[name] = stamped
        if out and not self.sharing.leaves_out(result):
            store.write(Path(out), name, stamped)
        return stamped

    @property
    def saved(self) -> Mapping[str, object]:
        """What this notebook has saved so far, by name."""
        return self._saved

    def fill_cache(self) -> None:
        """Compute every frame that notebooks ask for, so that they need no engine."""
        for quarter in (self.quarter, *self.compare_to):
            self.deals_as_known(quarter)
        _ = (self.known_deals, self.deals_by_rule, self.attrition, self.settled_on, self.rejects, self.trap_counts)
        _ = self.attrition_deals

    def _stamped(self, name: str, result: SavedT) -> SavedT:
        if isinstance(result, Listing):
            listing: Any = result
            return cast(SavedT, dataclasses.replace(listing, saved_as=name, as_of=listing.as_of or self.as_of))
        if not isinstance(result, Estimate):
            return result
        as_of = result.meta.as_of or self.as_of
        known_to = self._records.known_to
        earlier = "compared_to" in result.meta.keys or (known_to is not None and as_of < known_to)
        stamped: Any = result.stamped(
            as_of=as_of, rules_hash=self.rules.hash, input_hash=self.input_hash[:16],
            reconstructed=self.kind == "current_only" and earlier, saved_as=name,
        )  # fmt: skip
        return cast(SavedT, stamped)

    @staticmethod
    def _first(ledger: pd.DataFrame) -> pd.DataFrame:
        return ledger[ledger["episode"] == 1].reset_index(drop=True)
