"""The current run of a published quarter, for whoever takes something out of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from analytics.records.errors import InputError
from analytics.studies.bundle import published
from analytics.studies.params import CompanyParams, QuarterParams, company_of, load_quarter
from analytics.studies.places import NOTEBOOKS
from analytics.studies.team_pages import bundle_of, folder_name, of_team


@dataclass(frozen=True)
class PublishedRun:
    """A published run: its folder, and the params it was asked for with.

    Attributes
    ----------
    folder : pathlib.Path
        `reports/<company>/<quarter>/runs/<id>`, with pages, notebooks and results in it.
    bundle : pathlib.Path
        `reports/<company>/<quarter>`.
    company, quarter
        Checked params.
    name : str
        Of the quarter (`2025Q4`).
    """

    folder: Path
    bundle: Path
    company: CompanyParams
    quarter: QuarterParams
    name: str

    @property
    def file_name(self) -> str:
        """What files made of it are called: company, quarter and, where it is a team's, its team."""
        team = "" if self.company.team is None else f"-{folder_name(self.company.team)}"
        return f"{self.company.company}-{self.name}{team}"

    @property
    def notebooks(self) -> tuple[str, ...]:
        """Names of the notebooks that are in it, in reading order."""
        found = (self.folder / NOTEBOOKS).glob("[0-9][0-9]_*.ipynb")
        return tuple(sorted(path.stem for path in found if path.stem.count(".") == 0))


def current_run(params: Path | str, reports: Path | None = None, *, team: str | None = None) -> PublishedRun:
    """Find the run that a quarter's report shows now.

    Parameters
    ----------
    params : path
        `params/<company>-<quarter>.yaml`.
    reports : pathlib.Path, optional
        Where reports are; by default beside the params folder.
    team : str, optional
        The report of this team's deals in place of the company's.

    Raises
    ------
    InputError
        Where no run of the quarter was published.
    """
    quarter = load_quarter(params)
    company = company_of(quarter)
    company = company if team is None else of_team(company, team)
    name = company.calendar.quarter(quarter.quarter).name
    bundle = bundle_of(company, name, reports)
    found = published(bundle)
    if found is None:
        raise InputError(
            f"no report of {company.title}, {name}, was published in {bundle}",
            action=f"Make it first: winloss run {params}",
        )
    return PublishedRun(bundle / "runs" / found.current, bundle, company, quarter, name)
