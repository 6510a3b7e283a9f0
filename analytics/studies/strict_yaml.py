"""YAML as a person means it: a repeated key is an error, a date stays text, only true and false are booleans."""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from analytics.records.errors import InputError, nearest


class _StrictLoader(yaml.SafeLoader):
    """The safe loader without YAML 1.1's surprises (`NO` is Norway, `2026-01-31` is text, `007` is an identifier)."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own registry


_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]
)
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789")
)
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:(?:0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)


def _mapping(loader: Any, node: Any) -> dict[Hashable, Any]:
    seen: dict[Hashable, int] = {}
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        if not isinstance(key, Hashable):
            raise yaml.constructor.ConstructorError(None, None, "a key must be one word", key_node.start_mark)
        if key in seen:
            raise _RepeatedKeyError(str(key), seen[key], line)
        seen[key] = line
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


class _RepeatedKeyError(Exception):
    def __init__(self, key: str, first: int, again: int) -> None:
        self.key, self.first, self.again = key, first, again


_StrictLoader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one params file as a mapping, strictly.

    Parameters
    ----------
    path : pathlib.Path
        A YAML file whose top level is a mapping.

    Returns
    -------
    dict
        Keys as text; dates stay the text that was written (`2026-01-31`), and so do `yes`, `no`, `on`, `off` and `007`.

    Raises
    ------
    InputError
        Where the file is missing (naming the nearest one beside it), empty, not UTF-8, not YAML, not a mapping, or
        says one key twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        beside = [other.name for other in sorted(path.parent.glob("*.yaml"))] if path.parent.is_dir() else []
        raise InputError("there is no such params file", file=str(path), action=nearest(path.name, beside)) from None
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text", file=path.name, action="Save it as UTF-8") from None
    try:
        content = yaml.load(text, Loader=_StrictLoader)
    except _RepeatedKeyError as twice:
        raise InputError(
            f"the key {twice.key!r} stands in line {twice.first} and again in line {twice.again}",
            file=path.name,
            action="Keep one of the two",
        ) from None
    except yaml.YAMLError as broken:
        mark = getattr(broken, "problem_mark", None)
        problem = str(getattr(broken, "problem", None) or "it cannot be read")
        raise InputError(
            f"is not valid YAML ({problem})",
            file=path.name,
            row=mark.line + 1 if mark is not None else None,
            action="Check the indentation and quotes there",
        ) from None
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        what = "is empty" if content is None else "is not a list of `key: value` lines"
        raise InputError(what, file=path.name, action="Copy the shape of params/demo.yaml")
    return content
