"""One run at a time per company and quarter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from analytics.studies.exits import LockedError


@contextmanager
def locked(bundle: Path) -> Iterator[None]:
    """Hold the lock of a bundle's folder; the system releases it even if the process is killed.

    Raises
    ------
    LockedError
        At once, where another run holds it.

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
    import fcntl

    bundle.mkdir(parents=True, exist_ok=True)
    with (bundle / ".lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            name = "/".join(bundle.parts[-2:])
            raise LockedError(f"{name}: another run is at work on it. Wait for it to end, or stop it.") from None
        yield
