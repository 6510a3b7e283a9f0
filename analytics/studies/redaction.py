"""Passwords in database addresses never reach a file that a run writes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote

_PASSWORD = re.compile(r"://[^:/@\s]*:([^\s]+)@|(?i:(?:password|passwd|pwd)=)([^&;\s]+)")
_SHORTEST = 4
"""A shorter password is hidden inside an address only: replacing every "abc" would garble the text."""


def secrets_in(texts: Iterable[str]) -> tuple[str, ...]:
    """Find the passwords that stand in database addresses, as written and decoded, longest first.

    Examples
    --------
    >>> secrets_in(["postgres://ana:p%40ss1@db/crm"])
    ('p%40ss1', 'p@ss1')
    """
    found = {part for text in texts for match in _PASSWORD.findall(text) for part in match if part}
    both = found | {unquote(part) for part in found}
    both |= {json.dumps(part, ensure_ascii=False)[1:-1] for part in both}  # as it stands in a notebook's JSON
    return tuple(
        sorted((part for part in both if len(part) >= _SHORTEST and part != "***"), key=lambda part: (-len(part), part))
    )


def known_secrets(params: Any) -> tuple[str, ...]:
    """Collect the passwords of this study: those in its params file, and those in `WINLOSS_…` variables."""
    variables = [value for name, value in os.environ.items() if name.startswith("WINLOSS_")]
    return secrets_in([*_texts(params), *variables])


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
