"""What a run asks of a worker, and what the worker answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Job:
    """One notebook to execute: where it is, where it goes, what is injected, what must never be written,
    and whether it is shared safely, so that an error may not name a value."""

    name: str
    notebook: str
    folder: str
    parameters: dict[str, Any]
    cell_seconds: int
    title: str
    facts: Sequence[tuple[str, str]] = ()
    secrets: Sequence[str] = ()
    safe: bool = False
    finished_in: str = ""
    """The folder of an earlier run that finished this notebook: it is taken from there and not executed."""


@dataclass(frozen=True)
class Outcome:
    """How an execution ended: exit code, one sentence, and the traceback for `--debug`."""

    name: str
    exit_code: int
    message: str = ""
    traceback: str = ""
    seconds: float = 0.0
    taken_from: str = ""
    """The earlier run that finished this notebook."""
