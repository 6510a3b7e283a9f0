"""What lies beside a run's front page and comes after it: reports of teams, and pages over several quarters."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from analytics.display.front import Line, with_beside
from analytics.studies.bundle import published
from analytics.studies.index import FRONT
from analytics.studies.store import write_text
from analytics.studies.team_pages import FOLDER as TEAMS

TREND, COMPARE = "trend", "compare"
"""Folders beside the quarters'."""

FIGURES = "figures.json"
"""The blocks of a page over quarters, as a notebook has its cells; its figures are drawn from there."""


def beside(bundle: Path) -> tuple[Line, ...]:
    """Say what lies beside a quarter's report, with the address as its front page has it, or which command makes it.

    Parameters
    ----------
    bundle : pathlib.Path
        `reports/<company>/<quarter>`.

    Examples
    --------
    >>> [line.words for line in beside(Path("no-report/demo/2025Q4"))]
    ['winloss trend demo', 'winloss compare demo <quarter> 2025Q4']
    """
    company, quarter = bundle.parent.name, bundle.name
    found = []
    if (bundle / TEAMS / FRONT).is_file():
        found.append(Line("A report for each team", "", f"../../{TEAMS}/{FRONT}"))
    there = (bundle.parent / TREND / FRONT).is_file()
    made = ("", f"../../../{TREND}/{FRONT}") if there else (f"winloss trend {company}", "")
    found.append(Line("All published quarters", *made))
    pairs = list(_compared(bundle))
    found += [Line(f"{now} against {then}", "", f"../../../{COMPARE}/{then}-{now}/{FRONT}") for then, now in pairs]
    if not pairs:
        found.append(Line("Against another published quarter", f"winloss compare {company} <quarter> {quarter}"))
    return tuple(found)


def lead_from(bundle: Path) -> None:
    """Let the front page that a bundle leads to name what lies beside it now; its numbers stay as they are.

    A page that cannot be written, or of an older look, stays as it is: what was just made is there all the same.
    """
    known = published(bundle)
    if known is None:
        return
    front = bundle / "runs" / known.current / FRONT
    with contextlib.suppress(OSError):
        text = front.read_text(encoding="utf-8")
        changed = with_beside(text, beside(bundle))
        if changed != text:
            write_text(front, changed)


def figures_beside(bundle: Path) -> Iterator[tuple[str, Path]]:
    """Give the pages over quarters that a quarter is on, as (name, file of its figures).

    Examples
    --------
    >>> list(figures_beside(Path("no-report/2025Q4")))
    []
    """
    folders = [(TREND, bundle.parent / TREND)]
    folders += [(f"{then}-{now}", bundle.parent / COMPARE / f"{then}-{now}") for then, now in _compared(bundle)]
    for name, folder in folders:
        if (folder / FIGURES).is_file():
            yield name, folder / FIGURES


def _compared(bundle: Path) -> Iterator[tuple[str, str]]:
    for page in sorted((bundle.parent / COMPARE).glob(f"*/{FRONT}")):
        then, _, now = page.parent.name.partition("-")
        if bundle.name in (then, now):
            yield then, now
