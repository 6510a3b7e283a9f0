"""What a notebook asks for: the names in its `parameters` cell, read without starting a kernel."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analytics.records.errors import InputError, nearest

START, TEMPLATE = "00_start", "_template"
"""The notebook to begin with, which is no part of a run, and the one to copy, which is part of one when asked for."""


@dataclass(frozen=True)
class Notebook:
    """A notebook of the suite: where it is, its title, the names in its parameters cell and their defaults there."""

    path: Path
    title: str
    defaults: Mapping[str, Any]
    code_cells: int

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names in the parameters cell, in order."""
        return tuple(self.defaults)

    @property
    def name(self) -> str:
        """The file's name without its ending: `01_quarter`."""
        return self.path.stem


def find_notebooks(folder: Path, *, only: Iterable[str] = ()) -> tuple[Notebook, ...]:
    """Find the notebooks of a run by their names (`01_quarter.ipynb`), in order.

    Parameters
    ----------
    folder : pathlib.Path
        Where the notebooks are.
    only : iterable of str
        Names (`01_quarter`, or just `quarter`) to keep; all where it is empty. `_template` runs only when named.

    Raises
    ------
    InputError
        Where there is none, a name in `only` is unknown, or a notebook has not exactly one `parameters` cell.
    """
    paths = [path for path in sorted(folder.glob("[0-9][0-9]_*.ipynb")) if path.stem != START]
    if not paths:
        raise InputError("holds no notebooks to run (named like 01_quarter.ipynb)", file=str(folder))
    wanted = list(only)
    if TEMPLATE in wanted:
        paths += folder.glob(f"{TEMPLATE}.ipynb")
    for name in wanted:
        if not any(name in (path.stem, path.stem[3:]) for path in paths):
            raise InputError(f"there is no notebook {name!r}", action=nearest(name, [path.stem for path in paths]))
    chosen = [path for path in paths if not wanted or {path.stem, path.stem[3:]} & set(wanted)]
    return tuple(read_notebook(path) for path in chosen)


def read_notebook(path: Path) -> Notebook:
    """Read a notebook's title and parameter names; a mistyped tag is an error here, not a silent default."""
    try:
        cells: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (ValueError, KeyError, UnicodeDecodeError):
        raise InputError("is not a notebook", file=path.name, action="Restore it from the project") from None
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    tagged = []
    for cell in code:
        for tag in cell.get("metadata", {}).get("tags", []):
            if tag == "parameters":
                tagged.append(cell)
            elif str(tag).strip().lower() == "parameters":
                raise InputError(
                    f"a cell is tagged {tag!r}, so its defaults would win over the params file",
                    file=path.name,
                    action="Write the tag 'parameters' in lower case",
                )
    if len(tagged) != 1:
        raise InputError(
            f"has {len(tagged)} cells tagged 'parameters' instead of one",
            file=path.name,
            action="Tag the first code cell, and no other, with 'parameters'",
        )
    filled = sum(1 for cell in code if "".join(cell["source"]).strip())
    return Notebook(path, _title(cells, path), _assigned("".join(tagged[0]["source"]), path), filled)


def check_parameters(notebooks: Iterable[Notebook], keys: Iterable[str], *, file: str) -> None:
    """Hold the keys of a quarter's params file to the parameters of every notebook, before any kernel starts.

    Raises
    ------
    InputError
        Where the file has a key that a notebook does not take, or lacks one that it takes (its default would be used
        without a word).
    """
    given = list(keys)
    for notebook in notebooks:
        for key in given:
            if key not in notebook.parameters:
                raise InputError(
                    f"the key {key!r} is not a parameter of {notebook.path.name}",
                    file=file,
                    action=nearest(key, notebook.parameters),
                )
        for name in notebook.parameters:
            if name not in given:
                raise InputError(
                    f"the key {name!r} is missing, which {notebook.path.name} takes", file=file, action="Add it"
                )


def _assigned(source: str, path: Path) -> dict[str, Any]:
    """Names and defaults; a default that is no plain value is kept as its text."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        raise InputError("its parameters cell is not Python", file=path.name) from None
    defaults: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            targets: list[ast.expr] = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name):
                defaults[target.id] = _plain_value(node.value)
    return defaults


def _plain_value(value: ast.expr | None) -> Any:
    try:
        return None if value is None else ast.literal_eval(value)
    except ValueError:
        return ast.unparse(value) if value is not None else None


def _title(cells: list[dict[str, Any]], path: Path) -> str:
    for cell in cells:
        if cell["cell_type"] == "markdown":
            for line in "".join(cell["source"]).splitlines():
                if line.startswith("# "):
                    return line[2:].strip()
    return path.stem[3:].replace("_", " ").capitalize()
