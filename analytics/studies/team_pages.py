"""A report for each team: the same notebooks and definitions over that team's deals, and nobody else's."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from analytics.display.front import list_page
from analytics.records.contract import History
from analytics.records.definitions import Scope
from analytics.records.errors import InputError, nearest
from analytics.studies.bundle import published
from analytics.studies.params import CompanyParams
from analytics.studies.places import reports_folder
from analytics.studies.store import write_text

if TYPE_CHECKING:
    from analytics.studies.study import Study

TEAM_VARIABLE = "WINLOSS_TEAM"
"""Tells the notebooks of a team's report whose deals they are about; set by the run alone."""

FOLDER = "teams"
ALL = "all"
WHOLE_EXPORT = ("00_data_health",)
"""Notebooks that are about the whole export, whoever owns a deal."""

BY_OWNER = ("quotas", "forecast_submissions")
"""Tables that hold what owners of all teams promised: they have no place in one team's report."""

MOMENTS = {
    "opening": "on the day on which the deal was opened",
    "close": "on the day on which the deal ended, and on the as-of day where it is open",
    "as_of": "on the as-of day",
}


def of_team(params: CompanyParams, team: str) -> CompanyParams:
    """Return a company's params with the scope narrowed to one team.

    Raises
    ------
    InputError
        Under `share: safe`, and where the company's own scope leaves the team out.

    Examples
    --------
    >>> from analytics.records.sources.mapping import SimulatedSource
    >>> params = CompanyParams(company="acme", title="Acme", source=SimulatedSource(kind="simulated", seed=1),
    ...                        scope=Scope(keep={"pipeline": ["new"]}))
    >>> of_team(params, "North").scope.keep
    {'pipeline': ['new'], 'team': ['North']}
    """
    refuse_shared(params)
    scope = params.scope or Scope()
    kept = scope.keep.get("team")
    if (kept is not None and team not in kept) or team in scope.drop.get("team", ()):
        raise InputError(f"the scope leaves out the team {team!r}", file=f"{params.company}.yaml", column="team")
    narrowed = Scope(keep={**scope.keep, "team": [team]}, drop=scope.drop, amount_at_least=scope.amount_at_least)
    narrow = params.model_copy(update={"scope": narrowed, "title": f"{params.title}, team {team}"})
    narrow._team, narrow._whole = team, params
    return narrow


def refuse_shared(params: CompanyParams) -> None:
    """Stop where a report is made for others: the page of a team says who sold what."""
    if params.share == "safe":
        raise InputError(
            "the page of a team says who sold what, and the params say share: safe", file=f"{params.company}.yaml",
            action="Make team pages from the company's own params (share: private)",
        )  # fmt: skip


def teams_of(study: Study) -> tuple[str, ...]:
    """Name the teams that have deals in a company's study, in order.

    Raises
    ------
    InputError
        Where no deal's team is known.
    """
    names = sorted({str(team) for team in study.known_deals["team"].dropna()})
    if not names:
        raise InputError("no deal has a team: it takes a table of owners with their teams (side: owners)")
    return tuple(names)


def chosen_teams(known: Sequence[str], asked: Sequence[str]) -> tuple[str, ...]:
    """Choose teams by name; `all` means every one.

    Raises
    ------
    InputError
        For a team without deals; names the nearest.

    Examples
    --------
    >>> chosen_teams(("North", "South"), ("all",)), chosen_teams(("North", "South"), ("South",))
    (('North', 'South'), ('South',))
    """
    for name in asked:
        if name not in known and name != ALL:
            raise InputError(f"no deal in scope belongs to the team {name!r}", action=nearest(name, known))
    return tuple(name for name in known if name in asked or ALL in asked)


def folder_name(team: str) -> str:
    """Return the name of a team's folder, which says the team where it can and is never that of another one.

    Examples
    --------
    >>> folder_name("North East"), folder_name("north east"), folder_name("../Süd")
    ('north-east', 'north-east-f7ef2b', 's-d-7a8887')
    """
    plain = re.sub(r"[^a-z0-9]+", "-", team.lower()).strip("-")
    if plain.replace("-", " ").title() == team:
        return plain
    return f"{plain or 'team'}-{hashlib.sha256(team.encode()).hexdigest()[:6]}"


def bundle_of(params: CompanyParams, quarter: str, reports: Path | None = None) -> Path:
    """Return the folder of a quarter's report, or of a team's where the params are narrowed to it (`of_team`).

    Examples
    --------
    >>> from analytics.records.sources.mapping import SimulatedSource
    >>> params = CompanyParams(company="acme", title="Acme", source=SimulatedSource(kind="simulated", seed=1))
    >>> bundle_of(params, "2025Q4", Path("/r")).as_posix()
    '/r/acme/2025Q4'
    >>> bundle_of(of_team(params, "North"), "2025Q4", Path("/r")).as_posix()
    '/r/acme/2025Q4/teams/north'
    """
    whole = reports_folder(params.folder, reports) / params.company / quarter
    return whole if params.team is None else whole / FOLDER / folder_name(params.team)


def team_words(params: CompanyParams) -> str:
    """Say whose deals a team's report holds: membership changes, so it names the day that decides."""
    moment = params.attributes_at.get("team", "opening")
    return f"{params.team}: deals whose owner belonged to it {MOMENTS[moment]}; no deal of another team is in it"


def of_its_deals(history: History, deal_ids: Sequence[str]) -> History:
    """Return the records of one team's deals: every table that names deals cut down to them."""
    mine = set(deal_ids)
    side = {name: table for name, table in history.side.items() if name not in BY_OWNER}
    side = {name: table[table["deal_id"].isin(mine)] if "deal_id" in table else table for name, table in side.items()}
    table = history.table[history.table["deal_id"].isin(mine)].reset_index(drop=True)
    return dataclasses.replace(history, table=table, side=side, rejects=history.rejects.iloc[:0])


def write_list(bundle: Path, title: str, teams: Sequence[str]) -> Path:
    """Write `teams/index.html`, which leads to the report of each team that has been published."""
    there = [team for team in teams if published(bundle / FOLDER / folder_name(team)) is not None]
    links = [(team, f"{folder_name(team)}/index.html") for team in there]
    write_text(bundle / FOLDER / "index.html", list_page(f"{title}: teams", links, home="../index.html"))
    return bundle / FOLDER / "index.html"
