"""A notebook's parameters are known before its kernel starts, and a mistyped tag is never a silent default."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from analytics.records.errors import InputError
from analytics.studies.notebook_cell import check_parameters, find_notebooks, read_notebook
from analytics.studies.params import QUARTER_KEYS, load_quarter

ROOT = Path(__file__).resolve().parents[2]


def test_names_are_read_whatever_their_annotation(rewritten: Callable[..., Path]) -> None:
    path = rewritten(
        "1 + 1", parameters='company = "a"\nas_of: "Optional[str]" = None  # help\nn: int | None = 3\nprint(n)'
    )
    assert read_notebook(path).parameters == ("company", "as_of", "n")
    assert read_notebook(path).defaults == {"company": "a", "as_of": None, "n": 3}


def test_a_run_takes_notebooks_by_name_in_order_and_leaves_the_start_page(acme: Path) -> None:
    (acme / "notebooks" / "00_start.ipynb").write_text("{}")
    (acme / "notebooks" / "_template.ipynb").write_text("{}")
    found = find_notebooks(acme / "notebooks")
    assert [notebook.name for notebook in found] == ["01_ending", "02_size"]
    assert found[0].title == "Where deals end up"
    assert found[0].parameters == QUARTER_KEYS
    assert found[1].code_cells == 3
    assert [notebook.name for notebook in find_notebooks(acme / "notebooks", only=["size"])] == ["02_size"]


@pytest.mark.parametrize("tag", ["Parameters", "PARAMETERS", " parameters"])
def test_a_mistyped_tag_is_an_error(rewritten: Callable[..., Path], tag: str) -> None:
    with pytest.raises(InputError, match="its defaults would win over the params file"):
        read_notebook(rewritten("1 + 1", tag=tag))


def test_a_missing_tag_is_an_error(rewritten: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match="has 0 cells tagged 'parameters' instead of one"):
        read_notebook(rewritten("1 + 1", tag="params"))


def test_the_params_file_and_the_cell_must_agree_both_ways(acme: Path) -> None:
    notebooks = find_notebooks(acme / "notebooks")
    with pytest.raises(
        InputError, match=r"acme\.yaml: the key 'qarter' is not a parameter of 01_ending\.ipynb.*'quarter'"
    ):
        check_parameters(notebooks, ["company", "qarter"], file="acme.yaml")
    with pytest.raises(InputError, match=r"the key 'quarter' is missing, which 01_ending\.ipynb takes"):
        check_parameters(notebooks, ["company"], file="acme.yaml")


def test_an_unknown_notebook_names_the_nearest(acme: Path) -> None:
    with pytest.raises(InputError, match=r"no notebook '01_endin'.*'01_ending'"):
        find_notebooks(acme / "notebooks", only=["01_endin"])


def test_an_empty_folder_and_a_broken_file_are_sentences(acme: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no notebooks to run"):
        find_notebooks(tmp_path)
    (acme / "notebooks" / "02_size.ipynb").write_text("not json")
    with pytest.raises(InputError, match=r"02_size\.ipynb: is not a notebook"):
        find_notebooks(acme / "notebooks")


def test_the_defaults_of_every_notebook_are_the_demo_quarter() -> None:
    """JupyterLab opens the same study that `winloss run` and `papermill -f` take from the file."""
    expected = load_quarter(ROOT / "params" / "demo-2025Q4.yaml").as_parameters()
    for notebook in find_notebooks(ROOT / "notebooks"):
        assert notebook.defaults == expected, notebook.name
