"""Fixtures that every test may use."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data(request: pytest.FixtureRequest) -> Path:
    """The real data sets that may not be committed; their tests say plainly when they are absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(
            f"the real data sets are not beside the project (looked for {SHARED_DATA.name} in ../shared): not tested"
        )
    return SHARED_DATA
