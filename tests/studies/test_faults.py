"""Whatever ends a run before its time, the bundle is the last good one or the new one, whole, and nobody is told 0."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from analytics.studies.bundle import published
from analytics.studies.resume import files_of

SAVING = """\
import os, pathlib, time
out = pathlib.Path(os.environ["WINLOSS_OUT"])
out.mkdir(parents=True, exist_ok=True)
(out / "numbers.csv").write_text("n\\n" + "1\\n" * 20_000)"""
LIGHT = (SAVING, "time.sleep(0.3)", "(out / 'last.csv').write_text('n\\n1\\n')")
"""A notebook that needs no library: what is tried here is the run around it."""

in_proc = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="processes are looked for in /proc: not tested"
)


@pytest.fixture
def light(acme: Path, write_notebook: Callable[..., Path]) -> Path:
    """The small company with two notebooks that do little."""
    for name in ("01_ending", "02_size"):
        write_notebook(acme / "notebooks" / f"{name}.ipynb", name, LIGHT)
    return acme


def bundle(acme: Path) -> Path:
    return acme / "reports" / "acme" / "2025Q2"


def started(acme: Path, *options: str, reports: Path | None = None, **how: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "analytics.studies.cli", "run", str(acme / "params" / "acme-2025Q2.yaml")]
    where = ["--reports", str(reports)] if reports else []
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen([*command, *where, *options], text=True, start_new_session=True, **pipes, **how)


def ended(run: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = run.communicate(timeout=300)
    assert "Traceback" not in said
    return run.returncode, said


def facts(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return content


def current(folder: Path) -> str | None:
    """The run that a bundle leads to, after a look at every published one: each is whole."""
    found = published(folder)
    if found is None:
        assert not (folder / "index.html").exists()
        return None
    assert {found.first, found.current} <= set(found.runs)
    for name in found.runs:
        run = folder / "runs" / name
        content = facts(run)
        assert (content["status"], content["exit_code"], content["complete"]) == ("done", 0, True)
        assert [line["name"] for line in content["notebooks"]] == ["01_ending", "02_size"]
        for line in content["notebooks"]:
            assert line["files"] == files_of(run, line["name"])
            assert len(line["files"]) == 3
        for link in re.findall(r'href="([^"#:]+)"', (run / "index.html").read_text()):
            assert (run / link).exists(), link
        assert not list(run.rglob(".*"))
    return found.current


def family(pid: int) -> dict[int, str]:
    """The processes below one, and their command lines."""
    below: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if parent == pid:
            below |= {int(folder.name): line, **family(int(folder.name))}
    return below


def kernels(run: subprocess.Popen[str], deadline: float = 60) -> list[int]:
    """Wait for a kernel of a run; none where the run ends before."""
    until = time.monotonic() + deadline
    while time.monotonic() < until and run.poll() is None:
        found = [pid for pid, line in family(run.pid).items() if "ipykernel_launcher" in line]
        if found:
            return found
        time.sleep(0.02)
    return []


def gone(pids: list[int], seconds: float = 30) -> bool:
    until = time.monotonic() + seconds
    while any(Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids):
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


@in_proc
@pytest.mark.slow
def test_fifty_kills_at_random_moments(light: Path) -> None:
    """kill -9 of the run, of a process of it or of a kernel: the bundle is whole, and the next run goes on."""
    moment = random.Random(20251)
    began = time.monotonic()
    assert ended(started(light))[0] == 0
    usual = time.monotonic() - began
    good, codes = current(bundle(light)), []
    for number in range(50):
        victim = ("run", "kernel", "run", "worker")[number % 4]
        run = started(light, *(["--fresh"] if number % 3 else []))
        time.sleep(moment.uniform(0, usual) if victim == "run" else 0)
        found = kernels(run) if victim != "run" else []
        below = list(family(run.pid))
        if victim == "run":
            run.kill()
        elif found:
            time.sleep(moment.uniform(0, 0.8))
            parents = [pid for pid, line in family(run.pid).items() if "studies.worker" in line]
            with contextlib.suppress(ProcessLookupError):
                os.kill(moment.choice(found if victim == "kernel" else parents or found), signal.SIGKILL)
        code, said = ended(run)
        codes.append(code)
        if victim == "run" and code == 0:  # The machine is quicker than it was.
            usual *= 0.8
        now = current(bundle(light))
        assert code in {"run": (0, -9), "kernel": (0, 4), "worker": (0, 1)}[victim], (victim, code, said)
        assert code == 0 or now == good or victim == "run", (victim, code, said)
        if victim == "run" and code and now != good:  # Killed when it had just published.
            assert now is not None
            assert facts(bundle(light) / "runs" / now)["exit_code"] == 0
        assert gone(below), "a process of the run is left"
        good = now
    assert min(codes.count(-9), codes.count(4), codes.count(1)) >= 4, codes
    code, _ = ended(started(light))
    assert code == 0
    folders = [path.name for path in (bundle(light) / "runs").iterdir()]
    assert not [name for name in folders if name.startswith(".")]


@in_proc
@pytest.mark.usefixtures("warm")
def test_after_kill_9_the_next_run_says_so_and_goes_on(light: Path, write_notebook: Callable[..., Path]) -> None:
    waiting = light / "notebooks" / "02_size.ipynb"
    quick = waiting.read_bytes()
    write_notebook(waiting, "02_size", [SAVING, "time.sleep(600)"])
    run = started(light)
    runs = bundle(light) / "runs"
    until = time.monotonic() + 120
    while not any('"done"' in path.read_text() for path in runs.glob(".*.partial/run.json")):
        assert time.monotonic() < until
        time.sleep(0.1)
    (partial,) = runs.glob(".*.partial")
    assert facts(partial)["status"] == "running"
    below = list(family(run.pid))
    run.kill()
    assert ended(run)[0] == -9
    waiting.write_bytes(quick)
    code, said = ended(started(light))
    assert code == 0, said
    name = partial.name.split(".")[1]
    assert (
        f"An earlier run was killed before it was done, after 1 of 2 notebooks; what it left is in runs/{name}" in said
    )
    assert f"01_ending  unchanged since the run {name}, not run again" in said
    assert gone(below)
    killed = facts(runs / f"{name}.failed")
    assert (killed["status"], killed["complete"]) == ("killed", False)
    assert current(bundle(light)) != name


@in_proc
@pytest.mark.slow
def test_two_runs_at_once_are_one_run(light: Path) -> None:
    both = [started(light), started(light)]
    codes = sorted(ended(run)[0] for run in both)
    assert codes == [0, 3]
    assert current(bundle(light)) is not None
    assert len(list((bundle(light) / "runs").iterdir())) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 40 MB of its own; making one takes root, as in the project's own check."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(disk)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"no disk can be mounted here ({made.stderr.strip()}): a full and a read-only disk are not tested")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path, left: int) -> Path:
    """Fill a disk until so many bytes are left."""
    filler = disk / "filler"
    state = os.statvfs(disk)
    with filler.open("wb") as handle:
        handle.write(b"." * (state.f_bavail * state.f_frsize - left))
    return filler


@pytest.mark.slow
@pytest.mark.parametrize("left", [0, 8_000, 270_000, 300_000, 350_000, 500_000])
def test_a_full_disk_leaves_the_last_good_report(light: Path, small_disk: Path, left: int) -> None:
    reports = small_disk / "acme" / "2025Q2"
    assert ended(started(light, reports=small_disk))[0] == 0
    good = current(reports)
    filler = fill(small_disk, left)
    code, said = ended(started(light, "--fresh", reports=small_disk))
    if code == 0:  # There was room after all.
        assert left > 300_000
        assert current(reports) != good
        return
    assert code == 7, said
    assert "No space left on device" in said
    assert current(reports) == good
    failed = list((reports / "runs").glob("*.failed"))
    if left >= 300_000:  # Room to begin: then there is room for the last word, too.
        assert [facts(folder)["status"] for folder in failed] == ["disk full"]
    filler.unlink()
    assert ended(started(light, reports=small_disk))[0] == 0
    assert current(reports) != good


@pytest.mark.slow
def test_a_read_only_disk_is_a_sentence_and_an_exit_code_of_its_own(light: Path, small_disk: Path) -> None:
    assert ended(started(light, reports=small_disk))[0] == 0
    before = sorted(small_disk.rglob("*"))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    code, said = ended(started(light, "--fresh", reports=small_disk))
    assert code == 6
    sentence = "no report can be written there (Read-only file system). See to its rights, or choose --reports."
    assert said == f"acme/2025Q2: {sentence}\n"
    assert sorted(small_disk.rglob("*")) == before
    current(small_disk / "acme" / "2025Q2")


def test_a_file_that_may_not_grow_is_a_full_disk_too(light: Path) -> None:
    """The same without root: no file of the run may be larger than this."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))

    code, said = ended(started(light, preexec_fn=limited))
    assert code == 7, said
    assert current(bundle(light)) is None


def test_a_lock_that_cannot_be_written_starts_nothing(light: Path) -> None:
    (bundle(light) / ".lock").mkdir(parents=True)
    code, said = ended(started(light))
    assert code == 6
    assert said.startswith("acme/2025Q2: no report can be written there (Is a directory).")
    assert not (bundle(light) / "runs").exists()


@in_proc
def test_a_term_signal_while_the_records_are_read_ends_the_run_too(light: Path) -> None:
    """Whatever it meets: what Python drops of it behind an import is asked for again when the records are read."""
    run = started(light)
    until = time.monotonic() + 60
    while not list((bundle(light) / "runs").glob(".*.partial/run.json")):
        assert time.monotonic() < until
        time.sleep(0.02)
    below = list(family(run.pid))
    run.terminate()
    said, _ = run.communicate(timeout=300)
    assert run.returncode == 130, said
    assert gone(below)
    (folder,) = (bundle(light) / "runs").iterdir()
    assert folder.name.endswith(".failed")
    assert (facts(folder)["status"], facts(folder)["exit_code"]) == ("stopped", 130)
