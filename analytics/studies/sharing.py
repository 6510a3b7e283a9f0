"""What may leave the house: the company's `share:` and `show:`, held at the two doors of a study.

Frames come in through `Sharing.frame`: under `share: safe` the ids in them are codes before a question sees them, so
no label, sentence or figure can hold one. Answers go out through `Sharing.result`, which `Study.save` calls: lists of
deals stay at home, and cells with few deals are hidden (see `analytics.studies.small_cells`). An attribute that people
typed (many values, long ones, an e-mail address in one) is coded whole; elsewhere each value with an address is.

Whatever is shared, original values of rejected rows lose names, addresses and texts unless `show: [text]` asks for
them. Naming a column of names among the `segments` asks for those names (as codes under `share: safe`, unless `show:
[names]`). The snapshot cache and the key of the codes hold what the export holds: they are no part of a report.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from analytics.estimators.result import Estimate, Finding, Listing
from analytics.records.contract import History, SourceFile
from analytics.records.private import (
    ID_COLUMNS,
    has_address,
    is_free_text,
    is_name_like,
    original_values,
    without_addresses,
)
from analytics.records.rules import OutcomeRules
from analytics.studies.cache import CachedHistory
from analytics.studies.codes import Codes, share_key
from analytics.studies.params import CompanyParams
from analytics.studies.small_cells import Result, hidden_rows, protected
from analytics.studies.small_listings import NOTHING_SEEN
from analytics.studies.small_sentences import withheld
from analytics.studies.snapshots import Snapshots

Share = Literal["private", "safe"]
Shown = Literal["names", "text"]

_CHOSEN = ("currency_original", "stage")
"""Columns that a CRM fills from its own lists; a value in them is coded only where it holds an e-mail address."""


class Sharing:
    """How one study is shared.

    Parameters
    ----------
    share : {"private", "safe"}
        `safe`: ids as codes, no lists of deals, no cells with few deals.
    show : sequence of {"names", "text"}
        What is shown although it is private: columns of names, and free text (with it, original values).
    ids : sequence of str
        Columns that identify somebody or something, beside deal_id, account_id and owner_id.
    smallest : int
        Cells with fewer deals are hidden under `safe`.
    folder : pathlib.Path
        Where the key of the codes is kept.
    values : mapping of str to values
        The different values of each attribute: an attribute of names or of free text is coded as well.
    """

    def __init__(
        self, share: Share, *, show: Sequence[Shown] = (), ids: Sequence[str] = (), smallest: int = 5,
        folder: Path = Path(), values: Mapping[str, Sequence[str | None]] | None = None,
    ) -> None:  # fmt: skip
        self.safe = share == "safe"
        self.show, self._ids, self._smallest, self._folder = tuple(show), tuple(ids), smallest, folder
        self._values = values or {}
        self._hidden: dict[str, pd.DataFrame] = {}
        self._seen = NOTHING_SEEN

    @cached_property
    def kinds(self) -> dict[str, str]:
        """Columns that are coded, and what their codes begin with."""
        kinds = ID_COLUMNS | {name: name.removesuffix("_id") for name in self._ids}
        for name, values in self._values.items():
            texts = [value for value in values if value is not None]
            named = is_name_like(name) and "names" not in self.show
            typed = name not in _CHOSEN and is_free_text(texts) and "text" not in self.show
            if (named or typed) and name not in kinds:
                kinds[name] = name
        return kinds

    @cached_property
    def _codes(self) -> Codes:
        return Codes(share_key(self._folder))

    def code(self, column: str, values: Sequence[str]) -> dict[str, str]:
        """Give the codes of values of one column."""
        return self._codes.of(self.kinds[column], values)

    def frame(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return a frame of the study with codes in the place of ids; unchanged unless the study is shared safely."""
        if not self.safe:
            return frame
        people = {name: "person" for name in ("name", "manager") if "names" not in self.show}
        changed = {}
        for column, kind in (self.kinds | people).items():
            if column in frame:
                texts = frame[column].astype(object)
                codes = self._codes.of(kind, [str(value) for value in texts.dropna().unique()])
                changed[column] = texts.map(lambda value, codes=codes: value if pd.isna(value) else codes[str(value)])
        coded = frame.assign(**changed)
        return coded if "text" in self.show else self._without_addresses(coded)

    def _without_addresses(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Code each single value that holds an e-mail address, whatever its column."""
        changed = {}
        for column in frame.columns:
            if not (frame[column].dtype == object or pd.api.types.is_string_dtype(frame[column].dtype)):
                continue
            values = [text for text in frame[column].dropna().unique() if isinstance(text, str) and has_address(text)]
            if values:
                codes = self._codes.of(str(column), values)
                changed[str(column)] = frame[column].astype(object).map(lambda text, codes=codes: codes.get(text, text))
        return frame.assign(**changed)

    def words(self, text: str) -> str:
        """Return words in which no value of a coded column, and no e-mail address, stands."""
        if not self.safe:
            return text
        for column in self.kinds:
            for value in self._values.get(column, ()):
                if value and value in text:
                    text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", self.code(column, [value])[value], text)
        return text if "text" in self.show else without_addresses(text)

    def sentence(self, text: str, scope: Mapping[str, Sequence[str | None]]) -> str:
        """Return a line of the attrition table with the ids that its scope names as codes."""
        if self.safe:
            for column, values in scope.items():
                if column in self.kinds and text.startswith(f"scope: {column} "):
                    codes = self.code(column, [value for value in values if value is not None])
                    listed = ", ".join("(empty)" if value is None else codes[value] for value in values)
                    return f"{text.partition('[')[0]}[{listed}]"
        return text

    def history(self, history: History) -> History:
        """Return a History of frames with codes in the place of ids, and rejected rows without names and texts."""
        side = {name: self.frame(table) for name, table in history.side.items()}
        rejects = self.rejects(history.rejects)
        return dataclasses.replace(history, table=self.frame(history.table), side=side, rejects=rejects)

    def rejects(self, rejects: pd.DataFrame) -> pd.DataFrame:
        """Return rejected rows whose original values say no name and no text that was not asked for."""
        if "text" in self.show or not len(rejects):
            return rejects
        return rejects.assign(values=[original_values(str(values)) for values in rejects["values"]])

    def inputs(self, files: Sequence[SourceFile]) -> list[dict[str, Any]]:
        """Say which files were read; under `share: safe` without how many of their rows were rejected."""
        if not self.safe:
            return [dataclasses.asdict(file) for file in files]
        return [{"name": file.name, "sha256": file.sha256} for file in files]

    def result(self, name: str, result: Any) -> Any:
        """Return a result as it may be shown: itself, or under `share: safe` what is left of it."""
        if not self.safe:
            return result
        if isinstance(result, Listing) and result.private:
            said = f"{result.title}: left out of a shared report."
            return Finding(
                name, said, "Its rows are deals; the company's own report (share: private) has it.", "described"
            )
        if isinstance(result, Estimate | Listing):
            result = dataclasses.replace(result, deals=None)
            tested = {str(v) for rows in self._hidden.values() if "segment" in rows for v in rows["segment"]}
            shown: Result = protected(result, name, self._smallest, tested=tested, seen=self._seen)
            self._hidden[name] = hidden_rows(shown)
            if isinstance(result, Listing):
                self._seen = self._seen.and_also(result, shown)
            return shown
        if isinstance(result, Finding):
            return self._finding(result)
        return tuple(self._finding(finding) for finding in result)

    def leaves_out(self, result: object) -> bool:
        """Say whether a result is no part of the bundle at all."""
        return self.safe and isinstance(result, Listing) and result.private

    def _finding(self, finding: Finding) -> Finding:
        hidden = self._hidden.get(finding.estimate or "")
        if hidden is not None and len(hidden) and finding.keys:
            mine = pd.Series(True, index=hidden.index)
            for key, value in finding.keys:
                if key in hidden:
                    mine &= hidden[key].astype(str) == value
            if mine.any():
                return withheld(finding, self._smallest)
        shown = protected(finding, finding.name, self._smallest)
        assert isinstance(shown, Finding)
        return shown


class SharedSnapshots(Snapshots):
    """The frames of a study as its questions may see them."""

    def __init__(self, params: CompanyParams, input_hash: str, records: CachedHistory, sharing: Sharing) -> None:
        super().__init__(params, input_hash, records)
        self._sharing = sharing
        scope = params.scope
        self._scope = {} if scope is None else {**scope.drop, **scope.keep}

    def deals(self, as_of: dt.date, rules: OutcomeRules, episodes: Literal["first", "all"]) -> pd.DataFrame:
        """Deals as known at the end of a day."""
        return self._sharing.frame(super().deals(as_of, rules, episodes))

    def known_deals(self, as_of: dt.date, rules: OutcomeRules) -> pd.DataFrame:
        """Deals as known at the end of a day, including those that ended before observation began."""
        return self._sharing.frame(super().known_deals(as_of, rules))

    def attrition(self, as_of: dt.date, rules: OutcomeRules) -> pd.DataFrame:
        """From rows read to deals studied; a scope that names ids names their codes."""
        lines = super().attrition(as_of, rules)
        said = (self._sharing.sentence(str(rule), self._scope) for rule in lines["rule"])
        return lines.assign(rule=[self._sharing.words(text) for text in said])

    def delays(self, as_of: dt.date) -> pd.DataFrame:
        """How late closings were recorded."""
        return self._sharing.frame(super().delays(as_of))

    def trap_counts(self, as_of: dt.date) -> pd.DataFrame:
        """The twenty traps, counted; values that they name are codes where their column is coded."""
        counts = super().trap_counts(as_of)
        return counts.assign(**{name: counts[name].map(self._sharing.words) for name in ("what", "rule")})


def sharing_of(params: CompanyParams, records: CachedHistory) -> Sharing:
    """How a company's studies are shared, as its params say."""
    return Sharing(
        params.share, show=params.show, ids=params.ids, smallest=params.thresholds.smallest_cell,
        folder=params.folder, values=records.facts["values"],
    )  # fmt: skip
