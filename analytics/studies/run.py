"""One run: check, fill the snapshot cache, execute the notebooks, and only then turn the bundle to the new run."""

from __future__ import annotations

import contextlib
import datetime as dt
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from analytics.records.errors import InputError
from analytics.studies import bundle as bundles
from analytics.studies.exits import DONE, INPUT, STOPPED, code_of
from analytics.studies.front import write_front
from analytics.studies.index import facts, leading
from analytics.studies.inputs import INPUT_VARIABLE
from analytics.studies.job import Job, Outcome
from analytics.studies.lock import locked
from analytics.studies.notebook_cell import check_parameters, find_notebooks
from analytics.studies.opening import open_params
from analytics.studies.params import QuarterParams, company_of, load_quarter
from analytics.studies.places import (
    CACHE_VARIABLE,
    NOTEBOOKS,
    OUT_VARIABLE,
    PARAMS_VARIABLE,
    RESULTS,
    cache_folder,
    notebooks_folder,
)
from analytics.studies.progress import Progress
from analytics.studies.provenance import notebook_facts, study_facts
from analytics.studies.record import Run, say_last_word
from analytics.studies.redaction import hidden, known_secrets
from analytics.studies.resume import fingerprint, finished_before
from analytics.studies.store import as_csv, write_json, write_text
from analytics.studies.study import Study
from analytics.studies.team_pages import TEAM_VARIABLE, WHOLE_EXPORT, bundle_of, of_team
from analytics.studies.workers import Workers, workers

SIDE_BY_SIDE = 2
"""Notebooks at a time: two fill two cores, more gain little."""

_BEHIND_DAYS = 14
"""Records that end so long before the as-of date are most likely an old export, which nobody would see at night."""

_STOPPING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


@dataclass(frozen=True)
class Options:
    """How a run is wanted: where reports go, which notebooks, which notebook folder, seconds per notebook, whether
    notebooks that an earlier run finished run again, and whose deals: with a `team` the report is that team's."""

    reports: Path | None = None
    only: tuple[str, ...] = ()
    notebooks: Path | None = None
    seconds: int = 1800
    fresh: bool = False
    team: str | None = None


@dataclass(frozen=True)
class Result:
    """How a run ended: its exit code, what to open, and each notebook's outcome."""

    exit_code: int
    folder: Path
    page: Path | None
    outcomes: tuple[Outcome, ...]


def run_study(params: Path | str | QuarterParams, options: Options = Options()) -> Result:
    """Run the notebooks of one quarter and leave a bundle behind.

    Parameters
    ----------
    params : path or QuarterParams
        `params/<company>-<quarter>.yaml`, or what `analytics.studies.schedule.quarter_asked` made of a company's file.
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
    quarter = params if isinstance(params, QuarterParams) else load_quarter(params)
    company = company_of(quarter) if options.team is None else of_team(company_of(quarter), options.team)
    notebooks = find_notebooks(options.notebooks or notebooks_folder(company.folder), only=options.only)
    if options.team is not None:
        notebooks = tuple(notebook for notebook in notebooks if notebook.name not in WHOLE_EXPORT)
    check_parameters(notebooks, quarter.as_parameters(), file=quarter.path.name if quarter.path else "")
    name = company.calendar.quarter(quarter.quarter).name
    bundle = bundle_of(company, name, options.reports)
    with _stoppable() as go_on, locked(bundle) as lock:
        killed = [say_last_word(folder) for folder in bundles.left_behind(bundle)]
        folder = _begun(bundle)
        run = Run(quarter, company, notebooks, folder, known_secrets(company.raw), only=bool(options.only))
        try:
            run.begin()
            # The workers import papermill while this process reads the records.
            with Progress(notebooks) as progress, workers(min(SIDE_BY_SIDE, len(notebooks)), held=(lock,)) as pool:
                for sentence in killed:
                    progress.say(sentence)
                progress.say(f"{company.title}, {name}: reading the records")
                study = _prepared(run, progress)
                go_on()
                outcomes = _executed(run, study, options, pool, progress)
            go_on()
            return _ended(run, study, outcomes, bundle)
        except InputError as problem:
            run.fail(INPUT, str(problem))
            raise
        except KeyboardInterrupt:
            run.fail(STOPPED, "stopped before it was done")
            raise
        except Exception as error:
            run.fail(code_of(error), f"{type(error).__name__}: {error}")
            raise


def _prepared(run: Run, progress: Progress) -> Study:
    """Open the study and fill the snapshot cache, so that no notebook needs the engine."""
    study = open_params(run.company, run.quarter)
    study.fill_cache()
    if not run.safe and run.company.team is None:
        write_text(run.folder / "rejects.csv", hidden(as_csv(study.rejects), run.secrets))
    if len(study.rejects):
        where = "a report for sharing leaves them out" if run.safe else "rejects.csv beside the report says why"
        progress.say(f"{len(study.rejects):,} rows rejected; {where}")
    behind = (study.as_of - study.known_to).days if study.known_to else 0
    if behind > _BEHIND_DAYS and getattr(run.company.source, "extracted_on", None) is None:
        progress.say(
            f"The last record is of {study.known_to}, {behind:,} days before the as-of date {study.as_of}: is the "
            "export an old one?"
        )
    return study


def _executed(run: Run, study: Study, options: Options, pool: Workers, progress: Progress) -> list[Outcome]:
    """Execute the notebooks that no earlier run has finished, and take the others from there."""
    run.fingerprints = {notebook.name: fingerprint(study, run.quarter, notebook) for notebook in run.notebooks}
    finished = {} if options.fresh else finished_before(run.folder.parent, run.fingerprints)
    shared = {
        PARAMS_VARIABLE: str(run.company.folder),
        CACHE_VARIABLE: str(cache_folder(run.company.folder)),
        INPUT_VARIABLE: study.input_hash,
        **({} if options.team is None else {TEAM_VARIABLE: options.team}),
    }
    said: dict[str, Any] = {"facts": facts(study), "secrets": run.secrets, "safe": run.safe}
    said["crm_url_template"] = run.company.crm_url_template
    jobs: list[tuple[Job, Mapping[str, str]]] = []
    for notebook in run.notebooks:
        job = Job(
            notebook.name, str(notebook.path.absolute()), str(run.folder), run.quarter.as_parameters(),
            options.seconds, title=f"{notebook.title}: {study.title}, {study.quarter.name}",
            finished_in=str(finished.get(notebook.name, "")), **said,
        )  # fmt: skip
        jobs.append((job, {**shared, OUT_VARIABLE: str(run.folder / RESULTS / notebook.name)}))

    def job_done(outcome: Outcome) -> None:
        progress.notebook_done(outcome)
        run.notebook_done(outcome)

    count = len(jobs) - len(finished)
    progress.say(f"{len(study.deals):,} deals studied; executing {count} notebook{'' if count == 1 else 's'}")
    progress.start(run.folder.parent, leaving_out=finished)
    return pool.execute(jobs, seconds=options.seconds, cell_done=progress.cell_done, job_done=job_done)


def _ended(run: Run, study: Study, outcomes: list[Outcome], bundle: Path) -> Result:
    """Complete the run's folder, name it for how it went, and if all went well lead the bundle to it."""
    shared = study_facts(study, run.quarter, run.secrets)
    run.facts = shared
    done = {outcome.name for outcome in outcomes if outcome.exit_code == DONE}
    for notebook in run.notebooks:
        if notebook.name in done:
            write_json(
                run.folder / NOTEBOOKS / f"{notebook.name}.provenance.json",
                notebook_facts(shared, notebook, run.folder),
            )
    failed = [outcome for outcome in outcomes if outcome.exit_code != DONE]
    # Where a notebook failed, that is what is said, whether or not the page about it can still be written.
    with contextlib.suppress(*([OSError] if failed else [])):
        write_front(study, run.folder, run.notebooks, outcomes, run.secrets)
    if failed:
        run.end(failed[0].exit_code, failed[0].message)
        return Result(failed[0].exit_code, run.folder, None, tuple(outcomes))
    with _undisturbed():
        run.end(DONE)
        if run.only:
            return Result(DONE, run.folder, run.folder / f"{run.notebooks[0].name}.html", tuple(outcomes))
        bundles.publish(bundle, run.id, hidden(leading(study, run.id), run.secrets), same_as=_repeated(outcomes))
        return Result(DONE, run.folder, bundle / "index.html", tuple(outcomes))


def _repeated(outcomes: list[Outcome]) -> str | None:
    """Name the run from which every notebook was taken: this one repeats it, and it need not be kept twice."""
    sources = {outcome.taken_from for outcome in outcomes}
    return sources.pop() or None if len(sources) == 1 else None


def _begun(bundle: Path) -> Path:
    """A folder for this run; a clock is read here and nowhere else."""
    return bundles.begin(bundle, dt.datetime.now(dt.UTC))


@contextlib.contextmanager
def _stoppable() -> Iterator[Callable[[], None]]:
    """Let a TERM or HUP signal stop the run the way Ctrl-C does, once: a second must not end the putting away.

    It gives a function that stops the run where a signal came before: Python drops what is raised while it tidies up
    behind an import, and the run would go on.
    """
    asked = False

    def go_on() -> None:
        if asked:
            raise KeyboardInterrupt

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        for other in _STOPPING:
            signal.signal(other, signal.SIG_IGN)
        raise KeyboardInterrupt

    with _handled(stop):
        yield go_on


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let no signal come between the last steps: they take a moment, and a report is either the new one or the old."""
    with _handled(signal.SIG_IGN):
        yield


@contextlib.contextmanager
def _handled(handler: Any) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in _STOPPING}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
