"""The schedules in the README do what they say, as far as one can tell without the schedulers themselves."""

from __future__ import annotations

import ast
import configparser
import csv
import datetime as dt
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat
import pytest
import yaml

from analytics.records.calendar import FiscalCalendar
from analytics.studies.bundle import published
from analytics.studies.exits import STOPPED

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PLACE = "/srv/winloss"
MOMENTS = re.compile(r"(?:Next elapse|Iteration #2|Iter\. #2): \w+ (\d{4}-\d\d-\d\d) (\d\d:\d\d)")
COMPANY = """\
company: acme
title: Acme Tools
settling_days: 31
scope: {everything: true}
source:
  kind: flat
  file: ../export/deals.csv
  columns: {deal_id: id, opened_on: opened, closed_on: closed}
  outcome: {column: stage, values: {Won: won, Lost: lost, Open: open}}
"""
PARAMETERS = "company = 'acme'\nquarter = '2025Q2'\nas_of = '2025-07-31'\ncompare_to = None\nsegments = None"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def export(path: Path, today: dt.date) -> None:
    """Three years of deals up to yesterday: the lines under test ask for the quarter that is the latest now."""
    path.parent.mkdir()
    with path.open("w", newline="") as handle:
        rows = csv.writer(handle)
        rows.writerow(["id", "opened", "closed", "stage"])
        for number in range(200):
            opened = today - dt.timedelta(days=1100 - 5 * number)
            closed = opened + dt.timedelta(days=20 + number % 60)
            done = closed < today
            rows.writerow(
                [f"D{number}", opened, closed if done else "", ["Won", "Lost"][number % 2] if done else "Open"]
            )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone as it is after `make install`, with a company of its own; it stands for /srv/winloss."""
    clone = tmp_path_factory.mktemp("srv") / "winloss"
    (clone / "params").mkdir(parents=True)
    (clone / "params" / "acme.yaml").write_text(COMPANY)
    export(clone / "export" / "deals.csv", dt.date.today())
    (clone / "notebooks").mkdir()
    for name in ("01_one", "02_two"):
        cells = [
            nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}, id="parameters"),
            nbformat.v4.new_code_cell("print(quarter, as_of)", id="said"),
        ]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), clone / "notebooks" / f"{name}.ipynb")
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, clone / name)
    command = clone / ".venv" / "bin" / "winloss"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m analytics.studies.cli "$@"\n')
    command.chmod(0o755)
    (clone / ".venv" / ".run").touch()  # make finds the installation done
    return clone


def tried(command: Sequence[str], place: Path, **environment: str) -> str:
    """Run a command with next to no environment, as a schedule does, in a folder that is not the clone."""
    bare = {"HOME": str(place.parent), "PATH": "/usr/bin:/bin", **environment}
    done = subprocess.run(
        command, cwd=place.parent, env=bare, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def reported(place: Path) -> str:
    """The run that the latest settled quarter's bundle leads to."""
    latest = FiscalCalendar().latest_complete(dt.date.today() - dt.timedelta(days=31))
    found = published(place / "reports" / "acme" / latest.name)
    assert found is not None
    text = (
        place / "reports" / "acme" / latest.name / "runs" / found.current / "notebooks" / "01_one.ipynb"
    ).read_text()
    assert f"{latest.name} {latest.end + dt.timedelta(days=31)}" in text
    return found.current


def has(program: str) -> bool:
    """Whether a scheduler's own check can be asked; in the project's check a missing one is a failure, not a gap."""
    if shutil.which(program):
        return True
    assert os.environ.get("CI") != "true", f"{program} is not installed"
    return False


def here(text: str, place: Path) -> str:
    assert PLACE in text
    return text.replace(PLACE, str(place))


def test_the_cron_line_runs_in_crons_own_environment(place: Path) -> None:
    (table,) = blocks("cron")
    head, line = table.strip().splitlines()
    assert re.fullmatch(r"MAILTO=\S+@example\.com", head)
    moment, command = line[: line.index("cd ")].split(), line[line.index("cd ") :]
    assert len(moment) == 5
    assert "%" not in command  # cron takes it for a line break
    said = tried(["/bin/sh", "-c", here(command, place)], place, SHELL="/bin/sh", LOGNAME="revops")
    assert said == ""  # so that cron mails nothing
    log = (place / "winloss.log").read_text()
    assert "Report: " in log
    assert "\r" not in log
    assert reported(place)


def test_a_failure_is_what_cron_mails(place: Path) -> None:
    (table,) = blocks("cron")
    command = here(table.strip().splitlines()[1].split("* * * ", 1)[1], place).replace("acme.yaml", "acmee.yaml")
    said = tried(["/bin/sh", "-c", command], place)
    assert "acmee.yaml" in said


def test_cron_itself_takes_the_table(tmp_path: Path) -> None:
    if not has("crontab"):
        pytest.skip("cron is not installed: its own check of the table is not tried")
    (text,) = blocks("cron")
    for name, table in (("good", text), ("bad", text.replace("15 6", "75 6"))):
        (tmp_path / name).write_text(table)
        checked = subprocess.run(["crontab", "-n", str(tmp_path / name)], capture_output=True, text=True, check=False)
        assert (checked.returncode == 0) is (name == "good"), checked.stdout + checked.stderr


def test_every_schedule_names_the_same_moment() -> None:
    """A quarter past six every morning, in each scheduler's own writing; systemd's is asked of systemd."""
    assert blocks("cron")[0].splitlines()[1].startswith("15 6 * * * ")
    workflow = yaml.load(blocks("yaml")[0], yaml.BaseLoader)
    assert workflow["on"]["schedule"] == [{"cron": "15 6 * * *"}]
    assert 'schedule="15 6 * * *"' in blocks("python")[0]
    timer = configparser.ConfigParser(interpolation=None)
    timer.read_string(blocks("ini")[1])
    assert timer["Install"]["WantedBy"] == "timers.target"
    if not has("systemd-analyze"):
        pytest.skip("systemd is not installed: the timer's moments are not asked of it")
    asked = ["systemd-analyze", "calendar", "--iterations=2", timer["Timer"]["OnCalendar"]]
    told = subprocess.run(asked, capture_output=True, text=True, check=True, env={**os.environ, "TZ": "UTC"}).stdout
    first, second = (dt.datetime.fromisoformat(f"{day} {time}") for day, time in MOMENTS.findall(told))
    assert (first.hour, first.minute) == (6, 15)
    assert second - first == dt.timedelta(days=1)


@pytest.mark.slow
def test_the_systemd_units_are_sound_and_the_command_runs(place: Path, tmp_path: Path) -> None:
    service, timer = blocks("ini")
    assert service.startswith("# winloss.service")
    assert timer.startswith("# winloss.timer")
    for name, text in (("winloss.service", here(service, place)), ("winloss.timer", timer)):
        (tmp_path / name).write_text(text)
    unit = configparser.ConfigParser(interpolation=None)
    unit.read_string(here(service, place))
    tried(["/bin/sh", "-c", f"cd {unit['Service']['WorkingDirectory']} && {unit['Service']['ExecStart']}"], place)
    assert reported(place)
    assert unit["Service"]["SuccessExitStatus"] == str(STOPPED)
    if not has("systemd-analyze"):
        pytest.skip("systemd is not installed: its own check of the units is not tried")
    both = [str(tmp_path / "winloss.service"), str(tmp_path / "winloss.timer")]
    checked = subprocess.run(["systemd-analyze", "verify", *both], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


@pytest.mark.slow
def test_the_steps_of_the_workflow_run_in_order(place: Path) -> None:
    (text,) = blocks("yaml")
    workflow = yaml.load(text, yaml.BaseLoader)
    assert len(workflow["on"]["schedule"][0]["cron"].split()) == 5
    steps = workflow["jobs"]["report"]["steps"]
    assert all(("uses" in step) != ("run" in step) for step in steps)
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"]) for step in steps if "uses" in step)
    kept = [step["with"]["path"] for step in steps if "path" in step.get("with", {})]
    assert kept == ["reports", "reports"]
    commands = [step["run"] for step in steps if "run" in step]
    assert commands[0] == "make install"
    for command in commands:
        tried(["/bin/bash", "-e", "-c", f"cd {place} && {command}"], place, CI="true")
    assert reported(place)


@pytest.mark.slow
def test_the_airflow_file_parses_and_its_command_runs(place: Path) -> None:
    (text,) = blocks("python")
    calls = {
        node.func.id: {word.arg: word.value for word in node.keywords}
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert set(calls) == {"DAG", "BashOperator"}
    assert ast.literal_eval(calls["DAG"]["catchup"]) is False
    assert len(str(ast.literal_eval(calls["DAG"]["schedule"])).split()) == 5
    command = str(ast.literal_eval(calls["BashOperator"]["bash_command"]))
    assert "{{" not in command
    tried(["bash", "-c", here(command, place)], place)
    assert reported(place)


@pytest.mark.slow
def test_a_second_day_runs_no_notebook_again(place: Path) -> None:
    (table,) = blocks("cron")
    command = here(table.strip().splitlines()[1].split("* * * ", 1)[1], place)
    for _ in range(2):
        tried(["/bin/sh", "-c", command], place)
    last = (place / "winloss.log").read_text().split("reading the records")[-1]
    assert last.count("unchanged since the run") == 2


def test_what_is_said_to_be_tried_is_tried() -> None:
    assert os.path.basename(__file__) in README
