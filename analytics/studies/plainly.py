"""What goes wrong, in one sentence and an exit code, for every command."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import click

from analytics.records.errors import InputError
from analytics.studies.exits import INPUT, STOPPED, LockedError, UnwritableError, code_of
from analytics.studies.redaction import hidden, known_secrets, printable


@contextmanager
def plainly(debug: bool) -> Iterator[None]:
    """Turn what goes wrong into one sentence and an exit code; with `debug`, the traceback as well."""
    try:
        yield
    except (InputError, LockedError, UnwritableError) as problem:
        _fail(str(problem), problem.exit_code, debug)
    except KeyboardInterrupt:
        _fail("Stopped. The last good report is as it was.", STOPPED, debug)
    except OSError as problem:
        # A missing right or a full disk is the user's to mend; it needs the file's name, not our call stack.
        _fail(f"{problem.filename or 'the system'}: {problem.strerror or problem}", code_of(problem), debug)
    except Exception as problem:
        sentence = f"It failed with {type(problem).__name__}: {problem}\nAgain with --debug shows where."
        _fail(sentence, code_of(problem), debug)


def _fail(sentence: str, code: int, debug: bool) -> None:
    if debug:
        click.echo(for_terminal(traceback.format_exc()), err=True)
    click.echo(for_terminal(("Input: " if code == INPUT else "") + sentence), err=True)
    sys.exit(code)


def for_terminal(text: str) -> str:
    """A text for the terminal: no password, and nothing that commands it."""
    return printable(hidden(text, known_secrets({})))
