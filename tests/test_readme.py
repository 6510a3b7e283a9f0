"""Every command in the README runs as written, and every file it names exists."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

RUN_BY_CI = {"make study", "make test"}
"""What `.ci/run` itself calls as written; running it from within a test would be running it twice."""


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    return [
        line.strip() for block in blocks for line in block.splitlines() if line.strip() and not line.startswith("#")
    ]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project whose `.venv` is the environment that runs the tests."""
    copy = tmp_path_factory.mktemp("readme") / "winloss"
    kept = ("analytics", "notebooks", "params", "data", "Makefile", "pyproject.toml", "constraints.txt", "README.md")
    copy.mkdir()
    for name in kept:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)
    (copy / ".venv").symlink_to(sys.prefix)
    return copy


def test_the_ci_script_runs_the_two_commands_as_written() -> None:
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert set(lines) >= RUN_BY_CI
    assert set(commands()) >= RUN_BY_CI


@pytest.mark.slow
@pytest.mark.parametrize("command", [command for command in commands() if command not in RUN_BY_CI])
def test_a_command_runs_as_written(checkout: Path, command: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WINLOSS_")}
    environment["PATH"] = os.pathsep.join((str(Path(sys.prefix) / "bin"), environment.get("PATH", "")))
    result = subprocess.run(
        ["bash", "-c", command], cwd=checkout, capture_output=True, text=True, env=environment, timeout=300, check=False
    )
    assert result.returncode == 0, f"{command}\n{result.stdout[-1500:]}\n{result.stderr[-1500:]}"


def test_every_make_target_it_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    named = set(re.findall(r"make ([a-z]+(?:-[a-z]+)*)", README))
    assert named <= targets


def test_every_file_it_names_exists() -> None:
    named = re.findall(r"`((?:params|analytics|data|tests|notebooks)/[\w./-]+)`", README)
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    assert len(named) >= 5
    missing = [name for name in (*named, *pictures) if not (ROOT / name).exists() and "acme" not in name]
    assert missing == []
    assert [ROOT / name for name in pictures if (ROOT / name).stat().st_size > 150_000] == []
    assert sorted(Path(name).stem for name in pictures) == ["front", "start", "study"]
