"""Exit codes: what a scheduler learns from a run without reading its words."""

from __future__ import annotations

import errno

DONE, FAILED, INPUT, LOCKED, KERNEL_DIED, TIMEOUT, NOT_PERMITTED, DISK_FULL, STOPPED = 0, 1, 2, 3, 4, 5, 6, 7, 130

STATUS = {
    DONE: "done",
    FAILED: "failed",
    INPUT: "input cannot be used",
    LOCKED: "locked",
    KERNEL_DIED: "kernel died",
    TIMEOUT: "took too long",
    NOT_PERMITTED: "not permitted to read or write",
    DISK_FULL: "disk full",
    STOPPED: "stopped",
}
"""The word for each code in run.json and on the front page."""

KILLED = "killed"
"""The word for a run that could not say its last word; the next one says it."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_FULL_IN_WORDS = ("No space left on device", "Disk quota exceeded", "File too large")


class LockedError(RuntimeError):
    """Another run is at work on the same company and quarter; exit code 3."""

    exit_code = LOCKED


class UnwritableError(RuntimeError):
    """A bundle's folder or its lock cannot be written; exit code 6, or 7 where the disk is full.

    Examples
    --------
    >>> error = UnwritableError("acme/2025Q4", PermissionError(13, "Permission denied"))
    >>> print(error, error.exit_code)
    acme/2025Q4: no report can be written there (Permission denied). See to its rights, or choose --reports. 6
    """

    def __init__(self, name: str, error: OSError) -> None:
        self.exit_code = DISK_FULL if error.errno in _FULL else NOT_PERMITTED
        action = "Make room" if self.exit_code == DISK_FULL else "See to its rights"
        super().__init__(
            f"{name}: no report can be written there ({error.strerror or error}). {action}, or choose --reports."
        )


def code_of(error: BaseException) -> int:
    """Return the exit code of an error that is nobody's careful sentence.

    Examples
    --------
    >>> code_of(OSError(28, "No space left on device")), code_of(PermissionError(13, "Permission denied"))
    (7, 6)
    >>> code_of(ZeroDivisionError("division by zero"))
    1
    """
    number = error.errno if isinstance(error, OSError) else None
    if number in _REFUSED:
        return NOT_PERMITTED
    return DISK_FULL if number in _FULL else code_of_words(str(error))


def code_of_words(text: str) -> int:
    """Return the exit code of an error of which only the words are left: an engine's, or one within a kernel.

    Examples
    --------
    >>> code_of_words("IO Error: Could not write file: No space left on device")
    7
    """
    return DISK_FULL if any(words in text for words in _FULL_IN_WORDS) else FAILED
