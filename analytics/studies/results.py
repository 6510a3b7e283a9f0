"""What a run saved, read back: for its front page, and as one JSON file of all its numbers."""

from __future__ import annotations

import dataclasses
import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from analytics.display.numbers import numbers_table
from analytics.display.page import Numbers
from analytics.estimators.result import SCHEMA_VERSION, Estimate, Finding, Listing
from analytics.studies import store
from analytics.studies.places import RESULTS

CARDS = "findings"
"""The name under which a notebook saves the findings that belong together."""


def read(run: Path, notebook: str, name: str) -> store.Saved | None:
    """Read one result of a run; None where the notebook has not saved it."""
    folder = run / RESULTS / notebook
    return store.read(folder, name) if (folder / f"{name}.json").is_file() else None


def all_results(run: Path, notebooks: Iterable[str]) -> Iterator[tuple[str, str, store.Saved]]:
    """Read everything that the notebooks of a run saved: notebook, name, result."""
    for notebook in notebooks:
        for name in store.names(run / RESULTS / notebook):
            yield notebook, name, store.read(run / RESULTS / notebook, name)


def cards_of(run: Path, notebook: str) -> tuple[Finding, ...]:
    """The findings that a notebook saved together, in their order."""
    together = read(run, notebook, CARDS)
    return together if isinstance(together, tuple) else ()


def findings_of(run: Path, notebook: str) -> tuple[Finding, ...]:
    """The findings of a notebook: those it saved together, then those it saved one by one."""
    folder = run / RESULTS / notebook
    single = (store.read(folder, name) for name in store.names(folder) if name != CARDS)
    return (*cards_of(run, notebook), *(one for one in single if isinstance(one, Finding)))


def numbers_of(
    run: Path, notebook: str, name: str, *, table: bool = True, drawn: store.Saved | None = None
) -> Numbers | None:
    """The CSV file of a result, with its text, and for what stands under a figure its table; None where it has none.

    Where a figure shows but a part of the result, that part is `drawn`, and the table is of it.
    """
    file = run / RESULTS / notebook / f"{name}.csv"
    if not file.is_file():
        return None
    result = drawn if drawn is not None else store.read(file.parent, name) if table else None
    shown = "" if result is None or isinstance(result, tuple) else numbers_table(result)
    return Numbers(file.relative_to(run).as_posix(), shown, file.read_bytes().decode("utf-8"))


def write_json(run: Path, notebooks: Iterable[str], path: Path, **facts: Any) -> None:
    """Write all numbers of a run as one packed JSON file: columns and rows, every digit, what is missing as null.

    Lists of deals are left to their own files.

    Parameters
    ----------
    run : pathlib.Path
        The run's folder.
    notebooks : iterable of str
        Names, in the order of the file.
    path : pathlib.Path
        The file.
    **facts
        What is true of all results: company, quarter, as-of date.
    """
    found: dict[str, dict[str, Any]] = {}
    for notebook, name, result in all_results(run, notebooks):
        if not (isinstance(result, Listing) and result.private):
            found.setdefault(notebook, {})[name] = _as_json(result)
    content = store.plain({"schema_version": SCHEMA_VERSION, **facts, "results": found})
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    store.write_bytes(path, gzip.compress((text + "\n").encode("utf-8"), 9, mtime=0))


def _as_json(result: store.Saved) -> dict[str, Any]:
    if isinstance(result, Estimate | Listing):
        frame = result.frame
        rows = list(frame.itertuples(index=False, name=None))
        told: dict[str, Any] = {"columns": [str(name) for name in frame.columns], "rows": rows}
        if isinstance(result, Listing):
            return {"type": "listing", "title": result.title, **told}
        return {"type": "estimate", "meta": dataclasses.asdict(result.meta), **told}
    many = result if isinstance(result, tuple) else (result,)
    said = [{**dataclasses.asdict(one), "keys": dict(one.keys)} for one in many]
    return {"type": "findings", "findings": said}
