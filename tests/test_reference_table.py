"""Every committed reference value stands in the tables of README.md, with its data set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from reference_table import TEXT, Row, held_to_table, not_covered, rows

GOLDEN = Path(__file__).parent / "golden"
SETS = {
    "syn_adjustment": "syn_deals_rc",
    "discrete_time": "syn_deals_rc",
    "abortion_scores": "golden/abortion_scores.json",
}


def committed() -> Iterator[tuple[str, str]]:
    """Data set and key of every value in golden/*.json."""
    for path in sorted(GOLDEN.glob("*.json")):
        for name, entry in json.loads(path.read_text(encoding="utf-8")).items():
            if "call" in entry:
                yield SETS.get(path.stem, path.stem), name
            else:
                yield from ((name, key) for key in entry)


def covers(row: Row, name: str, key: str) -> bool:
    if not row.fits(key):
        return False
    # rates of syn_rates have a table without the column of data sets, stages one that names two
    return name in {part.strip() for part in row.sets.split(",")} or (name == "syn_stages" and name in row.sets)


@pytest.mark.parametrize(("name", "key"), list(committed()))
def test_every_key_has_a_row_or_a_reason(name: str, key: str) -> None:
    listed = any(covers(row, name, key) for row in rows())
    elsewhere = name == "syn_rates" and f"`{key}`" in TEXT
    spared = any(fnmatchcase(key, pattern) for pattern in not_covered())
    assert listed or elsewhere or spared, f"tests/README.md has no row for {key} of {name}"


def test_every_file_is_named() -> None:
    told = TEXT + (GOLDEN / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in GOLDEN.glob("*.csv") if path.name not in told] == []
    # a script bears the name of the file that it writes
    scripts = {path.stem.removeprefix("make_") for path in GOLDEN.glob("make_*.R")}
    assert scripts <= {path.stem for path in GOLDEN.glob("*.csv")}


def test_a_table_that_is_out_of_date_is_noticed() -> None:
    row = next(row for row in rows() if row.patterns == ("rmtl_all",))
    seen, largest = int(row.numbers), float(row.largest)
    held_to_table([("rmtl_all", seen, largest)])
    for wrong in (("rmtl_all", seen - 1, largest), ("rmtl_all", seen, 100 * largest), ("rmtl_none", seen, largest)):
        with pytest.raises(AssertionError):
            held_to_table([wrong])
