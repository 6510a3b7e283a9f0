"""A process that executes notebooks one after another: a job per line in, progress and outcomes per line out.

A process of its own because papermill changes the working directory, and because a notebook that takes too long must
be stoppable without stopping the run.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from types import FrameType
from typing import Any, TextIO


def main() -> int:
    """Read jobs from standard input until it ends."""
    # Whatever a library prints must not be taken for an answer.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    signal.signal(signal.SIGTERM, _stop)
    try:
        # Where JupyterLab is installed, this package alone takes seconds to import, to check addresses in JSON schemas.
        sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
        # Imported while the run is still reading the records: this is the slow part of starting up.
        from analytics.studies.execute import execute
        from analytics.studies.exits import code_of
        from analytics.studies.job import Job
        from analytics.studies.kernel import private_folders
        from analytics.studies.redaction import hidden

        logging.getLogger("papermill").setLevel(logging.ERROR)
        with private_folders() as folders:
            os.environ.update(folders)
            for line in _orders():
                order = json.loads(line)
                os.environ.update(order.pop("environment"))
                job = Job(**order)
                try:
                    outcome = dataclasses.asdict(execute(job, lambda: _say(answers, {"cell": 1})))
                except Exception as error:
                    reason = hidden(f"{type(error).__name__}: {error}", job.secrets)
                    where = hidden(traceback.format_exc(), job.secrets)
                    outcome = {"name": job.name, "exit_code": code_of(error), "message": reason, "traceback": where}
                _say(answers, {"outcome": outcome})
    except KeyboardInterrupt:
        return 130
    return 0


def _orders() -> Iterator[str]:
    """Give the lines of standard input; where it ends, the run is gone, and the notebook at work has no reader left."""
    lines: queue.Queue[str] = queue.Queue()

    def listen() -> None:
        for line in sys.stdin:
            lines.put(line)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        yield lines.get()


def _say(answers: TextIO, content: dict[str, Any]) -> None:
    answers.write(json.dumps(content) + "\n")


def _stop(number: int, frame: FrameType | None) -> None:
    # Once is enough: a second signal must not end the putting away of the kernel.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
