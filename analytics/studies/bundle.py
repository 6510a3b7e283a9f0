"""The folder of a company's quarter: runs in folders of their own, and one small page that leads to the current one."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analytics.studies.store import write_json, write_text

KEPT = 3
"""How many published runs are kept beside the one first published, and how many that were not published."""

_SCHEMA = 1
_LEADS_TO = re.compile(r'href="runs/([0-9TZ-]+)/index\.html"')


@dataclass(frozen=True)
class Published:
    """Which runs of a bundle were published: the first (the frozen view), the current one, and all that are kept."""

    first: str
    current: str
    runs: tuple[str, ...]


def published(bundle: Path) -> Published | None:
    """Say which runs of a bundle were published; None where none was.

    Which one is current the small `index.html` says, since it is what people open and is replaced in one step;
    `published.json` adds what came before, and stands in for the page where somebody has removed it.

    Parameters
    ----------
    bundle : pathlib.Path
        `reports/<company>/<quarter>`; its runs are the folders `runs/<id>`.

    Examples
    --------
    >>> published(Path("reports/nobody/1999Q1")) is None
    True
    """
    listed = _listed(bundle)
    current = _leads_to(bundle) or listed.get("current")
    if current is None or not _is_there(bundle, current):
        return None
    runs = list(listed.get("runs", ()))
    # A run that was listed and then could not be published stands behind the current one.
    runs = runs[: runs.index(current) + 1] if current in runs else [*runs, current]
    there = tuple(run for run in runs if _is_there(bundle, run))
    first = listed.get("first", current)
    return Published(first if first in there else there[0], current, there)


def publish(bundle: Path, run: str, page: str, *, same_as: str | None = None) -> None:
    """Turn a bundle to a whole run, in one atomic replace, and let go of what is no longer kept.

    Parameters
    ----------
    bundle : pathlib.Path
        The folder of the quarter.
    run : str
        Whose folder `runs/<run>` is whole.
    page : str
        The small page; a link in it to `runs/<run>/index.html` says which run is current.
    same_as : str, optional
        An earlier run that this one repeats without a change: it gives up its place among those that are kept.
    """
    before = published(bundle)
    runs = [one for one in (before.runs if before else ()) if one != same_as] + [run]
    first = before.first if before else run
    kept = list(dict.fromkeys([first, *runs[-KEPT:]]))
    write_json(bundle / "published.json", {"schema_version": _SCHEMA, "first": first, "current": run, "runs": kept})
    write_text(bundle / "index.html", page)
    _let_go(bundle, kept)


def begin(bundle: Path, moment: dt.datetime) -> Path:
    """Make the folder of a run at work, `runs/.<id>.partial`, named for the moment of its start."""
    runs = bundle / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    taken = {run_id(path) for path in runs.iterdir()}
    name = f"{moment:%Y%m%dT%H%M%SZ}"
    free = next(one for one in (name, *(f"{name}-{n}" for n in range(2, 1000))) if one not in taken)
    folder = runs / f".{free}.partial"
    folder.mkdir()
    return folder


def left_behind(bundle: Path) -> tuple[Path, ...]:
    """The folders of runs that were killed: still partial, or whole and not published; asked while holding the lock."""
    known = published(bundle)
    listed = known.runs if known else ()
    folders = sorted(path for path in (bundle / "runs").glob("*") if path.is_dir())
    partial = [path for path in folders if path.name.endswith(".partial")]
    return (*partial, *(path for path in folders if "." not in path.name and path.name not in listed))


def end(folder: Path, ending: str = "") -> Path:
    """Give the folder of a run its last name: `<id>` when whole, else `<id>.failed` or `<id>.only`."""
    target = folder.with_name(run_id(folder) + (f".{ending}" if ending else ""))
    if not ending:
        # A page that outlives a power cut must not lead to files that have not.
        for path in folder.rglob("*"):
            _on_disk(path)
    os.rename(folder, target)
    return target


def run_id(folder: Path) -> str:
    """Return the id of a run from the name of its folder, in whatever state it is.

    Examples
    --------
    >>> run_id(Path("runs/.20260131T060000Z.partial"))
    '20260131T060000Z'
    """
    return folder.name.lstrip(".").split(".")[0]


def _on_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _leads_to(bundle: Path) -> str | None:
    try:
        found = _LEADS_TO.search((bundle / "index.html").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found[1] if found else None


def _is_there(bundle: Path, run: str) -> bool:
    return (bundle / "runs" / run / "run.json").is_file()


def _listed(bundle: Path) -> dict[str, Any]:
    try:
        found = json.loads((bundle / "published.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _let_go(bundle: Path, kept: Sequence[str]) -> None:
    """Remove older runs, each in one step out of sight and then for good, so that none is ever there by half."""
    folders = sorted(path for path in (bundle / "runs").iterdir() if path.is_dir())
    others = [path for path in folders if not path.name.startswith(".") and path.name not in kept]
    unpublished = [path for path in others if "." in path.name]
    for path in [path for path in others if path not in unpublished[-KEPT:]]:
        # The report is published by now: what cannot be removed is no reason to say that the run failed.
        with contextlib.suppress(OSError):
            os.rename(path, path.with_name(f".{run_id(path)}.gone"))
    for path in (bundle / "runs").glob(".*.gone"):
        shutil.rmtree(path, ignore_errors=True)
