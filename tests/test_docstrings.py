"""Nobody needs the README to call the library: what a notebook reaches has a docstring with an example that runs.

The examples themselves run with `--doctest-modules`.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import analytics
from analytics.studies.study import Study

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))


def attribute(module: str, name: str) -> Any:
    found = getattr(importlib.import_module(module), name, None)
    return importlib.import_module(f"{module}.{name}") if found is None else found


def reached_from(path: Path) -> dict[str, Any]:
    """Every callable that a notebook imports, or takes from a module that it imports."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    tree = ast.parse("\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"))
    names = {
        alias.asname or alias.name: attribute(node.module or "", alias.name)
        for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
    }  # fmt: skip
    found = {name: value for name, value in names.items() if callable(value)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = names.get(node.value.id)
            if inspect.ismodule(module):
                found[f"{module.__name__}.{node.attr}"] = getattr(module, node.attr)
    return found


REACHED: dict[str, Callable[..., Any]] = {
    f"{value.__module__}.{value.__qualname__}": value
    for path in NOTEBOOKS for value in reached_from(path).values() if callable(value)
}  # fmt: skip
REACHED |= {f"analytics.{name}": getattr(analytics, name) for name in analytics.__all__}


@pytest.mark.parametrize("name", sorted(REACHED))
def test_it_has_a_docstring_with_an_example(name: str) -> None:
    assert ">>> " in (inspect.getdoc(REACHED[name]) or ""), f"{name} has no example"


def test_what_is_reached_is_what_the_notebooks_call() -> None:
    assert {"analytics.studies.opening.open_study", "analytics.questions.quarter.change.against"} <= set(REACHED)
    assert any(name.endswith("plot_stacked_incidence") for name in REACHED)


def test_a_study_says_what_each_of_its_parts_is() -> None:
    public = {name: value for name, value in vars(Study).items() if not name.startswith("_")}
    assert [name for name, value in public.items() if not inspect.getdoc(value)] == []
    assert {"deals", "ledger_deals", "settled_on", "save"} <= set(public)
    assert ">>> " in (inspect.getdoc(Study) or "")


def test_completion_lists_what_is_meant_to_be_called() -> None:
    assert set(analytics.__all__) <= set(dir(analytics))
    for module in ("analytics.display.figures", *{name.rsplit(".", 2)[0] for name in REACHED if ".questions." in name}):
        public = importlib.import_module(module)
        assert set(getattr(public, "__all__", ())) <= set(dir(public)), module


@pytest.mark.parametrize(
    ("name", "parameter", "values"),
    [
        ("analytics.display.figures.periods.plot_two_periods", "outcome", ("won", "lost", "no_decision")),
        ("analytics.questions.pipeline_changes.waterfall.waterfall", "border", ("quarter", "whole")),
        ("analytics.questions.pipeline_changes.promises.closed_by_date", "split", ("pushes", "ahead")),
        ("analytics.questions.no_decision.after_events.pace_after", "event", ("pushes", "since_push", "silent_weeks")),
    ],
)
def test_a_choice_is_named_in_the_signature(name: str, parameter: str, values: tuple[str, ...]) -> None:
    module, function = name.rsplit(".", 1)
    hints = typing.get_type_hints(getattr(importlib.import_module(module), function))
    assert set(values) <= set(typing.get_args(hints[parameter])), hints[parameter]
