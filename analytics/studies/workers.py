"""Two notebooks at a time, each in a process that can be stopped, with a deadline for each."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

from analytics.studies.exits import FAILED, TIMEOUT
from analytics.studies.job import Job, Outcome
from analytics.studies.redaction import hidden

_GRACE_SECONDS = 10.0
"""How long a worker may take to put its kernel away before it is killed."""


@dataclass
class _Worker:
    process: subprocess.Popen[str]
    noise: IO[str]
    answers: queue.Queue[tuple[_Worker, dict[str, Any] | None]]
    job: Job | None = None
    since: float = 0.0
    listener: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()

    def give(self, job: Job, environment: Mapping[str, str]) -> None:
        self.job, self.since = job, time.monotonic()
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({**dataclasses.asdict(job), "environment": dict(environment)}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return  # It has died; the end of its answers says so.

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.answers.put((self, json.loads(line)))
        self.answers.put((self, None))

    def finished(self, outcome: Outcome) -> Outcome:
        # What a dying process wrote last is nobody's careful sentence.
        secrets, self.job = (self.job.secrets if self.job else ()), None
        message, where = hidden(outcome.message, secrets), hidden(outcome.traceback, secrets)
        seconds = round(time.monotonic() - self.since, 1)
        return dataclasses.replace(outcome, message=message, traceback=where, seconds=seconds)

    def stop(self) -> str:
        """End the process, its kernel and its reader; returns what it wrote to standard error."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.listener.join()
        self.noise.seek(0)
        words = self.noise.read()[-4000:]
        for stream in (self.process.stdin, self.process.stdout, self.noise):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        return words


@dataclass
class Workers:
    """Processes that execute notebooks; they start importing what they need as soon as they exist."""

    count: int
    held: tuple[int, ...] = ()
    """File descriptors that every process holds as long as it lives: the lock of the bundle."""
    _pool: list[_Worker] = field(default_factory=list)
    _answers: queue.Queue[tuple[_Worker, dict[str, Any] | None]] = field(default_factory=queue.Queue)

    def execute(
        self,
        jobs: Sequence[tuple[Job, Mapping[str, str]]],
        *,
        seconds: int,
        cell_done: Callable[[str], None],
        job_done: Callable[[Outcome], None],
    ) -> list[Outcome]:
        """Execute all jobs, each with its own environment variables; a notebook that fails does not stop the others.

        Parameters
        ----------
        jobs : sequence of (Job, environment)
            In the order in which they are started.
        seconds : int
            How long one notebook may take.
        cell_done, job_done : callable
            Called with the notebook's name after each cell, and with its outcome at its end.

        Returns
        -------
        list of Outcome
            In the order of `jobs`.
        """
        waiting = deque(jobs)
        outcomes: dict[str, Outcome] = {}
        while len(outcomes) < len(jobs):
            self._hand_out(waiting)
            for outcome in self._heard(seconds, cell_done):
                outcomes[outcome.name] = outcome
                job_done(outcome)
        return [outcomes[job.name] for job, _ in jobs]

    def start(self) -> None:
        """Start as many processes as are missing."""
        while len(self._pool) < self.count:
            noise = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - lives with the worker
            process = subprocess.Popen(
                [sys.executable, "-m", "analytics.studies.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=noise, text=True, encoding="utf-8", start_new_session=True, pass_fds=self.held,
            )  # fmt: skip
            self._pool.append(_Worker(process, noise, self._answers))

    def stop(self) -> None:
        """End every process and its kernel."""
        for worker in self._pool:
            if worker.process.poll() is None:
                worker.process.terminate()
        for worker in self._pool:
            worker.stop()
        self._pool = []

    def _hand_out(self, waiting: deque[tuple[Job, Mapping[str, str]]]) -> None:
        if waiting:
            self.start()
        for worker in self._pool:
            if worker.job is None and waiting:
                worker.give(*waiting.popleft())

    def _heard(self, seconds: int, cell_done: Callable[[str], None]) -> Iterator[Outcome]:
        try:
            worker, answer = self._answers.get(timeout=0.2)
        except queue.Empty:
            worker, answer = None, None
        if worker is not None and worker in self._pool:
            if answer is None:
                self._pool.remove(worker)
                words = worker.stop()
                if worker.job is not None:
                    yield worker.finished(Outcome(worker.job.name, FAILED, "its process ended without a word", words))
            elif "outcome" in answer:
                yield worker.finished(Outcome(**answer["outcome"]))
            elif worker.job is not None:
                cell_done(worker.job.name)
        for late in [one for one in self._pool if one.job is not None and time.monotonic() - one.since > seconds]:
            self._pool.remove(late)
            words = late.stop()
            assert late.job is not None
            yield late.finished(Outcome(late.job.name, TIMEOUT, f"took more than {seconds} seconds", words))


@contextmanager
def workers(count: int, held: tuple[int, ...] = ()) -> Iterator[Workers]:
    """Processes for the length of a block; they and their kernels are gone when it ends, however it ends."""
    pool = Workers(count, held)
    try:
        pool.start()
        yield pool
    finally:
        pool.stop()
