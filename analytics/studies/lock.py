"""One run at a time per company and quarter."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from analytics.studies.exits import LockedError, UnwritableError

_PATIENCE_SECONDS = 30.0
"""How long the notebooks of a run that was killed may take to be gone."""


@contextmanager
def locked(bundle: Path) -> Iterator[int]:
    """Hold the lock of a bundle's folder; the system releases it even if the process is killed.

    Yields
    ------
    int
        The lock's file descriptor. A process that inherits it shares the lock, so that a bundle is free only when the
        run *and* those that execute its notebooks are gone.

    Raises
    ------
    LockedError
        At once, where another run holds it.
    UnwritableError
        Where the folder or the lock in it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, locked(Path(folder)):
    ...     try:
    ...         with locked(Path(folder)):
    ...             pass
    ...     except LockedError as error:
    ...         "another run" in str(error)
    True
    """
    name = "/".join(bundle.parts[-2:])
    try:
        bundle.mkdir(parents=True, exist_ok=True)
        # Opened for adding, since the holder's number in it must be readable to whoever does not get the lock.
        handle = (bundle / ".lock").open("a+", encoding="ascii")
    except OSError as error:
        raise UnwritableError(name, error) from None
    with handle:
        try:
            _take(handle, name)
            handle.truncate(0)
            handle.write(f"{os.getpid()}\n")
            handle.flush()
        except OSError as error:  # The disk is full, or the file system knows no locks.
            raise UnwritableError(name, error) from None
        yield handle.fileno()


def _take(handle: IO[str], name: str) -> None:
    import fcntl

    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if _alive(_holder(handle)) or time.monotonic() > deadline:
                sentence = f"{name}: another run is at work on it. Wait for it to end, or stop it."
                raise LockedError(sentence) from None
        time.sleep(0.2)


def _holder(handle: IO[str]) -> int | None:
    handle.seek(0)
    with contextlib.suppress(ValueError):
        return int(handle.read())
    return None


def _alive(pid: int | None) -> bool:
    """Whether a process is there; where it is not known which one, somebody may be at work."""
    if pid is None:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
