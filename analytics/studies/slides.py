"""The quarter's deck, from what a published run saved: findings as titles, Estimates as tables, figures as pictures."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from analytics.display import tables
from analytics.display.pictures import for_slide
from analytics.display.slides import MOST_ROWS, MOST_SLIDES, PLACE, ROWS_BESIDE, Slide, write_deck
from analytics.display.tables import Table
from analytics.display.wording import day
from analytics.estimators.result import Estimate, Finding, Listing
from analytics.records.errors import InputError
from analytics.studies import results
from analytics.studies.export import SavedFigure, export_figures, needs, saved_figures
from analytics.studies.published_run import PublishedRun
from analytics.studies.results import cards_of

SHOWN_BY = {"period_at_horizon": "period_incidence"}
"""Results that are shown by the figure of another one: the shares at the horizon by the curves that lead there."""

COUNTS = ("n_event", "n_deals", "n_deals_then", "n_deals_now", "n_risk")
FURTHER = (
    ("03_no_decision", "how_much"),
    ("06_pipeline_changes", "pipeline"),
    ("06_pipeline_changes", "said_to_close"),
)
"""Findings of other studies, where the quarter's own leave room."""


@dataclass(frozen=True)
class Card:
    """A finding, its notebook, and what it was made from."""

    notebook: str
    finding: Finding


def write_slides(run: PublishedRun, target: Path) -> int:
    """Write the deck of a published run and say how many slides it has, eight at most.

    Parameters
    ----------
    run : PublishedRun
        Read as it was published; nothing is computed.
    target : pathlib.Path
        The PPTX file; replaced whole or not at all.

    Raises
    ------
    InputError
        Where python-pptx, kaleido or a Chromium is missing, or the run has no findings.
    """
    needs("pptx", "A deck", "slides")
    cards = list(_cards(run))
    if not cards:
        raise InputError("the report has no findings of the quarter, so there is nothing to put on slides")
    saved = saved_figures(run)
    figures = {(card.notebook, card.finding.name): _figure(saved, card) for card in cards}
    drawn = list({figure.name: figure for figure in figures.values() if figure is not None}.values())
    as_of = f"{run.company.title}, {run.name}, as of {day(run.quarter.as_of)}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".slides-", dir=target.parent) as beside:
        pictures = _pictures(drawn, Path(beside))
        slides = [_first(run)]
        for card in cards:
            figure = figures[card.notebook, card.finding.name]
            slides.append(_of_card(run, card, figure, pictures.get(figure.name) if figure else None))
        part = Path(beside) / "deck.pptx"
        write_deck(part, slides, footer=as_of)
        os.replace(part, target)
    return len(slides)


def _pictures(figures: Sequence[SavedFigure], folder: Path) -> dict[str, Path]:
    """Draw the figures that can be read on a slide, by name; the slide of one that cannot has its table alone."""
    width, height = PLACE
    forms = [for_slide(figure.figure, width=width, height=height) for figure in figures]
    fitting = [replace(figure, figure=form) for figure, form in zip(figures, forms, strict=True) if form is not None]
    files = export_figures(fitting, folder) if fitting else ()
    return {figure.name: path for figure, path in zip(fitting, files, strict=True)}


def _cards(run: PublishedRun) -> Iterator[Card]:
    """Give the quarter's own findings first, in their fixed order, then others as far as there is room."""
    own = [Card("01_quarter", finding) for finding in cards_of(run.folder, "01_quarter")]
    others = [
        Card(notebook, finding)
        for notebook, name in FURTHER
        for finding in cards_of(run.folder, notebook)
        if finding.name == name
    ]
    yield from [*own, *others][: MOST_SLIDES - 1]


def _first(run: PublishedRun) -> Slide:
    """Say whose quarter it is, with the quarter in money."""
    title = f"{run.company.title}: {run.name}"
    detail = f"As known at the end of {day(run.quarter.as_of)}. Every number is from the report of that day."
    found = results.read(run.folder, "01_quarter", "money_strip")
    if not isinstance(found, Listing):
        return Slide(title, detail)
    table = tables.listing_table(found, columns=["label", "words"])
    assert isinstance(table, Table)
    return Slide(title, detail, table=table.frame, table_title=found.title)


def _of_card(run: PublishedRun, card: Card, figure: SavedFigure | None, picture: Path | None) -> Slide:
    finding = card.finding
    table, made = _numbers(run, card, ROWS_BESIDE if picture else MOST_ROWS)
    notes = [finding.detail, made, f"Verdict: {finding.verdict}."]
    frame, title = _without_constants(table) if table else (None, "")
    return Slide(
        finding.headline,
        finding.detail,
        "" if finding.verdict == "described" else f"Verdict: {finding.verdict}",
        table=frame,
        table_title=title,
        table_note=made if "[1]" in made else "",
        picture=picture,
        alt=figure.alt if figure else "",
        caption=_caption(figure) if picture else "",
        notes="\n".join(text for text in notes if text),
    )


def _without_constants(table: Table) -> tuple[pd.DataFrame, str]:
    """Say in a table's title what all its rows have in common: a slide has no room for columns of it."""
    words = [name for name in table.frame.columns if name not in table.numeric]
    same = [name for name in words if len(table.frame) > 1 and table.frame[name].nunique() == 1]
    same = same if len(same) < len(words) else []
    common = ", ".join(f"{name.lower()} {table.frame[name].iloc[0]}" for name in same)
    return table.frame.drop(columns=same), f"{table.title} ({common})" if common else table.title


def _caption(figure: SavedFigure | None) -> str:
    """Say how a figure was made, which its picture on a slide does not."""
    meta = figure.figure.get("layout", {}).get("meta") if figure else None
    return str(meta.get("caption", "")) if isinstance(meta, dict) else ""


def _numbers(run: PublishedRun, card: Card, most: int) -> tuple[Table | None, str]:
    """Give the rows of the Estimate that a finding was made from, and how they were made."""
    name = card.finding.estimate
    result = results.read(run.folder, card.notebook, name) if name else None
    if not name or result is None:
        return None, ""
    if isinstance(result, Listing):
        columns = [column for column in ("label", "deals", "to_the_cent", "currency") if column in result.frame]
        table = tables.listing_table(result, columns=columns or list(result.frame.columns[:4]))
        return (table if isinstance(table, Table) else None), result.title
    if not isinstance(result, Estimate):
        return None, ""
    rows = replace(result, frame=about(result, card.finding, most), deals=None)
    counts = [column for column in COUNTS if column in rows.frame and rows.frame[column].notna().any()][:2]
    table = tables.estimate_table(rows, title=name.replace("_", " ").capitalize(), columns=counts)
    return (table if isinstance(table, Table) else None), table.footnote if isinstance(table, Table) else ""


def about(estimate: Estimate, finding: Finding, most: int = MOST_ROWS) -> pd.DataFrame:
    """Return the rows of an Estimate that a finding is about: all where they are few, else those beside its own row.

    Of a grid of rules, the rows are those that the params state.

    Parameters
    ----------
    estimate : Estimate
        What the finding was made from.
    finding : Finding
        Its keys say which row is its own.
    most : int, optional
        How many rows there is room for.

    Examples
    --------
    >>> from analytics.estimators.result import Meta
    >>> frame = pd.DataFrame({"quarter": ["Q3"] * 6 + ["Q4"] * 6, "outcome": list("abcdef") * 2, "estimate": 0.1,
    ...                       "conf_low": 0.0, "conf_high": 0.2})
    >>> found = Estimate(frame, Meta("probability", "a share", ("quarter", "outcome"), 9))
    >>> finding = Finding("x", "x", "", "described", "shares", (("quarter", "Q4"), ("outcome", "a")))
    >>> about(found, finding)["quarter"].tolist()
    ['Q4', 'Q4', 'Q4', 'Q4', 'Q4', 'Q4']
    """
    frame = estimate.frame
    if len(frame) > most and "stated" in frame:
        frame = frame[frame["stated"].astype(bool)].reset_index(drop=True)
    if len(frame) <= most:
        return frame
    keys = [(key, value) for key, value in finding.keys if key in frame]
    for last in range(len(keys) + 1):
        mine = pd.Series(True, index=frame.index)
        for key, value in keys[:last]:
            mine &= frame[key].astype(str) == value
        if 0 < mine.sum() <= most:
            return frame[mine].reset_index(drop=True)
    return frame.head(most)


def _figure(saved: Sequence[SavedFigure], card: Card) -> SavedFigure | None:
    """Find the figure that shows what a finding was made from: the one it belongs to first."""
    name = SHOWN_BY.get(card.finding.estimate or "", card.finding.estimate)
    mine = [figure for figure in saved if figure.name.startswith(f"{card.notebook}/")]
    showing = [figure for figure in mine if name in figure.figure.get("layout", {}).get("meta", {}).get("results", ())]
    first = [figure for figure in showing if figure.figure["layout"]["meta"]["results"][0] == name]
    return next(iter([*first, *showing]), None)
