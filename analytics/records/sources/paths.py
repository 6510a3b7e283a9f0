"""Where a file of the params is: relative to the params file, with ${WINLOSS_…} variables expanded."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from analytics.records.engine import redacted
from analytics.records.errors import InputError, nearest

VARIABLE = re.compile(r"\$\{([^}]*)\}")


def resolve_path(text: str, base: Path) -> Path:
    """Resolve a path of the params against the params file's folder.

    Raises
    ------
    InputError
        As `expand_variables`.
    """
    return (base / expand_variables(text)).expanduser()


def expand_variables(text: str) -> str:
    """Put the values of ${WINLOSS_…} variables into a path or a database address.

    Raises
    ------
    InputError
        Where it names a variable that is not set, or one that does not begin with `WINLOSS_`.

    Examples
    --------
    >>> expand_variables("../data/deals.csv")
    '../data/deals.csv'
    """

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if not name.startswith("WINLOSS_"):
            raise InputError(
                f"the variable {name!r} is not expanded in a path",
                file=redacted(text),
                action="Use ${WINLOSS_DATA} (only variables that begin with WINLOSS_ are read)",
            )
        if not os.environ.get(name):
            raise InputError(
                f"the variable {name} is not set",
                file=redacted(text),
                action=f"Set {name} to the folder that holds the data",
            )
        return os.environ[name]

    return VARIABLE.sub(value, text)


def require_file(path: Path, written: str) -> Path:
    """Return the path if there is a file.

    Raises
    ------
    InputError
        Where there is none, with the nearest name in its folder.
    """
    if path.is_file():
        return path
    if path.is_dir():
        raise InputError("is a folder", file=written, action="Name a file, or use folder: with a pattern:")
    siblings = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    hint = nearest(path.name, siblings) if siblings else f"the folder {path.parent} does not exist"
    raise InputError("does not exist", file=written, action=f"Check the path in the params ({hint})")


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
