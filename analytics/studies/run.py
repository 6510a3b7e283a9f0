"""One run: check, fill the snapshot cache, execute the notebooks, and only then turn the bundle to the new run."""

from __future__ import annotations

import contextlib
import datetime as dt
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from analytics.estimators.result import SCHEMA_VERSION
from analytics.records.errors import InputError, nearest
from analytics.studies import bundle as bundles
from analytics.studies.exits import DONE, FAILED, INPUT, STATUS, STOPPED
from analytics.studies.index import facts, index_of
from analytics.studies.inputs import INPUT_VARIABLE
from analytics.studies.job import Job, Outcome
from analytics.studies.lock import locked
from analytics.studies.notebook_cell import Notebook, check_parameters, find_notebooks
from analytics.studies.opening import open_params
from analytics.studies.params import CompanyParams, QuarterParams, load_company, load_quarter
from analytics.studies.places import (
    CACHE_VARIABLE,
    OUT_VARIABLE,
    PARAMS_VARIABLE,
    RESULTS,
    cache_folder,
    notebooks_folder,
)
from analytics.studies.progress import Progress
from analytics.studies.provenance import company_facts, notebook_facts, study_facts, versions
from analytics.studies.redaction import hidden, hidden_in, known_secrets
from analytics.studies.store import as_csv, write_json, write_text
from analytics.studies.study import Study
from analytics.studies.workbook import write_workbook
from analytics.studies.workers import Workers, workers

SIDE_BY_SIDE = 2
"""Notebooks at a time: two fill two cores, more gain little."""

_STOPPING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


@dataclass(frozen=True)
class Options:
    """How a run is wanted: where reports go, which notebooks, which notebook folder, seconds per notebook."""

    reports: Path | None = None
    only: tuple[str, ...] = ()
    notebooks: Path | None = None
    seconds: int = 1800


@dataclass(frozen=True)
class Result:
    """How a run ended: its exit code, what to open, and each notebook's outcome."""

    exit_code: int
    folder: Path
    page: Path | None
    outcomes: tuple[Outcome, ...]


@dataclass
class _Run:
    """What is known about a run while it is at work; `run.json` says it at any moment."""

    quarter: QuarterParams
    company: CompanyParams
    notebooks: tuple[Notebook, ...]
    folder: Path
    secrets: tuple[str, ...]
    options: Options
    started: float = field(default_factory=time.monotonic)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return bundles.run_id(self.folder)

    @property
    def safe(self) -> bool:
        """Whether the bundle is shared: an error in it may not name a value of the input; the terminal may."""
        return self.company.share == "safe"

    def record(self, exit_code: int | None, outcomes: Sequence[Outcome] = (), message: str = "") -> None:
        """Write run.json: it is there from the first moment, and true at the last."""
        results = {outcome.name: outcome for outcome in outcomes}
        content = {
            "schema_version": SCHEMA_VERSION,
            "run": self.id,
            "status": "running" if exit_code is None else STATUS[exit_code],
            "exit_code": exit_code,
            "message": STATUS[exit_code] if message and exit_code is not None and self.safe else message,
            "complete": exit_code == DONE and not self.options.only,
            "seconds": round(time.monotonic() - self.started, 1),
            "notebooks": [_line(notebook, results.get(notebook.name), safe=self.safe) for notebook in self.notebooks],
            "parameters": self.quarter.as_parameters(),
            "company_params": company_facts(self.company),
            "versions": versions(),
            **self.facts,
        }
        write_json(self.folder / "run.json", hidden_in(content, self.secrets))

    def end(self, exit_code: int, outcomes: Sequence[Outcome] = (), message: str = "") -> None:
        """Write run.json for the last time and give the folder the name it keeps."""
        for left in self.folder.glob(".*"):
            left.unlink()
        self.record(exit_code, outcomes, message)
        self.folder = bundles.end(self.folder, "failed" if exit_code else "only" if self.options.only else "")

    def fail(self, exit_code: int, message: str) -> None:
        """End a run that cannot go on; where not even that can be written, what went wrong first is what is said."""
        with contextlib.suppress(OSError):
            self.end(exit_code, message=message)


def run_study(params: Path | str, options: Options = Options()) -> Result:
    """Run the notebooks of one quarter and leave a bundle behind.

    Parameters
    ----------
    params : path
        `params/<company>-<quarter>.yaml`.
    options : Options
        Where, which, how long.

    Returns
    -------
    Result
        With the page to open: the one that leads to the run, or with `only` the first page.

    Raises
    ------
    InputError
        Before anything is written, where the params cannot be used; after `run.json`, where the records cannot.
    LockedError
        Where another run is at work on the same quarter.
    KeyboardInterrupt
        When stopped (Ctrl-C or a TERM signal); kernels are gone, the last good report is as it was.
    """
    quarter = load_quarter(params)
    company = _company_of(quarter)
    notebooks = find_notebooks(options.notebooks or notebooks_folder(company.folder), only=options.only)
    check_parameters(notebooks, quarter.as_parameters(), file=str(quarter.path.name if quarter.path else params))
    name = company.calendar.quarter(quarter.quarter).name
    bundle = (options.reports or company.folder.parent / "reports").absolute() / company.company / name
    with _stoppable(), locked(bundle):
        run = _Run(quarter, company, notebooks, _begun(bundle), known_secrets(company.raw), options)
        run.record(None)
        try:
            return _at_work(run, bundle)
        except InputError as problem:
            run.fail(INPUT, str(problem))
            raise
        except KeyboardInterrupt:
            run.fail(STOPPED, "stopped before it was done")
            raise
        except Exception as error:
            run.fail(FAILED, f"{type(error).__name__}: {error}")
            raise


def _at_work(run: _Run, bundle: Path) -> Result:
    cells = sum(notebook.code_cells + 1 for notebook in run.notebooks)
    # The workers import papermill while this process reads the records.
    with Progress(cells) as progress, workers(min(SIDE_BY_SIDE, len(run.notebooks))) as pool:
        progress.say(f"{run.company.title}, {run.quarter.quarter}: reading the records")
        study = _prepared(run)
        count = len(run.notebooks)
        if len(study.rejects):
            where = "a report for sharing leaves them out" if run.safe else "rejects.csv beside the report says why"
            progress.say(f"{len(study.rejects):,} rows rejected; {where}")
        progress.say(f"{len(study.deals):,} deals studied; executing {count} notebook{'s' if count > 1 else ''}")
        progress.start()
        outcomes = _executed(run, study, pool, progress)
    run.facts = study_facts(study, run.quarter, run.secrets)
    done = {outcome.name for outcome in outcomes if outcome.exit_code == DONE}
    for notebook in run.notebooks:
        if notebook.name in done:
            write_json(run.folder / f"{notebook.name}.provenance.json", notebook_facts(run.facts, notebook, run.folder))
            write_workbook(run.folder / RESULTS / notebook.name, run.folder / f"{notebook.name}.xlsx")
    failed = [outcome for outcome in outcomes if outcome.exit_code != DONE]
    if failed:
        run.end(failed[0].exit_code, outcomes, failed[0].message)
        return Result(failed[0].exit_code, run.folder, None, tuple(outcomes))
    _front(run, study)
    with _undisturbed():
        run.end(DONE, outcomes)
        if run.options.only:
            return Result(DONE, run.folder, run.folder / f"{run.notebooks[0].name}.html", tuple(outcomes))
        leads = bundles.leading_page(run.id, f"{study.title}, {study.quarter.name}")
        bundles.publish(bundle, run.id, hidden(leads, run.secrets))
        return Result(DONE, run.folder, bundle / "index.html", tuple(outcomes))


def _front(run: _Run, study: Study) -> None:
    """Write the front page of the run, which leads to its studies."""
    write_text(run.folder / "index.html", hidden(index_of(study, run.folder, run.notebooks), run.secrets))


def _prepared(run: _Run) -> Study:
    """Open the study and fill the snapshot cache, so that no notebook needs the engine."""
    study = open_params(run.company, run.quarter)
    study.fill_cache()
    if not run.safe:
        write_text(run.folder / "rejects.csv", hidden(as_csv(study.rejects), run.secrets))
    return study


def _executed(run: _Run, study: Study, pool: Workers, progress: Progress) -> list[Outcome]:
    shared = {
        PARAMS_VARIABLE: str(run.company.folder),
        CACHE_VARIABLE: str(cache_folder(run.company.folder)),
        INPUT_VARIABLE: study.input_hash,
    }
    said: dict[str, Any] = {"facts": facts(study), "secrets": run.secrets, "safe": run.safe}
    jobs: list[tuple[Job, Mapping[str, str]]] = []
    for notebook in run.notebooks:
        job = Job(
            notebook.name, str(notebook.path.absolute()), str(run.folder), run.quarter.as_parameters(),
            run.options.seconds, title=f"{notebook.title}: {study.title}, {study.quarter.name}", **said,
        )  # fmt: skip
        jobs.append((job, {**shared, OUT_VARIABLE: str(run.folder / RESULTS / notebook.name)}))
    return pool.execute(
        jobs, seconds=run.options.seconds, cell_done=progress.cell_done, job_done=progress.notebook_done
    )


def _company_of(quarter: QuarterParams) -> CompanyParams:
    assert quarter.path is not None
    path = quarter.path.parent / f"{quarter.company}.yaml"
    if not path.is_file():
        known = [other.stem for other in path.parent.glob("*.yaml") if "-" not in other.stem]
        raise InputError(
            f"the company {quarter.company!r} has no params file {path.name} beside it", file=quarter.path.name,
            action=nearest(quarter.company, known),
        )  # fmt: skip
    return load_company(path)


def _begun(bundle: Path) -> Path:
    """A folder for this run; a clock is read here and nowhere else."""
    return bundles.begin(bundle, dt.datetime.now(dt.UTC))


def _line(notebook: Notebook, outcome: Outcome | None, *, safe: bool) -> dict[str, Any]:
    line: dict[str, Any] = {"name": notebook.name, "title": notebook.title}
    if outcome is None:
        return {**line, "status": "not finished"}
    line |= {"status": STATUS[outcome.exit_code], "exit_code": outcome.exit_code, "seconds": outcome.seconds}
    return line | ({"message": outcome.message} if outcome.message and not safe else {})


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Let a TERM or HUP signal stop the run the way Ctrl-C does."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let no signal come between the last steps: they take a moment, and a report is either the new one or the old."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
