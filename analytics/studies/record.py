"""What is known about a run while it is at work and when it has ended: `run.json` says it at any moment."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analytics.estimators.result import SCHEMA_VERSION
from analytics.studies import bundle as bundles
from analytics.studies.exits import DONE, KILLED, STATUS
from analytics.studies.job import Outcome
from analytics.studies.notebook_cell import Notebook
from analytics.studies.params import CompanyParams, QuarterParams
from analytics.studies.provenance import company_facts, versions
from analytics.studies.redaction import hidden_in
from analytics.studies.resume import files_of
from analytics.studies.store import write_bytes, write_json

_RESERVE = ".reserve"
_RESERVED_BYTES = 256 * 1024
"""Room kept for the last run.json, so that a run which fills the disk can still say so."""


@dataclass
class Run:
    """A run at work.

    Parameters
    ----------
    quarter, company
        Its checked parameters.
    notebooks : tuple of Notebook
        What it executes.
    folder : pathlib.Path
        Where it works; another one once it has ended.
    secrets : tuple of str
        What may not be written.
    only : bool
        Whether these are not all notebooks, so that it is never published.
    """

    quarter: QuarterParams
    company: CompanyParams
    notebooks: tuple[Notebook, ...]
    folder: Path
    secrets: tuple[str, ...]
    only: bool = False
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    _started: float = field(default_factory=time.monotonic)
    _lines: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The name of its folder when it is whole."""
        return bundles.run_id(self.folder)

    @property
    def safe(self) -> bool:
        """Whether the bundle is shared: an error in it may not name a value of the input; the terminal may."""
        return self.company.share == "safe"

    def begin(self) -> None:
        """Write run.json for the first time, and keep room for the last."""
        write_bytes(self.folder / _RESERVE, b"." * _RESERVED_BYTES)
        self.write(None)

    def notebook_done(self, outcome: Outcome) -> None:
        """Note how a notebook ended, at once: a run that is killed later leaves what it had finished."""
        line = {"status": STATUS[outcome.exit_code], "exit_code": outcome.exit_code, "seconds": outcome.seconds}
        if outcome.taken_from:
            line["taken_from"] = outcome.taken_from
        if outcome.message and not self.safe:
            line["message"] = outcome.message
        if outcome.exit_code == DONE:
            line["fingerprint"] = self.fingerprints[outcome.name]
            line["files"] = files_of(self.folder, outcome.name)
        self._lines[outcome.name] = line
        self.write(None)

    def write(self, exit_code: int | None, message: str = "") -> None:
        """Write run.json."""
        lines = [
            {"name": one.name, "title": one.title, **self._lines.get(one.name, {"status": "not finished"})}
            for one in self.notebooks
        ]
        content = {
            "schema_version": SCHEMA_VERSION,
            "run": self.id,
            "status": "running" if exit_code is None else STATUS[exit_code],
            "exit_code": exit_code,
            "message": STATUS[exit_code] if message and exit_code is not None and self.safe else message,
            "complete": exit_code == DONE and not self.only,
            "seconds": round(time.monotonic() - self._started, 1),
            "notebooks": lines,
            "parameters": self.quarter.as_parameters(),
            "company_params": company_facts(self.company),
            "versions": versions(),
            **self.facts,
        }
        write_json(self.folder / "run.json", hidden_in(content, self.secrets))

    def end(self, exit_code: int, message: str = "") -> None:
        """Write run.json for the last time and give the folder the name that it keeps."""
        for left in self.folder.glob(".*"):
            left.unlink()
        self.write(exit_code, message)
        self.folder = bundles.end(self.folder, "failed" if exit_code else "only" if self.only else "")

    def fail(self, exit_code: int, message: str) -> None:
        """End a run that cannot go on; where not even that can be written, what went wrong first is what is said."""
        with contextlib.suppress(OSError):
            self.end(exit_code, message)


def say_last_word(folder: Path) -> str:
    """Complete run.json of a run that was killed, keep its folder for looking, and say so in a sentence.

    Parameters
    ----------
    folder : pathlib.Path
        Of a run that has not ended and whose process is gone.
    """
    name = bundles.run_id(folder)
    content: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "run": name, "notebooks": []}
    # A run that was killed at once has not written it yet.
    with contextlib.suppress(FileNotFoundError):
        content |= json.loads((folder / "run.json").read_text(encoding="utf-8"))
    finished = sum(line.get("status") == STATUS[DONE] for line in content["notebooks"])
    said = f"killed before it was done, after {finished} of {len(content['notebooks'])} notebooks"
    for left in folder.glob(".*"):
        left.unlink()
    write_json(
        folder / "run.json", {**content, "status": KILLED, "exit_code": None, "message": said, "complete": False}
    )
    return f"An earlier run was {said}; what it left is in runs/{bundles.end(folder, 'failed').name}."
