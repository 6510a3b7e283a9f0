"""What a person sees while a run is at work: a bar with the time left on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
from collections.abc import Container, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from analytics.studies.exits import DONE, STATUS
from analytics.studies.job import Outcome
from analytics.studies.notebook_cell import Notebook
from analytics.studies.redaction import printable
from analytics.studies.resume import lines_of

_BAR = "{desc} {percentage:3.0f}% |{bar}| {elapsed} so far, about {remaining} left"


class Progress:
    """Say what is going on, on standard error; used as a context.

    Parameters
    ----------
    notebooks : sequence of Notebook
        What is executed.
    stream : file, optional
        Where to; standard error by default.
    """

    def __init__(self, notebooks: Sequence[Notebook], stream: TextIO | None = None) -> None:
        # papermill puts a cell of its own into each notebook.
        self._cells = {notebook.name: notebook.code_cells + 1 for notebook in notebooks}
        self._cell_seconds = dict.fromkeys(self._cells, 1.0)
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

    def start(self, runs: Path, *, leaving_out: Container[str] = ()) -> None:
        """Begin to count cells; only a terminal shows them.

        Parameters
        ----------
        runs : pathlib.Path
            The bundle's runs: a cell counts for as long as one of its notebook took the last time.
        leaving_out : container of str
            Notebooks that are not executed.
        """
        if not self._stream.isatty():
            return
        from tqdm import tqdm

        self._cell_seconds |= cell_seconds(runs, self._cells)
        total = sum(cells * self._cell_seconds[name] for name, cells in self._cells.items() if name not in leaving_out)
        self._bar = tqdm(total=total, file=self._stream, leave=False, ncols=88, bar_format=_BAR)

    def cell_done(self, name: str) -> None:
        """Count one cell of a notebook."""
        if self._bar is not None:
            self._bar.set_description_str(name, refresh=False)
            self._bar.update(min(self._cell_seconds[name], self._bar.total - self._bar.n))

    def notebook_done(self, outcome: Outcome) -> None:
        """Say how a notebook ended."""
        ending = f"{STATUS[outcome.exit_code]}, {outcome.seconds:.0f} s"
        if outcome.taken_from:
            ending = f"unchanged since the run {outcome.taken_from}, not run again"
        reason = "" if outcome.exit_code == DONE else f": {outcome.message}"
        self.say(f"  {outcome.name}  {ending}{reason}")


def cell_seconds(runs: Path, cells: dict[str, int]) -> dict[str, float]:
    """Say how long a cell of each notebook took when a run last executed it.

    Parameters
    ----------
    runs : pathlib.Path
        The folder of a bundle's runs.
    cells : dict of str to int
        How many cells each notebook has.

    Returns
    -------
    dict of str to float
        Seconds; notebooks that no run has executed count as much as the others do on average.
    """
    found: dict[str, float] = {}
    for folder in sorted((path for path in runs.glob("[0-9]*") if path.is_dir()), reverse=True):
        for line in lines_of(folder):
            name, executed = str(line.get("name")), line.get("status") == STATUS[DONE] and not line.get("taken_from")
            if executed and name in cells and name not in found:
                found[name] = max(float(line["seconds"]), 0.1) / cells[name]
    usual = sum(found.values()) / len(found) if found else 1.0
    return {name: found.get(name, usual) for name in cells}
