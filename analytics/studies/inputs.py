"""Which files a source reads, and one hash that changes whenever any of them does."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from analytics.records.contract import SourceFile
from analytics.records.sources.paths import file_sha256, require_file, resolve_path

INPUT_VARIABLE = "WINLOSS_INPUT"
"""Set by a run for its kernels: the hash of the input it has read, so that all its notebooks study the same one."""


def input_key(source: BaseModel, base: Path) -> str | None:
    """Hash the bytes of everything a source reads, without reading it as tables.

    Parameters
    ----------
    source : SourceConfig
        The checked `source:` block.
    base : pathlib.Path
        The folder of the params file.

    Returns
    -------
    str or None
        None where a database is read: only reading it tells whether it has changed.

    Raises
    ------
    InputError
        Where a file is missing.
    """
    handed = os.environ.get(INPUT_VARIABLE)
    if handed:
        return handed
    nodes = list(_models(source))
    if any(getattr(node, "url", None) for node in nodes):
        return None
    hashes = {path.absolute(): path.name for node in nodes for path in _files(node, base)}
    return _digest([(name, file_sha256(path)) for path, name in hashes.items()])


def content_key(files: tuple[SourceFile, ...]) -> str:
    """Hash what was read, file by file: the input hash of a database, which has no bytes to look at."""
    return _digest([(file.name, file.sha256) for file in files])


def _digest(entries: list[tuple[str, str]]) -> str:
    return hashlib.sha256(json.dumps(sorted(entries)).encode()).hexdigest()[:32]


def _models(node: object) -> Iterator[BaseModel]:
    if isinstance(node, BaseModel):
        yield node
        for name in type(node).model_fields:
            yield from _models(getattr(node, name))
    elif isinstance(node, dict):
        for value in node.values():
            yield from _models(value)
    elif isinstance(node, tuple | list):
        for value in node:
            yield from _models(value)


def _files(node: BaseModel, base: Path) -> Iterator[Path]:
    file, folder = getattr(node, "file", None), getattr(node, "folder", None)
    if file:
        yield require_file(resolve_path(file, base), file)
    if folder:
        # A folder counts whole: a file too many only makes the cache miss, a file too few would make it lie.
        root = resolve_path(folder, base)
        yield from sorted(path for path in root.glob("*") if path.is_file() and not path.name.startswith("."))
