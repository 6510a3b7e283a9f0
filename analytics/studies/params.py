"""Checked parameters: what a company's file and a quarter's file may say, and what each key means."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator

from analytics.records.calendar import FiscalCalendar
from analytics.records.definitions import CurrencyPolicy, Definitions, Moment, Scope
from analytics.records.errors import InputError, nearest
from analytics.records.rules import OutcomeRules
from analytics.records.sources.mapping import SourceConfig
from analytics.studies.checking import checked
from analytics.studies.redaction import refuse_passwords
from analytics.studies.strict_yaml import read_yaml

CLOSED = ConfigDict(frozen=True, extra="forbid")

QUARTER_KEYS = ("company", "quarter", "as_of", "compare_to", "segments")
"""The parameters of every notebook, in the order of its parameters cell."""


class PracticalDifferences(BaseModel):
    """The smallest differences that would matter, set before results are seen (shares, not percentages)."""

    model_config = CLOSED
    win_incidence: float = Field(default=0.03, gt=0, lt=1)
    lost_incidence: float = Field(default=0.03, gt=0, lt=1)
    no_decision_incidence: float = Field(default=0.03, gt=0, lt=1)

    def by_outcome(self) -> dict[str, float]:
        """The margin of each outcome.

        Examples
        --------
        >>> PracticalDifferences().by_outcome()["won"]
        0.03
        """
        return {"won": self.win_incidence, "lost": self.lost_incidence, "no_decision": self.no_decision_incidence}


class Thresholds(BaseModel):
    """Sizes below which something is not shown: `smallest_cell` deals in a cell of a table."""

    model_config = CLOSED
    smallest_cell: int = Field(default=5, ge=1)


class CompanyParams(BaseModel):
    """Everything a company's studies share: `params/<company>.yaml`.

    Parameters
    ----------
    company, title : str
        Short name (the file's, `[a-z0-9_]+`) and the name on the page.
    source : SourceConfig
        Where the records are and how their columns are called.
    timezone : str, optional
        Zone in which moments that carry a zone are dated (`America/New_York`); the rest stay as written.
    scope : Scope, optional
        Which deals are studied. Required by a run; unset, it stops and lists the values found.
    rules : OutcomeRules
        What counts as no decision.
    calendar : FiscalCalendar
        When quarters begin and what they are called.
    currency : CurrencyPolicy
        In which currency amounts are shown.
    horizon_days : int, default 365
        Days after opening at which headline shares are read.
    settle_days : int, optional
        Days after which a closing counts as recorded; unset, it is estimated from the reporting delay.
    settling_days : int, optional
        Days after a quarter's last day at which `winloss run --quarter latest` reads it: as-of is end plus this.
    observed_from, qualification_stage, stages, attributes_at, close_date
        See `analytics.records.definitions.Definitions`.
    segments : tuple of str
        Columns by which studies split deals unless the quarter's file names others.
    practical_differences : PracticalDifferences
        The smallest differences that would matter.
    designs : dict of str to "randomised"
        Segments whose level deals were given by lot: only of these may a finding say what they did.
    thresholds : Thresholds
        Sizes below which nothing is shown.
    crm_url_template : str, optional
        Link to a deal in the CRM, with `{deal_id}` in it.
    share : {"private", "safe"}
        `safe` makes a report for others: ids as stable codes, no lists of deals, no cells with fewer than
        `thresholds.smallest_cell` deals. See `analytics.studies.sharing`.
    show : tuple of {"names", "text"}
        Private things that are shown all the same: columns of names; free text and original values of rejected rows.
    ids : tuple of str
        Attributes that identify somebody or something, beside deal, account and owner: codes under `share: safe`.

    Examples
    --------
    >>> CompanyParams.model_fields["horizon_days"].default
    365
    """

    model_config = CLOSED
    company: str
    title: str
    source: SourceConfig
    timezone: str | None = None
    scope: Scope | None = None
    rules: OutcomeRules = OutcomeRules()
    calendar: FiscalCalendar = FiscalCalendar()
    currency: CurrencyPolicy = CurrencyPolicy()
    horizon_days: int = Field(default=365, ge=1, le=3650)
    settle_days: int | None = Field(default=None, ge=0)
    settling_days: int | None = Field(default=None, ge=0, le=366)
    observed_from: dt.date | None = None
    qualification_stage: str | None = None
    stages: tuple[str, ...] = ()
    attributes_at: dict[str, Moment] = Field(default_factory=dict)
    close_date: Literal["typed", "recorded"] = "typed"
    segments: tuple[str, ...] = ()
    practical_differences: PracticalDifferences = PracticalDifferences()
    designs: dict[str, Literal["randomised"]] = Field(default_factory=dict)
    thresholds: Thresholds = Thresholds()
    crm_url_template: str | None = None
    share: Literal["private", "safe"] = "private"
    show: tuple[Literal["names", "text"], ...] = ()
    ids: tuple[str, ...] = ()
    _path: Path | None = PrivateAttr(default=None)
    _raw: dict[str, Any] = PrivateAttr(default_factory=dict)

    @field_validator("company")
    @classmethod
    def _short_name(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z0-9_]+", value):
            raise ValueError(f"{value!r} may hold only a-z, 0-9 and _")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        if value is not None and value not in zoneinfo.available_timezones():
            raise ValueError(f"{value!r} is not a time zone; {nearest(value, zoneinfo.available_timezones())}")
        return value

    @property
    def definitions(self) -> Definitions:
        """Who is studied and how, as one hashed value."""
        return Definitions(
            scope=self.scope, currency=self.currency, observed_from=self.observed_from,
            qualification_stage=self.qualification_stage, stages=self.stages, attributes_at=self.attributes_at,
            close_date=self.close_date,
        )  # fmt: skip

    @property
    def folder(self) -> Path:
        """The folder of the params file: the paths in it resolve against this."""
        return self._path.parent if self._path is not None else Path()

    @property
    def raw(self) -> dict[str, Any]:
        """What the file says, word for word: nothing from the environment is filled in."""
        return self._raw


class QuarterParams(BaseModel):
    """The parameters of one study, exactly those of the notebooks: `params/<company>-<quarter>.yaml`.

    Parameters
    ----------
    company : str
        Whose params file.
    quarter : str
        The quarter under study (`2025Q4`, `FY26Q1`).
    as_of : datetime.date
        The last day whose records are used (text like `2026-01-31` in files).
    compare_to : tuple of str, optional
        Quarters to compare with; unset, the quarter before and the same quarter a year ago.
    segments : tuple of str, optional
        Columns to split by; unset, the company's own.
    """

    model_config = CLOSED
    company: str
    quarter: str
    as_of: dt.date
    compare_to: tuple[str, ...] | None
    segments: tuple[str, ...] | None
    _path: Path | None = PrivateAttr(default=None)

    @property
    def path(self) -> Path | None:
        """The file that these came from, where there is one."""
        return self._path

    def as_parameters(self) -> dict[str, Any]:
        """Return plain values for a notebook's parameters cell (papermill turns anything else into text or fails)."""
        values: dict[str, Any] = {"company": self.company, "quarter": self.quarter, "as_of": self.as_of.isoformat()}
        values["compare_to"] = None if self.compare_to is None else list(self.compare_to)
        values["segments"] = None if self.segments is None else list(self.segments)
        return values


def load_company(path: Path | str) -> CompanyParams:
    """Read and check a company's params file.

    Parameters
    ----------
    path : path
        `params/<company>.yaml`.

    Raises
    ------
    InputError
        Naming the file, the key, and the nearest known key or the value that was expected.
    """
    path = Path(path).absolute()
    content = read_yaml(path)
    refuse_passwords(content, file=path.name)
    params = checked(CompanyParams, content, file=path.name)
    if params.company != path.stem:
        raise InputError(
            f"says company: {params.company}, but the file is called {path.stem}", file=path.name,
            action="Give the file and the company the same name",
        )  # fmt: skip
    params._path, params._raw = path, content
    return params


def load_quarter(path: Path | str) -> QuarterParams:
    """Read and check a quarter's params file, which also serves `papermill -f`.

    Parameters
    ----------
    path : path
        `params/<company>-<quarter>.yaml`.

    Raises
    ------
    InputError
        As `load_company`.
    """
    path = Path(path).absolute()
    content = read_yaml(path)
    if "source" in content and "quarter" not in content:
        others = sorted(other.name for other in path.parent.glob(f"{path.stem}-*.yaml"))
        raise InputError(
            "is a company's file; a run takes a quarter's", file=path.name,
            action=f"Try {others[-1]}" if others else f"Write {path.stem}-<quarter>.yaml: {', '.join(QUARTER_KEYS)}",
        )  # fmt: skip
    params = quarter_params(content, file=path.name)
    params._path = path
    return params


def quarter_params(content: Mapping[str, Any], *, file: str | None = None) -> QuarterParams:
    """Check the five parameters of a study, wherever they came from (a file or a notebook's cell)."""
    return checked(QuarterParams, content, file=file)
