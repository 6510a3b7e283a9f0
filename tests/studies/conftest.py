"""The small company of `small_company`, ready for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from small_company import notebook, project


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
