"""Which quarter a schedule runs, and as of which day: read from the fiscal calendar and a stated settling delay."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from analytics.records.calendar import Quarter
from analytics.records.errors import InputError
from analytics.studies.params import CompanyParams, QuarterParams, load_company, load_quarter, quarter_params

LATEST = "latest"
"""The newest quarter whose settling delay is over."""


def quarter_asked(params: Path, quarter: str, today: dt.date) -> QuarterParams:
    """Make a quarter's parameters from its company's file: as-of is the quarter's last day plus `settling_days`.

    A quarter that has a params file of its own, `<company>-<quarter>.yaml`, is run by that: a person chose its as-of
    date and segments. Otherwise `compare_to` and `segments` are the company's.

    Parameters
    ----------
    params : path
        `params/<company>.yaml`.
    quarter : str
        `2025Q4`, `FY26Q1` or `latest`.
    today : datetime.date
        The day of the run; the library reads no clock.

    Returns
    -------
    QuarterParams

    Raises
    ------
    InputError
        For a file that is not a company's, one without `settling_days`, and a quarter that is not settled yet.
    """
    company = _company(params, quarter)
    chosen = latest_settled(company, today) if quarter == LATEST else company.calendar.quarter(quarter)
    own = company.folder / f"{company.company}-{chosen.name}.yaml"
    if own.is_file():
        return load_quarter(own)
    as_of = settled_on(company, chosen)
    if as_of > today:
        raise InputError(
            f"{chosen.name} is read at the end of {as_of}, {company.settling_days} days after its last day, "
            f"and this is {today}",
            file=params.name, action="Wait, or write a quarter's file with an earlier as_of",
        )  # fmt: skip
    values = {"company": company.company, "quarter": chosen.name, "as_of": as_of, "compare_to": None, "segments": None}
    asked = quarter_params(values, file=params.name)
    asked._path = own
    return asked


def latest_settled(company: CompanyParams, today: dt.date) -> Quarter:
    """Return the newest quarter that ended at least `settling_days` before today.

    Examples
    --------
    >>> from analytics.records.sources.mapping import SimulatedSource
    >>> acme = CompanyParams(
    ...     company="acme", title="Acme", source=SimulatedSource(kind="simulated", seed=1), settling_days=31
    ... )
    >>> latest_settled(acme, dt.date(2026, 1, 30)).name, latest_settled(acme, dt.date(2026, 1, 31)).name
    ('2025Q3', '2025Q4')
    """
    return company.calendar.latest_complete(today - dt.timedelta(days=_settling_days(company)))


def settled_on(company: CompanyParams, quarter: Quarter) -> dt.date:
    """Return the as-of date of a quarter that nobody chose one for: its last day plus `settling_days`."""
    return quarter.end + dt.timedelta(days=_settling_days(company))


def _settling_days(company: CompanyParams) -> int:
    if company.settling_days is None:
        raise InputError(
            "does not say how long after a quarter's last day its records are complete, so no as-of date follows",
            file=f"{company.company}.yaml", action="Add settling_days, such as settling_days: 31",
        )  # fmt: skip
    return company.settling_days


def _company(params: Path, quarter: str) -> CompanyParams:
    if "-" in params.stem:
        raise InputError(
            f"is a quarter's file and says which quarter; --quarter {quarter} takes a company's",
            file=params.name, action=f"Try {params.stem.split('-')[0]}.yaml, or leave --quarter out",
        )  # fmt: skip
    return load_company(params)
