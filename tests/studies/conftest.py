"""A small company with two notebooks, for everything that a run does with them."""

from __future__ import annotations

import csv
import datetime as dt
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import nbformat
import numpy as np
import pytest

from analytics.studies.opening import open_params
from analytics.studies.params import company_of, load_quarter

COMPANY = """\
company: acme
title: Acme Tools
source:
  kind: flat
  file: ../export/deals.csv
  columns: {deal_id: id, account_id: account, opened_on: opened, closed_on: closed, reason: reason, amount: amount}
  attributes: {region: region}
  outcome: {column: stage, values: {Won: won, Lost: lost, Open: open}}
  constants: {currency: USD, pipeline: all}
scope: {everything: true}
rules: {no_decision_reasons: [No decision], older_than_days: 200}
segments: [region]
horizon_days: 180
"""

QUARTER = """\
company: acme
quarter: 2025Q2
as_of: 2025-06-30
compare_to: [2025Q1]
segments: [region]
"""

PARAMETERS = """\
company: str = "acme"
quarter: str = "2025Q2"
as_of: str = "2025-06-30"
compare_to: list[str] = ["2025Q1"]
segments: list[str] = ["region"]"""

OPEN = """\
from analytics import count_events, cumulative_incidence, open_study

study = open_study(company=company, quarter=quarter, as_of=as_of, compare_to=compare_to, segments=segments)"""

ANSWER = """\
ending = study.save("ending", cumulative_incidence(count_events(study.deals), times=[30, 90]))
ending.frame[["outcome", "time", "estimate", "conf_low", "conf_high"]].round(12)"""

FIGURE = """\
import plotly.graph_objects as go
from analytics.display.rendering import use_stable_renderer

use_stable_renderer()
points = go.Scatter(x=[1, 2], y=list(ending.frame["estimate"][:2]))
go.Figure(points, layout={"meta": {"alt": "two points", "results": ["ending"]}})"""

Cells = Sequence[str]


def notebook(path: Path, title: str, cells: Cells, *, tag: str = "parameters", parameters: str = PARAMETERS) -> Path:
    """Write a notebook: a title, a tagged parameters cell, and code cells."""
    first = nbformat.v4.new_code_cell(parameters, metadata={"tags": [tag]})
    body = [nbformat.v4.new_code_cell(cell) for cell in cells]
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell(f"# {title}\n\nWhat *this* shows."), first, *body]
    )
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for number, cell in enumerate(made.cells):
        cell["id"] = f"cell-{number}"
    path.parent.mkdir(exist_ok=True)
    nbformat.write(made, path)
    return path


def deals(path: Path, n: int = 120) -> Path:
    """Write an export in which everything but the randomness of 120 deals is stated."""
    rng = np.random.default_rng(11)
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["id", "account", "opened", "closed", "stage", "reason", "amount", "region"])
        for number in range(n):
            opened = dt.date(2024, 10, 1) + dt.timedelta(days=int(rng.integers(0, 260)))
            closed = opened + dt.timedelta(days=int(rng.integers(3, 150)))
            stage = "Open" if closed > dt.date(2025, 6, 30) else str(rng.choice(["Won", "Lost", "Lost"]))
            reason = str(rng.choice(["Price", "No decision"])) if stage == "Lost" else ""
            ended = "" if stage == "Open" else closed.isoformat()
            amount = int(rng.integers(1, 90)) * 100
            place = ["North", "South"][number % 2]
            writer.writerow(
                [f"D{number:03d}", f"A{number % 40:02d}", opened.isoformat(), ended, stage, reason, amount, place]
            )
    return path


def project(home: Path) -> Path:
    """A project folder of its own: params, an export, two notebooks."""
    (home / "params").mkdir(parents=True)
    (home / "params" / "acme.yaml").write_text(COMPANY)
    (home / "params" / "acme-2025Q2.yaml").write_text(QUARTER)
    deals(home / "export" / "deals.csv")
    notebook(home / "notebooks" / "01_ending.ipynb", "Where deals end up", [OPEN, ANSWER, FIGURE])
    notebook(home / "notebooks" / "02_size.ipynb", "How many deals", [OPEN, "len(study.deals)"])
    return home


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
