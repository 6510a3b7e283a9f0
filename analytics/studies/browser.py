"""A Chromium on this machine: where it is, and printing pages with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from analytics.records.errors import InputError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
VARIABLE = "BROWSER_PATH"
SECONDS = 600
FLAGS = (
    "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-default-apps", "--disable-extensions", "--host-resolver-rules=MAP * ~NOTFOUND",
    "--virtual-time-budget=20000", "--no-pdf-header-footer",
)  # fmt: skip
"""The printed page is a file on this machine, and the browser is kept from every network."""


def find_browser(what_for: str) -> str:
    """Return the path of a Chromium: `BROWSER_PATH`, else the first one that is installed.

    Raises
    ------
    InputError
        Where there is none.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen:
        found = shutil.which(chosen)
        if found is None:
            raise InputError(f"{VARIABLE} names {chosen}, where there is no program that can be started")
        return found
    installed = next((path for name in (*NAMES, *PLACES) if (path := shutil.which(name))), None)
    if installed is None:
        raise InputError(
            f"{what_for} takes a Chromium or Chrome, and there is none on this machine",
            action=f"Install one (Debian: apt install chromium), or name it in {VARIABLE}",
        )
    return installed


def print_page(page: Path, target: Path, *, browser: str) -> None:
    """Print one page from disk into a PDF file.

    Raises
    ------
    RuntimeError
        Where the browser printed nothing.
    """
    with tempfile.TemporaryDirectory(prefix="winloss-print-") as profile:
        # Chromium refuses its sandbox to root, which is who runs in most containers.
        as_root = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
        command = [browser, *FLAGS, *as_root, f"--user-data-dir={profile}", f"--print-to-pdf={target}", page.as_uri()]
        try:
            done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{page.name} was not printed within {SECONDS} seconds") from None
    if done.returncode != 0 or not target.is_file() or target.stat().st_size == 0:
        raise RuntimeError(f"the browser printed nothing of {page.name} (exit code {done.returncode})")
