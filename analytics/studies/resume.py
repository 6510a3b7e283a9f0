"""Which notebooks need not run again: those that an earlier run finished from the same input, params and code."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import analytics
from analytics.studies.codes import Codes, share_key
from analytics.studies.notebook_cell import Notebook
from analytics.studies.params import QuarterParams
from analytics.studies.places import NOTEBOOKS, RESULTS
from analytics.studies.provenance import file_hash, versions
from analytics.studies.study import Study


def fingerprint(study: Study, asked: QuarterParams, notebook: Notebook) -> str:
    """Hash everything that a notebook's results depend on.

    That is the content of the input, both params files, the notebook and the modules beside it, the library's code,
    the versions of Python and of every package that can change a number, and under `share: safe` the key of the codes.
    What a notebook reads besides is not known here: `winloss run --fresh` is for that.

    Parameters
    ----------
    study : Study
        The opened study.
    asked : QuarterParams
        What was asked for.
    notebook : Notebook
        Which notebook.
    """
    beside = sorted(notebook.path.parent.glob("*.py"))
    facts: dict[str, Any] = {
        "input": study.input_hash,
        "parameters": asked.as_parameters(),
        "company": study.params.raw,
        "notebook": [(path.name, file_hash(path)) for path in (notebook.path, *beside)],
        "code": library_code(),
        "versions": versions(),
    }
    if study.sharing.safe:
        facts["codes"] = Codes(share_key(study.params.folder)).of("fingerprint", ["of the key"])
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


@functools.cache
def library_code() -> str:
    """Hash every file of the library, templates included."""
    folder = Path(analytics.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def files_of(folder: Path, name: str) -> dict[str, str]:
    """Hash the executed notebook and what it saved, by address within the run's folder."""
    saved = sorted(path for path in (folder / RESULTS / name).glob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): file_hash(path) for path in (folder / NOTEBOOKS / f"{name}.ipynb", *saved)
    }


def finished_before(runs: Path, fingerprints: Mapping[str, str]) -> dict[str, Path]:
    """Find for each notebook the newest run that finished it under the same fingerprint and still has it as it was.

    Parameters
    ----------
    runs : pathlib.Path
        The folder of a bundle's runs, published or not.
    fingerprints : mapping of str to str
        By the notebook's name.

    Returns
    -------
    dict of str to pathlib.Path
        The run's folder, for those that were found.
    """
    found: dict[str, Path] = {}
    for folder in sorted((path for path in runs.glob("[0-9]*") if path.is_dir()), reverse=True):
        for line in lines_of(folder):
            name = str(line.get("name"))
            same = name in fingerprints and line.get("fingerprint") == fingerprints[name]
            if same and name not in found and _unharmed(folder, name, line.get("files")):
                found[name] = folder
    return found


def take_over(earlier: Path, folder: Path, name: str) -> None:
    """Copy a finished notebook and its results out of an earlier run."""
    (folder / NOTEBOOKS).mkdir(exist_ok=True)
    shutil.copyfile(earlier / NOTEBOOKS / f"{name}.ipynb", folder / NOTEBOOKS / f"{name}.ipynb")
    if (earlier / RESULTS / name).is_dir():
        shutil.copytree(earlier / RESULTS / name, folder / RESULTS / name)


def lines_of(folder: Path) -> Iterator[dict[str, Any]]:
    """Give what a run's run.json says about each notebook; nothing where it cannot be read."""
    try:
        lines = json.loads((folder / "run.json").read_text(encoding="utf-8"))["notebooks"]
    except (OSError, ValueError, KeyError):
        return
    yield from lines


def _unharmed(folder: Path, name: str, files: object) -> bool:
    try:
        return files == files_of(folder, name)
    except OSError:
        return False
