"""A run leaves a whole bundle or none; every door leads to the same numbers; failures say what they are."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from analytics.estimators.result import Estimate
from analytics.studies import store
from analytics.studies.cli import main
from analytics.studies.lock import locked

OPENING = """\
from analytics import open_study
open_study(company=company, quarter=quarter, as_of=as_of, compare_to=compare_to, segments=segments)"""
MISTAKE = "open_study(company='acme', quarter='2025Q2', as_of='2025-06-30', segments=['regoin'])"


def winloss(acme: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["run", str(acme / "params" / "acme-2025Q2.yaml"), *options])


def bundle(acme: Path) -> Path:
    return acme / "reports" / "acme" / "2025Q2"


def newest(acme: Path) -> Path:
    return max((bundle(acme) / "runs").iterdir(), key=lambda folder: folder.stat().st_mtime_ns)


def facts(acme: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((newest(acme) / "run.json").read_text())
    return content


def shown(path: Path, cell: str) -> str:
    """What a cell of an executed notebook shows as text."""
    for one in nbformat.read(path, as_version=4).cells:
        if one.cell_type == "code" and cell in one.source:
            return "".join(output["data"]["text/plain"] for output in one.outputs if "data" in output)
    raise AssertionError(f"no cell holds {cell!r}")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, make_project: Callable[[Path], Path]) -> Path:
    """A company whose run has ended well; tests only look at it."""
    acme = make_project(tmp_path_factory.mktemp("done") / "acme project")
    result = winloss(acme)
    assert result.exit_code == 0, result.output
    return acme


def test_a_run_leaves_a_whole_bundle(done: Path) -> None:
    folder = newest(done)
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {
        "run.json", "rejects.csv", "notebooks/01_ending.ipynb", "01_ending.html", "notebooks/01_ending.provenance.json",
        "notebooks/02_size.ipynb", "02_size.html", "notebooks/02_size.provenance.json",
        "results/01_ending/ending.parquet", "results/01_ending/ending.json",
        "results/01_ending/ending.csv", "index.html", "front.html", "results.xlsx",
        "results.json.gz",
    }  # fmt: skip
    run = facts(done)
    assert (run["status"], run["exit_code"], run["complete"]) == ("done", 0, True)
    assert [line["status"] for line in run["notebooks"]] == ["done", "done"]
    provenance = json.loads((folder / "notebooks/01_ending.provenance.json").read_text())
    assert provenance["parameters"]["quarter"] == "2025Q2"
    assert provenance["as_of"] == "2025-06-30"
    assert provenance["inputs"][0]["name"] == "deals.csv"
    assert provenance["inputs"][0]["rows_read"] == 120
    assert provenance["rules_hash"]
    assert set(provenance["results"]) == {"ending.parquet", "ending.json", "ending.csv"}
    assert provenance["versions"]["pandas"] == pd.__version__


def test_the_index_leads_to_every_page_and_pages_are_offline(done: Path) -> None:
    leads = re.findall(r'<a href="(runs/[^"]+)"', (bundle(done) / "index.html").read_text())
    assert leads == [f"runs/{newest(done).name}/index.html"]
    front = (newest(done) / "index.html").read_text()
    local = [link for link in re.findall(r'href="([^"#]+)[^"]*"', front) if not link.startswith("data:")]
    assert "01_ending.html" in local
    for link in local:
        assert (newest(done) / link).exists(), link
    page = (newest(done) / "01_ending.html").read_text()
    assert page.count("<h1") == 1
    assert "Where deals end up: Acme Tools, 2025Q2" in page
    assert "<em>this</em>" in page
    numbers = re.search(r'<a href="([^"]+)" download data-csv="csv-ending">Numbers \(CSV\)', page)
    assert numbers
    carried = re.search(r'<script type="text/plain" id="csv-ending">([^<]+)</script>', page)
    assert carried
    file = (newest(done) / "results/01_ending/ending.csv").read_bytes()
    assert gzip.decompress(base64.b64decode(carried[1])) == file  # the page gives it out wherever it is copied to
    assert (newest(done) / numbers.group(1)).read_text() == (newest(done) / "results/01_ending/ending.csv").read_text()
    assert "cumulative_incidence(" not in page  # no code
    assert "open_study(" not in page
    written = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert re.findall(r"(?:src|href|url\()\W*(?:https?:)?//", written + front) == []
    size = (newest(done) / "02_size.html").read_text()
    assert len(size) < len(page) < 200_000  # plotly.js lies once beside the runs, and is read where a figure is drawn
    script = re.search(r'<script src="([^"]+)"', page)
    assert script
    assert (newest(done) / script[1]).resolve().parent == bundle(done)
    assert (newest(done) / script[1]).stat().st_size > 1_500_000
    assert "<script" not in size


def test_nothing_that_is_shown_changes_from_run_to_run(done: Path) -> None:
    first = newest(done)
    assert winloss(done, "--fresh").exit_code == 0
    second = newest(done)
    assert first != second
    same = ("01_ending.html", "02_size.html", "rejects.csv", "results/01_ending/ending.json", "results.xlsx",
            "results.json.gz", "index.html", "front.html")  # fmt: skip
    for name in same:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    frames = [pd.read_parquet(folder / "results/01_ending/ending.parquet") for folder in (first, second)]
    pd.testing.assert_frame_equal(*frames)
    for name in ("01_ending", "02_size"):
        outputs = [
            [cell.get("outputs") for cell in nbformat.read(folder / "notebooks" / f"{name}.ipynb", as_version=4).cells]
            for folder in (first, second)
        ]
        assert outputs[0] == outputs[1]
        assert str(done) not in (second / "notebooks" / f"{name}.ipynb").read_text()


def test_every_door_leads_to_the_same_numbers(done: Path, tmp_path: Path) -> None:
    """`winloss run`; papermill from another folder; the notebook as JupyterLab runs it, with its defaults."""
    run = newest(done) / "notebooks" / "01_ending.ipynb"
    before = sorted(done.rglob("*"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    source, params = done / "notebooks" / "01_ending.ipynb", done / "params" / "acme-2025Q2.yaml"
    papermill = [sys.executable, "-m", "papermill", str(source), "out.ipynb", "-f", str(params), "--no-progress-bar"]
    environment = {**os.environ, "WINLOSS_PARAMS": str(done / "params")}
    subprocess.run(papermill, cwd=elsewhere, env=environment, check=True, capture_output=True)
    notebook = nbformat.read(source, as_version=4)
    nbclient.NotebookClient(
        notebook, resources={"metadata": {"path": str(source.parent)}}, kernel_name="python3"
    ).execute()
    nbformat.write(notebook, elsewhere / "lab.ipynb")
    table = shown(run, "ending.frame[[")
    assert re.search(r"0\.\d{5,}", table)
    assert shown(elsewhere / "out.ipynb", "ending.frame[[") == table
    assert shown(elsewhere / "lab.ipynb", "ending.frame[[") == table
    assert sorted(done.rglob("*")) == before  # nothing written without WINLOSS_OUT
    assert sorted(path.name for path in elsewhere.iterdir()) == ["lab.ipynb", "out.ipynb"]
    ending = store.read(newest(done) / "results" / "01_ending", "ending")
    assert isinstance(ending, Estimate)
    for value in ending.frame["estimate"]:
        assert f"{value:.6f}" in table


def test_notebooks_of_a_run_import_no_engine(acme: Path, rewritten: Callable[..., Path]) -> None:
    rewritten(OPENING, "import sys\n[name for name in ('ibis', 'duckdb') if name in sys.modules]")
    assert winloss(acme, "--only", "size").exit_code == 0
    assert shown(newest(acme) / "notebooks" / "02_size.ipynb", "import sys") == "[]"


FAILURES = [
    ("an error", "1 / 0", 1, "failed with ZeroDivisionError: division by zero"),
    ("an input error", MISTAKE, 2, "no column 'regoin'"),
    ("a dead kernel", "import os\nos._exit(1)", 4, "its kernel died"),
    ("an early exit", "import sys\nsys.exit(0)", 1, "does it call sys.exit()?"),
    ("a question to nobody", "input('?')", 1, "StdinNotImplementedError"),
]  # fmt: skip


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize(
    ("cell", "code", "sentence"), [case[1:] for case in FAILURES], ids=[case[0] for case in FAILURES]
)
def test_a_notebook_that_fails_says_so_and_replaces_nothing(
    acme: Path, rewritten: Callable[..., Path], cell: str, code: int, sentence: str
) -> None:
    (bundle(acme)).mkdir(parents=True)
    (bundle(acme) / "index.html").write_text("the last good one")
    rewritten("from analytics import open_study", cell, "'not reached'")
    result = winloss(acme, "--only", "size")
    assert result.exit_code == code, result.output
    assert sentence in result.output
    assert "Traceback" not in result.output
    assert (bundle(acme) / "index.html").read_text() == "the last good one"
    run = facts(acme)
    assert (run["exit_code"], run["complete"]) == (code, False)
    assert sentence in run["message"]
    assert newest(acme).name.endswith(".failed")
    assert [path.name for path in newest(acme).rglob("*02_size*")] == ["02_size.failed.ipynb"]
    assert not list(newest(acme).glob(".*"))


@pytest.mark.usefixtures("warm")
def test_an_input_error_in_a_notebook_is_one_sentence_there_too(acme: Path, rewritten: Callable[..., Path]) -> None:
    rewritten("from analytics import open_study", MISTAKE)
    assert winloss(acme, "--only", "size").exit_code == 2
    cells = nbformat.read(newest(acme) / "notebooks" / "02_size.failed.ipynb", as_version=4).cells
    errors = [output for cell in cells for output in cell.get("outputs", []) if output.output_type == "error"]
    assert len(errors) == 1
    assert len(errors[0].traceback) == 1
    assert errors[0].traceback[0].startswith("InputError: there is no column 'regoin' to split deals by.")
    assert "\n" not in errors[0].traceback[0]


@pytest.mark.usefixtures("warm")
def test_one_failing_notebook_does_not_stop_the_others(acme: Path, rewritten: Callable[..., Path]) -> None:
    rewritten("1 / 0")
    result = winloss(acme)
    assert result.exit_code == 1
    assert [line["status"] for line in facts(acme)["notebooks"]] == ["done", "failed"]
    assert (newest(acme) / "01_ending.html").exists()
    assert not (bundle(acme) / "index.html").exists()


@pytest.mark.usefixtures("warm")
def test_a_notebook_that_takes_too_long_is_stopped(acme: Path, rewritten: Callable[..., Path]) -> None:
    rewritten("import time\ntime.sleep(600)")
    started = time.monotonic()
    result = winloss(acme, "--only", "size", "--timeout", "8")
    assert result.exit_code == 5, result.output
    assert "took" in result.output
    assert time.monotonic() - started < 60
    assert facts(acme)["status"] == "took too long"


MEETING = """\
import pathlib, time
here, until = pathlib.Path("..") / "{mine}", time.monotonic() + 60
here.touch()
while not (pathlib.Path("..") / "{other}").exists():
    assert time.monotonic() < until, "nobody came"
    time.sleep(0.05)"""


def test_two_notebooks_run_at_a_time(acme: Path, write_notebook: Callable[..., Path]) -> None:
    """Each waits for a sign of the other: one after the other, the first would wait in vain."""
    for name, mine, other in (("01_ending", "a", "b"), ("02_size", "b", "a")):
        write_notebook(acme / "notebooks" / f"{name}.ipynb", name, [MEETING.format(mine=mine, other=other)])
    result = winloss(acme)
    assert result.exit_code == 0, result.output


@pytest.mark.usefixtures("warm")
def test_debug_shows_where(acme: Path, rewritten: Callable[..., Path]) -> None:
    rewritten("1 / 0")
    result = winloss(acme, "--only", "size", "--debug")
    assert "Traceback" in result.output
    assert "ZeroDivisionError" in result.output


def test_a_second_run_of_the_same_quarter_is_refused_at_once(acme: Path) -> None:
    with locked(bundle(acme)):
        result = winloss(acme)
    assert result.exit_code == 3
    assert result.output == "acme/2025Q2: another run is at work on it. Wait for it to end, or stop it.\n"
    assert not (bundle(acme) / "runs").exists()


def running(pids: set[int]) -> list[int]:
    """Those that are not gone: of a process that has ended and waits to be buried nothing but its number is left."""
    found = []
    for pid in pids:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def children_of(pid: int) -> set[int]:
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found |= {int(folder.name)} | children_of(int(folder.name))
    return found


@pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="the processes of a run are looked for in /proc: not tested"
)
@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_leaves_no_process_and_the_old_index(
    acme: Path, rewritten: Callable[..., Path], number: signal.Signals
) -> None:
    rewritten("import time\ntime.sleep(600)")
    bundle(acme).mkdir(parents=True)
    (bundle(acme) / "index.html").write_text("the last good one")
    command = [
        sys.executable,
        "-m",
        "analytics.studies.cli",
        "run",
        str(acme / "params" / "acme-2025Q2.yaml"),
        "--only",
        "size",
    ]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 120
    while len(children_of(run.pid)) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    family = children_of(run.pid)
    assert len(family) == 2, "a worker and its kernel"
    time.sleep(1)
    run.send_signal(number)
    out, error = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "Stopped. The last good report is as it was." in error
    assert "Traceback" not in error + out
    assert (bundle(acme) / "index.html").read_text() == "the last good one"
    assert facts(acme)["status"] == "stopped"
    deadline = time.monotonic() + 30  # a kernel looks for its parent once a second, on a busy machine later
    while running(family) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert running(family) == []


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda acme: (acme / "export" / "deals.csv").unlink(), "../export/deals.csv: does not exist"),
        (lambda acme: (acme / "export" / "deals.csv").write_text(""), "deals.csv"),
        (lambda acme: (acme / "params" / "acme.yaml").unlink(), "has no params file acme.yaml beside it"),
        (lambda acme: shutil.rmtree(acme / "params"), "there is no such params file"),
    ],
    ids=["no export", "empty export", "no company", "no params"],
)
def test_bad_input_is_one_sentence_and_exit_code_2(acme: Path, spoil: Callable[[Path], Any], sentence: str) -> None:
    spoil(acme)
    result = winloss(acme)
    assert result.exit_code == 2
    assert sentence in result.output
    assert "Traceback" not in result.output
    assert not (bundle(acme) / "index.html").exists()
    assert not list(bundle(acme).rglob("*.ipynb"))


def test_a_mistyped_parameter_starts_no_kernel(acme: Path) -> None:
    path = acme / "params" / "acme-2025Q2.yaml"
    path.write_text(path.read_text().replace("quarter:", "qarter:"))
    result = winloss(acme)
    assert result.exit_code == 2
    assert "the key 'qarter' is not known. Did you mean 'quarter'?" in result.output
    assert not (acme / "reports").exists()


def test_a_mistyped_tag_starts_no_kernel(acme: Path, rewritten: Callable[..., Path]) -> None:
    rewritten("1 + 1", tag="Parameters")
    result = winloss(acme)
    assert result.exit_code == 2
    assert "02_size.ipynb: a cell is tagged 'Parameters'" in result.output
    assert not (acme / "reports").exists()


def test_reports_that_cannot_be_written_are_a_sentence(acme: Path) -> None:
    (acme / "reports").write_text("a file where a folder should be")
    result = winloss(acme)
    assert result.exit_code == 6
    assert result.output == (
        "acme/2025Q2: no report can be written there (Not a directory). See to its rights, or choose --reports.\n"
    )


def test_no_deal_closed_is_a_study_that_says_so(acme: Path) -> None:
    path = acme / "export" / "deals.csv"
    head, *rows = path.read_text().splitlines()
    cells = [row.split(",") for row in rows]
    still = [",".join([cell[0], cell[1], cell[2], "", "Open", "", cell[6], cell[7]]) for cell in cells]
    path.write_text("\n".join([head, *still]) + "\n")
    assert winloss(acme, "--only", "size").exit_code == 0
    assert shown(newest(acme) / "notebooks" / "02_size.ipynb", "len(study.deals)") == "120"


def test_one_deal_is_enough(acme: Path) -> None:
    path = acme / "export" / "deals.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    assert winloss(acme, "--only", "size").exit_code == 0
    assert shown(newest(acme) / "notebooks" / "02_size.ipynb", "len(study.deals)") == "1"


@pytest.mark.usefixtures("warm")
def test_a_password_is_in_no_file_of_a_run(
    acme: Path, rewritten: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINLOSS_CRM", "postgres://ana:top-s3cret@nowhere.invalid/crm")
    rewritten("import os\nraise RuntimeError('cannot reach ' + os.environ['WINLOSS_CRM'])")
    result = winloss(acme, "--only", "size", "--debug")
    assert result.exit_code == 1
    assert "postgres://ana:***@nowhere.invalid/crm" in result.output
    assert "top-s3cret" not in result.output
    for path in bundle(acme).rglob("*"):
        if path.is_file():
            assert b"top-s3cret" not in path.read_bytes(), path.name


def test_a_database_as_source_is_read_by_its_address_from_the_environment(
    acme: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    database = acme / "export" / "crm.db"
    with sqlite3.connect(database) as connection:
        pd.read_csv(acme / "export" / "deals.csv").to_sql("deals", connection, index=False)
    connection.close()
    monkeypatch.setenv("WINLOSS_CRM", f"sqlite:///{database}")
    path = acme / "params" / "acme.yaml"
    path.write_text(path.read_text().replace("file: ../export/deals.csv", "url: ${WINLOSS_CRM}\n  table: deals"))
    result = winloss(acme)
    assert result.exit_code == 0, result.output
    assert shown(newest(acme) / "notebooks" / "02_size.ipynb", "len(study.deals)") == "120"
    assert facts(acme)["company_params"]["source"]["url"] == "${WINLOSS_CRM}"
