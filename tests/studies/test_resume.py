"""A finished notebook is not run again unless something that it depends on has changed."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from analytics.studies import resume
from analytics.studies.bundle import published
from analytics.studies.cli import main
from analytics.studies.job import Outcome
from analytics.studies.notebook_cell import read_notebook
from analytics.studies.opening import open_params
from analytics.studies.params import load_company, load_quarter
from analytics.studies.progress import Progress, cell_seconds
from analytics.studies.resume import files_of, fingerprint, finished_before


def printed(acme: Path) -> str:
    params = acme / "params"
    quarter = load_quarter(params / "acme-2025Q2.yaml")
    study = open_params(load_company(params / "acme.yaml"), quarter)
    return fingerprint(study, quarter, read_notebook(acme / "notebooks" / "02_size.ipynb"))


def changed(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


CHANGES: dict[str, Callable[[Path], Any]] = {
    "a deal": lambda acme: changed(acme / "export" / "deals.csv", "D001", "D901"),
    "a company's param": lambda acme: changed(acme / "params" / "acme.yaml", "horizon_days: 180", "horizon_days: 120"),
    "a quarter's param": lambda acme: changed(acme / "params" / "acme-2025Q2.yaml", "06-30", "06-29"),
    "the notebook": lambda acme: changed(acme / "notebooks" / "02_size.ipynb", "len(study.deals)", "1"),
    "a module beside it": lambda acme: (acme / "notebooks" / "mine.py").write_text("x = 1\n"),
    "who may read it": lambda acme: changed(acme / "params" / "acme.yaml", "title:", "share: safe\ntitle:"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen(acme: Path, change: str) -> None:
    before = printed(acme)
    assert printed(acme) == before
    CHANGES[change](acme)
    assert printed(acme) != before


def test_a_change_of_code_or_of_a_package_is_seen(acme: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = printed(acme)
    with monkeypatch.context() as patch:
        patch.setattr(resume, "library_code", lambda: "another")
        assert printed(acme) != before
    with monkeypatch.context() as patch:
        patch.setattr(resume, "versions", lambda: {"pandas": "0"})
        assert printed(acme) != before
    assert printed(acme) == before


def test_another_key_of_the_codes_is_seen(acme: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    CHANGES["who may read it"](acme)
    monkeypatch.setenv("WINLOSS_SHARE_KEY", "0123456789abcdef0123")
    before = printed(acme)
    monkeypatch.setenv("WINLOSS_SHARE_KEY", "another key, as long as that")
    assert printed(acme) != before


def run_with(folder: Path, name: str, fingerprint: str, **more: Any) -> Path:
    """A run's folder with one finished notebook."""
    (folder / "notebooks").mkdir(parents=True)
    (folder / "notebooks" / f"{name}.ipynb").write_text("{}")
    line = {"name": name, "status": "done", "fingerprint": fingerprint, "files": files_of(folder, name), **more}
    (folder / "run.json").write_text(json.dumps({"notebooks": [line]}))
    return folder


def test_the_newest_unharmed_run_is_found(tmp_path: Path) -> None:
    run_with(tmp_path / "20260101T000000Z", "01_one", "same")
    failed = run_with(tmp_path / "20260102T000000Z.failed", "01_one", "same")
    run_with(tmp_path / "20260103T000000Z", "01_one", "other")
    spoilt = run_with(tmp_path / "20260104T000000Z", "01_one", "same")
    (spoilt / "notebooks" / "01_one.ipynb").write_text("{ }")
    emptied = run_with(tmp_path / "20260105T000000Z", "01_one", "same")
    (emptied / "notebooks" / "01_one.ipynb").unlink()
    run_with(tmp_path / ".20260106T000000Z.partial", "01_one", "same")
    broken = run_with(tmp_path / "20260107T000000Z", "01_one", "same")
    (broken / "run.json").write_text("{")
    assert finished_before(tmp_path, {"01_one": "same", "02_two": "same"}) == {"01_one": failed}


@pytest.mark.slow
def test_a_run_takes_what_is_finished_and_runs_the_rest(acme: Path) -> None:
    """One notebook failed and is mended: the other is not run again, and what the run shows is the same as fresh."""

    def winloss(*options: str) -> str:
        done = CliRunner().invoke(main, ["run", str(acme / "params" / "acme-2025Q2.yaml"), *options])
        return f"{done.exit_code}: {done.output}"

    changed(acme / "notebooks" / "02_size.ipynb", "len(study.deals)", "1 / 0")
    assert winloss().startswith("1:")
    changed(acme / "notebooks" / "02_size.ipynb", "1 / 0", "len(study.deals)")
    said = winloss()
    assert said.startswith("0:")
    assert "executing 1 notebook\n" in said
    assert "01_ending  unchanged since the run" in said
    bundle = acme / "reports" / "acme" / "2025Q2"
    found = published(bundle)
    assert found is not None
    resumed = bundle / "runs" / found.current
    lines = json.loads((resumed / "run.json").read_text())["notebooks"]
    assert [("taken_from" in line, line["status"]) for line in lines] == [(True, "done"), (False, "done")]
    assert "not run again" not in winloss("--fresh")
    after = published(bundle)
    assert after is not None
    fresh = bundle / "runs" / after.current
    assert fresh != resumed
    for name in ("01_ending.html", "02_size.html", "index.html", "results/01_ending/ending.json", "results.xlsx"):
        assert (resumed / name).read_bytes() == (fresh / name).read_bytes(), name


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_cell_counts_for_as_long_as_it_took_the_last_time(tmp_path: Path) -> None:
    """By hand: 30 s for 3 cells, 4 s for 2; a notebook never executed counts as the mean of 10 and 2."""
    run_with(tmp_path / "20260101T000000Z", "02_two", "", seconds=4.0)
    run_with(tmp_path / "20260102T000000Z", "01_one", "", seconds=30.0)
    run_with(tmp_path / "20260103T000000Z", "01_one", "", seconds=0.2, taken_from="20260102T000000Z")
    assert cell_seconds(tmp_path, {"01_one": 3, "02_two": 2, "03_new": 5}) == {"01_one": 10, "02_two": 2, "03_new": 6}
    assert cell_seconds(tmp_path / "none", {"01_one": 3}) == {"01_one": 1}


def test_a_terminal_sees_the_time_left_and_a_log_plain_lines(acme: Path, tmp_path: Path) -> None:
    notebooks = [read_notebook(path) for path in sorted((acme / "notebooks").glob("*.ipynb"))]
    said = {}
    for stream in (Terminal(), io.StringIO()):
        with Progress(notebooks, stream) as progress:
            progress.start(tmp_path)
            for _ in range(notebooks[0].code_cells + 1):
                progress.cell_done("01_ending")
            progress.notebook_done(Outcome("01_ending", 0, seconds=12.3))
            progress.notebook_done(Outcome("02_size", 4, "its kernel died"))
        said[stream.isatty()] = stream.getvalue()
    assert said[False] == "  01_ending  done, 12 s\n  02_size  kernel died, 0 s: its kernel died\n"
    assert " left" in said[True]
    assert "so far, about" in said[True]
    assert "  01_ending  done, 12 s" in said[True]


def test_taking_over_copies_all_that_belongs_to_a_notebook(tmp_path: Path) -> None:
    earlier = run_with(tmp_path / "20260101T000000Z", "01_one", "same")
    (earlier / "results" / "01_one").mkdir(parents=True)
    (earlier / "results" / "01_one" / "a.csv").write_text("n\n1\n")
    later = tmp_path / "later"
    later.mkdir()
    resume.take_over(earlier, later, "01_one")
    assert files_of(later, "01_one") == files_of(earlier, "01_one")
    shutil.rmtree(earlier)
    assert (later / "results" / "01_one" / "a.csv").read_text() == "n\n1\n"


def test_an_outcome_travels_as_plain_values() -> None:
    outcome = Outcome("01_one", 0, taken_from="20260101T000000Z")
    assert Outcome(**json.loads(json.dumps(dataclasses.asdict(outcome)))) == outcome
