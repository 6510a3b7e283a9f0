"""Figures of a published report as pictures, and the whole report as a document to print."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analytics.display.page import PLOTLY
from analytics.display.pictures import FORMATS, Picture, draw
from analytics.display.rendering import alt_text
from analytics.records.errors import InputError, nearest
from analytics.studies.beside import figures_beside
from analytics.studies.browser import find_browser, print_page
from analytics.studies.places import NOTEBOOKS
from analytics.studies.published_run import PublishedRun


@dataclass(frozen=True)
class SavedFigure:
    """A figure as it was published: `01_quarter/period_incidence`, its heading, its description, its JSON."""

    name: str
    title: str
    alt: str
    figure: dict[str, Any]


def saved_figures(run: PublishedRun) -> tuple[SavedFigure, ...]:
    """Read every figure of a published run from its executed notebooks, in reading order, then those over quarters.

    A figure is called after the first result that it shows, with a number from the second such figure on.
    """
    found: dict[str, SavedFigure] = {}
    sources = [(notebook, run.folder / NOTEBOOKS / f"{notebook}.ipynb") for notebook in run.notebooks]
    for notebook, path in (*sources, *figures_beside(run.bundle)):
        content = json.loads(path.read_text(encoding="utf-8"))
        outputs = [output for cell in content["cells"] for output in cell.get("outputs", ())]
        for figure in [output["data"][PLOTLY] for output in outputs if PLOTLY in output.get("data", {})]:
            meta = figure.get("layout", {}).get("meta")
            meta = meta if isinstance(meta, dict) else {}
            plain = f"{notebook}/{next(iter(meta.get('results', ())), 'figure')}"
            number = 1 + sum(re.fullmatch(re.escape(plain) + r"(-\d+)?", name) is not None for name in found)
            name = plain if number == 1 else f"{plain}-{number}"
            found[name] = SavedFigure(name, str(meta.get("title", name)), alt_text(figure), figure)
    return tuple(found.values())


def chosen_figures(figures: Sequence[SavedFigure], names: Sequence[str]) -> tuple[SavedFigure, ...]:
    """Choose figures by name, with or without the notebook's; all where none is named.

    Raises
    ------
    InputError
        For a name that no figure has; names the nearest.
    """
    if not figures:
        raise InputError("the report has no figures")
    if not names:
        return tuple(figures)
    chosen: list[SavedFigure] = []
    for name in names:
        mine = [figure for figure in figures if name in (figure.name, figure.name.partition("/")[2])]
        if not mine:
            known = [figure.name for figure in figures] + [figure.name.partition("/")[2] for figure in figures]
            raise InputError(f"the report has no figure {name!r}", action=nearest(name, known))
        chosen += [figure for figure in mine if figure not in chosen]
    return tuple(chosen)


def export_figures(figures: Sequence[SavedFigure], folder: Path, formats: Sequence[str] = ("png",)) -> tuple[Path, ...]:
    """Write figures as pictures, `<folder>/<notebook>/<figure>.<format>`, all drawn by one browser.

    Parameters
    ----------
    figures : sequence of SavedFigure
        From `saved_figures`.
    folder : pathlib.Path
        Created if needed; a file is replaced whole or not at all.
    formats : sequence of str
        `png` (two pixels for one of the page), `svg`, `pdf`.

    Raises
    ------
    InputError
        Where kaleido or a Chromium is missing, or a format is unknown.
    """
    for name in formats:
        if name not in FORMATS:
            raise InputError(f"figures are not written as {name!r}", action=nearest(name, FORMATS))
    needs("kaleido", "Pictures of figures", "export")
    browser = find_browser("Drawing figures into files")
    targets = [(figure, folder / f"{figure.name}.{name}") for figure in figures for name in formats]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as beside:
        parts = [Path(beside) / f"{number}{target.suffix}" for number, (_, target) in enumerate(targets)]
        draw([Picture(figure.figure, part) for (figure, _), part in zip(targets, parts, strict=True)], browser=browser)
        for (_, target), part in zip(targets, parts, strict=True):
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(part, target)
    return tuple(target for _, target in targets)


def print_report(run: PublishedRun, target: Path) -> Path:
    """Print a published report into one PDF: the front page, then each study, with a bookmark for each.

    Raises
    ------
    InputError
        Where a Chromium or pypdf is missing.
    """
    browser = find_browser("Printing the report")
    needs("pypdf", "Putting the printed pages together", "export")
    from pypdf import PdfWriter

    pages = [run.folder / "index.html", *(run.folder / f"{name}.html" for name in run.notebooks)]
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".print-", dir=target.parent) as beside, PdfWriter() as whole:
        for page in [page for page in pages if page.is_file()]:
            part = Path(beside) / f"{page.stem}.pdf"
            print_page(page, part, browser=browser)
            whole.append(part, outline_item=_title(page))
        whole.add_metadata({"/Title": f"{run.company.title}, {run.name}"})
        complete = Path(beside) / "whole.pdf"
        whole.write(complete)
        os.replace(complete, target)
    return target


def _title(page: Path) -> str:
    import html

    found = re.search(r"<title>(.*?)</title>", page.read_text(encoding="utf-8"), re.DOTALL)
    return html.unescape(found[1]).strip() if found else page.stem


def needs(package: str, what: str, extra: str) -> None:
    """Stop with a sentence where an optional package is not installed.

    Raises
    ------
    InputError
        With the command that installs it.
    """
    if importlib.util.find_spec(package) is None:
        raise InputError(
            f"{what} takes the package {package}, which is not installed",
            action=f"Install it: .venv/bin/python -m pip install -c constraints.txt -e '.[{extra}]'",
        )
