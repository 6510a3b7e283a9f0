"""A copy of the template is a study like the others: found by its name, executed by the run, part of the report."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from analytics.records.errors import InputError
from analytics.studies.notebook_cell import find_notebooks
from analytics.studies.run import Options, run_study

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


def test_a_run_takes_the_template_only_when_it_is_named(acme: Path) -> None:
    folder = acme / "notebooks"
    with pytest.raises(InputError, match="there is no notebook '_template'"):
        find_notebooks(folder, only=["_template"])
    shutil.copy(NOTEBOOKS / "_template.ipynb", folder)
    assert [notebook.name for notebook in find_notebooks(folder)] == ["01_ending", "02_size"]
    assert [notebook.name for notebook in find_notebooks(folder, only=["_template"])] == ["_template"]


def test_a_copy_of_the_template_runs_with_the_others_on_another_company(acme: Path) -> None:
    for other in (acme / "notebooks").glob("*.ipynb"):
        other.unlink()
    shutil.copy(NOTEBOOKS / "_template.ipynb", acme / "notebooks" / "20_my_study.ipynb")
    result = run_study(acme / "params" / "acme-2025Q2.yaml", Options(notebooks=acme / "notebooks"))
    assert [(outcome.name, outcome.exit_code, outcome.message) for outcome in result.outcomes] == [
        ("20_my_study", 0, "")
    ]
    saved = {path.name for path in result.folder.rglob("20_my_study/*.json")}
    assert saved == {"ending.json", "chance.json"}
    ending = pd.read_parquet(next(result.folder.rglob("20_my_study/ending.parquet")))
    assert set(ending["region"]) == {"North", "South"}
    assert "Where deals of each kind end up" in (result.folder / "20_my_study.html").read_text()
