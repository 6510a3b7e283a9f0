"""Passwords in database addresses never reach a file that a run writes."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, unquote

from analytics.records.errors import InputError

_PASSWORD = re.compile(r"://[^:/@\s]*:([^\s]+)@|(?i:(?:password|passwd|pwd)=)([^&;\s]+)")
_VARIABLE = re.compile(r"\$\{(WINLOSS_[^}]*)\}")
_SECRET_NAME = re.compile(r"WINLOSS_\w*(PASS|PWD|SECRET|TOKEN|KEY)\w*|PGPASSWORD")
_SHORTEST = 4
"""A shorter password is hidden inside an address only: replacing every "abc" would garble the text."""


def secrets_in(texts: Iterable[str]) -> tuple[str, ...]:
    """Find the passwords that stand in database addresses, in every form that they may take, longest first.

    Examples
    --------
    >>> secrets_in(["postgres://ana:p%40ss1@db/crm"])
    ('cCU0MHNzMQ==', 'cEBzczE=', 'p%40ss1', 'p@ss1')
    """
    return _forms(part for text in texts for match in _PASSWORD.findall(text) for part in match if part)


def _forms(passwords: Iterable[str]) -> tuple[str, ...]:
    """Give passwords as written, decoded, encoded for an address, in base64, and as they stand in a notebook's JSON."""
    found = {part for part in passwords if not _VARIABLE.fullmatch(part)}
    found |= {unquote(part) for part in found}
    known = {part for part in found if len(part) >= _SHORTEST and part != "***"}
    forms = known | {quote(part, safe="") for part in known if unquote(part) == part}
    forms |= {base64.b64encode(part.encode()).decode() for part in known}
    forms |= {json.dumps(part, ensure_ascii=False)[1:-1] for part in known}
    return tuple(sorted(forms, key=lambda part: (-len(part), part)))


def known_secrets(params: Any) -> tuple[str, ...]:
    """Collect the passwords of this study: those in its params file, and those in `WINLOSS_…` variables.

    A variable counts whole where the params put it in the place of a password, or where its name says that it is one
    (PASSWORD, PWD, SECRET, TOKEN, KEY; and PGPASSWORD, which the driver reads itself); else only the password in it.
    """
    written = list(_texts(params))
    filled = [_VARIABLE.sub(lambda match: os.environ.get(match[1], ""), text) for text in written]
    variables = [value for name, value in os.environ.items() if name.startswith("WINLOSS_")]
    whole = [value for name, value in os.environ.items() if _SECRET_NAME.fullmatch(name) and "://" not in value]
    placed = [match for text in written for pair in _PASSWORD.findall(text) for match in pair]
    whole += [os.environ.get(name, "") for text in placed for name in _VARIABLE.findall(text)]
    found = {*secrets_in([*written, *filled, *variables]), *_forms(whole)}
    return tuple(sorted(found, key=lambda part: (-len(part), part)))


def refuse_passwords(params: Any, *, file: str | None = None) -> None:
    """Stop where a password is written into a params file: such files are mailed, shared and kept in git.

    Raises
    ------
    InputError
        Naming the key; the password is not repeated.

    Examples
    --------
    >>> refuse_passwords({"source": {"url": "postgres://ana:${WINLOSS_PASSWORD}@db/crm"}})
    >>> try:
    ...     refuse_passwords({"source": {"url": "postgres://ana:s3cret@db/crm"}})
    ... except InputError as problem:
    ...     print(problem)  # doctest: +ELLIPSIS
    the key 'source.url' holds a password. Put the address, or the password in it, into a variable whose name begins...
    """
    for key, text in _keyed_texts(params, ()):
        for match in _PASSWORD.findall(text):
            if any(part and part != "***" and not re.fullmatch(r"(\$\{[^}]*\})+", part) for part in match):
                raise InputError(
                    f"the key {'.'.join(key)!r} holds a password", file=file,
                    action="Put the address, or the password in it, into a variable whose name begins with WINLOSS_ "
                    "and write ${WINLOSS_…} here; or leave the password out and let the driver read its own file",
                )  # fmt: skip


def _keyed_texts(content: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _keyed_texts(value, (*path, str(key)))
    elif isinstance(content, list | tuple):
        for place, item in enumerate(content, start=1):
            yield from _keyed_texts(item, (*path, str(place)))
    elif isinstance(content, str):
        yield path, content


def hidden(text: str, secrets: Iterable[str]) -> str:
    """Return a text with every secret, and every password inside an address, replaced by `***`.

    Examples
    --------
    >>> hidden("cannot open postgres://ana:s3cret@db/crm with s3cret", ["s3cret"])
    'cannot open postgres://ana:***@db/crm with ***'
    """
    for secret in secrets:
        text = text.replace(secret, "***")
    return re.sub(r"(://[^:/@\s\"'\\]*):[^@\s\"'\\]+@", r"\1:***@", text)


def hidden_in(content: Any, secrets: Iterable[str]) -> Any:
    """Return JSON-like content with `hidden` applied to every text in it."""
    known = tuple(secrets)
    if isinstance(content, dict):
        return {hidden_in(key, known): hidden_in(value, known) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [hidden_in(item, known) for item in content]
    return hidden(content, known) if isinstance(content, str) else content


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _texts(key)
            yield from _texts(value)
    elif isinstance(content, list | tuple):
        for item in content:
            yield from _texts(item)
    elif isinstance(content, str):
        yield content


def printable(text: str) -> str:
    r"""Return a text without characters that command a terminal; line ends and tabs stay.

    Examples
    --------
    >>> printable("value '\x1b[2Jgone\u202e'\n")
    "value '[2Jgone'\n"
    """
    return "".join(c for c in text if c in "\n\t" or (c.isprintable() and c not in _TURNING) or c == "\u00a0")


_TURNING = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Characters that turn the direction of a text: `isprintable` is false for them today; that is not promised."""
