"""What the published runs of a company left behind, quarter by quarter: read from their folders, never made again."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analytics.estimators.result import Estimate
from analytics.records.errors import InputError
from analytics.studies import results
from analytics.studies.bundle import published
from analytics.studies.params import PracticalDifferences

STUDY = "01_quarter"
"""The notebook whose results are laid side by side."""


@dataclass(frozen=True)
class SavedRun:
    """One published run: its quarter's name, its folder, and what its `run.json` says."""

    quarter: str
    folder: Path
    facts: Mapping[str, Any]

    @property
    def as_of(self) -> dt.date:
        """The last day whose records it used."""
        return dt.date.fromisoformat(self.facts["as_of"])

    @property
    def start(self) -> dt.date:
        """The first day of its quarter."""
        return dt.date.fromisoformat(self.facts["quarter"]["start"])

    @property
    def end(self) -> dt.date:
        """The last day of its quarter."""
        return dt.date.fromisoformat(self.facts["quarter"]["end"])

    @property
    def followed_to(self) -> dt.date:
        """The last day of its quarter that was settled at the as-of date."""
        return min(self.end, dt.date.fromisoformat(self.facts["settled_on"]))

    @property
    def params(self) -> Mapping[str, Any]:
        """The company's params as the run saw them; of a shared report, without what must not be shown."""
        params: Mapping[str, Any] = self.facts["company_params"]
        return params

    @property
    def safe(self) -> bool:
        """Whether it is a report for sharing."""
        return bool(self.params.get("share") == "safe")

    @property
    def margins(self) -> dict[str, float]:
        """Practical differences per outcome, as set when it ran."""
        return PracticalDifferences(**self.params.get("practical_differences", {})).by_outcome()

    def result(self, name: str) -> Estimate | None:
        """Read an Estimate of the quarter's study; None where it saved none of that name, or a sentence instead."""
        found = results.read(self.folder, STUDY, name)
        return found if isinstance(found, Estimate) else None


@dataclass(frozen=True)
class PublishedQuarter:
    """A quarter with the run first published, which stays as it was, and the current one."""

    name: str
    first: SavedRun
    current: SavedRun

    @property
    def bundle(self) -> Path:
        """`reports/<company>/<quarter>`."""
        return self.current.folder.parents[1]

    @property
    def runs(self) -> tuple[SavedRun, ...]:
        """Both, or the one where they are the same."""
        return (self.first,) if self.first.folder == self.current.folder else (self.first, self.current)


def published_quarters(company: Path) -> tuple[PublishedQuarter, ...]:
    """Find the published quarters of a company, oldest first.

    Parameters
    ----------
    company : pathlib.Path
        `reports/<company>`.

    Examples
    --------
    >>> published_quarters(Path("reports/nobody"))
    ()
    """
    found = []
    for bundle in sorted(company.glob("*/")):
        known = published(bundle)
        if known is not None:
            first, current = (_run(bundle, one) for one in (known.first, known.current))
            if first is not None and current is not None:
                found.append(PublishedQuarter(first.quarter, first, current))
    return tuple(sorted(found, key=lambda quarter: quarter.first.start))


def quarter_named(quarters: tuple[PublishedQuarter, ...], name: str, company: str) -> PublishedQuarter:
    """Pick a published quarter by its name.

    Raises
    ------
    InputError
        Naming the commands that would publish it.
    """
    for quarter in quarters:
        if quarter.name == name:
            return quarter
    raise not_published(company, name, [quarter.name for quarter in quarters])


def not_published(company: str, name: str, known: list[str]) -> InputError:
    """Say that a quarter has not been published, and what to run.

    Examples
    --------
    >>> print(not_published("demo", "2025Q3", []).action)
    Run: winloss run params/demo-2025Q3.yaml (winloss init quarter --company demo --quarter 2025Q3 writes that file)
    """
    run = f"Run: winloss run params/{company}-{name}.yaml (winloss init quarter --company {company} --quarter {name} "
    there = f"; published are {', '.join(known)}" if known else ""
    return InputError(
        f"this quarter of {company} has not been published{there}", value=name, action=f"{run}writes that file)"
    )


def _run(bundle: Path, run: str) -> SavedRun | None:
    try:
        facts = json.loads((bundle / "runs" / run / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return SavedRun(facts["quarter"]["name"], bundle / "runs" / run, facts) if "quarter" in facts else None
