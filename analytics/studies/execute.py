"""Execute one notebook: beside its target first, under its name only when every cell has run."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError

from analytics.studies.bundle import run_id
from analytics.studies.deal_lists import cell_links
from analytics.studies.exits import DONE, FAILED, INPUT, KERNEL_DIED, TIMEOUT, code_of_words
from analytics.studies.job import Job, Outcome
from analytics.studies.kernel import RunKernel
from analytics.studies.pages import page, saved_numbers
from analytics.studies.places import NOTEBOOKS
from analytics.studies.redaction import hidden
from analytics.studies.resume import take_over
from analytics.studies.store import write_text

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def execute(job: Job, cell_done: Callable[[], None]) -> Outcome:
    """Execute a notebook, or take it from a run that has, and write it and its page, or `<name>.failed.ipynb`.

    Parameters
    ----------
    job : Job
        What to execute.
    cell_done : callable
        Called after each code cell.

    Returns
    -------
    Outcome
        What papermill's own output cannot be trusted to say: after a dead kernel it calls every cell completed.
    """
    run = Path(job.folder)
    folder = run / NOTEBOOKS
    folder.mkdir(exist_ok=True)
    partial = folder / f".{job.name}.partial.ipynb"
    if job.finished_in:
        take_over(Path(job.finished_in), run, job.name)
        _write_page(run, job)
        return Outcome(job.name, DONE, taken_from=run_id(Path(job.finished_in)))
    try:
        outcome = _executed(job, partial, cell_done)
        if outcome.exit_code == DONE:
            _publish(partial, folder / f"{job.name}.ipynb", job)
            partial.unlink()
            _write_page(run, job)
    finally:
        if partial.exists():
            _publish(partial, folder / f"{job.name}.failed.ipynb", job)
            partial.unlink()
    return outcome


def _write_page(run: Path, job: Job) -> None:
    notebook = _read(run / NOTEBOOKS / f"{job.name}.ipynb")
    shown = saved_numbers(notebook, run, job.name)
    links = {} if job.safe else cell_links(run, job.name, job.crm_url_template)
    text = page(notebook, title=job.title, facts=job.facts, saved=shown, links=links)
    write_text(run / f"{job.name}.html", text)


def _executed(job: Job, partial: Path, cell_done: Callable[[], None]) -> Outcome:
    def executed(**_: Any) -> None:
        cell_done()

    try:
        papermill.execute_notebook(
            job.notebook,
            str(partial),
            parameters=job.parameters,
            kernel_name="python3",
            progress_bar=False,
            cwd=str(Path(job.notebook).parent),
            execution_timeout=job.cell_seconds,
            kernel_manager_class=RunKernel,
            on_cell_executed=executed,
        )
    except PapermillExecutionError as failed:
        return _cell_failed(job, failed)
    except CellTimeoutError:
        return Outcome(job.name, TIMEOUT, f"a cell took more than {job.cell_seconds} seconds")
    except (DeadKernelError, RuntimeError) as error:
        # A kernel that dies before its first word is a plain RuntimeError.
        if not isinstance(error, DeadKernelError) and "Kernel died" not in str(error):
            raise
        return Outcome(job.name, KERNEL_DIED, "its kernel died, most likely for want of memory")
    cells = [cell for cell in _read(partial).cells if cell.cell_type == "code" and cell.source.strip()]
    if any(output.get("ename") == "SystemExit" for cell in cells for output in cell.outputs):
        # papermill takes sys.exit(0) for a notebook that went well, though what follows it has not run.
        return Outcome(job.name, FAILED, "a cell ends the notebook before its end: does it call sys.exit()?")
    skipped = sum(cell.execution_count is None for cell in cells)
    if skipped:
        return Outcome(job.name, FAILED, f"not every cell has run ({skipped} did not): does a cell call exit()?")
    return Outcome(job.name, DONE)


def _cell_failed(job: Job, failed: PapermillExecutionError) -> Outcome:
    sentence = hidden(str(failed.evalue), job.secrets)
    traceback = hidden(_COLOUR.sub("", "\n".join(failed.traceback)), job.secrets)
    if failed.ename == "InputError":
        return Outcome(job.name, INPUT, sentence, traceback)
    code = code_of_words(str(failed.evalue))
    return Outcome(job.name, code, f"cell {failed.exec_count} failed with {failed.ename}: {sentence}", traceback)


def _publish(partial: Path, target: Path, job: Job) -> None:
    notebook = _read(partial)
    # papermill writes this machine's paths into the notebook; they say nothing to whoever it is mailed to.
    notebook.metadata.get("papermill", {}).update(input_path=Path(job.notebook).name, output_path=target.name)
    if job.safe and target.name.endswith(".failed.ipynb"):
        _without_values(notebook)
    write_text(target, hidden(nbformat.writes(notebook), job.secrets) + "\n")


def _without_values(notebook: Any) -> None:
    """Take out of a failed notebook what may name a value of the input: its errors and what was printed."""
    said = "The message may name a value of the input: it was shown where the run was started."
    for cell in notebook.cells:
        kept = [output for output in cell.get("outputs", ()) if output.get("output_type") not in ("error", "stream")]
        if "outputs" in cell and len(kept) < len(cell.outputs):
            failed = [output for output in cell.outputs if output.output_type == "error"]
            named = [nbformat.v4.new_output("error", ename=output.ename, evalue=said) for output in failed]
            cell.outputs = [*kept, *named]


def _read(path: Path) -> Any:
    return nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
