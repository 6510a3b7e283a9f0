"""Stable codes in the place of ids: the same id has the same code in every quarter, and nobody can guess it back."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from analytics.records.errors import InputError

KEY_VARIABLE = "WINLOSS_SHARE_KEY"
KEY_FOLDER = ".winloss-key"
_SHORTEST_KEY, _DIGITS = 16, 12


class Codes:
    """Codes of one company's ids, made with its key.

    Parameters
    ----------
    key : bytes
        Whoever has it can tell whether a guessed id belongs to a code; whoever does not, cannot.

    Notes
    -----
    HMAC-SHA256 of kind and id, its first 12 hexadecimal digits (among a million ids two share them about once in 600
    companies; all of those that do are then written with 24). A code says that two rows are the same deal, account
    or person, in every report made with the same key; it does not hide that they are, nor what stands beside it.

    Examples
    --------
    >>> codes = Codes(b"0123456789abcdef")
    >>> codes.of("deal", ["006A1", "006A2", "006A1"])
    {'006A1': 'deal-7c8ddc826817', '006A2': 'deal-5a2d94043389'}
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, kind: str, values: Iterable[str]) -> dict[str, str]:
        """Give the code of each different value, `<kind>-<digits>`; empty values have none."""
        found = {value: self._digest(kind, value) for value in dict.fromkeys(values)}
        short: dict[str, int] = {}
        for digest in found.values():
            short[digest[:_DIGITS]] = short.get(digest[:_DIGITS], 0) + 1
        length = {digits: _DIGITS if count == 1 else 2 * _DIGITS for digits, count in short.items()}
        return {value: f"{kind}-{digest[: length[digest[:_DIGITS]]]}" for value, digest in found.items()}

    def _digest(self, kind: str, value: str) -> str:
        return hmac.new(self._key, f"{kind}\0{value}".encode(), hashlib.sha256).hexdigest()


def share_key(params_folder: Path) -> bytes:
    """Return the key of the codes: `WINLOSS_SHARE_KEY`, else that of the file beside the params, made once.

    The file's folder ignores itself in git, and only its owner may read it. Losing the key changes every code;
    publishing it lets anybody check a guessed id.

    Raises
    ------
    InputError
        Where the variable holds less than 16 characters, or the file cannot be made or read.
    """
    given = os.environ.get(KEY_VARIABLE)
    if given is not None:
        if len(given) < _SHORTEST_KEY:
            raise InputError(
                f"the variable {KEY_VARIABLE} holds fewer than {_SHORTEST_KEY} characters, so ids could be guessed",
                action="Set it to a long random text, and keep it: another one changes every code",
            )
        return given.encode()
    path = params_folder / KEY_FOLDER / "key"
    try:
        if not path.is_file():
            _make(path)
        key = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        raise InputError(
            "the key of the codes that share: safe puts in the place of ids cannot be made or read here",
            file=f"{KEY_FOLDER}/key", action=f"Set {KEY_VARIABLE} to a long random text instead",
        ) from None  # fmt: skip
    if len(key) < _SHORTEST_KEY:
        raise InputError("is no key", file=f"{KEY_FOLDER}/key", action="Delete it: a new one is made, with new codes")
    return key.encode()


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    (path.parent / ".gitignore").write_text("*\n", encoding="ascii")
    part = path.with_name(f".key.{os.getpid()}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32) + "\n")
    # Linked, not renamed: where another run was first, its key stands.
    with contextlib.suppress(FileExistsError):
        os.link(part, path)
    part.unlink()
