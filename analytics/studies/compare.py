"""Two published quarters side by side: as published, as known now, and what moved between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from analytics.display import tables
from analytics.estimators.result import Estimate
from analytics.records.calendar import FiscalCalendar
from analytics.records.errors import InputError
from analytics.studies.beside import COMPARE, lead_from
from analytics.studies.changed_definitions import changes, stopped_by
from analytics.studies.index import FRONT
from analytics.studies.quarter_pages import (
    CHANGED,
    Page,
    facts_of,
    show_changes,
    show_definitions,
    show_moved,
    show_shares,
)
from analytics.studies.saved_runs import PublishedQuarter, not_published, published_quarters, quarter_named
from analytics.studies.views import View, as_known_now, as_published, differences, shares


def compare(reports: Path, company: str, names: tuple[str, str]) -> tuple[Path, Estimate | None, list[str]]:
    """Write the page that compares two published quarters, from what their runs saved.

    Parameters
    ----------
    reports : pathlib.Path
        The folder with `<company>/<quarter>/`.
    company : str
        Its short name.
    names : (str, str)
        Two quarters, in either order.

    Returns
    -------
    pathlib.Path, Estimate or None, list of str
        The page, the changes (None where none could be told), and what was not compared, in sentences.

    Raises
    ------
    InputError
        Where a quarter has not been published, is named twice, or its study has no shares.
    """
    quarters = published_quarters(reports / company)
    then, now = _chosen(quarters, company, names)
    pairs = [(_view(then), _view(now))]
    known = (as_known_now(then.name, quarters), as_known_now(now.name, quarters))
    if known[0] is not None and known[1] is not None:
        pairs.append((known[0], known[1]))
    views = [view for column in zip(*pairs, strict=True) for view in column]
    newest = max((view.run for view in views), key=lambda run: run.as_of)
    found, said = differences(_distinct(pairs), declared="won")
    title = f"{now.name} against {then.name}"
    page = Page(f"{newest.params.get('title', company)}: {title}")
    page.say("## Where deals end up\n\nAt each quarter's pace, by the horizon.")
    show_shares(page, shares(list(_looked_at(views)), newest), f"{then.name} and {now.name}")
    page.say("## By how much the quarters differ\n\nFrom the figures above alone: nothing is counted again.")
    show_changes(page, found, said, f"The change from {then.name} to {now.name}")
    _show_own(page, then, now)
    show_moved(page, [(old, new) for old, new in zip(pairs[0], pairs[-1], strict=True)])
    show_definitions(page, [then.first, now.first])
    folder = reports / company / COMPARE / f"{then.name}-{now.name}"
    written = page.write(folder, facts_of(list(_looked_at(views))), home=f"../../{now.bundle.name}/{FRONT}")
    for quarter in (then, now):
        lead_from(quarter.bundle)
    return written, found, said


def calendar_of(quarters: tuple[PublishedQuarter, ...]) -> FiscalCalendar:
    """The fiscal calendar of the newest published run."""
    return FiscalCalendar(**(quarters[-1].current.params.get("calendar") or {})) if quarters else FiscalCalendar()


def _chosen(
    quarters: tuple[PublishedQuarter, ...], company: str, names: tuple[str, str]
) -> tuple[PublishedQuarter, PublishedQuarter]:
    calendar = calendar_of(quarters)
    spelled = [calendar.quarter(name).name for name in names]
    if spelled[0] == spelled[1]:
        raise InputError("is named twice", value=names[0], action="Name two quarters; what moved in one, `trend` shows")
    chosen = [quarter_named(quarters, name, company) for name in spelled]
    then, now = sorted(chosen, key=lambda quarter: quarter.first.start)
    return then, now


def _view(quarter: PublishedQuarter) -> View:
    found = as_published(quarter)
    if found is None:
        run = quarter.first
        raise InputError(
            "the quarter was published without shares to compare: its study says why", value=run.quarter,
            action=str(not_published(run.facts["company"], run.quarter, []).action),
        )  # fmt: skip
    return found


def _distinct(pairs: list[tuple[View, View]]) -> list[tuple[View, View]]:
    """Leave out the second pair where it is the first one over again."""
    same = len(pairs) > 1 and all(old.run.folder == new.run.folder for old, new in zip(*pairs, strict=True))
    return pairs[:1] if same else pairs


def _looked_at(views: list[View]) -> Iterator[View]:
    seen = set()
    for view in views:
        if (view.period, view.run.folder) not in seen:
            seen.add((view.period, view.run.folder))
            yield view


def _show_own(page: Page, then: PublishedQuarter, now: PublishedQuarter) -> None:
    """Show the comparison that the newer quarter's own study made, where it made one: it had the deals."""
    own = now.current.result("against")
    if own is None or stopped_by(changes(now.first, now.current)) or own.at(compared_to=then.name).empty:
        return
    rows = own.at(compared_to=then.name)
    page.say(
        f"## In the study of {now.name}\n\nThat study had the deals: both quarters by its definitions, known at the "
        "same lag after their ends or restated, and its intervals allow for accounts with deals in both. It is the "
        "comparison to quote."
    )
    saved = page.save("own_study", Estimate(rows, own.meta))
    page.show(tables.estimate_table(saved, title=f"The change as {now.name} studied it", columns=CHANGED))
