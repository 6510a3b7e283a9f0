"""The company's run, and after it a run for each team that is asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from analytics.studies.beside import lead_from
from analytics.studies.exits import DONE
from analytics.studies.opening import open_params
from analytics.studies.params import QuarterParams, company_of, load_quarter
from analytics.studies.run import Options, Result, run_study
from analytics.studies.team_pages import ALL, bundle_of, chosen_teams, refuse_shared, teams_of, write_list


def run_all(params: Path | str | QuarterParams, options: Options, teams: Sequence[str] = ()) -> Iterator[Result]:
    """Run the company's study; with teams named, or `teams: pages` in the params, theirs.

    Parameters
    ----------
    params : path or QuarterParams
        As for `run_study`.
    options : Options
        As for `run_study`.
    teams : sequence of str
        Only these teams' reports (`all`: of each one), not the company's. Without, the params decide.

    Yields
    ------
    Result
        One per report; it stops after the first that failed.

    Raises
    ------
    InputError
        As `run_study`; before anything runs for a team that has no deals, and under `share: safe`.
    """
    quarter = params if isinstance(params, QuarterParams) else load_quarter(params)
    company = company_of(quarter)
    pages = company.teams == "pages" and not options.only
    if teams or pages:
        refuse_shared(company)
    if not teams:
        result = run_study(quarter, options)
        yield result
        if not pages or result.exit_code != DONE:
            return
    study = open_params(company, quarter)
    known = teams_of(study)
    for team in chosen_teams(known, teams or (ALL,)):
        result = run_study(quarter, dataclasses.replace(options, team=team))
        yield result
        if result.exit_code != DONE:
            return
    bundle = bundle_of(company, study.quarter.name, options.reports)
    write_list(bundle, f"{study.title}, {study.quarter.name}", known)
    lead_from(bundle)
