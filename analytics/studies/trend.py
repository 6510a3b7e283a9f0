"""All published quarters of a company on one page: as published, as known now, and from each one to the next."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from analytics.estimators.result import Estimate
from analytics.studies.beside import TREND, lead_from
from analytics.studies.compare import calendar_of
from analytics.studies.index import FRONT
from analytics.studies.quarter_pages import Page, facts_of, show_changes, show_definitions, show_moved, show_shares
from analytics.studies.saved_runs import PublishedQuarter, not_published, published_quarters
from analytics.studies.views import KNOWN_NOW, View, as_known_now, as_published, differences, restated_periods, shares

FEWEST = 4
"""Fewer quarters than this are no trend, and the page says so."""


def trend(reports: Path, company: str) -> tuple[Path, Estimate]:
    """Write the page of all published quarters, from what their runs saved.

    Parameters
    ----------
    reports : pathlib.Path
        The folder with `<company>/<quarter>/`.
    company : str
        Its short name.

    Returns
    -------
    pathlib.Path, Estimate
        The page, and the shares on it.

    Raises
    ------
    InputError
        Where no quarter with shares has been published.
    """
    quarters = published_quarters(reports / company)
    frozen = {view.period: view for view in map(as_published, quarters) if view is not None}
    known = {name: view for name in restated_periods(quarters) if (view := as_known_now(name, quarters)) is not None}
    if not known:
        raise not_published(company, "latest", [])
    views = [view for name in known for view in _views_of(name, frozen, known)]
    newest = max((view.run for view in views), key=lambda run: run.as_of)
    page = Page(f"{newest.params.get('title', company)}: quarter after quarter")
    page.say(
        "## Where deals end up, quarter after quarter\n\nAt each quarter's pace, by the horizon: as it was published, "
        "and as the newest run that knows the quarter sees it."
    )
    found = shares(views, newest)
    show_shares(page, found, "Shares of each quarter")
    if len(known) < FEWEST:
        page.tell(f"There are {len(known)} quarters: no trend is read from fewer than {FEWEST}.")
    for name in _gaps(quarters):
        page.tell(f"{name} has not been published.", str(not_published(company, name, []).action))
    page.say(
        "## From each quarter to the next\n\nFrom the figures above alone. Many changes were looked at, so one that is "
        "called shown has to withstand that."
    )
    changed, said = differences(_pairs(frozen, known), declared=None)
    show_changes(page, changed, said, "Change since the quarter before")
    show_moved(page, [(frozen[name], known[name]) for name in frozen])
    show_definitions(page, [quarter.first for quarter in quarters])
    written = page.write(reports / company / TREND, facts_of(views), home=f"../{quarters[-1].bundle.name}/{FRONT}")
    for quarter in quarters:
        lead_from(quarter.bundle)
    return written, found


def _views_of(name: str, frozen: dict[str, View], known: dict[str, View]) -> list[View]:
    """A quarter as published, and as known now unless that is the same run."""
    first, later = frozen.get(name), known[name]
    if first is None:
        return [later]
    return [first] if first.run.folder == later.run.folder else [first, later]


def _pairs(frozen: dict[str, View], known: dict[str, View]) -> list[tuple[View, View]]:
    pairs = [*pairwise(frozen.values()), *pairwise(known.values())]
    made = {(then.period, now.period, then.run.folder, now.run.folder): (then, now) for then, now in reversed(pairs)}
    order = list(known)
    return sorted(made.values(), key=lambda pair: (order.index(pair[1].period), pair[1].view == KNOWN_NOW))


def _gaps(quarters: Sequence[PublishedQuarter]) -> list[str]:
    """Name the quarters between the first and the last published one that are missing."""
    calendar, names = calendar_of(tuple(quarters)), {quarter.name for quarter in quarters}
    if not quarters:
        return []
    missing, one = [], calendar.quarter_of(quarters[0].first.start)
    while one.start < quarters[-1].first.start:
        if one.name not in names:
            missing.append(one.name)
        one = calendar.shift(one, 1)
    return missing
