"""The snapshot cache: what was computed once from the same input is read back, without the engine that computed it."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import datetime as dt
import functools
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

import analytics.records
from analytics.estimators.result import SCHEMA_VERSION
from analytics.records.contract import HISTORY_COLUMNS, SIDE_TABLES, History, Noticed, SourceFile
from analytics.records.engine import connect
from analytics.records.errors import InputError
from analytics.studies.places import CACHE_VARIABLE
from analytics.studies.store import write_frame, write_json

_ENGINE_MEMORY = "3GB"
"""What the engine may hold at once; a larger history spills to disk beside its tables."""


@functools.cache
def records_code() -> str:
    """Hash the code that makes snapshots: a changed line there must not meet yesterday's cache."""
    folder = Path(analytics.records.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def cache_key(**facts: Any) -> str:
    """Hash everything that a cached frame depends on, the code and the schema version included."""
    everything = {**facts, "code": records_code(), "schema_version": SCHEMA_VERSION}
    return hashlib.sha256(json.dumps(everything, sort_keys=True, default=str).encode()).hexdigest()


def cached_frame(folder: Path, key: str, compute: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """Read a frame from the cache; where it is not there, compute it, write it, and read it back.

    It is read back even when it has just been computed, so that a first run and a second one see the same types.
    """
    path = folder / f"{key}.parquet"
    if not path.is_file():
        frame = compute()
        with _writable(folder):
            write_frame(path, frame)
    return pd.read_parquet(path)


@dataclass(frozen=True)
class CachedHistory:
    """A History on disk: its tables as Parquet, its facts as JSON."""

    folder: Path
    facts: dict[str, Any]

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """Everything that was read."""
        return tuple(SourceFile(**file) for file in self.facts["files"])

    @property
    def known_to(self) -> dt.date | None:
        """The last day on which anything was recorded."""
        return _day(self.facts["known_to"])

    @property
    def first_record(self) -> dt.date | None:
        """The first day on which anything was recorded; None where there are no deals."""
        return _day(self.facts["first_record"])

    def rejects(self) -> pd.DataFrame:
        """Every rejected row."""
        return pd.read_parquet(self.folder / "rejects.parquet")

    def as_frames(self) -> History:
        """The History as pandas frames (dates as Timestamps), without any engine."""
        return self._history(self._frame)

    def as_tables(self) -> History:
        """The History as tables of an engine, for snapshots that are not in the cache; what these share is kept too."""
        engine = connect(memory=_ENGINE_MEMORY, spill=self.folder / "spill")
        # An engine that is still open when Python ends can take the process down with it, whatever its exit code was.
        atexit.register(engine.disconnect)

        def table(name: str) -> Any:
            return engine.read_parquet(str(self.folder / f"{name}.parquet"))

        def keep(name: str, expression: Any) -> Any:
            if not (self.folder / f"{name}.parquet").is_file():
                with _writable(self.folder):
                    _write_whole(self.folder / f"{name}.parquet", expression)
            return table(name)

        return self._history(table, keep)

    def _history(self, table: Callable[[str], Any], keep: Callable[[str, Any], Any] | None = None) -> History:
        return History(
            keep=keep,
            table=table("table"),
            side={name: table(f"side-{name}") for name in self.facts["side"]},
            kind=self.facts["kind"],
            attributes=tuple(self.facts["attributes"]),
            rejects=self.rejects(),
            files=self.files,
            known_to=self.known_to,
            noticed=tuple(Noticed(**seen) for seen in self.facts["noticed"]),
        )

    def _frame(self, name: str) -> pd.DataFrame:
        frame = pd.read_parquet(self.folder / f"{name}.parquet")
        contract = HISTORY_COLUMNS if name == "table" else SIDE_TABLES.get(name.removeprefix("side-"), {})
        for column in frame.columns:
            if contract.get(column) == "date":
                frame[column] = pd.to_datetime(frame[column]).astype("datetime64[ns]")
        return frame


def cached_history(folder: Path, key: str, read: Callable[[], History]) -> CachedHistory:
    """Find a History in the cache, or read it from its source and keep it there."""
    place = folder / f"{key}.history"
    if not (place / "facts.json").is_file():
        history = read()
        with _writable(folder):
            keep_history(place, history)
        history.table.get_backend().disconnect()
    return CachedHistory(place, json.loads((place / "facts.json").read_text(encoding="utf-8")))


def keep_history(place: Path, history: History) -> None:
    """Write a History into a folder that appears whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=place.parent, prefix=".history-"))
    try:
        history.table.to_parquet(part / "table.parquet")
        for name, table in history.side.items():
            table.to_parquet(part / f"side-{name}.parquet")
        write_frame(part / "rejects.parquet", history.rejects)
        first = pd.read_parquet(part / "table.parquet", columns=["recorded_on"])["recorded_on"].dropna()
        chosen_from = {"pipeline": "pipeline", "source": "source", "currency_original": "currency"}
        chosen_from |= {name: name for name in history.attributes}
        facts = {
            "kind": history.kind,
            "attributes": history.attributes,
            "side": sorted(history.side),
            "files": [dataclasses.asdict(file) for file in history.files],
            "known_to": history.known_to,
            "noticed": [dataclasses.asdict(seen) for seen in history.noticed],
            "first_record": first.min() if len(first) else None,
            "values": {name: _values(part / "table.parquet", column) for name, column in chosen_from.items()},
        }
        write_json(part / "facts.json", facts)
        # Whoever came first at the same moment wrote the same thing.
        with contextlib.suppress(OSError):
            os.rename(part, place)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write_whole(path: Path, expression: Any) -> None:
    """Compute a table of the engine into a file that appears whole or not at all."""
    part = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        expression.to_parquet(part, preserve_order=False)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _values(table: Path, column: str) -> list[str | None]:
    """List what a column of the history ever held, so that a misspelt value of the scope is found without an engine."""
    found = pd.read_parquet(table, columns=[column])[column].astype(object)
    return sorted({str(text) for text in found.dropna()}) + ([None] if found.isna().any() else [])


@contextlib.contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError:
        raise InputError(
            "the cache cannot be written here", file=folder.name, action=f"Set {CACHE_VARIABLE} to a folder of your own"
        ) from None


def _day(text: str | None) -> dt.date | None:
    return None if text is None else dt.date.fromisoformat(text)
