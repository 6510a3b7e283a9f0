"""Check a mapping against a pydantic model and say what is wrong in one sentence, naming the nearest known key."""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from analytics.records.errors import InputError, nearest

ModelT = TypeVar("ModelT", bound=BaseModel)

_WANTED = {
    "string_type": "must be text; put quotes round it",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "tuple_type": "must be a list, like [a, b]",
    "list_type": "must be a list, like [a, b]",
    "dict_type": "must be a block of `key: value` lines",
    "model_type": "must be a block of `key: value` lines",
    "model_attributes_type": "must be a block of `key: value` lines",
    "date_type": "must be a date like 2026-01-31",
    "date_parsing": "must be a date like 2026-01-31",
    "date_from_datetime_parsing": "must be a date like 2026-01-31",
    "date_from_datetime_inexact": "must be a date like 2026-01-31",
}


def checked(model: type[ModelT], content: Mapping[str, Any], *, file: str | None = None) -> ModelT:
    """Build `model` from `content`, strictly: no unknown key, no silent change of type.

    Parameters
    ----------
    model : type of pydantic.BaseModel
        A model with `extra="forbid"`.
    content : mapping
        What the params file (or the notebook's parameters cell) says.
    file : str, optional
        The file's name, for the sentence.

    Returns
    -------
    ModelT
        The checked parameters.

    Raises
    ------
    InputError
        For an unknown key (with the nearest known one), a missing key, a wrong type or an impossible value.

    Examples
    --------
    >>> from pydantic import BaseModel, ConfigDict
    >>> class Example(BaseModel):
    ...     model_config = ConfigDict(extra="forbid")
    ...     quarter: str
    >>> checked(Example, {"quarter": "2025Q4"}).quarter
    '2025Q4'
    >>> try:
    ...     checked(Example, {"qarter": "2025Q4"}, file="demo.yaml")
    ... except ValueError as problem:
    ...     "Did you mean 'quarter'?" in str(problem)
    True
    """
    text = json.dumps(content, default=str)
    try:
        result = model.model_validate_json(text)
    except ValidationError as failed:
        problems = failed.errors(include_url=False)
        first = next((problem for problem in problems if problem["type"] == "extra_forbidden"), problems[0])
        raise _sentence(model, dict(first), file) from None
    changed = _changed(json.loads(text), result.model_dump(mode="json"), ())
    if changed is not None:
        path, given, meant = changed
        day = isinstance(meant, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", meant)
        wanted = "a date like 2026-01-31" if day else _MEANT[type(meant)]
        raise InputError(f"the key {'.'.join(_counted(path))!r} must be {wanted}", file=file, value=given)
    return result


_MEANT = {
    str: "text; put quotes round it",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list, like [a, b]",
    dict: "a block of `key: value` lines",
    type(None): "left out",
}


def _changed(given: Any, meant: Any, path: tuple[str | int, ...]) -> tuple[tuple[str | int, ...], Any, Any] | None:
    """Find where the model understood something else than what was written: "3" as 3, 1 as true, 2017 as a moment.

    pydantic's own strict mode cannot be used, because it also refuses dates and tuples behind a validator.
    """
    if isinstance(given, dict) and isinstance(meant, dict):
        pairs = [(key, value, meant[key]) for key, value in given.items() if key in meant]
    elif isinstance(given, list) and isinstance(meant, list):
        pairs = [(place, *pair) for place, pair in enumerate(zip(given, meant, strict=False))]
    else:
        number = isinstance(given, int | float) and not isinstance(given, bool)
        same = type(given) is type(meant) or (type(given), type(meant)) == (int, float)
        # A number in a list of texts (`keep: {year: [2025]}`) is taken as it is written.
        return None if same or (number and str(given) == meant) else (path, given, meant)
    return next(filter(None, (_changed(one, other, (*path, step)) for step, one, other in pairs)), None)


def _sentence(model: type[BaseModel], problem: dict[str, Any], file: str | None) -> InputError:
    kind, context = str(problem["type"]), problem.get("ctx") or {}
    steps = _counted(_without_tags(model, problem["loc"]))
    key = ".".join(steps)
    found = problem.get("input")
    if kind == "extra_forbidden":
        known = [name for kind in _types_at(model, problem["loc"][:-1]) for name in getattr(kind, "model_fields", {})]
        return InputError(f"the key {key!r} is not known", file=file, action=_capital(nearest(steps[-1], known)))
    if kind == "missing":
        return InputError(f"the key {key!r} is missing", file=file, action="Add it")
    if kind == "union_tag_not_found":
        kinds = ", ".join(sorted(filter(None, map(_tag, _types_at(model, problem["loc"])))))
        return InputError(f"the key '{key}.kind' is missing", file=file, action=f"Use one of {kinds}")
    if kind == "union_tag_invalid":
        tags = [tag.strip(" '") for tag in str(context["expected_tags"]).split(",")]
        action = _capital(nearest(str(context["tag"]), tags))
        return InputError(f"the key '{key}.kind' is not known", file=file, value=context["tag"], action=action)
    if kind in ("value_error", "assertion_error"):
        reason = str(context.get("error", problem["msg"])).rstrip(".")
        return InputError(f"the key {key!r}: {reason}" if key else reason, file=file)
    shown = None if isinstance(found, dict | list) else found
    if kind == "literal_error":
        wanted = "must be " + str(context["expected"]).replace("'", "")
    else:
        wanted = _WANTED.get(kind, str(problem["msg"]).replace("Input should", "must"))
    return InputError(f"the key {key!r} {wanted}", file=file, value=shown)


def _counted(steps: Iterable[int | str]) -> list[str]:
    """Steps to a key as people count: the first of a list is 1."""
    return [str(step + 1 if isinstance(step, int) else step) for step in steps]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _members(annotation: Any) -> Iterator[Any]:
    """The types inside Optional, Union, Annotated and type aliases."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from _members(typing.get_args(annotation)[0])
    elif origin in (typing.Union, types.UnionType):
        for argument in typing.get_args(annotation):
            yield from _members(argument)
    else:
        yield annotation


def _tag(model: Any) -> str | None:
    """The value of `kind` that marks a member of a discriminated union."""
    field = getattr(model, "model_fields", {}).get("kind")
    values = typing.get_args(field.annotation) if field is not None else ()
    return str(values[0]) if len(values) == 1 else None


def _walk(model: type[BaseModel], location: tuple[int | str, ...]) -> Iterator[tuple[int | str, bool, list[Any]]]:
    """For each step of an error's location: the step, whether it is a union's tag, and the types it leads to."""
    here: list[Any] = [model]
    for step in location:
        tagged = [kind for kind in here if _tag(kind) == step and len(here) > 1]
        if tagged:
            here = tagged
            yield step, True, here
            continue
        there: list[Any] = []
        for kind in here:
            fields = getattr(kind, "model_fields", {})
            if step in fields:
                there += _members(fields[step].annotation)
            elif typing.get_origin(kind) in (dict, tuple, list):
                there += _members([argument for argument in typing.get_args(kind) if argument is not Ellipsis][-1])
        here = there
        yield step, False, here


def _without_tags(model: type[BaseModel], location: tuple[int | str, ...]) -> list[int | str]:
    return [step for step, is_tag, _ in _walk(model, location) if not is_tag]


def _types_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[Any]:
    here: list[Any] = [model]
    for _, _, there in _walk(model, location):
        here = there
    return here
