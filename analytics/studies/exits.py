"""Exit codes: what a scheduler learns from a run without reading its words."""

from __future__ import annotations

DONE, FAILED, INPUT, LOCKED, KERNEL_DIED, TIMEOUT, STOPPED = 0, 1, 2, 3, 4, 5, 130

STATUS = {
    DONE: "done",
    FAILED: "failed",
    INPUT: "input cannot be used",
    LOCKED: "locked",
    KERNEL_DIED: "kernel died",
    TIMEOUT: "took too long",
    STOPPED: "stopped",
}
"""The word for each code in run.json and on the index page."""


class LockedError(RuntimeError):
    """Another run is at work on the same company and quarter; exit code 3."""

    exit_code = LOCKED
