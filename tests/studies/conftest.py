"""The small company of `small_company`, ready for tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from small_company import notebook, project

from analytics.studies.opening import open_params
from analytics.studies.params import company_of, load_quarter


@pytest.fixture(autouse=True, scope="session")
def _alone() -> Iterator[None]:
    """Nothing of the surroundings reaches a test company."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("WINLOSS_PARAMS", "WINLOSS_CACHE", "WINLOSS_OUT", "WINLOSS_INPUT"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def make_project() -> Callable[[Path], Path]:
    """The maker itself, for a company that many tests look at."""
    return project


@pytest.fixture
def acme(tmp_path: Path) -> Path:
    """A company that a test may spoil; the blank in its folder's name is meant."""
    return project(tmp_path / "acme project")


@pytest.fixture(scope="session")
def _read_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of the company's quarter, filled as a run fills it."""
    home = project(tmp_path_factory.mktemp("read once") / "acme project")
    quarter = load_quarter(home / "params" / "acme-2025Q2.yaml")
    open_params(company_of(quarter), quarter).fill_cache()
    return home / ".winloss-cache"


@pytest.fixture
def warm(acme: Path, _read_once: Path) -> None:
    """The company's records have been read before: for tests of what comes after, three seconds of engine less.

    What is cached is found by the hash of all it depends on, so a test that changes any of that still computes it.
    """
    shutil.copytree(_read_once, acme / ".winloss-cache")


@pytest.fixture
def rewritten(acme: Path) -> Callable[..., Path]:
    """Replace the second notebook's code cells (and its tag or parameters)."""

    def rewrite(*cells: str, **changed: str) -> Path:
        return notebook(acme / "notebooks" / "02_size.ipynb", "How many deals", cells, **changed)

    return rewrite


@pytest.fixture(scope="session")
def write_notebook() -> Callable[..., Path]:
    """The maker of notebooks itself."""
    return notebook
