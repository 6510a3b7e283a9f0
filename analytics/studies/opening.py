"""The first cell of every notebook: open a study."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Sequence

from analytics.records.leakage import refuse_leaky
from analytics.studies.choices import as_of_checked, compared_quarters, quarter_checked, scope_checked, segments_checked
from analytics.studies.histories import company_history
from analytics.studies.params import CompanyParams, QuarterParams, load_company, quarter_params
from analytics.studies.places import params_folder
from analytics.studies.study import Study
from analytics.studies.team_pages import TEAM_VARIABLE, of_team


def open_study(
    *,
    company: str,
    quarter: str,
    as_of: str | dt.date,
    compare_to: Sequence[str] | None = None,
    segments: Sequence[str] | None = None,
) -> Study:
    """Open the study of one quarter, from a notebook's parameters.

    Parameters
    ----------
    company : str
        Name of `params/<company>.yaml`: in `WINLOSS_PARAMS`, else in a `params` folder here or above, else the
        project's.
    quarter : str
        `2025Q4` or `FY26Q1`, in the company's fiscal calendar.
    as_of : str or datetime.date
        The last day whose records are used, `2026-01-31`.
    compare_to, segments : sequence of str, optional
        Quarters to compare with (unset: the one before, and a year ago); columns to split by (unset: the company's).

    Returns
    -------
    Study

    Raises
    ------
    InputError
        For a parameter of the wrong type, an unknown company, quarter or segment, a quarter in the future, an as-of
        date before the first record, a scope that is not set, a segment that only closing fills, and everything that
        is wrong with the input.

    Examples
    --------
    >>> from analytics.records.errors import InputError
    >>> try:
    ...     open_study(company="demo", quarter="2025Q4", as_of="31.1.2026")
    ... except InputError as problem:
    ...     print(problem)
    value '31.1.2026': the key 'as_of' must be a date like 2026-01-31.
    """
    given = {"company": company, "quarter": quarter, "as_of": as_of, "compare_to": compare_to, "segments": segments}
    asked = quarter_params({key: list(value) if isinstance(value, tuple) else value for key, value in given.items()})
    params, team = load_company(params_folder(asked.company) / f"{asked.company}.yaml"), os.environ.get(TEAM_VARIABLE)
    return open_params(of_team(params, team) if team else params, asked)


def open_params(params: CompanyParams, asked: QuarterParams) -> Study:
    """Open a study whose params have been read and checked.

    Raises
    ------
    InputError
        As `open_study`.
    """
    chosen = quarter_checked(params.calendar.quarter(asked.quarter), asked.as_of)
    compared = compared_quarters(params.calendar, chosen, asked.compare_to)
    records = company_history(params)
    as_of_checked(asked.as_of, params, records[1])
    scope_checked(params, records[1])
    by = segments_checked(params.segments if asked.segments is None else asked.segments, records[1])
    segments_checked(tuple(params.designs), records[1], key="designs")
    study = Study(params, chosen, asked.as_of, compare_to=compared, segments=by, records=records)
    refuse_leaky(by, study.leaky_fields, read_at=params.attributes_at)
    return study
