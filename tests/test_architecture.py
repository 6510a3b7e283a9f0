"""The house holds: imports point down, fences stand, budgets are kept. The tables below are the design."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "analytics"

FLOORS = {"records": 1, "estimators": 2, "questions": 3, "display": 4, "studies": 5}
"""Imports point to lower floors only."""

DISPLAY_MAY_SEE = {"analytics.estimators.result"}

FENCES: dict[str, tuple[str, ...]] = {
    "ibis": ("records/", "estimators/counts.py"),
    "duckdb": ("records/", "estimators/counts.py"),
    "statsmodels": ("estimators/",),
    "lifelines": ("estimators/",),
    "plotly": ("display/",),
    "great_tables": ("display/",),
    "papermill": ("studies/",),
    "nbconvert": ("studies/",),
}
"""Which library may be imported where."""

LAZY = {"ibis", "duckdb", "statsmodels", "lifelines", "scipy"}
"""Heavy imports stay inside functions, so that a notebook with a warm cache never pays for them."""

FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "misc"}
FILE_LINES, FUNCTION_LINES, PARAMETERS = 320, 45, 6

CLOCKS = {("datetime", "now"), ("datetime", "today"), ("datetime", "utcnow"), ("date", "today"), ("time", "time")}
CLOCK_ALLOWED = {"studies/run.py", "studies/cli.py"}
"""A run's folder is named for the moment of its start; the command tells which quarter is the latest today."""


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def imports(tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            yield node, node.module or ""
            if (node.module or "").startswith("analytics"):
                for alias in node.names:
                    yield node, f"{node.module}.{alias.name}"


def typing_only(tree: ast.AST) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def floor_of(path: Path) -> int:
    return FLOORS.get(path.relative_to(PACKAGE).parts[0], 99)


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_point_down(path: Path) -> None:
    tree = ast.parse(path.read_text())
    here = path.relative_to(PACKAGE).parts[0]
    for node, module in imports(tree):
        if not module.startswith("analytics."):
            continue
        there = module.split(".")[1]
        if there not in FLOORS or floor_of(path) == 99:
            continue
        if here == there:
            continue
        assert FLOORS[there] < floor_of(path), f"line {node.lineno}: {here} imports {module}, which is not below it"
        if here == "display":
            allowed = any(module == m or module.startswith(m + ".") for m in DISPLAY_MAY_SEE)
            assert allowed, f"line {node.lineno}: display sees only {DISPLAY_MAY_SEE}, not {module}"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_questions_do_not_import_each_other(path: Path) -> None:
    parts = path.relative_to(PACKAGE).parts
    if parts[0] != "questions" or len(parts) < 2:
        return
    mine = parts[1].removesuffix(".py")
    for node, module in imports(ast.parse(path.read_text())):
        if module.startswith("analytics.questions."):
            assert module.split(".")[2] == mine, f"line {node.lineno}: sideways import of {module}"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_fences_and_lazy_imports(path: Path) -> None:
    tree = ast.parse(path.read_text())
    typing_lines = typing_only(tree)
    top_level = {id(node) for node in tree.body}
    for node, module in imports(tree):
        root = module.split(".")[0]
        if root in FENCES:
            allowed = any(name_of(path).startswith(place) for place in FENCES[root])
            assert allowed, f"line {node.lineno}: {root} may only be imported in {FENCES[root]}"
        if root in LAZY and id(node) in top_level and node.lineno not in typing_lines:
            raise AssertionError(f"line {node.lineno}: import {root} inside the function that needs it")


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_no_clock_no_global_seed(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner = node.func.value
        owner_name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
        if (owner_name, node.func.attr) in CLOCKS:
            assert name_of(path) in CLOCK_ALLOWED, f"line {node.lineno}: the library has no wall clock"
        assert not (owner_name == "random" and node.func.attr in {"seed", "rand", "randn", "normal", "choice"}), (
            f"line {node.lineno}: a global random state"
        )


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_budgets(path: Path) -> None:
    text = path.read_text()
    assert path.stem not in FORBIDDEN_NAMES
    assert text.count("\n") <= FILE_LINES, f"{text.count(chr(10))} lines"
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        doc = ast.get_docstring(node, clean=False)
        body = (node.end_lineno or 0) - node.body[0].lineno + 1 - (doc.count("\n") + 1 if doc else 0)
        assert body <= FUNCTION_LINES, f"{node.name}: {body} lines"
        required = [
            a for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs) if a.arg not in ("self", "cls")
        ]
        init = node.name == "__init__"
        assert init or len(required) <= PARAMETERS + 2, f"{node.name}: {len(required)} parameters"


def notebooks() -> list[Path]:
    return sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", notebooks(), ids=lambda p: p.name)
def test_notebooks_define_nothing(path: Path) -> None:
    for cell in json.loads(path.read_text())["cells"]:
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]))
        for node in ast.walk(tree):
            assert not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda), "a notebook is a list of calls"


def test_top_level_holds_only_what_the_house_names() -> None:
    allowed = {
        "pyproject.toml", "notebooks", "analytics", "data", "tests", "params", "README.md", "Makefile", "LICENSE",
        "constraints.txt",
    }  # fmt: skip
    generated = {"reports", "build", "dist", "winloss.egg-info"}
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert found - generated == allowed
