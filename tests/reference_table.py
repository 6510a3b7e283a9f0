"""The tables of `README.md`: which reference values are compared, how many numbers, and how far apart they are."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

TEXT = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
LEEWAY = 30.0
"""By so much may the largest difference of a run differ from the table's: the last digits differ between machines."""


@dataclass(frozen=True)
class Row:
    """A row of the tables of covered keys."""

    patterns: tuple[str, ...]
    sets: str
    numbers: str
    largest: str

    def fits(self, key: str) -> int:
        """How closely one of the row's patterns names the key (its length), 0 where none does."""
        return max((len(p.replace("*", "")) for p in self.patterns if fnmatchcase(key, p)), default=0)


def rows() -> Iterator[Row]:
    """The rows with five columns, keys in backticks first: key, data sets, estimator, numbers, largest difference."""
    for line in TEXT.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if len(cells) == 5 and "`" in cells[0]:
            yield Row(tuple(_named(cells[0])), cells[1], cells[3], cells[4])


def _named(cell: str) -> Iterator[str]:
    """The keys in backticks, `{a,b}` spelled out."""
    for name in re.findall(r"`([^`]+)`", cell):
        choice = re.search(r"\{([^}]+)\}", name)
        yield from [name.replace(choice[0], one) for one in choice[1].split(",")] if choice else [name]


def not_covered() -> set[str]:
    """Patterns of the keys that are listed with the reason why they are not covered."""
    part = TEXT.split("## Keys of the reference collection that are not covered")[1]
    return {name for line in part.splitlines() if line.startswith("|") for name in _named(line.split("|")[1])}


def held_to_table(seen: Iterable[tuple[str, int, float]]) -> None:
    """Hold what a run saw of its keys (key, numbers compared, largest difference) to the rows that name them."""
    found: dict[Row, list[tuple[int, float]]] = defaultdict(list)
    for key, compared, largest in seen:
        row = max(rows(), key=lambda row: row.fits(key))
        assert row.fits(key), f"the table of tests/README.md has no row for {key}"
        found[row].append((compared, largest))
    for row, parts in found.items():
        assert sum(compared for compared, _ in parts) == int(row.numbers.replace(",", "")), row
        stated, largest = float(row.largest.split()[0]), max(largest for _, largest in parts)
        assert stated / LEEWAY <= largest <= stated * LEEWAY, (row, largest)
