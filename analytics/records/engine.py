"""The engine: one place that turns a URL into a database connection."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from analytics.records.errors import InputError, nearest


def connect(url: str | None = None, *, memory: str | None = None, spill: Path | None = None) -> Any:
    """Where do the records live, and what computes on them?

    Parameters
    ----------
    url : str, optional
        None or `duckdb://` (embedded, in memory), `duckdb:///folder/file.duckdb`, `sqlite:///folder/file.db`,
        `postgres://user:password@host:port/database`. Three slashes lead to a relative path, four to an absolute one.
    memory : str, optional
        How much the embedded engine may hold at once, "2GB"; most of the machine's memory unless said otherwise.
    spill : path, optional
        The folder to which it moves what goes beyond.

    Returns
    -------
    ibis.BaseBackend
        The connection. DuckDB uses as many threads as the machine has.

    Raises
    ------
    InputError
        Unknown scheme (naming the nearest), missing file, or no connection. A password is never part of the sentence.

    Examples
    --------
    >>> connect().name
    'duckdb'
    """
    if url is None:
        return _embedded(memory, spill)
    scheme, separator, _ = url.partition("://")
    opener = _SCHEMES.get(scheme.strip().lower())
    if not separator or opener is None:
        shown = scheme if separator else redacted(url)
        raise InputError(
            "is not a database address that can be opened", value=shown,
            action=f"Begin it with one of {', '.join(f'{name}://' for name in _SCHEMES)} ({nearest(scheme, _SCHEMES)})",
        )  # fmt: skip
    try:
        return opener(url)
    except InputError:
        raise
    except Exception as error:
        # Drivers like to repeat the address, password included; the cause is cut off for the same reason.
        reason = _without(str(error), _passwords(url)).strip().splitlines() or [type(error).__name__]
        raise InputError(
            f"cannot be opened ({redacted(reason[0])})",
            value=redacted(url),
            action="Check the address and that it is up",
        ) from None


def redacted(url: str) -> str:
    """Return the address without its password.

    Examples
    --------
    >>> redacted("postgres://ana:s3cret@db/crm")
    'postgres://ana:***@db/crm'
    """
    return re.sub(r"(://[^:/@\s]*):.*@", r"\1:***@", re.sub(r"(?i)((?:password|passwd|pwd)=)[^&;\s]+", r"\1***", url))


def _passwords(url: str) -> set[str]:
    """Every form in which the passwords of an address may be repeated; it may hold any sign, so no parser is asked."""
    found = re.findall(r"://[^:/@\s]*:(.*)@|(?i:(?:password|passwd|pwd)=)([^&;\s]+)", url)
    written = {part for match in found for part in match if part} | {os.environ.get("PGPASSWORD", "")}
    return written | {unquote(part) for part in written}


def _without(text: str, passwords: set[str]) -> str:
    for form in sorted(passwords - {""}, key=len, reverse=True):
        text = text.replace(form, "***")
    return text


def _embedded(memory: str | None, spill: Path | None) -> Any:
    import ibis

    settings = {"memory_limit": memory, "temp_directory": None if spill is None else str(spill)}
    return ibis.duckdb.connect(**{name: value for name, value in settings.items() if value is not None})


def _duckdb(url: str) -> Any:
    import ibis

    path = _database_file(url)
    return ibis.duckdb.connect() if path is None else ibis.duckdb.connect(path)


def _sqlite(url: str) -> Any:
    import ibis

    path = _database_file(url)
    return ibis.sqlite.connect() if path is None else ibis.sqlite.connect(path)


def _postgres(url: str) -> Any:
    import ibis

    return ibis.connect("postgres" + url[url.index("://") :])


def _database_file(url: str) -> Path | None:
    """Return the file an address leads to, None for an in-memory database."""
    path = unquote(url.partition("://")[2]).removeprefix("/")
    if path in ("", ":memory:"):
        return None
    # Opening a file that is not there would quietly create an empty database in its place.
    if not Path(path).is_file():
        raise InputError("does not exist", file=path, action="Correct the path in the database address")
    return Path(path)


_SCHEMES: dict[str, Callable[[str], Any]] = {
    "duckdb": _duckdb,
    "sqlite": _sqlite,
    "postgres": _postgres,
    "postgresql": _postgres,
}
