"""The committed results of the simulations keep their limits, and there is one for every module."""

from __future__ import annotations

import pytest

from simulations.run import HERE, modules, readme, scenarios, table
from simulations.scenario import COLUMNS, LIMITS, REPLICATES, verdict

MODULES = modules()


@pytest.mark.parametrize("module", MODULES)
def test_every_row_keeps_its_limits(module: str) -> None:
    rows = table(module)
    assert list(rows.columns) == COLUMNS
    assert rows["scenario"].drop_duplicates().tolist() == [scenario.name for scenario in scenarios(module)]
    assert (rows["replicates"] >= REPLICATES).all()
    for row in rows.to_dict("records"):
        usual = LIMITS[row["kind"]]
        assert row["low"] == usual[0] or (row["kind"] == "size" and row["note"]), row
        assert row["high"] == usual[1] or row["note"] or float(row["expected_events"] or "nan") < 5, row
        assert verdict(row["value"], row["mc_error"], row["low"], row["high"]) == "holds", row
        assert row["verdict"] == "holds", row
        assert row["missing"] == 0 or row["note"], row


def test_the_page_shows_the_tables() -> None:
    assert (HERE / "README.md").read_text() == readme() + "\n"


def test_the_verdict_can_fail() -> None:
    assert verdict(0.925, 0.004, 0.935, 0.965) == "FAILS"
    assert verdict(0.976, 0.003, 0.935, 0.965) == "FAILS"
    assert verdict(0.93, 0.004, 0.935, 0.965) == "holds"
