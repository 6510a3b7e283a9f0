"""Errors that a RevOps analyst can act on: one sentence with the file, column, row, value and what to change."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


class InputError(ValueError):
    """The input or the parameters cannot be used as they are; exit code 2.

    Parameters
    ----------
    problem : str
        What is wrong, without a full stop ("has no column 'CloseDat'").
    file, column, row, value : optional
        Where it is wrong; whatever is known is named in the sentence.
    action : str, optional
        What to change, as an imperative sentence.

    Examples
    --------
    >>> str(InputError("is empty", file="deals.csv", action="Export it again"))
    'deals.csv: is empty. Export it again.'
    """

    exit_code = 2

    def __init__(
        self,
        problem: str,
        *,
        file: str | None = None,
        column: str | None = None,
        row: int | None = None,
        value: object = None,
        action: str | None = None,
    ) -> None:
        self.problem, self.file, self.column, self.row, self.value, self.action = (
            _readable(problem), file, column, row, value, action and _readable(action),
        )  # fmt: skip
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        where = [
            text
            for text, known in (
                (self.file, self.file),
                (f"column {(self.column or '')[:60]!r}", self.column),
                (f"row {self.row}", self.row is not None),
                (f"value {str(self.value)[:80]!r}", self.value is not None),
            )
            if known
        ]
        place = ", ".join(str(text) for text in where)
        sentence = _ended(f"{place}: {self.problem}" if place else self.problem)
        return f"{sentence} {_ended(self.action[:1].upper() + self.action[1:])}" if self.action else sentence

    def _render_traceback_(self) -> list[str]:
        """Let a Jupyter kernel show the sentence instead of a traceback."""
        return [f"{type(self).__name__}: {self}"]


def _readable(text: str) -> str:
    """Cut a word that no sentence has room for: it comes from a file."""
    return re.sub(r"\S{121,}", lambda word: f"{word[0][:119]}…", text)


def _ended(text: str) -> str:
    """End a sentence once: a question mark is an end, too."""
    return text if text.endswith("?") else f"{text.rstrip('.')}."


def shortened(text: str, length: int = 60) -> str:
    """Return a text from a file so that it fits into a sentence: one line, no control characters, not long.

    Examples
    --------
    >>> shortened("two\\nlines"), shortened("abcdef", 4)
    ('two lines', 'abc…')
    """
    plain = " ".join("".join(mark if mark.isprintable() else " " for mark in text[: 4 * length]).split())
    return plain if len(plain) <= length else plain[: length - 1] + "…"


def nearest(name: str, options: Iterable[str]) -> str:
    """Say which of `options` was probably meant, as a phrase for an error sentence.

    Examples
    --------
    >>> nearest("qarter", ["quarter", "company"])
    "did you mean 'quarter'?"
    """
    choices = sorted({shortened(str(option)) for option in options})
    close = difflib.get_close_matches(shortened(str(name)), choices, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return "it may be one of: " + ", ".join(choices[:20]) if choices else "there is nothing to choose from"
