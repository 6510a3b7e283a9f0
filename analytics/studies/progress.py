"""What a person sees while a run is at work: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, TextIO

from analytics.studies.exits import DONE, STATUS
from analytics.studies.job import Outcome
from analytics.studies.redaction import printable


class Progress:
    """Say what is going on, on standard error; used as a context.

    Parameters
    ----------
    cells : int
        How many cells there are to execute.
    stream : file, optional
        Where to; standard error by default.
    """

    def __init__(self, cells: int, stream: TextIO | None = None) -> None:
        self._cells = cells
        self._stream = sys.stderr if stream is None else stream
        self._bar: Any = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def say(self, text: str) -> None:
        """Say one line; what comes from a CRM cannot command the terminal."""
        text = printable(text)
        if self._bar is not None:
            self._bar.write(text, file=self._stream)
        else:
            print(text, file=self._stream, flush=True)

    def start(self) -> None:
        """Begin to count cells; only a terminal shows them."""
        if self._stream.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=self._cells, unit="cell", file=self._stream, leave=False, ncols=80)

    def cell_done(self, name: str) -> None:
        """Count one cell of a notebook."""
        if self._bar is not None:
            self._bar.set_description(name, refresh=False)
            self._bar.update()

    def notebook_done(self, outcome: Outcome) -> None:
        """Say how a notebook ended."""
        ending = f"{STATUS[outcome.exit_code]}, {outcome.seconds:.0f} s"
        reason = "" if outcome.exit_code == DONE else f": {outcome.message}"
        self.say(f"  {outcome.name}  {ending}{reason}")
