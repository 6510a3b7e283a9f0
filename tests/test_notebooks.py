"""The committed notebooks are executed, thin and comparable; nbval turns red when one number changes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
START, TEMPLATE = ROOT / "notebooks" / "00_start.ipynb", ROOT / "notebooks" / "_template.ipynb"
PLOTLY = "application/vnd.plotly.v1+json"
LINES_IN_A_CELL = 15
CHANGES_FROM_RUN_TO_RUN = (
    "<script",
    r"cdn\.",
    r"0x[0-9a-f]{8,}",
    r"/(?:home|tmp|Users|usr)/",
    r"\b\d{2}:\d{2}:\d{2}\b",
    "sha256",
)


def load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_the_notebooks_of_the_house_exist() -> None:
    assert {"00_start", "00_data_health", "01_quarter", "_template"} <= {path.stem for path in NOTEBOOKS}


def test_the_start_notebook_leads_to_every_other() -> None:
    words = "".join("".join(cell["source"]) for cell in load(START)["cells"] if cell["cell_type"] == "markdown")
    linked = re.findall(r"\]\(([^)]+\.ipynb)\)", words)
    assert sorted(linked) == sorted(path.name for path in NOTEBOOKS if path != START)


def test_make_lab_opens_the_start_notebook() -> None:
    opened = re.search(r"jupyter lab .*default_url=/lab/tree/(\S+)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert opened
    assert ROOT / opened[1] == START


def test_an_exploration_is_under_20_lines_and_saves_nothing() -> None:
    lines, title = {"": 0}, ""
    for cell in load(START)["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            title = source[source.rfind("### ") :] if "### " in source else ""
            lines[title] = 0
            continue
        lines[title] += source.count("\n") + 1
        assert ".save(" not in source
    explorations = {title: count for title, count in lines.items() if title}
    assert len(explorations) == 3
    assert all(1 < count < 20 for count in explorations.values()), explorations


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_one_parameters_cell_and_it_comes_first(path: Path) -> None:
    tagged = [cell for cell in code_cells(load(path)) if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1
    assert code_cells(load(path))[0] is not None
    assert code_cells(load(path))[0]["source"] == tagged[0]["source"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_every_cell_was_run_in_order_and_cleanly(path: Path) -> None:
    notebook = load(path)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert "papermill" not in notebook["metadata"]
    assert [cell["execution_count"] for cell in code_cells(notebook)] == list(range(1, len(code_cells(notebook)) + 1))
    for cell in code_cells(notebook):
        assert "injected-parameters" not in cell["metadata"].get("tags", [])
        assert not {"nbval-skip", "nbval-ignore-output"} & set(cell["metadata"].get("tags", []))
        assert "NBVAL_" not in "".join(cell["source"])
        for output in cell["outputs"]:
            assert output["output_type"] != "error"
            assert output.get("name") != "stderr"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_cells_are_short_and_outputs_compare_exactly(path: Path) -> None:
    notebook = load(path)
    for cell in code_cells(notebook):
        source = "".join(cell["source"])
        assert source.count("\n") < LINES_IN_A_CELL, source[:60]
        assert not source.rstrip().endswith(";")
    shown = json.dumps([cell["outputs"] for cell in code_cells(notebook)])
    for pattern in CHANGES_FROM_RUN_TO_RUN:
        assert not re.search(pattern, shown), f"the outputs hold something that changes from run to run: {pattern}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_there_is_something_to_compare(path: Path) -> None:
    outputs = [output for cell in code_cells(load(path)) for output in cell["outputs"]]
    least = 1 if path == TEMPLATE else 3
    assert sum(PLOTLY in output.get("data", {}) for output in outputs) >= least
    assert sum("text/html" in output.get("data", {}) for output in outputs) >= least


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_no_figure_repeats_the_heading_above_it(path: Path) -> None:
    headings, titles = set(), []
    for cell in load(path)["cells"]:
        if cell["cell_type"] == "markdown":
            headings |= set(re.findall(r"^#+ (.*?)\??$", "".join(cell["source"]), re.MULTILINE))
        figures = [output["data"][PLOTLY] for output in cell.get("outputs", ()) if PLOTLY in output.get("data", {})]
        titles += [figure["layout"]["meta"]["title"].rstrip("?") for figure in figures]
    assert headings
    assert titles
    assert not headings & set(titles)


def change_one_number(notebook: dict[str, Any], mime: str) -> int:
    """Change one number in the first output of this kind, as a wrong estimator would; say in which code cell."""
    for place, cell in enumerate(code_cells(notebook)):
        for output in cell["outputs"]:
            data = output.get("data", {})
            if mime == PLOTLY and PLOTLY in data:
                text = json.dumps(data[PLOTLY]["data"])
                number = re.search(r"0\.\d{4,}", text)
                if number:
                    data[PLOTLY]["data"] = json.loads(text.replace(number.group(), "0.123456", 1))
                    return place
            if mime == "text/html" and PLOTLY not in data and "text/html" in data:
                text = "".join(data["text/html"])
                number = re.search(r">([^<>]*\d[^<>]*)</td>", text)
                if number:
                    data["text/html"] = text.replace(number.group(), ">987654</td>", 1)
                    return place
    raise AssertionError(f"no number found in any {mime} output")


def nbval(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--nbval"]
    command += ["--nbval-current-env", "--nbval-cell-timeout", "120", "-c", str(ROOT / "pyproject.toml")]
    command += ["--rootdir", str(path.parent), str(path)]
    environment = {**os.environ, "WINLOSS_PARAMS": str(ROOT / "params"), "PYTEST_ADDOPTS": ""}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=path.parent, check=False)


def test_nbval_turns_red_where_one_number_changes(tmp_path: Path) -> None:
    """One number of a figure and one of a table are changed: their two cells fail, and no other cell up to there."""
    notebook = load(next(path for path in NOTEBOOKS if path.stem == "01_quarter"))
    places = {change_one_number(notebook, mime) for mime in (PLOTLY, "text/html")}
    assert len(places) == 2
    last = notebook["cells"].index(code_cells(notebook)[max(places)])
    changed = tmp_path / "changed.ipynb"
    changed.write_text(json.dumps({**notebook, "cells": notebook["cells"][: last + 1]}))
    result = nbval(changed)
    assert result.returncode == 1, result.stdout[-2000:]
    assert re.search(r"\b2 failed", result.stdout), result.stdout[-2000:]
    assert {int(cell) for cell in re.findall(r"^FAILED .*::Cell (\d+)", result.stdout, re.MULTILINE)} == places
